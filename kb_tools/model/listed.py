"""What follows from the classes of findings, and of products, so that they are listed nowhere.

A case holds no vocabulary, and engines are given none: so that a shape need not list the classes of findings, it names
a node shape that asks what such a class is (`shape:ClassOfFindings`), and the list is made here.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import BNode, Graph
from rdflib.collection import Collection
from rdflib.namespace import OWL, RDF, RDFS
from rdflib.term import Node

from kb_tools.model.products import product_kinds
from kb_tools.rdf.namespaces import CASE, SH
from kb_tools.rdf.terms import Triple


def list_terms(shapes: Graph, ontology: Graph) -> None:
    """Says sh:in, in order of their IRIs, where a property shape names a node shape that asks something of a term."""
    for asked in sorted(set(shapes.objects(None, SH.node)), key=str):
        questions = list(_questions(shapes, ontology, asked))
        if not questions:
            continue
        terms = set.intersection(*(set(ontology.subjects(path, value)) for path, value in questions))
        for shape in sorted(shapes.subjects(SH.node, asked), key=str):
            head: Node = BNode() if terms else RDF.nil
            Collection(shapes, head, sorted(terms, key=str))
            shapes.remove((shape, SH.node, asked))
            shapes.add((shape, SH["in"], head))
        for property_ in shapes.objects(asked, SH.property):
            shapes.remove((property_, None, None))
        shapes.remove((asked, None, None))


def finding_classes(ontology: Graph) -> set[Node]:
    """The classes of findings."""
    return set(ontology.subjects(RDFS.subClassOf, CASE.Finding))


def apart(ontology: Graph) -> Iterator[Triple]:
    """That no finding is of two classes and no product of two kinds, so that reasoning finds what contradicts that."""
    for classes in (finding_classes(ontology), product_kinds(ontology)):
        yield from _disjoint(sorted(classes, key=str))


def _disjoint(classes: list[Node]) -> Iterator[Triple]:
    head = BNode()
    if len(classes) > 1:
        listed = Graph()
        Collection(listed, head, classes)
        disjoint = BNode()
        yield disjoint, RDF.type, OWL.AllDisjointClasses
        yield disjoint, OWL.members, head
        yield from listed


def _questions(shapes: Graph, ontology: Graph, asked: Node) -> Iterator[tuple[Node, Node]]:
    """What a node shape asks of a term: of properties by which vocabularies say something of terms, the values."""
    for property_ in shapes.objects(asked, SH.property):
        path, value = shapes.value(property_, SH.path), shapes.value(property_, SH.hasValue)
        is_of_terms = path == RDFS.subClassOf or (path, RDF.type, OWL.AnnotationProperty) in ontology
        if path is not None and value is not None and is_of_terms:
            yield path, value
