"""The picture of the model: current, complete, and drawn so that nothing covers anything else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from rdflib import RDF, URIRef
from rdflib.namespace import OWL, RDFS, SKOS

from kb_tools.model.repository import KnowledgeBase

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs/model.svg"
SVG = "{http://www.w3.org/2000/svg}"


class Box(NamedTuple):
    name: str
    left: int
    top: int
    right: int
    bottom: int
    lines: list[tuple[int, int, str]]
    foreign: bool


# What a later day may add: a kind of finding, links back, within a column, and past a column.
GROWN = """
clin:New a owl:Class ; rdfs:subClassOf case:Finding .
clin:newLink a owl:ObjectProperty ; rdfs:domain clin:New ; rdfs:range clin:Other .
clin:toKind a owl:ObjectProperty ; rdfs:domain clin:New ; rdfs:range clin:Transplant .
clin:Other a owl:Class .
clin:further a owl:ObjectProperty ; rdfs:domain clin:Other ; rdfs:range clin:Last .
clin:Last a owl:Class .
clin:back a owl:ObjectProperty ; rdfs:domain clin:Last ; rdfs:range clin:New .
clin:backToo a owl:ObjectProperty ; rdfs:domain clin:Last ; rdfs:range clin:MRDTest .
clin:past a owl:ObjectProperty ; rdfs:domain clin:ChimerismTest ; rdfs:range clin:Last .
"""


def drawn(seed: str = "0", *root: Path) -> str:
    command = [sys.executable, "tools/model_diagram.py", *map(str, root)]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, env=environment).stdout.decode()


@pytest.fixture(scope="module")
def grown_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grown")
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder)
    with (root / "ontology/clinical.ttl").open("a", encoding="utf-8") as file:
        file.write(GROWN)
    return root


@pytest.fixture(scope="module", params=["current", "grown"])
def kb(request: pytest.FixtureRequest, grown_root: Path) -> KnowledgeBase:
    return KnowledgeBase(ROOT if request.param == "current" else grown_root)


@pytest.fixture(scope="module")
def picture(kb: KnowledgeBase) -> ElementTree.Element:
    return ElementTree.fromstring(PICTURE.read_text(encoding="utf-8") if kb.root == ROOT else drawn("0", kb.root))


@pytest.fixture(scope="module")
def boxes(picture: ElementTree.Element) -> list[Box]:
    found = []
    for group in picture.iter(SVG + "g"):
        frame = group.findall(SVG + "rect")[0]
        x, y, width, height = (int(frame.attrib[name]) for name in ("x", "y", "width", "height"))
        lines = [(int(each.attrib["x"]), int(each.attrib["y"]), each.text or "") for each in group.iter(SVG + "text")]
        foreign = "stroke-dasharray" in frame.attrib
        found.append(Box(group.attrib["data-class"], x, y, x + width, y + height, lines, foreign))
    return found


Segment = tuple[int, int, int, int]


def segments(path: str) -> list[Segment]:
    """The straight parts of an arrow, each from left to right and from top to bottom."""
    steps = re.findall(r"([MHV]) (\d+)(?: (\d+))?", path)
    x, y = int(steps[0][1]), int(steps[0][2])
    found = []
    for letter, value, _ in steps[1:]:
        to_x, to_y = (int(value), y) if letter == "H" else (x, int(value))
        found.append((min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y)))
        x, y = to_x, to_y
    return found


@pytest.fixture(scope="module")
def arrows(picture: ElementTree.Element) -> dict[str, list[Segment]]:
    paths = [each for each in picture.iter(SVG + "path") if each.get("class") == "link"]
    return {each.findtext(SVG + "title") or "": segments(each.attrib["d"]) for each in paths}


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_picture_is_current(seed: str) -> None:
    assert drawn(seed) == PICTURE.read_text(encoding="utf-8"), "run make docs"


def test_every_class_but_code_lists_has_one_box(kb: KnowledgeBase, boxes: list[Box]) -> None:
    lists = set(kb.ontology.transitive_subjects(RDFS.subClassOf, SKOS.Concept))
    classes = {kb.curie(str(each)) for each in kb.ontology[: RDF.type : OWL.Class] if each not in lists}
    assert sorted(box.name for box in boxes if not box.foreign) == sorted(classes)
    assert [box.name for box in boxes if box.foreign] == ["case:Finding"]


def test_every_link_of_the_vocabularies_is_a_row_of_its_class(kb: KnowledgeBase, boxes: list[Box]) -> None:
    rows = {box.name: [words.partition(" ")[0] for _, _, words in box.lines] for box in boxes if not box.foreign}
    missing = []
    for property_ in kb.ontology[: RDF.type : OWL.ObjectProperty]:
        for class_ in kb.ontology[property_ : RDFS.domain]:
            name = kb.curie(str(class_))
            if kb.curie(str(property_)).removeprefix(name.partition(":")[0] + ":") not in rows[name]:
                missing.append((name, property_))
    assert missing == []


def test_links_that_no_class_owns_stand_where_the_shapes_ask_for_them(boxes: list[Box]) -> None:
    by_name = {box.name: [words for _, _, words in box.lines] for box in boxes if not box.foreign}
    assert "statedIn \N{RIGHTWARDS ARROW} Passage" in by_name["pol:Code"]
    assert "cito:citesAsEvidence \N{RIGHTWARDS ARROW} Reference" in by_name["pol:EvidenceStatement"]
    assert "anyOf \N{RIGHTWARDS ARROW} list of Condition" in by_name["pol:Criterion"]


def test_a_code_list_is_named_with_its_size(kb: KnowledgeBase, boxes: list[Box]) -> None:
    (revision,) = (box for box in boxes if box.name == "pol:Revision")
    size = len(set(kb.ontology[: RDF.type : URIRef(kb.prefixes["pol"] + "Disposition")]))
    assert f"disposition \N{RIGHTWARDS ARROW} Disposition ({size})" in [words for _, _, words in revision.lines]


# ---------------------------------------------------------------------- nothing covers anything else


def test_no_two_boxes_overlap(boxes: list[Box]) -> None:
    for one, other in combinations(boxes, 2):
        apart_x = one.right < other.left or other.right < one.left
        apart_y = one.bottom < other.top or other.bottom < one.top
        assert apart_x or apart_y, (one.name, other.name)


def test_every_line_stands_in_its_box_and_under_the_one_before(boxes: list[Box]) -> None:
    for box in boxes:
        heights = [y for _, y, _ in box.lines]
        assert all(below - above >= 14 for above, below in pairwise(heights)), box.name
        for x, y, words in box.lines:
            # 6.2 pixels are the mean width of a character of these names in Helvetica at 12 pixels.
            assert box.left < x, words
            assert x + 6.2 * len(words) <= box.right, words
            assert box.top + 12 < y < box.bottom, words


def test_no_arrow_passes_through_a_box(boxes: list[Box], arrows: dict[str, list[Segment]]) -> None:
    assert len(arrows) > 25
    for name, parts in arrows.items():
        for left, top, right, bottom in parts:
            for box in boxes:
                inside = left < box.right and right > box.left and top < box.bottom and bottom > box.top
                assert not inside, (name, box.name)


def test_no_two_arrows_run_over_one_another_but_at_the_class_they_both_lead_to(
    arrows: dict[str, list[Segment]],
) -> None:
    for (one, its), (other, others) in combinations(arrows.items(), 2):
        for a in its:
            for b in others:
                upright = a[0] == a[2] == b[0] == b[2]
                level = a[1] == a[3] == b[1] == b[3]
                along = (max(a[1], b[1]), min(a[3], b[3])) if upright else (max(a[0], b[0]), min(a[2], b[2]))
                if (upright or level) and along[0] < along[1]:
                    assert level, (one, other)
                    assert one.rpartition(" ")[2] == other.rpartition(" ")[2], (one, other)
