"""RDF terms as rdflib and pyoxigraph have them, and the way from one to the other."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeAlias

import pyoxigraph as ox
from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.rdf.store import OneGraph

Triple: TypeAlias = tuple[Node, Node, Node]


@contextmanager
def without_remarks() -> Iterator[None]:
    """Keeps rdflib from logging a traceback for a literal like "soon"^^xsd:date: what is wrong the shapes say."""
    logger = logging.getLogger("rdflib.term")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"(Parsing|Serializing) weird ", UserWarning)
            yield
    finally:
        logger.disabled = before


# Terms that are kept once made, and how many characters of one: rdflib takes its time, and cases name the same few.
KEPT, LONGEST_KEPT = 50_000, 200


def to_rdflib(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> Node:
    """The rdflib term for a pyoxigraph term; the lexical form of a literal is kept as it is."""
    if isinstance(term, ox.BlankNode):
        return BNode(term.value)
    if isinstance(term, ox.Triple):
        raise TypeError(f"not a term of RDF 1.1: {term}")
    return _kept(term) if len(term.value) <= LONGEST_KEPT else _made(term)


def _made(term: ox.NamedNode | ox.Literal) -> Node:
    if isinstance(term, ox.NamedNode):
        return URIRef(term.value)
    if term.language:
        return Literal(term.value, lang=term.language)
    if term.datatype.value == str(XSD.string):
        return Literal(term.value)
    return Literal(term.value, datatype=URIRef(term.datatype.value), normalize=False)


_kept = lru_cache(KEPT)(_made)


@lru_cache(KEPT)
def named(iri: str) -> URIRef:
    """An IRI of a term, of which there are few; it is not looked at again whether it is one."""
    return URIRef(iri)


def typed(text: str, datatype: URIRef) -> Literal:
    """The literal of a datatype that is written so, as `to_rdflib` makes it."""
    return _typed(text, datatype) if len(text) <= LONGEST_KEPT else _typed.__wrapped__(text, datatype)


@lru_cache(KEPT)
def _typed(text: str, datatype: URIRef) -> Literal:
    if datatype == XSD.string:
        return Literal(text)
    with without_remarks():
        return Literal(text, datatype=datatype, normalize=False)


def to_oxigraph(term: Node) -> ox.NamedNode | ox.BlankNode | ox.Literal:
    """The pyoxigraph term for an rdflib term."""
    if isinstance(term, URIRef):
        return ox.NamedNode(str(term))
    if isinstance(term, BNode):
        return ox.BlankNode(str(term))
    assert isinstance(term, Literal)
    if term.language:
        return ox.Literal(str(term), language=term.language)
    if term.datatype is None:
        return ox.Literal(str(term))
    return ox.Literal(str(term), datatype=ox.NamedNode(str(term.datatype)))


def to_quads(triples: Iterable[Triple]) -> Iterator[ox.Quad]:
    """Triples as pyoxigraph quads of the default graph."""
    for subject, predicate, object_ in triples:
        yield ox.Quad(
            to_oxigraph(subject),  # type: ignore[arg-type]
            to_oxigraph(predicate),  # type: ignore[arg-type]
            to_oxigraph(object_),
        )


def graph_of(triples: Iterable[Triple]) -> Graph:
    """A graph of the triples, without rdflib's own prefixes."""
    graph = Graph(OneGraph(), bind_namespaces="none")
    extend(graph, triples)
    return graph


def extend(graph: Graph, triples: Iterable[Triple]) -> None:
    """Adds triples to a graph that `graph_of` made, without looking at each as rdflib does."""
    assert isinstance(graph.store, OneGraph)
    graph.store.extend(triples, graph)


def local_name(node: object) -> str:
    """The last part of an IRI."""
    return str(node).rpartition("#")[2].rpartition("/")[2]
