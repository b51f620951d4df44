"""kb check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_tools.commands.common import console, format_option, kb_option, open_kb, put

if TYPE_CHECKING:
    from kb_tools.checks import CheckResult


@click.command("check")
@click.option("--only", multiple=True, metavar="ID", help="Run only this check; may be repeated.")
@format_option("text", "json", "junit")
@kb_option
def command(only: tuple[str, ...], format_: str, root: Path | None) -> None:
    """Run the conformance checks of the knowledge base.

    Exit code 0 if all pass, 1 if one finds an error, 2 if they could not run.

    \b
    Examples:
      kb check
      kb check --only dangling-iris --only prefixes --format json
    """
    from kb_tools.render import checks as render

    results: list[CheckResult] = []
    out = console()
    for result in open_kb(root).check(only):
        if format_ == "text":
            render.text_line(out, result, results[-1] if results else None)
        results.append(result)
    if format_ == "text":
        render.text_summary(out, results)
    else:
        put(render.json(results) if format_ == "json" else render.junit(results))
    sys.exit(int(any(result.failed for result in results)))
