"""Addresses, formats, errors and what every answer carries."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from kb_tools.serve.bodies import MAX_BODY
from kb_tools.serve.security import HEADERS

CRITERION = "/CP.MP.101"


@pytest.mark.parametrize(
    ("accept", "sent"),
    [
        ("", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("text/turtle", "text/turtle; charset=utf-8"),
        ("application/ld+json", "application/ld+json"),
        ("text/turtle;q=0.4, application/json;q=0.5", "application/json"),
        ("text/html;q=0, */*;q=0.1", "application/json"),
        ("text/*;q=0.5, text/html;q=0.1", "text/turtle; charset=utf-8"),
    ],
)
def test_the_accept_header_chooses_the_format(client: TestClient, accept: str, sent: str) -> None:
    answer = client.get(CRITERION, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"], answer.headers["vary"]) == (200, sent, "Accept")


def test_the_parameter_counts_before_the_accept_header(client: TestClient) -> None:
    answer = client.get(f"{CRITERION}?format=turtle", headers={"Accept": "application/json"})
    assert answer.headers["content-type"].startswith("text/turtle")


def test_a_format_that_a_page_does_not_have_is_named_with_those_it_has(client: TestClient) -> None:
    answer = client.get("/?format=jsn", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "this page has no format 'jsn'; did you mean json?"
    refused = client.get("/", headers={"Accept": "text/turtle"})
    assert (refused.status_code, "this page comes as text/html, application/json" in refused.text) == (406, True)


def test_an_address_that_leads_nowhere_names_what_is_near(client: TestClient) -> None:
    answer = client.get("/CP.MP.101/2026-03?format=json")
    assert answer.status_code == 404
    found = answer.json()
    assert found["detail"] == "there is no page /CP.MP.101/2026-03"
    assert found["near"][0]["iri"] == "https://w3id.org/policykb/CP.MP.101/2026-02"
    page = client.get("/CP.MP.102")
    assert page.status_code == 404
    assert '<a href="/CP.MP.101">CP.MP.101, Donor Lymphocyte Infusion</a>' in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/..%2f..%2fetc%2fpasswd",
        "/static/style.css/x",
    ],
)
def test_no_path_climbs(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_a_slash_at_the_end_is_left_out_and_leads_to_no_other_host(client: TestClient) -> None:
    answer = client.get("/CP.MP.101/?on=2024-05-01")
    assert (answer.status_code, answer.headers["location"]) == (308, "/CP.MP.101?on=2024-05-01")
    assert client.get("http://127.0.0.1//evil.example/").status_code == 404


@pytest.mark.parametrize("day", ["2024-13-01", "yesterday", "20240501", "2024-02-30", "<script>alert(1)</script>"])
def test_a_day_that_is_none_is_an_error_of_one_line(client: TestClient, day: str) -> None:
    answer = client.get("/", params={"on": day, "format": "json"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == f"on: {day!a} is no calendar day; write YYYY-MM-DD"
    assert "<script>alert" not in client.get("/", params={"on": day}).text


def test_every_answer_carries_the_headers(client: TestClient) -> None:
    for path in ("/", "/CP.MP.101", "/nowhere", "/static/style.css", "/?on=x", "/?format=json"):
        answer = client.get(path)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS, path
        assert "set-cookie" not in answer.headers
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost:80:80", "", "[::1].evil.example"]
)
def test_another_host_is_not_answered(client: TestClient, host: str) -> None:
    answer = client.get("/", headers={"Host": host})
    assert (answer.status_code, "Policies" in answer.text) == (421, False)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["localhost:8014", "127.0.0.1", "[::1]:8014", "LOCALHOST"])
def test_this_machine_is_answered_by_all_its_names(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


def test_no_cache_keeps_what_was_searched_for(client: TestClient) -> None:
    assert client.get("/search?q=gvhd").headers["cache-control"] == "no-store"


def test_pages_are_only_read(client: TestClient) -> None:
    assert client.post("/", content=b"x").status_code == 405
    assert client.head("/").status_code == 200
    assert client.post("/", content=b"x" * (MAX_BODY + 1)).status_code == 413


def test_no_page_holds_script_or_style_of_its_own(client: TestClient) -> None:
    for path in ("/", "/CP.MP.101", "/nowhere"):
        text = client.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert " on" + "click=" not in text
        assert "<script>" not in text
