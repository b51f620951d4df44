"""What the readers of FHIR resources share: the case as far as it is read, and what is asked of every resource."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NoReturn

from rdflib import BNode, Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.fhir.r4 import SUBJECT, Decimal
from kb_tools.cases.fhir.references import References, last_two, unversioned
from kb_tools.cases.fhir.resource import Aside, Element, Resource
from kb_tools.cases.form import Key
from kb_tools.cases.record import Treatment
from kb_tools.cases.terminology import Meaning, Near
from kb_tools.cases.vocabulary import Vocabulary
from kb_tools.rdf.namespaces import CASE, CLIN

USED, IGNORED, NOT_UNDERSTOOD, NOT_READ = Treatment
NOWHERE = "the reference leads nowhere in the input"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
# What a case states apart from its findings, by the name under which answers state it.
PARTS = {"Request": CASE.Request, "Coverage": CASE.Coverage, "Product": CASE.Product}
# Statuses of R4 with which a thing is not yet, or not surely, so: what is older of its kind must not decide alone.
_DOUBTFUL = frozenset(
    (
        *("in-progress", "on-hold", "stopped", "preliminary", "partial", "unknown"),
        *("unconfirmed", "provisional", "differential", "draft"),
    )
)
# Statuses of R4 that a record may name: anything else may be a text.
STATUSES = _DOUBTFUL | {
    *("active", "amended", "appended", "cancelled", "completed", "corrected", "entered-in-error", "final"),
    *("not-done", "preparation", "registered", "revoked", "refuted", "confirmed"),
}


# How many reasons for a doubt a case and a record state.
_REASONS = 3
# A class of findings, and what of one is stated.
Template = tuple[URIRef, dict[URIRef, Node]]


@dataclass(frozen=True)
class Said:
    """Where a part of the case is stated, and what a record says of that; "" where the whole resource is noted."""

    resource: Resource
    text: str = ""
    elements: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Found:
    """A finding of the case: its class, day and values, the resource it is from, and what the record says of it.

    `sources` are all resources that state it, the one that it is from first; `doubts` say why it may not count.
    """

    node: BNode
    kind: Node
    day: date
    values: Mapping[URIRef, Node]
    resource: Resource
    text: str
    sources: list[Resource]
    doubts: list[str] = field(default_factory=list)

    @property
    def in_doubt(self) -> str:
        """Why it is in doubt, as one text: the first reasons, and how many more there are."""
        more = len(self.doubts) - _REASONS
        return "; ".join(self.doubts[:_REASONS]) + (f"; and {more} more" if more > 0 else "")

    @property
    def place(self) -> str:
        return self.resource.place


class Draft:
    """A case as far as it is read, and what all readers of resources do."""

    def __init__(self, terms: Vocabulary, resources: list[Resource], made: date | None, notices: Sequence[str]) -> None:
        """Prepares reading `resources`; `made` is the day on which they were put together, where that is said."""
        self.terms = terms
        self.resources = resources
        self.made = made
        self.references = References(resources)
        self.findings: dict[frozenset[tuple[Node, Node]], Found] = {}
        self.parts: dict[URIRef, dict[URIRef, dict[Node, list[Said]]]] = {each: {} for each in PARTS.values()}
        self.unsettled: dict[URIRef, dict[Node, list[Said]]] = {}
        self.service_day: date | None = None
        self.case = BNode()
        self.notices = list(notices)
        self.patients: set[int] = set()
        self.strangers: set[str] = set()
        self.referred: dict[int, Resource] = {}
        self.done: set[int] = set()
        self.rejected: set[int] = set()
        # Claims that were withdrawn, or that ask for nothing anew: no order revives them.
        self.withdrawn: set[int] = set()
        # Of what is dismissed nothing is of the case, nor of what it contains.
        self.dismissed: set[int] = set()

    def _aside(self, resource: Resource, aside: Aside) -> None:
        """Notes why nothing, or nothing more, is made of a resource."""
        self.done.add(id(resource))
        resource.note(aside.treatment, aside.text, *aside.elements)
        if aside.treatment is IGNORED and not aside.doubtful:
            self.dismissed.add(id(resource))

    def _of_the_patient(self, resource: Resource) -> None:
        """Sets aside what is not said to be of the patient."""
        name = SUBJECT[resource.type]
        reference = resource.root.one(name)
        if reference is None:
            raise Aside(NOT_UNDERSTOOD, "it does not say whose it is", name)
        found = self.references.follow(resource, reference)
        text = unversioned(reference.text("reference"))
        if found is None and text in self.strangers:
            return
        if found is None and last_two(text).partition("/")[0] in ("", "Patient"):
            raise Aside(NOT_UNDERSTOOD, NOWHERE, name)
        if found is None or id(found) not in self.patients:
            raise Aside(IGNORED, "it is about something other than the patient", name)

    def _status(self, resource: Resource, *accepted: str) -> None:
        status = resource.root.text("status")
        if status not in accepted:
            if status in STATUSES:
                raise Aside(IGNORED, f"its status is {status}", "status", doubtful=status in _DOUBTFUL)
            raise Aside(NOT_UNDERSTOOD, "no status that R4 has", "status")

    def _verified(self, resource: Resource) -> None:
        """Sets a condition aside that is not confirmed."""
        codings = [
            each
            for each in resource.root.codings("verificationStatus")
            if each.text("system") == VERIFICATION or self._meaning(each)
        ]
        if resource.root.get("verificationStatus") and not codings:
            raise Aside(NOT_UNDERSTOOD, "no verification status that R4 has", "verificationStatus")
        for coding in codings:
            code = coding.text("code")
            if coding.text("system") != VERIFICATION or code not in STATUSES:
                raise Aside(NOT_UNDERSTOOD, "no verification status that R4 has", "verificationStatus")
            if code != "confirmed":
                text = f"its verification status is {code}"
                raise Aside(IGNORED, text, "verificationStatus", doubtful=code in _DOUBTFUL)

    def _day(self, root: Element, single: str, span: str, *others: str) -> date | None:
        for name in (single, *others):
            day = root.day(name)
            if day:
                return day
        period = root.one(span)
        if period:
            start, end = period.day("start"), period.day("end")
            if start and start == end:
                return start
            raise Aside(NOT_UNDERSTOOD, "a period of more than one day", span)
        return None

    def _one_disease(self, resource: Resource, found: set[URIRef], element: str) -> URIRef | None:
        if not found:
            return None
        disease = self.terms.narrowest(found)
        if disease is None:
            resource.note(NOT_UNDERSTOOD, "several diseases, and not said which is treated", element)
        return disease

    def _diseases(self, resource: Resource, codings: list[Element]) -> set[URIRef]:
        """The diseases that codes of a request name, with a note for each code that names none."""
        found = self._concepts(codings, CLIN.Disease)
        if self._concepts(codings, CLIN.DiseaseStatus):
            text = "a request names a disease, and no status of it: send the status as a Condition"
            resource.note(IGNORED, text, codings[0].path)
        if codings and not found:
            for coding in codings:
                if self._meaning(coding) is None:
                    resource.note(NOT_UNDERSTOOD, self._unknown([coding]), coding.path)
                else:
                    resource.note(IGNORED, f"{self._name(coding)} names no disease that is treated", coding.path)
        return found

    def _referred_diseases(self, resource: Resource, reference: Element) -> set[URIRef]:
        """The diseases of the Condition that a reference leads to, if that is a fact about the patient."""
        condition = self.references.follow(resource, reference)
        if condition is None:
            resource.note(NOT_UNDERSTOOD, NOWHERE, reference.path)
            return set()
        if condition.type != "Condition":
            resource.note(NOT_READ, "it refers to no condition", reference.path)
            return set()
        if condition.container:
            reason = condition.invalid()
            if reason:
                resource.note(NOT_UNDERSTOOD, reason, reference.path)
                return set()
            self.referred[id(condition)] = condition
        elif id(condition) in self.rejected:
            resource.note(NOT_UNDERSTOOD, "what it refers to is not understood", reference.path)
            return set()
        try:
            self._of_the_patient(condition)
            self._verified(condition)
        except Aside:
            resource.note(IGNORED, "what it refers to is no fact about the patient", reference.path)
            return set()
        found = self._concepts(condition.root.codings("code"), CLIN.Disease)
        if found:
            condition.note(USED, f"as the disease that {resource.place} is about", "code")
        return found

    def _name(self, coding: Element) -> str:
        """A code as a record may name it."""
        return self.terms.terminology.name(coding.text("system"), coding.text("code"))

    def _meaning(self, coding: Element) -> Meaning | None:
        return self.terms.terminology.meaning(coding.text("system"), coding.text("code"))

    def _near(self, coding: Element) -> Near | None:
        """What a code that is not known may be meant for."""
        return self.terms.terminology.near(coding.text("system"), coding.text("code"))

    def _possible(self, codings: list[Element]) -> list[Meaning]:
        """What codes mean, and what those that are not known may be meant for."""
        found: list[Meaning] = []
        for each in codings:
            known = self._meaning(each) or self._near(each)
            if known:
                found.append(known.meaning if isinstance(known, Near) else known)
        return found

    def _unknown(self, codings: list[Element]) -> str:
        """What a record says of codes that are not known."""
        names = ", ".join(self._name(each) for each in codings if self._near(each) is None)
        hints = dict.fromkeys(near.hint for each in codings if (near := self._near(each)))
        return "; ".join([*([f"{names} is not known here"] if names else []), *hints])

    def _meanings(self, codings: list[Element]) -> list[Meaning]:
        return [meaning for each in codings if (meaning := self._meaning(each)) is not None]

    def _classes(self, concept: Node) -> set[Node]:
        return self.terms.classes[concept]

    def _concepts(self, codings: list[Element], class_: Node) -> set[URIRef]:
        return {
            each for meaning in self._meanings(codings) for each in meaning.concepts if class_ in self._classes(each)
        }

    def _coded(self, kind: Node, codings: list[Element]) -> dict[URIRef, Node]:
        """What codes state of a finding: each concept in the property of the finding that takes its class."""
        found: dict[URIRef, set[URIRef]] = defaultdict(set)
        for meaning in self._meanings(codings):
            for concept in meaning.concepts:
                for property_ in self.terms.domain[kind]:
                    if self.terms.range.get(property_) in self._classes(concept):
                        found[URIRef(str(property_))].add(concept)
        values: dict[URIRef, Node] = {}
        for property_, concepts in found.items():
            narrowest = self.terms.narrowest(concepts)
            if narrowest is None:
                raise Aside(NOT_UNDERSTOOD, "its codes contradict each other")
            values[property_] = narrowest
        return values

    def _template(self, codings: list[Element], element: str) -> Template | None:
        """The finding that codes state together, with all that they state of it; None where none of them states one."""
        meanings = [each for each in self._meanings(codings) if each.kind]
        if not meanings:
            return None
        kinds = {each.kind for each in meanings if each.kind}
        values: dict[URIRef, Node] = {}
        for meaning in meanings:
            values = self._merged(values, dict(meaning.values), element)
        if len(kinds) != 1:
            raise Aside(NOT_UNDERSTOOD, "its codes contradict each other", element)
        kind = next(iter(kinds))
        return kind, self._merged(values, self._coded(kind, codings), element)

    def _merged(self, values: Mapping[URIRef, Node], more: Mapping[URIRef, Node], element: str) -> dict[URIRef, Node]:
        """What is stated of a finding in two places: of each property the narrower value.

        Raises:
            Aside: they contradict each other; `element` is where the second ones are stated.
        """
        merged = dict(values)
        for property_, value in more.items():
            narrower = self._narrower(merged.get(property_, value), value)
            if narrower is None:
                raise Aside(NOT_UNDERSTOOD, "its codes contradict each other", element)
            merged[property_] = narrower
        return merged

    def _narrower(self, one: Node, other: Node) -> Node | None:
        """The narrower of two values, None where neither is in the other."""
        if one == other or not (isinstance(one, URIRef) and isinstance(other, URIRef)):
            return one if one == other else None
        return self.terms.narrowest({one, other})

    def _number_as(self, key: Key, value: Any, path: str) -> Literal:
        """A JSON number as a property takes it, digit for digit."""
        integral = key.datatype == XSD.integer
        value = whole(value) if integral else value
        if isinstance(value, bool) or not isinstance(value, int if integral else int | float):
            raise Aside(NOT_UNDERSTOOD, "no number that this finding states", path)
        if not key.within(value):
            raise Aside(NOT_UNDERSTOOD, "a number out of range", path)
        text = value.text if isinstance(value, Decimal) else str(value)
        if not re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", text):
            raise Aside(NOT_UNDERSTOOD, "a number in exponent notation", path)
        return Literal(text, datatype=XSD.integer if isinstance(value, int) else XSD.decimal, normalize=False)

    def _explain_codes(self, codings: list[Element], element: str, what: str) -> NoReturn:
        """Sets aside what has no code that is read, and says why.

        Raises:
            Aside: always.
        """
        if not codings:
            raise Aside(NOT_UNDERSTOOD, "no code", element)
        for coding in codings:
            meaning = self._meaning(coding)
            if meaning:
                text = ". ".join((f"{self._name(coding)} says {what} here", *unstated([meaning])))
                doubtful = bool(meaning.leaves_open) or bool(self._mentioned_by(codings))
                raise Aside(IGNORED, text, element, doubtful=doubtful)
        raise Aside(NOT_UNDERSTOOD, self._unknown(codings), element)

    def _mentioned_by(self, codings: list[Element]) -> frozenset[Node]:
        """The classes of findings that the displays of codes that are not known mention."""
        unknown = [each.text("display") for each in codings if self._meaning(each) is None]
        return frozenset().union(*map(self.terms.terminology.mentions, unknown))

    def _find(
        self,
        resource: Resource,
        kind: Node,
        day: date | None,
        values: Mapping[URIRef, Node],
        elements: Sequence[str],
        dated: str = "",
        basis: URIRef = CASE.ChartEvidence,
    ) -> Found:
        """Adds one finding, and notes what it was made from; one that is there already is not added again."""
        if day is None:
            raise Aside(NOT_UNDERSTOOD, "no date", dated)
        if self.service_day and day > self.service_day:
            raise Aside(IGNORED, "dated after the service date")
        if self.made and basis == CASE.ChartEvidence and day > self.made:
            if (day - self.made).days > 1:
                raise Aside(IGNORED, "dated after the bundle was made")
            # Days are as printed, each in its own time zone.
            raise Aside(NOT_UNDERSTOOD, "dated on the day after the bundle was made, which may be later or not", dated)
        said: dict[Node, Node] = {
            RDF.type: kind,
            CASE.date: day_of(day),
            CASE.basis: basis,
        }
        for property_, value in values.items():
            said[property_] = value
        key = frozenset(said.items())
        words = ", ".join(f"{self.terms.label(p)} {self.terms.label(o)}" for p, o in sorted(values.items()))
        text = f"{self.terms.label(kind)} of {day}" + (f": {words}" if words else "")
        if key in self.findings:
            resource.note(IGNORED, f"{text}; the same as from {self.findings[key].place}")
            self.findings[key].sources.append(resource)
            return self.findings[key]
        self.findings[key] = found = Found(BNode(), kind, day, dict(values), resource, text, [resource])
        resource.note(USED, text, *elements)
        return found

    def _state_unsettled(self, property_: URIRef, value: Node, said: Said) -> None:
        """Keeps in mind what is stated of a part, and not for certain alone: nothing else may be taken against it."""
        self.unsettled.setdefault(property_, {}).setdefault(value, []).append(said)

    def _state(self, class_: URIRef, property_: URIRef, value: Node, said: Said) -> None:
        """Adds one value of a part of the case."""
        self.parts[class_].setdefault(property_, {}).setdefault(value, []).append(said)


def day_of(day: date) -> Literal:
    """A day as a case states it."""
    return Literal(day.isoformat(), datatype=XSD.date, normalize=False)


def unstated(meanings: Iterable[Meaning]) -> list[str]:
    """What codes do not say, each once."""
    return list(dict.fromkeys(note.rstrip(".") for each in meanings for note in each.notes))


def whole(value: Any) -> Any:
    """A JSON number that is written with a fraction of zeros, as 2.0, as the whole number that it is."""
    return int(value) if isinstance(value, Decimal) and re.fullmatch(r"-?[0-9]+\.0+", value.text) else value


def year_before(day: date) -> str:
    """The day a year before, as text; that of a 29th of February need not exist and still can be compared with."""
    return f"{day.year - 1:04}{day.isoformat()[4:]}"
