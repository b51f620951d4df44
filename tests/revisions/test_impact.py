"""Cases replayed under two revisions: which flip, and what flipped them; and witnesses of a verdict as cases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import permutations
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from comparisons import GRADE_3, LOG, ON_FILE, THRESHOLD, against_2026_02, copied, difference, loaded
from strategies import VOCABULARY

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Outcome
from kb_tools.determine.run import BATCH
from kb_tools.model.logic import Value
from kb_tools.rdf.namespaces import CASE, COND
from kb_tools.render.diff import document
from kb_tools.render.page import Paragraph
from kb_tools.revisions.change import CONTENT, Diff
from kb_tools.revisions.compare import compare
from kb_tools.revisions.impact import flip_of
from kb_tools.revisions.replay import Flip, Impact, Replay, Replayer
from kb_tools.revisions.verdict import Direction, Witness
from kb_tools.revisions.witness import WitnessBuilder

RunKb = Callable[..., CompletedProcess[str]]
EXAMPLES = VOCABULARY.policy().cases_folder
FAST = ("--engine", "pyshifty")
MET, NOT_MET, NOT_APPLICABLE = Outcome.MET, Outcome.NOT_MET, Outcome.NOT_APPLICABLE
NEEDED, CONFLICTING = Outcome.NEEDED, Outcome.CONFLICTING


def read(*names: str) -> list[Case]:
    reader = CaseReader(VOCABULARY)
    return [case for name in names for case in reader.read(f"{name}.ttl", EXAMPLES / f"{name}.ttl")]


def replayed(diff: Diff, cases: list[Case], engine: str = "pyshifty") -> list[Replay]:
    found = list(Replayer(VOCABULARY, diff.old, diff.new, engine).replay(cases))
    assert [answer for answer in found if isinstance(answer, Malformed)] == []
    return [answer for answer in found if isinstance(answer, Replay)]


@cache
def examples_under(old: str, new: str) -> dict[str, Replay]:
    """Every example case under two revisions, by the name of its file."""
    names = sorted(path.stem for path in EXAMPLES.glob("*.ttl") if path.stem != "manifest")
    cases = read(*names)
    assert len(cases) == len(names)
    return dict(zip(names, replayed(difference(old, new), cases), strict=True))


@cache
def flips_of(old: str, new: str) -> dict[str, Flip]:
    diff = difference(old, new)
    return {name: flip_of(diff, replay) for name, replay in examples_under(old, new).items() if replay.flipped}


# ---------------------------------------------------------------------- flips of the example cases


def test_the_example_cases_come_to_this_under_2019_10_and_2026_02() -> None:
    replays = examples_under("2019-10", "2026-02").values()
    assert Counter((replay.before.outcome, replay.after.outcome) for replay in replays) == {
        (MET, MET): 16,
        (MET, NOT_MET): 3,
        (MET, NEEDED): 3,
        (MET, NOT_APPLICABLE): 1,
        (NOT_MET, MET): 28,
        (NOT_MET, NOT_MET): 26,
        (NOT_MET, CONFLICTING): 3,
        (NOT_MET, NEEDED): 10,
        (CONFLICTING, MET): 5,
        (CONFLICTING, CONFLICTING): 8,
        (CONFLICTING, NOT_APPLICABLE): 1,
        (NEEDED, MET): 63,
        (NEEDED, NOT_MET): 7,
        (NEEDED, CONFLICTING): 3,
        (NEEDED, NEEDED): 51,
        (NEEDED, NOT_APPLICABLE): 4,
        (NOT_APPLICABLE, NOT_APPLICABLE): 2,
    }
    assert len(flips_of("2019-10", "2026-02")) == 131


I_BEFORE = "I of 2019-10, after an allogeneic transplant, for relapse or for full donor chimerism"
I_AFTER = "I of 2026-02, after an allogeneic transplant, against a hematologic malignancy or its relapse"
NOTE = "I, note of 2026-02, only to raise donor chimerism, with no risk of relapse"
PLAN = "Medicare note of 2026-02, the plan is not a Medicare plan"
GVHD = "II.B of 2026-02, acute GvHD of grade 2 or higher"
REPEAT = "II.C of 2019-10, repeat infusion without documented benefit of the earlier one"
REWRITTEN = ("2023-02-1", "2023-08-2")
Attribution = tuple[Outcome, Outcome, tuple[str, ...], tuple[str, ...], tuple[str, ...]]
ATTRIBUTED: dict[str, Attribution] = {
    "refractory-leukemia-meets": (
        NOT_MET,
        MET,
        (f"{I_BEFORE}: fails",),
        ("the disease is relapsed: fails", "raising donor chimerism is a purpose: fails"),
        REWRITTEN,
    ),
    "lowering-the-risk-in-remission-meets": (
        NOT_MET,
        MET,
        (f"{I_BEFORE}: fails",),
        ("the disease is relapsed: fails", "raising donor chimerism is a purpose: fails"),
        REWRITTEN,
    ),
    "aplastic-anemia-is-not-an-indication": (
        MET,
        NOT_MET,
        (f"{I_AFTER}: fails",),
        ("the disease treated is a hematologic malignancy: fails",),
        REWRITTEN,
    ),
    "raising-chimerism-alone-without-risk-is-limited": (
        MET,
        NOT_MET,
        (f"{I_AFTER}: fails", f"{NOTE}: holds"),
        (
            "the disease is relapsed, refractory or progressing: fails",
            "lowering the risk of relapse is a purpose: fails",
            "residual disease is detected: fails",
            "the risk of relapse is raised: fails",
            "raising donor chimerism is the only purpose: holds",
        ),
        REWRITTEN,
    ),
    "acute-gvhd-of-grade-2-excludes": (
        MET,
        NOT_MET,
        (f"{GVHD}: holds",),
        ("acute GvHD of grade 2 or higher: holds",),
        ("2023-10-3",),
    ),
    "no-acute-gvhd-assessment-is-asked-for": (
        MET,
        NEEDED,
        (f"{GVHD}: unknown",),
        ("acute GvHD of grade 2 or higher: unknown",),
        ("2023-10-3",),
    ),
    "medicare-advantage-plan-is-referred": (
        MET,
        NOT_APPLICABLE,
        (f"{PLAN}: fails",),
        ("the plan is not a Medicare plan: fails",),
        ("2023-11-1", "2023-11-2"),
    ),
    "a-repeat-after-no-response-was-excluded": (
        NOT_MET,
        MET,
        (f"{REPEAT}: holds",),
        (
            "an earlier donor lymphocyte infusion was given: holds",
            "the benefit of the earlier infusion is documented: fails",
        ),
        ("2023-08-2",),
    ),
    "responses-to-one-infusion-that-differ-conflict": (
        CONFLICTING,
        MET,
        (f"{REPEAT}: conflicting",),
        ("the benefit of the earlier infusion is documented: conflicting",),
        ("2023-08-2",),
    ),
    # Let go by one criterion and held by another: both are named.
    "mrd-before-the-transplant-does-not-count": (
        NOT_MET,
        NEEDED,
        (f"{I_BEFORE}: fails", f"{I_AFTER}: unknown"),
        (
            "the disease is relapsed: fails",
            "raising donor chimerism is a purpose: fails",
            "residual disease is detected: unknown",
        ),
        REWRITTEN,
    ),
    # Its unstated processing keeps it open under both revisions, and so has flipped nothing.
    "conflicting-grades-beside-unstated-processing": (
        NEEDED,
        CONFLICTING,
        (f"{GVHD}: conflicting",),
        ("acute GvHD of grade 2 or higher: conflicting",),
        ("2023-10-3",),
    ),
    "medicare-plan-is-referred-though-all-else-is-unknown": (
        NEEDED,
        NOT_APPLICABLE,
        (f"{PLAN}: fails",),
        ("the plan is not a Medicare plan: fails",),
        ("2023-11-1", "2023-11-2"),
    ),
}


@pytest.mark.parametrize("name", ATTRIBUTED)
def test_a_flip_is_attributed_to_the_criterion_the_condition_and_the_log_row(name: str) -> None:
    flip = flips_of("2019-10", "2026-02")[name]
    rows = tuple(row.removeprefix(LOG) for row in flip.rows)
    assert (flip.before, flip.after, flip.criteria, flip.conditions, rows) == ATTRIBUTED[name]
    assert flip.case == f"{name}.ttl#case"


def test_every_flip_names_a_criterion_that_changed_a_condition_and_a_log_row() -> None:
    diff = difference("2019-10", "2026-02")
    changed = {change.iri for change in diff.changes if change.kind in CONTENT}
    names = {
        f"{criterion.notation} of {side.entry.name}, {criterion.label}"
        for side in (diff.old, diff.new)
        for criterion in side.criteria
        if criterion.iri in changed
    }
    named = {
        criterion.rpartition(": ")[0] for flip in flips_of("2019-10", "2026-02").values() for criterion in flip.criteria
    }
    # What I leaves follows from I, and manipulation was excluded before: neither flips anything.
    assert named == names == {I_BEFORE, I_AFTER, NOTE, PLAN, GVHD, REPEAT}
    assert all(flip.conditions and flip.rows for flip in flips_of("2019-10", "2026-02").values())


def test_backwards_a_case_flips_back_for_the_same_reason() -> None:
    diff = difference("2026-02", "2019-10")
    (replay,) = replayed(diff, read("acute-gvhd-of-grade-2-excludes"))
    flip = flip_of(diff, replay)
    assert (flip.before, flip.after, flip.criteria) == (NOT_MET, MET, (f"{GVHD}: holds",))
    assert [row.removeprefix(LOG) for row in flip.rows] == ["2023-10-3"]


def test_only_cases_under_a_medicare_or_unstated_plan_flip_between_2023_10_and_2023_11() -> None:
    flips = flips_of("2023-10", "2023-11")
    assert {flip.after for flip in flips.values()} == {NOT_APPLICABLE, NEEDED}
    assert {condition for flip in flips.values() for condition in flip.conditions} == {
        "the plan is not a Medicare plan: fails",
        "the plan is not a Medicare plan: unknown",
    }
    assert {row.removeprefix(LOG) for flip in flips.values() for row in flip.rows} == {"2023-11-1", "2023-11-2"}


def test_no_example_case_flips_between_revisions_that_are_equivalent() -> None:
    assert flips_of("2025-02", "2026-02") == {}


def test_both_engines_find_the_same_flips() -> None:
    diff, names = difference("2019-10", "2026-02"), list(ATTRIBUTED)
    with_pyshacl = [flip_of(diff, replay) for replay in replayed(diff, read(*names), "pyshacl")]
    assert with_pyshacl == [flips_of("2019-10", "2026-02")[name] for name in names]


def test_replays_keep_the_order_of_the_cases_and_malformed_ones_their_place() -> None:
    good, other = "relapsed-aml-after-transplant-meets", "acute-gvhd-of-grade-2-excludes"
    cases = read(*(good, other) * (BATCH // 2 + 2))
    cases[1].about[cases[1].node] = [
        statement for statement in cases[1].about[cases[1].node] if statement[0] != CASE.request
    ]
    found = list(Replayer(VOCABULARY, loaded("2023-10"), loaded("2023-11"), "pyshifty").replay(cases))
    assert len(found) == len(cases) > BATCH
    assert isinstance(found[1], Malformed) and found[1].case is cases[1]
    rest = [answer for answer in found if isinstance(answer, Replay)]
    assert [replay.before.case.node for replay in rest] == [case.node for case in cases if case is not cases[1]]
    assert {replay.after.case.title for replay in rest} == {f"{good}.ttl#case", f"{other}.ttl#case"}


# ---------------------------------------------------------------------- witnesses as cases


@pytest.mark.parametrize(("old", "new"), list(permutations(ON_FILE, 2)))
def test_every_witness_is_borne_out_by_a_case(old: str, new: str) -> None:
    diff = difference(old, new)
    assert diff.verdict.unconfirmed == ()
    assert set(diff.borne_out) == {witness.direction for witness in diff.verdict.witnesses}
    for witness in diff.verdict.witnesses:
        found = diff.borne_out[witness.direction]
        assert (found.before.outcome, found.after.outcome) == (witness.before, witness.after)
        results = {**found.before.condition_results, **found.after.condition_results}
        assert {iri: results[iri].value for iri in witness.values} == dict(witness.values)
        assert found.before.case.title == f"witness-{old}-{new}-{witness.direction.value}#case"


def test_facts_that_contradict_each_other_can_be_taken_from_an_example() -> None:
    wanted = {COND + "chimerism-is-mixed": Value.CONFLICTING, COND + "plan-is-not-medicare": Value.FAILS}
    witness = Witness(Direction.STRICTER, wanted, CONFLICTING, NOT_APPLICABLE)
    found = WitnessBuilder(VOCABULARY, loaded("2019-10"), loaded("2026-02"), "pyshifty").build(witness)
    assert found is not None
    facts = found.before.condition_results[COND + "chimerism-is-mixed"].contradicting
    assert len(facts) == 2 and all(fact.contradicted for fact in facts)


def test_a_witness_of_a_new_condition_is_found_by_evaluating_the_examples(tmp_path: Path) -> None:
    kb = copied(tmp_path / "kb", THRESHOLD, cases=True)
    diff = against_2026_02(kb)
    (witness,) = diff.verdict.witnesses
    found = diff.borne_out[witness.direction]
    assert (found.before.outcome, found.after.outcome) == (NOT_MET, MET)
    grades = {iri.rpartition("#")[2]: value for iri, value in witness.values.items() if "gvhd" in iri}
    assert grades == {
        "acute-gvhd-of-grade-2-or-higher": Value.HOLDS,
        "acute-gvhd-of-grade-3-or-higher": Value.FAILS,
    }


def test_without_examples_a_witness_is_made_of_what_the_shapes_name(tmp_path: Path) -> None:
    kb = copied(tmp_path / "kb", THRESHOLD)
    diff = against_2026_02(kb)
    assert diff.verdict.words == "looser, by criteria alone"
    found = diff.borne_out[Direction.LOOSER]
    assert (found.before.outcome, found.after.outcome) == (NOT_MET, MET)
    grade = found.before.condition_results[COND + "acute-gvhd-of-grade-2-or-higher"]
    assert [fact.text for fact in grade.facts] == ["acute GvHD assessment: grade 2 (2027-01-31, chart evidence)"]


# Grades of 2 or higher, split into 2 and 3 or higher.
GRADE_2 = """
cond:acute-gvhd-of-grade-2
    a pol:Condition ;
    rdfs:label "acute GvHD of grade 2"@en ;
    skos:definition "The latest assessment grades acute graft-versus-host disease 2."@en ;
    pol:asksFor "The overall grade (0 to 4) and date of the latest acute GvHD assessment."@en ;
    pol:reads clin:AcuteGvHDAssessment ;
    pol:possibleValue pol:Holds , pol:Fails , pol:Unknown , pol:Conflicting ;
    pol:holdsWhen cond:AcuteGvHDGrade2 ;
    pol:failsWhen cond:AcuteGvHDNotGrade2 .

