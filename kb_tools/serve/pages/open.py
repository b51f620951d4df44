"""What is open in a policy's document: its discrepancies, each with what is to be decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypedDict

from rdflib import URIRef
from rdflib.namespace import RDF, SKOS
from rdflib.term import Node

from kb_tools.model.policy import Policy
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
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


def concerning(view: View, policy: Policy, iri: str) -> list[Discrepancy]:
    """The discrepancies of a policy that concern a thing, the gravest first."""
    return _described(view, policy, policy.shared.subjects(POL.concerns, URIRef(iri)))


def discrepancies(view: View, policy: Policy) -> list[Discrepancy]:
    """All discrepancies of a policy, the gravest first."""
    return _described(view, policy, policy.shared.subjects(RDF.type, POL.Discrepancy))


def _described(view: View, policy: Policy, nodes: Iterable[Node]) -> list[Discrepancy]:
    graph, found = policy.shared, list(nodes)

    def rank(severity: str) -> int:
        return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)

    def texts(node: Node, link: URIRef) -> str:
        return " ".join(sorted(str(text) for text in graph.objects(node, link)))

    found.sort(key=lambda node: (rank(str(graph.value(node, POL.severity))), str(node)))
    return [
        {
            "iri": str(node),
            "label": view.bench.label(str(node)),
            "severity": view.bench.label(str(graph.value(node, POL.severity))),
            "definition": texts(node, SKOS.definition),
            "toDecide": texts(node, POL.toDecide),
            "reading": texts(node, POL.readingTaken),
            "concerns": _told_apart(view, sorted(map(str, graph.objects(node, POL.concerns)))),
            "places": view.links(sorted(map(str, graph.objects(node, POL.statedIn)))),
        }
        for node in found
    ]


def _told_apart(view: View, iris: list[str]) -> list[Link]:
    """Things by names that no two of them share: a code by its number, and with its kind what has another's name."""
    bench = view.bench
    links = view.links(iris)
    for link in links:
        if bench.is_a(link["iri"], str(POL.Code)):
            link["label"] = bench.code_name(link["iri"])
    names = Counter(link["label"] for link in links)

    def kind(iri: str) -> str:
        return "criterion" if iri in bench.criteria else bench.kind(iri)

    kinds = Counter((link["label"], kind(link["iri"])) for link in links)
    for link in links:
        label, said = link["label"], kind(link["iri"])
        if kinds[label, said] > 1:
            said += f" {local_name(link['iri'])}"
        if names[label] > 1:
            link["label"] = f"{label} ({said})"
    return links
