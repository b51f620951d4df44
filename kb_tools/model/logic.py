"""Four values (holds, fails, unknown, conflicting), trees of conditions, and what decides a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Value(Enum):
    """What a case says of a condition, or of a tree of conditions."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"
    CONFLICTING = "conflicting"

    @property
    def settled(self) -> bool:
        return self in (Value.HOLDS, Value.FAILS)

    def __invert__(self) -> Value:
        return {Value.HOLDS: Value.FAILS, Value.FAILS: Value.HOLDS}.get(self, self)


def of_evidence(evidence_for: bool, evidence_against: bool) -> Value:
    """The value of a condition, from whether the case conforms to its two shapes."""
    if evidence_for:
        return Value.CONFLICTING if evidence_against else Value.HOLDS
    return Value.FAILS if evidence_against else Value.UNKNOWN


def all_of(values: Sequence[Value]) -> Value:
    """Fails if any part fails, holds if all hold, else is conflicting if any part is, else unknown."""
    for decisive in (Value.FAILS, Value.CONFLICTING, Value.UNKNOWN):
        if decisive in values:
            return decisive
    return Value.HOLDS


def any_of(values: Sequence[Value]) -> Value:
    """Holds if any part holds, fails if all fail, else is conflicting if any part is, else unknown."""
    return ~all_of([~value for value in values])


def none_of(values: Sequence[Value]) -> Value:
    """Fails if any part holds, holds if all fail, else is conflicting if any part is, else unknown."""
    return all_of([~value for value in values])


OPERATORS = {"allOf": all_of, "anyOf": any_of, "noneOf": none_of}


@dataclass(frozen=True)
class Tree:
    """A tree of conditions.

    Attributes:
        operator: "allOf", "anyOf" or "noneOf".
        parts: trees, or IRIs of conditions.
        iri, notation, label: where the document gives this part of a criterion a place of its own.
    """

    operator: str
    parts: tuple[Tree | str, ...]
    iri: str = ""
    notation: str = ""
    label: str = ""

    def conditions(self) -> Iterator[str]:
        """The IRIs of the conditions in the tree, in its order, repeated where the tree repeats them."""
        for part in self.parts:
            if isinstance(part, Tree):
                yield from part.conditions()
            else:
                yield part


def named_parts(tree: Tree | None) -> Iterator[Tree]:
    """The trees within a tree that have an IRI of their own; of those within these, none."""
    for part in tree.parts if tree else ():
        if isinstance(part, Tree):
            if part.iri:
                yield part
            else:
                yield from named_parts(part)


def negation(part: Tree | str) -> Tree:
    """The tree that holds where `part` fails, and fails where it holds."""
    return Tree("noneOf", (part,))


def evaluate(part: Tree | str, values: Mapping[str, Value]) -> Value:
    """The value of a tree or condition, given the value of every condition in it."""
    if isinstance(part, Tree):
        return OPERATORS[part.operator]([evaluate(each, values) for each in part.parts])
    return values[part]


class Assignments:
    """Every way in which undetermined conditions can turn out, held at once.

    A set of assignments is an integer with one bit for each assignment: bit i stands for the assignment in which
    condition k holds when bit k of i is set, and fails otherwise.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.open = sorted(iri for iri, value in values.items() if not value.settled)
        self.everything = (1 << (1 << len(self.open))) - 1
        self._holding: dict[str, int] = {
            iri: self.everything if value is Value.HOLDS else 0 for iri, value in values.items() if value.settled
        }
        for position, iri in enumerate(self.open):
            self._holding[iri] = self._where(position)

    def _where(self, position: int) -> int:
        """The assignments in which the open condition at `position` holds."""
        period = 1 << (position + 1)
        half = 1 << position
        pattern = ((1 << half) - 1) << half
        # Repeats the pattern of one period over all assignments, doubling each time.
        while period < 1 << len(self.open):
            pattern |= pattern << period
            period *= 2
        return pattern

    def where(self, part: Tree | str) -> int:
        """The assignments in which a tree or condition holds; in all others it fails."""
        if not isinstance(part, Tree):
            return self._holding[part]
        sets = [self.where(each) for each in part.parts]
        result = self.everything
        for each in sets:
            result &= each if part.operator == "allOf" else self.everything & ~each
        return self.everything & ~result if part.operator == "anyOf" else result

    def can_change(self, *sets: int) -> frozenset[str]:
        """The open conditions that can change one of the sets, however the other open conditions turn out."""
        result = set()
        for position, iri in enumerate(self.open):
            holding = self._holding[iri]
            half = 1 << position
            if any((each & holding) >> half != each & self.everything & ~holding for each in sets):
                result.add(iri)
        return frozenset(result)


def grounds(part: Tree | str, values: Mapping[str, Value]) -> Iterator[str]:
    """The conditions that give a tree its value: those that settle it, or those that keep it open."""
    if not isinstance(part, Tree):
        yield part
        return
    value = evaluate(part, values)
    as_if = ~value if part.operator == "noneOf" else value
    same = [each for each in part.parts if evaluate(each, values) is as_if]
    for each in same:
        yield from grounds(each, values)


def bearing(part: Tree | str, values: Mapping[str, Value]) -> Iterator[str]:
    """The trees with an IRI of their own, within a tree, that give it its value."""
    if not isinstance(part, Tree):
        return
    value = evaluate(part, values)
    as_if = ~value if part.operator == "noneOf" else value
    for each in part.parts:
        if isinstance(each, Tree) and evaluate(each, values) is as_if:
            yield each.iri
            yield from bearing(each, values)
