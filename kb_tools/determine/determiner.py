"""Determines cases under a revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kb_tools.cases.case import Case
from kb_tools.determine.evaluate import Evaluator, Evidence, Known
from kb_tools.determine.facts import Fact, facts_in_words
from kb_tools.determine.needs import can_still_change, needed
from kb_tools.determine.result import ConditionResult, CriterionResult, Determination, Need, Outcome, outcome_of
from kb_tools.model.logic import Value, bearing, evaluate, grounds
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Advisory, Criterion


class Determiner:
    """Determines cases under one revision."""

    def __init__(self, kb: Repository, revision: Revision, engine: str, known: Known | None = None) -> None:
        """`known`: what is known of evidence met before, where several revisions share it."""
        self.kb = kb
        self.revision = revision
        self.evaluator = Evaluator(kb, revision.conditions.values(), engine, known)
        # Many cases share the values of their conditions, and with them all that follows.
        self._known: dict[
            tuple[Value, ...], tuple[frozenset[str], Outcome, Need | None, tuple[CriterionResult, ...]]
        ] = {}

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
        to_send, outcome, needs, criteria = self.conclude(values)
        read = {found.facts for found in evidence.values()}
        words = {facts: tuple(facts_in_words(self.kb, case, facts)) for facts in read}
        results = {
            iri: ConditionResult(revision.conditions[iri], found.value, found.perhaps, words[found.facts])
            for iri, found in evidence.items()
        }
        return Determination(
            case=case,
            revision=revision,
            service_date=case.service_date,
            outcome=outcome,
            applicability=evaluate(revision.applicability_tree, values),
            criteria=evaluate(revision.criteria_tree, values),
            criterion_results=criteria,
            condition_results=results,
            to_send=to_send,
            needs=needs,
            advisories=tuple(advisory for advisory in revision.advisories if is_given(advisory, values, perhaps)),
            notices=(
                *notices,
                *revision.notices,
                *case.notices,
                *difference_notices(results.values()),
                *age_notice(criteria, results),
            ),
        )

    def conclude(
        self, values: Mapping[str, Value]
    ) -> tuple[frozenset[str], Outcome, Need | None, tuple[CriterionResult, ...]]:
        """All that follows from the values of the deciding conditions alone."""
        revision = self.revision
        key = tuple(values[iri] for iri in revision.deciding_conditions)
        if key not in self._known:
            applies = evaluate(revision.applicability_tree, values)
            met = evaluate(revision.criteria_tree, values)
            asked = frozenset() if applies is Value.FAILS else can_still_change(revision, values)
            outcome = outcome_of(applies, met, any(values[iri] is Value.CONFLICTING for iri in asked))
            need = None if outcome.settled else _undetermined_need(revision, values, asked)
            self._known[key] = asked, outcome, need, tuple(self._criteria(values, outcome))
        return self._known[key]

    def _criteria(self, values: Mapping[str, Value], outcome: Outcome) -> Iterator[CriterionResult]:
        indication = self.revision.indication
        for criterion in self.revision.criteria:
            remainder = criterion.tree is None
            tree = indication.tree if remainder else criterion.tree
            assert tree is not None
            value = ~evaluate(tree, values) if remainder else evaluate(tree, values)
            because = tuple(dict.fromkeys(grounds(tree, values)))
            reason = self._reason(because, values)
            if remainder:
                reason = f"everything that criterion {indication.notation} does not cover"
            decides = _decides(criterion, value, outcome)
            parts = self._parts(criterion, values, frozenset(bearing(tree, values)) if decides else frozenset())
            yield CriterionResult(criterion, value, decides, because, reason, parts)

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
        return "; ".join(f"{self.revision.conditions[iri].label}: {values[iri].value}" for iri in because)


def _undetermined_need(revision: Revision, values: Mapping[str, Value], asked: frozenset[str]) -> Need:
    """What to send in so that the policy may come to apply and its criteria to hold."""
    parts: list[Need | str] = []
    # Apart from each other: an open applicability is asked for even where the criteria fail.
    for tree in (revision.applicability_tree, revision.criteria_tree):
        need = needed(tree, values, asked)
        flat = need.parts if isinstance(need, Need) and need.operator == "all" else (need,)
        parts.extend(one for one in flat if one is not None and one not in parts)
    return Need("all", tuple(parts))


def _decides(criterion: Criterion, value: Value, outcome: Outcome) -> bool:
    """Whether a settled outcome rests on this criterion."""
    if outcome is Outcome.NOT_APPLICABLE:
        return criterion.role == "applicability" and value is Value.FAILS
    if outcome is Outcome.NOT_MET:
        return value is {"indication": Value.FAILS, "applicability": None}.get(criterion.role, Value.HOLDS)
    return outcome is Outcome.MET and criterion.role != "remainder"


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
