"""The ways along a SHACL property path."""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import Graph, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, SKOS
from rdflib.term import Node

from kb_tools.rdf.namespaces import SH

_REPEATED = {SH.zeroOrMorePath, SH.oneOrMorePath, SH.zeroOrOnePath}


class CannotFollow(Exception):
    """Where a path leads cannot be told from its syntax.

    Attributes:
        kind, inner: the kind of path, and what it is of: sh:inversePath of a property, or a repeated one.
    """

    def __init__(self, kind: Node, inner: Node) -> None:
        super().__init__(kind, inner)
        self.kind, self.inner = kind, inner


def routes(shapes: Graph, path: Node) -> Iterator[tuple[URIRef, ...]]:
    """Every way along a path, as single steps; any number of steps along skos:broader is one.

    Raises:
        CannotFollow: a step goes backwards, or repeats another property than skos:broader.
    """
    if isinstance(path, URIRef):
        yield (path,)
    elif (path, RDF.first, None) in shapes:
        found: list[tuple[URIRef, ...]] = [()]
        for step in Collection(shapes, path):
            found = [(*before, *after) for before in found for after in routes(shapes, step)]
        yield from found
    else:
        for kind, inner in shapes.predicate_objects(path):
            if kind == SH.alternativePath:
                for branch in Collection(shapes, inner):
                    yield from routes(shapes, branch)
            elif kind in _REPEATED and inner == SKOS.broader:
                yield (SKOS.broader,)
            else:
                raise CannotFollow(kind, inner)
