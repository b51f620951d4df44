"""Counts and logs say what happened, and never of whom."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kb_tools.errors import KbError
from kb_tools.serve.app import application
from kb_tools.serve.programs.watching import Log
from kb_tools.serve.workbench import Workbench

PLANTED = "Zebulon-Quarks-7781"
CASE = {"id": PLANTED, "patient": PLANTED, "request": {"serviceDate": "2026-07-01"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


@pytest.fixture
def client(bench: Workbench, path: Path) -> TestClient:
    return TestClient(
        application(bench, log=Log(str(path))), base_url="http://127.0.0.1", raise_server_exceptions=False
    )


def logged(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def ask_with_an_identifier_everywhere(client: TestClient) -> None:
    body = json.dumps(CASE).encode()
    json_, lines = {"Content-Type": "application/json"}, {"Content-Type": "application/x-ndjson"}
    fhir = {"resourceType": "Bundle", "type": "collection", "identifier": {"value": PLANTED}}
    client.post("/api/determine?revision=2026-02", content=body, headers={**json_, "User-Agent": PLANTED})
    client.post(f"/api/determine?revision={PLANTED}", content=body, headers=json_)
    client.post(f"/api/determine?{PLANTED}=1", content=body, headers=json_)
    client.post("/api/determine", content=PLANTED, headers=json_)
    client.post("/api/determine", content=json.dumps(fhir), headers={"Content-Type": "application/fhir+json"})
    client.post("/api/determine", content=body, headers={"Content-Type": PLANTED})
    client.post("/api/determine?rows=compact", content=body + b"\n" + PLANTED.encode(), headers=lines)
    client.get(f"/search?q={PLANTED}")
    client.get(f"/{PLANTED}")
    client.get(f"/api/questions/{PLANTED}?x={PLANTED}")
    client.request(PLANTED.replace("-", ""), "/api/determine")
    client.get("/", headers={"Host": f"{PLANTED}.example"})


def test_a_planted_identifier_is_in_no_log_and_no_count(
    client: TestClient, path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ask_with_an_identifier_everywhere(client)
    caplog.clear()
    counts = client.get("/metrics").text
    for told in (path.read_text(), counts, *capfd.readouterr()):
        assert PLANTED.lower() not in told.lower()
        assert PLANTED.replace("-", "").lower() not in told.lower()
    assert len(logged(path)) == 13
    assert {line["door"] for line in logged(path)} == {
        "GET /api/questions/{name}",
        "GET /metrics",
        "GET /search",
        "GET /{path:path}",
        "OTHER /api/determine",
        "POST /api/determine",
        "none",
    }


def test_a_line_says_what_happened(client: TestClient, path: Path) -> None:
    body = json.dumps(CASE).encode()
    sent = client.post("/api/determine?revision=2026-02", content=body, headers={"Content-Type": "application/json"})
    (line,) = logged(path)
    assert set(line) == {"time", "door", "status", "seconds", "received", "sent", "outcomes", "revisions"}
    assert (line["door"], line["status"], line["received"]) == ("POST /api/determine", 200, len(body))
    assert (line["sent"], line["revisions"]) == (len(sent.content), ["2026-02"])
    assert line["outcomes"] == {"InformationNeeded": 1}
    assert line["time"].endswith("Z")


def test_counts_are_by_door_status_and_outcome(client: TestClient) -> None:
    body = json.dumps(CASE).encode() + b"\nnothing"
    client.post("/api/determine", content=body, headers={"Content-Type": "application/x-ndjson"})
    client.post("/api/determine", content=b"", headers={"Content-Type": "text/plain"})
    told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    lines = told.text.splitlines()
    for expected in (
        'kb_requests_total{door="POST /api/determine",status="200"} 1.0',
        'kb_requests_total{door="POST /api/determine",status="415"} 1.0',
        'kb_cases_total{door="POST /api/determine",outcome="InformationNeeded"} 1.0',
        'kb_cases_total{door="POST /api/determine",outcome="Unreadable"} 1.0',
        'kb_request_seconds_count{door="POST /api/determine"} 2.0',
        "kb_requests_running 1.0",
    ):
        assert expected in lines


def test_a_client_that_goes_before_its_case_is_whole_is_counted_and_nothing_is_said(
    bench: Workbench, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scope = {
        **{"type": "http", "method": "POST", "path": "/api/determine", "query_string": b"", "root_path": ""},
        **{"headers": [(b"host", b"localhost"), (b"content-type", b"application/json")], "scheme": "http"},
        **{"server": ("localhost", 80), "http_version": "1.1", "raw_path": b"/api/determine"},
    }
    parts = [{"type": "http.request", "body": PLANTED.encode(), "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        pass

    async def talk() -> None:
        await application(bench, log=Log(str(path)))(scope, receive, send)

    asyncio.run(talk())
    (line,) = logged(path)
    assert (line["door"], line["status"], line["received"]) == ("POST /api/determine", 499, len(PLANTED))
    assert capfd.readouterr() == ("", "")


def test_nothing_is_logged_without_a_log(bench: Workbench, capfd: pytest.CaptureFixture[str]) -> None:
    client = TestClient(application(bench), base_url="http://127.0.0.1")
    assert client.get("/health").status_code == 200
    assert capfd.readouterr() == ("", "")


def test_a_log_that_cannot_be_written_is_said_at_the_start_and_stops_no_request_later(
    bench: Workbench, tmp_path: Path
) -> None:
    with pytest.raises(KbError, match=r"nowhere/x: cannot be written: No such file or directory; give another file"):
        Log(str(tmp_path / "nowhere/x"))
    log = Log(str(tmp_path / "x"))
    os.close(log._file)
    client = TestClient(application(bench, log=log), base_url="http://127.0.0.1")
    assert (client.get("/health").status_code, log.lost) == (200, 1)
