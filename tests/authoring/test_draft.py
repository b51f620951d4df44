"""A policy carried from its document to a frozen revision: kb draft start, status, accept and done."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner, Result
from rdflib import Literal, URIRef
from rdflib.namespace import RDF
from several_policies import DATA, ROOT, invented_alone

from kb_tools.authoring.accept import accept
from kb_tools.authoring.finish import Release
from kb_tools.authoring.start import start
from kb_tools.checks import run_checks
from kb_tools.cli import kb as command
from kb_tools.commands.draft import command as draft_command
from kb_tools.document.left import Draft
from kb_tools.document.passages import passages, traceable
from kb_tools.document.trace import trace, units_of
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.rdf.edits import TurtleText
from kb_tools.rdf.namespaces import POL

RunKb = Callable[..., CompletedProcess[str]]
X = "https://w3id.org/policykb/EX.5/"
NEW = X + "2025-02/passage/"
DOCUMENT = DATA / "document/EX.5-2025-02.txt"
ROW = """
xlog:2025-02 pol:approval "2025-02-14"^^xsd:date ; pol:approvalAsPrinted "2/14/2025" ; pol:says xlog:2025-02-1 .
xlog:2025-02-1 a pol:LogStatement ; rdfs:label "raised risk removed from I"@en ; pol:order 1 ;
    pol:changeKind pol:Updated ; pol:affects <https://w3id.org/policykb/EX.5/criterion/residual-disease> ;
    pol:statedIn xpsg25:log-3 .
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A knowledge base with one invented policy."""
    return invented_alone(tmp_path, "EX.5")


@pytest.fixture
def begun(root: Path) -> Path:
    """The same with the draft 2025-02."""
    start(Repository(root).policy("EX.5"), "2025-02", DOCUMENT)
    return root


def draft(root: Path, name: str = "2025-02") -> Draft:
    policy = Repository(root).policy("EX.5")
    return Draft(policy, policy.entry(name))


def left(root: Path) -> list[tuple[str, str, bool]]:
    return [(one.kind, one.place or str(one.iri).removeprefix(X), one.mechanical) for one in draft(root).left]


def appended(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


# ---------------------------------------------------------------------- start


def test_a_draft_is_begun_with_a_prefix_a_row_and_all_that_is_left(begun: Path) -> None:
    policy = Repository(begun).policy("EX.5")
    assert policy.own_prefixes["xpsg25"] == NEW
    row = URIRef(X + "log/2025-02")
    assert set(policy.shared.objects(row, POL.statedIn)) == {URIRef(NEW + "log-3")}
    assert (row, POL.records, URIRef(X + "2025-02")) in policy.shared
    assert (row, POL.order, Literal(2)) in policy.shared
    assert left(begun) == [
        ("criterion", "I", False),
        ("log row", "log/2025-02", False),
        ("passage", "II.B", False),
        ("passage", "Revision Log, row 2", True),
    ]
    assert "xpsg25:II.B" in (begun / "policies/EX.5/2025-02/passages.ttl").read_text(encoding="utf-8")


def test_what_was_written_by_hand_stays_as_it_is(root: Path) -> None:
    files = [root / "policies/EX.5" / name for name in ("policy.ttl", "revision-log.ttl")]
    before = [path.read_text(encoding="utf-8") for path in files]
    start(Repository(root).policy("EX.5"), "2025-02", DOCUMENT)
    for path, text in zip(files, before, strict=True):
        assert path.read_text(encoding="utf-8").startswith(text.rstrip())


def test_a_first_document_has_every_passage_left(root: Path) -> None:
    folder = root / "policies/EX.5"
    shutil.rmtree(folder / "2024-01")
    (folder / "revision-log.ttl").unlink()
    made = start(Repository(root).policy("EX.5"), "2024-01", DATA / "document/EX.5-2024-01.txt")
    assert (made.traced, made.to_do) == (None, 9)
    said = made.to_dict()
    assert said["sections"] == {"Header": 3, "Policy/Criteria": 4, "Revision Log": 2}
    written = ["policy.ttl", "revision-log.ttl", "2024-01/passages.ttl", "2024-01/revision.ttl"]
    assert said["changed"] == [str(folder / name) for name in written]
    found = draft(root, "2024-01")
    assert (found.before, len(found.to_decide), found.mechanical) == (None, 9, [])
    assert {one.kind for one in found.left} == {"log row", "passage"}
    graph = found.graph
    assert set(graph.objects(URIRef(X + "2024-01"), POL.revisionOf)) == {URIRef(X[:-1])}
    assert {graph.value(one, POL.basis) for one in graph.subjects(RDF.type, POL.PartHolding)} == {POL.NotOnFile}


@pytest.mark.parametrize(
    ("name", "document", "message"),
    [
        ("2024-01", DOCUMENT, "revision 2024-01 is there already; name another, or remove the folder"),
        ("2023-03", DOCUMENT, "revision 2024-01 is there already, and later; name a later month"),
        ("2025-2", DOCUMENT, "'2025-2' names no revision; write the month of the revision, as 2027-02"),
        ("2025-02", ROOT / "README.md", "name the policy with --policy, or check the file"),
        ("2025-02", DATA / "document/none.txt", "No such file or directory; check the path and its permissions"),
    ],
)
def test_a_draft_that_cannot_be_begun_leaves_everything_as_it_was(
    root: Path, name: str, document: Path, message: str
) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*.ttl")}
    with pytest.raises(KbError) as error:
        start(Repository(root).policy("EX.5"), name, document)
    assert str(error.value).endswith(message)
    assert {path: path.read_bytes() for path in root.rglob("*.ttl")} == before


def test_a_first_document_of_which_no_heading_is_recognised_is_refused(root: Path, tmp_path: Path) -> None:
    folder = root / "policies/EX.5"
    shutil.rmtree(folder / "2024-01")
    (folder / "revision-log.ttl").unlink()
    document = tmp_path / "no-headings.txt"
    # The table of the log is recognised by itself.
    text = (DATA / "document/EX.5-2024-01.txt").read_text(encoding="utf-8").partition("Reviews, ")[0]
    lines = text.splitlines()
    document.write_text("\n".join(filter(None, lines)), encoding="utf-8")
    with pytest.raises(KbError) as error:
        start(Repository(root).policy("EX.5"), "2024-01", document)
    assert (
        str(error.value) == "no-headings.txt: no heading is found in it; put a blank line before and after each heading"
    )
    assert [path.name for path in folder.iterdir() if path.name != "cases"] == ["policy.ttl"]
    document.write_text(text, encoding="utf-8")
    made = start(Repository(root).policy("EX.5"), "2024-01", document)
    assert list(made.sections) == ["Header", "Policy/Criteria"]


# ---------------------------------------------------------------------- an edition without digests

READ = "Read it: the digest is of what stands at this place. Accept it if what points here says that."
OF_2024 = DATA / "document/EX.5-2024-01.txt"


def without_digests(path: Path) -> None:
    """Passages as an author writes them by hand: places without digests, one of them named in the author's own way."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r" ;\n    pol:digest \"[^\"]*\" ;\n    pol:sketch \"[^\"]*\"", "", text)
    text = text.replace("    a bibo:Document ;", '    a bibo:Document ;\n    skos:scopeNote "Read on paper."@en ;')
    path.write_text(text.replace("Header, paragraph 2, sentence 1", "Header, date"), encoding="utf-8")


