"""What conditions read of a case, and their values: as the design's tables say, and as the whole case has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import TypeAlias

import oracle
import pytest
from hypothesis import given
from installed import FAST
from rdflib import Graph, URIRef
from rdflib.namespace import RDF
from small_cases import every_condition
from strategies import FINDINGS, VOCABULARY, Finding, Picture, batches, differing, examples, read

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.determine.evaluate import Evaluator, finding_class, predicates_in_paths
from kb_tools.model.certainty import Form, in_form, value_of
from kb_tools.model.concepts import concept_facts
from kb_tools.model.logic import Value
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.statements import Condition
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, COND, SH
from kb_tools.rdf.terms import graph_of

# Of each condition the value, and the value that it perhaps has.
Both: TypeAlias = dict[str, tuple[Value, Value]]


def of_possible(condition: Condition) -> set[Value]:
    return {Value[name.upper()] for name in condition.possible}


@cache
def checker(engine: str) -> CaseChecker:
    return CaseChecker(VOCABULARY, engine)


def checked(pictures: Sequence[Picture], engine: str) -> list[Case]:
    """The cases with what counts of them derived; that none is malformed is asserted."""
    answers = checker(engine).check(read(pictures))
    assert [answer.violations for answer in answers if isinstance(answer, Malformed)] == []
    return [answer for answer in answers if isinstance(answer, Case)]


@cache
def evaluator(engine: str) -> Evaluator:
    return Evaluator(VOCABULARY, every_condition(), engine)


def evaluated(cases: Sequence[Case], engine: str) -> list[Both]:
    found = evaluator(engine).evaluate(cases)
    return [{iri.removeprefix(COND): (one.value, one.perhaps) for iri, one in evidence.items()} for evidence in found]


# ---------------------------------------------------------------------- as the oracle reads the design


def designed(picture: Picture) -> Both:
    """The value of every condition and the one that it perhaps has, by the tables of the design."""
    return {name: (Value(value), Value(perhaps)) for name, (value, perhaps) in oracle.values(picture).items()}


def test_every_condition_has_the_value_that_the_design_gives_it() -> None:
    """Whole cases at random; every small set of findings of one class is tried in test_doubt.py."""
    seen: dict[str, set[tuple[Value, Value]]] = defaultdict(set)

    @given(batches(20))
    @examples(28, shrink=False)
    def compared(pictures: list[Picture]) -> None:
        found = evaluated(checked(pictures, FAST), FAST)
        assert len(found) == 20
        assert differing(pictures, found, [designed(picture) for picture in pictures]) == []
        for values in found:
            for name, pair in values.items():
                seen[name].add(pair)

    compared()
    # The random cases are worth something only if they bring every condition to every value that it can take, and to
    # a doubt if it can be in doubt.
    settled = {name: {value for value, perhaps in pairs if value is perhaps} for name, pairs in seen.items()}
    assert settled == {condition.iri.removeprefix(COND): of_possible(condition) for condition in every_condition()}
    doubtful = {name: {perhaps for value, perhaps in pairs if value is not perhaps} for name, pairs in seen.items()}
    assert {value for pairs in seen.values() for value, perhaps in pairs if value is not perhaps} == {Value.UNKNOWN}
    assert {name for name, perhaps in doubtful.items() if perhaps} - OF_ABSENCES == IN_DOUBT
    assert set().union(*doubtful.values()) == {Value.HOLDS, Value.FAILS, Value.CONFLICTING}


# The conditions that a doubt can keep unknown.
IN_DOUBT = {
    "acute-gvhd-of-grade-2-or-higher",
    "chimerism-is-full",
    "chimerism-is-mixed",
    "chronic-gvhd-is-present",
    "disease-is-relapsed",
    "disease-relapsed-refractory-or-progressing",
    "mrd-is-detected",
    "relapse-risk-is-raised",
}
# Of transplants and infusions only that there was none can be in doubt: too rare here, and tried in test_doubt.py.
OF_ABSENCES = {"after-allogeneic-transplant", "earlier-dli-was-given"}


def test_random_findings_can_state_all_that_the_case_shapes_let_a_finding_state() -> None:
    shapes = VOCABULARY.case_shapes

    def allowed(kind: str) -> set[str]:
        prefix, name = kind.split(":")
        class_ = URIRef(VOCABULARY.prefixes[prefix] + name)
        found = (shape for shape in shapes.subjects(SH.targetClass, class_) if (shape, SH.closed, None) in shapes)
        return {VOCABULARY.curie(str(path)) for shape in found for path in shapes[shape : SH.property / SH.path]}

    always, doubt = {"case:date", "case:basis"}, {"case:inDoubt"}
    never_in_doubt = {"clin:Transplant", "clin:EarlierInfusion"}
    assert {
        kind: set(properties) | always | (set() if kind in never_in_doubt else doubt)
        for kind, properties in FINDINGS.items()
    } == {kind: allowed(kind) for kind in oracle.flags()}


# ---------------------------------------------------------------------- fact by fact as on the whole case


@cache
def full_shapes() -> tuple[Graph, dict[str, list[URIRef]]]:
    """The shapes of every condition in both forms, compared with cases, and the names of the four by condition."""
    shapes = Graph()
    wrappers: dict[str, list[URIRef]] = {}
    for condition in every_condition():
        for form in Form:
            for side, shape in (("holds", condition.holds_when), ("fails", condition.fails_when)):
                wrapper = URIRef(f"urn:whole:{form.value}:{side}:{condition.iri}")
                shapes.add((wrapper, RDF.type, SH.NodeShape))
                shapes.add((wrapper, SH.targetClass, CASE.Case))
                shapes.add((wrapper, SH.node, in_form(VOCABULARY.conditions, URIRef(shape), form, shapes)))
                wrappers.setdefault(condition.iri.removeprefix(COND), []).append(wrapper)
    return shapes, wrappers


def of_full_cases(cases: Sequence[Case], engine: str) -> list[Both]:
    """The value of every condition, its shapes held against the whole graph of each case."""
    data = graph_of(concept_facts(VOCABULARY.ontology))
    for case in cases:
        for triple in case.triples():
            data.add(triple)
    shapes, wrappers = full_shapes()
    # A copy: pySHACL adds to the shapes that it is given.
    refused = {(result.focus, result.shape) for result in shacl.validate(data, graph_of(shapes), engine)}
    return [
        {
            name: value_of(*((str(case.node), str(wrapper)) not in refused for wrapper in four))
            for name, four in wrappers.items()
        }
        for case in cases
    ]


@pytest.mark.extended
@pytest.mark.parametrize(("engine", "count"), [("pyshifty", 6), ("pyshacl", 1)])
def test_facts_evaluated_condition_by_condition_give_the_values_of_the_whole_case(engine: str, count: int) -> None:
    @given(batches(20))
    @examples(count, shrink=False)
    def compared(pictures: list[Picture]) -> None:
        cases = checked(pictures, engine)
        assert differing(pictures, evaluated(cases, engine), of_full_cases(cases, engine)) == []

    compared()


@pytest.mark.extended
@given(batches(20))
@examples(5, shrink=False)
def test_both_engines_find_the_same_cases_well_formed_and_give_the_same_values(pictures: list[Picture]) -> None:
    first, second = checked(pictures, "pyshacl"), checked(pictures, "pyshifty")
    assert differing(pictures, evaluated(first, "pyshacl"), evaluated(second, "pyshifty")) == []


# ---------------------------------------------------------------------- reading

DAY = date(2026, 7, 1)
MRD, ACUTE = "clin:MRDTest", "clin:AcuteGvHDAssessment"
INFUSION, ABSENCE = "clin:EarlierInfusion", "clin:StatedAbsence"
PLAIN = Picture(
    service_date=DAY,
    line_of_business="case:Commercial",
    service="clin:DonorLymphocyteInfusion",
    codes=frozenset({"cpt:38242"}),
    reason="clin:MultipleMyeloma",
    findings=(
        Finding(
            MRD, DAY - timedelta(9), (("clin:method", "clin:FlowCytometry"), ("clin:mrdResult", "clin:MRDDetected"))
        ),
        Finding(
            MRD, DAY - timedelta(9), (("clin:method", "clin:FlowCytometry"), ("clin:mrdResult", "clin:MRDNotDetected"))
        ),
        Finding(ABSENCE, DAY - timedelta(5), (("clin:absenceOf", INFUSION),)),
        Finding(ACUTE, DAY + timedelta(1), (("clin:grade", "3"),)),
    ),
)


def facts_of(picture: Picture, name: str) -> tuple[list[str], set[tuple[str, str]]]:
    """The findings that a condition read, by their names in the file, and the other facts."""
    (case,) = checked([picture], FAST)
    (found,) = evaluator(FAST).evaluate([case])
    facts = found[COND + name].facts
    findings = sorted(case.in_file(node).rpartition("#")[2] for node in facts.findings)
    return findings, {(VOCABULARY.curie(str(p)), VOCABULARY.curie(str(o))) for _, p, o in facts.statements}


def test_a_condition_reads_the_findings_of_its_class_that_count_or_perhaps_count_and_no_others() -> None:
    assert facts_of(PLAIN, "mrd-is-detected") == (["finding0", "finding1"], set())
    assert facts_of(PLAIN, "acute-gvhd-of-grade-2-or-higher") == ([], set())
    before = Finding(ACUTE, DAY - timedelta(30), (("clin:grade", "3"),))
    unstated = Finding("clin:Transplant", DAY - timedelta(20))
    assert facts_of(PLAIN.with_findings(before, unstated), "acute-gvhd-of-grade-2-or-higher") == (["finding4"], set())


def test_evidence_that_is_in_doubt_is_evaluated_apart_from_what_counts() -> None:
    """The same finding, which counts in one case and perhaps counts in the other."""
    before = Finding(ACUTE, DAY - timedelta(30), (("clin:grade", "3"),))
    unstated = Finding("clin:Transplant", DAY - timedelta(20))
    cases = checked([PLAIN.with_findings(before), PLAIN.with_findings(before, unstated)], "pyshifty")
    grade = "acute-gvhd-of-grade-2-or-higher"
    expected = [(Value.HOLDS, Value.HOLDS), (Value.UNKNOWN, Value.HOLDS)]
    for order in (1, -1):
        found = Evaluator(VOCABULARY, every_condition(), "pyshifty").evaluate(cases[::order])
        assert [(evidence[COND + grade].value, evidence[COND + grade].perhaps) for evidence in found] == expected[
            ::order
        ]


def test_a_stated_absence_is_read_by_the_conditions_on_the_class_that_was_absent() -> None:
    assert facts_of(PLAIN, "earlier-dli-was-given") == (["finding2"], set())
    assert facts_of(PLAIN, "after-allogeneic-transplant") == ([], set())
    (case,) = checked([PLAIN], "pyshifty")
    kinds = {
        case.in_file(node)[-8:]: VOCABULARY.curie(str(finding_class(case, node)))
        for node in case.values(case.node, CASE.finding)
        if isinstance(node, URIRef)
    }
    assert kinds == {"finding0": MRD, "finding1": MRD, "finding2": INFUSION, "finding3": ACUTE}


def test_a_condition_reads_the_properties_that_it_names_wherever_the_request_states_them() -> None:
    assert facts_of(PLAIN, "service-is-dli") == (
        [],
        {("case:service", "clin:DonorLymphocyteInfusion"), ("case:procedureCode", "cpt:38242")},
    )
    assert facts_of(PLAIN, "plan-is-not-medicare") == ([], {("case:lineOfBusiness", "case:Commercial")})
    assert facts_of(PLAIN, "lymphocytes-genetically-modified") == ([], set())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many triples of data the engine was given, call by call."""
    calls: list[int] = []
    real = shacl.validate

    def counted(data: Graph, shapes: Graph, engine: str = "pyshacl", *, rules: bool = False) -> list[shacl.ShaclResult]:
        calls.append(len(data))
        return real(data, shapes, engine, rules=rules)

    monkeypatch.setattr(shacl, "validate", counted)
    return calls


