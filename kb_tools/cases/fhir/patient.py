"""Who the patient of the resources is, how old, and whether recorded as having died."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date

from rdflib import Literal

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.facts import Statement
from kb_tools.cases.fhir.r4 import SUBJECT
from kb_tools.cases.fhir.references import last_two, unversioned
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, USED
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.namespaces import CASE

# The age that stands for all above it.
OLDEST = 90


def identify_patient(assembly: Assembly) -> str:
    """Finds out whom the resources are of, and returns what tells that patient from others.

    Raises:
        UnreadableInput: they are of several patients, or of none.
    """
    stated = [
        resource for resource in assembly.resources if resource.type == "Patient" and resource not in assembly.done
    ]
    people, servers = _referenced(assembly, stated)
    if not people and not assembly.strangers and len(stated) == 1:
        people[stated[0]] = None
    known = list(people)
    # One that is not in the input may be the one that is, if the id is the same.
    strangers = {last_two(reference) or reference for reference in assembly.strangers}
    strangers -= {f"Patient/{person.id}" for person in known if person.container is None}
    # Versions of a person whom something refers to. One that is not valid has an id all the same.
    ids = {person.id for person in known if person.container is None} - {""}
    others = [
        resource
        for resource in assembly.resources
        if resource.type == "Patient" and resource.id in ids and resource not in people
    ]
    if (
        len(servers) > 1
        or len(strangers) + bool(known) > 1
        or any(f"Patient/{patient.id}" in strangers for patient in stated if patient not in people)
        or not all(_same(known[0], person) for person in [*known, *others])
    ):
        raise UnreadableInput("resources of more than one patient", hint="send one bundle a patient")
    if not known and not strangers:
        raise UnreadableInput("no patient", hint="give the request a patient")
    assembly.patients = {*people, *others}
    for patient in stated:
        if patient in assembly.patients:
            patient.note(USED, "as the pseudonym of the patient", *(patient.root.read() or ("id",)))
        else:
            patient.note(IGNORED, "nothing that is read is about this person")
        assembly.done.add(patient)
    return _identity([*known, *others], assembly.strangers)


def _referenced(assembly: Assembly, stated: Sequence[Resource]) -> tuple[dict[Resource, None], set[str]]:
    """The people whom resources name as their patient, and the servers that these are on.

    References to a patient that lead nowhere become the strangers of the assembly.

    Args:
        stated: the Patient resources that can be read.
    """
    people: dict[Resource, None] = {}
    servers: set[str] = set()
    followed: set[tuple[str, str]] = set()
    for resource in assembly.resources:
        states = resource.type in SUBJECT and resource not in assembly.done
        reference = resource.root.one(SUBJECT[resource.type]) if states else None
        if reference is None:
            continue
        text = unversioned(reference.text("reference"))
        if (resource.url, text) in followed:
            continue
        if not text.startswith("#"):
            followed.add((resource.url, text))
        found = assembly.references.follow(resource, reference)
        if found is not None and found.type == "Patient":
            people[found] = None
        elif found is None and (last_two(text).startswith("Patient/") or (text.startswith("urn:") and not stated)):
            assembly.strangers.add(text)
        url = unversioned(found.url) if found and found.url else assembly.references.with_server(resource, text)
        if "://" in url and last_two(url).startswith("Patient/"):
            servers.add(url.removesuffix(last_two(url)))
    return people, servers


def report_death(assembly: Assembly) -> None:
    """Adds a notice of a patient who is recorded as having died before the service, or may have."""
    assert assembly.service_day is not None
    notices: dict[str, None] = {}
    for patient in (resource for resource in assembly.everything() if resource in assembly.patients):
        stated = patient.aside
        element = next((name for name in ("deceasedDateTime", "deceasedBoolean") if stated.get(name)), "")
        days = stated.days(element) if element == "deceasedDateTime" else None
        if not element or (days and days[0] >= assembly.service_day):
            continue
        what = "the patient died before the service date"
        if days is None or days[1] >= assembly.service_day:
            what = "the patient is recorded as having died, perhaps before the service date"
        patient.root.get(element)
        patient.note(IGNORED, what, element)
        notices[f"{patient.place}: {what}."] = None
    assembly.notices += notices


def state_age(assembly: Assembly) -> None:
    """States the patient's age on the day of service, where a date of birth tells it; that itself enters no case.

    Ages of 90 and above are 90, as in a data set without what identifies a person (45 CFR 164.514(b)(2)(i)(C)).
    """
    service = assembly.service_day
    assert service is not None
    for patient in (resource for resource in assembly.everything() if resource in assembly.patients):
        if not patient.aside.get("birthDate"):
            continue
        born = patient.aside.days("birthDate")
        patient.root.get("birthDate")
        what = ""
        if born is None:
            what = "the date of birth is not understood, so the age is not stated"
        elif born[0] > service:
            what = "the date of birth is after the service date, so the age is not stated"
        elif _age(born[0], service) != _age(min(born[1], service), service):
            ages = f"{_age(min(born[1], service), service)} or {_age(born[0], service)}"
            what = f"the date of birth is not full, and the patient may be {ages} years old, so the age is not stated"
        if what or born is None:
            patient.note(NOT_UNDERSTOOD, what, "birthDate")
            assembly.notify(f"{patient.place}: {what}.")
            continue
        age = _age(born[0], service)
        statement = Statement(patient, f"as the patient's age on the service date: {age}", ("birthDate",))
        assembly.state(CASE.Request, CASE.patientAge, Literal(age), statement)


def _age(born: date, service: date) -> int:
    """An age in whole years, at most `OLDEST`."""
    return min(service.year - born.year - ((service.month, service.day) < (born.month, born.day)), OLDEST)


def _identity(people: Sequence[Resource], strangers: Iterable[str]) -> str:
    """What tells a patient from all others: every identifier, or else where the resource stands, or else all it says.

    Not some identifier alone: relatives share member numbers.
    """
    identifiers = sorted(frozenset().union(*map(_identifiers, people)))
    if identifiers:
        return json.dumps(identifiers)
    places = sorted(filter(None, map(_place, people)), key=lambda place: ("://" not in place, place))
    contents = [json.dumps({**person.content, "id": ""}, sort_keys=True) for person in people]
    return next(iter([*places, *sorted(strangers), *contents]))


def _identifiers(patient: Resource) -> frozenset[tuple[str, str]]:
    """The identifiers of a patient that have a value, each with its system."""
    identifiers = patient.root.all("identifier")
    return frozenset(
        (identifier.text("system"), identifier.text("value")) for identifier in identifiers if identifier.text("value")
    )


def _same(one: Resource, other: Resource) -> bool:
    """Whether two Patient resources are of one person: versions of one resource, or alike in all that names a person.

    The id of one that is contained means nothing outside its container, and relatives can share a member number.
    Versions of one resource do not contradict each other: two servers can use one id for two people.
    """
    numbers = [_identifiers(person) for person in (one, other)]
    births = [person.content.get("birthDate") for person in (one, other)]
    names = [person.content.get("name") for person in (one, other)]
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
