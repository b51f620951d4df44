"""The knowledge base, or one revision of it, written out for any triple store: the same bytes for the same content.

Blank nodes are named by RDFC-1.0 and statements stand in code point order, so neither the order of files nor the names
that a parser gives to blank nodes show.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TypeVar

import pyoxigraph as ox
from rdflib import Graph

from kb_tools.dataset import closure, default_graph, open_store
from kb_tools.knowledge_base import KnowledgeBase, Policy, RevisionEntry
from kb_tools.rdf import graph_of, to_quads, to_rdflib
from kb_tools.seal import canonical

Chosen = tuple[Policy, RevisionEntry]
T = TypeVar("T")

FORMATS = {
    "trig": ox.RdfFormat.TRIG,
    "nquads": ox.RdfFormat.N_QUADS,
    "turtle": ox.RdfFormat.TURTLE,
    "jsonld": ox.RdfFormat.JSON_LD,
}


def statements(kb: KnowledgeBase, chosen: Chosen | None = None) -> Iterator[ox.Quad]:
    """The named graphs of the whole knowledge base, or the shared ones and those of one revision, one after another.

    No two graphs share a blank node, so each can be taken by itself.
    """
    store = open_store(kb)
    names = {ox.NamedNode(name) for name in default_graph(kb, [chosen])} if chosen else store.named_graphs()
    for name in sorted(names, key=str):
        fresh: dict[ox.BlankNode, ox.BlankNode] = {}
        for quad in store.quads_for_pattern(None, None, None, name):
            yield ox.Quad(_own(quad.subject, fresh), quad.predicate, _own(quad.object, fresh), name)


def _own(term: T, fresh: dict[ox.BlankNode, ox.BlankNode]) -> T | ox.BlankNode:
    return fresh.setdefault(term, ox.BlankNode()) if isinstance(term, ox.BlankNode) else term


def entailed_statements(kb: KnowledgeBase, policy: Policy, entry: RevisionEntry, regime: str) -> Iterator[ox.Quad]:
    """The closure of one revision, as one graph that is named for the revision and the regime ("owlrl" or "rdfs")."""
    name = ox.NamedNode(f"{entry.iri}/entailed/{regime}")
    for quad in closure(kb, policy, entry, regime):
        yield ox.Quad(quad.subject, quad.predicate, quad.object, name)


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


@dataclass(frozen=True)
class NamedGraph:
    """One graph to send.

    Attributes:
        body: its canonical N-Triples.
    """

    name: str
    body: bytes

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the body, in hexadecimal: that of RDFC-1.0."""
        return hashlib.sha256(self.body).hexdigest()


def graphs(quads: Iterable[ox.Quad]) -> Iterator[NamedGraph]:
    """The named graphs, each canonical by itself: a change in one leaves the others as they were.

    Args:
        quads: those of one graph after those of another.
    """
    for name, group in groupby(quads, key=lambda quad: quad.graph_name):
        assert isinstance(name, ox.NamedNode)
        yield NamedGraph(name.value, canonical(merged(group)))
