"""kb query: what is asked and shown, what is refused, what is ended, and what cannot get out."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pyoxigraph as ox
import pytest
from hostile import DOUBLING, HOSTILE
from rich.console import Console

from kb_tools.ask import confine, dataset, sparql
from kb_tools.ask import execute as ask_execute
from kb_tools.ask import library as ask_library
from kb_tools.ask import sparql as ask_sparql
from kb_tools.ask import worker as ask_worker
from kb_tools.ask.bind import Binder
from kb_tools.ask.library import Parameter, Question
from kb_tools.ask.names import Names
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.resolve import FORMATS, resolve
from kb_tools.ask.sparql import QueryError
from kb_tools.cli import COMMANDS
from kb_tools.commands import query as command
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.render import query_results as results

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data"
BASE = "https://w3id.org/policykb/"
XSD = "http://www.w3.org/2001/XMLSchema#"
CONSOLE_SCRIPT = Path(sys.executable).with_name("kb")
SERVICE_REFUSED = "SERVICE asks another server, and no query may; load the data and use --data"
UPDATE_REFUSED = "updates are refused: the knowledge base is only read; write SELECT, ASK, CONSTRUCT or DESCRIBE"
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

NAMED_BY = "write its number, place, name or code, or its IRI as prefix:name or whole"
DATED_BY = "write YYYY-MM-DD, YYYY-MM for its first day, or today"

RunKb = Callable[..., CompletedProcess[str]]


@pytest.fixture
def ask(run_kb: RunKb) -> RunKb:
    """Runs `kb query -` on SPARQL given as text."""

    def run(text: str, *arguments: str) -> CompletedProcess[str]:
        return run_kb("query", "-", *arguments, stdin=text.encode())

    return run


@pytest.fixture(scope="module")
def two_policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the knowledge base with a second policy, of one revision, 2024-01."""
    root = tmp_path_factory.mktemp("two-policies")
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("cases"))
    shutil.copytree(DATA / "TST.7", root / "policies/TST.7")
    return root


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port on this machine, and who connected to it."""
    connected: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    client, address = server.accept()
                except OSError:
                    return
                connected.append(address)
                client.close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], connected


# ---------------------------------------------------------------------- the list of questions


def test_alone_it_lists_the_questions_with_their_parameters(run_kb: RunKb) -> None:
    done = run_kb("query")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].split() == ["name", "question", "parameters"]
    assert lines[-1] == "kb query NAME --param PARAMETER=VALUE"
    assert {line.split()[0] for line in lines if line.strip()} >= {
        question.name for question in ask_library.questions()
    }
    assert all(len(line) <= 100 for line in lines)


def test_the_list_comes_as_json_and_markdown_too(run_kb: RunKb) -> None:
    listed = json.loads(run_kb("query", "--format", "json").stdout)
    names = [question["name"] for question in listed]
    assert names == sorted(names) == [question.name for question in ask_library.questions()]
    assert len(names) >= 25
    assert listed[names.index("criteria")] == {
        "name": "criteria",
        "question": "What are the criteria of a revision, with their places and roles?",
        "topic": "Criteria and conditions",
        "scope": "revision",
        "parts": ["pol:Criteria"],
        "parameters": [
            {"name": "revision", "type": "revision", "kinds": [], "default": None, "meaning": "the revision"}
        ],
    }
    row = "| criteria | What are the criteria of a revision, with their places and roles? | revision |"
    assert row in run_kb("query", "--format", "markdown").stdout.splitlines()
    done = run_kb("query", "--format", "csv")
    assert done.returncode == 2
    assert "The list of questions comes as table, markdown or json." in done.stderr


def test_a_question_file_is_read_by_its_comment_lines(tmp_path: Path) -> None:
    path = tmp_path / "ages.rq"
    path.write_text(
        "# Which are old,\n# and how old?\n# Scope: all\n# Param: date date = today: the day\n"
        "# Parts: pol:Codes pol:References\n# Param: years integer: how many\n"
        "# Param: code iri of pol:Code pol:Term = pol:x: which: any\nSELECT * { VALUES ?years { 5 } }\n",
        encoding="utf-8",
    )
    assert ask_library.read_question(path) == Question(
        "ages",
        "Which are old, and how old?",
        "all",
        (
            Parameter("date", "date", "today", "the day"),
            Parameter("years", "integer", "", "how many"),
            Parameter("code", "iri", "pol:x", "which: any", ("pol:Code", "pol:Term")),
        ),
        path.read_text(encoding="utf-8"),
        ("pol:Codes", "pol:References"),
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("criterai", "kb: no question criterai; did you mean criteria?\n"),
        ("zzz", "kb: no question zzz; kb query lists them; a file is named with its .rq\n"),
        ("mine.txt", "kb: no question mine.txt; kb query lists them; a file is named with its .rq\n"),
        ("..", "kb: no question ..; kb query lists them; a file is named with its .rq\n"),
    ],
)
def test_an_unknown_question_is_an_error_that_names_one_like_it(run_kb: RunKb, name: str, message: str) -> None:
    done = run_kb("query", name)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


# ---------------------------------------------------------------------- parameters


def bound(kb: Repository, type_: str, value: str, default: str = "") -> str:
    """What a parameter of that type is bound to."""
    question = Question("q", "Q?", "all", (Parameter("p", type_, default, "so and so"),), "VALUES ?p { 1 } ?x ?y 2")
    given = {} if value == "-" else {"p": value}
    text = Binder(Names(kb, None, "all graphs"), dataset.policies(kb)).bind(question, given).text
    assert text.endswith(" } ?x ?y 2")
    return text.removeprefix("VALUES ?p { ").removesuffix(" } ?x ?y 2")


@pytest.mark.parametrize(
    ("type_", "value", "term"),
    [
        ("iri", "crit:acute-gvhd", f"<{BASE}CP.MP.101/criterion/acute-gvhd>"),
        ("iri", "https://example.org/x", "<https://example.org/x>"),
        ("iri", "<urn:x:y>", "<urn:x:y>"),
        ("iri", "<CP.MP.101/2026-02>", f"<{BASE}CP.MP.101/2026-02>"),
        ("revision", "2019-10", f"<{BASE}CP.MP.101/2019-10>"),
        ("revision", "CP.MP.101/2019-10", f"<{BASE}CP.MP.101/2019-10>"),
        ("policy", "CP.MP.101", f"<{BASE}CP.MP.101>"),
        ("revision", "02/26", f"<{BASE}CP.MP.101/2026-02>"),
        ("revision", "CP.MP.101, revision 10/19", f"<{BASE}CP.MP.101/2019-10>"),
        ("date", "2026-03-01", f'"2026-03-01"^^<{XSD}date>'),
        ("date", "2026-03", f'"2026-03-01"^^<{XSD}date>'),
        ("namespace", "pol:", f'"{BASE}policy#"'),
        ("namespace", "pol", f'"{BASE}policy#"'),
        ("namespace", "https://x/", '"https://x/"'),
        ("integer", "-5", f'"-5"^^<{XSD}integer>'),
        ("text", 'a "quoted" } text', r'"a \"quoted\" } text"'),
        ("text", "", '""'),
        ("text", "-", "1"),
    ],
)
def test_a_parameter_is_bound_to_the_term_of_its_type(kb: Repository, type_: str, value: str, term: str) -> None:
    assert bound(kb, type_, value) == term


def test_a_parameter_that_is_not_given_has_its_default(kb: Repository) -> None:
    assert bound(kb, "integer", "-", default="7") == f'"7"^^<{XSD}integer>'
    assert bound(kb, "date", "-", default="today") == f'"{date.today()}"^^<{XSD}date>'
    assert bound(kb, "integer", "8", default="7") == f'"8"^^<{XSD}integer>'


@pytest.mark.parametrize(
    ("type_", "value", "message"),
    [
        ("iri", "wholly unheard of", f"p: 'wholly unheard of' names nothing in all graphs; {NAMED_BY}"),
        ("iri", "nope:x", f"p: 'nope:x' names nothing in all graphs; {NAMED_BY}"),
        ("iri", "http://a b", f"p: 'http://a b' names nothing in all graphs; {NAMED_BY}"),
        ("iri", "crit:a> } ?x", "p: 'crit:a> } ?x' names nothing in all graphs; did you mean 'criteria'?"),
        ("iri", "", f"p: '' names nothing in all graphs; {NAMED_BY}"),
        ("iri", "\udcff", f"p: '\\udcff' names nothing in all graphs; {NAMED_BY}"),
        ("date", "2026-02-30", f"p: '2026-02-30' is no date; {DATED_BY}"),
        ("date", "", f"p: '' is no date; {DATED_BY}"),
        ("date", "02/2026", f"p: '02/2026' is no date; {DATED_BY}"),
        ("integer", "five", "p: 'five' is no integer; write a whole number"),
        ("text", "\udcff", "p: '\\udcff' is no text; write it in UTF-8"),
        ("revision", "13/26", f"p: '13/26' names no revision in the knowledge base; {NAMED_BY}"),
    ],
)
def test_a_value_that_is_not_of_the_type_is_an_error(kb: Repository, type_: str, value: str, message: str) -> None:
    with pytest.raises(QueryError) as error:
        bound(kb, type_, value)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["criteria", "--param", "revison=2019-10"],
            "kb: question criteria has no parameter revison; did you mean revision?",
        ),
        (["in-force", "--param", "day=2026-01-01"], "kb: question in-force has no parameter day; it has: date"),
        (["criteria", "--param", "revision=2018-01"], "kb: CP.MP.101 has no revision 2018-01; known: 2015-11, 2019-10"),
        (
            ["criteria", "--param", "revision=2019-10", "--revision", "2019-10"],
            "kb: the revision is named twice; use --revision or --param revision=, not both",
        ),
        (
            ["in-force", "--as-of", "2020-01-01"],
            "kb: question in-force reads all revisions; leave out --revision and --as-of",
        ),
        (["criteria", "--param", "revision"], "Error: Invalid value for '--param': 'revision' is not NAME=VALUE"),
        (["criteria", "--param", "=x"], "Error: Invalid value for '--param': '=x' is not NAME=VALUE"),
        (["criteria", *["--param", "a=1"] * 2], "Error: Invalid value for '--param': a is given twice"),
        (
            ["mine.rq", "--param", "a=1"],
            "Error: --param is for ready questions: a query of your own has its values in it.",
        ),
    ],
)
def test_a_parameter_that_does_not_fit_is_an_error(run_kb: RunKb, arguments: list[str], message: str) -> None:
    done = run_kb("query", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------------- which revision


def criteria(root: Path = ROOT, **asked: Any) -> RawResult:
    """What the question about criteria finds, asked in this process."""
    kb = Repository(root)
    return ask_execute.execute(resolve(kb, Inquiry(root, question="criteria", **asked)))


def query_rows(root: Path, text: str, policy: str | None = None) -> list[list[str]]:
    """The rows that a query finds in the default graph, in this process."""
    found = ask_execute.execute(resolve(Repository(root), Inquiry(root, text, policy=policy)))
    return [[term.value for term in row] for row in found.rows]  # type: ignore[union-attr]


def in_this_process(text: str) -> RawResult:
    """What a query finds in all graphs, without the limits that the process of the command sets."""
    return ask_execute.execute(resolve(Repository(ROOT), Inquiry(ROOT, text, union=True)))


def column(found: RawResult, name: str) -> list[str]:
    """The values of one variable."""
    return [row[found.variables.index(name)].value for row in found.rows]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("asked", "graphs", "place", "not_place"),
    [
        ({"as_of": date(2026, 7, 1)}, "CP.MP.101/2026-02", "Medicare note", "II.C"),
        ({"revision": "2019-10"}, "CP.MP.101/2019-10", "II.C", "Medicare note"),
        ({"parameters": {"revision": "2019-10"}}, "CP.MP.101/2019-10", "II.C", "Medicare note"),
        ({"revision": "CP.MP.101/2023-10"}, "CP.MP.101/2023-10", "II.A", "Medicare note"),
        ({"as_of": date(2023, 10, 31)}, "CP.MP.101/2023-10", "II.A", "II.C"),
        ({"as_of": date(2024, 1, 1)}, "CP.MP.101/2023-11", "Medicare note", "II.C"),
        ({"revision": "2022-10"}, "CP.MP.101/2022-10", None, "I"),
    ],
    ids=str,
)
def test_the_default_graph_and_the_parameter_are_of_the_revision_asked_for(
    asked: dict[str, Any], graphs: str, place: str | None, not_place: str
) -> None:
    found = criteria(**asked)
    assert (found.graphs, found.notes) == (graphs, [])
    places = column(found, "place")
    assert (place in places) == bool(places)
    assert not_place not in places


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--as-of", "2010-01-01"],
            "no revision of CP.MP.101 was in force on 2010-01-01; the first known is 2015-11, ",
        ),
        (["--as-of", "2023-09-01"], "the criteria of CP.MP.101 revision 2023-08 are not on file; nearest on file: "),
        (["--revision", "2026-99"], "CP.MP.101 has no revision 2026-99; known: 2015-11, "),
        (["--revision", "XY.1/2026-02"], "no policy XY.1 on file; known: CG-TRANS-03, CP.MP.101"),
        (["--policy", "XY.1"], "no policy XY.1 on file; known: CG-TRANS-03, CP.MP.101"),
        (
            ["--policy", "XY.1", "--revision", "CP.MP.101/2026-02"],
            "revision CP.MP.101/2026-02 is not of XY.1; name one",
        ),
    ],
)
def test_a_revision_that_cannot_be_had_is_an_error(run_kb: RunKb, arguments: list[str], message: str) -> None:
    done = run_kb("query", "criteria", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"kb: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "pair",
    [
        ["--revision", "2026-02", "--all"],
        ["--as-of", "2026-01-01", "--all"],
        ["--revision", "2026-02", "--as-of", "2026-01-01"],
    ],
)
def test_one_way_to_choose_the_graphs_at_a_time(run_kb: RunKb, pair: list[str]) -> None:
    done = run_kb("query", "criteria", *pair)
    assert done.returncode == 2
    assert "--revision, --as-of and --all exclude each other." in done.stderr


@pytest.mark.usefixtures("no_policy_preferred")
def test_of_several_policies_each_has_its_revision_in_the_default_graph(two_policies: Path) -> None:
    found = criteria(two_policies, as_of=date(2026, 7, 1))
    assert found.graphs == "CG-TRANS-03/2024-10, CP.MP.101/2026-02, TST.7/2024-01"
    policies = {iri.removeprefix(BASE).split("/")[0] for iri in column(found, "criterion")}
    assert policies == {"CG-TRANS-03", "CP.MP.101", "TST.7"}
    one = criteria(two_policies, as_of=date(2026, 7, 1), policy="TST.7")
    assert one.graphs == "TST.7/2024-01"
    assert {iri.removeprefix(BASE).split("/")[0] for iri in column(one, "criterion")} == {"TST.7"}
    assert criteria(two_policies, revision="TST.7/2024-01").rows == one.rows


@pytest.mark.usefixtures("no_policy_preferred")
def test_a_policy_without_a_revision_in_force_is_left_out_and_named(two_policies: Path) -> None:
    found = criteria(two_policies, as_of=date(2020, 1, 1))
    assert found.graphs == "CP.MP.101/2019-10"
    first, note = found.notes
    assert first == (
        "CG-TRANS-03 is skipped: no revision of CG-TRANS-03 was in force on 2020-01-01; the first known is 2024-10, "
        "from 2024-10-01"
    )
    assert note.startswith(
        "TST.7 is skipped: no revision of TST.7 was in force on 2020-01-01; the first known is 2024-01"
    )


@pytest.mark.usefixtures("no_policy_preferred")
def test_a_revision_that_one_of_several_policies_has_is_of_that(two_policies: Path) -> None:
    assert criteria(two_policies, revision="2026-02").graphs == "CP.MP.101/2026-02"
    with pytest.raises(KbError, match=r"^no policy on file has revision 2020-01; kb show lists the policies"):
        criteria(two_policies, revision="2020-01")


def test_of_a_policy_that_is_named_no_other_is_read(two_policies: Path) -> None:
    asked = "SELECT ?row { ?row a pol:LogRow } ORDER BY ?row"
    rows = query_rows(two_policies, asked, policy="CG-TRANS-03")
    assert rows == [[f"{BASE}CG-TRANS-03/log/2024-10"]]
    # By the environment too.
    assert all("/CP.MP.101/" in row[0] for row in query_rows(two_policies, asked))


def test_with_all_a_criterion_shows_every_revision(ask: RunKb) -> None:
    text = "SELECT ?place { crit:manipulated-lymphocytes skos:notation ?place } ORDER BY ?place"
    for arguments, places in (
        (["--revision", "2026-02"], ["II.A"]),
        (["--revision", "2019-10"], ["II.B"]),
        (["--revision", "2024-04"], ["II.A"]),
        (["--all"], ["II.A", "II.B"]),
    ):
        assert ask(text, *arguments, "--format", "csv").stdout.split() == ["place", *places]


# ---------------------------------------------------------------------- what an answer is


def test_a_part_that_is_not_on_file_is_said_instead_of_no_rows(run_kb: RunKb) -> None:
    done = run_kb("query", "codes", "--revision", "2019-10")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Which billing codes does a revision list, of which code system?\n"
        "not on file: codes of CP.MP.101/2019-10\n"
        "nothing can be said from CP.MP.101/2019-10\n"
    )
    marked = run_kb("query", "codes", "--revision", "2019-10", "--format", "markdown")
    assert marked.stdout == (
        "**Which billing codes does a revision list, of which code system?**\n\n"
        "not on file: codes of CP.MP.101/2019-10\n\n"
        "nothing can be said from CP.MP.101/2019-10\n"
    )


def test_a_part_that_is_on_file_and_has_nothing_to_show_is_no_rows(run_kb: RunKb) -> None:
    done = run_kb(
        "query", "references-by-age", "--revision", "2026-02", "--param", "years=90", "--param", "date=2026-05-26"
    )
    assert done.stdout.splitlines()[-1] == "no rows from CP.MP.101/2026-02"


def test_where_some_revisions_are_on_file_no_rows_are_of_those(run_kb: RunKb) -> None:
    done = run_kb("query", "changed-criteria", "--param", "before=2023-11", "--param", "after=2025-02")
    assert done.stdout.splitlines()[-1] == "no rows from all graphs"
    done = run_kb("query", "shared-conditions", "--param", "revisions=99")
    assert done.stdout.splitlines()[-1] == "no rows from what is on file"


def test_what_is_inferred_is_said_where_there_are_rows_too(run_kb: RunKb) -> None:
    line = "inferred from the revision log: criteria of CP.MP.101/2023-11"
    lines = run_kb("query", "criteria", "--revision", "2023-11").stdout.splitlines()
    assert lines[-2:] == [line, "7 rows from CP.MP.101/2023-11"]
    lines = run_kb("query", "criteria", "--revision", "2023-11", "--format", "markdown").stdout.splitlines()
    assert lines[-4:] == ["", line, "", "7 rows from CP.MP.101/2023-11"][-4:]


def test_what_is_to_be_said_stands_in_json_and_goes_to_stderr_with_csv(run_kb: RunKb) -> None:
    asked = ("query", "criterion-citations", "--revision", "2023-11", "--param", "criterion=II.B")
    notes = [
        "for criterion II.B: acute GvHD of grade 2 or higher",
        "not on file: references of CP.MP.101/2023-11",
        "inferred from the revision log: criteria of CP.MP.101/2023-11",
    ]
    done = run_kb(*asked, "--format", "json")
    found = json.loads(done.stdout)
    assert (list(found), found["notes"], done.stderr) == (["head", "notes", "results"], notes, "")
    # Readers of the format take it.
    read = ox.parse_query_results(done.stdout.encode(), format=ox.QueryResultsFormat.JSON)
    assert isinstance(read, ox.QuerySolutions)
    assert len(list(read)) == len(found["results"]["bindings"]) == 0
    for format_ in ("csv", "tsv"):
        done = run_kb(*asked, "--format", format_)
        assert done.stderr == "".join(f"kb: {line}\n" for line in notes)
        assert "file" not in done.stdout
    assert "notes" not in json.loads(run_kb("query", "codes", "--revision", "2026-02", "--format", "json").stdout)


def test_a_default_of_a_parameter_is_printed_and_one_that_was_chosen_is_not(run_kb: RunKb) -> None:
    done = run_kb("query", "where-cited", "--revision", "2026-02")
    line = (
        "for reference 9: Donor lymphocyte infusion after allogeneic stem cell transplantation; --param "
        "reference=VALUE for another"
    )
    assert done.stdout.splitlines()[1] == line
    chosen = run_kb("query", "where-cited", "--revision", "2026-02", "--param", "reference=ref:castagna-2016")
    assert chosen.stdout == done.stdout.replace(f"{line}\n", "")
    today = run_kb("query", "codes").stdout.splitlines()[1]
    assert re.fullmatch(
        r"for revision CP\.MP\.101/\d{4}-\d\d, assumed in force today; --revision YYYY-MM for another", today
    )


def test_a_slip_in_a_name_is_one_line(run_kb: RunKb) -> None:
    done = run_kb("query", "evidence-for-disease", "--revision", "2026-02", "--param", "disease=leukemai")
    message = "kb: disease: 'leukemai' names no disease in CP.MP.101/2026-02; did you mean 'leukemia'?\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_a_revision_goes_by_what_its_document_prints(run_kb: RunKb) -> None:
    for revision in ("02/26", "CP.MP.101, revision 02/26"):
        done = run_kb("query", "codes", "--revision", revision)
        assert done.stdout.splitlines()[-1] == "4 rows from CP.MP.101/2026-02"


# ---------------------------------------------------------------------- queries of one's own


def test_every_prefix_of_the_table_is_declared_and_relative_iris_stand_under_the_base(
    ask: RunKb, kb: Repository
) -> None:
    names = " ".join(f"(STR({prefix}:x) AS ?{prefix})" for prefix in sorted(kb.prefixes))
    done = ask(f"SELECT (STR(<CP.MP.101/2026-02>) AS ?base) {names} {{}}", "--format", "json")
    (row,) = json.loads(done.stdout)["results"]["bindings"]
    assert row.pop("base")["value"] == f"{BASE}CP.MP.101/2026-02"
    assert {prefix: term["value"] for prefix, term in row.items()} == {p: f"{n}x" for p, n in kb.prefixes.items()}
    assert len(row) == len(kb.prefixes) > 20


def test_a_prefix_of_the_query_goes_before_that_of_the_table() -> None:
    checked = sparql.check("PREFIX pol: <http://other/#> SELECT * { ?x pol:x pol:a.b.c }", {"pol": BASE})
    assert checked.iris == ["http://other/#a.b.c", "http://other/#x"]


def test_a_query_comes_from_a_file_or_from_standard_input(run_kb: RunKb, tmp_path: Path) -> None:
    text = "SELECT ?x { VALUES ?x { 1 2 } }"
    (tmp_path / "mine.rq").write_text("\ufeff" + text.replace(" ", "\r\n"), encoding="utf-8")
    (tmp_path / "folder").mkdir()
    shutil.copy(tmp_path / "mine.rq", tmp_path / "folder/mine")
    for argument in ("mine.rq", str(tmp_path / "mine.rq"), "folder/mine"):
        assert run_kb("query", argument, "--format", "csv").stdout == "x\r\n1\r\n2\r\n", argument
    assert run_kb("query", "-", "--format", "csv", stdin=text.encode()).stdout == "x\r\n1\r\n2\r\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "mine.rq: No such file or directory; check the path and its permissions"),
        (bytes(range(256)), "mine.rq: not a text in UTF-8; save it as UTF-8"),
        (b"#" * 10_000_000, "mine.rq: a query of more than 200000 characters; shorten it"),
        (b"#" * 200_001, "a query of 200001 characters; keep it under 200000"),
        (b"\x00\x01", "line 1: not a SPARQL query, near '\\x00\\x01'; correct the syntax"),
        (b"", "line 1: not a SPARQL query, it ends too early; correct the syntax"),
    ],
    ids=["missing", "binary", "10 MB", "long", "zero", "empty"],
)
def test_a_file_that_holds_no_query_is_an_error(
    run_kb: RunKb, tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "mine.rq").write_bytes(content)
    started = time.monotonic()
    done = run_kb("query", "mine.rq")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"kb: {message}\n")
    assert time.monotonic() - started < 5


def test_a_folder_is_no_query(run_kb: RunKb) -> None:
    done = run_kb("query", "./")
    assert (done.returncode, done.stderr) == (2, "kb: ./: Is a directory; check the path and its permissions\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT * {\n ?s ?p }", "line 2: not a SPARQL query, near '?s ?p }'; correct the syntax"),
        (
            "SELECT * {\r\n ?s ?p ?o .\r\n FILTER(?o = ) }",
            "line 3: not a SPARQL query, near 'FILTER(?o = ) }'; correct",
        ),
        ("SELECT * {\r ?s ?p ?o .\r FILTER(?o = ) }", "line 3: not a SPARQL query, near 'FILTER(?o = ) }'; correct"),
        ("# why\n# and how\nSELECT * { ?s ?p ?o }\n}", "line 4: not a SPARQL query, near '}'; correct the syntax"),
        ("SELECT ?x WHERE {\n?x ?y ?z", "line 2: not a SPARQL query, it ends too early; correct the syntax"),
        ("SELEC * {}", "line 1: not a SPARQL query, near 'SELEC * {}'; correct the syntax"),
        ("SELECT * {\n ?s foo:bar ?o }", "line 2: prefix foo: is not declared; declare it with PREFIX"),
        ("SELECT * { ?s :bar ?o }", "line 1: prefix : is not declared; declare it with PREFIX"),
        (
            'SELECT * {\n\n?s ?p "\\u12\\u00e9\\U0041" }',
            "line 3: not a SPARQL query, near '\\\\U0041\" }'; write \\u with",
        ),
        ('SELECT * { ?s ?p "\\uD800" }', "not a SPARQL query: an escape stands for no character; correct it"),
        ('SELECT * { ?s ?p "\\U00110000" }', "not a SPARQL query: an escape stands for no character; correct it"),
        (
            "SELECT ?x (COUNT(?x) AS ?n) { ?x ?y ?z }",
            "line 1: not a query that can be run: The SELECT contains a variable that is unbound; correct it",
        ),
        (
            "SELECT * { BIND (1 AS ?x) BIND (2 AS ?x) }",
            "line 1: not a query that can be run: a variable is bound twice, or selected beside an aggregate without",
        ),
        (
            "SELECT * { BIND (<http://x/f>(1) AS ?x) }",
            "the query failed: The custom function <http://x/f> is not supported",
        ),
    ],
)
def test_a_query_that_is_wrong_is_an_error_that_names_the_line(text: str, message: str) -> None:
    with pytest.raises(QueryError) as error:
        ask_worker.run(Inquiry(ROOT, text, union=True), timeout=30)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        r"""SELECT ?x { VALUES ?x { "a\'b" 'a\"b' "it's" 'say "x"' '''"''' '''a''b''' } }""",
        "SELECT * { ex:a.b.c ?p <http://x/#y> ; ex:1.2.3 ex:d\\#e . _:b.c.d ?q ?r } # end",
        "SELECT*{?s a ex:x;ex:y ?z.FILTER(?z<5&&?z>3)}",
        "SELECT (SUM(?x) / COUNT(?x) AS ?m) (xsd:string(?y) AS ?t) { ?s ex:v ?x } GROUP BY ?y HAVING (COUNT(*) > 1)",
        "SELECT * { ?a ex:b/(ex:c|^ex:d)?/!(ex:e|^ex:f)* [ ex:g ( 1 'x'@en ) ] MINUS { ?a ex:h true } }",
        "CONSTRUCT WHERE { ?s ?p ?o }",
        "DESCRIBE ex:a <x>",
        "ASK {}",
        "SELECT ?été { ?été ex:prénom 'é\\u00e9\\U000000e9' }",
    ],
)
def test_sparql_that_is_right_is_run(text: str) -> None:
    prefixes = {"ex": "http://e/", "xsd": XSD}
    checked = sparql.check(text, prefixes)
    ox.Store().query(checked.text, prefixes=prefixes, base_iri=BASE)


def test_names_with_two_dots_and_quotation_marks_mean_what_they_say(ask: RunKb) -> None:
    # Oxigraph alone reads kb:CP.MP and then .101, and rdflib alone knows no \' in double quotation marks.
    text = """PREFIX kb: <https://w3id.org/policykb/> SELECT ?title ?x
    { kb:CP.MP.101 dcterms:title ?title BIND ("a\\'b" AS ?x) } # 'and' "so" on"""
    assert ask(text, "--format", "csv").stdout == "title,x\r\nDonor Lymphocyte Infusion,a'b\r\n"


