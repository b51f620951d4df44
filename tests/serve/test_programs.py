"""The addresses for programs: each says what the command says, and what is wrong in the command's own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from rdflib import Graph
from rdflib.namespace import RDF
from starlette.testclient import TestClient

from kb_tools.cli import kb as kb_command
from kb_tools.rdf.namespaces import CASE as CASE_TERMS
from kb_tools.serve.app import application
from kb_tools.serve.programs.determine import MAX_CASE
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
TURTLE = (ROOT / "policies/CP.MP.101/cases/acute-gvhd-of-grade-2-excludes.ttl").read_bytes()
CASE = {"patient": "p", "request": {"serviceDate": "2026-07-01"}}
PATIENT = {"resourceType": "Patient", "id": "p"}
REQUEST = {
    "resourceType": "ServiceRequest",
    "id": "r",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "Patient/p"},
    "occurrenceDateTime": "2026-07-01",
    "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "38242"}]},
}
NOT_JSON = "case:1: not valid JSON: Expecting value, column 1; correct the syntax"
OTHER, OF_OTHER = {**PATIENT, "id": "q"}, {**REQUEST, "id": "s", "subject": {"reference": "Patient/q"}}


def bundle(*resources: Any) -> bytes:
    entries = [{"fullUrl": f"urn:x:{number}", "resource": found} for number, found in enumerate(resources)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def sent(client: TestClient, body: bytes, type_: str = "application/json", query: str = "", accept: str = "*/*") -> Any:
    return client.post(f"/api/determine{query}", content=body, headers={"Content-Type": type_, "Accept": accept})


def said(*arguments: str, data: bytes = b"") -> bytes:
    return CliRunner().invoke(kb_command, arguments, input=data).stdout_bytes


# ---------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/json", "json"),
        ("application/fhir+json", "fhir"),
        ("text/turtle, application/json;q=0.5", "turtle"),
    ],
)
def test_an_answer_comes_as_it_is_wanted(client: TestClient, accept: str, form: str) -> None:
    found = sent(client, TURTLE, "text/turtle", "?revision=2026-02", accept)
    assert (found.status_code, found.headers["content-type"].partition(";")[0]) == (200, accept.partition(",")[0])
    command = said("validate", "-", "--input-format", "turtle", "--revision", "2026-02", "--format", form, data=TURTLE)
    if form == "json":
        expected = json.loads(command)
        expected["determinations"][0]["file"] = "case"
        assert found.json() == expected
    else:
        assert found.content == command
    assert (found.headers["vary"], found.headers["cache-control"]) == ("Accept", "no-store")
    refused = sent(client, TURTLE, "text/turtle", accept="text/html")
    assert (refused.status_code, refused.json()["detail"]) == (
        406,
        "an answer comes as application/json, application/fhir+json, text/turtle",
    )


def test_several_cases_in_one_body_each_have_an_answer(client: TestClient) -> None:
    both = b"\n".join((ROOT / f"policies/CP.MP.101/cases/{name}.ttl").read_bytes() for name in SEVERAL)
    found = sent(client, both, "text/turtle", "?revision=2026-02").json()["determinations"]
    assert [one["outcome"] for one in found] == ["CriteriaNotMet", "CriteriaMet"]
    answered = Graph().parse(data=sent(client, both, "text/turtle", accept="text/turtle").text, format="turtle")
    assert len(set(answered.subjects(RDF.type, CASE_TERMS.Determination))) == 2


SEVERAL = ("refractory-leukemia-meets", "acute-gvhd-of-grade-2-excludes")


def test_criteria_are_those_that_kb_show_gives(client: TestClient) -> None:
    assert client.get("/api/criteria?revision=2019-10").content == said("show", "2019-10", "--format", "json")
    assert client.get("/api/criteria?asOf=2020-01-01").json()["revision"] == "2019-10"
    assert client.get("/api/criteria?policy=CP.MP.101").json()["policy"] == "CP.MP.101"


def test_a_comparison_is_that_of_kb_diff(client: TestClient) -> None:
    found = client.get("/api/diff?before=2023-10&after=2023-11&policy=CP.MP.101")
    assert found.content == said("diff", "2023-10", "2023-11", "--format", "json")


def test_ready_questions_are_listed_and_answered(client: TestClient) -> None:
    names = [each["name"] for each in client.get("/api/questions").json()["questions"]]
    assert {"codes", "where-cited"} <= set(names)
    asked = client.get("/api/questions/codes?on=2026-07-01")
    assert asked.json() == client.get("/questions/codes/answer?on=2026-07-01&format=json").json()
    assert client.get("/api/questions/codes?format=csv").headers["content-type"].startswith("text/csv")


# ---------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("body", "type_", "status", "says"),
    [
        (b"", "application/json", 422, NOT_JSON),
        (b"no JSON", "application/json", 422, NOT_JSON),
        (
            b"<Bundle/>",
            "application/fhir+json",
            422,
            NOT_JSON,
        ),
        (b"<Bundle/>", "application/fhir+xml", 415, "a case comes as application/json, application/fhir+json"),
        (b"{}", "application/fhir+json; fhirVersion=5.0", 415, "FHIR is read as R4; send fhirVersion=4.0"),
        (b"", "text/turtle", 422, "case: no case in this file"),
        (bundle(PATIENT), "application/fhir+json", 422, "case: no request"),
        (
            bundle(PATIENT, OTHER, REQUEST, OF_OTHER),
            "application/fhir+json",
            422,
            "case: resources of more than one patient",
        ),
        (b" " * (MAX_CASE + 1), "application/json", 413, "a case of more than 4 MiB; send less, or use kb validate"),
    ],
    ids=["empty", "no-json", "xml", "xml-named", "r5", "empty-turtle", "no-request", "two-patients", "too-large"],
)
def test_what_cannot_be_read_is_said_in_one_line(
    client: TestClient, body: bytes, type_: str, status: int, says: str
) -> None:
    found = sent(client, body, type_)
    assert (found.status_code, found.headers["content-type"]) == (status, "application/problem+json")
    assert found.json()["detail"].startswith(says)
    Draft202012Validator(client.get("/openapi.json").json()["components"]["schemas"]["Problem"]).validate(found.json())


def test_a_compressed_body_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    found = client.post("/api/determine", content=b"x", headers=headers)
    assert (found.status_code, found.json()["detail"]) == (
        415,
        "a body is read as it is; send it without Content-Encoding",
    )


@pytest.mark.parametrize(
    ("path", "status", "says", "near"),
    [
        ("/api/criteria?revision=2026-03", 404, "CP.MP.101 has no revision 2026-03; known: ", "2026-02"),
        ("/api/criteria?revision=CP.MP.102/2026-02", 404, "no policy CP.MP.102 on file; did you mean", "CP.MP.101"),
        ("/api/criteria?policy=nothing", 404, "no policy nothing on file; known: CP.MP.101", None),
        ("/api/criteria?asOf=1999-01-01", 404, "no revision of CP.MP.101 was in force on 1999-01-01", None),
        (
            "/api/criteria?revision=2022-10",
            404,
            "the criteria of CP.MP.101 revision 2022-10 are not on file",
            "2022-10",
        ),
        ("/api/criteria?asOf=soon", 400, "asOf: 'soon' is no calendar day; write YYYY-MM-DD", None),
        ("/api/criteria?asOf=2026-02-01&revision=2026-02", 400, "a revision and a day; give revision or asOf", None),
        ("/api/criteria?asof=2026-02-01", 400, "no parameter 'asof'; did you mean asOf?", None),
        ("/api/criteria?asOf=2026-02-01&asOf=2026-02-02", 400, "asOf is given twice; give it once", None),
        ("/api/diff?before=2019-10", 400, "no after; name two revisions, as before=2019-10&after=2026-02", None),
        ("/api/diff?before=2019-10&after=2019-10", 400, "", None),
        ("/api/diff?before=2019-10&after=2026-01", 404, "CP.MP.101 has no revision 2026-01", "2026-02"),
        ("/api/questions?x=1", 400, "no parameter 'x'", None),
        ("/api/questions/code", 404, "no question code; did you mean codes?", None),
        ("/api/nothing", 404, "there is no page /api/nothing", None),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(
    client: TestClient, path: str, status: int, says: str, near: str | None
) -> None:
    found = client.get(path)
    assert (found.status_code, found.headers["content-type"]) == (status, "application/problem+json")
    problem = found.json()
    assert (problem["status"], problem["detail"][: len(says)]) == (status, says)
    names = [each["iri"].rpartition("/")[2] for each in problem["near"]]
    assert near is None or near in names


def test_every_address_for_programs_is_described_and_answers_as_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    components = described["components"]
    for path, query in (
        ("/api/diff", "?before=2023-10&after=2023-11"),
        ("/api/criteria", ""),
        ("/api/questions", ""),
        ("/health", ""),
    ):
        operation = described["paths"][path]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": components}).validate(client.get(path + query).json())
        assert "application/problem+json" in operation["responses"]["default"]["content"]


# ---------------------------------------------------------------------- health


def test_the_server_is_ready_once_every_process_is_warm(bench: Workbench) -> None:
    app = application(bench)
    before = TestClient(app, base_url="http://127.0.0.1")
    assert (before.get("/health").json()["status"], before.get("/ready").status_code) == ("up", 503)
    assert before.get("/ready").headers["retry-after"] == "1"
    with TestClient(app, base_url="http://127.0.0.1") as client:
        while (found := client.get("/ready")).status_code == 503:
            pass
        workers = found.json()["workers"]
        assert (found.json()["status"], workers["warm"]) == ("ready", workers["of"])
        assert sent(client, json.dumps(CASE).encode()).json()["determinations"][0]["outcome"] == "InformationNeeded"
