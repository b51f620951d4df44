"""The library of questions: the exact rows of each, on Oxigraph and on rdflib's own engine, and its parameters.

The rows stand in tests/data/questions, one tab-separated file a question, with IRIs as the prefix table shortens them.
`python tests/test_questions.py NAME …` writes the files of the questions named (of all, if none is) anew from what
Oxigraph finds. A file is what was read against the Turtle files, row by row: read its difference before you commit it.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import one_policy
import pyoxigraph as ox
import pytest
from click.testing import CliRunner
from rdflib import Dataset, Graph, URIRef
from rdflib.namespace import RDF, SKOS
from rdflib.query import ResultRow
from rdflib.term import Node
from signs import with_al2

from kb_tools import cli
from kb_tools.ask import dataset
from kb_tools.ask import execute as ask_execute
from kb_tools.ask import library as ask_library
from kb_tools.ask import worker as ask_worker
from kb_tools.ask.bind import Binder, values_of
from kb_tools.ask.names import Names
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.resolve import Request, resolve
from kb_tools.ask.sparql import NothingNamed, QueryError
from kb_tools.errors import KbError, UnknownRevision
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import BASE, CLIN
from kb_tools.rdf.terms import Triple, to_oxigraph, without_remarks

ROOT = one_policy.root()
EXPECTED = Path(__file__).parents[1] / "data/questions"
SECOND_POLICY = Path(__file__).parents[1] / "data/TST.7"
CASES = ROOT / "policies/CP.MP.101/cases"
OPEN_VIEW = dataset.open_view
QUESTIONS = {question.name: question for question in ask_library.questions()}

# What the rows on file were asked for, where that is not the question's own: "today" would change them.
ASKED: dict[str, dict[str, str]] = {
    "in-force": {"date": "2026-03-01"},
    "references-by-age": {"date": "2026-05-26"},
    "stale-statements": {"date": "2026-05-26"},
    "terms-not-defined": {"revision": "2019-10"},
}
# Another value for each parameter, and how many rows there are then.
OTHERWISE: dict[tuple[str, str], tuple[str, int]] = {
    ("advisories", "revision"): ("2019-10", 0),
    ("changed-criteria", "after"): ("2023-10", 8),
    ("changed-criteria", "before"): ("2023-10", 1),
    ("codes", "revision"): ("2019-10", 0),
    ("condition-dependencies", "condition"): ("cond:lymphocytes-genetically-modified", 12),
    ("conditions", "revision"): ("2019-10", 11),
    ("criteria", "revision"): ("2019-10", 7),
    ("criterion-citations", "criterion"): ("crit:indication", 1),
    ("criterion-history", "criterion"): ("crit:relapsed-malignancy", 1),
    ("criterion-tree", "criterion"): ("crit:chimerism-alone", 4),
    ("definitions", "revision"): ("2019-10", 1),
    ("discrepancies-concerning", "thing"): ("cpt:38215", 3),
    ("diseases-outside-group", "group"): ("clin:NonHodgkinLymphoma", 73),
    ("documents-to-submit", "revision"): ("2019-10", 9),
    ("evidence-for-disease", "disease"): ("clin:MultipleMyeloma", 9),
    ("evidence-on-outcome", "outcome"): ("clin:Complication", 17),
    ("example-cases", "condition"): ("cond:disease-is-relapsed", 4),
    ("fact-influence", "fact"): ("case:reason", 5),
    ("fact-influence", "revision"): ("2019-10", 4),
    ("finding-values", "finding"): ("clin:AcuteGvHDAssessment", 7),
    ("guidelines", "revision"): ("2019-10", 0),
    ("icd-10-cm-under-disease", "disease"): ("clin:SolidTumor", 3),
    ("in-force", "date"): ("2015-10-31", 0),
    ("logged-changes", "affected"): ("pol:Codes", 2),
    ("open-discrepancies", "severity"): ("pol:Minor", 10),
    ("policies-listing-code", "number"): ("S2150", 10),
    ("readings", "revision"): ("2019-10", 19),
    ("references-by-age", "date"): ("2028-01-01", 11),
    ("references-by-age", "years"): ("30", 1),
    ("references-by-kind", "revision"): ("2019-10", 0),
    ("said-at-place", "place"): ("II.B", 9),
    ("said-in-section", "section"): ("Header", 4),
    ("shared-conditions", "revisions"): ("6", 5),
    ("stale-statements", "date"): ("2020-01-01", 10),
    ("stale-statements", "years"): ("30", 2),
    ("terms-not-defined", "revision"): ("2026-02", 0),
    ("terms-without-definition", "namespace"): ("http://purl.org/ontology/bibo/", 13),
    ("uncited-evidence", "revision"): ("2019-10", 0),
    ("uncited-references", "revision"): ("2019-10", 0),
    ("where-cited", "reference"): ("ref:kolb-2004", 3),
}
# Example cases whose determinations, by revision, are the data of the questions on determinations.
DETERMINED = {
    "2019-10": ["relapsed-aml-after-transplant-meets", "a-repeat-after-no-response-was-excluded"],
    "2026-02": [
        "relapsed-aml-after-transplant-meets",
        "refractory-leukemia-meets",
        "cd4-selected-lymphocytes-are-excluded",
        "dual-eligible-plan-is-referred",
        "mrd-before-the-transplant-does-not-count",
        "grades-1-and-3-on-one-day-conflict",
        "a-bare-request-is-asked-for-everything",
    ],
}

NAMED_BY = "write its number, place, name or code, or its IRI as prefix:name or whole"

Row: TypeAlias = tuple[str, ...]


# ---------------------------------------------------------------------- asking


@cache
def the_kb(root: Path) -> Repository:
    return Repository(root)


@cache
def view(root: Path, graphs: tuple[str, ...] | None) -> ox.Store:
    """The store with its default graph laid down: made once for all questions that read it."""
    return OPEN_VIEW(the_kb(root), graphs)


def requested(name: str, given: Mapping[str, str], data: Sequence[Path] = (), root: Path = ROOT) -> Request:
    """What a question comes to; it reads revision 2026-02 unless it takes another or all of them."""
    question = QUESTIONS[name]
    revision = None if question.scope == "all" or "revision" in given else "2026-02"
    policy = "CP.MP.101" if question.scope == "revision" else None
    asked = Inquiry(root, question=name, parameters=given, policy=policy, revision=revision, data=data)
    return resolve(the_kb(root), asked)


ANSWERS: dict[tuple[object, ...], tuple[list[str], list[list[Any]]]] = {}


def ask(request: Request) -> tuple[list[str], list[list[Any]]]:
    """The variables and rows that kb finds, with the stores that are open already."""
    revisions = tuple(entry.iri for _, entry in request.revisions)
    asked = (request.kb.root, request.checked.text, revisions, *request.data)
    if asked not in ANSWERS:
        with pytest.MonkeyPatch.context() as patched:
            if not request.data:
                patched.setattr(dataset, "open_view", lambda kb, graphs: view(kb.root, graphs and tuple(graphs)))
            found = ask_execute.execute(request)
        assert not found.more
        ANSWERS[asked] = found.variables, found.rows
    return ANSWERS[asked]


@cache
def named_graphs(root: Path) -> Dataset:
    """The named graphs as rdflib reads them, without a store of Oxigraph or a query between."""
    kb = the_kb(root)
    found = Dataset(default_union=False)
    for path, name in dataset.graph_names(kb).items():
        _add(found.graph(URIRef(name)), kb.triples(path))
    for policy in kb.policies():
        for entry in policy.history:
            own = policy.own_graph(entry)
            _add(found.graph(URIRef(f"{entry.iri}/filled-in")), (t for t in policy.stated_graph(entry) if t not in own))
    return found


@cache
def rdflib_view(root: Path, graphs: tuple[str, ...] | None) -> Dataset:
    """The same with a default graph: those of these names, or all."""
    found = Dataset(default_union=False)
    for named in named_graphs(root).graphs():
        name = str(named.identifier)
        if name.startswith(BASE):
            _add(found.graph(URIRef(name)), named)
            if graphs is None or name in graphs:
                _add(found.default_graph, named)
    return found


def _add(graph: Graph, triples: Iterable[Triple]) -> None:
    for triple in triples:
        graph.add(triple)


def ask_rdflib(request: Request) -> tuple[list[str], list[list[Any]]]:
    """The variables and rows that rdflib's own engine finds."""
    read = rdflib_view(request.kb.root, request.graphs and tuple(request.graphs))
    if request.data:
        extended = Dataset(default_union=False)
        _add(extended.default_graph, read.default_graph)
        for path in request.data:
            for file in sorted(path.glob("*.ttl")):
                _add(extended.default_graph, Graph().parse(file))
        read = extended
    with without_remarks(), warnings.catch_warnings():
        # rdflib's engine uses what rdflib itself deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = read.query(request.checked.text)
        assert found.vars is not None
        rows = [
            [None if term is None else to_oxigraph(term) for term in row] for row in found if isinstance(row, ResultRow)
        ]
    return [str(variable) for variable in found.vars], rows


