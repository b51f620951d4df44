"""Edits of the bundle that meets the criteria, each with what it comes to: what is in doubt does not decide."""

from __future__ import annotations

from typing import Any

from bundle_edits import (
    ABSENCE,
    CPT,
    HL7,
    ICD,
    NO_TRANSPLANT,
    SNOMED,
    Edit,
    added,
    answer,
    answers,
    both,
    changed,
    coded,
    condition,
    group,
    gvhd,
    own,
    perhaps_transplanted,
    procedure,
    status,
    without,
)
from bundles import CLINICAL, resources

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
INTERPRETATION = f"{HL7}v3-ObservationInterpretation"
VERIFICATION = f"{HL7}condition-ver-status"
ABSENT = f"{HL7}data-absent-reason"


def doubtful(kind: str, place: str = "entry[7] Observation") -> str:
    return f"{kind}: {place} may state another finding, but could not be read as one"


def open_grade(place: str = "entry[7] Observation") -> str:
    return doubtful("acute GvHD assessment", place)


def open_status(place: str = "entry[7] Condition") -> str:
    return doubtful("disease status assessment", place)


def open_mrd(place: str = "entry[7] Observation") -> str:
    return doubtful("MRD test", place)


def of_aml(day: str, status: str) -> str:
    return f"disease status assessment of {day}: disease acute myeloid leukemia, disease status {status}"


def stands(day: str, status: str, place: str = "entry[7] Condition") -> str:
    return f"{place}: used: {of_aml(day, status)}"


def put_in_doubt(day: str, status: str, place: str, why: str) -> str:
    return f"{place}: used: {of_aml(day, status)}; in doubt: {why}"


def contradicting(kind: str, one: str, other: str) -> str:
    return f"{kind}: {one} and {other} contradict each other"


def observation(*codes: str, day: str = "2026-06-24", **elements: Any) -> dict[str, Any]:
    return {**gvhd(effectiveDateTime=day), "code": own(*codes), **elements}


GRADE = "AcuteGvHDAssessment/grade"


def graded(*items: dict[str, Any], day: str = "2026-06-24") -> dict[str, Any]:
    return group("AcuteGvHDAssessment", day, *items)


GRADE_3 = graded(answer(GRADE, valueInteger=3))


DETECTED: dict[str, Any] = {"valueCodeableConcept": coded(SNOMED, "260373001")}
NOT_DETECTED: dict[str, Any] = {"valueCodeableConcept": coded(SNOMED, "260415000")}
UNCERTAIN = {"coding": [{"system": SNOMED, "code": code} for code in ("260373001", "419984006")]}
BETTER_AND_WORSE = {"coding": [{"system": SNOMED, "code": code} for code in ("260415000", "271299001")]}
FULL_REMISSION = {"coding": [{"system": ICD, "code": "C92.00"}, {"system": SNOMED, "code": "103338009"}]}
TWO_CODES = {
    source: {"coding": [*coded(CPT, "38240")["coding"], *own(source)["coding"]]}
    for source in ("Autologous", "Syngeneic", "CordBlood")
}
AUTOLOGOUS = procedure("38241", "2019-03-01")
NO_AUTOLOGOUS = answers(
    group("StatedAbsence", "2026-06-24", answer(ABSENCE, valueCoding={"system": CPT, "code": "38241"}))
)
UNMANIPULATED = answer("Product/processing", valueCoding={"system": CLINICAL, "code": "Unmanipulated"})
PURPOSE = answer("Request/purpose", valueCoding={"system": CLINICAL, "code": "LowerRelapseRisk"})
CHIMERISM_ALONE = answer("Request/purpose", valueCoding={"system": CLINICAL, "code": "RaiseDonorChimerism"})
COMMERCIAL = answer(
    "Coverage/lineOfBusiness", valueCoding={"system": "https://w3id.org/policykb/case#", "code": "Commercial"}
)
DIFFERENTIAL = coded(f"{HL7}ex-diagnosistype", "differential")
OLD = {"lastUpdated": "2026-06-20T10:00:00Z"}


def diagnosed(bundle: dict[str, Any]) -> None:
    """The claim names the disease, and nothing says how it stands."""
    code = resources(bundle)["Claim"]["diagnosis"][0]["diagnosisCodeableConcept"]["coding"][0]
    code["code"] = "C92.00"


def coverage(id_: str, code: str) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": id_,
        "status": "active",
        "type": coded("https://nahdo.org/sopt", code),
        "beneficiary": {"reference": "Patient/p"},
        "payor": [{"reference": "Organization/o"}],
    }


def plans(*codes: str) -> Edit:
    """The claim names plans of these kinds."""

    def edit(bundle: dict[str, Any]) -> None:
        without("Coverage")(bundle)
        named = [coverage(f"plan{i}", code) for i, code in enumerate(codes)]
        resources(bundle)["Claim"]["insurance"] = [
            {"sequence": i + 1, "focal": True, "coverage": {"reference": f"Coverage/{plan['id']}"}}
            for i, plan in enumerate(named)
        ]
        for plan in named:
            added(plan)(bundle)

    return edit


def flow(day: str = "2026-06-01", **elements: Any) -> Edit:
    """A test for residual disease by flow cytometry."""
    return added(observation("MRDTest", "FlowCytometry", day=day, **elements))


