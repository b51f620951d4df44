"""What kb test shows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from kb_tools import as_json
from kb_tools.determine.examples import ExamplesReport
from kb_tools.render import determination_junit as as_junit


def text(out: Console, reports: Sequence[ExamplesReport]) -> None:
    """What differs, what is covered, and how many cases ran."""
    for report in reports:
        for result in report.failed:
            out.print(f"FAILED {report.policy} {result.expectation.name} under {result.expectation.revision}")
            for difference in result.differences:
                out.print(f"  - {difference}")
        for line in report.covered:
            out.print(f"  {line}")
        for gap in report.gaps:
            out.print(f"GAP {report.policy}: {gap}")
        ran, failed = len(report.results), len(report.failed)
        files = len({result.expectation.path for result in report.results})
        counted = f"{ran} expectation{'s'[: ran != 1]} on {files} case{'s'[: files != 1]}"
        out.print(f"{report.policy}: {counted}, {ran - failed} as expected, {failed} not")


def json(reports: Sequence[ExamplesReport]) -> str:
    """The same for other programs."""
    return as_json.dump([report.to_dict() for report in reports])


def junit(reports: Sequence[ExamplesReport]) -> str:
    """The same as JUnit XML: a test case for each expectation, and one for each gap."""
    cases = []
    for report in reports:
        for result in report.results:
            kind = "failure" if result.differences else ""
            name = f"{report.policy}/{result.expectation.revision}"
            cases.append(as_junit.TestCase(name, result.expectation.name, kind, "; ".join(result.differences)))
        cases += [as_junit.TestCase(f"{report.policy}/coverage", gap, "failure", gap) for gap in report.gaps]
    return as_junit.suite("kb test", cases)
