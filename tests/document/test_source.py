"""The cut of a document: exact units of an invented one, and the same digests however the document was extracted.

The policy's own document is not in the project: what needs it is skipped where it is absent.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest
from fpdf import FPDF

from kb_tools.document import read as document_read
from kb_tools.document.cut import cut
from kb_tools.document.digest import digest
from kb_tools.document.read import read
from kb_tools.document.unit import DocumentError, Unit

DATA = Path(__file__).parents[1] / "data/document"
INVENTED = DATA / "invented.txt"
REAL = Path(os.environ.get("KB_DOCUMENT") or Path(__file__).parents[3] / "shared/source/CP.MP.101-2026-02.txt")
HEADINGS = (
    "Description",
    "Policy/Criteria",
    "Background",
    "Coding Implications",
    "Revision Log",
    "References",
    "Important Reminder",
)


@pytest.fixture(scope="module", params=["invented", "real"])
def document(request: pytest.FixtureRequest) -> str:
    """The text of the invented document, then of the policy's own."""
    if request.param == "invented":
        return read(INVENTED)
    if not REAL.is_file():
        pytest.skip("the policy's document is not here: name it in KB_DOCUMENT")
    return read(REAL)


@pytest.fixture(scope="module")
def invented() -> list[Unit]:
    return cut(read(INVENTED))


def of(units: list[Unit], section: str) -> list[tuple[str, int, str, tuple[int, ...]]]:
    return [(unit.kind, unit.paragraph, unit.label, unit.marks) for unit in units if unit.section == section]


def digests(units: list[Unit]) -> list[str]:
    return [unit.digest for unit in units]


# --- the units of the invented document ---------------------------------------------------------------------------


def test_every_unit_has_its_section_and_kind(invented: list[Unit]) -> None:
    assert Counter((unit.section, unit.kind) for unit in invented) == {
        ("Header", "heading"): 1,
        ("Header", "sentence"): 5,
        ("Description", "heading"): 1,
        ("Description", "sentence"): 8,
        ("Policy/Criteria", "heading"): 1,
        ("Policy/Criteria", "sentence"): 2,
        ("Policy/Criteria", "item"): 5,
        ("Background", "heading"): 1,
        ("Background", "sentence"): 7,
        ("Coding Implications", "heading"): 1,
        ("Coding Implications", "sentence"): 2,
        ("Coding Implications", "row"): 5,
        ("Revision Log", "row"): 4,
        ("References", "heading"): 1,
        ("References", "reference"): 12,
        ("Important Reminder", "heading"): 1,
        ("Important Reminder", "sentence"): 8,
    }
    assert [unit.order for unit in invented] == list(range(1, 66))


def test_title_number_date_and_links_are_units_of_their_own(invented: list[Unit]) -> None:
    assert [unit.text for unit in invented if unit.section == "Header"] == [
        "Coverage Guideline: Example Infusion",
        "Guideline Number: XX.99",
        "Date of Last Change: 03/31",
        "Coding Implications",
        "Revision Log",
        "See the Important Reminder on the last page of this guideline before you rely on it.",
    ]


def test_sentences_end_neither_after_an_abbreviation_nor_within_brackets(invented: list[Unit]) -> None:
    assert of(invented, "Description") == [
        ("heading", 0, "", ()),
        ("sentence", 1, "", (1, 2)),
        ("sentence", 1, "", ()),
        ("sentence", 1, "", (3,)),
        ("sentence", 1, "", (1, 2, 3, 4, 5)),
        ("sentence", 2, "", ()),
        ("sentence", 2, "", (6,)),
        ("sentence", 2, "", ()),
        ("sentence", 3, "Note", ()),
    ]


def test_exponents_charges_and_areas_are_no_citation_marks(invented: list[Unit]) -> None:
    texts = [unit.text for unit in invented if unit.section == "Description"]
    assert "8.8×10^8" in texts[6]
    assert "CD4⁺" in texts[6]
    assert texts[7] == "An area of 2 m² needs 10⁷ cells."


def test_a_list_broken_by_a_page_is_one_list_and_a_second_sentence_of_an_item_has_no_label(
    invented: list[Unit],
) -> None:
    assert of(invented, "Policy/Criteria") == [
        ("heading", 0, "", ()),
        ("item", 1, "I", (7,)),
        ("sentence", 2, "Note", (7,)),
        ("sentence", 2, "Note", ()),
        ("item", 3, "II", ()),
        ("item", 4, "A", (8,)),
        ("item", 5, "B", ()),
        ("item", 5, "", (9, 10)),
    ]


