"""What a Claim of Da Vinci PAS no longer asks for: items that an update resends as cancelled, and certification types.

http://hl7.org/fhir/us/davinci-pas/STU2.2/specification.html#updating-authorization-requests
"""

from __future__ import annotations

from typing import Any

from kb_tools.cases.fhir.element import Element

PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
# What a PAS claim, or an item of one, asks for (X12 1322): cancel, or something that leaves it a request.
CERTIFICATION = f"{PAS}extension-certificationType"
CERTIFICATION_TYPES = "codesystem.x12.org/005010/1322"
CANCEL = "3"
# How an item says that it is resent and no longer asked for.
_FLAG = f"{PAS}modifierextension-infoCancelled"


def certification_codes(extension: Element) -> set[str]:
    """The codes of a certification type."""
    return {
        coding.text("code")
        for coding in extension.codings("valueCodeableConcept")
        if coding.text("system").partition("://")[2] == CERTIFICATION_TYPES
    }


def is_cancelled(element: Element) -> bool:
    """Whether a Claim, or an item of one, says that it is cancelled: by certification type or flag."""
    return element.get("modifierExtension") == _flag(True) or any(
        CANCEL in certification_codes(extension)
        for extension in element.all("extension")
        if extension.text("url") == CERTIFICATION
    )


def without_flags(claim: dict[str, Any]) -> dict[str, Any]:
    """A Claim without the flags that say whether its items are cancelled: what else may change what they mean stays."""
    items = claim.get("item")
    return {**claim, "item": [_without_flag(item) for item in items]} if isinstance(items, list) else claim


def _without_flag(item: Any) -> Any:
    if not isinstance(item, dict) or item.get("modifierExtension") not in (_flag(True), _flag(False)):
        return item
    return {name: value for name, value in item.items() if name != "modifierExtension"}


def _flag(value: bool) -> list[dict[str, Any]]:
    return [{"url": _FLAG, "valueBoolean": value}]
