"""A run over very many cases on several workers: its rate beside json.loads alone, its memory, and a killed worker.

    python benchmarks/scale.py [CASES] [WORKERS] [ENGINE]

Varied cases (default 200,000; 5 % malformed or torn) are run twice from cold, with nothing learned before: once left
alone, once with a worker killed (SIGKILL) when half of the parts stand. Then the parts of both are compared byte for
byte, and their rows are counted: one for each line, none twice. Before that the same ranges are read by json.loads
alone, in as many processes. Memory is of all processes of a run (PSS), sampled every second. Linux only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

from pyarrow import parquet
from varied import varied

import kb_tools
from kb_tools.batch.ranges import Range, ranges_of
from kb_tools.batch.store import location

KB = [sys.executable, "-c", "from kb_tools.cli import main; main()"]


def parsed(one: Range) -> int:
    """Reads the lines of a range by json.loads alone."""
    found = 0
    for _, line in one.read():
        with suppress(ValueError):
            json.loads(line or b"")
        found += 1
    return found


def processes(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from processes(int(child))


def memory(pid: int) -> float:
    """Of a process and all that it started, in MiB; what they share is counted once."""
    found = 0
    for one in processes(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    found += int(line.split()[1])
    return found / 1024


def workers_of(pid: int) -> list[int]:
    """The worker processes of a run: those that began with more than a tracker's work."""
    found = []
    for one in processes(pid):
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes():
                found.append(one)
    return found


def run(cases: Path, folder: Path, arguments: list[str], cache: Path, kill: bool) -> tuple[float, list[float]]:
    """Runs, and returns the seconds that it took, and the memory each second.

    Args:
        kill: whether a worker is killed when half of the parts stand.
    """
    parts = len(ranges_of([location(str(cases))]))
    started = time.monotonic()
    command = [*KB, "run", str(cases), "--to", str(folder), *arguments]
    process = subprocess.Popen(command, env={**os.environ, "XDG_CACHE_HOME": str(cache)}, stdout=subprocess.DEVNULL)
    samples = []
    while process.poll() is None:
        samples.append(memory(process.pid))
        if kill and len(list(folder.glob("part-*"))) >= parts / 2:
            os.kill(workers_of(process.pid)[0], signal.SIGKILL)
            kill = False
        time.sleep(1)
    if process.returncode:
        sys.exit(f"kb run ended with {process.returncode}")
    return time.monotonic() - started, samples


def contents(folder: Path) -> dict[str, bytes]:
    """The parts of a run."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


def show(name: str, count: int, seconds: float, samples: list[float]) -> None:
    """Prints what a run took; memory at ten points on the way, and how far it rose after a fifth of the time."""
    print(f"{name:22} {seconds:8.1f} s {count / seconds:10,.0f} cases/s")
    tenth = max(len(samples) // 10, 1)
    print("  memory on the way, MiB:", *(f"{sample:,.0f}" for sample in samples[tenth - 1 :: tenth]))
    late = samples[len(samples) // 5 : -1] or samples
    print(f"  after a fifth: {min(late):,.0f} to {max(late):,.0f} MiB")


def main() -> None:
    """Measures and prints; ends with 1 if the parts of the two runs differ, or rows are missing."""
    given = [*sys.argv[1:], "", "", ""]
    count, workers, engine = int(given[0] or 200_000), int(given[1] or 2), given[2] or "pyshifty"
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        cases = base / "cases.jsonl"
        with cases.open("wb") as file:
            for line in varied(kb_tools.open().repository, count):
                file.write(line.rstrip() + b"\n")
        print(f"{count:,} varied cases, {cases.stat().st_size / count:,.0f} bytes each, {workers} workers, {engine}")
        started = time.monotonic()
        with ProcessPoolExecutor(workers) as pool:
            lines = sum(pool.map(parsed, ranges_of([location(str(cases))])))
        seconds = time.monotonic() - started
        print(f"{'json.loads alone':22} {seconds:8.1f} s {lines / seconds:10,.0f} cases/s")
        arguments = ["--revision", "2026-02", "--engine", engine, "--workers", str(workers)]
        for number, title in enumerate(("left alone", "with a killed worker")):
            taken = run(cases, base / title.replace(" ", "-"), arguments, base / f"cache-{number}", number == 1)
            show(title, count, *taken)
        alone, killed = (contents(base / title) for title in ("left-alone", "with-a-killed-worker"))
        found = [parquet.read_table(base / "left-alone" / part, columns=["line"])["line"].to_pylist() for part in alone]
        rows = [number for part in found for number in part]
        same = alone == killed and len(rows) == len(set(rows)) == lines
        print(f"{len(rows):,} rows, {len(set(rows)):,} distinct, {len(alone)} parts; the same bytes: {alone == killed}")
        sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
