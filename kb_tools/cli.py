"""The command `kb`. A command's own module, and what it needs, is loaded only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from kb_tools import __version__
from kb_tools.errors import KbError

# Each command with its line of help, so that `kb --help` loads none of them.
COMMANDS = {
    "show": "The policies and revisions on file, or one revision as a readable tree.",
    "check": "Run the conformance checks of the knowledge base.",
    "validate": "Determine patient cases under a revision of a policy.",
    "case": "Cases as plain JSON: a template, the schema, and any other case converted.",
    "test": "Determine the example cases and compare with what they must come to.",
    "query": "Ask the knowledge base: a ready question, or SPARQL of your own.",
    "diff": "Compare two revisions: what changed, stricter or looser, and does the log say so.",
    "trace": "Hold a copy of the policy's document against the knowledge base.",
    "shapes": "Print one self-contained SHACL graph of a revision, for other engines.",
    "freeze": "Write the digest that a released revision must keep.",
    "export": "Write the knowledge base for any triple store, or load it into one.",
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and only lists its line of help before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"kb_tools.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="kb")
def kb() -> None:
    """Health-plan clinical policy as data.

    The tool states the status of a policy's criteria for a clinician to review. It never approves or denies.

    Exit codes: 0 all well; 1 the answer is no (a check fails, a case does not meet the criteria); 2 it could not run.
    """


def main() -> None:
    """Runs the command; an error of ours becomes one line on stderr and exit code 2."""
    try:
        kb()
    except KbError as error:
        click.echo(f"kb: {error}", err=True)
        sys.exit(2)
