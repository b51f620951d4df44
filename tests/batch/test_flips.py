"""Flips of a run are attributed as `kb diff` attributes them."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from run_cases import ENGINE, case, ignore, rows

from kb_tools.batch import flips
from kb_tools.batch.run import Summary, carry_out, plan
from kb_tools.batch.work import Settings
from kb_tools.cases.case import Case
from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.terms import local_name
from kb_tools.render.case_json import write
from kb_tools.revisions.change import Diff
from kb_tools.revisions.compare import compare, criteria_that_differ
from kb_tools.revisions.impact import Cause, cause_of, changed_criteria, with_impact

pytestmark = pytest.mark.usefixtures("words_once")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lines(kb: Repository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example cases as plain JSON, one a line; some that cannot be written so are left out."""
    reader, forms, found = CaseReader(kb), CaseForms(kb), []
    for path in sorted((ROOT / "policies/CP.MP.101/cases").glob("*.ttl"))[::3]:
        if path.name != "manifest.ttl":
            try:
                found += [json.dumps(write(forms, one), default=str) for one in reader.read(str(path), path)]
            except (KbError, UnreadableInput):
                continue
    path = tmp_path_factory.mktemp("flips") / "cases.jsonl"
    path.write_text("\n".join([*found, case(1)[:-9]]) + "\n")
    return path


DIFFS: dict[tuple[str, str], Diff] = {}


def diff_of(policy: Policy, old: str, new: str, engine: str = ENGINE) -> Diff:
    """The difference of two revisions, worked out once."""
    if (old, new) not in DIFFS:
        DIFFS[old, new] = compare(policy, old, new, engine)
    return DIFFS[old, new]


@pytest.fixture(autouse=True)
def diffs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flips, "compare", diff_of)


def run(kb: Repository, lines: Path, to: Path, **asked: Any) -> tuple[Summary, list[dict[str, Any]]]:
    made = plan(kb, [lines], to, Settings(root="", engine=ENGINE, **asked))
    return carry_out(made, 1, ignore), rows(to)


@pytest.mark.parametrize(("old", "new"), [("2019-10", "2026-02"), ("2026-02", "2019-10")])
def test_flips_are_attributed_as_by_diff(kb: Repository, lines: Path, tmp_path: Path, old: str, new: str) -> None:
    summary, found = run(kb, lines, tmp_path / "to", revision=old, compare=new)
    read = [one for one in CaseReader(kb).stream("cases", lines, io.BytesIO()) if isinstance(one, Case)]
    impact = with_impact(diff_of(kb.policy("CP.MP.101"), old, new), read, ENGINE).impact
    assert impact is not None
    assert len(impact.flips) > 30
    wanted: Counter[Any] = Counter()
    conditions: dict[Any, Counter[str]] = {}
    for flip in impact.flips:
        group = (flip.before.value, flip.after.value, flip.criteria, flip.rows)
        wanted[group] += 1
        conditions.setdefault(group, Counter()).update(flip.conditions)
    assert {(one.old, one.new, one.criteria, one.log): one.cases for one in summary.flipped} == wanted
    assert {(one.old, one.new, one.criteria, one.log): one.conditions for one in summary.flipped} == conditions
    assert {(one.old_revision, one.new_revision) for one in summary.flipped} <= {(old, new)}
    assert [one.cases for one in summary.flipped] == sorted(wanted.values(), reverse=True)
    # Each row has the same, in codes.
    counted = {
        flip.case.rpartition(":")[2].partition("#")[0]: (len(flip.criteria), len(flip.conditions))
        for flip in impact.flips
    }
    assert counted == {
        str(row["line"]): (len(row["flip_criteria"]), len(row["flip_conditions"])) for row in found if row["flips"]
    }
    assert {(*row["flip_criteria"], *row["flip_conditions"]) for row in found if not row["flips"]} == {()}


def test_a_row_says_in_codes_what_flipped_its_case(kb: Repository, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(case(1) + "\n" + case(2, lineOfBusiness="MedicareAdvantage") + "\n")
    _, found = run(kb, path, tmp_path / "to", revision="2019-10", compare="2026-02")
    assert [(row["flip_criteria"], row["flip_conditions"]) for row in found] == [
        (
            ["repeat-infusion of 2019-10: unknown"],
            ["earlier-dli-was-given: unknown", "benefit-of-earlier-dli-is-documented: unknown"],
        ),
        (["plan of 2026-02: fails"], ["plan-is-not-medicare: fails"]),
    ]


def test_where_no_revision_determines_a_case_nothing_is_attributed(kb: Repository, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    request = json.loads(case(1))["request"]
    path.write_text(case(1, request={**request, "serviceDate": "2012-01-01"}) + "\n")
    summary, (row,) = run(kb, path, tmp_path / "to", compare="2026-02")
    assert (row["outcome"], row["flips"], row["flip_criteria"]) == ("NotDetermined", True, [])
    assert (list(summary.flips.values()), summary.flipped) == ([1], ())


def test_what_is_attributed_is_worked_out_once(kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def counting(*given: Any) -> Cause:
        asked.append(given)
        return cause_of(*given)

    monkeypatch.setattr(flips, "cause_of", counting)
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(case(number, patient=f"q{number}") + "\n" for number in range(20)))
    summary, _ = run(kb, path, tmp_path / "to", revision="2019-10", compare="2025-02")
    assert [group.cases for group in summary.flipped] == [20]
    assert len(asked) == 1


def test_the_criteria_that_differ_are_those_that_diff_finds(kb: Repository) -> None:
    policy = kb.policy("CP.MP.101")
    found = diff_of(policy, "2019-10", "2026-02")
    assert criteria_that_differ(found.old, found.new) == changed_criteria(found).keys()
    assert {local_name(iri) for iri in changed_criteria(found)} >= {"indication", "repeat-infusion", "plan"}
