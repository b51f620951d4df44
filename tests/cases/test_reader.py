"""Patient cases in: which files are found, what is read of a file, and what is refused."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from case_files import DATA, EX, HCPCS, PREFIXES, Vary, read, refusal
from rdflib import URIRef

from kb_tools.cases.inputs import find_files
from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import lines
from kb_tools.rdf.namespaces import CASE

# ---------------------------------------------------------------------- files


def test_the_files_of_a_folder_are_found_in_every_format_and_depth_but_for_the_manifest(tmp_path: Path) -> None:
    names = ("b.ttl", "a.TTL", "deep/er/c.trig", "deep/d.nt", "e.jsonld", "f.json", "g.jsonl", "h.ndjson")
    for name in (*names, "manifest.ttl", "deep/manifest.ttl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'{"request": {}}')
    (tmp_path / "notes.txt").touch()
    found = list(find_files([str(tmp_path)]))
    expected = ["a.TTL", "b.ttl", "deep/d.nt", "deep/er/c.trig", "e.jsonld", "f.json", "g.jsonl"]
    # What is in NDJSON belongs together with all of its folder.
    assert found == [*[(str(tmp_path / name), tmp_path / name) for name in expected], (str(tmp_path), tmp_path)]


def test_what_of_a_folder_cannot_be_read_is_said(tmp_path: Path) -> None:
    for name in ("a.ttl", "b.ndjson.gz", "c.tar.gz", "deep/d.json.ZIP"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "e.ttl")
    pipe, packed, deep, file = find_files([str(tmp_path)])
    assert str(pipe) == f"{tmp_path / 'e.ttl'}: a named pipe in a folder is not read; name it by itself, or remove it"
    assert str(packed) == f"{tmp_path / 'b.ndjson.gz'}: packed, and not read; unpack it"
    assert str(deep) == f"{tmp_path / 'deep/d.json.ZIP'}: packed, and not read; unpack it"
    assert file == (str(tmp_path / "a.ttl"), tmp_path / "a.ttl")


def test_an_empty_argument_is_not_this_folder() -> None:
    (found,) = find_files([""])
    assert str(found) == "an empty argument names no file; name a file or a folder; . is this folder"


@pytest.mark.parametrize("name", ["x.ndjson.gz", "cases.zip"])
def test_a_packed_file_that_is_named_says_what_to_do(kb: Repository, name: str) -> None:
    (found,) = CaseReader(kb).stream(name, Path(name), io.BytesIO())
    assert str(found) == f"{name}: packed, and not read; unpack it"


def test_more_lines_on_standard_input_than_can_be_held_are_refused(
    kb: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb_tools.cases.reader.MAX_BYTES", 2**20)
    (found,) = CaseReader(kb).stream("-", None, io.BytesIO(b'{"a": 1}\n' * 2**17))
    assert str(found) == "-: more than 1 MiB; name the format: --input-format jsonl"


def test_a_line_that_is_too_long_is_cut_and_blank_ones_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kb_tools.rdf.files.MAX_BYTES", 4)
    text = b"ab\r\n \n123456789\nc\n" + b" " * 9 + b"d\ne"
    found = [(1, 0, b"ab"), (3, 6, b"12345"), (4, 16, b"c"), (5, 18, b"     "), (6, 29, b"e")]
    assert list(lines(io.BytesIO(text))) == found


def test_a_folder_that_must_not_be_opened_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.ttl").touch()
    real = os.scandir

    def refused(path: str) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", refused)
    closed, file = find_files([str(tmp_path)])
    assert str(closed).startswith(f"{tmp_path / 'closed'}: Permission denied")
    assert file == (str(tmp_path / "a.ttl"), tmp_path / "a.ttl")


def test_a_manifest_that_is_named_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.ttl"
    path.touch()
    assert list(find_files([str(path)])) == [(str(path), path)]


def test_files_keep_the_order_in_which_they_are_named() -> None:
    assert list(find_files(["b.ttl", "-", "a.ttl"])) == [
        ("b.ttl", Path("b.ttl")),
        ("standard input", None),
        ("a.ttl", Path("a.ttl")),
    ]


def test_a_folder_without_cases_is_an_error_among_the_files(tmp_path: Path) -> None:
    (tmp_path / "manifest.ttl").touch()
    error, file = find_files([str(tmp_path), "a.ttl"])
    assert str(error) == (
        f"{tmp_path}: no case files in this folder; "
        "name a folder with .ttl, .trig, .nt, .jsonld, .json, .jsonl, .ndjson files"
    )
    assert file == ("a.ttl", Path("a.ttl"))


# ---------------------------------------------------------------------- reading


def test_a_case_is_known_by_its_name_in_the_file(kb: Repository) -> None:
    (case,) = CaseReader(kb).read("some/case.ttl", DATA / "case.ttl")
    assert (case.source, case.name, case.iri, case.title) == (
        "some/case.ttl",
        "case",
        f"{EX}case",
        "some/case.ttl#case",
    )
    assert str(case.service_date) == "2026-07-01"
    assert case.notices == ()


def test_a_case_without_a_name_is_known_by_its_file(kb: Repository, vary: Vary) -> None:
    (case,) = read(kb, vary(":case a case:Case", "[] a case:Case"))
    assert (case.name, case.iri, case.title) == ("", "", "text")


def test_several_cases_of_a_file_come_in_order_of_their_names(kb: Repository) -> None:
    cases = read(kb, PREFIXES + ":b a case:Case . :c a case:Case . :a a case:Case .")
    assert [case.name for case in cases] == ["a", "b", "c"]


def test_several_cases_without_names_come_in_the_order_of_the_file(kb: Repository) -> None:
    patients = [f"p{number}" for number in range(20)]
    text = PREFIXES + "".join(f"[] a case:Case ; case:patient :{patient} .\n" for patient in patients)
    cases = read(kb, text)
    assert [case.in_file(URIRef(str(case.value(case.node, CASE.patient)))) for case in cases] == [
        EX + patient for patient in patients
    ]


@pytest.mark.parametrize("text", ["", "# nothing", PREFIXES + ":case a case:Request ."])
def test_a_file_without_a_case_is_refused(kb: Repository, text: str) -> None:
    assert refusal(lambda: read(kb, text)) == "text: no case in this file; a case is a node of class case:Case"


@pytest.mark.parametrize(
    ("term", "statement"),
    [
        ("clin:Melanoma", "clin:Melanoma <http://www.w3.org/2004/02/skos/core#broader> clin:HematologicMalignancy ."),
        ("clin:NoSuchTerm", "clin:NoSuchTerm a clin:Disease ."),
        ("case:finding", "case:finding a :thing ."),
        ("cond:mrd-is-detected", "<https://w3id.org/policykb/condition#mrd-is-detected> a :thing ."),
        ("pol:Holds", "<https://w3id.org/policykb/policy#Holds> a :thing ."),
        ("shape:Case", "<https://w3id.org/policykb/shape#Case> a :thing ."),
        ("cpt:38242", "cpt:38242 a :thing ."),
        ("hcpcs:S2150", f"<{HCPCS}S2150> a :thing ."),
    ],
)
def test_a_file_that_says_something_of_a_term_is_refused(
    kb: Repository, well_formed: str, term: str, statement: str
) -> None:
    assert refusal(lambda: read(kb, well_formed + statement)) == (
        f"text: says something of {term}, a term of the vocabulary; "
        "a case may use the vocabulary and not define it: remove the statement"
    )


def test_a_finding_that_no_case_is_linked_to_is_noticed(kb: Repository, well_formed: str) -> None:
    stray = ":stray a clin:MRDTest . :second a clin:MRDTest . :other a clin:Transplant . :thing a :Thing ."
    (case,) = read(kb, well_formed + stray)
    assert case.notices == ("The file also holds clin:MRDTest, clin:Transplant that no case is linked to: not read.",)
    assert f"{EX}stray" not in {case.in_file(node) for node in case.names}
