"""What differs between two texts, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import TypedDict

# From this share of common words on, two texts are shown as one that was changed.
_ALIKE = 0.5
# Spaces by which a part of a tree is set in.
_INDENT = 2
# A word, with what joins its parts: "II.B", "99.9", "graft-versus-host".
_WORDS = re.compile(r"\w+(?:[.'-]\w+)*")
_TOKENS = re.compile(rf"{_WORDS.pattern}|\s+|[^\w\s]")


class Run(TypedDict):
    """A piece of text. `mark` is "gone", "added", or "" for what both texts have."""

    text: str
    mark: str


class Line(TypedDict):
    """A line in runs; `depth` is how far in it stands, in steps."""

    depth: int
    runs: list[Run]


def lines(before: Sequence[str], after: Sequence[str]) -> list[Line]:
    """The lines of both, in one order: what is gone, what was added, and within lines that are alike the words.

    What stands after a tree is put in order by itself, so that no part of the tree comes to stand after it.
    """
    pairs = zip(_sections(before), _sections(after), strict=True)
    return [line for pair in pairs for line in _in_one_order(*pair)]


def _sections(found: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The lines up to the last one that is set in, and those after it; of lines without a tree all are the first."""
    end = max((place + 1 for place, line in enumerate(found) if _depth(line)), default=len(found))
    return found[:end], found[end:]


def _in_one_order(before: Sequence[str], after: Sequence[str]) -> list[Line]:
    found: list[Line] = []
    for tag, low, high, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [_line(line, "") for line in before[low:high]]
        else:
            found += _replaced(before[low:high], after[start:end])
    return found


def _replaced(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    """Each line that went followed by what came in its place, where there is such a line."""
    start = 0
    for old in before:
        place = next((place for place in range(start, len(after)) if _in_place(old, after[place])), None)
        if place is None:
            yield _line(old, "gone")
            continue
        yield from (_line(line, "added") for line in after[start:place])
        yield {"depth": _depth(old), "runs": words(old.strip(), after[place].strip())}
        start = place + 1
    yield from (_line(line, "added") for line in after[start:])


def _in_place(old: str, new: str) -> bool:
    return _depth(old) == _depth(new) and _alike(old, new)


def _line(line: str, mark: str) -> Line:
    return {"depth": _depth(line), "runs": [{"text": line.strip(), "mark": mark}]}


def _depth(line: str) -> int:
    return (len(line) - len(line.lstrip(" "))) // _INDENT


def _alike(old: str, new: str) -> bool:
    return SequenceMatcher(None, _WORDS.findall(old), _WORDS.findall(new), autojunk=False).ratio() >= _ALIKE


def words(before: str, after: str) -> list[Run]:
    """The words of both texts in one order; what only separates words that differ counts with them.

    Texts that have little in common are not taken apart.
    """
    if not _alike(before, after):
        return _changed(before, after)
    old, new = _TOKENS.findall(before), _TOKENS.findall(after)
    runs: list[Run] = []
    gone = added = ""
    for tag, low, high, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        was, now = "".join(old[low:high]), "".join(new[start:end])
        between = (gone or added) and high < len(old) and end < len(new)
        if tag == "equal" and not (between and not any(map(str.isalnum, was))):
            runs += _changed(gone, added)
            runs.append({"text": was, "mark": ""})
            gone = added = ""
        else:
            gone, added = gone + was, added + now
    return runs + _changed(gone, added)


def _changed(gone: str, added: str) -> list[Run]:
    marked: list[Run] = [{"text": gone, "mark": "gone"}, {"text": added, "mark": "added"}]
    return [run for run in marked if run["text"]]


def side(runs: Sequence[Run], mark: str) -> list[Run]:
    """What one of the two texts says: of all runs those that both have, and those with this mark."""
    return [run for run in runs if run["mark"] in ("", mark)]
