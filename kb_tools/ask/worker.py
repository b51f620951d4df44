"""Runs a request in a confined process of its own, which is ended in time."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import TypeVar

from kb_tools.ask import answer as query_answer
from kb_tools.ask import confine
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.sparql import QueryError, check
from kb_tools.errors import KbError

T = TypeVar("T")
# rdflib's parser takes some 20 calls for one level of nesting.
RECURSION = 5000
# Not multiprocessing, which would run the main module again, whatever program that is.
_CODE = "import sys; sys.path[:] = sys.argv[1:]; from kb_tools.ask.worker import serve; serve()"


class _Query:
    """A query that a process answers, which can be ended."""

    def __init__(self) -> None:
        self._cancelled = False
        self._process: subprocess.Popen[bytes] | None = None

    def runs_in(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self._cancelled:
            process.kill()

    def cancel(self) -> None:
        self._cancelled = True
        if self._process:
            self._process.kill()


def run(
    asked: Inquiry,
    timeout: float,
    loading: Callable[[], None] = lambda: None,
    started: Callable[[Callable[[], None]], None] = lambda cancel: None,
) -> RawResult:
    """Runs a query in a process of its own.

    Args:
        timeout: seconds after which the process is ended.
        loading: called when graphs that are many are first loaded, which may take minutes and does not count.
        started: called with what ends the query before its time. Then a QueryError is raised here; graphs that are
            being loaded are loaded nevertheless, for those who ask next.

    Raises:
        QueryError: it is refused, fails, is ended, takes too long or too much memory.
    """
    query = _Query()
    started(query.cancel)
    with tempfile.TemporaryDirectory(prefix="kb-", ignore_cleanup_errors=True) as scratch:
        answer = _worker(asked, timeout, scratch, query)
        if answer is None:
            loading()
            _worker(asked, None, scratch)
            answer = _worker(asked, timeout, scratch, query)
    assert answer is not None
    return answer


def _worker(asked: Inquiry, timeout: float | None, scratch: str, query: _Query | None = None) -> RawResult | None:
    """What the process answers; None where the graphs are yet to be loaded, and without a timeout loads them."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": scratch, "TEMP": scratch},
    ) as process:
        try:
            if query:
                query.runs_in(process)
            written, said = process.communicate(pickle.dumps((asked, timeout, os.getpid())), timeout)
        except subprocess.TimeoutExpired:
            raise QueryError(f"the query took more than {timeout:g} s", hint="narrow it, or raise --timeout") from None
        finally:
            process.kill()
    if process.returncode > 0:
        message = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise QueryError(f"the query failed: {message}", hint="simplify it", unquoted="the query failed")
    if process.returncode:
        raise broken()
    return read_answer(written)


def serve() -> None:
    """The process that runs one query: reads what is asked from standard input, and writes the answer."""
    asked, timeout, parent = pickle.load(sys.stdin.buffer)
    confine.end_with_parent(parent)
    sys.setrecursionlimit(RECURSION)
    confine.connect_nowhere()
    if timeout is not None:
        # Where a process does not end with the one that asked, it ends a little after that would have ended it.
        confine.end_after(timeout + 1)
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    out.write(query_answer.write(told(lambda: _answer(asked, loading=timeout is None))))
    out.flush()
    # A store on disk has things to tidy up, for which it would open files.
    os._exit(0)


def told(answer: Callable[[], T]) -> T | KbError:
    """What a function gives, or the error to tell a user."""
    try:
        return answer()
    except KbError as error:
        return error
    except (MemoryError, RecursionError):
        return QueryError("the query is too large or nested too deeply", hint="simplify it")
    except Exception as error:  # whatever it is, the user gets one line
        return QueryError(f"the query failed: {error}", hint="correct it", unquoted="the query failed")


def broken() -> QueryError:
    """That a process ended without an answer."""
    return QueryError("the query ran out of memory, or is nested too deeply", hint="narrow it")


def read_answer(written: bytes) -> RawResult | None:
    """The answer that a process wrote.

    Raises:
        KbError: the process answered with an error, or with nothing that can be read.
    """
    try:
        found = query_answer.read(written, RawResult)
    except (ValueError, TypeError):
        raise QueryError("the query failed: its answer cannot be read", hint="simplify it") from None
    if isinstance(found, KbError):
        raise found
    return found


def _answer(asked: Inquiry, loading: bool) -> RawResult | None:
    """The answer; None where the graphs are yet to be loaded, which is done when `loading`."""
    # Here alone, since the process that asks reads no graph.
    from kb_tools.ask import dataset
    from kb_tools.ask.execute import execute
    from kb_tools.ask.resolve import resolve
    from kb_tools.model.repository import Repository, find_root

    kb = Repository(find_root(asked.root))
    if asked.held:
        kb.hold(asked.held)
    if not loading and not dataset.loaded(kb):
        # What is refused is refused before the long wait.
        check(asked.ready.text if asked.ready else asked.text)
        return None
    request = resolve(kb, asked)
    views = [] if request.closed else [request.graphs]
    if loading:
        dataset.load(kb, views)
        return None
    return execute(request, confined=True) if dataset.loaded(kb, views) else None
