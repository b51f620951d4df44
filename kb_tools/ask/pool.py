"""Answers inquiries one beside the other, in confined processes that are prepared ahead, of which there are few."""

from __future__ import annotations

import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property

from kb_tools.ask import dataset
from kb_tools.ask.prepared import BEGUN, CHANGED, LENGTH, order
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.sparql import QueryError
from kb_tools.ask.worker import broken, read_answer, run
from kb_tools.errors import Busy, Changed, KbError
from kb_tools.model.repository import Repository

# How much longer an answer may be on its way than what it holds: names, notes, quotation marks.
_ROOM = 4
_CODE = "import sys; sys.path[:] = sys.argv[7:]; from kb_tools.ask.prepared import main; main()"


@dataclass(frozen=True)
class _Copy:
    """A copy of the prepared process: its id, where it reads an inquiry, and where it writes the answer."""

    process: int
    giving: int
    answered: int

    def forget(self) -> None:
        os.close(self.giving)
        os.close(self.answered)


class _Reading:
    """What is written to a file, while there is time for it, and as far as it is not too much."""

    def __init__(self, file: int, timeout: float, max_size: int) -> None:
        self._file = file
        self._timeout = timeout
        self._max_size = max_size
        self._deadline = time.monotonic() + timeout
        self._poll = select.poll()
        self._poll.register(file, select.POLLIN)

    def take(self, size: int) -> bytes:
        """So many bytes, or fewer where the file ends before.

        Raises:
            QueryError: they take too long, or are too much.
        """
        if size > _ROOM * self._max_size:
            raise QueryError(f"the answer is larger than {self._max_size // 2**20} MiB", hint="narrow the query")
        parts = bytearray()
        while len(parts) < size:
            left = self._deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(1000 * left):
                raise QueryError(f"the query took more than {self._timeout:g} s", hint="narrow it")
            part = os.read(self._file, min(size - len(parts), 2**20))
            if not part:
                break
            parts += part
        return bytes(parts)


class _Query:
    """A query that is answered, which can be ended."""

    def __init__(self, pool: Pool) -> None:
        self.cancelled = False
        self._pool = pool
        self._copy: _Copy | None = None

    def runs_in(self, copy: _Copy) -> None:
        self._copy = copy
        if self.cancelled:
            self.cancel()

    def cancel(self) -> None:
        self.cancelled = True
        if self._copy:
            self._pool._cancel(self._copy)


