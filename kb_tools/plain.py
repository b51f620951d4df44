"""A case as plain JSON: its keys read off the case shapes, and JSON made a graph of.

Nothing here names a key, a class or a concept: all of them come from `shapes/case.ttl` and the vocabularies, by local
name. So a new class of findings needs no change of code. What JSON-LD would drop in silence (a key that it does not
know, null, an array in an array) or read otherwise than it stands (a number, a name without a namespace) is refused
here; what a value must be, the case shapes say afterwards, as for any other case.
"""

from __future__ import annotations

import difflib
import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

import pyoxigraph as ox
from rdflib import BNode, Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools.errors import KnowledgeBaseError, Slips, UnreadableInput
from kb_tools.knowledge_base import KnowledgeBase, local_name
from kb_tools.namespaces import BASE, CASE, GIVEN, SH
from kb_tools.rdf import Triple, parse
from kb_tools.strict_json import Dialect, load

SHAPES = "shapes/case.ttl"
# A key that begins so is a note to people, of any content, and is not read.
NOTE = "//"
ROOT = "Case"
# The key with which editors name the JSON Schema of a file; it is not read either.
SCHEMA = "$schema"
TOKEN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
NAME = rf'^(?:{TOKEN}|(?:https?://|urn:)[^\x00-\x20<>"{{}}|\\^`]+)$'
_BOUNDS = (SH.minInclusive, SH.maxInclusive, SH.minExclusive, SH.maxExclusive)
_LENGTHS = (SH.minLength, SH.maxLength)
# A number of more digits is refused as it stands.
_DIGITS = 30
_WITHIN: dict[str, Callable[[float, float], bool]] = {
    "minInclusive": operator.ge,
    "maxInclusive": operator.le,
    "minExclusive": operator.gt,
    "maxExclusive": operator.lt,
}
# Characters shown of a value that is refused.
_LONGEST = 60
# How alike two names must be for the one to be taken for a misspelling of the other (difflib's ratio).
_CLOSE = 0.7
# The keys that show that an object is of another format, and what to do.
_OTHER_FORMATS = {
    "@context": "this is JSON-LD: name the file .jsonld, or use --input-format jsonld",
    "resourceType": "this is FHIR: name the file .json, or .ndjson with a resource a line",
}
# So many slips of one case are reported at most.
_MOST = 100
# So many names an error lists; more are for the schema.
_FEW = 12


class Number(str):
    """A number of a JSON file, as it is written there: no digit of it is ever rounded."""

    __slots__ = ()


@dataclass(frozen=True)
class Key:
    """One key of an object, as its property shape describes it.

    Attributes:
        path: the property that it stands for.
        hint: what the shape says to a person.
        many, required: whether its value is an array; whether a well-formed case has it.
        classes: the forms that its value can have, where that is an object.
        terms: the IRIs of the terms that its value can be, by name.
        kind: the class of these terms, None where the shape lists them.
        datatype, pattern, bounds: of its value, where that is no term; a pattern without a datatype is that of a code.
        lengths: the least and the most characters of a text ("minLength", "maxLength").
        holder: the key of the object that the property belongs to, where plain JSON writes no such object.
    """

    name: str
    path: URIRef
    label: str
    definition: str
    hint: str
    many: bool
    required: bool
    classes: tuple[str, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)
    kind: URIRef | None = None
    datatype: URIRef | None = None
    pattern: str = ""
    bounds: tuple[tuple[str, str], ...] = ()
    lengths: tuple[tuple[str, int], ...] = ()
    holder: Key | None = None

    @property
    def is_code(self) -> bool:
        return bool(self.pattern) and self.datatype is None

    def within(self, number: float) -> bool:
        """Whether a number is within the bounds."""
        return all(_WITHIN[name](number, float(bound)) for name, bound in self.bounds)

    def takes(self, value: Node) -> bool:
        """Whether the value can be this term or literal, as far as its class, datatype and bounds say."""
        if not isinstance(value, Literal):
            return str(value) in self.terms.values()
        whole = value.datatype == XSD.integer
        if self.datatype in (XSD.integer, XSD.decimal):
            fits = whole or (self.datatype == XSD.decimal and value.datatype == XSD.decimal)
            return fits and self.within(float(value))
        return self.datatype is not None and value.datatype == self.datatype and value.value is not None


