"""The one place that calls a SHACL engine: which there are, what their results say, and what goes wrong without one."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from rdflib import Graph
from strategies import ROOT

from kb_tools.commands.common import engine_option
from kb_tools.errors import KbError
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.shacl import ENGINES, ShaclResult, validate

SHAPES = """
PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
PREFIX : <urn:x:>
:Outer a sh:NodeShape ;
    sh:targetClass :Thing ;
    sh:node :Inner ;
    sh:message "outer" .
:Inner a sh:NodeShape ;
    sh:property :Inner-size .
:Inner-size a sh:PropertyShape ;
    sh:path :size ;
    sh:maxInclusive 3 ;
    sh:message "inner" .
:Sized a sh:NodeShape ;
    sh:targetClass :Thing ;
    sh:property :Sized-size ;
    sh:severity sh:Warning .
:Sized-size a sh:PropertyShape ;
    sh:path :size ;
    sh:minCount 1 ;
    sh:message "state a size" .
:Told a sh:NodeShape ;
    sh:targetClass :Thing ;
    sh:not [ sh:property [ sh:path :size ; sh:hasValue 4 ] ] ;
    sh:severity sh:Info ;
    sh:message "size is 4" .
"""
DATA = """
PREFIX : <urn:x:>
:a a :Thing ; :size 4 .
:b a :Thing .
:c a :Thing ; :size 1 .
"""


def graph(text: str) -> Graph:
    return Graph().parse(data=text, format="turtle")


def component(name: str) -> str:
    return str(SH[f"{name}ConstraintComponent"])


@pytest.mark.parametrize("engine", ENGINES)
def test_results_are_those_of_the_top_level_in_order(engine: str) -> None:
    assert validate(graph(DATA), graph(SHAPES), engine) == [
        ShaclResult("urn:x:a", "urn:x:Outer", "Violation", "", "urn:x:a", component("Node"), "outer"),
        ShaclResult("urn:x:a", "urn:x:Told", "Info", "", "urn:x:a", component("Not"), "size is 4"),
        ShaclResult(
            "urn:x:b", "urn:x:Sized-size", "Violation", "urn:x:size", "", component("MinCount"), "state a size"
        ),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_data_that_conforms_has_no_results(engine: str) -> None:
    assert validate(graph("PREFIX : <urn:x:> :c a :Thing ; :size 1 ."), graph(SHAPES), engine) == []
    assert validate(Graph(), graph(SHAPES), engine) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_the_data_is_left_as_it_was(engine: str) -> None:
    data = graph(DATA)
    before = set(data)
    validate(data, graph(SHAPES), engine)
    assert set(data) == before


RULES = """
PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX : <urn:x:>
:Rule a sh:NodeShape ;
    sh:targetClass :Thing ;
    sh:rule [ a sh:SPARQLRule ; sh:construct "CONSTRUCT { $this <urn:x:size> 4 } WHERE { $this a <urn:x:Thing> }" ] .
