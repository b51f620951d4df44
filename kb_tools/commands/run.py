"""kb run."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import click

from kb_tools.commands import completion
from kb_tools.commands.common import (
    case_revision_options,
    console,
    engine_option,
    format_option,
    kb_option,
    open_kb,
    pieces_option,
    policy_option,
    put,
    terminology_option,
    warn,
    warn_of_slow_shapes,
)

# So many files are named in a notice.
_FEW = 5
# The exit code of a process that a signal ended is this and the signal's number.
_BY_SIGNAL = 128

OUTCOMES = (
    *("CriteriaMet", "CriteriaNotMet", "PolicyNotApplicable", "InformationNeeded", "InformationConflicting"),
    *("Malformed", "Unreadable", "NotDetermined"),
)


@click.command("run")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path())
@click.option(
    "--to",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where the rows go.",
)
@case_revision_options
@click.option(
    "--compare",
    metavar="YYYY-MM",
    shell_complete=completion.revisions,
    help="A second revision: which cases come to another outcome.",
)
@click.option(
    "--where",
    multiple=True,
    type=click.Choice(OUTCOMES),
    help="Write the full answers of the cases of this outcome, too.",
)
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes on this machine; default: one for each core."
)
@click.option(
    "--on", "address", metavar="ADDRESS", help="A Dask scheduler whose workers do it (pip install 'kb-tools[cluster]')."
)
@click.option(
    "--record",
    "records",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Record what every case comes to in this folder, for kb replay, before its row is written.",
)
@pieces_option("Default: by pieces.")
@click.option(
    "--column", metavar="NAME", default="", help="The column of .parquet files with the cases; default: the only one."
)
@terminology_option
@policy_option("The policy of all cases; default: that of the revision, the only one, or the one that each names.")
@format_option("text", "json")
@engine_option
@kb_option
def command(
    inputs: tuple[str, ...],
    folder: str,
    revision: str | None,
    as_of: date | None,
    compare: str | None,
    where: tuple[str, ...],
    workers: int | None,
    address: str | None,
    records: Path | None,
    pieces: bool | None,
    column: str,
    terminology: tuple[Path, ...],
    policy: str | None,
    format_: str,
    engine: str,
    root: Path | None,
) -> None:
    """Determine very many cases, and write a row for each.

    INPUT is a file with a case of plain JSON a line (.jsonl), a FHIR bundle a line (.ndjson) or a JSON text in each row
    (.parquet), a folder with such files, or an address in an object store (s3://…, gs://…, abfs://…). DIR gets Parquet
    files with a row for each case, one that cannot be read or is malformed included, and a summary. A run that was
    broken off goes on where it was when the same command is given again, and ends with the same rows.

    With --record, what every case comes to is recorded before its row is written, a record for each range of the input:
    docs/records.md.

    Without --policy, and where no revision says it, each case is determined under the policy that its service or its
    codes name, as kb validate chooses it, if several are on file; rows then name their policy, and the row of a case
    that names none, or more than one, says so.

    Exit code 0 if there is a row for every case, 2 if the run could not be finished or a policy could not be read; what
    is there is kept.

    \b
    Examples:
      kb run requests.jsonl --to rows --revision 2026-02
      kb run requests/ --to flips --revision 2025-02 --compare 2026-02 --where CriteriaNotMet
      kb run requests.jsonl --to rows --record records
      kb run s3://plan/requests.parquet --column request --to s3://plan/rows
    """
    excluding = {
        "--revision and --as-of": revision and as_of,
        "--on and --workers": address and workers,
        "--record and --compare": records and compare,
        "--record and --on": records and address,
    }
    for both, given in excluding.items():
        if given:
            raise click.UsageError(f"{both} exclude each other.")
    from kb_tools.batch.run import carry_out, plan
    from kb_tools.batch.store import location, write, writing
    from kb_tools.batch.work import Settings, learned_of
    from kb_tools.render.run import drawn, summarize

    kb = open_kb(root)
    if records:
        from kb_tools.records.folder import RecordFolder

        RecordFolder(records).begin()
    by_pieces = pieces is not False
    settings = Settings(
        root="",
        engine=engine,
        policy=policy,
        revision=revision,
        as_of=as_of.isoformat() if as_of else None,
        compare=compare,
        where=tuple(sorted(set(where))),
        pieces=by_pieces,
        records=str(records.resolve()) if records else "",
    )
    planned = plan(
        kb.repository,
        [location(given) for given in inputs],
        location(folder),
        settings,
        column=column,
        terminology=terminology,
    )
    if planned.skipped:
        kinds = ", ".join(f"{ending} {number:,}" for ending, number in sorted(planned.skipped.items()))
        warn(f"files skipped in the folders, by their endings: {sum(planned.skipped.values()):,} ({kinds})")
    if empty := planned.pinned.empty:
        more = f" and {len(empty) - _FEW:,} more" if len(empty) > _FEW else ""
        warn(f"files without a case: {len(empty):,} ({', '.join(empty[:_FEW])}{more})")
    if by_pieces:
        warn_of_slow_shapes(kb)
    policy = planned.settings.policy
    for learned in learned_of(kb.repository, planned.settings):
        if damaged := learned.damage():
            warn(f"{damaged}: not as it was written: what was learned in earlier runs is learned again")

    def goes_on(kept: int) -> None:
        warn(f"goes on: {kept:,} of {planned.cases:,} cases have their rows")

    try:
        with _ended_by_signals(), _progress(planned.cases) as done:
            summary = carry_out(planned, workers or os.cpu_count() or 1, done, address, goes_on)
    except (KeyboardInterrupt, SystemExit):
        warn("the parts that are written are kept: the same command goes on from there")
        raise
    policies = [kb.repository.policy(name) for name in ([policy] if policy else summary.policies)]
    revisions = " and ".join(filter(None, (revision or "the revision in force", compare)))
    revisions += "" if policy else " of the policy that each names"
    drawing = planned.folder / "summary.svg"
    with writing(drawing):
        write(drawing, drawn(policies, summary, revisions))
    if format_ == "json":
        put(json.dumps(summary.to_dict(), indent=2) + "\n")
    else:
        summarize(console(), policies, summary, folder)
    if records:
        from kb_tools.records.chain import last

        warn(f"every range of the run is recorded in {records}; head {last(RecordFolder(records).chain)}")
    # Of a policy that is skipped nobody knows which cases name it.
    sys.exit(2 if kb.repository.skipped else 0)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """While a run is carried out, a signal that ends this process ends the worker processes too, as Ctrl-C does."""
    before: dict[signal.Signals, Any] = {}

    def end(number: int, frame: object) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        sys.exit(_BY_SIGNAL + number)

    for name in ("SIGTERM", "SIGHUP"):
        one = getattr(signal, name, None)
        # A hangup that is ignored (nohup) stays so.
        if one is not None and signal.getsignal(one) == signal.SIG_DFL and current_thread() is main_thread():
            before[one] = signal.signal(one, end)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _progress(cases: int) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how many cases are done, how many a second, and how long it still takes."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    err = Console(stderr=True)
    columns = (
        *(BarColumn(), MofNCompleteColumn(), TextColumn("cases"), TaskProgressColumn(show_speed=True)),
        *(TimeRemainingColumn(), TextColumn("left")),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=cases)
        yield lambda number: bar.advance(task, number)
