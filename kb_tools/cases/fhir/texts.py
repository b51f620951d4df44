"""What FHIR resources are about by codes that are not known and by their texts, and how many are not understood.

A code makes a fact; a text can only raise a doubt. Of a text nothing is kept but which classes of findings its words
mention (`read:Words`), and nothing of it comes out. Notes (Annotation) are not looked at: they tell of circumstances
more than of the finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from rdflib.term import Node

from kb_tools.cases.fhir.assembly import Draft
from kb_tools.cases.fhir.r4 import HINTING, STATING
from kb_tools.cases.fhir.resource import Element, Resource
from kb_tools.rdf.namespaces import CASE

# The elements in which the resources that may state findings have concepts that say what they are about.
_CONCEPTS = ("code", "medicationCodeableConcept", "event", "itemCodeableConcept", "summary")
_CONCEPT_LISTS = ("conclusionCode",)
# The elements that are texts by themselves.
_TEXTS = ("valueString", "conclusion", "summary")
# The parts of a resource with concepts of their own.
_PARTS = ("component", "finding", "stage")
# So many places a notice lists.
_FEW = 3


class TextReader(Draft):
    """Finds out what resources may be about where their codes do not say it.

    What it looks at is not taken for read: the record tells what a fact was made of.
    """

    def _about(self, resource: Resource, *parts: Element) -> list[Element]:
        """The concepts that say what a resource is about, or these parts of it."""
        root = Element(resource.content)
        parts = parts or (root, *(each for name in _PARTS for each in root.all(name)))
        found = [concept for part in parts for name in _CONCEPTS if (concept := part.one(name))]
        found += [concept for part in parts for name in _CONCEPT_LISTS for concept in part.all(name)]
        medication = self.references.follow(resource, root.one("medicationReference"))
        code = medication.root.one("code") if medication else None
        return [*found, code] if code else found

    def _codes_of(self, resource: Resource, *parts: Element) -> list[Element]:
        """The codes that say what a resource is about, or these parts of it."""
        return [each for concept in self._about(resource, *parts) for each in concept.all("coding")]

    def _mentions(self, resource: Resource, *parts: Element) -> frozenset[Node]:
        """The classes of findings that a resource, or these parts of it, mention where their codes are not known."""
        concepts = self._about(resource, *parts)
        found = frozenset().union(*map(self._mentioned, concepts))
        if resource.type in HINTING or not any(self._meanings(each.all("coding")) for each in concepts):
            for part in parts or (Element(resource.content),):
                value = part.one("valueCodeableConcept")
                found |= self._mentioned(value) if value else frozenset()
                found = found.union(*(self.terms.terminology.mentions(part.text(name)) for name in _TEXTS))
        return found

    def _mentioned(self, concept: Element) -> frozenset[Node]:
        """The classes of findings that a concept mentions.

        By the displays of its codes that are not known, and where none of its codes is known by its text.
        """
        codings = concept.all("coding")
        text = "" if self._meanings(codings) else concept.text("text")
        return self._mentioned_by(codings) | self.terms.terminology.mentions(text)

    def _grouped(self, resource: Resource) -> list[Resource]:
        """The resources that a panel or a report groups, and so says nothing but what they say."""
        root = Element(resource.content)
        references = [each for name in ("hasMember", "result") for each in root.all(name)]
        return [found for each in references if (found := self.references.follow(resource, each))]

    def _is_done(self, kind: Node) -> bool:
        """Whether findings of a class are things that were done, which count by their date alone."""
        return (kind, CASE.countedBy, CASE.date) in self.terms.kb.ontology

    # ------------------------------------------------------------------ what is told

    def _tell_of_near_misses(self) -> None:
        """Tells how to write codes that may be meant for known ones, with a notice for each."""
        hints: dict[str, list[str]] = {}
        for resource in self.resources:
            if id(resource) not in self.dismissed:
                for coding in self._codes_that_matter(resource):
                    near = self._near(coding)
                    places = hints.setdefault(near.hint, []) if near else []
                    places += [] if resource.place in places else [resource.place]
        self.notices += [f"{_few(places)}: {hint}." for hint, places in hints.items()]

    def _codes_that_matter(self, resource: Resource) -> Iterator[Element]:
        """The codes of a resource of which it matters that they are known."""
        root = Element(resource.content)
        if resource.type in (*STATING, *HINTING):
            yield from self._codes_of(resource)
        elif resource.type == "Claim":
            for item in root.all("item"):
                for part in (item, *item.all("detail")):
                    yield from part.codings("productOrService")
            for diagnosis in root.all("diagnosis"):
                yield from diagnosis.codings("diagnosisCodeableConcept")
        elif resource.type == "ServiceRequest":
            yield from root.codings("code")
            for reason in root.all("reasonCode"):
                yield from reason.all("coding")
        elif resource.type == "Coverage":
            yield from root.codings("type")

    def _tell_how_many(self, doubted: set[str], oldest: date | None) -> None:
        """Tells how many resources are not understood and raise no doubt.

        Args:
            doubted: the places of the resources that raise a doubt.
            oldest: the day of the oldest finding that was read; what is surely older than that is not asked for.
        """
        silent = blank = 0
        for resource in self.resources:
            if resource.type not in (*STATING, *HINTING) or id(resource) in self.dismissed:
                continue
            if resource.place in doubted or self._grouped(resource):
                continue
            concepts = self._about(resource)
            codings = [each for concept in concepts for each in concept.all("coding")]
            if self._possible(codings):
                continue
            words = [each.text("display") for each in codings] + [each.text("text") for each in concepts]
            words += [Element(resource.content).text(name) for name in _TEXTS]
            days = days_of(resource)
            if any(words) or (oldest and days and days[1] < oldest):
                silent += 1
            else:
                blank += 1
        said = []
        if silent:
            said.append(
                f"{_resources(silent)} with no code that is known here, mentioning nothing that the policy reads"
            )
        if blank:
            since = f", dated on or after {oldest}, the oldest finding that was read, or not dated" if oldest else ""
            said.append(f"{_resources(blank)} that could not be judged, with neither a known code nor a text{since}")
        if said:
            self.notices.append(f"Not understood: {'; '.join(said)}.")


# Where it stands when a thing was so or done.
_TIMES = (
    *("recordedDate", "performedDateTime", "performedPeriod"),
    *("effectiveDateTime", "effectiveInstant", "effectivePeriod", "date", "detected"),
)


def days_of(resource: Resource) -> tuple[date, date] | None:
    """The first and the last day that what a resource states may be of; None where that is not known."""
    root = resource.root
    found = next((days for name in _TIMES if (days := root.days(name))), None)
    end = end_of(root)
    ended = root.days(end) if end else None
    if end and ended is None:
        return (found[0], date.max) if found else None
    bounds = [days[1] for days in (found, ended) if days]
    if not bounds:
        # It was issued after it was found, and what it is contained in was written after both.
        issued = root.days("issued") or (days_of(resource.container) if resource.container else None)
        return (date.min, issued[1]) if issued else None
    return found[0] if found else date.min, max(bounds)


def end_of(condition: Element) -> str:
    """The element that states that a condition has ended, or "" if none does."""
    return next((name for name in condition.content if name.lstrip("_").startswith("abatement")), "")


def _few(places: list[str]) -> str:
    """Places as a notice lists them."""
    listed = ", ".join(places[:_FEW])
    return f"{listed} and {len(places) - _FEW} more" if len(places) > _FEW else listed


def _resources(count: int) -> str:
    return f"{count} resource{'s' * (count > 1)}"
