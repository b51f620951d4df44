"""What it costs a server to record what it determines, in multiples of the same without records, within one run.

python benchmarks/records_served.py [ROUNDS]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from varied import varied

import kb_tools
from kb_tools.serve.case.desk import Chosen
from kb_tools.serve.determining import Determining
from kb_tools.serve.recording import Recording

# So many cases, rounds by default, and requests at once; and lines that go to a process together.
CASES, ROUNDS, AT_ONCE, TOGETHER = 400, 5, 4, {"full": 20, "rows": 100}
Work = Callable[[Determining, list[bytes], Chosen], Awaitable[object]]


async def single(determining: Determining, lines: list[bytes], chosen: Chosen) -> None:
    """Each case in a request of its own."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(line: bytes) -> None:
        async with room:
            await determining.determine(line, "json", chosen)

    await asyncio.gather(*map(one, lines))


def on_lines(operation: str) -> Work:
    """The cases on lines."""

    async def work(determining: Determining, lines: list[bytes], chosen: Chosen) -> None:
        size = TOGETHER[operation]
        chunks = [lines[start : start + size] for start in range(0, len(lines), size)]
        asked = (
            determining.exchange(operation, chosen, list(range(len(chunk))), body=b"\n".join(chunk)) for chunk in chunks
        )
        room = asyncio.Semaphore(AT_ONCE)

        async def one(exchange: Awaitable[object]) -> None:
            async with room:
                await exchange

        await asyncio.gather(*map(one, asked))

    return work


async def main(rounds: int) -> None:
    """Print the median of the rounds, by the clock: processes of their own determine."""
    kb = kb_tools.open().repository
    lines = [line.strip() for line in varied(kb, CASES)]
    with tempfile.TemporaryDirectory() as folder:
        servers = {
            "without": Determining(kb),
            "recorded": Determining(kb, recording=Recording(Path(folder) / "digests")),
            "recorded, cases kept": Determining(kb, recording=Recording(Path(folder) / "kept", True)),
        }
        chosen = servers["without"].chosen(policy="CP.MP.101", revision="2026-02")
        for name, work in (("single", single), ("lines", on_lines("full")), ("compact rows", on_lines("rows"))):
            found: dict[str, list[float]] = {server: [] for server in servers}
            for number in range(rounds + 1):
                for server, determining in servers.items():
                    begun = time.perf_counter()
                    await work(determining, lines, chosen)
                    if number:
                        found[server].append(time.perf_counter() - begun)
            alone = median(found["without"])
            ratios = ", ".join(f"{server} {median(times) / alone:.2f}" for server, times in found.items())
            print(f"{name:<14}{CASES / alone:8.0f} a second  {ratios}")
        for determining in servers.values():
            determining.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS))
