"""The example cases come to what their manifest says, with every engine; a manifest that says otherwise is told so."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF
from strategies import ROOT, VOCABULARY

from kb_tools.determine.coverage import coverage, possible_doubts
from kb_tools.determine.examples import ExampleResult, read_manifest, run_manifest
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import BASE, CASE, CLIN, COND, POL, SH, SHAPE
from kb_tools.rdf.shacl import ENGINES

CASES = "policies/CP.MP.101/cases"
MANIFEST = URIRef(BASE + "CP.MP.101/cases/manifest")


@cache
def verdicts_of(engine: str) -> list[ExampleResult]:
    return list(run_manifest(VOCABULARY, VOCABULARY.policy(), engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_example_case_comes_to_what_is_expected(engine: str) -> None:
    verdicts = verdicts_of(engine)
    assert [(verdict.expectation.name, verdict.differences) for verdict in verdicts if verdict.differences] == []
    assert Counter(verdict.expectation.revision for verdict in verdicts) == {"2026-02": 228, "2019-10": 74}
    assert len({verdict.expectation.name for verdict in verdicts}) == 302
    assert all(verdict.determination for verdict in verdicts)


def test_the_engines_give_the_same_determinations() -> None:
    def determinations(engine: str) -> dict[str, tuple[object, ...]]:
        return {
            verdict.expectation.name: (
                verdict.determination.outcome,
                verdict.determination.to_send,
                verdict.determination.needs,
                {iri: result.value for iri, result in verdict.determination.condition_results.items()},
                [
                    (result.criterion.iri, result.value, result.decides)
                    for result in verdict.determination.criterion_results
                ],
                [advisory.iri for advisory in verdict.determination.advisories],
                verdict.determination.notices,
            )
            for verdict in verdicts_of(engine)
            if verdict.determination
        }

    assert len(determinations("pyshacl")) == 302
    assert determinations("pyshacl") == determinations("pyshifty")


def test_the_manifest_expects_something_of_every_example_case() -> None:
    expected = {expectation.path for expectation in read_manifest(VOCABULARY, ROOT / CASES)}
    assert expected == set((ROOT / CASES).glob("*.ttl")) - {ROOT / CASES / "manifest.ttl"}
    assert len(expected) == 234


def test_the_example_cases_leave_nothing_uncovered() -> None:
    lines, gaps = coverage(VOCABULARY, VOCABULARY.policy("CP.MP.101"), verdicts_of("pyshifty"))
    assert gaps == []
    conditions = {line.partition(":")[2].partition(":")[0] for line in lines if line.startswith("cond:")}
    assert conditions == {
        str(condition).removeprefix(COND) for condition in VOCABULARY.conditions.subjects(RDF.type, POL.Condition)
    } - {"lymphocytes-from-transplant-donor"}
    assert "cond:acute-gvhd-of-grade-2-or-higher: conflicting, fails, holds, unknown" in lines


def test_each_policy_covers_the_conditions_that_its_revisions_read() -> None:
    policy = VOCABULARY.policy("CG-TRANS-03")
    results = list(run_manifest(VOCABULARY, policy, "pyshifty"))
    assert [result.differences for result in results] == [()] * 25
    lines, gaps = coverage(VOCABULARY, policy, results)
    assert gaps == []
    assert [line for line in lines if line.startswith("cond:")] == [
        "cond:after-allogeneic-transplant: conflicting, fails, holds, unknown",
        "cond:lymphocytes-from-transplant-donor: fails, holds, unknown",
        "cond:lymphocytes-genetically-modified: fails, holds, unknown",
        "cond:reason-is-hematologic-malignancy: fails, holds, unknown",
        "cond:service-is-dli: conflicting, fails, holds, unknown",
    ]
    read = [result for result in results if result.expectation.values[COND + "service-is-dli"] is Value.HOLDS]
    assert "cond:service-is-dli is never fails" in coverage(VOCABULARY, policy, read)[1]


def test_progress_is_reported_after_each_verdict() -> None:
    counts: list[int] = []
    assert len(list(run_manifest(VOCABULARY, VOCABULARY.policy(), "pyshifty", counts.append))) == 302
    assert counts == list(range(1, 303))


# ---------------------------------------------------------------------- coverage that leaves gaps


def some_verdicts(*names: str) -> list[ExampleResult]:
    return [verdict for verdict in verdicts_of("pyshifty") if verdict.expectation.name in names]


def test_coverage_names_what_no_case_shows() -> None:
    lines, gaps = coverage(VOCABULARY, VOCABULARY.policy("CP.MP.101"), some_verdicts("acute-gvhd-of-grade-2-excludes"))
    assert "cond:acute-gvhd-of-grade-2-or-higher: holds" in lines
    assert "2026-02: II.B decides 1 cases of CriteriaNotMet" in lines
    about_gvhd = [gap for gap in gaps if gap.startswith("cond:acute-gvhd")]
    assert about_gvhd == [
        "cond:acute-gvhd-of-grade-2-or-higher is never conflicting",
        "cond:acute-gvhd-of-grade-2-or-higher is never fails",
        "cond:acute-gvhd-of-grade-2-or-higher is never unknown",
    ]
    assert [gap for gap in gaps if gap.startswith("2026-02")] == [
        "2026-02: Scope decides no case of PolicyNotApplicable",
        "2026-02: Medicare note decides no case of PolicyNotApplicable",
        "2026-02: I decides no case of CriteriaMet",
        "2026-02: I decides no case of CriteriaNotMet",
        "2026-02: I, note decides no case of CriteriaNotMet",
        "2026-02: II decides no case of CriteriaNotMet",
        "2026-02: II.A decides no case of CriteriaNotMet",
        "2026-02: no case comes to CriteriaMet",
        "2026-02: no case comes to PolicyNotApplicable",
        "2026-02: no case comes to InformationNeeded",
        "2026-02: no case comes to InformationConflicting",
    ]
    assert "cond:disease-is-relapsed is read by no case" in gaps


def test_a_key_that_every_finding_must_state_is_never_in_doubt() -> None:
    """Coverage asks for no doubt that cannot be."""
    doubts = {"mayBeBefore", "mayBeSupersededBy", "inDoubt", "sharesDoubtOf"}
    assert set(possible_doubts(VOCABULARY, CLIN.MRDTest)) == doubts
    path = ROOT / "shapes/findings/mrd.ttl"
    states = (SHAPE["MRDTest-method"], SH.minCount, Literal(1))
    required = VOCABULARY.instead(path, [*VOCABULARY.triples(path), states])
    assert set(possible_doubts(required, CLIN.MRDTest)) == doubts - {"mayBeSupersededBy"}
    # A status may be of a disease that only may be the reason, though it states the disease.
    assert "mayBeSupersededBy" in possible_doubts(VOCABULARY, CLIN.DiseaseStatusAssessment)


def test_coverage_names_a_value_that_a_condition_is_said_not_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    (verdict,) = some_verdicts("acute-gvhd-of-grade-2-excludes")
    assert verdict.determination is not None
    condition = verdict.determination.condition_results[COND + "acute-gvhd-of-grade-2-or-higher"].condition
    monkeypatch.setitem(condition.__dict__, "possible", frozenset({"Unknown"}))
    _, gaps = coverage(VOCABULARY, VOCABULARY.policy("CP.MP.101"), [verdict])
    assert "cond:acute-gvhd-of-grade-2-or-higher cannot be holds and is" in gaps


# ---------------------------------------------------------------------- manifests that are wrong

NAME = "conflicting-grades-beside-unstated-processing"
NODE = URIRef(f"{MANIFEST}#{NAME}")
GRADE = URIRef(COND + "acute-gvhd-of-grade-2-or-higher")
MODIFIED = URIRef(COND + "lymphocytes-genetically-modified")
MANIPULATED = URIRef(COND + "lymphocytes-manipulated-ex-vivo")
MEDICAID = URIRef(COND + "plan-is-medicaid")
ADVISORY = URIRef(BASE + "CP.MP.101/advisory/chronic-gvhd")

Change = Callable[[Graph], object]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the knowledge base with one example case."""
    for folder in ("ontology", "shapes"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copytree(ROOT / "policies", tmp_path / "policies", ignore=shutil.ignore_patterns("cases"))
    (tmp_path / CASES).mkdir()
    shutil.copy(ROOT / CASES / f"{NAME}.ttl", tmp_path / CASES)
    return tmp_path


def write_manifest(root: Path, change: Change) -> Repository:
    """Expects of the one case what the manifest of the checkout does, but for the change."""
    manifest = VOCABULARY.graph([ROOT / CASES / "manifest.ttl"])
    graph = Graph()
    graph.add((MANIFEST, RDF.type, CASE.Manifest))
    graph.add((MANIFEST, CASE.expects, NODE))
    for triple in manifest.triples((NODE, None, None)):
        graph.add(triple)
    assert len(graph) > 20
    change(graph)
    graph.serialize(root / CASES / "manifest.ttl", format="turtle")
    return Repository(root)


def verdict_after(root: Path, change: Change) -> ExampleResult:
    kb = write_manifest(root, change)
    (verdict,) = run_manifest(kb, kb.policy(), "pyshifty")
    assert verdict.expectation.name == NAME
    return verdict


def set_to(predicate: URIRef, value: URIRef | Literal) -> Change:
    return lambda graph: graph.set((NODE, predicate, value))


def remove(predicate: URIRef, value: URIRef) -> Change:
    def change(graph: Graph) -> None:
        assert (NODE, predicate, value) in graph
        graph.remove((NODE, predicate, value))

    return change


def add(predicate: URIRef, value: URIRef | Literal) -> Change:
    return lambda graph: graph.add((NODE, predicate, value))


def move(value: URIRef, source: URIRef, target: URIRef) -> Change:
    def change(graph: Graph) -> None:
        remove(source, value)(graph)
        graph.add((NODE, target, value))

    return change


def test_the_copied_case_comes_out_as_expected_when_nothing_is_changed(copied: Path) -> None:
    verdict = verdict_after(copied, lambda graph: None)
    assert verdict.differences == ()
    assert verdict.determination is not None


DIFFERENCES: dict[str, tuple[Change, str]] = {
    "an outcome": (
        set_to(CASE.outcome, POL.CriteriaMet),
        "outcome: expected CriteriaMet, came to InformationConflicting",
    ),
    "a value": (
        move(GRADE, CASE.conflicting, CASE.holding),
        "cond:acute-gvhd-of-grade-2-or-higher: expected holds, came to conflicting",
    ),
    "a value that is left out": (
        remove(CASE.unknown, MODIFIED),
        "cond:lymphocytes-genetically-modified: expected no value, came to unknown",
    ),
    "a condition that the revision does not read": (
        add(CASE.failing, URIRef(COND + "disease-is-relapsed")),
        "cond:disease-is-relapsed: expected fails, came to no value",
    ),
    "a condition that does not exist": (
        add(CASE.failing, URIRef(COND + "disease-is-relapsing")),
        "cond:disease-is-relapsing: expected fails, came to no value",
    ),
    "a request that is left out": (
        remove(CASE.toSend, GRADE),
        "to send (case:toSend): cond:acute-gvhd-of-grade-2-or-higher not expected",
    ),
    "a request too many": (
        add(CASE.toSend, MEDICAID),
        "to send (case:toSend): cond:plan-is-medicaid expected and missing",
    ),
    "an advisory too many": (
        add(CASE.advisory, ADVISORY),
        "advisories (case:advisory): adv:chronic-gvhd expected and missing",
    ),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_what_differs_from_the_manifest_is_reported(copied: Path, what: str) -> None:
    change, expected = DIFFERENCES[what]
    verdict = verdict_after(copied, change)
    assert verdict.differences == (expected,)
    assert verdict.determination is not None


def test_an_advisory_that_is_not_expected_is_reported(copied: Path) -> None:
    path = copied / CASES / f"{NAME}.ttl"
    path.write_text(path.read_text().replace("clin:TransplantDonor", "clin:DifferentDonor"))
    assert verdict_after(copied, lambda graph: None).differences == (
        "cond:lymphocyte-donor-differs: expected fails, came to holds",
        "advisories (case:advisory): adv:donor-differs not expected",
    )


def test_everything_that_differs_is_reported_at_once(copied: Path) -> None:
    def change(graph: Graph) -> None:
        set_to(CASE.outcome, POL.InformationNeeded)(graph)
        move(GRADE, CASE.conflicting, CASE.unknown)(graph)

    assert verdict_after(copied, change).differences == (
        "outcome: expected InformationNeeded, came to InformationConflicting",
        "cond:acute-gvhd-of-grade-2-or-higher: expected unknown, came to conflicting",
    )


def test_an_unknown_file_is_reported_where_it_was_looked_for(copied: Path) -> None:
    verdict = verdict_after(copied, set_to(CASE.inFile, Literal("missing.ttl")))
    path = copied / CASES / "missing.ttl"
    assert verdict.differences == (f"{path}: No such file or directory; check the path and its permissions",)
    assert verdict.determination is None


def test_an_unknown_case_is_reported_with_its_file(copied: Path) -> None:
    case = URIRef(f"{BASE}example/{NAME}#other")
    verdict = verdict_after(copied, set_to(CASE.ofCase, case))
    assert verdict.differences == (f"no case {case} in {NAME}.ttl",)
    assert verdict.determination is None


def test_a_malformed_case_is_reported_with_the_messages_of_its_violations(copied: Path) -> None:
    path = copied / CASES / f"{NAME}.ttl"
    path.write_text(path.read_text().replace("clin:grade 3", "clin:grade 7"))
    verdict = verdict_after(copied, lambda graph: None)
    assert verdict.differences == ("malformed: State clin:grade at most once, as a whole number from 0 to 4.",)
    assert verdict.determination is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2020-01", "CP.MP.101 has no revision 2020-01; known: 2015-11, 2019-10, "),
        ("2022-10", "the criteria of CP.MP.101 revision 2022-10 are not on file; nearest on file: --revision 2023-10"),
    ],
)
def test_a_revision_that_cannot_be_used_is_reported(copied: Path, name: str, expected: str) -> None:
    verdict = verdict_after(copied, set_to(CASE.underRevision, URIRef(f"{BASE}CP.MP.101/{name}")))
    (difference,) = verdict.differences
    assert difference.startswith(expected)
    assert verdict.determination is None


