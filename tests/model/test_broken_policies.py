"""One policy that is broken stops no other: each command says what is wrong in one line, and goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from several_policies import DATA, copied, knowledge_base

import kb_tools
from kb_tools.errors import KnowledgeBaseError
from kb_tools.serve.workbench import Workbench

pytestmark = pytest.mark.usefixtures("no_policy_preferred")
RunKb = Callable[..., CompletedProcess[str]]
CASE = str(DATA / "case.ttl")
INDICATION = "pol:anyOf ( cond:mrd-is-detected cond:relapse-risk-is-raised )"
CIRCLE = "CIR.1/2024-01/criteria.ttl: circ:residual-disease is a part of itself; correct the tree"
SYNTAX = (
    "SYN.1/2024-01/criteria.ttl:28: not valid Turtle: Parser error at line 28 between columns 8 and 12: oops is not a "
    "valid predicate; correct the syntax"
)
EMPTY = (
    "NOC.1: NOC.1 has no revision on file; begin one with kb draft start DOCUMENT --policy NOC.1 --revision YYYY-MM, "
    "or restore its folders"
)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TST.7 beside CP.MP.101 and three that are broken: a circle, a slip of syntax, and no revision."""
    root = knowledge_base(tmp_path_factory.mktemp("broken-policies"), "TST.7")
    for identifier, prefix in (("CIR.1", "circ"), ("SYN.1", "scrit"), ("NOC.1", "ncrit")):
        copied(root, "TST.7", identifier, {"tcrit": prefix, "tlog": f"{prefix}l", "tpsg": f"{prefix}p"})
    _change(root / "policies/CIR.1/2024-01/criteria.ttl", INDICATION, "pol:anyOf ( circ:residual-disease )")
    _change(root / "policies/SYN.1/2024-01/criteria.ttl", f"    {INDICATION} ;", f"    {INDICATION} ;\n    ;; oops")
    for name in ("2024-01", "cases"):
        shutil.rmtree(root / "policies/NOC.1" / name)
    return root


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def _skipped(root: Path, *errors: str) -> str:
    names = [error.partition("/")[0].partition(":")[0] for error in errors]
    return "".join(
        f"kb: {name} is skipped: {root}/policies/{error}\n" for name, error in zip(names, errors, strict=True)
    )


def test_show_lists_what_can_be_read_with_a_line_for_each_that_cannot(broken: Path, run_kb: RunKb) -> None:
    ran = run_kb("show", "--kb", str(broken))
    assert [line for line in ran.stdout.splitlines() if line[0].isupper() and not line.startswith("Revision")] == [
        "CIR.1  Residual Disease",
        "CP.MP.101  Donor Lymphocyte Infusion",
        "TST.7  Residual Disease",
    ]
    assert (ran.stderr, ran.returncode) == (_skipped(broken, EMPTY, SYNTAX), 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "CIR.1/2024-01"),
        ("shapes", "CIR.1/2024-01"),
        ("validate", CASE, "--policy", "CIR.1"),
        ("validate", CASE, "--revision", "CIR.1/2024-01"),
        ("test", "--policy", "CIR.1"),
    ],
)
def test_what_is_asked_of_a_circle_is_one_line(broken: Path, run_kb: RunKb, arguments: tuple[str, ...]) -> None:
    ran = run_kb(*arguments, "--kb", str(broken))
    assert (ran.stdout, ran.stderr, ran.returncode) == ("", f"kb: {broken}/policies/{CIRCLE}\n", 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "SYN.1/2024-01"),
        ("validate", CASE, "--policy", "SYN.1"),
        ("query", "codes", "--policy", "SYN.1"),
        ("export", "--revision", "SYN.1/2024-01"),
    ],
)
def test_what_is_asked_of_a_slip_of_syntax_is_one_line(broken: Path, run_kb: RunKb, arguments: tuple[str, ...]) -> None:
    ran = run_kb(*arguments, "--kb", str(broken))
    lines = [line for line in ran.stderr.splitlines(True) if "NOC.1 is skipped" not in line]
    assert (ran.stdout, lines, ran.returncode) == ("", [f"kb: {broken}/policies/{SYNTAX}\n"], 2)


