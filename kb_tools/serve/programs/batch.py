"""Very many cases in one request: lines in, lines out, as they come, with few held in memory.

Lines go to the processes that determine in chunks, a few at once, and their answers come in the order of the lines. No
more is read than can be answered: whoever sends and does not read waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

from anyio import create_task_group
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kb_tools.as_json import compact
from kb_tools.errors import Busy, KbError, Unrecorded
from kb_tools.serve.case.desk import Chosen
from kb_tools.serve.determining import Determining
from kb_tools.serve.happened import Happened, happened
from kb_tools.serve.refusals import refusal

LINES = "application/x-ndjson"
# What a line is answered with: all that kb validate says, or what kb run writes of a case.
ROWS = ("full", "compact")
# The longest line, in bytes; and the most lines of one request.
MAX_LINE, MAX_LINES = 4 * 1024 * 1024, 100_000
# Lines that go to a process together, and from how many bytes on fewer do.
_TOGETHER = {"full": 20, "compact": 500}
_OPERATIONS = {"full": "full", "compact": "rows"}
_MAX_CHUNK = 1024 * 1024
# How many requests of lines are answered at once, and how many chunks of each are determined at once.
AT_ONCE, _CHUNKS = 2, 2
# Seconds after which it is given up that a line comes, or that an answer is taken; and for which a request may last.
IDLE, LASTING = 30.0, 600.0
# Seconds after which a process is asked again where all are busy.
_AGAIN = 0.02


# A line with its number; in place of one that is not determined stands why.
Line: TypeAlias = tuple[int, bytes | str]


class Cutter:
    """Cuts a body into lines as it comes; empty ones are nothing, and of one that is too long nothing is held."""

    def __init__(self) -> None:
        self.number = 0
        self._begun: list[bytes] = []
        self._size = 0

    def lines(self, data: bytes) -> Iterator[Line]:
        """The lines that end in the next bytes."""
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._take(part)
            yield from self.end()
        self._take(rest)

    def end(self) -> Iterator[Line]:
        """The line that ends here, if it is not empty."""
        self.number += 1
        line, size = b"".join(self._begun).strip(), self._size
        self._begun, self._size = [], 0
        if size > MAX_LINE:
            yield self.number, f"a line of more than {MAX_LINE // 2**20} MiB; send less, or use kb validate"
        elif line:
            yield self.number, line

    def _take(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_LINE:
            self._begun = []
        elif part:
            self._begun.append(part)


class Batches:
    """Answers requests of lines, a few at once."""

    def __init__(self, determining: Determining) -> None:
        self.determining = determining
        self.running = 0

    def answers(self, chosen: Chosen, rows: str) -> Response:
        """What answers a request.

        Args:
            rows: one of ROWS.

        Raises:
            Busy: as many are answered as may be.
        """
        if self.running >= AT_ONCE:
            raise Busy("too many requests of lines at once", seconds=10)
        return _Answers(self, chosen, rows)


class _Answers(Response):
    media_type = LINES

    def __init__(self, batches: Batches, chosen: Chosen, rows: str) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._batches = batches
        self._chosen = chosen
        self._rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._batches.running += 1
        try:
            # Whoever takes no answer for so long is given up: the connection ends without the end of the answer.
            with suppress(TimeoutError):
                await _taken(send({"type": "http.response.start", "status": 200, "headers": self.raw_headers}))
                body = b""
                try:
                    async with asyncio.timeout(LASTING):
                        if not await self._answered(scope, receive, send):
                            return
                except TimeoutError:
                    body = self._refused(None, f"this took more than {LASTING:g} s; send fewer lines") + b"\n"
                await _taken(send({"type": "http.response.body", "body": body}))
        finally:
            self._batches.running -= 1

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Sends the answers to all lines; whether the client stayed and took them."""
        waiting: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(_CHUNKS)
        begun: set[asyncio.Task[bytes]] = set()
        request, known = Request(scope, receive), happened(scope)
        done = False

        async def read() -> None:
            """Begins with chunks as they come; then waits for the client to go, who may do so at any time."""
            with suppress(ClientDisconnect):
                async for chunk in _chunks(request, _TOGETHER[self._rows]):
                    task = asyncio.create_task(self._determined(chunk, known))
                    begun.add(task)
                    await waiting.put(task)
                await waiting.put(None)
                while (await receive())["type"] != "http.disconnect":
                    pass
            group.cancel_scope.cancel()

        async def write() -> None:
            nonlocal done
            with suppress(TimeoutError):
                while task := await waiting.get():
                    body = await task
                    begun.discard(task)
                    await _taken(send({"type": "http.response.body", "body": body, "more_body": True}))
                done = True
            group.cancel_scope.cancel()

        try:
            async with create_task_group() as group:
                group.start_soon(read)
                group.start_soon(write)
        finally:
            for task in begun:
                task.cancel()
        return done

    async def _determined(self, chunk: Sequence[Line], known: Happened) -> bytes:
        """The answers to some lines, a line each."""
        whole = [(number, line) for number, line in chunk if isinstance(line, bytes)]
        known.add(["Unreadable"] * (len(chunk) - len(whole)), ())
        answers = iter(await self._asked(whole, known) if whole else ())
        found = (self._refused(number, line) if isinstance(line, str) else next(answers) for number, line in chunk)
        return b"".join(line + b"\n" for line in found)

    async def _asked(self, lines: Sequence[tuple[int, bytes]], known: Happened) -> list[bytes]:
        numbers, data = [number for number, _ in lines], b"\n".join(line for _, line in lines)
        while True:
            try:
                found = await self._batches.determining.exchange(
                    _OPERATIONS[self._rows], self._chosen, numbers, body=data
                )
            except Busy:
                await asyncio.sleep(_AGAIN)
            except Unrecorded as error:
                known.add(["NotDetermined"] * len(lines), ())
                return [self._refused(number, refusal(error).text, "NotDetermined") for number in numbers]
            except KbError as error:
                if len(lines) == 1:
                    known.add(["Unreadable"], ())
                    return [self._refused(numbers[0], refusal(error).text)]
                # One of them is to blame: each is asked about by itself.
                return [answer for line in lines for answer in await self._asked([line], known)]
            else:
                known.add(found.content["outcomes"], found.content["revisions"])
                assert found.body is not None
                return found.body.split(b"\n")

    def _refused(self, number: int | None, why: str, outcome: str = "Unreadable") -> bytes:
        """What is said of a line that is not determined, as of one that cannot be read."""
        if self._rows == "full":
            return compact({"line": number, "errors": [why]})
        return compact({"line": number, "outcome": outcome, "reasons": [why]})


