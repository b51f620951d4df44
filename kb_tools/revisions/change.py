"""The changes between two revisions, and what the log says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from rdflib.namespace import SKOS

from kb_tools.as_json import AsJson
from kb_tools.cases.case import Case
from kb_tools.document.left import Draft
from kb_tools.model.parts import DOCUMENT_PARTS
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import POL
from kb_tools.revisions.replay import Impact, Replay
from kb_tools.revisions.requirements import Contrast
from kb_tools.revisions.verdict import Direction, Verdict


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


def names_of(old: Revision, new: Revision) -> tuple[str, str]:
    """What the two sides are called: by their months, and with their policies where these are two."""
    sides = (old, new)
    if old.policy.iri == new.policy.iri:
        return old.entry.name, new.entry.name
    first, second = (f"{side.policy.identifier}/{side.entry.name}" for side in sides)
    return first, second


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
class ListedCode:
    """A billing code that one of two revisions lists, or both.

    Attributes:
        number: the code itself.
        gloss: what it is for, in words of our own.
        listed: whether the old revision lists it, and the new one; None where its list is not on file, or in part only.
    """

    iri: str
    number: str
    gloss: str
    listed: tuple[bool | None, bool | None]

    def to_dict(self) -> dict[str, Any]:
        """Give the code as JSON values."""
        return {"code": self.iri, "number": self.number, "oldLists": self.listed[0], "newLists": self.listed[1]}


@dataclass(frozen=True)
class Diff(AsJson):
    """All that differs between two revisions, of one policy or of two.

    Attributes:
        changes: of two policies, the disposition alone; see `contrasts` and `codes`.
        log: of two policies, which have no log in common, nothing.
        contrasts: of two policies, what each requires, held against the other.
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
    contrasts: tuple[Contrast, ...] = ()
    impact: Impact | None = None

    @property
    def of_two_policies(self) -> bool:
        """Whether the two are revisions of two policies."""
        return self.old.policy.iri != self.new.policy.iri

    @property
    def names(self) -> tuple[str, str]:
        """What the two sides are called: "2019-10", or "CP.MP.101/2019-10" where the policies are two."""
        return names_of(self.old, self.new)

    def name_of(self, side: Revision) -> str:
        """What one of the two sides is called."""
        return self.names[0] if side.entry.iri == self.old.entry.iri else self.names[1]

    @property
    def unexplained(self) -> tuple[Change, ...]:
        """The changes that no row of the log between the two tells of, as far as that can be checked."""
        if self.of_two_policies:
            return ()
        return tuple(change for change in self.changes if not change.rows and change.part in DOCUMENT_PARTS)

    @property
    def differ(self) -> bool:
        """Whether anything differs."""
        if self.of_two_policies and any({True, False} == set(code.listed) for code in self.codes):
            return True
        return bool(self.changes) or self.verdict.differs or not all(one.shared for one in self.contrasts)

    @property
    def drafts(self) -> tuple[Revision, ...]:
        """The sides that are drafts."""
        return tuple(side for side in (self.old, self.new) if side.entry.draft)

    @cached_property
    def left_to_decide(self) -> Mapping[str, int]:
        """How many things a person still has to decide in each side that is a draft, by what the side is called."""
        return {self.name_of(side): len(Draft(side.policy, side.entry).to_decide) for side in self.drafts}

    @property
    def final(self) -> bool:
        """Whether nothing is left to decide that could change what is compared."""
        return not any(self.left_to_decide.values())

    @property
    def words(self) -> str:
        """The verdict as one phrase, and whether it is only what the two come to so far."""
        return self.verdict.words if self.final else f"{self.verdict.words}, so far"

    @property
    def of_drafts(self) -> list[str]:
        """What a reader has to know of each side that is a draft: a line for each thing."""
        found = [f"{name} is a draft: it is not released, and in force on no date." for name in self.left_to_decide]
        for name, count in self.left_to_decide.items():
            things = "1 thing is" if count == 1 else f"{count} things are"
            found += [f"This is not final: {things} left to decide in {name}; see kb draft status."] if count else []
        return found

    def fails_on(self, what: Iterable[str]) -> bool:
        """Whether one of the things that a pipeline wants to fail on is there.

        Args:
            what: "stricter", "flips", "unexplained" (a change that no log row tells of, or a log row that is not borne
                out) or "unfinished" (something is left to decide in a draft).
        """
        claims = {LogVerdict.NOT_FOUND, LogVerdict.CONTRADICTED}
        there = {
            "stricter": self.verdict.stricter is not None,
            "flips": bool(self.impact and self.impact.flips),
            "unexplained": bool(self.unexplained) or any(logged.finding in claims for logged in self.log),
            "unfinished": not self.final,
        }
        return any(there[kind] for kind in what)

    @cached_property
    def codes(self) -> tuple[ListedCode, ...]:
        """The codes that either side lists, by their numbers."""
        sides = (self.old, self.new)
        lists = [set(side.graph.objects(side.iri, POL.lists)) for side in sides]
        whole = [side.basis("Codes") != "NotOnFile" and "Codes" not in side.entry.in_part for side in sides]
        found = []
        for code in lists[0] | lists[1]:
            graph = sides[code not in lists[0]].graph
            first, second = (True if code in lists[side] else False if whole[side] else None for side in (0, 1))
            number, gloss = (str(graph.value(code, said) or "") for said in (SKOS.notation, POL.gloss))
            found.append(ListedCode(str(code), number, gloss, (first, second)))
        return tuple(sorted(found, key=lambda code: (code.number, code.iri)))

    @cached_property
    def conditions(self) -> Mapping[str, str]:
        """The label of every condition of either side."""
        return {iri: condition.label for side in (self.old, self.new) for iri, condition in side.conditions.items()}

    @property
    def witness_cases(self) -> list[Case]:
        """The cases that show how the two differ: one for each direction, or of two policies for each requirement."""
        shown = [one.replay for one in self.contrasts] if self.of_two_policies else self.borne_out.values()
        return [replay.before.case for replay in shown if replay]

    def to_dict(self) -> dict[str, Any]:
        """Give the difference, as `kb diff --format json` does."""
        impact = {"impact": self.impact.to_dict()} if self.impact else {}
        sides, names = (self.old, self.new), self.names
        contrasted: dict[str, Any] = {}
        if self.of_two_policies:
            contrasted["requirements"] = [one.to_dict() for one in self.contrasts]
            contrasted["codes"] = [code.to_dict() for code in self.codes]
        return {
            "policy": " and ".join(dict.fromkeys(side.policy.identifier for side in sides)),
            "old": names[0],
            "new": names[1],
            "drafts": [name for name, side in zip(names, sides, strict=True) if side.entry.draft],
            "final": self.final,
            "leftToDecide": dict(self.left_to_decide),
            "basis": {name: side.entry.on_file for name, side in zip(names, sides, strict=True)},
            "verdict": {
                "direction": self.verdict.direction.value,
                "by": self.verdict.by or None,
                "byInference": self.verdict.inferred,
                "borrowed": list(self.verdict.borrowed),
                "witnesses": [{**witness.to_dict(), "borneOutByCase": True} for witness in self.verdict.witnesses],
                "unconfirmed": [direction.value for direction in self.verdict.unconfirmed],
            },
            "changes": [change.to_dict() for change in self.changes],
            "notCompared": [{"part": part, "notOnFileFor": side} for part, side in self.unknown],
            "log": [logged.to_dict() for logged in self.log],
            "unexplained": [change.iri for change in self.unexplained],
            **contrasted,
            **impact,
        }
