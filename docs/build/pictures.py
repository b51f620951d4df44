"""Takes the pictures of docs/workbench.md anew, in Chromium: python docs/build/pictures.py"""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
# Each picture with the page that it shows and its height, in pixels; few colors keep the files small.
PICTURES = {
    "history": ("/CP.MP.101?on=2024-05-01", 900),
    "criterion": ("/CP.MP.101/criterion/acute-gvhd", 800),
    "try": ("/try?example=CP.MP.101/acute-gvhd-of-grade-2-excludes", 900),
}
WIDTH, COLORS = 1120, 48


def main() -> None:
    """Serves the knowledge base of the checkout and takes each picture."""
    command = [sys.executable, "-c", "from kb_tools.cli import main; main()", "serve", "--port", "0", "--kb", str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, sync_playwright() as playwright:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix(f"{ROOT}: ").partition("/ ")[0]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (path, height) in PICTURES.items():
            page = browser.new_page(viewport={"width": WIDTH, "height": height})
            page.goto(address + path)
            picture = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
            picture.save(ROOT / f"docs/pictures/workbench-{name}.png", optimize=True)
        browser.close()
        process.terminate()


if __name__ == "__main__":
    main()
