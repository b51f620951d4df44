"""What flips cases between two revisions, as `kb diff` attributes it.

It follows from the values of all conditions under both, and so is worked out once for each pair of such vectors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kb_tools.batch.rows import Row, RowMaker
from kb_tools.batch.sight import VALUES
from kb_tools.determine.result import ConditionResult, CriterionResult, Outcome
from kb_tools.determine.run import Run
from kb_tools.memory import Memory
from kb_tools.model.history import Selection
from kb_tools.model.policy import Policy
from kb_tools.model.revision import Revision
from kb_tools.rdf.terms import local_name
from kb_tools.revisions.change import Change, Diff
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
    found = determiner.concluder.conclude({iri: result.value for iri, result in results.items()})
    return _Side(determiner.revision, found.outcome, found.criteria, results, found.to_send)


# ---------------------------------------------------------------------- many of them


@dataclass(frozen=True)
class Flipped:
    """How many cases the same criteria flipped from one outcome to another.

    Attributes:
        old, new: the outcomes, by their names.
        old_revision, new_revision: the revisions, by their names.
        criteria: what flipped them, in words.
        conditions: the conditions that gave the criteria their values, in words, each with the number of cases.
        log: the log statements that name the change of the criteria, else those that tell of it in general, by IRI.
    """

    old: str
    new: str
    old_revision: str
    new_revision: str
    cases: int
    criteria: tuple[str, ...]
    conditions: Mapping[str, int]
    log: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the group as JSON values, named as `kb diff` names them."""
        return {
            "old": self.old,
            "new": self.new,
            "oldRevision": self.old_revision,
            "newRevision": self.new_revision,
            "cases": self.cases,
            "criteria": list(self.criteria),
            "conditions": dict(self.conditions),
            "log": list(self.log),
        }


# The columns that flips are counted by.
COLUMNS = ("outcome", "compared_outcome", "revision", "compared_revision", "flip_criteria", "flip_conditions")
_Group: TypeAlias = tuple[str, str, str, str, tuple[str, ...]]


class FlipCounter:
    """Counts the flips in parts."""

    def __init__(self) -> None:
        self._cases: Counter[_Group] = Counter()
        self._conditions: dict[_Group, Counter[str]] = {}

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Adds the cases of a part, by its COLUMNS."""
        for old, new, before, after, criteria, conditions in zip(*(columns[name] for name in COLUMNS), strict=True):
            if old != new:
                group = (old, new, before, after, tuple(criteria))
                self._cases[group] += 1
                self._conditions.setdefault(group, Counter()).update(conditions)

    def by_outcomes(self) -> Counter[str]:
        """How many cases came from one outcome to another, as "A -> B"."""
        found: Counter[str] = Counter()
        for (old, new, *_), number in self._cases.items():
            found[f"{old} -> {new}"] += number
        return found

    def groups(self, policy: Policy, engine: str) -> tuple[Flipped, ...]:
        """The flips by what they are attributed to, the most frequent first; not those from or to no determination."""
        known = {group: number for group, number in self._cases.items() if group[2] and group[3]}
        diffs = {pair: compare(policy, *pair, engine) for pair in {(group[2], group[3]) for group in known}}
        found = []
        for group, number in known.items():
            old, new, before, after, criteria = group
            diff = diffs[before, after]
            changes = {local_name(iri): change for iri, change in changed_criteria(diff).items()}
            labels = {local_name(iri): label for iri, label in diff.conditions.items()}
            rows = [row for change in map(changes.get, map(_name, criteria)) if change for row in _rows(change)]
            conditions = {f"{labels[_name(code)]}: {_value(code)}": n for code, n in self._conditions[group].items()}
            words = tuple(_criterion_in_words(diff, code) for code in criteria)
            ordered = dict(sorted(conditions.items(), key=lambda item: (-item[1], item[0])))
            found.append(Flipped(old, new, before, after, number, words, ordered, tuple(dict.fromkeys(rows))))
        return tuple(sorted(found, key=lambda one: (-one.cases, one.old, one.new, one.criteria)))


def _rows(change: Change) -> tuple[str, ...]:
    return change.named or change.general


def _name(code: str) -> str:
    """The name of the criterion or condition that a code begins with."""
    return code.partition(": ")[0].partition(" of ")[0]


def _value(code: str) -> str:
    return code.rpartition(": ")[2]


def _criterion_in_words(diff: Diff, code: str) -> str:
    """What a criterion came to, as `kb diff` says it."""
    revision = code.partition(" of ")[2].partition(": ")[0]
    side = diff.old if diff.old.entry.name == revision else diff.new
    (found,) = [one for iri, one in side.all_criteria.items() if local_name(iri) == _name(code)]
    return f"{found.notation} of {revision}, {found.label}: {_value(code)}"
