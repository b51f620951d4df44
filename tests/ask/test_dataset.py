"""The knowledge base as named graphs: which graph says what, what the default graph holds, and what is kept on disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest
from history import REVISIONS
from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import OWL, RDF, RDFS, SKOS

from kb_tools.ask import dataset
from kb_tools.cache import UNUSED, cache_folder
from kb_tools.errors import KbError, KnowledgeBaseError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.canonical import canonical
from kb_tools.rdf.namespaces import BASE, CLIN, POL
from kb_tools.rdf.terms import Triple, to_quads

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the knowledge base without its example cases, to be changed."""
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / "kb" / folder, ignore=shutil.ignore_patterns("cases"))
    return tmp_path / "kb"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kb-tools"


@pytest.fixture
def on_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, in which a knowledge base of any size is kept."""
    monkeypatch.setattr(dataset, "KEPT_FROM", 0)
    return cache


def statements(store: ox.Store, name: str | None) -> bytes:
    """What a named graph of the store says, or the default graph, as canonical N-Quads without the graph's name."""
    node = ox.DefaultGraph() if name is None else ox.NamedNode(name)
    found = store.quads_for_pattern(None, None, None, node)
    return canonical(ox.Quad(quad.subject, quad.predicate, quad.object) for quad in found)


def stored(triples: Iterable[Triple]) -> bytes:
    """The same of these triples: in a store, since that writes 90.0 as 90."""
    store = ox.Store()
    store.extend(to_quads(triples))
    return statements(store, None)


def labels(store: ox.Store, iri: str, name: str) -> set[str]:
    """The names that a named graph gives to something."""
    found = store.quads_for_pattern(ox.NamedNode(iri), ox.NamedNode(str(RDFS.label)), None, ox.NamedNode(name))
    return {quad.object.value for quad in found if isinstance(quad.object, ox.Literal)}


def kept(cache: Path) -> list[str]:
    """What is kept of each state of the files, stores as one."""
    return sorted(
        str(path.relative_to(cache).relative_to(path.relative_to(cache).parts[0]))
        for path in cache.rglob("*")
        if path.suffix in (".nt", ".json") or path.name == "store"
    )


# ---------------------------------------------------------------------- the named graphs


def test_each_file_stands_in_the_graph_that_its_place_names(kb: Repository) -> None:
    names = {str(path.relative_to(ROOT)): name.removeprefix(BASE) for path, name in dataset.graph_names(kb).items()}
    expected = {
        "ontology/case.ttl": "case",
        "ontology/clinical/mrd.ttl": "clinical/mrd",
        "ontology/prefixes.ttl": "prefixes",
        "shapes/case.ttl": "shapes/case",
        "shapes/findings/gvhd.ttl": "shapes/findings/gvhd",
        "shapes/conditions/gvhd.ttl": "shapes/conditions/gvhd",
        "policies/CP.MP.101/policy.ttl": "CP.MP.101",
        "policies/CP.MP.101/revision-log.ttl": "CP.MP.101",
        "policies/CP.MP.101/2026-02/revision.ttl": "CP.MP.101/2026-02",
        "policies/CP.MP.101/2026-02/evidence.ttl": "CP.MP.101/2026-02",
        "policies/CP.MP.101/cases/manifest.ttl": "CP.MP.101/cases/manifest",
    }
    assert {path: names[path] for path in expected} == expected
    cases = {f"policies/{policy}/cases/manifest.ttl" for policy in ("CG-TRANS-03", "CP.MP.101")}
    assert {path for path in names if "/cases/" in path} == cases
    every = {
        str(path.relative_to(ROOT))
        for folder in ("ontology", "shapes", "policies")
        for path in (ROOT / folder).rglob("*.ttl")
    }
    assert set(names) == {path for path in every if "/cases/" not in path} | cases


