"""A policy's document cut into units: read from a text, HTML or PDF file, freed of page furniture, digested.

The rules are small and our own, so that the digest of an unchanged sentence stays the same for years: no library
decides where a sentence ends. Nothing read here is written anywhere, and no message carries words of the document.
"""

from __future__ import annotations

import bisect
import codecs
import hashlib
import logging
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi
from pathlib import Path
from typing import TYPE_CHECKING

from kb_tools.errors import KbError

if TYPE_CHECKING:
    from bs4 import Tag

# A policy's document is some hundred kilobytes. Above this a file is refused before it is read.
MAX_BYTES = 64 * 1024 * 1024
HEADER = "Header"
REVISION_LOG = "Revision Log"
REFERENCES = "References"


class DocumentError(KbError):
    """A document that cannot be read: its text says what it is and what to do."""


@dataclass(frozen=True)
class Unit:
    """One heading, sentence, list item, table row or reference of a document.

    Attributes:
        kind: "heading", "sentence", "item", "row" or "reference".
        section: the heading it stands under (a heading: itself); "Header" before the first; "Revision Log" for its
            table.
        order: its place in the document, from 1.
        label: the number of an item, reference or code row as printed, without its full stop; "Note" for each sentence
            of a note; else "".
        paragraph: its paragraph in the section, from 1; each item, note, row and reference is one; 0 for a heading.
        text: one line without furniture, citation marks, decoration and label (a code belongs to the text of its row).
        marks: the numbers of the references it cites, in order.
        digest: the digest of the text.
    """

    kind: str
    section: str
    order: int
    label: str
    paragraph: int
    text: str
    marks: tuple[int, ...]
    digest: str


# --- the digest ---------------------------------------------------------------------------------------------------

_INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff]")
_SOFT_HYPHEN = re.compile("\u00ad[ \t]*\n?[ \t]*")
_SPACES = re.compile(r"[^\S\n\f\t]")
_NEWLINE = re.compile("\r\n?|[\v\x85\u2028\u2029]")
_LIGATURES = str.maketrans(
    {c: unicodedata.normalize("NFKC", c) for c in map(chr, range(0xFB00, 0xFB07))} | {"\u2010": "-", "\u2011": "-"}
)
_DECORATION = (
    (re.compile(r"\\([*_\[\]#<>.^-])"), r"\1"),  # an escaped character
    (re.compile(r"<sup>\s*(\d[\d,\s–-]*)</sup>", re.I), r"^{\1}"),
    (re.compile(r"</?(?:sup|sub|b|i|u|em|strong|span|br)\b[^<>]*>", re.I), ""),
    (re.compile(r"<((?:https?://|www\.|mailto:)[^<>]{1,500})>"), r"\1"),
    (re.compile(r"\[([^\[\]]*)\]\((?:#|https?:|mailto:|www\.)[^()]*\)"), r"\1"),
    (re.compile(r"\*\*(?=\S)((?:[^*\n]|\n(?!\n))+?)\*\*"), r"\1"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])((?:[^*\n]|\n(?!\n))+?)\*(?![\w*])"), r"\1"),
    (re.compile(r"\^?\[\^?([®™©℠])\]|\^\{?([®™©℠])\}?"), r"\1\2"),
)
# A line that is nothing but a link within the document: marked until the line is seen, since the link's text may be a
# heading elsewhere.
_NAVIGATION = "\ue000"
_LINK_LINE = re.compile(r"^[ \t]*(?:[-*•]\s+)?\[([^\[\]\n]+)\]\(#[^()\n]*\)[ \t]*$", re.M)

_NUMBERS = r"\d{1,3}(?:\s*[,–-]\s*\d{1,3})*"
_RAISED = "[⁰¹²³⁴-⁹]"
_UNIT_OF_MEASURE = r"(?<!\bm)(?<!\bcm)(?<!\bmm)(?<!\bkm)"
_BRACED = re.compile(rf"(?<!\d){_UNIT_OF_MEASURE}\s?\^\{{\s*({_NUMBERS})\s*\}}")
_CARET = re.compile(rf"(?<=[^\W\d_]|[.,;:)%”\"’]){_UNIT_OF_MEASURE}\^(\d{{1,3}}(?:[,–-]\d{{1,3}})*)(?!\w)")
_SUPERSCRIPT = re.compile(rf"(?<![\d\s]){_UNIT_OF_MEASURE}({_RAISED}+(?:[,⁻–-]{_RAISED}+)*)(?![^\W\d_]|[⁺⁻⁰¹²³⁴-⁹])")
_BRACKETED = re.compile(rf"(?<=[^\W\d_]|[.,;:)%”\"’])\s?\[({_NUMBERS})\](?!\()")
_LAST_WORD = re.compile(r"[^\W\d_]+\Z")
_GLUED = re.compile(
    # a sentence's or clause's end: a word, a closing bracket or a percentage, and punctuation
    r"(?:(?:(?<=[\s(\"“])(?P<word>[^\W\d_][^\W\d_'’/-]*(?:[-'’/][^\W\d_]+)*)|[)\]”\"’]|(?<=\d)%)[.,;!?][)”\"’]?"
    # or a lower-case word
    r"|(?<![^\W\d_-])(?P<lower>[a-z]{4,}))"
    r"(?P<numbers>[1-9]\d{0,2}(?:[,–-][1-9]\d{0,2})*)(?=[\s.,;:!?)\]]|$)(?![.,]\d)"
)
# Words whose number is not a citation even where an extraction lost the space between.
_NUMBERED = re.compile(
    r"(?:grade|stage|type|code|page|dose|day|week|month|year|cycle|line|group|level|version|part|step)s?|class|phase|table"
    r"|figure|section|chapter|appendix|criteri(?:on|a)|item|note|article|number|range|median|mean|interval|iqr|ci",
    re.I,
)
_NUMBERED_WITH_POINT = re.compile(r"figs?|nos?|vol|ver|sec|ch|approx|ca|vs|pp|ed", re.I)
# A recognised citation mark within a text, until the text is cut.
_OPEN, _CLOSE = "\ue001", "\ue002"
_MARK = re.compile(rf"\s?{_OPEN}([\d,]*){_CLOSE}")

