"""Slips of an author, each of which all the checks together answer by one message: what is wrong, where, what to do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from edits import Edit, replaced

import kb_tools
from kb_tools.checks import CHECKS
from kb_tools.checks.core import Problem, Scope
from kb_tools.checks.units import Checker, Unit
from kb_tools.commands.show import command as show
from kb_tools.errors import KnowledgeBaseError, UnknownRevision
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.soundness import require_sound

ROOT = Path(__file__).parents[2]
BASE = "https://w3id.org/policykb"
POLICY, LOG = "policies/EX.5", "policies/EX.5/revision-log.ttl"
CRITERIA, REVISION = f"{POLICY}/2024-01/criteria.ttl", f"{POLICY}/2024-01/revision.ttl"
# Checks that take long, of what no slip here touches: the shapes of conditions, and the closure under OWL 2 RL.
_LEFT_OUT = ("entailments", "condition-reads", "condition-form", "shape-form", "owl-rl-consistent")
CHECKED = [check for check in CHECKS if check.id not in _LEFT_OUT]


def described(file: str, prefix: str, namespace: str) -> Edit:
    """A class of findings, written into a file; the prefix is declared where it is of the policy's own."""

    def edit(root: Path) -> None:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        heads = {
            "owl": "http://www.w3.org/2002/07/owl#",
            "case": f"{BASE}/case#",
            "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
            "skos": "http://www.w3.org/2004/02/skos/core#",
            prefix: namespace,
        }
        old = path.read_text(encoding="utf-8") if path.is_file() else ""
        declared = [f"PREFIX {name}: <{iri}>" for name, iri in heads.items() if f"PREFIX {name}:" not in old]
        term = (
            f'{prefix}:Weight a owl:Class ; rdfs:subClassOf case:Finding ; rdfs:label "weight"@en ;\n'
            f'    skos:definition "The patient was weighed."@en .\n'
        )
        path.write_text("\n".join([*declared, old, term]), encoding="utf-8")
        if prefix == "xown":
            row = f'[ sh:prefix "xown" ; sh:namespace "{namespace}"^^xsd:anyURI ] ,\n        [ sh:prefix "xcrit"'
            replaced(f"{POLICY}/policy.ttl", '[ sh:prefix "xcrit"', row)(root)

    return edit


def renamed_copy(root: Path) -> None:
    """ZZ.1, a copy of EX.5 with names and prefixes of its own."""
    for path in [*shutil.copytree(root / POLICY, root / "policies/ZZ.1").rglob("*.ttl")]:
        text = path.read_text(encoding="utf-8").replace("EX.5", "ZZ.1")
        for name in ("crit", "log", "psg"):
            text = text.replace(f"x{name}", f"z{name}")
        path.write_text(text, encoding="utf-8")


def several(*edits: Edit) -> Edit:
    def edit(root: Path) -> None:
        for one in edits:
            one(root)

    return edit


def copied(old: str, new: str) -> Edit:
    def edit(root: Path) -> None:
        shutil.copytree(root / old, root / new)

    return edit


def lost(path: str) -> Edit:
    return lambda root: (root / path).unlink()


def alone(root: Path) -> None:
    """policy.ttl and nothing else."""
    shutil.rmtree(root / POLICY / "2024-01")
    shutil.rmtree(root / POLICY / "cases")
    (root / LOG).unlink()


def window(stated: str) -> Edit:
    """A condition of the policy's own with a window."""
    own = f"{POLICY}/shapes/conditions/mrd.ttl"
    text = f"""PREFIX cond: <{BASE}/condition#>
PREFIX clin: <{BASE}/clinical#>
PREFIX pol:  <{BASE}/policy#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xcnd: <{BASE}/EX.5/condition#>
xcnd:mrd
    a pol:Condition ;
    rdfs:label "residual disease of late"@en ;
    skos:definition "A test of the last six months finds residual disease."@en ;
    pol:asksFor "A test for minimal residual disease."@en ;
    pol:reads clin:MRDTest ;
    pol:within {stated} ;
    pol:possibleValue pol:Holds , pol:Fails , pol:Unknown , pol:Conflicting ;
    pol:holdsWhen cond:MRDDetected ;
    pol:failsWhen cond:MRDNotDetected .
"""

    def edit(root: Path) -> None:
        (root / own).parent.mkdir(parents=True)
        (root / own).write_text(text, encoding="utf-8")
        row = f'[ sh:prefix "xcnd" ; sh:namespace "{BASE}/EX.5/condition#"^^xsd:anyURI ] ,\n        [ sh:prefix "xcrit"'
        replaced(f"{POLICY}/policy.ttl", '[ sh:prefix "xcrit"', row)(root)
        replaced(CRITERIA, "cond:mrd-is-detected", "xcnd:mrd")(root)
        replaced(CRITERIA, "PREFIX xcrit:", f"PREFIX xcnd: <{BASE}/EX.5/condition#>\nPREFIX xcrit:")(root)

    return edit


