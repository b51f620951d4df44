"""What kb test shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from kb_tools import as_json
from kb_tools.determine.examples import ExamplesReport
from kb_tools.render import determination_junit as as_junit


def text(out: Console, reports: Sequence[ExamplesReport]) -> None:
    """What differs, what is covered, and how many cases ran."""
    for report in reports:
        for which, revision, differences in _failed(report):
            out.print(f"FAILED {report.policy} {which} under {revision}")
            for difference in differences:
                out.print(f"  - {difference}")
        for line in report.covered:
            out.print(f"  {line}")
        for gap in report.gaps:
            out.print(f"GAP {report.policy}: {gap}")
        ran, failed = len(report.results), len(report.failed)
        files = len({result.expectation.path for result in report.results})
        counted = f"{ran} expectation{'s'[: ran != 1]} on {files} case{'s'[: files != 1]}"
        out.print(f"{report.policy}: {counted}, {ran - failed} as expected, {failed} not")
        for name in report.drafts:
            out.print(f"  {name} is a draft, and was determined as if it were released.")


def _failed(report: ExamplesReport) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What failed, under which revision, and why; all of a revision at once where nothing could be determined."""
    for revision in dict.fromkeys(result.expectation.revision for result in report.failed):
        every = [result for result in report.results if result.expectation.revision == revision]
        reasons = {result.differences for result in every}
        if len(every) > 1 and len(reasons) == 1 and not any(result.determination for result in every):
            yield f"{len(every)} expectations", revision, reasons.pop()
        else:
            failed = (result for result in every if result.differences)
            yield from ((result.expectation.name, revision, result.differences) for result in failed)


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
