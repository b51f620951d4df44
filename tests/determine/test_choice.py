"""A case finds its policy: by the service and the codes of its request, and never by a guess."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from several_policies import DATA, copied, knowledge_base

import kb_tools
from kb_tools.api import KnowledgeBase
from kb_tools.batch.rows import RowMaker
from kb_tools.batch.several import RowMakers
from kb_tools.determine.choice import choice_of
from kb_tools.determine.result import Determination, NotDetermined
from kb_tools.determine.run import Run
from kb_tools.errors import ArgumentError, KbError, UnknownRevision
from kb_tools.model.repository import Repository
from kb_tools.model.soundness import skip_broken
from kb_tools.serve.case.desk import Chosen, Desk
from kb_tools.serve.determining import Determining
from kb_tools.serve.view import NoPage

pytestmark = pytest.mark.usefixtures("no_policy_preferred")
RunKb = Callable[..., CompletedProcess[str]]
DLI, TRANSPLANT = "DonorLymphocyteInfusion", "HematopoieticCellTransplantation"
THREE = "CP.MP.101, TRN.1, TST.7"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CP.MP.101 and TST.7 on donor lymphocyte infusion, and TRN.1 on transplants, which is TST.7 but for that."""
    root = knowledge_base(tmp_path_factory.mktemp("three-policies"), "TST.7")
    changes = {
        "clin:DonorLymphocyteInfusion , cpt:38242": f"clin:{TRANSPLANT} , cpt:38240",
        "cond:service-is-dli": "cond:mrd-is-detected",
        "tcrit": "ucrit",
        "tlog": "ulog",
        "tpsg": "upsg",
    }
    copied(root, "TST.7", "TRN.1", changes)
    return root


@pytest.fixture(scope="module")
def base(three: Path) -> KnowledgeBase:
    return kb_tools.open(three)


def case(**request: Any) -> dict[str, Any]:
    """A case that states nothing but its request."""
    return {"patient": "p", "lineOfBusiness": "Commercial", "request": {"serviceDate": "2026-07-01", **request}}


def answers(base: KnowledgeBase, content: dict[str, Any], **asked: Any) -> Iterator[tuple[str, str]]:
    """The policy and revision of each answer with its outcome; or the policy, if one was chosen, and the error."""
    for answer in base.determine(list(base.read_cases(content)), engine="pyshifty", **asked):
        if isinstance(answer, Determination):
            yield f"{answer.revision.policy.identifier}/{answer.revision.entry.name}", answer.outcome.value
        else:
            assert isinstance(answer, NotDetermined)
            yield answer.policy, str(answer.error)


@pytest.mark.parametrize(
    ("request_", "policy"),
    [
        ({"service": TRANSPLANT}, "TRN.1/2024-01"),
        ({"procedureCodes": ["cpt:38240"]}, "TRN.1/2024-01"),
        ({"service": TRANSPLANT, "procedureCodes": ["cpt:38240", "cpt:86950"]}, "TRN.1/2024-01"),
        # Of a code and a service that no policy names, the code does.
        ({"service": "StemCellBoost", "procedureCodes": ["cpt:38240"]}, "TRN.1/2024-01"),
    ],
)
def test_a_case_is_determined_under_the_one_policy_that_its_service_or_its_codes_name(
    base: KnowledgeBase, request_: dict[str, Any], policy: str
) -> None:
    assert list(answers(base, case(**request_))) == [(policy, "InformationNeeded")]


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (
            {"service": DLI},
            "the case names 2 policies; state the payer of the coverage, or choose with --policy: CP.MP.101, TST.7, "
            "or all",
        ),
        (
            {"service": TRANSPLANT, "procedureCodes": ["cpt:38242"]},
            "the case names 3 policies; state the payer of the coverage, or choose with --policy: TRN.1, CP.MP.101, "
            "TST.7, or all",
        ),
        (
            {},
            "the case names none of 3 policies on file: it states no service and no code; "
            f"choose with --policy: {THREE}",
        ),
        (
            {"service": "StemCellBoost", "procedureCodes": ["cpt:86950"]},
            "the case names none of 3 policies on file: neither its service nor its codes do; "
            f"choose with --policy: {THREE}",
        ),
    ],
)
def test_where_a_case_names_no_policy_or_several_the_line_says_so_with_the_choice(
    base: KnowledgeBase, request_: dict[str, Any], line: str
) -> None:
    assert list(answers(base, case(**request_))) == [("", line)]


