"""Who does the work behind the tools: readers, processes for cases, confined processes for queries, comparisons."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cached_property, partial
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from kb_tools.ask.pool import Pool
from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.serve.case.workers import Workers
from kb_tools.serve.comparisons import Comparisons

T = TypeVar("T")
_Started = Callable[[Callable[[], None]], None]
# A case that is determined before any other, so that all that takes time at first is done.
_FIRST = '{"patient": "p", "request": {"serviceDate": "2026-07-01"}}'
# The most calls that wait for a process at once.
_WAITING = 32


class Office:
    """A knowledge base that is open for agents; closed at the end, with every process.

    Args:
        pool: answers queries.
        workers: read and determine cases; new ones by default.
        max_rows: the most rows of an answer.
    """

    def __init__(self, pool: Pool, workers: Workers | None = None, max_rows: int = 10_000) -> None:
        self.kb: Repository = pool.kb
        self.pool = pool
        self.workers = workers or Workers(pool.kb.root, held=pool.kb.held, skipped=pool.kb.skipped)
        self.comparisons = Comparisons(pool.kb)
        self.max_rows = max_rows
        self._revisions: dict[str, Revision] = {}
        self._closed = False

    def __enter__(self) -> Office:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the processes before they are asked, so that the first call does not wait for them."""
        self.pool.start()
        for folder in self.kb.policy_folders[:1]:
            chosen = {"policy": folder.name, "revision": None, "asOf": None}
            self.workers.start("read", _FIRST, "json", chosen)

    def close(self) -> None:
        """End every process."""
        self._closed = True
        self.workers.close()
        self.pool.close()

    # ------------------------------------------------------------------ what is on file

    def policy(self, named: str | None, *revisions: str | None) -> Policy:
        """The policy that is named, by itself or with a revision, or the only one.

        Raises:
            KbError: there is none of that name, or several and none is named.
        """
        return self.kb.policy_of(named, *filter(None, revisions))

    def revision(self, policy: Policy, named: str | None, criteria: bool = False) -> Revision:
        """A revision, loaded once; that in force today where none is named.

        Args:
            criteria: whether it must have its criteria on file.

        Raises:
            UnknownRevision: there is none of that name, or its criteria are not on file.
        """
        entry = policy.entry(named) if named else policy.in_force(date.today()).revision
        if criteria:
            policy.require_criteria(entry)
        if entry.iri not in self._revisions:
            self._revisions[entry.iri] = Revision.load(policy, entry)
        return self._revisions[entry.iri]

    # ------------------------------------------------------------------ work

    @cached_property
    def _one(self) -> CapacityLimiter:
        return CapacityLimiter(1)

    @cached_property
    def _many(self) -> CapacityLimiter:
        return CapacityLimiter(_WAITING)

    async def read(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a function gives that only reads what is on file, which takes no time: one at a time."""
        return await to_thread.run_sync(partial(function, *arguments), limiter=self._one)

    async def work(self, function: Callable[[_Started], T]) -> T:
        """What a function gives that waits for another process, which is ended when the call is cancelled.

        Args:
            function: calls what it is given with what ends its work before its time.
        """
        call = _Call(lambda: self._closed)
        try:
            return await to_thread.run_sync(partial(function, call.started), abandon_on_cancel=True, limiter=self._many)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(call.end)
            raise


class _Call:
    """A call for which another process works, and which may be cancelled."""

    def __init__(self, closed: Callable[[], bool]) -> None:
        self._closed = closed
        self._lock = Lock()
        self._gone = False
        self._ends: list[Callable[[], None]] = []

    def started(self, end: Callable[[], None]) -> None:
        """Take what ends the work, before it begins.

        Raises:
            KbError: it is not wanted any more.
        """
        with self._lock:
            if self._gone or self._closed():
                raise KbError("the call was cancelled")
            self._ends.append(end)

    def end(self) -> None:
        with self._lock:
            self._gone = True
        for end in self._ends:
            with suppress(OSError):
                end()