@pytest.fixture
def by_hand(root: Path) -> Path:
    """EX.5 with its only revision written by hand."""
    without_digests(root / "policies/EX.5/2024-01/passages.ttl")
    return root


def test_an_edition_written_by_hand_gets_the_digests_of_its_document(by_hand: Path) -> None:
    file = by_hand / "policies/EX.5/2024-01/passages.ttl"
    wanted = Repository(ROOT).graph([DATA / "EX.5/2024-01/passages.ttl"])
    made = start(Repository(by_hand).policy("EX.5"), "2024-01", OF_2024)
    assert [path.name for path in made.changed] == ["passages.ttl", "revision.ttl"]
    assert made.to_do == 11
    found = draft(by_hand, "2024-01")
    digests = {str(digest) for digest in found.graph.objects(None, POL.digest)}
    assert digests == {str(digest) for digest in wanted.objects(None, POL.digest)}
    assert [(one.kind, one.place or one.label, one.task.partition(":")[0]) for one in found.left] == [
        ("revision", "document of revision 01/24", "Its note says how it was known without digests"),
        ("passage", "Header, heading", "Read it"),
        ("passage", "Header, paragraph 1, sentence 1", "Read it"),
        ("passage", "Header, paragraph 2, sentence 1", "New"),
        ("passage", "Header, date", "The document has no place of this name"),
        ("passage", "Policy/Criteria, heading", "Read it"),
        ("passage", "I", "Read it"),
        ("passage", "II", "Read it"),
        ("passage", "II.A", "Read it"),
        ("passage", "Revision Log, row 1", "Read it"),
        ("passage", "Revision Log, row 2", "Read it"),
    ]
    assert file.read_text(encoding="utf-8").startswith("# Every passage of the document of revision 01/24")
    # The place that the author named otherwise is pointed to by its name in the document, and goes.
    edited(by_hand / "policies/EX.5/2024-01/revision.ttl", "xpsg:header-change", "xpsg:Header-2.1")
    text = file.read_text(encoding="utf-8")
    begin = text.index("xpsg:header-change\n")
    file.write_text(text[:begin] + text[text.index("\n.\n", begin) + 3 :], encoding="utf-8")
    found = draft(by_hand, "2024-01")
    accept(found, found.left)
    assert draft(by_hand, "2024-01").left == ()
    policy = Repository(by_hand).policy("EX.5")
    known = policy.entry("2024-01")
    assert trace(policy, known, OF_2024.name, units_of(OF_2024, passages(policy, known))).complete


