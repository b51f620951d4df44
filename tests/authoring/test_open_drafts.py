"""Drafts with everything left open: each is one line wherever a case is to be determined, and other policies go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents import call, in_memory, refused
from click.testing import CliRunner
from mcp import Client
from run_cases import rows
from several_policies import DATA, knowledge_base

from kb_tools.ask.pool import Pool
from kb_tools.authoring.start import start
from kb_tools.commands.run import command as run
from kb_tools.model.repository import Repository
from kb_tools.serve.case.workers import Workers
from kb_tools.serve.mcp.office import Office

pytestmark = pytest.mark.usefixtures("no_policy_preferred", "own_cache")
REQUEST = {"service": "DonorLymphocyteInfusion", "serviceDate": "2026-07-01", "reason": "AcuteMyeloidLeukemia"}
CASE = {"id": "a", "patient": "p", "lineOfBusiness": "Commercial", "payer": "pay:centene", "request": REQUEST}
NOT_IN_FORCE = "no revision of DR.1 was in force on 2026-07-01; none on file is released"
A_DRAFT = "is a draft; kb draft status lists what is left of it; kb draft done releases it"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CP.MP.101; EX.5 with its next edition begun; and DR.1, of which nothing is there but a draft just begun."""
    root = knowledge_base(tmp_path_factory.mktemp("open-drafts"), "EX.5")
    start(Repository(root).policy("EX.5"), "2025-02", DATA / "document/EX.5-2025-02.txt")
    text = (DATA / "EX.5/policy.ttl").read_text(encoding="utf-8").replace("EX.5", "DR.1")
    for name in ("crit", "log", "psg"):
        text = text.replace(f'"x{name}"', f'"d{name}"')
    (root / "policies/DR.1").mkdir()
    (root / "policies/DR.1/policy.ttl").write_text(text, encoding="utf-8")
    document = root / "DR.1.txt"
    document.write_text((DATA / "document/EX.5-2024-01.txt").read_text(encoding="utf-8").replace("EX.5", "DR.1"))
    start(Repository(root).policy("DR.1"), "2024-01", document)
    (root / "cases.jsonl").write_text(f"{json.dumps(CASE)}\n", encoding="utf-8")
    return root


def ran(root: Path, to: Path, *options: str) -> tuple[int, str]:
    """The exit code of kb run in this process, and its error, if any, in a line."""
    arguments = [str(root / "cases.jsonl"), "--to", str(to), "--kb", str(root), "--workers", "1", *options]
    result = CliRunner().invoke(run, arguments)
    return result.exit_code, str(result.exception) if result.exception and result.exit_code == 1 else ""


@pytest.mark.parametrize(
    ("options", "outcome", "revision"),
    [
        (("--policy", "EX.5"), "InformationNeeded", "2024-01"),
        (("--policy", "CP.MP.101"), "InformationNeeded", "2026-02"),
        ((), "InformationNeeded", "2026-02"),
        (("--policy", "DR.1"), "NotDetermined", None),
    ],
    ids=["the edition before the draft", "another policy", "the policy that the case names", "a draft alone"],
)
def test_a_run_goes_on_under_what_is_released(
    options: tuple[str, ...], outcome: str, revision: str | None, root: Path, tmp_path: Path
) -> None:
    ran(root, tmp_path / "to", *options)
    (row,) = rows(tmp_path / "to")
    assert (row["outcome"], row["revision"]) == (outcome, revision)
    assert row["reasons"] == ([] if revision else [NOT_IN_FORCE.partition("; ")[0]])


@pytest.mark.parametrize("named", ["EX.5/2025-02", "DR.1/2024-01"])
def test_a_run_under_a_draft_is_refused_in_a_line(named: str, root: Path, tmp_path: Path) -> None:
    policy, month = named.split("/")
    assert ran(root, tmp_path / "to", "--revision", named)[1] == f"{policy} revision {month} {A_DRAFT}"


@pytest.fixture(scope="module")
def drafting(root: Path) -> Iterator[Office]:
    """The same, open for agents."""
    with Office(Pool(Repository(root), size=1, timeout=20, patience=20), Workers(root, 1)) as found:
        yield found


def test_agents_are_told_of_a_draft_in_a_line_and_go_on_with_other_policies(drafting: Office) -> None:
    async def work(client: Client) -> dict[str, Any]:
        return {
            "alone": await refused(client, "determine_case", case=CASE, policy="DR.1"),
            "draft": await refused(client, "determine_case", case=CASE, revision="DR.1/2024-01"),
            "next": await refused(client, "determine_case", case=CASE, revision="EX.5/2025-02"),
            "criterion": await refused(client, "read_criterion", name="I", revision="DR.1/2024-01"),
            "before": (await call(client, "determine_case", case=CASE, policy="EX.5"))["revision"],
            "other": (await call(client, "determine_case", case=CASE, policy="CP.MP.101"))["revision"],
            "policies": [one["policy"] for one in (await call(client, "list_policies"))["policies"]],
            "read": (await call(client, "read_revision", revision="DR.1/2024-01"))["draft"],
        }

    assert in_memory(drafting, work) == {
        "alone": f"The case is not determined: {NOT_IN_FORCE.replace('2026-07-01', 'that day')}",
        "draft": f"DR.1 revision 2024-01 {A_DRAFT}",
        "next": f"EX.5 revision 2025-02 {A_DRAFT}",
        "criterion": f"DR.1 revision 2024-01 {A_DRAFT}",
        "before": "2024-01",
        "other": "2026-02",
        "policies": ["CP.MP.101", "DR.1", "EX.5"],
        "read": True,
    }
