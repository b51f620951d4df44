"""What a query found, as a table, as Markdown, and in the W3C formats of SPARQL results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyoxigraph as ox

from kb_tools import as_json, printable
from kb_tools.ask.library import Question
from kb_tools.ask.request import RawResult, Term
from kb_tools.ask.result import QueryResult
from kb_tools.ask.sparql import BASE

if TYPE_CHECKING:
    from rich.console import Console

# What a name may look like after a prefix, and an IRI relative to the base, so that both can be pasted into a query.
LOCAL = re.compile(r"[A-Za-z0-9_](?:[\w.-]*[\w-])?")
RELATIVE = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:#[\w.-]*)?")


# ---------------------------------------------------------------------- for people


def text(out: Console, result: RawResult) -> None:
    """For a terminal: the question, the rows of a SELECT query or the answer of an ASK query, and where it is from."""
    _say(out, result.title, "bold")
    for line in result.choices:
        _say(out, _printable(line), "italic")
    if result.rows:
        _grid(out, result.variables, _cells(result))
    for line in result.basis:
        _say(out, _printable(line), "italic")
    _say(out, _answer(result), "italic" if result.truth is None else "")


def markdown(result: RawResult) -> str:
    """The same as Markdown, the rows as a pipe table."""
    head = [f"**{_escaped(result.title)}**"] if result.title else []
    grid = [_pipes(result.variables, _cells(result)).rstrip("\n")] if result.rows else []
    lines = [_escaped(_printable(line)) for line in (*result.choices, *result.basis, _answer(result))]
    places = len(result.choices)
    return "\n\n".join([*head, *lines[:places], *grid, *lines[places:]]) + "\n"


def _answer(result: RawResult) -> str:
    """In words, what was found and from what."""
    if result.truth is not None:
        return f"{'yes' if result.truth else 'no'}, from {result.graphs}"
    count = len(result.rows)
    if not count and result.missing:
        # That nothing is found where nothing is on file says nothing.
        return (
            f"nothing can be said from {result.graphs}" if result.missing == "all" else "no rows from what is on file"
        )
    number = "no rows" if not count else "1 row" if count == 1 else f"{count} rows"
    return f"{'the first ' if result.more else ''}{number} from {result.graphs}"


def _cells(result: RawResult) -> list[list[str]]:
    by_namespace = {namespace: prefix for prefix, namespace in result.prefixes.items()}
    rows = []
    for row in result.rows:
        # A name that the row has in a column of its own is not repeated.
        literals = {term.value for term in row if isinstance(term, ox.Literal)}
        rows.append([_cell(term, result.labels, by_namespace, literals) for term in row])
    return rows


def _cell(term: Term | None, labels: Mapping[str, str], by_namespace: Mapping[str, str], literals: set[str]) -> str:
    if term is None:
        return ""
    if not isinstance(term, ox.NamedNode):
        return _printable(str(term) if isinstance(term, ox.BlankNode) else term.value)
    label = _printable(labels.get(term.value, ""))
    return short(term.value, by_namespace) + (f"  {label}" if label and label not in literals else "")


def _printable(value: str) -> str:
    """The text without what a terminal would take for an order to it."""
    return printable.text(value).replace("\t", " ")


def short(iri: str, by_namespace: Mapping[str, str]) -> str:
    """The IRI as it can be written in a query: with a prefix, relative to the base, or in full."""
    for end in (found.end() for found in reversed(list(re.finditer(r"[/#]", iri)))):
        prefix = by_namespace.get(iri[:end])
        if prefix is not None:
            return f"{prefix}:{iri[end:]}" if LOCAL.fullmatch(iri, end) else f"<{iri}>"
    local = iri.removeprefix(BASE)
    return f"<{local}>" if iri.startswith(BASE) and RELATIVE.fullmatch(local) else f"<{iri}>"


def _say(out: Console, line: str, style: str = "") -> None:
    if line:
        out.print(line, style=style, soft_wrap=True)


# Columns between two columns of a table, and what a column gets for its longest word where there is room.
GAP, WORD = 2, 40


def _grid(out: Console, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    widths = _widths([headings, *rows], out.width)
    grid = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for heading, width in zip(headings, widths, strict=True):
        grid.add_column(Text(heading), width=width, overflow="fold")
    # Rows of several lines are kept apart.
    tall = any(len(cell) > width or "\n" in cell for row in rows for cell, width in zip(row, widths, strict=True))
    for number, row in enumerate(rows):
        if tall and number:
            grid.add_row()
        grid.add_row(*map(Text, row))
    out.print(grid)


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column: that of its longest cell, or where there is no room for that, so that rows are low.

    A column keeps the room for its longest word, so that identifiers stay whole, unless that is too much as well.
    """
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True))
    most = [max(1, *map(cell_len, column)) for column in columns]
    words = [max([1, *(cell_len(word) for cell in column for word in cell.split())]) for column in columns]
    widths = [min(word, WORD) for word in words]
    room -= GAP * (len(columns) - 1)
    if sum(widths) > room:
        most, widths = widths, [1] * len(widths)
    for _ in range(min(room, sum(most)) - sum(widths)):
        # One more for the column whose cells are the highest.
        highest = max(range(len(widths)), key=lambda number: (most[number] - 1) // widths[number])
        widths[highest] += 1
    return widths


def _pipes(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *([_escaped(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(value: str) -> str:
    return re.sub(r"([\\`*_<|\[])", r"\\\1", value).replace("\r", "").replace("\n", "<br>")


# ---------------------------------------------------------------------- for programs


def json(result: RawResult) -> bytes:
    """SPARQL 1.1 Query Results JSON Format; what is to be said beside the answer stands under the key "notes"."""
    return QueryResult(result).to_json().encode()


def separated(result: RawResult, format_: str) -> bytes:
    """SPARQL 1.1 Query Results CSV or TSV Format ("csv" or "tsv")."""
    found = ox.parse_query_results(json(result), format=ox.QueryResultsFormat.JSON)
    return found.serialize(format=ox.QueryResultsFormat.CSV if format_ == "csv" else ox.QueryResultsFormat.TSV) or b""


# ---------------------------------------------------------------------- the library


def question_text(out: Console, listed: Sequence[Question]) -> None:
    """The ready questions with their parameters, for a terminal."""
    _grid(out, *_listed(listed))
    _say(out, "kb query NAME --param PARAMETER=VALUE", "italic")


def question_markdown(listed: Sequence[Question]) -> str:
    """The same as Markdown."""
    return _pipes(*_listed(listed))


def _listed(listed: Sequence[Question]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [question.name, question.title, ", ".join(param.name for param in question.parameters)] for question in listed
    ]
    return ["name", "question", "parameters"], rows


def question_json(listed: Sequence[Question]) -> str:
    """The same for other programs."""
    return as_json.dump(
        [
            {
                "name": question.name,
                "question": question.title,
                "topic": question.topic,
                "scope": question.scope,
                "parts": list(question.parts),
                "parameters": [
                    {
                        "name": param.name,
                        "type": param.type,
                        "kinds": list(param.kinds),
                        "default": param.default or None,
                        "meaning": param.meaning,
                    }
                    for param in question.parameters
                ],
            }
            for question in listed
        ]
    )
