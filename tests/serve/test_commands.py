"""kb serve and kb site, as commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, CompletedProcess
from urllib.error import HTTPError

import pytest

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
