"""FHIR R4 in: whose a fact is, which of several versions counts, and what is withheld rather than guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_fhir import CLINICAL, case_of, content, resources

from kb_tools.determination import Determination, Run
from kb_tools.errors import UnreadableInput
from kb_tools.fhir import FhirReader
from kb_tools.knowledge_base import KnowledgeBase, Policy

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_PSEUDONYM_KEY", "of the tests")


@pytest.fixture(scope="module")
def run(kb: KnowledgeBase, policy: Policy) -> Run:
    return Run(kb, policy, "pyshifty", "2026-02")


@pytest.fixture
def outcome(kb: KnowledgeBase, run: Run, tmp_path: Path) -> Callable[[Edit], tuple[str, tuple[str, ...]]]:
    """What the bundle that meets the criteria comes to after an edit, with the notices of its reading."""

    def determined(edit: Edit) -> tuple[str, tuple[str, ...]]:
        bundle = content()
        edit(bundle)
        case = case_of(kb, bundle, tmp_path)
        (found,) = run.answers([case])
        assert isinstance(found, Determination)
        return found.outcome.value, case.notices

    return determined


Outcome = Callable[[Edit], tuple[str, tuple[str, ...]]]


def added(resource: dict[str, Any]) -> Edit:
    return lambda bundle: bundle["entry"].append({"resource": resource})


def gvhd(**said: Any) -> dict[str, Any]:
    """An observation of acute GvHD, newer than the one in the bundle."""
    code = {"coding": [{"system": CLINICAL, "code": "AcuteGvHDAssessment"}]}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-06-24",
        **said,
    }


def condition(code: str, day: str, clinical: str, **said: Any) -> dict[str, Any]:
    hl7 = "http://terminology.hl7.org/CodeSystem/condition-"
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": hl7 + "clinical", "code": clinical}]},
        "verificationStatus": {"coding": [{"system": hl7 + "ver-status", "code": "confirmed"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]},
        "subject": {"reference": "Patient/p"},
        "recordedDate": day,
        **said,
    }


# ---------------------------------------------------------------------- whose a fact is


def refused(kb: KnowledgeBase, edit: Edit) -> str:
    bundle = content()
    edit(bundle)
    with pytest.raises(UnreadableInput) as error:
        FhirReader(kb).bundle(json.dumps(bundle).encode(), "in.json")
    return str(error.value)


TWO = "in.json: resources of more than one patient; send one bundle a patient"


def test_two_people_who_share_an_identifier_are_two(kb: KnowledgeBase) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        family = {"system": "urn:family", "value": "F-1"}
        resources(bundle)["Patient"]["identifier"] = [family, {"system": "urn:mrn", "value": "1"}]
        added({"resourceType": "Patient", "id": "donor", "identifier": [family, {"system": "urn:mrn", "value": "2"}]})(
            bundle
        )

    assert refused(kb, edit) == TWO


def test_two_people_whose_identifiers_have_no_value_are_two(kb: KnowledgeBase) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        resources(bundle)["Patient"]["identifier"] = [{"use": "usual"}]
        added({"resourceType": "Patient", "id": "donor", "identifier": [{"use": "usual"}]})(bundle)

    assert refused(kb, edit) == TWO


def test_a_patient_of_another_server_is_another_patient(kb: KnowledgeBase) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        for entry in bundle["entry"]:
            kind = entry["resource"]["resourceType"]
            entry["fullUrl"] = f"https://a.example/fhir/{kind}/{entry['resource']['id']}"
        added(gvhd(valueInteger=3, subject={"reference": "https://b.example/fhir/Patient/p"}))(bundle)

    assert refused(kb, edit) == TWO


def test_a_subject_without_a_reference_is_nobody(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        bundle["entry"] = [each for each in bundle["entry"] if each["resource"]["resourceType"] != "Patient"]
        added(gvhd(valueInteger=3, subject={"identifier": {"value": "donor"}}))(bundle)

    assert outcome(edit)[0] == "InformationNeeded"


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
        bundle["entry"] = [each for each in bundle["entry"] if each["resource"]["resourceType"] != "Condition"]
        clinical = "relapse" if not relapsed.endswith("2") else "active"
        added(condition(relapsed, "2026-06-01", clinical))(bundle)

    assert outcome(edit)[0] == "InformationNeeded"


@pytest.mark.parametrize(("code", "clinical"), [("C92.01", "remission"), ("C92.01", "active"), ("C92.00", "resolved")])
def test_a_later_remission_ends_an_earlier_relapse(outcome: Outcome, code: str, clinical: str) -> None:
    assert outcome(added(condition(code, "2026-06-20", clinical)))[0] == "InformationNeeded"
    assert outcome(added(condition(code, "2026-05-20", clinical)))[0] == "CriteriaMet"


# ---------------------------------------------------------------------- what is withheld


def test_a_newer_grade_that_is_not_understood_keeps_an_older_one_from_deciding(outcome: Outcome) -> None:
    notice = (
        "Withheld: acute GvHD assessment, since entry[7] Observation states one that could not be read and may be "
        "newer."
    )
    assert outcome(added(gvhd(valueString="III"))) == ("InformationNeeded", (notice,))


def test_an_older_grade_that_is_not_understood_changes_nothing(outcome: Outcome) -> None:
    assert outcome(added(gvhd(valueString="III", effectiveDateTime="2026-06-02"))) == ("CriteriaMet", ())


def test_a_transplant_without_a_full_date_keeps_the_others_from_deciding(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        transplant = resources(bundle)["Procedure"]
        added({**transplant, "id": "second", "performedDateTime": "2026-06"})(bundle)

    notice = "Withheld: transplant, since entry[7] Procedure states one that could not be read and may be newer."
    assert outcome(edit) == ("InformationNeeded", (notice,))


def test_an_invalid_newest_version_lets_no_older_one_count(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        first = resources(bundle)["Observation"]
        first["meta"] = {"lastUpdated": "2026-06-20T10:00:00Z"}
        newer = {**first, "meta": {"lastUpdated": "2026-06-21T10:00:00Z"}, "valueInteger": 3, "grade": "3"}
        added(newer)(bundle)

    assert outcome(edit)[0] == "InformationNeeded"


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

    notice = (
        "Withheld: acute GvHD assessment, since entry[5] QuestionnaireResponse states one that could not be read and "
        "may be newer."
    )
    assert outcome(edit) == ("InformationNeeded", (notice,))
