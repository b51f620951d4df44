"""One case from the FHIR resources of one patient: its graph, and the record of what was read.

What a code means the terminology says; what is fixed here is how FHIR says a thing.

- The request is the one active Claim for preauthorization, else the one active ServiceRequest. Its reason is the
  disease that its service item points to (Claim; of several the principal one), or its reasonCode or reasonReference
  (ServiceRequest). Where one of these is not known here, no reason is stated; a reason in words beside a coded one
  takes nothing away.
- A request counts while it stands: no draft, not cancelled (by its status or by the certification type of PAS), no
  inquiry, not replaced by a later one. No order revives a claim that was withdrawn.
- A finding needs a full date of its own, a status that makes it final, and a code with a known meaning. Its date is
  when it was observed or done, for a Condition when it was recorded; a dateTime counts as the day that it prints, in
  its own time zone, and what was done over a period of days is of the last of them. Nothing dated after the service
  date, or after the bundle was made, is one.
- A code makes a fact, a text can only raise a doubt: see `texts`. Reports, impressions, adverse events and stages
  raise doubts by their codes too.
- Resources are chart evidence; a QuestionnaireResponse is attestation, unless it says of all answers of a finding that
  they were filled from the chart.
- If two sources disagree about something that a case states once, neither is used, and a notice says so.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from datetime import date

from rdflib import URIRef

from kb_tools.cases.fhir.answers import AnswerReader
from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.bundle import Contents
from kb_tools.cases.fhir.codes import Codes
from kb_tools.cases.fhir.conditions import ConditionReader
from kb_tools.cases.fhir.coverage import CoverageReader
from kb_tools.cases.fhir.doubts import DoubtCollector
from kb_tools.cases.fhir.graph import CaseGraph
from kb_tools.cases.fhir.notes import notes_of
from kb_tools.cases.fhir.observations import ObservationReader
from kb_tools.cases.fhir.patient import identify_patient, report_death, state_age
from kb_tools.cases.fhir.payers import Payers
from kb_tools.cases.fhir.procedures import ProcedureReader
from kb_tools.cases.fhir.r4 import HINTING, KNOWN_TYPES, STATING
from kb_tools.cases.fhir.reports import ReportReader
from kb_tools.cases.fhir.request import RequestReader
from kb_tools.cases.fhir.resource import Resource, is_subsetted
from kb_tools.cases.fhir.selection import RequestSelector
from kb_tools.cases.fhir.services import Services
from kb_tools.cases.fhir.skipped import NOT_READ, NOT_UNDERSTOOD, USED, Skipped
from kb_tools.cases.fhir.standing import require_patient
from kb_tools.cases.fhir.texts import TextReader
from kb_tools.cases.fhir.unknown import report_near_misses, report_silent
from kb_tools.cases.fhir.versions import skip_older_versions
from kb_tools.cases.fhir.withhold import Withholder
from kb_tools.cases.isolate import Content
from kb_tools.cases.record import Reading
from kb_tools.cases.terminology import Terminology
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.namespaces import CASE, POL

PATIENT = "urn:policykb:patient:"


class CaseBuilder:
    """Builds cases: one call a patient."""

    def __init__(self, terminology: Terminology, key: bytes, notices: Sequence[str] = (), record: bool = True) -> None:
        """Prepares building.

        Args:
            key: makes the pseudonyms; with the same key, a patient has the same one in every run.
            notices: given with each case.
            record: whether each case gets the record of its reading.
        """
        self._codes = Codes(terminology)
        self._payers = Payers(terminology.kb)
        self._pseudonyms = hmac.new(key, digestmod="sha256")
        self._notices = notices
        self._record = record

    def build(self, source: str, contents: Contents, preview: date | None = None) -> Content:
        """The case that the resources of one patient describe.

        Args:
            preview: the day of a preview, in which the order may be a draft; None where the request has to count.

        Raises:
            UnreadableInput: there is no request or no service date, or more than one; two patients; another version of
                FHIR.
        """
        # A preview shows no pseudonym, so that nothing need be said of how long one holds.
        notices = [*(() if preview else self._notices), *contents.notices]
        resources = list(contents.resources)
        assembly = Assembly(self._codes, self._payers, resources, contents.made, notices, preview)
        try:
            return self._build(assembly, source, contents.unread)
        except UnreadableInput as error:
            where = error.where or source
            raise UnreadableInput(error.what, where=where, hint=error.hint, unquoted=error.unquoted) from error

    @property
    def terminology(self) -> Terminology:
        """What codes mean to it."""
        return self._codes.terminology

    def asks_for_a_known_service(self, order: Resource) -> bool:
        """Whether an order names a service that is known here, or leaves open which of them."""
        return Services(self._codes).are_asked_by(order)

    def _build(self, assembly: Assembly, source: str, unread: Sequence[str]) -> Content:
        texts = TextReader(assembly)
        doubts = DoubtCollector(assembly, texts)
        _skip_unread(assembly, texts, doubts)
        identity = identify_patient(assembly)
        skip_older_versions(assembly, doubts)
        _read_request(assembly)
        answers = AnswerReader(assembly, doubts)
        _read_findings(assembly, texts, doubts, answers)
        _weigh_doubts(assembly, texts, doubts)
        pseudonym = self._pseudonyms.copy()
        pseudonym.update(identity.encode("utf-8", "surrogatepass"))
        patient = URIRef(PATIENT + pseudonym.hexdigest()[:32])
        graph = CaseGraph(assembly, answers.unclear())
        triples = graph.triples(patient)
        return Content(
            source=source,
            triples=triples,
            reading=Reading(source, tuple(notes_of(assembly.resources, unread))) if self._record else None,
            notices=tuple(assembly.notices),
            places={finding.node: finding.place for finding in assembly.findings.values()},
            root=graph.case,
            unread_payer=assembly.unread_payer,
        )


def _skip_unread(assembly: Assembly, texts: TextReader, doubts: DoubtCollector) -> None:
    """Skips what is of no type that is read, and what is not valid."""
    for resource in assembly.resources:
        if resource.type not in KNOWN_TYPES:
            resource.note(NOT_READ)
            assembly.done.add(resource)
            continue
        if resource.type == "Organization":
            continue  # Most have nothing to do with the case; one that is followed is looked at then.
        reason = resource.invalid()
        if "meta" in resource.content and is_subsetted(resource.content):
            assembly.notices.append(f"{resource.place} is tagged SUBSETTED: send it with all its elements.")
        if reason:
            assembly.rejected.add(resource)
            doubts.skip(resource, Skipped(NOT_UNDERSTOOD, reason))
            if resource.type in STATING and not texts.codings(resource):
                assembly.notices.append(f"{resource.place} is not valid, and what it is about could not be read.")


def _read_request(assembly: Assembly) -> None:
    """Reads the request and its plans; what it refers to and when it is decides what is a fact."""
    services = Services(assembly.codes)
    requests = RequestSelector(assembly, services).select()
    RequestReader(assembly, services).read(requests)
    report_death(assembly)
    # Of a person no more is read than some condition on file asks for.
    if (None, POL.reads, CASE.patientAge) in assembly.codes.terminology.kb.conditions:
        state_age(assembly)
    CoverageReader(assembly).read(requests[0])
    for request in requests:
        request.note(USED, "as the request", *request.root.read())


def _read_findings(assembly: Assembly, texts: TextReader, doubts: DoubtCollector, answers: AnswerReader) -> None:
    """Reads all resources for findings, or notes why there are none."""
    procedures = ProcedureReader(assembly)
    readers: dict[str, Callable[[Resource], None]] = {
        "Condition": ConditionReader(assembly, texts, doubts).read,
        "Procedure": procedures.read,
        "Observation": ObservationReader(assembly, doubts).read,
        "MedicationAdministration": procedures.read_administration,
        **dict.fromkeys(HINTING, ReportReader(assembly, texts, doubts).read),
        "QuestionnaireResponse": answers.read,
    }

    def read(resource: Resource) -> None:
        if resource in assembly.done or resource.type not in readers:
            return
        assembly.done.add(resource)
        try:
            require_patient(assembly, resource)
            readers[resource.type](resource)
            doubts.collect_near(resource)
        except Skipped as skipped:
            doubts.skip(resource, skipped)

    # Forms first: they can name the disease treated.
    for resource in sorted(assembly.resources, key=lambda resource: resource.type != "QuestionnaireResponse"):
        read(resource)
    for condition in list(assembly.referred):
        read(condition)


def _weigh_doubts(assembly: Assembly, texts: TextReader, doubts: DoubtCollector) -> None:
    """Marks the findings that are in doubt, and reports what is not understood."""
    doubted = {doubt.resource.place for doubt in assembly.doubts} | {place for place, _ in assembly.past}
    oldest = min((finding.day for finding in assembly.findings.values()), default=None)
    doubts.forget_what_is_stated()
    doubts.collect_unread()
    Withholder(assembly).mark()
    report_near_misses(assembly, texts)
    report_silent(assembly, texts, doubted, oldest)
