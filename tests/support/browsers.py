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
from outgoing import Listener, Watched, listening

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
# Features that Playwright turns off, and that are named again, since a second list replaces the first.
_OFF = (
    *("AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync"),
    *(
        "DestroyProfileOnBrowserClose",
        "HttpsFirstBalancedModeAutoEnable",
        "HttpsUpgrades",
        "LensOverlay",
        "MediaRouter",
    ),
    *("NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch", "Translate"),
    "ThirdPartyStoragePartitioning",
)
# The last ones are so that the browser asks its makers for nothing: what the fields of a form are, who is signed in,
# and what is new.
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    f"--disable-features={','.join((*_OFF, 'AutofillServerCommunication'))}",
    "--gaia-url=http://127.0.0.1:9/",
    "--component-updater=url-source=http://127.0.0.1:9/",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str:
    """Why there is no browser to test with; "" if there is one."""
    if not any(map(shutil.which, NAMES)):
        return "no Chromium on this machine: apt-get install chromium"
    if any(find_spec(name) is None for name in ("playwright", "axe_playwright_python")):
        return "Playwright and axe are not installed: pip install 'kb-tools[dev]'"
    return ""


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """What the processes of the workbench ask of others."""
    return Watched(tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="session")
def outside() -> Iterator[Listener]:
    """What the browser asks of others than this machine, its own makers included."""
    with listening() as listener:
        yield listener


@pytest.fixture(scope="session")
def address(watched: Watched) -> Iterator[str]:
    """The address of a workbench that runs as a user runs it, without a slash at its end."""
    program = "from kb_tools.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--kb", str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=watched.environment) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix(f"{ROOT}: ").partition("/ ")[0]
        process.terminate()


@pytest.fixture(scope="module")
def browser(outside: Listener) -> Iterator[Browser]:
    """Chromium, without a window. What it asks of another machine goes to the listener, names of hosts too."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        # Not by Playwright's own option, which sends what is asked of this machine there, too.
        found = playwright.chromium.launch(executable_path=path, args=[*OPTIONS, f"--proxy-server={outside.address}"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, address: str, watched: Watched, outside: Listener) -> Iterator[Page]:
    """A page in a fresh profile. Fails if it asks any other host, reports an error, or sets a cookie.

    And if any request left the machine, of the browser or of the workbench.
    """
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    found = context.new_page()
    wrong: list[str] = []
    found.on("request", lambda asked: None if asked.url.startswith(f"{address}/") else wrong.append(asked.url))
    found.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    yield found
    assert wrong == []
    assert (outside.asked, watched.asked) == ([], [])
    assert context.cookies() == []
    context.close()
