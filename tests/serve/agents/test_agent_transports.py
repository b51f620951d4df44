"""`kb mcp` over standard input and output and over HTTP: the same answers, clean ends, nothing but answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.error import HTTPError

import anyio
import pytest
from agents import MODES, PROGRAM, ROOT, call, in_memory, over_http, over_stdio, refused, talk
from hostile import HOSTILE
from mcp import Client
from test_agent_tools import CASES, ONE_EACH

from kb_tools.ask.pool import Pool
from kb_tools.model.repository import Repository
from kb_tools.serve import extra
from kb_tools.serve.case.workers import Workers
from kb_tools.serve.mcp.office import Office

SLOW = {"query": HOSTILE["count of a cross product"], "all": True}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def one_each(client: Client) -> list[str]:
    """The outcome of a case of each."""
    found = []
    for name in ONE_EACH.values():
        case = (CASES / f"{name}.ttl").read_text(encoding="utf-8")
        found.append((await call(client, "determine_case", case=case, revision="2026-02"))["outcome"])
    assert (await call(client, "query_sparql", query="ASK { ?c a pol:Code }"))["truth"] is True
    assert (await refused(client, "determine_case", case=3)).startswith("case: an object or a text is expected")
    return found


# ---------------------------------------------------------------------- standard input and output


@pytest.mark.parametrize("mode", MODES)
def test_a_client_over_standard_input_and_output_gets_the_same(mode: str) -> None:
    with TemporaryFile("w+") as said:
        assert over_stdio(said, one_each, mode) == list(ONE_EACH)
        said.seek(0)
        assert said.read() == ""


class Process:
    """`kb mcp`, to which lines are written."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def write(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def send(self, id_: int, tool: str, **arguments: Any) -> None:
        params = {"name": tool, "arguments": arguments, "_meta": META}
        self.write(json.dumps({"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params}))

    def read(self) -> dict[str, Any]:
        assert self.process.stdout
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def asked(self, id_: int, tool: str, **arguments: Any) -> dict[str, Any]:
        self.send(id_, tool, **arguments)
        found = self.read()
        assert found["id"] == id_
        return found


@contextmanager
def started(*options: str) -> Iterator[Process]:
    command = [sys.executable, "-c", PROGRAM, "mcp", "--kb", str(ROOT), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**os.environ}) as process:
        try:
            yield Process(process)
        finally:
            process.kill()


def children(process: subprocess.Popen[str]) -> list[str]:
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_when_the_client_hangs_up_in_the_middle_of_a_call_all_ends() -> None:
    with started() as kb:
        assert "result" in kb.asked(1, "list_policies")
        assert "result" in kb.asked(2, "determine_case", case={"patient": "p"})
        kb.send(3, "query_sparql", **SLOW)
        assert "result" in kb.asked(4, "list_questions")
        below = children(kb.process)
        assert len(below) >= 2
        out, err = kb.process.communicate(timeout=20)
        assert (kb.process.returncode, err) == (0, "")
        # Of the call that was not answered it is said that it was not.
        assert [json.loads(line).get("id") for line in out.splitlines()] in ([], [3])
        assert not any(Path(f"/proc/{child}").exists() for child in below)


def test_a_client_that_reads_no_more_ends_it_without_a_word() -> None:
    with started() as kb:
        assert "result" in kb.asked(1, "list_policies")
        assert kb.process.stdout and kb.process.stdin and kb.process.stderr
        kb.process.stdout.close()
        kb.send(2, "list_questions")
        assert kb.process.wait(20) == 0
        assert kb.process.stderr.read() == ""


def test_ctrl_c_ends_it_as_every_command() -> None:
    with started() as kb:
        assert "result" in kb.asked(1, "list_policies")
        kb.process.send_signal(signal.SIGINT)
        assert kb.process.wait(20) == 130
        assert kb.process.stderr
        assert kb.process.stderr.read() == "kb: interrupted\n"


def test_what_is_no_message_is_passed_over_and_what_is_asked_wrongly_is_an_error() -> None:
    with started() as kb:
        for line in ("no JSON of Jane Doe", "[]", "{}", '{"jsonrpc": "1.0"}', "\x00"):
            kb.write(line)
        assert "result" in kb.asked(1, "list_policies")
        kb.write(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "nothing/known", "params": {"_meta": META}}))
        assert kb.read()["error"]["code"] == -32601
        for params in ({}, {"name": ["Jane Doe"]}, {"name": "determine_case", "arguments": "Jane Doe"}):
            kb.write(
                json.dumps({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {**params, "_meta": META}})
            )
            assert kb.read()["error"] == {"code": -32602, "message": "Invalid request parameters", "data": ""}
        out, err = kb.process.communicate(timeout=20)
        assert (out, err) == ("", "")


def test_a_cancelled_call_is_not_answered_and_makes_room_for_others() -> None:
    with started("--workers", "1") as kb:
        assert "result" in kb.asked(1, "query_sparql", query="ASK {}")
        kb.send(2, "query_sparql", **SLOW)
        # It would run for hours.
        kb.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}))
        for _ in range(20):
            found = kb.asked(3, "query_sparql", query="ASK {}")["result"]
            if "isError" not in found or not found["isError"]:
                break
            time.sleep(0.2)
        assert found["structuredContent"]["truth"] is True


def test_a_slow_query_ends_by_its_limit_and_holds_up_no_other_call() -> None:
    with started("--timeout", "2") as kb:
        assert "result" in kb.asked(1, "query_sparql", query="ASK {}")
        assert "result" in kb.asked(1, "determine_case", case={"patient": "p"})
        kb.send(2, "query_sparql", **SLOW)
        assert "result" in kb.asked(3, "ask_question", question="codes")
        assert "result" in kb.asked(4, "determine_case", case={"patient": "p"})
        found = kb.read()
        assert (found["id"], found["result"]["content"][0]["text"]) == (2, "the query took more than 2 s; narrow it")


