"""One FHIR bundle: its resources, what its server says of it, and whether it is complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kb_tools.cases.fhir.r4 import CLINICAL, READ_TYPES, SHARED_TYPES, type_of, version_of
from kb_tools.cases.fhir.resource import Resource, is_subsetted
from kb_tools.errors import UnreadableInput

# The hooks of CDS Hooks that an error may name.
_HOOKS = (
    *("patient-view", "order-select", "order-sign", "order-dispatch", "appointment-book", "encounter-start"),
    *("encounter-discharge", "allergyintolerance-create", "medication-refill", "problem-list-item-create"),
)
# The types of bundles that are read.
_BUNDLES = ("transaction", "batch", "collection", "document", "message", "searchset")
# What each line of the log of a bulk export holds (the log format of the SMART bulk data client).
_LOGGED = {"exportId", "timestamp", "eventId", "eventDetail", "duration"}
# A PAS bundle by which someone asks what became of an earlier request.
_INQUIRY = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-pas-inquiry-request-bundle"
# Codes of an OperationOutcome with which a server says that it left something out, whatever the severity.
_LEFT_OUT = ("incomplete", "suppressed", "too-costly", "throttled", "timeout", "forbidden", "security")
# What an entry of a bundle may hold beside a resource.
_WITHOUT_RESOURCE = {"id", "extension", "link", "fullUrl", "search", "request", "response"}


@dataclass(frozen=True)
class Contents:
    """What there is to read of one patient.

    Attributes:
        unread: what there is of types that are not read: "Encounter \N{MULTIPLICATION SIGN}12".
        made: the day on which it was put together, where that is stated.
        notices: what is to be known of it as a whole.
    """

    resources: Sequence[Resource]
    unread: Sequence[str] = ()
    made: date | None = None
    notices: Sequence[str] = ()


def contents_of(content: Any, source: str, tracked: bool = True) -> Contents:
    """What there is to read of a bundle, or of one resource by itself.

    Args:
        tracked: whether it is remembered which elements of the resources are looked at.

    Raises:
        UnreadableInput: it is not FHIR R4, not all of what it belongs to, or of a type that is not read.
    """
    kind = type_of(content)
    if kind == "resource":
        raise no_resource(content, source)
    if kind == "Parameters":
        raise UnreadableInput("Parameters are not read", where=source, hint="send the Bundle that they hold")
    version = content.get("fhirVersion")
    if isinstance(version, str) and not version.startswith("4.0"):
        raise UnreadableInput("another version of FHIR", where=source, hint="convert it to FHIR R4 (4.0.1)")
    if kind != "Bundle":
        return Contents([Resource(kind, kind, content, tracked=tracked)])
    part = part_of_a_search(content)
    if part:
        hint = "send all that was found, in one bundle"
        raise UnreadableInput(f"a part of a search, {part}", where=source, hint=hint)
    if content.get("type") not in _BUNDLES:
        raise UnreadableInput(
            "a bundle of a type that is not read", where=source, hint=f"send one of {', '.join(sorted(_BUNDLES))}"
        )
    notices = notices_of(content, source)
    resources, unread = entries_of(content, source, tracked)
    return Contents(resources, unread, _made(content), notices)


def contents_together(parts: Mapping[str, Any], source: str, tracked: bool = True) -> Contents:
    """What there is to read of several bundles, or resources by themselves, of one patient.

    Args:
        parts: by what each is called, with which the places in it begin: "observations.entry[3] Observation".

    Raises:
        UnreadableInput: as `contents_of`, for any of them.
    """
    resources: list[Resource] = []
    unread: list[str] = []
    notices: list[str] = []
    for name, content in parts.items():
        try:
            found = contents_of(content, source, tracked)
        except UnreadableInput as error:
            raise UnreadableInput(f"{name}: {error.what}", where=source, hint=error.hint) from error
        for resource in found.resources:
            resource.place = f"{name}.{resource.place}"
            for inner in resource.contained:
                inner.place = f"{name}.{inner.place}"
        resources += found.resources
        unread += [f"{name}: {counted}" for counted in found.unread]
        notices += [f"{name}: {notice}" for notice in found.notices]
    return Contents(resources, unread, notices=notices)


def is_hook(content: dict[str, Any]) -> bool:
    """Whether a JSON object is a request of CDS Hooks, which holds FHIR resources and is none itself."""
    return isinstance(content.get("hook"), str) and ("hookInstance" in content or "context" in content)


def entries_of(bundle: dict[str, Any], source: str, tracked: bool) -> tuple[list[Resource], list[str]]:
    """The resources of a bundle that are read, and what else there is.

    Args:
        tracked: whether it is remembered which elements of the resources are looked at.

    Raises:
        UnreadableInput: it cannot be told what an entry is: it may be of anything.
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
        if kind in SHARED_TYPES or may_state(kind, inner):
            place = f"entry[{i}] {kind}"
            resources.append(Resource(place, kind, inner, url if isinstance(url, str) else "", tracked=tracked))
        else:
            unread[kind] += 1
    return resources, counts_in_words(unread)