def test_an_edition_without_passages_gets_those_of_its_document(root: Path) -> None:
    (root / "policies/EX.5/2024-01/passages.ttl").unlink()
    assert start(Repository(root).policy("EX.5"), "2024-01", OF_2024).to_do == 9
    assert {one.kind for one in draft(root, "2024-01").left} == {"passage"}


def test_the_next_edition_of_one_written_by_hand_is_all_to_be_read(by_hand: Path) -> None:
    made = start(Repository(by_hand).policy("EX.5"), "2025-02", DOCUMENT)
    assert made.traced is not None and made.traced.by_place
    found = draft(by_hand)
    assert [(one.kind, one.place or one.label, one.mechanical) for one in found.left] == [
        ("criterion", "Scope", False),
        ("criterion", "I", False),
        ("criterion", "II", False),
        ("criterion", "II.A", False),
        ("log row", "log row 02/25", False),
        ("revision", "document of revision 02/25", False),
        ("passage", "Header, paragraph 1, sentence 1", False),
        ("passage", "Header, paragraph 2, sentence 1", False),
        ("passage", "Policy/Criteria, heading", False),
        ("passage", "II.B", False),
        ("passage", "Revision Log, row 1", False),
        ("passage", "Revision Log, row 2", False),
    ]
    assert found.find("II.A").task == "Read again: no digest of II.A was kept, so it may be reworded."
    assert found.find("Revision Log, row 1").task == (
        "No digest was kept, and left out so far as navigation: read it again."
    )


def frozen(root: Path) -> None:
    (root / "policies/EX.5/2024-01/seal.json").write_text("{}", encoding="utf-8")


def elsewhere(root: Path) -> None:
    folder = root / "policies/EX.5/2024-01"
    (folder / "passages.ttl").rename(folder / "places.ttl")


def without_passages(root: Path) -> None:
    (root / "policies/EX.5/2024-01/passages.ttl").unlink()


