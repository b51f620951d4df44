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
- A code makes a fact, a text can only raise a doubt: see `fhir_texts`. Reports, impressions, adverse events and stages
  raise doubts by their codes too.
- Resources are chart evidence; a QuestionnaireResponse is attestation.
- What two sources say differently of a thing that a case states once is not taken from either, and a notice says so.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from rdflib import BNode, Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.fhir.answers import AnswerReader
from kb_tools.cases.fhir.assembly import IGNORED, NOT_READ, NOT_UNDERSTOOD, USED, Said, day_of
from kb_tools.cases.fhir.chart import FactReader
from kb_tools.cases.fhir.r4 import HINTING, READ_TYPES, STATING, SUBJECT, library_class
from kb_tools.cases.fhir.references import References, last_two, unversioned
from kb_tools.cases.fhir.request import RequestReader
from kb_tools.cases.fhir.resource import SUBSETTED, Aside, Element, Resource
from kb_tools.cases.record import Note, Reading
from kb_tools.cases.terminology import Terminology
from kb_tools.cases.vocabulary import Vocabulary
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import KnowledgeBase
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import Triple, local_name

PATIENT = "urn:policykb:patient:"
# What a request and a product may state more than once.
_MANY = {CASE.procedureCode, CASE.purpose, CLIN.processing}


@dataclass(frozen=True)
class Imported:
    """A case as read from FHIR.

    Attributes:
        notices: what a reader of its determination must know of the reading.
        places: for each finding, the resource that it is from.
        part: which part of the input it is from, in words without the name of a file; "" where it is all of it.
    """

    source: str
    triples: list[Triple]
    reading: Reading
    notices: tuple[str, ...]
    places: dict[Node, str]
    part: str = ""


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
        self,
        source: str,
        resources: Sequence[Resource],
        unread: Sequence[str],
        made: date | None = None,
        notices: Sequence[str] = (),
    ) -> Imported:
        """The case that the resources of one patient describe.

        Args:
            unread: what there is of types that are not read: "Encounter \N{MULTIPLICATION SIGN}12".
            made: the day on which the bundle was put together, where it says so.
            notices: what is to be known of them as a whole.

        Raises:
            UnreadableInput: there is no request or no service date, or more than one; two patients; another version of
                FHIR.
        """
        try:
            build = _Build(self._terms, list(resources), made, [*self._notices, *notices])
            return build.run(source, self._key, unread)
        except UnreadableInput as error:
            raise UnreadableInput(error.what, where=error.where or source, hint=error.hint) from error


