"""Text for a terminal: what a reviewer reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kb_tools.cases.case import Malformed
from kb_tools.determine.in_words import AskGroup, Asks, dated_outside, is_stated, keeps_open, open_for, to_send_in
from kb_tools.determine.result import REVIEW, ConditionResult, CriterionResult, Determination, Outcome
from kb_tools.determine.run import Answer
from kb_tools.model.parts import BASES
from kb_tools.model.repository import Repository
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


def answer(
    out: Console,
    kb: Repository,
    answered: Answer,
    explain: bool,
    quotes: Quotes | None = None,
    several: bool = False,
) -> None:
    """One case: its determination, or why there is none.

    Args:
        several: whether the case has an answer under each of several policies: then it names its policy first.
    """
    under = f", under {policy_of(answered)}" if several and policy_of(answered) else ""
    if isinstance(answered, Determination):
        determination(out, answered, explain, quotes, under)
    elif isinstance(answered, Malformed):
        malformed(out, answered)
    else:
        out.print(Text(f"{answered.case.title}{under}: NOT DETERMINED", "bold"))
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


def determination(
    out: Console, found: Determination, explain: bool, quotes: Quotes | None = None, under: str = ""
) -> None:
    """One determination, top down: outcome, because, the criteria, what to send in, advice, notes.

    Args:
        under: which policy it is under, where a case has several determinations.
        explain: whether to add the standing advice, every condition, the places and the works cited.
        quotes: the passages in the reader's own copy of the document, to be printed with `explain`.
    """
    revision = found.revision
    out.print(Text(f"{found.case.title}{under}", "bold"))
    out.print(Text(TITLES[found.outcome], STYLES[found.outcome]).append(f" {consequence(found)}".rstrip(), "default"))
    out.print(Text(f"because {found.because}"))
    out.print(
        f"{revision.policy.identifier} revision {revision.entry.name}, {_basis(found)}; service on {found.service_date}"
    )
    out.print(Padding(_criteria(found), (0, 0, 0, 2)))
    asked = to_send_in(found)
    if asked:
        _send_in(out, asked)
    always = [advisory for advisory in found.advisories if not advisory.when]
    given = [advisory for advisory in found.advisories if explain or advisory.when]
    _block(
        out, "Advice, which does not decide", [advice(found, advisory) for advisory in sorted(given, key=always.count)]
    )
    if always and not explain:
        out.print(f"  Standing reminders: {len(always)}, listed by --explain")
    _block(out, "Notes", found.notices)
    if explain:
        _explain(out, found, quotes)
    out.print(Text(REVIEW, "italic"))
    out.print()


def _criteria(found: Determination) -> Table:
    """The criteria with their values and why: first those that decide, or that keep the outcome open."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Place", "Value", "Criterion and why"):
        table.add_column(heading, overflow="fold")
    deciding = {id(result) for result in found.criterion_results if result.decides or keeps_open(found, result)}
    for top in sorted(found.criterion_results, key=lambda result: id(result) not in deciding):
        for result in top.with_parts():
            bold = result.decides or id(top) in deciding
            scope = found.revision.scope_of(result.criterion)
            label = f"{result.criterion.label} ({scope})" if scope else result.criterion.label
            why = Text(label, "bold" if bold else "").append(_cited(result.criterion), "default")
            for line in reasons(found, result):
                why.append(f"\n{line}", "default")
            table.add_row(result.criterion.notation, result.value.value, why)
    return table


def reasons(found: Determination, result: CriterionResult) -> Iterator[str]:
    """Why a criterion has its value: the conditions that give it, with the facts that they read.

    What stands beside one of its parts is not repeated.
    """
    if result.criterion.role == "remainder":
        yield result.reason
        return
    below = {iri for part in result.parts for iri in part.grounds}
    for iri in (iri for iri in result.grounds if iri not in below):
        ground = found.condition_results[iri]
        facts = "; ".join(fact.with_doubts for fact in ground.facts) or _nothing(found, ground)
        same = (ground.condition.label, ground.value) == (result.criterion.label, result.value)
        yield facts if same else f"{ground.value.value}: {ground.condition.label} - {facts}"


def _nothing(found: Determination, result: ConditionResult) -> str:
    """What stands in place of facts where a condition read none."""
    if not is_stated(found, result):
        return "not stated"
    return "; ".join(("nothing that counts", *dated_outside(found, result)))


def _send_in(out: Console, asked: AskGroup) -> None:
    """What to send in, as a list."""
    several = len(asked.parts) > 1
    only = asked.parts[0]
    if not several and isinstance(only, AskGroup):
        asked, several = only, True
    out.print(f"  Send in{f' {asked.how_many}' if several else ''}:")
    out.print(Padding(_asked(asked.parts, numbered=True), (0, 0, 0, 4)))


