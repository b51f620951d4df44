"""CDS Hooks: the services, what a call is held to, and what is answered: the status of criteria, and no promise."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from bundles import content, resources
from crd_invariants import broken, said
from fhir_validator import Faults
from hook_calls import call_of, data, drafts, found, order_of
from starlette.testclient import TestClient

from kb_tools.determine.result import REVIEW
from kb_tools.serve.app import application
from kb_tools.serve.bodies import MAX_BODY
from kb_tools.serve.workbench import Workbench

pytest.importorskip("fhirclient")

Json = dict[str, Any]
EXCLUDED = "acute-gvhd-of-grade-2-excludes"
OPEN = "a-preliminary-grade-keeps-the-final-one-from-deciding"
MEDICARE = "a-dual-eligible-plan-is-medicare"
# What must not be said of coverage, whatever the criteria come to.
PROMISES = {"covered", "not-covered", "no-auth", "satisfied", "performpa"}
PAGES = "http://127.0.0.1:8014"


@pytest.fixture(scope="module")
def ehr(bench: Workbench) -> Iterator[TestClient]:
    """A program on this machine."""
    yield TestClient(application(bench), base_url=PAGES, client=("127.0.0.1", 50000))


def post(ehr: TestClient, call: Any, service: str = "order-sign", **headers: str) -> Any:
    sent = call if isinstance(call, bytes) else data(call)
    return ehr.post(f"/cds-services/{service}", content=sent, headers={"Content-Type": "application/json"} | headers)


def answered(ehr: TestClient, call: Json) -> Json:
    response = post(ehr, call, call["hook"])
    assert response.status_code == 200, response.text
    body = response.json()
    assert isinstance(body, dict)
    return body


def refused(response: Any) -> tuple[int, str]:
    """The status of a refusal, and what its OperationOutcome says."""
    assert response.headers["content-type"] == "application/fhir+json"
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    (issue,) = outcome["issue"]
    return response.status_code, issue["details"]["text"]


# ---------------------------------------------------------------------- discovery


def test_three_hooks_are_offered_each_with_what_it_needs(ehr: TestClient) -> None:
    response = ehr.get("/cds-services")
    assert response.headers["content-type"] == "application/json"
    services = response.json()["services"]
    assert [service["hook"] for service in services] == ["order-sign", "order-select", "order-dispatch"]
    for service in services:
        assert service["id"] == service["hook"]
        assert set(service) == {"hook", "id", "title", "description", "prefetch", "usageRequirements", "extension"}
        assert service["prefetch"]["patient"] == "Patient/{{context.patientId}}"
        assert service["prefetch"]["coverage"] == "Coverage?patient={{context.patientId}}&status=active"
        assert ("serviceRequests" in service["prefetch"]) == (service["hook"] == "order-dispatch")
        assert service["extension"]["davinci-crd.version"] == ["2.1", "2.2"]
        for option in service["extension"]["davinci-crd.configuration-options"]:
            assert set(option) == {"code", "type", "name", "description", "default"}


# ---------------------------------------------------------------------- what is answered


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (None, "criteria met"),
        (EXCLUDED, "criteria not met"),
        (OPEN, "information needed"),
        (MEDICARE, "policy not applicable"),
        ("conflicting-grades-of-one-day-both-count", "information conflicting"),
    ],
)
@pytest.mark.parametrize("hook", ["order-sign", "order-select", "order-dispatch"])
@pytest.mark.parametrize("version", ["2.1", "2.2"])
def test_a_card_states_the_status_and_promises_nothing(
    ehr: TestClient, name: str | None, status: str, hook: str, version: str
) -> None:
    body = answered(ehr, call_of(content(name) if name else content(), hook, version))
    (card,) = body["cards"]
    assert card["summary"] == f"CP.MP.101 revision 2026-02: {status}"
    assert card["indicator"] == "info"
    assert UUID(card["uuid"])
    topics = {
        "2.1": "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp",
        "2.2": "http://terminology.hl7.org/CodeSystem/cdshooks-card-type",
    }
    topic = {"system": topics[version], "code": "guideline", "display": "Guideline"}
    assert card["source"] == {"label": "Centene Corporation", "url": f"{PAGES}/CP.MP.101", "topic": topic}
    assert card["extension"] == {"davinci-crd.associated-resource": [{"reference": "ServiceRequest/order"}]}
    assert card["detail"].endswith(
        f"The plan decides: this is the status of criteria, neither coverage nor an authorization. {REVIEW}"
    )
    assert "this is a preview of what it comes to as it stands" in card["detail"]
    assert not re.search(r"\b(approved|denied|covered|authorized)\b", card["detail"].replace(REVIEW, ""))
    if name == MEDICARE:
        assert "systemActions" not in body
        return
    (action,) = body["systemActions"]
    assert (action["type"], sorted(action)) == ("update", ["description", "resource", "type"])
    assert broken(action["resource"]) == []
    values = said(action["resource"])
    assert (values["covered"], values["pa-needed"], values["info-needed"]) == (
        ["conditional"],
        ["auth-needed"],
        ["OTH"],
    )
    assert values["coverage"] == [{"reference": "Coverage/c"}]
    assert values["date"] == [date.today().isoformat()]
    assert status in values["reason"][0]["text"]
    assert not PROMISES & {value for listed in values.values() for value in listed if isinstance(value, str)}
    category = [{"url": "category", "valueCode": "cat-other"}] if version == "2.2" else []
    code = {"coding": [{"system": topics["2.1"], "code": "policy-link"}]}
    detail = [*category, {"url": "code", "valueCodeableConcept": code}]
    assert values["detail"] == [[*detail, {"url": "value", "valueUrl": f"{PAGES}/CP.MP.101/2026-02"}]]
    asks = status.startswith("information") and hook != "order-select"
    assert ("To send in:" in card["detail"]) == asks
    assert values.get("doc-needed") == (["clinical"] if asks else None)
    assert values.get("doc-purpose") == (["withpa"] if asks else None)
    forms = values.get("questionnaire", [])
    assert [
        re.fullmatch(r"https://w3id.org/policykb/Questionnaire/[0-9a-f]{32}", form) is not None for form in forms
    ] == ([True] if asks else [])


def test_a_card_leads_to_the_pages_of_the_criteria_that_decide(ehr: TestClient) -> None:
    (card,) = answered(ehr, call_of(content(EXCLUDED)))["cards"]
    assert card["links"] == [
        {"label": "Criterion II.B", "url": f"{PAGES}/CP.MP.101/criterion/acute-gvhd", "type": "absolute"}
    ]
    for link in card["links"]:
        assert ehr.get(link["url"]).status_code == 200
    assert card["detail"].startswith(
        "**Criteria not met** - the revision classes such use as: current evidence does not support the use\n\n"
        "Because exclusion II.B holds: acute GvHD assessment: grade 2 (2026-06-20, chart evidence).\n\n"
        f"- [II.B]({PAGES}/CP.MP.101/criterion/acute-gvhd), holds:"
    )


def test_an_order_with_coverage_information_is_valid_r4(ehr: TestClient, faults: Faults) -> None:
    for name in (None, OPEN):
        for version in ("2.1", "2.2"):
            body = answered(ehr, call_of(content(name) if name else content(), version=version))
            found_ = faults(body["systemActions"][0]["resource"])
            # The value set of R4 for codes of orders is an example, and CPT is not in it.
            assert [fault for fault in found_ if "not found in value set" not in fault] == []


def test_an_action_changes_nothing_but_the_extension(ehr: TestClient) -> None:
    other = {"url": "https://ehr.example/other", "valueString": "kept"}
    call = data(call_of(content(), quantityQuantity={"value": 7}, extension=[other])).replace(b"7}", b"1.50}")
    response = post(ehr, call)
    (action,) = response.json()["systemActions"]
    order = action["resource"]
    assert order.pop("extension")[0] == other
    assert order == order_of(content(), quantityQuantity={"value": 1.5})
    assert b'"value":1.50}' in response.content


def test_what_was_said_before_is_not_said_again_and_what_is_new_takes_its_place(ehr: TestClient) -> None:
    (action,) = answered(ehr, call_of(content()))["systemActions"]
    before = action["resource"]["extension"]
    assert "systemActions" not in answered(ehr, call_of(content(), extension=before))
    (action,) = answered(ehr, call_of(content(EXCLUDED), extension=before))["systemActions"]
    assert len(action["resource"]["extension"]) == 1
    assert "criteria not met" in said(action["resource"])["reason"][0]["text"]


@pytest.mark.parametrize(
    ("code", "status"),
    [("draft", True), ("active", True), ("revoked", False), ("completed", False)],
)
def test_only_an_order_that_is_open_is_answered(ehr: TestClient, code: str, status: bool) -> None:
    assert bool(answered(ehr, call_of(content(), status=code))["cards"]) is status


@pytest.mark.parametrize(
    "coding",
    [
        {"system": "http://www.ama-assn.org/go/cpt", "code": "99213"},
        {"system": "http://loinc.org", "code": "24338-6"},
        {"system": "https://ehr.example/orders", "code": "17"},
    ],
)
def test_of_an_order_for_something_else_nothing_is_said(ehr: TestClient, coding: Json) -> None:
    assert answered(ehr, call_of(content(), code={"coding": [coding]})) == {"cards": []}


def test_each_order_of_a_call_is_answered_by_itself(ehr: TestClient) -> None:
    call = call_of(content())
    others = [
        {"resourceType": "NutritionOrder", "id": "n", "status": "draft"},
        order_of(content(), id="second", occurrenceDateTime="2024-09-01"),
    ]
    call["context"]["draftOrders"] = drafts(order_of(content()), *others)
    body = answered(ehr, call)
    named = [card["extension"]["davinci-crd.associated-resource"][0]["reference"] for card in body["cards"]]
    assert named == ["ServiceRequest/order", "ServiceRequest/second"]
    assert [action["resource"]["id"] for action in body["systemActions"]] == ["order", "second"]
    assert len({card["uuid"] for card in body["cards"]}) == 2


def test_of_selected_orders_alone_something_is_said(ehr: TestClient) -> None:
    call = call_of(content(), "order-select")
    call["context"]["selections"] = ["ServiceRequest/another"]
    assert answered(ehr, call) == {"cards": []}


def test_an_order_without_a_date_is_of_today(ehr: TestClient) -> None:
    (card,) = answered(ehr, call_of(content(), occurrenceDateTime=None))["cards"]
    assert f"it is taken as of {date.today()}" in card["detail"]


def test_an_order_of_a_day_without_criteria_on_file_gets_a_card_that_says_so(ehr: TestClient) -> None:
    body = answered(ehr, call_of(content(), occurrenceDateTime="2023-09-01"))
    (card,) = body["cards"]
    assert card["summary"] == "CP.MP.101: the criteria could not be read on this order"
    assert "the criteria of CP.MP.101 revision 2023-08 are not on file" in card["detail"]
    assert "systemActions" not in body


@pytest.mark.parametrize(
    ("options", "cards", "actions"),
    [
        ({}, 1, 1),
        ({"coverage-info": False}, 1, 0),
        ({"guideline": False}, 0, 1),
        ({"max-cards": 0}, 0, 1),
        ({"max-cards": -1, "coverage-info": "no"}, 0, 1),
    ],
)
def test_a_client_chooses_what_it_is_told(ehr: TestClient, options: Json, cards: int, actions: int) -> None:
    call = call_of(content())
    body = answered(ehr, {**call, "extension": {"davinci-crd.configuration": options}})
    assert (len(body["cards"]), len(body.get("systemActions", []))) == (cards, actions)


def test_order_dispatch_is_taken_in_its_older_form_too(ehr: TestClient) -> None:
    call = call_of(content(), "order-dispatch")
    call["context"] = {"patientId": "p", "order": "ServiceRequest/order", "performer": "Organization/o"}
    assert answered(ehr, call)["cards"][0]["summary"] == "CP.MP.101 revision 2026-02: criteria met"


def test_a_call_with_absolute_references_and_other_orders_is_answered(ehr: TestClient) -> None:
    """As the guide and its test kits shape one: URLs of a server, a token, orders of several types, billing options."""
    server = "https://ehr.example/fhir"
    billing = {
        "url": "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options",
        "valueCodeableConcept": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "38242"}]},
    }
    call = call_of(content(), subject={"reference": f"{server}/Patient/p"}, insurance=[{"reference": "Coverage/c"}])
    order = call["context"]["draftOrders"]["entry"][0]
    order["fullUrl"] = f"{server}/ServiceRequest/order"
    order["resource"]["code"]["extension"] = [billing]
    order["resource"]["requester"] = {"reference": f"{server}/PractitionerRole/r", "display": "Dr. X"}
    call["context"]["draftOrders"]["entry"] += [
        {"resource": {"resourceType": "MedicationRequest", "id": "m", "status": "draft", "intent": "order"}},
        {
            "resource": order_of(
                content(), id="scan", code={"coding": [{"system": "http://loinc.org", "code": "24338-6"}]}
            )
        },
    ]
    call["context"]["encounterId"] = "e"
    call["prefetch"]["encounter"] = {"resourceType": "Encounter", "id": "e", "status": "planned"}
    call |= {
        "fhirServer": server,
        "fhirAuthorization": {
            "access_token": "t",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "x",
            "subject": "y",
        },
    }
    body = answered(ehr, call)
    assert [card["summary"] for card in body["cards"]] == ["CP.MP.101 revision 2026-02: criteria met"]
    (action,) = body["systemActions"]
    assert action["resource"]["code"]["extension"] == [billing]
    assert broken(action["resource"]) == []


# ---------------------------------------------------------------------- what was not sent


def test_what_was_not_sent_of_the_chart_is_unknown_and_named(ehr: TestClient) -> None:
    call = call_of(content())
    del call["prefetch"]["observations"]
    (card,) = answered(ehr, call)["cards"]
    assert card["summary"] == "CP.MP.101 revision 2026-02: information needed on what was sent, which is not all"
    assert "Not sent, so that it is unknown what stands there: observations." in card["detail"]


@pytest.mark.parametrize(
    "sent",
    [
        {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]},
        {**found(), "entry": [], "total": 3},
        {**found(), "link": [{"relation": "next", "url": "https://ehr.example/?page=2"}]},
        found({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}),
    ],
    ids=["it failed", "some of what was found", "a page of it", "it failed within"],
)
def test_what_was_not_found_in_full_is_as_if_not_sent(ehr: TestClient, sent: Json) -> None:
    call = call_of(content())
    call["prefetch"]["medicationAdministrations"] = sent
    body = answered(ehr, call)
    assert body["cards"][0]["summary"] == "CP.MP.101 revision 2026-02: criteria met on what was sent, which is not all"
    assert (
        "criteria met on what was sent, which is not all"
        in said(body["systemActions"][0]["resource"])["reason"][0]["text"]
    )


def test_nothing_found_is_nothing_missing(ehr: TestClient) -> None:
    call = call_of(content())
    assert call["prefetch"]["diagnosticReports"] is None
    assert "Not sent" not in answered(ehr, call)["cards"][0]["detail"]


def test_without_any_prefetch_all_but_the_order_is_asked_for(ehr: TestClient) -> None:
    call = call_of(content())
    del call["prefetch"]
    body = answered(ehr, call)
    assert "information needed" in body["cards"][0]["summary"]
    assert "systemActions" not in body


@pytest.mark.parametrize(
    "coverage",
    [None, found(), found({"resourceType": "Coverage", "id": "a", "status": "cancelled"})],
    ids=["none", "an empty search", "a cancelled one"],
)
def test_without_a_plan_nothing_is_said_of_coverage(ehr: TestClient, coverage: Json | None) -> None:
    call = call_of(content())
    call["prefetch"]["coverage"] = coverage
    body = answered(ehr, call)
    assert len(body["cards"]) == 1
    assert "systemActions" not in body


def test_of_two_plans_the_one_that_the_order_names_is_told(ehr: TestClient) -> None:
    first = resources(content())["Coverage"]
    for named, expected in (([], []), ([{"reference": "Coverage/d"}], [[{"reference": "Coverage/d"}]])):
        call = call_of(content(), insurance=named or None)
        call["prefetch"]["coverage"] = found(first, {**first, "id": "d"})
        actions = answered(ehr, call).get("systemActions", [])
        assert [said(action["resource"])["coverage"] for action in actions] == expected


def test_an_order_that_is_dispatched_and_not_sent_is_a_missing_prefetch(ehr: TestClient) -> None:
    call = call_of(content(), "order-dispatch")
    del call["prefetch"]["serviceRequests"]
    status, text = refused(post(ehr, call, "order-dispatch"))
    assert status == 412
    assert text.startswith("prefetch: serviceRequests is missing")


# ---------------------------------------------------------------------- what a call is held to

SLIPS: dict[str, tuple[Any, str]] = {
    "another hook": ({"hook": "patient-view"}, "this hook is not offered here, where order-sign is"),
    "a hook misspelt": ({"hook": "order-sing"}, "did you mean order-sign?"),
    "no hook": ({"hook": None}, "hook: missing"),
    "no instance": ({"hookInstance": None}, "hookInstance: missing"),
    "an instance that is no UUID": ({"hookInstance": "1"}, "hookInstance: send a UUID"),
    "no context": ({"context": None}, "context: missing"),
    "no user": ({"context": {"patientId": "p", "draftOrders": drafts(order_of(content()))}}, "userId: missing"),
    "no patient": ({"context": {"userId": "u", "draftOrders": drafts(order_of(content()))}}, "patientId: missing"),
    "no orders": ({"context": {"userId": "u", "patientId": "p"}}, "draftOrders: missing"),
    "an empty bundle": ({"context": {"userId": "u", "patientId": "p", "draftOrders": drafts()}}, "draftOrders: send"),
    "a prefetch that is a list": ({"prefetch": ["x"]}, "prefetch: send an object"),
    "a prefetch of a text": ({"prefetch": {"patient": "x"}}, "prefetch: send an object"),
    "no server for its token": ({"fhirAuthorization": {"access_token": "t"}}, "fhirServer is missing"),
    "the patient of another": (
        {"context": {"userId": "u", "patientId": "q", "draftOrders": drafts(order_of(content()))}},
        "resources of more than one patient",
    ),
}


@pytest.mark.parametrize(("change", "text"), SLIPS.values(), ids=SLIPS)
@pytest.mark.parametrize(("version", "status"), [("", 422), ("2.1", 422), ("2.2", 400)])
def test_what_is_not_valid_cds_hooks_is_refused(
    ehr: TestClient, change: Json, text: str, version: str, status: int
) -> None:
    call = {key: value for key, value in {**call_of(content(), version=version), **change}.items() if value is not None}
    found_status, said_ = refused(post(ehr, call))
    assert (found_status, text in said_) == (status, True), said_


def test_two_patients_in_the_chart_are_refused(ehr: TestClient) -> None:
    call = call_of(content())
    stranger = {**resources(content())["Condition"], "id": "z", "subject": {"reference": "Patient/q"}}
    call["prefetch"]["conditions"]["entry"].append({"resource": stranger})
    call["prefetch"]["conditions"].pop("total")
    assert refused(post(ehr, call)) == (422, "resources of more than one patient; send one bundle a patient")


@pytest.mark.parametrize(
    ("key", "resource", "text"),
    [
        ("conditions", {"resourceType": "ProcedureRequest"}, "conditions: entry[1] is a ProcedureRequest, a resource"),
        (
            "observations",
            {"resourceType": "Observation", "instantiatesReference": {}},
            "is of FHIR R5 (instantiatesRef",
        ),
    ],
    ids=["STU3 by a type", "R5 by an element"],
)
def test_another_version_of_fhir_is_refused(ehr: TestClient, key: str, resource: Json, text: str) -> None:
    call = call_of(content())
    call["prefetch"][key]["entry"].append({"resource": resource})
    call["prefetch"][key].pop("total")
    status, said_ = refused(post(ehr, call))
    assert (status, text in said_) == (422, True), said_


def test_a_version_of_crd_that_is_not_known_is_refused(ehr: TestClient) -> None:
    assert refused(post(ehr, call_of(content(), version="1.0"))) == (
        400,
        "this version of CRD is not supported; request 2.1 or 2.2",
    )


@pytest.mark.parametrize(
    "sent",
    [b"", b"{", b"<Bundle xmlns='http://hl7.org/fhir'/>", b"[]", b'{"a": 1, "a": 2}', b"\xff", b"[" * 5000],
    ids=["nothing", "cut off", "XML", "a list", "a key twice", "no text", "nested"],
)
def test_what_is_no_json_object_is_unreadable(ehr: TestClient, sent: bytes) -> None:
    assert refused(post(ehr, sent))[0] == 400


def test_xml_by_its_content_type_is_not_taken(ehr: TestClient) -> None:
    response = post(ehr, b"<Bundle/>", **{"Content-Type": "application/fhir+xml"})
    assert refused(response) == (415, "a call is JSON; send Content-Type: application/json")


def test_a_service_that_there_is_not_is_named(ehr: TestClient) -> None:
    for path in ("/cds-services/patient-view", "/cds-services/patient-view/feedback"):
        response = ehr.post(path, content=b"{}", headers={"Content-Type": "application/json"})
        assert refused(response) == (
            404,
            "there is no such service; there are order-sign, order-select, order-dispatch",
        )


def test_a_body_that_is_too_large_is_refused(ehr: TestClient) -> None:
    assert post(ehr, b" " * (MAX_BODY + 1)).status_code == 413


# ---------------------------------------------------------------------- feedback, and what is kept


def test_feedback_is_taken_and_not_kept(ehr: TestClient) -> None:
    given = {
        "card": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
        "outcome": "accepted",
        "outcomeTimestamp": "2026-06-30T10:00:00Z",
    }
    response = ehr.post("/cds-services/order-sign/feedback", json={"feedback": [given]})
    assert (response.status_code, response.content) == (200, b"")
    wrongs: tuple[Any, ...] = (
        {},
        {"feedback": {}},
        {"feedback": [{**given, "outcome": "ignored"}]},
        [],
        {"feedback": [{}]},
    )
    for wrong in wrongs:
        assert refused(ehr.post("/cds-services/order-sign/feedback", json=wrong))[0] == 400


def test_nothing_of_a_patient_is_logged_or_answered(
    ehr: TestClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    planted = "Zebulon-Quartermain"
    call = call_of(content())
    call["prefetch"]["patient"] |= {
        "name": [{"family": planted}],
        "identifier": [{"system": "urn:x", "value": planted}],
    }
    call["prefetch"]["conditions"]["entry"][0]["resource"]["note"] = [{"text": planted}]
    wrong: Json = json.loads(json.dumps(call))
    wrong["hook"], wrong["hookInstance"] = planted, planted
    broken_: Json = json.loads(json.dumps(call))
    broken_["prefetch"]["conditions"]["entry"][0]["resource"]["subject"] = {"reference": f"Patient/{planted}"}
    for sent in (call, wrong, broken_, data(call)[:-5]):
        assert planted not in post(ehr, sent).text
    for path in (planted, f"order-sign?patient={planted}"):
        assert planted not in ehr.post(f"/cds-services/{path}", content=b"{}").text
    # The page of an address that there is not names the address, to who asked for it.
    ehr.post(f"/cds-services/order-sign/{planted}", content=b"{}")
    # The client of the test logs what it sends.
    logged = [record.getMessage() for record in caplog.records if record.name.partition(".")[0] != "httpx2"]
    assert planted not in "".join(logged)
    assert planted not in "".join(capfd.readouterr())
