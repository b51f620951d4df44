"""RDF files in: every format, every way in which one cannot be read, and never a word to the network."""

from __future__ import annotations

import logging
import re
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

import pyoxigraph as ox
import pytest
from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import XSD

from kb_tools.errors import UnreadableInput
from kb_tools.rdf import files as rdf_files
from kb_tools.rdf import terms as rdf_terms
from kb_tools.rdf.files import FORMAT_NAMES, FORMATS, parse, parse_file
from kb_tools.rdf.terms import graph_of, to_oxigraph, to_quads, to_rdflib

DATA = Path(__file__).parents[1] / "data"
TURTLE = ox.RdfFormat.TURTLE


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to reach the network, each of which fails."""
    attempts: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        attempts.append(arguments)
        raise AssertionError(f"the network was asked for {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return attempts


def refusal(call: Callable[[], object]) -> str:
    """The one line with which a call refuses its input."""
    with pytest.raises(UnreadableInput) as refused:
        call()
    assert "\n" not in str(refused.value)
    return str(refused.value)


# ---------------------------------------------------------------------- terms


@pytest.mark.parametrize(
    ("lexical", "datatype"),
    [
        ("02", XSD.integer),
        ("90.0", XSD.decimal),
        ("9e1", XSD.double),
        ("2026-06-15Z", XSD.date),
        ("0", XSD.boolean),
        ("soon", XSD.date),
        ("maybe", XSD.boolean),
        ("\u00e9", XSD.anyURI),
    ],
)
def test_a_literal_keeps_its_lexical_form_there_and_back(lexical: str, datatype: URIRef) -> None:
    with rdf_terms.without_remarks():
        there = to_rdflib(ox.Literal(lexical, datatype=ox.NamedNode(str(datatype))))
    assert isinstance(there, Literal)
    assert (str(there), there.datatype) == (lexical, datatype)
    assert to_oxigraph(there) == ox.Literal(lexical, datatype=ox.NamedNode(str(datatype)))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (ox.NamedNode("urn:a"), URIRef("urn:a")),
        (ox.BlankNode("a"), BNode("a")),
        (ox.Literal("a"), Literal("a")),
        (ox.Literal("a", language="en"), Literal("a", lang="en")),
    ],
)
def test_a_term_of_one_library_is_the_same_term_of_the_other(
    here: ox.NamedNode | ox.BlankNode | ox.Literal, there: URIRef | BNode | Literal
) -> None:
    assert to_rdflib(here) == there
    assert to_oxigraph(there) == here


def test_a_triple_is_no_term() -> None:
    node = ox.NamedNode("urn:a")
    with pytest.raises(TypeError, match=r"^not a term of RDF 1\.1: "):
        to_rdflib(ox.Triple(node, node, node))


def test_an_ill_typed_literal_is_read_without_a_remark_and_the_log_is_left_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = b"""PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
        <urn:a> <urn:b> "soon"^^xsd:date , "maybe"^^xsd:boolean , "ninety"^^xsd:decimal ."""
    assert sorted(str(object_) for _, _, object_ in parse(text, TURTLE, "x")) == ["maybe", "ninety", "soon"]
    assert caplog.records == []
    assert not logging.getLogger("rdflib.term").disabled


def test_a_graph_is_the_triples_and_no_prefix_of_another_library() -> None:
    triples = parse(b"<urn:a> <urn:b> <urn:c> , 1 .", TURTLE, "x")
    graph = graph_of(triples)
    assert set(graph) == set(triples)
    assert list(graph.namespaces()) == []
    assert {quad.triple for quad in to_quads(graph)} == {
        ox.Triple(ox.NamedNode("urn:a"), ox.NamedNode("urn:b"), object_)
        for object_ in (ox.NamedNode("urn:c"), ox.Literal("1", datatype=ox.NamedNode(str(XSD.integer))))
    }


# ---------------------------------------------------------------------- formats


@pytest.mark.parametrize("suffix", FORMATS)
def test_one_case_reads_the_same_in_every_format(suffix: str, tmp_path: Path) -> None:
    quads = list(ox.parse(path=str(DATA / "case.ttl")))
    path = tmp_path / f"case{suffix.upper()}"
    ox.serialize((quad.triple for quad in quads), str(path), format=FORMATS[suffix])
    assert set(parse_file(path)) == set(parse_file(DATA / "case.ttl"))


def test_a_case_as_one_writes_it_in_json_says_what_the_turtle_says() -> None:
    assert set(parse_file(DATA / "case.jsonld")) == set(parse_file(DATA / "case.ttl"))


def test_every_format_that_can_be_named_is_one_that_a_file_name_can_name() -> None:
    assert set(FORMAT_NAMES.values()) == set(FORMATS.values())


def test_the_format_that_is_named_goes_before_that_of_the_file_name(tmp_path: Path) -> None:
    path = tmp_path / "case.txt"
    path.write_text("<urn:a> <urn:b> <urn:c> .", encoding="utf-8")
    assert len(parse_file(path, ox.RdfFormat.N_TRIPLES)) == 1


def test_named_graphs_are_read_with_the_default_one() -> None:
    text = b"<urn:a> <urn:b> 1 . GRAPH <urn:g> { <urn:a> <urn:b> 2 } <urn:h> { <urn:a> <urn:b> 3 }"
    assert sorted(str(object_) for _, _, object_ in parse(text, ox.RdfFormat.TRIG, "x")) == ["1", "2", "3"]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert len(parse(b"\xef\xbb\xbf<urn:a> <urn:b> <urn:c> .", TURTLE, "x")) == 1


# ---------------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("format_", "text", "place", "hint"),
    [
        (TURTLE, b"<urn:a> <urn:b> 1 .\n<urn:a> <urn:b> [ .", "x:2: not valid Turtle", "correct the syntax"),
        (TURTLE, b"<urn:a> <urn:b> 'caf\xe9' .", "x:1: not valid Turtle", "save the file as UTF-8"),
        (TURTLE, "<urn:a> <urn:b> 1 .".encode("utf-16"), "x:1: not valid Turtle", "save the file as UTF-8"),
        (TURTLE, bytes(range(256)), "x:1: not valid Turtle", "correct the syntax"),
        (TURTLE, b"<a> <urn:b> 1 .", "x:1: not valid Turtle", "correct the syntax"),
        (ox.RdfFormat.TRIG, b"<urn:g> {\n\n<urn:a> <urn:b> 1", "x:3: not valid TriG", "correct the syntax"),
        (ox.RdfFormat.N_TRIPLES, b"<urn:a> <urn:b> 1 .", "x:1: not valid N-Triples", "correct the syntax"),
        (ox.RdfFormat.JSON_LD, b'{"@context": ', "x:1: not valid JSON-LD", "correct the syntax"),
        (ox.RdfFormat.JSON_LD, b'{"@context": 5}', "x: not valid JSON-LD", "correct the syntax"),
        (TURTLE, b'{"@context": {}}', "x:1: not valid Turtle", "correct the syntax"),
    ],
)
def test_what_is_not_rdf_is_refused_with_its_line_the_parsers_reason_and_what_to_do(
    format_: ox.RdfFormat, text: bytes, place: str, hint: str
) -> None:
    message = refusal(lambda: parse(text, format_, "x"))
    assert re.fullmatch(f"{place}: (?P<reason>.+); {hint}", message)
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize(
    "text", [b"<< <urn:a> <urn:b> 1 >> <urn:c> 2 .", b"<urn:a> <urn:b> <<( <urn:a> <urn:b> 1 )>> ."]
)
def test_a_triple_as_a_term_is_refused_with_the_file(text: bytes) -> None:
    expected = "x.ttl: a triple stands as a term (RDF 1.2); use RDF 1.1"
    assert refusal(lambda: parse(text, TURTLE, "x.ttl")) == expected


@pytest.mark.parametrize(
    "context",
    [
        '"https://example.org/context.jsonld"',
        '["https://example.org/context.jsonld", {"case": "https://w3id.org/policykb/case#"}]',
        '{"@version": 1.1, "@import": "https://example.org/context.jsonld"}',
        '{"case": {"@id": "urn:case", "@context": "https://example.org/context.jsonld"}}',
    ],
)
def test_a_remote_context_is_refused_and_not_fetched(context: str, no_network: list[object]) -> None:
    text = f'{{"@context": {context}, "@id": "urn:a", "case": {{"@id": "urn:b", "urn:c": 1}}}}'
    message = refusal(lambda: parse(text.encode(), ox.RdfFormat.JSON_LD, "x.jsonld"))
    assert message.startswith("x.jsonld: not valid JSON-LD: ")
    assert message.endswith("; write the @context into the file: no remote context is ever fetched")
    assert no_network == []


def test_the_watch_over_the_network_sees_a_parser_that_fetches(no_network: list[object]) -> None:
    with warnings.catch_warnings(), pytest.raises(AssertionError, match="the network was asked for"):
        warnings.simplefilter("ignore", DeprecationWarning)
        Graph().parse(data='{"@context": "https://example.org/context.jsonld"}', format="json-ld")
    assert no_network


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.ttl"
    with path.open("wb") as sparse:
        sparse.truncate(100 * 2**20)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("it was opened"))
    expected = f"{path}: 100 MiB, and a file may have 32 MiB; split it into smaller files"
    assert refusal(lambda: parse_file(path)) == expected


def test_what_does_not_tell_its_size_is_read_to_the_limit_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdf_files, "MAX_BYTES", 2**20)
    expected = "/dev/zero: more than 1 MiB, and a file may have 1 MiB; split it into smaller files"
    assert refusal(lambda: parse_file(Path("/dev/zero"), TURTLE)) == expected


def test_a_text_of_exactly_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"<urn:a> <urn:b> 1 ."
    monkeypatch.setattr(rdf_files, "MAX_BYTES", len(text))
    assert len(parse(text, TURTLE, "x")) == 1
    assert "more than 0 MiB" in refusal(lambda: parse(text + b" ", TURTLE, "x"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing.ttl", "No such file or directory; check the path and its permissions"),
        ("broken-link.ttl", "No such file or directory; check the path and its permissions"),
        ("loop.ttl", "Too many levels of symbolic links; check the path and its permissions"),
        ("folder.ttl", "Is a directory; check the path and its permissions"),
        ("case.rdf", "unknown format .rdf; use .ttl, .trig, .nt, .jsonld"),
        ("missing", "No such file or directory; check the path and its permissions"),
        ("missing.rdf", "No such file or directory; check the path and its permissions"),
        ("case", "unknown format (no extension); use .ttl, .trig, .nt, .jsonld"),
        (f"{'long' * 100}.ttl", "File name too long; check the path and its permissions"),
    ],
)
def test_a_file_that_cannot_be_opened_is_refused_by_its_name(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "broken-link.ttl").symlink_to("nowhere")
    (tmp_path / "loop.ttl").symlink_to("loop.ttl")
    (tmp_path / "folder.ttl").mkdir()
    (tmp_path / "case.rdf").write_text("<rdf/>", encoding="utf-8")
    (tmp_path / "case").touch()
    path = tmp_path / name
    assert refusal(lambda: parse_file(path)) == f"{path}: {expected}"
