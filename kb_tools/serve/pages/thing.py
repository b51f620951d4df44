"""Any thing that has an IRI of ours: what is said of it, revision by revision, and what refers to it."""

from __future__ import annotations

import json
from typing import TypedDict

import pyoxigraph as ox
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS

from kb_tools.rdf.namespaces import CITO, POL, SH
from kb_tools.serve.view import Link, Standing, View
from kb_tools.serve.workbench import WORDS

_FIRST, _REST, _NIL = (ox.NamedNode(str(term)) for term in (RDF.first, RDF.rest, RDF.nil))
# What the head of a page says already.
_SAID = {str(RDF.type), str(RDFS.label), str(SKOS.prefLabel)}
# What a reader wants first, in this order; all else follows by name.
_FOREMOST = [
    *(str(term) for term in (SKOS.notation, DCTERMS.title, SKOS.definition, POL.gloss, SKOS.scopeNote, SKOS.altLabel)),
    *(str(term) for term in (SKOS.broader, RDFS.subClassOf, RDFS.domain, RDFS.range, POL.statedIn)),
]
# What a thing is to another that it leads to by a property, in words.
_REFERRING = {
    str(RDF.type): "its members",
    str(RDFS.subClassOf): "kinds of it",
    str(SKOS.broader): "kinds of it",
    str(RDFS.domain): "what is said of its members",
    str(RDFS.range): "what leads to its members",
    str(SH.targetClass): "shapes of its members",
    str(SH["class"]): "shapes that ask for it",
    str(SH.path): "shapes that read it",
    str(CITO.citesAsEvidence): "what cites it",
    str(POL.statedIn): "what is stated there",
    str(POL.concerns): "discrepancies on it",
    str(POL.affects): "log statements on it",
    str(POL.reads): "conditions that read it",
    str(POL.defines): "definitions of it",
    str(POL.disease): "what is reported of it",
    str(POL.outcomeMeasured): "what is reported of it",
    str(DCTERMS.isPartOf): "published in it",
}
# From a condition to its shapes.
_OF_CONDITION = {str(POL.holdsWhen), str(POL.failsWhen)}
# How deep blank nodes are followed.
_DEEPEST = 12


class Value(TypedDict):
    """One value of a property: a text, or a thing, or, where it has no name of its own, what is said of it."""

    text: str
    thing: Link | None
    within: list[Row]


class Row(TypedDict):
    """A property and its values."""

    property: Link
    values: list[Value]


class Statements(TypedDict):
    """What one graph says of the thing: a revision, or what belongs to none."""

    graph: Link
    rows: list[Row]


class Referring(TypedDict):
    """The things that lead here by one property, and in words what they are to it."""

    property: Link
    words: str
    things: list[Link]


class Thing(TypedDict):
    """A thing: its names and kind, what is said of it, and what refers to it.

    Of what only revisions speak of, `standings` say, by policy, whether the one in force does.
    """

    iri: str
    title: str
    notation: str
    kind: str
    curie: str
    types: list[Link]
    standings: list[Standing]
    statements: list[Statements]
    referring: list[Referring]


def data(view: View, target: str) -> Thing:
    """The content of the page of an IRI of ours."""
    bench = view.bench
    thing, link = bench.things[target], view.link(target)
    return {
        "iri": target,
        "title": link["label"],
        "notation": link["notation"],
        "kind": bench.kind(target),
        "curie": bench.kb.curie(target),
        "types": view.links(sorted(thing.types)),
        "standings": view.standings(thing.graphs, bench.kind(target)) if thing.graphs <= bench.entries.keys() else [],
        "statements": statements(view, target),
        "referring": referring(view, target),
    }


def statements(view: View, target: str) -> list[Statements]:
    """What each graph says of a thing, the latest revision first."""
    graphs, node = sorted(view.bench.things[target].graphs, reverse=True), ox.NamedNode(target)
    return [{"graph": view.link(graph), "rows": rows} for graph in graphs if (rows := rows_of(view, node, graph))]


def subjects(view: View, link: str, target: str) -> list[str]:
    """The IRIs of what leads to a thing by a property, in their order."""
    found = view.bench.quads(None, ox.NamedNode(link), ox.NamedNode(target))
    return sorted({quad.subject.value for quad in found if isinstance(quad.subject, ox.NamedNode)})


