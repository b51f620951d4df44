"""How long `kb validate --format json` takes for many varied cases, by pieces and without; and for one from cold.

Usage: python benchmarks/validate.py [--cases 2000] [--seed 71] [--turns 1] [--against PATH]

Each way runs in a process of its own, by turns, so that all meet the same load. Prints the seconds of processor time
and of the clock, as medians, and the ratios of the former to those by pieces. PATH is another checkout, such as
a worktree of the commit before; its answers must be the same bytes. Ends with 1 if any differ.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from varied_cases import varied

import kb_tools

ROOT = Path(__file__).parents[1]
KB = "import sys; sys.argv[0] = 'kb'; from kb_tools.cli import main; main()"


def run(root: Path, *arguments: str) -> tuple[float, float, bytes]:
    """Run kb of a checkout: seconds of processor time and of the clock, and what it prints on both streams."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", KB, *arguments],
        # Python looks for modules where it is started, before anywhere else.
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "KB_ROOT": str(root)},
        capture_output=True,
        check=False,
    )
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, clock, done.stdout + done.stderr


def compare(what: str, ways: dict[str, tuple[Path, tuple[str, ...]]], turns: int) -> bool:
    """Print how long each way takes, the first being that to which the others are compared; whether all are equal."""
    used: dict[str, list[float]] = {name: [] for name in ways}
    clock: dict[str, list[float]] = {name: [] for name in ways}
    printed: dict[str, bytes] = {}
    for name, (root, arguments) in chain.from_iterable([ways.items()] * turns):
        seconds, passed, printed[name] = run(root, *arguments)
        used[name].append(seconds)
        clock[name].append(passed)
    first = next(iter(ways))
    print(what)
    for name in ways:
        ratio = median(used[name]) / median(used[first])
        same = "" if printed[name] == printed[first] else ", OTHER ANSWERS"
        print(
            f"    {name:22} {median(used[name]):7.2f} s, clock {median(clock[name]):7.2f} s, {ratio:6.2f} times{same}",
            flush=True,
        )
    return all(text == printed[first] for text in printed.values())


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2_000, help="how many cases to generate")
    parser.add_argument("--seed", type=int, default=71, help="other cases for another seed")
    parser.add_argument("--turns", type=int, default=1, help="how often each way runs")
    parser.add_argument("--against", type=Path, metavar="PATH", help="another checkout")
    given = parser.parse_args()
    repository = kb_tools.open(ROOT).repository
    one = str(ROOT / "policies/CP.MP.101/cases/acute-gvhd-of-grade-2-excludes.ttl")
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "cases.jsonl"
        many.write_bytes(b"".join(varied(repository, given.cases, given.seed)))
        command = ("validate", str(many), "--format", "json")
        ways = {"by pieces": (ROOT, command), "--no-pieces": (ROOT, (*command, "--no-pieces"))}
        others: dict[str, tuple[Path, tuple[str, ...]]] = {}
        if given.against:
            ways["the other checkout"] = (given.against, command)
            others["the other checkout"] = (given.against, ("validate", one))
        same = compare(f"{given.cases} varied cases, --format json", ways, given.turns)
        same &= compare("one case from cold", {"this checkout": (ROOT, ("validate", one)), **others}, 5 * given.turns)
        help_: dict[str, tuple[Path, tuple[str, ...]]] = {"this checkout": (ROOT, ("--help",))}
        if given.against:
            help_["the other checkout"] = (given.against, ("--help",))
        compare("kb --help, which may say something else", help_, 10 * given.turns)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
