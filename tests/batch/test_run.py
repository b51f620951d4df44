"""Runs over many cases: a row for each, the same bytes after a break, and one line for what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from pyarrow import parquet
from run_cases import ENGINE, LINES, bytes_of, case, ignore, planned, rows
from varied_cases import varied

from kb_tools.batch import parts as batch_parts
from kb_tools.batch import run as batch_run
from kb_tools.batch import work
from kb_tools.batch.ranges import files_of, ranges_of
from kb_tools.batch.rows import MALFORMED, NOT_DETERMINED, UNREADABLE
from kb_tools.batch.run import MANIFEST, SUMMARY, WORDS, carry_out, plan
from kb_tools.batch.store import is_file
from kb_tools.batch.work import Settings, part_of
from kb_tools.cache import _digest_line
from kb_tools.commands.run import OUTCOMES as OUTCOMES_OF_COMMAND
from kb_tools.determine.result import Outcome
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import Repository

pytestmark = pytest.mark.usefixtures("words_once", "own_cache")
ROOT = Path(__file__).parents[2]
IN_PROC = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for the worker processes in /proc")
RunKb = Callable[..., CompletedProcess[str]]
OUTCOMES = [
    *["CriteriaMet"] * 5,
    "PolicyNotApplicable",
    "InformationNeeded",
    "Unreadable",
    "Malformed",
    "CriteriaNotMet",
    "Unreadable",
    "InformationNeeded",
]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    return path


def test_there_is_a_row_for_every_line_that_is_not_blank(kb: Repository, cases: Path, tmp_path: Path) -> None:
    made = planned(kb, cases, tmp_path / "to")
    assert len(made.ranges) > 3
    summary = carry_out(made, 1, ignore)
    found = rows(tmp_path / "to")
    assert [row["outcome"] for row in found] == OUTCOMES
    assert [row["line"] for row in found] == [*range(1, 6), *range(7, 14)]
    assert [row["case"] for row in found if row["outcome"] not in ("Unreadable", "Malformed")] == [
        *(f"r{number}" for number in range(7)),
        "r9",
        "r11",
    ]
    assert summary.cases == 12
    assert summary.outcomes == dict(sorted(Counter(OUTCOMES).items(), key=lambda item: (-item[1], item[0])))
    assert json.loads((tmp_path / "to" / SUMMARY).read_text()) == summary.to_dict()
    met, missing = found[0], found[6]
    assert met["acute-gvhd-of-grade-2-or-higher"] == "fails"
    assert met["disease-relapsed-refractory-or-progressing"] == "holds"
    assert "disease-is-relapsed" not in met, "a condition of 2019-10 alone"
    assert missing["to_send"] == [
        "acute-gvhd-of-grade-2-or-higher",
        "after-allogeneic-transplant",
        "disease-relapsed-refractory-or-progressing",
        "mrd-is-detected",
        "relapse-risk-is-raised",
    ]
    assert found[7]["reasons"] == ['lineOfBusiness: "Comercial" is not a value of this key']
    assert found[8]["reasons"] == ["shape:DiseaseStatusAssessment-disease"]


def test_the_words_for_the_codes_stand_beside_the_rows(kb: Repository, cases: Path, tmp_path: Path) -> None:
    carry_out(planned(kb, cases, tmp_path / "to"), 1, ignore)
    words = {(row["kind"], row["code"]): row["text"] for row in parquet.read_table(tmp_path / "to" / WORDS).to_pylist()}
    for row in rows(tmp_path / "to"):
        assert ("outcome", row["outcome"]) in words
        for column, kind in (
            *(("to_send", "condition"), ("conditions", "condition")),
            *(("criteria", "criterion"), ("advisories", "advisory")),
        ):
            assert {(kind, code.partition(": ")[0]) for code in row[column]} <= set(words)  # type: ignore[attr-defined]
    assert words["reason", "shape:DiseaseStatusAssessment-disease"] == (
        "State exactly one clin:disease, one of the concepts of clin:Disease."
    )


def test_a_run_broken_off_and_begun_again_ends_with_the_same_bytes(kb: Repository, cases: Path, tmp_path: Path) -> None:
    carry_out(planned(kb, cases, tmp_path / "whole"), 1, ignore)
    broken = planned(kb, cases, tmp_path / "broken")
    calls: list[int] = []

    def stop(number: int) -> None:
        calls.append(number)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(broken, 1, stop)
    there = [one for one in broken.ranges if is_file(part_of(broken.folder, one))]
    assert len(there) == 2
    assert not (tmp_path / "broken" / SUMMARY).exists()
    again = planned(kb, cases, tmp_path / "broken")
    assert len(again.missing()) == len(again.ranges) - 2
    carry_out(again, 1, ignore)
    whole, broken_bytes = bytes_of(tmp_path / "whole"), bytes_of(tmp_path / "broken")
    assert whole == broken_bytes


@pytest.mark.parametrize("damage", ["cut", "other", "gone"])
def test_a_part_that_is_not_what_it_should_be_is_made_again(
    kb: Repository, cases: Path, tmp_path: Path, damage: str
) -> None:
    made = planned(kb, cases, tmp_path / "to")
    carry_out(made, 1, ignore)
    before = bytes_of(tmp_path / "to")
    first, second = (tmp_path / "to" / part_of(made.folder, one).name for one in made.ranges[:2])
    if damage == "gone":
        first.unlink()
    else:
        first.write_bytes(first.read_bytes()[:-9] if damage == "cut" else second.read_bytes())
    assert made.missing() == [made.ranges[0]]
    carry_out(planned(kb, cases, tmp_path / "to"), 1, ignore)
    assert bytes_of(tmp_path / "to") == before


def test_a_part_of_which_one_byte_is_another_is_made_again(kb: Repository, tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(LINES[0])
    made = planned(kb, tmp_path / "one.jsonl", tmp_path / "to")
    carry_out(made, 1, ignore)
    part = tmp_path / "to" / part_of(made.folder, made.ranges[0]).name
    whole = part.read_bytes()
    found = made.part(made.ranges[0])
    assert found is not None and found.data == whole
    for place in range(len(whole)):
        part.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        assert made.part(made.ranges[0]) is None, place
    carry_out(planned(kb, tmp_path / "one.jsonl", tmp_path / "to"), 1, ignore)
    assert part.read_bytes() == whole


def test_a_part_of_other_columns_or_no_parquet_is_not_whole(kb: Repository, tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(LINES[0])
    made = planned(kb, tmp_path / "one.jsonl", tmp_path / "to")
    carry_out(made, 1, ignore)
    one = made.ranges[0]
    place, of = part_of(made.folder, one), made.settings.of(one)
    table = parquet.read_table(place)
    batch_parts.write(place, table.slice(0, 0), of)
    assert made.part(one) is None, "no rows"
    for content in (b"", b"PAR1", f"{of} - {'0' * 64}".encode(), b"\xff" * 100):
        place.write_bytes(content)  # type: ignore[union-attr]
        assert made.part(one) is None


def test_what_a_case_says_cannot_pass_for_the_digest_of_a_part(kb: Repository, tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(LINES[0])
    made = planned(kb, tmp_path / "one.jsonl", tmp_path / "to")
    carry_out(made, 1, ignore)
    one = made.ranges[0]
    place, of = part_of(made.folder, one), made.settings.of(one)
    table = parquet.read_table(place)
    for said in (f"{of} - {'0' * 64}", "0" * 64, f"{of} "):
        column = table.schema.get_field_index("case")
        batch_parts.write(place, table.set_column(column, "case", [[said]]), of)
        found = made.part(one)
        assert found is not None and found.columns(["case"]) == {"case": [said]}


@pytest.mark.parametrize("damage", ["gone", "other", "cut"])
def test_answers_that_are_not_what_they_were_are_written_again(
    kb: Repository, cases: Path, tmp_path: Path, damage: str
) -> None:
    made = planned(kb, cases, tmp_path / "to", where=("CriteriaMet",))
    carry_out(made, 1, ignore)
    before = bytes_of(tmp_path / "to")
    answers = tmp_path / "to/answers-000000.jsonl"
    if damage == "gone":
        answers.unlink()
    else:
        text = answers.read_text()
        answers.write_text(text[:-9] if damage == "cut" else text.replace("CriteriaMet", "CriteriaNotMet", 1))
    assert made.missing() == [made.ranges[0]]
    carry_out(planned(kb, cases, tmp_path / "to", where=("CriteriaMet",)), 1, ignore)
    assert bytes_of(tmp_path / "to") == before


@pytest.mark.parametrize("name", ["part-000000.parquet", "answers-000000.jsonl"])
def test_a_part_that_is_damaged_before_the_run_is_summed_up_is_an_error(
    kb: Repository, cases: Path, tmp_path: Path, name: str
) -> None:
    made = planned(kb, cases, tmp_path / "to", where=("CriteriaMet",))

    def damage(number: int) -> None:
        path = tmp_path / "to" / name
        if path.exists():
            path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(KbError, match=r"part-000000.parquet: is missing or not whole; run again"):
        carry_out(made, 1, damage)
    assert not (tmp_path / "to" / SUMMARY).exists()


def test_processes_give_the_same_bytes_as_one(kb: Repository, cases: Path, tmp_path: Path) -> None:
    carry_out(planned(kb, cases, tmp_path / "one"), 1, ignore)
    carry_out(planned(kb, cases, tmp_path / "two"), 2, ignore)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def kill_once(settings: Settings, one: object, folder: str) -> int:
    """Does a range, but the first process to come here is killed."""
    mark = Path(folder) / ".killed"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work.process(settings, one, folder)  # type: ignore[arg-type]


def kill_always(settings: Settings, one: object, folder: str) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_a_worker_that_is_killed_costs_time_alone(
    kb: Repository, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(planned(kb, cases, tmp_path / "whole"), 1, ignore)
    monkeypatch.setattr(batch_run, "process", kill_once)
    carry_out(planned(kb, cases, tmp_path / "to"), 2, ignore)
    (tmp_path / "to" / ".killed").unlink()
    assert bytes_of(tmp_path / "to") == bytes_of(tmp_path / "whole")


def test_workers_that_end_again_and_again_are_an_error(
    kb: Repository, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_run, "process", kill_always)
    with pytest.raises(KbError, match=r"ended 3 times without a part, at .*cases.jsonl line 1; is there"):
        carry_out(planned(kb, cases, tmp_path / "to"), 2, ignore)


# ---------------------------------------------------------------------- two revisions, full answers


def test_two_revisions_are_compared_row_by_row(kb: Repository, cases: Path, tmp_path: Path) -> None:
    summary = carry_out(planned(kb, cases, tmp_path / "to", compare="2019-10"), 1, ignore)
    found = rows(tmp_path / "to")
    assert [row["compared_outcome"] for row in found[:5]] == ["InformationNeeded"] * 5
    to_send = ["benefit-of-earlier-dli-is-documented", "earlier-dli-was-given"]
    assert [row["compared_to_send"] for row in found[:5]] == [to_send] * 5
    flips = Counter(f"{row['outcome']} -> {row['compared_outcome']}" for row in found if row["flips"])
    assert summary.flips == dict(flips)
    medicare = found[5]
    assert (medicare["outcome"], medicare["criteria"]) == ("PolicyNotApplicable", ["plan: fails"])
    assert medicare["conditions"] == ["plan-is-not-medicare: fails"]
    assert medicare["compared_conditions"] == []
    assert summary.conditions == dict(Counter(name for row in found for name in row["conditions"]).most_common())  # type: ignore[attr-defined]
    assert medicare["flips"] and medicare["compared_revision"] == "2019-10"
    assert medicare["compared_outcome"] == "InformationNeeded"


def test_the_full_answers_of_an_outcome_are_those_of_validate(
    kb: Repository, cases: Path, tmp_path: Path, run_kb: RunKb
) -> None:
    carry_out(planned(kb, cases, tmp_path / "to", where=("CriteriaNotMet", "Unreadable")), 1, ignore)
    answers = b"".join(path.read_bytes() for path in sorted((tmp_path / "to").glob("answers-*.jsonl")))
    found = [json.loads(line) for line in answers.splitlines()]
    assert [(answer["line"], answer.get("outcome")) for answer in found] == [
        (9, None),
        (11, "CriteriaNotMet"),
        (12, None),
    ]
    ended = run_kb("validate", str(cases), "--revision", "2026-02", "--format", "json", "--engine", ENGINE)
    validated = json.loads(ended.stdout)["determinations"]
    wanted = [answer for answer in validated if answer["outcome"] == "CriteriaNotMet"]
    full = [answer for answer in found if "outcome" in answer]
    assert [{**answer, "file": "", "line": 0} for answer in full] == [
        {**answer, "file": "", "line": 0} for answer in wanted
    ]


def test_without_pieces_the_rows_are_the_same(kb: Repository, cases: Path, tmp_path: Path) -> None:
    carry_out(planned(kb, cases, tmp_path / "with"), 1, ignore)
    carry_out(planned(kb, cases, tmp_path / "without", pieces=False), 1, ignore)
    assert rows(tmp_path / "with") == rows(tmp_path / "without")


def test_by_date_each_case_has_its_revision(kb: Repository, cases: Path, tmp_path: Path) -> None:
    settings = Settings(root="", engine=ENGINE)
    carry_out(plan(kb, [cases], tmp_path / "to", settings), 1, ignore)
    found = rows(tmp_path / "to")
    assert found[0]["revision"] == "2026-02"
    assert found[0]["disease-is-relapsed"] is None, "a condition of 2019-10 alone"
    assert (found[-1]["revision"], found[-1]["outcome"]) == (None, "NotDetermined")


# ---------------------------------------------------------------------- what is wrong


def test_an_input_that_changes_during_the_run_is_an_error(kb: Repository, cases: Path, tmp_path: Path) -> None:
    made = planned(kb, cases, tmp_path / "to")
    cases.write_text(cases.read_text().replace("CordBlood", "Autologou"))
    with pytest.raises(UnreadableInput, match=r"changed since the run began \(bytes 0 to [0-9]+\); restore"):
        carry_out(made, 1, ignore)
    assert rows(tmp_path / "to") == []


@pytest.mark.parametrize("added", [b"\n", case(99).encode() + b"\n"])
def test_lines_that_are_added_during_the_run_are_an_error(
    kb: Repository, cases: Path, tmp_path: Path, added: bytes
) -> None:
    made = planned(kb, cases, tmp_path / "to")
    size = cases.stat().st_size
    with cases.open("ab") as file:
        file.write(added)
    said = rf"changed since the run began \(it had {size:,} bytes, and has {size + len(added):,}\); restore it and run"
    with pytest.raises(UnreadableInput, match=rf"{cases}: {said} again, or run into a new folder"):
        carry_out(made, 1, ignore)
    assert made.missing() == []
    assert not (tmp_path / "to" / SUMMARY).exists()
    cases.write_bytes(cases.read_bytes()[:size])
    assert carry_out(made, 1, ignore).cases == 12


def test_a_run_says_how_many_cases_have_their_rows(run_kb: RunKb, cases: Path) -> None:
    options = (str(cases), "--to", "to", "--revision", "2026-02", "--engine", ENGINE, "--workers", "1")
    assert run_kb("run", *options).stderr == ""
    assert run_kb("run", *options).stderr == "kb: goes on: 12 of 12 cases have their rows\n"
    Path("to/part-000000.parquet").unlink()
    assert run_kb("run", *options).stderr == ""


def test_a_day_before_every_revision_leaves_nothing_behind(run_kb: RunKb, cases: Path) -> None:
    ended = run_kb("run", str(cases), "--to", "to", "--as-of", "2010-01-01", "--workers", "1")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("kb: no revision of CP.MP.101 was in force on 2010-01-01; ")
    assert not Path("to").exists()


@pytest.mark.parametrize("arguments", [("", "--to", "to"), ("cases.jsonl", "--to", "")])
def test_an_empty_argument_is_not_this_folder(run_kb: RunKb, cases: Path, arguments: tuple[str, ...]) -> None:
    ended = run_kb("run", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "kb: an empty argument names no file and no folder; name one; . is this folder\n"
    assert [path.name for path in Path().iterdir()] == ["cases.jsonl"]


@pytest.mark.parametrize(
    "content", [b"[]", b"null", b"17", b"{}", b'{"run": 1}', b"\xff", b"[" * 100_000, b'{"a":' * 100_000]
)
def test_a_manifest_of_another_form_is_none(kb: Repository, cases: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / MANIFEST).write_bytes(content)
    with pytest.raises(KbError, match=r"manifest.json: not the manifest of a run; give another folder with --to"):
        planned(kb, cases, tmp_path / "to")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"revision": "2019-10"}, "revision"),
        ({"engine": "pyshacl"}, "engine"),
        ({"where": ("CriteriaMet",)}, "where"),
        ({"compare": "2019-10"}, "compare"),
    ],
)
def test_a_folder_of_another_run_is_refused(
    kb: Repository, cases: Path, tmp_path: Path, more: dict[str, object], said: str
) -> None:
    planned(kb, cases, tmp_path / "to")
    settings = Settings(**{"root": "", "engine": ENGINE, "revision": "2026-02", **more})  # type: ignore[arg-type]
    with pytest.raises(KbError, match=rf"to: holds a run of other .*{said}.*; give another folder with --to"):
        plan(kb, [cases], tmp_path / "to", settings, 1500)


def test_other_inputs_are_another_run(kb: Repository, cases: Path, tmp_path: Path) -> None:
    planned(kb, cases, tmp_path / "to")
    cases.write_text(cases.read_text().replace("CordBlood", "Autologous"))
    with pytest.raises(KbError, match="holds a run of other ranges"):
        planned(kb, cases, tmp_path / "to")


def test_a_folder_with_something_else_is_refused(kb: Repository, cases: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "notes.txt").write_text("mine")
    with pytest.raises(KbError, match="to: is not empty, and holds no run; give another folder with --to"):
        planned(kb, cases, tmp_path / "to")
    (tmp_path / "to" / "notes.txt").rename(tmp_path / "to" / MANIFEST)
    with pytest.raises(KbError, match=r"manifest.json: not the manifest of a run"):
        planned(kb, cases, tmp_path / "to")


def test_a_full_disk_is_an_error_and_what_is_there_stays(
    kb: Repository, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(kb, cases, tmp_path / "to")
    written: list[Path] = []
    really = batch_parts.write

    def write(path: Path, table: object, of: str, answers: bytes | None) -> None:
        if written:
            raise OSError(28, "No space left on device")
        written.append(path)
        really(path, table, of, answers)

    monkeypatch.setattr(batch_parts, "write", write)
    with pytest.raises(KbError, match=r"part-000001.parquet: cannot be written: No space left on device; make room"):
        carry_out(made, 1, ignore)
    assert [one.number for one in made.missing()] == [one.number for one in made.ranges[1:]]


def test_a_full_disk_at_the_end_is_an_error_and_the_summary_is_made_later(
    kb: Repository, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(kb, cases, tmp_path / "to")
    with monkeypatch.context() as full:
        full.setattr(batch_parts, "write_words", _no_space)
        with pytest.raises(KbError, match=r"summary.json: cannot be written: No space left on device; make room"):
            carry_out(made, 1, ignore)
    assert made.missing() == []
    assert not (tmp_path / "to" / SUMMARY).exists()
    assert carry_out(made, 1, ignore).cases == 12


def _no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_input_that_is_gone_is_an_error_and_what_is_there_stays(kb: Repository, cases: Path, tmp_path: Path) -> None:
    made = planned(kb, cases, tmp_path / "to")
    content = cases.read_bytes()

    def remove(number: int) -> None:
        if number:
            cases.unlink()

    with pytest.raises(UnreadableInput, match=r"cases.jsonl: No such file or directory; check the path"):
        carry_out(made, 1, remove)
    assert [one.number for one in made.missing()] == [one.number for one in made.ranges[1:]]
    cases.write_bytes(content)
    assert carry_out(made, 1, ignore).cases == 12


def test_a_torn_last_line_is_a_row_that_says_so(kb: Repository, cases: Path, tmp_path: Path) -> None:
    cases.write_text("\n".join(LINES)[:-20])
    carry_out(planned(kb, cases, tmp_path / "to"), 1, ignore)
    last = rows(tmp_path / "to")[-1]
    assert (last["line"], last["outcome"]) == (13, "Unreadable")
    assert str(last["reasons"]).startswith("['not valid JSON: ")


INPUTS = [
    ("no.jsonl", None, "no.jsonl: no such file or folder; check the path"),
    (
        "case.ttl",
        "",
        "case.ttl: not a .jsonl, .ndjson or .parquet file; kb case convert --format jsonl writes one case a line",
    ),
    ("empty.jsonl", "\n\n", "empty.jsonl: no case in this file; write one case a line, as JSON"),
    (
        "folder",
        None,
        "folder: no .jsonl, .ndjson or .parquet file in this folder; kb case convert --format jsonl writes one case a "
        "line",
    ),
]


@pytest.mark.parametrize(("name", "content", "said"), INPUTS)
def test_an_input_that_is_none_is_one_line(
    run_kb: RunKb, tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    elif name == "folder":
        (tmp_path / name).mkdir()
    ended = run_kb("run", name, "--to", "to")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"kb: {said}\n"


def test_the_command_says_what_came_of_the_cases(run_kb: RunKb, cases: Path) -> None:
    ended = run_kb("run", str(cases), "--to", "to", "--revision", "2026-02", "--engine", ENGINE, "--workers", "1")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("12 cases, 12 rows in to\n\nOutcome              Cases")
    drawn = Path("to/summary.svg").read_text()
    assert "12 cases under 2026-02" in drawn
    assert "CriteriaMet 5 (41.7%)" in drawn
    assert without_blanks(ended.stdout) >= {
        *("Revision Cases", "2026-02 9 75.0%", "CriteriaMet 5 41.7%", "the plan is not a Medicare plan: fails 1 8.3%"),
        "after an allogeneic transplant, against a hematologic ma…: holds 5 41.7%",
    }
    unknown = run_kb("run", str(cases), "--to", "other", "--revision", "2026-03")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr.startswith("kb: CP.MP.101 has no revision 2026-03; known: ")


def test_the_command_says_what_comes_of_the_cases_under_the_second_revision(run_kb: RunKb, cases: Path) -> None:
    options = ("--revision", "2026-02", "--engine", ENGINE, "--workers", "1")
    flipped = run_kb("run", str(cases), "--to", "flips", *options, "--compare", "2019-10")
    assert flipped.returncode == 0, flipped.stderr
    assert without_blanks(flipped.stdout) >= {
        *("Outcome under 2019-10 Cases", "InformationNeeded 9 75.0%", "Another outcome under 2019-10 Cases"),
        *("CriteriaMet -> InformationNeeded 5 41.7%", "CriteriaMet -> InformationNeeded, 5 cases, by"),
    }
    same = run_kb("run", str(cases), "--to", "same", *options, "--compare", "2025-02")
    assert same.returncode == 0, same.stderr
    assert "\n\nNo case comes to another outcome under 2025-02.\n\nRevision" in same.stdout


def without_blanks(shown: str) -> set[str]:
    """The lines of what is printed, without bars and with one blank where there are several."""
    return {" ".join(line.strip("█ ").split()) for line in shown.splitlines()}


def test_a_folder_of_another_run_says_what_that_was(run_kb: RunKb, cases: Path) -> None:
    options = (str(cases), "--to", "to", "--engine", ENGINE, "--workers", "1")
    assert run_kb("run", *options, "--revision", "2026-02", "--compare", "2025-02").returncode == 0
    ended = run_kb("run", *options, "--revision", "2019-10")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "kb: to: holds a run of other revision (2026-02), compare (2025-02), seals; give another folder with --to, or "
        "empty this one\n"
    )


def processor_time(process: str) -> float:
    """What a process has taken of it, in seconds; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def at_work(kb: Repository, folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A run that takes long, in a process group of its own, with the ids of the processes that it started."""
    for seed, name in enumerate(("many.jsonl", "more.jsonl")):
        (folder / name).write_bytes(b"".join(varied(kb, 2_000, seed=seed)))
    with subprocess.Popen(
        [
            *(sys.executable, "-c", "from kb_tools.cli import main; main()", "run", "many.jsonl", "more.jsonl"),
            *("--to", "to", "--workers", "2", "--no-pieces"),
        ],
        cwd=folder,
        env=os.environ | {"KB_ROOT": str(ROOT), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        # Two workers, and the process that keeps count of what they share.
        while running.poll() is None and len(children.read_text().split()) < 3:
            time.sleep(0.05)
        started = children.read_text().split()
        assert len(started) == 3
        # Their start takes one or two of them. The tests pass as well where they are not yet at work.
        for _ in range(600):
            if sum(map(processor_time, started)) > 3:
                break
            time.sleep(0.05)
        yield running, started


@IN_PROC
def test_ctrl_c_ends_all_processes_at_once_and_the_run_can_go_on(kb: Repository, tmp_path: Path) -> None:
    with at_work(kb, tmp_path) as (running, started):
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, "")
    assert err == "kb: the parts that are written are kept: the same command goes on from there\nkb: interrupted\n"
    assert [child for child in started if is_alive(child)] == []


@IN_PROC
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_worker_outlives_the_run(kb: Repository, tmp_path: Path, number: signal.Signals) -> None:
    with at_work(kb, tmp_path) as (running, started):
        running.send_signal(number)
        out, err = running.communicate(timeout=30)
    killed = number == signal.SIGKILL
    assert (running.returncode, out) == (-number if killed else 128 + number, "")
    # Where it is killed, Python itself says what it cleans up.
    assert killed or err == "kb: the parts that are written are kept: the same command goes on from there\n"
    assert [child for child in started if is_alive(child)] == []


def is_alive(process: str) -> bool:
    """Whether a process is there, and does not end within a second. One that ended has no command line any more."""
    for _ in range(100):
        command = Path(f"/proc/{process}/cmdline")
        if not command.exists() or not command.read_bytes():
            return False
        time.sleep(0.01)
    return True


# ---------------------------------------------------------------------- ranges


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "a.jsonl").write_bytes(b'{"a": 1}\r\n\r\n{"a": 2}')
    (tmp_path / "in" / "below" / "b.jsonl").write_bytes(b'{"b": 1}\n')
    yield tmp_path / "in"


def test_ranges_are_whole_lines_and_all_of_them(several: Path) -> None:
    (several / "notes.TXT").touch()
    files, skipped = files_of([several, several / "a.jsonl", several / "below/../a.jsonl"], several / "rows")
    assert skipped == {".txt": 1}
    assert [path.name for path in files] == ["a.jsonl", "b.jsonl"]
    for size in (1, 5, 9, 100):
        ranges = ranges_of(files, size)
        lines = [(Path(one.path).name, number, line) for one in ranges for number, line in one.read()]
        assert lines == [("a.jsonl", 1, b'{"a": 1}'), ("a.jsonl", 3, b'{"a": 2}'), ("b.jsonl", 1, b'{"b": 1}')]
        assert [one.number for one in ranges] == list(range(len(ranges)))
        assert sum(one.cases for one in ranges) == 3


def test_what_of_a_folder_cannot_be_read_is_said_before_the_run(run_kb: RunKb, several: Path, tmp_path: Path) -> None:
    (several / "broken.jsonl").symlink_to("nowhere.jsonl")
    (several / "circle.ndjson").symlink_to("circle.ndjson")
    (several / "below/loop").symlink_to("..")
    (several / "link.jsonl").symlink_to("a.jsonl")
    os.mkfifo(several / "pipe.parquet")
    (several / "more.jsonl.gz").touch()
    (several / ".hidden").symlink_to("..")
    ended = run_kb("run", "in", "--to", "to")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        "kb: in/below/loop: a link to a folder is not followed; name the folder itself",
        "kb: in/broken.jsonl: No such file or directory; check the path and its permissions",
        "kb: in/circle.ndjson: Too many levels of symbolic links; check the path and its permissions",
        "kb: in/pipe.parquet: a named pipe in a folder is not read; name it by itself, or remove it",
        "kb: in/more.jsonl.gz: packed, and not read; unpack it",
    ]
    assert not Path("to").exists()


def test_a_folder_that_must_not_be_opened_is_said_before_the_run(
    several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refused(path: str) -> object:
        if Path(path).name == "below":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(UnreadableInput, match=r"in/below: Permission denied; check the path and its permissions"):
        files_of([several], tmp_path / "to")


def test_a_pipe_by_itself_is_no_input(run_kb: RunKb, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    ended = run_kb("run", "pipe.jsonl", "--to", "to")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "kb: pipe.jsonl: no regular file, and an input is read more than once; write what comes from it into a file\n"
    )


def test_the_folder_of_the_rows_may_be_a_link_within_the_inputs(several: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/part-000000.parquet").touch()
    (several / "rows").symlink_to(tmp_path / "elsewhere")
    files, skipped = files_of([several], several / "rows")
    assert ([path.name for path in files], skipped) == (["a.jsonl", "b.jsonl"], {})


def test_hidden_files_are_skipped_and_empty_ones_have_no_row(run_kb: RunKb, several: Path) -> None:
    for path in ("a.jsonl", "below/b.jsonl"):
        (several / path).write_text(case(1) + "\n")
    for path in (".hid.jsonl", ".hid.txt", "below/.hid.parquet"):
        (several / path).write_text("no case")
    (several / ".git").mkdir()
    (several / ".git/c.jsonl").write_text(case(2))
    for path in ("none.jsonl", "below/none.ndjson"):
        (several / path).touch()
    (several / "blank.jsonl").write_text("\n \n")
    ended = run_kb("run", "in", "--to", "to", "--revision", "2026-02", "--engine", ENGINE, "--workers", "1")
    assert ended.returncode == 0
    assert ended.stderr.splitlines() == [
        "kb: files skipped in the folders, by their endings: 4 (hidden 4)",
        "kb: files without a case: 3 (in/below/none.ndjson, in/blank.jsonl, in/none.jsonl)",
    ]
    assert [row["file"] for row in rows(Path("to"))] == ["in/a.jsonl", "in/below/b.jsonl"]
    for path in ("a.jsonl", "below/b.jsonl"):
        (several / path).unlink()
    ended = run_kb("run", "in", "--to", "other")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "kb: in/below/none.ndjson: no case in this file, nor in 2 more; write one case a line, as JSON\n"
    )
    assert not Path("other").exists()


def test_a_case_that_is_written_into_an_empty_file_during_the_run_is_an_error(
    kb: Repository, several: Path, tmp_path: Path
) -> None:
    (several / "none.jsonl").touch()
    made = plan(kb, [several], tmp_path / "to", Settings(root="", engine=ENGINE, revision="2026-02"))
    (several / "none.jsonl").write_text(case(1))
    with pytest.raises(UnreadableInput, match=r"none.jsonl: changed since the run began \(it had 0 bytes, and has "):
        carry_out(made, 1, ignore)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf_8_is_refused_before_anything_is_written(run_kb: RunKb, several: Path) -> None:
    for name in (b"caf\xe9.jsonl", b"below/\xff.jsonl"):
        (several / os.fsdecode(name)).write_text(case(1))
    ended = run_kb("run", "in", "--to", "to")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        f"kb: in/{name}.jsonl: the name of this file is not UTF-8, and rows name their file; rename it"
        for name in ("below/\N{REPLACEMENT CHARACTER}", "caf\N{REPLACEMENT CHARACTER}")
    ]
    assert not Path("to").exists()


def test_what_a_run_writes_is_no_input_of_it(kb: Repository, several: Path) -> None:
    (several / "a.jsonl").write_text(case(1, findings=[]) + "\n")
    settings = Settings(root="", engine=ENGINE, revision="2026-02", where=("InformationNeeded",))
    for _ in range(2):
        carry_out(plan(kb, [several], several / "rows", settings), 1, ignore)
    assert [(row["line"], row["outcome"]) for row in rows(several / "rows")] == [
        (1, "InformationNeeded"),
        (1, "Unreadable"),
    ]


def test_files_of_one_name_are_told_apart(kb: Repository, several: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (several / "below/b.jsonl").rename(several / "below/A.JSONL")
    monkeypatch.chdir(several.parent)
    settings = Settings(root="", engine=ENGINE, revision="2026-02")
    carry_out(plan(kb, [Path("in")], Path("to"), settings), 1, ignore)
    assert {row["file"] for row in rows(Path("to"))} == {"in/a.jsonl", "in/below/A.JSONL"}


def test_an_engine_that_is_not_installed_leaves_nothing_behind(
    kb: Repository, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shifty", None)
    with pytest.raises(KbError, match=r"the engine pyshifty is not installed; pip install 'kb-tools\[fast\]'"):
        plan(kb, [cases], tmp_path / "to", Settings(root="", engine="pyshifty"))
    assert not (tmp_path / "to").exists()


def test_the_outcomes_that_the_command_takes_are_those_of_rows() -> None:
    assert {*OUTCOMES_OF_COMMAND} == {*(outcome.value for outcome in Outcome), MALFORMED, UNREADABLE, NOT_DETERMINED}


def test_a_learned_table_of_another_form_is_told_and_changes_no_row(
    run_kb: RunKb, cases: Path, own_cache: Path, tmp_path: Path
) -> None:
    def done(name: str) -> str:
        work._worker.cache_clear()
        found = run_kb("run", str(cases), "--to", name, "--revision", "2026-02", "--engine", ENGINE, "--workers", "1")
        assert found.returncode == 0
        return found.stderr

    assert done("cold") == ""
    (path,) = own_cache.rglob("learned-*")
    kept = json.loads(path.read_bytes().split(b"\n", 1)[1])
    wrong: object = [[1, 2, 3, 4]]
    contents = {
        **{content[:8]: content for content in ("[]", "null", "17", "{}", "[" * 100_000, '{"of": 1')},
        "sights": json.dumps(kept | {"sights": {"2026-02": [[[[10**6]]]]}}),
        **{part: json.dumps(kept | {part: wrong}) for part in ("findings", "stated")},
    }
    assert len(contents) == 9
    told = f"kb: {path}: not as it was written: what was learned in earlier runs is learned again\n"
    for number, (name, content) in enumerate(contents.items()):
        path.write_bytes(_digest_line(content.encode()) + content.encode())
        assert done(f"other-{number}") == told, name
        assert bytes_of(tmp_path / "cold") == bytes_of(tmp_path / f"other-{number}"), name
    assert done("again") == ""


def test_a_pipe_in_place_of_the_learned_table_is_told_and_waited_for_by_nobody(
    run_kb: RunKb, cases: Path, own_cache: Path
) -> None:
    options = (str(cases), "--revision", "2026-02", "--engine", ENGINE, "--workers", "1")
    work._worker.cache_clear()
    assert run_kb("run", *options, "--to", "cold").returncode == 0
    (path,) = own_cache.rglob("learned-*")
    path.unlink()
    os.mkfifo(path)
    work._worker.cache_clear()
    ended = run_kb("run", *options, "--to", "warm")
    assert ended.returncode == 0
    assert ended.stderr == f"kb: {path}: not as it was written: what was learned in earlier runs is learned again\n"


def test_a_learned_table_that_was_tampered_with_is_told_and_changes_no_row(
    run_kb: Callable[..., CompletedProcess[str]], cases: Path, own_cache: Path, tmp_path: Path
) -> None:
    def done(name: str) -> str:
        work._worker.cache_clear()
        found = run_kb("run", str(cases), "--to", name, "--revision", "2026-02", "--engine", ENGINE, "--workers", "1")
        assert found.returncode == 0
        return found.stderr

    assert done("cold") == done("warm") == ""
    (path,) = own_cache.rglob("learned-*")
    path.write_bytes(path.read_bytes().replace(b"[", b"[ ", 1))
    told = f"kb: {path}: not as it was written: what was learned in earlier runs is learned again\n"
    assert done("tampered") == told
    assert done("again") == ""
    assert bytes_of(tmp_path / "cold") == bytes_of(tmp_path / "warm") == bytes_of(tmp_path / "tampered")
