"""kb export to files: complete, the same bytes for the same content, and readable again."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb_tools.ask.dataset import default_graph, graph_names
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.publish import graphs as publish_graphs
from kb_tools.rdf import canonical as rdf_canonical

ROOT = Path(__file__).parents[2]
RunKb = Callable[..., CompletedProcess[str]]
TYPE = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
POL = "https://w3id.org/policykb/policy#"
INDICATION = ox.NamedNode("https://w3id.org/policykb/CP.MP.101/criterion/indication")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def everything(kb: Repository) -> list[ox.Quad]:
    return list(publish_graphs.statements(kb))


def parsed(data: bytes, format_: str) -> ox.Dataset:
    dataset = ox.Dataset(ox.parse(data, format=rdf_canonical.FORMATS[format_]))
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return dataset


def names(quads: list[ox.Quad]) -> set[str]:
    found = set()
    for quad in quads:
        assert isinstance(quad.graph_name, ox.NamedNode)
        found.add(quad.graph_name.value)
    return found


# ---------------------------------------------------------------------- what is written


def test_everything_is_every_named_graph_of_the_knowledge_base(kb: Repository, everything: list[ox.Quad]) -> None:
    files = set(graph_names(kb).values())
    filled_in = {f"https://w3id.org/policykb/CP.MP.101/{name}/filled-in" for name in
                 ("2019-10", "2023-10", "2023-11", "2024-04", "2025-02")}  # fmt: skip
    assert names(everything) == files | filled_in


def test_every_statement_of_every_file_is_written(kb: Repository, everything: list[ox.Quad]) -> None:
    in_files: dict[str, int] = {}
    for path, name in graph_names(kb).items():
        in_files[name] = in_files.get(name, 0) + len(set(kb.triples(path)))
    written = dict.fromkeys(in_files, 0)
    for quad in everything:
        assert isinstance(quad.graph_name, ox.NamedNode)
        if quad.graph_name.value in written:
            written[quad.graph_name.value] += 1
    assert written == in_files


def test_one_revision_is_what_is_shared_and_its_own_graphs(kb: Repository, policy: Policy) -> None:
    entry = policy.entry("2024-04")
    found = names(list(publish_graphs.statements(kb, (policy, entry))))
    assert found == set(default_graph(kb, [(policy, entry)]))
    assert {entry.iri, f"{entry.iri}/filled-in"} <= found
    assert not any("2026-02" in name or "manifest" in name for name in found)


def test_no_two_graphs_share_a_blank_node(everything: list[ox.Quad]) -> None:
    where: dict[ox.BlankNode, set[object]] = {}
    for quad in everything:
        for term in (quad.subject, quad.object):
            if isinstance(term, ox.BlankNode):
                where.setdefault(term, set()).add(quad.graph_name)
    assert len(where) > 500
    assert all(len(graphs) == 1 for graphs in where.values())


# ---------------------------------------------------------------------- read again


@pytest.mark.parametrize("format_", ["trig", "nquads", "jsonld"])
def test_what_is_written_is_read_again_as_the_same_graphs(
    kb: Repository, everything: list[ox.Quad], format_: str
) -> None:
    written = rdf_canonical.serialize(everything, format_, kb.prefixes)
    assert parsed(written, format_) == parsed(rdf_canonical.serialize(everything, "nquads", {}), "nquads")


def test_turtle_is_read_again_as_all_graphs_in_one(kb: Repository, everything: list[ox.Quad]) -> None:
    written = rdf_canonical.serialize(everything, "turtle", kb.prefixes)
    expected = ox.Dataset(rdf_canonical.merged(everything))
    expected.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    assert parsed(written, "turtle") == expected


def test_nquads_are_the_canonical_form_whose_digest_others_compute(everything: list[ox.Quad]) -> None:
    written = rdf_canonical.serialize(everything, "nquads", {})
    again = ox.Dataset(ox.parse(written, format=ox.RdfFormat.N_QUADS))
    again.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    lines = sorted(f"{quad} .\n" for quad in again)
    assert hashlib.sha256(written).hexdigest() == hashlib.sha256("".join(lines).encode()).hexdigest()


# ---------------------------------------------------------------------- the same bytes


def rewritten(path: Path, seed: int) -> None:
    """Puts the statements of a file into another order, and gives its blank nodes other names."""
    chance = random.Random(seed)
    fresh: dict[str, str] = {}
    lines = []
    for triple in ox.parse(path=str(path), format=ox.RdfFormat.TURTLE):
        terms = [
            fresh.setdefault(term.value, f"_:b{chance.randrange(10**12)}")
            if isinstance(term, ox.BlankNode)
            else str(term)
            for term in (triple.subject, triple.predicate, triple.object)
        ]
        lines.append(" ".join(terms) + " .\n")
    chance.shuffle(lines)
    path.write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy with every file's statements in another order and its blank nodes under other names."""
    root = tmp_path_factory.mktemp("shuffled")
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder)
    copy = Repository(root)
    for seed, path in enumerate(graph_names(copy)):
        rewritten(path, seed)
    return copy


