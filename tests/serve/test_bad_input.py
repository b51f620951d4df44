"""What is wrong with a request, door by door: status, shape, and nothing of a patient in the answer, log and counts."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from agents import in_memory, text_of
from bundles import content, data
from hook_calls import call_of, drafts
from mcp import Client
from pas import pas_of
from served import HERE
from starlette.testclient import TestClient

from kb_tools.serve.app import application
from kb_tools.serve.bodies import MAX_BODY
from kb_tools.serve.case.desk import MAX_PLAIN
from kb_tools.serve.mcp.office import Office
from kb_tools.serve.programs.determine import MAX_CASE
from kb_tools.serve.programs.watching import Log
from kb_tools.serve.workbench import Workbench

pytest.importorskip("fhirclient")

Json = dict[str, Any]
PLANTED = "Zebulon-Quarks-7781"
JSON, FHIR = "application/json", "application/fhir+json"
PROBLEM, CARDS = "application/problem+json", "application/json"
API, DETERMINE, SUBMIT = "/api/determine", "/fhir/$determine", "/fhir/Claim/$submit"
PACKAGE, SIGN = "/fhir/Questionnaire/$questionnaire-package", "/cds-services/order-sign"
DISPATCH = "/cds-services/order-dispatch"


def named(bundle: Json) -> Json:
    """A bundle in which the patient, and whoever refers to them, has the planted identifier."""
    text = re.sub('(Patient/|"id": ")p"', rf'\1{PLANTED}"', json.dumps(bundle))
    found: Json = json.loads(text)
    for entry in found["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            entry["resource"] |= {"name": [{"family": PLANTED}], "identifier": [{"system": "urn:x", "value": PLANTED}]}
    return found


BUNDLE, PAS = named(content()), named(pas_of())
CALL = call_of(BUNDLE)
ORDER = CALL["context"]["draftOrders"]["entry"][0]["resource"]


def resource(of: Json, type_: str) -> Json:
    """The first resource of a type in a bundle."""
    return next(entry["resource"] for entry in of["entry"] if entry["resource"]["resourceType"] == type_)


PLAN = resource(BUNDLE, "Coverage")


def parameters(plan: Json, *orders: Json) -> Json:
    listed = [{"name": "coverage", "resource": plan}, *({"name": "order", "resource": order} for order in orders)]
    return {"resourceType": "Parameters", "parameter": listed}


def edited(of: Json, edit: Callable[[Json], object]) -> Json:
    found = deepcopy(of)
    edit(found)
    return found


def of_r5(bundle: Json) -> Json:
    return edited(bundle, lambda found: resource(found, "Coverage").update(kind=PLANTED))


def of_two(bundle: Json) -> Json:
    return edited(bundle, lambda found: resource(found, "Coverage").update(beneficiary={"reference": "Patient/q"}))


def without(bundle: Json, *types: str) -> Json:
    return {**bundle, "entry": [one for one in bundle["entry"] if one["resource"]["resourceType"] not in types]}


def called(**changes: Any) -> Json:
    return {**deepcopy(CALL), **changes}


OF_ANOTHER = {**ORDER, "subject": {"reference": "Patient/q"}}
DISPATCHED = call_of(BUNDLE, "order-dispatch")
NOT_JSON, XML = f'{{"id": "{PLANTED}"'.encode(), f"<Bundle><id value='{PLANTED}'/></Bundle>".encode()
JSON_OF = {API: FHIR, DETERMINE: FHIR, SUBMIT: FHIR, PACKAGE: FHIR, SIGN: JSON, DISPATCH: JSON}
SHAPES = {API: PROBLEM, DETERMINE: FHIR, SUBMIT: FHIR, PACKAGE: FHIR, SIGN: FHIR, DISPATCH: FHIR}

# What is wrong, at which door, what is sent (with its media type, if that is what is wrong), status, what is said.
Row = tuple[str, str, Any, str, int, str]
ROWS: list[Row] = [
    *(("not JSON", door, NOT_JSON, "", 400, "not valid JSON") for door in (DETERMINE, SUBMIT, PACKAGE, SIGN)),
    ("not JSON", API, NOT_JSON, "", 422, "not valid JSON"),
    *(("XML", door, XML, "", 400, "not valid JSON") for door in (DETERMINE, SUBMIT, PACKAGE, SIGN)),
    ("XML", API, XML, "", 422, "not valid JSON"),
    ("XML, and it says so", API, XML, "application/fhir+xml", 415, "a case comes as application/json"),
    *(
        ("XML, and it says so", door, XML, "application/fhir+xml", 415, f"a request comes as {FHIR}")
        for door in (DETERMINE, SUBMIT, PACKAGE)
    ),
    ("XML, and it says so", SIGN, XML, "application/fhir+xml", 415, "a call is JSON"),
    ("no type, as a page of another site can send", SIGN, CALL, "none", 415, "a call is JSON"),
    *(
        ("another version of FHIR, and it says so", door, BUNDLE, f"{FHIR}; fhirVersion=5.0", 415, "FHIR is read as R4")
        for door in (API, DETERMINE, SUBMIT, PACKAGE, SIGN)
    ),
    ("another version of FHIR", API, of_r5(BUNDLE), "", 422, "Coverage is of FHIR R5 (kind)"),
    ("another version of FHIR", DETERMINE, of_r5(BUNDLE), "", 422, "Coverage is of FHIR R5 (kind)"),
    ("another version of FHIR", SUBMIT, of_r5(PAS), "", 422, "Coverage is of FHIR R5 (kind)"),
    ("another version of FHIR", PACKAGE, parameters({**PLAN, "kind": PLANTED}, ORDER), "", 422, "of FHIR R5 (kind)"),
    (
        "another version of FHIR",
        SIGN,
        edited(CALL, lambda call: resource(call["prefetch"]["coverage"], "Coverage").update(kind=PLANTED)),
        "",
        422,
        "is of FHIR R5",
    ),
    ("no request", API, without(BUNDLE, "Claim"), "", 422, "no request"),
    ("no request", DETERMINE, without(BUNDLE, "Claim"), "", 422, "no request"),
    ("no request", SUBMIT, without(PAS, "Claim"), "", 422, "no Claim in the bundle"),
    ("no request", PACKAGE, parameters(PLAN), "", 400, "one of order, questionnaire and context is needed"),
    (
        "no request",
        SIGN,
        called(context={**CALL["context"], "draftOrders": drafts()}),
        "",
        422,
        "draftOrders",
    ),
    *(
        ("two patients", door, of_two(bundle), "", 422, "resources of more than one patient")
        for door, bundle in ((API, BUNDLE), (DETERMINE, BUNDLE), (SUBMIT, PAS))
    ),
    (
        "two patients",
        PACKAGE,
        parameters(PLAN, {**ORDER, "subject": {"reference": "Patient/q"}}),
        "",
        422,
        "more than one",
    ),
    ("two patients", SIGN, called(context={**CALL["context"], "patientId": "q"}), "", 422, "more than one patient"),
    ("a hook that is not offered", "/cds-services/patient-view", CALL, "", 404, "there is no such service"),
    ("another hook than its service", SIGN, called(hook=PLANTED), "", 422, "this hook is not offered here"),
    (
        "an order that was not sent",
        DISPATCH,
        edited(DISPATCHED, lambda call: call["prefetch"].pop("serviceRequests")),
        "",
        412,
        "serviceRequests is missing",
    ),
    *(
        ("too large", door, b" " * (MAX_CASE + 1), "", 413, "more than 4 MiB")
        for door in (API, DETERMINE, SUBMIT, PACKAGE)
    ),
    ("too large", SIGN, b" " * (MAX_BODY + 1), "", 413, "a body of more than 16 MiB"),
    *(
        ("an unknown policy", f"{door}?policy={PLANTED}", BUNDLE, "", 404, "no policy")
        for door in (API, DETERMINE, SUBMIT, PACKAGE)
    ),
    ("nothing there", f"/cds-services/{PLANTED}/{PLANTED}/x", CALL, "", 404, "there is nothing at this address"),
    ("nothing there", f"/fhir/Patient/{PLANTED}", BUNDLE, "", 404, "there is nothing at this address"),
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "requests.jsonl"


@pytest.fixture(scope="module")
def app(bench: Workbench, log: Path) -> Any:
    return application(bench, log=Log(str(log)))


@pytest.fixture(scope="module")
def client(app: Any) -> Iterator[TestClient]:
    yield TestClient(app, base_url="http://127.0.0.1:8014", client=HERE, raise_server_exceptions=False)


def sent(client: TestClient, door: str, body: Any, media_type: str = "") -> Any:
    known = JSON_OF.get(door.partition("?")[0], JSON)
    headers = {"User-Agent": PLANTED, **({} if media_type == "none" else {"Content-Type": media_type or known})}
    return client.post(door, content=body if isinstance(body, bytes) else data(body), headers=headers)


@pytest.mark.parametrize(
    ("wrong", "door", "body", "media_type", "status", "text"), ROWS, ids=[f"{row[0]} at {row[1][:40]}" for row in ROWS]
)
def test_what_is_wrong_is_said_in_the_shape_of_the_door(
    client: TestClient, wrong: str, door: str, body: Any, media_type: str, status: int, text: str
) -> None:
    response = sent(client, door, body, media_type)
    answer = response.json()
    assert (response.status_code, response.headers["content-type"]) == (
        status,
        SHAPES.get(door.partition("?")[0], FHIR),
    ), answer
    if response.headers["content-type"] == PROBLEM:
        told = [answer["detail"], *answer.get("errors", [])]
    else:
        assert answer["resourceType"] == "OperationOutcome"
        told = [issue["details"]["text"] for issue in answer["issue"]]
    assert any(text in one for one in told), told
    # A policy that was asked for is named: nothing else of an address or a body is.
    assert wrong == "an unknown policy" or PLANTED not in response.text


@pytest.mark.parametrize("door", [DETERMINE, SUBMIT, PACKAGE, SIGN])
def test_another_method_is_told_which_is_answered(client: TestClient, door: str) -> None:
    response = client.get(door)
    (issue,) = response.json()["issue"]
    assert (response.status_code, response.headers["allow"], response.headers["content-type"]) == (405, "POST", FHIR)
    assert issue["details"]["text"] == "this address answers POST alone"


def test_what_was_not_fetched_before_is_asked_for_on_a_card(client: TestClient) -> None:
    response = sent(client, SIGN, called(prefetch={}))
    (card,) = response.json()["cards"]
    assert (response.status_code, response.headers["content-type"]) == (200, CARDS)
    assert card["summary"] == "CP.MP.101 revision 2026-02: information needed on what was sent, which is not all"
    assert PLANTED not in response.text


@pytest.mark.parametrize(
    ("claims", "text"),
    [({"exp": 1, "iat": 0}, "the token is expired (exp)"), ({"iss": PLANTED}, "the token is of no client")],
    ids=["expired", "foreign"],
)
def test_an_expired_or_foreign_token_is_401(
    bench: Workbench, log: Path, tmp_path: Path, claims: Json, text: str
) -> None:
    jwt = pytest.importorskip("jwt")
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    from kb_tools.serve.hooks.clients import trusted_clients

    key = ec.generate_private_key(ec.SECP384R1())
    public = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": "c"}
    (tmp_path / "clients.json").write_text(json.dumps({"clients": [{"iss": "urn:ehr", "jwks": {"keys": [public]}}]}))
    content_ = {"iss": "urn:ehr", "aud": f"http://127.0.0.1{SIGN}", "jti": PLANTED, "sub": PLANTED, **claims}
    token = jwt.encode({"iat": 0, "exp": 300, **content_}, key, "ES384", {"kid": "c"})
    clients = trusted_clients(tmp_path / "clients.json")
    ehr = TestClient(application(bench, clients=clients, log=Log(str(log))), base_url="http://127.0.0.1", client=HERE)
    response = ehr.post(SIGN, json=CALL, headers={"Authorization": f"Bearer {token}"})
    (issue,) = response.json()["issue"]
    assert (response.status_code, response.headers["content-type"], issue["code"]) == (401, FHIR, "security")
    assert issue["details"]["text"].startswith(text)
    assert PLANTED not in response.text


@pytest.mark.parametrize("door", JSON_OF)
def test_a_client_that_hangs_up_is_counted_and_hears_nothing(app: Any, log: Path, door: str) -> None:
    scope = {
        **{"type": "http", "method": "POST", "path": door, "query_string": b"", "root_path": "", "scheme": "http"},
        **{"headers": [(b"host", b"localhost"), (b"content-type", JSON_OF[door].encode())], "client": HERE},
        **{"server": ("localhost", 80), "http_version": "1.1", "raw_path": door.encode()},
    }
    parts = [{"type": "http.request", "body": PLANTED.encode(), "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        pass

    asyncio.run(app(scope, receive, send))
    last = json.loads(log.read_text().splitlines()[-1])
    path = "/cds-services/{id}" if "cds" in door else door
    assert (last["door"], last["status"], last["outcomes"]) == (f"POST {path}", 499, {})


# ---------------------------------------------------------------------- agents

AGENTS: dict[str, tuple[Json, str]] = {
    "not JSON": ({"case": NOT_JSON.decode()}, "not valid JSON"),
    "XML": ({"case": XML.decode()}, "line 1: "),
    "another version of FHIR": ({"case": of_r5(BUNDLE)}, "is of FHIR R5"),
    "no request": ({"case": without(BUNDLE, "Claim")}, "no request"),
    "two patients": ({"case": of_two(BUNDLE)}, "resources of more than one patient"),
    "an unknown policy": ({"case": BUNDLE, "policy": PLANTED}, "no such policy"),
    "too large": (
        {"case": {"patient": PLANTED, "request": {"serviceDate": "2026-07-01"}, "//": "x" * MAX_PLAIN}},
        "more",
    ),
}


def test_an_agent_hears_what_is_wrong_and_nothing_of_the_case(office: Office) -> None:
    async def work(client: Client) -> dict[str, Any]:
        return {name: await client.call_tool("determine_case", given) for name, (given, _) in AGENTS.items()}

    for name, result in in_memory(office, work).items():
        assert result.is_error, name
        assert AGENTS[name][1] in text_of(result), (name, text_of(result))
        assert PLANTED not in text_of(result), name


# ---------------------------------------------------------------------- counts


def counts(client: TestClient) -> Counter[tuple[str, str]]:
    """How many cases came to what, by door and outcome."""
    found = re.findall(
        r'^kb_cases_total\{door="POST (.+)",outcome="(\w+)"\} (\d+)\.0$', client.get("/metrics").text, re.MULTILINE
    )
    return Counter({(door, outcome): int(number) for door, outcome, number in found})


def test_the_outcomes_of_every_door_are_counted(client: TestClient, log: Path) -> None:
    before, excluded = counts(client), named(content("acute-gvhd-of-grade-2-excludes"))
    too_early = {**ORDER, "occurrenceDateTime": "2023-09-01"}
    for door, body in (
        (DETERMINE, BUNDLE),
        (DETERMINE, excluded),
        (DETERMINE, NOT_JSON),
        (SUBMIT, PAS),
        (SUBMIT, without(PAS, "Claim")),
        (PACKAGE, parameters(PLAN, ORDER)),
        (PACKAGE, parameters(PLAN, too_early)),
        (PACKAGE, parameters(PLAN)),
        (SIGN, CALL),
        (SIGN, call_of(excluded)),
        (SIGN, call_of(BUNDLE, occurrenceDateTime="2023-09-01")),
        (SIGN, called(hook=PLANTED)),
        (DISPATCH, DISPATCHED),
    ):
        sent(client, door, body)
    assert dict(counts(client) - before) == {
        ("/cds-services/{id}", "CriteriaMet"): 2,
        ("/cds-services/{id}", "CriteriaNotMet"): 1,
        ("/cds-services/{id}", "NotDetermined"): 1,
        ("/cds-services/{id}", "Unreadable"): 1,
        (DETERMINE, "CriteriaMet"): 1,
        (DETERMINE, "CriteriaNotMet"): 1,
        (DETERMINE, "Unreadable"): 1,
        (SUBMIT, "CriteriaMet"): 1,
        (SUBMIT, "Unreadable"): 1,
        (PACKAGE, "InformationNeeded"): 1,
        (PACKAGE, "NotDetermined"): 1,
        (PACKAGE, "Unreadable"): 1,
    }
    last = json.loads(log.read_text().splitlines()[-2])
    assert (last["door"], last["outcomes"], last["revisions"]) == (
        "POST /cds-services/{id}",
        {"CriteriaMet": 1},
        ["2026-02"],
    )


def test_after_all_this_the_planted_identifier_is_in_no_log_and_no_count(client: TestClient, log: Path) -> None:
    sent(client, f"{SIGN}?patient={PLANTED}", NOT_JSON)
    assert len(log.read_text().splitlines()) >= 1
    for told in (client.get("/metrics").text, log.read_text()):
        assert PLANTED.lower() not in told.lower()


# ---------------------------------------------------------------------- pages of other sites

SITE = "https://sandbox.example"
PREFLIGHT = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


def test_a_page_of_another_site_may_call_hooks_only_where_it_is_named(bench: Workbench) -> None:
    named_ = TestClient(application(bench, origins=[SITE]), base_url="http://127.0.0.1:8014", client=HERE)
    nobody = TestClient(application(bench), base_url="http://127.0.0.1:8014", client=HERE)
    allowed = named_.options(SIGN, headers={**PREFLIGHT, "Access-Control-Request-Private-Network": "true"})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SITE)
    assert allowed.headers["access-control-allow-private-network"] == "true"
    assert "access-control-allow-credentials" not in allowed.headers
    for client, path, origin in (
        (named_, SIGN, "https://other.example"),
        (named_, API, SITE),
        (named_, DETERMINE, SITE),
        (nobody, SIGN, SITE),
    ):
        refused = client.options(path, headers={**PREFLIGHT, "Origin": origin})
        assert refused.status_code in (400, 405)
        assert "access-control-allow-origin" not in refused.headers
    for client, origin, expected in (
        (named_, SITE, SITE),
        (named_, "https://other.example", None),
        (nobody, SITE, None),
    ):
        found = client.get("/cds-services", headers={"Origin": origin})
        assert (found.status_code, found.headers.get("access-control-allow-origin")) == (200, expected)


@pytest.mark.parametrize(
    "given", ["*", "null", "ehr.example", "https://ehr.example/", "https://ehr.example/app", "file://x"]
)
def test_what_is_no_origin_is_refused_at_the_start(run_kb: Callable[..., CompletedProcess[str]], given: str) -> None:
    found = run_kb("serve", "--allow-origin", given)
    assert found.returncode == 2
    assert f"'{given}' is no origin; write scheme and host alone, as https://ehr.example" in found.stderr
