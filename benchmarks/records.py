"""What it costs to record determinations and to replay them, in multiples of determining alone, within one run.

python benchmarks/records.py [ROUNDS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import kb_tools
from kb_tools import Case
from kb_tools.rdf.shacl import fastest

# So many times each example case, and so many rounds by default.
TIMES, ROUNDS = 4, 5


def main(rounds: int) -> None:
    """Print the median of the rounds, in processor time."""
    kb, engine = kb_tools.open(), fastest()
    cases = [case for case in kb.read_cases(kb.root / "policies/CP.MP.101/cases") if isinstance(case, Case)] * TIMES

    def determine(folder: Path | None = None, keep_cases: bool = False) -> None:
        record = kb.recorder(folder, keep_cases=keep_cases) if folder else None
        kb.determine(cases, revision="2026-02", engine=engine, pieces=True, record=record)

    determine()
    found: dict[str, list[float]] = {"recorded": [], "recorded, cases kept": [], "replayed": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            digests, kept = Path(folder) / "digests", Path(folder) / "kept"
            alone = seconds(determine)
            found["recorded"].append(seconds(partial(determine, digests)) / alone)
            found["recorded, cases kept"].append(seconds(partial(determine, kept, True)) / alone)
            found["replayed"].append(seconds(partial(kb.replay, kept)) / alone)
    print(
        f"{len(cases)} cases with {engine}, processor time in multiples of determining alone, median of {rounds} rounds"
    )
    for what, ratios in found.items():
        print(f"{what:<22}{median(ratios):.2f}")


def seconds(work: Callable[[], object]) -> float:
    """The processor time of a piece of work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
