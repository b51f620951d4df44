"""Whether the SHACL engines give the same results, and what each takes for the same work, in one run.

Usage: python benchmarks/engines.py [NUMBER_OF_CASES] [SEED]

Every engine that is installed is held against pySHACL, on the example cases and on varied ones of which every tenth
has slips: on the case shapes, on every condition in both forms, and, for up to 100 cases of each set, on the composed
revision. Ends with 1 if any result differs. About two minutes for 1,000 cases on one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

# The cases and the comparison are those of the tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from agreement import Agreement, on_case_shapes, on_composed, on_conditions
from generated import generated
from installed import INSTALLED
from slips import with_slips
from small_cases import every_condition
from strategies import VOCABULARY, built

from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.evaluate import Evaluator
from kb_tools.determine.examples import read_manifest
from kb_tools.rdf.terms import without_remarks

REFERENCE, REVISION = "pyshacl", "2026-02"
# How many cases of each set are held against the composed revision.
COMPOSED = 100
T = TypeVar("T")


def examples() -> list[Case]:
    """Read the example cases."""
    reader = CaseReader(VOCABULARY)
    paths = {expected.path for expected in read_manifest(VOCABULARY, VOCABULARY.policy().cases_folder)}
    return [case for path in sorted(paths) for case in reader.read(path.name, path)]


def timed(action: Callable[[], T]) -> tuple[float, T]:
    """Give the seconds of processor time that an action takes, and what it gives."""
    start = time.process_time()
    given = action()
    return time.process_time() - start, given


def told(what: str, agreement: Agreement) -> int:
    """Print what was compared, and give how many results differ."""
    differing = sum(agreement.differing.values())
    known = sum(agreement.beyond_limits.values())
    print(f"    {what:16} {agreement.results:7} results, {differing} differ, {known} known (a date against a limit)")
    for row, count in list(agreement.differing.items())[:3]:
        print(f"      {count} times {row}")
    return differing


def compare(cases: Sequence[Case], other: str) -> int:
    """Hold an engine against the reference on all that is asked, and give how many results differ."""
    on_shapes, prepared = on_case_shapes(cases, REFERENCE, other)
    return (
        told("case shapes", on_shapes)
        + told("conditions", on_conditions(prepared, REFERENCE, other))
        + told("composed", on_composed(prepared[:COMPOSED], REVISION, REFERENCE, other))
    )


def main() -> None:
    """Print the comparisons and the ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    differing = 0
    with without_remarks():
        varied = list(with_slips(built(generated(count, seed)), share=0.1))
        for name, cases in (("example", examples()), ("varied", varied)):
            for other in INSTALLED:
                if other != REFERENCE:
                    print(f"{len(cases)} {name} cases, {other} held against {REFERENCE}:")
                    differing += compare(cases, other)
        print(f"{count} varied cases, pooled, seconds of processor time (times faster than {REFERENCE}):")
        first: dict[str, float] = {}
        for engine in INSTALLED:
            seconds, checked = timed(lambda engine=engine: CaseChecker(VOCABULARY, engine).check(varied))  # type: ignore[misc]
            prepared = [case for case in checked if isinstance(case, Case)]
            evaluator = Evaluator(VOCABULARY, every_condition(), engine)
            for what, taken in (
                ("case shapes and derivation", seconds),
                ("conditions", timed(lambda: evaluator.evaluate(prepared))[0]),  # noqa: B023
            ):
                ratio = first.setdefault(what, taken) / taken
                print(f"    {engine:9} {what:27} {taken:7.2f} s  {ratio:5.1f}")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
