"""FHIR R4 in: exact outcomes, exact records of reading, and nothing of the person in what goes out."""

from __future__ import annotations

import builtins
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bundles import CLINICAL, DATA, MEETING, RunKb, case_of, content, data, notes_of, record, resources
from fhir_of import fhir_of
from rdflib.namespace import PROV, RDF

from kb_tools.cases.case import Case
from kb_tools.cases.fhir import r4 as cases_fhir_r4
from kb_tools.cases.fhir import references as cases_fhir_references
from kb_tools.cases.fhir import resource as cases_fhir_resource
from kb_tools.cases.fhir.reader import FhirReader, is_fhir
from kb_tools.cases.form import CaseForms
from kb_tools.cases.inputs import find_files
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import read_manifest
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import MAX_BYTES
from kb_tools.rdf.namespaces import CASE, COND, READ
from kb_tools.rdf.terms import local_name
from kb_tools.render.case_json import write

pytestmark = pytest.mark.usefixtures("pseudonym_key")
EXPECTED: dict[str, dict[str, Any]] = json.loads((DATA / "manifest.json").read_text(encoding="utf-8"))
TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.fixture(scope="module")
def reader(kb: Repository) -> FhirReader:
    return FhirReader(kb)


# ---------------------------------------------------------------------- exact outcomes and records


@pytest.fixture(scope="module")
def answered(kb: Repository, policy: Policy) -> dict[str, Determination]:
    """Every bundle of the manifest, determined under 2026-02."""
    reader = CaseReader(kb)
    cases = []
    for path in sorted(DATA.glob("*.json")):
        if path.stem != "manifest":
            (case,) = reader.stream(path.stem, path, io.BytesIO())
            assert isinstance(case, Case), case
            cases.append(case)
    answers = Run(kb, policy, "pyshacl", revision="2026-02").answers(cases)
    return {answer.case.source: answer for answer in answers if isinstance(answer, Determination)}


def test_every_bundle_is_expected_and_determined(answered: dict[str, Determination]) -> None:
    assert answered.keys() == EXPECTED.keys()
    assert len(EXPECTED) == 53


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bundle_comes_to_its_outcome_with_its_record(answered: dict[str, Determination], name: str) -> None:
    found = answered[name]
    assert found.outcome.value == EXPECTED[name]["outcome"]
    assert list(found.case.notices) == EXPECTED[name]["notices"]
    assert record(found.case) == EXPECTED[name]["reading"]


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_disappears_from_a_resource(answered: dict[str, Determination], name: str) -> None:
    """Every element is in the record, of what is ignored too; of a type that is not read how many there are."""
    case = answered[name].case
    assert case.reading
    noted: dict[str, set[str]] = {}
    for note in case.reading.notes:
        noted.setdefault(note.place, set()).update(re.split(r"[.\[]", element)[0] for element in note.elements)
    for i, entry in enumerate(content(name)["entry"]):
        resource = entry["resource"]
        kind = resource["resourceType"]
        place = f"entry[{i}] {kind}"
        if place in noted:
            r4 = {row[1] for row in cases_fhir_r4.library_class(kind)().elementProperties()}
            inside = [f"{place} contained[{j}]" for j in range(len(resource.get("contained", ())))]
            unread = [str(note) for note in case.reading.notes if note.place == place] == [f"{place}: not read"]
            assert unread or noted[place] == (resource.keys() & r4) - {"contained"}, place
            assert all(any(known.startswith(start) for known in noted) for start in inside), place
        else:
            assert any(note.place.startswith(f"{kind} {TIMES}") for note in case.reading.notes)


def test_a_case_states_what_its_resources_say(kb: Repository, tmp_path: Path) -> None:
    written = write(CaseForms(kb), case_of(kb, content(), tmp_path))
    assert re.fullmatch(r"urn:policykb:patient:[0-9a-f]{32}", written.pop("patient"))
    findings = written.pop("findings")
    assert written == {
        "lineOfBusiness": "Commercial",
        "request": {
            "service": "DonorLymphocyteInfusion",
            "procedureCodes": ["cpt:38242"],
            "serviceDate": "2026-07-01",
            "reason": "AcuteMyeloidLeukemia",
            "product": {"processing": ["Unmanipulated"]},
        },
    }
    assert sorted(findings, key=lambda finding: finding["type"]) == [
        {"type": "AcuteGvHDAssessment", "date": "2026-06-20", "basis": "ChartEvidence", "grade": 0},
        {
            "type": "DiseaseStatusAssessment",
            "date": "2026-06-01",
            "basis": "ChartEvidence",
            "disease": "AcuteMyeloidLeukemia",
            "diseaseStatus": "Relapsed",
        },
        {"type": "Transplant", "date": "2025-01-15", "basis": "ChartEvidence", "graftSource": "Allogeneic"},
    ]


