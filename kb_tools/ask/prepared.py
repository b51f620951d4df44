"""A process that holds a knowledge base ready, and answers each query in a copy of itself.

The copy is made by fork, which takes milliseconds: graphs, views and parsers are in its memory from the start. It gives
up files, network and most memory, waits for one inquiry, answers it and ends, so nothing of a query outlives it. The
process itself never reads a query.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import re
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import pyoxigraph as ox

from kb_tools.ask import answer as query_answer
from kb_tools.ask import confine, dataset
from kb_tools.ask.execute import execute_on
from kb_tools.ask.library import questions
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.resolve import resolve
from kb_tools.ask.worker import RECURSION, told
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository

# The longest order that is given to the process, in bytes.
MAX_ORDER = 4096
# Written by a copy once it has read an inquiry, before the length of its answer, in so many bytes, and the answer.
BEGUN, LENGTH = b"\n", 8
# The code with which the process ends where the files are not those that it is to answer from.
CHANGED = 3
# The most ready questions that one copy answers.
MOST = 500
# Of the thread that runs a query, in bytes: as much as that of a process on Linux.
STACK = 8 * 1024**2
# Default graphs that are kept laid down; a query that reads another one waits until it is.
KEPT_VIEWS = 8
_REVISION = re.compile(r"(?:[\w.-]+/)?\d{4}-\d{2}")
# Asked before all others, so that what a query takes is loaded while files can still be opened.
_FIRST = (
    "SELECT ?x { ?x a pol:Code } LIMIT 1",
    "ASK { <urn:x:none> ?p ?o }",
    "CONSTRUCT { ?x a pol:Code } WHERE { ?x a pol:Code } LIMIT 1",
    "DESCRIBE <CP.MP.101>",
    "INSERT DATA { <urn:x:a> <urn:x:b> 1 }",
)


def order(asked: Inquiry) -> bytes:
    """The order to make a copy for an inquiry: what it reads, and nothing else of it."""
    ready = asked.ready
    union = asked.union or (ready is not None and ready.scope == "all")
    revision = asked.revision or (asked.parameters.get("revision") if ready and ready.revision else None)
    chosen: dict[str, Any] = {"policy": asked.policy, "revision": revision, "union": union}
    if not revision and not union:
        chosen["as_of"] = (asked.as_of or date.today()).isoformat()
    written = json.dumps(chosen).encode()
    plain = revision is None or _REVISION.fullmatch(revision)
    # What the process is not told the copy does by itself.
    return written if plain and len(written) <= MAX_ORDER else b"{}"


class Prepared:
    """A knowledge base, opened to be asked.

    Args:
        size: the most copies at once.
        timeout: seconds after which a copy ends, whatever it does.
        max_size: of an answer, in bytes.
    """

    def __init__(self, kb: Repository, size: int, timeout: float, max_size: int) -> None:
        self.kb = kb
        self.size = size
        self.timeout = timeout
        self.max_size = max_size
        self._copies: set[int] = set()
        self._views: dict[tuple[str, ...] | None, ox.Store] = {}
        for text in _FIRST:
            self._try(Inquiry(text=text))
        for question in questions():
            with suppress(KbError):
                resolve(kb, Inquiry(question=question.name))
        self._view(None)
        self._usual = Inquiry(question="codes")
        self._try(self._usual)

    def serve(self, control: socket.socket) -> None:
        """Obey orders until there are no more: make a copy (its answer goes to a file), or end one."""
        try:
            while True:
                message, files, _, _ = socket.recv_fds(control, MAX_ORDER, 2)
                if not message:
                    return
                content = json.loads(message)
                done = self._end(content["end"]) if "end" in content else self._copy(content, control, *files)
                control.sendall(done.to_bytes(8))
        finally:
            for copy in list(self._copies):
                self._end(copy)

    # ------------------------------------------------------------------ copies

    def _copy(self, content: dict[str, Any], control: socket.socket, reading: int, writing: int) -> int:
        """Make a copy, and give its process id."""
        self._lay_down(content)
        while len(self._copies) >= self.size:
            self._gone(os.waitpid(-1, 0)[0])
        prepared = os.getpid()
        copy = os.fork()
        if not copy:
            try:
                control.close()
                confine.end_with_parent(prepared)
                self._serve_one(reading, writing)
            finally:
                # Whatever happens: nothing of what the process itself has to do is done here.
                os._exit(0)
        os.close(reading)
        os.close(writing)
        self._copies.add(copy)
        return copy

    def _end(self, copy: int) -> int:
        """End a copy, unless it has ended."""
        if copy in self._copies:
            os.kill(copy, signal.SIGKILL)
            os.waitpid(copy, 0)
            self._gone(copy)
        return 0

    def _gone(self, copy: int) -> None:
        self._copies.discard(copy)

    def _serve_one(self, reading: int, writing: int) -> None:
        """In the copy: give up what a query must not have, then read the inquiry, answer it, and end.

        A copy whose inquiries are ready questions reads the next one: their text is ours, so nothing of them is left
        that could alter another answer.
        """
        confine.open_no_file()
        confine.limit_memory()
        # What a copy shares with the process is copied when it is first touched: that is done ahead, too.
        self._try(self._usual)
        threading.stack_size(STACK)
        with open(reading, "rb") as given, open(writing, "wb") as answers:
            for _ in range(MOST):
                asked = pickle.load(given)
                answers.write(BEGUN)
                answers.flush()
                confine.end_after(self.timeout + 1)
                # What Oxigraph draws by chance for RAND and UUID it draws anew in each thread, else as other copies do.
                answering = threading.Thread(target=self._answer_to, args=(asked, answers))
                answering.start()
                answering.join()
                if not asked.question:
                    break
                confine.end_after(0)

    def _answer_to(self, asked: Inquiry, answers: BinaryIO) -> None:
        body = query_answer.write(told(lambda: self.answer(asked)))
        answers.write(len(body).to_bytes(LENGTH) + body)
        answers.flush()

    # ------------------------------------------------------------------ answers

    def answer(self, asked: Inquiry) -> RawResult:
        """Answer an inquiry in this process.

        Raises:
            KbError: it is refused or fails.
        """
        request = resolve(self.kb, asked)
        return execute_on(self._view(request.graphs), request, self.max_size)

    def _try(self, asked: Inquiry) -> None:
        """Answer an inquiry for what doing so leaves loaded; what is wrong is said to those who ask."""
        with suppress(KbError):
            query_answer.write(self.answer(asked))

    def _lay_down(self, content: dict[str, Any]) -> None:
        """Have the default graph ready that a copy is going to read."""
        if day := content.pop("as_of", None):
            content["as_of"] = date.fromisoformat(day)
        # What is wrong with it the copy says.
        with suppress(KbError):
            self._view(resolve(self.kb, Inquiry(text="ASK {}", **content)).graphs)

    def _view(self, graphs: Sequence[str] | None) -> ox.Store:
        key = None if graphs is None else tuple(graphs)
        view = self._views.pop(key) if key in self._views else dataset.open_view(self.kb, key)
        # The views stand in the order of their last use.
        self._views[key] = view
        if len(self._views) > KEPT_VIEWS:
            del self._views[next(iter(self._views))]
        return view


def main() -> None:
    """The process: started with the socket of its orders, the folder, the limits of a copy, and the files' digest."""
    number, root, size, timeout, max_size, held = sys.argv[1:7]
    control = socket.socket(fileno=int(number))
    # Whoever asked this process ends it, by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setrecursionlimit(RECURSION)
    confine.connect_nowhere()
    kb = Repository(Path(root))
    if held:
        try:
            kb.hold(held)
        except KbError:
            sys.exit(CHANGED)
    prepared = Prepared(kb, int(size), float(timeout), int(max_size))
    # What a copy does not touch it shares with this process.
    gc.collect()
    gc.freeze()
    prepared.serve(control)