@dataclass(frozen=True)
class Form:
    """An object of plain JSON: a class of the vocabulary whose shape is closed.

    Attributes:
        rules: what other shapes say of the class, to people.
    """

    name: str
    iri: URIRef
    label: str
    definition: str
    rules: tuple[str, ...]
    keys: dict[str, Key]


class PlainFormat:
    """How this knowledge base writes a case as plain JSON."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self._stated = kb.triples(kb.root / SHAPES)
        self._shapes = kb.graph([kb.root / SHAPES])
        self._closed = {
            class_: shape
            for shape in self._shapes.subjects(SH.closed, Literal(True))
            for class_ in self._shapes.objects(shape, SH.targetClass)
        }
        if CASE[ROOT] not in self._closed:
            where = str(kb.root / SHAPES)
            raise KnowledgeBaseError(
                "no closed shape is of a case", where=where, mend="restore it from version control"
            )

    # ------------------------------------------------------------------ what the shapes say

    @cached_property
    def forms(self) -> dict[str, Form]:
        """Every object of plain JSON, by the name of its class."""
        return {local_name(class_): self._form(class_) for class_ in self._closed}

    def _form(self, class_: Node) -> Form:
        shape = self._closed[class_]
        keys: list[Key] = []
        for each in self._in_order(shape, SH.property):
            key = self._key(each)
            if (key.path, CASE.jsonInPlace, Literal(True)) in self.kb.ontology:
                held = next(self._shapes.objects(each, SH["class"]))
                keys.extend(self._key(inner, key) for inner in self._in_order(self._closed[held], SH.property))
            else:
                keys.append(key)
        others = [each for each in self._shapes.subjects(SH.targetClass, class_) if each != shape]
        assert isinstance(class_, URIRef)
        return Form(
            name=local_name(class_),
            iri=class_,
            label=self.kb.labels.get(str(class_), local_name(class_)),
            definition=str(self.kb.ontology.value(class_, SKOS.definition) or ""),
            rules=tuple(sorted(str(said) for each in others for said in self._shapes.objects(each, SH.message))),
            keys={key.name: key for key in keys},
        )

    def _key(self, shape: Node, holder: Key | None = None) -> Key:
        graph, ontology = self._shapes, self.kb.ontology
        path = graph.value(shape, SH.path)
        assert isinstance(path, URIRef)
        # What is said of the value stands on the property shape or on the node shape that it names.
        places = [shape, *graph.objects(shape, SH.node)]

        def said(predicate: URIRef) -> Node | None:
            return next((found for place in places for found in graph.objects(place, predicate)), None)

        class_, datatype, pattern = graph.value(shape, SH["class"]), said(SH.datatype), said(SH.pattern)
        alternatives = said(SH["or"])
        if alternatives is not None:
            # Of the datatypes allowed the widest, which every JSON number fits.
            named = {found for each in Collection(graph, alternatives) for found in graph.objects(each, SH.datatype)}
            datatype = XSD.decimal if XSD.decimal in named else min(named, key=str, default=None)
        classes: Sequence[Node] = [class_] if class_ in self._closed else []
        terms: list[Node] = []
        if class_ is not None and not classes:
            kinds = set(ontology.transitive_subjects(RDFS.subClassOf, class_))
            stated = (triple for file in self.kb.files("ontology") for triple in self.kb.triples(file))
            terms = [s for s, p, o in stated if p == RDF.type and o in kinds]
        for place in places:
            for listed in graph.objects(place, SH["in"]):
                terms = list(Collection(graph, listed))
            for inner in graph.objects(place, SH.property):
                if graph.value(inner, SH.path) == RDF.type:
                    classes = [each for listed in graph.objects(inner, SH["in"]) for each in Collection(graph, listed)]
        if not (classes or terms or datatype or pattern or said(SH.nodeKind) == SH.BlankNodeOrIRI):
            raise KnowledgeBaseError(
                f"{self.kb.curie(str(shape))} does not say what a value in plain JSON is",
                where=SHAPES,
                mend="give it a sh:class, sh:datatype, sh:in or sh:pattern",
            )
        return Key(
            name=str(ontology.value(path, CASE.jsonKey) or local_name(path)),
            path=path,
            label=self.kb.labels.get(str(path), local_name(path)),
            definition=str(ontology.value(path, SKOS.definition) or ""),
            hint=str(graph.value(shape, SH.message) or ""),
            many=graph.value(shape, SH.maxCount) is None,
            required=int(str(graph.value(shape, SH.minCount) or 0)) > 0,
            classes=tuple(map(local_name, classes)),
            terms={local_name(each): str(each) for each in terms},
            kind=class_ if isinstance(class_, URIRef) and terms else None,
            datatype=URIRef(str(datatype)) if datatype else None,
            pattern=self._as_written(str(pattern)) if pattern else "",
            bounds=tuple((local_name(each), str(said(each))) for each in _BOUNDS if said(each) is not None),
            lengths=tuple((local_name(each), int(str(said(each)))) for each in _LENGTHS if said(each) is not None),
            holder=holder,
        )

    def _in_order(self, subject: Node, predicate: URIRef) -> Iterator[Node]:
        """The objects of a statement about the shapes, in the order of their file."""
        return (o for s, p, o in self._stated if (s, p) == (subject, predicate))

    @cached_property
    def code_prefixes(self) -> dict[str, str]:
        """The prefixes with which codes are written."""
        return {prefix: name for prefix, name in self.kb.prefixes.items() if name.startswith(BASE + "code/")}

    def _as_written(self, pattern: str) -> str:
        """A pattern of IRIs of codes, as one of codes with their prefix; any other pattern as it is."""
        for prefix, namespace in self.code_prefixes.items():
            pattern = pattern.replace(namespace.removeprefix(BASE + "code/"), f"{prefix}:")
        return pattern.replace(BASE + "code/", "")

    @cached_property
    def context(self) -> dict[str, Any]:
        """The JSON-LD context that maps keys, terms and codes.

        Raises:
            KnowledgeBaseError: two terms that a case uses share a local name, and plain JSON could not tell them apart.
        """
        found: dict[str, Any] = {"@version": 1.1, "id": "@id", "type": "@type", **self.code_prefixes}

        def add(name: str, meaning: Any) -> None:
            if found.setdefault(name, meaning) != meaning:
                raise KnowledgeBaseError(
                    f"plain JSON cannot tell two terms of the name {name} apart",
                    where=SHAPES,
                    mend="give one a case:jsonKey or another local name",
                )

        for form in self.forms.values():
            add(form.name, str(form.iri))
            for key in form.keys.values():
                if key.holder:
                    add(key.holder.name, {"@id": str(key.holder.path)})
                add(key.name, _term(key))
                if key.kind:
                    add(local_name(key.kind), str(key.kind))
                for name, iri in key.terms.items():
                    add(name, iri)
        return dict(sorted(found.items()))

    @cached_property
    def _context_text(self) -> str:
        return json.dumps(self.context)

    # ------------------------------------------------------------------ JSON in

    def triples(self, data: bytes, where: str, one_line: bool = False) -> tuple[list[Triple], dict[Node, str]]:
        """The graph of one case, and for each of its blank nodes the place in the file.

        Args:
            where: what errors name, with the line that is wrong; without it when `where` is a line of a file already.

        Raises:
            UnreadableInput: not JSON, or a structure that does not say in plain JSON what a case is; of several things
                that are wrong, all.
        """
        reading = _Reading(self, where)
        content = load(data, where, _DIALECT, one_line, reading.slips)
        node: dict[str, Any] = {}
        with reading.going_on():
            node = reading.object((ROOT,), content, "")
        if reading.slips:
            raise reading.refusal()
        document = f'{{"@context":{self._context_text},{json.dumps(node)[1:]}'
        return parse(document.encode(), ox.RdfFormat.JSON_LD, where), reading.places


class _Reading:
    """One JSON value on its way to JSON-LD: what that would drop or misread is refused, and types are written out."""

    def __init__(self, format_: PlainFormat, where: str) -> None:
        self.format = format_
        self.where = where
        self.places: dict[Node, str] = {}
        self.slips: list[UnreadableInput] = []
        self._count = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Keeps what is wrong with one part, so that the others are read too."""
        try:
            yield
        except UnreadableInput as slip:
            self.slips.append(slip)

    def refusal(self) -> UnreadableInput:
        """All that is wrong, as one error."""
        if len(self.slips) == 1:
            return self.slips[0]
        more = len(self.slips) - _MOST
        rest = [UnreadableInput(f"{more} more slips", where=self.where, mend="correct these first")] if more > 0 else []
        return Slips([*self.slips[:_MOST], *rest])

    def object(self, classes: tuple[str, ...], value: Any, path: str) -> dict[str, Any]:
        """An object as the JSON-LD of a node of one of the classes."""
        if not isinstance(value, dict):
            raise self._refusal(path, f"{shown(value)} where an object is due")
        name = classes[0]
        for other, mend in _OTHER_FORMATS.items():
            if other in value:
                raise self._refusal(path, f"unknown key {shown(other)}", mend)
        if len(classes) > 1:
            if "type" not in value:
                raise self._refusal(path, "no type", f"give it one: {_listed(classes)}")
            name = self._one_of(classes, value["type"], f"{path}.type")
        form = self.format.forms[name]
        own = {"id"} if name == ROOT else {"type"} if len(classes) > 1 else set()
        node = self._node(name, path)
        holders: dict[str, dict[str, Any]] = {}
        for key in form.keys.values():
            if key.holder and key.holder.name not in holders:
                holders[key.holder.name] = node[key.holder.name] = self._node(key.holder.classes[0], path)
        for given, content in value.items():
            place = f"{path}.{given}" if path else given
            if given.startswith(NOTE) or (given == "type" and "type" in own) or (given == SCHEMA and name == ROOT):
                continue
            with self.going_on():
                if given == "id" and "id" in own:
                    del self.places[BNode(node["@id"][2:])]
                    node["@id"] = self._name(content, "case/", place)
                elif given in form.keys:
                    key = form.keys[given]
                    (holders[key.holder.name] if key.holder else node)[given] = self._values(key, content, place)
                else:
                    raise self._unknown(given, [*sorted(own), *form.keys], path)
        return node

    def _node(self, name: str, path: str) -> dict[str, Any]:
        self._count += 1
        label = f"n{self._count}"
        self.places[BNode(label)] = path or "the case"
        return {"@id": f"_:{label}", "@type": name}

    def _values(self, key: Key, content: Any, path: str) -> Any:
        if not key.many or content is None:
            return self._value(key, content, path)
        if not isinstance(content, list):
            raise self._refusal(path, f"{shown(content)} where an array is due", "put what there is in brackets")
        values = []
        for index, each in enumerate(content):
            with self.going_on():
                values.append(self._value(key, each, f"{path}[{index}]"))
        return values

    def _value(self, key: Key, value: Any, path: str) -> Any:
        if value is None:
            raise self._refusal(path, "null says nothing", "leave the key out: what is not stated is unknown")
        if key.classes:
            return self.object(key.classes, value, path)
        if key.terms:
            return self._one_of(tuple(key.terms), value, path)
        if key.is_code:
            if not isinstance(value, str) or not re.fullmatch(key.pattern, value):
                raise self._refusal(path, f"{shown(value)} is no code", key.hint)
            return value
        if key.datatype is None:
            return {"@id": self._name(value, key.name + "/", path)}
        return self._typed(key.datatype, key.pattern, value, path)

    def _typed(self, datatype: URIRef, pattern: str, value: Any, path: str) -> Any:
        """A value that is what its datatype is in JSON; its bounds are for the case shapes."""
        if datatype in (XSD.integer, XSD.decimal):
            value = _without_exponent(value, datatype == XSD.integer) if isinstance(value, Number) else value
        if datatype == XSD.boolean:
            fits, due = isinstance(value, bool), "true or false"
        elif datatype == XSD.integer:
            fits, due = isinstance(value, Number) and value.lstrip("-").isdecimal(), "a whole number"
        elif datatype == XSD.decimal:
            fits = isinstance(value, Number) and "e" not in value.lower()
            due = f"a number of at most {_DIGITS} digits" if isinstance(value, Number) else "a number"
        elif datatype == XSD.date:
            fits, due = isinstance(value, str) and bool(re.fullmatch(pattern, value)), "a full date, as YYYY-MM-DD,"
        else:
            fits, due = isinstance(value, str) and not isinstance(value, Number), "a text"
        if not fits:
            raise self._refusal(path, f"{shown(value)} where {due} is due")
        return value

    def _name(self, value: Any, under: str, path: str) -> str:
        """The IRI that a name of the file stands for."""
        if isinstance(value, str) and not isinstance(value, Number) and re.fullmatch(NAME, value):
            iri = GIVEN + under + value if re.fullmatch(TOKEN, value) else value
            with suppress(ValueError):
                return ox.NamedNode(iri).value
        mend = "write letters, digits, '.', '_', '-', or an IRI (https: or urn:)"
        # What is no name may be that of a person: it is not shown.
        raise self._refusal(path, "no name that is allowed", mend)

    def _one_of(self, names: Sequence[str], value: Any, path: str) -> str:
        if isinstance(value, str) and value in names:
            return value
        mend = _meant(value, names) if isinstance(value, str) else ""
        raise self._refusal(path, f"{shown(value)} is no value of this key", mend or f"it takes {_listed(names)}")

    def _unknown(self, given: str, known: list[str], path: str) -> UnreadableInput:
        mend = _meant(given, known) or f"known here: {', '.join(known)}"
        return self._refusal(path, f"unknown key {shown(given)}", mend)

    def _refusal(self, path: str, what: str, mend: str = "kb case schema tells what a key takes") -> UnreadableInput:
        return UnreadableInput(what, where=f"{self.where}: {path}" if path else self.where, mend=mend)