def test_no_digit_of_a_percentage_is_lost(kb: Repository, tmp_path: Path) -> None:
    bundle = content()
    bundle["entry"].append(
        {
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": CLINICAL, "code": "ChimerismTest"}]},
                "subject": {"reference": "Patient/p"},
                "effectiveDateTime": "2026-06-01",
                "valueQuantity": {"value": 87.25, "system": "http://unitsofmeasure.org", "code": "%"},
            }
        }
    )
    path = tmp_path / "case.json"
    path.write_bytes(data(bundle).replace(b"87.25", b"87.250"))
    (case,) = CaseReader(kb).stream("case.json", path, io.BytesIO())
    assert isinstance(case, Case)
    assert "87.250" in {str(object_) for _, _, object_ in case.triples()}


# What a case says of its service twice cannot be said in a claim: a code names the service too.
STATED_TWICE = {
    "code-38242-beside-another-service-conflicts",
    "a-conflicting-service-under-medicare-is-not-applicable",
}


def test_the_example_cases_come_to_the_same_in_fhir(kb: Repository, policy: Policy) -> None:
    expected = [
        expectation
        for expectation in read_manifest(kb, policy.cases_folder)
        if expectation.path.stem not in STATED_TWICE
    ]
    cases = CaseReader(kb)
    read: dict[str, list[Case]] = {}
    for expectation in expected:
        (original,) = cases.read(expectation.name, expectation.path)
        if any(predicate == CASE.inDoubt for _, predicate, _ in original.triples()):
            continue  # FHIR has no way to state it: what is in doubt, the reader of its resources decides.
        (case,) = cases.stream(expectation.name, None, io.BytesIO(data(fhir_of(original))), "json")
        assert isinstance(case, Case)
        read.setdefault(expectation.revision, []).append(case)
    came_to = {
        (answer.case.source, revision): answer.outcome.value
        for revision, of_revision in read.items()
        for answer in Run(kb, policy, "pyshacl", revision=revision).answers(of_revision)
        if isinstance(answer, Determination)
    }
    wanted = {(expectation.name, expectation.revision): expectation.outcome for expectation in expected}
    assert came_to == {key: outcome for key, outcome in wanted.items() if key in came_to}
    assert len(came_to) == 277


# ---------------------------------------------------------------------- forms of input


def test_a_service_request_by_itself_is_a_case_without_a_chart(reader: FhirReader) -> None:
    request = resources(content("a-service-request-gives-its-reason-by-reference"))["ServiceRequest"]
    del request["reasonReference"]
    imported = reader.bundle(data(request), "request.json")
    assert [str(note) for note in notes_of(imported)] == [
        "ServiceRequest: not understood: the reference leads nowhere in the input: insurance[0]",
        "ServiceRequest: used: as the request (from status, intent, code, subject, occurrenceDateTime, insurance)",
        "ServiceRequest: not read: id",
    ]


def test_ndjson_of_bundles_is_read_line_by_line(reader: FhirReader) -> None:
    lines = [data(content()), b"", b"{]", data(content("a-dual-eligible-plan-is-medicare"))]
    first, broken, last = reader.stream("in.ndjson", io.BytesIO(b"\n".join(lines)))
    assert not isinstance(first, UnreadableInput) and first.source == "in.ndjson:1"
    assert str(broken).startswith("in.ndjson:3: not valid JSON: Expecting property name")
    assert not isinstance(last, UnreadableInput) and last.source == "in.ndjson:4"


def bulk(folder: Path, *patients: str) -> list[Path]:
    """The meeting case of several patients as bulk data: a file a type, in no order of patients."""
    lines: dict[str, list[bytes]] = {"Organization": [data({"resourceType": "Organization", "name": "Plan"})]}
    for patient in patients:
        for entry in content()["entry"]:
            text = json.dumps(entry["resource"])
            for kind in ("Patient/p", "Coverage/c"):
                text = text.replace(f'"{kind}"', f'"{kind}{patient}"')
            text = text.replace('"id": "p"', f'"id": "p{patient}"').replace('"id": "c"', f'"id": "c{patient}"')
            text = text.replace('"value": "M-1"', f'"value": "M-{patient}"')
            lines.setdefault(entry["resource"]["resourceType"], []).insert(0, text.encode())
    paths = []
    for kind, found in lines.items():
        path = folder / f"{kind}.ndjson"
        path.write_bytes(b"\n".join(found) + b"\n")
        paths.append(path)
    return paths


def test_bulk_data_is_grouped_by_patient(kb: Repository, tmp_path: Path) -> None:
    bulk(tmp_path, "1", "2")
    ((source, folder),) = (found for found in find_files([str(tmp_path)]) if not isinstance(found, UnreadableInput))
    first, second = CaseReader(kb).stream(source, folder, io.BytesIO())
    assert isinstance(first, Case) and isinstance(second, Case)
    assert (first.source, second.source) == (f"{tmp_path} patient 1", f"{tmp_path} patient 2")
    assert first.value(first.node, CASE.patient) != second.value(second.node, CASE.patient)
    assert len(first.values(first.node, CASE.finding)) == len(second.values(second.node, CASE.finding)) == 3
    assert record(first)[-1] == f"Organization {TIMES}1: not read"