def test_a_sentence_broken_by_a_page_is_one_sentence_of_one_paragraph(invented: list[Unit]) -> None:
    assert of(invented, "Background") == [
        ("heading", 0, "", ()),
        ("sentence", 1, "", ()),
        ("sentence", 1, "", (11,)),
        ("sentence", 1, "", (9,)),
        ("sentence", 2, "", (12,)),
        ("sentence", 2, "", ()),
        ("sentence", 2, "", (10, 11, 12)),
        ("sentence", 2, "", ()),
    ]
    broken = next(unit for unit in invented if "42 out of 45" in unit.text)
    assert broken.text.endswith("(p < 0.01), and the others turned yellow within two weeks.")


def test_each_code_is_a_row_whatever_codes_its_text_mentions(invented: list[Unit]) -> None:
    rows = [unit for unit in invented if unit.section == "Coding Implications" and unit.kind == "row"]
    assert [(row.label, row.paragraph) for row in rows] == [
        ("", 2),
        ("99901", 3),
        ("99902", 4),
        ("", 5),
        ("Z9903", 6),
    ]
    assert rows[-1].text.startswith("Z9903 Watering can")
    assert rows[-1].text.endswith("rose for use in gardens of any size")


def test_a_log_row_ends_with_its_dates_be_they_one_or_two(invented: list[Unit]) -> None:
    assert [unit.text.split(". ")[-1] for unit in invented if unit.section == "Revision Log"] == [
        "Reviews, Revisions, and Approvals Date Approval Date",
        "Guideline invented 01/29 01/29",
        "02/30",
        "03/31 4/15/2031",
    ]


def test_references_are_cut_by_the_number_that_is_due(invented: list[Unit]) -> None:
    references = [unit for unit in invented if unit.kind == "reference"]
    assert [unit.label for unit in references] == [str(n) for n in range(1, 13)]
    assert [unit.text.split()[0] for unit in references] == (
        ["Able", "Society", "Society", "Cable", "Easy", "Fox", "George", "How", "Item", "Jig", "de", "Love"]
    )
    assert [unit.marks for unit in references] == [()] * 12


def test_no_unit_carries_furniture_marks_or_decoration(document: str) -> None:
    units = cut(document)
    title = units[0].text.split(": ")[1]
    assert not [unit for unit in units[1:] if unit.text in (title, units[0].text.split(":")[0].upper())]
    assert not [unit for unit in units if re.search(r"\^\{|[¹³]|\]\(|\*\*|[\ue000-\ue002]|\[\d|[\t\n]", unit.text)]
    assert [digest(unit.text) for unit in units] == digests(units)


def test_the_policys_document_has_its_places() -> None:
    if not REAL.is_file():
        pytest.skip("the policy's document is not here: name it in KB_DOCUMENT")
    units = cut(read(REAL))
    assert Counter((unit.section, unit.kind) for unit in units) == {
        ("Header", "heading"): 1,
        ("Header", "sentence"): 5,
        ("Description", "heading"): 1,
        ("Description", "sentence"): 11,
        ("Policy/Criteria", "heading"): 1,
        ("Policy/Criteria", "item"): 4,
        ("Policy/Criteria", "sentence"): 1,
        ("Background", "heading"): 1,
        ("Background", "sentence"): 41,
        ("Coding Implications", "heading"): 1,
        ("Coding Implications", "sentence"): 8,
        ("Coding Implications", "row"): 6,
        ("Revision Log", "row"): 10,
        ("References", "heading"): 1,
        ("References", "reference"): 29,
        ("Important Reminder", "heading"): 1,
        ("Important Reminder", "sentence"): 33,
    }
    assert [unit.label for unit in units if unit.kind == "item"] == ["I", "II", "A", "B"]
    assert {mark for unit in units for mark in unit.marks} <= set(range(1, 30))


# --- the same document, extracted another way ---------------------------------------------------------------------

# What a mark looks like in the two documents. "10^8", "CD4⁺", "m²" and "10⁷" are none.
MARK = re.compile(r"\^\{([\d,-]+)\}|(?<=[.,;a-z)])(?<!m)([⁰¹²³⁴-⁹]+)")


def marks_as(form: Callable[[str], str]) -> Callable[[str], str]:
    digit = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    return lambda text: MARK.sub(lambda match: form(match[1] or match[2].translate(digit)), text)


def wrapped_by_block(width: int) -> Callable[[str], str]:
    def wrap(text: str) -> str:
        return "\n\n".join(textwrap.fill(block, width) for block in re.split(r"\n\s*\n", text))

    return wrap


def wrapped_by_line(width: int) -> Callable[[str], str]:
    return lambda text: "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


def with_ligatures(text: str) -> str:
    for letters, ligature in (("ffi", "ﬃ"), ("ffl", "ﬄ"), ("ff", "ﬀ"), ("fi", "ﬁ"), ("fl", "ﬂ")):
        text = text.replace(letters, ligature)
    return text


