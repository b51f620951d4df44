"""Determines many cases, each under the revision asked for or in force on its service date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, TypeAlias

from rdflib import URIRef

from kb_tools import __version__
from kb_tools.as_json import AsJson
from kb_tools.cases.case import Case, Malformed, apart
from kb_tools.cases.check import CaseChecker
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.evaluate import Known
from kb_tools.determine.locality import faults
from kb_tools.determine.looks import Looks
from kb_tools.determine.result import REVIEW, Determination, NotDetermined
from kb_tools.errors import KbError
from kb_tools.model.history import Selection
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision

# How many cases share one call of the engine: enough to spread its fixed cost, few enough to show progress.
BATCH = 200
# The same where parts of cases are asked once, so that little of a call is work; and from how many cases on they are:
# below, it takes longer to find out that they may be than to ask.
TOGETHER, FEW = 1_000, 20


Answer: TypeAlias = Determination | Malformed | NotDetermined


@dataclass(frozen=True)
class Determinations(AsJson):
    """What became of many cases.

    Attributes:
        answers: one for each case, in the order of the cases; in place of what could not be read, the error.
    """

    answers: tuple[Answer | KbError, ...]

    def __iter__(self) -> Iterator[Answer | KbError]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def determined(self) -> tuple[Determination, ...]:
        """The determinations."""
        return tuple(answer for answer in self.answers if isinstance(answer, Determination))

    @property
    def malformed(self) -> tuple[Malformed, ...]:
        """The cases that break the case shapes."""
        return tuple(answer for answer in self.answers if isinstance(answer, Malformed))

    @property
    def not_determined(self) -> tuple[NotDetermined, ...]:
        """The well-formed cases for which no revision could be used."""
        return tuple(answer for answer in self.answers if isinstance(answer, NotDetermined))

    @property
    def errors(self) -> tuple[KbError, ...]:
        """Why some inputs hold no case that can be read."""
        return tuple(answer for answer in self.answers if isinstance(answer, KbError))

    def to_dict(self) -> dict[str, Any]:
        """Give all answers, as `kb validate --format json` does."""
        return {
            "tool": f"kb {__version__}",
            "review": REVIEW,
            "determinations": [answer.to_dict() for answer in self.determined],
            "malformed": [answer.to_dict() for answer in self.malformed],
            "notDetermined": [answer.to_dict() for answer in self.not_determined],
            "errors": [line for error in self.errors for line in error.lines()],
        }


def batches(cases: Iterable[Case], size: int | None = None) -> Iterator[list[Case]]:
    """Cut a stream of cases into lists of at most `size`, by default BATCH, each of cases that share no node."""
    waiting = iter(cases)
    while batch := apart(islice(waiting, size or BATCH)):
        yield batch


class Run:
    """Determines any number of cases of one policy, in bounded batches, each under the revision that it calls for.

    Args:
        revision: the revision for all cases; None to choose by date.
        as_of: the day whose revision in force is taken for all cases; None for each case's service date.
        by_pieces: whether the engine is asked once about a part that many cases have in common, where the shapes allow
            it and there are more than a few cases; the answers are the same.
    """

    def __init__(
        self,
        kb: Repository,
        policy: Policy,
        engine: str,
        revision: str | None = None,
        as_of: date | None = None,
        by_pieces: bool = False,
    ) -> None:
        self.kb = kb
        self.policy = policy
        self.engine = engine
        self.checker = CaseChecker(kb, engine)
        self._fixed = self._chosen(revision, as_of)
        self._known = Known()
        self._determiners: dict[str, Determiner] = {}
        # Whether it is still to be found out if the shapes allow to ask once about each part.
        self._may_begin = by_pieces
        self._size = TOGETHER if by_pieces else BATCH

    def under(self, revision: str | None, as_of: date | None) -> Run:
        """The same run for another choice of revision; what was loaded and learned is shared.

        Raises:
            UnknownRevision: there is no such revision, or its criteria are not on file.
        """
        other = copy(self)
        other._fixed = self._chosen(revision, as_of)
        return other

    def _chosen(self, revision: str | None, as_of: date | None) -> Selection | None:
        if revision is not None:
            return Selection(self.policy.require_criteria(self.policy.entry(revision)), ())
        return None if as_of is None else self.policy.in_force(as_of)

    def answers(self, cases: Iterable[Case]) -> Iterator[Answer]:
        """One answer for each case, in the order of the cases."""
        for batch in batches(cases, self._size):
            if self._may_begin and len(batch) > FEW:
                self.begin_pieces()
            answers: dict[URIRef, Answer] = {}
            groups: dict[str, list[tuple[Case, Selection]]] = {}
            for checked in self.checker.check(batch):
                if isinstance(checked, Malformed):
                    answers[checked.case.node] = checked
                    continue
                try:
                    selection = self.selection(checked.service_date)
                except KbError as error:
                    answers[checked.node] = NotDetermined(checked, error)
                else:
                    groups.setdefault(selection.revision.name, []).append((checked, selection))
            # The cases of one revision together, so that the engine is called once for all that is new in them.
            for group in groups.values():
                determiner = self.determiner(group[0][1])
                notices = [selection.notices for _, selection in group]
                for determination in determiner.determine([case for case, _ in group], notices):
                    answers[determination.case.node] = determination
            for case in batch:
                yield answers[case.node]

    def stream(self, found: Iterable[Case | KbError]) -> Iterator[Answer | KbError]:
        """One answer for each case, and in place of what could not be read the error, in the order given."""
        waiting = iter(found)
        while batch := list(islice(waiting, self._size)):
            answers = self.answers(item for item in batch if isinstance(item, Case))
            for item in batch:
                yield next(answers) if isinstance(item, Case) else item

    def begin_pieces(self) -> None:
        """From now on asks the engine once about each part of a case, if the shapes allow it, however few the cases."""
        self._may_begin = False
        if not faults(self.kb):
            self.checker = CaseChecker(self.kb, self.engine, by_parts=True)
            self._known = Known(Looks(self.kb, self.engine))
            self._determiners.clear()

    def selection(self, service_date: date) -> Selection:
        """The revision for a case of this date of service.

        Raises:
            UnknownRevision: there is none whose criteria are on file.
        """
        return self._fixed or self.policy.in_force(service_date)

    def determiner(self, selection: Selection) -> Determiner:
        name = selection.revision.name
        if name not in self._determiners:
            revision = Revision.load(self.policy, selection.revision)
            self._determiners[name] = Determiner(self.kb, revision, self.engine, self._known)
        return self._determiners[name]
