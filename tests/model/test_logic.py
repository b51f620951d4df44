"""The four values combine as the design's section 3.2 says; what can still change is found among all assignments."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import counted
from oxidd.bdd import BDDFunction
from strategies import CONDITIONS, TREES, VALUES, Part, counting, examples

from kb_tools.errors import KbError
from kb_tools.model import logic
from kb_tools.model.logic import (
    OPERATORS,
    Assignments,
    Tree,
    Value,
    all_of,
    any_of,
    at_least,
    evaluate,
    negation,
    none_of,
    of_evidence,
    side_by_side,
    within_limits,
)

HOLDS, FAILS, UNKNOWN, CONFLICTING = Value.HOLDS, Value.FAILS, Value.UNKNOWN, Value.CONFLICTING

# ---------------------------------------------------------------------- the wording, transcribed


def otherwise(values: Sequence[Value]) -> Value:
    """Else is conflicting if any part is, else unknown."""
    return CONFLICTING if any(value is CONFLICTING for value in values) else UNKNOWN


def worded_all_of(values: Sequence[Value]) -> Value:
    """Fails if any part fails, holds if all hold, else …"""
    if any(value is FAILS for value in values):
        return FAILS
    return HOLDS if all(value is HOLDS for value in values) else otherwise(values)


def worded_any_of(values: Sequence[Value]) -> Value:
    """Holds if any part holds, fails if all fail, else …"""
    if any(value is HOLDS for value in values):
        return HOLDS
    return FAILS if all(value is FAILS for value in values) else otherwise(values)


def worded_none_of(values: Sequence[Value]) -> Value:
    """Fails if any part holds, holds if all fail, else …"""
    if any(value is HOLDS for value in values):
        return FAILS
    return HOLDS if all(value is FAILS for value in values) else otherwise(values)


WORDED = {"allOf": worded_all_of, "anyOf": worded_any_of, "noneOf": worded_none_of}
TUPLES = [values for length in range(4) for values in product(Value, repeat=length)]


@pytest.mark.parametrize("operator", WORDED)
def test_an_operator_gives_what_its_definition_says_of_every_tuple(operator: str) -> None:
    assert len(TUPLES) == 1 + 4 + 16 + 64
    assert {values: OPERATORS[operator](values) for values in TUPLES} == {
        values: WORDED[operator](values) for values in TUPLES
    }


def test_the_operators_without_a_number_are_the_three_of_the_policy_vocabulary() -> None:
    assert {"allOf": all_of, "anyOf": any_of, "noneOf": none_of} == OPERATORS


def test_a_count_is_what_every_way_of_settling_what_is_open_says() -> None:
    some = [(least, values) for values in TUPLES for least in range(1, len(values) + 1)]
    assert len(some) == 4 + 2 * 16 + 3 * 64
    assert {(least, values): at_least(least, values).value for least, values in some} == {
        (least, values): counted(least, [value.value for value in values]) for least, values in some
    }


def test_all_and_any_are_the_ends_of_a_count() -> None:
    for values in TUPLES:
        assert at_least(len(values), values) is all_of(values)
        assert at_least(1, values) is any_of(values)


def test_a_count_that_an_open_part_can_still_reach_does_not_fail() -> None:
    assert at_least(2, [HOLDS, FAILS, UNKNOWN]) is UNKNOWN
    assert at_least(2, [HOLDS, FAILS, CONFLICTING]) is CONFLICTING
    assert at_least(2, [FAILS, FAILS, UNKNOWN]) is FAILS
    assert at_least(2, [FAILS, FAILS, CONFLICTING]) is FAILS
    assert at_least(2, [HOLDS, HOLDS, CONFLICTING]) is HOLDS


def test_contradictory_and_missing_data_do_not_turn_a_case_down() -> None:
    assert all_of([CONFLICTING, UNKNOWN]) is CONFLICTING
    assert any_of([CONFLICTING, UNKNOWN]) is CONFLICTING
    assert none_of([CONFLICTING, UNKNOWN]) is CONFLICTING


def test_an_empty_list_of_parts_is_settled() -> None:
    assert (all_of([]), any_of([]), none_of([])) == (HOLDS, FAILS, HOLDS)


def test_evidence_for_and_against_give_the_value_that_the_table_says() -> None:
    assert {(yes, no): of_evidence(yes, no) for yes, no in product((True, False), repeat=2)} == {
        (True, False): HOLDS,
        (False, True): FAILS,
        (False, False): UNKNOWN,
        (True, True): CONFLICTING,
    }


def test_only_what_holds_or_fails_is_settled_and_is_turned_by_negation() -> None:
    assert [value for value in Value if value.settled] == [HOLDS, FAILS]
    assert [~value for value in (HOLDS, FAILS, UNKNOWN, CONFLICTING)] == [FAILS, HOLDS, UNKNOWN, CONFLICTING]


# ---------------------------------------------------------------------- trees


def worded(part: Part, values: Mapping[str, Value]) -> Value:
    if isinstance(part, str):
        return values[part]
    parts = [worded(child, values) for child in part.parts]
    if part.operator == "atLeast":
        return Value(counted(part.least, [value.value for value in parts]))
    return WORDED[part.operator](parts)


def true_of(part: Part, holding: set[str]) -> bool:
    """Whether a tree is true when just these conditions are, in two-valued logic."""
    if isinstance(part, str):
        return part in holding
    parts = [true_of(child, holding) for child in part.parts]
    rules: dict[str, Callable[[], bool]] = {
        "allOf": lambda: all(parts),
        "anyOf": lambda: any(parts),
        "noneOf": lambda: not any(parts),
        "atLeast": lambda: sum(parts) >= part.least,
    }
    return rules[part.operator]()


def assignments(values: Mapping[str, Value]) -> list[set[str]]:
    """For every way in which the undetermined conditions can turn out, the conditions that then hold.

    In the order of their numbers: bit k of the number says whether the k-th of them by name holds.
    """
    holding = {name for name, value in values.items() if value is HOLDS}
    undetermined = sorted(name for name, value in values.items() if value in (UNKNOWN, CONFLICTING))
    return [
        holding | {name for position, name in enumerate(undetermined) if number >> position & 1}
        for number in range(2 ** len(undetermined))
    ]


def truths(held: Assignments, set_: BDDFunction) -> list[bool]:
    """Of every assignment whether it is in the set, in the order of their numbers."""
    found = []
    for number in range(2 ** len(held.open)):
        alone = held.everything
        for position, name in enumerate(held.open):
            alone &= held.where(name) if number >> position & 1 else ~held.where(name)
        found.append((alone & set_).satisfiable())
    return found


@given(TREES, VALUES)
@examples(300)
def test_a_tree_has_the_value_that_the_definitions_give_it(tree: Part, values: dict[str, Value]) -> None:
    assert evaluate(tree, values) is worded(tree, values)
    assert evaluate(negation(tree), values) is ~evaluate(tree, values)
    assert evaluate(negation(negation(tree)), values) is evaluate(tree, values)


# Up to eight conditions, in any order of the diagram.
EIGHT = tuple("abcdefgh")
LARGE_TREES: st.SearchStrategy[Part] = st.recursive(
    st.sampled_from(EIGHT),
    lambda parts: st.one_of(
        st.builds(Tree, st.sampled_from(sorted(OPERATORS)), st.lists(parts, min_size=1, max_size=4).map(tuple)),
        counting(parts, most=4),
    ),
    max_leaves=20,
)
LARGE_VALUES = st.permutations(EIGHT).flatmap(
    lambda names: st.fixed_dictionaries(
        {name: st.sampled_from((UNKNOWN, UNKNOWN, UNKNOWN, CONFLICTING, HOLDS, FAILS)) for name in names}
    )
)


@given(LARGE_TREES, LARGE_TREES, LARGE_VALUES)
@examples(150)
def test_diagrams_agree_with_every_assignment_taken_one_by_one(
    tree: Part, other: Part, values: dict[str, Value]
) -> None:
    every, held = assignments(values), Assignments(values)
    differ = held.where(tree) & ~held.where(other)
    expected = [true_of(tree, holding) and not true_of(other, holding) for holding in every]
    assert truths(held, differ) == expected
    assert differ.satisfiable() == any(expected)
    assert held.can_change(differ) == {
        name
        for position, name in enumerate(held.open)
        if any(expected[number] != expected[number ^ 1 << position] for number in range(len(every)))
    }
    if any(expected):
        smallest = min(
            (number for number in range(len(every)) if expected[number]),
            key=lambda number: (number.bit_count(), number),
        )
        assert held.smallest(differ) == {name: HOLDS if name in every[smallest] else FAILS for name in held.open}


@given(TREES, VALUES)
@examples(300)
def test_the_assignments_in_which_a_tree_holds_are_those_in_which_it_is_true(
    tree: Part, values: dict[str, Value]
) -> None:
    every = assignments(values)
    held = Assignments(values)
    assert truths(held, held.everything) == [True] * len(every)
    assert truths(held, held.nothing) == [False] * len(every)
    assert truths(held, held.where(tree)) == [true_of(tree, holding) for holding in every]


@given(TREES, TREES, VALUES)
@examples(300)
def test_a_condition_can_change_just_what_differs_between_two_assignments_that_differ_in_it_alone(
    tree: Part, other: Part, values: dict[str, Value]
) -> None:
    def changed_by(*parts: Part) -> set[str]:
        return {
            name
            for name, value in values.items()
            if value in (UNKNOWN, CONFLICTING)
            for holding in assignments(values)
            if any(true_of(part, holding | {name}) != true_of(part, holding - {name}) for part in parts)
        }

    held = Assignments(values)
    first, second = held.where(tree), held.where(other)
    assert held.can_change(first) == changed_by(tree)
    assert held.can_change(first, second) == changed_by(tree, other)
    assert held.can_change() == frozenset()


@given(TREES, VALUES)
@examples(200)
def test_a_settled_tree_comes_out_the_same_in_every_assignment(tree: Part, values: dict[str, Value]) -> None:
    value = evaluate(tree, values)
    truths = {true_of(tree, holding) for holding in assignments(values)}
    if value.settled:
        assert truths == {value is HOLDS}
        assert Assignments(values).can_change(Assignments(values).where(tree)) == frozenset()


@given(TREES, VALUES, st.data())
@examples(200)
def test_settling_an_undetermined_condition_never_changes_a_settled_tree(
    tree: Part, values: dict[str, Value], data: st.DataObject
) -> None:
    before = evaluate(tree, values)
    for name in CONDITIONS:
        if not values[name].settled:
            values = values | {name: data.draw(st.sampled_from((HOLDS, FAILS)))}
            after = evaluate(tree, values)
            assert not before.settled or after is before
            before = after
    assert before.settled


@given(TREES, VALUES)
@examples(200)
def test_whether_a_tree_is_settled_does_not_depend_on_why_a_condition_is_undetermined(
    tree: Part, values: dict[str, Value]
) -> None:
    plain = {name: UNKNOWN if value is CONFLICTING else value for name, value in values.items()}
    value = evaluate(tree, values)
    assert evaluate(tree, plain) is (UNKNOWN if value is CONFLICTING else value)


def test_the_conditions_of_a_tree_come_in_its_order_with_repeats() -> None:
    tree = Tree("allOf", ("b", Tree("anyOf", ("a", Tree("noneOf", ("b",)))), "c"))
    assert list(tree.conditions()) == ["b", "a", "b", "c"]


def test_of_the_smallest_assignments_the_first_by_name_is_taken() -> None:
    held = Assignments({"b": UNKNOWN, "a": CONFLICTING, "e": UNKNOWN, "c": HOLDS, "d": FAILS})
    assert held.open == ["a", "b", "e"]
    assert held.smallest(held.where(Tree("anyOf", ("b", "e", "a")))) == {"a": HOLDS, "b": FAILS, "e": FAILS}
    assert held.smallest(held.where(Tree("anyOf", ("e", Tree("allOf", ("a", "b")))))) == {
        "a": FAILS,
        "b": FAILS,
        "e": HOLDS,
    }
    assert held.smallest(held.where(Tree("noneOf", ("a", "b")))) == {"a": FAILS, "b": FAILS, "e": FAILS}
    assert held.smallest(held.where("c")) == {"a": FAILS, "b": FAILS, "e": FAILS}
    assert held.can_change(held.where(Tree("allOf", ("a", "b", "d")))) == frozenset()


def test_what_one_tree_has_between_two_conditions_of_another_comes_between_them() -> None:
    first, second = Tree("allOf", ("a", "b")), Tree("allOf", (Tree("anyOf", ("a", "x")), Tree("anyOf", ("b", "y"))))
    assert side_by_side([first, second], {}) == ["a", "x", "b", "y"]
    assert side_by_side([second, first], {}) == ["a", "x", "b", "y"]
    assert side_by_side([Tree("allOf", ("a", "b", "a"))], {}) == ["a", "b"]
    assert side_by_side([first], {"a": ["z"], "z": ["a"], "b": ["a"]}) == ["a", "z", "b"]
    assert side_by_side([], {}) == []


def test_the_order_of_the_conditions_keeps_diagrams_small() -> None:
    """In the order in which the trees name them first, the second diagram would have more than 2^30 nodes."""
    pairs = [(f"a{number:02}", f"b{number:02}") for number in range(30)]
    trees = [
        Tree("allOf", tuple(first for first, _ in pairs)),
        Tree("allOf", tuple(Tree("anyOf", pair) for pair in pairs)),
    ]
    for ordered in (trees, trees[::-1]):
        held = Assignments(dict.fromkeys(side_by_side(ordered, {}), UNKNOWN))
        # One node for each condition, and the two ends.
        assert [held.where(tree).node_count() for tree in trees] == [30 + 2, 60 + 2]


def test_a_count_of_many_needs_a_node_for_each_place_and_number() -> None:
    names = [f"c{number:02}" for number in range(40)]
    held = Assignments(dict.fromkeys(names, UNKNOWN))
    tree = held.where(Tree("atLeast", tuple(names), least=20))
    # Below each of the 40 conditions at most 20 numbers are open; then the two ends.
    assert tree.node_count() == 20 * 21 + 2
    assert held.can_change(tree) == set(names)


def test_criteria_too_entangled_for_diagrams_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logic, "NODES", 1000)
    names = [f"c{number:02}" for number in range(40)]
    far_apart = Tree("allOf", tuple(Tree("anyOf", pair) for pair in zip(names[:20], names[20:], strict=True)))
    with pytest.raises(KbError) as error, within_limits("revision 2020-01"):
        Assignments(dict.fromkeys(names, UNKNOWN)).where(far_apart)
    assert str(error.value) == (
        "revision 2020-01: the criteria combine their conditions in too many ways: more than 1,000 nodes of a decision "
        "diagram; state in one criterion what depends on the same conditions, in the same order in each revision"
    )


def test_a_condition_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate(Tree("allOf", ("a", "missing")), {"a": HOLDS})
    with pytest.raises(KeyError):
        Assignments({"a": HOLDS}).where("missing")


@pytest.mark.parametrize(
    "statement", ["import kb_tools", "from kb_tools.cli import kb; kb(['--help'], standalone_mode=False)"]
)
def test_the_library_of_diagrams_is_loaded_only_where_diagrams_are_made(statement: str) -> None:
    code = f"{statement}; import sys; assert 'oxidd' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
