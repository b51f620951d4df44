"""Cases on lines: one answer a line in their order, few held at a time, and the work ends with the client."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient
from varied_cases import varied

from kb_tools.batch.rows import RowMaker
from kb_tools.determine.run import Run
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.rdf.terms import local_name
from kb_tools.serve.app import application
from kb_tools.serve.case.messages import Message
from kb_tools.serve.case.workers import Workers
from kb_tools.serve.programs import batch
from kb_tools.serve.programs.batch import Cutter
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
CASE = {"patient": "p", "request": {"serviceDate": "2026-07-01"}}
LINE = json.dumps(CASE).encode()
LINES = {"Content-Type": "application/x-ndjson"}


def asked(client: TestClient, body: Any, query: str = "rows=compact") -> list[Any]:
    found = client.post(f"/api/determine?{query}", content=body, headers=LINES)
    assert (found.status_code, found.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in found.text.splitlines()]


def test_rows_are_those_of_kb_run(client: TestClient, kb: Repository) -> None:
    lines = [line.strip() for line in varied(kb, 300, 7)]
    found = asked(client, b"\n".join(lines), "rows=compact&revision=2026-02")
    rows = RowMaker(Run(kb, kb.policy(None), "pyshacl", "2026-02")).of_lines(lines)
    assert len(found) == len(rows) == 300
    for number, (line, row) in enumerate(zip(found, rows, strict=True), 1):
        assert (line["line"], line["case"], line["outcome"]) == (number, row.case, row.outcome)
        assert line["to_send"] == [local_name(iri) for iri in row.to_send]
        assert (line["criteria"], line["conditions"]) == ([*row.criteria], [*row.conditions])
        if row.outcome != "Unreadable":
            assert line["reasons"] == [*row.reasons]


def test_full_answers_are_those_of_single_requests(client: TestClient) -> None:
    found = asked(client, LINE + b"\n\nno case\n" + b'{"patient": "p", "request": {}}', "revision=2026-02")
    assert [sorted(line) for line in found] == [["determination", "line"], ["errors", "line"], ["line", "malformed"]]
    assert [line["line"] for line in found] == [1, 3, 4]
    single = client.post(
        "/api/determine?revision=2026-02", content=LINE, headers={"Content-Type": "application/json"}
    ).json()
    assert found[0]["determination"] == {**single["determinations"][0], "file": "line 1", "case": "line 1"}
    assert found[1]["errors"][0].startswith("line 3:1: not valid JSON")
    schema = client.get("/openapi.json").json()["components"]["schemas"]["LineAnswer"]
    for line in found:
        Draft202012Validator(schema).validate(line)


def test_a_line_may_hold_a_fhir_bundle(client: TestClient) -> None:
    wrong = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": []}).encode()
    found = asked(client, LINE + b"\n" + wrong + b"\n" + LINE)
    assert [line["outcome"] for line in found] == ["InformationNeeded", "Unreadable", "InformationNeeded"]
    assert found[1]["reasons"]


def test_a_line_that_is_too_long_is_a_line_that_says_so(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_LINE", 2**20)
    found = asked(client, LINE + b"\n" + b"x" * (2**20 + 1) + b"\n" + LINE, "")
    assert [line["line"] for line in found] == [1, 2, 3]
    assert found[1]["errors"] == ["a line of more than 1 MiB; send less, or use kb validate"]


def test_more_lines_than_one_request_may_have_end_it(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_LINES", 3)
    found = asked(client, b"\n".join([LINE] * 5))
    assert [line["line"] for line in found] == [1, 2, 3, 4]
    assert found[3]["reasons"] == ["more than 3 lines; send the others in another request"]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("rows=some", 400, "rows: 'some'; known: full, compact"),
        ("row=full", 400, "no parameter 'row'; did you mean rows?"),
        ("revision=2026-03", 404, "CP.MP.101 has no revision 2026-03"),
    ],
)
def test_what_is_asked_wrong_is_said_before_any_line_is_read(
    client: TestClient, query: str, status: int, says: str
) -> None:
    found = client.post(f"/api/determine?{query}", content=LINE, headers=LINES)
    assert (found.status_code, found.json()["detail"][: len(says)]) == (status, says)


def test_of_a_chunk_with_a_line_that_takes_too_long_only_that_line_has_no_answer(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: Workers, operation: str, chosen: Any, numbers: list[int], body: bytes) -> Message:
        if b"slow" in body:
            raise KbError("this took more than 20 s", hint="send less, or use kb validate")
        told = {"read": len(numbers), "outcomes": [], "revisions": [], "errors": []}
        return Message(told, b"\n".join(b'{"line": %d}' % number for number in numbers))

    monkeypatch.setattr(Workers, "exchange", slow)
    client = TestClient(application(bench), base_url="http://127.0.0.1")
    assert asked(client, b"a\nslow\nb", "") == [
        {"line": 1},
        {"line": 2, "errors": ["this took more than 20 s; send less, or use kb validate"]},
        {"line": 3},
    ]


# ---------------------------------------------------------------------- as it comes


class Talk:
    """A request whose body is sent as the test wants it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def run(self) -> None:
        scope = {
            **{"type": "http", "method": "POST", "path": "/api/determine", "query_string": b"rows=compact"},
            **{"headers": [(b"host", b"localhost"), (b"content-type", b"application/x-ndjson")], "root_path": ""},
            **{"scheme": "http", "server": ("localhost", 80), "http_version": "1.1", "raw_path": b"/api/determine"},
        }
        await self.app(scope, self.heard.get, self.said.put)

    async def line(self) -> Any:
        while not (body := (await self.said.get()).get("body", b"")):
            pass
        return json.loads(body)


