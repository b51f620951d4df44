"""Findings and answers in FHIR that say less, or something else, than they seem to: what becomes of each."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from bundles import CLINICAL, case_of, content, data, record, resources
from rdflib.namespace import RDF

from kb_tools.cases.case import Case
from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.cases.reader import CaseReader
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name

pytestmark = pytest.mark.usefixtures("pseudonym_key")

PATIENT = {"reference": "Patient/p"}
SNOMED = "http://snomed.info/sct"
STATUS = "http://terminology.hl7.org/CodeSystem/condition-clinical"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
DETECTED, NOT_DETECTED = "260373001", "260415000"
LOCAL = {"coding": [{"system": "https://lab.example", "code": "x"}]}


def own(name: str) -> dict[str, Any]:
    return {"coding": [{"system": CLINICAL, "code": name}]}


def observation(kind: str, **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": own(kind),
        "subject": PATIENT,
        "effectiveDateTime": "2026-06-20",
        **elements,
    }


def answer(link: str, *values: Any, **more: Any) -> dict[str, Any]:
    """An item: a text stands for a term of ours, a number for itself, anything else for a whole answer."""
    answers = [
        {"valueCoding": {"system": CLINICAL, "code": value}}
        if isinstance(value, str)
        else {"valueInteger": value}
        if isinstance(value, int)
        else value
        for value in values
    ]
    return {"linkId": link, "answer": answers, **more}


def dated(kind: str, *items: dict[str, Any]) -> dict[str, Any]:
    """A group of answers that make a finding of 2026-06-24."""
    return {"linkId": kind, "item": [answer(f"{kind}/date", {"valueDate": "2026-06-24"}), *items]}


def with_(*more: dict[str, Any], **changed: dict[str, Any]) -> dict[str, Any]:
    """The meeting bundle, with elements of the first resource of a type changed, and with more resources."""
    bundle = content()
    for type_, elements in changed.items():
        resources(bundle)[type_].update(elements)
    bundle["entry"] += [{"resource": resource} for resource in more]
    return bundle


def answered(*items: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return with_(QuestionnaireResponse={"item": list(items), **elements})


def of_class(case: Case, kind: Any) -> list[dict[Any, str]]:
    """What the findings of a class state."""
    return [
        {p: local_name(o) if "#" in str(o) else str(o) for p, o in case.about[finding]}  # type: ignore[index]
        for finding in case.values(case.node, CASE.finding)
        if kind in case.values(finding, RDF.type)
    ]


def processing(case: Case) -> list[str]:
    product = case.value(case.value(case.node, CASE.request), CASE.product)
    return sorted(local_name(value) for value in case.values(product, CLIN.processing)) if product else []


def noted(case: Case, text: str) -> list[str]:
    return [line.partition(": ")[2] for line in record(case) if text in line]


# ---------------------------------------------------------------------- observations


OTHER = "ignored: it is about something other than the patient: focus"
NOWHERE = "not understood: the reference leads nowhere in the input: focus"


@pytest.mark.parametrize(
    ("focus", "why"),
    [
        ("Patient/p", ""),
        ("Condition/aml", ""),
        ("RelatedPerson/donor", OTHER),
        ("Patient/donor", OTHER),
        ("Procedure/t", OTHER),
        ("Condition/none", NOWHERE),
        ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", NOWHERE),
    ],
)
def test_an_observation_is_of_the_patient_unless_its_focus_is_another(
    kb: Repository, tmp_path: Path, focus: str, why: str
) -> None:
    case = case_of(kb, with_(Observation={"focus": [PATIENT, {"reference": focus}]}), tmp_path)
    assert len(of_class(case, CLIN.AcuteGvHDAssessment)) == (not why)
    assert noted(case, "focus")[-1:] == ([why] if why else noted(case, "focus")[-1:])


@pytest.mark.parametrize(("others", "found"), [([], 2), ([PATIENT], 1)])
def test_a_status_is_of_a_disease_only_if_each_focus_is(
    kb: Repository, tmp_path: Path, others: list[Any], found: int
) -> None:
    status = observation(
        "DiseaseStatusAssessment",
        focus=[{"reference": "Condition/aml"}, *others],
        valueCodeableConcept=own("Progressing"),
    )
    case = case_of(kb, with_(status), tmp_path)
    stated = [finding[CLIN.diseaseStatus] for finding in of_class(case, CLIN.DiseaseStatusAssessment)]
    assert ("Progressing" in stated) is (found == 2)
    assert noted(case, "which disease") == (
        [] if found == 2 else ["not understood: it does not say which disease it is about: focus"]
    )


def test_a_value_that_is_said_to_be_absent_is_none(kb: Repository, tmp_path: Path) -> None:
    absent = {"dataAbsentReason": {"text": "not done"}}
    case = case_of(kb, with_(Observation=absent), tmp_path)
    assert of_class(case, CLIN.AcuteGvHDAssessment) == []
    assert noted(case, "absent") == ["not understood: its value is said to be absent: dataAbsentReason"]
    part = {"code": own("AcuteGvHDAssessment"), "valueInteger": 0}
    panel = with_(Observation={"component": [part | absent], "code": LOCAL})
    del resources(panel)["Observation"]["valueInteger"]
    case = case_of(kb, panel, tmp_path)
    assert of_class(case, CLIN.AcuteGvHDAssessment) == []
    assert noted(case, "absent") == ["not understood: its value is said to be absent: component[0].dataAbsentReason"]


@pytest.mark.parametrize(
    ("element", "value", "why"),
    [
        ("method", own("FlowCytometry"), ""),
        ("method", {"coding": [*LOCAL["coding"], *own("FlowCytometry")["coding"]]}, ""),
        ("method", LOCAL, "not understood: no code that this finding can have: method"),
        ("method", {"text": "flow"}, "not understood: no code that this finding can have: method"),
        ("bodySite", LOCAL, ""),
    ],
)
def test_residual_disease_is_told_apart_by_a_method_that_is_known(
    kb: Repository, tmp_path: Path, element: str, value: Any, why: str
) -> None:
    case = case_of(
        kb, with_(observation("MRDTest", valueCodeableConcept=own("MRDDetected"), **{element: value})), tmp_path
    )
    assert len(of_class(case, CLIN.MRDTest)) == (not why)
    assert noted(case, "can have") == ([why] if why else [])


@pytest.mark.parametrize(
    ("element", "value", "found"), [("bodySite", own("TCells"), 1), ("bodySite", LOCAL, 0), ("method", LOCAL, 1)]
)
def test_chimerism_is_told_apart_by_a_site_that_is_known(
    kb: Repository, tmp_path: Path, element: str, value: Any, found: int
) -> None:
    percent = {"value": 40, "system": "http://unitsofmeasure.org", "code": "%"}
    case = case_of(kb, with_(observation("ChimerismTest", valueQuantity=percent, **{element: value})), tmp_path)
    assert len(of_class(case, CLIN.ChimerismTest)) == found
    why = "not understood: no code that this finding can have: bodySite"
    assert noted(case, "can have") == ([] if found else [why])


@pytest.mark.parametrize(
    ("result", "code", "found"),
    [
        (DETECTED, "POS", 1),
        (DETECTED, "DET", 1),
        (DETECTED, "NEG", 0),
        (DETECTED, "ND", 0),
        (NOT_DETECTED, "POS", 0),
        (NOT_DETECTED, "DET", 0),
        (NOT_DETECTED, "NEG", 1),
        (NOT_DETECTED, "ND", 1),
        (DETECTED, "H", 1),
    ],
)
def test_a_result_that_its_interpretation_contradicts_is_none(
    kb: Repository, tmp_path: Path, result: str, code: str, found: int
) -> None:
    test = observation(
        "MRDTest",
        valueCodeableConcept={"coding": [{"system": SNOMED, "code": result}]},
        interpretation=[{"coding": [{"system": INTERPRETATION, "code": code}]}],
    )
    case = case_of(kb, with_(test), tmp_path)
    assert len(of_class(case, CLIN.MRDTest)) == found
    why = "not understood: value and interpretation contradict each other: interpretation"
    assert noted(case, "contradict") == ([] if found else [why])


# ---------------------------------------------------------------------- conditions and administrations


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({"coding": [{"system": STATUS, "code": "active"}]}, 1),
        ({"text": "Resolved"}, 0),
        ({"coding": [{"system": STATUS, "code": "back"}]}, 0),
        ({"coding": [{"system": SNOMED, "code": "271299001"}]}, 0),
        ({"coding": [{"system": STATUS, "code": "active"}, {"system": SNOMED, "code": "55561003"}]}, 1),
    ],
)
def test_a_clinical_status_is_one_that_r4_has(kb: Repository, tmp_path: Path, status: Any, found: int) -> None:
    case = case_of(kb, with_(Condition={"clinicalStatus": status}), tmp_path)
    assert len(of_class(case, CLIN.DiseaseStatusAssessment)) == found
    why = "not understood: not a clinical status of FHIR R4: clinicalStatus"
    assert noted(case, "of FHIR R4") == ([] if found else [why])


@pytest.mark.parametrize(
    ("onset", "status", "noticed", "doubtful"),
    [
        ({"onsetDateTime": "2024-03-01"}, "active", True, True),
        ({"onsetDateTime": "2025-01-14"}, "active", True, True),
        # On the day of the transplant, it may be that of before it.
        ({"onsetDateTime": "2025-01-15"}, "active", True, True),
        ({"onsetDateTime": "2025-01-16"}, "active", True, False),
        ({"onsetDateTime": "2025-05-31T10:00:00Z"}, "active", True, False),
        ({"onsetDateTime": "2025-06-01"}, "active", False, False),
        ({"onsetDateTime": "2024"}, "active", True, True),
        ({"onsetDateTime": "2025"}, "active", False, True),
        ({"onsetPeriod": {"start": "2024-03-01"}}, "active", False, True),
        ({"onsetPeriod": {"start": "2026-03"}}, "active", False, False),
        ({"onsetAge": {"value": 60}}, "active", False, True),
        ({"onsetString": "before the transplant"}, "active", False, True),
        ({"onsetDateTime": "2024-03-01"}, "relapse", False, False),
    ],
)
def test_a_relapse_by_its_code_is_not_one_that_began_before_the_transplant(
    kb: Repository, tmp_path: Path, onset: dict[str, Any], status: str, noticed: bool, doubtful: bool
) -> None:
    changed = {**onset, "clinicalStatus": {"coding": [{"system": STATUS, "code": status}]}}
    case = case_of(kb, with_(Condition=changed), tmp_path)
    text = "entry[4] Condition: the relapse is dated by its record of 2026-06-01; its onset is stated as earlier."
    why = "the onset in entry[4] Condition may be before the transplant"
    assert [notice for notice in case.notices if "onset" in notice] == ([text] if noticed else [])
    (status_found,) = of_class(case, CLIN.DiseaseStatusAssessment)
    assert status_found[CASE.date] == "2026-06-01"
    assert status_found.get(CASE.inDoubt) == (why if doubtful else None)


@pytest.mark.parametrize(("status", "found"), [("active", 1), ("entered-in-error", 0)])
def test_a_medication_entered_in_error_was_not_given(kb: Repository, tmp_path: Path, status: str, found: int) -> None:
    code = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "38242"}]}
    medication = {"resourceType": "Medication", "id": "m", "status": status, "code": code}
    given = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "subject": PATIENT,
        "effectiveDateTime": "2026-01-01",
        "medicationReference": {"reference": "Medication/m"},
    }
    case = case_of(kb, with_(medication, given), tmp_path)
    assert len(of_class(case, CLIN.EarlierInfusion)) == found
    why = "ignored: the status of what it refers to is entered-in-error: medicationReference"
    assert noted(case, "in-error") == ([] if found else [why])


@pytest.mark.parametrize(
    ("code", "found", "why"),
    [
        (
            "38242",
            1,
            "used: earlier donor lymphocyte infusion of 2026-01-01 "
            "(from status, subject, effectiveDateTime, medicationCodeableConcept)",
        ),
        ("x", 0, "not understood: unknown code of CPT: medicationCodeableConcept"),
    ],
)
def test_a_medication_is_known_by_a_code_of_its_own(
    kb: Repository, tmp_path: Path, code: str, found: int, why: str
) -> None:
    given = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "subject": PATIENT,
        "effectiveDateTime": "2026-01-01",
        "medicationCodeableConcept": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code}]},
    }
    case = case_of(kb, with_(given), tmp_path)
    assert len(of_class(case, CLIN.EarlierInfusion)) == found
    assert noted(case, "MedicationAdministration")[0] == why


PROBLEM = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "problem-list-item"}]
}


@pytest.mark.parametrize(
    ("onset", "category", "in_doubt"),
    [
        ("2024-03-01", [PROBLEM], True),
        ("2025-01-15", [PROBLEM], True),
        ("2025-03-01", [PROBLEM], False),
        # What is no list that is kept on for years is of its day.
        ("2024-03-01", [], False),
    ],
)
def test_a_relapse_on_a_problem_list_with_the_first_onset_is_in_doubt(
    kb: Repository, tmp_path: Path, onset: str, category: list[Any], in_doubt: bool
) -> None:
    problem = {"onsetDateTime": onset, "clinicalStatus": {"coding": [{"system": STATUS, "code": "relapse"}]}}
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C92.00"}]}
    case = case_of(
        kb, with_(Condition={**problem, "code": code, **({"category": category} if category else {})}), tmp_path
    )
    (status,) = of_class(case, CLIN.DiseaseStatusAssessment)
    assert status.get(CASE.inDoubt) == (
        "the onset in entry[4] Condition may be before the transplant" if in_doubt else None
    )


# ---------------------------------------------------------------------- periods and numbers


def period(start: str | None = None, end: str | None = None) -> dict[str, Any]:
    return {name: day for name, day in (("start", start), ("end", end)) if day}


@pytest.mark.parametrize(
    ("span", "day", "why"),
    [
        (period("2025-01-15", "2025-01-16"), "2025-01-16", ""),
        (period("2025-01-15T22:00:00-05:00", "2025-01-16T03:00:00-05:00"), "2025-01-16", ""),
        (period("2025-01-15", "2025-01-15"), "2025-01-15", ""),
        (period(end="2025-01-16"), "2025-01-16", ""),
        (period("2025-01-15"), "2026-07-01", "a period without a last day"),
        (period("2025-01-17", "2025-01-16"), "2025-01-16", "a period without a last day"),
        (period("2026-06-30", "2026-07-02"), "", "a period that ends after the service date"),
        (period("2025-01", "2025-02"), "2025-02-28", "no full date"),
    ],
)
def test_a_procedure_over_days_is_of_its_last_day(
    kb: Repository, tmp_path: Path, span: dict[str, Any], day: str, why: str
) -> None:
    bundle = content()
    transplant = resources(bundle)["Procedure"]
    del transplant["performedDateTime"]
    transplant["performedPeriod"] = span
    case = case_of(kb, bundle, tmp_path)
    # Where the day is open, the last that it can be, and no source: a transplant that perhaps was.
    stated = [(finding[CASE.date], CLIN.graftSource in finding) for finding in of_class(case, CLIN.Transplant)]
    assert stated == ([(day, not why)] if day else [])
    assert [line for line in noted(case, "not understood") if why and why in line] == (
        [f"not understood: {why}: performedPeriod{'.start' if 'full' in why else ''}"] if why else []
    )


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        ('{"valueQuantity": {"value": 2.0, "system": "http://unitsofmeasure.org", "code": "1"}}', "2"),
        ('{"valueQuantity": {"value": 2}}', "2"),
        ('{"valueQuantity": {"value": 2.00}}', "2"),
        ('{"valueQuantity": {"value": -0.0}}', "0"),
        ('{"valueQuantity": {"value": 2.5}}', ""),
        ('{"valueQuantity": {"value": 2e0}}', ""),
        ('{"valueQuantity": {"value": 2, "unit": "%"}}', ""),
        ('{"valueQuantity": {"value": 2, "system": "http://unitsofmeasure.org", "code": "%"}}', ""),
        ('{"valueQuantity": {"value": 2, "system": "http://unitsofmeasure.org"}}', ""),
    ],
)
def test_a_grade_is_a_whole_number_of_no_unit(kb: Repository, tmp_path: Path, value: str, grade: str) -> None:
    bundle = content()
    observed = resources(bundle)["Observation"]
    del observed["valueInteger"]
    path = tmp_path / "case.json"
    written = (
        data(bundle).decode().replace('"resourceType": "Observation"', value[1:-1] + ', "resourceType": "Observation"')
    )
    path.write_text(written, encoding="utf-8")
    (case,) = CaseReader(kb).stream("case.json", path, io.BytesIO())
    assert isinstance(case, Case)
    assert [finding[CLIN.grade] for finding in of_class(case, CLIN.AcuteGvHDAssessment)] == ([grade] if grade else [])


@pytest.mark.parametrize(("decimal", "grades"), [(2.0, ["2"]), (2.5, [])])
def test_an_answered_grade_is_a_whole_number(kb: Repository, tmp_path: Path, decimal: float, grades: list[str]) -> None:
    item = dated("AcuteGvHDAssessment", answer("AcuteGvHDAssessment/grade", {"valueDecimal": decimal}))
    assert [finding[CLIN.grade] for finding in attested(case_of(kb, answered(item), tmp_path))] == grades


RECIPIENT = {"coding": [{"system": "http://loinc.org", "code": "104480-9"}]}


@pytest.mark.parametrize(
    ("value", "comparator", "property_", "stated"),
    [
        (12, "", "donorPercent", "88"),
        (0, "", "donorPercent", "100"),
        (100, "", "donorPercent", "0"),
        (12.75, "", "donorPercent", "87.25"),
        (5, "<", "donorPercentAtLeast", "95"),
        (5, "<=", "donorPercentAtLeast", "95"),
        (5, ">=", "donorPercentAtMost", "95"),
        (5, ">", "donorPercentAtMost", "95"),
    ],
)
def test_the_share_of_the_recipient_is_the_rest_of_the_donors(
    kb: Repository, tmp_path: Path, value: float, comparator: str, property_: str, stated: str
) -> None:
    quantity = {"value": value, "system": "http://unitsofmeasure.org", "code": "%"}
    quantity |= {"comparator": comparator} if comparator else {}
    test = {**observation("x", valueQuantity=quantity), "code": RECIPIENT}
    (found,) = of_class(case_of(kb, with_(test), tmp_path), CLIN.ChimerismTest)
    assert found[CLIN.lineage] == "BoneMarrow"
    assert {local_name(iri): number for iri, number in found.items() if "donorPercent" in iri} == {property_: stated}


def test_a_share_of_both_is_not_understood(kb: Repository, tmp_path: Path) -> None:
    code = {"coding": [*RECIPIENT["coding"], *own("ChimerismTest")["coding"]]}
    percent = {"value": 40, "system": "http://unitsofmeasure.org", "code": "%"}
    case = case_of(kb, with_({**observation("x", valueQuantity=percent), "code": code}), tmp_path)
    assert of_class(case, CLIN.ChimerismTest) == []
    assert noted(case, "contradict") == ["not understood: its codes contradict each other: code"]


# ---------------------------------------------------------------------- what leaves something out


SUBSETTED = {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}]}


def test_a_resource_of_which_elements_were_left_out_is_in_doubt(kb: Repository, tmp_path: Path) -> None:
    case = case_of(kb, with_(Observation={"meta": SUBSETTED}), tmp_path)
    assert of_class(case, CLIN.AcuteGvHDAssessment) == []
    assert case.notices == ("entry[6] Observation is tagged SUBSETTED: send it with all its elements.",)
    assert noted(case, "SUBSETTED") == ["not understood: elements of it were left out: it is tagged SUBSETTED"]


def test_a_bundle_of_which_elements_were_left_out_is_told(kb: Repository, tmp_path: Path) -> None:
    case = case_of(kb, {**content(), "meta": SUBSETTED}, tmp_path)
    assert case.notices == ("The bundle is tagged SUBSETTED: elements of it were left out.",)


def test_a_patient_with_elements_left_out_is_read_with_a_notice(kb: Repository, tmp_path: Path) -> None:
    case = case_of(kb, with_(Patient={"meta": SUBSETTED}), tmp_path)
    assert case.notices == ("entry[1] Patient is tagged SUBSETTED: send it with all its elements.",)


@pytest.mark.parametrize(
    ("severity", "code", "noticed"),
    [
        ("warning", "processing", True),
        ("warning", "incomplete", True),
        ("information", "incomplete", True),
        ("information", "suppressed", True),
        ("information", "informational", False),
    ],
)
def test_a_warning_of_the_server_is_told(
    kb: Repository, tmp_path: Path, severity: str, code: str, noticed: bool
) -> None:
    issue = {"severity": severity, "code": code, "diagnostics": "Jane Roe"}
    bundle = {**with_({"resourceType": "OperationOutcome", "issue": [issue]}), "type": "searchset"}
    notice = "entry[7] OperationOutcome: the server warns: what it sent may be incomplete."
    assert case_of(kb, bundle, tmp_path).notices == ((notice,) if noticed else ())


@pytest.mark.parametrize("severity", ["error", "fatal"])
def test_an_error_of_the_server_leaves_nothing_to_determine(kb: Repository, severity: str) -> None:
    issue = {"severity": severity, "code": "exception", "diagnostics": "Jane Roe"}
    bundle = {**with_({"resourceType": "OperationOutcome", "issue": [issue]}), "type": "searchset"}
    with pytest.raises(UnreadableInput) as refused:
        FhirReader(kb).bundle(data(bundle), "in.json")
    assert str(refused.value) == (
        "in.json: entry[7] OperationOutcome: the server reports an error, so what it sent may be incomplete; "
        "ask again, and send all that is found"
    )


# ---------------------------------------------------------------------- death

DIED = "entry[1] Patient: the patient died before the service date."
MAY_HAVE = "entry[1] Patient: the patient is recorded as having died, perhaps before the service date."


@pytest.mark.parametrize(
    ("death", "notices"),
    [
        ({"deceasedDateTime": "2026-06-22"}, (DIED,)),
        ({"deceasedDateTime": "2026-06-30T23:00:00Z"}, (DIED,)),
        ({"deceasedDateTime": "2025"}, (DIED,)),
        ({"deceasedDateTime": "2026"}, (MAY_HAVE,)),
        ({"deceasedDateTime": "2026-07-01"}, ()),
        ({"deceasedDateTime": "2026-08-01"}, ()),
        ({"deceasedBoolean": True}, (MAY_HAVE,)),
        ({"deceasedBoolean": False}, ()),
    ],
)
def test_a_death_before_the_service_is_told(
    kb: Repository, tmp_path: Path, death: dict[str, Any], notices: tuple[str, ...]
) -> None:
    case = case_of(kb, with_(Patient=death), tmp_path)
    assert case.notices == notices
    element = next(iter(death))
    place = f"entry[1] Patient: {'ignored' if notices else 'not read'}: "
    assert [line for line in record(case) if line.startswith(place) and element in line]


# ---------------------------------------------------------------------- answers


GRADE = "AcuteGvHDAssessment/grade"


def attested(case: Case) -> list[dict[Any, str]]:
    return [finding for finding in of_class(case, CLIN.AcuteGvHDAssessment) if finding[CASE.basis] == "Attestation"]


@pytest.mark.parametrize("again", [answer(GRADE, 3), answer("AcuteGvHDAssessment/date", {"valueDate": "2026-06-01"})])
def test_a_question_answered_twice_makes_no_finding(kb: Repository, tmp_path: Path, again: Any) -> None:
    once = case_of(kb, answered(dated("AcuteGvHDAssessment", answer(GRADE, 0))), tmp_path)
    assert [finding[CLIN.grade] for finding in attested(once)] == ["0"]
    twice = case_of(kb, answered(dated("AcuteGvHDAssessment", answer(GRADE, 0), again)), tmp_path)
    assert attested(twice) == []
    assert noted(twice, "more than one") == ["not understood: more than one answer: item[0].item[2]"]


@pytest.mark.parametrize(
    "nested",
    [
        {"linkId": "x", "item": [answer(GRADE, 3)]},
        {"linkId": "x", "item": [{"linkId": "y", "item": [answer(GRADE, 3)]}]},
    ],
)
def test_answers_count_however_deep_in_their_group(kb: Repository, tmp_path: Path, nested: Any) -> None:
    case = case_of(kb, answered(dated("AcuteGvHDAssessment", nested)), tmp_path)
    assert [finding[CLIN.grade] for finding in attested(case)] == ["3"]


def test_answers_count_within_answers(kb: Repository, tmp_path: Path) -> None:
    inner = {"valueDate": "2026-06-24", "item": [answer(GRADE, 3)]}
    group = {"linkId": "AcuteGvHDAssessment", "item": [answer("AcuteGvHDAssessment/date", inner)]}
    case = case_of(kb, answered(group), tmp_path)
    assert [finding[CLIN.grade] for finding in attested(case)] == ["3"]
    outer = answer("Product/processing", "Apheresis")
    outer["answer"][0]["item"] = [answer("Product/processing", "Cryopreservation")]
    assert processing(case_of(kb, answered(outer), tmp_path)) == ["Apheresis", "Cryopreservation"]


def test_a_group_that_states_no_value_is_no_finding(kb: Repository, tmp_path: Path) -> None:
    case = case_of(kb, answered(dated("AcuteGvHDAssessment"), dated("Transplant")), tmp_path)
    assert attested(case) == []
    assert noted(case, "no value") == ["ignored: no value: item[0].item[0]"]
    assert {finding[CASE.date] for finding in of_class(case, CLIN.Transplant)} == {"2025-01-15", "2026-06-24"}


def test_a_property_of_a_part_is_not_stated_by_halves(kb: Repository, tmp_path: Path) -> None:
    known, unknown = answer("Product/processing", "Unmanipulated"), answer("Product/processing", {"valueString": "x"})
    donor = answer("Product/lymphocyteDonor", "TransplantDonor")
    expected = [
        "ignored: processing: unmanipulated; not used: item[0]",
        "not understood: not an answer that this question accepts: item[1].answer[0]",
    ]
    assert processing(case_of(kb, answered(known, donor), tmp_path)) == ["Unmanipulated"]
    for first, second in ((known, unknown), (unknown, known)):
        case = case_of(kb, answered(first, second, donor), tmp_path)
        assert processing(case) == []
        assert len(noted(case, "not used")) == len(noted(case, "not an answer")) == 1
        assert len(noted(case, "donor of the transplant")) == 1
    case = case_of(kb, answered(known, unknown), tmp_path)
    assert sorted([*noted(case, "not used"), *noted(case, "not an answer")]) == expected
    assert case.notices == (
        "The processing is answered in entry[5] QuestionnaireResponse in a way that is not understood: none is used.",
    )


@pytest.mark.parametrize(("status", "stated"), [("completed", []), ("in-progress", ["Unmanipulated"])])
def test_what_another_form_answers_counts_as_well(
    kb: Repository, tmp_path: Path, status: str, stated: list[str]
) -> None:
    other = {
        "resourceType": "QuestionnaireResponse",
        "status": status,
        "subject": PATIENT,
        "item": [answer("Product/processing", {"valueString": "x"})],
    }
    assert processing(case_of(kb, with_(other), tmp_path)) == stated


ITEMS = "item[1].item[0], item[1].item[1]"


@pytest.mark.parametrize(
    ("authored", "stated", "grades", "why"),
    [
        ("2026-06-24", ["Unmanipulated"], 1, []),
        ("2026-06-23", ["Unmanipulated"], 0, [f"not understood: dated after it was answered: {ITEMS}"]),
        ("2025-07-01", ["Unmanipulated"], 0, [f"not understood: dated after it was answered: {ITEMS}"]),
        (
            "2025-06-30",
            [],
            0,
            [
                "ignored: answered more than a year before the service date: item[0]",
                f"not understood: dated after it was answered: {ITEMS}",
            ],
        ),
        # A form is answered after the bundle was made that it is put into.
        ("2026-06-28", ["Unmanipulated"], 1, []),
        ("2026-07-02", [], 0, ["ignored: dated after the service date: authored"]),
    ],
)
def test_answers_count_in_their_time(
    kb: Repository, tmp_path: Path, authored: str, stated: list[str], grades: int, why: list[str]
) -> None:
    items = (answer("Product/processing", "Unmanipulated"), dated("AcuteGvHDAssessment", answer(GRADE, 0)))
    case = case_of(kb, answered(*items, authored=authored), tmp_path)
    assert processing(case) == stated
    assert len(attested(case)) == grades
    assert [line for line in noted(case, "") if "dated after" in line or "answered more" in line] == why
