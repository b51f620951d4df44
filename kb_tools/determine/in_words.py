"""A determination in words: why it came to its outcome, and what to send in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from rdflib import URIRef
from rdflib.namespace import RDF

from kb_tools.cases.ages import lies_within
from kb_tools.determine.evaluate import finding_class
from kb_tools.determine.result import ConditionResult, CriterionResult, Determination, Need, Outcome
from kb_tools.model.logic import Value, evaluate, grounds
from kb_tools.model.statements import Advisory
from kb_tools.model.units import BOUNDS
from kb_tools.rdf.namespaces import CASE

# What a criterion is called beside its place in the document; an applicability goes by its place alone.
_ROLES = {"indication": "indication ", "limitation": "limitation ", "exclusion": "exclusion "}


@dataclass(frozen=True)
class Ask:
    """One thing to send in.

    Attributes:
        what: what to send in.
        remarks: what the case states of it already, what is wrong with that, and what else would do.
    """

    what: str
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.what} ({'; '.join(self.remarks)})" if self.remarks else self.what


@dataclass(frozen=True)
class AskGroup:
    """Things to send in: all of them, any one of them, or at least so many ("all", "any", "atLeast").

    Attributes:
        least, more: as of the need that it says in words (kb_tools.determine.result).
    """

    operator: str
    parts: tuple[Asks, ...]
    least: int = 0
    more: bool = False

    @property
    def how_many(self) -> str:
        """How many of its parts, in words: "all of", "one of", "at least 2 more of"."""
        return how_many(self)

    def __str__(self) -> str:
        joined = {"any": ", or: ", "all": ", and: ", "atLeast": "; "}[self.operator].join(
            f"({part})" if isinstance(part, AskGroup) else str(part) for part in self.parts
        )
        return joined if self.operator == "all" else f"{self.how_many.capitalize()}: {joined}"


Asks: TypeAlias = Ask | AskGroup


def how_many(wanted: Need | AskGroup) -> str:
    """How many of the parts are to be sent in, in words: "all of", "one of", "at least 2 more of"."""
    at_least = f"at least {wanted.least} {'more ' if wanted.more else ''}of"
    return {"all": "all of", "any": "one of", "atLeast": at_least}[wanted.operator]


# ---------------------------------------------------------------------- what to send in


def to_send_in(found: Determination) -> AskGroup | None:
    """What to send in, each thing once; None where the outcome is settled."""
    return _group(found, found.needs) if found.needs else None


def _group(found: Determination, need: Need) -> AskGroup:
    return AskGroup(need.operator, _distinct(found, need), need.least, need.more)


def _asks(found: Determination, part: Need | str) -> Asks:
    if isinstance(part, str):
        return to_ask(found.condition_results[part])
    group = _group(found, part)
    return group.parts[0] if len(group.parts) == 1 else group


def _distinct(found: Determination, need: Need) -> tuple[Asks, ...]:
    """The parts of a need; of those that ask for the same in whatever order, the first.

    Where parts are counted, it says for how many of them it stands.
    """
    parts: dict[object, list[Asks]] = {}
    for number, part in enumerate(need.parts):
        asks = _asks(found, part)
        apart = number if need.operator == "atLeast" and isinstance(asks, AskGroup) else None
        parts.setdefault((_content(asks), apart), []).append(asks)
    return tuple(_counting(need, alike) if need.operator == "atLeast" else alike[0] for alike in parts.values())


def _counting(need: Need, alike: Sequence[Asks]) -> Asks:
    """One of several that ask for the same, with how many of what is counted it can settle."""
    first = alike[0]
    if len(alike) == 1 or isinstance(first, AskGroup):
        return first
    alone = f"for {how_many(need)} {len(alike)} conditions that it can settle"
    counted = alone if len(alike) == len(need.parts) else f"can count for {len(alike)} of them"
    return Ask(first.what, (*first.remarks, counted))


def _content(asks: Asks) -> object:
    """What is asked for, without its order."""
    return asks if isinstance(asks, Ask) else (asks.operator, asks.least, frozenset(map(_content, asks.parts)))


def to_ask(result: ConditionResult) -> Ask:
    """What to send in for one condition, with what the case states of it already."""
    wanted = result.condition.asks_for.rstrip(".")
    if result.value is Value.CONFLICTING:
        facts = " against ".join(fact.text for fact in result.contradicting)
        return Ask(wanted, (f"correct what is not so: {facts}",))
    if result.settling:
        return Ask(wanted, tuple(f"or, to settle a doubt: {sent}" for sent in result.settling))
    if result.left_open_by:
        facts = "; ".join(fact.text for fact in result.left_open_by)
        remarks = (f"stated, and leaves it open: {facts}", f"usual evidence: {wanted}")
        return Ask(f"Something that settles “{result.condition.label}”", remarks)
    return Ask(wanted)


# ---------------------------------------------------------------------- because


def because(found: Determination) -> str:
    """Why the outcome is what it is, in one line: the criterion that decides and the facts that decide it.

    Where the outcome is open: the criteria that are, and the facts that contradict each other, those that only perhaps
    count or that settle nothing, and what the case does not state.
    """
    if not found.outcome.settled:
        return _open(found)
    deciding = [result for result in found.criterion_results if result.decides and result.criterion.tree]
    if found.outcome is not Outcome.MET:
        return _decided(found, deciding)
    indications = [result for result in deciding if result.criterion.role == "indication"]
    return _decided(found, indications) + _no_bar(found, deciding)


def _no_bar(found: Determination, deciding: Sequence[CriterionResult]) -> str:
    """That nothing speaks against criteria that are met; "" where nothing could."""
    bars = [result for result in found.criterion_results if result.criterion in found.revision.bars]
    if not any(bar in deciding for bar in bars):
        return ""
    concerned = "" if all(bar.value is Value.FAILS for bar in bars) else " that concerns this"
    return f"; no limitation or exclusion{concerned} holds"


def _decided(found: Determination, criteria: Iterable[CriterionResult]) -> str:
    """The criteria with their values and the facts that decide them, each fact once."""
    named: set[str] = set()
    phrases = []
    for result in criteria:
        grounds = [found.condition_results[iri] for iri in result.grounds]
        facts = dict.fromkeys(fact.text for ground in grounds for fact in ground.facts)
        new = [text for text in facts if text not in named]
        named.update(new)
        phrases.append(f"{_name(found, result)} {result.value.value}: {'; '.join(new) or 'the same facts'}")
    return "; ".join(phrases)


def _name(found: Determination, result: CriterionResult) -> str:
    """What a criterion is called in a sentence: "exclusion II.B", "exclusion II.B of criterion I.A"."""
    place, scope = result.criterion.notation, found.revision.scope_of(result.criterion)
    name = _ROLES.get(result.criterion.role, "") + (f"“{place}”" if "," in place else place)
    return f"{name} {scope}".rstrip()


def keeps_open(found: Determination, result: CriterionResult) -> bool:
    """Whether a criterion is open, by a condition that can still change the outcome."""
    tree = result.criterion.tree
    return tree is not None and not result.value.settled and not found.to_send.isdisjoint(tree.conditions())


def _open(found: Determination) -> str:
    """Why an outcome is open: contradictions first, what is missing last."""
    names = [_name(found, result) for result in found.criterion_results if keeps_open(found, result)]
    conditions = [result for iri, result in found.condition_results.items() if iri in found.to_send]
    conditions.sort(key=lambda result: result.value is not Value.CONFLICTING)
    missing = [result for result in conditions if result.value is Value.UNKNOWN and not result.facts]
    reasons = filter(None, dict.fromkeys((*map(_kept_open, conditions), _missing(found, missing))))
    return f"{_listed(names, 'and')} {'is' if len(names) == 1 else 'are'} open: {'; '.join(reasons)}"


def _kept_open(result: ConditionResult) -> str:
    """What of the case keeps a condition open; "" where it states nothing of it."""
    if result.value is Value.CONFLICTING:
        return "these contradict each other: " + _listed((fact.text for fact in result.contradicting), "and")
    if result.doubts:
        first, *others = (fact for fact in result.facts if fact.doubts)
        more = f" (and {len(others)} more in doubt)" if others else ""
        return f"{first.text} only perhaps counts{more}: {first.doubts[0].why}"
    if result.left_open_by:
        facts = _listed((fact.text for fact in result.left_open_by), "and")
        return f"“{result.condition.label}” is neither shown nor ruled out by {facts}"
    return ""


def _missing(found: Determination, conditions: Iterable[ConditionResult]) -> str:
    """What the case does not state of that which conditions read, or only so that it does not count; "" for nothing."""
    labels = found.revision.policy.kb.labels
    absent: list[str] = []
    not_counting: list[str] = []
    outside: list[str] = []
    for result in conditions:
        kinds = not_counting if is_stated(found, result) else absent
        kinds.append("no " + " or ".join(_named(found, result)) + _of(result, labels))
        outside.extend(dated_outside(found, result))
    phrases = [_listed(absent, "and")] if absent else []
    remark = f" ({_listed(outside, 'and')})" if outside else ""
    phrases += [f"{_listed(not_counting, 'and')} that counts{remark}"] if not_counting else []
    return f"the case states {', and '.join(phrases)}" if phrases else ""


def _named(found: Determination, result: ConditionResult) -> list[str]:
    """What a condition reads, in words; of a product what it looks at, without bounds of what can be stated exactly."""
    kb = found.revision.policy.kb
    read = result.concern.properties
    bounds = {str(bound) for link in BOUNDS for iri in read for bound in kb.ontology.objects(URIRef(iri), link)}
    return [kb.labels.get(iri, iri) for iri in sorted(read - bounds or result.condition.reads)]


def _of(result: ConditionResult, labels: Mapping[str, str]) -> str:
    """What the findings are to be of that a condition asks for, where they count apart: " of hypertension"."""
    asked = result.concern.asked
    return f" of {_listed((labels.get(term, term) for term in asked), 'or')}" if asked else ""


def is_stated(found: Determination, result: ConditionResult) -> bool:
    """Whether the case states a finding that bears on a condition by what it is of, though it may not count."""
    return any(True for _ in _findings_read(found, result))


def dated_outside(found: Determination, result: ConditionResult) -> list[str]:
    """The findings that a condition would read if they had another date, each in words.

    These are the findings dated after the service, and of those older than the window of the condition the latest.
    """
    case, labels = found.case, found.revision.policy.kb.labels
    day = found.service_date.isoformat()
    dated = sorted(
        {(str(case.value(node, CASE.date)), str(case.value(node, RDF.type))) for node in _findings_read(found, result)}
    )
    late = [
        f"the {labels.get(kind, kind)} of {late} is after the service date, {day}" for late, kind in dated if late > day
    ]
    window = result.condition.within
    if window is None:
        return late
    old = [
        f"the {labels.get(kind, kind)} of {old} is older than {window.words} before the service date, {day}"
        for old, kind in dated
        if old <= day and not lies_within(window, date.fromisoformat(old), found.service_date)
    ]
    return old[-1:] + late


def _findings_read(found: Determination, result: ConditionResult) -> Iterator[URIRef]:
    """The findings of a class that a condition reads, and of what it asks for, whether or not they count."""
    case, concern = found.case, result.concern
    for node in case.values(case.node, CASE.finding):
        if isinstance(node, URIRef) and str(finding_class(case, node)) in result.condition.reads:
            of = case.value(node, concern.key) if concern.key else None
            if concern.is_of(str(of or "")):
                yield node


def _listed(names: Iterable[str], last: str) -> str:
    """Names as a list in a sentence, each once: "a, b and c"."""
    *first, end = dict.fromkeys(names)
    return f"{', '.join(first)} {last} {end}" if first else end


# ---------------------------------------------------------------------- advice


def open_for(found: Determination, advisory: Advisory) -> tuple[str, ...]:
    """The labels of the conditions that leave open whether an advisory applies; none where it surely does.

    An advisory is given where what it depends on perhaps holds (docs/design.md, section 3.4).
    """
    values = {iri: result.value for iri, result in found.condition_results.items()}
    unsettled = [tree for tree in advisory.when if evaluate(tree, values) is Value.UNKNOWN]
    conditions = dict.fromkeys(iri for tree in unsettled for iri in grounds(tree, values))
    return tuple(found.condition_results[iri].condition.label for iri in conditions)
