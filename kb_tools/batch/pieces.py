"""The pieces of cases written as plain JSON: what each is, decided once by the reader and the case shapes.

A piece is a finding without its date, or one key of the request or of the case with its value. It is learned by reading
a small case that says nothing else, and holding that against the case shapes. A number of a finding or a product is
replaced by one that lies the same way to every limit that the shapes name, and to its other numbers (`cases.numbers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, TypeAlias

from rdflib import URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.batch.opening import Frozen, Json, as_text, items_of_case, items_of_finding, thawed, thawed_items
from kb_tools.batch.sight import Ages
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

# What conditions see of a finding: each kind of fact that it is, the bit where it counts, and where it perhaps does.
Bits: TypeAlias = tuple[tuple[int, int, int], ...]
# A revision, a finding, and those that contradict it; each by `Piece.like` and with how old it is.
Look: TypeAlias = tuple[str, tuple[int, Ages], tuple[tuple[int, Ages], ...]]

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
        unclear: whether only the reader can say what it is.
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

    __slots__ = (
        *("content", "finding", "like", "pairs", "reads", "reason", "seen", "shapes", "slips", "statements"),
        "unclear",
    )

    @property
    def refused(self) -> bool:
        """Whether the reader refuses it, or may, or it breaks a case shape."""
        return bool(self.unclear or self.slips or self.shapes)

    def __init__(self, like: int, unclear: bool = False) -> None:
        self.like = like
        self.unclear = unclear
        self.slips: tuple[Slip, ...] = ()
        self.shapes: tuple[str, ...] = ()
        self.statements: tuple[Statement, ...] = ()
        self.reason: Node | None = None
        self.pairs: tuple[tuple[URIRef, Node], ...] = ()
        self.finding: Finding | None = None
        self.content: Content = ()
        self.reads = ""
        self.seen: dict[str, Any] = {}


_UNCLEAR = Piece(-1, unclear=True)


class Stated:
    """All that a case states besides its findings.

    Attributes:
        pieces: what each key states.
        refused: whether the reader refuses one of them, or one breaks a case shape.
        reason: the disease treated, where it is stated.
        masks: by revision, a mask for each kind of fact that its conditions read.
        payer: the IRI of the payer that the coverage states; "" for none.
    """

    __slots__ = ("masks", "payer", "pieces", "reason", "refused")

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        self.pieces = pieces
        self.refused = any(piece.refused for piece in pieces)
        self.reason = next((piece.reason for piece in pieces if piece.reason is not None), None)
        self.masks: dict[str, tuple[int, ...]] = {}
        payers = (value for piece in pieces for _, link, value in piece.statements if link == CASE.payer)
        self.payer = str(next(payers, ""))


class Pieces:
    """Knows the pieces of cases, and learns those that it does not know."""

    def __init__(self, kb: Repository, checker: CaseChecker) -> None:
        self._kb = kb
        self._checker = checker
        forms = CaseForms(kb)
        self.reader = PlainReader(forms)
        # The key under which a request states its products.
        self._products = next(
            (key.name for key in forms.forms["Request"].keys.values() if key.path == CASE.product), ""
        )
        self.vocabulary = Vocabulary(kb)
        self._stand_ins = StandIns(kb)
        self._findings: Memory[str, Piece] = Memory(AS_WRITTEN)
        self._alike: Memory[Frozen, Piece] = Memory(ALIKE)
        self._stated: Memory[Frozen, Piece] = Memory(ALIKE)
        self._together: Memory[str, Stated] = Memory(AS_WRITTEN)
        self._visible = visible(kb.evaluated)
        # What was learned since `release`: it is known until then, whatever the memories forget.
        self._held_findings: dict[str, Piece] = {}
        self._held_together: dict[str, Stated] = {}
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
        self._held_together.clear()

    def findings(self, texts: Sequence[str]) -> list[Piece | None]:
        """Findings, each by its text without its date; None in place of what is still to be learned."""
        newer = self._findings.newer
        found = [newer.get(text) for text in texts]
        return [self._finding(text) for text in texts] if None in found else found

    def _finding(self, text: str) -> Piece | None:
        found = self._findings.get(text)
        return self._held_findings.get(text) if found is None else found

    def stated(self, text: str) -> Stated | None:
        """What a case states besides its findings and dates, by its text; None where it is to be learned."""
        found = self._together.get(text)
        return self._held_together.get(text) if found is None else found

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

    def learn(self, findings: Iterable[str], stated: Iterable[str]) -> None:
        """Learns pieces by their texts, all in one call of the engine for the case shapes."""
        waiting: dict[Frozen, list[tuple[str, Frozen]]] = {}
        for text in dict.fromkeys(findings):
            items = items_of_finding(text)
            if items is None:
                self._held_findings[text] = self._findings.put(text, _UNCLEAR)
                continue
            like = self._stand_ins.of(items)
            known = self._alike.get(like)
            if known is not None and known.slips and like != items:
                like, known = items, self._alike.get(items)
            if known is None:
                waiting.setdefault(like, []).append((text, items))
            else:
                self._remember(text, items, known)
        by_text = {text: items_of_case(text) for text in dict.fromkeys(stated)}
        likes = {item: self._standing_for(item) for items in by_text.values() for item in items or ()}
        known_items = {like: self._stated.get(like) for like in likes.values()}
        new = [like for like, piece in known_items.items() if piece is None]
        small = [
            *(_finding_of(like) for like in waiting),
            *(_case_of(item) for item in new),
        ]
        pieces = self._decide(small)
        for (like, waiting_for), piece in zip(waiting.items(), pieces, strict=False):
            self._alike.put(like, piece)
            for text, items in waiting_for:
                if piece.slips and items != like:
                    # What the reader says may quote a number as it is written.
                    (own,) = self._decide([_finding_of(items)])
                    self._remember(text, items, self._alike.put(items, own))
                else:
                    self._remember(text, items, piece)
        for like, piece in zip(new, pieces[len(waiting) :], strict=True):
            known_items[like] = self._stated.put(like, piece)
            for item in [item for item, other in likes.items() if other == like != item and piece.slips]:
                (own,) = self._decide([_case_of(item)])
                likes[item], known_items[item] = item, self._stated.put(item, own)
        for text, items_stated in by_text.items():
            of_text = [_UNCLEAR] if items_stated is None else [known_items[likes[item]] for item in items_stated]
            self._held_together[text] = self._together.put(text, Stated(tuple(of_text)))  # type: ignore[arg-type]

    def _standing_for(self, item: Frozen) -> Frozen:
        """What stands for something stated: of products, that which no shape can tell from it by its numbers."""
        holder, key, value = item
        if holder != "request" or key != self._products or not isinstance(value, tuple) or len(value) == 1:
            return item
        objects = [value] if value[0] == "{}" else value[1:]
        if any(not isinstance(one, tuple) or one[:1] != ("{}",) for one in objects):
            return item
        replaced = [("{}", *self._stand_ins.of(one[1:])) for one in objects]
        like = (holder, key, replaced[0] if value[0] == "{}" else ("[]", *replaced))
        known = self._stated.get(like)
        # What the reader says may quote a number as it is written.
        return item if known is not None and known.slips else like

    def _remember(self, text: str, items: Frozen, alike: Piece) -> None:
        self._held_findings[text] = self._findings.put(text, self._as_written(alike, items))

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
        return self.read(as_text(whole).encode())

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


def _finding_of(items: Frozen) -> Json:
    """What a small case says that has one finding."""
    return {"findings": [{**thawed_items(items), "date": _DAY}]}


def _case_of(item: Frozen) -> Json:
    """What a small case says that states one key of the case, or of its request."""
    holder, key, value = item
    return {"request": {key: thawed(value)}} if holder == "request" else {key: thawed(value)}
