"""kb mcp."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kb_tools.commands.common import kb_option, open_kb, query_limits, query_workers


@click.command("mcp")
@click.option("--http", is_flag=True, help="Serve over HTTP on this machine, in place of standard input and output.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8015, show_default=True, help="With --http; 0 takes any free one."
)
@query_workers
@query_limits
@kb_option
def command(http: bool, port: int, workers: int, timeout: float, max_rows: int, root: Path | None) -> None:
    """Serve the knowledge base to agents, by the Model Context Protocol.

    A client starts the command and talks to it over standard input and output; with --http, clients on this machine
    reach it at the address that it prints. Tools read policies and revisions, determine a case, say what is missing,
    compare revisions, and answer questions and SPARQL. They only read. The status of criteria is for a clinician to
    review: no tool approves or denies. Nothing of a case is stored or logged. See docs/agents.md.

    \b
    Examples:
      kb mcp
      kb mcp --http --port 0
    """
    from kb_tools.serve.extra import require

    require("mcp")
    from kb_tools.ask.pool import Pool
    from kb_tools.model.soundness import skip_broken
    from kb_tools.serve.mcp.listen import over_http, over_stdio
    from kb_tools.serve.mcp.office import Office

    kb = open_kb(root)
    # All that answer do so from one reading of the files.
    kb.repository.hold()
    skip_broken(kb.repository)
    with Office(Pool(kb.repository, workers, timeout), max_rows=max_rows) as office:
        if http:
            over_http(office, port, lambda address: click.echo(f"{kb.root}: {address} (Ctrl-C ends it)"))
        else:
            # A client that reads no more has left: here that ends the command.
            sys.stdout = sys.__stdout__ or sys.stdout
            over_stdio(office)
