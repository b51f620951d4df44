"""The SPARQL 1.1 Protocol: what is answered in which format, what is refused, and that few are answered at once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyoxigraph as ox
import pytest
from hostile import HOSTILE
from httpx2 import Response
from starlette.testclient import TestClient

from kb_tools.ask.pool import Pool
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.sparql import MAX_LENGTH
from kb_tools.errors import Busy
from kb_tools.serve.app import application
from kb_tools.serve.asking import Asker
from kb_tools.serve.results import INCOMPLETE
from kb_tools.serve.security import HEADERS
from kb_tools.serve.workbench import Workbench

CODES = "SELECT ?number { ?code a pol:Code ; skos:notation ?number } ORDER BY ?number"
NUMBERS = ["38215", "38242", "86950", "S2150"]
GRAPH = "CONSTRUCT { ?code a pol:Code } WHERE { ?code a pol:Code }"
JSON = "application/sparql-results+json"
FORM, QUERY = "application/x-www-form-urlencoded", "application/sparql-query"


def numbers(answer: Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["number"]["value"] for row in answer.json()["results"]["bindings"]]


def detail(answer: Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    found: str = answer.json()["detail"]
    assert "\n" not in found
    return found


# ---------------------------------------------------------------------- requests


def test_a_query_comes_in_the_address_in_a_form_or_as_itself(client: TestClient) -> None:
    assert numbers(client.get("/sparql", params={"query": CODES})) == NUMBERS
    assert numbers(client.post("/sparql", data={"query": CODES})) == NUMBERS
    assert (
        numbers(client.post("/sparql", content=CODES, headers={"Content-Type": f"{QUERY}; charset=utf-8"})) == NUMBERS
    )
    answer = client.get("/sparql", params={"query": CODES})
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/sparql", NUMBERS),
        ("/CP.MP.101/2026-02/sparql", NUMBERS),
        ("/CP.MP.101/2019-10/sparql", []),
        ("/sparql?on=2026-11-01", NUMBERS),
        ("/sparql?on=2020-01-01", []),
        ("/sparql?all=true", NUMBERS),
        ("/sparql?policy=CP.MP.101", NUMBERS),
    ],
)
def test_the_default_graph_is_chosen_by_the_address(client: TestClient, path: str, found: list[str]) -> None:
    query = "SELECT DISTINCT ?number { ?revision pol:lists ?code . ?code skos:notation ?number } ORDER BY ?number"
    assert numbers(client.post(path, content=query, headers={"Content-Type": QUERY})) == found


def test_the_graphs_of_the_protocol_stand_in_place_of_those_of_the_query(client: TestClient) -> None:
    graph = "https://w3id.org/policykb/CP.MP.101/2026-02"
    count = "SELECT (COUNT(*) AS ?number) FROM <urn:x:none> { $ }"
    asked: list[tuple[str, dict[str, Any]]] = [
        (count.replace("$", "?s ?p ?o"), {"default-graph-uri": graph}),
        (count.replace("$", "GRAPH ?g { ?s ?p ?o }"), {"named-graph-uri": [graph, graph]}),
        (count.replace("$", "GRAPH ?g { ?s ?p ?o }"), {"default-graph-uri": graph}),
        (count.replace("$", "?s ?p ?o"), {"named-graph-uri": graph}),
    ]
    found = [numbers(client.post("/sparql", data={"query": text, **graphs})) for text, graphs in asked]
    assert found[0] == found[1] != ["0"] == found[2] == found[3]
    assert detail(client.get("/sparql", params={"query": "ASK {}", "default-graph-uri": "x y"})) == (
        "graph 'x y' is no IRI; write it whole, as https://…"
    )


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/sparql?query=ASK+{}&query=ASK+{}", "query is given twice; give it once"),
        ("/sparql?qery=ASK+{}", "there is no parameter 'qery'; did you mean query?"),
        ("/sparql?query=ASK+{}&all=yes", "all: 'yes' is neither true nor false; write all=true"),
        ("/sparql?query=ASK+{}&on=2024-02-30", "on: '2024-02-30' is no calendar day; write YYYY-MM-DD"),
        ("/sparql?query=ASK+{}&policy=CP.MP.102", "no policy CP.MP.102 on file; did you mean CP.MP.101?"),
        ("/sparql?query=ASK+{}&format=jsn", "this page has no format 'jsn'; did you mean json?"),
        (
            "/CP.MP.101/2026-02/sparql?query=ASK+{}&on=2024-01-01",
            "of a revision, on= and all= only one can be given; leave the others out",
        ),
        ("/sparql?query=SELECT", "line 1: not a SPARQL query, it ends too early; correct the syntax"),
        (
            "/sparql?query=SELECT+*+{SERVICE<http://127.0.0.1:9/>{}}",
            "SERVICE asks another server, and no query may",
        ),
        (
            "/sparql?update=DROP+ALL",
            "updates are refused: the knowledge base is only read; write SELECT, ASK, CONSTRUCT or DESCRIBE",
        ),
        (
            "/sparql?query=INSERT+DATA+{<a>+<b>+1}",
            "updates are refused: the knowledge base is only read; write SELECT, ASK, CONSTRUCT or DESCRIBE",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(client: TestClient, path: str, line: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, detail(answer)) == (400, line)


@pytest.mark.parametrize(
    ("type_", "body", "status", "line"),
    [
        (QUERY, b"\xff", 400, "the query is no text in UTF-8; send it in UTF-8"),
        (FORM, b"", 400, "no query; send it as query=… or as application/sparql-query"),
        ("application/sparql-update", b"DROP ALL", 400, "updates are refused: the knowledge base is only read; "),
        ("text/plain", b"ASK {}", 415, f"a query is sent as {FORM} or {QUERY}"),
        (QUERY, b"ASK {}" + b" " * MAX_LENGTH, 400, f"a query of {MAX_LENGTH + 6} characters; keep it under"),
    ],
)
def test_a_body_that_is_no_query_is_refused(
    client: TestClient, type_: str, body: bytes, status: int, line: str
) -> None:
    answer = client.post("/sparql", content=body, headers={"Content-Type": type_})
    assert (answer.status_code, detail(answer).startswith(line)) == (status, True)


def test_a_revision_that_is_none_names_what_is_near(client: TestClient) -> None:
    answer = client.get("/CP.MP.101/2026-03/sparql", params={"query": "ASK {}"})
    assert (answer.status_code, detail(answer)) == (404, "there is no revision CP.MP.101/2026-03")
    assert answer.json()["near"][0]["iri"] == "https://w3id.org/policykb/CP.MP.101/2026-02"
    assert client.put("/sparql", content="ASK {}").status_code == 405


# ---------------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("query", "accept", "sent"),
    [
        (CODES, "", JSON),
        (CODES, "*/*", JSON),
        (CODES, "application/json", JSON),
        (CODES, "application/sparql-results+xml", "application/sparql-results+xml"),
        (CODES, "text/csv;q=0.5, text/tab-separated-values", "text/tab-separated-values; charset=utf-8"),
        (CODES, "text/csv", "text/csv; charset=utf-8"),
        (CODES, "text/turtle", None),
        ("ASK {}", "text/csv, application/sparql-results+xml;q=0.1", "application/sparql-results+xml"),
        ("ASK {}", "text/csv", None),
        (GRAPH, "", "text/turtle; charset=utf-8"),
        (GRAPH, "application/n-triples", "application/n-triples"),
        (GRAPH, "application/ld+json", "application/ld+json"),
        (GRAPH, "application/rdf+xml", "application/rdf+xml"),
        (GRAPH, JSON, None),
    ],
)
def test_the_accept_header_chooses_among_what_the_form_of_the_query_has(
    client: TestClient, query: str, accept: str, sent: str | None
) -> None:
    answer = client.get("/sparql", params={"query": query}, headers={"Accept": accept})
    assert answer.headers["content-type"] == (sent or "application/problem+json")
    assert answer.status_code == (200 if sent else 406)


def test_every_format_says_the_same(client: TestClient) -> None:
    def asked(query: str, format_: str) -> bytes:
        answer = client.get("/sparql", params={"query": query, "format": format_})
        assert (answer.status_code, answer.headers["vary"]) == (200, "Accept")
        return answer.content

    assert asked("SELECT ?n { VALUES ?n { 7 } }", "json") == (
        b'{"head":{"vars":["n"]},"results":{"bindings":[{"n":{"type":"literal","value":"7",'
        b'"datatype":"http://www.w3.org/2001/XMLSchema#integer"}}]}}'
    )
    assert asked(CODES, "csv") == b"number\r\n38215\r\n38242\r\n86950\r\nS2150\r\n"
    assert asked(CODES, "tsv") == b'?number\n"38215"\n"38242"\n"86950"\n"S2150"\n'
    for name, format_ in (("json", ox.QueryResultsFormat.JSON), ("xml", ox.QueryResultsFormat.XML)):
        found: Any = ox.parse_query_results(asked(CODES, name), format=format_)
        assert [row[0].value for row in found] == NUMBERS
        assert ox.parse_query_results(asked("ASK {}", name), format=format_)
    graphs = {
        "turtle": ox.RdfFormat.TURTLE,
        "ntriples": ox.RdfFormat.N_TRIPLES,
        "jsonld": ox.RdfFormat.JSON_LD,
        "rdfxml": ox.RdfFormat.RDF_XML,
        # As other programs call it.
        "xml": ox.RdfFormat.RDF_XML,
    }
    codes = {
        f"https://w3id.org/policykb/code/{name}" for name in ("cpt/38215", "cpt/38242", "cpt/86950", "hcpcs/S2150")
    }
    for name, rdf in graphs.items():
        found = ox.parse(asked(GRAPH, name), format=rdf)
        assert {quad.subject.value for quad in found} == codes


def test_a_property_that_xml_cannot_name_is_no_broken_file(client: TestClient) -> None:
    query = "CONSTRUCT { <urn:x:a> <urn:x:1> 2 } WHERE {}"
    answer = client.get("/sparql", params={"query": query, "format": "rdfxml"})
    assert detail(answer) == "the answer has a property that XML cannot name; ask for another format"


def test_what_a_reader_must_know_stands_beside_the_answer(client: TestClient) -> None:
    answer = client.get("/sparql", params={"query": "SELECT * { ?x a pol:Cod }"}).json()
    assert answer["notes"] == ["pol:Cod appears in no statement here"]
    assert answer["results"]["bindings"] == []


@pytest.fixture(scope="module")
def brief(bench: Workbench, client: TestClient) -> Iterator[TestClient]:
    """The same, with answers of three rows at most."""
    pool = Pool(bench.kb, size=1, patience=20)
    cut = application(bench, pool=pool, max_rows=3)
    yield TestClient(cut, base_url="http://127.0.0.1:8014", follow_redirects=False)
    pool.close()


@pytest.mark.parametrize(
    ("query", "format_", "marked"),
    [
        (CODES, "json", '"the first 3 rows; there are more"'),
        (CODES, "xml", "<!-- Not whole: the first 3 rows; there are more. -->"),
        (CODES, "csv", None),
        (CODES, "tsv", None),
        (GRAPH, "turtle", "# Not whole: the first 3 triples; there are more."),
        (GRAPH, "ntriples", "# Not whole: the first 3 triples; there are more."),
        (GRAPH, "rdfxml", "<!-- Not whole: the first 3 triples; there are more. -->"),
        (GRAPH, "jsonld", None),
    ],
)
def test_an_answer_that_is_not_whole_never_looks_so(
    brief: TestClient, query: str, format_: str, marked: str | None
) -> None:
    answer = brief.get("/sparql", params={"query": query, "format": format_})
    if marked is None:
        assert answer.status_code == 400
        assert detail(answer).startswith("there are more than 3 ")
    else:
        assert (answer.status_code, marked in answer.text) == (200, True)
        assert answer.headers[INCOMPLETE].startswith("the first 3 ")
    whole = brief.get("/sparql", params={"query": f"{query} LIMIT 3", "format": format_})
    assert (whole.status_code, INCOMPLETE in whole.headers, "Not whole" in whole.text) == (200, False, False)


# ---------------------------------------------------------------------- service description


@pytest.mark.parametrize("path", ["/sparql", "/CP.MP.101/2026-02/sparql"])
def test_without_a_query_the_service_is_described(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/turtle"})
    assert answer.headers["content-type"] == "text/turtle; charset=utf-8"
    found = ox.Store()
    found.load(answer.content, format=ox.RdfFormat.TURTLE)
    query = """PREFIX sd: <http://www.w3.org/ns/sparql-service-description#>
        SELECT ?service ?language (COUNT(DISTINCT ?graph) AS ?graphs) {
            ?service a sd:Service ; sd:endpoint ?service ; sd:supportedLanguage ?language ; sd:defaultDataset ?data .
            ?data a sd:Dataset ; sd:namedGraph [ sd:name ?graph ]
        } GROUP BY ?service ?language"""
    rows: Any = found.query(query)
    ((service, language, graphs),) = rows
    assert service.value == f"http://127.0.0.1:8014{path}"
    assert language.value.endswith("#SPARQL11Query")
    assert int(graphs.value) > 30
    linked = client.get(path, headers={"Accept": "application/ld+json"})
    assert json.loads(linked.content)


def test_a_reader_without_a_query_is_led_to_the_editor(client: TestClient) -> None:
    answer = client.get("/sparql", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/query")
    assert client.get("/sparql", headers={"Accept": "image/png"}).status_code == 406


# ---------------------------------------------------------------------- limits


def test_hostile_queries_are_ended_and_the_next_is_answered(bench: Workbench, client: TestClient) -> None:
    pool = Pool(bench.kb, size=2, timeout=0.3, patience=20)
    asked = TestClient(application(bench, pool=pool), base_url="http://127.0.0.1:8014")
    for query in HOSTILE.values():
        answer = asked.post("/sparql", data={"query": query, "all": "true"})
        assert (answer.status_code, detail(answer)) == (400, "the query took more than 0.3 s; narrow it")
    pool.timeout = 20
    assert numbers(asked.get("/sparql", params={"query": CODES})) == NUMBERS
    pool.close()


class Full(Pool):
    """A pool in which every place is taken."""

    def ask(self, asked: Inquiry, started: Callable[[Callable[[], None]], None] = lambda cancel: None) -> RawResult:
        raise Busy("as many queries run as may")


def test_full_is_503_with_the_time_to_come_again(bench: Workbench) -> None:
    full = TestClient(application(bench, pool=Full(bench.kb, 2)), base_url="http://127.0.0.1:8014")
    for answer in (
        full.get("/sparql", params={"query": "ASK {}"}),
        full.get("/questions/codes/answer", headers={"Accept": "application/json"}),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert detail(answer) == "as many queries run as may; ask again in a moment"
    for page in (full.get("/questions/codes"), full.post("/query", data={"query": "ASK {}"})):
        assert (page.status_code, "Too many requests at once" in page.text) == (503, True)
    assert full.get("/CP.MP.101").status_code == 200


class Waiting(Pool):
    """A pool whose queries run until they are ended."""

    ended = False

    def ask(self, asked: Inquiry, started: Callable[[Callable[[], None]], None] = lambda cancel: None) -> RawResult:
        ends = threading.Event()
        started(ends.set)
        self.ended = ends.wait(20)
        return RawResult(truth=True)


def done(work: Coroutine[Any, Any, None]) -> None:
    """Runs it in a thread of its own: in this one, the tests in a browser may have left a loop running."""
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, work).result()


def test_a_query_is_ended_when_its_reader_goes(bench: Workbench) -> None:
    pool = Waiting(bench.kb, 1)

    async def asked() -> None:
        sent: list[Any] = []
        messages = iter([{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/sparql", "raw_path": b"/sparql", "http_version": "1.1"}
        scope |= {"query_string": b"query=ASK+%7B%7D", "headers": [(b"host", b"localhost")], "scheme": "http"}
        await application(bench, pool=pool)({**scope, "server": ("localhost", 80)}, receive, send)

    done(asked())
    assert pool.ended


def test_more_than_may_wait_are_turned_away_at_once(bench: Workbench) -> None:
    async def asked() -> None:
        asker = Asker(Full(bench.kb, 1), 3)
        for _ in range(int(asker._threads.total_tokens)):
            asker._threads.acquire_on_behalf_of_nowait(object())
        with pytest.raises(Busy, match="more queries wait than can be answered soon"):
            await asker.ask(None, Inquiry(text="ASK {}"))  # type: ignore[arg-type]

    done(asked())
