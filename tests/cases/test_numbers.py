"""A stand-in lies on the same side of every limit as its number, and in the same order to the others of its finding."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import VOCABULARY

from kb_tools.cases.numbers import StandIns
from kb_tools.rdf.namespaces import CLIN

KEYS = ("donorPercent", "donorPercentAtLeast", "donorPercentAtMost", "donorPercentBelow")
FRONT = (("type", "ChimerismTest"), ("basis", "ChartEvidence"))
PLAIN = st.one_of(
    st.sampled_from(("0", "0.0", "89.9", "90", "90.0", "90.000000001", "99.999999999", "100", "100.00", "999999")),
    st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,9})?", fullmatch=True),
)


@cache
def stand_ins() -> StandIns:
    return StandIns(VOCABULARY)


def finding(numbers: list[str]) -> Any:
    """The keys and values of a finding, as they are remembered."""
    return (*FRONT, *((key, (number,)) for key, number in zip(KEYS, numbers, strict=False)))


def sides(number: Decimal, others: list[Decimal]) -> list[int]:
    """On which side of each of the others a number lies."""
    return [(number > other) - (number < other) for other in others]


@settings(max_examples=300, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=4))
@example(["9.5", "9.6", "9.7", "9.8"])
@example(["90.0", "90", "90.00", "89.999999999"])
@example(["100.1", "999999", "999999.999999999", "101"])
def test_stand_ins_keep_every_order(numbers: list[str]) -> None:
    replaced = stand_ins().of(finding(numbers))
    assert replaced[:2] == FRONT
    assert [key for key, _ in replaced] == [key for key, _ in finding(numbers)]
    found = [value[0] for _, value in replaced[2:]]
    limits = stand_ins()._limits
    exact = [Decimal(number) for number in numbers]
    others = [Decimal(number) for number in found]
    for one, other in zip(exact, others, strict=True):
        assert sides(one, limits) == sides(other, limits)
        assert sides(one, exact) == sides(other, others)
    # Every engine reads them: without a sign or an exponent, and of few places.
    assert all(len(number.partition(".")[2]) <= 14 and set(number) <= set("0123456789.") for number in found)


def test_numbers_that_lie_alike_have_one_stand_in() -> None:
    known = {stand_ins().of(finding([number])) for number in ("90.5", "91", "95.123", "99.999")}
    assert len(known) == 1


def test_the_limits_are_those_of_the_shapes_and_0() -> None:
    assert {Decimal(0), Decimal(2), Decimal(90), Decimal(100)} <= set(stand_ins()._limits)


@pytest.mark.parametrize(
    "number", ["-1", "-0", "1e1", "9.75E1", "1234567", "0.1234567890", "1e400", "[]", "0.10000000000000000000"]
)
def test_a_number_that_is_not_plain_is_not_replaced_nor_any_beside_it(number: str) -> None:
    for numbers in ([number], ["9.5", number], [number, "9.5"]):
        assert stand_ins().of(finding(numbers)) == finding(numbers)
        assert stand_ins().exact(finding(numbers)) == {}


@pytest.mark.parametrize("value", ["90", True, None, ("[]", ("90",)), ("{}",)])
def test_what_is_no_number_is_not_replaced(value: Any) -> None:
    items = (*FRONT, ("donorPercent", value))
    assert stand_ins().of(items) == items
    assert stand_ins().exact(items) == {}


def test_other_numbers_are_not_replaced() -> None:
    items = (("type", "AcuteGvHDAssessment"), ("grade", ("3",)))
    assert stand_ins().of(items) == items


def test_what_a_finding_states_in_fact_is_kept() -> None:
    assert stand_ins().exact(finding(["9.50", "90.0"])) == {
        CLIN.donorPercent: Decimal("9.5"),
        CLIN.donorPercentAtLeast: Decimal(90),
    }


def test_limits_that_stand_close_leave_numbers_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    own = StandIns(VOCABULARY)
    limits = [Decimal(0), Decimal("0.500000000"), Decimal("0.50000000000000000001"), Decimal(1)]
    monkeypatch.setitem(own.__dict__, "_limits", limits)
    for numbers in product(("0.4", "0.5", "0.6", "7"), repeat=2):
        found = [Decimal(value[0]) for _, value in own.of(finding(list(numbers)))[2:]]
        assert [sides(Decimal(n), limits) for n in numbers] == [sides(n, limits) for n in found]
