"""Cases prepared for other engines: the file, with what counts."""

from __future__ import annotations

import re

import pytest
from case_files import EX, TWO_CASES, Vary, determined, read, refusal
from installed import INSTALLED
from rdflib import Graph
from rdflib.namespace import RDF
from situations import SITUATIONS

from kb_tools.cases.case import DERIVED, Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Outcome
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import outcome_shape, self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import CASE, CLIN

FINDINGS = {"transplant", "status", "mrd", "risk", "chimerism", "acute", "chronic", "infusion", "absence"}


def test_a_prepared_case_is_the_file_with_what_counts(kb: Repository, well_formed: str) -> None:
    (case,) = CaseChecker(kb, "pyshifty").check(read(kb, well_formed))
    assert isinstance(case, Case)
    graph = Graph().parse(data=prepared(kb, [case]).serialize(format="longturtle"), format="turtle")
    before = Graph().parse(data=well_formed, format="turtle")
    assert set(before) - set(graph) == set()
    added = [[str(term).removeprefix(EX) for term in triple] for triple in set(graph) - set(before)]
    # The status is of leukemia, and the reason AML.
    assert sorted(added) == sorted(
        [
            *(["case", str(CASE.countableFinding), name] for name in FINDINGS),
            *(["case", str(CASE.latestFinding), name] for name in FINDINGS - {"absence"}),
            *(["case", str(CASE.currentFinding), name] for name in FINDINGS - {"absence", "status"}),
            ["case", str(CASE.perhapsFinding), "status"],
            ["status", str(CASE.mayNotBeOf), str(CLIN.AcuteMyeloidLeukemia)],
        ]
    )


@pytest.mark.parametrize("start", ("MRD without a method between", "two statuses of one disease on one day, and"))
def test_what_is_derived_is_left_out_of_a_prepared_case_that_is_to_be_submitted(kb: Repository, start: str) -> None:
    (found,) = (example for example in SITUATIONS if example.name.startswith(start))
    (case,) = CaseChecker(kb, "pyshifty").check(read(kb, found.text))
    assert isinstance(case, Case)
    assert {predicate for _, predicate, _ in case.triples()} & DERIVED
    graph = prepared(kb, [case], derived=False)
    assert set(graph) == set(Graph().parse(data=found.text, format="turtle"))


def test_prepared_blank_nodes_of_two_files_stay_apart(kb: Repository, well_formed: str) -> None:
    reader = CaseReader(kb)
    texts = [re.sub(r"(?m)(?<![\w<]):(?=[a-z])", "_:", well_formed).encode() for _ in range(2)]
    cases = [reader.read(str(number), None, text, FORMATS[".ttl"])[0] for number, text in enumerate(texts)]
    graph = prepared(kb, cases)
    assert len(set(graph.subjects(RDF.type, CASE.Case))) == 2
    assert len(set(graph.subjects(RDF.type, CLIN.Transplant))) == 2


def test_two_cases_that_describe_one_node_are_not_prepared_together(kb: Repository, well_formed: str) -> None:
    cases = read(kb, well_formed + TWO_CASES)
    assert refusal(lambda: prepared(kb, cases)) == (
        f"text#second: {EX}coverage is described by text#case too; prepare them one at a time"
    )


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("clin:grade 1", "clin:grade 1", Outcome.MET),
        ("clin:grade 1", "clin:grade 2", Outcome.NOT_MET),
        ("clin:processing clin:Unmanipulated ;", "", Outcome.NEEDED),
        ("case:Commercial", "case:MedicareAdvantage", Outcome.NOT_APPLICABLE),
    ],
)
def test_the_exported_shapes_say_of_a_prepared_case_what_kb_says(
    kb: Repository, policy: Policy, vary: Vary, old: str, new: str, outcome: Outcome
) -> None:
    cases = read(kb, vary(old, new))
    assert determined(kb, policy, cases) == [outcome]
    (case,) = CaseChecker(kb, "pyshifty").check(cases)
    assert isinstance(case, Case)
    revision = Revision.load(policy, policy.entry("2026-02"))
    shapes = self_contained(kb, revision)
    graph = Graph().parse(data=prepared(kb, [case]).serialize(format="longturtle"), format="turtle")
    for engine in INSTALLED:
        results = [(result.focus, result.shape) for result in shacl.validate(graph, shapes, engine)]
        expected = [] if outcome is Outcome.MET else [(f"{EX}case", str(outcome_shape(revision, outcome)))]
        assert results == expected, engine


@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_the_exported_shapes_find_a_broken_case_at_the_shape_at_which_kb_finds_it(
    kb: Repository, policy: Policy, vary: Vary, engine: str
) -> None:
    shapes = self_contained(kb, Revision.load(policy, policy.entry("2026-02")))
    graph = Graph().parse(data=vary("clin:grade 1", "clin:grade 7"), format="turtle")
    results = [result for result in shacl.validate(graph, shapes, engine) if "/outcome/" not in result.shape]
    assert [(result.focus, kb.curie(result.shape), result.value) for result in results] == [
        (f"{EX}acute", "shape:AcuteGvHDAssessment-grade", "7")
    ]
