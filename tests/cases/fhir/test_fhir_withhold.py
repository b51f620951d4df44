"""FHIR R4 in: what is put in doubt rather than guessed, and what it keeps from deciding."""

from __future__ import annotations

from typing import Any

import pytest
from bundle_edits import added, condition, doubts_of, gvhd, perhaps_transplanted
from bundles import record, resources
from fhir_fixtures import Determined, Outcome
from withheld import CASES, MET, NEEDED, doubtful, open_grade

pytestmark = pytest.mark.usefixtures("pseudonym_key")


# ---------------------------------------------------------------------- which disease


@pytest.mark.parametrize(
    ("reason", "relapsed"),
    [("C92.01", "C91.42"), ("C92.01", "C96.A"), ("C90.01", "C90.32"), ("C83.1A", "C83.50")],
    ids=["hairy cell leukemia for AML", "histiocytic for AML", "plasmacytoma for myeloma", "lymphoblastic for mantle"],
)
def test_a_relapse_of_another_disease_of_the_group_is_none_of_this(
    outcome: Outcome, reason: str, relapsed: str
) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        code = resources(bundle)["Claim"]["diagnosis"][0]["diagnosisCodeableConcept"]["coding"][0]
        code["code"] = reason
        bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != "Condition"]
        clinical = "relapse" if not relapsed.endswith("2") else "active"
        added(condition(relapsed, "2026-06-01", clinical))(bundle)

    assert outcome(edit)[0] == "InformationNeeded"


@pytest.mark.parametrize(("code", "clinical"), [("C92.01", "remission"), ("C92.01", "active"), ("C92.00", "resolved")])
def test_a_later_remission_ends_an_earlier_relapse(outcome: Outcome, code: str, clinical: str) -> None:
    assert outcome(added(condition(code, "2026-06-20", clinical)))[0] == "InformationNeeded"
    assert outcome(added(condition(code, "2026-05-20", clinical)))[0] == "CriteriaMet"


# ---------------------------------------------------------------------- what is in doubt


@pytest.mark.parametrize("name", CASES)
def test_what_may_be_so_does_not_count_and_keeps_what_is_older_from_deciding(determined: Determined, name: str) -> None:
    edit, expected, *cause = CASES[name]

    def cleaned(bundle: dict[str, Any]) -> None:
        edit(bundle)
        for entry in bundle["entry"]:
            entry["resource"] = {name: value for name, value in entry["resource"].items() if value is not None}

    found = determined(cleaned)
    assert found.outcome.value == expected
    lines = [*found.case.notices, *record(found.case), *doubts_of(found)]
    assert cause or expected != NEEDED
    for wanted in cause:
        start, _, why = wanted.partition(": ")
        # Of several doubts of one finding, the one looked for need not come first.
        assert any(line.startswith(start) and why in line for line in lines)


@pytest.mark.parametrize("clinical", ["active", "inactive", "resolved"])
def test_an_unknown_code_of_what_neither_comes_nor_goes_is_not_told_of(outcome: Outcome, clinical: str) -> None:
    notice = (
        "Not understood: 1 resource that could not be judged, with neither a known code nor a text, dated on or after "
        "2025-01-15, the oldest finding that was read, or not dated."
    )
    assert outcome(added(condition("J18.9", "2026-06-20", clinical))) == (MET, (notice,))


def test_a_newer_grade_that_is_not_understood_keeps_an_older_one_from_deciding(outcome: Outcome) -> None:
    assert outcome(added(gvhd(valueString="III"))) == (NEEDED, (doubtful("acute GvHD assessment"),))


def test_an_older_grade_that_is_not_understood_changes_nothing(outcome: Outcome) -> None:
    assert outcome(added(gvhd(valueString="III", effectiveDateTime="2026-06-02"))) == ("CriteriaMet", ())


def test_a_transplant_without_a_full_date_keeps_the_others_from_deciding(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        transplant = resources(bundle)["Procedure"]
        added({**transplant, "id": "second", "performedDateTime": "2026-06"})(bundle)

    why = "the graft source of the later transplant of 2026-06-30 is not stated; "
    why += "if it was allogeneic, this finding is from before it and does not count"
    doubts = [f"{kind}: {why}" for kind in ("disease status assessment", "acute GvHD assessment")]
    assert outcome(edit) == ("InformationNeeded", (perhaps_transplanted("2026-06-30"), *doubts))


def test_a_day_that_may_be_later_only_in_another_time_zone_is_not_passed_over(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        bundle["timestamp"] = "2026-06-25T18:00:00Z"
        added(gvhd(valueInteger=3, effectiveDateTime="2026-06-26T01:00:00+09:00"))(bundle)

    assert outcome(edit)[0] == "InformationNeeded"


def test_a_verification_in_words_alone_is_not_understood(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        resources(bundle)["Condition"]["verificationStatus"] = {"text": "Refuted"}

    assert outcome(edit)[0] == "InformationNeeded"


@pytest.mark.parametrize(
    "answers",
    [
        [{"linkId": "AcuteGvHDAssessment/grade", "answer": [{"valueString": "III"}]}],
        [
            {"linkId": "AcuteGvHDAssessment/grade", "answer": [{"valueInteger": 0}]},
            {"linkId": "AcuteGvHDAssessment/grade", "answer": [{"valueInteger": 3}]},
        ],
    ],
    ids=["in words", "two grades"],
)
def test_an_attested_grade_that_is_not_understood_keeps_the_chart_from_deciding(
    outcome: Outcome, answers: list[dict[str, Any]]
) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        day = {"linkId": "AcuteGvHDAssessment/date", "answer": [{"valueDate": "2026-06-24"}]}
        group = {"linkId": "AcuteGvHDAssessment", "item": [day, *answers]}
        resources(bundle)["QuestionnaireResponse"]["item"].append(group)

    assert outcome(edit) == ("InformationNeeded", (open_grade("entry[5] QuestionnaireResponse"),))
