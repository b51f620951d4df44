"""The store of one graph gives what rdflib's own gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from threading import Barrier

from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import XSD

from kb_tools.rdf.store import OneGraph
from kb_tools.rdf.terms import graph_of

NODES = [URIRef("urn:a"), URIRef("urn:b"), BNode("a"), Literal("a"), Literal("1", datatype=XSD.integer)]
TRIPLES = list(product(NODES[:3], NODES[:2], NODES))
PATTERNS = list(product([None, *NODES[:3]], [None, *NODES[:2]], [None, *NODES]))


def graphs() -> tuple[Graph, Graph]:
    return Graph(OneGraph(), bind_namespaces="none"), Graph(bind_namespaces="none")


@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from(TRIPLES + PATTERNS)), max_size=25))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_what_is_added_and_not_removed_is_found_by_every_pattern(
    steps: list[tuple[str, tuple[URIRef | None, URIRef | None, URIRef | None]]],
) -> None:
    ours, theirs = graphs()
    for step, triple in steps:
        for graph in (ours, theirs):
            if step == "remove":
                graph.remove(triple)
            elif None not in triple:
                graph.add(triple)  # type: ignore[arg-type]
    assert len(ours) == len(theirs)
    for pattern in PATTERNS:
        found = list(ours.triples(pattern))
        assert len(found) == len(set(found))
        assert set(found) == set(theirs.triples(pattern)), pattern


def test_triples_come_in_the_order_in_which_their_subjects_were_added() -> None:
    ours, _ = graphs()
    added = [(NODES[1], NODES[0], NODES[3]), (NODES[0], NODES[0], NODES[4]), (NODES[0], NODES[0], NODES[3])]
    for triple in added:
        ours.add(triple)
    assert list(ours) == added


def test_triples_may_be_added_and_removed_while_they_are_read() -> None:
    ours, _ = graphs()
    for triple in TRIPLES[:4]:
        ours.add(triple)
    for subject, predicate, object_ in ours:
        ours.remove((subject, predicate, object_))
        ours.add((NODES[1], predicate, object_))
    assert set(ours) == {(NODES[1], predicate, object_) for _, predicate, object_ in TRIPLES[:4]}


def test_a_graph_is_what_its_triples_stand_in() -> None:
    """pySHACL asks for it when it words a result."""
    ours, _ = graphs()
    ours.add(TRIPLES[0])
    assert [list(context) for _, context in ours.store.triples(TRIPLES[0])] == [[ours]]
    assert list(ours.store.contexts()) == [ours]


def test_prefixes_are_bound_as_rdflib_binds_them() -> None:
    found = []
    for graph in graphs():
        for prefix, iri in (("a", "urn:x:"), ("b", "urn:y:"), ("a", "urn:z:")):
            graph.bind(prefix, URIRef(iri), replace=True)
        graph.add((URIRef("urn:z:s"), URIRef("urn:y:p"), URIRef("urn:x:o")))
        found.append((sorted(graph.namespaces()), graph.serialize(format="longturtle")))
    assert found[0] == found[1]
    assert found[0][0] == [("a", URIRef("urn:z:")), ("b", URIRef("urn:y:"))]


def test_threads_may_look_first_at_once() -> None:
    """A graph is sorted when it is first looked into, by whoever looks."""
    triples = [(URIRef(f"urn:{n % 50}"), URIRef(f"urn:{n % 7}"), Literal(str(n % 300))) for n in range(3_000)]
    theirs = set(triples)
    for _ in range(5):
        graph = graph_of(triples)
        together = Barrier(4)

        def look(graph: Graph = graph, together: Barrier = together) -> list[object]:
            together.wait()
            by_object = {(s, p, o) for o in {o for _, _, o in triples} for s, p in graph.subject_predicates(o)}
            return [by_object, {(s, p, o) for p in set(graph.predicates()) for s, o in graph[:p:]}, len(graph)]

        with ThreadPoolExecutor(4) as threads:
            looks = [threads.submit(look) for _ in range(4)]
            assert [look.result() for look in looks] == [[theirs, theirs, len(theirs)]] * 4
