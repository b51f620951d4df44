"""An answer as a table for people: things by their names, each a link to its page."""

from __future__ import annotations

from typing import TypedDict

import pyoxigraph as ox

from kb_tools.ask.request import RawResult, Term
from kb_tools.render.query_results import short
from kb_tools.serve.links import ServedLinks
from kb_tools.serve.results import incomplete, notes
from kb_tools.serve.workbench import Workbench


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


def shown_answer(bench: Workbench, links: ServedLinks, found: RawResult) -> Answer:
    """An answer as it is shown."""
    by_namespace = {namespace: prefix for prefix, namespace in bench.kb.prefixes.items()}
    cut = incomplete(found)
    return {
        "columns": found.variables,
        "rows": [_row(row, found, links, by_namespace) for row in found.rows],
        "truth": "" if found.truth is None else "yes" if found.truth else "no",
        "turtle": found.turtle,
        "summary": _summary(found),
        "notes": [note for note in notes(found) if note != cut],
        "whole": not found.more,
    }


def _row(row: list[Term | None], found: RawResult, links: ServedLinks, by_namespace: dict[str, str]) -> list[Cell]:
    # A name that the row has in a column of its own is not repeated.
    literals = {term.value for term in row if isinstance(term, ox.Literal)}
    return [_cell(term, found, links, by_namespace, literals) for term in row]


def _cell(
    term: Term | None, found: RawResult, links: ServedLinks, by_namespace: dict[str, str], literals: set[str]
) -> Cell:
    if not isinstance(term, ox.NamedNode):
        text = "" if term is None else str(term) if isinstance(term, ox.BlankNode) else term.value
        return {"text": text, "name": "", "address": ""}
    name, label = short(term.value, by_namespace), found.labels.get(term.value, "")
    if not label or label in literals:
        return {"text": name, "name": "", "address": links.iri(term.value)}
    return {"text": label, "name": name, "address": links.iri(term.value)}


def _summary(found: RawResult) -> str:
    """How much was found, and in what."""
    if found.truth is not None or found.triples is not None:
        return f"From {found.graphs}."
    count = len(found.rows)
    if not count and found.missing:
        return f"No rows from what is on file of {found.graphs}."
    rows = "1 row" if count == 1 else f"{count or 'No'} rows"
    return f"{'The first ' if found.more else ''}{rows} from {found.graphs}{'; there are more' if found.more else ''}."
