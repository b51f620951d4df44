"""Trying a case: the form and its fields, what becomes of a case, and what is hostile in one."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import date
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fhir_of import fhir_of
from jsonschema import Draft202012Validator
from markupsafe import Markup
from starlette.testclient import TestClient

from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import read_manifest
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import Busy, KbError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.shacl import fastest
from kb_tools.serve.case.desk import MAX_PARTS
from kb_tools.serve.case.fields import MAX_FIELDS, MAX_ROWS, of_case, written
from kb_tools.serve.case.form import Section, section
from kb_tools.serve.case.workers import Workers
from kb_tools.serve.pages.trial import data
from kb_tools.serve.programs.determine import FORMATS, MAX_CASE
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
CASES = ROOT / "policies/CP.MP.101/cases"
EXAMPLE = "acute-gvhd-of-grade-2-excludes"
IRI = f"https://w3id.org/policykb/example/{EXAMPLE}#case"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
REQUEST = {"serviceDate": "2026-07-01", "reason": "AcuteMyeloidLeukemia"}
CASE = {"patient": "p", "request": REQUEST}


def post(client: TestClient, fields: dict[str, Any], **control: str) -> Any:
    """The form, posted."""
    return client.post("/try", content=urlencode({**fields, **control}, doseq=True), headers=FORM)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def slips(page: str) -> list[tuple[str, str]]:
    """What a page says is wrong, in its order: the field that it stands beside, "" for none, and the text."""
    lists = re.findall(r'<ul(?: id="([^"]*)--slips")? class="slips"[^>]*>(.*?)</ul>', page, re.DOTALL)
    return [
        (unescape(field), unescape(text))
        for field, inner in lists
        for text in re.findall(r"<li[^>]*>(.*?)</li>", inner)
    ]


def outcome(page: str) -> str:
    """What stands at the head of the answer."""
    found = re.search(r'<p id="outcome"[^>]*>(.*?)</p>', page, re.DOTALL)
    assert found
    return unescape(re.sub(r"<[^>]*>", "", found[1]))


def determined(client: TestClient, body: bytes, media_type: str, query: str = "?revision=2026-02") -> Any:
    return client.post(f"/api/determine{query}", content=body, headers={"Content-Type": media_type})


# ---------------------------------------------------------------------- the form


def flat(found: Section, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in found["fields"]:
        yield f"{prefix}{field['key']}", field
        for inner in field["sections"]:
            yield from flat(inner, f"{prefix}{field['key']}.{inner['name']}.")


def test_the_form_has_a_field_for_each_key_of_the_case_shapes_and_no_other(client: TestClient, kb: Repository) -> None:
    form = client.get("/try?format=json").json()["form"]
    forms = CaseForms(kb).forms

    def keys(name: str, prefix: str = "") -> Iterator[str]:
        for key in forms[name].keys.values():
            yield f"{prefix}{key.name}"
            for class_ in key.classes:
                yield from keys(class_, f"{prefix}{key.name}.{class_}.")

    fields = dict(flat(form))
    assert list(fields) == ["id", *keys("Case")]
    assert fields["request.Request.reason"]["control"] == "term"
    values = [option["value"] for group in fields["request.Request.reason"]["options"] for option in group["options"]]
    assert sorted(values) == sorted(forms["Request"].keys["reason"].terms)
    groups = {
        group["label"]: [option["label"] for option in group["options"]]
        for group in fields["request.Request.reason"]["options"]
    }
    assert groups["solid tumor"] == ["solid tumor", "melanoma", "renal cell carcinoma (RCC)"]
    assert fields["findings.AcuteGvHDAssessment.grade"]["hint"] == "Takes a whole number, at least 0, at most 4."
    assert [name for name, field in fields.items() if field["required"] and "." not in name] == ["patient", "request"]


def test_a_property_that_the_shapes_gain_is_in_the_form(tmp_path: Path) -> None:
    for folder in ("ontology", "shapes"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shapes = tmp_path / "shapes/findings/transplant.ttl"
    text = shapes.read_text(encoding="utf-8")
    before = "    sh:property shape:Transplant-graftSource ;\n"
    assert text.count(before) == 1
    text = text.replace(before, f"{before}    sh:property shape:Transplant-cells ;\n")
    text += """
