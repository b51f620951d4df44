"""Cuts running text into sentences."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator

from kb_tools.document.digest import CLOSE, OPEN

_ABBREVIATION = re.compile(
    r"e\.g|i\.e|al|vs|etc|dr|nos?|figs?|inc|jr|sr|st|approx|cf|mr|mrs|ms|prof|ca|vol|pp|eds?|ltd|corp", re.I
)
# What may stand after the sign that ends a sentence: closing signs, citation marks.
CLOSERS = r"[\"”’')\]]*"
MARKS = rf"(?:\s?{OPEN}[\d,]*{CLOSE})*"
_STOP = re.compile(rf"(?P<stop>[.!?]){CLOSERS}{MARKS}\s+(?=[\"“‘'(\[]*(?P<next>[^\W_]|©))")
BRACKETS = re.compile(r"\([^()]*(?:\([^()]*\)[^()]*)*\)")
_INITIAL = re.compile(r"(?:[A-Z]\.)*[A-Z]")


def within(spans: list[tuple[int, int]], position: int) -> bool:
    """Whether a position lies within one of the spans, which stand in order; a span's last character is its end."""
    i = bisect.bisect_right(spans, (position, -1)) - 1
    return i >= 0 and spans[i][0] < position < spans[i][1] - 1


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text."""
    inside = [match.span() for match in BRACKETS.finditer(text) if len(match[0]) <= 500]
    start = 0
    for match in _STOP.finditer(text):
        following = match["next"]
        if not (following.isupper() or following.isdigit() or following == "©" or match[0][-1] in "\"“‘'"):
            continue
        if within(inside, match.start()):
            continue
        before = text[max(start, match.start() - 60) : match.start()].split()
        if match["stop"] == "." and before:
            word = before[-1].lstrip("(\"“‘'[")
            if _ABBREVIATION.fullmatch(word) or _INITIAL.fullmatch(word):
                continue
            if len(before) == 1 and re.fullmatch(r"[IVXLC]+|\d{1,2}", word):
                continue
        yield text[start : match.end()]
        start = match.end()
    if text[start:].strip():
        yield text[start:]
