"""kb replay."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_tools.commands.common import (
    console,
    format_option,
    input_format_option,
    kb_option,
    open_kb,
    put,
    read_cases,
    terminology_option,
    warn,
)

if TYPE_CHECKING:
    from kb_tools.api import KnowledgeBase
    from kb_tools.errors import KbError
    from kb_tools.records.chain import Head
    from kb_tools.records.replay import Many


@click.command("replay")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("cases", nargs=-1, metavar="[CASE]...")
@click.option(
    "--expect", metavar="HEAD", help="The head as it was printed when records were made: that record must be there."
)
@click.option("--answers", is_flag=True, help="With --format json: also each answer that was made now.")
@input_format_option
@terminology_option
@click.option(
    "--engine",
    type=click.Choice(["pyshacl", "pyshifty", "shacl"]),
    help="The SHACL engine for all; default: that of each record.",
)
@format_option("text", "json", "turtle")
@kb_option
def command(
    folder: Path,
    cases: tuple[str, ...],
    expect: str | None,
    answers: bool,
    input_format: str | None,
    terminology: tuple[Path, ...],
    engine: str | None,
    format_: str,
    root: Path | None,
) -> None:
    """Verify decision records, and determine again what they record.

    DIR is a folder that was named with --record. Whether all its records are there and as they were written is
    verified. Those whose cases it keeps, or that are among the CASEs (files or folders, as for kb validate, found by
    their digests), are determined again by the same revision, and come to the same bytes, to the same determination in
    other words, or to something else; what differs is named. Cases of a run (kb run --record) are found by their lines,
    in .jsonl, .ndjson and .parquet files, and come to the same values. With --format turtle nothing is determined: the
    records are written as RDF, for kb query --data.

    Exit code 0 if all is as it was recorded, 1 if something differs or is broken, 2 if it could not run.

    \b
    Examples:
      kb replay records
      kb replay records requests/ --expect 12/5f0c…
      kb replay records --format turtle > records.ttl
    """
    if format_ == "turtle" and (cases or engine):
        raise click.UsageError("--format turtle determines nothing: leave out cases and engine.")
    if answers and format_ != "json":
        raise click.UsageError("--answers goes with --format json.")
    from kb_tools import as_json
    from kb_tools.records.chain import Head
    from kb_tools.records.replay import Replay, ReplayReport

    kb = open_kb(root)
    errors: list[KbError] = []
    expected = Head.parse(expect) if expect else None
    if format_ == "turtle":
        from kb_tools.render.records_turtle import records

        written, broken, of_many = records(kb.repository, folder, expected)
        put(written)
        for one in broken:
            click.echo(f"kb: {one}", err=True)
        if of_many:
            what = f"{of_many} record{'s'[: of_many != 1]} of many cases"
            warn(f"{what} not written as RDF; kb serve --show-records counts their cases")
        sys.exit(int(bool(broken)))
    of_one, of_many = _kinds(folder) if cases else (False, False)
    # Only records of many cases read Parquet; lines without number are read as whole cases only where one may be meant.
    single = tuple(case for case in cases if of_one and not (of_many and case.lower().endswith(".parquet")))
    given = read_cases(kb, single, input_format, errors, terminology, record=False) if single else ()
    many = _many(kb, folder, cases, engine, terminology, errors) if of_many else {}
    replay = Replay(kb.repository, folder, given, expected, engine, many)
    if format_ == "json":
        report = ReplayReport.of(replay)
        put(as_json.dump(report.to_dict(answers)))
    else:
        from kb_tools.render.replay import text

        text(console(), replay)
    sys.exit(2 if errors else int(not replay.is_same))


def _kinds(folder: Path) -> tuple[bool, bool]:
    """Whether a folder has records of one case, and records of many; what is broken in it is told later."""
    from kb_tools.records.answer import is_of_many
    from kb_tools.records.folder import RecordFolder
    from kb_tools.records.replay import sound

    found: set[bool] = set()
    for record in sound(RecordFolder(folder), None, []):
        found.add(is_of_many(record.content))
        if len(found) > 1:
            break
    return False in found or not found, True in found


def _many(
    kb: KnowledgeBase,
    folder: Path,
    cases: tuple[str, ...],
    engine: str | None,
    terminology: tuple[Path, ...],
    errors: list[KbError],
) -> dict[Head, Many]:
    """What the records of many cases come to, for the lines that are given."""
    from kb_tools.batch.replaying import lines_of, replayed
    from kb_tools.errors import KbError

    def lines() -> Iterator[bytes]:
        try:
            yield from lines_of(Path(case) for case in cases)
        except KbError as error:
            errors.append(error)
            warn(str(error))

    return replayed(kb.repository, folder, lines(), engine, terminology)