def test_a_folder_of_resources_is_one_case_beside_its_bundles(kb: Repository, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i, entry in enumerate(content()["entry"]):
        (tmp_path / f"in/{i}.json").write_bytes(data(entry["resource"]))
    (tmp_path / "in/bundle.json").write_bytes(data(content()))
    found = [input_ for input_ in find_files([str(tmp_path)]) if not isinstance(input_, UnreadableInput)]
    assert [path for _, path in found] == [tmp_path / "in"]
    cases = [case for source, path in found for case in CaseReader(kb).stream(source, path, io.BytesIO())]
    assert [len(case.values(case.node, CASE.finding)) for case in cases if isinstance(case, Case)] == [3, 3]


def test_standard_input_is_told_from_other_json(run_kb: RunKb) -> None:
    ended = run_kb("validate", "-", "--revision", "2026-02", stdin=data(content()))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "CRITERIA MET" in ended.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"resourceType": "Bundle"}', True),
        (b'{"request": {"//": "\\"resourceType\\": is FHIR"}}', False),
        (b'{"// note": "x", "deep": {"resourceType" : "Bundle"}}', False),
        (b'{"resourceType": "Bundle", ', True),
        (b'{"hook": "order-sign", "hookInstance": "0"}', True),
        (b'{"request": {"hook": "order-sign", "context": {}}}', False),
        (b'{"hook": "order-sign"}', False),
        (b"[]", False),
    ],
)
def test_fhir_is_told_by_its_top(text: bytes, expected: bool) -> None:
    assert is_fhir(text) is expected


# ---------------------------------------------------------------------- what cannot be read


def changed(**changes: Any) -> dict[str, Any]:
    """The meeting bundle with elements of its claim changed; None removes one."""
    bundle = content()
    claim = resources(bundle)["Claim"]
    claim.update(changes)
    for name in [name for name, value in claim.items() if value is None]:
        del claim[name]
    return bundle


def with_more(*more: dict[str, Any]) -> dict[str, Any]:
    bundle = content()
    bundle["entry"] += [{"resource": resource} for resource in more]
    return bundle


