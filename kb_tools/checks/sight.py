"""What the shapes of a condition can see of a case, found by walking through them.

A condition is evaluated on the facts that its pol:reads names and on no others (kb_tools.determine.evaluate). Its
value there is its value on the whole case only if its shapes can see nothing else. So this walk knows the few ways of
writing a shape for which that can be told, and reports every other.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from rdflib import BNode, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.cases.case import DERIVED_LINKS, DERIVED_OF_FINDINGS
from kb_tools.checks.core import name
from kb_tools.model.products import read_as
from kb_tools.model.repository import CONDITIONS, Repository, home_of
from kb_tools.rdf.namespaces import CASE, CLIN, SH
from kb_tools.rdf.paths import CannotFollow, routes

# Links from the case to nodes that only hold what is read.
_LINKS = {CASE.request, CASE.coverage, CASE.product}
_FINDINGS = {CASE.finding, *DERIVED_LINKS}

# What a shape says of itself, and nothing of the data.
_PASSIVE = {RDF.type, RDFS.label, SKOS.definition, SKOS.scopeNote, SH.message, SH.name, SH.description, SH.path}
_LISTS = {SH["and"], SH["or"], SH.xone}
_NESTED = {SH.node, SH["not"], SH.property}
_QUALIFIED = {SH.qualifiedValueShape, SH.qualifiedMinCount, SH.qualifiedMaxCount}
_COUNTS = {SH.minCount, SH.maxCount}
_OF_VALUES = {
    SH["class"], SH["in"], SH.hasValue, SH.datatype, SH.nodeKind, SH.pattern, SH.flags, SH.minLength, SH.maxLength,
    SH.minInclusive, SH.maxInclusive, SH.minExclusive, SH.maxExclusive,
}  # fmt: skip
_PATHS = {SH.alternativePath, SH.inversePath, SH.zeroOrMorePath, SH.oneOrMorePath, SH.zeroOrOnePath}
_KINDS = {SH.IRI, SH.BlankNode, SH.Literal, SH.BlankNodeOrIRI, SH.BlankNodeOrLiteral, SH.IRIOrLiteral}

# The terms of SHACL that a condition may use: those of Core that need no target and look at no second property.
CORE = (
    {SH.NodeShape, SH.PropertyShape, SH.message, SH.name, SH.description, SH.path}
    | _LISTS | _NESTED | _QUALIFIED | _COUNTS | _OF_VALUES | _PATHS | _KINDS
)  # fmt: skip


class _At(Enum):
    """Where in a case a shape stands."""

    CASE = auto()
    ANY_FINDING = auto()
    FINDING = auto()
    CONTRADICTING = auto()
    VALUE = auto()


class Sight:
    """What the shapes walked through so far see.

    Attributes:
        reads: the classes of findings, the kinds of products and the properties read.
        unshown: ways of looking at what a condition is not shown, in words.
    """

    def __init__(self, kb: Repository) -> None:
        self.kb = kb
        self.shapes = kb.conditions
        self.reads: set[Node] = set()
        self.unshown: list[str] = []
        self._read_as = read_as(kb)
        self._finding_classes = set(kb.ontology.subjects(RDFS.subClassOf, CASE.Finding)) - {CLIN.StatedAbsence}

    def of_case(self, shape: Node) -> None:
        """Walks through a shape that is held against a case."""
        self._look(shape, _At.CASE)

    def _look(self, shape: Node, at: _At) -> None:
        if (shape, None, None) not in self.shapes:
            self._report(shape, f"is described outside {home_of(str(shape), CONDITIONS)}")
        path = self.shapes.value(shape, SH.path)
        for after in dict.fromkeys(self._follow(path, at) if path else [at]):
            for predicate, object_ in self.shapes.predicate_objects(shape):
                if predicate not in _PASSIVE:
                    self._constraint(shape, predicate, object_, after)
            if after is _At.ANY_FINDING and (shape, SH.qualifiedValueShape, None) not in self.shapes:
                self._report(shape, "looks at current findings of every class")

    def _constraint(self, shape: Node, predicate: Node, object_: Node, at: _At) -> None:
        """What one constraint sees of the nodes that it is held against."""
        if at is _At.ANY_FINDING:
            if predicate == SH.qualifiedValueShape:
                self._findings(object_)
            elif predicate not in _QUALIFIED:
                self._report(shape, f"holds {name(self.kb, predicate)} against current findings of every class")
        elif predicate in _LISTS:
            for member in Collection(self.shapes, object_):
                self._look(member, at)
        elif predicate in _NESTED or predicate == SH.qualifiedValueShape:
            self._look(object_, at)
        elif predicate not in _COUNTS | _QUALIFIED and not self._is_of_values(predicate, at):
            self._report(shape, f"uses {name(self.kb, predicate)} on {at.name.lower().replace('_', ' ')}")

    @staticmethod
    def _is_of_values(predicate: Node, at: _At) -> bool:
        """Whether a constraint looks at the node itself, where the node is shown as the case has it."""
        return (
            predicate == SH["class"]
            if at in (_At.FINDING, _At.CONTRADICTING)
            else at is _At.VALUE and predicate in _OF_VALUES
        )

    # ------------------------------------------------------------------ findings

    def _findings(self, shape: Node) -> None:
        """A shape that counts current findings: it must say of which class."""
        classes = set(self._classes(shape))
        if not classes:
            self._report(shape, "counts current findings of every class: say sh:class")
        for class_ in sorted(classes - self._finding_classes, key=str):
            self._report(
                shape, f"counts findings by {name(self.kb, class_)}, which is no class that findings are shown by"
            )
        self.reads |= classes
        self._look(shape, _At.FINDING)

    def _classes(self, shape: Node) -> Iterator[Node]:
        """The classes of which every node that conforms to the shape is, or is stated to be absent."""
        for class_ in self.shapes.objects(shape, SH["class"]):
            yield from self._absent(shape) if class_ == CLIN.StatedAbsence else (class_,)
        for inner in self.shapes.objects(shape, SH.node):
            yield from self._classes(inner)
        for head in self.shapes.objects(shape, SH["and"]):
            for member in Collection(self.shapes, head):
                yield from self._classes(member)
        for head in self.shapes.objects(shape, SH["or"]):
            alternatives = [set(self._classes(member)) for member in Collection(self.shapes, head)]
            if all(alternatives):
                yield from set().union(*alternatives)

    def _absent(self, shape: Node) -> Iterator[Node]:
        """The classes that a shape for stated absences names; the class of absences itself where it names none."""
        absent = [
            value
            for property_ in self.shapes.objects(shape, SH.property)
            if self.shapes.value(property_, SH.path) == CLIN.absenceOf
            for value in self.shapes.objects(property_, SH.hasValue)
        ]
        yield from absent or [CLIN.StatedAbsence]

    # ------------------------------------------------------------------ paths

    def _follow(self, path: Node, at: _At) -> Iterator[_At]:
        """Where each way along a path leads; what it reads on the way is noted."""
        try:
            ways = list(routes(self.shapes, path))
        except CannotFollow as found:
            self._report(path, f"follows {name(self.kb, found.kind)} of {name(self.kb, found.inner)}")
            return
        for route in ways:
            after = self._after(route, at)
            if after is None:
                steps = " / ".join(name(self.kb, step) for step in route)
                self._report(path, f"looks along {steps} from {at.name.lower().replace('_', ' ')}")
            else:
                yield after

    def _after(self, route: tuple[URIRef, ...], at: _At) -> _At | None:
        """Where a way of single steps leads, None where it leads to what is not shown."""
        while route and route[-1] == SKOS.broader:
            route = route[:-1]  # A concept is shown with all that is broader.
        match at, route:
            case _At.CASE, (CASE.currentFinding,):
                return _At.ANY_FINDING
            case _At.CASE, (*links, last) if set(links) <= _LINKS and last not in _LINKS | _FINDINGS:
                self.reads.add(self._read_as.get(last, last))
                return _At.VALUE
            case _At.FINDING, (CASE.contradictedBy, *rest):
                return self._after(tuple(rest), _At.CONTRADICTING)
            case ((_At.FINDING | _At.CONTRADICTING), (property_,)) if not self._leads_on(property_):
                return _At.VALUE
            case ((_At.CONTRADICTING | _At.VALUE), ()):
                return at
        return None

    @staticmethod
    def _leads_on(property_: URIRef) -> bool:
        """Whether a property leads to another node of the case rather than to a value."""
        return property_ in _LINKS | _FINDINGS | DERIVED_OF_FINDINGS

    def _report(self, node: Node, what: str) -> None:
        self.unshown.append(f"{self._owner(node)} {what}")

    def _owner(self, node: Node) -> str:
        """The named shape that a node without a name stands in."""
        while isinstance(node, BNode):
            owner = next(self.shapes.subjects(None, node), None)
            if owner is None:
                break
            node = owner
        return name(self.kb, node)
