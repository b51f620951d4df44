"""Input that is made to mislead, or to break the command: one line each, exit code 2, and the rest goes on.

Every process that is started here has bounded memory and time.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree import ElementTree

import owlrl
import pyoxigraph as ox
import pytest
from terminal import on_terminal

from kb_tools import printable
from kb_tools.ask import answer as query_answer
from kb_tools.ask import dataset
from kb_tools.ask import execute as ask_execute
from kb_tools.ask import sparql as ask_sparql
from kb_tools.ask import worker as ask_worker
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.resolve import resolve
from kb_tools.cases import isolate
from kb_tools.cases import reader as cases_reader
from kb_tools.cases.digest import digest
from kb_tools.cases.reader import CaseReader
from kb_tools.cli import main
from kb_tools.errors import KbError, UnknownRevision, UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf import nesting
from kb_tools.rdf.files import FORMATS, parse
from kb_tools.rdf.namespaces import BASE
from kb_tools.render import page as document
from kb_tools.render.determination_junit import TestCase as JUnitCase
from kb_tools.render.determination_junit import suite
from kb_tools.writing import new_folder, write_atomically

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data"
FORMATS_OUT = ("text", "json", "turtle", "junit", "fhir")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full and /proc")

RunKb = Callable[..., CompletedProcess[str]]


def limited() -> None:
    """Of what is started: no more than 2 GiB, and no core dump."""
    resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", "from kb_tools.cli import main; main()", *map(str, arguments)]


def process(*arguments: str | Path, cwd: Path, **env: str) -> CompletedProcess[bytes]:
    """Runs the command in a process of its own, with bounded memory and time."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=os.environ | {"KB_ROOT": str(ROOT)} | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
        preexec_fn=limited,
    )


@pytest.fixture(scope="module")
def once() -> list[str]:
    """The statements of the well-formed case, as lines of N-Triples."""
    quads = ox.parse(path=str(DATA / "case.ttl"))
    written = ox.serialize((quad.triple for quad in quads), format=ox.RdfFormat.N_TRIPLES) or b""
    return written.decode().splitlines()


# ---------------------------------------------------------------------- said twice