CLAIM = resources(content())["Claim"]
OTHER_DAY = [*CLAIM["item"], {**CLAIM["item"][0], "sequence": 2, "servicedDate": "2026-07-08"}]
SEND_REQUEST = "send a Claim with use preauthorization, or a ServiceRequest, that is active"
BAD: dict[str, tuple[Any, str]] = {
    "no request": (
        changed(use="claim"),
        f"no request: entry[0] Claim: it is no request for preauthorization; {SEND_REQUEST}",
    ),
    "a request in error": (
        changed(status="entered-in-error"),
        f"no request: entry[0] Claim: its status is entered-in-error; {SEND_REQUEST}",
    ),
    "two requests": (with_more({**CLAIM, "id": "other"}), "2 requests; send one bundle a request"),
    "no service date": (
        changed(item=[{name: value for name, value in CLAIM["item"][0].items() if name != "servicedDate"}]),
        "no service date; give the request one full date of service",
    ),
    "no full service date": (
        changed(item=[{**CLAIM["item"][0], "servicedDate": "2026-07"}]),
        "no service date: entry[0] Claim: no full date: item[0].servicedDate; "
        "give the request one full date of service",
    ),
    "two service dates": (changed(item=OTHER_DAY), "several service dates; send one bundle a date of service"),
    "two patients": (
        with_more(
            {"resourceType": "Patient", "id": "q", "identifier": [{"value": "M-2"}]},
            {**resources(content())["Observation"], "id": "s", "subject": {"reference": "Patient/q"}},
        ),
        "resources of more than one patient; send one bundle a patient",
    ),
    "a stranger": (
        with_more({**resources(content())["Observation"], "id": "s", "subject": {"reference": "Patient/q"}}),
        "resources of more than one patient; send one bundle a patient",
    ),
    "R5 by an element": (
        with_more({"resourceType": "Procedure", "status": "completed", "occurrenceDateTime": "2026-01-01"}),
        "entry[7] Procedure is of FHIR R5 (occurrenceDateTime); convert it to FHIR R4 (4.0.1)",
    ),
    "R5 by a code": (
        with_more({"resourceType": "ServiceRequest", "status": "active", "code": {"concept": {}}}),
        "entry[7] ServiceRequest is of FHIR R5 (code.concept); convert it to FHIR R4 (4.0.1)",
    ),
    "STU3 by a status": (
        with_more({"resourceType": "Condition", "clinicalStatus": "active"}),
        "entry[7] Condition is of FHIR STU3 (clinicalStatus); convert it to FHIR R4 (4.0.1)",
    ),
    "R4B by a profile": (
        with_more(
            {"resourceType": "Patient", "meta": {"profile": ["http://hl7.org/fhir/4.3/StructureDefinition/Patient"]}}
        ),
        "entry[7] Patient is of FHIR 4.3 (meta.profile); convert it to FHIR R4 (4.0.1)",
    ),
    "DSTU2 by a type": (
        with_more({"resourceType": "MedicationOrder", "status": "active"}),
        "entry[7] is a MedicationOrder, a resource of FHIR DSTU2; convert all to FHIR R4 (4.0.1)",
    ),
    "STU3 by a type": (
        {"resourceType": "ProcedureRequest", "status": "active"},
        "a ProcedureRequest, a resource of FHIR STU3; convert it to FHIR R4 (4.0.1)",
    ),
    "R5 by a type": (
        with_more({"resourceType": "NutritionIntake"}),
        "entry[7] is a NutritionIntake, a resource of FHIR R5; convert all to FHIR R4 (4.0.1)",
    ),
    "a request of CDS Hooks": (
        {"hook": "order-sign", "hookInstance": "0", "context": {"draftOrders": content()}},
        "a CDS Hooks request (order-sign): kb serve answers these, under /cds-services; send it there, or put "
        "the order, made active, and its prefetch into a Bundle, and send that",
    ),
    "a request of a hook that is not known": (
        {"hook": "Jane Roe", "hookInstance": "0"},
        "a CDS Hooks request: kb serve answers these, under /cds-services; send it there, or put "
        "the order, made active, and its prefetch into a Bundle, and send that",
    ),
    "R5 by itself": ({**content(), "fhirVersion": "5.0.0"}, "another version of FHIR; convert it to FHIR R4 (4.0.1)"),
    "a history": (
        {**content(), "type": "history"},
        "a bundle of a type that is not read; send one of batch, collection, document, message, searchset, transaction",
    ),
    "an empty bundle": ({"resourceType": "Bundle", "type": "collection"}, "no patient; give the request a patient"),
    "a single resource": (resources(content())["Patient"], f"no request; {SEND_REQUEST}"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_case_is_one_line(reader: FhirReader, name: str) -> None:
    bundle, line = BAD[name]
    with pytest.raises(UnreadableInput) as refused:
        reader.bundle(data(bundle), "in.json")
    assert str(refused.value) == f"in.json: {line}"


def test_no_element_of_another_version_is_one_of_r4() -> None:
    for kind, elements in cases_fhir_resource._OTHER_VERSIONS.items():
        r4 = {row[1] for row in cases_fhir_r4.library_class(kind)().elementProperties()}
        assert r4.isdisjoint(elements) and "extension" in r4, kind


def test_no_type_of_another_version_is_one_of_r4() -> None:
    for kind in cases_fhir_r4._TYPES_OF_OTHER_VERSIONS:
        assert cases_fhir_r4.type_of({"resourceType": kind}) == "resource", kind


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            b'{"resourceType": "Bundle",\n "type": }',
            "in.json:2: not valid JSON: Expecting value, column 10; correct the syntax",
        ),
        (b'{"resourceType": "Bundle", "a": NaN}', "in.json: NaN is not a JSON number; leave out what is unknown"),
        (b'{"resourceType": "Bundle", "a": 1, "a": 2}', "in.json: a key twice in one object; keep one"),
        (b'{"resourceType": "\xff"}', "in.json: not UTF-8; save the file as UTF-8"),
        (
            b'{"resourceType": "Bundle", "a": ' + b"9" * 5000 + b"}",
            "in.json: a number with too many digits; correct the number",
        ),
        (b"[" * 1_000_000, "in.json: nested too deeply; a FHIR resource has a few levels"),
        (b"[]", "in.json: no FHIR R4 resource; send a Bundle"),
        (
            b" " * (MAX_BYTES + 1),
            "in.json: more than 32 MiB; send one bundle a line, in an .ndjson file",
        ),
    ],
)
def test_what_is_no_fhir_json_is_one_line(reader: FhirReader, text: bytes, line: str) -> None:
    with pytest.raises(UnreadableInput) as refused:
        reader.bundle(text, "in.json")
    assert str(refused.value) == line


def test_a_deeply_nested_extension_is_one_line(reader: FhirReader) -> None:
    deep: dict[str, Any] = {"url": "https://ehr.example/x"}
    for _ in range(400):
        deep = {"url": "https://ehr.example/x", "extension": [deep]}
    with pytest.raises(UnreadableInput, match="nested too deeply"):
        reader.bundle(data(with_more({"resourceType": "Patient", "id": "p", "extension": [deep]})), "in.json")


