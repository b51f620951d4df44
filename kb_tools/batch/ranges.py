"""The inputs of a run, cut into ranges of whole cases, each pinned by its digest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kb_tools.batch import store
from kb_tools.batch.column import Column, digest_of
from kb_tools.batch.store import Location, Url, absolute, location
from kb_tools.cases.inputs import JSON_LINES, is_packed, list_folder
from kb_tools.cases.record import NDJSON
from kb_tools.errors import Slips, UnreadableInput
from kb_tools.rdf.files import MAX_BYTES, packed

PARQUET = ".parquet"
# What is read: a case of plain JSON a line, a FHIR bundle a line, a JSON text a row.
ENDINGS = (JSON_LINES, NDJSON, PARQUET)
# Bytes of a range of lines. One of cases of 1 to 2 KB is determined in some seconds.
RANGE = 16 * 2**20
_RESTORE = "restore it and run again, or run into a new folder"
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
            hint=_RESTORE,
        )


# ---------------------------------------------------------------------- which files


def files_of(inputs: Sequence[Location], folder: Location) -> tuple[list[Location], Counter[str]]:
    """The files with cases that are named, or stand in folders that are; none of them twice.

    Args:
        folder: where rows go; what stands in it is no input, even if it stands in one itself.

    Returns:
        the files, and how many others of the folders are skipped, by the endings of their names.

    Raises:
        UnreadableInput: there is none, something named is no such file, or what stands in a folder cannot be read.
    """
    found: dict[Location, Location] = {}
    skipped: Counter[str] = Counter()
    refused: list[UnreadableInput] = []
    for given in inputs:
        try:
            inside = _files(given, folder, skipped, refused)
        except OSError as error:
            raise store.unread(error, given) from error
        refused += [_unnamed(place) for place in inside if not _is_text(str(place))]
        for place in inside:
            found.setdefault(absolute(place), place)
    if refused:
        raise refused[0] if len(refused) == 1 else Slips(refused)
    return list(found.values()), skipped


def _files(
    given: Location, folder: Location, skipped: Counter[str], refused: list[UnreadableInput]
) -> Sequence[Location]:
    """The files that an argument names; adds what is skipped, and what cannot be read and may be left out of no run."""
    if not store.is_folder(given):
        return [_file(given)]
    inside: Sequence[Location]
    closed: Sequence[Location]
    others: Sequence[Location]
    if isinstance(given, Path):
        listing = list_folder(
            given, ENDINGS, with_hidden=False, except_below=folder if isinstance(folder, Path) else None
        )
        inside, closed, others, hidden = listing.known, listing.closed, listing.others, listing.hidden
        refused += listing.refused
    else:
        inside, closed, others, hidden = _objects(given, folder)
    refused += [packed(place) for place in closed]
    if not (inside or refused):
        raise UnreadableInput(f"no {_endings()} file in this folder", where=str(given), hint=_CONVERT)
    skipped.update(place.suffix.lower() or "no ending" for place in others)
    skipped.update({"hidden": hidden} if hidden else {})
    return inside


def _file(given: Location) -> Location:
    """A file that is named by itself.

    Raises:
        UnreadableInput: there is none, or it is not read.
    """
    if not store.is_file(given):
        if isinstance(given, Path) and given.exists():
            what = "no regular file, and an input is read more than once"
            raise UnreadableInput(what, where=str(given), hint="write what comes from it into a file")
        raise UnreadableInput("no such file or folder", where=str(given), hint="check the path")
    if not _is_read(given):
        raise UnreadableInput(f"not a {_endings()} file", where=str(given), hint=_CONVERT)
    return given


def _objects(given: Url, folder: Location) -> tuple[list[Url], list[Url], list[Url], int]:
    """The objects in a folder of a store: those that are read, packed ones, others, and how many are hidden."""
    below = [place for place in store.files_below(given) if not place.text.startswith(f"{str(folder).rstrip('/')}/")]
    seen = [place for place in below if "/." not in place.text.removeprefix(given.text.rstrip("/"))]
    read = [place for place in seen if _is_read(place)]
    closed = [place for place in seen if is_packed(PurePosixPath(place.text), ENDINGS)]
    return read, closed, [place for place in seen if place not in {*read, *closed}], len(below) - len(seen)


def _is_text(name: str) -> bool:
    """Whether a name is one that can be written: it is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unnamed(place: Location) -> UnreadableInput:
    return UnreadableInput(
        "the name of this file is not UTF-8, and rows name their file", where=str(place), hint="rename it"
    )


def _is_read(place: Location) -> bool:
    return place.suffix.lower() in ENDINGS


def _endings() -> str:
    return f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"


# ---------------------------------------------------------------------- their ranges


@dataclass(frozen=True)
class Pinned:
    """Inputs as they are when a run begins.

    Attributes:
        ranges: of all files.
        sizes: how many bytes each file has, by its path.
        empty: the files without a case, as the user named them or the folder that they stand in; they have no range.
    """

    ranges: tuple[Range, ...]
    sizes: Mapping[str, int]
    empty: tuple[str, ...] = ()

    def hold(self) -> None:
        """Holds the files to their sizes: what came in behind the last range has no row.

        Raises:
            UnreadableInput: one has another, or cannot be looked at.
        """
        for path, size in self.sizes.items():
            place = location(path)
            try:
                found = store.size_of(place)
            except OSError as error:
                raise store.unread(error, place) from error
            if found != size:
                what = f"changed since the run began (it had {size:,} bytes, and has {found:,})"
                raise UnreadableInput(what, where=path, hint=_RESTORE)


def pin(files: Sequence[Location], size: int = RANGE, column: str = "") -> Pinned:
    """Cuts files into ranges: lines of about so many bytes, and at least one; or rows of a row group.

    Args:
        size: of a range, in bytes.
        column: the column of Parquet files that holds the cases; "" for the only one with texts, or that named "case".

    Raises:
        UnreadableInput: a file cannot be read, none holds a case, a line is too long, or one is bulk data of FHIR.
    """
    found: list[Range] = []
    sizes: dict[str, int] = {}
    empty: list[str] = []
    for place in files:
        try:
            length = store.size_of(place)
            of_file = list(_ranges(place, size, column, len(found)))
        except OSError as error:
            raise store.unread(error, place) from error
        if isinstance(place, Path) and place.suffix.lower() != PARQUET:
            # As many bytes as were read, should it have grown meanwhile.
            length = of_file[-1].end if of_file else 0
        sizes[str(absolute(place))] = length
        if any(one.cases for one in of_file):
            found += of_file
        else:
            empty.append(str(place))
    if not found:
        what = "no case in this file" if len(empty) == 1 else f"no case in this file, nor in {len(empty) - 1} more"
        raise UnreadableInput(what, where=empty[0], hint="write one case a line, as JSON")
    return Pinned(tuple(found), sizes, tuple(empty))


def ranges_of(files: Sequence[Location], size: int = RANGE, column: str = "") -> list[Range]:
    """The ranges of files, as `pin` cuts them."""
    return list(pin(files, size, column).ranges)


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