@pytest.mark.parametrize("format_", FORMATS_OUT)
def test_a_case_that_says_everything_twice_comes_to_the_same_bytes(
    run_kb: RunKb, tmp_path: Path, once: list[str], format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_PSEUDONYM_KEY", "of the tests")
    shown = []
    for lines in (once, once * 2, [*once[::-1], *once]):
        (tmp_path / "case.nt").write_text("\n".join(lines), encoding="utf-8")
        options = ("--revision", "2026-02", "--explain", "--engine", "pyshifty", "--format", format_)
        ran = run_kb("validate", "case.nt", *options)
        assert (ran.returncode, ran.stderr) == (0, "")
        shown.append(ran.stdout)
    assert shown[0] == shown[1] == shown[2] != ""


def test_statements_that_are_repeated_on_three_levels_cost_nothing(
    run_kb: RunKb, tmp_path: Path, once: list[str]
) -> None:
    links = [line for line in once if re.search(r"policykb/case#(request|product)> <|/clinical#processing> ", line)]
    assert len(links) == 3
    (tmp_path / "case.nt").write_text("\n".join(once + links * 59), encoding="utf-8")
    begun = time.monotonic()
    ran = run_kb("validate", "case.nt", "--revision", "2026-02", "--format", "json", "--engine", "pyshifty")
    assert ran.returncode == 0
    assert len(ran.stdout) < 60_000
    assert time.monotonic() - begun < 20


def test_values_that_differ_in_how_they_are_written_stay_two(kb: Repository, vary: Callable[[str, str], str]) -> None:
    text = vary("clin:grade 1", 'clin:grade 1 , "01"^^xsd:integer , 1')
    (case,) = CaseReader(kb).read("x.ttl", None, text.encode(), FORMATS[".ttl"])
    grades = [str(o) for pairs in case.about.values() for p, o in pairs if p.endswith("#grade")]
    assert sorted(grades) == ["01", "1"]


def test_the_digest_of_a_case_is_of_what_it_says_and_not_of_its_names(kb: Repository, well_formed: str) -> None:
    def read(text: str) -> str:
        (case,) = CaseReader(kb).read("x.ttl", None, text.encode(), FORMATS[".ttl"])
        assert case.digest == digest(case.node, case.about)
        return case.digest

    same = read(well_formed)
    assert read(well_formed.replace("https://example.org/case#", "urn:other:")) == same
    assert read(well_formed.replace("clin:grade 1", "clin:grade 2")) != same
    assert re.fullmatch("[0-9a-f]{64}", same)


# ---------------------------------------------------------------------- blow-ups of other kinds


def refused(kb: Repository, text: str) -> str:
    with pytest.raises(UnreadableInput) as error:
        CaseReader(kb).read("x.ttl", None, text.encode(), FORMATS[".ttl"])
    return str(error.value)


def test_cases_that_all_reach_everything_are_bounded(
    kb: Repository, well_formed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolate, "FIRST_FEW", 0)
    shared = "".join(f":c{i} a case:Case ; case:finding :acute , :transplant .\n" for i in range(200))
    what = "cases share so much that together they say more than 10 times what the file says"
    text = well_formed + ":acute case:finding :case .\n" + shared
    assert refused(kb, text) == f"x.ttl: {what}; split the file, or give each case nodes of its own"
    assert len(CaseReader(kb).read("x.ttl", None, (well_formed + shared).encode(), FORMATS[".ttl"])) == 201


def test_a_case_with_too_many_nodes_is_refused(
    kb: Repository, well_formed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolate, "MAX_NODES", 5)
    assert (
        refused(kb, well_formed)
        == "x.ttl: a case of more than 5 nodes; leave out what has nothing to do with the request"
    )


def test_findings_of_one_class_and_day_are_bounded(kb: Repository, well_formed: str) -> None:
    more = "".join(
        f':g{i} a clin:AcuteGvHDAssessment ; case:date "2026-06-01"^^xsd:date ; clin:grade {i % 5} .\n'
        f":case case:finding :g{i} .\n"
        for i in range(101)
    )
    what = "a case with more than 100 findings of one class and day; state each finding once"
    assert refused(kb, well_formed + more) == f"x.ttl: {what}"


# ---------------------------------------------------------------------- nested

CASE_IRI = f"{BASE}case#Case"
DEEP: dict[str, tuple[str, str]] = {
    # what the file holds; how its line goes on after the name
    "deep.jsonld": (
        f'{{"@id":"urn:a","@type":"{CASE_IRI}"' + ',"urn:p":{"urn:q":1' * 4000 + "}" * 4001,
        ":1: nested more than 100 levels deep; give the inner nodes names, and describe them apart",
    ),
    "triples.ttl": (
        "<urn:a> <urn:p> " + "<<( <urn:a> <urn:b> " * 20_000 + "1" + ")>>" * 20_000 + " .",
        ":1: nested more than 100 levels deep; give the inner nodes names, and describe them apart",
    ),
    "triples.nt": (
        "\n<urn:a> <urn:p> " + "<<( <urn:a> <urn:b> " * 20_000 + "<urn:c>" + " )>>" * 20_000 + " .",
        ":2: nested more than 100 levels deep; give the inner nodes names, and describe them apart",
    ),
    "nodes.ttl": (
        "<urn:a> <urn:p> " + "[ <urn:p> " * 20_000 + "1" + " ]" * 20_000 + " .",
        ":1: nested more than 100 levels deep; give the inner nodes names, and describe them apart",
    ),
    "lists.trig": (
        "<urn:a> <urn:p> " + "( " * 20_000 + "1" + " )" * 20_000 + " .",
        ":1: nested more than 100 levels deep; give the inner nodes names, and describe them apart",
    ),
    "plain.json": ('{"id":' * 20_000 + "1" + "}" * 20_000, ": nested too deeply; a case has three levels"),
    "fhir.json": (
        '{"resourceType":"Bundle","type":"collection","entry":' + "[" * 20_000 + "]" * 20_000 + "}",
        ": nested too deeply; a FHIR resource has a few levels",
    ),
}


@pytest.mark.parametrize("name", DEEP)
def test_what_is_nested_without_end_is_one_line_and_the_good_case_beside_it_is_determined(
    name: str, tmp_path: Path
) -> None:
    content, line = DEEP[name]
    (tmp_path / name).write_text(content, encoding="utf-8")
    shutil.copy(DATA / "case.ttl", tmp_path / "good.ttl")
    ran = process("validate", name, "good.ttl", "--revision", "2026-02", "--format", "json", cwd=tmp_path)
    assert (ran.returncode, ran.stderr.decode()) == (2, f"kb: {name}{line}\n")
    (found,) = json.loads(ran.stdout)["determinations"]
    assert (found["file"], found["outcome"]) == ("good.ttl", "CriteriaMet")


def contexts(terms: int, levels: int) -> str:
    """A context with scoped contexts in it, of so many terms on each of so many levels, and nodes for them."""
    scoped = "{}"
    for level in range(levels):
        named = ",".join(f'"t{level}_{i}":"urn:t{i}"' for i in range(terms))
        scoped = f'{{{named},"a":{{"@id":"urn:a","@context":{scoped}}}}}'
    return f'{{"@context":{scoped},"@id":"urn:s"' + ',"a":{"@id":"urn:q"' * levels + "}" * (levels + 1)


def test_nested_contexts_that_would_take_gigabytes_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonld").write_text(contexts(1000, 45), encoding="utf-8")
    shutil.copy(DATA / "case.jsonld", tmp_path / "good.jsonld")
    ran = process("validate", "x.jsonld", "good.jsonld", "--revision", "2026-02", "--format", "json", cwd=tmp_path)
    what = "contexts with too many terms for so many levels; leave out terms that are not used, or split the file"
    assert (ran.returncode, ran.stderr.decode()) == (2, f"kb: x.jsonld: {what}\n")
    assert [determination["outcome"] for determination in json.loads(ran.stdout)["determinations"]] == ["CriteriaMet"]


def test_contexts_of_a_common_size_are_read_and_all_of_a_large_one_is_counted() -> None:
    assert not nesting.contexts_too_large(contexts(20, 20).encode())
    assert nesting.contexts_too_large(contexts(1000, 45).encode())
    # A key that stands twice counts twice, and an escape hides none.
    written = contexts(1000, 45).replace('"@context"', '"\\u0040context"')
    assert nesting.contexts_too_large(written.encode())
    one, rest = contexts(1000, 45).split(",", 1)
    assert nesting.contexts_too_large(f'{one},{rest[:-1]},"@context":{{}}}}'.encode())
    many = json.dumps([{"@id": f"urn:{i}", "urn:p": "x"} for i in range(5000)])
    assert not nesting.contexts_too_large(many.encode())


BRACKETS = "[({<<" * 200


@pytest.mark.parametrize(
    "text",
    [
        f'<urn:a> <urn:b> "{BRACKETS}" .',
        f"<urn:a> <urn:b> '{BRACKETS}\\'{BRACKETS}' .",
        f'<urn:a> <urn:b> """{BRACKETS}"\n""{BRACKETS}\\"""{BRACKETS}""" .',
        f"<urn:a> <urn:b> '''{BRACKETS}'{BRACKETS}''' .",
        f"# {BRACKETS}\n<urn:a> <urn:b> 1 . # {BRACKETS}",
        f"<urn:a> <urn:b> <urn:{'(' * 200}> .",
        f"PREFIX e: <urn:> <urn:a> <urn:b> {chr(44).join(['e:a' + chr(92) + '(b'] * 200)} .",
        "<urn:a> <urn:b> " + " , ".join(["[ <urn:c> ( [] ) ]"] * 500) + " .",
    ],
    ids=range(8),
)
def test_brackets_that_nest_nothing_do_not_count(text: str) -> None:
    assert nesting.too_deep_at(text.encode(), nesting.TURTLE) is None
    parse(text.encode(), FORMATS[".ttl"], "x")


@pytest.mark.parametrize(
    "before",
    ['<urn:a> <urn:b> "a" , ', "<urn:a> <urn:b> 'it\\'s' , ", '<urn:a> <urn:b> """a"b""" , ', '# "\n<urn:a> <urn:b> '],
    ids=range(4),
)
def test_brackets_after_strings_and_comments_count(before: str) -> None:
    assert nesting.too_deep_at((before + "[ <urn:p> " * 100).encode(), nesting.TURTLE) is None
    assert nesting.too_deep_at((before + "[ <urn:p> " * 101).encode(), nesting.TURTLE) is not None


def test_a_string_that_is_never_closed_is_passed_over_once() -> None:
    for hostile in (
        b'"' + b"\\" * 2**20,
        b'"""' + b'\\"""' * 2**18,
        b"<" * 2**20,
        b"'" * 2**20,
        b"[" * 101 + b"#" * 2**20,
    ):
        begun = time.monotonic()
        nesting.too_deep_at(b"[" * 101 + hostile, nesting.TURTLE)
        nesting.too_deep_at(b"[]" * 101 + hostile, nesting.TURTLE)
        nesting.too_deep_at(b"[]" * 101 + hostile, nesting.JSON)
        assert time.monotonic() - begun < 5


def test_as_many_levels_as_are_allowed_are_read() -> None:
    levels = nesting.MAX_DEPTH
    turtle = "<urn:a> <urn:p> " + "[ <urn:p> " * levels + "1" + " ]" * levels + " ."
    assert len(parse(turtle.encode(), FORMATS[".ttl"], "x")) == levels + 1
    jsonld = '{"urn:p":' * levels + "1" + "}" * levels
    assert len(parse(jsonld.encode(), FORMATS[".jsonld"], "x")) == levels


# ---------------------------------------------------------------------- relative IRIs, lexical forms


@pytest.mark.parametrize("engine", ["pyshacl", "pyshifty"])
def test_relative_iris_are_read_and_name_no_file(tmp_path: Path, run_kb: RunKb, well_formed: str, engine: str) -> None:
    text = well_formed.replace("PREFIX :     <https://example.org/case#>", "PREFIX : <#>")
    assert text != well_formed
    (tmp_path / "Jane-Roe.ttl").write_text(text, encoding="utf-8")
    arguments = ("Jane-Roe.ttl", "--revision", "2026-02", "--format", "json", "--engine", engine)
    one, other = (run_kb("validate", *arguments) for _ in range(2))
    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout == other.stdout
    (found,) = json.loads(one.stdout)["determinations"]
    assert re.fullmatch(rf"{BASE}given/file/[0-9a-f]{{32}}/#case", found["case"])
    assert found["outcome"] == "CriteriaMet"
    assert "Jane-Roe" not in run_kb("validate", "Jane-Roe.ttl", "--format", "turtle", "--engine", engine).stdout


def test_relative_iris_in_json_ld_are_read_too(kb: Repository) -> None:
    content = json.loads((DATA / "case.jsonld").read_text(encoding="utf-8"))
    content["id"] = "#case"
    (case,) = CaseReader(kb).read("x.jsonld", None, json.dumps(content).encode(), FORMATS[".jsonld"])
    assert case.name == "case"


def test_data_beside_a_query_has_canonical_values_and_help_says_so(run_kb: RunKb, tmp_path: Path) -> None:
    text = "<#a> <urn:p> '02'^^<http://www.w3.org/2001/XMLSchema#integer> ."
    (tmp_path / "x.ttl").write_text(text, encoding="utf-8")
    ran = run_kb("query", "-", "--data", "x.ttl", "--format", "csv", stdin=b"SELECT ?o { ?s <urn:p> ?o }")
    assert (ran.returncode, ran.stdout) == (0, "o\r\n2\r\n")
    assert '"02" as 2' in " ".join(run_kb("query", "--help").stdout.split())


# ---------------------------------------------------------------------- folders and files


def test_what_stands_in_a_folder_and_is_no_file_is_named_and_waited_for_by_nobody(
    tmp_path: Path, run_kb: RunKb, well_formed: str
) -> None:
    folder = tmp_path / "cases"
    (folder / "inner").mkdir(parents=True)
    (folder / "good.ttl").write_text(well_formed, encoding="utf-8")
    (folder / "broken.ttl").symlink_to("nowhere.ttl")
    (folder / "circle.ttl").symlink_to("circle.ttl")
    (folder / "inner/loop").symlink_to("..")
    os.mkfifo(folder / "pipe.json")
    (folder / "empty.jsonl").touch()
    ran = run_kb("validate", "cases", "--revision", "2026-02", "--format", "json", "--engine", "pyshifty")
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "kb: cases/inner/loop: a link to a folder is not followed; name the folder itself",
        "kb: cases/broken.ttl: No such file or directory; check the path and its permissions",
        "kb: cases/circle.ttl: Too many levels of symbolic links; check the path and its permissions",
        "kb: cases/pipe.json: a named pipe in a folder is not read; name it by itself, or remove it",
        "kb: cases/empty.jsonl: no case in this file; write one case a line, as JSON",
    ]
    assert [determination["file"] for determination in json.loads(ran.stdout)["determinations"]] == ["cases/good.ttl"]


