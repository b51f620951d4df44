"""What governance staff do with the comparison of two revisions, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import browsers
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing() or "there is a browser"),
]
PATH = "/CP.MP.101/compare/2023-10/2023-11"


def test_two_editions_are_compared_and_the_link_is_sent(page: Page) -> None:
    page.goto("/CP.MP.101")
    page.get_by_role("link", name="Compare any two revisions").click()
    page.get_by_label("Compare", exact=True).select_option("2023-10")
    page.get_by_label("with", exact=True).select_option("2023-11")
    page.get_by_role("button", name="Compare").click()
    assert page.url.endswith(PATH)
    assert page.get_by_role("heading", level=1).inner_text() == "2023-10 compared with 2023-11"
    assert page.get_by_label("Compare", exact=True).input_value() == "2023-10"
    page.get_by_role("link", name="Link to this change").first.click()
    sent = page.url
    assert sent.endswith("#criteria-plan-added")
    page.goto("about:blank")
    page.goto(sent)
    assert (
        page.locator("article:target ins").first.inner_text() == "For Medicare plans another policy gives the criteria."
    )


def test_why_the_verdict_is_what_it_is(page: Page) -> None:
    page.goto("/CP.MP.101/2023-11")
    page.get_by_role("link", name="2023-10 compared with 2023-11").click()
    assert "stricter, by applicability alone, by inference" in page.locator("#verdict").inner_text()
    page.get_by_role("navigation", name="On this page").get_by_role("link", name="Why this verdict").click()
    witness = page.locator("#witness-stricter")
    assert "the plan is not a Medicare plan" in witness.locator(".two > div").nth(1).inner_text()
    case = witness.locator("pre")
    assert not case.is_visible()
    witness.get_by_text("The case, made for this").click()
    assert "case:MedicareMedicaid" in case.inner_text()
    page.get_by_role("link", name="medicare advantage plan is referred").click()
    assert page.get_by_role("heading", level=1).inner_text() == "medicare advantage plan is referred"


def test_a_comparison_is_taken_along_as_a_file(page: Page) -> None:
    page.goto(PATH)
    for name, ending in (("Markdown for a pull request", "md"), ("Spreadsheet", "xlsx")):
        with page.expect_download() as started:
            page.get_by_role("link", name=name).click()
        assert started.value.suggested_filename == f"CP.MP.101-2023-10-compared-with-2023-11.{ending}"


def test_the_trees_stand_side_by_side_or_one_above_the_other(page: Page) -> None:
    page.goto(PATH)

    def places() -> list[tuple[float, float]]:
        boxes = [side.bounding_box() for side in page.locator("#criterion-plan .sides > div").all()]
        return [(box["x"], box["y"]) for box in boxes if box]

    (left, top), (right, beside) = places()
    assert left < right
    assert top == beside
    page.set_viewport_size({"width": 375, "height": 800})
    (left, top), (right, below) = places()
    assert left == right
    assert top < below
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.goto("/CP.MP.101/compare")
    assert page.evaluate("document.documentElement.scrollWidth") == 375


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_in_a_comparison(page: Page, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in (PATH, "/CP.MP.101/compare"):
        page.goto(path)
        violations = Axe().run(page).response["violations"]
        assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == [], path
