"""BS.6, a made-up policy of another domain, authored as Turtle alone: numbers, units, counts, a window and an age."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest

from kb_tools.batch.rows import RowMaker, values_of
from kb_tools.cases.case import Case
from kb_tools.cases.form import CaseForms
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.locality import faults
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.model.history import Selection
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import BASE, COND
from kb_tools.rdf.terms import graph_of
from kb_tools.render.questionnaire import questionnaire
from kb_tools.revisions.entailments import conditions_of, groups_of, ties_of

HOLDS, FAILS, UNKNOWN, CONFLICTING = Value.HOLDS, Value.FAILS, Value.UNKNOWN, Value.CONFLICTING
SERVICE = "2026-07-01"
BMI_35, BMI_40 = "bmi-is-35-or-more", "bmi-is-40-or-more"
DIABETES, HYPERTENSION, APNEA = "diabetes-is-present", "hypertension-is-present", "sleep-apnea-is-present"
DIET, OPERATIONS = "supervised-diet-of-6-months-within-2-years", "two-earlier-operations-or-more"
MET, NOT_MET, NEEDED = "CriteriaMet", "CriteriaNotMet", "InformationNeeded"


def found(kind: str, day: str = "2026-06-01", **stated: Any) -> dict[str, Any]:
    return {"type": kind, "date": day, "basis": "ChartEvidence", **stated}


def bmi(key: str = "bodyMassIndex", value: Any = 41) -> dict[str, Any]:
    return found("BodyMassIndexMeasurement", **{key: value})


def has(comorbidity: str, present: bool = True, day: str = "2026-06-01") -> dict[str, Any]:
    return found("ComorbidityAssessment", day, comorbidity=comorbidity, comorbidityPresent=present)


def diet(months: int, day: str = "2026-01-01", key: str = "monthsOfDiet") -> dict[str, Any]:
    return found("SupervisedDiet", day, **{key: months})


def had(operations: int) -> dict[str, Any]:
    return found("OperationHistory", operations=operations)


# Beside what is tried, a case meets the criteria: 41 kg/m2, a diet of 6 months, no operation.
REST = {"BodyMassIndexMeasurement": bmi(), "SupervisedDiet": diet(6), "OperationHistory": had(0)}

# What is stated in place of the rest, the values of conditions, and the outcome.
TRIED: list[tuple[list[dict[str, Any]], dict[str, Value], str]] = [
    # A number on each side of each limit, and bounds.
    ([bmi(value=34.9)], {BMI_35: FAILS, BMI_40: FAILS}, NOT_MET),
    ([bmi(value=35)], {BMI_35: HOLDS, BMI_40: FAILS}, NEEDED),
    ([bmi(value=39.9)], {BMI_35: HOLDS, BMI_40: FAILS}, NEEDED),
    ([bmi(value=40)], {BMI_35: HOLDS, BMI_40: HOLDS}, MET),
    ([bmi(value="4 g/cm2")], {BMI_35: HOLDS, BMI_40: HOLDS}, MET),
    ([bmi("bodyMassIndexAtLeast", 40)], {BMI_35: HOLDS, BMI_40: HOLDS}, MET),
    ([bmi("bodyMassIndexAtLeast", 36)], {BMI_35: HOLDS, BMI_40: UNKNOWN}, NEEDED),
    ([bmi("bodyMassIndexAtMost", 34)], {BMI_35: FAILS, BMI_40: FAILS}, NOT_MET),
    ([bmi(value=41), bmi(value=34)], {BMI_35: CONFLICTING, BMI_40: CONFLICTING}, "InformationConflicting"),
    # Two of three comorbidities; one that is documented twice is one.
    ([bmi(value=36), has("Hypertension"), has("Hypertension", day="2026-05-01")],
     {HYPERTENSION: HOLDS, APNEA: UNKNOWN}, NEEDED),
    ([bmi(value=36), has("Hypertension"), has("SleepApnea")],
     {HYPERTENSION: HOLDS, APNEA: HOLDS, DIABETES: UNKNOWN}, MET),
    ([bmi(value=36), has("Hypertension"), has("SleepApnea", False), has("TypeTwoDiabetes", False)],
     {APNEA: FAILS}, NOT_MET),
    ([bmi(value=36), has("SleepApnea", day="2026-05-01"), has("SleepApnea", False)], {APNEA: FAILS}, NEEDED),
    # A duration that a finding states, within a window: the first day of the two years, and the day before it.
    ([diet(6, "2024-07-01")], {DIET: HOLDS}, MET),
    ([diet(6, "2024-06-30")], {DIET: UNKNOWN}, NEEDED),
    ([diet(5)], {DIET: UNKNOWN}, NEEDED),
    ([diet(5), diet(7, "2025-01-01")], {DIET: HOLDS}, MET),
    ([diet(6, key="monthsOfDietAtLeast")], {DIET: HOLDS}, MET),
    ([found("StatedAbsence", absenceOf="SupervisedDiet")], {DIET: FAILS}, NOT_MET),
    # A count that a finding states.
    ([had(1)], {OPERATIONS: FAILS}, MET),
    ([had(2)], {OPERATIONS: HOLDS}, NOT_MET),
]  # fmt: skip


def line_of(number: int, tried: list[dict[str, Any]]) -> bytes:
    kinds = {one.get("absenceOf", one["type"]) for one in tried}
    findings = [*tried, *(one for kind, one in REST.items() if kind not in kinds)]
    request = {"service": "WeightLossSurgery", "serviceDate": SERVICE, "patientAge": 44}
    content = {"id": f"case-{number}", "patient": "p", "lineOfBusiness": "Commercial", "request": request}
    return json.dumps({**content, "findings": findings}).encode()


LINES = [line_of(number, tried) for number, (tried, _, _) in enumerate(TRIED)]


@pytest.fixture(scope="module")
def revision(with_bs6: Repository) -> Revision:
    policy = with_bs6.policy("BS.6")
    return Revision.load(policy, policy.entry("2024-01"))


@pytest.fixture(scope="module")
def answers(with_bs6: Repository) -> list[Determination]:
    cases = list(CaseReader(with_bs6).stream("cases.jsonl", None, BytesIO(b"\n".join(LINES)), "jsonl"))
    run = Run(with_bs6, with_bs6.policy("BS.6"), "pyshifty", "2024-01")
    answers = run.answers(case for case in cases if isinstance(case, Case))
    determined = [answer for answer in answers if isinstance(answer, Determination)]
    assert len(determined) == len(TRIED)
    return determined


def test_each_value_on_each_side_of_each_boundary_is_what_it_is_to_be(answers: list[Determination]) -> None:
    for answer, (tried, values, outcome) in zip(answers, TRIED, strict=True):
        got = {name: answer.condition_results[str(COND[name])].value for name in values}
        assert (got, answer.outcome.value) == (values, outcome), tried


def test_rows_and_exported_shapes_agree(with_bs6: Repository, revision: Revision, answers: list[Determination]) -> None:
    maker = RowMaker(Run(with_bs6, with_bs6.policy("BS.6"), "pyshifty", "2024-01"))
    order = [one.iri for one in maker.sight(Selection(revision.entry, ())).conditions]
    for row, answer in zip(maker.of_lines(LINES), answers, strict=True):
        assert {iri: values_of(code)[0] for iri, code in zip(order, row.values, strict=True)} == {
            iri: result.value.value for iri, result in answer.condition_results.items()
        }
    data = prepared(with_bs6, [answer.case for answer in answers], derived=False)
    results = shacl.validate(data, graph_of(self_contained(with_bs6, revision)), "pyshifty", rules=True)
    shapes = {result.focus: result.shape.removeprefix(f"{BASE}BS.6/2024-01/outcome/") for result in results}
    named = {MET: "", NOT_MET: NOT_MET, NEEDED: "Undetermined", "InformationConflicting": "Undetermined"}
    assert [shapes.get(answer.case.iri, "") for answer in answers] == [named[outcome] for _, _, outcome in TRIED]


def test_a_policy_of_another_domain_slows_down_no_other(with_bs6: Repository) -> None:
    assert faults(with_bs6) == ()


def test_a_higher_number_entails_a_lower_one(with_bs6: Repository) -> None:
    mine = [one for one in conditions_of(with_bs6) if "bmi-is" in one.iri]
    ties = {(tie.one, tie.value, tie.other, tie.then) for tie in ties_of(groups_of(with_bs6, mine, "pyshifty"))}
    higher, lower = str(COND[BMI_40]), str(COND[BMI_35])
    assert ties == {(higher, HOLDS, lower, HOLDS), (lower, FAILS, higher, FAILS)}


def test_what_is_missing_is_asked_for_with_its_window(with_bs6: Repository, answers: list[Determination]) -> None:
    (needed,) = [answer for answer, (tried, _, _) in zip(answers, TRIED, strict=True) if tried == [diet(5)]]
    form = json.dumps(questionnaire(CaseForms(with_bs6), needed))
    assert "dated within the 2 years before the service date" in form
    assert "SupervisedDiet/monthsOfDiet" in form
