"""Two revisions compared in the workbench: what the page says, its addresses, and its other formats."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import date
from io import BytesIO
from pathlib import Path
from posixpath import join, normpath
from threading import Event
from typing import Any
from urllib.parse import unquote

import openpyxl
import pytest
from starlette.testclient import TestClient

from kb_tools import as_json
from kb_tools.api import KnowledgeBase
from kb_tools.errors import Busy
from kb_tools.model.repository import Repository
from kb_tools.render import diff as render
from kb_tools.render.page import markdown
from kb_tools.revisions.change import Diff
from kb_tools.serve import html
from kb_tools.serve.app import application
from kb_tools.serve.comparisons import KEPT, WAITING, Compared, Comparisons
from kb_tools.serve.formats import ENDINGS
from kb_tools.serve.marks import lines, words
from kb_tools.serve.site import folders_of, pages_of, shown
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
BASE = "https://w3id.org/policykb/"
PATH = "/CP.MP.101/compare/2019-10/2026-02"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def page(client: TestClient) -> Any:
    """The comparison of the two revisions whose documents are on file; the workbench keeps it."""
    answer = client.get(PATH, params={"format": "json"})
    assert answer.status_code == 200, answer.text
    return answer.json()["compared"]


@pytest.fixture(scope="module")
def diff(bench: Workbench, page: Any) -> Diff:
    return bench.comparisons.of(bench.kb.policy(), "2019-10", "2026-02").result().diff


def marked(runs: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(run["text"], run["mark"]) for run in runs]


# ---------------------------------------------------------------------- what it says


def test_the_verdict_says_why(page: Any) -> None:
    verdict = page["verdict"]
    assert (verdict["words"], verdict["direction"]) == ("mixed, by applicability and criteria", "mixed")
    assert verdict["notes"] == [
        "2019-10 as on file does not define mixed chimerism: the definition of 2026-02 is taken."
    ]
    stricter, looser = verdict["witnesses"]
    assert (stricter["direction"], stricter["before"]["iri"][-11:], stricter["after"]["iri"][-19:]) == (
        *("stricter", "CriteriaMet", "PolicyNotApplicable"),
    )
    assert {link["iri"] for link in stricter["holding"]} == {
        f"{BASE}condition#{name}"
        for name in (
            *("service-is-dli", "after-allogeneic-transplant"),
            *("raising-donor-chimerism-is-a-purpose", "chimerism-is-mixed"),
        )
    }
    assert f"{BASE}condition#plan-is-not-medicare" in {link["iri"] for link in stricter["failing"]}
    assert stricter["because"][1] == "Medicare note fails: line of business: Medicare Advantage"
    assert (looser["direction"], looser["open"], looser["after"]["label"]) == ("looser", [], "criteria met")


def test_the_case_of_a_witness_comes_to_what_it_says(page: Any, bench: Workbench) -> None:
    kb = KnowledgeBase(bench.kb)
    witnesses = page["verdict"]["witnesses"]
    cases = [kb.read_case(text=witness["case"], format="turtle") for witness in witnesses]
    for side, revision in (("before", "2019-10"), ("after", "2026-02")):
        found = kb.determine(cases, revision=revision, engine="pyshifty")
        outcomes = [f"{BASE}policy#{answer.outcome.value}" for answer in found.determined]
        assert outcomes == [witness[side]["iri"] for witness in witnesses]


def test_the_words_of_a_change_are_marked(page: Any) -> None:
    changes = {change["anchor"]: change for change in page["changes"]}
    assert len(changes) == len(page["changes"]) == 22
    reworded = changes["criteria-other-indications-reworded"]
    assert marked(reworded["lines"][0]["runs"]) == [
        ("What criterion I does not cover is ", ""),
        ("experimental or investigational", "gone"),
        ("not supported by current evidence", "added"),
        (".", ""),
    ]
    assert [said["row"] for said in reworded["named"]] == ["11/23", "02/25"]
    widened = changes["conditions-disease-relapsed-refractory-or-progressing-widened"]
    assert marked(widened["lines"][0]["runs"])[1] == (", refractory, both, or progressing", "added")
    assert widened["reported"] is False


def test_the_trees_stand_side_by_side_with_their_differences(page: Any) -> None:
    beside = {row["criterion"]["iri"].rpartition("/")[2]: row for row in page["criteria"]}
    assert [name for name, row in beside.items() if row["same"]] == ["service"]
    assert beside["acute-gvhd"]["before"] is None
    indication = beside["indication"]

    def parts(part: Any) -> Iterator[tuple[str, str]]:
        yield part["mark"], part["condition"]["iri"].rpartition("#")[2] if part["condition"] else part["operator"]
        for below in part["parts"]:
            yield from parts(below)

    assert list(parts(indication["before"]["content"])) == [
        *(("", "all of"), ("", "after-allogeneic-transplant"), ("", "any of")),
        *(("gone", "all of"), ("gone", "reason-is-hematologic-malignancy"), ("gone", "disease-is-relapsed")),
        *(("gone", "all of"), ("gone", "raising-donor-chimerism-is-a-purpose"), ("gone", "chimerism-is-mixed")),
    ]
    assert [mark for mark, _ in parts(indication["after"]["content"])] == ["", "", "added", "", *4 * ["added"]]
    manipulated = beside["manipulated-lymphocytes"]
    assert (marked(manipulated["before"]["place"]), marked(manipulated["after"]["place"])) == (
        *([("II.B", "gone")], [("II.A", "added")]),
    )


def test_the_log_is_held_against_the_changes(page: Any) -> None:
    found = {row["logged"]["statement"]["iri"].rpartition("/")[2]: row for row in page["log"]}
    assert len(found) == 19
    assert (found["2023-11-2"]["finding"], found["2023-11-2"]["changes"]) == (
        "found",
        ["criteria-plan-added", "criteria-other-indications-renumbered", "criteria-other-indications-reworded"],
    )
    assert page["logNotes"] == ["The log has no row for 2019-10: reviews that it does not list are likely."]


def test_flips_are_attributed_and_lead_to_their_cases(page: Any) -> None:
    impact = page["impact"]
    assert (impact["cases"], impact["flipped"], impact["unread"]) == (234, 131, [])
    first = impact["flips"][0]
    assert (first["anchor"], first["count"]) == ("from-CriteriaMet-to-CriteriaNotMet", 3)
    cause = next(cause for cause in first["causes"] if "II.B of 2026-02" in cause["criteria"][0])
    assert cause == {
        "cases": [
            {
                "iri": f"{BASE}example/acute-gvhd-of-grade-2-excludes",
                "label": "acute gvhd of grade 2 excludes",
                "notation": "",
            }
        ],
        "criteria": ["II.B of 2026-02, acute GvHD of grade 2 or higher: holds"],
        "conditions": ["acute GvHD of grade 2 or higher: holds"],
        "named": cause["named"],
        "general": [],
    }
    assert [said["row"] for said in cause["named"]] == ["10/23"]
    moved = next(cause for cause in first["causes"] if cause["conditions"][0].startswith("the disease treated"))
    assert (moved["named"], [said["row"] for said in moved["general"]]) == ([], ["02/23", "08/23"])


def test_every_anchor_and_link_of_the_page_leads_somewhere(client: TestClient, bench: Workbench) -> None:
    text = client.get(PATH).text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    anchors = re.findall(r'href="#([^"]+)"', text)
    assert set(anchors) <= set(ids)
    assert len(anchors) > 60
    assert "<del>experimental or investigational</del><ins>not supported by current evidence</ins>" in text


# ---------------------------------------------------------------------- other formats


def test_json_markdown_and_spreadsheet_are_those_of_kb_diff(client: TestClient, page: Any, diff: Diff) -> None:
    assert as_json.dump(page["difference"]) == diff.to_json()
    assert page["difference"]["impact"]["flips"][0]["case"].endswith(".ttl#case")
    assert str(ROOT) not in as_json.dump(page)
    answer = client.get(PATH, headers={"Accept": "text/markdown"})
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text == markdown(render.document(diff))
    assert "234 cases under both, 131 with another outcome." in answer.text
    answer = client.get(f"{PATH}?format=xlsx")
    assert answer.headers["content-type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    book = openpyxl.load_workbook(BytesIO(answer.content))
    flips = list(book["Flips"].values)
    assert len(flips) == 132
    assert ("acute-gvhd-of-grade-2-excludes.ttl#case", "CriteriaMet", "CriteriaNotMet") in [row[:3] for row in flips]
    assert f'href="{PATH}?format=xlsx" download="CP.MP.101-2019-10-compared-with-2026-02.xlsx"' in client.get(PATH).text


# ---------------------------------------------------------------------- addresses


def test_what_is_chosen_has_an_address_of_its_own(client: TestClient) -> None:
    answer = client.get("/CP.MP.101/compare?before=2019-10&after=2026-02&on=2024-05-01")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PATH}?on=2024-05-01")
    text = client.get(f"{PATH}?on=2024-05-01").text
    assert '<option value="2019-10" selected>2019-10 (criteria: document on file)</option>' in text
    assert '<option value="2026-02" selected>' in text
    assert 'href="/CP.MP.101/2026-02?on=2024-05-01"' in text
    chosen = client.get("/CP.MP.101/compare?before=//evil.example&after=x")
    assert chosen.headers["location"] == "/CP.MP.101/compare///evil.example/x"


def test_policies_and_revisions_lead_to_their_comparisons(client: TestClient) -> None:
    pages = {path: client.get(path).text for path in ("/CP.MP.101", "/CP.MP.101/2023-11", "/CP.MP.101/compare")}
    assert all('href="/CP.MP.101/compare/2023-10/2023-11"' in text for text in pages.values())
    assert 'href="/CP.MP.101/compare"' in pages["/CP.MP.101"]
    pairs = client.get("/CP.MP.101/compare?format=json").json()["pairs"]
    assert [pair["path"][19:] for pair in pairs] == [
        *("2019-10/2023-10", "2023-10/2023-11", "2023-11/2024-04", "2024-04/2025-02", "2025-02/2026-02")
    ]


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (
            "2022-10/2026-02",
            "the criteria of CP.MP.101 revision 2022-10 are not on file; on file: 2019-10, 2023-10, 2023-11, "
            "2024-04, 2025-02, 2026-02",
        ),
        ("2026-02/2026-02", "2026-02 is compared with itself; name two revisions"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(client: TestClient, pair: str, said: str) -> None:
    found = client.get(f"/CP.MP.101/compare/{pair}?format=json").json()
    assert (found["cannot"], found["compared"]) == (said, None)
    assert f"Nothing can be compared: {said}." in client.get(f"/CP.MP.101/compare/{pair}").text
    answer = client.get(f"/CP.MP.101/compare/{pair}?format=xlsx")
    assert (answer.status_code, said in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("path", "said", "near"),
    [
        ("/CP.MP.101/compare/2019-11/2026-02", "CP.MP.101 has no revision 2019-11", "CP.MP.101/2019-10"),
        ("/CP.MP.101/compare/2026-02/latest", "CP.MP.101 has no revision latest", "CP.MP.101/2026-02"),
        ("/CP.MP.102/compare", "there is no policy CP.MP.102", "CP.MP.101"),
        ("/CP.MP.102/compare/2019-10/2026-02", "there is no policy CP.MP.102", "CP.MP.101"),
    ],
)
def test_an_unknown_policy_or_revision_is_not_found_and_names_what_is_near(
    client: TestClient, path: str, said: str, near: str
) -> None:
    answer = client.get(f"{path}?format=json")
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith(said)
    assert f"{BASE}{near}" in [thing["iri"] for thing in answer.json()["near"]]


# ---------------------------------------------------------------------- once, and one at a time


def test_a_pair_is_compared_once_and_only_so_many_are_kept_or_wait(
    kb: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    release = Event()

    def compared(self: Comparisons, policy: object, before: str, other: object, after: str) -> Compared:
        release.wait(10)
        made.append(before)
        return Compared(None, {})  # type: ignore[arg-type]

    monkeypatch.setattr(Comparisons, "_compared", compared)
    comparisons, policy = Comparisons(kb), kb.policy()
    waiting = [comparisons.of(policy, str(number), "x") for number in range(WAITING)]
    assert comparisons.of(policy, "0", "x") is waiting[0]
    # A reader who goes away does not take it from others.
    assert waiting[0].cancel() is False
    with pytest.raises(Busy, match="other revisions are being compared") as refused:
        comparisons.of(policy, "another", "x")
    assert refused.value.seconds == 10
    release.set()
    for future in waiting:
        future.result(10)
    assert sorted(made) == [str(number) for number in range(WAITING)]
    for number in range(WAITING, KEPT + 1):
        comparisons.of(policy, str(number), "x").result(10)
    assert comparisons.of(policy, str(KEPT), "x") is comparisons.of(policy, str(KEPT), "x")
    assert comparisons.of(policy, "1", "x").result(10) is not waiting[1].result()


def test_a_reader_is_told_to_come_back_where_too_many_are_compared(
    client: TestClient, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*arguments: object) -> Future[Compared]:
        raise Busy("other revisions are being compared", seconds=10)

    monkeypatch.setattr(bench.comparisons, "of", busy)
    answer = client.get(f"{PATH}?format=json")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["detail"] == "other revisions are being compared; ask again in a moment"


def test_the_menu_leads_to_comparisons_and_only_what_can_be_compared_is_offered(client: TestClient) -> None:
    start = client.get("/?on=2024-05-01").text
    assert '<a href="/CP.MP.101/compare?on=2024-05-01">Compare</a>' in start
    offered = [choice["name"] for choice in client.get("/CP.MP.101/compare?format=json").json()["choices"]]
    assert offered == ["2019-10", "2023-10", "2023-11", "2024-04", "2025-02", "2026-02"]


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        (
            "2019-10",
            "2026-02",
            [
                "Some cases that met the criteria no longer do, and others newly do.",
                "Two things changed: to whom and to what the policy applies, and what the criteria ask.",
            ],
        ),
        (
            "2023-10",
            "2023-11",
            [
                "Some cases that met the criteria no longer do, and none newly does.",
                "The reason is to whom and to what the policy applies; what the criteria ask is the same.",
                "The criteria of at least one of the two are inferred from the revision log.",
            ],
        ),
        (
            "2023-11",
            "2024-04",
            [
                "Every case comes to the same under both.",
                "The criteria of at least one of the two are inferred from the revision log.",
            ],
        ),
    ],
)
def test_a_verdict_is_said_in_sentences(client: TestClient, before: str, after: str, sentences: list[str]) -> None:
    path = f"/CP.MP.101/compare/{before}/{after}"
    assert client.get(f"{path}?format=json").json()["compared"]["verdict"]["sentences"] == sentences
    assert " ".join(sentences) in client.get(path).text


# ---------------------------------------------------------------------- words


def test_words_are_marked_and_what_has_little_in_common_is_not_taken_apart() -> None:
    assert marked(words("a grade of 2 or 3", "a grade of 3 or 4")) == [  # type: ignore[arg-type]
        *(("a grade of ", ""), ("2", "gone"), ("3", "added"), (" or ", ""), ("3", "gone"), ("4", "added")),
    ]
    assert words("", "") == []
    assert words("one two", "three four") == [
        {"text": "one two", "mark": "gone"},
        {"text": "three four", "mark": "added"},
    ]
    assert words("same", "same") == [{"text": "same", "mark": ""}]


def test_lines_are_matched_where_they_stand_alike() -> None:
    before = ["all of", "  the plan is one", "any of", "  it stays"]
    after = ["all of", "the plan is one", "any of", "  it stays, perhaps"]
    found = [(line["depth"], [run["mark"] for run in line["runs"]]) for line in lines(before, after)]
    assert found == [(0, [""]), (1, ["gone"]), (0, ["added"]), (0, [""]), (1, ["", "added"])]


def test_a_tree_that_changed_stands_whole_before_its_readings(client: TestClient) -> None:
    changes = client.get(f"{PATH}?format=json").json()["compared"]["changes"]
    (change,) = [change for change in changes if change["anchor"] == "criteria-indication-logic-changed"]
    found = [
        (line["depth"], "/".join(f"{run['mark'] or 'same'}: {run['text'][:24]}" for run in line["runs"]))
        for line in change["lines"]
    ]
    assert found[2:] == [
        (0, "same: all of"),
        (1, "same: after an allogeneic tran"),
        (1, "added: the disease treated is a"),
        (1, "same: any of"),
        (2, "gone: all of (I.A, relapsed he"),
        (3, "gone: the disease treated is a"),
        (3, "gone: the disease is relapsed"),
        (2, "gone: all of (I.B, mixed to fu"),
        (3, "gone: raising donor chimerism "),
        (3, "gone: chimerism is mixed"),
        (2, "added: the disease is relapsed,"),
        (2, "added: lowering the risk of rel"),
        (2, "added: residual disease is dete"),
        (2, "added: the risk of relapse is r"),
        (0, "gone: Reading: Bone marrow tra"),
        (0, "gone: Reading: One of the two "),
        (0, "added: Reading: A risk of relap"),
        (0, "added: Reading: Mixed chimerism"),
    ]


# ---------------------------------------------------------------------- another policy, with a draft and markup


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A knowledge base with a draft whose labels are markup and formulas."""
    root = tmp_path_factory.mktemp("copied")
    for name in ("ontology", "shapes"):
        shutil.copytree(ROOT / name, root / name)
    policy = root / "policies/EX.5"
    shutil.copytree(ROOT / "tests/data/EX.5", policy)
    (policy / "2025-02").mkdir()
    for path in (policy / "2024-01").glob("*.ttl"):
        text = (
            path.read_text(encoding="utf-8").replace("EX.5/2024-01", "EX.5/2025-02").replace('"2024-01"', '"2025-02"')
        )
        text = text.replace("acute GvHD of grade 2 or higher", SCRIPT).replace("any other use", "=1+1")
        if path.name == "revision.ttl":
            text += f'<{BASE}EX.5/2025-02> pol:toDo "Release it."@en .\n'
        (policy / "2025-02" / path.name).write_text(text, encoding="utf-8")
    return Workbench(Repository(root))


