"""Holds the log between two revisions against the changes between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import pairwise

from rdflib import URIRef
from rdflib.namespace import RDFS

from kb_tools.model.history import RevisionEntry
from kb_tools.model.parts import COMPARED_PARTS
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
from kb_tools.revisions.change import CONTENT, LISTED, Change, Kind, LogFinding, LogVerdict
from kb_tools.revisions.verdict import Verdict
from kb_tools.revisions.words import content_of

# Which parts of the document a log statement must affect to tell of a change of one of ours.
REPORTED_BY = {
    "Criteria": ("Criteria", "WholePolicy"),
    "DispositionPart": ("Criteria", "DispositionPart", "WholePolicy"),
    "Definitions": ("Definitions", "Background", "Description", "WholePolicy"),
    "Codes": ("Codes", "WholePolicy"),
    "References": ("References", "WholePolicy"),
    "Evidence": ("Evidence", "Background", "Description", "WholePolicy"),
}
# Kinds of log statements that say that something changed; a review says nothing of the kind.
TELLING = {"Added", "Removed", "Updated", "Reworded"}
# The kinds that do not tell of a change, by the kind of the change: what was added or reworded has not gone.
UNREPORTED = {
    Kind.ADDED: {"Removed", "Reworded"},
    Kind.REMOVED: {"Added", "Reworded"},
    Kind.LOGIC: {"Reworded"},
}
# What a kind reports when two revisions are compared backwards.
MIRRORED = {"Added": "Removed", "Removed": "Added"}


@dataclass(frozen=True)
class _Statement:
    """One statement of the log between two revisions.

    Attributes:
        entry: the revision whose row makes it.
        kinds: the kinds of change that it reports, as seen from the old side to the new one.
        affects: the parts and things that it names, by IRI.
        no_impact: whether it claims no impact on the criteria.
    """

    iri: str
    label: str
    entry: RevisionEntry
    kinds: frozenset[str]
    affects: frozenset[str]
    no_impact: bool


class LogBetween:
    """The log rows after the old revision, up to and with the new one, or the other way round.

    Args:
        verdict: what the difference between the two comes to.
    """

    def __init__(self, old: Revision, new: Revision, verdict: Verdict) -> None:
        self.sides = (old, new)
        self.policy = new.policy
        self.verdict = verdict
        self._low, self._high = sorted((old.entry.month, new.entry.month))
        self._backwards = old.entry.month > new.entry.month

    @cached_property
    def _rows(self) -> list[RevisionEntry]:
        """The revisions whose rows they are, oldest first."""
        return [entry for entry in self.policy.history if entry.row and self._low < entry.month <= self._high]

    @cached_property
    def _statements(self) -> list[_Statement]:
        """What the rows say that tells of a change, in the order of the log."""
        graph = self.policy.shared
        mirrored = MIRRORED if self._backwards else {}
        found = []
        for entry in self._rows:
            assert entry.row is not None
            nodes = [node for node in graph.objects(URIRef(entry.row.iri), POL.says) if isinstance(node, URIRef)]
            for node in sorted(nodes, key=lambda node: int(str(graph.value(node, POL.order)))):
                kinds = {local_name(kind) for kind in graph.objects(node, POL.changeKind)} & TELLING
                if kinds:
                    statement = _Statement(
                        iri=str(node),
                        label=str(graph.value(node, RDFS.label) or local_name(node)),
                        entry=entry,
                        kinds=frozenset(mirrored.get(kind, kind) for kind in kinds),
                        affects=frozenset(map(str, graph.objects(node, POL.affects))),
                        no_impact=(node, POL.impactClaim, POL.NoImpactOnCriteria) in graph,
                    )
                    found.append(statement)
        return found

    # ------------------------------------------------------------------ what tells of a change

    def explained(self, change: Change) -> Change:
        """The change with the log statements that tell of it: those that name it, then those that name its part.

        A statement that claims no impact on the criteria tells of no change of their content, unless what comes to what
        is indeed the same.
        """
        telling = [
            statement
            for statement in self._statements
            if statement.kinds - UNREPORTED.get(change.kind, set()) and self._could_tell(change, statement.entry)
        ]
        decides = change.part == "DispositionPart" or (change.part == "Criteria" and change.kind in CONTENT)
        if decides and self.verdict.differs:
            telling = [statement for statement in telling if not statement.no_impact]
        parts = {str(POL[part]) for part in REPORTED_BY.get(change.part, ())}
        names = {change.iri, *change.within}
        naming = tuple(statement.iri for statement in telling if names & statement.affects)
        wide = tuple(statement.iri for statement in telling if statement.affects & parts)
        return replace(change, named=naming, general=wide)

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

    @cached_property
    def _known_between(self) -> list[tuple[date, dict[str, object]]]:
        """Of every revision between the two, themselves included, that has its criteria on file: month and criteria."""
        loaded = {side.entry.name: side for side in self.sides}
        found = []
        for entry in self.policy.history:
            if self._low <= entry.month <= self._high and (entry.criteria_on_file or entry.name in loaded):
                revision = loaded.get(entry.name) or Revision(self.policy, entry, self.policy.stated_graph(entry))
                contents = {iri: content_of(criterion) for iri, criterion in revision.all_criteria.items()}
                found.append((entry.month, contents))
        return found

    # ------------------------------------------------------------------ what became of a statement

    def findings(self, changes: Sequence[Change]) -> Iterator[LogFinding]:
        """What became of each statement that tells of a change.

        Args:
            changes: all that were found, as `explained` gives them.
        """
        for statement in self._statements:
            finding, why = self._finding(statement, changes)
            row = statement.entry.row
            assert row is not None
            yield LogFinding(row.iri, row.revision_printed, statement.iri, statement.label, finding, why)

    def _finding(self, statement: _Statement, changes: Sequence[Change]) -> tuple[LogVerdict, str]:
        if statement.no_impact and self._contradicted(changes):
            words = self.verdict.words
            return LogVerdict.CONTRADICTED, f"the verdict is {words}, and no row reports a change of the criteria"
        if why := self._not_checkable(statement, changes):
            return LogVerdict.NOT_CHECKABLE, why
        named = [change for change in changes if statement.iri in change.named]
        if named:
            return LogVerdict.EXPLAINS, "; ".join(f"{change.label}: {change.kind.value}" for change in named)
        general = [change for change in changes if statement.iri in change.general]
        if general:
            count = f"{len(general)} change" + ("s" if len(general) > 1 else "")
            parts = [COMPARED_PARTS[part] for part in COMPARED_PARTS if part in {change.part for change in general}]
            return LogVerdict.EXPLAINS, f"names no change in particular; {count} of the {' and '.join(parts)} found"
        if statement.kinds == {"Reworded"}:
            return LogVerdict.NOT_CHECKABLE, "nothing else differs, and the document's own wording is not kept"
        return LogVerdict.NOT_FOUND, "nothing that it reports differs"

    def _not_checkable(self, statement: _Statement, changes: Iterable[Change]) -> str:
        """Why a statement cannot be held against the changes; "" if it can."""
        affected = statement.affects
        parts = {part for part, names in REPORTED_BY.items() if affected & {str(POL[name]) for name in names}}
        parts |= {self._part_of.get(iri, "Criteria") for iri in affected if not iri.startswith(str(POL))}
        if not parts:
            return "no revision on file holds what it affects"
        for side in self.sides:
            for basis, words in (("NotOnFile", "not on file"), ("InferredFromLog", "inferred from the log")):
                missing = [
                    COMPARED_PARTS[part] for part in COMPARED_PARTS if part in parts and side.basis(part) == basis
                ]
                if missing:
                    return f"{' and '.join(missing)} of {side.entry.name}: {words}"
        changed = {iri for change in changes if change.kind in CONTENT for iri in (change.iri, *change.within)}
        if statement.no_impact and affected & changed:
            return "what it rewords also changed in content"
        return ""

    def _contradicted(self, changes: Iterable[Change]) -> bool:
        """Whether a claim of no impact, made in the one row between the two, is shown to be wrong.

        It is where the criteria of both documents are on file, what comes to what differs, and no other statement tells
        of a change by which it could.
        """
        return (
            len(self._rows) == 1
            and all(side.basis("Criteria") == "DocumentOnFile" for side in self.sides)
            and self.verdict.differs
            and any(change.part == "Criteria" and change.kind in CONTENT and not change.rows for change in changes)
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
