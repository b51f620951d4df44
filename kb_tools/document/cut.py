"""Cuts a document into units."""

from __future__ import annotations

import bisect
import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb_tools.document.blocks import CODE_HEAD, LOG_HEAD, blocks_of, heading_name, is_finished
from kb_tools.document.digest import CLOSE, MARK, OPEN, marked_text, plain_text, skeleton
from kb_tools.document.unit import HEADER, REFERENCES, REVISION_LOG, Unit

if TYPE_CHECKING:
    from kb_tools.document.blocks import Block


# --- sentences, items, rows, references ---------------------------------------------------------------------------

_ABBREVIATION = re.compile(
    r"e\.g|i\.e|al|vs|etc|dr|nos?|figs?|inc|jr|sr|st|approx|cf|mr|mrs|ms|prof|ca|vol|pp|eds?|ltd|corp", re.I
)
_CLOSERS = r"[\"”’')\]]*"
_MARKS = rf"(?:\s?{OPEN}[\d,]*{CLOSE})*"
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
        marks = tuple(int(n) for found in MARK.findall(text) for n in found.split(",") if n)
        text = " ".join(MARK.sub("", text).split())
        hashed = hashlib.sha256(skeleton(text).encode()).hexdigest()
        paragraph = 0 if kind == "heading" else self.paragraph
        self.units.append(Unit(kind, self.section, len(self.units) + 1, label, paragraph, text, marks, hashed))

    def heading(self, text: str) -> None:
        self.add("heading", "", MARK.sub("", marked_text(text, self.references)))

    def prose(self, text: str) -> None:
        """A paragraph: its sentences, notes and items."""
        for part in _parts(marked_text(self.heal(text), self.references), self.numbering):
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
            if (early and is_finished(lines[-1])) or (header and _HEADER_LINE.match(line)):
                yield "\n".join(lines)
                lines = []
        lines.append(line)
    yield "\n".join(lines)


def _sections(blocks: list[Block], known: dict[str, str]) -> list[tuple[str, Block | None, list[Block]]]:
    """Each section's name, heading and blocks. A heading that stands again further down is a link to it."""
    log = [i for i, block in enumerate(blocks) if block.kind == "text" and LOG_HEAD.search(block.text)]
    later: set[str] = set()
    for i in range(len(blocks) - 1, -1, -1):
        block = blocks[i]
        if block.kind == "heading":
            name = heading_name(block.text)
            leads_to_log = name == heading_name(REVISION_LOG) and log and log[-1] > i + 1
            if name in later or leads_to_log:
                block.kind = "link"
            later.add(name)
    sections: list[tuple[str, Block | None, list[Block]]] = [(HEADER, None, [])]
    for block in blocks:
        if block.kind == "heading":
            name = " ".join(MARK.sub("", marked_text(block.text.strip("# "), 0)).split())
            sections.append((known.get(heading_name(name), name), block, []))
        else:
            sections[-1][2].append(block)
    return sections


@dataclass(frozen=True)
class _Run:
    """What is cut in one way: "prose" (a block), "codes", "log" and "references" (all lines), "head" (of a table)."""

    mode: str
    text: str


def _runs(section: str, blocks: list[Block]) -> Iterator[_Run]:
    """A section's blocks by the way in which they are cut: a table lasts until the next, or until running text."""
    mode = "references" if heading_name(section) == heading_name(REFERENCES) else "prose"
    run: list[str] = []
    head = ""
    for block in blocks:
        if block.kind != "text":
            yield _Run(block.kind, block.text)
            continue
        text, position = block.text, 0
        if mode == "codes" and not _CODE.match(text.lstrip()) and not CODE_HEAD.match(text):
            yield _Run(mode, "\n".join(run))
            run, mode = [], "prose"
        heads = sorted((*CODE_HEAD.finditer(text), *LOG_HEAD.finditer(text)), key=lambda match: match.start())
        for found in heads:
            if heading_name(found[0]) != head:  # else it is repeated at the top of a page
                run.append(text[position : found.start()])
                yield _Run(mode, "\n".join(run))
                yield _Run("log head" if found.re is LOG_HEAD else "head", found[0])
                run, head, mode = [], heading_name(found[0]), "log" if found.re is LOG_HEAD else "codes"
            else:
                run.append(text[position : found.start()])
            position = found.end()
        run.append(text[position:])
        if mode == "prose":
            yield _Run(mode, "\n".join(run))
            run = []
    yield _Run(mode, "\n".join(run))


_ROWS = {"references": _references, "codes": _code_rows, "log": _log_rows}


def _cut_section(cutter: _Cutter, blocks: list[Block]) -> None:
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
    text = plain_text(text)
    known = {heading_name(heading): heading for heading in headings if heading != HEADER}
    sections = _sections(blocks_of(text, known), known)
    listed = [cut_ for name, _, blocks in sections if heading_name(name) == heading_name(REFERENCES) for cut_ in blocks]
    references = sum(part.kind == "reference" for part in _references("\n".join(block.text for block in listed)))
    cutter = _Cutter(text, references)
    for name, heading, blocks in sections:
        if name != HEADER or heading is not None:
            cutter.enter(name)
        if heading is not None:
            cutter.heading(heading.text.strip("# "))
        _cut_section(cutter, blocks)
    return cutter.units
