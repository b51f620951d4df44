"""Claim/$submit and $determine in a worker process: the same answers as kb validate, and no decision in any of them."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import cycle
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from bundles import case_of, content, data
from fhir_of import fhir_of
from fhir_validator import Faults
from pas import (
    EHR,
    EVENT,
    PAS,
    SENT,
    TRACE,
    actions,
    asked_in_pas,
    cancelled,
    certified,
    claim_response,
    entry,
    extensions,
    notes,
    organization,
    pas_of,
    strings,
    updated,
)
from pas_profiles import broken

from kb_tools.cases.case import Malformed
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import read_manifest
from kb_tools.determine.in_words import to_send_in
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.render.fhir_outcome import operation_outcome
from kb_tools.render.pas import REVIEWER_DECIDES
from kb_tools.render.questionnaire import questionnaire
from kb_tools.serve.case.desk import Chosen, Desk
from kb_tools.serve.fhir import work

Json = dict[str, Any]
Ask = Callable[..., Any]
CHOSEN: Chosen = {"policy": "CP.MP.101", "revision": "2026-02", "asOf": None}
# Words of decisions, and of coverage.
DECISIONS = re.compile(r"approv|\bden[iy]|certif|authori|reject|covered|payment|necess|refus", re.IGNORECASE)
# A case of each outcome.
OUTCOMES = {
    "a-relapse-after-an-allogeneic-transplant-meets": "CriteriaMet",
    "acute-gvhd-of-grade-2-excludes": "CriteriaNotMet",
    "a-dual-eligible-plan-is-medicare": "PolicyNotApplicable",
    "a-plan-of-unknown-kind-is-asked-for": "InformationNeeded",
    "conflicting-grades-of-one-day-both-count": "InformationConflicting",
}


@pytest.fixture(scope="module")
def desk(kb: Repository, pseudonym_key: None) -> Desk:
    return Desk(kb)


@pytest.fixture(scope="module")
def ask(desk: Desk) -> Ask:
    """Asks for an operation on a bundle: the answer, or status and issues where there is none."""
    known = work.operations(desk)

    def asked(bundle: Any, operation: str = "Claim/$submit", chosen: Chosen = CHOSEN) -> Any:
        body = bundle if isinstance(bundle, bytes) else data(bundle)
        found = known[operation](chosen, body)
        assert (found.body is None) == (found.content["status"] != 200)
        if found.body is None:
            return found.content["status"], [tuple(issue) for issue in found.content["issues"]]
        return json.loads(found.body)

    return asked


def pended(response: Json) -> bool:
    """Whether each item has the one action code of a pended item and nothing beside it, wherever a code could stand."""
    codes = [
        coding
        for coding in codings(response)
        if "x12.org" in coding.get("system", "") or str(coding.get("code")).startswith("A")
    ]
    names = {extension["url"] for extension in everything(claim_response(response), "url")}
    return (
        set(map(tuple, actions(response).values())) == {("A4",)}
        and codes == [{"system": "https://codesystem.x12.org/005010/306", "code": "A4"}] * len(actions(response))
        and "number" not in names
        and not claim_response(response).keys()
        & {"preAuthRef", "preAuthPeriod", "addItem", "error", "total", "payment"}
    )


def codings(response: Json) -> list[Json]:
    return list(everything(claim_response(response), "system", "code"))


def everything(value: Any, *names: str) -> Iterator[Json]:
    """Every object in a JSON value that has these keys."""
    if isinstance(value, dict):
        if all(name in value for name in names):
            yield value
        for inner in value.values():
            yield from everything(inner, *names)
    elif isinstance(value, list):
        for inner in value:
            yield from everything(inner, *names)


def says(response: Json, found: Determination, desk: Desk) -> None:
    """Asserts that a response says what a determination says, and no more than it may."""
    assert pended(response)
    given = notes(response)
    assert given[0] == claim_response(response)["disposition"] == REVIEWER_DECIDES
    status = desk.kb.labels[f"https://w3id.org/policykb/policy#{found.outcome.value}"]
    assert f"CP.MP.101 revision {found.revision.entry.name}: {status}, because {found.because}." in given
    for result in found.every_criterion:
        (note,) = [note for note in given if note.startswith(f"{result.criterion.notation} (")]
        assert f"): {result.value.value}" in note and note.endswith(f" - {result.reason}.")
        assert ("; the status rests on it" in note) == result.decides
    form = questionnaire(desk.forms, found)
    resources = [held["resource"] for held in response["entry"]]
    assert [held["fullUrl"] for held in response["entry"]][1:] == (
        [] if form is None else [claim_response(response)["communicationRequest"][0]["reference"], form["url"]]
    )
    if form is None:
        assert len(resources) == 1 and "communicationRequest" not in resources[0]
    else:
        _, asked, sent = resources
        assert sent == form
        assert asked["note"][1]["text"] == f"To send in: {to_send_in(found)}." in given
        assert {"reference": form["url"]} in asked["about"]
        assert asked["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": form["url"]}]
    # What the policy's own log calls its approval is no decision on a request.
    own = [note for note in given if note not in found.notices and not note.startswith("Advice of the policy")]
    assert [note for note in own if DECISIONS.search(note)] == []


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_case_of_each_outcome_is_pended_with_the_words_of_kb_validate(
    ask: Ask, desk: Desk, run_kb: Callable[..., CompletedProcess[str]], tmp_path: Path, name: str, faults: Faults
) -> None:
    bundle = pas_of(content(name))
    response = ask(bundle)
    (tmp_path / "case.json").write_bytes(data(bundle))
    told = json.loads(run_kb("validate", "case.json", "--revision", "2026-02", "--format", "json").stdout)
    (found,) = told["determinations"]
    assert found["outcome"] == OUTCOMES[name]
    assert any(note.endswith(f"because {found['because']}.") for note in notes(response))
    reasons = [part["reason"] for part in everything(found["criterionResults"], "role", "reason")]
    assert [note.rpartition(" - ")[2] for note in notes(response) if " - " in note][: len(reasons)] == [
        f"{reason}." for reason in reasons
    ]
    assert (found["toSend"] is None) == (len(response["entry"]) == 1)
    assert pended(response)
    assert faults(response) == []
    assert list(broken(response)) == []


@pytest.mark.parametrize("name", OUTCOMES)
def test_determine_answers_with_the_bytes_of_kb_validate(
    ask: Ask,
    desk: Desk,
    run_kb: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
    name: str,
    faults: Faults,
) -> None:
    bundle = content(name)
    (tmp_path / "case.json").write_bytes(data(bundle))
    expected = run_kb("validate", "case.json", "--revision", "2026-02", "--format", "fhir").stdout
    held = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": bundle}]}
    for body in (bundle, held, bundle):
        found = work.operations(desk)["$determine"](CHOSEN, data(body))
        assert found.body is not None and found.body.decode() == expected
    assert faults(json.loads(expected)) == []
    assert list(broken(json.loads(expected))) == []


@pytest.mark.extended
def test_every_example_case_is_pended_and_says_what_was_determined(
    kb: Repository, policy: Policy, run: Run, ask: Ask, desk: Desk, tmp_path: Path, faults: Faults
) -> None:
    reader = CaseReader(kb)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    examples = [one for one in read_manifest(kb, policy.cases_folder) if one.revision == "2026-02"]
    bundles = [pas_of(fhir_of(case)) for one in examples for case in reader.read(one.path.name, one.path)]
    determined = run.answers([case_of(kb, bundle, tmp_path) for bundle in bundles])
    for bundle, found in zip(bundles, determined, strict=True):
        assert isinstance(found, Determination)
        response = ask(bundle)
        says(response, found, desk)
        wrong += faults(response) + list(broken(response))
        outcomes[found.outcome.value] += 1
    assert wrong == []
    assert set(outcomes) == set(OUTCOMES.values())
    assert sum(outcomes.values()) > 150


def test_a_response_repeats_what_ties_it_to_its_request_and_nothing_else(ask: Ask) -> None:
    response = ask(pas_of(content("a-plan-of-unknown-kind-is-asked-for")))
    given, asked, form = (held["resource"] for held in response["entry"])
    number = response["entry"][0]["fullUrl"].removeprefix("urn:uuid:")
    now = response["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", now)
    assert {**response, "entry": []} == {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{PAS}profile-pas-response-bundle|2.2.1"]},
        "identifier": SENT,
        "type": "collection",
        "timestamp": now,
        "entry": [],
    }
    (item,) = given.pop("item")
    trace = {"system": "urn:ietf:rfc:3986", "value": form["url"]}
    assert [found["valueIdentifier"] for found in extensions(item, "itemTraceNumber")] == [TRACE, trace]
    assert item["itemSequence"] == 1
    assert item["noteNumber"] == [note["number"] for note in given.pop("processNote")]
    assert given == {
        "resourceType": "ClaimResponse",
        "id": number,
        "meta": {"profile": [f"{PAS}profile-claimresponse|2.2.1"]},
        "identifier": [EVENT],
        "status": "active",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}]},
        "use": "preauthorization",
        "patient": {"reference": f"{EHR}/Patient/p"},
        "created": now,
        "insurer": {"reference": f"{EHR}/Organization/insurer"},
        "requestor": {"reference": f"{EHR}/Organization/provider"},
        "request": {"reference": f"{EHR}/Claim/request"},
        "outcome": "complete",
        "disposition": REVIEWER_DECIDES,
        "communicationRequest": [{"reference": response["entry"][1]["fullUrl"]}],
    }
    asked.pop("note")
    assert asked == {
        "resourceType": "CommunicationRequest",
        "id": response["entry"][1]["fullUrl"].removeprefix("urn:uuid:"),
        "meta": {"profile": [f"{PAS}profile-communicationrequest|2.2.1"]},
        "extension": [{"url": f"{PAS}extension-serviceLineNumber", "valuePositiveInt": 1}],
        "identifier": [trace],
        "status": "active",
        "subject": {"reference": f"{EHR}/Patient/p"},
        "about": [{"reference": f"{EHR}/Claim/request"}, {"reference": form["url"]}],
        "payload": [{"contentString": "102089-0"}],
        "authoredOn": now,
        "requester": {"reference": f"{EHR}/Organization/insurer"},
        "recipient": [{"reference": f"{EHR}/Organization/insurer"}],
        "sender": {"reference": f"{EHR}/Organization/provider"},
    }


def test_no_two_responses_share_a_name(ask: Ask) -> None:
    bundle = pas_of(content("a-plan-of-unknown-kind-is-asked-for"))
    urls = [held["fullUrl"] for _ in range(3) for held in ask(bundle)["entry"][:2]]
    assert len(set(urls)) == 6


def test_items_keep_their_numbers_and_traces_and_a_request_of_several_is_meant_as_a_whole(ask: Ask) -> None:
    bundle = pas_of(content("a-plan-of-unknown-kind-is-asked-for"))
    claim = bundle["entry"][0]["resource"]
    (first,) = claim["item"]
    scan = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "70553"}]}
    without = {**first, "sequence": 3, "extension": [certified("I")], "productOrService": scan}
    claim["item"] = [asked_in_pas(first) | {"sequence": 7}, without]
    response = ask(bundle)
    assert actions(response) == {7: ["A4"], 3: ["A4"]}
    form = response["entry"][2]["resource"]["url"]
    values = [
        [found["valueIdentifier"]["value"] for found in extensions(item, "itemTraceNumber")]
        for item in claim_response(response)["item"]
    ]
    assert values == [["1122334", form], [form]]
    assert "extension" not in response["entry"][1]["resource"]


def test_a_provider_that_is_no_organization_is_not_named_as_one(ask: Ask) -> None:
    bundle = pas_of(content("a-plan-of-unknown-kind-is-asked-for"))
    bundle["entry"][0]["resource"]["provider"] = {"reference": "PractitionerRole/role"}
    bundle["entry"].append(entry({"resourceType": "PractitionerRole", "id": "role"}))
    response = ask(bundle)
    assert claim_response(response)["requestor"] == {"reference": f"{EHR}/PractitionerRole/role"}
    assert not response["entry"][1]["resource"].keys() & {"sender", "recipient"}


def test_a_type_of_claim_that_r4_does_not_have_is_not_repeated(ask: Ask) -> None:
    bundle = pas_of()
    bundle["entry"][0]["resource"]["type"] = {"coding": [{"system": "urn:x", "code": "Jane"}], "text": "Jane"}
    absent = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unsupported"}
    assert claim_response(ask(bundle))["type"] == {"coding": [absent]}


def test_answers_come_back_through_the_same_door(ask: Ask) -> None:
    bundle = pas_of(content("a-plan-of-unknown-kind-is-asked-for"))
    assert len(ask(bundle)["entry"]) == 3
    code = {"system": "https://w3id.org/policykb/case#", "code": "Commercial"}
    form = {
        "resourceType": "QuestionnaireResponse",
        "id": "answers",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "authored": "2026-06-25",
        "item": [{"linkId": "Coverage/lineOfBusiness", "answer": [{"valueCoding": code}]}],
    }
    bundle["entry"].append(entry(form))
    response = ask(bundle)
    assert len(response["entry"]) == 1
    assert notes(response)[1].startswith("CP.MP.101 revision 2026-02: criteria met, because ")


# ---------------------------------------------------------------------- updates and cancellations


UPDATE = "This is an update of an earlier request. It is read as it stands: nothing of the earlier one is kept here."
NO_ACTION = "This item is cancelled by the request itself, so nothing is said of it."


@pytest.mark.parametrize("code", ["S", "R", "4", "I"])
def test_an_update_is_read_in_place_of_the_request_before_it(ask: Ask, code: str) -> None:
    bundle = pas_of()
    (item,) = bundle["entry"][0]["resource"]["item"]
    response = ask(updated(bundle, asked_in_pas(item, code) | {"servicedDate": "2026-07-03"}))
    assert claim_response(response)["request"] == {"reference": f"{EHR}/Claim/update"}
    assert notes(response)[1] == UPDATE
    assert actions(response) == {1: ["A4"]}
    assert any("acute GvHD assessment 2026-06-20, 13 days" in note for note in notes(response))


def test_an_update_without_the_claim_before_it_is_read_too(ask: Ask) -> None:
    bundle = updated(pas_of())
    del bundle["entry"][1]
    response = ask(bundle)
    assert (notes(response)[1], actions(response)) == (UPDATE, {1: ["A4"]})


def test_an_item_that_an_update_cancels_has_no_action_and_the_new_one_is_determined(
    ask: Ask, run_kb: Callable[..., CompletedProcess[str]], tmp_path: Path, faults: Faults
) -> None:
    bundle = pas_of()
    (item,) = bundle["entry"][0]["resource"]["item"]
    new = asked_in_pas({**item, "sequence": 2, "servicedDate": "2026-07-08"}, value="2")
    both = updated(bundle, cancelled(item), new)
    response = ask(both)
    assert actions(response) == {1: [], 2: ["A4"]}
    gone, asked = claim_response(response)["item"]
    last = len(notes(response))
    assert (gone["noteNumber"], asked["noteNumber"]) == ([last], list(range(1, last)))
    assert notes(response)[-1] == NO_ACTION
    assert [extensions(item, "itemTraceNumber")[0]["valueIdentifier"]["value"] for item in (gone, asked)] == [
        "1122334",
        "2",
    ]
    assert (faults(response), list(broken(response))) == ([], [])
    (tmp_path / "case.json").write_bytes(data(both))
    told = json.loads(run_kb("validate", "case.json", "--revision", "2026-02", "--format", "json").stdout)
    assert told["determinations"][0]["serviceDate"] == "2026-07-08"


def cancelling(**changes: Any) -> Json:
    return updated(pas_of(), **changes)


def of_claim(**changes: Any) -> Json:
    bundle = pas_of()
    bundle["entry"][0]["resource"] |= changes
    return bundle


ITEM = pas_of()["entry"][0]["resource"]["item"][0]
NOT_DETERMINED = "A cancelled request is not determined; nothing is kept here that would have to be cancelled"
CANCELLATIONS = {
    "as a whole": (
        cancelling(extension=[certified("3")], item=[]),
        "the request is cancelled: its certification type is cancel",
    ),
    "by its status": (of_claim(status="cancelled"), "the request is cancelled: its status is cancelled"),
    "in each item": (cancelling(item=[cancelled(ITEM)]), "the request is cancelled: each of its items is cancelled"),
    "in each item, without the flag": (
        of_claim(item=[asked_in_pas(ITEM, "3")]),
        "the request is cancelled: each of its items is cancelled",
    ),
}


@pytest.mark.parametrize("name", CANCELLATIONS)
def test_a_cancelled_request_is_not_determined_and_hears_so(ask: Ask, name: str) -> None:
    bundle, why = CANCELLATIONS[name]
    assert ask(bundle) == (422, [("business-rule", f"{why}. {NOT_DETERMINED}")])
    # Nor through any other door.
    status, issues = ask(bundle, "$determine")
    assert (status, issues[0][1].partition(":")[2].strip().partition(":")[0]) == (422, "no request")


# ---------------------------------------------------------------------- what cannot be processed


def edited(edit: Callable[[Json], object], bundle: Json | None = None) -> Json:
    found = bundle or pas_of()
    edit(found)
    return found


def without(*names: str) -> Json:
    """The request without elements of the bundle."""
    return {name: value for name, value in pas_of().items() if name not in names}


def party(name: str, **reference: Any) -> Json:
    return of_claim(**{name: reference or {"display": "somebody"}})


PAS_WAY = "send the bundle as PAS defines it"
INTO = "put what the Claim refers to into the bundle"
NUMBER = "is missing, no number from 1, or that of another item; number the items"
NO_FULL_URL = "give it the URL of the resource at its server, or a urn:uuid"
LATER = {"id": "second", "related": []}
NOT_PROCESSED: dict[str, tuple[Any, int, str, str]] = {
    "not JSON": (
        b'{"resourceType": "Bundle"',
        400,
        "structure",
        "case:1: not valid JSON: Expecting ',' delimiter, column 26; correct the syntax",
    ),
    "XML": (
        b'<Bundle xmlns="http://hl7.org/fhir"/>',
        400,
        "structure",
        "case:1: not valid JSON: Expecting value, column 1; correct the syntax",
    ),
    "no resource": (b'{"patient": "Jane"}', 400, "structure", "case: no FHIR resource; send a Bundle"),
    "a resource alone": (
        pas_of()["entry"][0]["resource"],
        400,
        "structure",
        "case: no Bundle; put all that belongs to the request into a Bundle",
    ),
    "Parameters": (
        {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": pas_of()}]},
        422,
        "invalid",
        "no Bundle; send a PAS request bundle",
    ),
    "another type of bundle": (
        {**pas_of(), "type": "batch"},
        422,
        "invalid",
        f"Bundle.type is not collection; {PAS_WAY}",
    ),
    "no identifier": (
        without("identifier"),
        422,
        "invalid",
        "Bundle.identifier has no value; give the bundle the number of this transaction",
    ),
    "no timestamp": (
        without("timestamp"),
        422,
        "invalid",
        "Bundle.timestamp is missing or no instant; say when the bundle was made",
    ),
    "no entry": ({**pas_of(), "entry": []}, 422, "invalid", f"the bundle has no entry; {PAS_WAY}"),
    "an entry of something else": (
        edited(lambda bundle: bundle["entry"].append("Jane")),
        422,
        "invalid",
        "entry[9] holds no resource; put it into resource",
    ),
    "no Claim": (
        edited(lambda bundle: bundle["entry"].pop(0)),
        422,
        "invalid",
        "no Claim in the bundle; send the request as a Claim, first in the bundle",
    ),
    "a Claim that is not first": (
        edited(lambda bundle: bundle["entry"].reverse()),
        422,
        "invalid",
        "the first entry is no Claim; put the Claim that is asked for first",
    ),
    "a fullUrl twice": (
        edited(lambda bundle: bundle["entry"].append(deepcopy(bundle["entry"][3]))),
        422,
        "invalid",
        "entry[9] has the fullUrl of entry[3]; send each resource once, under a URL of its own",
    ),
    "no fullUrl": (
        edited(lambda bundle: bundle["entry"][2].pop("fullUrl")),
        422,
        "invalid",
        f"entry[2].fullUrl is missing or no URL of a resource; {NO_FULL_URL}",
    ),
    "no items": (
        of_claim(item=[]),
        422,
        "invalid",
        "the Claim has no item; name what is asked for in an item",
    ),
    "an item without a number": (
        of_claim(item=[{**ITEM, "sequence": 0}]),
        422,
        "invalid",
        f"Claim.item[0].sequence {NUMBER}",
    ),
    "an item with a number beyond those of FHIR": (
        of_claim(item=[{**ITEM, "sequence": 2**31}]),
        422,
        "invalid",
        f"Claim.item[0].sequence {NUMBER}",
    ),
    "an item with a truth in place of a number": (
        of_claim(item=[{**ITEM, "sequence": True}]),
        422,
        "invalid",
        f"Claim.item[0].sequence {NUMBER}",
    ),
    "two items of one number": (
        of_claim(item=[ITEM, ITEM]),
        422,
        "invalid",
        f"Claim.item[1].sequence {NUMBER}",
    ),
    "a draft": (
        of_claim(status="draft"),
        422,
        "invalid",
        "the status of the Claim is not active; send a Claim that is active",
    ),
    "a claim for payment": (
        of_claim(use="claim"),
        422,
        "invalid",
        "the use of the Claim is not preauthorization; send a request for preauthorization",
    ),
    "no insurer": (party("insurer"), 422, "invalid", f"Claim.insurer names no resource of the bundle; {INTO}"),
    "a patient elsewhere": (
        party("patient", reference="Patient/elsewhere"),
        422,
        "invalid",
        f"Claim.patient names no resource of the bundle; {INTO}",
    ),
    "two requests": (
        edited(
            lambda bundle: bundle["entry"].append(entry({**deepcopy(bundle["entry"][0]["resource"]), "id": "second"}))
        ),
        422,
        "invalid",
        "entry[9] Claim is another request than the first, and not one that it updates; send one bundle a request",
    ),
    "two patients": (
        edited(lambda bundle: bundle["entry"][4]["resource"].update(beneficiary={"reference": "Patient/other"})),
        422,
        "processing",
        "case: resources of more than one patient; send one bundle a patient",
    ),
    "FHIR R5": (
        edited(lambda bundle: bundle["entry"][4]["resource"].update(kind="insurance")),
        422,
        "processing",
        "case: entry[4] Coverage is of FHIR R5 (kind); convert it to FHIR R4 (4.0.1)",
    ),
    "FHIR STU3": (
        edited(lambda bundle: bundle["entry"].append(entry({"resourceType": "ProcedureRequest", "id": "x"}))),
        422,
        "processing",
        "case: entry[9] is a ProcedureRequest, a resource of FHIR STU3; convert all to FHIR R4 (4.0.1)",
    ),
    "an inquiry": (
        of_claim(meta={"profile": [f"{PAS}profile-claim-inquiry"]}),
        422,
        "processing",
        "case: no request: entry[0] Claim: it is an inquiry about an earlier request; send a Claim with use "
        "preauthorization, or a ServiceRequest, that is active",
    ),
    "no service date": (
        of_claim(item=[{name: value for name, value in ITEM.items() if name != "servicedDate"}]),
        422,
        "processing",
        "case: no service date; give the request one full date of service",
    ),
}


@pytest.mark.parametrize("name", NOT_PROCESSED)
def test_what_cannot_be_processed_is_no_response(ask: Ask, name: str) -> None:
    bundle, status, code, text = NOT_PROCESSED[name]
    assert ask(bundle) == (status, [(code, text)])


def test_what_is_refused_is_a_valid_outcome(faults: Faults) -> None:
    issues = {(code, text) for _, _, code, text in NOT_PROCESSED.values()} | {("business-rule", "cancelled")}
    found = operation_outcome(sorted(issues))
    assert (faults(found), list(broken(found))) == ([], [])


def test_an_answer_to_another_request_than_the_first_is_refused(
    desk: Desk, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = content()
    other["entry"].reverse()
    answered = desk.answers(data(other), "json", CHOSEN)
    monkeypatch.setattr(desk, "answers", lambda *_: answered)
    text = "the first entry is not the request that was read; put the Claim that is asked for first"
    assert ask(pas_of()) == (422, [("invalid", text)])


def test_what_no_terminal_should_obey_is_escaped_in_an_answer(desk: Desk) -> None:
    bundle = pas_of()
    bundle["identifier"]["value"] = "\ud800\u202e\x1b[31m"
    found = work.operations(desk)["Claim/$submit"](CHOSEN, data(bundle)).body
    assert found is not None and b"\\ud800\\u202e\\u001b[31m" in found


def test_a_revision_that_is_not_on_file_is_no_response(ask: Ask) -> None:
    bundle = of_claim(item=[{**ITEM, "servicedDate": "2022-11-01"}])
    text = "the criteria of CP.MP.101 revision 2022-10 are not on file; nearest on file: revision 2023-10"
    assert ask(bundle, chosen={**CHOSEN, "revision": None}) == (422, [("processing", text)])


def test_a_case_that_breaks_the_case_shapes_is_no_response(desk: Desk) -> None:
    # What is read of FHIR keeps the shapes; plain JSON need not.
    finding = {"type": "AcuteGvHDAssessment", "date": "2026-06-20"}
    case = {"patient": "p", "request": {"serviceDate": "2026-07-01"}, "findings": [finding]}
    (found,) = desk.answers(data(case), "json", CHOSEN)
    assert isinstance(found, Malformed)
    assert work.why_not(found) == [("invalid", violation.message) for violation in found.violations]
    assert len(found.violations) > 0


def test_the_order_of_a_bundle_cannot_tie_an_answer_to_another_request(ask: Ask) -> None:
    # The first is a draft by its certification type alone; the other would be determined by itself.
    bundle = updated(pas_of(), status="entered-in-error")
    assert ask(bundle) == (
        422,
        [("invalid", "the status of the Claim is not active; send a Claim that is active")],
    )


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value within a JSON value."""
    within = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in within:
        yield (*path, step)
        yield from places(inner, (*path, step))


