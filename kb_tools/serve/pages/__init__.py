"""The pages: what each says, as JSON values. A template of the same name shows the same to people.

A page is a module with a function `data(view, target)`, whose result is a TypedDict: it documents the JSON of the page.
`target` is the IRI of what the page is about, or what its address asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kb_tools.serve.pages import policy, start, thing
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench


@dataclass(frozen=True)
class Page:
    """One kind of page.

    Attributes:
        name: of its template, and of its operation in the description of the interface.
        paths: its addresses, as an OpenAPI path template.
        summary: what it shows, in a line.
        data: gives its content.
        rdf: whether it is about an IRI, so that Turtle and JSON-LD of that can be had.
    """

    name: str
    path: str
    summary: str
    data: Callable[[View, str], Mapping[str, Any]]
    rdf: bool = True

    @property
    def formats(self) -> tuple[str, ...]:
        return ("html", "json", "turtle", "jsonld") if self.rdf else ("html", "json")


START = Page("start", "/", "The policies, what is on file and what is open", start.data, rdf=False)
# The pages of a fixed address.
FIXED = (START,)
POLICY = Page("policy", "/{policy}", "A policy: its history, its log and what is open", policy.data)
THING = Page("thing", "/{path}", "Anything else that has an IRI of ours: what is said of it", thing.data)


def page_of(bench: Workbench, iri: str) -> Page:
    """The kind of page that an IRI of ours has."""
    return POLICY if iri in bench.policies else THING
