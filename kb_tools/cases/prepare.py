"""Cases written as RDF, with what counts of them derived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rdflib import BNode, Graph
from rdflib.term import Node

from kb_tools.cases.case import DERIVED
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository

if TYPE_CHECKING:
    from kb_tools.cases.case import Case


def prepared(kb: Repository, cases: Sequence[Case], derived: bool = True) -> Graph:
    """One graph of cases on the nodes that their files use, with what counts of them derived.

    Args:
        derived: False to leave out what is derived, so that the graph can be submitted.

    Raises:
        UnreadableInput: two cases describe one node: together in a graph, each would change the other.
    """
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in kb.prefixes.items():
        graph.bind(prefix, namespace)
    owner: dict[Node, Case] = {}
    for case in cases:
        fresh = {new: BNode() if isinstance(old, BNode) else old for new, old in case.names.items()}
        for node, old in fresh.items():
            if case.about[node] and owner.setdefault(old, case) is not case:
                raise UnreadableInput(
                    f"{old} is described by {owner[old].title} too", where=case.title, hint="prepare them one at a time"
                )
        for subject, predicate, object_ in case.triples():
            if not derived and predicate in DERIVED:
                continue
            graph.add((fresh[subject], predicate, fresh.get(object_, object_)))  # type: ignore[index, call-overload]
    return graph
