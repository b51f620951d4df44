"""Determines many cases, each under the revision asked for or in force on its service date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from typing import TypeAlias

from rdflib import URIRef

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.result import Determination, NotDetermined
from kb_tools.errors import KbError
from kb_tools.model.history import Selection
from kb_tools.model.policy import Policy
from kb_tools.model.repository import KnowledgeBase
from kb_tools.model.revision import Revision

# How many cases share one call of the engine: enough to spread its fixed cost, few enough to show progress.
BATCH = 200


Answer: TypeAlias = Determination | Malformed | NotDetermined


# ---------------------------------------------------------------------- runs


class Run:
    """Determines any number of cases of one policy, in bounded batches, each under the revision that it calls for.

    Args:
        revision: the revision for all cases; None to choose by date.
        as_of: the day whose revision in force is taken for all cases; None for each case's service date.
    """

    def __init__(
        self, kb: KnowledgeBase, policy: Policy, engine: str, revision: str | None = None, as_of: date | None = None
    ) -> None:
        self.kb = kb
        self.policy = policy
        self.engine = engine
        self.checker = CaseChecker(kb, engine)
        self._fixed: Selection | None = None
        if revision is not None:
            self._fixed = Selection(policy.require_criteria(policy.entry(revision)), ())
        elif as_of is not None:
            self._fixed = policy.in_force(as_of)
        self._determiners: dict[str, Determiner] = {}

    def answers(self, cases: Iterable[Case]) -> Iterator[Answer]:
        """One answer for each case, in the order of the cases."""
        waiting = iter(cases)
        while batch := list(islice(waiting, BATCH)):
            answers: dict[URIRef, Answer] = {}
            groups: dict[Selection, list[Case]] = {}
            for checked in self.checker.check(batch):
                if isinstance(checked, Malformed):
                    answers[checked.case.node] = checked
                    continue
                try:
                    selection = self._fixed or self.policy.in_force(checked.service_date)
                except KbError as error:
                    answers[checked.node] = NotDetermined(checked, error)
                else:
                    groups.setdefault(selection, []).append(checked)
            for selection, group in groups.items():
                for determination in self.determiner(selection).determine(group, selection.notices):
                    answers[determination.case.node] = determination
            for case in batch:
                yield answers[case.node]

    def determiner(self, selection: Selection) -> Determiner:
        name = selection.revision.name
        if name not in self._determiners:
            revision = Revision.load(self.policy, selection.revision)
            self._determiners[name] = Determiner(self.kb, revision, self.engine)
        return self._determiners[name]
