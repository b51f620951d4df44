"""Notices of what is not understood: codes that may be meant for known ones, and how many resources say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.dates import days_of
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.r4 import HINTING, STATING
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.texts import TextReader

# So many places a notice lists.
_FEW = 3


def report_near_misses(assembly: Assembly, texts: TextReader) -> None:
    """Adds a notice for each code that may be meant for a known one: how to write it, and where it is."""
    hints: dict[str, list[str]] = {}
    for resource in assembly.resources:
        if resource not in assembly.dismissed:
            for coding in _codings_that_matter(texts, resource):
                near = assembly.codes.near(coding)
                places = hints.setdefault(near.hint, []) if near else []
                places += [] if resource.place in places else [resource.place]
    assembly.notices += [f"{_few(places)}: {hint}." for hint, places in hints.items()]


def _codings_that_matter(texts: TextReader, resource: Resource) -> Iterator[Element]:
    """The codes of a resource that should be known."""
    root = resource.aside
    if resource.type in (*STATING, *HINTING):
        yield from texts.codings(resource)
    elif resource.type == "Claim":
        for item in root.all("item"):
            for part in (item, *item.all("detail")):
                yield from part.codings("productOrService")
        for diagnosis in root.all("diagnosis"):
            yield from diagnosis.codings("diagnosisCodeableConcept")
    elif resource.type == "ServiceRequest":
        yield from root.codings("code")
        for reason in root.all("reasonCode"):
            yield from reason.all("coding")
    elif resource.type == "Coverage":
        yield from root.codings("type")


def report_silent(assembly: Assembly, texts: TextReader, doubted: set[str], oldest: date | None) -> None:
    """Adds a notice of how many resources are not understood and raise no doubt.

    Args:
        doubted: the places of the resources that raise a doubt.
        oldest: the day of the oldest finding that was read; what is surely older than that is not asked for.
    """
    silent = blank = 0
    for resource in assembly.resources:
        if resource.type not in (*STATING, *HINTING) or resource in assembly.dismissed:
            continue
        if resource.place in doubted or texts.grouped(resource) or assembly.codes.possible(texts.codings(resource)):
            continue
        if any(texts.texts(resource)) or (oldest and (days := days_of(resource)) and days[1] < oldest):
            silent += 1
        else:
            blank += 1
    counts = []
    if silent:
        counts.append(
            f"{_resources(silent)} without a known code, whose texts mention nothing that the policy asks about"
        )
    if blank:
        since = f", dated on or after {oldest}, the oldest finding that was read, or not dated" if oldest else ""
        counts.append(f"{_resources(blank)} that could not be judged, with neither a known code nor a text{since}")
    if counts:
        assembly.notices.append(f"Not understood: {'; '.join(counts)}.")


def _few(places: list[str]) -> str:
    """Places as a notice lists them."""
    listed = ", ".join(places[:_FEW])
    return f"{listed} and {len(places) - _FEW} more" if len(places) > _FEW else listed


def _resources(count: int) -> str:
    return f"{count} resource{'s' * (count > 1)}"
