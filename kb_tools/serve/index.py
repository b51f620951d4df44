"""What can be searched for: everything that has a page, by its names, and by the words of what is said of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

import pyoxigraph as ox
from rdflib.namespace import DCTERMS, SKOS

from kb_tools.ask.library import questions
from kb_tools.model.policy import FILLED_IN
from kb_tools.rdf.namespaces import CLIN, POL
from kb_tools.rdf.terms import local_name
from kb_tools.serve.links import path_of
from kb_tools.serve.view import PART_OF, View
from kb_tools.serve.workbench import Workbench

# What a reader looks for comes first; what a kind is not listed here comes last.
KINDS = (
    *("policy", "revision", "criterion", "condition", "code", "reference", "question", "definition"),
    *("evidence statement", "advisory", "discrepancy", "disease", "class", "property"),
)
# Further names of a thing, as they are written; then texts about it.
_NAMES = [ox.NamedNode(str(link)) for link in (SKOS.altLabel, SKOS.hiddenLabel, DCTERMS.identifier, CLIN.icd10cm)]
_TEXTS = [ox.NamedNode(str(link)) for link in (SKOS.definition, POL.gloss, POL.authorsAsPrinted, DCTERMS.title)]
# Parts of shapes and of the example cases' manifest, places in documents: they are found from what they belong to.
_PASSED_OVER = {"shape", "rule", "passage", "expectation", "document"}
# What does not fit at all; and how alike words must be, of which one is taken for the other.
_NONE, _CLOSE = 9, 0.7


@dataclass(frozen=True)
class Other:
    """What other revisions than the one that an entry is shown of call the same thing, and say of it.

    Attributes:
        notation: its number or place there, folded.
        names, words: as of an entry.
        place, wording: what a reader must know of a hit by that place, or by these words.
    """

    notation: str
    names: tuple[str, ...]
    words: str
    place: str
    wording: str


@dataclass(frozen=True)
class Entry:
    """One page that can be found, as the revisions in force say it.

    Attributes:
        names: what it is called, folded.
        words: what is said of it, folded.
        rank: the place of its kind.
        stated: that no revision in force says it, and which revision is shown; "" where one does.
        others: what other revisions say.
    """

    path: str
    label: str
    notation: str
    kind: str
    text: str
    names: tuple[str, ...]
    words: str
    rank: int
    stated: str = ""
    others: tuple[Other, ...] = ()


@dataclass(frozen=True)
class Hit:
    """An entry that fits. `note` says of which revision it does, where that is not the one shown; else ""."""

    entry: Entry
    note: str = ""


def index(view: View) -> tuple[Entry, ...]:
    """Everything that can be found on the day of a view, in the order of kinds and then of addresses."""
    return _index(view.bench, tuple(view.graphs))


@cache
def _index(bench: Workbench, in_force: tuple[str, ...]) -> tuple[Entry, ...]:
    entries = [_question(*pair) for pair in ((found.name, found.title) for found in questions())]
    for iri in bench.ours:
        kind = "criterion" if iri in bench.criteria else bench.kind(iri)
        if kind not in _PASSED_OVER and iri in bench.things:
            entries.append(_entry(bench, iri, kind, in_force))
    return tuple(sorted(entries, key=lambda entry: (entry.rank, entry.path)))


@dataclass(frozen=True)
class _Wording:
    """What some graphs call a thing, and say of it."""

    notation: str
    names: tuple[str, ...]
    text: str
    words: str


def _entry(bench: Workbench, iri: str, kind: str, in_force: Sequence[str]) -> Entry:
    thing = bench.things[iri]
    having = [revision for revision in bench.entries if revision in thing.graphs | thing.shared]
    current = [revision for revision in in_force if revision in having]
    released = [revision for revision in having if not bench.entries[revision][1].draft]
    shown = next(iter(current or (released or having)[-1:]), "")
    own = _wording(bench, iri, kind, shown)
    others: dict[_Wording, list[str]] = {}
    for revision in having:
        wording = _wording(bench, iri, kind, revision)
        if revision != shown and wording != own:
            others.setdefault(wording, []).append(revision)
    return Entry(
        path=path_of(iri),
        label=bench.label(iri, (shown,)),
        notation=own.notation,
        kind=kind,
        text=own.text,
        names=own.names,
        words=own.words,
        rank=_rank(kind),
        stated="" if current or not shown else _stated(bench, kind, shown, in_force),
        others=tuple(_other(bench, wording, shown, revisions) for wording, revisions in others.items()),
    )


def _wording(bench: Workbench, iri: str, kind: str, revision: str) -> _Wording:
    """What a revision says of a thing, with what belongs to no revision; "" for the latter alone."""
    thing, node = bench.things[iri], ox.NamedNode(iri)

    def read(graph: str) -> bool:
        graph = graph.removesuffix(FILLED_IN)
        return graph == revision or graph not in bench.entries

    def literals(link: ox.NamedNode) -> set[str]:
        quads = bench.quads(node, link)
        return {
            quad.object.value
            for quad in quads
            if isinstance(quad.object, ox.Literal) and read(getattr(quad.graph_name, "value", ""))
        }

    labels = {text for graph, text in thing.labels.items() if read(graph)}
    notations = {text for graph, text in thing.notations.items() if read(graph)}
    texts = sorted({text for link in _TEXTS for text in literals(link)}, key=lambda text: (-len(text), text))
    names = {*labels, *notations, local_name(iri), bench.kb.curie(iri)}
    names.update(name for link in _NAMES for name in literals(link))
    label, notation = bench.label(iri, (revision,)), max(notations, default="")
    return _Wording(
        notation=notation,
        names=tuple(sorted(filter(None, map(folded, names)))),
        text=next((text for text in texts if text != label), ""),
        words=folded(" ".join((kind, label, notation, *texts))),
    )


def _other(bench: Workbench, wording: _Wording, shown: str, revisions: Sequence[str]) -> Other:
    order = list(bench.entries)
    names = [bench.revision_name(revision) for revision in revisions]
    within = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    was = "was " if order.index(revisions[-1]) < order.index(shown) else ""
    return Other(
        notation=folded(wording.notation),
        names=wording.names,
        words=wording.words,
        place=f"{was}{wording.notation} in {within}",
        wording=f"found by the wording of {within}",
    )


def _stated(bench: Workbench, kind: str, shown: str, in_force: Sequence[str]) -> str:
    """That a thing is shown of a revision that is not in force, and that the one in force does not have it."""
    policy, _ = bench.entries[shown]
    said = f"as {bench.revision_name(shown)} states it"
    for iri in in_force:
        owner, entry = bench.entries[iri]
        if owner is policy:
            part = PART_OF.get(kind, "")
            lacks = entry.on_file.get(part, "NotOnFile") != "NotOnFile"
            name = bench.revision_name(iri)
            return f"{said}; not in {name}" if lacks else f"{said}; that of {name} is not on file" if part else said
    return said


def _question(name: str, title: str) -> Entry:
    path = f"/questions/{name}"
    return Entry(
        path, title, "", "question", "", (folded(name),), folded(f"question {title} {name}"), _rank("question")
    )


def _rank(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def folded(text: str) -> str:
    """A text without what people write in several ways: case, accents, punctuation but dots within words."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(
        letter if letter.isalnum() or letter == "." else " " for letter in letters if not unicodedata.combining(letter)
    )
    return " ".join(word.strip(".") for word in kept.split() if word.strip("."))


