"""What the case shapes allow a case to say: the keys, terms and limits that JSON, FHIR and the questionnaire share."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rdflib import Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.concepts import abbreviation
from kb_tools.model.repository import CASE_SHAPES, ONTOLOGY, Repository
from kb_tools.rdf.namespaces import BASE, CASE, SH
from kb_tools.rdf.terms import local_name

ROOT = "Case"
_BOUNDS = (SH.minInclusive, SH.maxInclusive, SH.minExclusive, SH.maxExclusive)
_LENGTHS = (SH.minLength, SH.maxLength)
_WITHIN: dict[str, Callable[[float, float], bool]] = {
    "minInclusive": operator.ge,
    "maxInclusive": operator.le,
    "minExclusive": operator.gt,
    "maxExclusive": operator.lt,
}


@dataclass(frozen=True)
class Key:
    """One key of an object, as its property shape describes it.

    Attributes:
        path: the property that it stands for.
        hint: what the shape says to a person.
        many, required: whether its value is an array; whether a well-formed case has it.
        classes: the forms that its value can have, where that is an object.
        typed: whether an object states which of them it is of.
        default: where it can have one value of each of these forms, so that an object stands for an array of one: the
            form of an object that states no type; else "".
        terms: the IRIs of the terms that its value can be, by name.
        kind: the class of these terms, None where the shape lists them.
        datatype, pattern, bounds: of its value, where that is no term; a pattern without a datatype is that of a code.
        lengths: the least and the most characters of a text ("minLength", "maxLength").
        unit: the code of UCUM of the unit in which its number is stated; "" for a bare number and for a share.
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
    typed: bool = False
    default: str = ""
    terms: Mapping[str, str] = field(default_factory=dict)
    kind: URIRef | None = None
    datatype: URIRef | None = None
    pattern: str = ""
    bounds: tuple[tuple[str, str], ...] = ()
    lengths: tuple[tuple[str, int], ...] = ()
    unit: str = ""
    holder: Key | None = None

    @property
    def one_of_each(self) -> bool:
        """Whether it can have one value of each of its forms: an object stands for an array of one."""
        return bool(self.default)

    def is_typed(self, name: str) -> bool:
        """Whether an object of one of its forms states its type."""
        return self.typed and name != self.default

    @property
    def is_code(self) -> bool:
        return bool(self.pattern) and self.datatype is None

    def within(self, number: float) -> bool:
        """Whether a number is within the bounds."""
        return all(holds(number, limit) for holds, limit in self._limits)

    @cached_property
    def _limits(self) -> list[tuple[Callable[[float, float], bool], float]]:
        return [(_WITHIN[name], float(bound)) for name, bound in self.bounds]

    def takes(self, value: Node) -> bool:
        """Whether the value can be this term or literal, as far as its class, datatype and bounds say."""
        if not isinstance(value, Literal):
            return str(value) in self.terms.values()
        is_integer = value.datatype == XSD.integer
        if self.datatype in (XSD.integer, XSD.decimal):
            fits = is_integer or (self.datatype == XSD.decimal and value.datatype == XSD.decimal)
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


