"""A small document, written once and shown as text, Markdown or a self-contained HTML page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text


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


# Characters of a column that is never wrapped, and from which on a column gets no more of the width.
SHORT, LONG = 24, 70


def text(out: Console, document: Document) -> None:
    """For a terminal."""
    out.print(Text(document.title, "bold"))
    for section in document.sections:
        out.print()
        out.print(Text(section.title, "bold"))
        for block in section.blocks:
            if isinstance(block, Paragraph):
                out.print(Padding(("- " if block.item else "") + block.text, (0, 0, 0, 2)))
                continue
            table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
            for number, heading in enumerate(block.headings):
                # A column of short words keeps its width; the others share the rest by the length of what they hold.
                longest = max(len(line) for row in block.rows for line in row[number].split("\n"))
                short = longest <= SHORT
                table.add_column(heading, overflow="fold", no_wrap=short, ratio=None if short else min(longest, LONG))
            for row in block.rows:
                table.add_row(*row)
            out.print(Padding(table, (0, 0, 0, 2)))


def markdown(document: Document) -> str:
    """As Markdown, tables as pipe tables."""
    lines = [f"# {document.title}"]
    for section in document.sections:
        lines += ["", f"## {section.title}", ""]
        for block in section.blocks:
            if isinstance(block, Paragraph):
                lines.append(("- " if block.item else "") + _escaped(block.text))
                if not block.item:
                    lines.append("")
                continue
            lines.append("| " + " | ".join(block.headings) + " |")
            lines.append("| " + " | ".join("---" for _ in block.headings) + " |")
            lines += ["| " + " | ".join(_cell(each) for each in row) + " |" for row in block.rows]
    return "\n".join(lines).rstrip() + "\n"


def _escaped(line: str) -> str:
    for character in "\\`*_<|":
        line = line.replace(character, "\\" + character)
    return line


def _cell(content: str) -> str:
    lines = (_escaped(line) for line in content.split("\n"))
    return "<br>".join(line.replace("  ", "&nbsp;&nbsp;") for line in lines)


STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1b1f24; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #d0d7de; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; }
th { background: #f3f5f7; } td { border-top: 1px solid #e3e7eb; white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def page(document: Document) -> str:
    """As one HTML page that needs nothing else."""
    body = [f"<h1>{html.escape(document.title)}</h1>"]
    for section in document.sections:
        body.append(f"<section><h2>{html.escape(section.title)}</h2>")
        listed = False
        for block in section.blocks:
            item = isinstance(block, Paragraph) and block.item
            if item != listed:
                body.append("<ul>" if item else "</ul>")
                listed = item
            if isinstance(block, Paragraph):
                tag = "li" if item else "p"
                body.append(f"<{tag}>{html.escape(block.text)}</{tag}>")
                continue
            heads = "".join(f'<th scope="col">{html.escape(each)}</th>' for each in block.headings)
            body.append(f"<table><thead><tr>{heads}</tr></thead><tbody>")
            for row in block.rows:
                body.append("<tr>" + "".join(f"<td>{html.escape(each)}</td>" for each in row) + "</tr>")
            body.append("</tbody></table>")
        body.append("</ul></section>" if listed else "</section>")
    head = f'<meta charset="utf-8"><title>{html.escape(document.title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"
