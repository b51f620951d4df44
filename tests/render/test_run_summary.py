"""The summary of a run: what is counted has the names that people know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from own_terms import bring, changed
from several_policies import invented_alone

from kb_tools.batch.run import Summary
from kb_tools.model.repository import Repository
from kb_tools.render.run import drawn


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """EX.5, which reads a condition of its own beside shared ones."""
    invented_alone(tmp_path)
    bring(tmp_path, "EX.5", "x")
    return tmp_path


def picture_of(root: Path, **counted: dict[str, int]) -> str:
    summary = Summary(4, {}, {"2024-01": 4}, to_send={}, criteria={}, conditions={}, reasons={})
    summary = replace(summary, **counted)  # type: ignore[arg-type]
    return drawn([Repository(root).policy("EX.5")], summary, "2024-01").decode()


def test_a_condition_of_a_policy_s_own_has_its_label(root: Path) -> None:
    shown = picture_of(
        root,
        conditions={"weight-is-high: fails": 3, "relapse-risk-is-raised: holds": 1},
        to_send={"weight-is-high": 2},
        criteria={"residual-disease: holds": 4},
    )
    for text in (
        *("the weight is high: fails 3 (75.0%)", "the risk of relapse is raised: holds 1 (25.0%)"),
        *("the weight is high 2 (50.0%)", "residual disease or a raised risk of relapse: holds 4 (100.0%)"),
    ):
        assert text in shown
    assert "None" not in shown


def test_two_conditions_of_one_label_are_told_apart(root: Path) -> None:
    label = 'rdfs:label "the weight is high"@en'
    changed(
        root / "policies/EX.5/shapes/conditions/weight.ttl",
        label,
        label.replace("weight is high", "risk of relapse is raised"),
    )
    shown = picture_of(root, conditions={"weight-is-high: holds": 3, "relapse-risk-is-raised: holds": 2})
    assert "the risk of relapse is raised (weight-is-high): holds 3 (75.0%)" in shown
    assert "the risk of relapse is raised (relapse-risk-is-raised): holds 2 (50.0%)" in shown
