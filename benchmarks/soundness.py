"""Whether answers stay right whichever way what is unsaid turns out: tests/properties.py on many cases.

Usage: python benchmarks/soundness.py [--cases 20000] [--seed 11] [--properties abcdefg] [--sets]

Prints, for each property, how many checks were made of what, how many violations were found and the smallest case of
each; ends with 1 if there is any. With --sets, every set of up to three findings is held against the oracle too, over
sets of findings of which the tests take a sample. About 40 minutes for 20,000 cases on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from random import Random

# The properties and the cases are those of the tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from generated import generated
from history import WITH_DOCUMENT
from properties import Asked, Found, completion, engines, fhir, formats, removal, repetition, shift
from small_cases import LARGE, SMALL, Implementation, disagreements
from strategies import Picture

# So many cases at a time: all that is known of more would not fit in memory.
STEP = 500
# The largest set of which every three findings are too many.
TOO_LARGE = ("statuses",)
Property = Callable[[Sequence[Picture]], Found]


def properties(engine: str) -> dict[str, tuple[str, Property]]:
    """Each property by its letter in the issue, with its name."""
    asked, chance = Asked(engine), Random(1)

    def under_each(one: Callable[[Sequence[Picture], str], Found]) -> Property:
        return lambda pictures: joined(one(pictures, revision) for revision in WITH_DOCUMENT)

    return {
        "a": ("completion", lambda pictures: completion(asked, pictures)),
        "b": ("removal", lambda pictures: removal(asked, pictures)),
        "c": ("repetition", under_each(lambda pictures, revision: repetition(pictures, revision, chance))),
        "d": ("formats", under_each(formats)),
        "e": ("engines", under_each(engines)),
        "f": ("shift", under_each(lambda pictures, revision: shift(pictures, revision, chance))),
        "g": ("FHIR", under_each(fhir)),
    }


def joined(parts: Iterable[Found]) -> Found:
    """The checks and violations of several parts together."""
    total = Found()
    for part in parts:
        total.checks += part.checks
        total.violations += part.violations
    return total


def report(name: str, found: Found, seconds: float) -> None:
    """Prints what a property found."""
    print(f"{name}: {found.checks.total()} checks, {len(found.violations)} violations, {seconds:.0f} s", flush=True)
    for what, count in sorted(found.checks.items()):
        print(f"    {what}: {count}")
    for what, picture, varied, came in found.smallest():
        print(f"  VIOLATION {what}: {came}\n    {picture}\n    {varied}")


def sets(engine: str) -> int:
    """How many cases of up to three findings differ from the oracle."""
    implementation, differing = Implementation(engine), 0
    for name, universe in chain(SMALL.items(), LARGE.items()):
        start = time.perf_counter()
        pictures = list(universe.sample(50_000, 3) if name in TOO_LARGE else universe.up_to(3))
        found = list(disagreements(pictures, implementation))
        differing += len(found)
        seconds = time.perf_counter() - start
        print(f"sets of {name}: {len(pictures)} cases, {len(found)} differ, {seconds:.0f} s", flush=True)
        for picture, came, wanted in found[:1]:
            print(f"  DIFFERS {picture}\n    {came}\n    {wanted}")
    return differing


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, help="how many cases to generate")
    parser.add_argument("--seed", type=int, default=11, help="other cases for another seed")
    parser.add_argument("--properties", default="abcdefg", help="the letters of the properties to try")
    parser.add_argument("--sets", action="store_true", help="hold every small set of findings against the oracle")
    parser.add_argument("--engine", default="pyshifty", help="the SHACL engine")
    given = parser.parse_args()
    pictures = list(generated(given.cases, given.seed))
    print(f"{len(pictures)} cases, seed {given.seed}")
    wrong = sets(given.engine) if given.sets else 0
    for letter, (name, property_) in properties(given.engine).items():
        if letter in given.properties:
            start = time.perf_counter()
            steps = (pictures[first : first + STEP] for first in range(0, len(pictures), STEP))
            found = joined(map(property_, steps))
            wrong += len(found.violations)
            report(f"({letter}) {name}", found, time.perf_counter() - start)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
