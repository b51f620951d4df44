"""FHIR R4 in: whose a fact is, and when resources of several patients are of one person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bundle_edits import Edit, added, at, gvhd
from bundles import content, resources
from fhir_fixtures import Outcome

from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository

pytestmark = pytest.mark.usefixtures("pseudonym_key")
NUMBERS = [{"system": "urn:mrn", "value": "1"}, {"system": "urn:mrn", "value": "2"}]


def refused(kb: Repository, edit: Edit) -> str:
    bundle = content()
    edit(bundle)
    with pytest.raises(UnreadableInput) as error:
        FhirReader(kb).bundle(json.dumps(bundle).encode(), "in.json")
    return str(error.value)


TWO = "in.json: resources of more than one patient; send one bundle a patient"


def of_the_donor(bundle: dict[str, Any]) -> None:
    """The relapse is said to be of Patient/donor."""
    resources(bundle)["Condition"]["subject"] = {"reference": "Patient/donor"}


def test_two_people_who_share_an_identifier_are_two(kb: Repository) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        of_the_donor(bundle)
        family = {"system": "urn:family", "value": "F-1"}
        resources(bundle)["Patient"]["identifier"] = [family, {"system": "urn:mrn", "value": "1"}]
        added({"resourceType": "Patient", "id": "donor", "identifier": [family, {"system": "urn:mrn", "value": "2"}]})(
            bundle
        )

    assert refused(kb, edit) == TWO


def test_two_people_whose_identifiers_have_no_value_are_two(kb: Repository) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        of_the_donor(bundle)
        resources(bundle)["Patient"]["identifier"] = [{"use": "usual"}]
        added({"resourceType": "Patient", "id": "donor", "identifier": [{"use": "usual"}]})(bundle)

    assert refused(kb, edit) == TWO


def test_a_patient_of_another_server_is_another_patient(kb: Repository) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        for entry in bundle["entry"]:
            kind = entry["resource"]["resourceType"]
            entry["fullUrl"] = f"https://a.example/fhir/{kind}/{entry['resource']['id']}"
        added(gvhd(valueInteger=3, subject={"reference": "https://b.example/fhir/Patient/p"}))(bundle)

    assert refused(kb, edit) == TWO


def test_a_subject_without_a_reference_is_nobody(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != "Patient"]
        added(gvhd(valueInteger=3, subject={"identifier": {"value": "donor"}}))(bundle)

    assert outcome(edit)[0] == "InformationNeeded"


JANE = {"name": [{"family": "Roe", "given": ["Jane"]}], "birthDate": "1970-01-01"}
MEMBER = {"identifier": [{"system": "urn:plan", "value": "M-1"}]}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({**MEMBER, **JANE}, {**MEMBER, **JANE}, True),
        (JANE, JANE, True),
        # Relatives share the number of the member.
        (MEMBER, MEMBER, False),
        ({**MEMBER, **JANE}, {**MEMBER, **JANE, "birthDate": "1995-01-01"}, False),
        ({**MEMBER, **JANE}, JANE, False),
    ],
)
def test_two_patient_resources_are_of_one_person_if_all_that_names_one_is_the_same(
    kb: Repository, outcome: Outcome, first: dict[str, Any], second: dict[str, Any], same: bool
) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        of_the_donor(bundle)
        patient = resources(bundle)["Patient"]
        patient.pop("identifier", None)
        patient.update(first)
        added({"resourceType": "Patient", "id": "donor", **second})(bundle)

    if same:
        assert outcome(edit)[0] == "CriteriaMet"
    else:
        assert refused(kb, edit) == TWO


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({}, {}, True),
        (JANE, JANE, True),
        (JANE, {**MEMBER, **JANE, "name": [{"family": "Poe"}]}, True),
        ({**MEMBER, **JANE}, {**MEMBER, "birthDate": "1970-01-02"}, True),
        ({**JANE, "identifier": NUMBERS}, {**JANE, "identifier": NUMBERS[:1]}, True),
        (
            {"identifier": NUMBERS, "birthDate": "1970-01-01"},
            {"identifier": NUMBERS[:1], "birthDate": "1995-01-01"},
            False,
        ),
        ({"identifier": NUMBERS[:1]}, {"identifier": NUMBERS[1:]}, False),
        ({"birthDate": "1970-01-01"}, {"birthDate": "1995-01-01"}, False),
        ({"name": [{"family": "Roe"}]}, {"name": [{"family": "Poe"}]}, False),
        (JANE, {**JANE, "birthDate": "1995-01-01", "gender": 1}, False),
    ],
)
def test_patients_of_one_id_are_one_person_unless_they_contradict_each_other(
    kb: Repository, outcome: Outcome, first: dict[str, Any], second: dict[str, Any], same: bool
) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        patient = resources(bundle)["Patient"]
        patient.pop("identifier", None)
        other = {"resourceType": "Patient", "id": patient["id"], **second}
        patient.update(first)
        added(other)(bundle)

    if same:
        assert outcome(edit)[0] == "CriteriaMet"
    else:
        assert refused(kb, edit) == TWO


def test_the_id_of_a_contained_patient_names_nobody_outside(kb: Repository, outcome: Outcome) -> None:
    def contained(name: str) -> Edit:
        def edit(bundle: dict[str, Any]) -> None:
            bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != "Patient"]
            for resource in (entry["resource"] for entry in bundle["entry"]):
                of = next(key for key in ("patient", "beneficiary", "subject") if key in resource)
                given = name if resource["resourceType"] == "Condition" else "Jane"
                person = {**JANE, "name": [{"family": "Roe", "given": [given]}]}
                resource["contained"] = [{"resourceType": "Patient", "id": "pat", **person}]
                resource[of] = {"reference": "#pat"}

        return edit

    assert outcome(contained("Jane"))[0] == "CriteriaMet"
    assert refused(kb, contained("Joan")) == TWO


def test_a_reference_without_a_server_is_to_the_server_of_its_resource(kb: Repository, outcome: Outcome) -> None:
    def elsewhere(bundle: dict[str, Any]) -> None:
        at("a")(bundle)
        at("b", "Condition")(bundle)

    assert outcome(at("a"))[0] == "CriteriaMet"
    assert refused(kb, elsewhere) == TWO


@pytest.mark.parametrize("patient", [True, False], ids=["with the patient", "without"])
def test_one_id_on_two_servers_is_two_patients(kb: Repository, patient: bool) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        if not patient:
            bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != "Patient"]
        for server, kind in (("a", "Claim"), ("b", "Condition")):
            resource = resources(bundle)[kind]
            resource["patient" if kind == "Claim" else "subject"] = {"reference": f"https://{server}.example/Patient/p"}

    assert refused(kb, edit) == TWO


@pytest.mark.parametrize("subject", ["Group/g", "Device/d", "https://a.example/Location/l"])
def test_what_is_of_no_patient_is_no_doubt_of_this(outcome: Outcome, subject: str) -> None:
    assert outcome(added(gvhd(valueInteger=3, subject={"reference": subject}))) == ("CriteriaMet", ())


def test_a_long_reference_is_read_at_once(outcome: Outcome) -> None:
    # As a pattern that backtracks, this would take minutes.
    assert outcome(added(gvhd(valueInteger=3, subject={"reference": "a" * 1_000_000})))[0] == "InformationNeeded"
