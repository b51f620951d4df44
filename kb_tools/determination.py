"""A case under a revision: the status of its criteria, why, and what to send in. Never an approval or a denial.

The meanings are those of the design, sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from itertools import islice
from typing import TypeAlias

from rdflib import URIRef

from kb_tools.cases import Case, CaseChecker, Malformed
from kb_tools.errors import KbError
from kb_tools.evidence import Evaluator, Evidence
from kb_tools.facts import Doubt, Fact, facts_in_words
from kb_tools.knowledge_base import KnowledgeBase, Policy, Selection
from kb_tools.revision import Advisory, Condition, Criterion, Revision
from kb_tools.truth import Assignments, Tree, Value, evaluate

# How many cases share one call of the engine: enough to spread its fixed cost, few enough to show progress.
BATCH = 200
REVIEW = "For review by a clinician: this is the status of the criteria, neither an approval nor a denial."


class Outcome(Enum):
    """The status of the criteria of a revision on a case."""

    MET = "CriteriaMet"
    NOT_MET = "CriteriaNotMet"
    NOT_APPLICABLE = "PolicyNotApplicable"
    NEEDED = "InformationNeeded"
    CONFLICTING = "InformationConflicting"

    @property
    def settled(self) -> bool:
        return self in (Outcome.MET, Outcome.NOT_MET, Outcome.NOT_APPLICABLE)


@dataclass(frozen=True)
class ConditionResult:
    """The value of one condition, and the facts that made it so.

    Attributes:
        value: the value that it has whichever of the findings in doubt count.
        perhaps: the value that it would have if all that may speak for it and against it did.
    """

    condition: Condition
    value: Value
    perhaps: Value
    facts: tuple[Fact, ...]

    @property
    def contradicting(self) -> tuple[Fact, ...]:
        """Of a conflicting condition, the facts that contradict each other."""
        return tuple(fact for fact in self.facts if fact.contradicted) or self.facts

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Of a condition that a doubt keeps unknown, why the findings in doubt only perhaps count, each doubt once."""
        if self.value is self.perhaps:
            return ()
        return tuple(dict.fromkeys(doubt for fact in self.facts for doubt in fact.doubts))

    @property
    def settling(self) -> tuple[str, ...]:
        """What to send in to settle the doubts, each thing once."""
        return tuple(dict.fromkeys(doubt.settle for doubt in self.doubts))


@dataclass(frozen=True)
class CriterionResult:
    """The value of one criterion.

    Attributes:
        decides: whether the outcome, once settled, rests on this criterion.
        grounds: the conditions that give it its value.
        reason: why, in words.
        parts: the values of the criteria within it that the document gives a place of their own.
    """

    criterion: Criterion
    value: Value
    decides: bool
    grounds: tuple[str, ...]
    reason: str
    parts: tuple[CriterionResult, ...] = ()

    def with_parts(self) -> Iterator[CriterionResult]:
        """The result, then those of its parts, each followed by its own."""
        yield self
        for part in self.parts:
            yield from part.with_parts()


@dataclass(frozen=True)
class Need:
    """What to send in: all of its parts, or any of them; a part is another need or the IRI of a condition."""

    operator: str
    parts: tuple[Need | str, ...]


@dataclass(frozen=True)
class Determination:
    """The status of the criteria of one revision on one case.

    Attributes:
        selected: whether the revision was chosen by date rather than named.
        applicability, criteria: the values that the outcome comes from.
        to_send: every condition whose value can still change the outcome.
        needs: the same, grouped; None when the outcome is settled.
        advisories: what the document advises besides, with no influence on the outcome.
        notices: what a reader must know of revision, file and age of the facts.
    """

    case: Case
    revision: Revision
    service_date: date
    outcome: Outcome
    applicability: Value
    criteria: Value
    criterion_results: tuple[CriterionResult, ...]
    condition_results: Mapping[str, ConditionResult] = field(repr=False)
    to_send: frozenset[str]
    needs: Need | None
    advisories: tuple[Advisory, ...]
    notices: tuple[str, ...]

    def asks_for(self, condition: str) -> str:
        """What to send in for a condition: what settles it and, where a doubt keeps it open, what settles the doubt."""
        result = self.condition_results[condition]
        wanted = result.condition.asks_for.rstrip(".")
        return f"{wanted} (or what settles a doubt: {'; '.join(result.settling)})" if result.settling else wanted

    @property
    def every_criterion(self) -> tuple[CriterionResult, ...]:
        """The values of all criteria, each followed by those of its parts."""
        return tuple(each for result in self.criterion_results for each in result.with_parts())

    @property
    def conflicts(self) -> tuple[ConditionResult, ...]:
        """The conflicting conditions that can still change the outcome."""
        found = (self.condition_results[iri] for iri in self.revision.deciding_conditions if iri in self.to_send)
        return tuple(each for each in found if each.value is Value.CONFLICTING)

    @property
    def referred_to(self) -> tuple[str, str] | None:
        """Identifier and IRI of the policy to read where this one does not apply."""
        if self.outcome is not Outcome.NOT_APPLICABLE:
            return None
        found = (each.criterion.otherwise for each in self.criterion_results if each.decides)
        return next((other for other in found if other), None)


@dataclass(frozen=True)
class NotDetermined:
    """A well-formed case for which no revision could be used."""

    case: Case
    error: KbError


Answer: TypeAlias = Determination | Malformed | NotDetermined


