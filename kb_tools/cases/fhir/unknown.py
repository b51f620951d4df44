"""Notices of what is not understood: codes that may be meant for known ones, and how many resources say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.codes import coded
from kb_tools.cases.fhir.dates import days_of
from kb_tools.cases.fhir.element import Coded, Element
from kb_tools.cases.fhir.r4 import CLINICAL
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.texts import TextReader

# So many places a notice lists.
_FEW = 3


def report_near_misses(assembly: Assembly, texts: TextReader) -> None:
    """Adds a notice for each code that may be meant for a known one: how to write it, and where it is."""
    hints: dict[str, list[str]] = {}
    for resource in assembly.resources:
        if resource not in assembly.dismissed:
            for near in assembly.codes.nears_of(_codes_that_matter(texts, resource)):
                places = hints.setdefault(near.hint, [])
                places += [] if resource.place in places else [resource.place]
    assembly.notices += [f"{_few(places)}: {hint}." for hint, places in hints.items()]


def _codes_that_matter(texts: TextReader, resource: Resource) -> Coded:
    """The codes of a resource that should be known."""
    if resource.type in CLINICAL:
        return () if texts.says_nothing(resource) else texts.coded(resource)
    return coded(_codings_of_a_request(resource))


def _codings_of_a_request(resource: Resource) -> Sequence[Element]:
    root = resource.aside
    if resource.type == "Claim":
        parts = [part for item in root.all("item") for part in (item, *item.all("detail"))]
        return [
            *(coding for part in parts for coding in part.codings("productOrService")),
            *(
                coding
                for diagnosis in root.all("diagnosis")
                for coding in diagnosis.codings("diagnosisCodeableConcept")
            ),
        ]
    if resource.type == "ServiceRequest":
        reasons = root.all("reasonCode")
        return [*root.codings("code"), *(coding for reason in reasons for coding in reason.all("coding"))]
    return root.codings("type") if resource.type == "Coverage" else ()


def report_silent(assembly: Assembly, texts: TextReader, doubted: set[str], oldest: date | None) -> None:
    """Adds a notice of how many resources are not understood and raise no doubt.

    Args:
        doubted: the places of the resources that raise a doubt.
        oldest: the day of the oldest finding that was read; what is surely older than that is not asked for.
    """
    silent = blank = 0
    for resource in assembly.resources:
        if resource.type not in CLINICAL or resource in assembly.dismissed:
            continue
        if resource.place in doubted or _is_understood(assembly, texts, resource):
            continue
        if texts.has_text(resource) or (oldest and (days := days_of(resource)) and days[1] < oldest):
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


def _is_understood(assembly: Assembly, texts: TextReader, resource: Resource) -> bool:
    if texts.says_nothing(resource):
        return False
    return bool(texts.grouped(resource) or assembly.codes.possible_of(texts.coded(resource)))


def _few(places: list[str]) -> str:
    """Places as a notice lists them."""
    listed = ", ".join(places[:_FEW])
    return f"{listed} and {len(places) - _FEW} more" if len(places) > _FEW else listed


def _resources(count: int) -> str:
    return f"{count} resource{'s' * (count > 1)}"
