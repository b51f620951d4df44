"""A revision: its criteria, codes, references, definitions, evidence and advice, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from rdflib import URIRef
from rdflib.namespace import PROV, RDFS, SKOS
from rdflib.term import Node

from kb_tools.model.parts import BASES, DOCUMENT_PARTS
from kb_tools.model.revision import Revision as Loaded
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
from kb_tools.serve.pages.compare import Pairing, pairings
from kb_tools.serve.pages.criteria import Criterion, criterion_of, open_at
from kb_tools.serve.pages.evidence import Evidence, evidence_of
from kb_tools.serve.pages.history import STATES, OnFile, on_file
from kb_tools.serve.pages.open import Discrepancy
from kb_tools.serve.pages.thing import subjects
from kb_tools.serve.view import Citation, InForce, Link, Place, View, citation, place


class Holding(TypedDict):
    """What is on file of one part, and what that rests on."""

    part: str
    basis: str
    notes: list[str]
    inferredFrom: list[Link]


class Code(TypedDict):
    """A billing code that the revision lists, with our own gloss."""

    iri: str
    code: str
    system: str
    gloss: str
    readings: list[str]
    rightsHolder: str
    places: list[Place]


class Work(TypedDict):
    """A work of the list of references."""

    iri: str
    number: int
    text: str
    doi: str


class Statement(TypedDict):
    """A definition, or a piece of advice: what it says, in our words, and where."""

    iri: str
    label: str
    text: str
    readings: list[str]
    always: bool
    when: list[Link]
    places: list[Place]
    citations: list[Citation]
    discrepancies: list[Discrepancy]


class Revision(TypedDict):
    """One dated edition of a policy.

    `notices` are what a reader of it must know of its basis. `log` is its row in the revision log.
    """

    iri: str
    title: str
    name: str
    policy: Link
    state: str
    onFile: OnFile
    inForce: InForce
    holdings: list[Holding]
    notices: list[str]
    notes: list[str]
    toDo: list[str]
    disposition: Link | None
    before: Link | None
    after: list[Link]
    comparisons: list[Pairing]
    log: Link | None
    applicability: list[Criterion]
    criteria: list[Criterion]
    codes: list[Code]
    definitions: list[Statement]
    references: list[Work]
    evidence: list[Evidence]
    advice: list[Statement]


def data(view: View, target: str) -> Revision:
    """The content of the page of a revision."""
    policy, entry = view.bench.entries[target]
    revision = view.bench.revision(target)
    graph, node = revision.graph, revision.iri
    before = graph.value(node, PROV.wasRevisionOf)
    file = on_file(view, entry)
    return {
        "iri": target,
        "title": view.bench.label(target, (target,)),
        "name": entry.name,
        "policy": view.link(policy.iri),
        "state": STATES[file["state"]],
        "onFile": file,
        "inForce": view.in_force(policy),
        "holdings": _holdings(view, revision),
        "notices": list(revision.notices),
        "notes": _texts(revision, node, SKOS.scopeNote),
        "toDo": _texts(revision, node, POL.toDo),
        "disposition": view.link(revision.disposition[0]) if revision.disposition else None,
        "before": view.link(str(before)) if before else None,
        "after": view.links(subjects(view, str(PROV.wasRevisionOf), target)),
        "comparisons": [
            pair for pair in pairings(view, policy) if target in (pair["before"]["iri"], pair["after"]["iri"])
        ],
        "log": view.link(entry.row.iri) if entry.row else None,
        "applicability": [criterion_of(view, revision, found) for found in revision.of_role("applicability")],
        "criteria": [
            criterion_of(view, revision, within)
            for found in revision.criteria
            if found.role != "applicability"
            for within in found.with_parts()
        ],
        "codes": sorted(
            (code_of(view, revision, str(found)) for found in graph.objects(node, POL.lists)),
            key=lambda code: code["code"],
        ),
        "definitions": sorted(
            (_statement(view, revision, found) for found in graph.objects(node, POL.gives)),
            key=lambda found: found["label"],
        ),
        "references": [
            {"iri": found.iri, "number": found.number, "text": found.text, "doi": found.doi}
            for found in sorted(revision.references(), key=lambda found: (found.number, found.iri))
        ],
        "evidence": evidence_of(view, revision),
        "advice": _advice(view, revision),
    }


def _texts(revision: Loaded, node: Node, link: URIRef) -> list[str]:
    return sorted(str(text) for text in revision.graph.objects(node, link))


def _holdings(view: View, revision: Loaded) -> list[Holding]:
    graph = revision.graph
    found = {local_name(graph.value(held, POL.part)): held for held in graph.objects(revision.iri, POL.partOnFile)}
    bases = revision.entry.on_file
    return [
        {
            "part": label,
            "basis": BASES[bases[part]],
            "notes": _texts(revision, found[part], SKOS.scopeNote) if part in found else [],
            "inferredFrom": view.links(
                sorted(map(str, graph.objects(found[part], POL.inferredFrom))) if part in found else ()
            ),
        }
        for part, label in DOCUMENT_PARTS.items()
    ]


def code_of(view: View, revision: Loaded, iri: str) -> Code:
    """A code as a revision lists it, as JSON values."""
    graph, node = revision.graph, URIRef(iri)
    return {
        "iri": iri,
        "code": str(graph.value(node, SKOS.notation) or local_name(node)),
        "system": view.bench.label(str(graph.value(node, POL.codeSystem))),
        "gloss": str(graph.value(node, POL.gloss) or ""),
        "readings": _texts(revision, node, SKOS.scopeNote),
        "rightsHolder": str(graph.value(node, POL.rightsHolder) or ""),
        "places": [place(found) for found in revision.places(node)],
    }


def _statement(view: View, revision: Loaded, node: Node, when: Iterable[str] = (), always: bool = True) -> Statement:
    places = revision.places(node)
    return {
        "iri": str(node),
        "label": str(revision.graph.value(node, RDFS.label) or ""),
        "text": str(revision.graph.value(node, SKOS.definition) or ""),
        "readings": _texts(revision, node, SKOS.scopeNote),
        "always": always,
        "when": view.links(when),
        "places": [place(found) for found in places],
        "citations": [citation(found) for found in revision.citations(node)],
        "discrepancies": open_at(view, revision, str(node), places),
    }


def _advice(view: View, revision: Loaded) -> list[Statement]:
    """What the revision advises: first what hangs on a case, then what stands always."""
    found = []
    for advisory in revision.advisories:
        conditions = [
            iri
            for part in advisory.when
            for iri in ([part] if isinstance(part, str) else dict.fromkeys(part.conditions()))
        ]
        found.append(_statement(view, revision, URIRef(advisory.iri), conditions, not advisory.when))
    return found
