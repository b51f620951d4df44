"""A policy: its revisions, which of them was in force on a day, and the graph of each."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyoxigraph as ox
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, RDFS, SKOS

from kb_tools.as_json import AsJson
from kb_tools.errors import KnowledgeBaseError, UnknownRevision
from kb_tools.model.history import LogRow, RevisionEntry, Selection, first_day
from kb_tools.model.statements import ROLES
from kb_tools.rdf.namespaces import BASE, POL, SH
from kb_tools.rdf.terms import extend, local_name, to_quads, to_rdflib

if TYPE_CHECKING:
    from kb_tools.model.repository import Repository

# What is said of the policy as a work.
POLICY_FILE = "policy.ttl"
# How the name of the graph goes on that holds what a revision shares with another.
FILLED_IN = "/filled-in"
_SHARED = """
PREFIX cito: <http://purl.org/spar/cito/>
PREFIX pol: <https://w3id.org/policykb/policy#>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
SELECT ?revision ?s ?p ?o WHERE {
    {
        GRAPH ?revision {
            ?revision pol:criteriaAsIn ?source ;
                pol:appliesWhen|pol:indication|pol:limitation|pol:exclusion|pol:remainder ?shared
        }
    } UNION {
        GRAPH ?revision { ?revision pol:borrowsDefinition [ pol:definition ?shared ; pol:borrowedFrom ?source ] }
    }
    GRAPH ?source {
        ?shared (pol:allOf|pol:anyOf|pol:noneOf|pol:of|rdf:first|rdf:rest|pol:statedIn)* ?s .
        ?s ?p ?o
    }
    FILTER (?p != cito:citesAsEvidence)
    FILTER NOT EXISTS { GRAPH ?revision { ?s ?p ?o } }
}
"""


class Policy(AsJson):
    """One policy: its folder, its history, and the graph of each of its revisions."""

    def __init__(self, kb: Repository, folder: Path) -> None:
        self.kb = kb
        self.folder = folder
        self.identifier = folder.name
        self.iri = BASE + self.identifier

    def __repr__(self) -> str:
        return f"<Policy {self.identifier}>"

    @cached_property
    def shared(self) -> Graph:
        """What the policy says apart from any revision: the work, its log, its discrepancies."""
        return self.kb.graph(self.kb.files_in(self.folder))

    @cached_property
    def title(self) -> str:
        return str(self.shared.value(URIRef(self.iri), DCTERMS.title) or self.identifier)

    @cached_property
    def own_prefixes(self) -> dict[str, str]:
        """The prefixes that the policy declares; of one that it declares twice, the first by name.

        Raises:
            KnowledgeBaseError: its file cannot be read.
        """
        table: dict[str, str] = {}
        for prefix, namespace in declared_prefixes(self.kb.graph([self.folder / POLICY_FILE])):
            table.setdefault(prefix, namespace)
        return table

    @cached_property
    def prefixes(self) -> dict[str, str]:
        """The prefix table as the policy sees it: what it declares itself counts before what other policies do."""
        return {**self.kb.prefixes, **self.own_prefixes, **self.kb.shared_prefixes}

    @cached_property
    def named_by(self) -> frozenset[str]:
        """The services and billing codes by which a request names the policy: their IRIs."""
        graph = self.kb.graph([self.folder / POLICY_FILE])
        return frozenset(map(str, graph.objects(URIRef(self.iri), POL.namedBy)))

    @cached_property
    def payer(self) -> str:
        """The IRI of the payer whose policy it is; "" where it is not stated."""
        graph = self.kb.graph([self.folder / POLICY_FILE])
        return str(graph.value(URIRef(self.iri), POL.payer) or "")

    @cached_property
    def payer_label(self) -> str:
        """What its payer is called."""
        graph = self.kb.graph([self.folder / POLICY_FILE])
        return str(graph.value(URIRef(self.payer), RDFS.label) or local_name(URIRef(self.payer)))

    @cached_property
    def payer_names(self) -> frozenset[str]:
        """What its payer is called, with the other names that it goes by (skos:altLabel)."""
        graph = self.kb.graph([self.folder / POLICY_FILE])
        found = (str(name) for link in (RDFS.label, SKOS.altLabel) for name in graph.objects(URIRef(self.payer), link))
        return frozenset(found)

    @cached_property
    def payer_identifiers(self) -> frozenset[tuple[str, str]]:
        """Numbers by which others know its payer, each after the system that issues it.

        Stated as a search of FHIR writes them: dcterms:identifier "urn:oid:2.16.840.1.113883.6.300|12345". Its own name
        here (pay:centene) is one, of the system of these names.
        """
        payer = URIRef(self.payer)
        graph = self.kb.graph([self.folder / POLICY_FILE])
        own = f"{self.payer.removesuffix(local_name(payer))}|{local_name(payer)}"
        parts = (str(one).rpartition("|") for one in (own, *graph.objects(payer, DCTERMS.identifier)))
        return frozenset((system, value) for system, _, value in parts if system and value)

    def to_dict(self) -> dict[str, Any]:
        """Give the policy and its revisions, as an element of the list of `kb show --format json`."""
        return {
            "policy": self.identifier,
            "title": self.title,
            "revisions": [entry.to_dict() for entry in self.history],
        }

    @cached_property
    def cases_folder(self) -> Path:
        return self.folder / "cases"

    @cached_property
    def revision_folders(self) -> dict[str, Path]:
        return {path.parent.name: path.parent for path in self.kb.files_in(self.folder, "*/revision.ttl")}

    @cached_property
    def history(self) -> list[RevisionEntry]:
        """Its revisions, oldest first."""
        rows = {str(revision): row for row, revision in self.shared.subject_objects(POL.records)}
        entries = []
        for name, folder in self.revision_folders.items():
            graph = self.kb.graph([folder / "revision.ttl"])
            iri = URIRef(f"{self.iri}/{name}")
            month = graph.value(iri, POL.revisionMonth)
            if not isinstance(month, Literal):
                raise KnowledgeBaseError(
                    f"{iri} has no revision month", where=str(folder / "revision.ttl"), hint="add pol:revisionMonth"
                )
            bases = {
                local_name(graph.value(holding, POL.part)): local_name(graph.value(holding, POL.basis))
                for holding in graph.objects(iri, POL.partOnFile)
            }
            in_part, has_none = (
                sorted(
                    local_name(graph.value(holding, POL.part))
                    for holding in graph.objects(iri, POL.partOnFile)
                    if (holding, flag, Literal(True)) in graph
                )
                for flag in (POL.inPart, POL.hasNone)
            )
            row = rows.get(str(iri))
            entries.append(
                RevisionEntry(
                    iri=str(iri),
                    name=name,
                    label=str(graph.value(iri, RDFS.label) or name),
                    month=first_day(month, folder / "revision.ttl"),
                    row=self._log_row(row) if isinstance(row, URIRef) else None,
                    bases=bases,
                    draft=(iri, POL.toDo, None) in graph,
                    in_part=tuple(in_part),
                    has_none=tuple(has_none),
                )
            )
        return sorted(entries, key=lambda entry: entry.month)

    @cached_property
    def released(self) -> list[RevisionEntry]:
        """Its revisions that are no drafts, oldest first."""
        return [entry for entry in self.history if not entry.draft]

    def as_released(self) -> Policy:
        """The same policy as it would be with its drafts released; itself where it has none."""
        kb = self.kb
        for entry in self.history:
            if entry.draft:
                path, mark = self.revision_folders[entry.name] / "revision.ttl", (URIRef(entry.iri), POL.toDo)
                kb = kb.instead(path, [triple for triple in kb.triples(path) if triple[:2] != mark])
        return self if kb is self.kb else kb.policy(self.identifier)

    def _log_row(self, row: URIRef) -> LogRow:
        approval = self.shared.value(row, POL.approval)
        order = str(self.shared.value(row, POL.order))
        if not order.isdecimal():
            raise KnowledgeBaseError(f"{row} has no place in the log", where=str(self.folder), hint="give it pol:order")
        return LogRow(
            iri=str(row),
            order=int(order),
            revision_printed=str(self.shared.value(row, POL.revisionAsPrinted)),
            approval_printed=str(self.shared.value(row, POL.approvalAsPrinted) or ""),
            approval=first_day(approval, self.folder) if isinstance(approval, Literal) else None,
        )

    def entry(self, name: str) -> RevisionEntry:
        """The revision of that name, as "2026-02" or "CP.MP.101/2026-02".

        Raises:
            UnknownRevision: the policy has none of that name; the error lists those it has, and names the nearest.
        """
        wanted = name.removeprefix(self.iri + "/").removeprefix(self.identifier + "/")
        for entry in self.history:
            if entry.name == wanted:
                return entry
        if not self.history:
            raise self.without_revisions()
        known = ", ".join(f"{entry.name} (draft)" if entry.draft else entry.name for entry in self.history)
        nearest = self._nearest(wanted)
        hint = f"known: {known}" + (f"; nearest: {nearest}" if nearest else "")
        unquoted = f"{self.identifier} has no such revision"
        raise UnknownRevision(f"{self.identifier} has no revision {name}", hint=hint, unquoted=unquoted)

    def without_revisions(self) -> UnknownRevision:
        """What is raised where a policy is asked for a revision and has none."""
        begin = f"kb draft start DOCUMENT --policy {self.identifier} --revision YYYY-MM"
        what, where = f"{self.identifier} has no revision on file", str(self.folder)
        return UnknownRevision(what, where=where, hint=f"begin one with {begin}, or restore its folders")

    def states_criteria(self, entry: RevisionEntry) -> bool:
        """Whether the folder of a revision states any criterion, or names those of another."""
        graph = self.own_graph(entry)
        return any((URIRef(entry.iri), link, None) in graph for link in ROLES.values())

    def _nearest(self, name: str) -> str:
        """The name of the revision that is nearest in time to a month, or alike to what is none; "" for none."""
        names = [entry.name for entry in self.history]
        try:
            month = date.fromisoformat(f"{name}-01")
        except ValueError:
            return next(iter(get_close_matches(name, names, 1)), "")
        return min(self.history, key=lambda entry: abs(entry.month - month)).name if names else ""

    def require_criteria(self, entry: RevisionEntry) -> RevisionEntry:
        """The entry itself, when its criteria are on file.

        Raises:
            UnknownRevision: they are not; the error names the nearest revision whose criteria are.
        """
        if entry.criteria_on_file:
            return entry
        if entry.draft:
            raise UnknownRevision(
                f"{self.identifier} revision {entry.name} is a draft",
                hint="kb draft status lists what is left of it; kb draft done releases it",
            )
        on_file = [candidate for candidate in self.history if candidate.criteria_on_file]
        nearest = min(on_file, key=lambda candidate: abs((candidate.month - entry.month).days), default=None)
        hint = f"nearest on file: --revision {nearest.name}" if nearest else "no revision's criteria are on file"
        raise UnknownRevision(f"the criteria of {self.identifier} revision {entry.name} are not on file", hint=hint)

    def begun_by(self, day: date) -> RevisionEntry | None:
        """The revision that counts on `day`, whether or not its criteria are on file; None before the first."""
        started = [entry for entry in self.released if entry.effective <= day]
        return max(started, key=lambda entry: (entry.effective, entry.month), default=None)

    def in_force(self, day: date) -> Selection:
        """The revision taken to be in force on `day`, with what a reader must know of that.

        From the approval date where the log gives one (a month means its first day), else from the revision month.
        The document says that its effective date may differ, so the choice is always marked as assumed.

        Raises:
            UnknownRevision: no revision was in force yet, or the criteria of the one that was are not on file.
        """
        chosen = self.begun_by(day)
        if not self.history:
            raise self.without_revisions()
        if chosen is None:
            hint = "none on file is released"
            if self.released:
                first = min(self.released, key=lambda entry: entry.effective)
                hint = f"the first known is {first.name}, from {first.effective}"
            what, unquoted = (f"no revision of {self.identifier} was in force on {on}" for on in (day, "that day"))
            raise UnknownRevision(what, hint=hint, unquoted=unquoted)
        since = "approval" if chosen.row and chosen.row.approval else "revision month"
        notices = [
            f"Revision {chosen.name} is assumed to be in force on {day}: from {chosen.effective}, its {since}. "
            "The plan sets the actual effective date."
        ]
        by_month = next((entry for entry in reversed(self.released) if entry.month <= day), chosen)
        if by_month.iri != chosen.iri:
            notices.append(
                f"By revision month, revision {by_month.name} would have been chosen; it counts from its approval, "
                f"{by_month.row.approval_printed if by_month.row else 'not given'}."
            )
        if chosen.row is None:
            later = next((entry for entry in self.released if entry.month > chosen.month), None)
            until = f" until {later.name}" if later else ""
            notices.append(
                f"The revision log has no row for {chosen.name}: reviews that it does not list are likely{until}."
            )
        return Selection(self.require_criteria(chosen), tuple(notices))

    def revision_graph(self, entry: RevisionEntry) -> Graph:
        """Everything needed to read one revision: vocabularies, conditions, the work, and what the revision states."""
        graph = self.stated_graph(entry)
        for shared in (self.kb.ontology, self.kb.conditions, self.shared):
            extend(graph, shared)
        return graph

    def stated_graph(self, entry: RevisionEntry) -> Graph:
        """The revision's own graph, with what it shares with another filled in: see `filled_in`.

        Raises:
            UnknownRevision: the other is none of this policy.
        """
        graph = self.own_graph(entry)
        others = {*graph.objects(URIRef(entry.iri), POL.criteriaAsIn), *graph.objects(None, POL.borrowedFrom)}
        if others:
            store = ox.Store()
            for source in (entry, *(self.entry(str(other)) for other in others)):
                name = ox.NamedNode(source.iri)
                quads = to_quads(self.own_graph(source))
                store.bulk_extend(ox.Quad(quad.subject, quad.predicate, quad.object, name) for quad in quads)
            for quad in filled_in(store):
                if quad.graph_name == ox.NamedNode(entry.iri + FILLED_IN):
                    graph.add((to_rdflib(quad.subject), to_rdflib(quad.predicate), to_rdflib(quad.object)))
        return graph

    def own_graph(self, entry: RevisionEntry) -> Graph:
        """What the files in the revision's own folder say."""
        return self.kb.graph(self.kb.files_in(self.revision_folders[entry.name]))


def declared_prefixes(graph: Graph) -> list[tuple[str, str]]:
    """The prefixes that a graph declares, each with its namespace, in order."""
    rows = graph.objects(None, SH.declare)
    return sorted((str(graph.value(row, SH.prefix)), str(graph.value(row, SH.namespace))) for row in rows)


def filled_in(store: ox.Store) -> list[ox.Quad]:
    """What revisions share with others, each in a graph of its own: the name of the revision's, and FILLED_IN.

    Where a revision says that its criteria are as in another (pol:criteriaAsIn), what that other's graph says of the
    criteria that this one names is filled in, with their trees and places, and nothing else; so is a definition that it
    borrows. Not what they cite: of the references of the revision that shares them nothing is known.

    Args:
        store: the graphs of revisions, each under its IRI.
    """
    rows: Any = store.query(_SHARED)
    return [ox.Quad(s, p, o, ox.NamedNode(revision.value + FILLED_IN)) for revision, s, p, o in rows]
