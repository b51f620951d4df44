"""Revisions that differ in how old a finding may be, alone and together with numbers, ages and counts."""

from __future__ import annotations

import re
from datetime import date
from itertools import chain

import pyoxigraph as ox
import pytest

from kb_tools.cases.case import Case, apart
from kb_tools.cases.check import CaseChecker
from kb_tools.determine.ages_seen import AgesSeen
from kb_tools.determine.evaluate import Evaluator
from kb_tools.model.history import RevisionEntry
from kb_tools.model.logic import Value
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.files import parse
from kb_tools.rdf.namespaces import BASE, COND
from kb_tools.rdf.terms import graph_of
from kb_tools.revisions.change import Diff
from kb_tools.revisions.compare import diff_of
from kb_tools.revisions.entailments import conditions_of, groups_of, ties_of
from kb_tools.revisions.small_cases import SmallCase
from kb_tools.revisions.witness import silent_case, with_facts, with_reason, written

ENGINE = "pyshifty"
HOLDS, FAILS, UNKNOWN, CONFLICTING = Value
# What a condition reads, and its two shapes, by a short name.
SHAPES = {
    # The first fails where it is stated that there was none, the second also where all were too short.
    "diet": ("bs6v:SupervisedDiet", "bs6cond:DietOf6Months", "cond:StatedNoDiet"),
    "long-diet": ("bs6v:SupervisedDiet", "bs6cond:DietOf6Months", "bs6cond:NoDietOf6Months"),
    "transplant": ("clin:Transplant", "cond:AllogeneicTransplant", "cond:NoAllogeneicTransplant"),
    "bmi-40": (
        *("bs6v:BodyMassIndexMeasurement", "bs6cond:BodyMassIndexOf40OrMore", "bs6cond:NotBodyMassIndexOf40OrMore"),
    ),
    "bmi-35": (
        *("bs6v:BodyMassIndexMeasurement", "bs6cond:BodyMassIndexOf35OrMore", "bs6cond:NotBodyMassIndexOf35OrMore"),
    ),
    "diabetes": ("bs6v:ComorbidityAssessment", "bs6cond:Type2DiabetesPresent", "bs6cond:Type2DiabetesAbsent"),
    "hypertension": ("bs6v:ComorbidityAssessment", "bs6cond:HypertensionPresent", "bs6cond:HypertensionAbsent"),
    "mrd": ("clin:MRDTest", "cond:MRDDetected", "cond:MRDNotDetected"),
    "gvhd": ("clin:AcuteGvHDAssessment", "cond:AcuteGvHDGrade2OrHigher", "cond:AcuteGvHDBelowGrade2"),
}
STATED_NO_DIET = """
cond:StatedNoDiet a sh:NodeShape ; sh:property [ sh:path case:currentFinding ; sh:qualifiedMinCount 1 ;
    sh:qualifiedValueShape [ sh:class clin:StatedAbsence ; sh:property [
        sh:path clin:absenceOf ; sh:hasValue bs6v:SupervisedDiet ] ] ] .
"""
NAMES = (
    *("long-diet P1Y", "long-diet P2Y"),
    *("diet P1Y", "diet P2Y", "diet P30D", "diet P1M", "transplant P6M", "transplant P1Y"),
    *(
        "bmi-40 P6M",
        "bmi-40 P1Y",
        "bmi-35 P6M",
        "bmi-35 P1Y",
        "diabetes P6M",
        "diabetes P1Y",
        "hypertension P6M",
        "hypertension P1Y",
    ),
    *("mrd P6M", "mrd P1Y", "gvhd P30D", "gvhd P60D"),
)


def iri(name: str) -> str:
    return COND + name.replace(" ", "-")


def stated(name: str) -> str:
    short, window = name.split()
    reads, holds, fails = SHAPES[short]
    return f"""<{iri(name)}> a pol:Condition ; rdfs:label "{name}"@en ; skos:definition "{name}"@en ;
        pol:asksFor "{name}."@en ; pol:reads {reads} ; pol:within "{window}"^^xsd:duration ;
        pol:holdsWhen {holds} ; pol:failsWhen {fails} .
    """


