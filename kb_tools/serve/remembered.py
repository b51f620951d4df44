"""Answers to ready questions, remembered for whoever asks the same again.

What is remembered is held in memory, is bounded, and is forgotten when the knowledge base is read anew. It holds no
text of a request: neither of a query of a reader's own, nor a parameter that can be any text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import blake2b

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kb_tools.ask.library import Parameter, Question
from kb_tools.ask.pool import Pool
from kb_tools.memory import Memory

# At most twice as many answers, none of more bytes.
ROOM, MAX_SIZE = 128, 64 * 1024
_Header = tuple[bytes, bytes]


class Remembered:
    """Gives an answer that is remembered, and else asks the application.

    Args:
        pool: what the answers are from.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._answers: Memory[bytes, tuple[list[_Header], bytes]] = Memory(ROOM)

    def before(self, app: ASGIApp) -> ASGIApp:
        """The application, asked only where nothing is remembered."""

        async def remembering(scope: Scope, receive: Receive, send: Send) -> None:
            found = self._found(scope)
            if found is None:
                await app(scope, receive, send)
                return
            headers, body = found
            # A copy, to which others add.
            await send({"type": "http.response.start", "status": 200, "headers": [*headers]})
            await send({"type": "http.response.body", "body": body})

        return remembering

    def keep(self, scope: Scope, reading: int | None, response: Response) -> None:
        """Remember the answer to a request.

        Args:
            reading: of the pool, before it was asked.
        """
        if reading is not None and reading == self.pool.reading and len(response.body) <= MAX_SIZE:
            self._answers.put(_key(scope, reading), (response.raw_headers, bytes(response.body)))

    def _found(self, scope: Scope) -> tuple[list[_Header], bytes] | None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/questions/"):
            return None
        reading = self.pool.reading
        return None if reading is None else self._answers.get(_key(scope, reading))


def lasting(question: Question, given: Iterable[str]) -> bool:
    """Whether an answer may be remembered, by the parameters that were given: each names something that is on file.

    Any other could hold what nobody should keep.
    """
    parameters: Mapping[str, Parameter] = {parameter.name: parameter for parameter in question.parameters}
    return all(_on_file(parameters[name]) for name in given)


def _on_file(parameter: Parameter) -> bool:
    named = parameter.type in ("iri", "class") and bool(parameter.kinds)
    return named or parameter.type in ("revision", "policy", "date", "integer")


def _key(scope: Scope, reading: int) -> bytes:
    """What tells requests apart whose answers can differ; their text cannot be had from it."""
    accept = [value for name, value in scope["headers"] if name == b"accept"]
    # What is in force depends on the day.
    asked = (scope["path"], scope["query_string"], accept, date.today().toordinal(), reading)
    return blake2b(repr(asked).encode(), digest_size=32).digest()