def test_a_graph_says_what_its_files_say(kb: Repository, policy: Policy) -> None:
    store = dataset.open_store(kb)
    by_name: dict[str, list[Path]] = {}
    for path, name in dataset.graph_names(kb).items():
        by_name.setdefault(name, []).append(path)
    for name, paths in by_name.items():
        assert statements(store, name) == stored(kb.graph(paths)), name
    filled = {dataset.filled_in_name(entry) for entry in policy.history}
    names = {str(graph.value) for graph in store.named_graphs() if isinstance(graph, ox.NamedNode)}
    assert names - filled == set(by_name)
    assert statements(store, None) == b""


@pytest.mark.parametrize("name", REVISIONS)
def test_what_a_revision_shares_with_another_is_what_the_knowledge_base_fills_in(
    kb: Repository, policy: Policy, name: str
) -> None:
    entry = policy.entry(name)
    own = policy.own_graph(entry)
    expected = stored(triple for triple in policy.stated_graph(entry) if triple not in own)
    assert statements(dataset.open_store(kb), dataset.filled_in_name(entry)) == expected
    assert bool(expected) == (name in {"2019-10", "2023-10", "2023-11", "2024-04", "2025-02"})


def test_every_revision_is_looked_at(policy: Policy) -> None:
    assert [entry.name for entry in policy.history] == REVISIONS


