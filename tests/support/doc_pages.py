"""The pages for users, run: each command of a page in a copy of the checkout, with what it prints.

A page is Markdown. Of its fenced blocks

- `console` holds commands, each on a line that begins with `$ `, with what they print below. A line `...` stands for
  any lines that are left out.
- `pycon` holds a session of Python, in the same notation as doctests.
- a block of any language with a file's name after it (`turtle case.ttl`) is that file: it is written before the
  commands that follow it run.

The commands of one page run in one shell, in the order of the page, and in a copy of what a checkout holds. To write
all outputs anew, and then read what became of them with `git diff`:

    python tests/support/doc_pages.py --write [PAGE ...]
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
# These are written and held current as a whole: docs/build/.
GENERATED = ("commands.md", "model.md")
PAGES = sorted(path for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")) if path.name not in GENERATED)
# What the commands of a page may name, relative to the checkout.
COPIED = ("ontology", "shapes", "policies", "docs", "tests/data", "kb_tools/ask/questions")
LEFT_OUT = "..."

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SESSION = """
import doctest, sys
names = {}
for example in doctest.DocTestParser().get_examples(sys.stdin.read()):
    print(">>> " + example.source.rstrip().replace("\\n", "\\n... "))
    exec(compile(example.source, "page", "single"), names)
"""
# Stand in the output of a page between the outputs of its commands; no command prints the one or has the other in it.
_MARK, _END = "\0", "~end of the block~"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, the file that it is (or ""), its text, and where that stands."""

    language: str
    file: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Step:
    """A command with the output that the page shows of it, and where that stands; of a session, all of it."""

    run: str
    shown: str
    start: int
    end: int

    def shows(self, found: str) -> bool:
        """Whether the page shows what was found, but for what it leaves out."""
        return bool(re.fullmatch(re.escape(self.shown).replace(re.escape(LEFT_OUT + "\n"), "(?:.*\n)*?"), found))


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(match[1], match[2] or "", match[3], match.start(3), match.end(3)) for match in _BLOCK.finditer(text)]


def steps(block: Block) -> Iterator[Step]:
    """What a block asks to be run."""
    if block.language == "pycon":
        yield Step(f"python -c '{_SESSION}' <<'{_END}'\n{block.text}{_END}", block.text, block.start, block.end)
    elif block.language == "console":
        for match in re.finditer(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
            yield Step(match[1], match[2], block.start + match.start(2), block.start + match.end(2))


def run(text: str) -> list[tuple[Step, str]]:
    """What the commands of a page print, errors included."""
    script, asked = [], []
    for block in blocks(text):
        if block.file:
            script.append(f"cat > {block.file} <<'{_END}'\n{block.text}{_END}")
        for step in steps(block):
            asked.append(step)
            script.append(f"printf '\\0'\n{step.run}")
    with TemporaryDirectory() as folder:
        for name in COPIED:
            shutil.copytree(ROOT / name, Path(folder) / name)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1", "KB_PSEUDONYM_KEY": "of the pages"}
        environment = {name: value for name, value in environment.items() if name not in ("KB_ROOT", "KB_POLICY")}
        done = subprocess.run(
            ["bash"],
            input="\n".join(script).encode(),
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    # CSV ends its lines as its specification says, and a page as all pages do.
    found = done.stdout.decode().replace("\r\n", "\n").replace(folder, "/path/to").split(_MARK)[1:]
    assert len(found) == len(asked), f"{len(asked)} commands, and {len(found)} were run: {done.stdout.decode()[-500:]}"
    return [(step, re.sub(r"\n+\Z", "\n", output)) for step, output in zip(asked, found, strict=True)]


def renewed(step: Step, found: str) -> str:
    """What a page is to show of an output: as many lines as before, from the places that are most like those before."""
    if step.shows(found) or LEFT_OUT not in step.shown.splitlines():
        return step.shown if step.shows(found) else found
    lines = found.splitlines()
    parts = [part.splitlines() for part in re.split(r"^\.\.\.\n", step.shown, flags=re.MULTILINE)]
    kept, position = [], 0
    for number, part in enumerate(parts):
        if number == len(parts) - 1:
            position = max(position, len(lines) - len(part))
        elif number and part:
            close = get_close_matches(part[0], lines[position:], 1)
            if not close:
                print(f"left out, for nothing is like it now: {part[0]}", file=sys.stderr)
                continue
            position = lines.index(close[0], position)
        kept.append("".join(f"{line}\n" for line in lines[position : position + len(part)]))
        position += len(part)
    return f"{LEFT_OUT}\n".join(kept)


def write(page: Path) -> None:
    """Writes the outputs of a page anew."""
    text = page.read_text(encoding="utf-8")
    for step, found in reversed(run(text)):
        text = text[: step.start] + renewed(step, found) + text[step.end :]
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        sys.exit(__doc__)
    for name in sys.argv[2:] or PAGES:
        write(Path(name))
