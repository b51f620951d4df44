"""The notation of a unit's place in the document, such as I.A.2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from kb_tools.document.unit import Unit

# What the numbers of items look like, by the level that they usually have.
_FORMS = tuple(map(re.compile, (r"[IVXLC]+", r"[A-Z]", r"\d+", r"[a-z]", r"[ivxlc]+")))
# The numbers from the top to an item, each with its form.
_Path: TypeAlias = Sequence[tuple[int, str]]


def notations(units: Sequence[Unit]) -> Iterator[str]:
    """How each unit is called by its place: "II.A", "Reference 7", "Background, paragraph 4, sentence 3"."""
    path: _Path = []
    place, count = "", 0
    for unit in units:
        if unit.kind == "heading":
            path = []
        if unit.kind == "item" and unit.label:
            path = _path(path, unit.label)
        here = _place(unit, path)
        count = count + 1 if here == place else 1
        place = here
        numbered = unit.kind == "sentence" and not path
        yield f"{here}, sentence {count}" if numbered or count > 1 else here


def _place(unit: Unit, path: _Path) -> str:
    """The place of the paragraph that a unit stands in."""
    if unit.kind == "heading":
        return f"{unit.section}, heading"
    if unit.kind == "reference":
        return f"Reference {unit.label}"
    if unit.kind == "row":
        return f"{unit.section}, {f'code {unit.label}' if unit.label else f'row {unit.paragraph}'}"
    if path:
        return ".".join(number for _, number in path) + (", note" if unit.label == "Note" else "")
    return f"{unit.section}, paragraph {unit.paragraph}"


def _path(path: _Path, label: str) -> _Path:
    """The numbers from the top to an item: it has the level of the letter before it, else that of its form."""
    for level, (form, above) in reversed(list(enumerate(path))):
        if len(label) == len(above) == 1 and ord(label) == ord(above) + 1:
            return [*path[:level], (form, label)]
    form = next((number for number, pattern in enumerate(_FORMS) if pattern.fullmatch(label)), len(_FORMS))
    level = next((number for number, (other, _) in enumerate(path) if other == form), len(path))
    return [*path[:level], (form, label)]