def for_answered_reason(disease: str) -> Edit:
    """The reason stands in a form alone, and residual disease is found of a disease, before that form is read."""

    def edit(bundle: dict[str, Any]) -> None:
        without("Condition")(bundle)
        del resources(bundle)["Claim"]["diagnosis"], resources(bundle)["Claim"]["item"][0]["diagnosisSequence"]
        added({**condition(disease, "2026-06-01", ""), "id": "other"})(bundle)
        added(observation("MRDTest", focus=[{"reference": "Condition/other"}], **DETECTED))(bundle)
        added(answers(answer("Request/reason", valueCoding={"system": ICD, "code": "C92.00"})))(bundle)

    return edit


def because_of(**elements: Any) -> Edit:
    """The claim refers to a condition for its reason."""

    def edit(bundle: dict[str, Any]) -> None:
        resources(bundle)["Claim"]["diagnosis"] = [
            {"sequence": 1, "diagnosisReference": {"reference": "Condition/why"}}
        ]
        added({**condition("C92.00", "2026-05-01", ""), "id": "why", **elements})(bundle)

    return edit


def because_of_contained(**elements: Any) -> Edit:
    """The claim contains the condition that it refers to for its reason."""
    reason = {"sequence": 1, "diagnosisReference": {"reference": "#why"}}
    contained = {**condition("C92.00", "2026-05-01", ""), "id": "why", **elements}
    return changed("Claim", contained=[contained], diagnosis=[reason])


def beside(*codings: dict[str, Any]) -> dict[str, Any]:
    """Several codings as one."""
    return {"coding": [item for coding in codings for item in coding["coding"]]}


MET, NEEDED, NOT_MET = "CriteriaMet", "InformationNeeded", "CriteriaNotMet"
CONFLICTING = "InformationConflicting"
# An acute GvHD of grade 3, older than that of grade 0 in the bundle, which is taken out.
ONLY_GRADE_3 = both(without("Observation"), added(gvhd(valueInteger=3, effectiveDateTime="2026-05-01")))
PANEL: dict[str, Any] = {"component": [{"code": own("AcuteGvHDAssessment"), "valueString": "III"}], "valueInteger": 0}
CHIMERISM = {"value": 99, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}

MYELOMA = {**condition("C90.00", "2026-06-01", ""), "id": "myeloma"}
UNANSWERED: dict[str, dict[str, Any]] = {
    "the grade": {"linkId": "AcuteGvHDAssessment", "item": [{"linkId": GRADE}]},
    "the processing": {"linkId": "Product/processing"},
}
OF_MYELOMA: dict[str, Any] = {"focus": [{"reference": "Condition/myeloma"}]}
UNKNOWN_METHOD: dict[str, Any] = {"method": {"text": "x"}, "valueString": "x"}
GRADE_OF_NO_DAY = {name: value for name, value in gvhd(valueInteger=3, id="g").items() if name != "effectiveDateTime"}
PROVISIONAL = {**condition("C92.02", "2026-06-20", "active"), "verificationStatus": coded(VERIFICATION, "provisional")}
# Each of these is decided only when the one before has been.
UNREADABLE_HIDDEN_BY_REMISSION_IN_DOUBT = [
    status("", "2026-06-15", valueString="x"),
    status("103338009", "2026-06-18"),
    PROVISIONAL,
]
ENDED_AND_THERE = "it states both that it has ended and that it is present: abatementDateTime, clinicalStatus"
NO_PROCESSING = (
    "The processing is answered in entry[7] QuestionnaireResponse in a way that is not understood: none is used."
)
EARLY = "disease status assessment: the onset in entry[4] Condition may be before the transplant"

BY_FORM = open_grade("entry[7] QuestionnaireResponse")
NOT_THE_LATEST = "entry[6] QuestionnaireResponse: ignored: purpose: lower the risk of relapse; not used: item[0]"

