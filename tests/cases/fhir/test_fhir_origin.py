"""An answer that was filled from the chart is chart evidence, and every other an attestation."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from fhir_of import PATIENT, coding, own

from kb_tools.cases.case import Case
from kb_tools.cases.fhir.origin import ORIGIN
from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name

Json = dict[str, Any]


@pytest.fixture(scope="module")
def reader(kb: Repository) -> CaseReader:
    return CaseReader(kb)


def origin(source: str | None, *more: Json) -> Json:
    """The extension that says where an answer comes from."""
    parts = [] if source is None else [{"url": "source", "valueCode": source}]
    return {"url": ORIGIN, "extension": [*parts, *more]}


AUTHOR = {"url": "author", "extension": [{"url": "practitioner", "valueReference": {"reference": "Practitioner/x"}}]}
MANUAL = origin("manual", AUTHOR)


def form(*answers: tuple[str, Json, list[Json]]) -> Json:
    items = [
        {
            "linkId": f"AcuteGvHDAssessment/{name}",
            "answer": [{**value, **({"extension": extensions} if extensions else {})}],
        }
        for name, value, extensions in answers
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "subject": PATIENT,
        "authored": "2026-06-25",
        "item": [{"linkId": "AcuteGvHDAssessment", "item": items}],
    }


def grade(day: list[Json], value: list[Json]) -> Json:
    return form(("date", {"valueDate": "2026-06-20"}, day), ("grade", {"valueInteger": 1}, value))


def read(reader: CaseReader, *more: Json) -> Case:
    order = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": PATIENT,
        "occurrenceDateTime": "2026-07-01",
        "code": {"coding": [coding("http://www.ama-assn.org/go/cpt", "38242")]},
    }
    held = [{"resourceType": "Patient", "id": "p"}, order, *more]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in held]}
    (case,) = reader.stream("case", None, io.BytesIO(json.dumps(bundle).encode()), "json")
    assert isinstance(case, Case), case
    return case


def bases(case: Case) -> list[str]:
    return sorted(local_name(case.value(finding, CASE.basis)) for finding in case.values(case.node, CASE.finding))


AUTO = [origin("auto")]


@pytest.mark.parametrize(
    ("day", "value", "basis"),
    [
        (AUTO, AUTO, "ChartEvidence"),
        ([origin("auto-client")], [origin("auto-server")], "ChartEvidence"),
        ([], [], "Attestation"),
        ([MANUAL], [MANUAL], "Attestation"),
        (AUTO, [MANUAL], "Attestation"),
        ([MANUAL], AUTO, "Attestation"),
        (AUTO, [], "Attestation"),
        (AUTO, [origin("override", AUTHOR)], "Attestation"),
        (AUTO, [origin("automatic")], "Attestation"),
        (AUTO, [origin("AUTO")], "Attestation"),
        (AUTO, [origin(None)], "Attestation"),
        (AUTO, [origin("auto", AUTHOR)], "Attestation"),
        (AUTO, [origin("auto", {"url": "source", "valueCode": "manual"})], "Attestation"),
        (AUTO, [origin("auto"), MANUAL], "Attestation"),
        (AUTO, [{**origin("auto"), "url": "https://other.example/information-origin"}], "Attestation"),
    ],
)
def test_only_what_says_clearly_that_it_is_from_the_chart_is_chart_evidence(
    reader: CaseReader, day: list[Json], value: list[Json], basis: str
) -> None:
    assert bases(read(reader, grade(day, value))) == [basis]


def test_the_record_says_that_some_of_it_is_chart_evidence(reader: CaseReader) -> None:
    for answers, what in ((AUTO, "as attestation, and as chart evidence where it says so"), ([], "as attestation")):
        case = read(reader, grade(answers, answers))
        assert case.reading
        (note,) = [note for note in case.reading.notes if note.text.startswith("as attestation")]
        assert note.text == what


def test_what_the_chart_states_too_is_one_finding(reader: CaseReader) -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "subject": PATIENT,
        "effectiveDateTime": "2026-06-20",
        "code": {"coding": [own(CLIN.AcuteGvHDAssessment)]},
        "valueInteger": 1,
    }
    assert bases(read(reader, observation, grade(AUTO, AUTO))) == ["ChartEvidence"]
    assert bases(read(reader, observation, grade([], []))) == ["Attestation", "ChartEvidence"]
