"""Shapes that cannot be decided piece by piece are found, each kind, and then cases take the reference path."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from varied_cases import varied

from kb_tools.batch.rows import RowMaker
from kb_tools.determine.locality import Fault, faults
from kb_tools.determine.run import Run
from kb_tools.model.repository import Repository

ROOT = Path(__file__).parents[2]
CASE, DERIVATION, ONTOLOGY = "shapes/case.ttl", "shapes/derivation.ttl", "ontology/clinical/chimerism.ttl"
GVHD, CHIMERISM, PRODUCT = (f"shapes/conditions/{name}.ttl" for name in ("gvhd", "chimerism", "product"))
Copied = Callable[..., Repository]


@pytest.fixture
def copied(kb: Repository, tmp_path: Path) -> Copied:
    """Copies the knowledge base without its cases, with edits: the file, a text of it, and what takes its place.

    Files that are not edited are those of the knowledge base under test, read once for all tests.
    """

    def copy(*edits: tuple[str, str, str]) -> Repository:
        for folder in ("ontology", "shapes", "policies"):
            shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("cases"))
        for file, old, new in edits:
            path = tmp_path / file
            text = path.read_text(encoding="utf-8")
            assert old in text, f"{file} does not hold {old!r}"
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        repository = Repository(tmp_path)
        for path in {*kb.files("ontology", "shapes")} - {ROOT / file for file, _, _ in edits}:
            repository._files[tmp_path / path.relative_to(ROOT)] = kb.triples(path)
        if not any(file.startswith("ontology/") for file, _, _ in edits):
            vars(repository)["ontology"] = kb.ontology
        return repository

    return copy


def after(line: str, more: str) -> tuple[str, str, str]:
    """An edit of the case shapes: a line, and more behind it."""
    return _shapes_with(line), line, f"{line}\n{more}"


def _shapes_with(line: str) -> str:
    """The first file of the case shapes that holds a line."""
    files = (CASE, *(f"shapes/findings/{path.name}" for path in sorted((ROOT / "shapes/findings").iterdir())))
    return next(file for file in files if line in (ROOT / file).read_text(encoding="utf-8"))


SHARED, WHOLE = "a node of which every key is a piece", "a piece"
OF_CASE = "shape:Case\n    a sh:NodeShape ;"
OF_REQUEST = "shape:Request\n    a sh:NodeShape ;"
OF_TRANSPLANT = "shape:Transplant\n    a sh:NodeShape ;"
DAY, REASON, PATIENT = "    sh:path case:date ;", "    sh:path case:reason ;", "    sh:path case:patient ;"
SOURCE, PERCENT = "    sh:path clin:graftSource ;", "    sh:path clin:donorPercent ;"
CASE_SHAPES: dict[str, tuple[tuple[str, str, str], Fault]] = {
    "findings are counted": (
        after("    sh:path case:finding ;", "    sh:maxCount 50 ;"),
        ("shape:Case-finding", "counts findings (sh:maxCount)"),
    ),
    "a finding is asked for": (
        after("    sh:path case:finding ;", "    sh:minCount 1 ;"),
        ("shape:Case-finding", "counts findings (sh:minCount)"),
    ),
    "findings are counted by what they are": (
        after("    sh:path case:finding ;", "    sh:qualifiedValueShape shape:Finding ;"),
        ("shape:Case-finding", "counts the values of several pieces (sh:qualifiedValueShape)"),
    ),
    "the values of two keys of the request are counted together": (
        (
            CASE,
            OF_CASE,
            "shape:More a sh:NodeShape ; sh:targetClass case:Request ; sh:property shape:More-two .\n"
            "shape:More-two sh:path [ sh:alternativePath ( case:service case:reason ) ] ; sh:maxCount 1 .\n"
            f"{OF_CASE}",
        ),
        ("shape:More-two", "counts the values of several pieces (sh:maxCount)"),
    ),
    "a reason is asked for": (
        after(REASON, "    sh:minCount 1 ;"),
        ("shape:Request-reason", "asks for what may be left out (sh:minCount)"),
    ),
    "a reason is asked for by its value": (
        after(REASON, "    sh:hasValue clin:Leukemia ;"),
        ("shape:Request-reason", "asks for what may be left out (sh:hasValue)"),
    ),
    "two keys of the request are compared": (
        after(REASON, "    sh:lessThan case:service ;"),
        ("shape:Request-reason", "compares what is not of one piece (sh:lessThan)"),
    ),
    "two keys of the request differ": (
        after(REASON, "    sh:disjoint case:service ;"),
        ("shape:Request-reason", "uses sh:disjoint on a value"),
    ),
    "two keys of a finding are equal": (
        after(SOURCE, "    sh:equals case:basis ;"),
        ("shape:Transplant-graftSource", "uses sh:equals on a value"),
    ),
    "a finding is dated before another thing": (
        after(DAY, "    sh:lessThan clin:graftSource ;"),
        ("shape:Finding-date", "compares what is not of one piece (sh:lessThan)"),
    ),
    "a number is less than a day": (
        after(PERCENT, "    sh:lessThan case:date ;"),
        ("shape:ChimerismTest-donorPercent", "compares what is not of one piece (sh:lessThan)"),
    ),
    "a day has a limit": (
        after(DAY, '    sh:minInclusive "1990-01-01"^^xsd:date ;'),
        ("shape:Finding-date", "uses sh:minInclusive on a day"),
    ),
    "a day has another pattern": (
        after(DAY, '    sh:pattern "^20" ;'),
        ("shape:Finding-date", "has another pattern of days than that by which days are read"),
    ),
    "a patient has a pattern": (
        after(PATIENT, '    sh:pattern "p" ;'),
        ("shape:Case-patient", "uses sh:pattern on the patient"),
    ),
    "a case has a pattern": (after(OF_CASE, '    sh:pattern "c" ;'), ("shape:Case", f"uses sh:pattern on {SHARED}")),
    "a request is one or the other": (
        after(OF_REQUEST, "    sh:or ( shape:Finding shape:Pseudonym ) ;"),
        ("shape:Request", f"uses sh:or on {SHARED}"),
    ),
    "a request is not so": (
        after(OF_REQUEST, "    sh:not shape:ExactAndBound ;"),
        ("shape:Request", f"uses sh:not on {SHARED}"),
    ),
    "a finding is asked for by SPARQL": (
        after(OF_TRANSPLANT, '    sh:sparql [ sh:select "SELECT $this {}" ] ;'),
        ("shape:Transplant", f"uses sh:sparql on {WHOLE}"),
    ),
    "texts are in one language each": (
        after(SOURCE, "    sh:uniqueLang true ;"),
        ("shape:Transplant-graftSource", "uses sh:uniqueLang on a value"),
    ),
    "a finding looks back at its case": (
        after(
            OF_TRANSPLANT, "    sh:not [ sh:property [ sh:path [ sh:inversePath case:finding ] ; sh:maxCount 1 ] ] ;"
        ),
        ("shape:Transplant", "follows sh:inversePath of case:finding"),
    ),
    "a finding looks at another": (
        after(
            OF_TRANSPLANT,
            "    sh:not [ sh:property [ sh:path ( case:contradictedBy clin:graftSource ) ; sh:nodeKind sh:IRI ] ] ;",
        ),
        ("shape:Transplant", "looks along case:contradictedBy / clin:graftSource from a piece"),
    ),
    "a case looks into its request": (
        (
            CASE,
            OF_CASE,
            "shape:More a sh:NodeShape ; sh:targetClass case:Case ;\n"
            f"    sh:property [ sh:path ( case:request case:reason ) ; sh:maxCount 1 ] .\n{OF_CASE}",
        ),
        ("shape:More", f"looks along case:request / case:reason from {SHARED}"),
    ),
    "a shape has a target of another kind": (
        after(OF_TRANSPLANT, "    sh:targetObjectsOf case:finding ;"),
        ("shape:Transplant", "has the target sh:targetObjectsOf case:finding"),
    ),
    "a shape is a class": (
        after(OF_TRANSPLANT, "    a <http://www.w3.org/2000/01/rdf-schema#Class> ;"),
        ("shape:Transplant", "is a class, and so has a target"),
    ),
    "a number is one of a list": (
        after(PERCENT, "    sh:in ( 1 2 ) ;"),
        ("shape:ChimerismTest-donorPercent", "uses sh:in on a number"),
    ),
    "a number is long": (
        after(PERCENT, "    sh:minLength 2 ;"),
        ("shape:ChimerismTest-donorPercent", "uses sh:minLength on a number"),
    ),
    "a number is written in a way": (
        after(PERCENT, '    sh:not [ sh:pattern "^[0-9]+$" ] ;'),
        ("shape:ChimerismTest-donorPercent", "looks at how a number is written (sh:pattern)"),
    ),
    "numbers of two keys are counted": (
        (
            "shapes/findings/chimerism.ttl",
            "clin:donorPercentAtLeast clin:donorPercentAtMost clin:donorPercentBelow ) ] ; sh:minCount 1",
            "clin:donorPercentAtLeast clin:donorPercentAtMost clin:donorPercentBelow ) ] ; sh:minCount 2",
        ),
        ("shape:ExactAndBound", "counts what pieces do not tell apart (sh:minCount 2)"),
    ),
}
GRADE = "cond:AcuteGvHDGrade2OrHigher\n    a sh:NodeShape ;"
OF_GRADE = "        sh:class clin:AcuteGvHDAssessment ;"
FINDING = "cond:AcuteGvHDGrade2OrHigher-finding"
MIXED, OF_MIXED = "cond:ChimerismMixed-finding", "        sh:class clin:ChimerismTest ;"
CONDITIONS: dict[str, tuple[tuple[str, str, str], Fault]] = {
    "findings are counted to two": (
        (GVHD, "sh:qualifiedMinCount 1 ;", "sh:qualifiedMinCount 2 ;"),
        (
            FINDING,
            "counts findings otherwise than by sh:qualifiedMinCount 1 or sh:qualifiedMaxCount 0 alone",
        ),
    ),
    "a condition has a target": (
        (GVHD, GRADE, f"{GRADE} sh:targetClass case:Case ;"),
        ("cond:AcuteGvHDGrade2OrHigher", "has the target sh:targetClass case:Case"),
    ),
    "a condition is written in SPARQL": (
        (GVHD, GRADE, f'{GRADE} sh:sparql [ rdfs:label "x" ] ;'),
        ("cond:AcuteGvHDGrade2OrHigher", "uses sh:sparql on a case"),
    ),
    "a condition looks at the day": (
        (GVHD, OF_GRADE, f"{OF_GRADE} sh:property [ sh:path case:date ; sh:minCount 1 ] ;"),
        (FINDING, "looks along case:date from a finding that counts"),
    ),
    "a condition allows nothing else": (
        (GVHD, OF_GRADE, f"{OF_GRADE} sh:closed true ;"),
        (FINDING, "uses sh:closed on a finding that counts"),
    ),
    "a condition looks at what contradicts a contradicting finding": (
        (
            GVHD,
            OF_GRADE,
            f"{OF_GRADE} sh:property [ sh:path ( case:contradictedBy case:contradictedBy ) ; sh:minCount 1 ] ;",
        ),
        (FINDING, "looks along case:contradictedBy / case:contradictedBy from a finding that counts"),
    ),
    "a condition counts contradicting findings": (
        (GVHD, OF_GRADE, f"{OF_GRADE} sh:property [ sh:path case:contradictedBy ; sh:minCount 2 ] ;"),
        (FINDING, "counts what pieces do not tell apart (sh:minCount 2)"),
    ),
    "a condition allows one contradicting finding": (
        (GVHD, OF_GRADE, f"{OF_GRADE} sh:property [ sh:path case:contradictedBy ; sh:maxCount 1 ] ;"),
        (FINDING, "counts what pieces do not tell apart (sh:maxCount 1)"),
    ),
    "a condition compares a finding with another": (
        (
            GVHD,
            OF_GRADE,
            f"{OF_GRADE} sh:property [ sh:path ( case:contradictedBy clin:grade ) ; sh:lessThan clin:grade ] ;",
        ),
        (FINDING, "compares what is not of one piece (sh:lessThan)"),
    ),
    "a condition asks for one number": (
        (CHIMERISM, OF_MIXED, f"{OF_MIXED} sh:property [ sh:path clin:donorPercent ; sh:hasValue 90 ] ;"),
        (MIXED, "uses sh:hasValue on a number"),
    ),
    "a condition reads the date of service": (
        (PRODUCT, "pol:reads clin:withinClinicalTrial", "pol:reads case:serviceDate , clin:withinClinicalTrial"),
        ("cond:given-within-a-clinical-trial", "reads case:serviceDate, which is no piece of a case"),
    ),
    "two conditions read a part of the same findings": (
        (GVHD, "pol:reads clin:AcuteGvHDAssessment", "pol:reads clin:AcuteGvHDAssessment , clin:MRDTest"),
        (
            "cond:acute-gvhd-of-grade-2-or-higher",
            "reads clin:MRDTest as cond:mrd-is-detected does, and the two do not read the same facts",
        ),
    ),
}
RULES: dict[str, tuple[tuple[str, str, str], Fault]] = {
    "a rule is another": (
        (DERIVATION, "?laterDate > ?date", "?laterDate >= ?date"),
        (DERIVATION, "its rules are not those that are followed without SPARQL"),
    ),
    "findings are told apart by a number": (
        (ONTOLOGY, "case:keyProperty clin:lineage", "case:keyProperty clin:donorPercent"),
        ("clin:ChimerismTest", "tells findings apart by clin:donorPercent, which is a number"),
    ),
}


def test_every_shape_of_the_knowledge_base_is_local(kb: Repository) -> None:
    assert faults(kb) == ()


@pytest.mark.parametrize("name", [*CASE_SHAPES, *CONDITIONS, *RULES])
def test_what_is_not_local_is_found(copied: Copied, name: str) -> None:
    edit, expected = (CASE_SHAPES | CONDITIONS | RULES)[name]
    assert faults(copied(edit)) == (expected,)


@pytest.mark.parametrize(
    "edit",
    [
        (_shapes_with(PERCENT), PERCENT, f"{PERCENT}\n    sh:lessThanOrEquals clin:donorPercentAtMost ;"),
        (_shapes_with(PERCENT), PERCENT, f"{PERCENT}\n    sh:minExclusive -5 ;"),
        (DERIVATION, "?how skos:broader* ?with .", "?how   skos:broader*\n ?with ."),
        (GVHD, OF_GRADE, f"{OF_GRADE} sh:property [ sh:path case:contradictedBy ; sh:minCount 1 ] ;"),
        (GVHD, OF_GRADE, f"{OF_GRADE} sh:property [ sh:path clin:gradeAtLeast ; sh:lessThan clin:gradeAtMost ] ;"),
        (PRODUCT, "pol:reads clin:withinClinicalTrial", "pol:reads clin:withinClinicalTrial , clin:lymphocyteDonor"),
    ],
)
def test_what_is_local_is_not_reported(copied: Copied, edit: tuple[str, str, str]) -> None:
    assert faults(copied(edit)) == ()


def test_where_a_shape_is_not_local_rows_are_those_of_the_reference_path(
    copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb = copied(CASE_SHAPES["findings are counted"][0], after(REASON, "    sh:minCount 1 ;"))
    maker = RowMaker(Run(kb, kb.policy("CP.MP.101"), "pyshifty", "2026-02"))
    assert not maker.local
    lines = [*varied(kb, 30), b'{"patient": "p", "request": {"serviceDate": "2026-07-01"}}']
    wanted = maker._by_reference(lines)
    monkeypatch.setattr(maker, "_row", None)
    assert maker.of_lines(lines) == wanted
    assert wanted[-1].reasons == ("shape:Request-reason",)


def test_without_the_check_such_rows_would_differ(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    kb = copied(after(REASON, "    sh:minCount 1 ;"))
    monkeypatch.setattr("kb_tools.batch.rows.faults", lambda _: [])
    maker = RowMaker(Run(kb, kb.policy("CP.MP.101"), "pyshifty", "2026-02"))
    assert maker.local
    lines = list(varied(kb, 10))
    assert maker.of_lines(lines) != maker._by_reference(lines)


def test_the_maker_knows_that_the_knowledge_base_is_local(kb: Repository) -> None:
    assert RowMaker(Run(kb, kb.policy("CP.MP.101"), "pyshifty")).local