def to_ox(term: Node | None) -> object:
    return None if term is None else to_oxigraph(term)


def exact(term: Any) -> object:
    """A term to compare: the engines write 22.0 in two ways, and nothing else."""
    if isinstance(term, ox.Literal) and term.datatype.value.rpartition("#")[2] in ("integer", "decimal"):
        return (Decimal(term.value), term.datatype.value)
    return term


def readable(kb: Repository, term: Any) -> str:
    if term is None:
        return ""
    if isinstance(term, ox.NamedNode):
        return kb.curie(term.value).replace(f"<{BASE}", "<")
    assert isinstance(term, ox.Literal), f"{term} is not to be read by anyone"
    assert not re.search(r"[\t\n\r]", term.value)
    return term.value


def table(request: Request) -> list[Row]:
    """What kb finds, readable: the names of the columns, then the rows."""
    variables, rows = ask(request)
    kb = request.kb
    return [tuple(variables), *(tuple(readable(kb, term) for term in row) for row in rows)]


def columns(rows: list[Row], *names: str) -> list[Row]:
    """Some columns of a table, without its head."""
    places = [rows[0].index(name) for name in names]
    return [tuple(row[place] for place in places) for row in rows[1:]]


def on_file(name: str) -> list[Row]:
    text = (EXPECTED / f"{name}.tsv").read_text(encoding="utf-8")
    return [tuple(line.split("\t")) for line in text.removesuffix("\n").split("\n")]


