"""FHIR R4, Da Vinci PAS 2.2.1: a determination as the response to a request for prior authorization.

The response is pended: every item waits for a reviewer (review action A4), whatever the criteria come to, and no other
code and no number is ever given. The status of each criterion stands in numbered notes, to which the items point. What
is missing is a CommunicationRequest, with its Questionnaire.
http://hl7.org/fhir/us/davinci-pas/STU2.2/specification.html#prior-authorization-response
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from kb_tools.cases.fhir.cancelled import PAS
from kb_tools.cases.fhir.reader import HOLDS_FOR_THIS_RUN
from kb_tools.cases.form import CaseForms
from kb_tools.determine.in_words import to_send_in
from kb_tools.determine.result import CriterionResult, Determination, Outcome
from kb_tools.rdf.namespaces import POL
from kb_tools.render.pas_communication import communication_request, instant, profile, trace_number
from kb_tools.render.pas_request import PasItem, PasRequest
from kb_tools.render.questionnaire import coding, questionnaire

Json = dict[str, Any]
# What every response says first. It speaks of neither possible decision.
REVIEWER_DECIDES = (
    "Pended: a reviewer decides on this request. The notes give the status of the policy's criteria on what was sent, "
    "for the reviewer; they are no decision."
)
_UPDATE = "This is an update of an earlier request. It is read as it stands: nothing of the earlier one is kept here."
_CANCELLED = "This item is cancelled by the request itself, so nothing is said of it."
# Pending, the one review action that is ever given (X12 306).
_PENDED = {"system": "https://codesystem.x12.org/005010/306", "code": "A4"}
_SUBMITTED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/adjudication", "code": "submitted"}]}


def response_bundle(forms: CaseForms, request: PasRequest, found: Determination, number: UUID, now: datetime) -> Json:
    """The response to a request.

    Args:
        request: what is repeated of it.
        number: a fresh one, after which the resources of the response are named.
        now: when the response is made.
    """
    form = questionnaire(forms, found)
    asked = uuid5(number, "CommunicationRequest")
    response = _claim_response(forms, request, found, form, now)
    entries: list[tuple[str, Json]] = [(f"urn:uuid:{number}", {**response, "id": str(number)})]
    if form:
        entries[0][1]["communicationRequest"] = [{"reference": f"urn:uuid:{asked}"}]
        communication = communication_request(request, found, form, now)
        entries += [(f"urn:uuid:{asked}", {**communication, "id": str(asked)}), (form["url"], form)]
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [profile("pas-response-bundle")]},
        "identifier": request.identifier,
        "type": "collection",
        "timestamp": instant(now),
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries],
    }


def _claim_response(
    forms: CaseForms, request: PasRequest, found: Determination, form: Json | None, now: datetime
) -> Json:
    notes = list(dict.fromkeys(_notes(forms, request, found)))
    traces = [trace_number(form)] if form else []
    items = [
        _cancelled(item, len(notes) + 1) if item.cancelled else _pended(item, notes, traces) for item in request.items
    ]
    if any(item.cancelled for item in request.items):
        notes.append(_CANCELLED)
    return {
        "resourceType": "ClaimResponse",
        "meta": {"profile": [profile("claimresponse")]},
        **({"identifier": list(request.identifiers)} if request.identifiers else {}),
        "status": "active",
        "type": request.type,
        "use": "preauthorization",
        "patient": {"reference": request.patient},
        "created": instant(now),
        "insurer": {"reference": request.insurer},
        "requestor": {"reference": request.provider},
        "request": {"reference": request.claim},
        # That the response is complete, as in the guide's own example: the items say that they are pended.
        "outcome": "complete",
        "disposition": REVIEWER_DECIDES,
        "item": items,
        "processNote": [{"number": number, "type": "display", "text": text} for number, text in enumerate(notes, 1)],
    }


# ---------------------------------------------------------------------- items


def _pended(item: PasItem, notes: list[str], traces: list[Json]) -> Json:
    """An item that waits for a reviewer.

    Args:
        notes: all that is said of it.
        traces: further Identifiers to trace it by.
    """
    code = {"url": f"{PAS}extension-reviewActionCode", "valueCodeableConcept": {"coding": [_PENDED]}}
    review = {"url": f"{PAS}extension-reviewAction", "extension": [code]}
    return {
        **_traced(item, traces),
        "itemSequence": item.sequence,
        "noteNumber": list(range(1, len(notes) + 1)),
        "adjudication": [{"extension": [review], "category": _SUBMITTED}],
    }


def _cancelled(item: PasItem, note: int) -> Json:
    """An item that is no longer asked for: it waits for nothing, and no review action is named."""
    return {
        **_traced(item, []),
        "itemSequence": item.sequence,
        "noteNumber": [note],
        "adjudication": [{"category": _SUBMITTED}],
    }


def _traced(item: PasItem, traces: list[Json]) -> Json:
    url = f"{PAS}extension-itemTraceNumber"
    once = [*item.traces, *(trace for trace in traces if trace not in item.traces)]
    extensions = [{"url": url, "valueIdentifier": trace} for trace in once]
    return {"extension": extensions} if extensions else {}


# ---------------------------------------------------------------------- notes


def _notes(forms: CaseForms, request: PasRequest, found: Determination) -> Iterator[str]:
    """What a reviewer reads: the status of the criteria and why, each criterion, what is missing, and what to know."""
    revision = found.revision
    yield REVIEWER_DECIDES
    if request.updates:
        yield _UPDATE
    status = coding(forms, POL[found.outcome.value])["display"]
    yield f"{revision.policy.identifier} revision {revision.entry.name}: {status}, because {found.because}."
    if found.outcome is Outcome.NOT_MET and revision.disposition:
        yield f"The revision classes such use as: {revision.disposition[1]}."
    if found.referred_to:
        yield f"The policy to read is {found.referred_to[0]}."
    for result in found.every_criterion:
        yield _criterion(result)
    missing = to_send_in(found)
    if missing:
        yield f"To send in: {missing}."
    for advisory in found.advisories:
        if advisory.when:
            yield f"Advice of the policy, beside its criteria: {advisory.label}. {advisory.text}"
    yield from (notice for notice in found.notices if notice != HOLDS_FOR_THIS_RUN)


def _criterion(result: CriterionResult) -> str:
    criterion = result.criterion
    rests = "; the status rests on it" if result.decides else ""
    return f"{criterion.notation} ({criterion.role}: {criterion.label}): {result.value.value}{rests} - {result.reason}."