@pytest.fixture(scope="module")
def windows(with_bs6: Repository) -> Repository:
    """The knowledge base with BS.6 and with conditions that have windows."""
    kb = Repository(with_bs6.root)
    prefixes = "".join(f"PREFIX {prefix}: <{namespace}>\n" for prefix, namespace in kb.policy("BS.6").prefixes.items())
    text = prefixes + STATED_NO_DIET + "\n".join(map(stated, NAMES))
    kb.__dict__["conditions"] = graph_of([*kb.conditions, *parse(text.encode(), ox.RdfFormat.TURTLE, "made")])
    return kb


def revision(kb: Repository, name: str, indication: str, exclusion: str = "") -> Revision:
    """A revision with an indication as Turtle, and perhaps an exclusion."""
    prefixes = "".join(f"PREFIX {prefix}: <{namespace}>\n" for prefix, namespace in kb.policy("BS.6").prefixes.items())
    text = f"""{prefixes} PREFIX : <{BASE}made/>
        :{name} pol:appliesWhen :scope ; pol:indication :indication .
        :scope pol:allOf ( cond:service-is-dli ) .
        :indication pol:allOf ( {indication} ) ."""
    if exclusion:
        text += f":{name} pol:exclusion :exclusion . :exclusion pol:allOf ( {exclusion} ) ."
    entry = RevisionEntry(f"{BASE}made/{name}", name, name, date(2024, 1, 1), None, {"Criteria": "DocumentOnFile"})
    return Revision(
        Policy(kb, kb.root), entry, graph_of([*kb.conditions, *parse(text.encode(), ox.RdfFormat.TURTLE, "made")])
    )


def compared(kb: Repository, old: tuple[str, ...], new: tuple[str, ...]) -> Diff:
    """The difference of two revisions, the conditions of their criteria by their labels."""
    sides = [
        [re.sub(r"[a-z0-9-]+ P\d+[YMD]", lambda met: f"<{iri(met[0])}>", part) for part in side] for side in (old, new)
    ]
    before, after = (revision(kb, name, *side) for name, side in zip(("old", "new"), sides, strict=True))
    return diff_of(before, after, ENGINE)