def write_determinations(folder: Path) -> Path:
    """A folder of determination graphs, one file for each revision."""
    for revision, names in DETERMINED.items():
        files = [str(CASES / f"{name}.ttl") for name in names]
        done = CliRunner().invoke(
            cli.kb, ["validate", *files, "--revision", revision, "--format", "turtle", "--kb", str(ROOT)]
        )
        assert done.exit_code == 1, done.output
        (folder / f"{revision}.ttl").write_text(done.stdout, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def determinations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_determinations(tmp_path_factory.mktemp("determinations"))


@pytest.fixture(scope="module")
def two_policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the knowledge base with a second policy."""
    root = tmp_path_factory.mktemp("two-policies")
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("cases"))
    shutil.copytree(SECOND_POLICY, root / "policies/TST.7", ignore=shutil.ignore_patterns("cases"))
    return root


def data_for(name: str, determinations: Path) -> list[Path]:
    return [determinations] if name.startswith("determinations-") else []


# ---------------------------------------------------------------------- the library as files


def test_the_library_and_the_rows_on_file_go_together() -> None:
    assert len(QUESTIONS) == 48
    assert {path.stem for path in EXPECTED.glob("*.tsv")} == set(QUESTIONS)
    parameters = {
        (question.name, parameter.name) for question in QUESTIONS.values() for parameter in question.parameters
    }
    assert set(OTHERWISE) == parameters
    assert len(parameters) == 40


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_runs_as_it_stands_in_any_store(name: str) -> None:
    question = QUESTIONS[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert question.scope in ("revision", "all")
    # Every prefix is declared: a store that knows none takes the text.
    found = ox.Store().query(question.text)
    assert isinstance(found, ox.QuerySolutions)
    assert list(found) == []


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_put_in_words_and_its_answer_has_an_order(name: str) -> None:
    text = QUESTIONS[name].text
    head = [line for line in text.split("\n") if line.startswith("#")]
    words = [line for line in head if not line.startswith(("# Topic: ", "# Scope: ", "# Parts: ", "# Param: "))]
    assert QUESTIONS[name].topic
    assert len(words) in (1, 2)
    assert words[0].endswith("?")
    # Nothing but the head begins with a number sign, or it would be read as part of the question.
    assert text.startswith("\n".join(head) + "\nPREFIX ")
    assert re.search(r"\n}\nORDER BY .+\n$|\n}\n(?:GROUP BY .+\n)(?:HAVING .+\n)?ORDER BY .+\n$", text)
    declared, body = text.split("\n\n", 1)
    for prefix in re.findall(r"^PREFIX (\w+):", declared, re.MULTILINE):
        assert re.search(rf"\b{prefix}:\w", body), f"prefix {prefix} is declared and not used"
    assert all(len(line) <= 130 for line in text.split("\n"))


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_parameter_is_bound_on_a_line_of_its_own_in_the_pattern(name: str) -> None:
    question = QUESTIONS[name]
    pattern = question.text.partition("WHERE {")[2]
    declared = len(re.findall(r"^# Param:", question.text, re.MULTILINE))
    assert len(question.parameters) == declared
    for parameter in question.parameters:
        assert parameter.type in ("iri", "class", "text", "namespace", "revision", "policy", "date", "integer")
        assert not parameter.kinds or parameter.type in ("iri", "class", "text")
        assert question.text.count(f"VALUES ?{parameter.name} {{") == 1
        assert re.search(rf"^ +VALUES \?{parameter.name} {{ [^}}]+ }}$", pattern, re.MULTILINE)


# ---------------------------------------------------------------------- the rows


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_finds_exactly_the_rows_on_file(name: str, determinations: Path) -> None:
    found = table(requested(name, ASKED.get(name, {}), data_for(name, determinations)))
    assert found == on_file(name)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", QUESTIONS)
def test_both_engines_find_the_same_rows_in_the_same_order(name: str, determinations: Path) -> None:
    request = requested(name, ASKED.get(name, {}), data_for(name, determinations))
    assert same_rows(request) > 0 or name == "terms-without-definition"


@pytest.mark.parametrize(("name", "parameter"), OTHERWISE)
def test_another_value_of_a_parameter_finds_other_rows(name: str, parameter: str, determinations: Path) -> None:
    value, rows = OTHERWISE[name, parameter]
    request = requested(name, {**ASKED.get(name, {}), parameter: value}, data_for(name, determinations))
    found = table(request)
    assert len(found) - 1 == rows
    assert found != on_file(name)
    assert same_rows(request) == rows


def same_rows(request: Request) -> int:
    """How many rows there are, which must be the same by both engines."""
    variables, rows = ask(request)
    theirs, their_rows = ask_rdflib(request)
    assert variables == theirs
    assert [[exact(term) for term in row] for row in rows] == [[exact(term) for term in row] for row in their_rows]
    return len(rows)


@pytest.mark.parametrize("name", ["in-force", "criteria"])
def test_the_command_finds_the_rows_on_file_in_its_own_process(name: str) -> None:
    given = ASKED.get(name, {})
    revision = None if QUESTIONS[name].scope == "all" else "2026-02"
    found = ask_worker.run(Inquiry(ROOT, question=name, parameters=given, revision=revision), timeout=30)
    kb = the_kb(ROOT)
    assert [tuple(readable(kb, term) for term in row) for row in found.rows] == on_file(name)[1:]
    assert found.title == QUESTIONS[name].title


def test_determinations_are_counted_from_a_folder_in_the_process_of_the_command(determinations: Path) -> None:
    asked = Inquiry(ROOT, question="determinations-by-outcome", revision="2026-02", data=[determinations])
    found = ask_worker.run(asked, timeout=30)
    kb = the_kb(ROOT)
    assert [tuple(readable(kb, term) for term in row) for row in found.rows] == on_file("determinations-by-outcome")[1:]


def test_without_data_there_are_no_determinations() -> None:
    for name in ("determinations-by-outcome", "determinations-waiting"):
        assert table(requested(name, {}))[1:] == []


# ---------------------------------------------------------------------- the rows against what kb computes


@pytest.fixture(scope="module")
def policy() -> Policy:
    return the_kb(ROOT).policy("CP.MP.101")


def boundaries() -> Iterator[date]:
    """The day before and the day of each revision's beginning."""
    for entry in the_kb(ROOT).policy("CP.MP.101").history:
        for first in {entry.effective, entry.month}:
            yield from (first - timedelta(1), first)


@pytest.mark.parametrize("day", sorted(set(boundaries())), ids=str)
def test_the_revision_in_force_is_the_one_that_kb_selects(policy: Policy, day: date) -> None:
    found = columns(table(requested("in-force", {"date": day.isoformat()})), "by", "revision", "from")
    begun = [entry for entry in policy.history if entry.effective <= day]
    dated = [entry for entry in policy.history if entry.month <= day]
    expected = []
    if begun:
        latest = max(begun, key=lambda entry: (entry.effective, entry.month))
        expected.append(("approval, else revision month", f"<CP.MP.101/{latest.name}>", str(latest.effective)))
    if dated:
        expected.append(("revision month alone", f"<CP.MP.101/{dated[-1].name}>", str(dated[-1].month)))
    assert found == expected


def test_what_is_on_file_is_what_kb_takes_to_be_on_file(policy: Policy) -> None:
    words = {
        "DocumentOnFile": "document on file",
        "InferredFromLog": "inferred from the revision log",
        "NotOnFile": "not on file",
    }
    parts = ("Criteria", "DispositionPart", "Definitions", "Codes", "References", "Evidence")
    assert [row[1:] for row in table(requested("on-file", {}))[1:]] == [
        (f"<CP.MP.101/{entry.name}>", *(words[entry.bases[part]] for part in parts)) for entry in policy.history
    ]


@pytest.mark.parametrize("revision", ["2019-10", "2023-10", "2025-02", "2026-02"])
def test_what_to_submit_is_what_a_bare_request_is_asked_for(revision: str, tmp_path: Path) -> None:
    files = [str(CASES / "a-bare-request-is-asked-for-everything.ttl")]
    done = CliRunner().invoke(
        cli.kb, ["validate", *files, "--revision", revision, "--format", "turtle", "--kb", str(ROOT)]
    )
    (tmp_path / "bare.ttl").write_text(done.stdout, encoding="utf-8")
    asked = columns(table(requested("determinations-waiting", {}, [tmp_path])), "sendIn")
    listed = columns(table(requested("documents-to-submit", {"revision": revision})), "sendIn")
    assert sorted(asked) == sorted(set(listed))


def test_codes_under_a_disease_go_down_the_whole_hierarchy() -> None:
    graph = the_kb(ROOT).ontology
    malignancies = {
        disease
        for disease in graph.subjects(RDF.type, CLIN.Disease)
        if CLIN.HematologicMalignancy in graph.transitive_objects(disease, SKOS.broader)
    }
    expected = [
        (str(code), the_kb(ROOT).curie(str(disease)))
        for disease in malignancies
        for code in graph.objects(disease, CLIN.icd10cm)
    ]
    rows = table(requested("icd-10-cm-under-disease", {"disease": "clin:HematologicMalignancy"}))
    assert columns(rows, "code", "narrower") == sorted(expected)
    outside = columns(table(requested("diseases-outside-group", {})), "disease")
    assert {disease for (disease,) in outside}.isdisjoint(
        the_kb(ROOT).curie(str(malignancy)) for malignancy in malignancies
    )
    assert len(set(outside)) + len(malignancies) == len(set(graph.subjects(RDF.type, CLIN.Disease)))


ACUTE_LEUKEMIAS = [
    "clin:AcuteLeukemia", "clin:AcuteLymphoblasticLeukemia", "clin:AcuteMonocyticLeukemia", "clin:AcuteMyeloidLeukemia",
    "clin:AcutePromyelocyticLeukemia", "clin:BurkittTypeLeukemia", "clin:LymphoblasticLymphoma",
]  # fmt: skip


def test_the_kinds_of_a_group_that_has_a_code_for_none_of_them_stand_under_it() -> None:
    """Acute myeloid and lymphoblastic leukemia under acute leukemia, whose own code is of neither."""
    acute = {"disease": "clin:AcuteLeukemia"}
    codes = columns(table(requested("icd-10-cm-under-disease", acute)), "code", "narrower")
    assert [f"{code} {disease.removeprefix('clin:')}" for code, disease in codes] == [
        "C83.5 LymphoblasticLymphoma",
        "C91.0 AcuteLymphoblasticLeukemia",
        "C91.A BurkittTypeLeukemia",
        "C92.0 AcuteMyeloidLeukemia",
        "C92.3 AcuteMyeloidLeukemia",
        "C92.4 AcutePromyelocyticLeukemia",
        "C92.5 AcuteMyeloidLeukemia",
        "C92.6 AcuteMyeloidLeukemia",
        "C92.A AcuteMyeloidLeukemia",
        "C93.0 AcuteMonocyticLeukemia",
        "C94.0 AcuteMyeloidLeukemia",
        "C94.2 AcuteMyeloidLeukemia",
        "C94.4 AcuteMyeloidLeukemia",
        "C95.0 AcuteLeukemia",
    ]
    evidence = columns(table(requested("evidence-for-disease", acute)), "diseaseLabel", "statement")
    assert evidence == [
        ("acute lymphoblastic leukemia", "ev:all-disease-free"),
        ("acute lymphoblastic leukemia", "ev:all-outcomes-less-robust"),
        ("acute lymphoblastic leukemia", "ev:all-treatment-possible"),
        ("acute lymphoblastic leukemia", "ev:malignancies-treated"),
        ("acute myeloid leukemia", "ev:aml-chemotherapy"),
        ("acute myeloid leukemia", "ev:aml-less-effective"),
        ("acute myeloid leukemia", "ev:aml-remission"),
        ("acute myeloid leukemia", "ev:malignancies-treated"),
    ]
    outside = {
        disease
        for (disease,) in columns(
            table(requested("diseases-outside-group", {"group": "clin:AcuteLeukemia"})), "disease"
        )
    }
    every = {the_kb(ROOT).curie(str(disease)) for disease in the_kb(ROOT).ontology.subjects(RDF.type, CLIN.Disease)}
    assert sorted(every - outside) == ACUTE_LEUKEMIAS


def test_a_user_of_sparql_sees_acute_myeloid_leukemia_under_acute_leukemia(run_kb: Callable[..., Any]) -> None:
    query = "SELECT ?disease WHERE { ?disease skos:broader+ clin:AcuteLeukemia } ORDER BY ?disease"
    asked = run_kb("query", "-", "--format", "csv", stdin=query.encode())
    assert (asked.returncode, asked.stderr) == (0, "")
    kb = the_kb(ROOT)
    assert [kb.curie(iri) for iri in asked.stdout.split()[1:]] == ACUTE_LEUKEMIAS[1:]
    # So does one who asks what is narrower of a whole export, with no engine of ours.
    exported = Graph().parse(data=run_kb("export", "--format", "turtle").stdout, format="turtle")
    under = exported.transitive_subjects(SKOS.broader, CLIN.AcuteLeukemia)
    assert sorted(kb.curie(str(disease)) for disease in under) == ACUTE_LEUKEMIAS


# ---------------------------------------------------------------------- what the rows on file do not show


def test_medicare_plans_left_the_policy_between_10_23_and_11_23() -> None:
    assert table(requested("changed-criteria", {"before": "2023-10", "after": "2023-11"}))[1:] == [
        ("crit:plan", "added", "", "Medicare note", "", "For Medicare plans another policy gives the criteria.")
    ]


def test_nothing_changed_between_two_revisions_inferred_alike() -> None:
    assert table(requested("changed-criteria", {"before": "2023-11", "after": "2025-02"}))[1:] == []


def test_a_revision_compared_with_one_whose_criteria_are_not_on_file_shows_all_as_added() -> None:
    rows = table(requested("changed-criteria", {"before": "2015-11", "after": "2026-02"}))
    assert [change for (change,) in columns(rows, "change")] == ["added"] * 7


def test_the_criteria_of_2019_10_show_the_parts_of_criterion_i() -> None:
    rows = table(requested("criteria", {"revision": "2019-10"}))
    assert columns(rows, "place", "role", "criterion") == [
        ("I", "indication", "crit:indication"),
        ("I.A", "criterion", "crit:relapsed-malignancy"),
        ("I.B", "criterion", "crit:chimerism-conversion"),
        ("II.A", "remainder", "crit:other-indications"),
        ("II.B", "exclusion", "crit:manipulated-lymphocytes"),
        ("II.C", "exclusion", "crit:repeat-infusion"),
        ("Scope", "applicability", "crit:service"),
    ]


def test_an_inferred_revision_has_the_criteria_of_the_one_it_is_inferred_from() -> None:
    rows = table(requested("criteria", {"revision": "2025-02"}))
    assert rows == on_file("criteria")


def test_the_tree_of_a_criterion_shows_how_its_conditions_are_joined() -> None:
    rows = table(requested("criterion-tree", {"criterion": "crit:chimerism-alone"}))
    assert columns(rows, "depth", "operator", "position", "condition") == [
        ("1", "pol:allOf", "1", "cond:raising-donor-chimerism-is-the-only-purpose"),
        ("2", "pol:noneOf", "1", "cond:disease-relapsed-refractory-or-progressing"),
        ("2", "pol:noneOf", "2", "cond:mrd-is-detected"),
        ("2", "pol:noneOf", "3", "cond:relapse-risk-is-raised"),
    ]


def test_the_tree_of_a_criterion_that_counts_says_how_many_and_is_walked(tmp_path: Path) -> None:
    root = with_al2(tmp_path)
    given = {"criterion": f"{BASE}AL.2/criterion/signs"}
    asked = Inquiry(root, question="criterion-tree", parameters=given, policy="AL.2", revision="2024-01")
    rows = table(resolve(the_kb(root), asked))
    assert columns(rows, "depth", "operator", "position", "condition") == [
        ("1", "pol:atLeast 2", "1", "cond:mrd-is-detected"),
        ("1", "pol:atLeast 2", "2", "cond:relapse-risk-is-raised"),
        ("1", "pol:atLeast 2", "3", "cond:chimerism-is-mixed"),
        ("2", "pol:anyOf", "1", "cond:disease-is-relapsed"),
        ("2", "pol:anyOf", "2", "cond:earlier-dli-was-given"),
    ]


def test_the_reason_of_a_request_decides_which_disease_status_counts() -> None:
    rows = table(requested("fact-influence", {"fact": "case:reason"}))
    assert columns(rows, "condition", "how", "statement") == [
        ("cond:disease-relapsed-refractory-or-progressing", "it decides which findings count", "adv:purpose-alone"),
        ("cond:disease-relapsed-refractory-or-progressing", "it decides which findings count", "crit:chimerism-alone"),
        ("cond:disease-relapsed-refractory-or-progressing", "it decides which findings count", "crit:indication"),
        ("cond:reason-is-hematologic-malignancy", "a shape names it", "crit:indication"),
        ("cond:reason-is-hematologic-malignancy", "it is read", "crit:indication"),
    ]


@pytest.mark.parametrize(("class_", "in_doubt"), [("clin:Transplant", False), ("clin:StatedAbsence", True)])
def test_a_finding_can_state_what_its_closed_shape_allows_and_nothing_derived(class_: str, in_doubt: bool) -> None:
    found = {row[0] for row in columns(table(requested("finding-values", {"finding": class_})), "property")[1:]}
    stated = {"clin:Transplant": "clin:graftSource", "clin:StatedAbsence": "clin:absenceOf"}[class_]
    assert found == {"case:date", "case:basis", stated} | ({"case:inDoubt"} if in_doubt else set())


def test_a_single_value_influences_the_conditions_whose_shapes_name_it() -> None:
    rows = table(requested("fact-influence", {"fact": "cpt:38242"}))
    found = columns(rows, "condition", "how", "statement")
    assert found == [("cond:service-is-dli", "a shape names it", "crit:service")]


def test_a_code_that_no_revision_lists_is_not_said_to_be_unlisted_where_codes_are_not_on_file() -> None:
    rows = columns(table(requested("policies-listing-code", {"number": "99999"})), "revision", "answer")
    assert [row for row in rows if row[1] != "codes not on file"] == [("<CP.MP.101/2026-02>", "does not list it")]
    assert len(rows) == 10


def test_revision_10_19_borrows_its_one_definition() -> None:
    rows = table(requested("definitions", {"revision": "2019-10"}))
    assert columns(rows, "definition", "below", "unit", "borrowedFrom") == [
        ("def:mixed-chimerism", "90", "%", "<CP.MP.101/2026-02>")
    ]


def test_a_term_that_is_used_without_a_definition_is_found(tmp_path: Path) -> None:
    (tmp_path / "more.ttl").write_text(
        "PREFIX pol: <https://w3id.org/policykb/policy#>\n"
        "PREFIX clin: <https://w3id.org/policykb/clinical#>\n"
        "PREFIX owl: <http://www.w3.org/2002/07/owl#>\n"
        "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n"
        "<https://example.org/a> a pol:Unheard ; pol:unheardOf true .\n"
        "clin:NewDisease a clin:Disease .\n"
        "clin:newProperty a owl:DatatypeProperty .\n",
        encoding="utf-8",
    )
    request = requested("terms-without-definition", {}, [tmp_path])
    assert table(request)[1:] == [
        ("clin:NewDisease",),
        ("clin:newProperty",),
        ("pol:Unheard",),
        ("pol:unheardOf",),
    ]
    assert same_rows(request) == 4


def test_an_undated_reference_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "more.ttl").write_text(
        "PREFIX bibo: <http://purl.org/ontology/bibo/>\n"
        "PREFIX dcterms: <http://purl.org/dc/terms/>\n"
        "PREFIX pol: <https://w3id.org/policykb/policy#>\n"
        "<https://example.org/undated> a pol:Reference , bibo:Book ; pol:number 30 ; pol:authorsAsPrinted 'Nobody' ;\n"
        "    dcterms:title 'Undated'@en .\n",
        encoding="utf-8",
    )
    request = requested("references-by-age", ASKED["references-by-age"], [tmp_path])
    assert table(request)[-1] == ("", "bibo:Book", "30", "<https://example.org/undated>", "Nobody", "Undated", "", "0")
    assert same_rows(request) == 10


