"""Answers by pieces are those of each case by itself, to the byte: all formats, hostile cases, and tiny memories."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from broken_cases import BROKEN
from bundles import RunKb
from case_files import Vary, read
from rdflib import URIRef
from rich.console import Console
from run_cases import ENGINE
from situations import SITUATIONS
from strategies import built
from varied_cases import varied

from kb_tools.cases import check, derive, parted
from kb_tools.cases.case import Case, Malformed, apart
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.determine import evaluate, locality, looks
from kb_tools.determine import run as determine_run
from kb_tools.determine.run import Answer, Run
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import CLIN
from kb_tools.render import (
    determination_fhir,
    determination_json,
    determination_junit,
    determination_text,
    determination_turtle,
)
from kb_tools.render.case_json import write

ROOT = Path(__file__).parents[2]
REVISIONS = ("2026-02", "2019-10", None)
WRITERS = (determination_turtle, determination_junit, determination_fhir)
# Of so many cases each format is compared: all say what the JSON says, and rich takes its time.
SOME = 4


PATIENT, GRADE, PERCENT = "case:patient :patient", "clin:grade 1", "clin:donorPercent 90.0"
REASON, PRODUCT = "case:reason clin:AcuteMyeloidLeukemia", "case:product :product"
FINDINGS, COVERAGE = "case:finding :transplant", "case:coverage :coverage"
LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
# The well-formed case put in another way: some are sound, and in some a known part stands where it may not.
OTHERWISE = {
    "the patient is the coverage": (PATIENT, "case:patient :coverage"),
    "the patient is a finding": (PATIENT, "case:patient :acute"),
    "the patient is a term": (PATIENT, "case:patient clin:Leukemia"),
    "the coverage is the request": (COVERAGE, "case:coverage :request"),
    "the coverage is a term": (COVERAGE, "case:coverage case:Commercial"),
    "the product is a finding": (PRODUCT, "case:product :acute"),
    "a second product": (PRODUCT, "case:product :product , [ a case:Product ]"),
    "a product of no class": (PRODUCT, "case:product [ clin:processing clin:Unmanipulated ]"),
    "no product": (f"    {PRODUCT} .", "    case:purpose clin:TreatRelapse ."),
    "a finding is the product": (FINDINGS, "case:finding :product , :transplant"),
    "a finding is the case": (FINDINGS, "case:finding :case , :transplant"),
    "a finding is a bare node": (FINDINGS, "case:finding [] , :transplant"),
    "a finding stands in another": (GRADE, "clin:grade :chronic"),
    "a finding has a node of its own": (GRADE, "clin:grade [ a clin:Leukemia ]"),
    "the reason is the request": (REASON, "case:reason :request"),
    "the reason is a node that calls itself a disease": (REASON, "case:reason [ a clin:Disease ]"),
    "the request calls itself a coverage": (":request a case:Request", ":request a case:Request , case:Coverage"),
    "the request calls itself a disease": (":request a case:Request", ":request a case:Request , clin:Disease"),
    "the case has a second class": (":case a case:Case", ":case a case:Case , case:Request"),
    "a finding is of a class of a file": (
        ":acute a clin:AcuteGvHDAssessment",
        ":acute a clin:AcuteGvHDAssessment , :x",
    ),
    "a finding is superseded by a term": (GRADE, f"{GRADE} ; case:supersededBy clin:Leukemia"),
    "a finding is superseded by another": (GRADE, f"{GRADE} ; case:supersededBy :chronic"),
    "the case has a current finding": (PATIENT, f"{PATIENT} ; case:currentFinding clin:Leukemia"),
    "the case has a label": (PATIENT, f"{PATIENT} ; {LABEL} 'A case'"),
    "the coverage has a label": ("case:Commercial", f"case:Commercial ; {LABEL} 'A plan'"),
    "the line of business is a text": ("case:Commercial", "'Commercial'@en"),
    "a share as a whole number": (PERCENT, "clin:donorPercent 90"),
    "a share on the other side of a limit": (PERCENT, "clin:donorPercent 89.99"),
    "a share over 100": (PERCENT, "clin:donorPercent 100.01"),
    "a share below 0": (PERCENT, "clin:donorPercent -0.1"),
    "a share with an exponent": (PERCENT, "clin:donorPercent 9e1"),
    "a share of many digits": (PERCENT, "clin:donorPercent 0090.0000000000000000000000000000"),
    "a share as a text": (PERCENT, "clin:donorPercent '90.0'"),
    "two shares": (PERCENT, "clin:donorPercent 90.0 , 90.5"),
    "two shares that are equal": (PERCENT, "clin:donorPercent 90.0 , 90.00"),
    "bounds that cross": (PERCENT, "clin:donorPercentAtLeast 95.5 ; clin:donorPercentAtMost 95.4"),
    "bounds that do not": (PERCENT, "clin:donorPercentAtLeast 95.4 ; clin:donorPercentAtMost 95.5"),
    "a grade as a decimal": (GRADE, "clin:grade 1.0"),
    "a grade over 4": (GRADE, "clin:grade 5"),
    "a doubt": (GRADE, f"{GRADE} ; case:inDoubt 'unread'"),
    "a doubt that is empty": (GRADE, f"{GRADE} ; case:inDoubt ''"),
    "a doubt in a language": (GRADE, f"{GRADE} ; case:inDoubt 'unread'@en"),
    "an absence of nothing": (
        "case:basis case:Attestation ;\n    clin:absenceOf clin:EarlierInfusion",
        "case:basis case:Attestation",
    ),
    "an absence without a basis": (
        "case:basis case:Attestation ;\n    clin:absenceOf clin:EarlierInfusion",
        "clin:absenceOf clin:EarlierInfusion",
    ),
    "an absence that states nothing": (
        '"2024-12-01"^^xsd:date ;\n    case:basis case:Attestation ;\n    clin:absenceOf clin:EarlierInfusion',
        '"2024-12-01"^^xsd:date',
    ),
    "a status of nothing": ("clin:disease clin:Leukemia ;\n", ""),
    "a status that is not stated": (
        "clin:disease clin:Leukemia ;\n    clin:diseaseStatus clin:Relapsed",
        "clin:disease clin:Leukemia",
    ),
    "two doubts": (GRADE, f"{GRADE} ; case:inDoubt 'unread' , 'unknown'"),
}
# Those of them that no shape refuses.
SOUND = {
    *("no product", "the case has a label", "a share as a whole number", "a share on the other side of a limit"),
    *("a share of many digits", "bounds that do not", "a doubt", "the request calls itself a disease"),
    "a status that is not stated",
}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces are used from the first case on."""
    monkeypatch.setattr(determine_run, "FEW", 0)


