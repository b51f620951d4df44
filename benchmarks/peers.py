"""What deciding cases costs beside other engines on equal work, and by number of cases; all in one run.

    python benchmarks/peers.py [CASES] [PICTURE]

Part one: the graphs that kb gives its engine for CASES varied cases (default 300), all cases in one call: once for the
case shapes, once for the conditions of 2026-02. Every installed engine validates the same graphs; so does pyrudof
where it is installed, from N-Triples, and its results are counted. Regopy, where it is installed, decides the same
cases by Rego: two conditions, written here, whose values are held against SHACL's. Two limits: json.loads of the cases,
and pyoxigraph parsing the data of the case shapes.

Part two: the cost of a case by number of cases, for pySHACL with all cases in few calls, and for rows made of pieces,
cold and warm. PICTURE is written as SVG.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from math import log10
from pathlib import Path
from typing import Any

import pyoxigraph as ox
from rdflib import Graph, URIRef
from rdflib.namespace import RDF
from runs import in_batches, maker
from varied import varied

import kb_tools
from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.standing import Vocabulary
from kb_tools.determine.evaluate import Evaluator
from kb_tools.model.logic import Value
from kb_tools.model.revision import Revision
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE, CLIN, COND
from kb_tools.rdf.terms import local_name

REVISION = "2026-02"
FASTEST = next(engine for engine in ("shacl", "pyshifty", "pyshacl") if find_spec(engine))
COUNTS = (1, 10, 100, 1_000, 10_000)
# Of the plain way no more: it takes the same for each case from here on.
MOST_PLAIN = 300
# By Rego: whether a finding that counts speaks for each of two conditions.
RULES = """package kb
import rego.v1
default transplanted := false
transplanted if { some f in input.findings; f.type == "Transplant"; f.graftSource in data.allogeneic }
default detected := false
detected if { some f in input.findings; f.type == "MRDTest"; f.mrdResult == "MRDDetected" }
"""
BY_RULE = {"transplanted": COND["after-allogeneic-transplant"], "detected": COND["mrd-is-detected"]}


def milliseconds(action: Callable[[], object]) -> tuple[float, Any]:
    """The processor time that something takes, and what it gives."""
    started = time.process_time()
    given = action()
    return (time.process_time() - started) * 1e3, given


def recorded(action: Callable[[], object]) -> tuple[Graph, Graph]:
    """The data and shapes that the engine is given; the engine is not called."""
    given: list[tuple[Graph, Graph]] = []
    validate = shacl.validate

    def record(data: Graph, shapes: Graph, engine: str) -> list[shacl.ShaclResult]:
        given.append((data, shapes))
        return []

    shacl.validate = record  # type: ignore[assignment]
    try:
        action()
    finally:
        shacl.validate = validate
    (graphs,) = given
    return graphs


def by_rudof(data: str, shapes: str) -> int:
    """How many results pyrudof gives."""
    pyrudof: Any = import_module("pyrudof")
    rudof = pyrudof.Rudof(pyrudof.RudofConfig())
    rudof.read_data(data, pyrudof.RDFFormat.NTriples)
    rudof.read_shacl(shapes, pyrudof.ShaclFormat.NTriples)
    return len(list(rudof.validate_shacl().violations))


def engines(title: str, data: Graph, shapes: Graph, count: int) -> None:
    """Has every engine validate the same graphs, and prints what a case costs."""
    print(f"{title}: {len(data):,} statements, {len(shapes):,} of shapes")
    texts = [graph.serialize(format="nt", encoding="utf-8").decode() for graph in (data, shapes)]
    taken, _ = milliseconds(lambda: list(ox.parse(texts[0].encode(), ox.RdfFormat.N_TRIPLES)))
    print(f"    {'pyoxigraph, parsing alone':32} {taken / count:9.3f} ms a case")
    for engine in shacl.ENGINES:
        try:
            taken, results = milliseconds(lambda engine=engine: shacl.validate(data, shapes, engine))  # type: ignore[misc]
        except kb_tools.KbError as error:
            print(f"    {engine:32} {error.what}")
        else:
            print(f"    {engine:32} {taken / count:9.3f} ms a case, {len(results):6,} results")
    try:
        taken, found = milliseconds(lambda: by_rudof(*texts))
    except ImportError:
        print("    pyrudof is not installed")
    else:
        print(f"    {'pyrudof, N-Triples':32} {taken / count:9.3f} ms a case, {found:6,} results")


def by_rego(cases: Sequence[Case], evaluator: Evaluator) -> None:
    """Has regopy say of each case whether two conditions hold, and holds that against SHACL's values."""
    try:
        regopy: Any = import_module("regopy")
    except ImportError:
        print("    regopy is not installed")
        return
    known = Vocabulary(kb_tools.open().repository)
    inputs = [
        {
            "findings": [
                {local_name(one): local_name(other) for one, other in case.about[URIRef(str(node))]} for node in nodes
            ]
        }
        for case, nodes in ((case, case.values(case.node, CASE.currentFinding)) for case in cases)
    ]
    for content in inputs:
        for finding in content["findings"]:
            finding["type"] = finding.pop(local_name(RDF.type))
    rego = regopy.Interpreter()
    rego.add_module("kb", RULES)
    rego.add_data({"allogeneic": sorted(map(local_name, known.below(CLIN.Allogeneic)))})

    def decide() -> list[dict[str, bool]]:
        found = []
        for content in inputs:
            rego.set_input(content)
            found.append(json.loads(str(rego.query("data.kb")))["expressions"][0])
        return found

    taken, decided = milliseconds(decide)
    evidence = evaluator.evaluate(cases)
    speaking = (Value.HOLDS, Value.CONFLICTING)
    differing = sum(
        values[rule] != (of_case[str(iri)].value in speaking)
        for of_case, values in zip(evidence, decided, strict=True)
        for rule, iri in BY_RULE.items()
    )
    print(f"    {'regopy, 2 conditions':32} {taken / len(cases):9.3f} ms a case, {differing} of its values differ")


