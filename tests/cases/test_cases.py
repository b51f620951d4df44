"""Patient cases in: what is read of a file, what is refused, and what counts of a well-formed case."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from installed import INSTALLED
from rdflib import Graph, URIRef
from rdflib.namespace import RDF, RDFS
from rdflib.term import Node

from kb_tools.cases.case import DERIVED, DERIVED_LINKS, DERIVED_OF_FINDINGS, Case, Malformed, Violation
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.inputs import find_files
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Determination, Outcome
from kb_tools.determine.run import Run
from kb_tools.errors import UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import outcome_shape, self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.files import FORMATS, lines
from kb_tools.rdf.namespaces import CASE, CLIN, SH, SHAPE

DATA = Path(__file__).parents[1] / "data"
EX = "https://example.org/case#"
PREFIXES = "".join(f"{line}\n" for line in (DATA / "case.ttl").read_text(encoding="utf-8").splitlines()[1:6])
HCPCS = "https://w3id.org/policykb/code/hcpcs/"

Vary = Callable[[str, str], str]


def read(kb: Repository, *texts: str) -> list[Case]:
    """The cases of some texts, each read as if it came through standard input."""
    reader = CaseReader(kb)
    return [case for text in texts for case in reader.read("text", None, text.encode(), FORMATS[".ttl"])]


def refusal(call: Callable[[], object]) -> str:
    """The one line with which a call refuses its input."""
    with pytest.raises(UnreadableInput) as refused:
        call()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def local(case: Case, node: Node) -> str:
    """What the file calls a node, by its local name."""
    assert isinstance(node, URIRef)
    return (case.in_file(node) or str(node)).removeprefix(EX)


def current(case: Case) -> list[str]:
    """The findings that count, each as often as that is derived."""
    return linked(case, CASE.currentFinding)


def linked(case: Case, link: URIRef) -> list[str]:
    """The findings that a derived link of the case leads to, each as often as that is derived."""
    return sorted(local(case, node) for node in case.values(case.node, link))


def links_of_findings(case: Case) -> list[str]:
    """What is derived of the findings, as "finding link target", each as often as that is derived."""
    return sorted(
        f"{local(case, finding)} {str(link).removeprefix(CASE)} {local(case, target).removeprefix(CLIN)}"
        for finding, link, target in case.triples()
        if link in DERIVED_OF_FINDINGS
    )


def determined(kb: Repository, policy: Policy, cases: list[Case]) -> list[Outcome]:
    """What well-formed cases come to under the revision in force."""
    answers = list(Run(kb, policy, "pyshifty").answers(cases))
    return [answer.outcome for answer in answers if isinstance(answer, Determination)]


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


# ---------------------------------------------------------------------- isolation


def test_one_node_in_two_files_is_two_nodes(kb: Repository, well_formed: str, vary: Vary) -> None:
    reader = CaseReader(kb)
    (one,) = reader.read("one", None, well_formed.encode(), FORMATS[".ttl"])
    (other,) = reader.read("other", None, vary("clin:grade 1", "clin:grade 4").encode(), FORMATS[".ttl"])
    assert one.about.keys().isdisjoint(other.about)
    (again,) = read(kb, well_formed)
    assert statements(one) == statements(again)


def test_a_blank_node_of_one_name_in_two_files_is_two_nodes(kb: Repository, well_formed: str) -> None:
    reader = CaseReader(kb)
    grades = []
    for grade in (1, 4):
        text = well_formed.replace("clin:grade 1", f"clin:grade {grade}").replace(":acute", "_:acute")
        (case,) = reader.read("text", None, text.encode(), FORMATS[".ttl"])
        grades.append([str(value) for _, predicate, value in case.triples() if predicate == CLIN.grade])
    assert grades == [["1"], ["4"]]


def statements(case: Case) -> set[tuple[str, str, str]]:
    """What a case says, on the nodes of its file."""
    file = {node: str(own) for node, own in case.names.items()}
    return {
        (str(file[URIRef(str(subject))]), str(predicate), file.get(URIRef(str(object_)), str(object_)))
        for subject, predicate, object_ in case.triples()
    }


TWO_CASES = """
:second a case:Case ;
    case:patient :patient ;
    case:coverage :coverage ;
    case:request :other-request ;
    case:finding :transplant , :acute .

:other-request a case:Request ;
    case:serviceDate "2026-06-04"^^xsd:date .
