"""Takes a paragraph apart into its running text, its notes and the items of its lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kb_tools.document.sentences import CLOSERS, MARKS

_LABEL = r"(?:[IVXLC]{1,6}|[ivxlc]{1,6}|[A-Z]|[a-z]|\d{1,2})"
_BULLET = r"[-–•▪·*]"
_START = re.compile(
    rf"(?:\A\s*|(?P<end>(?:[.;:!?]{CLOSERS}|,(?=\s+(?:and|or)\s)){MARKS}(?:\s+(?:and/or|and|or))?)?(?P<gap>\s+))"
    rf"(?:(?P<bullet>{_BULLET})\s+)?"
    rf"(?:(?P<note>Notes?|NOTES?)(?:\s+\d{{1,2}})?:\s+|(?P<label>{_LABEL})[.)]\s+|(?(bullet)|(?!)))(?=\S)"
)
_NUMBER_DUE = re.compile(
    r"(?<!\S)(?:[-•]\s+)?(?:(?P<point>\d{1,3})[.)]|\[(?P<bracket>\d{1,3})\])\s+(?!doi\b|https?:)(?=[^\W\d_]|[\"“(])"
)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


@dataclass(frozen=True)
class Part:
    """A piece of a paragraph or table: its kind and label are those of a unit."""

    kind: str
    label: str
    text: str


class Numbering:
    """The lists open in a section: which label may come next."""

    def __init__(self) -> None:
        self.open: dict[str, int] = {}

    def take(self, label: str, *, first: bool, anyway: bool) -> bool:
        """Whether the label is the next of a list that is open, or the first of a new one, or is taken anyway."""
        values = _values(label)
        style = next((s for s, n in values.items() if self.open.get(s, 0) + 1 == n and s in self.open), None)
        if style is None and (first or anyway):
            # "I" is Roman, "i" too, where nothing says otherwise.
            style = next((s for s, n in reversed(values.items()) if n == 1), None)
        if style is None and anyway:
            style = next(iter(values))
        if style is None:
            return False
        # A label of an outer list closes the lists within.
        styles = list(self.open)
        for inner in styles[styles.index(style) + 1 :] if style in styles else []:
            del self.open[inner]
        self.open[style] = values[style]
        return True


def parts_of(text: str, numbering: Numbering) -> Iterator[Part]:
    """A paragraph taken apart into its running text, its notes and its list items."""
    part, start = Part("sentence", "", ""), 0
    bulleted = False
    for match in _START.finditer(text):
        at_start = match["gap"] is None
        end = match["end"] is not None
        new_line = "\n" in (match["gap"] or "")
        bullet = match["bullet"] is not None
        if match["note"]:
            if not (at_start or end):
                continue
            following = Part("sentence", "Note", "")
        elif match["label"]:
            if not (at_start or end or bullet or new_line):
                continue
            colon = (match["end"] or "").startswith(":")
            listed = bullet or new_line or colon or bool(numbering.open)
            # "E. coli" and "J. Smith" may begin a paragraph: a lone letter is a label where a list is to be expected.
            letter = len(match["label"]) == 1 and match["label"].isalpha() and not bullet
            first = (listed and end) or (at_start and (listed or not letter or not text[match.end()].islower()))
            if not numbering.take(match["label"], first=first, anyway=at_start and not letter):
                continue
            following = Part("item", match["label"], "")
            bulleted = bulleted or bullet
        else:
            sign = match["bullet"] in "•▪·"
            if not (at_start or sign or end or (bulleted and new_line)):
                continue
            following = Part("item", "", "")
            bulleted = True
        body = text[start : match.end("end") if end else match.start()]
        if body.strip():
            yield Part(part.kind, part.label, body)
        part, start = following, match.end()
    if text[start:].strip():
        yield Part(part.kind, part.label, text[start:])


def _values(label: str) -> dict[str, int]:
    """What number a label may stand for, by the style of numbering."""
    if label.isdigit():
        return {"1": int(label)}
    case = "A" if label.isupper() else "a"
    values = {}
    if len(label) == 1:
        values[case] = ord(label.lower()) - ord("a") + 1
    digits = [_ROMAN.get(c, 0) for c in label.lower()]
    if all(digits):
        pairs = zip(digits, [*digits[1:], 0], strict=True)
        values["I" if case == "A" else "i"] = sum(-d if d < following else d for d, following in pairs)
    return values
