"""What each of two revisions requires that the other does not, each with a case that shows it.

A revision requires of a case that each of its criteria of applicability holds, that its indication does, and that none
of its limitations and exclusions does. Each of these is taken apart where all of its parts are required. What one
requires, the other requires too if no case meets the other's criteria without it: that is decided over every way in
which the conditions of both can turn out (kb_tools.revisions.verdict), not by comparing words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kb_tools.model.logic import Tree, negation, within_limits
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Criterion
from kb_tools.revisions.replay import Replay
from kb_tools.revisions.space import Bearing, Space
from kb_tools.revisions.verdict import Direction, Witness, smallest

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction

# How many witnesses of one requirement are tried before it is left without a case.
ATTEMPTS = 6
# Has a case made for a witness, by a name of its own, and determined under both; None where none could be made.
Build = Callable[[Witness, str], "Replay | None"]


@dataclass(frozen=True)
class Requirement:
    """One thing that a revision requires of a case.

    Attributes:
        criterion: the criterion that requires it.
        part: what must hold, or must not; a tree, or the IRI of a condition.
        excluded: whether it must not hold.
        places: the places in the document of all criteria that it is of, where these are several indications.
    """

    criterion: Criterion
    part: Tree | str
    excluded: bool = False
    places: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where in the document it is required: "I", or "I or II" of several indications."""
        return " or ".join(self.places) or self.criterion.notation

    @property
    def tree(self) -> Tree:
        """What holds where the requirement is met."""
        return negation(self.part) if self.excluded else Tree("allOf", (self.part,))

    @property
    def says(self) -> tuple[Tree | str, bool]:
        """What it requires, whatever criterion does."""
        return self.part, self.excluded

    @property
    def conditions(self) -> tuple[str, ...]:
        """The IRIs of the conditions that it reads, each once."""
        return tuple(dict.fromkeys(self.tree.conditions()))


