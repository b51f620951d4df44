"""What commands cost with three hundred policies on file, beside one: processor time, all in one run.

    python benchmarks/many_policies.py [POLICIES]

POLICIES copies (default 300) of an invented policy, each with a name, namespace and prefixes of its own, stand beside
the policy on file. Measured are: checking everything, checking again with nothing changed and with one policy changed;
a case determined, and a ready question asked, by new processes, with one policy on file and with all. Cached graphs are
made once before that.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
KB = [sys.executable, "-c", "from kb_tools.cli import main; main()"]
CASE = "policies/CP.MP.101/cases/relapsed-aml-after-transplant-meets.ttl"


def made(root: Path, policies: int) -> None:
    """A knowledge base with so many copies beside the policy on file."""
    for name in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / name, root / name)
    for number in range(1, policies + 1):
        folder = root / f"policies/GEN.{number}"
        shutil.copytree(ROOT / "tests/data/EX.5", folder)
        for path in folder.rglob("*.ttl"):
            text = path.read_text(encoding="utf-8").replace("EX.5", f"GEN.{number}")
            for prefix in ("xcrit", "xlog", "xpsg"):
                text = text.replace(f"{prefix}:", f"{prefix}{number}:").replace(f'"{prefix}"', f'"{prefix}{number}"')
            path.write_text(text, encoding="utf-8")


def seconds(arguments: Sequence[str], root: Path, tries: int = 1) -> float:
    """Processor time of a command and all that it starts, the least of several times."""
    found = []
    for _ in range(tries):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, "XDG_CACHE_HOME": str(root / "cache"), "KB_ROOT": str(root)}
        ended = subprocess.run(
            [*KB, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode == 2:
            raise SystemExit(f"kb {' '.join(arguments)}: {ended.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def main(policies: int) -> None:
    """Measure, and print each figure as soon as it is known."""
    with tempfile.TemporaryDirectory() as folder:
        one, all_ = Path(folder) / "one", Path(folder) / "all"
        made(one, 0)
        made(all_, policies)
        print(f"{policies + 1} policies, in seconds of processor time")
        print(f"kb check --all                  {seconds(['check', '--all'], all_):6.1f}")
        print(f"kb check, nothing changed       {seconds(['check'], all_, 3):6.1f}")
        with (all_ / "policies/GEN.1/2024-01/criteria.ttl").open("a", encoding="utf-8") as stream:
            stream.write("# changed\n")
        print(f"kb check, one policy changed    {seconds(['check'], all_):6.1f}")
        for arguments in (["validate", CASE], ["query", "codes", "--timeout", "600"]):
            named = [*arguments, "--policy", "CP.MP.101", "--revision", "2026-02"]
            for root in (one, all_):
                seconds(named, root)
            alone, beside = (seconds(named, root, 5) for root in (one, all_))
            print(f"kb {arguments[0]:28} {beside:6.2f}, beside {alone:.2f} with one policy: {beside / alone:.2f} times")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
