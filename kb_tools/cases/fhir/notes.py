"""The record of one case: all that was noted of its resources, and what nothing looked at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from kb_tools.cases.fhir.element import top_name
from kb_tools.cases.fhir.r4 import element_names
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_READ, USED
from kb_tools.cases.memo import KEPT
from kb_tools.cases.record import Note


def notes_of(resources: Sequence[Resource], unread: Sequence[str]) -> list[Note]:
    """All notes, in the order of the resources; of one that was used, what was looked at nowhere comes last.

    Args:
        unread: what there is of types that are not read.
    """
    found: list[Note] = []
    for resource in resources:
        if not resource.notes:
            resource.note(IGNORED, "nothing that is read refers to it")
        _add_notes(resource, found)
        for inner in resource.contained:
            if not inner.notes:
                inner.note(NOT_READ)
            _add_notes(inner, found)
    found += [Note(place, NOT_READ) for place in unread]
    return found


def _add_notes(resource: Resource, found: list[Note]) -> None:
    """Adds the notes of a resource, and the elements that none of them is about; no name that R4 does not have."""
    found += resource.notes
    treatments = [note.treatment for note in resource.notes]
    if treatments.count(NOT_READ) == len(treatments):
        return
    if USED in treatments:
        rest = tuple([name for name in resource.root.unread() if name != "contained"])
    else:
        left_out = {"contained", *[top_name(element) for note in resource.notes for element in note.elements]}
        known = element_names(resource.type)
        names = [(name, name.removeprefix("_")) for name in resource.content]
        rest = _one_object(tuple([name for name, element in names if element in known and element not in left_out]))
    if rest:
        found.append(Note(resource.place, NOT_READ, elements=rest))


@lru_cache(KEPT)
def _one_object(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of elements of R4, which are the same in most resources, as one object."""
    return names
