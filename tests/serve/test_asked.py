"""The ready questions on their pages: forms, answers, and the files that a reader takes along."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyoxigraph as ox
import pytest
from markupsafe import Markup
from openpyxl import load_workbook
from starlette.testclient import TestClient

from kb_tools.ask.library import questions
from kb_tools.ask.request import RawResult
from kb_tools.render.answer_sheets import xlsx
from kb_tools.serve.forms import fields
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XSD = "http://www.w3.org/2001/XMLSchema#"


def rows(page: str) -> list[list[str]]:
    """The cells of the answer on a page."""
    _, _, table = page.partition('<table class="answer">')
    body = table.partition("</table>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [[str(Markup(cell).striptags()) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in found]


def options(page: str, name: str) -> dict[str, str]:
    _, _, select = page.partition(f'<select id="of-{name}"')
    return {
        str(Markup(value).unescape()): str(Markup(label).unescape())
        for value, label in re.findall(r'<option value="([^"]*)"[^>]*>(.*?)</option>', select.partition("</select>")[0])
    }


# ---------------------------------------------------------------------- pages


def test_the_questions_are_listed_by_topic(client: TestClient) -> None:
    listed = client.get("/questions?format=json").json()["questions"]
    assert {question["name"]: question["topic"] for question in listed} == {
        question.name: question.topic for question in questions()
    }
    assert len({question["topic"] for question in listed}) == 6
    page = client.get("/questions").text
    assert page.index("<h2>Criteria and conditions</h2>") < page.index('href="/questions/criterion-tree"')


def test_a_question_is_asked_by_default_and_with_another_parameter(client: TestClient) -> None:
    page = client.get("/questions/codes").text
    # The names of codes lead to their pages, so that no column of identifiers is needed.
    assert rows(page)[0] == ["system", "number", "gloss"]
    assert [row[1] for row in rows(page)[1:]] == ["38215", "38242", "86950", "S2150"]
    assert '<a href="/code/cpt/38242" title="cpt:38242">Giving a patient lymphocytes' in page
    assert "4 rows from CP.MP.101/2026-02." in page
    other = client.get("/questions/where-cited", params={"reference": "12"}).text
    assert len(rows(other)) == 5
    assert rows(other)[0] == ["kind", "statement", "place"]
    # What a reader wrote as a number is the reference of that number.
    assert '<option value="ref:deol-2010" selected>12: ' in other
    assert '<option value="12"' not in other


def test_an_answer_and_its_files_say_for_what_was_asked(client: TestClient) -> None:
    title = "Donor lymphocyte infusion after allogeneic stem cell transplantation"
    for address, value, name in (
        ("where-cited", f"9: {title}", "where-cited-castagna-2016"),
        ("where-cited?reference=ref%3Acastagna-2016", f"9: {title}", "where-cited-castagna-2016"),
        ("where-cited?reference=reference+9", f"9: {title}", "where-cited-castagna-2016"),
        ("codes?revision=2026-02", "CP.MP.101/2026-02", "codes-2026-02"),
        ("codes?on=2026-11-01", "CP.MP.101/2026-02", "codes-2026-02"),
        ("references-by-age?date=2020-05&years=7", "2020-05-01", "references-by-age-2020-05-01-7"),
    ):
        page = client.get(f"/questions/{address}").text
        assert f"<b>{value}</b>" in page.partition('class="asked-for"')[2].partition("</p>")[0], address
        assert re.findall(r'download="([^"]*)"', page) == [f"{name}.csv", f"{name}.json", f"{name}.xlsx"]
        question, _, given = address.partition("?")
        for format_ in ("csv", "json", "xlsx"):
            taken = client.get(f"/questions/{question}/answer?{given}&format={format_}".replace("?&", "?"))
            assert taken.headers["Content-Disposition"] == f'inline; filename="{name}.{format_}"'
            if format_ == "xlsx":
                cells = [row[1].value for row in load_workbook(io.BytesIO(taken.content))["About"].iter_rows()]
                assert cells.count(value) >= 1
                assert not [cell for cell in cells if str(cell).startswith("for ")]
            if format_ == "json":
                assert [note for note in taken.json()["notes"] if note.endswith(value)], address


def test_the_query_that_is_shown_is_the_one_that_was_run(client: TestClient) -> None:
    page = client.get("/questions/where-cited?reference=ref%3Adeol-2010").text
    assert "<h2>Query as it was run</h2>" in page
    shown = str(Markup(page.partition("<h2>Query")[2].partition("<code>")[2].partition("</code>")[0]).unescape())
    assert shown.splitlines()[0] == "# Where is a reference cited: by which statements, and at which places?"
    assert shown.count("VALUES") == 1
    assert "VALUES ?reference { <https://w3id.org/policykb/CP.MP.101/reference/deol-2010> }" in shown
    assert "# P" not in shown
    wrong = client.get("/questions/where-cited?reference=99")
    assert (wrong.status_code, "<h2>Query" in wrong.text, "VALUES" in wrong.text) == (400, False, False)


def test_an_answer_without_rows_says_that_the_data_hold_no_such_thing(client: TestClient) -> None:
    for name in ("determinations-by-outcome", "determinations-waiting"):
        page = client.get(f"/questions/{name}").text
        assert "No rows" in page
        assert "the knowledge base holds no determination: cases and what they come to are not kept in it" in page
        assert f"kb query {name} with such a file as data asks about them" in page
    assert "holds no" not in client.get("/questions/terms-not-defined").text


def test_headings_are_words_and_things_go_by_their_names(client: TestClient) -> None:
    found = rows(client.get("/questions/changed-criteria").text)
    assert found[0] == ["criterion", "change", "place before", "place after", "meaning before", "meaning after"]
    evidence = rows(client.get("/questions/evidence-for-disease").text)
    assert evidence[0][:3] == ["disease", "claim", "outcome"]
    assert not [cell for row in evidence[1:] for cell in row if cell.startswith("ev:")]
    # A column that gives nothing names nothing, and is kept.
    assert rows(client.get("/questions/definitions").text)[0][-1] == "borrowed from"


def test_the_choices_are_those_of_the_data_and_the_default_is_shown(client: TestClient) -> None:
    page = client.get("/questions/changed-criteria", params={"before": "CP.MP.101/2023-10"}).text
    offered = options(page, "before")
    assert offered[""] == "CP.MP.101/2019-10 (default)"
    # The default stands in the list once.
    assert "CP.MP.101/2019-10" not in offered
    assert offered["CP.MP.101/2026-02"] == "CP.MP.101/2026-02 (in force)"
    assert '<option value="CP.MP.101/2023-10" selected>' in page
    assert len(rows(page)) == 2
    references = options(client.get("/questions/where-cited").text, "reference")
    assert len(references) == 29
    assert references["ref:deol-2010"].startswith("12: ")
    assert list(references.values())[1].startswith("1: ")
    assert [label for label in references.values() if label.startswith("9: ")] == [references[""]]
    dated = client.get("/questions/in-force").text
    assert f'type="date" placeholder="{date.today()}"' in dated
    assert '<datalist id="list-place">' in client.get("/questions/said-at-place").text


def test_the_day_of_the_workbench_is_the_day_that_is_asked(client: TestClient) -> None:
    page = client.get("/questions/criteria?on=2020-01-01").text
    assert "7 rows from CP.MP.101/2019-10." in page
    assert options(page, "revision")[""] == "in force on 2020-01-01 (default)"
    assert '<input type="hidden" name="on" value="2020-01-01">' in page
    assert "questions/criteria/answer?on=2020-01-01&amp;format=csv" in page
    # A revision that is chosen goes before it, and a question across revisions has its date from it.
    chosen = client.get("/questions/criteria?on=2020-01-01&revision=2026-02").text
    assert "7 rows from CP.MP.101/2026-02." in chosen
    dated = client.get("/questions/in-force/answer?on=2020-01-01&format=csv").text
    assert "CP.MP.101/2019-10" in dated
    early = client.get("/questions/codes?on=2001-01-01")
    assert (early.status_code, "no revision of CP.MP.101 was in force on 2001-01-01" in early.text) == (400, True)


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_every_question_has_a_form_with_choices_that_it_takes(bench: Workbench, question: Any) -> None:
    view = View(bench, date(2026, 11, 1))
    for field, parameter in zip(fields(view, question, {}), question.parameters, strict=True):
        assert field["default"]
        expected = {"date": "date", "integer": "number"}.get(parameter.type)
        assert field["kind"] == expected or field["kind"] in ("choice", "suggestion", "text")
        assert bool(field["choices"]) == (
            parameter.type in ("revision", "namespace", "policy") or bool(parameter.kinds)
        )


def test_what_an_address_asks_wrongly_is_said_beside_the_form(client: TestClient) -> None:
    for path, status, line in (
        ("codes?revison=2026-02", 400, "question codes has no parameter revison; did you mean revision?"),
        ("where-cited?reference=no+such", 400, "reference: &#39;no such&#39; names no reference in CP.MP.101/2026-02"),
        ("in-force?date=yesterday", 400, "date: &#39;yesterday&#39; is no date; write YYYY-MM-DD"),
        ("codes?revision=2031-01", 400, "CP.MP.101 has no revision 2031-01; known: "),
        ("codes?revision=2026-02&revision=2019-10", 400, "revision is given twice; give it once"),
        ("code", 404, "no question code; did you mean codes?"),
        ("codes?on=x", 400, "on: &#39;x&#39; is no calendar day"),
    ):
        page = client.get(f"/questions/{path}")
        assert (page.status_code, line in page.text) == (status, True), path
        assert "--" not in re.sub(r"<[^>]*>", "", page.text.partition("<main")[2].partition("<h2>Query")[0]), path
        assert rows(page.text) == []
        data = client.get(f"/questions/{path.replace('?', '/answer?', 1) if '?' in path else path + '/answer'}")
        assert (data.status_code, "<table" in data.text) == (status, False), path


def test_no_text_of_an_address_is_markup(client: TestClient) -> None:
    for path in ("/questions/said-at-place?place=", "/questions/where-cited?reference=", "/questions/codes?revision="):
        page = client.get(f'{path}"><script>alert(1)</script>')
        assert "<script>alert" not in page.text


def test_the_editor_is_opened_with_the_query_as_it_was_asked(client: TestClient) -> None:
    page = client.get("/questions/where-cited", params={"reference": "12", "on": "2026-11-01"}).text
    (address,) = re.findall(r'<a href="(/query[^"]*)">Open in the editor', page)
    parts = urlsplit(str(Markup(address).unescape()))
    assert (parts.path, parts.query) == ("/query", "on=2026-11-01")
    carried = parse_qs(parts.fragment)
    assert "VALUES ?reference { <https://w3id.org/policykb/CP.MP.101/reference/deol-2010> }" in carried["query"][0]
    everywhere = client.get("/questions/in-force").text
    assert "&amp;reads=all" in unquote(everywhere)


# ---------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def taken(client: TestClient) -> Iterator[Any]:
    answer = client.get("/questions/codes/answer", params={"format": "xlsx", "revision": "2026-02"})
    assert answer.headers["content-type"] == SHEET
    yield load_workbook(io.BytesIO(answer.content))


def test_an_answer_comes_in_each_format_at_an_address_of_its_own(client: TestClient) -> None:
    path = "/questions/codes/answer"
    assert client.get(path).json()["results"]["bindings"][0]["number"]["value"] == "38215"
    assert client.get(path, params={"format": "csv"}).text.startswith("system,number,code,gloss\r\nCPT,38215,")
    assert client.get(path, headers={"Accept": "text/tab-separated-values"}).text.startswith("?system\t?number\t")
    assert client.get(path, headers={"Accept": "application/sparql-results+xml"}).text.startswith("<?xml")
    assert client.get(path, headers={"Accept": SHEET}).headers["content-type"] == SHEET
    assert client.get(path, headers={"Accept": "text/turtle"}).status_code == 406
    wrong = client.get(path, params={"format": "xls"}, headers={"Accept": "application/json"})
    assert wrong.json()["detail"] == "this page has no format 'xls'; did you mean xlsx?"


def test_a_spreadsheet_has_names_beside_iris_and_says_what_was_asked(taken: Any) -> None:
    sheet, about = taken["Answer"], taken["About"]
    found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert found[0] == ["system", "number", "code", "gloss"]
    assert [row[1] for row in found[1:]] == ["38215", "38242", "86950", "S2150"]
    assert sheet["A1"].font.bold
    assert [[cell.value for cell in row] for row in about.iter_rows()] == [
        ["What", "Said"],
        ["Question", "Which billing codes does a revision list, of which code system?"],
        ["Reads", "CP.MP.101/2026-02"],
        ["revision", "CP.MP.101/2026-02"],
    ]


def opened(result: RawResult, incomplete: str = "") -> Any:
    return load_workbook(io.BytesIO(xlsx(result, ["a note"], incomplete)))["Answer"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "\t=1"])
def test_no_text_is_a_formula(text: str) -> None:
    sheet = opened(RawResult(variables=["=x"], rows=[[ox.Literal(text)]]))
    for cell, value in ((sheet["A1"], "=x"), (sheet["A2"], text)):
        assert (cell.value, cell.data_type, cell.quotePrefix) == (value, "s", True)


def test_numbers_days_and_truth_are_values_and_what_a_sheet_cannot_keep_is_text() -> None:
    values = {
        ox.Literal("7", datatype=ox.NamedNode(f"{XSD}integer")): (7, "n"),
        ox.Literal("2.50", datatype=ox.NamedNode(f"{XSD}decimal")): (float(Decimal("2.50")), "n"),
        ox.Literal("true", datatype=ox.NamedNode(f"{XSD}boolean")): (True, "b"),
        ox.Literal("12345678901234567", datatype=ox.NamedNode(f"{XSD}integer")): ("12345678901234567", "s"),
        ox.Literal("INF", datatype=ox.NamedNode(f"{XSD}double")): ("inf", "s"),
        ox.Literal("1850-01-01", datatype=ox.NamedNode(f"{XSD}date")): ("1850-01-01", "s"),
        ox.Literal("2024-05-01T10:00:00Z", datatype=ox.NamedNode(f"{XSD}dateTime")): ("2024-05-01T10:00:00+00:00", "s"),
        ox.Literal("a\x00\x1bb"): ("a\ufffd\ufffdb", "s"),
    }
    sheet = opened(RawResult(variables=["x"], rows=[[value] for value in values]))
    assert [(cell.value, cell.data_type) for (cell,) in sheet.iter_rows(min_row=2)] == list(values.values())
    day = opened(RawResult(variables=["x"], rows=[[ox.Literal("2024-05-01", datatype=ox.NamedNode(f"{XSD}date"))]]))
    assert (day["A2"].value.date(), day["A2"].is_date) == (date(2024, 5, 1), True)


def test_a_name_stands_beside_its_iri() -> None:
    node = ox.NamedNode("urn:x:a")
    sheet = opened(RawResult(variables=["x", "y"], rows=[[node, None], [None, None]], labels={"urn:x:a": "=name"}))
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["x", "x, name", "y"],
        ["urn:x:a", "=name", None],
        [None, None, None],
    ]
    assert sheet["B2"].data_type == "s"


def test_a_sheet_that_is_not_whole_says_so_under_its_rows() -> None:
    cut = RawResult(variables=["x"], rows=[[ox.Literal("1")]], more=True)
    sheet = opened(cut, "the first 1 rows; there are more")
    assert sheet["A3"].value == "Not whole: the first 1 rows; there are more."
