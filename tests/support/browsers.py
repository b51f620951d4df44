"""A browser on a served workbench, each started once a session; and what a page may never do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str:
    """Why there is no browser to test with; "" if there is one."""
    if not any(map(shutil.which, NAMES)):
        return "no Chromium on this machine: apt-get install chromium"
    if any(find_spec(name) is None for name in ("playwright", "axe_playwright_python")):
        return "Playwright and axe are not installed: pip install 'kb-tools[dev]'"
    return ""


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of a workbench that runs as a user runs it, without a slash at its end."""
    program = "from kb_tools.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--kb", str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix(f"{ROOT}: ").partition("/ ")[0]
        process.terminate()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page in a fresh profile. Fails if it asks any other host, reports an error, or sets a cookie."""
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    found = context.new_page()
    wrong: list[str] = []
    found.on("request", lambda asked: None if asked.url.startswith(f"{address}/") else wrong.append(asked.url))
    found.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    yield found
    assert wrong == []
    assert context.cookies() == []
    context.close()
