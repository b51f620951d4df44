"""The knowledge base as a set of named graphs for SPARQL: one for each vocabulary, policy and revision.

What a query reads beside the named graphs is the default graph: what is shared and one revision, with what that
revision shares with another filled in; or the union of all graphs, for those who ask for it, in which a criterion shows
the content of every revision at once. It is laid down as one graph: over a list of graphs Oxigraph counts a statement
once for each graph that makes it, and looks each of them up in turn.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyoxigraph as ox
from rdflib import Graph, Literal

from kb_tools.errors import KbError, KnowledgeBaseError
from kb_tools.model.history import LogRow, RevisionEntry
from kb_tools.model.policy import FILLED_IN, Policy, filled_in
from kb_tools.model.repository import KnowledgeBase
from kb_tools.rdf.files import parse, unix_lines
from kb_tools.rdf.namespaces import BASE
from kb_tools.rdf.terms import graph_of, to_quads
from kb_tools.writing import write_whole

# From this size on, in bytes, the graphs are kept in a store on disk between runs: to read 2 MiB takes half a second.
KEPT_FROM = 2 * 1024 * 1024
# Changes when graphs are laid out differently, so that an older store is not used.
LAYOUT = "2"
# What was made of an earlier state of the files is removed when it was not used for this long, in seconds.
UNUSED = 24 * 60 * 60
# The names of what is being made begin with this.
ASIDE = "aside-"


# ---------------------------------------------------------------------- the named graphs


@lru_cache(maxsize=2)
def graph_names(kb: KnowledgeBase) -> dict[Path, str]:
    """The named graph of each file of the knowledge base.

    A vocabulary or shapes file has one of its own; the files of a policy, those of a revision and those of the
    example cases' manifest share one each. Example cases are no part of the knowledge base.
    """
    names: dict[Path, str] = {}
    for path in kb.files("ontology", "shapes"):
        kind, *rest = path.relative_to(kb.root).with_suffix("").parts
        names[path] = f"{BASE}{'/'.join(rest)}" if kind == "ontology" else f"{BASE}shapes/{'/'.join(rest)}"
    for policy in kb.policies():
        names |= dict.fromkeys(sorted(policy.folder.glob("*.ttl")), policy.iri)
        for name, folder in policy.revision_folders.items():
            names |= dict.fromkeys(sorted(folder.glob("*.ttl")), f"{policy.iri}/{name}")
        manifest = policy.cases_folder / "manifest.ttl"
        if manifest.is_file():
            names[manifest] = f"{policy.iri}/cases/manifest"
    return names


def filled_in_name(entry: RevisionEntry) -> str:
    """The named graph of what a revision shares with another."""
    return entry.iri + FILLED_IN


def default_graph(kb: KnowledgeBase, revisions: Sequence[tuple[Policy, RevisionEntry]]) -> list[str]:
    """The named graphs that make up the default graph for a revision of each policy."""
    folders = set(kb.policy_folders)
    # In folders of a policy's folder stand its revisions and its cases, which are not shared.
    shared = [name for path, name in graph_names(kb).items() if not folders.intersection(path.parent.parents)]
    own = [name for _, entry in revisions for name in (entry.iri, filled_in_name(entry))]
    return [*dict.fromkeys(shared), *own]


def open_store(kb: KnowledgeBase) -> ox.Store:
    """The named graphs in a store, in memory, or on disk where they are many; a store on disk is only read.

    Raises:
        KnowledgeBaseError: a file is not valid Turtle.
        KbError: the store on disk cannot be written.
    """
    if on_disk(kb):
        load(kb)
        return _open(kb, _graphs_folder(kb))
    store = ox.Store()
    for path, name in graph_names(kb).items():
        with _says_which(path):
            store.load(unix_lines(path.read_bytes()), format=ox.RdfFormat.TURTLE, to_graph=ox.NamedNode(name))
    store.bulk_extend(filled_in(store))
    return store


def _quads(path: Path, name: ox.NamedNode) -> Iterator[ox.Quad]:
    # Blank nodes are renamed: those of two files are never one.
    with _says_which(path):
        for quad in ox.parse(unix_lines(path.read_bytes()), format=ox.RdfFormat.TURTLE, rename_blank_nodes=True):
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


def open_view(kb: KnowledgeBase, graphs: Sequence[str] | None) -> ox.Store:
    """The named graphs, with a default graph that says what the graphs of these names say, each statement once.

    Args:
        graphs: the names; None for all graphs.
    """
    if on_disk(kb):
        load(kb, [graphs])
        return _open(kb, _view_folder(kb, graphs))
    store = open_store(kb)
    _lay_down(store, graphs)
    return store


def _lay_down(store: ox.Store, graphs: Sequence[str] | None) -> None:
    names = [None] if graphs is None else map(ox.NamedNode, graphs)
    found = (quad for name in names for quad in store.quads_for_pattern(None, None, None, name))
    # In one go: each goes into files of its own.
    store.bulk_extend(ox.Quad(quad.subject, quad.predicate, quad.object) for quad in found)


def extended(kb: KnowledgeBase, store: ox.Store, quads: Iterable[ox.Quad], scratch: Path) -> ox.Store:
    """The store with more quads; of a store on disk, a copy in the folder `scratch`, made of links."""
    if on_disk(kb):
        store.backup(str(scratch / "store"))
        store = ox.Store(str(scratch / "store"))
    store.bulk_extend(quads)
    return store


def closure(kb: KnowledgeBase, policy: Policy, entry: RevisionEntry, regime: str) -> Iterator[ox.Quad]:
    """The closure of one revision, see `entailed`, as quads of the default graph."""
    kept = _kept_whole(_closure_file(kb, entry, regime))
    if kept is not None:
        return ox.parse(kept, format=ox.RdfFormat.N_TRIPLES)
    return to_quads(entailed(kb, policy, entry, regime))


def entailed(kb: KnowledgeBase, policy: Policy, entry: RevisionEntry, regime: str) -> Graph:
    """The closure of one revision with the ontologies, kept on disk between runs where that can be written.

    Args:
        regime: "owlrl" or "rdfs".
    """
    target = _closure_file(kb, entry, regime)
    kept = _kept_whole(target)
    if kept is not None:
        return graph_of(parse(kept, ox.RdfFormat.N_TRIPLES, str(target)))
    import owlrl

    graph = graph_of(policy.revision_graph(entry))
    semantics = owlrl.OWLRL_Semantics if regime == "owlrl" else owlrl.RDFS_Semantics
    owlrl.DeductiveClosure(semantics, axiomatic_triples=False, datatype_axioms=False).expand(graph)
    # Rules conclude things of literals too, which RDF cannot state.
    for triple in [triple for triple in graph if isinstance(triple[0], Literal)]:
        graph.remove(triple)
    with suppress(OSError):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = graph.serialize(format="nt").encode()
        write_whole({target: _digest_line(written) + written})
        _prune(kb)
    return graph


def _digest_line(written: bytes) -> bytes:
    """The first line of a file that is kept: a comment with the digest of the others."""
    return f"# sha256 {hashlib.sha256(written).hexdigest()}\n".encode()


def _kept_whole(path: Path) -> bytes | None:
    """What a file that is kept holds; None where there is none, or it is not what was written."""
    try:
        line, end, written = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return written if line + end == _digest_line(written) else None


# ---------------------------------------------------------------------- what is kept on disk


def policies(kb: KnowledgeBase) -> dict[str, Policy]:
    """The policies by identifier; where the graphs are many, with histories, and a prefix table, kept with them."""
    found = {policy.identifier: policy for policy in kb.policies()}
    if on_disk(kb):
        load(kb)
        with _says_what_to_remove(_state_folder(kb), ValueError, KeyError, TypeError):
            kept = json.loads((_graphs_folder(kb) / "catalog.json").read_text(encoding="utf-8"))
            kb.prefixes = kept["prefixes"]
            for identifier, entries in kept["histories"].items():
                found[identifier].history = [_entry(**each) for each in entries]
    return found


def _catalog(kb: KnowledgeBase) -> str:
    histories = {policy.identifier: [asdict(entry) for entry in policy.history] for policy in kb.policies()}
    return json.dumps({"prefixes": kb.prefixes, "histories": histories}, default=str)


def _entry(month: str, row: dict[str, Any] | None, **same: Any) -> RevisionEntry:
    if row and row["approval"]:
        row["approval"] = date.fromisoformat(row["approval"])
    return RevisionEntry(month=date.fromisoformat(month), row=LogRow(**row) if row else None, **same)


def loaded(kb: KnowledgeBase, views: Iterable[Sequence[str] | None] = ()) -> bool:
    """Whether the graphs, and views of them, are there to be opened without a long wait."""
    folders = [_graphs_folder(kb), *(_view_folder(kb, graphs) for graphs in views)]
    return not on_disk(kb) or all(folder.is_dir() for folder in folders)


def load(kb: KnowledgeBase, views: Iterable[Sequence[str] | None] = ()) -> None:
    """Loads the graphs into a store on disk, and lays down a default graph for each view, unless they are there.

    Raises:
        KbError: they cannot be written.
    """
    _keep(_graphs_folder(kb), partial(_make_graphs, kb))
    for graphs in views:
        _keep(_view_folder(kb, graphs), partial(_make_view, kb, graphs))
    with suppress(OSError):
        # Says that this state of the files is in use.
        os.utime(_state_folder(kb))


def _make_graphs(kb: KnowledgeBase, folder: Path) -> None:
    (folder / "catalog.json").write_text(_catalog(kb), encoding="utf-8")
    store = ox.Store(str(folder / "store"))
    # In one go, which is faster by far than file by file.
    store.bulk_extend(quad for path, name in graph_names(kb).items() for quad in _quads(path, ox.NamedNode(name)))
    store.bulk_extend(filled_in(store))
    store.flush()
    # Else each copy, see `extended`, would tidy up for itself, and share no file with this one.
    store.optimize()
    _prune(kb)


def _make_view(kb: KnowledgeBase, graphs: Sequence[str] | None, folder: Path) -> None:
    store = extended(kb, open_store(kb), (), folder)
    _lay_down(store, graphs)
    store.flush()


def _keep(target: Path, make: Callable[[Path], None]) -> None:
    """Makes a folder aside and moves it into place, so that a run beside this one never sees half of it."""
    if target.is_dir():
        return
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=target.parent))
        try:
            make(aside)
            # Fails where another run was faster; then that one's is used.
            with suppress(OSError):
                aside.rename(target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        if not target.is_dir():
            raise OSError("cannot be moved into place")
    except OSError as error:
        raise KbError(
            f"the graphs cannot be kept: {error.strerror or error}",
            where=str(target),
            hint="set XDG_CACHE_HOME to a folder with room",
        ) from error


def reading(kb: KnowledgeBase) -> AbstractContextManager[None]:
    """While a store is read: where it is kept on disk and turns out to be damaged, the error says what to remove."""
    return _says_what_to_remove(_state_folder(kb)) if on_disk(kb) else nullcontext()


@contextmanager
def _says_what_to_remove(folder: Path, *more: type[Exception]) -> Iterator[None]:
    """Says of what is kept and cannot be read that it can go: it is made again."""
    try:
        yield
    except Exception as error:
        if isinstance(error, RecursionError) or not isinstance(error, (OSError, RuntimeError, *more)):
            raise
        said = " ".join(str(error).split())[:200]
        raise KbError(
            f"the graphs kept here are damaged: {said}", where=str(folder), hint="remove the folder: it is made again"
        ) from error


def _open(kb: KnowledgeBase, folder: Path) -> ox.Store:
    with _says_what_to_remove(_state_folder(kb)):
        store = ox.Store.read_only(str(folder / "store"))
    # Each time that it is opened it leaves a log behind.
    for path in folder.glob("store/LOG.old.*"):
        path.unlink(missing_ok=True)
    return store


def _prune(kb: KnowledgeBase) -> None:
    """Removes what was made of earlier states of these files, and what a run that was ended left half made."""
    state = _state_folder(kb)
    earlier = state.parent.glob(f"{state.name.partition('-')[0]}-*")
    for path in [*(each for each in earlier if each != state), *state.rglob(f"*{ASIDE}*")]:
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > UNUSED:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def on_disk(kb: KnowledgeBase) -> bool:
    """Whether the graphs are so many that they are kept in a store on disk."""
    return _state(kb)[0] >= KEPT_FROM


def _graphs_folder(kb: KnowledgeBase) -> Path:
    return _state_folder(kb) / "graphs"


def _view_folder(kb: KnowledgeBase, graphs: Sequence[str] | None) -> Path:
    named = "union" if graphs is None else hashlib.sha256("\n".join(sorted(set(graphs))).encode()).hexdigest()[:24]
    return _state_folder(kb) / "views" / named


def _closure_file(kb: KnowledgeBase, entry: RevisionEntry, regime: str) -> Path:
    return _state_folder(kb) / f"{regime}-{'-'.join(entry.iri.split('/')[-2:])}.nt"


def _state_folder(kb: KnowledgeBase) -> Path:
    root = hashlib.sha256(str(kb.root.resolve()).encode()).hexdigest()[:8]
    return cache_folder() / f"{root}-{_state(kb)[1]}"


@lru_cache(maxsize=2)
def _state(kb: KnowledgeBase) -> tuple[int, str]:
    """The size of the files in bytes, and a digest that changes when one of them does."""
    size = 0
    digest = hashlib.sha256(f"{LAYOUT} {ox.__version__}\n".encode())
    for path, name in graph_names(kb).items():
        stat = path.stat()
        size += stat.st_size
        # The time of the last change to the file's entry, where there is one, cannot be set back as the other can.
        digest.update(f"{path}\0{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n".encode())
    return size, digest.hexdigest()[:24]


def cache_folder() -> Path:
    """Where what can be made again is kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "kb-tools"
    except RuntimeError as error:
        raise KbError("no home folder to keep things in", hint="set XDG_CACHE_HOME") from error
