"""Why no fact is made of a resource, or of a part of one."""

from __future__ import annotations

from kb_tools.cases.record import Treatment

USED, IGNORED, NOT_UNDERSTOOD, NOT_READ = Treatment
NOWHERE = "the reference leads nowhere in the input"


class Skipped(Exception):
    """A resource, or a part of one, of which no fact is made.

    Args:
        treatment: IGNORED or NOT_UNDERSTOOD.
        text: why, without any value of the resource.
        elements: the elements that it is about; none for the resource as a whole.
        doubtful: whether what it states may be so all the same, so that nothing older of its kind can decide; by
            default where it is not understood.
    """

    def __init__(self, treatment: Treatment, text: str, *elements: str, doubtful: bool | None = None) -> None:
        self.treatment = treatment
        self.text = text
        self.elements = elements
        self.doubtful = treatment is NOT_UNDERSTOOD if doubtful is None else doubtful
        super().__init__(text)
