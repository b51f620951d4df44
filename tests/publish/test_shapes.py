"""The self-contained graph of a revision gives the same answers through plain validation, with nothing beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache

import pyoxigraph as ox
import pytest
from history import WITH_DOCUMENT
from installed import INSTALLED
from rdflib import BNode, Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.plugins.sparql.sparql import FrozenDict
from rdflib.term import Node
from strategies import FINDINGS, ROOT, VOCABULARY

from kb_tools.cases.case import DERIVED, Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import Expectation, read_manifest
from kb_tools.determine.result import Outcome
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import outcome_shape, self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.files import parse_file
from kb_tools.rdf.namespaces import BASE, CASE, CLIN, COND, SH, SHAPE
from kb_tools.rdf.shacl import ENGINES, ShaclResult
from kb_tools.rdf.terms import graph_of, to_quads

INFERRED = ("2023-10", "2023-11", "2024-04", "2025-02")
# The sample of the reference with its rules, which are slow there: so many cases of each outcome and revision.
SAMPLE = 2
# A pySHACL call takes about 0.1 s a case: the parts spread over the processes that run the tests.
PARTS = 6


@cache
def revision_of(name: str) -> Revision:
    policy = VOCABULARY.policy()
    return Revision.load(policy, policy.entry(name))


@cache
def shapes_of(name: str) -> Graph:
    return self_contained(VOCABULARY, revision_of(name))


@cache
def expectations() -> tuple[Expectation, ...]:
    return tuple(read_manifest(VOCABULARY, VOCABULARY.policy().cases_folder))


@cache
def shapes_for(engine: str, name: str) -> Graph:
    """A copy of the export for one engine: pySHACL adds to the shapes that it is given."""
    assert engine in ENGINES
    return graph_of(shapes_of(name))


def as_submitted(expectation: Expectation) -> Graph:
    """The case graph as its file has it."""
    return graph_of(parse_file(expectation.path))


@cache
def checked() -> dict[str, Case]:
    """The cases of the manifest, checked and prepared, by their IRIs."""
    reader = CaseReader(VOCABULARY)
    paths = sorted({expectation.path for expectation in expectations()})
    cases = CaseChecker(VOCABULARY, "pyshifty").check([case for path in paths for case in reader.read(path.name, path)])
    return {case.iri: case for case in cases if isinstance(case, Case)}


SEVERITIES = {
    "CriteriaNotMet": ("CriteriaNotMet", "Violation", "The policy applies and its criteria are not met."),
    "InformationNeeded": (
        "Undetermined",
        "Warning",
        "The outcome is undetermined: information is missing or conflicting.",
    ),
    "InformationConflicting": (
        "Undetermined",
        "Warning",
        "The outcome is undetermined: information is missing or conflicting.",
    ),
    "PolicyNotApplicable": ("PolicyNotApplicable", "Info", "The policy does not apply to this case."),
}


def rows_of(results: list[ShaclResult]) -> list[tuple[str, str, str, str]]:
    return [(result.focus, result.shape, result.severity, result.message) for result in results]


def expected_of(expectation: Expectation) -> list[tuple[str, str, str, str]]:
    """The one result that the outcome of a case is, none where the criteria are met."""
    if expectation.outcome == "CriteriaMet":
        return []
    name, severity, message = SEVERITIES[expectation.outcome]
    shape = f"{BASE}CP.MP.101/{expectation.revision}/outcome/{name}"
    return [(expectation.case, shape, severity, message)]


def differing(some: list[Expectation], engine: str, rules: bool) -> dict[str, object]:
    """The cases whose plain validation does not give their outcome, each with its results.

    Prepared cases are validated together: they are many, and no shape looks from one into another.
    """
    if not rules:
        return differing_together(some, engine)
    differences: dict[str, object] = {}
    for expectation in some:
        data = as_submitted(expectation)
        results = shacl.validate(data, shapes_for(engine, expectation.revision), engine, rules=rules)
        if rows_of(results) != expected_of(expectation):
            differences[expectation.name] = results
    return differences


def differing_together(some: list[Expectation], engine: str) -> dict[str, object]:
    differences: dict[str, object] = {}
    for revision in WITH_DOCUMENT:
        of_revision = [expectation for expectation in some if expectation.revision == revision]
        data = prepared(VOCABULARY, [checked()[expectation.case] for expectation in of_revision])
        results = rows_of(shacl.validate(data, shapes_for(engine, revision), engine))
        for expectation in of_revision:
            found = [result for result in results if result[0] == expectation.case]
            if found != expected_of(expectation):
                differences[expectation.name] = found
        strangers = [result for result in results if result[0] not in {expectation.case for expectation in of_revision}]
        if strangers:
            differences[f"no case, under {revision}"] = strangers
    return differences


def sample() -> list[Expectation]:
    """A few cases of each outcome under each revision."""
    taken: Counter[tuple[str, str]] = Counter()
    found = []
    for expectation in expectations():
        taken[expectation.revision, expectation.outcome] += 1
        if taken[expectation.revision, expectation.outcome] <= SAMPLE:
            found.append(expectation)
    return found


# ---------------------------------------------------------------------- the answers


@pytest.mark.extended
@pytest.mark.parametrize("part", range(PARTS))
def test_the_second_engine_gives_every_case_its_outcome_by_the_rules_of_the_graph(part: int) -> None:
    assert len(expectations()) == 302
    assert differing(list(expectations()[part::PARTS]), "pyshifty", rules=True) == {}


@pytest.mark.extended
@pytest.mark.parametrize("part", range(PARTS))
def test_the_reference_gives_every_prepared_case_its_outcome(part: int) -> None:
    assert differing(list(expectations()[part::PARTS]), "pyshacl", rules=False) == {}


@pytest.fixture
def rows_hashed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes rdflib faster and changes nothing: it gives one hash to all rows of VALUES that hold one term twice."""
    monkeypatch.setattr(FrozenDict, "__hash__", lambda row: hash(frozenset(row.items())))


