"""A small document, written once and shown as text, Markdown or a self-contained HTML page."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from kb_tools import printable


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


# Lines that a cell may have before its table keeps its rows apart.
TALL = 2
# Columns that are written even to a narrower window, which then breaks the lines itself.
NARROWEST = 20


class Lines:
    """Lines of a cell or a paragraph; what is broken off at the edge hangs further in than the line that it is of."""

    def __init__(self, content: str) -> None:
        self.lines = content.split("\n")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, max(1, *map(len, self.lines)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        for line in self.lines:
            stripped = line.lstrip(" ")
            indent = " " * min(len(line) - len(stripped), width // 2)
            hanging = (indent + ("    " if indent else "  " if stripped.startswith("- ") else ""))[: width // 2]
            broken = textwrap.wrap(indent + stripped, width, subsequent_indent=hanging, break_on_hyphens=False)
            yield Text("\n".join(broken), no_wrap=True)


def text(out: Console, document: Document) -> None:
    """For a terminal."""
    out.width = max(out.width, NARROWEST)
    out.print(document.title, style="bold", soft_wrap=True)
    for section in document.sections:
        out.print()
        out.print(section.title, style="bold", soft_wrap=True)
        for before, block in zip((None, *section.blocks), section.blocks, strict=False):
            if before and not _is_item(block):
                out.print()
            shown = _grid(block) if isinstance(block, Table) else Lines(("- " if block.item else "") + block.text)
            out.print(Padding(shown, (0, 0, 0, 2), expand=False))


def _is_item(block: Block) -> bool:
    return isinstance(block, Paragraph) and block.item


def _grid(table: Table) -> Grid:
    grid = Grid(*table.headings, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    tall = any(cell.count("\n") >= TALL for row in table.rows for cell in row)
    for number, row in enumerate(table.rows):
        if tall and number:
            grid.add_row()
        grid.add_row(*map(Lines, row))
    return grid


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
            lines.append("| " + " | ".join(_cell(heading) for heading in block.headings) + " |")
            lines.append("| " + " | ".join("---" for _ in block.headings) + " |")
            lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in block.rows]
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
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark").enable("table").render(markdown(document))
    # Each line of a cell becomes a block, so that what is broken off of an indented one hangs further in.
    for tag, lines in (("<td>", "<td><div>"), ("<br>", "</div><div>"), ("</td>", "</div></td>")):
        body = body.replace(tag, lines)
    body = re.sub("<div>(\N{NO-BREAK SPACE}+)", lambda found: f'<div style="padding-left:{len(found[1]) + 2}ch">', body)
    head = f'<meta charset="utf-8"><title>{html.escape(printable.line(document.title))}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}</body></html>\n'
