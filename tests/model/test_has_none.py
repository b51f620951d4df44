"""A document that has nothing of a part: what is asked of that part is answered with none."""

from __future__ import annotations

from pathlib import Path

import pytest
from several_policies import invented_alone

import kb_tools
from kb_tools.api import KnowledgeBase
from kb_tools.checks import run_checks

HELD = "pol:part pol:Codes ; pol:basis pol:"


def knowledge_base(folder: Path, codes: str) -> KnowledgeBase:
    """EX.5, with something else said of its codes."""
    root = invented_alone(folder, "EX.5")
    path = root / "policies/EX.5/2024-01/revision.ttl"
    text = path.read_text(encoding="utf-8")
    assert f"{HELD}NotOnFile" in text
    path.write_text(text.replace(f"{HELD}NotOnFile", codes), encoding="utf-8")
    return kb_tools.open(root)


@pytest.fixture(scope="module")
def without_codes(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeBase:
    return knowledge_base(tmp_path_factory.mktemp("none"), f"{HELD}DocumentOnFile ; pol:hasNone true")


def test_the_part_is_on_file_and_has_none(without_codes: KnowledgeBase) -> None:
    (entry,) = without_codes.repository.policy("EX.5").history
    assert (entry.on_file["Codes"], entry.has_none, entry.to_dict()["hasNone"]) == (
        "DocumentOnFile", ("Codes",), ["Codes"]
    )  # fmt: skip
    found = run_checks(without_codes.repository, ["on-file", "policy-shapes"], "EX.5")
    assert [one.message for result in found for one in result.problems if "EX.5" in one.where] == []


def test_a_question_about_it_is_answered_with_none(without_codes: KnowledgeBase, tmp_path: Path) -> None:
    none = without_codes.query("codes")
    assert (list(none.rows), none.found.missing) == ([], "")
    not_known = knowledge_base(tmp_path, f"{HELD}NotOnFile").query("codes")
    assert (list(not_known.rows), not_known.found.missing) == ([], "all")
