"""Another's validator of FHIR R4: the package fhir of npm, where it is installed. A plugin of pytest.

`make fhir-validator` installs it beside the packages of the environment that the tests run in; kb does not use it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("validate.js")
PACKAGE = Path(sys.prefix) / "node_modules" / "fhir"
Faults = Callable[[Any], list[str]]


def missing() -> str:
    """Why nothing can be validated; "" if it can."""
    if not shutil.which("node"):
        return "no node on this machine, which runs the validator of FHIR: apt-get install nodejs npm"
    if not PACKAGE.is_dir():
        return "the validator of FHIR is not installed: make fhir-validator"
    return ""


@pytest.fixture(scope="session")
def validator() -> Iterator[Faults]:
    """What the validator finds wrong with a resource: errors, and elements that R4 does not have."""
    if missing():
        pytest.skip(f"nothing is validated as FHIR R4: {missing()}")
    command = ["node", str(SCRIPT), str(PACKAGE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        asked, answered = process.stdin, process.stdout

        def found(resource: Any) -> list[str]:
            asked.write(json.dumps(resource) + "\n")
            asked.flush()
            messages: list[str] = json.loads(answered.readline())
            return [message for message in messages if not message.startswith("info")]

        yield found


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Faults:
    """The same for tests that look at more: without the validator, it finds nothing, and the rest is still tested."""
    if missing():
        return lambda resource: []
    found: Faults = request.getfixturevalue("validator")
    return found
