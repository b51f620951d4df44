"""What identifies a person comes back in no answer and no error, and stands in no log, whichever argument it is in."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
from agents import in_memory, over_http, over_stdio, talk
from mcp import Client
from mcp.shared.exceptions import MCPError
from test_agent_tools import CALLS

from kb_tools.serve.mcp.office import Office
from kb_tools.serve.mcp.tools import TOOLS

ROOT = Path(__file__).parents[3]
# A name, a number and a birthday that stand nowhere else.
NAME, NUMBER, BORN = "Zebulonqx", "4711-0815-77", "1931-02-17"
PLANTED = (NAME, NUMBER, BORN)
TURTLE = (ROOT / "tests/data/case.ttl").read_text(encoding="utf-8")
PLAIN: dict[str, Any] = {
    "patient": "p",
    "request": {"serviceDate": "2026-07-01", "reason": "AcuteMyeloidLeukemia", "purposes": ["TreatRelapse"]},
    "findings": [{"type": "AcuteGvHDAssessment", "date": "2026-06-20", "basis": "ChartEvidence", "grade": 1}],
}


def planted_in_json(value: Any, within: Any = None) -> Iterator[Any]:
    """A value of JSON with an identifier in each of its places in turn: as value, as key, in a list, as an object."""
    for given in (*PLANTED, [NAME], {NAME: NUMBER}, float(NUMBER.replace("-", "")), None):
        yield given
    if isinstance(value, dict):
        for key, inner in value.items():
            for changed in planted_in_json(inner):
                yield value | {key: changed}
        for given in PLANTED:
            yield value | {given: given}
    elif isinstance(value, list):
        for given in (NAME, {NAME: NUMBER}):
            yield [*value, given]
        for changed in planted_in_json(value[0]):
            yield [changed, *value[1:]]


def cases() -> Iterator[Any]:
    """Cases with an identifier somewhere."""
    yield from planted_in_json(PLAIN)
    lines = TURTLE.splitlines()
    for number, line in enumerate(lines):
        if line.strip() and not line.startswith("PREFIX"):
            # In place of a line, and of what stands last in it.
            first, _, last = line.rstrip(" ;.,]").rpartition(" ")
            rest = line[len(first) + 1 + len(last) :]
            for given in (
                f'"{NAME} {NUMBER}"',
                f"<urn:x:{NAME}>",
                f"clin:{NAME}",
                f'"{BORN}"^^xsd:date',
                f"nobody:{NAME}",
            ):
                yield "\n".join([*lines[:number], f"{first} {given}{rest}", *lines[number + 1 :]])
            yield "\n".join([*lines[:number], f"{NAME} {NUMBER}", *lines[number + 1 :]])
    yield TURTLE.replace(":case", f":{NAME}")
    yield f"{TURTLE}\n<urn:x:{NAME}> a clin:{NAME} , clin:Transplant ; <urn:y:{NAME}> '{NUMBER}' ."
    yield f"{TURTLE}\nclin:{NAME} clin:date '{NUMBER}' ."
    yield json.dumps(PLAIN).replace('"patient"', f'"{NAME}": "{NUMBER}", "{NAME}": 1, "patient"')
    yield json.dumps(PLAIN)[:-9] + NAME
    yield json.dumps({"@context": {NAME: f"urn:x:{NAME}"}, "@id": f"urn:x:{NUMBER}", "@type": "case:Case"})
    yield {"resourceType": NAME}
    yield {"hook": NAME, "hookInstance": NUMBER, "context": {}}
    yield from bundles()


def bundles() -> Iterator[dict[str, Any]]:
    """FHIR with identifiers of a person in every place where they stand, and some where they do not."""
    coding = {"system": f"urn:x:{NAME}", "code": NUMBER, "display": NAME}
    patient = {
        "resourceType": "Patient",
        "id": NUMBER,
        "name": [{"family": NAME}],
        "birthDate": BORN,
        "identifier": [{"system": f"urn:x:{NAME}", "value": NUMBER}],
        "text": {"status": "generated", "div": f"<div>{NAME}</div>"},
    }
    order = {
        "resourceType": "ServiceRequest",
        "id": f"{NAME}-1",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/{NUMBER}", "display": NAME},
        "code": {
            "coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "38242", "display": NAME}],
            "text": NAME,
        },
        "occurrenceDateTime": "2026-07-01",
        "note": [{"text": f"{NAME} {BORN}"}],
        "reasonCode": [{"coding": [coding], "text": NAME}],
    }
    seen = {
        "resourceType": "Observation",
        "id": NAME,
        "status": "final",
        "subject": {"reference": f"Patient/{NUMBER}"},
        "code": {"coding": [coding], "text": f"chimerism of {NAME}"},
        "effectiveDateTime": "2026-06-01",
        "valueString": NAME,
    }

    def bundle(*resources: Any) -> dict[str, Any]:
        entries = [{"fullUrl": f"https://x.example/{NAME}/{i}", "resource": one} for i, one in enumerate(resources)]
        return {"resourceType": "Bundle", "type": "collection", "id": NAME, "entry": entries}

    yield bundle(patient, order, seen)
    yield bundle(patient, seen)
    yield bundle(patient, order, order, seen)
    yield bundle(patient, {**patient, "id": NAME}, order)
    yield bundle(patient, {**order, "occurrenceDateTime": NAME})
    yield bundle(patient, {**order, "status": NAME})
    yield bundle(patient, {**order, NAME: NUMBER}, {**seen, "context": NAME})
    yield bundle(patient, {"resourceType": NAME}, order)
    yield bundle(patient, {"resourceType": "Claim", "use": "preauthorization", "status": "active", "id": NAME})
    yield {**bundle(patient), "type": NAME}
    yield {**bundle(patient), "fhirVersion": NAME}


def calls() -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls with an identifier somewhere in their arguments, which no answer needs to repeat."""
    for name, good in CALLS.items():
        if name != "query_sparql":
            for given in (*PLANTED, [NAME], {NAME: NUMBER}):
                yield name, good | {NAME: given}
                for argument in TOOLS[name].arguments.schema.get("properties", {}):
                    yield name, good | {argument: given}
    for case in cases():
        yield "determine_case", {"case": case, "revision": "2026-02"}
    for case in (PLAIN | {"patient": NAME}, PLAIN | {NAME: NUMBER}, TURTLE.replace(":case", f":{NAME}"), *bundles()):
        yield "missing_information", {"case": case, "revision": "2026-02"}
    # One that no revision was in force for.
    yield "determine_case", {"case": PLAIN | {"request": {"serviceDate": BORN}}}
    for question in ("where-cited", "policies-listing-code", "in-force", "said-at-place", "terms-not-defined"):
        for given in PLANTED:
            for parameter in ("reference", "number", "date", "place", "namespace", given):
                yield "ask_question", {"question": question, "parameters": {parameter: given}}
    for query in (
        f"{NAME}",
        f"SELECT ?x {{ ?x a pol:Code }} # {NAME}\n {NAME}",
        f"SELECT ?x {{ ?x a {NAME}:{NAME} }}",
        f"SELECT ?x {{ ?x a '{NAME}' }} {NUMBER}",
        f"SELECT ?x {{ ?x pol:label '{NAME} {NUMBER} {BORN}' }}",
        f"SELECT ?x {{ ?x pol:{NAME} <urn:x:{NAME}> }}",
        f"SELECT ?x FROM <urn:x:{NAME}> {{ ?x ?y ?z }}",
        f"SELECT ?x {{ SERVICE <http://{NAME}.example/> {{ ?x ?y ?z }} }}",
        f"INSERT DATA {{ <urn:x:{NAME}> <urn:y> '{NUMBER}' }}",
        f"SELECT ?x {{ BIND (<urn:x:{NAME}>(?x) AS ?x) }}",
        f"SELECT ?x {{ BIND ('{NAME}' AS ?x) BIND ('{NUMBER}' AS ?x) }}",
        f"SELECT ?x {{ ?x a '{NAME}\\uZZZZ' }}",
        f"SELECT ?x {{ ?x a <urn:x: {NAME}> }}",
        f"ASK {{ FILTER REGEX('{NAME}', '({NUMBER}') }}",
    ):
        yield "query_sparql", {"query": query}
    for argument in ("policy", "revision", "asOf", "all", "maxRows", NAME):
        for given in (*PLANTED, [NAME], {NAME: NUMBER}):
            yield "query_sparql", {"query": "ASK {}", argument: given}


