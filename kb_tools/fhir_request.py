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
# A reason as a request names it: its disease, or that it is known to be none, or None where it is not known what it is.
_Reason = set[URIRef] | None


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
            chosen = [each for each in orders if self._may_be_a_service(each)] or orders
            if len(chosen) > 1:
                raise UnreadableInput(f"{len(chosen)} requests", mend="send one bundle a request")
        if not chosen:
            raise UnreadableInput(
                "no request" + self._why_none(),
                mend="send a Claim with use preauthorization, or a ServiceRequest, that is active",
            )
        for each in orders:
            if each not in chosen:
                each.note(IGNORED, "another request is the one that is decided")
                self.done.add(id(each))
        return chosen

    def _why_none(self) -> str:
        """Why the first of what might be a request is none; "" where there is nothing of the kind."""
        for each in self.resources:
            if each.type in ("Claim", "ServiceRequest") and each.notes:
                return f": {each.place}: {each.notes[0].text}"
        return ""

    def _may_be_a_service(self, order: Resource) -> bool:
        """Whether the code of an order names a service, or may: nothing that it says is known here."""
        codings = order.root.codings("code")
        return bool(self._services(codings)) or not self._meanings(codings)

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
                self._status(resource, "active")
                intent = resource.root.text("intent")
                if intent in ("proposal", "plan", "option"):
                    raise Aside(IGNORED, f"its intent is {intent}", "intent")
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
        days: set[date] = set()
        reasons: list[tuple[Resource, list[_Reason]]] = []
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
                if day:
                    days.add(day)
            # Services that differ are stated all the same: then neither they nor the procedure codes decide.
            for service in services:
                self._state(CASE.Request, CASE.service, service, Said(each))
            if services and self.terms.narrowest(services) is None:
                each.note(NOT_UNDERSTOOD, "its items request different services, so none is stated", coded)
            reasons.append((each, self._claim_reasons(each) if each.type == "Claim" else self._order_reasons(each)))
        self._state_reason(reasons)
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

    def _state_reason(self, reasons: list[tuple[Resource, list[_Reason]]]) -> None:
        """States the disease that is treated, if it is known of all that is named as a reason what it is."""
        known = all(None not in named for _, named in reasons)
        beside = any(any(named) for _, named in reasons)
        for request, named in reasons:
            element = "diagnosis" if request.type == "Claim" else "reasonCode"
            if None in named and beside:
                request.note(NOT_UNDERSTOOD, "not every reason is known here, so none is stated", element)
            disease = self._one_disease(request, set().union(*filter(None, named)), element)
            if disease and known:
                self._state(CASE.Request, CASE.reason, disease, Said(request))

    def _claim_reasons(self, claim: Resource) -> list[_Reason]:
        """What the items for the service point to among the diagnoses of a claim: of that the principal, if any is."""
        diagnoses = claim.root.all("diagnosis")
        pointed = self._pointed(claim)
        named: list[_Reason] = []
        if pointed:
            present = {diagnosis.get("sequence") for diagnosis in diagnoses}
            named = [None for number in pointed if number not in present]
            diagnoses = [each for each in diagnoses if each.get("sequence") in pointed]
        if None in named:
            claim.note(NOT_UNDERSTOOD, "it points to a diagnosis that is not there", "item.diagnosisSequence")
        principal = [each for each in diagnoses if "principal" in _roles(each)]
        for each in principal or diagnoses:
            reference = each.one("diagnosisReference")
            if reference:
                named.append(self._referred(claim, reference))
            else:
                name = "diagnosisCodeableConcept"
                named.append(self._named(claim, each.codings(name), each.at(name)))
        return named

    def _pointed(self, claim: Resource) -> set[int]:
        """The diagnoses that the items for the service point to; none where one of them points to none."""
        pointed: set[int] = set()
        for item in claim.root.all("item"):
            numbers = [each for each in item.get("diagnosisSequence") or () if isinstance(each, int)]
            if self._services(item.codings("productOrService")):
                if not numbers:
                    return set()
                pointed.update(numbers)
        return pointed

    def _order_reasons(self, order: Resource) -> list[_Reason]:
        """What a service request gives as its reasons."""
        named = [self._named(order, each.all("coding"), each.path) for each in order.root.all("reasonCode")]
        return [*named, *(self._referred(order, each) for each in order.root.all("reasonReference"))]

    def _named(self, request: Resource, codings: list[Element], path: str) -> _Reason:
        """The disease that codes name together."""
        found = self._diseases(request, codings)
        if not codings:
            request.note(NOT_UNDERSTOOD, "no code", path)
        if not found:
            return set() if self._meanings(codings) else None
        disease = self._one_disease(request, found, path)
        return {disease} if disease else None

    def _referred(self, request: Resource, reference: Element) -> _Reason:
        disease = self._one_disease(request, self._referred_diseases(request, reference), reference.path)
        return {disease} if disease else None

    def _read_coverage(self, request: Resource) -> None:
        """The line of business of the plans that pay, where it is known of each of them."""
        plans, known = self._plans(request)
        found: list[tuple[Resource, URIRef]] = []
        for plan in plans:
            self.done.add(id(plan))
            try:
                self._in_force(plan)
            except Aside as aside:
                self._aside(plan, aside)
                known = known and aside.treatment is IGNORED
                continue
            try:
                found.append((plan, self._line_of_business(plan)))
            except Aside as aside:
                self._aside(plan, aside)
                known = False
        for plan, line in found:
            text = f"line of business: {self.terms.label(line)}"
            if known:
                self._state(CASE.Coverage, CASE.lineOfBusiness, line, Said(plan, text, plan.root.read()))
            else:
                plan.note(IGNORED, f"{text}; not stated for another plan", *plan.root.read())
        if found and not known:
            self.notices.append(
                "The line of business is not stated for every plan that the request names: none is taken."
            )
        for each in self.resources:
            if each.type == "Coverage" and id(each) not in self.done:
                self._aside(each, Aside(IGNORED, "the request names another plan"))

    def _in_force(self, plan: Resource) -> None:
        """Sets aside a plan that is not the patient's on the service date."""
        self._of_the_patient(plan)
        self._status(plan, "active")
        period = plan.root.one("period")
        start, end = (period.day("start"), period.day("end")) if period else (None, None)
        if end and self.service_day and end < self.service_day:
            raise Aside(IGNORED, "it ended before the service date", "period")
        if start and self.service_day and start > self.service_day:
            raise Aside(IGNORED, "it begins after the service date", "period")

    def _line_of_business(self, plan: Resource) -> URIRef:
        """The line of business that the type of a plan names, if all its codes are known."""
        codings = plan.root.codings("type")
        unknown = [each for each in codings if self._meaning(each) is None]
        found = self._concepts(codings, CASE.LineOfBusiness)
        if unknown or not found:
            self._explain_codes(unknown or codings, "type", "no line of business")
        line = self.terms.narrowest(found)
        if line is None:
            raise Aside(NOT_UNDERSTOOD, "several lines of business", "type")
        return line

    def _plans(self, request: Resource) -> tuple[list[Resource], bool]:
        """The plans that the request names, else all there are; and whether each of them can be read."""
        if request.type == "Claim":
            insurances = request.root.all("insurance")
            focal = [each for each in insurances if each.get("focal") is True] or insurances
            references = [reference for each in focal if (reference := each.one("coverage"))]
        else:
            references = request.root.all("insurance")
        if not references:
            plans = [each for each in self.resources if each.type == "Coverage"]
            unread = any(note.treatment is NOT_UNDERSTOOD for each in plans for note in each.notes)
            return [each for each in plans if id(each) not in self.done], not unread
        named: list[Resource] = []
        known = True
        for reference in references:
            found = self.references.follow(request, reference)
            if found is None:
                request.note(NOT_UNDERSTOOD, NOWHERE, reference.path)
            elif found.type != "Coverage" or id(found) in self.done or (found.container and found.invalid()):
                request.note(NOT_UNDERSTOOD, "what it refers to is not understood", reference.path)
            else:
                if found not in named:
                    named.append(found)
                continue
            known = False
        return named, known


def _roles(diagnosis: Element) -> set[str]:
    return {role.text("code") for concept in diagnosis.all("type") for role in concept.all("coding")}