def curves(lines: Sequence[bytes]) -> dict[str, list[tuple[int, float]]]:
    """The milliseconds of a case, by number of cases, for each way."""
    kb = kb_tools.open().repository
    found: dict[str, list[tuple[int, float]]] = {"pySHACL": [], "pieces, cold": [], "pieces, warm": []}
    for count in COUNTS:
        some = lines[:count]
        if count <= MOST_PLAIN:
            plain = maker(kb, "pyshacl", by_pieces=False)
            found["pySHACL"].append((count, milliseconds(lambda: plain.of_lines(some))[0] / count))  # noqa: B023
        rows = maker(kb, FASTEST)
        make = in_batches(rows)
        for way in ("pieces, cold", "pieces, warm"):
            found[way].append((count, milliseconds(lambda: make(some))[0] / count))  # noqa: B023
    return found


def picture(found: dict[str, list[tuple[int, float]]]) -> str:
    """The curves as SVG: both axes by powers of ten."""
    width, height, left, top = 640, 360, 70, 20

    def place(count: int, cost: float) -> tuple[float, float]:
        return left + log10(count) / 4 * (width - left - 150), top + (3 - log10(cost)) / 5 * (height - top - 40)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        "<style>text{font-size:12px}</style>",
        "<title>Milliseconds a case by number of cases</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for power in range(-2, 4):
        x, y = place(1, 10**power)
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{width - 150}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{10**power:g} ms</text>')
    for count in COUNTS:
        x, y = place(count, 10**-2)
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{count:,}</text>')
    for (way, points), color in zip(found.items(), ("#b3261e", "#1f5fa8", "#2e7d32"), strict=True):
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        x, y = place(*points[-1])
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{color}">{way}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measures and prints."""
    given = [*sys.argv[1:], "", ""]
    count = int(given[0] or 300)
    kb = kb_tools.open().repository
    lines = [line.rstrip() for line in varied(kb, max(COUNTS))]
    reader = maker(kb, FASTEST)
    read = [reader.read(line) for line in lines[: 2 * count]]
    cases = [case for case in read if isinstance(case, Case)]
    checker = CaseChecker(kb, FASTEST)
    checked = [
        (case, found) for case, found in zip(cases, checker.check(cases), strict=True) if isinstance(found, Case)
    ]
    as_read, sound = [case for case, _ in checked][:count], [found for _, found in checked][:count]
    policy = kb.policy(None)
    evaluator = Evaluator(kb, Revision.load(policy, policy.entry(REVISION)).conditions.values(), FASTEST)
    taken, _ = milliseconds(lambda: [json.loads(line) for line in lines[:1000] if line.endswith(b"}")])
    print(f"json.loads of a case {taken / 1000:9.3f} ms")
    engines("case shapes", *recorded(lambda: checker.check(as_read)), count)
    engines(f"conditions of {REVISION}", *recorded(lambda: evaluator.evaluate(sound)), count)
    surely = [case for case in sound if not case.values(case.node, CASE.perhapsFinding)]
    by_rego(surely, Evaluator(kb, evaluator.conditions, FASTEST))
    found = curves(lines)
    print(f"a case in milliseconds, {FASTEST} for pieces" + "".join(f"{number:>10,}" for number in COUNTS))
    for way, points in found.items():
        print(f"    {way:32}" + "".join(f"{cost:10.3f}" for _, cost in points))
    if given[1]:
        Path(given[1]).write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
