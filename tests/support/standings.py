"""How the findings of cases stand, by the rules and by `kb_tools.cases.standing`: for tests and a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from rdflib import URIRef
from rdflib.namespace import RDF
from small_cases import BATCH, in_batches
from strategies import VOCABULARY, Picture, built

from kb_tools.cases.case import DERIVED, Case
from kb_tools.cases.derive import Derivation
from kb_tools.cases.standing import CaseFindings, Derived, Finding, Vocabulary
from kb_tools.rdf.namespaces import CASE

# The findings that count, those that perhaps count, and of those that others contradict the others, by position; and
# every statement that is derived.
Stand: TypeAlias = tuple[frozenset[int], frozenset[int], Mapping[int, frozenset[int]], frozenset[Derived]]


def by_rules(derivation: Derivation, cases: list[Case]) -> list[Stand]:
    """How the findings stand, by the SPARQL rules."""
    return [_stated(case) for case in derivation.of(cases)]


def _stated(case: Case) -> Stand:
    places = {node: place for place, node in enumerate(case.values(case.node, CASE.finding))}
    links = {
        place: frozenset(places[other] for other in case.values(node, CASE.contradictedBy))
        for node, place in places.items()
    }
    return (
        frozenset(places[node] for node in case.values(case.node, CASE.currentFinding)),
        frozenset(places[node] for node in case.values(case.node, CASE.perhapsFinding)),
        {place: others for place, others in links.items() if others},
        frozenset(
            (places.get(subject), URIRef(str(predicate)), places.get(object_, object_))
            for subject, predicate, object_ in case.triples()
            if predicate in DERIVED
        ),
    )


def by_python(vocabulary: Vocabulary, case: Case) -> Stand:
    """How the findings stand, without SPARQL."""
    request = case.value(case.node, CASE.request)
    days: list[str] = []
    findings: list[Finding] = []
    for node in case.values(case.node, CASE.finding):
        class_ = case.value(node, RDF.type)
        assert class_ is not None
        days.append(str(case.value(node, CASE.date)))
        pairs = [pair for pair in case.about[node] if pair[0] != CASE.date]  # type: ignore[index]
        findings.append(Finding(vocabulary, class_, pairs))
    service = str(case.value(request, CASE.serviceDate))
    of_case = CaseFindings(vocabulary, service, case.value(request, CASE.reason), days, findings)
    found, derived = of_case.standing(), list(of_case.derived())
    assert len(derived) == len(set(derived))
    assert len(found.current) == len(set(found.current)) and len(found.perhaps) == len(set(found.perhaps))
    return (
        frozenset(found.current),
        frozenset(found.perhaps),
        {place: frozenset(others) for place, others in found.contradicted.items()},
        frozenset(derived),
    )


def differing(pictures: Iterable[Picture], size: int = BATCH) -> Iterator[tuple[Picture, Stand, Stand]]:
    """The cases whose findings stand otherwise by the rules than without SPARQL, with both."""
    derivation, vocabulary = Derivation(VOCABULARY), Vocabulary(VOCABULARY)
    for batch in in_batches(pictures, size):
        cases = built(batch)
        for picture, case, wanted in zip(batch, cases, by_rules(derivation, cases), strict=True):
            found = by_python(vocabulary, case)
            if found != wanted:
                yield picture, found, wanted
