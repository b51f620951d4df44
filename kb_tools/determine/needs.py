"""What can still change an outcome, and what to send in to settle it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from kb_tools.determine.result import Need
from kb_tools.memory import Memory
from kb_tools.model.logic import Assignments, Tree, Value, evaluate, new_manager, side_by_side, within_limits
from kb_tools.model.revision import Revision

if TYPE_CHECKING:
    from oxidd.bdd import BDDManager

# Combinations of determined conditions of which the answer is kept, in one generation.
ROOM = 5_000


class OpenConditions:
    """Tells which undetermined conditions can still change the outcome under a revision.

    The decision diagrams of its trees are made once, with no condition determined.

    Raises:
        KbError: the criteria are too entangled to tell.
    """

    def __init__(self, revision: Revision) -> None:
        trees = (revision.applicability_tree, revision.criteria_tree)
        with within_limits(f"revision {revision.entry.name}"):
            conditions = dict.fromkeys(side_by_side(trees, {}), Value.UNKNOWN)
            self._assignments = Assignments(conditions, _manager())
            applies, met = (self._assignments.where(tree) for tree in trees)
            self._sets = applies, applies & met
        self._known: Memory[tuple[bool | None, ...], frozenset[str]] = Memory(ROOM)

    def of(self, values: Mapping[str, Value]) -> frozenset[str]:
        """The undetermined conditions whose value can change the outcome, however the other undetermined turn out."""
        key = tuple([values[iri] is Value.HOLDS if values[iri].settled else None for iri in self._assignments.open])
        known = self._known.get(key)
        if known is None:
            left = self._assignments.given(values, *self._sets)
            known = self._known.put(key, self._assignments.can_change(*left))
        return known


@cache
def _manager() -> BDDManager:
    """Holds the diagrams of all revisions: of these there may be hundreds, each with few and small diagrams."""
    return new_manager()


def needed(
    part: Tree | str, values: Mapping[str, Value], asked: frozenset[str], wanted: bool = True
) -> Need | str | None:
    """What to send in so that a tree may come to hold (or, if not `wanted`, to fail); None where it is settled.

    Conditions of which any one suffices are grouped as alternatives; those of which it takes some, by how many.
    """
    if evaluate(part, values).settled:
        return None
    if not isinstance(part, Tree):
        return part if part in asked else None
    if part.operator == "atLeast":
        return _counted(part, values, asked, wanted)
    # noneOf is allOf of the negated parts; a tree that is to fail needs any of what one that is to hold needs all.
    every = (part.operator == "anyOf") != wanted
    below = wanted != (part.operator == "noneOf")
    return _joined("all" if every else "any", [needed(child, values, asked, below) for child in part.parts])


def _joined(operator: str, needs: Iterable[Need | str | None]) -> Need | str | None:
    """All of some needs, or any of them, each once; None where there are none."""
    found: list[Need | str] = []
    for need in needs:
        flat = need.parts if isinstance(need, Need) and need.operator == operator else (need,)
        found.extend(one for one in flat if one is not None and one not in found)
    if not found:
        return None
    return found[0] if len(found) == 1 else Need(operator, tuple(found))


def _counted(tree: Tree, values: Mapping[str, Value], asked: frozenset[str], wanted: bool) -> Need | str | None:
    """What to send in so that enough parts of a tree hold; if not `wanted`, so that enough fail."""
    # What cannot change the outcome is taken to fail: it comes to the same however it turns out.
    assumed = {iri: value if value.settled or iri in asked else Value.FAILS for iri, value in values.items()}
    if evaluate(tree, assumed).settled:
        return None
    found = [need for part in tree.parts if (need := needed(part, assumed, asked, wanted)) is not None]
    enough = tree.least if wanted else len(tree.parts) - tree.least + 1
    there = [evaluate(part, assumed) for part in tree.parts].count(Value.HOLDS if wanted else Value.FAILS)
    least = enough - there
    if 1 < least < len(found) and len(set(found)) > 1:
        return Need("atLeast", tuple(found), least, more=there > 0)
    return _joined("any" if least == 1 else "all", found)
