"""What a search finds, and what it does with what is no search."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient


def found(client: TestClient, query: str) -> list[str]:
    """The paths of what a search finds, the closest first."""
    answer = client.get("/search", params={"q": query, "format": "json"})
    assert answer.status_code == 200
    return [item["path"] for item in answer.json()["found"]]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("II.B", "/CP.MP.101/criterion/acute-gvhd"),
        ("ii.b", "/CP.MP.101/criterion/acute-gvhd"),
        ("38242", "/code/cpt/38242"),
        ("S2150", "/code/hcpcs/S2150"),
        ("frey", "/CP.MP.101/reference/frey-2008"),
        ("C92.0", "/clinical/AcuteMyeloidLeukemia"),
        ("C92.01", "/clinical/AcuteMyeloidLeukemia"),
        ("clin:Lymphoma", "/clinical/Lymphoma"),
        ("acute myeloid leukemia", "/clinical/AcuteMyeloidLeukemia"),
        ("codes", "/questions/codes"),
        ("residual disease", "/condition/mrd-is-detected"),
        ("02/26", "/CP.MP.101/2026-02"),
        ("buffy coat", "/CP.MP.101/definition/donor-lymphocyte-infusion"),
    ],
)
def test_what_has_it_for_a_name_comes_first(client: TestClient, query: str, first: str) -> None:
    assert found(client, query)[0] == first


def test_a_criterion_comes_before_what_merely_speaks_of_it(client: TestClient) -> None:
    paths = found(client, "GvHD grade")
    assert paths[:2] == ["/CP.MP.101/criterion/acute-gvhd", "/condition/acute-gvhd-of-grade-2-or-higher"]


@pytest.mark.parametrize(
    "query", ["", "   ", "…", "zzzz", "<script>alert(1)</script>", "a" * 5000, "\x00", "\u202eabc"]
)
def test_what_finds_nothing_is_no_error(client: TestClient, query: str) -> None:
    assert found(client, query) == []


@pytest.mark.parametrize(
    "query", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "\u202eabc"]
)
def test_markup_in_a_search_is_text(client: TestClient, query: str) -> None:
    text = client.get("/search", params={"q": query}).text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "Search: 49" not in text
    assert "\u202e" not in text
    assert "<h1>Search: " in text
