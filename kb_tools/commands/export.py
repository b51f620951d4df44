"""kb export."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_tools.commands.common import format_option, kb_option, open_kb, policy_option, put, revision_option, warn
from kb_tools.errors import KbError

if TYPE_CHECKING:
    from kb_tools.publish.graphs import NamedGraph


@click.command("export")
@revision_option("One revision with what is shared; default: everything.")
@policy_option("The policy; default: that of the revision.")
@click.option(
    "--entail",
    type=click.Choice(["none", "rdfs", "owlrl"]),
    default="none",
    show_default=True,
    help="The closure of the revision, in place of its graphs: the graph REVISION/entailed/owlrl or rdfs.",
)
@format_option("trig", "nquads", "turtle", "jsonld")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Default: stdout.")
@click.option("--to", "url", metavar="URL", help="Load into the store with this graph store endpoint.")
@click.option(
    "--user-from-env", is_flag=True, help="Sign in by KB_STORE_USER and KB_STORE_PASSWORD, or by KB_STORE_TOKEN."
)
@click.option("--again", is_flag=True, help="Send unchanged graphs too.")
@kb_option
@click.pass_context
def command(
    ctx: click.Context,
    revision: str | None,
    policy: str | None,
    entail: str,
    format_: str,
    output: Path | None,
    url: str | None,
    user_from_env: bool,
    again: bool,
    root: Path | None,
) -> None:
    """Write the knowledge base for any triple store, or load it into one.

    Each vocabulary, shapes file, policy and revision is a named graph; what a revision shares with another is in the
    graph REVISION/filled-in. The same content gives the same bytes: N-Quads are the canonical form of RDFC-1.0.
    Turtle knows no graphs and merges them, so in Turtle of everything a criterion has the content of all revisions.

    With --to, each graph replaces the one of its name in a store that speaks the SPARQL 1.1 Graph Store Protocol
    (needs pip install 'kb-tools[load]'). Busy stores are tried again; a broken run goes on where it stopped; a graph
    that the store has unchanged is not sent again. Credentials come from the environment alone, and go by https only.

    Exit code 0 if everything is written or loaded, 2 if not.

    \b
    Examples:
      kb export --output kb.trig
      kb export --revision 2026-02 --entail owlrl --format turtle
      kb export --to http://localhost:7878/store
    """
    if entail != "none" and not revision:
        raise click.UsageError("--entail needs --revision: revisions contradict each other in one closure.")
    if policy and not revision:
        raise click.UsageError("--policy says whose --revision is meant.")
    shaped = output or ctx.get_parameter_source("format_") is not click.core.ParameterSource.DEFAULT
    if url and shaped:
        raise click.UsageError("--to sends N-Triples, and writes no file: leave out --format and --output.")
    if not url and (user_from_env or again):
        raise click.UsageError("--user-from-env and --again go with --to.")
    from kb_tools.model.soundness import require_sound, skip_broken
    from kb_tools.publish import graphs as publish_graphs
    from kb_tools.rdf import canonical as rdf_canonical

    kb = open_kb(root).repository
    chosen = None
    if revision:
        named = kb.policy_of(policy, revision)
        chosen = (named, named.entry(revision))
        require_sound(named)
    skip_broken(kb)
    if chosen and entail != "none":
        quads = publish_graphs.entailed_statements(kb, *chosen, entail)
    else:
        quads = publish_graphs.statements(kb, chosen)
    if url:
        _load(url, list(publish_graphs.graphs(quads)), user_from_env, again, all_graphs=chosen is None)
        sys.exit(2 if kb.skipped else 0)
    written = rdf_canonical.serialize(quads, format_, kb.prefixes)
    if output is None:
        put(written)
        sys.exit(2 if kb.skipped else 0)
    from kb_tools.writing import write_atomically

    try:
        write_atomically({output: written})
    except OSError as error:
        raise KbError(error.strerror or "cannot be written", where=str(output), hint="name another file") from error
    sys.exit(2 if kb.skipped else 0)


def _load(url: str, graphs: list[NamedGraph], user_from_env: bool, again: bool, all_graphs: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from kb_tools.cache import cache_folder
    from kb_tools.publish.graph_store import GraphStore, Sent, authorization, load

    store = GraphStore(url, authorization(os.environ) if user_from_env else "")
    sent = Sent.read(cache_folder() / "sent", store.url)
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("graphs"))
    count = done = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=len(graphs))
        try:
            for was_sent in load(store, graphs, sent, again):
                done += 1
                count += was_sent
                bar.advance(task)
        finally:
            if 0 < done < len(graphs):
                warn(f"{done} of {len(graphs)} graphs are in the store")
    click.echo(f"graphs sent: {count}, unchanged in the store: {len(graphs) - count}")
    names = {graph.name for graph in graphs}
    left = [name for name in sorted(sent.digests) if name not in names and store.has(name)] if all_graphs else []
    if left:
        warn(f"the store also has graphs sent earlier that are not among these: {', '.join(left)}")