def with_straight_quotes(text: str) -> str:
    return text.translate(str.maketrans("“”‘’", "\"\"''"))


def with_curly_quotes(text: str) -> str:
    return re.sub(r'"([^"\n]*)"', r"“\1”", text).replace("'", "’")


def with_other_dashes(text: str) -> str:
    return re.sub(r"(?<=[a-z])-(?=[a-z])", "\u2010", text).replace("–", "—")


def hyphenated(text: str) -> str:
    return re.sub(r"\b(infu)(sion)\b", "\\1-\n\\2", text)


def header_of(text: str) -> tuple[str, str]:
    kind, title = text.strip().split("\n")[0].split(": ")
    return kind.upper(), title


def with_page_headers(between: str) -> Callable[[str], str]:
    """A page header within every long line of the text, where no sentence ends, and a page number below it."""

    def broken(text: str) -> str:
        header = between.join(("", *header_of(text), ""))
        lines = []
        for line in text.split("\n"):
            words = re.split(r"(?<=\S) (?=\S)", line)
            at = next((i for i in range(9, len(words) - 4) if re.search(r"[a-z]$", words[i - 1])), 0)
            keep = not at or "](" in line
            lines.append(line if keep else " ".join(words[:at]) + header + " ".join(words[at:]))
        return "\n".join(lines)

    return broken


def with_page_numbers(text: str) -> str:
    number = iter(range(2, 100))
    kind = header_of(text)[0]
    return re.sub(rf"(?m)^{kind}$", lambda match: f"Page {next(number)} of 9\n\n{match[0]}", text)