def test_terms_that_stand_nowhere_are_named_when_nothing_is_found(ask: RunKb) -> None:
    done = ask('SELECT * { ?x a pol:Criterium ; pol:order "1"^^xsd:integer FILTER (xsd:string(?x) != "") }')
    assert (done.returncode, done.stderr) == (0, "kb: pol:Criterium appears in no statement here\n")
    assert done.stdout.startswith("no rows from CP.MP.101/")
    assert ask("ASK { ?x a pol:Policy }").stderr == ""


# ---------------------------------------------------------------------- forms of answer

TERMS = """SELECT ?x ?y { VALUES (?x ?y) {
    (pol:Policy "a, \\"b\\"") (<http://e/x> "l1\\nl2"@en) (1 2.50) (true UNDEF) ("2026-02-01"^^xsd:date "") } }"""


def test_csv_is_that_of_the_w3c(ask: RunKb) -> None:
    shown = ask(TERMS, "--format", "csv").stdout
    assert shown == (
        f'x,y\r\n{BASE}policy#Policy,"a, ""b"""\r\nhttp://e/x,"l1\nl2"\r\n1,2.5\r\ntrue,\r\n2026-02-01,\r\n'
    )
    assert list(csv.reader(io.StringIO(shown, newline="")))[1] == [f"{BASE}policy#Policy", 'a, "b"']


