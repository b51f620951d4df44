"""A draft order is read by one door alone, as a preview; by every other it is no request."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
from bundles import content, data, resources

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE

TODAY = date(2026, 6, 30)
DRAFT = "order.ServiceRequest is a draft: this is a preview of what it comes to as it stands."
UNDATED = "The order states no date of service: it is taken as of 2026-06-30."
ORDER = {
    "resourceType": "ServiceRequest",
    "id": "o",
    "status": "draft",
    "intent": "original-order",
    "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "38242"}]},
    "subject": {"reference": "Patient/p"},
    "occurrenceDateTime": "2026-07-01",
}


@pytest.fixture(scope="module")
def reader(kb: Repository) -> CaseReader:
    return CaseReader(kb)


def read(reader: CaseReader, order: dict[str, Any], **chart: Any) -> Case:
    return reader.preview({"order": order, **chart}, "case", TODAY)


def notices(case: Case) -> list[str]:
    return [notice for notice in case.notices if "pseudonym" not in notice]


def day(case: Case) -> str:
    return str(case.value(case.value(case.node, CASE.request), CASE.serviceDate))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [DRAFT]),
        ({"status": "active"}, []),
        ({"status": "active", "intent": "plan"}, [DRAFT]),
        ({"intent": "proposal"}, [DRAFT]),
    ],
    ids=["a draft", "an order that counts", "a plan", "a draft of a proposal"],
)
def test_a_draft_is_read_with_a_notice_that_it_is_a_preview(
    reader: CaseReader, change: dict[str, str], expected: list[str]
) -> None:
    case = read(reader, {**ORDER, **change})
    assert notices(case) == expected
    assert day(case) == "2026-07-01"


def test_an_order_without_a_date_is_of_the_day_of_the_preview(reader: CaseReader) -> None:
    order = {key: value for key, value in ORDER.items() if key != "occurrenceDateTime"}
    case = read(reader, order)
    assert (day(case), notices(case)) == ("2026-06-30", [DRAFT, UNDATED])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "revoked"}, "its status is revoked"),
        ({"status": "entered-in-error"}, "its status is entered-in-error"),
        ({"status": "completed", "intent": "plan"}, "its status is completed"),
        ({"doNotPerform": True}, "it asks that something is not done"),
    ],
)
def test_what_asks_for_nothing_is_no_preview_either(reader: CaseReader, change: dict[str, Any], why: str) -> None:
    with pytest.raises(UnreadableInput, match=why):
        read(reader, {**ORDER, **change})


def test_by_every_other_door_a_draft_is_no_request(reader: CaseReader) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": ORDER}]}
    (found,) = reader.stream("case", None, io.BytesIO(data(bundle)), "json")
    assert isinstance(found, UnreadableInput)
    assert "it is a draft: its status is draft" in str(found)


def test_the_parts_are_read_together_and_named_by_their_names(reader: CaseReader) -> None:
    found = resources(content())
    chart = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": found["Procedure"]}]}
    order = {**ORDER, "subject": found["Procedure"]["subject"]}
    case = read(reader, order, patient=found["Patient"], procedures=chart)
    assert case.reading
    used = [(note.place, note.treatment.value) for note in case.reading.notes]
    assert ("procedures.entry[0] Procedure", "used") in used
    assert ("patient.Patient", "used") in used


@pytest.mark.parametrize(
    ("chart", "what"),
    [
        ({"procedures": {"resourceType": "Bundle", "type": "searchset", "total": 2}}, "procedures: a part of a search"),
        (
            {
                "patient": {"resourceType": "Patient", "id": "q"},
                "conditions": {"resourceType": "Condition", "subject": {"reference": "Patient/q"}},
            },
            "more than one patient",
        ),
        ({"conditions": {"resourceType": "ProcedureRequest"}}, "conditions: a ProcedureRequest"),
    ],
    ids=["a part of a search", "two patients", "another version of FHIR"],
)
def test_what_is_not_one_case_is_refused(reader: CaseReader, chart: dict[str, Any], what: str) -> None:
    with pytest.raises(UnreadableInput, match=what):
        read(reader, ORDER, **chart)
