"""The picture of a run: what it shows is what it says, and what the page shows."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from kb_tools import printable
from kb_tools.render.run_picture import picture, shortened

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
SECTIONS = {"Outcome": {"CriteriaMet": 150, "A & <b>": 1}, "Nothing": {}, "Long": {"x" * 80: 50, "y": 1, "z": 1}}


def drawn() -> ElementTree.Element:
    return ElementTree.fromstring(picture("200 cases under 2026-02", 200, SECTIONS, 2))


def test_bars_are_shares_of_the_cases() -> None:
    bars = [float(bar.attrib["width"]) for bar in drawn().iter(f"{SVG}rect") if bar.get("class") == "bar"]
    grooves = {float(bar.attrib["width"]) for bar in drawn().iter(f"{SVG}rect") if bar.get("class") == "groove"}
    assert (bars, grooves) == ([504, 3, 168, 3], {672})


def test_all_texts_stand_in_the_picture_and_in_its_description() -> None:
    svg = drawn()
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    review = "For review by a clinician: this is the status of the criteria, neither an approval nor a denial."
    assert texts == [
        *("200 cases under 2026-02", "Outcome", "CriteriaMet", "150 (75.0%)", "A & <b>", "1 (0.5%)"),
        *("Long", "x" * 63 + "…", "50 (25.0%)", "y", "1 (0.5%)", review),
    ]
    assert svg.findtext(f"{SVG}title") == "200 cases under 2026-02"
    spoken = f"Outcome: CriteriaMet 150 (75.0%), A & <b> 1 (0.5%); Long: {'x' * 80} 50 (25.0%), y 1 (0.5%). {review}"
    assert svg.findtext(f"{SVG}desc") == spoken
    named = [svg.find(f".//*[@id='{name}']") for name in svg.attrib["aria-labelledby"].split()]
    assert [element.tag for element in named if element is not None] == [f"{SVG}title", f"{SVG}desc"]


def test_a_long_name_keeps_the_value_that_stands_behind_it() -> None:
    assert shortened("a criterion with a long label: holds", 24) == "a criterion with…: holds"
    assert shortened("a criterion: holds", 18) == "a criterion: holds"
    assert shortened("why: a reason that is itself long", 12) == "why: a reas…"


def test_signs_that_xml_does_not_take_are_replaced() -> None:
    svg = ElementTree.fromstring(picture("t", 1, {"h": {"a\0b\x1bc": 1}}, 1))
    assert [text.text for text in svg.iter(f"{SVG}text")][2] == printable.line("a\0b\x1bc")


def test_everything_stands_within_the_picture_and_below_what_is_above() -> None:
    svg = drawn()
    places = [float(element.attrib["y"]) for element in svg.iter() if "y" in element.attrib]
    assert places == sorted(places)
    assert places[0] > 0 and places[-1] < float(svg.attrib["height"])
    assert svg.attrib["viewBox"] == f"0 0 {svg.attrib['width']} {svg.attrib['height']}"


def test_it_holds_no_script_and_nothing_from_elsewhere_and_has_two_sets_of_colours() -> None:
    text = picture("t", 1, {"h": {"n": 1}}, 1)
    assert not re.search(r"<script|\bon\w+=|href|url\(|@import|http(?!://www\.w3\.org/2000/svg)", text)
    assert "@media (prefers-color-scheme: dark)" in text
    colours = re.findall(r"\.?(\w+) \{ fill: (#\w+)", text)
    assert [name for name, _ in colours] == 2 * ["ground", "groove", "bar", "text", "small"]
    for light, dark in zip(colours[:5], colours[5:], strict=True):
        assert light[1] != dark[1]
    for ground, *others in (dict(colours[:5]).items(), dict(colours[5:]).items()):
        assert all(_contrast(colour, ground[1]) >= 4.5 for name, colour in others if name != "groove")


def _contrast(one: str, other: str) -> float:
    """By WCAG 2.1, 1.4.3: at least 4.5 for text."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_picture_of_the_page_shows_what_the_page_prints() -> None:
    page = (ROOT / "docs/runs.md").read_text(encoding="utf-8")
    printed = page.partition("234 cases, 234 rows in rows\n\n")[2].partition("For review")[0]
    sections: dict[str, dict[str, int]] = {}
    for table in printed.strip().split("\n\n"):
        heading, *lines = table.splitlines()
        found = [re.match(r"(.*?)\s+(\d+)\s+[\d.]+%", line) for line in lines]
        sections[heading.removesuffix("Cases").strip()] = {match[1]: int(match[2]) for match in found if match}
    assert [len(counted) for counted in sections.values()] == [5, 1, 10, 10, 10]
    wanted = ElementTree.fromstring(picture("234 cases under 2026-02", 234, sections, 10))
    shown = ElementTree.parse(ROOT / "docs/run.svg")
    assert [text.text for text in shown.iter(f"{SVG}text")] == [text.text for text in wanted.iter(f"{SVG}text")]
    assert [bar.attrib for bar in shown.iter(f"{SVG}rect")] == [bar.attrib for bar in wanted.iter(f"{SVG}rect")]