# ---------------------------------------------------------------------- two policies


def test_both_policies_are_asked_where_two_are_on_file(two_policies: Path) -> None:
    shared = table(requested("shared-conditions", {"revisions": "7"}, root=two_policies))
    assert columns(shared, "condition", "policyCount", "revisionCount") == [("cond:service-is-dli", "2", "7")]
    listed = columns(table(requested("policies-listing-code", {}, root=two_policies)), "policy", "revision", "answer")
    assert ("<TST.7>", "<TST.7/2024-01>", "codes not on file") in listed
    assert len(listed) == 11
    in_force = table(requested("in-force", {"date": "2026-05-26"}, root=two_policies))
    assert columns(in_force, "policy", "revision") == [
        ("<CP.MP.101>", "<CP.MP.101/2026-02>"),
        ("<CP.MP.101>", "<CP.MP.101/2026-02>"),
        ("<TST.7>", "<TST.7/2024-01>"),
        ("<TST.7>", "<TST.7/2024-01>"),
    ]


@pytest.mark.parametrize("name", [name for name, question in QUESTIONS.items() if question.scope == "all"])
def test_a_question_on_all_revisions_finds_the_same_by_both_engines_where_two_policies_are_on_file(
    name: str, two_policies: Path
) -> None:
    same_rows(requested(name, ASKED.get(name, {}), root=two_policies))