def test_blank_nodes_of_two_files_are_never_one(copy: Path) -> None:
    folder = copy / "policies/CP.MP.101/2026-02"
    for name in ("a", "b"):
        (folder / f"{name}.ttl").write_text(f"_:same <{BASE}says> '{name}' .", encoding="utf-8")
    store = dataset.open_store(Repository(copy))
    found = store.quads_for_pattern(None, ox.NamedNode(BASE + "says"), None, ox.NamedNode(f"{BASE}CP.MP.101/2026-02"))
    assert len({quad.subject for quad in found}) == 2


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_file_that_is_no_turtle_is_named_with_the_line(
    copy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    if size == "large":
        monkeypatch.setattr(dataset, "KEPT_FROM", 0)
    path = copy / "ontology/clinical/gvhd.ttl"
    path.write_text(path.read_text(encoding="utf-8") + "\nclin:X a ;\n", encoding="utf-8")
    line = path.read_text(encoding="utf-8").count("\n")
    with pytest.raises(KnowledgeBaseError, match=r"not valid Turtle: .*; correct the syntax") as error:
        dataset.open_store(Repository(copy))
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert kept(cache) == []


# ---------------------------------------------------------------------- the default graph


@pytest.mark.parametrize("name", ["2019-10", "2024-04", "2026-02"])
def test_the_default_graph_holds_what_is_shared_and_the_revision_with_what_it_shares(
    kb: Repository, policy: Policy, name: str
) -> None:
    entry = policy.entry(name)
    graphs = dataset.default_graph(kb, [(policy, entry)])
    expected = policy.stated_graph(entry) + policy.shared + kb.graph(kb.files("ontology", "shapes"))
    assert statements(dataset.open_view(kb, graphs), None) == stored(expected)
    assert f"{BASE}CP.MP.101/cases/manifest" not in graphs
    assert [graph for graph in graphs if graph.startswith(f"{BASE}CP.MP.101/")] == [entry.iri, entry.iri + "/filled-in"]


def test_without_a_revision_only_what_is_shared_is_in_the_default_graph(kb: Repository) -> None:
    graphs = {graph.removeprefix(BASE) for graph in dataset.default_graph(kb, [])}
    assert graphs >= {"policy", "shapes/case"}
    assert not [graph for graph in graphs if graph.startswith(("CP.MP.101", "CG-TRANS-03"))]


def test_of_the_policies_only_that_of_the_revision_is_in_the_default_graph(kb: Repository, policy: Policy) -> None:
    graphs = {graph.removeprefix(BASE) for graph in dataset.default_graph(kb, [(policy, policy.entry("2026-02"))])}
    assert graphs >= {"policy", "CP.MP.101", "CP.MP.101/2026-02", "shapes/case"}
    assert not [graph for graph in graphs if graph.startswith("CG-TRANS-03")]


def test_the_union_makes_a_statement_of_several_graphs_once(kb: Repository) -> None:
    store = dataset.open_view(kb, None)
    label = (ox.NamedNode(f"{BASE}CP.MP.101/criterion/acute-gvhd"), ox.NamedNode(f"{SKOS}notation"))
    in_graphs = list(store.quads_for_pattern(*label, None, None))
    in_default = list(store.quads_for_pattern(*label, None, ox.DefaultGraph()))
    assert len(in_graphs) > 3
    assert len(in_default) == len({quad.object for quad in in_graphs}) == 1
    triples = {(quad.subject, quad.predicate, quad.object) for quad in store}
    assert len(list(store.quads_for_pattern(None, None, None, ox.DefaultGraph()))) == len(triples)


# ---------------------------------------------------------------------- what is kept on disk


def test_a_store_on_disk_says_what_one_in_memory_says(
    copy: Path, on_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb = Repository(copy)
    policy = kb.policy()
    graphs = dataset.default_graph(kb, [(policy, policy.entry("2024-04"))])
    for view in (graphs, None):
        there = dataset.open_view(kb, view)
        with monkeypatch.context() as patched:
            patched.setattr(dataset, "KEPT_FROM", 10**12)
            here = dataset.open_view(kb, view)
        assert canonical(there) == canonical(here)
    with pytest.raises(RuntimeError, match="only possible on read-write instances"):
        there.add(ox.Quad(ox.NamedNode(BASE), ox.NamedNode(BASE), ox.NamedNode(BASE)))


def test_a_store_on_disk_is_loaded_once(copy: Path, on_disk: Path) -> None:
    assert not dataset.loaded(Repository(copy))
    dataset.open_view(Repository(copy), None)
    kb = Repository(copy)
    assert dataset.loaded(kb, [None])
    assert not dataset.loaded(kb, [[]])
    views = "views/union/store"
    assert kept(on_disk) == ["graphs/catalog.json", "graphs/store", views]
    before = {path: path.stat().st_mtime_ns for path in on_disk.rglob("*.sst")}
    store = dataset.open_view(kb, None)
    assert len(store) > 1000
    assert {path: path.stat().st_mtime_ns for path in on_disk.rglob("*.sst")} == before
    assert not list(on_disk.rglob("LOG.old.*"))


def test_histories_and_prefixes_are_kept_with_the_store(copy: Path, on_disk: Path) -> None:
    plain, kb = Repository(copy), Repository(copy)
    policy = dataset.policies(kb)["CP.MP.101"]
    assert policy.history == plain.policy().history
    assert [entry.bases for entry in policy.history] == [entry.bases for entry in plain.policy().history]
    assert kb.prefixes == plain.prefixes
    assert set(kb._files) >= set(plain._files), "the first run reads the files"
    again = Repository(copy)
    policy = dataset.policies(again)["CP.MP.101"]
    assert policy.entry("2026-02").label and again.prefixes
    assert list(again._files) == [], "the second does not"


def test_a_policy_that_cannot_be_read_is_left_out_of_what_is_kept_and_said_each_time(copy: Path, on_disk: Path) -> None:
    broken = copy / "policies/BRO.1"
    (broken / "2024-01").mkdir(parents=True)
    for path in (broken / "policy.ttl", broken / "2024-01/revision.ttl"):
        path.write_text("this is no Turtle", encoding="utf-8")
    for _ in range(2):
        kb = Repository(copy)
        assert list(dataset.policies(kb)) == ["CG-TRANS-03", "CP.MP.101"]
        assert [str(error) for error in kb.skipped.values()] == [
            f"{broken}/policy.ttl:1: not valid Turtle: Parser error at line 1 between columns 1 and 5: this is not a "
            "valid subject or graph name; correct the syntax"
        ]
        assert len(dataset.open_view(kb, None)) > 1000


def test_a_change_of_a_file_is_seen(copy: Path, on_disk: Path) -> None:
    asked = f"{BASE}CP.MP.101/criterion/acute-gvhd"
    path = copy / "policies/CP.MP.101/2026-02/criteria.ttl"
    old = path.read_text(encoding="utf-8")
    times = path.stat()
    dataset.open_view(Repository(copy), None)
    # As long as before, and as old by its own account.
    assert "acute GvHD of grade 2 or higher" in old
    path.write_text(old.replace("acute GvHD of grade 2 or higher", "acute GvHD of grade 3 or higher"), encoding="utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    store = dataset.open_store(Repository(copy))
    assert labels(store, asked, f"{BASE}CP.MP.101/2026-02") == {"acute GvHD of grade 3 or higher"}
    assert len(list(on_disk.iterdir())) == 2


def test_what_was_kept_of_earlier_files_is_removed_when_it_is_not_used_any_more(copy: Path, on_disk: Path) -> None:
    other = on_disk / "00000000-another-knowledge-base"
    other.mkdir(parents=True)
    states: list[Path] = []
    for text in ("one", "two", "three"):
        (copy / "ontology/more.ttl").write_text(f"<{BASE}more> <{BASE}says> '{text}' .", encoding="utf-8")
        dataset.open_store(Repository(copy))
        (state,) = set(on_disk.iterdir()) - {other, *states}
        states.append(state)
        if text == "one":
            (state / "aside-of-a-run-that-was-ended").mkdir()
            for path in (state, other):
                os.utime(path, (0, time.time() - UNUSED - 60))
    assert not states[0].exists()
    assert [state.exists() for state in (*states[1:], other)] == [True, True, True]


def test_half_a_store_is_never_seen(copy: Path, on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(store: ox.Store) -> None:
        raise RuntimeError("ended")

    with monkeypatch.context() as patched:
        patched.setattr(dataset, "filled_in", break_off)
        with pytest.raises(RuntimeError, match="ended"):
            dataset.open_store(Repository(copy))
    assert not dataset.loaded(Repository(copy))
    assert kept(on_disk) == []
    assert len(dataset.open_store(Repository(copy))) > 1000


def test_where_nothing_can_be_kept_a_store_on_disk_is_an_error(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(dataset, "KEPT_FROM", 0)
    with pytest.raises(
        KbError, match="the graphs cannot be kept: Not a directory; set XDG_CACHE_HOME to a folder with"
    ):
        dataset.open_store(Repository(copy))


def test_more_is_added_to_a_copy_and_not_to_what_is_kept(copy: Path, on_disk: Path, tmp_path: Path) -> None:
    kb = Repository(copy)
    node = ox.NamedNode(BASE + "more")
    more = dataset.extended(kb, dataset.open_view(kb, []), [ox.Quad(node, node, node)], tmp_path)
    assert len(list(more.quads_for_pattern(node, None, None))) == 1
    assert len(list(more.quads_for_pattern(None, None, None, None))) > 1000
    assert not list(dataset.open_view(kb, []).quads_for_pattern(node, None, None))


LOADING = """
import hashlib, sys
from pathlib import Path
import pyoxigraph as ox
from kb_tools.cache import UNUSED, cache_folder
from kb_tools.ask import dataset
from kb_tools.model.repository import Repository
dataset.KEPT_FROM = 0
kb = Repository(Path(sys.argv[1]))
policy = dataset.policies(kb)["CP.MP.101"]
entry = policy.entry("2026-02")
store = dataset.open_view(kb, dataset.default_graph(kb, [(policy, entry)]))
closed = sorted(str(quad) for quad in dataset.closure(kb, policy, entry, "rdfs") if "_:" not in str(quad))
named = sorted(str(quad) for quad in store if "_:" not in str(quad))
print(len(named), len(closed), hashlib.sha256("".join([*named, *closed]).encode()).hexdigest())
"""


def test_runs_beside_each_other_fill_an_empty_cache_and_find_the_same(copy: Path, cache: Path) -> None:
    runs = [
        subprocess.Popen([sys.executable, "-c", LOADING, str(copy)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    found = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], found
    assert len({out for out, _ in found}) == 1
    (state,) = cache.iterdir()
    assert kept(cache) == [
        "graphs/catalog.json",
        "graphs/store",
        "rdfs-CP.MP.101-2026-02.nt",
        f"views/{next((state / 'views').iterdir()).name}/store",
    ]
    assert not list(cache.rglob("aside-*"))


# ---------------------------------------------------------------------- closures


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Graph]]:
    """The closures of one revision, computed once, and then read from where they are kept."""
    kb = Repository(ROOT)
    policy = kb.policy()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield {regime: dataset.entailed(kb, policy, policy.entry("2026-02"), regime) for regime in ("rdfs", "owlrl")}


def test_a_closure_says_all_that_the_revision_says_and_what_follows(closed: dict[str, Graph], policy: Policy) -> None:
    stated = policy.revision_graph(policy.entry("2026-02"))
    follows = {
        "rdfs": (URIRef(f"{BASE}CP.MP.101/criterion/acute-gvhd"), RDF.type, POL.Criterion),
        "owlrl": (CLIN.AcuteGvHDAssessment, RDFS.subClassOf, OWL.Thing),
    }
    for regime, found in closed.items():
        assert {triple for triple in stated if not has_blank(triple)} <= set(found), regime
        assert follows[regime] in found, regime
        assert follows[regime] not in stated, regime
    assert follows["owlrl"] not in closed["rdfs"]
    for found in closed.values():
        assert not [subject for subject in found.subjects() if isinstance(subject, Literal)]


def has_blank(triple: Triple) -> bool:
    return any(isinstance(term, BNode) for term in triple)


def test_a_closure_that_is_kept_is_the_one_that_was_computed(
    closed: dict[str, Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kb_tools.rdf.closing", None)
    kb = Repository(ROOT)
    policy = kb.policy()
    for regime, computed in closed.items():
        assert stored(dataset.entailed(kb, policy, policy.entry("2026-02"), regime)) == stored(computed)
        assert len(list(dataset.closure(kb, policy, policy.entry("2026-02"), regime))) == len(computed)
    with pytest.raises(ImportError):
        dataset.entailed(kb, policy, policy.entry("2019-10"), "rdfs")


def test_where_nothing_can_be_kept_a_closure_is_computed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kb: Repository, policy: Policy, closed: dict[str, Graph]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    quads = list(dataset.closure(kb, policy, policy.entry("2026-02"), "rdfs"))
    assert len(quads) == len(closed["rdfs"])


def test_a_closure_reads_one_revision(closed: dict[str, Graph]) -> None:
    criterion = URIRef(f"{BASE}CP.MP.101/criterion/acute-gvhd")
    assert (criterion, RDF.type, None) in closed["owlrl"]
    assert not list(closed["owlrl"].objects(URIRef(f"{BASE}CP.MP.101/criterion/no-earlier-benefit"), SKOS.definition))


def test_without_a_home_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(KbError, match="no home folder to keep things in; set XDG_CACHE_HOME"):
        cache_folder()


def test_the_catalog_is_plain_json(copy: Path, on_disk: Path) -> None:
    dataset.open_store(Repository(copy))
    (path,) = on_disk.rglob("catalog.json")
    catalog = json.loads(path.read_text(encoding="utf-8"))
    assert sorted(catalog) == ["clashing", "histories", "prefixes", "skipped"]
    assert catalog["clashing"] == catalog["skipped"] == {}
    assert [entry["name"] for entry in catalog["histories"]["CP.MP.101"]] == REVISIONS
