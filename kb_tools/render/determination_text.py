"""Text for a terminal: what a reviewer reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kb_tools.cases.case import Malformed
from kb_tools.determine.result import REVIEW, ConditionResult, CriterionResult, Determination, Need, Outcome
from kb_tools.determine.run import Answer
from kb_tools.model.parts import BASES
from kb_tools.model.repository import KnowledgeBase
from kb_tools.model.statements import Advisory, Criterion, Passage, Reference

# The wording of passages, by their IRIs, in the reader's own copy of the document.
Quotes: TypeAlias = Mapping[str, str]
TITLES = {
    Outcome.MET: "CRITERIA MET",
    Outcome.NOT_MET: "CRITERIA NOT MET",
    Outcome.NOT_APPLICABLE: "POLICY NOT APPLICABLE",
    Outcome.NEEDED: "INFORMATION NEEDED",
    Outcome.CONFLICTING: "INFORMATION CONFLICTING",
}
STYLES = {
    Outcome.MET: "bold green",
    Outcome.NOT_MET: "bold red",
    Outcome.NOT_APPLICABLE: "bold blue",
    Outcome.NEEDED: "bold yellow",
    Outcome.CONFLICTING: "bold magenta",
}


def answer(out: Console, kb: KnowledgeBase, answered: Answer, explain: bool, quotes: Quotes | None = None) -> None:
    """One case: its determination, or why there is none."""
    if isinstance(answered, Determination):
        determination(out, answered, explain, quotes)
    elif isinstance(answered, Malformed):
        malformed(out, answered)
    else:
        out.print(Text(f"{answered.case.title}: NOT DETERMINED", "bold"))
        _block(out, "", [str(answered.error)])
        out.print()
    if explain and answered.case.reading:
        _block(out, f"What was read of {answered.case.title}", [str(note) for note in answered.case.reading.notes])
        out.print()


def malformed(out: Console, found: Malformed) -> None:
    """A case that breaks the case shapes, with each violation, its place and its hint."""
    out.print(Text(found.case.title, "bold"))
    out.print(Text("MALFORMED CASE, not determined", "bold red"))
    for violation in found.violations:
        names = violation.focus.partition("#")[0] + "#"
        _block(out, "", [f"{violation.place.replace(names, ':')}: {violation.message}"])
    out.print()


def determination(out: Console, found: Determination, explain: bool, quotes: Quotes | None = None) -> None:
    """One determination: outcome, criteria and why, what contradicts, what to send in, advisories, notices.

    Args:
        quotes: the passages in the reader's own copy of the document, to be printed with `explain`.
    """
    revision = found.revision
    out.print(Text(found.case.title, "bold"))
    out.print(
        f"{revision.policy.identifier} revision {revision.entry.name}, {_basis(found)}; service on {found.service_date}"
    )
    out.print(Text(TITLES[found.outcome], STYLES[found.outcome]).append(f" {_consequence(found)}".rstrip(), "default"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Place", "Value", "Criterion and why"):
        table.add_column(heading, overflow="fold")
    for result in found.every_criterion:
        why = Text(result.criterion.label, "bold" if result.decides else "").append(_cited(result.criterion), "default")
        for line in _reasons(found, result):
            why.append(f"\n{line}", "default")
        table.add_row(result.criterion.notation, result.value.value, why)
    out.print(Padding(table, (0, 0, 0, 2)))
    conflicts = [f"{each.condition.label}: {_against(each)}" for each in found.conflicts]
    _block(out, "Contradicting", conflicts)
    if found.needs:
        _block(out, "Send in", need_lines(found), numbered=True)
    given = [each for each in found.advisories if each.when]
    standing = [each for each in found.advisories if not each.when]
    _block(out, "Advice, which does not decide", [_advice(each) for each in (given + standing if explain else given)])
    if standing and not explain:
        _block(out, "Always to be kept in mind", ["; ".join(each.label for each in standing) + "."])
    _block(out, "Note", found.notices)
    if explain:
        _explain(out, found, quotes)
    out.print(Text(REVIEW, "italic"))
    out.print()


def _reasons(found: Determination, result: CriterionResult) -> Iterator[str]:
    """Why a criterion has its value: the conditions that give it, with the facts that they read."""
    if result.criterion.role == "remainder":
        yield result.reason
        return
    for iri in result.grounds:
        each = found.condition_results[iri]
        facts = "; ".join(fact.with_doubts for fact in each.facts)
        yield f"{each.value.value}: {each.condition.label}" + (f" - {facts}" if facts else "")


def _explain(out: Console, found: Determination, quotes: Quotes | None) -> None:
    """Every condition with its facts, the places with their wording if there is a copy, and the works cited."""
    lines = []
    for result in found.condition_results.values():
        facts = [fact.with_doubts + (f", {fact.age} days before" if fact.age else "") for fact in result.facts]
        users = "; ".join(_used_in(found, result.condition.iri)) or "advice only"
        said = "; ".join(facts) or "the case does not say"
        lines.append(f"{result.condition.label}: {result.value.value}. {said}. (Read by {users}.)")
    _block(out, "Conditions, the facts they read, and the criteria that read them", lines)
    places = []
    for each in found.every_criterion:
        where = "; ".join(f"{place.section}, {place.notation}" for place in each.criterion.places)
        places.append("\n".join((f"{each.criterion.notation}: {where}", *quoted(quotes, each.criterion.places))))
    _block(out, "Places in the document", places)
    statements: list[Criterion | Advisory] = [each.criterion for each in found.every_criterion]
    statements += found.advisories
    if quotes is not None:
        advice = ["\n".join((f"{each.label}:", *quoted(quotes, each.places))) for each in found.advisories]
        _block(out, "What the advice rests on", advice)
    cited = sorted({reference for each in statements for reference in each.citations}, key=lambda each: each.number)
    _block(out, "Cited", [reference_line(each) for each in cited])


def need_lines(found: Determination) -> list[str]:
    """What to send in, a line for each thing that is needed, alternatives joined by "or"."""
    assert found.needs is not None
    lines: dict[frozenset[str], str] = {}
    for part in found.needs.parts:
        asked = part.parts if isinstance(part, Need) else (part,)
        lines.setdefault(frozenset(_need(found, each) for each in asked), _need(found, part, top=True))
    return list(lines.values())


def _used_in(found: Determination, iri: str) -> Iterator[str]:
    """The criteria that read a condition, each with what it cites."""
    for result in found.every_criterion:
        if result.criterion.tree and iri in result.criterion.tree.conditions():
            yield f"{result.criterion.notation}{_cited(result.criterion)}"


def _need(found: Determination, part: Need | str, top: bool = False) -> str:
    if isinstance(part, str):
        return found.asks_for(part)
    parts = list(dict.fromkeys(_need(found, each) for each in part.parts))
    joined = (", or: " if part.operator == "any" else ", and: ").join(parts)
    if top and part.operator == "any" and len(parts) > 1:
        return f"One of: {joined}"
    return joined if top or len(parts) == 1 else f"({joined})"


def outcome_of(answer: Answer) -> str:
    """What a case came to, in a word or two."""
    if isinstance(answer, Determination):
        return answer.outcome.value
    return "malformed, not determined" if isinstance(answer, Malformed) else "not determined"


def summary(out: Console, counts: Mapping[str, int], unread: int) -> None:
    """How many cases came to what, by `outcome_of`; nothing for a single case."""
    lines = dict(counts)
    if unread:
        lines["inputs that could not be read"] = unread
    if sum(lines.values()) < 2:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Came to")
    table.add_column("Cases", justify="right")
    for what, count in sorted(lines.items()):
        table.add_row(what, str(count))
    out.print(table)


def _consequence(found: Determination) -> str:
    if found.outcome is Outcome.NOT_MET and found.revision.disposition:
        return f"- the revision classes such use as: {found.revision.disposition[1]}"
    if found.outcome is Outcome.NOT_APPLICABLE and found.referred_to:
        return f"- see {found.referred_to[0]}"
    return ""


def _basis(found: Determination) -> str:
    return BASES[found.revision.entry.bases.get("Criteria", "NotOnFile")]


def _against(result: ConditionResult) -> str:
    return " against ".join(fact.text for fact in result.contradicting)


def _advice(advisory: Advisory) -> str:
    return f"{advisory.text} ({_places(advisory.places)}){_cited(advisory)}"


def _cited(statement: Criterion | Advisory) -> str:
    """The numbers of the works that a statement cites."""
    return f" [{', '.join(str(each.number) for each in statement.citations)}]" if statement.citations else ""


def _places(places: Iterable[Passage]) -> str:
    return "; ".join(place.notation for place in places)


def quoted(quotes: Quotes | None, places: Iterable[Passage]) -> Iterator[str]:
    """The wording of each place, a line each; none without a copy of the document."""
    if quotes is None:
        return
    for place in places:
        wording = quotes.get(place.iri)
        yield f"{place.notation}: " + (f"“{wording}”" if wording else "not found in this copy of the document")


def reference_line(reference: Reference) -> str:
    """A work as one line, with its number and DOI."""
    return f"[{reference.number}] {reference.text}." + (f" doi:{reference.doi}" if reference.doi else "")


def _block(out: Console, title: str, lines: Sequence[str], numbered: bool = False) -> None:
    """A titled list, hanging, wrapped to the width; nothing when it is empty."""
    if not lines:
        return
    if title:
        out.print(f"  {title}:")
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, line in enumerate(lines, 1):
        table.add_row(f"{number}." if numbered else "-", line)
    out.print(Padding(table, (0, 0, 0, 4)))
