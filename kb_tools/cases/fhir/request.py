"""The request and the plan, as FHIR states them: Claim, ServiceRequest and Coverage."""

from __future__ import annotations

import re
from datetime import date

from rdflib import URIRef

from kb_tools.cases.fhir.assembly import IGNORED, NOT_UNDERSTOOD, NOWHERE, Draft, Said
from kb_tools.cases.fhir.r4 import REQUESTS
from kb_tools.cases.fhir.resource import Aside, Element, Resource
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.namespaces import CASE, CLIN

# The claim before this one.
_PRIOR = ("http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship", "prior")
# What Da Vinci PAS calls the time of the whole claim.
_EVENT = ("http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASSupportingInfoType", "patientEvent")
_ONE_DATE = "give the request one full date of service"
_PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
REQUESTED_SERVICE = f"{_PAS}extension-requestedService"
# What a PAS claim, or an item of one, asks for (X12 1322): cancel, or something that leaves it a request.
_CERTIFICATION = f"{_PAS}extension-certificationType"
_CERTIFICATION_TYPES = "codesystem.x12.org/005010/1322"
_CANCEL = "3"
_ASKING = frozenset(("1", "4", "I", "R", "S"))
# A PAS claim by which someone asks what became of an earlier one.
_INQUIRY = f"{_PAS}profile-claim-inquiry"
# Statuses with which a request says nothing of others.
_SAYS_NOTHING = ("entered-in-error", "draft")
_SEND_REQUEST = "send a Claim with use preauthorization, or a ServiceRequest, that is active"
# A reason as a request names it: its disease, or that it is known to be none, or None where it is not known what it is.
_Reason = set[URIRef] | None


