"""kb shapes."""

from __future__ import annotations

from pathlib import Path

import click

from kb_tools.commands import completion
from kb_tools.commands.common import format_option, kb_option, open_kb, policy_option, put

FORMATS = ("turtle", "ntriples", "jsonld")


@click.command("shapes")
@click.argument("revision", metavar="REVISION", shell_complete=completion.revisions)
@policy_option("The policy; default: that of the REVISION.")
@format_option(*FORMATS)
@kb_option
def command(revision: str, policy: str | None, format_: str, root: Path | None) -> None:
    """Print one self-contained SHACL graph of a revision, for other engines.

    A violation of the outcome shape CriteriaNotMet says that the criteria are not met, a warning that the outcome is
    undetermined, an info that the policy does not apply; no result that they are met. A violation of any other shape
    is a malformed case. What counts of a case is derived by the graph's rules (SHACL-AF), or beforehand by
    `kb validate --prepare` for engines without rules.

    \b
    Example:
      kb shapes 2026-02 > shapes.ttl && pyshacl --advanced --max-depth 100 -s shapes.ttl case.ttl
    """
    from kb_tools.model.revision import Revision
    from kb_tools.publish.shapes import self_contained
    from kb_tools.rdf.canonical import nested, serialize
    from kb_tools.rdf.terms import to_quads

    kb = open_kb(root).repository
    chosen = kb.policy_of(policy, revision)
    entry = chosen.require_criteria(chosen.entry(revision))
    graph = self_contained(kb, Revision.load(chosen, entry))
    if format_ == "turtle":
        put(nested(graph, kb.prefixes))
    else:
        # Of a graph without a name, N-Quads are N-Triples.
        put(serialize(to_quads(graph), "nquads" if format_ == "ntriples" else format_, kb.prefixes))
