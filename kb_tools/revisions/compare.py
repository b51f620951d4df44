"""Compares two revisions, part by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from rdflib import Graph, URIRef
from rdflib.term import Node

from kb_tools.errors import KbError, UnknownRevision
from kb_tools.model.history import RevisionEntry
from kb_tools.model.logic import Value
from kb_tools.model.parts import DOCUMENT_PARTS
from kb_tools.model.policy import Policy
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Criterion
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
from kb_tools.revisions.change import CONTENT, LISTED, Change, Diff, Kind, names_of
from kb_tools.revisions.entailments import Group, Tie, groups_of, ties_of
from kb_tools.revisions.log import LogBetween
from kb_tools.revisions.replay import Replay
from kb_tools.revisions.requirements import contrasts_of
from kb_tools.revisions.verdict import Direction, Witness, verdict_of
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


def compare(policy: Policy, before: str, after: str, engine: str = "pyshacl") -> Diff:
    """The difference between two revisions of one policy; either may be a draft.

    Args:
        engine: one of kb_tools.rdf.shacl.ENGINES; it tells which conditions bear on each other, and determines
            witnesses.

    Raises:
        KbError: the same revision twice, an unknown one, or one whose criteria are not on file.
    """
    old, new = entries_of(policy, before, after)
    return diff_of(Revision.load(policy, old), Revision.load(policy, new), engine)


def compare_policies(old: Policy, before: str, new: Policy, after: str, engine: str = "pyshacl") -> Diff:
    """The difference between a revision of one policy and one of another; either may be a draft.

    Raises:
        KbError: an unknown revision, or one whose criteria are not on file.
    """
    sides = (entry_of(old, before), entry_of(new, after))
    return diff_of(Revision.load(old, sides[0]), Revision.load(new, sides[1]), engine)


def entries_of(policy: Policy, before: str, after: str) -> tuple[RevisionEntry, RevisionEntry]:
    """Two revisions of a policy that can be compared, by their names.

    Raises:
        KbError: the same revision twice, an unknown one, or one whose criteria are not on file.
    """
    old, new = policy.entry(before), policy.entry(after)
    if old.iri == new.iri:
        raise KbError(f"{old.name} is compared with itself", hint="name two revisions")
    return entry_of(policy, before), entry_of(policy, after)


def entry_of(policy: Policy, name: str) -> RevisionEntry:
    """A revision that can be compared, by its name.

    Raises:
        UnknownRevision: there is none of that name, or its criteria are not on file.
    """
    entry = policy.entry(name)
    if not comparable(entry):
        raise UnknownRevision(
            f"the criteria of {policy.identifier} revision {entry.name} are not on file",
            hint=f"on file: {', '.join(other.name for other in policy.history if comparable(other)) or 'none'}",
        )
    return entry


def comparable(entry: RevisionEntry) -> bool:
    """Whether the criteria of a revision, or of a draft of one, are there to be compared."""
    return entry.bases.get("Criteria", "NotOnFile") != "NotOnFile"


def diff_of(old: Revision, new: Revision, engine: str = "pyshacl") -> Diff:
    """The difference between two revisions that are loaded, of one policy or of two.

    Of one policy, the log is held against what changed. Two policies have no log in common, and nothing of the one is a
    later form of something of the other: of them what each requires is compared, and how they class other uses, and the
    codes that they list.
    """
    return _Comparison(old, new, engine).diff()


def criteria_that_differ(old: Revision, new: Revision) -> frozenset[str]:
    """The IRIs of the criteria that let through something else in one revision than in the other."""
    changes = _Comparison(old, new, "").criteria()
    return frozenset(change.iri for change in changes if change.kind in CONTENT)


class _Comparison:
    def __init__(self, old: Revision, new: Revision, engine: str) -> None:
        self.old = old
        self.new = new
        self.sides = (old, new)
        self.engine = engine

    @cached_property
    def _groups(self) -> list[Group]:
        """How the conditions of both sides bear on each other."""
        deciding = {iri: side.conditions[iri] for side in self.sides for iri in side.deciding_conditions}
        return groups_of(self.new.policy.kb, deciding.values(), self.engine)

    def diff(self) -> Diff:
        builder = WitnessBuilder(self.new.policy.kb, self.old, self.new, self.engine)
        borne_out: dict[Direction, Replay] = {}

        def bears_out(witness: Witness) -> bool:
            if replay := builder.build(witness):
                borne_out[witness.direction] = replay
            return replay is not None

        verdict = verdict_of(self.old, self.new, self._groups, bears_out)
        if self.old.policy.iri != self.new.policy.iri:
            changes = tuple(self._disposition())
            contrasts = contrasts_of(self.old, self.new, self._groups, builder.build)
            return Diff(self.old, self.new, changes, tuple(self._unknown()), verdict, (), borne_out, contrasts)
        found = [
            *self.criteria(),
            *self._disposition(),
            *self._conditions(),
            *(change for part, link in LISTED.items() for change in self._things(part, link)),
            *self._advisories(),
        ]
        log = LogBetween(self.old, self.new, verdict)
        changes = tuple(map(log.explained, found))
        unknown = tuple(self._unknown())
        return Diff(self.old, self.new, changes, unknown, verdict, tuple(log.findings(changes)), borne_out)

    # ------------------------------------------------------------------ parts

    def _missing(self, part: str) -> list[str]:
        """The sides that do not have a part on file; advisories stand all over the document, and so need all of it."""
        parts = DOCUMENT_PARTS if part == "Advisories" else (part,)
        return [
            name
            for side, name in zip(self.sides, names_of(self.old, self.new), strict=True)
            if any(side.basis(needed) == "NotOnFile" for needed in parts)
        ]

    def _unknown(self) -> Iterator[tuple[str, str]]:
        """The parts that one side, or both, do not have on file."""
        for part in (*DOCUMENT_PARTS, "Advisories"):
            if missing := self._missing(part):
                yield part, " and ".join(missing)

    def criteria(self) -> Iterator[Change]:
        """Criteria, each followed by those within it, in the order of the new document; each reported as itself."""
        before, after = self.old.all_criteria, self.new.all_criteria
        for iri in dict.fromkeys((*after, *before)):
            old, new = before.get(iri), after.get(iri)
            within = tuple(dict.fromkeys(holder.iri for side in (before, after) for holder in _holders(side, iri)))
            found: Iterable[Change] = ()
            if new is None and old is not None:
                found = [Change("Criteria", Kind.REMOVED, iri, name_of(old), lines_of(self.old, old))]
            elif old is None and new is not None:
                found = [Change("Criteria", Kind.ADDED, iri, name_of(new), (), lines_of(self.new, new))]
            elif old is not None and new is not None:
                places = [[f"within {name_of(holder)}" for holder in _holders(side, iri)] for side in (before, after)]
                moved = {holder.iri for holder in _holders(before, iri)} != {
                    holder.iri for holder in _holders(after, iri)
                }
                found = self._criterion(old, new)
                if moved and old.role == new.role:
                    found = [Change("Criteria", Kind.MOVED, iri, name_of(new), *map(tuple, places)), *found]
            yield from (replace(change, within=within) for change in found)

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
        cited = [[f"cites {local_name(citation.iri)}" for citation in side.citations] for side in (old, new)]
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
        ties = ties_of(self._groups)
        for iri in come:
            condition = self.new.conditions[iri]
            kind, stood = Kind.ADDED, ""
            for other in gone:
                if not _readers(self.old, other) & _readers(self.new, iri):
                    continue
                for one, two, change in ((other, iri, Kind.WIDENED), (iri, other, Kind.NARROWED)):
                    if Tie(one, Value.HOLDS, two, Value.HOLDS) in ties:
                        kind, stood = change, other
            before = (self.old.conditions[stood].definition,) if stood else ()
            gone = [other for other in gone if other != stood]
            yield Change("Conditions", kind, iri, condition.label, before, (condition.definition,))
        for iri in gone:
            condition = self.old.conditions[iri]
            yield Change("Conditions", Kind.REMOVED, iri, condition.label, (condition.definition,))

    def _things(self, part: str, link: URIRef) -> Iterator[Change]:
        """Definitions, codes, references or evidence statements, matched by identity, in the document's order."""
        if self._missing(part):
            return
        before, after = (
            {thing: stated_of(side.graph, thing) for thing in side.graph.objects(side.iri, link)} for side in self.sides
        )

        def source(node: Node) -> Graph:
            return (self.new if node in after else self.old).graph

        def place(node: Node) -> tuple[int, str]:
            orders = (source(node).value(passage, POL.order) for passage in source(node).objects(node, POL.statedIn))
            return min((int(str(order)) for order in orders if order is not None), default=0), str(node)

        for node in sorted(before.keys() | after.keys(), key=place):
            old, new = before.get(node), after.get(node)
            if old == new:
                continue
            kind = Kind.REMOVED if new is None else Kind.ADDED if old is None else Kind.UPDATED
            lacking = self.new if new is None else self.old
            if (new is None or old is None) and part in lacking.entry.in_part:
                # It may stand in what is not on file of the list.
                continue
            wording = differing_wording(old or {}, new or {})
            if old and new and {key for key in (*old, *new) if old.get(key) != new.get(key)} == {"number"}:
                kind = Kind.RENUMBERED
            yield Change(part, kind, str(node), title_of(source(node), node), *wording)

    def _advisories(self) -> Iterator[Change]:
        if self._missing("Advisories"):
            return
        before, after = ({advisory.iri: advisory for advisory in side.advisories} for side in self.sides)
        for iri in sorted(before.keys() | after.keys()):
            old, new = before.get(iri), after.get(iri)
            stated = [
                advised_by(side, advisory) if advisory else {}
                for side, advisory in zip(self.sides, (old, new), strict=True)
            ]
            if stated[0] != stated[1]:
                kind = Kind.REMOVED if new is None else Kind.ADDED if old is None else Kind.UPDATED
                yield Change(
                    "Advisories",
                    kind,
                    iri,
                    title_of(self.new.graph if new else self.old.graph, URIRef(iri)),
                    *differing_wording(*stated),
                )


def _holders(criteria: Mapping[str, Criterion], iri: str) -> list[Criterion]:
    """The criteria that one stands in: directly, and by way of others."""
    return [
        criterion
        for criterion in criteria.values()
        if criterion.iri != iri and any(part.iri == iri for part in criterion.with_parts())
    ]


def _readers(side: Revision, condition: str) -> set[str]:
    """The criteria that read a condition."""
    return {criterion.iri for criterion in side.criteria if criterion.tree and condition in criterion.tree.conditions()}
