"""FHIR R4 in: of several versions of a resource the latest is read, and a reference to a version is to the resource."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bundle_edits import added, at, both, gvhd
from bundles import content, resources
from fhir_fixtures import Outcome

from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE

pytestmark = pytest.mark.usefixtures("pseudonym_key")
NUMBERS = [{"system": "urn:mrn", "value": "1"}, {"system": "urn:mrn", "value": "2"}]


def test_the_order_of_the_versions_of_a_patient_does_not_change_the_pseudonym(kb: Repository) -> None:
    def pseudonym(turned: bool) -> str:
        bundle = content()
        patient = resources(bundle)["Patient"]
        patient["identifier"] = NUMBERS
        other = {"resourceType": "Patient", "id": patient["id"], "identifier": NUMBERS[:1]}
        bundle["entry"].insert(0 if turned else len(bundle["entry"]), {"resource": other})
        imported = FhirReader(kb).bundle(json.dumps(bundle).encode(), "in.json")
        return next(str(o) for _, p, o in imported.triples if p == CASE.patient)

    assert pseudonym(True) == pseudonym(False)


def test_a_reference_to_a_version_is_to_the_resource(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        at("a")(bundle)
        for kind, of in (("Condition", "subject"), ("Coverage", "beneficiary")):
            resources(bundle)[kind][of] = {"reference": "https://a.example/fhir/Patient/p/_history/1"}
        resources(bundle)["Claim"]["insurance"][0]["coverage"] = {"reference": "Coverage/c/_history/2"}

    assert outcome(edit) == ("CriteriaMet", ())


def test_an_older_version_that_is_not_valid_leaves_no_doubt(outcome: Outcome) -> None:
    newest = {"lastUpdated": "2026-06-21T10:00:00Z"}
    older = {"id": "gvhd", "effectiveDateTime": "2026-06-20", "meta": {"lastUpdated": "2026-06-20T10:00:00Z"}}
    edit = both(
        lambda bundle: resources(bundle)["Observation"].update(meta=newest),
        added(gvhd(valueInteger=3, grade="3", **older)),
    )
    assert outcome(edit) == ("CriteriaMet", ())


def test_an_invalid_newest_version_lets_no_older_one_count(outcome: Outcome) -> None:
    def edit(bundle: dict[str, Any]) -> None:
        first = resources(bundle)["Observation"]
        first["meta"] = {"lastUpdated": "2026-06-20T10:00:00Z"}
        newer = {**first, "meta": {"lastUpdated": "2026-06-21T10:00:00Z"}, "valueInteger": 3, "grade": "3"}
        added(newer)(bundle)

    assert outcome(edit)[0] == "InformationNeeded"
