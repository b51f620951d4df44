"""An answer as the sheets of a spreadsheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

from rdflib import URIRef

from kb_tools.ask.request import RawResult
from kb_tools.ask.result import QueryResult
from kb_tools.render.spreadsheet import Cell, Sheet, spreadsheet

# A spreadsheet keeps so many digits of a number, and knows no day before.
_DIGITS, _FIRST = 15, date(1900, 3, 1)


def xlsx(
    result: RawResult,
    notes: Sequence[str],
    incomplete: str,
    asked: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """The rows of an answer, a name beside each IRI; and on a second sheet what was asked and what a reader must know.

    Args:
        asked: the parameters of a question by name, with their values in words.
        incomplete: that there is more, in words, which then stands under the rows; "" where the answer is whole.

    Raises:
        KbError: openpyxl is not installed.
    """
    headings, rows = _table(result)
    if incomplete:
        rows.append([f"Not whole: {incomplete}.", *[None] * (len(headings) - 1)])
    about = [
        ["Question", result.title],
        ["Reads", result.graphs],
        *map(list, asked.items()),
        *(["Note", line] for line in notes),
    ]
    return spreadsheet(result.title, [Sheet("Answer", headings, rows), Sheet("About", ["What", "Said"], about)])


def _table(result: RawResult) -> tuple[list[str], list[list[Cell]]]:
    """The headings and rows, with a column for the names of the IRIs of each column that has some."""
    headings: list[str] = []
    columns: list[list[Cell]] = []
    rows = QueryResult(result).rows
    for number, name in enumerate(result.variables):
        values = [row[number] for row in rows]
        headings.append(name)
        columns.append([_cell(value) for value in values])
        names = [result.labels.get(str(value), "") if isinstance(value, URIRef) else "" for value in values]
        if any(names):
            headings.append(f"{name}, name")
            columns.append([*names])
    return headings, [list(row) for row in zip(*columns, strict=True)]


def _cell(value: object) -> Cell:
    """The value where a spreadsheet has values like it and keeps this one as it is, else its text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        kept = math.isfinite(value) and len(str(value).lstrip("-").replace(".", "")) <= _DIGITS
        return value if kept else str(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is None and value.date() >= _FIRST else value.isoformat()
    if isinstance(value, date):
        return value if value >= _FIRST else value.isoformat()
    return str(value)
