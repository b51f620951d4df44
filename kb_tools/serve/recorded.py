"""The addresses of decision records: the list, one record, and what they come to as files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pyoxigraph as ox
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kb_tools.ask.request import RawResult, Term
from kb_tools.errors import did_you_mean
from kb_tools.records.shelf import Shelf
from kb_tools.serve.pages import RECORD, RECORDS, Page
from kb_tools.serve.pages.recorded import TABLES, Cell, Table, looked, table
from kb_tools.serve.results import ROWS, SPREADSHEET, answer, check_format
from kb_tools.serve.view import NoPage, View
from kb_tools.serve.workbench import Workbench

_INTEGER = ox.NamedNode("http://www.w3.org/2001/XMLSchema#integer")


def routes(bench: Workbench, shelf: Shelf, shown: Callable[[Page, Request, str], Response]) -> list[Route]:
    """The addresses.

    Args:
        shown: answers with a page.
    """

    def records(request: Request) -> Response:
        if request.query_params.get("again"):
            looked(shelf, again=True)
            return RedirectResponse(RECORDS.path, 303)
        return shown(RECORDS, request, request.query_params.get("before", ""))

    def record(request: Request) -> Response:
        return shown(RECORD, request, request.path_params["number"])

    def counted(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in TABLES:
            raise NoPage(f"there is no table {name}", hint=did_you_mean(name, TABLES) or f"known: {', '.join(TABLES)}")
        format_ = request.query_params.get("format")
        check_format(format_, question=True)
        look = looked(shelf)
        found = _result(table(View(bench, date.today()), shelf.counts, name), look.records)
        if not look.is_complete:
            found.notes.append(f"of the first {look.records} records: the others have not been read yet")
        written = answer(found, format_, request.headers.get("accept", ""), {})
        kind = (written.media_type or "").partition(";")[0]
        ending = next((ending for ending, types in (ROWS | SPREADSHEET).items() if types[0] == kind), "json")
        written.headers["Content-Disposition"] = f'inline; filename="records-{name}.{ending}"'
        return written

    return [
        Route(RECORDS.path, records, name=RECORDS.name),
        Route(f"{RECORDS.path}/tables/{{name}}", counted),
        Route(RECORD.path, record, name=RECORD.name),
    ]


def _result(found: Table, records: int) -> RawResult:
    """A table as an answer of a query: of what has an IRI, that and its name."""
    named = [any(row[place]["iri"] for row in found["rows"]) for place in range(len(found["columns"]))]
    variables: list[str] = []
    for column, is_named in zip(found["columns"], named, strict=True):
        variables += [column, f"{column}Label"] if is_named else [column]
    rows: list[list[Term | None]] = []
    for row in found["rows"]:
        terms: list[Term | None] = []
        for cell, is_named in zip(row, named, strict=True):
            terms += [ox.NamedNode(cell["iri"]), ox.Literal(cell["text"])] if is_named else [_literal(cell)]
        rows.append(terms)
    graphs = f"{records} decision record{'s'[: records != 1]}"
    return RawResult(variables=variables, rows=rows, title=found["title"], graphs=graphs)


def _literal(cell: Cell) -> ox.Literal:
    return ox.Literal(cell["text"], datatype=_INTEGER) if cell["text"].isdecimal() else ox.Literal(cell["text"])
