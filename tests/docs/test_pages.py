"""What the pages show is what the tool does. Outputs that changed with reason: make docs, and read the difference."""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
from pathlib import Path

import doc_pages as pages
import pyoxigraph as ox
import pytest

from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.cli import COMMANDS
from kb_tools.determine.result import Outcome
from kb_tools.model.repository import Repository
from kb_tools.publish.graphs import statements
from kb_tools.rdf.files import FORMATS
from kb_tools.render.case_json import write

ROOT = Path(__file__).parents[2]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in pages.PAGES}
COMMANDS_PAGE = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
README = TEXTS["README.md"]
PATIENT = "https://example.org/cases/17#patient"
# Held by a test of its own, which runs its blocks otherwise.
TEXTS.pop("docs/api.md", None)


def block(page: str, file: str) -> str:
    """The one block of a page that is the file."""
    (found,) = [block.text for block in pages.blocks(TEXTS[page]) if block.file == file]
    return found


def test_there_is_a_page_for_each_who_needs_one_and_it_says_so() -> None:
    assert set(TEXTS) == {
        "README.md",
        *(f"docs/{name}.md" for name in ("agents", "analysts", "cases", "design", "fhir")),
        *(
            f"docs/{name}.md"
            for name in ("governance", "limits", "policies", "records", "runs", "services", "workbench")
        ),
    }
    for name, text in {**TEXTS, "docs/commands.md": COMMANDS_PAGE}.items():
        title, empty, first = text.splitlines()[:3]
        assert (title[:2], empty) == ("# ", ""), name
        assert first.startswith("For "), name


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150


@pytest.mark.parametrize("page", TEXTS)
def test_the_commands_of_a_page_print_what_it_shows(page: str) -> None:
    for step, found in pages.run(TEXTS[page]):
        difference = "\n".join(difflib.ndiff(step.shown.splitlines(), found.splitlines()))
        assert step.shows(found), f"{page}: {step.run}\n{difference}"


def test_the_pages_run_commands_sessions_and_files() -> None:
    found = [(name, block) for name, text in TEXTS.items() for block in pages.blocks(text)]
    counts = {
        language: sum(block.language == language for _, block in found) for language in ("console", "pycon", "sparql")
    }
    assert counts == {"console": 79, "pycon": 3, "sparql": 3}
    assert [(name, block.file) for name, block in found if block.file] == [
        ("README.md", "case.ttl"),
        ("docs/agents.md", "agent.py"),
        ("docs/agents.md", "errors.py"),
        ("docs/analysts.md", "across.rq"),
        ("docs/cases.md", "case.json"),
        ("docs/cases.md", "doubt.json"),
        ("docs/cases.md", "slips.json"),
        ("docs/cases.md", "grade.ttl"),
        ("docs/fhir.md", "bundle.json"),
        ("docs/governance.md", "policies/EX.5/2025-02/criteria.ttl"),
        ("docs/governance.md", "row.ttl"),
        ("docs/governance.md", "more.ttl"),
        ("docs/governance.md", "prefix.ttl"),
        ("docs/governance.md", "place.ttl"),
        ("docs/governance.md", "row.ttl"),
        ("docs/policies.md", "policies/EX.5/2024-01/criteria.ttl"),
        ("docs/policies.md", "row.ttl"),
        # Only written here; tests/batch/test_spark.py runs it.
        ("docs/runs.md", "on_spark.py"),
        ("docs/services.md", "case.json"),
    ]


PAGE = """
```text note.txt
one
two
three
four
```

```console
$ cat note.txt
one
...
$ grep t \\
    note.txt
two
three
$ kb show CP.MP.101/2027-01
kb: CP.MP.101 has no revision CP.MP.101/2027-01; known: 1999-01
```

```pycon
>>> 1 + 1
3
```
"""


def test_what_a_page_shows_otherwise_is_found_and_written_anew(tmp_path: Path) -> None:
    assert [step.shows(found) for step, found in pages.run(PAGE)] == [True, True, False, False]
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    pages.write(page)
    known = "2015-11, 2019-10, 2022-10, 2023-02, 2023-08, 2023-10, 2023-11, 2024-04, 2025-02, 2026-02; nearest: 2026-02"
    assert page.read_text(encoding="utf-8") == PAGE.replace("1999-01", known).replace("3\n```\n", "2\n```\n")


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ("a\n...\n", "first\n...\n"),
        ("...\nz\n", "...\nfifth\n"),
        ("a\n...\nthe second line\nx\n...\n", "first\n...\nsecond line\nthird\n...\n"),
        ("a\n...\n### 0 ###\n...\n", "first\n...\n"),
    ],
)
def test_what_is_left_out_of_an_output_is_left_out_of_the_new_one(shown: str, written: str) -> None:
    found = "first\nsecond line\nthird\nfourth\nfifth\n"
    assert pages.renewed(pages.Step("run", shown, 0, 0), found) == written


def test_the_command_reference_is_current() -> None:
    """If this fails: make docs."""
    made = subprocess.run(
        [sys.executable, "docs/build/commands.py"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    assert made.splitlines() == COMMANDS_PAGE.splitlines()


def test_every_command_and_outcome_is_described() -> None:
    for outcome in Outcome:
        assert f"`{outcome.value}`" in README
    for command in COMMANDS:
        assert f"\n## kb {command}\n" in COMMANDS_PAGE


def anchors(text: str) -> set[str]:
    """The anchors that a forge gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_link_between_the_pages_leads_somewhere() -> None:
    broken = []
    for page in (*pages.PAGES, ROOT / "docs/commands.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            name, _, anchor = target.partition("#")
            path = page.parent / name if name else page
            if "://" in target or (path.is_file() and not anchor):
                continue
            if not path.is_file() or anchor not in anchors(path.read_text(encoding="utf-8")):
                broken.append((page.name, target))
    assert broken == []


def test_the_json_of_the_cases_page_is_the_case_of_the_readme() -> None:
    kb = Repository(ROOT)
    (case,) = CaseReader(kb).read("case.ttl", None, block("README.md", "case.ttl").encode(), FORMATS[".ttl"])
    shown = json.loads(block("docs/cases.md", "case.json"))
    assert write(CaseForms(kb), case) == shown | {"id": "https://example.org/cases/17#case", "patient": PATIENT}


def test_the_query_of_the_analysts_page_works_in_any_store_after_loading() -> None:
    store = ox.Store()
    store.extend(statements(Repository(ROOT)))
    (query,) = [
        block.text
        for block in pages.blocks(TEXTS["docs/analysts.md"])
        if block.language == "sparql" and "cito:citesAsEvidence ?work" in block.text and "GRAPH" in block.text
    ]
    found = store.query(query)
    assert isinstance(found, ox.QuerySolutions)
    rows = [tuple(value.value if isinstance(value, ox.Literal) else None for value in row) for row in found]
    assert rows == [
        ("I", "9", "10.1016/j.transci.2016.05.011"),
        ("I, note", "9", "10.1016/j.transci.2016.05.011"),
        ("II.A", "10", "10.1182/blood-2003-02-0342"),
        ("II.B", "7", "10.1016/j.beha.2008.02.007"),
        ("II.B", "8", None),
    ]


def test_the_query_of_the_tour_is_the_file_that_it_names() -> None:
    shown = [block.text for block in pages.blocks(TEXTS["docs/analysts.md"]) if block.language == "sparql"]
    assert shown[0] == (ROOT / "docs/tour.rq").read_text(encoding="utf-8")
