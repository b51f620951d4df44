"""What an address asks: each parameter once, days, formats and methods; and bodies that do not come."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from kb_tools.ask.pool import Pool
from kb_tools.calendar_day import calendar_day
from kb_tools.serve import bodies
from kb_tools.serve.app import application
from kb_tools.serve.bodies import TOO_SLOW, Limited
from kb_tools.serve.case.fields import MAX_ROWS, fit
from kb_tools.serve.workbench import Workbench

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/?on=2024-05-01&on=2026-07-01", "on"),
        ("/CP.MP.101?format=json&format=turtle", "format"),
        ("/search?q=a&q=b", "q"),
        ("/search?q=a&%71=b", "q"),
        ("/try?revision=2019-10&revision=2026-02", "revision"),
        ("/questions/codes/answer?on=2024-05-01&on=", "on"),
        ("/api/criteria?revision=2019-10&revision=2026-02", "revision"),
        ("/query?on=2024-05-01&on=2026-07-01", "on"),
        ("/sparql?query=ASK{}&query=ASK{}", "query"),
    ],
)
def test_a_parameter_that_is_given_twice_is_refused(client: TestClient, address: str, name: str) -> None:
    answer = client.get(address, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (400, f"{name} is given twice; give it once")


def test_graphs_can_be_given_twice(client: TestClient) -> None:
    graphs = urlencode({"default-graph-uri": ["urn:x:a", "urn:x:b"]}, doseq=True)
    assert client.get(f"/sparql?query=ASK{{}}&{graphs}").status_code == 200


@pytest.mark.parametrize(
    "text", ["2024-W01-1", "2024W01-1x", "20240101", "2024-1-01", "2024-02-30", "\uff12024-01-01", ""]
)
def test_a_day_is_written_in_one_way(client: TestClient, text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        calendar_day(text)
    if text:
        assert client.get("/", params={"on": text}).status_code == 400


def test_a_day_that_is_written_so_is_taken() -> None:
    assert calendar_day("2024-02-29") == date(2024, 2, 29)


def test_a_search_is_kept_by_no_cache_however_its_address_is_written(client: TestClient) -> None:
    kept = [client.get(f"/search?{query}").headers["cache-control"] for query in ("q=a", "%71=a", "on=2026-07-01&q=")]
    assert kept == ["no-store"] * 3
    assert client.get("/?faq=1").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/api/determine", "POST"),
        ("PUT", "/try", "GET, HEAD, POST"),
        ("DELETE", "/query", "GET, HEAD, POST"),
        ("POST", "/search", "GET, HEAD"),
    ],
)
def test_another_method_is_405_with_those_that_there_are(
    client: TestClient, method: str, path: str, allow: str
) -> None:
    answer = client.request(method, path, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json()["detail"] == f"this address is asked by {allow}"


def test_a_witness_or_an_example_that_there_is_not_is_an_error_in_every_format(client: TestClient) -> None:
    for query in ("witness=x", "example=nope"):
        statuses = {client.get(f"/try?{query}{rest}").status_code for rest in ("", "&format=json")}
        assert len(statuses) == 1
        assert statuses <= {400, 404}


def test_a_format_of_a_case_that_is_none_is_one_line(client: TestClient) -> None:
    sent = {"do": "read", "text": "{}", "format": "bogus"}
    answer = client.post("/try", content=urlencode(sent), headers={**FORM, "Accept": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == (
        "format: 'bogus' is no format of a case; known: json, turtle, trig, ntriples, jsonld"
    )


class Never(Pool):
    """Is asked nothing."""

    def ask(self, *given: Any) -> Any:
        raise AssertionError(given)


@pytest.mark.parametrize("path", ["/sparql?query=ASK{}&format=bogus", "/questions/codes/answer?format=bogus"])
def test_a_format_that_no_answer_has_is_refused_before_anything_is_asked(bench: Workbench, path: str) -> None:
    client = TestClient(application(bench, pool=Never(bench.kb)), base_url="http://127.0.0.1:8014")
    answer = client.get(path, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("this page has no format 'bogus'; known: json, xml, csv, tsv, ")


def test_what_is_answered_speaks_of_no_option_of_a_command(client: TestClient) -> None:
    answer = client.get("/api/criteria?revision=2015-11")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "the criteria of CP.MP.101 revision 2015-11 are not on file; nearest on file: revision 2019-10",
    )


# ---------------------------------------------------------------------- forms and bodies


def test_rows_are_counted_by_their_numbers_whatever_is_stated_of_them(client: TestClient) -> None:
    rows = {f"case.findings[{number}].date": "2025-01-15" for number in range(MAX_ROWS + 1)}
    answer = client.post("/try", content=urlencode(rows), headers={**FORM, "Accept": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        "a form of more than 500 rows; send less, or use kb validate",
    )
    most = {f"case.findings[{number}].{key}": [""] for number in range(MAX_ROWS) for key in ("type", "date")}
    assert fit(most)
    assert not fit({"case." + "x" * 300: [""]})


def test_a_body_that_does_not_come_is_408_and_who_waits_for_an_answer_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)

    def answered(messages: list[Any]) -> Any:
        async def receive() -> Any:
            if messages:
                return messages.pop(0)
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            while (message := await receive())["type"] == "http.request":
                pass
            await Response(message["type"])(scope, receive, send)

        async def run() -> Any:
            scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"9")]}
            await Limited(app, lambda scope: Response("", 413))(scope, receive, send)

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        with ThreadPoolExecutor(1) as apart:
            apart.submit(asyncio.run, run()).result()
        return sent[-1]["body"]

    whole = {"type": "http.request", "body": b"nine byte", "more_body": False}
    assert answered([whole]) == b"http.disconnect"
    with pytest.raises(Exception, match=TOO_SLOW):
        answered([{**whole, "more_body": True}])