class RequestReader(Draft):
    """Reads what is requested, why, when, and under which plan."""

    def _requests(self) -> list[Resource]:
        """The request, and the service requests that it refers to.

        Raises:
            UnreadableInput: there is none, or more than one, or one that is not understood and may be the one meant.
        """
        claims = self._without_replaced([each for each in self.resources if each.type == "Claim" and self._asks(each)])
        orders = [each for each in self.resources if each.type == "ServiceRequest" and self._asks(each)]
        orders = self._without_replaced(orders)
        self._refuse_unclear("Claim")
        if claims:
            chosen = claims
        else:
            self._refuse_withdrawn(orders)
            self._refuse_unclear("ServiceRequest")
            chosen = [each for each in orders if self._may_be_a_service(each)] or orders
        naming = [each for each in chosen if self._names_a_service(each)]
        if len(naming) == 1:
            # Others ask for something else: a test, a visit, a scan.
            for each in chosen:
                if each is not naming[0]:
                    self.notices.append(f"{each.place} is another request, and not the one that is decided.")
                    self._aside(each, Aside(IGNORED, "another request is the one that is decided"))
            chosen, claims = naming, claims and naming
        if len(chosen) > 1:
            raise UnreadableInput(f"{len(chosen)} requests", hint="send one bundle a request")
        if not chosen:
            raise UnreadableInput(
                "no request" + self._why_none(),
                hint=_SEND_REQUEST,
            )
        chosen = [*chosen, *(self._orders_of(claims[0], orders) if claims else ())]
        for each in orders:
            if each not in chosen and id(each) not in self.done:
                each.note(IGNORED, "another request is the one that is decided")
                self.done.add(id(each))
        return chosen

    def _refuse_unclear(self, type_: str) -> None:
        """Refuses to decide another request where one of a type is not understood: it may replace or withdraw that."""
        for each in self.resources:
            unclear = next((note for note in each.notes if note.treatment is NOT_UNDERSTOOD), None)
            # What is paid already is no request, however unclear it is.
            asks = type_ != "Claim" or each.root.text("use") not in ("claim", "predetermination")
            if each.type == type_ and unclear and asks and self._may_be_a_service(each):
                what = f"a request that is not understood: {unclear}"
                raise UnreadableInput(what, hint="correct it, or leave it out")

    def _refuse_withdrawn(self, orders: list[Resource]) -> None:
        """Refuses to decide an order where the claim for it was withdrawn, or asks for nothing anew."""
        for each in self.resources if orders else ():
            if id(each) in self.withdrawn and self._may_be_for_the_service(each):
                raise UnreadableInput(
                    f"no request: {each.place}: {each.notes[0].text}, and no order revives it", hint=_SEND_REQUEST
                )

    def _may_be_for_the_service(self, claim: Resource) -> bool:
        """Whether a claim asks for a service that is known here, or may: not for other procedures alone."""
        coded = [part.codings("productOrService") for item in _items(claim) for part in _parts(item)]
        others = [any(map(self._is_a_procedure_code, codings)) for codings in coded]
        return any(map(self._asks_for_a_service, coded)) or not all(others)

    def _is_a_procedure_code(self, coding: Element) -> bool:
        code = coding.text("code")
        system = self.terms.terminology.system(coding.text("system"), code)
        return bool(system and system.namespace and re.fullmatch(system.pattern, code))

    def _without_replaced(self, requests: list[Resource]) -> list[Resource]:
        """Requests without those that another names as the one before it, even one that does not stand itself."""
        replaced: dict[int, Resource] = {}
        for each in self.resources:
            if each.type in REQUESTS and each.root.text("status") not in _SAYS_NOTHING:
                for before in self._before(each):
                    if before is not each:
                        replaced[id(before)] = each
        for each in requests:
            if id(each) in replaced:
                self._aside(each, Aside(IGNORED, f"replaced by {replaced[id(each)].place}"))
                if each.type == "Claim":
                    self.withdrawn.add(id(each))
        return [each for each in requests if id(each) not in replaced]

    def _before(self, request: Resource) -> list[Resource]:
        """The requests that a request names as those that it replaces."""
        references = request.root.all("replaces") if request.type == "ServiceRequest" else []
        for related in request.root.all("related") if request.type == "Claim" else ():
            codes = {(coding.text("system"), coding.text("code")) for coding in related.codings("relationship")}
            claim = related.one("claim")
            references += [claim] if claim and _PRIOR in codes else []
        return [found for each in references if (found := self.references.follow(request, each))]

    def _orders_of(self, claim: Resource, orders: list[Resource]) -> list[Resource]:
        """The service requests that the items of a claim name.

        Raises:
            UnreadableInput: one of them does not ask for anything now.
        """
        wanted: list[Resource] = []
        for item in claim.root.all("item"):
            for extension in item.all("extension"):
                if extension.text("url") != REQUESTED_SERVICE:
                    continue
                found = self.references.follow(claim, extension.one("valueReference"))
                if found is None:
                    claim.note(NOT_UNDERSTOOD, NOWHERE, extension.at("valueReference"))
                elif found in orders:
                    wanted += [] if found in wanted else [found]
                elif found.type == "ServiceRequest":
                    why = found.notes[0].text if found.notes else "it is contained, and not read"
                    raise UnreadableInput(
                        f"the request names an order that does not ask: {found.place}: {why}",
                        hint="send the order that is asked for",
                    )
        return wanted

    def _why_none(self) -> str:
        """Why the first of what might be a request is none; "" where there is nothing of the kind."""
        for each in self.resources:
            if each.type in REQUESTS and each.notes:
                return f": {each.place}: {each.notes[0].text}"
        return ""

    def _may_be_a_service(self, request: Resource) -> bool:
        """Whether a request names a service, or may: not an order of something that is known to be none."""
        codings = request.root.codings("code")
        measured = [self.terms.terminology.system(each.text("system"), each.text("code")) for each in codings]
        if codings and all(each and each.of_observations for each in measured):
            return False
        return self._asks_for_a_service(codings) or not self._meanings(codings)

    def _names_a_service(self, request: Resource) -> bool:
        """Whether a request, or an order that it names, asks for a service that is known here."""
        coded = "productOrService" if request.type == "Claim" else "code"
        return any(self._asks_for_a_service(each.codings(coded)) for item in _items(request) for each in _parts(item))

    def _asks_for_a_service(self, codings: list[Element]) -> bool:
        """Whether codes ask for a service, named or left open: a package of which it is not said what is meant."""
        return bool(self._services(codings)) or any(meaning.kind for meaning in self._meanings(codings))

    def _is_of_a_service(self, item: Element) -> bool:
        """Whether an item of a claim, or a detail of it, asks for a service that is known here."""
        return any(self._asks_for_a_service(each.codings("productOrService")) for each in _parts(item))

    def _asks(self, resource: Resource) -> bool:
        """Whether a Claim or ServiceRequest requests something now."""
        if id(resource) in self.done:
            return False
        try:
            if resource.type == "Claim":
                self._stands(resource)
            else:
                self._is_no_draft(resource)
                self._status(resource, "active")
                intent = resource.root.text("intent")
                if intent in ("proposal", "plan", "option"):
                    raise Aside(IGNORED, f"it is a draft: its intent is {intent}", "intent")
                if resource.root.get("doNotPerform"):
                    raise Aside(IGNORED, "it says that something is not to be done", "doNotPerform")
            self._of_the_patient(resource)
        except Aside as aside:
            self._aside(resource, aside)
            return False
        return True

    def _is_no_draft(self, resource: Resource) -> None:
        if resource.root.text("status") == "draft":
            raise Aside(IGNORED, "it is a draft: its status is draft", "status")

    def _stands(self, claim: Resource) -> None:
        """Sets aside a claim that asks for nothing now; of one that was withdrawn it is kept in mind."""
        if claim.root.text("use") != "preauthorization":
            raise Aside(IGNORED, "it is no request for preauthorization", "use")
        self._is_no_draft(claim)
        try:
            self._status(claim, "active")
            meta = claim.root.one("meta")
            profiles = meta.get("profile") if meta else None
            if any(str(each).partition("|")[0] == _INQUIRY for each in profiles or ()):
                raise Aside(IGNORED, "it is an inquiry about an earlier request", "meta")
            self._certified(claim, claim.root)
            items = [each for each in claim.root.all("item") if self._is_of_a_service(each)] or claim.root.all("item")
            for item in items:
                self._certified(claim, item)
        except Aside as aside:
            if aside.treatment is IGNORED:
                self.withdrawn.add(id(claim))
            raise

    def _certified(self, claim: Resource, element: Element) -> None:
        """Sets aside a claim of which the certification type of PAS says that it, or an item of it, is cancelled."""
        for extension in element.all("extension"):
            if extension.text("url") != _CERTIFICATION:
                continue
            path = extension.at("valueCodeableConcept")
            codes = {
                coding.text("code")
                for coding in extension.codings("valueCodeableConcept")
                if coding.text("system").partition("://")[2] == _CERTIFICATION_TYPES
            }
            if _CANCEL in codes:
                raise Aside(IGNORED, "its certification type is cancel", path)
            if not codes or codes - _ASKING:
                raise Aside(NOT_UNDERSTOOD, "a certification type that is not known here", path)

    def _services(self, codings: list[Element]) -> set[URIRef]:
        return self._concepts(codings, CLIN.Service)

    def _read_request(self, requests: list[Resource]) -> None:
        reasons: list[tuple[Resource, list[_Reason]]] = []
        for each in requests:
            self.done.add(id(each))
            coded = "productOrService" if each.type == "Claim" else "code"
            services: set[URIRef] = set()
            for item in _items(each):
                for part in _parts(item):
                    services |= self._read_codes(each, part, coded)
            # Services that differ are stated all the same: then neither they nor the procedure codes decide.
            for service in services:
                self._state(CASE.Request, CASE.service, service, Said(each))
            if services and self.terms.narrowest(services) is None:
                each.note(NOT_UNDERSTOOD, "its items request different services, so none is stated", coded)
            reasons.append((each, self._claim_reasons(each) if each.type == "Claim" else self._order_reasons(each)))
        self._state_reason(reasons)
        days = {day for each in requests for day in self._service_days(each)}
        if not days:
            raise UnreadableInput("no service date", hint=_ONE_DATE)
        if len(days) > 1:
            raise UnreadableInput("several service dates", hint="send one bundle a date of service")
        self.service_day = next(iter(days))

    def _service_days(self, request: Resource) -> set[date]:
        """The days of service of the items that name the service, or of all if none does; else of the whole claim.

        Raises:
            UnreadableInput: one of them is not understood.
        """
        if request.type != "Claim":
            return self._days_at(request, request.root, "occurrenceDateTime", "occurrencePeriod", "occurrenceTiming")
        items = _items(request)
        naming = [each for each in items if self._is_of_a_service(each)] or items
        events = [
            each
            for each in request.root.all("supportingInfo")
            if any((coding.text("system"), coding.text("code")) == _EVENT for coding in each.codings("category"))
        ]
        return (
            {day for each in naming for day in self._days_at(request, each, "servicedDate", "servicedPeriod")}
            or {day for each in events for day in self._days_at(request, each, "timingDate", "timingPeriod")}
            or self._days_at(request, request.root, "billablePeriod")
        )

    def _days_at(self, request: Resource, element: Element, *names: str) -> set[date]:
        """The day of service that an element states; of a period its first day, with a notice."""
        found: set[date] = set()
        try:
            for name in names:
                whole = element.one(name)
                if whole is None:
                    day = element.day(name) if element.get(name) else None
                elif whole.get("event") or whole.get("repeat") or whole.get("code"):
                    day = _event(whole)
                else:
                    day = whole.day("start")
                    if day and whole.day("end") not in (None, day):
                        notice = f"The request is for a period: its first day, {day}, is taken as the service date."
                        self.notices += [] if notice in self.notices else [notice]
                found |= {day} if day else set()
        except Aside as aside:
            what = f"no service date: {request.place}: {aside.text}: {', '.join(aside.elements)}"
            raise UnreadableInput(what, hint=_ONE_DATE) from aside
        return found

    def _read_codes(self, request: Resource, item: Element, name: str) -> set[URIRef]:
        """Notes the procedure codes of an item and returns the services that they name."""
        codings = item.codings(name)
        for coding in codings:
            uri, code = coding.text("system"), coding.text("code")
            system = self.terms.terminology.system(uri, code)
            if system and self._is_a_procedure_code(coding):
                self._state(CASE.Request, CASE.procedureCode, URIRef(system.namespace + code), Said(request))
            elif self._meaning(coding) is None:
                request.note(NOT_UNDERSTOOD, self._unknown([coding]), coding.path)
        if not codings:
            request.note(NOT_UNDERSTOOD, "no code", item.at(name))
        return self._services(codings)

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
            elif disease:
                self._state_unsettled(CASE.reason, disease, Said(request))

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
            if "differential" in _roles(each):
                claim.note(NOT_UNDERSTOOD, "a differential diagnosis is none yet", each.path)
                named.append(None)
                continue
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
            if self._is_of_a_service(item):
                if not numbers:
                    return set()
                pointed.update(numbers)
        return pointed

    def _order_reasons(self, order: Resource) -> list[_Reason]:
        """What a service request gives as its reasons."""
        stated, references = order.root.all("reasonCode"), order.root.all("reasonReference")
        coded = [each for each in stated if each.all("coding")]
        if coded or references:
            for each in stated:
                if each not in coded:
                    order.note(IGNORED, "a reason in words, beside one by code or reference", each.path)
        else:
            coded = stated
        named = [self._named(order, each.all("coding"), each.path) for each in coded]
        return [*named, *(self._referred(order, each) for each in references)]

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
                self._state_unsettled(CASE.lineOfBusiness, line, Said(plan))
        if found and not known:
            self.notices.append(
                "The line of business is not stated for every plan that the request names: none is taken."
            )
        for each in self.resources:
            unread = id(each) in self.rejected and each.notes[-1].treatment is NOT_UNDERSTOOD
            if each.type == "Coverage" and (unread or id(each) not in self.done):
                self._set_against(each, unread, {line for _, line in found})
                if not unread:
                    self._aside(each, Aside(IGNORED, "the request names another plan"))

    def _set_against(self, plan: Resource, unread: bool, lines: set[URIRef]) -> None:
        """Tells of a Medicare plan that the request does not name: with it, a Medicaid plan is not without Medicare.

        One that cannot be read may be one.
        """
        line = None
        try:
            if not unread:
                self._in_force(plan)
                line = self._line_of_business(plan)
        except Aside as aside:
            unread = aside.doubtful
        if line and self.terms.narrowest({line, CASE.Medicare}) == line:
            self.notices.append(f"{plan.place} is a Medicare plan of the patient, and the request names another.")
        elif unread and CASE.Medicaid in lines:
            self.notices.append(f"{plan.place} may be a Medicare plan of the patient, and the request names another.")
        else:
            return
        if CASE.Medicaid in lines:
            self._state_unsettled(CASE.lineOfBusiness, line or CASE.Medicare, Said(plan))

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


def _items(request: Resource) -> list[Element]:
    return request.root.all("item") if request.type == "Claim" else [request.root]


def _parts(item: Element) -> list[Element]:
    """An item of a claim and its details, to the last."""
    details = item.all("detail")
    return [item, *details, *(each for detail in details for each in detail.all("subDetail"))]


def _event(timing: Element) -> date | None:
    """The day on which a Timing says that something happens.

    Raises:
        Aside: it says more than one full date.
    """
    events = timing.get("event")
    if timing.get("repeat") or timing.get("code") or not isinstance(events, list) or len(events) != 1:
        raise Aside(NOT_UNDERSTOOD, "more or less than one date", timing.path)
    return Element({"event": events[0]}, timing.path).day("event")


def _roles(diagnosis: Element) -> set[str]:
    return {role.text("code") for concept in diagnosis.all("type") for role in concept.all("coding")}
