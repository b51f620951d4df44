"""What the codes of FHIR resources say, each by itself and several together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rdflib import URIRef
from rdflib.term import Node

from kb_tools.cases.fhir.element import Coded, Element, Elements, coded_of
from kb_tools.cases.fhir.facts import Template
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, Skipped
from kb_tools.cases.meaning import Meaning
from kb_tools.cases.memo import remembered
from kb_tools.cases.terminology import Near, Terminology
from kb_tools.rdf.namespaces import CLIN


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
        return self.terminology.name(*coding.coded())

    def meaning(self, coding: Element) -> Meaning | None:
        return self.terminology.meaning(*coding.coded())

    def near(self, coding: Element) -> Near | None:
        """What a code that is not known may be meant for."""
        return self.terminology.near(*coding.coded())

    def nears(self, codings: Sequence[Element]) -> tuple[Near, ...]:
        """What those codes that are not known may be meant for, each once."""
        return self.nears_of(coded(codings))

    @remembered
    def nears_of(self, codes: Coded) -> tuple[Near, ...]:
        return tuple(near for code in dict.fromkeys(codes) if (near := self.terminology.near(*code)))

    # ------------------------------------------------------------------ several codes

    def meanings(self, codings: Sequence[Element]) -> tuple[Meaning, ...]:
        """What the codes that are known mean."""
        return self._meanings(coded(codings))

    @remembered
    def _meanings(self, codes: Coded) -> tuple[Meaning, ...]:
        return tuple(meaning for code in codes if (meaning := self.terminology.meaning(*code)) is not None)

    def possible(self, codings: Sequence[Element]) -> tuple[Meaning, ...]:
        """What codes mean, and what those that are not known may be meant for."""
        return self.possible_of(coded(codings))

    @remembered
    def possible_of(self, codes: Coded) -> tuple[Meaning, ...]:
        found: list[Meaning] = []
        for code in codes:
            known = self.terminology.meaning(*code) or self.terminology.near(*code)
            if known:
                found.append(known.meaning if isinstance(known, Near) else known)
        return tuple(found)

    def concepts(self, codings: Sequence[Element], class_: Node) -> set[URIRef]:
        """The concepts of a class that codes name."""
        return set(self._concepts(coded(codings), class_))

    @remembered
    def _concepts(self, codes: Coded, class_: Node) -> list[URIRef]:
        return list({concept for meaning in self._meanings(codes) for concept in self.named_by(meaning, class_)})

    def ask_for_a_service(self, codings: Sequence[Element]) -> bool:
        """Whether codes name a service, or leave it open: a package of which it is not said what is meant."""
        return self._ask_for_a_service(coded(codings))

    @remembered
    def _ask_for_a_service(self, codes: Coded) -> bool:
        return bool(self._concepts(codes, CLIN.Service)) or any(meaning.kind for meaning in self._meanings(codes))

    def named_by(self, meaning: Meaning, class_: Node) -> frozenset[URIRef]:
        """The concepts of a class that a meaning names."""
        return frozenset(concept for concept in meaning.concepts if class_ in self.terms.classes[concept])

    def mentioned(self, codings: Sequence[Element]) -> frozenset[Node]:
        """The classes of findings that the displays of codes that are not known mention."""
        displays = [text for coding in codings if (text := coding.text("display")) and self.meaning(coding) is None]
        return frozenset().union(*map(self.terminology.mentions, displays))

    def say_nothing(self, codes: Coded, texts: Sequence[str]) -> bool:
        """Whether none of these codes is known or like a known one, and none of these texts mentions anything."""
        return not self._may_say(codes) and not any(map(self.terminology.mentions, texts))

    @remembered
    def _may_say(self, codes: Coded) -> bool:
        return bool(self.possible_of(codes) or self._may_state(codes))

    def mentioned_by(self, concept: Element) -> frozenset[Node]:
        """The classes of findings that a concept mentions.

        By the displays of its codes that are not known, and where none of its codes is known by its text. Where they
        name a disease and not how it stands, its text may say that.
        """
        codings = concept.all("coding")
        in_text = self.terminology.mentions(concept.text("text"))
        if in_text and self._meanings(coded(codings)):
            diseases, statuses = (self.concepts(codings, class_) for class_ in (CLIN.Disease, CLIN.DiseaseStatus))
            in_text &= {CLIN.DiseaseStatusAssessment} if diseases and not statuses else set()
        return self.mentioned(codings) | in_text

    def may_state(self, codings: Sequence[Element]) -> frozenset[Node]:
        """The classes of findings of which a resource may state one, as the terminology says of its codes."""
        return self._may_state(coded(codings))

    @remembered
    def _may_state(self, codes: Coded) -> frozenset[Node]:
        meant = (kind for meaning in self.possible_of(codes) for kind in (meaning.kind, *meaning.leaves_open) if kind)
        return frozenset(meant).union(*(self.terminology.may_mean(*code) for code in codes))

    def unknown(self, codings: Sequence[Element]) -> str:
        """What a record says of codes that are not known."""
        return self._unknown(coded(codings))

    @remembered
    def _unknown(self, codes: Coded) -> str:
        found = [(code, self.terminology.near(*code)) for code in codes]
        names = (self.terminology.unknown(*code) for code, near in found if near is None)
        hints = dict.fromkeys(near.hint for _, near in found if near)
        return "; ".join(filter(None, [", ".join(dict.fromkeys(names)), *hints]))

    def unread(self, codings: Sequence[Element], element: str, what: str) -> Skipped:
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

    def values(self, kind: Node, codings: Sequence[Element]) -> dict[URIRef, Node]:
        """What codes state of a finding: each concept in the property of the finding that takes its class.

        Raises:
            Skipped: they contradict each other.
        """
        return dict(self._values(kind, coded(codings)))

    @remembered
    def _values(self, kind: Node, codes: Coded) -> dict[URIRef, Node]:
        found: dict[URIRef, set[URIRef]] = defaultdict(set)
        for meaning in self._meanings(codes):
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

    def template(self, codings: Sequence[Element], element: str) -> Template | None:
        """The finding that codes state together, with all that they state of it; None where none of them states one.

        Raises:
            Skipped: they contradict each other.
        """
        found = self._template(coded(codings), element)
        return (found[0], dict(found[1])) if found else None

    @remembered
    def _template(self, codes: Coded, element: str) -> Template | None:
        meanings = [meaning for meaning in self._meanings(codes) if meaning.kind]
        if not meanings:
            return None
        kinds = {meaning.kind for meaning in meanings if meaning.kind}
        values: dict[URIRef, Node] = {}
        for meaning in meanings:
            values = self.merged(values, dict(meaning.values), element)
        if len(kinds) != 1:
            raise Skipped(NOT_UNDERSTOOD, "its codes contradict each other", element)
        kind = next(iter(kinds))
        return kind, self.merged(values, self._values(kind, codes), element)

    def merged(self, values: Mapping[URIRef, Node], more: Mapping[URIRef, Node], element: str) -> dict[URIRef, Node]:
        """What is stated of a finding in two places: of each property the narrower value.

        Args:
            element: where the second values are stated.

        Raises:
            Skipped: they contradict each other.
        """
        merged = dict(values)
        for property_, value in more.items():
            narrower = self._narrower(merged[property_], value) if property_ in merged else value
            if narrower is None:
                raise Skipped(NOT_UNDERSTOOD, "its codes contradict each other", element)
            merged[property_] = narrower
        return merged

    def _narrower(self, one: Node, other: Node) -> Node | None:
        """The narrower of two values, None where neither is in the other."""
        if one == other or not (isinstance(one, URIRef) and isinstance(other, URIRef)):
            return one if one == other else None
        return self.terms.narrowest({one, other})


def coded(codings: Sequence[Element]) -> Coded:
    """What codings state, apart from where they stand."""
    return (codings if isinstance(codings, Elements) else Elements(codings)).coded


def said_by(concept: Any) -> tuple[Coded, Sequence[str]]:
    """The codes of a CodeableConcept as it stands in JSON, and its texts: its own, and the displays of its codes."""
    if not isinstance(concept, dict):
        return (), ()
    codings = concept.get("coding")
    held = [coding for coding in codings if isinstance(coding, dict)] if isinstance(codings, list) else []
    codes = tuple([coded_of(coding) for coding in held])
    texts = [concept.get("text"), *[coding.get("display") for coding in held]]
    return codes, tuple([text for text in texts if text and isinstance(text, str)])


def unstated(meanings: Iterable[Meaning]) -> list[str]:
    """What codes do not say, each once."""
    return list(dict.fromkeys(note.rstrip(".") for meaning in meanings for note in meaning.notes))
