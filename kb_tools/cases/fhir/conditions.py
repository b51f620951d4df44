"""Findings as Condition states them: the status of a disease, and what a code states by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rdflib import URIRef

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.codes import unstated
from kb_tools.cases.fhir.dates import end_of, year_before
from kb_tools.cases.fhir.doubts import DoubtCollector
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, Skipped
from kb_tools.cases.fhir.standing import require_confirmed
from kb_tools.cases.fhir.texts import TextReader
from kb_tools.cases.meaning import Meaning
from kb_tools.rdf.namespaces import CLIN

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ONSETS = ("onsetDateTime", "onsetPeriod")
_ONSETS_WITHOUT_DATE = ("onsetAge", "onsetRange", "onsetString")
# The clinical statuses with which a condition comes or goes, and what is asked of one whose code is not known.
_TELLING = ("relapse", "recurrence", "remission")
_WHOSE = "check whether it is the disease treated"
# The statuses that go with being gone.
_REMISSIONS = {CLIN.InRemission, CLIN.CompleteRemission, CLIN.PartialRemission}


class ConditionReader:
    """Reads conditions."""

    def __init__(self, assembly: Assembly, texts: TextReader, doubts: DoubtCollector) -> None:
        self._assembly = assembly
        self._texts = texts
        self._doubts = doubts
        self._codes = assembly.codes

    def read(self, condition: Resource) -> None:
        """States what a condition states.

        Raises:
            Skipped: it states nothing, or nothing more.
        """
        require_confirmed(self._codes, condition)
        root = condition.root
        codings, clinical = root.codings("code"), root.codings("clinicalStatus")
        meanings = self._codes.meanings(codings)
        if not meanings:
            self._report_unknown(condition, clinical)
            raise self._codes.unread(codings, "code", "nothing that is read")
        stated = self._codes.meanings(clinical)
        if root.get("clinicalStatus") and not any(map(self._is_clinical, clinical)):
            raise Skipped(NOT_UNDERSTOOD, "not a clinical status of FHIR R4", "clinicalStatus")
        self._assembly.past += [(condition.place, kind) for meaning in meanings for kind in meaning.past]
        gone = any(meaning.not_present for meaning in (*meanings, *stated))
        ended = end_of(root)
        if ended and any(not meaning.not_present for meaning in stated):
            raise Skipped(
                NOT_UNDERSTOOD, "it states both that it has ended and that it is present", ended, "clinicalStatus"
            )
        diseases = self._codes.concepts(codings, CLIN.Disease)
        statuses = self._codes.concepts([*codings, *clinical], CLIN.DiseaseStatus)
        if statuses - _REMISSIONS and gone:
            raise Skipped(
                NOT_UNDERSTOOD,
                "it states both that the disease is back and that it is absent",
                "code",
                "clinicalStatus",
            )
        if any(meaning.kind for meaning in meanings) and ended:
            raise Skipped(IGNORED, "it has ended", ended, doubtful=True)
        made = bool(diseases and (statuses or ended))
        if made:
            by_code = not any(CLIN.Relapsed in meaning.concepts for meaning in stated)
            self._read_status(condition, diseases, statuses, ended, by_code)
        made |= self._read_findings(condition, meanings, gone)
        staged = self._says_by_its_stage(condition)
        if made and staged:
            self._doubts.collect(condition, *root.all("stage"))
            condition.note(NOT_UNDERSTOOD, "a stage makes no finding, only a possible one", "stage")
        if not made:
            notes = unstated(meanings) or unstated(stated)
            left_open = any(meaning.leaves_open for meaning in meanings) and not gone
            near = any(self._codes.near(coding) for coding in codings)
            doubtful = left_open or staged or near or bool(self._texts.mentions(condition))
            text = ". ".join(notes) or "it states no status and no finding"
            raise Skipped(IGNORED, text, *root.read(), doubtful=doubtful)

    def _is_clinical(self, coding: Element) -> bool:
        return coding.text("system") == _CLINICAL and self._codes.meaning(coding) is not None

    def _report_unknown(self, condition: Resource, clinical: Sequence[Element]) -> None:
        """Adds a notice of a condition that comes or goes, if its code is not known."""
        for status in sorted(self._codes.concepts(clinical, CLIN.DiseaseStatus)):
            if any(coding.text("code") in _TELLING for coding in clinical):
                label = self._assembly.terms.label(status)
                self._assembly.notices.append(f"{condition.place} is {label}, and its code is unknown: {_WHOSE}.")

    def _read_findings(self, condition: Resource, meanings: Sequence[Meaning], gone: bool) -> bool:
        """States the findings that codes state by themselves; whether there are any."""
        root = condition.root
        kinds = [(meaning.kind, meaning.values) for meaning in meanings if meaning.kind]
        for kind, values in kinds:
            if gone:
                raise Skipped(IGNORED, "it is not present now", "clinicalStatus", doubtful=True)
            day = root.day("recordedDate") or root.day("onsetDateTime")
            self._assembly.find(condition, kind, day, dict(values), root.read(), "recordedDate")
        return bool(kinds)

    def _says_by_its_stage(self, condition: Resource) -> bool:
        """Whether the stage of a condition may state a finding, by its codes or in a text."""
        stages = condition.aside.all("stage")
        if not stages:
            return False
        codings = self._texts.codings(condition, *stages)
        by_codes = self._doubts.kinds_by_codes(condition, codings, part=True)
        return bool(by_codes or self._texts.mentions(condition, *stages))

    def _read_status(
        self, condition: Resource, diseases: set[URIRef], statuses: set[URIRef], ended: str, by_code: bool
    ) -> None:
        """States the status of a disease.

        A disease that has ended is in remission since then; a remission that is recorded later is of that later day.

        Args:
            ended: the element that states that it has ended, if any does.
            by_code: whether it is its code, and not its clinical status, that says it if it is relapsed.
        """
        root, assembly = condition.root, self._assembly
        remissions = statuses & _REMISSIONS
        if ended:
            statuses = remissions or {CLIN.InRemission}
        if statuses & _REMISSIONS != {CLIN.InRemission}:
            # That it is complete or partial says more.
            statuses = statuses - {CLIN.InRemission}
        disease, status = assembly.terms.narrowest(diseases), assembly.terms.narrowest(statuses)
        if disease is None or status is None:
            raise Skipped(NOT_UNDERSTOOD, "its codes name different diseases or statuses", "code")
        day = root.day("recordedDate") if remissions or not ended else None
        if ended:
            end = root.day(ended) if ended == "abatementDateTime" else None
            if end is None:
                raise Skipped(NOT_UNDERSTOOD, "its end has no full date", ended)
            if assembly.service_day and end > assembly.service_day:
                raise Skipped(NOT_UNDERSTOOD, "it ended after the service date", ended)
            day = max(day, end) if day else end
        if day is None:
            raise Skipped(NOT_UNDERSTOOD, "the status has no date: recordedDate is missing", "recordedDate")
        onset = None
        if status == CLIN.Relapsed and (by_code or _is_on_a_problem_list(root)):
            onset = next((root.days(name) for name in _ONSETS if root.get(name)), None)
            if onset is None and any(map(root.get, _ONSETS_WITHOUT_DATE)):
                onset = (date.min, date.max)
        values = {CLIN.disease: disease, CLIN.diseaseStatus: status}
        finding = assembly.find(condition, CLIN.DiseaseStatusAssessment, day, values, root.read())
        if onset:
            assembly.onsets.append((finding, onset[0]))
            # It may be the onset of the disease.
            if onset[1].isoformat() < year_before(day):
                assembly.notices.append(
                    f"{condition.place}: the relapse is dated by its record of {day}; its onset is stated as earlier."
                )


def _is_on_a_problem_list(condition: Element) -> bool:
    """Whether a condition stands on a problem list, which is kept on for years and made anew from record to record."""
    codings = [coding for category in condition.all("category") for coding in category.all("coding")]
    return any(coding.text("code") == "problem-list-item" for coding in codings)
