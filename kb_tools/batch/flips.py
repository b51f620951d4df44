"""What flips cases between two revisions, as `kb diff` attributes it.

It follows from the values of all conditions under both, and so is worked out once for each pair of such vectors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kb_tools.batch.rows import Row, RowMaker
from kb_tools.batch.sight import VALUES
from kb_tools.determine.result import ConditionResult, CriterionResult, Outcome
from kb_tools.determine.run import Run
from kb_tools.memory import Memory
from kb_tools.model.history import Selection
from kb_tools.model.policy import Policy
from kb_tools.model.revision import Revision
from kb_tools.rdf.terms import local_name
from kb_tools.revisions.compare import compare, criteria_that_differ
from kb_tools.revisions.impact import cause_of, changed_criteria

# Pairs of vectors that are kept in one generation.
PAIRS = 50_000


@dataclass(frozen=True)
class _Side:
    revision: Revision
    outcome: Outcome
    criterion_results: tuple[CriterionResult, ...]
    condition_results: Mapping[str, ConditionResult]
    to_send: frozenset[str]


@dataclass(frozen=True)
class Codes:
    """What flipped a case, in codes.

    Attributes:
        criteria: as "acute-gvhd of 2026-02: holds".
        conditions: as "acute-gvhd-of-grade-2-or-higher: holds".
    """

    criteria: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()


_NOTHING = Codes()


class Attribution:
    """Attributes flips from the outcome under one run to that under another."""

    def __init__(self, before: tuple[Run, RowMaker], after: tuple[Run, RowMaker]) -> None:
        self._before = before
        self._after = after
        self._known: Memory[tuple[str, bytes, str, bytes], Codes] = Memory(PAIRS)
        self._changed: dict[tuple[str, str], frozenset[str]] = {}

    def of(self, before: Row, after: Row) -> Codes:
        """What flipped a case; nothing where its outcome is the same, or it was not determined under both."""
        if before.outcome == after.outcome or not (before.values and after.values):
            return _NOTHING
        key = (before.revision, before.values, after.revision, after.values)
        return self._known.get(key) or self._known.put(key, self._attributed(before, after))

    def _attributed(self, before: Row, after: Row) -> Codes:
        old, new = _side(*self._before, before), _side(*self._after, after)
        pair = (before.revision, after.revision)
        if pair not in self._changed:
            self._changed[pair] = criteria_that_differ(old.revision, new.revision)
        cause = cause_of(self._changed[pair], old, new)
        return Codes(
            tuple(
                f"{local_name(result.criterion.iri)} of {revision.entry.name}: {result.value.value}"
                for revision, result in cause.criteria
            ),
            tuple(
                dict.fromkeys(f"{local_name(one.condition.iri)}: {one.value.value}" for one in cause.conditions),
            ),
        )


def _side(run: Run, maker: RowMaker, row: Row) -> _Side:
    """What a case comes to, by the values in its row."""
    selection = Selection(run.policy.entry(row.revision), ())
    sight, determiner = maker.sight(selection), run.determiner(selection)
    results = {
        condition.iri: ConditionResult(condition, VALUES[code >> 2], VALUES[code & 3], ())
        for condition, code in zip(sight.conditions, row.values, strict=True)
    }
    to_send, outcome, _, criteria = determiner.conclude({iri: result.value for iri, result in results.items()})
    return _Side(determiner.revision, outcome, criteria, results, to_send)
