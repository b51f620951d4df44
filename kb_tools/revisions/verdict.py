"""Whether one revision is stricter or looser than another, over every way in which their conditions can turn out.

What counts is only what a case can show. A direction is part of the verdict when a case that was made for it and
determined under both revisions comes to what it says; what no case could be made of is named, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from rdflib.namespace import RDFS

from kb_tools.determine.result import Outcome, outcome_of
from kb_tools.model.logic import Tree, Value, evaluate, grounds, within_limits
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
from kb_tools.revisions.space import OPEN, Bearing, Space

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction


class Direction(Enum):
    """How the cases that meet the criteria change."""

    STRICTER = "stricter"
    LOOSER = "looser"
    MIXED = "mixed"
    EQUIVALENT = "equivalent"
    RESCOPED = "rescoped"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True)
class Witness:
    """Values of conditions on which the two revisions differ, and what each comes to.

    Attributes:
        direction: what it bears witness of: stricter, looser or rescoped.
        values: no more than it takes; the other conditions do not matter. One that is unknown or conflicting is left
            open by what gives the others their values.
    """

    direction: Direction
    values: Mapping[str, Value]
    before: Outcome
    after: Outcome

    @property
    def groups(self) -> tuple[list[str], list[str], list[str]]:
        """The IRIs of the conditions that hold, of those that fail, and of those that are left open."""
        holding, failing, left_open = (
            [iri for iri, value in self.values.items() if value in wanted]
            for wanted in ((Value.HOLDS,), (Value.FAILS,), OPEN)
        )
        return holding, failing, left_open

    def to_dict(self) -> dict[str, Any]:
        """Give the witness as JSON values."""
        return {
            "direction": self.direction.value,
            "values": {iri: value.value for iri, value in sorted(self.values.items())},
            "old": self.before.value,
            "new": self.after.value,
        }


@dataclass(frozen=True)
class Verdict:
    """Whether the new revision is stricter or looser than the old one.

    The witnesses were each borne out by a case.

    Attributes:
        direction: unconfirmed where no case could be made of any witness; equivalent where there is none.
        by: what changed it: "applicability alone", "criteria alone", "applicability and criteria", or "".
        inferred: whether one side's criteria are inferred from the log.
        borrowed: of each definition that a side takes from another revision, a sentence that says so.
        stricter: a smallest case that met the criteria and no longer does.
        looser: a smallest case that meets them and did not.
        rescoped: where neither exists, one that is not applicable on one side and not met on the other.
        unconfirmed: the directions that the criteria alone allow and of which no case could be made.
    """

    direction: Direction
    by: str
    inferred: bool
    borrowed: tuple[str, ...]
    stricter: Witness | None = None
    looser: Witness | None = None
    rescoped: Witness | None = None
    unconfirmed: tuple[Direction, ...] = ()

    @property
    def words(self) -> str:
        """The verdict as one phrase."""
        open_ = [f"{direction.value} unconfirmed" for direction in self.unconfirmed]
        phrases = [] if self.direction is Direction.UNCONFIRMED else [self.direction.value]
        phrases += [f"by {self.by}"] if self.by else []
        return ", ".join([*phrases, *open_, *(["by inference"] if self.inferred else [])])

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """The witnesses that a case bears out."""
        return tuple(witness for witness in (self.stricter, self.looser, self.rescoped) if witness)

    @property
    def differs(self) -> bool:
        """Whether some case is known to come to another outcome."""
        return bool(self.witnesses)


SETTLED = (Value.HOLDS, Value.FAILS)
# How many witnesses of one direction are tried before it is left unconfirmed.
ATTEMPTS = 12


def verdict_of(
    old: Revision, new: Revision, bearings: Iterable[Bearing], bears_out: Callable[[Witness], bool]
) -> Verdict:
    """Stricter or looser, over every way in which the conditions of both can turn out together.

    Args:
        bearings: how the conditions bear on each other.
        bears_out: whether a case can be made that comes to what a witness says.

    Raises:
        KbError: the criteria are too entangled to tell.
    """
    with within_limits(f"revisions {old.entry.name} and {new.entry.name}"):
        return _verdict(old, new, bearings, bears_out)


def _verdict(
    old: Revision, new: Revision, bearings: Iterable[Bearing], bears_out: Callable[[Witness], bool]
) -> Verdict:
    sides = (old, new)
    space = Space(sides, bearings)
    applies = [space.holds(side.applicability_tree) & space.possible for side in sides]
    criteria = [space.holds(side.criteria_tree) & space.possible for side in sides]
    met = [applies[side] & criteria[side] for side in (0, 1)]
    lost, gained, exchanged = met[0] & ~met[1], met[1] & ~met[0], applies[0] ^ applies[1]
    not_met = [applies[place] & space.fails(side.criteria_tree) for place, side in enumerate(sides)]
    not_applicable = [space.fails(side.applicability_tree) & space.possible for side in sides]
    rescoped = (not_met[0] & not_applicable[1]) | (not_applicable[0] & not_met[1])
    confirmed: dict[Direction, tuple[Witness, BDDFunction]] = {}
    unconfirmed = []
    for direction, cases in (
        (Direction.STRICTER, lost),
        (Direction.LOOSER, gained),
        (Direction.RESCOPED, rescoped),
    ):
        if not cases.satisfiable() or (direction is Direction.RESCOPED and confirmed):
            continue
        tried = list(_tried(direction, space, cases, sides, bears_out))
        if tried[-1][1]:
            confirmed[direction] = tried[-1][0], cases
        else:
            unconfirmed.append(direction)
    changed = space.nothing
    for _, cases in confirmed.values():
        changed |= cases
    differing = {"applicability": exchanged & changed, "criteria": (criteria[0] ^ criteria[1]) & changed}
    if Direction.RESCOPED in confirmed:
        # Where the applicability of a case changes hands alone, what its criteria come to is of no account.
        del differing["criteria"]
    names = [name for name, cases in differing.items() if cases.satisfiable()]
    without = Direction.UNCONFIRMED if unconfirmed else Direction.EQUIVALENT
    return Verdict(
        Direction.MIXED if len(confirmed) > 1 else next(iter(confirmed), without),
        " and ".join(names) + (" alone" if len(names) == 1 else ""),
        any(side.entry.bases.get("Criteria") == "InferredFromLog" for side in sides),
        tuple(sentence for side in sides for sentence in _borrowed(side)),
        **{direction.value: witness for direction, (witness, _) in confirmed.items()},
        unconfirmed=tuple(unconfirmed),
    )


def _tried(
    direction: Direction,
    space: Space,
    cases: BDDFunction,
    sides: tuple[Revision, Revision],
    bears_out: Callable[[Witness], bool],
) -> Iterator[tuple[Witness, bool]]:
    """Witnesses of a direction, the smallest first, each with whether a case bears it out, until one is."""
    for _ in range(ATTEMPTS):
        witness = smallest(direction, space, cases, sides)
        found = bears_out(witness)
        yield witness, found
        cases &= ~space.with_values(witness.values)
        if found or not cases.satisfiable():
            return


def _borrowed(side: Revision) -> Iterator[str]:
    for node in side.graph.objects(side.iri, POL.borrowsDefinition):
        definition = side.graph.value(node, POL.definition)
        term = side.graph.value(definition, RDFS.label) or local_name(definition)
        lender = local_name(side.graph.value(node, POL.borrowedFrom))
        yield f"{side.entry.name} as on file does not define {term}: the definition of {lender} is taken."


def smallest(
    direction: Direction,
    space: Space,
    candidates: BDDFunction,
    sides: tuple[Revision, Revision],
    kept: Sequence[Tree] = (),
) -> Witness:
    """Of the candidates one with the fewest conditions holding, then stripped of all that does not matter.

    One that comes to settled outcomes is taken before one that leaves an outcome open, and that before a conflict.

    Args:
        kept: trees whose value is not to change.
    """
    settled = space.settled(sides[0]) & space.settled(sides[1])
    preferred = (candidates & settled, candidates & space.without_conflict, candidates)
    values = space.smallest(next(wanted for wanted in preferred if wanted.satisfiable()))
    wanted = [_outcome(side, values) for side in sides]
    wanted_of_kept = [evaluate(tree, values) for tree in kept]
    left_open = {iri for iri, value in values.items() if not value.settled}

    def comes_to_the_same(trial: Mapping[str, Value]) -> bool:
        return [_outcome(side, trial) for side in sides] == wanted and [
            evaluate(tree, trial) for tree in kept
        ] == wanted_of_kept

    # What fails is left open first: a witness reads best as what holds.
    for iri in sorted(values.keys() - left_open, key=lambda iri: (values[iri] is Value.HOLDS, iri)):
        trial = {**values, iri: Value.UNKNOWN}
        if comes_to_the_same(trial) and not any(_keeps_open(side, iri, trial) for side in sides):
            values = trial
    told = {
        iri: value
        for iri, value in values.items()
        if value.settled
        or (iri in left_open and not all(comes_to_the_same({**values, iri: other}) for other in SETTLED))
    }
    return Witness(direction, told, *wanted)


def _keeps_open(side: Revision, iri: str, values: Mapping[str, Value]) -> bool:
    """Whether a condition that is left open keeps the outcome under a revision open."""
    trees = (side.applicability_tree, side.criteria_tree)
    return not _outcome(side, values).settled and any(
        not evaluate(tree, values).settled and iri in grounds(tree, values) for tree in trees
    )


def _outcome(side: Revision, values: Mapping[str, Value]) -> Outcome:
    applies, criteria = (evaluate(tree, values) for tree in (side.applicability_tree, side.criteria_tree))
    return outcome_of(applies, criteria, open_conflict=Value.CONFLICTING in (applies, criteria))