_SYMBOLS = re.compile("[®™©℠]")
_TIMES = re.compile(r"(?<=\d)\s*[xX×✕]\s*(?=\d)")
_COMPARISON = str.maketrans({"≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≦": "<=", "≧": ">="})
_POINT = re.compile(r"(?<!\d)\.|\.(?!\d)")


def _plain(text: str) -> str:
    """The text with one kind of line end, hyphen and space, and without decoration."""
    text = _NEWLINE.sub("\n", text.removeprefix("\ufeff"))
    text = _SPACES.sub(" ", _SOFT_HYPHEN.sub("", _INVISIBLE.sub("", text))).translate(_LIGATURES)
    text = _LINK_LINE.sub(_NAVIGATION + r"\1", text)
    for pattern, replacement in _DECORATION:
        text = pattern.sub(replacement, text)
    return text


def _numbers(printed: str) -> list[int]:
    """The numbers of a mark as printed: "1,3-5" is 1, 3, 4, 5."""
    numbers: list[int] = []
    for part in unicodedata.normalize("NFKC", printed).replace("−", "-").replace("–", "-").split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def _mark(printed: str) -> str:
    return f"{_OPEN}{','.join(map(str, _numbers(printed)))}{_CLOSE}"


def _marked(text: str, references: int) -> str:
    """The text with every citation mark in one form; digits glued to a word only up to that number of references."""

    def bracketed(match: re.Match[str]) -> str:
        word = _LAST_WORD.search(text[max(0, match.start() - 20) : match.start()])
        return match[0] if word and _NUMBERED.fullmatch(word[0]) else _mark(match[1])

    def glued(match: re.Match[str]) -> str:
        cited = _numbers(match["numbers"])
        # "C.1" is a place in the criteria, "Fig.2" one in a paper, "grade2" a grade.
        if match["word"] and (len(match["word"]) < 2 or _NUMBERED_WITH_POINT.fullmatch(match["word"])):
            return match[0]
        if match["lower"] and _NUMBERED.fullmatch(match["lower"]):
            return match[0]
        if not cited or max(cited) > references:
            return match[0]
        return match[0][: match.start("numbers") - match.start()] + _mark(match["numbers"])

    for pattern in (_BRACED, _CARET, _SUPERSCRIPT):
        text = pattern.sub(lambda match: _mark(match[1]), text)
    text = _BRACKETED.sub(bracketed, text)
    return _GLUED.sub(glued, text) if references else text


def _skeleton(text: str) -> str:
    """What of a text without marks and decoration makes its digest."""
    text = unicodedata.normalize("NFKC", _SYMBOLS.sub("", text))
    text = unicodedata.normalize("NFKC", text.casefold()).translate(_COMPARISON)
    text = _POINT.sub("", _TIMES.sub("×", text))
    return "".join(c for c in text if c.isalnum() or c in "<>=≠%×.")


def digest(text: str) -> str:
    """The SHA-256 (hex) of a passage, the same for every extraction of it from the same document.

    It covers letters, digits, comparison signs, percent and multiplication signs and the decimal points inside
    numbers, folded to lower case; not spaces, hyphens, quotes, decoration or citation marks. Digits glued to a word
    count as part of it: that they are a mark, only `cut` can know, from the number of references.
    """
    plain = _MARK.sub("", _marked(_plain(text), 0))
    return hashlib.sha256(_skeleton(plain).encode()).hexdigest()


# --- page furniture and blocks ------------------------------------------------------------------------------------

