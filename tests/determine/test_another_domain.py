"""BS.6, an invented policy of another domain in a folder of its own: numbers, counts, windows, age, exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from rdflib import Graph

from kb_tools.batch.rows import RowMaker, values_of
from kb_tools.cases.ages import aged
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
from kb_tools.rdf.namespaces import BASE
from kb_tools.rdf.terms import graph_of
from kb_tools.render.questionnaire import questionnaire
from kb_tools.revisions.entailments import conditions_of, groups_of, ties_of

HOLDS, FAILS, UNKNOWN, CONFLICTING = Value.HOLDS, Value.FAILS, Value.UNKNOWN, Value.CONFLICTING
MET, NOT_MET, NEEDED, CONFLICT = "CriteriaMet", "CriteriaNotMet", "InformationNeeded", "InformationConflicting"
OWN = f"{BASE}BS.6/condition#"
BMI_30, BMI_35, BMI_40 = (f"body-mass-index-of-{limit}-or-more" for limit in (30, 35, 40))
DIABETES, HYPERTENSION = "type-2-diabetes-is-present", "hypertension-is-present"
APNEA, ADULT = "obstructive-sleep-apnea-is-present", "patient-is-18-or-older"
DIET, EVALUATION = "diet-of-6-months-within-2-years", "evaluation-finds-nothing-against"
TWO_BEFORE, COMPLICATION = "two-or-more-operations-before", "latest-operation-had-a-complication"
SMOKED, HERNIA = "smoked-within-3-months", "hiatal-hernia-not-repaired"
BAND = {"service": "AdjustableGastricBand"}


class Tried(NamedTuple):
    """What is stated in place of the rest, the values of conditions, the outcome, and what the request states."""

    stated: list[dict[str, Any]]
    values: dict[str, Value]
    outcome: str
    request: Mapping[str, Any] = MappingProxyType({})


def found(kind: str, day: str = "2026-06-01", **stated: Any) -> dict[str, Any]:
    return {"type": kind, "date": day, "basis": "ChartEvidence", **stated}


def bmi(value: Any = 41, key: str = "") -> dict[str, Any]:
    return found("BodyMassIndexMeasurement", **{f"bodyMassIndex{key}": value})


def has(comorbidity: str, status: str = "Present", day: str = "2026-06-01") -> dict[str, Any]:
    stated = {"comorbidity": comorbidity, "comorbidityStatus": f"Comorbidity{status}"}
    return found("ComorbidityAssessment", day, **stated)


def diet(months: float, day: str = "2026-01-01", key: str = "") -> dict[str, Any]:
    return found("SupervisedDiet", day, **{f"dietMonths{key}": months})


def evaluated(day: str = "2026-06-01", result: str = "NothingSpeaksAgainst") -> dict[str, Any]:
    return found("PsychologicalEvaluation", day, evaluationResult=result)


def had(operations: int, key: str = "") -> dict[str, Any]:
    stated: dict[str, Any] = {f"operationCount{key}": operations}
    return found("OperationHistory", **stated)


def operated(day: str, complication: str | None) -> dict[str, Any]:
    stated = {"complication": f"Complication{complication}"} if complication else {}
    return found("WeightLossOperation", day, **stated)


def smoker(day: str = "2026-06-01", smoking: str = "DoesNotSmoke") -> dict[str, Any]:
    return found("SmokingRecord", day, smoking=smoking)


def hernia(kind: str) -> dict[str, Any]:
    return found("HiatalHerniaAssessment", hiatalHernia=f"{kind}HiatalHernia")


def no(kind: str) -> dict[str, Any]:
    """That nothing of a kind is stated."""
    return {"type": kind}


# Beside what is tried, a case meets the criteria: a sleeve for an adult of 41 kg/m2, after a diet and an evaluation.
REST = {one["type"]: one for one in (bmi(), diet(6), evaluated(), had(0), smoker())}
# What II asks for, and neither a diet nor an evaluation.
LOW_BAND = [has("Type2Diabetes"), hernia("No"), no("SupervisedDiet"), no("PsychologicalEvaluation")]

TRIED = [
    # A number on each side of each limit, bounds, and another unit.
    Tried([bmi(34.9), has("Hypertension"), has("Type2Diabetes")], {BMI_30: HOLDS, BMI_35: FAILS}, NOT_MET),
    Tried([bmi(35), has("Hypertension"), has("Type2Diabetes")], {BMI_35: HOLDS, BMI_40: FAILS}, MET),
    Tried([bmi(39.9)], {BMI_35: HOLDS, BMI_40: FAILS}, NEEDED),
    Tried([bmi(40)], {BMI_35: HOLDS, BMI_40: HOLDS}, MET),
    Tried([bmi("4 g/cm2")], {BMI_35: HOLDS, BMI_40: HOLDS}, MET),
    Tried([bmi(40, "AtLeast")], {BMI_35: HOLDS, BMI_40: HOLDS}, MET),
    Tried([bmi(36, "AtLeast")], {BMI_35: HOLDS, BMI_40: UNKNOWN}, NEEDED),
    Tried([bmi(40, "AtMost")], {BMI_35: UNKNOWN, BMI_40: UNKNOWN}, NEEDED),
    Tried([bmi(40, "Below")], {BMI_35: UNKNOWN, BMI_40: FAILS}, NEEDED),
    Tried([bmi(35, "Below")], {BMI_35: FAILS, BMI_40: FAILS}, NOT_MET),
    Tried([bmi(41), bmi(34)], {BMI_30: HOLDS, BMI_35: CONFLICTING, BMI_40: CONFLICTING}, CONFLICT),
    # Two of three comorbidities: one, whichever it is, and one that is documented twice, is one.
    Tried([bmi(36), has("Hypertension"), has("Hypertension", day="2026-05-01")],
          {HYPERTENSION: HOLDS, APNEA: UNKNOWN, DIABETES: UNKNOWN}, NEEDED),
    Tried([bmi(36), has("Hypertension"), has("Hypertension", day="2026-05-01"),
           has("ObstructiveSleepApnea", "Absent"), has("Type2Diabetes", "Absent")],
          {HYPERTENSION: HOLDS, APNEA: FAILS, DIABETES: FAILS}, NOT_MET),
    Tried([bmi(36), has("Hypertension"), has("ObstructiveSleepApnea")], {APNEA: HOLDS, DIABETES: UNKNOWN}, MET),
    Tried([bmi(36), has("ObstructiveSleepApnea", "Absent"), has("Type2Diabetes", "Absent")],
          {HYPERTENSION: UNKNOWN}, NOT_MET),
    Tried([bmi(36), has("ObstructiveSleepApnea", day="2026-05-01"), has("ObstructiveSleepApnea", "Absent")],
          {APNEA: FAILS}, NEEDED),
    Tried([bmi(36), has("Hypertension"), has("ObstructiveSleepApnea"), has("ObstructiveSleepApnea", "Absent")],
          {HYPERTENSION: HOLDS, APNEA: CONFLICTING, DIABETES: UNKNOWN}, CONFLICT),
    # The age, on the birthday and the day before it.
    Tried([], {ADULT: HOLDS}, MET, {"patientAge": 18}),
    Tried([], {ADULT: FAILS}, NOT_MET, {"patientAge": 17}),
    # A duration that a finding states, and the first day of the two years within which it ended, and the day before.
    Tried([diet(6, "2024-07-01")], {DIET: HOLDS}, MET),
    Tried([diet(6, "2024-06-30")], {DIET: UNKNOWN}, NEEDED),
    Tried([diet(6, "2024-02-29")], {DIET: HOLDS}, MET, {"serviceDate": "2026-02-28"}),
    Tried([diet(6, "2024-02-28")], {DIET: HOLDS}, MET, {"serviceDate": "2026-02-28"}),
    Tried([diet(6, "2024-02-27")], {DIET: UNKNOWN}, NEEDED, {"serviceDate": "2026-02-28"}),
    Tried([diet(5.9)], {DIET: UNKNOWN}, NEEDED),
    Tried([diet(5), diet(7, "2025-01-01")], {DIET: HOLDS}, MET),
    Tried([diet(5), diet(7, "2024-06-30")], {DIET: UNKNOWN}, NEEDED),
    Tried([diet(5), diet(4, "2025-01-01")], {DIET: UNKNOWN}, NEEDED),
    Tried([diet(6, key="AtLeast")], {DIET: HOLDS}, MET),
    Tried([diet(4, key="AtLeast")], {DIET: UNKNOWN}, NEEDED),
    Tried([diet(6, key="Below")], {DIET: UNKNOWN}, NEEDED),
    Tried([found("StatedAbsence", absenceOf="SupervisedDiet")], {DIET: FAILS}, NOT_MET),
    # The evaluation: of several the latest, and the twelve months within which it is.
    Tried([evaluated("2025-07-01")], {EVALUATION: HOLDS}, MET),
    Tried([evaluated("2025-06-30")], {EVALUATION: UNKNOWN}, NEEDED),
    Tried([evaluated("2026-05-01", "SomethingSpeaksAgainst")], {EVALUATION: FAILS}, NOT_MET),
    Tried([evaluated("2026-05-01", "SomethingSpeaksAgainst"), evaluated()], {EVALUATION: HOLDS}, MET),
    # An exclusion with an exception: two operations before, unless the latest had a complication.
    Tried([had(1)], {TWO_BEFORE: FAILS}, MET),
    Tried([had(2)], {TWO_BEFORE: HOLDS, COMPLICATION: UNKNOWN}, NEEDED),
    Tried([had(2), operated("2020-01-01", "NotDocumented")], {TWO_BEFORE: HOLDS, COMPLICATION: FAILS}, NOT_MET),
    Tried([had(2), operated("2020-01-01", "Documented")], {TWO_BEFORE: HOLDS, COMPLICATION: HOLDS}, MET),
    Tried([had(2), operated("2018-01-01", "Documented"), operated("2020-01-01", "NotDocumented")],
          {COMPLICATION: FAILS}, NOT_MET),
    Tried([had(2), operated("2018-01-01", "Documented"), operated("2020-01-01", None)],
          {COMPLICATION: UNKNOWN}, NEEDED),
    Tried([had(2, "AtLeast"), operated("2020-01-01", "NotDocumented")], {TWO_BEFORE: HOLDS}, NOT_MET),
    Tried([had(1, "AtMost")], {TWO_BEFORE: FAILS}, MET),
    # Smoking within three months, which the exception of the operations does not lift. Months differ in length.
    Tried([smoker("2026-04-01", "Smoked")], {SMOKED: HOLDS}, NOT_MET),
    Tried([smoker("2026-03-31", "Smoked")], {SMOKED: UNKNOWN}, NEEDED),
    Tried([smoker("2026-03-31", "Smoked"), smoker()], {SMOKED: FAILS}, MET),
    Tried([smoker("2026-04-01", "Smoked"), smoker()], {SMOKED: HOLDS}, NOT_MET),
    Tried([smoker("2026-02-28", "Smoked"), diet(6)], {SMOKED: HOLDS}, NOT_MET, {"serviceDate": "2026-05-31"}),
    Tried([smoker("2026-02-27", "Smoked"), diet(6)], {SMOKED: UNKNOWN}, NEEDED, {"serviceDate": "2026-05-31"}),
    Tried([smoker("2026-04-01", "Smoked"), had(2), operated("2020-01-01", "Documented")],
          {SMOKED: HOLDS, COMPLICATION: HOLDS}, NOT_MET),
    # An indication for the band alone, which needs neither a diet nor an evaluation: 30 is within, 35 is not.
    Tried([bmi(29.9), *LOW_BAND], {BMI_30: FAILS, BMI_35: FAILS}, NOT_MET, BAND),
    Tried([bmi(30), *LOW_BAND], {BMI_30: HOLDS, BMI_35: FAILS, DIET: UNKNOWN, EVALUATION: UNKNOWN}, MET, BAND),
    Tried([bmi(34.9), *LOW_BAND], {BMI_30: HOLDS, BMI_35: FAILS}, MET, BAND),
    Tried([bmi(35), *LOW_BAND], {BMI_30: HOLDS, BMI_35: HOLDS}, NEEDED, BAND),
    Tried([bmi(30), *LOW_BAND], {DIABETES: HOLDS}, NOT_MET),
    Tried([bmi(30), *LOW_BAND, has("Type2Diabetes", "Absent", "2026-06-02")], {DIABETES: FAILS}, NOT_MET, BAND),
    Tried([bmi(30), *LOW_BAND, smoker("2026-06-01", "Smoked")], {SMOKED: HOLDS}, NOT_MET, BAND),
    # An exclusion for the band alone, under both indications.
    Tried([hernia("Unrepaired")], {HERNIA: HOLDS}, NOT_MET, BAND),
    Tried([hernia("Repaired")], {HERNIA: FAILS}, MET, BAND),
    Tried([], {HERNIA: UNKNOWN}, NEEDED, BAND),
    Tried([hernia("Unrepaired")], {HERNIA: HOLDS}, MET),
    Tried([bmi(30), *LOW_BAND[:1], hernia("Unrepaired")], {HERNIA: HOLDS}, NOT_MET, BAND),
]  # fmt: skip


def line_of(number: int, tried: Tried) -> bytes:
    kinds = {one.get("absenceOf", one["type"]) for one in tried.stated}
    findings = [*(one for one in tried.stated if "date" in one), *(REST[kind] for kind in REST if kind not in kinds)]
    request = {"service": "SleeveGastrectomy", "serviceDate": "2026-07-01", "patientAge": 44, **tried.request}
    # What is found after the service date would not count.
    findings = [{**one, "date": min(one["date"], request["serviceDate"])} for one in findings]
    content = {"id": f"case-{number}", "patient": "p", "lineOfBusiness": "Commercial", "request": request}
    return json.dumps({**content, "findings": findings}).encode()


LINES = [line_of(number, tried) for number, tried in enumerate(TRIED)]


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
    for answer, tried in zip(answers, TRIED, strict=True):
        got = {name: answer.condition_results[OWN + name].value for name in tried.values}
        assert (got, answer.outcome.value) == (tried.values, tried.outcome), tried


def test_rows_agree(with_bs6: Repository, revision: Revision, answers: list[Determination]) -> None:
    maker = RowMaker(Run(with_bs6, with_bs6.policy("BS.6"), "pyshifty", "2024-01"))
    order = [one.iri for one in maker.sight(Selection(revision.entry, ())).conditions]
    for row, answer in zip(maker.of_lines(LINES), answers, strict=True):
        assert {iri: values_of(code)[0] for iri, code in zip(order, row.values, strict=True)} == {
            iri: result.value.value for iri, result in answer.condition_results.items()
        }
        # Its notices too: which findings differ, or decide, is told of those that bear on a condition.
        assert row == maker.of_answer(row.case, answer)


@pytest.fixture(scope="module")
def exported(with_bs6: Repository, revision: Revision) -> Graph:
    return graph_of(self_contained(with_bs6, revision))


# The reference is slow, and takes a few of the cases.
@pytest.mark.parametrize(
    ("engine", "rules", "step"),
    [
        ("pyshifty", True, 1),
        ("pyshifty", False, 1),
        ("shacl", False, 1),
        pytest.param("pyshacl", False, 13, marks=pytest.mark.extended),
    ],
)
def test_exported_shapes_agree(
    with_bs6: Repository, exported: Graph, answers: list[Determination], engine: str, rules: bool, step: int
) -> None:
    cases = [answer.case for answer in answers][::step]
    data = prepared(with_bs6, cases if rules else list(map(aged, cases)), derived=not rules)
    results = shacl.validate(data, exported, engine, rules=rules)
    shapes = {result.focus: result.shape.removeprefix(f"{BASE}BS.6/2024-01/outcome/") for result in results}
    named = {MET: "", NOT_MET: NOT_MET, NEEDED: "Undetermined", CONFLICT: "Undetermined"}
    assert [shapes.get(case.iri, "") for case in cases] == [named[tried.outcome] for tried in TRIED[::step]]


def test_a_policy_of_another_domain_slows_down_no_other(with_bs6: Repository) -> None:
    assert faults(with_bs6) == ()


def test_a_higher_number_entails_each_lower_one(with_bs6: Repository) -> None:
    mine = [one for one in conditions_of(with_bs6) if "body-mass-index" in one.iri]
    ties = {(tie.one.removeprefix(OWN), tie.value, tie.other.removeprefix(OWN), tie.then)
            for tie in ties_of(groups_of(with_bs6, mine, "pyshifty"))}  # fmt: skip
    higher = [(BMI_40, BMI_35), (BMI_40, BMI_30), (BMI_35, BMI_30)]
    assert ties == {tie for high, low in higher for tie in ((high, HOLDS, low, HOLDS), (low, FAILS, high, FAILS))}


def test_what_is_missing_is_asked_for_with_its_window(with_bs6: Repository, answers: list[Determination]) -> None:
    (needed,) = [
        answer for answer, tried in zip(answers, TRIED, strict=True) if tried.stated == [diet(6, "2024-06-30")]
    ]
    form = json.dumps(questionnaire(CaseForms(with_bs6), needed))
    assert "dated within the 2 years before the service date" in form
    assert "SupervisedDiet/dietMonths" in form


def test_a_condition_tells_of_its_own_comorbidity_alone(answers: list[Determination]) -> None:
    (one,) = [answer for answer, tried in zip(answers, TRIED, strict=True)
              if tried.stated == [bmi(36), has("Hypertension"), has("Hypertension", day="2026-05-01")]]  # fmt: skip
    read = {name: [fact.text for fact in one.condition_results[OWN + name].facts] for name in (HYPERTENSION, APNEA)}
    said = "comorbidity assessment: comorbidity hypertension, comorbidity status present (2026-06-01, chart evidence)"
    assert read == {HYPERTENSION: [said], APNEA: []}
    assert one.because == (
        "indication I is open: the case states no comorbidity assessment of type 2 diabetes and no comorbidity "
        "assessment of obstructive sleep apnea"
    )
    assert [fact.text for fact in one.condition_results[OWN + BMI_35].facts] == [
        "body mass index measurement: body mass index 36 kg/m2 (2026-06-01, chart evidence)"
    ]
