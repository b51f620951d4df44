"""Holds cases against the case shapes and derives what counts of their findings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from rdflib import URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools import printable
from kb_tools.cases.case import ISOLATED, Malformed, Violation, is_term, number_of
from kb_tools.cases.derive import Derivation
from kb_tools.cases.parted import Claim, Part, Parted, Parting, Said, reduced
from kb_tools.errors import KnowledgeBaseError
from kb_tools.memory import Memory
from kb_tools.model.concepts import concept_classes, concept_facts
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, SH, is_our_term
from kb_tools.rdf.terms import Triple, graph_of

if TYPE_CHECKING:
    from kb_tools.cases.case import Case, Statements

# Parts of cases that are known to be sound, in one generation.
SOUND = 50_000
# Characters shown of a value that breaks a shape.
_LONGEST = 80
# How alike two names must be for the one to be taken for a misspelling of the other (difflib's ratio).
_CLOSE = 0.8


class CaseChecker:
    """Holds cases against the case shapes and derives what counts of those that pass, many at a time."""

    def __init__(self, kb: Repository, engine: str, by_parts: bool = False) -> None:
        """Prepares checking.

        Args:
            by_parts: whether a part that was found sound in one case is taken to be sound in every other, which only
                case shapes allow that look at each part by itself.
        """
        self.kb = kb
        self._parting = Parting(kb) if by_parts else None
        self._sound: Memory[Said | Claim, bool] = Memory(SOUND)
        self.engine = engine
        self._derivation = Derivation(kb)
        self.shapes = kb.submission_shapes
        if (None, SH.targetClass, CASE.Case) not in self.shapes:
            raise KnowledgeBaseError(
                "no shape describes a case",
                where=str(kb.root / "shapes/case.ttl"),
                hint="restore it from version control",
            )

    @cached_property
    def concepts(self) -> list[Triple]:
        """What the shapes need of the vocabularies: which concept is of which class, and what is broader."""
        return list(concept_facts(self.kb.ontology))

    @cached_property
    def _concept_classes(self) -> set[Node]:
        return concept_classes(self.kb.ontology)

    def check(self, cases: Sequence[Case]) -> list[Case | Malformed]:
        """Each case with what counts of it derived, or what breaks the case shapes in it, in the order given."""
        by_number = {number_of(case.node): case for case in cases}
        parted: dict[str, Parted] = {}
        if self._parting is not None:
            taken_apart = ((number, self._parting.parted(case)) for number, case in by_number.items())
            parted = {number: parts for number, parts in taken_apart if parts is not None}
        found = self._broken(by_number, parted)
        sound = self._derivation.of([case for number, case in by_number.items() if number not in found], parted)
        derived = {number_of(case.node): case for case in sound}
        return [
            Malformed(case, tuple(sorted(set(found[number])))) if number in found else derived[number]
            for number, case in by_number.items()
        ]

    def _broken(self, cases: Mapping[str, Case], parted: Mapping[str, Parted]) -> dict[str, list[Violation]]:
        """What breaks the case shapes in some cases, by their numbers; nothing of those that break none.

        Args:
            parted: those of the cases that are taken apart: of them, each part that is not known is asked once.
        """
        unknown = {number: self._unknown(parts) for number, parts in parted.items()}
        asked: dict[str, list[tuple[Part, list[Claim]]]] = {}
        taken: set[Claim] = set()
        for number, parts in unknown.items():
            for part, claims in parts:
                if not taken.issuperset(claims):
                    asked.setdefault(number, []).append((part, claims))
                    taken.update(claims)
        small = {
            number: reduced(cases[number], parted[number], (part for part, _ in parts))
            for number, parts in asked.items()
        }
        entire = {number: case.about for number, case in cases.items() if number not in parted}
        results = self._results([*entire.values(), *small.values()])
        proven: set[Claim] = set()
        for number, parts in asked.items():
            # What breaks in a finding or a product says nothing of what else was looked at.
            at_fault = {URIRef(result.focus) for result in results.get(number, ())}
            if at_fault <= {part.node for part, _ in parts if part.whole}:
                proven.update(claim for part, claims in parts if part.node not in at_fault for claim in claims)
        again = [
            number
            for number, parts in unknown.items()
            if (number in asked and number in results)
            or not proven.issuperset(claim for _, claims in parts for claim in claims)
        ]
        found = {number: results[number] for number in entire if number in results}
        found |= self._results([cases[number].about for number in again])
        for number, parts in unknown.items():
            for part, claims in parts:
                if number not in found or proven.issuperset(claims):
                    self._sound.put(part.said, True)
                    for claim in claims:
                        self._sound.put(claim, True)
        return {number: [self._violation(cases[number], one) for one in of_case] for number, of_case in found.items()}

    def _unknown(self, parted: Parted) -> list[tuple[Part, list[Claim]]]:
        """The parts of a case that are not known to be sound, each with those of its claims that are not."""
        assert self._parting is not None
        found = []
        for part in parted.parts:
            if self._sound.get(part.said):
                continue
            claims = [claim for claim in self._parting.claims(part.said) if not self._sound.get(claim)]
            if claims:
                found.append((part, claims))
            else:
                self._sound.put(part.said, True)
        return found

    def _results(self, stated: Sequence[Statements]) -> dict[str, list[shacl.ShaclResult]]:
        """What the case shapes say of some cases, by their numbers; one call of the engine."""
        found: dict[str, list[shacl.ShaclResult]] = {}
        if not stated:
            return found
        data = graph_of(self.concepts)
        for about in stated:
            for subject, pairs in about.items():
                for predicate, object_ in pairs:
                    # A case uses concepts and makes none: a node of its own is no disease, whatever it calls itself.
                    if predicate != RDF.type or object_ not in self._concept_classes:
                        data.add((subject, predicate, object_))
        for result in shacl.validate(data, self.shapes, self.engine):
            found.setdefault(number_of(result.focus), []).append(result)
        return found

    def _violation(self, case: Case, result: shacl.ShaclResult) -> Violation:
        """A result in the words of the file: its own nodes, CURIEs, and a guess at what was meant."""
        path = self.kb.curie(result.path) if ":" in result.path else ""
        focus = URIRef(result.focus)
        kind = case.value(focus, RDF.type)
        name = (
            case.in_file(focus)
            or case.places.get(case.names[focus])
            or f"an unnamed {self.kb.curie(str(kind)) if kind else 'node'}"
        )
        value = "" if result.value == result.focus else result.value
        if result.component == str(SH.ClosedConstraintComponent):
            guess = self._property_meant(path, result.shape)
        else:
            guess = self._term_meant(case, value)
        if value.startswith(ISOLATED):
            value = case.in_file(URIRef(value))
        elif value.startswith("http"):
            value = self.kb.curie(value)
        elif value and (result.path == str(CASE.patient) or focus == case.value(case.node, CASE.patient)):
            value = "a text"  # It may be the name of the patient.
        return Violation(
            focus=printable.line(name),
            path=printable.line(path),
            value=_printable(value),
            message=result.message + (f" Did you mean {guess[0]}?" if guess else ""),
            shape=self.kb.curie(result.shape),
        )

    def _property_meant(self, path: str, shape: str) -> list[str]:
        """The property of a closed shape that one which it does not allow comes close to."""
        named = (self.shapes.value(property_, SH.path) for property_ in self.shapes.objects(URIRef(shape), SH.property))
        allowed = sorted(self.kb.curie(str(iri)) for iri in named)
        same = [curie for curie in allowed if curie.partition(":")[2] == path.partition(":")[2]]
        return same or difflib.get_close_matches(path, allowed, n=1, cutoff=_CLOSE)

    def _term_meant(self, case: Case, value: str) -> list[str]:
        """The term that a value, or the class of a value, comes close to when the vocabulary has none of its name."""
        kinds = case.values(URIRef(value), RDF.type) if value.startswith(ISOLATED) else []
        for iri in (value, *map(str, kinds)):
            if is_our_term(iri) and (URIRef(iri), None, None) not in self.kb.ontology:
                return difflib.get_close_matches(self.kb.curie(iri), self._terms, n=1, cutoff=_CLOSE)
        return []

    @cached_property
    def _terms(self) -> list[str]:
        return sorted({self.kb.curie(str(term)) for term in self.kb.ontology.subjects() if is_term(term)})


def _printable(text: str) -> str:
    """A value of a file as one short line, without what a terminal would obey."""
    line = printable.line(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
