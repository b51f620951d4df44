"""Many clients at once on `kb serve`, some of them hostile: is every answer right, and does memory stay what it is?

python benchmarks/serve_storm.py [--seconds 60] [--clients 50] [--timeout 5]

Each client asks one thing after the other: pages, ready questions, queries of its own, cases. Of every five clients one
is hostile: what it asks is too long, too slow, refused, huge or too large, or it goes before the answer comes. Each
answer is compared with the one that was given before the storm, when nobody else asked; it may be 503 instead.

Memory is that of the server and of every process that it started, on Linux; what several share is counted once. The
storm comes twice: the first fills what is filled once. So memory at rest after the second is compared with that after
the first.

Exit code 1 if an answer is wrong, or a connection breaks.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlencode, urlsplit

from serve_sparql import JSON, QUERY, Client, workbench

from kb_tools.ask.sparql import MAX_LENGTH
from kb_tools.model.repository import find_root
from kb_tools.serve.bodies import MAX_BODY

Asked = tuple[str, str, str | None, dict[str, str]]
PROBLEM = {**QUERY, "Accept": "application/json"}
CROSS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
CASE = "policies/CP.MP.101/cases/acute-gvhd-of-grade-2-excludes.ttl"
QUESTIONS = ("codes", "criteria", "where-cited", "evidence-on-outcome", "open-discrepancies", "on-file")
SEARCH = "/search?" + urlencode({"q": "relapse"})


def friendly(root: Path) -> dict[str, list[Asked]]:
    """What readers ask, by its kind."""
    case = (root / CASE).read_text(encoding="utf-8")
    return {
        "page": [("GET", path, None, {}) for path in ("/", "/CP.MP.101", "/CP.MP.101/2026-02", "/questions", SEARCH)],
        "question": [("GET", f"/questions/{name}/answer", None, JSON) for name in QUESTIONS],
        # Not remembered: any text can be given for it.
        "text": [("GET", f"/questions/said-in-section/answer?section={n}", None, JSON) for n in ("1", "Background")],
        "query": [
            ("POST", "/sparql", "SELECT ?n { ?c a pol:Code ; skos:notation ?n } ORDER BY ?n", QUERY),
            ("POST", "/sparql?all=true", "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", QUERY),
        ],
        "case": [("POST", "/api/determine?revision=2026-02", case, {"Content-Type": "text/turtle"})],
    }


def hostile() -> dict[str, list[Asked]]:
    """What nobody should ask, by its kind."""
    return {
        "too slow": [("POST", "/sparql?all=true", CROSS, PROBLEM)],
        "too long": [("POST", "/sparql", "ASK {}" + " " * MAX_LENGTH, PROBLEM)],
        "refused": [
            ("POST", "/sparql", "DROP ALL", PROBLEM),
            ("POST", "/sparql", "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", PROBLEM),
            ("POST", "/sparql", "SELECT * {" * 500, PROBLEM),
        ],
        "huge": [("POST", "/sparql?all=true", "SELECT * { ?s ?p ?o } ORDER BY ?s ?p ?o", QUERY)],
        "too large": [("POST", "/sparql", "x" * (MAX_BODY + 2**20), PROBLEM)],
        "hung up": [("POST", "/sparql?all=true", CROSS, PROBLEM)],
    }


@dataclass
class Storm:
    """What the clients found.

    Attributes:
        found: how many answers of each kind and status.
        wrong: answers that are not what they were, and connections that broke.
        waits: seconds until an answer that is not 503, of what readers ask.
    """

    address: str
    expected: dict[tuple[str, str, str | None], tuple[int, bytes]]
    found: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    def client(self, number: int, until: float, friends: dict[str, list[Asked]], foes: dict[str, list[Asked]]) -> None:
        """One client, until a time; of every five clients one is hostile."""
        chance = Random(number)
        offered = foes if number % 5 == 0 else friends
        here = Client(self.address)
        while time.monotonic() < until:
            kind = chance.choice(list(offered))
            asked = chance.choice(offered[kind])
            if kind == "hung up":
                self.hang_up(asked, chance.random())
                self.found[kind] += 1
                continue
            started = time.monotonic()
            try:
                status, body = here.ask(*asked)
            except (OSError, http.client.HTTPException) as error:
                self.wrong[f"{kind}: {type(error).__name__}"] += 1
                here = Client(self.address)
                continue
            self.found[f"{kind} {status}"] += 1
            if status == 503:
                time.sleep(0.2)
            elif (status, body) != self.expected[asked[:3]]:
                self.wrong[f"{kind}: {status}"] += 1
            elif offered is friends:
                self.waits.append(time.monotonic() - started)

    def hang_up(self, asked: Asked, seconds: float) -> None:
        """Ask, and go before the answer comes."""
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        method, path, body, headers = asked
        connection.request(method, path, body, headers)
        time.sleep(seconds)
        connection.close()


def resident(process: int) -> dict[int, int]:
    """Memory of a process and of all that it started, in KiB, what is shared in parts; on Linux."""
    found: dict[int, int] = {}
    waiting = [process]
    while waiting:
        current = waiting.pop()
        try:
            said = Path(f"/proc/{current}/smaps_rollup").read_text()
            # A child is listed with the thread that started it.
            for started in Path(f"/proc/{current}/task").glob("*/children"):
                waiting += map(int, started.read_text().split())
        except OSError:
            continue
        found[current] = next(int(line.split()[1]) for line in said.splitlines() if line.startswith("Pss:"))
    return found


def mebibytes(process: int) -> int:
    """Memory of a process and of all that it started, in MiB."""
    return sum(resident(process).values()) // 1024


def at_rest(process: int) -> str:
    """Memory once nothing has been asked for a while: in all, of the server, and of each process that it started."""
    time.sleep(4)
    server, *others = (size // 1024 for size in resident(process).values())
    return f"{server + sum(others)} (server {server}, the others {', '.join(map(str, sorted(others)))})"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--timeout", type=float, default=5, help="seconds that a query may take")
    parser.add_argument("--times", type=int, default=2, help="how often the storm comes")
    given = parser.parse_args()
    root = find_root()
    friends, foes = friendly(root), hostile()
    wrong = 0
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with workbench(root, "--timeout", str(given.timeout)) as (address, process):
        alone = Client(address)
        all_asked = [asked for kinds in (friends, foes) for several in kinds.values() for asked in several]
        expected = {asked[:3]: alone.ask(*asked) for asked in all_asked}
        print(f"statuses without a storm: {dict(Counter(status for status, _ in expected.values()))}")
        print(f"memory in MiB at rest: {at_rest(process.pid)}")
        for _ in range(given.times):
            storm = Storm(address, expected)
            until = time.monotonic() + given.seconds
            threads = [
                threading.Thread(target=storm.client, args=(number, until, friends, foes))
                for number in range(given.clients)
            ]
            for thread in threads:
                thread.start()
            memory = []
            while time.monotonic() < until:
                time.sleep(given.seconds / 12)
                memory.append(mebibytes(process.pid))
            for thread in threads:
                thread.join()
            print(f"{given.clients} clients, {given.seconds:g} s: {dict(sorted(storm.found.items()))}")
            waited = f"{1000 * statistics.median(storm.waits):.0f} ms (median)" if storm.waits else "never"
            print(f"wrong: {dict(storm.wrong) or 'none'}; readers were answered in {waited}")
            print(f"memory in MiB: {memory} in the storm; at rest {at_rest(process.pid)}", flush=True)
            wrong += storm.wrong.total()
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
