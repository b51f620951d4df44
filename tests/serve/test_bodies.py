"""Bodies that are too large, or that nobody reads: whoever sends them hears the answer, over real connections."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import uvicorn

from kb_tools.ask.pool import Pool
from kb_tools.serve import bodies
from kb_tools.serve.app import application
from kb_tools.serve.bodies import MAX_BODY, ReadAway
from kb_tools.serve.server import configured
from kb_tools.serve.workbench import Workbench

LINE = "a body of more than 16 MiB; send less"
PART = b"x" * 2**20


@pytest.fixture(scope="module")
def port(bench: Workbench) -> Iterator[int]:
    """Where a workbench listens as `kb serve` does."""
    pool = Pool(bench.kb, 1)
    app = application(bench, pool=pool)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = configured(app)
        config.lifespan = "off"
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()
    pool.close()


def sent(port: int, head: str, parts: Iterator[bytes]) -> tuple[int, str]:
    """The status and the body of the answer to a request that is sent to its end before anything is read."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n")
        for part in parts:
            connection.sendall(part)
        answer = b""
        while more := connection.recv(2**16):
            answer += more
    start, _, body = answer.partition(b"\r\n\r\n")
    return int(start.split()[1]), body.decode()


def whole(size: int) -> Iterator[bytes]:
    yield from (PART for _ in range(size // len(PART)))
    yield PART[: size % len(PART)]


def chunks(size: int) -> Iterator[bytes]:
    for part in filter(None, whole(size)):
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


HEAD = "POST {path} HTTP/1.1\nHost: {host}\nConnection: close\nContent-Type: {type_}\n"
QUERY, FORM = "application/sparql-query", "application/x-www-form-urlencoded"


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize(("path", "type_"), [("/sparql", QUERY), ("/sparql", FORM), ("/query", FORM)])
def test_a_body_over_the_limit_is_always_413_with_one_line(port: int, path: str, type_: str, chunked: bool) -> None:
    size = MAX_BODY + 3 * 2**20
    head = HEAD.format(path=path, type_=type_, host="localhost")
    head += "Transfer-Encoding: chunked\n" if chunked else f"Content-Length: {size}\n"
    status, body = sent(port, head + "Accept: application/json\n", chunks(size) if chunked else whole(size))
    assert (status, LINE in body) == (413, True)


@pytest.mark.parametrize(
    ("path", "host", "type_", "status"),
    [
        ("/CP.MP.101", "localhost", QUERY, 405),
        ("/sparql", "localhost", "text/plain", 415),
        ("/try", "localhost", FORM, 413),
        ("/api/determine", "localhost", "text/turtle", 413),
        ("/sparql", "evil.example", QUERY, 421),
    ],
)
def test_whatever_else_is_answered_early_is_heard(port: int, path: str, host: str, type_: str, status: int) -> None:
    head = HEAD.format(path=path, host=host, type_=type_) + f"Content-Length: {MAX_BODY}\n"
    assert sent(port, head, whole(MAX_BODY))[0] == status


def test_a_body_up_to_the_limit_is_read(port: int) -> None:
    head = HEAD.format(path="/sparql", host="localhost", type_=QUERY) + f"Content-Length: {MAX_BODY}\n"
    status, body = sent(port, head, whole(MAX_BODY))
    assert (status, f"a query of {MAX_BODY} characters" in body) == (400, True)


@pytest.mark.parametrize(
    "headers",
    ["X-Long: " + "x" * 400_000, "\n".join(f"X-{number}: many" for number in range(10_000))],
    ids=["one", "many"],
)
def test_headers_that_are_too_long_are_refused_whatever_is_installed(port: int, headers: str) -> None:
    head = HEAD.format(path="/sparql", host="localhost", type_=QUERY) + headers + "\n"
    # Who still sends when the connection is closed may not hear the answer.
    with suppress(ConnectionResetError):
        assert sent(port, head, iter(())) == (400, "Invalid HTTP request received.")


def test_a_body_that_waits_to_be_asked_for_is_not_waited_for(port: int) -> None:
    head = HEAD.format(path="/sparql", host="localhost", type_=QUERY)
    head += f"Content-Length: {MAX_BODY + 1}\nExpect: 100-continue\n"
    assert sent(port, head, iter(()))[0] == 413


# ---------------------------------------------------------------------- what is read away


def done(work: Coroutine[Any, Any, Any]) -> Any:
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, work).result()


async def read_away(received: Any) -> list[Any]:
    """What an application that reads nothing sends, through ReadAway."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"too large"})

    found: list[Any] = []

    async def send(message: Any) -> None:
        found.append(message)

    scope = {"type": "http", "headers": [(b"content-length", b"99")]}
    await ReadAway(app)(scope, received, send)
    return found


def test_only_so_much_is_read_away_and_the_answer_is_sent_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_REST", 10)
    taken: list[int] = []

    async def endless() -> Any:
        taken.append(4)
        return {"type": "http.request", "body": b"four", "more_body": True}

    messages = done(read_away(endless))
    assert [message.get("more_body") for message in messages] == [None, True, False]
    assert [message.get("body") for message in messages] == [None, b"too large", b""]
    assert len(taken) == 3


def test_a_sender_that_stops_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "REST_SECONDS", 0.01)

    async def silent() -> Any:
        await asyncio.sleep(3600)

    assert done(read_away(silent))[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_sender_that_goes_is_not_waited_for() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    assert len(done(read_away(gone))) == 3
