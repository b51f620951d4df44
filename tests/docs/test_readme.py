"""What the README shows is what the tool does."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pyoxigraph as ox
import pytest

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.cli import COMMANDS
from kb_tools.determine.result import Determination, Outcome
from kb_tools.determine.run import Run
from kb_tools.model.repository import KnowledgeBase
from kb_tools.rdf.files import FORMATS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_readme_shows_commands_a_case_and_queries() -> None:
    assert (len(blocks("console")), len(blocks("turtle")), len(blocks("sparql"))) == (11, 1, 2)


@pytest.mark.parametrize("block", blocks("console"))
def test_a_command_prints_what_the_readme_shows(block: str) -> None:
    command, _, shown = block.partition("\n")
    kb = Path(sys.executable).with_name("kb")
    arguments = command.removeprefix("$ kb").split()
    found = subprocess.run([kb, *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.rstrip()
    pattern = re.escape(shown).replace(re.escape("...\n"), "(?:.*\n)*?")
    assert re.fullmatch(pattern, found + "\n"), found


def test_the_case_of_the_readme_meets_the_criteria() -> None:
    kb = KnowledgeBase(ROOT)
    cases = CaseReader(kb).read("-", None, blocks("turtle")[0].encode(), FORMATS[".ttl"])
    (found,) = Run(kb, kb.policy(), "pyshacl", revision="2026-02").answers(cases)
    assert isinstance(found, Determination)
    assert found.outcome is Outcome.MET


def test_the_json_of_the_readme_is_the_case_of_the_readme() -> None:
    (shown,) = blocks("json")
    (case,) = CaseReader(KnowledgeBase(ROOT)).stream("standard input", None, io.BytesIO(shown.encode()))
    assert isinstance(case, Case)
    kb = KnowledgeBase(ROOT)
    (found,) = Run(kb, kb.policy(), "pyshacl", revision="2026-02").answers([case])
    assert isinstance(found, Determination)
    assert found.outcome is Outcome.MET


def test_the_query_of_the_readme_lists_what_each_criterion_cites() -> None:
    store = ox.Store()
    for path in sorted((ROOT / "policies/CP.MP.101/2026-02").glob("*.ttl")):
        store.load(path=str(path), format=ox.RdfFormat.TURTLE)
    found = store.query(blocks("sparql")[0])
    assert isinstance(found, ox.QuerySolutions)
    rows = [tuple(value.value if isinstance(value, ox.Literal) else None for value in row) for row in found]
    assert rows == [
        ("I", "9", "10.1016/j.transci.2016.05.011"),
        ("I, note", "9", "10.1016/j.transci.2016.05.011"),
        ("II.A", "10", "10.1182/blood-2003-02-0342"),
        ("II.B", "7", "10.1016/j.beha.2008.02.007"),
        ("II.B", "8", None),
    ]


def test_every_command_and_outcome_is_told_of() -> None:
    for outcome in Outcome:
        assert f"`{outcome.value}`" in README
    for command in COMMANDS:
        assert f"kb {command}" in README


def test_the_query_of_the_tour_is_the_file_that_it_names() -> None:
    assert blocks("sparql")[1] == (ROOT / "docs/tour.rq").read_text(encoding="utf-8")
