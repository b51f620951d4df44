"""Find out which findings the shapes can distinguish."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.model.concepts import concept_facts
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, SH
from kb_tools.rdf.terms import graph_of

if TYPE_CHECKING:
    from kb_tools.revisions.small_cases import Unit


def of_the_other(graph: Graph, shape: Node, path: Node) -> Node:
    """The property shape of a contradicting finding, as a shape of the finding itself."""
    same = BNode()
    for predicate, object_ in list(graph.predicate_objects(shape)):
        if predicate != SH.path:
            graph.add((same, predicate, object_))
    _, *rest = Collection(graph, path)
    if len(rest) == 1:
        graph.add((same, SH.path, rest[0]))
    else:
        graph.add((same, SH.path, Collection(graph, BNode(), rest).uri))
    return same


def mentions(graph: Graph, shape: Node) -> bool:
    """Whether a shape looks at what contradicts a finding."""
    seen, waiting = {shape}, [shape]
    for node in waiting:
        for object_ in graph.objects(node, None):
            if object_ == CASE.contradictedBy:
                return True
            if object_ not in seen and not isinstance(object_, Literal):
                seen.add(object_)
                waiting.append(object_)
    return False


class Lens:
    """Find out which findings the shapes can distinguish."""

    SEEN = URIRef("urn:kb:seen")

    def __init__(self, kb: Repository, engine: str) -> None:
        self._concepts = list(concept_facts(kb.ontology))
        self._shapes = kb.evaluated
        self._engine = engine

    def distinguished(
        self, units: Iterable[Unit], shapes_in: Callable[[Graph], Iterable[Node]]
    ) -> dict[tuple[int, ...], list[Unit]]:
        """The units by the number of their findings that conform to each shape.

        Args:
            shapes_in: gives the shapes to hold against each finding; it may add to the graph of shapes.
        """
        listed = list(units)
        shapes, data = graph_of(self._shapes), graph_of(self._concepts)
        wrappers = []
        for number, shape in enumerate(shapes_in(shapes)):
            wrapper, holder = URIRef(f"urn:kb:lens:{number}"), BNode()
            wrappers.append(str(wrapper))
            shapes.add((wrapper, RDF.type, SH.NodeShape))
            shapes.add((wrapper, SH.targetClass, Lens.SEEN))
            shapes.add((wrapper, SH.node, holder))
            shapes.add((holder, SH.node if shapes.value(shape, SH.path) is None else SH.property, shape))
        for number, unit in enumerate(listed):
            nodes = [URIRef(f"urn:kb:unit:{number}:{member}") for member in range(len(unit))]
            for node, content in zip(nodes, unit, strict=True):
                data.add((node, RDF.type, Lens.SEEN))
                for property_, value in content:
                    data.add((node, property_, value))
                for other in nodes:
                    if other != node:
                        data.add((node, CASE.contradictedBy, other))
        refused = {(result.focus, result.shape) for result in shacl.validate(data, shapes, self._engine)}
        alike: dict[tuple[int, ...], list[Unit]] = {}
        for number, unit in enumerate(listed):
            focuses = [f"urn:kb:unit:{number}:{member}" for member in range(len(unit))]
            counts = (sum((focus, wrapper) not in refused for focus in focuses) for wrapper in wrappers)
            alike.setdefault(tuple(counts), []).append(unit)
        return alike