"""


def test_two_cases_that_share_findings_do_not_affect_one_another(
    kb: Repository, policy: Policy, well_formed: str
) -> None:
    """The second asks for an earlier date: what is after it does not count there, and counts in the first."""
    checker = CaseChecker(kb, "pyshifty")
    alone = checker.check(read(kb, well_formed))[0]
    first, second = checker.check(read(kb, well_formed + TWO_CASES))
    assert isinstance(alone, Case) and isinstance(first, Case) and isinstance(second, Case)
    assert statements(first) == statements(alone)
    assert current(second) == ["transplant"]
    assert determined(kb, policy, read(kb, well_formed + TWO_CASES)) == [Outcome.MET, Outcome.NEEDED]


def test_a_malformed_case_leaves_the_case_it_shares_a_file_with_alone(kb: Repository, well_formed: str) -> None:
    text = well_formed + TWO_CASES.replace("case:patient :patient ;", "case:patient :patient , :nobody ;")
    first, second = CaseChecker(kb, "pyshifty").check(read(kb, text))
    assert isinstance(first, Case)
    assert isinstance(second, Malformed)


def test_a_case_linked_to_a_case_is_malformed_and_the_other_is_not(kb: Repository, well_formed: str) -> None:
    text = well_formed + TWO_CASES.replace(":transplant , :acute", ":transplant , :case")
    first, second = CaseChecker(kb, "pyshifty").check(read(kb, text))
    assert isinstance(first, Case)
    assert isinstance(second, Malformed)
    assert [(violation.focus, violation.value, violation.shape) for violation in second.violations] == [
        (f"{EX}second", f"{EX}case", "shape:Case-finding")
    ]


@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_a_case_makes_no_concept_and_no_class_of_its_own(kb: Repository, vary: Vary, engine: str) -> None:
    broader = "<http://www.w3.org/2004/02/skos/core#broader>"
    disease = vary("case:reason clin:AcuteMyeloidLeukemia", "case:reason :flu")
    disease += f":flu a clin:Disease ; {broader} clin:AcuteMyeloidLeukemia ."
    kind = vary(":transplant a clin:Transplant", ":transplant a :Graft")
    kind += f":Graft {RDFS.subClassOf.n3()} clin:Transplant ."
    found = [violations(checked) for checked in CaseChecker(kb, engine).check(read(kb, disease, kind))]
    assert [[(violation.focus, violation.value, violation.shape) for violation in those] for those in found] == [
        [(f"{EX}request", f"{EX}flu", "shape:Request-reason")],
        [(f"{EX}case", f"{EX}transplant", "shape:Case-finding")],
    ]


def test_a_case_changes_nothing_of_the_knowledge_base(kb: Repository, well_formed: str) -> None:
    before = len(kb.ontology), len(kb.conditions)
    CaseChecker(kb, "pyshacl").check(read(kb, well_formed))
    assert (len(kb.ontology), len(kb.conditions)) == before


# ---------------------------------------------------------------------- malformed cases


@dataclass(frozen=True)
class Broken:
    """The well-formed case with one part put another way, and what breaks in it.

    Attributes:
        finds: focus, path, value, shape, and what is added to the message of the shape.
    """

    name: str
    old: str
    new: str
    finds: tuple[tuple[str, str, str, str, str], ...]


def broken(name: str, old: str, new: str, *finds: str) -> Broken:
    """Each of `finds` is "focus | path | value | shape", and the addition to the message where there is one."""
    rows = [[part.strip() for part in find.split("|")] for find in finds]
    return Broken(name, old, new, tuple((f, p, v, s, g) for f, p, v, s, g, *_ in ([*row, ""] for row in rows)))


def no_day(name: str, written: str, shown: str) -> list[Broken]:
    """One wrong day, as the date of a finding and as the service date."""
    return [
        broken(
            f"a finding dated {name}",
            '"2026-06-05"^^xsd:date',
            written,
            f"acute | case:date | {shown} | shape:Finding-date",
        ),
        broken(
            f"a service dated {name}",
            '"2026-07-01"^^xsd:date',
            written,
            f"request | case:serviceDate | {shown} | shape:Request-serviceDate",
        ),
    ]


def no_percent(written: str, shown: str) -> Broken:
    return broken(
        f"donor cells of {written}",
        "clin:donorPercent 90.0",
        f"clin:donorPercent {written}",
        f"chimerism | clin:donorPercent | {shown} | shape:ChimerismTest-donorPercent",
    )


def no_grade(written: str, shown: str) -> Broken:
    return broken(
        f"a grade of {written}",
        "clin:grade 1",
        f"clin:grade {written}",
        f"acute | clin:grade | {shown} | shape:AcuteGvHDAssessment-grade",
    )


FOAF = "<http://xmlns.com/foaf/0.1/name>"
ONE_GRADE, ONE_SHARE = "clin:grade 1", "clin:donorPercent 90.0"

BROKEN = [
    # spelling
    broken(
        "a misspelt property of a finding",
        ONE_GRADE,
        "clin:grad 1",
        "acute | clin:grad | 1 | shape:AcuteGvHDAssessment | Did you mean clin:grade?",
    ),
    broken(
        "a misspelt property of the request",
        "case:reason",
        "case:reson",
        "request | case:reson | clin:AcuteMyeloidLeukemia | shape:Request | Did you mean case:reason?",
    ),
    broken(
        "a misspelt property of the coverage",
        "case:lineOfBusiness",
        "case:lineofbusiness",
        "coverage | case:lineofbusiness | case:Commercial | shape:Coverage | Did you mean case:lineOfBusiness?",
    ),
    broken(
        "a misspelt property of the product",
        "clin:lymphocyteDonor",
        "clin:lymphocytesDonor",
        "product | clin:lymphocytesDonor | clin:TransplantDonor | shape:Product | Did you mean clin:lymphocyteDonor?",
    ),
    broken(
        "a misspelt link to the findings",
        "case:finding :transplant , :status ,",
        "case:findings :transplant ; case:finding :status ,",
        f"case | case:findings | {EX}transplant | shape:Case | Did you mean case:finding?",
    ),
    broken(
        "a property under the wrong prefix",
        ONE_GRADE,
        "case:grade 1",
        "acute | case:grade | 1 | shape:AcuteGvHDAssessment | Did you mean clin:grade?",
    ),
    broken(
        "a property of another class of findings",
        ONE_GRADE,
        "clin:grade 1 ; clin:relapseRisk clin:RaisedRelapseRisk",
        "acute | clin:relapseRisk | clin:RaisedRelapseRisk | shape:AcuteGvHDAssessment",
    ),
    broken(
        "a property that is no address on the web",
        ONE_GRADE,
        "clin:grade 1 ; <urn:note> 'x'",
        "acute | <urn:note> | x | shape:AcuteGvHDAssessment",
    ),
    broken(
        "a misspelt class of a finding",
        "a clin:AcuteGvHDAssessment",
        "a clin:AcuteGVHDAssessment",
        f"case | case:finding | {EX}acute | shape:Case-finding | Did you mean clin:AcuteGvHDAssessment?",
    ),
    broken(
        "a finding without a class",
        "a clin:AcuteGvHDAssessment ;",
        "",
        f"case | case:finding | {EX}acute | shape:Case-finding",
    ),
    broken(
        "a finding of two classes",
        "a clin:AcuteGvHDAssessment",
        "a clin:AcuteGvHDAssessment , clin:ChronicGvHDAssessment",
        "acute | clin:grade | 1 | shape:ChronicGvHDAssessment",
        f"case | case:finding | {EX}acute | shape:Case-finding",
    ),
    broken(
        "a finding that is a text",
        "case:finding :transplant",
        "case:finding 'grade 1' , :transplant",
        "case | case:finding | grade 1 | shape:Case-finding",
    ),
    broken(
        "a finding that is a term",
        "case:finding :transplant",
        "case:finding clin:Relapsed , :transplant",
        "case | case:finding | clin:Relapsed | shape:Case-finding",
    ),
    broken(
        "an unknown disease as the reason",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason clin:AcuteMyeloidLeukaemia",
        "request | case:reason | clin:AcuteMyeloidLeukaemia | shape:Request-reason "
        "| Did you mean clin:AcuteMyeloidLeukemia?",
    ),
    broken(
        "an unknown disease that comes close to none",
        "clin:disease clin:Leukemia",
        "clin:disease clin:Flu",
        "status | clin:disease | clin:Flu | shape:DiseaseStatusAssessment-disease",
    ),
    broken(
        "a disease of another vocabulary",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason <http://snomed.info/id/91861009>",
        "request | case:reason | http://snomed.info/id/91861009 | shape:Request-reason",
    ),
    broken(
        "a disease as a text",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason 'AML'",
        "request | case:reason | AML | shape:Request-reason",
    ),
    broken(
        "a term of the wrong kind",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason clin:Relapsed",
        "request | case:reason | clin:Relapsed | shape:Request-reason",
    ),
    broken(
        "an unknown line of business",
        "case:Commercial",
        "case:Comercial",
        "coverage | case:lineOfBusiness | case:Comercial | shape:Coverage-lineOfBusiness "
        "| Did you mean case:Commercial?",
    ),
    broken(
        "an unknown purpose",
        "clin:TreatRelapse",
        "clin:CureAll",
        "request | case:purpose | clin:CureAll | shape:Request-purpose",
    ),
    broken(
        "an unknown processing",
        "clin:Unmanipulated",
        "clin:Washed",
        "product | clin:processing | clin:Washed | shape:Product-processing",
    ),
    broken(
        "a code that is no code",
        "cpt:38242",
        "cpt:3824",
        "request | case:procedureCode | cpt:3824 | shape:Request-procedureCode",
    ),
    broken(
        "a code as a text",
        "cpt:38242",
        "'38242'",
        "request | case:procedureCode | 38242 | shape:Request-procedureCode",
    ),
    # days
    *no_day("soon", '"soon"^^xsd:date', "soon"),
    *no_day("in a text", '"2026-06-05"', "2026-06-05"),
    *no_day("in a text with a language", '"2026-06-05"@en', "2026-06-05"),
    *no_day("with a time", '"2026-06-05T00:00:00"^^xsd:dateTime', "2026-06-05T00:00:00"),
    *no_day("with a time as a date", '"2026-06-05T00:00:00"^^xsd:date', "2026-06-05T00:00:00"),
    *no_day("in Greenwich", '"2026-06-05Z"^^xsd:date', "2026-06-05Z"),
    *no_day("in a time zone", '"2026-06-05+02:00"^^xsd:date', "2026-06-05+02:00"),
    *no_day("February 30", '"2026-02-30"^^xsd:date', "2026-02-30"),
    *no_day("April 31", '"2026-04-31"^^xsd:date', "2026-04-31"),
    *no_day("February 29 of 2023", '"2023-02-29"^^xsd:date', "2023-02-29"),
    *no_day("February 29 of 1900", '"1900-02-29"^^xsd:date', "1900-02-29"),
    *no_day("in month 13", '"2026-13-01"^^xsd:date', "2026-13-01"),
    *no_day("on day 0", '"2026-06-00"^^xsd:date', "2026-06-00"),
    *no_day("without leading zeros", '"2026-6-5"^^xsd:date', "2026-6-5"),
    *no_day("in the year 0", '"0000-01-01"^^xsd:date', "0000-01-01"),
    *no_day("in the year 26", '"0026-06-05"^^xsd:date', "0026-06-05"),
    *no_day("before Christ", '"-2026-06-05"^^xsd:date', "-2026-06-05"),
    *no_day("in a year of five digits", '"12026-06-05"^^xsd:date', "12026-06-05"),
    Broken(
        "a finding dated in spaces",
        '"2026-06-05"^^xsd:date',
        '" 2026-06-05 "^^xsd:date',
        (("acute", "case:date", " 2026-06-05 ", "shape:Finding-date", ""),),
    ),
    *no_day("on two lines", '"2026-06-05\\n"^^xsd:date', "2026-06-05\N{REPLACEMENT CHARACTER}"),
    *no_day("with a month alone", '"2026-06"^^<http://www.w3.org/2001/XMLSchema#gYearMonth>', "2026-06"),
    *no_day("with a number", "2026", "2026"),
    *no_day("with a node", "<urn:day>", "urn:day"),
    *no_day("twice", '"2026-06-05"^^xsd:date , "2026-06-06"^^xsd:date', ""),
    broken(
        "a finding without a date",
        'case:date "2026-06-05"^^xsd:date ;',
        "",
        "acute | case:date | | shape:Finding-date",
    ),
    broken(
        "a request without a date",
        'case:serviceDate "2026-07-01"^^xsd:date ;',
        "",
        "request | case:serviceDate | | shape:Request-serviceDate",
    ),
    # numbers
    *(no_percent(number, number) for number in ("140", "-1", "140.0", "100.1", "-0.1", "9e1", "true")),
    no_percent('"90"', "90"),
    no_percent('"ninety"^^xsd:decimal', "ninety"),
    no_percent('"90"^^xsd:float', "90"),
    no_percent('"NaN"^^xsd:double', "NaN"),
    # What Python would take for a number, and one of which pySHACL would die.
    no_percent('"NaN"^^xsd:decimal', "NaN"),
    no_percent('"sNaN"^^xsd:decimal', "sNaN"),
    no_percent('"Infinity"^^xsd:decimal', "Infinity"),
    no_percent('"9e1"^^xsd:decimal', "9e1"),
    no_percent('"9_0"^^xsd:integer', "9_0"),
    no_percent('"90."^^xsd:decimal', "90."),
    no_percent('"\N{ARABIC-INDIC DIGIT NINE}"^^xsd:integer', "\N{ARABIC-INDIC DIGIT NINE}"),
    no_grade('"0_1"^^xsd:integer', "0_1"),
    no_percent('"90"^^xsd:int', "90"),
    no_percent("90 , 91", ""),
    *(no_grade(number, number) for number in ("7", "5", "-1", "2.0", "2e0")),
    no_grade('"2"', "2"),
    no_grade('"II"', "II"),
    no_grade('"two"^^xsd:integer', "two"),
    no_grade("1 , 2", ""),
    broken(
        "a lower bound over the upper one",
        ONE_SHARE,
        "clin:donorPercentAtLeast 95 ; clin:donorPercentAtMost 90",
        "chimerism | clin:donorPercentAtLeast | 95 | shape:ChimerismTest-donorPercentAtLeast",
    ),
    broken(
        "a lower bound at an upper one that is not reached",
        ONE_SHARE,
        "clin:donorPercentAtLeast 90 ; clin:donorPercentBelow 90.0",
        "chimerism | clin:donorPercentAtLeast | 90 | shape:ChimerismTest-donorPercentAtLeast",
    ),
    broken(
        "a bound over 100",
        ONE_SHARE,
        "clin:donorPercentAtMost 101",
        "chimerism | clin:donorPercentAtMost | 101 | shape:ChimerismTest-donorPercentAtMost",
    ),
    broken(
        "a share below 0",
        ONE_SHARE,
        "clin:donorPercentBelow 0",
        "chimerism | clin:donorPercentBelow | 0 | shape:ChimerismTest-donorPercentBelow",
    ),
    *(
        broken(
            f"an exact share and a bound ({bound})",
            ONE_SHARE,
            f"clin:donorPercent 90 ; clin:donorPercent{bound} 90",
            "chimerism | | | shape:ChimerismTest-exactOrBounds",
        )
        for bound in ("AtLeast", "AtMost", "Below")
    ),
    broken(
        "two upper bounds of a share",
        ONE_SHARE,
        "clin:donorPercentAtMost 90 ; clin:donorPercentBelow 95",
        "chimerism | | | shape:ChimerismTest-oneUpperBound",
    ),
    broken(
        "a lower grade over the upper one",
        ONE_GRADE,
        "clin:gradeAtLeast 3 ; clin:gradeAtMost 2",
        "acute | clin:gradeAtLeast | 3 | shape:AcuteGvHDAssessment-gradeAtLeast",
    ),
    *(
        broken(
            f"an exact grade and a bound ({bound})",
            ONE_GRADE,
            f"clin:grade 1 ; clin:grade{bound} 1",
            "acute | | | shape:AcuteGvHDAssessment-exactOrBounds",
        )
        for bound in ("AtLeast", "AtMost")
    ),
    broken(
        "a trial that may be",
        "clin:withinClinicalTrial false",
        'clin:withinClinicalTrial "maybe"^^xsd:boolean',
        "product | clin:withinClinicalTrial | maybe | shape:Product-withinClinicalTrial",
    ),
    broken(
        "a trial as a number of the class of truth values",
        "clin:withinClinicalTrial false",
        'clin:withinClinicalTrial "1"^^xsd:boolean',
        "product | clin:withinClinicalTrial | 1 | shape:Product-withinClinicalTrial",
    ),
    broken(
        "a trial as a text",
        "clin:withinClinicalTrial false",
        "clin:withinClinicalTrial 'no'",
        "product | clin:withinClinicalTrial | no | shape:Product-withinClinicalTrial",
    ),
    # how often
    broken(
        "two requests",
        "case:request :request",
        'case:request :request , [ a case:Request ; case:serviceDate "2026-07-02"^^xsd:date ]',
        "case | case:request | | shape:Case-request",
    ),
    broken("no request", "case:request :request ;", "", "case | case:request | | shape:Case-request"),
    broken(
        "two coverages",
        "case:coverage :coverage",
        "case:coverage :coverage , [ a case:Coverage ]",
        "case | case:coverage | | shape:Case-coverage",
    ),
    broken("no coverage", "case:coverage :coverage ;", "", "case | case:coverage | | shape:Case-coverage"),
    broken(
        "a coverage without a class",
        "a case:Coverage ;",
        "",
        f"case | case:coverage | {EX}coverage | shape:Case-coverage",
    ),
    broken(
        "two lines of business",
        "case:Commercial",
        "case:Commercial , case:Medicaid",
        "coverage | case:lineOfBusiness | | shape:Coverage-lineOfBusiness",
    ),
    broken(
        "two reasons",
        "case:reason clin:AcuteMyeloidLeukemia",
        "case:reason clin:AcuteMyeloidLeukemia , clin:Leukemia",
        "request | case:reason | | shape:Request-reason",
    ),
    broken(
        "two services",
        "case:service clin:DonorLymphocyteInfusion",
        "case:service clin:DonorLymphocyteInfusion , clin:OtherService",
        "request | case:service | | shape:Request-service",
    ),
    broken(
        "a finding without a basis",
        'case:date "2026-06-05"^^xsd:date ;\n    case:basis case:ChartEvidence ;',
        'case:date "2026-06-05"^^xsd:date ;',
        "acute | case:basis | | shape:Finding-basis",
    ),
    broken("no patient", "case:patient :patient ;", "", "case | case:patient | | shape:Case-patient"),
    broken(
        "two patients",
        "case:patient :patient",
        "case:patient :patient , :twin",
        "case | case:patient | | shape:Case-patient",
    ),
    broken(
        "a patient by name",
        "case:patient :patient",
        f"case:patient [ {FOAF} 'Jane Roe' ]",
        "case | case:patient | | shape:Case-patient",
    ),
    broken(
        "a patient as a text",
        "case:patient :patient",
        "case:patient 'Jane Roe'",
        "case | case:patient | a text | shape:Case-patient",
    ),
    broken(
        "an absence of what need not be stated absent",
        "clin:absenceOf clin:EarlierInfusion",
        "clin:absenceOf clin:MRDTest",
        "absence | clin:absenceOf | clin:MRDTest | shape:StatedAbsence-absenceOf",
    ),
    # what contradicts itself, and what is derived
    broken(
        "a product unmanipulated and manipulated",
        "clin:Unmanipulated",
        "clin:Unmanipulated , clin:CD4Selection",
        "product | | | shape:Product-unmanipulatedOrManipulated",
    ),
    *(
        broken(
            f"a file that states what is derived of a case ({link})",
            "case:finding :transplant",
            f"case:{link} :acute ; case:finding :transplant",
            f"case | case:{link} | | shape:NothingDerived-{link}",
        )
        for link in ("countableFinding", "latestFinding", "currentFinding", "perhapsFinding")
    ),
    *(
        broken(
            f"a file that states what is derived of a finding ({link})",
            ONE_GRADE,
            f"clin:grade 1 ; case:{link} {target}",
            f"acute | case:{link} | | shape:NothingDerived-{link}",
        )
        for link, target in (
            ("supersededBy", ":chronic"),
            ("differsFrom", ":chronic"),
            ("contradictedBy", ":chronic"),
            ("mayBeBefore", ":transplant"),
            ("mayBeSupersededBy", ":chronic"),
            ("mayNotBeOf", "clin:AcuteMyeloidLeukemia"),
            ("sharesDoubtOf", ":chronic"),
        )
    ),
    # what is in doubt
    *(
        broken(
            f"{name} in doubt",
            f"a clin:{class_} ;",
            f"a clin:{class_} ; case:inDoubt 'Something newer could not be read.' ;",
            f"{finding} | case:inDoubt | Something newer could not be read. | shape:{class_}",
        )
        for name, finding, class_ in (
            ("a transplant", "transplant", "Transplant"),
            ("an earlier infusion", "infusion", "EarlierInfusion"),
        )
    ),
    *(
        broken(
            f"a doubt that is {name}",
            ONE_GRADE,
            f"clin:grade 1 ; case:inDoubt {written}",
            f"acute | case:inDoubt | {shown} | shape:Finding-inDoubt",
        )
        for name, written, shown in (
            ("stated twice", "'one' , 'another'", ""),
            ("empty", "''", ""),
            ("longer than 500 characters", f"'{'d' * 501}'", f"{'d' * 79}…"),
            ("a number", "1", "1"),
            ("a truth value", "true", "true"),
            ("a text with a language", "'newer'@en", "newer"),
            ("a node", "<urn:x:newer>", "urn:x:newer"),
        )
    ),
    # what a terminal would obey
    broken(
        "a value that commands a terminal",
        ONE_GRADE,
        'clin:grade "\\u001B[2J\\u0007"',
        "acute | clin:grade | \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER} | shape:AcuteGvHDAssessment-grade",
    ),
    broken(
        "a value as long as a book",
        ONE_GRADE,
        f'clin:grade "{"long" * 1000}"',
        f"acute | clin:grade | {('long' * 20)[:79]}… | shape:AcuteGvHDAssessment-grade",
    ),
]


def violations(answer: Case | Malformed) -> tuple[Violation, ...]:
    return answer.violations if isinstance(answer, Malformed) else ()


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


# ---------------------------------------------------------------------- what counts

SERVICE = "2026-07-01"
AML = "case:reason clin:AcuteMyeloidLeukemia ;"
NHL = "case:reason clin:NonHodgkinLymphoma ;"

# Something that a finding of each class can state.
STATED = {
    "Transplant": "clin:graftSource clin:UnrelatedDonor",
    "DiseaseStatusAssessment": "clin:disease clin:AcuteMyeloidLeukemia ; clin:diseaseStatus clin:Relapsed",
    "MRDTest": "clin:method clin:FlowCytometry ; clin:mrdResult clin:MRDDetected",
    "RelapseRiskAssessment": "clin:relapseRisk clin:RaisedRelapseRisk",
    "ChimerismTest": "clin:lineage clin:TCells ; clin:donorPercent 95",
    "AcuteGvHDAssessment": "clin:grade 1",
    "ChronicGvHDAssessment": "clin:chronicSeverity clin:MildChronicGvHD",
    "EarlierInfusion": "clin:response clin:PositiveResponse",
    "StatedAbsence": "clin:absenceOf clin:EarlierInfusion",
}
# The rules of the design's section 3.4, class by class.
ALL_COUNT = {"Transplant", "StatedAbsence"}
SINCE_TRANSPLANT = {
    "DiseaseStatusAssessment",
    "MRDTest",
    "ChimerismTest",
    "AcuteGvHDAssessment",
    "ChronicGvHDAssessment",
}
STRICTLY_BEFORE = {"EarlierInfusion"}
NEVER_IN_DOUBT = {"Transplant", "EarlierInfusion"}
DOUBT = "case:inDoubt 'A newer resource could not be read.' ; "


def finding(name: str, class_: str, day: str, properties: str | None = None) -> str:
    """One finding; it states what its class can state, unless `said` says what."""
    properties = STATED[class_] if properties is None else properties
    return f''':{name} a clin:{class_} ; case:date "{day}"^^xsd:date ; case:basis case:ChartEvidence ; {properties} .'''


def case_of(*findings: str, service: str = SERVICE, reason: str = AML) -> str:
    names = " , ".join(re.findall(r"^:(?:\w|-)+", "\n".join(findings), flags=re.MULTILINE))
    return "\n".join(
        [
            PREFIXES,
            ":case a case:Case ; case:patient :patient ; case:coverage :coverage ; case:request :request ;",
            f"case:finding {names} .",
            ":coverage a case:Coverage .",
            f':request a case:Request ; {reason} case:serviceDate "{service}"^^xsd:date .',
            *findings,
        ]
    )


@dataclass(frozen=True)
class Situation:
    """Some findings, those of them that count and that perhaps count, and how they stand to each other.

    Attributes:
        links: what is derived of the findings, as "finding link target", but for case:differsFrom.
        differ: the pairs of findings that differ, one way.
    """

    name: str
    findings: tuple[str, ...]
    counts: str
    perhaps: str
    links: tuple[str, ...]
    differ: frozenset[tuple[str, str]]
    reason: str

    @property
    def all_links(self) -> list[str]:
        both = {pair for one, other in self.differ for pair in ((one, other), (other, one))}
        return sorted([*self.links, *(f"{one} differsFrom {other}" for one, other in both)])

    @property
    def latest(self) -> set[str]:
        """What is latest: all that counts or perhaps counts, and what is superseded."""
        superseded = {link.split()[0] for link in self.links if " supersededBy " in link}
        return {*self.counts.split(), *self.perhaps.split(), *superseded}


def situation(
    name: str,
    *findings: str,
    counts: str = "",
    perhaps: str = "",
    links: str = "",
    contradict: str = "",
    differ: str = "",
    reason: str = AML,
) -> Situation:
    """A situation.

    Args:
        links: "a mayBeBefore t, b mayNotBeOf AcuteMyeloidLeukemia".
        contradict, differ: pairs, "a-b a-c"; those that contradict each other differ, and so do those of which one
            may take the place of the other or shares its doubt, without saying so here.
    """
    written = [link.strip() for link in links.split(",") if link.strip()]
    pairs = [(one, other) for one, _, other in (pair.partition("-") for pair in contradict.split())]
    for one, other in pairs:
        written += [f"{one} contradictedBy {other}", f"{other} contradictedBy {one}"]
    differing = [(one, other) for one, _, other in (pair.partition("-") for pair in differ.split())]
    differing += [
        (one, other)
        for one, link, other in (text.split() for text in written)
        if link in ("contradictedBy", "mayBeSupersededBy", "sharesDoubtOf")
    ]
    return Situation(
        name, findings, counts, perhaps, tuple(written), frozenset((min(a, b), max(a, b)) for a, b in differing), reason
    )


def status(name: str, day: str, disease: str, state: str = "Relapsed", doubt: str = "") -> str:
    stated = f"{doubt}clin:disease clin:{disease} ; clin:diseaseStatus clin:{state}"
    return finding(name, "DiseaseStatusAssessment", day, stated)


def graft(name: str, day: str, source: str) -> str:
    return finding(name, "Transplant", day, f"clin:graftSource clin:{source}" if source else "")


def mrd(name: str, day: str, method: str, result: str = "MRDDetected", doubt: str = "") -> str:
    key = doubt + (f"clin:method clin:{method} ; " if method else "")
    return finding(name, "MRDTest", day, f"{key}clin:mrdResult clin:{result}" if result else key)


def share(name: str, day: str, lineage: str, percent: str = "clin:donorPercent 95") -> str:
    return finding(name, "ChimerismTest", day, (f"clin:lineage clin:{lineage} ; " if lineage else "") + percent)


def grade(name: str, properties: str) -> str:
    return finding(name, "AcuteGvHDAssessment", "2026-06-01", properties)


def absence(name: str, day: str, of: str) -> str:
    return finding(name, "StatedAbsence", day, f"clin:absenceOf clin:{of}")


def by_class() -> list[Situation]:
    """The rules that every class of findings follows in its own way."""
    every: list[Situation] = []
    for class_, stated in STATED.items():
        kept = "" if class_ in STRICTLY_BEFORE else "a"
        every += [
            situation(f"{class_} before the service date", finding("a", class_, "2026-06-30"), counts="a"),
            situation(f"{class_} on the service date", finding("a", class_, "2026-07-01"), counts=kept),
            situation(f"{class_} after the service date", finding("a", class_, "2026-07-02"), counts=""),
            situation(
                f"{class_} of two days",
                finding("a", class_, "2026-06-01"),
                finding("b", class_, "2026-06-15"),
                counts="a b" if class_ in ALL_COUNT else "b",
            ),
            situation(
                f"{class_} twice on one day with one value",
                finding("a", class_, "2026-06-15"),
                finding("b", class_, "2026-06-15"),
                counts="a b",
            ),
            situation(
                f"{class_} of which the later is after the service date",
                finding("a", class_, "2026-06-15"),
                finding("b", class_, "2026-07-02"),
                counts="a",
            ),
        ]
        if class_ != "Transplant":
            old = "" if class_ in SINCE_TRANSPLANT else "a "
            every += [
                situation(
                    f"{class_} on the day before an allogeneic transplant",
                    finding("a", class_, "2026-02-28"),
                    graft("t", "2026-03-01", "UnrelatedDonor"),
                    counts=f"{old}t",
                ),
                situation(
                    f"{class_} on the day of an allogeneic transplant",
                    finding("a", class_, "2026-03-01"),
                    graft("t", "2026-03-01", "UnrelatedDonor"),
                    counts="a t",
                ),
                situation(
                    f"{class_} before an autologous transplant",
                    finding("a", class_, "2026-02-28"),
                    graft("t", "2026-03-01", "Autologous"),
                    counts="a t",
                ),
            ]
            for source in ("Syngeneic", ""):
                described = source or "of unstated source"
                before = situation(
                    f"{class_} before a transplant that is {described}, which may be allogeneic",
                    finding("a", class_, "2026-02-28"),
                    graft("t", "2026-03-01", source),
                    **(
                        {"counts": "t", "perhaps": "a", "links": "a mayBeBefore t"}
                        if class_ in SINCE_TRANSPLANT
                        else {"counts": "a t"}
                    ),
                )
                on_the_day = situation(
                    f"{class_} on the day of a transplant that is {described}",
                    finding("a", class_, "2026-03-01"),
                    graft("t", "2026-03-01", source),
                    counts="a t",
                )
                every += [before, on_the_day]
        if class_ not in NEVER_IN_DOUBT:
            every += [
                situation(
                    f"{class_} stated to be in doubt",
                    finding("a", class_, "2026-06-15", DOUBT + stated),
                    perhaps="a",
                ),
                situation(
                    f"{class_} in doubt beside one of its day that says the same",
                    finding("a", class_, "2026-06-15", DOUBT + stated),
                    finding("b", class_, "2026-06-15"),
                    counts="b",
                    perhaps="a",
                ),
                situation(
                    f"{class_} before one in doubt, which is the latest all the same",
                    finding("a", class_, "2026-06-01"),
                    finding("b", class_, "2026-06-15", DOUBT + stated),
                    counts="a" if class_ in ALL_COUNT else "",
                    perhaps="b",
                ),
                situation(
                    f"{class_} after one in doubt, which is history all the same",
                    finding("a", class_, "2026-06-01", DOUBT + stated),
                    finding("b", class_, "2026-06-15"),
                    counts="b",
                    perhaps="a" if class_ in ALL_COUNT else "",
                ),
            ]
    return every


SITUATIONS = [
    *by_class(),
    # the latest allogeneic transplant
    *(
        situation(
            f"a status before a transplant from {source}",
            status("a", "2026-02-28", "AcuteMyeloidLeukemia"),
            graft("t", "2026-03-01", source),
            counts="t",
        )
        for source in ("Allogeneic", "MatchedRelatedDonor", "HaploidenticalDonor", "CordBlood")
    ),
    situation(
        "a status between two allogeneic transplants",
        graft("t", "2025-01-01", "UnrelatedDonor"),
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("u", "2026-01-01", "UnrelatedDonor"),
        counts="t u",
    ),
    situation(
        "a status after two allogeneic transplants",
        graft("t", "2025-01-01", "UnrelatedDonor"),
        graft("u", "2026-01-01", "UnrelatedDonor"),
        status("a", "2026-01-02", "AcuteMyeloidLeukemia"),
        counts="a t u",
    ),
    situation(
        "a status between an allogeneic and a later autologous transplant",
        graft("t", "2025-01-01", "UnrelatedDonor"),
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("u", "2026-01-01", "Autologous"),
        counts="a t u",
    ),
    situation(
        "a status before an allogeneic transplant after the service date",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-07-02", "UnrelatedDonor"),
        counts="a",
    ),
    situation(
        "a status before an allogeneic transplant on the service date",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-07-01", "UnrelatedDonor"),
        counts="t",
    ),
    # of the reason
    *(
        situation(f"a status of {disease} for AML", status("a", "2026-06-01", disease), counts=counts)
        for disease, counts in (
            ("AcuteMyeloidLeukemia", "a"),
            ("AcutePromyelocyticLeukemia", "a"),
            ("AcuteLymphoblasticLeukemia", ""),
            ("Lymphoma", ""),
            ("Melanoma", ""),
        )
    ),
    *(
        situation(
            f"a status of {disease} for {reason}, which may be the disease treated or another",
            status("a", "2026-06-01", disease),
            perhaps="a",
            links=f"a mayNotBeOf {reason}",
            reason=f"case:reason clin:{reason} ;",
        )
        for disease, reason in (
            ("Leukemia", "AcuteMyeloidLeukemia"),
            ("HematologicMalignancy", "AcuteMyeloidLeukemia"),
            # Neither holds the other, and Burkitt lymphoma is in both.
            ("BCellNonHodgkinLymphoma", "NonFollicularLymphoma"),
            ("NonFollicularLymphoma", "BCellNonHodgkinLymphoma"),
        )
    ),
    situation(
        "a status of a group for another that has no kind in common with it",
        status("a", "2026-06-01", "TCellNonHodgkinLymphoma"),
        reason="case:reason clin:BCellNonHodgkinLymphoma ;",
    ),
    situation(
        "a status of a disease of which no kinds are known",
        status("a", "2026-06-01", "FollicularLymphoma"),
        counts="a",
        reason="case:reason clin:FollicularLymphoma ;",
    ),
    situation("a status without a reason", status("a", "2026-06-01", "AcuteMyeloidLeukemia"), counts="", reason=""),
    situation("another finding without a reason", mrd("a", "2026-06-01", ""), counts="a", reason=""),
    situation(
        "a later status of an unrelated disease",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-06-02", "Melanoma", "CompleteRemission"),
        counts="a",
    ),
    # each disease has a latest status of its own
    situation(
        "two statuses of one disease on two days",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        counts="b",
        reason=NHL,
    ),
    situation(
        "a relapse of one kind of the reason and a later remission of another",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "FollicularLymphoma", "CompleteRemission"),
        counts="a b",
        differ="a-b",
        reason=NHL,
    ),
    situation(
        "a relapse of one kind of the reason and a remission of another on one day",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-01", "FollicularLymphoma", "CompleteRemission"),
        counts="a b",
        differ="a-b",
        reason=NHL,
    ),
    # statuses that are superseded by those of a group
    *(
        situation(
            f"a status of a kind and a later one of a group that holds it, {state}",
            status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
            status("b", "2026-06-02", group, state),
            counts="b",
            links="a supersededBy b",
            reason=NHL,
        )
        # The group is the reason, or under it.
        for group, state in (("NonHodgkinLymphoma", "CompleteRemission"), ("BCellNonHodgkinLymphoma", "Relapsed"))
    ),
    situation(
        "a status of a kind and a later one in doubt of a group that holds it, which supersedes it all the same",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "NonHodgkinLymphoma", "CompleteRemission", DOUBT),
        perhaps="b",
        links="a supersededBy b",
        reason=NHL,
    ),
    situation(
        "a status of a kind and a later one of a group that does not hold it",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "TCellNonHodgkinLymphoma", "CompleteRemission"),
        counts="a b",
        differ="a-b",
        reason=NHL,
    ),
    situation(
        "a status of a kind and a later one of a group that holds it, far below the reason",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "BCellNonHodgkinLymphoma", "CompleteRemission"),
        counts="b",
        links="a supersededBy b",
        reason="case:reason clin:Lymphoma ;",
    ),
    situation(
        "statuses of a kind, of a group and of its group, each later",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "BCellNonHodgkinLymphoma", "CompleteRemission"),
        status("c", "2026-06-03", "NonHodgkinLymphoma", "Progressing"),
        counts="c",
        links="a supersededBy b, a supersededBy c, b supersededBy c",
        reason=NHL,
    ),
    # statuses of a disease that only may be the reason
    situation(
        "a status of a disease that may be the reason, and a later one of the reason",
        status("a", "2026-06-01", "Leukemia"),
        status("b", "2026-06-02", "AcuteMyeloidLeukemia", "CompleteRemission"),
        counts="b",
        links="a supersededBy b, a mayNotBeOf AcuteMyeloidLeukemia",
    ),
    situation(
        "a status of a disease that may be the reason, and one of the reason on its day",
        status("a", "2026-06-01", "Leukemia"),
        status("b", "2026-06-01", "AcuteMyeloidLeukemia", "CompleteRemission"),
        perhaps="a b",
        links="a mayNotBeOf AcuteMyeloidLeukemia, b mayBeSupersededBy a",
        contradict="a-b",
    ),
    situation(
        "a status of a disease that may be the reason, and a later one of a kind of the reason",
        status("a", "2026-06-01", "Leukemia"),
        status("b", "2026-06-02", "AcutePromyelocyticLeukemia", "CompleteRemission"),
        counts="b",
        perhaps="a",
        links="a mayNotBeOf AcuteMyeloidLeukemia",
        differ="a-b",
    ),
    *(
        situation(
            f"a status of {disease}, and a later one that says otherwise of a disease that may be the reason",
            status("a", "2026-06-01", disease),
            status("b", "2026-06-02", "Leukemia", "CompleteRemission"),
            perhaps="a b",
            links="a mayBeSupersededBy b, b mayNotBeOf AcuteMyeloidLeukemia",
        )
        # The reason, and a kind of it.
        for disease in ("AcuteMyeloidLeukemia", "AcutePromyelocyticLeukemia")
    ),
    situation(
        "a status of a disease far below the reason, and a later one of a disease that may be the reason",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "Lymphoma", "CompleteRemission"),
        perhaps="a b",
        links="a mayBeSupersededBy b, b mayNotBeOf NonHodgkinLymphoma",
        reason=NHL,
    ),
    situation(
        "a status of the reason, and a later one that says the same of a disease that may be the reason",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-06-02", "Leukemia"),
        counts="a",
        perhaps="b",
        links="b mayNotBeOf AcuteMyeloidLeukemia",
    ),
    situation(
        "a status of a kind of the reason, and a later one of another group that may be the reason",
        status("a", "2026-06-01", "BurkittLymphoma"),
        status("b", "2026-06-02", "NonFollicularLymphoma", "CompleteRemission"),
        perhaps="a b",
        links="a mayBeSupersededBy b, b mayNotBeOf BCellNonHodgkinLymphoma",
        reason="case:reason clin:BCellNonHodgkinLymphoma ;",
    ),
    situation(
        "two groups that have a kind in common on one day, neither of which holds the other",
        status("a", "2026-06-01", "BCellNonHodgkinLymphoma"),
        status("b", "2026-06-01", "NonFollicularLymphoma", "CompleteRemission"),
        perhaps="a b",
        links="a contradictedBy b, b contradictedBy a, a mayBeSupersededBy b, b mayNotBeOf BCellNonHodgkinLymphoma",
        reason="case:reason clin:BCellNonHodgkinLymphoma ;",
    ),
    situation(
        "two diseases that may be the reason, with different statuses",
        status("a", "2026-06-01", "Leukemia"),
        status("b", "2026-06-02", "HematologicMalignancy", "CompleteRemission"),
        perhaps="a b",
        links="a mayNotBeOf AcuteMyeloidLeukemia, b mayNotBeOf AcuteMyeloidLeukemia",
        differ="a-b",
    ),
    # statuses of a group before those of its kinds
    *(
        situation(
            f"a status of {group}, and a later one that says otherwise of a disease in it",
            status("a", "2026-06-01", group),
            status("b", "2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
            counts="b",
            perhaps="a",
            links="a mayBeSupersededBy b",
            reason=NHL,
        )
        # The reason, and a group under it.
        for group in ("NonHodgkinLymphoma", "BCellNonHodgkinLymphoma")
    ),
    situation(
        "a status of a group far below the reason, and a later one that says otherwise of a disease in it",
        status("a", "2026-06-01", "BCellNonHodgkinLymphoma"),
        status("b", "2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        counts="b",
        perhaps="a",
        links="a mayBeSupersededBy b",
        reason="case:reason clin:Lymphoma ;",
    ),
    situation(
        "a status of a group, and a later one that says the same of a disease in it",
        status("a", "2026-06-01", "NonHodgkinLymphoma"),
        status("b", "2026-06-02", "DiffuseLargeBCellLymphoma"),
        counts="a b",
        reason=NHL,
    ),
    situation(
        "a status of a group, and one that says otherwise of a disease in it on its day",
        status("a", "2026-06-01", "NonHodgkinLymphoma"),
        status("b", "2026-06-01", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        counts="a b",
        contradict="a-b",
        reason=NHL,
    ),
    situation(
        "a status of a group, and a later one that says otherwise of a disease that is not in it",
        status("a", "2026-06-01", "TCellNonHodgkinLymphoma"),
        status("b", "2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        counts="a b",
        differ="a-b",
        reason=NHL,
    ),
    # transplants that may be allogeneic
    situation(
        "a status between two transplants of unstated source",
        graft("t", "2025-01-01", ""),
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("u", "2026-01-01", ""),
        counts="t u",
        perhaps="a",
        links="a mayBeBefore u",
    ),
    situation(
        "a status before two transplants of unstated source",
        status("a", "2024-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2025-01-01", ""),
        graft("u", "2026-01-01", ""),
        counts="t u",
        perhaps="a",
        links="a mayBeBefore t, a mayBeBefore u",
    ),
    situation(
        "a status before a transplant of unstated source and before an allogeneic one is history",
        status("a", "2024-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2025-01-01", ""),
        graft("u", "2026-01-01", "UnrelatedDonor"),
        counts="t u",
    ),
    situation(
        "a status between an allogeneic transplant and one of unstated source",
        graft("t", "2025-01-01", "UnrelatedDonor"),
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("u", "2026-01-01", ""),
        counts="t u",
        perhaps="a",
        links="a mayBeBefore u",
    ),
    situation(
        "a status before a transplant of unstated source after the service date",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-07-02", ""),
        counts="a",
    ),
    situation(
        "a status before a transplant of unstated source on the service date",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-07-01", ""),
        counts="t",
        perhaps="a",
        links="a mayBeBefore t",
    ),
    situation(
        "a status before and one after a transplant of unstated source",
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-01-01", ""),
        status("b", "2026-06-01", "AcuteMyeloidLeukemia"),
        counts="b t",
    ),
    situation(
        "MRD by two methods, one before and one after a transplant of unstated source",
        mrd("a", "2025-06-01", "FlowCytometry"),
        graft("t", "2026-01-01", ""),
        mrd("b", "2026-06-01", "NextGenerationSequencing"),
        counts="b t",
        perhaps="a",
        links="a mayBeBefore t",
    ),
    # kinds
    situation(
        "MRD by two methods on two days",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-02", "NextGenerationSequencing", "MRDNotDetected"),
        counts="a b",
        differ="a-b",
    ),
    situation(
        "MRD by one method on two days",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-02", "FlowCytometry", "MRDNotDetected"),
        counts="b",
    ),
    situation(
        "MRD of one result with and without a method, each of another day",
        mrd("a", "2026-06-01", ""),
        mrd("b", "2026-06-02", "FlowCytometry"),
        mrd("c", "2026-05-01", ""),
        mrd("d", "2026-06-01", "FlowCytometry"),
        counts="a b c",
    ),
    # keys not stated
    *(
        situation(
            f"MRD that differs on two days, {which}",
            mrd("a", "2026-06-01", older),
            mrd("b", "2026-06-02", newer, "MRDNotDetected"),
            counts="b",
            perhaps="a",
            links="a mayBeSupersededBy b",
        )
        for which, older, newer in (
            ("the newer without a method", "FlowCytometry", ""),
            ("the older without a method", "", "FlowCytometry"),
            ("both without a method", "", ""),
        )
    ),
    *(
        situation(
            f"MRD that differs on one day, {which}",
            mrd("a", "2026-06-01", "FlowCytometry" if keyed else ""),
            mrd("b", "2026-06-01", "", "MRDNotDetected"),
            perhaps="a b",
            links="a mayBeSupersededBy b, b mayBeSupersededBy a",
        )
        # Neither contradicts the other: they may be by different methods.
        for which, keyed in (("one without a method", True), ("both without a method", False))
    ),
    situation(
        "MRD of one result on one day, one without a method",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-01", ""),
        counts="a b",
    ),
    situation(
        "MRD without a method between two methods, of which only the older says otherwise",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-02", "", "MRDNotDetected"),
        mrd("c", "2026-06-03", "NextGenerationSequencing", "MRDNotDetected"),
        counts="b c",
        perhaps="a",
        links="a mayBeSupersededBy b",
        differ="a-c",
    ),
    situation(
        "MRD without a method that may be superseded by either of two methods",
        mrd("a", "2026-06-01", ""),
        mrd("b", "2026-06-02", "FlowCytometry", "MRDNotDetected"),
        mrd("c", "2026-06-03", "NextGenerationSequencing", "MRDNotDetected"),
        counts="b c",
        perhaps="a",
        links="a mayBeSupersededBy b, a mayBeSupersededBy c",
    ),
    situation(
        "MRD of a method that is older than its latest never counts again, though the latest is in doubt",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-02", "FlowCytometry", "MRDNotDetected"),
        mrd("c", "2026-06-03", ""),
        counts="c",
        perhaps="b",
        links="b mayBeSupersededBy c",
    ),
    situation(
        "MRD without a method before a transplant of unstated source, and one after it that says otherwise",
        mrd("a", "2025-06-01", ""),
        graft("t", "2026-01-01", ""),
        mrd("b", "2026-06-01", "FlowCytometry", "MRDNotDetected"),
        counts="b t",
        perhaps="a",
        links="a mayBeBefore t, a mayBeSupersededBy b",
    ),
    situation(
        "a share without a lineage before one that says otherwise",
        share("a", "2026-06-01", "", "clin:donorPercent 85"),
        share("b", "2026-06-02", "TCells"),
        counts="b",
        perhaps="a",
        links="a mayBeSupersededBy b",
    ),
    situation(
        "a share without a lineage after one that says otherwise in other figures",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 95"),
        share("b", "2026-06-02", "", "clin:donorPercentAtLeast 95"),
        counts="b",
        perhaps="a",
        links="a mayBeSupersededBy b",
    ),
    situation(
        "a share without a lineage after one that says the same",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 95"),
        share("b", "2026-06-02", "", "clin:donorPercent 95.0"),
        counts="a b",
    ),
    # doubts that are stated, and who shares them
    situation(
        "a grade in doubt and one of its day that says otherwise",
        grade("a", f"{DOUBT}clin:grade 1"),
        grade("b", "clin:grade 2"),
        perhaps="a b",
        links="b sharesDoubtOf a",
        contradict="a-b",
    ),
    situation(
        "two grades in doubt that differ on one day",
        grade("a", f"{DOUBT}clin:grade 1"),
        grade("b", f"{DOUBT}clin:grade 2"),
        perhaps="a b",
        links="a sharesDoubtOf b, b sharesDoubtOf a",
        contradict="a-b",
    ),
    situation(
        "three grades of one day, of which one in doubt says what one does that is not",
        grade("a", f"{DOUBT}clin:grade 1"),
        grade("b", "clin:grade 1"),
        grade("c", "clin:grade 2"),
        counts="b",
        perhaps="a c",
        links="c sharesDoubtOf a",
        contradict="a-c b-c",
    ),
    situation(
        "MRD in doubt and one of its method and day that says otherwise",
        mrd("a", "2026-06-01", "FlowCytometry", doubt=DOUBT),
        mrd("b", "2026-06-01", "FlowCytometry", "MRDNotDetected"),
        perhaps="a b",
        links="b sharesDoubtOf a",
        contradict="a-b",
    ),
    situation(
        "MRD in doubt and one of its day by another method that says otherwise",
        mrd("a", "2026-06-01", "FlowCytometry", doubt=DOUBT),
        mrd("b", "2026-06-01", "NextGenerationSequencing", "MRDNotDetected"),
        counts="b",
        perhaps="a",
        differ="a-b",
    ),
    situation(
        "a status in doubt and one of its day of another disease that says otherwise",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma", "Relapsed", DOUBT),
        status("b", "2026-06-01", "FollicularLymphoma", "CompleteRemission"),
        counts="b",
        perhaps="a",
        differ="a-b",
        reason=NHL,
    ),
    situation(
        "a status in doubt and one of its day of a group that says otherwise",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma", "Relapsed", DOUBT),
        status("b", "2026-06-01", "NonHodgkinLymphoma", "CompleteRemission"),
        counts="b",
        perhaps="a",
        contradict="a-b",
        reason=NHL,
    ),
    situation(
        "a doubt that is stated of what could not count",
        grade("a", DOUBT),
        finding("b", "AcuteGvHDAssessment", "2026-07-02", f"{DOUBT}clin:grade 1"),
    ),
    situation(
        "a finding with every doubt that it can have",
        graft("t", "2026-03-01", ""),
        status("a", "2026-01-01", "Leukemia", "Relapsed", DOUBT),
        status("b", "2026-01-01", "Leukemia", "CompleteRemission", DOUBT),
        counts="t",
        perhaps="a b",
        links="a mayBeBefore t, b mayBeBefore t, a mayNotBeOf AcuteMyeloidLeukemia, b mayNotBeOf AcuteMyeloidLeukemia,"
        "a sharesDoubtOf b, b sharesDoubtOf a",
        contradict="a-b",
    ),
    situation(
        "chimerism of two lineages on two days",
        share("a", "2026-06-01", "TCells"),
        share("b", "2026-06-02", "MyeloidCells", "clin:donorPercent 85"),
        share("c", "2026-05-01", "TCells"),
        counts="a b",
        differ="a-b",
    ),
    situation(
        "acute and chronic GvHD on two days",
        finding("a", "AcuteGvHDAssessment", "2026-06-01"),
        finding("b", "ChronicGvHDAssessment", "2026-06-02"),
        counts="a b",
    ),
    # values not stated
    situation(
        "findings that state no value",
        finding("a", "DiseaseStatusAssessment", "2026-06-01", "clin:disease clin:AcuteMyeloidLeukemia"),
        mrd("b", "2026-06-01", "FlowCytometry", ""),
        finding("c", "RelapseRiskAssessment", "2026-06-01", ""),
        share("d", "2026-06-01", "TCells", ""),
        finding("e", "AcuteGvHDAssessment", "2026-06-01", ""),
        finding("f", "ChronicGvHDAssessment", "2026-06-01", ""),
        counts="",
    ),
    situation(
        "transplants and infusions that state no value",
        finding("a", "Transplant", "2026-06-01", ""),
        finding("b", "EarlierInfusion", "2026-06-01", ""),
        counts="a b",
    ),
    situation(
        "a value before a finding that states none",
        finding("a", "AcuteGvHDAssessment", "2026-06-01"),
        finding("b", "AcuteGvHDAssessment", "2026-06-02", ""),
        counts="a",
    ),
    situation(
        "an infusion with a response before one that states none",
        finding("a", "EarlierInfusion", "2026-05-01"),
        finding("b", "EarlierInfusion", "2026-06-01", ""),
        counts="b",
    ),
    *(
        situation(
            f"a share of donor cells {bound}", share("a", "2026-06-01", "", f"clin:donorPercent{bound}"), counts="a"
        )
        for bound in ("AtLeast 90", "AtMost 90", "Below 90", "AtLeast 80 ; clin:donorPercentAtMost 90")
    ),
    *(
        situation(f"a grade {bound}", grade("a", f"clin:grade{bound}"), counts="a")
        for bound in ("AtLeast 1", "AtMost 2", "AtLeast 1 ; clin:gradeAtMost 2")
    ),
    # stated absence
    situation(
        "an absence before a transplant",
        absence("a", "2026-01-01", "Transplant"),
        graft("t", "2026-01-02", "UnrelatedDonor"),
        counts="t",
    ),
    situation(
        "an absence on the day of a transplant",
        absence("a", "2026-01-01", "Transplant"),
        graft("t", "2026-01-01", "UnrelatedDonor"),
        counts="a t",
    ),
    situation(
        "an absence after a transplant",
        absence("a", "2026-01-02", "Transplant"),
        graft("t", "2026-01-01", "UnrelatedDonor"),
        counts="a t",
    ),
    situation(
        "an absence before a transplant after the service date",
        absence("a", "2026-01-01", "Transplant"),
        graft("t", "2026-07-02", "UnrelatedDonor"),
        counts="a",
    ),
    situation(
        "an absence of a transplant before an infusion",
        absence("a", "2026-01-01", "Transplant"),
        finding("i", "EarlierInfusion", "2026-02-01"),
        counts="a i",
    ),
    situation(
        "an absence of an infusion before one",
        absence("a", "2026-01-01", "EarlierInfusion"),
        finding("i", "EarlierInfusion", "2026-02-01"),
        counts="i",
    ),
    *(
        situation(
            f"an absence before a finding of its class that leaves open {missing}",
            absence("a", "2026-01-01", class_),
            finding("b", class_, "2026-01-02", ""),
            counts="b",
        )
        for class_, missing in (("Transplant", "its source"), ("EarlierInfusion", "its response"))
    ),
    situation(
        "an absence after a transplant of unstated source",
        absence("a", "2026-01-02", "Transplant"),
        graft("t", "2026-01-01", ""),
        counts="a t",
    ),
    situation(
        "an absence in doubt before a transplant",
        finding("a", "StatedAbsence", "2026-01-01", f"{DOUBT}clin:absenceOf clin:Transplant"),
        graft("t", "2026-01-02", ""),
        counts="t",
    ),
    situation(
        "an absence of an infusion before one on the service date",
        absence("a", "2026-01-01", "EarlierInfusion"),
        finding("i", "EarlierInfusion", "2026-07-01"),
        counts="a",
    ),
    situation(
        "absences of both",
        absence("a", "2026-01-01", "EarlierInfusion"),
        absence("b", "2026-01-02", "Transplant"),
        counts="a b",
    ),
    # contradictions
    situation(
        "two statuses of one disease on one day",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-06-01", "AcuteMyeloidLeukemia", "CompleteRemission"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "two statuses of one disease on one day, before a transplant of unstated source",
        status("a", "2026-01-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-01-01", "AcuteMyeloidLeukemia", "CompleteRemission"),
        graft("t", "2026-03-01", ""),
        counts="t",
        perhaps="a b",
        links="a mayBeBefore t, b mayBeBefore t",
        contradict="a-b",
    ),
    situation(
        "two statuses of one disease on one day, and a later one of a group that says what one of them says",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-06-01", "AcuteMyeloidLeukemia", "CompleteRemission"),
        status("c", "2026-06-02", "Leukemia", "CompleteRemission"),
        counts="b",
        perhaps="a c",
        links="a mayBeSupersededBy c, c mayNotBeOf AcuteMyeloidLeukemia",
        contradict="a-b",
    ),
    situation(
        "two statuses of one disease on one day that are superseded contradict each other no more",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-01", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        status("c", "2026-06-02", "NonHodgkinLymphoma"),
        counts="c",
        links="a supersededBy c, b supersededBy c",
        reason=NHL,
    ),
    situation(
        "MRD by one method on one day",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-01", "FlowCytometry", "MRDNotDetected"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "MRD by two methods on one day",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-01", "PolymeraseChainReaction", "MRDNotDetected"),
        counts="a b",
        differ="a-b",
    ),
    situation(
        "two risks on one day",
        finding("a", "RelapseRiskAssessment", "2026-06-01"),
        finding("b", "RelapseRiskAssessment", "2026-06-01", "clin:relapseRisk clin:RelapseRiskNotRaised"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "two severities on one day",
        finding("a", "ChronicGvHDAssessment", "2026-06-01"),
        finding("b", "ChronicGvHDAssessment", "2026-06-01", "clin:chronicSeverity clin:NoChronicGvHD"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "three grades on one day, two of them alike",
        grade("a", "clin:grade 1"),
        grade("b", "clin:grade 1"),
        grade("c", "clin:grade 3"),
        counts="a b c",
        contradict="a-c b-c",
    ),
    situation(
        "a grade and a bound on one day",
        grade("a", "clin:grade 1"),
        grade("b", "clin:gradeAtMost 2"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "a bound and a range on one day",
        grade("a", "clin:gradeAtMost 2"),
        grade("b", "clin:gradeAtLeast 1 ; clin:gradeAtMost 2"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "shares that differ only in how they are written",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 90"),
        share("b", "2026-06-01", "TCells", "clin:donorPercent 90.0"),
        share("c", "2026-06-01", "TCells", 'clin:donorPercent "090.00"^^xsd:decimal'),
        counts="a b c",
    ),
    situation(
        "shares of one lineage on one day",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 90"),
        share("b", "2026-06-01", "TCells", "clin:donorPercent 90.1"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "shares of two lineages on one day",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 90"),
        share("b", "2026-06-01", "WholeBlood", "clin:donorPercent 95"),
        counts="a b",
        differ="a-b",
    ),
    situation(
        "a bound and one that is not reached",
        share("a", "2026-06-01", "TCells", "clin:donorPercentAtMost 90"),
        share("b", "2026-06-01", "TCells", "clin:donorPercentBelow 90"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "two responses to an infusion of one day",
        finding("a", "EarlierInfusion", "2026-06-01"),
        finding("b", "EarlierInfusion", "2026-06-01", "clin:response clin:NoResponse"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "a response and none stated on one day",
        finding("a", "EarlierInfusion", "2026-06-01"),
        finding("b", "EarlierInfusion", "2026-06-01", ""),
        counts="a b",
    ),
    situation(
        "two sources of a transplant on one day",
        graft("a", "2026-01-01", "UnrelatedDonor"),
        graft("b", "2026-01-01", "Autologous"),
        counts="a b",
    ),
    situation(
        "values that differ on different days",
        finding("a", "RelapseRiskAssessment", "2026-06-01"),
        finding("b", "RelapseRiskAssessment", "2026-06-02", "clin:relapseRisk clin:RelapseRiskNotRaised"),
        counts="b",
    ),
]


@pytest.fixture(scope="module")
def counted(kb: Repository) -> dict[str, Case]:
    """Every situation as a case with what counts of it derived, all at once as kb does."""
    cases = read(kb, *(case_of(*example.findings, reason=example.reason) for example in SITUATIONS))
    checked = CaseChecker(kb, "pyshifty").check(cases)
    sound = [case for case in checked if isinstance(case, Case)]
    assert len(sound) == len(SITUATIONS)
    return {example.name: case for example, case in zip(SITUATIONS, sound, strict=True)}


@pytest.mark.parametrize("example", SITUATIONS, ids=lambda example: example.name.replace(" ", "-")[:60])
def test_exactly_what_counts_is_derived_and_each_of_it_once(example: Situation, counted: dict[str, Case]) -> None:
    case = counted[example.name]
    assert {
        "counts": current(case),
        "perhaps": linked(case, CASE.perhapsFinding),
        "latest": linked(case, CASE.latestFinding),
        "links": links_of_findings(case),
    } == {
        "counts": example.counts.split(),
        "perhaps": example.perhaps.split(),
        "latest": sorted(example.latest),
        "links": example.all_links,
    }
    countable = linked(case, CASE.countableFinding)
    assert len(countable) == len(set(countable)) and example.latest <= set(countable)


def test_the_situations_are_all_different_and_cover_every_class_of_findings(kb: Repository) -> None:
    assert len({example.name for example in SITUATIONS}) == len(SITUATIONS) == 263
    assert {CLIN[class_] for class_ in STATED} == set(kb.ontology.subjects(RDFS.subClassOf, CASE.Finding))


def test_the_situations_come_to_all_that_is_derived(counted: dict[str, Case]) -> None:
    found = {predicate for case in counted.values() for _, predicate, _ in case.triples()}
    assert found & DERIVED == DERIVED == DERIVED_LINKS | DERIVED_OF_FINDINGS


def test_one_case_counts_alone_as_it_counts_among_others(kb: Repository, counted: dict[str, Case]) -> None:
    checker = CaseChecker(kb, "pyshacl")
    for example in SITUATIONS[::15]:
        (alone,) = checker.check(read(kb, case_of(*example.findings, reason=example.reason)))
        assert isinstance(alone, Case)
        assert statements(alone) == statements(counted[example.name])


# ---------------------------------------------------------------------- prepared for other engines


def test_a_prepared_case_is_the_file_with_what_counts(kb: Repository, well_formed: str) -> None:
    (case,) = CaseChecker(kb, "pyshifty").check(read(kb, well_formed))
    assert isinstance(case, Case)
    graph = Graph().parse(data=prepared(kb, [case]).serialize(format="longturtle"), format="turtle")
    before = Graph().parse(data=well_formed, format="turtle")
    assert set(before) - set(graph) == set()
    added = [[str(term).removeprefix(EX) for term in triple] for triple in set(graph) - set(before)]
    # The status is of leukemia, and the reason AML.
    assert sorted(added) == sorted(
        [
            *(["case", str(CASE.countableFinding), name] for name in FINDINGS),
            *(["case", str(CASE.latestFinding), name] for name in FINDINGS - {"absence"}),
            *(["case", str(CASE.currentFinding), name] for name in FINDINGS - {"absence", "status"}),
            ["case", str(CASE.perhapsFinding), "status"],
            ["status", str(CASE.mayNotBeOf), str(CLIN.AcuteMyeloidLeukemia)],
        ]
    )


@pytest.mark.parametrize("start", ("MRD without a method between", "two statuses of one disease on one day, and"))
def test_what_is_derived_is_left_out_of_a_prepared_case_that_is_to_be_submitted(
    kb: Repository, counted: dict[str, Case], start: str
) -> None:
    (name,) = (name for name in counted if name.startswith(start))
    (found,) = (example for example in SITUATIONS if example.name == name)
    graph = prepared(kb, [counted[name]], derived=False)
    assert set(graph) == set(Graph().parse(data=case_of(*found.findings, reason=found.reason), format="turtle"))


FINDINGS = {"transplant", "status", "mrd", "risk", "chimerism", "acute", "chronic", "infusion", "absence"}


def test_prepared_blank_nodes_of_two_files_stay_apart(kb: Repository, well_formed: str) -> None:
    reader = CaseReader(kb)
    texts = [re.sub(r"(?m)(?<![\w<]):(?=[a-z])", "_:", well_formed).encode() for _ in range(2)]
    cases = [reader.read(str(number), None, text, FORMATS[".ttl"])[0] for number, text in enumerate(texts)]
    graph = prepared(kb, cases)
    assert len(set(graph.subjects(RDF.type, CASE.Case))) == 2
    assert len(set(graph.subjects(RDF.type, CLIN.Transplant))) == 2


def test_two_cases_that_describe_one_node_are_not_prepared_together(kb: Repository, well_formed: str) -> None:
    cases = read(kb, well_formed + TWO_CASES)
    assert refusal(lambda: prepared(kb, cases)) == (
        f"text#second: {EX}coverage is described by text#case too; prepare them one at a time"
    )


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("clin:grade 1", "clin:grade 1", Outcome.MET),
        ("clin:grade 1", "clin:grade 2", Outcome.NOT_MET),
        ("clin:processing clin:Unmanipulated ;", "", Outcome.NEEDED),
        ("case:Commercial", "case:MedicareAdvantage", Outcome.NOT_APPLICABLE),
    ],
)
def test_the_exported_shapes_say_of_a_prepared_case_what_kb_says(
    kb: Repository, policy: Policy, vary: Vary, old: str, new: str, outcome: Outcome
) -> None:
    cases = read(kb, vary(old, new))
    assert determined(kb, policy, cases) == [outcome]
    (case,) = CaseChecker(kb, "pyshifty").check(cases)
    assert isinstance(case, Case)
    revision = Revision.load(policy, policy.entry("2026-02"))
    shapes = self_contained(kb, revision)
    graph = Graph().parse(data=prepared(kb, [case]).serialize(format="longturtle"), format="turtle")
    for engine in INSTALLED:
        results = [(result.focus, result.shape) for result in shacl.validate(graph, shapes, engine)]
        expected = [] if outcome is Outcome.MET else [(f"{EX}case", str(outcome_shape(revision, outcome)))]
        assert results == expected, engine


@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_the_exported_shapes_find_a_broken_case_at_the_shape_at_which_kb_finds_it(
    kb: Repository, policy: Policy, vary: Vary, engine: str
) -> None:
    shapes = self_contained(kb, Revision.load(policy, policy.entry("2026-02")))
    graph = Graph().parse(data=vary("clin:grade 1", "clin:grade 7"), format="turtle")
    results = [result for result in shacl.validate(graph, shapes, engine) if "/outcome/" not in result.shape]
    assert [(result.focus, kb.curie(result.shape), result.value) for result in results] == [
        (f"{EX}acute", "shape:AcuteGvHDAssessment-grade", "7")
    ]
