"""What can be searched for: everything that has a page, by its names, and by the words of what is said of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pyoxigraph as ox
from rdflib.namespace import DCTERMS, SKOS

from kb_tools.ask.library import questions
from kb_tools.rdf.namespaces import CLIN, POL
from kb_tools.rdf.terms import local_name
from kb_tools.serve.links import path_of
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


@dataclass(frozen=True)
class Entry:
    """One page that can be found.

    Attributes:
        names: what it is called, folded.
        words: what is said of it, folded.
        rank: the place of its kind.
    """

    path: str
    label: str
    notation: str
    kind: str
    text: str
    names: tuple[str, ...]
    words: str
    rank: int


@cache
def index(bench: Workbench) -> tuple[Entry, ...]:
    """Everything that can be found, in the order of kinds and then of addresses."""
    entries = [_question(bench, *pair) for pair in ((found.name, found.title) for found in questions())]
    for iri in bench.ours:
        kind = "criterion" if iri in bench.criteria else bench.kind(iri)
        if kind not in _PASSED_OVER and iri in bench.things:
            entries.append(_entry(bench, iri, kind))
    return tuple(sorted(entries, key=lambda entry: (entry.rank, entry.path)))


def _entry(bench: Workbench, iri: str, kind: str) -> Entry:
    thing, node = bench.things[iri], ox.NamedNode(iri)
    texts = sorted({text for link in _TEXTS for text in _literals(bench, node, link)}, key=len, reverse=True)
    names = {*thing.labels.values(), *thing.notations.values(), local_name(iri), bench.kb.curie(iri)}
    names.update(name for link in _NAMES for name in _literals(bench, node, link))
    label, notation = bench.label(iri), bench.notation(iri)
    return Entry(
        path=path_of(iri),
        label=label,
        notation=notation,
        kind=kind,
        text=next((text for text in texts if text != label), ""),
        names=tuple(sorted(filter(None, map(folded, names)))),
        words=folded(" ".join((kind, label, notation, *texts))),
        rank=_rank(kind),
    )


def _question(bench: Workbench, name: str, title: str) -> Entry:
    path = f"/questions/{name}"
    return Entry(
        path, title, "", "question", "", (folded(name),), folded(f"question {title} {name}"), _rank("question")
    )


def _rank(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def _literals(bench: Workbench, node: ox.NamedNode, link: ox.NamedNode) -> list[str]:
    return [quad.object.value for quad in bench.quads(node, link) if isinstance(quad.object, ox.Literal)]


def folded(text: str) -> str:
    """A text without what people write in several ways: case, accents, punctuation but dots within words."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(
        letter if letter.isalnum() or letter == "." else " " for letter in letters if not unicodedata.combining(letter)
    )
    return " ".join(word.strip(".") for word in kept.split() if word.strip("."))


def matching(entries: Sequence[Entry], query: str) -> list[Entry]:
    """What fits all words of a query: first what has it for a name, then names with all words, then texts.

    A code of ICD-10-CM fits the diseases that have it or a category of it for a name.
    """
    wanted = folded(query)
    words = wanted.split()
    if not words:
        return []
    categories = {wanted[:length] for length in range(3, len(wanted))} if _CODE.fullmatch(wanted) else set()

    def grade(entry: Entry) -> int | None:
        if wanted in entry.names:
            return 0
        if categories.intersection(entry.names):
            return 1
        if all(any(word in name for name in entry.names) for word in words):
            return 2
        return 3 if all(word in entry.words for word in words) else None

    graded = [(grade(entry), entry) for entry in entries]
    return [entry for found, entry in sorted(((g, e) for g, e in graded if g is not None), key=lambda pair: pair[0])]


# A code of ICD-10-CM, folded.
_CODE = re.compile(r"[a-z]\d[0-9a-z](\.[0-9a-z]{1,4})?")
