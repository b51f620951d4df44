"""The page of the library: its examples give what it says that they give, and it has every public name."""

from __future__ import annotations

import ast
import dataclasses
import re
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import kb_tools

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def run(block: str, names: dict[str, Any]) -> list[tuple[str, str]]:
    """Runs a block; what its expressions give beside what the comments behind them say, both as text."""
    compared = []
    lines = block.splitlines()

    def step(statement: ast.stmt) -> None:
        if isinstance(statement, ast.Try):
            try:
                for nested in statement.body:
                    step(nested)
            except kb_tools.KbError as error:
                (handler,) = statement.handlers
                assert handler.type is not None
                assert isinstance(error, eval(ast.unparse(handler.type), names))
                names[handler.name or ""] = error
                for nested in handler.body:
                    step(nested)
            return
        assert statement.end_lineno is not None
        _, _, comment = lines[statement.end_lineno - 1].partition("  # ")
        if isinstance(statement, ast.Expr) and comment:
            compared.append((repr(eval(ast.unparse(statement), names)), comment))
        else:
            exec(compile(ast.Module([statement], []), "docs/api.md", "exec"), names)

    for statement in ast.parse(block).body:
        step(statement)
    return compared


def test_the_examples_give_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("KB_ROOT", raising=False)
    names: dict[str, Any] = {}
    compared = [pair for block in BLOCKS for pair in run(block, names)]
    assert [given for given, _ in compared] == [comment for _, comment in compared]
    assert (len(BLOCKS), len(compared)) == (11, 21)


def test_an_example_that_gives_something_else_is_seen() -> None:
    assert run("x = 1\nx + 1  # 3", {}) == [("2", "3")]


def members(public: Any) -> set[str]:
    """The public methods, properties and fields of a class."""
    if not isinstance(public, type):
        return set()
    inherited = set(dir(Exception)) | set(dir(object))
    fields = {field.name for field in dataclasses.fields(public)} if dataclasses.is_dataclass(public) else set()
    if issubclass(public, Enum):
        return {*public.__members__, *(name for name in vars(public) if name == "settled")}
    named = {name for name in dir(public) if not name.startswith("_") and name not in inherited}
    return named | fields


def missing(page: str) -> list[str]:
    """The public names, and the names of what they have, that stand nowhere in the code of the page."""
    code = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`|```.*?```", page, flags=re.DOTALL))))
    every = {(name, member) for name in kb_tools.__all__ for member in ("", *members(getattr(kb_tools, name)))}
    return sorted(f"{name}.{member}".rstrip(".") for name, member in every if (member or name) not in code)


def test_every_public_name_and_all_that_it_has_is_on_the_page() -> None:
    assert missing(PAGE) == []
    assert PAGE.splitlines()[2].startswith("For engineers and analysts")


def test_a_name_that_is_not_on_the_page_is_missed() -> None:
    assert missing(PAGE.replace("in_file", "x")) == ["Case.in_file"]
    assert missing(PAGE.replace("ExamplesReport", "x")) == ["ExamplesReport"]
