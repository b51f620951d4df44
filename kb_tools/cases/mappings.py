"""The mappings of codes, as files of terminology state them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.cases.form import CaseForms
from kb_tools.cases.mapping_faults import faults_of
from kb_tools.cases.meaning import Meaning, System
from kb_tools.cases.vocabulary import Vocabulary
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN, READ, namespace_of_policy


def is_own(system: str) -> bool:
    """Whether a system of codes is a vocabulary of ours, or of a policy's own: its codes are the terms."""
    return system in (str(CLIN), str(CASE)) or namespace_of_policy(system) == system != ""


class Mappings:
    """All mappings that were read.

    Attributes:
        systems: by URI.
        aliases: other URIs of these systems, each with the URI.
        meanings: by system and code.
        unmapped: by system: what codes that no mapping names look like, with the class of findings that they may state.
        classified: by system: the diseases of which the vocabulary says by which codes they are classed.
        mistaken: URIs of other systems, each with those under which codes may be sent by mistake.
        words: the words of texts and the phrases to pass over, each as one set of words, with what is mentioned.
    """

    def __init__(self, kb: Repository) -> None:
        self.kb = kb
        self.systems: dict[str, System] = {}
        self.aliases: dict[str, str] = {}
        self.meanings: dict[tuple[str, str], Meaning] = {}
        self.unmapped: defaultdict[str, set[tuple[str, URIRef]]] = defaultdict(set)
        self.classified: defaultdict[str, set[URIRef]] = defaultdict(set)
        self.mistaken: defaultdict[str, set[str]] = defaultdict(set)
        self.words: list[tuple[frozenset[str], frozenset[str], frozenset[URIRef]]] = []

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The terms that codes are mapped to."""
        return Vocabulary(self.kb, CaseForms(self.kb))

    @cached_property
    def own(self) -> dict[str, Meaning]:
        """The terms of our vocabularies that a record can name as codes: concepts, and classes of findings."""
        ontology = self.kb.ontology
        concepts = set(ontology.transitive_subjects(RDFS.subClassOf, SKOS.Concept))
        found = {
            str(term): Meaning(concepts=frozenset({URIRef(str(term))}))
            for term, kind in ontology.subject_objects(RDF.type)
            if kind in concepts and isinstance(term, URIRef)
        }
        kinds = (kind for kind in ontology.subjects(RDFS.subClassOf, CASE.Finding) if isinstance(kind, URIRef))
        return found | {str(kind): Meaning(kind=kind) for kind in kinds}

    def uri_of(self, uri: str, code: str) -> str:
        """The URI of the system that a code belongs to: the one named, or one that is sent under its name."""
        own = self.aliases.get(uri, uri)
        system = self.systems.get(own)
        included = self.systems.get(system.includes) if system else None
        if system and included and not re.fullmatch(system.pattern, code) and re.fullmatch(included.pattern, code):
            return system.includes
        return own

    def read(self, graphs: Mapping[str, Graph]) -> Iterator[UnreadableInput]:
        """Takes in files of mappings, all code systems before all mappings; yields what contradicts what is known.

        Args:
            graphs: by the name of its file.
        """
        faults: list[tuple[str, Iterator[tuple[str, str]]]] = []
        faults += [(where, self._add_systems(graph)) for where, graph in graphs.items()]
        faults += [(where, self._add_classified(graph)) for where, graph in graphs.items()]
        faults += [(where, self._check_includes(graph)) for where, graph in graphs.items()]
        faults += [(where, self._add_mappings(graph)) for where, graph in graphs.items()]
        faults += [(where, self._add_words(graph)) for where, graph in graphs.items()]
        for where, found in faults:
            for what, hint in found:
                yield UnreadableInput(what, where=where, hint=hint)

    def _add_systems(self, graph: Graph) -> Iterator[tuple[str, str]]:
        for node in graph.subjects(RDF.type, READ.CodeSystem):
            uri = str(node)
            aliases = sorted(map(str, graph.objects(node, READ.alias)))
            for name in (uri, *aliases):
                taken = (name in self.systems and name != uri) or self.aliases.get(name, uri) != uri
                if taken or (is_own(name) or name.startswith((str(CLIN), str(CASE)))):
                    yield f"{name} is the URI of another code system", "map codes under that"
            unmapped = {
                (str(graph.value(unmapped, READ.pattern)), URIRef(str(kind)))
                for unmapped in graph.objects(node, READ.unmapped)
                for kind in graph.objects(unmapped, READ.mayState)
            }
            system = System(
                name=str(graph.value(node, RDFS.label)),
                pattern=str(graph.value(node, READ.codePattern) or ""),
                namespace=str(graph.value(node, READ.namespace) or ""),
                includes=str(graph.value(node, READ.includes) or ""),
                of_observations=_is_true(graph.value(node, READ.ofObservations)),
                classification=str(graph.value(node, READ.classification) or ""),
            )
            faulty = False
            for pattern in (system.pattern, *(pattern for pattern, _ in unmapped)):
                try:
                    re.compile(pattern)
                except re.error as fault:
                    faulty = True
                    yield f"a code pattern of {uri} is no regular expression: {fault}", "correct it"
            for _, kind in unmapped:
                if (kind, RDFS.subClassOf, CASE.Finding) not in self.kb.ontology:
                    yield (
                        f"unmapped codes of {uri} may state {self.kb.curie(kind)}, which is no class of findings",
                        "name a class of findings of the clinical vocabulary",
                    )
            if faulty:
                continue
            if self.systems.setdefault(uri, system) != system:
                yield f"{uri} is described already, differently", "leave the description out, or state the same"
            self.unmapped[uri] |= unmapped
            self.aliases |= dict.fromkeys(aliases, uri)

    def _add_classified(self, graph: Graph) -> Iterator[tuple[str, str]]:
        """Takes in of which diseases the vocabulary is asked, and what a system is mistaken for."""
        for node, other in graph.subject_objects(READ.mistakenFor):
            self.mistaken[str(other)].add(str(node))
        for node, disease in graph.subject_objects(READ.classifies):
            if (disease, RDF.type, CLIN.Disease) in self.kb.ontology:
                self.classified[str(node)].add(URIRef(str(disease)))
            else:
                yield (
                    f"{node} classifies {self.kb.curie(str(disease))}, which is no disease",
                    "name a disease of the clinical vocabulary",
                )

    def _check_includes(self, graph: Graph) -> Iterator[tuple[str, str]]:
        for node, included in graph.subject_objects(READ.includes):
            if str(included) not in self.systems:
                yield (
                    f"{node} includes {included}, a code system that nothing describes",
                    "describe it, or leave it out",
                )

    def _add_words(self, graph: Graph) -> Iterator[tuple[str, str]]:
        for node in graph.subjects(RDF.type, READ.Words):
            kinds = frozenset(URIRef(str(kind)) for kind in graph.objects(node, READ.mentions))
            for kind in sorted(kinds):
                if (kind, RDFS.subClassOf, CASE.Finding) not in self.kb.ontology:
                    yield (
                        f"words mention {self.kb.curie(kind)}, which is no class of findings",
                        "name a class of findings of the clinical vocabulary",
                    )
            words, phrases = (frozenset(map(str, graph.objects(node, p))) for p in (READ.word, READ.phrase))
            self.words.append((words, phrases, kinds))

    def _add_mappings(self, graph: Graph) -> Iterator[tuple[str, str]]:
        for mapping in graph.subjects(RDF.type, READ.Mapping):
            system = str(graph.value(mapping, READ.system))
            codes = sorted(map(str, graph.objects(mapping, SKOS.notation)))
            if is_own(system) or system.startswith((str(CLIN), str(CASE))):
                yield f"codes of {system} are mapped, the terms of our own vocabulary", "leave the mapping out"
                continue
            if self.aliases.get(system, system) not in self.systems:
                yield f"codes of {system} are mapped, which nothing describes", "describe it as a read:CodeSystem"
                continue
            meaning = _meaning_of(graph, mapping)
            faults = list(faults_of(meaning, self.vocabulary, self.own))
            yield from ((f"{system} {' '.join(codes[:1])} {what}", hint) for what, hint in faults)
            for code in codes if not faults else ():
                known = self.meanings.setdefault((self.uri_of(system, code), code), meaning)
                if replace(known, notes=()) != replace(meaning, notes=()):
                    yield f"{system} {code} is mapped twice, differently", "keep one mapping"


def _meaning_of(graph: Graph, mapping: Node) -> Meaning:
    finding = graph.value(mapping, READ.finding)
    stated = list(graph.predicate_objects(finding)) if finding is not None else []
    kind = next((URIRef(str(o)) for p, o in stated if p == RDF.type), None)
    return Meaning(
        concepts=frozenset(URIRef(str(concept)) for concept in graph.objects(mapping, READ.concept)),
        kind=kind,
        values=frozenset((URIRef(str(p)), o) for p, o in stated if p != RDF.type),
        leaves_open=frozenset(graph.objects(mapping, READ.leavesOpen)),
        past=frozenset(graph.objects(mapping, READ.impliesPast)),
        not_present=_is_true(graph.value(mapping, READ.notPresent)),
        complement=_is_true(graph.value(mapping, READ.complement)),
        notes=tuple(sorted(map(str, graph.objects(mapping, SKOS.scopeNote)))),
    )


def _is_true(value: Node | None) -> bool:
    return isinstance(value, Literal) and value.value is True
