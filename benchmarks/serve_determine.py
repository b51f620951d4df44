"""Determinations a second over HTTP, beside what the library takes; then a storm of right, wrong and hostile requests.

    python benchmarks/serve_determine.py [--cases 1000] [--clients 4] [--seconds 60]

Rates are of cases that are determined; varied ones, of which a twentieth is malformed or torn, stand in the storm.
All that is measured has been asked once before (warm). A machine that does something else beside gives other times, so
the processor time is given too: of the server, of the processes that determine, and of the client, for each case; and
what two processors could give by that, the client counted. What the command takes, in one process, stands beside it,
of the same run.

In the storm, half the clients send what is right, and each answer is compared with the library's; the others send what
is no case, too large, too deep, cut off, or unknown, and some go before the answer comes. An identifier is planted
wherever a request has a place for one, and searched for in the log and the counts. Memory (Linux) is sampled.

Exit code 1 if an answer is wrong, a status is none that was expected, or the identifier is found.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from fhir import bundle
from serve_sparql import workbench
from serve_storm import mebibytes, resident
from varied import varied

from kb_tools.as_json import compact
from kb_tools.model.repository import Repository, find_root
from kb_tools.serve.case.desk import Chosen, Desk
from kb_tools.serve.case.lines import LineDesk

PLANTED = "Zebulon-Quarks-7781"
PATH = "/api/determine?revision=2026-02"
CHOSEN: Chosen = {"policy": "CP.MP.101", "revision": "2026-02", "asOf": None}
JSON, LINES = {"Content-Type": "application/json"}, {"Content-Type": "application/x-ndjson"}
FHIR = {"Content-Type": "application/fhir+json"}
# How often all is asked before it is measured: each process learns what it is given.
WARM = 4
TICKS = os.sysconf("SC_CLK_TCK")


class Used(NamedTuple):
    """Seconds of processor time, by who used them."""

    server: float
    workers: float
    client: float

    @classmethod
    def so_far(cls, server: int) -> Used:
        """Of a server, of all processes that it started, and of this one."""
        own, *others = map(_seconds, resident(server))
        return cls(own, sum(others), time.process_time())


def _seconds(process: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def connected(address: str) -> http.client.HTTPConnection:
    """A connection that stays open."""
    parts = urlsplit(address)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def ask(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str], path: str = PATH) -> Any:
    """The status and the body of an answer."""
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Does all at once."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---------------------------------------------------------------------- how many a second


def singly(
    address: str, bodies: Sequence[bytes], headers: dict[str, str], clients: int, may_be: tuple[int, ...] = (200, 422)
) -> list[float]:
    """Each body a request, on connections that stay open; the seconds that each took."""
    took: list[float] = []

    parts = urlsplit(address)
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {headers['Content-Type']}\r\nContent-Length: "

    def client(mine: Sequence[bytes]) -> None:
        # As little as a client can do, since it takes its share of the processors.
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            for body in mine:
                began = time.perf_counter()
                connection.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
                answer = connection.recv(2**18)
                while (end := answer.find(b"\r\n\r\n")) < 0:
                    answer += connection.recv(2**18)
                length = int(answer[:end].lower().partition(b"content-length:")[2].split(maxsplit=1)[0])
                left = end + 4 + length - len(answer)
                while left > 0:
                    left -= len(connection.recv(2**18))
                took.append(time.perf_counter() - began)
                assert int(answer.split(maxsplit=2)[1]) in may_be, answer[:end]

    at_once([lambda mine=bodies[start::clients]: client(mine) for start in range(clients)])  # type: ignore[misc]
    return took


def on_lines(address: str, lines: Sequence[bytes], rows: str) -> int:
    """All bodies as lines of one request, read while they are sent; how many answers came."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        head = f"POST {PATH}&rows={rows} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {LINES['Content-Type']}\r\n"
        body = b"\n".join(lines)

        def send() -> None:
            connection.sendall(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

        thread = threading.Thread(target=send)
        thread.start()
        count = 0
        while more := connection.recv(2**18):
            count += more.count(b"}\n")
        thread.join()
    return count


def measured(name: str, number: int, process: int, work: Callable[[], object]) -> None:
    """Does something until each process knows it, and prints what it takes then."""
    for _ in range(WARM):
        work()
    before, began = Used.so_far(process), time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    each = [(now - then) / number * 1e6 for now, then in zip(Used.so_far(process), before, strict=True)]
    told = ", ".join(f"{name} {used:,.0f}" for name, used in zip(Used._fields, each, strict=True))
    print(f"{name:<34} {number / seconds:>7,.0f} a second here; us of processor each: {told}", end="")
    print(f"; {2e6 / max(sum(each), 1):,.0f} a second on two")


def library(lines: Sequence[bytes]) -> list[bytes]:
    """Prints what the cases that are determined take without HTTP, in one process, and returns them."""
    desk = Desk(Repository(find_root()))
    line_desk = LineDesk(desk)
    outcomes = line_desk.rows(CHOSEN, range(len(lines)), b"\n".join(lines)).content["outcomes"]
    none = ("Malformed", "Unreadable", "NotDetermined")
    lines = [line for line, outcome in zip(lines, outcomes, strict=True) if outcome not in none]
    works: dict[str, Callable[[], object]] = {
        "library, one by one, as JSON": lambda: [desk.determine("json", CHOSEN, "json", line) for line in lines],
        "library, rows (kb run)": lambda: [
            line_desk.rows(CHOSEN, range(len(part)), b"\n".join(part)) for part in parted(lines, 500)
        ],
    }
    for name, work in works.items():
        work()
        began = time.process_time()
        work()
        print(f"{name:<34} {(time.process_time() - began) / len(lines) * 1e6:>31,.0f} us of processor each")
    return lines


def parted(lines: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """Lines in parts of a size."""
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


# ---------------------------------------------------------------------- the storm

Request = tuple[bytes, dict[str, str], str, tuple[int, ...]]


def hostile() -> list[Request]:
    """What is no case: body, headers, path, and the statuses that may be."""
    planted = PLANTED.encode()
    case = json.dumps({"id": PLANTED, "patient": PLANTED, "request": {"serviceDate": PLANTED}}).encode()
    deep = b'{"request": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    fhir = json.dumps({"resourceType": "Bundle", "identifier": {"value": PLANTED}, "entry": [{"resource": 7}]}).encode()
    turtle = {"Content-Type": "text/turtle"}
    lines = b"\n".join([case, planted, deep[:5000], b"", b"\xff\xfe", fhir] * 5)
    return [
        (case, JSON, PATH, (422,)),
        (planted, JSON, PATH, (422,)),
        (b"", JSON, PATH, (422,)),
        (deep, JSON, PATH, (422, 400)),
        (b"<Bundle><id value='" + planted + b"'/></Bundle>", FHIR, PATH, (422,)),
        (fhir, FHIR, PATH, (422,)),
        (fhir, {"Content-Type": "application/fhir+xml"}, PATH, (415,)),
        (fhir, {"Content-Type": "application/fhir+json; fhirVersion=3.0"}, PATH, (415,)),
        (b"\x00" * 1000, turtle, PATH, (422,)),
        (b"@prefix : <#> . :" + planted + b" a :x", turtle, PATH, (422,)),
        (b" " * (5 * 2**20), JSON, PATH, (413,)),
        (case, JSON, f"/api/determine?revision={PLANTED}", (404,)),
        (case, JSON, f"/api/determine?{PLANTED}=1", (400,)),
        (case, {"Content-Type": PLANTED}, PATH, (415,)),
        (lines, LINES, f"{PATH}&rows=compact", (200,)),
        (lines, LINES, PATH, (200,)),
    ]


class Storm:
    """Clients that ask until the time is over.

    Args:
        right: bodies of plain JSON, each with the answer that is right.
    """

    def __init__(self, address: str, right: Sequence[tuple[bytes, Any]], seconds: float) -> None:
        self.address = address
        self.right = right
        self.until = time.monotonic() + seconds
        self.statuses: Counter[str] = Counter()
        self.wrong: list[str] = []

    def friendly(self, chance: Random) -> None:
        connection = connected(self.address)
        while time.monotonic() < self.until:
            body, expected = chance.choice(self.right)
            status, answer = ask(connection, body, JSON)
            self.statuses[f"right {status}"] += 1
            if status != 503 and answer_of(status, answer) != expected:
                self.wrong.append(f"another answer, status {status}")

    def enemy(self, chance: Random) -> None:
        requests = hostile()
        while time.monotonic() < self.until:
            body, headers, path, may_be = chance.choice(requests)
            if chance.random() < 0.2:
                self._go_away(body, headers, path, chance)
                continue
            try:
                status, _ = ask(connected(self.address), body, {**headers, "User-Agent": PLANTED}, path)
            except OSError as error:
                self.wrong.append(f"{type(error).__name__} at {path[:20]}")
                continue
            self.statuses[f"hostile {status}"] += 1
            if status not in (*may_be, 503):
                self.wrong.append(f"status {status}, and not {may_be}")

    def _go_away(self, body: bytes, headers: dict[str, str], path: str, chance: Random) -> None:
        """Sends a part of a request, or all of it, and does not wait for the answer."""
        parts = urlsplit(self.address)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {headers['Content-Type']}\r\n"
        sent = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        with suppress(OSError), socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(sent[: chance.randrange(len(sent))] if chance.random() < 0.5 else sent)
        self.statuses["gone"] += 1


def answer_of(status: int, body: bytes) -> Any:
    """The part of an answer that must be the same."""
    return json.loads(body) if status == 200 else (status, json.loads(body)["errors"])


def right_answers(lines: Sequence[bytes]) -> list[tuple[bytes, Any]]:
    """The bodies with what the library makes of them."""
    desk, found = Desk(Repository(find_root())), []
    for line in lines:
        message = desk.determine("json", CHOSEN, "json", line)
        assert message.body is not None
        told = message.content
        found.append((line, json.loads(message.body) if told["read"] else (422, told["errors"])))
    return found


def storm(address: str, process: int, lines: Sequence[bytes], seconds: float, clients: int, log: Path) -> list[str]:
    """Lets clients ask, samples memory, and returns what was wrong."""
    running = Storm(address, right_answers(lines), seconds)
    sampled: list[int] = []

    def sample() -> None:
        while time.monotonic() < running.until:
            sampled.append(mebibytes(process))
            time.sleep(max(1.0, seconds / 30))

    friends = [lambda number=number: running.friendly(Random(number)) for number in range(clients)]
    enemies = [lambda number=number: running.enemy(Random(number)) for number in range(clients)]
    at_once([*friends, *enemies, sample])
    print(f"storm of {seconds:g} s: {dict(sorted(running.statuses.items()))}")
    third = max(1, len(sampled) // 3)
    thirds = [statistics.median(sampled[start : start + third] or sampled) for start in (0, third, 2 * third)]
    print(
        f"memory in MiB, by thirds of the time: {', '.join(f'{size:.0f}' for size in thirds)} (at most {max(sampled)})"
    )
    connection = connected(address)
    connection.request("GET", "/metrics")
    told = {"the log": log.read_text(), "the counts": connection.getresponse().read().decode()}
    leaked = [f"the planted identifier is in {name}" for name, text in told.items() if PLANTED.lower() in text.lower()]
    print(f"{len(told['the log'].splitlines()):,} lines of log; the planted identifier in {', '.join(told)}: ", end="")
    print("found" if leaked else "not found")
    return [*running.wrong, *leaked]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    root = find_root()
    lines = [line.strip() for line in varied(Repository(root), options.cases, 71)]
    bundles = [compact(bundle(Random(number), number, 30)) for number in range(60)]
    determined = library(lines)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "requests.jsonl"
        with workbench(root, "--log", str(log)) as (address, process):
            while not ready(address):
                time.sleep(0.2)
            works: dict[str, Callable[[], object]] = {
                "HTTP, a request each, as JSON": lambda: singly(address, determined, JSON, options.clients),
                "HTTP, on lines, rows=full": lambda: on_lines(address, determined, "full"),
                "HTTP, on lines, rows=compact": lambda: on_lines(address, determined, "compact"),
            }
            for name, work in works.items():
                measured(name, len(determined), process.pid, work)
            singly(address, bundles, FHIR, 1, (200,))
            took = sorted(singly(address, bundles * 3, FHIR, 1, (200,)))
            middle, nine = (took[len(took) * share // 100] * 1000 for share in (50, 90))
            print(f"a FHIR bundle of 30 resources: {middle:.0f} ms at the median, nine of ten within {nine:.0f}")
            wrong = storm(address, process.pid, lines[:300], options.seconds, options.clients, log)
    for said, times in Counter(wrong).most_common():
        print(f"WRONG: {said} ({times} times)")
    sys.exit(bool(wrong))


def ready(address: str) -> bool:
    """Whether all processes are warm."""
    connection = connected(address)
    connection.request("GET", "/ready")
    return connection.getresponse().status == 200


if __name__ == "__main__":
    main()
