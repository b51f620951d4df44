"""Imports run one way: from commands down to what writes a line, never up, and never across."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kb_tools"
# The packages and modules directly under kb_tools, the lowest first. A layer may import those below it.
LAYERS = (
    ("printable", "readers"),
    ("errors", "writing", "as_json", "memory", "calendar_day"),
    ("cache",),
    ("rdf",),
    ("model",),
    ("cases", "document", "ask"),
    ("determine",),
    ("revisions", "publish"),
    ("records",),
    ("batch",),
    ("checks",),
    ("authoring",),
    ("api", "render"),
    ("serve",),
    ("commands",),
    ("cli",),
)
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}


def imported(source: str) -> Iterator[str]:
    """The modules of kb_tools that a source names, wherever in it, each with what is taken from it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def looking_up(layer: str, source: str) -> list[str]:
    """What a module of a layer imports that is neither of its own package nor below it."""
    return [name for name in imported(source) if not may_import(layer, name)]


def may_import(layer: str, name: str) -> bool:
    top, other, *_ = (*name.split("."), "")
    if top != "kb_tools":
        # A relative import begins with a dot; there are none.
        return top != ""
    if other in HEIGHT:
        return other == layer or HEIGHT[other] < HEIGHT[layer]
    # The package itself has a version, and hands on the names of the library.
    return other == "__version__" or HEIGHT[layer] > HEIGHT["api"]


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_package_and_module_has_a_layer() -> None:
    assert {layer_of(path) for path in MODULES} == HEIGHT.keys()
    assert len(MODULES) > 100


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_is_below_it(path: Path) -> None:
    assert looking_up(layer_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("layer", "source", "found"),
    [
        ("rdf", "from kb_tools.errors import KbError", []),
        ("rdf", "from kb_tools.rdf.terms import Triple", []),
        ("rdf", "from kb_tools import __version__, printable\nimport rdflib", []),
        ("rdf", "from kb_tools.model.policy import Policy", ["kb_tools.model.policy.Policy"]),
        ("rdf", "def late():\n    import kb_tools.api", ["kb_tools.api"]),
        ("rdf", "if TYPE_CHECKING:\n    from kb_tools.cases import case", ["kb_tools.cases.case"]),
        ("cases", "from kb_tools.ask.library import questions", ["kb_tools.ask.library.questions"]),
        ("render", "from kb_tools.api import open", ["kb_tools.api.open"]),
        ("model", "import kb_tools", ["kb_tools"]),
        ("model", "from kb_tools import Repository", ["kb_tools.Repository"]),
        ("model", "from .policy import Policy", [".policy.Policy"]),
        ("commands", "import kb_tools", []),
    ],
)
def test_an_import_that_looks_up_or_across_is_found(layer: str, source: str, found: list[str]) -> None:
    assert looking_up(layer, source) == found
