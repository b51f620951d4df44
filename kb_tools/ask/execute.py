"""Runs a request on the store."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyoxigraph as ox

from kb_tools.ask import confine
from kb_tools.ask.request import Result
from kb_tools.ask.sparql import BASE, Checked, QueryError, check
from kb_tools.errors import UnreadableInput

if TYPE_CHECKING:
    from kb_tools.ask.request import Request
    from kb_tools.model.history import RevisionEntry
    from kb_tools.model.policy import Policy
    from kb_tools.model.repository import KnowledgeBase
# Size of what a query finds, in bytes.
MAX_ANSWER = 256 * 1024**2
# The forms of query whose answer each format can write.
FORMATS = {
    "table": ("SELECT", "ASK"),
    "csv": ("SELECT",),
    "tsv": ("SELECT",),
    "json": ("SELECT", "ASK"),
    "markdown": ("SELECT", "ASK"),
    "turtle": ("CONSTRUCT", "DESCRIBE"),
}


_TO_DO = ox.NamedNode(BASE + "policy#toDo")


@dataclass(frozen=True)
class _Plan:
    """What a query reads: a closure of one revision, or a default graph of named graphs, None for all."""

    checked: Checked
    graphs: list[str] | None
    closed: tuple[Policy, RevisionEntry] | None


def plan_of(kb: KnowledgeBase, request: Request) -> _Plan:
    """What a request reads.

    Raises:
        QueryError: it is refused, is no SPARQL, or does not fit its format.
    """
    from kb_tools.ask.dataset import default_graph, policies

    known = policies(kb)
    checked = check(request.text, kb.prefixes)
    if request.format and checked.form not in FORMATS[request.format]:
        fits = " or ".join(name for name, forms in FORMATS.items() if checked.form in forms)
        raise QueryError(f"--format {request.format} does not fit {checked.form} queries", hint=f"use {fits}")
    chosen = []
    for identifier, name in request.revisions:
        policy = known[kb.policy(identifier).identifier]
        chosen.append((policy, policy.entry(name)))
    if request.entail != "none":
        if len(chosen) != 1 or checked.graphs is not None:
            raise QueryError(
                "a closure is computed of one revision", hint="name a --policy, and leave out --all and FROM"
            )
        return _Plan(checked, None, chosen[0])
    if checked.graphs is not None:
        return _Plan(checked, checked.graphs, None)
    return _Plan(checked, default_graph(kb, chosen) if chosen else None, None)


def execute(request: Request) -> Result:
    """Checks and runs a query in this process, without the limits that `run` sets.

    Raises:
        QueryError: it is refused, or is no SPARQL.
    """
    from kb_tools.model.repository import KnowledgeBase

    kb = KnowledgeBase(request.root)
    return execute_plan(kb, request, plan_of(kb, request), confined=False)


def execute_plan(kb: KnowledgeBase, request: Request, plan: _Plan, confined: bool) -> Result:
    """Runs a query on what it reads; `confined`: in a process that may reach neither network nor files."""
    from kb_tools.ask import dataset

    checked = plan.checked
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, dataset.reading(kb):
        further = [quad for path in request.data for quad in _data(path)]
        if plan.closed:
            store = dataset.open_store(kb)
            further.extend(dataset.closure(kb, *plan.closed, request.entail))
        else:
            store = dataset.open_view(kb, plan.graphs)
        if further:
            store = dataset.extended(kb, store, further, Path(scratch))
        prefixes = kb.prefixes
        if checked.form in FORMATS["turtle"]:
            # Now, since no file can be opened later.
            from kb_tools.rdf.canonical import serialize
        if confined:
            if not dataset.on_disk(kb):
                confine.open_no_file()
            confine.limit_memory()
        try:
            found = store.query(
                checked.text,
                base_iri=BASE,
                prefixes=prefixes,
                # Given, they stand in place of those of FROM.
                default_graph=None if checked.graphs is None else [ox.DefaultGraph()],
                named_graphs=None if checked.named is None else list(map(ox.NamedNode, checked.named)),
            )
        except SyntaxError as error:
            raise _not_run(str(error)) from None
        result = _result(found, request.max_rows)
        result.prefixes = prefixes
        if not result.rows and not result.truth and not result.triples:
            result.notes += [f"{kb.curie(iri)} appears in no statement here" for iri in _unknown(store, checked.iris)]
        for name in [*(checked.graphs or ()), *(checked.named or ())]:
            if not store.contains_named_graph(ox.NamedNode(name)):
                result.notes.append(f"FROM <{name}>: no such graph is on file, and none is fetched")
        if result.triples is not None:
            quads = (ox.Quad(each.subject, each.predicate, each.object) for each in result.triples)
            result.turtle = serialize(quads, "turtle", prefixes).decode()
        shown = {term.value for row in result.rows for term in row if isinstance(term, ox.NamedNode)}
        result.labels = {iri: label for iri in sorted(shown) if (label := _label(store, iri))}
        for iri in filter(partial(_is_draft, store), shown):
            result.labels[iri] = f"{result.labels.get(iri, '')} (draft)".strip()
    return result


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
    return QueryError(f"{f'line {at[1]}: ' if at else ''}not a query that can be run: {reason}", hint="correct it")


def _data(path: Path) -> Iterator[ox.Quad]:
    """What a file, or the files in a folder, say, as quads of the default graph."""
    from kb_tools.rdf.files import FORMATS as SUFFIXES
    from kb_tools.rdf.files import parse_file
    from kb_tools.rdf.terms import to_quads

    files = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise UnreadableInput("no RDF files in this folder", where=str(path), hint=f"it may hold {', '.join(SUFFIXES)}")
    for file in files:
        # Blank nodes of two files are never one.
        fresh: dict[str, ox.BlankNode] = {}
        for quad in to_quads(parse_file(file, relative=True)):
            yield ox.Quad(*(_fresh(term, fresh) for term in (quad.subject, quad.predicate, quad.object)))


def _fresh(term: Any, fresh: dict[str, ox.BlankNode]) -> Any:
    return fresh.setdefault(term.value, ox.BlankNode()) if isinstance(term, ox.BlankNode) else term


def _result(found: ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples, max_rows: int) -> Result:
    if isinstance(found, ox.QueryBoolean):
        return Result(truth=bool(found))
    result = Result()
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
            size = _grown(size, triple)
        result.triples = list(distinct)
        return result
    result.variables = [each.value for each in found.variables]
    for solution in found:
        if len(result.rows) == max_rows:
            result.more = True
            break
        result.rows.append(list(solution))
        size = _grown(size, solution)
    return result


def _grown(size: int, terms: Iterable[Any]) -> int:
    """The size with that of these terms.

    Raises:
        QueryError: it is too much.
    """
    size += sum(len(term.value) for term in terms if term is not None)
    if size > MAX_ANSWER:
        raise QueryError(f"the answer is larger than {MAX_ANSWER // 2**20} MiB", hint="narrow the query")
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
