"""Cases of the tests as text and as read: what they are called, what they say, and what is derived of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from installed import FAST
from rdflib import URIRef
from rdflib.term import Node

from kb_tools.cases.case import DERIVED_OF_FINDINGS, Case, Malformed, Violation
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Determination, Outcome
from kb_tools.determine.run import Run
from kb_tools.errors import UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import CASE, CLIN

DATA = Path(__file__).parents[1] / "data"
EX = "https://example.org/case#"
PREFIXES = "".join(f"{line}\n" for line in (DATA / "case.ttl").read_text(encoding="utf-8").splitlines()[1:6])
HCPCS = "https://w3id.org/policykb/code/hcpcs/"

Vary = Callable[[str, str], str]


def read(kb: Repository, *texts: str) -> list[Case]:
    """The cases of some texts, each read as if it came through standard input."""
    reader = CaseReader(kb)
    return [case for text in texts for case in reader.read("text", None, text.encode(), FORMATS[".ttl"])]


def refusal(call: Callable[[], object]) -> str:
    """The one line with which a call refuses its input."""
    with pytest.raises(UnreadableInput) as refused:
        call()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def local(case: Case, node: Node) -> str:
    """What the file calls a node, by its local name."""
    assert isinstance(node, URIRef)
    return (case.in_file(node) or str(node)).removeprefix(EX)


def current(case: Case) -> list[str]:
    """The findings that count, each as often as that is derived."""
    return linked(case, CASE.currentFinding)


def linked(case: Case, link: URIRef) -> list[str]:
    """The findings that a derived link of the case leads to, each as often as that is derived."""
    return sorted(local(case, node) for node in case.values(case.node, link))


def links_of_findings(case: Case) -> list[str]:
    """What is derived of the findings, as "finding link target", each as often as that is derived."""
    return sorted(
        f"{local(case, finding)} {str(link).removeprefix(CASE)} {local(case, target).removeprefix(CLIN)}"
        for finding, link, target in case.triples()
        if link in DERIVED_OF_FINDINGS
    )


def determined(kb: Repository, policy: Policy, cases: list[Case]) -> list[Outcome]:
    """What well-formed cases come to under the revision in force."""
    answers = list(Run(kb, policy, FAST).answers(cases))
    return [answer.outcome for answer in answers if isinstance(answer, Determination)]


def statements(case: Case) -> set[tuple[str, str, str]]:
    """What a case says, on the nodes of its file."""
    file = {node: str(own) for node, own in case.names.items()}
    return {
        (str(file[URIRef(str(subject))]), str(predicate), file.get(URIRef(str(object_)), str(object_)))
        for subject, predicate, object_ in case.triples()
    }


TWO_CASES = """
:second a case:Case ;
    case:patient :patient ;
    case:coverage :coverage ;
    case:request :other-request ;
    case:finding :transplant , :acute .

:other-request a case:Request ;
    case:serviceDate "2026-06-04"^^xsd:date .
"""


def violations(answer: Case | Malformed) -> tuple[Violation, ...]:
    return answer.violations if isinstance(answer, Malformed) else ()
