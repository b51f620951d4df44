"""What is withheld from a case: findings that must not decide, since something that may be newer could not be taken.

Else what could be read of a class would decide alone, though something else may have been said of it later. Each thing
withheld is told by a notice, and in the record of its resource.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from rdflib import Literal, URIRef
from rdflib.term import Node

from kb_tools.fhir_draft import IGNORED, USED, Found
from kb_tools.fhir_resources import HINTING, STATING, Aside, Element, Resource
from kb_tools.fhir_terms import Vocabulary
from kb_tools.fhir_texts import TextReader, days_of, end_of
from kb_tools.namespaces import CASE, CLIN
from kb_tools.terminology import Meaning

# Statuses with which a resource says nothing.
_VOID = ("entered-in-error", "not-done", "cancelled", "registered", "preparation")
# Statuses with which a disease is there.
_PRESENT = {CLIN.Relapsed, CLIN.Refractory, CLIN.RelapsedAndRefractory, CLIN.Progressing, CLIN.Active}
# Of whom a graft can be: of the patient, or of an identical twin, or of another.
_OWN = {CLIN.Autologous, CLIN.Syngeneic}
_SOURCES = {CLIN.Allogeneic, *_OWN}


@dataclass(frozen=True)
class Doubt:
    """What a resource may state of a class of findings, though no fact could be made of it.

    Attributes:
        days: the first and the last day that it may be of; None where that is not known.
        key: what it is of, where findings of the class are told apart by that: a method, a lineage; None where it is
            not known, the class itself where it states none.
        values: what it states if it is so, as far as its codes say that.
        why: why findings of its class are withheld; by default, that no fact could be made of it.
        unless_stated: whether there is no doubt where the resource, or one that it groups, states a finding of the
            class.
    """

    resource: Resource
    kind: Node
    days: tuple[date, date] | None
    key: Node | None = None
    values: Mapping[URIRef, frozenset[Node]] = field(default_factory=dict)
    why: str = ""
    unless_stated: bool = False


class DoubtReader(TextReader):
    """Keeps in mind what may be so, and withholds what must not decide beside it."""

    def __init__(self, terms: Vocabulary, resources: list[Resource], made: date | None, notices: Sequence[str]) -> None:
        """See `Draft`."""
        super().__init__(terms, resources, made, notices)
        self.doubts: list[Doubt] = []
        # The relapses that a code states, each with the first day of its onset.
        self.onsets: list[tuple[Found, date]] = []
        # Panels without a value of their own, each with its class and the observations that it groups.
        self.panels: list[tuple[Resource, Node, list[Resource]]] = []
        # Where it is said that there was a finding of a class, and no more.
        self.past: list[tuple[str, Node]] = []

    # ------------------------------------------------------------------ what may be so

    def _aside(self, resource: Resource, aside: Aside) -> None:
        super()._aside(resource, aside)
        if aside.doubtful:
            self._doubt(resource)

    def _doubt(self, resource: Resource, *parts: Element) -> None:
        """Keeps in mind what a resource that was set aside, or these parts of it, may state by codes or in a text."""
        if resource.type not in (*STATING, *HINTING):
            return
        root, codings = resource.root, self._codes_of(resource, *parts)
        kinds = self._kinds_of_codes(resource, codings, bool(parts))
        # What a report is of its results say, but not what it concludes.
        named = kinds - self._kinds_of_codes(resource, self._concluded(resource)) if self._grouped(resource) else set()
        days = days_of(resource)
        for kind in sorted(kinds, key=str):
            key, values = self._key_of(kind, resource, codings), self._values_of(kind, root, codings)
            self.doubts.append(Doubt(resource, kind, days, key, values, unless_stated=kind in named))
        for kind in sorted(self._mentions(resource, *parts) - kinds, key=str):
            why = f"{resource.place} mentions it in a text, and its codes are not known here"
            if self._is_done(kind) and resource.type not in ("Procedure", "MedicationAdministration"):
                # What speaks of a transplant is mostly none: a state after one, or a test for one.
                self.past.append((resource.place, kind))
            else:
                key = None if self.terms.key_property(kind) else kind
                of_a_stage = bool(parts) and resource.type == "Condition"
                self.doubts.append(Doubt(resource, kind, days, key, why=why, unless_stated=not of_a_stage))

    def _concluded(self, resource: Resource) -> list[Element]:
        """The codes of what a report concludes."""
        concepts = Element(resource.content).all("conclusionCode")
        return [each for concept in concepts for each in concept.all("coding")]

    def _kinds_of_codes(self, resource: Resource, codings: list[Element], part: bool = False) -> set[Node]:
        """The classes of findings of which a resource may state one by these codes; `part`: of a part of it alone."""
        possible = self._possible(codings)
        kinds: set[Node] = {kind for each in possible for kind in (each.kind, *each.leaves_open) if kind}
        for each in codings:
            kinds |= self.terms.terminology.may_mean(each.text("system"), each.text("code"))
        if self._may_state_a_status(resource, possible, part):
            kinds.add(CLIN.DiseaseStatusAssessment)
        return kinds

    def _forget_what_is_stated(self) -> None:
        """Drops the doubts of what the resource that raises them states, or a resource that it groups."""
        stated = {(id(source), found.kind) for found in self.findings.values() for source in found.sources}
        self.doubts = [
            doubt
            for doubt in self.doubts
            if not (
                doubt.unless_stated
                and any((id(each), doubt.kind) in stated for each in (doubt.resource, *self._grouped(doubt.resource)))
            )
        ]

    def _values_of(self, kind: Node, root: Element, codings: list[Element]) -> dict[URIRef, frozenset[Node]]:
        """What a resource that was set aside may state of a finding, as far as its codes say that and no others do."""
        clinical = root.codings("clinicalStatus")
        meanings = self._possible([*codings, *clinical])
        values: dict[URIRef, set[Node]] = defaultdict(set)
        for meaning in meanings:
            for property_, value in meaning.values if meaning.kind == kind else ():
                values[property_].add(value)
            for stated in self.terms.domain[kind]:
                wanted = self.terms.range.get(stated)
                values[URIRef(str(stated))] |= {each for each in meaning.concepts if wanted in self._classes(each)}
        if (
            len(meanings) < len(codings) + len(clinical)
            or (root.get("clinicalStatus") and not clinical)
            or end_of(root)
        ):
            # What is not understood may say otherwise.
            values.pop(CLIN.diseaseStatus, None)
        return {property_: frozenset(each) for property_, each in values.items() if each}

    def _may_state_a_status(self, resource: Resource, possible: list[Meaning], part: bool) -> bool:
        """Whether a resource that was set aside, or a part of it, may say how a disease stands."""
        diseases = any(self._named_in(each, CLIN.Disease) for each in possible)
        statuses = [self._named_in(each, CLIN.DiseaseStatus) for each in possible]
        if resource.type in HINTING or (part and resource.type == "Condition"):
            # Which disease a conclusion or a stage is of need not be said beside it.
            alone = any(found == each.concepts for found, each in zip(statuses, possible, strict=True) if found)
            return alone or (diseases and any(statuses))
        root = resource.root
        clinical = root.codings("clinicalStatus")
        unclear = root.get("clinicalStatus") is not None and not self._meanings(clinical)
        stated = any(statuses) or bool(self._concepts(clinical, CLIN.DiseaseStatus))
        return resource.type == "Condition" and diseases and (unclear or bool(end_of(root)) or stated)

    def _named_in(self, meaning: Meaning, class_: Node) -> frozenset[URIRef]:
        return frozenset(each for each in meaning.concepts if class_ in self._classes(each))

    def _key_of(self, kind: Node, resource: Resource, codings: list[Element]) -> Node | None:
        """What tells a finding that a resource may state apart from others of its class; see `Doubt`."""
        property_ = self.terms.key_property(kind)
        if property_ is None:
            return kind
        element = self.terms.elements.get(property_, "")
        stated = resource.root.codings(element)
        wanted = self.terms.range.get(property_)
        named: set[Node] = set(self._concepts([*codings, *stated], wanted)) if wanted else set()
        named |= {value for each in self._meanings(codings) for p, value in each.values if p == property_}
        # Parts and members may say what the whole does not.
        elsewhere = any(map(resource.root.get, (element, "component", "hasMember")))
        if len(named) > 1 or (not named and elsewhere):
            return None
        return next(iter(named), kind)

    # ------------------------------------------------------------------ what is withheld

    def _withhold(self) -> None:
        """Withholds all that must not decide."""
        for holder in self.resources:
            for each in holder.contained if id(holder) not in self.dismissed else ():
                if id(each) not in self.done and each.root.text("status") not in _VOID:
                    self._doubt(each)
        said = {(id(each.resource), each.kind) for each in self.findings.values()}
        said |= {(id(each.resource), each.kind) for each in self.doubts}
        for panel, kind, members in self.panels:
            if not all((id(each), kind) in said for each in members):
                self._doubt(panel)
        self._withhold_early_relapses()
        self._withhold_contradicting_statuses()
        self._withhold_contradicting_numbers()
        self._withhold_statuses_of_groups()
        for transplant in self._transplants():
            if not self._source(transplant) & _SOURCES:
                # It may be allogeneic, and then what was found before it is history.
                why = f"{transplant.place} is a transplant of unknown source"
                self._take_back(self._before_transplant(transplant.day), why)
        # What is withheld for one doubt may have kept another from mattering.
        left = len(self.findings) + 1
        while left > len(self.findings):
            left = len(self.findings)
            for doubt in self.doubts:
                self._withhold_for(doubt)
        for place, kind in self.past:
            self._take_back(self._absences(kind), f"{place} says that there was one")

    def _withhold_early_relapses(self) -> None:
        """Withholds each relapse that is recorded after a transplant and may have begun before it.

        The code of a relapse has no date but that of its record, and records are made anew.
        """
        transplants = [each.day for each in self._transplants() if not self._source(each) & _OWN]
        early = [found for found, onset in self.onsets if any(onset <= day <= found.day for day in transplants)]
        for found in dict.fromkeys(early):
            # Another source of the same may say that it is a relapse of that day.
            if early.count(found) == len(found.sources):
                self._take_back_in_doubt(found, [], f"the onset in {found.place} may be before the transplant")

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
                and self._one_line(each.values.get(CLIN.disease), gone.values.get(CLIN.disease))
            ]
            self._withhold_contradiction(gone, others)

    def _withhold_statuses_of_groups(self) -> None:
        """Withholds what is said of a disease that does not count as the one treated and may be it.

        "Myeloid leukemia in relapse" may be a relapse of an acute one: an older remission of that must not decide.
        """
        reasons = self.parts[CASE.Request].get(CASE.reason, {})
        for found in list(self.findings.values()):
            disease = found.values.get(CLIN.disease)
            if disease and not self._counts(found) and any(self.terms.may_be_one(disease, each) for each in reasons):
                why = f"{found.place} is of {self.terms.label(disease)}, which may be the disease treated or another"
                self._take_back_in_doubt(found, [], why)

    def _withhold_contradicting_numbers(self) -> None:
        """Withholds a number and a bound that exclude each other: a bound may be no evidence of its own."""
        for bound in list(self.findings.values()):
            number = self.terms.number_of(bound.kind)
            others = [
                each
                for each in self.findings.values()
                if number
                and number.exact not in bound.values
                and (each.kind, each.day) == (bound.kind, bound.day)
                and self._key(each) == self._key(bound)
                and not number.overlap(bound.values, each.values)
            ]
            self._withhold_contradiction(bound, others)

    def _take_back_in_doubt(self, found: Found, others: Sequence[Found], why: str) -> None:
        """Withholds findings, and keeps what is older than the first of them from deciding in its place."""
        self._take_back([found, *others], why)
        values = {property_: frozenset({value}) for property_, value in found.values.items()}
        self.doubts.append(Doubt(found.resource, found.kind, (found.day, found.day), self._key(found), values, why))

    def _withhold_contradiction(self, found: Found, others: Sequence[Found]) -> None:
        """Withholds a finding and those that contradict it."""
        if others:
            places = sorted({found.place, *(each.place for each in others)})
            self._take_back_in_doubt(found, others, f"{' and '.join(places)} contradict each other")

    def _withhold_for(self, doubt: Doubt) -> None:
        """Withholds the findings that must not decide beside what a resource may state."""
        first, last = doubt.days or (date.min, date.max)
        if self.service_day and first > self.service_day:
            return
        if self.made and doubt.resource.type in STATING and (first - self.made).days > 1:
            return
        victims = self._absences(doubt.kind)
        same = [
            each for each in self.findings.values() if each.kind == doubt.kind and self._may_contradict(doubt, each)
        ]
        if not self._is_older(doubt, last):
            victims += same
            if doubt.kind == CLIN.Transplant and not self._is_own(doubt.values.get(CLIN.graftSource, ())):
                victims += self._before_transplant(last)
        why = f"{doubt.resource.place} may state another, and no fact could be made of it"
        self._take_back(victims, doubt.why or why)

    def _may_contradict(self, doubt: Doubt, found: Found) -> bool:
        """Whether what a resource may state could change what a finding of its class decides."""
        if doubt.kind == CLIN.Transplant:
            # One allogeneic transplant is enough, and one of the patient's own cells makes no other allogeneic.
            return CLIN.Allogeneic not in self._source(found) and not self._is_own(
                doubt.values.get(CLIN.graftSource, ())
            )
        diseases = doubt.values.get(CLIN.disease, frozenset())
        known = found.values.get(CLIN.disease)
        if known and diseases and not any(self.terms.may_be_one(each, known) for each in diseases):
            return False
        if doubt.key not in (None, self._key(found)) and any(
            self._is(value, CASE.standsAlone) for value in found.values.values()
        ):
            return False
        status = doubt.values.get(CLIN.diseaseStatus)
        return status is None or status != {found.values.get(CLIN.diseaseStatus)}

    def _is_older(self, doubt: Doubt, last: date) -> bool:
        """Whether what a resource may state would not count beside the findings of its class."""
        resets = [each.day for each in self._transplants() if CLIN.Allogeneic in self._source(each)]
        if doubt.kind == CLIN.Transplant:
            return bool(resets) and last <= max(resets)
        if resets and last < max(resets) and self._is(doubt.kind, CASE.sinceTransplant):
            return True
        newer = (
            each
            for each in self.findings.values()
            if each.kind == doubt.kind and last < each.day and self._key(each) == doubt.key and self._counts(each)
        )
        return self._is(doubt.kind, CASE.latestCounts) and any(newer)

    def _counts(self, found: Found) -> bool:
        """Whether a finding is of the disease that is treated, where its class says that it must be."""
        reasons = self.parts[CASE.Request].get(CASE.reason, {})
        return not self._is(found.kind, CASE.ofReasonOnly) or any(
            self._one_line(found.values.get(CLIN.disease), each) for each in reasons
        )

    # ------------------------------------------------------------------ findings

    def _is(self, term: Node, said: URIRef) -> bool:
        """Whether the ontology says this of a class, a property or a value."""
        return (term, said, Literal(True)) in self.terms.kb.ontology

    def _transplants(self) -> list[Found]:
        return [each for each in self.findings.values() if each.kind == CLIN.Transplant]

    def _source(self, transplant: Found) -> set[Node | None]:
        source = transplant.values.get(CLIN.graftSource)
        return self.terms.broader[source] if source else set()

    def _before_transplant(self, day: date) -> list[Found]:
        """The findings that a transplant on a day makes history."""
        return [each for each in self.findings.values() if each.day < day and self._is(each.kind, CASE.sinceTransplant)]

    def _absences(self, kind: Node) -> list[Found]:
        """The statements that there was no finding of a class."""
        return [each for each in self.findings.values() if each.values.get(CLIN.absenceOf) == kind]

    def _key(self, found: Found) -> Node:
        """What tells it apart from others of its class, or the class itself."""
        property_ = self.terms.key_property(found.kind)
        return found.values.get(property_, found.kind) if property_ else found.kind

    @staticmethod
    def _is_own(sources: Collection[Node]) -> bool:
        """Whether a graft is said to be of the patient's own cells, or of an identical twin's."""
        return bool(sources) and set(sources) <= _OWN

    def _one_line(self, one: Node | None, other: Node | None) -> bool:
        """Whether two diseases are one, or the one is of the other's kind; of none named, it may be."""
        if not (isinstance(one, URIRef) and isinstance(other, URIRef)):
            return True
        return self.terms.narrowest({one, other}) is not None

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
        labels = sorted({self.terms.label(each.kind) for each in taken.values()})
        notices = [f"Withheld: {label}, since {why}." for label in labels]
        self.notices += [each for each in notices if each not in self.notices]
