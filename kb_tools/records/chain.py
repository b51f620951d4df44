"""The chain of records: a file with a JSON object a line, each with its digest and that of the line before it.

A line begins with its own digest, `{"digest":"…",`, which is the SHA-256 of the line without that entry and without its
end. So a changed byte is found, wherever it is. Each record has its number and the digest of the record before it: one
that is missing, was put in or stands elsewhere is found. What no chain can show by itself is that records are missing
at its end, or that all from some place on was written anew: for that, its head (number and digest of the last record)
is kept elsewhere, and compared.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kb_tools import __version__
from kb_tools.errors import ArgumentError, KbError, Unrecorded
from kb_tools.records.locks import locked

# Changes when a record is laid out differently.
FORMAT = 1
# That of records of many cases, which older versions do not know.
FORMAT_OF_MANY = 2
_KNOWN = (FORMAT, FORMAT_OF_MANY)
# The digest that the first record gives of the one before it.
START = "0" * 64
# No record is nearly as long as this.
MAX_LINE = 16 * 1024 * 1024
TOO_MANY = "more cases than one record can hold"
_BEGINNING = b'{"digest":"'
_LINE = re.compile(rb'\{"digest":"([0-9a-f]{64})",([^\n]*)\n')
_BLOCK = 64 * 1024
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class Head:
    """A record by its number and its digest; of the last one, all records up to it."""

    number: int = 0
    digest: str = START

    def __str__(self) -> str:
        return f"{self.number}/{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read what `str` gives.

        Raises:
            ArgumentError: it is something else.
        """
        found = re.fullmatch("([0-9]{1,18})/([0-9a-f]{64})", text)
        if not found:
            hint = "write the head as it was printed: the number of the record, a slash, and 64 hexadecimal digits"
            raise ArgumentError(f"{text[:100]!a} is no head of records", hint=hint)
        return cls(int(found[1]), found[2])


@dataclass(frozen=True)
class Record:
    """One record as it stands in the file.

    Attributes:
        line: the number of its line.
        content: what it says; `kb_tools.records.recorder` says what that is.
    """

    head: Head
    line: int
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Broken:
    """Where the chain does not hold.

    Attributes:
        line: the number of the line; 0 where it is the file as a whole.
        what: what is wrong there.
    """

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}" if self.line else self.what

    def to_dict(self) -> dict[str, Any]:
        """Give the place and what is wrong as JSON values."""
        return {"line": self.line or None, "what": self.what}


# ---------------------------------------------------------------------- writing


def append(path: Path, contents: Sequence[Mapping[str, Any]], after: Head | None = None) -> list[Head]:
    """Write records behind those that are there, all of them or none, and see that they are on the disk.

    Any number of processes may do so at once. What a process that was killed left half written is removed, and the
    next record says so ("unfinished", with its bytes and their SHA-256).

    Args:
        after: a record that was seen there: the file must be there, and go on behind it. By default it is made where
            there is none.

    Returns:
        the head of each.

    Raises:
        Unrecorded: they cannot be written, the last record there is not as it was written, or those that were seen are
            there no more; then nothing is.
    """
    if not contents:
        return []
    try:
        made = os.O_CREAT if after is None else 0
        with _opened(path, os.O_RDWR | os.O_APPEND | made) as file, locked(file):
            head, end, unfinished = _tail(path, file)
            if after is not None and (head.number < after.number or (head.number == after.number and head != after)):
                raise _shortened(path, after)
            heads: list[Head] = []
            lines: list[bytes] = []
            for content in contents:
                line, head = _line_of(head, {**content, **unfinished})
                unfinished = {}
                lines.append(line)
                heads.append(head)
            _write(file, end, b"".join(lines))
    except OSError as error:
        raise _unwritten(error, path) from error
    return heads


class Made:
    """The records of one run that are in a file: what is read of it is read once.

    Args:
        run: the digest of the run.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.run = run
        self._mark = f'"run":{{"run":"{run}",'.encode()
        self._offset = 0
        self._records: dict[int, Mapping[str, Any]] = {}

    def of(self, range_: int) -> Mapping[str, Any] | None:
        """What the record of a range says; None where there is none.

        Raises:
            KbError: the file cannot be read.
        """
        try:
            with _opened(self.path, os.O_RDONLY) as file, locked(file, shared=True):
                self._read_on(file)
        except OSError as error:
            raise _unwritten(error, self.path) from error
        return self._records.get(range_)

    def append(self, range_: int, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Write the record of a range, unless there is one.

        Returns:
            what the record says that was there; None where it is new.

        Raises:
            Unrecorded: it cannot be written, or the last record there is not as it was written.
        """
        try:
            with _opened(self.path, os.O_RDWR | os.O_APPEND) as file, locked(file):
                # A last record that lacks nothing but its end gets that, and is seen.
                head, end, unfinished = _tail(self.path, file)
                self._read_on(file)
                if range_ not in self._records:
                    line, _ = _line_of(head, {**content, **unfinished})
                    if len(line) >= MAX_LINE:
                        raise Unrecorded(TOO_MANY, where=str(self.path), hint="give the cases in smaller files")
                    _write(file, end, line)
                    return None
        except OSError as error:
            raise _unwritten(error, self.path) from error
        return self._records[range_]

    def _read_on(self, file: int) -> None:
        os.lseek(file, self._offset, os.SEEK_SET)
        with os.fdopen(os.dup(file), "rb") as lines:
            while (line := lines.readline(MAX_LINE)).endswith(b"\n"):
                self._offset += len(line)
                if self._mark in line and (found := _parsed(line)):
                    content = found[1]
                    self._records[content["run"]["range"]] = content


