"""The records of a folder as they are looked at again and again: verified once, counted, and found by their numbers.

What was verified before is not read again: a look goes on behind it, and for no longer than it may. So a change to what
was verified is seen by `again` alone, or when that record is looked at itself.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from kb_tools.records.answer import determinations, is_whole, leaves
from kb_tools.records.chain import Broken, Head, Line, Position, Record, follow, record_at
from kb_tools.records.folder import RecordFolder

# So many places where the chain is broken are told.
_FEW = 20


@dataclass
class Counts:
    """What the records come to.

    Attributes:
        made, previews: how many determinations were recorded, and how many of them of orders that were drafts.
        outcomes: by policy, revision and outcome.
        drafts: likewise, of draft orders alone.
        to_send: how many are open on each condition, by policy, revision and its IRI.
        criteria: how many have each value of each criterion, by policy, revision, IRI and value.
        deciding: likewise, where the outcome rests on it.
    """

    made: int = 0
    previews: int = 0
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    drafts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    to_send: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    criteria: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    deciding: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def add(self, content: Mapping[str, Any]) -> None:
        """Count a record."""
        policy, preview = str(content["policy"]), bool(content.get("preview"))
        for revision, answer, number in determinations(content):
            key = (policy, revision, str(answer["outcome"]))
            self.made += number
            self.outcomes[key] += number
            if preview:
                self.previews += number
                self.drafts[key] += number
            for iri in dict.fromkeys(leaves(answer["toSend"])):
                self.to_send[policy, revision, iri] += number
            for iri, value in answer["criterionValues"].items():
                held = (policy, revision, iri, value)
                self.criteria[held] += number
                if iri in answer["decides"]:
                    self.deciding[held] += number


@dataclass(frozen=True)
class Look:
    """How far the records of a folder were verified.

    Attributes:
        read, size: so many bytes, of so many.
        records: how many were read.
        head: the last of them.
        broken: the first places where the chain does not hold.
        more_broken: how many other places there are.
        since: when the first record was verified, in UTC.
    """

    read: int
    size: int
    records: int
    head: Head
    broken: tuple[Broken, ...]
    more_broken: int
    since: str

    @property
    def is_complete(self) -> bool:
        """Whether all that there was has been read."""
        return self.read >= self.size

    @property
    def is_whole(self) -> bool:
        """Whether the chain holds, as far as it was read."""
        return not self.broken


class Shelf:
    """The records of a folder.

    Raises:
        KbError: the folder holds no records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = RecordFolder(folder.resolve())
        self.folder.must_exist()
        self._lock = Lock()
        self._begin()

    def _begin(self) -> None:
        self.counts = Counts()
        self._at = Position()
        self._numbers: array[int] = array("q")
        self._offsets: array[int] = array("q")
        self._broken: list[Broken] = []
        self._tail: tuple[Broken, ...] = ()
        self._file: tuple[int, int] | None = None
        self._since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")

    def look(self, seconds: float, again: bool = False) -> Look:
        """Go on reading and verifying, for no longer than so many seconds.

        Args:
            again: whether all is read and verified from the first record on.

        Raises:
            KbError: the records cannot be read, or are in a format that is not known.
        """
        with self._lock:
            self.folder.must_exist()
            found = self.folder.chain.stat()
            if again or self._file != (found.st_dev, found.st_ino) or found.st_size < self._at.offset:
                # Another file than the one that was read.
                self._begin()
                self._file = (found.st_dev, found.st_ino)
            until = time.monotonic() + seconds
            self._tail = ()
            for line in follow(self.folder.chain, self._at):
                self._take(line)
                if time.monotonic() > until:
                    break
            broken = [*self._broken, *self._tail]
            more = len(broken) - _FEW
            read = found.st_size if self._tail else self._at.offset
            size = max(found.st_size, self._at.offset)
            return Look(
                *(read, size, len(self._numbers), self._at.before, tuple(broken[:_FEW]), max(more, 0), self._since)
            )

    def _take(self, line: Line) -> None:
        if line.end == line.start:
            # A last line that is not complete: it is looked at again.
            self._tail = line.broken
            return
        self._at = line.end
        self._broken += line.broken
        if line.record is None:
            return
        if not is_whole(line.record.content):
            number = line.record.head.number
            self._broken.append(Broken(line.record.line, f"record {number} does not say what a record says"))
            return
        self._numbers.append(line.record.head.number)
        self._offsets.append(line.start.offset)
        self.counts.add(line.record.content)

    def newest(self, count: int, before: int | None = None) -> list[Record]:
        """So many of the last records that were read, the newest first.

        Args:
            before: only such as stand before the record of this number.
        """
        end = len(self._numbers) if before is None else bisect_left(self._numbers, before)
        places = range(end - 1, max(end - count, 0) - 1, -1)
        return [record for place in places if (record := self._record(place)) is not None]

    def record(self, number: int) -> Record | None:
        """The record of a number, read and held to its digest now; None where it is not there or was altered."""
        place = bisect_left(self._numbers, number)
        there = place < len(self._numbers) and self._numbers[place] == number
        return self._record(place) if there else None

    def _record(self, place: int) -> Record | None:
        number, offset = self._numbers[place], self._offsets[place]
        found = record_at(self.folder.chain, Position(offset, before=Head(number - 1), certain=False))
        return found if found and found.head.number == number and is_whole(found.content) else None
