"""What is requested, why, when and under which plan, as FHIR states it: what is not understood is never read over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundles import notes_of
from rdflib import URIRef

from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.cases.isolate import Content
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE
from kb_tools.rdf.terms import local_name

pytestmark = pytest.mark.usefixtures("pseudonym_key")

MEETING = Path(__file__).parents[2] / "data/fhir/a-relapse-after-an-allogeneic-transplant-meets.json"
PLAN = "https://nahdo.org/sopt"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"
PRINCIPAL = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/ex-diagnosistype", "code": "principal"}]}
REQUESTED = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-requestedService"
UNCLEAR = "a request that is not understood"
LEAVE_OUT = "correct it, or leave it out"
SEND_REQUEST = "send a Claim with use preauthorization, or a ServiceRequest, that is active"
NOT_EVERY_PLAN = "The line of business is not stated for every plan that the request names: none is used."
Json = dict[str, Any]
Read = Callable[[Json], Content]


@pytest.fixture(scope="module")
def read(kb: Repository) -> Read:
    reader = FhirReader(kb)
    return lambda bundle: reader.bundle(json.dumps(bundle).encode(), "in.json")


def concept(system: str, *codes: str) -> Json:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def claim(*more: Json, **changes: Any) -> Json:
    """The meeting bundle with elements of its claim changed (None removes one) and resources added."""
    bundle: Json = json.loads(MEETING.read_text(encoding="utf-8"))
    request = bundle["entry"][0]["resource"]
    bundle["entry"][0]["resource"] = {k: v for k, v in (request | changes).items() if v is not None}
    bundle["entry"] += [{"resource": resource} for resource in more]
    return bundle


def orders(*requests: Json) -> Json:
    """The meeting bundle with these service requests in the place of its claim."""
    bundle = claim(*requests)
    del bundle["entry"][0]
    return bundle


def order(id_: str = "s1", code: str = "38242", day: str | None = "2026-07-01", **more: Any) -> Json:
    dated = {"occurrenceDateTime": day} if day else {}
    return {
        "resourceType": "ServiceRequest",
        "id": id_,
        "status": "active",
        "intent": "order",
        "code": concept(CPT, code),
        "subject": {"reference": "Patient/p"},
        **dated,
        **more,
    }


def item(code: str = "38242", *pointers: int, **more: Any) -> Json:
    pointed = {"diagnosisSequence": list(pointers)} if pointers else {}
    return {"sequence": 1, "productOrService": concept(CPT, code), "servicedDate": "2026-07-01", **pointed, **more}


def undated(code: str) -> Json:
    return {name: value for name, value in item(code, 1).items() if name != "servicedDate"}


def event(**time: Any) -> Json:
    kind = concept("http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASSupportingInfoType", "patientEvent")
    return {"sequence": 1, "category": kind, **time}


def diagnosis(sequence: int, *codes: str, **more: Any) -> Json:
    return {"sequence": sequence, "diagnosisCodeableConcept": concept(ICD, *codes) if codes else {"text": "x"}, **more}


def stated(content: Content, property_: URIRef) -> list[str]:
    return sorted(local_name(o) if isinstance(o, URIRef) else str(o) for _, p, o in content.triples if p == property_)


def notes(content: Content, type_: str) -> list[str]:
    """What is noted of the resources of a type, apart from what was used and not read."""
    found = [str(note) for note in notes_of(content) if f" {type_}" in note.place]
    return [line for line in found if ": used" not in line and ": not read" not in line]


# ---------------------------------------------------------------------- the reason

UNKNOWN = "unknown code ICD-10-CM J18.9"
STATUS = "a request can name a disease but not its status: send the status as a Condition"
NOT_EVERY = "not understood: not every reason is known, so none is stated"
AML = ["AcuteMyeloidLeukemia"]
CODED = "diagnosisCodeableConcept.coding[0]"
TWO = [diagnosis(1, "J18.9"), diagnosis(2, "C92.01")]
AT_1 = f"not understood: {UNKNOWN}: diagnosis[0].{CODED}"
AT_2 = f"ignored: {STATUS}: diagnosis[1].{CODED}"
REASONS: dict[str, tuple[Json, list[str], list[str]]] = {
    "the disease that is pointed to": (claim(diagnosis=TWO, item=[item("38242", 2)]), AML, [AT_2]),
    "a pointed-to diagnosis beside it is not known": (
        claim(diagnosis=TWO, item=[item("38242", 1, 2)]),
        [],
        [AT_1, AT_2, f"{NOT_EVERY}: diagnosis"],
    ),
    "the principal diagnosis is not known": (
        claim(diagnosis=[{**TWO[0], "type": [PRINCIPAL]}, TWO[1]], item=[item("38242", 1, 2)]),
        [],
        [AT_1],
    ),
    "the principal diagnosis decides": (
        claim(diagnosis=[TWO[0], {**TWO[1], "type": [PRINCIPAL]}], item=[item("38242", 1, 2)]),
        AML,
        [AT_2],
    ),
    "a diagnosis in words is not known": (
        claim(diagnosis=[diagnosis(1), TWO[1]], item=[item()]),
        [],
        ["not understood: no code: diagnosis[0].diagnosisCodeableConcept", AT_2, f"{NOT_EVERY}: diagnosis"],
    ),
    "a code that is known to be no disease hides none": (
        claim(diagnosis=[diagnosis(1, "Z94.84"), TWO[1]], item=[item()]),
        AML,
        [f"ignored: ICD-10-CM Z94.84 names no disease that is treated: diagnosis[0].{CODED}", AT_2],
    ),
    "an item for something else points to the disease": (
        claim(diagnosis=TWO, item=[item("38242", 1), item("80053", 2, sequence=2)]),
        [],
        [AT_1],
    ),
    "an item without a pointer is for all diagnoses": (
        claim(diagnosis=TWO, item=[item(), item("80053", 2, sequence=2)]),
        [],
        [AT_1, AT_2, f"{NOT_EVERY}: diagnosis"],
    ),
    "a pointer to no diagnosis": (
        claim(item=[item("38242", 9)]),
        [],
        ["not understood: it points to a diagnosis that is not there: item.diagnosisSequence"],
    ),
    "a pointer to no diagnosis beside one to the disease": (
        claim(diagnosis=[diagnosis(1, "C92.01")], item=[item("38242", 1, 9)]),
        [],
        [
            "not understood: it points to a diagnosis that is not there: item.diagnosisSequence",
            f"ignored: {STATUS}: diagnosis[0].{CODED}",
            f"{NOT_EVERY}: diagnosis",
        ],
    ),
}
ORDERED = f"ignored: {STATUS}: reasonCode[1].coding[0]"
ORDER_REASONS: dict[str, tuple[Json, list[str], list[str]]] = {
    "a reason code beside it is not known": (
        order(reasonCode=[concept(ICD, "J18.9"), concept(ICD, "C92.02")]),
        [],
        [f"not understood: {UNKNOWN}: reasonCode[0].coding[0]", ORDERED, f"{NOT_EVERY}: reasonCode"],
    ),
    "a reason code beside it is known to be no disease": (
        order(reasonCode=[concept(ICD, "Z94.84"), concept(ICD, "C92.02")]),
        AML,
        ["ignored: ICD-10-CM Z94.84 names no disease that is treated: reasonCode[0].coding[0]", ORDERED],
    ),
    "a reason beside it leads nowhere": (
        order(reasonReference=[{"reference": "Condition/aml"}, {"reference": "Condition/other"}]),
        [],
        [
            "not understood: the reference leads nowhere in the input: reasonReference[1]",
            f"{NOT_EVERY}: reasonCode",
        ],
    ),
    "a reason by reference": (order(reasonReference=[{"reference": "Condition/aml"}]), AML, []),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_of_a_claim_is_stated_only_if_all_that_is_pointed_to_is_known(read: Read, name: str) -> None:
    bundle, diseases, expected = REASONS[name]
    content = read(bundle)
    assert stated(content, CASE.reason) == diseases
    assert notes(content, "Claim") == [f"entry[0] Claim: {line}" for line in expected]
    assert content.notices == ()


@pytest.mark.parametrize("name", ORDER_REASONS)
def test_the_reason_of_an_order_is_stated_only_if_all_reasons_are_known(read: Read, name: str) -> None:
    request, diseases, expected = ORDER_REASONS[name]
    content = read(orders(request))
    assert stated(content, CASE.reason) == diseases
    assert notes(content, "ServiceRequest") == [f"entry[6] ServiceRequest: {line}" for line in expected]


def test_an_order_states_no_reason_that_its_claim_leaves_open(read: Read) -> None:
    linked = [{"url": REQUESTED, "valueReference": {"reference": "ServiceRequest/s1"}}]
    request = order(reasonReference=[{"reference": "Condition/aml"}])
    content = read(claim(request, diagnosis=TWO, item=[item("38242", 1, extension=linked)]))
    assert stated(content, CASE.reason) == []
    assert notes(content, "Claim") == [f"entry[0] Claim: {line}" for line in (AT_1, f"{NOT_EVERY}: diagnosis")]


# ---------------------------------------------------------------------- the plan


def plan(id_: str = "d", *codes: str, **more: Any) -> Json:
    found = {
        "resourceType": "Coverage",
        "id": id_,
        "status": "active",
        "type": concept(PLAN, *codes or ("139",)),
        "beneficiary": {"reference": "Patient/p"},
        "payor": [{"reference": "Organization/o"}],
        **more,
    }
    return {name: value for name, value in found.items() if value is not None}


def insured(*references: Json) -> list[Json]:
    return [{"sequence": i, "focal": False, "coverage": reference} for i, reference in enumerate(references, 1)]


C, D = {"reference": "Coverage/c"}, {"reference": "Coverage/d"}
NOT_KNOWN = "entry[7] Coverage: not understood: unknown code of Source of Payment Typology: type"
NOT_TAKEN = (
    "entry[2] Coverage: ignored: line of business: commercial; not stated for another plan: status, type, beneficiary"
)
OPEN: dict[str, tuple[Json, list[str]]] = {
    "a type that is not known": (claim(plan(), insurance=insured(C, D)), [NOT_TAKEN, NOT_KNOWN]),
    "one of all, where none is named": (orders(order(), plan()), [NOT_TAKEN.replace("[2]", "[1]"), NOT_KNOWN]),
    "a code that is not known": (claim(plan("d", "511", "139"), insurance=insured(C, D)), [NOT_TAKEN, NOT_KNOWN]),
    "a plan that is not there": (claim(insurance=insured(C, D)), [NOT_TAKEN]),
    "a plan that only an identifier names": (claim(insurance=insured(C, {"identifier": {"value": "x"}})), [NOT_TAKEN]),
    "a plan that is not valid": (
        claim(plan("d", "1", payor=None), insurance=insured(C, D)),
        [NOT_TAKEN, "entry[7] Coverage: not understood: not valid FHIR R4: payor is missing"],
    ),
    "one of all that is not valid": (
        orders(order(), plan("d", "1", payor=None)),
        [NOT_TAKEN.replace("[2]", "[1]"), "entry[7] Coverage: not understood: not valid FHIR R4: payor is missing"],
    ),
    "a period without a day": (
        claim(plan("d", "1", period={"end": "2026"}), insurance=insured(C, D)),
        [NOT_TAKEN, "entry[7] Coverage: not understood: no full date: period.end"],
    ),
}


@pytest.mark.parametrize("name", OPEN)
def test_no_line_of_business_is_taken_where_one_plan_leaves_it_open(read: Read, name: str) -> None:
    bundle, expected = OPEN[name]
    content = read(bundle)
    assert stated(content, CASE.lineOfBusiness) == []
    assert content.notices == (NOT_EVERY_PLAN,)
    assert notes(content, "Coverage") == expected


SKIPPED: dict[str, tuple[Json, str]] = {
    "cancelled": (plan("d", status="cancelled"), "its status is cancelled: status"),
    "ended": (plan("d", period={"end": "2026-06-30"}), "it ended before the service date: period"),
    "not yet begun": (plan("d", period={"start": "2026-07-02"}), "it begins after the service date: period"),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_a_plan_that_is_not_in_force_leaves_nothing_open(read: Read, name: str) -> None:
    other, expected = SKIPPED[name]
    content = read(claim(other, insurance=insured(C, D)))
    assert stated(content, CASE.lineOfBusiness) == ["Commercial"]
    assert (content.notices, notes(content, "Coverage")) == ((), [f"entry[7] Coverage: ignored: {expected}"])


@pytest.mark.parametrize(("start", "lines"), [("2026-07-01", ["Commercial"]), ("2026-07-02", [])])
def test_a_plan_begins_by_the_service_date(read: Read, start: str, lines: list[str]) -> None:
    bundle = claim()
    bundle["entry"][2]["resource"]["period"] = {"start": start}
    content = read(bundle)
    assert (stated(content, CASE.lineOfBusiness), content.notices) == (lines, ())


def test_a_plan_of_a_known_and_an_unknown_code_is_not_understood(read: Read) -> None:
    bundle = claim()
    bundle["entry"][2]["resource"]["type"] = concept(PLAN, "511", "139")
    content = read(bundle)
    assert (stated(content, CASE.lineOfBusiness), content.notices) == ([], ())
    assert notes(content, "Coverage") == [NOT_KNOWN.replace("[7]", "[2]")]


# ---------------------------------------------------------------------- what, and when


@pytest.mark.parametrize("other", ["38240", "38243"])
def test_where_items_request_different_services_no_code_decides(read: Read, other: str) -> None:
    content = read(claim(item=[item("38242", 1), item(other, 1, sequence=2)]))
    assert stated(content, CASE.service) == stated(content, CASE.procedureCode) == []
    assert content.notices == ("The service is stated differently by entry[0] Claim: none is used.",)
    text = "its items request different services, so none is stated: productOrService"
    assert notes(content, "Claim")[0] == f"entry[0] Claim: not understood: {text}"


def test_an_item_for_something_else_changes_no_service(read: Read) -> None:
    content = read(claim(item=[item("38242", 1), item("80053", 1, sequence=2)]))
    assert stated(content, CASE.service) == ["DonorLymphocyteInfusion"]
    assert (len(stated(content, CASE.procedureCode)), content.notices) == (2, ())


def linked(*requests: Json, **of_item: Any) -> Json:
    """The meeting bundle with an item that names these orders."""
    links = [
        {"url": REQUESTED, "valueReference": {"reference": f"ServiceRequest/{request['id']}"}} for request in requests
    ]
    asked = {**item("38242", 1), **of_item, "extension": links}
    return claim(*requests, item=[{name: value for name, value in asked.items() if value is not None}])


def relation(code: str) -> Json:
    return concept("http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship", code)


def update(**changes: Any) -> Json:
    """The claim of the meeting bundle again, as an update of it."""
    related = [{"claim": {"reference": "Claim/claim"}, "relationship": relation("prior")}]
    request: Json = claim()["entry"][0]["resource"]
    return request | {"id": "update", "related": related} | changes


NO_ORDER = "the request names an order that asks for nothing:"
SEND_ORDER = "send the order that is asked for"
LOCAL = {"coding": [{"system": "https://local.example", "code": "DLI"}]}
SEVERAL_DATES = "several service dates; send one bundle a date of service"
NO_REQUEST: dict[str, tuple[Json, str]] = {
    "two orders of which the codes are not known": (
        orders(order() | {"code": LOCAL}, order("s2") | {"code": LOCAL}),
        "2 requests; send one bundle a request",
    ),
    "orders of a claim on two days": (
        linked(order(), order("s2", day="2026-09-01"), servicedDate=None),
        SEVERAL_DATES,
    ),
    "an order on another day than its claim": (linked(order(day="2027-01-01")), SEVERAL_DATES),
    "an order that is withdrawn": (
        linked(order(status="revoked")),
        f"{NO_ORDER} entry[7] ServiceRequest: its status is revoked; {SEND_ORDER}",
    ),
    "an order not to do it": (
        linked(order(doNotPerform=True)),
        f"{NO_ORDER} entry[7] ServiceRequest: it asks that something is not done; {SEND_ORDER}",
    ),
    "an order that is not valid": (
        linked(order(extra=1)),
        f"{NO_ORDER} entry[7] ServiceRequest: not valid FHIR R4: an element that R4 does not have; {SEND_ORDER}",
    ),
    "an update that cancels": (
        claim(update(item=[{**item("38242", 1), "modifierExtension": [{"url": "http://x", "valueBoolean": True}]}])),
        f"{UNCLEAR}: entry[7] Claim: not understood: a modifier extension or implicit rules may change what it means; "
        f"{LEAVE_OUT}",
    ),
    "a claim that is not valid beside an order that is": (
        claim(order(), provider=None),
        f"{UNCLEAR}: entry[0] Claim: not understood: not valid FHIR R4: provider is missing; {LEAVE_OUT}",
    ),
    "an associated claim is another": (
        claim(update(related=[{"claim": {"reference": "Claim/claim"}, "relationship": relation("associated")}])),
        "2 requests; send one bundle a request",
    ),
    "an order that may be another service": (
        orders(order(), order("s2", extra=1)),
        f"{UNCLEAR}: entry[7] ServiceRequest: not understood: not valid FHIR R4: an element that R4 does not have; "
        f"{LEAVE_OUT}",
    ),
    **{
        f"a part of a date {where}": (
            bundle,
            f"no service date: {place}; give the request one full date of service",
        )
        for where, bundle, place in (
            (
                "of the item for the service",
                claim(item=[item("38242", 1, servicedDate="2026-07"), item("80053", 1, sequence=2)]),
                "entry[0] Claim: no full date: item[0].servicedDate",
            ),
            (
                "of an order",
                orders(order(day="2026-07")),
                "entry[6] ServiceRequest: no full date: occurrenceDateTime",
            ),
            (
                "of a timing",
                orders(order(day=None, occurrenceTiming={"event": ["2026-07"]})),
                "entry[6] ServiceRequest: no full date: occurrenceTiming.event",
            ),
        )
    },
    **{
        f"a timing {name}": (
            orders(order(day=None, occurrenceTiming=timing)),
            "no service date: entry[6] ServiceRequest: not exactly one date: occurrenceTiming; "
            "give the request one full date of service",
        )
        for name, timing in {
            "of two days": {"event": ["2026-07-01", "2026-07-08"]},
            "that repeats": {"event": ["2026-07-01"], "repeat": {"count": 2}},
            "by a code": {"code": {"text": "daily"}},
        }.items()
    },
    "a draft": (
        orders(order(status="draft")),
        f"no request: entry[6] ServiceRequest: it is a draft: its status is draft; {SEND_REQUEST}",
    ),
    "a claim that is not valid": (
        claim(provider=None),
        f"{UNCLEAR}: entry[0] Claim: not understood: not valid FHIR R4: provider is missing; {LEAVE_OUT}",
    ),
    "a claim that may mean something else": (
        claim(modifierExtension=[{"url": "http://x", "valueBoolean": True}]),
        f"{UNCLEAR}: entry[0] Claim: not understood: a modifier extension or implicit rules may change what it means; "
        f"{LEAVE_OUT}",
    ),
    "a claim that is none for preauthorization": (
        claim(use="claim"),
        f"no request: entry[0] Claim: it is no request for preauthorization; {SEND_REQUEST}",
    ),
    "nothing of the kind": (orders(), f"no request; {SEND_REQUEST}"),
    **{
        f"a {intent}": (
            orders(order(intent=intent)),
            f"no request: entry[6] ServiceRequest: it is a draft: its intent is {intent}; {SEND_REQUEST}",
        )
        for intent in ("proposal", "plan", "option")
    },
}


@pytest.mark.parametrize("name", NO_REQUEST)
def test_what_is_not_one_request_is_an_error_that_says_why(read: Read, name: str) -> None:
    bundle, expected = NO_REQUEST[name]
    with pytest.raises(UnreadableInput) as caught:
        read(bundle)
    assert str(caught.value) == f"in.json: {expected}"


def test_orders_that_are_none_leave_the_one_that_is(read: Read) -> None:
    content = read(orders(order(), order("s2", status="draft"), order("s3", intent="plan")))
    assert stated(content, CASE.service) == ["DonorLymphocyteInfusion"]
    assert notes(content, "ServiceRequest") == [
        "entry[7] ServiceRequest: ignored: it is a draft: its status is draft: status",
        "entry[8] ServiceRequest: ignored: it is a draft: its intent is plan: intent",
    ]


def test_orders_of_a_claim_on_its_day_are_read(read: Read) -> None:
    assert stated(read(linked(order(), order("s2"))), CASE.serviceDate) == ["2026-07-01"]


@pytest.mark.parametrize(
    ("bundle", "days"),
    [
        # An item for something else has no say.
        (claim(item=[item("38242", 1), item("80053", 1, sequence=2, servicedDate="2026-06-05")]), ["2026-07-01"]),
        (claim(item=[item("38242", 1), item("80053", 1, sequence=2, servicedDate="2026-06")]), ["2026-07-01"]),
        (claim(item=[undated("38242")], billablePeriod={"start": "2026-07-02"}), ["2026-07-02"]),
        (claim(item=[undated("38242")], supportingInfo=[event(timingDate="2026-07-03")]), ["2026-07-03"]),
        (claim(item=[undated("38242")], supportingInfo=[event(timingPeriod={"start": "2026-07-04"})]), ["2026-07-04"]),
        (orders(order(day=None, occurrenceTiming={"event": ["2026-07-05T08:00:00Z"]})), ["2026-07-05"]),
    ],
)
def test_the_service_date_is_that_of_the_service(read: Read, bundle: Json, days: list[str]) -> None:
    assert stated(read(bundle), CASE.serviceDate) == days


def test_an_update_replaces_the_claim_before_it(read: Read) -> None:
    content = read(claim(update(item=[item("38242", 1, servicedDate="2026-07-02")])))
    assert stated(content, CASE.serviceDate) == ["2026-07-02"]
    assert "entry[0] Claim: ignored: replaced by entry[7] Claim" in notes(content, "Claim")


@pytest.mark.parametrize("code", ["57021-8", "718-7"])
def test_an_order_of_what_is_measured_is_no_request(read: Read, code: str) -> None:
    lab = order("lab", day="2026-06-25", code="x") | {"code": concept("http://loinc.org", code)}
    content = read(orders(order(), lab))
    assert stated(content, CASE.service) == ["DonorLymphocyteInfusion"]
    assert notes(content, "ServiceRequest") == [
        "entry[7] ServiceRequest: ignored: another request is the one that is decided"
    ]


def test_a_medicare_plan_that_is_not_named_is_told(read: Read) -> None:
    notice = "entry[7] Coverage is a Medicare plan of the patient, and the request names another."
    assert read(claim(plan("d", "1"))).notices == (notice,)
    assert read(claim(plan("d", "1", status="cancelled"))).notices == ()
    assert read(claim(plan("d", "511"))).notices == ()


MAY_BE_MEDICARE = "entry[7] Coverage may be a Medicare plan of the patient, and the request names another."


@pytest.mark.parametrize(
    "unread",
    [
        {"period": {"start": "2020"}},
        {"status": "draft"},
        {"type": concept(PLAN, "1", "x")},
        {"type": concept("urn:local", "1")},
        {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]},
        {"order": "first"},
    ],
)
def test_a_plan_that_cannot_be_read_may_be_medicare_beside_medicaid(read: Read, unread: Json) -> None:
    medicaid = plan("m", "21")
    content = read(claim(medicaid | {"id": "named"}, insurance=insured({"reference": "Coverage/named"})))
    assert (stated(content, CASE.lineOfBusiness), content.notices) == (["Medicaid"], ())
    second = read(
        claim(plan("d", "1") | unread, medicaid | {"id": "named"}, insurance=insured({"reference": "Coverage/named"}))
    )
    assert stated(second, CASE.lineOfBusiness) == []
    assert MAY_BE_MEDICARE in second.notices
    commercial = read(claim(plan("d", "1") | unread))
    assert stated(commercial, CASE.lineOfBusiness) == ["Commercial"]
    ended = read(
        claim(
            plan("d", "1", period={"end": "2025-01-01"}),
            medicaid | {"id": "named"},
            insurance=insured({"reference": "Coverage/named"}),
        )
    )
    assert stated(ended, CASE.lineOfBusiness) == ["Medicaid"]


def test_details_of_an_item_name_services_too(read: Read) -> None:
    detail = {"sequence": 1, "productOrService": concept(CPT, "38242")}
    unnamed = item() | {"productOrService": {"text": "a package"}}
    assert stated(read(claim(item=[unnamed | {"detail": [detail]}])), CASE.service) == ["DonorLymphocyteInfusion"]
    deep = unnamed | {"detail": [{"sequence": 1, "productOrService": {"text": "x"}, "subDetail": [detail]}]}
    assert stated(read(claim(item=[deep])), CASE.service) == ["DonorLymphocyteInfusion"]
    differs = read(claim(item=[item("38240") | {"detail": [detail]}]))
    assert stated(differs, CASE.service) == []
    assert stated(differs, CASE.procedureCode) == []


def test_the_one_request_that_names_a_service_is_the_one_decided(read: Read) -> None:
    count = order("s2") | {"code": concept(CPT, "85025")}
    in_words = order("s3") | {"code": {"text": "see again in a week"}}
    content = read(orders(count, order(), in_words))
    assert stated(content, CASE.service) == ["DonorLymphocyteInfusion"]
    others = ["entry[6] ServiceRequest", "entry[8] ServiceRequest"]
    assert content.notices == tuple(f"{other} is another request, and not the one that is decided." for other in others)
    scan = update(item=[item("70553")], related=[])
    assert stated(read(claim(scan)), CASE.procedureCode) == ["38242"]


@pytest.mark.parametrize(
    ("use", "refused"), [("claim", False), ("predetermination", False), ("preauthorization", True)]
)
def test_only_an_unclear_claim_that_may_ask_is_refused(read: Read, use: str, refused: bool) -> None:
    unclear = update(use=use, related=[], modifierExtension=[{"url": "urn:x", "valueBoolean": True}])
    if refused:
        with pytest.raises(UnreadableInput, match=UNCLEAR):
            read(claim(unclear))
    else:
        assert stated(read(claim(unclear)), CASE.service) == ["DonorLymphocyteInfusion"]


# ---------------------------------------------------------------------- requests that do not stand

PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
NO_ORDER_REVIVES = "and no order revives it"


def certified(code: str, system: str = "https://codesystem.x12.org/005010/1322") -> Json:
    return {"url": f"{PAS}extension-certificationType", "valueCodeableConcept": concept(system, code)}


def flagged(*codes: Any, value: bool = True, **changes: Any) -> Json:
    """An item as an update resends it when it is no longer asked for."""
    flag = {"url": f"{PAS}modifierextension-infoCancelled", "valueBoolean": value}
    return item(*codes, modifierExtension=[flag], **changes)


def prior(id_: str = "claim") -> list[Json]:
    return [{"claim": {"reference": f"Claim/{id_}"}, "relationship": relation("prior")}]


CANCELLED = "its certification type is cancel"
DOES_NOT_STAND: dict[str, tuple[Json, str]] = {
    "a claim whose item is cancelled": (
        claim(item=[item("38242", 1, extension=[certified("3")])]),
        f"no request: entry[0] Claim: {CANCELLED}; {SEND_REQUEST}",
    ),
    "a claim whose item is cancelled, by the older URI": (
        claim(item=[item("38242", 1, extension=[certified("3", "http://codesystem.x12.org/005010/1322")])]),
        f"no request: entry[0] Claim: {CANCELLED}; {SEND_REQUEST}",
    ),
    "a claim that is cancelled as a whole": (
        claim(extension=[certified("3")]),
        f"no request: entry[0] Claim: {CANCELLED}; {SEND_REQUEST}",
    ),
    "a claim of which only the item for something else stands": (
        claim(item=[item("38242", 1, extension=[certified("3")]), item("80053", 1, sequence=2)]),
        f"no request: entry[0] Claim: {CANCELLED}; {SEND_REQUEST}",
    ),
    "a claim whose item is flagged as cancelled": (
        claim(item=[flagged("38242", 1)]),
        f"no request: entry[0] Claim: its item is flagged as cancelled; {SEND_REQUEST}",
    ),
    "an order beside a claim whose item for it is flagged as cancelled": (
        claim(order(), item=[flagged("38242", 1), item("80053", 1, sequence=2)]),
        f"no request: entry[0] Claim: its item is flagged as cancelled, {NO_ORDER_REVIVES}; {SEND_REQUEST}",
    ),
    "an item that is flagged as cancelled and as something else": (
        claim(item=[item("38242", 1, modifierExtension=[*flagged()["modifierExtension"], {"url": "urn:x"}])]),
        f"{UNCLEAR}: entry[0] Claim: not understood: a modifier extension or implicit rules may change what it means; "
        f"{LEAVE_OUT}",
    ),
    "a claim of a certification type that is not known": (
        claim(item=[item("38242", 1, extension=[certified("9")])]),
        f"{UNCLEAR}: entry[0] Claim: not understood: unknown certification type: "
        f"item[0].extension[0].valueCodeableConcept; {LEAVE_OUT}",
    ),
    "a certification type of another system": (
        claim(item=[item("38242", 1, extension=[certified("I", "urn:x")])]),
        f"{UNCLEAR}: entry[0] Claim: not understood: unknown certification type: "
        f"item[0].extension[0].valueCodeableConcept; {LEAVE_OUT}",
    ),
    **{
        f"an order beside a claim that is {name}": (
            claim(order(), **changes),
            f"no request: entry[0] Claim: {why}, {NO_ORDER_REVIVES}; {SEND_REQUEST}",
        )
        for name, changes, why in (
            ("cancelled", {"status": "cancelled"}, "its status is cancelled"),
            ("in error", {"status": "entered-in-error"}, "its status is entered-in-error"),
            ("cancelled by PAS", {"extension": [certified("3")]}, CANCELLED),
            (
                "an inquiry",
                {"meta": {"profile": [f"{PAS}profile-claim-inquiry|2.1.0"]}},
                "it is an inquiry about an earlier request",
            ),
            (
                "cancelled, for a service in words",
                {"status": "cancelled", "item": [item() | {"productOrService": {"text": "DLI"}}]},
                "its status is cancelled",
            ),
        )
    },
    "an inquiry": (
        claim(meta={"profile": [f"{PAS}profile-claim-inquiry"]}),
        f"no request: entry[0] Claim: it is an inquiry about an earlier request; {SEND_REQUEST}",
    ),
    "a bundle for an inquiry": (
        claim() | {"meta": {"profile": [f"{PAS}profile-pas-inquiry-request-bundle"]}},
        "an inquiry about an earlier request, and no request; send the request itself",
    ),
    "a claim that was cancelled by a later one": (
        claim(update(related=prior(), status="cancelled")),
        f"no request: entry[0] Claim: replaced by entry[7] Claim; {SEND_REQUEST}",
    ),
    "a claim that PAS cancels by a later one": (
        claim(update(related=prior(), extension=[certified("3")])),
        f"no request: entry[0] Claim: replaced by entry[7] Claim; {SEND_REQUEST}",
    ),
    "an order beside a claim that was cancelled by a later one": (
        claim(order(), update(related=prior(), status="cancelled")),
        f"no request: entry[0] Claim: replaced by entry[8] Claim, {NO_ORDER_REVIVES}; {SEND_REQUEST}",
    ),
    "an order that was replaced by one that was withdrawn": (
        orders(order(), order("s2", status="revoked", replaces=[{"reference": "ServiceRequest/s1"}])),
        f"no request: entry[6] ServiceRequest: replaced by entry[7] ServiceRequest; {SEND_REQUEST}",
    ),
    "a claim that is a draft": (
        claim(status="draft"),
        f"no request: entry[0] Claim: it is a draft: its status is draft; {SEND_REQUEST}",
    ),
    "a document in error": (
        {
            **claim(),
            "type": "document",
            "entry": [{"resource": {"resourceType": "Composition", "status": "entered-in-error"}}, *claim()["entry"]],
        },
        "a document entered in error; send the one that replaces it",
    ),
}


@pytest.mark.parametrize("name", DOES_NOT_STAND)
def test_where_no_request_stands_there_is_no_determination(read: Read, name: str) -> None:
    bundle, expected = DOES_NOT_STAND[name]
    with pytest.raises(UnreadableInput) as caught:
        read(bundle)
    assert str(caught.value) == f"in.json: {expected}"


@pytest.mark.parametrize("name", ["a claim whose item is cancelled", "a document in error", "an inquiry"])
def test_a_request_that_does_not_stand_ends_in_2(run_kb: Any, tmp_path: Path, name: str) -> None:
    bundle, expected = DOES_NOT_STAND[name]
    (tmp_path / "case.json").write_text(json.dumps(bundle), encoding="utf-8")
    ended = run_kb("validate", "case.json", "--revision", "2026-02")
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"kb: case.json: {expected}\n")


@pytest.mark.parametrize(
    "bundle",
    [
        *(claim(item=[item("38242", 1, extension=[certified(code)])]) for code in ("I", "R", "S", "1", "4")),
        # An item for something else that is cancelled.
        claim(item=[item("38242", 1), item("80053", 1, sequence=2, extension=[certified("3")])]),
        # An item of which it is said that it is not cancelled; and one that is, beside one that is asked for.
        claim(item=[flagged("38242", 1, value=False)]),
        claim(item=[flagged("38242", 1, servicedDate="2026-06-01"), item("38242", 1, sequence=2)]),
        claim(item=[item("38242", 1, servicedDate="2026-06-01", extension=[certified("3")]), item("38242", 1)]),
        # An order beside a claim that was withdrawn for something else, or that is no request.
        claim(order(), status="cancelled", item=[item("70553", 1)]),
        claim(order(), status="cancelled", use="claim"),
        claim(order(), status="draft"),
        # What replaces nothing now: a draft, and what was entered in error.
        claim(update(related=prior(), status="draft")),
        claim(update(related=prior(), status="entered-in-error")),
        # The later one of two stands.
        orders(order(day="2026-06-05"), order("s2", replaces=[{"reference": "ServiceRequest/s1"}])),
    ],
)
def test_a_request_that_stands_is_decided(read: Read, bundle: Json) -> None:
    content = read(bundle)
    assert stated(content, CASE.serviceDate) == ["2026-07-01"]
    assert stated(content, CASE.service) == ["DonorLymphocyteInfusion"]


def test_an_item_that_is_cancelled_is_not_read(read: Read) -> None:
    kept = item("38242", 1, servicedDate="2026-07-08", sequence=2)
    content = read(claim(order(), item=[flagged("70553", 1, servicedDate="2026-07-01"), kept]))
    assert stated(content, CASE.serviceDate) == ["2026-07-08"]
    assert stated(content, CASE.procedureCode) == ["38242"]
    assert "entry[0] Claim: ignored: it is cancelled: item[0]" in notes(content, "Claim")


def test_the_parameters_of_an_operation_hold_the_bundle(read: Read) -> None:
    held: Json = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": claim()}]}
    assert notes(read(held), "Claim") == notes(read(claim()), "Claim") != []
    for other in ([], held["parameter"] * 2, [{"name": "other", "resource": claim()}], [held]):
        with pytest.raises(UnreadableInput, match="Parameters are not read; send the Bundle that they hold"):
            read({"resourceType": "Parameters", "parameter": other})


def test_a_preliminary_document_is_told(read: Read) -> None:
    bundle = claim()
    composition = {"resourceType": "Composition", "status": "preliminary"}
    bundle |= {"type": "document", "entry": [{"resource": composition}, *bundle["entry"]]}
    assert read(bundle).notices == ("The document is preliminary.",)


# ---------------------------------------------------------------------- the reason in words, and near misses


@pytest.mark.parametrize("beside", [{"reasonReference": [{"reference": "Condition/aml"}]}, {}])
def test_a_reason_in_words_takes_nothing_from_one_by_code(read: Read, beside: Json) -> None:
    words = {"text": "Treat relapse"}
    coded = [] if beside else [concept(ICD, "C92.02")]
    content = read(orders(order(reasonCode=[words, *coded], **beside)))
    assert stated(content, CASE.reason) == AML
    note = "ignored: a reason in words, beside one by code or reference: reasonCode[0]"
    assert notes(content, "ServiceRequest")[0] == f"entry[6] ServiceRequest: {note}"


def test_a_reason_in_words_alone_is_none(read: Read) -> None:
    content = read(orders(order(reasonCode=[{"text": "AML"}, {"text": "relapse"}])))
    assert stated(content, CASE.reason) == []
    assert notes(content, "ServiceRequest") == [
        f"entry[6] ServiceRequest: not understood: no code: reasonCode[{i}]" for i in (0, 1)
    ]


DOT = "ICD-10-CM C92.02 may be meant, without its dot: write C92.02"


def test_how_to_write_the_reason_is_told(read: Read) -> None:
    content = read(claim(diagnosis=[diagnosis(1, "C9202")]))
    assert stated(content, CASE.reason) == []
    assert content.notices == (f"entry[0] Claim: {DOT}.",)
    assert notes(content, "Claim") == [f"entry[0] Claim: not understood: {DOT}: diagnosis[0].{CODED}"]


def test_one_slip_in_many_places_is_one_notice(read: Read) -> None:
    slip = {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "code": concept(ICD, "I1O", "C9202")}
    content = read(claim(*[slip] * 4, diagnosis=[diagnosis(1, "C9202")]))
    places = "entry[0] Claim, entry[7] Condition, entry[8] Condition and 2 more"
    assert [notice for notice in content.notices if "may be meant" in notice] == [f"{places}: {DOT}."]


def test_how_to_write_the_service_and_the_plan_is_told(read: Read) -> None:
    bundle = claim(item=[item() | {"productOrService": concept(f"{CPT}/", "38242")}])
    bundle["entry"][2]["resource"]["type"] = {"coding": [{"code": "511"}]}
    content = read(bundle)
    assert stated(content, CASE.service) == stated(content, CASE.lineOfBusiness) == []
    assert content.notices == (
        f"entry[0] Claim: CPT 38242 may be meant, under the URI of another system: give the system {CPT}.",
        f"entry[2] Coverage: Source of Payment Typology 511 may be meant, without a system: give the system {PLAN}.",
    )


# ---------------------------------------------------------------------- a package, and what is no malignancy

HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"


def test_a_package_leaves_the_service_open(read: Read) -> None:
    package = order() | {"code": concept(HCPCS, "S2150")}
    count = order("s2") | {"code": concept(CPT, "85025")}
    for bundle in (
        claim(item=[item("x", 1) | {"productOrService": concept(HCPCS, "S2150")}]),
        orders(package),
        orders(package, count),
    ):
        content = read(bundle)
        assert stated(content, CASE.service) == []
        assert stated(content, CASE.procedureCode) == ["S2150"]
