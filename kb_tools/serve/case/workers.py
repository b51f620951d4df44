"""A few processes that read and determine cases, so that no case keeps a reader of the pages waiting for long.

Each is ended when a case takes too long. What is asked and answered goes through pipes alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from queue import LifoQueue
from threading import BoundedSemaphore, Event, Timer
from typing import Any

from kb_tools.errors import Busy, KbError

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
        seconds: after which a process that does not answer is ended.
    """

    def __init__(self, root: Path, number: int = 0) -> None:
        self.seconds = SECONDS
        self._warm = False
        number = number or min(2, os.cpu_count() or 1)
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
        """What an operation of kb_tools.serve.case.desk gives for JSON values.

        Raises:
            Busy: as many wait as may.
            KbError: the operation raised it; or it took too long, or broke off.
        """
        if not self._room.acquire(blocking=False):
            raise Busy("too many cases at once", seconds=2)
        try:
            worker = self._free.get()
            try:
                return worker.ask(operation, arguments, self.seconds)
            finally:
                self._free.put(worker)
        finally:
            self._room.release()


class _Worker:
    """One process, which starts when it is asked and has none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, operation: str, arguments: tuple[Any, ...], seconds: float) -> Any:
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
        line = _exchange(process, json.dumps([operation, arguments]).encode() + b"\n")
        timer.cancel()
        timer.join()
        if late.is_set() or not line.endswith(b"\n"):
            self._process = None
            self._end()
            what = f"this took more than {seconds:g} s" if late.is_set() else "this is too large or too deep to be read"
            raise KbError(what, hint="send less, or use kb validate")
        found = json.loads(line)
        if "error" in found:
            raise KbError(found["error"])
        return found["answer"]

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
        _exchange(process, b"")
        return process


def _exchange(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Writes a line to a process, and gives the line with which it answers; b"" where it has ended."""
    assert process.stdin and process.stdout
    with suppress(OSError):
        process.stdin.write(line)
        process.stdin.flush()
        return process.stdout.readline()
    return b""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(OSError):
        process.communicate()


# ---------------------------------------------------------------------- in the process


def serve(root: str) -> None:
    """The process: answers each line of standard input with one, until there are no more."""
    from kb_tools.ask import confine
    from kb_tools.model.repository import Repository
    from kb_tools.serve.case.desk import Desk, operations

    confine.connect_nowhere()
    confine.limit_memory()
    # Nothing but answers goes to standard output.
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    known = operations(Desk(Repository(Path(root))))
    out.write(b"\n")
    out.flush()
    with suppress(KeyboardInterrupt):
        for line in sys.stdin.buffer:
            operation, arguments = json.loads(line)
            try:
                answer = {"answer": known[operation](*arguments)}
            except KbError as error:
                answer = {"error": str(error)}
            except Exception as error:
                # Its text may quote a case.
                answer = {"error": f"unexpected {type(error).__name__}; kb validate says more"}
            out.write(json.dumps(answer).encode() + b"\n")
            out.flush()