# ---------------------------------------------------------------------- HTTP


def test_a_client_over_http_gets_the_same_and_nothing_is_logged() -> None:
    with over_http() as (address, process):
        assert address.startswith("http://127.0.0.1:")
        assert address.endswith("/mcp")
        for mode in MODES:
            assert talk(address, one_each, mode) == list(ONE_EACH)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "kb: interrupted\n")


def posted(address: str, body: bytes, **headers: str) -> tuple[int, str]:
    sent = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Mcp-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "list_policies",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, sent)) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_only_this_machine_is_answered_and_only_what_is_asked_rightly() -> None:
    params = {"name": "list_policies", "arguments": {}, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    with over_http() as (address, process):
        port = address.partition("127.0.0.1:")[2].partition("/")[0]
        status, text = posted(address, body)
        assert (status, json.loads(text)["id"]) == (200, 1)
        for host in ("elsewhere.example", f"elsewhere.example:{port}", "127.0.0.1.elsewhere.example"):
            status, text = posted(address, body, Host=host)
            assert (status, text) == (421, "This host is not served here: kb mcp answers this machine only.\n")
        assert posted(address, body, Origin="https://elsewhere.example")[0] == 403
        assert posted(address, body, Origin=f"http://localhost:{port}")[0] == 200
        assert posted(address, body, Content_Type="text/plain")[0] == 400
        assert posted(address, body, Accept="text/html")[0] == 406
        assert json.loads(posted(address, b"{Jane Doe")[1])["error"] == {"code": -32700, "message": "Parse error"}
        assert posted(address, b'{"a": "\xff"}')[0] == 400
        assert posted(address, b" " * (16 * 2**20 + 1)) == (413, "a body of more than 16 MiB; send less\n")
        assert posted(address.removesuffix("/mcp"), body)[0] == 404
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[1] == "kb: interrupted\n"


def test_a_client_that_hangs_up_over_http_ends_its_query() -> None:
    async def left(client: Client) -> None:
        with anyio.move_on_after(1):
            await client.call_tool("query_sparql", SLOW)

    async def asked(client: Client) -> bool:
        found = await client.call_tool("query_sparql", {"query": "ASK {}"})
        return not found.is_error

    with over_http("--workers", "1") as (address, _):
        assert talk(address, asked)
        talk(address, left)
        assert any(talk(address, asked) for _ in range(10))


# ---------------------------------------------------------------------- cancelling, and many at once


def test_calls_are_answered_beside_each_other(kb: Repository) -> None:
    cases = [(CASES / f"{name}.ttl").read_text(encoding="utf-8") for name in ONE_EACH.values()]

    async def work(client: Client) -> list[str]:
        found: dict[int, str] = {}

        async def one(number: int) -> None:
            answer = await call(client, "determine_case", case=cases[number % 5], revision="2026-02")
            found[number] = answer["outcome"]

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(one, number)
        return [found[number] for number in range(10)]

    with Office(Pool(kb, size=1), Workers(kb.root, 2)) as office:
        assert in_memory(office, work) == [*ONE_EACH] * 2


def test_more_cases_than_can_wait_are_told_to_come_back(office: Office) -> None:
    async def work(client: Client) -> list[str]:
        found: list[str] = []

        async def one() -> None:
            result: Any = await client.call_tool("determine_case", {"case": {"patient": "p"}})
            found.append(result.content[0].text.partition("\n")[0])

        async with anyio.create_task_group() as group:
            for _ in range(12):
                group.start_soon(one)
        return found

    # One process, for which four may wait.
    found = in_memory(office, work)
    assert len(found) == 12
    assert set(found) <= {
        "The case is not determined. Correct how it is written, never what it says:",
        "too many cases at once; ask again in a moment",
    }
    assert found.count("too many cases at once; ask again in a moment") <= 7


def test_a_cancelled_case_ends_its_process_and_the_next_is_determined(kb: Repository) -> None:
    case = (CASES / "refractory-leukemia-meets.ttl").read_text(encoding="utf-8")

    async def work(client: Client) -> str:
        # The process takes longer than that to start.
        with anyio.move_on_after(0.05) as scope:
            await client.call_tool("determine_case", {"case": case})
        assert scope.cancelled_caught
        outcome: str = (await call(client, "determine_case", case=case))["outcome"]
        return outcome

    with Office(Pool(kb, size=1), Workers(kb.root, 1)) as office:
        assert in_memory(office, work) == "CriteriaMet"


def test_an_office_that_is_closed_starts_nothing_more(kb: Repository) -> None:
    with Office(Pool(kb, size=1), Workers(kb.root, 1)) as office:
        pass

    async def work(client: Client) -> list[str]:
        return [
            await refused(client, "determine_case", case={"patient": "p"}),
            await refused(client, "query_sparql", query="ASK {}"),
        ]

    assert in_memory(office, work) == ["no case is read any more; start again", "the call was cancelled"]


# ---------------------------------------------------------------------- the command


def test_without_the_extra_one_line_says_how_to_install_it(run_kb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "mcp" else name)
    done = run_kb("mcp")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kb: not installed: mcp; pip install 'kb-tools[mcp]'\n"


def test_a_port_that_is_taken_is_an_error_of_one_line(run_kb: Any) -> None:
    with over_http() as (address, _):
        port = address.partition("127.0.0.1:")[2].partition("/")[0]
        done = run_kb("mcp", "--http", "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"kb: cannot listen on 127.0.0.1 port {port}: ")
    assert done.stderr.count("\n") == 1
