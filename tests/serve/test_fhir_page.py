"""What docs/fhir.md shows of the addresses at /fhir is what kb serve answers."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import doc_pages as pages

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/fhir.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page_are_answered_as_it_shows(address: str) -> None:
    shown = [block for block in pages.blocks(PAGE) if block.language == "sh"]
    steps = [step for block in shown for step in pages.steps(replace(block, language="console"))]
    assert len(steps) == 3
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for step in steps:
        command = step.run.replace("http://127.0.0.1:8014", address)
        assert command != step.run
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        difference = "\n".join(difflib.ndiff(step.shown.splitlines(), done.stdout.splitlines()))
        assert step.shows(done.stdout), f"{step.run}\n{difference}"