@pytest.mark.extended
@pytest.mark.usefixtures("rows_hashed_apart")
def test_the_reference_gives_a_sample_of_all_outcomes_theirs_by_the_rules_of_the_graph() -> None:
    found = sample()
    assert {(expectation.revision, expectation.outcome) for expectation in found} == {
        (revision, outcome.value) for revision in WITH_DOCUMENT for outcome in Outcome
    }
    assert len(found) == 19
    assert differing(found, "pyshacl", rules=True) == {}


def assert_each_comes_to_its_own(some: list[Expectation], engine: str, revision: str) -> None:
    data = prepared(VOCABULARY, [checked()[expectation.case] for expectation in some])
    expected = sorted(result for expectation in some for result in expected_of(expectation))
    assert sorted(rows_of(shacl.validate(data, shapes_for(engine, revision), engine))) == expected


@pytest.mark.parametrize(("revision", "count"), [("2026-02", 228), ("2019-10", 74)])
def test_the_second_engine_gives_all_prepared_cases_in_one_graph_their_outcomes(revision: str, count: int) -> None:
    some = [expectation for expectation in expectations() if expectation.revision == revision]
    assert len(some) == count
    assert_each_comes_to_its_own(some, "pyshifty", revision)


def test_the_reference_gives_several_prepared_cases_in_one_graph_their_outcomes() -> None:
    some = [expectation for expectation in sample() if expectation.revision == "2026-02"]
    assert len(some) == 10
    assert_each_comes_to_its_own(some, "pyshacl", "2026-02")


def test_the_shape_of_an_outcome_is_named_after_it() -> None:
    revision = revision_of("2026-02")
    base = f"{BASE}CP.MP.101/2026-02/outcome/"
    assert {outcome: str(outcome_shape(revision, outcome)).removeprefix(base) for outcome in Outcome} == {
        Outcome.MET: "CriteriaMet",
        Outcome.NOT_MET: "CriteriaNotMet",
        Outcome.NOT_APPLICABLE: "PolicyNotApplicable",
        Outcome.NEEDED: "Undetermined",
        Outcome.CONFLICTING: "Undetermined",
    }


# ---------------------------------------------------------------------- the graph stands alone


def paths_in(graph: Graph) -> Iterator[Node]:
    """Every node of every path of the shapes."""
    for path in graph.objects(None, SH.path):
        waiting: list[Node] = [path]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, BNode):
                waiting.extend(object_ for _, object_ in graph.predicate_objects(node))


@pytest.mark.parametrize("revision", (*WITH_DOCUMENT, *INFERRED))
def test_no_shape_needs_the_vocabularies(revision: str) -> None:
    graph = shapes_of(revision)
    assert SKOS.broader not in set(paths_in(graph))
    assert SH.zeroOrMorePath not in set(graph.predicates())
    concept_classes = set(VOCABULARY.ontology.transitive_subjects(RDFS.subClassOf, SKOS.Concept))
    assert set(graph.objects(None, SH["class"])) & concept_classes == set()
    # What is left are classes that a case itself states.
    under = {class_ for top in (CASE.Finding, CASE.Product) for class_ in VOCABULARY.ontology[: RDFS.subClassOf : top]}
    stated = {CASE.Coverage, CASE.Request, CASE.Product} | under
    assert set(graph.objects(None, SH["class"])) | set(graph.objects(None, SH.targetClass)) <= stated | {CASE.Case}
    assert not any(concept in graph.subjects() for concept in VOCABULARY.ontology.subjects(SKOS.broader))


