"""Whether cases decided by their pieces come to the same as each by itself: on many varied cases.

Usage: python benchmarks/pieces.py [--cases 100000] [--seed 71] [--engine pyshifty] [--revision 2026-02] [--sets]

Prints how many rows differ from those of the reference path, and the first of them; ends with 1 if there is any. With
--sets, the derivation in Python is held against the SPARQL rules on every set of up to three findings, of which the
tests take a sample. About 20 minutes for 100,000 cases on one core, and as long again with --sets.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import chain, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from small_cases import LARGE, SMALL
from standings import differing
from varied_cases import varied

import kb_tools
from kb_tools.batch.rows import RowMaker
from kb_tools.determine.run import Run

# So many cases at a time.
STEP = 1_000
# The largest set of which every three findings are too many.
TOO_LARGE = ("statuses",)


def rows(count: int, seed: int, engine: str, revision: str | None) -> int:
    """How many rows differ from those of the reference path."""
    kb = kb_tools.open().repository
    by_pieces, plain = (
        RowMaker(Run(kb, kb.policy("CP.MP.101"), engine, revision), by_pieces=by_pieces) for by_pieces in (True, False)
    )
    lines = varied(kb, count, seed)
    seconds = {"by pieces": 0.0, "each by itself": 0.0}
    outcomes: dict[str, int] = {}
    differ = done = 0
    while step := list(islice(lines, STEP)):
        start = time.perf_counter()
        found = by_pieces.of_lines(step)
        middle = time.perf_counter()
        wanted = plain.of_lines(step)
        seconds["by pieces"] += middle - start
        seconds["each by itself"] += time.perf_counter() - middle
        done += len(step)
        for line, one, other in zip(step, found, wanted, strict=True):
            outcomes[other.outcome] = outcomes.get(other.outcome, 0) + 1
            if one != other:
                differ += 1
                if differ <= 3:
                    print(f"  DIFFERS {line.decode(errors='replace')}    {one}\n    {other}", flush=True)
        if done % (10 * STEP) == 0:
            print(f"{done} cases, {differ} differ", flush=True)
    print(f"{done} cases, seed {seed}, {engine}, {revision or 'in force by date'}: {differ} differ")
    print("  " + ", ".join(f"{outcome} {number}" for outcome, number in sorted(outcomes.items())))
    print("  " + ", ".join(f"{path} {taken:.1f} s" for path, taken in seconds.items()))
    return differ


def sets() -> int:
    """How many cases of up to three findings stand otherwise than by the rules."""
    differ = 0
    for name, universe in chain(SMALL.items(), LARGE.items()):
        start = time.perf_counter()
        sampled = name in TOO_LARGE
        found = list(differing(universe.sample(50_000, 3) if sampled else universe.up_to(3)))
        differ += len(found)
        which = "50,000 sets" if sampled else "every set of up to three findings"
        print(f"{name}, {which}: {len(found)} differ, {time.perf_counter() - start:.0f} s", flush=True)
        for picture, came, wanted in found[:1]:
            print(f"  DIFFERS {picture}\n    {came}\n    {wanted}")
    return differ


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000, help="how many cases to generate")
    parser.add_argument("--seed", type=int, default=71, help="other cases for another seed")
    parser.add_argument("--engine", default="pyshifty", help="the SHACL engine")
    parser.add_argument("--revision", help="the revision for all cases; else that in force by date")
    parser.add_argument("--sets", action="store_true", help="hold the derivation in Python against the rules too")
    given = parser.parse_args()
    wrong = sets() if given.sets else 0
    wrong += rows(given.cases, given.seed, given.engine, given.revision)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
