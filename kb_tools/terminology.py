"""What codes of other systems mean in a case: the mappings of the knowledge base, with those of a plan added.

Nothing is known of a code but what a mapping says. A code of our own vocabularies (system
`https://w3id.org/policykb/clinical#`, code the local name) means the term itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rdflib import Graph, URIRef
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.errors import KbError, KnowledgeBaseError, UnreadableInput
from kb_tools.knowledge_base import TERMINOLOGY, KnowledgeBase
from kb_tools.namespaces import CASE, CLIN, READ, TERM_NAMESPACES
from kb_tools.rdf import graph_of, parse_file

_OWN = (str(CLIN), str(CASE))


@dataclass(frozen=True)
class Meaning:
    """What a code means.

    Attributes:
        concepts: the concepts that it names.
        kind: the class of the finding that a resource with this code states, if it states one.
        values: what that finding states, apart from date and basis.
        not_present: whether the code says that the condition is in remission, inactive or gone.
        notes: what the code does not say.
    """

    concepts: frozenset[URIRef] = frozenset()
    kind: URIRef | None = None
    values: frozenset[tuple[URIRef, Node]] = frozenset()
    not_present: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class System:
    """A code system: its name, what its codes look like ("" where they must not be named), and their namespace."""

    name: str
    pattern: str
    namespace: str


class Terminology:
    """All mappings, by system and code."""

    def __init__(self, kb: KnowledgeBase, added: Sequence[Path] = ()) -> None:
        """Reads the mappings of the knowledge base and those of the files added.

        Raises:
            KnowledgeBaseError: the knowledge base contradicts itself.
            UnreadableInput: a file added cannot be read, is not of the form, or contradicts what is known of a code.
        """
        self.kb = kb
        self.systems: dict[str, System] = {}
        self._uris: dict[str, str] = {}
        self._meanings: dict[tuple[str, str], Meaning] = {}
        path = kb.root / TERMINOLOGY
        self._add(kb.graph([path]), str(path), KnowledgeBaseError)
        for each in added:
            triples = parse_file(each)
            for subject, _, _ in triples:
                if str(subject).startswith(TERM_NAMESPACES):
                    raise UnreadableInput(
                        f"says something of {kb.curie(str(subject))}, a term of the vocabulary",
                        where=str(each),
                        mend="a terminology maps codes and defines no term",
                    )
            self._add(graph_of(triples), str(each), UnreadableInput)

    def meaning(self, system: str, code: str) -> Meaning | None:
        """What a code means; None where that is not known."""
        if system in _OWN:
            return self._own.get(system + code)
        return self._meanings.get((self._uris.get(system, system), code))

    def system(self, uri: str) -> System | None:
        """The code system of that URI, or of that alias of it."""
        return self.systems.get(self._uris.get(uri, uri))

    def name(self, uri: str, code: str) -> str:
        """How a record names a code: never anything that may be a text about a person."""
        if not uri:
            return "a code without a system"
        if uri in _OWN:
            return self.kb.curie(uri + code) if uri + code in self._own else "a code of our vocabularies"
        system = self.system(uri)
        if system is None:
            return "a code of a system that is not known here"
        known = (self._uris.get(uri, uri), code) in self._meanings
        shaped = bool(system.pattern) and re.fullmatch(system.pattern, code) is not None
        return f"{system.name} {code}" if known or shaped else f"a code of {system.name}"

    def __iter__(self) -> Iterator[tuple[str, str, Meaning]]:
        """Every code with its system and meaning, in order."""
        for (system, code), meaning in sorted(self._meanings.items(), key=lambda each: each[0]):
            yield system, code, meaning

    # ------------------------------------------------------------------ reading mappings

    @cached_property
    def _own(self) -> dict[str, Meaning]:
        """The terms of our vocabularies that a record can name as codes: concepts, and classes of findings."""
        ontology = self.kb.ontology
        concepts = set(ontology.transitive_subjects(RDFS.subClassOf, SKOS.Concept))
        found = {
            str(term): Meaning(concepts=frozenset({URIRef(str(term))}))
            for term, kind in ontology.subject_objects(RDF.type)
            if kind in concepts and isinstance(term, URIRef)
        }
        kinds = (each for each in ontology.subjects(RDFS.subClassOf, CASE.Finding) if isinstance(each, URIRef))
        return found | {str(kind): Meaning(kind=kind) for kind in kinds}

    def _add(self, graph: Graph, where: str, error: type[KbError]) -> None:
        for node in graph.subjects(RDF.type, READ.CodeSystem):
            self._add_system(graph, str(node))
        for mapping in graph.subjects(RDF.type, READ.Mapping):
            system, codes = graph.value(mapping, READ.system), sorted(map(str, graph.objects(mapping, SKOS.notation)))
            if system is None or not codes:
                raise error(
                    "a mapping without a system or a code", where=where, mend="give read:system and skos:notation"
                )
            meaning = self._meaning(graph, mapping, f"{system} {codes[0]}", where, error)
            for code in codes:
                key = (self._uris.get(str(system), str(system)), code)
                if self._meanings.setdefault(key, meaning) != meaning:
                    raise error(f"{system} {code} is mapped twice, differently", where=where, mend="keep one mapping")

    def _add_system(self, graph: Graph, uri: str) -> None:
        node = URIRef(uri)
        self.systems.setdefault(
            uri,
            System(
                name=str(graph.value(node, RDFS.label) or "a local code system"),
                pattern=str(graph.value(node, READ.codePattern) or ""),
                namespace=str(graph.value(node, READ.namespace) or ""),
            ),
        )
        for alias in graph.objects(node, READ.alias):
            self._uris.setdefault(str(alias), uri)

    def _meaning(self, graph: Graph, mapping: Node, name: str, where: str, error: type[KbError]) -> Meaning:
        finding = graph.value(mapping, READ.finding)
        kind = graph.value(finding, RDF.type) if finding is not None else None
        values = (
            {(p, o) for p, o in graph.predicate_objects(finding) if p != RDF.type} if finding is not None else set()
        )
        concepts = frozenset(URIRef(str(each)) for each in graph.objects(mapping, READ.concept))
        for term in (*concepts, *([kind] if finding is not None else ())):
            if str(term) not in self._own:
                raise error(
                    f"{name} is mapped to {self.kb.curie(str(term))}, which is no concept or class of findings",
                    where=where,
                    mend="map it to a term of the case or clinical vocabulary",
                )
        for predicate, _ in values:
            if (predicate, RDFS.domain, kind) not in self.kb.ontology:
                raise error(
                    f"{name} is mapped to a finding with {self.kb.curie(str(predicate))}, no property of its class",
                    where=where,
                    mend="use the properties of the class of the finding",
                )
        return Meaning(
            concepts=concepts,
            kind=URIRef(str(kind)) if kind is not None else None,
            values=frozenset((URIRef(str(p)), o) for p, o in values),
            not_present=str(graph.value(mapping, READ.notPresent)) == "true",
            notes=tuple(sorted(map(str, graph.objects(mapping, SKOS.scopeNote)))),
        )
