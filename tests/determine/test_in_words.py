"""Why an outcome is what it is, and what to send in, in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.in_words import Ask, AskGroup, because, is_stated, to_send_in
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository

Example = Callable[[str, str], Determination]
SYNGENEIC = "transplant: graft source syngeneic (2025-01-15, chart evidence)"
PARTIAL = (
    "disease status assessment: disease myelodysplastic syndrome, disease status partial remission "
    "(2026-06-01, chart evidence)"
)
STATUS = Ask("The latest status of the disease treated, with its date, since the latest allogeneic transplant")
MRD = Ask(
    "The latest test for minimal residual disease by each method, with its date, since the latest allogeneic transplant"
)
RISK = Ask("The latest assessment of the risk of relapse, with its date")
PURPOSE = Ask("Every purpose of the infusion")


@pytest.fixture(scope="module")
def example(kb: Repository, policy: Policy) -> Example:
    """Determines an example case, by its name, under a revision."""
    runs: dict[str, Run] = {}
    reader = CaseReader(kb)

    def determine(name: str, revision: str = "2026-02") -> Determination:
        path = Path(policy.folder) / "cases" / f"{name}.ttl"
        (case,) = reader.read(path.name, path)
        assert isinstance(case, Case)
        run = runs.setdefault(revision, Run(kb, policy, "pyshifty", revision))
        (found,) = run.answers([case])
        assert isinstance(found, Determination)
        return found

    return determine


@pytest.mark.parametrize(
    ("case", "revision", "why"),
    [
        (
            "relapsed-aml-after-transplant-meets",
            "2026-02",
            "indication I holds: transplant: graft source matched related donor (2025-01-15, chart evidence); "
            "reason: acute myeloid leukemia; disease status assessment: disease acute myeloid leukemia, "
            "disease status relapsed (2026-06-01, chart evidence); no limitation or exclusion holds",
        ),
        (
            "acute-gvhd-of-grade-2-excludes",
            "2026-02",
            "exclusion II.B holds: acute GvHD assessment: grade 2 (2026-06-20, chart evidence)",
        ),
        (
            "autologous-transplant-alone-fails",
            "2026-02",
            "indication I fails: transplant: graft source autologous (2024-05-06, chart evidence)",
        ),
        (
            "raising-chimerism-alone-without-risk-is-limited",
            "2026-02",
            "indication I fails: disease status assessment: disease acute myeloid leukemia, disease status "
            "complete remission (2026-06-01, chart evidence); purpose: raise donor chimerism; MRD test: method "
            "flow cytometry, MRD result not detected (2026-06-03, chart evidence); relapse risk assessment: "
            "relapse risk not raised (2026-06-10, attestation); limitation “I, note” holds: the same facts",
        ),
        ("medicare-advantage-plan-is-referred", "2026-02", "Medicare note fails: line of business: Medicare Advantage"),
        ("another-service-is-not-applicable", "2026-02", "Scope fails: service: stem cell boost"),
        (
            "syngeneic-transplant-leaves-the-transplant-open",
            "2026-02",
            f"indication I is open: “after an allogeneic transplant” is neither shown nor ruled out by {SYNGENEIC}",
        ),
        (
            "partial-remission-leaves-relapse-open",
            "2026-02",
            "indication I is open: “the disease is relapsed, refractory or progressing” is neither shown nor ruled "
            f"out by {PARTIAL}; the case states no MRD test and no relapse risk assessment",
        ),
        (
            "relapse-before-the-transplant-does-not-count",
            "2026-02",
            "indication I is open: the case states no MRD test and no relapse risk assessment, and no disease status "
            "assessment that counts",
        ),
        (
            "transplant-after-the-service-date-does-not-count",
            "2026-02",
            "indication I is open: the case states no transplant that counts (the transplant of 2026-07-02 is after "
            "the service date, 2026-07-01)",
        ),
        (
            "a-grade-of-0-in-doubt-leaves-the-exclusion-open",
            "2026-02",
            "exclusion II.B is open: acute GvHD assessment: grade 0 (2026-06-15, chart evidence) only perhaps counts: "
            "stated to be in doubt: A later assessment could not be read.",
        ),
        (
            "conflicting-grades-beside-unstated-processing",
            "2026-02",
            "exclusion II.A and exclusion II.B are open: these contradict each other: acute GvHD assessment: grade 1 "
            "(2026-06-20, chart evidence) and acute GvHD assessment: grade 3 (2026-06-20, chart evidence); "
            "the case states no processing",
        ),
        (
            "a-bare-request-is-asked-for-everything",
            "2019-10",
            "Scope, indication I, exclusion II.B and exclusion II.C are open: the case states no procedure code or "
            "service, no transplant, no reason, no disease status assessment, no purpose, no chimerism test, "
            "no processing and no earlier donor lymphocyte infusion",
        ),
    ],
)
def test_because_names_the_criterion_and_the_facts(example: Example, case: str, revision: str, why: str) -> None:
    assert because(example(case, revision)) == why


def test_a_doubt_in_several_findings_is_given_once_and_the_others_are_counted(example: Example) -> None:
    found = example("a-doubt-is-of-all-grades-of-its-day-that-differ", "2026-02")
    assert because(found) == (
        "exclusion II.B is open: acute GvHD assessment: grade 0 (2026-06-15, chart evidence) only perhaps counts "
        "(and 1 more in doubt): stated to be in doubt: A later assessment could not be read."
    )


def test_what_a_finding_leaves_open_is_not_asked_for_as_if_nothing_was_sent(example: Example) -> None:
    assert to_send_in(example("syngeneic-transplant-leaves-the-transplant-open", "2026-02")) == AskGroup(
        "all",
        (
            Ask(
                "Something that settles “after an allogeneic transplant”",
                (
                    f"stated, and leaves it open: {SYNGENEIC}",
                    "usual evidence: The date and graft source of every transplant of blood-forming cells",
                ),
            ),
        ),
    )
    partial = Ask(
        "Something that settles “the disease is relapsed, refractory or progressing”",
        (f"stated, and leaves it open: {PARTIAL}", f"usual evidence: {STATUS}"),
    )
    assert to_send_in(example("partial-remission-leaves-relapse-open", "2026-02")) == AskGroup(
        "all", (AskGroup("any", (partial, MRD, RISK)),)
    )


def test_what_is_asked_for_twice_is_listed_once_and_alternatives_stay_together(example: Example) -> None:
    asked = to_send_in(example("a-bare-request-is-asked-for-everything", "2026-02"))
    assert asked == AskGroup(
        "all",
        (
            Ask("The service requested, or its procedure code"),
            Ask("The line of business of the plan under which the service is requested"),
            Ask("The date and graft source of every transplant of blood-forming cells"),
            Ask("The disease for which the infusion is requested"),
            AskGroup("any", (STATUS, PURPOSE, MRD, RISK)),
            Ask("How the lymphocytes were or will be processed"),
            Ask("The overall grade (0 to 4) and date of the latest acute GvHD assessment"),
        ),
    )


def test_what_would_settle_a_doubt_stands_beside_what_is_asked_for(example: Example) -> None:
    asked = to_send_in(example("a-grade-of-0-in-doubt-leaves-the-exclusion-open", "2026-02"))
    assert asked == AskGroup(
        "all",
        (
            Ask(
                "The overall grade (0 to 4) and date of the latest acute GvHD assessment",
                (
                    "or, to settle a doubt: confirmation that the acute GvHD assessment of 2026-06-15 still stands, "
                    "or a newer acute GvHD assessment",
                ),
            ),
        ),
    )


def test_a_settled_case_is_asked_for_nothing(example: Example) -> None:
    assert to_send_in(example("acute-gvhd-of-grade-2-excludes", "2026-02")) is None


def test_a_group_in_one_line_joins_alternatives_by_or() -> None:
    group = AskGroup("any", (AskGroup("all", (STATUS, RISK)), Ask("A", ("b", "c"))))
    assert str(group) == f"One of: ({STATUS}, and: {RISK}), or: A (b; c)"


def test_a_finding_that_does_not_count_is_stated_all_the_same(example: Example) -> None:
    found = example("relapse-before-the-transplant-does-not-count", "2026-02")
    results = {result.condition.label: result for result in found.condition_results.values()}
    assert is_stated(found, results["the disease is relapsed, refractory or progressing"])
    assert not is_stated(found, results["residual disease is detected"])
