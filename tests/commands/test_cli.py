"""The command at its edge: what it prints where, the code with which it exits, and what it loads to do so."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import click
import pyoxigraph as ox
import pytest
from rdflib import Graph, URIRef
from terminal import on_terminal

from kb_tools import __version__
from kb_tools.cli import COMMANDS, kb
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import CASE

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data"
CASES = ROOT / "policies/CP.MP.101/cases"
EX = "https://example.org/case#"

RunKb = Callable[..., CompletedProcess[str]]
Vary = Callable[[str, str], str]


@pytest.fixture
def files(tmp_path: Path, vary: Vary) -> Path:
    """The working folder of the command, with cases that come out in every way."""
    variants = {
        "met": ("clin:grade 1", "clin:grade 1"),
        "not-met": ("clin:grade 1", "clin:grade 2"),
        "needed": ("clin:processing clin:Unmanipulated ;", ""),
        "not-applicable": ("case:Commercial", "case:MedicareAdvantage"),
        "malformed": ("clin:grade 1", "clin:grade 7"),
        "too-early": ("2026-07-01", "2015-10-31"),
        "not-on-file": ("2026-07-01", "2023-08-15"),
    }
    for name, (old, new) in variants.items():
        (tmp_path / f"{name}.ttl").write_text(vary(old, new), encoding="utf-8")
    return tmp_path


def process(*arguments: str, cwd: Path, **env: str) -> CompletedProcess[str]:
    """Runs the command in a process of its own, as from a shell."""
    return subprocess.run(
        [sys.executable, "-c", "from kb_tools.cli import main; main()", *arguments],
        cwd=cwd,
        env=os.environ | {"KB_ROOT": str(ROOT)} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def outcomes(stdout: str) -> dict[str, str]:
    """The outcome of each case, by file, from the JSON of a run."""
    return {determination["file"]: determination["outcome"] for determination in json.loads(stdout)["determinations"]}


# ---------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["met"], 0),
        (["met", "met"], 0),
        (["not-met"], 1),
        (["needed"], 1),
        (["not-applicable"], 1),
        (["malformed"], 1),
        (["met", "not-met"], 1),
        (["not-met", "met"], 1),
        (["malformed", "met"], 1),
        (["too-early"], 2),
        (["not-on-file", "met"], 2),
        (["not-met", "not-on-file", "met"], 2),
        (["missing"], 2),
        (["missing", "met"], 2),
        (["met", "missing", "malformed", "not-met"], 2),
    ],
    ids=lambda value: "-and-".join(value) if isinstance(value, list) else str(value),
)
def test_the_exit_code_is_that_of_the_worst_case(files: Path, run_kb: RunKb, names: list[str], code: int) -> None:
    ran = run_kb("validate", *(f"{name}.ttl" for name in names), "--engine", "pyshifty")
    assert ran.returncode == code
    titles = [f"{name}.ttl#case" for name in names if name != "missing"]
    shown = [line for line in ran.stdout.splitlines() if line.partition(":")[0] in titles]
    assert [line.partition(":")[0] for line in shown] == titles


# ---------------------------------------------------------------------- what cannot be read

TERM = "<https://w3id.org/policykb/clinical#Melanoma> a <urn:x> ."
REMOTE = '{"@context": "https://example.org/c.jsonld", "@id": "urn:c", "@type": "Case"}'
SUFFIXES = r"\.ttl, \.trig, \.nt, \.jsonld, \.json, \.jsonl, \.ndjson"
UNREADABLE: dict[str, tuple[bytes | None, str]] = {
    # what the file holds; how the line on stderr goes on after its name, as a regular expression
    "missing.ttl": (None, ": No such file or directory; check the path and its permissions"),
    "missing": (None, ": No such file or directory; check the path and its permissions"),
    "missing.rdf": (None, ": No such file or directory; check the path and its permissions"),
    "prefix.ttl": (
        b"<urn:a> a x:b .",
        ":1: not valid Turtle: .+; declare the prefix above its first use, or correct it",
    ),
    "syntax.ttl": (b"<urn:a> a <urn:b> .\n\n<urn:a> <urn:b> [ .", ":3: not valid Turtle: .+; correct the syntax"),
    "no-case.ttl": (b"<urn:a> a <urn:b> .", ": no case in this file; a case is a node of class case:Case"),
    "empty.ttl": (b"", ": no case in this file; a case is a node of class case:Case"),
    "latin-1.ttl": ("<urn:a> a 'café' .".encode("latin-1"), ":1: not valid Turtle: .+; save the file as UTF-8"),
    "junk.ttl": (bytes(range(256)), ":1: not valid Turtle: .+; correct the syntax"),
    "junk.nt": (b"\x00\xff" * 1000, ":1: not valid N-Triples: .+"),
    "junk.jsonld": (b"\x7fELF" + bytes(1000), ":1: not valid JSON-LD: .+; correct the syntax"),
    "remote.jsonld": (
        REMOTE.encode(),
        ": not valid JSON-LD: .+; write the @context into the file: no remote context is ever fetched",
    ),
    "term.ttl": (
        TERM.encode(),
        ": says something of clin:Melanoma, a term of the vocabulary; "
        "a case may use the vocabulary and not define it: remove the statement",
    ),
    "triple.ttl": (
        b"<urn:a> <urn:b> <<( <urn:a> <urn:b> <urn:c> )>> .",
        r": a triple stands as a term \(RDF 1\.2\); use RDF 1\.1",
    ),
    "case.rdf": (b"<rdf/>", r": unknown format \.rdf; use " + SUFFIXES),
    "case": (b"", r": unknown format \(no extension\); use " + SUFFIXES),
}


def unreadable(folder: Path) -> list[str]:
    """Makes what cannot be read, and returns the lines on stderr that say so, as regular expressions, in order."""
    for name, (content, _) in UNREADABLE.items():
        if content is not None:
            (folder / name).write_bytes(content)
    with (folder / "huge.ttl").open("wb") as sparse:
        sparse.truncate(100 * 2**20)
    (folder / "folder.ttl").mkdir()
    (folder / "link.ttl").symlink_to("nowhere")
    no_cases = (
        r": no case files in this folder; "
        rf"name a folder with {SUFFIXES} files"
    )
    lines = {name: line for name, (_, line) in UNREADABLE.items()} | {
        "huge.ttl": ": 100 MiB, and a file may have 32 MiB; split it into smaller files",
        "folder.ttl": no_cases,
        "link.ttl": ": No such file or directory; check the path and its permissions",
    }
    return [f"kb: {re.escape(name)}{line}" for name, line in lines.items()]


NAMES = [*UNREADABLE, "huge.ttl", "folder.ttl", "link.ttl"]


def test_each_thing_that_cannot_be_read_is_one_line_and_the_rest_is_determined(
    files: Path, run_kb: RunKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = unreadable(files)

    def refuse(*arguments: object, **_: object) -> None:
        pytest.fail(f"the network was asked for {arguments}")

    for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo"), (socket, "create_connection")):
        monkeypatch.setattr(owner, name, refuse)
    ran = run_kb("validate", "met.ttl", *NAMES, "not-met.ttl", "malformed.ttl", "--format", "json")
    lines = ran.stderr.splitlines()
    assert len(lines) == len(expected) == 19
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line
        assert line.isprintable()
    assert outcomes(ran.stdout) == {"met.ttl": "CriteriaMet", "not-met.ttl": "CriteriaNotMet"}
    content = json.loads(ran.stdout)
    assert [case["file"] for case in content["malformed"]] == ["malformed.ttl"]
    assert [f"kb: {error}" for error in content["errors"]] == lines
    assert ran.returncode == 2


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_read_alone_exits_with_2_and_prints_nothing_on_stdout(
    files: Path, run_kb: RunKb, name: str
) -> None:
    expected = dict(zip(NAMES, unreadable(files), strict=True))
    ran = run_kb("validate", name)
    assert re.fullmatch(expected[name] + "\n", ran.stderr)
    assert (ran.stdout, ran.returncode) == ("", 2)


def test_the_summary_counts_what_could_not_be_read(files: Path, run_kb: RunKb) -> None:
    ran = run_kb("validate", "missing.ttl", "met.ttl", "malformed.ttl", "too-early.ttl", "--engine", "pyshifty")
    assert ran.stdout.splitlines()[-5:] == [
        "Outcome                        Cases",
        "CriteriaMet                        1",
        "inputs that could not be read      1",
        "malformed, not determined          1",
        "not determined                     1",
    ]


@pytest.mark.parametrize("format_", ["text", "json", "turtle", "junit"])
def test_stderr_is_the_same_in_every_format(files: Path, run_kb: RunKb, format_: str) -> None:
    ran = run_kb("validate", "missing.ttl", "too-early.ttl", "--format", format_, "--engine", "pyshifty")
    assert ran.stderr.splitlines() == [
        "kb: missing.ttl: No such file or directory; check the path and its permissions",
        "kb: too-early.ttl#case: no revision of CP.MP.101 was in force on 2015-10-31; "
        "the first known is 2015-11, from 2015-11-01",
    ]
    assert ran.returncode == 2


@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_a_malformed_case_among_good_ones_is_reported_whole_and_alone(files: Path, run_kb: RunKb, engine: str) -> None:
    ran = run_kb("validate", "malformed.ttl", "met.ttl", "--engine", engine)
    assert ran.stdout.splitlines()[:7] == [
        "malformed.ttl#case",
        "MALFORMED CASE, not determined",
        "    - :acute clin:grade 7: State clin:grade at most once, as a whole number from 0 to 4.",
        "",
        "met.ttl#case",
        "CRITERIA MET",
        "because indication I holds: transplant: graft source unrelated donor (2025-01-15, chart evidence);",
    ]
    assert (ran.stderr, ran.returncode) == ("", 1)


@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_a_process_of_its_own_says_nothing_more_than_what_is_wrong(tmp_path: Path, vary: Vary, engine: str) -> None:
    """Neither the libraries' logs nor their warnings reach the terminal."""
    wrong = {
        "date": ('"2026-06-05"^^xsd:date', '"soon"^^xsd:date'),
        "day": ('"2026-06-05"^^xsd:date', '"2026-02-30"^^xsd:date'),
        "share": ("clin:donorPercent 90.0", 'clin:donorPercent "ninety"^^xsd:decimal'),
        "grade": ("clin:grade 1", 'clin:grade "two words"'),
        "trial": ("clin:withinClinicalTrial false", 'clin:withinClinicalTrial "maybe"^^xsd:boolean'),
    }
    for name, (old, new) in wrong.items():
        (tmp_path / f"{name}.ttl").write_text(vary(old, new), encoding="utf-8")
    ran = process("validate", ".", "--engine", engine, "--format", "json", cwd=tmp_path)
    assert (ran.stderr, ran.returncode) == ("", 1)
    assert {case["file"]: case["violations"][0]["value"] for case in json.loads(ran.stdout)["malformed"]} == {
        "date.ttl": "soon",
        "day.ttl": "2026-02-30",
        "share.ttl": "ninety",
        "grade.ttl": "two words",
        "trial.ttl": "maybe",
    }


