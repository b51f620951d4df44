"""kb site."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import click

from kb_tools.commands.common import kb_option, open_kb, parse_day


@click.command("site")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), metavar="OUT")
@click.option(
    "--on",
    callback=parse_day,
    metavar="YYYY-MM-DD",
    help="The day on which the knowledge base is shown; default: the first day of the latest revision on file.",
)
@kb_option
def command(out: Path, on: date | None, root: Path | None) -> None:
    """Write the reading pages of the workbench as files, for any web host.

    The links are relative and the search is included, so the folder can be published under any address, or opened from
    a disk. The same knowledge base gives the same bytes. A folder that kb site wrote is replaced; any other that holds
    something is refused. A policy that cannot be read is left out, one line says so, and the exit code is 2.

    \b
    Examples:
      kb site public
      kb site public --on 2024-05-01
    """
    from kb_tools.serve.extra import require

    require()
    from kb_tools.model.soundness import skip_broken
    from kb_tools.serve.site import write_site

    kb = open_kb(root).repository
    skip_broken(kb, whole=True)
    count = write_site(kb, out, on)
    click.echo(f"{out}: {count} files; begin with {out / 'index.html'}")
    sys.exit(2 if kb.skipped else 0)
