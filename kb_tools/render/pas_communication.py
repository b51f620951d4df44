"""FHIR R4, Da Vinci PAS 2.2.1: what is missing in a request, asked for with the Questionnaire of the open case.

http://hl7.org/fhir/us/davinci-pas/STU2.2/additionalinfo.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kb_tools.cases.fhir.cancelled import PAS
from kb_tools.determine.in_words import to_send_in
from kb_tools.determine.result import Determination
from kb_tools.render.pas_request import PasRequest

Json = dict[str, Any]
VERSION = "2.2.1"
# The payer asks with a questionnaire of its own (LOINC).
_QUESTIONNAIRE = "102089-0"
_HOW = "Answer the Questionnaire in this bundle, add the QuestionnaireResponse to the request, and submit it again."


def communication_request(request: PasRequest, found: Determination, form: Json, now: datetime) -> Json:
    """What is missing, asked of the provider on behalf of the insurer.

    No category is given: the codes for kinds of reports (X12 755) are alternatives to asking with a questionnaire.

    Args:
        form: the Questionnaire of the open case.
    """
    lines = [item.sequence for item in request.items if not item.cancelled]
    line = {"url": f"{PAS}extension-serviceLineNumber", "valuePositiveInt": lines[0]}
    insurer = {"reference": request.insurer}
    return {
        "resourceType": "CommunicationRequest",
        "meta": {"profile": [profile("communicationrequest")]},
        # One item can be named; where there are more, the request is meant as a whole.
        **({"extension": [line]} if len(lines) == 1 else {}),
        "identifier": [trace_number(form)],
        "status": "active",
        "subject": {"reference": request.patient},
        "about": [{"reference": request.claim}, {"reference": form["url"]}],
        "payload": [{"contentString": _QUESTIONNAIRE}],
        "authoredOn": instant(now),
        "requester": insurer,
        **({"recipient": [insurer], "sender": {"reference": request.provider}} if request.by_organization else {}),
        "note": [{"text": _HOW}, {"text": f"To send in: {to_send_in(found)}."}],
    }


def trace_number(form: Json) -> Json:
    """The Identifier by which what is asked for is traced: the URL of the Questionnaire, made of what that asks."""
    return {"system": "urn:ietf:rfc:3986", "value": form["url"]}


def profile(name: str) -> str:
    """The profile that a resource of the response claims, with its version."""
    return f"{PAS}profile-{name}|{VERSION}"


def instant(now: datetime) -> str:
    """A time as FHIR writes an instant, in whole seconds."""
    return now.isoformat(timespec="seconds")
