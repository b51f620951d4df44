"""Compares two revisions, and holds the log against the changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import cached_property
from itertools import pairwise

from rdflib import Graph, URIRef
from rdflib.namespace import RDFS
from rdflib.term import Node

from kb_tools.errors import KbError, UnknownRevision
from kb_tools.model.history import RevisionEntry
from kb_tools.model.logic import Value
from kb_tools.model.parts import COMPARED_PARTS, DOCUMENT_PARTS
from kb_tools.model.policy import Policy
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Criterion
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
from kb_tools.revisions.change import CONTENT, Change, Diff, Finding, Kind, LogFinding
from kb_tools.revisions.entailments import Tie, ties_of
from kb_tools.revisions.replay import Replay
from kb_tools.revisions.verdict import Direction, Verdict, Witness, verdict_of
from kb_tools.revisions.witness import WitnessBuilder
from kb_tools.revisions.words import (
    advised_by,
    content_of,
    differing_wording,
    lines_of,
    name_of,
    referral_of,
    stated_of,
    title_of,
    wording_of,
)

# Which parts of the document a log statement must affect to tell of a change of one of ours.
TOLD_BY = {
    "Criteria": ("Criteria", "WholePolicy"),
    "DispositionPart": ("Criteria", "DispositionPart", "WholePolicy"),
    "Definitions": ("Definitions", "Background", "Description", "WholePolicy"),
    "Codes": ("Codes", "WholePolicy"),
    "References": ("References", "WholePolicy"),
    "Evidence": ("Evidence", "Background", "Description", "WholePolicy"),
}
# The parts that are lists of things, each with the property that lists them.
LISTED = {
    "Definitions": POL.gives,
    "Codes": POL.lists,
    "References": POL.listsReference,
    "Evidence": POL.reports,
}
# Kinds of log statements that say that something changed; a review says nothing of the kind.
TELLING = {"Added", "Removed", "Updated", "Reworded"}
# The kinds that do not tell of a change, by the kind of the change: what was added or reworded has not gone.
UNTOLD = {
    Kind.ADDED: {"Removed", "Reworded"},
    Kind.REMOVED: {"Added", "Reworded"},
    Kind.LOGIC: {"Reworded"},
}
# What a kind reports when two revisions are compared backwards.
MIRRORED = {"Added": "Removed", "Removed": "Added"}


def compare(policy: Policy, before: str, after: str, engine: str = "pyshacl") -> Diff:
    """The difference between two revisions of one policy; either may be a draft.

    Args:
        engine: one of kb_tools.rdf.shacl.ENGINES; it tells which conditions bear on each other, and determines
            witnesses.

    Raises:
        KbError: the same revision twice, an unknown one, or one whose criteria are not on file.
    """
    old, new = policy.entry(before), policy.entry(after)
    if old.iri == new.iri:
        raise KbError(f"{old.name} is compared with itself", hint="name two revisions")
    for entry in (old, new):
        if not _comparable(entry):
            raise UnknownRevision(
                f"the criteria of {policy.identifier} revision {entry.name} are not on file",
                hint=f"on file: {', '.join(each.name for each in policy.history if _comparable(each))}",
            )
    return diff_of(Revision.load(policy, old), Revision.load(policy, new), engine)


def _comparable(entry: RevisionEntry) -> bool:
    """Whether the criteria of a revision, or of a draft of one, are there to be compared."""
    return entry.bases.get("Criteria", "NotOnFile") != "NotOnFile"


def diff_of(old: Revision, new: Revision, engine: str = "pyshacl") -> Diff:
    """The difference between two revisions that are loaded; the log is that of the new one's policy."""
    return _Comparison(old, new, engine).diff()


