"""What the readers of FHIR resources share: the terms of the vocabularies, and the case as far as it is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NoReturn

from rdflib import BNode, Literal, URIRef
from rdflib.namespace import OWL, RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools.fhir_resources import SUBJECT, Aside, Element, References, Resource, last_two
from kb_tools.knowledge_base import KnowledgeBase, local_name
from kb_tools.namespaces import CASE, CLIN
from kb_tools.reading import Treatment
from kb_tools.terminology import Meaning, Terminology

USED, IGNORED, NOT_UNDERSTOOD, NOT_READ = Treatment
NOWHERE = "the reference leads nowhere in the input"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
# What a case states apart from its findings, by the name under which answers state it.
PARTS = {"Request": CASE.Request, "Coverage": CASE.Coverage, "Product": CASE.Product}
# Statuses of R4 that a record may name: anything else may be a text.
STATUSES = frozenset(
    (
        *("active", "amended", "cancelled", "completed", "corrected", "draft", "entered-in-error", "final"),
        *("in-progress", "not-done", "on-hold", "preliminary", "preparation", "registered", "revoked", "stopped"),
        *("unknown", "refuted", "unconfirmed", "provisional", "differential", "confirmed"),
    )
)


class Vocabulary:
    """The terms of the case and clinical vocabularies, and the codes that mean them."""

    def __init__(self, kb: KnowledgeBase, terminology: Terminology) -> None:
        self.kb = kb
        self.terminology = terminology
        ontology = kb.ontology
        self.kinds = {local_name(each): each for each in ontology.subjects(RDFS.subClassOf, CASE.Finding)}
        self.domain: dict[Node, set[Node]] = defaultdict(set)
        for property_, class_ in ontology.subject_objects(RDFS.domain):
            self.domain[class_].add(property_)
        self.range = dict(ontology.subject_objects(RDFS.range))
        self.classes: dict[Node, set[Node]] = defaultdict(set)
        for term, class_ in ontology.subject_objects(RDF.type):
            self.classes[term].add(class_)
        self.literals = set(ontology.subjects(RDF.type, OWL.DatatypeProperty))
        self._broader = {
            term: set(ontology.transitive_objects(term, SKOS.broader)) for term in ontology.subjects(SKOS.prefLabel)
        }

    def narrowest(self, concepts: set[URIRef]) -> URIRef | None:
        """Of concepts that lie in one line of the hierarchy the narrowest, else None."""
        return next((each for each in concepts if concepts <= self._broader[each]), None)

    def label(self, node: Node) -> str:
        """The name of a term, or a literal as it stands."""
        return str(node) if isinstance(node, Literal) else self.kb.labels.get(str(node), local_name(node))


@dataclass(frozen=True)
class Said:
    """Where a part of the case is stated, and what a record says of that; "" where the whole resource is noted."""

    resource: Resource
    text: str = ""
    elements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A finding of the case: its class and day, the resource that it is from, and what the record says of it."""

    node: BNode
    kind: Node
    day: date
    resource: Resource
    text: str

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
        self.service_day: date | None = None
        self.case = BNode()
        self.notices = list(notices)
        self.patients: set[int] = set()
        self.strangers: set[str] = set()
        self.referred: dict[int, Resource] = {}
        self.done: set[int] = set()
        self.rejected: set[int] = set()

    def _aside(self, resource: Resource, aside: Aside) -> None:
        """Notes why nothing, or nothing more, is made of a resource."""
        self.done.add(id(resource))
        resource.note(aside.treatment, aside.text, *aside.elements)

    def _of_the_patient(self, resource: Resource) -> None:
        """Sets aside what is not said to be of the patient."""
        name = SUBJECT[resource.type]
        reference = resource.root.one(name)
        if reference is None:
            raise Aside(NOT_UNDERSTOOD, "it does not say whose it is", name)
        found = self.references.follow(resource, reference)
        text = reference.text("reference")
        if found is None and (text in self.strangers or last_two(text) in self.strangers):
            return
        if found is None:
            raise Aside(NOT_UNDERSTOOD, NOWHERE, name)
        if id(found) not in self.patients:
            raise Aside(IGNORED, "it is about something other than the patient", name)

    def _status(self, resource: Resource, *accepted: str) -> None:
        status = resource.root.text("status")
        if status not in accepted:
            if status in STATUSES:
                raise Aside(IGNORED, f"its status is {status}", "status")
            raise Aside(NOT_UNDERSTOOD, "no status that R4 has", "status")

    def _verified(self, resource: Resource) -> None:
        """Sets a condition aside that is not confirmed."""
        codings = resource.root.codings("verificationStatus")
        if resource.root.get("verificationStatus") and not codings:
            raise Aside(NOT_UNDERSTOOD, "no verification status that R4 has", "verificationStatus")
        for coding in codings:
            code = coding.text("code")
            if coding.text("system") != VERIFICATION or code not in STATUSES:
                raise Aside(NOT_UNDERSTOOD, "no verification status that R4 has", "verificationStatus")
            if code != "confirmed":
                raise Aside(IGNORED, f"its verification status is {code}", "verificationStatus")

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
            resource.note(
                IGNORED, "the status that the code states has no date: send it as a Condition", codings[0].path
            )
        if codings and not found:
            for coding in codings:
                name = self.terms.terminology.name(coding.text("system"), coding.text("code"))
                meaning = self._meaning(coding)
                if meaning is None:
                    resource.note(NOT_UNDERSTOOD, f"{name} is not known here", coding.path)
                else:
                    resource.note(IGNORED, f"{name} names no disease that is treated", coding.path)
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

    def _meaning(self, coding: Element) -> Meaning | None:
        return self.terms.terminology.meaning(coding.text("system"), coding.text("code"))

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

    def _template(self, meanings: list[Meaning], element: str) -> tuple[URIRef, dict[URIRef, Node]]:
        """The finding that codes state together."""
        kinds = {each.kind for each in meanings if each.kind}
        values: dict[URIRef, Node] = {}
        for meaning in meanings:
            for property_, value in meaning.values:
                if values.setdefault(property_, value) != value:
                    raise Aside(NOT_UNDERSTOOD, "its codes contradict each other", element)
        if len(kinds) != 1:
            raise Aside(NOT_UNDERSTOOD, "its codes contradict each other", element)
        return next(iter(kinds)), values

    def _explain_codes(self, codings: list[Element], element: str, what: str) -> NoReturn:
        """Sets aside what has no code that is read, and says why.

        Raises:
            Aside: always.
        """
        if not codings:
            raise Aside(NOT_UNDERSTOOD, "no code", element)
        names = [self.terms.terminology.name(each.text("system"), each.text("code")) for each in codings]
        for coding, name in zip(codings, names, strict=True):
            meaning = self._meaning(coding)
            if meaning:
                raise Aside(IGNORED, ". ".join((f"{name} says {what} here", *unstated([meaning]))), element)
        raise Aside(NOT_UNDERSTOOD, f"{', '.join(names)} is not known here", element)

    def _find(
        self,
        resource: Resource,
        kind: Node,
        day: date | None,
        values: Mapping[URIRef, Node],
        elements: Sequence[str],
        dated: str = "",
        basis: URIRef = CASE.ChartEvidence,
    ) -> None:
        """Adds one finding, and notes what it was made from."""
        if day is None:
            raise Aside(NOT_UNDERSTOOD, "no date", dated)
        if self.service_day and day > self.service_day:
            raise Aside(IGNORED, "dated after the service date")
        if self.made and day > self.made + timedelta(days=1):
            raise Aside(IGNORED, "dated after the bundle was made")
        if self.made and day > self.made:
            # Days are as printed, each in its own time zone.
            raise Aside(NOT_UNDERSTOOD, "dated on the day after the bundle was made, which may be later or not", dated)
        said: dict[Node, Node] = {
            RDF.type: kind,
            CASE.date: Literal(day.isoformat(), datatype=XSD.date, normalize=False),
            CASE.basis: basis,
        }
        for property_, value in values.items():
            said[property_] = value
        key = frozenset(said.items())
        words = ", ".join(f"{self.terms.label(p)} {self.terms.label(o)}" for p, o in sorted(values.items()))
        text = f"{self.terms.label(kind)} of {day}" + (f": {words}" if words else "")
        if key in self.findings:
            resource.note(IGNORED, f"{text}; the same as from {self.findings[key].place}")
            return
        self.findings[key] = Found(BNode(), kind, day, resource, text)
        resource.note(USED, text, *elements)

    def _state(self, class_: URIRef, property_: URIRef, value: Node, said: Said) -> None:
        """Adds one value of a part of the case."""
        self.parts[class_].setdefault(property_, {}).setdefault(value, []).append(said)


def unstated(meanings: Iterable[Meaning]) -> list[str]:
    """What codes do not say, each once."""
    return list(dict.fromkeys(note.rstrip(".") for each in meanings for note in each.notes))
