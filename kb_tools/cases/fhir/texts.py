"""What FHIR resources are about, by all their codes and by the words of their texts.

A code makes a fact; a text can only raise a doubt. Of a text nothing is kept but which classes of findings its words
mention (`read:Words`), and nothing of it comes out. Notes (Annotation) are not looked at: they tell of circumstances
more than of the finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from rdflib.term import Node

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.codes import said_by
from kb_tools.cases.fhir.element import Coded, Element, Elements
from kb_tools.cases.fhir.r4 import HINTING
from kb_tools.cases.fhir.resource import Resource

# The elements in which the resources that may state findings have concepts that say what they are about.
_CONCEPTS = ("code", "medicationCodeableConcept", "event", "itemCodeableConcept", "summary")
_CONCEPT_LISTS = ("conclusionCode",)
# The elements that are texts by themselves.
_TEXTS = ("valueString", "conclusion", "summary", "description")
# The parts of a resource with concepts of their own.
_PARTS = ("component", "finding", "stage")
# All elements but its code by which a resource may say what it is about.
_BESIDE_CODE = {
    *(*_CONCEPTS, *_CONCEPT_LISTS, *_TEXTS, *_PARTS),
    *("valueCodeableConcept", "medicationReference", "hasMember", "result"),
} - {"code"}


class TextReader:
    """Finds out what resources may be about where their codes do not say it.

    What it looks at is not taken for read: the record tells what a fact was made of.
    """

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._codes = assembly.codes
        # What whole resources are about; not where that depends on what they refer to.
        self._about: dict[Resource, tuple[list[Element], Elements]] = {}
        self._texts: dict[Resource, Sequence[str]] = {}
        self._says_nothing: dict[Resource, bool] = {}
        # Of those that say by their code alone what they are about.
        self._coded: dict[Resource, Coded] = {}

    def about(self, resource: Resource, *parts: Element) -> list[Element]:
        """The concepts that say what a resource is about, or these parts of it."""
        return self._concepts_and_codings(resource, parts)[0]

    def codings(self, resource: Resource, *parts: Element) -> Elements:
        """The codes that say what a resource is about, or these parts of it."""
        known = None if parts else self._about.get(resource)
        return (known or self._concepts_and_codings(resource, parts))[1]

    def coded(self, resource: Resource) -> Coded:
        """The codes that say what a resource is about, apart from where they stand."""
        if resource not in self._says_nothing:
            self.says_nothing(resource)
        found = self._coded.get(resource)
        return self.codings(resource).coded if found is None else found

    def _concepts_and_codings(self, resource: Resource, parts: tuple[Element, ...]) -> tuple[list[Element], Elements]:
        kept = None if parts else self._about.get(resource)
        if kept is not None:
            return kept
        root = resource.aside
        reference = root.one("medicationReference")
        inner = () if root.content.keys().isdisjoint(_PARTS) else [part for name in _PARTS for part in root.all(name)]
        concepts = _concepts_of(parts or (root, *inner))
        if reference:
            medication = self._assembly.references.follow(resource, reference)
            code = medication.root.one("code") if medication else None
            concepts += [code] if code else []
        held = [concept.all("coding") for concept in concepts]
        found = concepts, held[0] if len(held) == 1 else Elements(chain.from_iterable(held))
        if not parts and not reference:
            self._about[resource] = found
        return found

    def says_nothing(self, resource: Resource) -> bool:
        """Whether a resource surely neither states nor mentions anything that the policy asks about: most do not."""
        found = self._says_nothing.get(resource)
        if found is None:
            found = False
            if resource.content.keys().isdisjoint(_BESIDE_CODE):
                codes, written = said_by(resource.content.get("code"))
                found = self._codes.say_nothing(codes, written)
                if found:
                    self._texts[resource] = written
                else:
                    self._coded[resource] = codes
            self._says_nothing[resource] = found
        return found

    def has_text(self, resource: Resource) -> bool:
        """Whether there is a text that says what a resource is about."""
        return bool(self.texts(resource))

    def codings_of_values(self, resource: Resource, *parts: Element) -> list[Element]:
        """The codes that an observation, or these parts of it, has as values."""
        root = resource.aside
        if not parts and root.content.keys().isdisjoint(("valueCodeableConcept", "component")):
            return []
        parts = parts or (root, *root.all("component"))
        return [coding for part in parts for coding in part.codings("valueCodeableConcept")]

    def texts(self, resource: Resource) -> Sequence[str]:
        """All texts that say what a resource is about: those of its codes and concepts, and its own."""
        found = self._texts.get(resource)
        if found is None:
            concepts, codings = self._concepts_and_codings(resource, ())
            found = (
                *[text for coding in codings if (text := coding.text("display"))],
                *[text for concept in concepts if (text := concept.text("text"))],
                *[text for name in _TEXTS if name in resource.content and (text := resource.aside.text(name))],
            )
            if resource in self._about:
                self._texts[resource] = found
        return found

    def mentions(self, resource: Resource, *parts: Element) -> frozenset[Node]:
        """The classes of findings that a resource, or these parts of it, mention where their codes are not known."""
        if not parts and not self._may_mention(resource):
            return frozenset()
        concepts = self.about(resource, *parts)
        found = frozenset().union(*map(self._codes.mentioned_by, concepts))
        known = any(self._codes.meanings(concept.all("coding")) for concept in concepts)
        if resource.type in HINTING or not known:
            for part in parts or (resource.aside,):
                value = part.one("valueCodeableConcept")
                found |= self._codes.mentioned_by(value) if value else frozenset()
                texts = [part.text(name) for name in _TEXTS if name in part.content]
                found = found.union(*map(self._codes.terminology.mentions, texts))
        return found

    def _may_mention(self, resource: Resource) -> bool:
        """Whether there is any text in which a resource may mention something."""
        elsewhere = ("valueCodeableConcept", "medicationReference")
        return not resource.content.keys().isdisjoint(elsewhere) or bool(self.texts(resource))

    def grouped(self, resource: Resource) -> list[Resource]:
        """The resources that a panel or a report groups, and so says nothing but what they say."""
        return [found for found in self._results(resource) if found]

    def lacks_results(self, resource: Resource) -> bool:
        """Whether a panel or a report groups something that is not in the input."""
        return None in self._results(resource)

    def _results(self, resource: Resource) -> list[Resource | None]:
        root = resource.aside
        if "hasMember" not in root.content and "result" not in root.content:
            return []
        references = [reference for name in ("hasMember", "result") for reference in root.all(name)]
        return [self._assembly.references.follow(resource, reference) for reference in references]


def _concepts_of(parts: tuple[Element, ...]) -> list[Element]:
    """The concepts that parts of a resource have, those by themselves before those in lists."""
    named = [part.one(name) for part in parts for name in _CONCEPTS if name in part.content]
    listed = [part.all(name) for part in parts for name in _CONCEPT_LISTS if name in part.content]
    return [*filter(None, named), *chain.from_iterable(listed)]
