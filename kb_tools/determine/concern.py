"""Which of the facts that a condition reads bear on it: findings within its window, and of what its shapes ask for.

Conditions of one kind read the same findings. One whose shapes count only findings of some term of their key
(case:keyProperty), as of one comorbidity among several, says nothing of the others, so answers leave these out. A kind
of product is read as a whole too, as a drug with its dose, and of it bears what the shapes look at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from rdflib import Graph, URIRef
from rdflib.collection import Collection
from rdflib.namespace import SKOS
from rdflib.term import Node

from kb_tools.cases.ages import lies_within
from kb_tools.model.certainty import counted_shapes
from kb_tools.model.products import product_kinds, read_as
from kb_tools.model.repository import Repository
from kb_tools.model.statements import Condition
from kb_tools.model.windows import Window
from kb_tools.rdf.namespaces import CASE, CLIN, SH


@dataclass(frozen=True)
class Concern:
    """What a fact must be like to bear on a condition.

    Attributes:
        window: how old it may be; None for any age.
        key: the property by which findings of its class count apart; None where those of all terms bear on it.
        asked: the terms of the key that the shapes ask for.
        terms: these, with those that are narrower and broader.
        properties: of a condition that reads a kind of product, what it looks at of all that is no finding; else empty.
    """

    window: Window | None = None
    key: URIRef | None = None
    asked: tuple[str, ...] = ()
    terms: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()

    @property
    def is_any(self) -> bool:
        """Whether all findings that the condition reads bear on it."""
        return self.window is None and self.key is None

    def bears(self, day: date, service: date, of: str) -> bool:
        """Whether a finding bears on the condition.

        Args:
            day: its date, not after that of the service.
            of: the term of its key; "" where it states none.
        """
        return (self.window is None or lies_within(self.window, day, service)) and self.is_of(of)

    def looks_at(self, property_: str) -> bool:
        """Whether what a property states, other than of a finding, bears on the condition."""
        return not self.properties or property_ in self.properties

    def is_of(self, term: str) -> bool:
        """Whether findings of a term of the key may bear on the condition; "" for none."""
        return self.key is None or not term or term in self.terms


# Of all that a condition reads.
ANY = Concern()


def concern_of(kb: Repository, condition: Condition) -> Concern:
    """What a fact must be like to bear on a condition."""
    kinds = condition.reads & set(map(str, product_kinds(kb.ontology)))
    if kinds:
        looked_at = {str(property_) for property_ in _looked_at(kb, condition)}
        return Concern(condition.within, properties=frozenset(looked_at | condition.reads - kinds))
    counted = [
        shape
        for side in (condition.holds_when, condition.fails_when)
        for shape in counted_shapes(kb.conditions, URIRef(side))
    ]
    asked: dict[URIRef, set[Node]] = {}
    for shape in counted:
        class_ = kb.conditions.value(shape, SH["class"])
        if class_ == CLIN.StatedAbsence:
            continue
        key = kb.ontology.value(class_, CASE.keyProperty)
        terms = _terms(kb.conditions, shape, key) if isinstance(key, URIRef) else None
        if not terms or not isinstance(key, URIRef):
            return Concern(condition.within)
        asked.setdefault(key, set()).update(terms)
    if len(asked) != 1:
        return Concern(condition.within)
    ((key, terms),) = asked.items()
    related = frozenset(map(str, _related(kb.ontology, terms)))
    return Concern(condition.within, key, tuple(sorted(map(str, terms))), related)


def _looked_at(kb: Repository, condition: Condition) -> set[Node]:
    """The properties of products that the shapes of a condition look at."""
    of_products, found = read_as(kb), set[Node]()
    waiting: list[Node] = [URIRef(condition.holds_when), URIRef(condition.fails_when)]
    seen = set(waiting)
    while waiting:
        for object_ in set(kb.conditions.objects(waiting.pop())) - seen:
            seen.add(object_)
            waiting.append(object_)
            if object_ in of_products:
                found.add(object_)
    return found


def _terms(shapes: Graph, counted: Node, key: URIRef) -> set[Node]:
    """The terms of a key that a shape asks for; none where it leaves that open."""
    found: set[Node] = set()
    for property_ in shapes.objects(counted, SH.property):
        if shapes.value(property_, SH.path) == key:
            found.update(shapes.objects(property_, SH.hasValue))
            found.update(term for listed in shapes.objects(property_, SH["in"]) for term in Collection(shapes, listed))
    return found


def _related(ontology: Graph, terms: Iterable[Node]) -> set[Node]:
    """Terms, with all that are narrower and all that are broader."""
    found: set[Node] = set()
    for term in terms:
        found.update(node for node in ontology.transitive_subjects(SKOS.broader, term) if node is not None)
        found.update(node for node in ontology.transitive_objects(term, SKOS.broader) if node is not None)
    return found