"""


@pytest.mark.parametrize("engine", ["pyshacl", "pyshifty"])
def test_rules_are_run_only_when_asked_for_and_leave_the_data_alone(engine: str) -> None:
    data, shapes = graph("PREFIX : <urn:x:> :b a :Thing ."), graph(SHAPES) + graph(RULES)
    assert [violation.shape for violation in validate(data, shapes, engine)] == ["urn:x:Sized-size"]
    assert [violation.shape for violation in validate(data, shapes, engine, rules=True)] == [
        "urn:x:Outer",
        "urn:x:Told",
    ]
    assert len(data) == 1


def test_rules_are_refused_by_the_engine_that_is_not_used_for_them() -> None:
    data, shapes = graph("PREFIX : <urn:x:> :b a :Thing ."), graph(SHAPES) + graph(RULES)
    assert [violation.shape for violation in validate(data, shapes, "shacl")] == ["urn:x:Sized-size"]
    with pytest.raises(KbError) as caught:
        validate(data, shapes, "shacl", rules=True)
    assert str(caught.value) == (
        "the engine shacl is not used for rules; use --engine pyshacl, or validate prepared cases "
        "(kb validate --prepare)"
    )


def deep(levels: int) -> str:
    """Shapes nested so many levels deep, the last of which asks for a size."""
    shapes = [
        "PREFIX sh: <http://www.w3.org/ns/shacl#>",
        "<urn:x:0> a sh:NodeShape ; sh:targetClass <urn:x:Thing> ; sh:node <urn:x:1> .",
        *(f"<urn:x:{level}> a sh:NodeShape ; sh:node <urn:x:{level + 1}> ." for level in range(1, levels)),
        f"<urn:x:{levels}> a sh:NodeShape ; sh:property [ sh:path <urn:x:size> ; sh:minCount 1 ] .",
    ]
    return "\n".join(shapes)


@pytest.mark.parametrize("engine", ENGINES)
def test_shapes_as_deep_as_a_whole_revision_are_followed_to_the_end(engine: str) -> None:
    assert [(violation.focus, violation.shape) for violation in validate(graph(DATA), graph(deep(40)), engine)] == [
        ("urn:x:b", "urn:x:0")
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_values_are_quoted_as_the_data_writes_them(engine: str) -> None:
    shapes = graph(
        """
        PREFIX sh: <http://www.w3.org/ns/shacl#>
        PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
        <urn:x:S> a sh:NodeShape ; sh:targetClass <urn:x:Thing> ; sh:property <urn:x:S-size> .
        <urn:x:S-size> a sh:PropertyShape ; sh:path <urn:x:size> ; sh:in ( 1 2 ) ; sh:message "1 or 2" .
        """
    )
    (result,) = validate(graph("PREFIX : <urn:x:> :a a :Thing ; :size 4.50 ."), shapes, engine)
    assert (result.value, result.path, result.component) == ("4.50", "urn:x:size", component("In"))


# ---------------------------------------------------------------------- engines


def test_the_reference_is_the_first_engine_and_the_default() -> None:
    assert ENGINES == ("pyshacl", "pyshifty", "shacl")
    assert validate(graph(DATA), graph(SHAPES)) == validate(graph(DATA), graph(SHAPES), "pyshacl")


def test_the_command_line_offers_just_these_engines() -> None:
    @click.command
    @engine_option
    def command(engine: str) -> None: ...

    (option,) = command.params
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == ENGINES
    assert option.default == "pyshacl"


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., object] = builtins.__import__

    def refuse(name: str, *rest: object) -> object:
        if name in ("shifty", "shacl"):
            raise ImportError(name)
        return real(name, *rest)

    for name in ("shifty", "shacl"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    shacl._compiled.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.usefixtures("without_extras")
@pytest.mark.parametrize(("name", "extra"), [("pyshifty", "fast"), ("shacl", "rust")])
def test_an_engine_that_is_not_installed_is_an_error_that_says_how_to_install_it(name: str, extra: str) -> None:
    with pytest.raises(KbError) as caught:
        validate(graph(DATA), graph(SHAPES), name)
    assert str(caught.value) == f"the engine {name} is not installed; pip install 'kb-tools[{extra}]'"


@pytest.mark.usefixtures("without_extras")
def test_the_reference_needs_no_other_engine() -> None:
    assert len(validate(graph(DATA), graph(SHAPES), "pyshacl")) == 3


@pytest.mark.parametrize(
    ("engine", "broken"),
    [
        ("pyshacl", "sh:property 3"),
        ("pyshacl", "sh:or 3"),
        ("pyshacl", "sh:minCount 1"),
        ("pyshacl", "sh:property [ sh:path [] ]"),
        ("pyshacl", 'sh:pattern "("'),
        ("pyshifty", "sh:path 3"),
        ("pyshifty", "sh:minCount 1"),
        ("pyshifty", "sh:property [ sh:path [] ]"),
        ("pyshifty", "sh:nodeKind <urn:x:none>"),
        ("shacl", "sh:or 3"),
        ("shacl", 'sh:pattern "(?=a)"'),
        # What the engine itself would take in silence.
        ("shacl", "sh:property [ sh:minCount 1 ]"),
        ("shacl", "sh:property [ sh:path <urn:x:p> , <urn:x:q> ; sh:minCount 1 ]"),
        ("shacl", "sh:property [ sh:path <urn:x:p> ; sh:minCount 1 , 2 ]"),
        ("shacl", "sh:property [ sh:path <urn:x:p> ; sh:qualifiedValueShape [ sh:nodeKind sh:IRI ] ]"),
        ("shacl", "sh:property [ sh:path <urn:x:p> ; sh:minCont 1 ]"),
        ("shacl", "sh:node <urn:x:none>"),
        ("shacl", "sh:js [ <urn:x:p> 1 ]"),
        ("shacl", 'sh:sparql [ sh:select "SELECT $this {}" ]'),
    ],
)
def test_shapes_that_an_engine_cannot_read_are_an_error_of_one_line(engine: str, broken: str) -> None:
    prefix = "PREFIX sh: <http://www.w3.org/ns/shacl#>"
    shapes = graph(f"{prefix} <urn:x:S> a sh:NodeShape ; sh:targetClass <urn:x:Thing> ; {broken} .")
    with pytest.raises(KbError) as caught:
        validate(graph(DATA), shapes, engine)
    assert str(caught.value).startswith(f"{engine} could not validate: ")
    assert str(caught.value).endswith("; check the shapes with kb check")
    assert "\n" not in str(caught.value)


def test_no_other_module_imports_an_engine() -> None:
    importing = {
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "kb_tools").rglob("*.py"))
        for line in path.read_text().splitlines()
        if line.split()[:1] in (["import"], ["from"]) and line.split()[1] in ("pyshacl", "shifty", "shacl")
    }
    assert importing == {str(Path(shacl.__file__).relative_to(ROOT))}
