"""What codes of other systems mean in a case: the mappings of the knowledge base, with those of a plan added.

Nothing is known of a code but what a mapping says. A code of our own vocabularies (system
`https://w3id.org/policykb/clinical#`, code the local name) means the term itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from rdflib import URIRef

from kb_tools.cases.mapping_faults import malformed
from kb_tools.cases.mappings import Mappings, is_own
from kb_tools.cases.meaning import Meaning, System
from kb_tools.cases.memo import remembered
from kb_tools.cases.vocabulary import Vocabulary
from kb_tools.errors import KnowledgeBaseError, UnreadableInput
from kb_tools.model.repository import TERMINOLOGY, Repository
from kb_tools.rdf.files import parse_file
from kb_tools.rdf.terms import graph_of, local_name

# How a record names a code of a system that nothing describes.
_OF_UNKNOWN_SYSTEM = "a code of an unknown system"
# What is longer than this, in characters, is a text of its own and not the display of a code, and rarely comes again.
_LONGEST_DISPLAY = 200
# Letters and digits in a row.
_WORDS = re.compile(r"[^\W_]+")
# With what the URI of a system may begin or not.
_SCHEMES = re.compile(r"https?://(?:www\.)?|(?:urn:)?oid:")


@dataclass(frozen=True)
class Near:
    """What a code that is not known may be meant for.

    Attributes:
        meaning: that of the code that may be meant.
        hint: how to write it, without anything of the input but a code that is known.
    """

    meaning: Meaning
    hint: str


class Terminology:
    """What codes mean, by all mappings."""

    def __init__(self, kb: Repository, added: Sequence[Path] = ()) -> None:
        """Reads the mappings of the knowledge base and those of the files added.

        Raises:
            KnowledgeBaseError: the knowledge base contradicts itself.
            UnreadableInput: a file added cannot be read, is not of the form, or contradicts what is known of a code.
        """
        self.kb = kb
        self._mappings = Mappings(kb)
        path = kb.root / TERMINOLOGY
        for fault in self._mappings.read({str(path): kb.graph([path])}):
            raise KnowledgeBaseError(fault.what, where=fault.where, hint=fault.hint)
        graphs = {str(file): graph_of(parse_file(file)) for file in added}
        for fault in chain(malformed(kb, graphs), self._mappings.read(graphs)):
            raise fault

    @staticmethod
    def problems(kb: Repository) -> Iterator[UnreadableInput]:
        """All faults of the mappings of the knowledge base, where loading them tells the first."""
        path = kb.root / TERMINOLOGY
        graphs = {str(path): kb.graph([path])}
        yield from list(malformed(kb, graphs)) or Mappings(kb).read(graphs)

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms that codes are mapped to."""
        return self._mappings.vocabulary

    @cached_property
    def meanings(self) -> Mapping[tuple[str, str], Meaning]:
        """What each code means that is listed, by system and code, and what each term of our own vocabularies does."""
        own = {
            (iri.removesuffix(local_name(iri)), local_name(iri)): meaning for iri, meaning in self._mappings.own.items()
        }
        return {**self._mappings.meanings, **own}

    @cached_property
    def naming_policies(self) -> frozenset[str]:
        """The services and billing codes by which a request names a policy on file (pol:namedBy): their IRIs."""
        found: set[str] = set()
        for policy in self.kb.policies():
            # Of a policy that cannot be read, whoever asks for it is told.
            with suppress(KnowledgeBaseError):
                found |= policy.named_by
        return frozenset(found)

    @remembered
    def meaning(self, system: str, code: str) -> Meaning | None:
        """What a code means; None where that is not known."""
        if is_own(system):
            return self._mappings.own.get(system + code)
        uri = self._mappings.uri_of(system, code)
        return self._mappings.meanings.get((uri, code)) or self._classed(uri, code)

    def _classed(self, uri: str, code: str) -> Meaning | None:
        """The meaning of a code that is read off the vocabulary: the narrowest disease that it is classed under."""
        if uri not in self._mappings.classified or not re.fullmatch(self._mappings.systems[uri].pattern, code):
            return None
        found = {disease for disease, block in self._blocks[uri] if _holds(block, code)}
        if any(known.startswith(code) for system, known in self._mappings.meanings if found and system == uri):
            # A category of which a mapping says what a part means.
            return None
        narrowest = self.vocabulary.narrowest(found)
        return Meaning(concepts=frozenset({narrowest})) if narrowest else None

    @cached_property
    def _blocks(self) -> dict[str, list[tuple[URIRef, str]]]:
        """By system: the diseases that it classifies, each with a code, category or block that it is classed under."""
        return {
            uri: [
                (disease, str(block))
                for top in tops
                for disease in self.vocabulary.kinds_of(top)
                if isinstance(disease, URIRef)
                for block in self.kb.ontology.objects(disease, URIRef(self._mappings.systems[uri].classification))
            ]
            for uri, tops in self._mappings.classified.items()
        }

    @property
    def systems(self) -> Mapping[str, System]:
        """The code systems, by URI."""
        return self._mappings.systems

    @remembered
    def near(self, system: str, code: str) -> Near | None:
        """What a code that is not known may be meant for: a known one that is written otherwise, or its system is.

        None where the code is known, or like none that is known.
        """
        if is_own(system) or self.meaning(system, code) is not None:
            return None
        plain = code.strip().upper()
        dotted = f"{plain[:3]}.{plain[3:]}"
        found: dict[tuple[str, str], Meaning] = {}
        for uri in self._meant(system):
            for written in (code, code.strip(), plain, dotted):
                meaning = self.meaning(uri, written)
                if meaning:
                    found.setdefault((self._mappings.uri_of(uri, written), written), meaning)
                    break
        if len(found) != 1:
            return None
        ((own, written), meaning) = next(iter(found.items()))
        elsewhere = self._mappings.uri_of(system, written) != own
        faults, hints = [], []
        if written != code:
            faults.append("without its dot" if written == dotted else "in small letters or with blanks")
            hints.append(f"write {written}")
        if elsewhere:
            faults.append("under the URI of another system" if system else "without a system")
            hints.append(f"give the system {own}")
        name = f"{self._mappings.systems[own].name} {written}"
        return Near(meaning, f"{name} may be meant, {' and '.join(faults)}: {' and '.join(hints)}")

    @remembered
    def _meant(self, system: str) -> list[str]:
        """The URIs of known systems that a URI may be meant for; all of them where there is none."""
        if not system:
            return sorted(self._mappings.systems)
        spellings = [
            (spelling, {uri}) for uri, found in self._mappings.systems.items() for spelling in (uri, found.name)
        ]
        spellings += [(alias, {uri}) for alias, uri in self._mappings.aliases.items()]
        spellings += self._mappings.mistaken.items()
        written = _alike(system)
        # An edition or a version may follow the URI.
        found = {
            uri
            for spelling, uris in spellings
            for uri in uris
            if written == _alike(spelling) or written.startswith(f"{_alike(spelling)}/")
        }
        return sorted(found)

    def mentions(self, text: str) -> frozenset[URIRef]:
        """The classes of findings that a text may be about, by the words in it."""
        return self._mentions_of_display(text) if len(text) <= _LONGEST_DISPLAY else self._mentions(text)

    @remembered
    def _mentions_of_display(self, text: str) -> frozenset[URIRef]:
        return self._mentions(text)

    def _mentions(self, text: str) -> frozenset[URIRef]:
        words = f" {' '.join(_WORDS.findall(text.casefold()))} "
        found: set[URIRef] = set()
        for listed, phrases, kinds in self._mappings.words:
            left = words
            for phrase in phrases:
                left = left.replace(f" {phrase} ", " ")
            if any(f" {word} " in left for word in listed):
                found |= kinds
        return frozenset(found)

    @remembered
    def may_mean(self, system: str, code: str) -> frozenset[URIRef]:
        """The classes of findings of which a resource with a code that is not mapped may state one.

        Empty where the code is mapped, and where nothing is said of codes that look so.
        """
        if self.meaning(system, code) is not None:
            return frozenset()
        unmapped = self._mappings.unmapped.get(self._mappings.uri_of(system, code), ())
        return frozenset(kind for pattern, kind in unmapped if re.fullmatch(pattern, code, re.IGNORECASE))

    @remembered
    def system(self, uri: str, code: str) -> System | None:
        """The code system of that URI, or of that alias of it, to which a code belongs."""
        return self._mappings.systems.get(self._mappings.uri_of(uri, code))

    @remembered
    def name(self, uri: str, code: str) -> str:
        """How a record names a code: never anything that may be a text about a person."""
        if not uri:
            return "a code without a system"
        if is_own(uri):
            return self.kb.curie(uri + code) if uri + code in self._mappings.own else "a code of our vocabularies"
        system = self.system(uri, code)
        if system is None:
            return _OF_UNKNOWN_SYSTEM
        known = (self._mappings.uri_of(uri, code), code) in self._mappings.meanings
        shaped = bool(system.pattern) and re.fullmatch(system.pattern, code) is not None
        return f"{system.name} {code}" if known or shaped else f"a code of {system.name}"

    @remembered
    def unknown(self, uri: str, code: str) -> str:
        """What a record says of a code that is not known; it names it as `name` does."""
        name = self.name(uri, code)
        return "unknown code system" if name == _OF_UNKNOWN_SYSTEM else f"unknown code {name.removeprefix('a code ')}"

    def __iter__(self) -> Iterator[tuple[str, str, Meaning]]:
        """Every code with its system and meaning, in order."""
        for (system, code), meaning in sorted(self._mappings.meanings.items(), key=lambda pair: pair[0]):
            yield system, code, meaning


def _holds(block: str, code: str) -> bool:
    """Whether a code, a category or a block of categories, as "C00-C80", holds a code."""
    first, _, last = block.partition("-")
    return first <= code[: len(last)] <= last if last else code.startswith(first)


def _alike(uri: str) -> str:
    """What the ways of writing the URI of a code system have in common."""
    written = uri.strip().casefold().partition("|")[0]
    scheme = _SCHEMES.match(written)
    return written[scheme.end() if scheme else 0 :].rstrip("/#")
