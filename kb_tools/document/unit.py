"""A unit of a document: a sentence, an item, a table row or a reference."""

from __future__ import annotations

from dataclasses import dataclass

from kb_tools.errors import KbError

HEADER = "Header"
REVISION_LOG = "Revision Log"
REFERENCES = "References"


class DocumentError(KbError):
    """A document that cannot be read: its text says what it is and what to do."""


@dataclass(frozen=True)
class Unit:
    """One heading, sentence, list item, table row or reference of a document.

    Attributes:
        kind: "heading", "sentence", "item", "row" or "reference".
        section: the heading it stands under (a heading: itself); "Header" before the first; "Revision Log" for its
            table.
        order: its place in the document, from 1.
        label: the number of an item, reference or code row as printed, without its full stop; "Note" for each sentence
            of a note; else "".
        paragraph: its paragraph in the section, from 1; each item, note, row and reference is one; 0 for a heading.
        text: one line without furniture, citation marks, decoration and label (a code belongs to the text of its row).
        marks: the numbers of the references it cites, in order.
        digest: the digest of the text.
    """

    kind: str
    section: str
    order: int
    label: str
    paragraph: int
    text: str
    marks: tuple[int, ...]
    digest: str
