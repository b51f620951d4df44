"""What counts of the findings of a case, without SPARQL, is what counts by the rules of derivation.

Every set of up to three findings of the small universes, and a sample of the larger ones and of larger sets. For all
sets of the larger ones: `python benchmarks/pieces.py --sets`.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import chain, islice

import pytest
from generated import generated
from situations import SITUATIONS
from small_cases import LARGE, SERVICE, SMALL, in_batches
from standings import Stand, by_python, by_rules, differing
from strategies import FINDINGS, VOCABULARY, Finding, Picture, built

from kb_tools.cases import standing
from kb_tools.cases.derive import Derivation
from kb_tools.cases.standing import Vocabulary

LINEAGE = ("clin:lineage", "clin:TCells")


def test_every_situation_stands_as_its_row_says() -> None:
    vocabulary = Vocabulary(VOCABULARY)
    for example, case in zip(SITUATIONS, built(example.picture for example in SITUATIONS), strict=True):
        names = [named.name for named in example.findings]
        current, perhaps, contradicted, _ = by_python(vocabulary, case)
        assert {names[place] for place in current} == set(example.counts.split()), example.name
        assert {names[place] for place in perhaps} == set(example.perhaps.split()), example.name
        pairs = {(names[one], names[other]) for one, others in contradicted.items() for other in others}
        assert pairs == example.contradicted, example.name


@pytest.mark.parametrize("name", SMALL)
def test_every_small_set_of_findings_stands_as_by_the_rules(name: str) -> None:
    assert list(islice(differing(SMALL[name].up_to(3)), 2)) == []


# Every set of up to three is tried above, and cases of every kind.
@pytest.mark.extended
@pytest.mark.parametrize("name", LARGE)
def test_larger_sets_stand_as_by_the_rules(name: str) -> None:
    pictures = chain(LARGE[name].sample(1_000, 3), LARGE[name].sample(60, 8, seed=12))
    assert list(islice(differing(pictures), 2)) == []


def test_cases_of_every_kind_stand_as_by_the_rules() -> None:
    assert list(islice(differing(generated(1_000)), 2)) == []


def test_every_class_and_every_standing_is_met() -> None:
    pictures = [picture for universe in SMALL.values() for picture in universe.up_to(3)]
    assert len(pictures) == 6252
    assert {finding.kind for picture in pictures for finding in picture.findings} == set(FINDINGS)
    vocabulary = Vocabulary(VOCABULARY)
    stands = [by_python(vocabulary, case) for batch in in_batches(pictures) for case in built(batch)]
    assert min(_count(stands, place) for place in range(3)) > 700


def _count(stands: list[Stand], place: int) -> int:
    """How many cases have findings that count (0), perhaps count (1), are contradicted (2)."""
    return sum(1 for stand in stands if stand[place])


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("95", "95.0", False),
        ("95.00", "95.0", False),
        ("95.1", "95.10", False),
        ("95.1", "95.2", True),
        ("0.123456789012345678", "0.1234567890123456780", False),
        # The rules compare numbers of up to 18 decimal places by value, longer ones as they are written.
        ("0.1234567890123456789", "0.12345678901234567890", True),
        ("0.1234567890123456789", "0.1234567890123456789", False),
        ("0.1234567890123456789", "0.1234567890123456788", True),
        ("0.10000000000000000000000", "0.1", False),
    ],
)
def test_numbers_differ_as_the_rules_compare_them(one: str, other: str, differ: bool) -> None:
    findings = [
        Finding("clin:ChimerismTest", SERVICE - timedelta(3), (LINEAGE, ("clin:donorPercent", _decimal(number))))
        for number in (one, other)
    ]
    picture = Picture(date(2026, 7, 1), findings=tuple(findings))
    (case,) = built([picture])
    (wanted,) = by_rules(Derivation(VOCABULARY), [case])
    assert by_python(Vocabulary(VOCABULARY), case) == wanted
    assert bool(wanted[2]) is differ


def _decimal(number: str) -> str:
    return number if "." in number else f"{number}.0"


@pytest.mark.parametrize(
    "step",
    ["_superseding", "_casts_doubt", "_may_supersede", "_shares_doubt", "_is_overtaken", "_is_doubtful", "_contradict"],
)
def test_a_derivation_without_one_of_its_steps_would_show(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing.CaseFindings, step, lambda *_: ())
    pictures = chain.from_iterable(universe.up_to(2) for universe in SMALL.values())
    assert next(differing(pictures), None) is not None
