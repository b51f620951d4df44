"""Determines many cases, each under the policy and revision asked for, or those that it calls for itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from kb_tools.determine.choice import PolicyChoice
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.evaluate import Known
from kb_tools.determine.locality import faults
from kb_tools.determine.looks import Looks
from kb_tools.determine.result import REVIEW, Determination, NotDetermined
from kb_tools.errors import KbError, KnowledgeBaseError
from kb_tools.model.history import Selection
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.soundness import skip_or_raise

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
    """Determines any number of cases, in bounded batches, each under the policy and revision that it calls for.

    Args:
        policy: the policy, or how it is chosen for each case.
        revision: the revision for all cases; None to choose by date.
        as_of: the day whose revision in force is taken for all cases; None for each case's service date.
        by_pieces: whether the engine is asked once about a part that many cases have in common, where the shapes allow
            it and there are more than a few cases; the answers are the same.
    """

    def __init__(
        self,
        kb: Repository,
        policy: Policy | PolicyChoice,
        engine: str,
        revision: str | None = None,
        as_of: date | None = None,
        by_pieces: bool = False,
    ) -> None:
        self.kb = kb
        self.engine = engine
        self.checker = CaseChecker(kb, engine)
        self._all = PolicyChoice([policy]) if isinstance(policy, Policy) else policy
        self._choose(revision, as_of)
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
        other._choose(revision, as_of)
        return other

    def choosing(self, choice: PolicyChoice, same_revision: bool = False) -> Run:
        """The same run for policies chosen in another way; what was loaded and learned is shared.

        Args:
            same_revision: whether the revision is chosen as here; else it is that in force on the service date.
        """
        other = copy(self)
        other._all = choice
        other._choose(*((self._named, self._day) if same_revision else (None, None)))
        return other

    @property
    def choice(self) -> PolicyChoice:
        """How the policy of a case is chosen."""
        return self._choice

    @property
    def policy(self) -> Policy:
        """The policy of every case.

        Raises:
            KbError: cases differ in it.
        """
        if self._choice.only is None:
            raise KbError(f"{len(self._choice.policies)} policies", hint="name one")
        return self._choice.only

    def _choose(self, revision: str | None, as_of: date | None) -> None:
        self._choice = self._all.having(revision)
        self._named, self._day = revision, as_of
        self._fixed: dict[str, Selection] = {}
        if self._choice.only and (revision is not None or as_of is not None):
            self._selection(self._choice.only, date.min)

    def _selection(self, policy: Policy, service_date: date) -> Selection:
        if self._named is None and self._day is None:
            return policy.in_force(service_date)
        if policy.iri not in self._fixed:
            if self._named is not None:
                found = Selection(policy.require_criteria(policy.entry(self._named)), ())
            else:
                assert self._day is not None
                found = policy.in_force(self._day)
            self._fixed[policy.iri] = found
        return self._fixed[policy.iri]

    def answers(self, cases: Iterable[Case]) -> Iterator[Answer]:
        """The answers for each case, in the order of the cases: one each, unless every policy is asked for."""
        for batch in batches(cases, self._size):
            for answers in self._answered(batch):
                yield from answers

    def _answered(self, batch: list[Case]) -> list[list[Answer]]:
        """The answers for each case of a batch, in the order of the policies."""
        if self._may_begin and len(batch) > FEW:
            self.begin_pieces()
        answers: dict[URIRef, dict[str, Answer]] = {}
        groups: dict[str, list[tuple[Case, Policy, Selection]]] = {}
        for checked in self.checker.check(batch):
            node = checked.case.node if isinstance(checked, Malformed) else checked.node
            of_case = answers[node] = {}
            if isinstance(checked, Malformed):
                of_case[""] = checked
                continue
            try:
                policies = self._choice.of(checked)
            except KbError as error:
                of_case[""] = NotDetermined(checked, error)
                continue
            for policy in policies:
                try:
                    selection = self._selection(policy, checked.service_date)
                except KbError as error:
                    of_case[policy.iri] = NotDetermined(checked, error, policy.identifier)
                else:
                    groups.setdefault(selection.revision.iri, []).append((checked, policy, selection))
        # The cases of one revision together, so that the engine is called once for all that is new in them.
        for group in groups.values():
            _, policy, selection = group[0]
            for (case, _, _), answer in zip(group, self._of_group(policy, selection, group), strict=True):
                if answer is not None:
                    answers[case.node][policy.iri] = answer
        order = ("", *(policy.iri for policy in self._choice.policies)) if self._choice.every else ()
        return [
            [found[iri] for iri in order if iri in found] if len(found) > 1 else list(found.values())
            for found in (answers[case.node] for case in batch)
        ]

    def _of_group(
        self, policy: Policy, selection: Selection, group: list[tuple[Case, Policy, Selection]]
    ) -> Sequence[Answer | None]:
        """The answers for cases of one revision; None where every policy is asked, and this one cannot be read."""
        cases = [case for case, _, _ in group]
        try:
            return self._determiner(policy, selection).determine(cases, [chosen.notices for _, _, chosen in group])
        except KbError as error:
            # Where other policies are asked too, one that is broken stops none of them.
            if self._choice.only:
                raise
            if self._choice.every and isinstance(error, KnowledgeBaseError):
                skip_or_raise(policy, error)
                return [None] * len(cases)
            return [NotDetermined(case, error, policy.identifier) for case in cases]

    def stream(self, found: Iterable[Case | KbError]) -> Iterator[Answer | KbError]:
        """The answers for each case, and in place of what could not be read the error, in the order given."""
        waiting = iter(found)
        while batch := list(islice(waiting, self._size)):
            cases = [item for item in batch if isinstance(item, Case)]
            answers = (of_case for some in batches(cases, self._size) for of_case in self._answered(some))
            for item in batch:
                if isinstance(item, Case):
                    yield from next(answers)
                else:
                    yield item

    def begin_pieces(self) -> None:
        """From now on asks the engine once about each part of a case, if the shapes allow it, however few the cases."""
        self._may_begin = False
        if not faults(self.kb):
            self.checker = CaseChecker(self.kb, self.engine, by_parts=True)
            self._known = Known(Looks(self.kb, self.engine))
            self._determiners.clear()

    def selection(self, service_date: date) -> Selection:
        """The revision for a case of this date of service, where all cases are of one policy.

        Raises:
            UnknownRevision: there is none whose criteria are on file.
        """
        return self._selection(self.policy, service_date)

    def determiner(self, selection: Selection) -> Determiner:
        """What determines cases under a revision, where all cases are of one policy."""
        return self._determiner(self.policy, selection)

    def _determiner(self, policy: Policy, selection: Selection) -> Determiner:
        iri = selection.revision.iri
        if iri not in self._determiners:
            revision = Revision.load(policy, selection.revision)
            self._determiners[iri] = Determiner(self.kb, revision, self.engine, self._known)
        return self._determiners[iri]
