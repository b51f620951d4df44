"""A few processes that read and determine cases, so that no case keeps a reader of the pages waiting for long.

Each is ended when a case takes too long. What is asked and answered goes through pipes alone (`messages`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import LifoQueue
from threading import BoundedSemaphore, Event, Timer
from typing import Any

from kb_tools.errors import Busy, KbError
from kb_tools.serve.case.messages import Message, receive, send

# Longest time that a case may take, in seconds, without the start of a process.
SECONDS = 20.0
# How many cases may wait for each process.
WAITING = 4


class Workers:
    """Processes that are asked one thing at a time; each starts when it is first needed.

    Args:
        root: the folder of the knowledge base.
        number: of processes; by default two, if the machine has as many processors.

    Attributes:
        number: of processes.
        seconds: after which a process that does not answer is ended.
    """

    def __init__(self, root: Path, number: int = 0) -> None:
        self.seconds = SECONDS
        self._warm = False
        self.number = number = number or min(2, os.cpu_count() or 1)
        # The one that was asked last has most in its memory.
        self._free: LifoQueue[_Worker] = LifoQueue()
        for _ in range(number):
            self._free.put(_Worker(root))
        self._room = BoundedSemaphore(number * (1 + WAITING))

    def warm(self, operation: str, *arguments: Any) -> None:
        """Starts a process if none has started yet, and lets it do something of the kind that it will be asked."""
        if not self._warm:
            self._warm = True
            with suppress(KbError):
                self.ask(operation, *arguments)

    def ask(self, operation: str, *arguments: Any) -> Any:
        """What an operation of kb_tools.serve.case.desk gives for JSON values."""
        return self.exchange(operation, *arguments).content

    def exchange(self, operation: str, *arguments: Any, body: bytes | None = None) -> Message:
        """The same for an operation that takes bytes, as its last argument, or gives some.

        Raises:
            Busy: as many wait as may.
            KbError: the operation raised it; or it took too long, or broke off.
        """
        if not self._room.acquire(blocking=False):
            raise Busy("too many cases at once", seconds=2)
        try:
            worker = self._free.get()
            try:
                return worker.ask(Message([operation, arguments], body), self.seconds)
            finally:
                self._free.put(worker)
        finally:
            self._room.release()


class _Worker:
    """One process, which starts when it is asked and has none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, asked: Message, seconds: float) -> Message:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._start()
        late = Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = Timer(seconds, end)
        timer.daemon = True
        timer.start()
        found = _exchange(process, asked)
        timer.cancel()
        timer.join()
        if late.is_set() or found is None:
            self._process = None
            self._end()
            what = f"this took more than {seconds:g} s" if late.is_set() else "this is too large or too deep to be read"
            raise KbError(what, hint="send less, or use kb validate")
        if "error" in found.content:
            raise KbError(found.content["error"])
        return Message(found.content["answer"], found.body)

    def _start(self) -> subprocess.Popen[bytes]:
        # Not multiprocessing, which would run the main module again, whatever program that is. What the process says
        # on its standard error could quote a case: nobody hears it.
        code = "import sys; sys.path[:] = sys.argv[2:]; "
        code += "from kb_tools.serve.case.workers import serve; serve(sys.argv[1])"
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, str(self.root), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._end = weakref.finalize(self, _end, process)
        # Its start is no part of the time that a case may take.
        _exchange(process, None)
        return process


def _exchange(process: subprocess.Popen[bytes], asked: Message | None) -> Message | None:
    """Asks a process something, and gives what it answers; None where it has ended."""
    assert process.stdin and process.stdout
    with suppress(OSError):
        if asked:
            send(process.stdin, asked)
        return receive(process.stdout)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(OSError):
        process.communicate()


# ---------------------------------------------------------------------- in the process


def serve(root: str) -> None:
    """The process: answers each message on standard input with one, until there are no more."""
    from kb_tools.ask import confine
    from kb_tools.model.repository import Repository
    from kb_tools.serve.case.desk import Desk, operations
    from kb_tools.serve.hooks.answering import Hooks

    confine.connect_nowhere()
    confine.limit_memory()
    # Nothing but answers goes to standard output.
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    desk = Desk(Repository(Path(root)))
    known = {**operations(desk), "hook": Hooks(desk).answer}
    send(out, Message(None))
    with suppress(KeyboardInterrupt):
        while asked := receive(sys.stdin.buffer):
            send(out, _answer(known, asked))


def _answer(known: Mapping[str, Callable[..., Any]], asked: Message) -> Message:
    operation, arguments = asked.content
    given = arguments if asked.body is None else [*arguments, asked.body]
    try:
        found = known[operation](*given)
    except KbError as error:
        return Message({"error": str(error)})
    except Exception as error:
        # Its text may quote a case.
        return Message({"error": f"unexpected {type(error).__name__}; kb validate says more"})
    answer = found if isinstance(found, Message) else Message(found)
    return Message({"answer": answer.content}, answer.body)