@pytest.mark.parametrize(
    ("change", "name", "document", "message"),
    [
        (
            frozen,
            "2024-01",
            OF_2024,
            "EX.5/2024-01 is frozen without digests of its document, and a released revision never changes; begin the "
            "next edition from its own document, with a later --revision",
        ),
        (elsewhere, "2024-01", OF_2024, "places.ttl: states passages; move them to {}/2024-01/passages.ttl"),
        (
            without_passages,
            "2025-02",
            DOCUMENT,
            "no revision of EX.5 states a passage of its document, so none can be compared; if this is the document of "
            "2024-01, give --revision 2024-01; else write its passages.ttl first",
        ),
        (
            lambda root: None,
            "2024-01",
            ROOT / "docs/records.md",
            'not a document of EX.5: it names neither that number nor "Example Infusion"; name the policy with '
            "--policy, or check the file",
        ),
    ],
    ids=["frozen", "passages elsewhere", "no passages", "another document"],
)
def test_digests_that_cannot_be_made_leave_everything_as_it_was(
    change: Callable[[Path], None], name: str, document: Path, message: str, by_hand: Path
) -> None:
    change(by_hand)
    before = {path: path.read_bytes() for path in by_hand.rglob("*.ttl")}
    with pytest.raises(KbError) as error:
        start(Repository(by_hand).policy("EX.5"), name, document)
    assert str(error.value).endswith(message.format(by_hand / "policies/EX.5"))
    assert {path: path.read_bytes() for path in by_hand.rglob("*.ttl")} == before


def test_a_document_of_a_policy_without_digests_is_not_traced_and_what_makes_them_is_said(by_hand: Path) -> None:
    with pytest.raises(KbError) as error:
        traceable(Repository(by_hand).policy("EX.5"))
    assert str(error.value) == (
        "no digests of the document of EX.5, any revision, are kept; kb draft start DOCUMENT --policy EX.5 --revision "
        "YYYY-MM makes them, of a revision that is not frozen or of the next one"
    )


# ---------------------------------------------------------------------- accept


def test_what_is_unchanged_is_pointed_to_its_new_place(begun: Path) -> None:
    found = draft(begun)
    changed = accept(found, found.mechanical)
    assert [path.name for path in changed] == ["passages.ttl", "revision-log.ttl"]
    shared = draft(begun).policy.shared
    old, new = URIRef(X + "2024-01/passage/log-1"), URIRef(NEW + "log-1")
    for statement in ("log/2024-01", "log/2024-01-1"):
        assert set(shared.objects(URIRef(X + statement), POL.statedIn)) == {old, new}
    assert not draft(begun).mechanical


def test_a_new_passage_must_be_stated_or_left_out(begun: Path) -> None:
    found = draft(begun)
    with pytest.raises(KbError) as error:
        accept(found, [found.find("II.B")])
    assert str(error.value) == (
        "EX.5/2025-02, II.B: nothing states it; point to it by pol:statedIn, or leave it out with --as navigation, "
        "--as boilerplate, --as background, --as legal-notice"
    )
    accept(found, [found.find("xpsg25:II.B")], "boilerplate")
    assert set(draft(begun).graph.objects(URIRef(NEW + "II.B"), POL.accountedAs)) == {POL.Boilerplate}
    assert ("passage", "II.B", False) not in left(begun)


def test_a_passage_that_is_stated_is_not_left_out(begun: Path) -> None:
    appended(begun / "policies/EX.5/2025-02/criteria.ttl", "\nxcrit:gvhd pol:statedIn xpsg25:II.B .\n")
    found = draft(begun)
    with pytest.raises(KbError, match="is stated, so it cannot be left out; accept it without --as"):
        accept(found, [found.find("II.B")], "navigation")
    accept(found, [found.find("II.B"), found.find("I")], as_is=True)
    assert [one for one in left(begun) if not one[2]] == [("log row", "log/2025-02", False)]


