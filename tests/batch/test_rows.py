"""A row made of pieces is the row of the reference path: on varied cases, on hostile lines, and with tiny memories."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from run_cases import ENGINE
from varied_cases import varied
from wn3 import gvhd, mrd

from kb_tools.batch import pieces, rows, sight
from kb_tools.batch.learned import Learned
from kb_tools.batch.opening import Opened, digest, id_of
from kb_tools.batch.rows import Row, RowMaker
from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.run import Run
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.history import Selection
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE as CASE_NAMESPACE
from kb_tools.rdf.namespaces import GIVEN
from kb_tools.render.case_json import write

ROOT = Path(__file__).parents[2]
# A revision for all cases, an old one, and that in force by date.
REVISIONS = ("2026-02", "2019-10", None)


class Watched(RowMaker):
    """Makes rows, and counts the cases of which they are not made by pieces."""

    by_reference = 0

    def _by_reference(self, lines: Sequence[bytes]) -> list[Row]:
        self.by_reference += len(lines)
        return super()._by_reference(lines)


def maker_of(kb: Repository, revision: str | None = "2026-02", engine: str = ENGINE) -> Watched:
    return Watched(Run(kb, kb.policy("CP.MP.101"), engine, revision))


def by_itself(maker: RowMaker, line: bytes) -> Row:
    """The row of a case that is read and determined alone, without any of what rows are made of."""
    run = maker._run
    found: Case | KbError
    try:
        found = maker._pieces.read(line)
    except UnreadableInput as error:
        found = error
    name = found.iri.removeprefix(GIVEN + "case/") if isinstance(found, Case) else id_of(line)
    (answer,) = run.stream([found])
    return maker.of_answer(name or digest(line), answer)


def differing(maker: Watched, lines: Sequence[bytes]) -> list[tuple[bytes, Row, Row]]:
    """The lines whose rows are not those of the reference path, with both."""
    wanted = RowMaker._by_reference(maker, lines)
    # Once while the pieces are learned, once more when they are known.
    return [
        (line, row, reference)
        for _ in range(2)
        for line, row, reference in zip(lines, maker.of_lines(lines), wanted, strict=True)
        if row != reference
    ]


# ---------------------------------------------------------------------- varied cases


@pytest.mark.parametrize("revision", REVISIONS)
def test_varied_cases_have_the_rows_of_the_reference_path(kb: Repository, revision: str | None) -> None:
    maker = maker_of(kb, revision)
    lines = list(varied(kb, 300, seed=REVISIONS.index(revision)))
    assert differing(maker, lines)[:1] == []
    # Few cases take the long way: those that cannot be read.
    assert maker.by_reference < 2 * 30
    found = {row.outcome for row in maker.of_lines(lines)}
    assert found > {"Malformed", "Unreadable", "InformationNeeded"}


@pytest.mark.extended
@pytest.mark.parametrize("revision", REVISIONS)
def test_varied_cases_have_the_rows_that_pyshacl_gives(kb: Repository, revision: str | None) -> None:
    lines = list(varied(kb, 50, seed=10 + REVISIONS.index(revision), findings=12))
    assert differing(maker_of(kb, revision, "pyshacl"), lines)[:1] == []


def test_both_engines_give_the_same_rows(kb: Repository) -> None:
    lines = list(varied(kb, 30, seed=20))
    assert maker_of(kb).of_lines(lines) == maker_of(kb, engine="pyshacl").of_lines(lines)


@pytest.fixture(scope="module")
def examples(kb: Repository) -> list[bytes]:
    """All example cases of the policy that can be written as plain JSON, one a line."""
    reader, forms = CaseReader(kb), CaseForms(kb)
    found: list[bytes] = []
    for path in sorted((ROOT / "policies/CP.MP.101").rglob("cases/**/*.ttl")):
        if path.name in ("manifest.ttl", "expectations.ttl"):
            continue
        try:
            cases = reader.read(str(path), path)
        except UnreadableInput:
            continue
        for case in cases:
            try:
                found.append(json.dumps(_texts(write(forms, case))).replace('"#', "").replace('#"', "").encode())
            except (KbError, KeyError):
                continue  # It is malformed in a way that plain JSON cannot be.
    return found


def _texts(value: Any) -> Any:
    """The value with its exact numbers marked, so that they are written as they stand."""
    if isinstance(value, dict):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return value if isinstance(value, str | bool) or type(value) is int else f"#{value}#"


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_example_cases_have_the_rows_of_the_reference_path(
    kb: Repository, examples: list[bytes], revision: str | None
) -> None:
    assert len(examples) > 100
    assert differing(maker_of(kb, revision), examples)[:1] == []


def test_a_row_says_what_the_case_comes_to_alone(kb: Repository) -> None:
    maker = maker_of(kb)
    lines = list(varied(kb, 15, seed=30))
    assert maker.of_lines(lines) == [by_itself(maker, line) for line in lines]


def test_rows_do_not_depend_on_the_cases_before(kb: Repository) -> None:
    lines = list(varied(kb, 25, seed=40))
    forward = maker_of(kb).of_lines(lines)
    maker = maker_of(kb)
    backward = [row for line in reversed(lines) for row in maker.of_lines([line])]
    assert forward == backward[::-1]


# ---------------------------------------------------------------------- memories that are too small


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memories that hold next to nothing."""
    for module, names in (
        (pieces, ("AS_WRITTEN", "ALIKE")),
        (rows, ("DAYS", "LOOKS")),
        (sight, ("MAX_LOOKS", "MAX_MASKS", "CONCLUSIONS")),
    ):
        for name in names:
            assert isinstance(getattr(module, name), int)
            monkeypatch.setattr(module, name, 8 if module is pieces else 4)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(("revision", "at_once"), [("2026-02", 1), ("2019-10", 7), (None, 7), (None, 80)])
