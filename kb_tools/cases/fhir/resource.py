"""A FHIR resource and its elements, which remember what was read of them."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from kb_tools.cases.fhir.r4 import library_class, type_of
from kb_tools.cases.record import Note, Treatment
from kb_tools.errors import UnreadableInput

# Elements by which a resource shows that it is of another version of FHIR than R4.
_OTHER_VERSIONS = {
    ("Claim", "event"): "R5",
    ("Condition", "participant"): "R5",
    ("Coverage", "insurer"): "R5",
    ("Coverage", "kind"): "R5",
    ("Coverage", "paymentBy"): "R5",
    ("MedicationAdministration", "occurenceDateTime"): "R5",
    ("MedicationAdministration", "occurencePeriod"): "R5",
    ("Observation", "context"): "STU3",
    ("Observation", "instantiatesReference"): "R5",
    ("Procedure", "context"): "STU3",
    ("Procedure", "notDone"): "STU3",
    ("Procedure", "occurrenceDateTime"): "R5",
    ("Procedure", "occurrencePeriod"): "R5",
    ("ServiceRequest", "reason"): "R5",
}
# How a resource says that elements of it were left out.
_SUBSETTED = ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "SUBSETTED")
_VERSION_OF_PROFILE = re.compile(r"/fhir/([1-9]\.[0-9])/StructureDefinition/")
_FULL_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*)?")
_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")


# Why nothing is made of a resource of which elements were left out.
SUBSETTED = "elements of it were left out: it is tagged SUBSETTED"


class Aside(Exception):
    """A resource, or a part of one, of which no fact is made.

    Args:
        treatment: IGNORED or NOT_UNDERSTOOD.
        text: why, without any value of the resource.
        elements: the elements that it is about; none for the resource as a whole.
        doubtful: whether what it states may be so all the same, so that nothing older of its kind can decide; by
            default where it is not understood.
    """

    def __init__(self, treatment: Treatment, text: str, *elements: str, doubtful: bool | None = None) -> None:
        self.treatment = treatment
        self.text = text
        self.elements = elements
        self.doubtful = treatment is Treatment.NOT_UNDERSTOOD if doubtful is None else doubtful
        super().__init__(text)


class Element:
    """One object of a resource, which remembers what of it was looked at."""

    def __init__(self, content: dict[str, Any], path: str = "", seen: set[str] | None = None) -> None:
        self.content = content
        self.path = path
        self._seen: set[str] = set() if seen is None else seen

    def at(self, name: str) -> str:
        """The path of one of its elements."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> Any:
        """The value of an element, whatever it is; None where there is none."""
        value = self.content.get(name)
        if value is not None:
            self._seen.add(self.at(name))
        return value

    def text(self, name: str) -> str:
        """The value of an element that is a string, "" for none."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def one(self, name: str) -> Element | None:
        """An element that is an object."""
        value = self.get(name)
        return Element(value, self.at(name), self._seen) if isinstance(value, dict) else None

    def all(self, name: str) -> list[Element]:
        """The objects of an element that is a list."""
        value = self.get(name)
        found = enumerate(value) if isinstance(value, list) else ()
        return [Element(each, f"{self.at(name)}[{i}]", self._seen) for i, each in found if isinstance(each, dict)]

    def codings(self, name: str) -> list[Element]:
        """The codings of an element that is a CodeableConcept."""
        concept = self.one(name)
        return concept.all("coding") if concept else []

    def day(self, name: str) -> date | None:
        """The calendar day of an element that is a date or dateTime, as printed; None where it has none.

        Raises:
            Aside: it is a date without a day, or none at all.
        """
        text = self.text(name)
        if not text:
            return None
        found = _FULL_DATE.fullmatch(text)
        try:
            # A year of three digits is none that a case can state, and mostly stands for no date.
            if found and not text.startswith("0"):
                return date.fromisoformat(found[1])
        except ValueError:
            pass
        raise Aside(Treatment.NOT_UNDERSTOOD, "no full date", self.at(name))

    def days(self, name: str) -> tuple[date, date] | None:
        """The first and last day that an element can mean: a date, a part of one, or a period, without limit if open.

        It is not taken for looked at.
        """
        value = self.content.get(name)
        if isinstance(value, dict):
            period = Element(value)
            start, end = period.days("start"), period.days("end")
            return start[0] if start else date.min, end[1] if end else date.max
        if not isinstance(value, str) or value.startswith("0"):
            return None
        full, partial = _FULL_DATE.fullmatch(value), _PARTIAL_DATE.fullmatch(value)
        try:
            if full:
                return date.fromisoformat(full[1]), date.fromisoformat(full[1])
            if partial:
                year, month = int(partial[1]), int(partial[2] or 0)
                last = month or 12
                return date(year, month or 1, 1), date(year, last, monthrange(year, last)[1])
        except ValueError:
            pass
        return None

    def unread(self) -> Iterator[str]:
        """The paths at which nothing was looked at, the highest of each branch."""
        for name, value in self.content.items():
            path = self.at(name)
            if name == "resourceType":
                continue
            if path not in self._seen:
                yield path
            elif isinstance(value, dict):
                yield from Element(value, path, self._seen).unread()
            elif isinstance(value, list):
                for i, each in enumerate(value):
                    if isinstance(each, dict):
                        yield from Element(each, f"{path}[{i}]", self._seen).unread()

    def read(self) -> tuple[str, ...]:
        """The names of the elements that were looked at."""
        return tuple(name for name in self.content if self.at(name) in self._seen)


@dataclass(eq=False)
class Resource:
    """One resource in its place.

    Attributes:
        place: by position: "entry[3] Observation".
        type: its resource type.
        content: the JSON object.
        url: where it stands, if the bundle says so.
        container: the resource that contains it, if any.
        notes: what became of it.
    """

    place: str
    type: str
    content: dict[str, Any] = field(repr=False)
    url: str = ""
    container: Resource | None = None
    notes: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root = Element(self.content)
        within = self.content.get("contained")
        self.contained = [
            Resource(f"{self.place} contained[{i}] {type_of(each)}", type_of(each), each, container=self)
            for i, each in enumerate(within if isinstance(within, list) else ())
            if isinstance(each, dict)
        ]

    @property
    def id(self) -> str:
        value = self.content.get("id")
        return value if isinstance(value, str) else ""

    def note(self, treatment: Treatment, text: str = "", *elements: str) -> None:
        """Adds what became of it, or of some of its elements."""
        self.notes.append(Note(self.place, treatment, text, elements))

    def invalid(self) -> str:
        """Why it is not of R4, without any value of it; "" if it is.

        Raises:
            UnreadableInput: it is of another version of FHIR.
        """
        version = self._other_version()
        if version:
            raise UnreadableInput(f"{self.place} is of {version}", hint="convert it to FHIR R4 (4.0.1)")
        if self.type not in ("Patient", "Medication") and is_subsetted(self.content):
            return SUBSETTED
        if _changes_meaning(self.content):
            return "a modifier extension or implicit rules may change what it means"
        if _mixes(self.content):
            return "not valid FHIR R4: a list of values and objects"
        try:
            library_class(self.type)(self.content)
        except Exception as error:
            return "not valid FHIR R4: " + ", ".join(sorted(set(_causes(error, ""))))
        return ""

    def _other_version(self) -> str:
        for name in self.content:
            if (self.type, name) in _OTHER_VERSIONS:
                return f"FHIR {_OTHER_VERSIONS[self.type, name]} ({name})"
        if self.type == "Condition" and isinstance(self.content.get("clinicalStatus"), str):
            return "FHIR STU3 (clinicalStatus)"
        code = self.content.get("code")
        if self.type == "ServiceRequest" and isinstance(code, dict) and "concept" in code:
            return "FHIR R5 (code.concept)"
        meta = self.content.get("meta")
        profiles = meta.get("profile") if isinstance(meta, dict) else None
        for profile in profiles if isinstance(profiles, list) else ():
            found = _VERSION_OF_PROFILE.search(profile) if isinstance(profile, str) else None
            if found and found[1] != "4.0":
                return f"FHIR {found[1]} (meta.profile)"
        return ""


def is_subsetted(content: Any) -> bool:
    """Whether a resource says that elements of it were left out."""
    meta = content.get("meta") if isinstance(content, dict) else None
    tags = meta.get("tag") if isinstance(meta, dict) else None
    found = [each for each in tags if isinstance(each, dict)] if isinstance(tags, list) else []
    return any((each.get("system"), each.get("code")) == _SUBSETTED for each in found)


def _causes(error: Exception, path: str) -> Iterator[str]:
    """Where the library found a fault, by element; nothing of what its messages quote."""
    own = getattr(error, "path", None)
    here = ".".join(each for each in (path, own) if each)
    inner = getattr(error, "errors", None)
    if isinstance(inner, list):
        for each in inner:
            yield from _causes(each, here)
    elif isinstance(error, KeyError):
        missing = re.search(r'property "(\w+)"', str(error))
        yield ".".join(each for each in (here, missing[1] if missing else "") if each) + " is missing"
    elif isinstance(error, AttributeError):
        yield f"an element that R4 does not have{f' in {here}' if here else ''}"
    else:
        yield f"{here or 'the resource'} is malformed"


def _changes_meaning(content: Any) -> bool:
    """Whether anything in it must be understood that is not understood here."""
    if isinstance(content, dict):
        return any(
            (name in ("modifierExtension", "implicitRules") and value)
            or (name != "contained" and _changes_meaning(value))
            for name, value in content.items()
        )
    return isinstance(content, list) and any(map(_changes_meaning, content))


def _mixes(content: Any) -> bool:
    """Whether a list in it holds both objects and values: the library looks at the first of a list of values alone."""
    if isinstance(content, dict):
        return any(name != "contained" and _mixes(value) for name, value in content.items())
    if not isinstance(content, list):
        return False
    kinds = {isinstance(each, dict) for each in content if each is not None}
    return len(kinds) > 1 or any(map(_mixes, content))
