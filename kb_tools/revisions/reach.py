"""What a revision reaches: all that can change what a case comes to under it, and nothing else.

The seal of a revision covers it, in four layers:

- revision: what the revision's folder states, with the criteria and definitions that it shares filled in;
- conditions: every condition that these statements name, with all shapes it reaches and the definition it names;
- case-shapes-and-derivation: the rules that derive what counts of a case (and how old its findings are, where a
  condition looks at that), and the shapes that a case must pass. Of shapes for findings, those of the classes that the
  conditions or the rules name, and of those that start the periods since which these count. Of what a case may leave
  out, what conditions and rules read;
- vocabulary-facts: what shapes and rules ask of the vocabularies. Of each class of findings that is read: how its
  findings count. Of each concept that is reached: its class, and which of the others are broader.

A concept is reached if one of these statements names it, if it stands over or under one that is named, or if a case
can state it where a shape asks for a concept of its class. A group of diseases is a path over skos:broader of any
length, so all that is broader is sealed (skos:broaderTransitive), however many steps lead there.

The last two layers are empty where no condition is read: without criteria nothing is decided. Labels, definitions and
messages of the vocabularies and of the case shapes are not covered, since no case can turn on them and they must stay
open to correction; nor is what is said of the policy as a work, its log and its discrepancies, which grow with every
later revision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from itertools import combinations
from typing import TypeAlias

from rdflib import Graph, Literal
from rdflib.namespace import DCTERMS, OWL, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.ask.sparql import names_in
from kb_tools.cases.ages import AGES
from kb_tools.model.concepts import concept_classes
from kb_tools.model.history import RevisionEntry
from kb_tools.model.listed import finding_classes
from kb_tools.model.periods import counts_since
from kb_tools.model.policy import Policy
from kb_tools.model.products import product_kinds
from kb_tools.model.repository import AGE_RULES, DERIVATION, Repository
from kb_tools.rdf.namespaces import CASE, POL, SH
from kb_tools.rdf.paths import routes
from kb_tools.rdf.terms import Triple

# The statements of each layer, by the layer's name.
Layers: TypeAlias = dict[str, list[Triple]]

LAYERS = ("revision", "conditions", "case-shapes-and-derivation", "vocabulary-facts")

_TARGETS = {SH.target, SH.targetClass, SH.targetNode, SH.targetObjectsOf, SH.targetSubjectsOf}
# What shapes say to people.
_PROSE = {
    RDFS.label, SKOS.definition, SKOS.scopeNote, SH.message, SH.name, SH.description, DCTERMS.description,
    OWL.versionInfo,
}  # fmt: skip


def reached(kb: Repository, policy: Policy, entry: RevisionEntry) -> Layers:
    """Everything that a revision reaches, as the knowledge base states it now.

    Line ends in literals are line feeds, so that a file written anew on Windows says the same.
    """
    stated = policy.stated_graph(entry)
    conditions = list(_conditions(kb, stated))
    shapes: list[Triple] = []
    facts: list[Triple] = []
    if conditions:
        files = [DERIVATION, *([AGE_RULES] if _looks_at_ages(conditions) else [])]
        rules = [triple for triple in kb.graph(kb.root / file for file in files) if triple[1] not in _PROSE]
        asked = _named(kb, rules)
        findings = {CASE.Finding, *finding_classes(kb.ontology)}
        read = _with_their_periods(kb.ontology, findings & {*_named(kb, conditions), *asked})
        named = {*_named(kb, conditions), *asked, *_counting_properties(kb.ontology, read)}
        products = [kind for kind in product_kinds(kb.ontology) if kind in named]
        unread = findings - read | set(product_kinds(kb.ontology)).difference(products)
        shapes = [*_CaseShapes(kb.submission_shapes_of(products), unread, named).reached(), *rules]
        counting = list(_vocabulary_facts(kb.ontology, read, asked))
        concepts = _concepts(kb, [*stated, *conditions, *shapes, *counting])
        facts = [*counting, *_vocabulary_facts(kb.ontology, concepts, asked), *_hierarchy(kb.ontology, concepts)]
    layers = (list(stated), conditions, shapes, facts)
    return {name: list(map(_with_line_feeds, layer)) for name, layer in zip(LAYERS, layers, strict=True)}


def _looks_at_ages(conditions: Iterable[Triple]) -> bool:
    """Whether a condition has a window, or its shapes look at how long before the service date a finding lies."""
    return any(predicate == POL.within or object_ in AGES for _, predicate, object_ in conditions)


def _with_their_periods(ontology: Graph, classes: Iterable[Node]) -> set[Node]:
    """Classes of findings, and those whose findings start the periods since which they count."""
    found: set[Node] = set()
    waiting = list(classes)
    while waiting:
        class_ = waiting.pop()
        if class_ not in found:
            found.add(class_)
            waiting.extend(counts_since(ontology, class_))
    return found


def _with_line_feeds(triple: Triple) -> Triple:
    subject, predicate, object_ = triple
    if isinstance(object_, Literal) and "\r\n" in object_:
        text = object_.replace("\r\n", "\n")
        object_ = Literal(text, lang=object_.language, datatype=object_.datatype, normalize=False)
    return subject, predicate, object_


def _named(kb: Repository, triples: Iterable[Triple]) -> set[Node]:
    """The terms that statements name, the text of rules included."""
    named: set[Node] = set()
    for _, _, object_ in triples:
        named.add(object_)
        if isinstance(object_, Literal):
            named.update(names_in(str(object_), kb.prefixes))
    return named


# ---------------------------------------------------------------------- conditions and shapes


def _conditions(kb: Repository, stated: Graph) -> Iterator[Triple]:
    """The conditions that a revision names, and what they reach.

    That a condition entails or excludes another is said of both: it belongs to a revision that reads both, and a
    condition that is written later does not break the seal of one that it is related to.
    """
    described = set(kb.conditions.subjects())
    named = described & set(stated.objects())
    others = set(kb.conditions.subjects(RDF.type, POL.Condition)) - named
    waiting, seen = list(named), set(named)
    definitions: set[Node] = set()
    while waiting:
        for triple in kb.conditions.triples((waiting.pop(), None, None)):
            _, predicate, object_ = triple
            if object_ in others:
                continue
            yield triple
            if predicate == POL.definition and (object_, None, None) not in stated:
                definitions.add(object_)
            if object_ in described and object_ not in seen:
                seen.add(object_)
                waiting.append(object_)
    for definition in definitions:
        yield from _definition(kb, definition)


def _definition(kb: Repository, definition: Node) -> Iterator[Triple]:
    """A definition that a revision neither gives nor borrows, as the earliest revision that states it does.

    The earliest, so that a later revision can state it anew.
    """
    entries = [(entry.month, entry.iri, policy, entry) for policy in kb.policies() for entry in policy.history]
    for _, _, policy, entry in sorted(entries, key=lambda row: row[:2]):
        graph = policy.own_graph(entry)
        if (definition, None, None) in graph:
            yield from graph.triples((definition, None, None))
            return


def _counting_properties(ontology: Graph, classes: Iterable[Node]) -> Iterator[Node]:
    """The properties by which findings of classes count, differ, are told apart and start periods."""
    links = (CASE.countedBy, CASE.differsBy, CASE.keyProperty, CASE.startsPeriodBy)
    return (property_ for class_ in classes for link in links for property_ in ontology.objects(class_, link))


class _CaseShapes:
    """The shapes that a case must pass, without those of what is not read.

    Not read are the findings of some classes, and what a case may say, and need not, by a property that neither
    conditions nor rules name. Nor are such classes among what a finding may be: a list of values is sealed without
    them. So neither a new class nor a new property breaks a seal.
    """

    def __init__(self, shapes: Graph, unread: Set[Node], named: Set[Node]) -> None:
        """Prepares the walk.

        Args:
            shapes: those that a case must pass, as if there were no kinds of products but those that are read.
            unread: the classes of findings and the kinds of products that are not read.
            named: the terms that conditions and rules name.
        """
        self._graph = shapes
        self._unread, self._read = unread, named
        self._closed = set(self._graph.objects(None, ~SH.closed / SH.targetClass))

    def reached(self) -> Iterator[Triple]:
        """The statements of the shapes that are reached, from their targets on."""
        graph = self._graph
        described = set(graph.subjects())
        waiting = list({shape for shape, link, target in graph if link in _TARGETS and self._looks(shape, target)})
        seen = set(waiting)
        while waiting:
            for triple in graph.triples((waiting.pop(), None, None)):
                shape, predicate, object_ = triple
                if predicate in _PROSE or (predicate == SH.targetClass and object_ in self._unread):
                    continue
                if predicate == SH["in"]:
                    yield from _list_without(graph, shape, object_, self._unread)
                    continue
                if predicate == SH.property and (shape, SH.closed, None) in graph and self._is_left_out(object_):
                    continue
                yield triple
                if object_ in described and object_ not in seen:
                    seen.add(object_)
                    waiting.append(object_)

    def _looks(self, shape: Node, target: Node) -> bool:
        """Whether a shape looks at what is read of its target: a closed one always does."""
        if target in self._unread:
            return False
        if (shape, SH.closed, None) in self._graph:
            return True
        looked_at = list(self._graph.objects(shape, (SH.node | SH["not"]) * "*" / SH.property))
        return not looked_at or any(map(self._is_read, looked_at))

    def _is_left_out(self, shape: Node) -> bool:
        """Whether what a property shape is of need not be stated, leads to nothing that is read, and is not read."""
        required = int(str(self._graph.value(shape, SH.minCount) or 0)) > 0
        leads_on = self._graph.value(shape, SH["class"]) in self._closed
        return not (required or leads_on or self._is_read(shape))

    def _is_read(self, shape: Node) -> bool:
        """Whether conditions or rules name a property at which the path of a property shape begins."""
        path = self._graph.value(shape, SH.path)
        return path is None or any(route[0] in self._read for route in routes(self._graph, path))


def _list_without(graph: Graph, shape: Node, head: Node, left_out: Set[Node]) -> Iterator[Triple]:
    """The list of what values may be, on its own nodes, without some of its members."""
    nodes: list[Node] = []
    for node in _along(graph.transitive_objects(head, RDF.rest)):
        member = graph.value(node, RDF.first)
        if member is not None and member not in left_out:
            yield node, RDF.first, member
            nodes.append(node)
    yield shape, SH["in"], nodes[0] if nodes else RDF.nil
    for node, rest in zip(nodes, [*nodes[1:], RDF.nil] if nodes else [], strict=True):
        yield node, RDF.rest, rest


def _along(nodes: Iterable[Node | None]) -> Iterator[Node]:
    """What a transitive search finds, for the type checker: rdflib says that it may find nothing at a node."""
    yield from (node for node in nodes if node is not None)


# ---------------------------------------------------------------------- facts of the vocabularies


def _concepts(kb: Repository, triples: list[Triple]) -> set[Node]:
    """The concepts that statements reach: those named, what is broader and narrower, and what a case can state."""
    ontology = kb.ontology
    members = {class_: set(ontology.subjects(RDF.type, class_)) for class_ in concept_classes(ontology)}
    found: set[Node] = set()
    for concept in set().union(*members.values()) & _named(kb, triples):
        found.update(_along(ontology.transitive_objects(concept, SKOS.broader)))
        found.update(_along(ontology.transitive_subjects(SKOS.broader, concept)))
    for _, predicate, object_ in triples:
        if predicate == SH["class"]:
            found |= members.get(object_, set())
    return found


def _vocabulary_facts(ontology: Graph, terms: Set[Node], asked: Set[Node]) -> Iterator[Triple]:
    """What the case vocabulary says of these terms and the rules ask."""
    for triple in ontology:
        subject, predicate, _ = triple
        if subject in terms and predicate in asked and str(predicate).startswith(str(CASE)):
            yield triple


def _hierarchy(ontology: Graph, concepts: Set[Node]) -> Iterator[Triple]:
    """The class of each concept, and which of the others are broader, over any number of steps."""
    classes = concept_classes(ontology)
    for concept in concepts:
        for class_ in classes & set(ontology.objects(concept, RDF.type)):
            yield concept, RDF.type, class_
        for broader in _along(ontology.transitive_objects(concept, SKOS.broader)):
            if broader in concepts and broader != concept:
                yield concept, SKOS.broaderTransitive, broader


# ---------------------------------------------------------------------- what is newer than a seal


def since_sealed(sealed: Layers, now: Layers) -> Layers:
    """What a revision reaches now, without what the vocabularies say of concepts that are newer than its seal.

    A case that states such a concept was malformed when the revision was sealed, so no case that it decided comes to
    anything else by what stands over or under it. One thing excepted: a status of one group may be of another if there
    is a kind of both. So a new concept stays where it is the first to stand under two groups.
    """
    facts = LAYERS[-1]
    known = {subject for subject, _, _ in sealed[facts]}
    kinds: defaultdict[Node, set[Node]] = defaultdict(set, {concept: {concept} for concept in known})
    for subject, predicate, object_ in sealed[facts]:
        if predicate == SKOS.broaderTransitive:
            kinds[object_].add(subject)
    groups: defaultdict[Node, set[Node]] = defaultdict(set)
    for subject, predicate, object_ in now[facts]:
        if predicate == SKOS.broaderTransitive and subject not in known and object_ in known:
            groups[subject].add(object_)
    known |= {
        concept
        for concept, over in groups.items()
        if any(kinds[one].isdisjoint(kinds[other]) for one, other in combinations(over, 2))
    }
    kept = [
        triple
        for triple in now[facts]
        if triple[0] in known and (triple[1] != SKOS.broaderTransitive or triple[2] in known)
    ]
    return {**now, facts: kept}