@pytest.mark.parametrize("request_", [{}, {"procedureCodes": ["cpt:86950"]}, {"service": TRANSPLANT}])
def test_with_one_policy_on_file_a_case_is_determined_under_it_whatever_it_names(
    tmp_path: Path, request_: dict[str, Any]
) -> None:
    outcome = "PolicyNotApplicable" if request_.get("service") else "InformationNeeded"
    assert list(answers(kb_tools.open(knowledge_base(tmp_path)), case(**request_))) == [("CP.MP.101/2026-02", outcome)]


@pytest.mark.parametrize(
    ("asked", "policy"),
    [
        ({"policy": "TST.7"}, "TST.7/2024-01"),
        ({"revision": "TST.7/2024-01"}, "TST.7/2024-01"),
        ({"revision": "2026-02"}, "CP.MP.101/2026-02"),
        ({"policy": "CP.MP.101", "as_of": "2026-03-01"}, "CP.MP.101/2025-02"),
    ],
)
def test_a_policy_that_is_named_by_itself_or_by_its_revision_is_taken_whatever_the_case_names(
    base: KnowledgeBase, asked: dict[str, str], policy: str
) -> None:
    assert [name for name, _ in answers(base, case(service=DLI), **asked)] == [policy]


def test_of_a_revision_that_several_policies_have_the_case_names_whose(base: KnowledgeBase) -> None:
    assert [name for name, _ in answers(base, case(service=TRANSPLANT), revision="2024-01")] == ["TRN.1/2024-01"]
    assert [name for name, _ in answers(base, case(service=DLI), revision="2024-01")] == ["TST.7/2024-01"]
    assert list(answers(base, case(), revision="2024-01")) == [
        (
            "",
            "the case names none of 2 policies on file: it states no service and no code; "
            "choose with --policy: TRN.1, TST.7",
        )
    ]


def test_a_revision_that_no_policy_has_is_an_error_and_so_is_one_under_every_policy(base: KnowledgeBase) -> None:
    with pytest.raises(UnknownRevision) as unknown:
        choice_of(base.repository, revision="2020-01")
    assert str(unknown.value) == (
        "no policy on file has revision 2020-01; kb show lists the policies with their revisions"
    )
    with pytest.raises(KbError) as both:
        choice_of(base.repository, "all", "2024-01")
    assert str(both.value) == "a revision and every policy; name the policy of the revision"
    with pytest.raises(ArgumentError) as one:
        base.determine(base.read_case(case(service=DLI)), policy="all")
    assert str(one.value) == "one case under every policy has several answers; give a list of cases"


def test_under_every_policy_each_case_has_an_answer_for_each_that_names_it(base: KnowledgeBase) -> None:
    found = base.determine(
        [base.read_case(case(service=DLI)), base.read_case({"patient": "p"}), base.read_case(case())],
        policy="all",
        engine="pyshifty",
    )
    named = [
        f"{answer.revision.policy.identifier} {answer.outcome.value}"
        if isinstance(answer, Determination)
        else type(answer).__name__
        for answer in found
    ]
    assert named == [
        *("CP.MP.101 InformationNeeded", "TRN.1 InformationNeeded", "TST.7 InformationNeeded"),
        "Malformed",
        *("CP.MP.101 InformationNeeded", "TRN.1 InformationNeeded", "TST.7 InformationNeeded"),
    ]


# ---------------------------------------------------------------------- the payer


@pytest.mark.parametrize(
    ("payer", "request_", "found"),
    [
        ("pay:nobody", {"service": DLI}, ("TST.7/2024-01", "InformationNeeded")),
        ("pay:centene", {"service": DLI}, ("CP.MP.101/2026-02", "InformationNeeded")),
        (
            "pay:centene",
            {"service": TRANSPLANT},
            (
                "",
                f"the case names TRN.1, and its coverage another payer; choose with --policy: {THREE}",
            ),
        ),
        (
            "pay:other",
            {"service": DLI},
            (
                "",
                f"no policy on file is of the payer that the coverage states; choose with --policy: {THREE}",
            ),
        ),
    ],
)
def test_the_payer_of_the_coverage_tells_policies_on_one_service_apart(
    base: KnowledgeBase, payer: str, request_: dict[str, Any], found: tuple[str, str]
) -> None:
    assert list(answers(base, {**case(**request_), "payer": payer})) == [found]


