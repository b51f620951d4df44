"""The graph of a case: the request, the plan and the products, as far as all sources agree, and the findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rdflib import BNode, Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.dates import day_literal
from kb_tools.cases.fhir.facts import Statement, new_node
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, USED
from kb_tools.cases.isolate import number_or_text
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import Triple, local_name

# What a request and a product may state more than once.
_MANY = {CASE.procedureCode, CASE.purpose, CLIN.processing}


class CaseGraph:
    """States one case."""

    def __init__(self, assembly: Assembly, unclear: Mapping[str, str]) -> None:
        """Prepares stating the case.

        Args:
            unclear: the questions about parts that are answered in a way that is not understood, each with the form.
        """
        self._assembly = assembly
        self._unclear = unclear
        self.case = new_node()

    def triples(self, patient: URIRef) -> list[Triple]:
        """The case, with notes and notices of what could not be stated."""
        return [*self._request_triples(patient), *self._finding_triples()]

    def _request_triples(self, patient: URIRef) -> Iterator[Triple]:
        assert self._assembly.service_day is not None
        case, request, coverage = self.case, new_node(), new_node()
        yield case, RDF.type, CASE.Case
        yield case, CASE.patient, patient
        yield case, CASE.coverage, coverage
        yield coverage, RDF.type, CASE.Coverage
        yield from self._part_triples(CASE.Coverage, coverage)
        yield case, CASE.request, request
        yield request, RDF.type, CASE.Request
        yield request, CASE.serviceDate, day_literal(self._assembly.service_day)
        yield from self._part_triples(CASE.Request, request)
        for kind in self._assembly.parts:
            if kind in (CASE.Request, CASE.Coverage):
                continue
            product = new_node()
            of_product = list(self._part_triples(kind, product))
            if of_product:
                yield request, CASE.product, product
                yield product, RDF.type, kind
                yield from of_product

    def _finding_triples(self) -> Iterator[Triple]:
        for statements, finding in self._assembly.findings.items():
            yield self.case, CASE.finding, finding.node
            for predicate, value in sorted(statements, key=_predicate):
                yield finding.node, predicate, number_or_text(value)
            if finding.doubts:
                yield finding.node, CASE.inDoubt, Literal(finding.in_doubt)

    # ------------------------------------------------------------------ what several sources state

    def _part_triples(self, class_: URIRef, node: BNode) -> Iterator[Triple]:
        """What is stated of a part; what may be stated once, only where all sources agree."""
        parts = self._assembly.parts[class_]
        unclear = {p: self._unclear.get(f"{local_name(class_)}/{local_name(p)}") for p in parts}
        agreed = {p: [] if unclear[p] else self._agreed(p, stated) for p, stated in parts.items()}
        if agreed.get(CASE.service) == []:
            # A code names a service too, and must not decide alone where another source names another.
            agreed.pop(CASE.procedureCode, None)
        for property_, values in agreed.items():
            if not values:
                self._report_disagreement(class_, property_, unclear[property_])
            for value, statements in parts[property_].items():
                taken = value in values or (bool(values) and property_ not in _MANY)
                for statement in (statement for statement in statements if statement.text):
                    text = statement.text if taken else f"{statement.text}; not used"
                    statement.resource.note(USED if taken else IGNORED, text, *statement.elements)
            for value in values:
                yield node, property_, number_or_text(value)

    def _report_disagreement(self, class_: URIRef, property_: URIRef, unclear: str | None) -> None:
        """Adds a notice that nothing is stated by a property.

        Args:
            unclear: the form that answers it in a way that is not understood, if any does.
        """
        unsettled = self._assembly.unsettled.get(property_, {})
        sources = [*self._assembly.parts[class_][property_].values(), *unsettled.values()]
        places = sorted({statement.resource.place for statements in sources for statement in statements})
        why = f"is stated differently by {' and '.join(places)}"
        if unclear:
            why = f"is answered in {unclear} in a way that is not understood"
        self._assembly.notices.append(f"The {self._assembly.terms.label(property_)} {why}: none is used.")

    def _agreed(self, property_: URIRef, stated: Mapping[Node, Sequence[Statement]]) -> list[Node]:
        """The values to state; none where sources differ.

        Of what may be stated once, the narrowest. Of what may be stated more than once, what one form answers is the
        whole answer, and of several forms the latest counts.
        """
        if property_ in _MANY:
            return list(stated) if property_ == CASE.procedureCode else _latest_answer(stated)
        narrowest_of = self._assembly.terms.narrowest
        values = {value for value in stated if isinstance(value, URIRef)}
        others = self._assembly.unsettled.get(property_, ())
        unsettled = {value for value in others if isinstance(value, URIRef)}
        if len({*stated, *unsettled}) < 2:
            return list(stated)
        narrowest = narrowest_of(values)
        return [narrowest] if narrowest and narrowest_of(values | unsettled) else []


def _predicate(statement: tuple[Node, Node]) -> str:
    return str(statement[0])


def _latest_answer(stated: Mapping[Node, Sequence[Statement]]) -> list[Node]:
    """The values of the latest form that answers a question; all of them where all forms answer alike."""
    answers: dict[Resource, set[Node]] = defaultdict(set)
    for value, statements in stated.items():
        for statement in statements:
            answers[statement.resource].add(value)
    if all(values == set(stated) for values in answers.values()):
        return list(stated)
    days = {form: form.root.days("authored") for form in answers}
    latest = max((span[1] for span in days.values() if span), default=None)
    newest = [form for form, span in days.items() if span and span[1] == latest]
    if None in days.values() or len({frozenset(answers[form]) for form in newest}) > 1:
        return []
    return [value for value in stated if value in answers[newest[0]]]
