"""PR.8, a made-up policy that reads kinds of products: a device, a drug with its dose, a site, and one of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pr8 import line, of, read
from rdflib.namespace import RDF

from kb_tools.batch.rows import RowMaker, values_of
from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.digest import digest
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.examples import run_manifest
from kb_tools.determine.locality import faults
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import KbError
from kb_tools.model.history import Selection
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.files import TURTLE, parse
from kb_tools.rdf.namespaces import BASE, CASE, CLIN
from kb_tools.rdf.terms import graph_of

HOLDS, FAILS, UNKNOWN = Value.HOLDS, Value.FAILS, Value.UNKNOWN
DEVICE, DRUG, CATHETER = "device-is-infusion-pump", "drug-is-exemplumab", "catheter-of-20-cm-or-more"
DOSE, INPATIENT = "dose-of-300-mg-or-less", "site-is-inpatient-hospital"
MET, NOT_MET, NEEDED = "CriteriaMet", "CriteriaNotMet", "InformationNeeded"
# Beside what is tried, a case meets the criteria.
REST = [
    of("Device", deviceType="InfusionPump"),
    of("Drug", substance="Exemplumab", dose=250),
    of("Catheter", catheterLength=30),
    of("SiteOfService", site="Home"),
]


def drug(**dose: Any) -> dict[str, Any]:
    return of("Drug", substance="Exemplumab", **dose)


# What is stated in place of the rest, the values of conditions, and the outcome.
TRIED: list[tuple[dict[str, Any], dict[str, Value], str]] = [
    # A concept, one under it, another, and none stated.
    (of("Device", deviceType="InfusionPump"), {DEVICE: HOLDS}, MET),
    (of("Device", deviceType="PatchPump"), {DEVICE: HOLDS}, MET),
    (of("Device", deviceType="OtherDevice"), {DEVICE: FAILS}, NOT_MET),
    (of("Device"), {DEVICE: UNKNOWN}, NEEDED),
    # A dose on each side of its limit, in other units, and by bounds.
    (drug(dose=299.999), {DOSE: HOLDS, DRUG: HOLDS}, MET),
    (drug(dose=300), {DOSE: HOLDS}, MET),
    (drug(dose=300.001), {DOSE: FAILS}, NOT_MET),
    (drug(dose="0.3 g"), {DOSE: HOLDS}, MET),
    (drug(dose="300001 ug"), {DOSE: FAILS}, NOT_MET),
    (drug(doseAtMost=300), {DOSE: HOLDS}, MET),
    (drug(doseAtMost=301), {DOSE: UNKNOWN}, NEEDED),
    (drug(doseAtLeast=300), {DOSE: UNKNOWN}, NEEDED),
    (drug(doseAtLeast=301), {DOSE: FAILS}, NOT_MET),
    (drug(doseAtLeast=200, doseAtMost=300), {DOSE: HOLDS}, MET),
    (drug(doseByWeight=3), {DOSE: UNKNOWN, DRUG: HOLDS}, NEEDED),
    (of("Drug", dose=300), {DOSE: HOLDS, DRUG: UNKNOWN}, NEEDED),
    (of("Drug", substance="OtherSubstance", dose=300), {DOSE: HOLDS, DRUG: FAILS}, NOT_MET),
    # A length of the policy's own kind.
    (of("Catheter", catheterLength=19.9), {CATHETER: FAILS}, NOT_MET),
    (of("Catheter", catheterLength=20), {CATHETER: HOLDS}, MET),
    (of("Catheter", catheterLength="200 mm"), {CATHETER: HOLDS}, MET),
    (of("Catheter", catheterLengthAtLeast=20), {CATHETER: HOLDS}, MET),
    (of("Catheter", catheterLengthAtLeast=19), {CATHETER: UNKNOWN}, NEEDED),
    # A site.
    (of("SiteOfService", site="InpatientHospital"), {INPATIENT: HOLDS}, NOT_MET),
    (of("SiteOfService", site="OffCampusOutpatientHospital"), {INPATIENT: FAILS}, MET),
    (of("SiteOfService"), {INPATIENT: UNKNOWN}, NEEDED),
]  # fmt: skip


def beside(tried: dict[str, Any]) -> list[dict[str, Any]]:
    return [tried, *(one for one in REST if one["type"] != tried["type"])]


LINES = [line(number, beside(tried)) for number, (tried, _, _) in enumerate(TRIED)]
# And each kind left out: what is not stated is unknown.
WITHOUT = [line(100 + number, [one for one in REST if one is not left_out]) for number, left_out in enumerate(REST)]


@pytest.fixture(scope="module")
def run(with_pr8: Repository) -> Run:
    return Run(with_pr8, with_pr8.policy("PR.8"), "pyshifty", "2024-01")


def determined(run: Run, lines: list[bytes]) -> list[Determination]:
    cases = [case for case in read(run.kb, lines) if isinstance(case, Case)]
    found = [answer for answer in run.answers(cases) if isinstance(answer, Determination)]
    assert len(found) == len(lines)
    return found


@pytest.fixture(scope="module")
def answers(run: Run) -> list[Determination]:
    return determined(run, LINES)


def values_in(answer: Determination) -> dict[str, Value]:
    return {iri.partition("#")[2]: result.value for iri, result in answer.condition_results.items()}


def test_each_value_on_each_side_of_each_boundary_is_what_it_is_to_be(answers: list[Determination]) -> None:
    for answer, (tried, values, outcome) in zip(answers, TRIED, strict=True):
        got = values_in(answer)
        assert ({name: got[name] for name in values}, answer.outcome.value) == (values, outcome), tried


def test_what_is_not_stated_is_unknown_and_asked_for(run: Run) -> None:
    asked = [{iri.partition("#")[2] for iri in answer.to_send} for answer in determined(run, WITHOUT)]
    assert asked == [{DEVICE}, {DRUG, DOSE}, {CATHETER}, {INPATIENT}]


def test_an_answer_tells_of_a_product_what_a_condition_looks_at(run: Run, answers: list[Determination]) -> None:
    held = answers[5].condition_results
    facts = {iri.partition("#")[2]: [fact.text for fact in result.facts] for iri, result in held.items()}
    assert (facts[DOSE], facts[DRUG]) == (["dose: 300 mg"], ["substance: exemplumab"])
    bare, by_weight = determined(run, [line(0, of("Device")), line(1, beside(drug(doseByWeight=3)))])
    assert bare.because == (
        "indication I and exclusion III are open: the case states no device type, no substance, no dose, "
        "no catheter length and no site"
    )
    assert by_weight.because == "indication I is open: the case states no dose"


def test_engines_rows_and_exported_shapes_agree(run: Run, answers: list[Determination]) -> None:
    kb = run.kb
    revision = Revision.load(run.policy, run.policy.entry("2024-01"))
    cases = [answer.case for answer in answers]
    other = Determiner(kb, revision, "pyshacl").determine(cases)
    assert [values_in(answer) for answer in other] == [values_in(answer) for answer in answers]
    maker = RowMaker(run)
    order = [one.iri for one in maker.sight(Selection(revision.entry, ())).conditions]
    for row, answer in zip(maker.of_lines(LINES), answers, strict=True):
        assert {iri: values_of(code)[0] for iri, code in zip(order, row.values, strict=True)} == {
            iri: result.value.value for iri, result in answer.condition_results.items()
        }
    data = prepared(kb, cases, derived=False)
    results = shacl.validate(data, graph_of(self_contained(kb, revision)), "pyshifty", rules=True)
    shapes = {result.focus: result.shape.removeprefix(f"{BASE}PR.8/2024-01/outcome/") for result in results}
    named = {MET: "", NOT_MET: NOT_MET, NEEDED: "Undetermined"}
    assert [shapes.get(case.iri, "") for case in cases] == [named[outcome] for _, _, outcome in TRIED]


def test_numbers_of_products_that_no_shape_tells_apart_are_learned_once(run: Run) -> None:
    maker = RowMaker(run)
    lines = [line(number, beside(drug(dose=number / 4))) for number in range(1, 1_300)]
    rows = list(maker.of_lines(lines))
    assert {row.outcome for row in rows[:1_200]} == {MET}
    assert {row.outcome for row in rows[1_200:]} == {NOT_MET}
    sight = maker.sight(Selection(run.policy.entry("2024-01"), ()))
    assert len(sight) < 100
    assert [rows[number] for number in (1_199, 1_200)] == maker._by_reference(
        [lines[number] for number in (1_199, 1_200)]
    )


def test_conditions_may_read_the_service_in_different_ways(with_pr8: Repository) -> None:
    assert faults(with_pr8) == ()
    path = with_pr8.root / "policies/PR.8/2024-01/criteria.ttl"
    text = path.read_text(encoding="utf-8")
    reading = "pol:anyOf ( procond:site-is-inpatient-hospital <https://w3id.org/policykb/condition#service-is-dli> )"
    both = text.replace("pol:allOf ( procond:site-is-inpatient-hospital )", reading)
    kb = with_pr8.instead(path, parse(both.encode(), TURTLE, str(path)))
    maker = RowMaker(Run(kb, kb.policy("PR.8"), "pyshifty", "2024-01"))
    assert maker.local and both != text
    requests = [
        {**service, **codes, "serviceDate": "2026-07-01", "product": products}
        for service in ({}, {"service": "PumpInfusion"}, {"service": "DonorLymphocyteInfusion"})
        for codes in ({}, {"procedureCodes": ["cpt:38242"]}, {"procedureCodes": ["cpt:38240"]})
        for products in (REST, REST[:3])
    ]
    lines = [json.dumps({"patient": "p", "request": request}).encode() for request in requests]
    rows = list(maker.of_lines(lines))
    assert rows == maker._by_reference(lines)
    assert sorted({row.outcome for row in rows}) == [MET, "InformationConflicting", NEEDED, "PolicyNotApplicable"]


def test_a_product_is_one_object_or_one_of_each_kind(with_pr8: Repository) -> None:
    alone, listed = (line(0, products) for products in (REST[0], [REST[0]]))
    one, same = (case for case in read(with_pr8, [alone, listed]) if isinstance(case, Case))
    assert [digest(case.node, case.about) for case in (one, same)] == [digest(one.node, one.about)] * 2
    assert sum(pair == (RDF.type, CLIN.Device) for pairs in one.about.values() for pair in pairs) == 1


REFUSED: list[tuple[Any, str]] = [
    ({"deviceType": "PatchPump"},
     'request.product: unknown key "deviceType"; it is of a Device: give the object "type": "Device"'),
    (of("Devise"), 'request.product.type: "Devise" is not a value of this key; did you mean Device?'),
    ([of("Drug", dose="3 mL")], "request.product[0].dose: mL is no unit of what mg measures; state it in mg"),
    ([of("Drug", dose="3 [iU]")], "request.product[0].dose: [iU] is no unit of what mg measures; state it in mg"),
    (of("Drug", site="Home"), 'request.product: unknown key "site"; known keys: '
     "type, substance, dose, doseAtLeast, doseAtMost, doseByWeight, doseByWeightAtLeast, doseByWeightAtMost, "
     "daysBetweenDoses, daysBetweenDosesAtLeast, daysBetweenDosesAtMost"),
]  # fmt: skip


def test_what_is_no_product_is_refused_in_one_line(with_pr8: Repository) -> None:
    found = read(with_pr8, [line(0, products) for products, _ in REFUSED])
    assert [str(one).partition(": ")[2] for one in found if isinstance(one, KbError)] == [said for _, said in REFUSED]


MALFORMED: list[tuple[Any, list[tuple[str, str]]]] = [
    ([of("Device", deviceType="PatchPump"), of("Device", deviceType="OtherDevice")],
     [("shape:Request-product-Device",
       "Of the kind Device, state one product at most: each request is a case of its own.")]),
    (of("Drug", dose=300, doseAtMost=300),
     [("shape:Drug-doseExactOrBounds", "State the dose in mg exactly or by bounds, not both.")]),
    (of("Drug", dose=-1), [("shape:Drug-dose", "State clin:dose at most once, as a number from 0 to 1000000.")]),
    (of("Drug", doseAtLeast=3, doseAtMost=2),
     [("shape:Drug-doseAtLeast",
       "State clin:doseAtLeast at most once, as a number from 0 to 1000000, not above the upper bound.")]),
]  # fmt: skip


@pytest.mark.parametrize("engine", [pytest.param("pyshacl", marks=pytest.mark.extended), "pyshifty"])
@pytest.mark.parametrize("by_parts", [False, True])
def test_what_breaks_a_shape_of_products_is_malformed(with_pr8: Repository, engine: str, by_parts: bool) -> None:
    cases = [one for one in read(with_pr8, [line(0, said) for said, _ in MALFORMED]) if isinstance(one, Case)]
    found = CaseChecker(with_pr8, engine, by_parts).check(cases)
    broken = [one.violations for one in found if isinstance(one, Malformed)]
    assert [[(violation.shape, violation.message) for violation in of_case] for of_case in broken] == [
        expected for _, expected in MALFORMED
    ]


def test_the_examples_come_to_what_they_must(with_pr8: Repository) -> None:
    assert [one.differences for one in run_manifest(with_pr8, with_pr8.policy("PR.8"), "pyshifty")] == [()] * 4


@pytest.mark.parametrize("engine", ["pyshifty", "pyshacl"])
def test_what_is_no_product_breaks_the_case_that_states_it_and_no_other(
    kb: Repository, tmp_path: Path, engine: str
) -> None:
    """A literal that reads as the number of a case is no node of that case."""
    stated = "a case:Case ; case:patient :p ; case:coverage [ a case:Coverage ] ;"
    request = 'case:request [ a case:Request ; case:serviceDate "2026-07-01"^^xsd:date'
    text = f"""PREFIX : <https://example.org/c#>
PREFIX case: <{CASE}>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
:a {stated} {request} ] .
:b {stated} {request} ; case:product "0" ] .
:c {stated} {request} ; case:product "1" ] .
"""
    path = tmp_path / "cases.ttl"
    path.write_text(text, encoding="utf-8")
    checked = list(CaseChecker(kb, engine).check(CaseReader(kb).read(path.name, path)))
    message = "Give the product exactly one of the kinds: Product, Device, Drug, SiteOfService."
    assert [isinstance(one, Malformed) and {found.message for found in one.violations} for one in checked] == [
        False,
        {message},
        {message},
    ]
