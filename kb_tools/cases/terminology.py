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

from kb_tools.cases.form import CaseForms, Key
from kb_tools.errors import KnowledgeBaseError, UnreadableInput
from kb_tools.model.repository import TERMINOLOGY, KnowledgeBase
from kb_tools.rdf import shacl
from kb_tools.rdf.files import parse_file
from kb_tools.rdf.namespaces import CASE, CLIN, READ, TERM_NAMESPACES
from kb_tools.rdf.terms import graph_of

if TYPE_CHECKING:
    from kb_tools.cases.vocabulary import Vocabulary

SHAPES = "shapes/terminology.ttl"
_OWN = (str(CLIN), str(CASE))
# Letters and digits in a row.
_WORDS = re.compile(r"[^\W_]+")
# With what the URI of a system may begin or not.
_SCHEMES = re.compile(r"https?://(?:www\.)?|(?:urn:)?oid:")


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
        complement: whether a number observed under the code is the rest of what the finding states.
        notes: what the code does not say.
    """

    concepts: frozenset[URIRef] = frozenset()
    kind: URIRef | None = None
    values: frozenset[tuple[URIRef, Node]] = frozenset()
    leaves_open: frozenset[Node] = frozenset()
    past: frozenset[Node] = frozenset()
    not_present: bool = False
    complement: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Near:
    """What a code that is not known may be meant for.

    Attributes:
        meaning: that of the code that may be meant.
        hint: how to write it, without anything of the input but a code that is known.
    """

    meaning: Meaning
    hint: str


@dataclass(frozen=True)
class System:
    """A code system.

    Attributes:
        pattern: what its codes look like; "" where they must not be named.
        namespace: that of its codes as procedure codes of a request; "" where they are none.
        includes: the URI of a system whose codes are sent under this one too, "" for none.
        of_observations: whether its codes name what is observed, so that an order of one asks for no treatment.
        classification: the property by which our diseases name codes of the system; "" for none.
    """

    name: str
    pattern: str
    namespace: str
    includes: str
    of_observations: bool
    classification: str = ""


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
            raise KnowledgeBaseError(fault.what, where=fault.where, hint=fault.hint)
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
        # By system: the diseases of which the vocabulary says by which codes they are classed.
        self._classified: defaultdict[str, set[URIRef]] = defaultdict(set)
        # URIs of other systems, each with those under which codes may be sent by mistake.
        self._mistaken: defaultdict[str, set[str]] = defaultdict(set)
        # The words of texts and the phrases to pass over, each as one set of words, with what is mentioned.
        self._words: list[tuple[frozenset[str], frozenset[str], frozenset[URIRef]]] = []

    def meaning(self, system: str, code: str) -> Meaning | None:
        """What a code means; None where that is not known."""
        if system in _OWN:
            return self._own.get(system + code)
        uri = self._uri(system, code)
        return self._meanings.get((uri, code)) or self._classed(uri, code)

    def _classed(self, uri: str, code: str) -> Meaning | None:
        """The meaning of a code that is read off the vocabulary: the narrowest disease that it is classed under."""
        if uri not in self._classified or not re.fullmatch(self.systems[uri].pattern, code):
            return None
        found = {disease for disease, block in self._blocks[uri] if _holds(block, code)}
        if any(known.startswith(code) for system, known in self._meanings if found and system == uri):
            # A category of which a mapping says what a part means.
            return None
        narrowest = self._vocabulary.narrowest(found)
        return Meaning(concepts=frozenset({narrowest})) if narrowest else None

    @cached_property
    def _blocks(self) -> dict[str, list[tuple[URIRef, str]]]:
        """By system: the diseases that it classifies, each with a code, category or block that it is classed under."""
        return {
            uri: [
                (disease, str(block))
                for top in tops
                for disease in self._vocabulary.kinds_of(top)
                if isinstance(disease, URIRef)
                for block in self.kb.ontology.objects(disease, URIRef(self.systems[uri].classification))
            ]
            for uri, tops in self._classified.items()
        }

    def near(self, system: str, code: str) -> Near | None:
        """What a code that is not known may be meant for: a known one that is written otherwise, or its system is.

        None where the code is known, or like none that is known.
        """
        if system in _OWN or self.meaning(system, code) is not None:
            return None
        plain = code.strip().upper()
        dotted = f"{plain[:3]}.{plain[3:]}"
        found: dict[tuple[str, str], Meaning] = {}
        for uri in self._meant(system):
            for written in (code, code.strip(), plain, dotted):
                meaning = self.meaning(uri, written)
                if meaning:
                    found.setdefault((self._uri(uri, written), written), meaning)
                    break
        if len(found) != 1:
            return None
        ((own, written), meaning) = next(iter(found.items()))
        elsewhere = self._uri(system, written) != own
        faults, hints = [], []
        if written != code:
            faults.append("without its dot" if written == dotted else "in small letters or with blanks")
            hints.append(f"write {written}")
        if elsewhere:
            faults.append("under the URI of another system" if system else "without a system")
            hints.append(f"give the system {own}")
        name = f"{self.systems[own].name} {written}"
        return Near(meaning, f"{name} may be meant, {' and '.join(faults)}: {' and '.join(hints)}")

    def _meant(self, system: str) -> list[str]:
        """The URIs of known systems that a URI may be meant for; all of them where there is none."""
        if not system:
            return sorted(self.systems)
        if self._uris.get(system, system) in self.systems:
            return [self._uris.get(system, system)]
        found = {uri for uri in self.systems if _alike(uri) == _alike(system)}
        found |= {uri for alias, uri in self._uris.items() if _alike(alias) == _alike(system)}
        for other, uris in self._mistaken.items():
            if _alike(other) == _alike(system):
                found |= uris
        return sorted(found)

    def mentions(self, text: str) -> frozenset[URIRef]:
        """The classes of findings that a text may be about, by the words in it."""
        words = f" {' '.join(_WORDS.findall(text.casefold()))} "
        found: set[URIRef] = set()
        for listed, phrases, kinds in self._words:
            left = words
            for phrase in phrases:
                left = left.replace(f" {phrase} ", " ")
            if any(f" {word} " in left for word in listed):
                found |= kinds
        return frozenset(found)

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
        forms = CaseForms(self.kb).forms.values()
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
        from kb_tools.cases.vocabulary import Vocabulary

        return Vocabulary(self.kb, self)

    def _malformed(self, graphs: Mapping[str, Graph]) -> Iterator[UnreadableInput]:
        """What in files of mappings is not of the form of shapes/terminology.ttl."""
        shapes = self.kb.graph([self.kb.root / SHAPES])
        for where, graph in graphs.items():
            for term in sorted({str(each) for each in graph.subjects() if str(each).startswith(TERM_NAMESPACES)}):
                yield UnreadableInput(
                    f"says something of {self.kb.curie(term)}, a term of the vocabulary",
                    where=where,
                    hint="a terminology maps codes and defines no term",
                )
            for result in shacl.validate(graph, shapes):
                labels = (graph.value(node, RDFS.label) for node in graph.subjects() if str(node) == result.focus)
                focus = next((f'"{label}"' for label in labels if label), "")
                named = focus or (result.focus if ":" in result.focus else "a node without a name")
                said = self.kb.curie(result.path) if result.path else "not of the form"
                yield UnreadableInput(f"{named}: {said}", where=where, hint=result.message)
            if (None, RDF.type, READ.Mapping) not in graph and (None, RDF.type, READ.Words) not in graph:
                yield UnreadableInput("maps no code", where=where, hint="give it nodes of class read:Mapping")

    def _read(self, graphs: Mapping[str, Graph]) -> Iterator[UnreadableInput]:
        """Takes in files of mappings, all code systems before all mappings; yields what contradicts what is known."""
        faults: list[tuple[str, Iterator[tuple[str, str]]]] = []
        faults += [(where, self._add_systems(graph)) for where, graph in graphs.items()]
        faults += [(where, self._add_classified(graph)) for where, graph in graphs.items()]
        faults += [(where, self._check_includes(graph)) for where, graph in graphs.items()]
        faults += [(where, self._add_mappings(graph)) for where, graph in graphs.items()]
        faults += [(where, self._add_words(graph)) for where, graph in graphs.items()]
        for where, each in faults:
            for what, hint in each:
                yield UnreadableInput(what, where=where, hint=hint)

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
                classification=str(graph.value(node, READ.classification) or ""),
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

    def _add_classified(self, graph: Graph) -> Iterator[tuple[str, str]]:
        """Takes in of which diseases the vocabulary is asked, and what a system is mistaken for."""
        for node, other in graph.subject_objects(READ.mistakenFor):
            self._mistaken[str(other)].add(str(node))
        for node, disease in graph.subject_objects(READ.classifies):
            if (disease, RDF.type, CLIN.Disease) in self.kb.ontology:
                self._classified[str(node)].add(URIRef(str(disease)))
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
            kinds = frozenset(URIRef(str(each)) for each in graph.objects(node, READ.mentions))
            for kind in sorted(kinds):
                if (kind, RDFS.subClassOf, CASE.Finding) not in self.kb.ontology:
                    yield (
                        f"words mention {self.kb.curie(kind)}, which is no class of findings",
                        "name a class of findings of the clinical vocabulary",
                    )
            words, phrases = (frozenset(map(str, graph.objects(node, each))) for each in (READ.word, READ.phrase))
            self._words.append((words, phrases, kinds))

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
            yield from ((f"{system} {' '.join(codes[:1])} {what}", hint) for what, hint in faults)
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
            complement=_is_true(graph.value(mapping, READ.complement)),
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
        if meaning.complement and (number is None or number.unit != "%"):
            yield "is mapped as the complement of what is no percentage", "leave read:complement out"
        if number and not number.consistent(dict(meaning.values)):
            stated = " and ".join(sorted(curie(each) for each, _ in meaning.values if each in number.properties))
            yield f"is mapped to a finding whose {stated} exclude each other", "state one number, or bounds that meet"


def _is_true(value: Node | None) -> bool:
    return isinstance(value, Literal) and value.value is True


def _holds(block: str, code: str) -> bool:
    """Whether a code, a category or a block of categories, as "C00-C80", holds a code."""
    first, _, last = block.partition("-")
    return first <= code[: len(last)] <= last if last else code.startswith(first)


def _alike(uri: str) -> str:
    """What the ways of writing the URI of a code system have in common."""
    written = uri.strip().casefold()
    scheme = _SCHEMES.match(written)
    return written[scheme.end() if scheme else 0 :].rstrip("/")