@pytest.mark.parametrize("content", [b"", b"\n\n  \n"])
def test_lines_without_a_case_are_said(run_kb: RunKb, content: bytes) -> None:
    ran = run_kb("validate", "-", "--input-format", "jsonl", stdin=content)
    line = "kb: standard input: no case in this file; write one case a line, as JSON\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", line)


def test_an_input_that_breaks_the_reader_in_a_way_nobody_foresaw_stops_no_other(
    run_kb: RunKb, tmp_path: Path, well_formed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad.ttl", "good.ttl"):
        (tmp_path / name).write_text(well_formed, encoding="utf-8")

    def broken(data: bytes, format_: ox.RdfFormat, where: str, base: str | None = None) -> object:
        if where == "bad.ttl":
            raise ZeroDivisionError("of the test\nand more")
        return parse(data, format_, where, base)

    monkeypatch.setattr(cases_reader, "parse", broken)
    ran = run_kb("validate", "bad.ttl", "good.ttl", "--revision", "2026-02", "--format", "fhir", "--engine", "pyshifty")
    assert ran.returncode == 2
    assert ran.stderr == "kb: bad.ttl: cannot be read: ZeroDivisionError: of the test and more; correct it\n"
    assert '"valueCoding": {' in ran.stdout
    assert '"text": "input 1: cannot be read; correct it"' in ran.stdout


# ---------------------------------------------------------------------- the edge of the command


@LINUX
@pytest.mark.parametrize(
    "arguments",
    [["show"], ["show", "2026-02", "--format", "json"], ["shapes", "2026-02"], ["--help"], ["query"]],
    ids=" ".join,
)
def test_a_full_disk_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=os.environ | {"KB_ROOT": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    line = b"kb: standard output: No space left on device; --debug shows where it happened\n"
    assert (ran.returncode, ran.stderr) == (2, line)


def without_a_reader(path: Path, *arguments: str, stderr: bool = False) -> tuple[int, bytes | None]:
    """The exit code of a command whose output nobody reads, and what it says on stderr where somebody reads that."""
    ours, theirs = os.pipe()
    os.close(ours)
    ran = subprocess.run(
        command(*arguments),
        cwd=path,
        env=os.environ | {"KB_ROOT": str(ROOT)},
        stdout=theirs,
        stderr=theirs if stderr else subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(theirs)
    return ran.returncode, ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show"], 0),
        (["--help"], 0),
        (["export", "--revision", "2026-02", "--format", "turtle"], 0),
        (["diff", "2023-10", "2023-11", "--engine", "pyshifty"], 1),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_reader_that_has_left_is_no_error(arguments: list[str], code: int, tmp_path: Path) -> None:
    assert without_a_reader(tmp_path, *arguments) == (code, b"")


def test_a_reader_of_both_streams_that_has_left_is_no_error(tmp_path: Path) -> None:
    # What goes wrong is still told by the exit code.
    assert without_a_reader(tmp_path, "show", "2099-01", stderr=True) == (2, None)


def test_cases_that_nobody_hears_of_are_not_determined(tmp_path: Path, well_formed: str) -> None:
    (tmp_path / "cases").mkdir()
    for number in range(12):
        (tmp_path / f"cases/{number:02}.ttl").write_text(well_formed, encoding="utf-8")
    arguments = ("validate", "cases", "--revision", "2026-02", "--explain", "--engine", "pyshifty")
    assert without_a_reader(tmp_path, *arguments) == (141, b"")
    # Records are of all cases, whoever reads on.
    assert without_a_reader(tmp_path, *arguments, "--record", "records")[0] == 0
    assert len((tmp_path / "records/records.jsonl").read_text(encoding="utf-8").splitlines()) == 12


def test_no_standard_output_is_one_line(tmp_path: Path) -> None:
    shell = f"'{sys.executable}' -c 'from kb_tools.cli import main; main()' show >&-"
    env = os.environ | {"KB_ROOT": str(ROOT)}
    ran = subprocess.run(["sh", "-c", shell], cwd=tmp_path, env=env, capture_output=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (
        2,
        b"kb: standard output is closed; send it to a terminal, a file or a pipe\n",
    )


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_terminal_without_the_letters_is_no_traceback(env: dict[str, str], format_: str, tmp_path: Path) -> None:
    ran = process("show", "2026-02", "--format", format_, cwd=tmp_path, **env)
    assert (ran.returncode, ran.stderr) == (0, b"")
    if format_ == "json":
        # What programs read is in UTF-8 all the same, to the byte.
        assert ran.stdout == process("show", "2026-02", "--format", "json", cwd=tmp_path).stdout
    else:
        assert ran.stdout.isascii()


def test_a_name_that_is_not_utf_8_is_no_traceback(tmp_path: Path, well_formed: str) -> None:
    name = os.fsdecode(b"caf\xe9.ttl")
    (tmp_path / name).write_text(well_formed, encoding="utf-8")
    missing = os.fsdecode(b"\xff.ttl")
    for format_ in ("text", "json"):
        ran = process("validate", name, missing, "--format", format_, "--engine", "pyshifty", cwd=tmp_path)
        assert ran.returncode == 2
        line = "kb: \N{REPLACEMENT CHARACTER}.ttl: No such file or directory; check the path and its permissions\n"
        assert ran.stderr.decode() == line
        ran.stdout.decode()
        if format_ == "json":
            assert json.loads(ran.stdout)["determinations"][0]["file"] == name


@LINUX
def test_ctrl_c_is_130(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ttl")
    running = subprocess.Popen(
        command("validate", "pipe.ttl"),
        cwd=tmp_path,
        env=os.environ | {"KB_ROOT": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # Waits until the command has opened the other end, and keeps it waiting for more.
    with running, (tmp_path / "pipe.ttl").open("wb"):
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out, err) == (130, b"", b"kb: interrupted\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "not enough memory; give fewer or smaller files at a time"),
        (RecursionError("x"), "something is nested too deeply, or in a circle; "),
        (
            ZeroDivisionError("by\nzero \x1b[31m"),
            "unexpected ZeroDivisionError: by zero \N{REPLACEMENT CHARACTER}[31m; ",
        ),
        (PermissionError(13, "Permission denied", "f"), "f: Permission denied; --debug shows where it happened"),
        (KbError("no such thing", where="a\nb", hint="hint it"), "a\N{REPLACEMENT CHARACTER}b: no such thing; hint it"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_whatever_is_not_foreseen_is_one_line_and_a_traceback_only_where_it_is_asked_for(
    run_kb: RunKb, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("kb_tools.model.repository.find_root", fail)
    hint = "kb check says whether the knowledge base is sound; --debug shows where it happened"
    expected = f"kb: {line}{hint if line.endswith('; ') else ''}\n"
    ran = run_kb("show")
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", expected)
    for shown in (run_kb("--debug", "show"), _with_env(run_kb, monkeypatch)):
        assert shown.returncode == 2
        assert shown.stderr.startswith("Traceback (most recent call last)")
        assert shown.stderr.endswith(expected)


def _with_env(run_kb: RunKb, monkeypatch: pytest.MonkeyPatch) -> CompletedProcess[str]:
    with monkeypatch.context() as patched:
        patched.setenv("KB_DEBUG", "1")
        return run_kb("show")


# ---------------------------------------------------------------------- a damaged knowledge base

CRITERIA = "policies/CP.MP.101/2026-02/criteria.ttl"
FIRST = r"pol:allOf \(\s+cond:after-allogeneic-transplant"
REST = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#rest>"


def tree(replacement: str) -> Callable[[Path], None]:
    """Puts something in place of the first part of criterion I."""

    def damage(root: Path) -> None:
        path = root / CRITERIA
        text, count = re.subn(FIRST, replacement, path.read_text(encoding="utf-8"), count=1)
        assert count == 1
        path.write_text(text, encoding="utf-8")

    return damage


DAMAGE: dict[str, tuple[Callable[[Path], None], str, str]] = {
    # what is done to it; the line of kb validate after the folder; the problem that kb check finds
    "an empty list": (
        tree("pol:allOf () ; pol:parts ( cond:after-allogeneic-transplant"),
        f"{CRITERIA}: crit:indication has no parts; list them",
        "crit:indication has no parts; list them",
    ),
    "a list in a circle": (
        tree(
            f"pol:allOf <urn:l> . <urn:l> <http://www.w3.org/1999/02/22-rdf-syntax-ns#first> cond:mrd-is-detected ; "
            f"{REST} <urn:l> . crit:indication pol:parts ( cond:after-allogeneic-transplant"
        ),
        f"{CRITERIA}: crit:indication has a list of parts that runs in a circle; end it",
        "crit:indication has a list of parts that runs in a circle; end it",
    ),
    "a criterion that names itself": (
        tree("pol:allOf ( crit:indication cond:after-allogeneic-transplant"),
        f"{CRITERIA}: crit:indication is a part of itself; correct the tree",
        "crit:indication is a part of itself; correct the tree",
    ),
    "two lists": (
        tree("pol:anyOf ( cond:mrd-is-detected ) ; pol:allOf ( cond:after-allogeneic-transplant"),
        f"{CRITERIA}: crit:indication has 2 lists of parts; give one pol:allOf, pol:anyOf, pol:noneOf, "
        "or pol:atLeast with pol:of",
        "crit:indication has 2 lists of parts; give one pol:allOf, pol:anyOf, pol:noneOf, or pol:atLeast with pol:of",
    ),
    "a text for a list": (
        tree('pol:allOf "x" ; pol:parts ( cond:after-allogeneic-transplant'),
        f"{CRITERIA}: crit:indication has parts that are no list; write them in brackets",
        "crit:indication has parts that are no list; write them in brackets",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the knowledge base, to be damaged."""
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / "kb" / folder)
    return tmp_path / "kb"


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_tree_is_one_line_in_every_command_and_a_problem_for_the_check(
    name: str, copy: Path, run_kb: RunKb
) -> None:
    damage, line, problem = DAMAGE[name]
    damage(copy)
    for arguments in (
        ["show", "2026-02"],
        ["validate", str(DATA / "case.ttl"), "--revision", "2026-02", "--engine", "pyshifty"],
        ["diff", "2025-02", "2026-02"],
    ):
        ran = run_kb(*arguments, "--kb", str(copy))
        assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"kb: {copy}/{line}\n"), arguments
    ran = run_kb("check", "--only", "criteria", "--kb", str(copy))
    assert ran.returncode == 1
    assert f"- policies/CP.MP.101/2026-02: {problem}" in " ".join(ran.stdout.split())
    # What has nothing to do with it goes on.
    assert run_kb("show", "2019-10", "--kb", str(copy)).returncode == 0


def _empty(path: Path) -> None:
    path.write_text("", encoding="utf-8")


def _remove_revisions(root: Path) -> None:
    for path in (root / "policies/CP.MP.101").glob("*/revision.ttl"):
        shutil.rmtree(path.parent)


GONE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no policies": (
        lambda root: shutil.rmtree(root / "policies"),
        "policies: no policy on file; restore the folders of the policies",
    ),
    "no conditions": (
        lambda root: shutil.rmtree(root / "shapes/conditions"),
        "policies/CP.MP.101/2026-02/criteria.ttl: cond:service-is-dli is no condition; describe it in "
        "shapes/conditions/, as a pol:Condition",
    ),
    "no rules": (
        lambda root: (root / "shapes/derivation.ttl").unlink(),
        "shapes/derivation.ttl: No such file or directory; check the path and its permissions",
    ),
    "empty rules": (
        lambda root: _empty(root / "shapes/derivation.ttl"),
        "shapes/derivation.ttl: the rules for what counts are missing; restore it from version control",
    ),
    "empty case shapes": (
        lambda root: _empty(root / "shapes/case.ttl"),
        "shapes/case.ttl: no shape describes a case; restore it from version control",
    ),
    "empty prefixes": (
        lambda root: _empty(root / "ontology/prefixes.ttl"),
        "ontology/prefixes.ttl: declares no prefix; restore it from version control",
    ),
    "no revisions": (_remove_revisions, ""),
}


@pytest.mark.parametrize("name", GONE)
def test_what_is_missing_of_a_knowledge_base_is_one_line_and_decides_nothing(
    name: str, copy: Path, run_kb: RunKb
) -> None:
    damage, line = GONE[name]
    damage(copy)
    ran = run_kb("validate", str(DATA / "case.ttl"), "--kb", str(copy), "--engine", "pyshifty", "--format", "json")
    assert ran.returncode == 2
    if line:
        assert (ran.stdout, ran.stderr) == ("", f"kb: {copy}/{line}\n")
    else:
        where = f"{copy}/policies/CP.MP.101: CP.MP.101 has no revision on file; begin one with "
        where += "kb draft start DOCUMENT --policy CP.MP.101 --revision YYYY-MM, or restore its folders\n"
        assert ran.stderr == f"kb: {DATA / 'case.ttl'}#case: {where}"
        assert json.loads(ran.stdout)["determinations"] == []


def test_a_prefix_table_that_is_no_turtle_is_one_line_and_a_problem_for_the_check(copy: Path, run_kb: RunKb) -> None:
    (copy / "ontology/prefixes.ttl").write_text("@prefix", encoding="utf-8")
    ran = run_kb("validate", str(DATA / "case.ttl"), "--kb", str(copy))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(
        rf"kb: {copy}/ontology/prefixes\.ttl:1: not valid Turtle: [^\n]+; correct the syntax\n", ran.stderr
    )
    ran = run_kb("check", "--only", "parses", "--kb", str(copy))
    assert ran.returncode == 1
    assert "- ontology/prefixes.ttl:1: not valid Turtle" in " ".join(ran.stdout.split())


# ---------------------------------------------------------------------- controls

ESCAPES = "\x1b[31mred\x07\x9b2J\u202egnp.exe\u2066"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def test_what_a_terminal_obeys_is_replaced_or_escaped() -> None:
    assert printable.text(f"a\n\t{ESCAPES}") == "a\n\t\ufffd[31mred\ufffd\ufffd2J\ufffdgnp.exe\ufffd"
    assert printable.line("a\nb\tc") == "a\ufffdb\ufffdc"
    assert json.loads(printable.escaped(json.dumps(ESCAPES, ensure_ascii=False))) == ESCAPES
    assert printable.text("Größe – 90 % µ\u00a0x 漢字") == "Größe – 90 % µ\u00a0x 漢字"


@pytest.mark.parametrize("format_", FORMATS_OUT)
def test_controls_in_names_of_files_and_cases_never_come_out_raw(
    tmp_path: Path, run_kb: RunKb, well_formed: str, format_: str
) -> None:
    name = f"x{ESCAPES}\nCRITERIA MET.ttl"
    label = f'rdfs:label "{printable.escaped(ESCAPES)}\\n(met)"'
    text = well_formed.replace(":case a case:Case", f"<urn:case:\u202eevil> {label} ; a case:Case", 1)
    text = "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n" + text
    assert text.count("\u202e") == 1
    (tmp_path / name).write_text(text, encoding="utf-8")
    bad = f"y{ESCAPES}.ttl"
    (tmp_path / bad).write_text(
        well_formed.replace("clin:grade 1", f'clin:grade "{printable.escaped(ESCAPES)}"'), encoding="utf-8"
    )
    ran = run_kb(
        "validate", name, bad, f"missing{ESCAPES}\n.ttl", "--revision", "2026-02", "--explain", "--format", format_
    )
    assert ran.returncode == 2
    assert not UNSAFE.search(ran.stdout), UNSAFE.search(ran.stdout)
    assert not UNSAFE.search(ran.stderr)
    assert ran.stderr.count("\n") == 1
    if format_ == "text":
        assert "CRITERIA MET.ttl" not in [line.strip() for line in ran.stdout.splitlines()]
        assert "\n(met)" not in ran.stdout
    if format_ == "json":
        assert json.loads(ran.stdout)["determinations"][0]["file"] == name


def test_controls_reach_no_terminal(tmp_path: Path, well_formed: str) -> None:
    text = well_formed.replace(":case a case:Case", "<urn:case:\u202eevil> a case:Case", 1)
    (tmp_path / f"x{ESCAPES}.ttl").write_text(text, encoding="utf-8")
    shown = on_terminal(
        command("validate", f"x{ESCAPES}.ttl", "--revision", "2026-02", "--engine", "pyshifty"),
        tmp_path,
        {"KB_ROOT": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
    )
    assert "\x1b[31mred" not in shown
    assert not re.search("[\x07\x9b\u202a-\u202e\u2066-\u2069]", shown)
    assert "red\ufffd\ufffd2J\ufffdgnp.exe" in shown


def test_controls_reach_no_markdown_no_page_and_no_junit() -> None:
    made = document.Document(f"title {ESCAPES}")
    made.section(f"section {ESCAPES}", document.Paragraph(f"a {ESCAPES}\n# b"), document.Table(("h",), [(ESCAPES,)]))
    for written in (document.markdown(made), document.page(made)):
        assert "gnp.exe" in written
        assert not UNSAFE.search(written)
    assert "\n# b" not in document.markdown(made)
    written = suite("kb", [JUnitCase("s", f"name {ESCAPES}", "failure", f"message {ESCAPES}\n")])
    assert not UNSAFE.search(written)
    assert "gnp.exe" in ElementTree.fromstring(written)[0].attrib["name"]


def test_controls_in_what_was_typed_come_back_replaced(run_kb: RunKb) -> None:
    for arguments in (
        ["show", ESCAPES],
        [ESCAPES],
        ["show", f"--{ESCAPES}"],
        ["query", ESCAPES],
        ["check", "--only", ESCAPES],
    ):
        ran = run_kb(*arguments)
        assert ran.returncode == 2
        assert ran.stderr and not UNSAFE.search(ran.stderr)


# ---------------------------------------------------------------------- what goes to others


def test_records_name_an_input_by_its_position_and_digest(
    run_kb: RunKb, tmp_path: Path, well_formed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_PSEUDONYM_KEY", "of the tests")
    name = "Testgiven_Testfamily_0000"
    bundle = ROOT / "tests/data"
    sample = next(iter(sorted(bundle.rglob("*bundle*.json"))), None) or next(
        path for path in sorted(bundle.rglob("*.json")) if b'"resourceType"' in path.read_bytes()
    )
    shutil.copy(sample, tmp_path / f"{name}.json")
    (tmp_path / f"{name}.ttl").write_text(well_formed.replace(":case a case:Case", "[] a case:Case"), encoding="utf-8")
    (tmp_path / f"{name}.nt").write_text("not RDF", encoding="utf-8")
    (tmp_path / f"{name}.jsonl").write_text('{"id": "a b"}\n{"x": 1, "y": 2}\n', encoding="utf-8")
    names = [f"{name}.{ending}" for ending in ("missing.ttl", "json", "ttl", "nt", "jsonl")]
    fhir = run_kb("validate", *names, "--revision", "2026-02", "--format", "fhir")
    turtle = run_kb("validate", *names, "--revision", "2026-02", "--format", "turtle")
    assert fhir.returncode == turtle.returncode == 2
    for written in (fhir.stdout, turtle.stdout):
        assert "Testgiven" not in written
        assert re.search(r"input 2 \(sha256 [0-9a-f]{16}\)", written)
        assert re.search(r"input 3 \(sha256 [0-9a-f]{16}\)", written)
    entries = [entry["resource"] for entry in json.loads(fhir.stdout)["entry"]]
    (outcome,) = [entry for entry in entries if entry["resourceType"] == "OperationOutcome"]
    texts = [issue["details"]["text"] for issue in outcome["issue"]]
    assert texts[0] == "input 1: No such file or directory; check the path and its permissions"
    assert texts[1].startswith("input 4: not valid N-Triples: ")
    assert [text.partition("; ")[0] for text in texts[2:]] == [
        "input 5, line 1: not an allowed name",
        'input 5, line 2: unknown key "x"',
        'input 5, line 2: unknown key "y"',
    ]
    # What is for the user alone keeps the name.
    assert "Testgiven" in fhir.stderr
    assert "Testgiven" in run_kb("validate", f"{name}.ttl", "--format", "json").stdout


# ---------------------------------------------------------------------- slips


def test_every_slip_of_a_json_case_is_reported_in_one_run_and_counted_as_one_input(
    run_kb: RunKb, tmp_path: Path, well_formed: str
) -> None:
    case = {
        "patient": "p",
        "lineOfBusines": "Commercial",
        "request": {"serviceDate": "2026-7-1", "purposes": ["TreatRelapse", "x", None]},
        "findings": [{"type": "Transplant", "date": 1}, 5, {"date": "2026-01-01"}],
    }
    (tmp_path / "case.json").write_text(json.dumps(case), encoding="utf-8")
    (tmp_path / "good.ttl").write_text(well_formed, encoding="utf-8")
    ran = run_kb("validate", "case.json", "good.ttl", "--revision", "2026-02", "--engine", "pyshifty")
    assert ran.returncode == 2
    assert [line.partition("; ")[0] for line in ran.stderr.splitlines()] == [
        'kb: case.json: unknown key "lineOfBusines"',
        'kb: case.json: request.serviceDate: "2026-7-1", but a full date, as YYYY-MM-DD, is expected',
        'kb: case.json: request.purposes[1]: "x" is not a value of this key',
        "kb: case.json: request.purposes[2]: null says nothing",
        "kb: case.json: findings[0].date: 1, but a full date, as YYYY-MM-DD, is expected",
        "kb: case.json: findings[1]: 5, but an object is expected",
        "kb: case.json: findings[2]: no type",
    ]
    assert [line.split() for line in ran.stdout.splitlines()[-2:]] == [
        ["CriteriaMet", "1"],
        ["inputs", "that", "could", "not", "be", "read", "1"],
    ]
    errors = json.loads(run_kb("validate", "case.json", "--format", "json").stdout)["errors"]
    assert [f"kb: {error}" for error in errors] == ran.stderr.splitlines()
    root = ElementTree.fromstring(run_kb("validate", "case.json", "--format", "junit").stdout)
    assert root.attrib["errors"] == "1"
    assert root[0][0].attrib["message"].count("case.json: ") == 7


def test_slips_without_end_are_not_all_printed(kb: Repository) -> None:
    case = {"id": "1", "findings": list(range(1000))}
    (found,) = CaseReader(kb).stream("case.json", None, io.BytesIO(json.dumps(case).encode()), "json")
    assert isinstance(found, UnreadableInput)
    lines = found.lines()
    assert len(lines) == 101
    assert lines[-1] == "case.json: 900 more slips; correct these first"
    assert str(found).startswith("case.json: findings[0]: 0, but an object is expected (and 100 more)")


# ---------------------------------------------------------------------- JUnit


def test_junit_keeps_alternatives(run_kb: RunKb, tmp_path: Path) -> None:
    manifest = ROOT / "policies/CP.MP.101/cases"
    bare = next(path for path in sorted(manifest.rglob("*.ttl")) if "bare" in path.name)
    shutil.copy(bare, tmp_path / "bare.ttl")
    text = run_kb("validate", "bare.ttl", "--revision", "2026-02").stdout
    root = ElementTree.fromstring(run_kb("validate", "bare.ttl", "--revision", "2026-02", "--format", "junit").stdout)
    message = root[0][0].attrib["message"]
    assert message.startswith("InformationNeeded: send in: ")
    found = re.search(r"One of: (.+?), or: (.+?)(?:, or: .+?)*(?:;|\.$)", message)
    assert found
    assert "One of:" in text
    in_text = " ".join(text.split())
    for alternative in found.groups():
        assert alternative in in_text


# ---------------------------------------------------------------------- files are written whole

FULL = OSError(28, "No space left on device")


def _full(descriptor: int) -> None:
    raise FULL


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old")
    old.chmod(0o640)
    (tmp_path / "link").symlink_to("old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _full)
        with pytest.raises(OSError, match="No space left"):
            write_atomically({old: b"x", new: b"y"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "old"]
    assert old.read_bytes() == b"old"
    write_atomically({tmp_path / "link": b"x", new: b"y"})
    assert (old.read_bytes(), new.read_bytes()) == (b"x", b"y")
    assert (tmp_path / "link").is_symlink()
    assert old.stat().st_mode & 0o777 == 0o640
    os.umask(mask := os.umask(0))
    assert new.stat().st_mode & 0o777 == 0o666 & ~mask
    write_atomically({Path("/dev/null"): b"x"})


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"), new_folder(tmp_path / "2027-02") as made:
        (made / "revision.ttl").touch()
        # A run that is ended here leaves nothing that is taken for a revision.
        assert not list(tmp_path.glob("*/revision.ttl"))
        raise FULL
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "2027-02") as made:
        (made / "revision.ttl").touch()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["2027-02", "2027-02/revision.ttl"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["export", "--output", "out"], "out: No space left on device; name another file"),
        (
            ["diff", "2019-10", "2026-02", "--witness", "out"],
            "out: cannot be written: No space left on device; name another file",
        ),
    ],
    ids=["export", "diff"],
)
def test_a_failure_leaves_the_old_file(
    run_kb: RunKb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    (tmp_path / "out").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", _full)
    ran = run_kb(*arguments)
    assert (ran.returncode, ran.stderr) == (2, f"kb: {line}\n")
    assert (tmp_path / "out").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# ---------------------------------------------------------------------- what is kept, and what comes back


def test_a_closure_that_is_damaged_is_made_again(
    kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # What is computed is not what is tested here.
    monkeypatch.setattr(owlrl.DeductiveClosure, "expand", lambda *_: None)
    policy = kb.policy()
    entry = policy.entry("2015-11")
    made = set(dataset.entailed(kb, policy, entry, "rdfs"))
    (path,) = tmp_path.rglob("*.nt")
    content = path.read_bytes()
    assert re.match(rb"# sha256 [0-9a-f]{64}\n", content)
    lines = content.splitlines(keepends=True)
    for damaged in (b"", content[: len(content) // 2], b"".join(lines[:-1]), b"".join(lines[1:]), content + lines[1]):
        path.write_bytes(damaged)
        assert len(list(dataset.closure(kb, policy, entry, "rdfs"))) == len(made)
        path.write_bytes(damaged)
        assert len(dataset.entailed(kb, policy, entry, "rdfs")) == len(made)
        assert len(path.read_bytes()) == len(content)


@pytest.mark.parametrize("part", ["catalog.json", "CURRENT", "MANIFEST", ".sst"])
def test_a_store_that_is_damaged_says_what_to_remove(
    kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(dataset, "KEPT_FROM", 0)
    asked = Inquiry(ROOT, "SELECT * { ?s a ?o }", union=True, max_rows=10**6)
    ask_execute.execute(resolve(kb, asked))
    found = [path for path in tmp_path.rglob("*") if path.is_file() and part in path.name]
    assert found
    for path in found:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(KbError) as error:
        ask_execute.execute(resolve(kb, asked))
    line = rf"{tmp_path}/kb-tools/[^ ]+: the graphs kept here are damaged: [^\n]+; remove the folder: it is made again"
    assert re.fullmatch(line, str(error.value))
    shutil.rmtree(error.value.where)
    assert ask_execute.execute(resolve(kb, asked)).rows


def test_the_process_that_answers_sends_json_that_comes_back_as_it_was() -> None:
    literals = [
        ox.Literal("02", datatype=ox.NamedNode("http://www.w3.org/2001/XMLSchema#integer")),
        ox.Literal("a\u202e\n"),
    ]
    literals += [ox.Literal("a", language="en"), ox.Literal("a", language="en", direction=ox.BaseDirection("rtl"))]
    node = ox.NamedNode("urn:a")
    result = RawResult(
        variables=["x"],
        rows=[[node, None, ox.BlankNode("b"), *literals]],
        triples=[ox.Triple(node, node, literals[0])],
        labels={"urn:a": "term"},
        truth=False,
        more=True,
        notes=["x"],
        prefixes={"term": "iri"},
    )
    written = query_answer.write(result)
    json.loads(written)
    assert query_answer.read(written, RawResult) == result
    assert query_answer.read(query_answer.write(None), RawResult) is None
    for error in (UnknownRevision("a", where="b", hint="c"), ask_sparql.QueryError("x"), KbError("y")):
        back = query_answer.read(query_answer.write(error), RawResult)
        assert type(back) is type(error)
        assert str(back) == str(error)


@pytest.mark.parametrize(
    "answer",
    [b"", b"cos\nsystem\n", b"[]", b'{"result": 1}', b'{"error": "OSError", "what": "x"}', b'{"result": {"x": 1}}'],
)
def test_an_answer_that_is_none_is_one_line(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({answer!r})"
    monkeypatch.setattr(ask_worker, "_CODE", code)
    with pytest.raises(ask_sparql.QueryError, match=r"^the query failed: its answer cannot be read; simplify it$"):
        ask_worker.run(Inquiry(ROOT, "ASK {}", union=True), 5)


# ---------------------------------------------------------------------- one order


@pytest.mark.parametrize("format_", ["turtle", "ntriples", "jsonld"])
def test_shapes_are_the_same_bytes_under_every_hash_seed(format_: str, tmp_path: Path) -> None:
    written = {
        process("shapes", "2026-02", "--format", format_, cwd=tmp_path, PYTHONHASHSEED=seed).stdout for seed in "123"
    }
    (only,) = written
    assert len(only) > 100_000


def test_the_edge_is_the_one_of_the_console_script() -> None:
    assert main.__module__ == "kb_tools.cli"
