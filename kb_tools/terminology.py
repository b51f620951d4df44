"""What codes of other systems mean in a case: the mappings of the knowledge base, with those of a plan added.

Nothing is known of a code but what a mapping says. A code of our own vocabularies (system
`https://w3id.org/policykb/clinical#`, code the local name) means the term itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools import shacl
from kb_tools.errors import KnowledgeBaseError, UnreadableInput
from kb_tools.knowledge_base import TERMINOLOGY, KnowledgeBase
from kb_tools.namespaces import CASE, CLIN, READ, TERM_NAMESPACES
from kb_tools.plain import Key, PlainFormat
from kb_tools.rdf import graph_of, parse_file

if TYPE_CHECKING:
    from kb_tools.fhir_terms import Vocabulary

SHAPES = "shapes/terminology.ttl"
_OWN = (str(CLIN), str(CASE))


@dataclass(frozen=True)
class Meaning:
    """What a code means.

    Attributes:
        concepts: the concepts that it names.
        kind: the class of the finding that a resource with this code states, if it states one.
        values: what that finding states, apart from date and basis.
        leaves_open: the classes of findings of which such a resource may state one, though the code does not say so.
        past: the classes of findings of which the code says that there was one, and no more.
        not_present: whether the code says that the condition is in remission, inactive or gone.
        notes: what the code does not say.
    """

    concepts: frozenset[URIRef] = frozenset()
    kind: URIRef | None = None
    values: frozenset[tuple[URIRef, Node]] = frozenset()
    leaves_open: frozenset[Node] = frozenset()
    past: frozenset[Node] = frozenset()
    not_present: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class System:
    """A code system.

    Attributes:
        pattern: what its codes look like; "" where they must not be named.
        namespace: that of its codes as procedure codes of a request; "" where they are none.
        includes: the URI of a system whose codes are sent under this one too, "" for none.
        of_observations: whether its codes name what is observed, so that an order of one asks for no treatment.
    """

    name: str
    pattern: str
    namespace: str
    includes: str
    of_observations: bool


class Terminology:
    """All mappings, by system and code."""

    def __init__(self, kb: KnowledgeBase, added: Sequence[Path] = ()) -> None:
        """Reads the mappings of the knowledge base and those of the files added.

        Raises:
            KnowledgeBaseError: the knowledge base contradicts itself.
            UnreadableInput: a file added cannot be read, is not of the form, or contradicts what is known of a code.
        """
        self._begin(kb)
        path = kb.root / TERMINOLOGY
        for fault in self._read({str(path): kb.graph([path])}):
            raise KnowledgeBaseError(fault.what, where=fault.where, mend=fault.mend)
        graphs = {str(each): graph_of(parse_file(each)) for each in added}
        for fault in chain(self._malformed(graphs), self._read(graphs)):
            raise fault

    def _begin(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self.systems: dict[str, System] = {}
        self._uris: dict[str, str] = {}
        self._meanings: dict[tuple[str, str], Meaning] = {}
        # By system: what codes that no mapping names look like, with the class of findings that they may state.
        self._unmapped: defaultdict[str, set[tuple[str, URIRef]]] = defaultdict(set)

    def meaning(self, system: str, code: str) -> Meaning | None:
        """What a code means; None where that is not known."""
        if system in _OWN:
            return self._own.get(system + code)
        return self._meanings.get((self._uri(system, code), code))

    def may_mean(self, system: str, code: str) -> frozenset[URIRef]:
        """The classes of findings of which a resource with a code that is not mapped may state one.

        Empty where the code is mapped, and where nothing is said of codes that look so.
        """
        if self.meaning(system, code) is not None:
            return frozenset()
        unmapped = self._unmapped.get(self._uri(system, code), ())
        return frozenset(kind for pattern, kind in unmapped if re.fullmatch(pattern, code, re.IGNORECASE))

    def system(self, uri: str, code: str) -> System | None:
        """The code system of that URI, or of that alias of it, to which a code belongs."""
        return self.systems.get(self._uri(uri, code))

    def _uri(self, uri: str, code: str) -> str:
        """The URI of the system that a code belongs to: the one named, or one that is sent under its name."""
        own = self._uris.get(uri, uri)
        system = self.systems.get(own)
        included = self.systems.get(system.includes) if system else None
        if system and included and not re.fullmatch(system.pattern, code) and re.fullmatch(included.pattern, code):
            return system.includes
        return own

    def name(self, uri: str, code: str) -> str:
        """How a record names a code: never anything that may be a text about a person."""
        if not uri:
            return "a code without a system"
        if uri in _OWN:
            return self.kb.curie(uri + code) if uri + code in self._own else "a code of our vocabularies"
        system = self.system(uri, code)
        if system is None:
            return "a code of a system that is not known here"
        known = (self._uri(uri, code), code) in self._meanings
        shaped = bool(system.pattern) and re.fullmatch(system.pattern, code) is not None
        return f"{system.name} {code}" if known or shaped else f"a code of {system.name}"

    def __iter__(self) -> Iterator[tuple[str, str, Meaning]]:
        """Every code with its system and meaning, in order."""
        for (system, code), meaning in sorted(self._meanings.items(), key=lambda each: each[0]):
            yield system, code, meaning

    # ------------------------------------------------------------------ reading mappings

    @cached_property
    def keys(self) -> dict[tuple[Node, Node], Key]:
        """What the case shapes say of each property of each class."""
        forms = PlainFormat(self.kb).forms.values()
        return {(form.iri, key.path): key for form in forms for key in form.keys.values()}

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

    @classmethod
    def problems(cls, kb: KnowledgeBase) -> Iterator[UnreadableInput]:
        """All faults of the mappings of the knowledge base, where loading them tells the first."""
        path = kb.root / TERMINOLOGY
        graphs = {str(path): kb.graph([path])}
        begun = cls.__new__(cls)
        begun._begin(kb)
        yield from list(begun._malformed(graphs)) or begun._read(graphs)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        from kb_tools.fhir_terms import Vocabulary

        return Vocabulary(self.kb, self)

    def _malformed(self, graphs: Mapping[str, Graph]) -> Iterator[UnreadableInput]:
        """What in files of mappings is not of the form of shapes/terminology.ttl."""
        shapes = self.kb.graph([self.kb.root / SHAPES])
        for where, graph in graphs.items():
            for term in sorted({str(each) for each in graph.subjects() if str(each).startswith(TERM_NAMESPACES)}):
                yield UnreadableInput(
                    f"says something of {self.kb.curie(term)}, a term of the vocabulary",
                    where=where,
                    mend="a terminology maps codes and defines no term",
                )
            for result in shacl.validate(graph, shapes):
                labels = (graph.value(node, RDFS.label) for node in graph.subjects() if str(node) == result.focus)
                focus = next((f'"{label}"' for label in labels if label), "")
                named = focus or (result.focus if ":" in result.focus else "a node without a name")
                said = self.kb.curie(result.path) if result.path else "not of the form"
                yield UnreadableInput(f"{named}: {said}", where=where, mend=result.message)
            if (None, RDF.type, READ.Mapping) not in graph:
                yield UnreadableInput("maps no code", where=where, mend="give it nodes of class read:Mapping")

    def _read(self, graphs: Mapping[str, Graph]) -> Iterator[UnreadableInput]:
        """Takes in files of mappings, all code systems before all mappings; yields what contradicts what is known."""
        faults: list[tuple[str, Iterator[tuple[str, str]]]] = []
        faults += [(where, self._add_systems(graph)) for where, graph in graphs.items()]
        faults += [(where, self._check_includes(graph)) for where, graph in graphs.items()]
        faults += [(where, self._add_mappings(graph)) for where, graph in graphs.items()]
        for where, each in faults:
            for what, mend in each:
                yield UnreadableInput(what, where=where, mend=mend)

    def _add_systems(self, graph: Graph) -> Iterator[tuple[str, str]]:
        for node in graph.subjects(RDF.type, READ.CodeSystem):
            uri = str(node)
            aliases = sorted(map(str, graph.objects(node, READ.alias)))
            for each in (uri, *aliases):
                taken = (each in self.systems and each != uri) or self._uris.get(each, uri) != uri
                if taken or each.startswith(_OWN):
                    yield f"{each} is the URI of another code system", "map codes under that"
            unmapped = {
                (str(graph.value(each, READ.pattern)), URIRef(str(kind)))
                for each in graph.objects(node, READ.unmapped)
                for kind in graph.objects(each, READ.mayState)
            }
            system = System(
                name=str(graph.value(node, RDFS.label)),
                pattern=str(graph.value(node, READ.codePattern) or ""),
                namespace=str(graph.value(node, READ.namespace) or ""),
                includes=str(graph.value(node, READ.includes) or ""),
                of_observations=_is_true(graph.value(node, READ.ofObservations)),
            )
            faulty = False
            for each in (system.pattern, *(form for form, _ in unmapped)):
                try:
                    re.compile(each)
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
            self._unmapped[uri] |= unmapped
            self._uris |= dict.fromkeys(aliases, uri)

    def _check_includes(self, graph: Graph) -> Iterator[tuple[str, str]]:
        for node, included in graph.subject_objects(READ.includes):
            if str(included) not in self.systems:
                yield (
                    f"{node} includes {included}, a code system that nothing describes",
                    "describe it, or leave it out",
                )

    def _add_mappings(self, graph: Graph) -> Iterator[tuple[str, str]]:
        for mapping in graph.subjects(RDF.type, READ.Mapping):
            system = str(graph.value(mapping, READ.system))
            codes = sorted(map(str, graph.objects(mapping, SKOS.notation)))
            if system.startswith(_OWN):
                yield f"codes of {system} are mapped, the terms of our own vocabulary", "leave the mapping out"
                continue
            if self._uris.get(system, system) not in self.systems:
                yield f"codes of {system} are mapped, which nothing describes", "describe it as a read:CodeSystem"
                continue
            meaning = self._meaning(graph, mapping)
            faults = list(self._faults_of(meaning))
            yield from ((f"{system} {' '.join(codes[:1])} {what}", mend) for what, mend in faults)
            for code in codes if not faults else ():
                known = self._meanings.setdefault((self._uri(system, code), code), meaning)
                if replace(known, notes=()) != replace(meaning, notes=()):
                    yield f"{system} {code} is mapped twice, differently", "keep one mapping"

    def _meaning(self, graph: Graph, mapping: Node) -> Meaning:
        finding = graph.value(mapping, READ.finding)
        said = list(graph.predicate_objects(finding)) if finding is not None else []
        kind = next((URIRef(str(o)) for p, o in said if p == RDF.type), None)
        return Meaning(
            concepts=frozenset(URIRef(str(each)) for each in graph.objects(mapping, READ.concept)),
            kind=kind,
            values=frozenset((URIRef(str(p)), o) for p, o in said if p != RDF.type),
            leaves_open=frozenset(graph.objects(mapping, READ.leavesOpen)),
            past=frozenset(graph.objects(mapping, READ.impliesPast)),
            not_present=_is_true(graph.value(mapping, READ.notPresent)),
            notes=tuple(sorted(map(str, graph.objects(mapping, SKOS.scopeNote)))),
        )

    def _faults_of(self, meaning: Meaning) -> Iterator[tuple[str, str]]:
        """What a mapping says that cannot be: terms that there are not, values that a finding cannot have."""
        ontology, curie = self.kb.ontology, self.kb.curie
        for term in sorted(meaning.concepts):
            if str(term) not in self._own:
                yield (
                    f"is mapped to {curie(term)}, which is no concept or class of findings",
                    "map it to a term of the case or clinical vocabulary",
                )
        for term in sorted({*meaning.leaves_open, *meaning.past, *([meaning.kind] if meaning.kind else ())}):
            if (term, RDFS.subClassOf, CASE.Finding) not in ontology:
                yield (
                    f"is mapped to {curie(str(term))}, which is no class of findings",
                    "map it to a class of findings of the clinical vocabulary",
                )
        diseases = {each for each in meaning.concepts if (each, RDF.type, CLIN.Disease) in ontology}
        if diseases and self._vocabulary.narrowest(diseases) is None:
            names = " and ".join(sorted(map(curie, diseases)))
            yield f"is mapped to {names}, which are different diseases", "map it to one, or to a group of both"
        for predicate, value in sorted(meaning.values):
            if (predicate, RDFS.domain, meaning.kind) not in ontology:
                yield (
                    f"is mapped to a finding with {curie(predicate)}, no property of its class",
                    "use the properties of the class of the finding",
                )
                continue
            key = self.keys.get((meaning.kind, predicate)) if meaning.kind else None
            if key is None or not key.takes(value) or sum(predicate == each for each, _ in meaning.values) > 1:
                yield (
                    f"is mapped to a finding whose {curie(predicate)} is not one allowed value",
                    key.hint if key else "leave it out",
                )
                return
        number = self._vocabulary.number_of(meaning.kind) if meaning.kind else None
        if number and not number.consistent(dict(meaning.values)):
            stated = " and ".join(sorted(curie(each) for each, _ in meaning.values if each in number.properties))
            yield f"is mapped to a finding whose {stated} exclude each other", "state one number, or bounds that meet"


def _is_true(value: Node | None) -> bool:
    return isinstance(value, Literal) and value.value is True
