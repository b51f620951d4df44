"""Which conditions entail or exclude each other is derived from their shapes, and is what generated cases show.

Only conditions that read one kind of fact can bear on each other: all others read facts that nothing ties together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from itertools import chain, product

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import URIRef
from strategies import CONCEPTS, DAYS_BEFORE, ROOT, VOCABULARY, Finding, Picture, Product, examples, findings, read

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.determine.ages_seen import AgesSeen
from kb_tools.determine.evaluate import Evaluator
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Condition
from kb_tools.rdf.files import parse
from kb_tools.rdf.namespaces import CASE, CLIN, COND, POL
from kb_tools.rdf.shacl import ENGINES
from kb_tools.rdf.terms import graph_of
from kb_tools.revisions.entailments import Group, conditions_of, derive, groups_of, ties_of
from kb_tools.revisions.space import Space
from kb_tools.revisions.witness import silent_case, with_facts, written

HOLDS, FAILS = Value.HOLDS, Value.FAILS
DAY = date(2026, 7, 1)
PLAIN = Picture(service_date=DAY, reason="clin:AcuteMyeloidLeukemia")
Pair = tuple[str, str]
Kind = frozenset[str]


@cache
def by_kind() -> dict[Kind, list[Condition]]:
    """The conditions of every revision by the kind of fact they read, of those kinds that more than one reads."""
    conditions: dict[str, Condition] = {}
    for identifier, name in (("CP.MP.101", "2019-10"), ("CP.MP.101", "2026-02"), ("CG-TRANS-03", "2024-10")):
        policy = VOCABULARY.policy(identifier)
        conditions |= Revision.load(policy, policy.entry(name)).conditions
    found: dict[Kind, list[Condition]] = defaultdict(list)
    for condition in conditions.values():
        found[condition.reads].append(condition)
    return {kind: group for kind, group in found.items() if len(group) > 1}


def name_of(kind: Kind) -> str:
    return " ".join(sorted(VOCABULARY.curie(iri) for iri in kind))


NAMES = sorted(name_of(kind) for kind in by_kind())


def declared(link: URIRef) -> set[Pair]:
    pairs = VOCABULARY.conditions.subject_objects(link)
    return {(str(one).removeprefix(COND), str(two).removeprefix(COND)) for one, two in pairs}


# ---------------------------------------------------------------------- cases that say something of one kind


def of_class(class_: str) -> st.SearchStrategy[list[Finding]]:
    """Findings of a class, and statements that there was none, on days that meet."""
    absence = st.builds(
        lambda before: Finding("clin:StatedAbsence", DAY - timedelta(before), (("clin:absenceOf", class_),)),
        st.sampled_from(DAYS_BEFORE),
    )
    finding = findings(DAY, [class_], (30, 7, 7, 7, 0, -1))
    absent = st.lists(absence, max_size=1) if class_ in ("clin:Transplant", "clin:EarlierInfusion") else st.just([])
    return st.tuples(st.lists(finding, max_size=4), absent).map(lambda pair: [*pair[0], *pair[1]])


def pictures(kind: str) -> st.SearchStrategy[Picture]:
    """Cases that vary in the facts of one kind and say nothing else."""
    if kind == "case:purpose":
        purposes = st.frozensets(st.sampled_from(CONCEPTS["clin:Purpose"]))
        return st.builds(lambda drawn: Picture(DAY, purposes=drawn), purposes)
    if kind == "case:lineOfBusiness":
        lines = st.none() | st.sampled_from(CONCEPTS["case:LineOfBusiness"])
        return st.builds(lambda drawn: Picture(DAY, line_of_business=drawn), lines)
    if kind == "clin:processing":
        processing = st.frozensets(st.sampled_from(CONCEPTS["clin:Processing"]), max_size=3)
        # What is unmanipulated and manipulated at once breaks the case shapes.
        plain = processing.map(
            lambda drawn: drawn if drawn == {"clin:Unmanipulated"} else drawn - {"clin:Unmanipulated"}
        )
        return st.builds(lambda drawn: Picture(DAY, product=Product(drawn)), plain)
    if kind == "clin:lymphocyteDonor":
        donors = st.none() | st.sampled_from(CONCEPTS["clin:LymphocyteDonor"])
        return st.builds(lambda drawn: Picture(DAY, product=Product(donor=drawn)), donors)
    return st.builds(lambda drawn: PLAIN.with_findings(*drawn), of_class(kind))


# So many examples of so many cases each, by engine; the reference engine takes a smaller sample.
SAMPLES = {"pyshifty": (12, 40), "pyshacl": (2, 40), "shacl": (12, 40)}


@cache
def observed(kind: str, engine: str) -> frozenset[tuple[tuple[str, Value], ...]]:
    """The values that the conditions of a kind were seen to have together, where no doubt keeps one of them unknown.

    In the small cases all findings count. What holds in each of them holds whichever of the findings in doubt count.
    """
    ((conditions),) = [group for kinds, group in by_kind().items() if name_of(kinds) == kind]
    evaluator, checker = Evaluator(VOCABULARY, conditions, engine), CaseChecker(VOCABULARY, engine)
    seen: set[tuple[tuple[str, Value], ...]] = set()
    count, size = SAMPLES[engine]

    @given(st.lists(pictures(kind), min_size=size, max_size=size))
    @examples(count)
    def gather(drawn: list[Picture]) -> None:
        checked = checker.check(read(drawn))
        assert [case.violations for case in checked if isinstance(case, Malformed)] == []
        for values in evaluator.evaluate([case for case in checked if isinstance(case, Case)]):
            if all(evidence.value is evidence.perhaps for evidence in values.values()):
                seen.add(tuple(sorted((iri.removeprefix(COND), evidence.value) for iri, evidence in values.items())))

    gather()
    return frozenset(seen)


# ---------------------------------------------------------------------- what is derived


def short(pairs: Iterable[Pair]) -> set[Pair]:
    return {(one.removeprefix(COND), two.removeprefix(COND)) for one, two in pairs}


@cache
def groups(engine: str) -> list[Group]:
    return [group for group in derive(VOCABULARY, conditions_of(VOCABULARY), engine) if len(group.conditions) > 1]


def derived(then: Value, engine: str = "pyshifty") -> set[Pair]:
    """The pairs of which the second has the value `then` whenever the first holds."""
    ties = chain.from_iterable(group.ties for group in groups(engine))
    return short((tie.one, tie.other) for tie in ties if (tie.value, tie.then) == (HOLDS, then))


ENTAILS, EXCLUDES = declared(POL.entails), declared(POL.excludes)


def test_four_entailments_and_three_exclusions_are_declared() -> None:
    assert {
        ("disease-is-relapsed", "disease-relapsed-refractory-or-progressing"),
        ("lymphocytes-genetically-modified", "lymphocytes-manipulated-ex-vivo"),
        ("plan-is-medicaid", "plan-is-not-medicare"),
        ("raising-donor-chimerism-is-the-only-purpose", "raising-donor-chimerism-is-a-purpose"),
    } == ENTAILS
    assert {
        ("chimerism-is-mixed", "chimerism-is-full"),
        ("lymphocytes-from-transplant-donor", "lymphocyte-donor-differs"),
        ("raising-donor-chimerism-is-the-only-purpose", "lowering-relapse-risk-is-a-purpose"),
    } == EXCLUDES


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_declared_is_what_is_derived_and_all_of_it(engine: str) -> None:
    assert derived(HOLDS, engine) == ENTAILS
    # Of holds and fails alone, one excludes the other just when the other excludes the one: nothing is lost.
    assert derived(FAILS, engine) == EXCLUDES | {(two, one) for one, two in EXCLUDES}


def test_the_groups_are_the_conditions_that_read_one_kind_of_fact() -> None:
    assert {name_of(group.kinds): set(group.conditions) for group in groups("pyshifty")} == {
        name_of(kind): {condition.iri for condition in group} for kind, group in by_kind().items()
    }


def values_of(group: Group) -> set[tuple[tuple[str, Value], ...]]:
    return {
        tuple(sorted((iri.removeprefix(COND), value) for iri, value in values.items())) for _, values in group.cases
    }


@pytest.mark.extended
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", NAMES)
def test_the_small_cases_come_to_all_that_generated_cases_come_to_together(kind: str, engine: str) -> None:
    (group,) = [group for group in groups(engine) if name_of(group.kinds) == kind]
    assert observed(kind, engine) <= values_of(group)


@pytest.mark.parametrize("kind", NAMES)
def test_the_small_cases_bring_each_condition_to_every_value_that_it_can_take(kind: str) -> None:
    (conditions,) = [group for kinds, group in by_kind().items() if name_of(kinds) == kind]
    (group,) = [group for group in groups("pyshifty") if name_of(group.kinds) == kind]
    for condition in conditions:
        assert {values[condition.iri] for _, values in group.cases} == {
            Value[name.upper()] for name in condition.possible
        }


def test_every_small_case_can_be_submitted_and_comes_to_what_it_is_said_to() -> None:
    checker = CaseChecker(VOCABULARY, "pyshifty")
    evaluator = Evaluator(VOCABULARY, conditions_of(VOCABULARY), "pyshifty")
    none_seen = AgesSeen(VOCABULARY.evaluated, ())
    for group in groups("pyshifty"):
        for small, values in group.cases:
            case = silent_case(DAY)
            (request,) = case.values(case.node, CASE.request)
            assert isinstance(request, URIRef)
            # A group, so that statuses of two of its kinds can count beside each other.
            case.about[request].append((CASE.reason, CLIN.NonHodgkinLymphoma))
            (checked,) = checker.check(
                [with_facts(VOCABULARY, case, group.kinds, written(VOCABULARY, small, case, none_seen))]
            )
            assert isinstance(checked, Case), small
            (found,) = evaluator.evaluate([checked])
            assert {iri: evidence.value for iri, evidence in found.items() if iri in group.conditions} == values, small


def test_there_are_few_small_cases() -> None:
    counts = {name_of(group.kinds): len(group.cases) for group in groups("pyshifty")}
    assert sum(counts.values()) < 200, counts


# ---------------------------------------------------------------------- conditions that are made for a test

GRADE = """
cond:{name} a pol:Condition ; rdfs:label "{name}"@en ; pol:reads clin:AcuteGvHDAssessment ;
    pol:holdsWhen cond:{name}-holds ; pol:failsWhen cond:{name}-fails .
