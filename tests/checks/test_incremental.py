"""kb check looks again at what changed and at nothing else, and says what checking everything would say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from several_policies import copied, invented_alone

from kb_tools.checks import CHECKS, Check, CheckResult, Problem, run_checks
from kb_tools.checks.incremental import check_what_changed
from kb_tools.checks.units import VOCABULARIES, Checker
from kb_tools.model.repository import Repository

# A few checks of each scope that cost little.
FEW = ("parses", "files-read", "literals", "dangling-iris", "hierarchy", "conditions-used", "log-dates", "criteria")
ALL = {VOCABULARIES, "EX.5", "TST.7"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A knowledge base of two small policies; what was found is kept in a folder of the test's own."""
    few = tuple(check for check in CHECKS if check.id in FEW)
    for module in ("kb_tools.checks", "kb_tools.checks.incremental"):
        monkeypatch.setattr(f"{module}.CHECKS", few)
    monkeypatch.setattr("kb_tools.checks.incremental.os.cpu_count", lambda: 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return invented_alone(tmp_path / "kb", "EX.5", "TST.7")


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the units on which checks are run."""
    found: set[str] = set()
    run = Checker.outcome

    def outcome(self: Checker, check: Check) -> object:
        found.add(self.unit.name)
        return run(self, check)

    monkeypatch.setattr(Checker, "outcome", outcome)
    return found


Checked = Callable[[], dict[str, CheckResult]]


@pytest.fixture
def checked(root: Path, looked_at: set[str]) -> Checked:
    """Checks what changed, compares it with checking everything, and leaves in `looked_at` what was looked at."""

    def check() -> dict[str, CheckResult]:
        looked_at.clear()
        results = check_what_changed(Repository(root))
        looked = set(looked_at)
        assert list(run_checks(Repository(root))) == results
        looked_at.clear()
        looked_at.update(looked)
        return {result.check.id: result for result in results}

    return check


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


CRITERIA = "policies/EX.5/2024-01/criteria.ttl"


def test_what_did_not_change_is_not_looked_at_again(checked: Checked, looked_at: set[str]) -> None:
    first = checked()
    assert looked_at == ALL
    assert checked() == first
    assert looked_at == set()


def pointing_nowhere(result: CheckResult) -> list[tuple[str, str]]:
    """Where something is pointed to that nothing describes, codes apart."""
    return [(problem.where, problem.unless) for problem in result.problems if "/code/" not in problem.unless]


def test_a_change_of_a_policy_has_it_alone_checked_again(root: Path, checked: Checked, looked_at: set[str]) -> None:
    shared = pointing_nowhere(checked()["dangling-iris"])
    edited(root / CRITERIA, "xpsg:I .", "xpsg:X .")
    place = "https://w3id.org/policykb/EX.5/2024-01/passage/X"
    assert pointing_nowhere(checked()["dangling-iris"]) == [*shared, (CRITERIA, place)]
    assert looked_at == {"EX.5"}
    edited(root / CRITERIA, "xpsg:X .", "xpsg:I .")
    assert pointing_nowhere(checked()["dangling-iris"]) == shared


def test_a_change_of_a_vocabulary_has_everything_checked_again(
    root: Path, checked: Checked, looked_at: set[str]
) -> None:
    checked()
    edited(root / "ontology/case.ttl", "owl:versionInfo", 'skos:note "x"@en ; owl:versionInfo')
    checked()
    assert looked_at == ALL


def test_a_change_is_seen_though_size_and_time_are_as_before(root: Path, checked: Checked, looked_at: set[str]) -> None:
    checked()
    before = (root / CRITERIA).stat()
    edited(root / CRITERIA, "xpsg:I .", "xpsg:J .")
    os.utime(root / CRITERIA, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (root / CRITERIA).stat().st_size == before.st_size
    assert CRITERIA in {problem.where for problem in checked()["dangling-iris"].problems}
    assert looked_at == {"EX.5"}


def test_a_policy_is_checked_again_with_what_it_names(root: Path, checked: Checked, looked_at: set[str]) -> None:
    log = root / "policies/EX.5/revision-log.ttl"
    log.write_text(
        log.read_text() + "\n<https://w3id.org/policykb/EX.5> rdfs:seeAlso <https://w3id.org/policykb/TST.7> .\n"
    )
    checked()
    edited(root / "policies/TST.7/policy.ttl", "Nobody", "No one")
    checked()
    assert looked_at == {"EX.5", "TST.7"}
    edited(root / "policies/EX.5/policy.ttl", "5", "5")
    checked()
    assert looked_at == {"EX.5"}


def test_a_condition_that_one_policy_reads_is_used(root: Path, checked: Checked) -> None:
    def unused() -> set[str]:
        return {problem.where for problem in checked()["conditions-used"].problems}

    assert not {"cond:mrd-is-detected", "cond:relapse-risk-is-raised"} & unused()
    for criteria in root.glob("policies/*/2024-01/criteria.ttl"):
        criteria.write_text(
            criteria.read_text().replace("cond:mrd-is-detected", "cond:acute-gvhd-of-grade-2-or-higher")
        )
    assert {"cond:mrd-is-detected", "cond:relapse-risk-is-raised"} & unused() == {"cond:mrd-is-detected"}


def test_a_code_may_be_described_by_another_policy(root: Path, checked: Checked) -> None:
    def undescribed() -> list[str]:
        return [
            problem.where
            for problem in checked()["dangling-iris"].problems
            if problem.unless.endswith("code/cpt/38242")
        ]

    assert sorted(undescribed()) == [
        "policies/EX.5/policy.ttl", "policies/TST.7/policy.ttl", "shapes/conditions/coverage.ttl"
    ]  # fmt: skip
    log = root / "policies/TST.7/revision-log.ttl"
    log.write_text(f"PREFIX cpt: <https://w3id.org/policykb/code/cpt/>\n{log.read_text()}\ncpt:38242 a pol:Code .\n")
    assert undescribed() == []


def test_a_policy_that_is_broken_stops_no_other(root: Path, checked: Checked) -> None:
    (root / CRITERIA).write_text("xcrit:I a")
    results = checked()
    assert [problem.where for problem in results["parses"].problems] == [f"{CRITERIA}:1"]
    why = f"not run on EX.5, because the check parses failed: {CRITERIA}:1: "
    assert results["criteria"].skipped.startswith(why)
    assert (results["criteria"].status, results["criteria"].problems) == ("not run", ())
    assert results["hierarchy"].passed
    edited(root / "policies/TST.7/revision-log.ttl", 'AsPrinted "01/24"', 'AsPrinted "01/23"')
    results = checked()
    assert (results["log-dates"].status, len(results["log-dates"].problems)) == ("failed", 1)
    assert results["log-dates"].skipped.startswith(why)


def test_a_folder_without_a_policy_is_looked_at_for_files_that_nothing_reads(root: Path, checked: Checked) -> None:
    (root / "policies/stray").mkdir()
    (root / "policies/stray/a.ttl").write_text("")
    assert [problem.where for problem in checked()["files-read"].problems] == ["policies/stray/a.ttl"]


def test_a_policy_that_is_gone_or_new_is_noticed(root: Path, checked: Checked, looked_at: set[str]) -> None:
    checked()
    copied(root, "EX.5", "EX.6", {})
    checked()
    assert looked_at == {"EX.6"}
    shutil.rmtree(root / "policies/EX.6")
    edited(root / CRITERIA, "xpsg:I .", "xpsg:X .")
    assert [where for where, _ in pointing_nowhere(checked()["dangling-iris"])][-1] == CRITERIA
    assert looked_at == {"EX.5"}


def test_without_any_policy_that_is_said_once(root: Path) -> None:
    shutil.rmtree(root / "policies")
    (root / "policies").mkdir()
    results = {result.check.id: result for result in check_what_changed(Repository(root))}
    assert [problem.where for problem in results["parses"].problems] == ["policies"]


@pytest.mark.parametrize("damage", [b"", b"{}", b"# sha256 0\n{}"])
def test_what_is_kept_and_damaged_is_not_used(root: Path, checked: Checked, looked_at: set[str], damage: bytes) -> None:
    first = checked()
    (kept,) = (root.parent / "cache").rglob("checks-*.json")
    kept.write_bytes(damage)
    assert checked() == first
    assert looked_at == ALL
    assert checked() == first
    assert looked_at == set()


def test_another_tool_checks_again(
    root: Path, checked: Checked, looked_at: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked()
    monkeypatch.setattr("kb_tools.checks.incremental.__version__", "0.0.0")
    checked()
    assert looked_at == ALL


def test_what_stopped_a_check_is_not_kept(
    root: Path, checked: Checked, looked_at: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(kb: Repository) -> Iterator[Problem]:
        raise MemoryError("no room")

    (dates,) = (check for check in CHECKS if check.id == "log-dates")
    with monkeypatch.context() as patched:
        patched.setattr(
            "kb_tools.checks.incremental.CHECKS", (Check(dates.id, "", dates.severity, stopping, dates.scope),)
        )
        (result,) = check_what_changed(Repository(root))
        assert [problem.message for problem in result.problems] == [
            "the check stopped: MemoryError: no room; correct the data it was reading"
        ]
    assert checked()["log-dates"].passed
    assert looked_at == ALL


def test_all_processes_together_come_to_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "cache"))
    monkeypatch.setattr("kb_tools.checks.incremental.os.cpu_count", lambda: 2)
    edited(root / CRITERIA, "xpsg:I .", "xpsg:X .")
    found = {result.check.id: result for result in check_what_changed(Repository(root))}
    assert list(found) == [check.id for check in CHECKS]
    assert {result.check.id: result for result in run_checks(Repository(root), FEW)} == {id_: found[id_] for id_ in FEW}
    assert check_what_changed(Repository(root)) == list(found.values())


def test_of_one_policy_no_other_is_looked_at(root: Path, looked_at: set[str]) -> None:
    """But where what must be so in some policy is looked for: no condition is to be without a use in all of them."""
    assert len(list(run_checks(Repository(root), [id_ for id_ in FEW if id_ != "conditions-used"], "EX.5"))) == 7
    assert looked_at == {VOCABULARIES, "EX.5"}
    (_,) = run_checks(Repository(root), ["conditions-used"], "EX.5")
    assert "TST.7" in looked_at
