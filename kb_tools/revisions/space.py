"""Every way in which the conditions of revisions can turn out together.

A condition holds or fails. One that reads a kind of fact in common with others can also be left open by what settles
these: a diet that ended 18 months ago is one within two years, and says nothing of one within a year. How such
conditions turn out together is what the small cases of their kind come to (kb_tools.revisions.entailments), and
nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, reduce
from operator import and_, or_
from typing import TYPE_CHECKING, TypeAlias

from kb_tools.model.logic import Assignments, Tree, Value, side_by_side
from kb_tools.model.revision import Revision
from kb_tools.revisions.entailments import Group, Tie

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction

# How conditions bear on each other: a tie of two, or all that the conditions of a kind come to together.
Bearing: TypeAlias = Tie | Group

# The values of a condition that is left open.
OPEN = (Value.UNKNOWN, Value.CONFLICTING)


class Space:
    """Every way in which the conditions that decide revisions can turn out together.

    Attributes:
        conditions: these conditions, in the order of the diagrams.
        possible: all the ways, as far as it is known how the conditions bear on each other.
        nothing: none of them.
    """

    def __init__(self, sides: Iterable[Revision], bearings: Iterable[Bearing]) -> None:
        sides = list(sides)
        deciding = {iri for side in sides for iri in side.deciding_conditions}
        ties, together = [], []
        for bearing in bearings:
            if isinstance(bearing, Tie):
                ties += [bearing] if {bearing.one, bearing.other} <= deciding else []
            elif bearing.cases and len(met := sorted(bearing.conditions & deciding)) > 1:
                together.append((met, bearing.combinations(met)))
        self._left_open = {
            iri: [value for value in OPEN if any(values[place] is value for values in combinations)]
            for met, combinations in together
            for place, iri in enumerate(met)
        }
        partners: dict[str, set[str]] = {}
        for tied in (*([tie.one, tie.other] for tie in ties), *(met for met, _ in together)):
            for iri in tied:
                partners.setdefault(iri, set()).update(set(tied) - {iri})
        trees = (tree for side in sides for tree in (side.applicability_tree, side.criteria_tree))
        # In one order in every run: with it the diagrams are as large in every run.
        self.conditions = side_by_side(trees, {iri: sorted(others) for iri, others in partners.items()})
        names = (name for iri in self.conditions for name, _ in self._variables(iri))
        self._ways = Assignments(dict.fromkeys(names, Value.UNKNOWN))
        self.nothing = self._ways.nothing
        self.possible = self._ways.everything
        for tie in ties:
            self.possible &= ~(self._is(tie.one, tie.value) & ~self._is(tie.other, tie.then))
        for met, combinations in together:
            as_sets = [self.with_values(dict(zip(met, values, strict=True))) for values in combinations]
            self.possible &= reduce(or_, as_sets, self.nothing)

    def holds(self, part: Tree | str) -> BDDFunction:
        """The ways in which a tree or condition holds."""
        return self._ways.where(self._shown(part, Value.HOLDS))

    def fails(self, part: Tree | str) -> BDDFunction:
        """The ways in which a tree or condition fails."""
        return self._ways.where(self._shown(part, Value.FAILS))

    def with_values(self, values: Mapping[str, Value]) -> BDDFunction:
        """The ways in which conditions have the values given."""
        return reduce(and_, (self._is(iri, value) for iri, value in values.items()), self._ways.everything)

    def settled(self, side: Revision) -> BDDFunction:
        """The ways in which the outcome under a revision is settled."""
        criteria = self.holds(side.criteria_tree) | self.fails(side.criteria_tree)
        return self.fails(side.applicability_tree) | (self.holds(side.applicability_tree) & criteria)

    @cached_property
    def without_conflict(self) -> BDDFunction:
        """The ways in which no condition is conflicting."""
        conflicts = [iri for iri, values in self._left_open.items() if Value.CONFLICTING in values]
        return reduce(and_, (~self._is(iri, Value.CONFLICTING) for iri in conflicts), self._ways.everything)

    def smallest(self, candidates: BDDFunction) -> dict[str, Value]:
        """The value of each condition in the candidate in which the fewest hold or are open.

        Args:
            candidates: a set that is not empty.
        """
        found = self._ways.smallest(candidates)
        return {
            iri: next((value for name, value in self._variables(iri) if found[name] is Value.HOLDS), Value.FAILS)
            for iri in self.conditions
        }

    def _variables(self, iri: str) -> list[tuple[str, Value]]:
        """What the diagrams ask of a condition: the name of each variable, and the value that it stands for.

        Where none of them is so, the condition fails.
        """
        return [(iri, Value.HOLDS), *((f"{iri} {value.value}", value) for value in self._left_open.get(iri, ()))]

    def _is(self, iri: str, value: Value) -> BDDFunction:
        """The ways in which a condition has a value; none where it never has it."""
        if value in OPEN and value not in self._left_open.get(iri, ()):
            return self.nothing
        found = self._ways.everything
        for name, meant in self._variables(iri):
            variable = self._ways.where(name)
            found &= variable if meant is value else ~variable
        return found

    def _shown(self, part: Tree | str, value: Value) -> Tree | str:
        """What holds of the variables just where a tree or condition holds, or just where it fails."""
        if not isinstance(part, Tree):
            return part if value is Value.HOLDS else Tree("noneOf", tuple(name for name, _ in self._variables(part)))
        if part.operator == "noneOf":
            return self._shown(Tree("anyOf", part.parts), ~value)
        parts = tuple(self._shown(child, value) for child in part.parts)
        if part.operator == "atLeast":
            least = part.least if value is Value.HOLDS else len(parts) - part.least + 1
            return Tree("atLeast", parts, least=least)
        return Tree("allOf" if (part.operator == "allOf") is (value is Value.HOLDS) else "anyOf", parts)