def test_a_file_of_100_mib_is_refused_before_it_is_read(run_kb: RunKb, tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    ended = run_kb("validate", str(path))
    assert ended.returncode == 2
    assert ended.stderr == f"kb: {path}: 100 MiB, and a file may have 32 MiB; split it into smaller files\n"


def test_a_line_that_is_too_long_stops_no_other(reader: FhirReader) -> None:
    lines = b'{"resourceType":"Bundle",' + b" " * MAX_BYTES + b"}\n" + data(content())
    long, good = reader.stream("in.ndjson", io.BytesIO(lines))
    assert str(long) == "in.ndjson:1: more than 32 MiB; send one bundle a line, in an .ndjson file"
    assert not isinstance(good, UnreadableInput) and good.source == "in.ndjson:2"


def test_other_cases_go_on(run_kb: RunKb, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(data(changed(use="claim")))
    (tmp_path / "b.json").write_bytes(data(content()))
    ended = run_kb("validate", str(tmp_path), "--revision", "2026-02", "--format", "json")
    printed = json.loads(ended.stdout)
    assert (ended.returncode, len(printed["determinations"])) == (2, 1)
    assert printed["errors"] == [
        f"{tmp_path / 'a.json'}: no request: entry[0] Claim: it is no request for preauthorization; {SEND_REQUEST}"
    ]
    assert printed["determinations"][0]["reading"][1] == {
        "resource": "entry[0] Claim",
        "treatment": "used",
        "text": "as the request",
        "elements": ["status", "use", "patient", "diagnosis", "insurance", "item"],
    }


def test_without_the_library_there_is_one_line(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(cases_fhir_r4, "import_module", missing)
    with pytest.raises(KbError) as refused:
        FhirReader(kb)
    assert str(refused.value) == "reading FHIR needs fhirclient; pip install 'kb-tools[fhir]'"


def test_other_cases_need_no_library(
    kb: Repository, well_formed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        assert not name.startswith("fhirclient")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    (tmp_path / "case.ttl").write_text(well_formed, encoding="utf-8")
    (case,) = CaseReader(kb).stream("case.ttl", tmp_path / "case.ttl", io.BytesIO())
    assert isinstance(case, Case) and case.reading is None


# ---------------------------------------------------------------------- one resource at a time


OWN = "https://w3id.org/policykb/clinical#"
UCUM = "http://unitsofmeasure.org"
GRADE = {"coding": [{"system": OWN, "code": "AcuteGvHDAssessment"}]}
CELLS = {"coding": [{"system": OWN, "code": "ChimerismTest"}]}
RESIDUAL = {"coding": [{"system": OWN, "code": "MRDTest"}]}
WORSENED = {"coding": [{"system": "http://snomed.info/sct", "code": "271299001"}]}
P = {"reference": "Patient/p"}


def observed(code: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "subject": P,
        "code": code,
        "effectiveDateTime": "2026-06-22",
    } | more


def graded(value: Any, comparator: str | None = None) -> dict[str, Any]:
    found = {"value": value, "system": UCUM, "code": "1"}
    return observed(GRADE, valueQuantity=found | ({"comparator": comparator} if comparator else {}))


def answered_by(*items: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": P, "item": list(items)}


def in_group(kind: str, **answers: list[dict[str, Any]]) -> dict[str, Any]:
    return answered_by(
        {"linkId": kind, "item": [{"linkId": f"{kind}/{name}", "answer": value} for name, value in answers.items()]}
    )


DAY = [{"valueDate": "2026-06-22"}]
ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "a grade above 1 is at least 2": (graded(1, ">"), "used: acute GvHD assessment of 2026-06-22: grade at least 2"),
    "a grade below 2 is at most 1": (graded(2, "<"), "used: acute GvHD assessment of 2026-06-22: grade at most 1"),
    "a grade of at most 1": (graded(1, "<="), "used: acute GvHD assessment of 2026-06-22: grade at most 1"),
    "a grade below 0 is none": (graded(0, "<"), "not understood: a number out of range: valueQuantity"),
    "half a grade is none": (graded(1.5), "not understood: not a number that this finding can have: valueQuantity"),
    "a grade of 5 is none": (graded(5), "not understood: a number out of range: valueQuantity"),
    "another comparator": (graded(2, "ad"), "not understood: not a comparator of FHIR R4: valueQuantity"),
    "a text is no grade": (
        observed(GRADE, valueString="two"),
        "not understood: a value of a type that is not read for this finding: valueString",
    ),
    "a grade needs no unit of its own": (
        observed(GRADE, valueQuantity={"value": 2}),
        "used: acute GvHD assessment of 2026-06-22: grade 2",
    ),
    "nothing is no grade": (observed(GRADE), "not understood: no value: value[x]"),
    "two values are none": (
        observed(GRADE, valueInteger=1, valueString="two"),
        "not understood: more than one value: valueInteger, valueString",
    ),
    "an exponent is not read": (
        observed(CELLS, valueQuantity={"value": 1e-7, "system": UCUM, "code": "%"}),
        "not understood: a number in exponent notation: valueQuantity",
    ),
    "a result of another kind": (
        observed(RESIDUAL, valueCodeableConcept=WORSENED),
        "ignored: As a status of the disease that the observation is about: valueCodeableConcept",
    ),
    "a number is no result": (
        observed(RESIDUAL, valueInteger=1),
        "not understood: a value of a type that is not read for this finding: valueInteger",
    ),
    "codes of two kinds": (
        observed({"coding": [*GRADE["coding"], *CELLS["coding"]]}, valueInteger=1),
        "not understood: its codes contradict each other: code",
    ),
    "no day": (observed(GRADE, valueInteger=1, effectiveDateTime=None), "not understood: no date: effectiveDateTime"),
    "an instant has a day": (
        observed(GRADE, valueInteger=1, effectiveDateTime=None, effectiveInstant="2026-06-22T10:00:00Z"),
        "used: acute GvHD assessment of 2026-06-22: grade 1",
    ),
    "days are no day": (
        observed(GRADE, valueInteger=1, effectiveDateTime=None)
        | {"effectivePeriod": {"start": "2026-06-01", "end": "2026-06-22"}},
        "not understood: a period of more than one day: effectivePeriod",
    ),
    "of nobody": (
        observed(GRADE, valueInteger=1, subject=None),
        "not understood: it does not name its patient: subject",
    ),
    "a relapse that is not dated": (
        {"resourceType": "Condition", "subject": P}
        | {"code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C92.02"}]}},
        "not understood: the status has no date: recordedDate is missing: recordedDate",
    ),
    "a status of no disease": (
        observed({"coding": [{"system": "http://loinc.org", "code": "97509-4"}]}, valueCodeableConcept=WORSENED),
        "not understood: it does not say which disease it is about: focus",
    ),
    "a plan that ended": (
        {"resourceType": "Coverage", "status": "active", "beneficiary": P, "payor": [{"display": "p"}]},
        "ignored: the request names another plan",
    ),
    "an answer without a date": (
        in_group("MRDTest", mrdResult=[{"valueCoding": {"system": OWN, "code": "MRDDetected"}}]),
        "not understood: no date: MRDTest/date",
    ),
    "two answers to a question that takes one": (
        in_group("AcuteGvHDAssessment", date=DAY, grade=[{"valueInteger": 1}, {"valueInteger": 2}]),
        "not understood: more than one answer: item[0].item[1]",
    ),
    "a status answered without its disease": (
        in_group(
            "DiseaseStatusAssessment", date=DAY, diseaseStatus=[{"valueCoding": {"system": OWN, "code": "Relapsed"}}]
        ),
        "not understood: it does not say which disease it is about: item[0].item[0], item[0].item[1]",
    ),
    "an answer of another list": (
        answered_by({"linkId": "Request/purpose", "answer": [{"valueCoding": {"system": OWN, "code": "Relapsed"}}]}),
        "not understood: clin:Relapsed does not answer this question: item[0].answer[0].valueCoding",
    ),
    "a text is no answer": (
        answered_by({"linkId": "Request/purpose", "answer": [{"valueString": "relapse"}]}),
        "not understood: not an answer that this question accepts: item[0].answer[0]",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_made_of_a_resource(reader: FhirReader, name: str) -> None:
    resource, line = ROWS[name]
    bundle = with_more({name: value for name, value in resource.items() if value is not None})
    notes = [note for note in notes_of(reader.bundle(data(bundle), "in.json")) if note.place.startswith("entry[7]")]
    texts = [str(note).partition(": ")[2].partition(" (from")[0] for note in notes]
    assert line in texts
    assert len([text for text in texts if not text.startswith(("not read", "used: as attestation"))]) == 1


def test_a_reference_leads_to_the_latest_version(reader: FhirReader) -> None:
    bundle = content("detected-residual-disease-meets-in-remission")
    condition = resources(bundle)["Condition"]
    condition["meta"] = {"lastUpdated": "2026-06-02T00:00:00Z"}
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C90.01"}]}
    older = {**condition, "code": code, "meta": {"lastUpdated": "2026-06-01T00:00:00Z"}}
    bundle["entry"].insert(0, {"resource": older})
    lines = [str(note) for note in notes_of(reader.bundle(data(bundle), "in.json"))]
    assert "entry[0] Condition: ignored: replaced by entry[5] Condition" in lines
    assert any("disease acute myeloid leukemia, disease status complete remission" in line for line in lines)


def test_a_plan_that_ended_before_the_service_is_not_the_plan(reader: FhirReader) -> None:
    bundle = content()
    resources(bundle)["Coverage"]["period"] = {"start": "2020-01-01", "end": "2026-06-30"}
    lines = [str(note) for note in notes_of(reader.bundle(data(bundle), "in.json"))]
    assert "entry[2] Coverage: ignored: it ended before the service date: period" in lines


# ---------------------------------------------------------------------- the person

PLANTED = "Q7Zplanted"


def planted(value: Any, key: str = "") -> Any:
    """A resource with a mark wherever it may tell of a person: ids, references, identifiers and every text."""
    if isinstance(value, dict):
        found = {name: planted(inner, name) for name, inner in value.items()}
        if "coding" in found:
            found["text"] = f"{PLANTED} text"
            found["coding"] = [{**coding, "display": f"{PLANTED} display"} for coding in found["coding"]]
            found["coding"].append({"system": f"urn:{PLANTED}", "code": PLANTED})
        if "reference" in found:
            found["display"] = PLANTED
        if "resourceType" in found:
            found |= {
                "text": {"status": "generated", "div": f"<div xmlns='http://www.w3.org/1999/xhtml'>{PLANTED}</div>"},
                "language": f"{PLANTED}",
                "extension": [{"url": f"https://ehr.example/{PLANTED}", "valueString": PLANTED}],
                "contained": [{"resourceType": "Patient", "id": PLANTED, "name": [{"family": PLANTED}]}],
            }
        return found
    if isinstance(value, list):
        return [planted(item, key) for item in value]
    if key in ("id", "reference") and isinstance(value, str):
        # All of one server: another server's patient is another patient.
        return f"{cases_fhir_references.last_two(value) or value}-{PLANTED}"
    return value


def identifying() -> dict[str, Any]:
    """A bundle of everything that is read, well formed and not, with marks everywhere."""
    entries = [planted(entry["resource"]) for name in EXPECTED for entry in content(name)["entry"][2:]]
    entries = [entry for entry in entries if entry["resourceType"] not in ("Claim", "ServiceRequest", "Patient")]
    head = [planted(entry["resource"]) for entry in content()["entry"][:3]]
    head[1] |= {
        "identifier": [{"system": f"https://plan.example/{PLANTED}", "value": PLANTED}],
        "name": [{"family": PLANTED, "given": [PLANTED], "text": PLANTED}],
        "address": [{"line": [PLANTED], "city": PLANTED}],
        "telecom": [{"system": "phone", "value": PLANTED}],
        "birthDate": "1962-03-04",
    }
    head[2] |= {"subscriberId": PLANTED, "class": [{"type": {"text": PLANTED}, "value": PLANTED, "name": PLANTED}]}
    subject = head[0]["patient"]
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "subject": subject,
        "effectiveDateTime": "2026-06-01",
    }
    loinc = {"coding": [{"system": "http://loinc.org", "code": PLANTED}]}
    more = [
        {**observation, "code": {"text": PLANTED}, "note": [{"text": PLANTED}]},
        {**observation, "code": loinc, "valueString": PLANTED},
        {**observation, "code": loinc, "status": PLANTED},
        {**observation, "code": loinc, "effectiveDateTime": PLANTED},
        {**observation, "code": loinc, PLANTED: PLANTED},
        {**observation, "code": loinc, "valueQuantity": {"value": PLANTED}},
        {**observation, "code": {"coding": [{"system": "https://w3id.org/policykb/clinical#", "code": PLANTED}]}},
        {**observation, "code": loinc, "component": [{"code": loinc, "valueString": PLANTED}]},
        {"resourceType": "Encounter", "id": PLANTED, "status": "finished", "class": {"display": PLANTED}},
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "subject": subject,
            "item": [
                {"linkId": PLANTED, "text": PLANTED, "answer": [{"valueString": PLANTED}]},
                {"linkId": f"Request/{PLANTED}", "answer": [{"valueString": PLANTED}]},
                {"linkId": "Request/purpose", "answer": [{"valueString": PLANTED}]},
                {"linkId": "Request/purpose", "answer": [{"valueCoding": {"system": PLANTED, "code": PLANTED}}]},
            ],
        },
    ]
    return {
        "resourceType": "Bundle",
        "id": PLANTED,
        "type": "collection",
        "entry": [
            {"fullUrl": f"https://ehr.example/{PLANTED}/{i}", "resource": resource}
            for i, resource in enumerate([*head, *entries, *more])
        ],
    }


OUTPUTS = [
    [*base, *more]
    for base in (
        ["--format", "text"],
        ["--format", "json"],
        ["--format", "turtle"],
        ["--format", "junit"],
        ["--prepare"],
    )
    for more in ([], ["--explain"])
]


@pytest.mark.parametrize("options", OUTPUTS, ids=" ".join)
def test_nothing_of_the_person_comes_out(
    run_kb: RunKb, tmp_path: Path, options: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    text = data(identifying())
    assert text.count(PLANTED.encode()) > 1000
    (tmp_path / "case.json").write_bytes(text)
    ended = run_kb("validate", "case.json", "--revision", "2026-02", *options)
    assert "urn:policykb:patient" in ended.stdout or "--prepare" not in options
    assert ended.returncode in (0, 1), ended.stderr
    for output in (ended.stdout, ended.stderr, caplog.text):
        assert PLANTED.lower() not in output.lower()
        # What is made by hashing may have any digits in it.
        assert "1962" not in re.sub(r"[0-9a-f]{32}", "digest", output)


def broken() -> Iterator[bytes]:
    """Inputs that cannot be read, with marks everywhere."""
    for bundle, _ in BAD.values():
        yield data({**planted(bundle), "entry": [{"resource": planted(resource)} for resource in resources_of(bundle)]})
    yield f'{{"resourceType": "Bundle", "{PLANTED}": 1, "{PLANTED}": 2}}'.encode()
    yield f'{{"resourceType": "Bundle", "x": {PLANTED}}}'.encode()
    yield f'{{"resourceType": "Bundle", "x": "{PLANTED}'.encode()
    yield data({"resourceType": "Bundle", "type": PLANTED})
    yield data({"resourceType": "Bundle", "type": "collection", "fhirVersion": PLANTED})
    yield data({"resourceType": PLANTED, "name": PLANTED})
    yield data(with_more({"resourceType": PLANTED, "id": PLANTED, "name": PLANTED}))
    yield data({**content(), "entry": [PLANTED]})
    yield data({**content(), "entry": [{PLANTED: PLANTED}]})


def resources_of(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle.get("entry", ())] or [bundle]


def test_nothing_of_the_person_stands_in_an_error(run_kb: RunKb, tmp_path: Path) -> None:
    for i, text in enumerate(broken()):
        (tmp_path / f"{i}.json").write_bytes(text)
    ended = run_kb("validate", ".", "--format", "json")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) > 15
    assert PLANTED.lower() not in (ended.stderr + ended.stdout).lower()


def test_a_pseudonym_depends_on_the_key_and_the_person_alone(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def pseudonym(bundle: dict[str, Any]) -> str:
        triples = FhirReader(kb).bundle(data(bundle), "in.json").triples
        return next(str(object_) for _, predicate, object_ in triples if predicate == CASE.patient)

    first = pseudonym(content())
    assert pseudonym(content("acute-gvhd-of-grade-2-excludes")) == first
    other = content()
    resources(other)["Patient"]["identifier"][0]["value"] = "M-2"
    assert pseudonym(other) != first
    monkeypatch.setenv("KB_PSEUDONYM_KEY", "another")
    assert pseudonym(content()) != first


def test_without_a_key_the_pseudonym_holds_for_one_run(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KB_PSEUDONYM_KEY")
    first, second = (FhirReader(kb).bundle(data(content()), "in.json") for _ in range(2))
    assert first.notices == ("The pseudonym of the patient holds for this run only: KB_PSEUDONYM_KEY is not set.",)
    patients = [{o for _, p, o in case.triples if p == CASE.patient} for case in (first, second)]
    assert patients[0] != patients[1]


# ---------------------------------------------------------------------- the record, shown


def test_the_record_is_shown_when_asked_for(run_kb: RunKb, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(data(content()))
    short = run_kb("validate", "case.json", "--revision", "2026-02").stdout
    long = run_kb("validate", "case.json", "--revision", "2026-02", "--explain").stdout
    assert "What was read" not in short
    assert "What was read of case.json:" in long
    assert "entry[1] Patient: not read: id" in long


def test_the_record_is_provenance(run_kb: RunKb, tmp_path: Path) -> None:
    from rdflib import Graph

    (tmp_path / "case.json").write_bytes(data(content()))
    graph = Graph().parse(data=run_kb("validate", "case.json", "--format", "turtle").stdout, format="turtle")
    (reading,) = graph.subjects(RDF.type, READ.Reading)
    (case,) = graph.subjects(PROV.wasGeneratedBy, reading)
    assert (None, CASE.ofCase, case) in graph
    assert len(list(graph.objects(reading, PROV.used))) == 7
    notes = {note for resource in graph.objects(reading, PROV.used) for note in graph.objects(resource, READ.note)}
    assert len(notes) == len(EXPECTED[MEETING]["reading"])
    treatments = {local_name(treatment) for note in notes for treatment in graph.objects(note, READ.treatment)}
    assert treatments == {"Used", "Ignored", "NotRead"}


def test_a_code_does_not_decide_alone_where_an_answer_names_another_service(
    kb: Repository, policy: Policy, tmp_path: Path
) -> None:
    bundle = content()
    item = {"linkId": "Request/service", "answer": [{"valueCoding": {"system": CLINICAL, "code": "OtherService"}}]}
    resources(bundle)["QuestionnaireResponse"]["item"].append(item)
    case = case_of(kb, bundle, tmp_path)
    (found,) = Run(kb, policy, "pyshifty", "2026-02").answers([case])
    assert isinstance(found, Determination)
    assert (found.outcome.value, found.to_send) == ("InformationNeeded", frozenset({str(COND["service-is-dli"])}))
    assert case.notices == (
        "The service is stated differently by entry[0] Claim and entry[5] QuestionnaireResponse: none is used.",
    )
