"""kb new."""

from __future__ import annotations

from pathlib import Path

import click

from kb_tools.commands import completion
from kb_tools.commands.common import kb_option, open_kb


@click.group("new")
def command() -> None:
    """Write what a policy needs that is not on file yet, to go on from.

    \b
    Examples:
      kb new policy BS.6 --title "Weight-Loss Surgery" --publisher "Example Plan" --named-by cpt:43775
      kb new condition acute-gvhd-of-grade-3-or-higher --reads clin:AcuteGvHDAssessment --at-least 3 --policy CP.MP.101
    """


@command.command("policy")
@click.argument("number", metavar="ID")
@click.option("--title", required=True, help="As the document prints it.")
@click.option("--publisher", required=True, metavar="NAME", help="The plan whose policy it is.")
@click.option(
    "--payer",
    metavar="NAME",
    default="",
    help="A short name of the payer, by which cases are told apart: small letters and digits, joined by hyphens, as "
    "example-plan.",
)
@click.option(
    "--named-by",
    multiple=True,
    metavar="TERM",
    help="A service, or a code as cpt:38242, by which a request names the policy; may be repeated.",
)
@kb_option
def policy_(number: str, title: str, publisher: str, payer: str, named_by: tuple[str, ...], root: Path | None) -> None:
    """Write the policy.ttl of a new policy, in a folder of its number, with prefixes for names of its own.

    A service that the policy is to bring itself is named with the policy's prefix, which begins with its number, as
    bs6v:SleeveGastrectomy. `kb draft start` goes on from here with the document. Nothing is overwritten.

    Exit code 0 if it is written, 2 if not.

    \b
    Example:
      kb new policy BS.6 --title "Weight-Loss Surgery" --publisher "Example Plan" --named-by cpt:43775
    """
    from kb_tools.authoring.new_policy import NewPolicy, write_policy

    kb = open_kb(root).repository
    click.echo(write_policy(kb, NewPolicy(number, title, publisher, payer, named_by)).relative_to(kb.root))
    click.echo(f"Next: kb draft start DOCUMENT --policy {number} --revision YYYY-MM")


@command.command("condition")
@click.argument("name", metavar="NAME")
@click.option(
    "--reads",
    metavar="CLASS",
    required=True,
    help="The class of findings that it reads, or a property of the request or the coverage.",
)
@click.option("--at-least", metavar="N", help="It holds where the number is N or more.")
@click.option("--at-most", metavar="N", help="It holds where the number is N or less.")
@click.option(
    "--is",
    "values",
    multiple=True,
    metavar="TERM",
    help="It holds where the value is this term, or true or false; may be repeated. Of a service, a code as well.",
)
@click.option("--of", metavar="TERM", default="", help="What the findings are of, where they count apart for each.")
@click.option("--within", metavar="P6M", default="", help="How old a finding may be, at most.")
@click.option("--property", "property_", metavar="P", help="The property of the finding, where several fit.")
@click.option(
    "--policy", metavar="ID", required=True, shell_complete=completion.policies, help="Whose example cases are written."
)
@click.option("--own", is_flag=True, help="Write it into the policy's own folder, rather than for all policies.")
@kb_option
def condition(
    name: str,
    reads: str,
    at_least: str | None,
    at_most: str | None,
    values: tuple[str, ...],
    of: str,
    within: str,
    property_: str | None,
    policy: str,
    own: bool,
    root: Path | None,
) -> None:
    """Write a condition: both shapes, words to go on from, and three example cases.

    It reads findings of a class, or what the request or the coverage states by a property. A bound counts only where
    the whole range lies on one side; a term counts with all that are narrower, and a wider one for neither side. Where
    all findings of a class count, one that says so is enough, and only that there was none speaks against it.

    The condition is marked with pol:toDo, and the cases have no expectation yet: kb check says so until both are dealt
    with. Nothing is overwritten.

    Exit code 0 if it is written, 2 if not.

    \b
    Examples:
      kb new condition acute-gvhd-of-grade-3-or-higher --reads clin:AcuteGvHDAssessment --at-least 3 --policy CP.MP.101
      kb new condition severe-gvhd --reads clin:ChronicGvHDAssessment --is clin:SevereChronicGvHD --policy CP.MP.101
      kb new condition adult --reads case:patientAge --at-least 18 --policy CP.MP.101
      kb new condition infusion-within-a-year --reads clin:EarlierInfusion --within P1Y --policy CP.MP.101
    """
    from kb_tools.authoring.condition import Asked, Limit, write_condition

    limits = [Limit(least, number) for least, number in ((True, at_least), (False, at_most)) if number is not None]
    if len(limits) + bool(values) > 1:
        raise click.UsageError("Give one of --at-least, --at-most and --is.")
    kb = open_kb(root).repository
    asked = Asked(name, reads, limits[0] if limits else None, values, property_ or "", of, within, own)
    for path in write_condition(kb.policy(policy), asked):
        click.echo(path.relative_to(kb.root))