def test_a_condition_is_read_by_the_criteria_of_both_policies(two_policies: Path) -> None:
    given = {"condition": "cond:mrd-is-detected"}
    rows = table(requested("condition-dependencies", given, root=two_policies))
    readers = {row[1:] for row in columns(rows, "relation", "thing", "revision") if row[0] == "read by criterion"}
    assert ("tcrit:residual-disease", "<TST.7/2024-01>") in readers
    assert ("crit:indication", "<CP.MP.101/2023-10>") in readers
    assert len(readers) == 11


# ---------------------------------------------------------------------- values that are none


@pytest.mark.parametrize(
    ("name", "given", "error", "line"),
    [
        (
            "criteria",
            {"revision": "2024-13"},
            UnknownRevision,
            "CP.MP.101 has no revision 2024-13; known: 2015-11, 2019-10, 2022-10, 2023-02, 2023-08, 2023-10, 2023-11, "
            "2024-04, 2025-02, 2026-02; nearest: 2024-04",
        ),
        ("changed-criteria", {"before": "TST.7/2024-01"}, KbError, "no policy TST.7 on file; known: CP.MP.101"),
        (
            "in-force",
            {"date": "2026-02-30"},
            QueryError,
            "date: '2026-02-30' is no date; write YYYY-MM-DD, YYYY-MM for its first day, or today",
        ),
        (
            "in-force",
            {"date": ""},
            QueryError,
            "date: '' is no date; write YYYY-MM-DD, YYYY-MM for its first day, or today",
        ),
        (
            "references-by-age",
            {"years": "ten"},
            QueryError,
            "years: 'ten' is no integer; write a whole number",
        ),
        (
            "criterion-tree",
            {"criterion": "crit:acute-gvdh"},
            NothingNamed,
            "criterion: 'crit:acute-gvdh' names no criterion in all graphs; did you mean 'crit:acute-gvhd'?",
        ),
        (
            "criterion-tree",
            {"criterion": "crit:acute gvhd"},
            NothingNamed,
            "criterion: 'crit:acute gvhd' names no criterion in all graphs; did you mean 'acute-gvhd'?",
        ),
        (
            "criterion-tree",
            {"criterion": "quite another"},
            NothingNamed,
            f"criterion: 'quite another' names no criterion in all graphs; {NAMED_BY}",
        ),
        (
            "said-at-place",
            {"page": "3"},
            QueryError,
            "question said-at-place has no parameter page; did you mean place?",
        ),
        ("on-file", {"part": "codes"}, QueryError, "question on-file has no parameter part; it has: none"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(name: str, given: dict[str, str], error: type[KbError], line: str) -> None:
    with pytest.raises(KbError) as raised:
        Binder(Names(the_kb(ROOT), None, "all graphs"), dataset.policies(the_kb(ROOT))).bind(QUESTIONS[name], given)
    assert type(raised.value) is error
    assert str(raised.value) == line


def test_text_given_for_a_parameter_stays_text() -> None:
    """Whatever it looks like: neither quotes nor braces end the literal or the clause."""
    given = {"place": 'II.A" } # UNION { ?s ?p ?o } VALUES ?place { "II.B'}
    assert table(requested("said-at-place", given))[1:] == []


# ---------------------------------------------------------------------- what is on file of what is read

# What holds the statements of each part in the folder of a revision whose document is on file.
PART_FILES = {
    "pol:Criteria": "criteria.ttl",
    "pol:DispositionPart": "",
    "pol:Definitions": "definitions.ttl",
    "pol:Codes": "codes.ttl",
    "pol:References": "references.ttl",
    "pol:Evidence": "evidence.ttl",
    "advice, which is no part": "advisories.ttl",
}
DISPOSITION = "    pol:disposition pol:NotSupportedByCurrentEvidence ;\n"


def copied(root: Path) -> Path:
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("cases"))
    (root / "policies/CP.MP.101/cases").mkdir()
    shutil.copy(CASES / "manifest.ttl", root / "policies/CP.MP.101/cases/manifest.ttl")
    return root


def raw_rows(root: Path, request: Request) -> list[tuple[str, ...]]:
    """What a question finds in another knowledge base, in which the names of parameters need not be known."""
    kb = the_kb(root)
    chosen = [(kb.policy(policy.identifier), entry) for policy, entry in request.revisions]
    found: Any = view(root, tuple(dataset.default_graph(kb, chosen)) if chosen else None).query(request.checked.text)
    return [tuple(map(str, solution)) for solution in found]


def test_a_question_names_exactly_the_parts_that_it_reads(tmp_path: Path) -> None:
    """A question reads a part if it finds other rows where the statements of that part of 2026-02 are gone."""
    asked = {
        name: requested(name, {key: value for key, value in ASKED.get(name, {}).items() if key != "revision"})
        for name in QUESTIONS
    }
    complete = {name: raw_rows(ROOT, request) for name, request in asked.items()}
    read: dict[str, set[str]] = {name: set() for name in QUESTIONS}
    for number, (part, file) in enumerate(PART_FILES.items()):
        root = copied(tmp_path / str(number))
        folder = root / "policies/CP.MP.101/2026-02"
        if file:
            (folder / file).unlink()
        else:
            text = (folder / "revision.ttl").read_text(encoding="utf-8")
            assert text.count(DISPOSITION) == 1
            (folder / "revision.ttl").write_text(text.replace(DISPOSITION, ""), encoding="utf-8")
        for name, request in asked.items():
            if raw_rows(root, request) != complete[name]:
                read[name].add(part)
    everything = {name for name, question in QUESTIONS.items() if question.parts == ("all",)}
    assert {name: parts for name, parts in read.items() if name not in everything} == {
        name: set(question.parts) for name, question in QUESTIONS.items() if name not in everything
    }
    # These ask for statements of whatever part, or for advice, which stands in any.
    assert {name for name in everything if len(read[name]) > 1 or "advice, which is no part" in read[name]} == (
        everything - {"said-at-place"}
    )
    assert read["said-at-place"] == {"pol:Definitions"}


def test_questions_read_each_part_but_the_disposition() -> None:
    named = {part for question in QUESTIONS.values() for part in question.parts}
    assert named == {"all", "pol:Criteria", "pol:Definitions", "pol:Codes", "pol:References", "pol:Evidence"}


def framed(
    name: str, given: Mapping[str, str], revision: str | None = None, root: Path = ROOT, **more: Any
) -> RawResult:
    """What is said beside the answer of a question, before it is asked."""
    return resolve(the_kb(root), Inquiry(root, question=name, parameters=given, revision=revision, **more)).frame


NONE = "CP.MP.101/2015-11, CP.MP.101/2022-10, CP.MP.101/2023-02, CP.MP.101/2023-08"
INFERRED = "CP.MP.101/2023-10, CP.MP.101/2023-11, CP.MP.101/2024-04, CP.MP.101/2025-02"


@pytest.mark.parametrize(
    ("name", "revision", "basis", "missing"),
    [
        ("codes", "2019-10", ["not on file: codes of CP.MP.101/2019-10"], "all"),
        ("criteria", "2019-10", [], ""),
        ("criteria", "2023-11", ["inferred from the revision log: criteria of CP.MP.101/2023-11"], ""),
        ("criteria", "2015-11", ["not on file: criteria of CP.MP.101/2015-11"], "all"),
        ("definitions", "2019-10", ["not on file: definitions of CP.MP.101/2019-10"], "all"),
        ("terms-not-defined", "2023-11", ["not on file: definitions of CP.MP.101/2023-11"], "all"),
        ("references-by-kind", "2023-11", ["not on file: references of CP.MP.101/2023-11"], "all"),
        ("uncited-evidence", "2019-10", ["not on file: evidence of CP.MP.101/2019-10"], "all"),
        (
            "criterion-citations",
            "2023-11",
            [
                "not on file: references of CP.MP.101/2023-11",
                "inferred from the revision log: criteria of CP.MP.101/2023-11",
            ],
            "all",
        ),
        (
            "where-cited",
            "2023-11",
            [
                "not on file: codes, definitions, disposition, evidence, references of CP.MP.101/2023-11",
                "inferred from the revision log: criteria of CP.MP.101/2023-11",
            ],
            "all",
        ),
        (
            "criterion-history",
            None,
            [f"not on file: criteria of {NONE}", f"inferred from the revision log: criteria of {INFERRED}"],
            "some",
        ),
        ("changed-criteria", None, [], ""),
        ("revision-history", None, [], ""),
        ("logged-changes", "2019-10", [], ""),
    ],
)
def test_what_is_not_on_file_of_what_a_question_reads_is_said(
    name: str, revision: str | None, basis: list[str], missing: str
) -> None:
    frame = framed(name, {}, revision)
    assert (frame.basis, frame.missing) == (basis, missing)


def test_the_revisions_that_are_compared_are_those_of_which_it_is_said() -> None:
    frame = framed("changed-criteria", {"before": "2015-11", "after": "2024-04"})
    assert frame.basis == [
        "not on file: criteria of CP.MP.101/2015-11",
        "inferred from the revision log: criteria of CP.MP.101/2024-04",
    ]
    assert frame.missing == "some"


@pytest.mark.parametrize("name", [name for name, question in QUESTIONS.items() if question.scope == "revision"])
def test_nothing_is_to_be_said_of_a_revision_that_is_on_file_whole(name: str) -> None:
    frame = framed(name, {}, "2026-02")
    assert (frame.basis, frame.missing) == ([], "")


# ---------------------------------------------------------------------- what is asked for by default, and by name


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("codes", []),
        (
            "where-cited",
            [
                "for reference 9: Donor lymphocyte infusion after allogeneic stem cell transplantation; "
                "--param reference=VALUE for another"
            ],
        ),
        (
            "criterion-tree",
            [
                "for criterion I: after an allogeneic transplant, against a hematologic malignancy or its "
                "relapse; --param criterion=VALUE for another"
            ],
        ),
        (
            "criterion-history",
            [
                "for criterion crit:manipulated-lymphocytes: genetically modified or manipulated lymphocytes; "
                "--param criterion=VALUE for another"
            ],
        ),
        (
            "changed-criteria",
            [
                "for before <CP.MP.101/2019-10>: CP.MP.101, revision 10/19; --param before=VALUE for another",
                "for after <CP.MP.101/2026-02>: CP.MP.101, revision 02/26; --param after=VALUE for another",
            ],
        ),
        ("open-discrepancies", ["for severity major, moderate, minor; --param severity=VALUE for another"]),
        (
            "references-by-age",
            [
                f"for date {date.today()}; --param date=VALUE for another",
                "for years 20; --param years=VALUE for another",
            ],
        ),
        (
            "said-at-place",
            ["for place Background, paragraph 10, sentence 2; --param place=VALUE for another"],
        ),
    ],
)
def test_what_is_asked_for_by_default_is_said(name: str, choices: list[str]) -> None:
    assert framed(name, {}, None if QUESTIONS[name].scope == "all" else "2026-02").choices == choices


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_parameter_that_is_not_given_is_reported(name: str) -> None:
    choices = framed(name, {}, as_of=None).choices
    assert [line.split()[1] for line in choices] == [parameter.name for parameter in QUESTIONS[name].parameters]
    assert all(re.fullmatch(r"for \w+ .+; --(param \w+=VALUE|revision YYYY-MM) for another", line) for line in choices)


