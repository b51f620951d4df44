"""Whether a Claim or ServiceRequest asks for something now: active, no draft, and neither cancelled nor an inquiry."""

from __future__ import annotations

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.cancelled import CANCEL, CERTIFICATION, PAS, certification_codes, is_cancelled
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.services import Services, parts_of
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, Skipped
from kb_tools.cases.fhir.standing import require_status

# The certification types that leave a PAS claim, or an item of one, a request.
_ASKING = frozenset(("1", "4", "I", "R", "S"))
# Intents of an order that is only thought of.
_DRAFTED = frozenset(("proposal", "plan", "option"))
# A PAS claim by which someone asks what became of an earlier one.
_INQUIRY = f"{PAS}profile-claim-inquiry"


def require_active_claim(assembly: Assembly, services: Services, claim: Resource) -> None:
    """Raises `Skipped` for a Claim that asks for nothing now; one that was withdrawn is remembered in the assembly."""
    if claim.root.text("use") != "preauthorization":
        raise Skipped(IGNORED, "it is no request for preauthorization", "use")
    _require_no_draft(claim)
    try:
        require_status(claim, "active")
        meta = claim.root.one("meta")
        profiles = meta.get("profile") if meta else None
        if any(str(profile).partition("|")[0] == _INQUIRY for profile in profiles or ()):
            raise Skipped(IGNORED, "it is an inquiry about an earlier request", "meta")
        _require_certification(claim.root)
        items = claim.root.all("item")
        asked = [item for item in items if services.are_asked_by_item(item)] or items
        standing = [item for item in asked if not is_cancelled(item)]
        for item in standing or asked:
            for part in parts_of(item):
                _require_certification(part)
        if asked and not standing:
            raise Skipped(IGNORED, "its item is flagged as cancelled", "item")
    except Skipped as skipped:
        if skipped.treatment is IGNORED:
            assembly.withdrawn.add(claim)
        raise


def require_active_order(assembly: Assembly, order: Resource) -> None:
    """Raises `Skipped` for a ServiceRequest that asks for nothing now; in a preview it may be a draft."""
    try:
        _require_no_draft(order)
        require_status(order, "active")
        intent = order.root.text("intent")
        if intent in _DRAFTED:
            raise Skipped(IGNORED, f"it is a draft: its intent is {intent}", "intent")
    except Skipped:
        if assembly.preview is None or not _is_draft(order):
            raise
        assembly.notify(f"{order.place} is a draft: this is a preview of what it comes to as it stands.")
    if order.root.get("doNotPerform"):
        raise Skipped(IGNORED, "it asks that something is not done", "doNotPerform")


def _is_draft(order: Resource) -> bool:
    """Whether an order is a draft by its status or its intent, and nothing else keeps it from being one that counts."""
    status, intent = order.root.text("status"), order.root.text("intent")
    return status == "draft" or (status == "active" and intent in _DRAFTED)


def _require_no_draft(request: Resource) -> None:
    if request.root.text("status") == "draft":
        raise Skipped(IGNORED, "it is a draft: its status is draft", "status")


def _require_certification(element: Element) -> None:
    """Raises `Skipped` where the certification type of PAS says that a claim, or an item of it, is cancelled."""
    for extension in element.all("extension"):
        if extension.text("url") != CERTIFICATION:
            continue
        path = extension.at("valueCodeableConcept")
        codes = certification_codes(extension)
        if CANCEL in codes:
            raise Skipped(IGNORED, "its certification type is cancel", path)
        if not codes or codes - _ASKING:
            raise Skipped(NOT_UNDERSTOOD, "unknown certification type", path)