cond:{name}-holds a sh:NodeShape ; sh:property [ sh:path case:currentFinding ; sh:qualifiedMinCount 1 ;
    sh:qualifiedValueShape [ sh:class clin:AcuteGvHDAssessment ; sh:property [
        sh:path [ sh:alternativePath ( clin:grade clin:gradeAtLeast ) ] ;
        sh:minCount 1 ; sh:minInclusive {limit} ] ] ] .
cond:{name}-fails a sh:NodeShape ; sh:property [ sh:path case:currentFinding ; sh:qualifiedMinCount 1 ;
    sh:qualifiedValueShape [ sh:class clin:AcuteGvHDAssessment ; sh:property [
        sh:path [ sh:alternativePath ( clin:grade clin:gradeAtMost ) ] ;
        sh:minCount 1 ; sh:maxExclusive {limit} ] ] ] .
"""
STATUS = """
cond:{name} a pol:Condition ; rdfs:label "{name}"@en ; pol:reads clin:DiseaseStatusAssessment ;
    pol:holdsWhen cond:{name}-holds ; pol:failsWhen cond:{name}-fails .
cond:{name}-holds a sh:NodeShape ; sh:property [ sh:path case:currentFinding ; sh:qualifiedMinCount {count} ;
    sh:qualifiedValueShape [ sh:class clin:DiseaseStatusAssessment ; sh:property [
        sh:path clin:diseaseStatus ; sh:minCount 1 ; sh:in ( {values} ) ] ] ] .
