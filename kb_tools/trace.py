"""A copy of the policy's document held against the passages of a revision: what is found, what is new, what to review.

The knowledge base keeps no text of the document, but of each passage its place, a digest and a sketch. A unit of the
document with the digest of a passage is that passage. Of the rest, those whose sketches are alike, or that stand at the
same place, are taken for the same passage in other words.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from rdflib import Graph, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.errors import UnknownRevision, UnreadableInput
from kb_tools.knowledge_base import Policy, RevisionEntry
from kb_tools.namespaces import CITO, POL
from kb_tools.source import Unit, alike, cut, digest, read, sketch

# The kinds of statements, those whose error does most harm first. Those that are not in REVIEWED decide nothing, and
# call for a look as well when their passage changes.
KINDS: Mapping[str, tuple[URIRef, ...]] = {
    "criterion": (POL.Criterion, POL.Indication, POL.Limitation, POL.Exclusion, POL.Remainder, POL.Applicability),
    "definition": (POL.Definition,),
    "code": (POL.Code,),
    "reference": (POL.Reference,),
    "evidence": (POL.EvidenceStatement,),
    "advisory": (POL.Advisory,),
    "discrepancy": (POL.Discrepancy,),
    "log row": (POL.LogRow, POL.LogStatement),
    "revision": (POL.Revision, POL.PartHolding),
}
REVIEWED = ("criterion", "definition", "code", "reference", "evidence")
# How alike two sketches must be (cosine), from 0 to 1, to be of one passage in other words: anywhere, and where both
# stand alone at the same place.
ALIKE, ALIKE_IN_PLACE = 0.6, 0.3
# A document in which less than this share of the passages is found is of another policy, unless it names this one.
FOREIGN = 0.1
_FOREIGN = "name the policy with --policy, or check the file"


@dataclass(frozen=True)
class Statement:
    """Something that the knowledge base states: its kind (one of KINDS), IRI, place in the document and short name."""

    kind: str
    iri: str
    notation: str
    label: str


@dataclass(frozen=True)
class Passage:
    """A passage of the revision.

    Attributes:
        accounted_as: the IRI of its disposition; "" if it has none.
        cites: the references whose marks it carries.
        whole: the passage that it is a part of; "" if it is a unit itself.
        statements: what states it.
        accounted: whether it, or a part of it, is stated or said to be left out.
    """

    iri: str
    section: str
    notation: str
    order: int
    digest: str
    sketch: str
    accounted_as: str
    cites: frozenset[str]
    whole: str
    statements: tuple[Statement, ...]
    accounted: bool


@dataclass(frozen=True)
class Located:
    """A unit of the document that is a passage of the revision: the same (`likeness` 1), or in other words."""

    passage: Passage
    unit: Unit
    notation: str
    likeness: float = 1.0


@dataclass(frozen=True)
class Review:
    """A statement in question: `why` is the first that holds of "gone", "moved" (of an item) and "reworded"."""

    statement: Statement
    why: str
    places: tuple[Passage, ...]


@dataclass(frozen=True)
class Recited:
    """A passage whose citation marks point to other works than before, by the numbers in this document."""

    passage: Passage
    before: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """A document held against a revision.

    Attributes:
        units: of the document, with their notations.
        found: the units that are passages of the revision, word for word.
        moved: those of `found` that stand elsewhere, or have another number.
        reworded: units taken for a passage in other words.
        new, gone: units that are no passage of the revision, and passages that are no unit of the document.
        parts_found: the parts of passages whose wording stands in the document.
        recited: passages that cite other works than before; empty if the document shows no citation marks.
    """

    policy: Policy
    entry: RevisionEntry
    passages: tuple[Passage, ...]
    units: tuple[tuple[Unit, str], ...]
    found: tuple[Located, ...]
    moved: tuple[Located, ...]
    reworded: tuple[Located, ...]
    new: tuple[tuple[Unit, str], ...]
    gone: tuple[Passage, ...]
    parts_found: frozenset[str]
    recited: tuple[Recited, ...]

    @cached_property
    def whole(self) -> bool:
        """Whether every unit of the document is accounted for, and every passage of the revision found."""
        return len(self.found) == len(self.units) and not self.gone and all(e.passage.accounted for e in self.found)

    @cached_property
    def sections(self) -> dict[str, tuple[int, int]]:
        """By section of the document: the units accounted for, and all."""
        accounted = {each.unit.order for each in self.found if each.passage.accounted}
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
        why = {each.passage.iri: "moved" for each in self.moved if each.unit.kind == "item"}
        why |= {each.iri: "gone" for each in self.gone} | {each.passage.iri: "reworded" for each in self.reworded}
        for part in self.passages:
            if part.whole in why and part.iri not in self.parts_found:
                why[part.iri] = why[part.whole]
        resting: dict[Statement, list[Passage]] = defaultdict(list)
        for passage in self.passages:
            if passage.iri in why:
                for statement in passage.statements:
                    resting[statement].append(passage)
        reviews = [
            # In the order of the alphabet, the first is the worst.
            Review(statement, min(why[each.iri] for each in places), tuple(places))
            for statement, places in resting.items()
        ]
        kinds = list(KINDS)
        return tuple(
            sorted(
                reviews,
                key=lambda each: (kinds.index(each.statement.kind), each.why, each.places[0].order, each.statement.iri),
            )
        )


# ---------------------------------------------------------------------- the side of the knowledge base


def traceable(policy: Policy, named: str | None = None) -> RevisionEntry:
    """The revision named, or the latest one of whose document digests are kept.

    Raises:
        UnknownRevision: there is none, or of the one named no digests are kept.
    """
    kept = _with_digests(policy)
    chosen = [policy.entry(named)] if named else kept[-1:]
    if not chosen or chosen[0] not in kept:
        which = f"revision {named}" if named else "any revision"
        mend = f"digests are kept of: {', '.join(each.name for each in kept)}" if kept else "add its passages.ttl"
        raise UnknownRevision(f"no digests of the document of {policy.identifier}, {which}, are kept", mend=mend)
    return chosen[0]


def _with_digests(policy: Policy) -> list[RevisionEntry]:
    return [entry for entry in policy.history if (None, POL.digest, None) in policy.own_graph(entry)]


def passages(policy: Policy, entry: RevisionEntry) -> tuple[Passage, ...]:
    """The passages of a revision with digests, in the order of the document, each with what states it."""
    graph = Graph()
    for each in (policy.own_graph(entry), policy.shared):
        graph += each
    kinds: dict[Node, str] = {class_: kind for kind, classes in KINDS.items() for class_ in classes}
    found = [
        _passage(policy, graph, node, kinds) for node in graph.subjects(POL.digest, None) if isinstance(node, URIRef)
    ]
    in_part = {each.whole for each in found if each.accounted}
    found = [replace(each, accounted=each.accounted or each.iri in in_part) for each in found]
    return tuple(sorted(found, key=lambda each: (each.order, each.whole != "", each.iri)))


def _passage(policy: Policy, graph: Graph, node: URIRef, kinds: Mapping[Node, str]) -> Passage:
    def text(property_: URIRef) -> str:
        return str(graph.value(node, property_) or "")

    statements = set()
    for subject in graph.subjects(POL.statedIn, node):
        kind = next((kinds[each] for each in graph.objects(subject, RDF.type) if each in kinds), None)
        if kind:
            statements.add(_statement(policy, graph, subject, kind))
    return Passage(
        iri=str(node),
        section=text(POL.section),
        notation=text(SKOS.notation),
        order=int(text(POL.order)),
        digest=text(POL.digest),
        sketch=text(POL.sketch),
        accounted_as=text(POL.accountedAs),
        cites=frozenset(str(each) for each in graph.objects(node, CITO.cites)),
        whole=text(DCTERMS.isPartOf),
        statements=tuple(sorted(statements, key=lambda each: each.iri)),
        accounted=bool(statements or text(POL.accountedAs)),
    )


def _statement(policy: Policy, graph: Graph, node: Node, kind: str) -> Statement:
    # What is on file of a part of the document has no name of its own.
    part = graph.value(node, POL.part)
    label = graph.value(node, RDFS.label) or graph.value(node, POL.gloss) or policy.kb.labels.get(str(part), "")
    iri = "" if part else str(node)
    return Statement(kind, iri, str(graph.value(node, SKOS.notation) or ""), str(label))


# ---------------------------------------------------------------------- the two sides held together


def units_of(document: Path, known: Sequence[Passage]) -> list[Unit]:
    """The units of a document, whose headings are recognised by the sections of known passages too.

    Raises:
        KbError: it cannot be read.
    """
    return cut(read(document), {each.section for each in known})


def quotes(policy: Policy, document: Path) -> dict[str, str]:
    """The wording of each passage, by its IRI, in a copy of a document: of every revision of which digests are kept.

    Raises:
        KbError: the document cannot be read, or is of another policy.
    """
    of_each = [passages(policy, entry) for entry in _with_digests(policy)]
    units = [(unit, "") for unit in units_of(document, [each for known in of_each for each in known])]
    wording: dict[str, str] = {}
    for known in of_each:
        found = {each.passage.iri: each.unit.text for each in _same([one for one in known if not one.whole], units)}
        wording |= found | {each.iri: found[each.whole] for each in known if each.whole in found}
    if not wording:
        raise UnreadableInput(
            f"not a document of {policy.identifier}: none of its passages is found", where=str(document), mend=_FOREIGN
        )
    return wording


def trace(policy: Policy, entry: RevisionEntry, units: Sequence[Unit]) -> Trace:
    """Holds a document against a revision.

    Args:
        units: of the document, in its order.

    Raises:
        UnreadableInput: the document is of another policy.
    """
    known = passages(policy, entry)
    named = list(zip(units, notations(units), strict=True))
    found = list(_same([each for each in known if not each.whole], named))
    wholes = sum(not each.whole for each in known)
    named_here = any(policy.identifier.casefold() in unit.text.casefold() for unit in units)
    if len(found) < FOREIGN * wholes and not named_here:
        raise UnreadableInput(
            f"not a document of {policy.identifier}: {len(found)} of its {wholes} passages are found",
            mend=_FOREIGN,
        )
    taken, matched = {each.unit.order for each in found}, {each.passage.iri for each in found}
    new = [pair for pair in named if pair[0].order not in taken]
    gone = [each for each in known if not each.whole and each.iri not in matched]
    reworded = _reworded(found, gone, new)
    taken = {each.unit.order for each in reworded}
    matched = {each.passage.iri for each in reworded}
    standing = {run for unit, _ in new for run in _runs(unit.text)}
    kept = {each.passage.iri for each in found}
    return Trace(
        policy=policy,
        entry=entry,
        passages=known,
        units=tuple(named),
        found=tuple(found),
        moved=tuple(_moved(found)),
        reworded=tuple(reworded),
        new=tuple(pair for pair in new if pair[0].order not in taken),
        gone=tuple(each for each in gone if each.iri not in matched),
        parts_found=frozenset(each.iri for each in known if each.whole in kept or each.digest in standing),
        recited=tuple(_recited([*found, *reworded])),
    )


# What the numbers of items look like, by the level that they usually have.
_FORMS = tuple(map(re.compile, (r"[IVXLC]+", r"[A-Z]", r"\d+", r"[a-z]", r"[ivxlc]+")))
# The numbers from the top to an item, each with its form.
_Path: TypeAlias = Sequence[tuple[int, str]]


def notations(units: Sequence[Unit]) -> Iterator[str]:
    """How each unit is called by its place: "II.A", "Reference 7", "Background, paragraph 4, sentence 3"."""
    path: _Path = []
    place, count = "", 0
    for unit in units:
        if unit.kind == "heading":
            path = []
        if unit.kind == "item" and unit.label:
            path = _path(path, unit.label)
        here = _place(unit, path)
        count = count + 1 if here == place else 1
        place = here
        numbered = unit.kind == "sentence" and not path
        yield f"{here}, sentence {count}" if numbered or count > 1 else here


def _place(unit: Unit, path: _Path) -> str:
    """The place of the paragraph that a unit stands in."""
    if unit.kind == "heading":
        return f"{unit.section}, heading"
    if unit.kind == "reference":
        return f"Reference {unit.label}"
    if unit.kind == "row":
        return f"{unit.section}, {f'code {unit.label}' if unit.label else f'row {unit.paragraph}'}"
    if path:
        return ".".join(number for _, number in path) + (", note" if unit.label == "Note" else "")
    return f"{unit.section}, paragraph {unit.paragraph}"


def _path(path: _Path, label: str) -> _Path:
    """The numbers from the top to an item: it has the level of the letter before it, else that of its form."""
    for level, (form, above) in reversed(list(enumerate(path))):
        if len(label) == len(above) == 1 and ord(label) == ord(above) + 1:
            return [*path[:level], (form, label)]
    form = next((number for number, each in enumerate(_FORMS) if each.fullmatch(label)), len(_FORMS))
    level = next((number for number, (other, _) in enumerate(path) if other == form), len(path))
    return [*path[:level], (form, label)]


def _same(known: Sequence[Passage], units: Sequence[tuple[Unit, str]]) -> Iterator[Located]:
    """The units with the digest of a passage; of several such passages that of the same section, then the first."""
    waiting: dict[str, list[Passage]] = defaultdict(list)
    for passage in known:
        waiting[passage.digest].append(passage)
    for unit, notation in units:
        candidates = waiting[unit.digest]
        if candidates:
            passage = next((each for each in candidates if each.section == unit.section), candidates[0])
            candidates.remove(passage)
            yield Located(passage, unit, notation)


def _moved(found: Sequence[Located]) -> Iterator[Located]:
    """Those that stand under another heading, have another number, or stand out of the order of the others."""
    in_order = _longest_rise([each.passage.order for each in found])
    for number, each in enumerate(found):
        renumbered = each.unit.kind in ("item", "reference") and each.notation != each.passage.notation
        if number not in in_order or each.unit.section != each.passage.section or renumbered:
            yield each


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
    slots = [(each.passage.order, each.unit.order) for each in found]

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
    for _, _, located in sorted(pairs, key=lambda each: each[:2], reverse=True):
        if located.passage.iri not in passages_taken and located.unit.order not in units_taken:
            passages_taken.add(located.passage.iri)
            units_taken.add(located.unit.order)
            chosen.append(located)
    return sorted(chosen, key=lambda each: each.unit.order)


def _runs(text: str) -> Iterator[str]:
    """The digests of all runs of clauses of a sentence, cut at its commas and semicolons."""
    parts = text.replace(";", ",").split(",")
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            yield digest(",".join(parts[start:end]))


def _recited(located: Sequence[Located]) -> Iterator[Recited]:
    """Passages whose marks point to other works than they did; none if the document shows no marks at all."""
    if not any(each.unit.marks for each in located):
        return
    works = {
        each.unit.label: statement.iri
        for each in located
        if each.unit.kind == "reference"
        for statement in each.passage.statements
        if statement.kind == "reference"
    }
    numbers = {iri: label for label, iri in works.items()}

    def by_number(iri: str) -> tuple[int, str]:
        return int(numbers.get(iri, 0)), iri

    for each in located:
        now = {works.get(str(mark), f"number {mark}") for mark in each.unit.marks}
        if now != each.passage.cites:
            yield Recited(
                each.passage,
                tuple(numbers.get(iri, "a work no longer listed") for iri in sorted(each.passage.cites, key=by_number)),
                tuple(map(str, each.unit.marks)),
            )
