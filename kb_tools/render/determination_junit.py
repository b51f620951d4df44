"""JUnit XML, for continuous integration: a test case for each thing that can come out well or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from kb_tools import printable
from kb_tools.cases.case import Malformed
from kb_tools.determine.in_words import to_send_in
from kb_tools.determine.result import Determination, NotDetermined, Outcome
from kb_tools.determine.run import Answer
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository


@dataclass(frozen=True)
class TestCase:
    """One test case; `kind` is "failure", "error" or "skipped", "" where it passed."""

    suite: str
    name: str
    kind: str = ""
    message: str = ""


def suite(name: str, cases: Iterable[TestCase]) -> str:
    """One JUnit test suite."""
    listed = list(cases)
    counts = {kind: sum(case.kind == kind for case in listed) for kind in ("failure", "error", "skipped")}
    root = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(len(listed)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
    )
    for case in listed:
        node = ElementTree.SubElement(root, "testcase", classname=case.suite, name=printable.line(case.name))
        if case.kind:
            ElementTree.SubElement(node, case.kind, message=printable.line(case.message))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def answers(kb: Repository, answered: Sequence[Answer], errors: Sequence[KbError], explain: bool) -> str:
    """A run of kb validate: a case passes when it meets the criteria, and is skipped when the policy does not apply."""
    found = [_test_case(answer) for answer in answered]
    found += [TestCase("kb validate", error.where or "input", "error", "; ".join(error.lines())) for error in errors]
    return suite("kb validate", found)


def _test_case(answer: Answer) -> TestCase:
    name = answer.case.title
    if isinstance(answer, NotDetermined):
        return TestCase("kb validate", name, "error", str(answer.error))
    if isinstance(answer, Malformed):
        message = "; ".join(f"{violation.place}: {violation.message}" for violation in answer.violations)
        return TestCase("malformed", name, "error", message)
    suite_name = f"{answer.revision.policy.identifier}/{answer.revision.entry.name}"
    if answer.outcome is Outcome.MET:
        return TestCase(suite_name, name)
    kind = "skipped" if answer.outcome is Outcome.NOT_APPLICABLE else "failure"
    return TestCase(suite_name, name, kind, f"{answer.outcome.value}: {_why(answer)}")


def _why(found: Determination) -> str:
    asked = to_send_in(found)
    if asked is None:
        deciding = (result for result in found.every_criterion if result.decides)
        return "; ".join(f"{result.criterion.notation} {result.value.value} ({result.reason})" for result in deciding)
    return f"send in: {'; '.join(map(str, asked.parts))}."