@pytest.mark.parametrize("revision", (*WITH_DOCUMENT, *INFERRED))
def test_everything_that_the_shapes_point_to_is_in_the_graph(revision: str) -> None:
    graph = shapes_of(revision)
    links = (SH.property, SH.node, SH["not"], SH.qualifiedValueShape, SH.rule, SH.prefixes)
    lists = (SH["and"], SH["or"])
    targets = {object_ for link in links for object_ in graph.objects(None, link)}
    targets |= {item for link in lists for head in graph.objects(None, link) for item in Collection(graph, head)}
    assert {target for target in targets if (target, None, None) not in graph} == set()
    assert len(targets) > 100


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_only_the_conditions_that_decide_are_carried(revision: str) -> None:
    carried = {
        str(shape) for shape in shapes_of(revision).subjects(RDF.type, SH.NodeShape) if str(shape).startswith(COND)
    }
    for iri, condition in revision_of(revision).conditions.items():
        reads_findings = all(VOCABULARY.curie(kind) in FINDINGS for kind in condition.reads)
        for shape in (condition.holds_when, condition.fails_when):
            found = {name for name in carried if name.removesuffix("-surely").removesuffix("-perhaps") == shape}
            if iri not in revision_of(revision).deciding_conditions:
                assert found == set()
            elif reads_findings:
                assert found == {f"{shape}-surely", f"{shape}-perhaps"}
            else:
                assert found == {shape}


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_a_condition_holds_where_it_surely_does_and_does_not_perhaps_fail_and_the_reverse(revision: str) -> None:
    graph = shapes_of(revision)
    found = 0
    for iri in revision_of(revision).deciding_conditions:
        condition = revision_of(revision).conditions[iri]
        for side, shown, contrary in (
            ("holds", condition.holds_when, condition.fails_when),
            ("fails", condition.fails_when, condition.holds_when),
        ):
            shape = URIRef(f"{BASE}CP.MP.101/{revision}/shape/{iri.removeprefix(COND)}-{side}")
            head = graph.value(shape, SH["and"])
            assert head is not None
            one, other = Collection(graph, head)
            parts = str(one), str(graph.value(other, SH["not"]))
            if any(VOCABULARY.curie(kind) in FINDINGS for kind in condition.reads):
                assert parts == (f"{shown}-surely", f"{contrary}-perhaps")
                found += 1
            else:
                assert parts == (shown, contrary)
    assert found == 10


@pytest.mark.parametrize("revision", (*WITH_DOCUMENT, *INFERRED))
def test_what_counts_and_what_perhaps_counts_is_read_and_no_other_finding(revision: str) -> None:
    """Some of what counts, or of what counts or perhaps counts; none of either."""
    graph = shapes_of(revision)
    forms: set[tuple[str, str, tuple[Node, ...]]] = set()
    for shape in graph.subjects(RDF.type, SH.PropertyShape):
        if not str(shape).endswith(("-surely", "-perhaps")):
            continue
        path = graph.value(shape, SH.path)
        listed = graph.value(path, SH.alternativePath)
        assert path is not None
        paths: tuple[Node, ...] = tuple(Collection(graph, listed)) if listed else (path,)
        (count,) = (limit for limit in (SH.qualifiedMinCount, SH.qualifiedMaxCount) if (shape, limit, None) in graph)
        forms.add((str(shape).rpartition("-")[2], VOCABULARY.curie(str(count)), paths))
    some, both = (CASE.currentFinding,), (CASE.currentFinding, CASE.perhapsFinding)
    assert forms == {
        ("surely", "sh:qualifiedMinCount", some),
        ("surely", "sh:qualifiedMaxCount", both),
        ("perhaps", "sh:qualifiedMinCount", both),
        ("perhaps", "sh:qualifiedMaxCount", some),
    }


def test_a_group_of_diseases_is_listed_with_all_that_is_under_it() -> None:
    graph = shapes_of("2026-02")
    shape = URIRef(COND + "ReasonHematologicMalignancy-reason")
    listed = graph.value(graph.value(shape, SH.qualifiedValueShape), SH["in"])
    assert listed is not None
    members = list(Collection(graph, listed))
    assert len(members) == len(set(members)) > 20
    assert set(members) == set(VOCABULARY.ontology.transitive_subjects(SKOS.broader, CLIN.HematologicMalignancy))
    head = graph.value(shape, SH.path)
    assert head is not None
    assert list(Collection(graph, head)) == [CASE.request, CASE.reason]
    assert graph.value(shape, SH.qualifiedMinCount) == Literal(1)


