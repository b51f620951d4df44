"""Calls of CDS Hooks, made from bundles as an EHR makes them: an order in the context, the chart as prefetch."""

from __future__ import annotations

import json
from typing import Any

from bundles import resources

Json = dict[str, Any]
INSTANCE = "6f1c0a9e-52b1-4a3e-9d1f-0b7a4c2e8d11"
# The types of the chart, by the key under which the services ask for them.
KEYS = {
    "conditions": "Condition",
    "procedures": "Procedure",
    "observations": "Observation",
    "medicationAdministrations": "MedicationAdministration",
    "diagnosticReports": "DiagnosticReport",
    "questionnaireResponses": "QuestionnaireResponse",
}


def found(*resources_: Json) -> Json:
    """What a search finds."""
    entries = [{"resource": resource} for resource in resources_]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def order_of(bundle: Json, **changes: Any) -> Json:
    """The claim of a bundle as the draft order that goes before it."""
    claim = resources(bundle)["Claim"]
    item = claim["item"][0]
    reasons = [diagnosis["diagnosisCodeableConcept"] for diagnosis in claim.get("diagnosis", ())]
    order = {
        "resourceType": "ServiceRequest",
        "id": "order",
        "status": "draft",
        "intent": "original-order",
        "subject": claim["patient"],
        "code": item["productOrService"],
        "occurrenceDateTime": item["servicedDate"],
        **({"reasonCode": reasons} if reasons else {}),
        **changes,
    }
    return {key: value for key, value in order.items() if value is not None}


def chart_of(bundle: Json) -> Json:
    """The prefetch that holds the rest of a bundle; null where it has nothing of a type."""
    held = [entry["resource"] for entry in bundle["entry"]]
    chart: Json = {"patient": resources(bundle)["Patient"]}
    for key, type_ in {"coverage": "Coverage", **KEYS}.items():
        of_type = [resource for resource in held if resource["resourceType"] == type_]
        chart[key] = found(*of_type) if of_type else None
    return chart


def drafts(*orders: Json) -> Json:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order} for order in orders]}


def call_of(bundle: Json, hook: str = "order-sign", version: str = "", **changes: Any) -> Json:
    """A call of a hook about the order of a bundle.

    Args:
        version: of CRD, "" for none that is requested.
        changes: of the order.
    """
    order, chart = order_of(bundle, **changes), chart_of(bundle)
    patient = chart["patient"]["id"]
    if hook == "order-dispatch":
        context = {"patientId": patient, "dispatchedOrders": ["ServiceRequest/order"], "performer": "Organization/o"}
        chart["serviceRequests"] = found(order)
    else:
        context = {"userId": "Practitioner/who", "patientId": patient, "draftOrders": drafts(order)}
        context |= {"selections": ["ServiceRequest/order"]} if hook == "order-select" else {}
    requested = {"extension": {"davinci-crd.requestedVersion": version}} if version else {}
    return {"hook": hook, "hookInstance": INSTANCE, "context": context, "prefetch": chart, **requested}


def data(call: Any) -> bytes:
    return json.dumps(call).encode()
