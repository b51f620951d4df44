"""One search over criteria, codes, references, conditions, terms and questions."""

from __future__ import annotations

from typing import TypedDict

from kb_tools.serve.index import Entry, index, matching
from kb_tools.serve.view import View

# The most that a page shows.
MOST = 60
# Longest text that is looked for, in characters.
LONGEST = 200


class Found(TypedDict):
    """What fits: `path` is that of its page."""

    path: str
    label: str
    notation: str
    kind: str
    text: str


class Search(TypedDict):
    """What fits the words of a search, the closest first; `more` counts what is not shown."""

    title: str
    query: str
    found: list[Found]
    more: int


def data(view: View, target: str) -> Search:
    """The content of the page of a search.

    Args:
        target: the words looked for.
    """
    words = target[:LONGEST].strip()
    found = matching(index(view.bench), words) if words else []
    return {
        "title": f"Search: {words}" if words else "Search",
        "query": words,
        "found": [_found(entry) for entry in found[:MOST]],
        "more": max(len(found) - MOST, 0),
    }


def _found(entry: Entry) -> Found:
    return {
        "path": entry.path,
        "label": entry.label,
        "notation": entry.notation,
        "kind": entry.kind,
        "text": entry.text,
    }