class _Build(RequestReader, FactReader, AnswerReader):
    """The reading of one patient's resources."""

    def run(self, source: str, key: bytes, unread: Sequence[str]) -> Imported:
        """Reads all resources, the request first: what it refers to and when it is decides what is a fact."""
        for each in self.resources:
            if each.type not in (*READ_TYPES, "Medication"):
                each.note(NOT_READ)
                self.done.add(id(each))
                continue
            reason = each.invalid()
            if reason:
                self.rejected.add(id(each))
                self._aside(each, Aside(NOT_UNDERSTOOD, reason))
                if reason == SUBSETTED:
                    self.notices.append(f"{each.place} is tagged SUBSETTED: send it with all its elements.")
                if each.type in STATING and not self._codes_of(each):
                    self.notices.append(f"{each.place} is not valid, and what it is about could not be read.")
        identity = self._patient()
        self._set_versions_aside()
        requests = self._requests()
        self._read_request(requests)
        self._tell_of_death()
        self._read_coverage(requests[0])
        for each in requests:
            each.note(USED, "as the request", *each.root.read())
        # Forms first: they can name the disease treated.
        for each in sorted(self.resources, key=lambda each: each.type != "QuestionnaireResponse"):
            self._read(each)
        for each in list(self.referred.values()):
            self._read(each)
        doubted = {each.resource.place for each in self.doubts} | {place for place, _ in self.past}
        oldest = min((each.day for each in self.findings.values()), default=None)
        self._forget_what_is_stated()
        self._mark_doubts()
        self._tell_of_near_misses()
        self._tell_how_many(doubted, oldest)
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
            **dict.fromkeys(HINTING, self._hinted),
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

    def _patient(self) -> str:
        """Finds out whom the resources are of, and returns what tells that patient from others."""
        people: dict[int, Resource] = {}
        servers: set[str] = set()
        stated = [each for each in self.resources if each.type == "Patient" and id(each) not in self.done]
        for each in self.resources:
            states = each.type in SUBJECT and id(each) not in self.done
            reference = each.root.one(SUBJECT[each.type]) if states else None
            if reference is None:
                continue
            found = self.references.follow(each, reference)
            text = unversioned(reference.text("reference"))
            if found is not None and found.type == "Patient":
                people[id(found)] = found
            elif found is None and (last_two(text).startswith("Patient/") or (text.startswith("urn:") and not stated)):
                self.strangers.add(text)
            url = unversioned(found.url) if found and found.url else self.references.whole(each, text)
            if "://" in url and last_two(url).startswith("Patient/"):
                servers.add(url.removesuffix(last_two(url)))
        if not people and not self.strangers and len(stated) == 1:
            people[id(stated[0])] = stated[0]
        known = list(people.values())
        # One that is not in the input may be the one that is, if the id is the same.
        strangers = {last_two(each) or each for each in self.strangers}
        strangers -= {f"Patient/{each.id}" for each in known if each.container is None}
        # Versions of a person whom something refers to. One that is not valid has an id all the same.
        ids = {each.id for each in known if each.container is None} - {""}
        others = [
            each for each in self.resources if each.type == "Patient" and each.id in ids and id(each) not in people
        ]
        if (
            len(servers) > 1
            or len(strangers) + bool(known) > 1
            or any(f"Patient/{each.id}" in strangers for each in stated if id(each) not in people)
            or not all(_same(known[0], each) for each in [*known, *others])
        ):
            raise UnreadableInput("resources of more than one patient", hint="send one bundle a patient")
        if not known and not strangers:
            raise UnreadableInput("no patient", hint="give the request a patient")
        self.patients = {*people, *map(id, others)}
        for each in stated:
            if id(each) in self.patients:
                each.note(USED, "as the pseudonym of the patient", *(each.root.read() or ("id",)))
            else:
                each.note(IGNORED, "nothing that is read is of this person")
            self.done.add(id(each))
        return _identity([*known, *others], self.strangers)

    def _tell_of_death(self) -> None:
        """Tells of a patient who is recorded as having died before the service, or may have."""
        assert self.service_day is not None
        told: dict[str, None] = {}
        for patient in (each for each in self._everyone() if id(each) in self.patients):
            said = Element(patient.content)
            element = next((name for name in ("deceasedDateTime", "deceasedBoolean") if said.get(name)), "")
            days = said.days(element) if element == "deceasedDateTime" else None
            if not element or (days and days[0] >= self.service_day):
                continue
            what = "the patient died before the service date"
            if days is None or days[1] >= self.service_day:
                what = "the patient is recorded as having died, and it may be before the service date"
            patient.root.get(element)
            patient.note(IGNORED, what, element)
            told[f"{patient.place}: {what}."] = None
        self.notices += told

    def _everyone(self) -> Iterator[Resource]:
        """The resources, and those that they contain."""
        for each in self.resources:
            yield each
            yield from each.contained

    def _set_versions_aside(self) -> None:
        """Of several resources with one id only the latest version is read."""
        versions: dict[str, list[Resource]] = defaultdict(list)
        servers: dict[str, set[str]] = defaultdict(set)
        for each in self.resources:
            if each.id and "://" in each.url:
                servers[f"{each.type}/{each.id}"].add(unversioned(each.url))
        for each in self.resources:
            # One that is not understood can be the latest: then no earlier one stands for it.
            if each.id and (id(each) not in self.done or id(each) in self.rejected):
                name = f"{each.type}/{each.id}"
                urls = servers[name]
                key = unversioned(each.url) or (next(iter(urls)) if len(urls) == 1 else name)
                versions[key].append(each)
        for same in versions.values():
            if len(same) > 1:
                self._keep_latest(same)
        # A reference leads to the version that is read.
        self.references = References(sorted(self.resources, key=lambda each: id(each) in self.rejected))

    def _keep_latest(self, same: list[Resource]) -> None:
        first: dict[str, Resource] = {}
        for each in same:
            twin = first.setdefault(json.dumps(each.content, sort_keys=True), each)
            if twin is not each:
                self._aside(each, Aside(IGNORED, f"the same as {twin.place}"))
        kept = list(first.values())
        times = [_updated(each) for each in kept]
        latest = max((each for each in times if each), default=None)
        untold = None in times
        unclear = len(kept) > 1 and (untold or times.count(latest) > 1)
        newest = kept[times.index(latest)].place
        replaced: set[int] = set()
        for each, time in zip(kept, times, strict=True):
            if unclear and id(each) not in self.rejected:
                why = "several versions of one resource, and not said which is the latest"
                self._aside(each, Aside(NOT_UNDERSTOOD, why))
                self.rejected.add(id(each))
            elif time != latest and not untold:
                replaced.add(id(each))
                self._aside(each, Aside(IGNORED, f"replaced by {newest}"))
                self.rejected.add(id(each))
        # What is replaced leaves no doubt, understood or not.
        self.doubts = [doubt for doubt in self.doubts if id(doubt.resource) not in replaced]

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
        yield request, CASE.serviceDate, day_of(self.service_day)
        yield from self._part_triples(CASE.Request, request)
        of_product = list(self._part_triples(CASE.Product, product))
        if of_product:
            yield request, CASE.product, product
            yield product, RDF.type, CASE.Product
            yield from of_product

    def _part_triples(self, class_: URIRef, node: BNode) -> Iterator[Triple]:
        """What is stated of a part; what may be stated once, only where all sources agree."""
        parts = self.parts[class_]
        unclear = {each: self.unclear.get(f"{local_name(class_)}/{local_name(each)}") for each in parts}
        agreed = {each: [] if unclear[each] else self._agreed(each, stated) for each, stated in parts.items()}
        if agreed.get(CASE.service) == []:
            # A code names a service too, and must not decide alone where another source names another.
            agreed.pop(CASE.procedureCode, None)
        for property_, values in agreed.items():
            sources = [*parts[property_].values(), *self.unsettled.get(property_, {}).values()]
            places = sorted({said.resource.place for each in sources for said in each})
            why = f"is stated differently by {' and '.join(places)}"
            if unclear[property_]:
                why = f"is answered in {unclear[property_]} in a way that is not understood"
            if not values:
                self.notices.append(f"The {self.terms.label(property_)} {why}: none is taken.")
            for value, stated in parts[property_].items():
                taken = value in values or (bool(values) and property_ not in _MANY)
                for said in (each for each in stated if each.text):
                    text = said.text if taken else f"{said.text}; not taken"
                    said.resource.note(USED if taken else IGNORED, text, *said.elements)
            for value in values:
                yield node, property_, value

    def _agreed(self, property_: URIRef, stated: Mapping[Node, Sequence[Said]]) -> list[Node]:
        """The values to state; none where sources differ.

        Of what may be stated once, the narrowest. Of what may be stated more than once, what one form answers is the
        whole answer, and of several forms the latest counts.
        """
        if property_ in _MANY:
            return list(stated) if property_ == CASE.procedureCode else self._latest_answer(stated)
        values = {each for each in stated if isinstance(each, URIRef)}
        unsettled = {each for each in self.unsettled.get(property_, ()) if isinstance(each, URIRef)}
        if len({*stated, *unsettled}) < 2:
            return list(stated)
        narrowest = self.terms.narrowest(values)
        return [narrowest] if narrowest and self.terms.narrowest(values | unsettled) else []

    def _latest_answer(self, stated: Mapping[Node, Sequence[Said]]) -> list[Node]:
        """The values of the latest form that answers a question; all of them where all forms answer alike."""
        forms: dict[int, Resource] = {}
        answers: dict[int, set[Node]] = defaultdict(set)
        for value, sources in stated.items():
            for said in sources:
                forms[id(said.resource)] = said.resource
                answers[id(said.resource)].add(value)
        if all(each == set(stated) for each in answers.values()):
            return list(stated)
        days = {key: form.root.days("authored") for key, form in forms.items()}
        latest = max((each[1] for each in days.values() if each), default=None)
        newest = [key for key, each in days.items() if each and each[1] == latest]
        if None in days.values() or len({frozenset(answers[key]) for key in newest}) > 1:
            return []
        return [each for each in stated if each in answers[newest[0]]]

    def _finding_triples(self) -> Iterator[Triple]:
        for said, finding in self.findings.items():
            yield self.case, CASE.finding, finding.node
            for predicate, value in sorted(said):
                yield finding.node, predicate, value
            if finding.doubts:
                yield finding.node, CASE.inDoubt, Literal(finding.in_doubt)

    def _notes(self, unread: Sequence[str]) -> Iterator[Note]:
        """All notes, in the order of the resources; of one that was used, what was looked at nowhere comes last."""
        for resource in self.resources:
            if not resource.notes:
                resource.note(IGNORED, "nothing that is read refers to it")
            yield from _with_the_rest(resource)
            for each in resource.contained:
                if not each.notes:
                    each.note(NOT_READ)
                yield from _with_the_rest(each)
        for place in unread:
            yield Note(place, NOT_READ)


