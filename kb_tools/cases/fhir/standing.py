"""Whether a resource counts: of the patient, of a status that makes it final, confirmed."""

from __future__ import annotations

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.codes import Codes
from kb_tools.cases.fhir.r4 import SUBJECT
from kb_tools.cases.fhir.references import last_two, unversioned
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, NOWHERE, Skipped

_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
# Statuses of R4 with which a thing is not yet, or not surely, so: what is older of its kind must not decide alone.
_DOUBTFUL = frozenset(
    (
        *("in-progress", "on-hold", "stopped", "preliminary", "partial", "unknown"),
        *("unconfirmed", "provisional", "differential", "draft"),
    )
)
# Statuses of R4 that a record may name: anything else may be a text.
_STATUSES = _DOUBTFUL | {
    *("active", "amended", "appended", "cancelled", "completed", "corrected", "entered-in-error", "final"),
    *("not-done", "preparation", "registered", "revoked", "refuted", "confirmed"),
}


def require_patient(assembly: Assembly, resource: Resource) -> None:
    """Raises `Skipped` for a resource that is not said to be of the patient."""
    name = SUBJECT[resource.type]
    reference = resource.root.one(name)
    if reference is None:
        raise Skipped(NOT_UNDERSTOOD, "it does not name its patient", name)
    found = assembly.references.follow(resource, reference)
    if found in assembly.patients:
        return
    text = unversioned(reference.text("reference"))
    if found is None and text in assembly.strangers:
        return
    if found is None and last_two(text).partition("/")[0] in ("", "Patient"):
        raise Skipped(NOT_UNDERSTOOD, NOWHERE, name)
    if found not in assembly.patients:
        raise Skipped(IGNORED, "it is about something other than the patient", name)


def require_status(resource: Resource, *accepted: str) -> None:
    """Raises `Skipped` for a resource of another status."""
    status = resource.root.text("status")
    if status not in accepted:
        if status in _STATUSES:
            raise Skipped(IGNORED, f"its status is {status}", "status", doubtful=status in _DOUBTFUL)
        raise Skipped(NOT_UNDERSTOOD, "not a status of FHIR R4", "status")


def require_confirmed(codes: Codes, condition: Resource) -> None:
    """Raises `Skipped` for a condition that is not confirmed."""
    element = "verificationStatus"
    codings = [
        coding
        for coding in condition.root.codings(element)
        if coding.text("system") == _VERIFICATION or codes.meaning(coding)
    ]
    if condition.root.get(element) and not codings:
        raise Skipped(NOT_UNDERSTOOD, "not a verification status of FHIR R4", element)
    for coding in codings:
        code = coding.text("code")
        if coding.text("system") != _VERIFICATION or code not in _STATUSES:
            raise Skipped(NOT_UNDERSTOOD, "not a verification status of FHIR R4", element)
        if code != "confirmed":
            text = f"its verification status is {code}"
            raise Skipped(IGNORED, text, element, doubtful=code in _DOUBTFUL)
