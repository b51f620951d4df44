"""An answer as a spreadsheet."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from rdflib import URIRef

from kb_tools import printable
from kb_tools.ask.request import RawResult
from kb_tools.ask.result import QueryResult
from kb_tools.ask.sparql import QueryError

# The longest text of a cell, and the widest column, in characters.
_LONGEST, _WIDEST = 32_767, 60
# A spreadsheet keeps so many digits of a number, and knows no day before.
_DIGITS, _FIRST = 15, date(1900, 3, 1)


def workbook(result: RawResult, notes: Sequence[str]) -> bytes:
    """The rows of an answer on a sheet, a name beside each IRI; and on a second one what a reader must know of it.

    Every text is a text: none is taken for a formula, whatever it begins with.

    Raises:
        QueryError: a text is longer than a cell holds.
    """
    book = Workbook()
    answer, about = book.active, book.create_sheet("About")
    assert answer is not None
    answer.title = "Answer"
    headings, rows = _table(result)
    _fill(answer, [headings, *rows])
    for cell in answer[1]:
        cell.font = Font(bold=True)
    answer.freeze_panes = "A2"
    if result.more:
        _put(answer.cell(len(rows) + 2, 1), f"Not whole: {notes[-1]}.")
    _fill(about, [("Question", result.title), ("Reads", result.graphs), *(("Note", line) for line in notes)])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _table(result: RawResult) -> tuple[list[str], list[list[Any]]]:
    """The headings and rows, with a column for the names of the IRIs of each column that has some."""
    headings: list[str] = []
    columns: list[list[Any]] = []
    rows = QueryResult(result).rows
    for number, name in enumerate(result.variables):
        headings.append(name)
        columns.append([row[number] for row in rows])
        names = [result.labels.get(str(value), "") if isinstance(value, URIRef) else "" for value in columns[-1]]
        if any(names):
            headings.append(f"{name}, name")
            columns.append(names)
    return headings, [list(row) for row in zip(*columns, strict=True)]


def _fill(sheet: Any, rows: Sequence[Sequence[Any]]) -> None:
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            _put(sheet.cell(number, column), value)
    for column, values in enumerate(zip(*rows, strict=True), 1):
        width = max(len(str(value)) for value in values if value is not None)
        sheet.column_dimensions[get_column_letter(column)].width = min(width + 2, _WIDEST)


def _put(cell: Any, value: Any) -> None:
    if value is None:
        return
    if _is_kept(value):
        cell.value = value
        return
    text = printable.text(value.isoformat() if isinstance(value, date) else str(value))
    if len(text) > _LONGEST:
        raise QueryError(f"a text of more than {_LONGEST} characters", hint="ask for csv or json")
    cell.value = text
    # Not "f", a formula, which a text that begins with "=" becomes else; nor when it is edited in its cell.
    cell.data_type = "s"
    cell.quotePrefix = True


def _is_kept(value: Any) -> bool:
    """Whether a spreadsheet has values like this, and keeps this one as it is."""
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float | Decimal):
        return math.isfinite(value) and len(str(value).lstrip("-").replace(".", "")) <= _DIGITS
    if isinstance(value, datetime):
        return value.tzinfo is None and value.date() >= _FIRST
    return isinstance(value, date) and value >= _FIRST
