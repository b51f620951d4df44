"""A small document, written once and shown as text, Markdown or a self-contained HTML page."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import sqrt
from typing import TYPE_CHECKING, TypeAlias

from kb_tools import printable

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, or an item of a list."""

    text: str
    item: bool = False


@dataclass(frozen=True)
class Table:
    """A table; a cell may hold several lines, which keep their indentation."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


Block: TypeAlias = Paragraph | Table


@dataclass
class Section:
    """A titled part of a document."""

    title: str
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Document:
    """A title and sections."""

    title: str
    sections: list[Section] = field(default_factory=list)

    def section(self, title: str, *blocks: Block) -> None:
        """Adds a section, unless it would be empty."""
        shown = [block for block in blocks if not isinstance(block, Table) or block.rows]
        if shown:
            self.sections.append(Section(title, shown))


# Characters between two columns; those up to which a column is never wrapped, and so the least that a column gets.
GAP, SHORT = 2, 18
# Lines that a row may have before its table keeps its rows apart.
TALL = 3


def text(out: Console, document: Document) -> None:
    """For a terminal."""
    out.print(document.title, style="bold", soft_wrap=True)
    for section in document.sections:
        out.print()
        out.print(section.title, style="bold", soft_wrap=True)
        for before, block in zip((None, *section.blocks), section.blocks, strict=False):
            if before and not _is_item(block):
                out.print()
            for number, line in enumerate(_block_lines(block, max(out.width - 2, SHORT))):
                heading = isinstance(block, Table) and number == 0
                out.print(f"  {line}".rstrip(), style="bold" if heading else "", soft_wrap=True)


def _is_item(block: Block) -> bool:
    return isinstance(block, Paragraph) and block.item


def _block_lines(block: Block, width: int) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield from _wrapped(("- " if block.item else "") + block.text, width)
        return
    rows = [[each.split("\n") for each in row] for row in (block.headings, *block.rows)]
    widths = _widths(rows, width)
    wrapped = [
        [[line for said in cell for line in _wrapped(said, room)] for cell, room in zip(row, widths, strict=True)]
        for row in rows
    ]
    tall = any(len(cell) > TALL for row in wrapped for cell in row)
    for number, row in enumerate(wrapped):
        if tall and number > 1:
            yield ""
        for lines in zip_longest(*row, fillvalue=""):
            yield (" " * GAP).join(line.ljust(room) for line, room in zip(lines, widths, strict=True)).rstrip()


def _wrapped(line: str, width: int) -> list[str]:
    """A line broken at spaces; of an item, or of a line of a tree, what is broken off hangs further in."""
    indent = " " * (len(line) - len(line.lstrip(" ")))
    hanging = indent + ("    " if indent else "  " if line.startswith("- ") else "")
    return textwrap.wrap(
        line.strip(" "),
        width,
        initial_indent=indent,
        subsequent_indent=hanging,
        break_on_hyphens=False,
    ) or [""]


def _widths(rows: Sequence[Sequence[Sequence[str]]], width: int) -> list[int]:
    """The width of each column: as wide as it needs to be if all fit, else the long ones share by what they hold."""
    columns = list(zip(*rows, strict=True))
    widths = [max(len(line) for cell in column for line in cell) for column in columns]
    if sum(widths) + GAP * (len(columns) - 1) <= width:
        return widths
    # The height of a row is that of its tallest cell; the root keeps a column that holds little readable.
    weights = {
        number: sqrt(max(sum(map(len, cell)) for cell in column))
        for number, column in enumerate(columns)
        if widths[number] > SHORT
    }
    for number in sorted(weights, key=lambda each: weights[each]):
        others = sum(widths[each] for each in range(len(columns)) if each not in weights)
        room = width - GAP * (len(columns) - 1) - others
        share = weights[number] / sum(weights.values())
        widths[number] = min(widths[number], max(SHORT, int(room * share)))
        del weights[number]
    return widths


def markdown(document: Document) -> str:
    """As Markdown, tables as pipe tables."""
    lines = [f"# {_escaped(document.title)}"]
    for section in document.sections:
        lines += ["", f"## {_escaped(section.title)}"]
        listed = False
        for block in section.blocks:
            item = _is_item(block)
            # Only the items of one list stand without a line between them.
            if not (item and listed):
                lines.append("")
            listed = item
            if isinstance(block, Paragraph):
                lines.append(("- " if item else "") + _escaped(block.text))
                continue
            lines.append("| " + " | ".join(_cell(each) for each in block.headings) + " |")
            lines.append("| " + " | ".join("---" for _ in block.headings) + " |")
            lines += ["| " + " | ".join(_cell(each) for each in row) + " |" for row in block.rows]
    return "\n".join(lines) + "\n"


def _escaped(line: str) -> str:
    line = printable.line(line)
    for character in "\\`*_<>|[]&~":
        line = line.replace(character, "\\" + character)
    return line


def _cell(content: str) -> str:
    lines = []
    for line in content.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        lines.append("&nbsp;" * indent + _escaped(line[indent:]))
    return "<br>".join(lines)


def _plain(line: str) -> str:
    return html.escape(printable.line(line))


STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1b1f24; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #d0d7de; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; }
th { background: #f3f5f7; white-space: nowrap; }
td { border-top: 1px solid #e3e7eb; overflow-wrap: break-word; }
td div[style] { text-indent: -2ch; }
"""


def page(document: Document) -> str:
    """As one HTML page that needs nothing else."""
    body = [f"<h1>{_plain(document.title)}</h1>"]
    for section in document.sections:
        body.append(f"<section><h2>{_plain(section.title)}</h2>")
        listed = False
        for block in section.blocks:
            item = _is_item(block)
            if item != listed:
                body.append("<ul>" if item else "</ul>")
                listed = item
            if isinstance(block, Paragraph):
                tag = "li" if item else "p"
                body.append(f"<{tag}>{_plain(block.text)}</{tag}>")
                continue
            heads = "".join(f'<th scope="col">{_plain(each)}</th>' for each in block.headings)
            body.append(f"<table><thead><tr>{heads}</tr></thead><tbody>")
            for row in block.rows:
                body.append("<tr>" + "".join(f"<td>{_html_cell(each)}</td>" for each in row) + "</tr>")
            body.append("</tbody></table>")
        body.append("</ul></section>" if listed else "</section>")
    head = f'<meta charset="utf-8"><title>{_plain(document.title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def _html_cell(content: str) -> str:
    """Each line of a cell as a block, so that what is broken off of an indented one hangs further in."""
    lines = []
    for line in content.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        style = f' style="padding-left:{indent + 2}ch"' if indent else ""
        lines.append(f"<div{style}>{_plain(line[indent:])}</div>")
    return "".join(lines)
