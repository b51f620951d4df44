"""Decision records: a list of them, what they come to, and one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rdflib import URIRef

from kb_tools.errors import KbError, KnowledgeBaseError
from kb_tools.rdf.namespaces import BASE, POL
from kb_tools.records.answer import determinations, states_of
from kb_tools.records.chain import Record
from kb_tools.records.folder import STATES
from kb_tools.records.shelf import Counts, Look, Shelf
from kb_tools.serve.typed import TypedDict
from kb_tools.serve.view import Link, NoPage, View

# Records on a page, and the longest that one request reads on in them, in seconds.
PER_PAGE, SECONDS = 25, 2.0
# So many answers of a record of many cases are shown, those of most cases first.
ANSWERS = 10
_CHOSEN = {
    "named": "it was named",
    "service date": "in force on the date of service",
    "day": "in force on a day that was asked for",
}


class Chain(TypedDict):
    """How far the records were verified, and whether they are as they were written.

    `broken` are the first places where they are not, `moreBroken` counts the others. `read` and `size` are bytes.
    """

    records: int
    determinations: int
    previews: int
    head: str
    read: int
    size: int
    complete: bool
    whole: bool
    broken: list[str]
    moreBroken: int
    since: str


class Cell(TypedDict):
    """What stands in a cell: a text or a number; `iri` is what it names, "" for nothing."""

    text: str
    iri: str


class Table(TypedDict):
    """What the records come to, by one question."""

    name: str
    title: str
    columns: list[str]
    rows: list[list[Cell]]


class Listed(TypedDict):
    """A record in the list. `revision` and `outcome` are null where it holds several determinations."""

    number: int
    made: str
    door: str
    preview: bool
    determinations: int
    revision: Link | None
    outcome: Link | None


class Records(TypedDict):
    """The records of a folder, the newest first. `older` is the number before which the next ones stand."""

    title: str
    chain: Chain
    tables: list[Table]
    records: list[Listed]
    newest: bool
    older: int | None


class Held(TypedDict):
    """The value of a criterion or a condition; `perhaps` is what it perhaps has, where a doubt keeps it unknown."""

    thing: Link
    value: str
    perhaps: str
    decides: bool


class Needed(TypedDict):
    """What to send in: all, any or at least so many of its parts (`operator`), or something for one condition."""

    operator: str
    parts: list[Needed]
    condition: Link | None
    asksFor: str


class Answer(TypedDict):
    """What a determination came to, as it was recorded."""

    revision: Link
    cases: int
    outcome: Link
    disposition: Link | None
    referredTo: Link | None
    criteria: list[Held]
    conditions: list[Held]
    toSend: Needed | None
    advisories: list[Link]
    notices: list[str]
    sha256: str


class Basis(TypedDict):
    """What a determination rests on. `fault` says why that is not known; then all else is empty."""

    sha256: str
    fault: str
    tool: str
    python: str
    engine: str
    libraries: dict[str, str]
    seal: str
    layers: dict[str, str]


class RecordPage(TypedDict):
    """One record. Of many cases, `answers` are those to which most came, and `moreAnswers` counts the others."""

    title: str
    number: int
    sha256: str
    previous: str
    made: str
    tool: str
    door: str
    preview: bool
    policy: str
    chosen: str
    asOf: str
    caseSha256: str
    caseKept: str
    answers: list[Answer]
    moreAnswers: int
    determinations: int
    states: list[Basis]
    unfinishedBefore: int
    hasPrevious: bool
    hasNext: bool


# ---------------------------------------------------------------------- the list


def data(view: View, target: str) -> Records:
    """The content of the page of all records.

    Args:
        target: the number before which the records stand that are listed; "" for the newest.

    Raises:
        KbError: it is no number; or the records cannot be read.
    """
    shelf = _shelf(view)
    before = _number(target) if target else None
    look = looked(shelf)
    found = shelf.newest(PER_PAGE, before)
    older = found[-1].head.number if len(found) == PER_PAGE and shelf.newest(1, found[-1].head.number) else None
    return {
        "title": "Decision records",
        "chain": _chain(look, shelf.counts),
        "tables": [table(view, shelf.counts, name) for name in TABLES],
        "records": [_listed(view, record) for record in found],
        "newest": before is None,
        "older": older,
    }


def _shelf(view: View) -> Shelf:
    shelf = view.bench.shelf
    assert shelf is not None, "the page is there only where records are shown"
    return shelf


def looked(shelf: Shelf, again: bool = False) -> Look:
    """How far the records are verified, after reading on in them.

    Raises:
        KnowledgeBaseError: they cannot be read; it does not say where they lie.
    """
    try:
        return shelf.look(SECONDS, again)
    except KbError as error:
        raise KnowledgeBaseError(f"the records cannot be shown: {error.what}", hint=error.hint) from error


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise KbError(f"{text[:40]!a} is no number of a record", hint="write digits")
    return int(text)


def _chain(look: Look, counts: Counts) -> Chain:
    return {
        "records": look.records,
        "determinations": counts.made,
        "previews": counts.previews,
        "head": str(look.head),
        "read": look.read,
        "size": look.size,
        "complete": look.is_complete,
        "whole": look.is_whole,
        "broken": [str(broken) for broken in look.broken],
        "moreBroken": look.more_broken,
        "since": look.since,
    }


def _listed(view: View, record: Record) -> Listed:
    said = record.content
    held = list(determinations(said))
    revision, answer = (held[0][0], held[0][1]) if len(held) == 1 else ("", None)
    return {
        "number": record.head.number,
        "made": said["made"],
        "door": str(said.get("door", "")),
        "preview": bool(said.get("preview")),
        "determinations": sum(number for _, _, number in held),
        "revision": _revision(view, said["policy"], revision) if revision else None,
        "outcome": _outcome(view, answer) if answer else None,
    }


def _revision(view: View, policy: str, name: str) -> Link:
    return view.link(f"{BASE}{policy}/{name}")


def _outcome(view: View, answer: Mapping[str, Any]) -> Link:
    return view.link(str(POL[answer["outcome"]]))


# ---------------------------------------------------------------------- what they come to


@dataclass(frozen=True)
class _Question:
    title: str
    columns: tuple[str, ...]


TABLES = {
    "outcomes": _Question(
        "What cases came to, under which revision", ("revision", "outcome", "determinations", "draftOrders")
    ),
    "missing": _Question("What open cases wait for", ("revision", "sendIn", "condition", "determinations")),
    "criteria": _Question(
        "Which values the criteria have, and how often they decide",
        ("revision", "criterion", "value", "determinations", "deciding"),
    ),
}


def table(view: View, counts: Counts, name: str) -> Table:
    """What the records come to, by one of TABLES."""
    question = TABLES[name]
    rows = {"outcomes": _outcomes, "missing": _missing, "criteria": _criteria}[name](view, counts)
    return {"name": name, "title": question.title, "columns": list(question.columns), "rows": list(rows)}


def _outcomes(view: View, counts: Counts) -> Iterator[list[Cell]]:
    for (policy, revision, outcome), number in sorted(counts.outcomes.items()):
        drafts = counts.drafts[policy, revision, outcome]
        yield [
            _named(_revision(view, policy, revision)),
            _named(view.link(str(POL[outcome]))),
            _text(number),
            _text(drafts),
        ]


def _missing(view: View, counts: Counts) -> Iterator[list[Cell]]:
    for (policy, revision, iri), number in sorted(counts.to_send.items(), key=lambda one: (-one[1], one[0])):
        yield [
            _named(_revision(view, policy, revision)),
            _text(_asks_for(view, iri) or "of a condition that is not on file"),
            _named(view.link(iri, [f"{BASE}{policy}/{revision}"])),
            _text(number),
        ]


def _asks_for(view: View, iri: str) -> str:
    """What to send in for a condition; "" where it is not on file."""
    return str(view.bench.kb.conditions.value(URIRef(iri), POL.asksFor) or "")


def _criteria(view: View, counts: Counts) -> Iterator[list[Cell]]:
    for (policy, revision, iri, value), number in sorted(counts.criteria.items()):
        deciding = counts.deciding[policy, revision, iri, value]
        link = view.link(iri, [f"{BASE}{policy}/{revision}"])
        place = f"{link['notation']} " if link["notation"] not in ("", link["label"]) else ""
        yield [
            _named(_revision(view, policy, revision)),
            {"text": place + link["label"], "iri": iri},
            _text(value),
            _text(number),
            _text(deciding),
        ]


def _named(link: Link) -> Cell:
    return {"text": link["label"], "iri": link["iri"]}


def _text(value: object) -> Cell:
    return {"text": str(value), "iri": ""}


# ---------------------------------------------------------------------- one record


def one(view: View, target: str) -> RecordPage:
    """The content of the page of one record.

    Args:
        target: its number.

    Raises:
        NoPage: there is no such record, or it is not as it was written.
        KbError: the records cannot be read.
    """
    shelf = _shelf(view)
    look = looked(shelf)
    number = _number(target)
    record = shelf.record(number)
    if record is None:
        more = "" if look.is_complete else "; not all records have been read yet, so ask again"
        raise NoPage(f"there is no record {number} that is as it was written{more}")
    said = record.content
    held = list(determinations(said))
    most = sorted(held, key=lambda found: -found[2])[:ANSWERS]
    unfinished = said.get("unfinished")
    return {
        "title": f"Record {number}",
        "number": number,
        "sha256": record.head.digest,
        "previous": said["previous"],
        "made": said["made"],
        "tool": str(said.get("tool", "")),
        "door": str(said.get("door", "")),
        "preview": bool(said.get("preview")),
        "policy": said["policy"],
        "chosen": _CHOSEN.get(said["chosen"], str(said["chosen"])),
        "asOf": str(said.get("asOf", "")),
        "caseSha256": str(said.get("case", {}).get("sha256", "")),
        "caseKept": _kept(said),
        "answers": [_answer(view, said["policy"], *held_one) for held_one in most],
        "moreAnswers": len(held) - len(most),
        "determinations": sum(number for _, _, number in held),
        "states": [_basis(shelf, name) for name in states_of(said)],
        "unfinishedBefore": int(unfinished.get("bytes", 0)) if isinstance(unfinished, dict) else 0,
        "hasPrevious": shelf.record(number - 1) is not None,
        "hasNext": shelf.record(number + 1) is not None,
    }


def _kept(said: Mapping[str, Any]) -> str:
    return str(said.get("case", {}).get("kept") or "")


def _answer(view: View, policy: str, revision: str, answer: Mapping[str, Any], cases: int) -> Answer:
    graphs = [f"{BASE}{policy}/{revision}"]
    referred = answer["referredTo"]
    disposition = answer["disposition"]
    return {
        "revision": _revision(view, policy, revision),
        "cases": cases,
        "outcome": _outcome(view, answer),
        "disposition": view.link(disposition, graphs) if disposition else None,
        "referredTo": view.link(referred, graphs) if referred else None,
        "criteria": [
            _held(view, iri, value, iri in answer["decides"], graphs)
            for iri, value in answer["criterionValues"].items()
        ],
        "conditions": [
            # Of many cases, each has values of its own.
            _held(view, iri, value, False, graphs)
            for iri, value in answer.get("conditionValues", {}).items()
        ],
        "toSend": _needed(view, answer["toSend"], graphs) if answer["toSend"] else None,
        "advisories": view.links(answer["advisories"], graphs),
        "notices": list(answer["notices"]),
        "sha256": str(answer.get("sha256", "")),
    }


def _held(view: View, iri: str, value: Any, decides: bool, graphs: list[str]) -> Held:
    sure, *perhaps = [value] if isinstance(value, str) else value
    return {
        "thing": view.link(iri, graphs),
        "value": sure,
        "perhaps": perhaps[0] if perhaps else "",
        "decides": decides,
    }


def _needed(view: View, need: Any, graphs: list[str]) -> Needed:
    if isinstance(need, str):
        return {"operator": "", "parts": [], "condition": view.link(need, graphs), "asksFor": _asks_for(view, need)}
    ((key, parts),) = ((key, value) for key, value in need.items() if isinstance(value, list))
    words = {"allOf": "all of", "anyOf": "any of", "of": f"at least {need.get('atLeast')} of"}
    below = [_needed(view, part, graphs) for part in parts]
    return {"operator": words[key], "parts": below, "condition": None, "asksFor": ""}


def _basis(shelf: Shelf, name: str) -> Basis:
    """What a state says, as far as it is as it was written."""
    found: dict[str, Any] = {}
    fault = ""
    try:
        content = shelf.folder.get(STATES, name)
        if content is None:
            fault = "the file that says it is missing"
        else:
            found = json.loads(content)
    except KbError as error:
        fault = f"the file that says it {error.what}"
    return {
        "sha256": name,
        "fault": fault,
        "tool": str(found.get("tool", "")),
        "python": str(found.get("python", "")),
        "engine": str(found.get("engine", "")),
        "libraries": {key: str(value) for key, value in found.get("libraries", {}).items()},
        "seal": str(found.get("seal") or ""),
        "layers": dict(found.get("reached", {})),
    }
