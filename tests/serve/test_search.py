"""What a search finds, and what it does with what is no search."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient


def found(client: TestClient, query: str) -> list[str]:
    """The paths of what a search finds, the closest first."""
    answer = client.get("/search", params={"q": query, "format": "json"})
    assert answer.status_code == 200
    return [item["path"] for item in answer.json()["found"]]


def hits(client: TestClient, query: str, on: str) -> list[tuple[str, str, str, str]]:
    """The criteria that a search finds as of a day: place, the last part of the path, and what is said of revisions."""
    answer = client.get("/search", params={"q": query, "format": "json", "on": on}).json()["found"]
    return [
        (item["notation"], item["path"].rpartition("/")[2], item["note"], item["stated"])
        for item in answer
        if item["kind"] == "criterion"
    ]


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


def test_a_criterion_is_found_by_its_place_on_the_day(client: TestClient) -> None:
    assert hits(client, "II.B", "2026-11-01") == [
        ("II.B", "acute-gvhd", "", ""),
        ("II.A", "manipulated-lymphocytes", "was II.B in 2019-10", ""),
    ]
    assert hits(client, "II.B", "2020-01-01") == [
        ("II.B", "manipulated-lymphocytes", "", ""),
        ("II.B", "acute-gvhd", "", "as 2026-02 states it; not in 2019-10"),
    ]
    assert hits(client, "II.A", "2020-01-01")[:2] == [
        ("II.A", "other-indications", "", ""),
        ("II.B", "manipulated-lymphocytes", "II.A in 2023-10 to 2026-02", ""),
    ]
    # Where the criteria of the revision in force are not on file, nothing is said to be missing from it.
    assert hits(client, "II.B", "2022-12-01")[0] == (
        *("II.B", "acute-gvhd", ""),
        "as 2026-02 states it; that of 2022-10 is not on file",
    )


def test_a_criterion_that_the_revision_in_force_does_not_have_says_so(client: TestClient) -> None:
    assert hits(client, "II.C", "2026-11-01") == [
        ("II.C", "repeat-infusion", "", "as 2019-10 states it; not in 2026-02")
    ]
    page = client.get("/search?q=II.C&on=2026-11-01").text
    assert '<p class="notice">as 2019-10 states it; not in 2026-02</p>' in page
    assert hits(client, "II.C", "2020-01-01")[0][3] == ""


def test_a_hit_has_the_text_of_the_day_and_says_where_other_words_were_found(client: TestClient) -> None:
    def text(on: str) -> str:
        found = client.get("/search", params={"q": "relapse", "format": "json", "on": on}).json()["found"]
        (item,) = [item for item in found if item["path"] == "/CP.MP.101/criterion/indication"]
        return str(item["text"])

    criterion = "/CP.MP.101/criterion/indication?format=json&on="
    for day in ("2020-01-01", "2026-11-01"):
        assert text(day) == client.get(criterion + day).json()["stated"]["definition"]
    assert text("2020-01-01") != text("2026-11-01")
    notes = {path: note for _, path, note, _ in hits(client, "for full donor chimerism", "2026-11-01")}
    assert notes["indication"] == "found by the wording of 2019-10"


def test_a_work_that_the_revision_in_force_is_not_on_file_with_says_whose_list_it_is_of(client: TestClient) -> None:
    found = client.get("/search?q=frey&on=2020-01-01&format=json").json()["found"]
    assert found[0]["stated"] == "as 2026-02 states it; that of 2019-10 is not on file"


@pytest.mark.parametrize(("query", "near"), [("gvdh", "gvhd"), ("acute lukemia", "acute leukemia"), ("zzzz", "")])
def test_what_finds_nothing_leads_to_near_words_that_find_something(client: TestClient, query: str, near: str) -> None:
    answer = client.get("/search", params={"q": query, "format": "json"}).json()
    assert (answer["found"], answer["near"]) == ([], near)
    page = client.get("/search", params={"q": query, "on": "2026-11-01"}).text
    assert ("Did you mean" in page) is bool(near)
    if near:
        assert found(client, near)
        assert f'?on=2026-11-01&amp;q={near.replace(" ", "+")}">{near}</a>?' in page