class CaseForms:
    """What the case shapes allow a case to say, as plain JSON writes it; FHIR and the questionnaire read it too."""

    def __init__(self, kb: Repository) -> None:
        self.kb = kb
        self._stated = [triple for path in kb.case_shape_files for triple in kb.triples(path)]
        self._shapes = kb.case_shapes
        self._closed = {
            class_: shape
            for shape in self._shapes.subjects(SH.closed, Literal(True))
            for class_ in self._shapes.objects(shape, SH.targetClass)
        }
        if CASE[ROOT] not in self._closed:
            where = str(kb.root / CASE_SHAPES)
            raise KnowledgeBaseError(
                "no closed shape describes a case", where=where, hint="restore it from version control"
            )

    # ------------------------------------------------------------------ what the shapes say

    @cached_property
    def forms(self) -> dict[str, Form]:
        """Every object of plain JSON, by the name of its class."""
        return {local_name(class_): self._form(class_) for class_ in self._closed}

    def _form(self, class_: Node) -> Form:
        shape = self._closed[class_]
        keys: list[Key] = []
        for property_ in self._in_order(shape, SH.property):
            key = self._key(property_)
            if (key.path, CASE.jsonInPlace, Literal(True)) in self.kb.ontology:
                held = next(self._shapes.objects(property_, SH["class"]))
                keys.extend(self._key(inner, key) for inner in self._in_order(self._closed[held], SH.property))
            else:
                keys.append(key)
        others = [other for other in self._shapes.subjects(SH.targetClass, class_) if other != shape]
        assert isinstance(class_, URIRef)
        return Form(
            name=local_name(class_),
            iri=class_,
            label=self.kb.labels.get(str(class_), local_name(class_)),
            definition=str(self.kb.ontology.value(class_, SKOS.definition) or ""),
            rules=tuple(
                sorted(str(message) for other in others for message in self._shapes.objects(other, SH.message))
            ),
            keys={key.name: key for key in keys},
        )

    @cached_property
    def _typed(self) -> list[tuple[Node, Node]]:
        """Each term of the vocabularies with its class, in the order of the files."""
        stated = (triple for file in self.kb.files_of(ONTOLOGY) for triple in self.kb.triples(file))
        return [(subject, object_) for subject, predicate, object_ in stated if predicate == RDF.type]

    def _key(self, shape: Node, holder: Key | None = None) -> Key:
        graph, ontology = self._shapes, self.kb.ontology
        path = graph.value(shape, SH.path)
        assert isinstance(path, URIRef)
        # What is said of the value stands on the property shape or on the node shape that it names.
        places = [shape, *graph.objects(shape, SH.node)]

        def value_of(predicate: URIRef) -> Node | None:
            return next((found for place in places for found in graph.objects(place, predicate)), None)

        class_, datatype, pattern = graph.value(shape, SH["class"]), value_of(SH.datatype), value_of(SH.pattern)
        alternatives = value_of(SH["or"])
        if alternatives is not None:
            # Of the datatypes allowed the widest, which every JSON number fits.
            named = {
                found
                for alternative in Collection(graph, alternatives)
                for found in graph.objects(alternative, SH.datatype)
            }
            datatype = XSD.decimal if XSD.decimal in named else min(named, key=str, default=None)
        classes: Sequence[Node] = [class_] if class_ in self._closed else []
        terms: list[Node] = []
        if class_ is not None and not classes:
            kinds = set(ontology.transitive_subjects(RDFS.subClassOf, class_))
            terms = [term for term, type_ in self._typed if type_ in kinds]
        for place in places:
            for listed in graph.objects(place, SH["in"]):
                terms = list(Collection(graph, listed))
            for inner in graph.objects(place, SH.property):
                if graph.value(inner, SH.path) == RDF.type:
                    classes = [
                        type_ for listed in graph.objects(inner, SH["in"]) for type_ in Collection(graph, listed)
                    ]
        if not (classes or terms or datatype or pattern or value_of(SH.nodeKind) == SH.BlankNodeOrIRI):
            raise KnowledgeBaseError(
                f"{self.kb.curie(str(shape))} does not say what a value in plain JSON is",
                where=CASE_SHAPES,
                hint="give it a sh:class, sh:datatype, sh:in or sh:pattern",
            )
        one_of_each = any((other, SH.qualifiedMaxCount, None) in graph for other in graph.subjects(SH.path, path))
        return Key(
            name=str(ontology.value(path, CASE.jsonKey) or local_name(path)),
            path=path,
            label=self.kb.labels.get(str(path), local_name(path)),
            definition=str(ontology.value(path, SKOS.definition) or ""),
            hint=str(graph.value(shape, SH.message) or ""),
            many=graph.value(shape, SH.maxCount) is None and not one_of_each,
            required=int(str(graph.value(shape, SH.minCount) or 0)) > 0,
            classes=tuple(map(local_name, classes)),
            typed=len(classes) > 1,
            default=local_name(classes[0]) if one_of_each else "",
            terms={local_name(term): str(term) for term in terms},
            kind=class_ if isinstance(class_, URIRef) and terms else None,
            datatype=URIRef(str(datatype)) if datatype else None,
            pattern=self._as_written(str(pattern)) if pattern else "",
            bounds=tuple((local_name(bound), str(value_of(bound))) for bound in _BOUNDS if value_of(bound) is not None),
            lengths=tuple(
                (local_name(length), int(str(value_of(length)))) for length in _LENGTHS if value_of(length) is not None
            ),
            unit=self.kb.units.get(str(path), ""),
            holder=holder,
        )

    def _in_order(self, subject: Node, predicate: URIRef) -> Iterator[Node]:
        """The objects of a statement about the shapes, in the order of their file."""
        return (o for s, p, o in self._stated if (s, p) == (subject, predicate))

    def names(self, key: Key) -> dict[str, str]:
        """What people call the terms that a key can have: their names, labels and abbreviations, each with the name."""
        found = {name: name for name in key.terms}
        for name, iri in key.terms.items():
            called = [self.kb.labels.get(iri, name)]
            called += map(str, self.kb.ontology.objects(URIRef(iri), SKOS.altLabel))
            called += map(abbreviation, map(str, self.kb.ontology.objects(URIRef(iri), SKOS.definition)))
            for alias in filter(None, called):
                found.setdefault(alias, name)
        return found

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
                    where=CASE_SHAPES,
                    hint="give one a case:jsonKey or another local name",
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


def _term(key: Key) -> dict[str, str]:
    """What a context says of a key."""
    entry = {"@id": str(key.path)}
    if key.datatype:
        entry["@type"] = str(key.datatype)
    elif key.terms:
        entry["@type"] = "@vocab"
    elif key.is_code:
        entry["@type"] = "@id"
    return entry
