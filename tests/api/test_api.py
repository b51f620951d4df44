"""The library: what each function takes and gives, that it says what the command says, and how it fails."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pyoxigraph as ox
import pytest
from bundles import MEETING, content
from rdflib import BNode, Dataset, Graph, Literal, URIRef

import kb_tools
from kb_tools import ArgumentError, Case, Determination, KbError, KnowledgeBase, Malformed, Outcome, api
from kb_tools.ask.request import RawResult
from kb_tools.ask.result import QueryResult
from kb_tools.cases.case import apart, number_of
from kb_tools.determine.result import NotDetermined
from kb_tools.determine.run import BATCH, Determinations
from kb_tools.document.unit import DocumentError
from kb_tools.errors import KnowledgeBaseError, UnknownRevision, UnreadableInput

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "policies/CP.MP.101/cases"
CASE_FILE = ROOT / "tests/data/case.ttl"
BUNDLE = ROOT / f"tests/data/fhir/{MEETING}.json"
FAST = "pyshifty"
PLAIN: dict[str, Any] = {
    "id": "17",
    "patient": "p17",
    "lineOfBusiness": "Commercial",
    "request": {
        "service": "DonorLymphocyteInfusion",
        "serviceDate": "2026-07-01",
        "reason": "AcuteMyeloidLeukemia",
        "purposes": ["TreatRelapse"],
        "product": {"processing": ["Unmanipulated"]},
    },
}

RunKb = Callable[..., CompletedProcess[str]]
Vary = Callable[[str, str], str]


@pytest.fixture(scope="module")
def library() -> KnowledgeBase:
    return kb_tools.open(ROOT)


@pytest.fixture
def folder(tmp_path: Path, vary: Vary) -> Path:
    """A folder with one case of every kind, named in their order."""
    cases = tmp_path / "cases"
    cases.mkdir()
    (cases / "a-met.ttl").write_text(vary("clin:grade 1", "clin:grade 1"), encoding="utf-8")
    (cases / "b-malformed.ttl").write_text(vary("clin:grade 1", "clin:grade 7"), encoding="utf-8")
    (cases / "c-unreadable.ttl").write_text("<urn:a>", encoding="utf-8")
    (cases / "d-too-early.ttl").write_text(vary("2026-07-01", "2015-10-31"), encoding="utf-8")
    (cases / "e-not-met.ttl").write_text(vary("clin:grade 1", "clin:grade 2"), encoding="utf-8")
    return cases


def outcome(library: KnowledgeBase, case: Case) -> Outcome:
    found = library.determine(case, revision="2026-02", engine=FAST)
    assert isinstance(found, Determination), found
    return found.outcome


# ---------------------------------------------------------------------- the package


def in_a_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_but_itself_and_the_standard_library() -> None:
    code = """
