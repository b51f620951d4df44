"""What is open in a policy's document: its discrepancies, each with what is to be decided."""

from __future__ import annotations

from typing import TypedDict

from rdflib import URIRef
from rdflib.namespace import RDF, SKOS

from kb_tools.model.policy import Policy
from kb_tools.rdf.namespaces import POL
from kb_tools.serve.view import Link, View

# Severities, the gravest first; others, which a vocabulary may add, come after them.
_ORDER = [str(severity) for severity in (POL.Major, POL.Moderate, POL.Minor)]


class Discrepancy(TypedDict):
    """Something that the document gets wrong, says in two ways or leaves open.

    `concerns` is what it is about, `reading` how the knowledge base reads the document for now.
    """

    iri: str
    label: str
    severity: str
    definition: str
    toDecide: str
    reading: str
    concerns: list[Link]
    places: list[Link]


def discrepancies(view: View, policy: Policy, about: str | None = None) -> list[Discrepancy]:
    """The discrepancies of a policy, the gravest first.

    Args:
        about: only those that concern this IRI.
    """
    graph = policy.shared
    wanted = None if about is None else URIRef(about)
    found = [
        node
        for node in graph.subjects(RDF.type, POL.Discrepancy)
        if wanted is None or (node, POL.concerns, wanted) in graph
    ]

    def rank(severity: str) -> int:
        return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)

    def texts(node: object, link: URIRef) -> str:
        return " ".join(sorted(str(text) for text in graph.objects(node, link)))  # type: ignore[arg-type]

    found.sort(key=lambda node: (rank(str(graph.value(node, POL.severity))), str(node)))
    return [
        {
            "iri": str(node),
            "label": view.bench.label(str(node)),
            "severity": view.bench.label(str(graph.value(node, POL.severity))),
            "definition": texts(node, SKOS.definition),
            "toDecide": texts(node, POL.toDecide),
            "reading": texts(node, POL.readingTaken),
            "concerns": view.links(sorted(map(str, graph.objects(node, POL.concerns)))),
            "places": view.links(sorted(map(str, graph.objects(node, POL.statedIn)))),
        }
        for node in found
    ]
