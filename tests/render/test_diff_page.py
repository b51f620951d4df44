"""What `kb diff` prints.

A page that a person reads is kept as it is in tests/golden, once as text and once as HTML. To write both anew after a
change that is meant, and then to read them:

    KB_UPDATE_GOLDEN=1 python -m pytest tests/render/test_diff_page.py -k golden
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from comparisons import difference
from markdown_it import MarkdownIt
from pages import HOLDERS, Read, shown

from kb_tools.render import diff as render
from kb_tools.render import page
from kb_tools.render.page import Paragraph

GOLDEN = Path(__file__).parents[1] / "golden"
RunKb = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(("format_", "suffix"), [("text", "txt"), ("html", "html")])
def test_the_page_is_the_golden_one(run_kb: RunKb, format_: str, suffix: str) -> None:
    found = run_kb("diff", "2023-10", "2023-11", "--format", format_)
    assert (found.returncode, found.stderr) == (1, "")
    path = GOLDEN / f"diff-2023-10-2023-11.{suffix}"
    if os.environ.get("KB_UPDATE_GOLDEN"):
        path.write_text(found.stdout, encoding="utf-8")
    assert found.stdout == path.read_text(encoding="utf-8"), "KB_UPDATE_GOLDEN=1 writes the file anew"


def test_html_is_one_self_contained_file_with_the_words_of_the_markdown(run_kb: RunKb) -> None:
    text = (GOLDEN / "diff-2023-10-2023-11.html").read_text(encoding="utf-8")
    found = Read(text)
    assert found.attributes == {"lang", "charset", "style"}
    frame = {"html", "head", "meta", "title", "style", "body", "div", "ul", "table", "thead", "tbody", "tr"}
    assert set(found.tags) <= {*frame, *HOLDERS}
    assert (found.tags.count("html"), found.tags.count("style"), found.tags.count("h1")) == (1, 1, 1)
    assert not re.search(r"https?:|url\(|@import", text)
    markdown = run_kb("diff", "2023-10", "2023-11", "--format", "markdown").stdout
    words = [
        [(tag, text.replace("\N{NO-BREAK SPACE}", " ").strip()) for tag, text in read.texts if text.strip()]
        for read in (found, Read(MarkdownIt("gfm-like", {"linkify": False}).render(markdown)))
    ]
    assert words[0] == words[1]


def test_every_row_of_a_markdown_table_has_the_columns_of_its_heading() -> None:
    lines = page.markdown(render.document(difference("2019-10", "2026-02"))).splitlines()
    rules = [number for number, line in enumerate(lines) if set(line) == {"|", "-", " "}]
    assert len(rules) == 5
    for number in rules:
        assert lines[number - 2] == ""
        end = lines.index("", number) if "" in lines[number:] else len(lines)
        columns = {len(re.findall(r"(?<!\\)\|", row)) for row in lines[number - 1 : end]}
        assert columns == {lines[number].count("|")}


def test_text_says_every_word_in_lines_no_wider_than_a_pipe() -> None:
    document = render.document(difference("2019-10", "2026-02"))
    lines = shown(document, 100)
    assert [line for line in lines if len(line) > 100] == []
    wanted = Counter(document.title.split())
    for section in document.sections:
        wanted.update(section.title.split())
        for block in section.blocks:
            if isinstance(block, Paragraph):
                wanted.update(("- " * block.item + block.text).split())
            else:
                wanted.update(word for row in (block.headings, *block.rows) for cell in row for word in cell.split())
    assert Counter(word for line in lines for word in line.split()) == wanted


def test_json_says_what_is_not_on_file_and_what_the_log_cannot_be_held_against(run_kb: RunKb) -> None:
    found = run_kb("diff", "2025-02", "2026-02", "--format", "json")
    assert (found.returncode, found.stderr) == (0, "")
    parts = ("Criteria", "DispositionPart", "Definitions", "Codes", "References", "Evidence")
    assert json.loads(found.stdout) == {
        "policy": "CP.MP.101",
        "old": "2025-02",
        "new": "2026-02",
        "drafts": [],
        "final": True,
        "leftToDecide": {},
        "basis": {
            "2025-02": {part: "InferredFromLog" if part == "Criteria" else "NotOnFile" for part in parts},
            "2026-02": dict.fromkeys(parts, "DocumentOnFile"),
        },
        "verdict": {
            "direction": "equivalent",
            "by": None,
            "byInference": True,
            "borrowed": [],
            "witnesses": [],
            "unconfirmed": [],
        },
        "changes": [],
        "notCompared": [{"part": part, "notOnFileFor": "2025-02"} for part in (*parts[1:], "Advisories")],
        "log": [
            {
                "row": "02/26",
                "statement": "https://w3id.org/policykb/CP.MP.101/log/2026-02-3",
                "label": "list of references checked and brought up to date",
                "finding": "not checkable",
                "why": "references of 2025-02: not on file",
            }
        ],
        "unexplained": [],
    }


def test_what_the_json_says_is_what_the_model_says() -> None:
    diff = difference("2019-10", "2026-02")
    content = json.loads(diff.to_json())
    assert content["verdict"]["direction"] == "mixed"
    assert content["verdict"]["borrowed"] == list(diff.verdict.borrowed)
    assert [witness["borneOutByCase"] for witness in content["verdict"]["witnesses"]] == [True, True]
    assert (content["verdict"]["unconfirmed"], content["drafts"]) == ([], [])
    assert [(change["part"], change["kind"], change["iri"]) for change in content["changes"]] == [
        (change.part, change.kind.value, change.iri) for change in diff.changes
    ]
    assert [(missing["part"], missing["notOnFileFor"]) for missing in content["notCompared"]] == list(diff.unknown)
    assert content["unexplained"] == [] and "impact" not in content
