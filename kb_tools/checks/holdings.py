"""The check of what is on file of a revision: what it says of its parts is what it states."""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import Graph, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.checks.core import Problem, name, revisions
from kb_tools.model.history import RevisionEntry
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name

# What a revision says where a part of it is known, as properties of the revision.
_SAYS = {
    POL.Criteria: {POL.indication, POL.limitation, POL.exclusion, POL.remainder, POL.appliesWhen},
    POL.DispositionPart: {POL.disposition},
    POL.Codes: {POL.lists},
    POL.References: {POL.listsReference},
    POL.Evidence: {POL.reports},
}
# Where a part of a revision is usually written.
_WRITTEN = {
    POL.Criteria: "criteria.ttl",
    POL.DispositionPart: "pol:disposition in its revision.ttl",
    POL.Definitions: "definitions.ttl",
    POL.Codes: "codes.ttl",
    POL.References: "references.ttl",
    POL.Evidence: "evidence.ttl",
}


def on_file(kb: Repository) -> Iterator[Problem]:
    """Parts of a revision that are marked as known but not stated, or stated but marked as not known, or not marked."""
    for policy, entry, where in revisions(kb):
        graph, file = policy.own_graph(entry), f"{where}/revision.ttl"
        times = unsaid(graph, entry)
        if missing := [part for part, found in times.items() if not found]:
            is_, each = ("is", "") if len(missing) == 1 else ("are", ", one for each")
            what = f"does not say whether {_listed(kb, missing)} {is_} on file"
            holding = f"[ a pol:PartHolding ; pol:part {name(kb, missing[0])} ; pol:basis pol:NotOnFile ]"
            yield Problem(
                file, f"{what}; add to pol:partOnFile {holding}{each}, with pol:DocumentOnFile where it is stated"
            )
        for part, found in times.items():
            if found:
                yield Problem(file, f"says {found} times whether {name(kb, part)} is on file; say it once")
        for part, basis in differing(graph, entry).items():
            held = f"{name(kb, part)}, which it holds as {name(kb, basis)}"
            if basis == POL.NotOnFile:
                yield Problem(where, f"states {held}; say pol:DocumentOnFile in its revision.ttl, or remove the part")
            else:
                hint = f"write {_WRITTEN[part]}, or say pol:NotOnFile in its revision.ttl"
                if part not in (POL.Criteria, POL.DispositionPart):
                    hint += ", or pol:hasNone true where the document has none"
                yield Problem(where, f"states nothing of {held}; {hint}")


def unsaid(graph: Graph, entry: RevisionEntry) -> dict[URIRef, int]:
    """The parts of which a revision does not say once on what basis they are held, each with how often it does."""
    return {part: len(found) for part, found in _bases(graph, entry).items() if len(found) != 1}


def differing(graph: Graph, entry: RevisionEntry) -> dict[URIRef, Node]:
    """The parts that a revision holds as on file and does not state, or states and does not hold; each with its basis.

    Not those of which it says that the document has none.

    Args:
        graph: its own.
    """
    stated = {part for part, links in _SAYS.items() if links & set(graph.predicates(URIRef(entry.iri)))}
    if (None, RDF.type, POL.Definition) in graph:
        stated.add(POL.Definitions)
    return {
        part: found[0]
        for part, found in _bases(graph, entry).items()
        if len(found) == 1
        and (found[0] != POL.NotOnFile) != (part in stated)
        and local_name(part) not in entry.has_none
    }


def _bases(graph: Graph, entry: RevisionEntry) -> dict[URIRef, list[Node]]:
    """On what each part is held, as often as it is said."""
    held: dict[Node | None, list[Node]] = {}
    for holding in graph.objects(URIRef(entry.iri), POL.partOnFile):
        held.setdefault(graph.value(holding, POL.part), []).extend(graph.objects(holding, POL.basis))
    return {part: held.get(part, []) for part in _WRITTEN}


def _listed(kb: Repository, parts: list[URIRef]) -> str:
    *first, last = (name(kb, part) for part in parts)
    return f"{', '.join(first)} and {last}" if first else last