cond:{name}-fails a sh:NodeShape ; sh:property [ sh:path case:currentFinding ; sh:qualifiedMinCount 1 ;
    sh:qualifiedValueShape [ sh:class clin:DiseaseStatusAssessment ; sh:property [
        sh:path clin:diseaseStatus ; sh:minCount 1 ; sh:in ( clin:CompleteRemission ) ] ] ] .
"""
REASON = """
cond:{name} a pol:Condition ; rdfs:label "{name}"@en ; pol:reads case:reason ;
    pol:holdsWhen cond:{name}-holds ; pol:failsWhen cond:{name}-fails .
cond:{name}-holds a sh:NodeShape ; sh:property [
    sh:path ( case:request case:reason [ sh:zeroOrMorePath skos:broader ] ) ; sh:hasValue {group} ] .
cond:{name}-fails a sh:NodeShape ; sh:property [ sh:path ( case:request case:reason ) ; sh:minCount 1 ] ,
    [ sh:path ( case:request case:reason [ sh:zeroOrMorePath skos:broader ] ) ;
      sh:qualifiedValueShape [ sh:in ( {group} ) ] ; sh:qualifiedMaxCount 0 ] .
"""
# Two conditions, and all that ties them: each way, the value of the one and what the other then is.
TIES: dict[str, tuple[str, set[tuple[str, Value, str, Value]]]] = {
    "grade_3_or_higher_is_grade_2_or_higher": (
        GRADE.format(name="a", limit=3) + GRADE.format(name="b", limit=2),
        {("a", HOLDS, "b", HOLDS), ("b", FAILS, "a", FAILS)},
    ),
    "limits_between_whole_numbers_that_let_the_same_through_tie_both_ways": (
        GRADE.format(name="a", limit="1.5") + GRADE.format(name="b", limit=2),
        {("a", HOLDS, "b", HOLDS), ("b", HOLDS, "a", HOLDS), ("a", FAILS, "b", FAILS), ("b", FAILS, "a", FAILS)},
    ),
    "a_shorter_list_is_a_longer_one": (
        STATUS.format(name="a", values="clin:Relapsed", count=1)
        + STATUS.format(name="b", values="clin:Relapsed clin:Refractory", count=1),
        {("a", HOLDS, "b", HOLDS), ("b", FAILS, "a", FAILS)},
    ),
    "two_of_a_kind_are_one_of_it_at_least": (
        STATUS.format(name="a", values="clin:Relapsed", count=2)
        + STATUS.format(name="b", values="clin:Relapsed", count=1),
        {("a", HOLDS, "b", HOLDS), ("b", FAILS, "a", FAILS)},
    ),
    "a_narrower_group_is_a_broader_one": (
        REASON.format(name="a", group="clin:AcuteMyeloidLeukemia")
        + REASON.format(name="b", group="clin:HematologicMalignancy"),
        {("a", HOLDS, "b", HOLDS), ("b", FAILS, "a", FAILS)},
    ),
    "groups_without_a_common_member_exclude_each_other": (
        REASON.format(name="a", group="clin:SolidTumor") + REASON.format(name="b", group="clin:HematologicMalignancy"),
        {("a", HOLDS, "b", FAILS), ("b", HOLDS, "a", FAILS)},
    ),
    "groups_that_overlap_are_not_tied": (
        REASON.format(name="a", group="clin:LymphoidLeukemia") + REASON.format(name="b", group="clin:ChronicLeukemia"),
        set(),
    ),
}


def made(text: str) -> Repository:
    """The knowledge base with other conditions."""
    kb = Repository(ROOT)
    prefixes = "".join(f"PREFIX {prefix}: <{namespace}>\n" for prefix, namespace in kb.prefixes.items())
    kb.__dict__["conditions"] = graph_of(parse((prefixes + text).encode(), ox.RdfFormat.TURTLE, "made"))
    return kb


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", TIES)
def test_conditions_are_tied_as_their_shapes_have_it(name: str, engine: str) -> None:
    text, expected = TIES[name]
    kb = made(text)
    found = ties_of(groups_of(kb, conditions_of(kb), engine))
    assert {(tie.one[len(COND) :], tie.value, tie.other[len(COND) :], tie.then) for tie in found} == expected


def test_where_values_cannot_be_listed_nothing_is_derived() -> None:
    text, _ = TIES["a_narrower_group_is_a_broader_one"]
    kb = made(text.replace("sh:hasValue", 'sh:pattern "x" ; sh:hasValue', 1))
    (group,) = derive(kb, conditions_of(kb), "pyshifty")
    assert (group.cases, group.ties) == ((), frozenset())


def test_conditions_are_derived_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    text, _ = TIES["a_narrower_group_is_a_broader_one"]
    kb = made(text)
    first = derive(kb, conditions_of(kb), "pyshifty")
    monkeypatch.setattr("kb_tools.revisions.entailments.small_cases", None)
    assert derive(kb, conditions_of(kb), "pyshifty") == first


# ---------------------------------------------------------------------- what the verdict takes for possible


def test_what_a_comparison_takes_for_possible_is_what_cases_can_say() -> None:
    policy = VOCABULARY.policy("CP.MP.101")
    sides = [Revision.load(policy, policy.entry(name)) for name in ("2019-10", "2026-02")]
    deciding = {iri: side.conditions[iri] for side in sides for iri in side.deciding_conditions}
    found = groups_of(VOCABULARY, deciding.values(), "pyshifty")
    assert len(found) == 4
    space = Space(sides, found)
    for group in found:
        together = sorted(group.conditions)
        possible = {
            values
            for values in product(Value, repeat=len(together))
            if (space.possible & space.with_values(dict(zip(together, values, strict=True)))).satisfiable()
        }
        assert possible == set(group.combinations(together))