async def _taken(sending: Awaitable[None]) -> None:
    """Waits until something is sent.

    Raises:
        TimeoutError: the client does not take it.
    """
    async with asyncio.timeout(IDLE):
        await sending


async def _chunks(request: Request, most: int) -> AsyncIterator[list[Line]]:
    """The lines of a body, in chunks of what came together.

    Raises:
        ClientDisconnect: the client went away.
    """
    count = 0
    chunk: list[Line] = []
    size = 0
    async for line in _lines(request):
        if line is not None:
            count += 1
            if count > MAX_LINES:
                yield [*chunk, (line[0], f"more than {MAX_LINES} lines; send the others in another request")]
                return
            chunk.append(line)
            size += len(line[1])
        if chunk and (line is None or len(chunk) >= most or size >= _MAX_CHUNK):
            yield chunk
            chunk, size = [], 0


async def _lines(request: Request) -> AsyncIterator[Line | None]:
    """The lines of a body, and after those that came together None.

    Raises:
        ClientDisconnect: the client went away.
    """
    cutter, parts = Cutter(), request.stream()
    while True:
        try:
            async with asyncio.timeout(IDLE):
                data = await anext(parts, None)
        except TimeoutError:
            yield cutter.number + 1, f"nothing came for {IDLE:g} s; send the rest in another request"
            data = None
        for line in cutter.end() if data is None else cutter.lines(data):
            yield line
        yield None
        if data is None:
            return