def both(first: Callable[[str], str], second: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: second(first(text))


ALIKE: dict[str, Callable[[str], str]] = {
    "wrapped by block at 60": wrapped_by_block(60),
    "wrapped by block at 120": wrapped_by_block(120),
    "wrapped by line at 60": wrapped_by_line(60),
    "wrapped by line at 120": wrapped_by_line(120),
    "without marks": marks_as(lambda numbers: ""),
    "marks in brackets": marks_as(lambda numbers: f"[{numbers}]"),
    "marks in brackets after a space": marks_as(lambda numbers: f" [{numbers}]"),
    "marks glued on": marks_as(lambda numbers: numbers),
    "marks glued on and wrapped": both(marks_as(lambda numbers: numbers), wrapped_by_block(60)),
    "marks in brackets and wrapped": both(marks_as(lambda numbers: f"[{numbers}]"), wrapped_by_line(60)),
    "marks as html": marks_as(lambda numbers: f"<sup>{numbers}</sup>"),
    "marks with a caret": marks_as(
        lambda numbers: f"^{{{numbers}}}" if "," in numbers or "-" in numbers else f"^{numbers}"
    ),
    "ligatures": with_ligatures,
    "straight quotes": with_straight_quotes,
    "curly quotes": with_curly_quotes,
    "other dashes": with_other_dashes,
    "hyphenated": hyphenated,
    "page headers between blank lines": with_page_headers("\n\n"),
    "page headers without blank lines": with_page_headers("\n"),
    "page headers, then wrapped": both(with_page_headers("\n\n"), wrapped_by_line(60)),
    "page numbers": with_page_numbers,
    "windows line ends": lambda text: text.replace("\n", "\r\n"),
    "form feeds": lambda text: re.sub(r"(?m)^(?=[A-Z ]+$)", "\f", text),
    "no emphasis": lambda text: re.sub(r"\*\*|\*(?! Codes)", "", text),
}


@pytest.mark.parametrize("way", ALIKE)
def test_another_extraction_gives_the_same_digests(document: str, way: str) -> None:
    changed = ALIKE[way](document)
    assert changed != document or way == "straight quotes"
    expected, found = cut(document), cut(changed)
    assert [(unit.section, unit.kind, unit.label) for unit in found] == [
        (unit.section, unit.kind, unit.label) for unit in expected
    ]
    assert digests(found) == digests(expected)
    if way != "without marks":
        assert [unit.marks for unit in found] == [unit.marks for unit in expected]


@pytest.mark.parametrize("way", [way for way in ALIKE if "page headers" not in way])
def test_another_extraction_gives_the_same_paragraphs(document: str, way: str) -> None:
    assert [unit.paragraph for unit in cut(ALIKE[way](document))] == [unit.paragraph for unit in cut(document)]


def test_what_a_page_header_breaks_within_a_sentence_keeps_its_paragraph(document: str) -> None:
    changed = with_page_headers("\n\n")(document)
    assert [unit.paragraph for unit in cut(changed)] == [unit.paragraph for unit in cut(document)]


def test_known_headings_change_nothing_where_blank_lines_show_them(document: str) -> None:
    assert cut(document, HEADINGS) == cut(document)


def test_text_without_any_blank_line_is_cut_alike_by_its_known_headings(document: str) -> None:
    bare = re.sub(r"\n\s*\n", "\n", document)
    assert digests(cut(bare, HEADINGS)) == digests(cut(document))
    plain = re.sub(r"\[([^\]\n]+)\]\(#\)", r"\1", wrapped_by_line(100)(document))
    assert digests(cut(re.sub(r"\n\s*\n", "\n", plain), HEADINGS)) == digests(cut(document))


def test_lines_that_recur_on_their_own_are_furniture_and_those_that_stand_twice_are_not() -> None:
    header = "\n\nExample Plan, Department of Beds\n\n"
    text = f"Guideline: Bed\n\nBackground\n\nOne bed{header}is blue. Two are{header}red."
    assert [unit.text for unit in cut(text)].count(header.strip()) == 2
    assert [unit.text for unit in cut(f"{text} Three{header}are green.")][2:] == [
        "One bed is blue.",
        "Two are red.",
        "Three are green.",
    ]


def test_lines_at_the_edges_of_most_pages_are_furniture() -> None:
    pages = ["Guideline: Bed\nBackground\nOne bed is", "Plan of Beds\nblue. Two beds", "Plan of Beds\nare red.\n3 of 3"]
    assert [unit.text for unit in cut("\f".join(pages), ["Background"])] == [
        "Guideline: Bed",
        "Background",
        "One bed is blue.",
        "Two beds are red.",
    ]


def test_a_page_header_above_the_title_is_furniture_too() -> None:
    text = "GUIDELINE\nBed\nGuideline: Bed\n\nBackground\n\nOne bed\n\nGUIDELINE\n\nBed\n\nis blue.\n"
    assert [unit.text for unit in cut(text)] == ["Guideline: Bed", "Background", "One bed is blue."]


def test_a_known_heading_as_a_line_of_wrapped_text_is_no_heading() -> None:
    text = (
        "Guideline: Bed\n\nBackground\n\nSee what stands under the\nDescription\n"
        + "thereof" * 9
        + "\nfor more of it.\n"
    )
    assert [unit.kind for unit in cut(text, ["Description", "Background"])] == ["heading", "heading", "sentence"]


def test_a_table_head_repeated_on_a_new_page_is_furniture() -> None:
    head = "Reviews, Revisions, and Approvals\tDate\tApproval Date"
    text = f"Guideline: Bed\n\n{head}\nMade\t01/30\t01/30\nMade much\n\nGUIDELINE\n\nBed\n\n{head}\nbetter.\t02/30\n"
    assert [unit.text for unit in cut(text)][1:] == [
        head.replace("\t", " "),
        "Made 01/30 01/30",
        "Made much better. 02/30",
    ]


def test_running_text_after_a_table_of_codes_is_no_row() -> None:
    text = "Guideline: Bed\n\nCoding Implications\n\nEXC Codes\tDescription\n99901\tBeds\n\nThat is all. Really.\n"
    assert [(unit.kind, unit.text) for unit in cut(text)][2:] == [
        ("row", "EXC Codes Description"),
        ("row", "99901 Beds"),
        ("sentence", "That is all."),
        ("sentence", "Really."),
    ]


# --- changes that a digest must see -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mixed bed has < 95%", "mixed bed has >= 95%"),
        ("which ≥ 95%", "which > 95%"),
        ("93.3%", "933%"),
        ("93.3%", "93.3"),
        ("8.8×10^8", "88×10^8"),
        ("8.8×10^8", "8.8 10^8"),
        ("8.8×10^8", "8.8×10^9"),
        ("grade 2 or higher", "grade 3 or higher"),
        ("grade 2 or higher", "grade3 or higher"),
        ("99902\tInfusion", "99904\tInfusion"),
        ("worth doing", "worth trying"),
        ("02/30", "02/31"),
    ],
)
def test_a_change_of_a_word_number_or_sign_is_seen_in_its_unit_and_no_other(before: str, after: str) -> None:
    text = read(INVENTED)
    assert text.count(before) == 1
    old, new = cut(text), cut(text.replace(before, after))
    assert len(new) == len(old)
    assert sum(a.digest != b.digest for a, b in zip(old, new, strict=True)) == 1


