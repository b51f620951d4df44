"""Several indications in one revision, each with limits of its own, from the case to every answer (design, 3.3)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import pytest
from installed import FAST
from oracle import outcome_by_trial
from rdflib.namespace import RDF
from signs import AL2, cases_of, with_al2

from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.prepare import prepared
from kb_tools.checks import CHECKS
from kb_tools.determine.determiner import Determiner
from kb_tools.determine.in_words import AskGroup, to_send_in
from kb_tools.determine.result import Determination, Outcome
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import outcome_shape, self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import BASE, COND, SH
from kb_tools.rdf.terms import graph_of
from kb_tools.render import determination_fhir, determination_turtle
from kb_tools.render.revision import revision_dict
from kb_tools.revisions.compare import diff_of
from kb_tools.revisions.verdict import Direction

CRITERION = f"{BASE}AL.2/criterion/"
MRD, RISK, MIXED = "mrd-is-detected", "relapse-risk-is-raised", "chimerism-is-mixed"
RELAPSED, GVHD = "disease-is-relapsed", "acute-gvhd-of-grade-2-or-higher"
CHIMERISM_ALONE, MANIPULATED = "raising-donor-chimerism-is-the-only-purpose", "lymphocytes-manipulated-ex-vivo"
VARIED = (RISK, CHIMERISM_ALONE, RELAPSED, MANIPULATED, GVHD)
FOUR, THREE = ("holds", "fails", "unknown", "conflicting"), ("holds", "fails", "unknown")


def meets(holding: Mapping[str, bool]) -> bool:
    """The criteria of 2026-01 in two values, as its document would say them."""
    signs = sum(holding[sign] for sign in (MRD, RISK, MIXED)) >= 2 and not holding[CHIMERISM_ALONE]
    relapse = holding[RELAPSED] and not holding[MANIPULATED]
    return (signs or relapse) and not holding[GVHD]


# Of the signs, one holds: so the risk decides whether there are two. GvHD, which limits both, takes a value in turn.
ROWS = [
    {MRD: "holds", MIXED: "fails", RISK: risk, CHIMERISM_ALONE: alone, RELAPSED: relapsed, MANIPULATED: manipulated}
    | {GVHD: ("fails", "fails", "fails", *FOUR)[number % 7]}
    for number, (risk, alone, relapsed, manipulated) in enumerate(product(FOUR, THREE, FOUR, THREE))
]


@pytest.fixture(scope="module")
def al2(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(with_al2(tmp_path_factory.mktemp("al2")))


def loaded(kb: Repository, name: str = "2026-01") -> Revision:
    policy = kb.policy()
    return Revision.load(policy, policy.entry(name))


@pytest.fixture(scope="module")
def revision(al2: Repository) -> Revision:
    return loaded(al2)


@pytest.fixture(scope="module")
def cases(al2: Repository, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    read = cases_of(al2, tmp_path_factory.mktemp("cases") / "cases.jsonl", ROWS)
    return [case for case in CaseChecker(al2, FAST).check(read) if isinstance(case, Case)]


@pytest.fixture(scope="module")
def determined(al2: Repository, revision: Revision, cases: list[Case]) -> list[Determination]:
    return Determiner(al2, revision, FAST).determine(cases)


def answers(
    kb: Repository, revision: Revision, tmp_path: Path, rows: Sequence[Mapping[str, str]]
) -> list[Determination]:
    """The determinations of cases by the values of their conditions."""
    checked = CaseChecker(kb, FAST).check(cases_of(kb, tmp_path / "cases.jsonl", rows))
    return Determiner(kb, revision, FAST).determine([case for case in checked if isinstance(case, Case)])


# ---------------------------------------------------------------------- the outcomes


def test_a_case_comes_to_what_any_indication_with_its_own_limits_comes_to(determined: list[Determination]) -> None:
    found = [(answer.outcome.value, answer.to_send) for answer in determined]
    expected = [outcome_by_trial(row, meets) for row in ROWS]
    assert found == [(outcome, frozenset(f"{COND}{name}" for name in names)) for outcome, names in expected]
    assert {outcome for outcome, _ in expected} == {
        "CriteriaMet",
        "CriteriaNotMet",
        "InformationNeeded",
        "InformationConflicting",
    }


def test_the_exported_shapes_give_each_case_its_outcome(
    al2: Repository, revision: Revision, cases: list[Case], determined: list[Determination]
) -> None:
    some = cases[::3]
    found: dict[str, list[str]] = {str(case.names[case.node]): [] for case in some}
    for result in shacl.validate(prepared(al2, some), graph_of(self_contained(al2, revision)), "pyshifty"):
        found[result.focus].append(result.shape)
    expected = [
        [] if answer.outcome is Outcome.MET else [str(outcome_shape(revision, answer.outcome))]
        for answer in determined[::3]
    ]
    assert list(found.values()) == expected
    assert len({tuple(shapes) for shapes in expected}) == 3


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("2024-01", " ;\n    pol:exclusion alcrit:gvhd .", " ."),
        ("2026-01", "    pol:exclusion alcrit:gvhd , ", "    pol:exclusion "),
    ],
)
def test_a_revision_that_excludes_nothing_of_all_is_exported_without_an_empty_list(
    tmp_path: Path, name: str, old: str, new: str
) -> None:
    """SHACL allows no empty list of shapes, and pySHACL refuses the whole graph for one."""
    root = with_al2(tmp_path)
    path = root / f"policies/AL.2/{name}/criteria.ttl"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    kb = Repository(root)
    graph = self_contained(kb, loaded(kb, name))
    assert [node for link in (SH["and"], SH["or"]) for node in graph.subjects(link, RDF.nil)] == []


# The values of the second sign, what limits the signs alone, relapse, what limits it alone, and GvHD; the outcome, and
# the places of what decides it.
DECIDED = [
    ("holds fails fails fails fails", "CriteriaMet", "Scope I.A I.A.1 III.A"),
    ("holds fails fails holds fails", "CriteriaMet", "Scope I.A I.A.1 III.A"),
    ("fails fails holds fails fails", "CriteriaMet", "Scope I.B III.A III.B"),
    ("unknown holds holds fails fails", "CriteriaMet", "Scope I.B III.A III.B"),
    ("holds holds holds fails fails", "CriteriaMet", "Scope I.B III.A III.B"),
    ("holds holds holds holds fails", "CriteriaNotMet", "I.A.1 III.B"),
    ("holds holds fails fails fails", "CriteriaNotMet", "I.A.1 I.B"),
    ("fails fails fails fails fails", "CriteriaNotMet", "I.A I.B II"),
    ("holds holds holds fails holds", "CriteriaNotMet", "III.A"),
    ("unknown fails fails unknown holds", "CriteriaNotMet", "III.A"),
]


def test_an_outcome_rests_on_the_indication_that_holds_and_on_what_limits_it(
    al2: Repository, revision: Revision, tmp_path: Path
) -> None:
    rows = [dict(zip(VARIED, values.split(), strict=True)) | {MRD: "holds", MIXED: "fails"} for values, _, _ in DECIDED]
    found = answers(al2, revision, tmp_path, rows)
    assert [
        (answer.outcome.value, {result.criterion.notation for result in answer.criterion_results if result.decides})
        for answer in found
    ] == [(outcome, set(places.split())) for _, outcome, places in DECIDED]


def test_the_remainder_holds_where_no_indication_does_whatever_limits_them(determined: list[Determination]) -> None:
    for answer in determined:
        values = {result.criterion.notation: result.value.value for result in answer.criterion_results}
        both = {values["I.A"], values["I.B"]}
        expected = "fails" if "holds" in both else "holds" if both == {"fails"} else None
        assert expected is None or values["II"] == expected
        assert (values["II"] in ("unknown", "conflicting")) == (expected is None)


# ---------------------------------------------------------------------- in words


def test_the_reason_names_the_way_that_is_open_or_closed(al2: Repository, revision: Revision, tmp_path: Path) -> None:
    signs = {MRD: "holds", RISK: "holds", MIXED: "fails", GVHD: "fails"}
    rows = [
        {CHIMERISM_ALONE: "fails", RELAPSED: "holds", MANIPULATED: "holds"},
        {CHIMERISM_ALONE: "holds", RELAPSED: "fails"},
    ]
    met, closed = answers(al2, revision, tmp_path, [signs | row for row in rows])
    assert met.because.startswith("indication I.A holds: MRD test: method flow cytometry")
    assert met.because.endswith("; no limitation or exclusion that concerns this holds")
    assert closed.because == (
        "limitation I.A.1 of criterion I.A holds: purpose: raise donor chimerism; indication I.B fails: disease status "
        "assessment: disease acute myeloid leukemia, disease status complete remission (2026-06-01, chart evidence)"
    )


def test_any_way_is_enough_in_what_is_asked_for(al2: Repository, revision: Revision, tmp_path: Path) -> None:
    (found,) = answers(al2, revision, tmp_path, [{MRD: "holds", GVHD: "fails"}])
    asked = to_send_in(found)
    assert asked is not None
    (ways,) = asked.parts
    assert isinstance(ways, AskGroup)
    assert ways.how_many == "one of"
    assert [(way.how_many, len(way.parts)) for way in ways.parts if isinstance(way, AskGroup)] == [("all of", 2)] * 2


def test_what_limits_one_indication_says_so_in_every_rendering(
    al2: Repository, revision: Revision, determined: list[Determination]
) -> None:
    limited = {f"{CRITERION}chimerism-alone": "signs", f"{CRITERION}manipulated": "relapse"}
    found = determined[0]
    assert {row["criterion"]: row["limits"] for row in found.to_dict()["criterionResults"] if "limits" in row} == {
        iri: [CRITERION + name] for iri, name in limited.items()
    }
    assert {row["criterion"]: row["limits"] for row in revision_dict(revision)["criteria"] if "limits" in row} == {
        iri: [CRITERION + name] for iri, name in limited.items()
    }
    bundle = json.loads(determination_fhir.answers(al2, [found], [], explain=False))
    response = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "GuidanceResponse")
    results = [p["part"] for p in response["contained"][0]["parameter"] if p["name"] == "criterionResult"]
    assert {part["valueUri"] for parts in results for part in parts if part["name"] == "limits"} == {
        f"{CRITERION}signs",
        f"{CRITERION}relapse",
    }
    turtle = determination_turtle.answers(al2, [found], [], explain=False)
    assert turtle.count("pol:limits alcrit:") == 2
    assert revision.uncovered == "everything that criteria I.A and I.B do not cover"
    scopes = {bar.notation: revision.scope_of(bar) for bar in revision.bars}
    assert scopes == {"I.A.1": "of criterion I.A", "III.A": "", "III.B": "of criterion I.B"}


def test_pages_say_what_is_limited_and_what_a_remainder_leaves(al2: Repository) -> None:
    from starlette.testclient import TestClient

    from kb_tools.serve.app import application
    from kb_tools.serve.workbench import Workbench

    client = TestClient(application(Workbench(al2)), base_url="http://127.0.0.1")
    names = ("manipulated", "gvhd", "other-uses")
    stated = {name: client.get(f"/AL.2/criterion/{name}?format=json").json()["stated"] for name in names}
    assert stated["manipulated"]["scope"] == "of criterion I.B"
    assert "scope" not in stated["gvhd"]
    assert stated["other-uses"]["scope"] == "everything that criteria I.A and I.B do not cover"
    assert stated["other-uses"]["remainderOf"] is None
    assert "Exclusion of criterion I.B, of" in client.get("/AL.2/criterion/manipulated").text
    revision = client.get("/AL.2/2026-01").text
    assert "exclusion of criterion I.B</span>" in revision
    assert "Everything that criteria I.A and I.B do not cover." in revision
    assert '<span class="operator">at least 2 of</span>' in revision


# ---------------------------------------------------------------------- compared


def test_an_indication_that_is_added_is_a_change_with_a_witness(al2: Repository, revision: Revision) -> None:
    diff = diff_of(loaded(al2, "2024-01"), revision, FAST)
    assert diff.verdict.direction is Direction.MIXED
    assert diff.verdict.looser is not None
    held = {iri.removeprefix(str(COND)) for iri, value in diff.verdict.looser.values.items() if value.value == "holds"}
    assert held == {"service-is-dli", RELAPSED}
    changes = {(change.iri.removeprefix(CRITERION), change.kind.value): change for change in diff.changes}
    assert ("relapse", "added") in changes
    added = changes["manipulated", "added"]
    assert added.after[:2] == (
        "as exclusion of criterion I.B:",
        "For criterion I.B alone: the lymphocytes are manipulated ex vivo.",
    )


def test_what_a_limit_limits_is_part_of_what_it_says(tmp_path: Path) -> None:
    root = with_al2(tmp_path)
    shutil.rmtree(
        root / "policies/AL.2/cases"
    )  # No example has the facts: the witness is made of what the shapes name.
    path = root / "policies/AL.2/2026-01/criteria.ttl"
    text = path.read_text(encoding="utf-8")
    before = loaded(Repository(root))
    path.write_text(text.replace("    pol:limits alcrit:relapse ;\n", ""), encoding="utf-8")
    diff = diff_of(before, loaded(Repository(root)), FAST)
    (change,) = diff.changes
    assert (change.kind.value, change.before[0], change.after[0]) == (
        "logic changed",
        "as exclusion of criterion I.B:",
        "as exclusion of the whole revision:",
    )
    assert diff.verdict.direction is Direction.STRICTER
    assert (diff.verdict.looser, diff.verdict.unconfirmed) == (None, ())
    # What names all indications limits the whole revision.
    path.write_text(text.replace("limits alcrit:relapse", "limits alcrit:relapse , alcrit:signs"), encoding="utf-8")
    whole = loaded(Repository(root))
    assert whole.criteria_tree == diff.new.criteria_tree
    assert whole.scope_of(whole.all_criteria[f"{CRITERION}manipulated"]) == ""


def test_with_one_indication_a_limit_of_it_is_one_of_the_whole_revision(tmp_path: Path) -> None:
    root = with_al2(tmp_path)
    path = root / "policies/AL.2/2024-01/criteria.ttl"
    before = loaded(Repository(root), "2024-01")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("a pol:Exclusion ;", "a pol:Exclusion ; pol:limits alcrit:signs ;"), encoding="utf-8")
    after = loaded(Repository(root), "2024-01")
    assert after.criteria_tree == before.criteria_tree
    assert before.criteria_tree.parts[0] == before.indications[0].tree


# ---------------------------------------------------------------------- what cannot be limited

SLIPS = {
    "no indication": (
        "pol:limits alcrit:relapse",
        "pol:limits alcrit:gvhd",
        "alcrit:manipulated limits alcrit:gvhd, which is no indication of revision 2026-01",
    ),
    "what is not there": (
        "pol:limits alcrit:relapse",
        "pol:limits alcrit:relaps",
        "alcrit:manipulated limits alcrit:relaps, which is no indication of revision 2026-01",
    ),
    "an indication that limits another": (
        'skos:notation "I.B" ;',
        'skos:notation "I.B" ; pol:limits alcrit:signs ;',
        "alcrit:relapse has pol:limits and is no limitation or exclusion (indication)",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_what_cannot_be_limited_is_one_line_from_loading_and_from_the_check(tmp_path: Path, slip: str) -> None:
    old, new, what = SLIPS[slip]
    root = with_al2(tmp_path)
    path = root / "policies/AL.2/2026-01/criteria.ttl"
    path.write_text((AL2 / "2026-01/criteria.ttl").read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    kb = Repository(root)
    hint = "name by pol:limits what pol:indication names, of a limitation or exclusion; without it, it limits all"
    with pytest.raises(KnowledgeBaseError) as error:
        _ = loaded(kb).criteria
    assert str(error.value) == f"{path}: {what}; {hint}"
    (check,) = (check for check in CHECKS if check.id == "criteria")
    assert [problem.message for problem in check.run(kb)] == [f"{what}; {hint}"]
