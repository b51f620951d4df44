"""Cases determined under two revisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.result import Determination, Outcome
from kb_tools.determine.run import batches
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision

# What flipped a case, in words: criteria, conditions and log statements.
Reasons: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Replay:
    """One case under both revisions."""

    before: Determination
    after: Determination

    @property
    def flipped(self) -> bool:
        """Whether its outcome differs."""
        return self.before.outcome is not self.after.outcome


@dataclass(frozen=True)
class Flip:
    """A case whose outcome differs, and what flipped it.

    Attributes:
        criteria: the criteria, by place and name, that changed, and turn the case away or keep it open where it is not
            met.
        conditions: the labels of the conditions that give them their values.
        rows: the log statements that name the change of these criteria, else those that tell of it in general, by IRI.
    """

    case: str
    before: Outcome
    after: Outcome
    criteria: tuple[str, ...]
    conditions: tuple[str, ...]
    rows: tuple[str, ...]

    @property
    def reasons(self) -> Reasons:
        """What flipped it."""
        return self.criteria, self.conditions, self.rows

    def to_dict(self) -> dict[str, Any]:
        """Give the flip as JSON values."""
        return {
            "case": self.case,
            "old": self.before.value,
            "new": self.after.value,
            "criteria": list(self.criteria),
            "conditions": list(self.conditions),
            "log": list(self.rows),
        }


@dataclass(frozen=True)
class Impact:
    """What became of the cases determined under both revisions.

    Attributes:
        counts: how many cases come to each pair of outcomes, under the old revision and under the new one.
        flips: the cases whose outcome differs.
        malformed: the cases that break the case shapes, and are determined under neither.
        errors: why some inputs hold no case that can be read.
    """

    counts: Mapping[tuple[Outcome, Outcome], int]
    flips: tuple[Flip, ...]
    malformed: tuple[Malformed, ...] = ()
    errors: tuple[KbError, ...] = ()

    @property
    def grouped(self) -> dict[tuple[Outcome, Outcome], dict[Reasons, list[Flip]]]:
        """The flips by their outcomes under both, and then by what flipped them; in order."""
        found: dict[tuple[Outcome, Outcome], dict[Reasons, list[Flip]]] = {}
        for flip in sorted(self.flips, key=lambda flip: (flip.before.value, flip.after.value, flip.reasons)):
            found.setdefault((flip.before, flip.after), {}).setdefault(flip.reasons, []).append(flip)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give the impact as JSON values."""
        counts = sorted((old.value, new.value, count) for (old, new), count in self.counts.items())
        return {
            "counts": [{"old": old, "new": new, "cases": count} for old, new, count in counts],
            "flips": [flip.to_dict() for flip in self.flips],
            "malformed": [answer.case.title for answer in self.malformed],
        }


class Replayer:
    """Determines cases under two revisions; each case is read, checked and prepared once."""

    def __init__(self, kb: Repository, old: Revision, new: Revision, engine: str) -> None:
        self.engine = engine
        self.checker = CaseChecker(kb, engine)
        self.before = Determiner(kb, old, engine)
        self.after = Determiner(kb, new, engine)

    def replay(self, cases: Iterable[Case]) -> Iterator[Replay | Malformed]:
        """Each case under both revisions, in the order of the cases."""
        for batch in batches(cases):
            checked = self.checker.check(batch)
            sound = [case for case in checked if isinstance(case, Case)]
            pairs = zip(self.before.determine(sound), self.after.determine(sound), strict=True)
            for item in checked:
                yield item if isinstance(item, Malformed) else Replay(*next(pairs))
