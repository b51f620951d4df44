"""A form that fills itself from a chart says no more than the reader of FHIR reads of the same chart."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from bundles import DATA, content
from dtr_client import evaluated, filled, searched
from fhir_of import PATIENT, coding, own

from kb_tools.cases.case import Case
from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name
from kb_tools.render.population import Population
from kb_tools.render.questionnaire import coding as term

Json = dict[str, Any]
DAY = "2026-07-01"
CPT, ICD, SNOMED, UCUM = (
    "http://www.ama-assn.org/go/cpt",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://snomed.info/sct",
    "http://unitsofmeasure.org",
)
REQUESTS, CHART = ("Claim", "ServiceRequest"), ("Condition", "Procedure", "Observation")
FILLED = [
    *("Transplant", "EarlierInfusion", "DiseaseStatusAssessment", "MRDTest", "RelapseRiskAssessment"),
    *("ChimerismTest", "AcuteGvHDAssessment", "ChronicGvHDAssessment"),
]


@pytest.fixture(scope="module")
def reader(kb: Repository) -> CaseReader:
    return CaseReader(kb)


@pytest.fixture(scope="module")
def form(kb: Repository, reader: CaseReader) -> Json:
    """A form with a group for every class of findings."""
    forms, population = CaseForms(kb), Population(reader.terminology)
    types = {"choice": "choice", "date": "date", "integer": "integer", "decimal": "decimal"}
    groups = []
    for one in forms.forms.values():
        items = []
        for key in one.keys.values():
            link = f"{one.name}/{local_name(key.path)}"
            type_ = "choice" if key.terms else types.get(str(key.datatype).rpartition("#")[2], "string")
            options = [{"valueCoding": term(forms, iri)} for iri in key.terms.values()]
            extension = population.of_item(one, key, link)
            items.append(
                {
                    "linkId": link,
                    "type": type_,
                    **({"answerOption": options} if options else {}),
                    **({"extension": extension} if extension else {}),
                }
            )
        context = population.of_group(one)
        if context:
            groups.append({"linkId": one.name, "type": "group", "repeats": True, "extension": context, "item": items})
    return {"resourceType": "Questionnaire", "status": "active", "item": groups}


def id_(resource: Json) -> str:
    return json.dumps(resource)


def order() -> Json:
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": PATIENT,
        "occurrenceDateTime": DAY,
        "code": {"coding": [coding(CPT, "38242")]},
        "reasonCode": [{"coding": [coding(ICD, "C92.00")]}],
    }


def read(reader: CaseReader, resources: list[Json], of: Json | None = None) -> Case:
    """The case of resources; with the URLs that they have in a bundle, if one is given."""
    entries = (of or {}).get("entry", [])
    urls = {id_(entry["resource"]): entry["fullUrl"] for entry in entries if "fullUrl" in entry}
    named = [{"resource": one, **({"fullUrl": urls[id_(one)]} if id_(one) in urls else {})} for one in resources]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": named}
    (case,) = reader.stream("case", None, io.BytesIO(json.dumps(bundle).encode()), "json")
    assert isinstance(case, Case), case
    return case


def findings(case: Case) -> set[frozenset[tuple[str, str]]]:
    """What the findings of a case state, apart from whether they are in doubt."""
    return {
        frozenset((local_name(p), str(o)) for p, o in case.about[finding] if p != CASE.inDoubt)  # type: ignore[index]
        for finding in case.values(case.node, CASE.finding)
    }


def by_form(
    reader: CaseReader, form: Json, chart: list[Json], subject: Json = PATIENT
) -> set[frozenset[tuple[str, str]]]:
    """What is read of the form that a chart fills."""
    answered = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "subject": PATIENT,
        "authored": "2026-06-30",
        "item": filled(form, chart),
    }
    return findings(read(reader, [order(), {"resourceType": "Patient", "id": "p"}, answered]))


def test_every_class_of_findings_that_a_chart_can_state_is_filled(form: Json) -> None:
    assert sorted(group["linkId"] for group in form["item"]) == sorted(FILLED)
    for group in form["item"]:
        filled_ = [item["linkId"].partition("/")[2] for item in group["item"] if "extension" in item]
        assert "date" in filled_
        assert len(filled_) > 1 or group["linkId"] == "EarlierInfusion"


def procedure(coded: Json, /, **changes: Any) -> Json:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": PATIENT,
        "code": {"coding": [coded]},
        "performedDateTime": "2025-01-15",
        **changes,
    }


def condition(code: Json, **changes: Any) -> Json:
    return {
        "resourceType": "Condition",
        "subject": PATIENT,
        "code": {"coding": [code]},
        "recordedDate": "2026-06-01",
    } | changes


def observation(kind: str, **changes: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "subject": PATIENT,
        "code": {"coding": [own(CLIN[kind])]},
        "effectiveDateTime": "2026-06-02",
        **changes,
    }


def clinical(code: str) -> Json:
    return {"coding": [coding("http://terminology.hl7.org/CodeSystem/condition-clinical", code)]}


def verification(code: str) -> Json:
    return {"coding": [coding("http://terminology.hl7.org/CodeSystem/condition-ver-status", code)]}


def quantity(value: float, unit: str, **more: str) -> Json:
    return {"value": value, "system": UCUM, "code": unit, **more}


# Resources that the form takes, and what it then says of them.
TAKEN: dict[str, tuple[Json, dict[str, str]]] = {
    "an allogeneic transplant": (procedure(coding(CPT, "38240")), {"graftSource": "Allogeneic", "date": "2025-01-15"}),
    "one with a time": (
        procedure(coding(CPT, "38241"), performedDateTime="2025-01-15T23:30:00-05:00"),
        {"graftSource": "Autologous", "date": "2025-01-15"},
    ),
    "one over days": (
        {
            **{
                k: v
                for k, v in procedure(
                    coding("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "S2150")
                ).items()
                if k != "performedDateTime"
            },
            "performedPeriod": {"start": "2025-01-15", "end": "2025-01-17"},
        },
        {"date": "2025-01-17"},
    ),
    "an infusion": (procedure(coding(CPT, "38242")), {"date": "2025-01-15"}),
    "a relapse by its code": (
        condition(coding(ICD, "C92.02"), clinicalStatus=clinical("active")),
        {"disease": "AcuteMyeloidLeukemia", "diseaseStatus": "Relapsed", "date": "2026-06-01"},
    ),
    "a remission by its code": (
        condition(coding(ICD, "C92.01")),
        {"disease": "AcuteMyeloidLeukemia", "diseaseStatus": "InRemission", "date": "2026-06-01"},
    ),
    "a test of residual disease": (
        observation(
            "MRDTest",
            method={"coding": [own(CLIN.FlowCytometry)]},
            valueCodeableConcept={"coding": [coding(SNOMED, "260373001")]},
        ),
        {"method": "FlowCytometry", "mrdResult": "MRDDetected", "date": "2026-06-02"},
    ),
    "one without a method": (
        observation("MRDTest", valueCodeableConcept={"coding": [coding(SNOMED, "260415000")]}),
        {"mrdResult": "MRDNotDetected", "date": "2026-06-02"},
    ),
    "a risk": (
        observation("RelapseRiskAssessment", valueCodeableConcept={"coding": [own(CLIN.RaisedRelapseRisk)]}),
        {"relapseRisk": "RaisedRelapseRisk", "date": "2026-06-02"},
    ),
    "donor cells": (
        observation("ChimerismTest", bodySite={"coding": [own(CLIN.TCells)]}, valueQuantity=quantity(89.5, "%")),
        {"lineage": "TCells", "donorPercent": "89.5", "date": "2026-06-02"},
    ),
    "at least so many": (
        observation("ChimerismTest", valueQuantity=quantity(95, "%", comparator=">=")),
        {"donorPercentAtLeast": "95", "date": "2026-06-02"},
    ),
    "a grade": (observation("AcuteGvHDAssessment", valueInteger=2), {"grade": "2", "date": "2026-06-02"}),
    "a grade as a quantity": (
        observation("AcuteGvHDAssessment", valueQuantity=quantity(1, "1")),
        {"grade": "1", "date": "2026-06-02"},
    ),
    "a grade at most": (
        observation("AcuteGvHDAssessment", valueQuantity={"value": 1, "comparator": "<="}),
        {"gradeAtMost": "1", "date": "2026-06-02"},
    ),
    "chronic GvHD": (
        observation("ChronicGvHDAssessment", valueCodeableConcept={"coding": [own(CLIN.NoChronicGvHD)]}),
        {"chronicSeverity": "NoChronicGvHD", "date": "2026-06-02"},
    ),
}


@pytest.mark.parametrize(("resource", "said"), TAKEN.values(), ids=TAKEN)
def test_what_the_chart_states_is_filled_in_and_read_as_the_same_finding(
    reader: CaseReader, form: Json, resource: Json, said: dict[str, str]
) -> None:
    (group,) = filled(form, [resource])
    answers = {
        item["linkId"].partition("/")[2]: next(v for k, v in item["answer"][0].items() if k != "extension")
        for item in group["item"]
    }
    told = {name: value["code"] if isinstance(value, dict) else str(value) for name, value in answers.items()}
    assert told == said
    patient = {"resourceType": "Patient", "id": "p"}
    assert by_form(reader, form, [resource]) == findings(read(reader, [order(), patient, resource])) != set()


# Resources of which nothing is filled in.
LEFT: dict[str, list[Json]] = {
    "not done": [procedure(coding(CPT, "38240"), status="not-done")],
    "a year": [procedure(coding(CPT, "38240"), performedDateTime="2025")],
    "two sources": [
        procedure(coding(CPT, "38240"), code={"coding": [coding(CPT, "38240"), coding(CPT, "38241")]}),
    ],
    "a transplant and an infusion": [
        procedure(coding(CPT, "38240"), code={"coding": [coding(CPT, "38240"), coding(CPT, "38242")]}),
    ],
    "an unknown code": [procedure(coding("https://ehr.example/codes", "38240"))],
    "one that is still going on beside one that is done": [
        procedure(coding(CPT, "38240")),
        procedure(coding(CPT, "38240"), status="in-progress"),
    ],
    "a relapse that is gone": [condition(coding(ICD, "C92.02"), clinicalStatus=clinical("remission"))],
    "a relapse that ended": [condition(coding(ICD, "C92.02"), abatementDateTime="2026-06-20")],
    "a refuted relapse": [
        condition(
            coding(ICD, "C92.02"),
            verificationStatus={
                "coding": [coding("http://terminology.hl7.org/CodeSystem/condition-ver-status", "refuted")]
            },
        )
    ],
    "a disease without a status": [condition(coding(ICD, "C92.00"))],
    "a relapse without a record": [{k: v for k, v in condition(coding(ICD, "C92.02")).items() if k != "recordedDate"}],
    "a preliminary grade": [observation("AcuteGvHDAssessment", valueInteger=2, status="preliminary")],
    "a grade beside a preliminary one": [
        observation("AcuteGvHDAssessment", valueInteger=1),
        observation("AcuteGvHDAssessment", valueInteger=3, status="preliminary", effectiveDateTime="2026-06-09"),
    ],
    "a grade beside one that is not understood": [
        observation("AcuteGvHDAssessment", valueInteger=1),
        observation("AcuteGvHDAssessment", valueString="severe", effectiveDateTime="2026-06-09"),
    ],
    "a grade beside a panel": [
        observation("AcuteGvHDAssessment", valueInteger=1),
        {
            **observation("AcuteGvHDAssessment", effectiveDateTime="2026-06-09"),
            "code": {"text": "panel"},
            "component": [{"code": {"coding": [own(CLIN.AcuteGvHDAssessment)]}, "valueInteger": 3}],
        },
    ],
    "a grade beside a condition": [
        observation("AcuteGvHDAssessment", valueInteger=0),
        condition(coding(ICD, "D89.810")),
    ],
    "a relapse beside a provisional remission": [
        condition(coding(ICD, "C92.02")),
        condition(coding(ICD, "C92.01"), recordedDate="2026-06-20", verificationStatus=verification("provisional")),
    ],
    "a relapse beside a remission by clinical status": [
        condition(coding(ICD, "C92.02")),
        condition(coding(ICD, "C92.00"), recordedDate="2026-06-20", clinicalStatus=clinical("remission")),
    ],
    "a relapse beside an assessment": [
        condition(coding(ICD, "C92.02")),
        observation("DiseaseStatusAssessment", valueCodeableConcept={"coding": [own(CLIN.CompleteRemission)]}),
    ],
    "half a grade": [observation("AcuteGvHDAssessment", valueQuantity=quantity(1.5, "1"))],
    "a grade in another unit": [observation("AcuteGvHDAssessment", valueQuantity=quantity(1, "%"))],
    "no value": [observation("AcuteGvHDAssessment", dataAbsentReason={"text": "x"})],
    "of somebody else": [
        observation("AcuteGvHDAssessment", valueInteger=1, focus=[{"reference": "RelatedPerson/donor"}])
    ],
    "an unknown lineage": [
        observation("ChimerismTest", bodySite={"text": "x"}, valueQuantity=quantity(89.5, "%")),
    ],
    "an unknown result": [observation("MRDTest", valueCodeableConcept={"coding": [coding(SNOMED, "1")]})],
    "interpreted": [
        observation("AcuteGvHDAssessment", valueInteger=1, interpretation=[{"text": "severe"}]),
    ],
}


@pytest.mark.parametrize("chart", LEFT.values(), ids=LEFT)
def test_what_is_not_sure_is_left_to_a_person(form: Json, chart: list[Json]) -> None:
    assert filled(form, chart) == []


# Bundles with several versions of one resource, of which a server would find one.
VERSIONS = {
    "a-corrected-result-replaces-the-first",
    "versions-are-ordered-by-time-and-not-by-text",
    "versions-in-no-order-are-not-understood",
}


BUNDLES = sorted({path.stem for path in DATA.glob("*.json")} - {"manifest", *VERSIONS})


# Each takes some tenths of a second: make test tries every third.
@pytest.mark.parametrize(
    "name",
    [name if place % 3 == 0 else pytest.param(name, marks=pytest.mark.extended) for place, name in enumerate(BUNDLES)],
)
def test_a_form_says_nothing_that_is_not_read_of_the_chart_itself(reader: CaseReader, form: Json, name: str) -> None:
    held = [entry["resource"] for entry in content(name)["entry"] if "resource" in entry]
    subject = next(one.get("patient") or one["subject"] for one in held if one["resourceType"] in REQUESTS)
    chart = [one for one in held if one.get("resourceType") in CHART and one.get("subject") == subject]
    own_ = [one for one in held if one.get("resourceType") != "QuestionnaireResponse"]
    assert by_form(reader, form, chart) <= findings(read(reader, own_, content(name)))


def test_the_searches_are_of_the_patient(form: Json) -> None:
    assert evaluated("%conditions.entry.count()", searched([condition(coding(ICD, "C92.02"))])) == [1]