HOLDING = "        [ a pol:PartHolding ; pol:part pol:{} ; pol:basis pol:NotOnFile ] ,\n"
APPROVAL = 'pol:approval "2024-01"^^xsd:gYearMonth ;\n    pol:approvalAsPrinted "01/24"'
NO_APPROVAL = (
    "a date of effect is no approval, and the revision would count from it; remove pol:approval and "
    "pol:approvalAsPrinted, or, if the document prints it as an approval, say so by skos:scopeNote on the row, or by a "
    "discrepancy that concerns it"
)


@dataclass(frozen=True)
class Slip:
    """An edit of EX.5, or of a copy of it, and all that the checks say of it: the check, the place, the message."""

    name: str
    edit: Edit
    check: str
    where: str
    message: str
    policy: str = "EX.5"

    def __str__(self) -> str:
        return self.name


SLIPS = [
    Slip(
        "a file describes criteria with a prefix of another policy",
        several(renamed_copy, replaced("policies/ZZ.1/2024-01/criteria.ttl", "ZZ.1/criterion/", "EX.5/criterion/")),
        "prefixes",
        "policies/ZZ.1/2024-01/criteria.ttl:6",
        "prefix zcrit: is that of EX.5 here, and what it names is of ZZ.1; write PREFIX zcrit: "
        f"<{BASE}/ZZ.1/criterion/>",
        "ZZ.1",
    ),
    Slip(
        "a policy declares a prefix for a namespace of another policy",
        several(renamed_copy, replaced("policies/ZZ.1/policy.ttl", "ZZ.1/criterion/", "EX.5/criterion/")),
        "prefixes",
        "policies/ZZ.1/policy.ttl",
        f"prefix zcrit: is declared for {BASE}/EX.5/criterion/, a namespace of EX.5; declare it for "
        f"{BASE}/ZZ.1/criterion/",
        "ZZ.1",
    ),
    Slip(
        "a policy is a copy of another",
        copied(POLICY, "policies/ZZ.1"),
        "history",
        "policies/ZZ.1/policy.ttl",
        f"describes <{BASE}/EX.5> as pol:Policy, in a folder called ZZ.1; write <{BASE}/ZZ.1> for it in every file of "
        "the folder, with prefixes of ZZ.1's own",
        "ZZ.1",
    ),
    Slip(
        "a revision is a copy of another",
        copied(f"{POLICY}/2024-01", f"{POLICY}/2025-01"),
        "history",
        f"{POLICY}/2025-01/revision.ttl",
        f"describes <{BASE}/EX.5/2024-01> as pol:Revision, in a folder called 2025-01; write <{BASE}/EX.5/2025-01> for "
        "it in every file of the folder",
    ),
    Slip(
        "a class of the policy's own stands among the criteria",
        described(CRITERIA, "xown", f"{BASE}/EX.5/vocabulary#"),
        "terms-in-place",
        CRITERIA,
        "describes xown:Weight, a term of policies/EX.5/ontology/; move it there",
    ),
    Slip(
        "a class of the policy's own stands among the shapes",
        described(f"{POLICY}/shapes/findings/weight.ttl", "xown", f"{BASE}/EX.5/vocabulary#"),
        "terms-in-place",
        f"{POLICY}/shapes/findings/weight.ttl",
        "describes xown:Weight, a term of policies/EX.5/ontology/; move it there",
    ),
    Slip(
        "a class that all policies share stands among the criteria",
        described(CRITERIA, "clin", f"{BASE}/clinical#"),
        "terms-in-place",
        CRITERIA,
        "describes clin:Weight, a term of ontology/clinical; move it there, or, if only EX.5 speaks of it, name it in "
        "a namespace of that policy's own",
    ),
    Slip(
        "a part is not said to be on file or not",
        replaced(REVISION, HOLDING.format("Codes"), ""),
        "on-file",
        REVISION,
        "does not say whether pol:Codes is on file; add to pol:partOnFile [ a pol:PartHolding ; pol:part pol:Codes ; "
        "pol:basis pol:NotOnFile ], with pol:DocumentOnFile where it is stated",
    ),
    Slip(
        "two parts are not said to be on file or not",
        several(replaced(REVISION, HOLDING.format("Codes"), ""), replaced(REVISION, HOLDING.format("References"), "")),
        "on-file",
        REVISION,
        "does not say whether pol:Codes and pol:References are on file; add to pol:partOnFile [ a pol:PartHolding ; "
        "pol:part pol:Codes ; pol:basis pol:NotOnFile ], one for each, with pol:DocumentOnFile where it is stated",
    ),
    Slip(
        "a revision has no criteria",
        lost(CRITERIA),
        "on-file",
        f"{POLICY}/2024-01",
        "states nothing of pol:Criteria, which it holds as pol:DocumentOnFile; write criteria.ttl, or say "
        "pol:NotOnFile in its revision.ttl",
    ),
    Slip(
        "a revision has no passages",
        lost(f"{POLICY}/2024-01/passages.ttl"),
        "passages",
        f"{POLICY}/2024-01",
        "states no passage of its document, and 7 statements point to such; write passages.ttl: kb draft start "
        "DOCUMENT --policy EX.5 --revision 2024-01 makes it from the document, or write by hand the places that the "
        "statements rest on",
    ),
    Slip(
        "a policy has no revision",
        alone,
        "in-force",
        POLICY,
        "has no revision; begin one with kb draft start DOCUMENT --policy EX.5 --revision YYYY-MM, or write "
        "YYYY-MM/revision.ttl by hand",
    ),
    Slip(
        "a date of effect is recorded as an approval",
        replaced(LOG, APPROVAL, 'pol:approval "2024-03-01"^^xsd:date ;\n    pol:approvalAsPrinted "3/1/2024"'),
        "approvals",
        "xlog:2024-01",
        f"pol:approval is 2024-03-01, and its revision is of 2024-01: {NO_APPROVAL}",
    ),
    Slip(
        "an approval is before the month of its revision",
        replaced(LOG, APPROVAL, 'pol:approval "2023-12-20"^^xsd:date ;\n    pol:approvalAsPrinted "12/20/2023"'),
        "approvals",
        "xlog:2024-01",
        f"pol:approval is 2023-12-20, and its revision is of 2024-01: {NO_APPROVAL}",
    ),
    Slip(
        "a date of effect is recorded as an approval, as it is printed",
        replaced(
            LOG, APPROVAL, 'pol:approval "2024-01"^^xsd:gYearMonth ;\n    pol:approvalAsPrinted "Effective Jan 2024"'
        ),
        "approvals",
        "xlog:2024-01",
        f'pol:approval is 2024-01, and its row speaks of effect, "Effective Jan 2024": {NO_APPROVAL}',
    ),
    Slip(
        "a place from which an approval is taken is called a date of effect",
        replaced(f"{POLICY}/2024-01/passages.ttl", '"Revision Log, row 2"', '"Log, effective date"'),
        "approvals",
        "xlog:2024-01",
        f'pol:approval is 2024-01, and its row speaks of effect, "Log, effective date": {NO_APPROVAL}',
    ),
    Slip(
        "a window is a text",
        window('"P6M"'),
        "conditions",
        f"{POLICY}/shapes/conditions/mrd.ttl",
        'xcnd:mrd pol:within "P6M" is a text and no duration; write "P6M"^^xsd:duration',
    ),
]


