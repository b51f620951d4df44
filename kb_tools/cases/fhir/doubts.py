"""Doubts of the reader: findings that must not decide, since something could not be read that may say otherwise.

The reader marks such a finding as in doubt, with the reason. What then counts, perhaps counts or does not count, the
rules in shapes/derivation.ttl say, as for a case in any other format (docs: design, section 3.4). The record of the
resource holds each doubt, and the determination names those that keep a condition open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from rdflib import BNode, Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.fhir.assembly import USED, Found, day_of
from kb_tools.cases.fhir.r4 import HINTING, STATING
from kb_tools.cases.fhir.resource import Aside, Element, Resource
from kb_tools.cases.fhir.texts import TextReader, days_of, end_of
from kb_tools.cases.terminology import Meaning
from kb_tools.cases.vocabulary import Vocabulary
from kb_tools.rdf.namespaces import CASE, CLIN

# Statuses with which a resource says nothing.
_VOID = ("entered-in-error", "not-done", "cancelled", "registered", "preparation")


@dataclass(frozen=True)
class Doubt:
    """What a resource may state of a class of findings, though no fact could be made of it.

    Attributes:
        days: the first and the last day that it may be of; None where that is not known.
        key: what it is of, where findings of the class are told apart by that: a method, a lineage; None where it is
            not known, the class itself where it states none.
        values: what it states if it is so, as far as its codes say that.
        unless_stated: whether there is no doubt where the resource, or one that it groups, states a finding of the
            class.
        by_text: whether only a text mentions it.
    """

    resource: Resource
    kind: Node
    days: tuple[date, date] | None
    key: Node | None = None
    values: Mapping[URIRef, frozenset[Node]] = field(default_factory=dict)
    unless_stated: bool = False
    by_text: bool = False

    @property
    def why(self) -> str:
        """Why it puts findings in doubt, for people."""
        if self.by_text:
            return f"{self.resource.place} mentions it in a text, and its codes are not known here"
        return f"{self.resource.place} may state another, and no fact could be made of it"


class DoubtReader(TextReader):
    """Keeps in mind what may be so, and marks as in doubt what must not decide beside it."""

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
            if self._is_done(kind) and resource.type not in ("Procedure", "MedicationAdministration"):
                # What speaks of a transplant is mostly none: a state after one, or a test for one.
                self.past.append((resource.place, kind))
            else:
                key = None if self.terms.key_property(kind) else kind
                of_a_stage = bool(parts) and resource.type == "Condition"
                self.doubts.append(Doubt(resource, kind, days, key, by_text=True, unless_stated=not of_a_stage))

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

    # ------------------------------------------------------------------ what is in doubt

    def _mark_doubts(self) -> None:
        """Marks all findings that must not decide."""
        for holder in self.resources:
            for each in holder.contained if id(holder) not in self.dismissed else ():
                if id(each) not in self.done and each.root.text("status") not in _VOID:
                    self._doubt(each)
        said = {(id(each.resource), each.kind) for each in self.findings.values()}
        said |= {(id(each.resource), each.kind) for each in self.doubts}
        for panel, kind, members in self.panels:
            if not all((id(each), kind) in said for each in members):
                self._doubt(panel)
        # Transplants first: what is from before one that could not be read is in doubt.
        for doubt in sorted(self.doubts, key=lambda each: each.kind != CLIN.Transplant):
            self._mark_for(doubt)
        self._mark_early_relapses()
        self._mark_contradicting_numbers()
        for place, kind in self.past:
            self._mark(self._absences(kind), f"{place} says that there was one")
        for found in self.findings.values():
            if found.doubts:
                self._add_to_note(found, f"in doubt: {found.in_doubt}")

    def _mark_early_relapses(self) -> None:
        """Marks each relapse that is recorded after a transplant and may have begun before it.

        The code of a relapse has no date but that of its record, and records are made anew.
        """
        transplants = [each.day for each in self._transplants() if CLIN.Autologous not in self._source(each)]
        early = [found for found, onset in self.onsets if any(onset <= day <= found.day for day in transplants)]
        for found in dict.fromkeys(early):
            # Another source of the same may say that it is a relapse of that day.
            if early.count(found) == len(found.sources):
                self._mark([found], f"the onset in {found.place} may be before the transplant")

    def _mark_contradicting_numbers(self) -> None:
        """Marks a number and a bound that exclude each other: a bound may be no evidence of its own."""
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
            if others:
                places = sorted({bound.place, *(each.place for each in others)})
                self._mark([bound, *others], f"{' and '.join(places)} contradict each other")

    def _mark_for(self, doubt: Doubt) -> None:
        """Marks the findings that must not decide beside what a resource may state."""
        first, last = doubt.days or (date.min, date.max)
        if self.service_day and first > self.service_day:
            return
        if self.made and doubt.resource.type in STATING and (first - self.made).days > 1:
            return
        self._mark(self._absences(doubt.kind), doubt.why)
        if doubt.kind == CLIN.Transplant:
            self._state_transplant(doubt, last)
        elif self._may_count(doubt, last):
            same = [each for each in self.findings.values() if each.kind == doubt.kind]
            self._mark([each for each in same if self._may_contradict(doubt, last, each)], doubt.why)

    def _state_transplant(self, doubt: Doubt, last: date) -> None:
        """States a transplant that could not be read and may be allogeneic, as one of unstated source.

        Its day is the last that it can be of, so that all that it may have made history is from before it.
        """
        sources = doubt.values.get(CLIN.graftSource, frozenset())
        autologous = bool(sources) and all(CLIN.Autologous in self.terms.broader[each] for each in sources)
        if self.service_day is None or autologous:
            return
        day = min(last, self.service_day)
        said = {RDF.type: CLIN.Transplant, CASE.date: day_of(day), CASE.basis: CASE.ChartEvidence}
        text = f"transplant of unstated source, of {day} at the latest"
        found = Found(BNode(), CLIN.Transplant, day, {}, doubt.resource, text, [doubt.resource])
        if self.findings.setdefault(frozenset(said.items()), found) is found:
            why = f"{text}, since it may be one and could not be read"
            doubt.resource.note(USED, why, *doubt.resource.root.read())
            self.notices.append(f"{doubt.resource.place} may be an allogeneic transplant: read as {text}.")

    def _may_count(self, doubt: Doubt, last: date) -> bool:
        """Whether what a resource may state would count at all, or be history or of another disease."""
        resets = [each.day for each in self._transplants() if CLIN.Allogeneic in self._source(each)]
        if resets and last < max(resets) and self._is(doubt.kind, CASE.sinceTransplant):
            return False
        diseases = doubt.values.get(CLIN.disease, frozenset())
        reasons = self.parts[CASE.Request].get(CASE.reason, {})
        if diseases and reasons and self._is(doubt.kind, CASE.ofReasonOnly):
            return any(self.terms.may_be_one(each, reason) for each in diseases for reason in reasons)
        return True

    def _possible_keys(self, doubt: Doubt) -> frozenset[Node]:
        """What a resource may state a finding of, where the class is told apart by that; empty where that is open."""
        if self.terms.key_property(doubt.kind) == CLIN.disease:
            return doubt.values.get(CLIN.disease, frozenset())
        return frozenset() if doubt.key in (None, doubt.kind) else frozenset({doubt.key})

    def _may_contradict(self, doubt: Doubt, last: date, found: Found) -> bool:
        """Whether what a resource may state could supersede a finding of its class, or decide against it."""
        known, possible = self._key(found), self._possible_keys(doubt)
        # A finding or a doubt of which no key is stated may be of any.
        one_key = not possible or known == found.kind or any(self.terms.may_be_one(each, known) for each in possible)
        is_later = last < found.day
        if is_later and (possible == {known} or self.terms.key_property(found.kind) is None):
            return False
        if (is_later or not one_key) and any(self._is(value, CASE.standsAlone) for value in found.values.values()):
            # It decides whatever another method finds, or whatever is said of another disease.
            return False
        status = doubt.values.get(CLIN.diseaseStatus)
        return status is None or status != {found.values.get(CLIN.diseaseStatus)}

    # ------------------------------------------------------------------ findings

    def _is(self, term: Node, said: URIRef) -> bool:
        """Whether the ontology says this of a class, a property or a value."""
        return (term, said, Literal(True)) in self.terms.kb.ontology

    def _transplants(self) -> list[Found]:
        return [each for each in self.findings.values() if each.kind == CLIN.Transplant]

    def _source(self, transplant: Found) -> set[Node | None]:
        source = transplant.values.get(CLIN.graftSource)
        return self.terms.broader[source] if source else set()

    def _absences(self, kind: Node) -> list[Found]:
        """The statements that there was no finding of a class."""
        return [each for each in self.findings.values() if each.values.get(CLIN.absenceOf) == kind]

    def _key(self, found: Found) -> Node:
        """What tells it apart from others of its class, or the class itself."""
        property_ = self.terms.key_property(found.kind)
        return found.values.get(property_, found.kind) if property_ else found.kind

    def _mark(self, found: Iterable[Found], why: str) -> None:
        """Marks findings as in doubt.

        That an infusion was given is never in doubt: of one that may not be the latest, the response is not stated.
        """
        for each in list(found):
            if each.kind == CLIN.EarlierInfusion:
                self._leave_out_response(each, why)
            elif why not in each.doubts:
                each.doubts.append(why)

    def _leave_out_response(self, infusion: Found, why: str) -> None:
        if CLIN.response not in infusion.values:
            return
        key = next(key for key, each in self.findings.items() if each is infusion)
        response = infusion.values[CLIN.response]
        values = {property_: value for property_, value in infusion.values.items() if property_ != CLIN.response}
        del self.findings[key]
        self.findings.setdefault(key - {(CLIN.response, response)}, replace(infusion, values=values))
        self._add_to_note(infusion, f"its response is not taken: {why}")
        notice = f"Not taken: the response to the infusion of {infusion.day}, since {why}."
        self.notices += [notice] if notice not in self.notices else []

    def _add_to_note(self, found: Found, text: str) -> None:
        """Adds to what the record says of the resource that a finding is from."""
        found.resource.notes[:] = [
            replace(note, text=f"{note.text}; {text}")
            if note.treatment is USED and note.text.startswith(found.text)
            else note
            for note in found.resource.notes
        ]
