"""What a row costs, beside reading the line and beside determining the case by itself; all in one run.

    python benchmarks/runs.py [CASES] [ENGINE] [PLAIN]

CASES varied cases (default 20,000; 5 % of them malformed or torn) are learned cold and then done again warm, in one
process; of PLAIN of them (default 400) each is determined by itself with pySHACL, many sharing a call. Ratios are of
processor time. Memory is sampled ten times on the way.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from varied import varied

import kb_tools
from kb_tools.batch.rows import RowMaker
from kb_tools.batch.work import TOGETHER, hold_what_is_known
from kb_tools.cases.plain import _DIALECT
from kb_tools.cases.strict_json import load
from kb_tools.determine.run import Run
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository


def microseconds(lines: Sequence[bytes], work: Callable[[Sequence[bytes]], object]) -> float:
    """Processor time a line."""
    before = time.process_time()
    work(lines)
    return (time.process_time() - before) / len(lines) * 1e6


def each(read: Callable[[bytes], object]) -> Callable[[Sequence[bytes]], None]:
    """Reads lines one by one; one that cannot be read is passed over."""

    def work(lines: Sequence[bytes]) -> None:
        for line in lines:
            with suppress(ValueError, KbError):
                read(line)

    return work


def resident() -> float:
    """Memory of this process in MiB."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return float("nan")


def maker(kb: Repository, engine: str, by_pieces: bool = True) -> RowMaker:
    """What makes rows under 2026-02."""
    return RowMaker(Run(kb, kb.policy(None), engine, "2026-02"), by_pieces)


def in_batches(rows: RowMaker, memory: list[float] | None = None) -> Callable[[Sequence[bytes]], None]:
    """Makes rows as a worker does, and notes the memory on the way."""

    def work(lines: Sequence[bytes]) -> None:
        tenth = max(len(lines) // 10, TOGETHER)
        for start in range(0, len(lines), TOGETHER):
            rows.of_lines(lines[start : start + TOGETHER])
            if memory is not None and (start + TOGETHER) % tenth < TOGETHER:
                memory.append(resident())

    return work


def main() -> None:
    """Measures and prints."""
    arguments = [*sys.argv[1:], "", "", ""]
    count, engine, plain = int(arguments[0] or 20_000), arguments[1] or "pyshacl", int(arguments[2] or 400)
    kb = kb_tools.open().repository
    lines = [line.rstrip() for line in varied(kb, count)]
    rows, memory = maker(kb, engine), list[float]()
    figures = {
        "json.loads": microseconds(lines, each(json.loads)),
        "strict reading of the JSON": microseconds(lines, each(lambda line: load(line, "", _DIALECT, True))),
        f"rows, cold, {engine}": microseconds(lines, in_batches(rows, memory)),
    }
    # As a worker that starts with what was learned before.
    hold_what_is_known()
    figures["rows, warm"] = microseconds(lines, in_batches(rows))
    figures[f"each case by itself, pySHACL ({plain})"] = microseconds(
        lines[:plain], in_batches(maker(kb, "pyshacl", by_pieces=False))
    )
    print(f"{count:,} varied cases, {sum(map(len, lines)) / count:,.0f} bytes each; times in microseconds a case")
    base = figures["strict reading of the JSON"]
    for name, figure in figures.items():
        print(f"{name:45} {figure:10,.1f} {figure / base:10,.1f} times strict reading")
    print("memory on the way, MiB:", *(f"{sample:,.0f}" for sample in memory))


if __name__ == "__main__":
    main()
