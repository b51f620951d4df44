"""A criterion that asks for at least so many of its parts, from the case to every answer (design, section 3.2)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from installed import FAST
from oracle import counted
from rdflib import URIRef
from rdflib.namespace import RDF
from signs import AL2, VALUES, cases_of, with_al2

from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.form import CaseForms
from kb_tools.cases.prepare import prepared
from kb_tools.checks import CHECKS
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.examples import run_manifest
from kb_tools.determine.in_words import Ask, AskGroup, to_send_in
from kb_tools.determine.result import Determination, Need, Outcome
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import outcome_shape, self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import BASE, COND, SH
from kb_tools.rdf.terms import graph_of
from kb_tools.render import determination_fhir, determination_turtle
from kb_tools.render.questionnaire import questionnaire
from kb_tools.render.revision import revision_dict
from kb_tools.revisions.compare import diff_of
from kb_tools.revisions.verdict import Direction

POLICY = f"{BASE}AL.2"
SIGNS = ("mrd-is-detected", "relapse-risk-is-raised", "chimerism-is-mixed", "disease-is-relapsed")
GVHD, INFUSION = "acute-gvhd-of-grade-2-or-higher", "earlier-dli-was-given"
# Every combination of the values of three signs; the fourth takes each value in turn.
COMBINATIONS = [(*three, VALUES[number % 4]) for number, three in enumerate(product(VALUES, repeat=3))]
LEAST = {"2024-01": 2, "2025-01": 3}
OUTCOMES = {
    "holds": Outcome.MET,
    "fails": Outcome.NOT_MET,
    "unknown": Outcome.NEEDED,
    "conflicting": Outcome.CONFLICTING,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_al2(tmp_path_factory.mktemp("al2"))


@pytest.fixture(scope="module")
def al2(root: Path) -> Repository:
    return Repository(root)


@pytest.fixture(scope="module")
def revisions(al2: Repository) -> dict[str, Revision]:
    policy = al2.policy()
    return {name: Revision.load(policy, policy.entry(name)) for name in LEAST}


@pytest.fixture(scope="module")
def cases(al2: Repository, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """A case for each combination; neither GvHD nor an earlier infusion."""
    rows = [dict(zip(SIGNS, values, strict=True)) | {GVHD: "fails", INFUSION: "fails"} for values in COMBINATIONS]
    read = cases_of(al2, tmp_path_factory.mktemp("cases") / "cases.jsonl", rows)
    return [case for case in CaseChecker(al2, FAST).check(read) if isinstance(case, Case)]


@pytest.fixture(scope="module")
def determined(al2: Repository, revisions: dict[str, Revision], cases: list[Case]) -> dict[str, list[Determination]]:
    return {name: Determiner(al2, revision, FAST).determine(cases) for name, revision in revisions.items()}


def one(al2: Repository, revision: Revision, tmp_path: Path, **values: str) -> Determination:
    """The determination of one case, by the values of signs and conditions."""
    row = {name.replace("_", "-"): value for name, value in values.items()}
    (case,) = CaseChecker(al2, FAST).check(cases_of(al2, tmp_path / "one.jsonl", [row]))
    assert isinstance(case, Case)
    return Determiner(al2, revision, FAST).determine([case])[0]


# ---------------------------------------------------------------------- every combination of values


@pytest.mark.parametrize("revision", LEAST)
def test_a_case_comes_to_what_the_count_of_its_signs_comes_to(
    determined: dict[str, list[Determination]], revision: str
) -> None:
    found = [(answer.criteria.value, answer.outcome) for answer in determined[revision]]
    expected = [counted(LEAST[revision], values) for values in COMBINATIONS]
    assert found == [(value, OUTCOMES[value]) for value in expected]
    assert set(expected) == set(VALUES)


@pytest.mark.parametrize("revision", LEAST)
def test_what_can_still_change_is_what_is_open_where_the_count_is(
    determined: dict[str, list[Determination]], revision: str
) -> None:
    """Each open sign is one of the parts, and none of them is another's: all of them can change an open count."""
    for answer, values in zip(determined[revision], COMBINATIONS, strict=True):
        is_open = {sign for sign, value in zip(SIGNS, values, strict=True) if value in ("unknown", "conflicting")}
        expected = set() if answer.outcome.settled else {f"{COND}{sign}" for sign in is_open}
        assert answer.to_send == expected


def results_of(
    al2: Repository, revision: Revision, cases: Sequence[Case], engine: str
) -> list[dict[str, tuple[str, str]]]:
    """The results of plain validation of each case: severity and message by shape."""
    shapes = graph_of(self_contained(al2, revision))
    found: dict[str, dict[str, tuple[str, str]]] = {str(case.names[case.node]): {} for case in cases}
    for result in shacl.validate(prepared(al2, cases), shapes, engine):
        found[result.focus][result.shape] = (result.severity, result.message)
    return list(found.values())