def test_what_is_forgotten_changes_no_row(kb: Repository, revision: str | None, at_once: int) -> None:
    maker = maker_of(kb, revision)
    lines = list(varied(kb, 50 if at_once > 1 else 15, seed=50))
    wanted = RowMaker._by_reference(maker, lines)
    found = [row for first in range(0, len(lines), at_once) for row in maker.of_lines(lines[first : first + at_once])]
    assert [pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1]][:1] == []
    assert maker.by_reference < 20


@pytest.mark.usefixtures("tiny")
def test_memories_stay_as_small_as_they_should(kb: Repository) -> None:
    maker = maker_of(kb)
    forgotten = 0
    for line in varied(kb, 25, seed=60, findings=12):
        before = maker._pieces._bare, list(maker._sights.values())
        full = any(found.is_full for found in maker._sights.values())
        maker.of_lines([line])
        forgotten += full
        assert len(maker._pieces._findings) <= 16
        assert len(maker._pieces._alike) <= 16
        assert len(maker._pieces._stated) <= 16
        assert len(maker._looks) <= 8
        assert before[0] is maker._pieces._bare
    assert forgotten > 1


def test_nothing_of_cases_that_go_the_reference_path_is_held(kb: Repository) -> None:
    line = json.dumps({**PLAIN, "findings": [{**PLAIN["findings"][0], "graftSource": ["CordBlood"]}]}).encode()
    maker = maker_of(kb)
    for _ in range(3):
        assert [row.outcome for row in maker.of_lines([line] * 5)] == ["Unreadable"] * 5
    gc.collect()
    assert [held for held in gc.get_objects() if isinstance(held, Opened) and held.line == line] == []


# ---------------------------------------------------------------------- hostile lines

PLAIN: dict[str, Any] = {
    "id": "17",
    "patient": "p17",
    "lineOfBusiness": "Commercial",
    "request": {
        "service": "DonorLymphocyteInfusion",
        "procedureCodes": ["cpt:38242"],
        "serviceDate": "2026-07-01",
        "reason": "AcuteMyeloidLeukemia",
        "purposes": ["TreatRelapse"],
        "product": {"processing": ["Unmanipulated"], "lymphocyteDonor": "TransplantDonor", "withinClinicalTrial": True},
    },
    "findings": [
        {"type": "Transplant", "date": "2025-01-15", "basis": "ChartEvidence", "graftSource": "MatchedRelatedDonor"},
        {
            "type": "DiseaseStatusAssessment",
            "date": "2026-06-01",
            "basis": "ChartEvidence",
            "disease": "AcuteMyeloidLeukemia",
            "diseaseStatus": "Relapsed",
        },
        {"type": "ChimerismTest", "date": "2026-06-04", "basis": "ChartEvidence", "lineage": "TCells",
         "donorPercent": 88.5},
        {"type": "AcuteGvHDAssessment", "date": "2026-06-05", "basis": "Attestation", "grade": 1},
    ],
}  # fmt: skip
GRADE, TRIAL, PERCENT = '"grade": 1', '"withinClinicalTrial": true', '"donorPercent": 88.5'
WHOLE = json.dumps(PLAIN)