def last(path: Path) -> Head:
    """The last record of a file that is to be written to.

    Raises:
        Unrecorded: it cannot be, or that record is not as it was written.
    """
    try:
        with _opened(path, os.O_RDWR | os.O_APPEND) as file, locked(file):
            return _tail(path, file)[0]
    except OSError as error:
        raise _unwritten(error, path) from error


def _line_of(before: Head, content: Mapping[str, Any]) -> tuple[bytes, Head]:
    """A record as a line of the file, and its head."""
    number = before.number + 1
    whole = {"format": FORMAT, "tool": f"kb {__version__}", "number": number, "previous": before.digest, **content}
    written = json.dumps(whole, separators=(",", ":")).encode()
    digest = hashlib.sha256(written).hexdigest()
    return b'{"digest":"' + digest.encode() + b'",' + written[1:] + b"\n", Head(number, digest)


def _write(file: int, end: int, data: bytes) -> None:
    """Writes at the end of the file, or leaves it as it was."""
    try:
        os.ftruncate(file, end)
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    except BaseException:
        # Interrupted included: what is half written must not stay.
        os.ftruncate(file, end)
        raise


def _tail(path: Path, file: int) -> tuple[Head, int, dict[str, Any]]:
    """The head of what is there, where that ends, and what the next record says of an unfinished one behind it.

    Raises:
        Unrecorded: the last record is not as it was written.
    """
    size = os.fstat(file).st_size
    tail, start = b"", size
    # The last whole line, and what stands behind it.
    while start and tail.count(b"\n") < 2 and len(tail) < 2 * MAX_LINE:
        step = min(len(tail) or _BLOCK, start)
        start -= step
        os.lseek(file, start, os.SEEK_SET)
        tail = _read(file, step) + tail
    whole, newline, rest = tail.rpartition(b"\n")
    unfinished: dict[str, Any] = {}
    if rest and _parsed(rest + b"\n"):
        # Whole but for its end.
        os.write(file, b"\n")
        size += 1
        whole, newline, rest = whole + newline + rest, b"\n", b""
    elif rest:
        # After a crash of the system, zeros can stand for what was not written.
        begun = rest.rstrip(b"\0")
        if len(rest) > MAX_LINE or not (begun.startswith(_BEGINNING) or _BEGINNING.startswith(begun)):
            raise _unsound(path)
        unfinished = {"unfinished": {"bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest()}}
    if not newline:
        return Head(), 0, unfinished
    found = _parsed(whole.rpartition(b"\n")[2] + b"\n")
    if found is None:
        raise _unsound(path)
    digest, content = found
    _check_format(content, path)
    return Head(content["number"], digest), size - len(rest), unfinished


def _shortened(path: Path, after: Head) -> KbError:
    return Unrecorded(
        f"record {after.number}, which was written here, is there no more, so nothing was recorded after it",
        where=str(path),
        hint="put the records back, or record into another folder",
    )


def _unsound(path: Path) -> KbError:
    return Unrecorded(
        "the last record is not as it was written, so nothing was recorded after it",
        where=str(path),
        hint="kb replay says what is broken; record into another folder",
    )


def _read(file: int, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := os.read(file, size - len(data))):
        data += more
    return data


# ---------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Position:
    """A place between two lines of a file.

    Attributes:
        offset: the bytes before it.
        line: the lines before it.
        before: the last record before it.
        certain: whether that is as it was written, so that its digest is known.
    """

    offset: int = 0
    line: int = 0
    before: Head = Head()
    certain: bool = True


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes:
        start, end: the places before and behind it; the same for a last line that is not complete yet.
        record: what it says; None where it is not as it was written.
        broken: in what the chain does not hold there.
    """

    start: Position
    end: Position
    record: Record | None
    broken: tuple[Broken, ...]


def read(path: Path, expected: Head | None = None) -> Iterator[Record | Broken]:
    """The records of a file, in their order, and where the chain is broken.

    Args:
        expected: a head that was kept elsewhere: that record must be there.

    Raises:
        KbError: the file cannot be read, or has a record in a format that this version does not know.
    """
    seen = expected is None or expected == Head()
    for line in follow(path):
        yield from line.broken
        if line.record is None:
            continue
        here = line.record.head
        if expected is not None and here.number == expected.number:
            seen = True
            if here != expected:
                yield Broken(line.record.line, f"record {here.number} is another than the one that was expected")
        yield line.record
    if not seen and expected is not None:
        yield Broken(0, f"record {expected.number}, which was expected, is not there: the records end before it")


def follow(path: Path, position: Position = Position()) -> Iterator[Line]:
    """The lines of a file behind a place, held to what stands before it.

    Raises:
        KbError: the file cannot be read, or has a record in a format that this version does not know.
    """
    try:
        for line in _lines(path, position.offset):
            found = _line_at(path, position, line)
            yield found
            position = found.end
    except OSError as error:
        raise KbError(
            error.strerror or "cannot be read", where=str(path), hint="check the folder and its permissions"
        ) from error


def _line_at(path: Path, at: Position, line: bytes) -> Line:
    number, before = at.line + 1, at.before
    end = replace(at, offset=at.offset + len(line), line=number)
    found = _parsed(line)
    if found is None:
        altered = Broken(number, _altered(line, before.number + 1))
        behind = replace(end, before=Head(before.number + 1), certain=False) if line.endswith(b"\n") else at
        return Line(at, behind, None, (altered,))
    digest, content = found
    _check_format(content, path)
    here = Head(content["number"], digest)
    broken = tuple(Broken(number, what) for what in _misplaced(here, content["previous"], before, at.certain))
    if here.number > before.number:
        end = replace(end, before=here, certain=True)
    return Line(at, end, Record(here, number, content), broken)


def record_at(path: Path, position: Position) -> Record | None:
    """The record behind a place of a file; None where it is not as it was written.

    Raises:
        KbError: the file cannot be read.
    """
    found = next(follow(path, position), None)
    return found.record if found else None


def _lines(path: Path, offset: int = 0) -> Iterator[bytes]:
    """The lines behind a byte that are written completely when reading begins, however the file grows meanwhile."""
    with _opened(path, os.O_RDONLY) as descriptor:
        with locked(descriptor, shared=True):
            left = os.fstat(descriptor).st_size - offset
        os.lseek(descriptor, offset, os.SEEK_SET)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            while left > 0 and (line := file.readline(min(MAX_LINE, left))):
                left -= len(line)
                yield line


def _parsed(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """The digest of a line and what it says; None where it is not as it was written."""
    found = _LINE.fullmatch(line)
    if not found:
        return None
    written, digest = b"{" + found[2], found[1].decode()
    if hashlib.sha256(written).hexdigest() != digest:
        return None
    try:
        content = json.loads(written)
    except (ValueError, RecursionError):
        return None
    whole = (
        isinstance(content, dict) and type(content.get("number")) is int and isinstance(content.get("previous"), str)
    )
    return (digest, content) if whole else None


def _altered(line: bytes, number: int) -> str:
    if line.endswith(b"\n"):
        return f"record {number} was altered: it is not what its digest was made of"
    return f"record {number} is not whole: a write was broken off, or the end of the file was removed"


def _misplaced(here: Head, previous: str, before: Head, certain: bool) -> Iterator[str]:
    """What is wrong with the place of a record.

    Args:
        before: the record before it.
        certain: whether that is as it was written, so that its digest is known.
    """
    if here.number <= before.number:
        yield f"record {here.number} stands after record {before.number}: put in, or in another order"
    elif here.number > before.number + 1:
        first, last = before.number + 1, here.number - 1
        yield f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
    elif certain and previous != before.digest:
        other = f"record {before.number} is another than the one that" if before.number else "something other than what"
        yield f"{other} record {here.number} was written after"


def _check_format(content: Mapping[str, Any], path: Path) -> None:
    """Refuses a record that another version wrote in a way that is not known here.

    Raises:
        KbError: it is such.
    """
    if content.get("format") not in _KNOWN:
        tool, format_ = (str(content.get(key))[:40] for key in ("tool", "format"))
        raise KbError(
            f"record {content['number']} was written by {tool} in format {format_}, and this is kb {__version__}, "
            f"which reads formats {' and '.join(map(str, _KNOWN))}",
            where=str(path),
            hint="use the version that wrote it, or a later one",
        )


# ---------------------------------------------------------------------- the file


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """An open file; not one that could be waited for without end.

    Raises:
        OSError: it cannot be opened, or is no file.
    """
    file = os.open(path, flags | _FLAGS, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(0, "is no file")
        yield file
    finally:
        os.close(file)


def begin(path: Path) -> None:
    """Make the file of a chain, unless it is there, and see that it can be written to.

    Raises:
        Unrecorded: it cannot.
    """
    try:
        with _opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT):
            sync_folder(path.parent)
    except OSError as error:
        raise _unwritten(error, path) from error


def sync_folder(folder: Path) -> None:
    """See that the names of a folder are on the disk, where the system can."""
    with suppress(OSError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _unwritten(error: OSError, path: Path) -> KbError:
    return Unrecorded(
        f"the record cannot be written: {error.strerror or error}",
        where=str(path),
        hint="check the folder, its permissions and the room on its disk; nothing was recorded",
    )
