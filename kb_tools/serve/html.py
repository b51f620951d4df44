"""Pages for people: what a page says, shown by the template of its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kb_tools import printable
from kb_tools.serve.links import Links
from kb_tools.serve.workbench import Workbench

MENU = (("/", "Policies"), ("/questions", "Questions"), ("/model", "Model"))
# What a folder of files cannot answer.
_SERVED_MENU = (("/query", "Query editor"), ("/try", "Try a case"))
_RECORDS_MENU = (("/records", "Records"),)

# A term as a query writes it.
_TERM = re.compile(r"\b([a-z]+):([A-Za-z][\w-]*)")


@dataclass(frozen=True)
class Shown:
    """How a page is shown.

    Attributes:
        template: its name without ending.
        path: of the page.
        day: on which it shows the knowledge base.
        asked: whether the reader asked for that day.
        formats: in which it can be had.
        fixed: whether the day cannot be chosen, as in a folder of files.
        kept: what else the address asks for, and another day keeps: names and values.
    """

    template: str
    path: str
    day: date
    links: Links
    asked: bool
    formats: tuple[str, ...]
    fixed: bool = False
    kept: tuple[tuple[str, str], ...] = ()

    def menu(self, bench: Workbench) -> tuple[tuple[str, str], ...]:
        """The pages that every page links to, each with its name."""
        served = () if self.fixed else (*_SERVED_MENU, *(_RECORDS_MENU if bench.shelf else ()))
        return (*MENU[:1], *self._compare(bench), *MENU[1:], *served)

    def _compare(self, bench: Workbench) -> tuple[tuple[str, str], ...]:
        """The page on which revisions are chosen: of the policy that the page is of, else of the one meant first."""
        known = [policy.identifier for policy in bench.first_meant]
        own = [name for name in known if self.path.startswith(f"/{name}/") or self.path == f"/{name}"]
        return tuple((f"/{name}/compare", "Compare") for name in (own or known)[:1])


def render(shown: Shown, content: Mapping[str, Any], bench: Workbench) -> bytes:
    """The page as HTML. Every text is escaped."""
    template = _environment().get_template(f"{shown.template}.html")
    searched = content["query"] if shown.template == "search" else ""
    return template.render(
        p=content,
        shown=shown,
        menu=shown.menu(bench),
        links=shown.links,
        query=searched,
        prose=partial(_prose, bench, shown.links),
    ).encode()


def _prose(bench: Workbench, links: Links, text: str) -> Markup:
    """A text in which our terms go by their names and lead to their pages, where it writes them as a query does."""
    found, end = Markup(), 0
    for match in _TERM.finditer(text):
        iri = bench.kb.prefixes.get(match[1], "") + match[2]
        if iri in bench.ours and bench.things[iri].labels:
            found += text[end : match.start()] + Markup('<a href="{}">{}</a>').format(links.iri(iri), bench.label(iri))
            end = match.end()
    return found + text[end:]


@cache
def assets() -> dict[str, bytes]:
    """The stylesheet, the scripts and the icon, by name."""
    return _files("static")


@cache
def editor() -> dict[str, bytes]:
    """The files of the query editor, which pages without a server do not have."""
    return _files("static/editor") | {f"vendor/{name}": body for name, body in _files("static/vendor").items()}


def _files(folder: str) -> dict[str, bytes]:
    found = (item for item in (files("kb_tools.serve") / folder).iterdir() if item.is_file())
    return {item.name: item.read_bytes() for item in sorted(found, key=lambda item: item.name)}


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("kb_tools.serve", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )


def _printable(value: Any) -> Any:
    """A text without what turns the direction of a line or a terminal obeys."""
    if isinstance(value, Markup):
        return Markup(printable.text(value))
    return printable.text(value) if isinstance(value, str) else value
