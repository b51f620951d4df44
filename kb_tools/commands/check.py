"""kb check."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from kb_tools.commands.common import console, format_option, kb_option, open_kb, policy_option, progress, put

if TYPE_CHECKING:
    from kb_tools.checks import CheckResult


T = TypeVar("T")


@click.command("check")
@click.option("--only", multiple=True, metavar="ID", help="Run only this check; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Check everything again, whether it changed or not.")
@policy_option("Leave out what is wrong with other policies alone.")
@format_option("text", "json", "junit")
@kb_option
def command(only: tuple[str, ...], everything: bool, policy: str | None, format_: str, root: Path | None) -> None:
    """Run the conformance checks of the knowledge base.

    The vocabularies with the shapes, and each policy, are checked by themselves, on all cores. What nothing changed of
    since the last time, with all that it names and the tool itself, is not checked again; its problems are shown again.
    A policy that cannot be read is a problem, and the others are checked all the same.

    Exit code 0 if all pass, 1 if one finds an error, 2 if they could not run.

    \b
    Examples:
      kb check
      kb check --all
      kb check --policy CP.MP.101
      kb check --only dangling-iris --only prefixes --format json
    """
    from kb_tools.render import checks as render

    kb = open_kb(root)
    results: list[CheckResult] = []
    out = console()
    found = kb.check(only, policy=policy) if only else kb.check_what_changed(everything, watched, policy=policy)
    for result in found:
        if format_ == "text":
            render.text_line(out, result, results[-1] if results else None)
        results.append(result)
    if format_ == "text":
        render.text_summary(out, results)
    else:
        put(render.json(results) if format_ == "json" else render.junit(results))
    sys.exit(int(any(result.failed for result in results)))


def watched(found: Iterator[T]) -> Iterator[T]:
    """What is found, counted while it is looked for."""
    return progress(found, "policies and vocabularies checked", alone=True)
