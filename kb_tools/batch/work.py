"""What one worker does with one range: rows of its cases, and the full answers of those that are asked for."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from kb_tools.batch import parts, store
from kb_tools.batch.flips import Attribution
from kb_tools.batch.learned import Learned
from kb_tools.batch.ranges import Range
from kb_tools.batch.reading import OtherReader
from kb_tools.batch.recorded import RowsRecorder, same_groups
from kb_tools.batch.rows import Row, RowMaker
from kb_tools.batch.several import RowMakers
from kb_tools.batch.store import Location, location
from kb_tools.cases.record import NDJSON
from kb_tools.determine.choice import choice_of
from kb_tools.determine.run import BATCH, Run
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.history import Selection
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.soundness import skip_broken
from kb_tools.rdf.files import read_bytes
from kb_tools.records.chain import Made
from kb_tools.records.folder import RecordFolder

# Lines whose pieces are learned together: enough to spread the fixed cost of an engine's call.
TOGETHER = 2_000


@dataclass(frozen=True)
class Settings:
    """What a run is asked for: the same for each of its ranges.

    Attributes:
        root: the folder of the knowledge base.
        policy: the policy; None where each case is of the one that it names.
        revision, as_of: the revision for all cases, or the day whose revision in force is taken; None for each case's
            service date.
        compare: a second revision; "" for none.
        where: the outcomes of which the full answers are written.
        pieces: whether pieces of cases are decided once; without, each case is determined by itself.
        terminology: the files that say what the codes of a plan's own systems mean, each with its SHA-256.
        run: the digest of all that the run depends on.
        records: the folder of the records of what is determined; "" for no records.
    """

    root: str
    engine: str
    policy: str | None = None
    revision: str | None = None
    as_of: str | None = None
    compare: str | None = None
    where: tuple[str, ...] = ()
    pieces: bool = True
    terminology: tuple[tuple[str, str], ...] = ()
    run: str = ""
    records: str = ""

    def of(self, one: Range) -> str:
        """By what the part of a range is known again."""
        return f"{self.run} {one.number} {one.sha256}"


def part_of(folder: Location, one: Range) -> Location:
    """The file of the rows of a range."""
    return folder / f"part-{one.number:06}.parquet"


def answers_of(folder: Location, one: Range) -> Location:
    """The file of the full answers of a range."""
    return folder / f"answers-{one.number:06}.jsonl"


class Worker:
    """Determines ranges, one after another; what it learned of one serves the next."""

    def __init__(self, settings: Settings) -> None:
        _hold(settings.terminology)
        kb = Repository(Path(settings.root))
        # The reader of what is no plain JSON; and with the record of the reading for full answers, as those of kb
        # validate have it; for rows it would take time only.
        terminology = [path for path, _ in settings.terminology]
        self._others, self._recording = (OtherReader(kb, terminology, record) for record in (False, True))
        # Every line has the record of its range before its row is written.
        self._recorder: RowsRecorder | None = None
        self._made: Made | None = None
        # Keeps for later runs what was learned.
        self._keep: Callable[[], None]
        self._makers: Sequence[RowMaker | RowMakers]
        if settings.policy is None:
            self._begin_several(kb, settings)
        else:
            self._begin(kb, kb.policy(settings.policy), settings)
        hold_what_is_known()

    def _begin_several(self, kb: Repository, settings: Settings) -> None:
        """Makes what makes rows where each case is of the policy that it names."""
        as_of = date.fromisoformat(settings.as_of) if settings.as_of else None
        skip_broken(kb)
        choice = choice_of(kb, None, settings.revision)
        run = Run(kb, choice, settings.engine, settings.revision, as_of, settings.pieces)

        def learned(policy: Policy) -> Learned | None:
            name = policy.folder.name
            return Learned(kb, settings.engine, name, settings.revision) if settings.pieces else None

        makers = RowMakers(run, learned, settings.pieces)
        self._makers, self._keep = [makers], makers.keep
        revisions = [
            Revision.load(policy, entry)
            for policy in choice.policies
            for entry in policy.history
            if entry.criteria_on_file
        ]
        every = tuple(sorted({iri for revision in revisions for iri in revision.conditions}))
        self.columns = parts.Columns(every, makers.order, compared=False, several=True)

    def _begin(self, kb: Repository, policy: Policy, settings: Settings) -> None:
        """Makes what makes rows where all cases are of one policy."""
        as_of = date.fromisoformat(settings.as_of) if settings.as_of else None
        revisions = [(settings.revision, as_of), *([(settings.compare, None)] if settings.compare else [])]
        runs = [Run(kb, policy, settings.engine, revision, day, settings.pieces) for revision, day in revisions]
        self._makers = makers = [RowMaker(run, settings.pieces) for run in runs]
        sides = list(zip(runs, makers, strict=True))
        self._attribution = Attribution(sides[0], sides[-1])
        asked = [entry for entry in policy.history if entry.name == settings.revision]
        entries = asked or [entry for entry in policy.history if entry.criteria_on_file]
        sights = {entry.name: makers[0].sight(Selection(entry, ())) for entry in entries}
        if settings.compare:
            makers[1].sight(Selection(policy.entry(settings.compare), ()))
        of_each = list(zip(makers, learned_of(kb, settings), strict=False))
        for maker, learned in of_each:
            maker.restore(learned)

        def keep() -> None:
            for maker, learned in of_each:
                maker.keep(learned)

        self._keep = keep
        orders = {name: tuple(condition.iri for condition in sight.conditions) for name, sight in sights.items()}
        every = tuple(sorted({iri for order in orders.values() for iri in order}))
        if settings.records:
            inside = RecordFolder(Path(settings.records))
            chosen = (settings.engine, settings.revision, as_of)
            self._recorder = RowsRecorder(kb, policy, inside, *chosen, makers[0])
        self.columns = parts.Columns(every, lambda row: orders.get(row.revision, ()), settings.compare is not None)

    def process(self, settings: Settings, one: Range, folder: Location) -> int:
        """Writes the part of a range, and returns how many rows it has.

        Args:
            settings: those of the worker, or others that differ in nothing but what is written.

        Raises:
            KbError: the input changed, or the part cannot be written.
        """
        read = one.read()
        by_maker: list[list[Row]] = [[] for _ in self._makers]
        # Cases of FHIR are read before they are determined, and so are held.
        together = BATCH if one.form == NDJSON else TOGETHER
        for start in range(0, len(read), together):
            for rows, made in zip(by_maker, self._rows(one, read[start : start + together]), strict=True):
                rows.extend(made)
        if self._recorder:
            self._record(self._recorder, settings, one, [text or b"" for _, text in read], by_maker[0])
        others: Sequence[Row | None] = by_maker[1] if len(by_maker) > 1 else [None] * len(read)
        numbered = [
            (one.source, number, row, other) for (number, _), row, other in zip(read, by_maker[0], others, strict=True)
        ]
        causes = [self._attribution.of(*rows) for rows in zip(*by_maker, strict=True)] if settings.compare else []
        with store.writing(part_of(folder, one)):
            answers = None
            if settings.where:
                chosen = [
                    (number, text)
                    for (number, text), row in zip(read, by_maker[0], strict=True)
                    if row.outcome in settings.where
                ]
                answers = self._answers(one, chosen)
                store.write(answers_of(folder, one), answers)
            parts.write(part_of(folder, one), self.columns.table(numbered, causes), settings.of(one), answers)
        self._keep()
        return len(numbered)

    def _record(
        self, recorder: RowsRecorder, settings: Settings, one: Range, lines: Sequence[bytes], rows: Sequence[Row]
    ) -> None:
        """Records the rows of a range, unless they are; done again, a range has no second record.

        Raises:
            Unrecorded: that is not possible.
            KbError: it was recorded before, and came to something else.
        """
        if self._made is None or self._made.run != settings.run:
            self._made = Made(RecordFolder(Path(settings.records)).chain, settings.run)
        pinned = {"run": settings.run, "range": one.number, "sha256": one.sha256}
        terminology = [digest for _, digest in settings.terminology]
        content = recorder.content(lines, rows, run={**pinned, "terminology": terminology})
        there = self._made.append(one.number, content)
        if there is not None and not same_groups(there, content):
            what = f"came to something else than record {there['number']} says"
            raise KbError(what, where=f"{one.path} line {one.line}", hint="keep both, and report it")

    def _rows(self, one: Range, read: list[tuple[int, bytes | None]]) -> Iterator[list[Row]]:
        """The rows of some lines: under the first revision and, where there is one, under the second."""
        texts = [text or b"" for _, text in read]
        found = [self._others.read(one, number, text) for number, text in read]
        plain = [text for text, other in zip(texts, found, strict=True) if other is None]
        lines = [text for text, other in zip(texts, found, strict=True) if other is not None]
        cases = [other for other in found if other is not None]
        for maker in self._makers:
            by_line, by_case = iter(maker.of_lines(plain)), iter(maker.of_read(lines, cases))
            yield [next(by_line) if other is None else next(by_case) for other in found]

    def _answers(self, one: Range, chosen: list[tuple[int, bytes | None]]) -> bytes:
        """The full answers of some lines, each with its number, a JSON object a line."""
        found = []
        given = (self._recording.read(one, number, text) or text or b"" for number, text in chosen)
        for (number, _), answer in zip(chosen, self._makers[0].answers(given), strict=True):
            content: dict[str, Any] = {"error": answer.lines()} if isinstance(answer, KbError) else answer.to_dict()
            found.append(json.dumps(content | {"file": one.source, "line": number}, ensure_ascii=False) + "\n")
        return "".join(found).encode()


def hold_what_is_known() -> None:
    """Takes what is loaded and learned out of what is looked through for garbage: it stays."""
    gc.collect()
    gc.freeze()


def learned_of(kb: Repository, settings: Settings) -> list[Learned]:
    """What was learned in earlier runs of one policy, under the revision and under the second one.

    Nothing without pieces; of several policies, each maker has its own.
    """
    if settings.policy is None:
        return []
    policy = kb.policy(settings.policy).folder.name
    revisions = [settings.revision, *([settings.compare] if settings.compare else [])]
    return [Learned(kb, settings.engine, policy, name) for name in revisions] if settings.pieces else []


def _hold(terminology: Iterable[tuple[str, str]]) -> None:
    """Holds files to their SHA-256.

    Raises:
        UnreadableInput: one cannot be read, or is not what it was when the run began.
    """
    for path, digest in terminology:
        if hashlib.sha256(read_bytes(Path(path))).hexdigest() != digest:
            hint = "restore it and run again, or run into a new folder"
            raise UnreadableInput("changed since the run began", where=path, hint=hint)


@lru_cache(maxsize=2)
def _worker(settings: Settings) -> Worker:
    return Worker(settings)


def process(settings: Settings, one: Range, folder: str) -> int:
    """Writes the part of a range, in any process: what it needs is loaded once.

    Returns:
        how many rows it has.

    Raises:
        KbError: the input changed, or the part cannot be written.
    """
    return _worker(replace(settings, run="", where=())).process(settings, one, location(folder))
