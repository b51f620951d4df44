"""The closure of a graph under RDF Schema or OWL 2 RL, by owlrl."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations

import owlrl
from rdflib import Graph, Literal


class _Rdfs(owlrl.RDFS_Semantics):  # type: ignore[misc]
    """The rules as owlrl has them; but it compares each literal with each, of which a revision has thousands."""

    def one_time_rules(self) -> None:
        """A statement of a literal is one of every other literal with the same value, too."""
        same: defaultdict[object, list[Literal]] = defaultdict(list)
        for literal in self._literals():
            if literal.value is not None:
                same[literal.value].append(literal)
        for one, other in (pair for literals in same.values() for pair in permutations(literals, 2)):
            for subject, predicate, _ in list(self.graph.triples((None, None, one))):
                self.destination.add((subject, predicate, other))


_SEMANTICS = {"owlrl": owlrl.OWLRL_Semantics, "rdfs": _Rdfs}


def close(graph: Graph, regime: str) -> None:
    """Adds to a graph what follows from it; `regime`: "owlrl" or "rdfs".

    Rules conclude things of literals too, which RDF cannot state: these are left out.
    """
    owlrl.DeductiveClosure(_SEMANTICS[regime], axiomatic_triples=False, datatype_axioms=False).expand(graph)
    for triple in [triple for triple in graph if isinstance(triple[0], Literal)]:
        graph.remove(triple)