@pytest.mark.parametrize("revision", (*WITH_DOCUMENT, *INFERRED))
def test_only_outcome_shapes_carry_a_severity(revision: str) -> None:
    base = f"{BASE}CP.MP.101/{revision}/outcome/"
    assert {str(shape): severity for shape, severity in shapes_of(revision).subject_objects(SH.severity)} == {
        base + "CriteriaNotMet": SH.Violation,
        base + "Undetermined": SH.Warning,
        base + "PolicyNotApplicable": SH.Info,
    }


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_each_criterion_has_a_shape_for_where_it_holds_and_one_for_where_it_fails(revision: str) -> None:
    graph = shapes_of(revision)
    for criterion in revision_of(revision).criteria:
        name = criterion.iri.rpartition("/")[2]
        for side in ("holds", "fails"):
            shape = URIRef(f"{BASE}CP.MP.101/{revision}/shape/{name}-{side}")
            present = (shape, RDF.type, SH.NodeShape) in graph
            assert present == (criterion.role != "remainder")
            assert not present or graph.value(shape, SKOS.notation) == Literal(criterion.notation)


def test_the_rules_run_in_order_the_facts_of_the_vocabularies_first() -> None:
    graph = shapes_of("2026-02")
    rules: dict[int, set[str]] = {}
    for rule in graph.objects(SHAPE.WhatCounts, SH.rule):
        rules.setdefault(int(str(graph.value(rule, SH.order))), set()).add(str(rule).removeprefix(str(SHAPE)))
    doubts = {
        "DoubtfulHistory",
        "DoubtfulKey",
        "DoubtfulDisease",
        "DoubtfulStatusOfReason",
        "DoubtfulStatusOfGroup",
        "SharedDoubts",
    }
    # Each order rests on what those before it derive, and on nothing that its own rules do.
    assert rules == {
        0: {"VocabularyFacts"},
        1: {"CountableFindings"},
        2: {"LatestFindings"},
        3: {"SupersededStatuses"},
        4: {"Differences"},
        5: doubts,
        6: {"CurrentFindings", "PerhapsFindings", "Contradictions"},
    }


def test_no_rule_reads_what_a_rule_of_its_order_or_a_later_one_derives() -> None:
    rules = VOCABULARY.graph([ROOT / "shapes/derivation.ttl"])
    derives: dict[str, int] = {}
    reads: list[tuple[int, str, set[str]]] = []
    for rule, order in rules.subject_objects(SH.order):
        template, _, where = str(rules.value(rule, SH.construct)).partition("WHERE")
        for link in re.findall(r"case:\w+", template):
            derives[link] = max(int(str(order)), derives.get(link, 0))
        reads.append((int(str(order)), str(rule), set(re.findall(r"case:\w+", where))))
    assert derives.keys() == {VOCABULARY.curie(str(iri)) for iri in DERIVED}
    too_early = [(rule, link) for order, rule, links in reads for link in links if derives.get(link, -1) >= order]
    assert too_early == []


def canonical(quads: Iterable[ox.Quad]) -> set[str]:
    """The triples with canonical names for blank nodes: the same for isomorphic graphs, and for no others."""
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return {str(quad) for quad in dataset}


@pytest.mark.parametrize("revision", WITH_DOCUMENT)
def test_the_export_is_the_same_every_time_whatever_was_exported_before(revision: str) -> None:
    policy = Repository(ROOT).policy()
    for name in ("2025-02", *WITH_DOCUMENT):
        found = self_contained(policy.kb, Revision.load(policy, policy.entry(name)))
        if name == revision:
            assert canonical(to_quads(found)) == canonical(to_quads(shapes_of(revision)))


@pytest.mark.parametrize(("format_", "parser"), [("longturtle", ox.RdfFormat.TURTLE), ("nt", ox.RdfFormat.N_TRIPLES)])
def test_the_export_survives_writing_and_reading(format_: str, parser: ox.RdfFormat) -> None:
    written = shapes_of("2026-02").serialize(format=format_)
    assert canonical(ox.parse(written, format=parser)) == canonical(to_quads(shapes_of("2026-02")))


def test_no_part_of_a_path_is_left_over() -> None:
    for revision in WITH_DOCUMENT:
        graph = shapes_of(revision)
        pointed_to = set(graph.objects())
        assert {node for node in graph.subjects() if isinstance(node, BNode)} - pointed_to == set()


# ---------------------------------------------------------------------- malformed cases

