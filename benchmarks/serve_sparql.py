"""How fast ready questions are answered over HTTP, beside the same queries on an Oxigraph server.

python benchmarks/serve_sparql.py [--rounds 20]

Starts `kb serve`, and an Oxigraph server (pip install oxigraph) with the same graphs. Each ready question is asked of
both by one client, on one connection each, for the first time and again; medians are in milliseconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pyoxigraph as ox

from kb_tools.ask.dataset import open_view
from kb_tools.ask.library import questions
from kb_tools.ask.request import Inquiry
from kb_tools.ask.resolve import resolve
from kb_tools.model.repository import Repository, find_root

JSON = {"Accept": "application/sparql-results+json"}
QUERY = {**JSON, "Content-Type": "application/sparql-query"}
PORT = 7979


class Client:
    """One connection to a server, kept open."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        self._connection.request(method, path, body and body.encode(), headers or {})
        answer = self._connection.getresponse()
        return answer.status, answer.read()


@contextmanager
def workbench(root: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a workbench, and its process."""
    program = "from kb_tools.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--kb", str(root), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix(f"{root}: ").partition("/ ")[0], process
        process.terminate()


@contextmanager
def oxigraph(store: ox.Store) -> Iterator[str]:
    """The address of an Oxigraph server with the quads of a store."""
    program = Path(sys.executable).with_name("oxigraph")
    with tempfile.TemporaryDirectory() as folder:
        quads = Path(folder) / "all.nq"
        store.dump(str(quads), format=ox.RdfFormat.N_QUADS)
        location = Path(folder) / "store"
        subprocess.run([program, "load", "-l", location, "-f", quads], check=True, capture_output=True)
        command = [str(program), "serve-read-only", "-l", str(location), "-b", f"127.0.0.1:{PORT}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            address = f"http://127.0.0.1:{PORT}"
            for _ in range(100):
                time.sleep(0.1)
                try:
                    Client(address).ask("GET", "/")
                    break
                except OSError:
                    continue
            yield address
            process.terminate()


def median(rounds: int, client: Client, method: str, path: str, body: str | None, headers: dict[str, str]) -> float:
    """How long a request takes, in milliseconds."""
    client.ask(method, path, body, headers)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        client.ask(method, path, body, headers)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def median_of_first(rounds: int, client: Client, path: str) -> float:
    """How long a question takes that nobody has asked before: an answer is remembered by what is accepted, too."""
    times = []
    for number in range(rounds + 1):
        headers = {"Accept": f"{JSON['Accept']}, text/x-{number}"}
        started = time.perf_counter()
        client.ask("GET", path, None, headers)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times[1:])


def compare(kb: Repository, ours: str, rounds: int) -> None:
    """Each ready question of both servers."""
    first, again = [], []
    print(f"{'question':<28}{'rows':>6}{'oxigraph':>10}{'first':>8}{'x':>6}{'again':>8}{'x':>6}{'/sparql':>10}")
    by_graphs: dict[str, list[tuple[str, str, str]]] = {}
    for question in questions():
        request = resolve(kb, Inquiry(question=question.name, as_of=None if question.scope == "all" else date.today()))
        query = "\n".join(f"PREFIX {name}: <{iri}>" for name, iri in kb.prefixes.items()) + "\n" + request.checked.text
        by_graphs.setdefault(json.dumps(request.graphs), []).append((question.name, query, request.checked.text))
    for graphs, asked in by_graphs.items():
        with oxigraph(open_view(kb, json.loads(graphs))) as theirs:
            here, there = Client(ours), Client(theirs)
            where = "/sparql?all=true" if graphs == "null" else "/sparql"
            for name, query, text in asked:
                status, expected = there.ask("POST", "/query", query, QUERY)
                assert status == 200, expected
                found = here.ask("GET", f"/questions/{name}/answer", None, JSON)[1]
                count = len(json.loads(expected)["results"]["bindings"])
                assert len(json.loads(found)["results"]["bindings"]) == count, name
                path = f"/questions/{name}/answer"
                one = median(rounds, there, "POST", "/query", query, QUERY)
                two = median_of_first(rounds, here, path)
                three = median(rounds, here, "GET", path, None, JSON)
                four = median(rounds, here, "POST", where, text, QUERY)
                first.append(two / one)
                again.append(three / one)
                ours_first, ours_again = f"{two:>8.1f}{two / one:>6.1f}", f"{three:>8.1f}{three / one:>6.1f}"
                print(f"{name:<28}{count:>6}{one:>10.1f}{ours_first}{ours_again}{four:>10.1f}", flush=True)
    for asked_, ratios in (("for the first time", first), ("again", again)):
        print(
            f"{len(ratios)} questions asked {asked_}: median {statistics.median(ratios):.1f} times, "
            f"at most {max(ratios):.1f} times, {sum(ratio <= 3 for ratio in ratios)} within 3"
        )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    kb = Repository(find_root())
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with workbench(kb.root) as (address, _):
        compare(kb, address, given.rounds)


if __name__ == "__main__":
    main()