def test_a_reference_inserted_leaves_the_digests_of_those_renumbered() -> None:
    text = read(INVENTED)
    start = text.index(" 7. George")
    log, rest = text[:start], text[start:]
    rest = re.sub(r"(?m)^( ?)(\d{1,2})\. (?=[A-Zd])", lambda m: f"{m[1]}{int(m[2]) + 1}. ", rest)
    new = cut(log + " 7. New N. A new one. *Made Up Lett*. 2030;9:1.\n" + rest)
    old = cut(text)
    assert [unit.label for unit in new if unit.kind == "reference"] == [str(n) for n in range(1, 14)]
    assert len(set(digests(new)) - set(digests(old))) == 1
    assert set(digests(old)) <= set(digests(new))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("EXI is safe.", "exi  IS safe"),
        ("a state-of-the-art bed", "a state of the art bed"),
        ("“so-called” bed’s", '"so-called" bed\'s'),
        ("ﬁrst reﬂux", "first reflux"),
        ("≤ 5 and ≥ 3", "<= 5 and >= 3"),
        ("8.8×10^8", "8.8 x 10⁸"),
        ("8.8×10^8", "8.8 X 10^{8}"),
        ("Plan® and Plan™", "Plan and Plan"),
        ("Plan[®]", "Plan^[®]"),
        ("**worth** *doing*", "worth doing"),
        ("see [the note](#note)", "see the note"),
        ("at <http://www.example.org> now", "at http://www.example.org now"),
        ("wilted.^{1,2}", "wilted.[1,2]"),
        ("wilted.^9", "wilted.⁹"),
        ("wilted.<sup>9</sup>", "wilted."),
        ("wilted [1-3].", "wilted."),
        ("5 \uff05", "5%"),
        ("infu\u00adsion", "infusion"),
        ("\uff46ull", "full"),
        ("10,000", "10000"),
    ],
)
def test_two_forms_of_the_same_text_have_one_digest(one: str, other: str) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("8.8", "88"),
        ("8.8", "8.9"),
        ("p < 0.01", "p > 0.01"),
        ("< 90", ">= 90"),
        ("= 90", "≠ 90"),
        ("< 90", "≤ 90"),
        ("5%", "5"),
        ("2×3", "2 3"),
        ("10^8", "10^9"),
        ("10^8", "10"),
        ("grade 2", "grade [3]"),
        ("2 m²", "2 m"),
        ("CD4", "CD8"),
        ("is not done", "is done"),
        ("range [1-3]", "range"),
        ("¹⁸F", "F"),
    ],
)
def test_two_texts_of_another_meaning_have_two_digests(one: str, other: str) -> None:
    assert digest(one) != digest(other)


def test_a_digest_is_the_sha_256_of_letters_digits_and_signs() -> None:
    # printf 'abeis<95%×8.8' | sha256sum
    assert digest("A be-is < 95 % × 8.8.") == "d5b7c08383b62038e4c36d93b36436912f82ea5736c8afe861550d82d01ea36b"


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("A bed has wilted.9 It was blue.", (9,)),
        ("The guidelines1,2,3 and a survey agree.", (1, 2, 3)),
        ("It came back (EXI).7,8", (7, 8)),
        ("About 22 to 52%.9-11 No more.", (9, 10, 11)),
        ("See criterion C.1 for it.", ()),
        ("It was grade2 or worse.", ()),
        ("Given to CD4 cells and G2 beds.", ()),
        ("It was version 2.5 then.", ()),
        ("It grew in beds99 too.", ()),
        ("In the bed1.5 cells were found.", ()),
        ("It takes 8.8 days.", ()),
    ],
)
def test_digits_glued_to_a_word_are_a_mark_only_where_nothing_else_can_be_meant(
    text: str, marks: tuple[int, ...]
) -> None:
    references = "\n".join(f"{n}. Author A. Title. 2001." for n in range(1, 13))
    units = cut(f"Guideline: Bed\n\nBackground\n\n{text}\n\nReferences\n\n{references}\n")
    assert tuple(n for unit in units for n in unit.marks) == marks


def test_without_references_no_glued_digit_is_a_mark() -> None:
    assert [unit.marks for unit in cut("Guideline: Bed\n\nBackground\n\nA bed has wilted.9 It was blue.\n")][2:] == [()]


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ("It is so. But why? Look! 42 beds.", 4),
        ("It fell ill, e.g. Roses and vs. Tulips etc. Not more.", 1),
        ('He said "stop." Then he left.', 2),
        ("It is Dr. Able of St. Baker Inc. Nowhere.", 1),
        ("It was A. Able and U.S. Gardens.", 1),
        ("Phase II. The next came.", 2),
        ("In 2019. The next came.", 2),
        ("It costs 8.8 or 9. 9 is more.", 2),
        ("It is so (as he said. And she). Next.", 2),
        ("An open ( bracket. It ends nothing.", 2),
        ("It ends.^{1} “Next” begins.", 2),
        ("It ends. lower case goes on.", 1),
    ],
)
def test_a_paragraph_has_its_sentences(paragraph: str, sentences: int) -> None:
    assert len(cut(f"Guideline: Bed\n\nBackground\n\n{paragraph}\n")) == 2 + sentences


