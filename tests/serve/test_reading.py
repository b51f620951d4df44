"""What the pages say."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from starlette.testclient import TestClient

BASE = "https://w3id.org/policykb/"


def read(client: TestClient, path: str, **query: str) -> Any:
    """The JSON of a page."""
    answer = client.get(path, params={"format": "json", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_first_page_says_what_counts_and_what_is_on_file(client: TestClient) -> None:
    (found,) = read(client, "/", on="2026-07-01")["policies"]
    assert found["inForce"]["revision"]["iri"] == f"{BASE}CP.MP.101/2026-02"
    assert found["open"] == {"major": 25, "moderate": 43, "minor": 10}
    assert [row["name"] for row in found["revisions"] if row["parts"]["criteria"] == "InferredFromLog"] == [
        *("2023-10", "2023-11", "2024-04", "2025-02")
    ]


def test_the_day_in_the_address_moves_what_counts(client: TestClient) -> None:
    for day, revision, basis in (
        ("2024-05-01", "2024-04", "inferred from the log"),
        ("2026-05-25", "2025-02", "inferred from the log"),
        ("2026-05-26", "2026-02", "document on file"),
        ("2020-01-01", "2019-10", "document on file"),
        ("2022-12-01", "2022-10", "not on file"),
    ):
        found = read(client, "/CP.MP.101", on=day)["inForce"]
        assert (found["revision"]["iri"], found["basis"]) == (f"{BASE}CP.MP.101/{revision}", basis), day


def test_a_day_before_the_first_revision_is_no_error(client: TestClient) -> None:
    found = read(client, "/CP.MP.101", on="2010-01-01")["inForce"]
    assert found["revision"] is None
    assert found["notices"] == [
        "No revision of CP.MP.101 was in force on 2010-01-01; the first known is 2015-11, from 2015-11-01."
    ]


def test_links_keep_the_day(client: TestClient) -> None:
    text = client.get("/CP.MP.101?on=2024-05-01").text
    assert 'href="/CP.MP.101/2024-04?on=2024-05-01"' in text
    assert 'href="/CP.MP.101/2024-04"' not in text
    assert 'href="/CP.MP.101/2024-04"' in client.get("/CP.MP.101").text


def test_the_history_of_a_policy_is_a_picture_of_time(client: TestClient) -> None:
    page = read(client, "/CP.MP.101", on="2026-11-27")
    assert [row["state"] for row in page["revisions"]] == [
        *("log", "document", "log", "log", "log", "inferred", "inferred", "inferred", "inferred", "document")
    ]
    spans = page["timeline"]["spans"]
    assert all(before["end"] == after["start"] for before, after in pairwise(spans))
    assert spans[-1]["month"] < spans[-1]["start"] == spans[-1]["approval"]
    assert spans[6]["approval"] is None
    assert len(page["log"]) == 9


def test_every_discrepancy_says_what_is_to_be_decided(client: TestClient) -> None:
    found = read(client, "/CP.MP.101")["discrepancies"]
    assert len(found) == 78
    assert all(item["toDecide"] for item in found)


def test_whatever_has_an_iri_of_ours_has_a_page_under_its_own_path(client: TestClient) -> None:
    page = read(client, "/clinical/AcuteMyeloidLeukemia")
    assert (page["title"], page["kind"]) == ("acute myeloid leukemia", "disease")
    assert page["curie"] == "clin:AcuteMyeloidLeukemia"
    (said,) = page["statements"]
    broader = next(row for row in said["rows"] if row["property"]["iri"].endswith("core#broader"))
    assert [value["thing"]["label"] for value in broader["values"]] == ["acute leukemia", "myeloid leukemia"]
    assert read(client, "/CP.MP.101/reference/frey-2008")["notation"] == "7"
    assert read(client, "/condition/acute-gvhd-of-grade-2-or-higher")["kind"] == "condition"