SERVICE = "service-is-dli"
OF_TWO, OF_ONE = "[ pol:atLeast 2 ; pol:of ( {} {} {} ) ]", "[ pol:atLeast 1 ; pol:of ( {} {} {} ) ]"
NEEDED, MET, NOT_MET, CONFLICT = (*("InformationNeeded", "CriteriaMet", "CriteriaNotMet", "InformationConflicting"),)
Shown = tuple[dict[str, Value], str, str]
# The indication and exclusion of both, the verdict, and of each direction the witness with what it comes to.
COMPARED: dict[str, tuple[tuple[str, ...], tuple[str, ...], str, list[Shown]]] = {
    "a_shorter_window_on_findings_of_which_all_count_is_stricter": (
        ("diet P2Y",),
        ("diet P1Y",),
        "stricter",
        [({"diet P2Y": HOLDS, "diet P1Y": UNKNOWN}, MET, NEEDED)],
    ),
    "a_longer_window_on_findings_of_which_all_count_is_looser": (
        ("diet P1Y",),
        ("diet P2Y",),
        "looser",
        [({"diet P1Y": UNKNOWN, "diet P2Y": HOLDS}, NEEDED, MET)],
    ),
    "what_is_too_short_within_a_year_can_be_long_enough_within_two": (
        ("long-diet P2Y",),
        ("long-diet P1Y",),
        "stricter",
        [({"long-diet P2Y": HOLDS, "long-diet P1Y": FAILS}, MET, NOT_MET)],
    ),
    "what_fails_a_shorter_window_can_hold_in_a_longer_one": (
        ("transplant P6M",),
        ("transplant P1Y",),
        "looser",
        [({"transplant P6M": FAILS, "transplant P1Y": HOLDS}, NOT_MET, MET)],
    ),
    "a_longer_window_on_an_exclusion_is_met_by_an_older_absence_and_contradicted_by_an_older_finding": (
        ("bmi-40 P6M", "diet P1Y"),
        ("bmi-40 P6M", "diet P2Y"),
        "mixed",
        [
            ({"bmi-40 P6M": HOLDS, "diet P1Y": FAILS, "diet P2Y": CONFLICTING}, MET, CONFLICT),
            ({"bmi-40 P6M": HOLDS, "diet P1Y": UNKNOWN, "diet P2Y": FAILS}, NEEDED, MET),
        ],
    ),
    "thirty_days_are_more_than_a_month_in_february_and_less_in_december": (
        ("diet P30D",),
        ("diet P1M",),
        "mixed",
        [
            ({"diet P30D": HOLDS, "diet P1M": UNKNOWN}, MET, NEEDED),
            ({"diet P30D": UNKNOWN, "diet P1M": HOLDS}, NEEDED, MET),
        ],
    ),
    "a_longer_window_on_what_counts_by_its_latest_is_looser": (
        ("gvhd P30D",),
        ("gvhd P60D",),
        "looser",
        [({"gvhd P30D": UNKNOWN, "gvhd P60D": HOLDS}, NEEDED, MET)],
    ),
    "so_is_one_on_an_exclusion_which_an_older_assessment_can_rule_out": (
        ("bmi-40 P6M", "gvhd P30D"),
        ("bmi-40 P6M", "gvhd P60D"),
        "looser",
        [({"bmi-40 P6M": HOLDS, "gvhd P30D": UNKNOWN, "gvhd P60D": FAILS}, NEEDED, MET)],
    ),
    "a_longer_window_with_a_lower_number": (
        ("bmi-40 P6M",),
        ("bmi-35 P1Y",),
        "looser",
        [({"bmi-40 P6M": FAILS, "bmi-35 P1Y": HOLDS}, NOT_MET, MET)],
    ),
    "a_longer_window_with_a_higher_number": (
        ("bmi-35 P6M",),
        ("bmi-40 P1Y",),
        "mixed",
        [
            ({"bmi-35 P6M": HOLDS, "bmi-40 P1Y": FAILS}, MET, NOT_MET),
            ({"bmi-35 P6M": UNKNOWN, "bmi-40 P1Y": HOLDS}, NEEDED, MET),
        ],
    ),
    "longer_windows_with_a_lower_count": (
        (OF_TWO.format("diabetes P6M", "hypertension P6M", "diet P1Y"),),
        (OF_ONE.format("diabetes P1Y", "hypertension P1Y", "diet P2Y"),),
        "looser",
        [
            (
                {"diabetes P1Y": HOLDS, "diet P1Y": FAILS, "hypertension P6M": FAILS},
                *(NOT_MET, MET),
            )
        ],
    ),
    "longer_windows_with_a_higher_count": (
        (OF_ONE.format("diabetes P6M", "hypertension P6M", "diet P1Y"),),
        (OF_TWO.format("diabetes P1Y", "hypertension P1Y", "diet P2Y"),),
        "mixed",
        [
            ({"diabetes P6M": HOLDS, "hypertension P1Y": FAILS, "diet P2Y": FAILS}, MET, NOT_MET),
            (
                {
                    **{"diabetes P6M": UNKNOWN, "diabetes P1Y": HOLDS, "diet P1Y": UNKNOWN, "diet P2Y": HOLDS},
                    "hypertension P6M": FAILS,
                },
                *(NEEDED, MET),
            ),
        ],
    ),
}


