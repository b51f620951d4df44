"""An answer as a table for people: things by their names, each a link to its page."""

from __future__ import annotations

import re
from typing import TypedDict

import pyoxigraph as ox

from kb_tools.ask.request import RawResult, Term
from kb_tools.render.query_results import short
from kb_tools.serve.links import Links
from kb_tools.serve.results import incomplete, notes
from kb_tools.serve.workbench import WORDS, Workbench


class Cell(TypedDict):
    """What a cell says; of a thing its name, how a query names it, and the address of its page ("" for none)."""

    text: str
    name: str
    address: str


class Answer(TypedDict):
    """An answer: rows of cells, or yes or no in words, or a graph as Turtle; and what a reader must know of it."""

    columns: list[str]
    rows: list[list[Cell]]
    truth: str
    turtle: str
    summary: str
    notes: list[str]
    whole: bool


def shown_answer(bench: Workbench, links: Links, found: RawResult) -> Answer:
    """An answer as it is shown.

    A column of things whose names stand in a column of their own is not shown: the names lead to the things.
    """
    shown = _Shown(bench, links, found)
    cut = incomplete(found)
    return {
        "columns": [shown.heading(column) for column in shown.columns],
        "rows": [[shown.cell(row, column) for column in shown.columns] for row in found.rows],
        "truth": "" if found.truth is None else "yes" if found.truth else "no",
        "turtle": found.turtle,
        "summary": _summary(found),
        "notes": [note for note in notes(found) if note != cut],
        "whole": not found.more,
    }


class _Shown:
    """The rows of an answer as they are shown.

    Attributes:
        named: the columns that give in each row the name of what stands in another column, with that other column.
        columns: those that are shown.
    """

    def __init__(self, bench: Workbench, links: Links, found: RawResult) -> None:
        self.bench = bench
        self.links = links
        self.found = found
        self.prefixes = {namespace: prefix for prefix, namespace in bench.kb.prefixes.items()}
        self.named: dict[int, int] = {}
        every = range(len(found.variables))
        for things in every:
            names = next((names for names in every if names not in self.named and self._names(names, things)), None)
            if names is not None:
                self.named[names] = things
        self.columns = [column for column in every if column not in self.named.values()]

    def _names(self, names: int, things: int) -> bool:
        """Whether a column gives the names of the things in another one, where it gives something."""
        pairs = [(row[names], row[things]) for row in self.found.rows if (row[names], row[things]) != (None, None)]
        return bool(pairs) and all(
            isinstance(thing, ox.NamedNode)
            and (name is None or isinstance(name, ox.Literal))
            and self._label(thing) == (name.value if name else "")
            for name, thing in pairs
        )

    def _label(self, thing: ox.NamedNode) -> str:
        """The name of a thing in words; "" where it has none."""
        if thing.value in self.bench.entries:
            return self.bench.label(thing.value)
        if label := self.found.labels.get(thing.value, ""):
            return label
        known = self.bench.things.get(thing.value)
        named = known is not None and bool(known.labels or known.notations)
        return self.bench.label(thing.value) if named or thing.value in WORDS else ""

    def heading(self, column: int) -> str:
        """The heading of a column in words: "placeBefore" as "place before", "label" as what has that name."""
        name = self.found.variables[column]
        if name == "label" and column in self.named:
            name = self.found.variables[self.named[column]]
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
        return words.removesuffix(" label")

    def cell(self, row: list[Term | None], column: int) -> Cell:
        """A cell: a thing by its name, or as a query writes it where it has none; all else by its text."""
        term = row[column]
        thing = row[self.named[column]] if column in self.named else term
        if not isinstance(thing, ox.NamedNode):
            text = "" if thing is None else str(thing) if isinstance(thing, ox.BlankNode) else thing.value
            return {"text": text, "name": "", "address": ""}
        name, label = short(thing.value, self.prefixes), self._label(thing)
        return {"text": label or name, "name": name if label else "", "address": self.links.iri(thing.value)}


def _summary(found: RawResult) -> str:
    """How much was found, and in what."""
    if found.truth is not None or found.triples is not None:
        return f"From {found.graphs}."
    count = len(found.rows)
    if not count and found.missing:
        return f"No rows from what is on file of {found.graphs}."
    rows = "1 row" if count == 1 else f"{count or 'No'} rows"
    return f"{'The first ' if found.more else ''}{rows} from {found.graphs}{'; there are more' if found.more else ''}."
