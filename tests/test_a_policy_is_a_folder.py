"""A policy is a folder: BS.6 is put beside those on file as it is, and everything answers with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from filecmp import dircmp
from functools import cache, partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from fhir_of import fhir_of
from pyarrow import parquet
from starlette.testclient import TestClient

import kb_tools
from kb_tools.ask import dataset
from kb_tools.ask.execute import execute
from kb_tools.ask.library import questions
from kb_tools.ask.pool import Pool
from kb_tools.ask.request import Inquiry
from kb_tools.ask.resolve import resolve
from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.checks import CHECKS, run_checks
from kb_tools.checks.core import Scope
from kb_tools.checks.units import Checker, units
from kb_tools.model.repository import Repository
from kb_tools.render.case_json import write
from kb_tools.revisions import compare
from kb_tools.revisions.requirements import contrasts_of
from kb_tools.serve.app import application
from kb_tools.serve.workbench import Workbench

pytestmark = pytest.mark.usefixtures("no_policy_preferred", "own_cache")
ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "tests/data/document/BS.6-2024-01.txt"
MEETS = "policies/BS.6/cases/bmi-of-40-meets.ttl"
DONOR = "policies/CP.MP.101/cases/acute-gvhd-of-grade-2-excludes.ttl"
Run = Callable[..., str]


@pytest.fixture
def said(with_bs6: Repository, run_kb: Callable[..., CompletedProcess[str]]) -> Run:
    """What a command prints where BS.6 is on file."""

    def run(*arguments: str, code: int = 0) -> str:
        done = run_kb(*arguments, "--kb", str(with_bs6.root))
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def client(with_bs6: Repository) -> Iterator[TestClient]:
    pool = Pool(with_bs6, size=1, timeout=20, patience=20)
    yield TestClient(
        application(Workbench(with_bs6), pool=pool), base_url="http://127.0.0.1:8014", client=("127.0.0.1", 50000)
    )
    pool.close()


# ---------------------------------------------------------------------- files, seals, checks


def differing(compared: dircmp[str]) -> Iterator[str]:
    """What is not the same in two folders, or in one of them alone."""
    for name in (*compared.left_only, *compared.right_only, *compared.diff_files, *compared.funny_files):
        yield str(Path(compared.left, name))
    for inner in compared.subdirs.values():
        yield from differing(inner)


def test_no_file_but_those_of_its_folder_differs(with_bs6: Repository) -> None:
    folders = ("ontology", "shapes", "policies")
    found = [one for name in folders for one in differing(dircmp(with_bs6.root / name, ROOT / name))]
    assert found == [str(with_bs6.root / "policies/BS.6")]
    assert not [path.name for path in (with_bs6.root / "policies/BS.6").rglob("*") if path.suffix == ".py"]


def test_all_checks_pass_and_all_seals_hold(with_bs6: Repository) -> None:
    """The other units see nothing of it, so that they come to what they come to without it."""
    found = {unit.name: unit for unit in units(with_bs6)}
    assert {name: unit for name, unit in found.items() if name != "BS.6"} == {
        unit.name: unit for unit in units(Repository(ROOT))
    }
    mine = Checker(with_bs6, found["BS.6"])
    alone = [check for check in CHECKS if found["BS.6"].concerns(check) and check.scope is not Scope.ALL_POLICIES]
    assert len(alone) > 35
    assert {check.id: problems for check in alone if (problems := mine.outcome(check).problems)} == {}
    together = run_checks(with_bs6, ["conditions-used", "generated", "seal"])
    assert [(result.check.id, result.problems) for result in together] == [
        ("conditions-used", ()),
        ("generated", ()),
        ("seal", ()),
    ]


def test_its_example_cases_come_to_what_is_expected_and_show_everything(said: Run) -> None:
    lines = said("test", "--policy", "BS.6", "--coverage", "--engine", "pyshifty").splitlines()
    assert lines[-1] == "BS.6: 54 expectations on 54 cases, 54 as expected, 0 not"
    assert not [line for line in lines if line.startswith("GAP")]


# ---------------------------------------------------------------------- commands


def test_it_is_shown(said: Run) -> None:
    assert "BS.6  Weight-Loss Surgery" in said("show")
    assert "III.A" in said("show", "BS.6/2024-01")


def test_a_case_of_each_format_finds_its_policy(said: Run, with_bs6: Repository, tmp_path: Path) -> None:
    [case] = CaseReader(with_bs6).read("case.ttl", with_bs6.root / MEETS)
    bundle = json.dumps(fhir_of(case)).replace('"display": "p"', '"display": "Example Plan"')
    written = {"case.json": json.dumps(write(CaseForms(with_bs6), case)), "bundle.json": bundle}
    for name, text in written.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = [str(with_bs6.root / MEETS), *(str(tmp_path / name) for name in written)]
    answers = json.loads(said("validate", *files, "--format", "json"))["determinations"]
    assert [(one["policy"], one["outcome"]) for one in answers] == [("BS.6", "CriteriaMet")] * 3
    other = said("validate", str(with_bs6.root / DONOR), "--policy", "CP.MP.101", code=1)
    assert "CRITERIA NOT MET" in other


def test_templates_and_schemas_hold_its_terms_where_they_are_asked_for(said: Run) -> None:
    def findings(*asked: str) -> set[str]:
        return {"SupervisedDiet", "Transplant"} & set(json.loads(said("case", "schema", *asked))["$defs"])

    assert findings() == {"SupervisedDiet", "Transplant"}
    assert findings("--policy", "BS.6") == {"SupervisedDiet"}
    assert findings("--policy", "CP.MP.101") == findings("--shared") == {"Transplant"}
    assert said("case", "schema", "--shared") == (ROOT / "docs/case.schema.json").read_text(encoding="utf-8")
    template = said("case", "template", "BS.6")
    assert '"//dietMonths"' in template and '"//graftSource"' not in template
    assert '"//graftSource"' in said("case", "template", "CP.MP.101")


# How many rows ready questions without a parameter of their own find in it.
ROWS = {
    "advisories": 1, "codes": 3, "conditions": 17, "criteria": 6, "definitions": 1, "documents-to-submit": 17,
    "open-discrepancies": 11, "readings": 38, "references-by-kind": 2, "uncited-references": 0,
}  # fmt: skip


def test_ready_questions_are_answered(with_bs6: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = cache(dataset.open_view)
    monkeypatch.setattr(dataset, "open_view", lambda kb, graphs: opened(kb, graphs and tuple(graphs)))
    rows = {}
    for question in questions():
        if question.scope == "revision":
            asked = Inquiry(with_bs6.root, question=question.name, policy="BS.6", revision="2024-01")
            rows[question.name] = len(execute(resolve(with_bs6, asked)).rows)
    assert len(rows) == 36
    assert {name: rows[name] for name in ROWS} == ROWS


def test_it_is_compared_with_another_payer_s_policy(with_bs6: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    # A case is made for both directions of the verdict, and not for each requirement again, which takes long.
    contrasts = partial(contrasts_of, build=lambda *_: None)
    monkeypatch.setattr(compare, "contrasts_of", lambda old, new, bearings, _: contrasts(old, new, bearings))
    found = kb_tools.open(with_bs6.root).diff("BS.6/2024-01", "CG-TRANS-03/2024-10", engine="pyshifty")
    assert found.verdict.words == "mixed, by applicability and criteria"
    assert not any(one.shared for one in found.contrasts)
    asked = {(one.side.policy.identifier, one.requirement.place, one.requirement.excluded) for one in found.contrasts}
    assert {place[1:] for place in asked if place[0] == "BS.6"} == {
        *(("Scope", False), ("I or II", False)),
        *(("III.A", True), ("III.B", True), ("III.C", True)),
    }


def test_it_is_exported_and_traced(said: Run, tmp_path: Path) -> None:
    said("export", "--output", str(tmp_path / "kb.trig"))
    assert "https://w3id.org/policykb/BS.6/2024-01" in (tmp_path / "kb.trig").read_text(encoding="utf-8")
    traced = said("trace", str(DOCUMENT), "--policy", "BS.6")
    assert "28 of 28 units of the document (100 %); 28 of 28 passages of the revision found word for word." in traced


def test_a_run_gives_its_conditions_their_names(said: Run, with_bs6: Repository, tmp_path: Path) -> None:
    names = ("bmi-of-40-meets", "bmi-just-below-40-alone-does-not-meet", "unstated-age-is-asked-for")
    files = [str(with_bs6.root / f"policies/BS.6/cases/{name}.ttl") for name in names]
    lines = said("case", "convert", *files, "--format", "jsonl")
    (tmp_path / "cases.jsonl").write_text(lines, encoding="utf-8")
    rows = tmp_path / "rows"
    printed = said("run", str(tmp_path / "cases.jsonl"), "--to", str(rows), "--policy", "BS.6", "--workers", "1")
    assert printed.startswith("3 cases, 3 rows")
    counted = json.loads((rows / "summary.json").read_text(encoding="utf-8"))["conditions"]
    assert "service-is-adjustable-gastric-band: fails" in counted
    drawn = (rows / "summary.svg").read_text(encoding="utf-8")
    for text in (printed, drawn):
        assert "None" not in text
        assert "the patient is at least 18 years old" in text
    row = parquet.read_table(rows / "part-000000.parquet").to_pylist()[0]
    assert {"patient-is-18-or-older", "smoked-within-3-months"} < row.keys()


# ---------------------------------------------------------------------- workbench


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        ("/", "Weight-Loss Surgery"),
        ("/BS.6", "BS.6"),
        ("/BS.6/2024-01", "the band, beside a hiatal hernia that was not repaired"),
        ("/BS.6/criterion/operations-before", "The exception lifts this exclusion and nothing else."),
        ("/BS.6/condition/smoked-within-3-months", "One record of smoking within the window is enough"),
        ("/BS.6/vocabulary#SupervisedDiet", "A diet under supervision that is over"),
        ("/try?revision=BS.6/2024-01", "supervised diet"),
        ("/try?example=BS.6/bmi-of-40-meets", "Criteria met"),
        ("/CP.MP.101/2026-02", "Donor Lymphocyte Infusion"),
    ],
)
def test_a_page_of_the_workbench_shows_it(client: TestClient, path: str, holds: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert holds in answer.text
