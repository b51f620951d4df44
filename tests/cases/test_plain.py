"""Cases as plain JSON: what is read, what is refused and how, and that format and schema follow the shapes."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import jsonschema
import pytest

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.form import CaseForms
from kb_tools.cases.plain import PlainReader
from kb_tools.cases.reader import CaseReader
from kb_tools.cases.schema import schema
from kb_tools.cases.template import template
from kb_tools.determine.examples import read_manifest
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import KbError, KnowledgeBaseError, UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.files import MAX_BYTES
from kb_tools.render.case_json import write

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data"
RunKb = Callable[..., CompletedProcess[str]]

CASE: dict[str, Any] = {
    "id": "17",
    "patient": "p17",
    "lineOfBusiness": "Commercial",
    "request": {
        "service": "DonorLymphocyteInfusion",
        "procedureCodes": ["cpt:38242"],
        "serviceDate": "2026-07-01",
        "reason": "AcuteMyeloidLeukemia",
        "purposes": ["TreatRelapse"],
        "product": {"processing": ["Unmanipulated"], "lymphocyteDonor": "TransplantDonor"},
    },
    "findings": [
        {
            "type": "Transplant",
            "date": "2025-01-15",
            "basis": "ChartEvidence",
            "graftSource": "MatchedRelatedDonor",
        },
        {
            "type": "DiseaseStatusAssessment",
            "date": "2026-06-01",
            "basis": "ChartEvidence",
            "disease": "AcuteMyeloidLeukemia",
            "diseaseStatus": "Relapsed",
        },
        {"type": "ChimerismTest", "date": "2026-06-04", "basis": "ChartEvidence", "donorPercent": 88.5},
        {"type": "AcuteGvHDAssessment", "date": "2026-06-05", "basis": "Attestation", "grade": 1},
    ],
}
FINDINGS = (
    "AcuteGvHDAssessment, ChimerismTest, ChronicGvHDAssessment, DiseaseStatusAssessment, EarlierInfusion, MRDTest, "
    "RelapseRiskAssessment, StatedAbsence, Transplant"
)
SCHEMA = "kb case schema lists what each key takes"


@pytest.fixture(scope="module")
def plain(kb: Repository) -> CaseForms:
    return CaseForms(kb)


@pytest.fixture(scope="module")
def validator(plain: CaseForms) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(plain))


def varied(path: str, value: Any) -> dict[str, Any]:
    """The case with the value at a path ("findings.2.grade") set, or left out where it is Ellipsis."""
    case: dict[str, Any] = json.loads(json.dumps(CASE))
    *above, last = path.split(".")
    target: Any = case
    for part in above:
        target = target[int(part) if part.isdecimal() else part]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return case


@cache
def reader_of(kb: Repository) -> CaseReader:
    """One reader, which reads the shapes once."""
    return CaseReader(kb)


def read(kb: Repository, text: str | dict[str, Any]) -> Case:
    """The case of a text, read as if it came through standard input."""
    data = (text if isinstance(text, str) else json.dumps(text)).encode("utf-8", "surrogatepass")
    (found,) = reader_of(kb).stream("case.json", None, io.BytesIO(data), "json")
    if isinstance(found, KbError):
        raise found
    return found


def refusal(kb: Repository, text: str | dict[str, Any]) -> str:
    """The one line with which a text is refused."""
    with pytest.raises(UnreadableInput) as refused:
        read(kb, text)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def statements(case: Case) -> set[str]:
    """What a case states, without its nodes."""
    return {f"{p} {'' if str(o).startswith('urn:kb:') else o.n3()}" for _, p, o in case.triples()}


def broken(kb: Repository, case: dict[str, Any]) -> list[tuple[str, str]]:
    """The places and messages of a case that breaks the case shapes."""
    (checked,) = CaseChecker(kb, "pyshifty").check([read(kb, case)])
    assert isinstance(checked, Malformed)
    return [(violation.place, violation.message) for violation in checked.violations]


# ---------------------------------------------------------------------- reading


def test_a_case_says_in_json_what_it_says_in_turtle(kb: Repository, plain: CaseForms) -> None:
    (turtle,) = CaseReader(kb).read("case.ttl", DATA / "case.ttl")
    again = read(kb, write(plain, turtle))
    assert statements(again) == statements(turtle)
    assert (again.iri, again.name, again.title) == ("https://example.org/case#case", "case", "case.json#case")


def test_a_doubt_is_a_text_of_a_finding_and_is_written_again(
    kb: Repository, plain: CaseForms, validator: jsonschema.Draft202012Validator
) -> None:
    stated = varied("findings.3.inDoubt", "A newer note, of 20 June, could not be read.")
    validator.validate(stated)
    case = read(kb, stated)
    assert statements(case) - statements(read(kb, CASE)) == {
        'https://w3id.org/policykb/case#inDoubt "A newer note, of 20 June, could not be read."'
    }
    assert write(plain, case)["findings"][3] == stated["findings"][3]
    assert isinstance(CaseChecker(kb, "pyshifty").check([case])[0], Case)


def test_every_class_of_findings_but_transplants_and_infusions_takes_a_doubt(plain: CaseForms) -> None:
    definitions = schema(plain)["$defs"]
    taken = {name for name in FINDINGS.split(", ") if "inDoubt" in definitions[name]["properties"]}
    assert set(FINDINGS.split(", ")) - taken == {"Transplant", "EarlierInfusion"}


def test_a_name_that_is_no_iri_becomes_one_of_the_project(kb: Repository) -> None:
    case = read(kb, CASE)
    assert (case.iri, case.title) == ("https://w3id.org/policykb/given/case/17", "case.json#17")
    assert "https://w3id.org/policykb/given/patient/p17" in map(str, case.names.values())


def test_a_case_without_a_name_is_known_by_its_file(kb: Repository) -> None:
    case = read(kb, varied("id", ...))
    assert (case.iri, case.name, case.title) == ("", "", "case.json")


def test_a_case_of_that_name_and_a_patient_of_that_name_are_two(kb: Repository) -> None:
    (checked,) = CaseChecker(kb, "pyshifty").check([read(kb, varied("patient", "17"))])
    assert isinstance(checked, Case)


@pytest.mark.parametrize(
    ("number", "stated"),
    [
        *[(number, number) for number in ("88.5", "88.50", "0.1000000000000000055511151231257827", "90", "-0")],
        ("1e1", "10"),
        ("9.75E1", "97.5"),
        ("1e-30", "0.000000000000000000000000000001"),
    ],
)
def test_a_number_is_read_digit_by_digit(kb: Repository, number: str, stated: str) -> None:
    text = json.dumps(CASE).replace("88.5", number)
    literal = f'"{stated}"^^<http://www.w3.org/2001/XMLSchema#decimal>'
    assert f"https://w3id.org/policykb/clinical#donorPercent {literal}" in statements(read(kb, text))


@pytest.mark.parametrize("number", ["1e31", "1e999999999", "1e9999999999999999999", "-1e-31"])
def test_a_number_of_too_many_digits_is_refused(kb: Repository, number: str) -> None:
    text = json.dumps(CASE).replace("88.5", number)
    due = ", but a number of at most 30 digits is expected"
    assert refusal(kb, text) == f"case.json: findings[2].donorPercent: {number}{due}; {SCHEMA}"


@pytest.mark.parametrize("number", ["1", "1.0", "1.00", "1e0", "10e-1"])
def test_a_whole_number_is_one_however_it_is_written(kb: Repository, number: str) -> None:
    text = json.dumps(varied("findings.3.grade", 777)).replace("777", number)
    assert statements(read(kb, text)) == statements(read(kb, varied("findings.3.grade", 1)))


def test_the_schema_that_an_editor_names_is_not_read(kb: Repository) -> None:
    named = {"$schema": "https://w3id.org/policykb/case.schema.json", **CASE}
    assert statements(read(kb, named)) == statements(read(kb, CASE))
    inner = {**CASE, "request": {"$schema": "x", **CASE["request"]}}
    assert refusal(kb, inner).startswith('case.json: request: unknown key "$schema"; known keys: ')


def test_fhir_in_plain_json_is_told(kb: Repository) -> None:
    expected = 'unknown key "resourceType"; this is FHIR: name the file .json, or .ndjson with a resource a line'
    with pytest.raises(UnreadableInput) as refused:
        PlainReader(CaseForms(kb)).read(b'{"resourceType": "Bundle"}', "cases.jsonl:1", part="line 1")
    assert str(refused.value) == f"cases.jsonl:1: {expected}"


def test_a_byte_order_mark_and_notes_are_not_read(kb: Repository) -> None:
    noted = varied("findings.0.//why", {"any": [None, [1.5]]}) | {"//": "a note", "//request": 1}
    assert statements(read(kb, "\N{BYTE ORDER MARK}" + json.dumps(noted))) == statements(read(kb, CASE))


def test_an_empty_array_states_nothing(kb: Repository) -> None:
    assert statements(read(kb, varied("request.purposes", []))) == statements(read(kb, varied("request.purposes", ...)))


def test_the_plan_is_unknown_where_the_line_of_business_is_left_out(kb: Repository) -> None:
    (checked,) = CaseChecker(kb, "pyshifty").check([read(kb, varied("lineOfBusiness", ...))])
    assert isinstance(checked, Case)


# ---------------------------------------------------------------------- refused

NO_NAME = "not an allowed name; write letters, digits, '.', '_', '-', or an IRI (https: or urn:)"
REFUSED: list[tuple[str, Any, str]] = [
    ("findings.3.grde", 2, 'findings[3]: unknown key "grde"; did you mean grade?'),
    ("findings.0.donor", "x", 'findings[0]: unknown key "donor"; known keys: type, date, basis, graftSource'),
    ("findings.0.inDoubt", "x", 'findings[0]: unknown key "inDoubt"; known keys: type, date, basis, graftSource'),
    ("findings.3.indoubt", "x", 'findings[3]: unknown key "indoubt"; did you mean inDoubt?'),
    ("findings.3.inDoubt", True, f"findings[3].inDoubt: true, but a text is expected; {SCHEMA}"),
    ("findings.3.inDoubt", ["x"], f"findings[3].inDoubt: an array, but a text is expected; {SCHEMA}"),
    ("findings.3.inDoubt", None, "findings[3].inDoubt: null says nothing; leave the key out: what is not stated is "
     "unknown"),
    ("findings.0.id", "x", 'findings[0]: unknown key "id"; known keys: type, date, basis, graftSource'),
    ("type", "Case", 'unknown key "type"; known keys: id, patient, lineOfBusiness, payer, request, findings'),
    ("coverage", {}, 'unknown key "coverage"; known keys: id, patient, lineOfBusiness, payer, request, findings'),
    ("request.Service", "x", 'request: unknown key "Service"; did you mean service?'),
    ("request.service_date", "x", 'request: unknown key "service_date"; did you mean serviceDate?'),
    ("request.a\x1b[1m\n", 1, r'request: unknown key "a\u001b[1m\n"; known keys: service, procedureCodes, '
     "serviceDate, patientAge, reason, purposes, product"),
    ("@context", {}, 'unknown key "@context"; this is JSON-LD: name the file .jsonld, or use --input-format jsonld'),
    ("request.@type", "x", 'request: unknown key "@type"; known keys: service, procedureCodes, serviceDate, '
     "patientAge, reason, purposes, product"),
    ("findings.1.type", ..., f"findings[1]: no type; give it one: {FINDINGS}"),
    ("findings.1.type", "Transplants", 'findings[1].type: "Transplants" is not a value of this key; did you mean '
     "Transplant?"),
    ("findings.1.type", 7, f"findings[1].type: 7 is not a value of this key; it takes {FINDINGS}"),
    ("findings.1.diseaseStatus", "relapsed", 'findings[1].diseaseStatus: "relapsed" is not a value of this key; did '
     "you mean Relapsed?"),
    ("findings.1.diseaseStatus", "x", 'findings[1].diseaseStatus: "x" is not a value of this key; it takes Relapsed, '
     "Refractory, RelapsedAndRefractory, Progressing, CompleteRemission, PartialRemission, InRemission, Active"),
    ("request.reason", "acute myeloid leukemia", 'request.reason: "acute myeloid leukemia" is not a value of this key; '
     "did you mean AcuteMyeloidLeukemia?"),
    ("request.reason", "Leukaemie" * 20, 'request.reason: "LeukaemieLeukaemieLeukaemieLeukaemieLeukaemieLeukaemieLeuk'
     "… is not a value of this key; it takes HematologicMalignancy, Leukemia, AcuteMyeloidLeukemia, "
     "AcutePromyelocyticLeukemia, AcuteLymphoblasticLeukemia, ChronicMyeloidLeukemia, ChronicLymphocyticLeukemia, "
     "ChronicMyelomonocyticLeukemia, MyelodysplasticSyndrome, PlasmaCellNeoplasm, MultipleMyeloma, Lymphoma and 73 "
     "more: kb case schema"),
    # A concept of another class is none of this key.
    ("request.reason", "Relapsed", 'request.reason: "Relapsed" is not a value of this key; it takes '
     "HematologicMalignancy, Leukemia, AcuteMyeloidLeukemia, AcutePromyelocyticLeukemia, AcuteLymphoblasticLeukemia, "
     "ChronicMyeloidLeukemia, ChronicLymphocyticLeukemia, ChronicMyelomonocyticLeukemia, MyelodysplasticSyndrome, "
     "PlasmaCellNeoplasm, MultipleMyeloma, Lymphoma and 73 more: kb case schema"),
    ("request.reason", None, "request.reason: null says nothing; leave the key out: what is not stated is unknown"),
    ("request.purposes", None, "request.purposes: null says nothing; leave the key out: what is not stated is unknown"),
    ("request.purposes", [None], "request.purposes[0]: null says nothing; leave the key out: what is not stated is "
     "unknown"),
    ("request.purposes", "TreatRelapse", 'request.purposes: "TreatRelapse", but an array is expected; put the '
     "values in brackets"),
    ("request.purposes", [["TreatRelapse"]], "request.purposes[0]: an array is not a value of this key; it takes "
     "TreatRelapse, LowerRelapseRisk, RaiseDonorChimerism"),
    ("request.service", ["DonorLymphocyteInfusion"], "request.service: an array is not a value of this key; it takes "
     "DonorLymphocyteInfusion, HematopoieticCellTransplantation, StemCellBoost, OtherService"),
    ("request", [], f"request: an array, but an object is expected; {SCHEMA}"),
    ("request.product", "x", f'request.product: "x", but an object is expected; {SCHEMA}'),
    ("findings", {}, "findings: an object, but an array is expected; put the values in brackets"),
    ("findings", [[]], f"findings[0]: an array, but an object is expected; {SCHEMA}"),
    ("findings", [None], "findings[0]: null says nothing; leave the key out: what is not stated is unknown"),
    ("request.procedureCodes", ["38242"], 'request.procedureCodes[0]: "38242" is not a code; Give a procedure code as '
     "cpt: with five characters, or hcpcs: with a letter and four digits."),
    ("request.procedureCodes", [38242], "request.procedureCodes[0]: 38242 is not a code; Give a procedure code as "
     "cpt: with five characters, or hcpcs: with a letter and four digits."),
    ("request.procedureCodes", ["cpt:38242\n"], r'request.procedureCodes[0]: "cpt:38242\n" is not a code; Give a '
     "procedure code as cpt: with five characters, or hcpcs: with a letter and four digits."),
    ("request.serviceDate", "2026-07", 'request.serviceDate: "2026-07", but a full date, as YYYY-MM-DD, is '
     f"expected; {SCHEMA}"),
    ("request.serviceDate", "2026-02-30", 'request.serviceDate: "2026-02-30", but a full date, as YYYY-MM-DD, is '
     f"expected; {SCHEMA}"),
    ("request.serviceDate", "2026-07-01T10:00:00Z", 'request.serviceDate: "2026-07-01T10:00:00Z", but a full date, as '
     f"YYYY-MM-DD, is expected; {SCHEMA}"),
    ("request.serviceDate", 20260701, "request.serviceDate: 20260701, but a full date, as YYYY-MM-DD, is expected; "
     f"{SCHEMA}"),
    ("findings.2.donorPercent", "88.5", f'findings[2].donorPercent: "88.5", but a number is expected; {SCHEMA}'),
    ("findings.2.donorPercent", True, f"findings[2].donorPercent: true, but a number is expected; {SCHEMA}"),
    ("findings.3.grade", 1.5, f"findings[3].grade: 1.5, but a whole number is expected; {SCHEMA}"),
    ("findings.3.grade", "1", f'findings[3].grade: "1", but a whole number is expected; {SCHEMA}'),
    ("request.product.withinClinicalTrial", "no", 'request.product.withinClinicalTrial: "no", but true or false is '
     f"expected; {SCHEMA}"),
    ("request.product.withinClinicalTrial", 0, "request.product.withinClinicalTrial: 0, but true or false is expected; "
     f"{SCHEMA}"),
    *[
        (key, value, f"{key}: {NO_NAME}")
        for key in ("id", "patient")
        for value in (17, "", "Jane Roe", "17\n", "_:x", "../x", "case:Case", "http://[bad", "urn:\u0001x",
                      {"@id": "x"}, "\ud800")
    ],
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expected"), REFUSED)
def test_what_json_ld_would_drop_or_misread_is_refused_with_its_place(
    kb: Repository, path: str, value: Any, expected: str
) -> None:
    assert refusal(kb, varied(path, value)) == f"case.json: {expected}"


@pytest.mark.parametrize("text", ["\ud800", "\ud800\u2028", "a\udfff b"])
def test_half_of_a_surrogate_pair_is_refused_with_its_place(kb: Repository, text: str) -> None:
    assert refusal(kb, varied("findings.1.inDoubt", text)) == (
        "case.json: findings[1].inDoubt: half of a surrogate pair, which is no character, stands in the text; write "
        r"both halves, as \ud83d\ude00, or the character itself"
    )
    assert read(kb, varied("findings.1.inDoubt", "\U0001f600"))


TEXTS = [
    ("", "case.json:1: not valid JSON: Expecting value, column 1; correct the syntax"),
    ('{\n  "id": "17",\n  "x" 1}', "case.json:3: not valid JSON: Expecting ':' delimiter, column 7; correct the "
     "syntax"),
    ('{} {"id": "2"}', "case.json:1: not valid JSON: Extra data, column 4; a .json file holds one case; write several "
     "one a line, as .jsonl"),
    ("[]", f"case.json: an array, but an object is expected; {SCHEMA}"),
    ("null", f"case.json: null, but an object is expected; {SCHEMA}"),
    ('"text"', f'case.json: "text", but an object is expected; {SCHEMA}'),
    ("true", f"case.json: true, but an object is expected; {SCHEMA}"),
    ('{"id": NaN}', "case.json: NaN is not a JSON number; leave out what is unknown"),
    ('{"id": -Infinity}', "case.json: -Infinity is not a JSON number; leave out what is unknown"),
    (
        '{"id": "1", "request": {"reason": "Lymphoma", "reason": "Leukemia"}}',
        'case.json: key "reason" twice in one object; keep one',
    ),
    ('{"//": 1, "//": 2}', 'case.json: key "//" twice in one object; keep one'),
    ("[" * 1_000_000, "case.json: nested too deeply; a case has three levels"),
    ('{"//":' * 100_000, "case.json: nested too deeply; a case has three levels"),
    ("\ud800", "case.json: not UTF-8; save the file as UTF-8"),
    (" " * (MAX_BYTES + 1), "case.json: more than 32 MiB; write one case a line, in a .jsonl file"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXTS, ids=range(len(TEXTS)))
def test_what_is_no_json_is_refused_in_one_line(kb: Repository, text: str, expected: str) -> None:
    assert refusal(kb, text) == expected


# ---------------------------------------------------------------------- malformed: what the case shapes say


@pytest.mark.parametrize(
    ("path", "value", "place", "message"),
    [
        (
            "findings.3.grade",
            7,
            "findings[3] clin:grade 7",
            "State clin:grade at most once, as a whole number from 0 to 4.",
        ),
        (
            "findings.2.donorPercentAtLeast",
            80,
            "findings[2]",
            "State a share of donor cells exactly or by bounds, not both.",
        ),
        (
            "findings.3.inDoubt",
            "d" * 501,
            f"findings[3] case:inDoubt {'d' * 79}…",
            "Say at most once, in a text of 1 to 500 characters, why it is in doubt whether the finding still counts.",
        ),
        (
            "findings.0.basis",
            ...,
            "findings[0] case:basis",
            "State the basis of the finding exactly once: case:ChartEvidence or case:Attestation.",
        ),
        (
            "request.product.processing",
            ["Unmanipulated", "Expansion"],
            "request.product",
            "The product is stated unmanipulated and manipulated: keep the one that is true.",
        ),
        (
            "patient",
            ...,
            "https://w3id.org/policykb/given/case/17 case:patient",
            "State exactly one case:patient: a pseudonym, about which the case states nothing else.",
        ),
    ],
)
def test_a_value_that_breaks_a_case_shape_is_reported_at_its_place_in_the_json(
    kb: Repository, path: str, value: Any, place: str, message: str
) -> None:
    assert broken(kb, varied(path, value)) == [(place, message)]


def test_an_unnamed_case_without_a_request_is_the_case(kb: Repository) -> None:
    assert broken(kb, {"patient": "p"}) == [
        ("the case case:request", "State exactly one case:request, a case:Request: each request is a case of its own.")
    ]


# ---------------------------------------------------------------------- the command


def test_json_files_lines_and_other_formats_come_to_the_same(run_kb: RunKb, tmp_path: Path) -> None:
    shutil.copy(DATA / "case.ttl", tmp_path / "a.ttl")
    converted = run_kb("case", "convert", "a.ttl")
    assert (converted.returncode, converted.stderr) == (0, "")
    folder = tmp_path / "cases"
    folder.mkdir()
    shutil.copy(DATA / "case.ttl", folder / "a.ttl")
    (folder / "b.json").write_text(converted.stdout, encoding="utf-8")
    line = json.dumps(json.loads(converted.stdout))
    (folder / "c.jsonl").write_text(f"{line}\n\n{line}", encoding="utf-8")
    ran = run_kb("validate", "cases", "--revision", "2026-02", "--format", "json")
    assert (ran.returncode, ran.stderr) == (0, "")
    found = [
        (determination["file"], determination["outcome"]) for determination in json.loads(ran.stdout)["determinations"]
    ]
    assert found == [
        (name, "CriteriaMet") for name in ("cases/a.ttl", "cases/b.json", "cases/c.jsonl:1", "cases/c.jsonl:3")
    ]


def test_a_bad_line_is_named_and_the_others_go_on(run_kb: RunKb, tmp_path: Path) -> None:
    good = json.dumps(CASE)
    lines = [
        good,
        '{"id": "2"',
        '{"patient": null}',
        "\ufeff" + good,
        '{"patient": "p", "request": {"serviceDate": "2026-07-01"}}',
    ]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines), encoding="utf-8")
    ran = run_kb("validate", "cases.jsonl", "--revision", "2026-02")
    assert ran.stderr.splitlines() == [
        "kb: cases.jsonl:2: not valid JSON: Expecting ',' delimiter, column 11; correct the syntax",
        "kb: cases.jsonl:3: patient: null says nothing; leave the key out: what is not stated is unknown",
    ]
    assert ran.returncode == 2
    titles = [line for line in ran.stdout.splitlines() if line.startswith("cases.jsonl")]
    assert titles == ["cases.jsonl:1#17", "cases.jsonl:4#17", "cases.jsonl:5"]


def test_a_line_longer_than_a_file_may_be_is_refused_and_the_next_is_read(
    kb: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = 2000
    monkeypatch.setattr("kb_tools.cases.reader.MAX_BYTES", small)
    monkeypatch.setattr("kb_tools.cases.strict_json.MAX_BYTES", small)
    monkeypatch.setattr("kb_tools.rdf.files.MAX_BYTES", MAX_BYTES)
    good = json.dumps(CASE).encode()
    data = b'{"//": "' + b"x" * 3 * small + b'"}\n' + good + b"\n" + b" " * 3 * small + good
    found = list(CaseReader(kb).stream("-", None, io.BytesIO(data), "jsonl"))
    assert [item.title if isinstance(item, Case) else str(item) for item in found] == [
        "-:1: more than 0 MiB; write one case a line, in a .jsonl file",
        "-:2#17",
        "-:3: more than 0 MiB; write one case a line, in a .jsonl file",
    ]


def test_standard_input_that_begins_like_a_json_object_is_plain_json(run_kb: RunKb) -> None:
    ran = run_kb("validate", "-", "--revision", "2026-02", stdin=b"\xef\xbb\xbf\n" + json.dumps(CASE).encode())
    assert (ran.returncode, ran.stderr, ran.stdout.splitlines()[0]) == (0, "", "standard input#17")


def test_standard_input_can_be_many_lines(run_kb: RunKb) -> None:
    line = json.dumps(CASE).encode()
    ran = run_kb("validate", "-", "--input-format", "jsonl", "--revision", "2026-02", stdin=line + b"\n" + line)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [line for line in ran.stdout.splitlines() if line.startswith("standard")] == [
        "standard input:1#17",
        "standard input:2#17",
    ]


def test_many_lines_on_standard_input_are_told_by_the_first(run_kb: RunKb) -> None:
    line = json.dumps(CASE).encode()
    ran = run_kb("validate", "-", "--revision", "2026-02", stdin=b"\n".join([line, b"{", line]))
    assert ran.returncode == 2
    assert [line for line in ran.stdout.splitlines() if line.startswith("standard")] == [
        "standard input:1#17",
        "standard input:3#17",
    ]
    assert ran.stderr.startswith("kb: standard input:2: not valid JSON")


@pytest.mark.parametrize("text", ["[{}]", ' [\n["a"]]', "[1]"])
def test_an_array_on_standard_input_is_json(run_kb: RunKb, text: str) -> None:
    ran = run_kb("validate", "-", stdin=text.encode())
    expected = "kb: standard input: an array, but an object is expected; kb case schema lists what each key takes\n"
    assert (ran.returncode, ran.stderr) == (2, expected)


def test_a_trig_graph_without_a_name_is_no_json(run_kb: RunKb, well_formed: str) -> None:
    head, body = well_formed.split("\n:case", 1)
    ran = run_kb("validate", "-", "--revision", "2026-02", stdin=f"{head}\n{{ :case{body} }}".encode())
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", ["missing.json", "missing.jsonl"])
def test_a_file_that_is_not_there_is_one_line(run_kb: RunKb, name: str) -> None:
    ran = run_kb("validate", name)
    expected = f"kb: {name}: No such file or directory; check the path and its permissions\n"
    assert (ran.returncode, ran.stderr) == (2, expected)


def test_a_file_in_json_ld_is_sent_to_its_own_reader(run_kb: RunKb, tmp_path: Path) -> None:
    shutil.copy(DATA / "case.jsonld", tmp_path / "case.json")
    ran = run_kb("validate", "case.json")
    assert ran.stderr == (
        'kb: case.json: unknown key "@context"; this is JSON-LD: name the file .jsonld, or use --input-format jsonld\n'
    )
    assert run_kb("validate", "case.json", "--input-format", "jsonld", "--revision", "2026-02").returncode == 0


# ---------------------------------------------------------------------- conversion


def test_every_example_case_comes_to_the_same_in_json(
    kb: Repository, policy: Policy, plain: CaseForms, validator: jsonschema.Draft202012Validator
) -> None:
    expectations = read_manifest(kb, policy.cases_folder)
    reader = CaseReader(kb)
    turtle = {path: reader.read(path.name, path) for path in {expectation.path for expectation in expectations}}
    text = {path: [json.dumps(write(plain, case)) for case in cases] for path, cases in turtle.items()}
    assert (len(expectations), len(turtle)) == (302, 234)
    for written in text.values():
        for line in written:
            validator.validate(json.loads(line))
    again = {
        path: [case for text in written for case in reader.stream(path.name, None, io.BytesIO(text.encode()), "json")]
        for path, written in text.items()
    }
    compared = 0
    for revision in sorted({expectation.revision for expectation in expectations}):
        run = Run(kb, policy, "pyshifty", revision=revision)
        paths = [expectation.path for expectation in expectations if expectation.revision == revision]
        one = [case for path in paths for case in turtle[path]]
        other = [case for path in paths for case in again[path]]
        assert all(isinstance(case, Case) for case in other)
        for before, after in zip(run.answers(one), run.answers(other), strict=True):  # type: ignore[arg-type]
            assert what_it_comes_to(before) == what_it_comes_to(after)
            compared += 1
    assert compared == 302


def what_it_comes_to(answer: object) -> object:
    """All of a determination but the nodes and the order of its facts."""
    assert isinstance(answer, Determination)
    conditions = {
        iri: (result.value, sorted((fact.text, fact.contradicted) for fact in result.facts))
        for iri, result in answer.condition_results.items()
    }
    advisories = [advisory.iri for advisory in answer.advisories]
    return answer.case.iri, answer.outcome, conditions, answer.to_send, answer.needs, advisories, sorted(answer.notices)


def test_several_cases_are_converted_one_a_line(run_kb: RunKb, tmp_path: Path) -> None:
    for name in ("a.ttl", "b.ttl"):
        shutil.copy(DATA / "case.ttl", tmp_path / name)
    ran = run_kb("case", "convert", ".")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "kb: 2 cases, and --format json writes one; use --format jsonl\n"
    ran = run_kb("case", "convert", ".", "--format", "jsonl")
    one, other = ran.stdout.splitlines()
    assert one == other
    assert json.loads(one)["id"] == "https://example.org/case#case"


def test_what_cannot_be_converted_is_named_and_the_others_go_on(
    run_kb: RunKb, tmp_path: Path, vary: Callable[[str, str], str], well_formed: str
) -> None:
    (tmp_path / "a.ttl").write_text(vary("clin:grade 1", "clin:grade 7"), encoding="utf-8")
    (tmp_path / "b.ttl").write_text(vary("90.0", "0.1000000000000000055"), encoding="utf-8")
    (tmp_path / "c.ttl").write_text(vary("case:patient :patient", "case:patient <tag:me,2026:p>"), encoding="utf-8")
    (tmp_path / "d.ttl").write_text("nonsense", encoding="utf-8")
    (tmp_path / "e.ttl").write_text(vary("case:patient :patient", "case:patient []"), encoding="utf-8")
    ran = run_kb("case", "convert", ".", "--format", "jsonl")
    assert ran.stderr.splitlines()[1:] == [
        "kb: a.ttl#case: malformed, not converted: https://example.org/case#acute clin:grade 7: State clin:grade "
        "at most once, as a whole number from 0 to 4.",
        "kb: b.ttl#case: 0.1000000000000000055 has too many digits; round it yourself",
        'kb: c.ttl#case: "tag:me,2026:p" cannot be written as JSON; use an https: or urn: IRI',
    ]
    assert ran.stderr.startswith("kb: d.ttl:1: not valid Turtle")
    assert json.loads(ran.stdout)["patient"] == "patient"
    assert ran.returncode == 2
    assert run_kb("case", "convert", "a.ttl").returncode == 1


def test_what_a_reader_must_know_of_a_reading_is_said_when_it_is_converted(
    run_kb: RunKb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_PSEUDONYM_KEY", "of the tests")
    shutil.copy(DATA / "fhir/plans-that-differ-state-none.json", tmp_path / "case.json")
    ran = run_kb("case", "convert", "case.json")
    notice = "The line of business is stated differently by entry[2] Coverage and entry[3] Coverage: none is used."
    assert (ran.returncode, ran.stderr) == (0, f"kb: case.json: {notice}\n")
    assert "lineOfBusiness" not in json.loads(ran.stdout)


def test_a_case_is_converted_by_the_codes_of_a_plan(
    run_kb: RunKb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_PSEUDONYM_KEY", "of the tests")
    shutil.copy(DATA / "fhir/a-plan-of-unknown-kind-is-asked-for.json", tmp_path / "case.json")
    (tmp_path / "plan.ttl").write_text(
        """PREFIX case: <https://w3id.org/policykb/case#>
        PREFIX read: <https://w3id.org/policykb/reading#>
        PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
        [] a read:Mapping ; read:system <https://nahdo.org/sopt> ; skos:notation "59" ; read:concept case:Marketplace .
        """,
        encoding="utf-8",
    )
    text = (tmp_path / "case.json").read_text(encoding="utf-8")
    (tmp_path / "case.json").write_text(text.replace('sopt", "code": "5"', 'sopt", "code": "59"'), encoding="utf-8")
    assert "lineOfBusiness" not in json.loads(run_kb("case", "convert", "case.json").stdout)
    ran = run_kb("case", "convert", "case.json", "--terminology", "plan.ttl")
    assert json.loads(ran.stdout)["lineOfBusiness"] == "Marketplace"


# ---------------------------------------------------------------------- template


def filled(blank: dict[str, Any]) -> dict[str, Any]:
    """A template in which what is required is filled in, and each finding once."""
    case = {**blank, "patient": "p"}
    case["request"] = {**blank["request"], "serviceDate": "2026-07-01"}
    given = {"basis": "ChartEvidence", "disease": "Leukemia", "absenceOf": "EarlierInfusion"}
    case["findings"] = [
        # An absence that counted would contradict the infusion.
        finding
        | {"date": "2024-01-01" if finding["type"] == "StatedAbsence" else "2026-06-01"}
        | {key: value for key, value in given.items() if f"//{key}" in finding}
        for finding in blank["//findings"]
    ]
    return case


def test_a_template_as_printed_lists_what_is_required(run_kb: RunKb, tmp_path: Path) -> None:
    ran = run_kb("case", "template", "CP.MP.101", "--revision", "2026-02")
    assert (ran.returncode, ran.stderr) == (0, "")
    (tmp_path / "case.json").write_text(ran.stdout, encoding="utf-8")
    ran = run_kb("validate", "case.json", "--format", "json")
    (answer,) = json.loads(ran.stdout)["malformed"]
    assert [(violation["focus"], violation["path"], violation["message"]) for violation in answer["violations"]] == [
        (
            "request",
            "case:serviceDate",
            'State exactly one service date, as a calendar day: "2026-07-01"^^xsd:date, without time and time zone.',
        ),
        (
            "the case",
            "case:patient",
            "State exactly one case:patient: a pseudonym, about which the case states nothing else.",
        ),
    ]


@pytest.mark.parametrize(
    ("revision", "findings"),
    [
        (
            "2026-02",
            [
                "AcuteGvHDAssessment",
                "ChimerismTest",
                "ChronicGvHDAssessment",
                "DiseaseStatusAssessment",
                "MRDTest",
                "RelapseRiskAssessment",
                "StatedAbsence",
                "Transplant",
            ],
        ),
        ("2019-10", ["ChimerismTest", "DiseaseStatusAssessment", "EarlierInfusion", "StatedAbsence", "Transplant"]),
    ],
)
def test_a_template_with_what_is_required_filled_in_is_asked_for_the_rest(
    kb: Repository, policy: Policy, plain: CaseForms, revision: str, findings: list[str]
) -> None:
    blank = template(plain, Revision.load(policy, policy.entry(revision)))
    assert [finding["type"] for finding in blank["//findings"]] == findings
    (answer,) = Run(kb, policy, "pyshifty", revision=revision).answers([read(kb, filled(blank))])
    assert isinstance(answer, Determination)
    assert answer.outcome.value == "InformationNeeded"


def test_a_template_says_everything_that_the_deciding_conditions_ask_for(policy: Policy, plain: CaseForms) -> None:
    revision = Revision.load(policy, policy.entry("2026-02"))
    text = json.dumps(template(plain, revision), ensure_ascii=False)
    assert all(revision.conditions[iri].asks_for in text for iri in revision.deciding_conditions)
    blank = template(plain, revision)
    assert blank["request"]["//purposes"] == (
        "Optional. What the service is meant to achieve. Any of, in brackets: TreatRelapse, LowerRelapseRisk, "
        "RaiseDonorChimerism. Asked for by I and I, note: Every purpose of the infusion."
    )
    (grade,) = (finding["//grade"] for finding in blank["//findings"] if "//grade" in finding)
    assert grade == (
        "Optional. Overall grade of acute GvHD, 0 to 4; 0 says that there is none. Takes a whole number, at least 0, "
        "at most 4."
    )


def test_a_template_is_of_the_revision_in_force_unless_one_is_named(run_kb: RunKb, policy: Policy) -> None:
    today = policy.in_force(date.today()).revision.name
    assert (
        run_kb("case", "template", f"CP.MP.101/{today}").stdout
        == run_kb("case", "template", "CP.MP.101").stdout
        == run_kb("case", "template", "CP.MP.101", "--revision", today).stdout
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["CP.MP.9"], "kb: no policy CP.MP.9 on file; did you mean CP.MP.101?\n"),
        (
            ["CP.MP.101", "--revision", "2022-10"],
            "kb: the criteria of CP.MP.101 revision 2022-10 are not on file; nearest on file: --revision 2023-10\n",
        ),
        (
            ["CP.MP.101/2022-10"],
            "kb: the criteria of CP.MP.101 revision 2022-10 are not on file; nearest on file: --revision 2023-10\n",
        ),
    ],
)
def test_a_template_of_what_is_not_on_file_is_one_line(run_kb: RunKb, arguments: list[str], expected: str) -> None:
    ran = run_kb("case", "template", *arguments)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", expected)


def test_the_template_of_a_second_policy_asks_for_what_that_one_reads(run_kb: RunKb, tmp_path: Path) -> None:
    for folder in ("ontology", "shapes"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copytree(DATA / "TST.7", tmp_path / "policies/TST.7")
    blank = json.loads(run_kb("case", "template", "TST.7", "--revision", "2024-01", "--kb", str(tmp_path)).stdout)
    assert [finding["type"] for finding in blank["//findings"]] == [
        "AcuteGvHDAssessment",
        "MRDTest",
        "RelapseRiskAssessment",
    ]
    asked = [note.partition(" Asked for by ")[2] for key, note in blank["request"].items() if key != "product"]
    service = "Scope: The service requested, or its procedure code."
    assert asked == [service, service, ""]


# ---------------------------------------------------------------------- codes and abbreviations of diseases


@pytest.mark.parametrize("written", ["C92.00", "icd-10-cm:C92.00", "ICD-10-CM:C92.A0"])
@pytest.mark.parametrize("path", ["request.reason", "findings.1.disease"])
def test_a_code_that_means_one_disease_and_nothing_more_is_read_as_it(
    kb: Repository, validator: jsonschema.Draft202012Validator, path: str, written: str
) -> None:
    assert statements(read(kb, varied(path, written))) == statements(read(kb, varied(path, "AcuteMyeloidLeukemia")))
    if written[0] != "I":
        validator.validate(varied(path, written))


def test_a_code_of_a_category_that_the_vocabulary_classes_is_read_too(kb: Repository) -> None:
    coded = read(kb, varied("request.reason", "C81.10"))
    assert statements(coded) == statements(read(kb, varied("request.reason", "HodgkinLymphoma")))


@pytest.mark.parametrize(
    ("path", "written", "says"),
    [
        (
            "request.reason",
            "C92.02",
            "says more than this key takes; it means AcuteMyeloidLeukemia and Relapsed: write each under its own key, "
            "the status in a finding with its date",
        ),
        (
            "findings.1.diseaseStatus",
            "icd-10-cm:C92.01",
            "says more than this key takes; it means AcuteMyeloidLeukemia and InRemission: write each under its own "
            "key, the status in a finding with its date",
        ),
        (
            "request.reason",
            "C9200",
            "is not a value of this key; ICD-10-CM C92.00 may be meant, without its dot: write C92.00",
        ),
        (
            "request.reason",
            "icd-10-cm:c92.00",
            "is not a value of this key; ICD-10-CM C92.00 may be meant, in small letters or with blanks: write C92.00",
        ),
        ("request.reason", "AML", "is not a value of this key; did you mean AcuteMyeloidLeukemia?"),
        ("request.reason", "APL", "is not a value of this key; did you mean AcutePromyelocyticLeukemia?"),
        # Part of a name: suggested where few names have it, also beside the name that is closest.
        (
            "findings.1.diseaseStatus",
            "remission",
            "is not a value of this key; did you mean CompleteRemission or InRemission or PartialRemission?",
        ),
        ("request.reason", "leukemia", "is not a value of this key; did you mean Leukemia?"),
        ("findings.0.basis", "Chart", "is not a value of this key; did you mean ChartEvidence?"),
        (
            "findings.1.type",
            "GvHD",
            "is not a value of this key; did you mean AcuteGvHDAssessment or ChronicGvHDAssessment?",
        ),
        ("findings.1.disease", "multiple myeloma", "is not a value of this key; did you mean MultipleMyeloma?"),
    ],
)
def test_a_code_that_says_more_and_an_abbreviation_get_a_suggestion(
    kb: Repository, path: str, written: str, says: str
) -> None:
    place = re.sub(r"\.(\d)", r"[\1]", path)
    assert refusal(kb, varied(path, written)) == f'case.json: {place}: "{written}" {says}'


@pytest.mark.parametrize(
    ("path", "written"),
    [
        # A category, of whose parts only some are known; another system; a disease that the case shapes do not list.
        ("request.reason", "C92"),
        ("request.reason", "icd-10:C92.00"),
        ("request.reason", "I10"),
        # A code of a disease where none is due.
        ("request.service", "C92.00"),
    ],
)
def test_a_code_that_means_no_value_of_the_key_is_refused(kb: Repository, path: str, written: str) -> None:
    assert f'{path}: "{written}" is not a value of this key; it takes ' in refusal(kb, varied(path, written))


# ---------------------------------------------------------------------- schema and context


@pytest.mark.parametrize(("arguments", "file"), [([], "case.schema.json"), (["--context"], "case-context.jsonld")])
def test_what_is_published_is_current(run_kb: RunKb, arguments: list[str], file: str) -> None:
    """If this fails: make docs."""
    assert run_kb("case", "schema", "--shared", *arguments).stdout == (ROOT / "docs" / file).read_text(encoding="utf-8")


def test_plain_json_says_what_json_ld_says_with_the_published_context(
    kb: Repository, policy: Policy, plain: CaseForms
) -> None:
    """Every fifth example, and a case with a value of every kind."""
    context = json.loads((ROOT / "docs/case-context.jsonld").read_text(encoding="utf-8"))
    reader = CaseReader(kb)
    files = [one.path for one in read_manifest(kb, policy.cases_folder)][::5]
    every_kind = varied("request.product.withinClinicalTrial", False)
    every_kind["request"]["procedureCodes"] *= 2
    every_kind["findings"][3]["inDoubt"] = 'a text, "with" \u0000, \n and \u202e'
    cases = [write(plain, case) for file in files for case in reader.read(file.name, file)]
    for content in (*cases, every_kind):
        (read,) = reader.stream("case.json", None, io.BytesIO(json.dumps(content).encode()), "json")
        # JSON-LD would give a number that is no text another datatype.
        texts = json.loads(json.dumps(content), parse_float=str, parse_int=str)
        linked = json.dumps({**context, **as_json_ld(texts)}).encode()
        (expected,) = reader.stream("case.jsonld", None, io.BytesIO(linked), "jsonld")
        assert isinstance(read, Case) and isinstance(expected, Case)
        assert (read.digest, read.iri, len(read.about)) == (expected.digest, expected.iri, len(expected.about))
        assert sum(map(len, read.about.values())) == sum(map(len, expected.about.values()))
    assert len(cases) > 30


def as_json_ld(content: dict[str, Any]) -> dict[str, Any]:
    """A case as JSON-LD: its objects with their classes, the coverage as one, and names as IRIs."""
    given = "https://w3id.org/policykb/given/"
    request = {"type": "Request", **content["request"]}
    if "product" in request:
        request["product"] = {"type": "Product", **request["product"]}
    others = {key: value for key, value in content.items() if key not in ("id", "patient", "request", "lineOfBusiness")}
    line = {"lineOfBusiness": content["lineOfBusiness"]} if "lineOfBusiness" in content else {}
    name = content.get("id")
    return {
        "type": "Case",
        **({"id": name if "//" in name else f"{given}case/{name}"} if name else {}),
        "coverage": {"type": "Coverage", **line},
        "patient": {
            "id": f"{given}patient/{content['patient']}" if "//" not in content["patient"] else content["patient"]
        },
        "request": request,
        **others,
    }


def test_the_schema_is_one_of_its_draft(plain: CaseForms, validator: jsonschema.Draft202012Validator) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(plain))
    validator.validate(CASE)


# The syntax of an IRI is for its parser; and to Python's patterns a line end at the end of a text is none.
@pytest.mark.parametrize(
    ("path", "value", "expected"), [row for row in REFUSED if row[1] not in ("http://[bad", "17\n", ["cpt:38242\n"])]
)
def test_the_schema_refuses_what_the_reader_refuses(
    validator: jsonschema.Draft202012Validator, path: str, value: Any, expected: str
) -> None:
    assert not validator.is_valid(varied(path, value)), expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("findings.3.grade", 7),
        ("findings.0.basis", ...),
        ("patient", ...),
        ("findings.3.inDoubt", ""),
        ("findings.3.inDoubt", "d" * 501),
    ],
)
def test_the_schema_refuses_what_the_case_shapes_refuse_of_one_key(
    validator: jsonschema.Draft202012Validator, path: str, value: Any
) -> None:
    assert not validator.is_valid(varied(path, value))


def test_the_bounds_of_the_schema_are_those_of_the_shapes(plain: CaseForms) -> None:
    properties = schema(plain)["$defs"]["ChimerismTest"]["properties"]
    bounds = {
        name: {key: value for key, value in described.items() if "um" in key} for name, described in properties.items()
    }
    assert bounds["donorPercent"] == {"minimum": 0, "maximum": 100}
    assert bounds["donorPercentBelow"] == {"exclusiveMinimum": 0, "maximum": 100}
    doubt = {key: value for key, value in properties["inDoubt"].items() if key not in ("title", "description")}
    assert doubt == {"type": "string", "minLength": 1, "maxLength": 500}


def test_the_pattern_of_codes_is_that_of_the_shapes_with_prefixes(plain: CaseForms) -> None:
    codes = plain.forms["Request"].keys["procedureCodes"]
    assert (codes.pattern, codes.many, codes.required) == (
        "^(cpt:[0-9]{4}[0-9A-Z]|hcpcs:[A-Z][0-9]{4})$",
        True,
        False,
    )


FINDING = """
PREFIX case: <https://w3id.org/policykb/case#>
PREFIX clin: <https://w3id.org/policykb/clinical#>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX shape: <https://w3id.org/policykb/shape#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A knowledge base whose data knows one more class of findings."""
    for folder in ("ontology", "shapes"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    clinical = tmp_path / "ontology/clinical/earlier-infusion.ttl"
    clinical.write_text(
        clinical.read_text(encoding="utf-8")
        + 'clin:DoseReport a owl:Class ; rdfs:subClassOf case:Finding ; rdfs:label "dose report"@en .\n'
        'clin:cellDose a owl:DatatypeProperty ; rdfs:label "cell dose"@en ; skos:definition "Cells given."@en .\n',
        encoding="utf-8",
    )
    shapes = tmp_path / "shapes/case.ttl"
    text = shapes.read_text(encoding="utf-8")
    shapes.write_text(
        text + "shape:DoseReport a sh:NodeShape ; sh:targetClass clin:DoseReport ; sh:closed true ;\n"
        "    sh:ignoredProperties ( rdf:type ) ; sh:property shape:Finding-date , shape:Finding-basis , shape:Dose .\n"
        "shape:Dose sh:path clin:cellDose ; sh:maxCount 1 ; sh:datatype xsd:decimal ; sh:minExclusive 0.5 ;\n"
        '    sh:message "State one dose."@en .\n',
        encoding="utf-8",
    )
    return tmp_path


def test_a_class_of_findings_that_only_the_data_know_is_read_and_described(grown: Path) -> None:
    kb = Repository(grown)
    finding = {"type": "DoseReport", "date": "2026-01-01", "basis": "Attestation", "cellDose": 1.5}
    case = read(kb, {"patient": "p", "request": {"serviceDate": "2026-07-01"}, "findings": [finding]})
    stated = 'https://w3id.org/policykb/clinical#cellDose "1.5"^^<http://www.w3.org/2001/XMLSchema#decimal>'
    assert stated in statements(case)
    described = schema(CaseForms(kb))["$defs"]["DoseReport"]
    assert described["required"] == ["type", "date", "basis"]
    assert described["properties"]["cellDose"] == {
        "title": "cell dose",
        "description": "Cells given.",
        "type": "number",
        "exclusiveMinimum": 0.5,
    }
    assert write(CaseForms(kb), case)["findings"] == [finding]


def test_a_shape_that_says_nothing_of_its_value_is_an_error_of_the_knowledge_base(grown: Path) -> None:
    shapes = grown / "shapes/case.ttl"
    text = shapes.read_text(encoding="utf-8")
    assert text.count("sh:datatype xsd:decimal ; sh:minExclusive 0.5 ;") == 1
    shapes.write_text(text.replace("sh:datatype xsd:decimal ; sh:minExclusive 0.5 ;", ""), encoding="utf-8")
    with pytest.raises(KnowledgeBaseError) as refused:
        schema(CaseForms(Repository(grown)))
    assert str(refused.value) == (
        "shapes/case.ttl: shape:Dose does not say what a value in plain JSON is; give it a sh:class, sh:datatype, "
        "sh:in or sh:pattern"
    )


def test_two_terms_of_one_name_are_an_error_of_the_knowledge_base(grown: Path) -> None:
    clinical = grown / "ontology/clinical/diseases.ttl"
    clinical.write_text(
        clinical.read_text(encoding="utf-8") + 'clin:Commercial a clin:Disease ; skos:prefLabel "x"@en .\n',
        encoding="utf-8",
    )
    with pytest.raises(KnowledgeBaseError) as refused:
        CaseForms(Repository(grown)).context  # noqa: B018
    assert str(refused.value) == (
        "shapes/case.ttl: plain JSON cannot tell two terms of the name Commercial apart; give one a case:jsonKey or "
        "another local name"
    )
