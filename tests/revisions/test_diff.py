"""Two revisions compared: the changes, the verdict, and the log held against them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations, permutations, product
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from comparisons import (
    FAST,
    LOG,
    ON_FILE,
    REVIEW,
    ROOT,
    THRESHOLD,
    Edits,
    LogStatement,
    _row,
    against_2026_02,
    copied,
    difference,
)
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import RdfFormat
from rdflib import Graph
from strategies import VOCABULARY, examples

from kb_tools.determine.result import Outcome, outcome_of
from kb_tools.errors import KbError
from kb_tools.model.history import RevisionEntry
from kb_tools.model.logic import Tree, Value, evaluate
from kb_tools.model.parts import DOCUMENT_PARTS
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.files import parse
from kb_tools.rdf.namespaces import BASE, COND
from kb_tools.rdf.terms import graph_of
from kb_tools.revisions.change import Change, Diff, Kind, LogVerdict
from kb_tools.revisions.compare import compare
from kb_tools.revisions.entailments import Tie
from kb_tools.revisions.impact import flip_of
from kb_tools.revisions.verdict import Direction, Verdict, Witness, verdict_of

RunKb = Callable[..., CompletedProcess[str]]
MIRRORED_DIRECTION = {Direction.STRICTER: Direction.LOOSER, Direction.LOOSER: Direction.STRICTER}
MIRRORED_KIND = {
    Kind.ADDED: Kind.REMOVED,
    Kind.REMOVED: Kind.ADDED,
    Kind.WIDENED: Kind.NARROWED,
    Kind.NARROWED: Kind.WIDENED,
}


def short(iri: str) -> str:
    """The IRI as a name below the policy, or as a CURIE: "criterion/plan", "cond:chimerism-is-mixed"."""
    return iri.removeprefix(BASE + "CP.MP.101/") if "CP.MP.101/" in iri else VOCABULARY.curie(iri)


def listed(diff: Diff, part: str) -> list[tuple[Kind, str]]:
    return [(change.kind, short(change.iri)) for change in diff.changes if change.part == part]


def the(diff: Diff, kind: Kind, name: str) -> Change:
    (found,) = [change for change in diff.changes if change.kind is kind and short(change.iri) == name]
    return found


# ---------------------------------------------------------------------- 2019-10 against 2026-02


def test_the_criteria_of_2026_02_differ_from_those_of_2019_10_in_ten_ways() -> None:
    assert listed(difference("2019-10", "2026-02"), "Criteria") == [
        (Kind.ADDED, "criterion/plan"),
        (Kind.LOGIC, "criterion/indication"),
        (Kind.ADDED, "criterion/chimerism-alone"),
        (Kind.RENUMBERED, "criterion/other-indications"),
        (Kind.REWORDED, "criterion/other-indications"),
        (Kind.RENUMBERED, "criterion/manipulated-lymphocytes"),
        (Kind.ADDED, "criterion/acute-gvhd"),
        (Kind.REMOVED, "criterion/relapsed-malignancy"),
        (Kind.REMOVED, "criterion/chimerism-conversion"),
        (Kind.REMOVED, "criterion/repeat-infusion"),
    ]


def test_treatment_of_relapse_is_widened_to_refractory_and_lowering_the_risk_is_new() -> None:
    diff = difference("2019-10", "2026-02")
    assert listed(diff, "Conditions") == [
        (Kind.ADDED, "cond:plan-is-not-medicare"),
        (Kind.WIDENED, "cond:disease-relapsed-refractory-or-progressing"),
        (Kind.ADDED, "cond:lowering-relapse-risk-is-a-purpose"),
        (Kind.ADDED, "cond:mrd-is-detected"),
        (Kind.ADDED, "cond:relapse-risk-is-raised"),
        (Kind.ADDED, "cond:raising-donor-chimerism-is-the-only-purpose"),
        (Kind.ADDED, "cond:acute-gvhd-of-grade-2-or-higher"),
        (Kind.REMOVED, "cond:raising-donor-chimerism-is-a-purpose"),
        (Kind.REMOVED, "cond:chimerism-is-mixed"),
        (Kind.REMOVED, "cond:earlier-dli-was-given"),
        (Kind.REMOVED, "cond:benefit-of-earlier-dli-is-documented"),
    ]
    widened = the(diff, Kind.WIDENED, "cond:disease-relapsed-refractory-or-progressing")
    disease = "The latest status of the disease treated, or of a kind of it"
    since = f"{disease}, since the latest allogeneic transplant, is relapsed"
    assert widened.before == (f"{since}.",)
    assert widened.after == (f"{since}, refractory, both, or progressing.",)


def test_both_trees_of_the_indication_stand_side_by_side() -> None:
    logic = the(difference("2019-10", "2026-02"), Kind.LOGIC, "criterion/indication")
    assert logic.before[1:9] == (
        "all of",
        "  after an allogeneic transplant",
        "  any of",
        "    all of (I.A, relapsed hematologic malignancy)",
        "      the disease treated is a hematologic malignancy",
        "      the disease is relapsed",
        "    all of (I.B, mixed to full donor chimerism)",
        "      raising donor chimerism is a purpose",
    )
    assert logic.after[1:8] == (
        "all of",
        "  after an allogeneic transplant",
        "  the disease treated is a hematologic malignancy",
        "  any of",
        "    the disease is relapsed, refractory or progressing",
        "    lowering the risk of relapse is a purpose",
        "    residual disease is detected",
    )


def test_bone_marrow_transplant_is_named_before_and_not_after() -> None:
    logic = the(difference("2019-10", "2026-02"), Kind.LOGIC, "criterion/indication")
    assert "stem cell or bone marrow transplant" in logic.before[0]
    assert not any("bone marrow" in line.lower() for line in logic.after)


def test_conversion_of_chimerism_and_repeat_infusion_are_gone() -> None:
    diff = difference("2019-10", "2026-02")
    conversion = the(diff, Kind.REMOVED, "criterion/chimerism-conversion")
    assert conversion.label == "I.B, mixed to full donor chimerism"
    assert conversion.before[:4] == (
        "The infusion is to turn a member's mixed donor chimerism into full donor chimerism.",
        "all of",
        "  raising donor chimerism is a purpose",
        "  chimerism is mixed",
    )
    repeat = the(diff, Kind.REMOVED, "criterion/repeat-infusion")
    assert (repeat.label, repeat.after) == ("II.C, repeat infusion without documented benefit of the earlier one", ())


def test_the_note_under_i_acute_gvhd_and_the_medicare_note_are_new() -> None:
    diff = difference("2019-10", "2026-02")
    names = ("criterion/chimerism-alone", "criterion/acute-gvhd", "criterion/plan")
    assert [(the(diff, Kind.ADDED, name).label, the(diff, Kind.ADDED, name).before) for name in names] == [
        ("I, note, only to raise donor chimerism, with no risk of relapse", ()),
        ("II.B, acute GvHD of grade 2 or higher", ()),
        ("Medicare note, the plan is not a Medicare plan", ()),
    ]


def test_manipulation_moves_from_ii_b_to_ii_a_and_every_other_indication_from_ii_a_to_ii() -> None:
    diff = difference("2019-10", "2026-02")
    renumbered = {
        short(change.iri): (change.before, change.after) for change in diff.changes if change.kind is Kind.RENUMBERED
    }
    assert renumbered == {
        "criterion/manipulated-lymphocytes": (("II.B",), ("II.A",)),
        "criterion/other-indications": (("II.A",), ("II",)),
    }


def test_unsupported_uses_get_another_disposition() -> None:
    (change,) = [change for change in difference("2019-10", "2026-02").changes if change.part == "DispositionPart"]
    assert (change.kind, change.before, change.after) == (
        Kind.UPDATED,
        ("experimental or investigational",),
        ("current evidence does not support the use",),
    )


# ---------------------------------------------------------------------- verdicts of the revisions on file

CARVED_OUT = {
    "service-is-dli": Value.HOLDS,
    "after-allogeneic-transplant": Value.HOLDS,
    "lymphocytes-genetically-modified": Value.FAILS,
    "lymphocytes-manipulated-ex-vivo": Value.FAILS,
    "plan-is-not-medicare": Value.FAILS,
}


def valued(values: Mapping[str, Value]) -> dict[str, Value]:
    return {iri.removeprefix(COND): value for iri, value in values.items()}


def test_2026_02_is_mixed_against_2019_10_with_a_witness_each_way() -> None:
    verdict = difference("2019-10", "2026-02").verdict
    assert verdict.words == "mixed, by applicability and criteria"
    assert verdict.borrowed == (
        "2019-10 as on file does not define mixed chimerism: the definition of 2026-02 is taken.",
    )
    stricter, looser = verdict.witnesses
    assert (stricter.direction, stricter.before, stricter.after) == (
        Direction.STRICTER,
        Outcome.MET,
        Outcome.NOT_APPLICABLE,
    )
    assert valued(stricter.values) == {
        **CARVED_OUT,
        "raising-donor-chimerism-is-a-purpose": Value.HOLDS,
        "chimerism-is-mixed": Value.HOLDS,
        "earlier-dli-was-given": Value.FAILS,
    }
    assert (looser.direction, looser.before, looser.after) == (Direction.LOOSER, Outcome.NOT_MET, Outcome.MET)
    assert valued(looser.values) == {
        **CARVED_OUT,
        "plan-is-not-medicare": Value.HOLDS,
        "reason-is-hematologic-malignancy": Value.HOLDS,
        "disease-relapsed-refractory-or-progressing": Value.HOLDS,
        "disease-is-relapsed": Value.FAILS,
        "raising-donor-chimerism-is-a-purpose": Value.FAILS,
        "acute-gvhd-of-grade-2-or-higher": Value.FAILS,
    }


def test_2026_02_is_equivalent_to_2025_02_by_inference() -> None:
    diff = difference("2025-02", "2026-02")
    assert (diff.verdict.words, diff.verdict.witnesses, diff.changes, diff.differ) == (
        "equivalent, by inference",
        (),
        (),
        False,
    )


def test_2023_11_is_stricter_than_2023_10_by_applicability_alone_and_by_inference() -> None:
    diff = difference("2023-10", "2023-11")
    assert diff.verdict.words == "stricter, by applicability alone, by inference"
    (witness,) = diff.verdict.witnesses
    assert (witness.before, witness.after) == (Outcome.MET, Outcome.NOT_APPLICABLE)
    assert valued(witness.values) == {
        **CARVED_OUT,
        "reason-is-hematologic-malignancy": Value.HOLDS,
        "disease-relapsed-refractory-or-progressing": Value.HOLDS,
        "acute-gvhd-of-grade-2-or-higher": Value.FAILS,
    }
    assert [(change.part, change.kind, short(change.iri)) for change in diff.changes] == [
        ("Criteria", Kind.ADDED, "criterion/plan"),
        ("Conditions", Kind.ADDED, "cond:plan-is-not-medicare"),
    ]


def test_every_pair_of_revisions_on_file_has_the_verdict_that_its_history_gives_it() -> None:
    found = {(old, new): difference(old, new).verdict.words for old, new in combinations(ON_FILE, 2)}
    carved = "mixed, by applicability and criteria, by inference"
    narrowed = "stricter, by applicability alone, by inference"
    same = "equivalent, by inference"
    assert found == {
        ("2019-10", "2023-10"): "mixed, by criteria alone, by inference",
        ("2019-10", "2023-11"): carved,
        ("2019-10", "2024-04"): carved,
        ("2019-10", "2025-02"): carved,
        ("2019-10", "2026-02"): "mixed, by applicability and criteria",
        ("2023-10", "2023-11"): narrowed,
        ("2023-10", "2024-04"): narrowed,
        ("2023-10", "2025-02"): narrowed,
        ("2023-10", "2026-02"): narrowed,
        ("2023-11", "2024-04"): same,
        ("2023-11", "2025-02"): same,
        ("2023-11", "2026-02"): same,
        ("2024-04", "2025-02"): same,
        ("2024-04", "2026-02"): same,
        ("2025-02", "2026-02"): same,
    }


@pytest.mark.parametrize(("old", "new"), list(combinations(ON_FILE, 2)))
def test_a_pair_turned_round_has_the_mirrored_verdict_witnesses_and_changes(old: str, new: str) -> None:
    there, back = difference(old, new), difference(new, old)
    assert back.verdict.direction is MIRRORED_DIRECTION.get(there.verdict.direction, there.verdict.direction)
    assert (back.verdict.by, back.verdict.inferred) == (there.verdict.by, there.verdict.inferred)
    seen = [
        {
            MIRRORED_DIRECTION[witness.direction]: (witness.values, witness.after, witness.before)
            for witness in there.verdict.witnesses
        },
        {witness.direction: (witness.values, witness.before, witness.after) for witness in back.verdict.witnesses},
    ]
    assert seen[0] == seen[1]
    mirrored = {
        (change.part, MIRRORED_KIND.get(change.kind, change.kind), change.iri, change.after, change.before)
        for change in there.changes
        if change.part == "Criteria"
    }
    assert mirrored == {
        (change.part, change.kind, change.iri, change.before, change.after)
        for change in back.changes
        if change.part == "Criteria"
    }


def test_backwards_a_widened_condition_is_narrowed() -> None:
    narrowed = the(difference("2026-02", "2019-10"), Kind.NARROWED, "cond:disease-is-relapsed")
    widened = the(difference("2019-10", "2026-02"), Kind.WIDENED, "cond:disease-relapsed-refractory-or-progressing")
    assert (narrowed.before, narrowed.after) == (widened.after, widened.before)


def outcome_under(side: Revision, values: Mapping[str, Value]) -> Outcome:
    return outcome_of(evaluate(side.applicability_tree, values), evaluate(side.criteria_tree, values), False)


def assert_minimal(verdict: Verdict, old: Revision, new: Revision) -> None:
    """Of each witness the outcomes are as it says, and no longer both so when any of its values is left open."""
    conditions = {*old.deciding_conditions, *new.deciding_conditions}
    for witness in verdict.witnesses:
        values = dict.fromkeys(conditions, Value.UNKNOWN) | dict(witness.values)
        outcomes = witness.before, witness.after
        assert (outcome_under(old, values), outcome_under(new, values)) == outcomes
        for iri in witness.values:
            open_ = values | {iri: Value.UNKNOWN}
            assert (outcome_under(old, open_), outcome_under(new, open_)) != outcomes


@pytest.mark.parametrize(("old", "new"), list(permutations(ON_FILE, 2)))
def test_every_value_that_a_witness_states_is_needed(old: str, new: str) -> None:
    diff = difference(old, new)
    assert_minimal(diff.verdict, diff.old, diff.new)


# ---------------------------------------------------------------------- verdicts of made-up revisions

NAMES = ("a", "b", "c", "d")
Part = Tree | str
# Pairs of conditions of which the first entails the second, and of which one excludes the other.
Links = tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]
NO_LINKS: Links = (frozenset(), frozenset())


@dataclass(frozen=True)
class Made:
    """A revision of nothing but trees: it applies when the first holds, its criteria are met when the second does."""

    applies: Part
    indication: Part
    exclusion: Part | None = None


def written(part: Part) -> str:
    if isinstance(part, str):
        return f"cond:{part}"
    return f"[ pol:{part.operator} ( {' '.join(map(written, part.parts))} ) ]"


PREFIXES = f"PREFIX pol: <{BASE}policy#> PREFIX cond: <{COND}> PREFIX : <{BASE}made/> "


def graph(text: str) -> Graph:
    return graph_of(parse((PREFIXES + text).encode(), RdfFormat.TURTLE, "made"))


def revision_of(made: Made, name: str, basis: str = "DocumentOnFile") -> Revision:
    text = f"""
        :{name} pol:appliesWhen :scope ; pol:indication :indication .
        :scope pol:allOf ( {written(made.applies)} ) .
        :indication pol:allOf ( {written(made.indication)} ) ."""
    if made.exclusion is not None:
        text += f":{name} pol:exclusion :exclusion . :exclusion pol:allOf ( {written(made.exclusion)} ) ."
    entry = RevisionEntry(f"{BASE}made/{name}", name, name, date(2020, 1, 1), None, {"Criteria": basis})
    return Revision(Policy(VOCABULARY, ROOT), entry, graph(text))


def ties_of(links: Links) -> set[Tie]:
    """The ties that the links come to, those by way of other conditions too, as the derivation gives them."""
    names = (*NAMES, "e")
    reached = {(name, name) for name in names} | set(links[0])
    for middle, one, two in product(names, repeat=3):
        if {(one, middle), (middle, two)} <= reached:
            reached.add((one, two))
    ties = {Tie(COND + one, HOLDS, COND + two, HOLDS) for one, two in reached}
    return ties | {
        Tie(COND + first, HOLDS, COND + second, FAILS)
        for one, two in links[1]
        for first, second in product(names, repeat=2)
        if {(first, one), (second, two)} <= reached
    }


def verdict_between(old: Revision, new: Revision, links: Links = NO_LINKS) -> Verdict:
    """The verdict where a case can be made of every witness."""
    return verdict_of(old, new, ties_of(links), lambda witness: True)


def judged(old: Made, new: Made, links: Links = NO_LINKS) -> Verdict:
    return verdict_between(revision_of(old, "old"), revision_of(new, "new"), links)


def all_of(*parts: Part) -> Tree:
    return Tree("allOf", parts)


def any_of(*parts: Part) -> Tree:
    return Tree("anyOf", parts)


def none_of(*parts: Part) -> Tree:
    return Tree("noneOf", parts)


HOLDS, FAILS = Value.HOLDS, Value.FAILS
MET, NOT_MET, NOT_APPLICABLE = Outcome.MET, Outcome.NOT_MET, Outcome.NOT_APPLICABLE
VERDICTS: dict[str, tuple[Made, Made, str, list[tuple[dict[str, Value], Outcome, Outcome]]]] = {
    "one_more_thing_required_is_stricter": (
        Made("a", "b"),
        Made("a", all_of("b", "c")),
        "stricter, by criteria alone",
        [({"a": HOLDS, "b": HOLDS, "c": FAILS}, MET, NOT_MET)],
    ),
    "an_exclusion_is_stricter": (
        Made("a", "b"),
        Made("a", "b", "c"),
        "stricter, by criteria alone",
        [({"a": HOLDS, "b": HOLDS, "c": HOLDS}, MET, NOT_MET)],
    ),
    "a_carve_out_is_stricter_by_applicability_alone": (
        Made("a", "b"),
        Made(all_of("a", "c"), "b"),
        "stricter, by applicability alone",
        [({"a": HOLDS, "b": HOLDS, "c": FAILS}, MET, NOT_APPLICABLE)],
    ),
    "an_alternative_is_looser": (
        Made("a", "b"),
        Made("a", any_of("b", "c")),
        "looser, by criteria alone",
        [({"a": HOLDS, "b": FAILS, "c": HOLDS}, NOT_MET, MET)],
    ),
    "one_thing_required_in_place_of_another_is_mixed": (
        Made("a", "b"),
        Made("a", "c"),
        "mixed, by criteria alone",
        [({"a": HOLDS, "b": HOLDS, "c": FAILS}, MET, NOT_MET), ({"a": HOLDS, "b": FAILS, "c": HOLDS}, NOT_MET, MET)],
    ),
    "a_carve_out_and_an_alternative_are_mixed_by_both": (
        Made("a", "b"),
        Made(all_of("a", "d"), any_of("b", "c")),
        "mixed, by applicability and criteria",
        [
            ({"a": HOLDS, "b": HOLDS, "d": FAILS}, MET, NOT_APPLICABLE),
            ({"a": HOLDS, "b": FAILS, "c": HOLDS, "d": HOLDS}, NOT_MET, MET),
        ],
    ),
    "what_was_an_exclusion_and_is_out_of_scope_is_rescoped": (
        Made("a", all_of("b", none_of("c"))),
        Made(all_of("a", none_of("c")), "b"),
        "rescoped, by applicability alone",
        [({"a": HOLDS, "c": HOLDS}, NOT_MET, NOT_APPLICABLE)],
    ),
    "the_same_said_otherwise_is_equivalent": (
        Made("a", none_of("b", "c")),
        Made("a", all_of(none_of("b"), none_of("c"))),
        "equivalent",
        [],
    ),
    "criteria_that_differ_only_where_neither_applies_are_equivalent": (
        Made("a", "b"),
        Made("a", any_of("b", none_of("a"))),
        "equivalent",
        [],
    ),
    "criteria_that_differ_only_where_neither_applies_are_not_named": (
        Made("a", "b"),
        Made(all_of("a", "c"), any_of("b", none_of("a"))),
        "stricter, by applicability alone",
        [({"a": HOLDS, "b": HOLDS, "c": FAILS}, MET, NOT_APPLICABLE)],
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_a_small_change_has_the_verdict_that_one_sees(name: str) -> None:
    old, new, words, witnesses = VERDICTS[name]
    found = judged(old, new)
    assert found.words == words
    assert [(valued(witness.values), witness.before, witness.after) for witness in found.witnesses] == witnesses


def linked(entails: Iterable[tuple[str, str]] = (), excludes: Iterable[tuple[str, str]] = ()) -> Links:
    return frozenset(entails), frozenset(excludes)


def test_an_assignment_that_an_entailment_forbids_is_no_witness() -> None:
    old, new = Made("a", "b"), Made("a", all_of("b", "c"))
    assert judged(old, new, linked(entails=[("b", "c")])).words == "equivalent"
    assert judged(old, new, linked(entails=[("b", "d"), ("d", "c")])).words == "equivalent"
    assert judged(old, new, linked(entails=[("c", "b")])).words == "stricter, by criteria alone"


def test_an_assignment_that_an_exclusion_forbids_is_no_witness() -> None:
    old, new = Made("a", "b"), Made("a", "b", "c")
    assert judged(old, new, linked(excludes=[("b", "c")])).words == "equivalent"
    assert judged(old, new, linked(excludes=[("c", "b")])).words == "equivalent"
    assert judged(old, new, linked(entails=[("c", "d")], excludes=[("d", "b")])).words == "equivalent"
    assert judged(old, new, linked(entails=[("d", "c")], excludes=[("d", "b")])).words == "stricter, by criteria alone"


def test_a_verdict_says_that_a_side_is_inferred() -> None:
    old = revision_of(Made("a", "b"), "old", basis="InferredFromLog")
    new = revision_of(Made("a", all_of("b", "c")), "new")
    assert verdict_between(old, new).words == "stricter, by criteria alone, by inference"
    assert verdict_between(new, old).words == "looser, by criteria alone, by inference"


UNCONFIRMED: dict[str, tuple[Made, Made, set[Direction], str, list[Direction]]] = {
    "the_only_direction": (
        Made("a", "b"),
        Made("a", all_of("b", "c")),
        {Direction.STRICTER},
        "stricter unconfirmed",
        [Direction.STRICTER],
    ),
    "one_of_two_directions": (
        Made("a", "b"),
        Made("a", "c"),
        {Direction.LOOSER},
        "stricter, by criteria alone, looser unconfirmed",
        [Direction.LOOSER],
    ),
    "both_directions": (
        Made("a", "b"),
        Made("a", "c"),
        {Direction.STRICTER, Direction.LOOSER},
        "stricter unconfirmed, looser unconfirmed",
        [Direction.STRICTER, Direction.LOOSER],
    ),
    "what_is_stricter_where_something_is_rescoped_too": (
        Made("a", all_of("b", none_of("c"))),
        Made(all_of("a", none_of("c")), all_of("b", "d")),
        {Direction.STRICTER},
        "rescoped, by applicability alone, stricter unconfirmed",
        [Direction.STRICTER],
    ),
}


@pytest.mark.parametrize("name", UNCONFIRMED)
def test_a_direction_of_which_no_case_can_be_made_is_named_and_decides_nothing(name: str) -> None:
    old, new, impossible, words, open_ = UNCONFIRMED[name]
    found = verdict_of(
        revision_of(old, "old"), revision_of(new, "new"), (), lambda witness: witness.direction not in impossible
    )
    assert found.words == words
    assert list(found.unconfirmed) == open_
    assert not impossible & {witness.direction for witness in found.witnesses}
    assert found.differs == bool(found.witnesses)


def test_where_no_case_can_be_made_of_the_smallest_witness_the_next_one_is_tried() -> None:
    old, new = Made("a", "b"), Made("a", all_of("b", "c", "d"))
    tried = []

    def bears_out(witness: Witness) -> bool:
        tried.append(valued(witness.values))
        return witness.values.get(COND + "d") is not FAILS

    found = verdict_of(revision_of(old, "old"), revision_of(new, "new"), (), bears_out)
    assert (found.words, found.unconfirmed) == ("stricter, by criteria alone", ())
    assert tried == [{"a": HOLDS, "b": HOLDS, "d": FAILS}, {"a": HOLDS, "b": HOLDS, "c": FAILS}]


TREES: st.SearchStrategy[Part] = st.recursive(
    st.sampled_from(NAMES),
    lambda parts: st.builds(
        Tree, st.sampled_from(("allOf", "anyOf", "noneOf")), st.lists(parts, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=5,
)
MADE = st.builds(Made, TREES, TREES, st.none() | TREES)
PAIRS = st.sampled_from([(one, two) for one, two in product((*NAMES, "e"), repeat=2) if one != two])
LINKS = st.tuples(st.frozensets(PAIRS, max_size=3), st.frozensets(PAIRS, max_size=2))


def true_of(part: Part, holding: frozenset[str]) -> bool:
    if isinstance(part, str):
        return part in holding
    parts = [true_of(child, holding) for child in part.parts]
    return {"allOf": all(parts), "anyOf": any(parts), "noneOf": not any(parts)}[part.operator]


def plainly(made: Made, holding: frozenset[str]) -> tuple[bool, bool]:
    """Whether it applies, and whether its criteria hold."""
    excluded = made.exclusion is not None and true_of(made.exclusion, holding)
    return true_of(made.applies, holding), true_of(made.indication, holding) and not excluded


def allowed_by(links: Links) -> list[frozenset[str]]:
    """The sets of conditions, "e" included, that can hold together and without the others."""
    every = [frozenset(combination) for length in range(6) for combination in combinations((*NAMES, "e"), length)]
    return [
        holding
        for holding in every
        if all(two in holding for one, two in links[0] if one in holding)
        and not any(one in holding and two in holding for one, two in links[1])
    ]


def by_brute_force(old: Made, new: Made, links: Links) -> tuple[Direction, set[str]]:
    lost = gained = exchanged = False
    causes: dict[str, set[str]] = {"met": set(), "scope": set()}
    for holding in allowed_by(links):
        (applied, fulfilled), (applies, fulfils) = plainly(old, holding), plainly(new, holding)
        was, is_ = applied and fulfilled, applies and fulfils
        lost, gained, exchanged = lost or was > is_, gained or is_ > was, exchanged or applied != applies
        differing = {"applicability": applied != applies, "criteria": fulfilled != fulfils}
        if was != is_:
            causes["met"] |= {name for name, differs in differing.items() if differs}
        elif applied != applies:
            causes["scope"].add("applicability")
    if lost or gained:
        return Direction.MIXED if lost and gained else Direction.STRICTER if lost else Direction.LOOSER, causes["met"]
    return Direction.RESCOPED if exchanged else Direction.EQUIVALENT, causes["scope"]


def test_the_verdict_is_that_of_every_assignment_taken_one_by_one() -> None:
    seen: list[Direction] = []

    @given(MADE, MADE, LINKS)
    @examples(300)
    def judge(old: Made, new: Made, links: Links) -> None:
        before, after = revision_of(old, "old"), revision_of(new, "new")
        found, back = verdict_between(before, after, links), verdict_between(after, before, links)
        direction, causes = by_brute_force(old, new, links)
        assert (found.direction, set(re.findall("applicability|criteria", found.by))) == (direction, causes)
        assert back.direction is MIRRORED_DIRECTION.get(direction, direction)
        assert_minimal(found, before, after)
        for witness in found.witnesses:
            stated = valued(witness.values)
            # Some assignment that the links allow is as the witness says.
            assert any(
                all((name in holding) == (value is HOLDS) for name, value in stated.items())
                for holding in allowed_by(links)
            )
        expected = {
            Direction.STRICTER: [Direction.STRICTER],
            Direction.LOOSER: [Direction.LOOSER],
            Direction.MIXED: [Direction.STRICTER, Direction.LOOSER],
            Direction.RESCOPED: [Direction.RESCOPED],
            Direction.EQUIVALENT: [],
        }
        assert [witness.direction for witness in found.witnesses] == expected[direction]
        seen.append(direction)

    judge()
    # All five were met with, and none but the trivial one often enough to hide the others.
    met = [member for member in Direction if member is not Direction.UNCONFIRMED]
    assert {member: seen.count(member) > 5 for member in met} == dict.fromkeys(met, True)


def statements_of(change: Change) -> tuple[list[str], list[str]]:
    return [iri.removeprefix(LOG) for iri in change.named], [iri.removeprefix(LOG) for iri in change.general]


def test_each_change_of_2026_02_is_reported_by_the_rows_that_can_have_brought_it() -> None:
    diff = difference("2019-10", "2026-02")
    # By 10/23 the content of I was as it is now, so that no later row can tell of its change.
    general = ["2023-02-1", "2023-08-2"]
    assert [
        (change.kind, short(change.iri), statements_of(change))
        for change in diff.changes
        if change.part in DOCUMENT_PARTS
    ] == [
        (Kind.ADDED, "criterion/plan", (["2023-11-1", "2023-11-2"], [])),
        (Kind.LOGIC, "criterion/indication", ([], general)),
        (Kind.ADDED, "criterion/chimerism-alone", ([], general)),
        (Kind.RENUMBERED, "criterion/other-indications", (["2023-11-2", "2025-02-3"], general)),
        (Kind.REWORDED, "criterion/other-indications", (["2023-11-2", "2025-02-3"], general)),
        (Kind.RENUMBERED, "criterion/manipulated-lymphocytes", ([], general)),
        (Kind.ADDED, "criterion/acute-gvhd", (["2023-10-3"], general)),
        # An addition, of contraindications, tells of nothing that has gone.
        (Kind.REMOVED, "criterion/relapsed-malignancy", ([], ["2023-08-2"])),
        (Kind.REMOVED, "criterion/chimerism-conversion", ([], ["2023-08-2"])),
        (Kind.REMOVED, "criterion/repeat-infusion", ([], ["2023-08-2"])),
        (Kind.UPDATED, "pol:NotSupportedByCurrentEvidence", ([], general)),
    ]
    assert diff.unexplained == ()


def test_backwards_what_a_row_added_is_what_has_gone() -> None:
    diff = difference("2026-02", "2019-10")
    assert statements_of(the(diff, Kind.REMOVED, "criterion/plan")) == (["2023-11-1", "2023-11-2"], [])
    assert statements_of(the(diff, Kind.REMOVED, "criterion/acute-gvhd")) == (["2023-10-3"], ["2023-02-1", "2023-08-2"])
    assert statements_of(the(diff, Kind.ADDED, "criterion/repeat-infusion")) == ([], ["2023-08-2"])
    assert diff.unexplained == ()


def findings(diff: Diff) -> dict[str, tuple[LogVerdict, str]]:
    return {entry.statement.removeprefix(LOG): (entry.finding, entry.why) for entry in diff.log}


def test_each_log_statement_from_2019_10_to_2026_02_is_found_or_cannot_be_checked() -> None:
    plan = "Medicare note, the plan is not a Medicare plan: added"
    other = "any other indication: renumbered; II, any other indication: reworded"
    text = (LogVerdict.NOT_CHECKABLE, "definitions and evidence of 2019-10: not on file")
    works = (LogVerdict.NOT_CHECKABLE, "references of 2019-10: not on file")
    assert findings(difference("2019-10", "2026-02")) == {
        "2022-10-2": text,
        "2022-10-3": (LogVerdict.NOT_CHECKABLE, "codes of 2019-10: not on file"),
        "2022-10-4": works,
        "2023-02-1": (
            LogVerdict.EXPLAINS,
            "names no change in particular; 7 changes of the criteria and disposition found",
        ),
        "2023-08-1": text,
        "2023-08-2": (
            LogVerdict.EXPLAINS,
            "names no change in particular; 10 changes of the criteria and disposition found",
        ),
        "2023-10-2": text,
        "2023-10-3": (LogVerdict.EXPLAINS, "II.B, acute GvHD of grade 2 or higher: added"),
        "2023-10-4": text,
        "2023-10-5": works,
        "2023-11-1": (LogVerdict.EXPLAINS, plan),
        "2023-11-2": (LogVerdict.EXPLAINS, f"{plan}; {other}"),
        "2024-04-2": text,
        "2024-04-3": text,
        "2024-04-4": works,
        "2025-02-2": (LogVerdict.NOT_CHECKABLE, "what it rewords also changed in content"),
        "2025-02-3": (LogVerdict.EXPLAINS, other),
        "2025-02-4": works,
        "2026-02-3": works,
    }


def test_a_row_that_the_inference_rests_on_cannot_be_checked_by_it() -> None:
    inferred = (LogVerdict.NOT_CHECKABLE, "criteria of 2023-10: inferred from the log")
    assert findings(difference("2023-10", "2023-11")) == {"2023-11-1": inferred, "2023-11-2": inferred}
    assert findings(difference("2025-02", "2026-02")) == {
        "2026-02-3": (LogVerdict.NOT_CHECKABLE, "references of 2025-02: not on file")
    }


@pytest.mark.parametrize(("old", "new"), list(permutations(ON_FILE, 2)))
def test_a_part_that_a_side_does_not_have_on_file_is_never_said_to_differ(old: str, new: str) -> None:
    diff = difference(old, new)
    lacking = {"Definitions", "Codes", "References", "Evidence", "Advisories"}
    if {old, new} != {"2019-10", "2026-02"}:
        lacking.add("DispositionPart")
    assert {part for part, _ in diff.unknown} == lacking
    assert {change.part for change in diff.changes} & lacking == set()


Make = Callable[..., Repository]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """Makes a knowledge base with a revision 2027-02 that is as 2026-02, but for the edits and the row of the log."""
    return lambda edits=None, *statements: copied(tmp_path / "kb", edits or {}, *statements)


@dataclass(frozen=True)
class Hand:
    """A change made by hand: what it must be reported as, and a statement of the log that would tell of it."""

    edits: Edits
    part: str
    kind: Kind
    name: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None
    telling: LogStatement


KHAN = (
    "number: 20",
    "authors as printed: Khan F, Agarwal A, Agrawal S",
    "title: Significance of chimerism in hematopoietic stem cell transplantation: new variations on an old theme",
)
BY_HAND = {
    "a_reference_removed": Hand(
        {"references.ttl": ("        ref:khan-2004 ,\n", "")},
        "References",
        Kind.REMOVED,
        "reference/khan-2004",
        None,
        (),
        LogStatement("pol:Reviewed , pol:Updated", "pol:References"),
    ),
    "a_reference_renumbered": Hand(
        {"references.ttl": ("pol:number 29 ;", "pol:number 30 ;")},
        "References",
        Kind.RENUMBERED,
        "reference/toprak-2018",
        ("29",),
        ("30",),
        LogStatement("pol:Updated", "pol:References"),
    ),
    "a_reference_in_a_new_version": Hand(
        {"references.ttl": ('"2.2025" ;', '"1.2027" ;')},
        "References",
        Kind.UPDATED,
        "reference/nccn-all",
        ("2.2025",),
        ("1.2027",),
        LogStatement("pol:Updated", "ref:nccn-all"),
    ),
    "pages_of_a_reference_corrected": Hand(
        {"references.ttl": ('bibo:pageEnd "22" ;', 'bibo:pageEnd "222" ;')},
        "References",
        Kind.UPDATED,
        "reference/frey-2008",
        ("22",),
        ("222",),
        LogStatement("pol:Updated", "pol:References"),
    ),
    "a_code_added": Hand(
        {
            "codes.ttl": (
                "        hcpcs:S2150 .\n",
                "        hcpcs:S2150 , cpt:38243 .\n"
                'cpt:38243 a pol:Code ; skos:notation "38243" ; pol:gloss "Ours."@en .\n',
            )
        },
        "Codes",
        Kind.ADDED,
        "cpt:38243",
        (),
        ("gloss: Ours.", "notation: 38243"),
        LogStatement("pol:Added", "pol:Codes"),
    ),
    "a_definition_from_90_to_95": Hand(
        {"definitions.ttl": ("pol:lessThan 90 ;", "pol:lessThan 95 ;")},
        "Definitions",
        Kind.UPDATED,
        "definition/mixed-chimerism",
        ("90",),
        ("95",),
        LogStatement("pol:Updated", "pol:Background"),
    ),
    "a_figure_of_the_evidence_changed": Hand(
        {"evidence.ttl": ("pol:count 42 ;", "pol:count 43 ;")},
        "Evidence",
        Kind.UPDATED,
        "evidence/collins-acute-gvhd",
        ("42",),
        ("43",),
        LogStatement("pol:Updated", "pol:Background", no_impact=True),
    ),
    "a_threshold_swapped": Hand(
        THRESHOLD,
        "Criteria",
        Kind.LOGIC,
        "criterion/acute-gvhd",
        None,
        None,
        LogStatement("pol:Updated", "crit:acute-gvhd"),
    ),
    "a_label_reworded": Hand(
        {
            "criteria.ttl": (
                'rdfs:label "acute GvHD of grade 2 or higher"@en',
                'rdfs:label "acute GvHD from grade 2"@en',
            )
        },
        "Criteria",
        Kind.REWORDED,
        "criterion/acute-gvhd",
        ("acute GvHD of grade 2 or higher",),
        ("acute GvHD from grade 2",),
        LogStatement("pol:Reworded", "crit:acute-gvhd", no_impact=True),
    ),
    "parts_in_another_order": Hand(
        {
            "criteria.ttl": (
                "cond:lymphocytes-genetically-modified\n        cond:lymphocytes-manipulated-ex-vivo )",
                "cond:lymphocytes-manipulated-ex-vivo\n        cond:lymphocytes-genetically-modified )",
            )
        },
        "Criteria",
        Kind.REWORDED,
        "criterion/manipulated-lymphocytes",
        ("any of", "  the lymphocytes are genetically modified", "  the lymphocytes are manipulated ex vivo"),
        ("any of", "  the lymphocytes are manipulated ex vivo", "  the lymphocytes are genetically modified"),
        LogStatement("pol:Reworded", "pol:Criteria", no_impact=True),
    ),
    "a_referral_to_another_policy": Hand(
        {"criteria.ttl": ("policykb/MC.CP.MP.101>", "policykb/MC.CP.MP.999>")},
        "Criteria",
        Kind.UPDATED,
        "criterion/plan",
        ("otherwise see MC.CP.MP.101",),
        ("otherwise see MC.CP.MP.999",),
        LogStatement("pol:Updated", "crit:plan"),
    ),
    "a_criterion_that_cites_another_work": Hand(
        {"criteria.ttl": ("cito:citesAsEvidence ref:kolb-2004 ;", "cito:citesAsEvidence ref:kolb-1990 ;")},
        "Criteria",
        Kind.UPDATED,
        "criterion/manipulated-lymphocytes",
        ("cites kolb-2004",),
        ("cites kolb-1990",),
        LogStatement("pol:Updated", "pol:Criteria"),
    ),
    "an_exclusion_made_a_limitation": Hand(
        {
            "criteria.ttl": (
                "    pol:exclusion crit:manipulated-lymphocytes , crit:acute-gvhd .",
                "    pol:exclusion crit:manipulated-lymphocytes ; pol:limitation crit:acute-gvhd .",
            )
        },
        "Criteria",
        Kind.LOGIC,
        "criterion/acute-gvhd",
        None,
        None,
        LogStatement("pol:Updated", "pol:Criteria"),
    ),
    "a_criterion_removed": Hand(
        {
            "criteria.ttl": (
                "pol:exclusion crit:manipulated-lymphocytes , crit:acute-gvhd .",
                "pol:exclusion crit:manipulated-lymphocytes .",
            )
        },
        "Criteria",
        Kind.REMOVED,
        "criterion/acute-gvhd",
        None,
        (),
        LogStatement("pol:Removed", "crit:acute-gvhd"),
    ),
    "another_disposition": Hand(
        {"revision.ttl": ("pol:NotSupportedByCurrentEvidence", "pol:ExperimentalOrInvestigational")},
        "DispositionPart",
        Kind.UPDATED,
        "pol:ExperimentalOrInvestigational",
        ("current evidence does not support the use",),
        ("experimental or investigational",),
        LogStatement("pol:Updated", "pol:DispositionPart"),
    ),
}


def test_a_copied_revision_differs_in_nothing(made: Make) -> None:
    diff = against_2026_02(made())
    assert (diff.changes, diff.unknown, diff.log, diff.verdict.words) == ((), (), (), "equivalent")
    assert not diff.differ


@pytest.mark.parametrize("name", BY_HAND)
def test_a_change_that_the_log_does_not_mention_is_unexplained(made: Make, name: str) -> None:
    hand = BY_HAND[name]
    diff = against_2026_02(made(hand.edits))
    (change,) = diff.unexplained
    assert (change.part, change.kind, short(change.iri)) == (hand.part, hand.kind, hand.name)
    assert hand.before in (None, change.before) and hand.after in (None, change.after)
    assert {other.part for other in diff.changes if other is not change} <= {"Conditions"}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_same_change_is_explained_by_a_row_that_tells_of_it(made: Make, name: str) -> None:
    hand = BY_HAND[name]
    diff = against_2026_02(made(hand.edits, REVIEW, hand.telling))
    assert diff.unexplained == ()
    assert findings(diff).keys() == {"2027-02-2"}
    assert findings(diff)["2027-02-2"][0] is LogVerdict.EXPLAINS


def test_what_was_removed_is_shown_as_it_was(made: Make) -> None:
    change = the(against_2026_02(made(BY_HAND["a_reference_removed"].edits)), Kind.REMOVED, "reference/khan-2004")
    assert change.before[:3] == KHAN
    assert change.label == KHAN[2].removeprefix("title: ")


def test_a_swapped_threshold_is_narrower_and_the_verdict_looser(made: Make) -> None:
    diff = against_2026_02(made(THRESHOLD))
    logic = the(diff, Kind.LOGIC, "criterion/acute-gvhd")
    assert [line for line in logic.before if line not in logic.after] == ["  acute GvHD of grade 2 or higher"]
    assert [line for line in logic.after if line not in logic.before] == ["  acute GvHD of grade 3 or higher"]
    assert listed(diff, "Conditions") == [(Kind.NARROWED, "cond:acute-gvhd-of-grade-3-or-higher")]
    assert diff.verdict.words == "looser, by criteria alone"
    (witness,) = diff.verdict.witnesses
    assert {name: value for name, value in valued(witness.values).items() if "gvhd" in name} == {
        "acute-gvhd-of-grade-2-or-higher": HOLDS,
        "acute-gvhd-of-grade-3-or-higher": FAILS,
    }


def test_a_changed_role_is_said_above_what_stayed_the_same(made: Make) -> None:
    diff = against_2026_02(made(BY_HAND["an_exclusion_made_a_limitation"].edits))
    logic = the(diff, Kind.LOGIC, "criterion/acute-gvhd")
    assert (logic.before[0], logic.after[0]) == ("as exclusion:", "as limitation:")
    assert logic.before[1:] == logic.after[1:]
    assert diff.verdict.words == "equivalent"


def test_a_part_that_the_document_numbers_is_seen_as_renumbered_and_reworded(made: Make) -> None:
    root = made().root
    for revision, notation, label in (("2026-02", "II.A.1", "modified"), ("2027-02", "II.A.2", "altered")):
        path = root / f"policies/CP.MP.101/{revision}/criteria.ttl"
        text = path.read_text(encoding="utf-8").replace(
            "        cond:lymphocytes-genetically-modified\n", "        crit:modified\n"
        )
        path.write_text(
            f'{text}\ncrit:modified a pol:Criterion ; skos:notation "{notation}" ; rdfs:label "{label}"@en ;'
            " pol:allOf ( cond:lymphocytes-genetically-modified ) .\n",
            encoding="utf-8",
        )
    diff = compare(Repository(root).policy(), "2026-02", "2027-02")
    assert [(change.kind, short(change.iri), change.before, change.after) for change in diff.changes] == [
        (Kind.RENUMBERED, "criterion/modified", ("II.A.1",), ("II.A.2",)),
        (Kind.REWORDED, "criterion/modified", ("modified",), ("altered",)),
    ]


def test_references_inserted_at_7_are_one_new_and_all_later_ones_renumbered(made: Make) -> None:
    root = made({"references.ttl": ("        ref:frey-2008 ,\n", "        ref:new ,\n        ref:frey-2008 ,\n")}).root
    path = root / "policies/CP.MP.101/2027-02/references.ttl"
    text = re.sub(
        r"pol:number (\d+)", lambda found: f"pol:number {int(found[1]) + (int(found[1]) >= 7)}", path.read_text("utf-8")
    )
    text += '\nref:new a pol:Reference ; pol:number 7 ; dcterms:title "A new one"@en ; pol:statedIn psg:reference-7 .\n'
    path.write_text(text, encoding="utf-8")
    changes = against_2026_02(Repository(root)).changes
    assert [(change.kind, change.before, change.after) for change in changes] == [
        *((Kind.RENUMBERED, (str(number),), (str(number + 1),)) for number in (7,)),
        (Kind.ADDED, (), ("number: 7", "title: A new one")),
        *((Kind.RENUMBERED, (str(number),), (str(number + 1),)) for number in range(8, 30)),
    ]


def test_a_changed_advisory_is_reported_and_no_row_is_expected_to_tell_of_it(made: Make) -> None:
    diff = against_2026_02(
        made(
            {
                "advisories.ttl": (
                    "pol:adviseWhen cond:lymphocyte-donor-differs ;",
                    "pol:adviseWhen cond:chronic-gvhd-is-present ;",
                )
            }
        )
    )
    (change,) = diff.changes
    assert (change.part, change.kind, short(change.iri)) == ("Advisories", Kind.UPDATED, "advisory/donor-differs")
    assert (change.before, change.after) == (
        ("the lymphocyte donor is not the transplant donor",),
        ("chronic GvHD is present",),
    )
    assert diff.unexplained == ()


NOT_FOUND = (LogVerdict.NOT_FOUND, "nothing that it reports differs")


def test_a_row_without_a_change_is_claimed_but_not_found(made: Make) -> None:
    kb = made(
        {},
        LogStatement("pol:Removed", "pol:Codes"),
        LogStatement("pol:Updated", "crit:acute-gvhd"),
        LogStatement("pol:Reviewed , pol:Updated", "pol:References"),
        LogStatement("pol:Reviewed", "pol:Codes"),
        LogStatement("pol:Reworded", "pol:Description", no_impact=True),
        LogStatement("pol:Updated", "pol:Reminder"),
    )
    assert findings(against_2026_02(kb)) == {
        "2027-02-1": NOT_FOUND,
        "2027-02-2": NOT_FOUND,
        "2027-02-3": NOT_FOUND,
        # A review claims no change; wording is not kept, and of the reminder nothing is.
        "2027-02-5": (LogVerdict.NOT_CHECKABLE, "nothing else differs, and the document's own wording is not kept"),
        "2027-02-6": (LogVerdict.NOT_CHECKABLE, "no revision on file holds what it affects"),
    }


def test_a_row_tells_only_of_what_it_names_and_of_that_kind(made: Make) -> None:
    codes = BY_HAND["a_code_added"].edits
    kb = made(
        codes,
        LogStatement("pol:Removed", "pol:Codes"),
        LogStatement("pol:Updated", "cpt:38242"),
        LogStatement("pol:Updated", "pol:References"),
    )
    diff = against_2026_02(kb)
    assert [short(change.iri) for change in diff.unexplained] == ["cpt:38243"]
    assert findings(diff) == {"2027-02-1": NOT_FOUND, "2027-02-2": NOT_FOUND, "2027-02-3": NOT_FOUND}


def test_a_rewording_does_not_explain_another_threshold(made: Make) -> None:
    diff = against_2026_02(made(THRESHOLD, LogStatement("pol:Reworded", "crit:acute-gvhd")))
    assert [(change.kind, short(change.iri)) for change in diff.unexplained] == [(Kind.LOGIC, "criterion/acute-gvhd")]


@pytest.mark.parametrize("affects", ["pol:Background", "crit:acute-gvhd", "pol:Reminder"])
def test_a_row_that_claims_no_impact_while_the_criteria_changed_is_contradicted(made: Make, affects: str) -> None:
    diff = against_2026_02(made(THRESHOLD, LogStatement("pol:Updated", affects, no_impact=True)))
    why = "the verdict is looser, by criteria alone, and no row reports a change of the criteria"
    assert findings(diff) == {"2027-02-1": (LogVerdict.CONTRADICTED, why)}
    assert [short(change.iri) for change in diff.unexplained] == ["criterion/acute-gvhd"]


def test_a_claim_of_no_impact_beside_a_statement_that_tells_of_the_change_is_not_contradicted(made: Make) -> None:
    kb = made(
        THRESHOLD,
        LogStatement("pol:Updated", "pol:Background", no_impact=True),
        LogStatement("pol:Updated", "crit:acute-gvhd"),
    )
    assert findings(against_2026_02(kb)) == {
        "2027-02-1": NOT_FOUND,
        "2027-02-2": (LogVerdict.EXPLAINS, "II.B, acute GvHD of grade 2 or higher: logic changed"),
    }


def test_a_claim_of_no_impact_is_believed_where_what_comes_to_what_is_the_same(made: Make) -> None:
    # The same exclusion, put into the remainder of the noneOf under which all of them stand.
    edits = {
        "criteria.ttl": (
            "pol:allOf ( cond:acute-gvhd-of-grade-2-or-higher )",
            "pol:anyOf ( cond:acute-gvhd-of-grade-2-or-higher )",
        )
    }
    diff = against_2026_02(made(edits, LogStatement("pol:Reworded , pol:Updated", "crit:acute-gvhd", no_impact=True)))
    assert (diff.verdict.words, listed(diff, "Criteria")) == ("equivalent", [(Kind.LOGIC, "criterion/acute-gvhd")])
    assert diff.unexplained == ()
    assert findings(diff) == {"2027-02-1": (LogVerdict.NOT_CHECKABLE, "what it rewords also changed in content")}


def test_over_several_rows_a_claim_of_no_impact_is_not_held_against_a_change_that_no_row_tells_of(made: Make) -> None:
    exclusions = "    pol:exclusion crit:manipulated-lymphocytes , crit:acute-gvhd"
    new = 'crit:new a pol:Exclusion ; skos:notation "II.C" ; pol:allOf ( cond:lymphocyte-donor-differs ) .\n'
    edits = {"criteria.ttl": (f"{exclusions} .\n", f"{exclusions} , crit:new .\n{new}")}
    kb = made(edits, LogStatement("pol:Updated", "crit:plan", no_impact=True))
    one, several = against_2026_02(kb), compare(kb.policy(), "2019-10", "2027-02", FAST)
    assert [change.kind for change in (*one.unexplained, *several.unexplained)] == [Kind.ADDED, Kind.ADDED]
    assert findings(one)["2027-02-1"][0] is LogVerdict.CONTRADICTED
    assert findings(several)["2027-02-1"] == (LogVerdict.NOT_CHECKABLE, "what it rewords also changed in content")


def test_a_part_not_on_file_in_the_new_revision_is_not_removed_by_it(made: Make) -> None:
    part = "            pol:part pol:Codes ;\n            pol:basis pol:"
    kb = made(
        {
            "revision.ttl": (f"{part}DocumentOnFile", f"{part}NotOnFile"),
            "codes.ttl": ("        cpt:38215 ,\n        cpt:38242 ,\n        cpt:86950 ,\n", ""),
        },
        LogStatement("pol:Removed", "pol:Codes"),
    )
    diff = against_2026_02(kb)
    assert (diff.changes, diff.unknown) == ((), (("Codes", "2027-02"), ("Advisories", "2027-02")))
    assert findings(diff) == {"2027-02-1": (LogVerdict.NOT_CHECKABLE, "codes of 2027-02: not on file")}


# ---------------------------------------------------------------------- criteria within criteria


@pytest.fixture
def nested(tmp_path: Path) -> Callable[..., Diff]:
    """Compares 2019-10, whose criterion I holds I.A and I.B, with a revision 2027-02 that is as it, but for edits."""

    def compared(*edits: tuple[str, str], statement: LogStatement = REVIEW) -> Diff:
        root = tmp_path / "kb"
        for folder in ("ontology", "shapes", "policies"):
            shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("seal.*", "cases"))
        policy = root / "policies/CP.MP.101"
        (policy / "2027-02").mkdir()
        for path in (policy / "2019-10").glob("*.ttl"):
            text = path.read_text(encoding="utf-8").replace("CP.MP.101/2019-10", "CP.MP.101/2027-02")
            text = text.replace('"2019-10"^^xsd:gYearMonth', '"2027-02"^^xsd:gYearMonth')
            for old, new in edits if path.name == "criteria.ttl" else ():
                assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
                text = text.replace(old, new)
            (policy / "2027-02" / path.name).write_text(text, encoding="utf-8")
        with (policy / "revision-log.ttl").open("a", encoding="utf-8") as log:
            log.write(_row([statement]))
        return compare(Repository(root).policy(), "2019-10", "2027-02", FAST)

    return compared


RELAPSED, CONVERSION = "criterion/relapsed-malignancy", "criterion/chimerism-conversion"
REFRACTORY_TOO = (
    "        cond:disease-is-relapsed ) ;",
    "        cond:disease-relapsed-refractory-or-progressing ) ;",
)
WITHIN = f"{BASE}CP.MP.101/criterion/indication"


def test_a_criterion_within_another_that_decides_otherwise_is_reported_as_itself(nested: Callable[..., Diff]) -> None:
    diff = nested(REFRACTORY_TOO)
    assert listed(diff, "Criteria") == [(Kind.LOGIC, RELAPSED)]
    change = the(diff, Kind.LOGIC, RELAPSED)
    assert (change.label, change.within) == ("I.A, relapsed hematologic malignancy", (WITHIN,))
    assert change.before[-2:] == ("  the disease treated is a hematologic malignancy", "  the disease is relapsed")
    assert change.after[-1] == "  the disease is relapsed, refractory or progressing"
    assert diff.verdict.words == "looser, by criteria alone"
    assert listed(diff, "Conditions") == [(Kind.WIDENED, "cond:disease-relapsed-refractory-or-progressing")]


def test_a_flip_is_attributed_to_the_criterion_within_another_that_changed(nested: Callable[..., Diff]) -> None:
    diff = nested(REFRACTORY_TOO)
    flip = flip_of(diff, diff.borne_out[Direction.LOOSER])
    assert flip.criteria == ("I.A of 2019-10, relapsed hematologic malignancy: fails",)
    assert flip.conditions == ("the disease is relapsed: fails",)


def test_a_criterion_within_another_that_is_reworded_is_reported_as_itself(nested: Callable[..., Diff]) -> None:
    diff = nested(('rdfs:label "relapsed hematologic malignancy"@en', 'rdfs:label "relapse of a malignancy"@en'))
    assert listed(diff, "Criteria") == [(Kind.REWORDED, RELAPSED)]
    change = the(diff, Kind.REWORDED, RELAPSED)
    assert (change.before, change.after) == (("relapsed hematologic malignancy",), ("relapse of a malignancy",))


def test_a_criterion_within_another_that_is_renumbered_is_reported_as_itself(nested: Callable[..., Diff]) -> None:
    diff = nested(('skos:notation "I.B" ;', 'skos:notation "I.C" ;'))
    assert listed(diff, "Criteria") == [(Kind.RENUMBERED, CONVERSION)]
    assert the(diff, Kind.RENUMBERED, CONVERSION).after == ("I.C",)


def test_the_order_of_criteria_within_another_is_its_own_wording(nested: Callable[..., Diff]) -> None:
    order = "            crit:relapsed-malignancy\n            crit:chimerism-conversion )"
    diff = nested((order, "            crit:chimerism-conversion\n            crit:relapsed-malignancy )"))
    assert listed(diff, "Criteria") == [(Kind.REWORDED, "criterion/indication")]
    assert the(diff, Kind.REWORDED, "criterion/indication").after[2:] == (
        "  any of",
        "    I.B, mixed to full donor chimerism",
        "    I.A, relapsed hematologic malignancy",
    )


def test_a_criterion_that_moves_from_one_to_another_is_reported_as_moved(nested: Callable[..., Diff]) -> None:
    diff = nested(
        ("            crit:relapsed-malignancy\n            crit:chimerism-conversion )", "crit:relapsed-malignancy )"),
        (
            "        cond:earlier-dli-was-given\n",
            "        cond:earlier-dli-was-given\n        [ pol:noneOf ( crit:chimerism-conversion ) ]\n",
        ),
    )
    assert listed(diff, "Criteria") == [
        (Kind.LOGIC, "criterion/indication"),
        (Kind.LOGIC, "criterion/repeat-infusion"),
        (Kind.MOVED, CONVERSION),
    ]
    moved = the(diff, Kind.MOVED, CONVERSION)
    assert (moved.before, moved.after) == (
        ("within I, after an allogeneic transplant, for relapse or for full donor chimerism",),
        ("within II.C, repeat infusion without documented benefit of the earlier one",),
    )


def test_what_the_log_says_of_a_criterion_tells_of_those_within_it(nested: Callable[..., Diff]) -> None:
    diff = nested(REFRACTORY_TOO, statement=LogStatement("pol:Updated", "crit:indication"))
    assert the(diff, Kind.LOGIC, RELAPSED).named == (f"{LOG}2027-02-1",)
    assert findings(diff)["2027-02-1"] == (LogVerdict.EXPLAINS, "I.A, relapsed hematologic malignancy: logic changed")


# ---------------------------------------------------------------------- drafts

TO_DO = {"revision.ttl": ("    a pol:Revision ;", '    a pol:Revision ; pol:toDo "Read it."@en ;')}
DRAFT = "2027-02 is a draft: it is not released, and in force on no date."


def test_a_draft_is_compared_and_named_as_one_in_every_format(made: Make, run_kb: RunKb) -> None:
    import json

    root = made({**THRESHOLD, **TO_DO}).root
    arguments = ("diff", "2026-02", "2027-02", "--kb", str(root), "--engine", FAST, "--format")
    for format_ in ("text", "markdown", "html"):
        found = run_kb(*arguments, format_)
        assert (found.returncode, found.stderr) == (1, "")
        assert "CP.MP.101: revision 2026-02 compared with 2027-02 (draft)" in found.stdout
        assert DRAFT in found.stdout
        assert "Criteria of 2027-02: those of a draft." in found.stdout
    found = run_kb(*arguments, "json")
    assert (found.returncode, found.stderr) == (1, "")
    content = json.loads(found.stdout)
    assert (content["drafts"], content["verdict"]["direction"]) == (["2027-02"], "looser")
    assert set(content["basis"]["2027-02"].values()) == {"NotOnFile"}
    assert set(content["basis"]["2026-02"].values()) == {"DocumentOnFile"}


def test_a_draft_can_be_the_older_side_and_what_it_asks_for_is_no_change(made: Make) -> None:
    kb = made(TO_DO)
    diff = compare(kb.policy(), "2027-02", "2026-02", FAST)
    assert [side.entry.name for side in diff.drafts] == ["2027-02"]
    assert (diff.changes, diff.verdict.words) == ((), "equivalent")


def test_a_draft_without_an_indication_is_refused_in_one_line(made: Make, run_kb: RunKb) -> None:
    root = made({**TO_DO, "criteria.ttl": ("    pol:indication crit:indication ;\n", "")}).root
    found = run_kb("diff", "2026-02", "2027-02", "--kb", str(root), "--engine", FAST)
    line = f"{root}/policies/CP.MP.101/2027-02: revision 2027-02 states no indication; add pol:indication"
    assert (found.returncode, found.stderr, found.stdout) == (2, f"kb: {line}\n", "")


# ---------------------------------------------------------------------- exit codes


def test_a_pipeline_can_fail_on_what_the_log_does_not_tell_of(made: Make, run_kb: RunKb) -> None:
    kb = ("--kb", str(made(BY_HAND["a_code_added"].edits).root))
    found = run_kb("diff", "2026-02", "2027-02", *kb, "--fail-on", "unexplained")
    assert (found.returncode, found.stderr) == (1, "")
    assert found.stdout.endswith("Changes that no row of the log reports\n  - codes: 38243: added.\n")
    assert run_kb("diff", "2026-02", "2027-02", *kb, "--fail-on", "stricter").returncode == 0


def test_a_pipeline_does_not_fail_on_what_the_log_tells_of(made: Make, run_kb: RunKb) -> None:
    kb = ("--kb", str(made(BY_HAND["a_code_added"].edits, LogStatement("pol:Added", "pol:Codes")).root))
    assert run_kb("diff", "2026-02", "2027-02", *kb, "--fail-on", "unexplained").returncode == 0


def test_a_pipeline_can_fail_on_a_row_that_is_not_borne_out(made: Make, run_kb: RunKb) -> None:
    kb = ("--kb", str(made({}, LogStatement("pol:Removed", "pol:Codes")).root))
    assert run_kb("diff", "2026-02", "2027-02", *kb).returncode == 0
    found = run_kb("diff", "2026-02", "2027-02", *kb, "--fail-on", "unexplained")
    assert found.returncode == 1
    assert "claimed but not found" in found.stdout


@pytest.mark.parametrize(
    ("old", "new", "fail_on", "code"),
    [
        ("2023-10", "2023-11", ("unexplained",), 0),
        ("2023-10", "2023-11", ("unexplained", "stricter"), 1),
        ("2023-11", "2023-10", ("stricter",), 0),
        ("2023-11", "2023-10", (), 1),
    ],
)
def test_a_pipeline_can_fail_on_a_stricter_verdict_or_on_any_of_several_things(
    old: str, new: str, fail_on: tuple[str, ...], code: int
) -> None:
    diff = difference(old, new)
    assert int(diff.fails_on(fail_on) if fail_on else diff.differ) == code


# ---------------------------------------------------------------------- bad input

KNOWN = "2015-11, 2019-10, 2022-10, 2023-02, 2023-08, 2023-10, 2023-11, 2024-04, 2025-02, 2026-02"
REFUSED = {
    "the_same_twice": (("2026-02", "2026-02"), "2026-02 is compared with itself; name two revisions"),
    "the_same_twice_by_two_names": (
        ("CP.MP.101/2026-02", "2026-02"),
        "2026-02 is compared with itself; name two revisions",
    ),
    "an_unknown_one": (("2026-02", "2026-03"), f"CP.MP.101 has no revision 2026-03; known: {KNOWN}; nearest: 2026-02"),
    "an_unknown_one_first": (("nonsense", "2026-02"), f"CP.MP.101 has no revision nonsense; known: {KNOWN}"),
    "one_without_criteria": (
        ("2022-10", "2026-02"),
        "the criteria of CP.MP.101 revision 2022-10 are not on file; "
        "on file: 2019-10, 2023-10, 2023-11, 2024-04, 2025-02, 2026-02",
    ),
    "one_without_criteria_second": (
        ("2026-02", "2023-08"),
        "the criteria of CP.MP.101 revision 2023-08 are not on file; "
        "on file: 2019-10, 2023-10, 2023-11, 2024-04, 2025-02, 2026-02",
    ),
    "two_policies": (
        ("CP.MP.101/2026-02", "CG-TRANS-03/2024-10", "--policy", "CP.MP.101"),
        "revisions of two policies: CG-TRANS-03 and CP.MP.101; name two of one policy",
    ),
    "an_unknown_policy": (("X/2020-01", "X/2021-01"), "no policy X on file; known: CG-TRANS-03, CP.MP.101"),
    "a_second_policy_that_is_unknown": (
        ("CP.MP.101/2026-02", "X/2020-01"),
        "no policy X on file; known: CG-TRANS-03, CP.MP.101",
    ),
    "a_second_policy_without_such_a_revision": (
        ("CP.MP.101/2026-02", "CG-TRANS-03/2023-06"),
        "CG-TRANS-03 has no revision CG-TRANS-03/2023-06; known: 2024-10; nearest: 2024-10",
    ),
    "the_log_of_two_policies": (
        ("CP.MP.101/2026-02", "CG-TRANS-03/2024-10", "--fail-on", "unexplained", "--engine", "pyshifty"),
        "two policies have no log in common; leave out --fail-on unexplained",
    ),
    "flips_of_no_cases": (
        ("2019-10", "2026-02", "--fail-on", "flips"),
        "--fail-on flips without cases to flip; name some with --cases PATH",
    ),
    "a_place_where_no_file_can_be": (
        ("2023-10", "2023-11", "--witness", "no/such/folder.ttl", "--engine", "pyshifty"),
        "no/such/folder.ttl: cannot be written: No such file or directory; name another file",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_in_one_line(run_kb: RunKb, name: str) -> None:
    arguments, line = REFUSED[name]
    found = run_kb("diff", *arguments)
    assert (found.returncode, found.stderr, found.stdout) == (2, f"kb: {line}\n", "")


def test_the_revision_named_is_looked_for_in_its_own_policy_where_there_are_two(made: Make, run_kb: RunKb) -> None:
    root = made().root
    other = root / "policies/X"
    (other / "2020-01").mkdir(parents=True)
    (other / "policy.ttl").write_text(f'<{BASE}X> <http://purl.org/dc/terms/title> "X" .', encoding="utf-8")
    (other / "2020-01/revision.ttl").write_text(
        f'<{BASE}X/2020-01> <{BASE}policy#revisionMonth> "2020-01"^^<http://www.w3.org/2001/XMLSchema#gYearMonth> .',
        encoding="utf-8",
    )
    kb = ("--kb", str(root))
    refused = {
        ("CP.MP.101/2026-02", "X/2020-01"): "the criteria of X revision 2020-01 are not on file; on file: none",
        ("2025-02", "2026-02", "--policy", "X"): "X has no revision 2025-02; known: 2020-01; nearest: 2020-01",
        ("X/2020-01", "2026-02"): "X has no revision 2026-02; known: 2020-01; nearest: 2020-01",
        ("X/2020-01", "2026-02", "--policy", "CP.MP.101"): (
            "revisions of two policies: CP.MP.101 and X; name two of one policy"
        ),
    }
    for arguments, line in refused.items():
        found = run_kb("diff", *arguments, *kb)
        assert (found.returncode, found.stderr, found.stdout) == (2, f"kb: {line}\n", "")
    for arguments in (("CP.MP.101/2025-02", "2026-02"), ("2025-02", "2026-02", "--policy", "CP.MP.101")):
        assert run_kb("diff", *arguments, *kb).returncode == 0


def test_an_error_of_the_library_has_a_class_of_ours(policy: Policy) -> None:
    with pytest.raises(KbError, match="compared with itself"):
        compare(policy, "2026-02", "2026-02", FAST)
