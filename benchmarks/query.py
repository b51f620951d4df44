"""How fast a query is answered from cold: on this knowledge base, and on one of many policies beside rdflib alone.

Usage: python benchmarks/query.py [NUMBER_OF_POLICIES]
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kb_tools.ask import dataset
from kb_tools.ask.request import Inquiry
from kb_tools.ask.resolve import resolve
from kb_tools.model.repository import Repository, find_root

KB = Path(sys.executable).with_name("kb")
MODEL = "CP.MP.101"

# The same query without the parts of this project: the files of its default graph, read and asked by rdflib.
ALONE = """
import sys
import rdflib
graph = rdflib.Graph()
for line in sys.stdin.read().splitlines():
    graph.parse(line, format="turtle")
print(len(list(graph.query(open(sys.argv[1], encoding="utf-8").read()))), len(graph))
"""


def synthetic(root: Path, folder: Path, count: int) -> None:
    """A knowledge base of `count` policies, all but the first of them copies of it under other names."""
    for name in ("ontology", "shapes"):
        shutil.copytree(root / name, folder / name)
    model = root / "policies" / MODEL
    # Example cases are no part of the graphs; what is expected of them is.
    paths = [path for path in model.rglob("*.ttl") if path.parent.name != "cases" or path.name == "manifest.ttl"]
    files = {path.relative_to(model): path.read_text(encoding="utf-8") for path in paths}
    for number in range(count):
        name = f"SYN.{number:04}" if number else MODEL
        for path, text in files.items():
            target = folder / "policies" / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            renamed = re.sub(r'sh:prefix "(\w+)"', rf'sh:prefix "\g<1>{number}"', text.replace(MODEL, name))
            target.write_text(renamed if number else text, encoding="utf-8")


def timed(*arguments: object, stdin: str = "") -> tuple[float, str]:
    """Seconds that a program takes, and what it prints."""
    start = time.perf_counter()
    done = subprocess.run(list(map(str, arguments)), input=stdin, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout


def best_of(times: int, *arguments: object) -> float:
    """Seconds of the fastest of several cold runs of `kb`."""
    return min(timed(KB, *arguments)[0] for _ in range(times))


def main() -> None:
    """Prints the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    root = find_root()
    print(f"kb query criteria, from cold:                       {best_of(5, 'query', 'criteria'):8.2f} s", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        synthetic(root, folder / "kb", count)
        kb = Repository(folder / "kb")
        asked = ("query", "criteria", "--format", "csv", "--kb", kb.root)
        size = sum(path.stat().st_size for path in dataset.graph_names(kb)) / 2**20
        print(f"{count} policies of the size of {MODEL}, {size:.0f} MiB of Turtle", flush=True)
        loading, _ = timed(KB, *asked, "--policy", MODEL)
        print(f"  loaded once, and asked about one policy:          {loading:8.2f} s", flush=True)
        laying, shown = timed(KB, *asked)
        print(f"  a default graph of all laid down once, and asked: {laying:8.2f} s", flush=True)
        print(f"  asked about one policy, from cold:                {best_of(5, *asked, '--policy', MODEL):8.2f} s")
        asked_all = best_of(5, *asked)
        print(f"  asked about all, from cold:                       {asked_all:8.2f} s", flush=True)
        request = resolve(kb, Inquiry(kb.root, question="criteria"))
        query = folder / "criteria.rq"
        query.write_text(request.checked.text, encoding="utf-8")
        graphs = set(request.graphs or ())
        files = "\n".join(str(path) for path, graph in dataset.graph_names(kb).items() if graph in graphs)
        alone, found = timed(sys.executable, "-c", ALONE, query, stdin=files)
        rows, statements = map(int, found.split())
        assert rows == len(shown.splitlines()) - 1
        print(
            f"  rdflib alone, the same {statements} statements: {alone:14.2f} s, {alone / asked_all:.0f} times as long"
        )


if __name__ == "__main__":
    main()