cond:AcuteGvHDGrade2 a sh:NodeShape ; sh:property [ sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class clin:AcuteGvHDAssessment ;
        sh:property [ sh:path clin:grade ; sh:minCount 1 ; sh:in ( 2 ) ] ] ;
    sh:qualifiedMinCount 1 ; sh:message "No grade of 2."@en ] .
cond:AcuteGvHDNotGrade2 a sh:NodeShape ; sh:property [ sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class clin:AcuteGvHDAssessment ;
        sh:or (
            [ sh:property [ sh:path [ sh:alternativePath ( clin:grade clin:gradeAtLeast ) ] ;
                sh:minCount 1 ; sh:minInclusive 3 ] ]
            [ sh:property [ sh:path [ sh:alternativePath ( clin:grade clin:gradeAtMost ) ] ;
                sh:minCount 1 ; sh:maxInclusive 1 ] ] ) ] ;
    sh:qualifiedMinCount 1 ; sh:message "No grade but 2."@en ] .
"""
SPLIT = {
    "shapes/conditions/gvhd.ttl": (THRESHOLD["shapes/conditions/gvhd.ttl"][0], GRADE_2 + GRADE_3),
    "criteria.ttl": (
        "pol:allOf ( cond:acute-gvhd-of-grade-2-or-higher )",
        "pol:anyOf ( cond:acute-gvhd-of-grade-2 cond:acute-gvhd-of-grade-3-or-higher )",
    ),
}
# The same where a shape asks of a value what no list of cases can exhaust: then it is not known what can be together.
UNLISTED = {
    **SPLIT,
    "shapes/conditions/gvhd.ttl": (
        THRESHOLD["shapes/conditions/gvhd.ttl"][0],
        GRADE_2.replace("sh:in ( 2 )", "sh:in ( 2 ) ; sh:nodeKind sh:Literal") + GRADE_3,
    ),
}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("split") / "kb", UNLISTED, cases=True).root


def test_a_threshold_split_in_two_lets_through_what_contradicts_itself(tmp_path: Path) -> None:
    verdict = compare(copied(tmp_path / "kb", SPLIT, cases=True).policy(), "2026-02", "2027-02", "pyshifty").verdict
    assert (verdict.words, verdict.unconfirmed) == ("looser, by criteria alone", ())
    assert verdict.looser
    # Grade 0 and "2 or higher" of one day: either half fails, since neither sees the other finding.
    values = {iri.removeprefix(COND): value for iri, value in verdict.looser.values.items()}
    assert {name: value.value for name, value in values.items() if "gvhd" in name} == {
        "acute-gvhd-of-grade-2-or-higher": "conflicting",
        "acute-gvhd-of-grade-2": "fails",
        "acute-gvhd-of-grade-3-or-higher": "fails",
    }
    assert (verdict.looser.before, verdict.looser.after) == (Outcome.CONFLICTING, Outcome.MET)


def test_what_no_case_can_show_is_said_to_be_unconfirmed(split: Path, run_kb: RunKb) -> None:
    found = run_kb("diff", "2026-02", "2027-02", "--kb", str(split), *FAST)
    # The criterion has another content, so that something differs.
    assert (found.returncode, found.stderr) == (1, "")
    assert "2027-02 against 2026-02: stricter unconfirmed, looser unconfirmed." in found.stdout
    said = "Looser is unconfirmed: by the criteria alone it can be so, but no case could be made that shows it."
    assert said in " ".join(found.stdout.split())
    # Of what no case could be made nothing is shown that a case would say.
    assert "grade 3 or higher" not in found.stdout.partition("Changes of the criteria")[0]


def test_what_no_case_can_show_is_in_json_and_in_no_file_of_witnesses_and_fails_no_pipeline(
    split: Path, tmp_path: Path, run_kb: RunKb
) -> None:
    arguments = ("--kb", str(split), "--format", "json", "--witness", "w.ttl", "--fail-on", "stricter", *FAST)
    found = run_kb("diff", "2026-02", "2027-02", *arguments)
    lines = [
        f"kb: w.ttl: lacks a case of {direction}, which is unconfirmed: none could be made\n"
        for direction in ("stricter", "looser")
    ]
    assert (found.returncode, found.stderr, (tmp_path / "w.ttl").exists()) == (0, "".join(lines), False)
    verdict = json.loads(found.stdout)["verdict"]
    assert (verdict["direction"], verdict["unconfirmed"]) == ("unconfirmed", ["stricter", "looser"])
    assert verdict["witnesses"] == []


def test_where_every_case_comes_to_the_same_no_witness_is_written(tmp_path: Path, run_kb: RunKb) -> None:
    found = run_kb("diff", "2025-02", "2026-02", "--witness", "w.ttl", *FAST)
    line = "w.ttl: not written: where every case comes to the same there is no witness"
    assert (found.returncode, found.stderr, (tmp_path / "w.ttl").exists()) == (0, f"kb: {line}\n", False)


def test_an_example_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    kb = copied(tmp_path / "kb", {}, cases=True)
    # The smallest example of all is tried first wherever it fits.
    for path in sorted(kb.policy().cases_folder.glob("medicare-*.ttl"))[:1]:
        path.write_text("no Turtle", encoding="utf-8")
    diff = compare(kb.policy(), "2023-10", "2023-11", "pyshifty")
    assert set(diff.borne_out) == {Direction.STRICTER}


def test_each_of_several_examples_in_one_file_has_its_own_values(tmp_path: Path) -> None:
    kb = copied(tmp_path / "kb", {}, cases=True)
    folder = kb.policy().cases_folder
    names = ("medicare-advantage-plan-is-referred", "relapsed-aml-after-transplant-meets")
    both = "\n".join((folder / f"{name}.ttl").read_text(encoding="utf-8") for name in names)
    (folder / "both.ttl").write_text(both, encoding="utf-8")
    manifest = folder / "manifest.ttl"
    text = manifest.read_text(encoding="utf-8")
    for name in names:
        assert f'case:inFile "{name}.ttl"' in text
        text = text.replace(f'case:inFile "{name}.ttl"', 'case:inFile "both.ttl"')
    manifest.write_text(text, encoding="utf-8")
    diff = compare(kb.policy(), "2023-10", "2023-11", "pyshifty")
    (witness,) = diff.verdict.witnesses
    found = diff.borne_out[witness.direction]
    assert (found.before.outcome, found.after.outcome) == (MET, NOT_APPLICABLE)


def test_the_witnesses_written_to_a_file_come_to_what_they_are_said_to_with_either_engine(
    tmp_path: Path, run_kb: RunKb
) -> None:
    for engine in ("pyshacl", "pyshifty"):
        found = run_kb("diff", "2019-10", "2026-02", "--witness", f"{engine}.ttl", "--engine", engine)
        assert (found.returncode, found.stderr) == (1, "")
    text = (tmp_path / "pyshacl.ttl").read_text(encoding="utf-8")
    assert text == (tmp_path / "pyshifty.ttl").read_text(encoding="utf-8")
    assert "urn:kb:" not in text and "currentFinding" not in text
    outcomes = {}
    for revision in ("2019-10", "2026-02"):
        shown = run_kb("validate", "pyshacl.ttl", "--revision", revision, "--format", "json", *FAST)
        assert (shown.returncode, shown.stderr) == (1, "")
        content = json.loads(shown.stdout)
        assert content["malformed"] == content["notDetermined"] == []
        outcomes[revision] = {
            determination["case"].rpartition("/")[2]: determination["outcome"]
            for determination in content["determinations"]
        }
    assert outcomes == {
        "2019-10": {
            "witness-2019-10-2026-02-looser#case": "CriteriaNotMet",
            "witness-2019-10-2026-02-stricter#case": "CriteriaMet",
        },
        "2026-02": {
            "witness-2019-10-2026-02-looser#case": "CriteriaMet",
            "witness-2019-10-2026-02-stricter#case": "PolicyNotApplicable",
        },
    }


# ---------------------------------------------------------------------- the command


def cases_folder(tmp_path: Path, **files: str) -> Path:
    """A folder of cases: of each, the text, or that of the example of that name."""
    folder = tmp_path / "cases"
    folder.mkdir()
    for name, content in files.items():
        example = EXAMPLES / f"{content}.ttl"
        text = example.read_text(encoding="utf-8") if example.is_file() else content
        (folder / f"{name}.ttl").write_text(text, encoding="utf-8")
    return folder


GOOD = {
    "flips": "acute-gvhd-of-grade-2-excludes",
    "stays": "a-repeat-after-a-documented-response-meets",
    "gone": "a-repeat-after-no-response-was-excluded",
}
MALFORMED = "PREFIX case: <https://w3id.org/policykb/case#> <https://example.org/m#case> a case:Case ."
UNREADABLE = "this is no Turtle"
PAIR = ("diff", "2019-10", "2026-02", "--cases", "cases", *FAST)


def test_flips_are_shown_with_counts_and_grouped_by_what_flipped_them(tmp_path: Path, run_kb: RunKb) -> None:
    cases_folder(tmp_path, **GOOD)
    found = run_kb(*PAIR)
    assert (found.returncode, found.stderr) == (1, "")
    assert found.stdout.partition("Cases under both\n")[2].splitlines() == [
        "  3 cases under both, 2 with another outcome.",
        "",
        "  Under 2019-10   Under 2026-02   Cases",
        "  CriteriaMet     CriteriaMet     1",
        "  CriteriaMet     CriteriaNotMet  1",
        "  CriteriaNotMet  CriteriaMet     1",
        "",
        "From CriteriaMet to CriteriaNotMet: 1 case",
        "  1 case: flips.ttl#case",
        "  - criterion II.B of 2026-02, acute GvHD of grade 2 or higher: holds",
        "  - condition: acute GvHD of grade 2 or higher: holds",
        "  - log: 10/23, II.B now gives the grade of acute GvHD, 2 or higher",
        "",
        "From CriteriaNotMet to CriteriaMet: 1 case",
        "  1 case: gone.ttl#case",
        "  - criterion II.C of 2019-10, repeat infusion without documented benefit of the earlier one: holds",
        "  - condition: an earlier donor lymphocyte infusion was given: holds",
        "  - condition: the benefit of the earlier infusion is documented: fails",
        "  - log, in general: 08/23, every criterion under I and II changed",
    ]


def test_flips_are_reported_in_json_by_the_iris_of_the_log(tmp_path: Path, run_kb: RunKb) -> None:
    cases_folder(tmp_path, flips=GOOD["flips"])
    content = json.loads(run_kb(*PAIR, "--format", "json").stdout)["impact"]
    assert content == {
        "counts": [{"old": "CriteriaMet", "new": "CriteriaNotMet", "cases": 1}],
        "flips": [
            {
                "case": "cases/flips.ttl#case",
                "old": "CriteriaMet",
                "new": "CriteriaNotMet",
                "criteria": [f"{GVHD}: holds"],
                "conditions": ["acute GvHD of grade 2 or higher: holds"],
                "log": [f"{LOG}2023-10-3"],
            }
        ],
        "malformed": [],
    }


def test_of_many_cases_that_flip_alike_twenty_are_named_and_the_json_has_all() -> None:
    flip = flips_of("2019-10", "2026-02")["acute-gvhd-of-grade-2-excludes"]
    many = [replace(flip, case=f"cases/{number:02}.ttl#case") for number in range(25)]
    impact = Impact({(MET, NOT_MET): 25}, tuple(many))
    diff = replace(difference("2019-10", "2026-02"), impact=impact)
    names = ", ".join(f"{number:02}.ttl#case" for number in range(20))
    assert Paragraph(f"25 cases: {names}, and 5 more") in document(diff).sections[-1].blocks
    assert len(json.loads(diff.to_json())["impact"]["flips"]) == 25


def test_a_malformed_case_is_named_and_fails_a_pipeline_as_it_cannot_be_said_not_to_flip(
    tmp_path: Path, run_kb: RunKb
) -> None:
    cases_folder(tmp_path, malformed=MALFORMED, stays=GOOD["stays"])
    found = run_kb("diff", "2025-02", "2026-02", "--cases", "cases", "--fail-on", "flips", *FAST)
    line = "cases/malformed.ttl#case: malformed, not determined"
    assert (found.returncode, found.stderr) == (1, f"kb: {line}; see kb validate\n")
    assert f"\n  - {line}.\n" in found.stdout
    assert "1 case under both, 0 with another outcome." in found.stdout


def test_an_unreadable_case_among_good_ones_is_an_error_and_the_others_are_replayed(
    tmp_path: Path, run_kb: RunKb
) -> None:
    cases_folder(tmp_path, malformed=MALFORMED, unreadable=UNREADABLE, **GOOD)
    found = run_kb(*PAIR, "--cases", "missing.ttl", "--fail-on", "flips")
    assert found.returncode == 2
    lines = found.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("kb: cases/unreadable.ttl:1: not valid Turtle: ")
    assert lines[1] == "kb: missing.ttl: No such file or directory; check the path and its permissions"
    assert lines[2] == "kb: cases/malformed.ttl#case: malformed, not determined; see kb validate"
    assert "3 cases under both, 2 with another outcome." in found.stdout


def test_a_folder_without_cases_is_an_error(tmp_path: Path, run_kb: RunKb) -> None:
    cases_folder(tmp_path)
    found = run_kb("diff", "2025-02", "2026-02", "--cases", "cases", *FAST)
    assert found.returncode == 2
    assert found.stderr == (
        "kb: cases: no case files in this folder; name a folder with .ttl, .trig, .nt, .jsonld, .json, .jsonl, .ndjson "
        "files\n"
    )


@pytest.mark.parametrize(("name", "code"), [("flips", 1), ("stays", 0)])
def test_a_pipeline_can_fail_on_flips_alone(tmp_path: Path, run_kb: RunKb, name: str, code: int) -> None:
    cases_folder(tmp_path, **GOOD)
    found = run_kb("diff", "2019-10", "2026-02", "--cases", f"cases/{name}.ttl", "--fail-on", "flips", *FAST)
    assert (found.returncode, found.stderr) == (code, "")
