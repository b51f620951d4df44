"""A case as the fields of a form, each named by its place in plain JSON, as "case.findings[0].date"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

from rdflib import Literal
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.case import Case
from kb_tools.cases.form import ROOT, CaseForms, Form, Key
from kb_tools.rdf.namespaces import GIVEN
from kb_tools.rdf.terms import local_name

# The name of the field that stands for the case itself; those of its parts follow it.
CASE_FIELD = "case"
_PRODUCT = f"{CASE_FIELD}.request.product"
# The values of each field, of which those that are empty say nothing.
Fields: TypeAlias = Mapping[str, Sequence[str]]

# The most fields, and the most rows among them, that a page shows.
MAX_FIELDS, MAX_ROWS = 4_000, 500
_LONGEST_NAME = 300
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_INDEX = re.compile(r"\[([0-9]{1,6})\]")


@dataclass
class Written:
    """The case that fields state, as plain JSON.

    Attributes:
        content: the JSON values.
        fields: the name of the field of each place in it, also of places where nothing is stated.
        forms: what the object at a place is.
        unknown: the names of fields that stand for no place.
    """

    content: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def field_of(self, place: str) -> str:
        """The field of a place, or of what the place stands in; "" for the case as a whole."""
        while place and place not in self.fields:
            place = place.rpartition("[" if place.endswith("]") else ".")[0]
        return self.fields[place] if place else ""


def fit(fields: Fields) -> bool:
    """Whether there are no more fields and rows than a page shows, and no longer name than a field has."""
    if len(fields) > MAX_FIELDS or any(len(name) > _LONGEST_NAME for name in fields):
        return False
    rows = {name[: found.end()] for name in fields for found in _INDEX.finditer(name)}
    return len(rows) <= MAX_ROWS


def written(forms: CaseForms, fields: Fields) -> Written:
    """The case that fields state. What is not valid in plain JSON is handed on as it is, so that a reader names it."""
    stated = {
        name: found
        for name, values in fields.items()
        if name.startswith(f"{CASE_FIELD}.") and (found := [text for value in values if (text := _clean(value))])
    }
    return _Writing(forms, stated).case()


def _clean(value: str) -> str:
    return value.replace("\r\n", "\n").strip()


class _Writing:
    def __init__(self, forms: CaseForms, stated: dict[str, list[str]]) -> None:
        self.forms = forms
        self.stated = stated
        self.found = Written()
        self.used: set[str] = set()

    def case(self) -> Written:
        named = self._take(f"{CASE_FIELD}.id", "id")
        content = self._object(self.forms.forms[ROOT], CASE_FIELD, "")
        self.found.content = {"id": _alone(named), **content} if named else content
        self.found.unknown = [name for name in self.stated if name not in self.used]
        return self.found

    def _take(self, name: str, place: str) -> list[str]:
        self.found.fields[place] = name
        self.used.add(name)
        return self.stated.get(name, [])

    def _object(self, form: Form, name: str, place: str) -> dict[str, Any]:
        self.found.forms[place] = form
        content: dict[str, Any] = {}
        for key in form.keys.values():
            inner, at = f"{name}.{key.name}", f"{place}.{key.name}" if place else key.name
            if key.default:
                values: Any = self._one_of_each(key, inner, at)
            elif key.classes and key.many:
                values = self._rows(key, inner, at)
            elif key.classes:
                self.found.fields[at] = inner
                values = self._kind(key, inner, at)
            else:
                texts = self._take(inner, at)
                self.found.fields |= {f"{at}[{index}]": inner for index in range(len(texts))}
                found = [_value(key, text) for text in texts]
                values = found if key.many else _alone(found)
            # What must be there is given, however empty, so that what is missing in it is named.
            if values not in (None, [], {}) or (key.classes and key.required):
                content[key.name] = values
        return content

    def _rows(self, key: Key, name: str, place: str) -> list[dict[str, Any]]:
        """The objects of an array, in the order of their numbers, which may have gaps."""
        self.found.fields[place] = name
        rows: list[dict[str, Any]] = []
        for index in self._indices(name):
            at = f"{place}[{len(rows)}]"
            self.found.fields[at] = name + index
            rows.append(self._kind(key, name + index, at))
        return rows

    def _indices(self, name: str) -> list[str]:
        """The numbers of the rows of a field, in brackets, in their order."""
        numbers = {
            int(found[1]): found[0]
            for other in self.stated
            if other.startswith(f"{name}[") and (found := _INDEX.match(other, len(name)))
        }
        return [index for _, index in sorted(numbers.items())]

    def _one_of_each(self, key: Key, name: str, place: str) -> Any:
        """The objects of a key that can have one of each class: that of the default by itself, the others as rows."""
        indices = self._indices(name)
        self.found.fields[place] = name
        has_own = not indices or any(other.startswith(f"{name}.") for other in self.stated)
        names = [*([name] if has_own else []), *(name + index for index in indices)]
        objects: list[dict[str, Any]] = []
        for inner in names:
            at = place if len(names) == 1 else f"{place}[{len(objects)}]"
            self.found.fields[at] = inner
            own = self.forms.forms[key.default]
            objects.append(self._object(own, name, at) if inner == name else self._kind(key, inner, at))
        return objects[0] if len(objects) == 1 else objects

    def _kind(self, key: Key, name: str, place: str) -> dict[str, Any]:
        """An object of one of several classes, which it names where there are several."""
        if len(key.classes) == 1:
            return self._object(self.forms.forms[key.classes[0]], name, place)
        kind = _alone(self._take(f"{name}.type", f"{place}.type"))
        if kind not in key.classes:
            self.used.update(other for other in self.stated if other.startswith(f"{name}."))
            return {"type": kind} if kind else {}
        return {"type": kind, **self._object(self.forms.forms[kind], name, place)}


def _alone(values: list[Any]) -> Any:
    """The only value; of several, which a form does not send, all; None of none."""
    return (values[0] if len(values) == 1 else values) if values else None


def _value(key: Key, text: str) -> Any:
    """A text as the JSON value that it stands for; as it is, where it does not stand for one to the last digit."""
    if key.datatype == XSD.boolean and text in ("true", "false"):
        return text == "true"
    if key.datatype in (XSD.integer, XSD.decimal) and _NUMBER.fullmatch(text):
        if "." not in text:
            return int(text) if len(text) < 100 else text
        return float(text) if Decimal(repr(float(text))) == Decimal(text) else text
    return text


# ---------------------------------------------------------------------- fields of a file


def of_case(forms: CaseForms, case: Case) -> dict[str, list[str]]:
    """The fields that state a case, malformed or not: as much of it as the form has a field for."""
    found: dict[str, list[str]] = {}

    def state(form: Form, node: Node | None, name: str) -> None:
        for key in form.keys.values():
            subject = case.value(node, key.holder.path) if key.holder else node
            for index, value in enumerate(case.values(subject, key.path)):
                inner = f"{name}.{key.name}"
                if not key.classes:
                    found.setdefault(inner, []).append(_text(forms, key, case, value))
                    continue
                kind = local_name(case.value(value, RDF.type) or "")
                is_row = key.many or (key.default and kind != key.default)
                row = f"{inner}[{index}]" if is_row else inner
                if key.is_typed(kind) and kind:
                    found[f"{row}.type"] = [kind]
                if kind in key.classes:
                    state(forms.forms[kind], value, row)

    if case.iri:
        found[f"{CASE_FIELD}.id"] = [case.iri.removeprefix(f"{GIVEN}case/")]
    state(forms.forms[ROOT], case.node, CASE_FIELD)
    return found


def _text(forms: CaseForms, key: Key, case: Case, value: Node) -> str:
    if isinstance(value, Literal):
        return str(value)
    if key.terms:
        # A term of another vocabulary is not taken for ours of the same name.
        name = local_name(value)
        return forms.kb.curie(str(value)) if key.terms.get(name, str(value)) != str(value) else name
    if key.is_code:
        return forms.kb.curie(str(value))
    # A patient without a name is some patient: any name says as much.
    return (case.in_file(value).removeprefix(f"{GIVEN}{key.name}/") if value in case.names else "") or key.name  # type: ignore[arg-type]


def of_json(data: bytes) -> dict[str, list[str]]:
    """The fields that a plain JSON text states, right or wrong; none where it is no JSON object."""
    found: dict[str, list[str]] = {}
    try:
        content = json.loads(data, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return found
    if isinstance(content, dict):
        for name, text in _flat(content, CASE_FIELD):
            found.setdefault(name, []).append(text)
    return found


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        # A product that states its type is a row, alone too; one that does not is none, in an array neither.
        row = "[0]" if name == _PRODUCT and "type" in value else ""
        for key, inner in value.items():
            yield from _flat(inner, f"{name}{row}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            is_row = isinstance(inner, dict) and (name != _PRODUCT or "type" in inner)
            yield from _flat(inner, f"{name}[{index}]" if is_row else name)
    elif value is not None:
        yield name, value if isinstance(value, str) else json.dumps(value)