def rows_of(view: View, node: ox.NamedNode | ox.BlankNode, graph: str, depth: int = 0) -> list[Row]:
    """What a graph says of a node."""
    values: dict[str, list[Value]] = {}
    named = ox.NamedNode(graph)
    for quad in view.bench.quads(node):
        link = quad.predicate.value
        if quad.graph_name == named and (link not in _SAID or isinstance(node, ox.BlankNode)):
            values.setdefault(link, []).append(_value(view, quad.object, graph, depth))

    def rank(link: str) -> tuple[int, str]:
        return _FOREMOST.index(link) if link in _FOREMOST else len(_FOREMOST), link

    return [
        {"property": view.link(link), "values": sorted(values[link], key=_order)} for link in sorted(values, key=rank)
    ]


def _order(value: Value) -> tuple[str, str, str]:
    """By what a reader sees, so that the order of the store makes no difference."""
    thing = value["thing"]
    return (thing["label"] if thing else "", value["text"], json.dumps([thing, value["within"]]))


def _value(view: View, term: object, graph: str, depth: int) -> Value:
    if isinstance(term, ox.NamedNode):
        return {"text": "", "thing": view.link(term.value), "within": []}
    if isinstance(term, ox.Literal):
        return {"text": term.value, "thing": None, "within": []}
    assert isinstance(term, ox.BlankNode)
    if depth == _DEEPEST:
        return {"text": "…", "thing": None, "within": []}
    members = _members(view, term)
    if members is None:
        return {"text": "", "thing": None, "within": rows_of(view, term, graph, depth + 1)}
    values = [_value(view, member, graph, depth + 1) for member in members]
    return {"text": "", "thing": None, "within": [{"property": view.link(str(RDF.List)), "values": values}]}


def _members(view: View, head: ox.BlankNode) -> list[object] | None:
    """The members of a list; None for what is no list."""
    members: list[object] = []
    node: object = head
    while isinstance(node, ox.BlankNode) and len(members) < 1000:
        firsts, rests = list(view.bench.quads(node, _FIRST)), list(view.bench.quads(node, _REST))
        if not firsts or not rests:
            return None
        members.append(firsts[0].object)
        node = rests[0].object
    return members if node == _NIL else None


def referring(view: View, target: str) -> list[Referring]:
    """What leads to a thing, by the property: for what has no name, the thing that it is said of."""
    found: dict[str, set[str]] = {}
    for quad in view.bench.quads(None, None, ox.NamedNode(target)):
        link = quad.predicate.value
        subject, steps = quad.subject, 0
        while isinstance(subject, ox.BlankNode) and steps < 1000:
            above = next(iter(view.bench.quads(None, None, subject)), None)
            if above is None:
                break
            if above.predicate != _REST:
                link = above.predicate.value if link in (_FIRST.value, _REST.value) else link
            subject, steps = above.subject, steps + 1
        if isinstance(subject, ox.NamedNode) and subject.value != target:
            # What a reader knows a shape by is the condition whose shape it is.
            if conditions := _conditions(view, subject):
                found.setdefault(str(POL.reads), set()).update(conditions - {target})
            else:
                found.setdefault(link, set()).add(subject.value)
    return [
        {
            "property": view.link(link),
            "words": _REFERRING.get(link, view.bench.label(link)),
            "things": sorted(view.links(found[link]), key=lambda thing: (thing["label"], thing["iri"])),
        }
        for link in sorted(found)
        if found[link]
    ]


def _conditions(view: View, shape: ox.NamedNode) -> set[str]:
    """The conditions to whose shapes a shape belongs; none for what is no shape, or one of none."""
    if view.bench.kind(shape.value) != WORDS[str(SH.NodeShape)]:
        return set()
    found: set[str] = set()
    waiting: list[ox.NamedNode | ox.BlankNode] = [shape]
    seen: set[object] = set()
    while waiting:
        node = waiting.pop()
        for quad in view.bench.quads(None, None, node):
            subject = quad.subject
            if quad.predicate.value in _OF_CONDITION:
                found.add(str(getattr(subject, "value", "")))
            elif subject not in seen and isinstance(subject, ox.NamedNode | ox.BlankNode):
                seen.add(subject)
                waiting.append(subject)
    return found
