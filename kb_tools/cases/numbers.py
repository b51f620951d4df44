"""Numbers that stand for others: which number it is, shapes cannot tell, but on which side of their limits it lies."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cached_property
from itertools import pairwise
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.form import CaseForms, Key
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import SH

# The numbers that are replaced: without a sign or an exponent, and of a size that every engine reads alike.
_PLAIN = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,9})?")
_LIMITS = (SH.minInclusive, SH.maxInclusive, SH.minExclusive, SH.maxExclusive, SH.hasValue, RDF.first)
# The last decimal place of a stand-in: engines compute with 18 places, and none that is written here is near that.
_LAST_PLACE = Decimal(1).scaleb(-14)


class StandIns:
    """Gives findings and products stand-ins for their numbers: equal limits, equal order, the same to all shapes."""

    def __init__(self, kb: Repository) -> None:
        self._kb = kb

    @cached_property
    def _limits(self) -> list[Decimal]:
        """Every number that the case shapes and the conditions name, in order; and 0, below which none is replaced."""
        shapes = self._kb.case_shapes + self._kb.conditions
        found = {value for predicate in _LIMITS for value in shapes.objects(None, predicate)}
        numbers = (_number(value) for value in found if isinstance(value, Literal))
        return sorted({Decimal(0), *(number for number in numbers if number is not None)})

    @cached_property
    def _keys(self) -> Mapping[str, URIRef]:
        """The keys of findings and products whose values are decimal numbers, each with its property."""
        keys: dict[str, list[Key]] = {}
        for form in CaseForms(self._kb).forms.values():
            for key in form.keys.values():
                keys.setdefault(key.name, []).append(key)
        return {
            name: of_name[0].path
            for name, of_name in keys.items()
            if all(key.datatype == XSD.decimal and key.path == of_name[0].path for key in of_name)
        }

    @cached_property
    def properties(self) -> frozenset[URIRef]:
        """The properties of findings and products whose numbers are replaced."""
        return frozenset(self._keys.values())

    def of(self, items: Any) -> Any:
        """The keys and values of a finding or product, each number replaced; as they are if one is not plain."""
        exact = self._replaced(items)
        if not exact:
            return items
        standing = self._standing(sorted(set(exact.values())))
        return tuple((key, (standing[exact[key]],) if key in exact else value) for key, value in items)

    def exact(self, items: Any) -> dict[URIRef, Decimal]:
        """The numbers that a finding states in fact, where they are replaced."""
        return {self._keys[key]: number for key, number in self._replaced(items).items()}

    def in_statements(self, said: frozenset[tuple[URIRef, Node]]) -> frozenset[tuple[URIRef, Node]]:
        """What a finding states, each number replaced; as it is where a number of it is not plain."""
        stated = [(property_, value) for property_, value in said if property_ in self.properties]
        exact: dict[URIRef, Decimal] = {}
        for property_, value in stated:
            if not (isinstance(value, Literal) and value.datatype == XSD.decimal and _PLAIN.fullmatch(str(value))):
                return said
            exact[property_] = Decimal(str(value))
        if not stated or len(exact) != len(stated):
            return said
        standing = self._standing(sorted(set(exact.values())))
        replaced = (
            (property_, Literal(standing[number], datatype=XSD.decimal, normalize=False))
            for property_, number in exact.items()
        )
        return said.difference(stated).union(replaced)

    def _replaced(self, items: Any) -> dict[str, Decimal]:
        """The numbers that are replaced, by key: all of a finding or none, since shapes can compare them."""
        found: dict[str, Decimal] = {}
        for key, value in items:
            if key in self._keys:
                # A number with its unit is text.
                if not isinstance(value, tuple) or len(value) != 1 or not _PLAIN.fullmatch(value[0]):
                    return {}
                found[key] = Decimal(value[0])
        return found

    def _standing(self, numbers: list[Decimal]) -> dict[Decimal, str]:
        """A stand-in for each number: the number itself where it is a limit, else one in the same gap, in order."""
        limits = self._limits
        gaps: dict[int, list[Decimal]] = {}
        found: dict[Decimal, str] = {}
        for number in numbers:
            place = bisect_left(limits, number)
            if place < len(limits) and limits[place] == number:
                found[number] = f"{limits[place]:f}"
            else:
                gaps.setdefault(place, []).append(number)
        for place, within in gaps.items():
            low = limits[place - 1]
            high = limits[place] if place < len(limits) else low + 1
            between = [low + (high - low) * rank / (len(within) + 1) for rank in range(1, len(within) + 1)]
            between = [number.quantize(_LAST_PLACE, ROUND_HALF_EVEN).normalize() for number in between]
            if not all(one < other for one, other in pairwise([low, *between, high])):
                between = within  # The limits stand too close for numbers between them.
            found.update({number: f"{other:f}" for number, other in zip(within, between, strict=True)})
        return found


def _number(value: Literal) -> Decimal | None:
    """The number that a literal states; None where it states none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
