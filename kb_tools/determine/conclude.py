"""What follows from the values of the conditions of a revision: the same for all cases that share them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from kb_tools.determine.needs import OpenConditions, needed
from kb_tools.determine.result import CriterionResult, Need, Outcome, outcome_of
from kb_tools.memory import Memory
from kb_tools.model.logic import Tree, Value, bearing, evaluate, grounds
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Criterion

# Combinations of values of which all that follows is kept, in one generation; for criteria, combinations of each.
ROOM = 5_000


class Consequences(NamedTuple):
    """What follows from the values of the conditions.

    Attributes:
        to_send: the conditions whose value can still change the outcome.
        criteria: what each criterion comes to.
    """

    to_send: frozenset[str]
    outcome: Outcome
    criteria: tuple[CriterionResult, ...]


class Concluder:
    """Draws the consequences of the values of the conditions of one revision, each once."""

    def __init__(self, revision: Revision) -> None:
        self._revision = revision
        self._known: Memory[tuple[Value, ...], Consequences] = Memory(ROOM)
        self._needs: Memory[tuple[Value, ...], Need] = Memory(ROOM)
        self._criteria = [_CriterionMaker(revision, criterion) for criterion in revision.criteria]

    @cached_property
    def _open(self) -> OpenConditions:
        return OpenConditions(self._revision)

    def conclude(self, values: Mapping[str, Value]) -> Consequences:
        """All that follows from the values of the deciding conditions alone.

        Raises:
            KbError: the criteria are too entangled to tell what can still change the outcome.
        """
        key = self._key(values)
        return self._known.get(key) or self._known.put(key, self._conclude(values))

    def _conclude(self, values: Mapping[str, Value]) -> Consequences:
        revision = self._revision
        applies = evaluate(revision.applicability_tree, values)
        met = evaluate(revision.criteria_tree, values)
        ways = {iri: evaluate(tree, values) for iri, tree in revision.ways.items()}
        to_send = frozenset[str]() if applies is Value.FAILS else self._open.of(values)
        outcome = outcome_of(applies, met, any(values[iri] is Value.CONFLICTING for iri in to_send))
        return Consequences(to_send, outcome, tuple([make.result(values, outcome, ways) for make in self._criteria]))

    def needs(self, values: Mapping[str, Value]) -> Need | None:
        """What to send in so that the criteria may come to hold; None where the outcome is settled."""
        found = self.conclude(values)
        if found.outcome.settled:
            return None
        key = self._key(values)
        return self._needs.get(key) or self._needs.put(key, _undetermined_need(self._revision, values, found.to_send))

    def _key(self, values: Mapping[str, Value]) -> tuple[Value, ...]:
        return tuple([values[iri] for iri in self._revision.deciding_conditions])


class _CriterionMaker:
    """What one criterion comes to, by the values of its own conditions."""

    def __init__(self, revision: Revision, criterion: Criterion) -> None:
        self._revision = revision
        self._criterion = criterion
        self._remainder = criterion.tree is None
        tree = revision.indication_tree if self._remainder else criterion.tree
        assert tree is not None
        self._tree: Tree = tree
        self._conditions = tuple(
            dict.fromkeys(
                iri
                for part in (tree, *(part.tree for part in _with_parts(criterion)))
                if part is not None
                for iri in part.conditions()
            )
        )
        self._values: Memory[tuple[Value, ...], Value] = Memory(ROOM)
        self._results: Memory[tuple[tuple[Value, ...], bool], CriterionResult] = Memory(ROOM)

    def result(self, values: Mapping[str, Value], outcome: Outcome, ways: Mapping[str, Value]) -> CriterionResult:
        """What the criterion comes to; `ways`: what each way to meet the criteria does, by its indication."""
        key = tuple([values[iri] for iri in self._conditions])
        value = self._values.get(key)
        if value is None:
            value = evaluate(self._tree, values)
            value = self._values.put(key, ~value if self._remainder else value)
        decides = decides_outcome(self._revision, self._criterion, value, outcome, ways)
        return self._results.get((key, decides)) or self._results.put(
            (key, decides), self._result(values, value, decides)
        )

    def _result(self, values: Mapping[str, Value], value: Value, decides: bool) -> CriterionResult:
        because = tuple(dict.fromkeys(grounds(self._tree, values)))
        reason = self._reason(because, values)
        if self._remainder:
            reason = self._revision.uncovered
        deciding = frozenset(bearing(self._tree, values)) if decides else frozenset[str]()
        parts = self._parts(self._criterion, values, deciding)
        return CriterionResult(self._criterion, value, decides, because, reason, parts)

    def _parts(
        self, criterion: Criterion, values: Mapping[str, Value], deciding: frozenset[str]
    ) -> tuple[CriterionResult, ...]:
        """The values of the parts of a criterion; `deciding` are those by which it comes to its own."""
        found = []
        for part in criterion.parts:
            assert part.tree is not None
            because = tuple(dict.fromkeys(grounds(part.tree, values)))
            value, reason = evaluate(part.tree, values), self._reason(because, values)
            below = self._parts(part, values, deciding)
            found.append(CriterionResult(part, value, part.iri in deciding, because, reason, below))
        return tuple(found)

    def _reason(self, because: Iterable[str], values: Mapping[str, Value]) -> str:
        return "; ".join(f"{self._revision.conditions[iri].label}: {values[iri].value}" for iri in because)


def _with_parts(criterion: Criterion) -> Iterator[Criterion]:
    yield criterion
    for part in criterion.parts:
        yield from _with_parts(part)


def _undetermined_need(revision: Revision, values: Mapping[str, Value], asked: frozenset[str]) -> Need:
    """What to send in so that the policy may come to apply and its criteria to hold."""
    parts: list[Need | str] = []
    # Apart from each other: an open applicability is asked for even where the criteria fail.
    for tree in (revision.applicability_tree, revision.criteria_tree):
        need = needed(tree, values, asked)
        flat = need.parts if isinstance(need, Need) and need.operator == "all" else (need,)
        parts.extend(one for one in flat if one is not None and one not in parts)
    return Need("all", tuple(parts))


def decides_outcome(
    revision: Revision, criterion: Criterion, value: Value, outcome: Outcome, ways: Mapping[str, Value]
) -> bool:
    """Whether a settled outcome rests on a criterion.

    Args:
        value: what the criterion comes to.
        ways: what each way to meet the criteria comes to, by the IRI of its indication: the indication, and what limits
            it alone.
    """
    if outcome is Outcome.NOT_APPLICABLE:
        return criterion.role == "applicability" and value is Value.FAILS
    own = (criterion,) if criterion.role == "indication" else revision.limited_by(criterion)
    if outcome is Outcome.MET:
        return criterion.role != "remainder" and (not own or any(ways[one.iri] is Value.HOLDS for one in own))
    if outcome is not Outcome.NOT_MET or criterion.role == "applicability":
        return False
    # One way that holds or is open is closed by what limits all of them, and by nothing else.
    if own and any(way is not Value.FAILS for way in ways.values()):
        return False
    return value is (Value.FAILS if criterion.role == "indication" else Value.HOLDS)
