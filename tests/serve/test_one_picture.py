"""One case through every door: the same outcome, the same criteria with the same reasons, the same missing items.

The doors: the command, Python, plain HTTP, FHIR's $determine, PAS' Claim/$submit, CDS Hooks and the tools of agents.
What a door leaves out stands in the test of that door.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from agents import call, in_memory
from bundles import data
from crd_invariants import said
from fhir_of import fhir_of
from hook_calls import call_of
from mcp import Client
from pas import actions, claim_response, notes, pas_of
from starlette.testclient import TestClient

import kb_tools
from kb_tools.determine.in_words import AskGroup, Asks, keeps_open, to_send_in
from kb_tools.determine.result import REVIEW, Determination
from kb_tools.model.policy import Policy
from kb_tools.serve.mcp.office import Office

pytest.importorskip("fhirclient")

Json = dict[str, Any]
REVISION = "2026-02"
# An example case of each outcome, and the words for it.
EXAMPLES = {
    "refractory-leukemia-meets": ("CriteriaMet", "criteria met"),
    "acute-gvhd-of-grade-2-excludes": ("CriteriaNotMet", "criteria not met"),
    "dual-eligible-plan-is-referred": ("PolicyNotApplicable", "policy not applicable"),
    "mrd-before-the-transplant-does-not-count": ("InformationNeeded", "information needed"),
    "grades-1-and-3-on-one-day-conflict": ("InformationConflicting", "information conflicting"),
}
PAGES = "http://127.0.0.1:8014"


@dataclass(frozen=True)
class Criterion:
    """What is said of one criterion."""

    place: str
    value: str
    decides: bool
    reason: str


@dataclass(frozen=True)
class Picture:
    """What a door says of a case.

    Attributes:
        missing: what to send in, as the JSON of `kb validate` has it; None where nothing is.
    """

    outcome: str
    because: str
    referred_to: str | None
    criteria: tuple[Criterion, ...]
    missing: Json | None


@dataclass(frozen=True)
class Example:
    """An example case as a FHIR bundle, and what Python says of it.

    Attributes:
        asks: what to send in, in the words of every door that writes for people.
        form: the Questionnaire that asks for it, as $determine gives it; None where nothing is missing.
    """

    name: str
    bundle: Json
    found: Determination
    picture: Picture
    asks: AskGroup | None


@pytest.fixture(scope="module")
def examples(kb: Any, policy: Policy) -> dict[str, Example]:
    opened = kb_tools.open(kb.root)
    made = {}
    for name in EXAMPLES:
        bundle = fhir_of(opened.read_case(policy.cases_folder / f"{name}.ttl"))
        found = opened.determine(opened.read_case(data(bundle)), revision=REVISION)
        assert isinstance(found, Determination)
        made[name] = Example(name, bundle, found, of_python(found), to_send_in(found))
    return made


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest, examples: dict[str, Example]) -> Example:
    return examples[request.param]


def of_python(found: Determination) -> Picture:
    criteria = (
        Criterion(one.criterion.notation, one.value.value, one.decides, one.reason) for one in found.every_criterion
    )
    referred = found.referred_to[0] if found.referred_to else None
    return Picture(found.outcome.value, found.because, referred, tuple(criteria), found.to_dict()["toSend"])


def of_json(content: Json) -> Picture:
    """The picture in a determination as `kb validate --format json` writes it."""

    def criteria(results: list[Json]) -> Iterator[Criterion]:
        for one in results:
            yield Criterion(one["place"], one["value"], one["decides"], one["reason"])
            yield from criteria(one["parts"])

    return Picture(
        content["outcome"],
        content["because"],
        content["referredTo"],
        tuple(criteria(content["criterionResults"])),
        content["toSend"],
    )


def test_an_example_is_what_its_manifest_says_and_there_is_one_of_each_outcome(examples: dict[str, Example]) -> None:
    assert {name: one.picture.outcome for name, one in examples.items()} == {
        name: outcome for name, (outcome, _) in EXAMPLES.items()
    }
    assert [one.picture.missing is not None for one in examples.values()] == [False, False, False, True, True]
    assert all(len(one.picture.criteria) == 7 for one in examples.values())


# ---------------------------------------------------------------------- doors that say it all


def test_the_command(example: Example, run_kb: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(data(example.bundle))
    told = json.loads(run_kb("validate", "case.json", "--revision", REVISION, "--format", "json").stdout)
    assert [of_json(one) for one in told["determinations"]] == [example.picture]


def test_plain_http(client: TestClient, example: Example) -> None:
    response = client.post(
        f"/api/determine?revision={REVISION}",
        content=data(example.bundle),
        headers={"Content-Type": "application/fhir+json"},
    )
    assert [of_json(one) for one in response.json()["determinations"]] == [example.picture]


def test_the_tools_of_agents(office: Office, example: Example) -> None:
    async def work(agent: Client) -> tuple[Json, Json]:
        asked = {"case": example.bundle, "revision": REVISION}
        return await call(agent, "determine_case", **asked), await call(agent, "missing_information", **asked)

    determined, missing = in_memory(office, work)
    criteria = [Criterion(one["place"], one["value"], one["decides"], one["reason"]) for one in determined["criteria"]]
    assert example.picture == Picture(
        determined["outcome"], determined["because"], determined["referredTo"], tuple(criteria), determined["toSend"]
    )
    assert (missing["outcome"], missing["because"], missing["toSend"]) == (
        example.picture.outcome,
        example.picture.because,
        example.picture.missing,
    )
    assert {one["condition"] for one in missing["missing"]} == set(conditions(example.picture.missing))


def conditions(part: Any) -> Iterator[str]:
    """The conditions in what is to be sent in."""
    if isinstance(part, list):
        for inner in part:
            yield from conditions(inner)
    elif part and "condition" in part:
        yield part["condition"]
    elif part:
        yield from conditions(part.get("allOf", part.get("anyOf")))


# ---------------------------------------------------------------------- FHIR


def determined(client: TestClient, example: Example) -> tuple[Json, Json | None]:
    """The GuidanceResponse and the Questionnaire of $determine."""
    found = fhir(client, "$determine", example.bundle)
    response, *forms = sorted((entry["resource"] for entry in found["entry"]), key=lambda one: one["resourceType"])
    return response, forms[0] if forms else None


def fhir(client: TestClient, operation: str, bundle: Json) -> Json:
    headers = {"Content-Type": "application/fhir+json"}
    response = client.post(f"/fhir/{operation}?revision={REVISION}", content=data(bundle), headers=headers)
    assert response.status_code == 200, response.text
    content: Json = response.json()
    return content


def test_determine_says_all_but_what_leaves_a_condition_open(client: TestClient, example: Example) -> None:
    """Left out: `leftOpenBy`, which the facts of the condition say."""
    response, form = determined(client, example)
    parameters = response["contained"][0]["parameter"]
    (outcome,) = (one["valueCoding"]["code"] for one in parameters if one["name"] == "outcome")
    because = response["note"][0]["text"].removeprefix("because ")
    missing = [need(one) for one in parameters if one["name"] in ("allOf", "anyOf")]
    # The policy that is referred to is named by its IRI.
    referred = [one["valueUri"].rpartition("/")[2] for one in parameters if one["name"] == "referredTo"]
    found = Picture(
        outcome, because, next(iter(referred), None), tuple(criteria_in(parameters)), next(iter(missing), None)
    )
    assert found == replace(example.picture, missing=without(example.picture.missing, "leftOpenBy"))
    assert (form is None) == (example.picture.missing is None)


def criteria_in(parameters: list[Json]) -> Iterator[Criterion]:
    for one in parameters:
        if one["name"] == "criterionResult":
            parts = {part["name"]: part for part in one["part"]}
            yield Criterion(
                parts["place"]["valueString"],
                parts["value"]["valueCoding"]["code"].lower(),
                parts["decides"]["valueBoolean"],
                parts["reason"]["valueString"],
            )
            yield from criteria_in(one["part"])


def need(parameter: Json) -> Json:
    """What to send in, of a parameter."""
    if parameter["name"] != "send":
        return {parameter["name"]: [need(part) for part in parameter["part"]]}
    said_ = [(part["name"], part.get("valueUri", part.get("valueString"))) for part in parameter["part"]]
    return {**dict(said_), "toSettle": [text for name, text in said_ if name == "toSettle"]}


def without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: without(inner, name) for key, inner in value.items() if key != name}
    return [without(inner, name) for inner in value] if isinstance(value, list) else value


def test_submit_says_it_to_the_reviewer_who_decides(client: TestClient, example: Example) -> None:
    """Left out: the outcome as a code, and the conditions by name, since the response is pended whatever they are.

    The Questionnaire, and with it what is missing, is that of $determine.
    """
    response = fhir(client, "Claim/$submit", pas_of(example.bundle))
    told, picture = notes(response), example.picture
    assert actions(response) == {1: ["A4"]}
    assert f"CP.MP.101 revision {REVISION}: {EXAMPLES[example.name][1]}, because {picture.because}." in told
    referred = [note for note in told if note.startswith("The policy to read is ")]
    assert referred == ([f"The policy to read is {picture.referred_to}."] if picture.referred_to else [])
    assert tuple(criteria_of_notes(told)) == picture.criteria
    assert [note for note in told if note.startswith("To send in: ")] == (
        [f"To send in: {example.asks}."] if example.asks else []
    )
    _, form = determined(client, example)
    assert [one["resource"] for one in response["entry"] if one["resource"]["resourceType"] == "Questionnaire"] == (
        [form] if form else []
    )
    assert ("communicationRequest" in claim_response(response)) == bool(form)


NOTE = re.compile(r"(?P<place>.+?) \(\w+: .+?\): (?P<value>\w+)(?P<rests>; the status rests on it)? - (?P<reason>.+)\.")


def criteria_of_notes(told: list[str]) -> Iterator[Criterion]:
    for note in told:
        if found := NOTE.fullmatch(note):
            yield Criterion(found["place"], found["value"], bool(found["rests"]), found["reason"])


# ---------------------------------------------------------------------- CDS Hooks


def test_order_sign_says_what_a_preview_may(client: TestClient, example: Example) -> None:
    """Left out: the criteria that neither decide nor keep the outcome open, and all codes and names of conditions.

    Of the others, the reasons stand for the conditions one by one. The order is a draft, and the card says that; where
    the policy does not apply, nothing is said of coverage. The Questionnaire is that of order and plan, before the
    chart fills it.
    """
    sent = data(call_of(example.bundle))
    response = client.post("/cds-services/order-sign", content=sent, headers={"Content-Type": "application/json"})
    body, picture = response.json(), example.picture
    (card,) = body["cards"]
    status = EXAMPLES[example.name][1]
    assert card["summary"] == f"CP.MP.101 revision {REVISION}: {status}"
    title, because, shown, *others = (re.sub(r"\\(.)", r"\1", part) for part in card["detail"].split("\n\n"))
    assert title.startswith(f"**{status.capitalize()}**")
    assert because == f"Because {picture.because}."
    values = [re.match(rf"- \[(.+)\]\({PAGES}\S+\), (\w+): ", line) for line in shown.split("\n")]
    assert [(found[1], found[2]) for found in values if found] == [
        (result.criterion.notation, result.value.value)
        for result in example.found.criterion_results
        if result.decides or keeps_open(example.found, result)
    ]
    assert [part for part in others if part.startswith("To send in:")] == (
        ["\n".join(("To send in:", *listed(example.asks)))] if example.asks else []
    )
    assert "this is a preview of what it comes to as it stands" in card["detail"] and REVIEW in card["detail"]
    if picture.outcome == "PolicyNotApplicable":
        assert "systemActions" not in body
        return
    (action,) = body["systemActions"]
    information = said(action["resource"])
    assert f"CP.MP.101 revision {REVISION}: {status}, because {picture.because}." in information["reason"][0]["text"]
    assert (information["covered"], information["pa-needed"]) == (["conditional"], ["auth-needed"])
    assert ("questionnaire" in information) == (picture.missing is not None)


def listed(asks: Asks, depth: int = 0) -> list[str]:
    """What to send in, as the list of a card has it."""
    if not isinstance(asks, AskGroup):
        return [f"{'  ' * depth}- {asks}"]
    head = (
        [f"{'  ' * depth}- {'Any one' if asks.operator == 'any' else 'All'} of these:"] if len(asks.parts) > 1 else []
    )
    return [*head, *(line for part in asks.parts for line in listed(part, depth + len(head)))]
