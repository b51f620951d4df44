"""Every determination that the tool makes is adequate, and what makes one inadequate is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.determine.examples import ExampleResult, run_manifest
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, POL, SHAPE
from kb_tools.render.determination_turtle import add_determination

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def verdicts() -> list[ExampleResult]:
    kb = Repository(ROOT)
    return list(run_manifest(kb, kb.policy(), "pyshacl"))


@pytest.fixture(scope="module")
def shapes() -> Graph:
    return Repository(ROOT).graph([ROOT / "shapes/determination.ttl"])


def graph_of(verdicts: list[ExampleResult], name: str) -> tuple[Graph, URIRef]:
    """The determination of one expectation, as RDF, with its IRI."""
    graph = Graph()
    found = next(verdict.determination for verdict in verdicts if verdict.expectation.name == name)
    assert found is not None
    return graph, add_determination(graph, found)


@pytest.mark.extended
def test_every_determination_of_the_manifest_is_adequate(verdicts: list[ExampleResult], shapes: Graph) -> None:
    graph = Graph()
    nodes = {add_determination(graph, verdict.determination) for verdict in verdicts if verdict.determination}
    assert len(nodes) == len(verdicts) == len(list(graph.subjects(RDF.type, CASE.Determination)))
    assert shacl.validate(graph, shapes) == []


@pytest.mark.parametrize(
    ("name", "predicate", "shape"),
    [
        ("acute-gvhd-of-grade-2-excludes", CASE.ofCase, "Determination-ofCase"),
        ("acute-gvhd-of-grade-2-excludes", CASE.underRevision, "Determination-underRevision"),
        ("acute-gvhd-of-grade-2-excludes", CASE.criteriaBasis, "Determination-criteriaBasis"),
        ("acute-gvhd-of-grade-2-excludes", CASE.criterionValue, "Determination-criterionValue"),
        ("acute-gvhd-of-grade-2-excludes", CASE.conditionValue, "Determination-conditionValue"),
        ("acute-gvhd-of-grade-2-excludes", CASE.reviewedBy, "Determination-reviewedBy"),
        ("no-acute-gvhd-assessment-is-asked-for", CASE.toSend, "Determination"),
        ("no-acute-gvhd-assessment-is-asked-for", CASE.sendGroup, "Determination"),
    ],
)
def test_what_is_left_out_is_named(
    verdicts: list[ExampleResult], shapes: Graph, name: str, predicate: URIRef, shape: str
) -> None:
    graph, node = graph_of(verdicts, name)
    graph.remove((node, predicate, None))
    assert (str(node), str(SHAPE[shape])) in {
        (violation.focus, violation.shape) for violation in shacl.validate(graph, shapes)
    }


def test_an_outcome_that_is_none_is_refused(verdicts: list[ExampleResult], shapes: Graph) -> None:
    graph, node = graph_of(verdicts, "acute-gvhd-of-grade-2-excludes")
    graph.set((node, CASE.outcome, POL.Approved))
    found = {(violation.focus, violation.shape) for violation in shacl.validate(graph, shapes)}
    assert found == {(str(node), str(SHAPE["Determination-outcome"])), (str(node), str(SHAPE.Determination))}


def test_a_settled_outcome_without_a_deciding_criterion_is_refused(
    verdicts: list[ExampleResult], shapes: Graph
) -> None:
    graph, node = graph_of(verdicts, "acute-gvhd-of-grade-2-excludes")
    for value in list(graph.objects(node, CASE.criterionValue)):
        graph.set((value, CASE.decides, Literal(False)))
    assert {(violation.focus, violation.shape) for violation in shacl.validate(graph, shapes)} == {
        (str(node), str(SHAPE.Determination))
    }


@pytest.mark.parametrize(
    ("class_", "predicate", "shape"),
    [
        (CASE.CriterionValue, CASE.reasonText, "CriterionValue-reasonText"),
        (CASE.CriterionValue, CASE.value, "CriterionValue-value"),
        (CASE.CriterionValue, CASE.decides, "CriterionValue-decides"),
        (CASE.ConditionValue, CASE.condition, "ConditionValue-condition"),
    ],
)
def test_an_incomplete_value_is_named(
    verdicts: list[ExampleResult], shapes: Graph, class_: URIRef, predicate: URIRef, shape: str
) -> None:
    graph, _ = graph_of(verdicts, "acute-gvhd-of-grade-2-excludes")
    value: Node = next(iter(graph.subjects(RDF.type, class_)))
    graph.remove((value, predicate, None))
    assert (str(value), str(SHAPE[shape])) in {
        (violation.focus, violation.shape) for violation in shacl.validate(graph, shapes)
    }


def test_a_criterion_without_its_place_is_named(verdicts: list[ExampleResult], shapes: Graph) -> None:
    graph, _ = graph_of(verdicts, "acute-gvhd-of-grade-2-excludes")
    criterion = URIRef("https://w3id.org/policykb/CP.MP.101/criterion/acute-gvhd")
    value = next(graph.subjects(CASE.criterion, criterion))
    graph.remove((criterion, POL.statedIn, None))
    assert {(violation.focus, violation.shape) for violation in shacl.validate(graph, shapes)} == {
        (str(value), str(SHAPE["CriterionValue-place"]))
    }


def test_a_value_without_the_facts_that_made_it_is_named(verdicts: list[ExampleResult], shapes: Graph) -> None:
    graph, _ = graph_of(verdicts, "acute-gvhd-of-grade-2-excludes")
    condition = URIRef("https://w3id.org/policykb/condition#acute-gvhd-of-grade-2-or-higher")
    value = next(graph.subjects(CASE.condition, condition))
    graph.remove((value, CASE.fact, None))
    assert {(violation.focus, violation.shape) for violation in shacl.validate(graph, shapes)} == {
        (str(value), str(SHAPE.ConditionValue))
    }
