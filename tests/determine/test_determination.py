"""What a case comes to: outcome, reasons, what to send in, advisories and notices (design, sections 3.3 and 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import TypeVar

import pyoxigraph as ox
import pytest
from history import WITH_DOCUMENT
from hypothesis import given
from hypothesis import strategies as st
from installed import FAST
from strategies import (
    TREES,
    VALUES,
    VOCABULARY,
    Finding,
    Part,
    Picture,
    Product,
    batches,
    blank,
    differing,
    examples,
    later_findings,
    named,
    pictures,
    read,
    superseded_findings,
    turtle,
)

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.determine import run as determine_run
from kb_tools.determine.determiner import is_given
from kb_tools.determine.facts import Doubt, Fact
from kb_tools.determine.needs import OpenConditions, needed
from kb_tools.determine.result import ConditionResult, Determination, Need, NotDetermined, Outcome, outcome_of
from kb_tools.determine.run import Run
from kb_tools.errors import UnknownRevision
from kb_tools.model.logic import Assignments, Tree, Value, evaluate, grounds
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Advisory
from kb_tools.rdf.namespaces import BASE, COND

T = TypeVar("T")

HOLDS, FAILS, UNKNOWN, CONFLICTING = Value.HOLDS, Value.FAILS, Value.UNKNOWN, Value.CONFLICTING


@cache
def run_of(revision: str | None, engine: str = FAST) -> Run:
    return Run(VOCABULARY, VOCABULARY.policy(), engine, revision)


@cache
def revision_of(name: str) -> Revision:
    policy = VOCABULARY.policy()
    return Revision.load(policy, policy.entry(name))


def determined(cases: Sequence[Case], revision: str, engine: str = FAST) -> list[Determination]:
    """The determinations of the cases; that each is well-formed and determined is asserted."""
    answers = list(run_of(revision, engine).answers(cases))
    found = [answer for answer in answers if isinstance(answer, Determination)]
    assert [answer for answer in answers if not isinstance(answer, Determination)] == []
    return found


def what_it_comes_to(found: Determination) -> tuple[object, ...]:
    """All of a determination that does not name the file or its nodes."""
    values = tuple(
        (iri, result.value, result.perhaps, result.doubts, result.settling)
        for iri, result in found.condition_results.items()
    )
    return (
        found.outcome,
        found.applicability,
        found.criteria,
        values,
        found.criterion_results,
        found.to_send,
        found.needs,
        found.advisories,
        found.notices,
    )


# ---------------------------------------------------------------------- the outcome


def test_the_outcome_follows_from_applicability_and_criteria_as_the_table_says() -> None:
    def tabled(applicability: Value, criteria: Value, open_conflict: bool) -> Outcome:
        rows = {
            (HOLDS, HOLDS): Outcome.MET,
            (HOLDS, FAILS): Outcome.NOT_MET,
            (FAILS, HOLDS): Outcome.NOT_APPLICABLE,
            (FAILS, FAILS): Outcome.NOT_APPLICABLE,
            (FAILS, UNKNOWN): Outcome.NOT_APPLICABLE,
            (FAILS, CONFLICTING): Outcome.NOT_APPLICABLE,
        }
        undetermined = Outcome.CONFLICTING if open_conflict else Outcome.NEEDED
        return rows.get((applicability, criteria), undetermined)

    every = list(product(Value, Value, (True, False)))
    assert len(every) == 32
    assert {row: outcome_of(*row) for row in every} == {row: tabled(*row) for row in every}
    assert [outcome for outcome in Outcome if outcome.settled] == [Outcome.MET, Outcome.NOT_MET, Outcome.NOT_APPLICABLE]


def as_expression(part: Part, names: Sequence[str]) -> str:
    """A tree as a Python expression over a tuple of truths, in two-valued logic."""
    if isinstance(part, str):
        return f"t[{names.index(part)}]"
    parts = [as_expression(child, names) for child in part.parts]
    joined = f"({(' and ' if part.operator == 'allOf' else ' or ').join(parts)})"
    return f"(not {joined})" if part.operator == "noneOf" else joined


@cache
def two_valued(revision: str) -> Callable[[tuple[bool, ...]], Outcome]:
    """The outcome of a revision when each of its deciding conditions, in their order, holds or fails."""
    read_ = revision_of(revision)
    names = read_.deciding_conditions
    applies: Callable[[tuple[bool, ...]], bool] = eval(f"lambda t: {as_expression(read_.applicability_tree, names)}")
    meets: Callable[[tuple[bool, ...]], bool] = eval(f"lambda t: {as_expression(read_.criteria_tree, names)}")

    def outcome(truths: tuple[bool, ...]) -> Outcome:
        if not applies(truths):
            return Outcome.NOT_APPLICABLE
        return Outcome.MET if meets(truths) else Outcome.NOT_MET

    return outcome


@cache
def tried(revision: str, values: tuple[Value, ...]) -> tuple[frozenset[Outcome], frozenset[str]]:
    """Every outcome that the undetermined conditions can lead to, and those of them that can change it."""
    sides = [(True, False) if not value.settled else (value is HOLDS,) for value in values]
    outcomes = {truths: two_valued(revision)(truths) for truths in product(*sides)}
    names = revision_of(revision).deciding_conditions
    changing = {
        name
        for place, name in enumerate(names)
        if not values[place].settled
        for truths, outcome in outcomes.items()
        if truths[place] and outcomes[(*truths[:place], False, *truths[place + 1 :])] is not outcome
    }
    return frozenset(outcomes.values()), frozenset(changing)


def leaves(need: Need | str | None) -> Iterator[str]:
    if isinstance(need, str):
        yield need
    elif need is not None:
        for part in need.parts:
            yield from leaves(part)


def assert_concluded_rightly(revision: str, found: Determination) -> None:
    """Compares with what trying every way in which the undetermined conditions can turn out comes to."""
    names = revision_of(revision).deciding_conditions
    values = tuple(found.condition_results[name].value for name in names)
    outcomes, changing = tried(revision, values)
    if found.outcome.settled:
        assert outcomes == {found.outcome}
        assert (found.to_send, found.needs) == (frozenset(), None)
    else:
        assert len(outcomes) > 1
        assert found.to_send == changing != frozenset()
        assert frozenset(leaves(found.needs)) == found.to_send
        assert found.needs is not None and found.needs.operator == "all"
    conflicts = {name for name, value in zip(names, values, strict=True) if value is CONFLICTING} & found.to_send
    assert (found.outcome is Outcome.CONFLICTING) == bool(conflicts)
    assert {conflict.condition.iri for conflict in found.conflicts} == conflicts


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_a_settled_outcome_stays_and_an_open_one_asks_for_just_what_can_change_it(revision: str) -> None:
    seen: set[Outcome] = set()

    @given(batches(20))
    @examples(10, shrink=False)
    def compared(batch: list[Picture]) -> None:
        for found in determined(read(batch), revision):
            assert_concluded_rightly(revision, found)
            seen.add(found.outcome)

    compared()
    assert seen == set(Outcome)


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
@given(data=st.data())
@examples(60)
def test_any_values_of_the_conditions_ask_for_just_what_can_change_the_outcome(
    revision: str, data: st.DataObject
) -> None:
    names = revision_of(revision).deciding_conditions
    # Mostly settled: with all of them open, every condition can change everything.
    draws = st.sampled_from((HOLDS, HOLDS, FAILS, FAILS, UNKNOWN, CONFLICTING))
    values = data.draw(st.tuples(*(draws for _ in names)))
    outcomes, changing = tried(revision, values)
    by_name = dict(zip(names, values, strict=True))
    assert (len(outcomes) > 1) == bool(changing)
    read_ = revision_of(revision)
    applies, met = evaluate(read_.applicability_tree, by_name), evaluate(read_.criteria_tree, by_name)
    open_conflict = any(by_name[name] is CONFLICTING for name in changing)
    outcome = outcome_of(applies, met, open_conflict)
    assert outcome.settled == (len(outcomes) == 1)
    if outcome is not Outcome.NOT_APPLICABLE:
        assert OpenConditions(read_).of(by_name) == changing


# ---------------------------------------------------------------------- what never changes a value


def with_each(more: Callable[[Picture], st.SearchStrategy[T]]) -> st.SearchStrategy[list[tuple[Picture, T]]]:
    """A batch of cases, each with what is drawn for it."""
    return st.lists(pictures().flatmap(lambda one: st.tuples(st.just(one), more(one))), min_size=10, max_size=10)


@given(with_each(later_findings))
@examples(8, shrink=False)
def test_a_finding_dated_after_the_service_date_changes_nothing(pairs: list[tuple[Picture, Finding]]) -> None:
    for revision in WITH_DOCUMENT:
        before = determined(read(one for one, _ in pairs), revision)
        after = determined(read(one.with_findings(later) for one, later in pairs), revision)
        same = [what_it_comes_to(answer) for answer in after], [what_it_comes_to(answer) for answer in before]
        assert differing([one.with_findings(later) for one, later in pairs], *same) == []


def test_a_finding_older_than_the_latest_of_its_kind_changes_nothing() -> None:
    kinds: set[str] = set()

    @given(
        st.lists(
            pictures().flatmap(lambda one: st.tuples(st.just(one), superseded_findings(one))), min_size=10, max_size=10
        )
    )
    @examples(10, shrink=False)
    def compared(drawn: list[tuple[Picture, Finding | None]]) -> None:
        pairs = [(one, one.with_findings(older)) for one, older in drawn if older]
        kinds.update(older.kind for _, older in drawn if older)
        for revision in WITH_DOCUMENT:
            before = determined(read(one for one, _ in pairs), revision)
            after = determined(read(other for _, other in pairs), revision)
            same = [what_it_comes_to(answer) for answer in after], [what_it_comes_to(answer) for answer in before]
            assert differing([other for _, other in pairs], *same) == []

    compared()
    assert kinds == {
        "clin:AcuteGvHDAssessment",
        "clin:ChimerismTest",
        "clin:ChronicGvHDAssessment",
        "clin:DiseaseStatusAssessment",
        "clin:EarlierInfusion",
        "clin:MRDTest",
        "clin:RelapseRiskAssessment",
    }


def mixed(name: str, random: Random) -> Callable[[str], str]:
    """Writes some nodes of a case as blank nodes and the others as IRIs, the case itself as an IRI."""
    styles: dict[str, str] = {"case": f"<urn:kb:{name}:0>"}

    def write(node: str) -> str:
        choices = (f"_:{name}x{len(styles)}", f"<urn:kb:1:{name}{node}>", f"<https://example.org/{node}/of/{name}>")
        return styles.setdefault(node, random.choice(choices))

    return write


def rewritten(batch: Sequence[Picture], random: Random) -> list[Case]:
    """The cases with their triples in another order, their nodes named otherwise, in other files and company."""
    reader = CaseReader(VOCABULARY)
    for _ in range(random.randrange(3)):
        reader.read("before", None, turtle(random.choice(batch).statements(named("before"))), ox.RdfFormat.TURTLE)
    files: dict[int, list[int]] = {}
    for number in range(len(batch)):
        files.setdefault(random.randrange(len(batch)), []).append(number)
    found: dict[int, Case] = {}
    for file, numbers in sorted(files.items(), key=lambda _: random.random()):
        lines: list[str] = []
        for number in numbers:
            own = mixed(f"c{number}", random) if len(numbers) > 1 else blank(random.choice("ab"))
            lines += batch[number].statements(own)
        random.shuffle(lines)
        read_ = reader.read(f"file{file}", None, turtle(lines), ox.RdfFormat.TURTLE)
        if len(numbers) > 1:
            found |= {int(case.iri.split(":")[2][1:]): case for case in read_}
        else:
            found[numbers[0]] = read_[0]
    assert len(found) == len(batch)
    return [found[number] for number in range(len(batch))]


@pytest.mark.parametrize(("engine", "count"), [("pyshifty", 8), ("pyshacl", 3)])
def test_order_of_triples_names_of_nodes_and_company_in_the_run_never_matter(engine: str, count: int) -> None:
    @given(batches(10), st.integers(0, 2**32))
    @examples(count, shrink=False)
    def compared(batch: list[Picture], seed: int) -> None:
        for revision in WITH_DOCUMENT:
            before = determined(read(batch), revision, engine)
            cases = rewritten(batch, Random(seed))
            order = Random(seed).sample(range(len(batch)), len(batch))
            after = dict(zip(order, determined([cases[place] for place in order], revision, engine), strict=True))
            came = [what_it_comes_to(after[number]) for number in range(len(batch))]
            assert differing(batch, came, [what_it_comes_to(answer) for answer in before]) == []
            (alone,) = determined(cases[:1], revision, engine)
            assert what_it_comes_to(alone) == what_it_comes_to(before[0])

    compared()


def test_answers_come_in_the_order_of_the_cases_however_many_share_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    days = ["2026-07-01", "2010-01-01", "2020-01-01", "2024-05-01", "2026-07-01", "2020-01-01", "2026-03-01"]
    cases = read(Picture(service_date=date.fromisoformat(day)) for day in days)

    def names() -> list[tuple[str, str]]:
        return [
            (
                answer.case.source,
                answer.revision.entry.name if isinstance(answer, Determination) else type(answer).__name__,
            )
            for answer in run_of(None).answers(cases)
        ]

    together = names()
    assert together == [
        ("case0", "2026-02"),
        ("case1", "NotDetermined"),
        ("case2", "2019-10"),
        ("case3", "2024-04"),
        ("case4", "2026-02"),
        ("case5", "2019-10"),
        ("case6", "2025-02"),
    ]
    for size in (1, 2, 3):
        monkeypatch.setattr(determine_run, "BATCH", size)
        assert names() == together


# ---------------------------------------------------------------------- what to send in


def all_open(*names: str) -> dict[str, Value]:
    return dict.fromkeys(names, UNKNOWN)


def need_of(part: Part, values: Mapping[str, Value], wanted: bool = True) -> Need | str | None:
    """What is needed when everything undetermined may be asked for."""
    asked = frozenset(name for name, value in values.items() if not value.settled)
    return needed(part, values, asked, wanted)


def every(*parts: Need | str) -> Need:
    return Need("all", parts)


def any_(*parts: Need | str) -> Need:
    return Need("any", parts)


NEEDS: dict[str, tuple[Tree, bool, Need | str | None]] = {
    "all parts of allOf": (Tree("allOf", ("a", "b")), True, every("a", "b")),
    "any part of allOf, for it to fail": (Tree("allOf", ("a", "b")), False, any_("a", "b")),
    "any part of anyOf": (Tree("anyOf", ("a", "b")), True, any_("a", "b")),
    "all parts of anyOf, for it to fail": (Tree("anyOf", ("a", "b")), False, every("a", "b")),
    "all parts of noneOf": (Tree("noneOf", ("a", "b")), True, every("a", "b")),
    "any part of noneOf, for it to fail": (Tree("noneOf", ("a", "b")), False, any_("a", "b")),
    "one part alone, without a group": (Tree("allOf", (Tree("anyOf", (Tree("noneOf", ("a",)),)),)), True, "a"),
    "alternatives within what is needed": (
        Tree("allOf", ("a", Tree("anyOf", ("b", Tree("allOf", ("c", "d")))))),
        True,
        every("a", any_("b", every("c", "d"))),
    ),
    "groups of one kind in each other are one": (
        Tree("allOf", ("a", Tree("allOf", ("b", Tree("noneOf", ("c", "d")))))),
        True,
        every("a", "b", "c", "d"),
    ),
    "any of what an exclusion rests on": (
        Tree("noneOf", (Tree("allOf", ("a", Tree("noneOf", ("b", "c")))),)),
        True,
        any_("a", "b", "c"),
    ),
    "exclusions one by one, alternatives within": (
        Tree("noneOf", (Tree("anyOf", ("a", "b")), Tree("allOf", ("c", "d")))),
        True,
        every("a", "b", any_("c", "d")),
    ),
    "what several parts share, once": (
        Tree("allOf", (Tree("anyOf", ("a", "b")), Tree("anyOf", ("a", "b")), "c", "c")),
        True,
        every(any_("a", "b"), "c"),
    ),
    "as many as it takes": (Tree("atLeast", ("a", "b", "c"), least=2), True, Need("atLeast", ("a", "b", "c"), 2)),
    "as many as it takes, for a count to be out of reach": (
        Tree("atLeast", ("a", "b", "c", "d"), least=3),
        False,
        Need("atLeast", ("a", "b", "c", "d"), 2),
    ),
    "a count of one is any": (Tree("atLeast", ("a", Tree("anyOf", ("b", "c"))), least=1), True, any_("a", "b", "c")),
    "a count of all is all": (
        Tree("allOf", ("a", Tree("atLeast", ("b", "c"), least=2))),
        True,
        every("a", "b", "c"),
    ),
    "a count within what is needed": (
        Tree("allOf", ("a", Tree("noneOf", (Tree("atLeast", ("b", "c", "d"), least=2),)))),
        True,
        every("a", Need("atLeast", ("b", "c", "d"), 2)),
    ),
    "what settles two that are counted stands twice": (
        Tree("atLeast", (Tree("allOf", ("a",)), Tree("anyOf", ("a",)), "b", "c"), least=2),
        True,
        Need("atLeast", ("a", "a", "b", "c"), 2),
    ),
}


@pytest.mark.parametrize("name", NEEDS)
def test_what_is_needed_is_grouped_by_what_suffices(name: str) -> None:
    tree, wanted, expected = NEEDS[name]
    assert need_of(tree, all_open("a", "b", "c", "d"), wanted) == expected


def test_what_is_settled_is_not_asked_for() -> None:
    tree = Tree("allOf", ("a", Tree("anyOf", ("b", "c")), Tree("anyOf", ("d", "e"))))
    values = {"a": HOLDS, "b": HOLDS, "c": UNKNOWN, "d": FAILS, "e": CONFLICTING}
    assert need_of(tree, values) == "e"
    assert need_of(tree, values | {"e": HOLDS}) is None
    assert need_of(tree, values | {"a": FAILS}) is None


def test_what_is_counted_already_is_not_asked_for_again() -> None:
    tree = Tree("atLeast", ("a", "b", "c", "d", "e"), least=3)
    values = {"a": HOLDS, "b": FAILS, "c": UNKNOWN, "d": CONFLICTING, "e": UNKNOWN}
    assert need_of(tree, values) == Need("atLeast", ("c", "d", "e"), 2, more=True)
    assert need_of(tree, values | {"c": HOLDS}) == any_("d", "e")
    assert need_of(tree, values | {"c": FAILS}) == every("d", "e")
    assert need_of(tree, values | {"c": FAILS, "d": FAILS}) is None
    assert need_of(tree, values | {"c": HOLDS, "d": HOLDS}) is None
    # For it to fail, three of five have to: one does.
    assert need_of(tree, values, wanted=False) == Need("atLeast", ("c", "d", "e"), 2, more=True)


def test_what_is_counted_and_can_change_nothing_counts_as_it_must() -> None:
    """Of a condition and its negation one holds, whichever: so one more is needed, and not two."""
    tree = Tree("atLeast", ("a", Tree("noneOf", ("a",)), "b", "c", "d"), least=3)
    values = all_open("a", "b", "c", "d")
    assert needed(tree, values, frozenset("bcd")) == Need("atLeast", ("b", "c", "d"), 2, more=True)
    pair = Tree("atLeast", ("a", Tree("noneOf", ("a",)), "b"), least=2)
    assert needed(pair, values, frozenset("b")) == "b"
    assert needed(pair, values, frozenset()) is None


def test_what_cannot_change_the_outcome_is_not_asked_for() -> None:
    tree = Tree("allOf", ("a", Tree("anyOf", ("b", "c"))))
    values = all_open("a", "b", "c")
    assert needed(tree, values, frozenset({"b"})) == "b"
    assert needed(tree, values, frozenset({"a", "c"})) == every("a", "c")
    assert needed(tree, values, frozenset()) is None


@given(TREES, VALUES)
@examples(300)
def test_the_groups_hold_exactly_the_conditions_that_can_change_a_tree(tree: Part, values: dict[str, Value]) -> None:
    assignments = Assignments(values)
    asked = assignments.can_change(assignments.where(tree))
    assert frozenset(leaves(needed(tree, values, asked))) == asked


def test_groups_alternate_and_are_never_empty_or_single() -> None:
    @given(TREES, VALUES)
    @examples(300)
    def checked(tree: Part, values: dict[str, Value]) -> None:
        waiting = [need_of(tree, values)]
        while waiting:
            need = waiting.pop()
            if isinstance(need, Need):
                assert len(set(need.parts)) > 1
                if need.operator == "atLeast":
                    assert 1 < need.least < len(need.parts)
                else:
                    assert len(set(need.parts)) == len(need.parts)
                    assert all(isinstance(part, str) or part.operator != need.operator for part in need.parts)
                waiting.extend(need.parts)

    checked()


# ---------------------------------------------------------------------- reasons


def test_the_grounds_of_a_value_are_the_conditions_that_settle_it_or_keep_it_open() -> None:
    tree = Tree("allOf", ("a", Tree("anyOf", ("b", "c")), Tree("noneOf", ("d", "e"))))

    def grounds_of(**values: Value) -> list[str]:
        return list(grounds(tree, values))

    met = {"a": HOLDS, "b": HOLDS, "c": FAILS, "d": FAILS, "e": FAILS}
    assert grounds_of(**met) == ["a", "b", "d", "e"]
    assert grounds_of(**met | {"c": UNKNOWN}) == ["a", "b", "d", "e"]
    assert grounds_of(**met | {"b": FAILS}) == ["b", "c"]
    assert grounds_of(**met | {"e": HOLDS}) == ["e"]
    assert grounds_of(**met | {"e": HOLDS, "a": FAILS}) == ["a", "e"]
    assert grounds_of(**met | {"a": UNKNOWN, "b": UNKNOWN}) == ["a", "b"]
    assert grounds_of(**met | {"a": UNKNOWN, "d": CONFLICTING}) == ["d"]
    assert list(grounds("a", {"a": UNKNOWN})) == ["a"]


@given(TREES, VALUES)
@examples(200)
def test_the_grounds_alone_give_a_settled_tree_its_value(tree: Part, values: dict[str, Value]) -> None:
    value = evaluate(tree, values)
    found = set(grounds(tree, values))
    if value.settled:
        others = {name: UNKNOWN for name in values if name not in found}
        assert evaluate(tree, values | others) is value
        assert all(values[name].settled for name in found)
    else:
        assert {values[name] for name in found} == {value}


# ---------------------------------------------------------------------- one case after another

DAY = date(2026, 7, 1)
MET = Picture(
    service_date=DAY,
    line_of_business="case:Commercial",
    service="clin:DonorLymphocyteInfusion",
    reason="clin:AcuteMyeloidLeukemia",
    purposes=frozenset({"clin:TreatRelapse"}),
    product=Product(frozenset({"clin:Unmanipulated"}), "clin:TransplantDonor"),
    findings=(
        Finding("clin:Transplant", date(2025, 1, 15), (("clin:graftSource", "clin:CordBlood"),)),
        Finding(
            "clin:DiseaseStatusAssessment",
            date(2026, 6, 1),
            (("clin:disease", "clin:AcuteMyeloidLeukemia"), ("clin:diseaseStatus", "clin:Relapsed")),
        ),
        Finding("clin:AcuteGvHDAssessment", date(2026, 6, 15), (("clin:grade", "0"),), "case:Attestation"),
    ),
)
NO_EARLIER = Finding("clin:StatedAbsence", date(2026, 6, 20), (("clin:absenceOf", "clin:EarlierInfusion"),))
GRADE_3 = Finding("clin:AcuteGvHDAssessment", date(2026, 6, 20), (("clin:grade", "3"),))
GRADE_1 = Finding("clin:AcuteGvHDAssessment", date(2026, 6, 20), (("clin:grade", "1"),))
UNSTATED = Finding("clin:Transplant", date(2026, 6, 10))
IN_DOUBT = ("case:inDoubt", '"A newer note could not be read."')


def one(picture: Picture, revision: str = "2026-02") -> Determination:
    (found,) = determined(read([picture]), revision)
    return found


def deciding(found: Determination) -> list[str]:
    return [result.criterion.notation for result in found.criterion_results if result.decides]


@dataclass(frozen=True)
class Decided:
    """A case, the revision, the outcome, and the places of the criteria on which it rests."""

    picture: Picture
    revision: str
    outcome: Outcome
    places: tuple[str, ...]


DECIDED = {
    "met": Decided(MET, "2026-02", Outcome.MET, ("Scope", "Medicare note", "I", "I, note", "II.A", "II.B")),
    "met in 2019-10": Decided(MET.with_findings(NO_EARLIER), "2019-10", Outcome.MET, ("Scope", "I", "II.B", "II.C")),
    "an exclusion": Decided(MET.with_findings(GRADE_3), "2026-02", Outcome.NOT_MET, ("II.B",)),
    "no indication leaves the remainder": Decided(
        replace(MET, reason="clin:Melanoma"), "2026-02", Outcome.NOT_MET, ("I", "II")
    ),
    "two exclusions": Decided(
        replace(MET, product=Product(frozenset({"clin:CD4Selection"}))).with_findings(GRADE_3),
        "2026-02",
        Outcome.NOT_MET,
        ("II.A", "II.B"),
    ),
    "another service": Decided(
        replace(MET, service="clin:StemCellBoost"), "2026-02", Outcome.NOT_APPLICABLE, ("Scope",)
    ),
    "a Medicare plan": Decided(
        replace(MET, line_of_business="case:MedicareAdvantage"), "2026-02", Outcome.NOT_APPLICABLE, ("Medicare note",)
    ),
    "another service under a Medicare plan": Decided(
        replace(MET, line_of_business="case:MedicareMedicaid", service="clin:OtherService"),
        "2026-02",
        Outcome.NOT_APPLICABLE,
        ("Scope", "Medicare note"),
    ),
    "something missing": Decided(MET, "2019-10", Outcome.NEEDED, ()),
    "something conflicting": Decided(MET.with_findings(GRADE_1, GRADE_3), "2026-02", Outcome.CONFLICTING, ()),
}


@pytest.mark.parametrize("name", DECIDED)
def test_a_settled_outcome_rests_on_the_criteria_that_decide_it(name: str) -> None:
    expected = DECIDED[name]
    found = one(expected.picture, expected.revision)
    assert (found.outcome, tuple(deciding(found))) == (expected.outcome, expected.places)


def test_each_criterion_states_its_value_and_why() -> None:
    found = one(replace(MET, reason="clin:Melanoma", product=None))
    assert [(result.criterion.notation, result.value, result.reason) for result in found.criterion_results] == [
        ("Scope", HOLDS, "the service is donor lymphocyte infusion: holds"),
        ("Medicare note", HOLDS, "the plan is not a Medicare plan: holds"),
        ("I", FAILS, "the disease treated is a hematologic malignancy: fails"),
        ("I, note", FAILS, "raising donor chimerism is the only purpose: fails"),
        ("II", HOLDS, "everything that criterion I does not cover"),
        (
            "II.A",
            UNKNOWN,
            "the lymphocytes are genetically modified: unknown; the lymphocytes are manipulated ex vivo: unknown",
        ),
        ("II.B", FAILS, "acute GvHD of grade 2 or higher: fails"),
    ]


@pytest.mark.parametrize(
    "plan", ["case:Medicare", "case:MedicareAdvantage", "case:DualEligibleSpecialNeeds", "case:MedicareMedicaid"]
)
def test_a_medicare_plan_is_referred_to_the_medicare_policy(plan: str) -> None:
    assert one(replace(MET, line_of_business=plan)).referred_to == ("MC.CP.MP.101", BASE + "MC.CP.MP.101")


def test_nothing_else_is_referred_anywhere() -> None:
    assert one(replace(MET, service="clin:OtherService")).referred_to is None
    assert one(MET).referred_to is None
    assert one(replace(MET, line_of_business=None)).referred_to is None
    assert one(replace(MET, line_of_business="case:MedicareAdvantage"), "2019-10").referred_to is None


TRIALS = BASE + "CP.MP.101/advisory/manipulation-outside-trial"


@pytest.mark.parametrize(
    ("processing", "trial", "given"),
    [
        ("clin:GeneticModification", "true", True),
        ("clin:GeneticModification", "false", True),
        ("clin:GeneticModification", None, True),
        ("clin:CD4Selection", "true", False),
        ("clin:CD4Selection", "false", True),
        ("clin:CD4Selection", None, True),
        ("clin:Apheresis", "false", False),
    ],
)
def test_a_trial_lifts_the_advice_on_manipulation_unless_a_gene_is_modified(
    processing: str, trial: str | None, given: bool
) -> None:
    found = one(replace(MET, product=Product(frozenset({processing}), trial=trial)))
    assert (TRIALS in {advisory.iri for advisory in found.advisories}) is given


def test_an_unstated_plan_is_asked_for_even_where_the_criteria_fail() -> None:
    found = one(replace(MET, line_of_business=None).with_findings(GRADE_3))
    assert (found.outcome, found.applicability, found.criteria) == (Outcome.NEEDED, UNKNOWN, FAILS)
    assert found.to_send == {COND + "plan-is-not-medicare"}
    assert found.needs == every(COND + "plan-is-not-medicare")


def test_a_bare_request_asks_for_everything_with_alternatives_grouped() -> None:
    found = one(Picture(service_date=DAY))
    names = revision_of("2026-02").deciding_conditions
    assert len(names) == 12
    assert found.to_send == set(names)
    risk = ("disease-relapsed-refractory-or-progressing", "mrd-is-detected", "relapse-risk-is-raised")
    assert found.needs == every(
        COND + "service-is-dli",
        COND + "plan-is-not-medicare",
        COND + "after-allogeneic-transplant",
        COND + "reason-is-hematologic-malignancy",
        any_(COND + risk[0], COND + "lowering-relapse-risk-is-a-purpose", COND + risk[1], COND + risk[2]),
        any_(COND + "raising-donor-chimerism-is-the-only-purpose", *(COND + name for name in risk)),
        COND + "lymphocytes-genetically-modified",
        COND + "lymphocytes-manipulated-ex-vivo",
        COND + "acute-gvhd-of-grade-2-or-higher",
    )


def test_a_conflicting_condition_is_named_with_the_facts_that_contradict_each_other() -> None:
    found = one(MET.with_findings(GRADE_1, GRADE_3))
    (conflict,) = found.conflicts
    assert conflict.condition.iri == COND + "acute-gvhd-of-grade-2-or-higher"
    text = "acute GvHD assessment: grade {} (2026-06-20, chart evidence)"
    day = date(2026, 6, 20)
    assert set(conflict.contradicting) == {
        Fact("https://example.org/case0#finding3", text.format(1), day, 11, True),
        Fact("https://example.org/case0#finding4", text.format(3), day, 11, True),
    }


def test_facts_are_given_in_words_with_their_age_findings_latest_first() -> None:
    second = Finding("clin:Transplant", date(2026, 7, 1))
    found = one(replace(MET, codes=frozenset({"cpt:38242"})).with_findings(second))
    transplants = found.condition_results[COND + "after-allogeneic-transplant"]
    assert transplants.facts == (
        Fact("https://example.org/case0#finding3", "transplant: given (2026-07-01, chart evidence)", DAY, 0, False),
        Fact(
            "https://example.org/case0#finding0",
            "transplant: graft source cord blood (2025-01-15, chart evidence)",
            date(2025, 1, 15),
            532,
            False,
        ),
    )
    service = found.condition_results[COND + "service-is-dli"]
    assert [(fact.node, fact.text, fact.day, fact.age) for fact in service.facts] == [
        ("https://example.org/case0#request", "procedure code: cpt:38242", None, None),
        ("https://example.org/case0#request", "service: donor lymphocyte infusion", None, None),
    ]
    assert found.condition_results[COND + "mrd-is-detected"].facts == ()


def test_a_fact_on_a_blank_node_has_no_name() -> None:
    (case,) = CaseReader(VOCABULARY).read("stdin", None, turtle(MET.statements(blank("b"))), ox.RdfFormat.TURTLE)
    (found,) = determined([case], "2026-02")
    assert {fact.node for result in found.condition_results.values() for fact in result.facts} == {""}


# ---------------------------------------------------------------------- doubts

RELAPSED = COND + "disease-relapsed-refractory-or-progressing"
RELAPSE = MET.findings[1]


def status(day: date, disease: str, value: str, *more: tuple[str, str]) -> Finding:
    stated = (("clin:disease", f"clin:{disease}"), ("clin:diseaseStatus", f"clin:{value}"))
    return Finding("clin:DiseaseStatusAssessment", day, (*stated, *more))


def values_of(found: Determination, condition: str) -> tuple[Value, Value]:
    result = found.condition_results[condition]
    return result.value, result.perhaps


def test_a_doubt_that_keeps_a_condition_unknown_is_given_with_what_settles_it() -> None:
    found = one(MET.with_findings(UNSTATED))
    assert found.outcome is Outcome.NEEDED
    others = (COND + "mrd-is-detected", COND + "relapse-risk-is-raised")
    assert found.to_send == {RELAPSED, *others}
    assert found.needs == every(any_(RELAPSED, *others))
    result = found.condition_results[RELAPSED]
    assert (result.value, result.perhaps) == (UNKNOWN, HOLDS)
    (fact,) = result.facts
    assert result.doubts == fact.doubts
    assert [doubt.rule for doubt in result.doubts] == ["mayBeBefore"]
    assert result.settling == tuple(doubt.settle for doubt in result.doubts)
    # No other condition is kept open by a doubt, though the assessment of GvHD is from after the transplant.
    assert {iri for iri, value in found.condition_results.items() if value.doubts} == {RELAPSED}


def test_what_would_settle_a_doubt_settles_it() -> None:
    """Each of the two ways that the doubt names: the source of the graft, or a newer status."""
    autologous = replace(UNSTATED, stated=(("clin:graftSource", "clin:Autologous"),))
    newer = status(date(2026, 6, 10), "AcuteMyeloidLeukemia", "Progressing")
    for more in ([autologous], [UNSTATED, newer]):
        found = one(MET.with_findings(*more))
        assert found.outcome is Outcome.MET
        assert found.condition_results[RELAPSED].doubts == ()
    allogeneic = replace(UNSTATED, stated=(("clin:graftSource", "clin:CordBlood"),))
    found = one(MET.with_findings(allogeneic))
    assert values_of(found, RELAPSED) == (UNKNOWN, UNKNOWN)
    assert (found.outcome, found.condition_results[RELAPSED].facts) == (Outcome.NEEDED, ())


def test_a_doubt_that_changes_nothing_is_not_given_as_a_reason() -> None:
    """The disease is relapsed whether or not the second assessment counts: it is read, and in doubt."""
    found = one(MET.with_findings(status(date(2026, 6, 5), "Leukemia", "Relapsed")))
    assert (found.outcome, found.to_send) == (Outcome.MET, frozenset())
    assert values_of(found, RELAPSED) == (HOLDS, HOLDS)
    result = found.condition_results[RELAPSED]
    assert [[doubt.rule for doubt in fact.doubts] for fact in result.facts] == [["mayNotBeOf"], []]
    assert (result.doubts, result.settling) == ((), ())


def test_a_doubt_about_what_cannot_change_the_outcome_is_asked_for_no_more_than_the_condition() -> None:
    mrd = Finding("clin:MRDTest", date(2026, 6, 12), (("clin:mrdResult", "clin:MRDDetected"), IN_DOUBT))
    found = one(MET.with_findings(mrd))
    assert (found.outcome, found.to_send, found.needs) == (Outcome.MET, frozenset(), None)
    result = found.condition_results[COND + "mrd-is-detected"]
    assert (result.value, result.perhaps, len(result.doubts)) == (UNKNOWN, HOLDS, 1)


def test_a_conflict_that_depends_on_a_doubt_is_information_needed_with_the_doubt() -> None:
    """A remission of "leukemia" on the day of the relapse of AML: of which leukemia, nobody says."""
    found = one(MET.with_findings(status(date(2026, 6, 1), "Leukemia", "CompleteRemission")))
    assert (found.outcome, found.conflicts) == (Outcome.NEEDED, ())
    result = found.condition_results[RELAPSED]
    assert (result.value, result.perhaps) == (UNKNOWN, CONFLICTING)
    assert sorted(doubt.rule for doubt in result.doubts) == ["mayBeSupersededBy", "mayNotBeOf"]
    assert all(fact.contradicted for fact in result.facts)


def test_what_conflicts_whichever_findings_count_is_conflicting() -> None:
    """Two tests of one method and day contradict each other; a third, by another method, is in doubt."""

    def mrd(method: str, result: str, *more: tuple[str, str]) -> Finding:
        stated = (("clin:method", f"clin:{method}"), ("clin:mrdResult", f"clin:{result}"), *more)
        return Finding("clin:MRDTest", date(2026, 6, 12), stated)

    both = MET.with_findings(mrd("FlowCytometry", "MRDDetected"), mrd("FlowCytometry", "MRDNotDetected"))
    detected = COND + "mrd-is-detected"
    absent = mrd("NextGenerationSequencing", "MRDNotDetected", IN_DOUBT)
    assert values_of(one(both.with_findings(absent)), detected) == (CONFLICTING, CONFLICTING)
    # Detected by the other method, nothing would speak against it any more.
    present = mrd("NextGenerationSequencing", "MRDDetected", IN_DOUBT)
    assert values_of(one(both.with_findings(present)), detected) == (UNKNOWN, CONFLICTING)


def doubt(name: str) -> Doubt:
    return Doubt("inDoubt", f"{name} could not be read", f"what settles {name}")


def test_of_a_condition_kept_unknown_each_doubt_is_given_once_in_the_order_of_the_facts() -> None:
    condition = revision_of("2026-02").conditions[RELAPSED]
    day = date(2026, 6, 1)
    facts = (
        Fact("", "later", day, 30, False, (doubt("b"), doubt("a"))),
        Fact("", "certain", day, 30, False),
        Fact("", "earlier", day, 30, False, (doubt("a"), replace(doubt("c"), settle="what settles b"))),
    )
    result = ConditionResult(condition, UNKNOWN, HOLDS, facts)
    assert result.doubts == (doubt("b"), doubt("a"), replace(doubt("c"), settle="what settles b"))
    assert result.settling == ("what settles b", "what settles a")
    for value in Value:
        assert ConditionResult(condition, value, value, facts).doubts == ()


# ---------------------------------------------------------------------- advisories


def advisory(*when: Part, unless: Part | None = None) -> Advisory:
    return Advisory("urn:advice", "advice", "advice", when, unless, (), ())


def test_an_advisory_is_given_where_what_it_depends_on_perhaps_holds_and_lifted_by_what_surely_holds_alone() -> None:
    """What it depends on is taken from what perhaps is so, what lifts it from what is so whichever findings count."""
    given_with = {
        values
        for values in product(Value, repeat=4)
        if is_given(advisory("a", unless="b"), {"a": values[0], "b": values[2]}, {"a": values[1], "b": values[3]})
    }
    assert given_with == set(product(Value, (HOLDS, CONFLICTING), (FAILS, UNKNOWN, CONFLICTING), Value))


def test_an_advisory_that_depends_on_nothing_is_always_given() -> None:
    assert is_given(advisory(), {}, {})


def test_an_advisory_can_depend_on_several_trees() -> None:
    both = advisory("a", Tree("noneOf", ("b",)))
    cases = {
        (a, b): is_given(both, all_open("a", "b"), {"a": a, "b": b})
        for a, b in product((HOLDS, FAILS, UNKNOWN), repeat=2)
    }
    assert [pair for pair, is_ in cases.items() if is_] == [(HOLDS, FAILS)]


def conditional(found: Determination) -> list[str]:
    """The advisories given that depend on something."""
    return [advisory.iri.rpartition("/")[2] for advisory in found.advisories if advisory.when]


def test_an_advisory_on_what_is_in_doubt_is_given() -> None:
    mild = (("clin:chronicSeverity", "clin:MildChronicGvHD"),)
    certain = Finding("clin:ChronicGvHDAssessment", date(2026, 6, 15), mild)
    assert conditional(one(MET.with_findings(certain))) == ["chronic-gvhd"]
    found = one(MET.with_findings(replace(certain, stated=(IN_DOUBT, *mild))))
    assert conditional(found) == ["chronic-gvhd"]
    assert found.condition_results[COND + "chronic-gvhd-is-present"].value is UNKNOWN


def test_what_is_in_doubt_lifts_no_advisory() -> None:
    purpose = replace(MET, purposes=frozenset({"clin:LowerRelapseRisk"}), findings=(MET.findings[0], MET.findings[2]))
    raised = (("clin:relapseRisk", "clin:RaisedRelapseRisk"),)
    certain = Finding("clin:RelapseRiskAssessment", date(2026, 6, 15), raised)
    assert conditional(one(purpose)) == ["purpose-alone"]
    assert conditional(one(purpose.with_findings(certain))) == []
    assert conditional(one(purpose.with_findings(replace(certain, stated=(IN_DOUBT, *raised))))) == ["purpose-alone"]


def test_advisories_never_change_the_outcome() -> None:
    advised = replace(
        MET, product=Product(frozenset({"clin:Unmanipulated"}), "clin:DifferentDonor", "true")
    ).with_findings(
        Finding("clin:ChronicGvHDAssessment", date(2026, 6, 15), (("clin:chronicSeverity", "clin:MildChronicGvHD"),)),
        Finding("clin:ChimerismTest", date(2026, 6, 15), (("clin:donorPercent", "100"),)),
    )
    before, after = one(MET), one(advised)
    assert conditional(before) == []
    assert conditional(after) == ["chronic-gvhd", "donor-differs", "full-chimerism"]
    assert (after.outcome, after.to_send) == (before.outcome, before.to_send) == (Outcome.MET, frozenset())


# ---------------------------------------------------------------------- notices


def by_date(day: str) -> Determination | NotDetermined:
    shift = date.fromisoformat(day) - DAY
    moved = replace(
        MET,
        service_date=DAY + shift,
        findings=tuple(replace(finding, day=finding.day + shift) for finding in MET.findings),
    )
    (found,) = run_of(None).answers(read([moved]))
    assert isinstance(found, Determination | NotDetermined)
    return found


def notices(day: str) -> tuple[str, tuple[str, ...]]:
    """The revision chosen for a service on that day, and what its determination notes but for the age of facts."""
    found = by_date(day)
    assert isinstance(found, Determination)
    return found.revision.entry.name, tuple(notice for notice in found.notices if not notice.startswith("Age at"))


def assumed(revision: str, day: str, since: str) -> str:
    return (
        f"Revision {revision} is assumed to be in force on {day}: from {since}. "
        "The plan sets the actual effective date."
    )


BY_MONTH = "By revision month, revision 2026-02 would have been chosen; it counts from its approval, 5/26/2026."


def of_inferred(revision: str) -> tuple[str, ...]:
    return (
        f"How revision {revision} classes unsupported uses is not on file.",
        f"The document of revision {revision} is not on file: its criteria are inferred backwards from a later "
        "document and its revision log, and the places given are those of that document.",
    )


@pytest.mark.parametrize("day", ["2026-02-01", "2026-03-15", "2026-05-25"])
def test_between_its_month_and_its_approval_a_revision_is_named_beside_the_one_in_force(day: str) -> None:
    expected = (assumed("2025-02", day, "2025-02-01, its approval"), BY_MONTH, *of_inferred("2025-02"))
    assert notices(day) == ("2025-02", expected)


def test_before_that_month_the_inferred_revision_is_chosen_alone() -> None:
    expected = (assumed("2025-02", "2026-01-31", "2025-02-01, its approval"), *of_inferred("2025-02"))
    assert notices("2026-01-31") == ("2025-02", expected)


def test_from_its_approval_on_the_revision_on_file_is_chosen_alone() -> None:
    assert notices("2026-05-26") == ("2026-02", (assumed("2026-02", "2026-05-26", "2026-05-26, its approval"),))


def test_a_revision_without_approval_counts_from_its_month() -> None:
    expected = (assumed("2023-11", "2023-11-01", "2023-11-01, its revision month"), *of_inferred("2023-11"))
    assert notices("2023-11-01") == ("2023-11", expected)


def test_the_revision_of_2019_is_not_in_the_log_and_borrows_a_definition() -> None:
    borrowed = "Revision 2019-10 as on file does not define mixed chimerism: taken from 2026-02."
    assert notices("2020-01-01") == (
        "2019-10",
        (
            assumed("2019-10", "2020-01-01", "2019-10-01, its revision month"),
            "The revision log has no row for 2019-10: reviews that it does not list are likely until 2022-10.",
            borrowed,
        ),
    )
    assert one(MET, "2019-10").notices == (borrowed,)


@pytest.mark.parametrize(
    ("day", "error"),
    [
        (
            "2023-03-01",
            "the criteria of CP.MP.101 revision 2023-02 are not on file; nearest on file: --revision 2023-10",
        ),
        (
            "2018-01-01",
            "the criteria of CP.MP.101 revision 2015-11 are not on file; nearest on file: --revision 2019-10",
        ),
        (
            "2010-01-01",
            "no revision of CP.MP.101 was in force on 2010-01-01; the first known is 2015-11, from 2015-11-01",
        ),
    ],
)
def test_where_no_criteria_are_on_file_the_case_is_not_determined(day: str, error: str) -> None:
    found = by_date(day)
    assert isinstance(found, NotDetermined)
    assert isinstance(found.error, UnknownRevision)
    assert str(found.error) == error


def test_a_revision_named_or_a_day_given_counts_for_every_case() -> None:
    policy = VOCABULARY.policy()
    cases = read([MET, replace(MET, service_date=date(2010, 1, 1), findings=())])
    run = Run(VOCABULARY, policy, "pyshifty", as_of=date(2026, 3, 15))
    found = [answer for answer in run.answers(cases) if isinstance(answer, Determination)]
    assert [determination.revision.entry.name for determination in found] == ["2025-02", "2025-02"]
    assert [determination.notices[1] for determination in found] == [BY_MONTH, BY_MONTH]
    named_ = [answer for answer in run_of("2019-10").answers(cases) if isinstance(answer, Determination)]
    assert [determination.revision.entry.name for determination in named_] == ["2019-10", "2019-10"]


def test_a_revision_without_criteria_on_file_cannot_be_named() -> None:
    with pytest.raises(UnknownRevision, match=r"^the criteria of CP\.MP\.101 revision 2023-08 are not on file"):
        Run(VOCABULARY, VOCABULARY.policy(), "pyshifty", "2023-08")


def test_the_age_of_the_findings_that_decide_is_noted() -> None:
    assert one(MET).notices == (
        "Age at the service date of the findings that decide: acute GvHD assessment 2026-06-15, 16 days; "
        "disease status assessment 2026-06-01, 30 days; transplant 2025-01-15, 532 days.",
    )
    assert one(MET.with_findings(GRADE_3)).notices == (
        "Age at the service date of the findings that decide: acute GvHD assessment 2026-06-20, 11 days.",
    )
    # What only perhaps counts decides nothing.
    leukemia = status(date(2026, 6, 5), "Leukemia", "Relapsed")
    assert one(MET.with_findings(leukemia)).notices == one(MET).notices
    on_the_day = replace(GRADE_3, day=DAY)
    assert one(MET.with_findings(on_the_day)).notices == (
        "Age at the service date of the findings that decide: acute GvHD assessment 2026-07-01, 0 days.",
    )


def differences(found: Determination) -> list[str]:
    return [notice for notice in found.notices if notice.startswith("Findings of one day differ")]


def test_findings_of_one_day_that_differ_and_contradict_each_other_in_no_condition_are_noted() -> None:
    grade_4 = replace(GRADE_3, stated=(("clin:grade", "4"),))
    assert differences(one(MET.with_findings(GRADE_3, grade_4))) == [
        "Findings of one day differ, but no condition treats them as contradicting each other: "
        "acute GvHD assessment: grade 3 (2026-06-20, chart evidence); "
        "acute GvHD assessment: grade 4 (2026-06-20, chart evidence)."
    ]
    partial = status(date(2026, 6, 1), "AcuteMyeloidLeukemia", "PartialRemission")
    found = one(MET.with_findings(partial))
    assert (found.outcome, values_of(found, RELAPSED)) == (Outcome.MET, (HOLDS, HOLDS))
    assert differences(found) == [
        "Findings of one day differ, but no condition treats them as contradicting each other: "
        "disease status assessment: disease acute myeloid leukemia, disease status partial remission "
        "(2026-06-01, chart evidence); "
        "disease status assessment: disease acute myeloid leukemia, disease status relapsed "
        "(2026-06-01, chart evidence)."
    ]


def test_findings_that_contradict_each_other_or_may_are_not_noted_but_reported_with_their_condition() -> None:
    assert differences(one(MET.with_findings(GRADE_1, GRADE_3))) == []
    in_doubt = replace(GRADE_1, stated=(*GRADE_1.stated, IN_DOUBT))
    found = one(MET.with_findings(in_doubt, GRADE_3))
    assert values_of(found, COND + "acute-gvhd-of-grade-2-or-higher") == (UNKNOWN, CONFLICTING)
    assert differences(found) == []


def test_findings_that_differ_on_two_days_or_say_the_same_are_not_noted() -> None:
    assert differences(one(MET.with_findings(GRADE_3))) == []
    assert differences(one(MET.with_findings(GRADE_3, GRADE_3))) == []


def test_findings_that_differ_on_one_day_each_are_noted_day_by_day() -> None:
    def share(lineage: str, day: int, percent: str) -> Finding:
        stated = (("clin:lineage", f"clin:{lineage}"), ("clin:donorPercent", percent))
        return Finding("clin:ChimerismTest", date(2026, 6, day), stated)

    tests = (share("TCells", 3, "91"), share("TCells", 3, "92"), share("BCells", 4, "93"), share("BCells", 4, "94"))
    notes = differences(one(MET.with_findings(*tests)))
    assert [[f"2026-06-0{day}" in note for day in (3, 4)] for note in notes] == [[False, True], [True, False]]


def test_no_age_is_noted_where_nothing_is_decided_or_no_finding_decides() -> None:
    assert one(Picture(service_date=DAY)).notices == ()
    assert one(replace(MET, line_of_business="case:MedicareAdvantage")).notices == ()


def test_what_a_file_holds_besides_its_cases_is_noted() -> None:
    text = turtle([*MET.statements(named("case0")), "<urn:stray> a clin:Transplant"])
    (case,) = CaseReader(VOCABULARY).read("file.ttl", None, text, ox.RdfFormat.TURTLE)
    (found,) = determined([case], "2026-02")
    assert found.notices[0] == "The file also holds clin:Transplant that no case is linked to: not read."


def test_days_before_the_service_are_counted_over_a_leap_day() -> None:
    leap = replace(MET, service_date=date(2024, 3, 1), findings=(Finding("clin:Transplant", date(2024, 2, 28)),))
    (fact,) = one(leap).condition_results[COND + "after-allogeneic-transplant"].facts
    assert fact.age == 2


def test_facts_are_reported_in_one_order_whatever_the_order_of_the_file() -> None:
    path = VOCABULARY.policy().cases_folder / "grades-1-and-3-on-one-day-conflict.ttl"
    text = path.read_text(encoding="utf-8")
    turned = text.replace(":gvhd-ward , :gvhd-clinic", ":gvhd-clinic , :gvhd-ward")
    assert turned != text
    texts = []
    for content in (text, turned):
        [case] = CaseReader(VOCABULARY).read(path.name, None, content.encode(), ox.RdfFormat.TURTLE)
        [found] = determined([case], "2026-02")
        facts = found.condition_results[str(COND["acute-gvhd-of-grade-2-or-higher"])].facts
        texts.append([fact.text for fact in facts])
    assert (
        texts
        == [
            [
                "acute GvHD assessment: grade 1 (2026-06-20, chart evidence)",
                "acute GvHD assessment: grade 3 (2026-06-20, attestation)",
            ]
        ]
        * 2
    )


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_a_process_needs_no_more_threads_for_more_revisions() -> None:
    """Each would set aside a gibibyte of addresses: a process of the server that has four is ended at the fifth."""
    OpenConditions(revision_of("2026-02"))
    threads = len(list(Path("/proc/self/task").iterdir()))
    held = [OpenConditions(revision_of(name)) for name in ("2019-10", "2023-10", "2024-04", "2025-02", "2026-02")]
    assert len(list(Path("/proc/self/task").iterdir())) == threads
    nothing = dict.fromkeys(revision_of("2019-10").deciding_conditions, Value.UNKNOWN)
    assert held[0].of(nothing) == OpenConditions(revision_of("2019-10")).of(nothing) != frozenset()