# ---------------------------------------------------------------------- revisions and policies that are not there

KNOWN = "2015-11, 2019-10, 2022-10, 2023-02, 2023-08, 2023-10, 2023-11, 2024-04, 2025-02, 2026-02"
NO_REVISION = f"kb: CP.MP.101 has no revision 2027-01; known: {KNOWN}; nearest: 2026-02\n"
NOT_ON_FILE = "kb: the criteria of CP.MP.101 revision 2015-11 are not on file; nearest on file: --revision 2019-10\n"
NO_POLICY = "kb: no policy X on file; known: CG-TRANS-03, CP.MP.101\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["validate", "met.ttl", "--revision", "2027-01"], NO_REVISION),
        (["show", "2027-01"], NO_REVISION),
        (["shapes", "2027-01"], NO_REVISION),
        (["validate", "met.ttl", "--revision", "2015-11"], NOT_ON_FILE),
        (["shapes", "2015-11"], NOT_ON_FILE),
        (
            ["validate", "met.ttl", "--as-of", "2015-10-31"],
            "kb: no revision of CP.MP.101 was in force on 2015-10-31; the first known is 2015-11, from 2015-11-01\n",
        ),
        (
            ["validate", "met.ttl", "--as-of", "2023-03-01"],
            "kb: the criteria of CP.MP.101 revision 2023-02 are not on file; nearest on file: --revision 2023-10\n",
        ),
        (["validate", "met.ttl", "--policy", "X"], NO_POLICY),
        (["show", "--policy", "X"], NO_POLICY),
        (["show", "2026-02", "--policy", "X"], NO_POLICY),
        (["shapes", "2026-02", "--policy", "X"], NO_POLICY),
        (
            ["show", "--kb", "nowhere"],
            "kb: nowhere: no knowledge base here; name a folder that holds ontology/prefixes.ttl\n",
        ),
    ],
    ids=" ".join,
)
def test_what_is_asked_for_and_not_there_is_one_line(
    files: Path, run_kb: RunKb, arguments: list[str], error: str
) -> None:
    ran = run_kb(*arguments)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("", error, 2)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["validate", "met.ttl", "--revision", "2026-02", "--as-of", "2026-07-01"],
            "--revision and --as-of exclude each other.",
        ),
        (["validate"], "Missing argument 'CASE...'."),
        (
            ["validate", "met.ttl", "--as-of", "2026-02-30"],
            "Invalid value for '--as-of': '2026-02-30' is no calendar day: write YYYY-MM-DD",
        ),
        (
            ["validate", "met.ttl", "--as-of", "20260701"],
            "Invalid value for '--as-of': '20260701' is no calendar day: write YYYY-MM-DD",
        ),
        (
            ["validate", "met.ttl", "--engine", "jena"],
            "Invalid value for '--engine': 'jena' is not one of 'pyshacl', 'pyshifty', 'shacl'.",
        ),
        (["shapes"], "Missing argument 'REVISION'."),
        (["valdate"], "No such command 'valdate'. Did you mean validate?"),
        (["zzz"], "No such command 'zzz'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_asked_for_wrongly_is_a_usage_error(
    files: Path, run_kb: RunKb, arguments: list[str], error: str
) -> None:
    ran = run_kb(*arguments)
    assert ran.stdout == ""
    assert ran.stderr.splitlines()[-1] == f"Error: {error}"
    assert ran.stderr.startswith("Usage: kb ")
    assert ran.returncode == 2


