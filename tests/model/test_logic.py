"""The four values combine as the design's section 3.2 says; what can still change is found among all assignments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import CONDITIONS, TREES, VALUES, Part, examples

from kb_tools.model.logic import (
    OPERATORS,
    Assignments,
    Tree,
    Value,
    all_of,
    any_of,
    evaluate,
    negation,
    none_of,
    of_evidence,
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
TUPLES = [each for length in range(4) for each in product(Value, repeat=length)]


@pytest.mark.parametrize("operator", WORDED)
def test_an_operator_gives_what_its_definition_says_of_every_tuple(operator: str) -> None:
    assert len(TUPLES) == 1 + 4 + 16 + 64
    assert {each: OPERATORS[operator](each) for each in TUPLES} == {each: WORDED[operator](each) for each in TUPLES}


def test_the_operators_are_the_three_of_the_policy_vocabulary() -> None:
    assert {"allOf": all_of, "anyOf": any_of, "noneOf": none_of} == OPERATORS


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
    return WORDED[part.operator]([worded(each, values) for each in part.parts])


def true_of(part: Part, holding: set[str]) -> bool:
    """Whether a tree is true when just these conditions are, in two-valued logic."""
    if isinstance(part, str):
        return part in holding
    parts = [true_of(each, holding) for each in part.parts]
    rules: dict[str, Callable[[], bool]] = {
        "allOf": lambda: all(parts),
        "anyOf": lambda: any(parts),
        "noneOf": lambda: not any(parts),
    }
    return rules[part.operator]()


def assignments(values: Mapping[str, Value]) -> list[set[str]]:
    """For every way in which the undetermined conditions can turn out, the conditions that then hold.

    In the order that Assignments numbers them: bit k of the number says whether open condition k holds.
    """
    holding = {name for name, value in values.items() if value is HOLDS}
    undetermined = sorted(name for name, value in values.items() if value in (UNKNOWN, CONFLICTING))
    return [
        holding | {name for position, name in enumerate(undetermined) if number >> position & 1}
        for number in range(2 ** len(undetermined))
    ]


def as_bits(truths: Sequence[bool]) -> int:
    return sum(1 << number for number, true in enumerate(truths) if true)


@given(TREES, VALUES)
@examples(300)
def test_a_tree_has_the_value_that_the_definitions_give_it(tree: Part, values: dict[str, Value]) -> None:
    assert evaluate(tree, values) is worded(tree, values)
    assert evaluate(negation(tree), values) is ~evaluate(tree, values)
    assert evaluate(negation(negation(tree)), values) is evaluate(tree, values)


@given(TREES, VALUES)
@examples(300)
def test_the_assignments_in_which_a_tree_holds_are_those_in_which_it_is_true(
    tree: Part, values: dict[str, Value]
) -> None:
    every = assignments(values)
    held = Assignments(values)
    assert held.everything == as_bits([True] * len(every))
    assert held.where(tree) == as_bits([true_of(tree, holding) for holding in every])


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


def test_assignments_number_the_open_conditions_in_order_of_their_names() -> None:
    held = Assignments({"b": UNKNOWN, "a": CONFLICTING, "c": HOLDS, "d": FAILS})
    assert held.open == ["a", "b"]
    assert held.everything == 0b1111
    assert (held.where("a"), held.where("b"), held.where("c"), held.where("d")) == (0b1010, 0b1100, 0b1111, 0)
    assert held.where(Tree("allOf", ("a", "b"))) == 0b1000
    assert held.where(Tree("anyOf", ("a", "b"))) == 0b1110
    assert held.where(Tree("noneOf", ("a", "b"))) == 0b0001
    assert held.can_change(held.where(Tree("allOf", ("a", "b", "d")))) == frozenset()


def test_a_condition_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate(Tree("allOf", ("a", "missing")), {"a": HOLDS})
    with pytest.raises(KeyError):
        Assignments({"a": HOLDS}).where("missing")
