"""kb show."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kb_tools.commands import completion
from kb_tools.commands.common import console, document_option, format_option, kb_option, open_kb, policy_option, put


@click.command("show")
@click.argument("revision", required=False, metavar="[REVISION]", shell_complete=completion.revisions)
@policy_option("The policy; default: all, or that of the REVISION.")
@document_option
@format_option("text", "json")
@kb_option
def command(revision: str | None, policy: str | None, document: Path | None, format_: str, root: Path | None) -> None:
    """The policies and revisions on file, those of one policy, or one revision as a readable tree.

    Exit code 2 if a policy cannot be read, of which one line says why; the others are shown all the same.

    \b
    Examples:
      kb show
      kb show CP.MP.101
      kb show 2026-02
      kb show CP.MP.101/2019-10
      kb show 2019-10 --format json
      kb show 2026-02 --document CP.MP.101.pdf
    """
    from kb_tools.model.revision import Revision
    from kb_tools.model.soundness import skip_broken
    from kb_tools.render import revision as render

    kb = open_kb(root)
    if revision in {folder.name for folder in kb.repository.policy_folders} and policy in (None, revision):
        policy, revision = revision, None
    if document and (format_ == "json" or revision is None):
        raise click.UsageError("--document goes with a REVISION and the format text.")
    if revision is None:
        if not policy:
            skip_broken(kb.repository)
        chosen = [kb.repository.policy(policy)] if policy else kb.policies()
        if format_ == "json":
            put(render.history_json(chosen))
        else:
            render.history(console(), chosen)
        sys.exit(2 if kb.repository.skipped else 0)
    found = kb.repository.policy_of(policy, revision)
    loaded = Revision.load(found, found.entry(revision))
    if format_ == "json":
        put(render.revision_json(loaded))
    else:
        from kb_tools.document.trace import quotes

        render.revision(console(), loaded, quotes(found, document) if document else None)