def test_evidence_met_before_is_not_evaluated_again(asked: list[int]) -> None:
    other_days = tuple(replace(finding, day=finding.day - timedelta(20)) for finding in PLAIN.findings[:3])
    alike = replace(PLAIN, findings=other_days)
    changed = replace(PLAIN, reason="clin:Melanoma")
    cases = checked([PLAIN, alike, changed, PLAIN], "pyshifty")
    del asked[:]
    fresh = Evaluator(VOCABULARY, every_condition(), "pyshifty")
    first = fresh.evaluate(cases[:2])
    assert len(asked) == 1
    again = fresh.evaluate([cases[3]])
    assert len(asked) == 1
    third = fresh.evaluate([cases[2]])
    assert len(asked) == 2
    only_concepts = len(graph_of(concept_facts(VOCABULARY.ontology)))
    # Of the third case only its reason is new: its node and class, the step to the request, and the reason.
    assert asked[1] == only_concepts + 3
    values = [{iri: found.value for iri, found in evidence.items()} for evidence in (*first, *again, *third)]
    assert values[0] == values[1] == values[2]
    assert {iri for iri in values[0] if values[0][iri] is not values[3][iri]} == {
        COND + "reason-is-hematologic-malignancy"
    }


def test_no_case_asks_nothing_of_the_engine(asked: list[int]) -> None:
    assert Evaluator(VOCABULARY, every_condition(), "pyshifty").evaluate([]) == []
    assert asked == []


def test_the_properties_of_a_path_are_found_however_it_is_composed() -> None:
    shapes = Graph().parse(
        format="turtle",
        data="""
        PREFIX sh: <http://www.w3.org/ns/shacl#>
        PREFIX : <urn:x:>
        :one sh:path ( :a [ sh:zeroOrMorePath :b ] ) ; sh:in ( :no ) .
        :two sh:property [ sh:path [ sh:alternativePath ( :c [ sh:inversePath :d ] ) ] ] .
        :three sh:path :e ; sh:hasValue :neither .
        """,
    )
    named = {str(path).removeprefix("urn:x:") for path in predicates_in_paths(shapes)}
    assert named >= {"a", "b", "c", "d", "e"}
    assert not named & {"no", "neither", "one", "two", "three"}


def test_the_fixture_and_the_strategies_read_the_same_knowledge_base(kb: Repository, policy: Policy) -> None:
    assert (kb.root, policy.folder) == (VOCABULARY.root, VOCABULARY.policy().folder)
