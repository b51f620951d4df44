"""How fast cases are determined, beside plain pySHACL called once a case on the same cases, in one run.

Usage: python benchmarks/determine.py [NUMBER_OF_CASES] [NUMBER_FOR_PLAIN_PYSHACL]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cases import generate

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.model.repository import Repository, find_root
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.terms import graph_of

KB = Path(sys.executable).with_name("kb")


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def best_of(times: int, *arguments: str) -> float:
    """Seconds of the fastest of several cold runs of `kb`."""
    return min(timed(lambda: subprocess.run([KB, *arguments], capture_output=True, check=False)) for _ in range(times))


def determine(folder: Path, engine: str) -> int:
    """Reads and determines every case of a folder, from nothing, and says how many."""
    kb = Repository(find_root())
    reader = CaseReader(kb)
    cases = (case for path in sorted(folder.glob("*.ttl")) for case in reader.read(path.name, path))
    answers = list(Run(kb, kb.policy(), engine, revision="2026-02").answers(cases))
    assert all(isinstance(answer, Determination) for answer in answers)
    return len(answers)


def plain_pyshacl(folder: Path, count: int) -> dict[str, float]:
    """Seconds a case of pySHACL called once a case, on cases with what counts of them derived beforehand.

    Once with no more than the shapes that must be looked at, case shapes and one target a condition and side; once with
    the revision's composed graph, as `kb shapes` prints it.
    """
    kb = Repository(find_root())
    reader = CaseReader(kb)
    read = [case for path in sorted(folder.glob("*.ttl"))[:count] for case in reader.read(path.name, path)]
    checker = CaseChecker(kb, "pyshacl")
    cases: list[Case] = [case for case in checker.check(read) if not isinstance(case, Malformed)]
    revision = Revision.load(kb.policy(), kb.policy().entry("2026-02"))
    conditions = kb.conditions + kb.case_shapes
    for condition in revision.conditions.values():
        for side, shape in (("holds", condition.holds_when), ("fails", condition.fails_when)):
            conditions.update(
                f"INSERT DATA {{ <{condition.iri}?{side}> a <{SH.NodeShape}> ; <{SH.node}> <{shape}> ; "
                f"<{SH.targetClass}> <https://w3id.org/policykb/case#Case> }}"
            )
    composed = self_contained(kb, revision)
    graphs = [graph_of([*checker.concepts, *case.triples()]) for case in cases]
    return {
        "conditions": timed(lambda: [shacl.validate(graph, conditions) for graph in graphs]) / len(graphs),
        "composed": timed(lambda: [shacl.validate(graph, composed) for graph in graphs]) / len(graphs),
    }


def main() -> None:
    """Prints the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    plain_count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, text in enumerate(generate(count)):
            (folder / f"{number:05}.ttl").write_text(text, encoding="utf-8")
        print(f"kb --help, from cold:             {best_of(5, '--help'):8.3f} s")
        print(f"kb validate, one case, from cold: {best_of(5, 'validate', str(folder / '00000.ttl')):8.3f} s")
        plain = plain_pyshacl(folder, plain_count)
        for what, seconds in plain.items():
            print(f"plain pySHACL, {what:10} ({plain_count} cases, one call each): {1 / seconds:8.1f} cases/s")
        for engine in shacl.ENGINES:
            per_case = timed(lambda engine=engine: determine(folder, engine)) / count  # type: ignore[misc]
            ratios = ", ".join(f"{seconds / per_case:.1f} times {what}" for what, seconds in plain.items())
            print(f"kb with {engine:9} ({count} cases): {1 / per_case:8.1f} cases/s: {ratios}")


if __name__ == "__main__":
    main()