# pySHACL takes a quarter of a second a case: a sample, with every outcome in it.
@pytest.mark.parametrize(
    ("revision", "engine", "step"),
    [
        ("2024-01", "pyshifty", 1),
        ("2025-01", "pyshifty", 1),
        pytest.param("2024-01", "pyshacl", 17, marks=pytest.mark.extended),
    ],
)
def test_the_exported_shapes_give_each_case_its_outcome(
    al2: Repository,
    revisions: dict[str, Revision],
    cases: list[Case],
    determined: dict[str, list[Determination]],
    revision: str,
    engine: str,
    step: int,
) -> None:
    found = results_of(al2, revisions[revision], cases[::step], engine)
    expected = [
        [] if answer.outcome is Outcome.MET else [str(outcome_shape(revisions[revision], answer.outcome))]
        for answer in determined[revision][::step]
    ]
    assert [list(results) for results in found] == expected
    assert len({tuple(shapes) for shapes in expected}) == 3


def test_the_shapes_of_a_count_are_named_and_few(al2: Repository, revisions: dict[str, Revision]) -> None:
    graph = self_contained(al2, revisions["2024-01"])
    names = {
        str(shape).removeprefix(f"{POLICY}/2024-01/shape/")
        for shape in graph.subjects(RDF.type, SH.NodeShape)
        if "/shape/count-" in str(shape)
    }
    # Two of four hold, or three of four fail: what is all or any of the rest needs no more shapes.
    assert names == {
        "count-1-hold-1-of-last-3",
        "count-1-hold-2-of-last-3",
        "count-1-hold-1-of-last-2",
        "count-1-hold-2-of-last-2",
        "count-1-fail-2-of-last-3",
        "count-1-fail-3-of-last-3",
        "count-1-fail-1-of-last-2",
        "count-1-fail-2-of-last-2",
    }
    # No shape is left that nothing leads to.
    used = set(graph.objects())
    assert not [node for node in graph.subjects(SH["or"]) if not isinstance(node, URIRef) and node not in used]


# ---------------------------------------------------------------------- what is asked for


def test_so_many_more_are_asked_for_and_alternatives_of_one_part_stay_together(
    al2: Repository, revisions: dict[str, Revision], tmp_path: Path
) -> None:
    found = one(al2, revisions["2025-01"], tmp_path, mrd_is_detected="holds", **{GVHD: "fails"})
    asked = to_send_in(found)
    risk = Ask("The latest assessment of the risk of relapse, with its date")
    chimerism, status, infusion = (
        Ask(found.revision.conditions[f"{COND}{name}"].asks_for.rstrip("."))
        for name in ("chimerism-is-mixed", "disease-is-relapsed", "earlier-dli-was-given")
    )
    counted_ = AskGroup("atLeast", (risk, chimerism, AskGroup("any", (status, infusion))), 2, more=True)
    assert asked == AskGroup("all", (counted_,))
    assert counted_.how_many == "at least 2 more of"
    assert str(counted_) == f"At least 2 more of: {risk}; {chimerism}; (One of: {status}, or: {infusion})"
    content = found.to_dict()["toSend"]
    (group,) = content["allOf"]
    assert list(group) == ["atLeast", "of"]
    assert group["atLeast"] == 2
    assert [part.get("condition", "").removeprefix(str(COND)) for part in group["of"]] == [
        "relapse-risk-is-raised",
        "chimerism-is-mixed",
        "",
    ]


def test_what_can_settle_several_that_are_counted_is_asked_for_once_and_says_so(
    al2: Repository, revisions: dict[str, Revision], tmp_path: Path
) -> None:
    found = one(al2, revisions["2024-01"], tmp_path, **{GVHD: "fails", INFUSION: "fails"})
    mrd, risk = (f"{COND}{sign}" for sign in SIGNS[:2])
    alone = replace(found.condition_results[mrd].condition, asks_for="Every sign, with its date.")
    results = {iri: replace(result, condition=alone) for iri, result in found.condition_results.items() if iri != risk}
    results[risk] = found.condition_results[risk]

    def asked(*parts: Need | str) -> AskGroup | None:
        return to_send_in(replace(found, condition_results=results, needs=Need("all", (Need("atLeast", parts, 2),))))

    status, mixed = f"{COND}disease-is-relapsed", f"{COND}chimerism-is-mixed"
    other = Ask("The latest assessment of the risk of relapse, with its date")
    twice = Ask("Every sign, with its date", ("can count for 2 of them",))
    assert asked(mrd, risk, mixed) == AskGroup("all", (AskGroup("atLeast", (twice, other), 2),))
    thrice = Ask("Every sign, with its date", ("for at least 2 of 3 conditions that it can settle",))
    assert asked(mrd, mixed, status) == AskGroup("all", (thrice,))
    # Two of which each is enough for one of them stay two.
    either, both = Need("any", (mrd, risk)), Need("any", (risk, mixed))
    groups = asked(either, both, status)
    assert groups is not None
    (counted_,) = groups.parts
    assert isinstance(counted_, AskGroup)
    assert len(counted_.parts) == 3


