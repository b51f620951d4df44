"""Findings as Observation states them, and its components."""

from __future__ import annotations

from datetime import date

from rdflib import URIRef
from rdflib.term import Node

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.diseases import diseases_of_reference
from kb_tools.cases.fhir.doubts import DoubtCollector
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.facts import Template
from kb_tools.cases.fhir.observed import ObservedValue, names_of_values
from kb_tools.cases.fhir.references import last_two, unversioned
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, NOWHERE, USED, Skipped
from kb_tools.cases.fhir.standing import require_status
from kb_tools.rdf.namespaces import CASE, CLIN

# Why a value is absent if nothing was observed.
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


class ObservationReader:
    """Reads observations."""

    def __init__(self, assembly: Assembly, doubts: DoubtCollector) -> None:
        self._assembly = assembly
        self._doubts = doubts
        self._codes = assembly.codes
        self._terms = assembly.terms
        self._values = ObservedValue(assembly.codes)

    def read(self, observation: Resource) -> None:
        """States what an observation and its components state.

        Raises:
            Skipped: it states nothing by itself.
        """
        require_status(observation, "final", "amended", "corrected")
        root = observation.root
        day = _day(root)
        codings = root.codings("code")
        outer = self._codes.template(codings, "code")
        components = root.all("component")
        if not outer and not components:
            raise self._codes.unread(codings, "code", "nothing that is read")
        self._require_focus_on_patient(observation)
        valued = bool(names_of_values(root))
        members = [self._assembly.references.follow(observation, reference) for reference in root.all("hasMember")]
        if outer and not valued and not components and members and all(members):
            self._assembly.panels.append((observation, outer[0], [member for member in members if member]))
            raise Skipped(IGNORED, "it groups other observations", "hasMember")
        if outer and (valued or not components):
            self._read_observed(observation, root, *outer, day)
        for component in components:
            try:
                inner = self._template_of(component, outer, valued)
                self._read_observed(observation, component, *inner, day)
            except Skipped as skipped:
                observation.note(skipped.treatment, skipped.text, *skipped.elements)
                if skipped.doubtful:
                    # A panel without a value of its own is of what its components are of.
                    self._doubts.collect(observation, component, *(() if valued else (root,)))

    def _template_of(self, component: Element, outer: Template | None, valued: bool) -> Template:
        """What a component is of: what its code says, else what its panel is of, where its code names a part of it.

        Args:
            outer: what the panel is of.
            valued: whether the panel has a value of its own.
        """
        path = component.at("code")
        codings = component.codings("code")
        inner = self._codes.template(codings, path)
        if inner is None and outer:
            kind, values = outer
            more = self._codes.values(kind, codings)
            if more:
                # What the panel has a value of need not be what its parts are of.
                apart = self._terms.key_property(kind) if valued else None
                shared = {property_: value for property_, value in values.items() if property_ != apart}
                return kind, self._codes.merged(shared, more, path)
            if not valued and self._codes.meanings(codings):
                raise Skipped(NOT_UNDERSTOOD, "its code does not go with that of the panel", path)
        if inner is None:
            raise self._codes.unread(codings, path, "nothing that is read")
        return inner

    def _read_observed(
        self, observation: Resource, element: Element, kind: Node, template: dict[URIRef, Node], day: date | None
    ) -> None:
        """States what an observation, or a component of one, states of a finding.

        Args:
            element: the observation or the component.
            template: what its codes state.
        """
        root, values = observation.root, dict(template)
        self._require_disease_treated(observation, kind)
        if CLIN.disease in self._terms.domain[kind]:
            values[CLIN.disease] = self._focus(observation)
        for property_, name in self._terms.elements_of(kind):
            if root.get(name):
                stated = self._codes.values(kind, root.codings(name)).get(property_)
                if stated is None:
                    raise Skipped(NOT_UNDERSTOOD, "no code that this finding can have", name)
                values = self._codes.merged(values, {property_: stated}, name)
        for valued in (root,) if element is root else (root, element):
            _require_value(valued)
        values = self._values.added(kind, values, root, element)
        self._assembly.find(observation, kind, day, values, root.read(), "effectiveDateTime")
        conversion = self._values.conversion(kind, element)
        if conversion:
            observation.note(USED, conversion, element.at("valueQuantity"))

    # ------------------------------------------------------------------ what an observation is about

    def _require_focus_on_patient(self, observation: Resource) -> None:
        """Raises `Skipped` for an observation with a focus that is neither the patient nor a condition."""
        assembly = self._assembly
        for reference in observation.root.all("focus"):
            found = assembly.references.follow(observation, reference)
            text = unversioned(reference.text("reference"))
            named = last_two(text)
            if found is None and text in assembly.strangers:
                continue
            if found is None and (not named or named.startswith("Condition/")):
                raise Skipped(NOT_UNDERSTOOD, NOWHERE, "focus")
            if found is None or (found not in assembly.patients and found.type != "Condition"):
                raise Skipped(IGNORED, "it is about something other than the patient", "focus")

    def _require_disease_treated(self, observation: Resource, kind: Node) -> None:
        """Raises `Skipped` for a finding about another disease than the one treated, if its class is about one."""
        assembly = self._assembly
        if not self._terms.is_about_a_disease(kind):
            return
        stated = assembly.parts[CASE.Request].get(CASE.reason, ())
        reasons = {reason for reason in stated if isinstance(reason, URIRef)}
        for reference in observation.root.all("focus"):
            found = assembly.references.follow(observation, reference)
            diseases = self._codes.concepts(found.root.codings("code"), CLIN.Disease) if found else set()
            if reasons and any(self._terms.narrowest({disease, *reasons}) is None for disease in diseases):
                raise Skipped(IGNORED, "it is about another disease than the one treated", "focus")

    def _focus(self, observation: Resource) -> Node:
        """The disease that an observation is about: that of every focus."""
        references = observation.root.all("focus")
        named = [diseases_of_reference(self._assembly, observation, reference) for reference in references]
        disease = self._terms.narrowest(set().union(*named)) if named and all(named) else None
        if disease is None:
            raise Skipped(NOT_UNDERSTOOD, "it does not say which disease it is about", "focus")
        return disease


def _day(observation: Element) -> date | None:
    """The day of an observation; None where it has none.

    Raises:
        Skipped: it is a period of more than one day.
    """
    for name in ("effectiveDateTime", "effectiveInstant"):
        day = observation.day(name)
        if day:
            return day
    period = observation.one("effectivePeriod")
    if period:
        start, end = period.day("start"), period.day("end")
        if start and start == end:
            return start
        raise Skipped(NOT_UNDERSTOOD, "a period of more than one day", "effectivePeriod")
    return None


def _require_value(element: Element) -> None:
    """Raises `Skipped` where a value is said to be absent; where nothing was looked for, nothing can be stated."""
    if element.get("dataAbsentReason"):
        codings = element.codings("dataAbsentReason")
        undone = any(coding.text("system") == _ABSENT and coding.text("code") == "not-performed" for coding in codings)
        path = element.at("dataAbsentReason")
        if undone:
            raise Skipped(IGNORED, "it was not performed", path)
        raise Skipped(NOT_UNDERSTOOD, "its value is said to be absent", path)