def changed(path: str, value: Any) -> str:
    """The case with the value at a path ("findings.2.grade") set, or left out where it is Ellipsis."""
    case: Any = json.loads(WHOLE)
    *above, last = path.split(".")
    target = case
    for part in above:
        target = target[int(part) if part.isdecimal() else part]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return json.dumps(case)


def replaced(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1
    return WHOLE.replace(old, new)


def nested(levels: int) -> list[Any]:
    """An array within an array, so many levels deep."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def with_findings(*more: dict[str, Any]) -> str:
    return json.dumps({**PLAIN, "findings": [*PLAIN["findings"], *more]})


def chimerism(**stated: Any) -> str:
    """The case with one more chimerism test of the same lineage and day, its numbers given as text."""
    finding = {"type": "ChimerismTest", "date": "2026-06-04", "basis": "ChartEvidence", "lineage": "TCells"}
    text = with_findings(finding | {key: f"#{value}#" for key, value in stated.items()})
    return text.replace('"#', "").replace('#"', "")


NAMES = [
    "17", "p17", "", " ", "a b", "-a", "a\n", "ä", 17, True, None, ["17"], {"@id": "x"},
    "https://example.org/case#1", "http://example.org/a/../b", "https://example.org/%zz", "https://example.org/é",
    "http://[::1", "http://a:port/", "https://", "http://example.org/\ud800", "HTTPS://example.org/", "urn:x", "urn:",
    "urn:kb:1:0", "urn:kb:0", "mailto:a@example.org", "cpt:38242", "@id", "@context", "_:n1",
    f"{GIVEN}case/17", f"{GIVEN}case/p17", f"{GIVEN}patient/p17", f"{GIVEN}case/a/b", f"{CASE_NAMESPACE}Case",
    f"{CASE_NAMESPACE}x", "https://w3id.org/policykb/code/cpt/38242", "https://w3id.org/policykb/other",
]  # fmt: skip
NUMBERS = [
    "0", "1", "4", "5", "01", "1.0", "1.5", "-0", "-0.0", "0.0", "-1", "1e0", "1E0", "10e-1", "1e1", "9.75E1", "1e400",
    "1e-400", "1e31", "100", "100.0", "100.00000000000000000001", "99.9999999999", "89.9999999999999999999999",
    "90.000000000000000000000", "1e-30", "1234567", "0.1000000000000000055511151231257827", "NaN", "Infinity",
    "true", "false", "null", '"1"', '"true"', "[]", "[1]", "{}", '{"@value": 1}', '["1"]', "[[]]", '["[]"]', '"[]"',
]  # fmt: skip
TOGETHER = {
    "the case names its patient as itself": json.dumps({**PLAIN, "patient": "17"}),
    "the case and the patient are one IRI": json.dumps({**PLAIN, "id": "urn:x", "patient": "urn:x"}),
    "the patient is the given IRI of the case": json.dumps({**PLAIN, "patient": f"{GIVEN}case/17"}),
    "the case is the given IRI of the patient": json.dumps({**PLAIN, "id": f"{GIVEN}patient/p17"}),
    "an IRI of a patient, and no id": json.dumps({key: value for key, value in PLAIN.items() if key != "id"}).replace(
        '"p17"', '"urn:p"'
    ),
    "no id": changed("id", ...),
    "no patient": changed("patient", ...),
    "no request": changed("request", ...),
    "no service date": changed("request.serviceDate", ...),
    "no findings": changed("findings", ...),
    "no finding": changed("findings", []),
    "no line of business": changed("lineOfBusiness", ...),
    "notes everywhere": json.dumps(
        {
            **PLAIN,
            "//": None,
            "//a": [[1.5], {"b": {}}],
            "request": {**PLAIN["request"], "//": 1, "//x": []},
            "findings": [{**finding, "//why": {"any": [None, [1.5]]}, "//": "x"} for finding in PLAIN["findings"]],
        }
    ),
    "a note with a text": changed("findings.1.//why", "because"),
    "a note in the product": changed("request.product.//", [[]]),
    "a schema": json.dumps({"$schema": "https://example.org/schema", **PLAIN}),
    "a schema that is no text": json.dumps({"$schema": [None], **PLAIN}),
    "a schema in the request": changed("request.$schema", "x"),
    "a schema in a finding": changed("findings.0.$schema", "x"),
    "an unknown key": changed("x", 1),
    "an unknown key in the request": changed("request.x", 1),
    "an unknown key in a finding": changed("findings.0.x", 1),
    "a key of another class": changed("findings.0.grade", 1),
    "an unknown key and a shape that is broken": json.dumps({**json.loads(changed("findings.3.grade", 9)), "x": 1}),
    "JSON-LD": json.dumps({"@context": {}, **PLAIN}),
    "FHIR": '{"resourceType": "Bundle"}',
    "the date of a finding twice": replaced('"date": "2026-06-05"', '"date": "2026-06-05", "date": "2026-06-05"'),
    "a grade twice": replaced(GRADE, f"{GRADE}, {GRADE}"),
    "the request twice": replaced('"request":', '"request": {}, "request":'),
    "a note twice": replaced('"lineOfBusiness":', '"//": 1, "//": 2, "lineOfBusiness":'),
    "a finding is null": changed("findings", [None]),
    "a finding is an array": changed("findings", [[PLAIN["findings"][0]]]),
    "a finding is a text": changed("findings", ["date"]),
    "a finding is a number": changed("findings", [1]),
    "the findings are an object": changed("findings", {"date": "2026-06-01"}),
    "the findings are an empty object": changed("findings", {}),
    "the findings are a text": changed("findings", "date"),
    "the findings are an empty text": changed("findings", ""),
    "the findings are null": changed("findings", None),
    "the findings are false": changed("findings", False),
    "a finding without a type": changed("findings.0.type", ...),
    "a finding of a type that is none": changed("findings.0.type", "Finding"),
    "a finding of several types": changed("findings.0.type", ["Transplant"]),
    "a finding without a date": changed("findings.0.date", ...),
    "a finding without a basis": changed("findings.0.basis", ...),
    "a finding with an id": changed("findings.0.id", "x"),
    "a day that is none": changed("findings.0.date", "2026-02-30"),
    "a day with a time": changed("findings.0.date", "2026-02-20T00:00:00"),
    "a day with a line end": changed("findings.0.date", "2026-02-20\n"),
    "a day in other digits": changed("findings.0.date", "\uff12026-02-20"),
    "a leap day": changed("findings.0.date", "2024-02-29"),
    "a leap day in another year": changed("findings.0.date", "2025-02-29"),
    "a service before every revision": changed("request.serviceDate", "1980-01-01"),
    "a service under a revision that is not on file": changed("request.serviceDate", "2022-12-01"),
    "a service in the far future": changed("request.serviceDate", "9999-12-31"),
    "the request is an array": changed("request", ["serviceDate"]),
    "the request is a text": changed("request", "serviceDate"),
    "the product is empty": changed("request.product", {}),
    "the product is null": changed("request.product", None),
    "the product contradicts itself": changed("request.product", {"processing": ["Unmanipulated", "CD4Selection"]}),
    "the product says one thing twice": changed("request.product", {"processing": ["Unmanipulated", "Unmanipulated"]}),
    "purposes twice": changed("request.purposes", ["TreatRelapse", "TreatRelapse"]),
    "purposes of none": changed("request.purposes", []),
    "purposes that are no array": changed("request.purposes", "TreatRelapse"),
    "purposes within purposes": changed("request.purposes", [["TreatRelapse"]]),
    "many codes": changed("request.procedureCodes", ["cpt:38242"] * 3_000),
    "a code that is none": changed("request.procedureCodes", ["cpt:1"]),
    "a disease by its code": changed("request.reason", "C92.00"),
    "a disease by a code that says more": changed("request.reason", "C92.01"),
    "a finding of a disease by its code": changed("findings.1.disease", "C92.00"),
    "a doubt": changed("findings.1.inDoubt", "a newer report could not be read"),
    "an empty doubt": changed("findings.1.inDoubt", ""),
    "a doubt that is too long": changed("findings.1.inDoubt", "x" * 501),
    "a doubt with half a character": changed("findings.1.inDoubt", "\ud800"),
    "a key with half a character": changed("\ud800", 1),
    "a doubt where none can be": changed("findings.0.inDoubt", "x"),
    "101 findings of one class and day": with_findings(*[PLAIN["findings"][3]] * 100),
    "100 findings of one class and day": with_findings(*[PLAIN["findings"][3]] * 99),
    "101 findings of several days": with_findings(
        *({**PLAIN["findings"][3], "date": f"2026-05-{day:02}"} for day in range(1, 28)), *[PLAIN["findings"][2]] * 72
    ),
    "one finding three times": with_findings(*[PLAIN["findings"][2]] * 2),
    "grades that differ": with_findings({**PLAIN["findings"][3], "grade": 3}, {**PLAIN["findings"][3], "grade": 4}),
    "numbers of one day that are equal": chimerism(donorPercent="88.50"),
    "numbers of one day that differ": chimerism(donorPercent="88.49"),
    "numbers of one day that differ in the last place": chimerism(donorPercent="88.5000000000000000000001"),
    "bounds in order": chimerism(donorPercentAtLeast="9.5", donorPercentAtMost="9.6"),
    "bounds not in order": chimerism(donorPercentAtLeast="9.6", donorPercentAtMost="9.5"),
    "bounds that are equal": chimerism(donorPercentAtLeast="9.6", donorPercentBelow="9.60"),
    "bounds in order, one with an exponent": chimerism(donorPercentAtLeast="9.5", donorPercentAtMost="1e1"),
    "bounds not in order, one with an exponent": chimerism(donorPercentAtLeast="1e1", donorPercentAtMost="9.5"),
    "bounds in order, one with many places": chimerism(donorPercentAtLeast="9.5", donorPercentBelow="9.50000000001"),
    "an exact number and a bound": chimerism(donorPercent="9.5", donorPercentAtMost="10"),
    "two upper bounds": chimerism(donorPercentBelow="9.5", donorPercentAtMost="10"),
    "nothing": "",
    "a line end": "\n",
    "null": "null",
    "an array": f"[{WHOLE}]",
    "a text": '"request"',
    "a number": "1",
    "two cases": WHOLE + WHOLE,
    "a case torn off": WHOLE[:-2],
    "deeply nested": "[" * 100_000,
    "a byte order mark": "\N{BYTE ORDER MARK}" + WHOLE,
    "spaces": f"  {WHOLE}\r",
}  # fmt: skip
TIGHT = json.dumps(PLAIN, separators=(",", ":"))
# Lines that look as if they could be cut, or as if they could not.
CUTS = {
    "written tightly": TIGHT,
    "written tightly in part": TIGHT.replace('"date":"2026-06-05"', '"date": "2026-06-05"'),
    "written loosely in part": WHOLE.replace('"date": "2026-06-05"', '"date":"2026-06-05"'),
    "with blanks between": WHOLE.replace('": ', '" : '),
    "with tabs between": WHOLE.replace('": ', '":\t').replace(", ", ",\t"),
    "with a blank at the end of the findings": replaced("}]}", "} ]}"),
    "with a blank at the end of a finding": replaced('"grade": 1}', '"grade": 1 }'),
    "with keys in another order": json.dumps(dict(reversed(PLAIN.items()))),
    "with the keys of findings in another order": json.dumps(
        {**PLAIN, "findings": [dict(reversed(finding.items())) for finding in PLAIN["findings"]]}
    ),
    "with keys written with escapes": replaced('"patient"', '"\\u0070atient"'),
    "with the key of findings written with an escape": replaced('"findings"', '"\\u0066indings"'),
    "with a date written with an escape": replaced("2026-06-05", "2026-06-0\\u0035"),
    "with a date key written with an escape": replaced('"date": "2026-06-05"', '"d\\u0061te": "2026-06-05"'),
    "two dates of a finding, one with an escape": replaced(
        '"date": "2026-06-05"', '"date": "2026-06-05", "d\\u0061te": "2026-06-05"'
    ),
    "two names, one with an escape": replaced('"id": "17"', '"id": "17", "\\u0069d": "18"'),
    "a name with an escape": replaced('"id": "17"', '"id": "1\\u0037"'),
    "a name that ends in a backslash": replaced('"id": "17"', '"id": "17\\\\"'),
    "a name with a quote": replaced('"id": "17"', '"id": "1\\"7"'),
    "the mark for what was cut, as a name": changed("id", "\x7f"),
    "the mark for what was cut, as a date": changed("findings.0.date", "\x7f"),
    "the mark for what was cut, in a note": changed("//", "\x7f"),
    "the mark for what was cut, by an escape": json.dumps({"//": {"serviceDate": "2026-07-01"}, **PLAIN}).replace(
        '"serviceDate": "2026-07-01", "reason"', '"service\\u0044ate": "\\u007F", "reason"'
    ),
    "the mark for the findings, as a number": replaced(PERCENT, '"donorPercent": -0e-0'),
    "the mark for the findings, as the findings": json.dumps({**PLAIN, "findings": "#"}).replace('"#"', "-0e-0"),
    "findings in a note and nowhere else": json.dumps(
        {**{key: value for key, value in PLAIN.items() if key != "findings"}, "//": {"findings": PLAIN["findings"]}}
    ),
    "findings in a note before the findings": json.dumps({"//": {"findings": PLAIN["findings"]}, **PLAIN}),
    "findings in a note, and findings that are none": json.dumps(
        {"//": {"findings": PLAIN["findings"]}, **PLAIN, "findings": []}
    ),
    "the findings twice": replaced('"findings": [', '"findings": [{"date": "2026-01-01"}], "findings": ['),
    "a case in a note": json.dumps({"//": PLAIN, **PLAIN}),
    "a patient in a note before the patient": json.dumps({"//": {"patient": "p18"}, **PLAIN}),
    "an id in a note, and nowhere else": json.dumps({"//": {"id": "18"}, **PLAIN}).replace('"id": "17", ', ""),
    "a service date in a note before the request": json.dumps({"//": {"serviceDate": "2020-01-01"}, **PLAIN}),
    "a service date in a finding": changed("findings.0.serviceDate", "2026-07-01"),
    "a date in a note of a finding": changed("findings.0.//", {"date": "2026-01-01"}),
    "a date in a note, and nowhere else": with_findings({"type": "Transplant", "//": {"date": "2026-01-01"}}),
    "a date in a note before the date": with_findings({"//": {"date": "2026-01-01"}, **PLAIN["findings"][3]}),
    "a doubt that looks like the end of a finding": changed("findings.1.inDoubt", 'see "x"}, {"date": "2026-01-01"'),
    "a doubt that looks like the end of the findings": changed("findings.1.inDoubt", "a }] b"),
    "a doubt that looks like a date": changed("findings.1.inDoubt", '"date": "2026-01-01"'),
    "a doubt with braces": changed("findings.1.inDoubt", "}, {"),
    "a date and more": changed("findings.0.date", "2026-02-20x"),
    "a service date and more": changed("request.serviceDate", "2026-07-01T00:00"),
    "a finding that is not closed": replaced('"grade": 1}', '"grade": 1'),
    "a finding that is closed twice": replaced('"grade": 1}', '"grade": 1}}'),
    "a comma after the last finding": replaced("}]}", "}, ]}"),
    "an empty finding": replaced('"findings": [', '"findings": [{}, '),
    "a comma before the first finding": replaced('"findings": [', '"findings": [, '),
    "two commas between findings": replaced('}, {"type": "Chimerism', '},, {"type": "Chimerism'),
    "findings not closed": WHOLE.partition("}]}")[0],
    "a finding too many behind the findings": replaced("}]}", '}], {"date": "2026-01-01"}}'),
    **{f"a note nested {levels} deep at {path}": changed(path, nested(levels))
       for path in ("//", "request.//", "request.product.//", "findings.0.//", "$schema")
       for levels in (96, 97, 98, 99, 100)},
    "a note twice": replaced('"id": "17"', '"id": "17", "//": 1, "//": 2'),
    "a note twice in a finding": replaced(PERCENT, f'{PERCENT}, "//": 1, "//": 2'),
    "a note that is no number": changed("findings.0.//", float("nan")),
    "a note with half a character": changed("request.//", "\ud800"),
    "a schema in the request": changed("request.$schema", "x"),
    "a schema in a finding": changed("findings.0.$schema", "x"),
    "a schema of the case": changed("$schema", "x"),
    "a null byte in a value": replaced("TreatRelapse", "Treat\x00Relapse"),
}  # fmt: skip
HOSTILE: dict[str, bytes] = {
    **{name: text.encode() for name, text in CUTS.items()},
    **{name: text.encode("utf-8", "surrogatepass") for name, text in TOGETHER.items()},
    "not UTF-8": WHOLE.replace("p17", "p\xff").encode("latin-1"),
    **{f"id {name!r}": changed("id", name).encode() for name in NAMES},
    **{f"patient {name!r}": changed("patient", name).encode() for name in NAMES},
    **{
        f"{what.partition(':')[0]} {number}": replaced(what, f"{what.partition(':')[0]}: {number}").encode()
        for what in (GRADE, TRIAL, PERCENT)
        for number in NUMBERS
    },
}


@pytest.fixture(scope="module")
def wanted(kb: Repository) -> Iterator[dict[str, Row]]:
    """The row of each hostile line, by the reference path."""
    maker = maker_of(kb, None)
    yield dict(zip(HOSTILE, RowMaker._by_reference(maker, list(HOSTILE.values())), strict=True))


@pytest.mark.parametrize("engine", [ENGINE])
def test_hostile_lines_have_the_rows_of_the_reference_path(kb: Repository, wanted: dict[str, Row], engine: str) -> None:
    maker = maker_of(kb, None, engine)
    for _ in range(2):
        found = dict(zip(HOSTILE, maker.of_lines(list(HOSTILE.values())), strict=True))
        assert {name: (found[name], row) for name, row in wanted.items() if found[name] != row} == {}


def test_hostile_lines_have_them_in_any_order(kb: Repository, wanted: dict[str, Row]) -> None:
    maker = maker_of(kb, None)
    found = {name: maker.of_lines([HOSTILE[name]])[0] for name in reversed(HOSTILE)}
    assert {name: (found[name], row) for name, row in wanted.items() if found[name] != row} == {}


# Of windows of 6 and 12 months and of 30 days: findings on the first day of each, of the day before, and between them.
NEAR = (29, 30, 31, 180, 181, 182, 184, 185, 364, 365, 366)


def near_windows(kb: Repository, count: int) -> Iterator[bytes]:
    """Varied cases, in which some findings of one day that differ are dated about the first day of a window."""
    chance = Random(count)
    for line in varied(kb, count, seed=77, findings=12):
        if b'"serviceDate"' not in line or not line.rstrip().endswith(b"}"):
            continue
        case = json.loads(line)
        try:
            service = date.fromisoformat(case["request"]["serviceDate"])
        except (KeyError, ValueError, TypeError):
            continue
        for _ in range(2):
            day = (service - timedelta(chance.choice(NEAR))).isoformat()
            for result in chance.sample(["MRDDetected", "MRDNotDetected"], chance.randint(1, 2)):
                case["findings"].append(mrd(day, result, method="FlowCytometry"))
            case["findings"] += [gvhd(day, grade) for grade in chance.sample(range(5), chance.randint(1, 2))]
        yield json.dumps(case).encode()


@pytest.mark.usefixtures("own_cache")
def test_conditions_with_windows_are_decided_by_pieces_too(with_wn3: Repository) -> None:
    policy = with_wn3.policy("WN.3")

    def maker() -> Watched:
        found = Watched(Run(with_wn3, policy, ENGINE, "2024-01"))
        found.sight(Selection(policy.entry("2024-01"), ()))
        return found

    lines = list(near_windows(with_wn3, 60))
    first = maker()
    assert differing(first, lines)[:1] == []
    assert first.by_reference < 2 * 10
    # What was learned of them, kept and put back, in another order.
    first.keep(Learned(with_wn3, ENGINE, "WN.3", "2024-01"))
    second = maker()
    second.restore(Learned(with_wn3, ENGINE, "WN.3", "2024-01"))
    assert len(second._looks) > 50
    assert second.of_lines(lines[::-1])[::-1] == first.of_lines(lines)


@pytest.mark.parametrize(
    "name",
    [
        *("written tightly", "with blanks between", "with tabs between", "with keys in another order", "no findings"),
        *("with keys written with escapes", "no finding", "spaces", "a byte order mark", "no id"),
    ],
)
def test_a_case_is_taken_apart_however_it_is_written(
    kb: Repository, name: str, wanted: dict[str, Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = maker_of(kb, None)
    monkeypatch.setattr(maker, "_by_reference", lambda lines: [None] * len(lines))
    assert maker.of_lines([HOSTILE[name]]) == [wanted[name]]


def test_hostile_lines_come_to_every_kind_of_row(wanted: dict[str, Row]) -> None:
    outcomes = {name: row.outcome for name, row in wanted.items()}
    assert set(outcomes.values()) > {"Malformed", "Unreadable", "NotDetermined", "CriteriaMet", "InformationNeeded"}
    assert outcomes["the product contradicts itself"] == "Malformed"
    assert outcomes["bounds in order, one with an exponent"] != "Malformed"
    assert outcomes["bounds not in order, one with an exponent"] == "Malformed"
    assert outcomes["101 findings of one class and day"] == "Unreadable"
    assert outcomes["100 findings of one class and day"] != "Unreadable"
    assert outcomes['"grade" true'] == outcomes['"grade" "1"'] == "Unreadable" != outcomes['"grade" 1']
    assert outcomes['"withinClinicalTrial" 1'] == "Unreadable"
    assert wanted["numbers of one day that differ"].notices != wanted["numbers of one day that are equal"].notices


def test_a_case_without_a_name_is_known_by_its_digest(kb: Repository) -> None:
    (row,) = maker_of(kb).of_lines([HOSTILE["no id"]])
    assert row.case == digest(HOSTILE["no id"])


NAMED = [
    ("an id", changed("findings.0.//", 1).replace("Transplant", "Transplnt"), "17"),
    ("an id, a wrong line of business", changed("lineOfBusiness", "x"), "17"),
    ("an id, and a note that is left to the reader", json.dumps({**PLAIN, "//": [], "lineOfBusiness": "x"}), "17"),
    (
        "an id that is an address",
        json.dumps({**PLAIN, "id": "https://plan.example/1", "x": 1}),
        "https://plan.example/1",
    ),
    ("an id and nothing else", '{"id": "17", "x": 1}', "17"),
    ("an id that is no name", json.dumps({**PLAIN, "id": "Jane Roe"}), ""),
    ("an id that is a number", json.dumps({**PLAIN, "id": 17}), ""),
    ("a key twice", '{"id": "17", "x": 1, "x": 2}', ""),
    ("two ids", '{"id": "17", "id": "18"}', ""),
    ("a line torn off", WHOLE[:-2], ""),
    ("no object", '["id", "17"]', ""),
    ("a resource of FHIR", '{"resourceType": "Patient", "id": "17"}', ""),
]


@pytest.mark.parametrize(("line", "name"), [pytest.param(*more, id=what) for what, *more in NAMED])
def test_a_row_of_what_the_reader_refuses_has_the_id_of_the_line_where_it_has_one(
    kb: Repository, line: str, name: str
) -> None:
    by_pieces, by_reference = maker_of(kb), RowMaker(Run(kb, kb.policy("CP.MP.101"), ENGINE, "2026-02"), False)
    rows = [maker.of_lines([line.encode()])[0] for maker in (by_pieces, by_reference)]
    assert rows[0] == rows[1]
    assert (rows[0].outcome, rows[0].case) == ("Unreadable", name or digest(line.encode()))


def test_the_reasons_of_a_malformed_case_are_the_shapes_that_it_breaks(kb: Repository) -> None:
    maker = maker_of(kb)
    text = changed("request.product", {"processing": ["Unmanipulated", "CD4Selection"]})
    line = text.replace('"grade": 1', '"grade": 9').encode()
    (row,) = maker.of_lines([line])
    assert row.reasons == ("shape:AcuteGvHDAssessment-grade", "shape:Product-unmanipulatedOrManipulated")
    (answer,) = maker.answers([line])
    assert isinstance(answer, Malformed)