def outcome_of(applicability: Value, criteria: Value, open_conflict: bool) -> Outcome:
    """The outcome, from the values of applicability and criteria (design, section 3.3).

    Args:
        open_conflict: whether a conflicting condition is among those that can still change the outcome.
    """
    if applicability is Value.FAILS:
        return Outcome.NOT_APPLICABLE
    if applicability is Value.HOLDS and criteria is Value.HOLDS:
        return Outcome.MET
    if applicability is Value.HOLDS and criteria is Value.FAILS:
        return Outcome.NOT_MET
    return Outcome.CONFLICTING if open_conflict else Outcome.NEEDED


def can_still_change(revision: Revision, values: Mapping[str, Value]) -> frozenset[str]:
    """The undetermined conditions whose value can change the outcome, however the other undetermined ones turn out."""
    assignments = Assignments({iri: values[iri] for iri in revision.deciding_conditions})
    applies = assignments.where(revision.applicability_tree)
    return assignments.can_change(applies, applies & assignments.where(revision.criteria_tree))


def needed(
    part: Tree | str, values: Mapping[str, Value], asked: frozenset[str], wanted: bool = True
) -> Need | str | None:
    """What to send in so that a tree may come to hold (or, if not `wanted`, to fail); None where it is settled.

    Conditions of which any one suffices are grouped as alternatives.
    """
    if evaluate(part, values).settled:
        return None
    if not isinstance(part, Tree):
        return part if part in asked else None
    # noneOf is allOf of the negated parts; a tree that is to fail needs any of what one that is to hold needs all.
    every = (part.operator == "anyOf") != wanted
    below = wanted != (part.operator == "noneOf")
    found: list[Need | str] = []
    for each in part.parts:
        need = needed(each, values, asked, below)
        flat = need.parts if isinstance(need, Need) and need.operator == ("all" if every else "any") else (need,)
        found.extend(one for one in flat if one is not None and one not in found)
    if not found:
        return None
    return found[0] if len(found) == 1 else Need("all" if every else "any", tuple(found))


def grounds(part: Tree | str, values: Mapping[str, Value]) -> Iterator[str]:
    """The conditions that give a tree its value: those that settle it, or those that keep it open."""
    if not isinstance(part, Tree):
        yield part
        return
    value = evaluate(part, values)
    as_if = ~value if part.operator == "noneOf" else value
    same = [each for each in part.parts if evaluate(each, values) is as_if]
    for each in same:
        yield from grounds(each, values)


def bearing(part: Tree | str, values: Mapping[str, Value]) -> Iterator[str]:
    """The trees with an IRI of their own, within a tree, that give it its value."""
    if not isinstance(part, Tree):
        return
    value = evaluate(part, values)
    as_if = ~value if part.operator == "noneOf" else value
    for each in part.parts:
        if isinstance(each, Tree) and evaluate(each, values) is as_if:
            yield each.iri
            yield from bearing(each, values)


class Determiner:
    """Determines cases under one revision."""

    def __init__(self, kb: KnowledgeBase, revision: Revision, engine: str) -> None:
        self.kb = kb
        self.revision = revision
        self.evaluator = Evaluator(kb, revision.conditions.values(), engine)
        # Many cases share the values of their conditions, and with them all that follows.
        self._known: dict[
            tuple[Value, ...], tuple[frozenset[str], Outcome, Need | None, tuple[CriterionResult, ...]]
        ] = {}

    def determine(self, cases: Sequence[Case], notices: tuple[str, ...] = ()) -> list[Determination]:
        """The determinations of well-formed cases, in their order.

        Args:
            notices: what a reader must know of how the revision was chosen.
        """
        return [
            self._determine(case, evidence, notices)
            for case, evidence in zip(cases, self.evaluator.evaluate(cases), strict=True)
        ]

    def _determine(self, case: Case, evidence: Mapping[str, Evidence], notices: tuple[str, ...]) -> Determination:
        revision = self.revision
        values = {iri: each.value for iri, each in evidence.items()}
        perhaps = {iri: each.perhaps for iri, each in evidence.items()}
        to_send, outcome, needs, criteria = self._conclude(values)
        facts = {each.facts for each in evidence.values()}
        words = {each: tuple(facts_in_words(self.kb, case, each)) for each in facts}
        results = {
            iri: ConditionResult(revision.conditions[iri], each.value, each.perhaps, words[each.facts])
            for iri, each in evidence.items()
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
            advisories=tuple(each for each in revision.advisories if is_given(each, values, perhaps)),
            notices=(
                *notices,
                *revision.notices,
                *case.notices,
                *difference_notices(results.values()),
                *age_notice(criteria, results),
            ),
        )

    def _conclude(
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
            reason = f"what {indication.notation} leaves" if remainder else self._reason(because, values)
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
    for each in results:
        conflict = Value.CONFLICTING in (each.value, each.perhaps)
        contradicted = [fact for fact in each.facts if fact.contradicted]
        for day in dict.fromkeys(fact.day for fact in contradicted):
            of_day = tuple(fact for fact in contradicted if fact.day == day)
            read[of_day] = read.get(of_day, False) or conflict
    for differing, conflict in read.items():
        if not conflict:
            texts = "; ".join(fact.text for fact in differing)
            yield f"Findings of one day differ, and no condition takes them to contradict each other: {texts}."


def age_notice(criteria: Iterable[CriterionResult], results: Mapping[str, ConditionResult]) -> Iterator[str]:
    """The age of the findings that the deciding criteria rest on: the policy sets no limit to it.

    A settled value rests on what counts, never on what only perhaps counts.
    """
    iris = dict.fromkeys(iri for each in criteria if each.decides for iri in each.grounds)
    ages = {
        f"{fact.text.partition(':')[0]} {fact.day}, {fact.age} days"
        for iri in iris
        for fact in results[iri].facts
        if fact.age is not None and not fact.doubts
    }
    if ages:
        yield f"Age at the service date of the findings that decide: {'; '.join(sorted(ages))}."


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
