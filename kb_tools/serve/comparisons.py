"""Comparisons of two revisions for all readers: each is made once, one at a time, beside what else is asked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock, Thread

from kb_tools.api import KnowledgeBase
from kb_tools.cases.case import Case
from kb_tools.cases.inputs import MANIFEST
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import read_manifest
from kb_tools.errors import Busy, KbError, UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import FORMATS
from kb_tools.revisions.change import Diff
from kb_tools.revisions.replay import Replay
from kb_tools.revisions.verdict import Direction

# How many comparisons are kept, the last used ones.
KEPT = 16
# How many are made or wait to be made; a reader who asks for another one is told to come back.
WAITING = 8


@dataclass(frozen=True)
class Compared:
    """Two revisions compared, with the example cases of their policy determined under both.

    Attributes:
        witnesses: the case that bears a witness out, as Turtle that can be submitted, by the direction of the witness.
        shown: of two policies, the case that fails a requirement, by the name of its contrast.
    """

    diff: Diff
    witnesses: dict[Direction, str]
    shown: dict[str, str] = field(default_factory=dict)


class Comparisons:
    """The comparisons that were asked for last, of all policies of a knowledge base."""

    def __init__(self, kb: Repository) -> None:
        self.kb = kb
        self._kept: OrderedDict[tuple[str, str, str, str], Future[Compared]] = OrderedDict()
        self._lock, self._one_at_a_time = Lock(), Lock()

    def of(self, policy: Policy, before: str, after: str, other: Policy | None = None) -> Future[Compared]:
        """The comparison of two revisions by their names, as soon as it is made.

        Args:
            other: the policy of the second one, where the two are of two policies.

        The future holds a KbError where they cannot be compared.

        Raises:
            Busy: too many others are being made.
        """
        key = policy.identifier, before, (other or policy).identifier, after
        with self._lock:
            if key not in self._kept:
                if sum(not kept.done() for kept in self._kept.values()) >= WAITING:
                    raise Busy("other revisions are being compared", seconds=10)
                self._kept[key] = self._started(policy, before, other or policy, after)
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _started(self, policy: Policy, before: str, other: Policy, after: str) -> Future[Compared]:
        future: Future[Compared] = Future()
        # From here on it cannot be cancelled: a reader who goes away takes it from no other.
        future.set_running_or_notify_cancel()

        def make() -> None:
            try:
                with self._one_at_a_time:
                    future.set_result(self._compared(policy, before, other, after))
            except Exception as error:
                future.set_exception(error)

        Thread(target=make, daemon=True).start()
        return future

    def _compared(self, policy: Policy, before: str, other: Policy, after: str) -> Compared:
        base = KnowledgeBase(self.kb)
        if policy.iri != other.iri:
            found = base.diff(f"{policy.identifier}/{before}", f"{other.identifier}/{after}")
        else:
            cases = self._examples(policy) if self.kb.has(policy.cases_folder / MANIFEST) else None
            found = base.diff(before, after, cases, policy=policy.identifier)
        witnesses = {direction: self._turtle(replay) for direction, replay in found.borne_out.items()}
        shown = {one.name: self._turtle(one.replay) for one in found.contrasts if one.replay}
        return Compared(found, witnesses, shown)

    def _turtle(self, replay: Replay) -> str:
        return str(prepared(self.kb, [replay.before.case], derived=False).serialize(format="longturtle", canon=True))

    def _examples(self, policy: Policy) -> Iterator[Case | KbError]:
        """The example cases, named by their files alone: where they lie is no reader's business."""
        reader = CaseReader(self.kb, record=False)
        for path in sorted({expected.path for expected in read_manifest(self.kb, policy.cases_folder)}):
            try:
                yield from reader.read(path.name, None, self.kb.content(path), FORMATS[path.suffix])
            except UnreadableInput as error:
                error.where = path.name
                yield error
