"""Gives recorded determinations again: the same bytes, the same with other words, or what differs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from itertools import count, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kb_tools.as_json import AsJson
from kb_tools.cases.case import Case, Malformed
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Answer, Run
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.shacl import ENGINES
from kb_tools.records import answer, kept, state
from kb_tools.records.answer import determinations, is_of_many, is_whole, states_of
from kb_tools.records.chain import Broken, Head, Record, read
from kb_tools.records.folder import CASES, STATES, Altered, RecordFolder
from kb_tools.records.recorder import BY_DAY, NAMED, TOGETHER

NOT_GIVEN, MANY_NOT_GIVEN = "its case was not given", "none of its cases was given"


class Status(Enum):
    """What became of a record that was replayed."""

    SAME = "same bytes"
    SAME_VALUES = "same values"
    REWORDED = "same determination, other words"
    DIFFERS = "differs"
    NOT_REPLAYED = "not replayed"


@dataclass(frozen=True)
class Difference:
    """One thing that is otherwise than it was recorded.

    Attributes:
        what: of what kind it is: "tool", "engine", "library", "python", "seal", "reached" (a layer of what is sealed),
            "revision"; "outcome", "criterionValues", "conditionValues" or another part of the answer; "words".
        of: the layer, library, or IRI that it is of; "" where there is one.
        before, now: what was recorded, and what it is now; None for nothing.
        name: what a reader calls `of`.
    """

    what: str
    of: str
    before: Any
    now: Any
    name: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give the difference as JSON values."""
        return {"what": self.what, "of": self.of or None, "name": self.name or None, "was": self.before, "is": self.now}


@dataclass
class Many:
    """What became of the cases of a record of many.

    Attributes:
        cases: how many came to what.
        differences: the first in which they differ, each with the digest of its case.
        reason: why some were not replayed although they were given; "" for none.
    """

    cases: Counter[Status]
    differences: list[Difference]
    reason: str = ""


@dataclass(frozen=True)
class Replayed:
    """What became of one record.

    Attributes:
        head: its number and digest.
        content: what it says.
        status: whether it came to the same.
        reason: why it was not replayed; "" where it was.
        differences: in what the answer differs.
        state: the SHA-256 of the state that it names.
        again: the determination that was made now, if one was.
        cases: of a record of many cases, how many came to what.
    """

    head: Head
    content: Mapping[str, Any]
    status: Status
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    again: Determination | None = field(default=None, repr=False)
    cases: Mapping[Status, int] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The state that it names; of many cases, the first."""
        return next(iter(states_of(self.content)), "")

    @property
    def revisions(self) -> list[str]:
        """The revisions under which its cases were determined."""
        return list(dict.fromkeys(revision for revision, _, _ in determinations(self.content)))

    @property
    def outcome(self) -> str | None:
        """What its case came to; None for many cases."""
        return None if is_of_many(self.content) else str(self.content["answer"]["outcome"])

    def to_dict(self, answers: bool = False) -> dict[str, Any]:
        """Give the record and what became of it as JSON values.

        Args:
            answers: whether the answer that was made now is given, as it was digested.
        """
        given = {"answer": answer.recorded_answer(self.again) if self.again else None} if answers else {}
        return {
            "record": self.head.number,
            "sha256": self.head.digest,
            "made": self.content["made"],
            "policy": self.content["policy"],
            "revision": ", ".join(self.revisions),
            "outcome": self.outcome,
            "cases": {status.value: number for status, number in self.cases.items()} or None,
            "state": self.state,
            "status": self.status.value,
            "reason": self.reason or None,
            "unfinishedBefore": self.content.get("unfinished"),
            "differences": [difference.to_dict() for difference in self.differences],
            **given,
        }


@dataclass
class StateNow:
    """A state that records name, held against what it is now.

    Attributes:
        content: the state as it was recorded; None where its file is missing or was altered.
        records: how many name it.
        differences: in what it is otherwise now, but for words.
        rewordings: in what the words of the knowledge base are, each with its group (one of `state.WORDS`).
    """

    sha256: str
    content: Mapping[str, Any] | None
    differences: tuple[Difference, ...] = ()
    rewordings: tuple[tuple[str, Difference], ...] = ()
    records: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Give the state, but for its words, and what differs, as JSON values."""
        shown = {key: value for key, value in (self.content or {}).items() if key not in ("format", "words")}
        return {
            "state": self.sha256,
            "records": self.records,
            **shown,
            "differences": [difference.to_dict() for difference in self.differences],
        }


