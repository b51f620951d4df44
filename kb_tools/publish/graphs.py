"""The knowledge base as named graphs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TypeVar

import pyoxigraph as ox

from kb_tools.ask.dataset import closure, default_graph, open_store
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.canonical import canonical, merged

Chosen = tuple[Policy, RevisionEntry]
T = TypeVar("T")


def statements(kb: Repository, chosen: Chosen | None = None) -> Iterator[ox.Quad]:
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


def entailed_statements(kb: Repository, policy: Policy, entry: RevisionEntry, regime: str) -> Iterator[ox.Quad]:
    """The closure of one revision, as one graph that is named for the revision and the regime ("owlrl" or "rdfs")."""
    name = ox.NamedNode(f"{entry.iri}/entailed/{regime}")
    for quad in closure(kb, policy, entry, regime):
        yield ox.Quad(quad.subject, quad.predicate, quad.object, name)


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
