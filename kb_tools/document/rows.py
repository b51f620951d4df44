"""Cuts the list of references and the tables of a document into their entries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kb_tools.document.lists import Part
from kb_tools.document.sentences import BRACKETS, within

_NUMBER_DUE = re.compile(
    r"(?<!\S)(?:[-•]\s+)?(?:(?P<point>\d{1,3})[.)]|\[(?P<bracket>\d{1,3})\])\s+(?!doi\b|https?:)(?=[^\W\d_]|[\"“(])"
)
CODE = re.compile(r"(?<!\S)(?P<code>\d{5}|\d{4}[A-Z]|[A-Z]\d{4})(?=\s+[A-Z])")
_MENTION = re.compile(r"\b(?:codes?|with|and|or|see|to|for)\s+\Z", re.I)
_LOG_DATES = re.compile(
    r"(?<=\s)\d{1,2}/\d{2}(?![\d/])(?:\s+(?:\d{1,2}/\d{1,2}/\d{4}|\d{1,2}/\d{2}(?![\d/])))?(?=\s+[\"“(]?[A-Z]|\s*\Z)"
)
_HEADER_LINE = re.compile(r"[A-Z][^:.\n]{1,40}:\s")
_LOG_DATES = re.compile(
    r"(?<=\s)\d{1,2}/\d{2}(?![\d/])(?:\s+(?:\d{1,2}/\d{1,2}/\d{4}|\d{1,2}/\d{2}(?![\d/])))?(?=\s+[\"“(]?[A-Z]|\s*\Z)"
)
_HEADER_LINE = re.compile(r"[A-Z][^:.\n]{1,40}:\s")


def references_in(text: str) -> Iterator[Part]:
    """The references of a list, each begun by the number that is due; what stands before the first is running text."""
    text = re.sub(r"(?m)^[-•]\s+(?!\d)", "", text)
    starts: list[re.Match[str]] = []
    for match in _NUMBER_DUE.finditer(text):
        if int(match["point"] or match["bracket"]) != len(starts) + 1:
            continue
        # A number within a reference ("Part 2. ") follows a word; one that begins the next follows an end.
        position = starts[-1].end() if starts else 0
        before = text[max(position, match.start() - 200) : match.start()].split()
        if not before or not starts or re.search(r"[\d/]|[.)\]]$", before[-1]):
            starts.append(match)
    begin = starts[0].start() if starts else len(text)
    if text[:begin].strip():
        yield Part("sentence", "", text[:begin])
    ends = [match.start() for match in starts[1:]] + [len(text)]
    for number, (match, end) in enumerate(zip(starts, ends, strict=False), 1):
        yield Part("reference", str(number), text[match.end() : end])


def codes_in(text: str) -> Iterator[Part]:
    """The rows of a table of codes: each begins with a code that no bracket and no "with code" holds."""
    inside = [match.span() for match in BRACKETS.finditer(text)]
    starts = [
        match
        for match in CODE.finditer(text)
        if not within(inside, match.start()) and not _MENTION.search(text[max(0, match.start() - 20) : match.start()])
    ]
    begin = starts[0].start() if starts else len(text)
    if text[:begin].strip():
        yield Part("sentence", "", text[:begin])
    ends = [match.start() for match in starts[1:]] + [len(text)]
    for match, end in zip(starts, ends, strict=False):
        yield Part("row", match["code"], text[match.start() : end])


def log_rows_in(text: str) -> Iterator[Part]:
    """The rows of the revision log: each ends with its dates; what stands after the last is running text."""
    start = 0
    for match in _LOG_DATES.finditer(text):
        yield Part("row", "", text[start : match.end()])
        start = match.end()
    if text[start:].strip():
        yield Part("sentence", "", text[start:])