def test_tsv_is_that_of_the_w3c(ask: RunKb) -> None:
    assert ask(TERMS, "--format", "tsv").stdout.splitlines() == [
        "?x\t?y",
        f'<{BASE}policy#Policy>\t"a, \\"b\\""',
        '<http://e/x>\t"l1\\nl2"@en',
        "1\t2.5",
        "true\t",
        f'"2026-02-01"^^<{XSD}date>\t""',
    ]


def test_json_is_that_of_the_w3c(ask: RunKb) -> None:
    found = json.loads(ask(TERMS, "--format", "json").stdout)
    assert found["head"] == {"vars": ["x", "y"]}
    assert found["results"]["bindings"] == [
        {
            "x": {"type": "uri", "value": f"{BASE}policy#Policy"},
            "y": {"type": "literal", "value": 'a, "b"'},
        },
        {
            "x": {"type": "uri", "value": "http://e/x"},
            "y": {"type": "literal", "value": "l1\nl2", "xml:lang": "en"},
        },
        {
            "x": {"type": "literal", "value": "1", "datatype": f"{XSD}integer"},
            "y": {"type": "literal", "value": "2.5", "datatype": f"{XSD}decimal"},
        },
        {"x": {"type": "literal", "value": "true", "datatype": f"{XSD}boolean"}},
        {
            "x": {"type": "literal", "value": "2026-02-01", "datatype": f"{XSD}date"},
            "y": {"type": "literal", "value": ""},
        },
    ]


