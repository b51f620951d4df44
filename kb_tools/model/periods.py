"""Which findings start a new period, and since which period those of a class count, as the vocabularies say.

An allogeneic transplant starts one, and an autologous one does not; whether one of unstated source does is open. What
was found before a period began does not count in it (docs: design, section 3.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rdflib import Graph, URIRef
from rdflib.namespace import RDF, SKOS
from rdflib.term import Node

from kb_tools.rdf.namespaces import CASE


@dataclass(frozen=True)
class Starts:
    """How findings of a class start a new period.

    Attributes:
        by: the property whose value says it.
        surely: the values with which a finding starts one, narrower ones included.
        never: those with which it starts none. With any other value, or with none, it may start one.
    """

    by: URIRef
    surely: frozenset[Node]
    never: frozenset[Node]

    @property
    def may(self) -> bool:
        """Whether it can be open if a finding of the class starts a period: not where each does."""
        return self.by != RDF.type

    def does(self, values: Iterable[Node | None]) -> bool | None:
        """Whether a finding with these values of the property, None for none, starts a period; None: that is open."""
        stated = set(values)
        if stated & self.surely:
            return True
        return False if stated & self.never else None


def starts(ontology: Graph, class_: Node | None) -> Starts | None:
    """How findings of a class start a new period; None where they start none."""
    by = ontology.value(class_, CASE.startsPeriodBy)
    if not isinstance(by, URIRef):
        return None
    return Starts(
        by, _under(ontology, class_, CASE.startsPeriodWith), _under(ontology, class_, CASE.startsNoPeriodWith)
    )


def _under(ontology: Graph, class_: Node | None, property_: URIRef) -> frozenset[Node]:
    groups = ontology.objects(class_, property_)
    below = (ontology.transitive_subjects(SKOS.broader, group) for group in groups)
    return frozenset(concept for found in below for concept in found if concept is not None)


def counts_since(ontology: Graph, class_: Node | None) -> frozenset[Node]:
    """The classes whose findings start the periods since which those of a class count."""
    return frozenset(ontology.objects(class_, CASE.countsSince))