@pytest.mark.parametrize("format_", rdf_canonical.FORMATS)
def test_the_order_of_statements_and_the_names_of_blank_nodes_do_not_show(
    kb: Repository, shuffled: Repository, everything: list[ox.Quad], format_: str
) -> None:
    other = rdf_canonical.serialize(publish_graphs.statements(shuffled), format_, shuffled.prefixes)
    assert other == rdf_canonical.serialize(everything, format_, kb.prefixes)


def test_the_closure_is_the_same_whatever_the_order_and_whether_kept_from_before(
    kb: Repository, policy: Policy, shuffled: Repository
) -> None:
    def closure(of: Repository) -> bytes:
        chosen = of.policy(policy.identifier)
        quads = publish_graphs.entailed_statements(of, chosen, chosen.entry("2026-02"), "rdfs")
        return rdf_canonical.serialize(quads, "nquads", of.prefixes)

    first, kept, other = closure(kb), closure(kb), closure(shuffled)
    assert first == kept
    assert first == other


def test_a_second_run_of_the_command_writes_the_same_bytes(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("kb")), "export", "--kb", str(ROOT), "--output"]
    written = []
    for seed in ("1", "2"):
        file = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed, "XDG_CACHE_HOME": str(tmp_path / f"cache-{seed}")}
        subprocess.run([*command, file], check=True, env=environment)
        written.append(file.read_bytes())
    assert written[0] == written[1]


def test_a_change_in_one_graph_leaves_the_digests_of_the_others_as_they_were(everything: list[ox.Quad]) -> None:
    before = {graph.name: graph.digest for graph in publish_graphs.graphs(everything)}
    name = ox.NamedNode("https://w3id.org/policykb/CP.MP.101/2026-02")
    more = ox.Quad(ox.BlankNode(), TYPE, ox.NamedNode("https://example.org/Thing"), name)
    changed = sorted([*everything, more], key=lambda quad: str(quad.graph_name))
    after = {graph.name: graph.digest for graph in publish_graphs.graphs(changed)}
    assert [graph_name for graph_name in before if before[graph_name] != after[graph_name]] == [name.value]
    assert before.keys() == after.keys() == {quad.graph_name.value for quad in everything}  # type: ignore[union-attr]


iris = st.sampled_from([ox.NamedNode(f"https://example.org/{name}") for name in ("a", "b", "c.", "d%20/é", "#e")])
blanks = st.sampled_from([ox.BlankNode(name) for name in ("x", "y", "z")])
texts = st.text(max_size=5) | st.sampled_from(["\n@prefix : <x> .\n", "\r", '"""', "\\", "\x0b\x0c\x85\u2028", "\x07"])
literals = (
    st.builds(ox.Literal, texts)
    | st.builds(ox.Literal, texts, language=st.sampled_from(["en", "de-at"]))
    | st.builds(ox.Literal, texts, datatype=st.sampled_from([ox.NamedNode("http://www.w3.org/2001/XMLSchema#date")]))
)
datasets = st.lists(st.builds(ox.Quad, iris | blanks, iris, iris | blanks | literals, iris), max_size=12)


