"""One element of a FHIR resource, which remembers what of it was read."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import Any

from kb_tools.cases.fhir.skipped import NOT_UNDERSTOOD, Skipped

_FULL_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*)?")
_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")


class Element:
    """One object of a resource, which remembers what of it was looked at."""

    def __init__(self, content: dict[str, Any], path: str = "", seen: set[str] | None = None) -> None:
        self.content = content
        self.path = path
        self._seen: set[str] = set() if seen is None else seen

    def at(self, name: str) -> str:
        """The path of one of its elements."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> Any:
        """The value of an element, whatever it is; None where there is none."""
        value = self.content.get(name)
        if value is not None:
            self._seen.add(self.at(name))
        return value

    def text(self, name: str) -> str:
        """The value of an element that is a string, "" for none."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def one(self, name: str) -> Element | None:
        """An element that is an object."""
        value = self.get(name)
        return Element(value, self.at(name), self._seen) if isinstance(value, dict) else None

    def all(self, name: str) -> list[Element]:
        """The objects of an element that is a list."""
        value = self.get(name)
        found = enumerate(value) if isinstance(value, list) else ()
        return [Element(item, f"{self.at(name)}[{i}]", self._seen) for i, item in found if isinstance(item, dict)]

    def codings(self, name: str) -> list[Element]:
        """The codings of an element that is a CodeableConcept."""
        concept = self.one(name)
        return concept.all("coding") if concept else []

    def day(self, name: str) -> date | None:
        """The calendar day of an element that is a date or dateTime, as printed; None where it has none.

        Raises:
            Skipped: it is a date without a day, or none at all.
        """
        text = self.text(name)
        if not text:
            return None
        found = _FULL_DATE.fullmatch(text)
        try:
            # A year of three digits is none that a case can state, and mostly stands for no date.
            if found and not text.startswith("0"):
                return date.fromisoformat(found[1])
        except ValueError:
            pass
        raise Skipped(NOT_UNDERSTOOD, "no full date", self.at(name))

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
        full, partial = _FULL_DATE.fullmatch(value), _PARTIAL_DATE.fullmatch(value)
        try:
            if full:
                return date.fromisoformat(full[1]), date.fromisoformat(full[1])
            if partial:
                year, month = int(partial[1]), int(partial[2] or 0)
                last = month or 12
                return date(year, month or 1, 1), date(year, last, monthrange(year, last)[1])
        except ValueError:
            pass
        return None

    def unread(self) -> Iterator[str]:
        """The paths at which nothing was looked at, the highest of each branch."""
        for name, value in self.content.items():
            path = self.at(name)
            if name == "resourceType":
                continue
            if path not in self._seen:
                yield path
            elif isinstance(value, dict):
                yield from Element(value, path, self._seen).unread()
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    if isinstance(item, dict):
                        yield from Element(item, f"{path}[{i}]", self._seen).unread()

    def read(self) -> tuple[str, ...]:
        """The names of the elements that were looked at."""
        return tuple(name for name in self.content if self.at(name) in self._seen)


def top_name(path: str) -> str:
    """The element of a resource in which a path lies."""
    return path.partition(".")[0].partition("[")[0]
