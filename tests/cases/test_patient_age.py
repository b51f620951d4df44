"""The patient's age on the service date: stated, or told by FHIR's date of birth, which itself enters no case."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from bundles import case_of, content, notes_of, record, resources
from rdflib import URIRef
from wn3 import WCOND, cases_of, line, mrd, revision_of

from kb_tools.batch.rows import RowMaker, values_of
from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.form import CaseForms
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.cases.template import template
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import UnreadableInput
from kb_tools.model.history import Selection
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import BASE, CASE
from kb_tools.rdf.terms import graph_of
from kb_tools.render.case_json import write
from kb_tools.render.questionnaire import questionnaire
from kb_tools.revisions.reach import LAYERS, reached

pytestmark = pytest.mark.usefixtures("pseudonym_key")
ADULT = str(WCOND["patient-is-18-or-older"])
SERVICE = "2026-07-01"
AGES = {0: Value.FAILS, 17: Value.FAILS, 18: Value.HOLDS, 19: Value.HOLDS, 90: Value.HOLDS, None: Value.UNKNOWN}


def of_age(age: int | None) -> bytes:
    stated = {} if age is None else {"patientAge": age}
    return line(
        SERVICE,
        mrd("2026-06-01"),
        {"type": "AcuteGvHDAssessment", "date": "2026-06-20", "grade": 0, "basis": "Attestation"},
        **stated,
    )


@pytest.fixture(scope="module")
def answers(with_wn3: Repository) -> list[Determination]:
    run = Run(with_wn3, with_wn3.policy("WN.3"), "pyshifty", "2026-01")
    lines = [of_age(age) for age in AGES]
    return [found for found in run.answers(cases_of(with_wn3, lines)) if isinstance(found, Determination)]


def test_an_age_is_on_one_side_of_a_limit_or_not_stated(answers: list[Determination]) -> None:
    assert [found.condition_results[ADULT].value for found in answers] == list(AGES.values())
    outcomes = [found.outcome.value for found in answers]
    assert outcomes == ["CriteriaNotMet"] * 2 + ["CriteriaMet"] * 3 + ["InformationNeeded"]
    (stated,) = answers[2].condition_results[ADULT].facts
    assert stated.text == "patient's age: 18"


def test_rows_and_exported_shapes_agree(with_wn3: Repository, answers: list[Determination]) -> None:
    policy = with_wn3.policy("WN.3")
    maker = RowMaker(Run(with_wn3, policy, "pyshifty", "2026-01"))
    order = [one.iri for one in maker.sight(Selection(policy.entry("2026-01"), ())).conditions]
    rows = maker.of_lines([of_age(age) for age in AGES])
    assert [values_of(row.values[order.index(ADULT)])[0] for row in rows] == [value.value for value in AGES.values()]
    exported = self_contained(with_wn3, revision_of(with_wn3, "2026-01"))
    data = prepared(with_wn3, [found.case for found in answers], derived=False)
    results = shacl.validate(data, graph_of(exported), "pyshifty", rules=True)
    shapes = {result.focus: result.shape.removeprefix(f"{BASE}WN.3/2026-01/outcome/") for result in results}
    assert [shapes.get(found.case.iri, "") for found in answers] == ["CriteriaNotMet"] * 2 + [""] * 3 + ["Undetermined"]


@pytest.mark.parametrize("age", [17.5, "17", True, None, [17]])
def test_an_age_is_a_whole_number_from_0_to_90(with_wn3: Repository, age: object) -> None:
    text = line(SERVICE, patientAge=age)
    (found,) = CaseReader(with_wn3).stream("case.jsonl", None, BytesIO(text), "jsonl")
    assert isinstance(found, UnreadableInput)
    assert "request.patientAge" in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize("age", [-1, 91])
def test_90_stands_for_all_above(with_wn3: Repository, age: int) -> None:
    (checked,) = CaseChecker(with_wn3, "pyshifty").check(cases_of(with_wn3, [of_age(age)]))
    assert isinstance(checked, Malformed)
    assert "90 stands for 90 and above" in checked.violations[0].message


def test_an_age_is_asked_for_where_it_matters_and_a_template_has_it(
    with_wn3: Repository, answers: list[Determination]
) -> None:
    needed = answers[-1]
    assert needed.condition_results[ADULT].condition.asks_for == "The patient's age on the service date."
    form = questionnaire(CaseForms(with_wn3), needed)
    assert form is not None
    asked = [item for item in _items(form) if item.get("linkId") == "Request/patientAge"]
    assert [(item["type"], item.get("required", False)) for item in asked] == [("integer", False)]
    assert "patientAge" in json.dumps(template(CaseForms(with_wn3), revision_of(with_wn3, "2026-01")))


def _items(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [item, *(inner for below in item.get("item", ()) for inner in _items(below))]


# ---------------------------------------------------------------------- from FHIR

_BIRTHS = {
    # On the birthday, the day before and the day after it.
    "2008-07-01": 18,
    "2008-07-02": 17,
    "2008-06-30": 18,
    "2026-07-01": 0,
    "1936-07-01": 90,
    "1936-07-02": 89,
    "1900-01-01": 90,
    # Part of a date, where the age is the same on every day that it can mean.
    "2008-06": 18,
    "2008-08": 17,
    "1930": 90,
    "2008-07": "may be 17 or 18 years old",
    "2008": "may be 17 or 18 years old",
    "2026": 0,
    "2026-08-01": "is after the service date",
    "2027": "is after the service date",
}


def of_birth(kb: Repository, tmp_path: Path, birth: str, service: str = SERVICE, **more: Any) -> Case:
    bundle = content()
    resources(bundle)["Patient"] |= {"birthDate": birth, **more}
    for one in (resources(bundle).get("Claim"), resources(bundle).get("ServiceRequest")):
        if one is not None and "occurrenceDateTime" in one:
            one["occurrenceDateTime"] = service
    return case_of(kb, bundle, tmp_path)


def ages_of(case: Case) -> list[int]:
    request = case.value(case.node, CASE.request)
    return [int(str(age)) for age in case.values(request, CASE.patientAge)]


@pytest.mark.parametrize(("birth", "wanted"), _BIRTHS.items())
def test_a_date_of_birth_tells_the_age_and_stays_outside(
    with_wn3: Repository, tmp_path: Path, birth: str, wanted: int | str
) -> None:
    case = of_birth(with_wn3, tmp_path, birth)
    assert str(case.service_date) == SERVICE
    if isinstance(wanted, int):
        assert ages_of(case) == [wanted]
        assert f"as the patient's age on the service date: {wanted}" in "\n".join(record(case))
    else:
        assert ages_of(case) == []
        (notice,) = [notice for notice in case.notices if "date of birth" in notice]
        assert wanted in notice
        assert notice.endswith("so the age is not stated.")
        assert notice.split(": ", 1)[1].rstrip(".") in "\n".join(record(case))
    written = prepared(with_wn3, [case], derived=False).serialize(format="turtle")
    told = f"{written}{write(CaseForms(with_wn3), case)}{record(case)}{case.notices}{case.identity()}"
    if len(birth) > 7:
        assert birth not in told.replace(SERVICE, "")


def test_two_records_of_one_patient_that_differ_state_no_age(with_wn3: Repository, tmp_path: Path) -> None:
    bundle = content()
    person = resources(bundle)["Patient"]
    person |= {"identifier": [{"system": "urn:mrn", "value": "1"}], "birthDate": "2008-07-01"}
    other = {**person, "meta": {"versionId": "2"}, "birthDate": "2008-07-02"}
    bundle["entry"].append({"resource": other})
    case = case_of(with_wn3, bundle, tmp_path)
    assert ages_of(case) == []
    assert any("patient's age is stated differently" in notice for notice in case.notices)


def test_where_no_condition_asks_for_an_age_none_is_read(kb: Repository, tmp_path: Path) -> None:
    case = of_birth(kb, tmp_path, "2008-07-01")
    assert ages_of(case) == []
    assert not any(
        "age" in str(note) for note in notes_of(case) if "Patient" in str(note) and "as the patient" in str(note)
    )


# ---------------------------------------------------------------------- seals


def test_only_a_revision_that_reads_the_age_reaches_it(with_wn3: Repository) -> None:
    def reaches(policy_name: str, revision: str) -> bool:
        policy = with_wn3.policy(policy_name)
        statements = reached(with_wn3, policy, policy.entry(revision))[LAYERS[2]]
        return any(URIRef(f"{BASE}shape#Request-patientAge") in triple for triple in statements)

    assert reaches("WN.3", "2026-01")
    assert not reaches("WN.3", "2025-01")
    assert not reaches("CP.MP.101", "2026-02")
