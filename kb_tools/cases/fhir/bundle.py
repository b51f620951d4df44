"""One FHIR bundle: its resources, what its server says of it, and whether it is whole."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kb_tools.cases.fhir.r4 import HINTING, READ_TYPES, STATING, type_of, version_of
from kb_tools.cases.fhir.resource import Resource, is_subsetted
from kb_tools.errors import UnreadableInput

# The hooks of CDS Hooks that an error may name.
_HOOKS = (
    *("patient-view", "order-select", "order-sign", "order-dispatch", "appointment-book", "encounter-start"),
    *("encounter-discharge", "allergyintolerance-create", "medication-refill", "problem-list-item-create"),
)
# What each line of the log of a bulk export holds (the log format of the SMART bulk data client).
_LOGGED = {"exportId", "timestamp", "eventId", "eventDetail", "duration"}
# A PAS bundle by which someone asks what became of an earlier request.
_INQUIRY = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-pas-inquiry-request-bundle"
# Codes of an OperationOutcome with which a server says that it left something out, whatever the severity.
_LEFT_OUT = ("incomplete", "suppressed", "too-costly", "throttled", "timeout", "forbidden", "security")
# What an entry of a bundle may hold beside a resource.
_WITHOUT_RESOURCE = {"id", "extension", "link", "fullUrl", "search", "request", "response"}


def is_hook(content: dict[str, Any]) -> bool:
    """Whether a JSON object is a request of CDS Hooks, which holds FHIR resources and is none itself."""
    return isinstance(content.get("hook"), str) and ("hookInstance" in content or "context" in content)


def entries_of(bundle: dict[str, Any], source: str) -> tuple[list[Resource], list[str]]:
    """The resources of a bundle that are read, and what else there is.

    Raises:
        UnreadableInput: an entry cannot be told what it is: it may be of anything.
    """
    resources: list[Resource] = []
    unread: Counter[str] = Counter()
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise UnreadableInput("an entry that is no list", where=source, hint="write the entries in brackets")
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict) or ("resource" not in entry and not entry.keys() <= _WITHOUT_RESOURCE):
            raise UnreadableInput(f"entry[{i}] holds no resource", where=source, hint="put it into resource")
        if "resource" not in entry:
            unread["entry without a resource"] += 1
            continue
        inner, request, url = entry["resource"], entry.get("request"), entry.get("fullUrl")
        kind = type_of(inner)
        if isinstance(request, dict) and request.get("method") == "DELETE":
            unread["entry that deletes"] += 1
            continue
        if kind in ("resource", "Bundle", "Parameters"):
            what = "no resource of FHIR R4" if kind == "resource" else f"a {kind} within the bundle"
            hint = "give each resource an entry of its own"
            if version_of(inner):
                what, hint = version_of(inner), "convert all to FHIR R4 (4.0.1)"
            raise UnreadableInput(f"entry[{i}] is {what}", where=source, hint=hint)
        resource = Resource(f"entry[{i}] {kind}", kind, inner, url if isinstance(url, str) else "")
        if kind == "Medication" or may_state(kind, inner):
            resources.append(resource)
        else:
            unread[kind] += 1
    return resources, counts_in_words(unread)


def no_resource(content: Any, source: str) -> UnreadableInput:
    """Why a JSON text is no resource of R4, as far as that can be told."""
    if isinstance(content, dict) and "resourceType" not in content and is_hook(content):
        hook = f" ({content['hook']})" if content["hook"] in _HOOKS else ""
        hint = "put the draft order, made active, and the resources of its prefetch into a Bundle, and send that"
        what = f"a CDS Hooks request{hook}: the service for these is not there yet"
        return UnreadableInput(what, where=source, hint=hint)
    if version_of(content):
        return UnreadableInput(version_of(content), where=source, hint="convert it to FHIR R4 (4.0.1)")
    return UnreadableInput("no FHIR R4 resource", where=source, hint="send a Bundle")


def is_logged(content: Any) -> bool:
    """Whether a line is one of the log of a bulk export."""
    return isinstance(content, dict) and {"exportId", "eventId"} <= content.keys() <= _LOGGED


def told_of_the_whole(bundle: dict[str, Any], source: str) -> list[str]:
    """What is to be known of a bundle as a whole.

    Raises:
        UnreadableInput: it requests nothing, or the server could not answer.
    """
    entries = [each if isinstance(each, dict) else {} for each in as_list(bundle.get("entry"))]
    notices: list[str] = []
    first = entries[0].get("resource") if entries else None
    if bundle.get("type") == "document" and isinstance(first, dict) and type_of(first) == "Composition":
        if first.get("status") == "entered-in-error":
            raise UnreadableInput("a document entered in error", where=source, hint="send the one that replaces it")
        notices += ["The document is preliminary."] if first.get("status") == "preliminary" else []
    meta = bundle.get("meta")
    profiles = as_list(meta.get("profile")) if isinstance(meta, dict) else []
    if any(str(each).partition("|")[0] == _INQUIRY for each in profiles):
        what = "an inquiry about an earlier request, and no request"
        raise UnreadableInput(what, where=source, hint="send the request itself")
    notices += ["The bundle is tagged SUBSETTED: elements of it were left out."] if is_subsetted(bundle) else []
    for i, entry in enumerate(entries):
        if type_of(entry.get("resource")) == "OperationOutcome":
            notices += warnings_of(entry["resource"], f"entry[{i}] OperationOutcome", source)
    return notices


def warnings_of(outcome: dict[str, Any], place: str, source: str = "") -> list[str]:
    """What an OperationOutcome says of what it comes with, if that may be incomplete.

    Raises:
        UnreadableInput: the server could not answer.
    """
    issues = [each for each in as_list(outcome.get("issue")) if isinstance(each, dict)]
    if source and any(each.get("severity") in ("error", "fatal") for each in issues):
        what = f"{place}: the server tells of an error, so what it sent may be incomplete"
        raise UnreadableInput(what, where=source, hint="ask again, and send all that is found")
    if any(each.get("severity") != "information" or each.get("code") in _LEFT_OUT for each in issues):
        return [f"{place}: the server warns: what it sent may be incomplete."]
    return []


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def may_state(kind: str, content: dict[str, Any]) -> bool:
    """Whether a resource is of a type that is read, or contains one that may state a fact."""
    return kind in READ_TYPES or any(
        type_of(each) in (*STATING, *HINTING) for each in as_list(content.get("contained"))
    )


def counts_in_words(unread: Counter[str]) -> list[str]:
    """Resource types that are not read, each with its number."""
    return [f"{name} \N{MULTIPLICATION SIGN}{count}" for name, count in sorted(unread.items())]
