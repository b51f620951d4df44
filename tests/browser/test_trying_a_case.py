"""A case is filled in, corrected and determined, in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import browsers
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing() or "there is a browser"),
]
EXAMPLE = Path(__file__).parents[2] / "policies/CP.MP.101/cases/acute-gvhd-of-grade-2-excludes.ttl"


def outcome(page: Page, text: str) -> None:
    """Waits until the head of the answer says this."""
    page.locator("#outcome", has_text=text).wait_for(timeout=20_000)


def beside(page: Page, field: str) -> list[str]:
    return page.locator(f'[data-slips="case.{field}"] li').all_inner_texts()


def test_three_slips_are_corrected_and_an_outcome_reached(page: Page) -> None:
    page.goto("/CP.MP.101/2026-02")
    page.get_by_role("link", name="Try a case").last.click()
    page.get_by_label("Service date").fill("2026-07-01")
    page.get_by_label("Line of business").select_option(label="commercial")
    page.get_by_label("service", exact=True).select_option("DonorLymphocyteInfusion")
    page.get_by_label("Reason").select_option(label="acute myeloid leukemia (AML)")
    page.get_by_label("procedure code").fill("38243")
    page.get_by_role("button", name="+ transplant").click()
    assert page.evaluate("document.activeElement.name") == "case.findings[0].date"
    page.get_by_role("button", name="+ acute GvHD assessment").click()
    row = page.locator('[data-row="case.findings[1]"]')
    row.get_by_label("Date").fill("2026-06-20")
    row.get_by_label("Basis").select_option(label="chart evidence")
    row.get_by_label("grade", exact=True).fill("two")
    row.get_by_label("Grade at most").fill("1,5")
    outcome(page, "3 things to correct and 2 to state")
    assert beside(page, "request.procedureCodes")[0].startswith('"38243" is not a code')
    assert beside(page, "findings[1].grade") == ['"two", but a whole number is expected']
    assert beside(page, "findings[1].gradeAtMost") == ['"1,5", but a whole number is expected']
    assert beside(page, "findings[0].basis") == ["Needed, and not stated yet."]
    grade = row.get_by_label("grade", exact=True)
    assert grade.get_attribute("aria-invalid") == "true"
    described = (grade.get_attribute("aria-describedby") or "").split()
    assert described[-1] == "case.findings[1].grade--slips"

    # The empty line for a further code is not wrong.
    red, line = (
        page.get_by_label("procedure code").nth(number).evaluate("box => getComputedStyle(box).borderColor")
        for number in (0, 1)
    )
    assert red != line
    page.get_by_label("procedure code").first.fill("38242")
    row.get_by_label("Grade at most").fill("")
    grade.fill("1")
    page.get_by_role("button", name="Remove this transplant").click()
    outcome(page, "Information needed CP.MP.101, revision 2026-02")
    assert beside(page, "findings[1].grade") == []
    assert grade.get_attribute("aria-invalid") is None
    assert page.locator("#details").get_by_text("What to send in").is_visible()

    grade.fill("2")
    outcome(page, "Criteria not met")
    assert "exclusion II.B holds: acute GvHD assessment: grade 2" in page.locator("#details").inner_text()
    page.get_by_label("Line of business").select_option(label="Medicare Advantage")
    outcome(page, "Policy not applicable")
    assert "See MC.CP.MP.101." in page.locator("#details").inner_text()
    assert page.url.endswith("/try?revision=CP.MP.101%2F2026-02")

    with page.expect_download() as download:
        page.get_by_role("button", name="Download as Turtle").click()
    assert download.value.suggested_filename == "case.ttl"
    text = download.value.path().read_text(encoding="utf-8")
    assert "clin:grade 2" in text
    assert "clin:Transplant" not in text


def test_the_list_of_what_is_wrong_leads_to_the_fields(page: Page) -> None:
    page.goto(f"/try?example=CP.MP.101/{EXAMPLE.stem}")
    page.get_by_label("procedure code").first.fill("38243")
    page.get_by_label("grade", exact=True).fill("7")
    links = page.locator("#placed a")
    outcome(page, "2 things to correct")
    assert links.all_inner_texts() == ["procedure code", "acute GvHD assessment 3, grade"]
    for link, name in ((1, "findings[2].grade"), (0, "request.procedureCodes")):
        links.nth(link).click()
        assert page.evaluate("document.activeElement.name") == f"case.{name}"


def test_a_file_is_picked_and_read_into_the_form(page: Page) -> None:
    page.goto("/CP.MP.101/2026-02")
    page.get_by_role("link", name="Try a case").last.click()
    page.get_by_text("Paste or drop a case").click()
    page.get_by_label("or a file").set_input_files(EXAMPLE)
    outcome(page, "Criteria not met")
    assert page.get_by_label("Reason").input_value() == "AcuteMyeloidLeukemia"
    page.get_by_label("grade", exact=True).fill("1")
    outcome(page, "Criteria met")


def test_another_revision_asks_other_things(page: Page) -> None:
    page.goto(f"/try?example=CP.MP.101/{EXAMPLE.stem}")
    asks = page.locator('[id="case.request.product.processing--asks"]')
    assert asks.inner_text() == "Asked for by II.A: How the lymphocytes were or will be processed."
    page.get_by_label("Determine under").select_option("CP.MP.101/2019-10")
    outcome(page, "revision 2019-10")
    assert asks.inner_text() == "Asked for by II.B: How the lymphocytes were or will be processed."
    page.get_by_role("button", name="+ earlier donor lymphocyte infusion").click()
    added = page.locator('[data-row="case.findings[4]"] > .asks li')
    assert added.first.inner_text().startswith("Asked for by II.C: The date of every earlier donor lymphocyte infusion")


def test_the_form_works_without_script(browser: Browser, address: str) -> None:
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/try?revision=CP.MP.101/2026-02")
    page.get_by_role("button", name="+ acute GvHD assessment").click()
    page.locator('[name="case.findings[0].grade"]').fill("7")
    page.get_by_role("button", name="Determine").click()
    # As words: whether they stand on one line depends on whether the style has been read.
    assert " ".join(page.locator("#outcome").inner_text().split()) == "1 thing to correct and 3 to state"
    assert beside(page, "findings[0].grade") == ["State “grade” at most once, as a whole number from 0 to 4."]
    page.get_by_role("button", name="Remove this").click()
    page.locator('[name="case.request.serviceDate"]').fill("2026-07-01")
    page.get_by_role("button", name="Determine").click()
    assert re.search("Information needed", page.locator("#outcome").inner_text())
    context.close()


def test_a_narrow_page_shows_the_outcome_at_its_foot(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"/try?example=CP.MP.101/{EXAMPLE.stem}")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    box = page.locator("#outcome").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] == pytest.approx(800, abs=1)


def test_on_a_narrow_page_what_is_wrong_stays_in_sight(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"/try?example=CP.MP.101/{EXAMPLE.stem}")
    grade = page.get_by_label("grade", exact=True)
    # At the foot, where the outcome stands too.
    grade.evaluate("box => scrollBy(0, box.getBoundingClientRect().bottom - innerHeight + 90)")
    grade.fill("7")
    outcome(page, "1 thing to correct")
    slip = page.locator('[data-slips="case.findings[2].grade"] li').bounding_box()
    bar = page.locator("#outcome").bounding_box()
    assert slip is not None
    assert bar is not None
    assert slip["y"] + slip["height"] <= bar["y"]


def test_what_is_printed_is_the_answer_and_what_is_stated(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"/try?example=CP.MP.101/{EXAMPLE.stem}")
    for what in ("header.top", ".paste", ".add >> nth=0", ".remove >> nth=0"):
        assert page.locator(what).is_hidden(), what
    assert page.get_by_label("grade", exact=True).is_visible()
    assert page.get_by_label("Grade at most").is_hidden()
    style = "element => [getComputedStyle(element).position, getComputedStyle(element).color]"
    assert page.locator("#outcome").evaluate(style) == ["static", "rgb(0, 0, 0)"]
    page.goto("/CP.MP.101/compare/2019-10/2026-02")
    for what in (".choose", ".take", "nav.contents"):
        assert page.locator(what).is_hidden(), what
    link = page.locator("#verdict a").first.evaluate("link => getComputedStyle(link).color")
    assert link == "rgb(18, 60, 65)"


def test_axe_finds_no_fault(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.goto(f"/try?example=CP.MP.101/{EXAMPLE.stem}")
    page.get_by_label("grade", exact=True).fill("two")
    outcome(page, "1 thing to correct")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = Axe().run(page).response["violations"]
        assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []
