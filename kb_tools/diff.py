"""Two revisions compared: what changed, whether that is stricter or looser, and whether the revision log says so.

The model only; how it is shown is kb_tools.render.diff. Of a part that one side does not have on file nothing is said:
it is never reported as removed or added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TypeAlias

from rdflib import Graph, URIRef
from rdflib.namespace import DCTERMS, RDFS, SKOS
from rdflib.term import Node

from kb_tools.determination import Outcome, outcome_of
from kb_tools.errors import KbError
from kb_tools.knowledge_base import Policy, RevisionEntry, local_name
from kb_tools.namespaces import BIBO, CITO, POL
from kb_tools.revision import Criterion, Revision
from kb_tools.truth import Assignments, Tree, Value, evaluate


class Kind(Enum):
    """What happened to a thing between two revisions."""

    ADDED = "added"
    REMOVED = "removed"
    RENUMBERED = "renumbered"
    LOGIC = "logic changed"
    REWORDED = "reworded"
    UPDATED = "updated"
    WIDENED = "widened"
    NARROWED = "narrowed"


OPERATOR_WORDS = {"allOf": "all of", "anyOf": "any of", "noneOf": "none of"}
# What a thing says, by property.
Describe: TypeAlias = Callable[[Graph, Node], dict[str, str]]


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes:
        part: the part of the policy it belongs to, as the local name of a pol:Part, or "Conditions", "Advisories".
        iri: the criterion, code, reference, … that changed.
        label: its name, with its place where it has one.
        before, after: what it said, line by line; empty where it was not there.
        named: the log statements between the two revisions that name it, by IRI.
        general: those that tell of its part as a whole.
    """

    part: str
    kind: Kind
    iri: str
    label: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    general: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """All log statements that tell of it."""
        return (*self.named, *self.general)


class Direction(Enum):
    """How the cases that meet the criteria change."""

    STRICTER = "stricter"
    LOOSER = "looser"
    MIXED = "mixed"
    EQUIVALENT = "equivalent"
    RESCOPED = "rescoped"


@dataclass(frozen=True)
class Witness:
    """Values of conditions on which the two revisions differ, and what each comes to.

    Attributes:
        values: no more than it takes; the other conditions do not matter.
    """

    values: Mapping[str, Value]
    before: Outcome
    after: Outcome


@dataclass(frozen=True)
class Verdict:
    """Whether the new revision is stricter or looser than the old one.

    Attributes:
        by: what changed it: "applicability alone", "criteria alone", "applicability and criteria", or "".
        inferred: whether one side's criteria are inferred from the log.
        stricter: a smallest case that met the criteria and no longer does.
        looser: a smallest case that meets them and did not.
        rescoped: where neither exists, one that is not applicable on one side and not met on the other.
    """

    direction: Direction
    by: str
    inferred: bool
    stricter: Witness | None
    looser: Witness | None
    rescoped: Witness | None

    @property
    def words(self) -> str:
        """The verdict as one phrase."""
        return ", ".join(
            part
            for part in (
                self.direction.value,
                f"by {self.by}" if self.by else "",
                "by inference" if self.inferred else "",
            )
            if part
        )

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """The witnesses there are."""
        return tuple(each for each in (self.stricter, self.looser, self.rescoped) if each)


class Finding(Enum):
    """What became of a log statement when held against the changes found."""

    EXPLAINS = "found"
    NOT_FOUND = "claimed but not found"
    CONTRADICTED = "claims no impact, and the criteria changed"
    NOT_CHECKABLE = "not checkable"


@dataclass(frozen=True)
class LogFinding:
    """One statement of the log between two revisions, held against the changes."""

    row: str
    row_label: str
    statement: str
    label: str
    finding: Finding
    why: str


@dataclass(frozen=True)
class Diff:
    """All that differs between two revisions."""

    old: Revision
    new: Revision
    changes: tuple[Change, ...]
    unknown: tuple[tuple[str, str], ...]
    verdict: Verdict
    log: tuple[LogFinding, ...]

    @property
    def unexplained(self) -> tuple[Change, ...]:
        """The changes that no row of the log between the two tells of, as far as that can be checked."""
        return tuple(each for each in self.changes if not each.rows and each.part in CHECKABLE_PARTS)

    @property
    def differ(self) -> bool:
        """Whether anything differs."""
        return bool(self.changes) or self.verdict.direction is not Direction.EQUIVALENT

    @cached_property
    def conditions(self) -> Mapping[str, str]:
        """The label of every condition of either side."""
        return {iri: each.label for side in (self.old, self.new) for iri, each in side.conditions.items()}


PARTS = {
    "Criteria": "criteria",
    "DispositionPart": "disposition",
    "Conditions": "conditions",
    "Definitions": "definitions",
    "Codes": "codes",
    "References": "references",
    "Evidence": "evidence",
    "Advisories": "advisories",
}
# The parts that a revision log tells of; conditions follow from criteria, advisories are told of by no row.
CHECKABLE_PARTS = ("Criteria", "DispositionPart", "Definitions", "Codes", "References", "Evidence")
# Which parts of the document a log statement must affect to tell of a change of one of ours.
TOLD_BY = {
    "Criteria": ("Criteria", "WholePolicy"),
    "DispositionPart": ("Criteria", "DispositionPart", "WholePolicy"),
    "Definitions": ("Definitions", "Background", "Description", "WholePolicy"),
    "Codes": ("Codes", "WholePolicy"),
    "References": ("References", "WholePolicy"),
    "Evidence": ("Evidence", "Background", "Description", "WholePolicy"),
}
# Kinds of log statements that say that something changed; a review says nothing of the kind.
TELLING = {"Added", "Removed", "Updated", "Reworded"}


def compare(policy: Policy, before: str, after: str) -> Diff:
    """The difference between two revisions of one policy.

    Raises:
        KbError: the same revision twice, an unknown one, or one whose criteria are not on file.
    """
    old, new = policy.entry(before), policy.entry(after)
    if old.iri == new.iri:
        raise KbError(f"{old.name} is compared with itself", mend="name two revisions")
    policy.require_criteria(old)
    policy.require_criteria(new)
    return _Comparison(Revision.load(policy, old), Revision.load(policy, new)).diff()


class _Comparison:
    def __init__(self, old: Revision, new: Revision) -> None:
        self.old = old
        self.new = new

    def diff(self) -> Diff:
        found = [
            *self._criteria(),
            *self._disposition(),
            *self._conditions(),
            *self._things("Definitions", POL.gives, _definition),
            *self._things("Codes", POL.lists, _code),
            *self._things("References", POL.listsReference, _reference),
            *self._things("Evidence", POL.reports, _evidence),
            *self._advisories(),
        ]
        between = list(self._statements())
        changes = tuple(self._explained(change, between) for change in found)
        verdict = verdict_of(self.old, self.new)
        return Diff(
            self.old,
            self.new,
            changes,
            tuple(self._unknown()),
            verdict,
            tuple(self._log(changes, between, verdict)),
        )

    # ------------------------------------------------------------------ parts

    def _on_both(self, part: str) -> bool:
        return all(side.entry.bases.get(part, "NotOnFile") != "NotOnFile" for side in (self.old, self.new))

    def _unknown(self) -> Iterator[tuple[str, str]]:
        """The parts that one side, or both, do not have on file."""
        for part in CHECKABLE_PARTS:
            missing = [
                side.entry.name
                for side in (self.old, self.new)
                if side.entry.bases.get(part, "NotOnFile") == "NotOnFile"
            ]
            if missing:
                yield part, " and ".join(missing)

    def _criteria(self) -> Iterator[Change]:
        before = {each.iri: each for each in self.old.criteria}
        after = {each.iri: each for each in self.new.criteria}
        for iri in dict.fromkeys((*after, *before)):
            old, new = before.get(iri), after.get(iri)
            if new is None and old is not None:
                yield Change("Criteria", Kind.REMOVED, iri, _name(old), _lines(self.old, old))
            elif old is None and new is not None:
                yield Change("Criteria", Kind.ADDED, iri, _name(new), (), _lines(self.new, new))
            elif old is not None and new is not None:
                yield from self._criterion(old, new)

        parts = [
            {each.iri: each for one in side.criteria for each in _named_parts(one.tree)}
            for side in (self.old, self.new)
        ]
        for iri in sorted(parts[0].keys() ^ parts[1].keys()):
            gone = iri in parts[0]
            side, part = (self.old, parts[0][iri]) if gone else (self.new, parts[1][iri])
            lines = tuple(_tree_lines(side, part))
            kind = Kind.REMOVED if gone else Kind.ADDED
            name = f"{part.notation}, {part.label}"
            yield Change("Criteria", kind, iri, name, lines if gone else (), () if gone else lines)

    def _criterion(self, old: Criterion, new: Criterion) -> Iterator[Change]:
        if old.notation != new.notation:
            yield Change("Criteria", Kind.RENUMBERED, new.iri, new.label, (old.notation,), (new.notation,))
        if _content(old.tree) != _content(new.tree) or old.role != new.role:
            yield Change("Criteria", Kind.LOGIC, new.iri, _name(new), _lines(self.old, old), _lines(self.new, new))
        elif (old.label, old.definition) != (new.label, new.definition):
            yield Change("Criteria", Kind.REWORDED, new.iri, _name(new), (old.definition,), (new.definition,))

    def _disposition(self) -> Iterator[Change]:
        old, new = self.old.disposition, self.new.disposition
        if old and new and old != new:
            yield Change("DispositionPart", Kind.UPDATED, new[0], "unsupported uses", (old[1],), (new[1],))

    def _conditions(self) -> Iterator[Change]:
        """Conditions that only one side's criteria read; one that entails what stands in its place is widened."""
        gone = [iri for iri in self.old.deciding_conditions if iri not in self.new.deciding_conditions]
        come = [iri for iri in self.new.deciding_conditions if iri not in self.old.deciding_conditions]
        entails = self.new.policy.kb.conditions
        for iri in come:
            condition = self.new.conditions[iri]
            kind, stood = Kind.ADDED, ""
            for other in gone:
                if not _readers(self.old, other) & _readers(self.new, iri):
                    continue
                for one, two, change in ((other, iri, Kind.WIDENED), (iri, other, Kind.NARROWED)):
                    if (URIRef(one), POL.entails, URIRef(two)) in entails:
                        kind, stood = change, other
            before = (self.old.conditions[stood].definition,) if stood else ()
            gone = [each for each in gone if each != stood]
            yield Change("Conditions", kind, iri, condition.label, before, (condition.definition,))
        for iri in gone:
            condition = self.old.conditions[iri]
            yield Change("Conditions", Kind.REMOVED, iri, condition.label, (condition.definition,))

    def _things(self, part: str, link: URIRef, describe: Describe) -> Iterator[Change]:
        """Definitions, codes, references or evidence statements, matched by identity."""
        if not self._on_both(part):
            return
        before = {str(each): describe(self.old.graph, each) for each in self.old.graph.objects(self.old.iri, link)}
        after = {str(each): describe(self.new.graph, each) for each in self.new.graph.objects(self.new.iri, link)}
        for iri in sorted(before.keys() | after.keys()):
            old, new = before.get(iri), after.get(iri)
            if old == new:
                continue
            kind = Kind.REMOVED if new is None else Kind.ADDED if old is None else Kind.UPDATED
            either = (old or {}) | (new or {})
            shown = [key for key in either if (old or {}).get(key) != (new or {}).get(key)]
            if old and new and shown == ["number"]:
                kind = Kind.RENUMBERED
            sides = [
                tuple(f"{key}: {side[key]}" for key in shown if key and key in side) for side in (old or {}, new or {})
            ]
            yield Change(part, kind, iri, either[""], sides[0], sides[1])

    def _advisories(self) -> Iterator[Change]:
        """Advisories stand all over the document, so they are compared only where both sides have all of it on file."""
        if not all(self._on_both(part) for part in CHECKABLE_PARTS):
            return
        before = {each.iri: each for each in self.old.advisories}
        after = {each.iri: each for each in self.new.advisories}
        for iri in sorted(before.keys() | after.keys()):
            old, new = before.get(iri), after.get(iri)
            if old and new and (old.text, old.when, old.unless) == (new.text, new.when, new.unless):
                continue
            kind = Kind.REMOVED if new is None else Kind.ADDED if old is None else Kind.UPDATED
            label = (new or old).label if (new or old) else iri  # type: ignore[union-attr]
            yield Change("Advisories", kind, iri, label, (old.text,) if old else (), (new.text,) if new else ())

    # ------------------------------------------------------------------ the log

    def _rows(self) -> Iterator[tuple[RevisionEntry, URIRef]]:
        """The log rows after the old revision, up to and with the new one (or the other way round), oldest first."""
        low, high = sorted((self.old.entry.month, self.new.entry.month))
        for entry in self.new.policy.history:
            if entry.row and low < entry.month <= high:
                yield entry, URIRef(entry.row.iri)

    def _statements(self) -> Iterator[tuple[RevisionEntry, URIRef, URIRef]]:
        graph = self.new.policy.shared
        for entry, row in self._rows():
            said = [each for each in graph.objects(row, POL.says) if isinstance(each, URIRef)]
            for statement in sorted(said, key=lambda each: int(str(graph.value(each, POL.order)))):
                yield entry, row, statement

    def _affected(self, statement: URIRef) -> set[str]:
        return {str(each) for each in self.new.policy.shared.objects(statement, POL.affects)}

    def _telling(self, statement: URIRef) -> bool:
        kinds = self.new.policy.shared.objects(statement, POL.changeKind)
        return any(local_name(kind) in TELLING for kind in kinds)

    def _claims_no_impact(self, statement: URIRef) -> bool:
        return (statement, POL.impactClaim, POL.NoImpactOnCriteria) in self.new.policy.shared

    def _explained(self, change: Change, between: Iterable[tuple[RevisionEntry, URIRef, URIRef]]) -> Change:
        """The change with the log statements that tell of it: those that name it, then those that name its part.

        A statement that claims no impact on the criteria tells of no more than wording and numbers.
        """
        telling = [statement for _, _, statement in between if self._telling(statement)]
        if change.kind not in (Kind.REWORDED, Kind.RENUMBERED):
            telling = [each for each in telling if not self._claims_no_impact(each)]
        naming = tuple(str(each) for each in telling if change.iri in self._affected(each))
        parts = {str(POL[part]) for part in TOLD_BY.get(change.part, ())}
        wide = tuple(str(each) for each in telling if self._affected(each) & parts)
        return replace(change, named=naming, general=wide)

    def _log(
        self,
        changes: Iterable[Change],
        between: Iterable[tuple[RevisionEntry, URIRef, URIRef]],
        verdict: Verdict,
    ) -> Iterator[LogFinding]:
        explaining = {statement for change in changes for statement in change.rows}
        logic = {change.iri for change in changes if change.kind is Kind.LOGIC}
        graph = self.new.policy.shared
        adjacent = len(list(self._rows())) == 1
        for entry, row, statement in between:
            if not self._telling(statement):
                continue
            finding, why = self._finding(statement, explaining, logic, verdict, adjacent)
            printed = entry.row.revision_printed if entry.row else entry.name
            label = str(graph.value(statement, RDFS.label) or local_name(statement))
            yield LogFinding(str(row), printed, str(statement), label, finding, why)

    def _finding(
        self, statement: URIRef, explaining: set[str], logic: set[str], verdict: Verdict, adjacent: bool
    ) -> tuple[Finding, str]:
        affected = self._affected(statement)
        parts = {part for part, told in TOLD_BY.items() if affected & {str(POL[each]) for each in told}}
        if any(not iri.startswith(str(POL)) for iri in affected):
            parts.add("Criteria")
        for part in sorted(parts):
            for side in (self.old, self.new):
                basis = side.entry.bases.get(part, "NotOnFile")
                if basis != "DocumentOnFile":
                    state = "inferred from the log" if basis == "InferredFromLog" else "not on file"
                    return Finding.NOT_CHECKABLE, f"{PARTS[part]} of {side.entry.name}: {state}"
        if not parts:
            return Finding.NOT_CHECKABLE, "what it affects is kept of no revision"
        if self._claims_no_impact(statement) and adjacent and verdict.direction is not Direction.EQUIVALENT:
            return Finding.CONTRADICTED, f"the verdict is {verdict.words}"
        if self._claims_no_impact(statement) and affected & logic:
            return Finding.NOT_CHECKABLE, "what it rewords also changed in content"
        if str(statement) in explaining:
            return Finding.EXPLAINS, "a change that it tells of is found"
        return Finding.NOT_FOUND, "nothing that it tells of differs"


# ---------------------------------------------------------------------- verdict


def allowed(assignments: Assignments, conditions: Iterable[str], graph: Graph) -> int:
    """The assignments that pol:entails and pol:excludes allow."""
    mask = assignments.everything
    known = set(conditions)
    for link, sign in ((POL.entails, False), (POL.excludes, True)):
        for one, other in graph.subject_objects(link):
            if str(one) in known and str(other) in known:
                holds = assignments.where(str(other))
                refused = holds if sign else assignments.everything & ~holds
                mask &= ~(assignments.where(str(one)) & refused)
    return mask


def verdict_of(old: Revision, new: Revision) -> Verdict:
    """Stricter or looser, over every assignment of holds and fails that the conditions allow."""
    conditions = tuple(dict.fromkeys((*old.deciding_conditions, *new.deciding_conditions)))
    space = Assignments(dict.fromkeys(conditions, Value.UNKNOWN))
    mask = allowed(space, conditions, new.policy.kb.conditions)
    applies = [space.where(side.applicability_tree) & mask for side in (old, new)]
    criteria = [space.where(side.criteria_tree) & mask for side in (old, new)]
    met = [applies[side] & criteria[side] for side in (0, 1)]
    lost, gained = met[0] & ~met[1], met[1] & ~met[0]
    exchanged = applies[0] ^ applies[1]
    if lost or gained:
        direction = Direction.MIXED if lost and gained else Direction.STRICTER if lost else Direction.LOOSER
    else:
        direction = Direction.RESCOPED if exchanged else Direction.EQUIVALENT
    differing = {"applicability": bool(exchanged), "criteria": criteria[0] != criteria[1]}
    names = [name for name, differs in differing.items() if differs]
    by = "" if direction is Direction.EQUIVALENT else " and ".join(names) + (" alone" if len(names) == 1 else "")
    plain = direction is Direction.RESCOPED
    return Verdict(
        direction,
        by,
        any(side.entry.bases.get("Criteria") == "InferredFromLog" for side in (old, new)),
        _smallest(space, lost, old, new) if lost else None,
        _smallest(space, gained, old, new) if gained else None,
        _smallest(space, exchanged, old, new) if plain else None,
    )


def _smallest(space: Assignments, candidates: int, old: Revision, new: Revision) -> Witness:
    """Of the candidates one with the fewest conditions holding, then stripped of all that does not matter."""
    best = min(_bits(candidates), key=lambda each: (each.bit_count(), each))
    values = {iri: Value.HOLDS if best >> position & 1 else Value.FAILS for position, iri in enumerate(space.open)}
    wanted = [_outcome(side, values) for side in (old, new)]
    # What fails is left open first: a witness reads best as what holds.
    for iri in sorted(values, key=lambda each: (values[each] is Value.HOLDS, each)):
        trial = {**values, iri: Value.UNKNOWN}
        if [_outcome(side, trial) for side in (old, new)] == wanted:
            values = trial
    return Witness({iri: value for iri, value in values.items() if value.settled}, wanted[0], wanted[1])


def _bits(number: int) -> Iterator[int]:
    """The positions of the bits that are set."""
    text = bin(number)[:1:-1]
    position = text.find("1")
    while position >= 0:
        yield position
        position = text.find("1", position + 1)


def _outcome(side: Revision, values: Mapping[str, Value]) -> Outcome:
    return outcome_of(
        evaluate(side.applicability_tree, values), evaluate(side.criteria_tree, values), open_conflict=False
    )


# ---------------------------------------------------------------------- things in words