def test_an_engine_that_is_not_installed_is_an_error_that_says_how_to_install_it(
    files: Path, run_kb: RunKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shifty", None)
    ran = run_kb("validate", "met.ttl", "--engine", "pyshifty")
    assert (ran.stdout, ran.stderr, ran.returncode) == (
        "",
        "kb: the engine pyshifty is not installed; pip install 'kb-tools[fast]'\n",
        2,
    )


def test_the_revision_that_is_named_or_dated_is_taken_for_every_case(files: Path, run_kb: RunKb) -> None:
    for option, value, revision in (
        ("--revision", "2019-10", "2019-10"),
        ("--revision", "CP.MP.101/2024-04", "2024-04"),
        ("--as-of", "2026-05-25", "2025-02"),
        ("--as-of", "2026-05-26", "2026-02"),
    ):
        ran = run_kb("validate", "met.ttl", "too-early.ttl", option, value, "--format", "json", "--engine", "pyshifty")
        assert [determination["revision"] for determination in json.loads(ran.stdout)["determinations"]] == [
            revision
        ] * 2
        assert ran.stderr == ""


# ---------------------------------------------------------------------- what can be read


def test_a_folder_is_read_with_all_that_is_under_it_but_for_the_manifest(tmp_path: Path, run_kb: RunKb) -> None:
    (tmp_path / "cases/more").mkdir(parents=True)
    shutil.copy(DATA / "case.ttl", tmp_path / "cases/a.ttl")
    shutil.copy(DATA / "case.jsonld", tmp_path / "cases/more/b.jsonld")
    shutil.copy(CASES / "manifest.ttl", tmp_path / "cases/manifest.ttl")
    ran = run_kb("validate", "cases", "--format", "json", "--engine", "pyshifty")
    assert outcomes(ran.stdout) == {"cases/a.ttl": "CriteriaMet", "cases/more/b.jsonld": "CriteriaMet"}
    assert (ran.stderr, ran.returncode) == ("", 0)
    ran = run_kb("validate", "cases/manifest.ttl")
    assert ran.stderr == ("kb: cases/manifest.ttl: no case in this file; a case is a node of class case:Case\n")


@pytest.mark.parametrize(
    ("suffix", "format_"),
    [
        (".ttl", ox.RdfFormat.TURTLE),
        (".trig", ox.RdfFormat.TRIG),
        (".nt", ox.RdfFormat.N_TRIPLES),
        (".jsonld", ox.RdfFormat.JSON_LD),
    ],
)
def test_a_case_comes_to_the_same_in_every_format(
    tmp_path: Path, run_kb: RunKb, suffix: str, format_: ox.RdfFormat
) -> None:
    quads = list(ox.parse(path=str(DATA / "case.ttl")))
    ox.serialize((quad.triple for quad in quads), str(tmp_path / f"case{suffix}"), format=format_)
    shutil.copy(DATA / "case.ttl", tmp_path / "original.ttl")
    ran = run_kb("validate", f"case{suffix}", "original.ttl", "--format", "json", "--engine", "pyshifty")
    one, other = json.loads(ran.stdout)["determinations"]
    assert one | {"file": ""} == other | {"file": ""}


def test_a_case_in_a_named_graph_of_trig_is_read(tmp_path: Path, run_kb: RunKb, well_formed: str) -> None:
    head, body = well_formed.split("\n:coverage", 1)
    prefixes, case = head.split("\n:case", 1)
    (tmp_path / "case.trig").write_text(
        f"{prefixes}\n:one {{ :case{case} }}\n:other {{ :coverage{body} }}", encoding="utf-8"
    )
    assert run_kb("validate", "case.trig", "--engine", "pyshifty").returncode == 0


def test_standard_input_is_read_as_trig_unless_a_format_is_named(run_kb: RunKb, well_formed: str) -> None:
    ran = run_kb("validate", "-", stdin=well_formed.encode())
    assert (ran.stdout.splitlines()[0], ran.stderr, ran.returncode) == ("standard input#case", "", 0)
    json_ld = (DATA / "case.jsonld").read_bytes()
    assert run_kb("validate", "-", "--input-format", "jsonld", stdin=json_ld).returncode == 0
    ran = run_kb("validate", "-", stdin=json_ld)
    assert ran.stderr == (
        'kb: standard input: unknown key "@context"; '
        "this is JSON-LD: name the file .jsonld, or use --input-format jsonld\n"
    )
    assert ran.returncode == 2


def test_standard_input_over_the_limit_is_refused(run_kb: RunKb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kb_tools.rdf.files.MAX_BYTES", 2**20)
    ran = run_kb("validate", "-", stdin=b" " * (2**20 + 1))
    assert ran.stderr == (
        "kb: standard input: more than 1 MiB, and a file may have 1 MiB; split it into smaller files\n"
    )
    assert ran.returncode == 2


def test_what_a_case_is_not_linked_to_is_noticed_in_its_determination(
    tmp_path: Path, run_kb: RunKb, well_formed: str
) -> None:
    (tmp_path / "case.ttl").write_text(f"{well_formed}\n:more a clin:MRDTest .", encoding="utf-8")
    ran = run_kb("validate", "case.ttl", "--engine", "pyshifty")
    assert "    - The file also holds clin:MRDTest that no case is linked to: not read." in ran.stdout.splitlines()


# ---------------------------------------------------------------------- --explain and --prepare


def test_explain_adds_the_conditions_the_places_and_the_works(files: Path, run_kb: RunKb) -> None:
    brief = run_kb("validate", "met.ttl", "--engine", "pyshifty").stdout.splitlines()
    shown = run_kb("validate", "met.ttl", "--engine", "pyshifty", "--explain").stdout.splitlines()
    for title in (
        "  Conditions, the facts they read, and the criteria that read them:",
        "  Places in the document:",
        "  Cited:",
    ):
        assert title in shown
        assert title not in brief


@pytest.mark.parametrize("engine", shacl.ENGINES)
def test_prepare_prints_the_case_with_what_counts_and_nothing_else(files: Path, run_kb: RunKb, engine: str) -> None:
    ran = run_kb("validate", "met.ttl", "--prepare", "--engine", engine)
    graph = Graph().parse(data=ran.stdout, format="turtle")
    current = {str(finding).removeprefix(EX) for finding in graph.objects(URIRef(f"{EX}case"), CASE.currentFinding)}
    # The status is of leukemia, and the reason AML.
    assert current == {"transplant", "mrd", "risk", "chimerism", "acute", "chronic", "infusion"}
    perhaps = {str(finding).removeprefix(EX) for finding in graph.objects(URIRef(f"{EX}case"), CASE.perhapsFinding)}
    assert perhaps == {"status"}
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert run_kb("validate", "met.ttl", "--prepare", "--engine", engine).stdout == ran.stdout


def test_prepare_leaves_out_what_is_malformed_or_cannot_be_read_and_says_so(
    tmp_path: Path, files: Path, run_kb: RunKb, vary: Vary
) -> None:
    bad = vary("clin:grade 1", "clin:grade 7").replace(":case a", ":bad a")
    (tmp_path / "bad.ttl").write_text(bad.replace("case#", "bad#", 1), encoding="utf-8")
    ran = run_kb("validate", "met.ttl", "bad.ttl", "--prepare", "--engine", "pyshifty")
    assert ran.stderr == (
        "kb: bad.ttl#bad: malformed, not prepared: https://example.org/bad#acute clin:grade 7: "
        "State clin:grade at most once, as a whole number from 0 to 4.\n"
    )
    assert "example.org/bad" not in ran.stdout
    assert ran.returncode == 1
    ran = run_kb("validate", "met.ttl", "missing.ttl", "--prepare", "--engine", "pyshifty")
    assert "example.org/case" in ran.stdout
    assert ran.returncode == 2


def test_cases_of_two_files_that_describe_one_node_are_not_prepared_together(files: Path, run_kb: RunKb) -> None:
    ran = run_kb("validate", "met.ttl", "not-met.ttl", "--prepare", "--engine", "pyshifty")
    assert (ran.stdout, ran.stderr, ran.returncode) == (
        "",
        f"kb: not-met.ttl#case: {EX}case is described by met.ttl#case too; prepare them one at a time\n",
        2,
    )


# ---------------------------------------------------------------------- where the output goes


def test_show_takes_a_policy_by_its_name_alone(run_kb: RunKb) -> None:
    alone = run_kb("show", "CG-TRANS-03")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout == run_kb("show", "--policy", "CG-TRANS-03").stdout
    other = run_kb("show", "CG-TRANS-03", "--policy", "CP.MP.101")
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr.startswith("kb: CP.MP.101 has no revision CG-TRANS-03; known: ")


@pytest.mark.parametrize("arguments", [["show"], ["show", "2026-02"], ["validate", "met.ttl", "--explain"]])
def test_in_a_pipe_lines_are_plain_within_100_columns_and_without_padding(files: Path, arguments: list[str]) -> None:
    ran = process(*arguments, cwd=files, COLUMNS="40", FORCE_COLOR="", TERM="xterm-256color")
    lines = ran.stdout.splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) <= 100
    assert [line for line in lines if line != line.rstrip()] == []
    assert "\x1b" not in ran.stdout
    assert (ran.stderr, ran.returncode) == ("", 0)


@pytest.mark.parametrize("arguments", [["show"], ["show", "2026-02"], ["validate", "met.ttl", "--explain"]])
def test_a_narrow_terminal_is_not_overrun(files: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-c", "from kb_tools.cli import main; main()", *arguments]
    text = on_terminal(command, files, {"KB_ROOT": str(ROOT), "COLUMNS": "40", "TERM": "xterm-256color"})
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).splitlines()
    assert len(lines) > 20
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize(
    "arguments",
    [["show", "2026-02"], ["validate", "met.ttl"], ["validate", "met.ttl", "--format", "json"], ["shapes", "2026-02"]],
    ids=" ".join,
)
def test_a_reader_that_leaves_early_is_left_in_silence(files: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-c", "from kb_tools.cli import main; main()", *arguments]
    env = os.environ | {"KB_ROOT": str(ROOT)}
    with subprocess.Popen(
        command, cwd=files, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == ""
    # What the command came to it says all the same.
    assert running.returncode == 0


@pytest.mark.parametrize("format_", ["text", "json", "turtle", "junit"])
def test_two_processes_print_the_same_bytes(files: Path, format_: str) -> None:
    names = ["met.ttl", "malformed.ttl", "needed.ttl", "too-early.ttl", "missing.ttl"]
    arguments = ("validate", *names, "--explain", "--format", format_, "--engine", "pyshifty")
    one, other = (process(*arguments, cwd=files, PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert one.stdout == other.stdout != ""
    assert (one.stderr, one.returncode) == (other.stderr, other.returncode)


# ---------------------------------------------------------------------- help


def test_help_loads_no_library_that_a_command_needs(tmp_path: Path) -> None:
    heavy = ("rdflib", "pyshacl", "pyoxigraph", "owlrl", "rich", "shifty")
    code = f"""
import sys
sys.argv = ["kb", *sys.argv[1:]]
from kb_tools.cli import main
try:
    main()
except SystemExit:
    pass
print([name for name in {heavy} if name in sys.modules], [n for n in sys.modules if n.startswith("kb_tools.commands")])
"""
    for arguments in (["--help"], ["--version"], []):
        ran = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert ran.stdout.splitlines()[-1] == "[] []"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_loads_no_library_either(tmp_path: Path, name: str) -> None:
    code = """
import sys
from kb_tools.cli import kb
try:
    kb([sys.argv[1], "--help"])
except SystemExit:
    pass
print([name for name in ("rdflib", "pyshacl", "pyoxigraph", "owlrl", "shifty") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code, name], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def command(name: str) -> click.Command:
    found = kb.get_command(click.Context(kb), name)
    assert found is not None
    return found


def parts(found: click.Command) -> list[click.Command]:
    """A command, or in place of a group the commands in it."""
    return list(found.commands.values()) if isinstance(found, click.Group) else [found]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_of_a_command_is_the_first_of_its_own_text(name: str) -> None:
    assert (command(name).help or "").split("\n")[0] == COMMANDS[name]
    assert command(name).name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_shows_an_example_of_it(run_kb: RunKb, name: str) -> None:
    ran = run_kb(name, "--help")
    assert (ran.stderr, ran.returncode) == ("", 0)
    lines = [line.strip() for line in ran.stdout.splitlines()]
    (start,) = [number for number, line in enumerate(lines) if line in ("Example:", "Examples:")]
    examples = lines[start + 1 : lines.index("", start)]
    assert examples
    assert (lines[start] == "Examples:") == (len(examples) > 1)
    for example in examples:
        assert re.search(rf"\bkb {name}\b", example), example


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_a_knowledge_base(name: str) -> None:
    for part in parts(command(name)):
        assert "--kb" in [spelling for param in part.params for spelling in param.opts]


def test_help_lists_every_command_in_the_order_of_the_table(run_kb: RunKb) -> None:
    ran = run_kb("--help")
    listed = re.findall(r"^  (\w+)  ", ran.stdout.partition("Commands:\n")[2], flags=re.MULTILINE)
    assert listed == list(COMMANDS)
    assert "It never approves or denies." in " ".join(ran.stdout.split())


def test_the_version_is_that_of_the_package(run_kb: RunKb) -> None:
    assert run_kb("--version").stdout == f"kb, version {__version__}\n"


def test_the_engines_that_the_options_offer_are_those_there_are() -> None:
    for part in (part for name in COMMANDS for part in parts(command(name))):
        for option in part.params:
            if option.name == "engine":
                assert isinstance(option.type, click.Choice)
                assert tuple(option.type.choices) == shacl.ENGINES
