"""The check that what the vocabularies entail, together with a revision, contradicts nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import owlrl
from owlrl.Namespaces import ERRNS
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import OWL, RDF, RDFS

from kb_tools.checks.core import Problem, in_each, name, relative
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.terms import graph_of


def owl_rl_consistent(kb: Repository) -> Iterator[Problem]:
    """Contradictions in the OWL 2 RL closure of the vocabularies, the conditions, a policy and one of its revisions.

    What follows from a revision follows from all of them together: where those contradict nothing, none does, and one
    closure shows it. Else each is closed by itself, since two revisions may contradict each other.
    """
    for policy in kb.policies():
        revisions = {entry.name: _what_can_contradict(kb, policy, entry) for entry in policy.history}
        if not _messages(kb, graph_of(triple for graph in revisions.values() for triple in graph)):
            continue
        found: dict[Problem, list[str]] = {}
        for revision, graph in revisions.items():
            for message in _messages(kb, graph):
                found.setdefault(Problem(relative(kb, policy.folder), message), []).append(revision)
        yield from in_each(policy, found)


def _messages(kb: Repository, graph: Graph) -> list[str]:
    """What is wrong in the closure of a graph; the graph becomes its closure."""
    owlrl.DeductiveClosure(owlrl.OWLRL_Semantics).expand(graph)
    return [*_contradictions(kb, graph), *_mergers(kb, graph)]


def _what_can_contradict(kb: Repository, policy: Policy, entry: RevisionEntry) -> Graph:
    """The statements from which a rule of OWL 2 RL can conclude anything; the rest would only cost time.

    A rule starts from a statement with a property of RDF, RDF Schema or OWL, or with a property of which the
    vocabularies say something: so what shapes say in SHACL, and what is said in terms of others (Dublin Core, SKOS,
    PROV, of which no vocabulary is loaded), is left out. So are literals, on which owlrl decides only whether they are
    values of their datatypes: the check `literals` does so, in every file.
    """
    described = {str(term) for term in kb.ontology.all_nodes()}
    languages = (str(RDF), str(RDFS), str(OWL))
    parts = (kb.ontology, kb.conditions, policy.shared, policy.own_graph(entry))
    return graph_of(
        (subject, predicate, object_)
        for part in parts
        for subject, predicate, object_ in part
        if not isinstance(object_, Literal) and (str(predicate) in described or str(predicate).startswith(languages))
    )


def _contradictions(kb: Repository, closure: Graph) -> list[str]:
    """What owlrl reports: each contradiction is a node of the closed graph, with a text."""
    texts = sorted(str(text) for text in closure.objects(None, ERRNS.error))
    short = [re.sub(r"https?://\S+", lambda iri: kb.curie(iri[0]), text) for text in texts]
    return [f"{text}; correct the statement that is wrong" for text in short]


def _mergers(kb: Repository, closure: Graph) -> list[str]:
    """Nodes inferred to be one and the same: no contradiction to owlrl, but here every name is a thing of its own."""
    pairs = sorted(
        (one, other)
        for one, other in closure.subject_objects(OWL.sameAs)
        if isinstance(one, URIRef) and isinstance(other, URIRef) and one < other
    )
    return [
        f"{name(kb, one)} and {name(kb, other)} are inferred to be the same; a functional property is given both"
        for one, other in pairs
    ]
