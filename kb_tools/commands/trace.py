"""kb trace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_tools.commands.common import (
    console,
    format_option,
    kb_option,
    open_kb,
    policy_option,
    put,
    revision_option,
)

if TYPE_CHECKING:
    from kb_tools.api import KnowledgeBase


@click.command("trace")
@click.argument("document", type=click.Path(path_type=Path), metavar="DOCUMENT")
@revision_option("The revision; default: the latest of which digests are kept.")
@policy_option("The policy; default: that of the revision, or the only one.")
@click.option("--leaks", is_flag=True, help="Instead, look for wording that the project shares with the document.")
@format_option("text", "markdown", "json")
@kb_option
def command(
    document: Path,
    revision: str | None,
    policy: str | None,
    leaks: bool,
    format_: str,
    root: Path | None,
) -> None:
    """Compare a copy of the policy's document with the knowledge base.

    DOCUMENT is plain text, PDF or HTML. Each of its sentences, items, table rows and references is looked up by its
    digest among the passages of the revision; the knowledge base holds no text of the document, and none is written to
    a file. Of a new document: what is new, gone, moved or reworded, and which criteria, definitions, codes, references
    and evidence to review, worst first.

    `kb draft start` begins the next edition from such a document. With --leaks, every literal and file of the project
    is searched for runs of eight words of the document.

    Exit code 0 if all is accounted for (or nothing leaks), 1 if not, 2 if the document could not be read.

    \b
    Examples:
      kb trace CP.MP.101.txt
      kb trace next-year.pdf
      kb trace CP.MP.101.pdf --leaks
    """
    kb = open_kb(root)
    if leaks:
        sys.exit(_leaks(kb, document, revision, policy, format_))
    from kb_tools.render import page as form
    from kb_tools.render import trace as render

    found = kb.trace(document, revision=revision, policy=policy)
    if format_ == "json":
        put(found.to_json())
    elif format_ == "text":
        form.text(console(), render.document(kb.repository, found, quoted=True))
    else:
        put(form.markdown(render.document(kb.repository, found, quoted=False)))
    sys.exit(int(not found.complete))


def _leaks(kb: KnowledgeBase, document: Path, revision: str | None, policy: str | None, format_: str) -> int:
    from kb_tools.document.leaks import leaks
    from kb_tools.document.notation import notations
    from kb_tools.document.passages import passages, policy_traced, traceable
    from kb_tools.document.trace import units_of
    from kb_tools.render import trace as render

    chosen = policy_traced(kb.repository, policy, revision)
    units = units_of(document, passages(chosen, traceable(chosen, revision)))
    found = list(leaks(kb.repository, list(zip(units, notations(units), strict=True))))
    put(render.leaks_json(found) if format_ == "json" else render.leaks(found))
    return int(bool(found))
