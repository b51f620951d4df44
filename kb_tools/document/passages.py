"""The passages of a revision's document on file, and what is stated in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rdflib import Graph, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.errors import UnknownRevision
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CITO, POL

# The kinds of statements, those whose error does most harm first. Those that are not in REVIEWED decide nothing, and
# call for a look as well when their passage changes.
KINDS: Mapping[str, tuple[URIRef, ...]] = {
    "criterion": (POL.Criterion, POL.Indication, POL.Limitation, POL.Exclusion, POL.Remainder, POL.Applicability),
    "definition": (POL.Definition,),
    "code": (POL.Code,),
    "reference": (POL.Reference,),
    "evidence": (POL.EvidenceStatement,),
    "advisory": (POL.Advisory,),
    "discrepancy": (POL.Discrepancy,),
    "log row": (POL.LogRow, POL.LogStatement),
    "revision": (POL.Revision, POL.PartHolding),
}
REVIEWED = ("criterion", "definition", "code", "reference", "evidence")


@dataclass(frozen=True)
class Statement:
    """Something that the knowledge base states: its kind (one of KINDS), IRI, place in the document and short name."""

    kind: str
    iri: str
    notation: str
    label: str


@dataclass(frozen=True)
class Passage:
    """A passage of the revision.

    Attributes:
        accounted_as: the IRI of its disposition; "" if it has none.
        cites: the references whose marks it carries; empty where that is not said of it (cito:cites).
        cited: the references that the statements there, or in a part of it, cite as evidence.
        part_of: the passage that it is a part of; "" if it is a unit itself.
        statements: what states it.
        accounted: whether it, or a part of it, is stated or said to be left out.
    """

    iri: str
    section: str
    notation: str
    order: int
    digest: str
    sketch: str
    accounted_as: str
    cites: frozenset[str]
    cited: frozenset[str]
    part_of: str
    statements: tuple[Statement, ...]
    accounted: bool

    def to_dict(self) -> dict[str, str]:
        """Give the place of the passage as JSON values."""
        return {"passage": self.iri, "place": self.notation, "section": self.section}


# ---------------------------------------------------------------------- the side of the knowledge base


def traceable(policy: Policy, named: str | None = None) -> RevisionEntry:
    """The revision named, or the latest one of whose document digests are kept.

    Raises:
        UnknownRevision: there is none, or of the one named no digests are kept.
    """
    kept = revisions_with_digests(policy)
    chosen = [policy.entry(named)] if named else kept[-1:]
    if not chosen or chosen[0] not in kept:
        which = f"revision {named}" if named else "any revision"
        begin = f"kb draft start DOCUMENT --policy {policy.identifier} --revision YYYY-MM"
        made = f"{begin} makes them, of a revision that is not frozen or of the next one"
        hint = f"digests are kept of: {', '.join(entry.name for entry in kept)}" if kept else made
        raise UnknownRevision(f"no digests of the document of {policy.identifier}, {which}, are kept", hint=hint)
    return chosen[0]


def policy_traced(kb: Repository, named: str | None, revision: str | None) -> Policy:
    """The policy whose document a copy is held against: the one named, or the only one of which digests are kept.

    Raises:
        KbError: there is no such policy, or of several digests are kept and none is named.
    """
    if named is None and revision is None:
        traced = [policy for policy in kb.policies() if revisions_with_digests(policy)]
        if len(traced) == 1:
            return traced[0]
    return kb.policy_of(named, *filter(None, [revision]))


def revisions_with_digests(policy: Policy) -> list[RevisionEntry]:
    """The revisions with digests of their document, oldest first."""
    return [entry for entry in policy.history if (None, POL.digest, None) in policy.own_graph(entry)]


def passages(policy: Policy, entry: RevisionEntry, with_digest: bool = True) -> tuple[Passage, ...]:
    """The passages of a revision, in the order of the document, each with what states it.

    Args:
        with_digest: leave out those of which no digest is kept.
    """
    graph = Graph()
    for source in (policy.own_graph(entry), policy.shared):
        graph += source
    kinds: dict[Node, str] = {class_: kind for kind, classes in KINDS.items() for class_ in classes}
    nodes = set(graph.subjects(POL.digest) if with_digest else policy.own_graph(entry).subjects(RDF.type, POL.Passage))
    found = [_passage(policy, graph, node, kinds) for node in nodes if isinstance(node, URIRef)]
    in_part = {passage.part_of for passage in found if passage.accounted}
    found = [replace(passage, accounted=passage.accounted or passage.iri in in_part) for passage in found]
    return tuple(sorted(found, key=lambda passage: (passage.order, passage.part_of != "", passage.iri)))


def _passage(policy: Policy, graph: Graph, node: URIRef, kinds: Mapping[Node, str]) -> Passage:
    def text(property_: URIRef) -> str:
        return str(graph.value(node, property_) or "")

    statements = set()
    for subject in graph.subjects(POL.statedIn, node):
        kind = next((kinds[type_] for type_ in graph.objects(subject, RDF.type) if type_ in kinds), None)
        if kind:
            statements.add(_statement(policy, graph, subject, kind))
    return Passage(
        iri=str(node),
        section=text(POL.section),
        notation=text(SKOS.notation),
        order=int(text(POL.order) or 0),
        digest=text(POL.digest),
        sketch=text(POL.sketch),
        accounted_as=text(POL.accountedAs),
        cites=frozenset(map(str, graph.objects(node, CITO.cites))),
        cited=frozenset(map(str, _cited(graph, node))),
        part_of=text(DCTERMS.isPartOf),
        statements=tuple(sorted(statements, key=lambda statement: statement.iri)),
        accounted=bool(statements or text(POL.accountedAs)),
    )


def _cited(graph: Graph, node: URIRef) -> Iterator[Node]:
    for place in (node, *graph.subjects(DCTERMS.isPartOf, node)):
        for statement in graph.subjects(POL.statedIn, place):
            yield from graph.objects(statement, CITO.citesAsEvidence)


def _statement(policy: Policy, graph: Graph, node: Node, kind: str) -> Statement:
    # What is on file of a part of the document has no name of its own.
    part = graph.value(node, POL.part)
    label = graph.value(node, RDFS.label) or graph.value(node, POL.gloss) or policy.kb.labels.get(str(part), "")
    iri = "" if part else str(node)
    return Statement(kind, iri, str(graph.value(node, SKOS.notation) or ""), str(label))
