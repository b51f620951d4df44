"""Cases stay apart: one node in two files is two nodes, and a case changes nothing but itself."""

from __future__ import annotations

import pytest
from case_files import EX, TWO_CASES, Vary, current, determined, read, statements, violations
from rdflib.namespace import RDFS

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Outcome
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import CLIN


def test_one_node_in_two_files_is_two_nodes(kb: Repository, well_formed: str, vary: Vary) -> None:
    reader = CaseReader(kb)
    (one,) = reader.read("one", None, well_formed.encode(), FORMATS[".ttl"])
    (other,) = reader.read("other", None, vary("clin:grade 1", "clin:grade 4").encode(), FORMATS[".ttl"])
    assert one.about.keys().isdisjoint(other.about)
    (again,) = read(kb, well_formed)
    assert statements(one) == statements(again)


def test_a_blank_node_of_one_name_in_two_files_is_two_nodes(kb: Repository, well_formed: str) -> None:
    reader = CaseReader(kb)
    grades = []
    for grade in (1, 4):
        text = well_formed.replace("clin:grade 1", f"clin:grade {grade}").replace(":acute", "_:acute")
        (case,) = reader.read("text", None, text.encode(), FORMATS[".ttl"])
        grades.append([str(value) for _, predicate, value in case.triples() if predicate == CLIN.grade])
    assert grades == [["1"], ["4"]]


def test_two_cases_that_share_findings_do_not_affect_one_another(
    kb: Repository, policy: Policy, well_formed: str
) -> None:
    """The second asks for an earlier date: what is after it does not count there, and counts in the first."""
    checker = CaseChecker(kb, "pyshifty")
    alone = checker.check(read(kb, well_formed))[0]
    first, second = checker.check(read(kb, well_formed + TWO_CASES))
    assert isinstance(alone, Case) and isinstance(first, Case) and isinstance(second, Case)
    assert statements(first) == statements(alone)
    assert current(second) == ["transplant"]
    assert determined(kb, policy, read(kb, well_formed + TWO_CASES)) == [Outcome.MET, Outcome.NEEDED]


def test_a_malformed_case_leaves_the_case_it_shares_a_file_with_alone(kb: Repository, well_formed: str) -> None:
    text = well_formed + TWO_CASES.replace("case:patient :patient ;", "case:patient :patient , :nobody ;")
    first, second = CaseChecker(kb, "pyshifty").check(read(kb, text))
    assert isinstance(first, Case)
    assert isinstance(second, Malformed)


def test_a_case_linked_to_a_case_is_malformed_and_the_other_is_not(kb: Repository, well_formed: str) -> None:
    text = well_formed + TWO_CASES.replace(":transplant , :acute", ":transplant , :case")
    first, second = CaseChecker(kb, "pyshifty").check(read(kb, text))
    assert isinstance(first, Case)
    assert isinstance(second, Malformed)
    assert [(violation.focus, violation.value, violation.shape) for violation in second.violations] == [
        (f"{EX}second", f"{EX}case", "shape:Case-finding")
    ]


@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_a_case_makes_no_concept_and_no_class_of_its_own(kb: Repository, vary: Vary, engine: str) -> None:
    broader = "<http://www.w3.org/2004/02/skos/core#broader>"
    disease = vary("case:reason clin:AcuteMyeloidLeukemia", "case:reason :flu")
    disease += f":flu a clin:Disease ; {broader} clin:AcuteMyeloidLeukemia ."
    kind = vary(":transplant a clin:Transplant", ":transplant a :Graft")
    kind += f":Graft {RDFS.subClassOf.n3()} clin:Transplant ."
    found = [violations(checked) for checked in CaseChecker(kb, engine).check(read(kb, disease, kind))]
    assert [[(violation.focus, violation.value, violation.shape) for violation in those] for those in found] == [
        [(f"{EX}request", f"{EX}flu", "shape:Request-reason")],
        [(f"{EX}case", f"{EX}transplant", "shape:Case-finding")],
    ]


def test_a_case_changes_nothing_of_the_knowledge_base(kb: Repository, well_formed: str) -> None:
    before = len(kb.ontology), len(kb.conditions)
    CaseChecker(kb, "pyshacl").check(read(kb, well_formed))
    assert (len(kb.ontology), len(kb.conditions)) == before
