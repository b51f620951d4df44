"""One element of a FHIR resource, which remembers what of it was read."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Any, TypeAlias

from kb_tools.cases.fhir.skipped import NOT_UNDERSTOOD, Skipped
from kb_tools.cases.memo import KEPT

_FULL_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*)?")
_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")


# The system and the code of each of several codings.
Coded: TypeAlias = tuple[tuple[str, str], ...]
# Where an element stands: what it stands in, its name there, and its number in a list; None for a resource itself.
Place: TypeAlias = "tuple[Place, str, int | None] | None"


class Element:
    """One object of a resource, which remembers what of it was looked at."""

    __slots__ = ("_coded", "_held", "_seen", "content", "place")

    def __init__(self, content: dict[str, Any], place: Place = None, seen: set[tuple[int, str]] | None = None) -> None:
        """Stands for an object.

        Args:
            seen: what was looked at in its resource, by object and name; None where that is not remembered.
        """
        self.content = content
        self.place = place
        self._seen = seen
        self._coded: tuple[str, str] | None = None
        # The elements that it holds, of a list all of them: one that was asked for is asked for again.
        self._held: dict[str, Any] = {}

    @property
    def path(self) -> str:
        """Where it stands in its resource: "code.coding[0]"; "" for the resource itself."""
        names: list[str] = []
        place = self.place
        while place is not None:
            place, name, index = place
            names.append(name if index is None else f"{name}[{index}]")
        return ".".join(reversed(names))

    def at(self, name: str) -> str:
        """The path of one of its elements."""
        path = self.path
        return f"{path}.{name}" if path else name

    def get(self, name: str) -> Any:
        """The value of an element, whatever it is; None where there is none."""
        value = self.content.get(name)
        if value is not None and self._seen is not None:
            self._seen.add((id(self.content), name))
        return value

    def text(self, name: str) -> str:
        """The value of an element that is a string, "" for none."""
        if name not in self.content:
            return ""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def one(self, name: str) -> Element | None:
        """An element that is an object."""
        if name not in self.content:
            return None
        held = self._held.get(name)
        if type(held) is Element:
            return held
        value = self.get(name)
        if not isinstance(value, dict):
            return None
        held = self._held[name] = Element(value, (self.place, name, None), self._seen)
        return held

    def all(self, name: str) -> Elements:
        """The objects of an element that is a list; who asks must not change the answer."""
        if name not in self.content:
            return _NONE
        held = self._held.get(name)
        if type(held) is Elements:
            return held
        value = self.get(name)
        if not isinstance(value, list):
            return _NONE
        place, seen = self.place, self._seen
        held = Elements(
            [Element(item, (place, name, i), seen) for i, item in enumerate(value) if isinstance(item, dict)]
        )
        self._held[name] = held
        return held

    def codings(self, name: str) -> Elements:
        """The codings of an element that is a CodeableConcept."""
        concept = self.one(name)
        return concept.all("coding") if concept else _NONE

    def coded(self) -> tuple[str, str]:
        """The system and the code of a coding, "" for what it does not state."""
        if self._coded is None:
            self._coded = self.text("system"), self.text("code")
        return self._coded

    def day(self, name: str) -> date | None:
        """The calendar day of an element that is a date or dateTime, as printed; None where it has none.

        Raises:
            Skipped: it is a date without a day, or none at all.
        """
        text = self.text(name)
        if not text:
            return None
        # A year of three digits is none that a case can state, and mostly stands for no date.
        day = None if text.startswith("0") else _day_of(text)
        if day is None:
            raise Skipped(NOT_UNDERSTOOD, "no full date", self.at(name))
        return day

    def days(self, name: str) -> tuple[date, date] | None:
        """The first and last day that an element can mean: a date, a part of one, or a period, without limit if open.

        It is not taken for looked at.
        """
        value = self.content.get(name)
        if isinstance(value, dict):
            period = Element(value)
            start, end = period.days("start"), period.days("end")
            return start[0] if start else date.min, end[1] if end else date.max
        if not isinstance(value, str) or value.startswith("0"):
            return None
        return _days_of(value)

    def unread(self) -> Iterator[str]:
        """The paths at which nothing was looked at, the highest of each branch."""
        seen, here = self._seen or (), id(self.content)
        for name, value in self.content.items():
            if name == "resourceType":
                continue
            if (here, name) not in seen:
                yield self.at(name)
            elif isinstance(value, dict):
                yield from Element(value, (self.place, name, None), self._seen).unread()
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    if isinstance(item, dict):
                        yield from Element(item, (self.place, name, i), self._seen).unread()

    def read(self) -> tuple[str, ...]:
        """The names of the elements that were looked at."""
        seen, here = self._seen, id(self.content)
        if not seen:
            return ()
        return tuple(name for name in self.content if (here, name) in seen)


class Elements(tuple[Element, ...]):
    """Several elements, which remember what they say as codings."""

    _coded: Coded | None = None

    @property
    def coded(self) -> Coded:
        """The system and the code of each."""
        if self._coded is None:
            self._coded = tuple([coding.coded() for coding in self])
        return self._coded


_NONE = Elements()


def top_name(path: str) -> str:
    """The element of a resource in which a path lies."""
    return path.partition(".")[0].partition("[")[0]


@lru_cache(KEPT)
def _day_of(text: str) -> date | None:
    """The calendar day of a full date or dateTime, as printed."""
    found = _FULL_DATE.fullmatch(text)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


@lru_cache(KEPT)
def _days_of(text: str) -> tuple[date, date] | None:
    """The first and last day of a date or of a part of one."""
    full, partial = _day_of(text), _PARTIAL_DATE.fullmatch(text)
    if full:
        return full, full
    try:
        if partial:
            year, month = int(partial[1]), int(partial[2] or 0)
            last = month or 12
            return date(year, month or 1, 1), date(year, last, monthrange(year, last)[1])
    except ValueError:
        pass
    return None
