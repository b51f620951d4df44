"""Runs a request on the store."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyoxigraph as ox

from kb_tools.ask import confine, dataset
from kb_tools.ask.resolve import Request
from kb_tools.ask.sparql import BASE, QueryError, check
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.canonical import serialize
from kb_tools.rdf.files import FORMATS, parse_file
from kb_tools.rdf.terms import to_quads

if TYPE_CHECKING:
    from kb_tools.ask.request import RawResult
    from kb_tools.model.repository import Repository

# Size of what a query finds, in bytes.
MAX_ANSWER = 256 * 1024**2
# Stands at what is still to be done of a draft.
_TO_DO = ox.NamedNode(BASE + "policy#toDo")


def execute(request: Request, confined: bool = False) -> RawResult:
    """Runs a query on what it reads, in this process.

    Args:
        confined: whether from here on the process may reach neither network nor files.

    Raises:
        QueryError: it cannot be run, or finds too much.
    """
    kb = request.kb
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, dataset.reading(kb):
        store = _store(request, Path(scratch))
        if confined:
            # Where nothing is found, the query is read for what it names: by a parser that is loaded from files.
            import_module("rdflib.plugins.sparql.parser")
            if not dataset.on_disk(kb):
                confine.open_no_file()
            confine.limit_memory()
        return execute_on(store, request, MAX_ANSWER)


def execute_on(store: ox.Store, request: Request, max_size: int) -> RawResult:
    """Runs a query on a store, whose default graph is what the request reads.

    Args:
        max_size: of what it finds, in bytes.

    Raises:
        QueryError: it cannot be run, or finds too much.
    """
    checked = request.checked
    result = replace(request.frame, rows=[], notes=list(request.frame.notes))
    try:
        found = store.query(
            checked.text,
            base_iri=BASE,
            prefixes=result.prefixes,
            # Given, they stand in place of those of FROM.
            default_graph=None if checked.graphs is None else [ox.DefaultGraph()],
            named_graphs=None if checked.named is None else list(map(ox.NamedNode, checked.named)),
        )
    except SyntaxError as error:
        raise _not_run(str(error)) from None
    _collect(result, found, request.max_rows, max_size)
    _explain(result, request, store)
    return result


def _store(request: Request, scratch: Path) -> ox.Store:
    """What a request reads, its data added in the folder `scratch` where the graphs are on disk."""
    kb = request.kb
    further = [quad for path in request.data for quad in _data(path)]
    if request.closed:
        store = dataset.open_store(kb)
        further.extend(dataset.closure(kb, *request.closed, request.entail))
    else:
        store = dataset.open_view(kb, request.graphs)
    return dataset.extended(kb, store, further, scratch) if further else store


def _explain(result: RawResult, request: Request, store: ox.Store) -> None:
    """Adds to an answer the names of what it shows, and what a reader must know of it."""
    kb, checked = request.kb, request.checked
    if not result.rows and not result.truth and not result.triples:
        named = _named(kb, checked.text) if checked.iris is None else checked.iris
        result.notes += [f"{kb.curie(iri)} appears in no statement here" for iri in _unknown(store, named)]
    for name in [*(checked.graphs or ()), *(checked.named or ())]:
        if not store.contains_named_graph(ox.NamedNode(name)):
            result.notes.append(f"FROM <{name}>: no such graph is on file, and none is fetched")
    shown = {term.value for row in result.rows for term in row if isinstance(term, ox.NamedNode)}
    result.labels = {iri: label for iri in sorted(shown) if (label := _label(store, iri))}
    for iri in filter(partial(_is_draft, store), shown):
        result.labels[iri] = f"{result.labels.get(iri, '')} (draft)".strip()


@lru_cache(maxsize=64)
def _named(kb: Repository, text: str) -> list[str]:
    """The IRIs that a query of the library names."""
    return check(text, kb.prefixes).iris or []


def _unknown(store: ox.Store, iris: Sequence[str]) -> Iterator[str]:
    """Those IRIs that no statement of any graph has, and no graph is named with: perhaps misspelt."""
    for iri in iris:
        with suppress(ValueError):
            node = ox.NamedNode(iri)
            patterns: list[tuple[Any, Any, Any]] = [(node, None, None), (None, node, None), (None, None, node)]
            found = (store.quads_for_pattern(*pattern, None) for pattern in patterns)
            if not store.contains_named_graph(node) and not any(next(quads, None) for quads in found):
                yield iri


def _is_draft(store: ox.Store, iri: str) -> bool:
    """Whether this is a revision that its own graph marks as a draft."""
    node = ox.NamedNode(iri)
    return any(store.quads_for_pattern(node, _TO_DO, None, node))


def _not_run(message: str) -> QueryError:
    """What Oxigraph does not run though it is SPARQL by its grammar, with the reason where its message gives one."""
    at = re.match(r"error at (\d+):", message)
    reasons = re.findall(
        r"(?:^|, |of |expected )((?:The|BIND|Duplicated|Repeated|SELECT \*|Already|IRI) [\w* ]+)", message
    )
    reason = reasons[0] if reasons else "a variable is bound twice, or selected beside an aggregate without GROUP BY"
    what = f"{f'line {at[1]}: ' if at else ''}not a query that can be run"
    return QueryError(f"{what}: {reason}", hint="correct it", unquoted=what)


def _data(path: Path) -> Iterator[ox.Quad]:
    """What a file, or the files in a folder, say, as quads of the default graph."""
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in FORMATS) if path.is_dir() else [path]
    if not files:
        raise UnreadableInput("no RDF files in this folder", where=str(path), hint=f"it may hold {', '.join(FORMATS)}")
    for file in files:
        # Blank nodes of two files are never one.
        fresh: dict[str, ox.BlankNode] = {}
        for quad in to_quads(parse_file(file, relative=True)):
            yield ox.Quad(*(_fresh(term, fresh) for term in (quad.subject, quad.predicate, quad.object)))


def _fresh(term: Any, fresh: dict[str, ox.BlankNode]) -> Any:
    return fresh.setdefault(term.value, ox.BlankNode()) if isinstance(term, ox.BlankNode) else term


def _collect(
    result: RawResult, found: ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples, max_rows: int, max_size: int
) -> None:
    """Adds to a result what was found, as much of it as was asked for.

    Raises:
        QueryError: it is too much.
    """
    if isinstance(found, ox.QueryBoolean):
        result.truth = bool(found)
        return
    size = 0
    if isinstance(found, ox.QueryTriples):
        distinct: dict[ox.Triple, None] = {}
        for triple in found:
            if triple in distinct:
                continue
            if len(distinct) == max_rows:
                result.more = True
                break
            distinct[triple] = None
            size = _grown(size, triple, max_size)
        result.triples = list(distinct)
        quads = (ox.Quad(triple.subject, triple.predicate, triple.object) for triple in result.triples)
        result.turtle = serialize(quads, "turtle", result.prefixes).decode()
        return
    result.variables = [variable.value for variable in found.variables]
    for solution in found:
        if len(result.rows) == max_rows:
            result.more = True
            break
        result.rows.append(list(solution))
        size = _grown(size, solution, max_size)


def _grown(size: int, terms: Iterable[Any], max_size: int) -> int:
    """The size with that of these terms.

    Raises:
        QueryError: it is too much.
    """
    size += sum(len(term.value) for term in terms if term is not None)
    if size > max_size:
        raise QueryError(f"the answer is larger than {max_size // 2**20} MiB", hint="narrow the query")
    return size


def _label(store: ox.Store, iri: str) -> str:
    """The name of an IRI: in the default graph, or else in any."""
    for graph in (ox.DefaultGraph(), None):
        for property_ in (
            "http://www.w3.org/2000/01/rdf-schema#label",
            "http://www.w3.org/2004/02/skos/core#prefLabel",
        ):
            found = store.quads_for_pattern(ox.NamedNode(iri), ox.NamedNode(property_), None, graph)
            names = [quad.object.value for quad in found if isinstance(quad.object, ox.Literal)]
            if names:
                return min(names)
    return ""
