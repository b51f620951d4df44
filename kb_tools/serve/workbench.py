"""A knowledge base as the pages read it: what has an IRI of ours, what it is called, and what says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property

import pyoxigraph as ox
from rdflib import Graph, URIRef
from rdflib.namespace import DCTERMS, OWL, PROV, RDF, RDFS, SKOS

from kb_tools.ask.dataset import default_graph, named_graphs
from kb_tools.cases.form import CaseForms
from kb_tools.cases.inputs import MANIFEST
from kb_tools.determine.examples import Expectation, read_manifest
from kb_tools.model.certainty import copy_of
from kb_tools.model.classes import Classes
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import FILLED_IN, Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.soundness import skip_broken
from kb_tools.model.statements import Criterion
from kb_tools.rdf.canonical import nested
from kb_tools.rdf.namespaces import BASE, BIBO, CITO, OA, POL, SH
from kb_tools.rdf.terms import local_name
from kb_tools.records.shelf import Shelf
from kb_tools.serve.comparisons import Comparisons

# Properties that name a thing in words, the most telling first.
_LABELS = {str(link): rank for rank, link in enumerate((RDFS.label, SKOS.prefLabel, DCTERMS.title, POL.gloss))}
# Properties that give a number or a place.
_NOTATIONS = {str(SKOS.notation), str(POL.number)}
_TYPE, _SUBCLASS = ox.NamedNode(str(RDF.type)), ox.NamedNode(str(RDFS.subClassOf))
# The words for terms of the vocabularies of others.
WORDS = {
    **{str(OWL[name]): "property" for name in ("ObjectProperty", "DatatypeProperty", "AnnotationProperty")},
    str(OWL.Class): "class",
    str(OWL.Ontology): "vocabulary",
    str(OWL.versionInfo): "version",
    str(OWL.disjointWith): "never at once a",
    str(RDF.type): "is a",
    str(RDF.List): "in this order",
    str(RDFS.label): "name",
    str(RDFS.subClassOf): "kind of",
    str(RDFS.subPropertyOf): "kind of",
    str(RDFS.domain): "said of",
    str(RDFS.range): "leads to",
    str(SKOS.ConceptScheme): "code system",
    str(SKOS.Concept): "concept",
    str(SKOS.notation): "number or place",
    str(SKOS.definition): "meaning",
    str(SKOS.scopeNote): "reading",
    str(SKOS.altLabel): "also called",
    str(SKOS.prefLabel): "name",
    str(SKOS.broader): "kind of",
    str(DCTERMS.isPartOf): "published in",
    str(DCTERMS.issued): "issued",
    str(SH.NodeShape): "shape",
    str(SH.PropertyShape): "shape",
    str(SH.SPARQLRule): "rule",
    str(CITO.citesAsEvidence): "cites",
    str(BIBO.AcademicArticle): "article",
    str(BIBO.Document): "document",
    str(BIBO.Journal): "journal",
    str(BIBO.Website): "website",
    str(OA.hasSource): "in",
    str(PROV.wasRevisionOf): "follows",
}


@dataclass
class Thing:
    """What the graphs say of one IRI.

    Attributes:
        types: IRIs of classes.
        labels, notations: its name in words and its number or place, by the graph that gives it.
        graphs: the graphs that describe it.
        shared: the revisions that share with another what that says of it.
    """

    iri: str
    types: set[str] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    notations: dict[str, str] = field(default_factory=dict)
    graphs: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)


class Workbench:
    """A knowledge base, read once.

    Attributes:
        shelf: the decision records that are shown; None for none.
    """

    def __init__(self, kb: Repository) -> None:
        self.kb = kb
        self._revisions: dict[str, Revision] = {}
        self._turtle: dict[str, str] = {}
        self._subclasses: dict[str, frozenset[str]] = {}
        self.comparisons = Comparisons(kb)
        self.shelf: Shelf | None = None

    def showing(self, shelf: Shelf) -> Workbench:
        """The same with decision records that are shown."""
        found = copy(self)
        found.shelf = shelf
        return found

    def read(self) -> None:
        """Read all that pages, queries and determinations are made of, so that what is broken is known at once.

        Policies that are broken are skipped.

        Raises:
            KnowledgeBaseError: what all share is broken, or every policy is; the error names the file.
        """
        skip_broken(self.kb, whole=True)
        for path in self.kb.files("ontology", "shapes"):
            self.kb.triples(path)
        for iri in self.entries:
            self.criteria_of(iri)
        CaseForms(self.kb)
        # What has a page is needed by every page, an error's too.
        _ = self.ours

    @cached_property
    def store(self) -> ox.Store:
        """Every graph of the knowledge base by its name, with what revisions share filled in."""
        return named_graphs(self.kb)

    @cached_property
    def policies(self) -> dict[str, Policy]:
        """The policies on file, by IRI."""
        return {policy.iri: policy for policy in self.kb.policies()}

    @property
    def first_meant(self) -> list[Policy]:
        """The policies, the one first that KB_POLICY names."""
        preferred = self.kb.preferred
        return sorted(
            self.policies.values(), key=lambda policy: preferred is None or policy.identifier != preferred.identifier
        )

    @cached_property
    def entries(self) -> dict[str, tuple[Policy, RevisionEntry]]:
        """The revisions of all policies, by IRI."""
        return {entry.iri: (policy, entry) for policy in self.policies.values() for entry in policy.history}

    def revision_name(self, iri: str) -> str:
        """The name of a revision: "2026-02", or "CP.MP.101/2026-02" where several policies are on file."""
        policy, entry = self.entries[iri]
        return entry.name if len(self.policies) == 1 else f"{policy.identifier}/{entry.name}"

    def revision(self, iri: str) -> Revision:
        """A revision, loaded once."""
        if iri not in self._revisions:
            self._revisions[iri] = Revision.load(*self.entries[iri])
        return self._revisions[iri]

    # ------------------------------------------------------------------ things

    @cached_property
    def things(self) -> dict[str, Thing]:
        """Everything that a graph describes, by IRI."""
        found: dict[str, Thing] = {}
        ranks: dict[tuple[str, str], tuple[int, str]] = {}
        for quad in self.store:
            if not isinstance(quad.subject, ox.NamedNode) or not isinstance(quad.graph_name, ox.NamedNode):
                continue
            iri, link = quad.subject.value, quad.predicate.value
            graph = quad.graph_name.value.removesuffix(FILLED_IN)
            thing = found.setdefault(iri, Thing(iri))
            (thing.graphs if graph == quad.graph_name.value else thing.shared).add(graph)
            if quad.predicate == _TYPE and isinstance(quad.object, ox.NamedNode):
                thing.types.add(quad.object.value)
            elif isinstance(quad.object, ox.Literal):
                # Of several names the first of its kind, so that the order of the store makes no difference.
                text = quad.object.value
                if link in _NOTATIONS:
                    thing.notations[graph] = min(text, thing.notations.get(graph, text))
                elif link in _LABELS:
                    ranks[iri, graph] = min((_LABELS[link], text), ranks.get((iri, graph), (len(_LABELS), text)))
                    thing.labels[graph] = ranks[iri, graph][1]
        return found

    @cached_property
    def ours(self) -> dict[str, None]:
        """Every IRI under our own namespace that has a page, in order: things, namespaces of terms, example cases."""
        described = {iri for iri, thing in self.things.items() if iri.startswith(BASE) and thing.types}
        return dict.fromkeys(sorted(described | self.namespaces.keys() | self.examples.keys()))

    @cached_property
    def namespaces(self) -> dict[str, list[str]]:
        """The terms whose IRIs have a fragment, by what stands before it: there such an IRI leads."""
        found: dict[str, list[str]] = {}
        for iri, thing in sorted(self.things.items()):
            if "#" in iri and iri.startswith(BASE) and thing.types:
                found.setdefault(iri.partition("#")[0], []).append(iri)
        return found

    @cached_property
    def examples(self) -> dict[str, tuple[Policy, list[Expectation]]]:
        """The example cases by the IRI of their file, each with what it must come to; of a policy without, none."""
        found: dict[str, tuple[Policy, list[Expectation]]] = {}
        for policy in self.policies.values():
            if not self.kb.has(policy.cases_folder / MANIFEST):
                continue
            for expected in read_manifest(self.kb, policy.cases_folder):
                found.setdefault(expected.case.partition("#")[0], (policy, []))[1].append(expected)
        return found

    def criteria_of(self, revision: str) -> dict[str, Criterion]:
        """The criteria of a revision, and those within them, by IRI; none where they are not on file."""
        _, entry = self.entries[revision]
        return self.revision(revision).all_criteria if entry.bases.get("Criteria", "NotOnFile") != "NotOnFile" else {}

    @cached_property
    def criteria(self) -> frozenset[str]:
        """The IRIs of all criteria that a revision has on file."""
        return frozenset(iri for revision in self.entries for iri in self.criteria_of(revision))

    @cached_property
    def classes(self) -> Classes:
        """The classes of the vocabularies."""
        return Classes(self.kb)

    def turtle(self, shape: str) -> str:
        """A shape of a condition, with all that it reaches, as Turtle without prefixes; made once."""
        if shape not in self._turtle:
            self._turtle[shape] = shape_text(self.kb.conditions, shape, self.kb.prefixes)
        return self._turtle[shape]

    @cached_property
    def versions(self) -> dict[str, str]:
        """The vocabulary that each version IRI of ours is a version of, by the path of that IRI."""
        found = self.quads(None, ox.NamedNode(str(OWL.versionIRI)))
        return {
            quad.object.value.removeprefix(BASE.rstrip("/")): quad.subject.value
            for quad in found
            if isinstance(quad.object, ox.NamedNode) and isinstance(quad.subject, ox.NamedNode)
        }

    def label(self, iri: str, graphs: Iterable[str] = ()) -> str:
        """The name of a thing in words: as the first of these graphs that gives one says, else as any does.

        What has no name goes by its number or place, and else by the last part of its IRI. A revision has one name in
        the whole workbench, which holds that of its address.
        """
        if iri in self.entries:
            policy, entry = self.entries[iri]
            return f"{policy.identifier}, revision {entry.name}"
        thing = self.things.get(iri)
        labels = thing.labels if thing else {}
        for graph in graphs:
            if graph in labels:
                return labels[graph]
        return labels[max(labels)] if labels else WORDS.get(iri) or self.notation(iri, graphs) or local_name(iri)

    def notation(self, iri: str, graphs: Iterable[str] = ()) -> str:
        """The number or place of a thing, as `label`; "" where it has none."""
        thing = self.things.get(iri)
        found = thing.notations if thing else {}
        for graph in graphs:
            if graph in found:
                return found[graph]
        return found[max(found)] if found else ""

    def code_name(self, iri: str) -> str:
        """The name of a billing code: its system and its number, as "CPT 38242"."""
        systems = [quad.object for quad in self.quads(ox.NamedNode(iri), ox.NamedNode(str(POL.codeSystem)))]
        found = sorted(self.label(system.value) for system in systems if isinstance(system, ox.NamedNode))
        return " ".join([*found[:1], self.notation(iri)])

    def kind(self, iri: str) -> str:
        """What kind of thing an IRI names, in words: the name of its class; "" where nothing says."""
        thing = self.things.get(iri)
        types = sorted(thing.types) if thing else []
        own = [type_ for type_ in types if type_.startswith(BASE)]
        if own:
            return self.label(own[0])
        return next((WORDS[type_] for type_ in types if type_ in WORDS), local_name(types[0]) if types else "")

    def is_a(self, iri: str, class_: str) -> bool:
        """Whether a thing is an instance of a class, or of one under it."""
        thing = self.things.get(iri)
        return thing is not None and not thing.types.isdisjoint(self._below(class_))

    def _below(self, class_: str) -> frozenset[str]:
        if class_ not in self._subclasses:
            below, waiting = {class_}, [ox.NamedNode(class_)]
            while waiting:
                for quad in self.store.quads_for_pattern(None, _SUBCLASS, waiting.pop(), None):
                    if isinstance(quad.subject, ox.NamedNode) and quad.subject.value not in below:
                        below.add(quad.subject.value)
                        waiting.append(quad.subject)
            self._subclasses[class_] = frozenset(below)
        return self._subclasses[class_]

    # ------------------------------------------------------------------ graphs

    @cached_property
    def shared_graphs(self) -> frozenset[str]:
        """The names of the graphs that belong to no revision."""
        return frozenset(default_graph(self.kb, []))

    def quads(self, subject: object, predicate: object = None, object_: object = None) -> Iterator[ox.Quad]:
        """The statements that fit a pattern, of all named graphs."""
        return self.store.quads_for_pattern(subject, predicate, object_, None)  # type: ignore[arg-type]


def shape_text(shapes: Graph, shape: str, prefixes: dict[str, str]) -> str:
    """A shape with all that it reaches in a graph of shapes, as Turtle without its prefixes."""
    reached = Graph(bind_namespaces="none")
    copy_of(URIRef(shape), shapes, reached)
    lines = nested(reached, prefixes).decode().splitlines()
    return "\n".join(line for line in lines if not line.startswith("PREFIX ")).strip() + "\n"