def test_nothing_more_is_said_where_nothing_is_counted_yet(
    al2: Repository, revisions: dict[str, Revision], tmp_path: Path
) -> None:
    asked = to_send_in(one(al2, revisions["2024-01"], tmp_path, **{GVHD: "fails", INFUSION: "fails"}))
    assert asked is not None
    (group,) = asked.parts
    assert isinstance(group, AskGroup)
    assert (group.how_many, len(group.parts)) == ("at least 2 of", 4)


def test_a_conflict_is_told_where_the_count_can_still_turn_on_it(
    al2: Repository, revisions: dict[str, Revision], tmp_path: Path
) -> None:
    signs = {"mrd_is_detected": "conflicting", "relapse_risk_is_raised": "holds", "disease_is_relapsed": "fails"}
    others = {GVHD: "fails", INFUSION: "fails"}
    found = one(al2, revisions["2024-01"], tmp_path, **signs, **others)
    assert found.outcome is Outcome.CONFLICTING
    assert [conflict.condition.iri for conflict in found.conflicts] == [f"{COND}mrd-is-detected"]
    # One of three is out of reach of three of four, whatever is true of the test.
    missed = one(al2, revisions["2025-01"], tmp_path, **signs, chimerism_is_mixed="fails", **others)
    assert (missed.outcome, missed.conflicts) == (Outcome.NOT_MET, ())
    # And two of four are there without it.
    met = one(al2, revisions["2024-01"], tmp_path, **signs, chimerism_is_mixed="holds", **others)
    assert (met.outcome, met.conflicts) == (Outcome.MET, ())


def test_a_count_stands_in_every_rendering(al2: Repository, revisions: dict[str, Revision], tmp_path: Path) -> None:
    found = one(al2, revisions["2025-01"], tmp_path, mrd_is_detected="holds", **{GVHD: "fails", INFUSION: "fails"})
    turtle = determination_turtle.answers(al2, [found], [], explain=False)
    assert turtle.count("pol:atLeast 2") == 1
    bundle = json.loads(determination_fhir.answers(al2, [found], [], explain=False))
    (response,) = (
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "GuidanceResponse"
    )
    (need,) = (part for part in response["contained"][0]["parameter"] if part["name"] == "allOf")
    assert [(part["name"], part["part"][0]) for part in need["part"]] == [
        ("atLeast", {"name": "count", "valueInteger": 2})
    ]
    assert [part["name"] for part in need["part"][0]["part"]] == ["count", "send", "send", "send"]
    form = questionnaire(CaseForms(al2), found)
    assert form is not None
    assert [(item["text"], len(item["item"])) for item in form["item"]] == [
        ("At least 2 more of what these ask for:", 3)
    ]


def test_a_revision_shows_what_it_counts(revisions: dict[str, Revision]) -> None:
    shown = next(row for row in revision_dict(revisions["2025-01"])["criteria"] if row["role"] == "indication")
    assert list(shown["content"]) == ["atLeast", "of", "place"]
    assert shown["content"]["atLeast"] == 3
    assert list(shown["content"]["of"][3]) == ["anyOf"]


def test_the_example_cases_come_to_what_their_manifest_says(al2: Repository) -> None:
    assert [result.differences for result in run_manifest(al2, al2.policy(), FAST)] == [()] * 7


# ---------------------------------------------------------------------- two numbers compared


def test_three_of_four_is_stricter_than_two_of_four_and_a_case_shows_it(revisions: dict[str, Revision]) -> None:
    diff = diff_of(revisions["2024-01"], revisions["2025-01"], FAST)
    assert diff.verdict.direction is Direction.STRICTER
    assert (diff.verdict.by, diff.verdict.looser, diff.verdict.unconfirmed) == ("criteria alone", None, ())
    assert diff.verdict.stricter is not None
    held = [iri for iri, value in diff.verdict.stricter.values.items() if value.value == "holds"]
    assert len([iri for iri in held if iri != f"{COND}service-is-dli"]) == 2
    replay = diff.borne_out[Direction.STRICTER]
    assert (replay.before.outcome, replay.after.outcome) == (Outcome.MET, Outcome.NOT_MET)
    (change,) = (change for change in diff.changes if change.part == "Criteria")
    assert (change.kind.value, change.iri) == ("logic changed", f"{POLICY}/criterion/signs")
    assert ("at least 2 of" in change.before, "at least 3 of" in change.after) == (True, True)


