"""A reference: the work, its number in each revision, and where it is cited."""

from __future__ import annotations

from typing import TypedDict

from rdflib import URIRef
from rdflib.namespace import DCTERMS

from kb_tools.rdf.namespaces import BIBO, CITO
from kb_tools.serve.pages.open import Discrepancy, concerning
from kb_tools.serve.pages.thing import Referring, Statements, referring, statements, subjects
from kb_tools.serve.view import Link, Place, Standing, View, place


class Listed(TypedDict):
    """A revision that lists the work, and the number that it has there."""

    revision: Link
    number: int


class Citing(TypedDict):
    """What cites the work in a revision: a criterion, a definition, evidence or advice, and its places."""

    thing: Link
    kind: str
    revision: Link
    places: list[Place]


class Reference(TypedDict):
    """A work of a policy's list of references. `unknown` are the revisions whose list is not on file."""

    iri: str
    title: str
    text: str
    number: int
    doi: str
    journal: Link | None
    standing: Standing
    listed: list[Listed]
    unknown: list[Link]
    citedBy: list[Citing]
    statements: list[Statements]
    referring: list[Referring]
    discrepancies: list[Discrepancy]


def data(view: View, target: str) -> Reference:
    """The content of the page of a reference."""
    bench, node = view.bench, URIRef(target)
    listing = [iri for iri in bench.entries if iri in bench.things[target].graphs]
    policy, standing = bench.entries[listing[-1]][0], view.standing(listing, "reference")
    revision = bench.revision(standing["shown"]["iri"])
    work = revision.reference(node)
    journal = revision.graph.value(node, DCTERMS.isPartOf)
    shown = {str(CITO.citesAsEvidence), "https://w3id.org/policykb/policy#listsReference"}
    return {
        "iri": target,
        "title": str(revision.graph.value(node, DCTERMS.title) or work.text),
        "text": work.text,
        "number": work.number,
        "doi": str(revision.graph.value(node, BIBO.doi) or ""),
        "journal": view.link(str(journal)) if journal else None,
        "standing": standing,
        "listed": [
            {"revision": view.link(iri), "number": bench.revision(iri).reference(node).number} for iri in listing
        ],
        "unknown": view.links(
            other.iri for other in policy.history if other.on_file["References"] == "NotOnFile" and not other.draft
        ),
        "citedBy": [
            {
                "thing": view.link(citing, (iri,)),
                "kind": bench.kind(citing),
                "revision": view.link(iri),
                "places": [place(found) for found in bench.revision(iri).places(URIRef(citing))],
            }
            for citing in subjects(view, str(CITO.citesAsEvidence), target)
            for iri in sorted(bench.things[citing].graphs & set(listing))
        ],
        "statements": statements(view, target),
        "referring": [
            group
            for group in referring(view, target)
            if group["property"]["iri"] not in shown and not group["property"]["iri"].endswith("#concerns")
        ],
        "discrepancies": concerning(view, policy, target),
    }
