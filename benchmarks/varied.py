"""Varied cases as lines of plain JSON, as many as wanted, the same ones for the same seed.

    python benchmarks/varied.py 200000 > varied.jsonl

The generator is that of the tests: see `tests/support/varied_cases.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from varied_cases import varied

import kb_tools

__all__ = ["varied"]


def main() -> None:
    """Writes as many lines as are asked for to standard output."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 71
    for line in varied(kb_tools.open().repository, count, seed):
        sys.stdout.buffer.write(line)


if __name__ == "__main__":
    main()