def test_what_was_to_be_read_again_and_says_what_it_said_is_accepted_as_it_is_alone(begun: Path) -> None:
    found = draft(begun)
    before = {path: path.read_bytes() for path in begun.rglob("*.ttl")}
    with pytest.raises(KbError) as error:
        accept(found, [found.find("I")])
    assert str(error.value) == (
        "EX.5/2025-02, I: xcrit:residual-disease says what it said in 2024-01, and was to be read again: I is reworded "
        "in the document; kb trace DOCUMENT shows the wording; edit the statement, or, if it is right, accept it with "
        "--as-is"
    )
    assert {path: path.read_bytes() for path in begun.rglob("*.ttl")} == before
    ran = CliRunner().invoke(draft_command, ["accept", "I", "--as-is", "--kb", str(begun)])
    assert (ran.exit_code, ran.stdout.splitlines()) == (
        0,
        [
            "policies/EX.5/2025-02/criteria.ttl",
            "as it was: I  residual disease or a raised risk of relapse",
            "1 done, 2 to decide, 1 to point to their places",
        ],
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cond:relapse-risk-is-raised\n", "\n"),
        ('"Residual disease was detected, or the risk of relapse is raised."', '"Residual disease was detected."'),
    ],
    ids=["its conditions", "its words"],
)
def test_what_was_edited_is_accepted(old: str, new: str, begun: Path) -> None:
    edited(begun / "policies/EX.5/2025-02/criteria.ttl", old, new)
    found = draft(begun)
    accept(found, [found.find("I")])
    assert ("criterion", "I", False) not in left(begun)


def test_nothing_is_changed_where_one_of_several_cannot_be_done(begun: Path) -> None:
    before = {path: path.read_bytes() for path in begun.rglob("*.ttl")}
    found = draft(begun)
    with pytest.raises(KbError):
        accept(found, [*found.mechanical, found.find("II.B")])
    assert {path: path.read_bytes() for path in begun.rglob("*.ttl")} == before


def test_one_draft_is_finished_before_another_is_begun(begun: Path) -> None:
    with pytest.raises(KbError, match=r"EX\.5 has a draft already; kb draft status lists what is left of it"):
        start(Repository(begun).policy("EX.5"), "2025-03", DOCUMENT)


def test_a_row_of_the_log_that_says_nothing_keeps_its_mark(begun: Path) -> None:
    found = draft(begun)
    with pytest.raises(KbError, match="says nothing yet; give it pol:says, statement by statement"):
        accept(found, [found.find("xlog:2025-02")])


def test_a_place_where_nothing_is_left_is_refused_with_what_is_near(begun: Path) -> None:
    with pytest.raises(KbError) as error:
        draft(begun).find("II.BB")
    assert str(error.value) == "nothing is left to do at 'II.BB' in EX.5/2025-02; did you mean II.B?"


def test_a_released_revision_is_no_draft(begun: Path) -> None:
    with pytest.raises(KbError, match=r"EX\.5/2024-01 is no draft; kb draft start begins one"):
        draft(begun, "2024-01")


# ---------------------------------------------------------------------- done


