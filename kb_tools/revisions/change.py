"""The changes between two revisions, and what the log says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from kb_tools.as_json import AsJson
from kb_tools.model.parts import DOCUMENT_PARTS
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import POL
from kb_tools.revisions.replay import Impact, Replay
from kb_tools.revisions.verdict import Direction, Verdict, Witness


class Kind(Enum):
    """What happened to a thing between two revisions."""

    ADDED = "added"
    REMOVED = "removed"
    RENUMBERED = "renumbered"
    MOVED = "moved"
    LOGIC = "logic changed"
    REWORDED = "reworded"
    UPDATED = "updated"
    WIDENED = "widened"
    NARROWED = "narrowed"


# The kinds of change by which what a criterion lets through can change.
CONTENT = (Kind.ADDED, Kind.REMOVED, Kind.LOGIC)
# The parts that are lists of things, each with the property that lists them.
LISTED = {
    "Definitions": POL.gives,
    "Codes": POL.lists,
    "References": POL.listsReference,
    "Evidence": POL.reports,
}


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes:
        part: the part of the policy it belongs to, as the local name of a pol:Part, or "Conditions", "Advisories".
        iri: the criterion, code, reference, … that changed.
        label: its name, with its place where it has one.
        before, after: what it said, line by line; empty where it was not there.
        within: of a criterion the criteria that it stands in, on either side.
        named: the log statements between the two revisions that name it, or what it stands in, by IRI.
        general: those that tell of its part as a whole.
    """

    part: str
    kind: Kind
    iri: str
    label: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    general: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """All log statements that tell of it."""
        return (*self.named, *self.general)

    def to_dict(self) -> dict[str, Any]:
        """Give the change as JSON values."""
        return {
            "part": self.part,
            "kind": self.kind.value,
            "iri": self.iri,
            "label": self.label,
            "before": list(self.before),
            "after": list(self.after),
            "logNames": list(self.named),
            "logInGeneral": list(self.general),
        }


class LogVerdict(Enum):
    """What became of a log statement when held against the changes found."""

    EXPLAINS = "found"
    NOT_FOUND = "claimed but not found"
    CONTRADICTED = "claims no impact, and the criteria changed"
    NOT_CHECKABLE = "not checkable"


@dataclass(frozen=True)
class LogFinding:
    """One statement of the log between two revisions, compared with the changes."""

    row: str
    row_label: str
    statement: str
    label: str
    finding: LogVerdict
    why: str

    def to_dict(self) -> dict[str, str]:
        """Give the statement and what became of it as JSON values."""
        return {
            "row": self.row_label,
            "statement": self.statement,
            "label": self.label,
            "finding": self.finding.value,
            "why": self.why,
        }


@dataclass(frozen=True)
class Diff(AsJson):
    """All that differs between two revisions.

    Attributes:
        unknown: the parts that are not compared, each with the sides that do not have it on file.
        borne_out: of each witness of the verdict, by its direction, the case that comes to what it says.
        impact: what became of the cases that were determined under both, where there were any to determine.
    """

    old: Revision
    new: Revision
    changes: tuple[Change, ...]
    unknown: tuple[tuple[str, str], ...]
    verdict: Verdict
    log: tuple[LogFinding, ...]
    borne_out: Mapping[Direction, Replay]
    impact: Impact | None = None

    @property
    def unexplained(self) -> tuple[Change, ...]:
        """The changes that no row of the log between the two tells of, as far as that can be checked."""
        return tuple(change for change in self.changes if not change.rows and change.part in DOCUMENT_PARTS)

    @property
    def differ(self) -> bool:
        """Whether anything differs."""
        return bool(self.changes) or self.verdict.differs

    @property
    def drafts(self) -> tuple[Revision, ...]:
        """The sides that are drafts."""
        return tuple(side for side in (self.old, self.new) if side.entry.draft)

    def fails_on(self, what: Iterable[str]) -> bool:
        """Whether one of the things that a pipeline wants to fail on is there.

        Args:
            what: "stricter", "flips" or "unexplained" (a change that no log row tells of, or a log row that is not
                borne out).
        """
        claims = {LogVerdict.NOT_FOUND, LogVerdict.CONTRADICTED}
        there = {
            "stricter": self.verdict.stricter is not None,
            "flips": bool(self.impact and self.impact.flips),
            "unexplained": bool(self.unexplained) or any(logged.finding in claims for logged in self.log),
        }
        return any(there[kind] for kind in what)

    @cached_property
    def conditions(self) -> Mapping[str, str]:
        """The label of every condition of either side."""
        return {iri: condition.label for side in (self.old, self.new) for iri, condition in side.conditions.items()}

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """The witnesses that a case bears out, and then the others."""
        return *self.verdict.witnesses, *self.verdict.unconfirmed

    def to_dict(self) -> dict[str, Any]:
        """Give the difference, as `kb diff --format json` does."""
        impact = {"impact": self.impact.to_dict()} if self.impact else {}
        return {
            "policy": self.new.policy.identifier,
            "old": self.old.entry.name,
            "new": self.new.entry.name,
            "drafts": [side.entry.name for side in self.drafts],
            "basis": {side.entry.name: side.entry.on_file for side in (self.old, self.new)},
            "verdict": {
                "direction": self.verdict.direction.value,
                "by": self.verdict.by or None,
                "byInference": self.verdict.inferred,
                "borrowed": list(self.verdict.borrowed),
                "witnesses": [
                    {**witness.to_dict(), "borneOutByCase": witness.direction in self.borne_out}
                    for witness in self.witnesses
                ],
                "unconfirmed": [witness.direction.value for witness in self.verdict.unconfirmed],
            },
            "changes": [change.to_dict() for change in self.changes],
            "notCompared": [{"part": part, "notOnFileFor": side} for part, side in self.unknown],
            "log": [logged.to_dict() for logged in self.log],
            "unexplained": [change.iri for change in self.unexplained],
            **impact,
        }
