"""What it takes to tell what can still change, by the number of open conditions: by diagrams and by bit sets.

Usage: python benchmarks/logic.py

Prints the seconds and the peak of memory of a process that asks of a nested tree of so many open conditions which of
them can change it, and how many hold in the smallest assignment in which it holds. A bit set has a bit for each
assignment and doubles with every condition, so it is taken no further than 20.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from kb_tools.model.logic import Assignments, Tree, Value, side_by_side

SIZES = {"diagrams": (10, 20, 30, 60), "bits": (10, 20)}


def nested(count: int) -> Tree:
    """A tree of so many conditions, five to a criterion, where one criterion suffices."""
    names = [f"c{number:02}" for number in range(count)]
    groups = [names[first : first + 5] for first in range(0, count, 5)]
    return Tree(
        "anyOf",
        tuple(
            Tree("allOf", (one, Tree("anyOf", (two, Tree("allOf", (three, Tree("noneOf", (four, five))))))))
            for one, two, three, four, five in groups
        ),
    )


def by_diagrams(tree: Tree) -> tuple[int, int]:
    """How many conditions can change the tree, and how many hold in the smallest assignment in which it does."""
    space = Assignments(dict.fromkeys(side_by_side([tree], {}), Value.UNKNOWN))
    where = space.where(tree)
    return len(space.can_change(where)), list(space.smallest(where).values()).count(Value.HOLDS)


def by_bits(tree: Tree) -> tuple[int, int]:
    """The same by integers of which bit i stands for the assignment in which condition k holds if bit k of i is set."""
    names = list(tree.conditions())
    everything = (1 << (1 << len(names))) - 1
    # The sum of a geometric series: the pattern of one period, repeated over all assignments.
    holding = {
        name: (everything // ((1 << (2 << place)) - 1)) * (((1 << (1 << place)) - 1) << (1 << place))
        for place, name in enumerate(names)
    }

    def where(part: Tree | str) -> int:
        if isinstance(part, str):
            return holding[part]
        result = everything
        for below in map(where, part.parts):
            result &= below if part.operator == "allOf" else everything & ~below
        return everything & ~result if part.operator == "anyOf" else result

    found = where(tree)
    changing = [
        name
        for place, name in enumerate(names)
        if (found & holding[name]) >> (1 << place) != found & everything & ~holding[name]
    ]
    fewest = min(number.bit_count() for number, bit in enumerate(reversed(f"{found:b}")) if bit == "1")
    return len(changing), fewest


def main() -> None:
    """Prints a line for each way and size."""
    if len(sys.argv) > 1:
        way, count = sys.argv[1], int(sys.argv[2])
        tree = nested(count)
        start = time.perf_counter()
        found = (by_diagrams if way == "diagrams" else by_bits)(tree)
        seconds = time.perf_counter() - start
        # Kilobytes on Linux, bytes on macOS.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
        print(
            f"{way:<8} {count:>2} conditions: {seconds:8.3f} s, {peak:5.0f} MiB; {found[0]} can change, {found[1]} hold"
        )
        return
    # Each in a process of its own: the peak of a process never falls.
    for way, sizes in SIZES.items():
        for count in sizes:
            subprocess.run([sys.executable, __file__, way, str(count)], check=True)


if __name__ == "__main__":
    main()
