"""Derives what counts of the findings of cases, by the rules of the knowledge base."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pyoxigraph as ox
from rdflib import URIRef

from kb_tools.cases.case import number_of
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.terms import Triple, to_quads, to_rdflib

if TYPE_CHECKING:
    from kb_tools.cases.case import Case, Statements


class Derivation:
    """Derives what counts of cases, many at a time."""

    def __init__(self, kb: Repository) -> None:
        self.kb = kb

    @cached_property
    def _rules(self) -> list[str]:
        """The queries that derive what counts, in their order."""
        graph = self.kb.graph([self.kb.root / "shapes/derivation.ttl"])
        ordered = sorted((int(str(order)), rule) for rule, order in graph.subject_objects(SH.order))
        if not ordered:
            where = str(self.kb.root / "shapes/derivation.ttl")
            raise KnowledgeBaseError(
                "the rules for what counts are missing", where=where, hint="restore it from version control"
            )
        return [str(graph.value(rule, SH.construct)) for _, rule in ordered]

    def of(self, cases: Sequence[Case]) -> list[Case]:
        """Well-formed cases with what counts of them derived, in the order given.

        Raises:
            KnowledgeBaseError: the knowledge base has no such rules.
        """
        derived: dict[str, list[Triple]] = {number_of(case.node): [] for case in cases}
        store = ox.Store()
        store.bulk_extend(to_quads(self.kb.ontology))
        store.bulk_extend(quad for case in cases for quad in to_quads(case.triples()))
        for rule in self._rules:
            found = store.query(rule, prefixes=self.kb.prefixes)
            assert isinstance(found, ox.QueryTriples)
            # Two rules can derive one statement, and so can one rule in two ways.
            new = [quad for triple in dict.fromkeys(found) if (quad := ox.Quad(*triple)) not in store]
            store.extend(new)
            for quad in new:
                subject, predicate, object_ = map(to_rdflib, (quad.subject, quad.predicate, quad.object))
                derived[number_of(str(subject))].append((subject, predicate, object_))
        return [replace(case, about=_merged(case.about, derived[number_of(case.node)])) for case in cases]


def _merged(about: Statements, more: Iterable[Triple]) -> Statements:
    merged = {subject: list(pairs) for subject, pairs in about.items()}
    for subject, predicate, object_ in more:
        assert isinstance(subject, URIRef) and isinstance(predicate, URIRef)
        merged[subject].append((predicate, object_))
    return merged
