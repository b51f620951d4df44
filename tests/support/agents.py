"""Agents: clients of the SDK that talk to `kb mcp` in memory, over standard input and output, and over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent

from kb_tools.ask.pool import Pool
from kb_tools.model.repository import Repository
from kb_tools.serve.case.workers import Workers
from kb_tools.serve.mcp.office import Office
from kb_tools.serve.mcp.server import server

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PROGRAM = "from kb_tools.cli import main; main()"
MODES = ("auto", "legacy")


@pytest.fixture(scope="session")
def office(kb: Repository) -> Iterator[Office]:
    """The knowledge base of the checkout, open for agents. Only what needs a process starts one."""
    with Office(Pool(kb, size=2, timeout=20, patience=20), Workers(kb.root, 1)) as found:
        yield found


def talk(target: Any, work: Callable[[Client], Awaitable[T]], mode: str = "auto") -> T:
    """What a client comes to that is connected to a server, an address or a transport."""

    async def main() -> T:
        async with Client(target, mode=mode) as client:
            return await work(client)

    return anyio.run(main)


def in_memory(office: Office, work: Callable[[Client], Awaitable[T]], mode: str = "auto") -> T:
    return talk(server(office), work, mode)


def over_stdio(said: TextIO, work: Callable[[Client], Awaitable[T]], mode: str = "auto", *options: str) -> T:
    """The same with a process of `kb mcp`, whose standard error goes to a file."""
    arguments = ["-c", PROGRAM, "mcp", "--kb", str(ROOT), *options]
    parameters = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    return talk(stdio_client(parameters, errlog=said), work, mode)


@contextmanager
def over_http(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A process of `kb mcp --http`, and its address."""
    command = [sys.executable, "-c", PROGRAM, "mcp", "--http", "--port", "0", "--kb", str(ROOT), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield line.removeprefix(f"{ROOT}: ").partition(" ")[0], process
        finally:
            process.terminate()


def text_of(result: Any) -> str:
    """The text of a result."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured content of a result, which its text says too."""
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    assert not result.is_error, text_of(result)
    assert json.loads(text_of(result)) == result.structured_content
    found: dict[str, Any] = result.structured_content
    return found


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """What is said of a call that goes wrong."""
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    assert result.is_error
    assert result.structured_content is None
    return text_of(result)
