"""FHIR R4 in: bundles, bulk data and folders, of which nothing is lost in silence and no two patients are mixed."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from bundle_edits import gvhd
from bundles import RunKb, content, data, notes_of, resources

from kb_tools.cases.case import Case
from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.cases.inputs import find_files
from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE

pytestmark = pytest.mark.usefixtures("pseudonym_key")

OUTCOME = data({"resourceType": "OperationOutcome", "issue": []})
ENCOUNTER = data({"resourceType": "Encounter", "status": "finished"})
NOTHING = "nothing in it to determine; send bundles, or resources of a patient"
WITH_THE_REST = "send a Claim or ServiceRequest with the rest, all files of one export in one folder"
NOT_MET = "acute-gvhd-of-grade-2-excludes"
Read = dict[str, tuple[int, tuple[str, ...]]]


def loose(**changed: Any) -> list[bytes]:
    """The resources of the meeting case, one a line; those of the types named with other elements."""
    found = (entry["resource"] for entry in content()["entry"])
    return [data({**resource, **changed.get(resource["resourceType"], {})}) for resource in found]


def of(patient: str) -> list[bytes]:
    """The resources of the meeting case as those of another patient."""
    text = b"\n".join(loose()).decode().replace('"Patient/p"', f'"Patient/{patient}"')
    return text.replace('"id": "p"', f'"id": "{patient}"').encode().split(b"\n")


def read(kb: Repository, folder: Path, **files: list[bytes]) -> tuple[Read, list[str]]:
    """What comes of the files of a folder: of each case the number of its findings, its notices and the doubts.

    And the errors.
    """
    for name, lines in files.items():
        (folder / f"{name}.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    cases: Read = {}
    errors: list[str] = []
    reader = CaseReader(kb)
    for found in find_files([str(folder)]):
        for item in [found] if not isinstance(found, tuple) else reader.stream(*found, io.BytesIO()):
            if isinstance(item, Case):
                doubts = [f"in doubt: {o}" for _, p, o in item.triples() if p == CASE.inDoubt]
                notices = tuple(notice.replace(str(folder), "in") for notice in (*item.notices, *doubts))
                cases[item.source.replace(str(folder), "in")] = (len(item.values(item.node, CASE.finding)), notices)
            else:
                errors.append(str(item).replace(str(folder), "in"))
    return cases, errors


def refused(place: str, title: str = "in") -> str:
    """What is said of a patient of whom something may be lost."""
    what = f"not determined, since {place} could not be read and may be of this patient"
    return f"in{title.removeprefix('in')}: {what}; correct that, and send all again"


def refused_both(place: str) -> list[str]:
    return [refused(place, title) for title in ("in patient 1", "in patient 2")]


# ---------------------------------------------------------------------- nothing is lost


def test_bundles_are_cases_wherever_they_stand_among_resources(kb: Repository, tmp_path: Path) -> None:
    lines = [data(content()), OUTCOME, *loose(), data(content(NOT_MET))]
    cases, errors = read(kb, tmp_path, all=lines)
    assert cases == {"in/all.ndjson:1": (3, ()), "in/all.ndjson:10": (3, ()), "in": (3, ())}
    assert errors == []


@pytest.mark.parametrize("first", [b"", data(content()), ENCOUNTER])
def test_a_file_of_a_folder_is_read_whatever_its_first_line(kb: Repository, tmp_path: Path, first: bytes) -> None:
    cases, errors = read(kb, tmp_path, a=loose(), b=[first, data(gvhd(valueInteger=3))])
    assert cases["in"] == (4, ())
    assert errors == []


GRADE_3 = gvhd(valueInteger=3)
NO_RESOURCE = "no FHIR R4 resource; send a Bundle"
UNKNOWN = data({**GRADE_3, "resourceType": "observation", "subject": {"reference": "Group/g"}})
OF_1 = {"subject": {"reference": "Patient/1"}}
# What may hold something of any patient, and what is said of it.
LOST: dict[str, tuple[bytes, str]] = {
    "truncated": (data(GRADE_3)[:-1], "not valid JSON: Expecting ',' delimiter, column 247; correct the syntax"),
    "begun": (b"{", "not valid JSON: Expecting property name enclosed in double quotes, column 2; correct the syntax"),
    "a key twice": (b'{"a": 1, "a": 2}', "a key twice in one object; keep one"),
    "in other letters": (b"\xff", "not UTF-8; save the file as UTF-8"),
    "null": (b"null", NO_RESOURCE),
    "a list": (data([GRADE_3]), NO_RESOURCE),
    "of no type": (data({"status": "final"}), NO_RESOURCE),
    "of an unknown type": (data({"resourceType": "New"}), NO_RESOURCE),
    "of an unknown type and a group": (UNKNOWN, NO_RESOURCE),
    "in Parameters": (
        data({"resourceType": "Parameters", **OF_1, "parameter": [{"name": "x", "resource": GRADE_3}]}),
        "Parameters are not read; send the Bundle that they hold",
    ),
    "in a bundle without a request": (
        data({"resourceType": "Bundle", "type": "searchset", **OF_1, "entry": [{"resource": GRADE_3}]}),
        "no request; send a Claim with use preauthorization, or a ServiceRequest, that is active",
    ),
    "in a broken bundle": (
        b'{"resourceType": "Bundle", ',
        "not valid JSON: Expecting property name enclosed in double quotes, column 28; correct the syntax",
    ),
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("several", [False, True])
def test_where_a_line_is_lost_no_patient_of_whom_it_may_be_is_determined(
    kb: Repository, tmp_path: Path, name: str, several: bool
) -> None:
    line, error = LOST[name]
    lines = [of("1"), [line, *of("2")]] if several else [loose(), [line]]
    cases, errors = read(kb, tmp_path, **dict(zip("ab", lines, strict=True)))
    assert cases == {}
    refusals = refused_both("in/b.ndjson:1") if several else [refused("in/b.ndjson:1")]
    assert errors == [f"in/b.ndjson:1: {error}", *refusals]


@pytest.mark.parametrize("element", ["subject", "patient", "beneficiary"])
def test_a_line_that_is_shown_to_be_of_one_patient_is_lost_for_no_other(
    kb: Repository, tmp_path: Path, element: str
) -> None:
    reference = {"reference": "https://a.example/Patient/2/_history/1"}
    line = data({"resourceType": "observation", element: reference})
    cases, errors = read(kb, tmp_path, a=of("1"), b=[line, *of("2")])
    assert cases == {"in patient 1": (3, ())}
    assert errors == [f"in/b.ndjson:1: {NO_RESOURCE}", refused("in/b.ndjson:1", "in patient 2")]


def test_a_line_that_names_two_patients_is_lost_for_both(kb: Repository, tmp_path: Path) -> None:
    line = {"subject": {"reference": "Patient/2"}, "patient": {"reference": "Patient/1"}}
    cases, errors = read(kb, tmp_path, a=of("1"), b=[data(line), *of("2")])
    assert cases == {}
    assert errors[1:] == refused_both("in/b.ndjson:1")


def test_of_many_lines_that_are_lost_some_are_named(kb: Repository, tmp_path: Path) -> None:
    cases, errors = read(kb, tmp_path, a=[*loose(), *[b"{"] * 5])
    assert cases == {}
    assert errors[5:] == [refused("in/a.ndjson:8, in/a.ndjson:9, in/a.ndjson:10 and more")]


def test_what_is_lost_leaves_bundles_alone(kb: Repository, tmp_path: Path) -> None:
    cases, errors = read(kb, tmp_path, a=[b"{", data(content())])
    assert cases == {"in/a.ndjson:2": (3, ())}
    assert len(errors) == 1


def test_what_a_resource_of_another_type_contains_is_in_doubt(kb: Repository, tmp_path: Path) -> None:
    report = {"resourceType": "DiagnosticReport", "status": "final", "subject": {"reference": "Patient/p"}}
    line = data({**report, "contained": [{**GRADE_3, "id": "o"}], "result": [{"reference": "#o"}]})
    cases, errors = read(kb, tmp_path, a=[*loose(), line, data(report)])
    where = "resource[7] DiagnosticReport contained[0] Observation"
    text = f"in doubt: {where} may state another finding, but could not be read as one"
    blank = (
        "Not understood: 1 resource that could not be judged, with neither a known code nor a text, dated on or after "
        "2025-01-15, the oldest finding that was read, or not dated."
    )
    assert cases == {"in": (3, (blank, text))}
    assert errors == []


def test_what_is_contained_in_a_resource_of_nobody_is_lost_for_all(kb: Repository, tmp_path: Path) -> None:
    line = data({"resourceType": "Provenance", "contained": [GRADE_3]})
    cases, errors = read(kb, tmp_path, a=of("1"), b=[*of("2"), line])
    assert cases == {}
    assert errors[1:] == refused_both("in/b.ndjson:8")


@pytest.mark.parametrize("last", [False, True])
def test_a_file_of_one_resource_names_the_line_that_is_wrong(kb: Repository, tmp_path: Path, last: bool) -> None:
    for i, line in enumerate(loose()):
        (tmp_path / f"{i}.json").write_bytes(line)
    text = json.dumps(dict(sorted(gvhd(valueInteger=3).items(), reverse=last)), indent=1)
    (tmp_path / "9.json").write_text(text.replace('"final",', '"final"'), encoding="utf-8")
    number = text.split("\n").index(' "status": "final",') + 2
    cases, errors = read(kb, tmp_path)
    assert cases == {}
    wrong = f"in/9.json:{number}: not valid JSON: Expecting ',' delimiter, column 2; correct the syntax"
    assert errors == [wrong, refused("in/9.json")]


@pytest.mark.parametrize("name", LOST)
def test_a_file_that_is_lost_is_lost_for_the_resources_beside_it(kb: Repository, tmp_path: Path, name: str) -> None:
    (tmp_path / "0.json").write_bytes(LOST[name][0])
    for i, line in enumerate(loose(), 1):
        (tmp_path / f"{i}.json").write_bytes(line)
    cases, errors = read(kb, tmp_path)
    assert cases == {}
    assert errors[1:] == [refused("in/0.json")]


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("x.ndjson.gz", b"x", "packed, and not read; unpack it"),
        ("x.JSON.zip", b"x", "packed, and not read; unpack it"),
        ("x.jsonl", b"{}\n" + data(GRADE_3), "FHIR in a .jsonl file; name it .ndjson"),
        ("x.json", b"", "not valid JSON: Expecting value, column 1; correct the syntax"),
    ],
)
def test_a_file_that_is_not_read_is_lost_for_the_resources_beside_it(
    kb: Repository, tmp_path: Path, name: str, text: bytes, error: str
) -> None:
    (tmp_path / name).write_bytes(text)
    cases, errors = read(kb, tmp_path, a=loose())
    assert cases == {}
    place = f"in/{name}:1" if name == "x.json" else f"in/{name}"
    assert errors == [f"{place}: {error}", refused(f"in/{name}")]


def test_what_is_no_fhir_or_of_another_folder_is_not_lost(kb: Repository, tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_bytes(b'{"request": {}}')
    (tmp_path / "plain.jsonl").write_bytes(b'{"request": {}}\n{}')
    (tmp_path / "x.ttl.gz").touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/x.json").write_bytes(LOST["truncated"][0])
    cases, _ = read(kb, tmp_path, a=loose())
    assert cases["in"] == (3, ())


def test_a_blank_line_longer_than_a_line_may_be_is_lost(
    kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("rdf.files", "cases.strict_json"):
        monkeypatch.setattr(f"kb_tools.{module}.MAX_BYTES", 2000)
    cases, errors = read(kb, tmp_path, a=[*loose(), b" " * 4001 + data(GRADE_3), ENCOUNTER])
    assert cases == {}
    what = "more than 0 MiB; send one bundle a line, in an .ndjson file"
    assert errors == [f"in/a.ndjson:8: {what}", refused("in/a.ndjson:8")]


def test_a_patient_of_whom_something_is_lost_is_not_determined(run_kb: RunKb, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"\n".join([*loose(), data(GRADE_3)[:-1]]))
    ended = run_kb("validate", str(tmp_path), "--revision", "2026-02")
    assert ended.returncode == 2
    assert "CRITERIA" not in ended.stdout
    assert ended.stderr.splitlines()[1] == "kb: " + refused(f"{tmp_path}/a.ndjson:8").replace("in:", f"{tmp_path}:", 1)


@pytest.mark.parametrize("lines", [[], [b"", b" "], [ENCOUNTER, ENCOUNTER]], ids=["empty", "blank", "not read"])
def test_what_holds_nothing_to_determine_is_an_error(kb: Repository, tmp_path: Path, lines: list[bytes]) -> None:
    assert read(kb, tmp_path, a=lines) == ({}, [f"in: {NOTHING}"])


@pytest.mark.parametrize("text", [b"", b"\n", b" \r\n\t\n"], ids=["empty", "a line", "blank"])
def test_a_stream_that_holds_nothing_is_an_error(kb: Repository, text: bytes) -> None:
    (found,) = FhirReader(kb).stream("standard input", io.BytesIO(text))
    assert str(found) == f"standard input: {NOTHING}"


def test_patients_without_a_request_are_counted(kb: Repository, tmp_path: Path) -> None:
    others = [line for name in ("2", "3") for line in of(name) if b'"Claim"' not in line]
    cases, errors = read(kb, tmp_path, a=[*of("1"), *others])
    assert cases == {"in patient 1": (3, ())}
    assert errors == [f"in: 2 patients without a request: not determined; {WITH_THE_REST}"]


def test_a_file_of_each_type_by_itself_says_what_to_do(run_kb: RunKb, tmp_path: Path) -> None:
    for kind, resource in resources(content()).items():
        (tmp_path / f"{kind}.ndjson").write_bytes(data(resource))
    names = sorted(str(path) for path in tmp_path.iterdir())
    ended = run_kb("validate", *names, "--revision", "2026-02")
    assert ended.returncode == 2
    assert f"Condition.ndjson: 1 patient without a request: not determined; {WITH_THE_REST}" in ended.stderr


# ---------------------------------------------------------------------- whose it is


def test_one_id_on_two_servers_is_two_patients(kb: Repository, tmp_path: Path) -> None:
    there = {"subject": {"reference": "https://b.example/fhir/Patient/p"}}
    here = {"reference": "https://a.example/fhir/Patient/p"}
    lines = loose(Condition=there, Claim={"patient": here}, Coverage={"beneficiary": here})
    cases, errors = read(kb, tmp_path, a=lines)
    # Whose the resources of no server are cannot be told.
    assert {name: findings for name, (findings, _) in cases.items()} == {"in patient 1": 0}
    assert errors == [f"in: 2 patients without a request: not determined; {WITH_THE_REST}"]


def test_one_server_is_the_same_as_none(kb: Repository, tmp_path: Path) -> None:
    lines = loose(Condition={"subject": {"reference": "https://b.example/fhir/Patient/p/_history/3"}})
    assert read(kb, tmp_path, a=lines)[0] == {"in": (3, ())}


def test_what_does_not_say_whose_it_is_may_be_of_any_patient(kb: Repository, tmp_path: Path) -> None:
    stray = data({**gvhd(valueInteger=3), "subject": {"reference": "urn:uuid:1"}})
    cases, errors = read(kb, tmp_path, a=of("1"), b=of("2"), c=[stray])
    assert cases == {}
    what = "a resource that does not say of which patient it is; give it a reference to a Patient"
    assert errors == [f"in/c.ndjson:1: {what}", *refused_both("in/c.ndjson:1")]


def test_of_a_single_patient_what_is_of_nobody_is_in_doubt(kb: Repository, tmp_path: Path) -> None:
    stray = {**gvhd(valueInteger=3)}
    del stray["subject"]
    cases, errors = read(kb, tmp_path, a=loose(), c=[data(stray)])
    text = "in doubt: resource[7] Observation may state another finding, but could not be read as one"
    assert cases == {"in": (3, (text,))}
    assert errors == []


def test_what_is_of_a_group_is_of_no_patient(kb: Repository, tmp_path: Path) -> None:
    stray = data({**gvhd(valueInteger=3), "subject": {"reference": "Group/g"}})
    assert read(kb, tmp_path, a=of("1"), b=of("2"), c=[stray])[0] == {
        "in patient 1": (3, ()),
        "in patient 2": (3, ()),
    }


def test_a_medication_is_read_for_the_patient_who_was_given_it(kb: Repository, tmp_path: Path) -> None:
    code = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "38242"}]}
    drugs = [data({"resourceType": "Medication", "id": f"m{i}", "code": code}) for i in range(5)]
    given = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "subject": {"reference": "Patient/2"},
        "effectiveDateTime": "2026-01-01",
        "medicationReference": {"reference": "Medication/m3"},
    }
    cases, errors = read(kb, tmp_path, a=of("1"), b=[*drugs, *of("2"), data(given)])
    assert cases == {"in patient 1": (3, ()), "in patient 2": (4, ())}
    assert errors == []
    # Which of two versions is the latest is not said.
    other = data({"resourceType": "Medication", "id": "m3"})
    cases, errors = read(kb, tmp_path, c=[other])
    assert {name: findings for name, (findings, _) in cases.items()} == {"in patient 1": 3, "in patient 2": 3}
    assert errors == []


@pytest.mark.parametrize("at", [{}, {"meta": {"lastUpdated": "2026-06-24T00:00:00Z"}}])
def test_what_comes_twice_is_read_once_whatever_the_order_of_its_keys(
    kb: Repository, tmp_path: Path, at: dict[str, Any]
) -> None:
    newer = {"id": "gvhd", **GRADE_3, **at}
    lines = [line for line in loose() if b'"gvhd"' not in line]
    cases, errors = read(kb, tmp_path, a=[*lines, data(newer), data(dict(reversed(newer.items())))])
    assert (cases, errors) == ({"in": (3, ())}, [])


# ---------------------------------------------------------------------- streams


def test_standard_input_with_a_case_a_line_is_told_by_its_first(run_kb: RunKb) -> None:
    text = b"\n".join([data(content()), OUTCOME, data(content(NOT_MET))])
    ended = run_kb("validate", "-", "--revision", "2026-02", stdin=text)
    assert ended.returncode == 2
    assert ended.stdout.count("standard input:1\n") == ended.stdout.count("standard input:3\n") == 1
    assert ended.stderr.startswith("kb: standard input:2: no patient")


def test_resources_by_themselves_need_a_file(run_kb: RunKb) -> None:
    ended = run_kb("validate", "-", "--input-format", "ndjson", stdin=b"\n".join(loose()[:2]))
    assert ended.returncode == 2
    line = "a resource in no bundle; bulk data is read twice: give it as a file"
    assert ended.stderr == "".join(f"kb: standard input:{i}: {line}\n" for i in (1, 2))


def test_a_pipe_is_read_once(kb: Repository, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.ndjson"
    os.mkfifo(pipe)
    text = b"\n".join([data(content()), *loose()[:1], data(content(NOT_MET))])
    threading.Thread(target=pipe.write_bytes, args=(text,), daemon=True).start()
    first, loose_one, last = CaseReader(kb).stream("pipe.ndjson", pipe, io.BytesIO())
    assert isinstance(first, Case) and isinstance(last, Case)
    assert str(loose_one) == "pipe.ndjson:2: a resource in no bundle; bulk data is read twice: give it as a file"


# ---------------------------------------------------------------------- bundles

DEEP: dict[str, Any] = {**GRADE_3}
for _ in range(300):
    DEEP = {**GRADE_3, "contained": [DEEP]}
EACH = "give each resource an entry of its own"
REFUSED: dict[str, tuple[Any, str]] = {
    "of a type in small letters": (
        {"resource": {**GRADE_3, "resourceType": "observation"}},
        f"is no resource of FHIR R4; {EACH}",
    ),
    "of no type": ({"resource": {"status": "final"}}, f"is no resource of FHIR R4; {EACH}"),
    "in a list": ({"resource": [GRADE_3]}, f"is no resource of FHIR R4; {EACH}"),
    "in a bundle": (
        {"resource": {"resourceType": "Bundle", "type": "collection"}},
        f"is a Bundle within the bundle; {EACH}",
    ),
    "in Parameters": ({"resource": {"resourceType": "Parameters"}}, f"is a Parameters within the bundle; {EACH}"),
    "without an entry": (GRADE_3, "holds no resource; put it into resource"),
    "under another name": ({"Resource": GRADE_3}, "holds no resource; put it into resource"),
    "as a text": ("Observation", "holds no resource; put it into resource"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_entry_that_cannot_be_told_what_it_is_refuses_its_bundle(kb: Repository, name: str) -> None:
    entry, line = REFUSED[name]
    bundle = content()
    bundle["entry"].append(entry)
    text = data(bundle) + b"\n" + data(content())
    refused, other = FhirReader(kb).stream("in", io.BytesIO(text))
    assert str(refused) == f"in:1: entry[7] {line}"
    assert not isinstance(other, Exception)


@pytest.mark.parametrize(
    "entry",
    [
        {"fullUrl": "urn:uuid:1"},
        {"request": {"method": "GET", "url": "Patient"}, "link": []},
        {"request": {"method": "DELETE", "url": "Observation/gvhd"}, "resource": {"resourceType": "x"}},
    ],
)
def test_an_entry_may_hold_no_resource(kb: Repository, entry: dict[str, Any]) -> None:
    bundle = content()
    bundle["entry"].append(entry)
    kind = "entry that deletes" if "resource" in entry else "entry without a resource"
    notes = notes_of(FhirReader(kb).bundle(data(bundle), "in.json"))
    assert str(notes[-1]) == f"{kind} \N{MULTIPLICATION SIGN}1: not read"


ALL = "send all that was found, in one bundle"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"link": [{"relation": "self", "url": "x"}, {"relation": "first", "url": "x"}]}, ""),
        ({"link": [{"relation": "next", "url": "x"}]}, f"a part of a search, and more follows; {ALL}"),
        ({"link": [{"relation": "previous", "url": "x"}]}, f"a part of a search, and more comes before; {ALL}"),
        ({"link": [{"relation": "prev", "url": "x"}]}, f"a part of a search, and more comes before; {ALL}"),
        ({"type": "searchset", "total": 40}, f"a part of a search, 7 of the 40 found; {ALL}"),
        ({"type": "searchset", "total": 8}, f"a part of a search, 7 of the 8 found; {ALL}"),
        ({"type": "searchset", "total": "7"}, f"a part of a search, and its total is no whole number; {ALL}"),
        ({"type": "searchset", "total": 7}, ""),
        ({"type": "searchset", "total": 1}, ""),
        ({"type": "searchset", "total": 1, "entry": []}, f"a part of a search, 0 of the 1 found; {ALL}"),
        ({"entry": {"0": {}}}, "an entry that is no list; write the entries in brackets"),
        ({"resourceType": "Parameters"}, "Parameters are not read; send the Bundle that they hold"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, ""),
        ({"timestamp": "0001-01-01T00:00:00Z"}, ""),
    ],
)
def test_a_bundle_is_whole(kb: Repository, changed: dict[str, Any], line: str) -> None:
    (found,) = FhirReader(kb).stream("in", io.BytesIO(data({**content(), **changed})))
    assert str(found) == f"in:1: {line}" if line else not isinstance(found, Exception)


@pytest.mark.parametrize(("mode", "total"), [("match", 7), ("include", 6), ("outcome", 6), (None, 7)])
def test_what_came_with_a_search_is_none_of_what_it_found(kb: Repository, mode: str | None, total: int) -> None:
    bundle = {**content(), "type": "searchset", "total": total}
    bundle["entry"][2]["search"] = {"mode": mode} if mode else {"score": 1}
    bundle["entry"].append({"fullUrl": "urn:uuid:1"})
    complete, part = FhirReader(kb).stream(
        "in", io.BytesIO(data(bundle) + b"\n" + data({**bundle, "total": total + 1}))
    )
    assert not isinstance(complete, Exception)
    assert str(part) == f"in:2: a part of a search, {total} of the {total + 1} found; {ALL}"


def test_what_is_nested_too_deeply_stops_no_other(kb: Repository, tmp_path: Path) -> None:
    bundle = content()
    bundle["entry"].append({"resource": DEEP})
    what = "nested too deeply; a FHIR resource has a few levels"
    cases, errors = read(kb, tmp_path, a=[data(bundle)], b=[data(content())])
    assert (cases, errors) == ({"in/b.ndjson:1": (3, ())}, [f"in/a.ndjson:1: {what}"])
    cases, errors = read(kb, tmp_path, a=[*loose(), data(DEEP)], b=[data(content())])
    lost = "in: not determined, since in/a.ndjson:8 could not be read and may be of this patient"
    assert (cases, errors) == (
        {"in/b.ndjson:1": (3, ())},
        [f"in/a.ndjson:8: {what}", f"{lost}; correct that, and send all again"],
    )


@pytest.mark.parametrize("value", [[1, {"Jane Roe": 1}], [{"x": 1}, 1]])
def test_a_list_of_values_and_objects_names_no_key(kb: Repository, value: list[Any]) -> None:
    bundle = content()
    resources(bundle)["Claim"]["item"][0]["diagnosisSequence"] = value
    (found,) = FhirReader(kb).stream("in", io.BytesIO(data(bundle)))
    assert str(found).startswith(
        "in:1: a request that is not understood: entry[0] Claim: not understood: not valid FHIR"
    )
    assert "Jane" not in str(found)


# ---------------------------------------------------------------------- pseudonyms


def pseudonym(kb: Repository, url: str = "", **elements: Any) -> str:
    """The pseudonym of the patient of the meeting bundle with other elements."""
    bundle = content()
    patient = resources(bundle)["Patient"]
    patient.pop("identifier")
    patient.update(elements)
    for entry in bundle["entry"]:
        if url:
            entry["fullUrl"] = f"{url}/{entry['resource']['resourceType']}/{entry['resource']['id']}"
    triples = FhirReader(kb).bundle(data(bundle), "in.json").triples
    return next(str(object_) for _, predicate, object_ in triples if predicate == CASE.patient)


def ids(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"identifier": [{"system": system, "value": value} for system, value in pairs]}


def test_no_two_patients_share_a_pseudonym(kb: Repository) -> None:
    people = [
        pseudonym(kb, **ids(("urn:family", "F-1"), ("urn:mrn", "1"))),
        pseudonym(kb, **ids(("urn:family", "F-1"), ("urn:mrn", "2"))),
        pseudonym(kb, **ids(("a|b", "c"))),
        pseudonym(kb, **ids(("a", "b|c"))),
        pseudonym(kb),
        pseudonym(kb, "https://a.example"),
        pseudonym(kb, "https://b.example"),
    ]
    assert len(set(people)) == len(people)


def test_a_patient_has_one_pseudonym_whatever_the_order_of_the_identifiers(kb: Repository) -> None:
    pairs = ("urn:family", "F-1"), ("urn:mrn", "1")
    assert pseudonym(kb, **ids(*pairs)) == pseudonym(kb, "https://a.example", **ids(*reversed(pairs)))


# ---------------------------------------------------------------------- the log of an export, and what the server says


def logged(event: str) -> bytes:
    return data({"exportId": "0", "timestamp": "2026-06-25T00:00:00Z", "eventId": event, "eventDetail": {}})


def test_the_log_of_an_export_is_of_no_patient(kb: Repository, tmp_path: Path) -> None:
    cases, errors = read(kb, tmp_path, a=loose(), log=[logged("kickoff"), logged("export_complete")])
    assert (cases, errors) == ({"in": (3, ())}, [])
    (tmp_path / "two").mkdir()
    cases, errors = read(kb, tmp_path / "two", a=[*of("1"), *of("2")], log=[logged("kickoff")])
    assert (cases, errors) == ({"in patient 1": (3, ()), "in patient 2": (3, ())}, [])


def test_an_error_in_the_log_of_an_export_is_told(kb: Repository, tmp_path: Path) -> None:
    notice = "The log of the export reports an error: what was exported may be incomplete."
    cases, errors = read(kb, tmp_path, a=loose(), log=[logged("download_error"), logged("export_error")])
    assert (cases, errors) == ({"in": (3, (notice,))}, [])


@pytest.mark.parametrize("more", [{"x": 1}, {"eventId": None, "resourceType": "X"}])
def test_a_line_that_is_not_of_a_log_is_lost(kb: Repository, tmp_path: Path, more: dict[str, Any]) -> None:
    line = data({**json.loads(logged("kickoff")), **more})
    cases, errors = read(kb, tmp_path, a=loose(), log=[line])
    assert cases == {}
    assert errors == ["in/log.ndjson:1: no FHIR R4 resource; send a Bundle", refused("in/log.ndjson:1")]


def test_the_log_of_an_export_alone_is_nothing_to_determine(kb: Repository, tmp_path: Path) -> None:
    assert read(kb, tmp_path, log=[logged("kickoff")]) == ({}, [f"in: {NOTHING}"])


@pytest.mark.parametrize("severity", ["error", "warning"])
def test_what_the_server_says_of_an_export_is_told(kb: Repository, tmp_path: Path, severity: str) -> None:
    outcome = data({"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "processing"}]})
    notice = "OperationOutcome: the server warns: what it sent may be incomplete."
    assert read(kb, tmp_path, a=loose(), error=[outcome, outcome]) == ({"in": (3, (notice,))}, [])