_PAGE = re.compile(r"page\s+\d{1,3}(?:\s*(?:/|of)\s*\d{1,3})?|[-–]\s*\d{1,3}\s*[-–]", re.I)
# A page number only where it stands alone: else it may belong to a sentence. "3/8" is none: it may be a row's date.
_LONE_NUMBER = re.compile(r"(\d{1,3})(?:\s+of\s+\d{1,3})?")
_ENDS = re.compile(r"(?:[!?:;]|(?<!\d)\.|\.(?!\d))[\"”’')\]]*[\s^{}\[\]\d,⁰¹²³⁴-⁹–-]{0,40}\Z")
_CODE_HEAD = re.compile(r"^[A-Z](?:[^\n.]{0,40}?\b|[^\s.]{0,20}\s+)Codes?\b[*®™\s]*?\s+Descriptions?\b", re.M)
_LOG_HEAD = re.compile(
    r"^Reviews?,[\w\s,]{0,40}?Approvals?(?:\s+(?:(?:Revision|Approval|Effective)\s+)?Dates?\b)+", re.M
)
_SHORT = 60


@dataclass
class _Block:
    """Lines that stand together. `broken`: a page ended before it. `kind`: "title", "heading", "link" or "text"."""

    lines: list[str]
    broken: bool = False
    kind: str = "text"

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def _name(line: str) -> str:
    """What a heading is compared by."""
    return _skeleton(line)


def _finished(text: str) -> bool:
    """Whether a sentence or clause ends with this text, its citation marks apart."""
    return _ENDS.search(text[-100:]) is not None


def _title(lines: list[str]) -> int:
    """Where the title stands: the first line, or where that is already a page header, the one it is taken from."""
    first = [i for i, line in enumerate(lines) if line.strip(" \t\f")][:5]
    if not first:
        return 0
    opening = lines[first[0]].strip("# ").casefold()
    return next((i for i in first[1:] if lines[i].strip("# ").casefold().startswith(opening + ":")), first[0])


def _may_recur(line: str, known: Collection[str]) -> bool:
    """Whether a line that recurs is furniture: a short one that neither ends a sentence nor heads anything."""
    return (
        len(line) <= _SHORT
        and line[0].isalpha()
        and line[-1] not in ".,;:!?"
        and _name(line) not in known
        and not _CODE_HEAD.match(line)
        and not _LOG_HEAD.match(line)
    )


def _page_edges(lines: list[str], known: Collection[str]) -> set[int]:
    """The lines that recur at the edges of most pages, and the page numbers there, where the pages are told apart."""
    pages: list[list[int]] = [[]]
    for i, line in enumerate(lines):
        if line == "\f":
            pages.append([])
        elif line:
            pages[-1].append(i)
    pages = [page for page in pages if page]
    if len(pages) < 2:
        return set()
    edges = [{*page[:3], *page[-3:]} for page in pages]
    times = Counter(line for edge in edges for line in {lines[i] for i in edge})
    recurring = {line for line, n in times.items() if n >= max(2, len(pages) / 2) and _may_recur(line, known)}
    found = {i for edge in edges for i in edge if lines[i] in recurring}
    for number, page in enumerate(pages, 1):
        for i in (page[0], page[-1]):
            lone = _LONE_NUMBER.fullmatch(lines[i])
            if lone and int(lone[1]) == number:
                found.add(i)
    return found


def _furniture(lines: list[str], known: Collection[str]) -> set[int]:
    """The lines that are page headers, page footers or page numbers, derived from the document itself."""
    title = _title(lines)
    lines = [line if line == "\f" else line.strip() for line in lines]
    whole = lines[title].strip("# ")
    parts = {part.strip() for part in (whole, *whole.split(":", 1)) if part.strip()}
    forms = "|".join(re.escape(form) for part in sorted(parts, key=len, reverse=True) for form in (part, part.upper()))
    header = re.compile(rf"(?:{forms})(?:[\s:|–-]+(?:{forms}))*")
    blank = {i for i, line in enumerate(lines) if not line.strip("\f")}
    dropped = {i for i, line in enumerate(lines) if line and (header.fullmatch(line) or _PAGE.fullmatch(line))}
    dropped |= _page_edges(lines, known)

    def alone() -> list[int]:
        gaps = blank | dropped | {-1, len(lines)}
        return [i for i in range(len(lines)) if i not in gaps and i - 1 in gaps and i + 1 in gaps]

    recurring = [i for i in alone() if _may_recur(lines[i], known)]
    times = Counter(lines[i] for i in recurring)
    dropped |= {i for i in recurring if times[lines[i]] >= 3}
    dropped |= {i for i in alone() if _LONE_NUMBER.fullmatch(lines[i])}
    return (dropped | {i for i in blank if lines[i] == "\f"}) - {title}


def _is_heading(block: _Block, known: Collection[str]) -> bool:
    """Whether a block is a heading: a known name, or one short line without an end that begins with a capital."""
    if len(block.lines) != 1:
        return False
    line = block.lines[0].strip()
    if line.startswith("#") or _name(line) in known:
        return True
    return (
        len(line) <= _SHORT
        and len(line.split()) <= 7
        and line[0].isupper()
        and line[-1].isalpha()
        and not re.search(r"[\t:.]", line)
    )


