"""What becomes of cases under two revisions, and what flipped those whose outcome differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from kb_tools.cases.case import Case, Malformed, readable
from kb_tools.determine.result import ConditionResult, CriterionResult, Outcome
from kb_tools.errors import KbError
from kb_tools.model.revision import Revision
from kb_tools.revisions.change import CONTENT, Change, Diff
from kb_tools.revisions.replay import Flip, Impact, Replay, Replayer


def with_impact(diff: Diff, cases: Iterable[Case | KbError], engine: str) -> Diff:
    """Add to a difference what becomes of cases under both revisions.

    Args:
        cases: the cases, and in place of what could not be read the error.
        engine: one of kb_tools.rdf.shacl.ENGINES.
    """
    errors: list[KbError] = []
    counts: Counter[tuple[Outcome, Outcome]] = Counter()
    flips: list[Flip] = []
    malformed: list[Malformed] = []
    replayer = Replayer(diff.new.policy.kb, diff.old, diff.new, engine)
    for replay in replayer.replay(readable(cases, errors.append)):
        if isinstance(replay, Malformed):
            malformed.append(replay)
            continue
        counts[replay.before.outcome, replay.after.outcome] += 1
        if replay.flipped:
            flips.append(flip_of(diff, replay))
    return replace(diff, impact=Impact(counts, tuple(flips), tuple(malformed), tuple(errors)))


class Side(Protocol):
    """What a case comes to under one revision, as far as a flip can be attributed to it; a Determination is one."""

    @property
    def revision(self) -> Revision: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def criterion_results(self) -> tuple[CriterionResult, ...]: ...
    @property
    def condition_results(self) -> Mapping[str, ConditionResult]: ...
    @property
    def to_send(self) -> frozenset[str]: ...


@dataclass(frozen=True)
class Cause:
    """What flipped a case.

    Attributes:
        criteria: the criteria that changed and turn the case away or keep it open, each with its revision.
        conditions: the conditions that give them their values.
    """

    criteria: tuple[tuple[Revision, CriterionResult], ...]
    conditions: tuple[ConditionResult, ...]


def flip_of(diff: Diff, replay: Replay) -> Flip:
    """What flipped a case, in words, and the log statements that tell of it."""
    changed = changed_criteria(diff)
    cause = cause_of(changed, replay.before, replay.after)
    changes = [changed[result.criterion.iri] for _, result in cause.criteria if result.criterion.iri in changed]
    return Flip(
        case=replay.before.case.title,
        before=replay.before.outcome,
        after=replay.after.outcome,
        criteria=tuple(
            f"{result.criterion.notation} of {diff.name_of(revision)}, {result.criterion.label}: {result.value.value}"
            for revision, result in cause.criteria
        ),
        conditions=_unique(
            f"{diff.conditions[result.condition.iri]}: {result.value.value}" for result in cause.conditions
        ),
        rows=_unique(row for change in changes for row in change.named or change.general),
    )


def changed_criteria(diff: Diff) -> dict[str, Change]:
    """The changes of what criteria let through, by the IRI of the criterion."""
    return {change.iri: change for change in diff.changes if change.part == "Criteria" and change.kind in CONTENT}


def cause_of(changed: Collection[str], before: Side, after: Side) -> Cause:
    """What flipped a case: the criteria that changed and turn it away or keep it open, and the conditions in them.

    Args:
        changed: the IRIs of the criteria whose content differs between the two revisions.
    """
    deciding = [(side, result) for side in _sides_that_tell(before, after) for result in _deciding(side)]
    # What both revisions ask alike comes out alike under both, and flips nothing.
    telling = [(side, part) for side, result in deciding for part in _changed(result, changed)]
    deciding = telling or deciding
    return Cause(
        tuple((side.revision, result) for side, result in deciding),
        tuple(side.condition_results[iri] for side, result in deciding for iri in result.grounds),
    )


def _sides_that_tell(before: Side, after: Side) -> tuple[Side, ...]:
    """Where to look for what flipped a case.

    Before, if it is met after; else after. What was settled before and is open after, or was in conflict and is so no
    longer, was let go by one thing and is held by another: then both.
    """
    if after.outcome is Outcome.MET:
        return (before,)
    if after.outcome.settled or before.outcome in (Outcome.MET, Outcome.NEEDED):
        return (after,)
    return before, after


def _deciding(side: Side) -> list[CriterionResult]:
    """The criteria that turn a case away, or those that keep it open."""
    if side.outcome.settled:
        return [result for result in side.criterion_results if result.decides]
    return [
        result
        for result in side.criterion_results
        if not result.value.settled and side.to_send.intersection(result.grounds)
    ]


def _changed(result: CriterionResult, changed: Collection[str]) -> list[CriterionResult]:
    """The criterion itself, if it changed; else those within it that did and that tell alike."""
    if result.criterion.iri in changed:
        return [result]
    alike = [part for part in result.parts if part.decides or not part.value.settled]
    return [found for part in alike for found in _changed(part, changed)]


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
