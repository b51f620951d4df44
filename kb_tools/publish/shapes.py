"""One self-contained SHACL graph of a revision, for people who run another engine.

It needs neither the vocabularies nor inference: groups of diseases are listed, and what counts of a case is derived by
its own rules (or beforehand, by `kb validate --prepare`). Its outcome shapes say what a determination would:
a violation where the policy applies and the criteria fail, a warning where the outcome is undetermined, an info where
the policy does not apply, nothing where the criteria are met. A violation of any other shape is a malformed case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import OWL, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.ask.sparql import names_in
from kb_tools.cases.ages import AGES
from kb_tools.determine.ages_seen import looks_at_ages
from kb_tools.determine.result import Outcome
from kb_tools.model.certainty import Form, copy_of, in_form, list_of
from kb_tools.model.concepts import concept_facts
from kb_tools.model.logic import Tree
from kb_tools.model.repository import AGE_RULES, DERIVATION, PREFIX_TABLE, Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import CASE, SH, SHAPE
from kb_tools.rdf.terms import graph_of, local_name

_SEVERITIES = {
    Outcome.NOT_MET: (SH.Violation, "The policy applies and its criteria are not met."),
    Outcome.NEEDED: (SH.Warning, "The outcome is undetermined: information is missing or conflicting."),
    Outcome.NOT_APPLICABLE: (SH.Info, "The policy does not apply to this case."),
}


def outcome_shape(revision: Revision, outcome: Outcome) -> URIRef:
    """The IRI of the exported shape that a case does not conform to when it comes to `outcome`."""
    name = "Undetermined" if outcome in (Outcome.NEEDED, Outcome.CONFLICTING) else outcome.value
    return URIRef(f"{revision.iri}/outcome/{name}")


def self_contained(kb: Repository, revision: Revision) -> Graph:
    """The case shapes, the conditions of the revision, its criteria composed of them, and the rules."""
    conditions = [revision.conditions[iri] for iri in revision.deciding_conditions]
    with_ages = looks_at_ages(kb.evaluated, conditions)
    rules = kb.graph(kb.root / file for file in (DERIVATION, *([AGE_RULES] if with_ages else [])))
    graph = graph_of([*kb.case_shapes, *rules])
    if with_ages:
        _allow_ages(graph)
    sides = _both_forms(kb, revision, graph)
    _list_classes(graph, kb.ontology)
    _list_groups(graph, kb.ontology)
    _add_prefixes(graph, kb)
    _add_facts_rule(graph, kb, rules)
    _add_outcomes(graph, revision, sides)
    for prefix, namespace in kb.prefixes.items():
        graph.bind(prefix, namespace)
    return graph


# The two shapes of a condition in one form: that for evidence that it holds, and that for evidence that it fails.
_Sides: TypeAlias = tuple[URIRef, URIRef]


def _both_forms(kb: Repository, revision: Revision, graph: Graph) -> dict[tuple[str, Form], _Sides]:
    """Adds the shapes of each deciding condition in both forms, and returns their names."""
    return {
        (iri, form): (
            in_form(kb.evaluated, URIRef(revision.conditions[iri].holds_when), form, graph),
            in_form(kb.evaluated, URIRef(revision.conditions[iri].fails_when), form, graph),
        )
        for iri in revision.deciding_conditions
        for form in Form
    }


def _allow_ages(graph: Graph) -> None:
    """Lets the closed shapes of findings pass the ages that the rules derive, as they pass what else is derived."""
    for shape, head in list(graph.subject_objects(SH.ignoredProperties)):
        ignored = list(Collection(graph, head))
        if CASE.contradictedBy in ignored:
            graph.remove((shape, SH.ignoredProperties, head))
            _remove_list(graph, head)
            graph.add((shape, SH.ignoredProperties, list_of(graph, [*ignored, *AGES])))


# ---------------------------------------------------------------------- what the vocabularies say, listed


def _list_classes(graph: Graph, ontology: Graph) -> None:
    """Says sh:in with the concepts of a class where the shapes say sh:class."""
    for shape, class_ in list(graph.subject_objects(SH["class"])):
        concepts = sorted(ontology.subjects(RDF.type, class_), key=str)
        if (class_, RDFS.subClassOf, SKOS.Concept) in ontology:
            graph.remove((shape, SH["class"], class_))
            graph.add((shape, SH["in"], list_of(graph, concepts)))


def _list_groups(graph: Graph, ontology: Graph) -> None:
    """Lists the members of a group where a path of the shapes climbs to it by skos:broader."""
    for shape, path in list(graph.subject_objects(SH.path)):
        steps = list(Collection(graph, path)) if (path, RDF.first, None) in graph else []
        if not steps or graph.value(steps[-1], SH.zeroOrMorePath) != SKOS.broader:
            continue
        graph.remove((shape, SH.path, path))
        _remove_list(graph, path)
        graph.remove((steps[-1], None, None))
        graph.add((shape, SH.path, steps[0] if len(steps) == 2 else list_of(graph, steps[:-1])))
        group = graph.value(shape, SH.hasValue)
        if group is not None:
            graph.remove((shape, SH.hasValue, group))
            members = BNode()
            graph.add((shape, SH.qualifiedValueShape, members))
            graph.add((shape, SH.qualifiedMinCount, Literal(1)))
            groups: list[Node] = [group]
        else:
            named = graph.value(shape, SH.qualifiedValueShape)
            assert isinstance(named, BNode), "a path over skos:broader ends in sh:hasValue or a qualified sh:in"
            members = named
            listed = graph.value(members, SH["in"])
            assert listed is not None
            groups = list(Collection(graph, listed))
            _remove_list(graph, listed)
            graph.remove((members, SH["in"], None))
        members_of = (ontology.transitive_subjects(SKOS.broader, group) for group in groups)
        narrower = {concept for found in members_of for concept in found if concept is not None}
        graph.add((members, SH["in"], list_of(graph, sorted(narrower, key=str))))


def _remove_list(graph: Graph, head: Node) -> None:
    """Removes the nodes of a list, so that nothing of a path is left where no shape leads."""
    for node in list(graph.transitive_objects(head, RDF.rest)):
        graph.remove((node, None, None))


# ---------------------------------------------------------------------- rules


def _add_prefixes(graph: Graph, kb: Repository) -> None:
    table = kb.graph([kb.root / PREFIX_TABLE])
    for subject in set(table.subjects(SH.declare)):
        copy_of(subject, table, graph)


def _add_facts_rule(graph: Graph, kb: Repository, rules: Graph) -> None:
    """A rule that states, before the others run, what they ask of the vocabularies."""
    named = {name for text in rules.objects(None, SH.construct) for name in names_in(str(text), kb.prefixes)}
    asked = named & set(kb.ontology.subjects(RDF.type, OWL.AnnotationProperty))
    facts = [triple for triple in concept_facts(kb.ontology) if triple[1] == SKOS.broader]
    facts += [triple for property_ in asked for triple in kb.ontology.triples((None, property_, None))]
    rows = sorted("(" + " ".join(term.n3() for term in triple) + ")" for triple in facts)
    rule = SHAPE.VocabularyFacts
    graph.add((rule, RDF.type, SH.SPARQLRule))
    graph.add((rule, RDFS.label, Literal("vocabulary facts", lang="en")))
    graph.add((rule, SH.order, Literal(0)))
    # As rows of VALUES: rdflib's parser runs out of stack on a template of that many triples.
    listed = "\n".join(rows)
    construct = f"CONSTRUCT {{ ?s ?p ?o }}\nWHERE {{\n$this a {CASE.Case.n3()} .\nVALUES (?s ?p ?o) {{\n{listed}\n}} }}"
    graph.add((rule, SH.construct, Literal(construct)))
    graph.add((SHAPE.WhatCounts, SH.rule, rule))


# ---------------------------------------------------------------------- criteria composed


def _add_outcomes(graph: Graph, revision: Revision, sides: Mapping[tuple[str, Form], _Sides]) -> None:
    composer = _Composer(graph, revision, sides)
    applies = composer.named("applicability", revision.applicability_tree)
    met = composer.named("criteria", revision.criteria_tree)
    for criterion in revision.criteria:
        if criterion.tree:
            composer.named(local_name(criterion.iri), criterion.tree, criterion.notation)
    settled = composer.junction(SH["or"], [met[True], met[False]])
    conforms = {
        Outcome.NOT_MET: composer.negation(composer.junction(SH["and"], [applies[True], met[False]])),
        Outcome.NEEDED: composer.junction(
            SH["or"], [applies[False], composer.junction(SH["and"], [applies[True], settled])]
        ),
        Outcome.NOT_APPLICABLE: composer.negation(applies[False]),
    }
    for outcome, (severity, message) in _SEVERITIES.items():
        shape = outcome_shape(revision, outcome)
        for predicate, object_ in list(graph.predicate_objects(conforms[outcome])):
            graph.add((shape, predicate, object_))
        graph.remove((conforms[outcome], None, None))
        graph.add((shape, RDF.type, SH.NodeShape))
        graph.add((shape, SH.targetClass, CASE.Case))
        graph.add((shape, SH.severity, severity))
        graph.add((shape, SH.message, Literal(message, lang="en")))


class _Composer:
    """Builds, for trees of conditions, the shape of the cases on which they hold, and of those on which they fail.

    A condition holds where the case surely shows that it does and nothing perhaps shows the contrary.
    """

    def __init__(self, graph: Graph, revision: Revision, sides: Mapping[tuple[str, Form], _Sides]) -> None:
        self.graph = graph
        self.revision = revision
        self.sides = sides
        self._names_of_criteria = {"applicability", "criteria", *map(local_name, revision.all_criteria)}
        # The parts of the trees that count, once where they hold and once where they fail.
        self._counted: dict[Tree, dict[bool, list[Node]]] = {}

    def named(self, name: str, tree: Tree, notation: str = "") -> dict[bool, Node]:
        """Named shapes for a tree: True for where it holds, False for where it fails."""
        shapes: dict[bool, Node] = {}
        for holds, word in ((True, "holds"), (False, "fails")):
            shape = URIRef(f"{self.revision.iri}/shape/{name}-{word}")
            self.graph.add((shape, RDF.type, SH.NodeShape))
            if notation:
                self.graph.add((shape, SKOS.notation, Literal(notation)))
            self._name(self.tree(tree, holds), shape)
            shapes[holds] = shape
        return shapes

    def _name(self, inner: Node, shape: URIRef) -> None:
        """Gives what an unnamed shape says to a named one."""
        for predicate, object_ in list(self.graph.predicate_objects(inner)):
            self.graph.add((shape, predicate, object_))
        self.graph.remove((inner, None, None))

    def tree(self, part: Tree | str, holds: bool) -> Node:
        if not isinstance(part, Tree):
            return self.condition(part, holds)
        if part.operator == "atLeast":
            return self.counted(part, holds)
        below = holds != (part.operator == "noneOf")
        every = (part.operator == "anyOf") != holds
        parts = [self.tree(child, below) for child in part.parts]
        return self.junction(SH["and"] if every else SH["or"], parts)

    def counted(self, tree: Tree, holds: bool) -> BNode:
        """At least so many parts hold; or so many fail that the others are too few.

        SHACL Core counts no shapes. So a named shape says "at least k of the last m parts": the first of these and k-1
        of those after it, or k of those after it. There are no more than k times m of them.
        """
        if tree not in self._counted:
            self._counted[tree] = {side: [self.tree(child, side) for child in tree.parts] for side in (True, False)}
        number, parts = list(self._counted).index(tree) + 1, self._counted[tree][holds]
        name = f"{self.revision.iri}/shape/count-{number}-{'hold' if holds else 'fail'}"
        return self._at_least(tree.least if holds else len(parts) - tree.least + 1, parts, name)

    def _at_least(self, least: int, parts: list[Node], name: str) -> BNode:
        """A shape for at least so many of some parts; those for fewer parts are named."""
        if least == 1 or least == len(parts):
            return self.junction(SH["or"] if least == 1 else SH["and"], parts)
        fewer, same = (self._of_last(count, parts[1:], name) for count in (least - 1, least))
        return self.junction(SH["or"], [self.junction(SH["and"], [parts[0], fewer]), same])

    def _of_last(self, least: int, parts: list[Node], name: str) -> URIRef:
        shape = URIRef(f"{name}-{least}-of-last-{len(parts)}")
        if (shape, RDF.type, SH.NodeShape) not in self.graph:
            self.graph.add((shape, RDF.type, SH.NodeShape))
            self._name(self._at_least(least, parts, name), shape)
        return shape

    def condition(self, iri: str, holds: bool) -> Node:
        name = local_name(iri)
        while name in self._names_of_criteria:
            name = f"condition-{name}"
        shape = URIRef(f"{self.revision.iri}/shape/{name}-{'holds' if holds else 'fails'}")
        if (shape, RDF.type, SH.NodeShape) not in self.graph:
            shown, contrary = (0, 1) if holds else (1, 0)
            parts = [self.sides[iri, Form.SURELY][shown], self.negation(self.sides[iri, Form.PERHAPS][contrary])]
            self.graph.add((shape, RDF.type, SH.NodeShape))
            self.graph.add((shape, SH["and"], list_of(self.graph, parts)))
        return shape

    def junction(self, operator: URIRef, parts: list[Node]) -> BNode:
        node = BNode()
        self.graph.add((node, operator, list_of(self.graph, parts)))
        return node

    def negation(self, part: Node) -> BNode:
        node = BNode()
        self.graph.add((node, SH["not"], part))
        return node
