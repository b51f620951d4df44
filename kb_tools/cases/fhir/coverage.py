"""The plans that pay for the service, as Coverage states them."""

from __future__ import annotations

from collections.abc import Sequence

from rdflib import URIRef

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.facts import Statement
from kb_tools.cases.fhir.payer import PayerReader
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, NOWHERE, Skipped
from kb_tools.cases.fhir.standing import require_patient, require_status
from kb_tools.rdf.namespaces import CASE


class CoverageReader:
    """Reads the line of business of the plans of one case, and who pays."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._terms = assembly.terms

    def read(self, request: Resource) -> None:
        """States the line of business and the payer of the plans of a request, where they are known of each of them."""
        plans, known = self._plans(request)
        found: list[tuple[Resource, URIRef]] = []
        in_force: list[Resource] = []
        every = known
        for plan in plans:
            self._assembly.done.add(plan)
            try:
                self._require_in_force(plan)
            except Skipped as skipped:
                self._assembly.skip(plan, skipped)
                known = known and skipped.treatment is IGNORED
                every = every and skipped.treatment is IGNORED
                continue
            in_force.append(plan)
            try:
                found.append((plan, self._line_of_business(plan)))
            except Skipped as skipped:
                self._assembly.skip(plan, skipped)
                known = False
        for plan, line in found:
            text = f"line of business: {self._terms.label(line)}"
            if known:
                statement = Statement(plan, text, plan.root.read())
                self._assembly.state(CASE.Coverage, CASE.lineOfBusiness, line, statement)
            else:
                plan.note(IGNORED, f"{text}; not stated for another plan", *plan.root.read())
                self._assembly.state_unsettled(CASE.lineOfBusiness, line, Statement(plan))
        if found and not known:
            self._assembly.notices.append(
                "The line of business is not stated for every plan that the request names: none is used."
            )
        PayerReader(self._assembly).read(request, in_force, every)
        self._read_others({line for _, line in found})

    def _read_others(self, lines: set[URIRef]) -> None:
        """Looks at the plans that the request does not name.

        Args:
            lines: the lines of business of those that it names.
        """
        for resource in self._assembly.resources:
            unread = resource in self._assembly.rejected and resource.notes[-1].treatment is NOT_UNDERSTOOD
            if resource.type == "Coverage" and (unread or resource not in self._assembly.done):
                self._report_medicare(resource, unread, lines)
                if not unread:
                    self._assembly.skip(resource, Skipped(IGNORED, "the request names another plan"))

    def _report_medicare(self, plan: Resource, unread: bool, lines: set[URIRef]) -> None:
        """Reports a Medicare plan that the request does not name: with it, a Medicaid plan is not without Medicare.

        One that cannot be read may be one.
        """
        line = None
        try:
            if not unread:
                self._require_in_force(plan)
                line = self._line_of_business(plan)
        except Skipped as skipped:
            unread = skipped.doubtful
        if line and self._terms.narrowest({line, CASE.Medicare}) == line:
            what = "is a Medicare plan of the patient"
        elif unread and CASE.Medicaid in lines:
            what = "may be a Medicare plan of the patient"
        else:
            return
        self._assembly.notices.append(f"{plan.place} {what}, and the request names another.")
        if CASE.Medicaid in lines:
            self._assembly.state_unsettled(CASE.lineOfBusiness, line or CASE.Medicare, Statement(plan))

    def _require_in_force(self, plan: Resource) -> None:
        """Raises `Skipped` for a plan that is not the patient's on the service date."""
        require_patient(self._assembly, plan)
        require_status(plan, "active")
        service_day = self._assembly.service_day
        period = plan.root.one("period")
        start, end = (period.day("start"), period.day("end")) if period else (None, None)
        if end and service_day and end < service_day:
            raise Skipped(IGNORED, "it ended before the service date", "period")
        if start and service_day and start > service_day:
            raise Skipped(IGNORED, "it begins after the service date", "period")

    def _line_of_business(self, plan: Resource) -> URIRef:
        """The line of business that the type of a plan names.

        Raises:
            Skipped: it names none, or several, or a code of it is not known.
        """
        codes = self._assembly.codes
        codings = plan.root.codings("type")
        unknown = [coding for coding in codings if codes.meaning(coding) is None]
        found = codes.concepts(codings, CASE.LineOfBusiness)
        if unknown or not found:
            raise codes.unread(unknown or codings, "type", "no line of business")
        line = self._terms.narrowest(found)
        if line is None:
            raise Skipped(NOT_UNDERSTOOD, "several lines of business", "type")
        return line

    def _plans(self, request: Resource) -> tuple[list[Resource], bool]:
        """The plans that the request names, else all there are; and whether each of them can be read."""
        assembly = self._assembly
        if request.type == "Claim":
            insurances = request.root.all("insurance")
            focal = [insurance for insurance in insurances if insurance.get("focal") is True] or insurances
            references: Sequence[Element] = [
                reference for insurance in focal if (reference := insurance.one("coverage"))
            ]
        else:
            references = request.root.all("insurance")
        if not references:
            plans = [resource for resource in assembly.resources if resource.type == "Coverage"]
            unread = any(note.treatment is NOT_UNDERSTOOD for plan in plans for note in plan.notes)
            return [plan for plan in plans if plan not in assembly.done], not unread
        named: list[Resource] = []
        known = True
        for reference in references:
            found = assembly.references.follow(request, reference)
            if found is None:
                request.note(NOT_UNDERSTOOD, NOWHERE, reference.path)
            elif found.type != "Coverage" or found in assembly.done or (found.container and found.invalid()):
                request.note(NOT_UNDERSTOOD, "what it refers to is not understood", reference.path)
            else:
                if found not in named:
                    named.append(found)
                continue
            known = False
        return named, known
