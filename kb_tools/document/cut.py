"""Cuts a document into units."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb_tools.document.blocks import CODE_HEAD, LOG_HEAD, blocks_of, heading_name, is_finished
from kb_tools.document.digest import MARK, marked_text, plain_text, skeleton
from kb_tools.document.lists import Numbering, Part, parts_of
from kb_tools.document.rows import CODE, codes_in, log_rows_in, references_in
from kb_tools.document.sentences import sentences
from kb_tools.document.unit import HEADER, REFERENCES, REVISION_LOG, Unit

if TYPE_CHECKING:
    from kb_tools.document.blocks import Block

_HEADER_LINE = re.compile(r"[A-Z][^:.\n]{1,40}:\s")


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
        self.numbering = Numbering()

    def heal(self, text: str) -> str:
        """The text without the hyphens and spaces that only line ends account for; line ends are kept as space."""

        def join(match: re.Match[str]) -> str:
            # The hyphen is the word's own, unless the document has the word without it.
            joined = match[1] + match[2]
            return joined if joined.casefold() in self.words else f"{match[1]}-{match[2]}"

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
        for part in parts_of(marked_text(self.heal(text), self.references), self.numbering):
            self.paragraph += 1
            label = part.label
            for sentence in sentences(part.text):
                self.add(part.kind, label, sentence)
                label = label if label == "Note" else ""

    def rows(self, parts: Iterator[Part]) -> None:
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
        if mode == "codes" and not CODE.match(text.lstrip()) and not CODE_HEAD.match(text):
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


_ROWS = {"references": references_in, "codes": codes_in, "log": log_rows_in}


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
            cutter.rows(_ROWS[run.mode](cutter.heal(run.text)))
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
    references = sum(part.kind == "reference" for part in references_in("\n".join(block.text for block in listed)))
    cutter = _Cutter(text, references)
    for name, heading, blocks in sections:
        if name != HEADER or heading is not None:
            cutter.enter(name)
        if heading is not None:
            cutter.heading(heading.text.strip("# "))
        _cut_section(cutter, blocks)
    return cutter.units