def test_a_case_is_determined_under_a_policy_that_can_be_read(broken: Path, run_kb: RunKb) -> None:
    asked = ("validate", CASE, "--engine", "pyshifty", "--format", "json", "--kb", str(broken))
    ran = run_kb(*asked, "--policy", "TST.7")
    assert (ran.stderr, ran.returncode) == ("", 0)
    ran = run_kb(*asked, "--policy", "all")
    found = json.loads(ran.stdout)["determinations"]
    assert [(one["policy"], one["outcome"]) for one in found] == [
        ("CP.MP.101", "CriteriaMet"),
        ("TST.7", "CriteriaMet"),
    ]
    assert (ran.stderr, ran.returncode) == (_skipped(broken, EMPTY, SYNTAX, CIRCLE), 2)


def test_where_nobody_can_tell_what_names_a_policy_a_case_is_determined_under_no_other_unasked(
    tmp_path: Path, run_kb: RunKb
) -> None:
    root = knowledge_base(tmp_path / "kb", "TST.7")
    _change(root / "policies/TST.7/policy.ttl", "a pol:Policy ;", "a pol:Policy ; oops")
    ran = run_kb("validate", CASE, "--engine", "pyshifty", "--kb", str(root))
    error = (
        "TST.7/policy.ttl:13: not valid Turtle: Parser error at line 13 between columns 20 and 24: oops is not a valid "
        "predicate; correct the syntax"
    )
    assert ran.stdout.splitlines()[0].endswith("#case: NOT DETERMINED")
    why = (
        f"kb: {CASE}#case: the case may name 2 policies, of which TST.7 cannot be read; run kb check and mend it; or "
        "state the payer of the coverage, or choose with --policy: CP.MP.101\n"
    )
    assert (ran.stderr, ran.returncode) == (_skipped(root, error) + why, 2)
    # Who names the other policy does not meet it.
    ran = run_kb("validate", CASE, "--engine", "pyshifty", "--policy", "CP.MP.101", "--kb", str(root))
    assert (ran.stderr, ran.returncode) == ("", 0)


def test_questions_are_answered_from_the_others_and_say_what_is_left_out(broken: Path, run_kb: RunKb) -> None:
    ran = run_kb("query", "criteria", "--policy", "TST.7", "--format", "csv", "--kb", str(broken))
    assert [line.partition(",")[0] for line in ran.stdout.splitlines()] == ["place", "1", "2", "Scope"]
    lines = [line for line in ran.stderr.splitlines(True) if "is skipped" in line]
    assert ("".join(lines), ran.returncode) == (_skipped(broken, EMPTY, SYNTAX), 0)


def test_the_example_cases_of_the_others_are_run(broken: Path, run_kb: RunKb) -> None:
    ran = run_kb("test", "--engine", "pyshifty", "--kb", str(broken))
    assert ran.stdout == "TST.7: 1 expectation on 1 case, 1 as expected, 0 not\n"
    no_cases = [
        f"{name}/cases/manifest.ttl: no manifest of example cases; write one" for name in ("CP.MP.101", "NOC.1")
    ]
    assert (ran.stderr, ran.returncode) == (_skipped(broken, CIRCLE, *no_cases, SYNTAX), 2)