def test_a_blank_node_is_one_in_each_format() -> None:
    result = RawResult(variables=["x", "y"], rows=[[ox.BlankNode("a"), ox.BlankNode("a")]])
    term = {"type": "bnode", "value": "a"}
    assert json.loads(results.json(result))["results"]["bindings"] == [{"x": term, "y": term}]
    for format_ in ("csv", "tsv"):
        shown = results.separated(result, format_).decode().split()
        assert re.fullmatch(r"(_:\w+)[,\t]\1", shown[-1] if format_ == "csv" else "\t".join(shown[-2:])), shown


def table(result: RawResult, width: int = 100) -> str:
    """The result as a terminal of that width shows it, without the blanks at the ends of lines."""
    out = io.StringIO()
    results.text(Console(file=out, width=width, color_system=None), result)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_a_table_shows_short_names_with_labels() -> None:
    iri = ox.NamedNode
    result = RawResult(
        variables=["x", "label"],
        rows=[
            [iri(BASE + "policy#Policy"), None],
            [iri(BASE + "CP.MP.101/criterion/plan"), ox.Literal("the plan")],
            [iri(BASE + "CP.MP.101/2026-02"), ox.Literal("5", datatype=iri(XSD + "integer"))],
            [iri("http://e/a%20b"), ox.Literal("\x1b[31mred\ttext")],
            [iri(BASE + "policy#a/b"), ox.BlankNode("n")],
        ],
        labels={BASE + "policy#Policy": "policy", BASE + "CP.MP.101/criterion/plan": "the plan"},
        prefixes={"pol": BASE + "policy#", "crit": BASE + "CP.MP.101/criterion/"},
        graphs="CP.MP.101/2026-02",
        title="What is what?",
    )
    lines = table(result).splitlines()
    assert lines[0] == "What is what?"
    assert lines[-1] == "5 rows from CP.MP.101/2026-02"
    assert [line.split("  ") for line in (re.sub(r" {2,}", "  ", line) for line in lines[1:-1])] == [
        ["x", "label"],
        ["pol:Policy", "policy"],
        ["crit:plan", "the plan"],
        ["<CP.MP.101/2026-02>", "5"],
        ["<http://e/a%20b>", "\ufffd[31mred text"],
        [f"<{BASE}policy#a/b>", "_:n"],
    ]


