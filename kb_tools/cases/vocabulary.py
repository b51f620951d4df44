"""The case and clinical vocabularies as the readers of FHIR resources need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf

from rdflib import Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools.cases.terminology import Terminology
from kb_tools.model.repository import KnowledgeBase
from kb_tools.rdf.namespaces import CASE, READ
from kb_tools.rdf.terms import local_name

_BOUNDS = (CASE.atLeast, CASE.atMost, CASE.below)


@dataclass(frozen=True)
class Number:
    """A number that findings of a class state.

    Attributes:
        exact: the property that states it exactly.
        bounds: the property that states a bound, by how: `case:atLeast`, `case:atMost`, `case:below`.
        unit: in UCUM.
        whole: whether it is an integer.
        least, most: what it can be.
    """

    exact: URIRef
    bounds: Mapping[URIRef, URIRef]
    unit: str
    whole: bool
    least: float
    most: float

    @property
    def properties(self) -> set[URIRef]:
        return {self.exact, *self.bounds.values()}

    def consistent(self, values: Mapping[URIRef, Node]) -> bool:
        """Whether a finding states it at most once: exactly, or by bounds that do not cross."""
        low, high = self._range(values)
        stated = values.keys() & self.properties
        uppers = stated & {self.bounds.get(CASE.atMost), self.bounds.get(CASE.below)}
        return low <= high and len(uppers) < 2 and not (self.exact in stated and len(stated) > 1)

    def overlap(self, one: Mapping[URIRef, Node], other: Mapping[URIRef, Node]) -> bool:
        """Whether what two findings state of it can both be so."""
        lows, highs = zip(self._range(one), self._range(other), strict=True)
        return max(lows) <= min(highs)

    def _range(self, values: Mapping[URIRef, Node]) -> tuple[float, float]:
        """The lowest and the highest number that it can be."""
        low, high = self.least, self.most
        for how, value in values.items():
            if how == self.exact or how == self.bounds.get(CASE.atLeast):
                low = float(str(value))
            if how == self.exact or how in (self.bounds.get(CASE.atMost), self.bounds.get(CASE.below)):
                high = float(str(value))
        return low, high


class Vocabulary:
    """The terms of the case and clinical vocabularies, and the codes that mean them."""

    def __init__(self, kb: KnowledgeBase, terminology: Terminology) -> None:
        self.kb = kb
        self.terminology = terminology
        ontology = kb.ontology
        self.kinds = {local_name(each): each for each in ontology.subjects(RDFS.subClassOf, CASE.Finding)}
        self.domain: dict[Node, set[Node]] = defaultdict(set)
        for property_, class_ in ontology.subject_objects(RDFS.domain):
            self.domain[class_].add(property_)
        self.range = dict(ontology.subject_objects(RDFS.range))
        self.classes: dict[Node, set[Node]] = defaultdict(set)
        for term, class_ in ontology.subject_objects(RDF.type):
            self.classes[term].add(class_)
        self.elements = {
            URIRef(str(each)): str(name) for each, name in ontology.subject_objects(READ.observationElement)
        }
        self.broader = {
            term: set(ontology.transitive_objects(term, SKOS.broader)) for term in ontology.subjects(SKOS.prefLabel)
        }

    @cached_property
    def numbers(self) -> list[Number]:
        """The numbers that findings state, with the limits of the case shapes."""
        found = []
        for key in self.terminology.keys.values():
            unit = self.kb.ontology.value(key.path, CASE.unit)
            if unit is not None:
                bounds = {how: self.kb.ontology.value(key.path, how) for how in _BOUNDS}
                limits = {name: float(limit) for name, limit in key.bounds}
                found.append(
                    Number(
                        exact=key.path,
                        bounds={how: each for how, each in bounds.items() if isinstance(each, URIRef)},
                        unit=str(unit),
                        whole=key.datatype == XSD.integer,
                        least=limits.get("minInclusive", -inf),
                        most=limits.get("maxInclusive", inf),
                    )
                )
        return found

    def number_of(self, kind: Node) -> Number | None:
        """The number that findings of a class state, if they state one."""
        return next((each for each in self.numbers if each.exact in self.domain[kind]), None)

    def narrowest(self, concepts: set[URIRef]) -> URIRef | None:
        """Of concepts that lie in one line of the hierarchy the narrowest, else None."""
        return next((each for each in concepts if concepts <= self.broader[each]), None)

    def key_property(self, kind: Node) -> URIRef | None:
        """What tells findings of a class apart, if anything does: a method, a lineage."""
        found = self.kb.ontology.value(kind, CASE.keyProperty)
        return found if isinstance(found, URIRef) else None

    def counts(self, kind: Node, values: Iterable[Node]) -> bool:
        """Whether a finding of a class with a date and values of these properties states anything that is counted."""
        return not {CASE.date, *values}.isdisjoint(self.kb.ontology.objects(kind, CASE.countedBy))

    def may_be_one(self, one: Node, other: Node) -> bool:
        """Whether two concepts may be meant by one thing: whether there is a kind of both, the one of the other too."""
        return not self.kinds_of(one).isdisjoint(self.kinds_of(other))

    def kinds_of(self, concept: Node) -> set[Node]:
        """A concept with all that are narrower."""
        return {each for each in self.kb.ontology.transitive_subjects(SKOS.broader, concept) if each is not None}

    def label(self, node: Node) -> str:
        """The name of a term, or a literal as it stands."""
        return str(node) if isinstance(node, Literal) else self.kb.labels.get(str(node), local_name(node))