def _with_the_rest(resource: Resource) -> Iterator[Note]:
    """The notes of a resource, and the elements that none of them is about; no name that R4 does not have comes out."""
    yield from resource.notes
    treatments = {note.treatment for note in resource.notes}
    if treatments == {NOT_READ}:
        return
    rest = [each for each in resource.root.unread() if each != "contained"]
    if USED not in treatments:
        noted = {_name(element) for note in resource.notes for element in note.elements}
        known = {name for _, name, *_ in library_class(resource.type)().elementProperties()} - noted - {"contained"}
        rest = [name for name in resource.content if name.removeprefix("_") in known]
    if rest:
        yield Note(resource.place, NOT_READ, elements=tuple(rest))


def _name(path: str) -> str:
    """The element of a resource in which a path lies."""
    return path.partition(".")[0].partition("[")[0]


def _identifiers(patient: Resource) -> frozenset[tuple[str, str]]:
    """The identifiers of a patient that have a value, each with its system."""
    return frozenset(
        (each.text("system"), each.text("value")) for each in patient.root.all("identifier") if each.text("value")
    )


def _identity(people: Sequence[Resource], strangers: Iterable[str]) -> str:
    """What tells a patient from all others: every identifier, or else where the resource stands, or else all it says.

    Not some identifier alone: relatives share member numbers.
    """
    identifiers = sorted(frozenset().union(*map(_identifiers, people)))
    if identifiers:
        return json.dumps(identifiers)
    places = sorted(filter(None, map(_place, people)), key=lambda place: ("://" not in place, place))
    said = [json.dumps({**each.content, "id": ""}, sort_keys=True) for each in people]
    return next(iter([*places, *sorted(strangers), *said]))


