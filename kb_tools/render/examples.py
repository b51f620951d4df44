"""What kb test shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from kb_tools.determine.examples import Verdict
from kb_tools.render import determination_json as as_json
from kb_tools.render import determination_junit as as_junit


@dataclass(frozen=True)
class Report:
    """The verdicts of one policy's manifest, and what its cases cover."""

    policy: str
    verdicts: Sequence[Verdict]
    shown: Sequence[str]
    gaps: Sequence[str]

    @property
    def failed(self) -> list[Verdict]:
        """The verdicts that differ from what was expected."""
        return [each for each in self.verdicts if each.differences]

    @property
    def passed(self) -> bool:
        """Whether every case came out as expected and nothing is left uncovered."""
        return not self.failed and not self.gaps


def text(out: Console, reports: Sequence[Report]) -> None:
    """What differs, what is covered, and how many cases ran."""
    for report in reports:
        for verdict in report.failed:
            out.print(f"FAILED {report.policy} {verdict.expectation.name} under {verdict.expectation.revision}")
            for difference in verdict.differences:
                out.print(f"  - {difference}")
        for line in report.shown:
            out.print(f"  {line}")
        for gap in report.gaps:
            out.print(f"GAP {report.policy}: {gap}")
        ran, failed = len(report.verdicts), len(report.failed)
        files = len({verdict.expectation.path for verdict in report.verdicts})
        counted = f"{ran} expectation{'s'[: ran != 1]} on {files} case{'s'[: files != 1]}"
        out.print(f"{report.policy}: {counted}, {ran - failed} as expected, {failed} not")


def json(reports: Sequence[Report]) -> str:
    """The same for other programs."""
    return as_json.dump(
        [
            {
                "policy": report.policy,
                "expectations": [
                    {
                        "name": each.expectation.name,
                        "revision": each.expectation.revision,
                        "outcome": each.determination.outcome.value if each.determination else None,
                        "differences": list(each.differences),
                    }
                    for each in report.verdicts
                ],
                "coverage": list(report.shown),
                "gaps": list(report.gaps),
            }
            for report in reports
        ]
    )


def junit(reports: Sequence[Report]) -> str:
    """The same as JUnit XML: a test case for each expectation, and one for each gap."""
    cases = []
    for report in reports:
        for each in report.verdicts:
            kind = "failure" if each.differences else ""
            name = f"{report.policy}/{each.expectation.revision}"
            cases.append(as_junit.TestCase(name, each.expectation.name, kind, "; ".join(each.differences)))
        cases += [as_junit.TestCase(f"{report.policy}/coverage", gap, "failure", gap) for gap in report.gaps]
    return as_junit.suite("kb test", cases)
