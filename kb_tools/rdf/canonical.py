"""The canonical form of statements (RDFC-1.0), and statements written in every format in one order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import pyoxigraph as ox
from rdflib import Graph

from kb_tools.rdf.terms import graph_of, to_quads, to_rdflib

# ---------------------------------------------------------------------- digests


def canonical(quads: Iterable[ox.Quad]) -> bytes:
    """The canonical N-Quads of a dataset: its blank nodes named by RDFC-1.0, its lines in code point order."""
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    lines = ox.serialize(dataset, format=ox.RdfFormat.N_QUADS) or b""
    return b"".join(sorted(lines.splitlines(keepends=True)))


FORMATS = {
    "trig": ox.RdfFormat.TRIG,
    "nquads": ox.RdfFormat.N_QUADS,
    "turtle": ox.RdfFormat.TURTLE,
    "jsonld": ox.RdfFormat.JSON_LD,
}


def merged(quads: Iterable[ox.Quad]) -> Iterator[ox.Quad]:
    """The statements of all graphs in one graph without a name."""
    for quad in quads:
        yield ox.Quad(quad.subject, quad.predicate, quad.object)


def ordered(quads: Iterable[ox.Quad]) -> list[ox.Quad]:
    """The statements with blank nodes named by RDFC-1.0, graph by graph in code point order."""
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return sorted(
        dataset, key=lambda quad: (str(quad.graph_name), str(quad.subject), str(quad.predicate), str(quad.object))
    )


def serialize(quads: Iterable[ox.Quad], format_: str, prefixes: dict[str, str]) -> bytes:
    """The statements as a file, the same whatever their order and the names of their blank nodes.

    Args:
        format_: one of FORMATS. "nquads" is the canonical form of RDFC-1.0, to the byte; "turtle" merges all graphs.
    """
    if format_ == "nquads":
        return canonical(quads)
    named = ordered(merged(quads) if format_ == "turtle" else quads)
    if format_ == "jsonld":
        written = ox.serialize(named, format=ox.RdfFormat.JSON_LD) or b""
        return json.dumps(json.loads(written), ensure_ascii=False, indent=1).encode() + b"\n"
    written = ox.serialize(named, format=FORMATS[format_], prefixes=prefixes) or b""
    lines = written.splitlines(keepends=True)
    header = [line for line in lines if line.startswith(b"@prefix ")]
    return b"".join([*sorted(header), *lines[len(header) :]])


def nested(graph: Graph, prefixes: Mapping[str, str]) -> bytes:
    """A graph as Turtle for people, blank nodes nested: the same bytes whatever their names and its order.

    Not for a graph of a user: RDFC-1.0 can take very long on one that is made to that end.
    """
    named = ((quad.subject, quad.predicate, quad.object) for quad in ordered(to_quads(graph)))
    found = graph_of((to_rdflib(s), to_rdflib(p), to_rdflib(o)) for s, p, o in named)
    for prefix, namespace in prefixes.items():
        found.bind(prefix, namespace)
    return found.serialize(format="longturtle").encode()
