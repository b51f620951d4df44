"""The record of how a case was read from resources: what became of each of them, element by element.

It names resources by position and elements by path. It never repeats a value that could tell of a person: no
identifier, no name, no text, no code that is not known to be one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

# The ending of files with one FHIR bundle or resource a line.
NDJSON = ".ndjson"


class Treatment(Enum):
    """What became of some elements of a resource."""

    USED = "used"
    IGNORED = "ignored"
    NOT_UNDERSTOOD = "not understood"
    NOT_READ = "not read"


class Note(NamedTuple):
    """What became of a resource, or of some of its elements.

    Attributes:
        place: the resource, or several of one type, by position: "entry[3] Observation".
        text: what was made of the elements, or why nothing was.
        elements: paths within the resource; none where the note is of the resource as a whole.
    """

    place: str
    treatment: Treatment
    text: str = ""
    elements: tuple[str, ...] = ()

    def __str__(self) -> str:
        line = ": ".join(part for part in (self.place, self.treatment.value, self.text) if part)
        if not self.elements:
            return line
        listed = ", ".join(self.elements)
        return f"{line} (from {listed})" if self.treatment is Treatment.USED else f"{line}: {listed}"

    def to_dict(self) -> dict[str, Any]:
        """Give the note as JSON values."""
        return {
            "resource": self.place,
            "treatment": self.treatment.value,
            "text": self.text or None,
            "elements": list(self.elements),
        }


@dataclass(frozen=True)
class Reading:
    """The complete record of one case.

    Attributes:
        source: the input, as it is called where the record goes to others.
        notes: in the order of the resources.
    """

    source: str
    notes: tuple[Note, ...]
