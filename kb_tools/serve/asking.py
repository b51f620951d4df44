"""Asks the knowledge base on behalf of a reader: while the reader is there, and as one of a few at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

from kb_tools.ask.pool import Pool
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.errors import Busy, KbError
from kb_tools.serve.results import for_readers

# The most rows or triples of an answer, as of kb query.
MAX_ROWS = 10_000
# How many inquiries may wait for their turn, for each that runs.
_QUEUE = 4


class Asker:
    """Answers inquiries of requests.

    Args:
        max_rows: the most rows or triples of an answer.
    """

    def __init__(self, pool: Pool, max_rows: int) -> None:
        self.pool = pool
        self.max_rows = max_rows
        # A thread waits for each answer; none of those that write pages.
        self._threads = CapacityLimiter(pool.size * (1 + _QUEUE))

    async def ask(self, request: Request, asked: Inquiry) -> RawResult:
        """Answer an inquiry. The query is ended when the reader goes; the body of the request must have been read.

        Raises:
            Busy: there are more inquiries than can be answered soon.
            KbError: it is refused or fails.
        """
        if self._threads.available_tokens < 1:
            raise Busy("more queries wait than can be answered soon")
        reader = _Reader()
        watching = asyncio.create_task(reader.watch(request))
        try:
            inquiry = replace(asked, max_rows=self.max_rows)
            return await to_thread.run_sync(partial(self.pool.ask, inquiry, reader.started), limiter=self._threads)
        except KbError as error:
            raise for_readers(error) from None
        finally:
            watching.cancel()


class _Reader:
    """Who waits for the answer of a query, which is ended when they go."""

    def __init__(self) -> None:
        self._gone = False
        self._ends: list[Callable[[], None]] = []

    def started(self, end: Callable[[], None]) -> None:
        """Take what ends the query, in the thread that asks."""
        self._ends.append(end)
        if self._gone:
            end()

    async def watch(self, request: Request) -> None:
        # A body that nobody reads may be too large.
        with suppress(HTTPException):
            while (await request.receive())["type"] != "http.disconnect":
                pass
        self._gone = True
        for end in list(self._ends):
            await to_thread.run_sync(end)
