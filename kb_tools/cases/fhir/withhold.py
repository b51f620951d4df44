"""Marks as in doubt the findings that must not decide, since something could not be read that may say otherwise.

The mark states the reason. What then counts, perhaps counts or does not count, the rules in shapes/derivation.ttl say,
as for a case in any other format (docs: design, section 3.4). The record of the resource holds each doubt, and the
determination names those that keep a condition open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.dates import day_literal
from kb_tools.cases.fhir.facts import Doubt, Finding, new_node
from kb_tools.cases.fhir.r4 import STATING
from kb_tools.cases.fhir.skipped import USED
from kb_tools.model.periods import Starts
from kb_tools.rdf.namespaces import CASE, CLIN


class Withholder:
    """Marks the findings of one case."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._terms = assembly.terms

    def mark(self) -> None:
        """Marks all findings that must not decide beside the doubts collected."""
        # What starts a period first: what is from before one that could not be read is in doubt.
        for doubt in sorted(self._assembly.doubts, key=lambda doubt: self._terms.starts(doubt.kind) is None):
            self._mark_for(doubt)
        self._mark_early_relapses()
        self._mark_contradicting_numbers()
        for place, kind in self._assembly.past:
            self._mark(self._absences(kind), f"{place} states that there was one")
        for finding in self._findings():
            if finding.doubts:
                _add_to_note(finding, f"in doubt: {finding.in_doubt}")

    def _mark_for(self, doubt: Doubt) -> None:
        """Marks the findings that must not decide beside what a resource may state."""
        assembly = self._assembly
        first, last = doubt.days or (date.min, date.max)
        if assembly.service_day and first > assembly.service_day:
            return
        if assembly.made and doubt.resource.type in STATING and (first - assembly.made).days > 1:
            return
        self._mark(self._absences(doubt.kind), doubt.why)
        how = self._terms.starts(doubt.kind)
        if how is not None:
            self._state_start(doubt, how, last)
        elif self._may_count(doubt, last):
            same = [finding for finding in self._findings() if finding.kind == doubt.kind]
            self._mark([finding for finding in same if self._may_contradict(doubt, last, finding)], doubt.why)

    def _state_start(self, doubt: Doubt, how: Starts, last: date) -> None:
        """States what could not be read and may start a period, leaving open whether it does.

        A transplant that may be allogeneic is stated as one of unstated source. Its day is the last that it can be of,
        so that all that it may have made history is from before it.
        """
        assembly, label = self._assembly, self._terms.label
        possible = doubt.values.get(how.by, frozenset())
        starts_none = bool(possible) and all(how.does([value]) is False for value in possible)
        if assembly.service_day is None or starts_none:
            return
        day = min(last, assembly.service_day)
        stated: dict[Node, Node] = {
            RDF.type: doubt.kind,
            CASE.date: day_literal(day),
            CASE.basis: CASE.ChartEvidence,
        }
        kind = label(doubt.kind)
        of = f" of unstated {label(how.by)}" if how.may else ""
        text = f"{kind}{of}, of {day} at the latest"
        finding = Finding(new_node(), doubt.kind, day, {}, doubt.resource, text, [doubt.resource])
        if assembly.findings.setdefault(frozenset(stated.items()), finding) is finding:
            why = f"{text}, since it may be one and could not be read"
            doubt.resource.note(USED, why, *doubt.resource.root.read())
            what = f"{self._terms.starting(doubt.kind)} {kind}" if how.may else kind
            article = "an" if what[0] in "aeiou" else "a"
            assembly.notices.append(f"{doubt.resource.place} may be {article} {what}: read as {text}.")

    def _mark_early_relapses(self) -> None:
        """Marks each relapse that is recorded after what may start a period, and may have begun before it.

        The code of a relapse has no date but that of its record, and records are made anew.
        """
        early = [
            relapse
            for relapse, onset in self._assembly.onsets
            if any(onset <= day <= relapse.day for day in self._starts_of(relapse.kind, even_perhaps=True))
        ]
        for relapse in dict.fromkeys(early):
            # Another source of the same may say that it is a relapse of that day.
            if early.count(relapse) == len(relapse.sources):
                start = " or ".join(sorted(map(self._terms.label, self._terms.counts_since(relapse.kind))))
                self._mark([relapse], f"the onset in {relapse.place} may be before the {start}")

    def _mark_contradicting_numbers(self) -> None:
        """Marks a number and a bound that exclude each other: a bound may be no evidence of its own."""
        for bound in self._findings():
            measure = self._terms.measure_of(bound.kind)
            if measure is None or measure.exact in bound.values:
                continue
            others = [
                finding
                for finding in self._findings()
                if (finding.kind, finding.day) == (bound.kind, bound.day)
                and self._key(finding) == self._key(bound)
                and not measure.overlap(bound.values, finding.values)
            ]
            if others:
                places = sorted({bound.place, *(finding.place for finding in others)})
                self._mark([bound, *others], f"{' and '.join(places)} contradict each other")

    # ------------------------------------------------------------------ what a doubt touches

    def _may_count(self, doubt: Doubt, last: date) -> bool:
        """Whether what a resource may state would count at all, or be history or of another disease."""
        if any(last < day for day in self._starts_of(doubt.kind)):
            return False
        diseases = doubt.values.get(CLIN.disease, frozenset())
        reasons = self._assembly.parts[CASE.Request].get(CASE.reason, {})
        if diseases and reasons and self._terms.says(doubt.kind, CASE.ofReasonOnly):
            return any(self._terms.may_be_one(disease, reason) for disease in diseases for reason in reasons)
        return True

    def _possible_keys(self, doubt: Doubt) -> frozenset[Node]:
        """What a resource may state a finding of, where the class is told apart by that; empty where that is open."""
        if self._terms.key_property(doubt.kind) == CLIN.disease:
            return doubt.values.get(CLIN.disease, frozenset())
        return frozenset() if doubt.key in (None, doubt.kind) else frozenset({doubt.key})

    def _may_contradict(self, doubt: Doubt, last: date, finding: Finding) -> bool:
        """Whether what a resource may state could supersede a finding of its class, or decide against it."""
        known, possible = self._key(finding), self._possible_keys(doubt)
        # A finding or a doubt of which no key is stated may be of any.
        one_key = not possible or known == finding.kind or any(self._terms.may_be_one(key, known) for key in possible)
        is_later = last < finding.day
        if is_later and (possible == {known} or self._terms.key_property(finding.kind) is None):
            return False
        alone = any(self._terms.says(value, CASE.standsAlone) for value in finding.values.values())
        if (is_later or not one_key) and alone:
            # It decides whatever another method finds, or whatever is said of another disease.
            return False
        status = doubt.values.get(CLIN.diseaseStatus)
        return status is None or status != {finding.values.get(CLIN.diseaseStatus)}

    # ------------------------------------------------------------------ findings

    def _findings(self) -> list[Finding]:
        return list(self._assembly.findings.values())

    def _starts_of(self, kind: Node, even_perhaps: bool = False) -> list[date]:
        """The days on which a period starts since which findings of a class count.

        Args:
            even_perhaps: whether those are among them on which one may start.
        """
        found = []
        for start in self._findings():
            how = self._terms.starts(start.kind) if start.kind in self._terms.counts_since(kind) else None
            if how is not None:
                does = how.does([start.kind if how.by == RDF.type else start.values.get(how.by)])
                if does or (even_perhaps and does is None):
                    found.append(start.day)
        return found

    def _absences(self, kind: Node) -> list[Finding]:
        """The statements that there was no finding of a class."""
        return [finding for finding in self._findings() if finding.values.get(CLIN.absenceOf) == kind]

    def _key(self, finding: Finding) -> Node:
        """What tells it apart from others of its class, or the class itself."""
        property_ = self._terms.key_property(finding.kind)
        return finding.values.get(property_, finding.kind) if property_ else finding.kind

    # ------------------------------------------------------------------ marks

    def _mark(self, findings: Iterable[Finding], why: str) -> None:
        """Marks findings as in doubt.

        Some cannot be, as that an infusion was given: of one that may not be the latest, the response is not stated.
        """
        for finding in findings:
            if not self._terms.can_be_in_doubt(finding.kind):
                self._leave_out(finding, why)
            elif why not in finding.doubts:
                finding.doubts.append(why)

    def _leave_out(self, finding: Finding, why: str) -> None:
        """States a finding without the values in which it may differ from one that is newer."""
        differing = self._terms.differ_by(finding.kind) & finding.values.keys()
        if not differing:
            return
        findings = self._assembly.findings
        key = next(key for key, found in findings.items() if found is finding)
        values = {path: value for path, value in finding.values.items() if path not in differing}
        del findings[key]
        left: frozenset[tuple[Node, Node]] = frozenset(pair for pair in key if pair[0] not in differing)
        findings.setdefault(left, replace(finding, values=values))
        names = " and ".join(sorted(map(self._terms.label, differing)))
        _add_to_note(finding, f"its {names} is not used: {why}")
        kind = self._terms.label(finding.kind)
        self._assembly.notify(f"Not used: the {names} of the {kind} of {finding.day}, since {why}.")


def _add_to_note(finding: Finding, text: str) -> None:
    """Adds to what the record says of the resource that a finding is from."""
    finding.resource.notes[:] = [
        note._replace(text=f"{note.text}; {text}")
        if note.treatment is USED and note.text.startswith(finding.text)
        else note
        for note in finding.resource.notes
    ]
