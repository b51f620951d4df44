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

from kb_tools.cases.form import CaseForms, Key
from kb_tools.cases.memo import remembered
from kb_tools.model.periods import Starts, counts_since, starts
from kb_tools.model.products import parts_of
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, READ
from kb_tools.rdf.terms import local_name

_BOUNDS = (CASE.atLeast, CASE.atMost, CASE.below)


@dataclass(frozen=True)
class Measure:
    """A number that findings of a class state, exactly or by bounds.

    Attributes:
        exact: the property that states it exactly.
        bounds: the property that states a bound, by the kind of bound: `case:atLeast`, `case:atMost`, `case:below`.
        unit: in UCUM.
        integral: whether it is an integer.
        least, most: its limits, as the case shapes give them.
    """

    exact: URIRef
    bounds: Mapping[URIRef, URIRef]
    unit: str
    integral: bool
    least: float
    most: float

    @cached_property
    def properties(self) -> frozenset[URIRef]:
        return frozenset((self.exact, *self.bounds.values()))

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
        for property_, value in values.items():
            if property_ in (self.exact, self.bounds.get(CASE.atLeast)):
                low = float(str(value))
            if property_ == self.exact or property_ in (self.bounds.get(CASE.atMost), self.bounds.get(CASE.below)):
                high = float(str(value))
        return low, high


class Vocabulary:
    """The terms of the case and clinical vocabularies, and what the case shapes allow to say with them.

    Attributes:
        kinds: the classes of findings, by local name.
        parts: what a case states apart from findings, by local name: the request, the plan, and each kind of product.
        domain: by class: the properties that its instances can have.
        range: by property: the class of its values.
        classes: by term: the classes that it belongs to.
        elements: by property: the element of an Observation that states it.
        broader: by concept: itself and all that are broader.
        keys: by class and property: what the case shapes say of the values.
    """

    def __init__(self, kb: Repository, forms: CaseForms) -> None:
        self.kb = kb
        self._forms = forms
        ontology = kb.ontology
        self.kinds = {local_name(kind): kind for kind in ontology.subjects(RDFS.subClassOf, CASE.Finding)}
        self.parts = parts_of(ontology)
        self.domain: dict[Node, set[Node]] = defaultdict(set)
        for property_, class_ in ontology.subject_objects(RDFS.domain):
            self.domain[class_].add(property_)
        self.range = dict(ontology.subject_objects(RDFS.range))
        self.classes: dict[Node, set[Node]] = defaultdict(set)
        for term, class_ in ontology.subject_objects(RDF.type):
            self.classes[term].add(class_)
        self.elements = {
            URIRef(str(property_)): str(name) for property_, name in ontology.subject_objects(READ.observationElement)
        }
        self.broader = {
            term: set(ontology.transitive_objects(term, SKOS.broader)) for term in ontology.subjects(SKOS.prefLabel)
        }

    @cached_property
    def keys(self) -> dict[tuple[Node, Node], Key]:
        forms = self._forms.forms.values()
        return {(form.iri, key.path): key for form in forms for key in form.keys.values()}

    @cached_property
    def measures(self) -> list[Measure]:
        """The numbers that findings state, with the limits of the case shapes."""
        found = []
        for key in self.keys.values():
            unit = self.kb.ontology.value(key.path, CASE.unit)
            if unit is not None:
                bounds = {bound: self.kb.ontology.value(key.path, bound) for bound in _BOUNDS}
                limits = {name: float(limit) for name, limit in key.bounds}
                found.append(
                    Measure(
                        exact=key.path,
                        bounds={bound: stated for bound, stated in bounds.items() if isinstance(stated, URIRef)},
                        unit=str(unit),
                        integral=key.datatype == XSD.integer,
                        least=limits.get("minInclusive", -inf),
                        most=limits.get("maxInclusive", inf),
                    )
                )
        return found

    @remembered
    def measure_of(self, kind: Node) -> Measure | None:
        """The number that findings of a class state, if they state one."""
        return next((measure for measure in self.measures if measure.exact in self.domain[kind]), None)

    def narrowest(self, concepts: set[URIRef]) -> URIRef | None:
        """Of concepts that lie in one line of the hierarchy the narrowest, else None."""
        return next((concept for concept in concepts if concepts <= self.broader[concept]), None)

    @remembered
    def key_property(self, kind: Node) -> URIRef | None:
        """What tells findings of a class apart, if anything does: a method, a lineage."""
        found = self.kb.ontology.value(kind, CASE.keyProperty)
        return found if isinstance(found, URIRef) else None

    @remembered
    def starts(self, kind: Node) -> Starts | None:
        """How findings of a class start a new period; None where they start none."""
        return starts(self.kb.ontology, kind)

    @remembered
    def counts_since(self, kind: Node) -> frozenset[Node]:
        """The classes whose findings start the periods since which those of a class count."""
        return counts_since(self.kb.ontology, kind)

    def starting(self, kind: Node) -> str:
        """With what value a finding of a class starts a new period, in words."""
        return " or ".join(sorted(map(self.label, self.kb.ontology.objects(kind, CASE.startsPeriodWith))))

    @remembered
    def can_be_in_doubt(self, kind: Node) -> bool:
        """Whether a finding of a class can be stated to be in doubt."""
        return (kind, CASE.inDoubt) in self.keys

    @remembered
    def differ_by(self, kind: Node) -> frozenset[Node]:
        """The properties in whose values two findings of a class can differ."""
        return frozenset(self.kb.ontology.objects(kind, CASE.differsBy))

    def counts(self, kind: Node, values: Iterable[Node]) -> bool:
        """Whether a finding of a class with a date and values of these properties states anything that is counted."""
        counting = self._counting(kind)
        return CASE.date in counting or not counting.isdisjoint(values)

    @remembered
    def _counting(self, kind: Node) -> frozenset[Node]:
        return frozenset(self.kb.ontology.objects(kind, CASE.countedBy))

    @remembered
    def says(self, term: Node, property_: URIRef) -> bool:
        """Whether the ontology says `true` of a class, a property or a value by this property."""
        return (term, property_, Literal(True)) in self.kb.ontology

    @remembered
    def is_about_a_disease(self, kind: Node) -> bool:
        """Whether findings of a class are about a disease that they need not state."""
        return any(self.says(property_, CASE.aboutDisease) for property_ in self.domain[kind])

    @remembered
    def elements_of(self, kind: Node) -> tuple[tuple[URIRef, str], ...]:
        """The properties of findings of a class that an element of an Observation states, each with that."""
        return tuple((property_, name) for property_, name in self.elements.items() if property_ in self.domain[kind])

    @remembered
    def is_done(self, kind: Node) -> bool:
        """Whether findings of a class are things that were done, which count by their date alone."""
        return (kind, CASE.countedBy, CASE.date) in self.kb.ontology

    @remembered
    def may_be_one(self, one: Node, other: Node) -> bool:
        """Whether one thing can be of both concepts: whether some concept lies below (or is) each."""
        return not self.kinds_of(one).isdisjoint(self.kinds_of(other))

    @remembered
    def kinds_of(self, concept: Node) -> set[Node]:
        """A concept with all that are narrower."""
        narrower = self.kb.ontology.transitive_subjects(SKOS.broader, concept)
        return {node for node in narrower if node is not None}

    @remembered
    def stating(self, property_: URIRef, value: Node) -> str:
        """The names of a property and of what it states."""
        return f"{self.label(property_)} {self.label(value)}"

    @remembered
    def label(self, node: Node) -> str:
        """The name of a term, or a literal as it stands."""
        return str(node) if isinstance(node, Literal) else self.kb.labels.get(str(node), local_name(node))