CALLED = list(calls())


async def every_third(client: Client) -> list[str]:
    """All that comes back of a third of these calls, of resources and of prompts."""
    return await _asked(client, CALLED[::3])


async def every_twentieth(client: Client) -> list[str]:
    """The same of a twentieth of the calls."""
    return await _asked(client, CALLED[::20])


async def _asked(client: Client, called: list[tuple[str, dict[str, Any]]]) -> list[str]:
    found = []
    for tool, arguments in called:
        result: Any = await client.call_tool(tool, arguments)
        text = result.model_dump_json()
        # A day that a case states as that of a fact is said of the fact, and of nothing else.
        found.append(text if result.is_error else text.replace(BORN, ""))
    for given in PLANTED:
        for work in (
            client.call_tool(given, {}),
            client.read_resource(f"kb://{given}"),
            client.read_resource(f"kb://{given}/2026-02/shapes"),
            client.read_resource(f"kb://CP.MP.101/{given}/criteria"),
            client.read_resource(f"{given}"),
            client.get_prompt(given, {}),
            client.get_prompt("review_case", {given: given}),
            client.get_prompt("review_case", {"policy": given}),
            client.get_prompt("review_case", {"revision": given}),
        ):
            with pytest.raises(MCPError) as error:
                await work
            found.append(str(error.value.error))
    return found


