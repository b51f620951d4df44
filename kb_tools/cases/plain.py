"""Reads a case from plain JSON."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyoxigraph as ox
from rdflib import BNode, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.case import is_term
from kb_tools.cases.form import ROOT, CaseForms, Key
from kb_tools.cases.isolate import Content
from kb_tools.cases.strict_json import Dialect, load
from kb_tools.cases.units import CannotConvert, converted
from kb_tools.errors import KbError, Slips, UnreadableInput
from kb_tools.rdf.namespaces import GIVEN
from kb_tools.rdf.terms import local_name, named, typed

if TYPE_CHECKING:
    from kb_tools.cases.terminology import Terminology
    from kb_tools.rdf.terms import Triple

_TYPE, _DATE, _BOOLEAN, _INTEGER, _DECIMAL = RDF.type, XSD.date, XSD.boolean, XSD.integer, XSD.decimal
# How much of a value is shown, in characters.
MAX_SHOWN = 60
# A key that begins so is a note to people, of any content, and is not read.
NOTE = "//"
# The key with which editors name the JSON Schema of a file; it is not read either.
SCHEMA = "$schema"
# A number with its unit, as text: "220 [lb_av]".
QUANTITY = r"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?) (\S{1,40})"
TOKEN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
NAME = rf'^(?:{TOKEN}|(?:https?://|urn:)[^\x00-\x20<>"{{}}|\\^`]+)$'
# Half of a surrogate pair: an escape of JSON can stand for one, and no text can hold it.
_HALF = re.compile("[\ud800-\udfff]")
# A number of more digits is refused as it stands.
_DIGITS = 30
# How alike two names must be for the one to be taken for a misspelling of the other (difflib's ratio).
_CLOSE = 0.7
# The shortest value, in letters and digits, that is looked for within longer names; the most names suggested.
_SHORTEST_PART, MOST_MEANT = 4, 3
# The keys that show that an object is of another format, and what to do.
_OTHER_FORMATS = {
    "@context": "this is JSON-LD: name the file .jsonld, or use --input-format jsonld",
    "resourceType": "this is FHIR: name the file .json, or .ndjson with a resource a line",
}
# What is said to do where nothing better is known.
SEE_SCHEMA = "kb case schema lists what each key takes"
# So many slips of one case are reported at most.
MOST = 100
# So many names an error lists; more are for the schema.
_FEW = 12


class JsonNumber(str):
    """A number of a JSON file, as it is written there: no digit of it is ever rounded."""

    __slots__ = ()


class PlainReader:
    """Reads cases that are written as plain JSON."""

    def __init__(self, forms: CaseForms) -> None:
        self.forms = forms

    @cached_property
    def terminology(self) -> Terminology:
        """What codes mean; loaded only when a case holds something that may be one."""
        from kb_tools.cases.terminology import Terminology

        return Terminology(self.forms.kb)

    def read(self, data: bytes, where: str, part: str = "") -> Content:
        """What one case says, with the place in the file of each of its blank nodes.

        Args:
            where: what errors name, with the line that is wrong; without it when `where` is a line of a file already.
            part: which line of a file it is, in words; "" for a file by itself.

        Raises:
            UnreadableInput: not JSON, or a structure that does not say in plain JSON what a case is; of several things
                that are wrong, all.
        """
        reading = _Reading(self, where)
        content = load(data, where, _DIALECT, bool(part), reading.slips)
        try:
            root = reading.object((ROOT,), content, "")
        except UnreadableInput as slip:
            reading.slips.append(slip)
        if reading.slips:
            raise reading.refusal()
        # One that is called by the IRI of a term is refused where all formats come together.
        return Content(where, reading.triples, reading.places, part=part, root=None if is_term(root) else root)


class _Reading:
    """One JSON value on its way to triples: those that JSON-LD gives with the context of `CaseForms`.

    Nothing is dropped or misread on the way: it is refused.
    """

    def __init__(self, reader: PlainReader, where: str) -> None:
        self.reader = reader
        self.forms = reader.forms
        self.where = where
        self.places: dict[Node, str] = {}
        self.slips: list[UnreadableInput] = []
        self.triples: list[Triple] = []
        self._count = 0

    def refusal(self) -> UnreadableInput:
        """All that is wrong, as one error."""
        if len(self.slips) == 1:
            return self.slips[0]
        more = len(self.slips) - MOST
        rest = [UnreadableInput(f"{more} more slips", where=self.where, hint="correct these first")] if more > 0 else []
        return Slips([*self.slips[:MOST], *rest])

    def object(self, classes: tuple[str, ...], value: Any, path: str, default: str = "") -> Node:
        """The node of an object, which is of one of the classes; without a type, of the default, if there is one."""
        name = self._class_of(classes, value, path, default)
        form = self.forms.forms[name]
        own = {"id"} if name == ROOT else {"type"} if len(classes) > 1 else set()
        node = self._node(path)
        said: list[tuple[URIRef, Node]] = [(_TYPE, form.iri)]
        holders: dict[str, Node] = {}
        for key in form.keys.values():
            if key.holder and key.holder.name not in holders:
                holder = holders[key.holder.name] = self._node(path)
                said.append((key.holder.path, holder))
                self.triples.append((holder, _TYPE, self.forms.forms[key.holder.classes[0]].iri))
        for given, content in value.items():
            place = f"{path}.{given}" if path else given
            if given.startswith(NOTE) or (given == "type" and "type" in own) or (given == SCHEMA and name == ROOT):
                continue
            # What is wrong with one part is kept, so that the others are read too.
            try:
                if given == "id" and "id" in own:
                    name_given = self._name(content, "case/", place)
                    del self.places[node]
                    node = name_given
                elif given in form.keys:
                    key = form.keys[given]
                    # What a list says twice it says once.
                    values = self._values(key, content, place)
                    for one in dict.fromkeys(values) if len(values) > 1 else values:
                        if key.holder:
                            self.triples.append((holders[key.holder.name], key.path, one))
                        else:
                            said.append((key.path, one))
                else:
                    others = classes if default and "type" not in value else ()
                    raise self._unknown(given, [*sorted(own), *form.keys], path, others)
            except UnreadableInput as slip:
                self.slips.append(slip)
        self.triples += [(node, property_, object_) for property_, object_ in said]
        return node

    def _class_of(self, classes: tuple[str, ...], value: Any, path: str, default: str) -> str:
        """The name of the class that an object is of."""
        if not isinstance(value, dict):
            raise self._refused(path, value, "{}, but an object is expected")
        for other, hint in _OTHER_FORMATS.items():
            if other in value:
                raise self._refusal(path, f"unknown key {shown(other)}", hint)
        if len(classes) == 1:
            return classes[0]
        if "type" not in value and default:
            return default
        if "type" not in value:
            raise self._refusal(path, "no type", f"give it one: {_listed(classes)}")
        return self._one_of(classes, value["type"], f"{path}.type")

    def _node(self, path: str) -> Node:
        self._count += 1
        node = BNode(f"n{self._count}")
        self.places[node] = path or "the case"
        return node

    def _values(self, key: Key, content: Any, path: str) -> list[Node]:
        is_one = key.one_of_each and not isinstance(content, list)
        if is_one or not (key.many or key.one_of_each) or content is None:
            return [self._value(key, content, path)]
        if not isinstance(content, list):
            raise self._refused(path, content, "{}, but an array is expected", "put the values in brackets")
        values = []
        for index, item in enumerate(content):
            try:
                values.append(self._value(key, item, f"{path}[{index}]"))
            except UnreadableInput as slip:
                self.slips.append(slip)
        return values

    def _value(self, key: Key, value: Any, path: str) -> Node:
        if value is None:
            raise self._refusal(path, "null says nothing", "leave the key out: what is not stated is unknown")
        if key.classes:
            return self.object(key.classes, value, path, key.default)
        if key.terms:
            return named(key.terms[self._term(key, value, path)])
        if key.is_code:
            if not isinstance(value, str) or not re.fullmatch(key.pattern, value):
                raise self._refused(path, value, "{} is not a code", key.hint)
            prefix, _, code = value.partition(":")
            return named(self.forms.code_prefixes[prefix] + code)
        if key.datatype is None:
            return self._name(value, key.name + "/", path)
        if key.unit and isinstance(value, str) and not isinstance(value, JsonNumber):
            value = self._in_unit(key.unit, value, path)
        return typed(self._written(key.datatype, key.pattern, value, path), key.datatype)

    def _in_unit(self, unit: str, value: str, path: str) -> JsonNumber:
        """A number that is written with its unit, as it is in the unit of its key."""
        found = re.fullmatch(QUANTITY, value)
        if not found:
            what = "{}, but a number, or one with its unit in UCUM, is expected"
            raise self._refused(path, value, what, f"write 70, or in text 70 {unit}")
        try:
            return JsonNumber(f"{converted(Decimal(found[1]), found[2], unit):f}")
        except CannotConvert as error:
            raise self._refusal(path, str(error), f"state it in {unit}") from error
        except KbError as error:
            raise self._refusal(path, error.what, error.hint) from error

    def _written(self, datatype: URIRef, pattern: str, value: Any, path: str) -> str:
        """How RDF writes a value that is what its datatype is in JSON; its bounds are for the case shapes."""
        if datatype == _DATE:
            fits, due = isinstance(value, str) and bool(re.fullmatch(pattern, value)), "a full date, as YYYY-MM-DD,"
        elif datatype == _BOOLEAN:
            fits, due = isinstance(value, bool), "true or false"
        elif datatype == _INTEGER:
            value = _without_exponent(value, True) if isinstance(value, JsonNumber) else value
            fits, due = isinstance(value, JsonNumber) and value.lstrip("-").isdecimal(), "a whole number"
        elif datatype == _DECIMAL:
            value = _without_exponent(value, False) if isinstance(value, JsonNumber) else value
            fits = isinstance(value, JsonNumber) and "e" not in value.lower()
            due = f"a number of at most {_DIGITS} digits" if isinstance(value, JsonNumber) else "a number"
        else:
            fits, due = isinstance(value, str) and not isinstance(value, JsonNumber), "a text"
            if fits and _HALF.search(value):
                hint = r"write both halves, as \ud83d\ude00, or the character itself"
                raise self._refusal(path, "half of a surrogate pair, which is no character, stands in the text", hint)
        if not fits:
            raise self._refused(path, value, f"{{}}, but {due} is expected")
        return ("true" if value else "false") if isinstance(value, bool) else str(value)

    def _name(self, value: Any, under: str, path: str) -> URIRef:
        """The IRI that a name of the file stands for."""
        if isinstance(value, str) and not isinstance(value, JsonNumber) and re.fullmatch(NAME, value):
            iri = GIVEN + under + value if re.fullmatch(TOKEN, value) else value
            with suppress(ValueError):
                return URIRef(ox.NamedNode(iri).value)
        hint = "write letters, digits, '.', '_', '-', or an IRI (https: or urn:)"
        # What is no name may be that of a person: it is not shown.
        raise self._refusal(path, "not an allowed name", hint)

    def _term(self, key: Key, value: Any, path: str) -> str:
        """The name of a term: as it is written, or as a code of a disease means it.

        A code is read only where it means one disease and nothing more. What it says beside that (in relapse, in
        remission) would be lost here, or would be a finding without a date: there the error says what to write.
        """
        if not isinstance(value, str) or isinstance(value, JsonNumber) or value in key.terms:
            return self._one_of(tuple(key.terms), value, path)
        prefix, _, code = value.rpartition(":")
        for uri, system in self.reader.terminology.systems.items():
            if not system.classification or prefix.lower() not in ("", system.name.lower()):
                continue
            meaning = self.reader.terminology.meaning(uri, code)
            if meaning is None:
                near = self.reader.terminology.near(uri, code)
                if near and near.meaning.concepts.intersection(map(URIRef, key.terms.values())):
                    raise self._refused(path, value, "{} is not a value of this key", near.hint)
                continue
            names = [name for name, iri in key.terms.items() if URIRef(iri) in meaning.concepts]
            if names and meaning.is_one_concept:
                return names[0]
            if names:
                meant = " and ".join(sorted(map(local_name, meaning.concepts)))
                hint = f"it means {meant}: write each under its own key, the status in a finding with its date"
                raise self._refused(path, value, "{} says more than this key takes", hint)
        hint = self._meant(value, self.forms.names(key)) or f"it takes {_listed(tuple(key.terms))}"
        raise self._refused(path, value, "{} is not a value of this key", hint)

    def _one_of(self, names: Sequence[str], value: Any, path: str) -> str:
        if isinstance(value, str) and value in names:
            return value
        hint = self._meant(value, {name: name for name in names}) if isinstance(value, str) else ""
        raise self._refused(path, value, "{} is not a value of this key", hint or f"it takes {_listed(names)}")

    def _unknown(self, given: str, known: list[str], path: str, others: Iterable[str] = ()) -> UnreadableInput:
        """That a key is not one of those known; `others` are the types that the object could have stated."""
        of_type = next((name for name in others if given in self.forms.forms[name].keys), "")
        hint = f'it is of a {of_type}: give the object "type": "{of_type}"' if of_type else ""
        hint = hint or self._meant(given, {name: name for name in known}) or f"known keys: {', '.join(known)}"
        return self._refusal(path, f"unknown key {shown(given)}", hint, "an unknown key")

    def _meant(self, value: str, names: Mapping[str, str]) -> str:
        """A guess at what is meant, as a question; "" also for a slip that is one too many to be reported."""
        return _meant(value, names) if len(self.slips) < MOST else ""

    def _refusal(self, path: str, what: str, hint: str = SEE_SCHEMA, unquoted: str = "") -> UnreadableInput:
        where = f"{self.where}: {path}" if path else self.where
        return UnreadableInput(what, where=where, hint=hint, unquoted=unquoted)

    def _refused(self, path: str, value: Any, said: str, hint: str = SEE_SCHEMA) -> UnreadableInput:
        """That a value is none that stands at its place; `said` has {} where the value is shown."""
        return self._refusal(path, said.format(shown(value)), hint, said.format(_kind(value)))


def _meant(value: str, names: Mapping[str, str]) -> str:
    """A guess at what is meant, as a question; "" where nothing is close, and no few names have the value as a part.

    Args:
        names: what people write, each with the name that is read.
    """
    squeezed = {_squeezed(written): name for written, name in reversed(list(names.items()))}
    given = _squeezed(value[:MAX_SHOWN])
    close = difflib.get_close_matches(given, squeezed, n=1, cutoff=_CLOSE)
    closest = {squeezed[written] for written in close}
    meant = closest
    # A name that is cut short is told by its beginning; any other part may be of several names.
    if len(given) >= _SHORTEST_PART and not any(written.startswith(given) for written in close):
        meant = closest.union(name for written, name in squeezed.items() if given in written)
        meant = meant if len(meant) <= MOST_MEANT else closest
    return f"did you mean {' or '.join(sorted(meant))}?" if meant else ""


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _without_exponent(number: JsonNumber, integer_expected: bool) -> JsonNumber:
    """The same number without an exponent and, where an integer is expected and it is one, without a fraction."""
    try:
        exact = Decimal(number)
    except InvalidOperation:
        return number
    if abs(exact.adjusted()) > _DIGITS or ("e" not in number.lower() and not integer_expected):
        return number
    return JsonNumber(int(exact) if integer_expected and exact == exact.to_integral_value() else f"{exact:f}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more: kb case schema" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def shown(value: Any) -> str:
    """A value of a file, short and without what a terminal would obey."""
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    text = str(value) if isinstance(value, JsonNumber) else json.dumps(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _kind(value: Any) -> str:
    """What kind of value of JSON this is, in words, and nothing more of it."""
    if isinstance(value, list | dict):
        return shown(value)
    return f"this {'number' if isinstance(value, JsonNumber) else 'text' if isinstance(value, str) else 'truth value'}"


_DIALECT = Dialect(
    fraction=JsonNumber,
    integer=JsonNumber,
    too_large="write one case a line, in a .jsonl file",
    too_deep="a case has three levels",
    several="a .json file holds one case; write several one a line, as .jsonl",
    shown=shown,
)
