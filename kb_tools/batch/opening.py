"""Takes a case apart that is written as plain JSON on a line: its name, its days, and what it states, piece by piece.

What cannot be taken apart with certainty is left to the reader, which alone says what is wrong with a case.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import pyoxigraph as ox

from kb_tools.batch.pieces import Written, frozen
from kb_tools.cases.isolate import MAX_ALIKE
from kb_tools.cases.plain import NAME, TOKEN
from kb_tools.cases.strict_json import Dialect, load
from kb_tools.errors import UnreadableInput
from kb_tools.memory import Memory
from kb_tools.rdf.namespaces import GIVEN, TERM_NAMESPACES

# Days that are known to be written as days, kept in one generation.
DAYS = 50_000
_TOKEN, _NAME = re.compile(TOKEN), re.compile(NAME)
# Numbers become tuples of their text, so that 4 and "4" are not taken for each other.
_DIALECT = Dialect(fraction=lambda text: (text,), integer=lambda text: (text,), too_large="", too_deep="", several="")


@dataclass(slots=True)
class Opened:
    """A case taken apart.

    Attributes:
        line: as it is written.
        name: as given; "" for none.
        service: the date of service.
        days: the date of each finding.
        findings: each finding without its date.
        stated: the request without its date, and the case without its name, patient, request and findings.
    """

    line: bytes
    name: str
    service: str
    days: list[str]
    findings: list[Written]
    stated: tuple[Written, Written]

    @property
    def case(self) -> str:
        """What a row calls the case."""
        return self.name or digest(self.line)


class Opener:
    """Takes cases apart.

    Args:
        day: how a date is written.
    """

    def __init__(self, day: str) -> None:
        self._day = re.compile(day)
        self._days: Memory[Any, bool] = Memory(DAYS)

    def open(self, line: bytes) -> Opened | None:
        """The case on a line; None where only the reader can say what is wrong with it."""
        try:
            content = load(line, "", _DIALECT, True)
            request, given = content.pop("request"), content.pop("findings", [])
            service = request.pop("serviceDate")
            name = _name(content)
            days = [finding.pop("date") for finding in given]
            known = self._days.newer
            for day in (service, *days):
                if day not in known and not self._is_day(day):
                    return None
            if name is None or not isinstance(given, list) or len(given) > MAX_ALIKE:
                return None
            findings = [(tuple(finding), tuple(finding.values())) for finding in given]
            return Opened(line, name, service, days, findings, (_written(request), _written(content)))
        except (UnreadableInput, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def _is_day(self, value: Any) -> bool:
        if self._days.get(value):
            return True
        if not isinstance(value, str) or not self._day.fullmatch(value):
            return False
        return self._days.put(value, True)


def _name(content: Any) -> str | None:
    """Takes the name of a case out of it, and its patient: "" where it has none; None where names need the reader."""
    is_named, name, patient = "id" in content, content.pop("id", ""), content.pop("patient")
    if not isinstance(name, str) or not isinstance(patient, str) or (is_named and not name):
        return None
    if _TOKEN.fullmatch(patient) and (not is_named or _TOKEN.fullmatch(name)):
        return name
    for given in (name, patient):
        if given.startswith((GIVEN, *TERM_NAMESPACES)) or not (given == "" or _is_name(given)):
            return None
    return name if patient and is_named and name != patient else None


def _is_name(given: str) -> bool:
    if not _NAME.fullmatch(given):
        return False
    try:
        ox.NamedNode(given)
    except ValueError:
        return _TOKEN.fullmatch(given) is not None
    return True


def _written(values: dict[str, Any]) -> Written:
    """The keys of an object, and their values."""
    return tuple(values), tuple([value if value.__class__ is str else frozen(value) for value in values.values()])


def digest(line: bytes) -> str:
    """What a line is called that has no name."""
    return "sha256:" + hashlib.sha256(line).hexdigest()[:32]
