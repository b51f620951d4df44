"""Products from FHIR: the site of an order or claim by its code, and all kinds as answers to questions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from rdflib import Literal
from rdflib.namespace import RDF

from kb_tools.cases.case import Case
from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE
from kb_tools.rdf.terms import local_name
from kb_tools.render.questionnaire import questionnaire
from kb_tools.render.questionnaire_package import asked_things, stated_terms

OWN = "https://w3id.org/policykb/PR.8/vocabulary#"
POS = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"


def coded(code: str, system: str = OWN) -> dict[str, Any]:
    return {"system": system, "code": code}


def place(*codes: str) -> dict[str, Any]:
    return {"coding": [coded(code, POS) for code in codes]}


def answer(link: str, **value: Any) -> dict[str, Any]:
    return {"linkId": link, "answer": [value]}


ORDER = {"resourceType": "ServiceRequest", "id": "o", "status": "active", "intent": "order",
         "subject": {"reference": "Patient/p"}, "code": {"coding": [coded("PumpInfusion")]},
         "occurrenceDateTime": "2026-07-01"}  # fmt: skip
CLAIM = {"resourceType": "Claim", "id": "c", "status": "active", "use": "preauthorization",
         "patient": {"reference": "Patient/p"}, "created": "2026-06-25", "type": {"text": "professional"},
         "provider": {"display": "a hospital"}, "priority": {"text": "normal"},
         "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "a plan"}}]}  # fmt: skip
ANSWERS = [
    {"linkId": "Device", "item": [answer("Device/deviceType", valueCoding=coded("PatchPump"))]},
    {"linkId": "Drug", "item": [answer("Drug/substance", valueCoding=coded("Exemplumab")),
                                answer("Drug/dose", valueDecimal=300)]},
    answer("Catheter/catheterLengthAtLeast", valueInteger=25),
]  # fmt: skip


def item(*places: dict[str, Any], day: str = "2026-07-01") -> dict[str, Any]:
    asked = {"sequence": 1, "productOrService": {"coding": [coded("PumpInfusion")]}, "servicedDate": day}
    return {**asked, **({"locationCodeableConcept": places[0]} if places else {})}


def case_of(kb: Repository, request: dict[str, Any], answers: list[dict[str, Any]]) -> Case:
    form = {"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed",
            "subject": {"reference": "Patient/p"}, "authored": "2026-06-24", "item": answers}  # fmt: skip
    resources = [{"resourceType": "Patient", "id": "p"}, request, *([form] if answers else [])]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    (case,) = CaseReader(kb).stream("b.json", None, BytesIO(json.dumps(bundle).encode()), "json")
    assert isinstance(case, Case), case
    return case


def products(case: Case) -> dict[str, dict[str, str]]:
    request = case.value(case.node, CASE.request)
    return {
        local_name(case.value(product, RDF.type)): {
            local_name(link): str(value) if isinstance(value, Literal) else local_name(value)
            for link, value in case.about[product]  # type: ignore[index]
            if link != RDF.type
        }
        for product in case.values(request, CASE.product)
    }


def _every(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in items:
        yield one
        yield from _every(one.get("item", []))


SITES: list[tuple[dict[str, Any], str | None]] = [
    ({**ORDER, "locationCode": [place("12")]}, "Home"),
    ({**ORDER, "locationCode": [place("22")]}, "OnCampusOutpatientHospital"),
    ({**ORDER, "locationCode": [place("81")]}, "OtherSite"),
    # Not known, or left open by its code: nothing is stated, also beside one that is known.
    ({**ORDER, "locationCode": [place("26")]}, None),
    ({**ORDER, "locationCode": [place("12"), place("26")]}, None),
    ({**ORDER, "locationCode": [place("12"), place("24")]}, None),
    (ORDER, None),
    ({**CLAIM, "item": [item(place("24"))]}, "AmbulatorySurgicalCenter"),
    ({**CLAIM, "item": [item(place("24")), item(place("24"))]}, "AmbulatorySurgicalCenter"),
    ({**CLAIM, "item": [item(place("24")), item(place("21"))]}, None),
    ({**CLAIM, "item": [item(place("21")), item()]}, "InpatientHospital"),
]


@pytest.mark.parametrize(("request_", "site"), SITES)
def test_the_site_is_that_which_all_places_named_are(
    with_pr8: Repository, request_: dict[str, Any], site: str | None
) -> None:
    assert products(case_of(with_pr8, request_, [])) == ({"SiteOfService": {"site": site}} if site else {})


def test_all_kinds_are_read_of_answers_and_what_they_settle_is_asked_for(with_pr8: Repository) -> None:
    run = Run(with_pr8, with_pr8.policy("PR.8"), "pyshifty", "2024-01")
    forms = CaseForms(with_pr8)
    bare, full = case_of(with_pr8, ORDER, []), case_of(with_pr8, {**ORDER, "locationCode": [place("12")]}, ANSWERS)
    assert products(full) == {
        "Device": {"deviceType": "PatchPump"},
        "Drug": {"substance": "Exemplumab", "dose": "300"},
        "Catheter": {"catheterLengthAtLeast": "25"},
        "SiteOfService": {"site": "Home"},
    }
    needed, met = (found for found in run.answers([bare, full]) if isinstance(found, Determination))
    assert (needed.outcome.value, met.outcome.value) == ("InformationNeeded", "CriteriaMet")
    form = questionnaire(forms, needed)
    assert form is not None
    asked = asked_things(forms, form)
    assert {"Device", "Drug", "Catheter", "SiteOfService"} == {link for link in asked if "/" not in link}
    assert {"Device/deviceType", "Drug/dose", "Drug/doseAtMost", "Catheter/catheterLength"} <= asked
    texts = {one["linkId"]: one["text"] for one in _every(form["item"])}
    assert [texts[link] for link in ("Drug/dose", "Catheter/catheterLength", "Device/deviceType")] == [
        "dose, in mg",
        "catheter length, in cm",
        "device type",
    ]
    terms = {link: [local_name(iri) for iri in iris] for link, iris in stated_terms(forms, met).items()}
    assert {link: terms.get(link) for link in ("Device/deviceType", "SiteOfService/site")} == {
        "Device/deviceType": ["PatchPump"],
        "SiteOfService/site": ["Home"],
    }
