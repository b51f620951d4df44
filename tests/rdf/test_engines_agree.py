"""The engine shacl gives the results of pySHACL: on the example cases, and on 1,000 varied ones, some with slips.

make test compares the example cases, and make test-extended the varied ones and a composed revision.
Compared is what kb asks of an engine, asked of both: the case shapes, and the shapes of every condition in both forms.
`benchmarks/engines.py` compares more cases, and pyshifty too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from agreement import Agreement, on_case_shapes, on_composed, on_conditions
from generated import generated
from installed import INSTALLED
from rdflib import Graph
from slips import SLIPS, with_slips
from strategies import VOCABULARY, built

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import read_manifest
from kb_tools.rdf import shacl
from kb_tools.rdf.terms import without_remarks

REFERENCE, OTHER = "pyshacl", "shacl"
VARIED = 1000
# The composed revision takes pySHACL a fifth of a second for each case.
COMPOSED = 20

pytestmark = pytest.mark.skipif(OTHER not in INSTALLED, reason=f"the engine {OTHER} is not installed")


@cache
def examples() -> list[Case]:
    """The example cases."""
    reader = CaseReader(VOCABULARY)
    paths = {expected.path for expected in read_manifest(VOCABULARY, VOCABULARY.policy().cases_folder)}
    return [case for path in sorted(paths) for case in reader.read(path.name, path)]


@cache
def on_shapes(varied: bool) -> tuple[Agreement, list[Case]]:
    """Compared on the case shapes, and the cases that are well formed."""
    with without_remarks():
        cases = list(with_slips(built(generated(VARIED)), share=0.1)) if varied else examples()
        return on_case_shapes(cases, REFERENCE, OTHER)


def test_on_the_case_shapes_of_the_examples() -> None:
    agreement, prepared = on_shapes(False)
    assert agreement.differing == {}
    assert len(prepared) == len(examples()) == 234


def test_on_the_conditions_of_the_examples() -> None:
    agreement = on_conditions(on_shapes(False)[1], REFERENCE, OTHER)
    assert agreement.differing == {}
    assert agreement.results == 363


@pytest.mark.extended
def test_on_the_composed_revision() -> None:
    agreement = on_composed(on_shapes(False)[1][:COMPOSED], "2026-02", REFERENCE, OTHER)
    assert agreement.differing == {}
    assert agreement.results == 13


@pytest.mark.extended
def test_on_the_case_shapes_of_varied_cases() -> None:
    agreement, prepared = on_shapes(True)
    assert agreement.differing == {}
    assert (VARIED - len(prepared), agreement.results, sum(agreement.beyond_limits.values())) == (107, 292, 1)


@pytest.mark.extended
def test_on_the_conditions_of_varied_cases() -> None:
    agreement = on_conditions(on_shapes(True)[1], REFERENCE, OTHER)
    assert agreement.differing == {}
    assert agreement.results == 1064


def test_every_slip_is_made() -> None:
    assert len(SLIPS) == 22
    (whole,) = built(generated(1))
    made = {str(case.about) for case in with_slips([whole] * 200, share=1)}
    assert len(made) > 100
    assert str(whole.about) not in made


LIMITED = """
PREFIX sh: <http://www.w3.org/ns/shacl#>
<urn:x:S> a sh:NodeShape ; sh:targetObjectsOf <urn:x:p> ; sh:maxInclusive 4 .
"""
VALUES = "<urn:x:a> <urn:x:p> 5 , 6 , %s ."


@pytest.mark.parametrize(
    ("found", "differing"), [((), 2), (("5",), 1), (("5", "6", "6"), 1), (("5", "6", "4"), 1), (("5", "7"), 2)]
)
def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch, found: tuple[str, ...], differing: int) -> None:
    data, shapes = (Graph().parse(data=text, format="turtle") for text in (VALUES % 4, LIMITED))
    (one, _) = shacl.validate(data, shapes, REFERENCE)
    given = [replace(one, focus=value, value=value) for value in found]
    monkeypatch.setitem(shacl._ENGINES, OTHER, lambda data, shapes, rules: given)
    agreement = Agreement()
    agreement.compare(data, shapes, REFERENCE, OTHER)
    assert agreement.results == 2
    assert sum(agreement.differing.values()) == differing
    assert agreement.beyond_limits == {}


def test_the_one_known_difference_is_of_a_date_that_is_held_against_a_number() -> None:
    data = Graph().parse(data=VALUES % '"2026-06-05Z"^^<http://www.w3.org/2001/XMLSchema#date>', format="turtle")
    agreement = Agreement()
    agreement.compare(data, Graph().parse(data=LIMITED, format="turtle"), REFERENCE, OTHER)
    assert (agreement.results, agreement.differing, sum(agreement.beyond_limits.values())) == (2, {}, 1)