def _name(criterion: Criterion) -> str:
    return f"{criterion.notation}, {criterion.label}"


def _content(part: Tree | str | None) -> object:
    """A tree without the names of its parts: two trees with the same content decide alike, word for word."""
    if isinstance(part, Tree):
        return part.operator, tuple(_content(each) for each in part.parts)
    return part


def _lines(side: Revision, criterion: Criterion) -> tuple[str, ...]:
    """A criterion in words: its definition, its tree, its readings."""
    tree = _tree_lines(side, criterion.tree) if criterion.tree else [f"what {side.indication.notation} leaves"]
    definition = [criterion.definition] if criterion.definition else []
    return (*definition, *tree, *(f"Reading: {note}" for note in criterion.notes))


def _tree_lines(side: Revision, part: Tree | str, depth: int = 0) -> list[str]:
    indent = "  " * depth
    if not isinstance(part, Tree):
        return [indent + side.conditions[part].label]
    name = f" ({part.notation}, {part.label})" if part.notation and depth else ""
    below = [line for each in part.parts for line in _tree_lines(side, each, depth + 1)]
    return [f"{indent}{OPERATOR_WORDS[part.operator]}{name}", *below]


def _readers(side: Revision, condition: str) -> set[str]:
    """The criteria that read a condition."""
    return {each.iri for each in side.criteria if each.tree and condition in each.tree.conditions()}


def _named_parts(part: Tree | str | None) -> Iterator[Tree]:
    """The parts of a tree that the document numbers."""
    if isinstance(part, Tree):
        for each in part.parts:
            if isinstance(each, Tree) and each.iri:
                yield each
            yield from _named_parts(each)


def _said(graph: Graph, node: Node, *properties: URIRef) -> dict[str, str]:
    """What a thing says, by property; under "" its name."""
    label = graph.value(node, RDFS.label) or graph.value(node, DCTERMS["title"]) or graph.value(node, SKOS.notation)
    said = {"": str(label or local_name(node))}
    for property_ in properties:
        values = sorted(str(each) for each in graph.objects(node, property_))
        if values:
            said[local_name(property_)] = ", ".join(local_name(each) if "://" in each else each for each in values)
    return said


def _definition(graph: Graph, node: Node) -> dict[str, str]:
    return _said(graph, node, SKOS.definition, POL.lessThan, POL.equalTo, POL.unit)


def _code(graph: Graph, node: Node) -> dict[str, str]:
    return _said(graph, node, SKOS.notation, POL.codeSystem, POL.gloss, POL.copyrightYear)


def _reference(graph: Graph, node: Node) -> dict[str, str]:
    dates = (DCTERMS.issued, DCTERMS.modified, POL.accessed)
    return _said(
        graph, node, POL.number, POL.authorsAsPrinted, DCTERMS["title"], POL.guidelineVersion, *dates, BIBO.doi
    )


def _evidence(graph: Graph, node: Node) -> dict[str, str]:
    figures = (POL.low, POL.high, POL["count"], POL.total, POL.unit, POL.atTime)
    return _said(graph, node, SKOS.definition, POL.population, *figures, CITO.citesAsEvidence)
