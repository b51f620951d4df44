"""The knowledge base as a set of named graphs for SPARQL: one for each vocabulary, policy and revision.

What a query reads beside the named graphs is the default graph: what is shared and one revision, with what that
revision shares with another filled in; or the union of all graphs, for those who ask for it, in which a criterion shows
the content of every revision at once. It is laid down as one graph: over a list of graphs Oxigraph counts a statement
once for each graph that makes it, and looks each of them up in turn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyoxigraph as ox
from rdflib import Graph

from kb_tools.cache import Cache
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.history import LogRow, RevisionEntry
from kb_tools.model.policy import FILLED_IN, Policy, filled_in
from kb_tools.model.repository import ONTOLOGY, SHAPES, Repository
from kb_tools.model.soundness import skip_broken
from kb_tools.rdf.files import parse, unix_lines
from kb_tools.rdf.namespaces import BASE
from kb_tools.rdf.terms import graph_of, to_quads

# From this size on, in bytes, the graphs are kept in a store on disk between runs: to read 2 MiB takes half a second.
KEPT_FROM = 2 * 1024 * 1024
# What is kept: the named graphs, with what is read before them.
_GRAPHS, _CATALOG = "graphs", "catalog.json"


# ---------------------------------------------------------------------- the named graphs


@lru_cache(maxsize=2)
def graph_names(kb: Repository) -> dict[Path, str]:
    """The named graph of each file of the knowledge base.

    A vocabulary or shapes file has one of its own, that of one policy too; the other files of a policy, those of a
    revision and those of the example cases' manifest share one each. Example cases are no part of the knowledge base.
    """
    names: dict[Path, str] = {}
    for path in kb.files("ontology", "shapes"):
        kind, *rest = path.relative_to(kb.root).with_suffix("").parts
        names[path] = f"{BASE}{'/'.join(rest)}" if kind == "ontology" else f"{BASE}shapes/{'/'.join(rest)}"
    for policy in kb.policies():
        names |= dict.fromkeys(kb.files_in(policy.folder), policy.iri)
        for path in (*kb.own_files(policy.folder, ONTOLOGY), *kb.own_files(policy.folder, SHAPES)):
            names[path] = f"{policy.iri}/{'/'.join(path.relative_to(policy.folder).with_suffix('').parts)}"
        for name, folder in policy.revision_folders.items():
            names |= dict.fromkeys(kb.files_in(folder), f"{policy.iri}/{name}")
        manifest = policy.cases_folder / "manifest.ttl"
        if kb.has(manifest):
            names[manifest] = f"{policy.iri}/cases/manifest"
    return names


def _read(kb: Repository) -> dict[Path, str]:
    """The same without the files of policies that are skipped."""
    return {path: name for path, name in graph_names(kb).items() if not kb.is_skipped(path)}


def filled_in_name(entry: RevisionEntry) -> str:
    """The named graph of what a revision shares with another."""
    return entry.iri + FILLED_IN


def default_graph(kb: Repository, revisions: Sequence[tuple[Policy, RevisionEntry]]) -> list[str]:
    """The named graphs that make up the default graph for a revision of each policy.

    Of the policies, only what those say whose revisions they are: the log of another is no part of what is asked about.
    """
    others = {policy.iri for policy in _policies(kb).values()} - {policy.iri for policy, _ in revisions}
    own = [name for _, entry in revisions for name in (entry.iri, filled_in_name(entry))]
    return [*(name for name in _shared(kb) if name not in others), *own]


@lru_cache(maxsize=2)
def _shared(kb: Repository) -> list[str]:
    """The named graphs that belong to no revision."""
    folders = set(kb.policy_folders)
    own = {path for folder in folders for kind in (ONTOLOGY, SHAPES) for path in kb.own_files(folder, kind)}
    # In other folders of a policy's folder stand its revisions and its cases, which are not shared.
    shared = [name for path, name in _read(kb).items() if path in own or not folders.intersection(path.parent.parents)]
    return list(dict.fromkeys(shared))


def open_store(kb: Repository) -> ox.Store:
    """The named graphs in a store, in memory, or on disk where they are many; a store on disk is only read.

    Raises:
        KnowledgeBaseError: a file is not valid Turtle.
        KbError: the store on disk cannot be written.
    """
    if on_disk(kb):
        load(kb)
        return _cache(kb).open(_GRAPHS)
    skip_broken(kb)
    store = ox.Store()
    for path, name in _read(kb).items():
        with _says_which(path):
            store.load(unix_lines(kb.content(path)), format=ox.RdfFormat.TURTLE, to_graph=ox.NamedNode(name))
    store.bulk_extend(filled_in(store))
    return store


@lru_cache(maxsize=2)
def named_graphs(kb: Repository) -> ox.Store:
    """The same, opened once in a process; it is only read."""
    return open_store(kb)


def _quads(kb: Repository, path: Path, name: ox.NamedNode) -> Iterator[ox.Quad]:
    # Blank nodes are renamed: those of two files are never one.
    with _says_which(path):
        for quad in ox.parse(unix_lines(kb.content(path)), format=ox.RdfFormat.TURTLE, rename_blank_nodes=True):
            yield ox.Quad(quad.subject, quad.predicate, quad.object, name)


@contextmanager
def _says_which(path: Path) -> Iterator[None]:
    try:
        yield
    except SyntaxError as error:
        raise KnowledgeBaseError(
            f"not valid Turtle: {error.msg}", where=f"{path}:{error.lineno}", hint="correct the syntax"
        ) from error


# ---------------------------------------------------------------------- with a default graph


def open_view(kb: Repository, graphs: Sequence[str] | None) -> ox.Store:
    """The named graphs, with a default graph that says what the graphs of these names say, each statement once.

    Args:
        graphs: the names; None for all graphs.
    """
    if on_disk(kb):
        load(kb, [graphs])
        return _cache(kb).open(_view(graphs))
    store = ox.Store()
    # A store in memory gives what came last first: turned round, answers without an order come in that of the files.
    store.bulk_extend(reversed(list(named_graphs(kb))))
    _lay_down(store, graphs)
    return store


def _lay_down(store: ox.Store, graphs: Sequence[str] | None) -> None:
    names = [None] if graphs is None else map(ox.NamedNode, graphs)
    found = (quad for name in names for quad in store.quads_for_pattern(None, None, None, name))
    # In one go: each goes into files of its own.
    store.bulk_extend(ox.Quad(quad.subject, quad.predicate, quad.object) for quad in found)


def extended(kb: Repository, store: ox.Store, quads: Iterable[ox.Quad], scratch: Path) -> ox.Store:
    """The store with more quads; of a store on disk, a copy in the folder `scratch`, made of links."""
    if on_disk(kb):
        store.backup(str(scratch / "store"))
        store = ox.Store(str(scratch / "store"))
    store.bulk_extend(quads)
    return store


# ---------------------------------------------------------------------- what follows from a revision


def closure(kb: Repository, policy: Policy, entry: RevisionEntry, regime: str) -> Iterator[ox.Quad]:
    """The closure of one revision, see `entailed`, as quads of the default graph."""
    kept = _cache(kb).text(_closure(entry, regime))
    if kept is not None:
        return ox.parse(kept, format=ox.RdfFormat.N_TRIPLES)
    return to_quads(entailed(kb, policy, entry, regime))


def entailed(kb: Repository, policy: Policy, entry: RevisionEntry, regime: str) -> Graph:
    """The closure of one revision with the ontologies, kept on disk between runs where that can be written.

    Args:
        regime: "owlrl" or "rdfs".
    """
    name = _closure(entry, regime)
    kept = _cache(kb).text(name)
    if kept is not None:
        return graph_of(parse(kept, ox.RdfFormat.N_TRIPLES, name))
    from kb_tools.rdf.closing import close

    graph = graph_of(policy.revision_graph(entry))
    close(graph, regime)
    _cache(kb).keep_text(name, graph.serialize(format="nt").encode())
    return graph


# ---------------------------------------------------------------------- what is kept on disk


def policies(kb: Repository) -> dict[str, Policy]:
    """The policies by identifier; where the graphs are many, with histories, and a prefix table, kept with them."""
    found = dict(_policies(kb))
    if on_disk(kb):
        load(kb)
        with _cache(kb).reading(ValueError, KeyError, TypeError):
            kept = json.loads((_cache(kb).folder / _GRAPHS / _CATALOG).read_text(encoding="utf-8"))
            kb.prefixes, kb.clashing_prefixes = kept["prefixes"], kept["clashing"]
            for identifier, said in kept["skipped"].items():
                kb.skip(identifier, KnowledgeBaseError(**said))
            for identifier, entries in kept["histories"].items():
                found[identifier].history = [_entry(**entry) for entry in entries]
    else:
        _skip_broken(kb)
    return {identifier: policy for identifier, policy in found.items() if identifier not in kb.skipped}


@lru_cache(maxsize=2)
def _skip_broken(kb: Repository) -> None:
    """Looks at the policies once: the process of a query may open no file any more."""
    skip_broken(kb)


@lru_cache(maxsize=2)
def _policies(kb: Repository) -> dict[str, Policy]:
    """The policies by identifier, read once in a process."""
    return {policy.identifier: policy for policy in kb.policies()}


def _catalog(kb: Repository) -> str:
    skipped = {
        identifier: {"what": error.what, "where": error.where, "hint": error.hint}
        for identifier, error in skip_broken(kb).items()
    }
    histories = {policy.identifier: [asdict(entry) for entry in policy.history] for policy in kb.policies()}
    tables = {"prefixes": kb.prefixes, "clashing": kb.clashing_prefixes}
    return json.dumps({**tables, "histories": histories, "skipped": skipped}, default=str)


def _entry(
    month: str, row: dict[str, Any] | None, in_part: list[str], has_none: list[str], **same: Any
) -> RevisionEntry:
    if row and row["approval"]:
        row["approval"] = date.fromisoformat(row["approval"])
    since = date.fromisoformat(month)
    known = LogRow(**row) if row else None
    return RevisionEntry(month=since, row=known, in_part=tuple(in_part), has_none=tuple(has_none), **same)


def on_disk(kb: Repository) -> bool:
    """Whether the graphs are so many that they are kept in a store on disk."""
    return _cache(kb).size >= KEPT_FROM


def loaded(kb: Repository, views: Iterable[Sequence[str] | None] = ()) -> bool:
    """Whether the graphs, and views of them, are there to be opened without a long wait."""
    return not on_disk(kb) or all(map(_cache(kb).has, [_GRAPHS, *map(_view, views)]))


def load(kb: Repository, views: Iterable[Sequence[str] | None] = ()) -> None:
    """Loads the graphs into a store on disk, and lays down a default graph for each view, unless they are there.

    Raises:
        KbError: they cannot be written.
    """
    cache = _cache(kb)
    cache.keep(_GRAPHS, partial(_make_graphs, kb))
    for graphs in views:
        cache.keep(_view(graphs), partial(_make_view, kb, graphs))
    cache.used()


def reading(kb: Repository) -> AbstractContextManager[None]:
    """While a store is read: where it is kept on disk and turns out to be damaged, the error says what to remove."""
    return _cache(kb).reading() if on_disk(kb) else nullcontext()


def _make_graphs(kb: Repository, folder: Path) -> None:
    (folder / _CATALOG).write_text(_catalog(kb), encoding="utf-8")
    store = ox.Store(str(folder / "store"))
    # In one go, which is faster by far than file by file.
    store.bulk_extend(quad for path, name in _read(kb).items() for quad in _quads(kb, path, ox.NamedNode(name)))
    store.bulk_extend(filled_in(store))
    store.flush()
    # Else each copy, see `extended`, would tidy up for itself, and share no file with this one.
    store.optimize()
    _cache(kb).prune()


def _make_view(kb: Repository, graphs: Sequence[str] | None, folder: Path) -> None:
    store = extended(kb, open_store(kb), (), folder)
    _lay_down(store, graphs)
    store.flush()


@lru_cache(maxsize=2)
def _cache(kb: Repository) -> Cache:
    return Cache(kb.root, graph_names(kb))


def _view(graphs: Sequence[str] | None) -> str:
    """Where the store with a default graph of these graphs is kept."""
    named = "union" if graphs is None else hashlib.sha256("\n".join(sorted(set(graphs))).encode()).hexdigest()[:24]
    return f"views/{named}"


def _closure(entry: RevisionEntry, regime: str) -> str:
    """Where the closure of a revision is kept."""
    return f"{regime}-{'-'.join(entry.iri.split('/')[-2:])}.nt"