def _blocks(text: str, known: Collection[str]) -> list[_Block]:
    """The document's blocks: furniture dropped, headings told apart, what a page break divides joined again."""
    lines = text.replace("\f", "\n\f\n").split("\n")
    furniture = _furniture(lines, known)
    title = _title(lines)
    blocks: list[_Block] = []
    gap, broken = True, False
    for i, line in enumerate(lines):
        if i in furniture:
            broken = True
        elif not line.strip():
            gap = True
        else:
            link = line.startswith(_NAVIGATION)
            alone = i == title or link or (blocks and blocks[-1].kind != "text")
            if gap or alone or not blocks:
                blocks.append(
                    _Block([], broken and bool(blocks), "title" if i == title else "link" if link else "text")
                )
            blocks[-1].lines.append(line.lstrip(_NAVIGATION).rstrip())
            gap, broken = False, False
    split: list[_Block] = []
    for block in blocks:
        split += _with_headings(block, known) if block.kind == "text" else [block]
    joined: list[_Block] = []
    for block in split:
        before = joined[-1] if joined else None
        if before is not None and _goes_on(before, block, known):
            # The bullet that some extractions put before the second half of a broken item.
            if not re.match(r"[-•]\s+[A-Za-z0-9]{1,4}[.)]\s", block.lines[0]):
                block.lines[0] = re.sub(r"^[-•]\s+", "", block.lines[0])
            before.lines += block.lines
        else:
            joined.append(block)
    for block in joined:
        if block.kind == "text" and _is_heading(block, known):
            block.kind = "heading"
    return joined


def _goes_on(before: _Block, block: _Block, known: Collection[str]) -> bool:
    """Whether a block is the second half of the one before it, most often because a page ended between them."""
    if block.kind != "text" or before.kind != "text":
        return False
    open_end = not _is_heading(before, known) and not _finished("\n".join(before.lines[-2:]))
    if not block.broken:
        return open_end and block.lines[0][0].islower()
    return open_end or block.lines[0].lstrip("-• ")[:1].islower()


def _with_headings(block: _Block, known: Collection[str]) -> Iterator[_Block]:
    """A block taken apart at the lines that are known headings: PDF text has no blank lines around them.

    Such a line is a heading only if it ends early, that is, if the next word would still have fitted: else it is a
    line of wrapped text.
    """
    width = max(map(len, block.lines))
    rest = _Block([], block.broken)
    for i, line in enumerate(block.lines):
        following = block.lines[i + 1].split()[0] if i + 1 < len(block.lines) else ""
        before = block.lines[i - 1] if i else ""
        if (
            _name(line) in known
            and len(line) + 1 + len(following) <= max(width, _SHORT)
            and not before.rstrip("*® ").endswith("Codes")  # the head of a table whose cells came as lines
        ):
            if rest.lines:
                yield rest
            yield _Block([line], rest.broken and not rest.lines, "heading")
            rest = _Block([])
        else:
            rest.lines.append(line)
    if rest.lines:
        yield rest


# --- sentences, items, rows, references ---------------------------------------------------------------------------

_ABBREVIATION = re.compile(
    r"e\.g|i\.e|al|vs|etc|dr|nos?|figs?|inc|jr|sr|st|approx|cf|mr|mrs|ms|prof|ca|vol|pp|eds?|ltd|corp", re.I
)
_CLOSERS = r"[\"”’')\]]*"
_MARKS = rf"(?:\s?{_OPEN}[\d,]*{_CLOSE})*"
_STOP = re.compile(rf"(?P<stop>[.!?]){_CLOSERS}{_MARKS}\s+(?=[\"“‘'(\[]*(?P<next>[^\W_]|©))")
_BRACKETS = re.compile(r"\([^()]*(?:\([^()]*\)[^()]*)*\)")
_INITIAL = re.compile(r"(?:[A-Z]\.)*[A-Z]")
_LABEL = r"(?:[IVXLC]{1,6}|[ivxlc]{1,6}|[A-Z]|[a-z]|\d{1,2})"
_BULLET = r"[-–•▪·*]"
_START = re.compile(
    rf"(?:\A\s*|(?P<end>(?:[.;:!?]{_CLOSERS}|,(?=\s+(?:and|or)\s)){_MARKS}(?:\s+(?:and/or|and|or))?)?(?P<gap>\s+))"
    rf"(?:(?P<bullet>{_BULLET})\s+)?"
    rf"(?:(?P<note>Notes?|NOTES?)(?:\s+\d{{1,2}})?:\s+|(?P<label>{_LABEL})[.)]\s+|(?(bullet)|(?!)))(?=\S)"
)
_NUMBER_DUE = re.compile(
    r"(?<!\S)(?:[-•]\s+)?(?:(?P<point>\d{1,3})[.)]|\[(?P<bracket>\d{1,3})\])\s+(?!doi\b|https?:)(?=[^\W\d_]|[\"“(])"
)
_CODE = re.compile(r"(?<!\S)(?P<code>\d{5}|\d{4}[A-Z]|[A-Z]\d{4})(?=\s+[A-Z])")
_MENTION = re.compile(r"\b(?:codes?|with|and|or|see|to|for)\s+\Z", re.I)
_LOG_DATES = re.compile(
    r"(?<=\s)\d{1,2}/\d{2}(?![\d/])(?:\s+(?:\d{1,2}/\d{1,2}/\d{4}|\d{1,2}/\d{2}(?![\d/])))?(?=\s+[\"“(]?[A-Z]|\s*\Z)"
)
_HEADER_LINE = re.compile(r"[A-Z][^:.\n]{1,40}:\s")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


