"""What `kb shapes` exports, through every engine: each gives each case of counts, windows, ages, quantities, products
and several indications what `kb validate` gives it.

The cases are all of those that the tests of each of these try. Two ways lead from a case to its outcome: the case with
what counts of it derived beforehand (`kb validate --prepare`), and the case as it is, by the rules of the graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import product
from pathlib import Path

import pytest
import test_another_domain
import test_counts
import test_indications
import test_products
import test_windows
from several_policies import beside_those_on_file
from signs import VALUES, with_al2
from signs import cases_of as cases_of_signs
from wn3 import cases_of, gvhd, line, mrd, revision_of

from kb_tools.cases.ages import aged
from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.ages_seen import looks_at_ages
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.result import Determination
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.terms import graph_of

Group = tuple[Repository, Revision, list[Determination]]
# The engine, and whether it derives what counts by the rules of the graph.
WAYS = [("pyshacl", False), ("pyshacl", True), ("pyshifty", False), ("pyshifty", True), ("shacl", False)]
# So many cases derive what counts of them together: the rules of rdflib take more and more for each the more there are.
FEW = 8
# How many cases each group has.
GROUPS = {
    "two of four": 256,
    "three of four": 256,
    "several indications": 144,
    "windows": 38,
    "longer windows": 38,
    "the patient's age": 8,
    "quantities, durations and counts": len(test_another_domain.LINES),
    "products": len(test_products.LINES) + len(test_products.WITHOUT),
}
# As the names of the outcome shapes.
_NAMES = {"CriteriaMet": "", "InformationNeeded": "Undetermined", "InformationConflicting": "Undetermined"}


def _loaded(kb: Repository, policy: str, name: str) -> Revision:
    found = kb.policy(policy)
    return Revision.load(found, found.entry(name))


def _of_lines(kb: Repository, lines: Iterable[bytes]) -> list[Case]:
    found = list(CaseReader(kb).stream("cases.jsonl", None, BytesIO(b"\n".join(lines)), "jsonl"))
    assert all(isinstance(case, Case) for case in found), found
    return [case for case in found if isinstance(case, Case)]


def _windows() -> list[bytes]:
    """The findings on each side of each boundary, and those that supersede and contradict each other around one."""
    old, new = "2024-01-15", "2024-08-01"
    flow, pcr = {"method": "FlowCytometry"}, {"method": "PolymeraseChainReaction"}
    around = [
        (mrd(old, "MRDDetected", **flow), mrd(new, "MRDNotDetected", **pcr)),
        (mrd(old, "MRDNotDetected", **flow), mrd(new, "MRDDetected", **pcr)),
        (mrd(old, "MRDNotDetected", **flow),),
        (mrd(old, "MRDDetected", **flow), mrd(new, "MRDNotDetected", **flow)),
        (mrd(old, "MRDDetected", **flow), mrd(old, "MRDNotDetected", **flow)),
        (mrd(new, "MRDDetected", **flow), mrd(new, "MRDNotDetected", **flow)),
        (mrd(old, "MRDDetected", **flow, inDoubt="unread"), mrd(new, "MRDNotDetected", **pcr)),
        (mrd(new, "MRDDetected", **flow, inDoubt="unread"), gvhd(new, 0)),
    ]
    return [*test_windows.LINES, *(line("2024-08-31", *findings) for findings in around)]


def _ages() -> list[bytes]:
    findings = (mrd("2026-06-01"), gvhd("2026-06-20", 0))
    ages = [{} if age is None else {"patientAge": age} for age in (0, 17, 18, 19, 64, 65, 90, None)]
    return [line("2026-07-01", *findings, **stated) for stated in ages]


@pytest.fixture(scope="module")
def group(
    with_wn3: Repository, with_bs6: Repository, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Group]:
    """The cases of a group, as `kb validate` determines them with the reference engine."""
    al2, pr8 = tmp_path_factory.mktemp("al2"), tmp_path_factory.mktemp("pr8")
    with_al2(al2), beside_those_on_file(pr8, "PR.8", cases=False)
    signs, products = Repository(al2), Repository(pr8)
    kept: dict[str, Group] = {}

    def of_signs(name: str, rows: Iterable[dict[str, str]]) -> tuple[Repository, Revision, list[Case]]:
        file: Path = tmp_path_factory.mktemp("cases") / "cases.jsonl"
        return signs, _loaded(signs, "AL.2", name), cases_of_signs(signs, file, rows)

    def counted(name: str) -> tuple[Repository, Revision, list[Case]]:
        none = {test_counts.GVHD: "fails", test_counts.INFUSION: "fails"}
        every = product(VALUES, repeat=len(test_counts.SIGNS))
        return of_signs(name, (dict(zip(test_counts.SIGNS, values, strict=True)) | none for values in every))

    makers: dict[str, Callable[[], tuple[Repository, Revision, list[Case]]]] = {
        "two of four": lambda: counted("2024-01"),
        "three of four": lambda: counted("2025-01"),
        "several indications": lambda: of_signs("2026-01", test_indications.ROWS),
        "windows": lambda: (with_wn3, revision_of(with_wn3, "2024-01"), cases_of(with_wn3, _windows())),
        "longer windows": lambda: (with_wn3, revision_of(with_wn3, "2025-01"), cases_of(with_wn3, _windows())),
        "the patient's age": lambda: (with_wn3, revision_of(with_wn3, "2026-01"), cases_of(with_wn3, _ages())),
        "quantities, durations and counts": lambda: (
            with_bs6,
            _loaded(with_bs6, "BS.6", "2024-01"),
            _of_lines(with_bs6, test_another_domain.LINES),
        ),
        "products": lambda: (
            products,
            _loaded(products, "PR.8", "2024-01"),
            _of_lines(products, [*test_products.LINES, *test_products.WITHOUT]),
        ),
    }

    def determined(name: str) -> Group:
        if name not in kept:
            kb, revision, read = makers[name]()
            checked = [case for case in CaseChecker(kb, "pyshacl").check(read) if isinstance(case, Case)]
            kept[name] = kb, revision, Determiner(kb, revision, "pyshacl").determine(checked)
        return kept[name]

    return determined


def by_engine(found: Group, engine: str, rules: bool) -> list[list[str]]:
    """What the results of an engine say of each case: the shapes, an outcome shape by its name."""
    kb, revision, answers = found
    cases = [answer.case for answer in answers]
    deciding = [revision.conditions[iri] for iri in revision.deciding_conditions]
    if not rules and looks_at_ages(kb.evaluated, deciding):
        cases = list(map(aged, cases))
    exported = graph_of(self_contained(kb, revision))
    said: dict[str, list[str]] = {str(case.names[case.node]): [] for case in cases}
    for some in batched(cases, FEW if rules else len(cases)):
        for result in shacl.validate(prepared(kb, some, derived=not rules), exported, engine, rules=rules):
            said[result.focus].append(result.shape.removeprefix(f"{revision.iri}/outcome/"))
    return list(said.values())


def batched(cases: list[Case], size: int) -> Iterator[list[Case]]:
    return (cases[start : start + size] for start in range(0, len(cases), size))


def by_kb(found: Group) -> list[list[str]]:
    names = (_NAMES.get(answer.outcome.value, answer.outcome.value) for answer in found[2])
    return [[name] if name else [] for name in names]


@pytest.mark.extended
@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize(("engine", "rules"), WAYS)
def test_every_engine_gives_every_case_the_outcome_of_kb_validate(
    group: Callable[[str], Group], name: str, engine: str, rules: bool
) -> None:
    found = group(name)
    wanted, said = by_kb(found), by_engine(found, engine, rules)
    assert [place for place, one in enumerate(wanted) if said[place] != one] == []
    assert len(wanted) == len(said) == GROUPS[name]
    assert len(Counter(map(tuple, wanted))) > 1