@dataclass(frozen=True)
class Contrast:
    """A requirement of one of two revisions, held against the other.

    Attributes:
        side: the revision that requires it.
        name: what tells it from the other requirements of the two: whether the other side would be stricter or looser
            for want of it, and its number: "looser-5".
        shared: whether the other requires it too.
        matches: of one that is shared, the requirements of the other that by themselves come to it.
        by_itself: of one that is not shared, whether a case can fail it and meet all else that `side` requires.
        witness: of one that is not shared, values of conditions by which a case meets the other's criteria and not
            this requirement, and as little else as can be; None where no case could be made of any.
        replay: the case of the witness, determined under both.
    """

    side: Revision
    requirement: Requirement
    name: str
    shared: bool
    matches: tuple[Requirement, ...] = ()
    by_itself: bool = False
    witness: Witness | None = None
    replay: Replay | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the requirement and what became of it as JSON values."""
        alone: dict[str, Any] = {"byItself": self.by_itself}
        if self.witness and self.replay:
            alone["witness"] = {
                **self.witness.to_dict(),
                "borneOutByCase": True,
                "because": [self.replay.before.because, self.replay.after.because],
            }
        return {
            "revision": f"{self.side.policy.identifier}/{self.side.entry.name}",
            "criterion": self.requirement.criterion.iri,
            "place": self.requirement.place,
            "excluded": self.requirement.excluded,
            "conditions": list(self.requirement.conditions),
            "shared": self.shared,
            **({"matches": [match.criterion.iri for match in self.matches]} if self.shared else alone),
        }


def requirements_of(side: Revision) -> tuple[Requirement, ...]:
    """What a revision requires of a case for its criteria to be met, in the order of its criteria.

    Of several indications any suffices, each with what limits it alone: together they are one requirement.
    """
    found: list[Requirement] = []
    for criterion in side.criteria:
        if criterion.role == "applicability" and criterion.tree:
            found += (Requirement(criterion, *part) for part in _required(criterion.tree))
        elif criterion is side.indications[0]:
            places = tuple(indication.notation for indication in side.indications)
            found += (Requirement(criterion, *part, places) for part in _required(side.ways_tree))
        elif criterion in side.bars and criterion.tree and not side.limited_by(criterion):
            found += (Requirement(criterion, *part) for part in _excluded(criterion.tree))
    return tuple(found)


def _required(part: Tree | str) -> Iterator[tuple[Tree | str, bool]]:
    """What must hold, each with False, and what must not, each with True, for a tree to hold."""
    if isinstance(part, Tree) and part.operator in ("allOf", "noneOf"):
        below = _required if part.operator == "allOf" else _excluded
        for child in part.parts:
            yield from below(child)
    elif isinstance(part, Tree) and part.operator == "anyOf" and len(part.parts) == 1:
        yield from _required(part.parts[0])
    else:
        yield part, False


def _excluded(part: Tree | str) -> Iterator[tuple[Tree | str, bool]]:
    """The same for a tree to fail."""
    if isinstance(part, Tree) and part.operator == "noneOf":
        yield from _required(Tree("anyOf", part.parts))
    elif isinstance(part, Tree) and (part.operator == "anyOf" or (part.operator == "allOf" and len(part.parts) == 1)):
        for child in part.parts:
            yield from _excluded(child)
    else:
        yield part, True


# ---------------------------------------------------------------------- held against each other


def contrasts_of(old: Revision, new: Revision, bearings: Iterable[Bearing], build: Build) -> tuple[Contrast, ...]:
    """What each of two revisions requires, held against the other; the old one's first.

    Args:
        bearings: how the conditions of both bear on each other.

    Raises:
        KbError: the criteria are too entangled to tell.
    """
    sides = (old, new)
    with within_limits(" and ".join(side.entry.iri for side in sides)):
        space = Space(sides, bearings)
        first, second = (_Side(side, space) for side in sides)
        return (
            *_contrasted(first, second, Direction.LOOSER, sides, space, build),
            *_contrasted(second, first, Direction.STRICTER, sides, space, build),
        )


class _Side:
    """A revision, its requirements, and the assignments in which each of them is met."""

    def __init__(self, revision: Revision, space: Space) -> None:
        self.revision = revision
        self.requirements = requirements_of(revision)
        self.where = [space.holds(requirement.tree) for requirement in self.requirements]
        self.possible = space.possible
        self.met = space.possible & space.holds(revision.applicability_tree) & space.holds(revision.criteria_tree)


def _contrasted(
    one: _Side,
    other: _Side,
    direction: Direction,
    sides: tuple[Revision, Revision],
    space: Space,
    build: Build,
) -> Iterator[Contrast]:
    """The requirements of one side, each held against the other."""
    for number, (requirement, where) in enumerate(zip(one.requirements, one.where, strict=True)):
        without, name = other.met & ~where, f"{direction.value}-{number + 1}"
        if not without.satisfiable():
            yield Contrast(one.revision, requirement, name, True, _matching(one, number, other))
            continue
        # As much else of what this side requires is kept as can be: if all of it can, the requirement tells by itself.
        cases, kept = without, [requirement.tree]
        for place, rest in enumerate(one.requirements):
            if place != number and (narrowed := cases & one.where[place]).satisfiable():
                cases = narrowed
                kept.append(rest.tree)
        shown = _shown(direction, space, cases, sides, kept, name, build) or (None, None)
        yield Contrast(one.revision, requirement, name, False, (), len(kept) == len(one.requirements), *shown)


def _matching(one: _Side, number: int, other: _Side) -> tuple[Requirement, ...]:
    """The requirements of the other side that come to one of this side's: the same one, else all that entail it."""
    requirement, where = one.requirements[number], one.where[number]
    same = [theirs for theirs in other.requirements if theirs.says == requirement.says]
    return tuple(same) or tuple(
        theirs
        for theirs, there in zip(other.requirements, other.where, strict=True)
        if not (one.possible & there & ~where).satisfiable()
    )


def _shown(
    direction: Direction,
    space: Space,
    cases: BDDFunction,
    sides: tuple[Revision, Revision],
    kept: Sequence[Tree],
    name: str,
    build: Build,
) -> tuple[Witness, Replay] | None:
    """The smallest witness of which a case can be made, with the case."""
    for _ in range(ATTEMPTS):
        witness = smallest(direction, space, cases, sides, kept)
        if replay := build(witness, name):
            return witness, replay
        cases &= ~space.with_values(witness.values)
        if not cases.satisfiable():
            break
    return None
