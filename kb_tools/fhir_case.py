"""One case from the FHIR resources of one patient: its graph, and the record of what was read.

What a code means the terminology says; what is fixed here is how FHIR says a thing.

- The request is the one active Claim for preauthorization, else the one active ServiceRequest. Its reason is the
  disease that its service item points to (Claim; of several the principal one), or its reasonCode or reasonReference
  (ServiceRequest). Where one of these is not known here, no reason is stated.
- A finding needs a full date of its own, a status that makes it final, and a code with a known meaning. Its date is
  when it was observed or done, for a Condition when it was recorded; a dateTime counts as the day that it prints, in
  its own time zone. Nothing dated after the service date, or after the bundle was made, is one.
- Resources are chart evidence; a QuestionnaireResponse is attestation.
- What two sources say differently of a thing that a case states once is not taken from either, and a notice says so.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime

from rdflib import BNode, Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.errors import UnreadableInput
from kb_tools.fhir_answers import AnswerReader
from kb_tools.fhir_draft import IGNORED, NOT_READ, NOT_UNDERSTOOD, USED, Vocabulary
from kb_tools.fhir_facts import FactReader
from kb_tools.fhir_request import RequestReader
from kb_tools.fhir_resources import SUBJECT, Aside, References, Resource, last_two
from kb_tools.knowledge_base import KnowledgeBase
from kb_tools.namespaces import CASE, CLIN
from kb_tools.rdf import Triple
from kb_tools.reading import Note, Reading
from kb_tools.terminology import Terminology

PATIENT = "urn:policykb:patient:"
# The types of resources that state findings by their codes.
_STATING = ("Condition", "Procedure", "Observation", "MedicationAdministration")
# What a request and a product may state more than once.
_MANY = {CASE.procedureCode, CASE.purpose, CLIN.processing}


@dataclass(frozen=True)
class Imported:
    """A case as read from FHIR.

    Attributes:
        notices: what a reader of its determination must know of the reading.
        places: for each finding, the resource that it is from.
    """

    source: str
    triples: list[Triple]
    reading: Reading
    notices: tuple[str, ...]
    places: dict[Node, str]


class CaseBuilder:
    """Builds cases: one call a patient."""

    def __init__(self, kb: KnowledgeBase, terminology: Terminology, key: bytes, notices: Sequence[str] = ()) -> None:
        """Prepares building.

        Args:
            key: makes the pseudonyms; with the same key, a patient has the same one in every run.
            notices: given with each case.
        """
        self._terms = Vocabulary(kb, terminology)
        self._key = key
        self._notices = notices

    def build(
        self, source: str, resources: Sequence[Resource], unread: Sequence[str], made: date | None = None
    ) -> Imported:
        """The case that the resources of one patient describe.

        Args:
            unread: what there is of types that are not read: "Encounter \N{MULTIPLICATION SIGN}12".
            made: the day on which the bundle was put together, where it says so.

        Raises:
            UnreadableInput: there is no request or no service date, or more than one; two patients; another version of
                FHIR.
        """
        try:
            return _Build(self._terms, list(resources), made, self._notices).run(source, self._key, unread)
        except UnreadableInput as error:
            raise UnreadableInput(error.what, where=error.where or source, mend=error.mend) from error


class _Build(RequestReader, FactReader, AnswerReader):
    """The reading of one patient's resources."""

    def run(self, source: str, key: bytes, unread: Sequence[str]) -> Imported:
        """Reads all resources, the request first: what it refers to and when it is decides what is a fact."""
        for each in self.resources:
            reason = each.invalid()
            if reason:
                self.rejected.add(id(each))
                self._aside(each, Aside(NOT_UNDERSTOOD, reason))
        identity = self._patient()
        self._set_versions_aside()
        requests = self._requests()
        self._read_request(requests)
        self._read_coverage(requests[0])
        for each in requests:
            each.note(USED, "as the request", *each.root.read())
        for each in self.resources:
            self._read(each)
        for each in list(self.referred.values()):
            self._read(each)
        self._withhold_the_doubtful()
        pseudonym = hmac.new(key, identity.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]
        triples = [*self._request_triples(URIRef(PATIENT + pseudonym)), *self._finding_triples()]
        return Imported(
            source=source,
            triples=triples,
            reading=Reading(source, tuple(self._notes(unread))),
            notices=tuple(self.notices),
            places={each.node: each.place for each in self.findings.values()},
        )

    def _read(self, resource: Resource) -> None:
        """Reads one resource for findings, or notes why there are none."""
        readers: dict[str, Callable[[Resource], None]] = {
            "Condition": self._condition,
            "Procedure": self._procedure,
            "Observation": self._observation,
            "MedicationAdministration": self._administration,
            "QuestionnaireResponse": self._answers,
        }
        if id(resource) in self.done or resource.type not in readers:
            return
        self.done.add(id(resource))
        try:
            self._of_the_patient(resource)
            readers[resource.type](resource)
        except Aside as aside:
            self._aside(resource, aside)

    def _withhold_the_doubtful(self) -> None:
        """Withholds all findings of a class of which a resource that may be newer could not be understood.

        Else what could be read of a class would decide alone, though something else was said of it later.
        """
        for resource in self.resources:
            if not any(note.treatment is NOT_UNDERSTOOD for note in resource.notes):
                continue
            day = _day_of(resource)
            for kind in self._kinds_of(resource):
                others = {said: each for said, each in self.findings.items() if each.kind == kind}
                newest = max((each.day for each in others.values() if each.resource is not resource), default=None)
                all_count = (kind, CASE.countedBy, CASE.date) in self.terms.kb.ontology
                if newest is None or (day is not None and day < newest and not all_count):
                    continue
                label = self.terms.label(kind)
                self.notices.append(
                    f"Withheld: {label}, since {resource.place} states one that could not be read and may be newer."
                )
                for said, each in others.items():
                    del self.findings[said]
                    each.resource.notes[:] = [
                        replace(note, treatment=IGNORED, text=f"{note.text}; withheld for {resource.place}")
                        if note.treatment is USED and note.text == each.text
                        else note
                        for note in each.resource.notes
                    ]

    def _kinds_of(self, resource: Resource) -> set[Node]:
        """The classes of findings that a resource states by its codes, or answers by groups that are not understood."""
        if resource.type == "QuestionnaireResponse":
            return set(self._doubtful_groups(resource))
        root = resource.root
        elements = [root, *root.all("component")]
        names = ("code", "medicationCodeableConcept")
        meanings = self._meanings([each for element in elements for name in names for each in element.codings(name)])
        kinds: set[Node] = {each.kind for each in meanings if each.kind}
        if resource.type == "Condition" and self._concepts(root.codings("code"), CLIN.Disease):
            stated = [*root.codings("code"), *root.codings("clinicalStatus")]
            kinds |= {CLIN.DiseaseStatusAssessment} if self._concepts(stated, CLIN.DiseaseStatus) else set()
        return kinds if resource.type in _STATING else set()

    def _doubtful_groups(self, resource: Resource) -> Iterator[Node]:
        """The classes of the groups of answers of which something is not understood."""
        paths = {path for note in resource.notes if note.treatment is NOT_UNDERSTOOD for path in note.elements}
        waiting = resource.root.all("item")
        while waiting:
            item = waiting.pop()
            name = item.text("linkId")
            within = (f"{item.path}.", f"{name}/")
            if name in self.terms.kinds and any(path == item.path or path.startswith(within) for path in paths):
                yield self.terms.kinds[name]
            waiting += item.all("item")

    def _patient(self) -> str:
        """Finds out whom the resources are of, and returns what tells that patient from others."""
        people = {id(each): each for each in self.resources if each.type == "Patient"}
        known = bool(people)
        for each in self.resources:
            if each.type in SUBJECT and id(each) not in self.done:
                reference = each.root.one(SUBJECT[each.type])
                found = self.references.follow(each, reference)
                if found is not None and found.type == "Patient":
                    people[id(found)] = found
                elif found is None and reference is not None:
                    text = reference.text("reference")
                    stranger = last_two(text) or ("" if known else text)
                    if stranger.startswith("Patient/") or (stranger and not known):
                        self.strangers.add(stranger)
        # Two are one person only if all that is said of whom they are is the same.
        identities = {_identity(each) for each in people.values()} | {frozenset({each}) for each in self.strangers}
        if len(identities) > 1:
            raise UnreadableInput("resources of more than one patient", mend="send one bundle a patient")
        identity = next(iter(identities), None)
        if not identity:
            raise UnreadableInput("no patient", mend="give the request a patient")
        self.patients = set(people)
        for each in people.values():
            if each.container is None and id(each) not in self.done:
                each.note(USED, "as the pseudonym of the patient", *(each.root.read() or ("id",)))
                self.done.add(id(each))
        return min(identity)

    def _set_versions_aside(self) -> None:
        """Of several resources with one id only the latest version is read."""
        versions: dict[str, list[Resource]] = defaultdict(list)
        for each in self.resources:
            # One that is not understood can be the latest: then no earlier one stands for it.
            if each.id and (id(each) not in self.done or id(each) in self.rejected):
                versions[each.url if "://" in each.url else f"{each.type}/{each.id}"].append(each)
        for same in versions.values():
            if len(same) > 1:
                self._keep_latest(same)
        # A reference leads to the version that is read.
        self.references = References(sorted(self.resources, key=lambda each: id(each) in self.rejected))

    def _keep_latest(self, same: list[Resource]) -> None:
        kept: list[Resource] = []
        for each in same:
            twin = next((other for other in kept if other.content == each.content), None)
            if twin:
                self._aside(each, Aside(IGNORED, f"the same as {twin.place}"))
            else:
                kept.append(each)
        times = [_updated(each) for each in kept]
        latest = max((each for each in times if each), default=None)
        for each, time in zip(kept, times, strict=True):
            if len(kept) > 1 and (None in times or times.count(latest) > 1) and id(each) not in self.rejected:
                why = "several versions of one resource, and not said which is the latest"
                self._aside(each, Aside(NOT_UNDERSTOOD, why))
                self.rejected.add(id(each))
            elif time != latest and id(each) not in self.rejected:
                self._aside(each, Aside(IGNORED, f"replaced by {kept[times.index(latest)].place}"))
                self.rejected.add(id(each))

    def _request_triples(self, patient: URIRef) -> Iterator[Triple]:
        assert self.service_day is not None
        case, request, coverage, product = self.case, BNode(), BNode(), BNode()
        yield case, RDF.type, CASE.Case
        yield case, CASE.patient, patient
        yield case, CASE.coverage, coverage
        yield coverage, RDF.type, CASE.Coverage
        yield from self._part_triples(CASE.Coverage, coverage)
        yield case, CASE.request, request
        yield request, RDF.type, CASE.Request
        yield request, CASE.serviceDate, Literal(self.service_day.isoformat(), datatype=XSD.date, normalize=False)
        yield from self._part_triples(CASE.Request, request)
        of_product = list(self._part_triples(CASE.Product, product))
        if of_product:
            yield request, CASE.product, product
            yield product, RDF.type, CASE.Product
            yield from of_product

    def _part_triples(self, class_: URIRef, node: BNode) -> Iterator[Triple]:
        """What is stated of a part; what may be stated once, only where all sources agree."""
        agreed = {property_: self._agreed(property_, stated) for property_, stated in self.parts[class_].items()}
        if agreed.get(CASE.service) == []:
            # A code names a service too, and must not decide alone where another source names another.
            agreed.pop(CASE.procedureCode, None)
        for property_, values in agreed.items():
            stated = self.parts[class_][property_]
            if not values:
                places = sorted({said.resource.place for each in stated.values() for said in each})
                label = self.terms.label(property_)
                self.notices.append(f"The {label} is stated differently by {' and '.join(places)}: none is taken.")
            for sources in stated.values():
                for said in sources:
                    if said.text and values:
                        said.resource.note(USED, said.text, *said.elements)
                    elif said.text:
                        said.resource.note(IGNORED, f"{said.text}; stated differently elsewhere", *said.elements)
            for value in values:
                yield node, property_, value

    def _agreed(self, property_: URIRef, stated: Mapping[Node, object]) -> list[Node]:
        """The values to state: of what may be stated once the narrowest, or none where sources differ."""
        if property_ in _MANY or len(stated) < 2:
            return list(stated)
        narrowest = self.terms.narrowest({each for each in stated if isinstance(each, URIRef)})
        return [narrowest] if narrowest else []

    def _finding_triples(self) -> Iterator[Triple]:
        for said, finding in self.findings.items():
            yield self.case, CASE.finding, finding.node
            for predicate, value in sorted(said):
                yield finding.node, predicate, value

    def _notes(self, unread: Sequence[str]) -> Iterator[Note]:
        """All notes, in the order of the resources; of one that was used, what was looked at nowhere comes last."""
        for resource in self.resources:
            if not resource.notes:
                resource.note(IGNORED, "nothing that is read refers to it")
            yield from _with_the_rest(resource)
            used = any(note.treatment is USED for note in resource.notes)
            for each in resource.contained:
                if not each.notes and used:
                    each.note(NOT_READ)
                yield from _with_the_rest(each)
        for place in unread:
            yield Note(place, NOT_READ)


def _with_the_rest(resource: Resource) -> Iterator[Note]:
    """The notes of a resource; if it was used, with the elements that were looked at nowhere."""
    yield from resource.notes
    rest = tuple(each for each in resource.root.unread() if each != "contained")
    if rest and any(note.treatment is USED for note in resource.notes):
        yield Note(resource.place, NOT_READ, elements=rest)


def _identity(patient: Resource) -> frozenset[str]:
    """What tells a patient from others: the identifiers that have a value, else the id."""
    found = {
        f"{each.text('system')}|{each.text('value')}" for each in patient.root.all("identifier") if each.text("value")
    }
    return frozenset(found or {f"Patient/{patient.id}" if patient.id else patient.url} - {""})


def _updated(resource: Resource) -> datetime | None:
    """When a version of a resource was made, where that is said to the second with a time zone."""
    meta = resource.content.get("meta")
    text = meta.get("lastUpdated") if isinstance(meta, dict) else None
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time and time.tzinfo else None


def _day_of(resource: Resource) -> date | None:
    """The day of a resource, where it has a full one."""
    for name in ("recordedDate", "performedDateTime", "effectiveDateTime", "effectiveInstant"):
        with suppress(Aside):
            if day := resource.root.day(name):
                return day
    return None
