"""The page that compares two policies, and what it leads to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kb_tools.ask.pool import Pool
from kb_tools.model.repository import Repository
from kb_tools.serve import html
from kb_tools.serve.app import application
from kb_tools.serve.site import folders_of, pages_of, shown
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
PAGE = "/compare/CP.MP.101/2026-02/CG-TRANS-03/2024-10"


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(Repository(ROOT))


@pytest.fixture(scope="module")
def both(bench: Workbench) -> TestClient:
    """A client of the workbench on both policies. Nothing that it asks starts a process."""
    return TestClient(
        application(bench, pool=Pool(bench.kb, size=1, timeout=20)),
        base_url="http://127.0.0.1:8014",
        client=("127.0.0.1", 50000),
        follow_redirects=False,
    )


def test_two_policies_are_compared_by_what_each_requires(both: TestClient) -> None:
    found = both.get(PAGE, params={"format": "json"}).json()
    assert (found["page"], found["title"], found["words"]) == (
        "policies_compared",
        "CP.MP.101/2026-02 compared with CG-TRANS-03/2024-10",
        "mixed, by applicability and criteria",
    )
    first, second = found["sides"]
    assert [one["place"] for one in first["alone"]] == ["Medicare note", "I", "I, note", "II.A", "II.B"]
    assert [one["lines"] for one in second["alone"]] == [["the lymphocytes come from the transplant donor"]]
    gvhd = first["alone"][-1]
    assert (gvhd["lines"], gvhd["before"]["label"], gvhd["after"]["label"], gvhd["byItself"]) == (
        ["excluded: acute GvHD of grade 2 or higher"], "criteria not met", "criteria met", True,
    )  # fmt: skip
    assert len(found["both"]) == 4
    text = both.get(PAGE).text
    assert "<h2>CG-TRANS-03/2024-10 does not exclude</h2>" in text
    assert f'href="/try?witness={PAGE[9:].replace("/", "%2F")}%2F{gvhd["name"]}' in text


def test_each_case_of_the_comparison_opens_in_try_a_case(both: TestClient) -> None:
    found = both.get(PAGE, params={"format": "json"}).json()
    gvhd = found["sides"][0]["alone"][-1]["name"]
    page = both.get("/try", params={"witness": f"{PAGE[9:]}/{gvhd}", "revision": "CG-TRANS-03/2024-10"})
    assert page.status_code == 200
    assert "Loaded: the case that shows how" in page.text
    assert both.get("/try", params={"witness": f"{PAGE[9:]}/looser-99"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/compare/CP.MP.101/2026-02/CP.MP.102/2024-10", "there is no policy CP.MP.102"),
        ("/compare/CP.MP.101/2026-02/CP.MP.101/2025-02", "CP.MP.101 is one policy"),
        ("/compare/CP.MP.101/2023-08/CG-TRANS-03/2024-10", "revision 2023-08 are not on file"),
        ("/compare/CP.MP.101/2026-02/CG-TRANS-03/2023-10", "CG-TRANS-03 has no revision 2023-10"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(both: TestClient, path: str, says: str) -> None:
    answer = both.get(path)
    assert answer.status_code == 404
    assert says in answer.text


def test_the_pages_of_both_policies_lead_to_their_comparison(both: TestClient) -> None:
    for path in ("/CP.MP.101", "/CP.MP.101/compare", "/CG-TRANS-03", "/CG-TRANS-03/compare"):
        assert '<a href="/compare/CG-TRANS-03/2024-10/CP.MP.101/2026-02">' in both.get(path).text


def test_a_site_compares_two_policies_on_one_service_once(bench: Workbench) -> None:
    pages = pages_of(bench)
    path = "/compare/CG-TRANS-03/2024-10/CP.MP.101/2026-02"
    assert [one for one in pages if one.startswith("/compare/")] == [path]
    folders, view = folders_of(pages), View(bench, date(2026, 7, 1))
    written = {}
    for one in (path, "/CP.MP.101", "/CG-TRANS-03", "/CP.MP.101/compare"):
        page, target = pages[one]
        content = {"page": page.name, "on": "2026-07-01", **page.data(view, target)}
        written[one] = html.render(shown(view, page, one, folders), content, bench).decode()
    compared = written.pop(path)
    assert "What CP.MP.101/2026-02 requires, and CG-TRANS-03/2024-10 does not" in compared
    # A case is tried, and the other way round is compared, where there is a server.
    assert "Open in Try a case" not in compared and "The other way round" not in compared
    for one, text in written.items():
        assert f'href="{"../" * one.count("/")}compare/CG-TRANS-03/2024-10/CP.MP.101/2026-02/index.html"' in text


def test_programs_ask_for_the_same(both: TestClient) -> None:
    asked = {"before": "CP.MP.101/2026-02", "after": "CG-TRANS-03/2024-10"}
    found = both.get("/api/diff", params=asked).json()
    assert [one["place"] for one in found["requirements"] if not one["shared"]] == [
        "Medicare note", "I", "I, note", "II.A", "II.B", "Medically Necessary 1",
    ]  # fmt: skip
