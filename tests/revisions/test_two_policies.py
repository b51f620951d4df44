"""Revisions of two policies compared: what each requires, held against the other, with a case for each difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from strategies import ROOT

import kb_tools
from kb_tools.api import KnowledgeBase
from kb_tools.cases.case import Case
from kb_tools.determine.result import Determination, Outcome
from kb_tools.model.logic import Tree, Value
from kb_tools.model.statements import Criterion
from kb_tools.render import page
from kb_tools.render.diff import document
from kb_tools.render.diff_sheets import sheets
from kb_tools.revisions.change import Diff
from kb_tools.revisions.requirements import Contrast, Requirement, _required
from kb_tools.revisions.verdict import Direction

RunKb = Callable[..., CompletedProcess[str]]
OLD, NEW = "CP.MP.101/2026-02", "CG-TRANS-03/2024-10"
COND = "https://w3id.org/policykb/condition#"
FAST = "pyshifty"


@pytest.fixture(scope="module")
def base() -> KnowledgeBase:
    return kb_tools.open(ROOT)


@pytest.fixture(scope="module")
def diff(base: KnowledgeBase) -> Diff:
    return base.diff(OLD, NEW, engine=FAST)


def named(requirement: Requirement) -> tuple[str, bool, tuple[str, ...]]:
    """The place of its criterion, whether it excludes, and the conditions that it reads."""
    conditions = tuple(iri.removeprefix(COND) for iri in requirement.conditions)
    return requirement.criterion.notation, requirement.excluded, conditions


def of(diff: Diff, policy: str, shared: bool) -> list[Contrast]:
    return [one for one in diff.contrasts if one.side.policy.identifier == policy and one.shared is shared]


RELAPSE = "disease-relapsed-refractory-or-progressing"
AT_RISK = (RELAPSE, "lowering-relapse-risk-is-a-purpose", "mrd-is-detected", "relapse-risk-is-raised")
# What CP.MP.101 alone requires: whether a case can fail that and nothing else, and what the case comes to.
ONLY_CP_MP_101 = {
    ("Medicare note", False, ("plan-is-not-medicare",)): (True, Outcome.NOT_APPLICABLE),
    ("I", False, AT_RISK): (True, Outcome.NOT_MET),
    (
        "I, note",
        True,
        ("raising-donor-chimerism-is-the-only-purpose", RELAPSE, "mrd-is-detected", "relapse-risk-is-raised"),
    ): (False, Outcome.NOT_MET),
    ("II.A", True, ("lymphocytes-manipulated-ex-vivo",)): (True, Outcome.NOT_MET),
    ("II.B", True, ("acute-gvhd-of-grade-2-or-higher",)): (True, Outcome.NOT_MET),
}


def test_cg_trans_03_asks_for_no_relapse_and_has_no_exclusion_for_gvhd(diff: Diff) -> None:
    found = {named(one.requirement): one for one in of(diff, "CP.MP.101", shared=False)}
    assert {
        key: (one.by_itself, one.witness.before if one.witness else None) for key, one in found.items()
    } == ONLY_CP_MP_101
    for one in found.values():
        assert one.witness is not None and one.replay is not None
        assert (one.witness.direction, one.witness.after) == (Direction.LOOSER, Outcome.MET)
        assert (one.replay.before.outcome, one.replay.after.outcome) == (one.witness.before, Outcome.MET)


def test_cp_mp_101_does_not_ask_for_the_donor_of_the_transplant(diff: Diff) -> None:
    (one,) = of(diff, "CG-TRANS-03", shared=False)
    assert named(one.requirement) == ("Medically Necessary 1", False, ("lymphocytes-from-transplant-donor",))
    assert one.by_itself and one.witness is not None and one.replay is not None
    assert (one.witness.direction, one.witness.before, one.witness.after) == (
        Direction.STRICTER,
        Outcome.MET,
        Outcome.NOT_MET,
    )
    assert (one.replay.before.outcome, one.replay.after.outcome) == (Outcome.MET, Outcome.NOT_MET)
    assert one.replay.after.because == "indication Medically Necessary 1 fails: lymphocyte donor: different donor"


def test_what_both_require_names_the_criterion_of_each(diff: Diff) -> None:
    service, transplant = ("service-is-dli",), ("after-allogeneic-transplant",)
    disease, modified = ("reason-is-hematologic-malignancy",), ("lymphocytes-genetically-modified",)
    assert [(named(one.requirement), [*map(named, one.matches)]) for one in of(diff, "CP.MP.101", shared=True)] == [
        (("Scope", False, service), [("Scope", False, service)]),
        (("I", False, transplant), [("Medically Necessary 1", False, transplant)]),
        (("I", False, disease), [("Medically Necessary 1", False, disease)]),
        (("II.A", True, modified), [("Not Medically Necessary 2", True, modified)]),
    ]
    assert len(of(diff, "CG-TRANS-03", shared=True)) == 4


def test_a_witness_fails_its_requirement_and_meets_all_else_that_its_side_requires(diff: Diff) -> None:
    for one in diff.contrasts:
        if one.shared:
            continue
        assert one.replay is not None
        mine = one.replay.before if one.side is diff.old else one.replay.after
        values = {iri: result.value for iri, result in mine.condition_results.items()}
        rest = [
            other.requirement
            for other in diff.contrasts
            if other.side is one.side and other.requirement is not one.requirement
        ]
        failing = [requirement for requirement in rest if not holds(requirement, values)]
        assert not holds(one.requirement, values)
        # What only raises chimerism and shows no risk of relapse fails criterion I as well.
        assert [named(requirement)[0] for requirement in failing] == ([] if one.by_itself else ["I"])


def holds(requirement: Requirement, values: dict[str, Value]) -> bool:
    from kb_tools.model.logic import evaluate

    return evaluate(requirement.tree, values) is Value.HOLDS


def test_the_verdict_is_mixed_and_nothing_is_said_of_a_log(diff: Diff) -> None:
    assert (diff.verdict.words, diff.verdict.unconfirmed) == ("mixed, by applicability and criteria", ())
    assert (diff.log, diff.unexplained, diff.differ) == ((), (), True)
    assert [(change.part, change.before, change.after) for change in diff.changes] == [
        ("DispositionPart", ("current evidence does not support the use",), ("not medically necessary",))
    ]


def test_the_other_way_round_says_the_same_from_the_other_side(base: KnowledgeBase, diff: Diff) -> None:
    turned = base.diff(NEW, OLD, engine=FAST)
    assert turned.verdict.words == diff.verdict.words

    def told(found: Diff) -> set[object]:
        return {(named(one.requirement), one.shared, one.by_itself) for one in found.contrasts}

    assert told(turned) == told(diff)
    assert {one.witness.direction for one in of(turned, "CP.MP.101", shared=False) if one.witness} == {
        Direction.STRICTER
    }


def test_of_a_list_of_codes_on_file_in_part_it_is_not_said_that_a_code_is_missing(diff: Diff) -> None:
    assert [(code.number, code.listed) for code in diff.codes] == [
        ("38215", (True, None)),
        ("38242", (True, True)),
        ("86950", (True, None)),
        ("S2150", (True, None)),
    ]


def test_the_printed_comparison_can_be_read_by_someone_who_knows_neither_policy(diff: Diff) -> None:
    text = page.markdown(document(diff)).replace("\\", "")
    for line in (
        "Some cases meet CP.MP.101/2026-02 and not CG-TRANS-03/2024-10, "
        "and others meet CG-TRANS-03/2024-10 and not CP.MP.101/2026-02.",
        "CG-TRANS-03/2024-10 does not require:",
        "- the plan is not a Medicare plan",
        "- the disease is relapsed, refractory or progressing, or lowering the risk of relapse is a purpose, "
        "or residual disease is detected, or the risk of relapse is raised",
        "CG-TRANS-03/2024-10 does not exclude:",
        "- acute GvHD of grade 2 or higher",
        "- the lymphocytes are manipulated ex vivo",
        "CP.MP.101/2026-02 does not require:",
        "- the lymphocytes come from the transplant donor",
        "| 38242 | Giving a patient lymphocytes that were collected from someone else. | listed | listed |",
        "| 86950 | Transfusing white blood cells. | listed | not known |",
        "- codes: on file for CG-TRANS-03/2024-10 in part; what is not stated may be in it all the same.",
        "- revision log: two policies have none in common.",
    ):
        assert line in text.splitlines(), line
    assert "(what fails this fails another of its criteria too) | I, note |" in text


def test_the_sheets_hold_every_requirement_with_what_its_case_comes_to(diff: Diff) -> None:
    requirements, verdict, codes, flips = sheets(diff)
    assert [sheet.name for sheet in (requirements, verdict, codes, flips)] == [
        "Requirements", "Verdict", "Codes", "Flips",
    ]  # fmt: skip
    rows = {(row[0], row[2]): row[4:] for row in requirements.rows}
    assert len(rows) == 14
    assert rows[OLD, "after an allogeneic transplant"] == ("requires it too: Medically Necessary 1", "", "")
    other, before, after = rows[OLD, "excluded: acute GvHD of grade 2 or higher"]
    assert (other, after) == ("does not", "CriteriaMet")
    assert str(before).startswith("CriteriaNotMet: exclusion II.B holds: acute GvHD assessment: grade ")
    assert ["38242", "listed", "listed"] in [[row[0], *row[3:]] for row in codes.rows]


def test_the_command_compares_two_policies_and_writes_a_case_for_each_difference(
    base: KnowledgeBase, run_kb: RunKb, tmp_path: Path
) -> None:
    witnesses = tmp_path / "witnesses.ttl"
    ran = run_kb("diff", OLD, NEW, "--witness", str(witnesses), "--format", "json", "--engine", FAST)
    assert (ran.returncode, ran.stderr) == (1, "")
    content = json.loads(ran.stdout)
    assert (content["policy"], content["old"], content["new"]) == ("CP.MP.101 and CG-TRANS-03", OLD, NEW)
    told = {(one["revision"], one["place"], one["excluded"]): one for one in content["requirements"]}
    gvhd = told[OLD, "II.B", True]
    assert (gvhd["shared"], gvhd["byItself"], gvhd["conditions"]) == (
        False, True, [f"{COND}acute-gvhd-of-grade-2-or-higher"],
    )  # fmt: skip
    assert (gvhd["witness"]["old"], gvhd["witness"]["new"], gvhd["witness"]["borneOutByCase"]) == (
        "CriteriaNotMet", "CriteriaMet", True,
    )  # fmt: skip
    cases = [case for case in base.read_cases(witnesses) if isinstance(case, Case)]
    outcomes = []
    for revision in (OLD, NEW):
        answers = base.determine(cases, revision=revision, engine=FAST)
        outcomes.append([answer.outcome.value for answer in answers if isinstance(answer, Determination)])
    assert sorted(zip(*outcomes, strict=True)) == [
        ("CriteriaMet", "CriteriaNotMet"),
        ("CriteriaNotMet", "CriteriaMet"),
        ("CriteriaNotMet", "CriteriaMet"),
        ("CriteriaNotMet", "CriteriaMet"),
        ("CriteriaNotMet", "CriteriaMet"),
        ("PolicyNotApplicable", "CriteriaMet"),
    ]


def test_cases_under_two_policies_are_attributed_without_a_log(base: KnowledgeBase) -> None:
    folder = ROOT / "policies/CG-TRANS-03/cases"
    names = (
        "acute-gvhd-of-grade-3-does-not-exclude",
        "a-different-donor-does-not-meet",
        "aplastic-anemia-does-not-meet",
    )
    found = base.diff(OLD, NEW, base.read_cases([folder / f"{name}.ttl" for name in names]), engine=FAST)
    assert found.impact is not None
    assert [(flip.before, flip.after, flip.rows) for flip in found.impact.flips] == [
        (Outcome.NOT_MET, Outcome.MET, ()),
        (Outcome.NEEDED, Outcome.NOT_MET, ()),
    ]
    assert found.impact.flips[0].criteria[0] == "II.B of CP.MP.101/2026-02, acute GvHD of grade 2 or higher: holds"
    assert "no row of the log" not in page.markdown(document(found))


def test_one_policy_against_itself_in_two_revisions_has_no_requirements_listed(base: KnowledgeBase) -> None:
    found = base.diff("CP.MP.101/2023-10", "CP.MP.101/2023-11", engine=FAST)
    assert (found.contrasts, found.of_two_policies, found.names) == ((), False, ("2023-10", "2023-11"))
    assert "requirements" not in found.to_dict()


A, B, C = "a", "b", "c"


@pytest.mark.parametrize(
    ("tree", "parts"),
    [
        (Tree("allOf", (A, Tree("allOf", (B, C)))), [(A, False), (B, False), (C, False)]),
        (Tree("anyOf", (A, B)), [(Tree("anyOf", (A, B)), False)]),
        (Tree("anyOf", (A,)), [(A, False)]),
        (Tree("noneOf", (A, B)), [(A, True), (B, True)]),
        (Tree("noneOf", (Tree("anyOf", (A, B)), C)), [(A, True), (B, True), (C, True)]),
        (Tree("noneOf", (Tree("allOf", (A, B)),)), [(Tree("allOf", (A, B)), True)]),
        (Tree("noneOf", (Tree("allOf", (A,)),)), [(A, True)]),
        (Tree("noneOf", (Tree("noneOf", (A, B)),)), [(Tree("anyOf", (A, B)), False)]),
        (Tree("allOf", (A, Tree("noneOf", (B,)))), [(A, False), (B, True)]),
    ],
)
def test_a_tree_is_taken_apart_where_all_of_its_parts_are_required(
    tree: Tree, parts: list[tuple[Tree | str, bool]]
) -> None:
    assert list(_required(tree)) == parts
    criterion = Criterion("c", "indication", "I", "", "", (), tree, (), (), None, ())
    whole = Tree("allOf", tuple(Requirement(criterion, *part).tree for part in parts))
    from itertools import product

    from kb_tools.model.logic import evaluate

    for values in product((Value.HOLDS, Value.FAILS), repeat=3):
        case = dict(zip((A, B, C), values, strict=True))
        assert evaluate(whole, case) is evaluate(tree, case)
