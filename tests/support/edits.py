"""Edits of a copy of the knowledge base, each a slip of an author."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

# Takes the folder of the copy.
Edit: TypeAlias = Callable[[Path], None]


def replaced(file: str, old: str, new: str) -> Edit:
    """Replaces the first occurrence of a text, which must be there."""

    def edit(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8")
        assert old in text, f"{file} does not hold {old!r}"
        (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def replaced_everywhere(file: str, old: str, new: str) -> Edit:
    """Replaces each occurrence of a text, of which there must be several."""

    def edit(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8")
        assert text.count(old) > 1, f"{file} does not hold {old!r} more than once"
        (root / file).write_text(text.replace(old, new), encoding="utf-8")

    return edit


def appended(file: str, text: str) -> Edit:
    def edit(root: Path) -> None:
        with (root / file).open("a", encoding="utf-8") as stream:
            stream.write(f"\n{text}\n")

    return edit


def written(file: str, text: str = "") -> Edit:
    def edit(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")

    return edit


def moved(file: str, place: str) -> Edit:
    def edit(root: Path) -> None:
        (root / file).rename(root / place)

    return edit


def removed(path: str) -> Edit:
    def edit(root: Path) -> None:
        if (root / path).is_dir():
            shutil.rmtree(root / path)
        else:
            (root / path).unlink()

    return edit
