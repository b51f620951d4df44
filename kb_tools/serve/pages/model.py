"""The model: the classes of each vocabulary as a picture, and what their members have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

from rdflib import RDF, URIRef
from rdflib.namespace import OWL, RDFS, SKOS

from kb_tools.model.classes import Classes
from kb_tools.serve.view import Link, View

# The sizes of the picture, in pixels: of a box, and of the room between columns and rows.
_WIDTH, _HEIGHT, _BETWEEN, _UNDER = 176, 30, 84, 12


class Property(TypedDict):
    """A property that members of a class have. `concepts` counts the code list that it leads to, if it does."""

    property: Link
    target: Link | None
    list: bool
    concepts: int | None


class Class(TypedDict):
    """A class, what it is a kind of, and the properties of its members."""

    iri: str
    label: str
    name: str
    definition: str
    kindOf: list[Link]
    properties: list[Property]


class Box(TypedDict):
    """A class in the picture, by its upper left corner."""

    iri: str
    name: str
    x: int
    y: int


class Line(TypedDict):
    """A link in the picture, from box to box; `kind` is "link" or "kindOf", `label` the property in words."""

    kind: str
    label: str
    x1: int
    y1: int
    x2: int
    y2: int


class _Link(NamedTuple):
    """What a line of the picture says."""

    kind: str
    label: str


class Picture(TypedDict):
    """The classes of a vocabulary and what links them, as boxes and lines."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[Line]


class Diagram(TypedDict):
    """One vocabulary."""

    vocabulary: Link
    prefix: str
    picture: Picture
    classes: list[Class]


class Model(TypedDict):
    """The vocabularies, the largest first; `all` are the pages of all namespaces and files of terms and shapes."""

    title: str
    vocabularies: list[Diagram]
    all: list[Link]


def data(view: View, target: str) -> Model:
    """The content of the page of the model."""
    kb = view.bench.kb
    model = view.bench.classes
    prefixes = Counter(kb.curie(class_).partition(":")[0] for class_ in model.properties)
    bench = view.bench
    files = {iri for iri in bench.things if iri in bench.ours and bench.is_a(iri, str(OWL.Ontology))}
    return {
        "title": "The model",
        "vocabularies": [_diagram(view, model, prefix) for prefix, _ in prefixes.most_common()],
        "all": view.links(sorted(files | bench.namespaces.keys())),
    }


def _diagram(view: View, model: Classes, prefix: str) -> Diagram:
    own = [class_ for class_ in model.properties if model.curie(class_).startswith(f"{prefix}:")]
    return {
        "vocabulary": view.link(view.bench.kb.prefixes[prefix].rstrip("#/")),
        "prefix": prefix,
        "picture": _picture(view, model, own),
        "classes": [_class(view, model, class_) for class_ in own],
    }


def _class(view: View, model: Classes, class_: URIRef) -> Class:
    return {
        "iri": str(class_),
        "label": view.bench.label(str(class_)),
        "name": model.curie(class_),
        "definition": str(model.ontology.value(class_, SKOS.definition) or ""),
        "kindOf": view.links(map(str, model.sorted(model.ontology[class_ : RDFS.subClassOf]))),
        "properties": [
            {
                "property": view.link(str(property_)),
                "target": view.link(str(to)) if to else None,
                "list": (property_, RDFS.range, RDF.List) in model.ontology,
                "concepts": len(model.of_kind(to)) if to and to in model.code_lists else None,
            }
            for property_, to in model.properties[class_].items()
        ],
    }


def _picture(view: View, model: Classes, own: Sequence[URIRef]) -> Picture:
    """The classes in columns: each as many links from where the picture begins as its column says."""
    links: dict[URIRef, dict[URIRef, _Link]] = {class_: {} for class_ in own}
    for class_ in own:
        for parent in model.sorted(model.ontology[class_ : RDFS.subClassOf]):
            links[class_][parent] = _Link("kindOf", "kind of")
        for property_, to in model.properties[class_].items():
            if to is not None and model.uses[property_] == 1:
                links[class_].setdefault(to, _Link("link", view.bench.label(str(property_))))
        links[class_] = {to: link for to, link in links[class_].items() if to in links and to != class_}
    places = _places(links)
    return {
        "width": max((x for x, _ in places.values()), default=0) + _WIDTH + 2,
        "height": max((y for _, y in places.values()), default=0) + _HEIGHT + 2,
        "boxes": [
            {"iri": str(class_), "name": model.curie(class_).partition(":")[2], "x": x, "y": y}
            for class_, (x, y) in places.items()
        ],
        "lines": [_line(link, places[class_], places[to]) for class_ in links for to, link in links[class_].items()],
    }


def _places(links: Mapping[URIRef, Mapping[URIRef, _Link]]) -> dict[URIRef, tuple[int, int]]:
    """The corner of each class: first what most leads on from, then what that leads to, and so on."""
    places: dict[URIRef, tuple[int, int]] = {}
    top = 1
    for start in sorted(links, key=lambda class_: -len(links[class_])):
        if start in places:
            continue
        column, number, bottom = [start], 0, top
        while column:
            for row, class_ in enumerate(column):
                places[class_] = (1 + number * (_WIDTH + _BETWEEN), top + row * (_HEIGHT + _UNDER))
                bottom = max(bottom, places[class_][1] + _HEIGHT + _UNDER)
            reached = dict.fromkeys(to for class_ in column for to in links[class_] if to not in places)
            column, number = list(reached), number + 1
        top = bottom
    return places


def _line(link: _Link, start: tuple[int, int], end: tuple[int, int]) -> Line:
    """From the side of one box to that of the other which faces it."""
    (x1, y1), (x2, y2) = start, end
    middle = _HEIGHT // 2
    if x1 == x2:
        return {
            "kind": link.kind,
            "label": link.label,
            "x1": x1 + _WIDTH,
            "y1": y1 + middle,
            "x2": x2 + _WIDTH,
            "y2": y2 + middle,
        }
    left, right = (x1 + _WIDTH, x2) if x1 < x2 else (x1, x2 + _WIDTH)
    return {"kind": link.kind, "label": link.label, "x1": left, "y1": y1 + middle, "x2": right, "y2": y2 + middle}