def test_nested_lists_keep_their_numbers_however_they_are_wrapped() -> None:
    lines = "I. One of these:\nA. First:\n1. a bed; and\n2. a bush; or\nB. Second. More of it.\nII. None of those.\n"
    text = f"Guideline: Bed\n\nPolicy/Criteria\n\n{lines}"
    for form in (text, text.replace("\n", "\n\n"), wrapped_by_block(40)(text), wrapped_by_block(200)(text)):
        assert [(unit.label, unit.text) for unit in cut(form)][2:] == [
            ("I", "One of these:"),
            ("A", "First:"),
            ("1", "a bed; and"),
            ("2", "a bush; or"),
            ("B", "Second."),
            ("", "More of it."),
            ("II", "None of those."),
        ]


def test_bullets_are_items_and_a_dash_within_a_sentence_is_none() -> None:
    text = "Guideline: Bed\n\nBackground\n\nA bed - or bush -\nmay be:\n- a bed;\n- a bush - or two.\n\n\u2022 Other\n"
    for form in (text, wrapped_by_block(30)(text)):
        assert [(unit.kind, unit.text) for unit in cut(form)][2:] == [
            ("sentence", "A bed - or bush - may be:"),
            ("item", "a bed;"),
            ("item", "a bush - or two."),
            ("item", "Other"),
        ]


@pytest.mark.parametrize("text", ["E. coli grew in it.", "J. Able saw it.", "A. fumigatus grew in it."])
def test_an_initial_that_begins_a_paragraph_is_no_label(text: str) -> None:
    unit = cut(f"Guideline: Bed\n\nBackground\n\n{text}\n")[2]
    assert (unit.kind, unit.label, unit.text) == ("sentence", "", text)


def test_an_empty_text_has_no_units() -> None:
    assert cut("") == []
    assert cut("\n \f\n") == []


def test_a_word_divided_at_a_line_end_is_whole_again_and_a_hyphen_of_its_own_stays() -> None:
    text = "Guideline: Bed\n\nBackground\n\nThe infusion of a blue-\ngreen bed by infu-\nsion.\n"
    assert cut(text)[2].text == "The infusion of a blue-green bed by infusion."


# --- other kinds of file ------------------------------------------------------------------------------------------


