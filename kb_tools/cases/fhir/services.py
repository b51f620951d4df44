"""What a request asks for, by the codes of its items."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rdflib import URIRef

from kb_tools.cases.fhir.cancelled import is_cancelled
from kb_tools.cases.fhir.codes import Codes
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.meaning import System
from kb_tools.rdf.namespaces import CLIN


class Services:
    """Finds out which service codes ask for."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    def named(self, codings: Sequence[Element]) -> set[URIRef]:
        """The services that codes name."""
        return self._codes.concepts(codings, CLIN.Service)

    def are_asked(self, codings: Sequence[Element]) -> bool:
        """Whether codes ask for a service, named or left open: a package of which it is not said what is meant.

        A procedure code by which a request names a policy on file asks for one too.
        """
        return self._codes.ask_for_a_service(codings) or any(map(self._names_a_policy, codings))

    def _names_a_policy(self, coding: Element) -> bool:
        system = self.procedure_system(coding)
        code = coding.text("code")
        return system is not None and f"{system.namespace}{code}" in self._codes.terminology.naming_policies

    def are_asked_by_item(self, item: Element) -> bool:
        """Whether an item of a claim, or a detail of it, asks for a service that is known here."""
        return any(self.are_asked(part.codings("productOrService")) for part in parts_of(item))

    def are_asked_by(self, request: Resource) -> bool:
        """Whether a request asks for a service that is known here."""
        element = coded_element(request)
        return any(self.are_asked(part.codings(element)) for item in items_of(request) for part in parts_of(item))

    def may_be_asked_by_items(self, claim: Resource) -> bool:
        """Whether a claim asks for a service that is known here, or may: not for other procedures alone."""
        coded = [part.codings("productOrService") for item in items_of(claim) for part in parts_of(item)]
        others = [any(map(self.procedure_system, codings)) for codings in coded]
        return any(map(self.are_asked, coded)) or not all(others)

    def may_be_asked_by(self, request: Resource) -> bool:
        """Whether a request names a service, or may: not an order of something that is known to be none."""
        codings = request.root.codings("code")
        measured = [self._system(coding) for coding in codings]
        if codings and all(system and system.of_observations for system in measured):
            return False
        return self.are_asked(codings) or not self._codes.meanings(codings)

    def procedure_system(self, coding: Element) -> System | None:
        """The code system of a procedure code of a request, None for any other code."""
        system = self._system(coding)
        matches = system and system.namespace and re.fullmatch(system.pattern, coding.text("code"))
        return system if matches else None

    def _system(self, coding: Element) -> System | None:
        return self._codes.terminology.system(coding.text("system"), coding.text("code"))


def coded_element(request: Resource) -> str:
    """The element of an item of a request that names what is asked for."""
    return "productOrService" if request.type == "Claim" else "code"


def items_of(request: Resource) -> Sequence[Element]:
    """The items of a claim; a service request is one by itself."""
    return request.root.all("item") if request.type == "Claim" else [request.root]


def standing_items(request: Resource) -> Sequence[Element]:
    """Its items without those that an update resends as cancelled."""
    items = items_of(request)
    return items if request.type != "Claim" else [item for item in items if not is_cancelled(item)]


def parts_of(item: Element) -> list[Element]:
    """An item of a claim and its details, to the last."""
    details = item.all("detail")
    return [item, *details, *(part for detail in details for part in detail.all("subDetail"))]