def _same(one: Resource, other: Resource) -> bool:
    """Whether two Patient resources are of one person: versions of one resource, or alike in all that names a person.

    The id of one that is contained means nothing outside its container, and relatives can share a member number.
    Versions of one resource do not contradict each other: two servers can use one id for two people.
    """
    numbers = [_identifiers(each) for each in (one, other)]
    births = [each.content.get("birthDate") for each in (one, other)]
    names = [each.content.get("name") for each in (one, other)]
    versions = not one.container and not other.container and one.id != "" and one.id == other.id
    if versions or _place(one) == _place(other) != "":
        if all(numbers):
            return numbers[0] == numbers[1] or (bool(numbers[0] & numbers[1]) and _agree(*births))
        return _agree(*births) and (all(births) or _agree(*names))
    return numbers[0] == numbers[1] and births[0] == births[1] and names[0] == names[1] and all((births[0], names[0]))


def _agree(one: object, other: object) -> bool:
    """Whether two statements are alike, or one is missing."""
    return not (one and other) or one == other


def _place(patient: Resource) -> str:
    """The URL of a Patient, or its type and id; "" of one that is contained."""
    if patient.container:
        return ""
    return f"Patient/{patient.id}" if patient.id and "://" not in patient.url else unversioned(patient.url)


def _updated(resource: Resource) -> datetime | None:
    """When a version of a resource was made, where that is said to the second with a time zone."""
    meta = resource.content.get("meta")
    text = meta.get("lastUpdated") if isinstance(meta, dict) else None
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time and time.tzinfo else None