def test_a_policy_that_is_asked_for_is_taken_and_a_notice_names_the_other_payer(base: KnowledgeBase) -> None:
    content = {**case(service=DLI), "payer": "pay:nobody"}
    (answer,) = base.determine([base.read_case(content)], policy="CP.MP.101", engine="pyshifty").determined
    said = "The coverage states another payer: CP.MP.101 is a policy of Centene Corporation."
    assert [notice for notice in answer.notices if "payer" in notice] == [said]
    (answer,) = base.determine([base.read_case(content)], policy="TST.7", engine="pyshifty").determined
    assert [notice for notice in answer.notices if "payer" in notice] == []


def test_a_row_of_a_case_of_another_payer_says_so_and_is_otherwise_the_same(base: KnowledgeBase) -> None:
    maker = RowMaker(Run(base.repository, base.repository.policy("CP.MP.101"), "pyshifty", "2026-02"))
    content = {**case(service=DLI), "id": "1"}
    plain, own, other = maker.of_lines(
        [
            json.dumps(one).encode()
            for one in (content, *({**content, "payer": f"pay:{name}"} for name in ("centene", "nobody")))
        ]
    )
    assert plain == own
    assert (plain.notices, other.notices) == ((), ("payer",))
    assert other._replace(notices=()) == plain


