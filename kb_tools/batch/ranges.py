"""The inputs of a run, cut into ranges of whole cases, each pinned by its digest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from kb_tools.batch import store
from kb_tools.batch.column import Column, digest_of
from kb_tools.batch.store import Location, absolute, is_within, location
from kb_tools.cases.inputs import JSON_LINES
from kb_tools.cases.record import NDJSON
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.files import MAX_BYTES

PARQUET = ".parquet"
# What is read: a case of plain JSON a line, a FHIR bundle a line, a JSON text a row.
ENDINGS = (JSON_LINES, NDJSON, PARQUET)
# Bytes of a range of lines. One of cases of 1 to 2 KB is determined in some seconds.
RANGE = 16 * 2**20
_CONVERT = "kb case convert --format jsonl writes one case a line"


@dataclass(frozen=True)
class Range:
    """Whole lines of an input, or rows of one row group.

    Attributes:
        number: its place among all ranges of the run; its part is named by it.
        source: the file, as the user named it or the folder that it stands in; rows name it so.
        path: where it is.
        form: one of ENDINGS.
        start, end: the bytes of it, the end exclusive; of Parquet, the row group that it is in, and the next.
        line: the number of its first line in the file, or of its first row.
        cases: how many lines are not blank, or how many rows there are.
        sha256: of its bytes, or of the texts in it.
        version: what the object store calls the state of the file, if that tells states apart.
        column: of Parquet, the column that holds the cases.
    """

    number: int
    source: str
    path: str
    form: str
    start: int
    end: int
    line: int
    cases: int
    sha256: str
    version: str = ""
    column: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give the range as JSON values."""
        return dict(vars(self))

    def read(self) -> list[tuple[int, bytes | None]]:
        """The lines that are not blank, each with its number in the file; or the rows, None for one without a text.

        Raises:
            UnreadableInput: the input is not what it was when the run began, or cannot be read.
        """
        place = location(self.path)
        try:
            if store.version_of(place) != self.version:
                raise self._changed()
            if self.form == PARQUET:
                return self._rows(place)
            data = store.read(place, self.start, self.end)
        except OSError as error:
            raise store.unread(error, place) from error
        if len(data) != self.end - self.start or hashlib.sha256(data).hexdigest() != self.sha256:
            raise self._changed()
        return [
            (number, line.rstrip(b"\r")) for number, line in enumerate(data.split(b"\n"), self.line) if line.strip()
        ]

    def _rows(self, place: Location) -> list[tuple[int, bytes | None]]:
        try:
            with store.opened(place) as file:
                column = Column(file, self.column, self.path)
                before = sum(column.groups[: self.start])
                texts = column.texts(self.start)[self.line - 1 - before :][: self.cases]
        except UnreadableInput as error:
            raise self._changed() from error
        if digest_of(texts) != self.sha256:
            raise self._changed()
        return list(enumerate(texts, self.line))

    def _changed(self) -> UnreadableInput:
        unit = "row group" if self.form == PARQUET else "bytes"
        return UnreadableInput(
            f"changed since the run began ({unit} {self.start} to {self.end})",
            where=self.path,
            hint="restore it and run again, or run into a new folder",
        )


# ---------------------------------------------------------------------- which files


def files_of(inputs: Sequence[Location], folder: Location) -> tuple[list[Location], Counter[str]]:
    """The files with cases that are named, or stand in folders that are; none of them twice.

    Args:
        folder: where rows go; what stands in it is no input, even if it stands in one itself.

    Returns:
        the files, and how many others of the folders are skipped, by the endings of their names.

    Raises:
        UnreadableInput: there is none, or something named is no such file.
    """
    found: dict[Location, Location] = {}
    skipped: Counter[str] = Counter()
    for given in inputs:
        try:
            inside = _files(given, folder, skipped)
        except OSError as error:
            raise store.unread(error, given) from error
        for place in inside:
            found.setdefault(absolute(place), place)
    return list(found.values()), skipped