BROKEN: dict[str, tuple[Change, str]] = {
    "gives a condition two values": (
        add(CASE.holding, MODIFIED),
        f"expectation {NAME} gives lymphocytes-genetically-modified two values; keep one",
    ),
    "states no outcome": (
        remove(CASE.outcome, POL.InformationConflicting),
        f"expectation {NAME} states 0 outcome; state one",
    ),
    "states two outcomes": (add(CASE.outcome, POL.CriteriaMet), f"expectation {NAME} states 2 outcome; state one"),
    "names two files": (add(CASE.inFile, Literal("other.ttl")), f"expectation {NAME} states 2 inFile; state one"),
    "names no case": (
        lambda graph: graph.remove((NODE, CASE.ofCase, None)),
        f"expectation {NAME} states 0 ofCase; state one",
    ),
    "names no revision": (
        lambda graph: graph.remove((NODE, CASE.underRevision, None)),
        f"expectation {NAME} states 0 underRevision; state one",
    ),
    "expects nothing": (
        lambda graph: graph.remove((None, CASE.expects, None)),
        "the manifest expects nothing; list its expectations",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_manifest_is_refused_when_it(copied: Path, what: str) -> None:
    change, expected = BROKEN[what]
    kb = write_manifest(copied, change)
    with pytest.raises(KnowledgeBaseError) as caught:
        list(run_manifest(kb, kb.policy(), "pyshifty"))
    assert str(caught.value) == f"{copied / CASES / 'manifest.ttl'}: {expected}"


def test_a_missing_manifest_is_an_error(copied: Path) -> None:
    kb = Repository(copied)
    with pytest.raises(KnowledgeBaseError) as caught:
        list(run_manifest(kb, kb.policy(), "pyshifty"))
    assert str(caught.value) == f"{copied / CASES / 'manifest.ttl'}: no manifest of example cases; write one"


def test_an_expectation_reads_its_lists_as_values(copied: Path) -> None:
    kb = write_manifest(copied, lambda graph: None)
    (expectation,) = read_manifest(kb, copied / CASES)
    assert (expectation.name, expectation.revision, expectation.outcome) == (NAME, "2026-02", "InformationConflicting")
    assert expectation.case == f"{BASE}example/{NAME}#case"
    assert expectation.path == copied / CASES / f"{NAME}.ttl"
    assert expectation.to_send == {str(MODIFIED), str(MANIPULATED), str(GRADE)}
    assert expectation.advisories == frozenset()
    assert Counter(expectation.values.values()) == {
        Value.HOLDS: 5,
        Value.FAILS: 4,
        Value.UNKNOWN: 8,
        Value.CONFLICTING: 1,
    }
