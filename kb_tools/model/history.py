"""The history of a policy: its log rows, its revisions, and the choice of one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from rdflib import Literal

from kb_tools.as_json import AsJson
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.parts import DOCUMENT_PARTS


@dataclass(frozen=True)
class LogRow:
    """What the revision log says of one revision: its dates as printed, and the approval if there is one."""

    iri: str
    order: int
    revision_printed: str
    approval_printed: str
    approval: date | None


@dataclass(frozen=True)
class RevisionEntry(AsJson):
    """One revision in the history of its policy.

    Attributes:
        month: the first day of its revision month.
        effective: the day from which it is taken to be in force: approval if the log gives one, else `month`.
        row: its row in the log, None where the log has none.
        bases: what is on file, by part (local name, "Criteria") and basis ("DocumentOnFile").
        in_part: the parts of which only some of what the document says is known ("Codes").
        has_none: the parts of which the document has nothing ("Evidence").
        draft: whether its revision.ttl says of it what is still to be done (pol:toDo); then it is in force on no date,
            and nothing of it counts as on file.
    """

    iri: str
    name: str
    label: str
    month: date
    row: LogRow | None
    bases: dict[str, str] = field(hash=False)
    draft: bool = False
    in_part: tuple[str, ...] = ()
    has_none: tuple[str, ...] = ()

    @property
    def effective(self) -> date:
        return self.row.approval if self.row and self.row.approval else self.month

    @property
    def criteria_on_file(self) -> bool:
        return self.on_file["Criteria"] != "NotOnFile"

    @property
    def on_file(self) -> dict[str, str]:
        """What each part of it rests on; nothing of a draft is on file."""
        return {part: "NotOnFile" if self.draft else self.bases.get(part, "NotOnFile") for part in DOCUMENT_PARTS}

    def to_dict(self) -> dict[str, Any]:
        """Give the revision, as `kb show --format json` lists it under its policy."""
        return {
            "revision": self.name,
            "iri": self.iri,
            "draft": self.draft,
            "countsFrom": None if self.draft else self.effective.isoformat(),
            "approval": self.row.approval_printed or None if self.row else None,
            "inLog": self.row is not None,
            "onFile": self.on_file,
            **({"inPart": list(self.in_part)} if self.in_part else {}),
            **({"hasNone": list(self.has_none)} if self.has_none else {}),
        }


@dataclass(frozen=True)
class Selection:
    """The revision chosen for a case, and what a reader must know of the choice."""

    revision: RevisionEntry
    notices: tuple[str, ...]


def first_day(literal: Literal, where: Path) -> date:
    """The day of an xsd:date, or the first day of an xsd:gYearMonth; `where` is the file or folder that states it.

    Raises:
        KnowledgeBaseError: it is neither.
    """
    text = str(literal)
    try:
        return date.fromisoformat(text if len(text) == 10 else text + "-01")
    except ValueError:
        raise KnowledgeBaseError(
            f'"{text}" is neither a day nor a month', where=str(where), hint="correct it"
        ) from None
