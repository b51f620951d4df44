"""What can still change an outcome, and what to send in to settle it."""

from __future__ import annotations

from collections.abc import Mapping

from kb_tools.determine.result import Need
from kb_tools.model.logic import Assignments, Tree, Value, evaluate, side_by_side, within_limits
from kb_tools.model.revision import Revision


def can_still_change(revision: Revision, values: Mapping[str, Value]) -> frozenset[str]:
    """The undetermined conditions whose value can change the outcome, however the other undetermined ones turn out.

    Raises:
        KbError: the criteria are too entangled to tell.
    """
    trees = (revision.applicability_tree, revision.criteria_tree)
    with within_limits(f"revision {revision.entry.name}"):
        assignments = Assignments({iri: values[iri] for iri in side_by_side(trees, {})})
        applies, met = (assignments.where(tree) for tree in trees)
        return assignments.can_change(applies, applies & met)


def needed(
    part: Tree | str, values: Mapping[str, Value], asked: frozenset[str], wanted: bool = True
) -> Need | str | None:
    """What to send in so that a tree may come to hold (or, if not `wanted`, to fail); None where it is settled.

    Conditions of which any one suffices are grouped as alternatives.
    """
    if evaluate(part, values).settled:
        return None
    if not isinstance(part, Tree):
        return part if part in asked else None
    # noneOf is allOf of the negated parts; a tree that is to fail needs any of what one that is to hold needs all.
    every = (part.operator == "anyOf") != wanted
    below = wanted != (part.operator == "noneOf")
    found: list[Need | str] = []
    for child in part.parts:
        need = needed(child, values, asked, below)
        flat = need.parts if isinstance(need, Need) and need.operator == ("all" if every else "any") else (need,)
        found.extend(one for one in flat if one is not None and one not in found)
    if not found:
        return None
    return found[0] if len(found) == 1 else Need("all" if every else "any", tuple(found))
