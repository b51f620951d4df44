"""Checks of the places in the document: that each is accounted for, and of drafts, that nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import Graph, URIRef
from rdflib.namespace import DCTERMS, RDF, SKOS
from rdflib.term import Node

from kb_tools.checks.core import Problem, name, revisions
from kb_tools.checks.holdings import differing
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import OA, POL


def passages_accounted(kb: Repository) -> Iterator[Problem]:
    """Passages of a document with digests that nothing states, or that are both stated and marked as left out.

    And what is said to be read from a document of which no passage is stated, or none has a digest without a reason.
    Not those of a draft, which `nothing_to_do` reports.
    """
    for policy, entry, where in revisions(kb):
        graph = policy.own_graph(entry)
        known = set(graph.subjects(RDF.type, POL.Passage))
        # Of a revision that does not state all that it holds, the check on-file says so first.
        if entry.draft or any(basis != POL.NotOnFile for basis in differing(graph, entry).values()):
            continue
        if not known:
            yield from _without_passages(policy, entry, where)
            continue
        if not any((node, POL.digest, None) in graph for node in known):
            if "DocumentOnFile" in entry.bases.values():
                yield from _without_digests(kb, policy, entry, known)
            continue
        stated = {place for source in (graph, policy.shared) for place in source.objects(None, POL.statedIn)}
        stated |= {parent for part in stated for parent in graph.objects(part, DCTERMS.isPartOf)}
        for node in sorted(known, key=str):
            yield from (Problem(name(kb, node), message) for message in _problems(kb, graph, node, stated))
        orders = sorted(
            int(str(order))
            for node in known
            if (node, DCTERMS.isPartOf, None) not in graph
            for order in graph.objects(node, POL.order)
        )
        if orders != list(range(1, len(orders) + 1)):
            wrong = next(number for number, order in enumerate(orders, 1) if number != order)
            yield Problem(
                f"{policy.identifier}/{entry.name}",
                f"the passages are not numbered 1 to {len(orders)}: {wrong} is missing, or a number stands twice",
            )


def _without_passages(policy: Policy, entry: RevisionEntry, where: str) -> Iterator[Problem]:
    """That what is read from a document, or points to places in it, says nowhere what these places are."""
    pointing = sum(
        str(place).startswith(f"{entry.iri}/passage/")
        for graph in (policy.own_graph(entry), policy.shared)
        for place in graph.objects(None, POL.statedIn)
    )
    if pointing or "DocumentOnFile" in entry.bases.values():
        yield Problem(
            where,
            f"states no passage of its document, and {pointing} statements point to such; write passages.ttl: "
            f"kb draft start DOCUMENT --policy {policy.identifier} --revision {entry.name} makes it from the document, "
            "or write by hand the places that the statements rest on",
        )


def _without_digests(kb: Repository, policy: Policy, entry: RevisionEntry, passages: set[Node]) -> Iterator[Problem]:
    """That no copy of its document can be held against what is read from it, and nothing says why."""
    graph = policy.own_graph(entry)
    for document in sorted({str(document) for node in passages for document in graph.objects(node, OA.hasSource)}):
        if (URIRef(document), SKOS.scopeNote, None) not in graph:
            yield Problem(
                name(kb, URIRef(document)),
                "has passages without digests; kb draft start DOCUMENT --policy "
                f"{policy.identifier} --revision {entry.name} makes them, or, if the document is not on file, say so "
                "of it with skos:scopeNote, and how it is known",
            )


def _problems(kb: Repository, graph: Graph, node: Node, stated: set[Node]) -> Iterator[str]:
    for wanted in (POL.digest, POL.sketch):
        if (node, wanted, None) not in graph:
            yield f"has no {kb.curie(str(wanted))}, as other passages of this document have; add it"
    left_out = (node, POL.accountedAs, None) in graph
    parent = graph.value(node, DCTERMS.isPartOf)
    if parent is not None and (parent, RDF.type, POL.Passage) not in graph:
        yield f"is part of {kb.curie(str(parent))}, which is no passage of this document; correct it"
    if (node in stated) == left_out:
        yield (
            "is stated, and marked as left out by pol:accountedAs; correct one"
            if left_out
            else "is stated by nothing; point to it by pol:statedIn, or state pol:accountedAs"
        )


def nothing_to_do(kb: Repository) -> Iterator[Problem]:
    """What a draft still asks for, and conditions that were only begun."""
    for condition, to_do in sorted(kb.conditions[: POL.toDo]):
        yield Problem(name(kb, condition), f"to do: {to_do}")
    for policy, entry, where in revisions(kb):
        graph = policy.own_graph(entry)
        rows = [
            (row, to_do)
            for row, to_do in policy.shared[: POL.toDo]
            if (row, POL.records, URIRef(entry.iri)) in policy.shared
        ]
        for node, to_do in sorted([*graph[: POL.toDo], *rows]):
            which = "" if node == URIRef(entry.iri) else f"{name(kb, node)}: "
            yield Problem(where, f"{which}to do: {to_do}")
