"""The record of one case: all that was noted of its resources, and what nothing looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kb_tools.cases.fhir.element import top_name
from kb_tools.cases.fhir.r4 import element_names
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_READ, USED
from kb_tools.cases.record import Note


def notes_of(resources: Sequence[Resource], unread: Sequence[str]) -> Iterator[Note]:
    """All notes, in the order of the resources; of one that was used, what was looked at nowhere comes last.

    Args:
        unread: what there is of types that are not read.
    """
    for resource in resources:
        if not resource.notes:
            resource.note(IGNORED, "nothing that is read refers to it")
        yield from _with_the_rest(resource)
        for inner in resource.contained:
            if not inner.notes:
                inner.note(NOT_READ)
            yield from _with_the_rest(inner)
    for place in unread:
        yield Note(place, NOT_READ)


def _with_the_rest(resource: Resource) -> Iterator[Note]:
    """The notes of a resource, and the elements that none of them is about; no name that R4 does not have comes out."""
    yield from resource.notes
    treatments = {note.treatment for note in resource.notes}
    if treatments == {NOT_READ}:
        return
    if USED in treatments:
        rest = [name for name in resource.root.unread() if name != "contained"]
    else:
        left_out = {"contained", *(top_name(element) for note in resource.notes for element in note.elements)}
        known = element_names(resource.type)
        plain = [(name, name.removeprefix("_")) for name in resource.content]
        rest = [name for name, element in plain if element in known and element not in left_out]
    if rest:
        yield Note(resource.place, NOT_READ, elements=tuple(rest))
