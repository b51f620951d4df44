"""What the knowledge base says of one IRI, as RDF."""

from __future__ import annotations

from collections.abc import Iterator

import pyoxigraph as ox

from kb_tools.model.policy import FILLED_IN
from kb_tools.rdf.canonical import nested, serialize
from kb_tools.rdf.terms import graph_of, to_quads, to_rdflib
from kb_tools.serve.view import View


def of(view: View, iri: str, format_: str) -> bytes:
    """What is said of an IRI on the day of the view; of the name of a graph, all that the graph says.

    What a revision says of a criterion, a code or a reference stands in its graph, and only there: so it is what the
    revision in force says, or, where that does not speak of the thing, the latest revision that does.

    Args:
        format_: "turtle" or "jsonld".
    """
    quads = list(_quads(view, iri))
    prefixes = view.bench.kb.prefixes
    if format_ == "jsonld":
        return serialize(quads, "jsonld", prefixes)
    triples = ((to_rdflib(quad.subject), to_rdflib(quad.predicate), to_rdflib(quad.object)) for quad in quads)
    return nested(graph_of(triples), prefixes)


def _quads(view: View, iri: str) -> Iterator[ox.Quad]:
    bench, node = view.bench, ox.NamedNode(iri)
    named = next(iter(bench.store.quads_for_pattern(None, None, None, node)), None)
    if named is not None:
        yield from _merged(bench.store.quads_for_pattern(None, None, None, node))
        return
    if iri in bench.examples:
        yield from to_quads(bench.kb.triples(bench.examples[iri][1][0].path))
        return
    if iri in bench.namespaces:
        for term in bench.namespaces[iri]:
            yield from _quads(view, term)
        return
    thing = bench.things[iri]
    revisions = sorted(graph for graph in thing.graphs | thing.shared if graph in bench.entries)
    current = [graph for graph in revisions if graph in view.graphs] or revisions[-1:]
    for graph in [*sorted(thing.graphs - set(revisions)), *current]:
        for name in (graph, graph + FILLED_IN):
            yield from _merged(_about(view, node, ox.NamedNode(name)))


def _about(view: View, node: ox.NamedNode | ox.BlankNode, graph: ox.NamedNode) -> Iterator[ox.Quad]:
    """The statements about a node, and about the blank nodes that they lead to."""
    waiting: list[ox.NamedNode | ox.BlankNode] = [node]
    seen = set(waiting)
    while waiting:
        for quad in view.bench.store.quads_for_pattern(waiting.pop(), None, None, graph):
            yield quad
            if isinstance(quad.object, ox.BlankNode) and quad.object not in seen:
                seen.add(quad.object)
                waiting.append(quad.object)


def _merged(quads: Iterator[ox.Quad]) -> Iterator[ox.Quad]:
    for quad in quads:
        yield ox.Quad(quad.subject, quad.predicate, quad.object)