PLAIN = ROOT / "policies/CP.MP.101/cases/relapsed-aml-after-transplant-meets.ttl"
IRI = f"{BASE}example/relapsed-aml-after-transplant-meets#"
# What is replaced in a case that meets the criteria, by what, and the shape that is then violated, with its focus node.
MALFORMED = {
    "a misspelt property": ("clin:grade 0", "clin:grades 0", "AcuteGvHDAssessment", "gvhd"),
    "a grade of 7": ("clin:grade 0", "clin:grade 7", "AcuteGvHDAssessment-grade", "gvhd"),
    "a grade that is no whole number": ("clin:grade 0", "clin:grade 1.5", "AcuteGvHDAssessment-grade", "gvhd"),
    "an unknown status": (
        "clin:diseaseStatus clin:Relapsed",
        "clin:diseaseStatus clin:Relapsing",
        "DiseaseStatusAssessment-diseaseStatus",
        "relapse",
    ),
    "an unknown disease": (
        "clin:disease clin:AcuteMyeloidLeukemia",
        "clin:disease clin:AcuteLeukaemia",
        "DiseaseStatusAssessment-disease",
        "relapse",
    ),
    "a disease of one's own": (
        "clin:disease clin:AcuteMyeloidLeukemia",
        "clin:disease :aml",
        "DiseaseStatusAssessment-disease",
        "relapse",
    ),
    "a date with a time": (
        '"2026-06-01"^^xsd:date',
        '"2026-06-01T00:00:00"^^xsd:dateTime',
        "Finding-date",
        "relapse",
    ),
    "a date with a time zone": ('"2026-06-01"^^xsd:date', '"2026-06-01Z"^^xsd:date', "Finding-date", "relapse"),
    "a date that no calendar has": ('"2026-06-01"^^xsd:date', '"2026-02-30"^^xsd:date', "Finding-date", "relapse"),
    "two dates": (
        '"2026-06-01"^^xsd:date',
        '"2026-06-01"^^xsd:date , "2026-06-02"^^xsd:date',
        "Finding-date",
        "relapse",
    ),
    "no basis": (
        '"2026-06-01"^^xsd:date ;\n    case:basis case:ChartEvidence ;',
        '"2026-06-01"^^xsd:date ;',
        "Finding-basis",
        "relapse",
    ),
    "a finding of no class": (
        ":relapse a clin:DiseaseStatusAssessment",
        ":relapse a clin:Something",
        "Case-finding",
        "case",
    ),
    "no service date": ('case:serviceDate "2026-07-01"^^xsd:date ;', "", "Request-serviceDate", ""),
    "two plans": (
        "case:lineOfBusiness case:Commercial",
        "case:lineOfBusiness case:Commercial , case:Medicaid",
        "Coverage-lineOfBusiness",
        "",
    ),
    "a product that is and is not manipulated": (
        "clin:processing clin:Unmanipulated",
        "clin:processing clin:Unmanipulated , clin:CD8Depletion",
        "Product-unmanipulatedOrManipulated",
        "",
    ),
    "something said of the patient": (
        ":relapse a",
        ":patient case:date 3 .\n:relapse a",
        "Case-patient",
        "case",
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_case_violates_the_same_shape_with_every_engine(what: str) -> None:
    before, after, shape, focus = MALFORMED[what]
    text = PLAIN.read_text()
    assert before in text
    (case,) = CaseReader(VOCABULARY).read("x", None, text.replace(before, after).encode())
    data = prepared(VOCABULARY, [case])
    outcomes = {str(outcome_shape(revision_of("2026-02"), outcome)) for outcome in Outcome}
    for engine in INSTALLED:
        results = shacl.validate(data, shapes_for(engine, "2026-02"), engine)
        found = {
            (result.shape, result.severity, result.focus if result.focus.startswith("http") else "")
            for result in results
            if result.shape not in outcomes
        }
        assert found == {(str(SHAPE[shape]), "Violation", IRI + focus if focus else "")}, engine
        (malformed,) = CaseChecker(VOCABULARY, engine).check([case])
        assert isinstance(malformed, Malformed)
        assert {violation.shape for violation in malformed.violations} == {f"shape:{shape}"}


def test_the_plain_case_violates_nothing() -> None:
    (case,) = CaseReader(VOCABULARY).read("x", PLAIN)
    assert isinstance(CaseChecker(VOCABULARY, "pyshifty").check([case])[0], Case)
    for engine in ("pyshacl", "pyshifty"):
        data = graph_of(parse_file(PLAIN))
        assert shacl.validate(data, shapes_for(engine, "2026-02"), engine, rules=True) == []