NAMED = [
    ("where-cited", "reference", "12", "2026-02", "ref:deol-2010"),
    ("where-cited", "reference", "Reference 12", "2026-02", "ref:deol-2010"),
    ("where-cited", "reference", "deol-2010", "2026-02", "ref:deol-2010"),
    ("criterion-tree", "criterion", "II.B", "2026-02", "crit:acute-gvhd"),
    ("criterion-tree", "criterion", "ii.b", "2026-02", "crit:acute-gvhd"),
    ("criterion-tree", "criterion", "II.B", "2019-10", "crit:manipulated-lymphocytes"),
    ("criterion-tree", "criterion", "II.B", "2024-04", "crit:acute-gvhd"),
    ("criterion-tree", "criterion", "I, note", "2026-02", "crit:chimerism-alone"),
    ("criterion-history", "criterion", "II.C", None, "crit:repeat-infusion"),
    ("evidence-for-disease", "disease", "AML", "2026-02", "clin:AcuteMyeloidLeukemia"),
    ("evidence-for-disease", "disease", "aml", "2026-02", "clin:AcuteMyeloidLeukemia"),
    ("evidence-for-disease", "disease", "Acute Myeloid Leukemia", "2026-02", "clin:AcuteMyeloidLeukemia"),
    ("evidence-for-disease", "disease", "AcuteMyeloidLeukemia", "2026-02", "clin:AcuteMyeloidLeukemia"),
    ("evidence-for-disease", "disease", "C92.0", "2026-02", "clin:AcuteMyeloidLeukemia"),
    ("evidence-for-disease", "disease", "C92.00", "2026-02", "clin:AcuteMyeloidLeukemia"),
    ("evidence-for-disease", "disease", "c92.00", "2026-02", "clin:AcuteMyeloidLeukemia"),
    ("evidence-for-disease", "disease", "C92", "2026-02", "clin:MyeloidLeukemia"),
    ("evidence-for-disease", "disease", "C95.9", "2026-02", "clin:Leukemia"),
    ("icd-10-cm-under-disease", "disease", "D45", "2026-02", "clin:PolycythemiaVera"),
    ("icd-10-cm-under-disease", "disease", "Sezary disease", "2026-02", "clin:SezaryDisease"),
    ("finding-values", "finding", "MRD test", "2026-02", "clin:MRDTest"),
    ("example-cases", "condition", "disease is relapsed", None, "cond:disease-is-relapsed"),
    ("evidence-on-outcome", "outcome", "complication", "2026-02", "clin:Complication"),
    ("logged-changes", "affected", "codes", "2026-02", "pol:Codes"),
    ("logged-changes", "affected", "II.B", "2026-02", "crit:acute-gvhd"),
    ("open-discrepancies", "severity", "Major", "2026-02", "pol:Major"),
    ("discrepancies-concerning", "thing", "38215", "2026-02", "cpt:38215"),
    ("fact-influence", "fact", "transplant", "2026-02", "clin:Transplant"),
    ("changed-criteria", "before", "10/19", None, "<CP.MP.101/2019-10>"),
    ("said-at-place", "place", "ii.b", "2026-02", "II.B"),
    ("said-in-section", "section", "policy/criteria", "2026-02", "Policy/Criteria"),
    ("policies-listing-code", "number", "s2150", None, "S2150"),
    ("policies-listing-code", "number", "cpt:38242", None, "38242"),
    ("terms-without-definition", "namespace", "bibo:", "2026-02", "http://purl.org/ontology/bibo/"),
]


@pytest.mark.parametrize(("name", "parameter", "given", "revision", "meant"), NAMED)
def test_a_parameter_takes_what_an_analyst_knows(
    name: str, parameter: str, given: str, revision: str | None, meant: str
) -> None:
    kb = the_kb(ROOT)
    asked = Inquiry(ROOT, question=name, parameters={parameter: given}, revision=revision)
    (bound,) = values_of(resolve(kb, asked).checked.text, parameter)
    assert readable(kb, bound) == meant


