"""A run over very many cases, summed up for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rdflib.namespace import RDFS
from rich.table import Table

from kb_tools.rdf.namespaces import COND

if TYPE_CHECKING:
    from rich.console import Console

    from kb_tools.batch.run import Summary
    from kb_tools.model.repository import Repository

# Rows of a table that is cut, and the width of the longest bar.
_MOST, _WIDTH = 10, 30


def summarize(out: Console, kb: Repository, summary: Summary, folder: str) -> None:
    """Prints how many cases came to what, what is most often missing, and what most outcomes rest on."""
    to_send = {str(kb.conditions.value(COND[name], RDFS.label)): number for name, number in summary.to_send.items()}
    out.print(f"{summary.cases:,} cases, {summary.cases:,} rows in {folder}")
    for title, counted in (
        ("Outcome", summary.outcomes),
        ("Another outcome under the second revision", summary.flips),
        ("Condition still to be settled", to_send),
        ("Criterion that decides", summary.criteria),
        ("Why not determined", summary.reasons),
    ):
        if counted:
            out.print()
            out.print(_table(title, counted, summary.cases))
    out.print()
    out.print("For review by a clinician: this is the status of the criteria, neither an approval nor a denial.")


def _table(title: str, counted: Mapping[str, int], cases: int) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column(title, max_width=60, overflow="ellipsis", no_wrap=True)
    table.add_column("Cases", justify="right")
    table.add_column("", justify="right")
    table.add_column("")
    highest = max(counted.values())
    for name, number in list(counted.items())[:_MOST]:
        table.add_row(name, f"{number:,}", f"{number / cases:.1%}", "█" * max(1, round(_WIDTH * number / highest)))
    if len(counted) > _MOST:
        table.add_row(f"and {len(counted) - _MOST} more, in summary.json", "", "", "")
    return table
