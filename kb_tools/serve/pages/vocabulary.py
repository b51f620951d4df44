"""A vocabulary: every term under one namespace, where an IRI with a fragment leads."""

from __future__ import annotations

from typing import TypedDict

import pyoxigraph as ox
from rdflib.namespace import SKOS

from kb_tools.rdf.terms import local_name
from kb_tools.serve.pages.thing import Statements, statements
from kb_tools.serve.view import View


class Term(TypedDict):
    """A term: its name, its kind and what it means."""

    iri: str
    name: str
    label: str
    kind: str
    definition: str


class Vocabulary(TypedDict):
    """The terms under one namespace, by their names, and what is said of the vocabulary itself."""

    iri: str
    title: str
    namespace: str
    terms: list[Term]
    statements: list[Statements]


def data(view: View, target: str) -> Vocabulary:
    """The content of the page of a namespace."""
    bench = view.bench
    return {
        "iri": target,
        "title": bench.label(target),
        "namespace": f"{target}#",
        "terms": [
            {
                "iri": iri,
                "name": local_name(iri),
                "label": bench.label(iri),
                "kind": bench.kind(iri),
                "definition": _definition(view, iri),
            }
            for iri in bench.namespaces[target]
        ],
        "statements": statements(view, target) if target in bench.things else [],
    }


def _definition(view: View, iri: str) -> str:
    found = view.bench.quads(ox.NamedNode(iri), ox.NamedNode(str(SKOS.definition)))
    return next((quad.object.value for quad in found if isinstance(quad.object, ox.Literal)), "")