def _term(key: Key) -> dict[str, str]:
    """What a context says of a key."""
    said = {"@id": str(key.path)}
    if key.datatype:
        said["@type"] = str(key.datatype)
    elif key.terms:
        said["@type"] = "@vocab"
    elif key.is_code:
        said["@type"] = "@id"
    return said


def _meant(value: str, names: Iterable[str]) -> str:
    """A guess at which of the names is meant, as a question; "" where none is close."""
    squeezed = {_squeezed(name): name for name in names}
    close = difflib.get_close_matches(_squeezed(value[:_LONGEST]), squeezed, n=1, cutoff=_CLOSE)
    return f"did you mean {squeezed[close[0]]}?" if close else ""


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _without_exponent(number: Number, whole: bool) -> Number:
    """The same number as it is written without exponent and, if it is whole and must be, without fraction."""
    try:
        exact = Decimal(number)
    except InvalidOperation:
        return number
    if abs(exact.adjusted()) > _DIGITS or ("e" not in number.lower() and not whole):
        return number
    return Number(int(exact) if whole and exact == exact.to_integral_value() else f"{exact:f}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more: kb case schema" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def shown(value: Any) -> str:
    """A value of a file, short and without what a terminal would obey."""
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    text = str(value) if isinstance(value, Number) else json.dumps(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


_DIALECT = Dialect(
    fraction=Number,
    whole=Number,
    too_large="write one case a line, in a .jsonl file",
    too_deep="a case has three levels",
    several="a .json file holds one case; write several one a line, as .jsonl",
    shown=shown,
)
