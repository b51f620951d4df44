"""A condition: what it reads, its two shapes, what asks for it, and the example cases on each side."""

from __future__ import annotations

from typing import TypedDict

from rdflib import URIRef
from rdflib.namespace import RDFS, SKOS

from kb_tools.model.windows import asking, window_of
from kb_tools.rdf.namespaces import CASE, POL
from kb_tools.serve.pages.examples import Example, by_value
from kb_tools.serve.pages.open import Discrepancy, concerning
from kb_tools.serve.pages.thing import Referring, referring, subjects
from kb_tools.serve.view import Link, View

# What leads to a condition and is shown otherwise.
_TREES = (POL.allOf, POL.anyOf, POL.noneOf, POL.of)
_TOLD = {str(link) for link in (POL.concerns, POL.adviseWhen, POL.adviseUnless, *_TREES)}


class Shape(TypedDict):
    """One of the two shapes of a condition: conforming to it is evidence that the condition holds, or fails."""

    evidence: str
    shape: Link
    turtle: str


class Use(TypedDict):
    """A criterion that asks for the condition, with the revisions whose criterion does."""

    criterion: Link
    revisions: list[Link]


class Condition(TypedDict):
    """A leaf of criteria. `asksFor` is what to send in where a case does not say."""

    iri: str
    title: str
    definition: str
    readings: list[str]
    asksFor: str
    reads: list[Link]
    values: list[Link]
    entails: list[Link]
    excludes: list[Link]
    shapes: list[Shape]
    usedBy: list[Use]
    advisories: list[Link]
    referring: list[Referring]
    discrepancies: list[Discrepancy]
    examples: dict[str, list[Example]]


def data(view: View, target: str) -> Condition:
    """The content of the page of a condition."""
    bench, node = view.bench, URIRef(target)
    graph = bench.kb.conditions

    def linked(link: URIRef) -> list[Link]:
        return view.links(sorted(map(str, graph.objects(node, link))))

    return {
        "iri": target,
        "title": str(graph.value(node, RDFS.label) or ""),
        "definition": str(graph.value(node, SKOS.definition) or ""),
        "readings": sorted(str(note) for note in graph.objects(node, SKOS.scopeNote)),
        "asksFor": asking(str(graph.value(node, POL.asksFor) or ""), window_of(graph, node)),
        "reads": linked(POL.reads),
        "values": linked(POL.possibleValue),
        "entails": linked(POL.entails),
        "excludes": linked(POL.excludes),
        "shapes": [
            {"evidence": evidence, "shape": view.link(str(shape)), "turtle": bench.turtle(str(shape))}
            for evidence, link in (("holds", POL.holdsWhen), ("fails", POL.failsWhen))
            for shape in graph.objects(node, link)
        ],
        "usedBy": _uses(view, target),
        "advisories": view.links(
            sorted({iri for link in (POL.adviseWhen, POL.adviseUnless) for iri in subjects(view, str(link), target)})
        ),
        "referring": [
            group
            for group in referring(view, target)
            if group["property"]["iri"] not in _TOLD and not group["property"]["iri"].startswith(str(CASE))
        ],
        "discrepancies": [found for policy in bench.policies.values() for found in concerning(view, policy, target)],
        "examples": by_value(view, lambda expected: expected.values.get(target)),
    }


def _uses(view: View, target: str) -> list[Use]:
    found: dict[str, list[str]] = {}
    for iri in view.bench.entries:
        for criterion in view.bench.criteria_of(iri).values():
            if criterion.tree and target in criterion.tree.conditions():
                found.setdefault(criterion.iri, []).append(iri)
    return [{"criterion": view.link(iri), "revisions": view.links(found[iri])} for iri in sorted(found)]