@pytest.fixture(scope="module")
def shared() -> Repository:
    """The vocabularies and shapes, read once."""
    return Repository(ROOT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The vocabularies and shapes, with EX.5 alone."""
    for folder in ("ontology", "shapes"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    shutil.copytree(ROOT / "tests/data/EX.5", tmp_path / POLICY)
    return tmp_path


def opened(root: Path, shared: Repository) -> Repository:
    """A knowledge base whose vocabularies and shapes need not be read again."""
    kb = Repository(root)
    for folder in ("ontology", "shapes"):
        for path in shared.files(folder):
            kb._files[root / path.relative_to(ROOT)] = shared.triples(path)
    return kb


def found(kb: Repository, policy: str) -> list[tuple[str, Problem]]:
    """What the checks say of one policy, and not of the policies that are not here; it has no seal yet."""
    own = any((kb.root / "policies" / policy / folder).is_dir() for folder in ("ontology", "shapes"))
    checker = Checker(kb, Unit(policy, frozenset(folder.name for folder in kb.policy_folders), own))
    return [
        (check.id, problem)
        for check in CHECKED
        if check.id != "conditions-used" and (own or check.scope is not Scope.VOCABULARY)
        for problem in checker.outcome(check).problems
        if check.id != "seal"
        and f"{BASE}/code/" not in problem.unless
        and problem.where.startswith((f"policies/{policy}", "x", "<"))
    ]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_is_one_message_that_says_what_to_do(slip: Slip, root: Path, shared: Repository) -> None:
    slip.edit(root)
    kb = opened(root, shared)
    assert found(kb, slip.policy) == [(slip.check, Problem(slip.where, slip.message))]


def test_without_a_slip_nothing_is_said(root: Path, shared: Repository) -> None:
    assert found(opened(root, shared), "EX.5") == []


@pytest.mark.parametrize(
    "said",
    [
        'xlog:2024-01 skos:scopeNote "Printed in the column of approvals, in another month."@en .',
        "xlog:late pol:concerns xlog:2024-01 .",
    ],
    ids=["a note of the row", "a discrepancy"],
)
def test_an_approval_of_another_month_that_somebody_looked_at_is_no_problem(
    said: str, root: Path, shared: Repository
) -> None:
    replaced(LOG, APPROVAL, 'pol:approval "2024-03-01"^^xsd:date ;\n    pol:approvalAsPrinted "3/1/2024"')(root)
    with (root / LOG).open("a", encoding="utf-8") as file:
        file.write(f"PREFIX skos: <http://www.w3.org/2004/02/skos/core#>\n{said}\n")
    assert "approvals" not in [check for check, _ in found(opened(root, shared), "EX.5")]


def test_a_revision_without_criteria_is_one_line_wherever_they_are_asked_for(root: Path) -> None:
    lost(CRITERIA)(root)
    line = (
        f"{root}/{POLICY}/2024-01: EX.5 revision 2024-01 holds its criteria as on file, and states none; write "
        "criteria.ttl, or say pol:NotOnFile of pol:Criteria in its revision.ttl"
    )
    kb = kb_tools.open(root)
    policy = kb.repository.policy("EX.5")
    for read in ("criteria", "conditions", "criteria_tree"):
        with pytest.raises(KnowledgeBaseError) as refused:
            getattr(Revision.load(policy, policy.entry("2024-01")), read)
        assert str(refused.value) == line
    shown = CliRunner().invoke(show, ["EX.5/2024-01", "--kb", str(root)])
    assert (shown.exit_code, shown.stdout, str(shown.exception)) == (1, "", line)
    answer = kb.query("criteria", revision="EX.5/2024-01")
    assert answer.rows == ()
    assert (
        "not stated: the criteria of EX.5/2024-01, although it holds them as on file; kb check --policy EX.5 says what "
        "to do"
    ) in answer.notes


def test_a_policy_without_a_revision_says_what_begins_one_wherever_one_is_asked_for(root: Path) -> None:
    alone(root)
    line = (
        f"{root}/{POLICY}: EX.5 has no revision on file; begin one with kb draft start DOCUMENT --policy EX.5 "
        "--revision YYYY-MM, or restore its folders"
    )
    policy = Repository(root).policy("EX.5")
    for asked in (
        lambda: policy.entry("2024-01"),
        lambda: policy.in_force(date(2026, 7, 1)),
        lambda: require_sound(policy),
    ):
        with pytest.raises(UnknownRevision) as refused:
            asked()
        assert str(refused.value) == line
