"""The inputs of a run, cut into ranges of whole lines, each pinned by its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kb_tools.cases.inputs import JSON_LINES
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.files import MAX_BYTES, unopened

# Bytes of a range. One of cases of 1 to 2 KB is determined in some seconds.
RANGE = 16 * 2**20


@dataclass(frozen=True)
class Range:
    """Whole lines of an input.

    Attributes:
        number: its place among all ranges of the run; its part is named by it.
        source: the file, as the user named it or the folder that it stands in; rows name it so.
        path: where it is.
        start, end: the bytes of it, the end exclusive.
        line: the number of its first line in the file.
        cases: how many lines are not blank.
        sha256: of its bytes.
    """

    number: int
    source: str
    path: str
    start: int
    end: int
    line: int
    cases: int
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Give the range as JSON values."""
        return dict(vars(self))

    def read(self) -> list[tuple[int, int, bytes]]:
        """The lines that are not blank, each with its number in the file and the byte at which it begins.

        Raises:
            UnreadableInput: the input is not what it was when the run began.
        """
        path = Path(self.path)
        try:
            with path.open("rb") as file:
                file.seek(self.start)
                data = file.read(self.end - self.start)
        except OSError as error:
            raise unopened(error, path) from error
        if len(data) != self.end - self.start or hashlib.sha256(data).hexdigest() != self.sha256:
            raise UnreadableInput(
                f"changed since the run began (bytes {self.start} to {self.end})",
                where=self.path,
                hint="restore it and run again, or run into a new folder",
            )
        found, start = [], self.start
        for number, line in enumerate(data.split(b"\n"), self.line):
            if line.strip():
                found.append((number, start, line.rstrip(b"\r")))
            start += len(line) + 1
        return found


def files_of(inputs: Sequence[Path], folder: Path) -> list[Path]:
    """The files with a case a line that are named, or stand in folders that are; none of them twice.

    Args:
        folder: where rows go; what stands in it is no input, even if it stands in one itself.

    Raises:
        UnreadableInput: there is none, or something named is no such file.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        if given.is_dir():
            inside = sorted(path for path in given.rglob("*") if _has_lines(path) and path.is_file())
            inside = [path for path in inside if folder.resolve() not in path.resolve().parents]
            if not inside:
                raise UnreadableInput(
                    f"no {JSON_LINES} file in this folder", where=str(given), hint="kb case convert --format jsonl"
                )
        elif not given.exists():
            raise UnreadableInput("no such file or folder", where=str(given), hint="check the path")
        elif not _has_lines(given):
            raise UnreadableInput(
                f"not a {JSON_LINES} file",
                where=str(given),
                hint="kb case convert --format jsonl writes one case a line",
            )
        else:
            inside = [given]
        for path in inside:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _has_lines(path: Path) -> bool:
    return path.suffix.lower() == JSON_LINES


def ranges_of(files: Sequence[Path], size: int = RANGE) -> list[Range]:
    """The ranges of files, each of about so many bytes and of at least one line.

    Raises:
        UnreadableInput: a file cannot be read, holds no case, or has a line that is too long.
    """
    found: list[Range] = []
    for path in files:
        before = len(found)
        try:
            found.extend(_ranges(path, size, before))
        except OSError as error:
            raise unopened(error, path) from error
        if sum(one.cases for one in found[before:]) == 0:
            raise UnreadableInput("no case in this file", where=str(path), hint="write one case a line, as JSON")
    return found


def _ranges(path: Path, size: int, number: int) -> Iterator[Range]:
    with path.open("rb") as file:
        start, line = 0, 1
        while data := file.read(size):
            data += file.readline(MAX_BYTES + 1)
            if len(data) > size + MAX_BYTES:
                raise UnreadableInput(
                    f"a line of more than {MAX_BYTES // 2**20} MiB",
                    where=f"{path}:{line + data.count(bytes([10]))}",
                    hint="split it",
                )
            cases = sum(1 for one in data.split(b"\n") if one.strip())
            end = start + len(data)
            yield Range(
                number, str(path), str(path.resolve()), start, end, line, cases, hashlib.sha256(data).hexdigest()
            )
            number, start, line = number + 1, end, line + data.count(b"\n")