def test_a_table_fits_the_terminal_and_keeps_names_whole() -> None:
    words = "a sentence that goes on and on, and then some, until it is far too long for one line of any table at all"
    result = RawResult(
        variables=["name", "text", "more"],
        rows=[[ox.Literal("crit:manipulated-lymphocytes"), ox.Literal(words), ox.Literal("Größe ≥ 5 " + words)]] * 2,
        graphs="g",
    )
    for width in (80, 100, 140):
        lines = table(result, width).splitlines()
        assert max(map(len, lines)) <= width
        assert sum("crit:manipulated-lymphocytes" in line for line in lines) == 2
        assert "" in lines, "rows of several lines are kept apart"
    assert max(map(len, table(result, 20).splitlines())) <= 20


def test_a_plain_table_in_a_pipe(run_kb: RunKb) -> None:
    done = run_kb("query", "log-rows-without-approval")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert all(len(line) <= 100 and line == line.rstrip() for line in done.stdout.splitlines())
    assert done.stdout.splitlines()[-1].startswith("1 row from ")


def test_markdown_is_a_pipe_table(ask: RunKb) -> None:
    done = ask('SELECT ?x ?y { VALUES (?x ?y) { ("a|b" "*c*\\n<d>") (pol:Policy UNDEF) } }', "--format", "markdown")
    assert done.stdout.splitlines()[:5] == [
        "| x | y |",
        "| --- | --- |",
        r"| a\|b | \*c\*<br>\<d> |",
        "| pol:Policy  policy |  |",
        "",
    ]
    assert re.fullmatch(r"2 rows from CP\.MP\.101/\S+", done.stdout.splitlines()[-1])


def test_a_construct_query_gives_canonical_turtle(ask: RunKb) -> None:
    texts = [
        "CONSTRUCT { ?c pol:at [ rdfs:label ?n ] } WHERE { VALUES (?c ?n) { (crit:a 'x') (crit:b 'y') } }",
        "CONSTRUCT { ?c pol:at _:b . _:b rdfs:label ?n } WHERE { VALUES (?n ?c) { ('y' crit:b) ('x' crit:a) } }",
    ]
    shown = [ask(text).stdout for text in texts]
    assert shown[0] == shown[1]
    store = ox.Store()
    store.load(shown[0].encode(), format=ox.RdfFormat.TURTLE)
    assert len(store) == 4
    assert "crit:a pol:at _:" in shown[0]


def test_describe_gives_what_the_default_graph_says(ask: RunKb) -> None:
    done = ask("DESCRIBE crit:acute-gvhd", "--revision", "2026-02", "--format", "turtle")
    assert done.returncode == 0
    assert 'skos:notation "II.B"' in done.stdout
    assert done.stdout.startswith("@prefix adv: <")


@pytest.mark.parametrize(
    ("text", "arguments", "code", "shown"),
    [
        ("ASK { ?x a pol:Policy }", [], 0, "yes, from CP.MP.101/2026-02\n"),
        ("ASK { ?x a pol:Policy }", ["--format", "json"], 0, '{\n  "head": {},\n  "boolean": true\n}\n'),
        ("ASK { ?x pol:order -1 }", [], 1, "no, from CP.MP.101/2026-02\n"),
        ("ASK { ?x pol:order -1 }", ["--format", "json"], 1, '{\n  "head": {},\n  "boolean": false\n}\n'),
        ("ASK { ?x pol:order -1 }", ["--format", "markdown"], 1, "no, from CP.MP.101/2026-02\n"),
    ],
)
def test_an_ask_query_is_answered_in_words_and_by_the_exit_code(
    ask: RunKb, text: str, arguments: list[str], code: int, shown: str
) -> None:
    done = ask(text, "--revision", "2026-02", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (code, shown, "")


@pytest.mark.parametrize(
    ("form", "format_", "use"),
    [
        ("SELECT", "turtle", "table or csv or tsv or json or markdown"),
        ("ASK", "csv", "table or json or markdown"),
        ("ASK", "turtle", "table or json or markdown"),
        ("CONSTRUCT", "json", "turtle"),
        ("DESCRIBE", "table", "turtle"),
    ],
)
def test_a_format_that_does_not_fit_the_query_is_an_error(ask: RunKb, form: str, format_: str, use: str) -> None:
    text = {"SELECT": "SELECT * {}", "ASK": "ASK {}", "DESCRIBE": "DESCRIBE pol:x"}.get(form, "CONSTRUCT WHERE {}")
    done = ask(text, "--format", format_)
    message = f"kb: --format {format_} does not fit {form} queries; use {use}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_the_formats_of_the_command_are_those_of_the_queries() -> None:
    assert tuple(FORMATS) == command.FORMATS


@pytest.mark.parametrize(
    ("limit", "form", "code"),
    [(2, "SELECT ?x", 1), (3, "SELECT ?x", 0), (2, "CONSTRUCT { ?x a ?x }", 1), (3, "CONSTRUCT { ?x a ?x }", 0)],
)
def test_an_answer_that_is_cut_off_never_looks_whole(ask: RunKb, limit: int, form: str, code: int) -> None:
    done = ask(f"{form} WHERE {{ VALUES ?x {{ pol:a pol:b pol:c }} }}", "--max-rows", str(limit))
    warning = f"kb: there are more than {limit}: the answer is not whole; narrow the query, or raise --max-rows\n"
    assert (done.returncode, done.stderr) == (code, warning if code else "")
    if "SELECT" in form:
        assert done.stdout.splitlines()[-1].startswith("the first 2 rows from " if code else "3 rows from ")


def test_an_answer_in_a_pipe_that_closes_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "q.rq").write_text("SELECT * { ?s ?p ?o }", encoding="utf-8")
    shell = f"'{CONSOLE_SCRIPT}' query '{tmp_path}/q.rq' --kb '{ROOT}' | head -1"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.stdout.count("\n") == 1


def test_letters_that_the_terminal_has_not_are_no_traceback() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "KB_ROOT": str(ROOT)}
    text = "SELECT ?x { VALUES ?x { 'Größe' } }"
    done = subprocess.run(
        [CONSOLE_SCRIPT, "query", "-"], input=text.encode(), env=env, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 3


# ---------------------------------------------------------------------- data and closures


def test_data_is_added_to_the_default_graph_file_by_file(ask: RunKb, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "a.ttl").write_text(f"_:same <{BASE}says> 'a' .", encoding="utf-8")
    (folder / "b.nt").write_text(f'_:same <{BASE}says> "b" .', encoding="utf-8")
    (folder / "c.trig").write_text(f"<{BASE}g> {{ _:same <{BASE}says> 'c' }}", encoding="utf-8")
    (folder / "d.txt").write_text("no RDF", encoding="utf-8")
    (tmp_path / "e.ttl").write_text(f"_:same <{BASE}says> 'e' .", encoding="utf-8")
    text = "SELECT (COUNT(DISTINCT ?x) AS ?n) (GROUP_CONCAT(?y) AS ?all) { { SELECT * { ?x <says> ?y } ORDER BY ?y } }"
    for more in ([], ["--all"], ["--entail", "rdfs", "--policy", "CP.MP.101"]):
        done = ask(text, "--data", str(folder), "--data", str(tmp_path / "e.ttl"), "--format", "csv", *more)
        assert (done.stdout, done.stderr) == ("n,all\r\n4,a b c e\r\n", ""), more


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.ttl", "missing.ttl: No such file or directory; check the path and its permissions"),
        ("bad.ttl", "bad.ttl:1: not valid Turtle: "),
        ("empty", "empty: no RDF files in this folder; it may hold .ttl, .trig, .nt, .jsonld"),
        ("data.xyz", "data.xyz: unknown format .xyz; use .ttl, .trig, .nt, .jsonld"),
    ],
)
def test_data_that_cannot_be_read_is_an_error(ask: RunKb, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "bad.ttl").write_text("<a> <b>", encoding="utf-8")
    (tmp_path / "data.xyz").touch()
    (tmp_path / "empty").mkdir()
    done = ask("ASK {}", "--data", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"kb: {message}")