def sound(folder: RecordFolder, expected: Head | None, broken: list[Broken]) -> Iterator[Record]:
    """The records of a folder that say what a record says.

    Args:
        broken: gets what is broken, as it is found.

    Raises:
        KbError: the folder holds no records, or they cannot be read, or are in a format that is not known.
    """
    folder.must_exist()
    for item in read(folder.chain, expected):
        if isinstance(item, Broken):
            broken.append(item)
        elif is_whole(item.content):
            yield item
        else:
            broken.append(Broken(item.line, f"record {item.head.number} does not say what a record says"))


class Replay:
    """Verifies the records of a folder, and determines again those whose cases are there.

    Attributes:
        broken: where the records are not as they were written; complete once `records` is at its end.
        states: the states that the records name, by their SHA-256; likewise.
        counts: how many records there are of each status; likewise.
        head: the last record; likewise.
    """

    def __init__(
        self,
        kb: Repository,
        folder: Path,
        cases: Iterable[Case] = (),
        expected: Head | None = None,
        engine: str | None = None,
        many: Mapping[Head, Many] = MappingProxyType({}),
    ) -> None:
        """Prepare a replay.

        Args:
            cases: cases that may be those of the records: each is found by its digest.
            expected: a head that was kept elsewhere: that record must be there.
            engine: the engine for all; None for that of each record.
            many: what became of the cases of records of many (`kb_tools.batch.replaying`).

        Raises:
            KbError: the folder holds no records.
        """
        self._many = many
        self.kb = kb
        self.broken: list[Broken] = []
        self.states: dict[str, StateNow] = {}
        self.counts: Counter[Status] = Counter()
        self.head = Head()
        self._folder = RecordFolder(folder)
        self._expected = expected
        self._engine = engine
        self._runs: dict[tuple[Any, ...], Run] = {}
        self._numbers = count(1)
        # Readings of one case that differ in their notices stand side by side.
        self._given: dict[str, list[Case]] = defaultdict(list)
        for case in cases:
            if all(other.notices != case.notices for other in self._given[case.digest]):
                self._given[case.digest].append(case)

    @property
    def is_same(self) -> bool:
        """Whether all is as it was recorded, as far as it was looked at."""
        idle = self.counts[Status.NOT_REPLAYED]
        differs = self.counts.total() - idle - self.counts[Status.SAME] - self.counts[Status.SAME_VALUES]
        return not (self.broken or differs or (idle and any(found.differences for found in self.states.values())))

    def records(self) -> Iterator[Replayed]:
        """What became of each record, in their order.

        Raises:
            KbError: the records cannot be read, or have a format that this version does not know.
        """
        found = sound(self._folder, self._expected, self.broken)
        while batch := list(islice(found, TOGETHER)):
            self.head = batch[-1].head
            for replayed in self._replayed(batch):
                self.counts[replayed.status] += 1
                yield replayed

    def _replayed(self, records: list[Record]) -> Iterator[Replayed]:
        singles = [record for record in records if not is_of_many(record.content)]
        cases = {record.head: self._cases_of(record) for record in singles}
        groups: dict[tuple[Any, ...], list[tuple[Record, Case]]] = defaultdict(list)
        for record in records:
            for name in states_of(record.content):
                self._state(record, name).records += 1
        for record in singles:
            for case in cases[record.head][0]:
                groups[self._key(record)].append((record, case))
        made: dict[Head, list[Replayed]] = defaultdict(list)
        for key, group in groups.items():
            for (record, case), again in zip(group, self._answers(key, [case for _, case in group]), strict=True):
                made[record.head].append(self._compared(record, case, again))
        order = list(Status)
        for record in records:
            if is_of_many(record.content):
                yield self._replayed_many(record)
                continue
            idle = Replayed(record.head, record.content, Status.NOT_REPLAYED, cases[record.head][1])
            yield min(made[record.head], key=lambda found: order.index(found.status), default=idle)

    def _replayed_many(self, record: Record) -> Replayed:
        """What became of a record of many cases: it holds no words, but what it rests on does."""
        found = self._many.get(record.head, Many(Counter(), []))
        same, differs = found.cases[Status.SAME_VALUES], found.cases[Status.DIFFERS]
        states = [self._state(record, name) for name in states_of(record.content)]
        words = [difference for state_now in states for _, difference in state_now.rewordings]
        status, differences = Status.SAME_VALUES, found.differences
        if differs:
            status = Status.DIFFERS
        elif not same and (found.cases or record.content["groups"]):
            status = Status.NOT_REPLAYED
        elif words:
            status, differences = Status.REWORDED, words
        reason = (found.reason or MANY_NOT_GIVEN) if status is Status.NOT_REPLAYED else ""
        return Replayed(record.head, record.content, status, reason, tuple(differences), cases=dict(found.cases))

    # ------------------------------------------------------------------ what a record names

    def _cases_of(self, record: Record) -> tuple[list[Case], str]:
        """The readings of the case of a record, or why there is none."""
        named = record.content["case"]
        if named["kept"] is not None:
            try:
                content = self._folder.get(CASES, str(named["kept"]))
            except Altered as error:
                self._note(record, f"the case that is kept {error.what}")
                return self._given.get(named["sha256"], []), "its case was altered"
            if content is not None:
                try:
                    return [kept.decoded(self.kb, content, "the case that is kept", self._numbers)], ""
                except UnreadableInput as error:
                    return [], str(error)
        return self._given.get(named["sha256"], []), "its case is kept no longer" if named["kept"] else NOT_GIVEN

    def _state(self, record: Record, name: str = "") -> StateNow:
        """The state that a record names, held against what it is now; looked up once."""
        name = name or str(record.content["state"])
        if name not in self.states:
            self.states[name] = self._compared_state(record, name)
        return self.states[name]

    def _compared_state(self, record: Record, name: str) -> StateNow:
        try:
            content = self._folder.get(STATES, name)
        except Altered as error:
            self._note(record, f"the state that it names {error.what}")
            return StateNow(name, None)
        if content is None:
            self._note(record, f"the state that it names is missing: {STATES}/{name}.json")
            return StateNow(name, None)
        before = json.loads(content)
        if not isinstance(before, dict) or not {"policy", "revision", "engine", "words"} <= set(before):
            self._note(record, "the state that it names does not say what a state says")
            return StateNow(name, None)
        key = (before["policy"], before["revision"], self._engine or before["engine"])
        now = self._now(*key)
        if isinstance(now, KbError):
            gone = Difference("revision", "", f"{before['policy']}/{before['revision']}", None)
            return StateNow(name, before, (gone,))
        differences = tuple(Difference(*found) for found in state.differences(before, now))
        rewordings = tuple((found[0], self._reworded(*found, now)) for found in state.rewordings(before, now))
        return StateNow(name, before, differences, rewordings)

    def _now(self, policy: str, revision: str, engine: str) -> dict[str, Any] | KbError:
        """The state of a revision as it is now; an error where it is not on file."""
        try:
            found = self.kb.policy(policy)
            run = Run(self.kb, found, engine, revision)
            return state.state_of(self.kb, run.determiner(run.selection(date.min)).revision, engine)
        except KbError as error:
            return error

    def _reworded(
        self, group: str, iri: str, key: str, before: Any, now: Any, state_now: Mapping[str, Any]
    ) -> Difference:
        said = state_now["words"][group].get(iri, {})
        place = said.get("place")
        called = f"criterion {place}" if place else self.kb.curie(iri)
        return Difference("words", iri, before, now, f"{called}, {key}")

    def _note(self, record: Record, what: str) -> None:
        self.broken.append(Broken(record.line, f"record {record.head.number}: {what}"))

    # ------------------------------------------------------------------ determining again

    def _key(self, record: Record) -> tuple[Any, ...]:
        """By what records are determined together."""
        said, before = record.content, self._state(record).content
        engine = self._engine or (before["engine"] if before else ENGINES[0])
        return said["policy"], said["revision"], said["chosen"], said.get("asOf"), engine

    def _answers(self, key: tuple[Any, ...], cases: list[Case]) -> list[Answer | KbError]:
        """What cases come to, as a record says that they were determined; the error where they cannot be."""
        try:
            return list(self._run(*key).answers(cases))
        except (KbError, ValueError) as error:
            failed = error if isinstance(error, KbError) else KbError(f"cannot be determined: {error}")
            return [failed] * len(cases)

    def _run(self, policy: str, revision: str, chosen: str, as_of: str | None, engine: str) -> Run:
        key = (policy, revision if chosen == NAMED else None, as_of if chosen == BY_DAY else None, engine)
        if key not in self._runs:
            day = date.fromisoformat(key[2]) if key[2] else None
            self._runs[key] = Run(self.kb, self.kb.policy(policy), engine, key[1], day, by_pieces=True)
        return self._runs[key]

    def _compared(self, record: Record, case: Case, again: Answer | KbError) -> Replayed:
        content, head = record.content, record.head
        before = content["answer"]
        if isinstance(again, KbError):
            return Replayed(head, content, Status.NOT_REPLAYED, str(again))
        found: list[Difference] = []
        if isinstance(again, Determination) and again.revision.entry.name != content["revision"]:
            # Another revision is in force on that day now: what differs beside that is seen under the one recorded.
            found.append(Difference("revision", "", content["revision"], again.revision.entry.name))
            (again,) = self._answers(self._key(replace(record, content={**content, "chosen": NAMED})), [case])
        if not isinstance(again, Determination):
            now = (
                str(again)
                if isinstance(again, KbError)
                else "malformed"
                if isinstance(again, Malformed)
                else again.error
            )
            found.append(Difference("outcome", "", before["outcome"], str(now)))
            return Replayed(head, content, Status.DIFFERS, "", tuple(found))
        said = answer.content_of(again)
        found += [Difference(*one, self._name(one[1])) for one in answer.differences(before, said)]
        if found:
            return Replayed(head, content, Status.DIFFERS, "", tuple(found), again)
        if said["sha256"] == before["sha256"]:
            return Replayed(head, content, Status.SAME, again=again)
        return Replayed(head, content, Status.REWORDED, "", self._words_of(record, again), again)

    def _words_of(self, record: Record, again: Determination) -> tuple[Difference, ...]:
        """The words that differ, of those that an answer is made of."""
        said = answer.written(again).decode()
        given = {advisory.iri for advisory in again.advisories}
        # Of the terms of the vocabularies, an answer names few; an advisory that is not given says nothing.
        parts = {
            "terms": lambda found: isinstance(found.now, str) and found.now in said,
            "advisories": lambda found: found.of in given,
        }
        rewordings = self._state(record).rewordings
        return tuple(found for group, found in rewordings if group not in parts or parts[group](found))

    def _name(self, iri: str) -> str:
        return self.kb.curie(iri) if iri else ""


@dataclass(frozen=True)
class ReplayReport(AsJson):
    """What became of all records of a folder.

    Attributes:
        records: what became of each, in their order.
        states: the states that they name, with what differs now.
        broken: where the records are not as they were written.
        head: the last record.
        is_same: whether all is as it was recorded, as far as it was looked at.
    """

    records: tuple[Replayed, ...]
    states: tuple[StateNow, ...]
    broken: tuple[Broken, ...]
    head: Head
    is_same: bool

    @classmethod
    def of(cls, replay: Replay) -> ReplayReport:
        """Carry a replay out."""
        records = tuple(replay.records())
        return cls(records, tuple(replay.states.values()), tuple(replay.broken), replay.head, replay.is_same)

    def to_dict(self, answers: bool = False) -> dict[str, Any]:
        """Give all, as `kb replay --format json` does.

        Args:
            answers: whether each answer that was made now is given.
        """
        return {
            "head": str(self.head),
            "same": self.is_same,
            "broken": [broken.to_dict() for broken in self.broken],
            "states": [found.to_dict() for found in self.states],
            "records": [record.to_dict(answers) for record in self.records],
        }
