"""The processes of `kb serve` connect to nothing and look up no name, whatever they are asked."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
from outgoing import Watched

ROOT = Path(__file__).parents[2]
ELSEWHERE = "http://elsewhere.example/"
CASE = {"@context": f"{ELSEWHERE}context.jsonld", "@id": f"{ELSEWHERE}case", "@type": "case:Case"}
TURTLE = f"@prefix owl: <http://www.w3.org/2002/07/owl#> . <{ELSEWHERE}a> owl:imports <{ELSEWHERE}b> ."
# What names another machine in every way that a request can.
ASKED: list[tuple[str, bytes | None, str]] = [
    ("/CP.MP.101", None, "text/html"),
    ("/CP.MP.101/compare/2023-10/2023-11", None, "text/html"),
    ("/questions/codes", None, "text/html"),
    ("/questions/codes/answer?format=xlsx", None, "*/*"),
    ("/search?" + urlencode({"q": ELSEWHERE}), None, "text/html"),
    ("/sparql?" + urlencode({"query": f"SELECT * FROM <{ELSEWHERE}> {{ ?s ?p ?o }}"}), None, "*/*"),
    ("/sparql?" + urlencode({"query": "ASK {}", "default-graph-uri": ELSEWHERE}), None, "*/*"),
    ("/sparql?" + urlencode({"query": f"SELECT * {{ SERVICE <{ELSEWHERE}> {{}} }}"}), None, "*/*"),
    ("/sparql?" + urlencode({"update": f"LOAD <{ELSEWHERE}>"}), None, "*/*"),
    ("/api/determine?revision=2026-02", json.dumps(CASE).encode(), "application/ld+json"),
    ("/api/determine?revision=2026-02", TURTLE.encode(), "text/turtle"),
    ("/api/determine?revision=2026-02", (ROOT / "tests/data/case.ttl").read_bytes(), "text/turtle"),
]


def test_no_process_of_the_workbench_asks_another_machine(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    program = "from kb_tools.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--kb", str(ROOT)]
    statuses = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=watched.environment) as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix(f"{ROOT}: ").partition("/ ")[0]
        for path, body, type_ in ASKED:
            named = {"Content-Type": type_} if body else {"Accept": type_}
            request = urllib.request.Request(f"{address}{path}", body, named)
            try:
                with urllib.request.urlopen(request) as answer:
                    statuses.append(answer.status)
            except HTTPError as error:
                statuses.append(error.code)
        process.terminate()
    assert statuses == [200, 200, 200, 200, 200, 200, 200, 400, 400, 422, 422, 200]
    # The server, the process that answers queries, and the one that reads cases.
    assert len(watched.processes) >= 3
    assert watched.processes[0] == process.pid
    assert watched.asked == []


CONNECTING = """
import socket, subprocess, sys
if len(sys.argv) > 2:
    subprocess.run([sys.executable, "-P", *sys.argv[:1], sys.argv[1]], check=True)
with socket.socket() as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
    one.connect(("127.0.0.1", int(sys.argv[1])))
    other.sendto(b"x", ("127.0.0.1", int(sys.argv[1])))
"""


@pytest.mark.parametrize("depth", [1, 2])
def test_what_a_process_or_one_that_it_starts_connects_to_is_seen(tmp_path: Path, depth: int) -> None:
    watched = Watched(tmp_path)
    program = tmp_path / "connecting.py"
    program.write_text(CONNECTING)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        more = ["further"] * (depth - 1)
        subprocess.run([sys.executable, str(program), str(port), *more], env=watched.environment, check=True)
    once = [f"socket.connect ('127.0.0.1', {port})", f"socket.sendto ('127.0.0.1', {port})"]
    assert watched.asked == once * depth
    assert len(watched.processes) == depth


def test_a_name_that_is_looked_up_is_seen_and_what_stays_by_a_path_is_not(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    looking = (
        "import socket; a, b = socket.socketpair(); socket.send_fds(a, [b'x'], [1]); socket.getaddrinfo('127.0.0.1', 1)"
    )
    subprocess.run([sys.executable, "-c", looking], env=watched.environment, check=True)
    assert watched.asked == ["socket.getaddrinfo 127.0.0.1"]
    assert os.environ.get("PYTHONPATH") != watched.environment["PYTHONPATH"]
