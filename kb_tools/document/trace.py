"""Holds a copy of a document against the passages on file."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kb_tools.as_json import AsJson
from kb_tools.document.cut import cut
from kb_tools.document.digest import digest
from kb_tools.document.likeness import alike, sketch
from kb_tools.document.notation import notations
from kb_tools.document.passages import KINDS, REVIEWED, passages, revisions_with_digests
from kb_tools.document.read import read
from kb_tools.document.unit import Unit
from kb_tools.errors import UnreadableInput
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy

if TYPE_CHECKING:
    from kb_tools.document.passages import Passage, Statement
# How alike two sketches must be (cosine), from 0 to 1, to be of one passage in other words: anywhere, and where both
# stand alone at the same place.
ALIKE, ALIKE_IN_PLACE = 0.6, 0.3
# What becomes of a passage that a statement rests on, worst first.
GONE, REWORDED, MOVED = BECAME = ("gone", "reworded", "moved")
# A document in which less than this share of the passages is found is of another policy, unless it names this one.
FOREIGN = 0.1
_FOREIGN = "name the policy with --policy, or check the file"


@dataclass(frozen=True)
class Located:
    """A unit of the document that is a passage of the revision: the same (`likeness` 1), or in other words."""

    passage: Passage
    unit: Unit
    notation: str
    likeness: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Give the passage and where it stands as JSON values; no text of the document."""
        return {**self.passage.to_dict(), "inDocument": self.notation, "likeness": round(self.likeness, 2)}


@dataclass(frozen=True)
class Review:
    """A statement in question because of what became of passages that it rests on.

    Attributes:
        places: these passages.
        became: of each of them: "gone", "reworded", or "moved" (of an item).
        now: of each of them: the name of its place in the document where that is another; else "".
    """

    statement: Statement
    places: tuple[Passage, ...]
    became: tuple[str, ...]
    now: tuple[str, ...]

    @property
    def why(self) -> str:
        """The worst of what became of the passages: gone, then reworded, then moved."""
        return min(self.became, key=BECAME.index)

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """Each place by its name, with what became of it in words, worst first: "I.F" is "moved to I.G"."""
        told = zip(self.places, self.became, self.now, strict=True)
        told_worst_first = sorted(told, key=lambda one: BECAME.index(one[1]))
        return tuple(
            (place.notation, f"moved to {now}" if became == MOVED and now else became)
            for place, became, now in told_worst_first
        )

    @property
    def decides(self) -> bool:
        """Whether its statement is of a kind whose error does harm."""
        return self.statement.kind in REVIEWED

    def to_dict(self) -> dict[str, Any]:
        """Give the statement and why it is in question as JSON values."""
        return {
            "kind": self.statement.kind,
            "statement": self.statement.iri or None,
            "label": self.statement.label,
            "why": self.why,
            "passages": [place.iri for place in self.places],
        }


@dataclass(frozen=True)
class Recited:
    """A passage whose citation marks point to other works than before, by the numbers in this document."""

    passage: Passage
    before: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True)