def matching(entries: Sequence[Entry], query: str) -> list[Hit]:
    """What fits all words of a query: first what has it for a name, then names with all words, then texts.

    A code of ICD-10-CM fits the diseases that have it or a category of it for a name. Of what fits alike, what a
    revision in force says comes first, then what another revision states, then what is only called so in another one.
    """
    wanted = folded(query)
    words = wanted.split()
    if not words:
        return []
    categories = {wanted[:length] for length in range(3, len(wanted))} if _CODE.fullmatch(wanted) else set()

    def grade(said: Entry | Other) -> int:
        if wanted in said.names:
            return 0
        if categories.intersection(said.names):
            return 1
        if all(any(word in name for name in said.names) for word in words):
            return 2
        return 3 if all(word in said.words for word in words) else _NONE

    def fitting(entry: Entry) -> tuple[int, int, Hit]:
        own = grade(entry)
        other = min(entry.others, key=grade, default=None)
        if other is None or grade(other) >= own:
            return own, int(bool(entry.stated)), Hit(entry)
        return grade(other), 2, Hit(entry, other.place if other.notation == wanted else other.wording)

    graded = sorted(map(fitting, entries), key=lambda found: found[:2])
    return [hit for found, _, hit in graded if found != _NONE]


def near(entries: Sequence[Entry], query: str) -> str:
    """A query that finds something, of words that are near to those of one that finds nothing; "" for none."""
    known = _vocabulary(tuple(entries))
    words = [
        next(iter([word] if word in known else get_close_matches(word, known, 1, _CLOSE)), "")
        for word in folded(query).split()
    ]
    found = " ".join(words)
    return found if all(words) and matching(entries, found) else ""


@cache
def _vocabulary(entries: tuple[Entry, ...]) -> dict[str, None]:
    """The words of all names."""
    return dict.fromkeys(word for entry in entries for name in entry.names for word in name.split())


# A code of ICD-10-CM, folded.
_CODE = re.compile(r"[a-z]\d[0-9a-z](\.[0-9a-z]{1,4})?")
