"""Whichever way what a case leaves unsaid turns out, its answer stays right: the properties of tests/properties.py.

On a few hundred generated cases; `benchmarks/soundness.py` takes twenty thousand. What the properties leave out, since
the design fixes another meaning, is shown here too, each by the smallest case.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from random import Random

import pytest
from generated import ACUTE, DOUBT, MRD, STATUS, TRANSPLANT, generated
from history import WITH_DOCUMENT
from properties import (
    Asked,
    Found,
    completion,
    completions,
    engines,
    fhir,
    formats,
    removal,
    removals,
    repetition,
    shift,
)
from strategies import Finding, Picture, Product

from kb_tools.determine.result import Outcome

MET, NOT_MET, NEEDED = Outcome.MET, Outcome.NOT_MET, Outcome.NEEDED


@cache
def asked() -> Asked:
    return Asked()


@cache
def cases(count: int) -> tuple[Picture, ...]:
    return tuple(generated(count))


def outcome(picture: Picture) -> Outcome:
    (outcomes,) = asked().outcomes([picture])
    return outcomes["2026-02"]


# ---------------------------------------------------------------------- the properties


def test_however_what_is_left_open_is_stated_a_settled_outcome_stays() -> None:
    found = completion(asked(), cases(600))
    assert found.smallest() == []
    assert set(found.checks) == {
        *("reason", "purposes", "service", "procedure code", "line of business", "processing", "kind of processing"),
        *("lymphocyte donor", "clinical trial", "graft source", "clin:method", "clin:lineage", "kind of disease"),
        *("kind of remission", "value", "exact number", "a doubt lifted"),
    }
    assert found.checks.total() > 2000


def test_removing_a_finding_never_turns_a_settled_outcome_into_the_opposite_one() -> None:
    found = removal(asked(), cases(600))
    assert found.smallest() == []
    assert set(found.checks) >= {
        *("a finding that does not count", "a finding that perhaps counts", "a transplant not stated allogeneic"),
        *("a finding that no other speaks against", "a finding that no other speaks against with what it replaced"),
    }
    assert found.checks.total() > 1500


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_statements_given_twice_in_any_order_under_any_names_change_nothing_but_names(revision: str) -> None:
    found = repetition(cases(150), revision, Random(1))
    assert found.smallest() == []
    assert found.checks.total() == 150


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_turtle_json_ld_and_plain_json_of_one_picture_come_to_the_same_bytes(revision: str) -> None:
    found = formats(cases(100), revision)
    assert found.smallest() == []
    assert found.checks == {"JSON-LD": 100, "plain JSON": 100}


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_fhir_of_a_picture_comes_to_what_its_turtle_comes_to(revision: str) -> None:
    found = fhir(cases(150), revision)
    assert found.smallest() == []
    assert found.checks["FHIR"] > 75


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_both_engines_give_the_same_bytes(revision: str) -> None:
    found = engines(cases(150), revision)
    assert found.smallest() == []
    assert found.checks.total() == 150


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_shifting_every_date_by_the_same_days_changes_nothing_but_dates(revision: str) -> None:
    found = shift(cases(150), revision, Random(2))
    assert found.smallest() == []
    assert found.checks.total() == 150


def test_the_generated_cases_come_to_every_settled_outcome_and_state_every_doubt() -> None:
    outcomes = list(asked().outcomes(cases(600)))
    for revision in WITH_DOCUMENT:
        assert {by_revision[revision] for by_revision in outcomes} == set(Outcome) - {Outcome.CONFLICTING}
    findings = [found for picture in cases(600) for found in picture.findings]
    assert sum(bool(found.value(DOUBT[0])) for found in findings) > 100


def test_a_property_that_does_not_hold_is_found() -> None:
    class Hasty(Asked):
        """Takes a case that states no purpose for one that meets the criteria."""

        def outcomes(self, pictures: Iterable[Picture]) -> list[dict[str, Outcome]]:  # type: ignore[override]
            return [{"2026-02": NOT_MET if picture.purposes else MET} for picture in pictures]

    found = completion(Hasty(), [Picture(date(2026, 7, 1))])
    assert [violation[0] for violation in found.violations] == ["purposes"] * 7
    assert isinstance(found, Found)


# ---------------------------------------------------------------------- what is not so, by the smallest case

DAY = date(2026, 7, 1)


def finding(kind: str, before: int, *stated: tuple[str, str]) -> Finding:
    return Finding(kind, DAY - timedelta(before), stated)


def status(disease: str, value: str | None, before: int) -> Finding:
    stated = [("clin:disease", f"clin:{disease}"), *([("clin:diseaseStatus", f"clin:{value}")] if value else [])]
    return finding(STATUS, before, *stated)


def mrd(method: str | None, result: str, before: int, *more: tuple[str, str]) -> Finding:
    of = [("clin:method", f"clin:{method}")] if method else []
    return finding(MRD, before, *of, ("clin:mrdResult", f"clin:{result}"), *more)


RISK = finding("clin:RelapseRiskAssessment", 5, ("clin:relapseRisk", "clin:RelapseRiskNotRaised"))
ALLOGENEIC = finding(TRANSPLANT, 300, ("clin:graftSource", "clin:CordBlood"))


def settled_but_for(*findings: Finding, reason: str = "Leukemia") -> Picture:
    """A case in which all is settled but disease status and residual disease."""
    return Picture(
        service_date=DAY,
        line_of_business="case:Commercial",
        service="clin:DonorLymphocyteInfusion",
        reason=f"clin:{reason}",
        purposes=frozenset({"clin:TreatRelapse"}),
        product=Product(frozenset({"clin:Unmanipulated"}), "clin:TransplantDonor", "false"),
        findings=(ALLOGENEIC, RISK, finding(ACUTE, 5, ("clin:grade", "0")), *findings),
    )


NO_MRD = mrd("FlowCytometry", "MRDNotDetected", 5)
REMISSION = status("Leukemia", "CompleteRemission", 10)

# What removing a finding that counts can turn, so that the property leaves it out: the case, and which is removed.
TURNED_BY_REMOVAL = {
    "the latest remission, and the relapse before it counts again": (
        settled_but_for(NO_MRD, status("Leukemia", "Relapsed", 20), REMISSION),
        REMISSION,
        (NOT_MET, MET),
    ),
    "the one of two methods that detects residual disease": (
        settled_but_for(NO_MRD, REMISSION, mrd("PolymeraseChainReaction", "MRDDetected", 5)),
        mrd("PolymeraseChainReaction", "MRDDetected", 5),
        (MET, NOT_MET),
    ),
    "the allogeneic one of two transplants": (
        settled_but_for(
            NO_MRD,
            status("Leukemia", "Relapsed", 10),
            finding(TRANSPLANT, 200, ("clin:graftSource", "clin:Autologous")),
        ),
        ALLOGENEIC,
        (MET, NOT_MET),
    ),
    "a remission in doubt, and the relapse before it counts again": (
        settled_but_for(
            NO_MRD,
            status("LymphoidLeukemia", "CompleteRemission", 10),
            status("MyeloidLeukemia", "Relapsed", 20),
            replace(
                status("MyeloidLeukemia", "CompleteRemission", 10),
                stated=(*status("MyeloidLeukemia", "CompleteRemission", 10).stated, DOUBT),
            ),
        ),
        replace(
            status("MyeloidLeukemia", "CompleteRemission", 10),
            stated=(*status("MyeloidLeukemia", "CompleteRemission", 10).stated, DOUBT),
        ),
        (NOT_MET, MET),
    ),
}


@pytest.mark.parametrize("name", TURNED_BY_REMOVAL)
def test_removing_what_decides_can_turn_the_outcome(name: str) -> None:
    picture, removed, outcomes = TURNED_BY_REMOVAL[name]
    left = replace(picture, findings=tuple(kept for kept in picture.findings if kept != removed))
    assert (outcome(picture), outcome(left)) == outcomes
    assert left not in [weaker.picture for weaker in removals(picture)]


# What stating something can turn, so that it is no completion: the case, and the case with that stated.
TURNED_BY_NEWS = {
    "a value for a newer finding without one": (
        settled_but_for(NO_MRD, status("Leukemia", "Relapsed", 20), status("Leukemia", None, 10)),
        settled_but_for(NO_MRD, status("Leukemia", "Relapsed", 20), status("Leukemia", "CompleteRemission", 10)),
        (MET, NOT_MET),
    ),
    "the kind of a group whose remission took the place of a relapse": (
        settled_but_for(
            NO_MRD, status("LymphoidLeukemia", "Relapsed", 20), status("Leukemia", "CompleteRemission", 10)
        ),
        settled_but_for(
            NO_MRD, status("LymphoidLeukemia", "Relapsed", 20), status("MyeloidLeukemia", "CompleteRemission", 10)
        ),
        (NOT_MET, MET),
    ),
    "of active disease that it is relapsed, beside the remission of another disease": (
        settled_but_for(
            NO_MRD, status("LymphoidLeukemia", "CompleteRemission", 10), status("MyeloidLeukemia", "Active", 10)
        ),
        settled_but_for(
            NO_MRD, status("LymphoidLeukemia", "CompleteRemission", 10), status("MyeloidLeukemia", "Relapsed", 10)
        ),
        (NOT_MET, MET),
    ),
    "the method of an older test that says what a newer one in doubt says": (
        settled_but_for(REMISSION, mrd(None, "MRDDetected", 20), mrd("FlowCytometry", "MRDDetected", 10, DOUBT)),
        settled_but_for(
            REMISSION, mrd("FlowCytometry", "MRDDetected", 20), mrd("FlowCytometry", "MRDDetected", 10, DOUBT)
        ),
        (MET, NEEDED),
    ),
    "that a second transplant was autologous, beside a later statement that there was none": (
        settled_but_for(
            NO_MRD,
            status("Leukemia", "Relapsed", 10),
            finding(TRANSPLANT, 200),
            finding("clin:StatedAbsence", 100, ("clin:absenceOf", TRANSPLANT)),
        ),
        settled_but_for(
            NO_MRD,
            status("Leukemia", "Relapsed", 10),
            finding(TRANSPLANT, 200, ("clin:graftSource", "clin:Autologous")),
            finding("clin:StatedAbsence", 100, ("clin:absenceOf", TRANSPLANT)),
        ),
        (MET, NEEDED),
    ),
}


@pytest.mark.parametrize("name", TURNED_BY_NEWS)
def test_what_is_fixed_otherwise_is_no_completion(name: str) -> None:
    picture, stated, outcomes = TURNED_BY_NEWS[name]
    assert (outcome(picture), outcome(stated)) == outcomes
    assert all(fuller.picture != stated or not fuller.stays for fuller in completions(picture))
