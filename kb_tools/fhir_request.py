"""The request and the plan, as FHIR states them: Claim, ServiceRequest and Coverage."""

from __future__ import annotations

import re
from datetime import date

from rdflib import URIRef

from kb_tools.errors import UnreadableInput
from kb_tools.fhir_draft import IGNORED, NOT_UNDERSTOOD, NOWHERE, Draft, Said
from kb_tools.fhir_resources import Aside, Element, Resource
from kb_tools.namespaces import CASE, CLIN

REQUESTED_SERVICE = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-requestedService"


class RequestReader(Draft):
    """Reads what is requested, why, when, and under which plan."""

    def _requests(self) -> list[Resource]:
        """The request, and the service requests that it refers to."""
        claims = [each for each in self.resources if each.type == "Claim" and self._asks(each)]
        orders = [each for each in self.resources if each.type == "ServiceRequest" and self._asks(each)]
        if len(claims) > 1:
            raise UnreadableInput(f"{len(claims)} requests", mend="send one bundle a request")
        if claims:
            wanted = set()
            for item in claims[0].root.all("item"):
                for extension in item.all("extension"):
                    if extension.text("url") == REQUESTED_SERVICE:
                        found = self.references.follow(claims[0], extension.one("valueReference"))
                        if found is None:
                            claims[0].note(NOT_UNDERSTOOD, NOWHERE, extension.at("valueReference"))
                        else:
                            wanted.add(id(found))
            chosen = [*claims, *(each for each in orders if id(each) in wanted)]
        else:
            chosen = [each for each in orders if self._services(each.root.codings("code"))] or orders
            if len(chosen) > 1:
                raise UnreadableInput(f"{len(chosen)} requests", mend="send one bundle a request")
        if not chosen:
            raise UnreadableInput(
                "no request", mend="send a Claim with use preauthorization, or a ServiceRequest, that is active"
            )
        for each in orders:
            if each not in chosen:
                each.note(IGNORED, "another request is the one that is decided")
                self.done.add(id(each))
        return chosen

    def _asks(self, resource: Resource) -> bool:
        """Whether a Claim or ServiceRequest requests something now."""
        if id(resource) in self.done:
            return False
        try:
            if resource.type == "Claim":
                self._status(resource, "active")
                if resource.root.text("use") != "preauthorization":
                    raise Aside(IGNORED, "it is no request for preauthorization", "use")
            else:
                self._status(resource, "active", "draft")
                if resource.root.get("doNotPerform"):
                    raise Aside(IGNORED, "it says that something is not to be done", "doNotPerform")
            self._of_the_patient(resource)
        except Aside as aside:
            self._aside(resource, aside)
            return False
        return True

    def _services(self, codings: list[Element]) -> set[URIRef]:
        return self._concepts(codings, CLIN.Service)

    def _read_request(self, requests: list[Resource]) -> None:
        days: dict[date, str] = {}
        for each in requests:
            self.done.add(id(each))
            root = each.root
            items = root.all("item") if each.type == "Claim" else [root]
            coded, times = (
                ("productOrService", ("servicedDate", "servicedPeriod"))
                if each.type == "Claim"
                else ("code", ("occurrenceDateTime", "occurrencePeriod"))
            )
            services: set[URIRef] = set()
            for item in items:
                services |= self._read_codes(each, item, coded)
                day = self._service_time(each, item, *times)
                if day and (each is requests[0] or not days):
                    days[day] = each.place
            if len(services) == 1:
                self._state(CASE.Request, CASE.service, next(iter(services)), Said(each))
            elif services:
                each.note(NOT_UNDERSTOOD, "its items request different services, so none is stated", coded)
            disease = self._claim_reason(each) if each.type == "Claim" else self._order_reason(each)
            if disease:
                self._state(CASE.Request, CASE.reason, disease, Said(each))
        if not days:
            raise UnreadableInput("no service date", mend="give the request one full date of service")
        if len(days) > 1:
            raise UnreadableInput("several service dates", mend="send one bundle a date of service")
        self.service_day = next(iter(days))

    def _read_codes(self, request: Resource, item: Element, name: str) -> set[URIRef]:
        """Notes the procedure codes of an item and returns the services that they name."""
        codings = item.codings(name)
        for coding in codings:
            uri, code = coding.text("system"), coding.text("code")
            system = self.terms.terminology.system(uri)
            if system and system.namespace and re.fullmatch(system.pattern, code):
                self._state(CASE.Request, CASE.procedureCode, URIRef(system.namespace + code), Said(request))
            elif self._meaning(coding) is None:
                request.note(NOT_UNDERSTOOD, f"{self.terms.terminology.name(uri, code)} is not known here", coding.path)
        if not codings:
            request.note(NOT_UNDERSTOOD, "no code", item.at(name))
        return self._services(codings)

    def _service_time(self, request: Resource, item: Element, single: str, span: str) -> date | None:
        """The day of service; of a period its first day, with a notice."""
        try:
            day = item.day(single)
            period = item.one(span)
            if day is None and period:
                day = period.day("start")
                if day and period.day("end") not in (None, day):
                    notice = f"The request is for a period: its first day, {day}, is taken as the service date."
                    if notice not in self.notices:
                        self.notices.append(notice)
        except Aside as aside:
            request.note(aside.treatment, aside.text, *aside.elements)
            return None
        return day

    def _claim_reason(self, claim: Resource) -> URIRef | None:
        """The disease that the items of a claim point to among its diagnoses."""
        sequences = [item.get("diagnosisSequence") or () for item in claim.root.all("item")]
        pointed = {number for each in sequences for number in each if isinstance(number, int)}
        diagnoses = claim.root.all("diagnosis")
        found: dict[URIRef, bool] = {}
        for diagnosis in diagnoses:
            if pointed and diagnosis.get("sequence") not in pointed:
                continue
            roles = {role.text("code") for concept in diagnosis.all("type") for role in concept.all("coding")}
            disease = self._disease_of(claim, diagnosis, "diagnosisCodeableConcept", "diagnosisReference")
            if disease:
                found[disease] = found.get(disease, False) or "principal" in roles
        principal = {each for each, first in found.items() if first}
        return self._one_disease(claim, principal or set(found), "diagnosis")

    def _order_reason(self, order: Resource) -> URIRef | None:
        """The disease that a service request gives as its reason."""
        codings = [each for concept in order.root.all("reasonCode") for each in concept.all("coding")]
        found = self._diseases(order, codings)
        for reference in order.root.all("reasonReference"):
            found |= self._referred_diseases(order, reference)
        return self._one_disease(order, found, "reasonCode")

    def _disease_of(self, resource: Resource, element: Element, coded: str, referred: str) -> URIRef | None:
        found = self._diseases(resource, element.codings(coded))
        reference = element.one(referred)
        if reference:
            found |= self._referred_diseases(resource, reference)
        return self._one_disease(resource, found, element.path)

    def _read_coverage(self, request: Resource) -> None:
        """The line of business of the plan that pays."""
        for plan in self._plans(request):
            self.done.add(id(plan))
            try:
                self._of_the_patient(plan)
                self._status(plan, "active")
                period = plan.root.one("period")
                end = period.day("end") if period else None
                if end and self.service_day and end < self.service_day:
                    raise Aside(IGNORED, "it ended before the service date", "period")
                found = self._concepts(plan.root.codings("type"), CASE.LineOfBusiness)
                if not found:
                    self._explain_codes(plan.root.codings("type"), "type", "no line of business")
                line = self.terms.narrowest(found)
                if line is None:
                    raise Aside(NOT_UNDERSTOOD, "several lines of business", "type")
            except Aside as aside:
                self._aside(plan, aside)
                continue
            text = f"line of business: {self.terms.label(line)}"
            self._state(CASE.Coverage, CASE.lineOfBusiness, line, Said(plan, text, plan.root.read()))
        for each in self.resources:
            if each.type == "Coverage" and id(each) not in self.done:
                self._aside(each, Aside(IGNORED, "the request names another plan"))

    def _plans(self, request: Resource) -> list[Resource]:
        """The plans that the request names, else all there are."""
        named: list[Resource] = []
        if request.type == "Claim":
            insurances = request.root.all("insurance")
            focal = [each for each in insurances if each.get("focal") is True] or insurances
            references = [each.one("coverage") for each in focal]
        else:
            references = list(request.root.all("insurance"))
        for reference in references:
            found = self.references.follow(request, reference)
            if found is not None and found.type == "Coverage" and id(found) not in self.done:
                if found.container is None or not found.invalid():
                    named.append(found)
            elif found is None and reference is not None:
                request.note(NOT_UNDERSTOOD, NOWHERE, reference.path)
        if named or references:
            return named
        return [each for each in self.resources if each.type == "Coverage" and id(each) not in self.done]
