"""What a query found, in the formats of SPARQL 1.1, of RDF, and as a spreadsheet.

An answer that is not whole says so: in the headers, and in the body where the format has a place for it. Where it has
none, there is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import pyoxigraph as ox
from starlette.exceptions import HTTPException
from starlette.responses import Response

from kb_tools import as_json
from kb_tools.ask.request import RawResult
from kb_tools.ask.result import QueryResult
from kb_tools.ask.sparql import QueryError
from kb_tools.errors import KbError
from kb_tools.render import query_results as render
from kb_tools.serve.formats import asked_for

# Of rows and truth values, and of graphs: each format with the media types that ask for it; the first is sent.
ROWS = {
    "json": ("application/sparql-results+json", "application/json"),
    "xml": ("application/sparql-results+xml", "application/xml", "text/xml"),
    "csv": ("text/csv",),
    "tsv": ("text/tab-separated-values",),
}
SPREADSHEET = {"xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",)}
GRAPHS = {
    "turtle": ("text/turtle", "application/x-turtle"),
    "ntriples": ("application/n-triples",),
    "jsonld": ("application/ld+json", "application/json"),
    "rdfxml": ("application/rdf+xml", "application/xml", "text/xml"),
}
# What other programs call a format of graphs.
_ALSO = {"xml": "rdfxml", "rdf": "rdfxml", "json": "jsonld", "json-ld": "jsonld", "n3": "turtle"}
# How an IRI ends that can be the name of an element.
_NAME = re.compile(r"[/#:][A-Za-z_][\w.-]*$")
# Without a place to say that an answer is not whole.
_SILENT = ("csv", "tsv", "jsonld")
# Tells a program that an answer is not whole, and how far it goes.
INCOMPLETE = "Answer-Incomplete"


def answer(result: RawResult, parameter: str | None, accept: str, about: Mapping[str, str] | None = None) -> Response:
    """An answer in the format that is asked for.

    Args:
        parameter: the value of `format=`, if there is one.
        accept: the Accept header; "" for none.
        about: of a ready question, for which a spreadsheet can be asked: for what values of its parameters.

    Raises:
        KbError: the parameter is no format of this answer, or the answer is not whole and the format cannot say so.
        HTTPException: 406, nothing that the reader takes is offered.
    """
    if result.triples is not None:
        known: Mapping[str, tuple[str, ...]] = GRAPHS
        parameter = _ALSO.get(parameter or "", parameter)
    elif result.truth is not None:
        known = {name: ROWS[name] for name in ("json", "xml")}
    else:
        known = ROWS | (SPREADSHEET if about is not None else {})
    format_ = asked_for(parameter, accept, known, known)
    if format_ is None:
        raise HTTPException(406, f"this answer comes as {', '.join(types[0] for types in known.values())}")
    return Response(written(result, format_, about or {}), headers=headers(result), media_type=known[format_][0])


def check_format(parameter: str | None, question: bool = False) -> None:
    """Refuses, before anything is asked, what is no format of any answer.

    Args:
        question: whether a ready question is asked, for which a spreadsheet can be asked.

    Raises:
        KbError: it is none.
    """
    known = (*ROWS, *SPREADSHEET) if question else (*ROWS, *GRAPHS)
    if parameter is not None and parameter not in _ALSO:
        asked_for(parameter, "", dict.fromkeys(known))


def headers(result: RawResult) -> dict[str, str]:
    """What a program must know of an answer."""
    return {"Vary": "Accept"} | ({INCOMPLETE: incomplete(result)} if result.more else {})


def incomplete(result: RawResult) -> str:
    """That an answer is not whole, in words; "" where it is."""
    return f"the first {_size(result)}; there are more" if result.more else ""


def _size(result: RawResult) -> str:
    return f"{len(result.triples)} triples" if result.triples is not None else f"{len(result.rows)} rows"


def notes(result: RawResult) -> list[str]:
    """What a reader must know beside an answer, a line each."""
    # How to ask otherwise is said of options of the command.
    lines = [line.partition("; --")[0] for line in (*result.choices, *result.basis, *result.notes)]
    return [*lines, *filter(None, [incomplete(result)])]


def written(result: RawResult, format_: str, about: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """An answer in a format.

    Args:
        about: for what values of its parameters a question was asked, which a spreadsheet lists.

    Raises:
        QueryError: the answer is not whole, and the format has no place to say so.
    """
    if result.more and format_ in _SILENT:
        hint = "ask for fewer by LIMIT, or for another format"
        raise QueryError(f"there are more than {_size(result)}, which {format_} has no place to say", hint=hint)
    return _spreadsheet(result, about) if format_ in SPREADSHEET else _WRITERS[format_](result)


def _json(result: RawResult) -> bytes:
    return as_json.compact(QueryResult(replace(result, choices=notes(result), basis=[])).to_dict())


def _xml(result: RawResult) -> bytes:
    found = ox.parse_query_results(render.json(result), format=ox.QueryResultsFormat.JSON)
    body = found.serialize(format=ox.QueryResultsFormat.XML) or b""
    return _commented(body, result)


def _commented(body: bytes, result: RawResult) -> bytes:
    """XML with a comment before its root where the answer is not whole."""
    if not result.more:
        return body
    declaration, end, rest = body.partition(b"?>")
    return declaration + end + f"<!-- Not whole: {incomplete(result)}. -->".encode() + rest


def _turtle(result: RawResult) -> bytes:
    return _remark(result) + result.turtle.encode()


def _remark(result: RawResult) -> bytes:
    return f"# Not whole: {incomplete(result)}.\n".encode() if result.more else b""


def _graph(result: RawResult, format_: ox.RdfFormat) -> bytes:
    """Statement by statement: to name blank nodes canonically can take very long, and is done where time is limited."""
    triples = result.triples or ()
    # In RDF/XML a property is the name of an element.
    if format_ == ox.RdfFormat.RDF_XML and not all(_NAME.search(triple.predicate.value) for triple in triples):
        raise QueryError("the answer has a property that XML cannot name", hint="ask for another format")
    return ox.serialize(triples, format=format_, prefixes=result.prefixes) or b""


def _spreadsheet(result: RawResult, about: Mapping[str, str]) -> bytes:
    from kb_tools.render.answer_sheets import xlsx

    said = {incomplete(result), *(f"for {name} {value}" for name, value in about.items())}
    return xlsx(result, [note for note in notes(result) if note not in said], incomplete(result), about)


_WRITERS: dict[str, Callable[[RawResult], bytes]] = {
    "json": _json,
    "xml": _xml,
    "csv": lambda result: render.separated(result, "csv"),
    "tsv": lambda result: render.separated(result, "tsv"),
    "turtle": _turtle,
    "ntriples": lambda result: _remark(result) + _graph(result, ox.RdfFormat.N_TRIPLES),
    "jsonld": lambda result: _graph(result, ox.RdfFormat.JSON_LD),
    "rdfxml": lambda result: _commented(_graph(result, ox.RdfFormat.RDF_XML), result),
}


def for_readers(error: KbError) -> KbError:
    """An error without a hint about options of the command, which a reader of pages does not have."""
    if " --" in f" {error.hint}":
        return type(error)(error.what, where=error.where)
    return error