def test_a_request_of_any_other_shape_is_pended_or_refused(ask: Ask) -> None:
    """In every place one of four wrong values: all places times all values came to the same, and take a minute."""
    wrong: Iterator[Any] = cycle([None, [], {"x": [None]}, -1])
    bundle = updated(pas_of(content("a-plan-of-unknown-kind-is-asked-for")))
    found: Counter[str] = Counter()
    for path in places(bundle):
        changed = deepcopy(bundle)
        holder: Any = changed
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = next(wrong)
        response = ask(changed)
        if isinstance(response, tuple):
            assert response[0] == 422 and response[1]
            found["refused"] += 1
        else:
            assert pended(response) and list(broken(response)) == []
            found["pended"] += 1
    assert min(found["refused"], found["pended"]) > 60


# ---------------------------------------------------------------------- whom nothing may name


MARK = "Planted-7f3a"
# Where a response repeats what stands in a request.
REPEATED = re.compile(
    r"identifier\.(system|value)|entry\[0\]\.resource\.identifier\[0\]\.(system|value)"
    r"|entry\[0\]\.resource\.item\[0\]\.extension\[0\]\.valueIdentifier\.(system|value)"
)


def rich() -> Json:
    """An open request in which people are described at length."""
    bundle = pas_of(content("a-plan-of-unknown-kind-is-asked-for"))
    for held in bundle["entry"]:
        resource = held["resource"]
        if resource["resourceType"] == "Patient":
            resource |= {
                "name": [{"family": "f", "given": ["g"], "text": "t"}],
                "telecom": [{"system": "phone", "value": "v"}],
                "address": [{"line": ["l"], "city": "c", "text": "t"}],
                "birthDate": "1970-01-01",
            }
        if resource["resourceType"] == "Claim":
            resource |= {"text": {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>d</div>"}}
            resource["patient"] |= {"display": "d"}
            resource["item"][0]["productOrService"] |= {"text": "t"}
    bundle["entry"].append(entry({**organization("third", "PR"), "alias": ["a"]}))
    return bundle


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The path of every string in a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, f"{path}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from paths(inner, f"{path}[{i}]")
    elif isinstance(value, str):
        yield path


def planted(value: Any, path: str) -> Any:
    """A copy with the mark in place of the string at a path."""
    found = deepcopy(value)
    *steps, last = re.findall(r"\w+", path)
    holder = found
    for step in steps:
        holder = holder[int(step) if step.isdigit() and isinstance(holder, list) else step]
    holder[int(last) if last.isdigit() and isinstance(holder, list) else last] = MARK
    return found


def test_what_is_planted_in_any_string_comes_out_only_where_it_ties_the_answer_to_its_request(
    ask: Ask, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = rich()
    everywhere = list(paths(bundle))
    out: list[str] = []
    answered = 0
    with caplog.at_level(logging.DEBUG):
        for path in everywhere:
            body = planted(bundle, path)
            for operation in ("Claim/$submit", "$determine"):
                found = ask(body, operation)
                answered += isinstance(found, dict)
                if any(MARK in text for text in strings(found if isinstance(found, dict) else list(found[1:]))):
                    out.append(f"{operation} {path}")
    assert len(everywhere) > 120 and answered > len(everywhere)
    assert [path for path in out if not REPEATED.fullmatch(path.removeprefix("Claim/$submit "))] == []
    assert len(out) == 6
    output = capfd.readouterr()
    assert MARK not in caplog.text + output.out + output.err


# ---------------------------------------------------------------------- the checks can fail


@pytest.mark.parametrize(
    ("edit", "rules"),
    [
        (lambda b: b["entry"].reverse(), ["Bundle: ClaimResponseFirst"]),
        (lambda b: b.pop("identifier"), ["Bundle: identifier 1..1"]),
        (lambda b: b["entry"].append(b["entry"][2]), ["Bundle: bdl-7"]),
        (lambda b: claim_response(b).update(outcome="queued"), ["entry[0] ClaimResponse: outcome of the guide"]),
        (lambda b: claim_response(b).pop("request"), ["entry[0] ClaimResponse: request 1..1"]),
        (lambda b: claim_response(b)["processNote"].pop(), ["entry[0] ClaimResponse: notes are there"]),
        (
            lambda b: claim_response(b)["item"][0]["extension"][0]["valueIdentifier"].pop("system"),
            ["entry[0] ClaimResponse: itemTraceNumber is a PASIdentifier"],
        ),
        (
            lambda b: b["entry"][1]["resource"].pop("identifier"),
            ["entry[1] CommunicationRequest: IdentifierUnlessVO"],
        ),
        (
            lambda b: b["meta"].update(profile=[f"{PAS}profile-pas-response-bundle|2.1.0"]),
            [f"{PAS}profile-pas-response-bundle|2.1.0: not known here"],
        ),
    ],
)
def test_a_response_that_breaks_a_rule_of_its_profiles_is_found(
    ask: Ask, edit: Callable[[Json], object], rules: list[str]
) -> None:
    response = ask(pas_of(content("a-plan-of-unknown-kind-is-asked-for")))
    assert list(broken(response)) == []
    edit(response)
    assert set(rules) <= set(broken(response))


def test_a_response_that_is_not_r4_is_found(ask: Ask, validator: Faults) -> None:
    response = ask(pas_of())
    claim_response(response)["status"] = "pended"
    del claim_response(response)["insurer"]
    claim_response(response)["decision"] = {}
    assert validator(response) == [
        'error: ClaimResponse.status: Code "pended" not found in value set',
        "error: ClaimResponse.insurer: Missing property",
        "warning: ClaimResponse.decision: Unexpected property",
    ]
