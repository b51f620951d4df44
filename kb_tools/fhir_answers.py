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

Items count however deep they stand, within items or answers. A property of a part is not taken from answers if any
answer to it is not understood, nor from answers of more than a year before the service.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property

from rdflib import Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.fhir_draft import IGNORED, NOT_UNDERSTOOD, PARTS, USED, Draft, Said
from kb_tools.fhir_facts import year_before
from kb_tools.fhir_resources import Aside, Decimal, Element, Resource
from kb_tools.knowledge_base import local_name
from kb_tools.namespaces import CASE, CLIN


class AnswerReader(Draft):
    """Reads what a provider attests."""

    def _answers(self, resource: Resource) -> None:
        self._current(resource)
        resource.note(USED, "as attestation", *resource.root.read())
        groups: dict[str, tuple[str, list[Element]]] = {}
        for item, group in self._items(resource.root.all("item")):
            try:
                if _of_a_part(item):
                    self._answered_part(resource, item)
                elif group and item.all("answer"):
                    groups.setdefault(group.path, (group.text("linkId"), []))[1].append(item)
                elif item.all("answer"):
                    raise Aside(NOT_UNDERSTOOD, "a question that is not known here", item.at("linkId"))
            except Aside as aside:
                resource.note(aside.treatment, aside.text, *aside.elements)
        for name, items in groups.values():
            try:
                self._answered_finding(resource, self.terms.kinds[name], name, items)
            except Aside as aside:
                resource.note(aside.treatment, aside.text, *aside.elements)

    def _current(self, resource: Resource) -> None:
        """Sets aside what is not final, or not answered by the time of the request."""
        self._status(resource, "completed", "amended")
        day = resource.root.day("authored")
        if day and self.service_day and day > self.service_day:
            raise Aside(IGNORED, "dated after the service date", "authored")
        # As for findings: days are as printed, each in its own time zone.
        if day and self.made and day > self.made + timedelta(days=1):
            raise Aside(IGNORED, "dated after the bundle was made", "authored")

    def _outdated(self, resource: Resource) -> bool:
        """Whether it was answered too long ago to be about this request."""
        day = resource.root.day("authored")
        return bool(day and self.service_day and day.isoformat() < year_before(self.service_day))

    def _items(self, items: list[Element], group: Element | None = None) -> Iterator[tuple[Element, Element | None]]:
        """All items, also those within items and within answers, each with the group of the finding it belongs to."""
        for item in items:
            within = item if item.text("linkId") in self.terms.kinds else group
            yield item, within
            for each in (item, *item.all("answer")):
                yield from self._items(each.all("item"), within)

    @cached_property
    def _unclear(self) -> set[str]:
        """The questions about parts to which any answer, in whatever resource, is not understood."""
        found: set[str] = set()
        for resource in self.resources:
            if resource.type != "QuestionnaireResponse" or id(resource) in self.rejected:
                continue
            try:
                self._of_the_patient(resource)
                self._current(resource)
            except Aside:
                continue
            for item, _ in self._items([] if self._outdated(resource) else resource.root.all("item")):
                try:
                    if _of_a_part(item):
                        self._values(item)
                except Aside:
                    found.add(item.text("linkId"))
        return found

    def _values(self, item: Element) -> tuple[URIRef, URIRef, list[Node]]:
        """The part and the property that an item is about, and the values that its answers state."""
        name = item.text("linkId")
        class_ = PARTS[name.partition("/")[0]]
        property_ = self._property(class_, name, item)
        return class_, property_, [self._answer(property_, each) for each in item.all("answer")]

    def _answered_part(self, resource: Resource, item: Element) -> None:
        if self._outdated(resource):
            raise Aside(IGNORED, "answered more than a year before the service date", item.path)
        class_, property_, values = self._values(item)
        if item.text("linkId") in self._unclear:
            raise Aside(IGNORED, "another answer to the same question is not understood", item.path)
        for value in values:
            text = f"{self.terms.label(property_)}: {self.terms.label(value)}"
            self._state(class_, property_, value, Said(resource, text, (item.path,)))

    def _answered_finding(self, resource: Resource, kind: Node, name: str, items: list[Element]) -> None:
        values: dict[URIRef, Node] = {}
        day: date | None = None
        asked: set[str] = set()
        for item in items:
            answers, link = item.all("answer"), item.text("linkId")
            if len(answers) > 1 or link in asked:
                raise Aside(NOT_UNDERSTOOD, "more than one answer", item.path)
            asked.add(link)
            if link == f"{name}/date":
                day = answers[0].day("valueDate") or answers[0].day("valueDateTime")
            else:
                property_ = self._property(kind, link, item)
                values[property_] = self._answer(property_, answers[0])
        paths = tuple(each.path for each in items)
        if CLIN.disease in self.terms.domain[kind] and CLIN.disease not in values:
            raise Aside(NOT_UNDERSTOOD, "it does not say of which disease", *paths)
        if not set(self.terms.kb.ontology.objects(kind, CASE.countedBy)) & {*values, CASE.date}:
            raise Aside(IGNORED, "no value", *paths)
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


def _of_a_part(item: Element) -> bool:
    """Whether an item asks for what the request, the plan or the product is."""
    name = item.text("linkId")
    return "/" in name and name.partition("/")[0] in PARTS
