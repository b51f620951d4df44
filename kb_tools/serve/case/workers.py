"""A few processes that read and determine cases, so that no case keeps a reader of the pages waiting for long.

Each is ended when a case takes too long. What is asked and answered goes through pipes alone (`messages`).
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import LifoQueue
from threading import BoundedSemaphore, Condition, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from kb_tools.ask.answer import error_as_json, error_of_json
from kb_tools.errors import Busy, KbError, KnowledgeBaseError
from kb_tools.serve.case.messages import Message, receive, send

if TYPE_CHECKING:
    from kb_tools.serve.case.desk import Desk

# Takes what ends an operation before its time.
Started: TypeAlias = Callable[[Callable[[], None]], None]
# Longest time that a case may take, in seconds, without the start of a process.
SECONDS = 20.0
# How often it is looked which processes take too long, in seconds.
_EVERY = 0.2
# Bytes that are read from a process at once: most answers, so that its thread waits for no other in between.
_BUFFER = 64 * 1024
# How many cases may wait for each process.
WAITING = 4


class Workers:
    """Processes that are asked one thing at a time; each starts when it is first needed.

    Args:
        root: the folder of the knowledge base.
        number: of processes; by default two, if the machine has as many processors.
        held: the digest of the files that each must answer from; "" for any.
        records: the folder of the records of what is determined; None for no records.
        keep_cases: whether the cases are kept there.
        skipped: the policies that are left out.

    Attributes:
        number: of processes.
        warm_ones: how many processes were started ahead, and are warm.
        seconds: after which a process that does not answer is ended.
    """

    def __init__(
        self,
        root: Path,
        number: int = 0,
        held: str = "",
        records: Path | None = None,
        keep_cases: bool = False,
        skipped: Iterable[str] = (),
    ) -> None:
        self.seconds = SECONDS
        self.warm_ones = 0
        self.number = number = number or min(2, os.cpu_count() or 1)
        # The one that was asked last has most in its memory.
        self._free: LifoQueue[_Worker] = LifoQueue()
        begun_with = [str(root), held, str(records or ""), "keep" if keep_cases else "", ",".join(skipped)]
        self._workers = [_Worker(begun_with) for _ in range(number)]
        for worker in self._workers:
            self._free.put(worker)
        self._room = BoundedSemaphore(number * (1 + WAITING))

    def start(self, operation: str, *arguments: Any) -> None:
        """Starts all processes, beside whatever else is done, and lets each do something of what it will be asked."""
        for worker in [self._free.get() for _ in range(self.number)]:
            Thread(target=self._warm, args=(worker, Message([operation, arguments])), daemon=True).start()

    def _warm(self, worker: _Worker, asked: Message) -> None:
        with suppress(KbError):
            worker.ask(asked, self.seconds)
            self.warm_ones += 1
        self._free.put(worker)

    @property
    def ready(self) -> bool:
        """Whether all have started, and done what they were given at the start."""
        return self.warm_ones == self.number

    def close(self) -> None:
        """Ends all processes that do nothing; the others end with what they do."""
        for worker in self._workers:
            worker.close()

    def ask(self, operation: str, *arguments: Any) -> Any:
        """What an operation of kb_tools.serve.case.desk gives for JSON values."""
        return self.exchange(operation, *arguments).content

    def exchange(
        self, operation: str, *arguments: Any, body: bytes | None = None, started: Started = lambda end: None
    ) -> Message:
        """The same for an operation that takes bytes, as its last argument, or gives some.

        Args:
            started: called with what ends the operation before its time; then a KbError is raised here.

        Raises:
            Busy: as many wait as may.
            KbError: the operation raised it; or it took too long, was ended, or broke off.
        """
        if not self._room.acquire(blocking=False):
            raise Busy("too many cases at once", seconds=2)
        try:
            worker = self._free.get()
            try:
                return worker.ask(Message([operation, arguments], body), self.seconds, started)
            finally:
                self._free.put(worker)
        finally:
            self._room.release()


class Clock:
    """Ends processes that take too long. One thread looks after all: to start one for each case would take time."""

    def __init__(self) -> None:
        self._until: dict[subprocess.Popen[bytes], float] = {}
        self._changed = Condition()
        # Whether the thread waits for something to look after, or there is none.
        self._idle = True
        self._started = False

    def begin(self, process: subprocess.Popen[bytes], seconds: float) -> float:
        """End a process after so many seconds; gives when that is."""
        with self._changed:
            self._until[process] = until = time.monotonic() + seconds
            if not self._started:
                self._started = True
                Thread(target=self._look, daemon=True).start()
            elif self._idle:
                self._changed.notify()
        return until

    def cut(self, process: subprocess.Popen[bytes], until: float) -> None:
        """End a process now, if it is still at work on what it has until then, and on nothing else."""
        with self._changed:
            if self._until.get(process) == until:
                process.kill()

    def end(self, process: subprocess.Popen[bytes]) -> bool:
        """Leave a process alone; whether its time is over."""
        with self._changed:
            return time.monotonic() > self._until.pop(process)

    def _look(self) -> None:
        with self._changed:
            while True:
                self._idle = not self._until
                self._changed.wait(None if self._idle else _EVERY)
                now = time.monotonic()
                for process, until in self._until.items():
                    if now > until:
                        process.kill()


_CLOCK = Clock()


class _Worker:
    """One process, which starts when it is asked and has none."""

    def __init__(self, begun_with: Sequence[str]) -> None:
        self.begun_with = begun_with
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def close(self) -> None:
        self._closed = True
        if self._process is not None:
            self._process = None
            self._end()

    def ask(self, asked: Message, seconds: float, started: Started = lambda end: None) -> Message:
        if self._closed:
            raise KbError("no case is read any more", hint="start again")
        process = self._process
        if process is None or process.poll() is not None:
            process = self._start()
        until = _CLOCK.begin(process, seconds)
        try:
            started(partial(_CLOCK.cut, process, until))
            found = _exchange(process, asked)
        finally:
            late = _CLOCK.end(process)
        if late or found is None:
            self._process = None
            self._end()
            what = f"this took more than {seconds:g} s" if late else "this is too large or too deep to be read"
            raise KbError(what, hint="send less, or use kb validate")
        if "error" in found.content:
            raise error_of_json(found.content)
        return Message(found.content["answer"], found.body, found.records)

    def _start(self) -> subprocess.Popen[bytes]:
        # Not multiprocessing, which would run the main module again, whatever program that is. What the process says
        # on its standard error could quote a case: nobody hears it.
        code = "import sys; sys.path[:] = sys.argv[6:]; "
        code += "from kb_tools.serve.case.workers import serve; serve(*sys.argv[1:6])"
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, *self.begun_with, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=_BUFFER,
        )
        self._end = weakref.finalize(self, _end, process)
        # Its start is no part of the time that a case may take.
        begun = _exchange(process, None)
        if self._closed:
            self.close()
        if begun and begun.content:
            self._process = None
            self._end()
            raise error_of_json(begun.content)
        return process


def _exchange(process: subprocess.Popen[bytes], asked: Message | None) -> Message | None:
    """Asks a process something, and gives what it answers; None where it has ended."""
    assert process.stdin and process.stdout
    # A ValueError where its pipes were closed meanwhile, since it was ended for good.
    with suppress(OSError, ValueError):
        if asked:
            send(process.stdin, asked)
        return receive(process.stdout)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(OSError):
        process.communicate()


# ---------------------------------------------------------------------- in the process


def serve(root: str, held: str, records: str = "", kept: str = "", skipped: str = "") -> None:
    """The process: answers each message on standard input with one, until there are no more.

    Args:
        skipped: the policies that are left out, with commas between them.

    It begins with what is wrong with the knowledge base, if anything is, and then ends.
    """
    from kb_tools.ask import confine
    from kb_tools.model.repository import Repository
    from kb_tools.records.folder import RecordFolder
    from kb_tools.records.recorder import RecordMaker
    from kb_tools.serve.case.desk import Desk, operations
    from kb_tools.serve.case.lines import LineDesk
    from kb_tools.serve.fhir import work
    from kb_tools.serve.hooks.answering import Hooks

    confine.connect_nowhere()
    confine.limit_memory()
    # Nothing but answers goes to standard output.
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    kb = Repository(Path(root))
    try:
        if held:
            kb.hold(held)
        for identifier in filter(None, skipped.split(",")):
            kb.skip(identifier, KnowledgeBaseError("the policy cannot be read", hint="run kb check"))
        desk = Desk(kb, RecordMaker(kb, RecordFolder(Path(records)), bool(kept)) if records else None)
    except KbError as error:
        send(out, Message(error_as_json(error)))
        return
    lines = LineDesk(desk)
    known: dict[str, Callable[..., Any]] = {
        **operations(desk),
        "rows": lines.rows,
        "full": lines.full,
        **work.operations(desk),
        "hook": Hooks(desk).answer,
    }
    send(out, Message(None))
    with suppress(KeyboardInterrupt):
        frozen = False
        while asked := receive(sys.stdin.buffer):
            send(out, _answer(desk, known, asked))
            if not frozen:
                # What was loaded for the first stays: it need not be looked through for garbage again and again.
                gc.collect()
                gc.freeze()
                frozen = True


def _answer(desk: Desk, known: Mapping[str, Callable[..., Any]], asked: Message) -> Message:
    operation, arguments = asked.content
    desk.records = []
    given = arguments if asked.body is None else [*arguments, asked.body]
    try:
        found = known[operation](*given)
    except KbError as error:
        return Message(error_as_json(error))
    except Exception as error:
        # Its text may quote a case.
        what = f"unexpected {type(error).__name__}"
        return Message(error_as_json(KbError(what, hint="kb validate says more")))
    answer = found if isinstance(found, Message) else Message(found)
    return Message({"answer": answer.content}, answer.body, desk.records)
