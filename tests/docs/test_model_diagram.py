"""The page of the model: current, complete, and in what Mermaid reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rdflib import RDF, URIRef
from rdflib.namespace import OWL, RDFS, SKOS

from kb_tools.model.repository import Repository

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/model.md"

# What a later day may add: a kind of finding, a link to a class, links back and to its own class, a class with no row.
GROWN = """
clin:New a owl:Class ; rdfs:subClassOf case:Finding .
clin:newLink a owl:ObjectProperty ; rdfs:domain clin:New ; rdfs:range clin:Other .
clin:toItself a owl:ObjectProperty ; rdfs:domain clin:New ; rdfs:range clin:New .
clin:Other a owl:Class .
clin:toBoth a owl:ObjectProperty ; rdfs:domain clin:New , clin:Other ; rdfs:range clin:Transplant .
clin:loose a owl:ObjectProperty .
"""


def written(root: Path, seed: str = "0") -> str:
    command = [sys.executable, "docs/build/model.py", str(root)]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, env=environment).stdout.decode()


def boxes(page: str) -> dict[str, list[str]]:
    """The rows of each box, by the name of its class with the prefix of its diagram."""
    found: dict[str, list[str]] = {}
    for prefix, diagram in re.findall(r"^## (\w+): [^`]+```mermaid\n(.+?)^```", page, re.M | re.S):
        for name, rows in re.findall(r"^class (\w+)(?: \{\n(.+?)^\})?$", diagram, re.M | re.S):
            assert f"{prefix}:{name}" not in found
            found[f"{prefix}:{name}"] = [row.strip() for row in rows.splitlines()]
    return found


@pytest.fixture(scope="module")
def kb() -> Repository:
    return Repository(ROOT)


@pytest.fixture(scope="module")
def shown() -> dict[str, list[str]]:
    return boxes(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_page_is_current(seed: str) -> None:
    assert written(ROOT, seed) == PAGE.read_text(encoding="utf-8"), "run make docs"


def test_every_class_but_code_lists_has_one_box(kb: Repository, shown: dict[str, list[str]]) -> None:
    lists = set(kb.ontology.transitive_subjects(RDFS.subClassOf, SKOS.Concept))
    classes = {kb.curie(str(class_)) for class_ in kb.ontology[: RDF.type : OWL.Class] if class_ not in lists}
    assert len(classes) == 55
    assert sorted(shown) == sorted(classes)


def test_every_property_is_a_row_of_each_of_its_classes_or_named_as_in_no_box(
    kb: Repository, shown: dict[str, list[str]]
) -> None:
    last = PAGE.read_text(encoding="utf-8").splitlines()[-1]
    in_no_box = set(re.findall("`(.+?)`", last.removeprefix("Properties in no box: ")))
    rows = {
        class_: {row.partition(" ")[0] for row in rows}
        | {f"{class_.partition(':')[0]}:{row.partition(' ')[0]}" for row in rows}
        for class_, rows in shown.items()
    }
    anywhere = set().union(*rows.values())
    for kind in (OWL.ObjectProperty, OWL.DatatypeProperty):
        for property_ in kb.ontology[: RDF.type : kind]:
            name = kb.curie(str(property_))
            classes = {kb.curie(str(class_)) for class_ in kb.ontology[property_ : RDFS.domain]} & set(rows)
            assert [class_ for class_ in classes if name not in rows[class_]] == []
            assert (name in anywhere) != (name in in_no_box), name


def test_links_that_no_class_owns_stand_where_the_shapes_ask_for_them(shown: dict[str, list[str]]) -> None:
    assert "statedIn → Passage" in shown["pol:Code"]
    assert "cito:citesAsEvidence → Reference" in shown["pol:EvidenceStatement"]
    assert "anyOf → list of Condition" in shown["pol:Criterion"]


def test_a_code_list_is_named_with_its_size(kb: Repository, shown: dict[str, list[str]]) -> None:
    size = len(set(kb.ontology[: RDF.type : URIRef(kb.prefixes["pol"] + "Disposition")]))
    assert f"disposition → Disposition [{size}]" in shown["pol:Revision"]


def test_a_diagram_has_only_lines_of_four_kinds() -> None:
    # A colon ends the name of a class, parentheses make a method of a row, and braces end a box.
    lines = re.compile(
        r"classDiagram|direction LR|class \w+( \{)?|    [\w:]+( → (list of )?[\w:]+( \[\d+\])?)?|\}"
        r"|(\w+|`[\w:]+`) (<\|--|-->) \w+"
    )
    diagrams = re.findall(r"```mermaid\n(.+?)\n```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(diagrams) == 4
    assert [line for diagram in diagrams for line in diagram.splitlines() if not lines.fullmatch(line)] == []


def test_what_a_later_day_adds_is_written_too(tmp_path: Path) -> None:
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    with (tmp_path / "ontology/clinical/transplant.ttl").open("a", encoding="utf-8") as file:
        file.write(GROWN)
    page = written(tmp_path)
    rows = ["newLink → Other", "toItself → New", "toBoth → Transplant"]
    assert (boxes(page)["clin:New"], boxes(page)["clin:Other"]) == (rows, ["toBoth → Transplant"])
    added = set(page.splitlines()) - set(PAGE.read_text(encoding="utf-8").splitlines())
    assert {line for line in added if "--" in line} == {"`case:Finding` <|-- New", "New --> Other"}
    assert "`clin:loose`" in page.splitlines()[-1]
