"""How long kb trace takes from cold, beside kb show, which reads the same revision and no document.

Usage: python benchmarks/trace.py DOCUMENT
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

KB = Path(sys.executable).with_name("kb")
RUNS = 5


def best(*arguments: str) -> float:
    """Seconds of the fastest of several cold runs of `kb`."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([KB, *arguments], capture_output=True, check=False)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Prints the figures."""
    document = sys.argv[1]
    shown = best("show", "2026-02")
    for name, options in (("kb trace", ()), ("kb trace --leaks", ("--leaks",))):
        taken = best("trace", document, *options)
        print(f"{name:18} {taken:6.2f} s, {taken / shown:4.1f} times kb show ({shown:.2f} s)")


if __name__ == "__main__":
    main()
