"""kb freeze."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_tools.commands import completion
from kb_tools.commands.common import format_option, kb_option, open_kb, policy_option, put, warn
from kb_tools.errors import KbError

if TYPE_CHECKING:
    from kb_tools.revisions.seal import Frozen


@click.command("freeze")
@click.argument("revision", required=False, metavar="[REVISION]", shell_complete=completion.revisions)
@click.option("--all", "every", is_flag=True, help="Every revision on file.")
@click.option("--again", is_flag=True, help="Replace a seal that differs, once the change is reviewed.")
@policy_option("The policy; default: that of the REVISION, or all.")
@format_option("text", "json")
@kb_option
def command(
    revision: str | None, every: bool, again: bool, policy: str | None, format_: str, root: Path | None
) -> None:
    """Write the digest that a released revision must keep.

    Writes seal.json and seal.nq into the revision's folder: digests (RDFC-1.0, SHA-256) and statements of the revision,
    of the conditions it reads, of the case shapes and rules, and of the vocabulary facts that decide cases. From then
    on `kb check` fails when one of them changes, and names the statements that did.

    Exit code 0 if the revision is frozen, now or before; 2 if it has another seal and --again is not given.

    \b
    Examples:
      kb freeze 2026-02
      kb freeze --all
    """
    if every == bool(revision):
        raise click.UsageError("Name a revision, or use --all.")
    from kb_tools.model.soundness import skip_broken
    from kb_tools.revisions.seal import freeze

    kb = open_kb(root).repository
    if revision:
        chosen = kb.policy_of(policy, revision)
        wanted = [(chosen, chosen.entry(revision))]
    else:
        if not policy:
            skip_broken(kb)
        policies = [kb.policy(policy)] if policy else list(kb.policies())
        wanted = [(owner, entry) for owner in policies for entry in owner.history if not entry.draft]
    done: list[Frozen] = []
    errors: list[KbError] = []
    for owner, entry in wanted:
        try:
            frozen = freeze(kb, owner, entry, again)
        except KbError as error:
            warn(str(error))
            errors.append(error)
            continue
        done.append(frozen)
        if format_ == "text":
            click.echo(_line(frozen))
    if format_ == "json":
        put(_json(done, errors))
    sys.exit(2 if errors or kb.skipped else 0)


def _line(frozen: Frozen) -> str:
    changed = f", changed in {', '.join(frozen.changed)}" if frozen.changed else ""
    name = f"{frozen.policy.identifier}/{frozen.entry.name}"
    return f"{name}  {frozen.status}: {frozen.seal.statements} statements{changed}"


def _json(done: list[Frozen], errors: list[KbError]) -> str:
    from kb_tools.as_json import dump

    revisions = [
        {
            "policy": frozen.policy.identifier,
            "revision": frozen.entry.name,
            "status": frozen.status,
            "changed": list(frozen.changed),
            "seal": frozen.seal.content(),
        }
        for frozen in done
    ]
    return dump({"revisions": revisions, "errors": [str(error) for error in errors]})
