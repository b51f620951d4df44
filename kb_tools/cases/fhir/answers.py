"""Findings and parts of the request as answers to questions: QuestionnaireResponse.

Its items name terms by linkId:

    DiseaseStatusAssessment                  a group: one finding of that class
        DiseaseStatusAssessment/date         valueDate
        DiseaseStatusAssessment/disease      valueCoding
        DiseaseStatusAssessment/diseaseStatus
    Request/purpose, Request/reason, Coverage/lineOfBusiness, Product/processing, Drug/dose
                                             by themselves or in groups: what the request, plan and products are

A linkId is the local name of a class, or that and the local name of one of its properties. A coding is of our own
vocabularies (system `https://w3id.org/policykb/clinical#` or `https://w3id.org/policykb/case#`, code the local name) or
of any system of the terminology; other answers are a date, a number in the unit of its property (percent for donor
cells) or a boolean.

Items count however deep they stand, within items or answers. A property of a part is not taken from answers if any
answer to it is not understood and no later form corrects it, nor from answers of more than a year before the service.
Of a question that takes several answers the latest form counts; of any other, forms that differ settle nothing. A
finding cannot be later than the form that states it. It is attested, unless all its answers say that they were filled
from the chart (`origin`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rdflib import Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.dates import year_before
from kb_tools.cases.fhir.doubts import DoubtCollector
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.facts import Statement
from kb_tools.cases.fhir.forms import is_of_a_part, items_of
from kb_tools.cases.fhir.numbers import number_literal
from kb_tools.cases.fhir.origin import is_from_chart
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, USED, Skipped
from kb_tools.cases.fhir.standing import require_patient, require_status
from kb_tools.cases.form import Key
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name


class AnswerReader:
    """Reads what a provider attests, or a form was filled with from the chart."""

    def __init__(self, assembly: Assembly, doubts: DoubtCollector) -> None:
        self._assembly = assembly
        self._doubts = doubts
        self._terms = assembly.terms

    def read(self, form: Resource) -> None:
        """States the findings and the parts of the request that a form answers.

        Raises:
            Skipped: the form as a whole does not count.
        """
        self._require_current(form)
        read = form.root.read()
        answers = [given for item, _ in items_of(form, self._terms.kinds) for given in item.all("answer")]
        charted = any(map(is_from_chart, answers))
        what = "as attestation, and as chart evidence where it says so" if charted else "as attestation"
        form.note(USED, what, *read)
        groups: dict[str, list[Element]] = {}
        for item, group in items_of(form, self._terms.kinds):
            if group:
                groups.setdefault(group.path, [group]).append(item)
            try:
                if is_of_a_part(item, self._terms.parts):
                    self._read_part(form, item)
                elif not group and item.all("answer"):
                    raise Skipped(NOT_UNDERSTOOD, "unknown question", item.at("linkId"))
            except Skipped as skipped:
                self._skip_answers(form, skipped, [item])
        for group, *items in groups.values():
            try:
                self._read_finding(form, group.text("linkId"), items)
            except Skipped as skipped:
                self._skip_answers(form, skipped, items)

    def unclear(self) -> dict[str, str]:
        """The questions about parts that are answered in a way that is not understood, each with the form.

        An answer that is understood, of a form of a later day, takes its place.
        """
        unclear: dict[str, tuple[date, str]] = {}
        clear: dict[str, date] = {}
        for form in self._assembly.resources:
            counts = form.type == "QuestionnaireResponse" and not self._is_outdated(form)
            in_doubt = self._is_in_doubt(form) if counts else None
            if in_doubt is None:
                continue
            days = form.root.days("authored")
            for item, _ in items_of(form, self._terms.kinds):
                link = item.text("linkId")
                if is_of_a_part(item, self._terms.parts) and item.get("answer"):
                    if in_doubt or not self._is_understood(item):
                        latest = (days[1] if days else date.max, form.place)
                        unclear[link] = max(unclear.get(link, (date.min, "")), latest)
                    elif days:
                        clear[link] = max(clear.get(link, date.min), days[0])
        return {link: place for link, (day, place) in unclear.items() if clear.get(link, date.min) <= day}

    def _skip_answers(self, form: Resource, skipped: Skipped, items: Sequence[Element]) -> None:
        """Notes why nothing is made of some answers."""
        form.note(skipped.treatment, skipped.text, *skipped.elements)
        if skipped.doubtful:
            self._doubts.collect_answers(form, items)

    # ------------------------------------------------------------------ whether a form counts

    def _require_current(self, form: Resource) -> None:
        """Raises `Skipped` for a form that is not final, or not answered by the time of the service.

        A form can be answered after the bundle was made that it is put into.
        """
        status = form.root.text("status")
        if status in ("in-progress", "stopped"):
            raise Skipped(IGNORED, f"its status is {status}: it was not handed in", "status")
        require_status(form, "completed", "amended")
        day, service_day = form.root.day("authored"), self._assembly.service_day
        if day and service_day and day > service_day:
            raise Skipped(IGNORED, "dated after the service date", "authored")

    def _is_outdated(self, form: Resource) -> bool:
        """Whether it was answered too long ago to be about this request."""
        days, service_day = form.root.days("authored"), self._assembly.service_day
        return bool(days and service_day and days[1].isoformat() < year_before(service_day))

    def _is_in_doubt(self, form: Resource) -> bool | None:
        """Whether a form as a whole is not understood; None if it says nothing."""
        if form in self._assembly.rejected:
            return True if form.notes[-1].treatment is NOT_UNDERSTOOD else None
        try:
            require_patient(self._assembly, form)
            self._require_current(form)
        except Skipped as skipped:
            return True if skipped.doubtful else None
        return False

    def _is_understood(self, item: Element) -> bool:
        try:
            self._values(item)
        except Skipped:
            return False
        return True

    # ------------------------------------------------------------------ what it states

    def _read_part(self, form: Resource, item: Element) -> None:
        if self._is_outdated(form):
            raise Skipped(IGNORED, "answered more than a year before the service date", item.path)
        class_, property_, values = self._values(item)
        for value in values:
            text = f"{self._terms.label(property_)}: {self._terms.label(value)}"
            self._assembly.state(class_, property_, value, Statement(form, text, (item.path,)))

    def _values(self, item: Element) -> tuple[URIRef, URIRef, list[Node]]:
        """The part and the property that an item is about, and the values that its answers state."""
        name = item.text("linkId")
        class_ = self._terms.parts[name.partition("/")[0]]
        property_ = self._property(class_, name, item)
        key = self._terms.keys[class_, property_]
        return class_, property_, [self._answer(key, answer) for answer in item.all("answer")]

    def _read_finding(self, form: Resource, name: str, items: Sequence[Element]) -> None:
        kind = self._terms.kinds[name]
        values: dict[URIRef, Node] = {}
        day: date | None = None
        asked: set[str] = set()
        answered = [
            (item, item.all("answer"))
            for item in items
            if not is_of_a_part(item, self._terms.parts) and item.all("answer")
        ]
        if not answered:
            return
        for item, answers in answered:
            link = item.text("linkId")
            if len(answers) > 1 or link in asked:
                raise Skipped(NOT_UNDERSTOOD, "more than one answer", item.path)
            asked.add(link)
            if link == f"{name}/date":
                day = answers[0].day("valueDate") or answers[0].day("valueDateTime")
            else:
                property_ = self._property(kind, link, item)
                values[property_] = self._answer(self._terms.keys[kind, property_], answers[0])
        paths = tuple(item.path for item, _ in answered)
        if CLIN.disease in self._terms.domain[kind] and CLIN.disease not in values:
            raise Skipped(NOT_UNDERSTOOD, "it does not say which disease it is about", *paths)
        measure = self._terms.measure_of(kind)
        if measure and not measure.consistent(values):
            raise Skipped(NOT_UNDERSTOOD, "its numbers contradict each other", *paths)
        if not self._terms.counts(kind, values):
            raise Skipped(IGNORED, "no value", *paths)
        authored = form.root.day("authored")
        if day and authored and day > authored:
            raise Skipped(NOT_UNDERSTOOD, "dated after it was answered", *paths)
        # One part that a person wrote makes the whole an attestation.
        charted = all(is_from_chart(given) for _, answers in answered for given in answers)
        basis = CASE.ChartEvidence if charted else CASE.Attestation
        self._assembly.find(form, kind, day, values, paths, f"{name}/date", basis)

    def _property(self, class_: Node, link: str, item: Element) -> URIRef:
        """The property of a class that a linkId names."""
        wanted = link.partition("/")[2]
        for property_ in self._terms.domain[class_]:
            if local_name(property_) == wanted and f"{local_name(class_)}/{wanted}" == link:
                return URIRef(str(property_))
        raise Skipped(NOT_UNDERSTOOD, "unknown question", item.at("linkId"))

    def _answer(self, key: Key, answer: Element) -> Node:
        """The value of an answer, as the property takes it."""
        codes = self._assembly.codes
        coding = answer.one("valueCoding")
        if key.terms and coding:
            meaning = codes.meaning(coding)
            named: set[Node] = set(meaning.concepts) if meaning else set()
            if meaning and meaning.kind and not meaning.values:
                named.add(meaning.kind)
            found = {term for term in named if str(term) in key.terms.values()}
            if len(found) != 1:
                raise Skipped(NOT_UNDERSTOOD, f"{codes.name(coding)} does not answer this question", coding.path)
            return found.pop()
        if key.datatype == XSD.boolean and isinstance(answer.get("valueBoolean"), bool):
            return Literal("true" if answer.get("valueBoolean") else "false", datatype=XSD.boolean)
        for name in ("valueInteger", "valueDecimal"):
            if key.datatype in (XSD.integer, XSD.decimal) and answer.get(name) is not None:
                return number_literal(key, answer.get(name), answer.at(name))
        raise Skipped(NOT_UNDERSTOOD, "not an answer that this question accepts", answer.path)