def _within(spans: list[tuple[int, int]], position: int) -> bool:
    """Whether a position lies within one of the spans, which stand in order; a span's last character is its end."""
    i = bisect.bisect_right(spans, (position, -1)) - 1
    return i >= 0 and spans[i][0] < position < spans[i][1] - 1


def _sentences(text: str) -> Iterator[str]:
    """The sentences of a text."""
    inside = [match.span() for match in _BRACKETS.finditer(text) if len(match[0]) <= 500]
    start = 0
    for match in _STOP.finditer(text):
        following = match["next"]
        if not (following.isupper() or following.isdigit() or following == "©" or match[0][-1] in "\"“‘'"):
            continue
        if _within(inside, match.start()):
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


class _Numbering:
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


@dataclass(frozen=True)
class _Part:
    kind: str
    label: str
    text: str


def _parts(text: str, numbering: _Numbering) -> Iterator[_Part]:
    """A paragraph taken apart into its running text, its notes and its list items."""
    part, start = _Part("sentence", "", ""), 0
    bulleted = False
    for match in _START.finditer(text):
        at_start = match["gap"] is None
        end = match["end"] is not None
        new_line = "\n" in (match["gap"] or "")
        bullet = match["bullet"] is not None
        if match["note"]:
            if not (at_start or end):
                continue
            following = _Part("sentence", "Note", "")
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
            following = _Part("item", match["label"], "")
            bulleted = bulleted or bullet
        else:
            sign = match["bullet"] in "•▪·"
            if not (at_start or sign or end or (bulleted and new_line)):
                continue
            following = _Part("item", "", "")
            bulleted = True
        body = text[start : match.end("end") if end else match.start()]
        if body.strip():
            yield _Part(part.kind, part.label, body)
        part, start = following, match.end()
    if text[start:].strip():
        yield _Part(part.kind, part.label, text[start:])


def _references(text: str) -> Iterator[_Part]:
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
        yield _Part("sentence", "", text[:begin])
    ends = [match.start() for match in starts[1:]] + [len(text)]
    for number, (match, end) in enumerate(zip(starts, ends, strict=False), 1):
        yield _Part("reference", str(number), text[match.end() : end])


def _code_rows(text: str) -> Iterator[_Part]:
    """The rows of a table of codes: each begins with a code that no bracket and no "with code" holds."""
    inside = [match.span() for match in _BRACKETS.finditer(text)]
    starts = [
        match
        for match in _CODE.finditer(text)
        if not _within(inside, match.start()) and not _MENTION.search(text[max(0, match.start() - 20) : match.start()])
    ]
    begin = starts[0].start() if starts else len(text)
    if text[:begin].strip():
        yield _Part("sentence", "", text[:begin])
    ends = [match.start() for match in starts[1:]] + [len(text)]
    for match, end in zip(starts, ends, strict=False):
        yield _Part("row", match["code"], text[match.start() : end])


def _log_rows(text: str) -> Iterator[_Part]:
    """The rows of the revision log: each ends with its dates; what stands after the last is running text."""
    start = 0
    for match in _LOG_DATES.finditer(text):
        yield _Part("row", "", text[start : match.end()])
        start = match.end()
    if text[start:].strip():
        yield _Part("sentence", "", text[start:])


# --- the cut ------------------------------------------------------------------------------------------------------


