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
answer to it is not understood and no later form corrects it, nor from answers of more than a year before the service.
Of a question that takes several answers the latest form counts; of any other, forms that differ settle nothing. A
finding cannot be later than the form that states it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cached_property

from rdflib import Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.cases.fhir.assembly import IGNORED, NOT_UNDERSTOOD, PARTS, USED, Said, year_before
from kb_tools.cases.fhir.doubts import Doubt, DoubtReader
from kb_tools.cases.fhir.resource import Aside, Element, Resource
from kb_tools.cases.form import Key
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name


class AnswerReader(DoubtReader):
    """Reads what a provider attests."""

    def _answers(self, resource: Resource) -> None:
        self._current(resource)
        resource.note(USED, "as attestation", *resource.root.read())
        groups: dict[str, list[Element]] = {}
        for item, group in self._items(resource.root.all("item")):
            if group:
                groups.setdefault(group.path, [group]).append(item)
            try:
                if _of_a_part(item):
                    self._answered_part(resource, item)
                elif not group and item.all("answer"):
                    raise Aside(NOT_UNDERSTOOD, "a question that is not known here", item.at("linkId"))
            except Aside as aside:
                self._set_aside(resource, aside, [item])
        for group, *items in groups.values():
            try:
                self._answered_finding(resource, group.text("linkId"), items)
            except Aside as aside:
                self._set_aside(resource, aside, items)

    def _set_aside(self, resource: Resource, aside: Aside, items: Sequence[Element]) -> None:
        """Notes why nothing is made of some answers."""
        resource.note(aside.treatment, aside.text, *aside.elements)
        if aside.doubtful:
            self._doubt_answers(resource, items)

    def _doubt(self, resource: Resource, *parts: Element) -> None:
        super()._doubt(resource, *parts)
        if resource.type == "QuestionnaireResponse":
            groups: dict[str, list[Element]] = {}
            for item, group in self._items(resource.root.all("item")):
                groups.setdefault(group.path if group else item.path, []).append(item)
            for items in groups.values():
                self._doubt_answers(resource, items)

    def _doubt_answers(self, resource: Resource, items: Sequence[Element]) -> None:
        """Keeps in mind what answers may state: findings of the classes that their questions name."""
        answered = [item for item in items if item.get("answer")]
        groups = [item for item in items if answered and not item.get("answer")]
        authored = resource.root.days("authored")
        for name in sorted(
            {each.text("linkId").partition("/")[0] for each in (*answered, *groups)} & self.terms.kinds.keys()
        ):
            dates = [each for item in answered if item.text("linkId") == f"{name}/date" for each in item.all("answer")]
            days = {each.days("valueDate") or each.days("valueDateTime") for each in dates}
            when = days.pop() if len(days) == 1 else None
            kind = self.terms.kinds[name]
            when = when or ((date.min, authored[1]) if authored else None)
            self.doubts.append(Doubt(resource, kind, when, None if self.terms.key_property(kind) else kind))

    def _current(self, resource: Resource) -> None:
        """Sets aside what is not final, or not answered by the time of the service.

        A form can be answered after the bundle was made that it is put into.
        """
        status = resource.root.text("status")
        if status in ("in-progress", "stopped"):
            raise Aside(IGNORED, f"its status is {status}: it was not handed in", "status")
        self._status(resource, "completed", "amended")
        day = resource.root.day("authored")
        if day and self.service_day and day > self.service_day:
            raise Aside(IGNORED, "dated after the service date", "authored")

    def _outdated(self, resource: Resource) -> bool:
        """Whether it was answered too long ago to be about this request."""
        days = resource.root.days("authored")
        return bool(days and self.service_day and days[1].isoformat() < year_before(self.service_day))

    def _items(self, items: list[Element], group: Element | None = None) -> Iterator[tuple[Element, Element | None]]:
        """All items, also those within items and within answers, each with the group of the finding it belongs to."""
        for item in items:
            within = item if item.text("linkId") in self.terms.kinds else group
            yield item, within
            for each in (item, *item.all("answer")):
                yield from self._items(each.all("item"), within)

    @cached_property
    def unclear(self) -> dict[str, str]:
        """The questions about parts that are answered in a way that is not understood, each with the resource.

        An answer that is understood, of a form of a later day, is in its place.
        """
        unclear: dict[str, tuple[date, str]] = {}
        clear: dict[str, date] = {}
        for resource in self.resources:
            read = resource.type == "QuestionnaireResponse" and not self._outdated(resource)
            whole = self._in_doubt(resource) if read else None
            days = resource.root.days("authored")
            for item, _ in self._items(resource.root.all("item")) if whole is not None else ():
                link = item.text("linkId")
                if _of_a_part(item) and item.get("answer"):
                    if whole or not self._understood(item):
                        unclear[link] = max(
                            unclear.get(link, (date.min, "")), (days[1] if days else date.max, resource.place)
                        )
                    elif days:
                        clear[link] = max(clear.get(link, date.min), days[0])
        return {link: place for link, (day, place) in unclear.items() if clear.get(link, date.min) <= day}

    def _in_doubt(self, resource: Resource) -> bool | None:
        """Whether a form as a whole is not understood; None if it says nothing."""
        if id(resource) in self.rejected:
            return True if resource.notes[-1].treatment is NOT_UNDERSTOOD else None
        try:
            self._of_the_patient(resource)
            self._current(resource)
        except Aside as aside:
            return True if aside.doubtful else None
        return False

    def _understood(self, item: Element) -> bool:
        try:
            self._values(item)
        except Aside:
            return False
        return True

    def _values(self, item: Element) -> tuple[URIRef, URIRef, list[Node]]:
        """The part and the property that an item is about, and the values that its answers state."""
        name = item.text("linkId")
        class_ = PARTS[name.partition("/")[0]]
        property_ = self._property(class_, name, item)
        return (
            class_,
            property_,
            [self._answer(self.terms.terminology.keys[class_, property_], each) for each in item.all("answer")],
        )

    def _answered_part(self, resource: Resource, item: Element) -> None:
        if self._outdated(resource):
            raise Aside(IGNORED, "answered more than a year before the service date", item.path)
        class_, property_, values = self._values(item)
        for value in values:
            text = f"{self.terms.label(property_)}: {self.terms.label(value)}"
            self._state(class_, property_, value, Said(resource, text, (item.path,)))

    def _answered_finding(self, resource: Resource, name: str, items: Sequence[Element]) -> None:
        kind = self.terms.kinds[name]
        values: dict[URIRef, Node] = {}
        day: date | None = None
        asked: set[str] = set()
        answered = [(item, item.all("answer")) for item in items if not _of_a_part(item) and item.all("answer")]
        if not answered:
            return
        for item, answers in answered:
            link = item.text("linkId")
            if len(answers) > 1 or link in asked:
                raise Aside(NOT_UNDERSTOOD, "more than one answer", item.path)
            asked.add(link)
            if link == f"{name}/date":
                day = answers[0].day("valueDate") or answers[0].day("valueDateTime")
            else:
                property_ = self._property(kind, link, item)
                values[property_] = self._answer(self.terms.terminology.keys[kind, property_], answers[0])
        paths = tuple(item.path for item, _ in answered)
        if CLIN.disease in self.terms.domain[kind] and CLIN.disease not in values:
            raise Aside(NOT_UNDERSTOOD, "it does not say of which disease", *paths)
        number = self.terms.number_of(kind)
        if number and not number.consistent(values):
            raise Aside(NOT_UNDERSTOOD, "its numbers do not go together", *paths)
        if not self.terms.counts(kind, values):
            raise Aside(IGNORED, "no value", *paths)
        authored = resource.root.day("authored")
        if day and authored and day > authored:
            raise Aside(NOT_UNDERSTOOD, "dated after it was answered", *paths)
        self._find(resource, kind, day, values, paths, f"{name}/date", CASE.Attestation)

    def _property(self, class_: Node, link: str, item: Element) -> URIRef:
        """The property of a class that a linkId names."""
        wanted = link.partition("/")[2]
        for each in self.terms.domain[class_]:
            if local_name(each) == wanted and f"{local_name(class_)}/{wanted}" == link:
                return URIRef(str(each))
        raise Aside(NOT_UNDERSTOOD, "a question that is not known here", item.at("linkId"))

    def _answer(self, key: Key, answer: Element) -> Node:
        """The value of an answer, as the property takes it."""
        coding = answer.one("valueCoding")
        if key.terms and coding:
            meaning = self._meaning(coding)
            named: set[Node] = set(meaning.concepts) if meaning else set()
            if meaning and meaning.kind and not meaning.values:
                named.add(meaning.kind)
            found = {each for each in named if str(each) in key.terms.values()}
            if len(found) != 1:
                raise Aside(NOT_UNDERSTOOD, f"{self._name(coding)} is no answer to this question", coding.path)
            return found.pop()
        if key.datatype == XSD.boolean and isinstance(answer.get("valueBoolean"), bool):
            return Literal("true" if answer.get("valueBoolean") else "false", datatype=XSD.boolean)
        for name in ("valueInteger", "valueDecimal"):
            if key.datatype in (XSD.integer, XSD.decimal) and answer.get(name) is not None:
                return self._number_as(key, answer.get(name), answer.at(name))
        raise Aside(NOT_UNDERSTOOD, "no answer that this question takes", answer.path)


def _of_a_part(item: Element) -> bool:
    """Whether an item asks for what the request, the plan or the product is."""
    name = item.text("linkId")
    return "/" in name and name.partition("/")[0] in PARTS