shape:Transplant-cells a sh:PropertyShape ; sh:path clin:cells ; sh:maxCount 1 ;
    sh:datatype <http://www.w3.org/2001/XMLSchema#integer> ; sh:minInclusive 1 ;
    sh:message "State clin:cells at most once, as a whole number."@en .
"""
    shapes.write_text(text, encoding="utf-8")
    forms = CaseForms(Repository(tmp_path))
    fields = dict(flat(section(forms, None, {})))
    assert (fields["findings.Transplant.cells"]["control"], fields["findings.Transplant.cells"]["hint"]) == (
        "number",
        "Takes a whole number, at least 1.",
    )
    stated = {"case.findings[0].type": ["Transplant"], "case.findings[0].cells": ["3"]}
    assert written(forms, stated).content == {"request": {}, "findings": [{"type": "Transplant", "cells": 3}]}


def test_beside_a_field_stands_what_the_chosen_revision_asks(client: TestClient) -> None:
    newer = dict(flat(client.get("/try?format=json&revision=CP.MP.101/2026-02").json()["form"]))
    older = dict(flat(client.get("/try?format=json&revision=CP.MP.101/2019-10").json()["form"]))
    assert newer["request.Request.product"]["sections"][0]["fields"][0]["asks"] == [
        "Asked for by II.A: How the lymphocytes were or will be processed."
    ]
    assert older["request.Request.product"]["sections"][0]["fields"][0]["asks"] == [
        "Asked for by II.B: How the lymphocytes were or will be processed."
    ]


def test_a_revision_leads_to_the_form_and_is_chosen_there(client: TestClient) -> None:
    assert 'href="/try?revision=CP.MP.101%2F2026-02"' in client.get("/CP.MP.101/2026-02").text
    page = client.get("/try?revision=CP.MP.101/2026-02").text
    assert '<option value="CP.MP.101/2026-02" selected>' in page
    assert outcome(page) == "Nothing determined yet"
    assert slips(page) == []
    refused = client.get("/try?revision=CP.MP.101/2026-03&format=json", headers={"Accept": "application/json"})
    assert (refused.status_code, "nearest: 2026-02" in refused.json()["detail"]) == (400, True)


# ---------------------------------------------------------------------- a case in the form


def test_an_example_fills_the_form_and_is_determined(client: TestClient) -> None:
    page = client.get(f"/try?example=CP.MP.101/{EXAMPLE}").text
    assert outcome(page) == "Criteria not met CP.MP.101, revision 2026-02"
    assert '<option value="AcuteMyeloidLeukemia" selected>' in page
    assert f'<option value="CP.MP.101/{EXAMPLE}" selected>' in page
    assert "<b>Because</b> exclusion II.B holds: acute GvHD assessment: grade 2 (2026-06-20, chart evidence)" in page
    assert "neither an approval nor a denial" in page
    assert client.get("/try?example=CP.MP.101/no-such").status_code == 400


def test_three_slips_stand_at_once_each_beside_its_field(client: TestClient) -> None:
    fields = {
        "case.patient": "p",
        "case.request.serviceDate": "2026-07-01",
        "case.request.reason": "AML",
        "case.findings[7].type": "AcuteGvHDAssessment",
        "case.findings[7].date": "2026-02-30",
        "case.findings[7].basis": "ChartEvidence",
        "case.findings[7].grade": "two",
    }
    page = post(client, fields, revision="CP.MP.101/2026-02").text
    assert outcome(page) == "3 things to correct"
    assert slips(page) == [
        ("case.request.reason", '"AML" is not a value of this key; did you mean AcuteMyeloidLeukemia?'),
        ("case.findings[7].date", '"2026-02-30", but a full date, as YYYY-MM-DD, is expected'),
        ("case.findings[7].grade", '"two", but a whole number is expected'),
    ]
    for field in ("request.reason", "findings[7].date", "findings[7].grade"):
        assert re.search(rf'id="case\.{re.escape(field)}"[^>]* aria-invalid="true"', page)
    mended = {**fields, "case.request.reason": "AcuteMyeloidLeukemia", "case.findings[7].date": "2026-06-20"}
    page = post(client, {**mended, "case.findings[7].grade": "2"}, revision="CP.MP.101/2026-02").text
    assert (outcome(page), slips(page)) == ("Information needed CP.MP.101, revision 2026-02", [])


def test_what_breaks_the_case_shapes_stands_beside_its_field_too(client: TestClient) -> None:
    fields = {
        "case.patient": "p",
        "case.request.reason": "AML",
        "case.request.product.processing": ["Unmanipulated", "Expansion"],
        "case.findings[2].type": "AcuteGvHDAssessment",
        "case.findings[2].date": "2026-06-20",
        "case.findings[2].grade": "7",
        "case.findings[2].gradeAtLeast": "1",
        "case.nothing": "x",
    }
    assert slips(post(client, fields).text) == [
        ("case.request.serviceDate", "Needed, and not stated yet."),
        ("case.request.reason", '"AML" is not a value of this key; did you mean AcuteMyeloidLeukemia?'),
        (
            "case.request.product",
            "The product is stated unmanipulated and manipulated: keep the one that is true.",
        ),
        ("case.findings[2]", "State a grade exactly or by bounds, not both."),
        ("case.findings[2].basis", "Needed, and not stated yet."),
        ("case.findings[2].grade", "State “grade” at most once, as a whole number from 0 to 4."),
        ("", 'the form has no field "case.nothing"; leave it out'),
    ]


def test_an_empty_field_is_not_sent_and_a_missing_fact_is_unknown(client: TestClient) -> None:
    fields = {"case.patient": "p", "case.request.serviceDate": "2026-07-01", "case.request.reason": " "}
    page = post(client, {**fields, "case.request.product.withinClinicalTrial": ""}, revision="CP.MP.101/2026-02").text
    assert outcome(page) == "Information needed CP.MP.101, revision 2026-02"
    case = post(client, {**fields, "case.request.product.withinClinicalTrial": ""}, do="json").json()
    assert case == {"patient": "p", "request": {"serviceDate": "2026-07-01"}}


def test_rows_come_and_go_without_script(client: TestClient) -> None:
    fields = {"case.patient": "p", "case.findings[3].type": "Transplant", "case.findings[3].date": "2025-01-15"}
    page = post(client, fields, do="add:case.findings:MRDTest").text
    assert re.findall(r'data-row="(case\.findings\[\d+\])"', page) == ["case.findings[3]", "case.findings[4]"]
    assert 'name="case.findings[4].type" value="MRDTest"' in page
    page = post(client, fields, do="remove:case.findings[3]").text
    assert re.findall(r'data-row="(case\.findings\[\d+\])"', page) == []


def test_products_of_other_kinds_are_rows_beside_the_cells(client: TestClient) -> None:
    fields = {"case.patient": "p", "case.request.serviceDate": "2026-07-01"}
    fields |= {"case.request.product.processing": "Unmanipulated"}
    page = post(client, fields, do="add:case.request.product:Device").text
    assert 'name="case.request.product[0].type" value="Device"' in page
    assert 'name="case.request.product[0].deviceType"' in page
    ids = re.findall(r' id="([^"]+)"', re.sub(r"<template.*?</template>", "", page, flags=re.DOTALL))
    assert sorted(ids) == sorted(set(ids))
    fields |= {"case.request.product[0].type": "Device", "case.request.product[0].deviceType": "OtherDevice"}
    case = post(client, fields, do="json").json()
    assert case["request"]["product"] == [
        {"processing": ["Unmanipulated"]},
        {"type": "Device", "deviceType": "OtherDevice"},
    ]
    read = post(client, {}, do="read", text=json.dumps(case)).text
    shown = re.sub(r"<template.*?</template>", "", read, flags=re.DOTALL)
    assert re.findall(r'data-row="([^"]+)"', shown) == ["case.request.product[1]"]
    assert re.findall(r'value="Unmanipulated" checked', shown)


def test_the_case_on_the_page_comes_as_a_file(client: TestClient) -> None:
    fields = {"case.id": "17", "case.patient": "p", "case.request.serviceDate": "2026-07-01"}
    fields |= {"case.findings[0].type": "ChimerismTest", "case.findings[0].donorPercent": "95.5"}
    answer = post(client, fields, do="json")
    assert answer.headers["content-disposition"] == 'attachment; filename="case.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "id": "17",
        "patient": "p",
        "request": {"serviceDate": "2026-07-01"},
        "findings": [{"type": "ChimerismTest", "donorPercent": 95.5}],
    }
    turtle = post(client, fields, do="turtle")
    assert turtle.headers["content-type"].startswith("text/turtle")
    assert "<https://w3id.org/policykb/given/case/17>\n    a case:Case" in turtle.text
    assert "clin:donorPercent 95.5" in turtle.text
    # What is no case yet is no file: the page says why.
    assert (
        slips(post(client, {**fields, "case.request.reason": "AML"}, do="turtle").text)[0][0] == "case.request.reason"
    )


def test_every_example_survives_the_form(kb: Repository, policy: Policy) -> None:
    """Each example case, as fields, as plain JSON and read again, comes to what the manifest expects of it."""
    reader, forms = CaseReader(kb), CaseForms(kb)
    expected: dict[str, list[tuple[str, str]]] = {}
    for item in read_manifest(kb, CASES):
        expected.setdefault(item.path.name, []).append((item.revision, item.outcome))
    cases = {}
    for name in expected:
        (case,) = reader.read(name, CASES / name)
        content = written(forms, of_case(forms, case))
        assert content.unknown == []
        (cases[name],) = reader.stream(name, None, _stream(json.dumps(content.content)), "json")
    assert len(cases) == len(list(CASES.glob("*.ttl"))) - 1
    count = 0
    for revision in sorted({revision for items in expected.values() for revision, _ in items}):
        wanted = {name: found for name, items in expected.items() for under, found in items if under == revision}
        answers = Run(kb, policy, fastest(), revision).answers([cases[name] for name in wanted])  # type: ignore[misc]
        came = {
            name: found.outcome.value
            for name, found in zip(wanted, answers, strict=True)
            if isinstance(found, Determination)
        }
        assert came == wanted
        count += len(came)
    assert count == len(read_manifest(kb, CASES))


def _stream(text: str) -> Any:
    return BytesIO(text.encode())


# ---------------------------------------------------------------------- a file


TURTLE = (CASES / f"{EXAMPLE}.ttl").read_bytes()


@pytest.fixture(scope="module")
def in_three_formats(kb: Repository) -> dict[str, bytes]:
    """One example case as Turtle, as plain JSON and as FHIR, by media type."""
    (case,) = CaseReader(kb).read(EXAMPLE, CASES / f"{EXAMPLE}.ttl")
    forms = CaseForms(kb)
    plain = json.dumps(written(forms, of_case(forms, case)).content).encode()
    return {
        "text/turtle": TURTLE,
        "application/json": plain,
        "application/fhir+json": json.dumps(fhir_of(case)).encode(),
    }


def test_a_file_of_each_format_is_read_into_the_form(client: TestClient, in_three_formats: dict[str, bytes]) -> None:
    for media_type, body in in_three_formats.items():
        page = post(client, {}, do="read", text=body.decode(), revision="CP.MP.101/2026-02").text
        assert outcome(page) == "Criteria not met CP.MP.101, revision 2026-02", media_type
        assert 'name="case.findings[2].type"' in page
        assert 'name="case.request.serviceDate" value="2026-07-01"' in page
        assert ('<ul class="notes">' in page) == (media_type == "application/fhir+json")


def test_slips_of_a_file_stand_beside_their_fields_and_what_has_none_above(client: TestClient) -> None:
    case = {**CASE, "findings": [{"type": "AcuteGvHDAssessment", "date": "soon", "grad": 1}, {"type": "Nothing"}]}
    found = slips(post(client, {}, do="read", text=json.dumps({**case, "request": {**REQUEST, "reason": "AML"}})).text)
    assert found == [
        ("case.request.reason", '"AML" is not a value of this key; did you mean AcuteMyeloidLeukemia?'),
        ("case.findings[0]", 'unknown key "grad"; did you mean grade?'),
        ("case.findings[0].date", '"soon", but a full date, as YYYY-MM-DD, is expected'),
        ("case.findings[1].type", found[3][1]),
    ]
    assert found[3][1].startswith('"Nothing" is not a value of this key; it takes AcuteGvHDAssessment,')
    text = TURTLE.decode().replace("clin:grade 2", 'clin:grade 7 ; clin:colour "red"')
    found = slips(post(client, {}, do="read", text=text).text)
    assert [field for field, _ in found] == ["case.findings[2].grade", ""]
    assert "clin:colour" in found[1][1]
    text = TURTLE.decode().replace("clin:AcuteMyeloidLeukemia", "clin:AcuteMyeloid")
    text = text.replace('case:serviceDate "2026-07-01"^^xsd:date ;', "")
    assert slips(post(client, {}, do="read", text=text).text) == [
        ("case.request.serviceDate", "Needed, and not stated yet."),
        ("case.request.reason", '"AcuteMyeloid" is not a value of this key; did you mean AcuteMyeloidLeukemia?'),
        (
            "case.findings[1].disease",
            '"AcuteMyeloid" is not a value of this key; did you mean AcuteMyeloidLeukemia?',
        ),
    ]
    text = TURTLE.decode().replace("case:coverage", "case:coverage [ a case:Coverage ] , ")
    (said,) = slips(post(client, {}, do="read", text=text).text)
    assert said == ("", f"{IRI} case:coverage: State exactly one case:coverage, a case:Coverage.")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no case in this file"),
        ('{"patient": ', "line 1: not valid JSON"),
        ("<Bundle xmlns='http://hl7.org/fhir'/>", "not valid TriG"),
        ('{"resourceType": "Bundle", "type": "collection"}', "no patient; give the request a patient"),
        ("[" * 100_000, "nested"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("@prefix a: <http://a/> . a:a a:b " + "[ a:c " * 30_000, "nested"),
        (TURTLE.decode() + TURTLE.decode().replace(f"{EXAMPLE}#", "other#"), "2 cases where one is wanted; keep one"),
        (json.dumps(CASE) + "\n" + json.dumps(CASE), "2 cases where one is wanted; keep one"),
        ("\x00\x01\x02", "not valid TriG"),
    ],
    ids=["empty", "cut", "xml", "no-patient", "arrays", "objects", "blank-nodes", "two", "two-lines", "bytes"],
)
def test_what_is_no_case_is_one_line(client: TestClient, text: str, says: str) -> None:
    answer = post(client, {}, do="read", text=text)
    assert answer.status_code == 200
    ((field, said),) = slips(answer.text)
    assert (field, "\n" in said, says in said) == ("", False, True), said


# ---------------------------------------------------------------------- for programs


def test_a_program_gets_what_kb_validate_says(client: TestClient, in_three_formats: dict[str, bytes]) -> None:
    for media_type, body in in_three_formats.items():
        answer = determined(client, body, f"{media_type}; charset=utf-8")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        (found,) = answer.json()["determinations"]
        assert (found["outcome"], found["revision"]) == ("CriteriaNotMet", "2026-02"), media_type
        assert found["because"] == "exclusion II.B holds: acute GvHD assessment: grade 2 (2026-06-20, chart evidence)"
    (by_date,) = determined(client, TURTLE, "text/turtle", "").json()["determinations"]
    assert by_date["notices"][0].startswith("Revision 2026-02 is assumed to be in force on 2026-07-01")
    (older,) = determined(client, TURTLE, "text/turtle", "?asOf=2020-01-01&policy=CP.MP.101").json()["determinations"]
    assert older["revision"] == "2019-10"


def test_what_a_program_sends_wrong_is_said_in_its_place(client: TestClient) -> None:
    body = json.dumps({**CASE, "request": {"serviceDate": "soon", "reason": "AML"}}).encode()
    answer = determined(client, body, "application/json")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"] == [
        'case: request.serviceDate: "soon", but a full date, as YYYY-MM-DD, is expected; '
        "kb case schema lists what each key takes",
        'case: request.reason: "AML" is not a value of this key; did you mean AcuteMyeloidLeukemia?',
    ]
    (malformed,) = determined(client, b'{"patient": "p", "request": {}}', "application/json").json()["malformed"]
    assert [found["path"] for found in malformed["violations"]] == ["case:serviceDate"]


@pytest.mark.parametrize(
    ("query", "media_type", "status", "says"),
    [
        ("?revision=2026-03", "text/turtle", 404, "CP.MP.101 has no revision 2026-03"),
        ("?revision=2022-10", "text/turtle", 404, "the criteria of CP.MP.101 revision 2022-10 are not on file"),
        ("?policy=CP.MP.102", "text/turtle", 404, "no policy CP.MP.102 on file; did you mean CP.MP.101?"),
        ("?asOf=2026-02-30", "text/turtle", 400, "asOf: '2026-02-30' is no calendar day"),
        ("?asOf=2026-02-03&revision=2026-02", "text/turtle", 400, "a revision and a day; give revision or asOf"),
        ("?as_of=2026-02-03", "text/turtle", 400, "no parameter 'as_of'; did you mean asOf?"),
        ("", "application/xml", 415, "a case comes as application/json, application/fhir+json"),
        ("", "", 415, "named in the header Content-Type"),
    ],
)
def test_what_an_address_asks_wrong_is_one_line(
    client: TestClient, query: str, media_type: str, status: int, says: str
) -> None:
    answer = determined(client, TURTLE, media_type, query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]


# ---------------------------------------------------------------------- what is hostile


def test_markup_in_a_case_never_runs(client: TestClient) -> None:
    fields = {f"case.{name}": HOSTILE for name in ("id", "patient", "request.reason", "request.procedureCodes")}
    fields |= {"case.findings[0].type": HOSTILE, "case.findings[0].inDoubt": HOSTILE, f"case.{HOSTILE}": HOSTILE}
    turtle = TURTLE.decode().replace("a case:Case ;", f"a case:Case ; rdfs:label {json.dumps(HOSTILE)} ;")
    turtle = "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n" + turtle
    narrative = {"resourceType": "Bundle", "type": HOSTILE, "entry": [{"resource": {"resourceType": HOSTILE}}]}
    pages = [
        post(client, fields),
        post(client, fields, part="answer"),
        post(client, fields, revision="", text=HOSTILE),
        post(client, {}, do="read", text=turtle),
        post(client, {}, do="read", text=turtle.replace("clin:grade 2", f"clin:grade {json.dumps(HOSTILE)}")),
        post(client, {}, do="read", text=json.dumps(narrative)),
        post(client, {}, do=f"add:case.findings:{HOSTILE}"),
        client.get("/try", params={"revision": HOSTILE}),
        client.get("/try", params={"example": HOSTILE}),
    ]
    for page in pages:
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]


def test_nothing_of_a_case_is_logged_or_kept(
    client: TestClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    caplog.set_level(0)
    planted = "MRN-4711"
    post(client, {"case.patient": planted, "case.request.reason": planted})
    post(client, {}, do="read", text=f'{{"patient": "{planted}", "x')
    answer = determined(
        client, f'{{"patient": "{planted}", "request": {{"reason": "{planted}"}}}}'.encode(), "application/json"
    )
    assert (answer.status_code, planted in answer.text) == (422, True)
    told = capfd.readouterr()
    # httpx of the test writes the address that it asks, which is all there is.
    assert planted not in caplog.text + told.out + told.err
    assert post(client, {}).headers["cache-control"] == "no-store"


def test_what_is_too_large_is_refused_in_one_line(client: TestClient) -> None:
    large = b" " * (MAX_CASE + 1)
    answer = determined(client, large, "application/json")
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        "a case of more than 4 MiB; send less, or use kb validate",
    )
    assert post(client, {}, do="read", text=large.decode()).status_code == 413
    assert client.post("/try", content=b"a" * (3 * MAX_CASE + 1), headers=FORM).status_code == 413
    assert post(client, {"case.x": ["1"] * (MAX_FIELDS + 1)}).status_code == 413
    rows = {f"case.findings[{number}].type": "Transplant" for number in range(MAX_ROWS + 1)}
    assert post(client, rows).status_code == 413
    text = json.dumps({**CASE, "findings": [{"type": "Transplant", "date": 1}] * (MAX_ROWS + 1)})
    page = post(client, {}, do="read", text=text).text
    assert (outcome(page), "data-row=" in page.partition("<template")[0]) == ("101 things to correct", False)
    assert client.post("/try", content=b"{}", headers={"Content-Type": "application/json"}).status_code == 415
    finding = {"type": "Transplant", "date": "2025-01-15", "basis": "ChartEvidence"}
    many = [{**finding, "date": f"{2000 + number // 300}-01-{number % 28 + 1:02}"} for number in range(2 * MAX_PARTS)]
    body = json.dumps({**CASE, "findings": many}).encode()
    (said,) = determined(client, body, "application/json").json()["errors"]
    assert said == "case: a case of more than 500 parts; kb validate takes larger ones"
    body = json.dumps({f"k{number}": 1 for number in range(60_000)}).encode()
    (said,) = determined(client, body, "application/json").json()["errors"]
    assert said == determined(client, TURTLE + b"#" * 2**19, "text/turtle").json()["detail"]
    assert said == "case: a case of more than 512 KiB that is not FHIR; kb validate takes larger ones"


def test_a_case_that_takes_too_long_is_ended_and_the_next_one_answered() -> None:
    workers = Workers(ROOT, number=1)
    asked = ("write", {"case.patient": ["p"]}, "json")
    workers.seconds = 0
    with pytest.raises(KbError, match="this took more than 0 s; send less, or use kb validate"):
        workers.ask(*asked)
    workers.seconds = 20
    assert json.loads(workers.ask(*asked)) == {"patient": "p", "request": {}}


def test_more_cases_than_can_wait_are_asked_to_come_again(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*arguments: Any, body: bytes | None = None) -> Any:
        raise Busy("too many cases at once", seconds=2)

    monkeypatch.setattr(Workers, "exchange", busy)
    answer = determined(client, TURTLE, "text/turtle")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert post(client, {}).status_code == 503


def test_the_answer_for_programs_is_as_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/api/determine"]["post"]
    assert set(described["requestBody"]["content"]) == {*FORMATS, "application/x-ndjson"}
    schema = client.get("/openapi.json").json()["components"]["schemas"]["Answers"]
    answer = determined(client, TURTLE, "text/turtle").json()
    Draft202012Validator({**schema, "additionalProperties": False}).validate(answer)


def test_of_several_policies_each_has_its_revisions_to_choose(tmp_path: Path) -> None:
    for folder in ("ontology", "shapes"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copytree(ROOT / "tests/data/EX.5", tmp_path / "policies/EX.5")
    without = shutil.ignore_patterns("cases")
    shutil.copytree(ROOT / "policies/CP.MP.101", tmp_path / "policies/CP.MP.101", ignore=without)
    found = data(View(Workbench(Repository(tmp_path)), date(2026, 7, 1)), "EX.5")
    assert [(group["label"], group["choices"][0]["value"]) for group in found["revisions"]] == [
        ("", ""),
        ("CP.MP.101", "CP.MP.101"),
        ("EX.5", "EX.5"),
    ]
    assert found["revisions"][2]["choices"][1]["value"].startswith("EX.5/")


# ---------------------------------------------------------------------- words, codes, witnesses, examples


def placed(page: str) -> list[tuple[str, str, str]]:
    """What the answer lists to correct or to state: the field that each leads to, its title, and the text."""
    _, _, inner = page.partition('<ul id="placed"')
    return [
        (unescape(field), unescape(title), unescape(text))
        for field, title, text in re.findall(
            r'<a href="#([^"]*)">(.*?)</a>: <span>(.*?)</span>', inner.partition("</ul>")[0]
        )
    ]


def test_what_is_to_correct_and_to_state_is_listed_with_its_field(client: TestClient) -> None:
    fields = {
        "case.patient": "p",
        "case.findings[0].type": "Transplant",
        "case.findings[3].type": "AcuteGvHDAssessment",
        "case.findings[3].grade": "7",
        "case.findings[3].date": "2026-06-20",
        "case.request.procedureCodes": "38243",
    }
    page = post(client, fields, part="answer").text
    assert sorted(placed(page)) == [
        ("case.findings[0].basis", "transplant 1, basis", "Needed, and not stated yet."),
        ("case.findings[0].date", "transplant 1, date", "Needed, and not stated yet."),
        ("case.findings[3].basis", "acute GvHD assessment 4, basis", "Needed, and not stated yet."),
        (
            *("case.findings[3].grade", "acute GvHD assessment 4, grade"),
            "State “grade” at most once, as a whole number from 0 to 4.",
        ),
        (
            *("case.request.procedureCodes", "procedure code"),
            '"38243" is not a code; give a procedure code as cpt: with five characters, or hcpcs: with a letter and '
            "four digits.",
        ),
        ("case.request.serviceDate", "service date", "Needed, and not stated yet."),
    ]
    assert "A case is determined once these are corrected and stated." in page
    whole = post(client, fields).text
    for field, _, _ in placed(whole):
        assert f'id="{field}"' in whole, field


def test_a_code_on_file_is_taken_by_its_number_in_the_form_alone(client: TestClient) -> None:
    fields = {"case.patient": "p", "case.request.serviceDate": "2026-07-01", "case.request.procedureCodes": " 38242 "}
    page = post(client, fields).text
    assert (slips(page), 'name="case.request.procedureCodes" value="cpt:38242"' in page) == ([], True)
    assert post(client, {**fields, "case.request.procedureCodes": "s2150"}).text.count("is not a code") == 2
    case = json.dumps({**CASE, "request": {**REQUEST, "procedureCodes": ["38242"]}}).encode()
    assert determined(client, case, "application/json").status_code == 422


def test_nothing_in_the_form_speaks_of_how_data_are_written(client: TestClient) -> None:
    page = unescape(client.get("/try?revision=CP.MP.101/2026-02").text.partition("<main")[2])
    assert re.findall(r"\b(?:xsd|case|clin|pol):[A-Za-z]\w*", re.sub(r"<[^>]*>", "", page)) == []
    assert "The day of the finding. Takes a full date, as YYYY-MM-DD." in page
    # A day whose revision is not on file: the way out is a choice on the page, not an option of the command.
    refused = post(client, {"case.patient": "p", "case.request.serviceDate": "2022-12-01"}, part="answer").text
    assert "nearest on file: revision 2023-10" in refused
    assert "--" not in re.sub(r"<[^>]*>", "", refused)


WITNESS = "CP.MP.101/2019-10/2026-02"


@pytest.mark.parametrize(
    ("direction", "before", "after"),
    [("stricter", "Criteria met", "Policy not applicable"), ("looser", "Criteria not met", "Criteria met")],
)
def test_a_witness_is_opened_and_comes_to_what_the_comparison_says(
    client: TestClient, direction: str, before: str, after: str
) -> None:
    comparison = client.get(f"/CP.MP.101/compare/{WITNESS.partition('/')[2]}").text
    (address,) = re.findall(rf'href="(/try\?witness=[^"]*{direction}[^"]*)">Open in Try a case', comparison)
    for revision, expected in (("2019-10", before), ("2026-02", after)):
        page = client.get("/try", params={"witness": f"{WITNESS}/{direction}", "revision": f"CP.MP.101/{revision}"})
        assert outcome(page.text).startswith(expected), (direction, revision)
        text = str(Markup(page.text.partition("witness-of")[2].partition("</p>")[0]).striptags())
        assert f"revision 2026-02 is {direction} than CP.MP.101, revision 2019-10." in text
        assert f"comes to {before.lower()} under CP.MP.101, revision 2019-10 and to {after.lower()} under" in text
        assert 'name="case.id" value="witness"' in page.text
    assert client.get(unescape(address)).status_code == 200


@pytest.mark.parametrize(
    "named", ["x", "CP.MP.101/2019-10/2026-02", f"{WITNESS}/sideways", "CP.MP.101/2019-10/2031-01/looser", HOSTILE]
)
def test_a_witness_that_there_is_not_is_not_found(client: TestClient, named: str) -> None:
    page = client.get("/try", params={"witness": named})
    assert (page.status_code, "<script>alert" in page.text) == (404, False)


def test_examples_stand_in_groups_by_outcome_and_what_decides_and_none_is_chosen(client: TestClient) -> None:
    page = client.get("/try").text
    groups = client.get("/try?format=json").json()["examples"]
    labels = [group["label"] for group in groups]
    assert labels[:5] == [
        *("Criteria met", "Criteria not met: I", "Criteria not met: I; I, note"),
        *("Criteria not met: II.A", "Criteria not met: II.B"),
    ]
    (found,) = [
        group["label"] for group in groups for choice in group["choices"] if choice["value"] == f"CP.MP.101/{EXAMPLE}"
    ]
    assert found == "Criteria not met: II.B"
    count = sum(len(group["choices"]) for group in groups)
    select = page.partition('<select id="example"')[2].partition("</select>")[0]
    assert f'<option value="">choose one of {count}</option>' in select
    assert " selected" not in re.sub(r">[^<]*<", "><", select)
    loaded = client.get(f"/try?example=CP.MP.101/{EXAMPLE}").text
    assert f'name="case.id" value="{EXAMPLE}"' in loaded
    assert 'name="case.patient" value="patient"' in loaded