def _asked(parts: Sequence[Asks], numbered: bool = False) -> Table:
    """A list of things to send in; under a group, the list of its parts."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, part in enumerate(parts, 1):
        mark = f"{number}." if numbered else "-"
        if isinstance(part, AskGroup):
            table.add_row(mark, Group(Text(f"{part.how_many.capitalize()}:"), _asked(part.parts)))
        else:
            table.add_row(mark, Text("\n".join((part.what, *part.remarks))))
    return table


def _explain(out: Console, found: Determination, quotes: Quotes | None) -> None:
    """Every condition with its facts, the places with their wording if there is a copy, and the works cited."""
    lines = []
    for result in found.condition_results.values():
        facts = [fact.with_doubts + (f", {fact.age} days before" if fact.age else "") for fact in result.facts]
        users = "; ".join(_used_in(found, result.condition.iri)) or "advice only"
        facts_read = "; ".join(facts) or _nothing(found, result)
        lines.append(f"{result.condition.label}: {result.value.value}. {facts_read}. (Read by {users}.)")
    _block(out, "Conditions, the facts they read, and the criteria that read them", lines)
    places = []
    for criterion in (result.criterion for result in found.every_criterion):
        where = "; ".join(f"{place.section}, {place.notation}" for place in criterion.places)
        places.append("\n".join((f"{criterion.notation}: {where}", *quoted(quotes, criterion.places))))
    _block(out, "Places in the document", places)
    statements: list[Criterion | Advisory] = [result.criterion for result in found.every_criterion]
    statements += found.advisories
    if quotes is not None:
        advice = ["\n".join((f"{advisory.label}:", *quoted(quotes, advisory.places))) for advisory in found.advisories]
        _block(out, "What the advice rests on", advice)
    cited = {reference for statement in statements for reference in statement.citations}
    _block(out, "Cited", [reference_line(work) for work in sorted(cited, key=lambda work: work.number)])


def _used_in(found: Determination, iri: str) -> Iterator[str]:
    """The criteria that read a condition, each with what it cites."""
    for result in found.every_criterion:
        if result.criterion.tree and iri in result.criterion.tree.conditions():
            yield f"{result.criterion.notation}{_cited(result.criterion)}"


def outcome_of(answer: Answer) -> str:
    """What a case came to, in a word or two."""
    if isinstance(answer, Determination):
        return answer.outcome.value
    return "malformed, not determined" if isinstance(answer, Malformed) else "not determined"


def policy_of(answer: Answer) -> str:
    """The identifier of the policy that an answer is under; "" where there is none."""
    if isinstance(answer, Determination):
        return answer.revision.policy.identifier
    return "" if isinstance(answer, Malformed) else answer.policy


def summary(out: Console, counts: Mapping[tuple[str, str], int], unread: int) -> None:
    """How many cases came to what; nothing for a single case.

    Args:
        counts: by `policy_of` and `outcome_of`. The policies are named where there are several.
    """
    lines = dict(counts)
    if unread:
        lines["", "inputs that could not be read"] = unread
    if sum(lines.values()) < 2:
        return
    several = len({policy for policy, _ in lines} - {""}) > 1
    together: Counter[tuple[str, str]] = Counter()
    for (policy, what), count in lines.items():
        together[policy if several else "", what] += count
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("Policy", "Outcome") if several else ("Outcome",):
        table.add_column(column)
    table.add_column("Cases", justify="right")
    for (policy, what), count in sorted(together.items()):
        table.add_row(*((policy, what) if several else (what,)), str(count))
    out.print(table)


def consequence(found: Determination) -> str:
    """What follows of the outcome in the revision's own terms; "" for nothing."""
    if found.outcome is Outcome.NOT_MET and found.revision.disposition:
        return f"- the revision classes such use as: {found.revision.disposition[1]}"
    if found.outcome is Outcome.NOT_APPLICABLE and found.referred_to:
        return f"- see {found.referred_to[0]}"
    return ""


def _basis(found: Determination) -> str:
    return BASES[found.revision.entry.bases.get("Criteria", "NotOnFile")]


def advice(found: Determination, advisory: Advisory) -> str:
    """An advisory that is given, with what leaves it open, its places and what it cites."""
    unsettled = open_for(found, advisory)
    perhaps = f"Perhaps, since it is open whether {' and '.join(unsettled)}: " if unsettled else ""
    return f"{perhaps}{advisory.text} ({_places(advisory.places)}){_cited(advisory)}"


def _cited(statement: Criterion | Advisory) -> str:
    """The numbers of the works that a statement cites."""
    return f" [{', '.join(str(work.number) for work in statement.citations)}]" if statement.citations else ""


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


def _block(out: Console, title: str, lines: Sequence[str]) -> None:
    """A titled list, hanging, wrapped to the width; nothing when it is empty."""
    if not lines:
        return
    if title:
        out.print(f"  {title}:")
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row("-", line)
    out.print(Padding(table, (0, 0, 0, 4)))
