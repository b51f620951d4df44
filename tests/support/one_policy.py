"""The knowledge base with CP.MP.101 alone, for tests of all that is on file."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from kb_tools.model.repository import PREFIX_TABLE

CHECKOUT = Path(__file__).parents[2]
assert (CHECKOUT / PREFIX_TABLE).is_file()


@cache
def root() -> Path:
    """A copy without the other policies, made once in a process and removed when that ends."""
    copy = Path(tempfile.mkdtemp(prefix="one-policy-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for folder in ("ontology", "shapes", "policies/CP.MP.101"):
        shutil.copytree(CHECKOUT / folder, copy / folder)
    return copy
