"""kb serve and kb site, as commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, CompletedProcess
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
from hostile import HOSTILE

from kb_tools.commands.query import command as query_command
from kb_tools.commands.serve import command as serve_command
from kb_tools.serve import extra

ROOT = Path(__file__).parents[2]
Run = Callable[..., CompletedProcess[str]]


def test_kb_serve_says_where_it_listens_and_logs_nothing_of_what_is_asked() -> None:
    program = "from kb_tools.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--kb", str(ROOT)]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.removeprefix(f"{ROOT}: ").partition(" ")[0]
        assert line == f"{ROOT}: {address} (Ctrl-C ends it)\n"
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert b"Policies on file" in answer.read()
            assert "server" not in answer.headers
        with pytest.raises(HTTPError, match="404"):
            urllib.request.urlopen(f"{address}nobody-may-read-this?q=secret")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "kb: interrupted\n"


def test_kb_serve_writes_its_log_to_standard_output_and_nothing_else_there() -> None:
    program = "from kb_tools.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--kb", str(ROOT), "--log", "-"]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stderr is not None
        address = process.stderr.readline().removeprefix(f"{ROOT}: ").partition(" ")[0]
        with pytest.raises(HTTPError, match="404"):
            urllib.request.urlopen(f"{address}nobody-may-read-this?q=secret")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    (line,) = (json.loads(line) for line in out.splitlines())
    assert (line["door"], line["status"], "secret" in out) == ("GET /{path:path}", 404, False)


def test_kb_serve_takes_the_limits_of_kb_query() -> None:
    program = "from kb_tools.cli import main; main()"
    limits = ["--workers", "1", "--timeout", "2", "--max-rows", "2"]
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--kb", str(ROOT), *limits]
    with subprocess.Popen(command, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix(f"{ROOT}: ").partition(" ")[0]

        def asked(**form: str) -> tuple[int, str, str]:
            try:
                with urllib.request.urlopen(f"{address}sparql", urlencode(form).encode()) as answer:
                    return answer.status, answer.headers.get("Answer-Incomplete", ""), answer.read().decode()
            except HTTPError as error:
                return error.code, "", json.loads(error.read())["detail"]

        found = asked(query="SELECT ?x { ?x a pol:Code }")
        assert found[:2] == (200, "the first 2 rows; there are more")
        assert asked(query=HOSTILE["count of a cross product"], all="true") == (
            400,
            "",
            "the query took more than 2 s; narrow it",
        )
        if sys.platform.startswith("linux"):
            prepared = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            copies = [Path(f"/proc/{one}/task/{one}/children").read_text().split() for one in prepared]
            assert sum(map(len, copies)) <= 1
        process.terminate()


@pytest.mark.parametrize(
    ("option", "value"), [("--workers", "0"), ("--timeout", "0"), ("--timeout", "nan"), ("--max-rows", "0")]
)
def test_a_limit_that_is_none_is_a_usage_error(run_kb: Run, option: str, value: str) -> None:
    done = run_kb("serve", option, value)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Invalid value for '{option}'" in done.stderr


def test_the_limits_of_kb_serve_are_those_of_kb_query() -> None:
    query, served = ({option.name: option for option in command.params} for command in (query_command, serve_command))
    for name in ("timeout", "max_rows"):
        assert query[name].to_info_dict() == served[name].to_info_dict()


def test_an_address_that_cannot_be_listened_on_is_an_error_of_one_line(run_kb: Run) -> None:
    done = run_kb("serve", "--host", "192.0.2.1", "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kb: cannot listen on 192.0.2.1 port 0: ")
    assert done.stderr.endswith("; choose another --port or --host\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("serve",), ("site", "public")])
def test_without_the_extra_one_line_says_how_to_install_it(
    run_kb: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "starlette" else name)
    done = run_kb(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kb: not installed: starlette; pip install 'kb-tools[serve]'\n"


def test_kb_site_refuses_a_folder_that_is_not_its_own(run_kb: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("mine", encoding="utf-8")
    done = run_kb("site", "mine")
    assert (done.returncode, done.stderr) == (
        2,
        "kb: mine: holds something else than a site; name a new or an empty folder\n",
    )
    assert run_kb("site", "public", "--on", "tomorrow").returncode == 2
