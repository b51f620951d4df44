"""Holds cases against the case shapes and derives what counts of their findings."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from rdflib import URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools import printable
from kb_tools.cases.case import ISOLATED, Malformed, Violation, is_term, number_of
from kb_tools.cases.derive import Derivation
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.concepts import concept_classes, concept_facts
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, SH, TERM_NAMESPACES
from kb_tools.rdf.terms import Triple, graph_of

if TYPE_CHECKING:
    from kb_tools.cases.case import Case
# Characters shown of a value that breaks a shape.
_LONGEST = 80
# How alike two names must be for the one to be taken for a misspelling of the other (difflib's ratio).
_CLOSE = 0.8


class CaseChecker:
    """Holds cases against the case shapes and derives what counts of those that pass, many at a time."""

    def __init__(self, kb: Repository, engine: str) -> None:
        self.kb = kb
        self.engine = engine
        self._derivation = Derivation(kb)
        self.shapes = kb.graph([kb.root / "shapes/case.ttl", kb.root / "shapes/submission.ttl"])
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
        data = graph_of(self.concepts)
        for case in cases:
            for triple in case.triples():
                # A case uses concepts and makes none: a node of its own is no disease, whatever it calls itself.
                if triple[1] != RDF.type or triple[2] not in self._concept_classes:
                    data.add(triple)
        found: dict[str, list[Violation]] = defaultdict(list)
        by_number = {number_of(case.node): case for case in cases}
        for result in shacl.validate(data, self.shapes, self.engine):
            found[number_of(result.focus)].append(self._violation(by_number[number_of(result.focus)], result))
        sound = self._derivation.of([case for number, case in by_number.items() if number not in found])
        derived = {number_of(case.node): case for case in sound}
        return [
            Malformed(case, tuple(sorted(set(found[number])))) if number in found else derived[number]
            for number, case in by_number.items()
        ]

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
            if iri.startswith(TERM_NAMESPACES) and (URIRef(iri), None, None) not in self.kb.ontology:
                return difflib.get_close_matches(self.kb.curie(iri), self._terms, n=1, cutoff=_CLOSE)
        return []

    @cached_property
    def _terms(self) -> list[str]:
        return sorted({self.kb.curie(str(term)) for term in self.kb.ontology.subjects() if is_term(term)})


def _printable(text: str) -> str:
    """A value of a file as one short line, without what a terminal would obey."""
    line = printable.line(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
