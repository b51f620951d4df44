"""The kinds of products, so that they are listed nowhere: what a request may name, and what is read of each.

A kind of product is a class under case:Product with a closed shape of its own; case:Product itself is cells to be
infused, as cases stated them before there were other kinds. A request has at most one product of each kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS
from rdflib.term import Node

from kb_tools.rdf.namespaces import CASE, SH
from kb_tools.rdf.terms import local_name

if TYPE_CHECKING:
    from kb_tools.model.repository import Repository


def product_kinds(ontology: Graph) -> list[URIRef]:
    """The classes under case:Product, in order of their IRIs."""
    return sorted(class_ for class_ in ontology.subjects(RDFS.subClassOf, CASE.Product) if isinstance(class_, URIRef))


def parts_of(ontology: Graph) -> dict[str, URIRef]:
    """What a case states once, apart from its findings, by the names under which answers to questions state it."""
    parts = (CASE.Request, CASE.Coverage, CASE.Product, *product_kinds(ontology))
    return {local_name(class_): class_ for class_ in parts}


def read_as(kb: Repository) -> Mapping[Node, URIRef]:
    """What conditions read: of each property that states something of a kind of product, the kind.

    A condition reads a kind of product as a whole, as it does a class of findings: a dose may be stated exactly or by a
    bound. Of cells (case:Product) and of the request, it reads a property.
    """
    shapes = kb.case_shapes
    return {
        path: kind
        for kind in product_kinds(kb.ontology)
        for path in shapes.objects(kind, ~SH.targetClass / SH.property / SH.path)
    }


def closed_shapes(shapes: Graph, class_: Node) -> list[Node]:
    """The closed node shapes that target a class."""
    return [
        shape
        for shape in shapes.subjects(SH.targetClass, class_)
        if (shape, SH.closed, Literal(True)) in shapes and (shape, RDF.type, SH.NodeShape) in shapes
    ]


def allow_kinds(shapes: Graph, kinds: Iterable[URIRef]) -> None:
    """Says of a property shape that asks for at most one case:Product that there may be one of each kind.

    Args:
        shapes: what is changed; it stays as it is where there is no other kind.
        kinds: classes under case:Product; one that no closed shape describes is left out: no case can state it.
    """
    classes = [CASE.Product, *(kind for kind in kinds if closed_shapes(shapes, kind))]
    for shape in sorted(shapes.subjects(SH["class"], CASE.Product), key=str) if len(classes) > 1 else ():
        path, owners = shapes.value(shape, SH.path), list(shapes.subjects(SH.property, shape))
        shapes.remove((shape, SH["class"], None))
        shapes.remove((shape, SH.maxCount, None))
        # As of findings: a result is of the request, whatever stands in place of a product.
        of_one, one_class, head = URIRef(f"{shape}-kind"), BNode(), BNode()
        Collection(shapes, head, list[Node](classes))
        message = f"Give the product exactly one of the kinds: {_names(classes)}."
        shapes.set((shape, SH.message, Literal(message, lang="en")))
        for triple in (
            (shape, SH.nodeKind, SH.BlankNodeOrIRI),
            (shape, SH.node, of_one),
            (of_one, RDF.type, SH.NodeShape),
            (of_one, SH.property, one_class),
            *_property_shape(one_class, RDF.type, message),
            (one_class, SH.minCount, Literal(1)),
            (one_class, SH.maxCount, Literal(1)),
            (one_class, SH["in"], head),
        ):
            shapes.add(triple)
        for class_ in classes:
            at_most, of_class = URIRef(f"{shape}-{local_name(class_)}"), BNode()
            message = f"Of the kind {local_name(class_)}, state one product at most: each request is a case of its own."
            for triple in (
                *((owner, SH.property, at_most) for owner in owners),
                *_property_shape(at_most, path, message),
                (at_most, SH.qualifiedValueShape, of_class),
                (at_most, SH.qualifiedMaxCount, Literal(1)),
                (of_class, SH["class"], class_),
            ):
                shapes.add(triple)


def _property_shape(shape: Node, path: Node | None, message: str) -> list[tuple[Node, Node, Node]]:
    assert path is not None
    said = ((RDF.type, SH.PropertyShape), (SH.path, path), (SH.message, Literal(message, lang="en")))
    return [(shape, predicate, object_) for predicate, object_ in said]


def _names(classes: Iterable[URIRef]) -> str:
    return ", ".join(map(local_name, classes))
