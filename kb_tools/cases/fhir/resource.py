"""A FHIR resource: where it stands, what became of it, and whether it is of R4."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kb_tools.cases.fhir.cancelled import without_flags
from kb_tools.cases.fhir.element import Element, TrackedElement
from kb_tools.cases.fhir.r4 import library_class, type_of
from kb_tools.cases.fhir.structure import is_surely_valid
from kb_tools.cases.record import Note, Treatment
from kb_tools.errors import UnreadableInput

# Elements by which a resource shows that it is of another version of FHIR than R4.
_OTHER_VERSIONS = {
    "Claim": {"event": "R5"},
    "Condition": {"participant": "R5"},
    "Coverage": {"insurer": "R5", "kind": "R5", "paymentBy": "R5"},
    "MedicationAdministration": {"occurenceDateTime": "R5", "occurencePeriod": "R5"},
    "Observation": {"context": "STU3", "instantiatesReference": "R5"},
    "Procedure": {"context": "STU3", "notDone": "STU3", "occurrenceDateTime": "R5", "occurrencePeriod": "R5"},
    "ServiceRequest": {"reason": "R5"},
}
# How a resource says that elements of it were left out.
_SUBSETTED = ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "SUBSETTED")
_VERSION_OF_PROFILE = re.compile(r"/fhir/([1-9]\.[0-9])/StructureDefinition/")


# Why nothing is made of a resource of which elements were left out.
SUBSETTED = "elements of it were left out: it is tagged SUBSETTED"


@dataclass(eq=False, slots=True)
class Resource:
    """One resource in its place; two are the same only if they stand in the same place.

    Attributes:
        place: by position: "entry[3] Observation".
        type: its resource type.
        content: the JSON object.
        url: where it stands, if the bundle says so.
        container: the resource that contains it, if any.
        notes: what became of it.
        tracked: whether it is remembered which elements of it are looked at.
        id: its id, "" for none.
        root: its elements.
        contained: the resources that it contains.
    """

    place: str
    type: str
    content: dict[str, Any] = field(repr=False)
    url: str = ""
    container: Resource | None = None
    notes: list[Note] = field(default_factory=list)
    tracked: bool = True
    id: str = field(init=False)
    root: Element = field(init=False, repr=False)
    _aside: Element | None = field(init=False, repr=False, default=None)
    contained: Sequence[Resource] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.root = TrackedElement(self.content) if self.tracked else Element(self.content)
        id_ = self.content.get("id")
        self.id = id_ if isinstance(id_, str) else ""
        within = self.content.get("contained")
        self.contained = self._hold(within) if isinstance(within, list) else ()

    @property
    def aside(self) -> Element:
        """Its elements for who looks without taking them for read."""
        if self._aside is None:
            self._aside = Element(self.content) if self.tracked else self.root
        return self._aside

    def _hold(self, within: list[Any]) -> list[Resource]:
        return [
            Resource(
                place=f"{self.place} contained[{i}] {type_of(inner)}",
                type=type_of(inner),
                content=inner,
                container=self,
                tracked=self.tracked,
            )
            for i, inner in enumerate(within)
            if isinstance(inner, dict)
        ]

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
        if is_surely_valid(self.type, self.content):
            return ""
        if _changes_meaning(without_flags(self.content) if self.type == "Claim" else self.content):
            return "a modifier extension or implicit rules may change what it means"
        if _mixes(self.content):
            return "not valid FHIR R4: a list of values and objects"
        try:
            library_class(self.type)(self.content)
        except Exception as error:
            return "not valid FHIR R4: " + ", ".join(sorted(set(_causes(error, ""))))
        return ""

    def _other_version(self) -> str:
        versions = _OTHER_VERSIONS.get(self.type)
        if versions and not versions.keys().isdisjoint(self.content):
            name = next(name for name in self.content if name in versions)
            return f"FHIR {versions[name]} ({name})"
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
    if not isinstance(content, dict) or "meta" not in content:
        return False
    meta = content["meta"]
    tags = meta.get("tag") if isinstance(meta, dict) else None
    found = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    return any((tag.get("system"), tag.get("code")) == _SUBSETTED for tag in found)


def _causes(error: Exception, path: str) -> Iterator[str]:
    """Where the library found a fault, by element; nothing of what its messages quote."""
    own = getattr(error, "path", None)
    here = ".".join(name for name in (path, own) if name)
    inner = getattr(error, "errors", None)
    if isinstance(inner, list):
        for cause in inner:
            yield from _causes(cause, here)
    elif isinstance(error, KeyError):
        missing = re.search(r'property "(\w+)"', str(error))
        yield ".".join(name for name in (here, missing[1] if missing else "") if name) + " is missing"
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
    kinds = {isinstance(item, dict) for item in content if item is not None}
    return len(kinds) > 1 or any(map(_mixes, content))