import sys
before = set(sys.modules)
import kb_tools
dir(kb_tools)
loaded = {name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names}
print(*sorted(loaded), "json" in sys.modules)
"""
    assert in_a_process(code) == "kb_tools False"


def test_every_public_name_is_there_and_listed() -> None:
    assert set(kb_tools.__all__) <= set(dir(kb_tools))
    assert {name: getattr(kb_tools, name).__name__ for name in kb_tools.__all__} == {n: n for n in kb_tools.__all__}
    for name in ("open", "KnowledgeBase", "Case", "Malformed", "Determination", "Outcome", "Value", "Diff"):
        assert name in kb_tools.__all__


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'kb_tools' has no attribute 'nothing'"):
        _ = kb_tools.nothing


def test_a_type_checker_sees_the_names_that_are_public_from_where_they_are_defined() -> None:
    tree = ast.parse((ROOT / "kb_tools/__init__.py").read_text(encoding="utf-8"))
    (checking,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module for node in checking.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {name: getattr(kb_tools, name).__module__ for name in kb_tools.__all__}
    assert (ROOT / "kb_tools/py.typed").is_file()


def test_the_examples_of_the_docstrings_come_out_as_they_say(
    library: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_ROOT", str(ROOT))
    case = library.read_case({"request": {"serviceDate": "2026-07-01"}})
    found = doctest.testmod(api, extraglobs={"kb": library, "case": case})
    assert (found.failed, found.attempted > 15) == (0, True)


# ---------------------------------------------------------------------- opening


def test_the_knowledge_base_is_the_one_named_or_of_the_environment_or_above(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KB_ROOT", str(ROOT))
    monkeypatch.chdir(tmp_path)
    assert kb_tools.open().root == ROOT
    monkeypatch.setenv("KB_ROOT", "nowhere")
    assert kb_tools.open(str(ROOT)).root == ROOT
    with pytest.raises(KnowledgeBaseError, match=r"^nowhere: no knowledge base here; "):
        kb_tools.open()
    monkeypatch.delenv("KB_ROOT")
    monkeypatch.chdir(EXAMPLES)
    assert kb_tools.open().root == ROOT


def test_policies_and_revisions_are_what_kb_show_lists(library: KnowledgeBase, run_kb: RunKb) -> None:
    policies = library.policies()
    assert [policy.to_dict() for policy in policies] == json.loads(run_kb("show", "--format", "json").stdout)
    assert [revision.to_dict() for revision in library.revisions("CP.MP.101")] == policies[1].to_dict()["revisions"]
    assert [revision.name for revision in library.revisions()][-1] == "2026-02"


# ---------------------------------------------------------------------- reading


@pytest.fixture
def sources(folder: Path) -> dict[str, dict[str, Any]]:
    """The same case, or one that comes to the same, in everything that a case is read from."""
    text = CASE_FILE.read_text(encoding="utf-8")
    graph = Graph().parse(CASE_FILE)
    dataset = Dataset()
    for triple in graph:
        dataset.graph(URIRef("urn:g")).add(triple)
    bundle = content()
    return {
        "path": {"source": CASE_FILE},
        "str": {"source": str(CASE_FILE)},
        "text": {"text": text},
        "text-of-a-format": {"text": text, "format": "turtle"},
        "bytes": {"source": text.encode()},
        "graph": {"source": graph},
        "dataset": {"source": dataset},
        "ntriples": {"text": graph.serialize(format="nt"), "format": "ntriples"},
        "fhir": {"source": bundle},
        "fhir-text": {"text": json.dumps(bundle)},
        "fhir-file": {"source": BUNDLE},
    }


@pytest.mark.parametrize(
    "name",
    [
        *("path", "str", "text", "text-of-a-format", "bytes", "graph", "dataset", "ntriples"),
        *("fhir", "fhir-text", "fhir-file"),
    ],
)
def test_a_case_is_read_from(library: KnowledgeBase, sources: dict[str, dict[str, Any]], name: str) -> None:
    case = library.read_case(**sources[name])
    assert outcome(library, case) is Outcome.MET
    (again,) = library.read_cases(**sources[name])
    assert isinstance(again, Case)
    assert again.digest == case.digest


def test_a_dict_is_a_plain_case_as_its_text_is(library: KnowledgeBase) -> None:
    as_dict, as_text = library.read_case(PLAIN), library.read_case(text=json.dumps(PLAIN))
    assert (as_dict.digest, as_dict.source) == (as_text.digest, "dict")
    assert outcome(library, as_dict) is Outcome.NEEDED


def test_many_sources_of_any_kind_are_read_in_their_order(library: KnowledgeBase, folder: Path) -> None:
    found = list(library.read_cases([PLAIN, folder / "a-met.ttl", CASE_FILE.read_bytes(), {"x": 1}, "nowhere.ttl"]))
    assert [answer.source if isinstance(answer, Case) else str(answer) for answer in found] == [
        "dict",
        str(folder / "a-met.ttl"),
        "text",
        str(found[3]),
        "nowhere.ttl: No such file or directory; check the path and its permissions",
    ]
    assert [answer.position for answer in found] == [f"input {number}" for number in numbers(found)]


def numbers(found: list[Case | KbError]) -> list[int]:
    """The places of inputs, counted on from the first: a knowledge base counts all that it reads."""
    first = int(found[0].position.removeprefix("input "))
    return list(range(first, first + len(found)))


def test_sources_are_taken_only_as_cases_are_asked_for(library: KnowledgeBase) -> None:
    taken = []

    def sources() -> Iterator[dict[str, Any]]:
        for number in range(5):
            taken.append(number)
            yield PLAIN | {"id": str(number)}

    found = library.read_cases(sources())
    assert taken == []
    assert isinstance(next(found), Case)
    assert taken == [0]


def test_lines_are_cases_of_which_a_bad_one_stops_no_other(library: KnowledgeBase) -> None:
    text = f"{json.dumps(PLAIN)}\n{{\n{json.dumps(PLAIN)}\n"
    good, bad, other = library.read_cases(text=text, format="jsonl")
    assert isinstance(good, Case)
    assert isinstance(bad, UnreadableInput)
    assert bad.where == "text:2"
    assert isinstance(other, Case)


# ---------------------------------------------------------------------- determining


def kinds(answers: Any) -> list[str]:
    return [type(answer).__name__ for answer in answers]


IN_ORDER = ["Determination", "Malformed", "UnreadableInput", "NotDetermined", "Determination"]


def test_a_stream_gives_an_answer_for_each_case_and_the_error_in_place_of_what_cannot_be_read(
    library: KnowledgeBase, folder: Path
) -> None:
    answers = library.determine(library.read_cases(folder), engine=FAST)
    assert isinstance(answers, Iterator)
    met, malformed, unreadable, not_determined, not_met = answers
    assert kinds([met, malformed, unreadable, not_determined, not_met]) == IN_ORDER
    assert isinstance(met, Determination)
    assert isinstance(not_met, Determination)
    assert (met.outcome, not_met.outcome) == (Outcome.MET, Outcome.NOT_MET)
    assert isinstance(malformed, Malformed)
    assert malformed.violations[0].path == "clin:grade"
    assert str(unreadable).startswith(f"{folder}/c-unreadable.ttl:1: not valid Turtle: ")
    assert isinstance(not_determined, NotDetermined)
    assert str(not_determined.error).startswith("no revision of CP.MP.101 was in force on 2015-10-31")


def test_a_list_gives_all_answers_together_as_the_command_writes_them(
    library: KnowledgeBase, folder: Path, run_kb: RunKb
) -> None:
    found = library.determine(list(library.read_cases(folder)), engine=FAST)
    assert isinstance(found, Determinations)
    assert (kinds(found), len(found)) == (IN_ORDER, 5)
    assert [len(part) for part in (found.determined, found.malformed, found.not_determined, found.errors)] == [
        *(2, 1, 1, 1)
    ]
    assert found.to_json() == run_kb("validate", str(folder), "--format", "json", "--engine", FAST).stdout
    assert json.loads(found.to_json()) == found.to_dict()
    one = library.determine(library.read_case(folder / "a-met.ttl"), engine=FAST)
    assert one.to_dict() == found.to_dict()["determinations"][0]
    assert found.malformed[0].to_dict() == found.to_dict()["malformed"][0]
    assert found.not_determined[0].to_dict() == found.to_dict()["notDetermined"][0]


def test_a_stream_is_taken_in_batches(library: KnowledgeBase) -> None:
    taken = 0

    def cases() -> Iterator[Case]:
        nonlocal taken
        while True:
            taken += 1
            yield library.read_case(PLAIN)

    answers = library.determine(cases(), revision="2026-02", engine=FAST)
    assert taken == 0
    next(answers)
    assert taken == BATCH


def test_cases_of_several_readers_and_one_case_twice_are_kept_apart(vary: Vary) -> None:
    met = kb_tools.open(ROOT).read_case(text=vary("clin:grade 1", "clin:grade 1"))
    other = kb_tools.open(ROOT)
    not_met = other.read_case(text=vary("clin:grade 1", "clin:grade 2"))
    assert met.node == not_met.node
    found = other.determine([met, not_met, met], revision="2026-02", engine=FAST)
    assert [answer.outcome for answer in found.determined] == [Outcome.MET, Outcome.NOT_MET, Outcome.MET]
    diff = other.diff("2019-10", "2026-02", [met, not_met, met], engine=FAST)
    assert diff.impact
    assert sum(diff.impact.counts.values()) == 3


def test_a_case_that_is_moved_says_the_same_of_its_new_nodes(library: KnowledgeBase) -> None:
    case = library.read_case(CASE_FILE)
    kept, moved = apart([case, case])
    assert kept is case
    assert number_of(moved.node) == f"{number_of(case.node)}.2"
    assert {moved.in_file(node) for node in moved.about} == {case.in_file(node) for node in case.about}
    assert len(moved.about) == len(case.about)
    assert not any(number_of(str(node)) == number_of(case.node) for triple in moved.triples() for node in triple)


@pytest.mark.parametrize("as_of", [date(2024, 5, 1), "2024-05-01"])
def test_the_revision_is_that_of_the_day_asked_for(library: KnowledgeBase, as_of: Any) -> None:
    found = library.determine(library.read_case(CASE_FILE), as_of=as_of, policy="CP.MP.101", engine=FAST)
    assert isinstance(found, Determination)
    assert found.revision.entry.name == "2024-04"


def test_one_case_for_which_no_revision_can_be_used_is_an_error(library: KnowledgeBase, folder: Path) -> None:
    with pytest.raises(UnknownRevision, match=r"was in force on 2015-10-31"):
        library.determine(library.read_case(folder / "d-too-early.ttl"), engine=FAST)


# ---------------------------------------------------------------------- comparing


def test_a_difference_says_what_the_command_says(library: KnowledgeBase, folder: Path, run_kb: RunKb) -> None:
    pair = ("2023-10", "2023-11")
    diff = library.diff(*pair, engine=FAST)
    assert (diff.verdict.direction.value, diff.impact) == ("stricter", None)
    assert diff.to_json() == run_kb("diff", *pair, "--format", "json", "--engine", FAST).stdout
    replayed = library.diff(*pair, library.read_cases(folder), engine=FAST)
    ran = run_kb("diff", *pair, "--cases", str(folder), "--format", "json", "--engine", FAST)
    assert replayed.to_json() == ran.stdout
    assert replayed.impact
    assert kinds([*replayed.impact.malformed, *replayed.impact.errors]) == ["Malformed", "UnreadableInput"]
    assert sum(replayed.impact.counts.values()) == 3


def test_one_case_can_be_replayed_by_itself(library: KnowledgeBase) -> None:
    diff = library.diff("CP.MP.101/2023-10", "2023-11", library.read_case(CASE_FILE), engine=FAST)
    assert diff.impact
    assert sum(diff.impact.counts.values()) == 1


# ---------------------------------------------------------------------- asking


def test_a_ready_question_gives_rows_of_python_and_what_the_command_writes(
    library: KnowledgeBase, run_kb: RunKb
) -> None:
    found = library.query("where-cited", {"reference": 9}, revision="2026-02")
    ran = run_kb(
        "query", "where-cited", "--param", "reference=9", "--revision", "2026-02", "--format", "json", "--kb", str(ROOT)
    )
    assert found.to_json() == ran.stdout
    assert found.complete
    assert found.title
    assert "2026-02" in found.graphs
    assert {len(row) for row in found.rows} == {len(found.variables)}
    iris = {cell for row in found.rows for cell in row if isinstance(cell, URIRef)}
    assert set(found.labels) <= set(map(str, iris))


LITERALS = {
    '"a"': "a",
    '"a"@en': "a",
    "1": 1,
    '"007"^^xsd:long': 7,
    "1.50": Decimal("1.50"),
    "2e0": 2.0,
    "true": True,
    '"0"^^xsd:boolean': False,
    '"2026-02-01"^^xsd:date': date(2026, 2, 1),
    '"2026-02-01T10:00:00"^^xsd:dateTime': datetime(2026, 2, 1, 10),
    '"2026-02"^^xsd:gYearMonth': "2026-02",
    '"soon"^^xsd:date': "soon",
    '"one"^^xsd:integer': "one",
    '"maybe"^^xsd:boolean': "maybe",
    '"1,5"^^xsd:decimal': "1,5",
    "<urn:x>": URIRef("urn:x"),
    "UNDEF": None,
}


@pytest.fixture(scope="module")
def values() -> QueryResult:
    """The terms as the store gives them."""
    text = f"PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> SELECT ?x {{ VALUES ?x {{ {' '.join(LITERALS)} }} }}"
    found: Any = ox.Store().query(text)
    return QueryResult(RawResult(variables=["x"], rows=[list(row) for row in found] + [[ox.BlankNode("b")]]))


def test_a_cell_is_a_value_of_python_where_its_datatype_says_so(values: QueryResult) -> None:
    cells = [cell for (cell,) in values.rows]
    assert cells == [*LITERALS.values(), BNode("b")]
    assert [type(cell) for cell in cells] == [*map(type, LITERALS.values()), BNode]


def test_rows_become_a_data_frame(values: QueryResult) -> None:
    frame = values.to_pandas()
    assert list(frame.columns) == ["x"]
    assert len(frame) == len(LITERALS) + 1
    assert frame["x"][2] == 1


def test_without_pandas_the_error_says_how_to_install_it(values: QueryResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(KbError) as raised:
        values.to_pandas()
    assert str(raised.value) == "pandas is not installed; pip install 'kb-tools[pandas]'"


def test_yes_and_no_and_graphs_are_not_rows(library: KnowledgeBase) -> None:
    yes = library.query("ASK {}")
    assert (yes.truth, yes.rows, yes.to_dict()["boolean"]) == (True, (), True)
    with pytest.raises(KbError, match=r"^the answer is yes or no, and not rows; take \.truth$"):
        yes.to_pandas()
    graph = library.query("CONSTRUCT { <urn:a> <urn:b> 1 } {}")
    assert Graph().parse(data=graph.turtle).value(URIRef("urn:a"), URIRef("urn:b")) == Literal(1)
    for ask in (graph.to_pandas, graph.to_dict):
        with pytest.raises(KbError, match=r"^the answer is a graph, and not one of SELECT.*; take \.turtle$"):
            ask()


def test_more_rows_than_asked_for_are_said_to_be_not_all(library: KnowledgeBase) -> None:
    found = library.query("SELECT ?x { VALUES ?x { 1 2 3 } }", max_rows=2, union=True)
    assert (found.rows, found.complete, found.graphs) == (((1,), (2,)), False, "all graphs")


# ---------------------------------------------------------------------- the knowledge base itself


def test_checks_come_one_by_one_and_say_what_the_command_says(library: KnowledgeBase, run_kb: RunKb) -> None:
    results = library.check(["parses", "prefixes"])
    assert isinstance(results, Iterator)
    ran = run_kb("check", "--only", "parses", "--only", "prefixes", "--format", "json")
    assert [result.to_dict() for result in results] == json.loads(ran.stdout)
    (alone,) = library.check("parses")
    assert (alone.passed, alone.failed, alone.status) == (True, False, "passed")


def test_the_examples_say_what_the_command_says(library: KnowledgeBase, run_kb: RunKb) -> None:
    reports = library.test(coverage=True, engine=FAST)
    ran = run_kb("test", "--coverage", "--format", "json", "--engine", FAST)
    assert [report.to_dict() for report in reports] == json.loads(ran.stdout)
    assert [(report.policy, report.passed, report.failed) for report in reports] == [
        ("CG-TRANS-03", True, ()),
        ("CP.MP.101", True, ()),
    ]


def test_results_cannot_be_changed(library: KnowledgeBase, values: QueryResult) -> None:
    (check,) = library.check("parses")
    many = library.determine([library.read_case(CASE_FILE)], revision="2026-02", engine=FAST)
    results: list[Any] = [check, many, many.determined[0], values, library.revisions()[0]]
    for result in results:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(result, dataclasses.fields(result)[0].name, None)


# ---------------------------------------------------------------------- what goes wrong


def case(library: KnowledgeBase) -> Case:
    return library.read_case(CASE_FILE)


# What is asked of the library, and of the command: both fail with the same line.
SAME: dict[str, tuple[Callable[[KnowledgeBase], object], tuple[str, ...], type[KbError]]] = {
    "wrong_path": (
        lambda kb: kb.read_case("nowhere.ttl"),
        ("validate", "nowhere.ttl"),
        UnreadableInput,
    ),
    "wrong_ending": (
        lambda kb: kb.read_case(ROOT / "pyproject.toml"),
        ("validate", str(ROOT / "pyproject.toml")),
        UnreadableInput,
    ),
    "wrong_revision": (
        lambda kb: kb.determine(case(kb), revision="2020-01"),
        ("validate", str(CASE_FILE), "--revision", "2020-01"),
        UnknownRevision,
    ),
    "wrong_revision_of_a_stream": (
        lambda kb: kb.determine(iter([case(kb)]), revision="2020-01"),
        ("validate", str(CASE_FILE), "--revision", "2020-01"),
        UnknownRevision,
    ),
    "not_on_file": (
        lambda kb: kb.determine([case(kb)], as_of="2015-01-01"),
        ("validate", str(CASE_FILE), "--as-of", "2015-01-01"),
        UnknownRevision,
    ),
    "wrong_policy": (
        lambda kb: kb.revisions("CP.MP.1"),
        ("show", "--policy", "CP.MP.1"),
        KbError,
    ),
    "the_same_twice": (lambda kb: kb.diff("2026-02", "2026-02"), ("diff", "2026-02", "2026-02"), KbError),
    "two_policies": (
        lambda kb: kb.diff("A/2026-02", "B/2026-02"),
        ("diff", "A/2026-02", "B/2026-02"),
        KbError,
    ),
    "wrong_question": (lambda kb: kb.query("criterai"), ("query", "criterai"), kb_tools.QueryError),
    "wrong_parameter": (
        lambda kb: kb.query("where-cited", {"work": "9"}),
        ("query", "where-cited", "--param", "work=9"),
        kb_tools.QueryError,
    ),
    "wrong_value": (
        lambda kb: kb.query("where-cited", {"reference": "4711"}, revision="2026-02"),
        ("query", "where-cited", "--param", "reference=4711", "--revision", "2026-02"),
        kb_tools.QueryError,
    ),
    "wrong_revision_of_a_question": (
        lambda kb: kb.query("criteria", revision="2020-01"),
        ("query", "criteria", "--revision", "2020-01"),
        UnknownRevision,
    ),
    "wrong_check": (lambda kb: kb.check("nothing"), ("check", "--only", "nothing"), KbError),
    "foreign_document": (
        lambda kb: kb.trace(ROOT / "tests/data/document/invented.txt"),
        ("trace", str(ROOT / "tests/data/document/invented.txt")),
        UnreadableInput,
    ),
    "no_document": (lambda kb: kb.trace("nowhere.pdf"), ("trace", "nowhere.pdf"), DocumentError),
}


@pytest.mark.parametrize("name", SAME)
def test_the_error_is_the_one_that_the_command_prints(library: KnowledgeBase, run_kb: RunKb, name: str) -> None:
    ask, arguments, kind = SAME[name]
    with pytest.raises(KbError) as raised:
        ask(library)
    assert type(raised.value) is kind
    assert run_kb(*arguments).stderr == f"kb: {raised.value}\n"


def test_an_engine_that_is_not_installed_is_an_error(library: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shifty", None)
    with pytest.raises(KbError, match=r"^the engine pyshifty is not installed; pip install 'kb-tools\[fast\]'$"):
        library.determine(case(library), engine="pyshifty")


PATH = "a int where a path is wanted; give a str or a pathlib.Path"
NO_CASE = "read it with read_case"
SOURCE = "give a path, the content as bytes or text=, a dict, or an rdflib Graph"
WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "root": (lambda kb: kb_tools.open(5), PATH),  # type: ignore[arg-type]
    "bytes_for_a_path": (
        lambda kb: kb_tools.open(b"x"),  # type: ignore[arg-type]
        "a bytes where a path is wanted; give a str or a pathlib.Path",
    ),
    "source": (lambda kb: kb.read_case(5), f"no case is read from a int; {SOURCE}"),
    "sources": (lambda kb: kb.read_cases(5), f"no case is read from a int; {SOURCE}"),
    "source_among_many": (lambda kb: list(kb.read_cases([5])), f"no case is read from a int; {SOURCE}"),
    "many_for_one": (lambda kb: kb.read_case([PLAIN]), f"no case is read from a list; {SOURCE}"),
    "nothing": (lambda kb: kb.read_case(), "nothing to read; give a source, or text="),
    "both": (lambda kb: kb.read_case("x", text="y"), "a source and a text; give a source, or text="),
    "text": (lambda kb: kb.read_case(text=b"x"), "text is of the type bytes; give one of the type str"),
    "format": (
        lambda kb: kb.read_case(text="x", format="xml"),
        "format 'xml'; known: turtle, trig, ntriples, jsonld, json, jsonl, ndjson",
    ),
    "terminology": (lambda kb: kb.read_case("x", terminology=[5]), PATH),
    "path_for_a_case": (lambda kb: kb.determine("x.ttl"), f"a str where a case is wanted; {NO_CASE}"),
    "dict_for_a_case": (lambda kb: kb.determine(PLAIN), f"a dict where a case is wanted; {NO_CASE}"),
    "number_for_a_case": (lambda kb: kb.determine(5), f"a int where a case is wanted; {NO_CASE}"),
    "dict_among_cases": (
        lambda kb: kb.determine([case(kb), PLAIN], engine=FAST),
        f"a dict where a case is wanted; {NO_CASE}",
    ),
    "path_for_cases": (
        lambda kb: kb.diff("2019-10", "2026-02", "cases/"),
        f"a str where a case is wanted; {NO_CASE}",
    ),
    "revision": (
        lambda kb: kb.determine([], revision=2026),
        "revision is of the type int; give one of the type str",
    ),
    "revision_and_day": (
        lambda kb: kb.determine([], revision="2026-02", as_of="2026-02-01"),
        "a revision and a day; give revision or as_of",
    ),
    "day": (
        lambda kb: kb.determine([], as_of="2026-02"),
        "as_of '2026-02' is no calendar day; give a date, or write YYYY-MM-DD",
    ),
    "time_for_a_day": (
        lambda kb: kb.determine([], as_of=datetime(2026, 2, 1)),
        "as_of is of the type datetime; give one of the type str",
    ),
    "policy": (lambda kb: kb.revisions(101), "policy is of the type int; give one of the type str"),
    "engine": (lambda kb: kb.determine([], engine="x"), "engine 'x'; known: pyshacl, pyshifty, shacl"),
    "old": (lambda kb: kb.diff(2019, "2026-02"), "old is of the type int; give one of the type str"),
    "question": (lambda kb: kb.query(5), "question is of the type int; give one of the type str"),
    "parameters": (
        lambda kb: kb.query("criteria", "x"),
        "parameters is of the type str; give one of the type Mapping",
    ),
    "parameter": (
        lambda kb: kb.query("where-cited", {"reference": 1.5}),
        "parameter reference is a float; give a str, int or date",
    ),
    "parameters_of_sparql": (
        lambda kb: kb.query("ASK {}", {"x": 1}),
        "parameters of a query of your own; write the values into it",
    ),
    "two_choices_of_revisions": (
        lambda kb: kb.query("criteria", revision="2026-02", union=True),
        "more than one of revision, as_of and union; give one",
    ),
    "timeout": (
        lambda kb: kb.query("criteria", timeout=float("nan")),
        "timeout nan; give more than 0 and at most 86400 seconds",
    ),
    "max_rows": (lambda kb: kb.query("criteria", max_rows=0), "max_rows 0; give 1 or more"),
    "truth_for_a_number": (
        lambda kb: kb.query("criteria", max_rows=True),
        "max_rows is of the type bool; give one of the type int",
    ),
    "entail": (lambda kb: kb.query("criteria", entail="owl"), "entail 'owl'; known: none, rdfs, owlrl"),
    "data": (lambda kb: kb.query("criteria", data=[5]), PATH),
    "only": (lambda kb: kb.check(5), "only is of the type int; give one of the type Iterable"),
    "only_of": (lambda kb: kb.check([5]), "only is of the type int; give one of the type str"),
    "document": (lambda kb: kb.trace(5), PATH),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_an_argument_error(library: KnowledgeBase, name: str) -> None:
    ask, line = WRONG[name]
    with pytest.raises(ArgumentError) as raised:
        ask(library)
    assert str(raised.value) == line


UNREADABLE: dict[str, tuple[Any, str]] = {
    "no_json": ({"patient": date(2026, 1, 1)}, "dict: not valid JSON: Object of type date is not JSON serializable; "),
    "no_number": ({"patient": float("nan")}, "dict: not valid JSON: Out of range float values are not JSON compliant"),
    "no_rdf": (Graph().add((URIRef("a b"), URIRef("urn:p"), Literal(1))), "graph: not valid RDF: "),
    "no_case": (Graph(), "graph: no case in this file; "),
    "no_text": ("\ud800".encode("utf-8", "surrogatepass"), "text:1: not valid TriG: "),
    "nothing_in_it": (b"", "text: no case in this file; "),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_source_that_holds_no_case_stops_no_other(library: KnowledgeBase, name: str) -> None:
    source, line = UNREADABLE[name]
    first, bad, last = library.read_cases([PLAIN, source, PLAIN])
    assert isinstance(first, Case)
    assert isinstance(last, Case)
    assert isinstance(bad, UnreadableInput)
    assert str(bad).startswith(line)
    with pytest.raises(UnreadableInput) as raised:
        library.read_case(source)
    assert str(raised.value) == str(bad)


def test_several_cases_where_one_is_wanted_are_an_error(library: KnowledgeBase, folder: Path) -> None:
    (folder / "c-unreadable.ttl").unlink()
    with pytest.raises(UnreadableInput) as raised:
        library.read_case(folder)
    assert str(raised.value) == f"{folder}: 4 cases where one is wanted; use read_cases"
