"""What a revision reports from the literature, its figures as a picture."""

from __future__ import annotations

from math import sqrt
from typing import TypedDict

from rdflib import URIRef
from rdflib.namespace import RDFS, SKOS
from rdflib.term import Node

from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import POL
from kb_tools.serve.view import Citation, Link, Place, View, citation, place

# The 97.5th percentile of the normal distribution, for intervals of 95 %.
_Z = 1.959964


class Figure(TypedDict):
    """A share that is reported, in percent: a value or a range, or a count of a total.

    `low` and `high` are as reported, or computed from the count. `interval` is the 95 % interval of a count (Wilson's
    score), computed here and not reported; null where there is no count.
    """

    low: float
    high: float
    approximate: bool
    words: str
    interval: list[float] | None


class Evidence(TypedDict):
    """One statement on what is reported, with its figure where it reports a share."""

    iri: str
    label: str
    text: str
    readings: list[str]
    population: str
    outcomes: list[Link]
    diseases: list[Link]
    figure: Figure | None
    uncited: bool
    places: list[Place]
    citations: list[Citation]


def evidence_of(view: View, revision: Revision) -> list[Evidence]:
    """All that a revision reports, in the order of the document."""
    graph = revision.graph

    def order(node: Node) -> tuple[int, str]:
        places = [URIRef(found.iri) for found in revision.places(node)]
        numbers = [int(str(graph.value(where, POL.order) or 0)) for where in places]
        return min(numbers, default=0), str(node)

    def linked(node: Node, link: URIRef) -> list[Link]:
        return view.links(sorted(str(value) for value in graph.objects(node, link)))

    return [
        {
            "iri": str(node),
            "label": str(graph.value(node, RDFS.label) or ""),
            "text": str(graph.value(node, SKOS.definition) or ""),
            "readings": sorted(str(note) for note in graph.objects(node, SKOS.scopeNote)),
            "population": str(graph.value(node, POL.population) or ""),
            "outcomes": linked(node, POL.outcomeMeasured),
            "diseases": linked(node, POL.disease),
            "figure": figure_of(revision, node),
            "uncited": (node, POL.uncited, None) in graph,
            "places": [place(found) for found in revision.places(node)],
            "citations": [citation(found) for found in revision.citations(node)],
        }
        for node in sorted(graph.objects(revision.iri, POL.reports), key=order)
    ]


def figure_of(revision: Revision, node: Node) -> Figure | None:
    """The share that a statement reports; None where it reports none, or in another unit than percent."""

    def number(link: URIRef) -> float | None:
        value = revision.graph.value(node, link)
        return None if value is None else float(str(value))

    low, high, count, total = (number(link) for link in (POL.low, POL.high, POL["count"], POL.total))
    unit = str(revision.graph.value(node, POL.unit) or "")
    about = (node, POL.approximate, None) in revision.graph
    if count is not None and total:
        share = round(100 * count / total, 1)
        words = f"{count:g} of {total:g}"
        return {"low": share, "high": share, "approximate": about, "words": words, "interval": wilson(count, total)}
    if low is None or high is None or unit != "%":
        return None
    words = f"{'about ' if about else ''}{low:g}" + (f" to {high:g}" if high != low else "") + " %"
    return {"low": low, "high": high, "approximate": about, "words": words, "interval": None}


def wilson(count: float, total: float) -> list[float]:
    """The 95 % interval of a share, in percent, by Wilson's score (E. B. Wilson, JASA 22, 1927)."""
    share, square = count / total, _Z**2 / total
    middle = (share + square / 2) / (1 + square)
    half = _Z * sqrt(share * (1 - share) / total + square / total / 4) / (1 + square)
    return [round(100 * (middle - half), 1), round(100 * (middle + half), 1)]