def test_the_policy_that_the_environment_names_is_meant_unless_the_coverage_states_another_payer(
    base: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_POLICY", "CP.MP.101")
    assert [name for name, _ in answers(base, case(service=DLI))] == ["CP.MP.101/2026-02"]
    assert [name for name, _ in answers(base, {**case(service=DLI), "payer": "pay:nobody"})] == ["TST.7/2024-01"]
    assert list(answers(base, {**case(service=TRANSPLANT), "payer": "pay:centene"})) == [
        ("CP.MP.101/2026-02", "PolicyNotApplicable")
    ]


def test_with_one_policy_on_file_a_case_of_another_payer_is_not_determined_under_it_unasked(
    tmp_path: Path,
) -> None:
    content = {**case(service=DLI), "payer": "pay:nobody"}
    one = kb_tools.open(knowledge_base(tmp_path / "one"))
    assert list(answers(one, content)) == [
        ("", "no policy on file is of the payer that the coverage states; choose with --policy: CP.MP.101")
    ]
    assert list(answers(one, content, policy="CP.MP.101")) == [("CP.MP.101/2026-02", "InformationNeeded")]
    assert list(answers(one, content, revision="2026-02")) == [("CP.MP.101/2026-02", "InformationNeeded")]
    assert list(answers(one, {**content, "payer": "pay:centene"})) == [("CP.MP.101/2026-02", "InformationNeeded")]


# ---------------------------------------------------------------------- a policy that cannot be read

NAMES = "the case names 2 policies, of which TST.7 cannot be read"
MAY_NAME = "the case may name 2 policies, of which TST.7 cannot be read"
INSTEAD = "; run kb check and mend it; or state the payer of the coverage, or choose with --policy: CP.MP.101"
UNDER_CENTENE = ("CP.MP.101/2026-02", "InformationNeeded")


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return knowledge_base(tmp_path_factory.mktemp("two-policies"), "TST.7")


@pytest.fixture
def lost(two: Path) -> Iterator[Path]:
    """The folder of a policy that names what CP.MP.101 does; a test breaks it."""
    folder = two / "policies/TST.7"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield folder
    for path, content in before.items():
        path.write_bytes(content)


def _cut_criteria(folder: Path) -> None:
    _cut(folder / "2024-01/criteria.ttl", 900)


def _cut_in_a_statement(folder: Path) -> None:
    _cut(folder / "policy.ttl", 700)


def _cut_after_the_prefixes(folder: Path) -> None:
    path = folder / "policy.ttl"
    _cut(path, path.read_bytes().index(b"<https://w3id.org/policykb/TST.7>"))


def _empty(folder: Path) -> None:
    _cut(folder / "policy.ttl", 0)


def _remove(folder: Path) -> None:
    (folder / "policy.ttl").unlink()


def _without_names(folder: Path) -> None:
    path = folder / "policy.ttl"
    lines = path.read_text(encoding="utf-8").splitlines(True)
    path.write_text("".join(line for line in lines if "pol:namedBy" not in line), encoding="utf-8")


@pytest.mark.parametrize(
    ("breaks", "why"),
    [
        (_cut_criteria, NAMES),
        (_cut_in_a_statement, MAY_NAME),
        (_cut_after_the_prefixes, MAY_NAME),
        (_empty, MAY_NAME),
        (_remove, MAY_NAME),
        (_without_names, MAY_NAME),
    ],
)
def test_a_policy_that_cannot_be_read_keeps_its_place_among_those_that_a_case_may_name(
    two: Path, lost: Path, monkeypatch: pytest.MonkeyPatch, breaks: Callable[[Path], None], why: str
) -> None:
    breaks(lost)
    base = kb_tools.open(two)
    skip_broken(base.repository)
    assert list(base.skipped) == ["TST.7"]
    assert list(answers(base, case(service=DLI))) == [("", why + INSTEAD)]
    # A case that names nothing is of none as before; one that no policy could take from another is determined.
    assert [policy for policy, _ in answers(base, case())] == [""]
    assert list(answers(base, {**case(service=DLI), "payer": "pay:centene"})) == [UNDER_CENTENE]
    assert list(answers(base, case(service=DLI), policy="CP.MP.101")) == [UNDER_CENTENE]
    assert list(answers(base, case(service=DLI), revision="2026-02")) == [UNDER_CENTENE]
    # Rows say the same, and so does what is answered to programs, whose processes are told the names alone.
    content = json.dumps({**case(service=DLI), "id": "1"}).encode()
    (row,) = RowMakers(Run(base.repository, choice_of(base.repository), "pyshifty")).of_lines([content])
    assert (row.policy, row.outcome, row.reasons) == ("", "NotDetermined", (why,))
    told = Repository(two)
    told.skip("TST.7", KbError("the policy cannot be read", hint="run kb check"))
    asked = Determining(told).chosen()
    found = json.loads(Desk(told).determine("json", asked, "json", content).body or b"")
    assert ([one["error"] for one in found["notDetermined"]], found["determinations"]) == ([why + INSTEAD], [])
    with pytest.raises(KbError) as rows:
        Determining(told).policy(None)
    assert str(rows.value) == "2 policies on file; choose one with policy: CP.MP.101"
    monkeypatch.setenv("KB_POLICY", "CP.MP.101")
    assert list(answers(base, case(service=DLI))) == [UNDER_CENTENE]


def test_a_case_of_the_payer_of_a_policy_that_cannot_be_read_is_of_no_other(two: Path, lost: Path) -> None:
    _cut_criteria(lost)
    base = kb_tools.open(two)
    skip_broken(base.repository)
    assert list(answers(base, {**case(service=DLI), "payer": "pay:nobody"})) == [
        ("", "the case names TST.7, which cannot be read; run kb check and mend it")
    ]
    # A revision that it has too, unasked for by name, is not that of the other alone.
    with pytest.raises(KbError, match=r"TST\.7/2024-01/criteria\.ttl"):
        base.repository.policy_of(None, "2024-01")


def test_what_names_nothing_that_another_policy_is_about_stops_it_not(two: Path, lost: Path) -> None:
    path = lost / "policy.ttl"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("clin:DonorLymphocyteInfusion , cpt:38242", f"clin:{TRANSPLANT} , cpt:38240"), encoding="utf-8"
    )
    _cut_criteria(lost)
    base = kb_tools.open(two)
    skip_broken(base.repository)
    assert list(answers(base, case(service=DLI))) == [UNDER_CENTENE]
    assert [line for _, line in answers(base, case(service=TRANSPLANT))] == [
        "the case names TST.7, which cannot be read; run kb check and mend it"
    ]