def run_of(kb: Repository, revision: str | None = "2026-02", engine: str = ENGINE, pieces: bool = True) -> Run:
    return Run(kb, kb.policy("CP.MP.101"), engine, revision, by_pieces=pieces)


def written(kb: Repository, answers: Sequence[Answer]) -> dict[str, str]:
    """All answers as JSON, and some of them in every other format, with all that there is to say."""
    some = answers[:: len(answers) // SOME + 1]
    found = {writer.__name__: writer.answers(kb, some, (), True) for writer in WRITERS}
    found["all"] = determination_json.answers(kb, answers, (), True)
    file = io.StringIO()
    for answer in some:
        determination_text.answer(Console(file=file, width=100), kb, answer, True, None)
    return found | {"text": file.getvalue()}


def of_lines(kb: Repository, lines: Iterable[bytes]) -> list[Case]:
    """The cases on lines of plain JSON, without those that cannot be read."""
    found = CaseReader(kb).stream("cases.jsonl", None, io.BytesIO(b"".join(lines)), "jsonl")
    return [case for case in found if isinstance(case, Case)]


@pytest.fixture(scope="module")
def examples(kb: Repository) -> list[Case]:
    """Every second example case of the policy, in Turtle, and those that can be written so in plain JSON."""
    reader, forms = CaseReader(kb), CaseForms(kb)
    cases: list[Case] = []
    for path in sorted((ROOT / "policies/CP.MP.101").rglob("cases/**/*.ttl"))[::2]:
        found = reader.stream(path.name, path, io.BytesIO())
        cases += [case for case in found if isinstance(case, Case)]
    lines = []
    for case in cases:
        try:
            lines.append(json.dumps(write(forms, case)).encode() + b"\n")
        except (KbError, KeyError):
            continue  # It is malformed in a way that plain JSON cannot be.
    assert len(cases) > 115 and len(lines) > 100
    return [*cases, *of_lines(kb, lines)]


@pytest.fixture(scope="module")
def hostile(kb: Repository, vary: Vary) -> list[Case]:
    """The well-formed case, then every way in which it is broken, and the situations; each a case by itself."""
    reader = CaseReader(kb)
    texts = [vary(broken.old, broken.new) for broken in BROKEN]
    texts += [vary(old, new) for old, new in OTHERWISE.values()]
    cases = [case for text in texts for case in reader.read("text", None, text.encode(), FORMATS[".ttl"])]
    return [*cases, *apart(built(situation.picture for situation in SITUATIONS))]


# ---------------------------------------------------------------------- the same answers


def differing(kb: Repository, cases: Sequence[Case], revision: str | None, engine: str = ENGINE) -> list[str]:
    """The formats in which the answers by pieces are others, while pieces are learned and when they are known."""
    plain = written(kb, list(run_of(kb, revision, engine, pieces=False).answers(cases)))
    run = run_of(kb, revision, engine)
    return [
        name
        for found in (written(kb, list(run.answers(cases))) for _ in range(2))
        for name, text in found.items()
        if text != plain[name]
    ]


@pytest.mark.parametrize("revision", ["2026-02", None])
def test_the_example_cases_have_the_same_answers(kb: Repository, examples: list[Case], revision: str | None) -> None:
    assert differing(kb, examples, revision) == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_varied_cases_have_the_same_answers(kb: Repository, revision: str | None) -> None:
    cases = of_lines(kb, varied(kb, 80, seed=50 + REVISIONS.index(revision)))
    assert differing(kb, cases, revision) == []


def test_hostile_cases_have_the_same_answers(kb: Repository, hostile: list[Case]) -> None:
    assert differing(kb, hostile[::2], "2026-02") == []


def test_the_bundles_of_fhir_have_the_same_answers(kb: Repository, pseudonym_key: None) -> None:
    reader = CaseReader(kb)
    paths = [path for path in sorted((ROOT / "tests/data/fhir").glob("*.json")) if path.stem != "manifest"]
    cases = [
        case for path in paths[::2] for case in reader.stream(path.stem, path, io.BytesIO()) if isinstance(case, Case)
    ]
    assert len(cases) > 25
    assert differing(kb, cases, "2026-02") == []


def test_cases_have_the_answers_that_pyshacl_gives(kb: Repository, hostile: list[Case]) -> None:
    cases = [*of_lines(kb, varied(kb, 15, seed=60, findings=12)), *hostile[::20]]
    assert differing(kb, cases, None, "pyshacl") == []


def test_answers_do_not_depend_on_the_cases_before(kb: Repository) -> None:
    cases = of_lines(kb, varied(kb, 25, seed=70))
    together = written(kb, list(run_of(kb).answers([*cases, *cases])))
    run = run_of(kb)
    one_by_one = [answer for case in reversed(cases) for answer in run.answers([case])][::-1]
    assert written(kb, [*one_by_one, *one_by_one]) == together


def test_what_is_forgotten_costs_time_alone(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = of_lines(kb, varied(kb, 40, seed=80))
    wanted = written(kb, list(run_of(kb, pieces=False).answers(cases)))
    for module, name in (
        (check, "SOUND"),
        (derive, "FINDINGS"),
        (parted, "DAYS"),
        (evaluate, "ROOM"),
        (looks, "LOOKS"),
    ):
        monkeypatch.setattr(module, name, 3)
    run = run_of(kb)
    assert [written(kb, list(run.answers(cases))) == wanted for _ in range(2)] == [True, True]
    assert len(run.checker._sound) <= 6
    assert len(run.checker._derivation._findings) <= 6
    assert len(run._known.values) <= 6


# ---------------------------------------------------------------------- what is known to be sound


def of_checker(checker: CaseChecker, cases: Sequence[Case]) -> list[object]:
    """What breaks in each case; where nothing does, all that it says and that is derived of it."""
    return [
        found.violations if isinstance(found, Malformed) else set(found.triples()) for found in checker.check(cases)
    ]


@pytest.mark.parametrize("engine", [ENGINE, "pyshacl"])
def test_a_part_that_is_known_makes_no_other_case_sound(
    kb: Repository, well_formed: str, vary: Vary, engine: str
) -> None:
    texts = [vary(old, new) for old, new in OTHERWISE.values()]
    good, *cases = apart(read(kb, well_formed, *texts))
    wanted = of_checker(CaseChecker(kb, engine), cases)
    assert {name for name, found in zip(OTHERWISE, wanted, strict=True) if isinstance(found, set)} == SOUND
    checker = CaseChecker(kb, engine, by_parts=True)
    assert isinstance(checker.check([good])[0], Case)
    for name, case, found in zip(OTHERWISE, cases, wanted, strict=True):
        assert of_checker(checker, [case]) == [found], name
    # The good one is sound still, and none of the others has become so.
    assert isinstance(checker.check([good])[0], Case)
    assert of_checker(checker, cases) == wanted


def test_every_broken_case_is_broken_beside_a_good_one(kb: Repository, well_formed: str, vary: Vary) -> None:
    checker, plain = CaseChecker(kb, ENGINE, by_parts=True), CaseChecker(kb, ENGINE)
    cases = apart(read(kb, well_formed, *(vary(broken.old, broken.new) for broken in BROKEN), well_formed))
    wanted = of_checker(plain, cases)
    assert [isinstance(found, set) for found in wanted] == [True, *[False] * len(BROKEN), True]
    assert [of_checker(checker, cases) == wanted for _ in range(3)] == [True] * 3
    one_by_one = CaseChecker(kb, ENGINE, by_parts=True)
    assert [found for case in cases for found in of_checker(one_by_one, [case])] == wanted


def test_what_is_known_is_not_asked_again(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    run, cases = run_of(kb), of_lines(kb, varied(kb, 40, seed=90))
    answers = list(run.answers(cases))
    known = [(case, answer) for case, answer in zip(cases, answers, strict=True) if not isinstance(answer, Malformed)]
    assert len(known) > 30
    monkeypatch.setattr(shacl, "validate", lambda *_, **__: pytest.fail("the engine is asked"))
    assert written(kb, list(run.answers(case for case, _ in known))) == written(kb, [answer for _, answer in known])


def copied(kb: Repository, tmp_path: Path, old: str, new: str) -> Repository:
    """A knowledge base with other shapes of MRD tests, and no policies."""
    for folder in ("ontology", "shapes"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    path = tmp_path / "shapes/findings/mrd.ttl"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return Repository(tmp_path)


def alone(kb: Repository, class_: URIRef) -> set[str]:
    shapes = kb.submission_shapes
    return {kb.curie(property_) for property_ in parted.properties_looked_at_alone(shapes, class_)}


def test_the_properties_that_shapes_look_at_alone(kb: Repository) -> None:
    assert alone(kb, CLIN.MRDTest) == {"case:basis", "case:inDoubt", "clin:method", "clin:mrdResult"}
    # Exact values and bounds are looked at together.
    assert alone(kb, CLIN.AcuteGvHDAssessment) == {"case:basis", "case:inDoubt"}
    assert alone(kb, CLIN.ChimerismTest) == {"case:basis", "case:inDoubt", "clin:lineage"}


METHOD = "    sh:path clin:method ;"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (METHOD, f"{METHOD} sh:equals clin:mrdResult ;"),
        (METHOD, f"{METHOD} sh:disjoint clin:mrdResult ;"),
        (METHOD, "    sh:path [ sh:alternativePath ( clin:method clin:mrdResult ) ] ;"),
        (METHOD, "    sh:path ( clin:method clin:mrdResult ) ;"),
        (
            "shape:MRDTest\n    a sh:NodeShape ;",
            "shape:MRDTest\n    a sh:NodeShape ; sh:not [ sh:property [ sh:path clin:method ; sh:maxCount 0 ] ] ;",
        ),
        (
            "shape:MRDTest\n    a sh:NodeShape ;",
            "shape:More sh:or ( shape:MRDTest-method ) .\nshape:MRDTest\n    a sh:NodeShape ;",
        ),
        (
            "shape:MRDTest\n    a sh:NodeShape ;",
            "shape:More sh:node shape:MRDTest .\nshape:MRDTest\n    a sh:NodeShape ;",
        ),
        (
            "shape:MRDTest\n    a sh:NodeShape ;",
            "shape:More sh:lessThan clin:method .\nshape:MRDTest\n    a sh:NodeShape ;",
        ),
    ],
)
def test_a_property_that_a_shape_sees_beside_another_is_not_alone(
    kb: Repository, tmp_path: Path, old: str, new: str
) -> None:
    assert "clin:method" not in alone(copied(kb, tmp_path, old, new), CLIN.MRDTest)


def test_a_few_cases_are_determined_each_by_itself(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determine_run, "FEW", 20)
    monkeypatch.setattr(determine_run, "faults", lambda _: pytest.fail("the shapes are walked through"))
    run = run_of(kb)
    assert len(list(run.answers(of_lines(kb, varied(kb, 5))))) > 0
    assert run._known.looks is None


# ---------------------------------------------------------------------- the command and the library

MET = ROOT / "policies/CP.MP.101/cases/a-first-infusion-meets.ttl"


@pytest.mark.parametrize(
    ("options", "pieces"),
    [
        ((), True),
        (("--no-pieces",), False),
        (("--engine", "pyshacl"), False),
        (("--engine", "pyshacl", "--pieces"), True),
    ],
)
def test_a_named_engine_is_asked_about_each_case_unless_pieces_are_asked_for(
    run_kb: RunKb, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], pieces: bool
) -> None:
    runs: list[Run] = []

    class Watched(Run):
        def stream(self, found: Iterable[Case | KbError]) -> Iterator[Answer | KbError]:
            runs.append(self)
            return super().stream(found)

    monkeypatch.setattr(determine_run, "Run", Watched)
    run_kb("validate", str(MET), *options)
    assert [run._known.looks is not None for run in runs] == [pieces]


def test_where_shapes_are_not_local_each_case_is_determined_by_itself_and_one_line_says_so(
    run_kb: RunKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = run_kb("validate", str(MET), str(MET), "--no-pieces")
    for module in (determine_run, locality):
        monkeypatch.setattr(module, "faults", lambda _: (("shape:Case-finding", "counts findings (sh:maxCount)"),))
    found = run_kb("validate", str(MET), str(MET))
    assert found.stdout == wanted.stdout
    assert found.stderr.splitlines() == [
        "kb: shape:Case-finding counts findings (sh:maxCount): each case is determined by itself, which is slower; "
        "see kb check"
    ]
