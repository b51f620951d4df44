"""Requests of Da Vinci PAS, in the structure of the public test kits' examples, and what responses to them say.

The structure: a collection with identifier and timestamp, the Claim first with its identifiers and trace numbers, the
provider's and the insurer's Organization, Coverage and Patient, and after them what supports the request.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from bundles import content

Json = dict[str, Any]
PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
TEMPORARY = "http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASTempCodes"
X12 = "https://codesystem.x12.org/005010/"
EHR = "https://ehr.example/fhir"
TRACE = {"system": "https://ehr.example/item-trace", "value": "1122334"}
SENT = {"system": "https://ehr.example/transaction", "value": "A12345"}
EVENT = {"system": "https://ehr.example/event-trace", "value": "111099"}


def pas_of(bundle: Json | None = None) -> Json:
    """A bundle with a Claim, by default the one that meets the criteria, as a PAS request of the same case."""
    held = deepcopy(bundle or content())["entry"]
    found = [entry["resource"] for entry in held]
    (claim,) = [resource for resource in found if resource["resourceType"] == "Claim"]
    claim |= {
        "id": "request",
        "meta": {"profile": [f"{PAS}profile-claim"]},
        "extension": [concept(f"{PAS}extension-levelOfServiceCode", f"{X12}1338", "U")],
        "identifier": [{**EVENT, "assigner": {"identifier": {"system": "urn:assigner", "value": "9012345678"}}}],
        "insurer": {"reference": "Organization/insurer"},
        "provider": {"reference": "Organization/provider"},
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}]},
        "item": [asked_in_pas(item) for item in claim["item"]],
    }
    others = [resource for resource in found if resource is not claim]
    for number, resource in enumerate(others):
        resource.setdefault("id", f"r{number}")
    resources = [claim, organization("provider", "X3"), organization("insurer", "PR"), *others]
    return {
        "resourceType": "Bundle",
        "id": "RequestBundle",
        "meta": {"profile": [f"{PAS}profile-pas-request-bundle"]},
        "identifier": dict(SENT),
        "type": "collection",
        "timestamp": "2026-06-30T11:01:00-05:00",
        "entry": [entry(resource) for resource in resources],
    }


def entry(resource: Json) -> Json:
    return {"fullUrl": f"{EHR}/{resource['resourceType']}/{resource['id']}", "resource": resource}


def organization(id_: str, kind: str) -> Json:
    npi = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "8189991234"}
    type_ = {"coding": [{"system": f"{X12}98", "code": kind}]}
    return {
        "resourceType": "Organization",
        "id": id_,
        "identifier": [npi],
        "active": True,
        "type": [type_],
        "name": id_,
    }


def concept(url: str, system: str, code: str) -> Json:
    return {"url": url, "valueCodeableConcept": {"coding": [{"system": system, "code": code}]}}


def certified(code: str) -> Json:
    """The certification type of a claim or an item."""
    return concept(f"{PAS}extension-certificationType", f"{X12}1322", code)


def asked_in_pas(item: Json, certification: str = "I", **trace: str) -> Json:
    """An item with its trace number and what else PAS says of it."""
    extensions = [
        {"url": f"{PAS}extension-itemTraceNumber", "valueIdentifier": {**TRACE, **trace}},
        concept(f"{PAS}extension-serviceItemRequestType", f"{X12}1525", "HS"),
        certified(certification),
    ]
    return {**item, "extension": extensions, "category": {"coding": [{"system": f"{X12}1365", "code": "1"}]}}


def cancelled(item: Json) -> Json:
    """An item as an update resends it when it is no longer asked for."""
    flag = [{"url": f"{PAS}modifierextension-infoCancelled", "valueBoolean": True}]
    changed = {"url": f"{PAS}extension-infoChanged", "valueCode": "changed"}
    again = asked_in_pas(item, "3")
    return {**again, "modifierExtension": flag, "extension": [*again["extension"], changed]}


def updated(bundle: Json, *items: Json, **changes: Any) -> Json:
    """An update of a request, with the claim before it in the bundle; by default its items are the same, revised."""
    found = deepcopy(bundle)
    before = found["entry"][0]["resource"]
    prior = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship", "code": "prior"}]
    }
    claim = {
        **before,
        "id": "update",
        "meta": {"profile": [f"{PAS}profile-claim-update"]},
        "related": [{"claim": {"reference": "Claim/request"}, "relationship": prior}],
        "item": list(items) or [asked_in_pas(item, "S") for item in before["item"]],
        **changes,
    }
    return {**found, "entry": [entry(claim), *found["entry"]]}


def claim_response(bundle: Json) -> Json:
    """The first resource of a response."""
    found: Json = bundle["entry"][0]["resource"]
    return found


def notes(bundle: Json) -> list[str]:
    return [note["text"] for note in claim_response(bundle)["processNote"]]


def extensions(element: Json, name: str) -> list[Json]:
    """The extensions of PAS of a name."""
    return [found for found in element.get("extension", ()) if found["url"] == f"{PAS}extension-{name}"]


def actions(bundle: Json) -> dict[int, list[str]]:
    """The codes of the review actions of each item."""
    return {
        item["itemSequence"]: [
            coding["code"]
            for adjudication in item["adjudication"]
            for review in extensions(adjudication, "reviewAction")
            for action in extensions(review, "reviewActionCode")
            for coding in action["valueCodeableConcept"]["coding"]
        ]
        for item in claim_response(bundle)["item"]
    }


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys apart."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value