# ---------------------------------------------------------------------- what cannot be counted

CRITERIA = "policies/AL.2/2024-01/criteria.ttl"
LIST = "pol:of (\n        cond:mrd-is-detected"
SAME = "[ pol:anyOf ( cond:disease-is-relapsed cond:earlier-dli-was-given ) ]"
WANTED = "give one pol:atLeast, a whole number from 1 to 4, the number of its parts"
# What is written in place of what, what is wrong, and what to do.
SLIPS = {
    "more than there are": ("pol:atLeast 2", "pol:atLeast 5", "asks by pol:atLeast for 5 of 4 parts", WANTED),
    "none": ("pol:atLeast 2", "pol:atLeast 0", "asks by pol:atLeast for 0 of 4 parts", WANTED),
    "fewer than none": ("pol:atLeast 2", "pol:atLeast -1", "asks by pol:atLeast for -1 of 4 parts", WANTED),
    "no number": ("pol:atLeast 2", 'pol:atLeast "two"', "has as pol:atLeast what is no whole number, 'two'", WANTED),
    "a fraction": ("pol:atLeast 2", "pol:atLeast 2.5", "has as pol:atLeast what is no whole number, '2.5'", WANTED),
    "two numbers": ("pol:atLeast 2", "pol:atLeast 2 , 3", "has 2 pol:atLeast beside pol:of", WANTED),
    "no pol:atLeast": ("pol:atLeast 2 ;\n", "", "has no pol:atLeast beside pol:of", WANTED),
    "no pol:of": (LIST, f"skos:related ( {LIST[9:]}", "has pol:atLeast without pol:of", "list the parts by pol:of"),
    "another operator": (
        LIST,
        f"pol:anyOf ( {LIST[9:]}",
        "has pol:atLeast beside pol:anyOf",
        "list the parts by pol:of",
    ),
    "one part twice": (
        LIST,
        f"{LIST} cond:mrd-is-detected",
        "lists one part twice, which would count twice",
        "list it once",
    ),
    "two parts that say the same": (
        SAME,
        f"{SAME} {SAME}",
        "lists two parts that say the same, which would count twice",
        "list one of them",
    ),
    "a part of itself": (LIST, f"{LIST} alcrit:signs", "is a part of itself", "correct the tree"),
    "a part of one of its parts": (
        "cond:chimerism-is-mixed",
        "[ pol:atLeast 1 ; pol:of ( alcrit:signs cond:chimerism-is-mixed ) ]",
        "is a part of itself",
        "correct the tree",
    ),
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base of one revision, to be damaged."""
    root = with_al2(tmp_path_factory.mktemp("damaged"))
    shutil.rmtree(root / "policies/AL.2/cases")
    return root


@pytest.mark.parametrize("slip", SLIPS)
def test_what_cannot_be_counted_is_one_line_from_loading_and_from_the_check(damaged: Path, slip: str) -> None:
    old, new, what, hint = SLIPS[slip]
    text = (AL2 / "2024-01/criteria.ttl").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (damaged / CRITERIA).write_text(text.replace(old, new), encoding="utf-8")
    kb = Repository(damaged)
    policy = kb.policy()
    with pytest.raises(KnowledgeBaseError) as error:
        _ = Revision.load(policy, policy.entry("2024-01")).conditions
    assert str(error.value) == f"{damaged / CRITERIA}: alcrit:signs {what}; {hint}"
    (check,) = (check for check in CHECKS if check.id == "criteria")
    found = [problem.message for problem in check.run(kb)]
    assert f"alcrit:signs {what}; {hint}" in found
    assert all("\n" not in message for message in found)


def test_the_shapes_of_policies_refuse_a_count_without_number_or_list(damaged: Path) -> None:
    text = (AL2 / "2024-01/criteria.ttl").read_text(encoding="utf-8")
    for slip, shapes in {
        "none": {"Count-atLeast"},
        "no number": {"Count-atLeast"},
        "no pol:of": {"Count-of", "CriterionContent", "Tree", "Tree-list", "Tree-members"},
        "another operator": {"Count-of"},
    }.items():
        old, new, _, _ = SLIPS[slip]
        (damaged / CRITERIA).write_text(text.replace(old, new), encoding="utf-8")
        kb = Repository(damaged)
        policy = kb.policy()
        results = shacl.validate(
            policy.revision_graph(policy.entry("2024-01")), kb.graph([kb.root / "shapes/policy.ttl"]), "pyshifty"
        )
        found = {result.shape.rpartition("#")[2] for result in results if result.focus.endswith("/signs")}
        assert found == shapes, slip
