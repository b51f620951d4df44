"""Findings that something was done, as Procedure and MedicationAdministration state them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, NOWHERE, USED, Skipped
from kb_tools.cases.fhir.standing import require_status


class ProcedureReader:
    """Reads procedures and administrations of medications."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def read(self, procedure: Resource) -> None:
        """States what a procedure states.

        Raises:
            Skipped: it states nothing.
        """
        require_status(procedure, "completed")
        codings = procedure.root.codings("code")
        self._read_done(procedure, codings, "code", "performedDateTime", "performedPeriod")

    def read_administration(self, administration: Resource) -> None:
        """States what the administration of a medication states.

        Raises:
            Skipped: it states nothing.
        """
        require_status(administration, "completed")
        root = administration.root
        single, span = "effectiveDateTime", "effectivePeriod"
        reference = root.one("medicationReference")
        if reference is None:
            element = "medicationCodeableConcept"
            self._read_done(administration, root.codings(element), element, single, span)
            return
        medication = self._assembly.references.follow(administration, reference)
        if medication is None or medication in self._assembly.rejected:
            raise Skipped(NOT_UNDERSTOOD, NOWHERE, "medicationReference")
        if medication.root.text("status") == "entered-in-error":
            raise Skipped(IGNORED, "the status of what it refers to is entered-in-error", "medicationReference")
        codings = medication.root.codings("code")
        self._read_done(administration, codings, "medicationReference", single, span)
        medication.note(USED, f"as what was given by {administration.place}", *medication.root.read())

    def _read_done(self, resource: Resource, codings: Sequence[Element], element: str, single: str, span: str) -> None:
        """States that something was done.

        Args:
            element: where the codes are.
            single: the element with the day on which it was done.
            span: the element with the period over which it was done.
        """
        template = self._assembly.codes.template(codings, element)
        if template is None:
            raise self._assembly.codes.unread(codings, element, "nothing that is read")
        kind, values = template
        day = resource.root.day(single) or self._last_day(resource.root, span)
        self._assembly.find(resource, kind, day, values, resource.root.read(), single)

    def _last_day(self, root: Element, span: str) -> date | None:
        """The last day of the period over which a thing was done; what was found until then was found before its end.

        Raises:
            Skipped: the period has no last day, or one after the service date.
        """
        service_day = self._assembly.service_day
        period = root.one(span)
        if period is None:
            return None
        start, end = period.day("start"), period.day("end")
        if end is None or (start and start > end):
            raise Skipped(NOT_UNDERSTOOD, "a period without a last day", span)
        if service_day and end > service_day and not (start and start > service_day):
            raise Skipped(NOT_UNDERSTOOD, "a period that ends after the service date", span)
        return end
