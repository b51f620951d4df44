"""FHIR out: the bundle is R4 and says what was determined; its questionnaires, answered and read back, settle cases."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
from fhir_of import fhir_of
from in_favor import CLINICAL, DISEASE, SERVICE_DATE, in_favor
from rdflib.namespace import RDF

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.fhir.r4 import library_class
from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import Expectation, read_manifest
from kb_tools.determine.result import REVIEW, Determination, Need, NotDetermined, Outcome
from kb_tools.determine.run import Answer, Run
from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import CASE
from kb_tools.render import determination_fhir as fhir
from kb_tools.render.questionnaire import questionnaire

pytest.importorskip("fhirclient")

ROOT = Path(__file__).parents[2]
RunKb = Callable[..., CompletedProcess[str]]
Json = dict[str, Any]
POLICY = "https://w3id.org/policykb/policy#"
COND = "https://w3id.org/policykb/condition#"

# What is asked for a condition, by the linkIds of what it reads.
ASKED = {
    "service-is-dli": "Request/service",
    "plan-is-not-medicare": "Coverage/lineOfBusiness",
    "after-allogeneic-transplant": "Transplant",
    "reason-is-hematologic-malignancy": "Request/reason",
    "disease-relapsed-refractory-or-progressing": "DiseaseStatusAssessment",
    "disease-is-relapsed": "DiseaseStatusAssessment",
    "lowering-relapse-risk-is-a-purpose": "Request/purpose",
    "raising-donor-chimerism-is-the-only-purpose": "Request/purpose",
    "raising-donor-chimerism-is-a-purpose": "Request/purpose",
    "mrd-is-detected": "MRDTest",
    "relapse-risk-is-raised": "RelapseRiskAssessment",
    "chimerism-is-mixed": "ChimerismTest",
    "lymphocytes-genetically-modified": "Product/processing",
    "lymphocytes-manipulated-ex-vivo": "Product/processing",
    "acute-gvhd-of-grade-2-or-higher": "AcuteGvHDAssessment",
    "earlier-dli-was-given": "EarlierInfusion",
    "benefit-of-earlier-dli-is-documented": "EarlierInfusion",
}


class Example(NamedTuple):
    """One expectation of the manifest, its case and what the case came to."""

    expected: Expectation
    case: Case
    found: Determination


@pytest.fixture(scope="module")
def examples(kb: Repository, policy: Policy) -> list[Example]:
    """Every example case under every revision that the manifest names."""
    expectations = read_manifest(kb, policy.cases_folder)
    reader = CaseReader(kb)
    found = []
    for revision in sorted({expectation.revision for expectation in expectations}):
        listed = [expectation for expectation in expectations if expectation.revision == revision]
        cases = [reader.read(expectation.path.name, expectation.path)[0] for expectation in listed]
        answers = Run(kb, policy, "pyshifty", revision).answers(cases)
        found += [
            Example(expectation, case, determined(answer))
            for expectation, case, answer in zip(listed, cases, answers, strict=True)
        ]
    assert len(found) == 302
    return found


@pytest.fixture(scope="module")
def plain(kb: Repository) -> CaseForms:
    return CaseForms(kb)


@pytest.fixture(scope="module")
def bundle(kb: Repository, examples: list[Example]) -> Json:
    """All of them in one bundle."""
    return written(kb, [example.found for example in examples])


def determined(answer: Answer) -> Determination:
    assert isinstance(answer, Determination)
    return answer


def written(kb: Repository, answers: list[Any], errors: tuple[KbError, ...] = ()) -> Json:
    content = json.loads(fhir.answers(kb, answers, errors, False))
    assert isinstance(content, dict)
    return content


def of_type(content: Json, name: str) -> list[Json]:
    resources = (entry["resource"] for entry in content["entry"])
    return [resource for resource in resources if resource["resourceType"] == name]


def named(examples: list[Example], name: str) -> Determination:
    return next(example.found for example in examples if example.expected.name == name)


def items(content: Json) -> Iterator[Json]:
    """All items of a questionnaire, at every depth."""
    for item in content.get("item", ()):
        yield item
        yield from items(item)


def parameters(response: Json, name: str) -> list[Any]:
    (contained,) = response["contained"]
    found = (parameter for parameter in contained["parameter"] if parameter["name"] == name)
    return [next(value for key, value in parameter.items() if key != "name") for parameter in found]


def outline(content: Json, depth: int = 0) -> list[str]:
    """A questionnaire as lines: what is asked, and how the alternatives lie."""
    lines = []
    for item in content["item"]:
        group = item["type"] == "group"
        name = item["text"] if group and not item.get("repeats") else item["linkId"]
        mark = "" if group else f" {item['type']}"
        mark += "*" if item.get("repeats") else "!" if item.get("required") else ""
        lines.append("  " * depth + name + mark)
        lines += outline(item, depth + 1) if group else []
    return lines


# ---------------------------------------------------------------------- answers, and the way back


def response_to(asked: Json) -> Json:
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": asked["url"],
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "item": [answered for item in asked["item"] for answered in in_favor(item)],
    }


def request(*more: Json, **changes: Any) -> Json:
    """A bundle with a patient, a request and whatever else."""
    ordered = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/1"},
        "occurrenceDateTime": SERVICE_DATE,
        **changes,
    }
    resources = [{"resourceType": "Patient", "id": "1"}, ordered, *more]
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resource} for resource in resources]}


def with_answers(reader: CaseReader, example: Example, asked: Json) -> Case:
    """An example case as the bundle that says the same, with the answers to a questionnaire added, read by FHIR in."""
    sent = fhir_of(example.case)
    response = {**response_to(asked), "subject": {"reference": "Patient/p"}}
    data = json.dumps({**sent, "entry": [*sent["entry"], {"resource": response}]}).encode()
    (case,) = reader.stream(example.expected.name, None, io.BytesIO(data), "json")
    assert isinstance(case, Case), case
    return case


# ---------------------------------------------------------------------- R4


def strictly(content: Json) -> Json:
    """A resource as the FHIR library has read and written it; it raises where R4 is broken."""
    again = library_class(content["resourceType"])(content).as_json()
    assert isinstance(again, dict)
    return again


def test_every_example_case_is_valid_r4_and_nothing_of_it_is_lost(bundle: Json) -> None:
    assert strictly(bundle) == bundle
    assert len(of_type(bundle, "GuidanceResponse")) == 302


@pytest.mark.parametrize(
    "break_it",
    [
        lambda response: response.pop("moduleUri"),
        lambda response: response.update(status=1),
        lambda response: response.update(outcome="CriteriaMet"),
        lambda response: response["contained"][0]["parameter"][0].pop("name"),
    ],
    ids=["no module", "a number for a status", "an element that R4 does not have", "a parameter without a name"],
)
def test_the_library_refuses_what_is_not_r4(bundle: Json, break_it: Callable[[Json], object]) -> None:
    refusal = import_module("fhirclient.models.fhirabstractbase").FHIRValidationError
    response = json.loads(json.dumps(of_type(bundle, "GuidanceResponse")[0]))
    break_it(response)
    with pytest.raises(refusal):
        strictly(response)


def test_the_rules_of_r4_that_the_library_leaves_out_are_kept(bundle: Json) -> None:
    assert nothing_is_empty(bundle)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    for response in of_type(bundle, "GuidanceResponse"):
        assert {f"#{resource['id']}" for resource in response["contained"]} == {
            response["outputParameters"]["reference"]
        }
    for asked in of_type(bundle, "Questionnaire"):
        links = [item["linkId"] for item in items(asked)]
        assert len(set(links)) == len(links)
        for item in items(asked):
            assert (item["type"] == "group") == ("item" in item)
            assert (item["type"] == "choice") == ("answerOption" in item)
            assert item["type"] != "display" or set(item) == {"linkId", "text", "type"}
            assert sum(option.get("initialSelected", False) for option in item.get("answerOption", ())) <= 1


def nothing_is_empty(content: Any) -> bool:
    if isinstance(content, dict | list):
        inner = content.values() if isinstance(content, dict) else content
        return bool(content) and all(map(nothing_is_empty, inner))
    return content is not None and content != ""


# ---------------------------------------------------------------------- what a response says


def test_status_is_success_where_the_outcome_is_settled_and_else_data_required(bundle: Json) -> None:
    found = Counter(
        (parameters(response, "outcome")[0]["code"], response["status"], "dataRequirement" in response)
        for response in of_type(bundle, "GuidanceResponse")
    )
    assert found == {
        ("CriteriaMet", "success", False): 134,
        ("CriteriaNotMet", "success", False): 58,
        ("PolicyNotApplicable", "success", False): 9,
        ("InformationNeeded", "data-required", True): 79,
        ("InformationConflicting", "data-required", True): 22,
    }


def test_every_response_says_that_a_clinician_reviews(bundle: Json) -> None:
    for response in of_type(bundle, "GuidanceResponse"):
        assert parameters(response, "review") == [REVIEW]
        assert response["note"][-1] == {"text": REVIEW}
        assert f"<p>{REVIEW}</p></div>" in response["text"]["div"]


def test_a_response_gives_outcome_revision_and_why(kb: Repository, examples: list[Example]) -> None:
    found = named(examples, "acute-gvhd-of-grade-2-excludes")
    (response,) = of_type(written(kb, [found]), "GuidanceResponse")
    assert response["moduleUri"] == "https://w3id.org/policykb/CP.MP.101/2026-02"
    assert response["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": found.case.iri}]
    assert "occurrenceDateTime" not in response
    assert "dataRequirement" not in response
    values = {name: parameters(response, name) for name in ("outcome", "criteriaBasis", "serviceDate", "disposition")}
    assert values == {
        "outcome": [{"system": POLICY, "code": "CriteriaNotMet", "display": "criteria not met"}],
        "criteriaBasis": [{"system": POLICY, "code": "DocumentOnFile", "display": "document on file"}],
        "serviceDate": ["2026-07-01"],
        "disposition": [
            {
                "system": POLICY,
                "code": "NotSupportedByCurrentEvidence",
                "display": "current evidence does not support the use",
            }
        ],
    }
    deciding = [
        {part["name"]: part[key] for part in parts for key in part if key != "name"}
        for parts in parameters(response, "criterionResult")
        if {"name": "decides", "valueBoolean": True} in parts
    ]
    assert [(result["place"], result["value"]["code"], result["reason"]) for result in deciding] == [
        ("II.B", "Holds", "acute GvHD of grade 2 or higher: holds")
    ]
    facts = [
        part["valueString"]
        for parts in parameters(response, "conditionResult")
        for part in parts
        if part["name"] == "fact" and parts[0]["valueUri"] == f"{COND}acute-gvhd-of-grade-2-or-higher"
    ]
    assert facts == ["acute GvHD assessment: grade 2 (2026-06-20, chart evidence)"]


def test_a_response_carries_every_criterion_condition_advisory_and_notice(
    bundle: Json, examples: list[Example]
) -> None:
    by_case = {
        (resource["identifier"][0]["value"], resource["moduleUri"]): resource
        for resource in of_type(bundle, "GuidanceResponse")
    }
    assert len(by_case) == 302
    for example in examples:
        found, response = example.found, by_case[example.found.case.iri, str(example.found.revision.iri)]
        assert parameters(response, "notice") == list(found.notices)
        for name, expected in (
            ("criterionResult", [(one.criterion.iri, one.value) for one in found.criterion_results]),
            ("conditionResult", [(iri, one.value) for iri, one in found.condition_results.items()]),
        ):
            rows = [
                (parts[0]["valueUri"], next(part["valueCoding"]["code"] for part in parts if part["name"] == "value"))
                for parts in parameters(response, name)
            ]
            assert rows == [(iri, value.name.capitalize()) for iri, value in expected]
        advisories = [parts[0]["valueUri"] for parts in parameters(response, "advisory")]
        assert advisories == [one.iri for one in found.advisories]


def test_where_the_policy_does_not_apply_the_response_names_the_other(kb: Repository, examples: list[Example]) -> None:
    (response,) = of_type(written(kb, [named(examples, "medicare-advantage-plan-is-referred")]), "GuidanceResponse")
    assert parameters(response, "referredTo") == ["https://w3id.org/policykb/MC.CP.MP.101"]


def test_a_contradiction_is_named_with_its_facts_and_asked_about(kb: Repository, examples: list[Example]) -> None:
    content = written(kb, [named(examples, "grades-1-and-3-on-one-day-conflict")])
    (response,), (asked,) = of_type(content, "GuidanceResponse"), of_type(content, "Questionnaire")
    ((condition, *facts),) = parameters(response, "conflict")
    assert condition["valueUri"] == f"{COND}acute-gvhd-of-grade-2-or-higher"
    assert sorted(fact["valueString"] for fact in facts) == [
        "acute GvHD assessment: grade 1 (2026-06-20, chart evidence)",
        "acute GvHD assessment: grade 3 (2026-06-20, attestation)",
    ]
    (item,) = asked["item"]
    assert "What the case says of this contradicts itself" in item["text"]


def test_what_could_not_be_determined_is_a_failure_with_its_reasons(
    kb: Repository, policy: Policy, vary: Callable[[str, str], str]
) -> None:
    reader, cases = CaseReader(kb), []
    for name, old, new in (
        ("malformed.ttl", "clin:grade 1", "clin:grad 7"),
        ("too-early.ttl", "2026-07-01", "2023-09-01"),
    ):
        cases += reader.read(name, None, vary(old, new).encode(), FORMATS[".ttl"])
    answers = list(Run(kb, policy, "pyshifty").answers(cases))
    assert [type(answer) for answer in answers] == [Malformed, NotDetermined]
    content = written(kb, answers, (KbError("no such file", where="missing.ttl", hint="check the path"),))
    assert strictly(content) == content
    malformed, early = of_type(content, "GuidanceResponse")
    (unread,) = of_type(content, "OperationOutcome")
    assert [resource["status"] for resource in (malformed, early)] == ["failure", "failure"]
    for response, code, wrong in (
        (malformed, "invalid", "Did you mean clin:grade?"),
        (early, "processing", "the criteria of CP.MP.101 revision 2023-08 are not on file"),
    ):
        (messages,) = response["contained"]
        assert response["evaluationMessage"] == [{"reference": f"#{messages['id']}"}]
        assert "outputParameters" not in response
        assert "moduleUri" not in response
        (issue,) = messages["issue"]
        assert (issue["severity"], issue["code"]) == ("error", code)
        assert wrong in issue["details"]["text"]
    assert [problem["details"]["text"] for problem in unread["issue"]] == ["no such file; check the path"]


def test_two_processes_print_the_same_bytes(policy: Policy) -> None:
    names = ("acute-gvhd-of-grade-2-excludes", "a-bare-request-is-asked-for-everything")
    files = [str(policy.cases_folder / f"{name}.ttl") for name in names]
    command = [sys.executable, "-c", "from kb_tools.cli import main; main()", "validate", *files, "--format", "fhir"]
    one, other = (
        subprocess.run(
            command, env=os.environ | {"KB_ROOT": str(ROOT), "PYTHONHASHSEED": seed}, capture_output=True, check=False
        )
        for seed in ("1", "2")
    )
    assert (one.returncode, one.stderr) == (1, b"")
    assert one.stdout == other.stdout != b""


def test_a_run_without_cases_is_an_empty_bundle(kb: Repository) -> None:
    content = written(kb, [])
    assert content == {"resourceType": "Bundle", "type": "collection"}
    assert strictly(content) == content


def test_a_name_is_no_markup(kb: Repository, policy: Policy, well_formed: str) -> None:
    text = well_formed.replace("PREFIX :     <https://example.org/case#>", "PREFIX : <https://example.org/case#a&>")
    (case,) = CaseReader(kb).read("a<b>&c.ttl", None, text.encode(), FORMATS[".ttl"])
    (response,) = of_type(written(kb, list(Run(kb, policy, "pyshifty").answers([case]))), "GuidanceResponse")
    first, *_, last = ElementTree.fromstring(response["text"]["div"])
    assert (first.text, last.text) == (f"a&case, input (sha256 {case.digest[:16]})", REVIEW)


def test_two_cases_without_names_have_a_response_each(
    kb: Repository, policy: Policy, vary: Callable[[str, str], str]
) -> None:
    text = vary(":case a case:Case", "[] a case:Case").encode()
    reader = CaseReader(kb)
    cases = [case for _ in range(2) for case in reader.read("unnamed.ttl", None, text, FORMATS[".ttl"])]
    content = written(kb, list(Run(kb, policy, "pyshifty").answers(cases)))
    called = [[{"value": f"input (sha256 {cases[0].digest[:16]})"}]]
    assert [response["identifier"] for response in of_type(content, "GuidanceResponse")] == called * 2
    assert len({entry["fullUrl"] for entry in content["entry"]}) == 2


# ---------------------------------------------------------------------- what is missing


def test_what_is_missing_is_a_data_requirement_of_the_resource_that_carries_it(
    kb: Repository, examples: list[Example]
) -> None:
    found = named(examples, "a-bare-request-is-asked-for-everything")
    (response,) = of_type(written(kb, [found]), "GuidanceResponse")

    def short(requirement: Json) -> tuple[str, ...]:
        filters = requirement.get("codeFilter", ())
        codes = [f"{one['path']}={code['code']}" for one in filters for code in one["code"]]
        return (requirement["type"], *requirement.get("mustSupport", ()), *codes[:1])

    assert Counter(map(short, response["dataRequirement"])) == {
        ("Coverage", "type"): 1,
        ("ServiceRequest", "code"): 1,
        ("ServiceRequest", "reasonCode"): 1,
        ("QuestionnaireResponse", "item", "item.answer.value=TreatRelapse"): 1,
        ("QuestionnaireResponse", "item", "item.answer.value=Unmanipulated"): 1,
        ("Procedure", "code=Transplant"): 1,
        ("Observation", "code=DiseaseStatusAssessment"): 1,
        ("Observation", "code=MRDTest"): 1,
        ("Observation", "code=RelapseRiskAssessment"): 1,
        ("Observation", "code=AcuteGvHDAssessment"): 1,
    }


def test_one_thing_is_missing_and_one_data_requirement_says_so(kb: Repository, examples: list[Example]) -> None:
    found = named(examples, "no-acute-gvhd-assessment-is-asked-for")
    (response,) = of_type(written(kb, [found]), "GuidanceResponse")
    code = {"system": CLINICAL, "code": "AcuteGvHDAssessment", "display": "acute GvHD assessment"}
    assert response["dataRequirement"] == [{"type": "Observation", "codeFilter": [{"path": "code", "code": [code]}]}]
    asks_for = "The overall grade (0 to 4) and date of the latest acute GvHD assessment."
    condition = {"name": "condition", "valueUri": f"{COND}acute-gvhd-of-grade-2-or-higher"}
    send = {"name": "send", "part": [condition, {"name": "asksFor", "valueString": asks_for}]}
    assert parameters(response, "allOf") == [[send]]


# ---------------------------------------------------------------------- the questionnaire


def test_a_settled_case_has_no_questionnaire(examples: list[Example], plain: CaseForms) -> None:
    settled = [example for example in examples if example.found.outcome.settled]
    assert len(settled) == 201
    assert [questionnaire(plain, example.found) for example in settled] == [None] * 201


def test_it_asks_for_a_thing_if_and_only_if_a_condition_to_be_sent_in_reads_it(
    examples: list[Example], plain: CaseForms
) -> None:
    compared = 0
    for example in examples:
        asked = questionnaire(plain, example.found)
        if asked is not None:
            questions = [item for item in items(asked) if item["type"] != "display"]
            parents = {item["linkId"] for item in questions if item.get("repeats") or item["type"] != "group"}
            things = {link for link in parents if link.partition("/")[0] not in parents - {link}}
            wanted = {ASKED[iri.removeprefix(COND)] for iri in example.expected.to_send}
            assert things - {"StatedAbsence"} == wanted, example.expected.name
            compared += 1
    assert compared == 101


def test_a_bare_request_is_asked_for_everything_alternatives_together(
    examples: list[Example], plain: CaseForms
) -> None:
    asked = questionnaire(plain, named(examples, "a-bare-request-is-asked-for-everything"))
    assert asked is not None
    assert outline(asked) == [
        "Request/service choice",
        "Coverage/lineOfBusiness choice",
        "Any one of these can be enough:",
        "  Transplant*",
        "    Transplant/date date!",
        "    Transplant/graftSource choice",
        "  StatedAbsence*",
        "    StatedAbsence/date date!",
        "    StatedAbsence/absenceOf choice!",
        "Request/reason choice",
        "Any one of these can be enough:",
        "  DiseaseStatusAssessment*",
        "    DiseaseStatusAssessment/date date!",
        "    DiseaseStatusAssessment/disease choice!",
        "    DiseaseStatusAssessment/diseaseStatus choice!",
        "  Request/purpose choice*",
        "  MRDTest*",
        "    MRDTest/date date!",
        "    MRDTest/method choice",
        "    MRDTest/mrdResult choice!",
        "  RelapseRiskAssessment*",
        "    RelapseRiskAssessment/date date!",
        "    RelapseRiskAssessment/relapseRisk choice!",
        "Product/processing choice*",
        "AcuteGvHDAssessment*",
        "  AcuteGvHDAssessment/date date!",
        "  AcuteGvHDAssessment/grade integer",
        "  AcuteGvHDAssessment/gradeAtLeast integer",
        "  AcuteGvHDAssessment/gradeAtMost integer",
    ]


def test_under_another_revision_other_things_are_asked_for(examples: list[Example], plain: CaseForms) -> None:
    asked = questionnaire(plain, named(examples, "a-bare-request-is-asked-for-everything-2019-10"))
    assert asked is not None
    lines = [line for line in outline(asked) if line.count("/") == 0 or line.lstrip().startswith("Request")]
    assert lines == [
        "Request/service choice",
        "Any one of these can be enough:",
        "  Transplant*",
        "  StatedAbsence*",
        "Any one of these can be enough:",
        "  All of these:",
        "    Request/reason choice",
        "    DiseaseStatusAssessment*",
        "  All of these:",
        "    Request/purpose choice*",
        "    ChimerismTest*",
        "Any one of these can be enough:",
        "  EarlierInfusion*",
        "  5:StatedAbsence display",
    ]


def test_a_missing_purpose_is_one_question_with_every_purpose_to_choose(
    examples: list[Example], plain: CaseForms
) -> None:
    asked = questionnaire(plain, named(examples, "no-purpose-in-remission-is-asked-for"))
    assert asked is not None
    purposes = (
        ("TreatRelapse", "treat relapse"),
        ("LowerRelapseRisk", "lower the risk of relapse"),
        ("RaiseDonorChimerism", "raise donor chimerism"),
    )
    assert asked == {
        "resourceType": "Questionnaire",
        "id": asked["id"],
        "url": f"https://w3id.org/policykb/Questionnaire/{asked['id']}",
        "title": "CP.MP.101 revision 2026-02: what can still settle the case",
        "status": "active",
        "subjectType": ["Patient"],
        "description": (
            f"Answer what is known and leave out the rest. Nothing dated after the service date counts. {REVIEW}"
        ),
        "item": [
            {
                "linkId": "Request/purpose",
                "text": "Every purpose of the infusion.",
                "type": "choice",
                "repeats": True,
                "answerOption": [
                    {"valueCoding": {"system": CLINICAL, "code": code, "display": display}}
                    for code, display in purposes
                ],
            }
        ],
    }


def test_numbers_are_asked_for_within_their_bounds(examples: list[Example], plain: CaseForms) -> None:
    asked = questionnaire(plain, named(examples, "a-bare-request-is-asked-for-everything-2019-10"))
    assert asked is not None
    (share,) = [item for item in items(asked) if item["linkId"] == "ChimerismTest/donorPercent"]
    bounds = "http://hl7.org/fhir/StructureDefinition/"
    assert share == {
        "linkId": "ChimerismTest/donorPercent",
        "extension": [
            {"url": f"{bounds}minValue", "valueDecimal": 0},
            {"url": f"{bounds}maxValue", "valueDecimal": 100},
        ],
        "text": "donor cells, percent",
        "type": "decimal",
        "required": False,
    }


def test_the_disease_treated_is_chosen_beforehand_where_a_status_is_asked_for(
    examples: list[Example], plain: CaseForms
) -> None:
    chosen = {}
    for name in ("no-reason-stated-leaves-the-status-open-too", "progressing-lymphoma-meets-2019-10"):
        asked = questionnaire(plain, named(examples, name))
        assert asked is not None
        (disease,) = [item for item in items(asked) if item["linkId"] == "DiseaseStatusAssessment/disease"]
        options = disease["answerOption"]
        chosen[name] = [option["valueCoding"]["code"] for option in options if option.get("initialSelected")]
    assert chosen == {
        "no-reason-stated-leaves-the-status-open-too": [],
        "progressing-lymphoma-meets-2019-10": ["FollicularLymphoma"],
    }


def test_an_absence_is_asked_for_only_where_nothing_of_its_kind_is_stated(
    examples: list[Example], plain: CaseForms
) -> None:
    absences = {}
    for name in ("no-transplant-on-file-is-asked-for", "autologous-beside-unstated-source-leaves-it-open"):
        asked = questionnaire(plain, named(examples, name))
        assert asked is not None
        options = [item["answerOption"] for item in items(asked) if item["linkId"] == "StatedAbsence/absenceOf"]
        absences[name] = [option["valueCoding"]["code"] for listed in options for option in listed]
    assert absences == {
        "no-transplant-on-file-is-asked-for": ["Transplant"],
        "autologous-beside-unstated-source-leaves-it-open": [],
    }


def test_what_is_needed_in_two_places_is_asked_once_and_named_in_the_other(
    examples: list[Example], plain: CaseForms
) -> None:
    found = named(examples, "a-bare-request-is-asked-for-everything")
    mrd, risk, reason = (
        COND + name for name in ("mrd-is-detected", "relapse-risk-is-raised", "reason-is-hematologic-malignancy")
    )
    needs = Need("all", (Need("any", (mrd, risk)), Need("any", (risk, reason)), Need("any", (risk, mrd))))
    asked = questionnaire(plain, replace(found, needs=needs))
    assert asked is not None
    assert [line for line in outline(asked) if line.count("/") == 0 or ":" in line or "reason" in line] == [
        "Any one of these can be enough:",
        "  MRDTest*",
        "  RelapseRiskAssessment*",
        "Any one of these can be enough:",
        "  2.1:RelapseRiskAssessment display",
        "  Request/reason choice",
    ]


def test_what_only_a_billing_code_tells_is_not_asked_as_a_question(examples: list[Example], plain: CaseForms) -> None:
    found = named(examples, "another-code-does-not-state-the-service")
    revision, iri = replace(found.revision), f"{COND}service-is-dli"
    by_code = replace(revision.conditions[iri], reads=frozenset([str(CASE.procedureCode)]))
    vars(revision)["conditions"] = {**revision.conditions, iri: by_code}
    asked = questionnaire(plain, replace(found, revision=revision))
    assert asked is not None
    text = "Send with the request itself: The service requested, or its procedure code."
    assert asked["item"] == [{"linkId": "1", "text": text, "type": "display"}]


def test_the_same_questions_have_the_same_url_and_others_another(bundle: Json, examples: list[Example]) -> None:
    asked = of_type(bundle, "Questionnaire")
    referred = Counter(
        url for response in of_type(bundle, "GuidanceResponse") for url in parameters(response, "questionnaire")
    )
    assert set(referred) == {form["url"] for form in asked}
    assert sum(referred.values()) == 101
    assert len({json.dumps([form["title"], form["item"]]) for form in asked}) == len(asked)


# ---------------------------------------------------------------------- answered and read back


def after_answers(
    kb: Repository, policy: Policy, plain: CaseForms, examples: list[Example], outcome: Outcome
) -> dict[str, Answer]:
    """What each example case with that outcome comes to, by name, once all it is asked for is answered in favor."""
    reader = CaseReader(kb)
    found: dict[str, Answer] = {}
    for revision in sorted({example.expected.revision for example in examples}):
        open_ = [
            example for example in examples if (example.found.outcome, example.expected.revision) == (outcome, revision)
        ]
        answered = []
        for example in open_:
            asked = questionnaire(plain, example.found)
            assert asked is not None
            answered.append(with_answers(reader, example, asked))
        names = [example.expected.name for example in open_]
        found |= zip(names, Run(kb, policy, "pyshifty", revision).answers(answered), strict=True)
    return found


def test_answered_in_favor_a_case_that_needs_information_is_settled(
    kb: Repository, policy: Policy, examples: list[Example], plain: CaseForms
) -> None:
    found = after_answers(kb, policy, plain, examples, Outcome.NEEDED)
    came = {name: determined(answer).outcome for name, answer in found.items()}
    assert Counter(came.values()) == {Outcome.MET: 76, Outcome.NOT_MET: 1, Outcome.NEEDED: 2}
    # A form cannot say that a finding is in doubt: the reader takes it as a test that may be of any lineage.
    assert {name for name, outcome in came.items() if outcome is Outcome.NEEDED} == {
        "a-doubt-is-of-all-shares-of-one-lineage-and-day-that-differ-2019-10",
        "chimerism-in-doubt-leaves-it-open-2019-10",
    }
    assert came["unstated-plan-is-asked-for-though-the-criteria-fail"] is Outcome.NOT_MET


def test_answered_in_favor_a_contradiction_is_settled_where_a_later_finding_can(
    kb: Repository, policy: Policy, examples: list[Example], plain: CaseForms
) -> None:
    found = after_answers(kb, policy, plain, examples, Outcome.CONFLICTING)
    came = {name: determined(answer).outcome for name, answer in found.items()}
    assert Counter(came.values()) == {Outcome.MET: 17, Outcome.CONFLICTING: 3, Outcome.NEEDED: 2}
    # Nor does an answer choose between the services of a request.
    assert {name for name, outcome in came.items() if outcome is Outcome.NEEDED} == {
        "code-38242-beside-another-service-conflicts",
        "code-38242-beside-another-service-conflicts-2019-10",
    }
    # An answer adds to what is stated and withdraws none of it: a stated absence is to be corrected where it stands.
    assert {name for name, outcome in came.items() if outcome is Outcome.CONFLICTING} == {
        "conflicting-transplant-beside-missing-risk",
        "stated-absence-after-a-transplant-conflicts",
        "stated-absence-on-the-day-of-the-transplant-conflicts",
    }


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


PLANTED = {"Patient": {"name": [{"family": "Plantedname"}], "identifier": [{"value": "PLANTED-4711"}]}}
AFTER_A_TRANSPLANT = request(
    {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "performedDateTime": "2025-01-15",
        "code": coded("http://www.ama-assn.org/go/cpt", "38240"),
    },
    code=coded("http://www.ama-assn.org/go/cpt", "38242"),
    reasonCode=[coded("http://hl7.org/fhir/sid/icd-10-cm", "C92.01")],
)


@pytest.mark.parametrize(
    ("sent", "asked_for"),
    [
        (
            request(),
            [
                *("Request/service", "Coverage/lineOfBusiness", "3", "Request/reason", "5", "Product/processing"),
                "AcuteGvHDAssessment",
            ],
        ),
        (AFTER_A_TRANSPLANT, ["Coverage/lineOfBusiness", "2", "Product/processing", "AcuteGvHDAssessment"]),
    ],
    ids=["a bare request", "a request after a transplant"],
)
def test_a_bundle_with_its_answered_questionnaire_meets_the_criteria(
    run_kb: RunKb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: Json, asked_for: list[str]
) -> None:
    monkeypatch.setenv("KB_PSEUDONYM_KEY", "a key for tests")
    sent = json.loads(json.dumps(sent))
    sent["entry"][0]["resource"] |= PLANTED["Patient"]

    def run(content: Json) -> Json:
        (tmp_path / "bundle.json").write_text(json.dumps(content), encoding="utf-8")
        done = run_kb("validate", "bundle.json", "--format", "fhir")
        assert "planted" not in (done.stdout + done.stderr).lower()
        came = json.loads(done.stdout)
        assert strictly(came) == came
        assert done.returncode == (0 if of_type(came, "GuidanceResponse")[0]["status"] == "success" else 1)
        return dict(came)

    first = run(sent)
    (open_,), (asked,) = of_type(first, "GuidanceResponse"), of_type(first, "Questionnaire")
    assert open_["status"] == "data-required"
    assert parameters(open_, "outcome")[0]["code"] == "InformationNeeded"
    assert [item["linkId"] for item in asked["item"]] == asked_for
    response = response_to(asked)
    assert strictly(response) == response
    second = run({**sent, "entry": [*sent["entry"], {"resource": response}]})
    (settled,) = of_type(second, "GuidanceResponse")
    assert settled["status"] == "success"
    assert parameters(settled, "outcome")[0]["code"] == "CriteriaMet"
    assert of_type(second, "Questionnaire") == []
    assert settled["subject"] == open_["subject"]


def test_an_answer_against_the_criteria_settles_too(run_kb: RunKb, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps(request()), encoding="utf-8")
    (asked,) = of_type(json.loads(run_kb("validate", "bundle.json", "--format", "fhir").stdout), "Questionnaire")
    response = response_to(asked)
    response["item"] = [item for item in response["item"] if item["linkId"] != "3"]
    absence = {"valueCoding": {"system": CLINICAL, "code": "Transplant"}}
    none = [
        {"linkId": "StatedAbsence/date", "answer": [{"valueDate": SERVICE_DATE}]},
        {"linkId": "StatedAbsence/absenceOf", "answer": [absence]},
    ]
    response["item"].append({"linkId": "3", "item": [{"linkId": "StatedAbsence", "item": none}]})
    (tmp_path / "bundle.json").write_text(json.dumps(request(response)), encoding="utf-8")
    (settled,) = of_type(json.loads(run_kb("validate", "bundle.json", "--format", "fhir").stdout), "GuidanceResponse")
    assert (settled["status"], parameters(settled, "outcome")[0]["code"]) == ("success", "CriteriaNotMet")


def snomed(code: str) -> Json:
    return {"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": code}]}}


def percent(value: int) -> Json:
    return {"valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "%"}}


@pytest.mark.parametrize(
    ("kind", "key", "codes", "says"),
    [
        ("MRDTest", "method", ("FlowCytometry",), (snomed("260373001"), snomed("260415000"))),
        ("MRDTest", "method", (), (snomed("260373001"), snomed("260415000"))),
        ("ChimerismTest", "lineage", ("TCells",), (percent(40), percent(99))),
        ("ChimerismTest", "lineage", (), (percent(40), percent(99))),
    ],
)
def test_an_answer_is_told_apart_where_the_case_tells_apart(
    run_kb: RunKb, tmp_path: Path, kind: str, key: str, codes: tuple[str, ...], says: tuple[Json, ...]
) -> None:
    stated = [
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": CLINICAL, "code": code} for code in (kind, *codes)]},
            "subject": {"reference": "Patient/1"},
            "effectiveDateTime": "2026-06-20",
            **value,
        }
        for value in says
    ]
    (tmp_path / "bundle.json").write_text(json.dumps(request(*stated)), encoding="utf-8")
    revision = "2026-02" if kind == "MRDTest" else "2019-10"
    ran = run_kb("validate", "bundle.json", "--format", "fhir", "--revision", revision)
    (asked,) = of_type(json.loads(ran.stdout), "Questionnaire")
    required = {item["linkId"]: item.get("required", False) for item in items(asked)}
    assert required[f"{kind}/{key}"] is bool(codes)


def test_what_a_data_requirement_names_is_read_as_what_is_missing(kb: Repository, examples: list[Example]) -> None:
    found = named(examples, "a-bare-request-is-asked-for-everything")
    (response,) = of_type(written(kb, [found]), "GuidanceResponse")
    about: Json = {"subject": {"reference": "Patient/1"}, "focus": [{"reference": "Condition/1"}]}
    disease = {
        "resourceType": "Condition",
        "id": "1",
        "subject": {"reference": "Patient/1"},
        "code": {"coding": [{"system": CLINICAL, "code": DISEASE}]},
    }
    values: dict[str, Json] = {
        "DiseaseStatusAssessment": {"valueCodeableConcept": coded(CLINICAL, "Relapsed")},
        "MRDTest": {"valueCodeableConcept": coded(CLINICAL, "MRDDetected")},
        "RelapseRiskAssessment": {"valueCodeableConcept": coded(CLINICAL, "RaisedRelapseRisk")},
        "AcuteGvHDAssessment": {"valueInteger": 1},
    }
    sent, kinds = [disease], []
    for requirement in response["dataRequirement"]:
        if requirement["type"] in ("Observation", "Procedure"):
            (filter_,) = requirement["codeFilter"]
            (code,) = filter_["code"]
            kinds.append(code["code"])
            resource = {"resourceType": requirement["type"], filter_["path"]: {"coding": [code]}, **about}
            if requirement["type"] == "Procedure":
                resource |= {"status": "completed", "performedDateTime": "2025-01-15"}
                del resource["focus"]
            else:
                resource |= {"status": "final", "effectiveDateTime": "2026-06-15", **values[code["code"]]}
            sent.append(resource)
    read = FhirReader(kb).bundle(json.dumps(request(*sent)).encode(), "sent").triples
    findings = {node for _, predicate, node in read if predicate == CASE.finding}
    made = [str(kind) for node, predicate, kind in read if node in findings and predicate == RDF.type]
    assert sorted(made) == sorted(CLINICAL + kind for kind in kinds)
    assert len(made) == 5
