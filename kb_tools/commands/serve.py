"""kb serve."""

from __future__ import annotations

import re
from pathlib import Path

import click

from kb_tools.commands.common import (
    kb_option,
    open_kb,
    query_limits,
    query_workers,
    record_options,
    say_recorded,
)

# A web site as browsers name it (the header Origin).
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")


def _origin(given: str) -> str:
    """A web site that was named.

    Raises:
        BadParameter: it is none; * would be every page that anybody opens.
    """
    if not _ORIGIN.fullmatch(given):
        raise click.BadParameter(f"{given!a} is no origin; write scheme and host alone, as https://ehr.example")
    return given


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8014, show_default=True, help="0 takes any free one.")
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="A name by which readers reach the workbench, besides those of this machine; any number of times.",
)
@query_workers
@click.option(
    "--trusted-clients",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The clients of CDS Hooks with their public keys, as JSON; without it, this machine alone is answered.",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    callback=lambda context, parameter, given: tuple(map(_origin, given)),
    help="A web site, as https://ehr.example, whose pages may call CDS Hooks from a browser; any number of times.",
)
@query_limits
@click.option(
    "--log",
    metavar="FILE",
    help="Add a line of JSON for each request: what happened, never of whom. - is standard output; default: no log.",
)
@record_options
@click.option(
    "--show-records",
    "shown",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Show the records in this folder on pages of the workbench, to whoever reads it.",
)
@click.option("--open", "open_", is_flag=True, help="Open the first page in the browser.")
@kb_option
def command(
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    workers: int,
    trusted_clients: Path | None,
    origins: tuple[str, ...],
    timeout: float,
    max_rows: int,
    log: str | None,
    records: Path | None,
    case: str,
    shown: Path | None,
    open_: bool,
    root: Path | None,
) -> None:
    """The workbench: read the policies in a browser, at any date.

    It answers readers on this machine only, prints its address, and runs until Ctrl-C. The knowledge base is read at
    the start, and a broken one is refused. After a change of its files, start again: what is shown and determined stays
    what was read, and what would be read anew is refused. Nothing is fetched from elsewhere, no cookie is set, and no
    request is logged but with --log, which says what happened and never of whom.

    Programs have cases determined at /api/determine: docs/services.md.

    With --record, each determination that a program asks for is recorded before it is given, for kb replay; where that
    is not possible, it is not given: docs/records.md. What a reader tries on the page "Try a case" is not recorded.
    --show-records has pages of records: whether the chain is whole, what the cases came to, and each record.

    Programs of an EHR ask it by CDS Hooks under /cds-services; from other machines only with --trusted-clients, whose
    clients sign every call (pip install 'kb-tools[jwt]'). A page of another web site can call them only with
    --allow-origin.

    Before others may reach it, put a proxy in front that asks who they are and speaks TLS, that passes the Host header
    on as it came (name that host by --allow-host), that limits how much one reader may ask, and that logs neither the
    queries of addresses nor bodies: a search can hold what should not be kept.

    \b
    Examples:
      kb serve --open
      kb serve --port 0
      kb serve --workers 8 --timeout 10
      kb serve --log requests.jsonl
      kb serve --record records --show-records records
      kb serve --host 0.0.0.0 --allow-host policies.example.org
      kb serve --trusted-clients clients.json
    """
    from kb_tools.serve.extra import require

    require()
    from kb_tools.ask.pool import Pool
    from kb_tools.records.shelf import Shelf
    from kb_tools.serve.hooks import clients
    from kb_tools.serve.programs.watching import Log
    from kb_tools.serve.recording import Recording
    from kb_tools.serve.server import serve
    from kb_tools.serve.workbench import Workbench

    kb = open_kb(root)
    # What is broken is said here, and not to readers.
    kb.repository.hold()
    bench = Workbench(kb.repository)
    bench.read()

    if records is None and case == "keep":
        raise click.UsageError("--case keep goes with --record.")
    recording = Recording(records, case == "keep") if records else None
    shelf = Shelf(shown) if shown else None
    written = Log(log) if log else None

    def ready(address: str) -> None:
        # Where standard output is the log, nothing else stands in it.
        click.echo(f"{kb.root}: {address} (Ctrl-C ends it)", err=log == "-")
        if open_:
            click.launch(address)

    trusted = clients.trusted_clients(trusted_clients) if trusted_clients else None
    pool = Pool(kb.repository, workers, timeout)
    try:
        hosts = (*allow_host, host)
        serve(bench, pool, host, port, hosts, max_rows, trusted, ready, written, recording, shelf, origins)
    finally:
        # Ctrl-C ends it.
        if recording and records:
            say_recorded(recording.made, records, recording.head)
