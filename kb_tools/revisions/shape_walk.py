"""What the shapes of conditions name: the properties that they read, with the values and numbers that they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain, product

from rdflib import Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, SKOS, XSD
from rdflib.term import Node

from kb_tools.model.repository import Repository
from kb_tools.model.statements import Condition
from kb_tools.rdf.namespaces import CASE, SH

LISTS = {SH["and"], SH["or"], SH.xone}
NESTED = {SH.node, SH["not"], SH.property, SH.qualifiedValueShape}
_LIMITS = {SH.minInclusive, SH.minExclusive, SH.maxInclusive, SH.maxExclusive}
# How many of a thing it takes to see each limit of a count exceeded or reached, beyond the limit itself.
_COUNTS = {SH.minCount: 0, SH.qualifiedMinCount: 0, SH.maxCount: 1, SH.qualifiedMaxCount: 1}
# Constraints on values for which no list of small cases is known to be enough.
_BOUNDLESS = {SH["class"], SH.datatype, SH.nodeKind, SH.pattern, SH.minLength, SH.maxLength}


class ShapeWalk:
    """What the shapes of a group of conditions name.

    Attributes:
        ways: the properties that they read apart from findings, each with the way there from the case.
        counted: the shapes of one finding, in their order.
        named: by property the values that they name, other than numbers.
        limits: by property the numbers.
        most: how many findings it takes to tell each count from one more.
        boundless: whether they ask of a value what no list of cases can exhaust.
    """

    def __init__(self, kb: Repository, group: Iterable[Condition]) -> None:
        self.shapes = kb.evaluated
        self.ways: dict[URIRef, tuple[URIRef, ...]] = {}
        self.counted: dict[Node, None] = {}
        self.named: dict[URIRef, set[Node]] = {}
        self.limits: dict[URIRef, set[Decimal]] = {}
        self.most = 1
        self.boundless = False
        for condition in group:
            for shape in (condition.holds_when, condition.fails_when):
                self._look(URIRef(shape), at_case=True, properties=())

    def _look(self, shape: Node, at_case: bool, properties: Sequence[URIRef]) -> None:
        """Notes what a shape names.

        Args:
            at_case: whether it is held against a case, and not against a finding or a value.
            properties: those whose values it is held against, if it is.
        """
        path = self.shapes.value(shape, SH.path)
        if path is not None:
            ends = [self._end(route, at_case) for route in self._routes(path)]
            properties, at_case = [end for end in ends if end is not None], False
            for property_ in properties:
                self.named.setdefault(property_, set())
        for predicate, object_ in self.shapes.predicate_objects(shape):
            if predicate in LISTS:
                for member in Collection(self.shapes, object_):
                    self._look(member, at_case, properties)
            elif predicate in NESTED:
                if path == CASE.currentFinding and predicate == SH.qualifiedValueShape:
                    self.counted[object_] = None
                self._look(object_, at_case, properties)
            elif isinstance(predicate, URIRef) and predicate in _COUNTS:
                self.most = max(self.most, int(str(object_)) + _COUNTS[predicate])
            elif properties:
                self._note(predicate, object_, properties)

    def _note(self, predicate: Node, object_: Node, properties: Iterable[URIRef]) -> None:
        """Notes what a constraint names of the values of properties."""
        self.boundless |= predicate in _BOUNDLESS
        named = Collection(self.shapes, object_) if predicate == SH["in"] else [object_]
        for property_ in properties:
            if predicate in _LIMITS:
                self.limits.setdefault(property_, set()).add(Decimal(str(object_)))
            elif predicate in (SH["in"], SH.hasValue):
                for value in named:
                    if isinstance(value, Literal) and value.datatype in (XSD.integer, XSD.decimal):
                        self.limits.setdefault(property_, set()).add(Decimal(str(value)))
                    else:
                        self.named[property_].add(value)

    def _end(self, route: tuple[URIRef, ...], at_case: bool) -> URIRef | None:
        """The property whose values a way leads to; None where it leads to findings."""
        if not route or route == (CASE.currentFinding,):
            return None
        *way, last = route
        if at_case:
            self.ways[last] = tuple(way)
        return last

    def _routes(self, path: Node) -> list[tuple[URIRef, ...]]:
        """Every way along a path; without steps to broader concepts, and to what contradicts a finding."""
        if isinstance(path, URIRef):
            return [()] if path in (CASE.contradictedBy, SKOS.broader) else [(path,)]
        if (path, RDF.first, None) in self.shapes:
            routes = [self._routes(step) for step in Collection(self.shapes, path)]
            return [tuple(chain.from_iterable(steps)) for steps in product(*routes)]
        found: list[tuple[URIRef, ...]] = []
        for kind, inner in self.shapes.predicate_objects(path):
            within = Collection(self.shapes, inner) if kind == SH.alternativePath else [inner]
            found += [route for branch in within for route in self._routes(branch)]
            self.boundless |= kind == SH.inversePath
        return found