class _Cutter:
    """Collects the units of one document."""

    def __init__(self, text: str, references: int) -> None:
        self.words = frozenset(re.findall(r"[^\W\d_]+", text.casefold()))
        self.references = references
        self.units: list[Unit] = []
        self.enter(HEADER)

    def enter(self, section: str) -> None:
        self.section = section
        self.paragraph = 0
        self.numbering = _Numbering()

    def heal(self, text: str) -> str:
        """The text without the hyphens and spaces that only line ends account for; line ends are kept as space."""

        def join(match: re.Match[str]) -> str:
            # The hyphen is the word's own, unless the document has the word without it.
            whole = match[1] + match[2]
            return whole if whole.casefold() in self.words else f"{match[1]}-{match[2]}"

        text = re.sub(r"[ \t]+", " ", text)
        text = re.sub(r"(?<![^\W\d_])([^\W\d_]+)-\s?\n\s*([^\W\d_]+)", join, text)
        text = re.sub(r"(?<=\w-)[ \t]*\n\s*(?=\w)", "", text)
        return re.sub(r"[ \t]*\n\s*", "\n", text.strip())

    def add(self, kind: str, label: str, text: str) -> None:
        marks = tuple(int(n) for found in _MARK.findall(text) for n in found.split(",") if n)
        text = " ".join(_MARK.sub("", text).split())
        hashed = hashlib.sha256(_skeleton(text).encode()).hexdigest()
        paragraph = 0 if kind == "heading" else self.paragraph
        self.units.append(Unit(kind, self.section, len(self.units) + 1, label, paragraph, text, marks, hashed))

    def heading(self, text: str) -> None:
        self.add("heading", "", _MARK.sub("", _marked(text, self.references)))

    def prose(self, text: str) -> None:
        """A paragraph: its sentences, notes and items."""
        for part in _parts(_marked(self.heal(text), self.references), self.numbering):
            self.paragraph += 1
            label = part.label
            for sentence in _sentences(part.text):
                self.add(part.kind, label, sentence)
                label = label if label == "Note" else ""

    def whole(self, parts: Iterator[_Part]) -> None:
        """Rows and references, each of which is one unit whatever sentences it has."""
        for part in parts:
            if part.kind == "sentence":
                self.prose(part.text)
            else:
                self.paragraph += 1
                self.add(part.kind, part.label, part.text)


def _paragraphs(block: list[str], header: bool) -> Iterator[str]:
    """The paragraphs of lines without a blank one: one ends where a sentence does and the next word had room."""
    width = max(map(len, block))
    lines: list[str] = []
    for line in block:
        if lines:
            early = len(lines[-1]) + 1 + len(line.split()[0]) <= 0.85 * width
            if (early and _finished(lines[-1])) or (header and _HEADER_LINE.match(line)):
                yield "\n".join(lines)
                lines = []
        lines.append(line)
    yield "\n".join(lines)


def _sections(blocks: list[_Block], known: dict[str, str]) -> list[tuple[str, _Block | None, list[_Block]]]:
    """Each section's name, heading and blocks. A heading that stands again further down is a link to it."""
    log = [i for i, block in enumerate(blocks) if block.kind == "text" and _LOG_HEAD.search(block.text)]
    later: set[str] = set()
    for i in range(len(blocks) - 1, -1, -1):
        block = blocks[i]
        if block.kind == "heading":
            name = _name(block.text)
            leads_to_log = name == _name(REVISION_LOG) and log and log[-1] > i + 1
            if name in later or leads_to_log:
                block.kind = "link"
            later.add(name)
    sections: list[tuple[str, _Block | None, list[_Block]]] = [(HEADER, None, [])]
    for block in blocks:
        if block.kind == "heading":
            name = " ".join(_MARK.sub("", _marked(block.text.strip("# "), 0)).split())
            sections.append((known.get(_name(name), name), block, []))
        else:
            sections[-1][2].append(block)
    return sections


@dataclass(frozen=True)
class _Run:
    """What is cut in one way: "prose" (a block), "codes", "log" and "references" (all lines), "head" (of a table)."""

    mode: str
    text: str


def _runs(section: str, blocks: list[_Block]) -> Iterator[_Run]:
    """A section's blocks by the way in which they are cut: a table lasts until the next, or until running text."""
    mode = "references" if _name(section) == _name(REFERENCES) else "prose"
    run: list[str] = []
    head = ""
    for block in blocks:
        if block.kind != "text":
            yield _Run(block.kind, block.text)
            continue
        text, position = block.text, 0
        if mode == "codes" and not _CODE.match(text.lstrip()) and not _CODE_HEAD.match(text):
            yield _Run(mode, "\n".join(run))
            run, mode = [], "prose"
        heads = sorted((*_CODE_HEAD.finditer(text), *_LOG_HEAD.finditer(text)), key=lambda match: match.start())
        for found in heads:
            if _name(found[0]) != head:  # else it is repeated at the top of a page
                run.append(text[position : found.start()])
                yield _Run(mode, "\n".join(run))
                yield _Run("log head" if found.re is _LOG_HEAD else "head", found[0])
                run, head, mode = [], _name(found[0]), "log" if found.re is _LOG_HEAD else "codes"
            else:
                run.append(text[position : found.start()])
            position = found.end()
        run.append(text[position:])
        if mode == "prose":
            yield _Run(mode, "\n".join(run))
            run = []
    yield _Run(mode, "\n".join(run))


_ROWS = {"references": _references, "codes": _code_rows, "log": _log_rows}


