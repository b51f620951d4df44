"""Which findings of a well-formed case count, perhaps count and do not count, situation by situation."""

from __future__ import annotations

import pytest
from case_files import current, linked, links_of_findings, read, statements
from rdflib.namespace import RDFS
from situations import SITUATIONS, STATED, Situation

from kb_tools.cases.case import DERIVED, DERIVED_LINKS, DERIVED_OF_FINDINGS, Case
from kb_tools.cases.check import CaseChecker
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN


@pytest.fixture(scope="module")
def counted(kb: Repository) -> dict[str, Case]:
    """Every situation as a case with what counts of it derived, all at once as kb does."""
    cases = read(kb, *(example.text for example in SITUATIONS))
    checked = CaseChecker(kb, "pyshifty").check(cases)
    sound = [case for case in checked if isinstance(case, Case)]
    assert len(sound) == len(SITUATIONS)
    return {example.name: case for example, case in zip(SITUATIONS, sound, strict=True)}


@pytest.mark.parametrize("example", SITUATIONS, ids=lambda example: example.name.replace(" ", "-")[:60])
def test_exactly_what_counts_is_derived_and_each_of_it_once(example: Situation, counted: dict[str, Case]) -> None:
    case = counted[example.name]
    assert {
        "counts": current(case),
        "perhaps": linked(case, CASE.perhapsFinding),
        "latest": linked(case, CASE.latestFinding),
        "links": links_of_findings(case),
    } == {
        "counts": example.counts.split(),
        "perhaps": example.perhaps.split(),
        "latest": sorted(example.latest),
        "links": example.all_links,
    }
    countable = linked(case, CASE.countableFinding)
    assert len(countable) == len(set(countable)) and example.latest <= set(countable)


def test_the_situations_are_all_different_and_cover_every_class_of_findings(kb: Repository) -> None:
    assert len({example.name for example in SITUATIONS}) == len(SITUATIONS) == 263
    assert {CLIN[class_] for class_ in STATED} == set(kb.ontology.subjects(RDFS.subClassOf, CASE.Finding))


def test_the_situations_come_to_all_that_is_derived(counted: dict[str, Case]) -> None:
    found = {predicate for case in counted.values() for _, predicate, _ in case.triples()}
    assert found & DERIVED == DERIVED == DERIVED_LINKS | DERIVED_OF_FINDINGS


def test_one_case_counts_alone_as_it_counts_among_others(kb: Repository, counted: dict[str, Case]) -> None:
    checker = CaseChecker(kb, "pyshacl")
    for example in SITUATIONS[::15]:
        (alone,) = checker.check(read(kb, example.text))
        assert isinstance(alone, Case)
        assert statements(alone) == statements(counted[example.name])
