"""Findings and parts of the request as answers to questions: QuestionnaireResponse.

Its items name terms by linkId:

    DiseaseStatusAssessment                  a group: one finding of that class
        DiseaseStatusAssessment/date         valueDate
        DiseaseStatusAssessment/disease      valueCoding
        DiseaseStatusAssessment/diseaseStatus
    Request/purpose, Request/reason, Coverage/lineOfBusiness, Product/processing
                                             by themselves or in groups: what the request, plan and product are

A linkId is the local name of a class, or that and the local name of one of its properties. A coding is of our own
vocabularies (system `https://w3id.org/policykb/clinical#` or `https://w3id.org/policykb/case#`, code the local name) or
of any system of the terminology; other answers are a date, a number in the unit of its property (percent for donor
cells) or a boolean.
"""

from __future__ import annotations

from datetime import date

from rdflib import Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.fhir_draft import NOT_UNDERSTOOD, PARTS, USED, Draft, Said
from kb_tools.fhir_resources import Aside, Decimal, Element, Resource
from kb_tools.knowledge_base import local_name
from kb_tools.namespaces import CASE, CLIN


class AnswerReader(Draft):
    """Reads what a provider attests."""

    def _answers(self, resource: Resource) -> None:
        self._status(resource, "completed", "amended")
        resource.note(USED, "as attestation", "status", "subject")
        for item in resource.root.all("item"):
            self._item(resource, item)

    def _item(self, resource: Resource, item: Element) -> None:
        name = item.text("linkId")
        inner = item.all("item")
        try:
            if name in self.terms.kinds:
                self._answered_finding(resource, self.terms.kinds[name], name, inner)
            elif "/" in name and name.partition("/")[0] in PARTS:
                self._answered_part(resource, name, item)
            elif inner:
                for each in inner:
                    self._item(resource, each)
            elif item.all("answer"):
                raise Aside(NOT_UNDERSTOOD, "a question that is not known here", item.at("linkId"))
        except Aside as aside:
            resource.note(aside.treatment, aside.text, *aside.elements)

    def _answered_part(self, resource: Resource, name: str, item: Element) -> None:
        class_ = PARTS[name.partition("/")[0]]
        property_ = self._property(class_, name, item)
        values = [self._answer(property_, each) for each in item.all("answer")]
        for value in values:
            text = f"{self.terms.label(property_)}: {self.terms.label(value)}"
            self._state(class_, property_, value, Said(resource, text, (item.path,)))

    def _answered_finding(self, resource: Resource, kind: Node, name: str, items: list[Element]) -> None:
        values: dict[URIRef, Node] = {}
        day: date | None = None
        for item in items:
            answers = item.all("answer")
            if not answers:
                continue
            if len(answers) > 1:
                raise Aside(NOT_UNDERSTOOD, "more than one answer", item.path)
            if item.text("linkId") == f"{name}/date":
                day = answers[0].day("valueDate") or answers[0].day("valueDateTime")
            else:
                property_ = self._property(kind, item.text("linkId"), item)
                values[property_] = self._answer(property_, answers[0])
        if not values and day is None:
            return
        if CLIN.disease in self.terms.domain[kind] and CLIN.disease not in values:
            raise Aside(NOT_UNDERSTOOD, "it does not say of which disease", *(each.path for each in items))
        paths = tuple(each.path for each in items)
        self._find(resource, kind, day, values, paths, f"{name}/date", CASE.Attestation)

    def _property(self, class_: Node, link: str, item: Element) -> URIRef:
        """The property of a class that a linkId names."""
        wanted = link.partition("/")[2]
        for each in self.terms.domain[class_]:
            if local_name(each) == wanted and f"{local_name(class_)}/{wanted}" == link:
                return URIRef(str(each))
        raise Aside(NOT_UNDERSTOOD, "a question that is not known here", item.at("linkId"))

    def _answer(self, property_: URIRef, answer: Element) -> Node:
        """The value of an answer, as the property takes it."""
        coding = answer.one("valueCoding")
        if coding:
            meaning = self._meaning(coding)
            wanted = self.terms.range.get(property_)
            if meaning and wanted is None and meaning.kind:
                return meaning.kind
            found = {each for each in meaning.concepts if wanted in self._classes(each)} if meaning else set()
            if len(found) != 1:
                name = self.terms.terminology.name(coding.text("system"), coding.text("code"))
                raise Aside(NOT_UNDERSTOOD, f"{name} is no answer to this question", coding.path)
            return next(iter(found))
        if property_ in self.terms.literals:
            value = answer.get("valueBoolean")
            if isinstance(value, bool):
                return Literal("true" if value else "false", datatype=XSD.boolean)
            for name in ("valueInteger", "valueDecimal"):
                value = answer.get(name)
                if value is not None:
                    text = value.text if isinstance(value, Decimal) else str(value)
                    datatype = XSD.integer if name == "valueInteger" else XSD.decimal
                    return Literal(text, datatype=datatype, normalize=False)
        raise Aside(NOT_UNDERSTOOD, "no answer that this question takes", answer.path)
