"""Numbers that stand for others: which number it is, shapes cannot tell, but on which side of their limits it lies."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import XSD

from kb_tools.cases.form import CaseForms, Key
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import SH

# The numbers that are replaced: without a sign or an exponent, and of a size that every engine reads alike.
_PLAIN = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,9})?")
_LIMITS = (SH.minInclusive, SH.maxInclusive, SH.minExclusive, SH.maxExclusive, SH.hasValue)


class StandIns:
    """Gives findings stand-ins for their numbers: equal limits, equal order, so the same in the eyes of all shapes."""

    def __init__(self, kb: Repository) -> None:
        self._kb = kb

    @cached_property
    def _limits(self) -> list[Decimal]:
        """Every number that the case shapes and the conditions name, in order."""
        shapes = self._kb.graph([self._kb.root / "shapes/case.ttl"]) + self._kb.conditions
        found = {value for predicate in _LIMITS for value in shapes.objects(None, predicate)}
        found |= set(shapes.objects(None, URIRef("http://www.w3.org/1999/02/22-rdf-syntax-ns#first")))
        return sorted(
            {Decimal(str(value)) for value in found if isinstance(value, Literal) and _PLAIN.fullmatch(str(value))}
        )

    @cached_property
    def _keys(self) -> Mapping[str, URIRef]:
        """The keys of findings whose values are decimal numbers, each with its property."""
        keys: dict[str, Key] = {}
        for form in CaseForms(self._kb).forms.values():
            keys.update(form.keys)
        return {key.name: key.path for key in keys.values() if key.datatype == XSD.decimal}

    def of(self, items: Any) -> Any:
        """The keys and values of a finding, each number that stands alone under its key replaced."""
        exact = {key: Decimal(value[0]) for key, value in items if self._is_replaced(key, value)}
        if not exact:
            return items
        standing = self._standing(sorted(set(exact.values())))
        return tuple((key, (standing[exact[key]],) if key in exact else value) for key, value in items)

    def exact(self, items: Any) -> dict[URIRef, Decimal]:
        """The numbers that a finding states in fact, where they are replaced."""
        return {self._keys[key]: Decimal(value[0]) for key, value in items if self._is_replaced(key, value)}

    def _is_replaced(self, key: str, value: Any) -> bool:
        return key in self._keys and isinstance(value, tuple) and len(value) == 1 and bool(_PLAIN.fullmatch(value[0]))

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
            low = limits[place - 1] if place else Decimal(-1)
            high = limits[place] if place < len(limits) else limits[-1] + 1 if limits else Decimal(1)
            for rank, number in enumerate(within, 1):
                found[number] = f"{low + (high - low) * rank / (len(within) + 1):f}"
        return found
