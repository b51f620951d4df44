"""What the codes of FHIR resources say, each by itself and several together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from rdflib import URIRef
from rdflib.term import Node

from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.facts import Template
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, Skipped
from kb_tools.cases.meaning import Meaning
from kb_tools.cases.terminology import Near, Terminology


class Codes:
    """Reads codings by a terminology.

    Attributes:
        terms: the vocabularies that codes are mapped to.
    """

    def __init__(self, terminology: Terminology) -> None:
        self.terminology = terminology
        self.terms = terminology.vocabulary

    # ------------------------------------------------------------------ one code

    def name(self, coding: Element) -> str:
        """A code as a record may name it."""
        return self.terminology.name(coding.text("system"), coding.text("code"))

    def meaning(self, coding: Element) -> Meaning | None:
        return self.terminology.meaning(coding.text("system"), coding.text("code"))

    def near(self, coding: Element) -> Near | None:
        """What a code that is not known may be meant for."""
        return self.terminology.near(coding.text("system"), coding.text("code"))

    # ------------------------------------------------------------------ several codes

    def meanings(self, codings: list[Element]) -> list[Meaning]:
        """What the codes that are known mean."""
        return [meaning for coding in codings if (meaning := self.meaning(coding)) is not None]

    def possible(self, codings: list[Element]) -> list[Meaning]:
        """What codes mean, and what those that are not known may be meant for."""
        found: list[Meaning] = []
        for coding in codings:
            known = self.meaning(coding) or self.near(coding)
            if known:
                found.append(known.meaning if isinstance(known, Near) else known)
        return found

    def concepts(self, codings: list[Element], class_: Node) -> set[URIRef]:
        """The concepts of a class that codes name."""
        return {concept for meaning in self.meanings(codings) for concept in self.named_by(meaning, class_)}

    def named_by(self, meaning: Meaning, class_: Node) -> frozenset[URIRef]:
        """The concepts of a class that a meaning names."""
        return frozenset(concept for concept in meaning.concepts if class_ in self.terms.classes[concept])

    def mentioned(self, codings: list[Element]) -> frozenset[Node]:
        """The classes of findings that the displays of codes that are not known mention."""
        displays = [coding.text("display") for coding in codings if self.meaning(coding) is None]
        return frozenset().union(*map(self.terminology.mentions, displays))

    def unknown(self, codings: list[Element]) -> str:
        """What a record says of codes that are not known."""
        unknown = [coding for coding in codings if self.near(coding) is None]
        names = (self.terminology.unknown(coding.text("system"), coding.text("code")) for coding in unknown)
        hints = dict.fromkeys(near.hint for coding in codings if (near := self.near(coding)))
        return "; ".join(filter(None, [", ".join(dict.fromkeys(names)), *hints]))

    def unread(self, codings: list[Element], element: str, what: str) -> Skipped:
        """Why nothing is made of a resource, or of a part of one, none of whose codes is read.

        Args:
            element: where the codes are.
            what: what known codes state: "nothing that is read".
        """
        if not codings:
            return Skipped(NOT_UNDERSTOOD, "no code", element)
        for coding in codings:
            meaning = self.meaning(coding)
            if meaning:
                text = ". ".join((f"{self.name(coding)} states {what}", *unstated([meaning])))
                near = any(self.near(other) for other in codings)
                doubtful = bool(meaning.leaves_open) or near or bool(self.mentioned(codings))
                return Skipped(IGNORED, text, element, doubtful=doubtful)
        return Skipped(NOT_UNDERSTOOD, self.unknown(codings), element)

    # ------------------------------------------------------------------ findings

    def values(self, kind: Node, codings: list[Element]) -> dict[URIRef, Node]:
        """What codes state of a finding: each concept in the property of the finding that takes its class.

        Raises:
            Skipped: they contradict each other.
        """
        found: dict[URIRef, set[URIRef]] = defaultdict(set)
        for meaning in self.meanings(codings):
            for concept in meaning.concepts:
                for property_ in self.terms.domain[kind]:
                    if self.terms.range.get(property_) in self.terms.classes[concept]:
                        found[URIRef(str(property_))].add(concept)
        values: dict[URIRef, Node] = {}
        for property_, concepts in found.items():
            narrowest = self.terms.narrowest(concepts)
            if narrowest is None:
                raise Skipped(NOT_UNDERSTOOD, "its codes contradict each other")
            values[property_] = narrowest
        return values

    def template(self, codings: list[Element], element: str) -> Template | None:
        """The finding that codes state together, with all that they state of it; None where none of them states one.

        Raises:
            Skipped: they contradict each other.
        """
        meanings = [meaning for meaning in self.meanings(codings) if meaning.kind]
        if not meanings:
            return None
        kinds = {meaning.kind for meaning in meanings if meaning.kind}
        values: dict[URIRef, Node] = {}
        for meaning in meanings:
            values = self.merged(values, dict(meaning.values), element)
        if len(kinds) != 1:
            raise Skipped(NOT_UNDERSTOOD, "its codes contradict each other", element)
        kind = next(iter(kinds))
        return kind, self.merged(values, self.values(kind, codings), element)

    def merged(self, values: Mapping[URIRef, Node], more: Mapping[URIRef, Node], element: str) -> dict[URIRef, Node]:
        """What is stated of a finding in two places: of each property the narrower value.

        Args:
            element: where the second values are stated.

        Raises:
            Skipped: they contradict each other.
        """
        merged = dict(values)
        for property_, value in more.items():
            narrower = self._narrower(merged.get(property_, value), value)
            if narrower is None:
                raise Skipped(NOT_UNDERSTOOD, "its codes contradict each other", element)
            merged[property_] = narrower
        return merged

    def _narrower(self, one: Node, other: Node) -> Node | None:
        """The narrower of two values, None where neither is in the other."""
        if one == other or not (isinstance(one, URIRef) and isinstance(other, URIRef)):
            return one if one == other else None
        return self.terms.narrowest({one, other})


def unstated(meanings: Iterable[Meaning]) -> list[str]:
    """What codes do not say, each once."""
    return list(dict.fromkeys(note.rstrip(".") for meaning in meanings for note in meaning.notes))
