"""kb test."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kb_tools.commands.common import (
    console,
    engine_option,
    format_option,
    kb_option,
    open_kb,
    policy_option,
    put,
    revision_option,
)


@click.command("test")
@click.option("--coverage", is_flag=True, help="Also show what the cases cover, and fail where they leave a gap.")
@format_option("text", "json", "junit")
@engine_option
@policy_option("The policy; default: all, or that of the revision.")
@revision_option("The cases of this revision alone; a draft too.")
@kb_option
def command(
    coverage: bool, format_: str, engine: str, policy: str | None, revision: str | None, root: Path | None
) -> None:
    """Determine the example cases and compare the answers with those expected.

    Runs the manifest of every policy; the cases of a draft as if it were released. Exit code 0 if every case comes to
    exactly the outcome, values, requests and advisories that the manifest states, 1 if not (or, with --coverage, if
    something is seen in no case), 2 if a policy cannot be read; the others are run all the same.

    \b
    Examples:
      kb test
      kb test --coverage --engine pyshifty
      kb test --policy CP.MP.101
      kb test --coverage --revision EX.5/2025-02
    """
    from kb_tools.render import examples as render

    kb = open_kb(root)
    reports = kb.test(coverage, policy=policy, revision=revision, engine=engine)
    if format_ == "text":
        render.text(console(), reports)
    else:
        put(render.json(reports) if format_ == "json" else render.junit(reports))
    sys.exit(2 if kb.skipped else int(not all(report.passed for report in reports)))
