"""What the request asks for, why and when, as Claim and ServiceRequest state it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rdflib import URIRef

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.diseases import diseases_of_codes, diseases_of_reference, one_disease
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.facts import Statement
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.services import Services, coded_element, items_of, parts_of, standing_items
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, Skipped
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.namespaces import CASE, CLIN

# What Da Vinci PAS calls the time of the whole claim.
_EVENT = ("http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASSupportingInfoType", "patientEvent")
_ONE_DATE = "give the request one full date of service"
# A reason as a request names it: its disease; empty if it is known to be none; None where it is not known what it is.
_Reason = set[URIRef] | None


class RequestReader:
    """Reads the request of one case."""

    def __init__(self, assembly: Assembly, services: Services) -> None:
        self._assembly = assembly
        self._services = services
        self._codes = assembly.codes

    def read(self, requests: list[Resource]) -> None:
        """States what requests ask for, and sets the day of service.

        Args:
            requests: the request that is decided, and the service requests that it names.

        Raises:
            UnreadableInput: they have no date of service, or several.
        """
        reasons: list[tuple[Resource, list[_Reason]]] = []
        for request in requests:
            self._assembly.done.add(request)
            element = coded_element(request)
            services: set[URIRef] = set()
            standing = standing_items(request)
            for item in items_of(request):
                if item not in standing:
                    request.note(IGNORED, "it is cancelled", item.path)
            for item in standing:
                for part in parts_of(item):
                    services |= self._read_codes(request, part, element)
            # Services that differ are stated all the same: then neither they nor the procedure codes decide.
            for service in services:
                self._assembly.state(CASE.Request, CASE.service, service, Statement(request))
            if services and self._assembly.terms.narrowest(services) is None:
                request.note(NOT_UNDERSTOOD, "its items request different services, so none is stated", element)
            is_claim = request.type == "Claim"
            reasons.append((request, self._claim_reasons(request) if is_claim else self._order_reasons(request)))
        self._state_reason(reasons)
        self._state_site(requests)
        days = {day for request in requests for day in self._service_days(request)}
        preview = self._assembly.preview
        if not days and preview:
            days = {preview}
            self._assembly.notify(f"The order states no date of service: it is taken as of {preview}.")
        if not days:
            raise UnreadableInput("no service date", hint=_ONE_DATE)
        if len(days) > 1:
            raise UnreadableInput("several service dates", hint="send one bundle a date of service")
        self._assembly.service_day = next(iter(days))

    def _read_codes(self, request: Resource, item: Element, name: str) -> set[URIRef]:
        """Notes the procedure codes of an item and returns the services that they name."""
        codings = item.codings(name)
        for coding in codings:
            system = self._services.procedure_system(coding)
            if system:
                code = URIRef(system.namespace + coding.text("code"))
                self._assembly.state(CASE.Request, CASE.procedureCode, code, Statement(request))
            elif self._codes.meaning(coding) is None:
                request.note(NOT_UNDERSTOOD, self._codes.unknown([coding]), coding.path)
        if not codings:
            request.note(NOT_UNDERSTOOD, "no code", item.at(name))
        return self._services.named(codings)

    # ------------------------------------------------------------------ when

    def _service_days(self, request: Resource) -> set[date]:
        """The days of service of the items that name the service, or of all if none does; else of the whole claim.

        Raises:
            UnreadableInput: one of them is not understood.
        """
        if request.type != "Claim":
            return self._days_at(request, request.root, "occurrenceDateTime", "occurrencePeriod", "occurrenceTiming")
        items = standing_items(request)
        naming = [item for item in items if self._services.are_asked_by_item(item)] or items
        events = [
            info
            for info in request.root.all("supportingInfo")
            if any((coding.text("system"), coding.text("code")) == _EVENT for coding in info.codings("category"))
        ]
        return (
            {day for item in naming for day in self._days_at(request, item, "servicedDate", "servicedPeriod")}
            or {day for event in events for day in self._days_at(request, event, "timingDate", "timingPeriod")}
            or self._days_at(request, request.root, "billablePeriod")
        )

    def _days_at(self, request: Resource, element: Element, *names: str) -> set[date]:
        """The day of service that an element states; of a period its first day, with a notice."""
        found: set[date] = set()
        try:
            for name in names:
                timing = element.one(name)
                if timing is None:
                    day = element.day(name) if element.get(name) else None
                elif timing.get("event") or timing.get("repeat") or timing.get("code"):
                    day = _event(timing)
                else:
                    day = timing.day("start")
                    if day and timing.day("end") not in (None, day):
                        self._assembly.notify(
                            f"The request is for a period: its first day, {day}, is taken as the service date."
                        )
                found |= {day} if day else set()
        except Skipped as skipped:
            what = f"no service date: {request.place}: {skipped.text}: {', '.join(skipped.elements)}"
            raise UnreadableInput(what, hint=_ONE_DATE) from skipped
        return found

    # ------------------------------------------------------------------ where

    def _state_site(self, requests: list[Resource]) -> None:
        """States the site of the service, if it is known of every place that is named what it is.

        Of a claim the items that name the service, or all if none does.
        """
        named: list[tuple[Resource, Element, set[URIRef]]] = []
        for request in requests:
            items = standing_items(request)
            asking = [item for item in items if self._services.are_asked_by_item(item)] or items
            for place in (place for item in asking for place in _places(item)):
                sites = self._codes.concepts(place.all("coding"), CLIN.Site)
                named.append((request, place, sites))
                if not sites:
                    request.note(NOT_UNDERSTOOD, "the place is not known, so no site is stated", place.path)
        known = all(sites for _, _, sites in named)
        for request, place, sites in named:
            for site in sites if known else ():
                text = f"{self._assembly.terms.label(CLIN.site)}: {self._assembly.terms.label(site)}"
                self._assembly.state(CLIN.SiteOfService, CLIN.site, site, Statement(request, text, (place.path,)))

    # ------------------------------------------------------------------ why

    def _state_reason(self, reasons: list[tuple[Resource, list[_Reason]]]) -> None:
        """States the disease that is treated, if it is known of all that is named as a reason what it is."""
        known = all(None not in named for _, named in reasons)
        beside = any(any(named) for _, named in reasons)
        for request, named in reasons:
            element = "diagnosis" if request.type == "Claim" else "reasonCode"
            if None in named and beside:
                request.note(NOT_UNDERSTOOD, "not every reason is known, so none is stated", element)
            disease = one_disease(self._assembly, request, set().union(*filter(None, named)), element)
            if disease and known:
                self._assembly.state(CASE.Request, CASE.reason, disease, Statement(request))
            elif disease:
                self._assembly.state_unsettled(CASE.reason, disease, Statement(request))

    def _claim_reasons(self, claim: Resource) -> list[_Reason]:
        """What the items for the service point to among the diagnoses of a claim: of that the principal, if any is."""
        diagnoses: Sequence[Element] = claim.root.all("diagnosis")
        pointed = self._pointed(claim)
        named: list[_Reason] = []
        if pointed:
            present = {diagnosis.get("sequence") for diagnosis in diagnoses}
            named = [None for number in pointed if number not in present]
            diagnoses = [diagnosis for diagnosis in diagnoses if diagnosis.get("sequence") in pointed]
        if None in named:
            claim.note(NOT_UNDERSTOOD, "it points to a diagnosis that is not there", "item.diagnosisSequence")
        principal = [diagnosis for diagnosis in diagnoses if "principal" in _roles(diagnosis)]
        for diagnosis in principal or diagnoses:
            if "differential" in _roles(diagnosis):
                claim.note(NOT_UNDERSTOOD, "a differential diagnosis is not yet a diagnosis", diagnosis.path)
                named.append(None)
                continue
            reference = diagnosis.one("diagnosisReference")
            if reference:
                named.append(self._reason_of_reference(claim, reference))
            else:
                name = "diagnosisCodeableConcept"
                named.append(self._reason_of_codes(claim, diagnosis.codings(name), diagnosis.at(name)))
        return named

    def _pointed(self, claim: Resource) -> set[int]:
        """The diagnoses that the items for the service point to; none where one of them points to none."""
        pointed: set[int] = set()
        for item in standing_items(claim):
            numbers = [number for number in item.get("diagnosisSequence") or () if isinstance(number, int)]
            if self._services.are_asked_by_item(item):
                if not numbers:
                    return set()
                pointed.update(numbers)
        return pointed

    def _order_reasons(self, order: Resource) -> list[_Reason]:
        """What a service request gives as its reasons."""
        stated, references = order.root.all("reasonCode"), order.root.all("reasonReference")
        coded: Sequence[Element] = [concept for concept in stated if concept.all("coding")]
        if coded or references:
            for concept in stated:
                if concept not in coded:
                    order.note(IGNORED, "a reason in words, beside one by code or reference", concept.path)
        else:
            coded = stated
        named = [self._reason_of_codes(order, concept.all("coding"), concept.path) for concept in coded]
        return [*named, *(self._reason_of_reference(order, reference) for reference in references)]

    def _reason_of_codes(self, request: Resource, codings: Sequence[Element], path: str) -> _Reason:
        """The disease that codes name together."""
        found = diseases_of_codes(self._assembly, request, codings)
        if not codings:
            request.note(NOT_UNDERSTOOD, "no code", path)
        if not found:
            return set() if self._codes.meanings(codings) else None
        disease = one_disease(self._assembly, request, found, path)
        return {disease} if disease else None

    def _reason_of_reference(self, request: Resource, reference: Element) -> _Reason:
        found = diseases_of_reference(self._assembly, request, reference)
        disease = one_disease(self._assembly, request, found, reference.path)
        return {disease} if disease else None


def _event(timing: Element) -> date | None:
    """The day on which a Timing says that something happens.

    Raises:
        Skipped: it says more than one full date.
    """
    events = timing.get("event")
    if timing.get("repeat") or timing.get("code") or not isinstance(events, list) or len(events) != 1:
        raise Skipped(NOT_UNDERSTOOD, "not exactly one date", timing.path)
    return Element({"event": events[0]}, timing.path).day("event")


def _places(item: Element) -> Sequence[Element]:
    """Where an item of a claim, or a service request, is to be given, by code."""
    one = item.one("locationCodeableConcept")
    return [one] if one else item.all("locationCode")


def _roles(diagnosis: Element) -> set[str]:
    return {role.text("code") for concept in diagnosis.all("type") for role in concept.all("coding")}
