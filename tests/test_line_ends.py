"""A checkout on Windows, where git ends each line with two signs: it says the same, and passes every check."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from rdflib import Literal

from kb_tools.ask import dataset
from kb_tools.ask.library import questions, read_question
from kb_tools.checks import CHECKS
from kb_tools.model.repository import Repository
from kb_tools.rdf.canonical import canonical
from kb_tools.rdf.terms import to_quads
from kb_tools.revisions.seal import freeze

ROOT = Path(__file__).parents[1]
QUESTIONS = "kb_tools/ask/questions"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git makes the checkout")


def git(folder: Path, *arguments: str) -> None:
    """Runs git without the settings of whoever runs the tests."""
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, env={**os.environ, **own}, check=True, capture_output=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The knowledge base and the questions, sealed as they are, in a repository without .gitattributes."""
    root = tmp_path_factory.mktemp("original")
    for folder in ("ontology", "shapes", "policies", QUESTIONS):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("seal.*"))
    kb = Repository(root)
    for policy in kb.policies():
        for entry in policy.history:
            freeze(kb, policy, entry)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")
    return root


@pytest.fixture(scope="module")
def checkout(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of it as git for Windows makes it."""
    folder = tmp_path_factory.mktemp("windows")
    git(folder, "clone", "--quiet", "--config", "core.autocrlf=true", str(original), "clone")
    files = [path for path in (folder / "clone").rglob("*") if path.is_file() and ".git" not in path.parts]
    assert len(files) > 250
    for path in files:
        content = path.read_bytes()
        assert content.count(b"\r\n") == content.count(b"\n") > 0, path
    return folder / "clone"


def test_a_checkout_with_line_ends_of_windows_passes_every_check(
    checkout: Path, run_kb: Callable[..., CompletedProcess[str]]
) -> None:
    checked = run_kb("check", "--kb", str(checkout))
    assert checked.stdout.splitlines()[-1] == f"{len(CHECKS)} checks, {len(CHECKS)} passed, 0 problems"
    assert (checked.returncode, checked.stderr) == (0, "")


def test_freezing_it_again_changes_nothing(checkout: Path) -> None:
    kb = Repository(checkout)
    frozen = {freeze(kb, kb.policy(), entry).status for entry in kb.policy().history}
    assert frozen == {"unchanged"}


def test_every_file_says_the_same(original: Path, checkout: Path) -> None:
    one, other = Repository(original), Repository(checkout)
    several = 0
    for path in one.files("ontology", "shapes", "policies"):
        triples = one.triples(path)
        same = other.triples(checkout / path.relative_to(original))
        assert canonical(to_quads(triples)) == canonical(to_quads(same)), path
        several += sum(isinstance(object_, Literal) and "\n" in object_ for _, _, object_ in triples)
    # Else nothing is shown: texts over several lines, as rules have them.
    assert several > 2


def test_what_a_query_is_asked_of_says_the_same(original: Path, checkout: Path) -> None:
    one, other = (canonical(dataset.open_store(Repository(root))) for root in (original, checkout))
    assert one == other
    assert b"\\r" not in one


def test_every_question_is_read_alike(checkout: Path) -> None:
    for question in questions():
        assert read_question(checkout / QUESTIONS / f"{question.name}.rq") == question
