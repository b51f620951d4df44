"""What people do in the workbench, in a browser; `make test-browser` fails where there is none."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

import browsers
import pytest

from kb_tools.model.repository import Repository
from kb_tools.serve.index import index, matching
from kb_tools.serve.site import folders_of, pages_of, search_index, write_site
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing() or "there is a browser"),
]
ROOT = Path(__file__).parents[2]
DISEASES = """
PREFIX clin: <https://w3id.org/policykb/clinical#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
clin:AcuteMyeloidLeukemia a clin:Disease ; skos:prefLabel "acute myeloid leukemia"@en ; clin:icd10cm "C92.0" , "C92.A" .
clin:Leukemia a clin:Disease ; skos:prefLabel "leukemia"@en ; skos:definition "Leukämie."@de ; clin:icd10cm "C91-C95" .
"""
# A page of each kind.
PAGES = (
    *("/", "/CP.MP.101", "/CP.MP.101/2026-02", "/CP.MP.101/criterion/acute-gvhd", "/clinical", "/model"),
    *("/condition/acute-gvhd-of-grade-2-or-higher", "/CP.MP.101/reference/frey-2008", "/code/cpt/38242"),
    *("/example/refractory-leukemia-meets", "/clinical/AcuteMyeloidLeukemia", "/questions", "/search?q=gvhd"),
)


def test_what_criterion_ii_b_cites_is_found_by_its_place(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox", name="Search").fill("II.B")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="acute GvHD of grade 2 or higher").first.click()
    cited = page.locator(".works li").all_inner_texts()
    assert [line.partition(" ")[0] for line in cited] == ["[7]", "[8]"]
    page.get_by_role("link", name="Frey NV").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Graft-versus-host disease after donor")


def test_what_held_on_a_date_is_seen_and_kept_from_page_to_page(page: Page) -> None:
    page.goto("/")
    page.get_by_label("As of").fill("2020-01-01")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="CP.MP.101, revision 2019-10").click()
    assert "on=2020-01-01" in page.url
    page.get_by_role("link", name="genetically modified or manipulated lymphocytes").first.click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("II.B")
    assert "on=2020-01-01" in page.url
    page.get_by_role("link", name="Back to today").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("II.A")


def test_the_codes_of_the_revision_in_force_are_two_steps_away(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="CP.MP.101, revision 2026-02").click()
    page.get_by_role("navigation", name="On this page").get_by_role("link", name="Codes").click()
    rows = page.locator("section[aria-labelledby=codes] tbody th").all_inner_texts()
    assert rows == ["38215", "38242", "86950", "S2150"]


def test_the_picture_of_time_leads_to_a_revision(page: Page) -> None:
    page.goto("/CP.MP.101")
    page.locator(".timeline").get_by_role("link", name="2023-11: from 2023-11-01").click()
    assert page.url.endswith("/CP.MP.101/2023-11")
    assert "inferred backwards" in page.locator("main").inner_text()


def test_no_page_is_wider_than_a_narrow_screen_light_or_dark(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 375, path
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == "rgb(20, 25, 27)"


def test_the_keyboard_reaches_the_content_first(page: Page) -> None:
    page.goto("/CP.MP.101")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(page: Page, scheme: Literal["light", "dark"]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    # Pages that have among them whatever pages are made of, and are small, since axe takes its time.
    for path in ("/CP.MP.101/2023-11", "/code/cpt/38242", "/search?q=II.B"):
        page.goto(path)
        violations = Axe().run(page).response["violations"]
        assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == [], path


def test_the_site_is_searched_from_a_disk_as_the_workbench_is(
    browser: Browser, bench: Workbench, tmp_path: Path
) -> None:
    root = tmp_path / "kb"
    for name in (
        "ontology/prefixes.ttl",
        *(f"shapes/conditions/{name}.ttl" for name in ("coverage", "disease", "gvhd")),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "ontology/diseases.ttl").write_text(DISEASES, encoding="utf-8")
    shutil.copytree(ROOT / "tests/data/EX.5", root / "policies/EX.5")
    kb = Repository(root)
    site = tmp_path / "site"
    write_site(kb, site)
    context = browser.new_context()
    local = context.new_page()
    local.goto(f"{site.as_uri()}/index.html")
    local.get_by_role("searchbox", name="Search").fill("C92.01")
    local.keyboard.press("Enter")
    local.locator(".results a").first.click()
    assert local.get_by_role("heading", level=1).inner_text() == "acute myeloid leukemia"
    entries = index(View(Workbench(kb), None))
    for query in ("gvhd", "II.A", "acute leukemia", "<b>x</b>", "Leukamie", "C92.A1", "Grade 2 HIGHER"):
        local.goto(f"{site.as_uri()}/search/index.html?{urlencode({'q': query})}")
        found = [hit.entry.label for hit in matching(entries, query)]
        shown = local.locator(".results a").evaluate_all("links => links.map(link => link.lastChild.textContent)")
        assert shown == found[:60], query
        assert local.get_by_text("Nothing fits").is_visible() is not bool(found)
    # The same search over revisions that say different things of a criterion.
    view = View(bench, date(2026, 11, 1))
    (site / "static/search-index.js").write_bytes(search_index(view, folders_of(pages_of(bench))))
    for query in ("II.B", "II.C", "for full donor chimerism", "C92.01", "relapse"):
        local.goto(f"{site.as_uri()}/search/index.html?{urlencode({'q': query})}")
        hits = matching(index(view), query)[:60]
        notes = ["; ".join(filter(None, (hit.note, hit.entry.stated))) for hit in hits]
        shown = local.locator(".results li").evaluate_all(
            "items => items.map(item => [item.querySelector('a').lastChild.textContent, "
            "item.querySelector('.notice')?.textContent ?? ''])"
        )
        assert shown == [[hit.entry.label, note] for hit, note in zip(hits, notes, strict=True)], query
    context.close()
