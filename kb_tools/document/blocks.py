"""Splits the text of a document into blocks, without the furniture of its pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from kb_tools.document.digest import NAVIGATION, skeleton

# --- page furniture and blocks ------------------------------------------------------------------------------------

_PAGE = re.compile(r"page\s+\d{1,3}(?:\s*(?:/|of)\s*\d{1,3})?|[-–]\s*\d{1,3}\s*[-–]", re.I)
# A page number only where it stands alone: else it may belong to a sentence. "3/8" is none: it may be a row's date.
_LONE_NUMBER = re.compile(r"(\d{1,3})(?:\s+of\s+\d{1,3})?")
_ENDS = re.compile(r"(?:[!?:;]|(?<!\d)\.|\.(?!\d))[\"”’')\]]*[\s^{}\[\]\d,⁰¹²³⁴-⁹–-]{0,40}\Z")
CODE_HEAD = re.compile(r"^[A-Z](?:[^\n.]{0,40}?\b|[^\s.]{0,20}\s+)Codes?\b[*®™\s]*?\s+Descriptions?\b", re.M)
LOG_HEAD = re.compile(
    r"^Reviews?,[\w\s,]{0,40}?Approvals?(?:\s+(?:(?:Revision|Approval|Effective)\s+)?Dates?\b)+", re.M
)
_SHORT = 60


@dataclass
class Block:
    """Lines that stand together. `broken`: a page ended before it. `kind`: "title", "heading", "link" or "text"."""

    lines: list[str]
    broken: bool = False
    kind: str = "text"

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def heading_name(line: str) -> str:
    """What a heading is compared by."""
    return skeleton(line)


def is_finished(text: str) -> bool:
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
        and heading_name(line) not in known
        and not CODE_HEAD.match(line)
        and not LOG_HEAD.match(line)
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
    heading = lines[title].strip("# ")
    parts = {part.strip() for part in (heading, *heading.split(":", 1)) if part.strip()}
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


def _is_heading(block: Block, known: Collection[str]) -> bool:
    """Whether a block is a heading: a known name, or one short line without an end that begins with a capital."""
    if len(block.lines) != 1:
        return False
    line = block.lines[0].strip()
    if line.startswith("#") or heading_name(line) in known:
        return True
    return (
        len(line) <= _SHORT
        and len(line.split()) <= 7
        and line[0].isupper()
        and line[-1].isalpha()
        and not re.search(r"[\t:.]", line)
    )


def blocks_of(text: str, known: Collection[str]) -> list[Block]:
    """The document's blocks: furniture dropped, headings told apart, what a page break divides joined again."""
    lines = text.replace("\f", "\n\f\n").split("\n")
    furniture = _furniture(lines, known)
    title = _title(lines)
    blocks: list[Block] = []
    gap, broken = True, False
    for i, line in enumerate(lines):
        if i in furniture:
            broken = True
        elif not line.strip():
            gap = True
        else:
            link = line.startswith(NAVIGATION)
            alone = i == title or link or (blocks and blocks[-1].kind != "text")
            if gap or alone or not blocks:
                blocks.append(Block([], broken and bool(blocks), "title" if i == title else "link" if link else "text"))
            blocks[-1].lines.append(line.lstrip(NAVIGATION).rstrip())
            gap, broken = False, False
    split: list[Block] = []
    for block in blocks:
        split += _with_headings(block, known) if block.kind == "text" else [block]
    joined: list[Block] = []
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


def _goes_on(before: Block, block: Block, known: Collection[str]) -> bool:
    """Whether a block is the second half of the one before it, most often because a page ended between them."""
    if block.kind != "text" or before.kind != "text":
        return False
    open_end = not _is_heading(before, known) and not is_finished("\n".join(before.lines[-2:]))
    if not block.broken:
        return open_end and block.lines[0][0].islower()
    return open_end or block.lines[0].lstrip("-• ")[:1].islower()


def _with_headings(block: Block, known: Collection[str]) -> Iterator[Block]:
    """A block taken apart at the lines that are known headings: PDF text has no blank lines around them.

    Such a line is a heading only if it ends early, that is, if the next word would still have fitted: else it is a
    line of wrapped text.
    """
    width = max(map(len, block.lines))
    rest = Block([], block.broken)
    for i, line in enumerate(block.lines):
        following = block.lines[i + 1].split()[0] if i + 1 < len(block.lines) else ""
        before = block.lines[i - 1] if i else ""
        if (
            heading_name(line) in known
            and len(line) + 1 + len(following) <= max(width, _SHORT)
            and not before.rstrip("*® ").endswith("Codes")  # the head of a table whose cells came as lines
        ):
            if rest.lines:
                yield rest
            yield Block([line], rest.broken and not rest.lines, "heading")
            rest = Block([])
        else:
            rest.lines.append(line)
    if rest.lines:
        yield rest
