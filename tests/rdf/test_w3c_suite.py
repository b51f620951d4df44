"""Each installed engine gives the report that the W3C expects, for what the shapes of this project use.

The tests are those of the SHACL Core suite (tests/data/w3c-shacl/NOTICE says where they come from). Left out are those
of sh:equals, sh:uniqueLang, sh:qualifiedValueShapesDisjoint, sh:oneOrMorePath, sh:zeroOrOnePath, sh:deactivated,
implicit targets, and the shapes that describe SHACL itself: no shape here uses these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

import pyoxigraph as ox
import pytest
from rdflib import BNode, Graph, Namespace, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node
from strategies import ROOT, VOCABULARY

from kb_tools.errors import KbError
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.shacl import ENGINES, validate
from kb_tools.rdf.shape_form import ALLOWED
from kb_tools.rdf.terms import Triple, graph_of, to_rdflib, without_remarks

SUITE = ROOT / "tests/data/w3c-shacl"
BASE = "https://w3c.github.io/data-shapes/core/"
MF = Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")
SHT = Namespace("http://www.w3.org/ns/shacl-test#")
TESTS = sorted(
    path.relative_to(SUITE).with_suffix("").as_posix()
    for path in SUITE.rglob("*.ttl")
    if not path.stem.endswith(("-data", "-shapes"))
)
# What the engine shacl is not given, since its shapes are held to their form first: these are malformed, and the suite
# asks that they are ignored, or that an engine says nothing of them.
REFUSED = {
    "node/qualified-001": "gives sh:qualifiedValueShapesDisjoint",
    "path/path-strange-001": "states a sh:path that is none",
    "path/path-strange-002": "states a sh:path that is none",
}
# (focus, severity, path, value, shape, component); a node without a name is "_".
Row = tuple[str, ...]


@cache
def triples(file: str) -> list[Triple]:
    """A file, read once: its literals as they are written, its nodes without names the same for all who ask."""
    data = (SUITE / f"{file}.ttl").read_bytes()
    with without_remarks():
        return [
            (to_rdflib(quad.subject), to_rdflib(quad.predicate), to_rdflib(quad.object))
            for quad in ox.parse(data, format=ox.RdfFormat.TURTLE, base_iri=f"{BASE}{file}.ttl")
        ]


def given(test: str) -> tuple[Graph, Graph, list[Row], set[str]]:
    """The data, the shapes and the expected results of a test, and the texts of all messages that it expects."""
    whole = graph_of(triples(test))
    (entry,) = whole.subjects(RDF.type, SHT.Validate)
    (manifest,) = whole.subjects(RDF.type, MF.Manifest)
    (action,) = whole.objects(entry, MF.action)
    (report,) = whole.objects(entry, MF.result)
    results = list(whole.objects(report, SH.result))
    about = {entry, manifest, action, report, *results}

    def named(link: URIRef) -> Iterator[Triple]:
        file = str(whole.value(action, link)).removeprefix(BASE).removesuffix(".ttl")
        return (triple for triple in triples(file) if triple[0] not in about)

    expected = [
        tuple(
            plain(whole.value(result, link))
            for link in (
                *(SH.focusNode, SH.resultSeverity, SH.resultPath, SH.value),
                *(SH.sourceShape, SH.sourceConstraintComponent),
            )
        )
        for result in results
    ]
    messages = {str(text) for result in results for text in whole.objects(result, SH.resultMessage)}
    assert (len(expected) == 0) == (str(whole.value(report, SH.conforms)) == "true")
    shapes = graph_of(named(SHT.shapesGraph))
    of_shapes = shape_nodes(shapes)
    # One file can hold data and shapes. An engine that joins the two graphs would then have each node without a name
    # twice: so each graph is given what is its own.
    data = graph_of(
        triple
        for triple in named(SHT.dataGraph)
        if triple[1] not in ALLOWED and not (isinstance(triple[0], BNode) and triple[0] in of_shapes)
    )
    return data, graph_of(triple for triple in shapes if triple[0] in of_shapes), expected, messages


def shape_nodes(graph: Graph) -> set[Node]:
    """The nodes of which something is said in terms of SHACL Core, and the nodes without names that they lead to."""
    found = {subject for subject, predicate, _ in graph if predicate in ALLOWED}
    waiting = [*found]
    while waiting:
        for object_ in graph.objects(waiting.pop()):
            if isinstance(object_, BNode) and object_ not in found:
                found.add(object_)
                waiting.append(object_)
    return found


def plain(node: Node | None) -> str:
    return "" if node is None else "_" if isinstance(node, BNode) else str(node)


def expected_row(row: Row) -> Row:
    """A row as the engines' results are compared: the local name of the severity, no path of several steps."""
    focus, severity, path, value, shape, component = row
    return focus, severity.rpartition("#")[2], "" if path == "_" else path, value, shape, component


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("test", TESTS)
def test_an_engine_gives_the_report_that_is_expected(test: str, engine: str) -> None:
    data, shapes, expected, messages = given(test)
    if engine == "shacl" and test in REFUSED:
        with pytest.raises(KbError) as caught:
            validate(data, shapes, engine)
        assert REFUSED[test] in str(caught.value)
        return
    names = {
        str(node) for graph in (data, shapes) for triple in graph for node in triple if not isinstance(node, BNode)
    }
    results = validate(data, shapes, engine)

    def of(text: str) -> str:
        return "_" if text and text not in names else text

    found = [
        (of(result.focus), result.severity, result.path, of(result.value), of(result.shape), result.component)
        for result in results
    ]
    assert Counter(found) == Counter(expected_row(row) for row in expected)
    assert messages <= {result.message for result in results}


def test_the_tests_are_counted() -> None:
    assert len(TESTS) == 86
    assert sum(len(given(test)[2]) for test in TESTS) == 195
    assert set(REFUSED) <= set(TESTS)


def used(graph: Graph) -> Iterator[str]:
    """The terms of SHACL Core, without those of rules and prefixes, that a graph uses as properties."""
    passive = {SH.rule, SH.construct, SH.prefixes, SH.order}
    return (
        str(term).removeprefix(SH)
        for term in set(graph.predicates())
        if str(term).startswith(SH) and term not in passive
    )


def test_every_term_of_shacl_that_the_shapes_use_is_in_a_test() -> None:
    tested = {term for test in TESTS for term in used(given(test)[1])}
    assert set(used(VOCABULARY.graph(VOCABULARY.files("shapes")))) - tested == set()
