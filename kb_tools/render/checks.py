"""What kb check shows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from kb_tools import as_json
from kb_tools.checks import CheckResult, Severity
from kb_tools.render import determination_junit as as_junit

# The words of a status that stand out on a terminal, and its style.
_SHOWN = {"passed": ("passed", "green"), "failed": ("FAILED", "bold red"), "warning": ("WARNING", "yellow")}


def text_line(out: Console, result: CheckResult, before: CheckResult | None = None) -> None:
    """One check, as soon as it is done, with every problem it found.

    Args:
        before: the check above it; why both were not run is printed once.
    """
    status, style = _SHOWN.get(result.status, (result.status, "yellow"))
    out.print(Text(f"{status:8}", style).append(f"{result.check.id}  {result.check.title}", "default"))
    if result.skipped and not (before and before.skipped == result.skipped):
        out.print(f"        - {result.skipped}")
    for problem in result.problems:
        out.print(f"        - {problem.where}: {problem.message}")


def text_summary(out: Console, results: Sequence[CheckResult]) -> None:
    """How many checks ran and passed."""
    passed = sum(result.passed for result in results)
    problems = sum(len(result.problems) for result in results)
    out.print(f"{len(results)} checks, {passed} passed, {problems} problems")


def json(results: Sequence[CheckResult]) -> str:
    """The same for other programs."""
    return as_json.dump([result.to_dict() for result in results])


def junit(results: Sequence[CheckResult]) -> str:
    """The same as JUnit XML: a test case for each check."""
    cases = []
    for result in results:
        kind = (
            ""
            if result.passed
            else "skipped"
            if result.skipped or result.check.severity is Severity.WARNING
            else "failure"
        )
        message = result.skipped or "; ".join(f"{problem.where}: {problem.message}" for problem in result.problems)
        cases.append(as_junit.TestCase("kb check", result.check.id, kind, message))
    return as_junit.suite("kb check", cases)