def test_what_follows_is_asked_with_entail(ask: RunKb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = "ASK { crit:acute-gvhd a pol:Criterion }"
    codes = {regime: ask(text, "--revision", "2026-02", "--entail", regime).returncode for regime in ("none", "rdfs")}
    assert codes == {"none": 1, "rdfs": 0}
    assert [path.name for path in tmp_path.rglob("*.nt")] == ["rdfs-CP.MP.101-2026-02.nt"]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("ASK {}", ["--all", "--entail", "owlrl"]),
        (f"ASK FROM <{BASE}policy> {{}}", ["--entail", "owlrl"]),
    ],
)
def test_a_closure_is_of_one_revision(ask: RunKb, text: str, arguments: list[str]) -> None:
    done = ask(text, *arguments)
    message = "kb: a closure is computed of one revision; name a --policy, and leave out --all and FROM\n"
    assert (done.returncode, done.stderr) == (2, message)


def test_from_names_the_graphs_and_fetches_none(ask: RunKb, listener: tuple[int, list[object]]) -> None:
    port, connected = listener
    text = (
        f"SELECT (COUNT(*) AS ?n) FROM <http://127.0.0.1:{port}/x> FROM <CP.MP.101/2019-10> FROM pol:nothing "
        "{ ?c a pol:Indication }"
    )
    done = ask(text, "--format", "csv")
    assert (done.returncode, done.stdout) == (0, "n\r\n1\r\n")
    assert done.stderr == (
        f"kb: FROM <http://127.0.0.1:{port}/x>: no such graph is on file, and none is fetched\n"
        f"kb: FROM <{BASE}policy#nothing>: no such graph is on file, and none is fetched\n"
    )
    assert connected == []


def test_over_two_graphs_of_from_a_statement_counts_once() -> None:
    both = [f"<CP.MP.101/{name}>" for name in ("2019-10", "2026-02")]
    one, two, named = (
        in_this_process(f"SELECT (COUNT(*) AS ?n) {clauses} {pattern}").rows[0][0]
        for clauses, pattern in (
            (f"FROM {both[0]}", "{ crit:acute-gvhd a ?c }"),
            (f"FROM {both[0]} FROM {both[1]}", "{ crit:acute-gvhd a ?c }"),
            (f"FROM NAMED {both[0]} FROM NAMED {both[1]}", "{ GRAPH ?g { crit:acute-gvhd a ?c } }"),
        )
    )
    assert [int(count.value) for count in (one, two, named)] in ([1, 1, 2], [0, 1, 1])  # type: ignore[union-attr]
    (row,) = in_this_process(f"SELECT (COUNT(*) AS ?n) FROM NAMED {both[0]} {{ ?s ?p ?o }}").rows
    assert row[0] is not None
    assert row[0].value == "0"


# ---------------------------------------------------------------------- what is refused

SERVICE = "SERVICE <http://127.0.0.1:9/> { ?a ?b ?c }"
PATTERNS = [
    "SELECT * { $ }",
    "ASK { $ }",
    "DESCRIBE ?a { $ }",
    "CONSTRUCT { ?a ?b ?c } WHERE { $ }",
    "SELECT * { { SELECT * { $ } } }",
    "SELECT * { { SELECT ?a { ?a ?b ?c { SELECT * { $ } LIMIT 1 } } GROUP BY ?a } }",
    "SELECT * { OPTIONAL { $ } }",
    "SELECT * { ?s ?p ?o MINUS { $ } }",
    "SELECT * { {} UNION { $ } UNION {} }",
    "SELECT * { GRAPH ?g { ?s ?p ?o . $ } }",
    "SELECT * { ?s ?p [ ?x ( 1 ) ] . $ ?x ?y ?z } VALUES ?x { 1 }",
    "SELECT * { SERVICE <http://127.0.0.1:9/> { $ } }",
]
EXPRESSIONS = [
    "SELECT * { FILTER $ }",
    "SELECT * { FILTER NOT $ }",
    "SELECT * { FILTER (!$ || false) }",
    "SELECT * { FILTER ((1 = 1) && ($)) }",
    "SELECT * { FILTER (1 IN (2, $)) }",
    "SELECT * { FILTER ($ NOT IN (true)) }",
    "SELECT * { FILTER (-(2 * ($) / 3 - 1) < 1) }",
    "SELECT * { BIND (IF(true, COALESCE(?q, $), 2) AS ?x) }",
    'SELECT * { BIND (CONCAT("a", STR($)) AS ?x) }',
    'SELECT * { BIND (REPLACE("a", "b", STR($), "i") AS ?x) }',
    'SELECT * { FILTER REGEX("a", STR($)) }',
    "SELECT ($ AS ?x) {}",
    "SELECT (COUNT(DISTINCT $) AS ?x) {}",
    'SELECT (GROUP_CONCAT(STR($) ; SEPARATOR=",") AS ?x) {}',
    "SELECT ?s { ?s ?p ?o } GROUP BY ?s HAVING (MAX($) = true)",
    "SELECT ?x { ?s ?p ?o } GROUP BY ($ AS ?x)",
    "SELECT * { ?s ?p ?o } ORDER BY DESC($)",
    "SELECT * { OPTIONAL { ?s ?p ?o FILTER ($) } }",
    "SELECT * { FILTER EXISTS { FILTER NOT EXISTS { FILTER $ } } }",
]


@pytest.mark.parametrize(
    "text",
    [pattern.replace("$", SERVICE) for pattern in PATTERNS]
    + [expression.replace("$", f"EXISTS {{ {SERVICE} }}") for expression in EXPRESSIONS],
)
def test_service_is_refused_wherever_it_stands(text: str) -> None:
    with pytest.raises(QueryError) as error:
        ask_sparql.check(text)
    assert str(error.value) == SERVICE_REFUSED


@pytest.mark.parametrize(
    "written",
    [
        "SERVICE SILENT <http://127.0.0.1:9/> {}",
        "service<http://127.0.0.1:9/>{?a ?b ?c}",
        "SeRvIcE sIlEnT ?s { ?a ?b ?c }",
        "SERVICE ex:x { ?a ?b ?c }",
        "SERVICE :x { ?a ?b ?c }",
        "SERVICE:x { ?a ?b ?c }",
        "# a\nSERVICE # b\n<http://127.0.0.1:9/> # c\n{ ?a ?b ?c }",
        "S\\u0045RVICE <http://127.0.0.1:9/> { ?a ?b ?c }",
        "\\U00000053ERVICE\\u0020\\u003Chttp://127.0.0.1:9/> \\u007B}",
        # Seen by Oxigraph and not by rdflib, if both were given the text as it is.
        "#\rSERVICE <http://127.0.0.1:9/> { ?a ?b ?c }\n",
        'BIND ("\\u0022 AS ?v) } #" AS ?w) SERVICE <http://127.0.0.1:9/> {}',
        'VALUES ?v { """a" } SERVICE <http://127.0.0.1:9/> {} #\\uD800""" }',
        "?s ex:a.b.1.SERVICE#c\n:x {}",
        "[] ?p ex:a.b.SERVICE:x {}",
    ],
)
def test_service_does_not_run_however_it_is_written(written: str, listener: tuple[int, list[object]]) -> None:
    port, connected = listener
    text = (
        f"PREFIX ex: <http://127.0.0.1:9/> PREFIX : <http://127.0.0.1:9/> SELECT * {{ VALUES ?s {{ ex:s }} {written} }}"
    )
    text = text.replace("127.0.0.1:9", f"127.0.0.1:{port}")
    try:
        checked = ask_sparql.check(text)
    except QueryError:
        return
    assert ".SERVICE" in written or "\\u0022" in written, "what passes has it in a name, or in a comment"
    store = ox.Store()
    node = ox.NamedNode("http://a/")
    store.add(ox.Quad(node, node, node))
    list(store.query(checked.text))  # type: ignore[arg-type]
    assert connected == []


