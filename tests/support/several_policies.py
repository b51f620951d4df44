"""Knowledge bases with several policies: the one of the checkout, and invented ones beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"


def knowledge_base(root: Path, *invented: str) -> Path:
    """A copy of the knowledge base with policies of tests/data beside its own; without its example cases."""
    for name in ("ontology", "shapes"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copytree(ROOT / "policies/CP.MP.101", root / "policies/CP.MP.101", ignore=shutil.ignore_patterns("cases"))
    for name in invented:
        shutil.copytree(DATA / name, root / "policies" / name)
    if "TST.7" in invented:
        shutil.copy(DATA / "case.ttl", root / "policies/TST.7/cases/residual-disease-meets.ttl")
    return root


def beside_those_on_file(root: Path, *names: str, cases: bool = True) -> Path:
    """A copy of the whole knowledge base, with what is generated from it, and policies of tests/data beside its own.

    Args:
        cases: whether the example cases of the policies on file are copied; those of the others always are.
    """
    for name in ("ontology", "shapes", "policies"):
        ignore = None if cases else shutil.ignore_patterns("cases")
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    (root / "docs").mkdir()
    for name in ("case.schema.json", "case-context.jsonld"):
        shutil.copy(ROOT / "docs" / name, root / "docs" / name)
    for name in names:
        shutil.copytree(DATA / name, root / "policies" / name)
    return root


def invented_alone(root: Path, *names: str) -> Path:
    """A copy of the vocabularies and shapes, with policies of tests/data and no other."""
    for folder in ("ontology", "shapes"):
        shutil.copytree(ROOT / folder, root / folder)
    for name in names:
        shutil.copytree(DATA / name, root / "policies" / name)
    return root


def copied(root: Path, name: str, other: str, changes: dict[str, str]) -> Path:
    """One of the policies again under another name, with changes of its text; its folder."""
    folder = root / "policies" / other
    shutil.copytree(root / "policies" / name, folder)
    for path in folder.rglob("*.ttl"):
        text = path.read_text(encoding="utf-8").replace(name, other)
        for old, new in changes.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return folder