def _cut_section(cutter: _Cutter, blocks: list[_Block]) -> None:
    """The units of a section's blocks."""
    for run in _runs(cutter.section, blocks):
        if run.mode == "title":
            cutter.heading(run.text.strip("# "))
        elif run.mode in ("link", "head", "log head"):
            if run.mode == "log head" and cutter.section != REVISION_LOG:
                cutter.enter(REVISION_LOG)
            cutter.paragraph += 1
            cutter.add("sentence" if run.mode == "link" else "row", "", run.text)
        elif run.mode in _ROWS:
            cutter.whole(_ROWS[run.mode](cutter.heal(run.text)))
        elif run.text.strip():
            for paragraph in _paragraphs(run.text.strip("\n").split("\n"), cutter.section == HEADER):
                cutter.prose(paragraph)


def cut(text: str, headings: Collection[str] = ()) -> list[Unit]:
    """The units of a document's text, in its order.

    Args:
        text: as `read` gives it.
        headings: names of sections already known. Without them a heading is recognised only where it stands between
            blank lines; with them also in the text of a PDF, which has none.
    """
    text = _plain(text)
    known = {_name(heading): heading for heading in headings if heading != HEADER}
    sections = _sections(_blocks(text, known), known)
    listed = [cut_ for name, _, blocks in sections if _name(name) == _name(REFERENCES) for cut_ in blocks]
    references = sum(part.kind == "reference" for part in _references("\n".join(block.text for block in listed)))
    cutter = _Cutter(text, references)
    for name, heading, blocks in sections:
        if name != HEADER or heading is not None:
            cutter.enter(name)
        if heading is not None:
            cutter.heading(heading.text.strip("# "))
        _cut_section(cutter, blocks)
    return cutter.units


# --- reading ------------------------------------------------------------------------------------------------------

_INSTALL = "run pip install 'kb-tools[documents]'"
_SUFFIXES = (".txt", ".md", ".html", ".htm", ".pdf")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w.:-]+)", re.I)


def read(path: Path) -> str:
    """The text of a document: .txt or .md (UTF-8), .html or .htm, or .pdf, whose pages are parted by form feeds.

    Raises:
        DocumentError: the file cannot be read, is too large, is empty, has no text, is encrypted or damaged, is of
            another kind or encoding, or the library that reads its kind is not installed.
    """
    where, suffix = str(path), path.suffix.lower()
    try:
        if path.is_dir():
            raise DocumentError("this is a folder", where=where, mend="name the document's file in it")
        size = path.stat().st_size
        if not path.is_file():
            raise DocumentError("not a file", where=where, mend="name the document's file")
        if suffix not in _SUFFIXES:
            raise DocumentError(
                f"unknown kind of document {path.suffix or '(no extension)'}",
                where=where,
                mend="use " + ", ".join(_SUFFIXES),
            )
        if size > MAX_BYTES:
            raise _too_large(f"{size / 2**20:.0f} MiB", where)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(
            error.strerror or "cannot be read", where=where, mend="check the path and its permissions"
        ) from error
    if len(data) > MAX_BYTES:
        raise _too_large(f"more than {MAX_BYTES // 2**20} MiB", where)
    if not data.strip():
        raise DocumentError("the file is empty", where=where, mend="fetch or save the document again")
    if suffix == ".pdf":
        return _read_pdf(data, where)
    text = _read_html(data, where) if suffix in (".html", ".htm") else _decode(data, where)
    if not text.strip():
        raise DocumentError("no text in this document", where=where, mend="fetch or save the document again")
    return text


def _too_large(size: str, where: str) -> DocumentError:
    return DocumentError(
        f"{size}, and a document may have {MAX_BYTES // 2**20} MiB", where=where, mend="name the policy's document"
    )


def _decode(data: bytes, where: str) -> str:
    """The text of the bytes, which are UTF-8, or UTF-16 with its byte order mark."""
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = "UTF-16" if utf_16 else "UTF-8"
        raise DocumentError(
            f"not {what}: byte {error.start + 1}, in line {line}", where=where, mend="save it as UTF-8"
        ) from None
    if "\0" in text:
        raise DocumentError("not text: it has NUL bytes", where=where, mend="save it as plain text in UTF-8")
    return text


def _missing(library: str, where: str) -> DocumentError:
    return DocumentError(f"reading this kind of document needs {library}", where=where, mend=_INSTALL)


