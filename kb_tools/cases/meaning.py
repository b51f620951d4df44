"""What a code can mean in a case, and what is known of a code system."""

from __future__ import annotations

from dataclasses import dataclass

from rdflib import URIRef
from rdflib.term import Node


@dataclass(frozen=True)
class Meaning:
    """What a code means.

    Attributes:
        concepts: the concepts that it names.
        kind: the class of the finding that a resource with this code states, if it states one.
        values: what that finding states, apart from date and basis.
        leaves_open: the classes of findings of which such a resource may state one, though the code does not say so.
        past: the classes of findings of which the code says that there was one, and no more.
        not_present: whether the code says that the condition is in remission, inactive or gone.
        complement: whether a number observed under the code is the rest of what the finding states.
        notes: what the code does not say.
    """

    concepts: frozenset[URIRef] = frozenset()
    kind: URIRef | None = None
    values: frozenset[tuple[URIRef, Node]] = frozenset()
    leaves_open: frozenset[Node] = frozenset()
    past: frozenset[Node] = frozenset()
    not_present: bool = False
    complement: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class System:
    """A code system.

    Attributes:
        pattern: what its codes look like; "" where they must not be named.
        namespace: that of its codes as procedure codes of a request; "" where they are none.
        includes: the URI of a system whose codes are sent under this one too, "" for none.
        of_observations: whether its codes name what is observed, so that an order of one asks for no treatment.
        classification: the property by which our diseases name codes of the system; "" for none.
    """

    name: str
    pattern: str
    namespace: str
    includes: str
    of_observations: bool
    classification: str = ""
