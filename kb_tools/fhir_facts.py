"""Findings, as FHIR states them: Condition, Procedure, MedicationAdministration and Observation."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import XSD
from rdflib.term import Node

from kb_tools.fhir_draft import IGNORED, NOT_UNDERSTOOD, NOWHERE, USED, Draft, unstated
from kb_tools.fhir_resources import Aside, Decimal, Element, Resource, last_two
from kb_tools.namespaces import CASE, CLIN
from kb_tools.terminology import Meaning

UCUM = "http://unitsofmeasure.org"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
# What an interpretation says of a test for residual disease.
_INTERPRETED = {
    "POS": CLIN.MRDDetected,
    "DET": CLIN.MRDDetected,
    "NEG": CLIN.MRDNotDetected,
    "ND": CLIN.MRDNotDetected,
}
# The properties by which results are told apart, each with the element that states it.
_TELLING = {"method": CLIN.method, "bodySite": CLIN.lineage}
# The numbers that findings state, each with the UCUM unit that it needs.
_NUMBERS = {
    CLIN.ChimerismTest: (CLIN.donorPercent, "%"),
    CLIN.AcuteGvHDAssessment: (CLIN.grade, "1"),
}
# How the property of a bound is called after that of the number. More than 90 is at least 90.
_COMPARATORS = {"": "", ">=": "AtLeast", ">": "AtLeast", "<=": "AtMost", "<": "Below"}


class FactReader(Draft):
    """Reads findings from the chart."""

    def _condition(self, resource: Resource) -> None:
        self._verified(resource)
        root = resource.root
        codings, clinical = root.codings("code"), root.codings("clinicalStatus")
        meanings = self._meanings(codings)
        if not meanings:
            self._explain_codes(codings, "code", "nothing that is read")
        stated = self._meanings(clinical)
        if root.get("clinicalStatus") and (not stated or any(not self._is_clinical(each) for each in clinical)):
            raise Aside(NOT_UNDERSTOOD, "no clinical status that R4 has", "clinicalStatus")
        gone = any(each.not_present for each in (*meanings, *stated))
        ended = next((name for name in root.content if name.startswith("abatement")), "")
        diseases = {each for meaning in meanings for each in meaning.concepts if CLIN.Disease in self._classes(each)}
        statuses = {
            each
            for meaning in (*meanings, *stated)
            for each in meaning.concepts
            if CLIN.DiseaseStatus in self._classes(each)
        }
        # "In remission" is the one status that goes with being gone, and that ends nothing by having ended.
        present = statuses - {CLIN.InRemission}
        if present and gone:
            raise Aside(
                NOT_UNDERSTOOD, "it says that the disease is back and that it is not there", "code", "clinicalStatus"
            )
        if (present or any(each.kind for each in meanings)) and ended:
            raise Aside(IGNORED, "it has ended", ended)
        made = False
        if statuses and diseases:
            disease, status = self.terms.narrowest(diseases), self.terms.narrowest(statuses)
            if disease is None or status is None:
                raise Aside(NOT_UNDERSTOOD, "its codes name different diseases or statuses", "code")
            day = root.day("recordedDate")
            if day is None:
                raise Aside(NOT_UNDERSTOOD, "the status has no date: recordedDate is missing", "recordedDate")
            values = {CLIN.disease: disease, CLIN.diseaseStatus: status}
            of_code = status == CLIN.Relapsed and not any(status in each.concepts for each in stated)
            stated_onset = re.match(r"[0-9]{4}(?:-[0-9]{2}){0,2}", root.text("onsetDateTime")) if of_code else None
            onset = stated_onset[0] if stated_onset else ""
            self._find(resource, CLIN.DiseaseStatusAssessment, day, values, root.read())
            # As far as the onset is stated: a year, a month or a day. It may be that of the first diagnosis.
            if onset and onset < year_before(day)[: len(onset)]:
                self.notices.append(
                    f"{resource.place}: the relapse is dated by its record of {day}; its onset is stated as {onset}."
                )
            made = True
        for meaning in meanings:
            if meaning.kind:
                if gone:
                    raise Aside(IGNORED, "it is not present now", "clinicalStatus")
                day = root.day("recordedDate") or root.day("onsetDateTime")
                self._find(resource, meaning.kind, day, dict(meaning.values), root.read(), "recordedDate")
                made = True
        if not made:
            notes = unstated(meanings) or unstated(stated)
            raise Aside(IGNORED, ". ".join(notes) or "it states no status and no finding", *root.read())

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

    def _done(self, resource: Resource, codings: list[Element], element: str, single: str, span: str) -> None:
        """Something that was done on one day."""
        meanings = [each for each in self._meanings(codings) if each.kind]
        if not meanings:
            self._explain_codes(codings, element, "nothing that is read")
        kind, values = self._template(meanings, element)
        day = self._day(resource.root, single, span)
        self._find(resource, kind, day, values, resource.root.read(), single)

    def _observation(self, resource: Resource) -> None:
        self._status(resource, "final", "amended", "corrected")
        root = resource.root
        day = self._day(root, "effectiveDateTime", "effectivePeriod", "effectiveInstant")
        codings = root.codings("code")
        outer = [each for each in self._meanings(codings) if each.kind]
        components = root.all("component")
        if not outer and not components:
            self._explain_codes(codings, "code", "nothing that is read")
        self._about_the_patient(resource)
        if outer and (not components or any(name.startswith("value") for name in root.content)):
            self._observed(resource, root, outer, day)
        for component in components:
            try:
                inner = [each for each in self._meanings(component.codings("code")) if each.kind]
                if not inner:
                    self._explain_codes(component.codings("code"), component.at("code"), "nothing that is read")
                self._observed(resource, component, inner, day)
            except Aside as aside:
                resource.note(aside.treatment, aside.text, *aside.elements)

    def _observed(self, resource: Resource, element: Element, meanings: list[Meaning], day: date | None) -> None:
        kind, values = self._template(meanings, element.at("code"))
        root = resource.root
        if CLIN.disease in self.terms.domain[kind]:
            values[CLIN.disease] = self._focus(resource)
        values |= self._coded(kind, element.codings("code"))
        for name, property_ in _TELLING.items():
            found = self._coded(kind, root.codings(name))
            if property_ in self.terms.domain[kind] and root.get(name) and not found:
                raise Aside(NOT_UNDERSTOOD, "no code of it that is known for this finding", name)
            values |= found
        for each in {root.path: root, element.path: element}.values():
            if each.get("dataAbsentReason"):
                raise Aside(NOT_UNDERSTOOD, "its value is said to be absent", each.at("dataAbsentReason"))
        given = sorted(name for name in element.content if re.fullmatch(r"value[A-Z]\w*", name))
        if len(given) > 1:
            raise Aside(NOT_UNDERSTOOD, "more than one value", *map(element.at, given))
        if given:
            values |= self._value(kind, element, given[0])
        counted = set(self.terms.kb.ontology.objects(kind, CASE.countedBy))
        if not counted & {*values, CASE.date}:
            raise Aside(NOT_UNDERSTOOD, "no value", element.at("value[x]"))
        if CLIN.mrdResult in values and _interpreted(element) - {values[CLIN.mrdResult]}:
            raise Aside(NOT_UNDERSTOOD, "value and interpretation contradict each other", element.at("interpretation"))
        self._find(resource, kind, day, values, root.read(), "effectiveDateTime")

    def _about_the_patient(self, resource: Resource) -> None:
        """Sets an observation aside of which a focus is something other than the patient or a condition."""
        for reference in resource.root.all("focus"):
            found = self.references.follow(resource, reference)
            text = reference.text("reference")
            named = last_two(text)
            if found is None and (text in self.strangers or named in self.strangers):
                continue
            if found is None and (not named or named.startswith("Condition/")):
                raise Aside(NOT_UNDERSTOOD, NOWHERE, "focus")
            if found is None or (id(found) not in self.patients and found.type != "Condition"):
                raise Aside(IGNORED, "it is about something other than the patient", "focus")

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
            if not found:
                meanings = self._meanings(codings)
                if meanings:
                    notes = ". ".join(unstated(meanings))
                    raise Aside(IGNORED, notes or "the value says nothing of this finding", path)
                named = [self.terms.terminology.name(each.text("system"), each.text("code")) for each in codings]
                raise Aside(NOT_UNDERSTOOD, f"{', '.join(named) or 'no code'} is not known here", path)
            return found
        property_, unit = _NUMBERS.get(URIRef(str(kind)), (None, ""))
        if property_ is None:
            raise Aside(NOT_UNDERSTOOD, "a value of a type that is not read for this finding", path)
        if name == "valueInteger" and unit == "1":
            return self._number(property_, element.get(name), "", path)
        quantity = element.one(name) if name == "valueQuantity" else None
        if quantity is None:
            raise Aside(NOT_UNDERSTOOD, "a value of a type that is not read for this finding", path)
        if quantity.text("system") != UCUM or quantity.text("code") != unit:
            wanted = "percent (UCUM %)" if unit == "%" else "that of a bare number (UCUM 1)"
            raise Aside(NOT_UNDERSTOOD, f"its unit is not {wanted}", path)
        return self._number(property_, quantity.get("value"), quantity.text("comparator"), path)

    def _number(self, property_: URIRef, value: Any, comparator: str, path: str) -> dict[URIRef, Node]:
        """A number or a bound, in the property that states it."""
        whole = property_ == CLIN.grade
        if isinstance(value, bool) or not isinstance(value, int | float) or (whole and not isinstance(value, int)):
            raise Aside(NOT_UNDERSTOOD, "no number that this finding states", path)
        if comparator not in _COMPARATORS:
            raise Aside(NOT_UNDERSTOOD, "no comparator that R4 has", path)
        if whole and comparator in ("<", ">"):
            value, comparator = value + (1 if comparator == ">" else -1), comparator + "="
        if not 0 <= value <= (4 if whole else 100):
            raise Aside(NOT_UNDERSTOOD, "a number out of range", path)
        text = value.text if isinstance(value, Decimal) else str(value)
        if not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
            raise Aside(NOT_UNDERSTOOD, "a number in exponent notation", path)
        datatype = XSD.integer if isinstance(value, int) else XSD.decimal
        named = URIRef(f"{property_}{_COMPARATORS[comparator]}")
        return {named: Literal(text, datatype=datatype, normalize=False)}


def _interpreted(element: Element) -> set[URIRef]:
    """The results of a test for residual disease that its interpretations state."""
    codings = [coding for each in element.all("interpretation") for coding in each.all("coding")]
    codes = [each.text("code") for each in codings if each.text("system") == INTERPRETATION]
    return {_INTERPRETED[code] for code in codes if code in _INTERPRETED}


def year_before(day: date) -> str:
    """The day a year before, as text; that of a 29th of February need not exist and still can be compared with."""
    return f"{day.year - 1:04}{day.isoformat()[4:]}"