def quoted(found: list[str]) -> list[str]:
    return [text for text in found if any(given.lower() in text.lower() for given in PLANTED)]


def test_the_identifiers_are_planted_in_every_argument_of_every_tool() -> None:
    for tool in TOOLS.values():
        known = set(tool.arguments.schema.get("properties", {}))
        planted = {
            name
            for called, arguments in CALLED
            if called == tool.name
            for name, value in arguments.items()
            if any(given in json.dumps(value) for given in PLANTED)
        }
        assert known | {NAME} <= planted, tool.name
    assert len(CALLED) > 400


def test_nothing_of_a_call_comes_back_in_memory_nor_is_logged(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    found = in_memory(office, every_third)
    assert quoted(found) == []
    assert quoted([record.getMessage() for record in caplog.records if record.name.startswith("kb")]) == []
    # These are the answers and errors, and none is one that nobody foresaw.
    assert len(found) == len(CALLED[::3]) + 27
    assert not [text for text in found if "unexpected" in text or "cannot be read" in text]
    assert sum('"is_error":true' in text for text in found) > 200


def test_nothing_of_a_call_comes_back_over_standard_input_and_output_nor_is_logged() -> None:
    with TemporaryFile("w+") as said:
        found = over_stdio(said, every_twentieth)
        said.seek(0)
        assert said.read() == ""
    assert quoted(found) == []


def test_nothing_of_a_call_comes_back_over_http_nor_is_logged() -> None:
    with over_http() as (address, process):
        assert quoted(talk(address, every_twentieth)) == []
        process.terminate()
        assert process.communicate(timeout=20)[1] == ""


def test_what_a_case_says_in_doubt_is_said_in_the_answer(office: Office) -> None:
    """The one text of a case that comes out: it is written to be read with the determination."""
    finding = PLAIN["findings"][0] | {"inDoubt": "the chart of June could not be read"}

    async def work(client: Client) -> Any:
        return await client.call_tool(
            "determine_case", {"case": PLAIN | {"findings": [finding]}, "revision": "2026-02"}
        )

    assert "the chart of June could not be read" in in_memory(office, work).structured_content["because"]