@pytest.mark.parametrize(
    "text",
    [
        f'SELECT * {{ ?s ?p "{SERVICE}" }}',
        f"SELECT * {{ ?s ?p '''\n{SERVICE}\n''' }}",
        f"# {SERVICE}\nSELECT * {{ ?s ?p ?o # {SERVICE}\n}}",
        "SELECT * { ?SERVICE ?service $SERVICE }",
        "SELECT * { <http://x/SERVICE> <http://x/#SERVICE> <SERVICE> }",
        "PREFIX SERVICE: <http://x/> SELECT * { SERVICE:SERVICE ?p SERVICE:a.SERVICE }",
        "SELECT * { _:SERVICE ?p 'x'@service }",
        'SELECT * { ?s ?p "\\"" . FILTER (?s != "SERVICE <http://x/> {") }',
        "SELECT (?x AS ?service) { ?service ?x 'LOAD <http://x/>', 'INSERT DATA {}', 'DROP ALL' }",
    ],
)
def test_the_word_alone_is_not_refused(text: str) -> None:
    assert ask_sparql.check(text).form == "SELECT"


@pytest.mark.parametrize(
    "text",
    [
        "LOAD <http://127.0.0.1:9/>",
        "LOAD SILENT <http://127.0.0.1:9/> INTO GRAPH <http://g>",
        "INSERT DATA { <http://a> <http://b> <http://c> }",
        "DELETE DATA { <http://a> <http://b> <http://c> }",
        "DELETE WHERE { ?s ?p ?o }",
        "DELETE { ?s ?p ?o } INSERT { ?o ?p ?s } WHERE { ?s ?p ?o }",
        f"INSERT {{ ?a ?b ?c }} WHERE {{ {SERVICE} }}",
        "WITH <http://g> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }",
        "PREFIX x: <http://x/> # why\nCLEAR ALL",
        "DROP DEFAULT",
        "CREATE GRAPH <http://g>",
        "COPY <http://g> TO <http://h>",
        "MOVE DEFAULT TO <http://h>",
        "ADD <http://g> TO DEFAULT",
        "INSERT DATA { <http://a> <http://b> <http://c> } ; DROP ALL",
        "D\\u0052OP ALL",
    ],
)
def test_every_update_is_refused(text: str) -> None:
    with pytest.raises(QueryError) as error:
        ask_sparql.check(text)
    assert str(error.value) == UPDATE_REFUSED


@pytest.mark.parametrize(
    "text", ["SELECT * {} ; DROP ALL", "ASK {} INSERT DATA { <http://a> <http://b> 1 }", "BASE <x>"]
)
def test_an_update_beside_a_query_is_no_sparql(text: str) -> None:
    with pytest.raises(QueryError, match="line 1: not a SPARQL query"):
        ask_sparql.check(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * " + "{" * 3000 + "}" * 3000,
        "SELECT * { FILTER " + "(" * 3000 + "1" + ")" * 3000 + " }",
        "SELECT * { ?s ?p " + "[ ?p " * 3000 + "1" + "]" * 3000 + " }",
    ],
    ids=["groups", "parentheses", "blank nodes"],
)
def test_a_query_that_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(QueryError) as error:
        ask_worker.run(Inquiry(ROOT, text, union=True), timeout=30)
    assert str(error.value) == "the query is nested too deeply; flatten it"


def test_a_query_that_is_nested_is_answered() -> None:
    text = "SELECT ?x " + "{" * 50 + " BIND " + "(" * 50 + " 1 " + ")" * 49 + " AS ?x) " + "}" * 50
    assert [row[0].value for row in ask_worker.run(Inquiry(ROOT, text, union=True), timeout=30).rows if row[0]] == ["1"]


FRAGMENTS = [
    *("#", "\r", "\n", "\\u0023", '"', "\\u0022", "'", '"""', "'''", '\\"', "\\'", "\\", "<", ">", "ex:", "ex:a.b."),
    *(".", ";", ",", "a ", "[ ?x ?y ]", "[]", "(1 2)", "\\uD800", "\\U0041", "@en", "^^ex:", "?s ?p ?o .", "?x", "{"),
    *("}", "FILTER(", ")", "VALUES ?v {", "1.", "UNION", "EXISTS {", "\u00a0", "\u2028", "\U00010000", "\u017fERVICE"),
    *("_:b.1.", "ex:a.b.1.", "ex:1.2.3.", "\\#", "<#x>", "?a<", "$x", "%41", "\\u005Cu0022", ".1.", "ex:a\\.b.c."),
]


def test_nothing_that_oxigraph_would_send_passes(listener: tuple[int, list[object]]) -> None:
    port, connected = listener
    prefixes = dict.fromkeys(("ex", "", "SERVICE"), f"http://127.0.0.1:{port}/")
    store = ox.Store()
    node = ox.NamedNode(prefixes["ex"])
    store.extend(ox.Quad(node, node, term) for term in (ox.Literal("x"), node))
    services = [f"SERVICE <http://127.0.0.1:{port}/> {{ ?a ?b ?c }}", "service :x{}", "SERVICE:x{}", "SERVICE ?o {}"]
    around = [
        *("SELECT * { ?s ?p ?o . $ }", 'SELECT * { ?s ?p "#" . $ #"\n}', "SELECT * { ?s ?p ?o #\r $\n}"),
        *('SELECT * { BIND("\\u0022 AS ?v) } #" AS ?w) $ }', 'SELECT * { VALUES ?v { """a" } $ #"""}\n}'),
        *("SELECT * { ?s ex:a.b.1.$ }", "SELECT * { [?x ?y] ?p ex:a.b.$ }", "SELECT * { ?s ?p ex:#\n$ }"),
        *('SELECT * { ?s ?p "$" }', "SELECT * { ?s ?p ?o # $\n }", "SELECT * { FILTER(?s<?p&&?o>?s) $ }"),
    ]
    chance = random.Random(101)
    passed = 0
    for _ in range(600):
        text = chance.choice(around).replace("$", chance.choice(services))
        for _ in range(chance.choice([0, 1, 1, 2])):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(FRAGMENTS) + text[at:]
        try:
            checked = ask_sparql.check(text, prefixes)
        except QueryError:
            continue
        passed += 1
        try:
            list(store.query(checked.text, prefixes=prefixes))  # type: ignore[arg-type]
        except (SyntaxError, RuntimeError, OSError, TypeError):
            continue
    time.sleep(0.05)
    assert connected == []
    assert passed > 30


# ---------------------------------------------------------------------- what cannot get out

OUTSIDE = """
import sys, socket
import pyoxigraph as ox
from kb_tools.ask import confine
store = ox.Store()
store.add(ox.Quad(*[ox.NamedNode("http://a/")] * 3))
before, port = sys.argv[1], sys.argv[2]
if before == "nowhere":
    print(confine.connect_nowhere(), end=" ")
elif before == "no-file":
    confine.open_no_file()
try:
    print(len(list(store.query("SELECT * { SERVICE <http://127.0.0.1:" + port + "/> { ?a ?b ?c } }"))))
except OSError:
    print("failed")
for address in ("127.0.0.1", "localhost"):
    try:
        socket.create_connection((address, int(port)))
        print("connected")
    except OSError:
        print("refused")
"""


@pytest.mark.parametrize(
    ("before", "output", "connections"),
    [
        ("nothing", "failed\nconnected\nconnected\n", True),
        pytest.param("nowhere", "True failed\nrefused\nrefused\n", False, marks=LINUX),
        pytest.param(
            "no-file", "failed\nrefused\nrefused\n", False, marks=pytest.mark.skipif(os.name == "nt", reason="of Unix")
        ),
    ],
)
def test_a_process_that_is_confined_opens_no_connection(
    listener: tuple[int, list[object]], before: str, output: str, connections: bool
) -> None:
    port, connected = listener
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDE, before, str(port)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == output, done.stderr
    assert bool(connected) == connections


