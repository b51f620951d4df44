"""Determines cases under a revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from kb_tools.cases.case import Case
from kb_tools.determine.choice import payer_notice
from kb_tools.determine.concern import Concern, concern_of
from kb_tools.determine.conclude import Concluder
from kb_tools.determine.evaluate import Evaluator, Evidence, Known
from kb_tools.determine.facts import Fact, facts_in_words
from kb_tools.determine.result import ConditionResult, CriterionResult, Determination
from kb_tools.model.logic import Value, evaluate
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Advisory


class Determiner:
    """Determines cases under one revision."""

    def __init__(self, kb: Repository, revision: Revision, engine: str, known: Known | None = None) -> None:
        """`known`: what is known of evidence met before, where several revisions share it."""
        self.kb = kb
        self.revision = revision
        self.evaluator = Evaluator(kb, revision.conditions.values(), engine, known)
        # Many cases share the values of their conditions, and with them all that follows.
        self.concluder = Concluder(revision)
        self.concerns = {iri: concern_of(kb, condition) for iri, condition in revision.conditions.items()}

    def determine(self, cases: Sequence[Case], notices: Sequence[tuple[str, ...]] | None = None) -> list[Determination]:
        """The determinations of well-formed cases, in their order.

        Args:
            notices: for each case what a reader must know of how the revision was chosen; None where it is nothing.
        """
        of_cases = [()] * len(cases) if notices is None else notices
        return [
            self._determine(case, evidence, of_case)
            for case, evidence, of_case in zip(cases, self.evaluator.evaluate(cases), of_cases, strict=True)
        ]

    def _determine(self, case: Case, evidence: Mapping[str, Evidence], notices: tuple[str, ...]) -> Determination:
        revision = self.revision
        values = {iri: found.value for iri, found in evidence.items()}
        perhaps = {iri: found.perhaps for iri, found in evidence.items()}
        to_send, outcome, criteria = self.concluder.conclude(values)
        read = {found.facts for found in evidence.values()}
        words = {facts: tuple(facts_in_words(self.kb, case, facts)) for facts in read}
        service = case.service_date
        results = {
            iri: ConditionResult(
                revision.conditions[iri],
                found.value,
                found.perhaps,
                bearing_on(self.concerns[iri], words[found.facts], service),
                self.concerns[iri],
            )
            for iri, found in evidence.items()
        }
        return Determination(
            case=case,
            revision=revision,
            service_date=service,
            outcome=outcome,
            applicability=evaluate(revision.applicability_tree, values),
            criteria=evaluate(revision.criteria_tree, values),
            criterion_results=criteria,
            condition_results=results,
            to_send=to_send,
            needs=self.concluder.needs(values),
            advisories=tuple(advisory for advisory in revision.advisories if is_given(advisory, values, perhaps)),
            notices=(
                *notices,
                *revision.notices,
                *payer_notice(case, revision.policy),
                *case.notices,
                *difference_notices(results.values()),
                *age_notice(criteria, results),
            ),
        )


def bearing_on(concern: Concern, facts: tuple[Fact, ...], service: date) -> tuple[Fact, ...]:
    """The facts that a condition read, without those that do not bear on it."""
    if concern.is_any and not concern.properties:
        return facts
    return tuple(
        fact
        for fact in facts
        if (concern.looks_at(fact.of) if fact.day is None else concern.bears(fact.day, service, fact.of))
    )


def is_given(advisory: Advisory, values: Mapping[str, Value], perhaps: Mapping[str, Value]) -> bool:
    """Whether an advisory is given: all it depends on perhaps holds, and nothing that lifts it surely does.

    Args:
        values: the value of each condition, whichever of the findings in doubt count.
        perhaps: the value that each would have if all that may speak for it and against it did.
    """
    if advisory.unless is not None and evaluate(advisory.unless, values) is Value.HOLDS:
        return False
    return all(evaluate(when, perhaps) in (Value.HOLDS, Value.CONFLICTING) for when in advisory.when)


# ---------------------------------------------------------------------- notices


def difference_notices(results: Iterable[ConditionResult]) -> Iterator[str]:
    """The findings of one day that differ without contradicting each other in any condition that reads them.

    For instance a relapse beside a partial remission, or grades 3 and 4 (docs: design, section 3.4).
    """
    read: dict[tuple[Fact, ...], bool] = {}
    for result in results:
        conflict = Value.CONFLICTING in (result.value, result.perhaps)
        contradicted = [fact for fact in result.facts if fact.contradicted]
        for day in dict.fromkeys(fact.day for fact in contradicted):
            of_day = tuple(fact for fact in contradicted if fact.day == day)
            read[of_day] = read.get(of_day, False) or conflict
    for differing, conflict in read.items():
        if not conflict:
            texts = "; ".join(fact.text for fact in differing)
            yield f"Findings of one day differ, but no condition treats them as contradicting each other: {texts}."


def age_notice(criteria: Iterable[CriterionResult], results: Mapping[str, ConditionResult]) -> Iterator[str]:
    """The age of the findings that the deciding criteria rest on: the policy sets no limit to it.

    A settled value rests on what counts, never on what only perhaps counts.
    """
    iris = dict.fromkeys(iri for criterion in criteria if criterion.decides for iri in criterion.grounds)
    ages = {
        f"{fact.text.partition(':')[0]} {fact.day}, {fact.age} days"
        for iri in iris
        for fact in results[iri].facts
        if fact.age is not None and not fact.doubts
    }
    if ages:
        yield f"Age at the service date of the findings that decide: {'; '.join(sorted(ages))}."
