"""Malformed cases: what breaks, at which place, with which hint; and what at the edge is allowed."""

from __future__ import annotations

import re
from datetime import date

import pytest
from broken_cases import BROKEN, ONE_GRADE, ONE_SHARE, Broken
from case_files import EX, HCPCS, Vary, read, violations
from installed import INSTALLED
from rdflib.namespace import RDFS
from situations import NEVER_IN_DOUBT, STATED

from kb_tools.cases.case import Violation
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import SH, SHAPE


@pytest.fixture(scope="module")
def found(kb: Repository, vary: Vary) -> dict[str, dict[str, tuple[Violation, ...]]]:
    """For each engine, the violations of every broken case, all checked at once as kb does."""
    reader = CaseReader(kb)
    cases = [
        reader.read(variant.name, None, vary(variant.old, variant.new).encode(), FORMATS[".ttl"])[0]
        for variant in BROKEN
    ]
    return {
        engine: {case.source: violations(answer) for case, answer in zip(cases, checked, strict=True)}
        for engine in INSTALLED
        for checked in [CaseChecker(kb, engine).check(cases)]
    }


@pytest.fixture(scope="module")
def messages(kb: Repository) -> dict[str, str]:
    """The message of every case shape."""
    shapes = CaseChecker(kb, "pyshacl").shapes
    return {kb.curie(str(shape)): str(text) for shape, text in shapes.subject_objects(SH.message)}


@pytest.mark.parametrize("variant", BROKEN, ids=lambda variant: variant.name.replace(" ", "-")[:60])
@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_what_is_wrong_with_a_case_is_said_at_its_place_with_its_mend(
    variant: Broken, engine: str, found: dict[str, dict[str, tuple[Violation, ...]]], messages: dict[str, str]
) -> None:
    expected = [
        Violation(
            focus=EX + focus,
            path=path,
            value=value,
            message=" ".join(part for part in (messages[shape], guess) if part),
            shape=shape,
        )
        for focus, path, value, shape, guess in variant.finds
    ]
    assert list(found[engine][variant.name]) == expected


def test_the_broken_cases_are_all_different_and_all_there() -> None:
    assert len({variant.name for variant in BROKEN}) == len(BROKEN) == 153


@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_days_and_numbers_at_the_edge_of_what_is_allowed_pass(kb: Repository, vary: Vary, engine: str) -> None:
    variants = [
        *(vary('"2026-06-05"^^xsd:date', f'"{day}"^^xsd:date') for day in ("2024-02-29", "2000-02-29", "1000-01-01")),
        *(vary(ONE_SHARE, f"clin:donorPercent {share}") for share in ("0", "100", "0.0", "100.0", "99.999")),
        *(vary(ONE_SHARE, f"clin:donorPercent{bound}") for bound in ("AtLeast 0", "AtMost 100", "Below 100")),
        vary(ONE_SHARE, "clin:donorPercentAtLeast 90 ; clin:donorPercentAtMost 90.0"),
        vary(ONE_SHARE, ""),
        *(vary(ONE_GRADE, f"clin:grade {grade}") for grade in ("0", "4", '"+2"^^xsd:integer', '"02"^^xsd:integer')),
        vary(ONE_GRADE, "clin:gradeAtLeast 2 ; clin:gradeAtMost 2"),
        vary("clin:withinClinicalTrial false", "clin:withinClinicalTrial true"),
        *(
            vary(f"a clin:{class_} ;", f"a clin:{class_} ; case:inDoubt '{doubt}' ;")
            for class_ in sorted(STATED.keys() - NEVER_IN_DOUBT)
            for doubt in ("?", "d" * 500)
        ),
        vary("cpt:38242", f"<{HCPCS}S2150> , cpt:0537T"),
        vary("a case:Case ;", f"a case:Case ; {RDFS.label.n3()} 'a title' ; {RDFS.comment.n3()} 'a comment' ;"),
    ]
    assert [violations(checked) for checked in CaseChecker(kb, engine).check(read(kb, *variants))] == [()] * len(
        variants
    )


@pytest.mark.parametrize("year", ["0000", "0999", "1000", "1900", "2000", "2023", "2024", "2100", "2400", "9999"])
def test_the_pattern_of_a_day_takes_every_day_of_the_calendar_and_no_other(kb: Repository, year: str) -> None:
    """Engines differ in what they take for an xsd:date; the pattern does not leave it to them."""
    pattern = re.compile(str(CaseChecker(kb, "pyshacl").shapes.value(SHAPE.Day, SH.pattern)))
    for month in range(14):
        for day in range(33):
            written = f"{year}-{month:02}-{day:02}"
            try:
                expected = date.fromisoformat(written).year >= 1000
            except ValueError:
                expected = False
            assert bool(pattern.search(written)) == expected, written
    assert not pattern.search(f"{year}-1-1")
