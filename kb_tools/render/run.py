"""A run over very many cases, summed up for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rdflib.namespace import RDFS
from rich.table import Table

from kb_tools.rdf.namespaces import COND
from kb_tools.render.run_picture import picture

if TYPE_CHECKING:
    from rich.console import Console

    from kb_tools.batch.run import Summary
    from kb_tools.model.repository import Repository

# Rows of a table that is cut, the width of the longest bar, and of what it is of: a line has 100 characters.
_MOST, _WIDTH, _TITLE = 10, 18, 64
# Groups of flips that are shown with what flipped them.
_GROUPS = 5
_FLIPS = "Another outcome under the second revision"


def summarize(out: Console, kb: Repository, summary: Summary, folder: str) -> None:
    """Prints how many cases came to what, what is most often missing, and what most outcomes rest on."""
    many = "" if summary.cases == 1 else "s"
    out.print(f"{summary.cases:,} case{many}, {summary.cases:,} row{many} in {folder}")
    for title, counted in _sections(kb, summary).items():
        if counted:
            out.print()
            out.print(_table(title, counted, summary.cases))
        if title == _FLIPS:
            _print_flipped(out, summary)
    out.print()
    out.print("For review by a clinician: this is the status of the criteria, neither an approval nor a denial.")


def drawn(kb: Repository, summary: Summary, revisions: str) -> bytes:
    """The same as a picture, an SVG file.

    Args:
        revisions: what the cases were determined under, in words.
    """
    title = f"{summary.cases:,} cases under {revisions}"
    return picture(title, summary.cases, _sections(kb, summary), _MOST).encode()


def _sections(kb: Repository, summary: Summary) -> dict[str, Mapping[str, int]]:
    """What is shown of a run: by heading, how many cases each name has."""

    def labelled(counted: Mapping[str, int]) -> dict[str, int]:
        """Conditions by their labels, each with the value that stands behind its name."""
        found = {}
        for code, number in counted.items():
            name, colon, value = code.partition(": ")
            found[f"{kb.conditions.value(COND[name], RDFS.label)}{colon}{value}"] = number
        return found

    return {
        "Outcome": summary.outcomes,
        _FLIPS: summary.flips,
        "Condition still to be settled": labelled(summary.to_send),
        "Criterion that decides": summary.criteria,
        "Condition that decides": labelled(summary.conditions),
        "Why not determined": summary.reasons,
    }


def _print_flipped(out: Console, summary: Summary) -> None:
    """Prints which criteria flipped the most cases."""
    for group in summary.flipped[:_GROUPS]:
        out.print()
        out.print(f"{group.old} -> {group.new}: {group.cases:,} cases")
        lines = Table.grid(padding=(0, 1))
        for criterion in group.criteria:
            lines.add_row("  -", f"criterion {criterion}")
        for condition, number in list(group.conditions.items())[:_GROUPS]:
            lines.add_row("  -", f"condition: {condition} ({number:,})")
        out.print(lines)
    if len(summary.flipped) > _GROUPS:
        out.print()
        out.print(f"and {len(summary.flipped) - _GROUPS} more groups of flips, in summary.json")


def _table(title: str, counted: Mapping[str, int], cases: int) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column(title, max_width=_TITLE, overflow="ellipsis", no_wrap=True)
    table.add_column("Cases", justify="right")
    table.add_column("", justify="right")
    table.add_column("")
    highest = max(counted.values())
    for name, number in list(counted.items())[:_MOST]:
        table.add_row(name, f"{number:,}", f"{number / cases:.1%}", "█" * max(1, round(_WIDTH * number / highest)))
    if len(counted) > _MOST:
        table.add_row(f"and {len(counted) - _MOST} more, in summary.json", "", "", "")
    return table
