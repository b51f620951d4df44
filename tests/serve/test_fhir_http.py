"""The addresses at /fhir: what they take, how they answer, and that every error is an OperationOutcome."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from bundles import content, data
from fhir_validator import Faults
from pas import actions, pas_of, strings
from pas_profiles import broken
from starlette.testclient import TestClient

from kb_tools.errors import Busy, KbError, KnowledgeBaseError
from kb_tools.serve.bodies import MAX_BODY
from kb_tools.serve.determining import Determining
from kb_tools.serve.fhir.capability import MEDIA_TYPE
from kb_tools.serve.fhir.routes import beside, routes
from kb_tools.serve.programs.determine import MAX_CASE
from kb_tools.serve.security import Guard

JSON = {"Content-Type": MEDIA_TYPE}
POSTED = ("/fhir/$determine", "/fhir/Claim/$submit")
MARK = "Planted-7f3a"


def post(client: TestClient, path: str, body: bytes | Any, **headers: str) -> Any:
    sent = body if isinstance(body, bytes) else data(body)
    return client.post(path, content=sent, headers={**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}})


def outcome(response: Any) -> tuple[int, list[tuple[str, str]]]:
    """The status of an answer that is an OperationOutcome, and its issues."""
    assert response.headers["content-type"] == MEDIA_TYPE
    content = response.json()
    assert content["resourceType"] == "OperationOutcome"
    assert [issue["severity"] for issue in content["issue"]] == ["error"] * len(content["issue"])
    return response.status_code, [(issue["code"], issue["details"]["text"]) for issue in content["issue"]]


# ---------------------------------------------------------------------- what it says of itself


@pytest.mark.parametrize("path", ["/fhir/metadata", "/fhir/OperationDefinition/determine"])
@pytest.mark.parametrize("wanted", [{}, {"Accept": "application/json"}, {"Accept": "text/html, */*;q=0.1"}])
def test_what_it_says_of_itself_is_valid(client: TestClient, path: str, wanted: dict[str, str], faults: Faults) -> None:
    response = client.get(path, headers=wanted)
    assert (response.status_code, response.headers["content-type"]) == (200, MEDIA_TYPE)
    assert (faults(response.json()), list(broken(response.json()))) == ([], [])


def test_the_capabilities_are_what_is_answered(client: TestClient) -> None:
    found = client.get("/fhir/metadata").json()
    (rest,) = found["rest"]
    assert (found["fhirVersion"], found["format"], found["kind"]) == ("4.0.1", [MEDIA_TYPE], "instance")
    assert rest["documentation"].startswith("Nothing of a request is kept")
    claim, forms, _ = rest["resource"]
    assert [(one["type"], sorted(one.keys() - {"documentation"})) for one in rest["resource"]] == [
        ("Claim", ["operation", "type"]),
        ("Questionnaire", ["operation", "type"]),
        ("OperationDefinition", ["interaction", "type"]),
    ]
    named = [f"/fhir/${operation['name']}" for operation in rest["operation"]]
    named += [f"/fhir/{one['type']}/${operation['name']}" for one in (claim, forms) for operation in one["operation"]]
    assert sorted(named) == sorted((*POSTED, "/fhir/Questionnaire/$questionnaire-package"))
    assert [post(client, path, b"{").status_code for path in named] == [400] * 3
    defined = client.get("/fhir/OperationDefinition/determine").json()
    assert defined["url"] == rest["operation"][0]["definition"]


# ---------------------------------------------------------------------- answers


def test_a_request_is_answered_by_a_pended_response(client: TestClient, faults: Faults) -> None:
    response = post(client, "/fhir/Claim/$submit?revision=2026-02", pas_of())
    assert (response.status_code, response.headers["content-type"]) == (200, MEDIA_TYPE)
    assert response.headers["cache-control"] == "no-store"
    assert actions(response.json()) == {1: ["A4"]}
    assert faults(response.json()) == []


@pytest.mark.parametrize("query", ["?revision=2026-02", "?asOf=2026-07-01", "?policy=CP.MP.101&_format=json", ""])
def test_a_bundle_is_determined_under_the_revision_that_is_named(client: TestClient, query: str) -> None:
    response = post(client, f"/fhir/$determine{query}", content())
    (entry,) = response.json()["entry"]
    assert entry["resource"]["moduleUri"] == "https://w3id.org/policykb/CP.MP.101/2026-02"
    assert response.headers["content-type"] == MEDIA_TYPE


def test_another_revision_can_be_named(client: TestClient) -> None:
    response = post(client, "/fhir/Claim/$submit?revision=2019-10", pas_of())
    notes = response.json()["entry"][0]["resource"]["processNote"]
    assert notes[1]["text"].startswith("CP.MP.101 revision 2019-10: ")


# ---------------------------------------------------------------------- what is refused


def test_no_requests_are_kept_to_ask_after(client: TestClient, faults: Faults) -> None:
    response = post(client, "/fhir/Claim/$inquire", pas_of())
    text = "no requests are kept here, so there is none to ask after; submit the request again to have it read"
    assert outcome(response) == (501, [("not-supported", text)])
    assert faults(response.json()) == []


NO_XML = [("not-supported", f"a request comes as {MEDIA_TYPE}, named in the header Content-Type")]


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    ("media_type", "issues"),
    [
        ("application/fhir+xml", NO_XML),
        ("application/xml", NO_XML),
        ("application/json", NO_XML),
        ("", NO_XML),
        (f"{MEDIA_TYPE}; charset=latin-1", [("not-supported", "a request comes in UTF-8")]),
        (f"{MEDIA_TYPE}; fhirVersion=5.0", [("not-supported", "FHIR is read as R4; send fhirVersion=4.0")]),
        (f"{MEDIA_TYPE}; fhirVersion=3.0", [("not-supported", "FHIR is read as R4; send fhirVersion=4.0")]),
    ],
)
def test_another_form_of_request_is_refused(
    client: TestClient, path: str, media_type: str, issues: list[tuple[str, str]]
) -> None:
    assert outcome(post(client, path, pas_of(), Content_Type=media_type)) == (415, issues)


@pytest.mark.parametrize(
    "named", [f'{MEDIA_TYPE}; charset="UTF-8"', f"{MEDIA_TYPE};fhirVersion=4.0", MEDIA_TYPE.upper()]
)
def test_the_form_may_be_named_at_length(client: TestClient, named: str) -> None:
    assert post(client, "/fhir/Claim/$submit", pas_of(), Content_Type=named).status_code == 200


@pytest.mark.parametrize("path", [*POSTED, "/fhir/metadata"])
@pytest.mark.parametrize(
    ("query", "accept"), [("", "application/fhir+xml"), ("?_format=xml", "*/*"), ("", "text/html")]
)
def test_no_other_form_of_answer_is_given(client: TestClient, path: str, query: str, accept: str) -> None:
    headers = {**JSON, "Accept": accept}
    address = path + query
    response = (
        client.get(address, headers=headers) if path.endswith("metadata") else client.post(address, headers=headers)
    )
    assert outcome(response) == (406, [("not-supported", f"answers come as {MEDIA_TYPE} alone")])


@pytest.mark.parametrize("path", ["/fhir", "/fhir/", "/fhir/Patient/Planted-7f3a", "/fhir/Claim", "/fhir/$other"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_not_there_is_not_found(client: TestClient, path: str, method: str) -> None:
    text = "there is nothing at this address; GET /fhir/metadata lists what there is"
    assert outcome(client.request(method, path, headers=JSON)) == (404, [("not-found", text)])


def test_what_begins_alike_is_a_page(client: TestClient) -> None:
    assert client.get("/fhirs").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/fhir/$determine", "POST"),
        ("PUT", "/fhir/Claim/$submit", "POST"),
        ("GET", "/fhir/Claim/$inquire", "POST"),
    ],
)
def test_another_method_is_told_which_is_answered(client: TestClient, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    assert outcome(response) == (405, [("not-supported", f"this address answers {allowed} alone")])
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("policy=XX.1", 404, "no policy XX.1 on file; known: CP.MP.101"),
        ("revision=1999-01", 404, "CP.MP.101 has no revision 1999-01"),
        ("revision=2022-10", 404, "the criteria of CP.MP.101 revision 2022-10 are not on file"),
        ("asOf=2026-13-01", 400, "asOf: '2026-13-01' is no calendar day"),
        ("revision=2026-02&asOf=2026-07-01", 400, "a revision and a day; give revision or asOf"),
        ("revison=2026-02", 400, "no parameter 'revison'; did you mean revision?"),
        (f"patient={MARK}", 400, "no parameter 'patient'; known: policy, revision, asOf, _format, _pretty"),
    ],
)
def test_an_unknown_policy_revision_or_parameter_is_refused(
    client: TestClient, path: str, query: str, status: int, text: str
) -> None:
    found, ((code, told),) = outcome(post(client, f"{path}?{query}", pas_of()))
    assert (found, code) == (status, "invalid" if status == 400 else "not-found")
    assert told.startswith(text), told


def test_a_packed_body_is_refused(client: TestClient) -> None:
    text = "a body is read as it is; send it without Content-Encoding"
    response = post(client, "/fhir/Claim/$submit", pas_of(), Content_Encoding="gzip")
    assert outcome(response) == (415, [("not-supported", text)])


def test_what_was_answered_is_counted_by_its_address(client: TestClient) -> None:
    post(client, "/fhir/Claim/$submit", pas_of())
    post(client, "/fhir/Patient/1", pas_of())
    counted = client.get("/metrics").text
    assert 'door="POST /fhir/Claim/$submit"' in counted
    assert "/fhir/Patient" not in counted


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    ("size", "text"),
    [
        (MAX_CASE + 1, "a request of more than 4 MiB; send less, or use kb validate"),
        (MAX_BODY + 1, "a body of more than 16 MiB; send less"),
    ],
)
def test_a_body_that_is_too_large_is_refused(client: TestClient, path: str, size: int, text: str) -> None:
    assert outcome(post(client, path, b" " * size)) == (413, [("too-long", text)])


@pytest.mark.parametrize(
    ("error", "status", "issue"),
    [
        (
            Busy("too many cases at once", seconds=2),
            503,
            ("transient", "too many cases at once; ask again in a moment"),
        ),
        (
            KbError("this took more than 20 s", hint="send less"),
            400,
            ("invalid", "this took more than 20 s; send less"),
        ),
        (
            KnowledgeBaseError("a broken file", where="/home/somebody/kb/x.ttl"),
            500,
            ("exception", "a broken file; run kb check"),
        ),
        (
            ValueError(MARK),
            500,
            ("exception", "unexpected ValueError; kb check says whether the knowledge base is sound"),
        ),
    ],
)
def test_what_goes_wrong_is_told_without_a_word_of_the_request(
    kb: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, issue: tuple[str, str]
) -> None:
    determining = Determining(kb)

    async def broken_off(*arguments: Any, **named: Any) -> Any:
        raise error

    monkeypatch.setattr(determining, "exchange", broken_off)
    application = Guard(beside(lambda *_: None, routes(determining)))  # type: ignore[arg-type]
    client = TestClient(application, base_url="http://127.0.0.1:8014", raise_server_exceptions=False)
    response = post(client, "/fhir/Claim/$submit", pas_of())
    assert outcome(response) == (status, [issue])
    assert response.headers.get("retry-after") == ("2" if status == 503 else None)


def test_nothing_of_a_request_is_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = json.loads(
        json.dumps(pas_of()).replace("Patient/p", f"Patient/{MARK}").replace('"id": "p"', f'"id": "{MARK}"')
    )
    with caplog.at_level(logging.DEBUG):
        answers = [post(client, path, body) for path in POSTED for body in (bundle, data(bundle)[:-1], [MARK])]
    assert [answer.status_code for answer in answers] == [200, 400, 400] * 2
    # The reference to the patient ties a response to its request.
    assert [text for text in strings(answers[3].json()) if MARK in text] == [f"https://ehr.example/fhir/Patient/{MARK}"]
    assert [index for index, answer in enumerate(answers) if MARK in answer.text] == [3]
    output = capfd.readouterr()
    # The client of the tests names the addresses that it asks, and nothing of what it sends.
    assert MARK not in caplog.text + output.out + output.err