def test_each_kind_of_parameter_is_named_in_the_tests() -> None:
    named = {
        declared.kinds
        for name, parameter, *_ in NAMED
        for declared in QUESTIONS[name].parameters
        if declared.name == parameter
    }
    assert named >= {parameter.kinds for question in QUESTIONS.values() for parameter in question.parameters}


def test_what_a_name_was_read_as_is_said() -> None:
    assert framed("evidence-for-disease", {"disease": "C92.00"}, "2026-02").choices == [
        "for disease clin:AcuteMyeloidLeukemia: acute myeloid leukemia"
    ]
    assert framed("evidence-for-disease", {"disease": "clin:AcuteMyeloidLeukemia"}, "2026-02").choices == []
    assert framed("in-force", {"date": "2026-05"}).choices == ["for date 2026-05-01"]


@pytest.mark.parametrize(
    ("name", "parameter", "given", "revision", "line"),
    [
        (
            "criterion-history",
            "criterion",
            "II.B",
            None,
            f"criterion: 'II.B' names 2 things: crit:acute-gvhd (acute GvHD of grade 2 or higher) in {INFERRED}, "
            "CP.MP.101/2026-02; crit:manipulated-lymphocytes (genetically modified or manipulated lymphocytes) in "
            "CP.MP.101/2019-10; choose one by its IRI",
        ),
        (
            "discrepancies-concerning",
            "thing",
            "mixed chimerism",
            "2026-02",
            "thing: 'mixed chimerism' names 3 things: adv:mixed-chimerism (mixed chimerism); def:mixed-chimerism "
            "(mixed chimerism); clin:MixedChimerism (mixed chimerism); choose one by its IRI",
        ),
        (
            "criterion-tree",
            "criterion",
            "II.C",
            "2026-02",
            "criterion: 'II.C' names no criterion in CP.MP.101/2026-02, but crit:repeat-infusion in CP.MP.101/2019-10; "
            "ask another revision by --revision",
        ),
        (
            "criterion-citations",
            "criterion",
            "II.A",
            "2022-10",
            "criterion: 'II.A' names no criterion in CP.MP.101/2022-10, but crit:manipulated-lymphocytes in "
            f"{INFERRED}, CP.MP.101/2026-02; crit:other-indications in CP.MP.101/2019-10; ask another revision by "
            "--revision (not on file: criteria, references of CP.MP.101/2022-10)",
        ),
        (
            "where-cited",
            "reference",
            "Castagna",
            "2026-02",
            "reference: 'Castagna' names no reference in CP.MP.101/2026-02; did you mean 'castagna-2016'?",
        ),
        (
            "evidence-for-disease",
            "disease",
            "acute myeloid leukaemia",
            "2026-02",
            "disease: 'acute myeloid leukaemia' names no disease in CP.MP.101/2026-02; did you mean 'acute myeloid "
            "leukemia'?",
        ),
        (
            "evidence-for-disease",
            "disease",
            "clin:AcuteMyeliodLeukemia",
            "2026-02",
            "disease: 'clin:AcuteMyeliodLeukemia' names no disease in CP.MP.101/2026-02; did you mean "
            "'clin:AcuteMyeloidLeukemia'?",
        ),
        (
            "evidence-for-disease",
            "disease",
            "M54.5",
            "2026-02",
            f"disease: 'M54.5' names no disease in CP.MP.101/2026-02; {NAMED_BY}",
        ),
        (
            "where-cited",
            "reference",
            "99",
            "2026-02",
            f"reference: '99' names no reference in CP.MP.101/2026-02; {NAMED_BY}",
        ),
    ],
)
def test_a_slip_is_an_error_that_says_what_may_be_meant(
    name: str, parameter: str, given: str, revision: str | None, line: str
) -> None:
    with pytest.raises(QueryError) as raised:
        framed(name, {parameter: given}, revision)
    assert str(raised.value) == line


@pytest.mark.parametrize(
    ("name", "parameter", "given", "choice"),
    [
        (
            "said-at-place",
            "place",
            "II.Z",
            "place: 'II.Z' is no passage in CP.MP.101/2026-02; did you mean 'II.B'?",
        ),
        (
            "said-at-place",
            "place",
            "II.C",
            "place: 'II.C' is a passage in CP.MP.101/2019-10, and not in CP.MP.101/2026-02",
        ),
        (
            "said-in-section",
            "section",
            "Revisions",
            "section: 'Revisions' is no section in CP.MP.101/2026-02; did you mean 'Revision Log'?",
        ),
        ("said-in-section", "section", "Annex", "section: 'Annex' is no section in CP.MP.101/2026-02"),
        ("policies-listing-code", "number", "99999", "number: '99999' is no billing code in all graphs"),
        (
            "criterion-tree",
            "criterion",
            "crit:repeat-infusion",
            "crit:repeat-infusion is of CP.MP.101/2019-10, and not of CP.MP.101/2026-02",
        ),
    ],
)
def test_a_value_that_is_not_there_is_asked_for_and_that_is_said(
    name: str, parameter: str, given: str, choice: str
) -> None:
    revision = None if QUESTIONS[name].scope == "all" else "2026-02"
    assert framed(name, {parameter: given}, revision).choices == [choice]


def test_a_thing_of_the_users_own_data_may_be_named_by_its_iri(tmp_path: Path) -> None:
    given = {"finding": "https://example.org/NewTest"}
    with pytest.raises(QueryError, match=r"names no finding in CP\.MP\.101/2026-02"):
        framed("finding-values", given, "2026-02")
    assert framed("finding-values", given, "2026-02", data=[tmp_path]).choices == []


@pytest.mark.usefixtures("no_policy_preferred")
def test_a_name_that_two_policies_have_is_that_of_the_policy_named(two_policies: Path) -> None:
    with pytest.raises(QueryError) as raised:
        framed("criterion-tree", {"criterion": "Scope"}, root=two_policies, as_of=date(2026, 7, 1))
    assert str(raised.value) == (
        "criterion: 'Scope' names 2 things: crit:service (the request is for donor lymphocyte infusion); "
        "tcrit:service (the request is for donor lymphocyte infusion); choose one by its IRI"
    )
    named = framed("criterion-history", {"criterion": "Scope"}, root=two_policies, policy="TST.7")
    assert named.choices == ["for criterion Scope: the request is for donor lymphocyte infusion"]


# ---------------------------------------------------------------------- drafts


DRAFT = "CP.MP.101/2026-04"
DRAFT_LINE = f"a draft, in force on no date: {DRAFT}"


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the knowledge base with a draft of 2026-04, made from 2026-02 as kb draft start makes one.

    Its row stands in the log already, without an approval.
    """
    root = copied(tmp_path_factory.mktemp("drafted"))
    policy = root / "policies/CP.MP.101"
    draft = policy / "2026-04"
    shutil.copytree(policy / "2026-02", draft, ignore=shutil.ignore_patterns("seal.*"))
    for path in draft.glob("*.ttl"):
        text = path.read_text(encoding="utf-8").replace("CP.MP.101/2026-02", "CP.MP.101/2026-04")
        path.write_text(text, encoding="utf-8")
    head = draft / "revision.ttl"
    text = (
        head.read_text(encoding="utf-8")
        .replace('"2026-02"^^', '"2026-04"^^')
        .replace("revision 02/26", "revision 04/26")
    )
    head.write_text(f'{text}\n<{BASE}{DRAFT}> pol:toDo "A draft."@en .\n', encoding="utf-8")
    log = policy / "revision-log.ttl"
    row = f"""
log:2026-04
    a pol:LogRow ;
    rdfs:label "log row 04/26"@en ;
    pol:order 11 ;
    pol:revisionMonth "2026-04"^^xsd:gYearMonth ;
    pol:revisionAsPrinted "04/26" ;
    pol:records <{BASE}{DRAFT}> ;
    pol:says log:2026-04-1 .

