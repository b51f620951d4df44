"""What a determination says: outcome, criteria, conditions, and what to send in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any

from kb_tools.as_json import AsJson
from kb_tools.cases.case import Case
from kb_tools.determine.concern import ANY, Concern
from kb_tools.determine.facts import Doubt, Fact
from kb_tools.errors import KbError
from kb_tools.model.logic import Value
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Advisory, Condition, Criterion

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
        facts: what it read that bears on it.
        concern: what a finding must be like for that.
    """

    condition: Condition
    value: Value
    perhaps: Value
    facts: tuple[Fact, ...]
    concern: Concern = ANY

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
    def left_open_by(self) -> tuple[Fact, ...]:
        """Of an unknown condition that no doubt keeps open, the facts that it reads: none of them settles it."""
        return self.facts if self.value is self.perhaps is Value.UNKNOWN else ()

    @property
    def settling(self) -> tuple[str, ...]:
        """What to send in to settle the doubts, each thing once."""
        return tuple(dict.fromkeys(doubt.settle for doubt in self.doubts))

    def to_dict(self) -> dict[str, Any]:
        """Give the value and its facts as JSON values."""
        return {
            "condition": self.condition.iri,
            "label": self.condition.label,
            "value": self.value.value,
            "perhaps": self.perhaps.value,
            "facts": [fact.to_dict() for fact in self.facts],
        }


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

    def to_dict(self) -> dict[str, Any]:
        """Give the value of the criterion and of its parts as JSON values."""
        return {
            "criterion": self.criterion.iri,
            "role": self.criterion.role,
            **({"limits": list(self.criterion.limits)} if self.criterion.limits else {}),
            "place": self.criterion.notation,
            "label": self.criterion.label,
            "value": self.value.value,
            "decides": self.decides,
            "reason": self.reason,
            "grounds": list(self.grounds),
            "passages": [place.to_dict() for place in self.criterion.places],
            "references": [citation.to_dict() for citation in self.criterion.citations],
            "parts": [part.to_dict() for part in self.parts],
        }


@dataclass(frozen=True)
class Need:
    """What to send in: all of its parts, any of them, or at least so many; a part is another need or a condition.

    Attributes:
        operator: "all", "any" or "atLeast".
        parts: needs, or IRIs of conditions. Of "atLeast", what would settle two of those that are counted stands twice.
        least: of "atLeast", how many of them; else 0.
        more: of "atLeast", whether others that are counted are settled that way already.
    """

    operator: str
    parts: tuple[Need | str, ...]
    least: int = 0
    more: bool = False

    def to_dict(self, of_part: Callable[[Need | str], Any]) -> dict[str, Any]:
        """Give the need as JSON values; `of_part` gives a part as such."""
        parts = [of_part(part) for part in self.parts]
        return {"atLeast": self.least, "of": parts} if self.operator == "atLeast" else {f"{self.operator}Of": parts}


@dataclass(frozen=True)
class Determination(AsJson):
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

    @property
    def because(self) -> str:
        """Why the outcome is what it is, in one line (kb_tools.determine.in_words)."""
        from kb_tools.determine.in_words import because

        return because(self)

    @property
    def every_criterion(self) -> tuple[CriterionResult, ...]:
        """The values of all criteria, each followed by those of its parts."""
        return tuple(part for result in self.criterion_results for part in result.with_parts())

    @property
    def conflicts(self) -> tuple[ConditionResult, ...]:
        """The conflicting conditions that can still change the outcome."""
        found = (self.condition_results[iri] for iri in self.revision.deciding_conditions if iri in self.to_send)
        return tuple(result for result in found if result.value is Value.CONFLICTING)

    @property
    def referred_to(self) -> tuple[str, str] | None:
        """Identifier and IRI of the policy to read where this one does not apply."""
        return referral(self.outcome, self.criterion_results)

    def to_dict(self) -> dict[str, Any]:
        """Give the determination, as `kb validate --format json` lists it under "determinations"."""
        revision = self.revision
        disposition = revision.disposition if self.outcome is Outcome.NOT_MET else None
        return {
            **self.case.identity(),
            "policy": revision.policy.identifier,
            "revision": revision.entry.name,
            "criteriaBasis": revision.entry.bases.get("Criteria"),
            "serviceDate": self.service_date.isoformat(),
            "outcome": self.outcome.value,
            "because": self.because,
            "disposition": disposition[1] if disposition else None,
            "referredTo": self.referred_to[0] if self.referred_to else None,
            "applicability": self.applicability.value,
            "criteria": self.criteria.value,
            "criterionResults": [result.to_dict() for result in self.criterion_results],
            "conditionResults": [result.to_dict() for result in self.condition_results.values()],
            "toSend": self._need(self.needs) if self.needs else None,
            "conflicts": [
                {"condition": conflict.condition.iri, "facts": [fact.to_dict() for fact in conflict.contradicting]}
                for conflict in self.conflicts
            ],
            "advisories": [advisory.to_dict() for advisory in self.advisories],
            "notices": list(self.notices),
        }

    def _need(self, need: Need | str) -> dict[str, Any]:
        if isinstance(need, str):
            result = self.condition_results[need]
            return {
                "condition": need,
                "asksFor": result.condition.asks_for,
                "toSettle": list(result.settling),
                "leftOpenBy": [fact.text for fact in result.left_open_by],
            }
        return need.to_dict(self._need)


@dataclass(frozen=True)
class NotDetermined(AsJson):
    """A well-formed case for which no revision could be used.

    Attributes:
        policy: the identifier of the policy that it was to be determined under; "" where none could be chosen.
    """

    case: Case
    error: KbError
    policy: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give the case and the reason, as `kb validate --format json` lists it under "notDetermined"."""
        return {**self.case.identity(), "policy": self.policy or None, "error": str(self.error)}


def referral(outcome: Outcome, criteria: Iterable[CriterionResult]) -> tuple[str, str] | None:
    """Identifier and IRI of the policy to read where this one does not apply."""
    if outcome is not Outcome.NOT_APPLICABLE:
        return None
    found = (result.criterion.otherwise for result in criteria if result.decides)
    return next((other for other in found if other), None)


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