class Pool:
    """A knowledge base that is asked by several at once.

    Where graphs are in memory, on Unix, an inquiry is answered by a copy of a process that holds them ready, see
    `prepared`. A copy answers one query, or many ready questions, and another takes its place. Elsewhere an inquiry is
    answered as `kb query` does it.

    Args:
        size: the most copies at once, waiting for an inquiry or answering one. One is kept for ready questions.
        timeout: seconds after which a query is ended.
        max_size: of an answer, in bytes.
        patience: seconds that an inquiry waits for its turn.
    """

    def __init__(
        self, kb: Repository, size: int = 4, timeout: float = 30, max_size: int = 32 * 1024**2, patience: float = 1
    ) -> None:
        self.kb = kb
        self.size = size
        self.timeout = timeout
        self.max_size = max_size
        self.patience = patience
        self._places = threading.BoundedSemaphore(size)
        # One place is left for ready questions, which take no time.
        self._own = threading.BoundedSemaphore(max(1, size - 1))
        # Held while an order is given, and while the fields below change.
        self._lock = threading.Lock()
        self._waiting: list[_Copy] = []
        self._answering = 0
        # What ends the queries that run in processes of their own.
        self._ends: set[Callable[[], None]] = set()
        self._readings = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @cached_property
    def copies(self) -> bool:
        """Whether inquiries are answered by copies of a prepared process."""
        return hasattr(os, "fork") and not dataset.on_disk(self.kb)

    @property
    def reading(self) -> int | None:
        """Tells apart the readings of the knowledge base that answers are from; None where each reads it anew."""
        return self._readings if self.copies else None

    def start(self) -> None:
        """Start the process that is prepared; otherwise the first inquiry does."""
        if self.copies:
            with self._lock:
                self._started()

    def close(self) -> None:
        """End every process, and the queries that they answer."""
        for end in list(self._ends):
            end()
        with self._lock:
            self._end()

    def ask(self, asked: Inquiry, started: Callable[[Callable[[], None]], None] = lambda cancel: None) -> RawResult:
        """Answer an inquiry.

        Args:
            started: called when its turn has come, with what ends it before its time. Then a QueryError is raised here.

        Raises:
            Busy: as many run as may, and none ended within the patience.
            QueryError: it is refused, fails, is ended, or takes too long or too much memory.
        """
        with self._turn(asked):
            if not self.copies:
                with self._ended_at_the_end(started) as begun:
                    # Each reads the files anew.
                    return run(replace(asked, held=self.kb.held), self.timeout, started=begun)
            reads = order(asked)
            try:
                return self._ask_copy(asked, reads, started)
            finally:
                if len(self._waiting) + self._answering < self.size:
                    threading.Thread(target=self._replace, args=(reads,), daemon=True).start()

    @contextmanager
    def _ended_at_the_end(self, started: Callable[[Callable[[], None]], None]) -> Iterator[Callable[..., None]]:
        """While a query runs in a process of its own, which ends with this pool: what takes that which ends it."""
        known: list[Callable[[], None]] = []

        def begun(end: Callable[[], None]) -> None:
            known.append(end)
            self._ends.add(end)
            started(end)

        try:
            yield begun
        finally:
            self._ends.difference_update(known)

    @contextmanager
    def _turn(self, asked: Inquiry) -> Iterator[None]:
        """A place, and one of those for queries of a reader's own where it is one.

        Raises:
            Busy: there is none within the patience.
        """
        until = time.monotonic() + self.patience
        with ExitStack() as held:
            for places in (self._places,) if asked.question else (self._own, self._places):
                if not places.acquire(timeout=max(0, until - time.monotonic())):
                    raise Busy("as many queries run as may")
                held.callback(places.release)
            yield

    # ------------------------------------------------------------------ copies

    def _ask_copy(self, asked: Inquiry, reads: bytes, started: Callable[[Callable[[], None]], None]) -> RawResult:
        query = _Query(self)
        started(query.cancel)
        written = None
        # A copy that says nothing was ended by something else while it waited; so may all be that wait.
        for _ in range(self.size + 1):
            written = self._written(asked, reads, query)
            if written is not None or query.cancelled:
                break
        if not written:
            raise broken()
        found = read_answer(written)
        assert found is not None
        return found

    def _written(self, asked: Inquiry, reads: bytes, query: _Query) -> bytes | None:
        """What one copy answers to an inquiry, "" where it broke; None where it never read it.

        Raises:
            QueryError: it takes too long, or is too much.
            KbError: no copy can be made.
        """
        with self._lock:
            # The one that was made or used last knows most.
            copy = self._waiting.pop() if self._waiting else self._made(reads)
            self._answering += 1
        kept = False
        try:
            query.runs_in(copy)
            with suppress(BrokenPipeError):
                rest = memoryview(pickle.dumps(asked))
                while rest:
                    rest = rest[os.write(copy.giving, rest) :]
            reading = _Reading(copy.answered, self.timeout, self.max_size)
            if reading.take(len(BEGUN)) != BEGUN:
                return None
            length = int.from_bytes(reading.take(LENGTH))
            written = reading.take(length)
            # It reads the next ready question; after any other query it ends.
            kept = bool(asked.question and length and len(written) == length and not query.cancelled)
            return written
        except QueryError:
            self._cancel(copy)
            raise
        finally:
            with self._lock:
                self._answering -= 1
                if kept and self._control is not None:
                    self._waiting.append(copy)
                else:
                    copy.forget()

    def _replace(self, reads: bytes) -> None:
        """Make copies until there are as many as may be."""
        with self._lock, suppress(KbError):
            while self._control is not None and len(self._waiting) + self._answering < self.size:
                self._waiting.append(self._made(reads))

    def _made(self, reads: bytes) -> _Copy:
        given, giving = os.pipe()
        answered, answering = os.pipe()
        copy = _Copy(0, giving, answered)
        try:
            return replace(copy, process=self._order(reads, given, answering))
        except KbError:
            copy.forget()
            raise
        finally:
            os.close(given)
            os.close(answering)

    def _cancel(self, copy: _Copy) -> None:
        with self._lock, suppress(KbError):
            self._order(b'{"end": %d}' % copy.process)

    # ------------------------------------------------------------------ the prepared process

    def _order(self, content: bytes, *files: int) -> int:
        """What the prepared process replies to an order.

        Raises:
            KbError: it ends each time.
        """
        for _ in range(2):
            control = self._started()
            with suppress(OSError):
                socket.send_fds(control, [content], files)
                reply = control.recv(8, socket.MSG_WAITALL)
                if len(reply) == 8:
                    return int.from_bytes(reply)
            if self._end() == CHANGED:
                raise Changed("the knowledge base changed since the server started", hint="start it again")
        raise KbError(
            "the process that answers queries does not start", hint="kb check says whether the knowledge base is sound"
        )

    def _started(self) -> socket.socket:
        if self._control is None:
            self._readings += 1
            told = (self.kb.root, self.size, self.timeout, self.max_size, self.kb.held)
            self._control, its = socket.socketpair()
            with its:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _CODE, *map(str, (its.fileno(), *told)), *sys.path],
                    stdin=subprocess.DEVNULL,
                    # What it would say could quote a query.
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[its.fileno()],
                )
        return self._control

    def _end(self) -> int | None:
        """End the process and all copies; the code with which it ended, where there was one."""
        code = None
        if self._control is not None and self._process is not None:
            self._control.close()
            try:
                code = self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._control = self._process = None
        while self._waiting:
            self._waiting.pop().forget()
        return code
