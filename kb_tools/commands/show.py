"""kb show."""

from __future__ import annotations

from pathlib import Path

import click

from kb_tools.commands import completion
from kb_tools.commands.common import console, document_option, format_option, kb_option, open_kb, policy_option, put


@click.command("show")
@click.argument("revision", required=False, metavar="[REVISION]", shell_complete=completion.revisions)
@policy_option
@document_option
@format_option("text", "json")
@kb_option
def command(revision: str | None, policy: str | None, document: Path | None, format_: str, root: Path | None) -> None:
    """The policies and revisions on file, or one revision as a readable tree.

    \b
    Examples:
      kb show
      kb show 2026-02
      kb show 2019-10 --format json
      kb show 2026-02 --document CP.MP.101.pdf
    """
    from kb_tools.model.revision import Revision
    from kb_tools.render import revision as render

    if document and (format_ == "json" or revision is None):
        raise click.UsageError("--document goes with a REVISION and the format text.")
    kb = open_kb(root)
    if revision is None:
        chosen = [kb.repository.policy(policy)] if policy else kb.policies()
        if format_ == "json":
            put(render.history_json(chosen))
        else:
            render.history(console(), chosen)
        return
    found = kb.repository.policy_of(policy, revision)
    loaded = Revision.load(found, found.entry(revision))
    if format_ == "json":
        put(render.revision_json(loaded))
    else:
        from kb_tools.document.trace import quotes

        render.revision(console(), loaded, quotes(found, document) if document else None)
