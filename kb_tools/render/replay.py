"""What kb replay shows: what became of each record, what differs, and what is broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console

from kb_tools.records.replay import Difference, Replay, Replayed, Status

# What the kinds of differences are called; what is not here goes by its own name.
_NAMES = {
    "seal": "seal of the revision",
    "criteriaBasis": "basis of the criteria",
    "criterionValues": "value of",
    "conditionValues": "value of",
    "toSend": "what to send in",
    "decides": "the criteria that decide",
    "criteria": "value of the criteria",
    "applicability": "value of the applicability",
    "referredTo": "the policy referred to",
    "revision": "revision",
}
# The layers of what a revision reaches.
_LAYERS = {
    "revision": "what the revision states",
    "conditions": "its conditions and their shapes",
    "case-shapes-and-derivation": "case shapes and rules of derivation",
    "vocabulary-facts": "facts of the vocabularies",
}
# So many characters of a digest are shown, and so many of a text.
_DIGEST, _TEXT = 12, 60


def text(out: Console, replay: Replay) -> None:
    """A line for each record, with what differs below it; then what holds for all."""
    for replayed in replay.records():
        for line in _record(replayed):
            out.print(line)
    for state in replay.states.values():
        if state.differences:
            what = f"{state.records} record{'s'[: state.records != 1]} of revision {_of(state.content, 'revision')}"
            out.print(f"What {what} rest{'s'[: state.records == 1]} on is otherwise now:")
            for difference in state.differences:
                out.print(f"  - {_difference(difference)}")
    for broken in replay.broken:
        out.print(f"BROKEN {broken}")
    out.print(_sum(replay))
    # On one line, however narrow the terminal is: it is copied.
    out.print(f"head {replay.head}", soft_wrap=True)


def _of(content: Any, key: str) -> str:
    return str(content[key]) if content else "unknown"


def _record(replayed: Replayed) -> Iterator[str]:
    said = replayed.content
    if "unfinished" in said:
        number = said["unfinished"].get("bytes")
        yield f"before record {replayed.head.number}: a write was broken off; its {number} bytes were removed"
    reason = f": {replayed.reason}" if replayed.reason else ""
    what = f"{said['policy']}/{', '.join(replayed.revisions) or 'none'}  {replayed.outcome or _cases(replayed)}"
    yield f"record {replayed.head.number}  {said['made']}  {what}  {replayed.status.value}{reason}"
    for difference in replayed.differences:
        yield f"  - {_difference(difference)}"
    if replayed.status is Status.REWORDED and not replayed.differences:
        yield "  - words that are no label or text of the knowledge base: of the tool, or of how the case was read"


def _cases(replayed: Replayed) -> str:
    """How many cases a record of many has, and how many of them came to what."""
    counted = ", ".join(f"{number} {status.value}" for status, number in replayed.cases.items())
    number = replayed.content["determined"]
    return f"{number} case{'s'[: number != 1]}{f' ({counted})' if len(replayed.cases) > 1 else ''}"


def _difference(found: Difference) -> str:
    if found.what == "words":
        what = found.name
    elif found.what == "reached":
        what = _LAYERS.get(found.of, found.of)
    elif found.what == "library":
        what = found.of
    else:
        what = " ".join(filter(None, (_NAMES.get(found.what, found.what), found.name)))
    return f"{what}: was {_shown(found.before)}, is {_shown(found.now)}"


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, str):
        if len(value) == 64 and set(value) <= set("0123456789abcdef"):
            return value[:_DIGEST]
        return value if len(value) <= _TEXT else f"{value[:_TEXT]}…"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(_shortened(value))
    if isinstance(value, list) and value:
        return f"{len(value)} of them"
    return "another grouping" if isinstance(value, dict) else str(value)


def _shortened(iris: Iterable[str]) -> Iterator[str]:
    return (iri.rpartition("#")[2].rpartition("/")[2] for iri in iris)


def _sum(replay: Replay) -> str:
    counts = ", ".join(f"{replay.counts[status]} {status.value}" for status in Status if replay.counts[status])
    number = replay.counts.total()
    whole = f"broken in {len(replay.broken)} place{'s'[: len(replay.broken) != 1]}" if replay.broken else "whole"
    return f"{number} record{'s'[: number != 1]}: {counts or 'nothing to replay'}; the chain is {whole}"
