"""What codes of other systems mean in a case: the mappings of the knowledge base, with those of a plan added.

Nothing is known of a code but what a mapping says. A code of our own vocabularies (system
`https://w3id.org/policykb/clinical#`, code the local name) means the term itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools import shacl
from kb_tools.errors import KbError, KnowledgeBaseError, UnreadableInput
from kb_tools.knowledge_base import TERMINOLOGY, KnowledgeBase
from kb_tools.namespaces import CASE, CLIN, READ, TERM_NAMESPACES
from kb_tools.plain import Key, PlainFormat
from kb_tools.rdf import graph_of, parse_file

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
        self.kb = kb
        self.systems: dict[str, System] = {}
        self._uris: dict[str, str] = {}
        self._meanings: dict[tuple[str, str], Meaning] = {}
        # By system: what codes that no mapping names look like, with the class of findings that they may state.
        self._unmapped: defaultdict[str, set[tuple[str, URIRef]]] = defaultdict(set)
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
            graph = graph_of(triples)
            self._refuse_malformed(graph, str(each))
            self._add(graph, str(each), UnreadableInput)

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

    def _refuse_malformed(self, graph: Graph, where: str) -> None:
        """Holds a file of mappings against shapes/terminology.ttl.

        Raises:
            UnreadableInput: it does not conform, or maps nothing.
        """
        shapes = self.kb.graph([self.kb.root / SHAPES])
        for result in shacl.validate(graph, shapes):
            labels = (graph.value(node, RDFS.label) for node in graph.subjects() if str(node) == result.focus)
            focus = next((f'"{label}"' for label in labels if label), "")
            named = focus or (result.focus if ":" in result.focus else "a node without a name")
            said = " ".join(self.kb.curie(each) for each in (result.path,) if each)
            raise UnreadableInput(f"{named}: {said or 'not of the form'}", where=where, mend=result.message)
        if (None, RDF.type, READ.Mapping) not in graph:
            raise UnreadableInput("maps no code", where=where, mend="give it nodes of class read:Mapping")

    def _add(self, graph: Graph, where: str, error: type[KbError]) -> None:
        for node in graph.subjects(RDF.type, READ.CodeSystem):
            self._add_system(graph, str(node), where, error)
        for mapping in graph.subjects(RDF.type, READ.Mapping):
            system = str(graph.value(mapping, READ.system) or "")
            codes = sorted(map(str, graph.objects(mapping, SKOS.notation)))
            if not system or not codes:
                mend = "give read:system and skos:notation"
                raise error("a mapping without a system or a code", where=where, mend=mend)
            meaning = self._meaning(graph, mapping, f"{system} {codes[0]}", where, error)
            for code in codes:
                if self._meanings.setdefault((self._uri(system, code), code), meaning) != meaning:
                    raise error(f"{system} {code} is mapped twice, differently", where=where, mend="keep one mapping")

    def _add_system(self, graph: Graph, uri: str, where: str, error: type[KbError]) -> None:
        node = URIRef(uri)
        aliases = sorted(map(str, graph.objects(node, READ.alias)))
        for each in (uri, *aliases):
            taken = (each in self.systems and each != uri) or self._uris.get(each, uri) != uri
            if taken or each.startswith(_OWN):
                raise error(f"{each} is the URI of another code system", where=where, mend="map codes under that")
        pattern = str(graph.value(node, READ.codePattern) or "")
        unmapped = {
            (str(graph.value(each, READ.pattern) or ""), URIRef(str(kind)))
            for each in graph.objects(node, READ.unmapped)
            for kind in graph.objects(each, READ.mayState)
        }
        for each in (pattern, *(form for form, _ in unmapped)):
            try:
                re.compile(each)
            except re.error as fault:
                raise error(
                    f"a code pattern of {uri} is no regular expression: {fault}", where=where, mend="correct it"
                ) from fault
        for _, kind in unmapped:
            if (kind, RDFS.subClassOf, CASE.Finding) not in self.kb.ontology:
                raise error(
                    f"unmapped codes of {uri} may state {self.kb.curie(kind)}, which is no class of findings",
                    where=where,
                    mend="name a class of findings of the clinical vocabulary",
                )
        self._unmapped[uri] |= unmapped
        self.systems.setdefault(
            uri,
            System(
                name=str(graph.value(node, RDFS.label) or "a local code system"),
                pattern=pattern,
                namespace=str(graph.value(node, READ.namespace) or ""),
                includes=str(graph.value(node, READ.includes) or ""),
                of_observations=_is_true(graph.value(node, READ.ofObservations)),
            ),
        )
        for alias in aliases:
            self._uris[alias] = uri

    def _meaning(self, graph: Graph, mapping: Node, name: str, where: str, error: type[KbError]) -> Meaning:
        finding = graph.value(mapping, READ.finding)
        kind = graph.value(finding, RDF.type) if finding is not None else None
        values = (
            {(p, o) for p, o in graph.predicate_objects(finding) if p != RDF.type} if finding is not None else set()
        )
        concepts = frozenset(URIRef(str(each)) for each in graph.objects(mapping, READ.concept))
        leaves_open = frozenset(graph.objects(mapping, READ.leavesOpen))
        past = frozenset(graph.objects(mapping, READ.impliesPast))
        kinds = {*leaves_open, *past, *([kind] if finding is not None else ())}
        for term in (*concepts, *kinds):
            known = self._own.get(str(term))
            if known is None or (term in kinds and known.kind is None):
                raise error(
                    f"{name} is mapped to {self.kb.curie(str(term))}, which is no concept or class of findings",
                    where=where,
                    mend="map it to a term of the case or clinical vocabulary",
                )
        for predicate, value in values:
            if (predicate, RDFS.domain, kind) not in self.kb.ontology:
                raise error(
                    f"{name} is mapped to a finding with {self.kb.curie(str(predicate))}, no property of its class",
                    where=where,
                    mend="use the properties of the class of the finding",
                )
            key = self.keys.get((kind, predicate)) if kind is not None else None
            if key is None or not key.takes(value) or sum(predicate == each for each, _ in values) > 1:
                raise error(
                    f"{name} is mapped to a finding whose {self.kb.curie(str(predicate))} is no one value of it",
                    where=where,
                    mend=key.hint if key else "leave it out",
                )
        return Meaning(
            concepts=concepts,
            kind=URIRef(str(kind)) if kind is not None else None,
            values=frozenset((URIRef(str(p)), o) for p, o in values),
            leaves_open=leaves_open,
            past=past,
            not_present=_is_true(graph.value(mapping, READ.notPresent)),
            notes=tuple(sorted(map(str, graph.objects(mapping, SKOS.scopeNote)))),
        )


def _is_true(value: Node | None) -> bool:
    return isinstance(value, Literal) and value.value is True