@pytest.fixture
def decided(begun: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The draft with everything decided: II.B is left out, and cases show each condition on both sides."""
    monkeypatch.setattr("kb_tools.authoring.finish.run_checks", lambda kb, ids, policy: iter(()))
    monkeypatch.setattr(Release, "_examples", lambda self: iter(()))
    appended(begun / "policies/EX.5/revision-log.ttl", ROW)
    edited(begun / "policies/EX.5/2025-02/criteria.ttl", "cond:relapse-risk-is-raised\n", "\n")
    found = draft(begun)
    accept(found, [one for one in found.left if one.place != "II.B"])
    accept(draft(begun), [draft(begun).find("II.B")], "boilerplate")
    return begun


def release(root: Path, *kept: str, name: str = "2025-02", document: Path | None = None) -> Release:
    found = draft(root, name)
    return Release(found.policy.kb, found, "pyshifty", kept, document)


def test_while_anything_is_left_that_alone_is_said(begun: Path) -> None:
    assert [str(one) for one in release(begun).obstacles] == [
        "EX.5/2025-02: 3 to decide and 1 to point to their places; kb draft status lists them"
    ]


def test_an_untouched_draft_is_compared_as_what_it_comes_to_so_far(begun: Path, run_kb: RunKb) -> None:
    compared = ("diff", "EX.5/2024-01", "EX.5/2025-02", "--kb", str(begun), "--engine", "pyshifty")
    found = run_kb(*compared)
    assert (found.returncode, found.stderr) == (1, "")
    assert [line.strip() for line in found.stdout.splitlines() if line][2:8] == [
        "2025-02 against 2024-01: equivalent, so far.",
        "Nothing differs yet in what both have on file.",
        "- Criteria of 2024-01: document on file.",
        "- Criteria of 2025-02: those of a draft.",
        "- 2025-02 is a draft: it is not released, and in force on no date.",
        "- This is not final: 3 things are left to decide in 2025-02; see kb draft status.",
    ]
    content = json.loads(run_kb(*compared, "--format", "json").stdout)
    assert (content["final"], content["leftToDecide"], content["drafts"]) == (False, {"2025-02": 3}, ["2025-02"])
    assert run_kb(*compared, "--fail-on", "stricter").returncode == 0
    assert run_kb(*compared, "--fail-on", "unfinished").returncode == 1


def test_a_draft_in_which_everything_is_decided_is_compared_for_good(decided: Path) -> None:
    found = release(decided).diff
    assert found is not None
    assert (found.final, found.left_to_decide, found.words) == (True, {"2025-02": 0}, found.verdict.words)
    assert found.of_drafts == ["2025-02 is a draft: it is not released, and in force on no date."]


def test_a_draft_is_released_once_its_comparison_was_seen(decided: Path) -> None:
    found = release(decided)
    assert found.obstacles == ()
    assert found.diff is not None
    assert found.diff.verdict.words == "stricter, by criteria alone"
    with pytest.raises(KbError, match=f"the comparison that was looked at is another; .* --seen {found.digest}"):
        found.release("0123456789ab")
    frozen = found.release(found.digest)
    assert (frozen.status, frozen.entry.name) == ("frozen", "2025-02")
    policy = Repository(decided).policy("EX.5")
    assert not policy.entry("2025-02").draft
    assert sorted(path.name for path in (decided / "policies/EX.5/2025-02").iterdir()) == [
        "criteria.ttl", "passages.ttl", "revision.ttl", "seal.json", "seal.nq"
    ]  # fmt: skip


@pytest.fixture
def first(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first edition as a draft, with everything decided."""
    monkeypatch.setattr("kb_tools.authoring.finish.run_checks", lambda kb, ids, policy: iter(()))
    monkeypatch.setattr(Release, "_examples", lambda self: iter(()))
    edited(
        root / "policies/EX.5/2024-01/revision.ttl",
        "    pol:revisionOf",
        '    pol:toDo "A draft."@en ;\n    pol:revisionOf',
    )
    return root


def done(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["draft", "done", "--kb", str(root), "--engine", "pyshifty", *arguments])


def test_a_first_edition_is_shown_before_it_is_released(first: Path) -> None:
    edited(first / "policies/EX.5/2024-01/passages.ttl", "pol:Navigation", "pol:BackgroundText")
    shown = done(first, "--document", str(DATA / "document/EX.5-2024-01.txt"))
    assert shown.exit_code == 1
    lines = [line.rstrip() for line in shown.stdout.splitlines()]
    assert lines[:10] == [
        "EX.5/2024-01, the first edition on file: this is about to be released",
        "",
        "What is on file",
        "  Part         Rests on          Statements",
        "  criteria     document on file  4",
        "  disposition  not on file       0",
        "  definitions  not on file       0",
        "  codes        not on file       0",
        "  references   not on file       0",
        "  evidence     not on file       0",
    ]
    assert "  6 of 9 stated, 1 left out as background, 2 left out as navigation." in lines
    assert "  CriteriaMet  1" in lines
    assert "  - cond:relapse-risk-is-raised is never fails" in lines
    assert "  No eight words in a row of the document stand in the knowledge base." in lines
    digest = lines[-1].rpartition(" ")[2]
    assert lines[-1] == f"Read it. If it says what the document says: kb draft done EX.5/2024-01 --seen {digest}"
    assert not (first / "policies/EX.5/2024-01/seal.json").exists()
    other = done(first, "--seen", "0123456789ab")
    assert str(other.exception) == (
        f"EX.5/2024-01: the edition that was looked at is another; read it again, and give --seen {digest}"
    )
    released = done(first, "--seen", digest)
    assert (released.exit_code, released.stdout) == (0, "EX.5/2024-01  released and frozen: 1166 statements\n")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("policies/EX.5/2024-01/criteria.ttl", "raised risk of relapse", "risk of relapse"),
        ("shapes/conditions/gvhd.ttl", "sh:minInclusive 2", "sh:minInclusive 3"),
    ],
)
def test_another_first_edition_is_to_be_looked_at_again(first: Path, file: str, old: str, new: str) -> None:
    """What a condition asks is part of it, wherever that stands."""
    before = release(first, name="2024-01").digest
    edited(first / file, old, new)
    assert release(first, name="2024-01").digest != before


