"""Records of runs: one for each range, before its rows, never a second one; and what they come to again."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from run_cases import ENGINE, LINES, bytes_of, ignore, planned, rows
from varied_cases import varied

from kb_tools.batch import parts
from kb_tools.batch.recorded import RowsRecorder
from kb_tools.batch.replaying import lines_of, replayed
from kb_tools.batch.rows import RowMaker
from kb_tools.batch.run import carry_out
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import KbError, Unrecorded
from kb_tools.model.repository import Repository
from kb_tools.records.answer import content_of, determinations, is_whole
from kb_tools.records.chain import Broken, Made, Record, append, read
from kb_tools.records.folder import RecordFolder
from kb_tools.records.replay import Replay, Status

WRITTEN = [line for line in LINES if line]
pytestmark = pytest.mark.usefixtures("words_once", "own_cache")
RunKb = Callable[..., CompletedProcess[str]]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    return path


@pytest.fixture
def records(tmp_path: Path) -> Path:
    RecordFolder(tmp_path / "records").begin()
    return tmp_path / "records"


def recorded(kb: Repository, cases: Path, to: Path, records: Path, workers: int = 1) -> None:
    carry_out(planned(kb, cases, to, records=str(records)), workers, ignore)


def contents(records: Path) -> list[dict[str, Any]]:
    found = list(read(records / "records.jsonl"))
    assert not [one for one in found if isinstance(one, Broken)]
    return [dict(one.content) for one in found if isinstance(one, Record)]


def ranges(records: Path) -> list[int]:
    return [one["run"]["range"] for one in contents(records)]


# ---------------------------------------------------------------------- what is recorded


def test_every_determination_of_a_run_is_in_the_record_of_its_range(
    kb: Repository, cases: Path, tmp_path: Path, records: Path
) -> None:
    recorded(kb, cases, tmp_path / "to", records)
    found = rows(tmp_path / "to")
    made = contents(records)
    assert ranges(records) == list(range(len(made)))
    assert len(made) > 3
    assert all(is_whole(one) and one["format"] == 2 for one in made)
    assert sum(one["of"] for one in made) == len(WRITTEN)
    outcomes = Counter[str]()
    for one in made:
        for _, answer, number in determinations(one):
            outcomes[answer["outcome"]] += number
    assert outcomes == Counter(row["outcome"] for row in found if row["revision"])
    digests = [case.partition(" ")[0] for one in made for group in one["groups"] for case in group["cases"]]
    assert sorted(digests) == sorted(
        hashlib.sha256(line.encode()).hexdigest() for line, row in zip(WRITTEN, found, strict=True) if row["revision"]
    )
    # Rows without records are the same rows.
    carry_out(planned(kb, cases, tmp_path / "without"), 1, ignore)
    assert bytes_of(tmp_path / "without") == bytes_of(tmp_path / "to")


@pytest.mark.parametrize("revision", ["2026-02", None])
def test_a_record_of_many_says_of_a_case_what_a_record_of_it_alone_says(
    kb: Repository, records: Path, revision: str | None
) -> None:
    lines = [line.strip() for line in varied(kb, 50, 11)]
    policy = kb.policy("CP.MP.101")
    maker = RowMaker(Run(kb, policy, ENGINE, revision))
    made = RowsRecorder(kb, policy, RecordFolder(records), ENGINE, revision, None, maker).content(
        lines, maker.of_lines(lines)
    )
    held: dict[str, tuple[Any, str]] = {}
    for group in made["groups"]:
        held |= {case[:64]: (group, case[65:]) for case in group["cases"]}
    answers = zip(lines, maker.answers(lines), strict=True)
    determined = [(line, answer) for line, answer in answers if isinstance(answer, Determination)]
    for line, answer in determined:
        group, digits = held[hashlib.sha256(line).hexdigest()]
        values = {
            iri: [made["values"][code] for code in divmod(int(digit, 16), 4)]
            for iri, digit in zip(made["conditions"][group["revision"]], digits, strict=True)
        }
        alone = content_of(answer)
        of_conditions = alone.pop("conditionValues").items()
        expected = {iri: [value, value] if isinstance(value, str) else value for iri, value in of_conditions}
        del alone["sha256"]
        assert (group["answer"], values, group["revision"]) == (alone, expected, answer.revision.entry.name)
    assert len(determined) == made["determined"] > 20


def test_nothing_of_the_input_stands_in_a_record_of_many(kb: Repository, tmp_path: Path, records: Path) -> None:
    planted = "Zebulon-Quarks-7781"
    case = {"id": planted, "patient": planted, "request": {"serviceDate": "2026-07-01"}}
    path = tmp_path / f"{planted}.jsonl"
    path.write_text(json.dumps(case) + "\n")
    recorded(kb, path, tmp_path / "to", records)
    (made,) = contents(records)
    assert made["determined"] == 1
    text = "".join(file.read_text() for file in records.rglob("*.json*"))
    assert planted not in text
    assert "2026-07-01" not in json.dumps({key: made[key] for key in made if key != "made"})


# ---------------------------------------------------------------------- once, and before the rows


def test_a_range_that_is_done_again_has_no_second_record(
    kb: Repository, cases: Path, tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = parts.write, []

    def broken_off(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        whole(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(parts, "write", broken_off)
        with pytest.raises(KeyboardInterrupt):
            recorded(kb, cases, tmp_path / "to", records)
    # The third range has its record, and not its part.
    assert ranges(records) == [0, 1, 2]
    recorded(kb, cases, tmp_path / "to", records)
    every = ranges(records)
    assert every == list(range(len(every)))
    # Nor has one whose part is lost, or where all is asked for once more.
    next((tmp_path / "to").glob("part-*")).unlink()
    recorded(kb, cases, tmp_path / "to", records)
    assert ranges(records) == every
    # Another run over the same cases is another, with records of its own.
    carry_out(planned(kb, cases, tmp_path / "other", records=str(records), where=("CriteriaMet",)), 1, ignore)
    assert ranges(records) == [*every, *every]


def test_rows_that_are_there_without_records_are_made_again_with_them(
    kb: Repository, cases: Path, tmp_path: Path, records: Path
) -> None:
    carry_out(planned(kb, cases, tmp_path / "to"), 1, ignore)
    before = bytes_of(tmp_path / "to")
    recorded(kb, cases, tmp_path / "to", records)
    assert len(ranges(records)) > 3
    assert bytes_of(tmp_path / "to") == before


def test_no_row_is_written_whose_record_cannot_be(
    kb: Repository, cases: Path, tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kb_tools.records.chain._write", full)
    with pytest.raises(Unrecorded, match="the record cannot be written: No space left on device"):
        recorded(kb, cases, tmp_path / "to", records)
    assert list((tmp_path / "to").glob("part-*")) == []


def test_a_range_that_comes_to_something_else_than_was_recorded_ends_the_run(
    kb: Repository, cases: Path, tmp_path: Path, records: Path
) -> None:
    made = planned(kb, cases, tmp_path / "to", records=str(records))
    other = {"run": {"run": made.settings.run, "range": 0, "sha256": "0" * 64}, "groups": []}
    append(records / "records.jsonl", [other])
    with pytest.raises(KbError, match=r"line 1: came to something else than record 1 says; keep both, and report it"):
        carry_out(made, 1, ignore)


def test_two_who_record_one_range_at_once_make_one_record(records: Path) -> None:
    chain = records / "records.jsonl"
    content = {"run": {"run": "a" * 64, "range": 7}, "groups": []}
    one, other = Made(chain, "a" * 64), Made(chain, "a" * 64)
    assert (one.of(7), one.append(7, content)) == (None, None)
    there = other.append(7, content)
    assert there is not None and there["number"] == 1
    assert Made(chain, "b" * 64).append(7, {**content, "run": {"run": "b" * 64, "range": 7}}) is None
    assert len(contents(records)) == 2


def test_a_record_that_lacks_nothing_but_its_end_is_seen_and_not_made_twice(records: Path) -> None:
    chain, content = records / "records.jsonl", {"run": {"run": "a" * 64, "range": 7}, "groups": []}
    Made(chain, "a" * 64).append(7, content)
    chain.write_bytes(chain.read_bytes()[:-1])
    assert Made(chain, "a" * 64).append(7, content) is not None
    assert ranges(records) == [7]


# ---------------------------------------------------------------------- again


def test_a_run_comes_to_the_same_values_again_for_the_lines_that_are_given(
    kb: Repository, cases: Path, tmp_path: Path, records: Path, run_kb: RunKb
) -> None:
    recorded(kb, cases, tmp_path / "to", records)
    done = run_kb("replay", str(records), str(cases))
    number = len(contents(records))
    assert done.returncode == 0, done.stderr
    assert f"{number} records: {number} same values; the chain is whole" in " ".join(done.stdout.split())
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(LINES[:2]) + "\n")
    found = replayed(kb, records, lines_of([few]))
    assert sum((one.cases for one in found.values()), Counter()) == {Status.SAME_VALUES: 2, Status.NOT_REPLAYED: 7}
    without = run_kb("replay", str(records))
    assert (without.returncode, "none of its cases was given" in " ".join(without.stdout.split())) == (0, True)


def test_what_differs_is_named_with_the_digest_of_its_case(
    kb: Repository, cases: Path, tmp_path: Path, records: Path
) -> None:
    recorded(kb, cases, tmp_path / "to", records)
    first = contents(records)[0]
    digest, _, digits = first["groups"][0]["cases"][0].partition(" ")
    place = first["conditions"]["2026-02"].index("https://w3id.org/policykb/condition#mrd-is-detected")
    other = "0" if digits[place] != "0" else "5"
    changed = {key: first[key] for key in first if key not in ("digest", "number", "previous")}
    changed["groups"][0]["cases"][0] = f"{digest} {digits[:place]}{other}{digits[place + 1 :]}"
    RecordFolder(tmp_path / "changed").begin()
    append(tmp_path / "changed/records.jsonl", [changed])
    found = replayed(kb, tmp_path / "changed", lines_of([cases]))
    (many,) = found.values()
    assert many.cases[Status.DIFFERS] == 1
    (difference,) = many.differences
    assert (difference.what, difference.before) == ("conditionValues", "holds" if other == "0" else "fails")
    assert difference.name == f"case {digest[:12]}, cond:mrd-is-detected"
    replay = Replay(kb, tmp_path / "changed", many=found)
    assert [one.status for one in replay.records()] == [Status.DIFFERS]
    assert not replay.is_same


def test_options_that_do_not_go_together_are_refused(run_kb: RunKb, cases: Path) -> None:
    for more in (["--compare", "2019-10", "--revision", "2026-02"], ["--on", "tcp://127.0.0.1:1"]):
        done = run_kb("run", str(cases), "--to", "rows", "--record", "records", *more)
        assert (done.returncode, f"--record and {more[0]} exclude each other." in done.stderr) == (2, True)


def test_the_command_says_where_it_recorded_and_the_head(run_kb: RunKb, cases: Path, tmp_path: Path) -> None:
    asked = ("run", str(cases), "--to", "rows", "--record", "records", "--workers", "1", "--engine", ENGINE)
    done = run_kb(*asked)
    head = json.loads((tmp_path / "records/records.jsonl").read_text().splitlines()[-1])
    assert done.stderr == f"kb: every range of the run is recorded in records; head 1/{head['digest']}\n"
    turtle = run_kb("replay", "records", "--format", "turtle")
    assert turtle.stderr == (
        "kb: 1 record of many cases not written as RDF; kb serve --show-records counts their cases\n"
    )
