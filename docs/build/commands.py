"""Writes the command reference, docs/commands.md: from Click, with the errors of each command as it prints them.

python docs/build/commands.py > docs/commands.md
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import click

from kb_tools.cli import kb, main

ROOT = Path(__file__).parents[2]
WIDTH = 100
CASE = "policies/CP.MP.101/cases/a-first-infusion-meets.ttl"
# Calls of each command that go wrong, each in another way that a user can come to.
ERRORS = {
    "kb": ["validat", "show 2026-02 --kb nowhere"],
    "kb show": ["show 2027-01", "show 2026-02 --policy CP.MP.102", "show --document CP.MP.101.txt"],
    "kb check": ["check --only spelling"],
    "kb validate": [
        "validate nowhere.ttl",
        f"validate {CASE} --revision 2023-02",
        f"validate {CASE} --as-of 2010-01-01",
        f"validate {CASE} --as-of tomorrow",
        f"validate {CASE} --revision 2026-02 --as-of 2026-07-01",
        f"validate {CASE} --record docs",
        f"validate {CASE} --case keep",
        "validate README.md",
        "validate policies/CP.MP.101/policy.ttl",
    ],
    "kb replay": ["replay nowhere", f"replay docs {CASE}", "replay records --expect 3", "replay records --answers"],
    "kb run": [
        "run nowhere.jsonl --to rows",
        f"run {CASE} --to rows",
        "run tests/data --to rows",
        "run nowhere.jsonl --to rows --revision 2026-02 --as-of 2026-07-01",
    ],
    "kb case": ["case tempalte"],
    "kb case template": ["case template CP.MP.102"],
    "kb case schema": ["case schema --kb nowhere", "case schema --shared --policy CP.MP.101"],
    "kb case convert": [f"case convert {CASE} {CASE}", "case convert nowhere.ttl"],
    "kb test": ["test --engine jena"],
    "kb query": [
        "query code",
        "query where-cited --param refrence=12",
        "query where-cited --param reference=99",
        "query criterion-history --param criterion=II.B",
        "query nowhere.rq",
        "query codes --revision 2027-01",
    ],
    "kb diff": [
        "diff 2026-02 2027-01",
        "diff 2022-10 2026-02",
        "diff 2025-02 2026-02 --fail-on flips",
    ],
    "kb trace": [
        "trace nowhere.txt",
        "trace tests/data/document/invented.txt",
    ],
    "kb draft": ["draft begin"],
    "kb draft start": ["draft start nowhere.txt --revision 2027-02 --policy CP.MP.101"],
    "kb draft status": ["draft status"],
    "kb draft accept": ["draft accept", "draft accept II.A"],
    "kb draft done": ["draft done CP.MP.101/2026-02"],
    "kb new": ["new criterion"],
    "kb new policy": [
        "new policy CP.MP.101 --title T --publisher P",
        "new policy N.1 --title T --publisher P --named-by cpt:1",
    ],
    "kb new condition": [
        "new condition x --reads clin:MRDTest --is clin:MRDDetected --policy CP.MP.101",
        "new condition x --reads clin:AcuteGvHDAssessment --policy CP.MP.101",
    ],
    "kb shapes": ["shapes 2023-02"],
    "kb freeze": ["freeze", "freeze 2027-01"],
    "kb serve": ["serve --host nowhere.invalid", "serve --kb nowhere"],
    "kb mcp": ["mcp --port 70000", "mcp --kb nowhere"],
    "kb site": ["site docs"],
    "kb export": ["export --entail owlrl", "export --output nowhere/kb.trig", "export --to nowhere"],
}
COMPLETION = """## Completion in the shell

Tab completes commands, options, policies, revisions, ready questions and their parameters. Add one line to the file
that your shell reads when it starts, with `kb` on the PATH there:

| shell | file | line |
| --- | --- | --- |
| bash (4.4 or later) | `~/.bashrc` | `eval "$(_KB_COMPLETE=bash_source kb)"` |
| zsh | `~/.zshrc` | `eval "$(_KB_COMPLETE=zsh_source kb)"` |
| fish | `~/.config/fish/completions/kb.fish` | `_KB_COMPLETE=fish_source kb \\| source` |
"""


def commands(command: click.Command, parent: click.Context | None, name: str) -> Iterator[click.Context]:
    """The contexts of a command and of those within it."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, parent, name, **settings)
    yield context
    if isinstance(command, click.Group):
        for subcommand in command.list_commands(context):
            within = command.get_command(context, subcommand)
            assert within is not None
            yield from commands(within, context, subcommand)


def printed(arguments: str) -> list[str]:
    """The error that a call prints, without the usage that stands above it."""
    said, argv = StringIO(), sys.argv
    sys.argv = ["kb", *shlex.split(arguments)]
    try:
        with chdir(ROOT), redirect_stdout(StringIO()), redirect_stderr(said):
            main()
    except SystemExit as ended:
        assert ended.code, f"kb {arguments}: exits 0"
    finally:
        sys.argv = argv
    lines = said.getvalue().replace(str(ROOT), "/path/to").splitlines()
    return [line for line in lines if line and not line.startswith(("Usage: ", "Try "))]


def reference() -> str:
    """The page."""
    found = list(commands(kb, None, "kb"))
    paths = [context.command_path for context in found]
    assert sorted(ERRORS) == sorted(paths), "each command has its errors"
    lines = [
        "# Commands",
        "",
        "For everyone who types `kb`: each command with its options, and what it prints when something is wrong.",
        "Written by `make docs` from the commands themselves.",
        "",
        "An error is one line on standard error: what is wrong, where, and what to do. `kb --debug` shows where it",
        "came from.",
        "Above an error in how a command is written stands its usage, which is left out here.",
        "",
        COMPLETION,
    ]
    for context in found:
        path = context.command_path
        shown = context.command.get_help(context)
        lines += [
            f"## {path}",
            "",
            "```text",
            *(line.rstrip() for line in shown.splitlines()),
            "```",
            "",
            "Errors:",
            "",
        ]
        lines += ["```console"]
        for call in ERRORS[path]:
            lines += [f"$ kb {call}", *printed(call)]
        lines += ["```", ""]
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    os.environ.pop("KB_ROOT", None)
    # What the errors show is what somebody sees who works with one policy.
    os.environ["KB_POLICY"] = "CP.MP.101"
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(reference())
