"""Seals: how a seal is written and read, and that nothing sealed changes without being named."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import one_policy
import pyoxigraph as ox
import pytest
from history import REVISIONS
from several_policies import knowledge_base

from kb_tools.checks import CHECKS, Check, Problem, Scope, Severity
from kb_tools.checks.seal import sealed
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.rdf.canonical import canonical
from kb_tools.rdf.terms import to_quads
from kb_tools.revisions.reach import LAYERS, reached
from kb_tools.revisions.seal import MANIFEST, STATEMENTS, digests, freeze, read_seal

ROOT = Path(__file__).parents[2]
POLICY = "policies/CP.MP.101"
GVHD = "shapes/conditions/gvhd.ttl"
CRITERIA = f"{POLICY}/2026-02/criteria.ttl"
# Those whose criteria are those of 2026-02, and that one.
SHARING = ["2023-10", "2023-11", "2024-04", "2025-02", "2026-02"]
WITH_CRITERIA = ["2019-10", *SHARING]

RunKb = Callable[..., CompletedProcess[str]]


def copy_parts(source: Path, target: Path) -> Path:
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(source / folder, target / folder, ignore=shutil.ignore_patterns("cases", "seal.*"))
    return target


@pytest.fixture(scope="session")
def frozen_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The knowledge base of CP.MP.101 alone, every revision frozen. To be copied and not to be changed."""
    root = copy_parts(one_policy.root(), tmp_path_factory.mktemp("frozen"))
    kb = Repository(root)
    for entry in kb.policy().history:
        assert freeze(kb, kb.policy(), entry).status == "frozen"
    return root


@pytest.fixture
def root(frozen_once: Path, tmp_path: Path) -> Path:
    """A frozen knowledge base of one's own."""
    return Path(shutil.copytree(frozen_once, tmp_path / "kb"))


def only(frozen: Path, target: Path, revision: str) -> Path:
    """A copy that holds one revision, which takes less time."""
    shutil.copytree(frozen, target)
    for folder in target.glob("policies/*/*/revision.ttl"):
        if folder.parent.name != revision:
            shutil.rmtree(folder.parent)
    return target


@pytest.fixture
def latest(frozen_once: Path, tmp_path: Path) -> Path:
    """A frozen knowledge base of one's own with revision 2026-02 alone."""
    return only(frozen_once, tmp_path / "kb", "2026-02")


@pytest.fixture
def small(frozen_once: Path, tmp_path: Path) -> Path:
    """A frozen knowledge base of one's own with revision 2015-11 alone, of which little is on file."""
    return only(frozen_once, tmp_path / "kb", "2015-11")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A knowledge base of one's own, with both policies and without any seal."""
    return copy_parts(ROOT, tmp_path / "kb")


