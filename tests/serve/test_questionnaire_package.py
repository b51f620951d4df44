"""Questionnaire/$questionnaire-package: a form that asks only what can still settle the case, and fills itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from bundles import content, resources
from crd_invariants import said
from dtr_client import evaluated, filled
from fhir_of import PATIENT, fhir_of
from fhir_validator import Faults
from hook_calls import call_of, chart_of, data, order_of
from in_favor import SERVICE_DATE, in_favor
from starlette.testclient import TestClient

from kb_tools.cases.case import Case
from kb_tools.cases.fhir.origin import ORIGIN
from kb_tools.cases.fhir.r4 import library_class
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import read_manifest
from kb_tools.determine.result import Determination, Outcome
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.render.questionnaire import questionnaire
from kb_tools.serve.app import application
from kb_tools.serve.case.desk import Chosen, Desk
from kb_tools.serve.fhir.dtr import Packages
from kb_tools.serve.hooks.answering import Hooks
from kb_tools.serve.workbench import Workbench

pytest.importorskip("fhirclient")

Json = dict[str, Any]
BASE = "https://w3id.org/policykb/"
WHOLE = f"{BASE}Questionnaire/CP.MP.101"
PAS = Path(__file__).parents[1] / "data/pas"
DTR = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/"
TODAY = date.today().isoformat()
COVERAGE = {"name": "coverage", "resource": resources(content())["Coverage"]}
NONE: Chosen = {"policy": None, "revision": None, "asOf": None}


@pytest.fixture(scope="module")
def ehr(bench: Workbench) -> Iterator[TestClient]:
    app = application(bench)
    yield TestClient(app, base_url="http://127.0.0.1:8014", client=("127.0.0.1", 50000))


@pytest.fixture(scope="module")
def desk(kb: Repository) -> Desk:
    return Desk(kb)


def parameters(*listed: Json, profile: str = "") -> Json:
    meta = {"meta": {"profile": [profile]}} if profile else {}
    return {"resourceType": "Parameters", **meta, "parameter": list(listed)}


def post(ehr: TestClient, sent: Any, media_type: str = "application/fhir+json") -> Any:
    body = sent if isinstance(sent, bytes) else data(sent)
    return ehr.post("/fhir/Questionnaire/$questionnaire-package", content=body, headers={"Content-Type": media_type})


def order(**changes: Any) -> Json:
    return {"name": "order", "resource": order_of(content(), **changes)}


def canonical(url: str) -> Json:
    return {"name": "questionnaire", "valueCanonical": url}


def package_of(answer: Json, name: str = "PackageBundle") -> dict[str, Json]:
    """The resources of the only package of an answer, by type."""
    (bundle,) = [one["resource"] for one in answer["parameter"] if one["name"] == name]
    assert bundle["type"] == "collection"
    assert bundle["entry"][0]["resource"]["resourceType"] == "Questionnaire"
    held = [entry["resource"] for entry in bundle["entry"]]
    assert len({one["resourceType"] for one in held}) == len(held)
    return {one["resourceType"]: one for one in held}


def items(content_: Json) -> Iterator[Json]:
    for item in content_.get("item", ()):
        yield item
        yield from items(item)


def by_link(form: Json) -> dict[str, Json]:
    return {item["linkId"]: item for item in items(form)}


def strictly(resource: Json) -> Json:
    """A resource as the FHIR library has read and written it; it raises where R4 is broken."""
    again = library_class(resource["resourceType"])(resource).as_json()
    assert isinstance(again, dict)
    return again


# ---------------------------------------------------------------------- what is in a package


def test_the_package_of_an_order_is_r4_and_invariants_of_dtr_hold(ehr: TestClient, faults: Faults) -> None:
    answer = post(ehr, parameters(COVERAGE, order())).json()
    assert strictly(answer) == answer
    assert faults(answer) == []
    assert faults(post(ehr, parameters(COVERAGE, order(), canonical(WHOLE))).json()) == []
    bundle = answer["parameter"][0]["resource"]
    # dtrb-1, dtr-1, and of each item dtrq-2.
    assert evaluated("%bundle.entry.first().resource.is(Questionnaire)", {"bundle": bundle}) == [True]
    package = package_of(answer)
    assert sorted(package) == ["Questionnaire", "QuestionnaireResponse"]
    for item in items(package["Questionnaire"]):
        assert (item["type"] == "choice") == ("answerOption" in item or "answerValueSet" in item)
        assert ("enableBehavior" in item) == (len(item.get("enableWhen", ())) > 1)
        assert (
            not any(option.get("initialSelected") for option in item.get("answerOption", ())) or "extension" not in item
        )
    assert package["Questionnaire"]["version"] == "2026-02"
    assert [extension["url"].rpartition("-")[2] for extension in package["Questionnaire"]["extension"]] == [
        "launchContext",
        "http://hl7.org/fhir/StructureDefinition/variable",
        "http://hl7.org/fhir/StructureDefinition/variable",
        "http://hl7.org/fhir/StructureDefinition/variable",
    ]


def test_an_item_has_our_definition_and_code(ehr: TestClient) -> None:
    form = package_of(post(ehr, parameters(COVERAGE, order())).json())["Questionnaire"]
    item = by_link(form)["DiseaseStatusAssessment/diseaseStatus"]
    assert item["definition"] == f"{BASE}clinical#diseaseStatus"
    assert item["code"] == [{"system": f"{BASE}clinical#", "code": "diseaseStatus", "display": "disease status"}]
    assert by_link(form)["Transplant"]["code"][0]["code"] == "Transplant"


@pytest.mark.parametrize(
    ("profile", "name", "coverage", "source"),
    [
        ("", "PackageBundle", "qr-context", "auto"),
        (f"{DTR}dtr-qpackage-input-parameters|2.1.0", "PackageBundle", "qr-context", "auto"),
        (f"{DTR}dtr-qpackage-input-parameters|2.2.0", "packagebundle", "qr-coverage", "auto-server"),
    ],
)
def test_what_the_order_and_plan_state_is_filled_in_with_its_origin(
    ehr: TestClient, profile: str, name: str, coverage: str, source: str
) -> None:
    answer = post(ehr, parameters(COVERAGE, order(), canonical(WHOLE), profile=profile)).json()
    package = package_of(answer, name)
    assert sorted(package) == ["Questionnaire", "QuestionnaireResponse", "ValueSet"]
    response = package["QuestionnaireResponse"]
    assert response["questionnaire"] == f"{WHOLE}|2026-02"
    assert (response["status"], response["subject"], response["authored"]) == ("in-progress", PATIENT, TODAY)
    purpose = {"system": "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp", "code": "withpa"}
    assert response["extension"] == [
        {"url": f"{DTR}{coverage}", "valueReference": {"reference": "Coverage/c"}},
        {"url": f"{DTR}qr-context", "valueReference": {"reference": "ServiceRequest/order"}},
        {"url": f"{DTR}intendedUse", "valueCodeableConcept": {"coding": [purpose]}},
    ]
    origin = {"url": ORIGIN, "extension": [{"url": "source", "valueCode": source}]}
    answers = {item["linkId"]: item["answer"] for item in items(response) if "answer" in item}
    assert {link: [one["valueCoding"]["code"] for one in given] for link, given in answers.items()} == {
        "Request/service": ["DonorLymphocyteInfusion"],
        "Coverage/lineOfBusiness": ["Commercial"],
        "Request/reason": ["AcuteMyeloidLeukemia"],
    }
    assert all(one["extension"] == [origin] for given in answers.values() for one in given)


def test_the_form_of_a_policy_lists_the_diseases_in_a_value_set(ehr: TestClient) -> None:
    answer = post(ehr, parameters(COVERAGE, canonical(f"{WHOLE}|2026-02"))).json()
    package = package_of(answer)
    assert strictly(answer) == answer
    assert sorted(package) == ["Questionnaire", "ValueSet"]
    assert (package["Questionnaire"]["url"], package["Questionnaire"]["version"]) == (WHOLE, "2026-02")
    assert by_link(package["Questionnaire"])["Request/reason"]["answerValueSet"] == f"{BASE}ValueSet/Disease"
    listed = package["ValueSet"]
    (include,) = listed["compose"]["include"]
    assert listed["url"] == f"{BASE}ValueSet/Disease"
    assert {"code": "AcuteMyeloidLeukemia", "display": "acute myeloid leukemia"} in include["concept"]
    assert listed["expansion"]["total"] == len(include["concept"]) == len(listed["expansion"]["contains"]) == 85


def test_an_earlier_revision_has_its_own_form(ehr: TestClient) -> None:
    form = package_of(post(ehr, parameters(COVERAGE, canonical(f"{WHOLE}|2019-10"))).json())["Questionnaire"]
    assert form["version"] == "2019-10"
    assert "ChimerismTest" in by_link(form)
    context = {"name": "context", "valueString": f"CP.MP.101.2019-10.{'0' * 32}.partly"}
    assert package_of(post(ehr, parameters(COVERAGE, context)).json())["Questionnaire"] == form


# ---------------------------------------------------------------------- what need not be asked


def whole(desk: Desk) -> Json:
    found = Packages(desk).answer(NONE, data(parameters(COVERAGE, canonical(f"{WHOLE}|2026-02"))))
    assert found.body is not None
    return package_of(json.loads(found.body))["Questionnaire"]


def test_only_what_can_still_settle_the_case_is_asked(desk: Desk) -> None:
    conditions = {
        link: [(one["question"], one["answerCoding"]["code"]) for one in item.get("enableWhen", ())]
        for link, item in by_link(whole(desk)).items()
    }
    services = [("Request/service", c) for c in ("HematopoieticCellTransplantation", "StemCellBoost", "OtherService")]
    assert conditions["Request/service"] == []
    assert conditions["Coverage/lineOfBusiness"] == services
    medicare = [code for link, code in conditions["Request/reason"] if link == "Coverage/lineOfBusiness"]
    assert sorted(medicare) == ["DualEligibleSpecialNeeds", "Medicare", "MedicareAdvantage", "MedicareMedicaid"]
    assert ("Request/purpose", "LowerRelapseRisk") in conditions["MRDTest"]
    manipulated = [code for link, code in conditions["AcuteGvHDAssessment"] if link == "Product/processing"]
    assert "GeneticModification" in manipulated
    assert "Cryopreservation" not in manipulated
    assert all(one["operator"] == "!=" for item in items(whole(desk)) for one in item.get("enableWhen", ()))


def test_a_condition_looks_only_at_what_is_asked_before(desk: Desk) -> None:
    form = whole(desk)
    order_ = [item["linkId"] for item in items(form)]
    for item in items(form):
        for one in item.get("enableWhen", ()):
            assert order_.index(one["question"]) < order_.index(item["linkId"])


def enabled(form: Json, answers: dict[str, set[str]]) -> set[str]:
    """The items that are asked after some answers (R4: "!=" holds where no answer is the one named)."""
    asked: set[str] = set()

    def walk(listed: list[Json]) -> None:
        for item in listed:
            if all(
                one["answerCoding"]["code"] not in answers.get(one["question"], ())
                for one in item.get("enableWhen", ())
            ):
                asked.add(item["linkId"])
                walk(item.get("item", []))

    walk(form["item"])
    return asked


def test_what_is_hidden_cannot_change_the_outcome(desk: Desk) -> None:
    """Every answer that hides something leaves nothing open that reads what is hidden."""
    form = whole(desk)
    everything = enabled(form, {})
    hiding = {
        (one["question"], one["answerCoding"]["code"]) for item in items(form) for one in item.get("enableWhen", ())
    }
    assert len(hiding) > 15
    bare = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/nobody"},
    }
    for link, code in sorted(hiding):
        system = next(
            option["system"] if "system" in option else option["valueCoding"]["system"]
            for option in by_link(form)[link].get("answerOption") or [{"system": f"{BASE}clinical#"}]
        )
        response = {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "subject": bare["subject"],
            "item": [{"linkId": link, "answer": [{"valueCoding": {"system": system, "code": code}}]}],
        }
        case = desk.preview({"order": bare, "answers": response}, date(2026, 6, 30))
        (found,) = desk.come_to([case], "CP.MP.101", "2026-02")
        assert isinstance(found, Determination)
        left = {item["linkId"] for item in items(questionnaire(desk.forms, found) or {})}
        hidden = everything - enabled(form, {link: {code}})
        things = {
            name for name in hidden if "/" not in name or name.partition("/")[0] in ("Request", "Coverage", "Product")
        }
        assert things, (link, code)
        assert not {name for name in things if not name[0].isdigit()} & left, (link, code)


# ---------------------------------------------------------------------- refusals, and nothing to ask


def refused(response: Any) -> tuple[int, str]:
    (issue,) = response.json()["issue"]
    return response.status_code, issue["details"]["text"]


def test_a_case_that_the_order_settles_has_nothing_to_ask(ehr: TestClient) -> None:
    plan = {**COVERAGE["resource"], "type": {"coding": [{"system": f"{BASE}case#", "code": "MedicareAdvantage"}]}}  # type: ignore[dict-item]
    answer = post(ehr, parameters({"name": "coverage", "resource": plan}, order())).json()
    (outcome,) = answer["parameter"]
    (issue,) = outcome["resource"]["issue"]
    assert (outcome["name"], issue["severity"]) == ("outcome", "information")
    assert (
        issue["details"]["text"] == "the order and its plan settle the criteria by themselves: there is nothing to ask"
    )


def test_of_another_order_nothing_is_asked(ehr: TestClient) -> None:
    other = order(code={"coding": [{"system": "http://loinc.org", "code": "24338-6"}]})
    (outcome,) = post(ehr, parameters(COVERAGE, other)).json()["parameter"]
    assert outcome["resource"]["issue"][0]["details"]["text"] == "no policy on file is about what is ordered"


SLIPS: dict[str, tuple[Any, int, str]] = {
    "no JSON": (b"{", 400, "case"),
    "a bundle": (content(), 400, "send Parameters with coverage, and order, questionnaire or context"),
    "no coverage": (parameters(order()), 400, "coverage is missing, or no Coverage"),
    "a coverage that is none": (
        parameters({"name": "coverage", "resource": {"resourceType": "Patient"}}, order()),
        400,
        "coverage is missing, or no Coverage",
    ),
    "nothing asked for": (parameters(COVERAGE), 400, "one of order, questionnaire and context is needed (dtr-1)"),
    "an order of medication": (
        parameters(COVERAGE, {"name": "order", "resource": {"resourceType": "MedicationRequest"}}),
        400,
        "an order is one of ServiceRequest, Claim",
    ),
    "a form of nobody": (
        parameters(COVERAGE, canonical("https://other.example/Questionnaire/x")),
        404,
        "nothing is kept of earlier calls, so the form of a case is made of its order; send that as order, or ask for "
        f"{WHOLE}",
    ),
    "a form of another order": (
        parameters(COVERAGE, order(), canonical(f"{BASE}Questionnaire/{'0' * 32}")),
        404,
        "the form that is named is not that of this order: leave it out, or send the order as it was",
    ),
    "an order of another patient": (
        parameters(COVERAGE, order(subject={"reference": "Patient/q"})),
        422,
        "case: resources of more than one patient; send one bundle a patient",
    ),
    "another version of FHIR": (
        parameters(COVERAGE, order(reason=[])),
        422,
        "case: order.ServiceRequest is of FHIR R5 (reason); convert it to FHIR R4 (4.0.1)",
    ),
}


@pytest.mark.parametrize(("sent", "status", "text"), SLIPS.values(), ids=SLIPS)
def test_what_cannot_be_answered_is_an_outcome(ehr: TestClient, sent: Any, status: int, text: str) -> None:
    found_status, said_ = refused(post(ehr, sent))
    assert (found_status, said_.startswith(text)) == (status, True), said_


def test_xml_and_an_unknown_revision_are_refused(ehr: TestClient) -> None:
    assert post(ehr, b"<Parameters/>", "application/fhir+xml").status_code == 415
    assert post(ehr, parameters(COVERAGE, canonical(f"{WHOLE}|1999-01"))).status_code == 400


def test_nothing_of_a_patient_comes_out(ehr: TestClient, capfd: pytest.CaptureFixture[str]) -> None:
    planted = "Zebulon-Quartermain"
    sent = order(note=[{"text": planted}])
    plan = {**COVERAGE, "resource": {**COVERAGE["resource"], "subscriberId": planted}}  # type: ignore[dict-item]
    assert planted not in post(ehr, parameters(plan, sent)).text
    assert planted not in post(ehr, parameters(plan, order(subject={"reference": f"Patient/{planted}"}))).text
    assert planted not in "".join(capfd.readouterr())


# ---------------------------------------------------------------------- the way round

# What no answered form settles, and the doubt that keeps it open. The case states that a test is in doubt; a form
# cannot say so, and is not read as a test then: what it may state puts the share that is answered later in doubt too.
STAYS_OPEN = {
    "a-doubt-is-of-all-shares-of-one-lineage-and-day-that-differ-2019-10": {"inDoubt"},
    "chimerism-in-doubt-leaves-it-open-2019-10": {"inDoubt"},
}
AUTHOR = {"url": "author", "extension": [{"url": "practitioner", "valueReference": {"reference": "Practitioner/x"}}]}


def by_hand(listed: list[Json]) -> list[Json]:
    """Answers with the origin that a person gives them."""
    origin = {"url": ORIGIN, "extension": [{"url": "source", "valueCode": "manual"}, AUTHOR]}
    return [
        {
            **item,
            **({"answer": [{"extension": [origin], **one} for one in item["answer"]]} if "answer" in item else {}),
            **({"item": by_hand(item["item"])} if "item" in item else {}),
        }
        for item in listed
    ]


def open_examples(kb: Repository, policy: Policy, desk: Desk) -> Iterator[tuple[str, str, Case]]:
    """The example cases that need information, each with its revision."""
    reader = CaseReader(kb)
    for expected in read_manifest(kb, policy.cases_folder):
        if expected.outcome == Outcome.NEEDED.value:
            yield expected.name, expected.revision, reader.read(expected.path.name, expected.path)[0]


def test_the_way_round_from_the_order_to_the_answered_form_settles_open_cases(
    kb: Repository, policy: Policy, desk: Desk
) -> None:
    """order-sign, package, filled from the chart, answered by hand, determined."""
    hooks, packages = Hooks(desk), Packages(desk)
    came: dict[str, Determination] = {}
    charted = 0
    unknown: list[str] = []
    for name, revision, example in open_examples(kb, policy, desk):
        bundle = fhir_of(example)
        chosen: Chosen = {"policy": None, "revision": revision, "asOf": None}
        held = [entry["resource"] for entry in bundle["entry"]]
        draft, chart = order_of(bundle), chart_of(bundle)
        forms = []
        if not desk.asks_for_a_known_service(draft):
            # Of an order without a known code an EHR is told nothing: it asks for the form of the policy by its name.
            unknown.append(name)
            forms = [f"{WHOLE}|{revision}"]
        elif revision == "2026-02":
            sent = data(call_of(bundle))
            answered = hooks.answer("order-sign", "http://kb.example", TODAY, sent)
            assert answered.content["status"] == 200 and answered.body
            (action,) = json.loads(answered.body)["systemActions"]
            draft = action["resource"]
            forms = said(draft)["questionnaire"]
        plan = {"name": "coverage", "resource": chart["coverage"]["entry"][0]["resource"]}
        asked = parameters(plan, {"name": "order", "resource": draft}, *map(canonical, forms))
        found = packages.answer(chosen, data(asked))
        assert found.content["status"] == 200 and found.body, (name, found.content)
        package = package_of(json.loads(found.body))
        form, response = package["Questionnaire"], package["QuestionnaireResponse"]
        chart_items = filled(form, held)
        charted += len(chart_items)
        # A person answers what is still open once the chart is in.
        active = {**draft, "status": "active"}
        others = [one for one in held if one["resourceType"] != "Claim"]
        before = determined(desk, [active, *others], revision)
        wanted = questionnaire(desk.forms, before)
        assert wanted is not None
        manual = [answer for item in wanted["item"] for answer in in_favor(item)]
        completed = {**response, "status": "completed", "item": [*chart_items, *by_hand(manual)]}
        # Answered on the day of the service, whatever day it is today.
        completed["authored"] = SERVICE_DATE
        came[name] = determined(desk, [active, *others, completed], revision)
    outcomes = Counter(found.outcome for found in came.values())
    assert outcomes == {Outcome.MET: 76, Outcome.NOT_MET: 1, Outcome.NEEDED: 2}
    assert {
        name: {doubt.rule for iri in found.to_send for doubt in found.condition_results[iri].doubts}
        for name, found in came.items()
        if found.outcome is Outcome.NEEDED
    } == STAYS_OPEN
    assert [name.removesuffix("-2019-10") for name in unknown] == [
        *["a-bare-request-is-asked-for-everything"] * 2,
        *["another-code-does-not-state-the-service"] * 2,
    ]
    assert charted == 54


def test_an_answered_form_comes_back_through_determine_and_submit(ehr: TestClient) -> None:
    bundle: Json = json.loads((PAS / "request.json").read_text(encoding="utf-8"))
    held = {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}
    plan, claim = (
        {"name": name, "resource": held[type_]} for name, type_ in (("coverage", "Coverage"), ("order", "Claim"))
    )
    package = package_of(post(ehr, parameters(plan, claim)).json())
    line = by_link(package["Questionnaire"])["Coverage/lineOfBusiness"]
    (commercial,) = [one for one in line["answerOption"] if one["valueCoding"]["code"] == "Commercial"]
    answer = by_hand([{"linkId": line["linkId"], "answer": [commercial]}])
    completed = {**package["QuestionnaireResponse"], "status": "completed", "authored": "2026-06-26", "item": answer}
    completed["subject"] = held["Claim"]["patient"]
    entry = {"fullUrl": "urn:uuid:6a4f3c1e-0f0b-4c7e-8a55-0d6d4b5b7c11", "resource": completed}
    for sent, text in (
        (bundle, "information needed"),
        ({**bundle, "entry": [*bundle["entry"], entry]}, "criteria met"),
    ):
        for operation in ("$determine", "Claim/$submit"):
            response = ehr.post(
                f"/fhir/{operation}?revision=2026-02",
                content=data(sent),
                headers={"Content-Type": "application/fhir+json"},
            )
            assert (response.status_code, f"CP.MP.101 revision 2026-02: {text}" in response.text) == (200, True)


def determined(desk: Desk, resources_: list[Json], revision: str) -> Determination:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources_]}
    (found,) = desk.answers(data(bundle), "json", {"policy": None, "revision": revision, "asOf": None})
    assert isinstance(found, Determination), found
    return found