@given(datasets, st.sampled_from(list(rdf_canonical.FORMATS)), st.randoms(use_true_random=False))
def test_any_statements_are_written_alike_in_any_order_and_read_again(
    quads: list[ox.Quad], format_: str, chance: random.Random
) -> None:
    prefixes = {"ex": "https://example.org/", "": "https://example.org/d"}
    written = rdf_canonical.serialize(quads, format_, prefixes)
    fresh: dict[ox.BlankNode, ox.BlankNode] = {}
    other = [
        ox.Quad(
            publish_graphs._own(quad.subject, fresh),
            quad.predicate,
            publish_graphs._own(quad.object, fresh),
            quad.graph_name,
        )
        for quad in chance.sample(quads, len(quads))
    ]
    assert rdf_canonical.serialize(other, format_, prefixes) == written
    expected = ox.Dataset(rdf_canonical.merged(quads) if format_ == "turtle" else quads)
    expected.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    assert parsed(written, format_) == expected


# ---------------------------------------------------------------------- the closure


def test_the_closure_says_what_follows_and_stands_in_a_graph_of_its_own(kb: Repository, policy: Policy) -> None:
    quads = set(publish_graphs.entailed_statements(kb, policy, policy.entry("2026-02"), "owlrl"))
    assert names(list(quads)) == {"https://w3id.org/policykb/CP.MP.101/2026-02/entailed/owlrl"}
    types = {quad.object for quad in quads if (quad.subject, quad.predicate) == (INDICATION, TYPE)}
    assert {ox.NamedNode(POL + "Indication"), ox.NamedNode(POL + "Criterion")} <= types
    assert parsed(rdf_canonical.serialize(quads, "trig", kb.prefixes), "trig") == parsed(
        rdf_canonical.serialize(quads, "nquads", {}), "nquads"
    )


# ---------------------------------------------------------------------- the command


def test_the_command_writes_to_stdout_or_to_a_file(run_kb: RunKb, tmp_path: Path) -> None:
    shown = run_kb("export", "--revision", "2019-10")
    to_file = run_kb("export", "--revision", "CP.MP.101/2019-10", "--output", "kb.trig")
    assert (shown.returncode, to_file.returncode, to_file.stdout, to_file.stderr) == (0, 0, "", "")
    assert (tmp_path / "kb.trig").read_text(encoding="utf-8") == shown.stdout
    assert shown.stdout.startswith("@prefix adv: <https://w3id.org/policykb/CP.MP.101/advisory/> .\n@prefix bibo:")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--entail", "owlrl"), "Error: --entail needs --revision: revisions contradict each other in one closure."),
        (("--policy", "CP.MP.101"), "Error: --policy says whose --revision is meant."),
        (("--again",), "Error: --user-from-env and --again go with --to."),
        (("--user-from-env",), "Error: --user-from-env and --again go with --to."),
        (
            ("--to", "http://localhost/", "--format", "trig"),
            "Error: --to sends N-Triples, and writes no file: leave out --format and --output.",
        ),
        (
            ("--to", "http://localhost/", "--output", "kb.nt"),
            "Error: --to sends N-Triples, and writes no file: leave out --format and --output.",
        ),
        (("--output", "no/such/folder.trig"), "kb: no/such/folder.trig: No such file or directory; name another file"),
        (
            ("--revision", "2025-03"),
            "kb: CP.MP.101 has no revision 2025-03; known: 2015-11, 2019-10, 2022-10, 2023-02, 2023-08, 2023-10, "
            "2023-11, 2024-04, 2025-02, 2026-02; nearest: 2025-02",
        ),
    ],
)
def test_what_cannot_be_exported_is_reported_in_a_line(run_kb: RunKb, arguments: tuple[str, ...], line: str) -> None:
    found = run_kb("export", *arguments)
    assert (found.returncode, found.stdout, found.stderr.splitlines()[-1]) == (2, "", line)