def test_wording_of_the_document_keeps_a_draft_from_being_released(first: Path) -> None:
    document = DATA / "document/EX.5-2024-01.txt"
    shutil.copy(document, first / "beside.txt")
    assert release(first, name="2024-01", document=document).obstacles == ()
    words = next(line for line in document.read_text(encoding="utf-8").splitlines() if len(line.split()) > 10)
    appended(first / "policies/EX.5/2024-01/criteria.ttl", f"# {words}\n")
    (obstacle,) = release(first, name="2024-01", document=document).obstacles
    assert obstacle.where.startswith("policies/EX.5/2024-01/criteria.ttl:")
    assert obstacle.message.endswith("; say it in words of our own")


def test_the_cases_of_a_draft_are_determined_as_if_it_were_released(first: Path) -> None:
    runner = CliRunner()
    kb = ["--kb", str(first), "--engine", "pyshifty"]
    found = runner.invoke(command, ["test", *kb])
    assert (found.exit_code, found.stdout) == (
        0,
        "EX.5: 1 expectation on 1 case, 1 as expected, 0 not\n"
        "  2024-01 is a draft, and was determined as if it were released.\n",
    )
    covered = runner.invoke(command, ["test", *kb, "--coverage", "--revision", "EX.5/2024-01"])
    assert covered.exit_code == 1
    assert "GAP EX.5: cond:relapse-risk-is-raised is never fails" in covered.stdout
    unknown = runner.invoke(command, ["test", *kb, "--revision", "2023-01"])
    assert str(unknown.exception).startswith("EX.5 has no revision 2023-01")


def test_the_check_of_the_examples_takes_the_criteria_of_a_draft_as_kb_test_does(first: Path) -> None:
    (found,) = run_checks(Repository(first), ["examples"])
    assert found.problems == ()
    edited(first / "policies/EX.5/2024-01/revision.ttl", "pol:DocumentOnFile", "pol:NotOnFile")
    (found,) = run_checks(Repository(first), ["examples"])
    assert [problem.message for problem in found.problems] == [
        "raised-risk-2024-01 names revision 2024-01, whose criteria are not on file; name another"
    ]


def test_what_keeps_all_cases_from_being_determined_is_said_once(first: Path) -> None:
    holdings = first / "policies/EX.5/2024-01/revision.ttl"
    edited(holdings, "pol:DocumentOnFile", "pol:NotOnFile")
    manifest = first / "policies/EX.5/cases/manifest.ttl"
    again = manifest.read_text(encoding="utf-8").partition("\n:raised-risk-2024-01\n")[2]
    edited(manifest, "case:expects :raised-risk-2024-01 .", "case:expects :raised-risk-2024-01 , :again .")
    appended(manifest, f"\n:again\n{again}")
    found = CliRunner().invoke(command, ["test", "--kb", str(first), "--engine", "pyshifty"])
    assert found.stdout == (
        "FAILED EX.5 2 expectations under 2024-01\n"
        "  - the criteria of EX.5 revision 2024-01 are not on file; no revision's criteria are on file\n"
        "EX.5: 2 expectations on 1 case, 0 as expected, 2 not\n"
        "  2024-01 is a draft, and was determined as if it were released.\n"
    )


def test_another_draft_has_another_comparison(decided: Path) -> None:
    before = release(decided).digest
    edited(decided / "policies/EX.5/2025-02/criteria.ttl", "cond:mrd-is-detected\n", "cond:relapse-risk-is-raised\n")
    assert release(decided).digest != before


