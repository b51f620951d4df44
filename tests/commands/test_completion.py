"""What the shell offers after Tab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from kb_tools.cli import COMMANDS, kb
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_ROOT", str(ROOT))


def offered(line: str, incomplete: str = "") -> list[str]:
    found = ShellComplete(kb, {}, "kb", "_KB_COMPLETE").get_completions(line.split()[1:], incomplete)
    return [item.value for item in found if item.type == "plain"]


def test_commands_are_offered() -> None:
    assert offered("kb") == list(COMMANDS)
    assert offered("kb", "e") == ["export"]
    assert offered("kb case") == ["convert", "schema", "template"]


@pytest.mark.parametrize(
    "line",
    [
        "kb show",
        "kb diff",
        "kb diff 2019-10",
        "kb shapes",
        "kb freeze",
        "kb validate --revision",
        "kb query codes --revision",
        "kb export --revision",
        "kb trace a.txt --revision",
    ],
)
def test_every_revision_is_offered_where_one_is_named(line: str, kb: Repository) -> None:
    assert offered(line) == [entry.name for policy in kb.policies() for entry in policy.history]


@pytest.mark.parametrize(
    "line",
    ["kb case template CP.MP.101 --revision", "kb show --policy CP.MP.101", "kb trace --policy CP.MP.101 --revision"],
)
def test_of_a_policy_that_is_named_its_own_revisions_are_offered(line: str, policy: Policy) -> None:
    assert offered(line) == [entry.name for entry in policy.history]


def test_revisions_are_offered_as_far_as_they_are_typed() -> None:
    assert offered("kb show", "2023-1") == ["2023-10", "2023-11"]
    assert offered("kb diff", "CP.MP.101/2026") == ["CP.MP.101/2026-02"]
    assert offered("kb show", "1999") == []


def test_the_policy_named_on_the_line_says_whose_revisions(tmp_path: Path) -> None:
    for name in ("ontology", "policies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tests/data/EX.5", tmp_path / "policies/EX.5")
    assert offered(f"kb show --kb {tmp_path} --policy EX.5") == ["2024-01"]
    assert offered(f"kb show --kb {tmp_path}", "2024") == ["2024-10", "2024-04", "2024-01"]
    assert offered(f"kb show --kb {tmp_path} --policy") == ["CG-TRANS-03", "CP.MP.101", "EX.5"]


def test_policies_are_offered() -> None:
    assert offered("kb validate a.ttl --policy") == ["CG-TRANS-03", "CP.MP.101"]
    assert offered("kb case template") == ["CG-TRANS-03", "CP.MP.101"]


def test_questions_and_their_parameters_are_offered() -> None:
    assert offered("kb query", "co") == ["codes", "condition-dependencies", "conditions"]
    assert offered("kb query changed-criteria --param") == ["before=", "after="]
    assert offered("kb query changed-criteria --param", "a") == ["after="]
    assert offered("kb query codes --param", "x") == []


def test_where_no_question_is_ready_files_are_offered() -> None:
    (found,) = ShellComplete(kb, {}, "kb", "_KB_COMPLETE").get_completions(["query"], "mine/")
    assert (found.value, found.type) == ("mine/", "file")


def test_where_there_is_no_knowledge_base_nothing_is_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KB_ROOT", str(tmp_path))
    assert offered("kb show") == []
    assert offered("kb validate --policy") == []
    assert capfd.readouterr() == ("", "")


def test_where_the_knowledge_base_is_broken_nothing_is_offered(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "ontology", tmp_path / "ontology")
    (tmp_path / "policies/EX.5").mkdir(parents=True)
    (tmp_path / "policies/EX.5/policy.ttl").write_text("not Turtle", encoding="utf-8")
    assert offered(f"kb show --kb {tmp_path}") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_of_the_page_prints_a_script_for_the_shell(shell: str) -> None:
    program = Path(sys.executable).with_name("kb")
    environment = os.environ | {"_KB_COMPLETE": f"{shell}_source"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_KB_COMPLETE={shell}_complete" in done.stdout
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert f"_KB_COMPLETE={shell}_source kb" in page
