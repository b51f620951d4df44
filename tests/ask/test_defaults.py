"""What ready questions ask for where nothing is given: things of the policy that is asked, whichever it is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pyoxigraph as ox
import pytest

from kb_tools.ask.defaults import Defaults
from kb_tools.ask.library import questions
from kb_tools.ask.names import Names
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.resolve import resolve
from kb_tools.ask.sparql import QueryError
from kb_tools.model.repository import Repository

ROOT = Path(__file__).parents[2]
POLICIES = ("CP.MP.101", "CG-TRANS-03", "EX.5")
NO_REFERENCE = (
    "question where-cited asks for a reference, and {} has none; name one of another policy with --policy, or "
)
NO_REFERENCE += "with --param reference=VALUE ({})"
NOT_TWO = (
    "question changed-criteria compares two revisions, and of {} not two have criteria on file; name another policy "
)
NOT_TWO += "with --policy; kb show lists what is on file"
# The questions that have nothing to ask of a policy, and what is said instead.
REFUSED = {
    ("CG-TRANS-03", "where-cited"): NO_REFERENCE.format(
        "CG-TRANS-03",
        "not on file: definitions, evidence, references of CG-TRANS-03/2024-10; on file in part: codes of "
        "CG-TRANS-03/2024-10",
    ),
    ("EX.5", "where-cited"): NO_REFERENCE.format(
        "EX.5", "not on file: codes, definitions, disposition, evidence, references of EX.5/2024-01"
    ),
    ("CG-TRANS-03", "changed-criteria"): NOT_TWO.format("CG-TRANS-03"),
    ("EX.5", "changed-criteria"): NOT_TWO.format("EX.5"),
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Both policies on file, and EX.5."""
    root = tmp_path_factory.mktemp("three")
    for folder in ("ontology", "shapes"):
        (root / folder).symlink_to(ROOT / folder)
    (root / "policies").mkdir()
    for policy in ("CP.MP.101", "CG-TRANS-03"):
        (root / "policies" / policy).symlink_to(ROOT / "policies" / policy)
    shutil.copytree(ROOT / "tests/data/EX.5", root / "policies/EX.5")
    return Repository(root)


def asked(kb: Repository, question: str, policy: str | None = None, **parameters: str) -> RawResult:
    """What stands beside the answer of a question."""
    return resolve(kb, Inquiry(root=kb.root, question=question, policy=policy, parameters=parameters)).frame


def choice(frame: RawResult, parameter: str) -> str:
    """What a parameter is bound to, as it is said."""
    (line,) = (line for line in frame.choices if line.startswith(f"for {parameter} "))
    return line.removeprefix(f"for {parameter} ").partition(";")[0]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_ready_question_asks_the_policy_or_says_what_to_give(policy: str, three: Repository) -> None:
    refused = {}
    for question in questions():
        try:
            query = asked(three, question.name, policy).query
        except QueryError as error:
            refused[policy, question.name] = str(error)
            continue
        body = re.sub(r"PREFIX[^\n]*\n", "", query)
        assert set(re.findall(r"https://w3id\.org/policykb/([A-Z][\w.-]*)/", body)) <= {policy}, question.name
        if policy != "CP.MP.101":
            assert re.findall(r"VALUES \?\w+ \{ (?:crit|ref):", body) == [], question.name
    assert refused == {key: line for key, line in REFUSED.items() if key[0] == policy}


@pytest.mark.parametrize(
    ("question", "parameter", "policy", "meant"),
    [
        ("criterion-history", "criterion", "EX.5", "I: residual disease or a raised risk of relapse"),
        ("criterion-tree", "criterion", "EX.5", "I: residual disease or a raised risk of relapse"),
        ("logged-changes", "affected", "EX.5", "I: residual disease or a raised risk of relapse"),
        ("discrepancies-concerning", "thing", "EX.5", "I: residual disease or a raised risk of relapse"),
        ("said-at-place", "place", "EX.5", "I"),
        ("said-in-section", "section", "EX.5", "Policy/Criteria"),
        ("said-in-section", "section", "CG-TRANS-03", "Clinical Indications"),
        ("example-cases", "condition", "EX.5", "cond:acute-gvhd-of-grade-2-or-higher: acute GvHD of grade 2 or higher"),
        (
            "example-cases",
            "condition",
            "CG-TRANS-03",
            "cond:after-allogeneic-transplant: after an allogeneic transplant",
        ),
        (
            "criterion-history",
            "criterion",
            "CP.MP.101",
            "crit:manipulated-lymphocytes: genetically modified or manipulated lymphocytes",
        ),
        ("evidence-for-disease", "disease", "EX.5", "clin:Leukemia: leukemia"),
    ],
)
def test_a_default_is_the_first_of_the_policy_that_is_asked(
    question: str, parameter: str, policy: str, meant: str, three: Repository
) -> None:
    assert choice(asked(three, question, policy), parameter) == meant


def test_the_policy_of_the_environment_is_the_one_asked(three: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_POLICY", "EX.5")
    meant = "I: residual disease or a raised risk of relapse"
    # A question on all revisions, and one on that in force.
    assert choice(asked(three, "criterion-history"), "criterion") == meant
    assert choice(asked(three, "criterion-tree"), "criterion") == meant
    # What is named counts before it.
    assert choice(asked(three, "criterion-history", "CP.MP.101"), "criterion").startswith(
        "crit:manipulated-lymphocytes"
    )


def test_where_no_policy_is_named_the_default_is_of_one_on_file(three: Repository) -> None:
    assert choice(asked(three, "criterion-history"), "criterion").startswith("crit:manipulated-lymphocytes")
    alone = three.showing(["EX.5"])
    assert choice(asked(alone, "criterion-history"), "criterion").endswith(
        "residual disease or a raised risk of relapse"
    )


def test_two_revisions_of_a_policy_are_the_last_two_with_criteria(three: Repository) -> None:
    frame = asked(three, "changed-criteria", "CP.MP.101")
    assert choice(frame, "before").startswith("<CP.MP.101/2019-10>")
    policies = {one.identifier: one for one in three.policies()}
    (question,) = (one for one in questions() if one.name == "changed-criteria")
    before, after = question.parameters
    found = Defaults(Names(three, None, "all graphs"), policies, policies["CP.MP.101"])
    stated = [ox.NamedNode("https://w3id.org/policykb/XX.1/2020-01")]
    assert [found.of(question, one, stated)[0].value.rpartition("/")[2] for one in (before, after)] == [
        "2025-02",
        "2026-02",
    ]


@pytest.mark.parametrize(
    ("question", "parameters", "line"),
    [
        ("codes", {"foo": "1"}, "question codes has no parameter foo; it has: revision"),
        ("references-by-age", {"years": "x"}, "years: 'x' is no integer; write a whole number"),
        (
            "where-cited",
            {"reference": "12"},
            "reference: '12' names no reference in CG-TRANS-03/2024-10, but ref:deol-2010 in CP.MP.101/2026-02; ask "
            "another revision by --revision (not on file: definitions, evidence, references of CG-TRANS-03/2024-10; on "
            "file in part: codes of CG-TRANS-03/2024-10)",
        ),
    ],
    ids=["no such parameter", "no such value", "no such thing"],
)
def test_what_is_not_on_file_stands_behind_what_to_do_and_only_where_a_thing_is_not_found(
    question: str, parameters: dict[str, str], line: str, three: Repository
) -> None:
    with pytest.raises(QueryError) as refused:
        asked(three, question, "CG-TRANS-03", **parameters)
    assert str(refused.value) == line
