"""A run over very many cases, summed up for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from kb_tools.model.revision import Revision
from kb_tools.rdf.terms import local_name
from kb_tools.render.run_picture import LONGEST, picture, shortened

if TYPE_CHECKING:
    from rich.console import Console

    from kb_tools.batch.run import Summary
    from kb_tools.model.policy import Policy

# Rows of a table that is cut, the width of the longest bar, and of what it is of: a line has 100 characters.
_MOST, _WIDTH = 10, 18
# Groups of flips that are shown with what flipped them.
_GROUPS = 5


def summarize(out: Console, policies: Sequence[Policy], summary: Summary, folder: str) -> None:
    """Prints how many cases came to what, what is most often missing, and what most outcomes rest on.

    Args:
        policies: the policy, or those that cases of the run are of.
    """
    out.print(f"{_number(summary.cases, 'case')}, {_number(summary.cases, 'row')} in {folder}")
    for title, counted in _sections(policies, summary).items():
        if counted:
            out.print()
            out.print(_table(title, counted, summary.cases))
        if title == _flips(summary):
            _print_flipped(out, summary)
    out.print()
    out.print("For review by a clinician: this is the status of the criteria, neither an approval nor a denial.")


def drawn(policies: Sequence[Policy], summary: Summary, revisions: str) -> bytes:
    """The same as a picture, an SVG file.

    Args:
        policies: as for `summarize`.
        revisions: what the cases were determined under, in words.
    """
    title = f"{_number(summary.cases, 'case')} under {revisions}"
    return picture(title, summary.cases, _sections(policies, summary), _MOST).encode()


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _flips(summary: Summary) -> str:
    return f"Another outcome under {summary.compared}"


def _sections(policies: Sequence[Policy], summary: Summary) -> dict[str, Mapping[str, int]]:
    """What is shown of a run: by heading, how many cases each name has."""
    labels = [_labels(policy, summary) for policy in policies]
    criteria = {code: label for of_one, _ in labels for code, label in of_one.items()}
    conditions = {code: label for _, of_one in labels for code, label in of_one.items()}
    sections: dict[str, Mapping[str, int]] = {"Outcome": summary.outcomes}
    if summary.compared:
        sections |= {f"Outcome under {summary.compared}": summary.compared_outcomes, _flips(summary): summary.flips}
    return sections | {
        "Revision": summary.revisions,
        "Condition still to be settled": _labelled(summary.to_send, conditions),
        "Criterion that decides (a case can rest on several)": _labelled(summary.criteria, criteria),
        "Condition that decides": _labelled(summary.conditions, conditions),
        "Why not determined": summary.reasons,
    }


def _labelled(counted: Mapping[str, int], labels: Mapping[str, str]) -> dict[str, int]:
    """Labels in place of names, none of which stands for two; of codes, the value stays behind."""
    used = Counter(labels[name] for name in {code.partition(": ")[0] for code in counted})
    found: dict[str, int] = {}
    for code, number in counted.items():
        name, colon, value = code.partition(": ")
        label = labels[name] if used[labels[name]] == 1 else f"{labels[name]} ({name})"
        found[f"{label}{colon}{value}"] = number
    return found


def _labels(policy: Policy, summary: Summary) -> tuple[dict[str, str], dict[str, str]]:
    """The labels of the criteria and of the conditions, by their names: those of the latest revision that was used.

    Of a run of several policies, with the policy before each.
    """
    before, its = (f"{policy.identifier} ", f"{policy.identifier}/") if summary.policies else ("", "")
    criteria: dict[str, str] = {}
    conditions: dict[str, str] = {}
    used = [name.removeprefix(its) for name in summary.revisions if name.startswith(its)]
    for name in sorted(used, reverse=True):
        revision = Revision.load(policy, policy.entry(name))
        for labels, found in ((criteria, revision.all_criteria), (conditions, revision.conditions)):
            for iri, one in found.items():
                labels.setdefault(before + local_name(iri), before + one.label)
    return criteria, conditions


def _print_flipped(out: Console, summary: Summary) -> None:
    """Prints which criteria flipped the most cases, or that none has flipped."""
    if not summary.flips:
        out.print()
        out.print(f"No case comes to another outcome under {summary.compared}.")
    for group in summary.flipped[:_GROUPS]:
        out.print()
        flips = summary.flips[f"{group.old} -> {group.new}"]
        of = "" if flips == group.cases else f"{group.cases:,} of "
        out.print(f"{group.old} -> {group.new}, {of}{_number(flips, 'case')}, by")
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
    table.add_column(title, no_wrap=True)
    table.add_column("Cases", justify="right")
    table.add_column("", justify="right")
    table.add_column("")
    highest = max(counted.values())
    for name, number in list(counted.items())[:_MOST]:
        table.add_row(
            shortened(name, LONGEST),
            f"{number:,}",
            f"{number / cases:.1%}",
            "█" * max(1, round(_WIDTH * number / highest)),
        )
    if len(counted) > _MOST:
        table.add_row(f"and {len(counted) - _MOST} more, in summary.json", "", "", "")
    return table