def test_without_a_row_in_the_log_it_is_not_released(decided: Path) -> None:
    edited(decided / "policies/EX.5/revision-log.ttl", "pol:records <https://w3id.org/policykb/EX.5/2025-02> ;", "")
    assert "EX.5/2025-02: has no row in the log; give it one, or a discrepancy with pol:recordsMissingRowOf" in [
        str(one) for one in release(decided).obstacles
    ]


def test_a_case_that_comes_to_something_else_is_an_obstacle(decided: Path) -> None:
    manifest = decided / "policies/EX.5/cases/manifest.ttl"
    edited(manifest, "EX.5/2024-01> ;", "EX.5/2025-02> ;")
    assert [str(one) for one in release(decided).obstacles] == [
        "EX.5 raised-risk-2024-01: outcome: expected CriteriaMet, came to CriteriaNotMet",
        "EX.5 raised-risk-2024-01: cond:relapse-risk-is-raised: expected holds, came to no value",
    ]


def test_a_text_that_speaks_of_a_limit_that_is_gone_is_an_obstacle_unless_it_is_kept(decided: Path) -> None:
    criteria = decided / "policies/EX.5/2025-02/criteria.ttl"
    edited(criteria, "cond:acute-gvhd-of-grade-2-or-higher", "cond:relapse-risk-is-raised")
    # Evidence has numbers of its own.
    appended(criteria, '\n<urn:e> a pol:EvidenceStatement ; rdfs:label "2 of 5 patients"@en .\n')
    gone = "speaks of 2, which no condition names any more; say what holds now, or keep it with --keep"
    assert [str(one) for one in release(decided).obstacles] == [
        f"xcrit:gvhd: its rdfs:label {gone}",
        f"xcrit:gvhd: its skos:definition {gone}",
    ]
    assert release(decided, X + "criterion/gvhd").obstacles == ()


def test_a_condition_that_no_case_shows_is_an_obstacle(begun: Path) -> None:
    found = list(release(begun)._examples())
    lacks = "no example case in which it {}; add one to cases/, with what it comes to"
    assert [str(one) for one in found] == [
        f"cond:service-is-dli: {lacks.format('fails')}",
        f"cond:mrd-is-detected: {lacks.format('holds')}",
        f"cond:relapse-risk-is-raised: {lacks.format('fails')}",
        f"cond:acute-gvhd-of-grade-2-or-higher: {lacks.format('holds')}",
    ]


# ---------------------------------------------------------------------- edits of Turtle


A_MARK = Literal("Do it.", lang="en")
S, T, P = URIRef("urn:s"), URIRef("urn:t"), URIRef("urn:p")


MARK = '<urn:p> "Do it."@en'
OF_T = f"<urn:t> {MARK} ; <urn:q> 1 .\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (f"<urn:s> <urn:q> 1 ; # one\n    {MARK} ;\n    <urn:r> 2 .\n", "<urn:s> <urn:q> 1 ; # one\n    <urn:r> 2 .\n"),
        (f"<urn:s> <urn:q> 1 ;\n    {MARK} .\n", "<urn:s> <urn:q> 1 ;\n     .\n"),
        (f"{OF_T}<urn:s> {MARK} ; <urn:q> 1 .\n", f"{OF_T}<urn:s> <urn:q> 1 .\n"),
    ],
    ids=["a line of its own", "the last", "of this subject alone"],
)
def test_a_mark_is_removed_and_all_else_stays(text: str, after: str) -> None:
    file = TurtleText(text, Path("x.ttl"))
    file.replace(S, P, A_MARK, "", None)
    assert file.text == after


def test_a_mark_that_is_not_found_is_said() -> None:
    file = TurtleText('<urn:s> <urn:p> "Do\\u0020it."@en .\n', Path("x.ttl"))
    with pytest.raises(KbError, match=r'x.ttl: the mark "Do it." of <urn:s> is not found .*; remove it by hand'):
        file.replace(S, P, A_MARK, "", None)