class Trace(AsJson):
    """A document held against a revision.

    Attributes:
        document: the name of its file.
        units: of the document, with their notations.
        found: the units that are passages of the revision, word for word.
        moved: those of `found` that stand elsewhere, or have another number.
        reworded: units taken for a passage in other words.
        new, gone: units that are no passage of the revision, and passages that are no unit of the document.
        parts_found: the parts of passages whose wording stands in the document.
        recited: passages that cite other works than before; empty if the document shows no citation marks.
        by_place: whether no digests of the revision are kept, so that units and passages were paired by the names of
            their places alone, and nothing tells what is reworded.
    """

    policy: Policy
    entry: RevisionEntry
    document: str
    passages: tuple[Passage, ...]
    units: tuple[tuple[Unit, str], ...]
    found: tuple[Located, ...]
    moved: tuple[Located, ...]
    reworded: tuple[Located, ...]
    new: tuple[tuple[Unit, str], ...]
    gone: tuple[Passage, ...]
    parts_found: frozenset[str]
    recited: tuple[Recited, ...]
    by_place: bool = False

    @cached_property
    def complete(self) -> bool:
        """Whether every unit of the document is accounted for, and every passage of the revision found."""
        return (
            len(self.found) == len(self.units)
            and not self.gone
            and all(located.passage.accounted for located in self.found)
        )

    @cached_property
    def sections(self) -> dict[str, tuple[int, int]]:
        """By section of the document: the units accounted for, and all."""
        accounted = {located.unit.order for located in self.found if located.passage.accounted}
        counts: dict[str, tuple[int, int]] = {}
        for unit, _ in self.units:
            done, total = counts.get(unit.section, (0, 0))
            counts[unit.section] = (done + (unit.order in accounted), total + 1)
        return counts

    @cached_property
    def reviews(self) -> tuple[Review, ...]:
        """What is in question because a passage that it rests on is gone or reworded, worst first.

        An item of a list that stands elsewhere is in question too: there it may mean something else.
        """
        became = {located.passage.iri: MOVED for located in self.moved if located.unit.kind == "item"}
        now = {one.passage.iri: one.notation for one in self.moved if one.notation != one.passage.notation}
        became |= {passage.iri: GONE for passage in self.gone}
        became |= {located.passage.iri: REWORDED for located in self.reworded}
        for part in self.passages:
            if part.part_of in became and part.iri not in self.parts_found:
                became[part.iri] = became[part.part_of]
        resting: dict[Statement, list[Passage]] = defaultdict(list)
        for passage in self.passages:
            if passage.iri in became:
                for statement in passage.statements:
                    resting[statement].append(passage)
        reviews = [
            Review(
                statement,
                tuple(places),
                tuple(became[place.iri] for place in places),
                tuple(now.get(place.iri, "") for place in places),
            )
            for statement, places in resting.items()
        ]
        kinds = list(KINDS)
        return tuple(
            sorted(
                reviews,
                key=lambda review: (
                    kinds.index(review.statement.kind),
                    BECAME.index(review.why),
                    review.places[0].order,
                    review.statement.iri,
                ),
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the trace, as `kb trace --format json` does; no text of the document."""
        return {
            "policy": self.policy.identifier,
            "revision": self.entry.name,
            "document": self.document,
            "accountedFor": sum(done for done, _ in self.sections.values()),
            "units": len(self.units),
            "sections": [
                {"section": section, "units": total, "accountedFor": done}
                for section, (done, total) in self.sections.items()
            ],
            "review": [review.to_dict() for review in self.reviews if review.decides],
            "alsoStatedThere": [review.to_dict() for review in self.reviews if not review.decides],
            "reworded": [located.to_dict() for located in self.reworded],
            "new": [{"place": notation, "section": unit.section, "kind": unit.kind} for unit, notation in self.new],
            "gone": [passage.to_dict() for passage in self.gone],
            "moved": [located.to_dict() for located in self.moved],
            "citations": [
                {"passage": recited.passage.iri, "works": list(recited.before), "marks": list(recited.now)}
                for recited in self.recited
            ],
        }


# ---------------------------------------------------------------------- the two sides held together


def units_of(document: Path, known: Sequence[Passage]) -> list[Unit]:
    """The units of a document, whose headings are recognised by the sections of known passages too.

    Raises:
        KbError: it cannot be read.
    """
    return cut(read(document), {passage.section for passage in known})


def quotes(policy: Policy, document: Path) -> dict[str, str]:
    """The wording of each passage, by its IRI, in a copy of a document: of every revision of which digests are kept.

    Raises:
        KbError: the document cannot be read, or is of another policy.
    """
    of_each = [passages(policy, entry) for entry in revisions_with_digests(policy)]
    units = [(unit, "") for unit in units_of(document, [passage for known in of_each for passage in known])]
    wording: dict[str, str] = {}
    for known in of_each:
        found = {
            located.passage.iri: located.unit.text
            for located in _same([passage for passage in known if not passage.part_of], units)
        }
        wording |= found | {passage.iri: found[passage.part_of] for passage in known if passage.part_of in found}
    if not wording:
        raise UnreadableInput(
            f"not a document of {policy.identifier}: none of its passages is found", where=str(document), hint=_FOREIGN
        )
    return wording


def trace(policy: Policy, entry: RevisionEntry, document: str, units: Sequence[Unit]) -> Trace:
    """Holds a document against a revision.

    Args:
        document: the name of its file.
        units: of the document, in its order.

    Raises:
        UnreadableInput: the document is of another policy.
    """
    known = passages(policy, entry)
    named = list(zip(units, notations(units), strict=True))
    found = list(_same([passage for passage in known if not passage.part_of], named))
    expected = sum(not passage.part_of for passage in known)
    if len(found) < FOREIGN * expected and not any(_names(policy.identifier, unit) for unit in units):
        raise UnreadableInput(
            f"not a document of {policy.identifier}: {len(found)} of its {expected} passages are found",
            hint=_FOREIGN,
        )
    taken, matched = {located.unit.order for located in found}, {located.passage.iri for located in found}
    new = [pair for pair in named if pair[0].order not in taken]
    gone = [passage for passage in known if not passage.part_of and passage.iri not in matched]
    reworded = _reworded(found, gone, new)
    taken = {located.unit.order for located in reworded}
    matched = {located.passage.iri for located in reworded}
    standing = {run for unit, _ in new for run in _runs(unit.text)}
    kept = {located.passage.iri for located in found}
    return Trace(
        policy=policy,
        entry=entry,
        document=document,
        passages=known,
        units=tuple(named),
        found=tuple(found),
        moved=tuple(_moved(found)),
        reworded=tuple(reworded),
        new=tuple(pair for pair in new if pair[0].order not in taken),
        gone=tuple(passage for passage in gone if passage.iri not in matched),
        parts_found=frozenset(
            passage.iri for passage in known if passage.part_of in kept or passage.digest in standing
        ),
        recited=tuple(_recited([*found, *reworded])),
    )


def trace_by_place(policy: Policy, entry: RevisionEntry, document: str, units: Sequence[Unit]) -> Trace:
    """Pairs a document with a revision of which no digests are kept: by the names of the places, and nothing else.

    Any document has places of these names; so it must name the policy, by its number or its title.

    Raises:
        UnreadableInput: it does not.
    """
    if not any(_names(name, unit) for name in (policy.identifier, policy.title) for unit in units):
        what = f'not a document of {policy.identifier}: it names neither that number nor "{policy.title}"'
        raise UnreadableInput(what, hint=_FOREIGN)
    known = passages(policy, entry, with_digest=False)
    waiting = {passage.notation.casefold(): passage for passage in reversed(known) if not passage.part_of}
    named = list(zip(units, notations(units), strict=True))
    paired, new = [], []
    for unit, notation in named:
        passage = waiting.pop(notation.casefold(), None)
        if passage is None:
            new.append((unit, notation))
        else:
            paired.append(Located(passage, unit, notation, 0.0))
    taken = {located.passage.iri for located in paired}
    return Trace(
        policy=policy,
        entry=entry,
        document=document,
        passages=known,
        units=tuple(named),
        found=(),
        moved=(),
        reworded=tuple(paired),
        new=tuple(new),
        gone=tuple(passage for passage in known if not passage.part_of and passage.iri not in taken),
        parts_found=frozenset(),
        recited=(),
        by_place=True,
    )


def _names(name: str, unit: Unit) -> bool:
    return name.casefold() in unit.text.casefold()


def _same(known: Sequence[Passage], units: Sequence[tuple[Unit, str]]) -> Iterator[Located]:
    """The units with the digest of a passage; of several such passages that of the same section, then the first."""
    waiting: dict[str, list[Passage]] = defaultdict(list)
    for passage in known:
        waiting[passage.digest].append(passage)
    for unit, notation in units:
        candidates = waiting[unit.digest]
        if candidates:
            passage = next((candidate for candidate in candidates if candidate.section == unit.section), candidates[0])
            candidates.remove(passage)
            yield Located(passage, unit, notation)


def _moved(found: Sequence[Located]) -> Iterator[Located]:
    """Those that stand under another heading, have another number, or stand out of the order of the others."""
    in_order = _longest_rise([located.passage.order for located in found])
    for number, located in enumerate(found):
        renumbered = located.unit.kind in ("item", "reference") and located.notation != located.passage.notation
        if number not in in_order or located.unit.section != located.passage.section or renumbered:
            yield located


def _longest_rise(orders: Sequence[int]) -> set[int]:
    """The indices of a longest rising subsequence."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for index, order in enumerate(orders):
        at = bisect_left(ends, order)
        before.append(last[at - 1] if at else None)
        ends[at : at + 1] = [order]
        last[at : at + 1] = [index]
    chosen: set[int] = set()
    at_last = last[-1] if last else None
    while at_last is not None:
        chosen.add(at_last)
        at_last = before[at_last]
    return chosen


def _reworded(found: Sequence[Located], gone: Sequence[Passage], new: Sequence[tuple[Unit, str]]) -> list[Located]:
    """Passages and units paired by likeness, the most alike first; those at the same place need less of it."""
    slots = [(located.passage.order, located.unit.order) for located in found]

    def slot(order: int, side: int) -> int:
        return sum(pair[side] < order for pair in slots)

    pairs = []
    for unit, notation in new:
        print_of_unit = sketch(unit.text)
        for passage in gone:
            likeness = alike(passage.sketch, print_of_unit)
            in_place = slot(passage.order, 0) == slot(unit.order, 1) or notation == passage.notation
            if likeness >= (ALIKE_IN_PLACE if in_place else ALIKE):
                pairs.append((likeness, -abs(passage.order - unit.order), Located(passage, unit, notation, likeness)))
    chosen: list[Located] = []
    passages_taken: set[str] = set()
    units_taken: set[int] = set()
    for _, _, located in sorted(pairs, key=lambda scored: scored[:2], reverse=True):
        if located.passage.iri not in passages_taken and located.unit.order not in units_taken:
            passages_taken.add(located.passage.iri)
            units_taken.add(located.unit.order)
            chosen.append(located)
    return sorted(chosen, key=lambda located: located.unit.order)


def _runs(text: str) -> Iterator[str]:
    """The digests of all runs of clauses of a sentence, cut at its commas and semicolons."""
    parts = text.replace(";", ",").split(",")
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            yield digest(",".join(parts[start:end]))


def _recited(found: Sequence[Located]) -> Iterator[Recited]:
    """Passages whose marks point to other works than they did; none if the document shows no marks at all.

    Of a passage of which no marks are on file, those that no statement there cites.
    """
    if not any(located.unit.marks for located in found):
        return
    works = {
        located.unit.label: statement.iri
        for located in found
        if located.unit.kind == "reference"
        for statement in located.passage.statements
        if statement.kind == "reference"
    }
    numbers = {iri: label for label, iri in works.items()}

    def by_number(iri: str) -> tuple[int, str]:
        return int(numbers.get(iri, 0)), iri

    for located in found:
        now = {works.get(str(mark), f"number {mark}") for mark in located.unit.marks}
        before = located.passage.cites or located.passage.cited
        # What is stated at several places may cite what only one of them has a mark of.
        if now - before or (located.passage.cites and now != before):
            yield Recited(
                located.passage,
                tuple(numbers.get(iri, "a work no longer listed") for iri in sorted(before, key=by_number)),
                tuple(map(str, located.unit.marks)),
            )
