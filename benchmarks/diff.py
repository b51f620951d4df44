"""How long a difference of two revisions takes from cold, and what replaying cases under both costs, in one run.

Usage: python benchmarks/diff.py [NUMBER_OF_CASES]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cases import generate
from determine import best_of, determine

from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository, find_root
from kb_tools.rdf import shacl
from kb_tools.revisions.compare import compare
from kb_tools.revisions.impact import flip_of
from kb_tools.revisions.replay import Replay, Replayer

OLD, NEW = "2019-10", "2026-02"
# Aims: seconds of a difference from cold, and times the cost of one determination run.
SECONDS, RATIO = 2.0, 2.2


def replay(folder: Path, engine: str) -> int:
    """Reads every case of a folder, replays it under both revisions and attributes its flip, from nothing.

    Returns:
        How many flip.
    """
    kb = Repository(find_root())
    diff = compare(kb.policy(), OLD, NEW, engine)
    reader = CaseReader(kb)
    cases = (case for path in sorted(folder.glob("*.ttl")) for case in reader.read(path.name, path))
    flips = 0
    for replayed in Replayer(kb, diff.old, diff.new, engine).replay(cases):
        assert isinstance(replayed, Replay)
        flips += bool(replayed.flipped and flip_of(diff, replayed).criteria)
    return flips


def processor(action: Callable[[], int]) -> tuple[float, int]:
    """Seconds of the processor that an action takes, the least of two runs, and what it gives.

    The time of the processor, so that what else runs on the machine does not count.
    """
    runs = []
    for _ in range(2):
        start = time.process_time()
        given = action()
        runs.append((time.process_time() - start, given))
    return min(runs)


def cold() -> tuple[float, float]:
    """Seconds of the fastest of five cold runs of `kb diff`, and how many of the processor one takes on average."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    fastest = best_of(5, "diff", OLD, NEW)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return fastest, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 5


def main() -> None:
    """Prints the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    fastest, used = cold()
    print(f"kb diff {OLD} {NEW}, from cold: {fastest:.2f} s, {used:.2f} s of the processor (aim: under {SECONDS} s)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, text in enumerate(generate(count)):
            (folder / f"{number:05}.ttl").write_text(text, encoding="utf-8")
        for engine in shacl.ENGINES:
            one, _ = processor(lambda: determine(folder, engine))  # noqa: B023
            both, flips = processor(lambda: replay(folder, engine))  # noqa: B023
            print(
                f"{engine:9} ({count} cases, {flips} flip): one determination run {one:.2f} s, both revisions "
                f"{both:.2f} s: {both / one:.2f} times (aim: below {RATIO})"
            )


if __name__ == "__main__":
    main()
