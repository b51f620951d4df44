"""What is read from FHIR resources: findings, statements of the request and the plan, and doubts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import count

from rdflib import BNode, URIRef
from rdflib.term import Node

from kb_tools.cases.fhir.resource import Resource

# How many reasons for a doubt a case and a record state.
_REASONS = 3
# A class of findings, and what of one is stated.
Template = tuple[URIRef, dict[URIRef, Node]]


# Numbers nodes: rdflib's own way of naming them apart takes longer than all else about a finding.
_numbers = count(1)


def new_node() -> BNode:
    """A node that no other case of this run has."""
    return BNode(f"fhir{next(_numbers)}")


@dataclass(frozen=True)
class Statement:
    """Where a part of the case is stated, and what a record says of that; "" where the whole resource is noted."""

    resource: Resource
    text: str = ""
    elements: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Finding:
    """A finding of the case: its class, day and values, the resource it is from, and what the record says of it.

    Attributes:
        text: what the record says of it; "" where no record is kept.
        sources: all resources that state it, the one that it is from first.
        doubts: why it may not count.
    """

    node: BNode
    kind: Node
    day: date
    values: Mapping[URIRef, Node]
    resource: Resource
    text: str
    sources: list[Resource]
    doubts: list[str] = field(default_factory=list)

    @property
    def in_doubt(self) -> str:
        """Why it is in doubt, as one text: the first reasons, and how many more there are."""
        more = len(self.doubts) - _REASONS
        return "; ".join(self.doubts[:_REASONS]) + (f"; and {more} more" if more > 0 else "")

    @property
    def place(self) -> str:
        return self.resource.place


@dataclass(frozen=True)
class Doubt:
    """What a resource may state of a class of findings, though no fact could be made of it.

    Attributes:
        days: the first and the last day that it may be of; None where that is not known.
        key: what it is of, where findings of the class are told apart by that: a method, a lineage; None where it is
            not known, the class itself where it states none.
        values: what it states if it is so, as far as its codes say that.
        unless_stated: whether there is no doubt where the resource, or one that it groups, states a finding of the
            class.
        by_text: whether only a text mentions it.
    """

    resource: Resource
    kind: Node
    days: tuple[date, date] | None
    key: Node | None = None
    values: Mapping[URIRef, frozenset[Node]] = field(default_factory=dict)
    unless_stated: bool = False
    by_text: bool = False

    @property
    def why(self) -> str:
        """Why it puts findings in doubt, for people."""
        if self.by_text:
            return f"{self.resource.place} mentions it in a text, and its codes are unknown"
        return f"{self.resource.place} may state another finding, but could not be read as one"
