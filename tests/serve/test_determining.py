"""The service that all doors of programs use: bytes in, the answer as the command writes it out."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kb_tools.cli import kb as kb_command
from kb_tools.errors import Busy, KbError
from kb_tools.model.repository import Repository
from kb_tools.serve.case.desk import MAX_CASES
from kb_tools.serve.case.messages import Message
from kb_tools.serve.case.workers import WAITING, Clock, Workers
from kb_tools.serve.determining import Determined, Determining

ROOT = Path(__file__).parents[2]
CASES = ROOT / "policies/CP.MP.101/cases"
MEETS, NOT_MET = "refractory-leukemia-meets.ttl", "acute-gvhd-of-grade-2-excludes.ttl"
CASE = {"patient": "p", "request": {"serviceDate": "2026-07-01"}}


@pytest.fixture(scope="module")
def determining(kb: Repository) -> Iterator[Determining]:
    yield Determining(kb, number=1)


def determined(determining: Determining, data: bytes, format_: str, form: str = "json", **chosen: str) -> Determined:
    return asyncio.run(determining.determine(data, format_, determining.chosen(**chosen), form))


@pytest.mark.parametrize("form", ["json", "fhir", "turtle"])
def test_each_form_is_what_the_command_writes_of_the_same_bytes(determining: Determining, form: str) -> None:
    data = (CASES / NOT_MET).read_bytes()
    found = determined(determining, data, "turtle", form, revision="2026-02")
    asked = ["validate", "-", "--input-format", "turtle", "--revision", "2026-02", "--format", form]
    said = CliRunner().invoke(kb_command, asked, input=data).stdout_bytes
    # The input is called "case" here, and "-" there.
    if form == "json":
        expected = json.loads(said)
        expected["determinations"][0]["file"] = "case"
        assert json.loads(found.body) == expected
    else:
        assert found.body == said
    assert found.told == {"read": 1, "outcomes": ["CriteriaNotMet"], "revisions": ["2026-02"], "errors": []}


def test_several_cases_in_one_body_have_one_answer_each(determining: Determining) -> None:
    both = b"\n".join((CASES / name).read_bytes() for name in (MEETS, NOT_MET))
    found = determined(determining, both, "turtle", revision="2026-02")
    assert found.told["outcomes"] == ["CriteriaNotMet", "CriteriaMet"]
    lines = b"\n".join(json.dumps({**CASE, "id": f"c{number}"}).encode() for number in range(3)) + b"\nno case"
    found = determined(determining, lines, "jsonl", revision="2026-02")
    assert found.told["outcomes"] == ["InformationNeeded"] * 3 + ["Unreadable"]
    assert [line.partition(": ")[0] for line in found.told["errors"]] == ["case:4"]
    many = b"\n".join([json.dumps(CASE).encode()] * (MAX_CASES + 1))
    assert determined(determining, many, "jsonl").told["errors"] == [
        "case: more than 100 cases; send fewer, or use kb validate"
    ]


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"revision": "2026-03"}, "CP.MP.101 has no revision 2026-03"),
        ({"policy": "CP.MP.102"}, "no policy CP.MP.102 on file; did you mean CP.MP.101?"),
        ({"as_of": "2026-02-30"}, "asOf: '2026-02-30' is no calendar day; write YYYY-MM-DD"),
        ({"as_of": "2026-02-03", "revision": "2026-02"}, "a revision and a day; give revision or asOf"),
    ],
)
def test_a_choice_that_cannot_be_made_is_said(determining: Determining, chosen: dict[str, str], says: str) -> None:
    with pytest.raises(KbError, match=says.replace("?", r"\?")):
        determining.chosen(**chosen)


def test_more_than_may_wait_are_asked_to_come_again(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: Workers, operation: str, *arguments: Any, body: bytes | None = None) -> Message:
        time.sleep(0.3)
        return Message({"read": 1, "outcomes": [], "revisions": [], "errors": []}, b"{}")

    monkeypatch.setattr(Workers, "exchange", slow)

    async def many() -> list[Determined | BaseException]:
        service = Determining(kb, number=1)
        asked = (service.determine(b"", "json", service.chosen()) for _ in range(WAITING + 3))
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(many())
    assert [type(each) for each in found] == [Determined] * (WAITING + 1) + [Busy] * 2


def test_an_operation_that_breaks_says_neither_what_it_read_nor_a_traceback(determining: Determining) -> None:
    with pytest.raises(KbError, match=r"^unexpected KeyError; kb validate says more$"):
        asyncio.run(determining.exchange("no-such-operation", body=b"secret"))


def test_a_process_whose_time_is_over_is_ended_and_no_other() -> None:
    clock = Clock()
    command = [sys.executable, "-c", "input()"]
    for seconds, late in ((0.1, True), (60, False)):
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            clock.begin(process, seconds)
            if late:
                assert process.wait(30) != 0
            else:
                process.communicate(b"\n", 30)
            assert (clock.end(process), process.returncode != 0) == (late, late)
    # It had nothing to look after for a while, and looks again.
    time.sleep(0.5)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        clock.begin(process, 0.1)
        assert process.wait(30) != 0
