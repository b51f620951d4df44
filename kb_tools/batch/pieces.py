"""The pieces of cases written as plain JSON: what each is, decided once by the reader and the case shapes.

A piece is a finding without its date, or one key of the request or of the case with its value. It is learned by reading
a small case that says nothing else, and holding that against the case shapes. A number is replaced by one that lies the
same way to every limit that the shapes name, and to the other numbers of the finding (`cases.numbers`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, TypeAlias

from rdflib import URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.form import CaseForms
from kb_tools.cases.isolate import isolate
from kb_tools.cases.numbers import StandIns
from kb_tools.cases.plain import PlainReader
from kb_tools.cases.standing import Finding, Vocabulary
from kb_tools.determine.evaluate import Content, Statement, content_of, finding_class, statements, visible
from kb_tools.errors import KbError, Slips, UnreadableInput
from kb_tools.memory import Memory
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE

Json: TypeAlias = dict[str, Any]
# A JSON value that can be remembered by: arrays and objects as tuples, numbers as tuples of their text alone.
Frozen: TypeAlias = Any
# The keys of an object, and their values. Those of a finding are as they were read, so some cannot be hashed.
Written: TypeAlias = tuple[tuple[str, ...], tuple[Frozen, ...]]
# What conditions see of a finding: each kind of fact that it is, the bit where it counts, and where it perhaps does.
Bits: TypeAlias = tuple[tuple[int, int, int], ...]
# A revision, a finding, and those that contradict it, each by `Piece.like`.
Look: TypeAlias = tuple[str, int, tuple[int, ...]]

# Pieces kept in one generation: as they are written, and by what the shapes can tell apart of them.
AS_WRITTEN, ALIKE = 20_000, 10_000
# The case in which a piece is learned. Its days are arbitrary.
_SERVICE, _DAY = "2026-07-01", "2026-06-01"


# Where in a case something is wrong, and what.
Slip: TypeAlias = tuple[str, str]
# Where the finding of a small case stands.
FIRST = "findings[0]"


def slips_of(error: KbError) -> tuple[Slip, ...]:
    """What the reader says of a line, each with its place in the case."""
    slips = error.slips if isinstance(error, Slips) else (error,)
    return tuple((slip.where.partition(": ")[2], slip.what) for slip in slips)


class Piece:
    """What a piece of a case is.

    Attributes:
        slips: why the reader refuses it, each with its place in the piece.
        shapes: the case shapes that it breaks, as CURIEs.
        statements: of a piece of the request or the case, what it states.
        reason: the disease treated, where it states that.
        pairs: of a finding, what it states.
        finding: of a finding, how the rules of derivation see it.
        content: of a finding, what the shapes of conditions can see of what it states; numbers by their stand-ins.
        reads: of a finding, the class that it speaks of.
        like: a number that it shares with the pieces that no shape can tell from it.
        seen: by revision, what its conditions see of it, where that is known; shared with the pieces like it.
    """

    __slots__ = ("content", "finding", "like", "pairs", "reads", "reason", "seen", "shapes", "slips", "statements")

    @property
    def refused(self) -> bool:
        """Whether the reader refuses it, or it breaks a case shape."""
        return bool(self.slips or self.shapes)

    def __init__(self, like: int) -> None:
        self.like = like
        self.slips: tuple[Slip, ...] = ()
        self.shapes: tuple[str, ...] = ()
        self.statements: tuple[Statement, ...] = ()
        self.reason: Node | None = None
        self.pairs: tuple[tuple[URIRef, Node], ...] = ()
        self.finding: Finding | None = None
        self.content: Content = ()
        self.reads = ""
        self.seen: dict[str, Any] = {}


class Stated:
    """All that a case states besides its findings.

    Attributes:
        pieces: what each key states.
        refused: whether the reader refuses one of them, or one breaks a case shape.
        reason: the disease treated, where it is stated.
        masks: by revision, a mask for each kind of fact that its conditions read.
    """

    __slots__ = ("masks", "pieces", "reason", "refused")

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        self.pieces = pieces
        self.refused = any(piece.refused for piece in pieces)
        self.reason = next((piece.reason for piece in pieces if piece.reason is not None), None)
        self.masks: dict[str, tuple[int, ...]] = {}


class Pieces:
    """Knows the pieces of cases, and learns those that it does not know."""

    def __init__(self, kb: Repository, checker: CaseChecker) -> None:
        self._kb = kb
        self._checker = checker
        self.reader = PlainReader(CaseForms(kb))
        self.vocabulary = Vocabulary(kb)
        self._stand_ins = StandIns(kb)
        self._findings: Memory[Written, Piece] = Memory(AS_WRITTEN)
        self._alike: Memory[Frozen, Piece] = Memory(ALIKE)
        self._stated: Memory[Frozen, Piece] = Memory(ALIKE)
        self._together: Memory[tuple[Written, Written], Stated] = Memory(AS_WRITTEN)
        self._visible = visible(kb.conditions)
        # What was learned since `release`: it is known until then, whatever the memories forget.
        self._held_findings: dict[Written, Piece] = {}
        self._held_stated: dict[Frozen, Piece] = {}
        self._likes, self._numbers = count(), count(1)
        self._bare = self._read({})

    def forget(self) -> None:
        """Forgets all pieces."""
        self._findings = Memory(AS_WRITTEN)
        self._alike = Memory(ALIKE)
        self._stated = Memory(ALIKE)
        self._together = Memory(AS_WRITTEN)
        self.release()

    def release(self) -> None:
        """Lets go of what was learned for the cases before: from now on, the memories may forget it."""
        self._held_findings.clear()
        self._held_stated.clear()

    def findings(self, written: Sequence[Written]) -> list[Piece | None]:
        """Findings without their dates; None in place of what is still to be learned.

        Raises:
            TypeError: one holds an array or an object.
        """
        newer = self._findings.newer
        found = [newer.get(one) for one in written]
        return [self._finding(one) for one in written] if None in found else found

    def _finding(self, written: Written) -> Piece | None:
        found = self._findings.get(written)
        return self._held_findings.get(written) if found is None else found

    def stated(self, written: tuple[Written, Written]) -> Stated | None:
        """What a request states besides its date, and a case besides its findings; None where it is to be learned."""
        found = self._together.get(written)
        if found is None:
            pieces = [self._statement(item) for item in _items_of(written)]
            if None not in pieces:
                found = self._together.put(written, Stated(tuple(pieces)))  # type: ignore[arg-type]
        return found

    def _statement(self, item: Frozen) -> Piece | None:
        found = self._stated.get(item)
        return self._held_stated.get(item) if found is None else found

    # ------------------------------------------------------------------ what is kept between runs

    def __len__(self) -> int:
        """How many pieces are known that differ in the eyes of the shapes."""
        return len(self._alike) + len(self._stated)

    def sound_findings(self) -> Iterator[tuple[Frozen, Piece]]:
        """The findings that are known to be sound, their numbers by stand-ins, each by its keys and values."""
        return ((items, piece) for items, piece in self._alike.items() if not piece.refused)

    def sound_statements(self) -> Iterator[tuple[Frozen, Piece]]:
        """What keys of a case and its request state, where it is known to be sound, by place, key and value."""
        return ((item, piece) for item, piece in self._stated.items() if not piece.refused)

    def restore_finding(
        self, items: Frozen, pairs: tuple[tuple[URIRef, Node], ...], reads: str, seen: dict[str, Any]
    ) -> int:
        """Puts back what `sound_findings` gave, and returns `Piece.like`."""
        piece = Piece(next(self._likes))
        self._describe_finding(piece, pairs, reads)
        piece.seen = seen
        self._alike.put(items, piece)
        return piece.like

    def restore_statement(self, item: Frozen, statements: tuple[Statement, ...], reason: Node | None) -> None:
        """Puts back what `sound_statements` gave."""
        piece = Piece(next(self._likes))
        piece.statements, piece.reason = statements, reason
        self._stated.put(item, piece)

    # ------------------------------------------------------------------ learning

    def learn(self, findings: Iterable[Written], stated: Iterable[tuple[Written, Written]]) -> None:
        """Learns pieces, all in one call of the engine for the case shapes."""
        waiting: dict[Frozen, list[Frozen]] = {}
        for written in dict.fromkeys(findings):
            items = tuple(zip(*written, strict=True))
            like = self._stand_ins.of(items)
            known = self._alike.get(like)
            if known is not None and known.slips and like != items:
                like, known = items, self._alike.get(items)
            if known is None:
                waiting.setdefault(like, []).append(items)
            else:
                self._remember(items, known)
        items_stated = (item for written in stated for item in _items_of(written))
        new = [item for item in dict.fromkeys(items_stated) if self._statement(item) is None]
        small = [
            *(_finding_of(like) for like in waiting),
            *(_case_of(item) for item in new),
        ]
        pieces = self._decide(small)
        for (like, waiting_for), piece in zip(waiting.items(), pieces, strict=False):
            self._alike.put(like, piece)
            for items in waiting_for:
                if piece.slips and items != like:
                    # What the reader says may quote a number as it is written.
                    (own,) = self._decide([_finding_of(items)])
                    self._remember(items, self._alike.put(items, own))
                else:
                    self._remember(items, piece)
        for item, piece in zip(new, pieces[len(waiting) :], strict=True):
            self._held_stated[item] = self._stated.put(item, piece)

    def _remember(self, items: Frozen, alike: Piece) -> None:
        written = tuple(key for key, _ in items), tuple(value for _, value in items)
        self._held_findings[written] = self._findings.put(written, self._as_written(alike, items))

    def _decide(self, small: Sequence[Json]) -> list[Piece]:
        """What the reader and the case shapes say of small cases, each with one piece."""
        pieces = [Piece(next(self._likes)) for _ in small]
        read: dict[Node, Piece] = {}
        cases: list[Case] = []
        for piece, content in zip(pieces, small, strict=True):
            try:
                case = self._read(content)
            except UnreadableInput as error:
                piece.slips = slips_of(error)
            else:
                read[case.node] = piece
                cases.append(case)
        for checked in self._checker.check(cases) if cases else ():
            if isinstance(checked, Malformed):
                piece = read[checked.case.node]
                piece.shapes = tuple(sorted({violation.shape for violation in checked.violations}))
            else:
                self._describe(read[checked.node], checked)
        return pieces

    def read(self, line: bytes) -> Case:
        """The case that is written on one line.

        Raises:
            UnreadableInput: the reader refuses it.
        """
        (case,) = isolate(self._kb, self.reader.read(line, "", "line"), self._numbers)
        return case

    def _read(self, content: Json) -> Case:
        """The case that says this, and what every case has to say.

        Raises:
            UnreadableInput: the reader refuses it.
        """
        request = {"serviceDate": _SERVICE, **content.get("request", {})}
        whole = {"patient": "p", **content, "request": request}
        return self.read(_text(whole).encode())

    def _describe(self, piece: Piece, case: Case) -> None:
        bare = {statement for _, statement in statements(self._bare, self._bare.node)}
        piece.statements = tuple(statement for _, statement in statements(case, case.node) if statement not in bare)
        piece.reason = case.value(case.value(case.node, CASE.request), CASE.reason)
        for node in case.values(case.node, CASE.finding):
            assert isinstance(node, URIRef)
            derived = {CASE.supersededBy, CASE.differsFrom, CASE.contradictedBy, CASE.date}
            pairs = tuple(pair for pair in case.about[node] if pair[0] not in derived)
            self._describe_finding(piece, pairs, str(finding_class(case, node)))

    def _describe_finding(self, piece: Piece, pairs: tuple[tuple[URIRef, Node], ...], reads: str) -> None:
        piece.pairs = pairs
        piece.content = content_of(pairs, self._visible)
        piece.finding = Finding(self.vocabulary, dict(pairs)[RDF.type], pairs)
        piece.reads = reads

    def _as_written(self, alike: Piece, items: Frozen) -> Piece:
        """The piece with its own numbers: by these, findings of one day differ."""
        finding = alike.finding
        exact = self._stand_ins.exact(items)
        if finding is None or not exact:
            return alike
        piece = Piece(alike.like)
        for name in Piece.__slots__:
            setattr(piece, name, getattr(alike, name))
        piece.finding = finding.with_numbers(exact)
        return piece


# ---------------------------------------------------------------------- JSON values as they are remembered


def frozen(value: Any) -> Frozen:
    """A JSON value as something to remember by. A number is a tuple of its text alone, so that it is never a text."""
    if isinstance(value, dict):
        return ("{}", *[(key, frozen(inner)) for key, inner in value.items()])
    if isinstance(value, list):
        return ("[]", *[frozen(inner) for inner in value])
    return value


def _thawed(value: Frozen) -> Any:
    if isinstance(value, tuple) and len(value) != 1:
        return _thawed_items(value[1:]) if value[0] == "{}" else [_thawed(inner) for inner in value[1:]]
    return [] if value == ("[]",) else {} if value == ("{}",) else value


def _thawed_items(items: Frozen) -> Json:
    return {key: _thawed(value) for key, value in items}


def _items_of(written: tuple[Written, Written]) -> list[Frozen]:
    """What a request and a case state: where it stands, the key, and the value."""
    request, case = written
    return [("request", *item) for item in zip(*request, strict=True)] + [
        ("case", *item) for item in zip(*case, strict=True)
    ]


def _finding_of(items: Frozen) -> Json:
    """What a small case says that has one finding."""
    return {"findings": [{**_thawed_items(items), "date": _DAY}]}


def _case_of(item: Frozen) -> Json:
    """What a small case says that states one key of the case, or of its request."""
    holder, key, value = item
    return {"request": {key: _thawed(value)}} if holder == "request" else {key: _thawed(value)}


def _text(value: Any) -> str:
    """JSON of a value whose numbers are tuples of their text."""
    if isinstance(value, tuple):
        return str(value[0])
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value)
