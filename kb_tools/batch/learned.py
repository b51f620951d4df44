"""What was learned of pieces, kept on disk between runs, so that a worker and the next run start warm.

There is one file for each revision that is asked for, made for one state of the vocabularies, shapes and policies (its
seal among them), one engine and one version of this package. Where any of these differs, or the file is not as it was
written, it is not used, and all is learned again.

Nothing of a person is kept: of the pieces only those that are sound and state nothing but terms, codes, numbers, and
yes or no; no date, no name, no text, no note, and nothing of what a reader refused. Only its owner may read the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import pyoxigraph as ox
from rdflib.term import Node

from kb_tools import __version__
from kb_tools.batch.impersonal import Impersonal
from kb_tools.batch.opening import Frozen
from kb_tools.batch.pieces import Bits, Look, Pieces
from kb_tools.batch.sight import Ages, Sight, SightState
from kb_tools.cache import Cache
from kb_tools.determine.evaluate import COUNTING, Content, Shown, Statement
from kb_tools.errors import KbError
from kb_tools.memory import Memory
from kb_tools.model.repository import Repository
from kb_tools.rdf.terms import to_oxigraph, to_rdflib

# Changes when the file is laid out differently, so that an older one is not used.
LAYOUT = 3
# How much more must have been learned before it is written again.
GROWTH = 1.1


# What reading a file raises that is none of this form.
_OTHER_FORM = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


# A finding by its place in the file, with how old it is.
_Dated: TypeAlias = tuple[int, Ages]


@dataclass(frozen=True)
class _Kept:
    """What a file holds."""

    sights: dict[str, SightState]
    findings: list[tuple[Frozen, Content, str, dict[str, Any]]]
    looks: list[tuple[str, _Dated, list[_Dated], Bits]]
    stated: list[tuple[Frozen, tuple[Statement, ...], Node | None]]


class Learned:
    """The file of what was learned under one revision, or under those in force by date.

    Args:
        policy: the folder of the policy.
        revision: the revision; None for those in force on each date of service.
    """

    def __init__(self, kb: Repository, engine: str, policy: str, revision: str | None) -> None:
        files = [path for folder in ("ontology", "shapes", "policies") for path in (kb.root / folder).rglob("*.ttl")]
        self._cache = Cache(kb.root, dict.fromkeys(sorted(files), ""))
        self._name = f"learned-{engine}-{policy}-{revision or 'by-date'}.json"
        self._of = [LAYOUT, __version__, engine, version_of(engine), ox.__version__, kb.digest]
        self._size = 0

    def damage(self) -> str | None:
        """The file, where there is one that is not as it was written, or not of this form; it is not used."""
        try:
            path = self._cache.folder / self._name
            if not path.exists():
                return None
            text = self._cache.text(self._name)
            if text is not None:
                self._read(text)
                return None
        except KbError:
            return None
        except _OTHER_FORM:
            pass
        return str(path)

    def load(self, pieces: Pieces, sights: Mapping[str, Sight], looks: Memory[Look, Bits]) -> None:
        """Puts what is kept into memories that are still empty; leaves them so where nothing is, or it is of no use.

        Args:
            sights: of each revision that may be asked for, by its name.
            looks: what conditions see of findings of which they see how old they are, or that others contradict.
        """
        try:
            text = self._cache.text(self._name)
            kept = self._read(text) if text else None
            if kept is not None:
                _put_back(kept, pieces, sights, looks)
                self._size = _size(pieces, sights)
        except KbError:
            return
        except _OTHER_FORM:
            pieces.forget()
            looks.clear()
            for sight in sights.values():
                sight.forget()

    def _read(self, text: bytes) -> _Kept | None:
        """What a file holds; None where it was made of another state.

        Raises:
            one of _OTHER_FORM: it is none that `save` wrote.
        """
        content = json.loads(text)
        if content["of"] != self._of:
            return None
        terms = _decoded(content["terms"])
        return _Kept(
            {name: _sight_of(state, terms) for name, state in content["sights"].items()},
            [
                (
                    _frozen(items),
                    tuple((terms[one], terms[other]) for one, other in pairs),
                    str(reads),
                    {name: _frozen(found) for name, found in seen.items()},
                )
                for items, pairs, reads, seen in content["findings"]
            ],
            [
                (name, _frozen(finding), [_frozen(other) for other in others], _frozen(found))
                for name, finding, others, found in content["looks"]
            ],
            [
                (
                    _frozen(item),
                    tuple(_statement_of(statement, terms) for statement in statements),
                    None if reason is None else terms[reason],
                )
                for item, statements, reason in content["stated"]
            ],
        )

    def save(self, pieces: Pieces, sights: Mapping[str, Sight], looks: Memory[Look, Bits]) -> None:
        """Writes what is known, where that is notably more than what was written last, and can be written."""
        size = _size(pieces, sights)
        if size <= self._size * GROWTH:
            return
        self._size = size
        # Every term once, by its number.
        terms: dict[Node, int] = {}

        def number(term: Node) -> int:
            return terms.setdefault(term, len(terms))

        by_revision = {name: _sight_as_json(sight.state(), number) for name, sight in sights.items()}
        impersonal = Impersonal(pieces.reader.forms)
        if not all(map(impersonal.value, terms)):
            return
        findings = [
            (items, piece)
            for items, piece in pieces.sound_findings()
            if impersonal.items(items) and all(impersonal.value(value) for _, value in piece.pairs)
        ]
        place = {piece.like: number for number, (_, piece) in enumerate(findings)}
        content = {
            "of": self._of,
            "sights": by_revision,
            "findings": [
                [
                    items,
                    [[number(one), number(other)] for one, other in piece.pairs],
                    piece.reads,
                    piece.seen,
                ]
                for items, piece in findings
            ],
            "looks": [
                [name, [place[like], ages], [[place[other], of_other] for other, of_other in others], bits]
                for (name, (like, ages), others), bits in looks.items()
                if like in place and all(other in place for other, _ in others)
            ],
            "stated": [
                [
                    item,
                    [[list(map(number, path)), number(one), number(other)] for path, one, other in piece.statements],
                    None if piece.reason is None else number(piece.reason),
                ]
                for item, piece in pieces.sound_statements()
                if impersonal.items([item[1:]]) and all(impersonal.value(value) for _, _, value in piece.statements)
            ],
            "terms": [],
        }
        content["terms"] = [str(to_oxigraph(term)) for term in terms]
        try:
            self._cache.keep_text(self._name, json.dumps(content, separators=(",", ":")).encode())
        except KbError:
            return  # There is no home folder: the next run learns again.


def _put_back(kept: _Kept, pieces: Pieces, sights: Mapping[str, Sight], looks: Memory[Look, Bits]) -> None:
    """Puts what a file holds into memories that are still empty.

    Raises:
        one of _OTHER_FORM: it does not fit them.
    """
    for name, state in kept.sights.items():
        if name in sights:
            sights[name].restore(state)
    likes = []
    for items, pairs, reads, seen in kept.findings:
        bits = {name: found for name, found in seen.items() if name in sights}
        likes.append(pieces.restore_finding(items, pairs, reads, bits))
    for name, (finding, ages), others, found in kept.looks:
        if name in sights:
            of_others = tuple(sorted((likes[other], of_other) for other, of_other in others))
            looks.put((name, (likes[finding], ages), of_others), found)
    for item, statements, reason in kept.stated:
        pieces.restore_statement(item, statements, reason)


# ---------------------------------------------------------------------- as JSON


def _sight_as_json(state: SightState, number: Callable[[Node], int]) -> list[Any]:
    return [
        [
            [_look_as_json(look, number) for look in looks],
            ["".join("01"[yes] for yes in so) for so in bits],
            list(bits.values()),
            [[str(mask), found.hex()] for mask, found in values.items()],
        ]
        for looks, bits, values in zip(state.at, state.so, state.values, strict=True)
    ]


def _sight_of(kinds: Any, terms: Sequence[Any]) -> SightState:
    state = SightState([], [], [])
    for looks, so, bits, values in kinds:
        state.at.append([_look_of(look, terms) for look in looks])
        state.so.append({tuple(one == "1" for one in key): bit for key, bit in zip(so, bits, strict=True)})
        state.values.append({int(mask): bytes.fromhex(found) for mask, found in values})
    return state


def _look_as_json(look: Shown | Statement, number: Callable[[Node], int]) -> list[Any]:
    """A finding that stands for others, or a statement, which begins with the path to it."""
    if look[0] in COUNTING:
        counting, content, contradicting = look
        return [number(counting), *(_pairs_as_json(one, number) for one in (content, *contradicting))]  # type: ignore[arg-type,misc]
    path, property_, value = look
    return [list(map(number, path)), number(property_), number(value)]  # type: ignore[arg-type]


def _look_of(look: Any, terms: Sequence[Any]) -> Shown | Statement:
    if isinstance(look[0], list):
        return _statement_of(look, terms)
    content, *contradicting = (tuple((terms[one], terms[other]) for one, other in pairs) for pairs in look[1:])
    return terms[look[0]], content, tuple(contradicting)


def _pairs_as_json(content: Content, number: Callable[[Node], int]) -> list[list[int]]:
    return [[number(one), number(other)] for one, other in content]


def _statement_of(statement: Any, terms: Sequence[Any]) -> Statement:
    path, one, other = statement
    return tuple(terms[step] for step in path), terms[one], terms[other]


def _decoded(terms: Sequence[str]) -> list[Node]:
    """Terms as N-Triples writes them.

    Raises:
        ValueError: one is not.
    """
    text = "".join(f"<urn:kb:term> <urn:kb:term> {term} .\n" for term in terms)
    found = [to_rdflib(quad.object) for quad in ox.parse(text.encode(), ox.RdfFormat.N_TRIPLES)]
    if len(found) != len(terms):
        raise ValueError(f"{len(terms)} terms, {len(found)} read")
    return found


def _frozen(value: Any) -> Frozen:
    """Lists as tuples, at every depth."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _size(pieces: Pieces, sights: Mapping[str, Sight]) -> int:
    return len(pieces) + sum(map(len, sights.values()))


def version_of(name: str) -> str | None:
    """The version of a package that is installed; None where it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