def edit(file: Path, old: str, new: str) -> None:
    """Puts one part of a file, which stands in it exactly once, another way."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def problems(root: Path) -> list[Problem]:
    return list(sealed(Repository(root)))


def found(root: Path) -> dict[str, str]:
    """The problems by where they are, each place having one."""
    everything = problems(root)
    by_place = {problem.where.removeprefix(f"{POLICY}/"): problem.message for problem in everything}
    assert len(by_place) == len(everything)
    assert not any("\n" in message for message in by_place.values())
    return by_place


def seal_files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.glob("policies/*/*/seal.*"))}


def manifest(root: Path, revision: str = "2015-11") -> Path:
    return root / POLICY / revision / "seal.json"


# ---------------------------------------------------------------------- digests


def test_canonical_n_quads_are_those_of_the_recommendation() -> None:
    """The example "unique hashes" of RDF Dataset Canonicalization, its hashes computed here as that says."""
    ns = "http://example.com/#"
    p, q, r, s, t, u = (ox.NamedNode(ns + letter) for letter in "pqrstu")
    first, second = ox.BlankNode("z"), ox.BlankNode("a")
    quads = [ox.Quad(p, q, first), ox.Quad(p, r, second), ox.Quad(first, s, u), ox.Quad(second, t, u)]

    def first_degree(link: str, leaf: str) -> str:
        lines = sorted([f"<{ns}p> <{ns}{link}> _:a .\n", f"_:a <{ns}{leaf}> <{ns}u> .\n"])
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    in_order = first_degree("q", "s") < first_degree("r", "t")
    one, two = ("c14n0", "c14n1") if in_order else ("c14n1", "c14n0")
    assert canonical(quads).decode().splitlines() == sorted(
        [
            f"<{ns}p> <{ns}q> _:{one} .",
            f"<{ns}p> <{ns}r> _:{two} .",
            f"_:{one} <{ns}s> <{ns}u> .",
            f"_:{two} <{ns}t> <{ns}u> .",
        ]
    )


def test_the_triples_of_every_file_have_the_digest_of_what_pyoxigraph_parsed(kb: Repository) -> None:
    files = [path for path in kb.files("ontology", "shapes", "policies") if "cases" not in path.parts]
    assert len(files) > 30
    for path in files:
        parsed = ox.parse(path=str(path), format=ox.RdfFormat.TURTLE)
        assert canonical(to_quads(kb.triples(path))) == canonical(parsed), path


def test_the_lexical_form_of_a_literal_counts(root: Path) -> None:
    edit(root / POLICY / "2026-02/definitions.ttl", "pol:lessThan 90 ;", "pol:lessThan 090 ;")
    # 2019-10 borrows the definition, by its value.
    assert list(found(root)) == ["2026-02"]
    assert "def:mixed-chimerism changed: - pol:lessThan 90 + pol:lessThan 090;" in found(root)["2026-02"]


def rewritten(path: Path) -> None:
    """Writes a file anew without prefixes and in another order, with other names for its blank nodes."""
    names: dict[str, str] = {}

    def other(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> str:
        if isinstance(term, ox.BlankNode):
            return "_:" + names.setdefault(term.value, f"{path.parent.name}{path.stem}{len(names)}".replace("-", ""))
        return str(term)

    quads = list(ox.parse(path=str(path), format=ox.RdfFormat.TURTLE))
    random.Random(7).shuffle(quads)
    lines = [f"{other(quad.subject)} {quad.predicate} {other(quad.object)} ." for quad in quads]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_order_prefixes_and_blank_node_names_do_not_break_a_seal(root: Path) -> None:
    before = seal_files(root)
    kb = Repository(root)
    for path in kb.files("ontology", "shapes", "policies"):
        if path.name not in ("prefixes.ttl", "policy.ttl"):
            rewritten(path)
    assert problems(root) == []
    kb = Repository(root)
    for path in root.glob("policies/*/*/seal.*"):
        path.unlink()
    for entry in kb.policy().history:
        freeze(kb, kb.policy(), entry)
    assert seal_files(root) == before


# ---------------------------------------------------------------------- freezing


def test_what_was_sealed_is_read_back_as_it_is_stated(root: Path) -> None:
    kb = Repository(root)
    policy = kb.policy()
    assert problems(root) == []
    for entry in policy.history:
        seal, statements = read_seal(policy.revision_folders[entry.name], entry.iri)
        now = reached(kb, policy, entry)
        assert seal.layers == digests(now) == digests(statements)
        assert seal.statements == sum(len(set(now[name])) for name in LAYERS)


def test_the_digest_can_be_verified_without_kb(frozen_once: Path) -> None:
    content = json.loads(manifest(frozen_once, "2019-10").read_text(encoding="utf-8"))
    lines = manifest(frozen_once, "2019-10").with_name("seal.nq").read_bytes()
    assert content["digest"] == hashlib.sha256(lines).hexdigest()
    for name, layer in content["layers"].items():
        graph = ox.NamedNode(f"{content['revision']}/seal/{name}")
        dataset = ox.Dataset(
            ox.Quad(quad.subject, quad.predicate, quad.object)
            for quad in ox.parse(lines, format=ox.RdfFormat.N_QUADS)
            if quad.graph_name == graph
        )
        dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
        text = "".join(sorted(f"{quad} .\n" for quad in dataset))
        assert layer == {"digest": hashlib.sha256(text.encode()).hexdigest(), "statements": len(dataset)}


def test_layers_that_two_revisions_share_have_one_digest(frozen_once: Path) -> None:
    one, two = (
        json.loads(manifest(frozen_once, name).read_text(encoding="utf-8"))["layers"] for name in ("2024-04", "2025-02")
    )
    assert [name for name in LAYERS if one[name] != two[name]] == ["revision"]


def test_freezing_twice_writes_the_same_bytes_and_says_so(bare: Path, run_kb: RunKb) -> None:
    first = run_kb("freeze", "2026-02", "--kb", str(bare))
    written = seal_files(bare)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("CP.MP.101/2026-02  frozen: ")
    assert list(written) == [f"{POLICY}/2026-02/seal.json", f"{POLICY}/2026-02/seal.nq"]
    second = run_kb("freeze", "CP.MP.101/2026-02", "--kb", str(bare))
    assert (second.returncode, second.stdout.split(":")[0]) == (0, "CP.MP.101/2026-02  unchanged")
    assert seal_files(bare) == written
    for path in manifest(bare, "2026-02").parent.glob("seal.*"):
        path.unlink()
    run_kb("freeze", "2026-02", "--kb", str(bare))
    assert seal_files(bare) == written


def test_all_revisions_on_file_are_frozen_at_once(bare: Path, run_kb: RunKb) -> None:
    done = run_kb("freeze", "--all", "--format", "json", "--kb", str(bare))
    content = json.loads(done.stdout)
    assert (done.returncode, done.stderr, content["errors"]) == (0, "", [])
    assert [(entry["policy"], entry["revision"], entry["status"]) for entry in content["revisions"]] == [
        ("CG-TRANS-03", "2024-10", "frozen"),
        *(("CP.MP.101", name, "frozen") for name in REVISIONS),
    ]
    assert content["revisions"][-1]["seal"] == json.loads(manifest(bare, "2026-02").read_text(encoding="utf-8"))
    assert problems(bare) == []


def test_a_seal_that_differs_is_replaced_only_when_asked(latest: Path, run_kb: RunKb) -> None:
    before = seal_files(latest)
    edit(latest / CRITERIA, 'rdfs:label "the plan is not a Medicare plan"@en', 'rdfs:label "no Medicare plan"@en')
    refused = run_kb("freeze", "2026-02", "--kb", str(latest))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"kb: {latest}/{POLICY}/2026-02: CP.MP.101 revision 2026-02 differs from its seal in revision; a released "
        "revision never changes; undo what changed (kb check --only seal names it) or, once it is reviewed, add "
        "--again\n"
    )
    assert seal_files(latest) == before
    again = run_kb("freeze", "2026-02", "--again", "--kb", str(latest))
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("CP.MP.101/2026-02  frozen again: ")
    assert again.stdout.endswith(", changed in revision\n")
    changed = [name for name, content in seal_files(latest).items() if content != before[name]]
    assert changed == [f"{POLICY}/2026-02/seal.json", f"{POLICY}/2026-02/seal.nq"]


def test_of_all_revisions_those_that_do_not_differ_are_done_all_the_same(root: Path, run_kb: RunKb) -> None:
    edit(root / POLICY / "2019-10/criteria.ttl", '"mixed to full donor chimerism"@en', '"full donor chimerism"@en')
    manifest(root, "2023-02").unlink()
    manifest(root, "2023-08").unlink()
    manifest(root, "2023-08").with_name("seal.nq").unlink()
    done = run_kb("freeze", "--all", "--format", "json", "--kb", str(root))
    content = json.loads(done.stdout)
    assert done.returncode == 2
    assert [entry["revision"] for entry in content["revisions"]] == [
        revision for revision in REVISIONS if revision not in ("2019-10", "2023-02")
    ]
    assert {entry["status"] for entry in content["revisions"] if entry["revision"] != "2023-08"} == {"unchanged"}
    assert [error.split("; ")[0].partition("CP.MP.101 revision ")[2] for error in content["errors"]] == [
        "2019-10 differs from its seal in revision",
        "2023-02 has a seal that cannot be relied on (seal.json: No such file or directory)",
    ]
    assert done.stderr == "".join(f"kb: {error}\n" for error in content["errors"])


def test_a_seal_that_cannot_be_read_is_replaced_only_when_asked(small: Path, run_kb: RunKb) -> None:
    before = seal_files(small)
    manifest(small).write_text("{", encoding="utf-8")
    refused = run_kb("freeze", "2015-11", "--kb", str(small))
    assert refused.returncode == 2
    assert "has a seal that cannot be relied on (seal.json: cut short, or not JSON: " in refused.stderr
    again = run_kb("freeze", "2015-11", "--again", "--kb", str(small))
    assert (again.returncode, again.stdout.split(":")[0]) == (0, "CP.MP.101/2015-11  frozen again")
    assert seal_files(small) == before


def test_an_unknown_revision_is_refused_with_those_known(frozen_once: Path, run_kb: RunKb) -> None:
    refused = run_kb("freeze", "2024-13", "--kb", str(frozen_once))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"kb: CP.MP.101 has no revision 2024-13; known: {', '.join(REVISIONS)}; nearest: 2024-04\n"


@pytest.mark.parametrize("arguments", [[], ["2026-02", "--all"]])
def test_a_revision_or_all_of_them_must_be_named(arguments: list[str], small: Path, run_kb: RunKb) -> None:
    refused = run_kb("freeze", *arguments, "--kb", str(small))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Name a revision, or use --all." in refused.stderr


def test_a_seal_that_cannot_be_written_is_an_error_and_leaves_the_old_one(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    folder = bare / "policies/CP.MP.101/2026-02"
    (folder / MANIFEST).write_bytes(b"old")
    (folder / STATEMENTS).write_bytes(b"old too")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    kb = Repository(bare)
    with pytest.raises(KbError, match="2026-02: the seal cannot be written: No space left on device; check"):
        freeze(kb, kb.policy(), kb.policy().entry("2026-02"), again=True)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


# ---------------------------------------------------------------------- the check: what changed


def test_a_frozen_knowledge_base_passes(root: Path) -> None:
    assert list(sealed(Repository(root))) == []


UNDO = "; undo it, or state it as a new revision or condition; once reviewed, kb freeze CP.MP.101/2026-02 --again"


def test_a_changed_threshold_is_named_for_exactly_the_revisions_that_read_it(root: Path) -> None:
    edit(root / GVHD, "sh:minInclusive 2 ]", "sh:minInclusive 3 ]")
    problems = found(root)
    assert list(problems) == SHARING
    assert problems["2026-02"] == (
        "differs from its seal in conditions: cond:AcuteGvHDGrade2OrHigher-finding changed: "
        "- sh:qualifiedValueShape/sh:property/sh:minInclusive 2 + sh:qualifiedValueShape/sh:property/sh:minInclusive 3"
        + UNDO
    )


def test_a_changed_condition_of_an_advisory_is_named_for_the_revision_that_gives_it(root: Path) -> None:
    edit(root / GVHD, "clin:MildChronicGvHD clin:ModerateChronicGvHD clin:", "clin:ModerateChronicGvHD clin:")
    problems = found(root)
    assert list(problems) == ["2026-02"]
    path = "sh:qualifiedValueShape/sh:property/sh:in"
    assert problems["2026-02"] == (
        "differs from its seal in conditions: cond:ChronicGvHDPresent-finding changed: "
        f"- {path} ( clin:MildChronicGvHD clin:ModerateChronicGvHD clin:SevereChronicGvHD ) "
        f"+ {path} ( clin:ModerateChronicGvHD clin:SevereChronicGvHD )" + UNDO
    )


def test_a_changed_label_of_a_criterion_is_named_for_all_that_share_it(root: Path) -> None:
    edit(root / CRITERIA, 'rdfs:label "acute GvHD of grade 2 or higher"@en', 'rdfs:label "acute GvHD"@en')
    problems = found(root)
    assert list(problems) == SHARING
    assert problems["2026-02"] == (
        "differs from its seal in revision: crit:acute-gvhd changed: "
        '- rdfs:label "acute GvHD of grade 2 or higher"@en + rdfs:label "acute GvHD"@en' + UNDO
    )


def test_a_condition_taken_out_of_a_criterion_is_named_as_the_list_it_stood_in(latest: Path) -> None:
    edit(latest / CRITERIA, "            cond:lowering-relapse-risk-is-a-purpose\n", "")
    disease, rest = (
        "cond:disease-relapsed-refractory-or-progressing",
        "cond:mrd-is-detected cond:relapse-risk-is-raised",
    )
    assert found(latest)["2026-02"] == (
        "differs from its seal in revision: crit:indication changed: "
        f"- pol:allOf/pol:anyOf ( {disease} cond:lowering-relapse-risk-is-a-purpose {rest} ) "
        f"+ pol:allOf/pol:anyOf ( {disease} {rest} )" + UNDO
    )


def test_of_a_long_text_the_part_that_differs_is_shown(latest: Path) -> None:
    text = "The carve-out is read as covering the whole policy, so that a Medicare plan is referred to"
    edit(latest / CRITERIA, f"{text} MC.CP.MP.101", f"{text} another policy")
    start, end = "…plan is referred to", ' whatever the criteria say."@en'
    assert found(latest)["2026-02"] == (
        "differs from its seal in revision: crit:plan changed: "
        f"- skos:scopeNote {start} MC.CP.MP.101{end} + skos:scopeNote {start} another policy{end}" + UNDO
    )


def test_of_many_changes_ten_of_each_kind_are_named_and_the_rest_counted(small: Path) -> None:
    file = small / POLICY / "2015-11/revision.ttl"
    text = file.read_text(encoding="utf-8")

    def with_labels(count: int, letter: str) -> None:
        labels = " , ".join(f'"{letter}{number:02}"' for number in range(count))
        file.write_text(f"{text}\n<urn:x> skos:altLabel {labels} .\n", encoding="utf-8")

    with_labels(13, "a")
    kb = Repository(small)
    freeze(kb, kb.policy(), kb.policy().entry("2015-11"), again=True)
    with_labels(12, "b")
    problems = found(small)["2015-11"]
    named = [f'{sign} skos:altLabel "{letter}{number:02}"' for sign, letter in ("-a", "+b") for number in range(10)]
    assert f": <urn:x> changed: {' '.join(named)}; and 3 more removed; and 2 more added; undo it" in problems


def test_a_changed_rule_of_what_counts_is_named_where_it_differs(root: Path) -> None:
    edit(root / "shapes/derivation.ttl", "?how skos:broader* ?with .", "?how skos:broader ?with .")
    problems = found(root)
    assert list(problems) == WITH_CRITERIA
    assert "in case shapes and derivation: shape:CountableFindings changed: - sh:construct …" in problems["2019-10"]
    assert "?how skos:broader* ?with" in problems["2019-10"]
    assert "?how skos:broader ?with" in problems["2019-10"]


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        (
            "ontology/clinical/diseases.ttl",
            "skos:broader clin:AcuteMyeloidLeukemia ;",
            "skos:broader clin:MyeloidLeukemia , clin:AcuteLeukemia ;",
            "clin:AcutePromyelocyticLeukemia changed: - skos:broaderTransitive clin:AcuteMyeloidLeukemia",
        ),
        (
            "ontology/clinical/mrd.ttl",
            "    case:countsSince clin:Transplant ;\n",
            "",
            "clin:MRDTest changed: - case:countsSince clin:Transplant",
        ),
    ],
    ids=["a disease moved to another group", "tests that count since no transplant"],
)
def test_a_changed_fact_of_the_vocabulary_is_named(file: str, old: str, new: str, named: str, latest: Path) -> None:
    edit(latest / file, old, new)
    assert found(latest) == {"2026-02": f"differs from its seal in vocabulary facts: {named}{UNDO}"}


def test_the_name_of_a_term_and_the_message_of_a_case_shape_can_be_corrected(latest: Path) -> None:
    edit(latest / "ontology/clinical/mrd.ttl", 'rdfs:label "MRD test"@en', 'rdfs:label "test for MRD"@en')
    edit(latest / "shapes/case.ttl", "State at most one lymphocyte donor,", "State one lymphocyte donor or none,")
    assert problems(latest) == []


def test_a_new_term_of_the_vocabulary_breaks_no_seal(latest: Path) -> None:
    appended(
        latest / "ontology/clinical/diseases.ttl",
        'clin:NewLeukemia a clin:Disease ; skos:prefLabel "new leukemia"@en ; skos:definition "Invented."@en ; '
        "skos:broader clin:Leukemia .\n",
    )
    assert problems(latest) == []
    kb = Repository(latest)
    assert freeze(kb, kb.policy(), kb.policy().entry("2026-02")).status == "unchanged"


def test_a_new_term_that_brings_a_known_one_under_another_breaks_the_seal(latest: Path) -> None:
    appended(
        latest / "ontology/clinical/diseases.ttl",
        "clin:Melanoma skos:broader clin:NewDisease .\nclin:NewDisease a clin:Disease ; skos:broader clin:Lymphoma .\n",
    )
    named = (
        "clin:Melanoma changed: + skos:broaderTransitive clin:HematologicMalignancy "
        "+ skos:broaderTransitive clin:Lymphoma"
    )
    assert found(latest) == {"2026-02": f"differs from its seal in vocabulary facts: {named}{UNDO}"}


def appended(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_parts_that_change_places_between_nodes_without_a_name_are_seen(small: Path) -> None:
    """The statements stay the same one by one: which of them go together has changed."""
    file = small / POLICY / "2015-11/revision.ttl"
    appended(file, "<urn:x> rdfs:seeAlso [ rdfs:label 1 ; rdfs:comment 1 ] , [ rdfs:label 2 ; rdfs:comment 2 ] .\n")
    kb = Repository(small)
    freeze(kb, kb.policy(), kb.policy().entry("2015-11"), again=True)
    edit(file, "rdfs:label 1 ; rdfs:comment 1", "rdfs:label 1 ; rdfs:comment 2")
    edit(file, "rdfs:label 2 ; rdfs:comment 2", "rdfs:label 2 ; rdfs:comment 1")
    assert found(small)["2015-11"].startswith(
        "differs from its seal in revision: <urn:x> changed: the same statements, spread otherwise over its unnamed "
        "nodes; undo it"
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "[] rdfs:label [ rdfs:label 1 , [] ] .",
            "an unnamed node changed: + rdfs:label/rdfs:label 1 + rdfs:label/rdfs:label []",
        ),
        (
            "<urn:x> rdfs:seeAlso ( 1 () [ rdfs:label true ] ) .",
            "<urn:x> changed: + rdfs:seeAlso ( 1 rdf:nil […] ) + rdfs:seeAlso/rdfs:label true",
        ),
        (
            "<urn:x> rdfs:seeAlso [ rdf:first 1 , 2 ; rdf:rest () ] .",
            "<urn:x> changed: + rdfs:seeAlso/rdf:first 1 + rdfs:seeAlso/rdf:first 2 + rdfs:seeAlso/rdf:rest ( )",
        ),
        (
            "<urn:x> rdfs:seeAlso _:a . _:a rdfs:seeAlso _:b . _:b rdfs:seeAlso _:a .",
            "<urn:x> changed: + rdfs:seeAlso/rdfs:seeAlso/rdfs:seeAlso […]",
        ),
        (
            '<urn:x> rdfs:label 1 , "1"^^xsd:decimal , 1.0 , "x"^^xsd:integer , "1" .',
            '<urn:x> changed: + rdfs:label "1" + rdfs:label "1"^^xsd:decimal + rdfs:label "x"^^xsd:integer '
            "+ rdfs:label 1 + rdfs:label 1.0",
        ),
        ("_:a rdf:rest _:b . _:b rdf:rest _:a .", "unnamed nodes that no named one leads to"),
        (
            '<urn:x> rdfs:label "a\\nb\\u001b"@en , "2026"^^xsd:gYear .',
            '<urn:x> changed: + rdfs:label "2026"^^xsd:gYear + rdfs:label "a\\nb\\u001b"@en',
        ),
    ],
    ids=["nothing points to it", "list", "no list", "circle", "numbers", "circle that nothing points to", "text"],
)
def test_whatever_is_added_is_named_in_one_line(text: str, named: str, small: Path) -> None:
    prefixes = "PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>\n"
    appended(small / POLICY / "2015-11/revision.ttl", f"{prefixes}{text}\n")
    assert f"differs from its seal in revision: {named}; undo it" in found(small)["2015-11"]


def test_what_no_revision_reaches_is_not_covered(latest: Path) -> None:
    appended(latest / GVHD, 'cond:Other a sh:NodeShape ; sh:message "other"@en .\n')
    assert problems(latest) == []


# ---------------------------------------------------------------------- the check: seals that cannot be relied on


def test_a_missing_seal_is_a_problem(small: Path) -> None:
    for path in manifest(small).parent.glob("seal.*"):
        path.unlink()
    assert found(small) == {"2015-11": "the revision has no seal; restore it, or kb freeze CP.MP.101/2015-11"}


RESTORE = "; restore seal.json and seal.nq from version control"


@pytest.mark.parametrize("file", ["seal.json", "seal.nq"])
def test_half_a_seal_is_a_problem(file: str, small: Path) -> None:
    manifest(small).with_name(file).unlink()
    assert found(small) == {f"2015-11/{file}": "No such file or directory" + RESTORE}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xfa", b"[" * 100_000])
def test_a_manifest_that_is_cut_short_or_no_json_is_a_problem(content: bytes, small: Path) -> None:
    manifest(small).write_bytes(content)
    problems = found(small)
    assert list(problems) == ["2015-11/seal.json"]
    assert problems["2015-11/seal.json"].startswith("cut short, or not JSON: ")


def test_a_manifest_cut_anywhere_is_a_problem(small: Path) -> None:
    kb = Repository(small)
    entry = kb.policy().entry("2015-11")
    content = manifest(small).read_bytes().rstrip()
    for length in range(len(content)):
        manifest(small).write_bytes(content[:length])
        with pytest.raises(KbError):
            read_seal(manifest(small).parent, entry.iri)


def changed(small: Path, **values: object) -> None:
    """Changes some values of the manifest of 2015-11."""
    content = json.loads(manifest(small).read_text(encoding="utf-8"))
    manifest(small).write_text(json.dumps(content | values), encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"algorithm": "MD5"}, 'unknown algorithm "MD5"; this version of kb knows RDFC-1.0 with SHA-256'),
        ({"algorithm": None}, "unknown algorithm null; this version of kb knows RDFC-1.0 with SHA-256"),
        (
            {"revision": ["x"]},
            'it is the seal of ["x"], in the folder of <https://w3id.org/policykb/CP.MP.101/2015-11>',
        ),
        ({"digest": 7}, "it gives no digest of seal.nq"),
        ({"layers": []}, f"the layers sealed are not {', '.join(LAYERS)}"),
        ({"layers": {"revision": {}}}, f"the layers sealed are not {', '.join(LAYERS)}"),
        ({"layers": {name: {} for name in LAYERS}}, "the layer revision lacks its digest or its number of statements"),
        (
            {"layers": {name: {"digest": "x", "statements": 1} for name in LAYERS}},
            "the layer revision lacks its digest or its number of statements",
        ),
    ],
)
def test_a_manifest_that_says_something_else_is_a_problem(values: dict[str, object], says: str, small: Path) -> None:
    changed(small, **values)
    assert found(small) == {"2015-11/seal.json": says + RESTORE}


def test_a_manifest_that_is_no_object_is_a_problem(small: Path) -> None:
    manifest(small).write_text("[]", encoding="utf-8")
    assert found(small) == {"2015-11/seal.json": "no seal: not a JSON object" + RESTORE}


def test_the_seal_of_another_revision_is_a_problem(frozen_once: Path, small: Path) -> None:
    for file in ("seal.json", "seal.nq"):
        shutil.copy(manifest(frozen_once, "2022-10").with_name(file), manifest(small).with_name(file))
    assert found(small) == {
        "2015-11/seal.json": 'it is the seal of "https://w3id.org/policykb/CP.MP.101/2022-10", '
        "in the folder of <https://w3id.org/policykb/CP.MP.101/2015-11>" + RESTORE
    }
    # Renamed, it is still not the seal of this one.
    changed(small, revision="https://w3id.org/policykb/CP.MP.101/2015-11")
    problems = found(small)
    assert list(problems) == ["2015-11/seal.nq"]
    assert "CP.MP.101/2022-10/seal/" in problems["2015-11/seal.nq"]
    assert "is no layer of this revision" in problems["2015-11/seal.nq"]


@pytest.mark.parametrize("value", ["digest", "statements"])
def test_a_manifest_edited_by_hand_is_a_problem(value: str, small: Path) -> None:
    layers = json.loads(manifest(small).read_text(encoding="utf-8"))["layers"]
    layers["conditions"][value] = layers["revision"][value]
    changed(small, layers=layers)
    assert found(small) == {
        "2015-11/seal.json": "it gives for conditions not the digests of what seal.nq holds: it was edited by hand"
        + RESTORE
    }


EDITED = "it is not what seal.json gives the digest of: one of the two was edited by hand or cut short" + RESTORE


def test_statements_edited_by_hand_are_a_problem(small: Path) -> None:
    path = manifest(small).with_name("seal.nq")
    original = path.read_bytes()
    for content in (original.replace(b'"2015-11"', b'"2015-12"'), original[:-1000], original + b"\n", b"", b"x"):
        path.write_bytes(content)
        assert content != original
        assert found(small) == {"2015-11/seal.nq": EDITED}


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        (b'"2015-11"', b'"2015-12"', "seal.json", "it gives for revision not the digests of what seal.nq holds"),
        (b"> .\n", b"> .\nx", "seal.nq", "not the statements of a seal: "),
        (b"> .\n", b"> .\n<a:a> <a:b> <<( <a:a> <a:b> 1 )>> .\n", "seal.nq", "not the statements of a seal: "),
        (b"> .\n", b"> .\n<a:a> <a:b> <a:c> .\n", "seal.nq", "not the statements of a seal: "),
    ],
    ids=["another value", "no N-Quads", "no RDF 1.1", "a statement outside the layers"],
)
def test_statements_and_their_digest_edited_together_are_a_problem(
    old: bytes, new: bytes, place: str, says: str, small: Path
) -> None:
    path = manifest(small).with_name("seal.nq")
    content = path.read_bytes().replace(old, new, 1)
    path.write_bytes(content)
    changed(small, digest=hashlib.sha256(content).hexdigest())
    problems = found(small)
    assert list(problems) == [f"2015-11/{place}"]
    assert problems[f"2015-11/{place}"].startswith(says)


def test_a_change_hidden_by_a_digest_edited_by_hand_is_a_problem(small: Path) -> None:
    edit(small / POLICY / "2015-11/revision.ttl", '"2015-11"^^xsd:gYearMonth', '"2015-10"^^xsd:gYearMonth')
    kb = Repository(small)
    layers = json.loads(manifest(small).read_text(encoding="utf-8"))["layers"]
    now = digests(reached(kb, kb.policy(), kb.policy().entry("2015-11")))["revision"]
    layers["revision"] = {"digest": now.digest, "statements": now.statements}
    changed(small, layers=layers)
    assert list(found(small)) == ["2015-11/seal.json"]


def test_a_sealed_folder_whose_revision_is_gone_is_a_problem(root: Path) -> None:
    (root / POLICY / "2015-11/revision.ttl").unlink()
    assert found(root) == {"2015-11": "has a seal and no revision.ttl; restore it from version control"}


def test_a_revision_that_cannot_be_read_is_a_problem_and_the_others_are_checked(root: Path) -> None:
    edit(root / GVHD, "sh:minInclusive 2 ]", "sh:minInclusive 3 ]")
    edit(
        root / POLICY / "2024-04/revision.ttl",
        "pol:criteriaAsIn <https://w3id.org/policykb/CP.MP.101/2026-02>",
        "pol:criteriaAsIn <https://w3id.org/policykb/CP.MP.101/2026-03>",
    )
    problems = found(root)
    assert list(problems) == SHARING
    assert problems["2024-04"].startswith(
        "CP.MP.101 has no revision https://w3id.org/policykb/CP.MP.101/2026-03; known: "
    )


def test_kb_check_fails_on_a_broken_seal(small: Path, run_kb: RunKb, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check("seal", "No released revision has changed since it was sealed", Severity.ERROR, sealed, Scope.POLICY)
    monkeypatch.setattr("kb_tools.checks.CHECKS", (*(check for check in CHECKS if check.id != "seal"), check))
    assert run_kb("check", "--only", "seal", "--kb", str(small)).returncode == 0
    manifest(small).write_text("{}", encoding="utf-8")
    failed = run_kb("check", "--only", "seal", "--kb", str(small), "--format", "json")
    assert failed.returncode == 1
    (result,) = json.loads(failed.stdout)
    assert (result["check"], result["status"]) == ("seal", "failed")
    assert [problem["where"] for problem in result["problems"]] == [f"{POLICY}/2015-11/seal.json"]


def test_a_revision_whose_criteria_cannot_be_read_is_not_frozen(tmp_path: Path) -> None:
    root = knowledge_base(tmp_path, "EX.5")
    criteria = root / "policies/EX.5/2024-01/criteria.ttl"
    text = criteria.read_text(encoding="utf-8")
    criteria.write_text(text.replace("pol:anyOf (", "pol:atLeast 4 ; pol:of (", 1), encoding="utf-8")
    policy = Repository(root).policy("EX.5")
    with pytest.raises(KbError, match=r"asks by pol:atLeast for 4 of 2 parts"):
        freeze(policy.kb, policy, policy.entry("2024-01"))
    assert not (criteria.parent / "seal.json").exists()