def _files(given: Location, folder: Location, skipped: Counter[str]) -> list[Location]:
    if store.is_folder(given):
        below = [place for place in store.files_below(given) if not is_within(place, folder)]
        inside = [place for place in below if _is_read(place)]
        if not inside:
            raise UnreadableInput(f"no {_endings()} file in this folder", where=str(given), hint=_CONVERT)
        skipped.update(place.suffix.lower() or "no ending" for place in below if not _is_read(place))
        return inside
    if not store.is_file(given):
        raise UnreadableInput("no such file or folder", where=str(given), hint="check the path")
    if not _is_read(given):
        raise UnreadableInput(f"not a {_endings()} file", where=str(given), hint=_CONVERT)
    return [given]


def _is_read(place: Location) -> bool:
    return place.suffix.lower() in ENDINGS


def _endings() -> str:
    return f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"


# ---------------------------------------------------------------------- their ranges


def ranges_of(files: Sequence[Location], size: int = RANGE, column: str = "") -> list[Range]:
    """The ranges of files: lines of about so many bytes, and at least one; or rows of a row group.

    Args:
        size: of a range, in bytes.
        column: the column of Parquet files that holds the cases; "" for the only one with texts, or that named "case".

    Raises:
        UnreadableInput: a file cannot be read, holds no case, has a line that is too long, or is bulk data of FHIR.
    """
    found: list[Range] = []
    for place in files:
        before = len(found)
        try:
            found.extend(_ranges(place, size, column, before))
        except OSError as error:
            raise store.unread(error, place) from error
        if sum(one.cases for one in found[before:]) == 0:
            raise UnreadableInput("no case in this file", where=str(place), hint="write one case a line, as JSON")
    return found


def _ranges(place: Location, size: int, column: str, number: int) -> Iterator[Range]:
    source, path, form = str(place), str(absolute(place)), place.suffix.lower()
    version = store.version_of(place)
    with store.opened(place) as file:
        if form == PARQUET:
            cases = Column(file, column, source)
            for group, row, texts in _rows(cases, size):
                digest = digest_of(texts)
                yield Range(
                    *(number, source, path, form, group, group + 1, row, len(texts), digest, version), cases.name
                )
                number += 1
            return
        for start, line, data in _lines(file, size, source):
            lines = [one for one in data.split(b"\n") if one.strip()]
            if form == NDJSON:
                _refuse_bulk(data, line, source)
            end, digest = start + len(data), hashlib.sha256(data).hexdigest()
            yield Range(number, source, path, form, start, end, line, len(lines), digest, version)
            number += 1


def _lines(file: IO[bytes], size: int, source: str) -> Iterator[tuple[int, int, bytes]]:
    """Whole lines of about so many bytes, each time with the byte and the line at which they begin."""
    start, line = 0, 1
    while data := file.read(size):
        data += file.readline(MAX_BYTES + 1)
        if len(data) > size + MAX_BYTES:
            where = f"{source}:{line + data.count(bytes([10]))}"
            raise UnreadableInput(f"a line of more than {MAX_BYTES // 2**20} MiB", where=where, hint="split it")
        yield start, line, data
        start, line = start + len(data), line + data.count(b"\n")


def _rows(cases: Column, size: int) -> Iterator[tuple[int, int, list[bytes | None]]]:
    """Rows of one row group with texts of about so many bytes, each time with the group and the number of the first."""
    row = 1
    for group in range(len(cases.groups)):
        found: list[bytes | None] = []
        length = 0
        for text in cases.texts(group):
            found.append(text)
            length += len(text or b"")
            if length >= size:
                yield group, row, found
                row, found, length = row + len(found), [], 0
        if found:
            yield group, row, found
            row += len(found)


def _refuse_bulk(data: bytes, line: int, source: str) -> None:
    """Refuses resources in no bundle: what is of one patient may stand anywhere in them, and in other files.

    Raises:
        UnreadableInput: there is one.
    """
    from kb_tools.cases.fhir.reader import is_of_bulk_data

    for number, one in enumerate(data.split(b"\n"), line):
        if is_of_bulk_data(one):
            raise UnreadableInput(
                "a resource in no bundle: bulk data is joined by patient, and cannot be cut into ranges",
                where=f"{source}:{number}",
                hint="kb case convert on its folder, with --format jsonl, writes a case a line",
            )
