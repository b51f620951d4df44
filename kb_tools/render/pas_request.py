"""What a response of Da Vinci PAS repeats of its request, read off the bundle of the request.

That is: the identifiers by which its sender knows it, the numbers of its items, and how it refers to the patient, the
insurer and the provider. Nothing else of them is read here: what the case is, `kb_tools.cases.fhir` reads.
http://hl7.org/fhir/us/davinci-pas/STU2.2/specification.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kb_tools.cases.fhir.bundle import as_list
from kb_tools.cases.fhir.cancelled import PAS, is_cancelled
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.r4 import type_of
from kb_tools.cases.fhir.references import References, unversioned
from kb_tools.cases.fhir.resource import Resource
from kb_tools.errors import UnreadableInput

Json = dict[str, Any]
_TRACE = f"{PAS}extension-itemTraceNumber"
# The relationship of an update to the claim before it.
_PRIOR = "prior"
_CLAIM_TYPES = "http://terminology.hl7.org/CodeSystem/claim-type"
# The codes of R4 for the type of a claim. Another is not repeated: it could be anything.
_TYPES = ("institutional", "oral", "pharmacy", "professional", "vision")
_ABSENT = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unsupported"}
_URL = re.compile(r"(?:https?://\S+/[A-Za-z]+/[A-Za-z0-9.-]{1,64}|urn:uuid:[0-9a-f-]{36}|urn:oid:[0-9.]+)")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")
# The largest positiveInt of FHIR.
_MOST = 2**31 - 1
_SEND_AS_PAS = "send the bundle as PAS defines it"


class CancelledRequest(UnreadableInput):
    """A request that cancels an earlier one, or was cancelled."""


@dataclass(frozen=True)
class PasItem:
    """One item of the request.

    Attributes:
        sequence: its number.
        traces: the Identifiers by which the sender traces it.
        cancelled: whether the request says that it is no longer asked for.
    """

    sequence: int
    traces: tuple[Json, ...]
    cancelled: bool


@dataclass(frozen=True)
class PasRequest:
    """What a response repeats of its request.

    Attributes:
        identifier: of the bundle, an Identifier.
        claim: the URL of the Claim.
        identifiers: those of the Claim.
        type: of the Claim, a CodeableConcept.
        patient, insurer, provider: the URLs of these in the bundle.
        by_organization: whether the provider is an Organization.
        updates: whether it is an update of an earlier request.
        items: in the order of the Claim.
    """

    identifier: Json
    claim: str
    identifiers: tuple[Json, ...]
    type: Json
    patient: str
    insurer: str
    provider: str
    by_organization: bool
    updates: bool
    items: tuple[PasItem, ...]


def pas_request(bundle: Any) -> PasRequest:
    """Read what a response repeats of its request.

    Args:
        bundle: the JSON value of a PAS request bundle.

    Raises:
        CancelledRequest: it is cancelled as a whole.
        UnreadableInput: it is no such bundle. No value of it is quoted.
    """
    if type_of(bundle) != "Bundle":
        raise UnreadableInput("no Bundle", hint="send a PAS request bundle")
    if bundle.get("type") != "collection":
        raise UnreadableInput("Bundle.type is not collection", hint=_SEND_AS_PAS)
    identifier = bundle.get("identifier")
    if not isinstance(identifier, dict) or not Element(identifier).text("value"):
        raise UnreadableInput("Bundle.identifier has no value", hint="give the bundle the number of this transaction")
    if not _STAMP.fullmatch(Element(bundle).text("timestamp")):
        raise UnreadableInput("Bundle.timestamp is missing or no instant", hint="say when the bundle was made")
    resources = _resources(bundle)
    claim = resources[0]
    _require_standing(claim)
    parties = {name: _party(resources, claim, name) for name in ("patient", "insurer", "provider")}
    _require_first(resources)
    return PasRequest(
        identifier=_repeated(Element(identifier)),
        claim=claim.url,
        identifiers=tuple(_repeated(found) for found in claim.root.all("identifier") if _is_whole(found)),
        type=_type(claim),
        patient=parties["patient"].url,
        insurer=parties["insurer"].url,
        provider=parties["provider"].url,
        by_organization=parties["provider"].type == "Organization",
        updates=any(True for _ in _priors(claim)),
        items=_items(claim),
    )


def _resources(bundle: Json) -> list[Resource]:
    """The resources of the bundle, the first a Claim; each is there once."""
    entries = as_list(bundle.get("entry"))
    if not entries:
        raise UnreadableInput("the bundle has no entry", hint=_SEND_AS_PAS)
    found: list[Resource] = []
    for i, entry in enumerate(entries):
        inner = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(inner, dict):
            raise UnreadableInput(f"entry[{i}] holds no resource", hint="put it into resource")
        url = Element(entry).text("fullUrl")
        if not _URL.fullmatch(url):
            hint = "give it the URL of the resource at its server, or a urn:uuid"
            raise UnreadableInput(f"entry[{i}].fullUrl is missing or no URL of a resource", hint=hint)
        twin = next((i for i, other in enumerate(found) if unversioned(other.url) == unversioned(url)), None)
        if twin is not None:
            what = f"entry[{i}] has the fullUrl of entry[{twin}]"
            raise UnreadableInput(what, hint="send each resource once, under a URL of its own")
        kind = type_of(inner)
        found.append(Resource(f"entry[{i}] {kind}", kind, inner, url, tracked=False))
    if not any(resource.type == "Claim" for resource in found):
        raise UnreadableInput("no Claim in the bundle", hint="send the request as a Claim, first in the bundle")
    if found[0].type != "Claim":
        raise UnreadableInput("the first entry is no Claim", hint="put the Claim that is asked for first")
    return found


def _require_standing(claim: Resource) -> None:
    """Refuses a Claim that asks for nothing, the cancelled ones by a class of their own."""
    root, items = claim.root, claim.root.all("item")
    if root.text("status") == "cancelled":
        raise _cancelled("its status is cancelled")
    if is_cancelled(root):
        raise _cancelled("its certification type is cancel")
    if items and all(map(is_cancelled, items)):
        raise _cancelled("each of its items is cancelled")
    if root.text("status") != "active":
        raise UnreadableInput("the status of the Claim is not active", hint="send a Claim that is active")
    if root.text("use") != "preauthorization":
        raise UnreadableInput(
            "the use of the Claim is not preauthorization", hint="send a request for preauthorization"
        )
    if not items:
        raise UnreadableInput("the Claim has no item", hint="name what is asked for in an item")


def _cancelled(why: str) -> CancelledRequest:
    what = f"the request is cancelled: {why}. A cancelled request is not determined"
    return CancelledRequest(what, hint="nothing is kept here that would have to be cancelled")


def _require_first(resources: list[Resource]) -> None:
    """Refuses another Claim than those before the first one: then it would not be known which is answered."""
    claim = resources[0]
    references = References(resources)
    before = [references.follow(claim, prior) for prior in _priors(claim)]
    for other in resources[1:]:
        if other.type == "Claim" and other not in before:
            what = f"{other.place} is another request than the first, and not one that it updates"
            raise UnreadableInput(what, hint="send one bundle a request")


def _priors(claim: Resource) -> Iterator[Element]:
    """References to the claims that a claim updates."""
    for related in claim.root.all("related"):
        if any(coding.text("code") == _PRIOR for coding in related.codings("relationship")):
            yield related.one("claim") or Element({})


def _party(resources: list[Resource], claim: Resource, name: str) -> Resource:
    """The resource that the Claim names as its patient, insurer or provider."""
    reference = claim.root.one(name)
    found = References(resources).follow(claim, reference) if reference else None
    if found is None or found.container:
        what = f"Claim.{name} names no resource of the bundle"
        raise UnreadableInput(what, hint="put what the Claim refers to into the bundle")
    return found


def _type(claim: Resource) -> Json:
    codes = {coding.text("code") for coding in claim.root.codings("type") if coding.text("system") == _CLAIM_TYPES}
    known = [{"system": _CLAIM_TYPES, "code": code} for code in _TYPES if code in codes]
    return {"coding": known[:1] or [_ABSENT]}


def _items(claim: Resource) -> tuple[PasItem, ...]:
    found: dict[int, PasItem] = {}
    for item in claim.root.all("item"):
        sequence = item.get("sequence")
        if type(sequence) is not int or not 0 < sequence <= _MOST or sequence in found:
            what = f"Claim.{item.at('sequence')} is missing, no number from 1, or that of another item"
            raise UnreadableInput(what, hint="number the items")
        traces = [extension.one("valueIdentifier") for extension in item.all("extension") if _is_trace(extension)]
        repeated = (_repeated(trace) for trace in traces if trace and _is_whole(trace))
        found[sequence] = PasItem(sequence, tuple(repeated), is_cancelled(item))
    return tuple(found.values())


def _is_trace(extension: Element) -> bool:
    return extension.text("url") == _TRACE


def _is_whole(identifier: Element) -> bool:
    """Whether an Identifier has what PAS requires of one."""
    return bool(identifier.text("system") and identifier.text("value"))


def _repeated(identifier: Element) -> Json:
    """An Identifier with its system and value alone."""
    return {name: identifier.text(name) for name in ("system", "value") if identifier.text(name)}