def test_an_answer_comes_while_lines_still_come_and_the_work_ends_with_the_client(bench: Workbench) -> None:
    async def talk() -> None:
        talk = Talk(application(bench))
        running = asyncio.create_task(talk.run())
        for number in (1, 2):
            await talk.heard.put({"type": "http.request", "body": LINE + b"\n", "more_body": True})
            assert (await asyncio.wait_for(talk.line(), 30))["line"] == number
        await talk.heard.put({"type": "http.disconnect"})
        await asyncio.wait_for(running, 30)

    asyncio.run(talk())


def test_no_more_is_read_than_is_answered(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def held(self: Workers, operation: str, chosen: Any, numbers: list[int], body: bytes) -> Message:
        go.wait(30)
        told = {"read": 1, "outcomes": [], "revisions": [], "errors": []}
        return Message(told, b"\n".join(b"{}" for _ in numbers))

    monkeypatch.setattr(Workers, "exchange", held)

    async def talk() -> None:
        talk = Talk(application(bench))
        for _ in range(50):
            await talk.heard.put({"type": "http.request", "body": LINE + b"\n", "more_body": True})
        running = asyncio.create_task(talk.run())
        await asyncio.sleep(0.5)
        assert 45 <= talk.heard.qsize() < 50
        go.set()
        await talk.heard.put({"type": "http.request", "body": b"", "more_body": False})
        answers = [await talk.line() for _ in range(50)]
        assert answers == [{}] * 50
        await talk.heard.put({"type": "http.disconnect"})
        await asyncio.wait_for(running, 30)

    asyncio.run(talk())


def test_a_client_that_sends_nothing_more_or_takes_no_answer_is_given_up(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "IDLE", 0.2)

    async def silent() -> Any:
        talk = Talk(application(bench))
        running = asyncio.create_task(talk.run())
        found = await asyncio.wait_for(talk.line(), 30)
        await talk.heard.put({"type": "http.disconnect"})
        await running
        return found

    assert asyncio.run(silent()) == {
        "line": 1,
        "outcome": "Unreadable",
        "reasons": ["nothing came for 0.2 s; send the rest in another request"],
    }

    async def deaf() -> None:
        talk = Talk(application(bench))
        talk.said = asyncio.Queue(1)
        await talk.heard.put({"type": "http.request", "body": LINE + b"\n", "more_body": True})
        await asyncio.wait_for(talk.run(), 30)

    asyncio.run(deaf())


def test_as_many_requests_of_lines_as_may_be_answered_at_once(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "AT_ONCE", 0)
    client = TestClient(application(bench), base_url="http://127.0.0.1")
    found = client.post("/api/determine", content=LINE, headers=LINES)
    assert (found.status_code, found.headers["retry-after"]) == (503, "10")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_however_they_come(size: int) -> None:
    body = b"one\r\n\n  \ntwo\nthree"

    def cut() -> Iterator[Any]:
        cutter = Cutter()
        for start in range(0, len(body), size):
            yield from cutter.lines(body[start : start + size])
        yield from cutter.end()

    assert list(cut()) == [(1, b"one"), (4, b"two"), (5, b"three")]
