"""Runs over cases of several policies: each row is of the policy that the case names, as `kb validate` chooses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bundles import content, data
from pyarrow import parquet
from run_cases import ENGINE, FINDINGS, REQUEST, STATUS, bytes_of, ignore, rows
from several_policies import knowledge_base

from kb_tools.batch.parts import Columns
from kb_tools.batch.rows import RowMaker
from kb_tools.batch.run import carry_out, plan
from kb_tools.batch.several import RowMakers
from kb_tools.batch.work import Settings
from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.cases.isolate import isolate
from kb_tools.determine.choice import choice_of
from kb_tools.determine.result import Determination, NotDetermined
from kb_tools.determine.run import Run
from kb_tools.errors import KbError, UnknownRevision
from kb_tools.model.repository import Repository

pytestmark = pytest.mark.usefixtures("no_policy_preferred", "own_cache", "pseudonym_key")
CENTENE, ANTHEM = "CP.MP.101", "CG-TRANS-03"
OF_OTHER, OF_NONE = "no policy on file is of the payer that the coverage states", "the case names none of 2 policies"


def case(number: int, **more: Any) -> bytes:
    status = {**STATUS, "disease": "AcuteMyeloidLeukemia", "diseaseStatus": "Relapsed"}
    stated = {"id": f"r{number}", "patient": "p", "lineOfBusiness": "Commercial", "request": REQUEST}
    return json.dumps({**stated, "findings": [*FINDINGS, status], **more}).encode()


def lines() -> Iterator[bytes]:
    """Cases of either policy, of none and of several, with slips in some of each; and what is no case."""
    grade = {**FINDINGS[1], "grade": 4}
    for payer in ("pay:centene", "pay:anthem", "pay:other", None):
        named = {"payer": payer} if payer else {}
        yield case(1, **named)
        yield case(2, **named, findings=[*FINDINGS, grade])
        yield case(3, **named, findings=[])
        yield case(4, **named, findings=[{**grade, "grade": 7}])
        yield case(5, **named, findings=[{**grade, "grad": 1}])
        yield case(6, **named, request={**REQUEST, "serviceDate": "2012-01-01"})
        yield case(7, **named, request={**REQUEST, "service": "StemCellBoost"})
        yield case(8, **named, request={**REQUEST, "service": "StemCellBoost", "procedureCodes": ["cpt:38242"]})
        yield json.dumps(json.loads(case(9, **named)), separators=(", ", " : ")).encode()
    yield b"{torn"
    yield case(10, nonsense=1)


LINES = list(lines())


def makers(kb: Repository, by_pieces: bool = True) -> RowMakers:
    return RowMakers(Run(kb, choice_of(kb), ENGINE, by_pieces=by_pieces), by_pieces=by_pieces)


def said(answer: object) -> tuple[str, str, str]:
    """The policy, the revision and the outcome of an answer; in place of these, why there is none."""
    if isinstance(answer, Determination):
        return answer.revision.policy.identifier, answer.revision.entry.name, answer.outcome.value
    if isinstance(answer, NotDetermined):
        return answer.policy, "", answer.error.what
    return "", "", "Malformed" if isinstance(answer, Malformed) else "Unreadable"


@pytest.mark.parametrize("by_pieces", [True, False])
def test_each_row_is_what_kb_validate_says_of_the_case(kb: Repository, by_pieces: bool) -> None:
    made, run = makers(kb, by_pieces), Run(kb, choice_of(kb), ENGINE)
    reader = RowMaker(run)
    expected = [said(answer) for answer in run.stream(map(reader.read, LINES))]
    for _ in range(2 if by_pieces else 1):
        found = made.of_lines(LINES)
        assert [
            (row.policy, row.revision, row.reasons[0] if row.outcome == "NotDetermined" else row.outcome)
            for row in found
        ] == expected
    assert {policy for policy, _, _ in expected} == {CENTENE, ANTHEM, ""}
    assert {why for policy, _, why in expected if not policy} >= {OF_OTHER, "the case names 2 policies", "Malformed"}


def test_the_rows_of_one_policy_are_those_of_a_run_of_it(kb: Repository) -> None:
    found = makers(kb).of_lines(LINES)
    for name in (CENTENE, ANTHEM):
        places = [place for place, row in enumerate(found) if row.policy == name]
        alone = RowMaker(Run(kb, kb.policy(name), ENGINE)).of_lines([LINES[place] for place in places])
        assert [found[place]._replace(policy="") for place in places] == alone
        assert len(places) == 6


def test_bundles_are_of_the_policy_of_their_payer_too(kb: Repository) -> None:
    reader = FhirReader(kb)
    cases: list[Case] = []
    texts = []
    for number, payor in enumerate(("Centene Corporation", "Anthem", "Acme")):
        bundle = content()
        bundle["entry"][2]["resource"]["payor"] = [{"display": payor}]
        texts.append(data(bundle))
        cases += isolate(kb, reader.bundle(texts[-1], "in"), iter([number + 1]))
    found = makers(kb).of_read(texts, cases)
    assert [(row.policy, row.outcome) for row in found] == [
        (CENTENE, "CriteriaMet"),
        (ANTHEM, "InformationNeeded"),
        ("", "NotDetermined"),
    ]
    assert found[2].reasons == ("entry[2] Coverage (payor) names a payer that no policy on file is of",)


# ---------------------------------------------------------------------- a whole run


def settings(**more: Any) -> Settings:
    return Settings(root="", engine=ENGINE, **more)


def test_a_run_names_the_policy_of_each_row_and_goes_on_where_it_was(kb: Repository, tmp_path: Path) -> None:
    inputs, folder = tmp_path / "cases.jsonl", tmp_path / "rows"
    inputs.write_bytes(b"\n".join(LINES) + b"\n")

    def carried(goes_on: Any = ignore) -> Any:
        planned = plan(kb, [inputs], folder, settings(where=("NotDetermined",)), size=8_000)
        assert len(planned.ranges) > 1
        return carry_out(planned, 1, ignore, goes_on=goes_on)

    summary = carried()
    found = rows(folder)
    expected = makers(kb).of_lines(LINES)
    assert [(row["policy"], row["revision"], row["outcome"]) for row in found] == [
        (row.policy or None, row.revision or None, row.outcome) for row in expected
    ]
    # Of one of each, its policy has no revision for the date of service.
    assert summary.policies == {CENTENE: 6, ANTHEM: 6}
    assert summary.revisions == {f"{CENTENE}/2026-02": 5, f"{ANTHEM}/2024-10": 5}
    assert summary.outcomes["NotDetermined"] == sum(row["outcome"] == "NotDetermined" for row in found)
    assert f"{CENTENE} acute-gvhd: fails" in summary.criteria
    assert summary.reasons[OF_OTHER] == 7
    # A condition that one policy alone asks is empty in the rows of the other.
    asked = {row["policy"]: row["lymphocytes-from-transplant-donor"] for row in found if row["revision"]}
    assert asked == {CENTENE: None, ANTHEM: "unknown"}
    words = parquet.read_table(folder / "words.parquet").to_pylist()
    assert {word["policy"] for word in words if word["kind"] == "criterion"} == {CENTENE, ANTHEM}
    answers = [json.loads(line) for path in folder.glob("answers-*") for line in path.read_text().splitlines()]
    assert len(answers) == summary.outcomes["NotDetermined"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["policy"], manifest["seals"]) == (None, {})

    before = bytes_of(folder)
    (folder / "part-000001.parquet").unlink()
    kept: list[int] = []
    carried(kept.append)
    assert bytes_of(folder) == before
    assert 0 < kept[0] < len(LINES)


def test_the_policy_that_the_environment_names_is_that_of_all_cases_as_before(
    kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_POLICY", CENTENE)
    (tmp_path / "cases.jsonl").write_bytes(LINES[0] + b"\n")
    assert plan(kb, [tmp_path / "cases.jsonl"], tmp_path / "rows", settings()).settings.policy == CENTENE


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"policy": "all"},
            "a row of each case is of one policy; leave --policy out: each case is then of the one it names",
        ),
        (
            {"records": "records"},
            f"a run that is recorded is of one policy; choose one with --policy: {ANTHEM}, {CENTENE}",
        ),
        (
            {"compare": "2026-01"},
            "no policy on file has revision 2026-01; kb show lists the policies with their revisions",
        ),
    ],
)
def test_what_needs_one_policy_says_so(kb: Repository, tmp_path: Path, given: dict[str, Any], line: str) -> None:
    (tmp_path / "cases.jsonl").write_bytes(LINES[0] + b"\n")
    with pytest.raises(KbError) as refused:
        plan(kb, [tmp_path / "cases.jsonl"], tmp_path / "rows", settings(**given))
    assert str(refused.value) == line
    assert isinstance(refused.value, UnknownRevision) == ("compare" in given)
    assert not (tmp_path / "rows").exists()


def test_a_policy_that_is_broken_stops_no_row_of_another(tmp_path: Path) -> None:
    root = knowledge_base(tmp_path / "kb", "TST.7", "EX.5")
    (root / "policies/EX.5/2024-01/criteria.ttl").write_text("oops", encoding="utf-8")
    kb = Repository(root)
    (tmp_path / "cases.jsonl").write_bytes(LINES[0] + b"\n")
    plan(kb, [tmp_path / "cases.jsonl"], tmp_path / "rows", settings())
    assert list(kb.skipped) == ["EX.5"]
    found = makers(kb).of_lines([case(1, payer="pay:centene"), case(2, payer="pay:nobody")])
    assert [row.policy for row in found] == [CENTENE, "TST.7"]


def test_a_case_that_names_a_broken_policy_too_is_of_neither(tmp_path: Path) -> None:
    root = knowledge_base(tmp_path / "kb", "EX.5")
    (root / "policies/EX.5/2024-01/criteria.ttl").write_text("oops", encoding="utf-8")
    (tmp_path / "cases.jsonl").write_bytes(case(1) + b"\n" + case(2, payer="pay:centene") + b"\n")
    summary = carry_out(plan(Repository(root), [tmp_path / "cases.jsonl"], tmp_path / "rows", settings()), 1, ignore)
    assert [(row["policy"], row["outcome"]) for row in rows(tmp_path / "rows")] == [
        (None, "NotDetermined"),
        (CENTENE, "CriteriaMet"),
    ]
    assert summary.reasons == {"the case names 2 policies, of which EX.5 cannot be read": 1}


def test_conditions_of_two_policies_with_one_name_have_columns_apart() -> None:
    base = "https://w3id.org/policykb/"
    iris = (f"{base}A/condition/x", f"{base}B/condition/x", f"{base}condition/y")
    columns = Columns(iris, lambda row: (), compared=False)
    assert columns.names == ["A/condition/x", "B/condition/x", "y"]
