"""What depends on the content of files alone, the tests do once in a process, whichever knowledge base holds the files.

A command reads every file of the knowledge base when it starts, and a test of a slip copies all of them to change one.
The files that are the same then have the same triples, blank nodes included, as they do where one knowledge base is
open; and conditions whose vocabularies and shapes are the same entail the same.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pyoxigraph as ox

from kb_tools.errors import UnreadableInput
from kb_tools.model import repository
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import parse
from kb_tools.rdf.terms import Triple
from kb_tools.revisions import entailments

# How many files are kept: those of the checkout many times over, each a few hundred triples.
_KEPT = 500


@lru_cache(_KEPT)
def _parsed(data: bytes, format_: ox.RdfFormat, place: str) -> list[Triple]:
    return parse(data, format_, place)


def _parse(data: bytes, format_: ox.RdfFormat, where: str) -> list[Triple]:
    """The triples of a file. Files of one content in two folders, as of two revisions, share no blank node."""
    try:
        return _parsed(data, format_, "/".join(Path(where).parts[-2:]))
    except UnreadableInput:
        return parse(data, format_, where)


class _Known:
    """What was derived, by the vocabularies and shapes from which it follows, in place of by knowledge base."""

    def __init__(self) -> None:
        self._states: WeakKeyDictionary[Repository, Any] = WeakKeyDictionary()
        self._known: dict[Any, Any] = {}

    def setdefault(self, kb: Repository, new: dict[Any, Any]) -> Any:
        if kb not in self._states:
            graphs = (kb.ontology, kb.conditions, kb.case_shapes)
            self._states[kb] = tuple(frozenset(graph) for graph in graphs)
        return self._known.setdefault(self._states[kb], new)


repository.parse = _parse  # type: ignore[assignment, attr-defined]
entailments._KNOWN = _Known()  # type: ignore[assignment]
