"""What the FHIR interface can do, as it says itself: its CapabilityStatement and the definition of $determine."""

from __future__ import annotations

from typing import Any

from kb_tools import __version__
from kb_tools.rdf.namespaces import BASE
from kb_tools.render.pas_communication import VERSION

Json = dict[str, Any]
MEDIA_TYPE = "application/fhir+json"
# The day of the last change of what stands here.
_DATE = "2026-11-27"
_PAS = "http://hl7.org/fhir/us/davinci-pas/"
_DTR = "http://hl7.org/fhir/us/davinci-dtr/"
DETERMINE = f"{BASE}OperationDefinition/determine"
_NOTHING_KEPT = (
    "Nothing of a request is kept: no resource can be read, searched or subscribed to, and no request can be asked "
    "after. Each answer is made of the request alone."
)
_SUBMIT = (
    "A PAS request bundle in, a PAS response bundle out. The response is pended, whatever the criteria come to: each "
    "item waits for a reviewer (A4). Its notes give the status of each criterion; what is missing is asked for by a "
    "CommunicationRequest with its Questionnaire. Updates are read as they stand; a cancelled request is "
    "not determined. What cannot be processed is an OperationOutcome, and never a ClaimResponse."
)
_FORM = (
    "Parameters of Da Vinci DTR in; the Questionnaire that asks for what can still settle the order, with what is "
    "known. Nothing is kept of calls of CDS Hooks: send the order."
)
_CHOICE = "Given in the address, as ?{name}=."


def capability_statement() -> Json:
    """The CapabilityStatement of this interface."""
    return {
        "resourceType": "CapabilityStatement",
        "name": "PolicyWorkbench",
        "title": "kb serve: the status of a clinical policy's criteria",
        "status": "active",
        "date": _DATE,
        "description": f"Determines requests against the criteria of policies, for a reviewer. {_NOTHING_KEPT}",
        "kind": "instance",
        "software": {"name": "kb", "version": __version__},
        "implementation": {"description": "kb serve"},
        "fhirVersion": "4.0.1",
        "format": [MEDIA_TYPE],
        "implementationGuide": [f"{_PAS}ImplementationGuide/hl7.fhir.us.davinci-pas|{VERSION}"],
        "rest": [
            {
                "mode": "server",
                "documentation": _NOTHING_KEPT,
                "security": {
                    "description": "None of its own: it listens on this machine alone, or behind a proxy that asks who "
                    "a client is."
                },
                "resource": [
                    {
                        "type": "Claim",
                        "documentation": "Claim/$inquire is not offered: there is nothing to ask after.",
                        "operation": [
                            {
                                "name": "submit",
                                "definition": f"{_PAS}OperationDefinition/Claim-submit",
                                "documentation": _SUBMIT,
                            }
                        ],
                    },
                    {
                        "type": "Questionnaire",
                        "operation": [
                            {
                                "name": "questionnaire-package",
                                "definition": f"{_DTR}OperationDefinition/questionnaire-package",
                                "documentation": _FORM,
                            }
                        ],
                    },
                    {"type": "OperationDefinition", "interaction": [{"code": "read"}]},
                ],
                "operation": [{"name": "determine", "definition": DETERMINE}],
            }
        ],
    }


def determine_definition() -> Json:
    """The OperationDefinition of $determine."""
    chosen = (
        ("policy", "string", "The identifier of the policy; needed only where several are on file."),
        ("revision", "string", "The revision, as 2026-02; by default the one in force on the service date."),
        ("asOf", "date", "Take the revision in force on this day."),
    )
    return {
        "resourceType": "OperationDefinition",
        "id": "determine",
        "url": DETERMINE,
        "name": "Determine",
        "title": "The status of a policy's criteria on a case",
        "status": "active",
        "kind": "operation",
        "date": _DATE,
        "description": "Determines the request in a bundle against the criteria of a policy, for a reviewer.",
        "affectsState": False,
        "code": "determine",
        "system": True,
        "type": False,
        "instance": False,
        "parameter": [
            {
                "name": "resource",
                "use": "in",
                "min": 1,
                "max": "1",
                "documentation": "The request with the patient's chart. It may be the body itself.",
                "type": "Bundle",
            },
            *(
                {
                    "name": name,
                    "use": "in",
                    "min": 0,
                    "max": "1",
                    "documentation": f"{text} {_CHOICE.format(name=name)}",
                    "type": type_,
                }
                for name, type_, text in chosen
            ),
            {
                "name": "return",
                "use": "out",
                "min": 1,
                "max": "1",
                "documentation": "A collection: a GuidanceResponse, and a Questionnaire where something is missing.",
                "type": "Bundle",
            },
        ],
    }
