"""What each condition reads of a case, and the value that SHACL gives it.

A condition reads one kind of fact (pol:reads): findings of a class, a kind of product, or a property of the request,
its cells or the coverage. Its shapes are held against just these facts, on a node made for them. So facts that are
alike, in whichever cases they stand, are evaluated once, and the facts that made a value are known. That no condition
reads more than it says is a conformance check; that the values are those of the whole case is a test.

Findings that perhaps count are read too: each shape is held in both of its forms (kb_tools.model.certainty).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeAlias, TypeVar

from rdflib import Graph, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.case import DERIVED_LINKS, Case
from kb_tools.determine.ages_seen import Age, AgesSeen
from kb_tools.determine.looks import Counted, Looks, counted_by
from kb_tools.memory import Memory
from kb_tools.model.certainty import Form, in_form, value_of
from kb_tools.model.concepts import concept_facts
from kb_tools.model.logic import Value
from kb_tools.model.products import read_as
from kb_tools.model.repository import Repository
from kb_tools.model.statements import Condition
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, CLIN, SH
from kb_tools.rdf.terms import Triple, graph_of

# What a finding says, as its shapes see it; the findings it contradicts are given by what they say.
Content: TypeAlias = tuple[tuple[URIRef, Node], ...]
# A finding: how it counts, what it says, and what those say that contradict it. Other facts by the path to them.
Shown: TypeAlias = tuple[URIRef, Content, tuple[Content, ...]]
Statement: TypeAlias = tuple[tuple[URIRef, ...], URIRef, Node]
Signature: TypeAlias = tuple[tuple[Shown, ...], tuple[Statement, ...]]

# What conditions of one kind, by their IRIs, read of a case.
_Asked: TypeAlias = tuple[tuple[str, ...], Signature]

T = TypeVar("T")

_TYPE = RDF.type

# Signatures of which the values are kept, in one generation.
ROOM = 50_000

# How a finding counts: surely, or perhaps.
COUNTING = (CASE.currentFinding, CASE.perhapsFinding)


@dataclass(frozen=True, eq=False)
class Facts:
    """What a condition reads of one case; equal to itself alone, so that no comparison looks through it.

    Attributes:
        findings: findings that count or perhaps count, by node.
        statements: other facts: the node that states them, the property, the value.
        signature: what the shapes can see of them; equal signatures have equal values.
    """

    findings: tuple[URIRef, ...]
    statements: tuple[tuple[URIRef, URIRef, Node], ...]
    signature: Signature


@dataclass(frozen=True)
class Evidence:
    """What a condition comes to on one case.

    Attributes:
        value: the value that it has whichever of the findings that perhaps count are taken to count.
        perhaps: the value that it would have if all that may speak for it and against it did; where it differs from
            `value`, a doubt keeps the condition unknown.
        facts: what it read.
    """

    value: Value
    perhaps: Value
    facts: Facts


class Known:
    """What is known of evidence met before: for any number of evaluators with one engine, of one knowledge base.

    Attributes:
        values: the values of conditions of a kind on what they read.
        looks: what is so of findings, so that one can stand for another; None where only what is stated alike does.
    """

    def __init__(self, looks: Looks | None = None) -> None:
        self.values: Memory[_Asked, dict[str, tuple[Value, Value]]] = Memory(ROOM)
        self.looks = looks


class Evaluator:
    """Gives conditions their values, evaluating each kind of evidence once."""

    def __init__(
        self, kb: Repository, conditions: Iterable[Condition], engine: str, known: Known | None = None
    ) -> None:
        self.engine = engine
        self.conditions = tuple(conditions)
        self._concepts = list(concept_facts(kb.ontology))
        self._shapes = kb.evaluated
        self._seen = visible(self._shapes)
        self._read_as = read_as(kb)
        self._known = known or Known()
        self.by_kind: dict[frozenset[str], list[Condition]] = {}
        for condition in self.conditions:
            self.by_kind.setdefault(condition.reads, []).append(condition)
        self.ages = {kind: AgesSeen(self._shapes, conditions) for kind, conditions in self.by_kind.items()}
        self._of_kind: dict[frozenset[str], Graph] = {}
        self._iris = {kind: tuple(one.iri for one in conditions) for kind, conditions in self.by_kind.items()}

    @property
    def looks_at_ages(self) -> bool:
        """Whether a condition looks at how long before the service date a finding lies."""
        return any(ages.properties for ages in self.ages.values())

    def evaluate(self, cases: Sequence[Case]) -> list[dict[str, Evidence]]:
        """What every condition comes to on every case; one engine call for all of them."""
        read = [self._read(case) for case in cases]
        asked = [[(kind, facts.signature) for kind, facts in by_kind.items()] for by_kind in read]
        if self._known.looks:
            asked = self._standing_for(asked, self._known.looks)
        known = self.values(chain.from_iterable(asked))
        return [
            {
                iri: Evidence(*values, facts)
                for one, facts in zip(of_case, by_kind.values(), strict=True)
                for iri, values in known[one].items()
            }
            for of_case, by_kind in zip(asked, read, strict=True)
        ]

    def _standing_for(
        self, asked: Sequence[Sequence[tuple[frozenset[str], Signature]]], looks: Looks
    ) -> list[list[tuple[frozenset[str], Signature]]]:
        """The same with each finding replaced by one of which the same is so."""
        counted = self.counted
        alike = looks.alike(
            (counted[kind], (content, contradicting))
            for of_case in asked
            for kind, (shown, _) in of_case
            for _, content, contradicting in shown
        )
        return [
            [
                (
                    kind,
                    (
                        _ordered(
                            {
                                (counting, *alike[counted[kind], (content, contradicting)])
                                for counting, content, contradicting in shown
                            }
                        ),
                        stated,
                    ),
                )
                for kind, (shown, stated) in of_case
            ]
            for of_case in asked
        ]

    @cached_property
    def counted(self) -> dict[frozenset[str], Counted]:
        """The shapes by which the conditions of each kind count findings."""
        return {kind: counted_by(self._shapes, conditions) for kind, conditions in self.by_kind.items()}

    def values(
        self, asked: Iterable[tuple[frozenset[str], Signature]]
    ) -> dict[tuple[frozenset[str], Signature], dict[str, tuple[Value, Value]]]:
        """The values of the conditions of a kind on what they read, by what was asked; one engine call for all new.

        Args:
            asked: what conditions read (pol:reads), and what their shapes can see of it.

        Returns:
            Of each condition of the kind the value, and the value that it perhaps has.
        """
        found: dict[tuple[frozenset[str], Signature], dict[str, tuple[Value, Value]]] = {}
        new: dict[tuple[frozenset[str], Signature], None] = {}
        for one in asked:
            known = self._known.values.get((self._iris[one[0]], one[1]))
            if known is None:
                new[one] = None
            else:
                found[one] = known
        return found | (self._learn(list(new)) if new else {})

    # ------------------------------------------------------------------ reading a case

    def _read(self, case: Case) -> dict[frozenset[str], Facts]:
        """What the conditions of each kind read of a case."""
        by_class: dict[str, dict[URIRef, URIRef]] = {}
        for counting in COUNTING:
            for node in case.values(case.node, counting):
                assert isinstance(node, URIRef)
                by_class.setdefault(str(finding_class(case, node)), {})[node] = counting
        stated = list(statements(case, case.node))
        return {kind: self._facts(case, kind, by_class, stated) for kind in self.by_kind}

    def read_as(self, statement: Statement) -> str:
        """What a condition has to read to see a statement: its property, or the kind of product that it is of."""
        return str(self._read_as.get(statement[1], statement[1]))

    def _facts(
        self,
        case: Case,
        kind: frozenset[str],
        by_class: Mapping[str, Mapping[URIRef, URIRef]],
        stated: Iterable[tuple[URIRef, Statement]],
    ) -> Facts:
        findings = {node: counting for class_ in kind for node, counting in by_class.get(class_, {}).items()}
        mine = [(node, statement) for node, statement in stated if self.read_as(statement) in kind]
        ages = self.ages[kind]
        shown = [
            (
                counting,
                self._content(case, node, ages),
                _ordered({self._content(case, other, ages) for other in case.values(node, CASE.contradictedBy)}),
            )
            for node, counting in findings.items()
        ]
        return Facts(
            tuple(sorted(findings)),
            tuple((node, predicate, value) for node, (_, predicate, value) in mine),
            (_ordered(shown), _ordered(statement for _, statement in mine)),
        )

    def _content(self, case: Case, node: Node, ages: AgesSeen) -> Content:
        assert isinstance(node, URIRef)
        about = case.about[node]
        day = case.value(node, CASE.date) if ages.properties else None
        if day is not None:
            service = case.value(case.value(case.node, CASE.request), CASE.serviceDate)
            about = [*about, *ages.of(str(day), str(service))]
        return content_of(about, self._seen)

    # ------------------------------------------------------------------ asking SHACL

    def _learn(
        self, new: Sequence[tuple[frozenset[str], Signature]]
    ) -> dict[tuple[frozenset[str], Signature], dict[str, tuple[Value, Value]]]:
        """Evaluates evidence not met before, all of it in one call of the engine."""
        data = graph_of(self._concepts)
        for number, (kind, signature) in enumerate(new):
            for triple in _evidence_graph(f"urn:kb:evidence:{number}", self._targets[kind], signature):
                data.add(triple)
        # A copy: pySHACL adds to the shapes that it is given.
        shapes = graph_of(chain.from_iterable(self._wrapped(kind) for kind in {kind for kind, _ in new}))
        refused = {(result.focus, result.shape) for result in shacl.validate(data, shapes, self.engine)}
        found = {}
        for number, (kind, signature) in enumerate(new):
            # Where nothing is in doubt, what conforms perhaps conforms surely.
            forms = list(Form) if _is_doubtful(signature) else [Form.SURELY] * 2
            values = {
                condition.iri: value_of(
                    *(
                        (f"urn:kb:evidence:{number}", str(_wrapper(shape, form))) not in refused
                        for form in forms
                        for shape in (condition.holds_when, condition.fails_when)
                    )
                )
                for condition in self.by_kind[kind]
            }
            found[kind, signature] = self._known.values.put((self._iris[kind], signature), values)
        return found

    @cached_property
    def _targets(self) -> dict[frozenset[str], URIRef]:
        """The class of the nodes made for what the conditions of each kind read."""
        return {kind: URIRef(f"urn:kb:kind:{number}") for number, kind in enumerate(self.by_kind)}

    def _wrapped(self, kind: frozenset[str]) -> Graph:
        """The shapes of the conditions of a kind in both forms, each held against the nodes of the kind."""
        if kind not in self._of_kind:
            shapes = self._of_kind[kind] = graph_of(())
            for shape in {
                condition_shape
                for condition in self.by_kind[kind]
                for condition_shape in (condition.holds_when, condition.fails_when)
            }:
                for form, target in (
                    (Form.SURELY, self._targets[kind]),
                    (Form.PERHAPS, _doubtful(self._targets[kind])),
                ):
                    wrapper = _wrapper(shape, form)
                    shapes.add((wrapper, RDF.type, SH.NodeShape))
                    shapes.add((wrapper, SH.targetClass, target))
                    shapes.add((wrapper, SH.node, in_form(self._shapes, URIRef(shape), form, shapes)))
        return self._of_kind[kind]


def _wrapper(shape: str, form: Form) -> URIRef:
    """The name of the shape whose results tell which nodes do not conform to a shape in one form."""
    return URIRef(f"{shape}?{form.value}")


def _doubtful(kind: URIRef) -> URIRef:
    """The class of those nodes of a kind of which something is in doubt."""
    return URIRef(f"{kind}:doubtful")


def _is_doubtful(signature: Signature) -> bool:
    return any(counting == CASE.perhapsFinding for counting, _, _ in signature[0])


_FINDING_LINKS = {CASE.finding, *DERIVED_LINKS}


def statements(case: Case, node: URIRef, path: tuple[URIRef, ...] = ()) -> Iterator[tuple[URIRef, Statement]]:
    """What a case states apart from its findings: the node that states it, and the path, property and value."""
    for predicate, object_ in case.about.get(node, ()):
        if not isinstance(object_, URIRef) or object_ not in case.about:
            yield node, (path, predicate, object_)
        elif predicate not in _FINDING_LINKS:
            yield from statements(case, object_, (*path, predicate))


def finding_class(case: Case, node: URIRef) -> Node | None:
    """The class that a finding speaks of: its own, or for a stated absence the class that was absent."""
    own = case.value(node, _TYPE)
    return case.value(node, CLIN.absenceOf) if own == CLIN.StatedAbsence else own


def _evidence_graph(focus: str, target: URIRef, signature: Signature) -> Iterable[Triple]:
    """The facts of a signature on a node made for them."""
    findings, statements = signature
    root = URIRef(focus)
    yield root, RDF.type, target
    if _is_doubtful(signature):
        yield root, RDF.type, _doubtful(target)
    for number, (counting, content, contradicting) in enumerate(findings):
        node = URIRef(f"{focus}:{number}")
        yield root, counting, node
        yield from _content_triples(node, content)
        for other_number, other in enumerate(contradicting):
            other_node = URIRef(f"{focus}:{number}:{other_number}")
            yield node, CASE.contradictedBy, other_node
            yield from _content_triples(other_node, other)
    for path, predicate, value in statements:
        node = root
        for step in path:
            following = URIRef(f"{node}/{step.rpartition('#')[2]}")
            yield node, step, following
            node = following
        yield node, predicate, value


def _content_triples(node: URIRef, content: Content) -> Iterable[Triple]:
    return ((node, predicate, value) for predicate, value in content)


def visible(conditions: Graph) -> set[Node]:
    """The properties of a finding that the shapes of conditions look at."""
    return {RDF.type, *predicates_in_paths(conditions)} - {CASE.contradictedBy}


def content_of(pairs: Iterable[tuple[URIRef, Node]], properties: Collection[Node]) -> Content:
    """What is said of a finding by these properties."""
    return _ordered(pair for pair in pairs if pair[0] in properties)


def at_age(content: Content, age: Age) -> Content:
    """What is said of a finding, and how old it is."""
    return _ordered((*content, *age)) if age else content


def _ordered(items: Iterable[T]) -> tuple[T, ...]:
    """The items in an order that depends on nothing but themselves."""
    return tuple(sorted(items, key=repr))


def predicates_in_paths(shapes: Graph) -> set[Node]:
    """Every property that a path of the shapes goes through."""
    found: set[Node] = set()
    waiting: list[Node] = list(shapes.objects(None, SH.path))
    while waiting:
        node = waiting.pop()
        if isinstance(node, URIRef):
            found.add(node)
            continue
        waiting.extend(object_ for _, object_ in shapes.predicate_objects(node))
    return found
