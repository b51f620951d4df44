"""What the shapes of conditions see of how long before the service date a finding lies."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from math import floor
from typing import TypeAlias

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.ages import AGES, ages, months_before
from kb_tools.model.statements import Condition
from kb_tools.rdf.namespaces import SH

# What shapes see of the age of a finding: properties with their values.
Age: TypeAlias = tuple[tuple[URIRef, Node], ...]
# The same as numbers alone, in the order of the properties; none where shapes see no age.
Standing: TypeAlias = tuple[int, ...]

_LIMITS = (SH.minInclusive, SH.maxInclusive, SH.minExclusive, SH.maxExclusive, SH.hasValue, RDF.first)
_NUMBERS = (XSD.integer, XSD.decimal)
# How many days before the service date a day is looked for; no window is longer than some years.
_FURTHEST = 36_500
# Days that are tried as the service date: of four years, so that months of every length, and a leap day, lie on both
# sides of each limit.
_YEARS = 4 * 365 + 1
# Pairs of dates of which it is kept what the shapes see.
ROOM = 20_000


class AgesSeen:
    """The ages of findings that the shapes of some conditions look at.

    Shapes compare an age with limits. So one age stands for all that lie between the same limits, and findings of many
    days are evaluated once.

    Attributes:
        properties: those of AGES that the shapes look at; none for most conditions.
    """

    def __init__(self, shapes: Graph, conditions: Iterable[Condition]) -> None:
        reached = _reached(shapes, conditions)
        self.properties = tuple(property_ for property_ in AGES if property_ in reached)
        named = {value for link in _LIMITS for node in reached for value in shapes.objects(node, link)}
        self._limits = sorted(
            float(str(value)) for value in named if isinstance(value, Literal) and value.datatype in _NUMBERS
        )
        self._places = tuple(place for place, property_ in enumerate(AGES) if property_ in reached)
        self._of = lru_cache(maxsize=ROOM)(self._look)

    def of(self, day: str, service: str) -> Age:
        """What the shapes see of the age of a finding; nothing where they do not look at it.

        Args:
            day, service: the date of the finding and that of the service, as YYYY-MM-DD.
        """
        return self.stated(self.standing_of(day, service))

    def standing_of(self, day: str, service: str) -> Standing:
        """The age of a finding as `of` has it, as numbers alone."""
        return self._of(day, service) if self.properties else ()

    def stated(self, standing: Standing) -> Age:
        """An age, from its numbers."""
        return tuple((property_, Literal(age)) for property_, age in zip(self.properties, standing, strict=False))

    def day_of(self, age: Age, service: date) -> date | None:
        """A day before the service on which a finding has this age, or else the service date, or else None."""
        days = sorted(self._telling(service) - {service}, reverse=True)
        return next((day for day in (*days, service) if self.stated(self.standing(day, service)) == age), None)

    def service_for(self, needed: Iterable[Age], earliest: date) -> date | None:
        """The first day, from one on, before which findings can have all of these ages; None if there is none.

        Args:
            needed: ages that one calendar has (see `calendars`).
        """
        wanted = set(needed)
        for service in (earliest + timedelta(days) for days in range(_YEARS)):
            if wanted <= {self.stated(self.standing(day, service)) for day in self._telling(service)}:
                return service
        return None

    def calendars(self) -> list[tuple[Age, ...]]:
        """The ages that findings of one case can have beside each other, the newest first, by the calendar.

        What one service date allows and another does too, with more, is given once.

        Returns:
            One for most conditions: days and months have to be looked at together for there to be more.
        """
        found: set[frozenset[tuple[int, ...]]] = set()
        for service in (date(2023, 1, 1) + timedelta(days) for days in range(_YEARS) if self.properties):
            found.add(frozenset(self.standing(day, service) for day in self._telling(service)))
        most = [sorted(ages) for ages in found if not any(ages < others for others in found)]
        return [tuple(map(self.stated, ages)) for ages in sorted(most)]

    def _telling(self, service: date) -> set[date]:
        """The service date and the days about each limit before it: of every age that the shapes see, a day."""
        days = {service}
        for limit in map(floor, self._limits if self.properties else ()):
            days |= {service - timedelta(limit)} if limit <= _FURTHEST else set()
            days |= {months_before(service, limit)} if 31 * limit <= _FURTHEST else set()
        near = {day + timedelta(more) for day in days for more in (-1, 0, 1)}
        return {day for day in near if day <= service}

    def standing(self, day: date, service: date) -> Standing:
        """The age of a finding by each of the properties: the first that lies the same way to every limit."""
        found = ages(day, service)
        return tuple([self._first(found[place]) for place in self._places])

    def _look(self, day: str, service: str) -> Standing:
        return () if day > service else self.standing(date.fromisoformat(day), date.fromisoformat(service))

    def _first(self, age: int) -> int:
        place = bisect_left(self._limits, age)
        if place < len(self._limits) and self._limits[place] == age:
            return age
        return max(0, floor(self._limits[place - 1]) + 1) if place else 0


def looks_at_ages(shapes: Graph, conditions: Iterable[Condition]) -> bool:
    """Whether the shapes of conditions look at how long before the service date a finding lies."""
    return not _reached(shapes, conditions).isdisjoint(AGES)


def _reached(shapes: Graph, conditions: Iterable[Condition]) -> set[Node]:
    """All nodes that the shapes of conditions lead to."""
    waiting: list[Node] = [
        URIRef(shape) for condition in conditions for shape in (condition.holds_when, condition.fails_when)
    ]
    seen = set(waiting)
    for node in waiting:
        if not isinstance(node, Literal):
            new = set(shapes.objects(node)) - seen
            seen |= new
            waiting.extend(new)
    return seen
