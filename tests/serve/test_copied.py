"""A copied knowledge base: another policy, a draft, and labels that are no labels; and the site that is made of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from posixpath import join, normpath
from urllib.parse import unquote

import pytest
from markupsafe import Markup
from starlette.testclient import TestClient

from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.serve.app import application
from kb_tools.serve.site import MARK, folders_of, pages_of, search_index, write_site
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
SCRIPT = "<script>alert(1)</script>"
BREAKOUT = "'><img src=x onerror=alert(1)>"
DRAFT = """
PREFIX pol:  <https://w3id.org/policykb/policy#>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX xsd:  <http://www.w3.org/2001/XMLSchema#>
<https://w3id.org/policykb/EX.5/2025-02> a pol:Revision ;
    rdfs:label "EX.5, revision 02/25 \\u202e"@en ;
    pol:revisionOf <https://w3id.org/policykb/EX.5> ;
    pol:revisionMonth "2025-02"^^xsd:gYearMonth ;
    prov:wasRevisionOf <https://w3id.org/policykb/EX.5/2024-01> ;
    pol:toDo "State the criteria."@en .
<https://w3id.org/policykb/EX.5> pol:relatedPolicy <javascript:alert(1)> .
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small knowledge base, with markup in the texts of its policy."""
    root = tmp_path_factory.mktemp("copied")
    for name in (
        "ontology/prefixes.ttl",
        *(f"shapes/conditions/{name}.ttl" for name in ("coverage", "disease", "gvhd")),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    policy = root / "policies/EX.5"
    shutil.copytree(ROOT / "tests/data/EX.5", policy)
    for path, old, new in (
        (policy / "policy.ttl", "EX.5, an invented policy", SCRIPT),
        (policy / "policy.ttl", "Example Infusion", BREAKOUT),
        (policy / "2024-01/criteria.ttl", "acute GvHD of grade 2 or higher", SCRIPT),
        (policy / "2024-01/criteria.ttl", "Residual disease was detected", BREAKOUT),
        (policy / "2024-01/passages.ttl", "Header, heading", SCRIPT),
    ):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
    (policy / "2025-02").mkdir()
    (policy / "2025-02/revision.ttl").write_text(DRAFT, encoding="utf-8")
    related = "    pol:relatedPolicy <javascript:alert(1)> ;\n    pol:publisherName"
    text = (policy / "policy.ttl").read_text(encoding="utf-8")
    (policy / "policy.ttl").write_text(text.replace("    pol:publisherName", related), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def other(copied: Path) -> TestClient:
    return TestClient(application(Workbench(Repository(copied))), base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def site(copied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(Repository(copied), folder)
    return folder


def test_markup_in_a_label_is_text(other: TestClient, site: Path) -> None:
    paths = ["/", "/EX.5", "/EX.5/2024-01", "/EX.5/2025-02", "/EX.5/criterion/gvhd", "/EX.5/criterion/residual-disease"]
    pages = [other.get(path).text for path in [*paths, "/EX.5/2024-01/passage/header-title", "/search?q=script"]]
    assert sum("&lt;script&gt;alert(1)" in page for page in pages) >= 6
    for page in [*pages, *(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))]:
        assert "<script>" not in page
        assert "<img" not in page
        assert 'href="javascript' not in page
        assert "\u202e" not in page


def test_a_draft_is_named_as_one_and_is_in_force_on_no_date(other: TestClient) -> None:
    page = other.get("/EX.5/2025-02?format=json&on=2026-01-01").json()
    assert (page["state"], page["onFile"]["since"], page["toDo"]) == (
        *("draft, in force on no date", None, ["State the criteria."]),
    )
    policy = other.get("/EX.5?format=json&on=2026-01-01").json()
    assert policy["inForce"]["revision"]["iri"] == "https://w3id.org/policykb/EX.5/2024-01"
    assert policy["timeline"]["spans"][1] is None
    assert "2025-02: a draft" in other.get("/EX.5").text


def test_a_second_policy_needs_no_code_of_its_own(other: TestClient) -> None:
    page = other.get("/EX.5/criterion/gvhd?format=json").json()
    assert (page["stated"]["place"], page["policy"]["iri"]) == ("II.A", "https://w3id.org/policykb/EX.5")


def test_a_knowledge_base_without_a_policy_is_an_error_of_one_line(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "ontology", tmp_path / "ontology")
    client = TestClient(
        application(Workbench(Repository(tmp_path))), base_url="http://127.0.0.1", raise_server_exceptions=False
    )
    answer = client.get("/?format=json")
    assert (answer.status_code, answer.json()["detail"]) == (
        500,
        "no policy on file; restore the folders of the policies",
    )
    assert str(tmp_path) not in answer.text


# ---------------------------------------------------------------------- the site


def addresses(page: str) -> list[str]:
    """The addresses within the site or the server that a page leads to."""
    found = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    return [address for address in found if not address.startswith(("http://", "https://", "#"))]


def test_every_link_of_the_site_leads_to_a_file(site: Path) -> None:
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    count = 0
    for name in sorted(file for file in files if file.endswith(".html")):
        for address in addresses((site / name).read_text(encoding="utf-8")):
            count += 1
            target = unquote(address.partition("#")[0].partition("?")[0])
            assert normpath(join(name, "..", target)) in files, (name, address)
    assert count > 1000
    assert {"index.html", "EX.5/2024-01/index.ttl", "search/index.html", "static/search-index.js"} <= files


def test_the_site_answers_questions_by_default_and_says_where_others_are_asked(site: Path) -> None:
    page = (site / "questions/documents-to-submit/index.html").read_text(encoding="utf-8")
    assert 'Answer <span class="quiet">as of 2024-01-01, by default</span>' in page
    assert "For revision <b>EX.5/2024-01</b>." in page
    assert '<a href="../../EX.5/criterion/' in page.partition('<table class="answer">')[2]
    assert "4 rows from EX.5/2024-01." in page
    assert "<code>kb query documents-to-submit</code>, or this page where the workbench is served" in page
    assert "VALUES ?revision { <https://w3id.org/policykb/EX.5/2024-01> }" in str(Markup(page).unescape())
    assert "Open in the editor" not in page
    # Of what is not on file nothing is found, and the page says so.
    assert "No rows from what is on file of EX.5/2024-01." in (site / "questions/codes/index.html").read_text(
        encoding="utf-8"
    )


def test_the_site_is_the_same_bytes_and_forgets_what_is_gone(copied: Path, site: Path) -> None:
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    stale = site / "EX.5/criterion/gone/index.html"
    stale.parent.mkdir()
    stale.write_text("gone", encoding="utf-8")
    kept = site / "CNAME"
    kept.write_text("policies.example.org\n", encoding="utf-8")
    with (site / MARK).open("a", encoding="utf-8") as mark:
        mark.write("EX.5/criterion/gone/index.html\n")
    write_site(Repository(copied), site)
    after = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert after.pop(kept) == b"policies.example.org\n"
    assert after == before
    assert not stale.parent.exists()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, links among them not followed."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_run_that_was_ended_is_cleared_away_by_the_next(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"index.html": b"one", "gone/index.html": b"two", "static/style.css": b"three"}
    monkeypatch.setattr("kb_tools.serve.site.files", lambda kb, day: iter(made.items()))
    replaced = Path.replace

    def ended(path: Path, target: Path) -> Path:
        if target.name == "style.css":
            raise KeyboardInterrupt
        return replaced(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", ended)
        with pytest.raises(KeyboardInterrupt):
            write_site(Repository(copied), tmp_path)
    assert sorted(contents(tmp_path)) == ["gone/index.html", "index.html", MARK, "static/style.css.new"]
    assert contents(tmp_path)[MARK].decode().splitlines()[1:] == sorted(made)
    del made["gone/index.html"], made["static/style.css"]
    assert write_site(Repository(copied), tmp_path) == 2
    assert sorted(contents(tmp_path)) == ["index.html", MARK]
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("linked", ["index.html", "EX.5", "EX.5/gone.html", MARK])
def test_nothing_is_written_or_removed_through_a_link(copied: Path, tmp_path: Path, linked: str) -> None:
    site, other = tmp_path / "site", tmp_path / "other"
    (site / "EX.5").mkdir(parents=True)
    other.mkdir()
    head = "Written by kb site, which replaces and removes the files named here.\n"
    (site / MARK).write_text(f"{head}EX.5/gone.html\n", encoding="utf-8")
    (other / "kept").write_text(f"{head}EX.5/gone.html\n", encoding="utf-8")
    place = site / linked
    if place.is_dir():
        place.rmdir()
    place.unlink(missing_ok=True)
    place.symlink_to(other if linked == "EX.5" else other / "kept")
    before = contents(tmp_path)
    with pytest.raises(KbError) as refused:
        write_site(Repository(copied), site)
    hint = "remove it, or name a new or an empty folder"
    assert str(refused.value) == f"{place}: is a link, and nothing is written through one; {hint}"
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["EX.5", "../outside.txt", "/etc/hostname", "", "."])
def test_a_mark_that_lists_what_is_no_file_of_a_site_is_refused(copied: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "EX.5").mkdir()
    (tmp_path / MARK).write_text(
        f"Written by kb site, which replaces and removes the files named here.\n{name}\n", encoding="utf-8"
    )
    before = contents(tmp_path)
    with pytest.raises(KbError, match=r"lists '.*', which is no file of a site; remove it, or name a new or an empty"):
        write_site(Repository(copied), tmp_path)
    assert contents(tmp_path) == before


def test_a_mark_that_is_no_text_is_refused(copied: Path, tmp_path: Path) -> None:
    (tmp_path / MARK).write_bytes(b"\xff")
    with pytest.raises(KbError, match="is not UTF-8, and not as kb site wrote it; remove it"):
        write_site(Repository(copied), tmp_path)
    assert contents(tmp_path) == {MARK: b"\xff"}


def test_what_turns_the_direction_of_a_line_is_not_in_the_search(copied: Path, tmp_path: Path) -> None:
    shutil.copytree(copied, tmp_path / "kb")
    path = tmp_path / "kb/policies/EX.5/2024-01/criteria.ttl"
    text = path.read_text(encoding="utf-8")
    assert SCRIPT in text
    path.write_text(text.replace(SCRIPT, "acute \\u202e GvHD"), encoding="utf-8")
    view = View(Workbench(Repository(tmp_path / "kb")), None)
    written = search_index(view, folders_of(pages_of(view.bench))).decode()
    found = json.loads(written.removeprefix("var searchIndex = ").removesuffix(";\n"))
    assert "acute \N{REPLACEMENT CHARACTER} GvHD" in [entry["label"] for entry in found]
    assert "\\u202e" not in written


def test_a_folder_that_is_no_site_is_refused(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(KbError, match=r"holds something else than a site; name a new or an empty folder$"):
        write_site(Repository(copied), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(KbError, match="holds something else than a site"):
        write_site(Repository(copied), tmp_path / "thesis.txt")


def test_pages_whose_paths_differ_in_case_alone_have_folders_that_differ_otherwise(bench: Workbench) -> None:
    folders = folders_of(pages_of(bench))
    assert len({folder.casefold() for folder in folders.values()}) == len(folders)
    assert folders["/policy/Definition"] != folders["/policy/definition"]
    assert folders["/"] == ""
