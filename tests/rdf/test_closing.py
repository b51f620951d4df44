"""The closure of a graph is that of owlrl, found faster where a graph holds many literals."""

from __future__ import annotations

import owlrl
import pytest
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import XSD

from kb_tools.model.policy import Policy
from kb_tools.rdf.closing import close
from kb_tools.rdf.terms import graph_of

IS = URIRef("urn:x:is")
# Four are the number one to Python, as to owlrl; two are the same text; the others are alone.
LITERALS = (
    *(Literal("1", datatype=XSD.integer), Literal("01", datatype=XSD.integer), Literal("1.0", datatype=XSD.decimal)),
    *(Literal("true", datatype=XSD.boolean), Literal("x"), Literal("x", lang="en")),
    *(Literal("u", datatype=URIRef("urn:x:own")), Literal("2026-01-01", datatype=XSD.date)),
)


@pytest.mark.parametrize(
    ("regime", "semantics"), [("rdfs", owlrl.RDFS_Semantics), ("owlrl", owlrl.OWLRL_Semantics)], ids=["rdfs", "owlrl"]
)
def test_a_closure_is_that_of_owlrl(policy: Policy, regime: str, semantics: object) -> None:
    graph = graph_of(policy.own_graph(policy.entry("2026-02")))
    for number, literal in enumerate(LITERALS):
        graph.add((URIRef(f"urn:x:{number}"), IS, literal))
    closed, reference = graph_of(graph), graph_of(graph)
    close(closed, regime)
    owlrl.DeductiveClosure(semantics, axiomatic_triples=False, datatype_axioms=False).expand(reference)
    assert set(closed) == {triple for triple in reference if not isinstance(triple[0], Literal)}
    if regime == "rdfs":
        assert said_of(closed, 0) == {*LITERALS[:4]}
        assert said_of(closed, 5) == {*LITERALS[4:6]}
        assert said_of(closed, 6) == {LITERALS[6]}


def said_of(graph: Graph, number: int) -> set[object]:
    return set(graph.objects(URIRef(f"urn:x:{number}"), IS))
