"""Findings, as FHIR states them: Condition, Procedure, MedicationAdministration and Observation."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.cases.fhir.assembly import IGNORED, NOT_UNDERSTOOD, NOWHERE, USED, Template, unstated, whole, year_before
from kb_tools.cases.fhir.doubts import DoubtReader
from kb_tools.cases.fhir.references import last_two, unversioned
from kb_tools.cases.fhir.resource import Aside, Element, Resource
from kb_tools.cases.fhir.texts import end_of
from kb_tools.cases.vocabulary import Number
from kb_tools.rdf.namespaces import CASE, CLIN

UCUM = "http://unitsofmeasure.org"
# How a record calls a unit, where its code says little.
_UNITS = {"%": "percent (%)", "1": "that of a bare number (1)"}
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ONSETS = ("onsetDateTime", "onsetPeriod")
# The clinical statuses with which a condition comes or goes, and what is asked of one whose code is not known.
_TELLING = ("relapse", "recurrence", "remission")
_WHOSE = "see whether it is the disease treated"
# The statuses that go with being gone.
_REMISSIONS = {CLIN.InRemission, CLIN.CompleteRemission, CLIN.PartialRemission}
# Why a value is absent if nothing was observed.
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
# What a bound of one share says of the rest. Below 5 leaves more than 95, which is at least 95.
_TURNED = {CASE.atLeast: CASE.atMost, CASE.atMost: CASE.atLeast, CASE.below: CASE.atLeast}
# Which property states a number with a comparator. More than 90 is at least 90.
_COMPARATORS = {">=": CASE.atLeast, ">": CASE.atLeast, "<=": CASE.atMost, "<": CASE.below}


class FactReader(DoubtReader):
    """Reads findings from the chart."""

    def _condition(self, resource: Resource) -> None:
        self._verified(resource)
        root = resource.root
        codings, clinical = root.codings("code"), root.codings("clinicalStatus")
        meanings = self._meanings(codings)
        if not meanings:
            self._tell_of_unknown(resource, clinical)
            self._explain_codes(codings, "code", "nothing that is read")
        stated = self._meanings(clinical)
        if root.get("clinicalStatus") and not any(map(self._is_clinical, clinical)):
            raise Aside(NOT_UNDERSTOOD, "no clinical status that R4 has", "clinicalStatus")
        self.past += [(resource.place, kind) for meaning in meanings for kind in meaning.past]
        gone = any(each.not_present for each in (*meanings, *stated))
        ended = end_of(root)
        if ended and any(not each.not_present for each in stated):
            raise Aside(NOT_UNDERSTOOD, "it says that it has ended and that it is there", ended, "clinicalStatus")
        diseases = self._concepts(codings, CLIN.Disease)
        statuses = self._concepts([*codings, *clinical], CLIN.DiseaseStatus)
        if statuses - _REMISSIONS and gone:
            raise Aside(
                NOT_UNDERSTOOD, "it says that the disease is back and that it is not there", "code", "clinicalStatus"
            )
        if any(each.kind for each in meanings) and ended:
            raise Aside(IGNORED, "it has ended", ended, doubtful=True)
        made = bool(diseases and (statuses or ended))
        if made:
            by_code = not any(CLIN.Relapsed in each.concepts for each in stated)
            self._condition_status(resource, diseases, statuses, ended, by_code)
        for meaning in meanings:
            if meaning.kind:
                if gone:
                    raise Aside(IGNORED, "it is not present now", "clinicalStatus", doubtful=True)
                day = root.day("recordedDate") or root.day("onsetDateTime")
                self._find(resource, meaning.kind, day, dict(meaning.values), root.read(), "recordedDate")
                made = True
        staged = self._says_by_its_stage(resource)
        if made and staged:
            self._doubt(resource, *root.all("stage"))
            resource.note(NOT_UNDERSTOOD, "no fact is made of a stage: what it says may be so", "stage")
        if not made:
            notes = unstated(meanings) or unstated(stated)
            left_open = any(each.leaves_open for each in meanings) and not gone
            doubtful = left_open or staged or bool(self._mentioned_by(codings))
            raise Aside(
                IGNORED, ". ".join(notes) or "it states no status and no finding", *root.read(), doubtful=doubtful
            )

    def _says_by_its_stage(self, resource: Resource) -> bool:
        """Whether the stage of a condition may state a finding, by its codes or in a text."""
        stages = Element(resource.content).all("stage")
        codings = self._codes_of(resource, *stages) if stages else []
        return bool(stages) and bool(self._kinds_of_codes(resource, codings, True) or self._mentions(resource, *stages))

    def _condition_status(
        self, resource: Resource, diseases: set[URIRef], statuses: set[URIRef], ended: str, by_code: bool
    ) -> None:
        """The status of a disease that a condition states.

        A disease that has ended is in remission since then; a remission that is recorded later is of that later day.

        Args:
            ended: the element that states that it has ended, if any does.
            by_code: whether it is its code, and not its clinical status, that says it if it is relapsed.
        """
        root = resource.root
        remissions = statuses & _REMISSIONS
        if ended:
            statuses = remissions or {CLIN.InRemission}
        if statuses & _REMISSIONS != {CLIN.InRemission}:
            # That it is complete or partial says more.
            statuses = statuses - {CLIN.InRemission}
        disease, status = self.terms.narrowest(diseases), self.terms.narrowest(statuses)
        if disease is None or status is None:
            raise Aside(NOT_UNDERSTOOD, "its codes name different diseases or statuses", "code")
        day = root.day("recordedDate") if remissions or not ended else None
        if ended:
            end = root.day(ended) if ended == "abatementDateTime" else None
            if end is None:
                raise Aside(NOT_UNDERSTOOD, "its end has no full date", ended)
            if self.service_day and end > self.service_day:
                raise Aside(NOT_UNDERSTOOD, "it ended after the service date", ended)
            day = max(day, end) if day else end
        if day is None:
            raise Aside(NOT_UNDERSTOOD, "the status has no date: recordedDate is missing", "recordedDate")
        onset = None
        if status == CLIN.Relapsed and (by_code or _is_on_a_problem_list(root)):
            onset = next((root.days(name) for name in _ONSETS if root.get(name)), None)
        values = {CLIN.disease: disease, CLIN.diseaseStatus: status}
        found = self._find(resource, CLIN.DiseaseStatusAssessment, day, values, root.read())
        if onset:
            self.onsets.append((found, onset[0]))
            # It may be the onset of the disease.
            if onset[1].isoformat() < year_before(day):
                self.notices.append(
                    f"{resource.place}: the relapse is dated by its record of {day}; its onset is stated as earlier."
                )

    def _tell_of_unknown(self, resource: Resource, clinical: list[Element]) -> None:
        """Tells of a condition that comes or goes, if it is not known here which it is."""
        for status in sorted(self._concepts(clinical, CLIN.DiseaseStatus)):
            if any(each.text("code") in _TELLING for each in clinical):
                label = self.terms.label(status)
                self.notices.append(f"{resource.place} is {label}, and its code is not known here: {_WHOSE}.")

    def _is_clinical(self, coding: Element) -> bool:
        return coding.text("system") == CLINICAL and self._meaning(coding) is not None

    def _procedure(self, resource: Resource) -> None:
        self._status(resource, "completed")
        root = resource.root
        self._done(resource, root.codings("code"), "code", "performedDateTime", "performedPeriod")

    def _administration(self, resource: Resource) -> None:
        self._status(resource, "completed")
        root = resource.root
        single, span = "effectiveDateTime", "effectivePeriod"
        reference = root.one("medicationReference")
        if reference is None:
            element = "medicationCodeableConcept"
            self._done(resource, root.codings(element), element, single, span)
            return
        medication = self.references.follow(resource, reference)
        if medication is None or id(medication) in self.rejected:
            raise Aside(NOT_UNDERSTOOD, NOWHERE, "medicationReference")
        if medication.root.text("status") == "entered-in-error":
            raise Aside(IGNORED, "the status of what it refers to is entered-in-error", "medicationReference")
        self._done(resource, medication.root.codings("code"), "medicationReference", single, span)
        medication.note(USED, f"as what was given by {resource.place}", *medication.root.read())

    def _hinted(self, resource: Resource) -> None:
        """Sets aside a report, an impression or an adverse event: what it says may be so, and no fact is made of it."""
        if resource.type == "AdverseEvent":
            if resource.root.text("actuality") == "potential":
                raise Aside(IGNORED, "it is said to be only potential", "actuality")
        else:
            self._status(resource, "final", "amended", "corrected", "appended", "completed")
        codings = self._codes_of(resource)
        elements = tuple(dict.fromkeys(each.path.partition(".")[0].partition("[")[0] for each in self._about(resource)))
        if self._kinds_of_codes(resource, codings) or self._mentions(resource):
            text = "no fact is made of this type of resource: what it says may be so"
            raise Aside(NOT_UNDERSTOOD, text, *elements)
        self._explain_codes(codings, elements[0] if elements else "code", "nothing that is read")

    def _done(self, resource: Resource, codings: list[Element], element: str, single: str, span: str) -> None:
        """Something that was done on one day."""
        template = self._template(codings, element)
        if template is None:
            self._explain_codes(codings, element, "nothing that is read")
        kind, values = template
        day = resource.root.day(single) or self._last_day(resource.root, span)
        self._find(resource, kind, day, values, resource.root.read(), single)

    def _last_day(self, root: Element, span: str) -> date | None:
        """The last day of the period over which a thing was done; what was found until then was found before its end.

        Raises:
            Aside: the period has no last day, or one after the service date.
        """
        period = root.one(span)
        if period is None:
            return None
        start, end = period.day("start"), period.day("end")
        if end is None or (start and start > end):
            raise Aside(NOT_UNDERSTOOD, "a period without a last day", span)
        if self.service_day and end > self.service_day and not (start and start > self.service_day):
            raise Aside(NOT_UNDERSTOOD, "a period that ends after the service date", span)
        return end

    def _observation(self, resource: Resource) -> None:
        self._status(resource, "final", "amended", "corrected")
        root = resource.root
        day = self._day(root, "effectiveDateTime", "effectivePeriod", "effectiveInstant")
        codings = root.codings("code")
        outer = self._template(codings, "code")
        components = root.all("component")
        if not outer and not components:
            self._explain_codes(codings, "code", "nothing that is read")
        self._about_the_patient(resource)
        valued = bool(_values_of(root))
        members = [self.references.follow(resource, each) for each in root.all("hasMember")]
        if outer and not valued and not components and members and all(members):
            self.panels.append((resource, outer[0], [each for each in members if each]))
            raise Aside(IGNORED, "it groups other observations", "hasMember")
        if outer and (valued or not components):
            self._observed(resource, root, *outer, day)
        for component in components:
            try:
                inner = self._component(component, outer, valued)
                self._observed(resource, component, *inner, day)
            except Aside as aside:
                resource.note(aside.treatment, aside.text, *aside.elements)
                if aside.doubtful:
                    # A panel without a value of its own is of what its components are of.
                    self._doubt(resource, component, *(() if valued else (root,)))

    def _component(self, component: Element, outer: Template | None, valued: bool) -> Template:
        """What a component is of: what its code says, else what its panel is of, where its code names a part of it."""
        codings = component.codings("code")
        inner = self._template(codings, component.at("code"))
        if inner is None and outer:
            kind, values = outer
            more = self._coded(kind, codings)
            if more:
                # What the panel has a value of need not be what its parts are of.
                apart = self.terms.key_property(kind) if valued else None
                shared = {property_: value for property_, value in values.items() if property_ != apart}
                return kind, self._merged(shared, more, component.at("code"))
            if not valued and self._meanings(codings):
                raise Aside(NOT_UNDERSTOOD, "its code does not go with that of the panel", component.at("code"))
        if inner is None:
            self._explain_codes(codings, component.at("code"), "nothing that is read")
        return inner

    def _observed(
        self, resource: Resource, element: Element, kind: Node, template: dict[URIRef, Node], day: date | None
    ) -> None:
        root, values = resource.root, dict(template)
        self._of_the_disease(resource, kind)
        if CLIN.disease in self.terms.domain[kind]:
            values[CLIN.disease] = self._focus(resource)
        for property_, name in self.terms.elements.items():
            if property_ in self.terms.domain[kind] and root.get(name):
                stated = self._coded(kind, root.codings(name)).get(property_)
                if stated is None:
                    raise Aside(NOT_UNDERSTOOD, "no code of it that is known for this finding", name)
                values = self._merged(values, {property_: stated}, name)
        for each in {root.path: root, element.path: element}.values():
            self._absent(each)
        given = _values_of(element)
        if len(given) > 1:
            raise Aside(NOT_UNDERSTOOD, "more than one value", *map(element.at, given))
        if given:
            value = self._value(kind, element, given[0])
            if self._is_the_rest(root, element):
                value = self._rest(kind, value, element.at(given[0]))
            values = self._with_value(kind, values, value, element.at(given[0]))
        if not self.terms.counts(kind, values):
            raise Aside(NOT_UNDERSTOOD, "no value", element.at("value[x]"))
        self._hold_against_interpretation(kind, values, element)
        self._find(resource, kind, day, values, root.read(), "effectiveDateTime")

    def _is_the_rest(self, root: Element, element: Element) -> bool:
        """Whether a number is the rest of what a finding states, by the code of its component, else of the panel."""
        for each in (element, root):
            stating = [meaning for meaning in self._meanings(each.codings("code")) if meaning.kind]
            if stating:
                if len({meaning.complement for meaning in stating}) > 1:
                    raise Aside(NOT_UNDERSTOOD, "its codes contradict each other", each.at("code"))
                return stating[0].complement
        return False

    def _rest(self, kind: Node, value: dict[URIRef, Node], path: str) -> dict[URIRef, Node]:
        """What is stated of the rest of a hundred percent: 100 minus a number, and the other bound."""
        number = self.terms.number_of(kind)
        turned = {number.exact: number.exact} if number else {}
        for one, other in (_TURNED if number else {}).items():
            if number and one in number.bounds and other in number.bounds:
                turned[number.bounds[one]] = number.bounds[other]
        found: dict[URIRef, Node] = {}
        for property_, stated in value.items():
            if property_ not in turned:
                raise Aside(NOT_UNDERSTOOD, "a bound that this finding does not state", path)
            rest = Literal(str(100 - Decimal(str(stated))), datatype=XSD.decimal, normalize=False)
            found[turned[property_]] = rest
        return found

    def _with_value(
        self, kind: Node, values: dict[URIRef, Node], value: dict[URIRef, Node], path: str
    ) -> dict[URIRef, Node]:
        """What a code and a value state together, of a number only one of them."""
        number = self.terms.number_of(kind)
        if number and values.keys() & number.properties and value.keys() & number.properties:
            raise Aside(NOT_UNDERSTOOD, "its code states a value too", path)
        return self._merged(values, value, path)

    def _hold_against_interpretation(self, kind: Node, values: dict[URIRef, Node], element: Element) -> None:
        """Sets aside what is interpreted otherwise than it states, or as saying nothing for certain."""
        codings = [coding for each in element.all("interpretation") for coding in each.all("coding")]
        unclear = any(not each.concepts for each in self._meanings(codings))
        if unclear or any(values.get(p, concept) != concept for p, concept in self._coded(kind, codings).items()):
            raise Aside(NOT_UNDERSTOOD, "value and interpretation contradict each other", element.at("interpretation"))

    def _absent(self, element: Element) -> None:
        """Sets aside what is said to have no value; where nothing was looked for, nothing can be stated either."""
        if element.get("dataAbsentReason"):
            codings = element.codings("dataAbsentReason")
            undone = any(each.text("system") == _ABSENT and each.text("code") == "not-performed" for each in codings)
            path = element.at("dataAbsentReason")
            if undone:
                raise Aside(IGNORED, "it was not performed", path)
            raise Aside(NOT_UNDERSTOOD, "its value is said to be absent", path)

    def _about_the_patient(self, resource: Resource) -> None:
        """Sets an observation aside of which a focus is something other than the patient or a condition."""
        for reference in resource.root.all("focus"):
            found = self.references.follow(resource, reference)
            text = unversioned(reference.text("reference"))
            named = last_two(text)
            if found is None and text in self.strangers:
                continue
            if found is None and (not named or named.startswith("Condition/")):
                raise Aside(NOT_UNDERSTOOD, NOWHERE, "focus")
            if found is None or (id(found) not in self.patients and found.type != "Condition"):
                raise Aside(IGNORED, "it is about something other than the patient", "focus")

    def _of_the_disease(self, resource: Resource, kind: Node) -> None:
        """Sets a finding aside that is about another disease than the one treated, if its class is about a disease."""
        if not any(self._is(each, CASE.aboutDisease) for each in self.terms.domain[kind]):
            return
        reasons = {each for each in self.parts[CASE.Request].get(CASE.reason, ()) if isinstance(each, URIRef)}
        for reference in resource.root.all("focus"):
            found = self.references.follow(resource, reference)
            diseases = self._concepts(found.root.codings("code"), CLIN.Disease) if found else set()
            if reasons and any(self.terms.narrowest({each, *reasons}) is None for each in diseases):
                raise Aside(IGNORED, "it is about another disease than the one treated", "focus")

    def _focus(self, resource: Resource) -> Node:
        """The disease that an observation is about: that of every focus."""
        named = [self._referred_diseases(resource, each) for each in resource.root.all("focus")]
        disease = self.terms.narrowest(set().union(*named)) if named and all(named) else None
        if disease is None:
            raise Aside(NOT_UNDERSTOOD, "it does not say of which disease", "focus")
        return disease

    def _value(self, kind: Node, element: Element, name: str) -> dict[URIRef, Node]:
        """What the value of an observation, or of a component, states."""
        path = element.at(name)
        if name == "valueCodeableConcept":
            codings = element.codings(name)
            found = self._coded(kind, codings)
            meanings = self._meanings(codings)
            if found and any(not self._coded(kind, [each]) for each in codings if self._meaning(each)):
                raise Aside(NOT_UNDERSTOOD, "its codes contradict each other", path)
            if not found:
                if meanings:
                    notes = ". ".join(unstated(meanings))
                    doubtful = any(each.concepts or each.kind for each in meanings)
                    raise Aside(IGNORED, notes or "the value says nothing of this finding", path, doubtful=doubtful)
                raise Aside(NOT_UNDERSTOOD, self._unknown(codings) or "no code", path)
            return found
        number = self.terms.number_of(kind)
        if number and name == "valueInteger" and number.unit == "1":
            return self._number(kind, number, element.get(name), "", path)
        quantity = element.one(name) if number and name == "valueQuantity" else None
        if number is None or quantity is None:
            raise Aside(NOT_UNDERSTOOD, "a value of a type that is not read for this finding", path)
        bare = number.unit == "1" and not any(map(quantity.get, ("system", "code", "unit")))
        if not bare and (quantity.text("system") != UCUM or quantity.text("code") != number.unit):
            raise Aside(NOT_UNDERSTOOD, f"its unit is not {_UNITS.get(number.unit, number.unit)} in UCUM", path)
        return self._number(kind, number, quantity.get("value"), quantity.text("comparator"), path)

    def _number(self, kind: Node, number: Number, value: Any, comparator: str, path: str) -> dict[URIRef, Node]:
        """A number or a bound, in the property that states it."""
        if comparator and comparator not in _COMPARATORS:
            raise Aside(NOT_UNDERSTOOD, "no comparator that R4 has", path)
        value = whole(value) if number.whole else value
        if number.whole and isinstance(value, int) and comparator in ("<", ">"):
            value, comparator = value + (1 if comparator == ">" else -1), comparator + "="
        property_ = number.bounds.get(_COMPARATORS[comparator]) if comparator else number.exact
        if property_ is None:
            raise Aside(NOT_UNDERSTOOD, "a bound that this finding does not state", path)
        return {property_: self._number_as(self.terms.terminology.keys[kind, property_], value, path)}


def _values_of(element: Element) -> list[str]:
    """The names of the elements of an observation, or of a component, that state its value."""
    return sorted(name for name in element.content if re.fullmatch(r"value[A-Z]\w*", name))


def _is_on_a_problem_list(condition: Element) -> bool:
    """Whether a condition stands on a problem list, which is kept on for years and made anew from record to record."""
    codings = [coding for each in condition.all("category") for coding in each.all("coding")]
    return any(each.text("code") == "problem-list-item" for each in codings)
