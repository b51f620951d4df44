"""A case written as a FHIR bundle: by public codes where there are such, else by codes of our own vocabularies."""

from __future__ import annotations

from typing import Any

from rdflib import Literal
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.case import Case
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name

CODE = "https://w3id.org/policykb/code/"
SYSTEMS = {"cpt": "http://www.ama-assn.org/go/cpt", "hcpcs": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"}
TRANSPLANTS = {"Allogeneic": "38240", "Autologous": "38241"}
PATIENT = {"reference": "Patient/p"}


def coding(system: str, code: str) -> dict[str, str]:
    return {"system": system, "code": code}


def own(term: Node) -> dict[str, str]:
    """A term of our vocabularies as a coding."""
    return coding(str(term).removesuffix(local_name(term)), local_name(term))


def fhir_of(case: Case) -> dict[str, Any]:
    """The bundle that says what the case says."""
    request, coverage = case.value(case.node, CASE.request), case.value(case.node, CASE.coverage)
    asked: list[dict[str, Any]] = []
    entries = [
        {"resourceType": "Patient", "id": "p"},
        _claim(case, request),
        *_plans(case.value(coverage, CASE.lineOfBusiness)),
    ]
    for part, node in (("Request", request), ("Product", case.value(request, CASE.product))):
        for predicate, value in case.about.get(node, ()) if node else ():  # type: ignore[call-overload]
            if predicate not in (
                RDF.type,
                CASE.service,
                CASE.procedureCode,
                CASE.serviceDate,
                CASE.reason,
                CASE.product,
            ):
                asked.append(_answer(f"{part}/{local_name(predicate)}", value))
    for finding in case.values(case.node, CASE.finding):
        facts = dict(case.about[finding])  # type: ignore[index]
        if case.value(finding, CASE.basis) == CASE.Attestation:
            asked.append(_group(facts))
        else:
            entries.append(_chart(facts))
    if asked:
        entries.append(
            {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": PATIENT, "item": asked}
        )
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": entry} for entry in entries]}


def _claim(case: Case, request: Node | None) -> dict[str, Any]:
    service, reason = case.value(request, CASE.service), case.value(request, CASE.reason)
    codes = [str(code).removeprefix(CODE).split("/") for code in case.values(request, CASE.procedureCode)]
    codings = [coding(SYSTEMS[system], code) for system, code in sorted(codes)] + ([own(service)] if service else [])
    item = {"sequence": 1, "servicedDate": str(case.value(request, CASE.serviceDate))}
    item["productOrService"] = {"coding": codings} if codings else {"text": "not coded"}
    return {
        "resourceType": "Claim",
        "status": "active",
        "use": "preauthorization",
        "type": {"text": "professional"},
        "patient": PATIENT,
        "created": "2026-06-30",
        "provider": {"display": "provider"},
        "priority": {"text": "normal"},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/c"}}],
        "item": [item],
        **({"diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": {"coding": [own(reason)]}}]} if reason else {}),
    }


def _plans(line: Node | None) -> list[dict[str, Any]]:
    plan = {
        "resourceType": "Coverage",
        "id": "c",
        "status": "active",
        "beneficiary": PATIENT,
        "payor": [{"display": "p"}],
    }
    return [plan | ({"type": {"coding": [own(line)]}} if line else {})]


def _answer(link: str, value: Node) -> dict[str, Any]:
    return {"linkId": link, "answer": [_value(value)]}


def _value(value: Node) -> dict[str, Any]:
    if not isinstance(value, Literal):
        return {"valueCoding": own(value)}
    if value.datatype == XSD.date:
        return {"valueDate": str(value)}
    if value.datatype == XSD.boolean:
        return {"valueBoolean": str(value) == "true"}
    if value.datatype in (None, XSD.string):
        return {"valueString": str(value)}
    return {"valueDecimal": float(value)} if "." in value else {"valueInteger": int(value)}


def _group(facts: dict[Any, Node]) -> dict[str, Any]:
    kind = local_name(facts[RDF.type])
    stated = [_answer(f"{kind}/{local_name(p)}", o) for p, o in facts.items() if p not in (RDF.type, CASE.basis)]
    return {"linkId": kind, "item": stated}


def _chart(facts: dict[Any, Node]) -> dict[str, Any]:
    """A finding as the chart says it; what neither a procedure nor an observation says in R4 is answered."""
    kind, day = facts[RDF.type], str(facts[CASE.date])
    values = {p: o for p, o in facts.items() if p not in (RDF.type, CASE.date, CASE.basis)}
    source = local_name(values.get(CLIN.graftSource))
    if kind == CLIN.Transplant and source in TRANSPLANTS:
        code = {"coding": [coding(SYSTEMS["cpt"], TRANSPLANTS[source])]}
        return {"resourceType": "Procedure", "status": "completed", "subject": PATIENT, "code": code} | {
            "performedDateTime": day
        }
    numbers = [p for p, o in values.items() if isinstance(o, Literal)]
    in_doubt = CASE.inDoubt in values
    observable = kind in (CLIN.ChimerismTest, CLIN.AcuteGvHDAssessment) and len(numbers) == 1 and not in_doubt
    if not observable:
        return {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "subject": PATIENT,
            "item": [_group(facts)],
        }
    name, number = local_name(numbers[0]), values.pop(numbers[0])
    assert isinstance(number, Literal)
    ends = {"AtLeast": ">=", "AtMost": "<=", "Below": "<"}
    comparator = next((sign for end, sign in ends.items() if name.endswith(end)), "")
    quantity: dict[str, Any] = {
        "value": float(number) if "." in number else int(number),
        "system": "http://unitsofmeasure.org",
        "code": "%" if kind == CLIN.ChimerismTest else "1",
    }
    return {
        "resourceType": "Observation",
        "status": "final",
        "subject": PATIENT,
        "effectiveDateTime": day,
        "code": {"coding": [own(kind), *map(own, values.values())]},
        "valueQuantity": quantity | ({"comparator": comparator} if comparator else {}),
    }
