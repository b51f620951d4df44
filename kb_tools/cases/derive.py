"""Derives what counts of the findings of cases, by the rules of the knowledge base."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pyoxigraph as ox
from rdflib import URIRef
from rdflib.namespace import RDF

from kb_tools.cases.case import number_of
from kb_tools.cases.parted import Parted, Said
from kb_tools.cases.standing import CaseFindings, Finding, Vocabulary
from kb_tools.errors import KnowledgeBaseError
from kb_tools.memory import Memory
from kb_tools.model.repository import DERIVATION, Repository
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.terms import Triple, to_quads, to_rdflib

if TYPE_CHECKING:
    from kb_tools.cases.case import Case, Statements

# Findings of which it is known how the rules see them, in one generation.
FINDINGS = 50_000


class Derivation:
    """Derives what counts of cases, many at a time."""

    def __init__(self, kb: Repository) -> None:
        self.kb = kb
        self._vocabulary = Vocabulary(kb)
        self._findings: Memory[Said, Finding] = Memory(FINDINGS)

    @cached_property
    def _rules(self) -> list[str]:
        """The queries that derive what counts, in their order."""
        graph = self.kb.graph([self.kb.root / DERIVATION])
        ordered = sorted((int(str(order)), rule) for rule, order in graph.subject_objects(SH.order))
        if not ordered:
            where = str(self.kb.root / DERIVATION)
            raise KnowledgeBaseError(
                "the rules for what counts are missing", where=where, hint="restore it from version control"
            )
        return [str(graph.value(rule, SH.construct)) for _, rule in ordered]

    def of(self, cases: Sequence[Case], parted: Mapping[str, Parted] | None = None) -> list[Case]:
        """Well-formed cases with what counts of them derived, in the order given.

        Args:
            parted: by its number, a case taken apart: what counts of it follows from its parts, without SPARQL. Only
                where the rules are those that `standing` follows.

        Raises:
            KnowledgeBaseError: the knowledge base has no such rules.
        """
        known = parted or {}
        derived: dict[str, Iterable[Triple]] = dict(
            self._by_rules([case for case in cases if number_of(case.node) not in known])
        )
        for case in cases:
            number = number_of(case.node)
            if number in known:
                derived[number] = self._by_parts(case, known[number])
        return [replace(case, about=_merged(case.about, derived[number_of(case.node)])) for case in cases]

    def _by_rules(self, cases: Sequence[Case]) -> dict[str, list[Triple]]:
        """What the rules derive of cases, by their numbers."""
        derived: dict[str, list[Triple]] = {number_of(case.node): [] for case in cases}
        if not cases:
            return derived
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
        return derived

    def _by_parts(self, case: Case, parted: Parted) -> Iterator[Triple]:
        """What follows from the parts of a case."""
        nodes = [part.node for part in parted.findings]
        findings = [self._finding(part.said) for part in parted.findings]
        found = CaseFindings(self._vocabulary, parted.service, parted.reason, parted.days, findings)
        for subject, predicate, object_ in found.derived():
            yield (
                case.node if subject is None else nodes[subject],
                predicate,
                nodes[object_] if isinstance(object_, int) else object_,
            )

    def _finding(self, said: Said) -> Finding:
        known = self._findings.get(said)
        return known or self._findings.put(said, Finding(self._vocabulary, dict(said)[RDF.type], tuple(said)))


def _merged(about: Statements, more: Iterable[Triple]) -> Statements:
    merged = {subject: list(pairs) for subject, pairs in about.items()}
    for subject, predicate, object_ in more:
        assert isinstance(subject, URIRef) and isinstance(predicate, URIRef)
        merged[subject].append((predicate, object_))
    return merged
