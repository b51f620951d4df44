"""FHIR R4 in: texts, codes that are nearly known, reports and stages raise doubts, make no fact and never come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bundle_edits import (
    CPT,
    ICD,
    NO_TRANSPLANT,
    SNOMED,
    Edit,
    added,
    both,
    changed,
    coded,
    condition,
    doubts_of,
    gvhd,
    own,
    perhaps_transplanted,
    procedure,
    without,
)
from bundles import case_of, content, data, record, resources
from fhir_fixtures import Determined
from rdflib import URIRef
from rdflib.namespace import RDF

from kb_tools.cases.record import Treatment
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name

pytestmark = pytest.mark.usefixtures("pseudonym_key")

MET, NEEDED, NOT_MET = "CriteriaMet", "InformationNeeded", "CriteriaNotMet"
LOCAL = "https://ehr.example/codes"
PATIENT = {"reference": "Patient/p"}


def in_doubt(kind: str, why: str) -> str:
    return f"{kind}: {why}"


def by_text(place: str) -> str:
    return f"{place} mentions it in a text, and its codes are unknown"


def by_code(place: str) -> str:
    return f"{place} may state another finding, but could not be read as one"


GRADE, STATUS = "acute GvHD assessment", "disease status assessment"
PERHAPS_BEFORE = in_doubt(
    STATUS,
    "the graft source of the later transplant of 2026-06-15 is not stated; if it was allogeneic, this finding is from "
    "before it and does not count",
)
SILENT = "Not understood: {} without a known code, whose texts mention nothing that the policy asks about."
BLANK = (
    "Not understood: {} that could not be judged, with neither a known code nor a text, dated on or after 2025-01-15, "
    "the oldest finding that was read, or not dated."
)


def in_words(text: str, day: str = "2026-06-24", **elements: Any) -> dict[str, Any]:
    """A condition by its text alone."""
    found = condition("x", day, "")
    return {**found, "code": {"text": text}, **elements}


def local(text: str = "", display: str = "", **elements: Any) -> dict[str, Any]:
    """An observation by a code of a local system."""
    coding = {"system": LOCAL, "code": "17", **({"display": display} if display else {})}
    return {**gvhd(), "code": {"coding": [coding], **({"text": text} if text else {})}, **elements}


def report(**elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "33721-2"}]},
        "subject": PATIENT,
        "effectiveDateTime": "2026-06-20",
        **elements,
    }


def impression(**elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "ClinicalImpression",
        "status": "completed",
        "subject": PATIENT,
        "date": "2026-06-20",
        **elements,
    }


def event(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "AdverseEvent", "actuality": "actual", "subject": PATIENT, "date": "2026-06-22", **elements}


IN_REMISSION = coded(ICD, "C92.01")


def at(kind: str) -> str:
    return f"entry[7] {kind}"


# An edit, what it comes to, the notices, and how the record of the resource that was added begins.
CASES: dict[str, tuple[Edit, str, tuple[str, ...], str]] = {
    # ------------------------------------------------------------------ texts
    "a newer grade by a local code": (
        added(local("Acute GVHD overall grade", valueCodeableConcept={"text": "Grade III"})),
        NEEDED,
        (in_doubt(GRADE, by_text(at("Observation"))),),
        "entry[7] Observation: not understood: unknown code system: code",
    ),
    "a newer grade by the display of a local code": (
        added(local(display="aGVHD grade")),
        NEEDED,
        (in_doubt(GRADE, by_text(at("Observation"))),),
        "entry[7] Observation: not understood: unknown code system: code",
    ),
    "a denied GvHD is a doubt too": (
        added(local("No GvHD")),
        NEEDED,
        (in_doubt(GRADE, by_text(at("Observation"))),),
        "entry[7] Observation: not understood",
    ),
    "an older grade by a local code": (
        added(local("Acute GVHD overall grade", effectiveDateTime="2026-06-10")),
        MET,
        (),
        "entry[7] Observation: not understood",
    ),
    "a code of a known system that is not mapped": (
        added({**local(), "code": {"coding": [{"system": SNOMED, "code": "1", "display": "GvHD of the eye"}]}}),
        NEEDED,
        (in_doubt(GRADE, by_text(at("Observation"))),),
        "entry[7] Observation: not understood: unknown code of SNOMED CT: code",
    ),
    "a value in words of what has no known code": (
        added(local("Marrow", valueString="in morphologic remission")),
        NEEDED,
        (in_doubt(STATUS, by_text(at("Observation"))),),
        "entry[7] Observation: not understood",
    ),
    "a value in words of what has a known code is of that": (
        added(gvhd(valueString="in remission")),
        NEEDED,
        (in_doubt(GRADE, by_code(at("Observation"))),),
        "entry[7] Observation: not understood: a value of a type that is not read for this finding: valueString",
    ),
    "a note is not looked at": (
        added(local("Hemoglobin", note=[{"text": "GvHD, in remission"}])),
        MET,
        (SILENT.format("1 resource"),),
        "entry[7] Observation: not understood",
    ),
    "a remission in words": (
        added(in_words("AML in complete remission")),
        NEEDED,
        (in_doubt(STATUS, by_text(at("Condition"))),),
        "entry[7] Condition: not understood: no code: code",
    ),
    "a remission in words before the relapse": (
        added(in_words("AML in complete remission", "2026-05-01")),
        MET,
        (),
        "entry[7] Condition: not understood: no code: code",
    ),
    "a remission in words that was refuted": (
        added(
            in_words(
                "AML in complete remission",
                verificationStatus=coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", "refuted"),
            )
        ),
        MET,
        (),
        "entry[7] Condition: ignored: its verification status is refuted: verificationStatus",
    ),
    "a title that says nothing of remission": (
        added(in_words("Acute myeloid leukemia, not having achieved remission")),
        MET,
        (SILENT.format("1 resource"),),
        "entry[7] Condition: not understood: no code: code",
    ),
    "a remission by a code that is not known beside one that says none": (
        added(
            {
                **condition("C92.00", "2026-06-24", ""),
                "code": {
                    "coding": [
                        {"system": ICD, "code": "C92.00"},
                        {"system": LOCAL, "code": "17", "display": "AML in remission"},
                    ]
                },
            }
        ),
        NEEDED,
        (in_doubt(STATUS, by_text(at("Condition"))),),
        "entry[7] Condition: ignored: The last digit 0 also stands where nothing is said of remission",
    ),
    "a text beside a code that is known": (
        added({**condition("C92.00", "2026-06-24", ""), "code": {**coded(ICD, "C92.00"), "text": "AML in remission"}}),
        NEEDED,
        (in_doubt(STATUS, by_text(at("Condition"))),),
        "entry[7] Condition: ignored: The last digit 0 also stands where nothing is said of remission",
    ),
    "a local code beside the code of the fact is of the fact": (
        changed(
            "Condition",
            code={
                "coding": [
                    {"system": ICD, "code": "C92.02"},
                    {"system": LOCAL, "code": "17", "display": "AML in relapse"},
                ],
                "text": "AML in relapse",
            },
        ),
        MET,
        (),
        "entry[4] Condition: used: disease status assessment of 2026-06-01: disease acute myeloid leukemia, "
        "disease status relapsed",
    ),
    "the grade of an organ beside the grade of all": (
        both(
            without("Observation"),
            added(gvhd(valueInteger=0, component=[{"code": {"text": "GvHD of the skin, stage"}, "valueInteger": 0}])),
        ),
        MET,
        (),
        "entry[6] Observation: used: acute GvHD assessment of 2026-06-24: grade 0",
    ),
    "a part in words of another kind": (
        both(
            without("Observation"),
            added(gvhd(valueInteger=0, component=[{"code": {"text": "Disease status"}, "valueString": "remission"}])),
        ),
        NEEDED,
        (in_doubt(STATUS, by_text("entry[6] Observation")),),
        "entry[6] Observation: used: acute GvHD assessment of 2026-06-24: grade 0",
    ),
    "a panel in words whose member states it": (
        both(
            without("Observation"),
            added({**gvhd(valueInteger=0), "id": "g"}),
            added({**local("GvHD panel"), "hasMember": [{"reference": "Observation/g"}]}),
        ),
        MET,
        (),
        "entry[7] Observation: not understood",
    ),
    # ------------------------------------------------------------------ transplants in words
    "a second transplant in words": (
        added({**procedure("38240", "2026-06-15"), "code": {"text": "Stem cell transplant"}}),
        NEEDED,
        (PERHAPS_BEFORE, perhaps_transplanted("2026-06-15")),
        "entry[7] Procedure: not understood: no code: code",
    ),
    "a transplant in words before the one that counts": (
        added({**procedure("38240", "2020-06-15"), "code": {"text": "Stem cell transplant"}}),
        MET,
        (perhaps_transplanted("2020-06-15"),),
        "entry[7] Procedure: not understood: no code: code",
    ),
    "a transplant of another organ in words": (
        added({**procedure("38240", "2026-06-15"), "code": {"text": "Kidney transplant"}}),
        MET,
        (SILENT.format("1 resource"),),
        "entry[7] Procedure: not understood: no code: code",
    ),
    "a state after a transplant in words": (
        added(in_words("Stem cell transplant status")),
        MET,
        (),
        "entry[7] Condition: not understood: no code: code",
    ),
    "a state after a transplant in words beside a stated absence": (
        both(without("Procedure"), added(NO_TRANSPLANT), added(in_words("Stem cell transplant status"))),
        NEEDED,
        (in_doubt("stated absence", "entry[7] Condition states that there was one"),),
        "entry[7] Condition: not understood: no code: code",
    ),
    # ------------------------------------------------------------------ codes that are nearly known
    **{
        f"a remission by a known code {name}": (
            added({**condition("C92.01", "2026-06-20", ""), "code": {"coding": [coding]}}),
            NEEDED,
            (in_doubt(STATUS, by_code(at("Condition"))), f"entry[7] Condition: {hint}."),
            f"entry[7] Condition: not understood: {hint}: code",
        )
        for name, coding, hint in (
            (
                "under a system with a slash",
                {"system": f"{ICD}/", "code": "C92.01"},
                f"ICD-10-CM C92.01 may be meant, under the URI of another system: give the system {ICD}",
            ),
            (
                "without its dot",
                {"system": ICD, "code": "C9201"},
                "ICD-10-CM C92.01 may be meant, without its dot: write C92.01",
            ),
            (
                "without a system",
                {"code": "C92.01"},
                f"ICD-10-CM C92.01 may be meant, without a system: give the system {ICD}",
            ),
            (
                "under ICD-10",
                {"system": "http://hl7.org/fhir/sid/icd-10", "code": "C92.01"},
                f"ICD-10-CM C92.01 may be meant, under the URI of another system: give the system {ICD}",
            ),
        )
    },
    "a relapse by a known code without its dot beside a relapse": (
        added({**condition("C92.02", "2026-06-20", ""), "code": coded(ICD, "C9202")}),
        MET,
        ("entry[7] Condition: ICD-10-CM C92.02 may be meant, without its dot: write C92.02.",),
        "entry[7] Condition: not understood: ICD-10-CM C92.02 may be meant, without its dot: write C92.02: code",
    ),
    "a second transplant under a system with a slash": (
        added(procedure("38240", "2026-06-15", f"{CPT}/")),
        NEEDED,
        (
            PERHAPS_BEFORE,
            perhaps_transplanted("2026-06-15"),
            f"entry[7] Procedure: CPT 38240 may be meant, under the URI of another system: give the system {CPT}.",
        ),
        "entry[7] Procedure: not understood: CPT 38240 may be meant",
    ),
    "a known code under its OID is known": (
        added({**condition("C92.01", "2026-06-20", ""), "code": coded("urn:oid:2.16.840.1.113883.6.90", "C92.01")}),
        NEEDED,
        (),
        "entry[7] Condition: used: disease status assessment of 2026-06-20: disease acute myeloid leukemia, disease "
        "status in remission",
    ),
    # ------------------------------------------------------------------ reports, impressions, events, stages
    "a report that concludes a remission": (
        added(report(conclusionCode=[IN_REMISSION])),
        NEEDED,
        (in_doubt(STATUS, by_code(at("DiagnosticReport"))),),
        "entry[7] DiagnosticReport: not understood: this type of resource makes no finding, only a possible one: "
        "code, conclusionCode",
    ),
    "a report that concludes the relapse": (
        added(report(conclusionCode=[coded(ICD, "C92.02")], code=coded(CLIN, "DiseaseStatusAssessment"))),
        MET,
        (),
        "entry[7] DiagnosticReport: not understood: this type of resource makes no finding, only a possible one",
    ),
    "a report that concludes a remission of another disease": (
        added(report(conclusionCode=[coded(ICD, "C90.01")], code=coded(CLIN, "DiseaseStatusAssessment"))),
        MET,
        (),
        "entry[7] DiagnosticReport: not understood: this type of resource makes no finding, only a possible one",
    ),
    "a report that concludes a full remission of what is not said": (
        added(report(conclusionCode=[coded(SNOMED, "103338009")])),
        NEEDED,
        (in_doubt(STATUS, by_code(at("DiagnosticReport"))),),
        "entry[7] DiagnosticReport: not understood: this type of resource makes no finding",
    ),
    "a report that does not find what it looks for": (
        added(report(conclusionCode=[coded(SNOMED, "260415000")])),
        MET,
        (),
        "entry[7] DiagnosticReport: ignored: SNOMED CT 260415000 states nothing that is read",
    ),
    "a report that concludes a remission in words": (
        added(report(conclusion="Marrow in complete remission")),
        NEEDED,
        (in_doubt(STATUS, by_text(at("DiagnosticReport"))),),
        "entry[7] DiagnosticReport: not understood: this type of resource makes no finding",
    ),
    "a report of older days": (
        added(report(conclusionCode=[IN_REMISSION], effectiveDateTime="2026-05-20")),
        MET,
        (),
        "entry[7] DiagnosticReport: not understood: this type of resource makes no finding",
    ),
    **{
        f"a report that is {status}": (
            added(report(conclusionCode=[IN_REMISSION], status=status)),
            *outcome,
            f"entry[7] DiagnosticReport: ignored: its status is {status}: status",
        )
        for status, outcome in {
            "partial": (NEEDED, (in_doubt(STATUS, by_code(at("DiagnosticReport"))),)),
            "preliminary": (NEEDED, (in_doubt(STATUS, by_code(at("DiagnosticReport"))),)),
            "registered": (MET, ()),
            "entered-in-error": (MET, ()),
        }.items()
    },
    "a report of GvHD of which a result states the grade": (
        both(
            without("Observation"),
            added({**gvhd(valueInteger=0), "id": "g"}),
            added(
                report(
                    code={"text": "GvHD report"},
                    result=[{"reference": "Observation/g"}],
                    effectiveDateTime="2026-06-24",
                )
            ),
        ),
        MET,
        (),
        "entry[7] DiagnosticReport: not understood: this type of resource makes no finding",
    ),
    "a report of GvHD without results": (
        added(report(code={"text": "GvHD report"}, effectiveDateTime="2026-06-24")),
        NEEDED,
        (in_doubt(GRADE, by_text(at("DiagnosticReport"))),),
        "entry[7] DiagnosticReport: not understood: this type of resource makes no finding",
    ),
    "an impression that finds a remission": (
        added(impression(finding=[{"itemCodeableConcept": IN_REMISSION}])),
        NEEDED,
        (in_doubt(STATUS, by_code(at("ClinicalImpression"))),),
        "entry[7] ClinicalImpression: not understood: this type of resource makes no finding, only a possible "
        "one: finding",
    ),
    "an impression that sums up": (
        added(impression(summary="Doing well, in remission")),
        NEEDED,
        (in_doubt(STATUS, by_text(at("ClinicalImpression"))),),
        "entry[7] ClinicalImpression: not understood: this type of resource makes no finding",
    ),
    "GvHD as an adverse event": (
        added(event(event=coded(ICD, "D89.810"))),
        NEEDED,
        (in_doubt(GRADE, by_code(at("AdverseEvent"))),),
        "entry[7] AdverseEvent: not understood: this type of resource makes no finding, only a possible one: event",
    ),
    "GvHD as an adverse event in words": (
        added(event(event={"text": "Acute GvHD, grade 3"})),
        NEEDED,
        (in_doubt(GRADE, by_text(at("AdverseEvent"))),),
        "entry[7] AdverseEvent: not understood: this type of resource makes no finding",
    ),
    "a potential adverse event": (
        added(event(event=coded(ICD, "D89.810"), actuality="potential")),
        MET,
        (),
        "entry[7] AdverseEvent: ignored: it is said to be only potential: actuality",
    ),
    "a remission as the stage of another record of the disease": (
        added(condition("C92.00", "2026-06-20", "", stage=[{"summary": own("CompleteRemission")}])),
        NEEDED,
        (in_doubt(STATUS, by_code(at("Condition"))),),
        "entry[7] Condition: ignored: The last digit 0 also stands where nothing is said of remission",
    ),
    "a remission as the stage of the relapse": (
        changed("Condition", stage=[{"summary": own("CompleteRemission")}]),
        NEEDED,
        (in_doubt(STATUS, by_code("entry[4] Condition")),),
        "entry[4] Condition: not understood: a stage makes no finding, only a possible one: stage",
    ),
    "a remission in words as the stage of the relapse": (
        changed("Condition", stage=[{"summary": {"text": "CR2"}}]),
        NEEDED,
        (in_doubt(STATUS, by_text("entry[4] Condition")),),
        "entry[4] Condition: not understood: a stage makes no finding, only a possible one: stage",
    ),
    "a stage that says nothing": (
        changed("Condition", stage=[{"summary": {"text": "Stage IV"}}]),
        MET,
        (),
        "entry[4] Condition: not read: id, stage",
    ),
    # ------------------------------------------------------------------ codes that are known by now
    "a remission by a code of SNOMED CT": (
        added({**condition("C92.01", "2026-06-20", ""), "code": coded(SNOMED, "91860005")}),
        NEEDED,
        (),
        "entry[7] Condition: used: disease status assessment of 2026-06-20: disease acute myeloid leukemia, disease "
        "status in remission",
    ),
    **{
        f"a relapse in the transplanted marrow after {name}": (
            both(
                without("Condition"),
                added(condition(code, "2026-06-01", "")),
                added({**condition("x", "2026-06-20", ""), "code": coded(SNOMED, "234522008")}),
            ),
            outcome,
            notices,
            "entry[7] Condition: ignored: Which disease is back is not said: no finding follows",
        )
        for name, code, outcome, notices in (
            ("a remission", "C92.01", NEEDED, (in_doubt(STATUS, by_code(at("Condition"))),)),
            ("a relapse", "C92.02", MET, ()),
        )
    },
    "GvHD of the skin after a grade of none": (
        added({**condition("D89.810", "2026-06-24", ""), "code": coded(SNOMED, "444547006")}),
        NEEDED,
        (in_doubt(GRADE, by_code(at("Condition"))),),
        "entry[7] Condition: ignored: Acute or chronic is not said: no finding follows",
    ),
    # ------------------------------------------------------------------ what is counted
    "what has no known code and mentions nothing": (
        both(added(local("Hemoglobin")), added(in_words("Hypertension")), added(report(conclusion="Normal"))),
        MET,
        (SILENT.format("3 resources"),),
        "entry[7] Observation: not understood",
    ),
    "what has neither a code nor a text": (
        both(added(local()), added(condition("J18.9", "2026-06-20", ""))),
        MET,
        (BLANK.format("2 resources"),),
        "entry[7] Observation: not understood",
    ),
    "what has neither a code nor a text, and is older than all that counts": (
        added(local(effectiveDateTime="2024-01-01")),
        MET,
        (SILENT.format("1 resource"),),
        "entry[7] Observation: not understood",
    ),
    "both beside each other": (
        both(added(local("Hemoglobin")), added(local())),
        MET,
        (
            f"{SILENT.format('1 resource').removesuffix('.')}; "
            f"{BLANK.format('1 resource').removeprefix('Not understood: ')}",
        ),
        "entry[7] Observation: not understood",
    ),
    "what is of someone else, void or known is not counted": (
        both(
            added(local(subject={"reference": "Group/g"})),
            added(local(status="entered-in-error")),
            added(condition("Z94.84", "2026-06-20", "")),
        ),
        MET,
        (),
        "entry[7] Observation: ignored: it is about something other than the patient: subject",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_resource_says_otherwise_than_by_known_codes(determined: Determined, name: str) -> None:
    edit, outcome, notices, line = CASES[name]
    found = determined(edit)
    assert {*found.case.notices, *doubts_of(found)} == set(notices)
    assert found.outcome.value == outcome
    assert [note for note in record(found.case) if note.startswith(line)], record(found.case)


def test_the_notice_that_counts_comes_with_every_outcome(determined: Determined) -> None:
    noise = added(local("Hemoglobin"))
    for edit, outcome in (
        (noise, MET),
        (both(noise, without("Procedure")), NEEDED),
        (both(noise, added(gvhd(valueInteger=3))), NOT_MET),
        (
            both(noise, lambda bundle: resources(bundle)["Coverage"].update(type=coded("https://nahdo.org/sopt", "1"))),
            "PolicyNotApplicable",
        ),
    ):
        found = determined(edit)
        assert (found.outcome.value, found.case.notices) == (outcome, (SILENT.format("1 resource"),))


# A text of each kind, as it may stand in each element that is looked at.
PLANTED = "Jane Roe of 12 Elm Street has GvHD, a relapse, MRD and chimerism after her transplant and DLI"


def planted() -> dict[str, Any]:
    bundle = content()
    concept = {"coding": [{"system": LOCAL, "code": PLANTED, "display": PLANTED}], "text": PLANTED}
    more = [
        in_words(PLANTED, stage=[{"summary": concept}]),
        local(PLANTED, PLANTED, valueString=PLANTED),
        local("x", component=[{"code": concept, "valueCodeableConcept": concept}]),
        {**procedure("38240", "2026-06-15"), "code": concept},
        report(code=concept, conclusion=PLANTED, conclusionCode=[concept]),
        impression(summary=PLANTED, description=PLANTED, finding=[{"itemCodeableConcept": concept}]),
        event(event=concept),
        {**condition("C92.00", "2026-06-24", ""), "code": {"coding": [{"code": PLANTED, "display": PLANTED}]}},
        {**condition("C92.00", "2026-06-24", ""), "code": {"coding": [{"system": PLANTED, "code": "C92.02"}]}},
    ]
    bundle["entry"] += [{"resource": resource} for resource in more]
    return bundle


@pytest.mark.parametrize("format_", ["text", "json", "turtle", "fhir", "junit"])
def test_no_text_makes_a_fact_or_comes_out(run_kb: Any, tmp_path: Path, format_: str) -> None:
    (tmp_path / "case.json").write_bytes(data(planted()))
    explained = [] if format_ in ("fhir", "junit") else ["--explain"]
    ended = run_kb("validate", "case.json", "--revision", "2026-02", "--format", format_, *explained)
    assert (ended.returncode, ended.stderr) == (1, "")
    for word in ("Jane", "Roe", "Elm", "her transplant", "has GvHD"):
        assert word not in ended.stdout + ended.stderr


def test_no_text_makes_a_fact_but_a_procedure_may_be_a_transplant(kb: Repository, tmp_path: Path) -> None:
    case = case_of(kb, planted(), tmp_path)
    assert case.reading
    used = {note.place for note in case.reading.notes if note.treatment is Treatment.USED}
    own = {f"entry[{i}] {entry['resource']['resourceType']}" for i, entry in enumerate(content()["entry"])}
    assert used <= {*own, "entry[10] Procedure"}
    findings = [finding for finding in case.values(case.node, CASE.finding) if isinstance(finding, URIRef)]
    assert sorted(
        (
            local_name(case.value(finding, RDF.type)),
            str(case.value(finding, CASE.date)),
            bool(case.value(finding, CASE.inDoubt)),
        )
        for finding in findings
    ) == [
        ("AcuteGvHDAssessment", "2026-06-20", True),
        ("DiseaseStatusAssessment", "2026-06-01", True),
        ("Transplant", "2025-01-15", False),
        ("Transplant", "2026-06-15", False),
    ]
    (perhaps,) = (finding for finding in findings if str(case.value(finding, CASE.date)) == "2026-06-15")
    assert {predicate for predicate, _ in case.about[perhaps]} == {RDF.type, CASE.date, CASE.basis}
