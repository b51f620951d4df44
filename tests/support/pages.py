"""What a browser and a terminal make of a document."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import StringIO

from rich.console import Console

from kb_tools.render.page import Document
from kb_tools.render.page import text as write_text

# The elements that hold text.
HOLDERS = ("h1", "h2", "p", "li", "th", "td")


class Read(HTMLParser):
    """What a browser would make of a page: the elements that hold text, the tags, and the attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        self.tags.append(tag)
        if tag == "br" or (tag == "div" and self.texts[-1][1]):
            self.handle_data("\n")
        if tag == "div":
            (padding,) = re.findall(r"padding-left:(\d+)ch", dict(attrs).get("style") or "") or ["2"]
            self._open.append(tag)
            self.handle_data(" " * (int(padding) - 2))
        elif tag not in ("meta", "br"):
            self._open.append(tag)
            if tag in HOLDERS:
                self.texts.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        holder = next((opened for opened in reversed(self._open) if opened in HOLDERS), None)
        if holder:
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)


def shown(document: Document, width: int) -> list[str]:
    """The lines of a document as text, in a window of so many columns."""
    out = StringIO()
    write_text(Console(file=out, width=width, highlight=False, emoji=False, markup=False), document)
    return [line.rstrip() for line in out.getvalue().splitlines()]