def test_markup_is_text_and_a_draft_is_named_as_one(copied: Workbench) -> None:
    other = TestClient(application(copied), base_url="http://127.0.0.1")
    path = "/EX.5/compare/2024-01/2025-02"
    text = other.get(path).text
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "2025-02 (draft; criteria: document on file)" in text
    assert "2025-02 is a draft: it is not released, and in force on no date." in text
    assert "\\<script\\>" in other.get(f"{path}?format=markdown").text
    book = openpyxl.load_workbook(BytesIO(other.get(f"{path}?format=xlsx").content))
    assert {cell.data_type for sheet in book for row in sheet for cell in row} <= {"s", "n"}
    assert "II, =1+1" in [cell.value for cell in book["Changes"]["C"]]


def test_the_site_has_the_comparisons_of_revisions_that_follow_each_other(copied: Workbench) -> None:
    pages = pages_of(copied)
    folders = folders_of(pages)
    files = {f"{folders[path]}/index.{ENDINGS[kind]}" for path, (page, _) in pages.items() for kind in page.formats}
    files |= {"index.html", *(f"static/{name}" for name in html.assets()), "static/search-index.js"}
    view = View(copied, date(2026, 1, 1))
    assert {path for path in pages if "/compare" in path} == {"/EX.5/compare", "/EX.5/compare/2024-01/2025-02"}
    for path in ("/EX.5", "/EX.5/2025-02", "/EX.5/compare", "/EX.5/compare/2024-01/2025-02"):
        page, target = pages[path]
        content = {"page": page.name, "on": view.day.isoformat(), **page.data(view, target)}
        text = html.render(shown(view, page, path, folders), content, copied).decode()
        found = [address for address in re.findall(r'(?:href|src|action)="([^"#]+)', text) if "://" not in address]
        here = f"{folders[path]}/index.html"
        missing = [address for address in found if normpath(join(here, "..", unquote(address))) not in files]
        assert missing == []
        assert "<select" not in text