@pytest.mark.parametrize("name", COMPARED)
def test_windows_are_compared_by_what_cases_can_say(name: str, windows: Repository) -> None:
    old, new, direction, expected = COMPARED[name]
    found = compared(windows, old, new)
    assert (found.verdict.words, found.verdict.unconfirmed) == (f"{direction}, by criteria alone", ())
    shown = [(witness.values, witness.before.value, witness.after.value) for witness in found.verdict.witnesses]
    assert shown == [
        ({iri(SERVICE): HOLDS, **{iri(name): value for name, value in values.items()}}, before, after)
        for values, before, after in expected
    ]
    for witness in found.verdict.witnesses:
        replay = found.borne_out[witness.direction]
        assert (replay.before.outcome, replay.after.outcome) == (witness.before, witness.after)
        results = {**replay.before.condition_results, **replay.after.condition_results}
        assert {iri: results[iri].value for iri in witness.values} == witness.values


def ties(kb: Repository, *names: str) -> set[tuple[str, Value, str, Value]]:
    mine = [one for one in conditions_of(kb) if one.label in names]
    labels = {one.iri: one.label for one in mine}
    found = ties_of(groups_of(kb, mine, ENGINE))
    return {(labels[tie.one], tie.value, labels[tie.other], tie.then) for tie in found}


@pytest.mark.parametrize(
    ("shorter", "longer", "fails_too"),
    [
        # A diet of 18 months ago beside the statement of last month that there was none fails within a year, and is
        # contradicted within two.
        ("diet P1Y", "diet P2Y", False),
        ("long-diet P1Y", "long-diet P2Y", False),
        ("transplant P6M", "transplant P1Y", False),
        ("diabetes P6M", "diabetes P1Y", True),
        ("bmi-40 P6M", "bmi-40 P1Y", True),
        ("gvhd P30D", "gvhd P60D", True),
        # A test by another method may be older.
        ("mrd P6M", "mrd P1Y", False),
    ],
)
def test_a_condition_entails_the_same_within_a_longer_window(
    shorter: str, longer: str, fails_too: bool, windows: Repository
) -> None:
    failing = {(shorter, FAILS, longer, FAILS)} if fails_too else set()
    assert ties(windows, shorter, longer) == {(shorter, HOLDS, longer, HOLDS), *failing}


def test_days_and_months_that_overlap_entail_neither(windows: Repository) -> None:
    assert ties(windows, "diet P30D", "diet P1M") == set()


TOGETHER = (
    ("long-diet P1Y", "diet P2Y"),
    ("diet P30D", "diet P1M"),
    ("transplant P6M", "transplant P1Y"),
    ("diabetes P6M", "diabetes P1Y", "hypertension P1Y"),
    ("bmi-40 P6M", "bmi-35 P1Y"),
    ("mrd P6M", "mrd P1Y"),
)


@pytest.mark.extended
def test_every_small_case_with_windows_can_be_submitted_and_comes_to_what_it_is_said_to(windows: Repository) -> None:
    known = {one.label: one for one in conditions_of(windows)}
    named = [known[name] for name in dict.fromkeys(chain.from_iterable(TOGETHER))]
    checker, evaluator = CaseChecker(windows, ENGINE, by_parts=True), Evaluator(windows, named, ENGINE)
    submitted: list[Case] = []
    expected: list[tuple[SmallCase, dict[str, Value]]] = []
    for together in TOGETHER:
        conditions = [known[name] for name in together]
        (group,) = groups_of(windows, conditions, ENGINE)
        seen = AgesSeen(windows.evaluated, conditions)
        for small, values in group.cases:
            day = seen.service_for(small.ages, date(2024, 1, 1))
            assert day is not None, small
            case = with_reason(windows, silent_case(day), [group.kinds])
            submitted.append(with_facts(windows, case, group.kinds, written(windows, small, case, seen)))
            expected.append((small, values))
    checked = checker.check(apart(submitted))
    sound = [case for case in checked if isinstance(case, Case)]
    assert len(sound) == len(submitted) == 146
    for found, (small, values) in zip(evaluator.evaluate(sound), expected, strict=True):
        assert {iri: found[iri].value for iri in values} == values, small
