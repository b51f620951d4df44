"""One element of a FHIR resource, which remembers what of it was read."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Collection
from datetime import date
from functools import lru_cache
from typing import Any, TypeAlias

from kb_tools.cases.fhir.skipped import NOT_UNDERSTOOD, Skipped
from kb_tools.cases.memo import KEPT

_FULL_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*)?")
_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")


# The system and the code of each of several codings.
Coded: TypeAlias = tuple[tuple[str, str], ...]


class Element:
    """One object of a resource; what of it is looked at is not remembered.

    There are hundreds in a bundle: so none has an object of its own for its place, nor for what it may come to hold.

    Attributes:
        path: where it stands in its resource: "code.coding[0]"; "" for the resource itself.
    """

    __slots__ = ("_coded", "_held", "content", "path")

    def __init__(self, content: dict[str, Any], path: str = "") -> None:
        self.content = content
        self.path = path
        self._coded: tuple[str, str] | None = None
        # The elements that it holds, of a list all of them: one that was asked for is asked for again.
        self._held: dict[str, Any] | None = None

    def at(self, name: str) -> str:
        """The path of one of its elements."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> Any:
        """The value of an element, whatever it is; None where there is none."""
        return self.content.get(name)

    def text(self, name: str) -> str:
        """The value of an element that is a string, "" for none."""
        value = self.content.get(name)
        return value if isinstance(value, str) else ""

    def one(self, name: str) -> Element | None:
        """An element that is an object."""
        value = self.content.get(name)
        if not isinstance(value, dict):
            return None
        if self._held is None:
            self._held = {}
        held: Element | None = self._held.get(name)
        if held is None:
            path = self.path
            held = self._held[name] = type(self)(value, f"{path}.{name}" if path else name)
        return held

    def all(self, name: str) -> Elements:
        """The objects of an element that is a list; who asks must not change the answer."""
        value = self.content.get(name)
        if not isinstance(value, list):
            return _NONE
        if self._held is None:
            self._held = {}
        held: Elements | None = self._held.get(name)
        if held is None:
            class_, path = type(self), self.at(name)
            held = self._held[name] = Elements(
                [class_(item, f"{path}[{i}]") for i, item in enumerate(value) if isinstance(item, dict)]
            )
        return held

    def codings(self, name: str) -> Elements:
        """The codings of an element that is a CodeableConcept."""
        concept = self.one(name)
        return concept.all("coding") if concept else _NONE

    def coded(self) -> tuple[str, str]:
        """The system and the code of a coding, "" for what it does not state."""
        if self._coded is None:
            self._coded = coded_of(self.content)
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

    def read(self) -> tuple[str, ...]:
        """The names of the elements that were looked at; none where that is not remembered."""
        return ()

    def unread(self) -> list[str]:
        """The paths at which nothing was looked at, the highest of each branch."""
        return [self.at(name) for name in self.content if name != "resourceType"]


class TrackedElement(Element):
    """One object of a resource, which remembers what of it was looked at: all that it holds, or holds None for."""

    __slots__ = ()

    def get(self, name: str) -> Any:
        self._mark(name)
        return self.content.get(name)

    def text(self, name: str) -> str:
        if self._held is None:
            self._held = {name: None}
        else:
            self._held.setdefault(name)
        value = self.content.get(name)
        return value if isinstance(value, str) else ""

    def one(self, name: str) -> Element | None:
        held = self._mark(name)
        return held if type(held) is TrackedElement else Element.one(self, name)

    def all(self, name: str) -> Elements:
        held = self._mark(name)
        return held if type(held) is Elements else Element.all(self, name)

    def _mark(self, name: str) -> Any:
        """Remembers that an element was looked at, and returns what is held of it."""
        if self._held is None:
            self._held = {name: None}
            return None
        return self._held.setdefault(name)

    def _seen(self) -> Collection[str]:
        """The names of the elements that were looked at; of a coding that was taken as one, its system and code too."""
        seen = self._held or ()
        return seen if self._coded is None else (*seen, "system", "code")

    def read(self) -> tuple[str, ...]:
        seen = self._seen()
        return tuple([name for name, value in self.content.items() if name in seen and value is not None])

    def unread(self) -> list[str]:
        seen = self._seen()
        found: list[str] = []
        for name, value in self.content.items():
            if name not in seen or value is None:
                if name != "resourceType":
                    found.append(self.at(name))
            elif isinstance(value, dict):
                found += inner.unread() if (inner := self.one(name)) else ()
            elif isinstance(value, list):
                found += [path for inner in self.all(name) for path in inner.unread()]
        return found


class Elements(tuple[Element, ...]):
    """Several elements."""

    __slots__ = ()

    @property
    def coded(self) -> Coded:
        """The system and the code of each."""
        return tuple([coding.coded() for coding in self])


_NONE = Elements()


def coded_of(coding: dict[str, Any]) -> tuple[str, str]:
    """The system and the code of a coding as it stands in JSON, "" for what it does not state."""
    system, code = coding.get("system"), coding.get("code")
    return _pair(system if isinstance(system, str) else "", code if isinstance(code, str) else "")


@lru_cache(KEPT)
def _pair(system: str, code: str) -> tuple[str, str]:
    """A system and a code, as one object wherever they stand."""
    return system, code


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
