"""How a small document is shown: as text, as Markdown, and as an HTML page."""

from __future__ import annotations

from markdown_it import MarkdownIt
from pages import Read, shown

from kb_tools.render import page
from kb_tools.render.page import Document, Paragraph, Table

HOSTILE = 'a | b <i>c</i> *d* `e` _f_ [g](h) &amp; ~~i~~ \\ <https://example.org> "j"'
DOCUMENT = Document(f"title {HOSTILE}")
DOCUMENT.section(
    f"section {HOSTILE}",
    Paragraph(f"paragraph {HOSTILE}"),
    Paragraph(f"item {HOSTILE}", item=True),
    Paragraph("another item", item=True),
    Paragraph("paragraph after items"),
    Paragraph("third item", item=True),
    Table(("What", "How"), [("all of\n  one\n    two", HOSTILE), ("", "last")]),
    Paragraph("fourth item", item=True),
)
TEXTS = [
    f"title {HOSTILE}",
    f"section {HOSTILE}",
    f"paragraph {HOSTILE}",
    f"item {HOSTILE}",
    "another item",
    "paragraph after items",
    "third item",
    "What",
    "How",
    "all of\n  one\n    two",
    HOSTILE,
    "",
    "last",
    "fourth item",
]
TAGS = ["h1", "h2", "p", "li", "li", "p", "li", "th", "th", "td", "td", "td", "td", "li"]


def test_html_says_all_and_nothing_in_it_is_taken_for_markup() -> None:
    found = Read(page.page(DOCUMENT))
    assert found.texts == list(zip(TAGS, TEXTS, strict=True))


def test_markdown_says_all_and_nothing_in_it_is_taken_for_markup() -> None:
    found = Read(MarkdownIt("gfm-like", {"linkify": False}).render(page.markdown(DOCUMENT)))
    seen = [
        (tag, text.replace("\N{NO-BREAK SPACE}", " ").strip("\n"))
        for tag, text in found.texts
        if text.strip("\n") or tag == "td"
    ]
    assert seen == list(zip(TAGS, TEXTS, strict=True))


def test_text_wraps_at_the_width_and_a_tree_keeps_its_shape() -> None:
    document = Document("trees")
    tree = "all of\n  the first of many conditions\n  any of\n    the second of them\n    a third"
    document.section("side by side", Table(("Before", "After"), [(tree, tree)]))
    assert shown(document, 45) == [
        "trees",
        "",
        "side by side",
        "  Before                After",
        "  all of                all of",
        "    the first of many     the first of many",
        "        conditions            conditions",
        "    any of                any of",
        "      the second of         the second of",
        "          them                  them",
        "      a third               a third",
    ]


def test_text_keeps_tall_rows_apart_and_hangs_the_lines_of_an_item() -> None:
    document = Document("rows")
    document.section("items", Paragraph("one two three four five", item=True), Paragraph("six", item=True))
    document.section("tall", Table(("A", "B"), [("1\n2\n3\n4", "x"), ("5", "y")]))
    assert shown(document, 20) == [
        "rows",
        "",
        "items",
        "  - one two three",
        "    four five",
        "  - six",
        "",
        "tall",
        "  A  B",
        "  1  x",
        "  2",
        "  3",
        "  4",
        "",
        "  5  y",
    ]


def test_text_in_a_window_too_narrow_for_it_still_says_all() -> None:
    document = Document("narrow")
    tree = "all of\n  any of\n    an-uncommonly-long-condition of several words"
    document.section("one column", Paragraph(HOSTILE, item=True), Table(("A",), [(tree,)]))
    text = "".join("".join(shown(document, 3)).split())
    assert text == "".join(f"narrow one column - {HOSTILE} A {tree}".split())


def test_a_table_without_rows_and_a_section_without_blocks_are_left_out() -> None:
    document = Document("empty")
    document.section("no rows", Table(("A",), []))
    document.section("nothing")
    assert document.sections == []
