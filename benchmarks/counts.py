"""What a criterion that counts its parts costs other engines in what `kb shapes` exports, by the number of parts.

Usage: python benchmarks/counts.py

Prints the processor time of one case held against the criteria of 2026-02 with a count in place of its indication, as a
multiple of that of the same engine for two of four. An engine that does not keep what a shape came to at a node walks
through a named shape once for every way that leads to it.
"""

from __future__ import annotations

import time
from pathlib import Path

from rdflib import Graph

from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.model.logic import Tree
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.terms import graph_of

ROOT = Path(__file__).parents[1]
SIZES = ((2, 4), (3, 6), (4, 8), (5, 10))
ENGINES = ("pyshifty", "pyshacl")
TIMES = 5


def main() -> None:
    """Measure and print."""
    kb = Repository(ROOT)
    policy = kb.policy("CP.MP.101")
    path = policy.cases_folder / "no-acute-gvhd-assessment-is-asked-for.ttl"
    checked = CaseChecker(kb, "pyshifty").check(CaseReader(kb).read(path.name, path))
    case = prepared(kb, [found for found in checked if isinstance(found, Case)])
    base: dict[str, float] = {}
    for least, count in SIZES:
        revision = Revision.load(policy, policy.entry("2026-02"))
        counting = Tree("atLeast", revision.deciding_conditions[:count], least=least)
        # In place of what the revision states, which a cached property would give.
        revision.__dict__["criteria_tree"] = Tree("allOf", (counting,))
        shapes = self_contained(kb, revision)
        for engine in ENGINES:
            seconds = min(_seconds(case, shapes, engine) for _ in range(TIMES))
            ratio = seconds / base.setdefault(engine, seconds)
            print(f"{least:2} of {count:2}  {engine:9} {ratio:6.1f} times")


def _seconds(case: Graph, shapes: Graph, engine: str) -> float:
    data, held = graph_of(case), graph_of(shapes)
    start = time.process_time()
    shacl.validate(data, held, engine)
    return time.process_time() - start


if __name__ == "__main__":
    main()
