"""What is withheld from a case: findings that must not decide, since something that may be newer could not be taken.

Else what could be read of a class would decide alone, though something else may have been said of it later. Each thing
withheld is told by a notice, and in the record of its resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from rdflib import Literal, URIRef
from rdflib.namespace import SKOS
from rdflib.term import Node

from kb_tools.fhir_draft import IGNORED, USED, Draft, Found
from kb_tools.fhir_resources import Aside, Element, Resource
from kb_tools.fhir_terms import Vocabulary
from kb_tools.namespaces import CASE, CLIN

# The types of resources that state findings by their codes, and the elements in which these stand.
STATING = ("Condition", "Procedure", "Observation", "MedicationAdministration")
_CODES = ("code", "medicationCodeableConcept")
# Where it stands when a thing was so or done; the end of a condition is the last that its record speaks of.
_TIMES = (
    *("recordedDate", "performedDateTime", "performedPeriod"),
    *("effectiveDateTime", "effectiveInstant", "effectivePeriod"),
)
_ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
# Statuses with which a disease is there.
_PRESENT = {CLIN.Relapsed, CLIN.Refractory, CLIN.RelapsedAndRefractory, CLIN.Progressing, CLIN.Active}
_SOURCES = {CLIN.Allogeneic, CLIN.Autologous, CLIN.Syngeneic}


@dataclass(frozen=True)
class Doubt:
    """What a resource may state of a class of findings, though no fact could be made of it.

    Attributes:
        days: the first and the last day that it may be of; None where that is not known.
        key: what it is of, where findings of the class are told apart by that: a method, a lineage; None where it is
            not known, the class itself where it states none.
        diseases: of these diseases, if that is known.
    """

    resource: Resource
    kind: Node
    days: tuple[date, date] | None
    key: Node | None = None
    diseases: frozenset[URIRef] = frozenset()


class DoubtReader(Draft):
    """Keeps in mind what may be so, and withholds what must not decide beside it."""

    def __init__(self, terms: Vocabulary, resources: list[Resource], made: date | None, notices: Sequence[str]) -> None:
        """See `Draft`."""
        super().__init__(terms, resources, made, notices)
        self.doubts: list[Doubt] = []
        # The relapses that a code states, each with the first day of its onset.
        self.onsets: list[tuple[Found, date]] = []
        # Where it is said that there was a finding of a class, and no more.
        self.past: list[tuple[str, Node]] = []

    # ------------------------------------------------------------------ what may be so

    def _aside(self, resource: Resource, aside: Aside) -> None:
        super()._aside(resource, aside)
        if aside.doubtful:
            self._doubt(resource)

    def _doubt(self, resource: Resource, *parts: Element) -> None:
        """Keeps in mind what a resource that was set aside, or these parts of it, may state by their codes."""
        if resource.type not in STATING:
            return
        root = resource.root
        codings = self._codes_of(resource, *parts)
        kinds: set[Node] = {kind for each in self._meanings(codings) for kind in (each.kind, *each.leaves_open) if kind}
        if resource.type == "Condition" and self._may_state_a_status(root, codings):
            kinds.add(CLIN.DiseaseStatusAssessment)
        days, diseases = _days_of(resource), frozenset(self._concepts(codings, CLIN.Disease))
        for kind in sorted(kinds, key=str):
            self.doubts.append(Doubt(resource, kind, days, self._key_of(kind, resource, codings), diseases))

    def _codes_of(self, resource: Resource, *parts: Element) -> list[Element]:
        """The codes that say what a resource is about, or these parts of it."""
        root = resource.root
        parts = parts or (root, *root.all("component"))
        codings = [each for part in parts for name in _CODES for each in part.codings(name)]
        medication = self.references.follow(resource, root.one("medicationReference"))
        return codings + (medication.root.codings("code") if medication else [])

    def _may_state_a_status(self, root: Element, codings: list[Element]) -> bool:
        """Whether a condition that was set aside may say how a disease stands."""
        if not self._meanings(codings):
            # A code of a malignancy that is not known here may say it by itself.
            return any(map(self._may_be_malignant, codings))
        clinical = root.codings("clinicalStatus")
        unclear = root.get("clinicalStatus") is not None and not self._meanings(clinical)
        ended = any("abatement" in name for name in root.content)
        return bool(self._concepts(codings, CLIN.Disease)) and bool(
            unclear or ended or self._concepts([*codings, *clinical], CLIN.DiseaseStatus)
        )

    def _may_be_malignant(self, coding: Element) -> bool:
        """Whether a code stands in a block of ICD-10-CM of hematologic malignancies."""
        system = self.terms.terminology.system(coding.text("system"), coding.text("code"))
        blocks = map(str, self.terms.kb.ontology.objects(CLIN.HematologicMalignancy, CLIN.icd10cm))
        icd = self.terms.terminology.systems.get(_ICD10CM)
        return system is not None and system is icd and any(_covers(block, coding.text("code")) for block in blocks)

    def _key_of(self, kind: Node, resource: Resource, codings: list[Element]) -> Node | None:
        """What tells a finding that a resource may state apart from others of its class; see `Doubt`."""
        property_ = self.terms.kb.ontology.value(kind, CASE.keyProperty)
        if property_ is None:
            return kind
        property_ = URIRef(str(property_))
        element = self.terms.elements.get(property_, "")
        stated = resource.root.codings(element)
        wanted = self.terms.range.get(property_)
        named: set[Node] = set(self._concepts([*codings, *stated], wanted)) if wanted else set()
        named |= {value for each in self._meanings(codings) for p, value in each.values if p == property_}
        if len(named) > 1 or (not named and resource.root.get(element)):
            return None
        return next(iter(named), kind)

    # ------------------------------------------------------------------ what is withheld

    def _withhold(self) -> None:
        """Withholds all that must not decide."""
        for holder in self.resources:
            for each in holder.contained if id(holder) not in self.dismissed else ():
                if id(each) not in self.done:
                    self._doubt(each)
        self._withhold_early_relapses()
        self._withhold_contradicting_statuses()
        self._withhold_contradicting_numbers()
        for transplant in self._transplants():
            if not self._source(transplant) & _SOURCES:
                # It may be allogeneic, and then what was found before it is history.
                why = f"{transplant.place} is a transplant of unknown source"
                self._take_back(self._before_transplant(transplant.day), why)
        for doubt in self.doubts:
            self._withhold_for(doubt)
        for place, kind in self.past:
            self._take_back(self._absences(kind), f"{place} says that there was one")

    def _withhold_early_relapses(self) -> None:
        """Withholds each relapse that is recorded after a transplant and may have begun before it.

        The code of a relapse has no date but that of its record, and records are made anew.
        """
        resets = [each.day for each in self._transplants() if CLIN.Allogeneic in self._source(each)]
        for found, onset in self.onsets:
            if any(onset <= day <= found.day for day in resets):
                self._take_back([found], f"the onset in {found.place} may be before the transplant")
                self._doubt_again(found)

    def _withhold_contradicting_statuses(self) -> None:
        """Withholds what is said of one disease on one day: that it is there, and that it is in remission.

        Such a remission need not be complete, so it is no evidence against a relapse, which would decide alone.
        """
        statuses = [each for each in self.findings.values() if each.kind == CLIN.DiseaseStatusAssessment]
        for gone in (each for each in statuses if each.values[CLIN.diseaseStatus] == CLIN.InRemission):
            others = [
                each
                for each in statuses
                if each.day == gone.day
                and each.values[CLIN.diseaseStatus] in _PRESENT
                and self._one_line(each, self._diseases_of(gone))
            ]
            if others:
                places = sorted({gone.place, *(each.place for each in others)})
                self._take_back([gone, *others], f"{' and '.join(places)} contradict each other")
                self._doubt_again(gone)

    def _withhold_contradicting_numbers(self) -> None:
        """Withholds a number and the bound that the code of a condition states, if they exclude each other."""
        for bound in [each for each in self.findings.values() if each.resource.type == "Condition"]:
            number = self.terms.number_of(bound.kind)
            others = [
                each
                for each in self.findings.values()
                if number
                and (each.kind, each.day) == (bound.kind, bound.day)
                and self._key(each) == self._key(bound)
                and not number.overlap(bound.values, each.values)
            ]
            if others:
                places = sorted({bound.place, *(each.place for each in others)})
                self._take_back([bound, *others], f"{' and '.join(places)} contradict each other")
                self._doubt_again(bound)

    def _doubt_again(self, found: Found) -> None:
        """Keeps what is older than a finding taken back from deciding in its place."""
        self.doubts.append(
            Doubt(found.resource, found.kind, (found.day, found.day), found.kind, self._diseases_of(found))
        )

    def _withhold_for(self, doubt: Doubt) -> None:
        """Withholds the findings that must not decide beside what a resource may state."""
        first, last = doubt.days or (date.min, date.max)
        if self.service_day and first > self.service_day:
            return
        if self.made and doubt.resource.type in STATING and (first - self.made).days > 1:
            return
        victims = self._absences(doubt.kind)
        same = [
            each for each in self.findings.values() if each.kind == doubt.kind and self._one_line(each, doubt.diseases)
        ]
        if not self._is_older(doubt, last, same):
            victims += same
            if doubt.kind == CLIN.Transplant:
                victims += self._before_transplant(last)
        self._take_back(victims, f"{doubt.resource.place} may state another, and no fact could be made of it")

    def _is_older(self, doubt: Doubt, last: date, same: Iterable[Found]) -> bool:
        """Whether what a resource may state would not count beside the findings of its class."""
        resets = [each.day for each in self._transplants() if CLIN.Allogeneic in self._source(each)]
        if doubt.kind == CLIN.Transplant:
            return bool(resets) and last <= max(resets)
        if resets and last < max(resets) and self._is(doubt.kind, CASE.sinceTransplant):
            return True
        newer = (each for each in same if last < each.day and self._key(each) == doubt.key)
        return self._is(doubt.kind, CASE.latestCounts) and any(newer)

    # ------------------------------------------------------------------ findings

    def _is(self, kind: Node, said: URIRef) -> bool:
        return (kind, said, Literal(True)) in self.terms.kb.ontology

    def _transplants(self) -> list[Found]:
        return [each for each in self.findings.values() if each.kind == CLIN.Transplant]

    def _source(self, transplant: Found) -> set[Node | None]:
        source = transplant.values.get(CLIN.graftSource)
        return set(self.terms.kb.ontology.transitive_objects(source, SKOS.broader)) if source else set()

    def _before_transplant(self, day: date) -> list[Found]:
        """The findings that a transplant on a day makes history."""
        return [each for each in self.findings.values() if each.day < day and self._is(each.kind, CASE.sinceTransplant)]

    def _absences(self, kind: Node) -> list[Found]:
        """The statements that there was no finding of a class."""
        return [each for each in self.findings.values() if each.values.get(CLIN.absenceOf) == kind]

    def _key(self, found: Found) -> Node:
        """What tells it apart from others of its class, or the class itself."""
        property_ = self.terms.kb.ontology.value(found.kind, CASE.keyProperty)
        return found.values.get(URIRef(str(property_)), found.kind)

    @staticmethod
    def _diseases_of(found: Found) -> frozenset[URIRef]:
        disease = found.values.get(CLIN.disease)
        return frozenset({URIRef(str(disease))} if disease else ())

    def _one_line(self, found: Found, diseases: frozenset[URIRef]) -> bool:
        """Whether a finding may be of one of these diseases, or of one under or over it; of none named, it may."""
        own = self._diseases_of(found)
        return not own or not diseases or any(self.terms.narrowest({*own, each}) for each in diseases)

    def _take_back(self, victims: Iterable[Found], why: str) -> None:
        """Withholds findings, with a notice for each class."""
        withheld = {each.node for each in victims}
        taken = {key: each for key, each in self.findings.items() if each.node in withheld}
        for key, each in taken.items():
            del self.findings[key]
            each.resource.notes[:] = [
                replace(note, treatment=IGNORED, text=f"{note.text}; withheld: {why}")
                if note.treatment is USED and note.text == each.text
                else note
                for note in each.resource.notes
            ]
        for label in sorted({self.terms.label(each.kind) for each in taken.values()}):
            self.notices.append(f"Withheld: {label}, since {why}.")


def _days_of(resource: Resource) -> tuple[date, date] | None:
    """The first and the last day that what a resource states may be of; None where that is not known."""
    root = resource.root
    found = [days for name in _TIMES if (days := root.days(name))]
    if not found:
        return None
    ended = root.days("abatementDateTime")
    return found[0][0], max(found[0][1], ended[1]) if ended else found[0][1]


def _covers(block: str, code: str) -> bool:
    """Whether a code or category of ICD-10-CM, or a block of categories, holds a code."""
    first, _, last = block.partition("-")
    return first <= code[: len(first)] <= last if last else code.startswith(block)