class _Comparison:
    def __init__(self, old: Revision, new: Revision, engine: str) -> None:
        self.old = old
        self.new = new
        self.sides = (old, new)
        self.engine = engine

    @cached_property
    def _ties(self) -> frozenset[Tie]:
        """How the conditions of both sides bear on each other."""
        deciding = {iri: side.conditions[iri] for side in self.sides for iri in side.deciding_conditions}
        return ties_of(self.new.policy.kb, deciding.values(), self.engine)

    def diff(self) -> Diff:
        builder = WitnessBuilder(self.new.policy.kb, self.old, self.new, self.engine)
        borne_out: dict[Direction, Replay] = {}

        def bears_out(witness: Witness) -> bool:
            if replay := builder.build(witness):
                borne_out[witness.direction] = replay
            return replay is not None

        verdict = verdict_of(self.old, self.new, self._ties, bears_out)
        found = [
            *self._criteria(),
            *self._disposition(),
            *self._conditions(),
            *(change for part, link in LISTED.items() for change in self._things(part, link)),
            *self._advisories(),
        ]
        between = list(self._statements())
        changes = tuple(self._explained(change, between, verdict) for change in found)
        return Diff(
            self.old,
            self.new,
            changes,
            tuple(self._unknown()),
            verdict,
            tuple(self._log(changes, between, verdict)),
            borne_out,
        )

    # ------------------------------------------------------------------ parts

    def _missing(self, part: str) -> list[str]:
        """The sides that do not have a part on file; advisories stand all over the document, and so need all of it."""
        parts = DOCUMENT_PARTS if part == "Advisories" else (part,)
        return [side.entry.name for side in self.sides if any(_basis(side, each) == "NotOnFile" for each in parts)]

    def _unknown(self) -> Iterator[tuple[str, str]]:
        """The parts that one side, or both, do not have on file."""
        for part in (*DOCUMENT_PARTS, "Advisories"):
            if missing := self._missing(part):
                yield part, " and ".join(missing)

    def _criteria(self) -> Iterator[Change]:
        """Criteria, each followed by those within it, in the order of the new document; each reported as itself."""
        before, after = _statements_of(self.old), _statements_of(self.new)
        for iri in dict.fromkeys((*after, *before)):
            old, new = before.get(iri), after.get(iri)
            within = tuple(dict.fromkeys(each.iri for side in (before, after) for each in _holders(side, iri)))
            found: Iterable[Change] = ()
            if new is None and old is not None:
                found = [Change("Criteria", Kind.REMOVED, iri, name_of(old), lines_of(self.old, old))]
            elif old is None and new is not None:
                found = [Change("Criteria", Kind.ADDED, iri, name_of(new), (), lines_of(self.new, new))]
            elif old is not None and new is not None:
                places = [[f"within {name_of(each)}" for each in _holders(side, iri)] for side in (before, after)]
                moved = {each.iri for each in _holders(before, iri)} != {each.iri for each in _holders(after, iri)}
                found = self._criterion(old, new)
                if moved and old.role == new.role:
                    found = [Change("Criteria", Kind.MOVED, iri, name_of(new), *map(tuple, places)), *found]
            yield from (replace(each, within=within) for each in found)

    def _criterion(self, old: Criterion, new: Criterion) -> Iterator[Change]:
        def change(kind: Kind, before: Iterable[str], after: Iterable[str]) -> Change:
            return Change("Criteria", kind, new.iri, name_of(new), tuple(before), tuple(after))

        if old.notation != new.notation:
            yield replace(change(Kind.RENUMBERED, (old.notation,), (new.notation,)), label=new.label)
        if content_of(old) != content_of(new):
            yield change(Kind.LOGIC, lines_of(self.old, old, new), lines_of(self.new, new, old))
        else:
            wording, other = wording_of(self.old, old), wording_of(self.new, new)
            if content_of(old, ordered=True) == content_of(new, ordered=True):
                # A criterion within it may have another name: that is told of it itself.
                del wording["parts"], other["parts"]
            if wording != other:
                yield change(Kind.REWORDED, *differing_wording(wording, other))
        if old.otherwise != new.otherwise:
            yield change(Kind.UPDATED, referral_of(old), referral_of(new))
        cited = [[f"cites {local_name(each.iri)}" for each in side.citations] for side in (old, new)]
        if sorted(cited[0]) != sorted(cited[1]) and not self._missing("References"):
            yield change(Kind.UPDATED, *cited)

    def _disposition(self) -> Iterator[Change]:
        old, new = self.old.disposition, self.new.disposition
        if old and new and old != new:
            yield Change("DispositionPart", Kind.UPDATED, new[0], "unsupported uses", (old[1],), (new[1],))

    def _conditions(self) -> Iterator[Change]:
        """Conditions that only one side's criteria read; one that entails what stands in its place is widened."""
        gone = [iri for iri in self.old.deciding_conditions if iri not in self.new.deciding_conditions]
        come = [iri for iri in self.new.deciding_conditions if iri not in self.old.deciding_conditions]
        for iri in come:
            condition = self.new.conditions[iri]
            kind, stood = Kind.ADDED, ""
            for other in gone:
                if not _readers(self.old, other) & _readers(self.new, iri):
                    continue
                for one, two, change in ((other, iri, Kind.WIDENED), (iri, other, Kind.NARROWED)):
                    if Tie(one, Value.HOLDS, two, Value.HOLDS) in self._ties:
                        kind, stood = change, other
            before = (self.old.conditions[stood].definition,) if stood else ()
            gone = [each for each in gone if each != stood]
            yield Change("Conditions", kind, iri, condition.label, before, (condition.definition,))
        for iri in gone:
            condition = self.old.conditions[iri]
            yield Change("Conditions", Kind.REMOVED, iri, condition.label, (condition.definition,))

    def _things(self, part: str, link: URIRef) -> Iterator[Change]:
        """Definitions, codes, references or evidence statements, matched by identity, in the document's order."""
        if self._missing(part):
            return
        before, after = (
            {each: stated_of(side.graph, each) for each in side.graph.objects(side.iri, link)} for side in self.sides
        )

        def source(node: Node) -> Graph:
            return (self.new if node in after else self.old).graph

        def place(node: Node) -> tuple[int, str]:
            orders = (source(node).value(each, POL.order) for each in source(node).objects(node, POL.statedIn))
            return min((int(str(order)) for order in orders if order is not None), default=0), str(node)

        for node in sorted(before.keys() | after.keys(), key=place):
            old, new = before.get(node), after.get(node)
            if old == new:
                continue
            kind = Kind.REMOVED if new is None else Kind.ADDED if old is None else Kind.UPDATED
            said = differing_wording(old or {}, new or {})
            if old and new and {key for key in (*old, *new) if old.get(key) != new.get(key)} == {"number"}:
                kind = Kind.RENUMBERED
            yield Change(part, kind, str(node), title_of(source(node), node), *said)

    def _advisories(self) -> Iterator[Change]:
        if self._missing("Advisories"):
            return
        before, after = ({each.iri: each for each in side.advisories} for side in self.sides)
        for iri in sorted(before.keys() | after.keys()):
            old, new = before.get(iri), after.get(iri)
            said = [advised_by(side, each) if each else {} for side, each in zip(self.sides, (old, new), strict=True)]
            if said[0] != said[1]:
                kind = Kind.REMOVED if new is None else Kind.ADDED if old is None else Kind.UPDATED
                yield Change(
                    "Advisories",
                    kind,
                    iri,
                    title_of(self.new.graph if new else self.old.graph, URIRef(iri)),
                    *differing_wording(*said),
                )

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

    def _telling(self, statement: URIRef) -> set[str]:
        """The kinds of change that a statement reports, as seen from the old side to the new one."""
        kinds = {local_name(each) for each in self.new.policy.shared.objects(statement, POL.changeKind)} & TELLING
        backwards = self.old.entry.month > self.new.entry.month
        return {MIRRORED.get(each, each) for each in kinds} if backwards else kinds

    def _claims_no_impact(self, statement: URIRef) -> bool:
        return (statement, POL.impactClaim, POL.NoImpactOnCriteria) in self.new.policy.shared

    @cached_property
    def _known_between(self) -> list[tuple[date, dict[str, object]]]:
        """Of every revision between the two, themselves included, that has its criteria on file: month and criteria."""
        low, high = sorted((self.old.entry.month, self.new.entry.month))
        policy, loaded = self.new.policy, {side.entry.name: side for side in self.sides}
        found = []
        for entry in policy.history:
            if low <= entry.month <= high and (entry.criteria_on_file or entry.name in loaded):
                revision = loaded.get(entry.name) or Revision(policy, entry, policy.stated_graph(entry))
                found.append((entry.month, {iri: content_of(each) for iri, each in _statements_of(revision).items()}))
        return found

    def _could_tell(self, change: Change, entry: RevisionEntry) -> bool:
        """Whether a change may have come with a revision: one of content not where criteria before and after agree.

        Of wording and numbers an inferred revision says nothing.
        """
        if change.part != "Criteria" or change.kind not in CONTENT:
            return True
        return any(
            low < entry.month <= high and before.get(change.iri) != after.get(change.iri)
            for (low, before), (high, after) in pairwise(self._known_between)
        )

    def _explained(
        self, change: Change, between: Iterable[tuple[RevisionEntry, URIRef, URIRef]], verdict: Verdict
    ) -> Change:
        """The change with the log statements that tell of it: those that name it, then those that name its part.

        A statement that claims no impact on the criteria tells of no change of their content, unless what comes to what
        is indeed the same.
        """
        telling = [
            statement
            for entry, _, statement in between
            if self._telling(statement) - UNTOLD.get(change.kind, set()) and self._could_tell(change, entry)
        ]
        decides = change.part == "DispositionPart" or (change.part == "Criteria" and change.kind in CONTENT)
        if decides and verdict.differs:
            telling = [each for each in telling if not self._claims_no_impact(each)]
        parts = {str(POL[part]) for part in TOLD_BY.get(change.part, ())}
        names = {change.iri, *change.within}
        naming = tuple(str(each) for each in telling if names & self._affected(each))
        wide = tuple(str(each) for each in telling if self._affected(each) & parts)
        return replace(change, named=naming, general=wide)

    def _log(
        self,
        changes: tuple[Change, ...],
        between: Iterable[tuple[RevisionEntry, URIRef, URIRef]],
        verdict: Verdict,
    ) -> Iterator[LogFinding]:
        graph = self.new.policy.shared
        for entry, row, statement in between:
            if self._telling(statement):
                finding, why = self._finding(statement, changes, verdict)
                printed = entry.row.revision_printed if entry.row else entry.name
                label = str(graph.value(statement, RDFS.label) or local_name(statement))
                yield LogFinding(str(row), printed, str(statement), label, finding, why)

    def _finding(self, statement: URIRef, changes: tuple[Change, ...], verdict: Verdict) -> tuple[Finding, str]:
        if self._claims_no_impact(statement) and self._contradicted(changes, verdict):
            return Finding.CONTRADICTED, f"the verdict is {verdict.words}, and no row reports a change of the criteria"
        if why := self._not_checkable(statement, changes):
            return Finding.NOT_CHECKABLE, why
        named = [each for each in changes if str(statement) in each.named]
        if named:
            return Finding.EXPLAINS, "; ".join(f"{each.label}: {each.kind.value}" for each in named)
        general = [each for each in changes if str(statement) in each.general]
        if general:
            count = f"{len(general)} change" + ("s" if len(general) > 1 else "")
            told = [COMPARED_PARTS[part] for part in COMPARED_PARTS if part in {each.part for each in general}]
            return Finding.EXPLAINS, f"names none; {count} of the {' and '.join(told)} found"
        if self._telling(statement) == {"Reworded"}:
            return Finding.NOT_CHECKABLE, "nothing else differs, and the document's own wording is not kept"
        return Finding.NOT_FOUND, "nothing that it reports differs"

    def _not_checkable(self, statement: URIRef, changes: Iterable[Change]) -> str:
        """Why a statement cannot be held against the changes; "" if it can."""
        affected = self._affected(statement)
        parts = {part for part, told in TOLD_BY.items() if affected & {str(POL[each]) for each in told}}
        parts |= {self._part_of.get(iri, "Criteria") for iri in affected if not iri.startswith(str(POL))}
        if not parts:
            return "no revision on file holds what it affects"
        for side in self.sides:
            for basis, words in (("NotOnFile", "not on file"), ("InferredFromLog", "inferred from the log")):
                missing = [
                    COMPARED_PARTS[part] for part in COMPARED_PARTS if part in parts and _basis(side, part) == basis
                ]
                if missing:
                    return f"{' and '.join(missing)} of {side.entry.name}: {words}"
        changed = {iri for each in changes if each.kind in CONTENT for iri in (each.iri, *each.within)}
        if self._claims_no_impact(statement) and affected & changed:
            return "what it rewords also changed in content"
        return ""

    def _contradicted(self, changes: Iterable[Change], verdict: Verdict) -> bool:
        """Whether a claim of no impact, made in the one row between the two, is shown to be wrong.

        It is where the criteria of both documents are on file, what comes to what differs, and no other statement tells
        of a change by which it could.
        """
        return (
            len(list(self._rows())) == 1
            and all(_basis(side, "Criteria") == "DocumentOnFile" for side in self.sides)
            and verdict.differs
            and any(each.part == "Criteria" and each.kind in CONTENT and not each.rows for each in changes)
        )

    @cached_property
    def _part_of(self) -> dict[str, str]:
        """The part that a definition, code, reference or evidence statement belongs to."""
        return {
            str(node): part
            for part, link in LISTED.items()
            for side in self.sides
            for node in side.graph.objects(side.iri, link)
        }


# ---------------------------------------------------------------------- things in words


def _basis(side: Revision, part: str) -> str:
    return side.entry.bases.get(part, "NotOnFile")


def _statements_of(side: Revision) -> dict[str, Criterion]:
    """The criteria of a revision by IRI, each followed by those within it."""
    return {each.iri: each for criterion in side.criteria for each in criterion.with_parts()}


def _holders(criteria: Mapping[str, Criterion], iri: str) -> list[Criterion]:
    """The criteria that one stands in: directly, and by way of others."""
    return [
        each for each in criteria.values() if each.iri != iri and any(part.iri == iri for part in each.with_parts())
    ]


def _readers(side: Revision, condition: str) -> set[str]:
    """The criteria that read a condition."""
    return {each.iri for each in side.criteria if each.tree and condition in each.tree.conditions()}
