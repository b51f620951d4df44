"""Reports, impressions and adverse events: what they say may be so, and no fact is made of it."""

from __future__ import annotations

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.doubts import DoubtCollector
from kb_tools.cases.fhir.element import top_name
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, Skipped
from kb_tools.cases.fhir.standing import require_status
from kb_tools.cases.fhir.texts import TextReader


class ReportReader:
    """Finds out what reports may say."""

    def __init__(self, assembly: Assembly, texts: TextReader, doubts: DoubtCollector) -> None:
        self._codes = assembly.codes
        self._texts = texts
        self._doubts = doubts

    def read(self, report: Resource) -> None:
        """Skips a report, an impression or an adverse event.

        Raises:
            Skipped: always; it is doubtful where the report may state a finding.
        """
        if report.type == "AdverseEvent":
            if report.root.text("actuality") == "potential":
                raise Skipped(IGNORED, "it is said to be only potential", "actuality")
        else:
            require_status(report, "final", "amended", "corrected", "appended", "completed")
        codings = self._texts.codings(report)
        elements = tuple(dict.fromkeys(top_name(concept.path) for concept in self._texts.about(report)))
        if self._doubts.kinds_by_codes(report, codings) or self._texts.mentions(report):
            text = "this type of resource makes no finding, only a possible one"
            raise Skipped(NOT_UNDERSTOOD, text, *elements)
        raise self._codes.unread(codings, elements[0] if elements else "code", "nothing that is read")