def test_the_command_says_the_choice_and_takes_it(three: Path, run_kb: RunKb) -> None:
    arguments = ("validate", str(DATA / "case.ttl"), "--engine", "pyshifty", "--kb", str(three))
    ran = run_kb(*arguments)
    assert (ran.stderr, ran.returncode) == (
        f"kb: {DATA}/case.ttl#case: the case names 2 policies; state the payer of the coverage, or choose with "
        "--policy: CP.MP.101, TST.7, or all\n",
        2,
    )
    ran = run_kb(*arguments, "--policy", "all", "--format", "json")
    content = json.loads(ran.stdout)
    assert [(one["policy"], one["revision"], one["outcome"]) for one in content["determinations"]] == [
        ("CP.MP.101", "2026-02", "CriteriaMet"),
        ("TRN.1", "2024-01", "CriteriaMet"),
        ("TST.7", "2024-01", "CriteriaMet"),
    ]
    assert (content["notDetermined"], ran.stderr, ran.returncode) == ([], "", 0)


# ---------------------------------------------------------------------- services


@pytest.fixture(scope="module")
def desk(base: KnowledgeBase) -> Desk:
    return Desk(base.repository)


def chosen(base: KnowledgeBase, **asked: str) -> Chosen:
    return Determining(base.repository).chosen(asked.get("policy"), asked.get("revision"), asked.get("as_of"))


def test_programs_may_leave_the_policy_to_the_case(base: KnowledgeBase, desk: Desk) -> None:
    nobody: Chosen = {"policy": None, "revision": None, "asOf": None}
    assert chosen(base) == nobody
    lines = "\n".join(json.dumps(case(service=service)) for service in (TRANSPLANT, DLI)).encode()
    found = desk.determine("jsonl", nobody, "json", lines)
    content = json.loads(found.body or b"")
    assert [(one["policy"], one["outcome"]) for one in content["determinations"]] == [("TRN.1", "InformationNeeded")]
    assert [one["error"] for one in content["notDetermined"]] == [
        "the case names 2 policies; state the payer of the coverage, or choose with --policy: CP.MP.101, TST.7, or all"
    ]
    assert found.content["revisions"] == ["2024-01"]


@pytest.mark.parametrize(
    ("asked", "policy"),
    [
        ({"policy": "TST.7"}, "TST.7"),
        ({"revision": "2026-02"}, "CP.MP.101"),
        ({"revision": "TRN.1/2024-01"}, "TRN.1"),
        ({"revision": "2024-01"}, None),
    ],
)
def test_a_parameter_names_the_policy_by_itself_or_with_the_revision(
    base: KnowledgeBase, asked: dict[str, str], policy: str | None
) -> None:
    found = chosen(base, **asked)
    assert (found["policy"], found["revision"]) == (policy, asked.get("revision"))


def test_a_policy_that_the_environment_names_is_no_more_than_an_operators_choice_for_programs_too(
    base: KnowledgeBase, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_POLICY", "CP.MP.101")
    nobody = chosen(base)
    assert (nobody["policy"], chosen(base, policy="CP.MP.101")["policy"]) == (None, "CP.MP.101")
    cases = (case(service=DLI), {**case(service=DLI), "payer": "pay:nobody"})
    lines = "\n".join(map(json.dumps, cases)).encode()
    content = json.loads(Desk(base.repository).determine("jsonl", nobody, "json", lines).body or b"")
    assert [one["policy"] for one in content["determinations"]] == ["CP.MP.101", "TST.7"]


def test_a_revision_that_no_policy_has_is_no_page(base: KnowledgeBase) -> None:
    with pytest.raises(NoPage) as error:
        chosen(base, revision="2020-01")
    assert error.value.what == "no policy on file has revision 2020-01"


def test_rows_of_programs_need_one_policy(base: KnowledgeBase) -> None:
    determining = Determining(base.repository)
    with pytest.raises(KbError) as none:
        determining.policy(None)
    assert str(none.value) == f"3 policies on file; choose one with policy: {THREE}"
    with pytest.raises(KbError) as both:
        determining.policy(None, "2024-01")
    assert str(both.value) == (
        "2 policies have revision 2024-01; write TRN.1/2024-01, or choose one with --policy: TRN.1, TST.7"
    )
