"""Cases determined under two revisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.result import Determination
from kb_tools.determine.run import BATCH
from kb_tools.model.repository import KnowledgeBase
from kb_tools.model.revision import Revision


@dataclass(frozen=True)
class Replay:
    """One case under both revisions."""

    before: Determination
    after: Determination

    @property
    def flipped(self) -> bool:
        """Whether its outcome differs."""
        return self.before.outcome is not self.after.outcome


class Replayer:
    """Determines cases under two revisions; each case is read, checked and prepared once."""

    def __init__(self, kb: KnowledgeBase, old: Revision, new: Revision, engine: str) -> None:
        self.engine = engine
        self.checker = CaseChecker(kb, engine)
        self.before = Determiner(kb, old, engine)
        self.after = Determiner(kb, new, engine)

    def replay(self, cases: Iterable[Case]) -> Iterator[Replay | Malformed]:
        """Each case under both revisions, in the order of the cases."""
        waiting = iter(cases)
        while batch := list(islice(waiting, BATCH)):
            checked = self.checker.check(batch)
            sound = [each for each in checked if isinstance(each, Case)]
            pairs = zip(self.before.determine(sound), self.after.determine(sound), strict=True)
            for each in checked:
                yield each if isinstance(each, Malformed) else Replay(*next(pairs))
