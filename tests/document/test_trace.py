"""A document held against a revision: what is found, new, gone, moved and reworded, what to review, and the draft."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import textwrap
from collections.abc import Callable
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from rdflib import Literal, URIRef
from rdflib.namespace import RDFS, SKOS

import kb_tools
from kb_tools.checks import run_checks
from kb_tools.document.cut import cut
from kb_tools.document.digest import digest
from kb_tools.document.draft import write_draft
from kb_tools.document.leaks import Leak, leaks
from kb_tools.document.likeness import sketch
from kb_tools.document.notation import notations
from kb_tools.document.passages import REVIEWED, traceable
from kb_tools.document.trace import Trace, quotes, trace
from kb_tools.document.unit import Unit
from kb_tools.errors import KbError, UnknownRevision, UnreadableInput
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import BASE, CITO, POL
from kb_tools.render import trace as page_of
from kb_tools.render.page import markdown
from kb_tools.revisions.change import Kind
from kb_tools.revisions.compare import compare

RunKb = Callable[..., CompletedProcess[str]]
ROOT, DATA = Path(__file__).parents[2], Path(__file__).parents[1] / "data"
INVENTED = DATA / "document/invented.txt"
TEXT = INVENTED.read_text(encoding="utf-8")
X = BASE + "XX.99/"
PSG = X + "2031-03/passage/"


def local(notation: str) -> str:
    return re.sub(r"[^\w.]+", "-", notation)


def passages_ttl(text: str) -> str:
    """The passages of a document, named by their places, with two parts of the sentence on beds."""
    units = cut(text)
    stated = set(re.findall(r"xp:([\w.-]*[\w-])", (DATA / "XX.99/2031-03/revision.ttl").read_text(encoding="utf-8")))
    lines = [
        "PREFIX cito: <http://purl.org/spar/cito/>",
        "PREFIX dcterms: <http://purl.org/dc/terms/>",
        "PREFIX oa: <http://www.w3.org/ns/oa#>",
        "PREFIX pol: <https://w3id.org/policykb/policy#>",
        "PREFIX skos: <http://www.w3.org/2004/02/skos/core#>",
    ]
    works = {6: "fox", 7: "george", 8: "how", 9: "item"}
    for unit, notation in zip(units, notations(units), strict=True):
        node = f"<{PSG}{local(notation)}>"
        lines += passage(node, unit, notation, unit.text)
        lines += [f"{node} cito:cites <{X}{works[mark]}> ." for mark in unit.marks if mark in works]
        lines += [f"{node} cito:cites <{X}work-{mark}> ." for mark in unit.marks if mark not in works]
        if "A full bed" in unit.text:
            for name, part in zip(("full-bed", "mixed-bed"), unit.text.split(";"), strict=True):
                lines += [*passage(f"<{PSG}{name}>", unit, name, part), f"<{PSG}{name}> dcterms:isPartOf {node} ."]
        if unit.kind == "reference" and int(unit.label) not in works:
            lines.append(f"<{X}work-{unit.label}> a pol:Reference ; pol:statedIn {node} .")
        elif local(notation) not in stated and "A full bed" not in unit.text:
            lines.append(f"{node} pol:accountedAs pol:BackgroundText .")
    return "\n".join(lines)


def passage(node: str, unit: Unit, notation: str, text: str) -> list[str]:
    details = f'pol:order {unit.order} ; pol:digest "{digest(text)}" ; pol:sketch "{sketch(text)}"'
    place = f'pol:section "{unit.section}" ; skos:notation "{notation}"'
    return [f"{node} a pol:Passage ; oa:hasSource <{X}2031-03/document> ; {place} ; {details} ."]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base with the made-up policy alone."""
    folder = tmp_path_factory.mktemp("kb")
    for name in ("ontology", "shapes"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copytree(DATA / "XX.99", folder / "policies/XX.99")
    (folder / "policies/XX.99/2031-03/passages.ttl").write_text(passages_ttl(TEXT), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made_up(root: Path) -> Policy:
    return Repository(root).policy()


def traced(made_up: Policy, text: str) -> Trace:
    return trace(made_up, traceable(made_up), "made-up.txt", cut(text))


def put(old: str, new: str, text: str = TEXT) -> str:
    """The document with one part of its text, which stands in it exactly once, put another way."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the document"
    return text.replace(old, new)


def reviewed(found: Trace) -> list[tuple[str, str, str]]:
    """What is to be reviewed, worst first: kind, name and why."""
    return [
        (review.statement.kind, review.statement.iri.removeprefix(X), review.why)
        for review in found.reviews
        if review.statement.kind in REVIEWED
    ]


# ---------------------------------------------------------------------- the same document


def test_every_unit_of_the_same_document_is_accounted_for(made_up: Policy) -> None:
    found = traced(made_up, TEXT)
    assert found.complete
    assert (found.reworded, found.new, found.gone, found.moved, found.recited, found.reviews) == ((),) * 6
    assert found.sections == {
        "Header": (6, 6),
        "Description": (9, 9),
        "Policy/Criteria": (8, 8),
        "Background": (8, 8),
        "Coding Implications": (8, 8),
        "Revision Log": (4, 4),
        "References": (13, 13),
        "Important Reminder": (9, 9),
    }


def test_the_library_says_of_a_document_what_the_command_says(root: Path, run_kb: RunKb) -> None:
    found = kb_tools.open(root).trace(INVENTED)
    assert (found.document, found.complete, found.entry.name) == ("invented.txt", True, "2031-03")
    assert found.to_json() == run_kb("trace", str(INVENTED), "--format", "json", "--kb", str(root)).stdout


def test_units_are_called_by_their_places() -> None:
    units = cut(TEXT)
    called = list(notations(units))
    assert len(set(called)) == len(called) == 65
    assert called[16:23] == ["I", "I, note", "I, note, sentence 2", "II", "II.A", "II.B", "II.B, sentence 2"]
    assert [called[number] for number in (0, 7, 27, 36, 42, 55, 64)] == [
        "Header, heading",
        "Description, paragraph 1, sentence 1",
        "Background, paragraph 2, sentence 1",
        "Coding Implications, code 99902",
        "Revision Log, row 4",
        "Reference 12",
        "Important Reminder, paragraph 4, sentence 2",
    ]


@pytest.mark.parametrize(
    ("labels", "called"),
    [
        (["I", "A", "B", "1", "2", "a", "II", "A"], ["I", "I.A", "I.B", "I.B.1", "I.B.2", "I.B.2.a", "II", "II.A"]),
        (["II", "H", "I", "J"], ["II", "II.H", "II.I", "II.J"]),
        (["1", "2", "10"], ["1", "2", "10"]),
    ],
)
def test_items_are_called_by_the_numbers_above_them(labels: list[str], called: list[str]) -> None:
    units = [Unit("item", "S", number, label, number, "t", (), "") for number, label in enumerate(labels, 1)]
    assert list(notations(units)) == called


# ---------------------------------------------------------------------- another document


def test_a_word_changed_in_a_criterion_puts_just_that_criterion_in_question(made_up: Policy) -> None:
    found = traced(made_up, put("blight of grade 2 or", "blight of grade 3 or"))
    assert not found.complete
    assert reviewed(found) == [("criterion", "blight", "reworded")]
    assert [(review.statement.kind, review.statement.iri) for review in found.reviews[1:]] == [
        ("discrepancy", X + "blight-untreated")
    ]
    assert [(located.passage.iri, located.notation) for located in found.reworded] == [(PSG + "II.B", "II.B")]
    assert (found.new, found.gone, found.moved) == ((), (), ())
    assert found.sections["Policy/Criteria"] == (7, 8)


def test_a_sign_changed_in_a_definition_puts_just_that_definition_in_question(made_up: Policy) -> None:
    assert reviewed(traced(made_up, put("has < 95%", "has >= 95%"))) == [("definition", "mixed-bed", "reworded")]
    assert reviewed(traced(made_up, put("which ≥ 95%", "which > 95%"))) == [("definition", "full-bed", "reworded")]
    both = traced(
        made_up, put("which ≥ 95% of the plants are blue; a mixed bed has <", "which > 95% or so; mixed is <")
    )
    assert reviewed(both) == [("definition", "full-bed", "reworded"), ("definition", "mixed-bed", "reworded")]


def test_a_decimal_point_that_is_lost_puts_the_evidence_in_question(made_up: Policy) -> None:
    assert reviewed(traced(made_up, put("to 8.8×10^8", "to 88×10^8"))) == [("evidence", "dose", "reworded")]


def with_a_reference_at_7(text: str, marks: bool) -> str:
    body, references = text.split("\nReferences\n")

    def later(number: str) -> str:
        return str(int(number) + (int(number) >= 7))

    listed, rest = references.split("\nImportant Reminder\n")
    listed = re.sub(r"(?m)^ ?(\d+)\. ", lambda found: f"{later(found[1])}. ", listed)
    listed = listed.replace("8. George", "7. New N. Newer beds. *Made Up Lett*. 2030;22:1 to 3.\n8. George")
    if marks:
        raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
        body = re.sub(r"(?<=[a-z.,;)])[⁰¹²³⁴-⁹]+", lambda found: f"^{{{found[0].translate(raised)}}}", body)
        body = re.sub(r"\^\{(.*?)\}", lambda found: f"^{{{re.sub(r'[0-9]+', lambda n: later(n[0]), found[1])}}}", body)
    return f"{body}\nReferences\n{listed}\nImportant Reminder\n{rest}"


def test_a_reference_inserted_is_new_the_later_ones_are_moved_and_no_criterion_is_in_question(made_up: Policy) -> None:
    found = traced(made_up, with_a_reference_at_7(TEXT, marks=True))
    assert reviewed(found) == []
    assert [notation for _, notation in found.new] == ["Reference 7"]
    assert [(located.passage.notation, located.notation) for located in found.moved] == [
        (f"Reference {number}", f"Reference {number + 1}") for number in range(7, 13)
    ]
    assert (found.reworded, found.gone, found.recited) == ((), (), ())


def test_marks_that_were_not_renumbered_with_the_references_are_reported(made_up: Policy) -> None:
    found = traced(made_up, with_a_reference_at_7(TEXT, marks=False))
    assert reviewed(found) == []
    recitations = {recited.passage.notation: (recited.before, recited.now) for recited in found.recited}
    assert recitations["II.A"] == (("9",), ("8",))
    assert recitations["II.B, sentence 2"] == (("10", "11"), ("9", "10"))
    assert "Description, paragraph 2, sentence 2" not in recitations


def test_marks_are_held_against_what_the_statements_there_cite_where_the_passage_says_nothing(made_up: Policy) -> None:
    """As of a first edition, where the references had no names yet when the passages were written."""
    folder = made_up.revision_folders["2031-03"]
    path, stated = folder / "passages.ttl", folder / "revision.ttl"
    kb = made_up.kb.instead(path, [triple for triple in made_up.kb.triples(path) if triple[1] != CITO.cites])
    recitations = {one.passage.notation: (one.before, one.now) for one in traced(kb.policy(), TEXT).recited}
    assert "II.A" not in recitations
    assert recitations["II.B, sentence 2"] == ((), ("9", "10"))
    cites = (URIRef(X + "painted"), CITO.citesAsEvidence)
    more = kb.instead(stated, [*kb.triples(stated), (*cites, URIRef(X + "fox"))])
    # A work more may have its mark at another place of the statement.
    assert "II.A" not in {one.passage.notation for one in traced(more.policy(), TEXT).recited}
    rest = [triple for triple in kb.triples(stated) if triple[:2] != cites]
    other = kb.instead(stated, [*rest, (*cites, URIRef(X + "fox"))])
    recitations = {one.passage.notation: (one.before, one.now) for one in traced(other.policy(), TEXT).recited}
    assert recitations["II.A"] == (("6",), ("8",))


def test_a_document_without_marks_says_nothing_of_citations(made_up: Policy) -> None:
    bare = re.sub(r"\^\{.*?\}|(?<=[a-z.,;)])[⁰¹²³⁴-⁹]+", "", with_a_reference_at_7(TEXT, marks=False))
    assert traced(made_up, bare).recited == ()


def test_a_sentence_that_is_gone_takes_what_is_stated_there_with_it(made_up: Policy) -> None:
    found = traced(made_up, put("- A. Blue cells that were painted;⁸\n\n", "", put("- B.", "- A.")))
    assert reviewed(found) == [("criterion", "painted", "gone"), ("criterion", "blight", "moved")]
    assert [passage.notation for passage in found.gone] == ["II.A"]
    assert [(located.passage.notation, located.notation) for located in found.moved] == [
        ("II.B", "II.A"),
        ("II.B, sentence 2", "II.A, sentence 2"),
    ]


def test_a_statement_with_a_reworded_place_is_reworded_though_another_is_only_moved(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kb"
    shutil.copytree(root, folder)
    stated = folder / "policies/XX.99/2031-03/revision.ttl"
    with stated.open("a", encoding="utf-8") as file:
        file.write("x:blight pol:statedIn xp:II.A .\n")
    text = put("painted;⁸", "dyed;⁸\n\n- B. Red cells kept in a shed;", put("- B. A garden", "- C. A garden"))
    found = traced(Repository(folder).policy(), text)
    assert reviewed(found) == [("criterion", "blight", "reworded"), ("criterion", "painted", "reworded")]
    assert [review.told for review in found.reviews[:2]] == [
        (("II.A", "reworded"), ("II.B", "moved to II.C")),
        (("II.A", "reworded"),),
    ]
    rows = [
        line
        for line in markdown(page_of.document(Repository(folder), found, quoted=False)).splitlines()
        if "blight" in line
    ]
    assert [cell.strip() for cell in rows[0].split("|")][-3:-1] == ["reworded", "II.A; II.B (moved to II.C)"]
    write_draft(found, "2032-03")
    made_up = Repository(folder).policy()
    tasks = made_up.own_graph(made_up.entry("2032-03")).objects(URIRef(X + "blight"), POL.toDo)
    assert [str(task) for task in tasks] == ["Read again: II.A is reworded; II.B is moved to II.C."]


def test_an_item_that_is_moved_under_another_heading_is_in_question(made_up: Policy) -> None:
    text = put("- A. Blue cells that were painted;⁸\n\n", "")
    found = traced(made_up, put("II. It is the view", "A. Blue cells that were painted;⁸\n\nII. It is the view", text))
    assert reviewed(found) == [("criterion", "painted", "moved")]
    assert [(located.passage.notation, located.notation) for located in found.moved] == [("II.A", "I.A")]
    assert (found.new, found.gone, found.reworded) == ((), (), ())


def test_what_is_gone_stands_before_what_is_reworded_and_criteria_before_codes(made_up: Policy) -> None:
    text = put("99902	Infusion of blue cells, each garden", "99902	Infusion of blue cells, every garden")
    text = put(
        "painted;", "dyed;", put(" 6. Fox F. Doses. *J Invent Hortic*. 2012;26(1):5 to 6.", " 6. Z. 1999.", text)
    )
    assert reviewed(traced(made_up, text))[:2] == [("criterion", "painted", "reworded"), ("code", "99902", "reworded")]


def test_a_sentence_moved_to_another_section_is_moved_and_nothing_is_in_question(made_up: Policy) -> None:
    sentence = "What became of these is not known."
    found = traced(
        made_up, put("Its use is spreading.³", f"{sentence} Its use is spreading.³", put(" " + sentence, ""))
    )
    assert [(located.passage.section, located.unit.section) for located in found.moved] == [
        ("Background", "Description")
    ]
    assert (found.new, found.gone, found.reworded, reviewed(found)) == ((), (), (), [])


def test_a_new_sentence_is_new_and_its_neighbours_are_not_moved(made_up: Policy) -> None:
    found = traced(made_up, put("Wilting takes many forms.", "Wilting takes many forms. Ants like some of these."))
    assert [notation for _, notation in found.new] == ["Background, paragraph 1, sentence 2"]
    assert (found.moved, found.gone, found.reworded) == ((), (), ())


def test_a_sentence_that_shares_no_words_is_not_taken_for_a_rewording(made_up: Policy) -> None:
    found = traced(made_up, put("Wilting takes many forms.", "On Mondays every shop in the high street stays shut."))
    assert found.reworded == ()
    assert [passage.notation for passage in found.gone] == ["Background, paragraph 1, sentence 1"]


def test_a_document_of_another_policy_is_refused(made_up: Policy) -> None:
    other = "Clinical Policy: Tea\n\nReference Number: T.1\n\nDescription\n\nTea is a drink. It is hot.\n"
    with pytest.raises(UnreadableInput) as error:
        traced(made_up, other)
    assert str(error.value) == (
        "not a document of XX.99: 1 of its 65 passages are found; name the policy with --policy, or check the file"
    )


def test_a_revision_without_digests_cannot_be_traced(policy: Policy) -> None:
    with pytest.raises(UnknownRevision) as error:
        traceable(policy, "2019-10")
    assert str(error.value) == (
        "no digests of the document of CP.MP.101, revision 2019-10, are kept; digests are kept of: 2026-02"
    )
    assert traceable(policy).name == "2026-02"


# ---------------------------------------------------------------------- the command


def test_kb_trace_prints_what_is_accounted_for(run_kb: RunKb, root: Path) -> None:
    done = run_kb("trace", str(INVENTED), "--kb", str(root))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:7] == [
        "XX.99 revision 2031-03, compared with invented.txt",
        "",
        "Accounted for",
        "  65 of 65 units of the document (100 %); 65 of 65 passages of the revision found word for word.",
        "",
        "  Section              Units  Accounted for",
        "  Header               6      6",
    ]


def test_kb_trace_of_a_changed_document_exits_1_in_every_format(run_kb: RunKb, root: Path, tmp_path: Path) -> None:
    changed = tmp_path / "new.txt"
    changed.write_text(put("blight of grade 2 or", "blight of grade 3 or"), encoding="utf-8")
    shown = run_kb("trace", str(changed), "--kb", str(root))
    assert shown.returncode == 1
    assert "  criterion  x:blight   II.B blight of grade 2 or higher  reworded  II.B\n" in shown.stdout
    assert "A garden with blight of grade 3 or higher." in shown.stdout
    marked = run_kb("trace", str(changed), "--kb", str(root), "--format", "markdown")
    assert (marked.returncode, "grade 3" in marked.stdout) == (1, False), "text of the document stands in no report"
    assert "| criterion | x:blight | II.B blight of grade 2 or higher | reworded | II.B |\n" in marked.stdout
    ran = run_kb("trace", str(changed), "--kb", str(root), "--format", "json")
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["units"], found["accountedFor"], "grade 3" in ran.stdout) == (1, 65, 64, False)
    assert found["review"] == [
        {
            "kind": "criterion",
            "statement": X + "blight",
            "label": "blight of grade 2 or higher",
            "why": "reworded",
            "passages": [PSG + "II.B"],
        }
    ]
    assert [located["passage"] for located in found["reworded"]] == [PSG + "II.B"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "the file is empty; fetch or save the document again"),
        (
            "other.txt",
            b"Clinical Policy: Tea\n\nTea is hot.\n",
            "not a document of XX.99: 0 of its 65 passages are found",
        ),
        ("latin.txt", "Größe".encode("latin-1"), "not UTF-8: byte 3, in line 1; save it as UTF-8"),
        ("scan.doc", b"x", "unknown kind of document .doc; use .txt, .md, .html, .htm, .pdf"),
    ],
)
def test_a_document_that_cannot_be_read_is_one_line_and_exit_2(
    run_kb: RunKb, root: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run_kb("trace", str(tmp_path / name), "--kb", str(root))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


# ---------------------------------------------------------------------- reading side by side


def test_a_passage_is_shown_under_each_statement_from_the_readers_copy(run_kb: RunKb, root: Path) -> None:
    shown = run_kb("show", "2031-03", "--kb", str(root), "--document", str(INVENTED))
    assert shown.returncode == 0
    text = " ".join(shown.stdout.replace("│", " ").split())
    assert "II.B: “A garden with blight of grade 2 or higher.”" in text
    assert "I, note: “EXI is not done for the colour of the leaves alone.”" in text
    without = run_kb("show", "2031-03", "--kb", str(root))
    assert "painted;" not in without.stdout


def test_kb_validate_explains_with_the_passages_of_the_readers_copy(
    run_kb: RunKb, root: Path, tmp_path: Path, vary: Callable[[str, str], str]
) -> None:
    case, copy = tmp_path / "case.ttl", tmp_path / "copy.txt"
    case.write_text(vary('case:serviceDate "2026-07-01"', 'case:serviceDate "2031-07-01"'), encoding="utf-8")
    copy.write_text(put("blight of grade 2 or", "blight of grade 3 or"), encoding="utf-8")
    arguments = ("validate", str(case), "--kb", str(root), "--explain", "--document", str(copy))
    text = " ".join(run_kb(*arguments).stdout.split())
    assert "II.A: Policy/Criteria, II.A II.A: “Blue cells that were painted;”" in text
    assert "II.B: Policy/Criteria, II.B II.B: not found in this copy of the document" in text


def test_a_passage_that_the_copy_lacks_is_said_to_be_missing(made_up: Policy, tmp_path: Path) -> None:
    copy = tmp_path / "copy.txt"
    copy.write_text(put("blight of grade 2 or", "blight of grade 3 or"), encoding="utf-8")
    found = quotes(made_up, copy)
    assert PSG + "II.B" not in found
    assert found[PSG + "II.A"] == "Blue cells that were painted;"
    assert found[PSG + "mixed-bed"] == found[PSG + "Background-paragraph-2-sentence-1"]


def test_a_copy_of_another_policy_is_refused(made_up: Policy, tmp_path: Path) -> None:
    other = tmp_path / "tea.txt"
    other.write_text("Clinical Policy: Tea\n\nTea is hot.\n", encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"tea\.txt: not a document of XX\.99: none of its passages is found"):
        quotes(made_up, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "--document", "x.txt"], "--document goes with a REVISION and the format text."),
        (["show", "2026-02", "--format", "json", "--document", "x.txt"], "--document goes with a REVISION"),
        (["validate", "case.ttl", "--document", "x.txt"], "--document goes with --explain and the format text."),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(run_kb: RunKb, arguments: list[str], message: str) -> None:
    done = run_kb(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


# ---------------------------------------------------------------------- shared wording


def test_a_run_of_eight_words_is_found_in_files_and_of_seven_is_not(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kb"
    shutil.copytree(root, folder)
    kb = Repository(folder)
    units = cut(TEXT)
    named = list(zip(units, notations(units), strict=True))
    assert list(leaks(kb, named)) == []
    (folder / "notes.md").write_text("One\ntwo: Most gardens wilt in the first year, and then not.\n", encoding="utf-8")
    assert list(leaks(kb, named)) == [Leak("notes.md:2", 8, "Background, paragraph 1, sentence 2")]
    (folder / "notes.md").write_text("Most gardens wilt in the first year or not.\n", encoding="utf-8")
    assert list(leaks(kb, named)) == []


def test_five_words_of_a_code_are_enough_and_bibliographic_data_are_free(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kb"
    shutil.copytree(root, folder)
    units = cut(TEXT)
    named = list(zip(units, notations(units), strict=True))
    (folder / "a.txt").write_text("an infusion of blue cells each garden gets", encoding="utf-8")
    (folder / "b.txt").write_text("Cable C, Dabble D, et al. A survey of beds. Made Up Lett. 2010", encoding="utf-8")
    assert list(leaks(Repository(folder), named)) == [Leak("a.txt:1", 6, "Coding Implications, code 99902")]


def test_a_literal_that_hides_its_words_from_the_eye_is_found(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kb"
    shutil.copytree(root, folder)
    hidden = r"Most gardens wilt\u0020in\u0020the first year, and even those"
    path = folder / "policies/XX.99/policy.ttl"
    path.write_text(path.read_text(encoding="utf-8") + f'\nx:note skos:note "{hidden}"@en .\n', encoding="utf-8")
    units = cut(TEXT)
    [leak] = leaks(Repository(folder), list(zip(units, notations(units), strict=True)))
    assert leak == Leak("policies/XX.99/policy.ttl: x:note skos:note", 10, "Background, paragraph 1, sentence 2")


def test_kb_trace_leaks_exits_1_and_does_not_repeat_the_words(run_kb: RunKb, root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kb"
    shutil.copytree(root, folder)
    done = run_kb("trace", str(INVENTED), "--leaks", "--kb", str(folder))
    assert (done.returncode, done.stdout) == (0, "0 runs of words shared with the document\n")
    (folder / "notes.md").write_text("Most gardens wilt in the first year, and even then", encoding="utf-8")
    done = run_kb("trace", str(INVENTED), "--leaks", "--kb", str(folder))
    assert (done.returncode, done.stdout) == (
        1,
        "notes.md:1: 9 words in a row of the document, Background, paragraph 1, sentence 2\n"
        "1 runs of words shared with the document\n",
    )


# ---------------------------------------------------------------------- the draft


@pytest.fixture
def drafted(root: Path, tmp_path: Path) -> Path:
    """A copy of the knowledge base in which a changed document became the draft 2032-03."""
    folder = tmp_path / "kb"
    shutil.copytree(root, folder)
    text = put("blight of grade 2 or", "blight of grade 3 or", with_a_reference_at_7(TEXT, marks=True))
    made_up = Repository(folder).policy()
    where, to_do = write_draft(traced(made_up, put("Its use is spreading.^{3} ", "", text)), "2032-03")
    assert (where, to_do) == (folder / "policies/XX.99/2032-03", 2)
    return folder


def test_a_draft_carries_over_what_is_unchanged_and_marks_the_rest(drafted: Path) -> None:
    made_up = Repository(drafted).policy()
    graph = made_up.own_graph(made_up.entry("2032-03"))
    new = X + "2032-03/passage/"
    assert {(str(s).removeprefix(X), str(o)) for s, o in graph.subject_objects(POL.toDo)} == {
        (
            "2032-03",
            "A draft. Do what is marked here, and give the revision its row in the log; then remove this mark.",
        ),
        ("blight", "Read again: II.B is reworded in the document."),
        (
            "2032-03/passage/reference-7",
            "New: state what it says and point here by pol:statedIn; if it says nothing of this policy, give "
            "pol:accountedAs.",
        ),
    }
    assert graph.value(URIRef(X + "2032-03"), RDFS.label) == Literal("XX.99, revision 03/32", lang="en")
    assert graph.value(URIRef(X + "2032-03/document"), RDFS.label) == Literal("document of revision 03/32", lang="en")
    assert set(graph.objects(URIRef(X + "painted"), POL.statedIn)) == {URIRef(new + "II.A")}
    assert graph.value(URIRef(X + "george"), POL.number) == Literal(8)
    assert graph.value(URIRef(new + "Reference-7"), SKOS.notation) == Literal("Reference 8")
    assert (URIRef(new + "II.A"), CITO.cites, URIRef(X + "how")) in graph
    assert not [node for node in graph.all_nodes() if "2031-03/passage" in str(node)]
    assert str(graph.value(URIRef(new + "mixed-bed"), POL.digest)) == digest(" a mixed bed has < 95% of them.")


@pytest.fixture
def with_a_note(root: Path, tmp_path: Path) -> Path:
    """A copy of the knowledge base in which the note under criterion I is a criterion within it."""
    folder = tmp_path / "kb"
    shutil.copytree(root, folder)
    file = folder / "policies/XX.99/2031-03/revision.ttl"
    text = put(
        "( cond:mrd-is-detected ) ; pol:statedIn xp:I , xp:I-note", "( x:leaves ) ; pol:statedIn xp:I", file.read_text()
    )
    note = 'x:leaves a pol:Criterion ; skos:notation "I, note" ; rdfs:label "leaves"@en ;\n'
    note += "    pol:allOf ( cond:mrd-is-detected ) ; pol:statedIn xp:I-note .\n"
    file.write_text(text + note, encoding="utf-8")
    return folder


OTHER_LEAVES = put("for the colour of the leaves alone", "for the colour of its leaves alone")


def test_a_criterion_within_another_is_reviewed_and_drafted_as_itself(with_a_note: Path) -> None:
    policy = Repository(with_a_note).policy()
    assert traced(policy, TEXT).complete
    found = traced(policy, OTHER_LEAVES)
    assert reviewed(found) == [("criterion", "leaves", "reworded")]
    write_draft(found, "2032-03")
    made_up = Repository(with_a_note).policy()
    graph = made_up.own_graph(made_up.entry("2032-03"))
    assert [str(task) for task in graph.objects(URIRef(X + "leaves"), POL.toDo)] == [
        "Read again: I, note is reworded in the document."
    ]
    assert [str(task) for task in graph.objects(URIRef(X + "wilted"), POL.toDo)] == []
    assert set(graph.objects(URIRef(X + "leaves"), POL.statedIn)) == {URIRef(X + "2032-03/passage/I-note")}


def test_a_draft_is_compared_and_a_criterion_within_another_is_reported_as_itself(with_a_note: Path) -> None:
    write_draft(traced(Repository(with_a_note).policy(), OTHER_LEAVES), "2032-03")
    file = with_a_note / "policies/XX.99/2032-03/revision.ttl"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"leaves"@en', '"its leaves"@en'), encoding="utf-8")
    diff = compare(Repository(with_a_note).policy(), "2031-03", "2032-03", "pyshifty")
    assert [side.entry.name for side in diff.drafts] == ["2032-03"]
    assert [(change.part, change.kind, change.iri, change.before, change.after) for change in diff.changes] == [
        ("Criteria", Kind.REWORDED, X + "leaves", ("leaves",), ("its leaves",))
    ]


def test_a_draft_decides_no_case_and_fails_the_check_until_its_mark_is_removed(drafted: Path) -> None:
    made_up = Repository(drafted).policy()
    draft = made_up.entry("2032-03")
    assert made_up.in_force(date(2033, 1, 1)).revision.name == "2031-03"
    with pytest.raises(UnknownRevision) as error:
        made_up.require_criteria(draft)
    assert str(error.value) == (
        "XX.99 revision 2032-03 is a draft; kb draft status lists what is left of it; kb draft done releases it"
    )
    [found] = run_checks(made_up.kb, ["to-do"])
    assert [(problem.where, problem.message.partition(" to do: ")[0]) for problem in found.problems] == [
        (
            "policies/XX.99/2032-03",
            "to do: A draft. Do what is marked here, and give the revision its row in the log; then remove this mark.",
        ),
        ("policies/XX.99/2032-03", "x:2032-03/passage/reference-7:"),
        ("policies/XX.99/2032-03", "x:blight:"),
    ]
    file = drafted / "policies/XX.99/2032-03/revision.ttl"
    file.write_text(re.sub(r' *pol:toDo "A draft.*\n', "", file.read_text(encoding="utf-8")), encoding="utf-8")
    released = Repository(drafted).policy()
    assert released.in_force(date(2033, 1, 1)).revision.name == "2032-03"
    [found] = run_checks(released.kb, ["passages"])
    assert [problem.message for problem in found.problems] == [
        "is stated by nothing; point to it by pol:statedIn, or state pol:accountedAs"
    ]


def test_a_draft_is_in_force_and_on_file_for_no_question(drafted: Path, run_kb: RunKb) -> None:
    def rows(*arguments: str) -> list[list[str]]:
        done = run_kb("query", *arguments, "--kb", str(drafted), "--format", "csv")
        assert done.returncode == 0, done.stderr
        return list(csv.reader(done.stdout.replace(BASE, "").splitlines()))[1:]

    assert [row[2] for row in rows("in-force", "--param", "date=2033-01-01")] == ["XX.99/2031-03"] * 2
    assert rows("on-file")[-1][:3] == ["XX.99", "XX.99/2032-03", "draft"]
    assert set(rows("on-file")[-1][3:]) <= {"draft", ""}
    # Its default is of a policy that is not on file here, and a draft is no second revision.
    refused = run_kb("query", "changed-criteria", "--kb", str(drafted))
    assert (refused.returncode, refused.stdout, refused.stderr) == (
        2,
        "",
        "kb: question changed-criteria compares two revisions, and of XX.99 not two have criteria on file; name "
        "another policy with --policy; kb show lists what is on file\n",
    )
    assert rows("revision-history")[-1] == ["XX.99", "XX.99/2032-03", "2032-03", "", "", "draft"]
    named = run_kb("query", "criteria", "--kb", str(drafted), "--revision", "2032-03")
    assert named.stdout.splitlines()[-2:] == [
        "a draft, in force on no date: XX.99/2032-03",
        "no rows from XX.99/2032-03 (draft)",
    ]
    default = run_kb("query", "criteria", "--kb", str(drafted), "--as-of", "2033-01-01")
    assert default.stdout.splitlines()[-1].endswith("rows from XX.99/2031-03")


def test_a_draft_holds_no_text_of_the_document(drafted: Path) -> None:
    units = cut(TEXT)
    named = list(zip(units, notations(units), strict=True))
    assert list(leaks(Repository(drafted), named)) == []
    assert sorted(path.name for path in (drafted / "policies/XX.99/2032-03").iterdir()) == [
        "passages.ttl",
        "revision.ttl",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2031-03", "revision 2031-03 is there already; name another, or remove the folder"),
        ("2032-13", "'2032-13' names no revision; write the month of the revision, as 2027-02"),
        ("../2032-03", "'../2032-03' names no revision; write the month of the revision, as 2027-02"),
    ],
)
def test_a_draft_that_cannot_be_made_is_an_error(made_up: Policy, name: str, message: str) -> None:
    with pytest.raises(KbError) as error:
        write_draft(traced(made_up, TEXT), name)
    assert str(error.value).endswith(message)


# ---------------------------------------------------------------------- the document of CP.MP.101

DOCUMENT = Path(os.environ.get("KB_DOCUMENT") or ROOT.parent / "shared/source/CP.MP.101-2026-02.txt")
needs_the_document = pytest.mark.skipif(
    not DOCUMENT.is_file(), reason="the document of CP.MP.101 is its owner's and no part of the project"
)


@pytest.fixture(scope="module")
def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.fill(line, width) if len(line) > width else line for line in text.split("\n"))


def without_marks(text: str) -> str:
    return re.sub(r"\^\{[\d,]+\}|[⁰¹²³⁴-⁹]+", "", text)


def with_marks_in_brackets(text: str) -> str:
    raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    text = re.sub(r"\^\{([\d,]+)\}", r"[\1]", text)
    return re.sub(r"[⁰¹²³⁴-⁹]+", lambda found: f"[{found[0].translate(raised)}]", text)


def with_page_headers(text: str) -> str:
    """The document with its page header in the middle of every tenth long paragraph."""
    paragraphs = text.split("\n\n")
    for number, paragraph in enumerate(paragraphs):
        words = paragraph.split(" ")
        if number % 10 == 7 and len(words) > 40:
            header = "\n\nCLINICAL POLICY\n\nDonor Lymphocyte Infusion\n\n"
            paragraphs[number] = " ".join(words[:20]) + header + " ".join(words[20:])
    return "\n\n".join(paragraphs)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "wrapped at 60 columns": lambda text: wrapped(text, 60),
    "wrapped at 120 columns": lambda text: wrapped(text, 120),
    "marks removed": without_marks,
    "marks in brackets": with_marks_in_brackets,
    "ligatures": lambda text: text.replace("fi", "ﬁ").replace("fl", "ﬂ"),
    "curly quotes": lambda text: text.replace("'", "’"),
    "straight quotes": lambda text: re.sub("[“”]", '"', text.replace("’", "'")),
    "page headers repeated": with_page_headers,
}


@needs_the_document
@pytest.mark.parametrize("form", list(FORMS))
def test_every_unit_of_the_document_is_accounted_for(policy: Policy, document: str, form: str) -> None:
    found = traced(policy, FORMS[form](document))
    assert (len(found.units), len(found.found), found.complete) == (155, 155, True)
    assert (found.moved, found.recited) == ((), ())


@needs_the_document
def test_a_change_of_the_document_puts_just_what_rests_on_it_in_question(policy: Policy, document: str) -> None:
    def in_question(old: str, new: str) -> list[tuple[str, str, str]]:
        found = traced(policy, put(old, new, document))
        curie = policy.kb.curie
        return [
            (review.statement.kind, curie(review.statement.iri), review.why)
            for review in found.reviews
            if review.statement.kind in REVIEWED
        ]

    assert in_question("In the presence of grade 2", "In the presence of grade 3") == [
        ("criterion", "crit:acute-gvhd", "reworded")
    ]
    assert in_question("defined when < 90%", "defined when >= 90%") == [
        ("definition", "def:mixed-chimerism", "reworded")
    ]
    assert in_question("defined as 100% donor", "defined as 99% donor") == [
        ("definition", "def:full-chimerism", "reworded")
    ]
    assert in_question("38242	", "38243	") == [("code", "cpt:38242", "reworded")]


@needs_the_document
def test_a_reference_inserted_into_the_document_puts_no_criterion_in_question(policy: Policy, document: str) -> None:
    body, listed = document.split("\nReferences\n")
    listed = re.sub(
        r"(?m)^( ?)(\d+)\. (?=[A-Za-z])", lambda found: f"{found[1]}{int(found[2]) + (int(found[2]) >= 7)}. ", listed
    )
    listed = listed.replace(" 8. Frey", " 7. New N. Newer cells. *Made Up Lett*. 2026;1:1 to 3.\n 8. Frey")
    found = traced(policy, f"{body}\nReferences\n{listed}")
    assert [notation for _, notation in found.new] == ["Reference 7"]
    assert [located.notation for located in found.moved] == [f"Reference {number}" for number in range(8, 31)]
    assert (found.reworded, found.gone, found.reviews) == ((), (), ())


@needs_the_document
def test_the_project_shares_no_wording_with_the_document(kb: Repository, document: str) -> None:
    units = cut(document)
    assert list(leaks(kb, list(zip(units, notations(units), strict=True)))) == []
