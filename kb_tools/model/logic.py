"""Four values (holds, fails, unknown, conflicting), trees of conditions, and what decides a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from kb_tools.errors import KbError

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction, BDDManager


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
        return _FAILS if self is _HOLDS else _HOLDS if self is _FAILS else self


# Short names, since these are asked for very often.
_HOLDS, _FAILS, _UNKNOWN, _CONFLICTING = Value


def of_evidence(evidence_for: bool, evidence_against: bool) -> Value:
    """The value of a condition, from whether the case conforms to its two shapes."""
    if evidence_for:
        return Value.CONFLICTING if evidence_against else Value.HOLDS
    return Value.FAILS if evidence_against else Value.UNKNOWN


def all_of(values: Sequence[Value]) -> Value:
    """Fails if any part fails, holds if all hold, else is conflicting if any part is, else unknown."""
    for decisive in (_FAILS, _CONFLICTING, _UNKNOWN):
        if decisive in values:
            return decisive
    return _HOLDS


def any_of(values: Sequence[Value]) -> Value:
    """Holds if any part holds, fails if all fail, else is conflicting if any part is, else unknown."""
    for decisive in (_HOLDS, _CONFLICTING, _UNKNOWN):
        if decisive in values:
            return decisive
    return _FAILS


def none_of(values: Sequence[Value]) -> Value:
    """Fails if any part holds, holds if all fail, else is conflicting if any part is, else unknown."""
    return ~any_of(values)


def at_least(least: int, values: Sequence[Value]) -> Value:
    """Holds if that many parts hold, fails if so few can still hold that the count is out of reach, else is open.

    Of what is open it is conflicting if any part is, else unknown. It counts parts, never findings: one fact that is
    stated twice makes one condition hold. `all_of` and `any_of` are its two ends.
    """
    if values.count(_HOLDS) >= least:
        return _HOLDS
    if len(values) - values.count(_FAILS) < least:
        return _FAILS
    return _CONFLICTING if _CONFLICTING in values else _UNKNOWN


# The operators that need no number; "atLeast" is the other one.
OPERATORS = {"allOf": all_of, "anyOf": any_of, "noneOf": none_of}
# The property of a tree that lists its parts, by its operator.
LISTED_BY = {**{operator: operator for operator in OPERATORS}, "atLeast": "of"}


@dataclass(frozen=True)
class Tree:
    """A tree of conditions.

    Attributes:
        operator: "allOf", "anyOf", "noneOf" or "atLeast".
        parts: trees, or IRIs of conditions.
        iri, notation, label: where the document gives this part of a criterion a place of its own.
        least: of "atLeast", how many of its parts must hold; else 0.
    """

    operator: str
    parts: tuple[Tree | str, ...]
    iri: str = ""
    notation: str = ""
    label: str = ""
    least: int = 0

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
        of_parts = [evaluate(child, values) for child in part.parts]
        return at_least(part.least, of_parts) if part.operator == "atLeast" else OPERATORS[part.operator](of_parts)
    return values[part]


# The most nodes that the diagrams of one question may have, and how many results of steps are kept meanwhile. Criteria
# of 60 conditions take some thousands of nodes.
NODES = 1 << 17
STEPS = 1 << 14


def new_manager() -> BDDManager:
    """What holds diagrams. Each has a thread of its own, for which a gibibyte of addresses is set aside."""
    # Loaded here: the library is not needed to print help or to read a policy.
    from oxidd.bdd import BDDManager

    return BDDManager(NODES, STEPS, 1)


class Assignments:
    """Every way in which undetermined conditions can turn out, held at once.

    A set of assignments is a binary decision diagram (R. E. Bryant, Graph-Based Algorithms for Boolean Function
    Manipulation, 1986). Sets are combined with `&`, `|`, `^` and `~`. Equal sets are equal diagrams.

    Args:
        values: of each condition. Their order is that of the diagram: it decides how large the diagram gets, and
            nothing else. See `side_by_side`.
        manager: that holds the diagrams, with those of others; by default one of its own, for as long as it is used.

    Attributes:
        open: the undetermined conditions, by name.
    """

    def __init__(self, values: Mapping[str, Value], manager: BDDManager | None = None) -> None:
        self._by_variable = [iri for iri, value in values.items() if not value.settled]
        self.open = sorted(self._by_variable)
        manager = manager or new_manager()
        manager.add_vars(max(0, len(self.open) - manager.num_vars()))
        self.everything, self.nothing = manager.true(), manager.false()
        self._holding = {
            iri: self.everything if value is Value.HOLDS else self.nothing for iri, value in values.items()
        }
        self._holding |= {iri: manager.var(variable) for variable, iri in enumerate(self._by_variable)}

    def where(self, part: Tree | str) -> BDDFunction:
        """The assignments in which a tree or condition holds; in all others it fails."""
        if not isinstance(part, Tree):
            return self._holding[part]
        if part.operator == "atLeast":
            return self._at_least(part.least, map(self.where, part.parts))
        result = self.everything
        for below in part.parts:
            holding = self.where(below)
            result &= holding if part.operator == "allOf" else ~holding
        return ~result if part.operator == "anyOf" else result

    def _at_least(self, least: int, sets: Iterable[BDDFunction]) -> BDDFunction:
        """The assignments that are in at least so many of the sets."""
        reached = [self.everything, *[self.nothing] * least]  # By how many of the sets met so far they are in.
        for one in sets:
            for count in range(least, 0, -1):
                reached[count] |= reached[count - 1] & one
        return reached[least]

    def with_values(self, values: Mapping[str, Value]) -> BDDFunction:
        """The assignments in which open conditions hold or fail as given."""
        found = self.everything
        for iri, value in values.items():
            holding = self._holding[iri]
            found &= holding if value is _HOLDS else ~holding
        return found

    def given(self, values: Mapping[str, Value], *sets: BDDFunction) -> list[BDDFunction]:
        """The sets that are left where conditions are determined that are open here.

        Args:
            values: of each condition.
        """
        from oxidd.bdd import BDDFunction

        found = BDDFunction.make_substitution(
            [
                (variable, self.everything if values[iri] is _HOLDS else self.nothing)
                for variable, iri in enumerate(self._by_variable)
                if values[iri].settled
            ]
        )
        return [one.substitute(found) for one in sets]

    def can_change(self, *sets: BDDFunction) -> frozenset[str]:
        """The open conditions that can change one of the sets, however the other open conditions turn out.

        They are those that the diagrams ask for: what makes no difference, a reduced diagram leaves out.
        """
        return frozenset(self._by_variable[variable] for variable, _, _ in _nodes(*sets).values())

    def smallest(self, candidates: BDDFunction) -> dict[str, Value]:
        """The candidate in which the fewest open conditions hold; of several, the first in the order of `open`.

        Of two that are as small the first is that in which the last condition on which they differ fails.

        Args:
            candidates: a set that is not empty.
        """
        # A way through the diagram costs the sum of its steps: a condition that holds counts one, above as many bits
        # as there are conditions, which say which of them hold.
        cost = {iri: (1 << len(self.open)) + (1 << position) for position, iri in enumerate(self.open)}
        least = {self.everything: 0}
        nodes = _nodes(candidates)
        # From the conditions that are asked for last: what comes below a node is known before it.
        for node, (variable, holds, fails) in sorted(nodes.items(), key=lambda item: -item[1][0]):
            ways = [least[fails]] if fails in least else []
            if holds in least:
                ways.append(least[holds] + cost[self._by_variable[variable]])
            least[node] = min(ways)
        best = least[candidates]
        return {iri: Value.HOLDS if best >> position & 1 else Value.FAILS for position, iri in enumerate(self.open)}


def _nodes(*sets: BDDFunction) -> dict[BDDFunction, tuple[int, BDDFunction, BDDFunction]]:
    """The nodes of diagrams: the variable that each asks for, and what follows where it holds and where it fails."""
    found: dict[BDDFunction, tuple[int, BDDFunction, BDDFunction]] = {}
    waiting = list(sets)
    while waiting:
        node = waiting.pop()
        below, variable = node.cofactors(), node.node_var()
        if node not in found and below is not None and variable is not None:
            found[node] = (variable, *below)
            waiting += below
    return found


def side_by_side(trees: Iterable[Tree], tied: Mapping[str, Iterable[str]]) -> list[str]:
    """The conditions of trees, each once, in an order in which the diagrams of the trees stay small.

    What one tree has between two conditions of another comes between these (H. Fujii, G. Ootomo, C. Hori, Interleaving
    Based Variable Ordering Methods for Ordered Binary Decision Diagrams, 1993).

    Args:
        tied: conditions that a condition bears on apart from the trees: they follow it.
    """
    order: list[str] = []
    for tree in trees:
        place = 0
        for iri in tree.conditions():
            for condition in (iri, *tied.get(iri, ())):
                if condition in order:
                    place = order.index(condition) + 1
                else:
                    order.insert(place, condition)
                    place += 1
    return order


@contextmanager
def within_limits(where: str) -> Iterator[None]:
    """Say in one line that criteria are too entangled for diagrams.

    Args:
        where: the revisions that they are of.

    Raises:
        KbError: the diagrams would need more than NODES nodes.
    """
    from oxidd.util import DDMemoryError

    try:
        yield
    except DDMemoryError:
        raise KbError(
            f"the criteria combine their conditions in too many ways: more than {NODES:,} nodes of a decision diagram",
            where=where,
            hint="state in one criterion what depends on the same conditions, in the same order in each revision",
        ) from None


def grounds(part: Tree | str, values: Mapping[str, Value]) -> Iterator[str]:
    """The conditions that give a tree its value: those that settle it, or those that keep it open."""
    if not isinstance(part, Tree):
        yield part
        return
    value = evaluate(part, values)
    as_if = ~value if part.operator == "noneOf" else value
    same = [child for child in part.parts if evaluate(child, values) is as_if]
    for child in same:
        yield from grounds(child, values)


def bearing(part: Tree | str, values: Mapping[str, Value]) -> Iterator[str]:
    """The trees with an IRI of their own, within a tree, that give it its value."""
    if not isinstance(part, Tree):
        return
    value = evaluate(part, values)
    as_if = ~value if part.operator == "noneOf" else value
    for child in part.parts:
        if isinstance(child, Tree) and evaluate(child, values) is as_if:
            yield child.iri
            yield from bearing(child, values)