def _read_pdf(data: bytes, where: str) -> str:
    try:
        import pypdf
    except ImportError as error:
        raise _missing("pypdf", where) from error
    import io

    if b"%PDF-" not in data[:1024]:
        raise DocumentError("not a PDF", where=where, mend="fetch the document again")
    logger = logging.getLogger("pypdf")
    before = logger.disabled
    logger.disabled = True  # its remarks quote the file
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError("encrypted, and a password is needed", where=where, mend="save it without a password")
        pages, size = [], 0
        for page in reader.pages:
            pages.append(page.extract_text())
            size += len(pages[-1])
            if size > MAX_BYTES:
                raise _too_large(f"text of more than {MAX_BYTES // 2**20} MiB", where)
    except DocumentError:
        raise
    except pypdf.errors.DependencyError as error:
        raise DocumentError(
            "encrypted in a way that pypdf alone cannot read", where=where, mend="save it without encryption"
        ) from error
    except Exception as error:
        # A damaged file makes pypdf fail in many ways (KeyError, RecursionError, its own errors): all mean the same.
        raise DocumentError("a damaged PDF", where=where, mend="fetch the document again") from error
    finally:
        logger.disabled = before
    if not any(page.strip() for page in pages):
        raise DocumentError(
            "a PDF without text, perhaps a scan", where=where, mend="run text recognition (OCR) on it first"
        )
    return "\f".join(pages)


def _read_html(data: bytes, where: str) -> str:
    try:
        import bs4
    except ImportError as error:
        raise _missing("beautifulsoup4", where) from error
    declared = _CHARSET.search(data[:2048])
    try:
        text = data.decode(declared[1].decode()) if declared else _decode(data, where)
    except (LookupError, UnicodeDecodeError):
        text = _decode(data, where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it may be XML, or looks like a file name, changes nothing
        soup = bs4.BeautifulSoup(text, "html.parser")
    for element in soup.find_all(["script", "style", "head", "template", "noscript"]):
        element.decompose()
    try:
        text = "".join(_html_text(soup))
    except RecursionError as error:
        raise DocumentError("its elements are nested too deep", where=where, mend="save the document again") from error
    return re.sub(r"[ ]*\n[ ]*", "\n", text)


_BREAKS = re.compile(
    "address|article|aside|blockquote|body|caption|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|header|hr|html|li|"
    "main|nav|ol|p|pre|section|table|ul"
)


def _html_text(element: Tag) -> Iterator[str]:
    """The text of an element: a blank line between blocks, a line a table row with tabs between cells, list numbers."""
    from bs4.element import NavigableString, Tag

    for child in element.children:
        if isinstance(child, Tag):
            inner = "".join(_html_text(child))
            name = child.name
            if name == "br":
                yield "\n"
            elif name == "sup" and re.fullmatch(rf"\s*{_NUMBERS}\s*", inner):
                yield f"^{{{inner.strip()}}}"
            elif name == "a" and str(child.get("href", "")).startswith("#") and inner.strip():
                yield f"[{' '.join(inner.split())}](#)"
            elif name in ("td", "th"):
                yield " ".join(inner.split()) + "\t"
            elif name == "tr":
                yield inner.strip(" \n").rstrip("\t") + "\n"
            elif name == "li":
                yield f"\n\n{_list_number(child)}{inner.strip()}\n\n"
            elif re.fullmatch(r"h[1-6]", name):
                yield f"\n\n# {' '.join(inner.split())}\n\n"
            elif _BREAKS.fullmatch(name):
                yield f"\n\n{inner.strip(' ')}\n\n"
            else:
                yield inner
        elif type(child) is NavigableString and not (element.name in ("tr", "table", "tbody") and not child.strip()):
            yield re.sub(r"\s+", " ", child)


def _list_number(item: Tag) -> str:
    """The number that a browser prints before a list item, or a bullet."""
    listed = item.parent
    if listed is None or listed.name != "ol":
        return "- "
    start = str(listed.get("start", ""))
    number = (int(start) if start.isdigit() else 1) + len(item.find_previous_siblings("li"))
    style = str(listed.get("type", "1"))
    if style in "Aa" and number <= 26:
        letter = chr(ord("a") + number - 1)
        return f"{letter.upper() if style == 'A' else letter}. "
    if style in "Ii" and number < 40:
        roman = "x" * (number // 10) + ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"][number % 10]
        return f"{roman.upper() if style == 'I' else roman}. "
    return f"{number}. "


# --- likeness -----------------------------------------------------------------------------------------------------

_BITS = 128
_WORD = re.compile(r"[^\W_]+")


def sketch(text: str) -> str:
    """The similarity digest of a passage (SimHash, hex) over its words and pairs of words; see `alike`."""
    words = _WORD.findall(unicodedata.normalize("NFKC", _SYMBOLS.sub("", text)).casefold())
    sums = [0] * _BITS
    for feature in (*words, *map(" ".join, pairwise(words))):
        bits = int.from_bytes(hashlib.sha256(feature.encode()).digest()[: _BITS // 8])
        for place in range(_BITS):
            sums[place] += 1 if bits >> place & 1 else -1
    return f"{sum(1 << place for place in range(_BITS) if sums[place] > 0):0{_BITS // 4}x}"


def alike(one: str, other: str) -> float:
    """How alike the passages of two sketches are: an estimate of the cosine of their words, 0 to 1."""
    differing = (int(one, 16) ^ int(other, 16)).bit_count()
    return max(0.0, cos(pi * differing / _BITS))
