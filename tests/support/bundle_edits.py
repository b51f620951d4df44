"""Edits of the bundle that meets the criteria, and the resources that they add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bundles import CLINICAL, resources

from kb_tools.determine.result import Determination

Edit = Callable[[dict[str, Any]], None]
HL7 = "http://terminology.hl7.org/CodeSystem/"
CPT = "http://www.ama-assn.org/go/cpt"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"


def doubts_of(found: Determination) -> list[str]:
    """Why findings only perhaps count, those that their reader marked with their class: "MRD test: entry[7] ..."."""
    facts = dict.fromkeys(fact for result in found.condition_results.values() for fact in result.facts)
    return [
        f"{fact.text.partition(':')[0]}: {doubt.why.removeprefix('stated to be in doubt: ')}"
        for fact in facts
        for doubt in fact.doubts
    ]


def added(resource: dict[str, Any]) -> Edit:
    return lambda bundle: bundle["entry"].append({"resource": resource})


def gvhd(**changes: Any) -> dict[str, Any]:
    """An observation of acute GvHD, newer than the one in the bundle."""
    code = {"coding": [{"system": CLINICAL, "code": "AcuteGvHDAssessment"}]}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-06-24",
        **changes,
    }


def condition(code: str, day: str, clinical: str, **changes: Any) -> dict[str, Any]:
    status = {"clinicalStatus": {"coding": [{"system": f"{HL7}condition-clinical", "code": clinical}]}}
    return {
        "resourceType": "Condition",
        **(status if clinical else {}),
        "verificationStatus": {"coding": [{"system": f"{HL7}condition-ver-status", "code": "confirmed"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]},
        "subject": {"reference": "Patient/p"},
        "recordedDate": day,
        **changes,
    }


def perhaps_transplanted(day: str, place: str = "entry[7] Procedure") -> str:
    reading = f"read as transplant of unstated graft source, of {day} at the latest."
    return f"{place} may be an allogeneic transplant: {reading}"


def own(*codes: str) -> dict[str, Any]:
    return {"coding": [{"system": CLINICAL, "code": code} for code in codes]}


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def procedure(code: str, day: str, system: str = CPT, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": coded(system, code),
        "subject": {"reference": "Patient/p"},
        "performedDateTime": day,
        **changes,
    }


def status(code: str, day: str, focus: str = "Condition/aml", **changes: Any) -> dict[str, Any]:
    """An observation of how a cancer stands, as mCODE has it."""
    value = {"valueCodeableConcept": coded(SNOMED, code)} if code else {}
    loinc = {"code": coded("http://loinc.org", "97509-4"), "focus": [{"reference": focus}]}
    return {**gvhd(effectiveDateTime=day), **loinc, **value, **changes}


def answers(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    subject = {"reference": "Patient/p"}
    found = {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": subject, "item": list(items)}
    return {**found, "authored": "2026-06-25", **changes}


def answer(link: str, **value: Any) -> dict[str, Any]:
    return {"linkId": link, "answer": [value]}


def group(kind: str, day: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"linkId": kind, "item": [answer(f"{kind}/date", valueDate=day), *items]}


def without(*types: str) -> Edit:
    def edit(bundle: dict[str, Any]) -> None:
        bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] not in types]

    return edit


def changed(kind: str, **changes: Any) -> Edit:
    """Changes elements of the first resource of a type."""
    return lambda bundle: resources(bundle)[kind].update(changes)


def both(*edits: Edit) -> Edit:
    def edit(bundle: dict[str, Any]) -> None:
        for edit in edits:
            edit(bundle)

    return edit


ABSENCE = "StatedAbsence/absenceOf"
NO_TRANSPLANT = answers(
    group("StatedAbsence", "2026-06-24", answer(ABSENCE, valueCoding={"system": CLINICAL, "code": "Transplant"}))
)


def at(server: str, *types: str) -> Edit:
    """Gives resources of these types, or all, URLs of a server."""

    def edit(bundle: dict[str, Any]) -> None:
        for entry in bundle["entry"]:
            kind = entry["resource"]["resourceType"]
            if not types or kind in types:
                entry["fullUrl"] = f"https://{server}.example/fhir/{kind}/{entry['resource']['id']}"

    return edit