def no_resource(content: Any, source: str) -> UnreadableInput:
    """Why a JSON text is no resource of R4, as far as that can be told."""
    if isinstance(content, dict) and "resourceType" not in content and is_hook(content):
        hook = f" ({content['hook']})" if content["hook"] in _HOOKS else ""
        hint = "send it there, or put the order, made active, and its prefetch into a Bundle, and send that"
        what = f"a CDS Hooks request{hook}: kb serve answers these, under /cds-services"
        return UnreadableInput(what, where=source, hint=hint)
    if version_of(content):
        return UnreadableInput(version_of(content), where=source, hint="convert it to FHIR R4 (4.0.1)")
    return UnreadableInput("no FHIR R4 resource", where=source, hint="send a Bundle")


def part_of_a_search(bundle: dict[str, Any]) -> str:
    """What shows that a bundle holds not all that a search found; "" if nothing does."""
    relations = {link.get("relation") for link in as_list(bundle.get("link")) if isinstance(link, dict)}
    if "next" in relations:
        return "and more follows"
    if relations & {"previous", "prev"}:
        return "and more comes before"
    total = bundle.get("total")
    if total is None:
        return ""
    found = sum(map(_is_found, as_list(bundle.get("entry"))))
    if not isinstance(total, int):
        return "and its total is no whole number"
    return f"{found} of the {total} found" if total > found else ""


def _is_found(entry: Any) -> bool:
    """Whether an entry of a bundle is one of what a search was for, and not what came with it."""
    search = entry.get("search") if isinstance(entry, dict) and "resource" in entry else {"mode": "include"}
    return not (isinstance(search, dict) and search.get("mode") in ("include", "outcome"))


def _made(bundle: dict[str, Any]) -> date | None:
    """The day on which a bundle says that it was put together."""
    stamp = bundle.get("timestamp")
    try:
        return date.fromisoformat(stamp[:10]) if isinstance(stamp, str) else None
    except ValueError:
        return None


def is_logged(content: Any) -> bool:
    """Whether a line is one of the log of a bulk export."""
    return isinstance(content, dict) and {"exportId", "eventId"} <= content.keys() <= _LOGGED


def notices_of(bundle: dict[str, Any], source: str) -> list[str]:
    """What is to be known of a bundle as a whole.

    Raises:
        UnreadableInput: it requests nothing, or the server could not answer.
    """
    held = [entry.get("resource") if isinstance(entry, dict) else None for entry in as_list(bundle.get("entry"))]
    notices: list[str] = []
    first = held[0] if held else None
    if bundle.get("type") == "document" and isinstance(first, dict) and type_of(first) == "Composition":
        if first.get("status") == "entered-in-error":
            raise UnreadableInput("a document entered in error", where=source, hint="send the one that replaces it")
        notices += ["The document is preliminary."] if first.get("status") == "preliminary" else []
    meta = bundle.get("meta")
    profiles = as_list(meta.get("profile")) if isinstance(meta, dict) else []
    if any(str(profile).partition("|")[0] == _INQUIRY for profile in profiles):
        what = "an inquiry about an earlier request, and no request"
        raise UnreadableInput(what, where=source, hint="send the request itself")
    notices += ["The bundle is tagged SUBSETTED: elements of it were left out."] if is_subsetted(bundle) else []
    for i, inner in enumerate(held):
        if isinstance(inner, dict) and inner.get("resourceType") == "OperationOutcome":
            notices += warnings_of(inner, f"entry[{i}] OperationOutcome", source)
    return notices


def warnings_of(outcome: dict[str, Any], place: str, source: str = "") -> list[str]:
    """What an OperationOutcome says of what it comes with, if that may be incomplete.

    Raises:
        UnreadableInput: the server could not answer.
    """
    issues = [issue for issue in as_list(outcome.get("issue")) if isinstance(issue, dict)]
    if source and any(issue.get("severity") in ("error", "fatal") for issue in issues):
        what = f"{place}: the server reports an error, so what it sent may be incomplete"
        raise UnreadableInput(what, where=source, hint="ask again, and send all that is found")
    if any(issue.get("severity") != "information" or issue.get("code") in _LEFT_OUT for issue in issues):
        return [f"{place}: the server warns: what it sent may be incomplete."]
    return []


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def may_state(kind: str, content: dict[str, Any]) -> bool:
    """Whether a resource is of a type that is read, or contains one that may state a fact."""
    return kind in READ_TYPES or any(type_of(inner) in CLINICAL for inner in as_list(content.get("contained")))


def counts_in_words(unread: Counter[str]) -> list[str]:
    """Resource types that are not read, each with its number."""
    return [f"{name} \N{MULTIPLICATION SIGN}{count}" for name, count in sorted(unread.items())]
