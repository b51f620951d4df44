"""What one worker does with one range: rows of its cases, and the full answers of those that are asked for."""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from kb_tools.batch import parts
from kb_tools.batch.ranges import Range
from kb_tools.batch.rows import Row, RowMaker
from kb_tools.determine.run import Run
from kb_tools.errors import KbError
from kb_tools.model.history import Selection
from kb_tools.model.repository import Repository
from kb_tools.writing import write_atomically

# Lines whose pieces are learned together: enough to spread the fixed cost of an engine's call.
TOGETHER = 2_000


@dataclass(frozen=True)
class Settings:
    """What a run is asked for: the same for each of its ranges.

    Attributes:
        root: the folder of the knowledge base.
        policy: the policy; None for the only one on file.
        revision, as_of: the revision for all cases, or the day whose revision in force is taken; None for each case's
            service date.
        compare: a second revision; "" for none.
        where: the outcomes of which the full answers are written.
        pieces: whether pieces of cases are decided once; without, each case is determined by itself.
        run: the digest of all that the run depends on.
    """

    root: str
    engine: str
    policy: str | None = None
    revision: str | None = None
    as_of: str | None = None
    compare: str | None = None
    where: tuple[str, ...] = ()
    pieces: bool = True
    run: str = ""

    def of(self, one: Range) -> str:
        """By what the part of a range is known again."""
        return f"{self.run} {one.number} {one.sha256}"


def part_of(folder: Path, one: Range) -> Path:
    """The file of the rows of a range."""
    return folder / f"part-{one.number:06}.parquet"


def answers_of(folder: Path, one: Range) -> Path:
    """The file of the full answers of a range."""
    return folder / f"answers-{one.number:06}.jsonl"


class Worker:
    """Determines ranges, one after another; what it learned of one serves the next."""

    def __init__(self, settings: Settings) -> None:
        kb = Repository(Path(settings.root))
        policy = kb.policy(settings.policy)
        as_of = date.fromisoformat(settings.as_of) if settings.as_of else None
        self._makers = [RowMaker(Run(kb, policy, settings.engine, settings.revision, as_of), settings.pieces)]
        if settings.compare:
            self._makers.append(RowMaker(Run(kb, policy, settings.engine, settings.compare), settings.pieces))
        asked = [entry for entry in policy.history if entry.name == settings.revision]
        entries = asked or [entry for entry in policy.history if entry.criteria_on_file]
        sights = {entry.name: self._makers[0].sight(Selection(entry, ())) for entry in entries}
        orders = {name: tuple(condition.iri for condition in sight.conditions) for name, sight in sights.items()}
        every = tuple(sorted({iri for order in orders.values() for iri in order}))
        self.columns = parts.Columns(every, orders, settings.compare is not None)
        # What is loaded stays: it need not be looked through for garbage again and again.
        gc.collect()
        gc.freeze()

    def process(self, settings: Settings, one: Range, folder: Path) -> int:
        """Writes the part of a range, and returns how many rows it has.

        Args:
            settings: those of the worker, or others that differ in nothing but what is written.

        Raises:
            KbError: the input changed, or the part cannot be written.
        """
        read = one.read()
        by_maker: list[list[Row]] = []
        for maker in self._makers:
            rows: list[Row] = []
            for start in range(0, len(read), TOGETHER):
                rows += maker.of_lines([line for _, _, line in read[start : start + TOGETHER]])
            by_maker.append(rows)
        others = by_maker[1] if len(by_maker) > 1 else [None] * len(read)
        numbered = [
            (one.source, number, row, other)
            for (number, _, _), row, other in zip(read, by_maker[0], others, strict=True)
        ]
        try:
            if settings.where:
                chosen = [
                    (number, line)
                    for (number, _, line), row in zip(read, by_maker[0], strict=True)
                    if row.outcome in settings.where
                ]
                write_atomically({answers_of(folder, one): self._answers(one.source, chosen)})
            parts.write(part_of(folder, one), self.columns.table(numbered), settings.of(one))
        except OSError as error:
            raise KbError(
                f"cannot be written: {error.strerror or error}",
                where=str(part_of(folder, one)),
                hint="make room, and run again: the parts that are there are kept",
            ) from error
        return len(numbered)

    def _answers(self, source: str, chosen: list[tuple[int, bytes]]) -> bytes:
        """The full answers of some lines, each with its number, a JSON object a line."""
        found = []
        answers = self._makers[0].answers([line for _, line in chosen])
        for (number, _), answer in zip(chosen, answers, strict=True):
            content: dict[str, Any] = {"error": answer.lines()} if isinstance(answer, KbError) else answer.to_dict()
            found.append(json.dumps(content | {"file": source, "line": number}, ensure_ascii=False) + "\n")
        return "".join(found).encode()


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
    return _worker(replace(settings, run="", where=())).process(settings, one, Path(folder))
