"""Which Claim or ServiceRequest is the one that is decided."""

from __future__ import annotations

from datetime import date

from kb_tools.cases.fhir.active import require_active_claim, require_active_order
from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.cancelled import PAS
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.r4 import REQUESTS
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.services import Services, standing_items
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, NOWHERE, Skipped
from kb_tools.cases.fhir.standing import require_patient
from kb_tools.errors import UnreadableInput

# The claim before this one.
_PRIOR = ("http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship", "prior")
REQUESTED_SERVICE = f"{PAS}extension-requestedService"
# Statuses with which a request says nothing of others.
_SAYS_NOTHING = ("entered-in-error", "draft")
_SEND_REQUEST = "send a Claim with use preauthorization, or a ServiceRequest, that is active"


class RequestSelector:
    """Selects the request of one case."""

    def __init__(self, assembly: Assembly, services: Services) -> None:
        self._assembly = assembly
        self._services = services

    def select(self) -> list[Resource]:
        """The request, and the service requests that it refers to.

        Raises:
            UnreadableInput: there is none, or more than one, or one that is not understood and may be the one meant.
        """
        claims = self._without_replaced(self._asking("Claim"))
        orders = self._without_replaced(self._asking("ServiceRequest"))
        self._refuse_unclear("Claim")
        if claims:
            chosen = claims
        else:
            self._refuse_withdrawn(orders)
            self._refuse_unclear("ServiceRequest")
            chosen = [order for order in orders if self._services.may_be_asked_by(order)] or orders
        naming = [request for request in chosen if self._services.are_asked_by(request)]
        if len(naming) == 1:
            # Others ask for something else: a test, a visit, a scan.
            for request in chosen:
                if request is not naming[0]:
                    self._assembly.notices.append(
                        f"{request.place} is another request, and not the one that is decided."
                    )
                    self._assembly.skip(request, Skipped(IGNORED, "another request is the one that is decided"))
            chosen, claims = naming, claims and naming
        if len(chosen) > 1:
            raise UnreadableInput(f"{len(chosen)} requests", hint="send one bundle a request")
        if not chosen:
            raise UnreadableInput("no request" + self._why_none(), hint=_SEND_REQUEST)
        chosen = [*chosen, *(self._orders_of(claims[0], orders) if claims else ())]
        for order in orders:
            if order not in chosen and order not in self._assembly.done:
                order.note(IGNORED, "another request is the one that is decided")
                self._assembly.done.add(order)
        return chosen

    def _why_none(self) -> str:
        """Why the first of what might be a request is none; "" where there is nothing of the kind."""
        for resource in self._assembly.resources:
            if resource.type in REQUESTS and resource.notes:
                return f": {resource.place}: {resource.notes[0].text}"
        return ""

    # ------------------------------------------------------------------ what keeps another from being decided

    def _refuse_unclear(self, type_: str) -> None:
        """Refuses to decide another request where one of a type is not understood: it may replace or withdraw that."""
        for resource in self._assembly.resources:
            if resource.type != type_:
                continue
            unclear = next((note for note in resource.notes if note.treatment is NOT_UNDERSTOOD), None)
            # What is paid already is no request, however unclear it is.
            asks = type_ != "Claim" or resource.root.text("use") not in ("claim", "predetermination")
            if unclear and asks and self._services.may_be_asked_by(resource):
                what = f"a request that is not understood: {unclear}"
                raise UnreadableInput(what, hint="correct it, or leave it out")

    def _refuse_withdrawn(self, orders: list[Resource]) -> None:
        """Refuses to decide an order where the claim for it was withdrawn, or asks for nothing anew."""
        for claim in self._assembly.resources if orders else ():
            if claim in self._assembly.withdrawn and self._services.may_be_asked_by_items(claim):
                raise UnreadableInput(
                    f"no request: {claim.place}: {claim.notes[0].text}, and no order revives it", hint=_SEND_REQUEST
                )

    # ------------------------------------------------------------------ requests that name others

    def _without_replaced(self, requests: list[Resource]) -> list[Resource]:
        """Requests without those that another names as the one before it, even one that does not stand itself."""
        replaced: dict[Resource, Resource] = {}
        for resource in self._assembly.resources:
            if resource.type in REQUESTS and resource.root.text("status") not in _SAYS_NOTHING:
                for earlier in (*self._before(resource), *self._withdrawn_by(resource)):
                    if earlier is not resource:
                        replaced[earlier] = resource
        for request in requests:
            if request in replaced:
                self._assembly.skip(request, Skipped(IGNORED, f"replaced by {replaced[request].place}"))
                if request.type == "Claim":
                    self._assembly.withdrawn.add(request)
        return [request for request in requests if request not in replaced]

    def _before(self, request: Resource) -> list[Resource]:
        """The requests that a request names as those that it replaces."""
        references = list(request.root.all("replaces")) if request.type == "ServiceRequest" else []
        for related in request.root.all("related") if request.type == "Claim" else ():
            codes = {(coding.text("system"), coding.text("code")) for coding in related.codings("relationship")}
            claim = related.one("claim")
            references += [claim] if claim and (_PRIOR in codes or not codes) else []
        return [found for reference in references for found in self._named(request, reference)]

    def _withdrawn_by(self, request: Resource) -> list[Resource]:
        """The requests with an identifier of one that was withdrawn, not older than they are."""
        if request not in self._assembly.withdrawn and request.root.text("status") not in ("cancelled", "revoked"):
            return []
        return [
            other
            for other in self._assembly.resources
            if other.type == request.type
            and _identifiers(other) & _identifiers(request)
            and _made(other) <= _made(request, date.max)
        ]

    def _named(self, request: Resource, reference: Element) -> list[Resource]:
        """The requests of its type that a reference leads to, by its URL or else by their identifiers."""
        found = self._assembly.references.follow(request, reference)
        if found:
            return [found]
        identifier = reference.one("identifier")
        wanted = identifier and (identifier.text("system"), identifier.text("value"))
        return [
            other
            for other in self._assembly.resources
            if wanted and wanted[1] and other.type == request.type and wanted in _identifiers(other)
        ]

    def _orders_of(self, claim: Resource, orders: list[Resource]) -> list[Resource]:
        """The service requests that the items of a claim name.

        Raises:
            UnreadableInput: one of them does not ask for anything now.
        """
        wanted: list[Resource] = []
        for item in standing_items(claim):
            for extension in item.all("extension"):
                if extension.text("url") != REQUESTED_SERVICE:
                    continue
                found = self._assembly.references.follow(claim, extension.one("valueReference"))
                if found is None:
                    claim.note(NOT_UNDERSTOOD, NOWHERE, extension.at("valueReference"))
                elif found in orders:
                    wanted += [] if found in wanted else [found]
                elif found.type == "ServiceRequest":
                    why = found.notes[0].text if found.notes else "it is contained, and not read"
                    raise UnreadableInput(
                        f"the request names an order that asks for nothing: {found.place}: {why}",
                        hint="send the order that is asked for",
                    )
        return wanted

    # ------------------------------------------------------------------ whether one stands

    def _asking(self, type_: str) -> list[Resource]:
        """The resources of a type that request something now; of the others it is noted why they do not."""
        resources = self._assembly.resources
        return [resource for resource in resources if resource.type == type_ and self._asks(resource)]

    def _asks(self, request: Resource) -> bool:
        """Whether a Claim or ServiceRequest requests something now."""
        if request in self._assembly.done:
            return False
        try:
            if request.type == "Claim":
                require_active_claim(self._assembly, self._services, request)
            else:
                require_active_order(self._assembly, request)
            require_patient(self._assembly, request)
        except Skipped as skipped:
            self._assembly.skip(request, skipped)
            return False
        return True


def _made(request: Resource, default: date = date.min) -> date:
    """The last day on which a request may have been made."""
    days = request.root.days("created") or request.root.days("authoredOn")
    return days[1] if days else default


def _identifiers(request: Resource) -> set[tuple[str, str]]:
    """The business identifiers of a request: system and value."""
    return {(found.text("system"), found.text("value")) for found in request.root.all("identifier")}
