"""What an analyst's word for a thing names: its number or place, label, abbreviation, code or IRI.

Which things there are, and by which names, is read from the graphs of the knowledge base.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyoxigraph as ox

from kb_tools.ask.sparql import BASE, NothingNamed, absolute
from kb_tools.model.policy import FILLED_IN

if TYPE_CHECKING:
    from kb_tools.model.repository import Repository

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_TERMS = "http://purl.org/dc/terms/"
_POL = BASE + "policy#"
_TYPE = ox.NamedNode(_RDF + "type")
_VOCABULARY = ox.NamedNode("http://www.w3.org/2002/07/owl#Ontology")
_SUBCLASS = ox.NamedNode(_RDFS + "subClassOf")
_BROADER = ox.NamedNode(_SKOS + "broader")
_DEFINITION = ox.NamedNode(_SKOS + "definition")
_MONTH = ox.NamedNode(_POL + "revisionMonth")
# Properties that give a number or place in a document, a name in words, another name, and a code of ICD-10-CM.
_NUMBERS = [ox.NamedNode(iri) for iri in (_POL + "number", _SKOS + "notation")]
_LABELS = [ox.NamedNode(iri) for iri in (_RDFS + "label", _SKOS + "prefLabel", _TERMS + "title", _POL + "gloss")]
_OTHERS = [ox.NamedNode(iri) for iri in (_SKOS + "altLabel", _SKOS + "hiddenLabel", _TERMS + "identifier")]
_CODES = [ox.NamedNode(BASE + "clinical#icd10cm")]
# A code of ICD-10-CM.
_CODE = re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?")
# How many choices an error lists.
_LISTED = 10


@dataclass
class Thing:
    """Something that can be named.

    Attributes:
        graphs: the named graphs that say what it is.
        names: what it is called, each name with the graph that gives it.
        numbers: those of them that are numbers and places in documents.
        codes: those of ICD-10-CM; subdivisions are meant too, and by "A-B" all categories from A to B.
    """

    iri: str
    graphs: set[str] = field(default_factory=set)
    names: set[tuple[str, str]] = field(default_factory=set)
    numbers: set[tuple[str, str]] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)


class Names:
    """The names of things in a knowledge base, as a query reads it.

    Args:
        graphs: the named graphs that the query reads; None for all.
        where: the same in words.
        policy: the IRI of the policy whose things are meant where a name fits those of several, and whose prefixes
            count before those of others; "" for none.
        checked: whether an IRI must be of a thing on file; False where the user adds data.
    """

    def __init__(
        self, kb: Repository, graphs: Collection[str] | None, where: str, policy: str = "", checked: bool = True
    ) -> None:
        self.kb = kb
        self.graphs = None if graphs is None else set(graphs)
        self.where = where
        self.policy = policy
        self.checked = checked
        self.prefixes = next((one.prefixes for one in kb.policies() if one.iri == policy), kb.prefixes)

    @cached_property
    def store(self) -> ox.Store:
        """The named graphs."""
        from kb_tools.ask.dataset import named_graphs

        return named_graphs(self.kb)

    # ------------------------------------------------------------------ by IRI and by name

    def find(self, parameter: str, kinds: Sequence[str], given: str, subclasses: bool = False) -> Thing:
        """The one thing that is named.

        Args:
            parameter: its name, for errors.
            kinds: classes, as the prefix table shortens them, of which the thing is an instance; none for any thing.
            given: a number or place, a name in words, an abbreviation, a code, the last part of an IRI, or an IRI.
            subclasses: whether the things are the subclasses of the kinds.

        Raises:
            NothingNamed: nothing that is read has that name, or several things have; the error lists these, says where
                the name is known, or names one that is close.
        """
        things = self._things(kinds, subclasses)
        if iri := self._iri(given):
            if iri in things or not self.checked:
                return things.get(iri, Thing(iri))
            curies = [self.kb.curie(thing) for thing in things]
            close = get_close_matches(self.kb.curie(iri), curies, 1, 0.8)
            if close or kinds:
                raise self._none(parameter, kinds, given, *close)
            return Thing(iri)
        here = {
            thing.iri: {name for name, graph in thing.names if self.reads({graph})}
            for thing in things.values()
            if self.reads(thing.graphs)
        }
        found = _matching(given, here, things)
        for word in self._words_of(kinds):
            # "reference 12" is 12.
            if not found and given.casefold().startswith(f"{word} "):
                found = _matching(given[len(word) :].strip(), here, things)
        found = [match for match in found if match.startswith(f"{self.policy}/")] or found
        found = self._narrowest(found)
        if len(found) == 1:
            return things[found[0]]
        if found:
            listed = self._listed([things[match] for match in found], given)
            raise self._refusal(parameter, given, f"names {len(found)} things: {listed}", "choose one by its IRI")
        anywhere = {thing.iri: {name for name, _ in thing.names} for thing in things.values()}
        if found := self._narrowest(_matching(given, anywhere, things)):
            known = "; ".join(f"{self.curie(match)} in {_where(things[match], given)}" for match in found[:_LISTED])
            said = f"names {self._nothing(kinds)} in {self.where}, but {known}"
            raise self._refusal(parameter, given, said, "ask another revision by --revision")
        raise self._none(parameter, kinds, given, *_close(given, set().union(*here.values())))

    def value(self, kinds: Sequence[str], given: str) -> tuple[str, str]:
        """A text as the knowledge base writes it: the number or place of a thing, or the value of a property.

        Args:
            kinds: classes of things, or properties.

        Returns:
            the text, as given where none that is read is like it; and in that case what a reader must know, or "".
        """
        # Each text with the graph that gives it, and the IRI of the thing of which it is the number, if it is one.
        known = [(*pair, thing.iri) for thing in self._things(kinds, False).values() for pair in thing.numbers]
        for kind in kinds:
            known += [(text, graph, "") for text, graph in self._texts(None, [self._node(kind)])]
        here = [(text, owner) for text, graph, owner in known if self.reads({graph})]
        texts = sorted({text for text, _ in here})
        named = self._iri(given)
        like = {text for text, owner in here if _plain(text) == _plain(given) or (named and owner == named)}
        if given in texts or len(like) == 1:
            return (given if given in texts else like.pop()), ""
        if graphs := {graph for text, graph, _ in known if text == given}:
            return given, f"{given!a} is a {self._kind(kinds)} in {within(graphs)}, and not in {self.where}"
        close = "".join(f"; did you mean {text!a}?" for text in _close(given, texts))
        return given, f"{given!a} is no {self._kind(kinds)} in {self.where}{close}"

    def things(self, kinds: Sequence[str], subclasses: bool = False) -> list[str]:
        """The IRIs of the things of these kinds that are read, as `find` takes them."""
        return [thing.iri for thing in self._things(kinds, subclasses).values() if self.reads(thing.graphs)]

    def texts(self, kinds: Sequence[str]) -> set[str]:
        """The texts of these kinds that are read, as `value` takes them."""
        known = [pair for thing in self._things(kinds, False).values() for pair in thing.numbers]
        known += [pair for kind in kinds for pair in self._texts(None, [self._node(kind)])]
        return {text for text, graph in known if self.reads({graph})}

    def namespace(self, given: str) -> str:
        """What IRIs begin with: the namespace of a prefix, or the text itself."""
        return self.prefixes.get(given.removesuffix(":"), given)

    # ------------------------------------------------------------------ in words

    def words(self, iri: str) -> str:
        """What a reader knows a thing by: its number or place, or else its IRI, and its name."""
        thing = self._thing(ox.NamedNode(iri), ())
        numbers = {number for number, graph in thing.numbers if self.reads({graph})}
        first = numbers.pop() if len(numbers) == 1 else self.curie(iri)
        label = self.label(iri)
        return f"{first}: {label}" if label and label != first else first

    def curie(self, iri: str) -> str:
        """The IRI as it is written in a query: with a prefix, relative to the base, or whole."""
        return self.kb.curie(iri).replace(f"<{BASE}", "<")

    def label(self, iri: str) -> str:
        """The name of a thing in words, in the graphs that are read or else in any; "" if it has none."""
        node = ox.NamedNode(iri)
        for scope in (True, False):
            for property_ in _LABELS:
                found = [
                    quad.object.value
                    for quad in self._quads(node, property_, None)
                    if isinstance(quad.object, ox.Literal) and (self.reads({_graph(quad)}) or not scope)
                ]
                if found:
                    return min(found)
        return ""

    def _words_of(self, kinds: Sequence[str]) -> list[str]:
        return [self.label(self._node(kind).value) or kind for kind in kinds]

    def _kind(self, kinds: Sequence[str]) -> str:
        return " or ".join(self._words_of(kinds))

    def _nothing(self, kinds: Sequence[str]) -> str:
        return f"no {self._kind(kinds)}" if kinds else "nothing"

    def _listed(self, things: Sequence[Thing], given: str) -> str:
        """The choices, and where each has that name if the query reads every revision."""
        choices = []
        for thing in things[:_LISTED]:
            place = f" in {_where(thing, given)}" if self.graphs is None else ""
            label = self.label(thing.iri) or min((number for number, _ in thing.numbers), default="")
            choices.append(f"{self.curie(thing.iri)}{f' ({label})' if label else ''}{place}")
        more = f"; and {len(things) - _LISTED} more" if len(things) > _LISTED else ""
        return "; ".join(choices) + more

    def _none(self, parameter: str, kinds: Sequence[str], given: str, close: str = "") -> NothingNamed:
        hint = "write its number, place, name or code, or its IRI as prefix:name or whole"
        hint = f"did you mean {close!a}?" if close else hint
        return self._refusal(parameter, given, f"names {self._nothing(kinds)} in {self.where}", hint)

    @staticmethod
    def _refusal(parameter: str, given: str, said: str, hint: str) -> NothingNamed:
        """That a value given for a parameter cannot be taken."""
        unquoted = f"{parameter}: the value given {said}"
        return NothingNamed(f"{parameter}: {given!a} {said}", hint=hint, unquoted=unquoted)

    # ------------------------------------------------------------------ what there is

    def _iri(self, given: str) -> str:
        """The IRI that is written as prefix:name, or whole; "" if it is none."""
        prefix, colon, local = given.partition(":")
        with suppress(ValueError):
            if given.startswith("<") and given.endswith(">"):
                return ox.NamedNode(absolute(given[1:-1])).value
            if colon and prefix in self.prefixes:
                return ox.NamedNode(self.prefixes[prefix] + local).value
            if "://" in given:
                return ox.NamedNode(given).value
        return ""

    def _node(self, curie: str) -> ox.NamedNode:
        prefix, _, local = curie.partition(":")
        return ox.NamedNode(self.prefixes[prefix] + local)

    def _quads(self, subject: Any, predicate: Any, object_: Any) -> Iterator[ox.Quad]:
        return self.store.quads_for_pattern(subject, predicate, object_, None)

    def reads(self, graphs: Collection[str]) -> bool:
        """Whether one of these graphs is among those that the query reads."""
        return self.graphs is None or not self.graphs.isdisjoint(graphs)

    def _things(self, kinds: Sequence[str], subclasses: bool) -> dict[str, Thing]:
        """The things of these kinds in every graph, by IRI."""
        found: dict[ox.NamedNode, set[str]] = {}
        patterns: list[tuple[Any, Any, Any]] = [] if kinds else [(None, _TYPE, None)]
        for class_ in self._below([self._node(kind) for kind in kinds], _SUBCLASS):
            patterns.append((None, _SUBCLASS if subclasses else _TYPE, class_))
        for pattern in patterns:
            for quad in self._quads(*pattern):
                if isinstance(quad.subject, ox.NamedNode):
                    found.setdefault(quad.subject, set()).add(_graph(quad))
        return {node.value: self._thing(node, graphs) for node, graphs in found.items()}

    def _thing(self, node: ox.NamedNode, graphs: Iterable[str]) -> Thing:
        from kb_tools.model.concepts import abbreviation

        thing = Thing(node.value, set(graphs))
        thing.numbers = set(self._texts(node, _NUMBERS))
        codes = set(self._texts(node, _CODES))
        thing.codes = {code for code, _ in codes}
        thing.names = {*thing.numbers, *codes, *self._texts(node, _LABELS), *self._texts(node, _OTHERS)}
        for meaning, graph in self._texts(node, [_DEFINITION]):
            if short := abbreviation(meaning):
                thing.names.add((short, graph))
        # A revision goes by its month as documents print it, too: "02/26".
        for month, graph in self._texts(node, [_MONTH]):
            thing.names.add((f"{month[5:7]}/{month[2:4]}", graph))
        # The last part of a vocabulary's IRI is its topic, which many things of it are called.
        if not any(self._quads(node, _TYPE, _VOCABULARY)):
            thing.names.update((_local(node.value), graph) for graph in thing.graphs)
        return thing

    def _texts(self, subject: Any, properties: Iterable[ox.NamedNode]) -> Iterator[tuple[str, str]]:
        """The texts that these properties give of a thing, each with the graph that says so."""
        for property_ in properties:
            for quad in self._quads(subject, property_, None):
                if isinstance(quad.object, ox.Literal):
                    yield quad.object.value, _graph(quad)

    def _below(self, nodes: Iterable[Any], link: ox.NamedNode) -> set[Any]:
        """These nodes, and all that lead to them by a link, in any number of steps."""
        found = set(nodes)
        waiting = list(found)
        while waiting:
            for quad in self._quads(None, link, waiting.pop()):
                if quad.subject not in found:
                    found.add(quad.subject)
                    waiting.append(quad.subject)
        return found

    def _narrowest(self, iris: Sequence[str]) -> list[str]:
        """Those under which none of the others stands: the code of a kind may be that of its group, too."""
        below = {iri: {node.value for node in self._below([ox.NamedNode(iri)], _BROADER)} for iri in iris}
        return [iri for iri in iris if not below[iri].intersection(iris) - {iri}]


def within(graphs: Iterable[str]) -> str:
    """The graphs in words: those of revisions and policies by their names."""
    return ", ".join(sorted({graph.removeprefix(BASE).removesuffix(FILLED_IN) for graph in graphs}))


def _graph(quad: ox.Quad) -> str:
    return quad.graph_name.value if isinstance(quad.graph_name, ox.NamedNode) else ""


def _matching(given: str, names: Mapping[str, set[str]], things: Mapping[str, Thing]) -> list[str]:
    """The IRIs that have this name: as written, or else in other letters, or else as a subdivision of a code.

    Args:
        names: by IRI.
    """
    exactly = sorted(iri for iri, known in names.items() if given in known)
    like = _plain(given)
    if found := exactly or sorted(iri for iri, known in names.items() if like and like in map(_plain, known)):
        return found
    if not _CODE.fullmatch(given.upper()):
        return []
    # Of the codes under which a code stands the longest counts, and then a block of them.
    under = [(_under(given.upper(), code), iri) for iri in names for code in things[iri].codes]
    longest = max((length for length, _ in under), default=0)
    return sorted({iri for length, iri in under if length == longest}) if longest else []


def _where(thing: Thing, given: str) -> str:
    """The graphs that give a thing this name."""
    return within({graph for name, graph in thing.names if _plain(name) == _plain(given)} or thing.graphs)


def _under(given: str, code: str) -> int:
    """How far a code goes into another under which it stands: its length, 1 for a block "A-B", 0 if it does not."""
    first, dash, last = code.partition("-")
    if dash:
        category = given.partition(".")[0]
        return int(len(category) == len(first) and first <= category <= last)
    # In a category the subdivisions begin with a dot.
    rest = given.removeprefix(code)
    return len(code) if rest not in ("", given) and ("." in code or rest.startswith(".")) else 0


def _close(given: str, names: Iterable[str]) -> list[str]:
    """The name that is closest, if any is close. Of numbers none is: 12 is no slip of 1."""
    known = {_plain(name): name for name in sorted(names) if not name.isdigit()}
    return [known[match] for match in get_close_matches(_plain(given), known, 1, 0.7)]


def _plain(name: str) -> str:
    """A name without what people write in several ways: case, accents, spaces and hyphens."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum() or letter == ".")


def _local(iri: str) -> str:
    return re.split(r"[/#]", iri)[-1]
