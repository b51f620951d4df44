"""One search over criteria, codes, references, conditions, terms and questions."""

from __future__ import annotations

from typing import TypedDict

from kb_tools.serve.index import Hit, index, matching, near
from kb_tools.serve.view import View

# The most that a page shows.
MOST = 60
# Longest text that is looked for, in characters.
LONGEST = 200


class Found(TypedDict):
    """What fits: `path` is that of its page.

    `stated` says that no revision in force states it, and which one is shown; `note` that another revision than the one
    shown calls it so.
    """

    path: str
    label: str
    notation: str
    kind: str
    text: str
    stated: str
    note: str


class Search(TypedDict):
    """What fits the words of a search, the closest first; `more` counts what is not shown.

    `near` are words that find something, where those of the search find nothing.
    """

    title: str
    query: str
    found: list[Found]
    more: int
    near: str


def data(view: View, target: str) -> Search:
    """The content of the page of a search.

    Args:
        target: the words looked for.
    """
    words = target[:LONGEST].strip()
    entries = index(view)
    found = matching(entries, words) if words else []
    return {
        "title": f"Search: {words}" if words else "Search",
        "query": words,
        "found": [_found(hit) for hit in found[:MOST]],
        "more": max(len(found) - MOST, 0),
        "near": "" if found else near(entries, words),
    }


def _found(hit: Hit) -> Found:
    entry = hit.entry
    return {
        "path": entry.path,
        "label": entry.label,
        "notation": entry.notation,
        "kind": entry.kind,
        "text": entry.text,
        "stated": entry.stated,
        "note": hit.note,
    }