log:2026-04-1
    a pol:LogStatement ;
    rdfs:label "plans"@en ;
    pol:order 1 ;
    pol:changeKind pol:Updated ;
    pol:impactClaim pol:NoImpactOnCriteria ;
    pol:affects crit:plan .
"""
    log.write_text(log.read_text(encoding="utf-8") + row, encoding="utf-8")
    return root


def test_the_draft_of_the_tests_is_one(drafted: Path) -> None:
    entry = the_kb(drafted).policy().entry("2026-04")
    assert (entry.draft, entry.criteria_on_file, entry.bases["Codes"]) == (True, False, "DocumentOnFile")


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_draft_is_named_as_one_wherever_it_is_listed(name: str, drafted: Path) -> None:
    given = ASKED.get(name, {})
    request = requested(name, given, root=drafted)
    before, after = table(requested(name, given)), table(request)
    new = [row for row in after if row not in before]
    found = ask_execute.execute(request)
    listed = f"{BASE}{DRAFT}" in found.labels
    if listed:
        assert found.labels[BASE + DRAFT] == "CP.MP.101, revision 04/26 (draft)"
    # Each row that is new names the draft, or says in words that it is of one.
    assert all(f"<{DRAFT}>" in row or any("draft" in cell for cell in row) for row in new)
    assert [row for row in before if row not in after] == []
    assert same_rows(request) == len(after) - 1
    lists = {*LISTING_DRAFTS, "logged-changes", "no-impact-claims"}
    assert bool(new) == (name in lists)
    assert listed == (name in LISTING_DRAFTS)


LISTING_DRAFTS = {
    "condition-dependencies",
    "criterion-history",
    "log-rows-without-approval",
    "on-file",
    "other-policies",
    "policies-listing-code",
    "revision-history",
}


def test_nothing_of_a_draft_is_on_file_and_it_counts_from_no_day(drafted: Path) -> None:
    def of_draft(name: str) -> list[Row]:
        return [row for row in table(requested(name, {}, root=drafted)) if f"<{DRAFT}>" in row]

    assert of_draft("on-file") == [("<CP.MP.101>", f"<{DRAFT}>", *["draft"] * 6)]
    assert of_draft("revision-history") == [("<CP.MP.101>", f"<{DRAFT}>", "2026-04", "", "", "draft")]
    assert of_draft("policies-listing-code") == [("<CP.MP.101>", f"<{DRAFT}>", "lists it as a draft", "CPT")]
    (row,) = of_draft("log-rows-without-approval")
    assert row[3] == "04/26 (draft)"
    for name in ("logged-changes", "no-impact-claims"):
        assert [row[0] for row in table(requested(name, {}, root=drafted)) if "log:2026-04-1" in row] == [
            "04/26 (draft)"
        ]


def test_a_question_says_which_revision_that_it_reads_is_a_draft(drafted: Path) -> None:
    assert framed("on-file", {}, root=drafted).basis == [DRAFT_LINE]
    assert framed("criterion-history", {}, root=drafted).basis[-1] == DRAFT_LINE
    assert framed("changed-criteria", {"after": "2026-04"}, root=drafted).basis == [DRAFT_LINE]
    assert framed("changed-criteria", {}, root=drafted).basis == []
    assert framed("codes", {}, root=drafted).basis == []
    named = framed("codes", {}, "2026-04", root=drafted)
    assert (named.basis, named.graphs, named.missing) == ([DRAFT_LINE], f"{DRAFT} (draft)", "")
    frame = resolve(the_kb(drafted), Inquiry(drafted, text="ASK {}", union=True)).frame
    assert frame.basis == [DRAFT_LINE]


@pytest.mark.parametrize("day", [date(2026, 4, 1), date(2026, 5, 26), date(2030, 1, 1)], ids=str)
def test_a_draft_is_not_in_force_in_questions_and_commands(day: date, drafted: Path) -> None:
    found = table(requested("in-force", {"date": day.isoformat()}, root=drafted))
    assert found == table(requested("in-force", {"date": day.isoformat()}))
    of_drafted, of_root = (the_kb(root).policy().in_force(day) for root in (drafted, ROOT))
    assert of_drafted.revision.name == of_root.revision.name
    assert of_drafted.notices == of_root.notices
    frame = resolve(the_kb(drafted), Inquiry(drafted, question="codes", as_of=day)).frame
    assert frame.graphs == f"CP.MP.101/{of_root.revision.name}"


def history(root: Path, chance: random.Random) -> None:
    """Writes a policy with a made-up history: months, approvals and drafts by chance."""
    policy = root / "policies/RND.1"
    policy.mkdir(parents=True)
    lines = ["PREFIX pol: <https://w3id.org/policykb/policy#>", "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>"]
    shared = [*lines, f"<{BASE}RND.1> a pol:Policy ."]
    for number in sorted(chance.sample(range(24), chance.randint(1, 5))):
        month = f"{2030 + number // 12}-{number % 12 + 1:02}"
        iri = f"<{BASE}RND.1/{month}>"
        own = [
            *lines,
            f'{iri} a pol:Revision ; pol:revisionOf <{BASE}RND.1> ; pol:revisionMonth "{month}"^^xsd:gYearMonth ;',
            "    pol:partOnFile [ pol:part pol:Criteria ; pol:basis pol:DocumentOnFile ] .",
        ]
        if chance.random() < 0.35:
            own.append(f'{iri} pol:toDo "A draft." .')
        (policy / month).mkdir()
        (policy / month / "revision.ttl").write_text("\n".join(own), encoding="utf-8")
        if chance.random() < 0.7:
            later = number + chance.randint(0, 4)
            approved = f"{2030 + later // 12}-{later % 12 + 1:02}"
            day = chance.choice(["", f"-{chance.randint(1, 28):02}"])
            typed = f'"{approved}{day}"^^xsd:{"date" if day else "gYearMonth"}'
            shared.append(f"<{BASE}RND.1/log/{month}> a pol:LogRow ; pol:order {number} ; pol:records {iri} ;")
            shared.append(f'    pol:revisionAsPrinted "{month}" ; pol:approval {typed} .')
    (policy / "policy.ttl").write_text("\n".join(shared), encoding="utf-8")


@pytest.mark.parametrize("seed", range(8))
def test_questions_and_commands_agree_on_what_is_in_force_with_drafts(seed: int, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "ontology", tmp_path / "ontology")
    history(tmp_path, random.Random(seed))
    kb = Repository(tmp_path)
    policy = kb.policy()
    days = {
        day
        for entry in policy.history
        for first in (entry.month, entry.effective)
        for day in (first - timedelta(1), first)
    }
    for day in sorted(days):
        rows = columns(table(requested("in-force", {"date": day.isoformat()}, root=tmp_path)), "by", "revision", "from")
        by = {row[0]: row[1:] for row in rows}
        begun = [entry for entry in policy.history if not entry.draft and entry.month <= day]
        alone = (f"<RND.1/{begun[-1].name}>", str(begun[-1].month)) if begun else None
        assert by.get("revision month alone") == alone
        try:
            chosen = policy.in_force(day).revision
        except UnknownRevision as error:
            assert "was in force on" in str(error)
            assert "approval, else revision month" not in by
        else:
            assert not chosen.draft
            assert by["approval, else revision month"] == (f"<RND.1/{chosen.name}>", str(chosen.effective))
    # So that the test cannot pass on nothing.
    assert len(days) >= 2


# ---------------------------------------------------------------------- writing the rows anew


def write(names: Sequence[str]) -> None:
    """Writes the rows of these questions, or of all, into tests/data/questions."""
    EXPECTED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        determinations = write_determinations(Path(folder))
        for name in names or QUESTIONS:
            rows = table(requested(name, ASKED.get(name, {}), data_for(name, determinations)))
            lines = ["\t".join(row) + "\n" for row in rows]
            (EXPECTED / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
            print(f"{name}: {len(rows) - 1} rows")


if __name__ == "__main__":
    write(sys.argv[1:])