UNCHECKED = """
import sys
from pathlib import Path
from kb_tools.ask import confine, dataset, resolve, sparql, worker
from kb_tools.ask.request import Inquiry
dataset.KEPT_FROM = int(sys.argv[3])
resolve.check = worker.check = lambda text, *_: sparql.Checked(text, "SELECT", [], None, None)
asked = Inquiry(Path(sys.argv[1]), sys.argv[2], union=True)
while (answer := worker._answer(asked, loading=False)) is None:
    worker._answer(asked, loading=True)
print(len(answer.rows))
"""


@LINUX
@pytest.mark.parametrize("kept_from", [10**12, 0], ids=["in memory", "on disk"])
def test_the_process_that_runs_queries_sends_nothing_though_a_query_passed_the_check(
    listener: tuple[int, list[object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_from: int
) -> None:
    port, connected = listener
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = UNCHECKED.replace("asked =", "confine.connect_nowhere()\nasked =", 1)
    silent = f"SELECT * {{ SERVICE SILENT <http://127.0.0.1:{port}/> {{ ?a ?b ?c }} }}"
    for text, rows in (
        (silent, "1\n"),
        ("SELECT * { GRAPH ?g { ?x a <https://w3id.org/policykb/policy#Code> } } LIMIT 2", "2\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, str(ROOT), text, str(kept_from)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.stdout, connected) == (rows, []), done.stderr


# ---------------------------------------------------------------------- what is ended


def children() -> set[str]:
    """The processes that this one has started and that are left, where the system lists them; other tests keep some."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {child for listed in tasks for child in listed.read_text().split()}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_query_that_takes_too_long_is_ended(ask: RunKb, name: str) -> None:
    before, started = children(), time.monotonic()
    done = ask(HOSTILE[name], "--timeout", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kb: the query took more than 1 s; narrow it, or raise --timeout\n"
    assert time.monotonic() - started < 6
    assert children() <= before


def test_a_query_that_takes_too_much_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a quarter of the memory that a query may take, which is filled in a quarter of the time."""
    assert confine.MAX_MEMORY == 4 * 2**30
    less = "from kb_tools.ask import confine; confine.MAX_MEMORY //= 4; serve()"
    monkeypatch.setattr(ask_worker, "_CODE", ask_worker._CODE.replace("serve()", less))
    with pytest.raises(QueryError) as error:
        ask_worker.run(Inquiry(ROOT, DOUBLING, union=True), timeout=60)
    assert str(error.value) == "the query ran out of memory, or is nested too deeply; narrow it"


def test_an_answer_that_is_too_large_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask_execute, "MAX_ANSWER", 1000)
    for text in ("SELECT * { ?s ?p ?o }", "CONSTRUCT WHERE { ?s ?p ?o }"):
        with pytest.raises(QueryError, match="the answer is larger than 0 MiB; narrow the query"):
            in_this_process(text)


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "1e300", "soon"])
def test_a_timeout_that_is_none_is_a_usage_error(run_kb: RunKb, given: str) -> None:
    done = run_kb("query", "criteria", "--timeout", given)
    assert done.returncode == 2
    assert "Invalid value for '--timeout'" in done.stderr
    assert "Traceback" not in done.stderr


def test_max_rows_is_at_least_one(run_kb: RunKb) -> None:
    assert run_kb("query", "criteria", "--max-rows", "0").returncode == 2


def processes_of(pid: int) -> list[int]:
    """The children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def alive(pid: int) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"


def waited(until: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        time.sleep(0.02)
    return until()


@LINUX
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_no_process_is_left_behind(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "q.rq").write_text(HOSTILE["count of a cross product"], encoding="utf-8")
    started = subprocess.Popen(
        [CONSOLE_SCRIPT, "query", tmp_path / "q.rq", "--kb", ROOT, "--timeout", "60"], stderr=subprocess.PIPE, text=True
    )
    assert waited(lambda: bool(processes_of(started.pid)))
    (child,) = processes_of(started.pid)
    time.sleep(0.5)
    started.send_signal(how)
    _, errors = started.communicate(timeout=10)
    # Long before the time limit of the query.
    assert waited(lambda: not alive(child), 5)
    assert errors == ("kb: interrupted\n" if how == signal.SIGINT else "")
    assert started.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)


def test_queries_run_from_any_program() -> None:
    program = (
        "from pathlib import Path\nfrom kb_tools.ask.request import Inquiry\n"
        "from kb_tools.ask.worker import run\nprint('once')\n"
        f"print(run(Inquiry(Path({str(ROOT)!r}), 'SELECT ?x {{ BIND (1 AS ?x) }}', union=True), 30).rows[0][0].value)\n"
    )
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("once\n1\n", "")


# ---------------------------------------------------------------------- the command


def test_the_console_script_answers_and_the_one_that_asks_loads_no_graphs(tmp_path: Path) -> None:
    done = subprocess.run(
        [CONSOLE_SCRIPT, "query", "criteria", "--revision", "2026-02", "--format", "csv", "--kb", ROOT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "place,role,criterion,label,meaning"
    loaded = (
        "import sys\nfrom kb_tools.commands import query\nfrom kb_tools.ask import worker\n"
        "from kb_tools.render import query_results\n"
        "print(sorted({'rdflib', 'rich', 'owlrl', 'pyshacl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "[]\n"


def test_a_knowledge_base_that_is_not_there_is_an_error(run_kb: RunKb) -> None:
    done = run_kb("query", "criteria", "--kb", "nowhere")
    message = "kb: nowhere: no knowledge base here; name a folder that holds ontology/prefixes.ttl\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_a_large_knowledge_base_is_loaded_once_and_outside_the_timeout(
    run_kb: RunKb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_policies: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # So large that it is kept on disk, without being so large as to take long.
    root = tmp_path / "large"
    shutil.copytree(two_policies, root)
    (root / "policies/TST.7/more.ttl").write_text(f"# {'x' * dataset.KEPT_FROM}\n", encoding="utf-8")
    arguments = ("query", "criteria", "--kb", str(root), "--as-of", "2026-07-01", "--format", "csv")
    first, again = run_kb(*arguments), run_kb(*arguments)
    assert first.stderr == "kb: the graphs are many: they are loaded now, once\n"
    assert again.stderr == ""
    small = run_kb("query", "criteria", "--kb", str(two_policies), "--as-of", "2026-07-01", "--format", "csv")
    assert first.stdout == again.stdout == small.stdout
    refused = run_kb(
        "query", "-", "--kb", str(tmp_path / "large"), "--all", stdin=SERVICE.join(["ASK {", "}"]).encode()
    )
    assert (refused.returncode, refused.stderr) == (2, f"kb: {SERVICE_REFUSED}\n")
    (tmp_path / "more.ttl").write_text(f"<{BASE}x> <{BASE}y> 1 .", encoding="utf-8")
    text = b"SELECT ?x ?n { ?x <y> ?n . ?p a pol:Policy ; dcterms:identifier 'TST.7' }"
    done = run_kb(
        "query", "-", "--kb", str(root), "--data", "more.ttl", "--policy", "TST.7", "--format", "csv", stdin=text
    )
    assert done.stdout == f"x,n\r\n{BASE}x,1\r\n"
    assert not [path for path in Path("/tmp").glob("kb-*") if (path / "store").exists()]


def test_help_shows_examples_that_can_be_run(run_kb: RunKb) -> None:
    done = run_kb("query", "--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "With --all it holds every graph, and so every revision's content of a criterion at once" in text
    assert "1 if the answer is no (ASK) or is not whole (--max-rows), 2 if it could not run" in text
    for name, given in re.findall(r"kb query ([a-z-]{2,})(?![\w.-]) ?(?:--param (\S+))?", done.stdout):
        question = ask_library.find_question(name)
        assert not given or given.partition("=")[0] in {parameter.name for parameter in question.parameters}
    assert COMMANDS["query"] == "Ask the knowledge base: a ready question, or SPARQL of your own."
    assert text.removeprefix("Usage: kb query [OPTIONS] [QUESTION|FILE|-] ").startswith(COMMANDS["query"])
