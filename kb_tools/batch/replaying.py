"""Determines again what records of many cases hold, for the lines that are given: each is found by its SHA-256."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

from kb_tools.batch.parts import arrow
from kb_tools.batch.ranges import ENDINGS, PARQUET, files_of, pin
from kb_tools.batch.recorded import RowsRecorder, case_of
from kb_tools.batch.rows import Row, RowMaker
from kb_tools.cases.case import Case
from kb_tools.cases.fhir.reader import FhirReader, is_fhir
from kb_tools.cases.isolate import isolate
from kb_tools.determine.run import Run
from kb_tools.errors import KbError, UnknownRevision, UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.records import answer
from kb_tools.records.answer import is_of_many
from kb_tools.records.chain import Head
from kb_tools.records.folder import RecordFolder
from kb_tools.records.recorder import BY_DAY, NAMED
from kb_tools.records.replay import Difference, Many, Status, sound

# So many lines are determined together, and so many differences of one record are named.
_TOGETHER, _FEW = 2_000, 10


class _Place(NamedTuple):
    """Where a case stands in a record: its group, and the values of its conditions."""

    head: Head
    group: int
    values: str


def lines_of(paths: Iterable[Path]) -> Iterator[bytes]:
    """The lines of files that have a case on each, and the texts of Parquet files; other files are passed over.

    Raises:
        KbError: one of them cannot be read.
    """
    given = [path for path in paths if path.suffix.lower() in ENDINGS or path.is_dir()]
    for path in given:
        try:
            files, _ = files_of([path], path / "rows")
        except UnreadableInput:
            if path.is_dir():
                # Without a file of this kind.
                continue
            raise
        if any(file.suffix.lower() == PARQUET for file in files):
            arrow()
        for one in pin(files).ranges:
            yield from (text for _, text in one.read() if text is not None)


def replayed(
    kb: Repository,
    folder: Path,
    lines: Iterable[bytes],
    engine: str | None = None,
    terminology: Sequence[Path] = (),
) -> dict[Head, Many]:
    """What the records of many cases in a folder come to now, as far as their lines are given.

    Args:
        engine: the engine for all; None for that of each record.
        terminology: files that say what the codes of a plan's own systems mean in FHIR.

    Raises:
        KbError: the records or the lines cannot be read.
    """
    inside = RecordFolder(folder)
    contents: dict[Head, Mapping[str, Any]] = {}
    waiting: dict[str, list[_Place]] = defaultdict(list)
    for record in sound(inside, None, []):
        if is_of_many(record.content):
            contents[record.head] = record.content
            for number, group in enumerate(record.content["groups"]):
                for case in group["cases"]:
                    digest, _, values = str(case).partition(" ")
                    waiting[digest].append(_Place(record.head, number, values))
    found = {head: Many(Counter(), []) for head in contents}
    if waiting:
        again = _Again(kb, contents, engine, terminology)
        remaining = iter(lines)
        while batch := list(islice(remaining, _TOGETHER)):
            again.hold(batch, waiting, found)
    for places in waiting.values():
        for place in places:
            found[place.head].cases[Status.NOT_REPLAYED] += 1
    return found


class _Again:
    """Determines lines again as records say that they were."""

    def __init__(
        self,
        kb: Repository,
        contents: Mapping[Head, Mapping[str, Any]],
        engine: str | None,
        terminology: Sequence[Path],
    ) -> None:
        self._kb = kb
        self._contents = contents
        self._engine = engine
        self._fhir = FhirReader(kb, list(terminology), False, pseudonyms=False)
        self._numbers = count(1)
        self._maker = cache(self._new_maker)

    def hold(self, batch: Sequence[bytes], waiting: dict[str, list[_Place]], found: Mapping[Head, Many]) -> None:
        """Holds lines to what was recorded of them; takes what was held out of what waits."""
        by_record: dict[Head, list[tuple[bytes, _Place]]] = defaultdict(list)
        for text in batch:
            # Over HTTP a line is recorded without the spaces around it.
            for line in dict.fromkeys((text, text.strip())):
                for place in waiting.pop(hashlib.sha256(line).hexdigest(), ()):
                    by_record[place.head].append((line, place))
        for head, held in by_record.items():
            self._hold(self._contents[head], held, found[head])

    def _hold(self, content: Mapping[str, Any], held: list[tuple[bytes, _Place]], found: Many) -> None:
        try:
            maker, recorder = self._maker(*_key(content, self._engine))
            rows = self._rows(maker, [line for line, _ in held])
        except UnknownRevision as error:
            found.cases[Status.NOT_REPLAYED] += len(held)
            found.reason = str(error)
            return
        for (line, place), row in zip(held, rows, strict=True):
            differences = _differences(content, place, line, row, recorder, self._kb)
            found.cases[Status.DIFFERS if differences else Status.SAME_VALUES] += 1
            found.differences += differences[: _FEW - len(found.differences)]

    def _rows(self, maker: RowMaker, lines: list[bytes]) -> Iterator[Row]:
        plain = iter(maker.of_lines([line for line in lines if not is_fhir(line)]))
        of_fhir = [line for line in lines if is_fhir(line)]
        read = iter(maker.of_read(of_fhir, [self._read(line) for line in of_fhir]))
        return (next(read if is_fhir(line) else plain) for line in lines)

    def _read(self, line: bytes) -> Case | KbError:
        try:
            (case,) = isolate(self._kb, self._fhir.line(line, "line"), self._numbers)
        except KbError as error:
            return error
        return case

    def _new_maker(
        self, policy: str, revision: str | None, as_of: str | None, engine: str
    ) -> tuple[RowMaker, RowsRecorder]:
        day = date.fromisoformat(as_of) if as_of else None
        named = self._kb.policy(policy)
        maker = RowMaker(Run(self._kb, named, engine, revision, day, by_pieces=True))
        # Nothing is recorded: it says what a record would hold.
        return maker, RowsRecorder(self._kb, named, RecordFolder(Path()), engine, revision, day, maker)


def _key(content: Mapping[str, Any], engine: str | None) -> tuple[str, str | None, str | None, str]:
    chosen = content["chosen"]
    revision = content["groups"][0]["revision"] if chosen == NAMED else None
    return content["policy"], revision, content.get("asOf") if chosen == BY_DAY else None, engine or content["engine"]


def _differences(
    content: Mapping[str, Any], place: _Place, line: bytes, row: Row, recorder: RowsRecorder, kb: Repository
) -> list[Difference]:
    """In what a row differs from what was recorded of its case."""
    group = content["groups"][place.group]
    called = f"case {hashlib.sha256(line).hexdigest()[:12]}"
    if not row.revision:
        return [Difference("outcome", "", group["answer"]["outcome"], row.outcome, called)]
    found: list[Difference] = []
    if row.revision != group["revision"]:
        found.append(Difference("revision", "", group["revision"], row.revision, called))
    said = recorder.answer(row.revision, row.values, row.notices)
    now = recorder.conditions(row.revision)
    before = content["conditions"][group["revision"]]
    if now == before and said == group["answer"] and case_of(line, row.values).endswith(f" {place.values}"):
        return found
    values = content["values"]
    was = group["answer"] | {"conditionValues": _values(before, place.values, values)}
    is_ = said | {"conditionValues": _values(now, row.values.hex()[1::2], recorder.values)}
    for what, iri, one, other in answer.differences(was, is_):
        name = f"{called}, {kb.curie(iri)}" if iri else called
        found.append(Difference(what, iri, one, other, name))
    return found


def _values(conditions: Sequence[str], digits: str, values: Sequence[str]) -> dict[str, Any]:
    """The values of conditions, of the digits that stand for them, as a record of one case holds them."""
    found: dict[str, Any] = {}
    for iri, digit in zip(conditions, digits, strict=False):
        value, perhaps = (values[code] for code in divmod(int(digit, 16), 4))
        found[iri] = value if value == perhaps else [value, perhaps]
    return found
