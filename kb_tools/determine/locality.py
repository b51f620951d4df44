"""Whether every shape can be decided piece by piece: what is not so written is listed, and kept from the fast path.

A piece is a finding without its date, or one key of the case or its request. Pieces can stand for cases only if

- no case shape compares what two pieces state, counts findings, asks for what may be left out, or looks at a day
  otherwise than the reader does;
- no condition sees more of a finding than what it states and what those state that contradict it, counts otherwise than
  "some" and "none", or reads findings of a class together with other facts than another condition that reads them does:
  whether findings of a day are told to differ depends on all that is read with them;
- no shape can tell a number from its stand-in (`numbers`): shapes compare numbers with limits and with each other;
- the rules of derivation are those that `standing` follows.

So this walks through all shapes and knows the few ways of writing one for which that is so. It reports every other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import combinations
from typing import TypeAlias
from weakref import WeakKeyDictionary

from rdflib import BNode, URIRef
from rdflib.collection import Collection
from rdflib.namespace import OWL, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.cases.case import DERIVED_LINKS, DERIVED_OF_FINDINGS
from kb_tools.cases.form import CaseForms
from kb_tools.cases.numbers import StandIns
from kb_tools.cases.standing import RULES, Vocabulary, digest_of_rules
from kb_tools.model.certainty import faults_of_form
from kb_tools.model.products import product_kinds, read_as
from kb_tools.model.repository import DERIVATION, Repository
from kb_tools.rdf.namespaces import CASE, POL, SH
from kb_tools.rdf.paths import CannotFollow, routes
from kb_tools.rdf.terms import graph_of

# A shape, or what else is at fault, as a message calls it; and what is wrong.
Fault: TypeAlias = tuple[str, str]

_TARGETS = {SH.targetClass, SH.targetNode, SH.targetSubjectsOf, SH.targetObjectsOf, SH.target}
_CLASSES = (RDFS.Class, OWL.Class)
# What a shape says of itself, and nothing of the data.
_PASSIVE = {RDFS.label, RDFS.comment, SKOS.definition, SKOS.scopeNote, SH.message, SH.name, SH.description, SH.path}
_LISTS = {SH["and"], SH["or"], SH.xone}
_NESTED = {SH.node, SH["not"]}
_COUNTS = {SH.minCount, SH.maxCount, SH.qualifiedMinCount, SH.qualifiedMaxCount, SH.qualifiedValueShape}
_LEAST = {SH.minCount, SH.qualifiedMinCount}
_COMPARES = {SH.lessThan, SH.lessThanOrEquals}
_CLOSES = {SH.closed, SH.ignoredProperties}
_LIMITS = {SH.minInclusive, SH.maxInclusive, SH.minExclusive, SH.maxExclusive}
_TEXTS = {SH["in"], SH.hasValue, SH.minLength, SH.maxLength, SH.flags}
_OF_VALUES = {SH["class"], SH.datatype, SH.nodeKind, SH.pattern} | _LIMITS | _TEXTS
_FINDINGS = {CASE.finding} | DERIVED_LINKS
_LINKS = {CASE.request, CASE.coverage, CASE.product} | _FINDINGS | DERIVED_OF_FINDINGS
# What every case states that is decided by its pieces; other cases are for the reader.
_ALWAYS_STATED = {CASE.patient, CASE.coverage, CASE.request, CASE.serviceDate}
# A pattern that all numbers that are replaced match, and all stand-ins.
NUMBERS = r"^[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)$"


class _At(Enum):
    """What a shape is held against, in words."""

    SHARED = "a node of which every key is a piece"
    WHOLE = "a piece"
    DAY = "a day"
    PATIENT = "the patient"
    VALUE = "a value"
    NUMBER = "a number"
    CASE = "a case"
    FINDINGS = "the findings that count"
    COUNTED = "a finding that counts"
    CONTRADICTING = "a contradicting finding"


_OF_FINDING = _LISTS | _NESTED | {SH.property, SH["class"]}
# What a shape may say of each.
_ALLOWED: dict[_At, set[URIRef]] = {
    _At.SHARED: _CLOSES | {SH.property, SH["class"], SH.nodeKind},
    _At.WHOLE: _OF_FINDING | _CLOSES | {SH.nodeKind},
    _At.DAY: {SH.datatype, SH.pattern, SH.node},
    _At.PATIENT: _CLOSES | {SH.nodeKind, SH.node},
    _At.VALUE: _LISTS | _NESTED | _OF_VALUES | {SH.property},
    _At.NUMBER: _LISTS | _NESTED | (_OF_VALUES - _TEXTS),
    _At.CASE: _LISTS | _NESTED | {SH.property},
    _At.FINDINGS: set(),
    _At.COUNTED: _OF_FINDING,
    _At.CONTRADICTING: _OF_FINDING,
}
# The classes of nodes of which each key is a piece. Products are one key of the request: all of them are a piece.
_SHARED = (CASE.Case, CASE.Coverage, CASE.Request)
_FROM_SHARED = {
    **{CASE.request: _At.SHARED, CASE.coverage: _At.SHARED, CASE.product: _At.WHOLE, CASE.finding: _At.WHOLE},
    **{CASE.patient: _At.PATIENT, CASE.serviceDate: _At.DAY},
}


def faults(kb: Repository) -> tuple[Fault, ...]:
    """What keeps the cases of a knowledge base from being decided by their pieces; nothing where they can be."""
    if kb not in _FOUND:
        _FOUND[kb] = tuple(_faults(kb))
    return _FOUND[kb]


# The shapes of a knowledge base are read once, so they are walked through once.
_FOUND: WeakKeyDictionary[Repository, tuple[Fault, ...]] = WeakKeyDictionary()


def _faults(kb: Repository) -> dict[Fault, None]:
    walk = _Walk(kb)
    walk.case_shapes()
    walk.conditions()
    found = [*walk.faults, *_of_reads(kb), *_of_rules(kb)]
    return dict.fromkeys(found)


def _of_reads(kb: Repository) -> Iterator[Fault]:
    """Conditions that read what no piece states, or findings that another reads together with other facts.

    What is stated apart from findings may be read in several ways: each condition is shown what it reads of it.
    """
    forms = CaseForms(kb).forms
    stated = {key.path for name in ("Case", "Request", "Product") for key in forms[name].keys.values()} - _ALWAYS_STATED
    classes = set(Vocabulary(kb).classes)
    readable = stated - set(read_as(kb)) | set(product_kinds(kb.ontology)) | classes
    reads = {
        condition: frozenset(kb.conditions.objects(condition, POL.reads))
        for condition in sorted(kb.conditions.subjects(RDF.type, POL.Condition), key=str)
    }
    for condition, read in reads.items():
        for unreadable in sorted(read - readable, key=str):
            yield kb.curie(str(condition)), f"reads {kb.curie(str(unreadable))}, which is no piece of a case"
    kinds: dict[frozenset[Node], Node] = {}
    for condition, kind in reads.items():
        kinds.setdefault(kind, condition)
    for kind, other_kind in combinations(kinds, 2):
        for both in sorted(kind & other_kind & classes, key=str):
            yield (
                kb.curie(str(kinds[kind])),
                f"reads {kb.curie(str(both))} as {kb.curie(str(kinds[other_kind]))} does, "
                "and the two do not read the same facts",
            )


def _of_rules(kb: Repository) -> Iterator[Fault]:
    """Rules that `standing` does not follow."""
    if digest_of_rules(kb) != RULES:
        yield DERIVATION, "its rules are not those that are followed without SPARQL"
    numbers = StandIns(kb).properties
    for class_, flags in Vocabulary(kb).classes.items():
        if flags.key in numbers:
            yield kb.curie(str(class_)), f"tells findings apart by {kb.curie(str(flags.key))}, which is a number"


class _Walk:
    """A walk through shapes.

    Attributes:
        faults: what was found.
    """

    def __init__(self, kb: Repository) -> None:
        self.kb = kb
        self.faults: list[Fault] = []
        self._numbers = StandIns(kb).properties
        self._day = CaseForms(kb).forms["Request"].keys["serviceDate"].pattern
        self._shapes = graph_of(())
        self._seen: set[tuple[Node, _At]] = set()

    def case_shapes(self) -> None:
        """Walks through the shapes of cases, from their targets on."""
        self._shapes = self.kb.submission_shapes
        wholes = [CASE.Product, *product_kinds(self.kb.ontology), *Vocabulary(self.kb).classes]
        holders: dict[Node, _At] = dict.fromkeys(wholes, _At.WHOLE)
        holders.update(dict.fromkeys(_SHARED, _At.SHARED))
        for predicate in sorted(_TARGETS):
            for shape, target in sorted(self._shapes.subject_objects(predicate)):
                if predicate == SH.targetSubjectsOf and target in DERIVED_LINKS | DERIVED_OF_FINDINGS:
                    continue  # Nothing that is derived can be stated in plain JSON.
                if predicate == SH.targetClass and target in holders:
                    self._look(shape, holders[target])
                else:
                    self._report(shape, f"has the target {self._name(predicate)} {self._name(target)}")
        self._classes()

    def conditions(self) -> None:
        """Walks through the shapes of conditions."""
        self._shapes = self.kb.evaluated
        for predicate in sorted(_TARGETS):
            for shape, target in sorted(self._shapes.subject_objects(predicate)):
                self._report(shape, f"has the target {self._name(predicate)} {self._name(target)}")
        self._classes()
        for predicate in (POL.holdsWhen, POL.failsWhen):
            for shape in sorted(self._shapes.objects(None, predicate), key=str):
                for node, fault in faults_of_form(self._shapes, shape):
                    self._report(node, fault)
                self._look(shape, _At.CASE)

    def _classes(self) -> None:
        for class_ in _CLASSES:
            for shape in sorted(self._shapes.subjects(RDF.type, class_), key=str):
                # A class that says nothing as a shape is none, only in the wrong file.
                if any(str(term).startswith(str(SH)) for said in self._shapes[shape::] for term in said):
                    self._report(shape, "is a class, and so has a target")

    def _look(self, shape: Node, at: _At) -> None:
        """Walks through a shape that is held against something."""
        if (shape, at) in self._seen:
            return
        self._seen.add((shape, at))
        path = self._shapes.value(shape, SH.path)
        routes = [] if path is None else self._routes_of(shape, path)
        places = [at] if path is None else [self._after(shape, route, at) for route in routes]
        held = {place for place in places if place is not None}
        # Of several values that a stand-in or a look can take the place of, only that there is one can be told.
        is_merged = len(routes) > 1 and _At.NUMBER in held
        is_merged = is_merged or any(route[0] == CASE.contradictedBy for route in routes)
        for predicate, object_ in sorted(self._shapes.predicate_objects(shape), key=str):
            if predicate in _PASSIVE | _TARGETS:
                continue
            if predicate == RDF.type:
                self._type(shape, object_)
            elif predicate in _COUNTS and path is not None:
                self._count(shape, predicate, object_, at, routes, is_merged)
                if predicate == SH.qualifiedValueShape:
                    for place in held:
                        self._look(object_, _At.COUNTED if place is _At.FINDINGS else place)
            elif predicate in _COMPARES and path is not None:
                self._comparison(shape, predicate, object_, at, path)
            elif predicate == SH.hasValue and at is _At.SHARED:
                self._report(shape, "asks for what may be left out (sh:hasValue)")
            else:
                for place in sorted(held, key=str):
                    self._constraint(shape, predicate, object_, place)

    def _type(self, shape: Node, type_: Node) -> None:
        if type_ not in (SH.NodeShape, SH.PropertyShape, *_CLASSES):
            self._report(shape, f"is a {self._name(type_)}")

    def _constraint(self, shape: Node, predicate: Node, object_: Node, at: _At) -> None:
        """One constraint on what a shape is held against."""
        if predicate not in _ALLOWED[at]:
            self._report(shape, f"uses {self._name(predicate)} on {at.value}")
        elif predicate in _LISTS:
            for member in Collection(self._shapes, object_):
                self._look(member, at)
        elif predicate in _NESTED or predicate == SH.property:
            self._look(object_, at)
        elif predicate == SH.pattern and at is _At.DAY and str(object_) != self._day:
            self._report(shape, "has another pattern of days than that by which days are read")
        elif predicate == SH.pattern and at is _At.NUMBER and str(object_) != NUMBERS:
            self._report(shape, "looks at how a number is written (sh:pattern)")

    def _count(
        self, shape: Node, predicate: Node, object_: Node, at: _At, routes: list[tuple[URIRef, ...]], is_merged: bool
    ) -> None:
        """A shape that counts the values of its path."""
        if predicate == SH.qualifiedValueShape:
            if at is _At.SHARED and routes != [(CASE.product,)]:
                self._report(shape, "counts the values of several pieces (sh:qualifiedValueShape)")
            return
        least = predicate in _LEAST
        if at is _At.SHARED:
            if (CASE.finding,) in routes:
                self._report(shape, f"counts findings ({self._name(predicate)})")
            elif len(routes) > 1:
                self._report(shape, f"counts the values of several pieces ({self._name(predicate)})")
            elif least and int(str(object_)) > 0 and not {(step,) for step in _ALWAYS_STATED}.issuperset(routes):
                self._report(shape, f"asks for what may be left out ({self._name(predicate)})")
        elif is_merged and int(str(object_)) not in ((0, 1) if least else (0,)):
            self._report(shape, f"counts what pieces do not tell apart ({self._name(predicate)} {object_})")

    def _comparison(self, shape: Node, predicate: Node, object_: Node, at: _At, path: Node) -> None:
        """A shape that compares two properties: of one finding or product, and no day."""
        within = at in (_At.WHOLE, _At.COUNTED, _At.CONTRADICTING) and isinstance(path, URIRef)
        if not within or CASE.date in (path, object_) or {path, object_} & _LINKS:
            self._report(shape, f"compares what is not of one piece ({self._name(predicate)})")

    # ------------------------------------------------------------------ paths

    def _after(self, shape: Node, route: tuple[URIRef, ...], at: _At) -> _At | None:
        """What a way of single steps leads to; None, with a report, where it leads beyond a piece."""
        found = self._place(route, at)
        if found is None:
            self._report(shape, f"looks along {' / '.join(map(self._name, route))} from {at.value}")
        return found

    def _place(self, route: tuple[URIRef, ...], at: _At) -> _At | None:
        steps = list(route)
        while at is not _At.SHARED and steps and steps[-1] == SKOS.broader:
            steps.pop()  # What is broader is of the vocabulary.
        found: _At | None = None
        match at, steps:
            case _At.SHARED, [step] if step not in DERIVED_LINKS:
                found = _FROM_SHARED.get(step, _At.VALUE)
            case _At.VALUE, []:
                found = _At.VALUE
            case _At.CASE, [CASE.currentFinding]:
                found = _At.FINDINGS
            case _At.CASE, [_, *_] if not set(steps) & (_FINDINGS | DERIVED_OF_FINDINGS):
                found = _At.NUMBER if steps[-1] in self._numbers else _At.VALUE
            case _At.COUNTED, [CASE.contradictedBy]:
                found = _At.CONTRADICTING
            case _At.COUNTED, [CASE.contradictedBy, *others]:
                found = self._place(tuple(others), _At.CONTRADICTING)
            case ((_At.WHOLE | _At.COUNTED | _At.CONTRADICTING), [step]) if step not in _LINKS | {CASE.date}:
                found = _At.NUMBER if step in self._numbers else _At.VALUE
            case _At.WHOLE, [CASE.date]:
                found = _At.DAY
        return found

    def _routes_of(self, shape: Node, path: Node) -> list[tuple[URIRef, ...]]:
        """Every way along a path, as single steps; any number of steps along skos:broader is one."""
        try:
            return list(routes(self._shapes, path))
        except CannotFollow as found:
            self._report(shape, f"follows {self._name(found.kind)} of {self._name(found.inner)}")
            return []

    # ------------------------------------------------------------------ words

    def _name(self, node: Node) -> str:
        return "an unnamed node" if isinstance(node, BNode) else self.kb.curie(str(node))

    def _report(self, shape: Node, what: str) -> None:
        self.faults.append((self._name(self._owner(shape)), what))

    def _owner(self, node: Node) -> Node:
        """The named shape that a node without a name stands in."""
        while isinstance(node, BNode):
            owners: Iterable[Node] = self._shapes.subjects(None, node)
            owner = next(iter(owners), None)
            if owner is None:
                break
            node = owner
        return node
