"""Compact rows: what a case comes to, without its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from kb_tools.batch.learned import Learned
from kb_tools.batch.opening import DAYS, Opened, Opener, digest, id_of
from kb_tools.batch.pieces import FIRST, Bits, Look, Piece, Pieces, Slip, Stated, slips_of
from kb_tools.batch.sight import VALUES, Ages, Reads, Sight, deciding_conditions, in_codes
from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.plain import MOST
from kb_tools.cases.standing import CaseFindings, Standing
from kb_tools.determine.choice import payer_notice
from kb_tools.determine.concern import Concern
from kb_tools.determine.determiner import age_notice, difference_notices
from kb_tools.determine.evaluate import Content
from kb_tools.determine.locality import faults
from kb_tools.determine.looks import Seen
from kb_tools.determine.result import Determination, NotDetermined
from kb_tools.determine.run import Answer, Run
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.memory import Memory
from kb_tools.model.history import Selection
from kb_tools.rdf.namespaces import GIVEN

MALFORMED, UNREADABLE, NOT_DETERMINED = "Malformed", "Unreadable", "NotDetermined"
# Notices that depend on the case, by their codes.
PAYER, READING, DIFFER, AGE = "payer", "reading", "findings-differ", "age-of-findings"
# Looks of findings, of which more is seen than what they state, that are kept in one generation.
LOOKS = 20_000
_SAID_OF = GIVEN + "case/"


class Row(NamedTuple):
    """What a case comes to.

    Attributes:
        case: its `id` as given, where the line is JSON that has one which is a name; else a digest of the line.
        revision: the revision it was determined under; "" for none.
        outcome: of the determination, or "Malformed", "Unreadable", "NotDetermined".
        values: of each condition of the revision the value and the value that it perhaps has, a byte each, in the order
            of `Sight.conditions`; see `values_of`.
        to_send: the IRIs of the conditions whose value can still change the outcome.
        criteria: the criteria on which a settled outcome rests, with their values, as "acute-gvhd: fails".
        conditions: the conditions that give these their values, likewise.
        advisories: IRIs.
        notices: codes of the notices that depend on the case.
        reasons: why there is no determination: the case shapes that are broken, or what the reader says.
        policy: the policy that the case is of, where a run is of several; else "".
    """

    case: str
    revision: str
    outcome: str
    values: bytes = b""
    to_send: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    advisories: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    policy: str = ""


def values_of(code: int) -> tuple[str, str]:
    """The value that a byte of `Row.values` stands for, and the value that the condition perhaps has."""
    return VALUES[code >> 2].value, VALUES[code & 3].value


def names_of(
    lines: Sequence[bytes], found: Sequence[Case | KbError], name_of: Callable[[bytes], str] = lambda line: ""
) -> list[str]:
    """What rows call the cases of lines.

    Args:
        found: of each line the case, or why there is none.
        name_of: the name that a line gives which is refused, "" for none; by default none does.
    """
    given = (
        case.iri.removeprefix(_SAID_OF) if isinstance(case, Case) else name_of(line)
        for case, line in zip(found, lines, strict=True)
    )
    return [name or digest(line) for name, line in zip(given, lines, strict=True)]


class _Dated(NamedTuple):
    """A finding, and how old it is in the eyes of each kind of fact that it is."""

    piece: Piece
    ages: Ages


@dataclass(slots=True)
class _Missing:
    """What is to be learned before the rows of some cases can be made."""

    findings: list[str] = field(default_factory=list)
    stated: list[str] = field(default_factory=list)
    pieces: list[tuple[str, Piece]] = field(default_factory=list)
    looks: list[tuple[str, _Dated, tuple[_Dated, ...]]] = field(default_factory=list)
    masks: list[tuple[str, list[int]]] = field(default_factory=list)


class _ByReference(Exception):
    """A case that the reference path must read."""


class RowMaker:
    """Makes rows of cases, many at a time: by their pieces where these are known, else by the reference path."""

    def __init__(self, run: Run, by_pieces: bool = True, any_payer: bool = False) -> None:
        """Prepare making rows.

        Args:
            by_pieces: whether pieces are remembered; without, every case goes the reference path.
            any_payer: whether the policy is known to be meant, or not to matter, whatever payer a case states.
        """
        self._run = run
        self._any_payer = any_payer
        # Whether every shape can be decided piece by piece; where not, no case is.
        self.local = not faults(run.kb)
        self._by_pieces = by_pieces and self.local
        self._pieces = Pieces(run.kb, run.checker)
        self._opener = Opener(self._pieces.reader.forms.forms["Request"].keys["serviceDate"].pattern)
        self._sights: dict[str, Sight] = {}
        # By the date of service: what the revision sees under which the case is determined, or why there is none.
        self._of_day: Memory[str, Sight | KbError] = Memory(DAYS)
        self._looks: Memory[Look, Bits] = Memory(LOOKS)
        # Looks of the cases at hand: known until they have their rows, whatever the memory forgets.
        self._held: dict[Look, Bits] = {}

    def sight(self, selection: Selection) -> Sight:
        """What the conditions of a revision see."""
        name = selection.revision.name
        if name not in self._sights:
            self._sights[name] = Sight(self._run.determiner(selection))
        return self._sights[name]

    def restore(self, learned: Learned) -> None:
        """Starts with what was learned in an earlier run, for the revisions whose `sight` was asked for."""
        if self._by_pieces:
            learned.load(self._pieces, self._sights, self._looks)

    def keep(self, learned: Learned) -> None:
        """Keeps for later runs what was learned."""
        if self._by_pieces:
            learned.save(self._pieces, self._sights, self._looks)

    def of_lines(self, lines: Sequence[bytes]) -> list[Row]:
        """One row for each line of plain JSON, in their order."""
        if any(sight.is_full for sight in self._sights.values()):
            self._forget()
        self._pieces.release()
        self._held.clear()
        rows: list[Row | None] = [None] * len(lines)
        by_reference: list[int] = []
        waiting: list[tuple[int, Opened]] = []
        missing = _Missing()

        def make(place: int, opened: Opened) -> None:
            try:
                rows[place] = self._row(opened, missing)
            except _ByReference:
                by_reference.append(place)
            else:
                if rows[place] is None:
                    waiting.append((place, opened))

        for place, line in enumerate(lines):
            opened = self.open(line) if self._by_pieces else None
            if opened is None:
                by_reference.append(place)
            else:
                make(place, opened)
        while waiting:
            self._learn(missing)
            again, waiting, missing = waiting, [], _Missing()
            for place, opened in again:
                make(place, opened)
        for place, row in zip(by_reference, self._by_reference([lines[place] for place in by_reference]), strict=True):
            rows[place] = row
        return rows  # type: ignore[return-value]

    def open(self, line: bytes) -> Opened | None:
        """The case on a line taken apart; None where only the reader can say what is wrong."""
        return self._opener.open(line)

    def of_answer(self, name: str, answer: Answer | KbError) -> Row:
        """The row of what the reference path gives."""
        if isinstance(answer, Malformed):
            return Row(name, "", MALFORMED, reasons=_shapes_of(answer))
        if isinstance(answer, NotDetermined):
            return Row(name, "", NOT_DETERMINED, reasons=(answer.error.what,))
        if isinstance(answer, KbError):
            return Row(name, "", UNREADABLE, reasons=_reasons(slips_of(answer)))
        assert isinstance(answer, Determination)
        results = answer.condition_results
        notices = {
            PAYER: bool(payer_notice(answer.case, answer.revision.policy)),
            READING: bool(answer.case.notices),
            DIFFER: any(True for _ in difference_notices(results.values())),
            AGE: any(True for _ in age_notice(answer.criterion_results, results)),
        }
        sight = self.sight(Selection(answer.revision.entry, ()))
        return Row(
            name,
            answer.revision.entry.name,
            answer.outcome.value,
            sight.encoded(results),
            tuple(sorted(answer.to_send)),
            in_codes((one.criterion.iri, one.value) for one in answer.criterion_results if one.decides),
            in_codes((iri, results[iri].value) for iri in deciding_conditions(answer.criterion_results)),
            tuple(advisory.iri for advisory in answer.advisories),
            tuple(code for code, given in notices.items() if given),
        )

    def _forget(self) -> None:
        """Forgets all that was learned, so that no memory grows without end."""
        self._pieces.forget()
        self._looks = Memory(LOOKS)
        for sight in self._sights.values():
            sight.forget()

    # ------------------------------------------------------------------ by pieces

    def _row(self, opened: Opened, missing: _Missing) -> Row | None:
        """The row of a case; None where something is to be learned first.

        Raises:
            _ByReference: the reader refuses a part of it.
        """
        stated = self._pieces.stated(opened.stated)
        findings = self._pieces.findings(opened.findings)
        if stated is None:
            missing.stated.append(opened.stated)
        if None in findings:
            missing.findings += [one for one, piece in zip(opened.findings, findings, strict=True) if piece is None]
        elif stated is not None:
            return self._of_pieces(opened, stated, findings, missing)  # type: ignore[arg-type]
        return None

    def _of_pieces(self, opened: Opened, stated: Stated, findings: list[Piece], missing: _Missing) -> Row | None:
        """The row of a case of which all pieces are known. Arguments and errors are those of `_row`."""
        if stated.payer and not self._any_payer and stated.payer != self._run.policy.payer:
            # Rare, and whether the policy is meant at all the reference path finds out.
            raise _ByReference
        ruled = [piece.finding for piece in findings]
        if stated.refused or None in ruled:
            return self._refused(opened, stated.pieces, findings)
        sight = self._of_day.get(opened.service) or self._sight_of(opened.service)
        if isinstance(sight, KbError):
            return Row(opened.case, "", NOT_DETERMINED, reasons=(sight.what,))
        standing = CaseFindings(
            self._pieces.vocabulary,
            opened.service,
            stated.reason,
            opened.days,
            ruled,  # type: ignore[arg-type]
        ).standing()
        masks = self._masks(sight, opened, stated, standing, findings, missing)
        if masks is None:
            return None
        vector = sight.vector(masks)
        if vector is None:
            missing.masks.append((sight.name, masks))
            return None
        conclusion = sight.conclusion(vector)
        notices: tuple[str, ...] = ()
        if standing.contradicted and self._differ(sight, opened, masks, standing, findings):
            notices = (DIFFER,)
        if any(
            sight.has_counting(reads.number, masks[reads.number])
            if reads.concern.is_any
            else self._bears(reads, sight, opened, standing.current, findings)
            for reads in conclusion.deciding
        ):
            notices = (*notices, AGE)
        return Row(
            opened.case,
            sight.name,
            conclusion.outcome,
            vector,
            conclusion.to_send,
            conclusion.criteria,
            conclusion.conditions,
            conclusion.advisories,
            notices,
        )

    @staticmethod
    def _refused(opened: Opened, stated: Iterable[Piece], findings: Sequence[Piece]) -> Row:
        """The row of a case with pieces that the reader refuses, or that break case shapes.

        Raises:
            _ByReference: one is unclear, so many are refused that the reader lists only the first, or the reader names
                no place.
        """
        slips: list[Slip] = []
        broken: set[str] = set()
        if any(piece.unclear for piece in (*stated, *findings)):
            raise _ByReference
        for piece in stated:
            slips += piece.slips
            broken.update(piece.shapes)
        for number, piece in enumerate(findings):
            slips += [(place.replace(FIRST, f"findings[{number}]", 1), what) for place, what in piece.slips]
            broken.update(piece.shapes)
        if len(slips) > MOST or any(not place for place, _ in slips):
            raise _ByReference
        if slips:
            return Row(opened.case, "", UNREADABLE, reasons=_reasons(slips))
        return Row(opened.case, "", MALFORMED, reasons=tuple(sorted(broken)))

    def _masks(
        self,
        sight: Sight,
        opened: Opened,
        stated: Stated,
        standing: Standing,
        findings: list[Piece],
        missing: _Missing,
    ) -> list[int] | None:
        """A mask for each kind of fact: what is stated, and the findings that count or perhaps count.

        Returns:
            None where looks are to be learned.
        """
        name = sight.name
        masks = list(stated.masks.get(name) or _learn_masks(sight, stated))
        complete = True
        for surely, numbers in ((True, standing.current), (False, standing.perhaps)):
            for number in numbers:
                piece = findings[number]
                others = standing.contradicted.get(number, ())
                ages = sight.ages(piece.reads, opened.days[number], opened.service)
                if others or ages:
                    of_others = [
                        _Dated(findings[other], sight.ages(piece.reads, opened.days[other], opened.service))
                        for other in others
                    ]
                    found = self._look(name, _Dated(piece, ages), of_others, missing)
                else:
                    found = piece.seen.get(name)
                    if found is None:
                        missing.pieces.append((name, piece))
                if found is None:
                    complete = False
                    continue
                for kind, current, perhaps in found:
                    masks[kind] |= current if surely else perhaps
        return masks if complete else None

    def _look(self, revision: str, finding: _Dated, others: list[_Dated], missing: _Missing) -> Bits | None:
        """The bits of a finding whose age is seen, or that others contradict; None where they are to be learned."""
        key = _look_of(revision, finding, others)
        found = self._looks.get(key)
        if found is None:
            found = self._held.get(key)
        if found is None:
            missing.looks.append((revision, finding, tuple(others)))
        return found

    @staticmethod
    def _bears(reads: Reads, sight: Sight, opened: Opened, places: Iterable[int], findings: list[Piece]) -> bool:
        """Whether one of some findings bears on a condition."""
        return any(
            reads.number in sight.reading(findings[place].reads)
            and _bears_on(reads.concern, opened, place, findings[place])
            for place in places
        )

    @staticmethod
    def _differ(sight: Sight, opened: Opened, masks: list[int], standing: Standing, findings: list[Piece]) -> bool:
        """Whether findings of one day differ, and no condition on which they bear is conflicting."""
        by_day: dict[tuple[int, str], list[int]] = {}
        for place in standing.contradicted:
            for number in sight.reading(findings[place].reads):
                by_day.setdefault((number, opened.days[place]), []).append(place)
        conflicts: dict[tuple[int, tuple[int, ...]], bool] = {}
        for (number, _), places in by_day.items():
            for concern, conflict in sight.conflicting(number, masks[number]):
                read = tuple(place for place in places if _bears_on(concern, opened, place, findings[place]))
                if read:
                    conflicts[number, read] = conflicts.get((number, read), False) or conflict
        return not all(conflicts.values())

    def _sight_of(self, day: str) -> Sight | KbError:
        """What the revision sees for a date of service, or why there is none."""
        try:
            return self._of_day.put(day, self.sight(self._run.selection(date.fromisoformat(day))))
        except KbError as error:
            return self._of_day.put(day, error)

    def _learn(self, missing: _Missing) -> None:
        """Learns what is missing, with one call of the engine for each kind of question."""
        if missing.findings or missing.stated:
            self._pieces.learn(missing.findings, missing.stated)
        asked: dict[str, dict[tuple[int, Seen], None]] = {}
        for revision, piece in missing.pieces:
            for number in self._sights[revision].reading(piece.reads):
                asked.setdefault(revision, {})[number, (piece.content, ())] = None
        for revision, finding, others in missing.looks:
            for number, seen in self._seen_of(revision, finding, others):
                asked.setdefault(revision, {})[number, seen] = None
        known = {revision: self._sights[revision].look(seen) for revision, seen in asked.items()}
        for revision, piece in missing.pieces:
            numbers = self._sights[revision].reading(piece.reads)
            piece.seen[revision] = tuple((number, *known[revision][number, (piece.content, ())]) for number in numbers)
        for revision, finding, others in missing.looks:
            seen_of = self._seen_of(revision, finding, others)
            bits = tuple((number, *known[revision][number, seen]) for number, seen in seen_of)
            key = _look_of(revision, finding, others)
            self._held[key] = self._looks.put(key, bits)
        for revision in {revision for revision, _ in missing.masks}:
            self._sights[revision].learn_values(masks for other, masks in missing.masks if other == revision)

    def _seen_of(self, revision: str, finding: _Dated, others: Sequence[_Dated]) -> Iterator[tuple[int, Seen]]:
        """What each kind of fact that a finding is sees of it, with the number of the kind."""
        sight = self._sights[revision]
        for place, number in enumerate(sight.reading(finding.piece.reads)):

            def content(one: _Dated, place: int = place, number: int = number) -> Content:
                return sight.at_age(one.piece.content, number, one.ages[place] if one.ages else ())

            yield number, (content(finding), tuple(sorted({content(other) for other in others}, key=repr)))

    # ------------------------------------------------------------------ by the reference path

    def _by_reference(self, lines: Sequence[bytes]) -> list[Row]:
        return self.of_read(lines, [self.read(line) for line in lines], id_of)

    def of_read(
        self,
        lines: Sequence[bytes],
        found: Sequence[Case | KbError],
        name_of: Callable[[bytes], str] = lambda line: "",
    ) -> list[Row]:
        """One row for each line, by the reference path.

        Args:
            found: of each line the case, or why there is none.
            name_of: the name that a line gives which is refused, "" for none; by default none does.
        """
        names = names_of(lines, found, name_of)
        return [self.of_answer(name, answer) for name, answer in zip(names, self._run.stream(found), strict=True)]

    def answers(self, lines: Iterable[bytes | Case | KbError]) -> Iterable[Answer | KbError]:
        """The full answer for each line of plain JSON, and for what is read already, by the reference path."""
        return self._run.stream(self.read(line) if isinstance(line, bytes) else line for line in lines)

    def read(self, line: bytes) -> Case | KbError:
        """The case of a line of plain JSON, or why there is none."""
        try:
            return self._pieces.read(line)
        except UnreadableInput as error:
            return error


def _learn_masks(sight: Sight, stated: Stated) -> tuple[int, ...]:
    """A mask for each kind of fact: what the request, its product and the coverage state."""
    masks = [0] * len(sight.kinds)
    for piece in stated.pieces:
        for statement in piece.statements:
            for kind, bit in sight.statement(statement):
                masks[kind] |= bit
    stated.masks[sight.name] = tuple(masks)
    return stated.masks[sight.name]


def _look_of(revision: str, finding: _Dated, others: Iterable[_Dated]) -> Look:
    piece, ages = finding
    return revision, (piece.like, ages), tuple(sorted({(other.like, of_other) for other, of_other in others}))


def _bears_on(concern: Concern, opened: Opened, place: int, piece: Piece) -> bool:
    """Whether a finding of a case bears on a condition."""
    if concern.is_any:
        return True
    of = dict(piece.pairs).get(concern.key) if concern.key else None
    day, service = date.fromisoformat(opened.days[place]), date.fromisoformat(opened.service)
    return concern.bears(day, service, str(of or ""))


def _shapes_of(answer: Malformed) -> tuple[str, ...]:
    return tuple(sorted({violation.shape for violation in answer.violations}))


def _reasons(slips: Iterable[Slip]) -> tuple[str, ...]:
    """Slips as the reasons of a row, in an order that does not depend on where they stand."""
    return tuple(sorted(": ".join(part for part in slip if part) for slip in slips))
