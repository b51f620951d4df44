"""What pol:entails and pol:excludes declare of conditions is what their shapes do on generated cases, and all of it.

Only conditions that read one kind of fact can bear on each other: all others read facts that nothing ties together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import URIRef
from strategies import CONCEPTS, DAYS_BEFORE, VOCABULARY, Finding, Picture, Product, examples, findings, read

from kb_tools.cases import Case, CaseChecker, Malformed
from kb_tools.diff import allowed
from kb_tools.evidence import Evaluator
from kb_tools.namespaces import COND, POL
from kb_tools.revision import Condition, Revision
from kb_tools.truth import Assignments, Value

HOLDS, FAILS = Value.HOLDS, Value.FAILS
DAY = date(2026, 7, 1)
PLAIN = Picture(service_date=DAY, reason="clin:AcuteMyeloidLeukemia")
Pair = tuple[str, str]
Kind = frozenset[str]


@cache
def by_kind() -> dict[Kind, list[Condition]]:
    """The conditions of every revision by the kind of fact they read, of those kinds that more than one reads."""
    policy = VOCABULARY.policy()
    conditions: dict[str, Condition] = {}
    for name in ("2019-10", "2026-02"):
        conditions |= Revision.load(policy, policy.entry(name)).conditions
    found: dict[Kind, list[Condition]] = defaultdict(list)
    for condition in conditions.values():
        found[condition.reads].append(condition)
    return {kind: group for kind, group in found.items() if len(group) > 1}


def name_of(kind: Kind) -> str:
    return " ".join(sorted(VOCABULARY.curie(each) for each in kind))


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
        return st.builds(lambda each: Picture(DAY, purposes=each), purposes)
    if kind == "case:lineOfBusiness":
        lines = st.none() | st.sampled_from(CONCEPTS["case:LineOfBusiness"])
        return st.builds(lambda each: Picture(DAY, line_of_business=each), lines)
    if kind == "clin:processing":
        processing = st.frozensets(st.sampled_from(CONCEPTS["clin:Processing"]), max_size=3)
        # What is unmanipulated and manipulated at once breaks the case shapes.
        plain = processing.map(lambda each: each if each == {"clin:Unmanipulated"} else each - {"clin:Unmanipulated"})
        return st.builds(lambda each: Picture(DAY, product=Product(each)), plain)
    return st.builds(lambda each: PLAIN.with_findings(*each), of_class(kind))


# So many examples of so many cases each, by engine; the reference engine takes a smaller sample.
SAMPLES = {"pyshifty": (12, 40), "pyshacl": (2, 40)}


@cache
def observed(kind: str, engine: str) -> frozenset[tuple[tuple[str, Value], ...]]:
    """The values that the conditions of a kind were seen to have together."""
    ((conditions),) = [group for each, group in by_kind().items() if name_of(each) == kind]
    evaluator, checker = Evaluator(VOCABULARY, conditions, engine), CaseChecker(VOCABULARY, engine)
    seen: set[tuple[tuple[str, Value], ...]] = set()
    count, size = SAMPLES[engine]

    @given(st.lists(pictures(kind), min_size=size, max_size=size))
    @examples(count)
    def gather(drawn: list[Picture]) -> None:
        checked = checker.check(read(drawn))
        assert [each.violations for each in checked if isinstance(each, Malformed)] == []
        for values in evaluator.evaluate([each for each in checked if isinstance(each, Case)]):
            seen.add(tuple(sorted((iri.removeprefix(COND), found.value) for iri, found in values.items())))

    gather()
    return frozenset(seen)


def together(kind: str, one: str, two: str, engine: str = "pyshifty") -> set[tuple[Value, Value]]:
    return {(dict(values)[one], dict(values)[two]) for values in observed(kind, engine)}


def kind_of(pair: Pair) -> str:
    """The one kind of fact that both conditions of a pair read."""
    kinds = {
        name_of(each) for each, group in by_kind().items() if {COND + name for name in pair} <= {c.iri for c in group}
    }
    (kind,) = kinds
    return kind


# ---------------------------------------------------------------------- what is declared is so


ENTAILS, EXCLUDES = declared(POL.entails), declared(POL.excludes)


def test_four_entailments_and_two_exclusions_are_declared() -> None:
    assert {
        ("disease-is-relapsed", "disease-relapsed-refractory-or-progressing"),
        ("lymphocytes-genetically-modified", "lymphocytes-manipulated-ex-vivo"),
        ("plan-is-medicaid", "plan-is-not-medicare"),
        ("raising-donor-chimerism-is-the-only-purpose", "raising-donor-chimerism-is-a-purpose"),
    } == ENTAILS
    assert {
        ("chimerism-is-mixed", "chimerism-is-full"),
        ("raising-donor-chimerism-is-the-only-purpose", "lowering-relapse-risk-is-a-purpose"),
    } == EXCLUDES


@pytest.mark.parametrize("engine", SAMPLES)
@pytest.mark.parametrize(("one", "two"), sorted(ENTAILS))
def test_whenever_the_first_holds_so_does_what_it_entails(one: str, two: str, engine: str) -> None:
    seen = together(kind_of((one, two)), one, two, engine)
    assert {second for first, second in seen if first is HOLDS} == {HOLDS}


@pytest.mark.parametrize("engine", SAMPLES)
@pytest.mark.parametrize(("one", "two"), sorted(EXCLUDES))
def test_whenever_the_first_holds_what_it_excludes_fails(one: str, two: str, engine: str) -> None:
    seen = together(kind_of((one, two)), one, two, engine)
    assert {second for first, second in seen if first is HOLDS} == {FAILS}


@pytest.mark.parametrize("kind", NAMES)
def test_the_generated_cases_bring_each_condition_to_every_value_that_it_can_take(kind: str) -> None:
    (conditions,) = [group for each, group in by_kind().items() if name_of(each) == kind]
    for condition in conditions:
        name = condition.iri.removeprefix(COND)
        values = {dict(seen)[name] for seen in observed(kind, "pyshifty")}
        assert values == {Value[each.upper()] for each in condition.possible}


@pytest.mark.parametrize("kind", NAMES)
def test_the_reference_engine_gives_no_values_that_the_fast_one_does_not(kind: str) -> None:
    assert observed(kind, "pyshacl") <= observed(kind, "pyshifty")


# ---------------------------------------------------------------------- what is so is declared


def never_contradicted(value: Value) -> set[Pair]:
    """The pairs of which the second has that value in every generated case in which the first holds."""
    found = set()
    for kind, conditions in ((name_of(each), group) for each, group in by_kind().items()):
        names = [each.iri.removeprefix(COND) for each in conditions]
        for one, two in permutations(names, 2):
            if {second for first, second in together(kind, one, two) if first is HOLDS} == {value}:
                found.add((one, two))
    return found


def test_no_entailment_is_missing() -> None:
    assert never_contradicted(HOLDS) == ENTAILS


def test_no_exclusion_is_missing_but_the_declared_ones_read_backwards() -> None:
    # Of holds and fails alone, one excludes the other just when the other excludes the one: nothing is lost.
    assert never_contradicted(FAILS) == EXCLUDES | {(two, one) for one, two in EXCLUDES}


# What the declarations allow and no case can say, with the reason. Neither link can declare it: that the one condition
# holds rules out that the other fails, and not that it is conflicting.
UNREALIZED: Mapping[tuple[str, Value, str, Value], str] = {
    ("earlier-dli-was-given", FAILS, "benefit-of-earlier-dli-is-documented", HOLDS): (
        "a response to an infusion states the infusion; beside a later statement that there was none, it is conflicting"
    ),
    ("earlier-dli-was-given", FAILS, "benefit-of-earlier-dli-is-documented", FAILS): (
        "an absent response to an infusion states the infusion too"
    ),
}


def test_what_the_verdict_takes_for_possible_is_what_cases_can_say_but_for_known_exceptions() -> None:
    unrealized = set()
    for kind, conditions in ((name_of(each), group) for each, group in by_kind().items()):
        iris = [each.iri for each in conditions]
        space = Assignments(dict.fromkeys(iris, Value.UNKNOWN))
        mask = allowed(space, iris, VOCABULARY.conditions)
        for number in range(len(bin(space.everything)) - 2):
            if mask >> number & 1:
                values = [HOLDS if number >> place & 1 else FAILS for place in range(len(space.open))]
                said = tuple(sorted(zip((iri.removeprefix(COND) for iri in space.open), values, strict=True)))
                if said not in observed(kind, "pyshifty"):
                    unrealized.add(said)
    assert unrealized == {tuple(sorted(((one, first), (two, second)))) for one, first, two, second in UNREALIZED}


def test_nothing_declared_ties_conditions_of_different_kinds() -> None:
    for pair in ENTAILS | EXCLUDES:
        assert kind_of(pair) in NAMES