def test_the_checks_go_on_without_what_cannot_be_read(broken: Path, run_kb: RunKb) -> None:
    only = ("--only", "parses", "--only", "in-force", "--only", "criteria", "--only", "named-by")
    content = json.loads(run_kb("check", *only, "--format", "json", "--kb", str(broken)).stdout)
    assert {one["check"]: [problem["where"] for problem in one["problems"]] for one in content} == {
        "parses": ["policies/SYN.1/2024-01/criteria.ttl:28"],
        "in-force": ["policies/NOC.1"],
        "criteria": ["policies/CIR.1/2024-01"],
        "named-by": [],
    }
    ran = run_kb("check", *only, "--policy", "TST.7", "--kb", str(broken))
    assert (ran.stdout.splitlines()[-1], ran.returncode) == ("4 checks, 4 passed, 0 problems", 0)
    ran = run_kb("check", *only, "--policy", "CIR.1", "--kb", str(broken))
    assert (ran.stdout.splitlines()[-1], ran.returncode) == ("4 checks, 3 passed, 1 problems", 1)


def test_the_workbench_shows_the_others(broken: Path) -> None:
    bench = Workbench(kb_tools.open(broken).repository)
    bench.read()
    assert [policy.identifier for policy in bench.policies.values()] == ["CP.MP.101", "TST.7"]
    assert {name: str(error) for name, error in bench.kb.skipped.items()} == {
        name: f"{broken}/policies/{error}" for name, error in (("CIR.1", CIRCLE), ("NOC.1", EMPTY), ("SYN.1", SYNTAX))
    }
    with pytest.raises(KnowledgeBaseError) as error:
        bench.kb.policy("CIR.1")
    assert str(error.value) == f"{broken}/policies/{CIRCLE}"


# ---------------------------------------------------------------------- two policies with one prefix


@pytest.fixture(scope="module")
def clashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CP.MP.101, and TST.7 with the prefix crit: for its own criteria."""
    root = knowledge_base(tmp_path_factory.mktemp("clashing-prefixes"), "TST.7")
    for path in (root / "policies/TST.7").rglob("*.ttl"):
        path.write_text(path.read_text(encoding="utf-8").replace("tcrit", "crit"), encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("asked", "rows"),
    [(("--policy", "CP.MP.101"), "II.B"), (("--policy", "TST.7"), ""), (("--revision", "2026-02"), "II.B")],
)
def test_a_query_of_one_policy_is_read_by_its_own_prefixes(
    clashing: Path, run_kb: RunKb, asked: tuple[str, ...], rows: str
) -> None:
    query = b"SELECT ?place { crit:acute-gvhd skos:notation ?place }"
    ran = run_kb("query", "-", *asked, "--format", "csv", "--kb", str(clashing), stdin=query)
    assert (ran.stdout.splitlines(), ran.returncode) == (["place", *filter(None, [rows])], 0)


def test_a_query_of_both_must_say_whose_prefix_it_means(clashing: Path, run_kb: RunKb) -> None:
    query = b"SELECT ?place { crit:acute-gvhd skos:notation ?place }"
    ran = run_kb("query", "-", "--kb", str(clashing), stdin=query)
    assert (ran.stderr, ran.returncode) == (
        "kb: line 1: prefix crit: is declared differently by CP.MP.101 and TST.7; "
        "ask one of them with --policy, or declare it with PREFIX\n",
        2,
    )


def test_the_check_names_the_clash_in_one_line_and_ready_questions_write_no_ambiguous_name(
    clashing: Path, run_kb: RunKb
) -> None:
    ran = run_kb("check", "--only", "prefixes", "--format", "json", "--kb", str(clashing))
    assert [problem for one in json.loads(ran.stdout) for problem in one["problems"]] == [
        {
            "where": "policies/TST.7/policy.ttl",
            "message": "prefix crit: is declared for something else by CP.MP.101; choose another, here and in the "
            "files of this policy",
        }
    ]
    kb = kb_tools.open(clashing).repository
    assert (
        kb.curie("https://w3id.org/policykb/TST.7/criterion/gvhd") == "<https://w3id.org/policykb/TST.7/criterion/gvhd>"
    )
    assert kb.policy("TST.7").prefixes["crit"] == "https://w3id.org/policykb/TST.7/criterion/"
    assert kb.policy("CP.MP.101").prefixes["crit"] == "https://w3id.org/policykb/CP.MP.101/criterion/"