def as_html(text: str) -> str:
    """The invented document as a web page might have it."""
    body: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [re.sub(r"&", "&amp;", line).strip() for line in block.split("\n")]
        lines = [re.sub(r"<(http[^>]*)>", r'<a href="\1">\1</a>', line) for line in lines]
        lines = [re.sub(r"<(?= )", "&lt;", line) for line in lines]
        lines = [marks_as(lambda numbers: f"<sup>{numbers}</sup>")(line) for line in lines]
        lines = [
            re.sub(r"\^(\d)|([⁺²⁷])", lambda m: f"<sup>{m[1] or '+27'['⁺²⁷'.index(m[2])]}</sup>", line)
            for line in lines
        ]
        lines = [re.sub(r"\[([^\]]+)\]\(#\)", r'<a href="#x">\1</a>', line) for line in lines]
        lines = [re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", line) for line in lines]
        lines = [re.sub(r"\*(?! Codes)(.+?)\*", r"<em>\1</em>", line).replace("[®]", "®") for line in lines]
        if "\t" in block:
            cells = "".join(
                "<tr>\n" + "".join(f"<td>{c}</td>\n" for c in line.split("\t")) + "</tr>\n" for line in lines
            )
            body.append(f"<table>\n{cells}</table>")
        elif block in HEADINGS:
            body.append(f"<h2>{block}</h2>")
        elif re.match(r"\d+\. |\s\d+\. |- [A-Z]\. ", block):
            body += [f"<p>{line}</p>" for line in lines]
        else:
            body.append(f"<p>\n  {' '.join(lines)}</p>")
    return f"<!DOCTYPE html><html><head><title>X</title></head><body>\n{chr(10).join(body)}\n</body></html>"


def test_a_web_page_gives_the_same_digests(tmp_path: Path, invented: list[Unit]) -> None:
    page = tmp_path / "page.html"
    page.write_text(as_html(read(INVENTED)), encoding="utf-8")
    units = cut(read(page))
    assert [unit.text for unit in units if unit.digest not in digests(invented)] == []
    assert digests(units) == digests(invented)
    assert [unit.marks for unit in units] == [unit.marks for unit in invented]


def test_the_numbers_of_a_web_pages_list_are_read(tmp_path: Path) -> None:
    page = tmp_path / "page.htm"
    page.write_text(
        "<h1>Guideline: Bed</h1><h2>Policy/Criteria</h2><ol type='I'><li>One of these:<ol type='A'><li>a bed;</li>"
        "<li>a bush.</li></ol></li><li>None.</li></ol><h2>References</h2><ol start='1'><li>Able A. Beds.</li>"
        "<li>Baker B. Beds.</li></ol><ul><li>x</li></ul>",
        encoding="utf-8",
    )
    assert [(unit.kind, unit.label, unit.text) for unit in cut(read(page))] == [
        ("heading", "", "Guideline: Bed"),
        ("heading", "", "Policy/Criteria"),
        ("item", "I", "One of these:"),
        ("item", "A", "a bed;"),
        ("item", "B", "a bush."),
        ("item", "II", "None."),
        ("heading", "", "References"),
        ("reference", "1", "Able A. Beds."),
        ("reference", "2", "Baker B. Beds. x"),
    ]


class Printed(FPDF):
    """The invented document as printed: a header and a page number on every page, marks raised and small."""

    def header(self) -> None:
        self.set_font("Helvetica", size=11)
        for line in ("COVERAGE GUIDELINE", "Example Infusion"):
            self.cell(text=line, new_x="LMARGIN", new_y="NEXT")

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", size=11)
        self.cell(text=f"Page {self.page_no()} of {{nb}}")


def as_pdf(text: str) -> bytes:
    pdf = Printed(format=(150, 130))
    pdf.add_page()
    latin = str.maketrans({"“": '"', "”": '"', "’": "'", "–": "-", "ﬂ": "fl", "\t": " "})
    text = re.sub(r"\[([^\]]+)\]\(#\)|<(http[^>]*)>|\*\*(.+?)\*\*|\*(?! Codes)(.+?)\*", r"\1\2\3\4", text)
    text = re.sub(r"(?m)^(?:COVERAGE GUIDELINE|Example Infusion)$", "", text).replace("[®]", "®").translate(latin)
    text = marks_as(lambda numbers: f"^{{{numbers}}}")(text)
    text = re.sub(r"\^(\d)|([⁺²⁷])", lambda m: "^{" + (m[1] or "+27"["⁺²⁷".index(m[2])]) + "}", text)
    # What a page header broke in the text file is whole before it is printed.
    text = re.sub(r"(?<=[a-z])\n\s*\n(?=[a-z])", " ", text)
    for line in filter(str.strip, text.split("\n")):
        for piece in re.split(r"(\^\{[^}]*\}|≥)", line.strip()):
            raised = re.fullmatch(r"\^\{([^}]*)\}", piece)
            pdf.char_vpos = "SUP" if raised else "LINE"
            pdf.set_font("Symbol" if piece == "≥" else "Helvetica", size=11)
            pdf.write(h=6, text=raised[1] if raised else "\xb3" if piece == "≥" else piece)
        pdf.char_vpos = "LINE"
        pdf.ln()
    return bytes(pdf.output())


def test_a_pdf_gives_the_same_digests(tmp_path: Path, invented: list[Unit]) -> None:
    path = tmp_path / "printed.pdf"
    path.write_bytes(as_pdf(read(INVENTED)))
    text = read(path)
    assert text.count("\f") >= 3
    units = cut(text, HEADINGS)
    assert [unit.text for unit in units if unit.digest not in digests(invented)] == []
    assert digests(units) == digests(invented)
    assert [unit.marks for unit in units] == [unit.marks for unit in invented]


# --- what cannot be read ------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    """The message without the path, which is one line."""
    with pytest.raises(DocumentError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.txt", b"", "the file is empty; fetch or save the document again"),
        ("blank.txt", b" \n\n", "the file is empty; fetch or save the document again"),
        ("empty.pdf", b"", "the file is empty; fetch or save the document again"),
        (
            "empty.html",
            b"<html><head><title>x</title></head></html>",
            "no text in this document; fetch or save the document again",
        ),
        ("bom.txt", codecs.BOM_UTF8, "no text in this document; fetch or save the document again"),
        (
            "latin.txt",
            "Secret words\nof a bl\u00fcm".encode("latin-1"),
            "not UTF-8: byte 21, in line 2; save it as UTF-8",
        ),
        ("latin.html", "<p>bl\u00fcm".encode("latin-1"), "not UTF-8: byte 6, in line 1; save it as UTF-8"),
        ("odd.txt", codecs.BOM_UTF16_LE + b"a", "not UTF-16: byte 3, in line 1; save it as UTF-8"),
        ("wide.txt", "words".encode("utf-16-le"), "not text: it has NUL bytes; save it as plain text in UTF-8"),
        ("note.pdf", b"Secret words", "not a PDF; fetch the document again"),
        ("broken.pdf", b"%PDF-1.7\nSecret words", "a damaged PDF; fetch the document again"),
        ("policy.docx", b"x", "unknown kind of document .docx; use .txt, .md, .html, .htm, .pdf"),
        ("policy", b"x", "unknown kind of document (no extension); use .txt, .md, .html, .htm, .pdf"),
    ],
)
def test_a_file_that_is_no_document_is_refused_in_one_line(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert refused(path) == message


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.txt") == "No such file or directory; check the path and its permissions"
    assert refused(tmp_path) == "this is a folder; name the document's file in it"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    assert refused(pipe) == "not a file; name the document's file"


def test_a_file_of_200_mb_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(Path, "open", opened)
    assert refused(path) == "200 MiB, and a document may have 64 MiB; name the policy's document"


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grows.txt"
    path.write_text("0123456789", encoding="utf-8")
    monkeypatch.setattr(document_read, "MAX_BYTES", 10)
    assert read(path) == "0123456789"
    monkeypatch.setattr(document_read, "MAX_BYTES", 9)
    assert "a document may have" in refused(path)


def test_text_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes("Guideline: B\u00fcd".encode(encoding))
        assert read(path) == "Guideline: B\u00fcd"


def test_a_web_page_that_names_its_encoding_is_read_in_it(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes("<meta charset='latin-1'><p>B\u00fcd".encode("latin-1"))
    assert read(page).strip() == "B\u00fcd"


def test_a_web_page_nested_without_end_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<div>" * 20_000 + "words", encoding="utf-8")
    assert refused(page) == "its elements are nested too deep; save the document again"


def test_a_scan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    pdf = FPDF()
    pdf.add_page()
    path.write_bytes(bytes(pdf.output()))
    assert refused(path) == "a PDF without text, perhaps a scan; run text recognition (OCR) on it first"


def encrypted(password: str) -> bytes:
    pdf = FPDF()
    pdf.set_encryption(owner_password="owner", user_password=password)
    pdf.add_page()
    pdf.set_font("Helvetica")
    pdf.write(text="Secret words")
    return bytes(pdf.output())


def test_a_pdf_is_read_if_it_opens_without_a_password_and_else_refused(tmp_path: Path) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(encrypted(""))
    assert read(path).strip() == "Secret words"
    path.write_bytes(encrypted("sesame"))
    assert refused(path) == "encrypted, and a password is needed; save it without a password"


def test_a_pdf_encrypted_beyond_what_is_installed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "aes.pdf"
    path.write_bytes(b"%PDF-1.7")

    def reader(_: object) -> None:
        raise pypdf.errors.DependencyError("cryptography is required")

    monkeypatch.setattr(pypdf, "PdfReader", reader)
    assert refused(path) == "encrypted in a way that pypdf alone cannot read; save it without encryption"


def test_a_pdf_cut_off_is_refused_or_has_text_but_never_a_traceback(tmp_path: Path) -> None:
    data = as_pdf(read(INVENTED))
    path = tmp_path / "part.pdf"
    messages = set()
    for tenth in range(1, 10):
        path.write_bytes(data[: len(data) * tenth // 10])
        try:
            read(path)
        except DocumentError as error:
            messages.add(str(error).removeprefix(f"{path}: "))
    assert messages <= {
        "a damaged PDF; fetch the document again",
        "a PDF without text, perhaps a scan; run text recognition (OCR) on it first",
    }


@pytest.mark.parametrize(("name", "library"), [("x.pdf", "pypdf"), ("x.html", "beautifulsoup4")])
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, library: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"%PDF-1.7")
    monkeypatch.setitem(sys.modules, "pypdf" if library == "pypdf" else "bs4", None)
    assert refused(path) == f"reading this kind of document needs {library}; run pip install 'kb-tools[documents]'"


def test_a_table_head_whose_cells_were_wrapped_is_one_row() -> None:
    units = cut("Title\n\nCoding\n\nCPT®*\nCodes\nDescription\n12345 One thing\n12346 Another thing\n", {"Coding"})
    assert [(unit.kind, unit.label, unit.text) for unit in units[2:]] == [
        ("row", "", "CPT®* Codes Description"),
        ("row", "12345", "12345 One thing"),
        ("row", "12346", "12346 Another thing"),
    ]


def test_a_paragraph_that_goes_on_in_lower_case_is_one_with_what_it_goes_on_from() -> None:
    """As where a page ended and its header was left out of a web page."""
    [_, _, one] = cut("Title\n\nNotes\n\nWhat was on two pages is now a\n\nsentence of two halves.\n", {"Notes"})
    assert (one.text, one.paragraph) == ("What was on two pages is now a sentence of two halves.", 1)
    ended = cut("Title\n\nNotes\n\nThis is one.\n\nalso a sentence.\n", {"Notes"})
    assert [unit.text for unit in ended[2:]] == ["This is one.", "also a sentence."]