# An edit, its outcome, and the notice, or how the line of the record begins, that tells of its cause.
CASES: dict[str, tuple[Edit, str] | tuple[Edit, str, str]] = {
    # ------------------------------------------------------------------ a disease that has ended
    "a remission is of the day on which it is said to have begun": (
        added(condition("C92.01", "2025-03-01", "remission", abatementDateTime="2026-06-15")),
        NEEDED,
        stands("2026-06-15", "in remission"),
    ),
    "a remission that began before the relapse ends nothing": (
        added(condition("C92.01", "2025-03-01", "remission", abatementDateTime="2026-05-15")),
        MET,
    ),
    "a remission recorded after the relapse is of its record": (
        added(condition("C92.01", "2026-06-10", "remission", abatementDateTime="2025-05-15")),
        NEEDED,
        stands("2026-06-10", "in remission"),
    ),
    "a relapse that ended is over": (
        added(condition("C92.02", "2026-06-10", "", abatementDateTime="2026-06-15")),
        NEEDED,
        stands("2026-06-15", "in remission"),
    ),
    "a relapse that is inactive": (
        added(condition("C92.02", "2026-06-10", "inactive")),
        NEEDED,
        "entry[7] Condition: not understood: it states both that the disease is back and that it is absent",
    ),
    "a relapse that ended before the one that counts": (
        added(condition("C92.02", "2026-06-10", "", abatementDateTime="2025-06-15")),
        MET,
    ),
    "a disease that ended is in remission": (
        added(condition("C92.00", "2025-03-01", "", abatementDateTime="2026-06-15")),
        NEEDED,
        stands("2026-06-15", "in remission"),
    ),
    "an end without a full date may be newer": (
        added(condition("C92.00", "2025-03-01", "", abatementDateTime="2026-06")),
        NEEDED,
        open_status(),
    ),
    "an end without a full date that is surely older": (
        added(condition("C92.00", "2025-03-01", "", abatementDateTime="2026-05")),
        MET,
    ),
    "an end in words": (added(condition("C92.00", "2026-06-10", "", abatementString="gone")), NEEDED, open_status()),
    "an end that is an extension alone": (
        added(condition("C92.00", "2026-06-10", "", _abatementDateTime={"extension": [{"url": "http://x"}]})),
        NEEDED,
        open_status(),
    ),
    "full remission and in remission are one": (
        added({**condition("C92.00", "2026-06-10", "remission"), "code": FULL_REMISSION}),
        NEEDED,
        stands("2026-06-10", "complete remission"),
    ),
    "not detected as a status ends a relapse": (
        added(status("260415000", "2026-06-15")),
        NEEDED,
        stands("2026-06-15", "in remission", "entry[7] Observation"),
    ),
    "an end in words, of a record before the relapse": (
        added(condition("C92.00", "2025-03-01", "", abatementString="gone")),
        NEEDED,
        open_status(),
    ),
    "an end in words, of no record": (
        added(condition("C92.00", "", "", recordedDate=None, abatementString="gone")),
        NEEDED,
        open_status(),
    ),
    "a period of the end that is surely older": (
        added(condition("C92.00", "2025-03-01", "", abatementPeriod={"start": "2026-05-01", "end": "2026-05-20"})),
        MET,
    ),
    "a period of the end that may be newer": (
        added(condition("C92.00", "2025-03-01", "", abatementPeriod={"start": "2026-05-01", "end": "2026-06-15"})),
        NEEDED,
        open_status(),
    ),
    "an end without a record that is surely older": (
        added(condition("C92.00", "", "", recordedDate=None, abatementDateTime="2026-05")),
        MET,
    ),
    "an end without a record that may be newer": (
        added(condition("C92.00", "", "", recordedDate=None, abatementDateTime="2026-06")),
        NEEDED,
        open_status(),
    ),
    **{
        f"an end of what is said to be {clinical}": (
            added(condition("C92.02", "2026-06-10", clinical, abatementDateTime="2026-05-15")),
            NEEDED,
            f"entry[7] Condition: not understood: {ENDED_AND_THERE}",
        )
        for clinical in ("active", "relapse", "recurrence")
    },
    "an end after the service": (
        added(condition("C92.00", "2026-06-10", "", abatementDateTime="2026-07-15")),
        NEEDED,
        "entry[7] Condition: not understood: it ended after the service date: abatementDateTime",
    ),
    "resolved GvHD leaves an older grade open": (
        both(ONLY_GRADE_3, added(condition("D89.810", "2026-06-20", "resolved"))),
        NEEDED,
        open_grade("entry[7] Condition"),
    ),
    "resolved GvHD before the grade leaves it": (
        both(ONLY_GRADE_3, added(condition("D89.810", "2026-04-20", "resolved"))),
        NOT_MET,
    ),
    "GvHD that ended after it was recorded": (
        both(ONLY_GRADE_3, added(condition("D89.810", "2026-04-01", "active", abatementDateTime="2026-06-15"))),
        NEEDED,
        open_grade("entry[7] Condition"),
    ),
    # ------------------------------------------------------------------ a clinical status that cannot be read
    **{
        f"a clinical status {name} may be a remission": (
            added({**condition("C92.00", "2026-06-20", ""), "clinicalStatus": clinical}),
            NEEDED,
            open_status(),
        )
        for name, clinical in {
            "in words": {"text": "In remission"},
            "of another system": coded("http://hl7.org/fhir/condition-clinical", "remission"),
            "without a system": {"coding": [{"code": "remission"}]},
        }.items()
    },
    **{
        f"a translation beside the code of HL7, {element}": (
            changed("Condition", **{element: beside(coded(system, code), coded(SNOMED, "410605003"))}),
            MET,
        )
        for element, system, code in (
            ("clinicalStatus", f"{HL7}condition-clinical", "active"),
            ("verificationStatus", VERIFICATION, "confirmed"),
        )
    },
    **{
        f"a translation alone, {element}": (
            changed("Condition", **{element: coded(SNOMED, "410605003")}),
            NEEDED,
            f"entry[4] Condition: not understood: not a {words} status of FHIR R4: {element}",
        )
        for element, words in (("clinicalStatus", "clinical"), ("verificationStatus", "verification"))
    },
    **{
        f"an unknown code in {clinical}": (
            added(condition("J18.9", "2026-06-20", clinical)),
            MET,
            f"entry[7] Condition is {words}, and its code is unknown: check whether it is the disease treated.",
        )
        for clinical, words in (("relapse", "relapsed"), ("recurrence", "relapsed"), ("remission", "in remission"))
    },
    "an unknown code of a malignancy may be a remission": (
        added(condition("C92.X1", "2026-06-20", "active")),
        NEEDED,
        open_status(),
    ),
    "an unknown code of something else is noise": (added(condition("J18.9", "2026-06-20", "resolved")), MET),
    # ------------------------------------------------------------------ what is not final
    **{
        f"a newer grade that is {state}": (added(gvhd(valueInteger=3, status=state)), NEEDED, open_grade())
        for state in ("preliminary", "unknown")
    },
    **{
        f"a newer grade that is {state}": (added(gvhd(valueInteger=3, status=state)), MET)
        for state in ("registered", "cancelled", "entered-in-error")
    },
    **{
        f"a second transplant that is {state} may be one": (
            added(procedure("38240", "2026-06-15", status=state)),
            NEEDED,
            perhaps_transplanted("2026-06-15"),
        )
        for state in ("unknown", "stopped", "in-progress", "on-hold")
    },
    **{
        f"a second transplant that is {state} is none": (added(procedure("38240", "2026-06-15", status=state)), MET)
        for state in ("preparation", "not-done", "entered-in-error")
    },
    **{
        f"a remission that is {verification}": (
            added(
                {
                    **condition("C92.01", "2026-06-20", "remission"),
                    "verificationStatus": coded(VERIFICATION, verification),
                }
            ),
            *outcome,
        )
        for verification, outcome in (
            ("provisional", (NEEDED, open_status())),
            ("differential", (NEEDED, open_status())),
            ("refuted", (MET,)),
        )
    },
    "the transplant may be allogeneic though one is autologous": (
        both(without("Procedure"), added(procedure("38240", "2025-01-15", status="unknown")), added(AUTOLOGOUS)),
        NEEDED,
        perhaps_transplanted("2025-01-15", "entry[6] Procedure"),
    ),
    "a second transplant that may be autologous resets nothing": (
        added(procedure("38241", "2026-06-15", status="unknown")),
        MET,
    ),
    "a second transplant that may be autologous makes no other allogeneic": (
        both(without("Procedure"), added(AUTOLOGOUS), added(procedure("38241", "2025-03-01", status="unknown"))),
        NOT_MET,
    ),
    "a provisional relapse beside a relapse": (added(PROVISIONAL), MET),
    # ------------------------------------------------------------------ what is told apart
    "a newer test of another method hides no unreadable one": (
        both(
            without("Condition"),
            added(observation("MRDTest", "PolymeraseChainReaction", day="2026-04-01", **DETECTED)),
            added(observation("MRDTest", "PolymeraseChainReaction", day="2026-05-01", valueString="negative")),
            added(observation("MRDTest", "FlowCytometry", day="2026-06-20", **NOT_DETECTED)),
        ),
        NEEDED,
        open_mrd(),
    ),
    "an unreadable test is replaced by a newer one of its method": (
        both(
            without("Condition"),
            added(observation("MRDTest", "FlowCytometry", day="2026-05-01", valueString="negative")),
            added(observation("MRDTest", "FlowCytometry", day="2026-06-20", **DETECTED)),
        ),
        MET,
    ),
    "an unreadable status of another disease": (
        both(
            added({**condition("C90.00", "2026-06-01", ""), "id": "myeloma"}),
            added(status("", "2026-06-15", "Condition/aml", valueString="remission")),
            added(status("103338009", "2026-06-22", "Condition/myeloma")),
        ),
        NEEDED,
        open_status("entry[8] Observation"),
    ),
    "a test of another disease than the one treated": (
        both(
            without("Condition"),
            added({**condition("C90.00", "2026-06-01", ""), "id": "myeloma"}),
            added(observation("MRDTest", focus=[{"reference": "Condition/myeloma"}], **DETECTED)),
        ),
        NEEDED,
        "entry[7] Observation: ignored: it is about another disease than the one treated: focus",
    ),
    "detected by one method, and not understood by another": (
        both(
            without("Condition"),
            flow(**DETECTED),
            added(observation("MRDTest", "PolymeraseChainReaction", valueString="x")),
        ),
        MET,
    ),
    **{
        f"detected by one method, and not understood by {name}": (
            both(without("Condition"), flow(**DETECTED), added(resource)),
            NEEDED,
            open_mrd(),
        )
        for name, resource in {
            "the same": observation("MRDTest", "FlowCytometry", valueString="x"),
            "one that is not known": observation("MRDTest", **UNKNOWN_METHOD),
        }.items()
    },
    **{
        f"detected, and {name} of another disease": (
            both(without("Condition"), flow(**DETECTED), added(MYELOMA), flow("2026-06-20", **OF_MYELOMA, **result)),
            MET,
        )
        for name, result in {"not detected": NOT_DETECTED, "not understood": {"valueString": "x"}}.items()
    },
    "detected, of the disease that a form names as the reason": (for_answered_reason("C92.00"), MET),
    "detected, of another disease than a form names as the reason": (
        for_answered_reason("C90.00"),
        NEEDED,
        "entry[7] Observation: ignored: it is about another disease than the one treated: focus",
    ),
    "a remission of another disease on the day of the relapse": (
        added(condition("C90.01", "2026-06-01", "remission")),
        MET,
    ),
    # ------------------------------------------------------------------ panels
    "a part that is not understood keeps its own resource from deciding": (
        both(without("Observation"), added(observation("AcuteGvHDAssessment", **PANEL))),
        NEEDED,
        open_grade("entry[6] Observation"),
    ),
    "a part of an organ leaves the grade of the whole": (
        both(
            without("Observation"),
            added(gvhd(valueInteger=0, component=[{"code": coded("urn:local", "skin"), "valueInteger": 0}])),
        ),
        MET,
    ),
    "a part is of what its panel is": (
        both(
            without("Condition"),
            added(observation("MRDTest", component=[{"code": own("FlowCytometry"), **DETECTED}])),
        ),
        MET,
    ),
    "a part that does not go with its panel": (
        both(
            without("Condition"),
            added(observation("MRDTest", "FlowCytometry", day="2026-06-01", **DETECTED)),
            added(observation("MRDTest", component=[{"code": own("TCells"), **NOT_DETECTED}])),
        ),
        NEEDED,
        open_mrd(),
    ),
    "a panel that groups others leaves them": (
        both(
            without("Condition"),
            added({**observation("MRDTest", "FlowCytometry", **DETECTED), "id": "flow"}),
            added(observation("MRDTest", hasMember=[{"reference": "Observation/flow"}])),
        ),
        MET,
    ),
    "a panel of which a member is not there": (
        both(
            without("Condition"),
            added({**observation("MRDTest", "FlowCytometry", **DETECTED), "id": "flow"}),
            added(observation("MRDTest", hasMember=[{"reference": "Observation/other"}])),
        ),
        NEEDED,
        open_mrd(),
    ),
    "a panel of which no member says anything": (
        both(
            without("Condition"),
            flow(**DETECTED),
            added({**observation("x", **NOT_DETECTED), "id": "x"}),
            added(observation("MRDTest", hasMember=[{"reference": "Observation/x"}])),
        ),
        NEEDED,
        open_mrd("entry[8] Observation"),
    ),
    "a panel of which a member is not understood leaves the doubt to that": (
        both(
            without("Condition"),
            flow(**DETECTED),
            added({**observation("MRDTest", "PolymeraseChainReaction", valueString="x"), "id": "pcr"}),
            added(observation("MRDTest", hasMember=[{"reference": "Observation/pcr"}])),
        ),
        MET,
    ),
    "a part by another method than the panel with a value": (
        both(
            without("Condition"),
            flow("2026-06-20", component=[{"code": own("PolymeraseChainReaction"), **DETECTED}], **NOT_DETECTED),
        ),
        MET,
    ),
    "a contained member": (
        added(gvhd(hasMember=[{"reference": "#g"}], contained=[{**gvhd(valueInteger=3), "id": "g"}])),
        NEEDED,
        open_grade(),
    ),
    "a contained member of what has no code that is known": (
        added(
            {**observation("x", hasMember=[{"reference": "#g"}]), "contained": [{**gvhd(valueInteger=3), "id": "g"}]}
        ),
        NEEDED,
        open_grade("entry[7] Observation contained[0] Observation"),
    ),
    "a contained member of what was entered in error": (
        added({**gvhd(valueInteger=3, status="entered-in-error"), "contained": [{**gvhd(valueInteger=3), "id": "g"}]}),
        MET,
    ),
    # ------------------------------------------------------------------ codes and values that contradict each other
    "a result beside one that says neither": (
        both(without("Condition"), added(observation("MRDTest", valueCodeableConcept=UNCERTAIN))),
        NEEDED,
        "entry[6] Observation: not understood: its codes contradict each other: valueCodeableConcept",
    ),
    "a result that is interpreted as uncertain": (
        both(
            without("Condition"),
            added(observation("MRDTest", interpretation=[coded(INTERPRETATION, "IND")], **DETECTED)),
        ),
        NEEDED,
        "entry[6] Observation: not understood: value and interpretation contradict each other: interpretation",
    ),
    "a status beside its contrary": (
        both(
            without("Condition"),
            added({**condition("C92.00", "2026-06-01", ""), "id": "aml"}),
            added(status("", "2026-06-15", valueCodeableConcept=BETTER_AND_WORSE)),
        ),
        NEEDED,
        "entry[7] Observation: not understood: its codes contradict each other",
    ),
    **{
        f"a transplant that is called {source}": (
            both(without("Procedure"), added({**procedure("38240", "2025-01-15"), "code": TWO_CODES[source]})),
            *outcome,
        )
        for source, outcome in (
            ("Autologous", (NEEDED, "entry[6] Procedure: not understood: its codes contradict each other: code")),
            ("Syngeneic", (NEEDED, "entry[6] Procedure: not understood: its codes contradict each other: code")),
            ("CordBlood", (MET, "entry[6] Procedure: used: transplant of 2025-01-15: graft source cord blood")),
        )
    },
    "a grade of none and a code of GvHD on one day": (
        added(condition("D89.810", "2026-06-20", "active")),
        NEEDED,
        contradicting("acute GvHD assessment", "entry[6] Observation", "entry[7] Condition"),
    ),
    "a grade of one and a code of GvHD on one day": (
        both(
            without("Observation"),
            added(gvhd(valueInteger=1, effectiveDateTime="2026-06-20")),
            added(condition("D89.810", "2026-06-20", "active")),
        ),
        MET,
    ),
    "a code of GvHD with a grade of its own": (
        added({**gvhd(valueInteger=3), "code": coded(ICD, "D89.810")}),
        NEEDED,
        open_grade(),
    ),
    "a relapse and a remission on one day": (
        added(condition("C92.01", "2026-06-01", "remission")),
        CONFLICTING,
        stands("2026-06-01", "in remission"),
    ),
    "a lineage in the body site that contradicts the code": (
        both(
            without("Condition"),
            added(observation("ChimerismTest", "TCells", bodySite=own("BCells"), valueQuantity=CHIMERISM)),
        ),
        NEEDED,
        "entry[6] Observation: not understood: its codes contradict each other: bodySite",
    ),
    "a relapse and a remission on one day, after a relapse": (
        both(
            added(condition("C92.02", "2026-06-15", "active")),
            added(condition("C92.01", "2026-06-15", "remission")),
        ),
        CONFLICTING,
        stands("2026-06-15", "in remission", "entry[8] Condition"),
    ),
    "a grade of none and a code of GvHD on one day, after a grade of none": (
        both(
            added(gvhd(valueInteger=0, effectiveDateTime="2026-06-01")),
            added(condition("D89.810", "2026-06-20", "active")),
        ),
        NEEDED,
        contradicting("acute GvHD assessment", "entry[6] Observation", "entry[8] Condition"),
    ),
    "a grade of none and an answer of one or more on one day": (
        added(answers(graded(answer("AcuteGvHDAssessment/gradeAtLeast", valueInteger=1), day="2026-06-20"))),
        NEEDED,
        contradicting("acute GvHD assessment", "entry[6] Observation", "entry[7] QuestionnaireResponse"),
    ),
    "a grade of one and an answer of one or more on one day": (
        both(
            without("Observation"),
            added(gvhd(valueInteger=1, effectiveDateTime="2026-06-20")),
            added(answers(graded(answer("AcuteGvHDAssessment/gradeAtLeast", valueInteger=1), day="2026-06-20"))),
        ),
        MET,
    ),
    **{
        f"a doubt that a remission in doubt hides, {order}": (
            both(*map(added, grades)),
            NEEDED,
            open_status(place),
        )
        for order, grades, place in (
            ("first", UNREADABLE_HIDDEN_BY_REMISSION_IN_DOUBT, "entry[7] Observation"),
            ("last", UNREADABLE_HIDDEN_BY_REMISSION_IN_DOUBT[::-1], "entry[9] Observation"),
        )
    },
    "a grade that is a result of something else": (added(gvhd(**DETECTED)), NEEDED, open_grade()),
    "a grade of a disease that may be acute or not": (
        added({**gvhd(valueInteger=3), "code": coded(ICD, "D89.813")}),
        NEEDED,
        open_grade(),
    ),
    "two diseases in one condition": (
        changed("Condition", code=beside(coded(ICD, "C92.02"), coded(ICD, "C90.00"))),
        NEEDED,
        "entry[4] Condition: not understood: its codes name different diseases or statuses: code",
    ),
    # ------------------------------------------------------------------ what is absent
    "a value that is unknown": (added(gvhd(dataAbsentReason=coded(ABSENT, "unknown"))), NEEDED, open_grade()),
    "a value of what was not performed": (added(gvhd(dataAbsentReason=coded(ABSENT, "not-performed"))), MET),
    "an absence beside a transplant without a full date": (
        both(without("Procedure"), added(NO_TRANSPLANT), added(procedure("38240", "2025"))),
        NEEDED,
        doubtful("stated absence", "entry[7] Procedure"),
    ),
    "an absence beside the state after one": (
        both(without("Procedure"), added(NO_TRANSPLANT), added(condition("Z94.84", "2026-06-01", ""))),
        NEEDED,
        "stated absence: entry[7] Condition states that there was one",
    ),
    "an absence alone": (both(without("Procedure"), added(NO_TRANSPLANT)), NOT_MET),
    "an absence of one kind of transplant": (
        both(without("Procedure"), added(NO_AUTOLOGOUS)),
        NEEDED,
        "entry[6] QuestionnaireResponse: not understood: CPT 38241 does not answer this question",
    ),
    # ------------------------------------------------------------------ old and imprecise
    **{
        f"an autologous transplant of {name}": (
            added({k: v for k, v in {**procedure("38241", "2019"), **elements}.items() if v}),
            MET,
        )
        for name, elements in {
            "a year": {},
            "a period": {
                "performedDateTime": None,
                "performedPeriod": {"start": "2019-03-01", "end": "2019-03-20"},
            },
        }.items()
    },
    "a grade of last year": (added(gvhd(valueString="III", effectiveDateTime="2025")), MET),
    **{
        f"an answer {when} an unreadable grade of a month": (
            both(
                without("Observation"),
                added(gvhd(valueInteger=0, effectiveDateTime="2026-06")),
                added(answers(graded(answer(GRADE, valueInteger=0), day=day), authored="2026-07-01")),
            ),
            *outcome,
        )
        for when, day, outcome in (
            ("within", "2026-06-30", (NEEDED, open_grade("entry[6] Observation"))),
            ("after", "2026-07-01", (MET,)),
        )
    },
    **{
        f"an unreadable grade of no day that was issued {when}": (
            added(gvhd(valueString="III", effectiveDateTime=None, issued=f"{day}T10:00:00Z")),
            *outcome,
        )
        for when, day, outcome in (
            ("before the one that counts", "2026-06-10", (MET,)),
            ("after it", "2026-06-24", (NEEDED, open_grade())),
        )
    },
    **{
        f"a contained grade of no day, of a record {when}": (
            added(condition("J18.9", day, "active", contained=[GRADE_OF_NO_DAY])),
            *outcome,
        )
        for when, day, outcome in (
            ("before the one that counts", "2026-06-10", (MET,)),
            ("after it", "2026-06-24", (NEEDED, open_grade("entry[7] Condition contained[0] Observation"))),
        )
    },
    **{
        f"an answered grade without a day, of a form {when}": (
            added(answers({"linkId": "AcuteGvHDAssessment", "item": [answer(GRADE, valueString="III")]}, authored=day)),
            *outcome,
        )
        for when, day, outcome in (
            ("before the one that counts", "2026-06-10", (MET,)),
            ("after it", "2026-06-25", (NEEDED, open_grade("entry[7] QuestionnaireResponse"))),
        )
    },
    "a grade of this year": (added(gvhd(valueString="III", effectiveDateTime="2026")), NEEDED, open_grade()),
    "an unreadable answer of an older day": (
        added(
            answers(group("AcuteGvHDAssessment", "2026-03-05", answer("AcuteGvHDAssessment/grade", valueString="x")))
        ),
        MET,
    ),
    "an unreadable grade of a later day than the service": (
        added(gvhd(valueString="III", effectiveDateTime="2026-08-01")),
        MET,
    ),
    "the first day of the calendar is no date": (
        added({**condition("C92.01", "0001-01-01", "remission")}),
        NEEDED,
        open_status(),
    ),
    # ------------------------------------------------------------------ transplants and what they make history
    **{
        f"a later transplant {name} may make the relapse history": (
            added(procedure(code, "2026-06-15", system)),
            NEEDED,
            "disease status assessment: the graft source of the later transplant of 2026-06-15 is not stated",
        )
        for name, code, system in (("of unstated source", "S2150", HCPCS), ("of SNOMED CT", "234336002", SNOMED))
    },
    **{
        f"a later transplant {name} makes the relapse history": (
            added(procedure(code, "2026-06-15", system)),
            NEEDED,
            "entry[7] Procedure: used: transplant of 2026-06-15: graft source cord blood",
        )
        for name, code, system in (("of cord blood", "S2142", HCPCS), ("of ICD-10-PCS", "30233X4", PCS))
    },
    "a later transplant of a deleted code may make the relapse history": (
        added(procedure("30243Y1", "2026-06-15", PCS)),
        NEEDED,
        perhaps_transplanted("2026-06-15"),
    ),
    "a later transfusion of red cells makes nothing history": (added(procedure("30233N1", "2026-06-15", PCS)), MET),
    "a transplant of a deleted code beside one of the patient's own cells": (
        both(
            without("Procedure"),
            added({**procedure("38241", "2015-03-01"), "id": "own"}),
            added({**procedure("30240Y2", "2018-03-01", PCS), "id": "deleted"}),
        ),
        NEEDED,
        perhaps_transplanted("2018-03-01"),
    ),
    "a transplant that is not understood does not bring back what it made history": (
        both(
            without("Observation"),
            added(gvhd(valueInteger=3, effectiveDateTime="2024-06-01")),
            added(procedure("38240", "", performedDateTime=None, performedPeriod={"start": "2026-03-01"})),
        ),
        NEEDED,
        perhaps_transplanted("2026-07-01"),
    ),
    **{
        f"a relapse with an onset before a later transplant {name}": (
            both(changed("Condition", onsetDateTime="2026-03-01"), added(procedure(code, "2026-05-01", system))),
            *outcome,
        )
        for name, code, system, outcome in (
            ("of unstated source", "S2150", HCPCS, (NEEDED, EARLY)),
            ("that is allogeneic", "38240", CPT, (NEEDED, EARLY)),
            ("that is autologous", "38241", CPT, (MET,)),
        )
    },
    "a relapse with an early onset after another status": (
        both(
            without("Condition"),
            diagnosed,
            added({**condition("C92.00", "2025-01-01", ""), "id": "aml"}),
            added(status("271299001", "2026-06-01")),
            added(condition("C92.02", "2026-06-10", "active", onsetDateTime="2024-03-01")),
        ),
        NEEDED,
        put_in_doubt("2026-06-10", "relapsed", "entry[8] Condition", "the onset in entry[8] Condition"),
    ),
    "a relapse with an early onset in one of two records": (
        both(changed("Condition", onsetDateTime="2024-03-01"), added(condition("C92.02", "2026-06-01", "active"))),
        MET,
    ),
    "a relapse with an early onset in both of two records": (
        both(
            changed("Condition", onsetDateTime="2024-03-01"),
            added(condition("C92.02", "2026-06-01", "active", onsetDateTime="2024-04-01")),
        ),
        NEEDED,
        EARLY,
    ),
    "an unreadable test before the transplant": (
        both(without("Condition"), flow(**DETECTED), added(observation("MRDTest", day="2024-06-01", **UNKNOWN_METHOD))),
        MET,
    ),
    "an unreadable test after the transplant": (
        both(
            without("Condition"),
            flow(**NOT_DETECTED),
            added(observation("MRDTest", day="2025-06-01", **UNKNOWN_METHOD)),
        ),
        NEEDED,
        open_mrd(),
    ),
    "an unreadable test before one that detects residual disease": (
        both(without("Condition"), flow(**DETECTED), added(observation("MRDTest", day="2025-06-01", **UNKNOWN_METHOD))),
        MET,
    ),
    "an unreadable grade of after the bundle was made": (
        added(gvhd(valueString="III", effectiveDateTime="2026-06-28")),
        MET,
    ),
    "an unreadable grade of the day after the bundle was made": (
        added(gvhd(valueString="III", effectiveDateTime="2026-06-26")),
        NEEDED,
        open_grade(),
    ),
    # ------------------------------------------------------------------ answers
    **{
        f"a form {name}": (added(answers(GRADE_3, **elements)), *outcome)
        for name, elements, outcome in (
            ("that is of nobody", {"subject": None}, (NEEDED, BY_FORM)),
            ("with a part of a date", {"authored": "2026-06"}, (NEEDED, BY_FORM)),
            ("that is not valid", {"extra": 1}, (NEEDED, BY_FORM)),
            ("that may mean something else", {"modifierExtension": [{"url": "http://x"}]}, (NEEDED, BY_FORM)),
            ("of an unknown status", {"status": "bogus"}, (NEEDED, BY_FORM)),
            ("that was not handed in", {"status": "in-progress"}, (MET,)),
            ("that was entered in error", {"status": "entered-in-error"}, (MET,)),
            ("that was answered after the bundle was made", {"authored": "2026-06-30"}, (NOT_MET,)),
            ("without a day", {"authored": None}, (NOT_MET,)),
        )
    },
    **{
        f"a grade {name}": (added(answers(*items)), NEEDED, BY_FORM)
        for name, items in {
            "in no group": GRADE_3["item"],
            "in a group of another name": [{**GRADE_3, "linkId": "GvHD"}],
            "in the group of something else": [{**GRADE_3, "linkId": "MRDTest"}],
            "out of range": [graded(answer(GRADE, valueInteger=7))],
            "that is a fraction": [graded(answer(GRADE, valueDecimal=2.5))],
            "that is a boolean": [graded(answer(GRADE, valueBoolean=True))],
            "with a bound beside it": [
                group(
                    "AcuteGvHDAssessment",
                    "2026-06-24",
                    answer(GRADE, valueInteger=1),
                    answer("AcuteGvHDAssessment/gradeAtLeast", valueInteger=1),
                )
            ],
            "by a code of something else": [
                group(
                    "AcuteGvHDAssessment", "2026-06-24", answer(GRADE, valueCoding={"system": ICD, "code": "D89.810"})
                )
            ],
        }.items()
    },
    **{
        f"an answer about {link} that is not understood": (
            added(answers(answer(link, **elements))),
            NEEDED,
            f"The {name} is answered in entry[7] QuestionnaireResponse in a way that is not understood: none is used.",
        )
        for name, link, elements in (
            ("line of business", "Coverage/lineOfBusiness", {"valueCoding": {"system": "urn:local", "code": "MCR"}}),
            ("service", "Request/service", {"valueCoding": {"system": "urn:local", "code": "CART"}}),
            ("reason", "Request/reason", {"valueString": "aplastic anemia"}),
        )
    },
    **{
        f"the purposes of an earlier form, {name}": (
            both(
                without("Condition"), diagnosed, added(answers(PURPOSE, authored=day)), added(answers(CHIMERISM_ALONE))
            ),
            NEEDED,
            cause,
        )
        for name, day, cause in (
            ("of last year", "2025-09-01", NOT_THE_LATEST),
            ("of some days ago", "2026-06-20", NOT_THE_LATEST),
            (
                "undated",
                None,
                "The purpose is stated differently by entry[6] QuestionnaireResponse and "
                "entry[7] QuestionnaireResponse: none is used.",
            ),
        )
    },
    "the purposes of the latest form": (
        both(
            without("Condition"),
            diagnosed,
            added(answers(CHIMERISM_ALONE, authored="2026-06-20")),
            added(answers(PURPOSE)),
        ),
        MET,
    ),
    **{
        f"an unclear answer {when} a clear one": (
            added(answers(answer("Product/processing", valueString="x"), authored=day)),
            *outcome,
        )
        for when, day, outcome in (
            ("before", "2026-06-20", (MET,)),
            ("on the day of", "2026-06-24", (NEEDED, NO_PROCESSING)),
            ("after", "2026-06-25", (NEEDED, NO_PROCESSING)),
            ("of no day beside", None, (NEEDED, NO_PROCESSING)),
        )
    },
    "a clear answer in a form that is not valid": (
        added(answers(UNMANIPULATED, extra=1)),
        NEEDED,
        NO_PROCESSING,
    ),
    "an unclear answer in a form that was replaced": (
        both(
            added(answers(answer("Product/processing", valueString="x"), id="again", meta=OLD, authored="2026-06-25")),
            added(
                answers(UNMANIPULATED, id="again", meta={"lastUpdated": "2026-06-21T10:00:00Z"}, authored="2026-06-24")
            ),
        ),
        MET,
    ),
    **{
        f"a form that is not valid and in which {link} is not answered": (added(answers(item, extra=1)), MET)
        for link, item in UNANSWERED.items()
    },
    # ------------------------------------------------------------------ plans and reasons
    "a Medicare plan beside one that is not known is not answered away": (
        both(plans("1", "139"), added(answers(COMMERCIAL))),
        NEEDED,
        "The line of business is not stated for every plan that the request names: none is used.",
    ),
    "a commercial plan beside one that is not known is settled by the answer": (
        both(plans("511", "139"), added(answers(COMMERCIAL))),
        MET,
    ),
    "a Medicaid plan beside a Medicare plan that is not named": (
        both(plans("2"), added(coverage("other", "1"))),
        NEEDED,
        "entry[7] Coverage is a Medicare plan of the patient, and the request names another.",
    ),
    "a commercial plan beside a Medicare plan that is not named": (added(coverage("other", "1")), MET),
    "a differential diagnosis is no reason": (
        lambda bundle: resources(bundle)["Claim"]["diagnosis"][0].update(type=[DIFFERENTIAL]),
        NEEDED,
        "entry[0] Claim: not understood: a differential diagnosis is not yet a diagnosis: diagnosis[0]",
    ),
    "several diseases as the reason": (
        lambda bundle: resources(bundle)["Claim"]["diagnosis"][0].update(
            diagnosisCodeableConcept=beside(coded(ICD, "C92.02"), coded(ICD, "C90.00"))
        ),
        NEEDED,
        "entry[0] Claim: not understood: several diseases, without saying which is treated: "
        "diagnosis[0].diagnosisCodeableConcept",
    ),
    "a condition as the reason": (because_of(), MET),
    "a refuted condition as the reason": (
        because_of(verificationStatus=coded(VERIFICATION, "refuted")),
        NEEDED,
        "entry[0] Claim: ignored: what it refers to is no fact about the patient: diagnosis[0].diagnosisReference",
    ),
    "a condition that is not valid as the reason": (
        because_of(extra=1),
        NEEDED,
        "entry[0] Claim: not understood: what it refers to is not understood: diagnosis[0].diagnosisReference",
    ),
    "a contained condition as the reason": (because_of_contained(), MET),
    "a contained condition as the reason that may mean something else": (
        because_of_contained(modifierExtension=[{"url": "http://x"}]),
        NEEDED,
        "entry[0] Claim: not understood: a modifier extension or implicit rules may change what it means: "
        "diagnosis[0].diagnosisReference",
    ),
    "a code of HCPCS level I is one of CPT": (
        lambda bundle: resources(bundle)["Claim"]["item"][0].update(productOrService=coded(HCPCS, "38242")),
        MET,
    ),
}
