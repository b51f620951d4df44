"""What the pages say."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pyoxigraph as ox
import pytest
from markupsafe import Markup
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
    assert read(client, "/CP.MP.101/advisory/chronic-gvhd")["kind"] == "advisory"


def test_a_criterion_says_what_it_cites_and_where_it_stands(client: TestClient) -> None:
    page = read(client, "/CP.MP.101/criterion/acute-gvhd", on="2026-11-27")
    stated = page["stated"]
    assert (stated["place"], stated["role"]) == ("II.B", "exclusion")
    assert [work["number"] for work in stated["citations"]] == [7, 8]
    assert [where["iri"] for where in stated["places"]] == [f"{BASE}CP.MP.101/2026-02/passage/criterion-II.B"]
    assert [part["condition"]["iri"] for part in stated["content"]["parts"]] == [
        f"{BASE}condition#acute-gvhd-of-grade-2-or-higher"
    ]
    text = client.get("/CP.MP.101/criterion/acute-gvhd").text
    assert "Frey NV, Porter DL" in text


def test_a_criterion_has_a_history_and_examples_on_each_side(client: TestClient) -> None:
    page = read(client, "/CP.MP.101/criterion/acute-gvhd")
    assert [(row["revision"]["iri"][-7:], row["change"]) for row in page["history"]] == [
        *(("2015-11", "not on file"), ("2019-10", "not in this revision"), ("2022-10", "not on file")),
        *(("2023-02", "not on file"), ("2023-08", "not on file"), ("2023-10", "first on file")),
        *(("2023-11", "as before"), ("2024-04", "as before"), ("2025-02", "as before"), ("2026-02", "as before")),
    ]
    sides = {value: [example["case"]["label"] for example in found] for value, found in page["examples"].items()}
    assert "acute gvhd of grade 2 excludes" in sides["holds"]
    assert "acute gvhd of grade 1 does not exclude" in sides["fails"]
    assert "no acute gvhd assessment is asked for" in sides["unknown"]
    assert "grades 1 and 3 on one day conflict" in sides["conflicting"]


def test_a_criterion_that_has_moved_says_from_where(client: TestClient) -> None:
    changes = {
        row["revision"]["iri"][-7:]: (row["change"], row["place"])
        for row in read(client, "/CP.MP.101/criterion/manipulated-lymphocytes")["history"]
    }
    assert changes["2019-10"] == ("first on file", "II.B")
    assert changes["2023-10"] == ("moved from II.B", "II.A")


def test_a_remainder_holds_where_its_indication_fails(client: TestClient) -> None:
    page = read(client, "/CP.MP.101/criterion/other-indications", on="2026-11-27")
    assert page["stated"]["content"] is None
    assert page["stated"]["remainderOf"]["iri"] == f"{BASE}CP.MP.101/criterion/indication"
    sides = {value: {example["case"]["label"] for example in found} for value, found in page["examples"].items()}
    assert "complete remission alone is not an indication" in sides["holds"]
    assert "relapsed aml after transplant meets" in sides["fails"]


def test_a_criterion_is_shown_as_the_revision_of_the_day_states_it(client: TestClient) -> None:
    path = "/CP.MP.101/criterion/manipulated-lymphocytes"
    assert read(client, path, on="2020-01-01")["stated"]["place"] == "II.B"
    assert read(client, path, on="2026-11-27")["stated"]["place"] == "II.A"
    later = client.get("/CP.MP.101/criterion/acute-gvhd?on=2020-01-01").text
    assert "which does not have it" in later


def test_a_revision_shows_its_parts(client: TestClient) -> None:
    page = read(client, "/CP.MP.101/2026-02")
    assert [code["code"] for code in page["codes"]] == ["38215", "38242", "86950", "S2150"]
    assert [found["place"] for found in page["criteria"]] == ["I", "I, note", "II", "II.A", "II.B"]
    assert [found["place"] for found in page["applicability"]] == ["Scope", "Medicare note"]
    assert [work["number"] for work in page["references"]] == list(range(1, 30))
    assert (len(page["definitions"]), len(page["evidence"]), len(page["advice"])) == (6, 42, 17)
    assert all(statement["places"] for part in ("criteria", "definitions", "advice") for statement in page[part])


def test_what_a_revision_does_not_have_on_file_is_said_and_not_shown(client: TestClient) -> None:
    page = read(client, "/CP.MP.101/2022-10")
    assert (page["criteria"], page["codes"], page["state"]) == ([], [], "known from the log alone")
    assert {held["basis"] for held in page["holdings"]} == {"not on file"}
    inferred = read(client, "/CP.MP.101/2023-11")
    assert inferred["notices"][0].startswith("How revision 2023-11 classes unsupported uses is not on file.")
    assert all(found["citations"] == [] for found in inferred["criteria"])
    criteria = next(held for held in inferred["holdings"] if held["part"] == "criteria")
    assert f"{BASE}CP.MP.101/log/2025-02" in [link["iri"] for link in criteria["inferredFrom"]]


def test_figures_of_the_evidence_have_their_intervals(client: TestClient) -> None:
    figures = {
        item["iri"].rpartition("/")[2]: item["figure"] for item in read(client, "/CP.MP.101/2026-02")["evidence"]
    }
    assert figures["gvhd-frequency"] == {
        **{"low": 40.0, "high": 60.0, "approximate": True, "words": "about 40 to 60 %", "interval": None}
    }
    assert figures["collins-acute-gvhd"] == {
        **{"low": 93.3, "high": 93.3, "approximate": False, "words": "42 of 45", "interval": [82.1, 97.7]}
    }
    assert figures["effective-dose"] is None
    assert len([figure for figure in figures.values() if figure]) == 10


def test_a_condition_shows_its_two_shapes_and_what_asks_for_it(client: TestClient) -> None:
    page = read(client, "/condition/acute-gvhd-of-grade-2-or-higher")
    assert [(shape["evidence"], shape["shape"]["iri"]) for shape in page["shapes"]] == [
        ("holds", f"{BASE}condition#AcuteGvHDGrade2OrHigher"),
        ("fails", f"{BASE}condition#AcuteGvHDBelowGrade2"),
    ]
    assert "sh:minInclusive 2" in page["shapes"][0]["turtle"]
    assert "sh:maxExclusive 2" in page["shapes"][1]["turtle"]
    assert [link["label"] for link in page["reads"]] == ["acute GvHD assessment"]
    (use,) = page["usedBy"]
    assert [link["iri"][-7:] for link in use["revisions"]] == ["2023-10", "2023-11", "2024-04", "2025-02", "2026-02"]
    only_advice = read(client, "/condition/chronic-gvhd-is-present")
    assert only_advice["usedBy"] == []
    assert [link["iri"] for link in only_advice["advisories"]] == [f"{BASE}CP.MP.101/advisory/chronic-gvhd"]


def test_a_reference_says_where_it_is_cited(client: TestClient) -> None:
    page = read(client, "/CP.MP.101/reference/frey-2008")
    assert (page["number"], page["doi"]) == (7, "10.1016/j.beha.2008.02.007")
    assert len(page["unknown"]) == 9
    assert {row["thing"]["iri"].removeprefix(f"{BASE}CP.MP.101/") for row in page["citedBy"]} == {
        *("criterion/acute-gvhd", "evidence/gvhd-frequency"),
        *("evidence/mechanism-donor-and-host-cells", "evidence/sources-of-the-criteria"),
    }


def test_a_code_shows_our_gloss_and_no_descriptor(client: TestClient) -> None:
    page = read(client, "/code/cpt/38242")
    assert page["title"] == "CPT 38242"
    assert page["listed"][0]["code"]["gloss"] == "Giving a patient lymphocytes that were collected from someone else."
    assert page["listed"][0]["code"]["rightsHolder"] == "American Medical Association"
    assert [link["iri"][-7:] for link in page["unknown"]][:2] == ["2015-11", "2019-10"]


def test_an_example_shows_the_case_and_what_it_comes_to(client: TestClient) -> None:
    page = read(client, "/example/refractory-leukemia-meets")
    assert [(found["revision"]["iri"][-7:], found["outcome"]["label"]) for found in page["determined"]] == [
        ("2026-02", "criteria met"),
        ("2019-10", "criteria not met"),
    ]
    assert "clin:Refractory" in page["turtle"]


def test_an_iri_with_a_fragment_leads_to_its_place_on_the_page_of_its_vocabulary(client: TestClient) -> None:
    text = client.get("/clinical").text
    assert '<div id="AcuteMyeloidLeukemia">' in text
    assert 'href="/clinical/AcuteMyeloidLeukemia"' in text
    names = {term["name"] for term in read(client, "/condition")["terms"]}
    assert {"acute-gvhd-of-grade-2-or-higher", "AcuteGvHDGrade2OrHigher"} <= names


def test_the_iri_of_a_version_leads_to_its_vocabulary(client: TestClient) -> None:
    answer = client.get("/clinical/1.1.0?on=2024-05-01")
    assert (answer.status_code, answer.headers["location"]) == (303, "/clinical?on=2024-05-01")
    assert client.get("/clinical/9.0.0").status_code == 404


def test_the_model_links_every_class(client: TestClient) -> None:
    page = read(client, "/model")
    assert [vocabulary["prefix"] for vocabulary in page["vocabularies"]][:2] == ["pol", "case"]
    for vocabulary in page["vocabularies"]:
        boxes = {box["iri"] for box in vocabulary["picture"]["boxes"]}
        assert boxes == {class_["iri"] for class_ in vocabulary["classes"]}
        corners = [(box["x"], box["y"]) for box in vocabulary["picture"]["boxes"]]
        assert len(set(corners)) == len(corners)


def test_the_ready_questions_are_listed_with_their_parameters(client: TestClient) -> None:
    names = [question["name"] for question in read(client, "/questions")["questions"]]
    assert (len(names) > 40, "where-cited" in names) == (True, True)
    (given,) = read(client, "/questions/where-cited")["parameters"]
    assert given["name"] == "reference"
    unknown = client.get("/questions/where-citd", params={"format": "json"})
    assert (unknown.status_code, unknown.json()["detail"]) == (
        404,
        "no question where-citd; did you mean where-cited?",
    )


def test_what_a_revision_shares_is_not_shown_as_its_own_statement(client: TestClient) -> None:
    page = read(client, "/CP.MP.101/2026-02/passage/criterion-II.B")
    assert [said["graph"]["iri"] for said in page["statements"]] == [f"{BASE}CP.MP.101/2026-02"]


def test_the_turtle_of_a_criterion_is_what_the_revision_of_the_day_says(client: TestClient) -> None:
    path = "/CP.MP.101/criterion/manipulated-lymphocytes"
    days = ("2020-01-01", "2024-05-01", "2026-07-01")
    early, late, full = (client.get(path, params={"format": "turtle", "on": day}).text for day in days)
    assert ('skos:notation "II.B"' in early, "psg1910:criterion-II.B" in early) == (True, True)
    # Of a revision whose criteria are inferred, what it shares: the tree and places, and nothing of what is cited.
    assert ('skos:notation "II.A"' in late, "cito:citesAsEvidence" in late) == (True, False)
    assert "cito:citesAsEvidence" in full


def test_json_ld_and_turtle_say_the_same(client: TestClient) -> None:
    for path in (
        "/CP.MP.101/criterion/acute-gvhd",
        "/example/refractory-leukemia-meets",
        "/condition/AcuteGvHDBelowGrade2",
    ):
        graphs = [
            ox.Dataset(ox.parse(client.get(path, params={"format": name}).content, format=format_))
            for name, format_ in (("turtle", ox.RdfFormat.TURTLE), ("jsonld", ox.RdfFormat.JSON_LD))
        ]
        for graph in graphs:
            graph.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
        assert graphs[0] == graphs[1], path
        assert len(graphs[0]) > 1, path


@pytest.mark.parametrize(
    ("path", "day", "said"),
    [
        ("/code/cpt/38242", "2026-11-01", "As CP.MP.101, revision 2026-02 lists it, in force on 2026-11-01."),
        (
            "/code/cpt/38242",
            "2024-05-01",
            "On 2024-05-01 CP.MP.101, revision 2024-04 counts, whose codes are not on file. "
            "Shown as CP.MP.101, revision 2026-02 lists it.",
        ),
        (
            "/CP.MP.101/reference/frey-2008",
            "2020-01-01",
            "On 2020-01-01 CP.MP.101, revision 2019-10 counts, whose references are not on file. "
            "Shown as CP.MP.101, revision 2026-02 lists it.",
        ),
        (
            "/CP.MP.101/criterion/repeat-infusion",
            "2026-11-01",
            "On 2026-11-01 CP.MP.101, revision 2026-02 counts, which does not have it. "
            "Shown as CP.MP.101, revision 2019-10 states it.",
        ),
        (
            "/CP.MP.101/criterion/acute-gvhd",
            "2001-01-01",
            "On 2001-01-01 no revision of the policy was in force. Shown as CP.MP.101, revision 2026-02 states it.",
        ),
        (
            "/CP.MP.101/definition/mixed-chimerism",
            "2020-01-01",
            "On 2020-01-01 CP.MP.101, revision 2019-10 counts, whose definitions are not on file. "
            "Shown as CP.MP.101, revision 2026-02 states it.",
        ),
        (
            "/CP.MP.101/advisory/chronic-gvhd",
            "2020-01-01",
            "On 2020-01-01 CP.MP.101, revision 2019-10 counts, which does not say this. "
            "Shown as CP.MP.101, revision 2026-02 states it.",
        ),
    ],
)
def test_a_page_says_when_what_it_shows_is_of_another_revision(
    client: TestClient, path: str, day: str, said: str
) -> None:
    assert said in str(Markup(client.get(f"{path}?on={day}").text).striptags())


def test_what_belongs_to_no_revision_is_of_none(client: TestClient) -> None:
    assert read(client, "/clinical/Leukemia")["standings"] == []
    assert "counts" not in client.get("/clinical/Leukemia?on=2020-01-01").text.partition("<main")[2]


def test_what_refers_to_a_code_is_the_condition_and_not_its_shape(client: TestClient) -> None:
    page = read(client, "/code/cpt/38242")
    assert [(group["words"], [thing["label"] for thing in group["things"]]) for group in page["referring"]] == [
        ("named by", ["CP.MP.101, Donor Lymphocyte Infusion"]),
        ("conditions that read it", ["the service is donor lymphocyte infusion"]),
    ]
    # A term that the text writes as a query does goes by its name.
    text = client.get("/code/cpt/38242").text
    link = '<a href="/condition/service-is-dli">the service is donor lymphocyte infusion</a>'
    assert f"the only one that {link} takes as naming" in text
    assert "cond:" not in text


def test_no_two_things_that_a_discrepancy_concerns_have_one_name(client: TestClient) -> None:
    found = {item["iri"].rpartition("/")[2]: item for item in read(client, "/CP.MP.101")["discrepancies"]}
    for item in found.values():
        names = [thing["label"] for thing in item["concerns"]]
        assert len(names) == len(set(names)), item["iri"]

    def concerns(name: str) -> list[str]:
        return [thing["label"] for thing in found[name]["concerns"]]

    assert concerns("medicare-plan-undefined") == [
        "the plan is not a Medicare plan (criterion)",
        "the plan is not a Medicare plan (condition)",
    ]
    assert concerns("cpt-of-2025") == [
        *("codes and what they stand for checked", "CPT 38215", "CPT 38242", "CPT 86950")
    ]
    assert concerns("specialist-of-10-22-unstated")[1::2] == [
        "read by an internal specialist (log statement 2023-10-6)",
        "read by an internal specialist (log statement 2025-02-5)",
    ]


def test_a_revision_has_one_name_on_all_pages(client: TestClient) -> None:
    for path in ("/", "/CP.MP.101/criterion/acute-gvhd", "/code/cpt/38242", "/questions/on-file", "/CP.MP.101/2026-02"):
        text = client.get(path).text
        assert "CP.MP.101, revision 2026-02" in text, path
        assert "revision 02/26" not in text, path


def test_the_page_of_a_policy_has_its_parts_on_top_and_folds_what_is_open(client: TestClient) -> None:
    text = client.get("/CP.MP.101").text
    contents = text.partition('aria-label="On this page"')[2].partition("</nav>")[0]
    anchors = re.findall(r'href="#(\w+)"', contents)
    assert anchors == ["history", "compare", "log", "open", "about"]
    assert all(f'id="{anchor}"' in text for anchor in anchors)
    assert re.findall(r"<details( open)?>\s*<summary>(\d+ \w+ \w+)", text) == [
        *(("", "25 major discrepancies"), ("", "43 moderate discrepancies"), ("", "10 minor discrepancies"))
    ]


def test_each_line_of_the_model_names_its_property(client: TestClient) -> None:
    vocabularies = read(client, "/model")["vocabularies"]
    lines = [line for vocabulary in vocabularies for line in vocabulary["picture"]["lines"]]
    assert all(line["label"] for line in lines)
    assert {line["label"] for line in lines if line["kind"] == "kindOf"} == {"kind of"}
    text = client.get("/model").text
    assert text.count("</title></path>") == len(lines)
