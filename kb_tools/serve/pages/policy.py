"""A policy: its history as a picture of time, its revision log, and what is open."""

from __future__ import annotations

from typing import TypedDict

from rdflib import URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.model.policy import Policy as PolicyOnFile
from kb_tools.rdf.namespaces import POL
from kb_tools.serve.pages.compare import Pairing, pairings, pairings_across
from kb_tools.serve.pages.history import OnFile, Timeline, on_file, timeline
from kb_tools.serve.pages.open import Discrepancy, discrepancies
from kb_tools.serve.view import InForce, Link, View


class LogStatement(TypedDict):
    """One thing that a row of the revision log says was done."""

    iri: str
    label: str
    affects: list[Link]
    claims: list[Link]


class LogRow(TypedDict):
    """A row of the revision log: its months as printed, and what it says."""

    iri: str
    label: str
    revision: Link | None
    printed: str
    approval: str | None
    notes: list[str]
    says: list[LogStatement]
    places: list[Link]


class Policy(TypedDict):
    """A policy as a work; `others` compare its latest revision with that of another policy on the same service."""

    iri: str
    title: str
    identifier: str
    publisher: str
    description: str
    notes: list[str]
    rights: str
    related: list[Link]
    inForce: InForce
    revisions: list[OnFile]
    timeline: Timeline
    comparisons: list[Pairing]
    others: list[Pairing]
    log: list[LogRow]
    discrepancies: list[Discrepancy]


def data(view: View, target: str) -> Policy:
    """The content of the page of a policy."""
    policy = view.bench.policies[target]
    graph, node = policy.shared, URIRef(policy.iri)

    def text(link: URIRef) -> str:
        return str(graph.value(node, link) or "")

    return {
        "iri": policy.iri,
        "title": policy.title,
        "identifier": policy.identifier,
        "publisher": text(POL.publisherName),
        "description": text(DCTERMS.description),
        "notes": sorted(str(note) for note in graph.objects(node, SKOS.scopeNote)),
        "rights": text(DCTERMS.rights),
        "related": view.links(sorted(map(str, graph.objects(node, POL.relatedPolicy)))),
        "inForce": view.in_force(policy),
        "revisions": [on_file(view, entry) for entry in policy.history],
        "timeline": timeline(view, policy),
        "comparisons": pairings(view, policy),
        "others": pairings_across(view, policy),
        "log": log_rows(view, policy),
        "discrepancies": discrepancies(view, policy),
    }


def log_rows(view: View, policy: PolicyOnFile) -> list[LogRow]:
    """The rows of the revision log, in its order."""
    graph = policy.shared

    def order(node: Node) -> tuple[int, str]:
        found = str(graph.value(node, POL.order) or "")
        return int(found) if found.isdecimal() else 0, str(node)

    rows = sorted(graph.subjects(RDF.type, POL.LogRow), key=order)
    return [
        {
            "iri": str(row),
            "label": str(graph.value(row, RDFS.label) or ""),
            "revision": view.link(str(recorded)) if (recorded := graph.value(row, POL.records)) else None,
            "printed": str(graph.value(row, POL.revisionAsPrinted) or ""),
            "approval": str(graph.value(row, POL.approvalAsPrinted) or "") or None,
            "notes": sorted(str(note) for note in graph.objects(row, SKOS.scopeNote)),
            "says": [
                {
                    "iri": str(said),
                    "label": str(graph.value(said, RDFS.label) or ""),
                    "affects": view.links(sorted(map(str, graph.objects(said, POL.affects)))),
                    "claims": view.links(sorted(map(str, graph.objects(said, POL.impactClaim)))),
                }
                for said in sorted(graph.objects(row, POL.says), key=order)
            ],
            "places": view.links(sorted(map(str, graph.objects(row, POL.statedIn)))),
        }
        for row in rows
    ]
