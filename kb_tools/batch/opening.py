"""Takes a case apart that is written as plain JSON on a line: its name, its days, and what it states, piece by piece.

A line is cut where it looks as if it could be, which takes less time than to parse it. Whether that was right is found
out for each piece when it is first met. What is left of the line, with a mark in place of all that was cut out, must be
JSON that has the marks where they belong (`items_of_case`), and a finding must be a JSON object (`items_of_finding`):
then, by the grammar of JSON, the line is what that says with the findings, names and days put back. What cannot be
taken apart with certainty is left to the reader, which alone says what is wrong with a case.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyoxigraph as ox

from kb_tools.cases.isolate import MAX_ALIKE
from kb_tools.cases.plain import NAME, NOTE, SCHEMA, TOKEN
from kb_tools.cases.strict_json import Dialect, load
from kb_tools.errors import UnreadableInput
from kb_tools.memory import Memory
from kb_tools.rdf.files import MAX_BYTES
from kb_tools.rdf.namespaces import GIVEN, is_our_term

Json: TypeAlias = dict[str, Any]
# A JSON value that can be remembered by: arrays and objects as tuples, numbers as tuples of their text alone.
Frozen: TypeAlias = Any

# Days that are known to be written as days, kept in one generation.
DAYS = 50_000
_LONG = len("YYYY-MM-DD")
_TOKEN, _NAME = re.compile(TOKEN), re.compile(NAME)
# What stands in place of a name or a day that was cut out, and in place of the findings: no line that is cut holds it.
_HOLE, _HOLES = "\x7f", "-0e-0"
_MARKS = (_HOLE, "\\u007", _HOLES)
# Numbers become tuples of their text, so that 4 and "4" are not taken for each other.
_DIALECT = Dialect(fraction=lambda text: (text,), integer=lambda text: (text,), too_large="", too_deep="")


class _Style:
    """What stands before the parts of a case that are cut out, as one kind of program writes JSON."""

    def __init__(self, colon: str, comma: str) -> None:
        self.name, self.patient, self.service, self.date = (
            f'"{key}"{colon}"' for key in ("id", "patient", "serviceDate", "date")
        )
        self.findings = f'"findings"{colon}'
        self.first, self.next = self.findings + "[{", "}" + comma + "{"


# With blanks after colons and commas, or without.
_SPACED, _TIGHT = _Style(": ", ", "), _Style(":", ",")


@dataclass(slots=True)
class Opened:
    """A case taken apart.

    Attributes:
        line: as it is written.
        name: as given; "" for none.
        service: the date of service.
        days: the date of each finding.
        findings: the text of each finding without its date and its braces.
        stated: the text of the case without its findings, its name, its patient and its date.
    """

    line: bytes
    name: str
    service: str
    days: list[str]
    findings: list[str]
    stated: str

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
        self._days: Memory[str, bool] = Memory(DAYS)

    def open(self, line: bytes) -> Opened | None:
        """The case on a line, if its pieces are what they seem; None where only the reader can say what is wrong."""
        text, style = _text_of(line)
        if style is None:
            return None
        days: list[str] = []
        findings: list[str] = []
        known = self._days.newer
        before, found, rest = text.partition(style.first)
        if found:
            listed, _, rest = rest.partition("}]")
            text = f"{before}{style.findings}{_HOLES}{rest}"
            cut = style.date
            for finding in listed.split(style.next):
                before, found, rest = finding.partition(cut)
                day = rest[:_LONG]
                if day not in known and not self._is_day(day):
                    return None
                days.append(day)
                findings.append(f"{before}{found}{_HOLE}{rest[_LONG:]}")
        before, found, rest = text.partition(style.service)
        service = rest[:_LONG]
        before, found, rest = f"{before}{found}{_HOLE}{rest[_LONG:]}".partition(style.patient)
        patient, _, rest = rest.partition('"')
        before, named, rest = f'{before}{found}{_HOLE}"{rest}'.partition(style.name)
        name = ""
        if named:
            name, _, rest = rest.partition('"')
            rest = f'{_HOLE}"{rest}'
        if not self._is_day(service) or len(findings) > MAX_ALIKE or not _are_names(name, patient, bool(named)):
            return None
        return Opened(line, name, service, days, findings, f"{before}{named}{rest}")

    def _is_day(self, value: str) -> bool:
        if self._days.get(value):
            return True
        return self._day.fullmatch(value) is not None and self._days.put(value, True)


def _text_of(line: bytes) -> tuple[str, _Style | None]:
    """A line as it is cut, and how it is written; None where it cannot be cut."""
    try:
        text = line.decode()
        style = _style_of(text)
        if style is None:
            text = as_text(load(line, "", _DIALECT, True))
            style = _style_of(text)
    except (UnicodeDecodeError, UnreadableInput, RecursionError):
        return "", None
    return text, None if len(line) > MAX_BYTES or any(mark in text for mark in _MARKS) else style


def _style_of(text: str) -> _Style | None:
    return next((style for style in (_SPACED, _TIGHT) if style.patient in text and style.service in text), None)


def _are_names(name: str, patient: str, is_named: bool) -> bool:
    """Whether these are surely names that the reader takes: of the case, where it has one, and of its patient."""
    if _TOKEN.fullmatch(patient) and (not is_named or _TOKEN.fullmatch(name)):
        return True
    for given in (name, patient):
        if given.startswith(GIVEN) or is_our_term(given) or not (given == "" or _is_name(given)):
            return False
    return bool(patient and name) and name != patient


def _is_name(given: str) -> bool:
    if not _NAME.fullmatch(given):
        return False
    try:
        ox.NamedNode(given)
    except ValueError:
        return _TOKEN.fullmatch(given) is not None
    return True


def id_of(line: bytes) -> str:
    """The `id` of a line that the reader refuses, as given; "" unless the line is JSON with one that is a name."""
    content = _object(line)
    # A resource of FHIR by itself is no case: its id may be that of a person.
    given = content.get("id") if content and "resourceType" not in content else None
    return given if isinstance(given, str) and _is_name(given) else ""


def digest(line: bytes) -> str:
    """What a line is called that has no name."""
    return "sha256:" + hashlib.sha256(line).hexdigest()[:32]


# ---------------------------------------------------------------------- what pieces of text say


def items_of_finding(text: str) -> Frozen | None:
    """The keys and values of a finding without its date and notes; None where the text cannot be looked up."""
    content = _object(f"{{{text}}}".encode())
    if content is None or content.pop("date", None) != _HOLE:
        return None
    if any(isinstance(value, list | dict) for value in content.values()):
        return None
    return tuple((key, value) for key, value in content.items() if not key.startswith(NOTE))


def items_of_case(text: str) -> list[Frozen] | None:
    """What a request and a case state: where it stands, the key and the value; None where only the reader knows.

    Notes are left out, as the reader leaves them out.
    """
    content = _object(text.encode())
    request = content.pop("request", None) if content else None
    if content is None or not isinstance(request, dict):
        return None
    cut = [request.pop("serviceDate", None), content.pop("patient", None)]
    if "id" in content:
        cut.append(content.pop("id"))
    findings = content.pop("findings", [])
    if cut != [_HOLE] * text.count(_HOLE) or findings != ((_HOLES,) if _HOLES in text else []):
        return None
    try:
        if isinstance(content.pop(SCHEMA, None), list | dict):
            return None
        stated = [("request", key, frozen(value)) for key, value in _without_notes(request).items()]
        return stated + [("case", key, frozen(value)) for key, value in _without_notes(content).items()]
    except (RecursionError, _DeepNote):
        return None


class _DeepNote(Exception):
    """A note that is an array or an object: only with it can be told whether a case is nested too deeply."""


def _without_notes(value: Any) -> Any:
    """A JSON value without the keys that are notes, at any depth.

    Raises:
        _DeepNote: a note is more than a text, a number, true, false or null.
    """
    if isinstance(value, list):
        return [_without_notes(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if any(key.startswith(NOTE) and isinstance(inner, list | dict) for key, inner in value.items()):
        raise _DeepNote
    return {key: _without_notes(inner) for key, inner in value.items() if not key.startswith(NOTE)}


def _object(text: bytes) -> Json | None:
    try:
        content = load(text, "", _DIALECT, True)
    except (UnreadableInput, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def frozen(value: Any) -> Frozen:
    """A JSON value as something to remember by. A number is a tuple of its text alone, so that it is never a text."""
    if isinstance(value, dict):
        return ("{}", *[(key, frozen(inner)) for key, inner in value.items()])
    if isinstance(value, list):
        return ("[]", *[frozen(inner) for inner in value])
    return value


def thawed(value: Frozen) -> Any:
    """The JSON value that `frozen` was given."""
    if isinstance(value, tuple) and len(value) != 1:
        return thawed_items(value[1:]) if value[0] == "{}" else [thawed(inner) for inner in value[1:]]
    return [] if value == ("[]",) else {} if value == ("{}",) else value


def thawed_items(items: Frozen) -> Json:
    """The JSON object whose keys and values these are."""
    return {key: thawed(value) for key, value in items}


def as_text(value: Any) -> str:
    """JSON of a value whose numbers are tuples of their text."""
    if isinstance(value, tuple):
        return str(value[0])
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{as_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(as_text, value)) + "]"
    return json.dumps(value)
