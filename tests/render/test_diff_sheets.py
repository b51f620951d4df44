"""The difference of two revisions as a spreadsheet, read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from subprocess import CompletedProcess
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest
from click.testing import CliRunner
from comparisons import FAST, LOG, ROOT, difference

from kb_tools.commands.diff import command
from kb_tools.render import spreadsheet
from kb_tools.render.diff_sheets import workbook
from kb_tools.render.spreadsheet import LONGEST, Sheet

BASE = "https://w3id.org/policykb/"
Run = Callable[..., CompletedProcess[str]]


def read(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each sheet."""
    return {sheet.title: list(sheet.values) for sheet in openpyxl.load_workbook(BytesIO(content))}


@pytest.fixture(scope="module")
def content() -> bytes:
    return workbook(difference("2019-10", "2026-02"))


def test_the_sheets_say_what_kb_diff_says(content: bytes) -> None:
    found = difference("2019-10", "2026-02")
    sheets = read(content)
    assert list(sheets) == ["Changes", "Verdict and witnesses", "Log", "Flips"]
    headings, *changes = sheets["Changes"]
    assert headings[:6] == ("Part", "Change", "Of", "IRI", "2019-10", "2026-02")
    assert len(changes) == len(found.changes) == 22
    assert changes[5] == (
        *("criteria", "renumbered", "genetically modified or manipulated lymphocytes"),
        *(f"{BASE}CP.MP.101/criterion/manipulated-lymphocytes", "II.B", "II.A", None),
        "02/23, four contraindications added under I.C\n08/23, every criterion under I and II changed",
    )
    assert sheets["Verdict and witnesses"][1] == ("verdict", "mixed, by applicability and criteria", None, None, None)
    witnesses = [row for row in sheets["Verdict and witnesses"] if row[0].startswith("witness")]
    assert witnesses[0] == (
        *("witness: stricter", "a generated case comes to both", None, "CriteriaMet", "PolicyNotApplicable"),
    )
    plan = f"{BASE}condition#plan-is-not-medicare"
    assert ("witness: stricter", "the plan is not a Medicare plan: fails", plan, None, None) in witnesses
    assert len(witnesses) == 2 + sum(len(witness.values) for witness in found.verdict.witnesses)
    assert (len(sheets["Log"]), sheets["Log"][4][2:4]) == (20, (f"{LOG}2023-02-1", "found"))
    assert sheets["Flips"][1][0] == "no cases were determined under both; name some with --cases"


def test_the_same_difference_gives_the_same_bytes_whenever_it_is_written(content: bytes) -> None:
    assert workbook(difference("2019-10", "2026-02")) == content
    with ZipFile(BytesIO(content)) as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert core.count("1980-01-01T00:00:00Z") == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "#N/A", "2026-02", "12"])
def test_text_stays_text(text: str) -> None:
    found = difference("2019-10", "2026-02")
    hostile = replace(found, changes=(replace(found.changes[0], label=text, before=(text,)),))
    cell = openpyxl.load_workbook(BytesIO(workbook(hostile)))["Changes"]["C2"]
    assert (cell.value, cell.data_type) == (text, "s")
    assert bool(cell.quotePrefix) is text.startswith(("=", "+", "-", "@"))


def test_what_a_cell_cannot_hold_is_replaced_and_what_is_cut_says_so() -> None:
    rows = [("\x1b[2J\x00\uffff\ud800",), ("a" * LONGEST,), ("b" * (LONGEST + 1),)]
    (_, control, whole, cut) = read(spreadsheet.spreadsheet("title", [Sheet("one", ["text"], rows)]))["one"]
    assert control == ("\ufffd[2J\ufffd\ufffd\ufffd",)
    assert whole == ("a" * LONGEST,)
    assert len(cut[0]) == LONGEST
    assert cut[0].endswith("b … (cut: too long for a cell)")


def test_kb_diff_writes_a_spreadsheet_with_the_flips_of_the_cases() -> None:
    name = "aplastic-anemia-is-not-an-indication.ttl"
    case = str(ROOT / "policies/CP.MP.101/cases" / name)
    arguments = ["2019-10", "2026-02", "--cases", case, "--format", "xlsx", "--engine", FAST, "--kb", str(ROOT)]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 1
    assert read(done.stdout_bytes)["Flips"] == [
        ("Case", "Under 2019-10", "Under 2026-02", "Criteria", "Conditions", "Log rows"),
        (
            f"{case}#case",
            "CriteriaMet",
            "CriteriaNotMet",
            "I of 2026-02, after an allogeneic transplant, against a hematologic malignancy or its relapse: fails",
            "the disease treated is a hematologic malignancy: fails",
            "02/23, four contraindications added under I.C\n08/23, every criterion under I and II changed",
        ),
    ]


def test_without_the_extra_and_on_a_terminal_one_line_says_what_to_do(
    run_kb: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(spreadsheet, "find_spec", lambda name: None)
        done = run_kb("diff", "2019-10", "2026-02", "--format", "xlsx")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kb: openpyxl is not installed; pip install 'kb-tools[xlsx]'\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    done = run_kb("diff", "2019-10", "2026-02", "--format", "xlsx")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kb: a spreadsheet is nothing for a terminal; add > comparison.xlsx\n"
