"""Records determinations: one record each, in the order in which they were made.

A record holds, beside what chains it (`kb_tools.records.chain`): when it was made; the digest of the file with what it
rests on ("state"); policy and revision, and how that was chosen; the digest of the case, and that of the file that
keeps the case; and the answer (`kb_tools.records.answer`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeVar

from kb_tools.determine.result import Determination
from kb_tools.errors import ArgumentError, UnknownRevision, Unrecorded
from kb_tools.model.repository import Repository
from kb_tools.records import kept, state
from kb_tools.records.answer import chosen_notices, content_of
from kb_tools.records.chain import Head, append
from kb_tools.records.folder import CASES, STATES, RecordFolder

T = TypeVar("T")
# How the revision of a determination was chosen.
NAMED, BY_SERVICE_DATE, BY_DAY = "named", "service date", "day"
# So many answers of a stream are recorded together: whatever determines a stream takes its cases in such numbers.
TOGETHER = 200


class RecordMaker:
    """Makes the contents of records, and writes what they refer to; the chain itself is written by others.

    Attributes:
        folder: where the records are.
        keeps_cases: whether each case is kept as it was read, so that it need not be given for a replay.
    """

    def __init__(self, kb: Repository, folder: RecordFolder, keep_cases: bool = False) -> None:
        self._kb = kb
        self.keeps_cases = keep_cases
        self.folder = folder
        self._states: dict[tuple[str, str, str], str] = {}
        self._numbers = count(1)

    def contents(
        self, answers: Iterable[object], *, engine: str, as_of: date | None = None, **more: Any
    ) -> list[dict[str, Any]]:
        """What records hold of the determinations among some answers.

        Args:
            engine: the SHACL engine that was asked.
            as_of: the day whose revision in force was taken, if it was chosen so.
            more: what else each record says, as JSON values.

        Raises:
            Unrecorded: what they refer to cannot be written.
            ArgumentError: the revision of one was chosen by a day, and `as_of` is not that day.
        """
        made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found = (answer for answer in answers if isinstance(answer, Determination))
        return [{"made": made, **more, **self._content(one, engine, as_of)} for one in found]

    def _content(self, found: Determination, engine: str, as_of: date | None) -> dict[str, Any]:
        return {
            "state": self._state(found, engine),
            "policy": found.revision.policy.identifier,
            "revision": found.revision.entry.name,
            **_choice(found, as_of),
            "case": {"sha256": found.case.digest, "kept": self._kept(found) if self.keeps_cases else None},
            "answer": content_of(found),
        }

    def _state(self, found: Determination, engine: str) -> str:
        key = (found.revision.policy.identifier, found.revision.entry.name, engine)
        known = self._states.get(key)
        if known is None or not self.folder.has(STATES, known):
            now = state.encoded(state.state_of(self._kb, found.revision, engine))
            self._states[key] = self.folder.put(STATES, now)
        return self._states[key]

    def _kept(self, found: Determination) -> str:
        """Keeps the case of a determination, once it is sure that it can be read again."""
        content = kept.encoded(found.case)
        again = kept.decoded(self._kb, content, "the case", self._numbers)
        if again.digest != found.case.digest:
            raise Unrecorded(
                "the case cannot be kept: read again it says something else", hint="record without --case keep"
            )
        return self.folder.put(CASES, content)


class Recorder:
    """Records determinations into a folder, beside any number of others that do so too.

    Attributes:
        folder: the path of the folder.
        heads: of each record that was made, in their order, its number and digest.
    """

    def __init__(self, kb: Repository, folder: Path, keep_cases: bool = False) -> None:
        """Make the folder, unless it is there.

        Args:
            keep_cases: whether each case is kept as it was read, so that it need not be given for a replay. The folder
                then holds data about the health of people.

        Raises:
            KbError: it cannot be written to, or holds something else.
        """
        self.folder = folder
        self.heads: list[Head] = []
        self._inside = RecordFolder(folder)
        self._inside.begin()
        self._maker = RecordMaker(kb, self._inside, keep_cases)

    @property
    def head(self) -> Head | None:
        """The last record that was made; None for none."""
        return self.heads[-1] if self.heads else None

    def add(self, answers: Iterable[object], *, engine: str, as_of: date | None = None) -> list[Head]:
        """Record the determinations among some answers, all of them or none.

        Args:
            engine: the SHACL engine that was asked.
            as_of: the day whose revision in force was taken, if it was chosen so.

        Raises:
            Unrecorded: they cannot be recorded.
            ArgumentError: the revision of one was chosen by a day, and `as_of` is not that day.
        """
        heads = append(self._inside.chain, self._maker.contents(answers, engine=engine, as_of=as_of))
        self.heads += heads
        return heads

    def recorded(self, answers: Iterable[T], *, engine: str, as_of: date | None = None) -> Iterator[T]:
        """Give answers on, each after it was recorded.

        Raises:
            Unrecorded: they cannot be recorded; none that was not is given.
        """
        waiting = iter(answers)
        while batch := list(islice(waiting, TOGETHER)):
            self.add(batch, engine=engine, as_of=as_of)
            yield from batch


def _choice(found: Determination, as_of: date | None) -> dict[str, str]:
    """How the revision was chosen, told by what the determination says of that.

    The date of service itself is not held.
    """
    said = chosen_notices(found)
    policy = found.revision.policy
    if not said:
        return {"chosen": NAMED}
    with suppress(UnknownRevision):
        if said == policy.in_force(found.service_date).notices:
            return {"chosen": BY_SERVICE_DATE}
    with suppress(UnknownRevision):
        if as_of is not None and said == policy.in_force(as_of).notices:
            return {"chosen": BY_DAY, "asOf": as_of.isoformat()}
    raise ArgumentError("the revision was chosen by a day", hint="give that day as as_of")
