"""What the shell offers after Tab: policies, revisions, ready questions and their parameters.

Click asks these functions while a line is being typed. Whatever goes wrong then, nothing is offered and nothing is
printed: the command itself says what is wrong once it is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from click import Argument, Context, Parameter
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from kb_tools.model.policy import Policy


def policies(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the identifiers of the policies on file."""
    return _starting(incomplete, ((policy.identifier, "") for policy in _policies(ctx)))


def revisions(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the revisions of the policy named on the line, or of all; after `POLICY/` with that in front."""
    named = ctx.params.get("policy") or _first_argument(ctx, "policy")
    offered = (
        (f"{policy.identifier}/{entry.name}" if "/" in incomplete else entry.name, entry.label)
        for policy in _policies(ctx)
        if named in (None, policy.identifier)
        for entry in policy.history
    )
    return _starting(incomplete, offered)


def questions(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the ready questions, and query files of one's own."""
    from kb_tools.ask import library

    ready = _starting(incomplete, ((question.name, question.title) for question in library.questions()))
    return ready or [CompletionItem(incomplete, type="file")]


def parameters(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the parameters of the question named on the line, as NAME=."""
    from kb_tools.ask import library

    named = ctx.params.get("question") or _first_argument(ctx, "question")
    asked = (question for question in library.questions() if question.name == named)
    return _starting(
        incomplete,
        ((f"{parameter.name}=", parameter.meaning) for question in asked for parameter in question.parameters),
    )


def _first_argument(ctx: Context, name: str) -> str | None:
    """The first argument on the line, if the command calls it so.

    Where an option at the end of the line still lacks its value, Click has not yet told what is an argument.
    """
    arguments = (parameter.name for parameter in ctx.command.params if isinstance(parameter, Argument))
    return next(iter(ctx.args), None) if next(arguments, None) == name else None


def _policies(ctx: Context) -> Iterator[Policy]:
    """The policies of the knowledge base that the line names; none where it cannot be read."""
    from kb_tools.errors import KbError
    from kb_tools.model.repository import Repository, find_root

    root = ctx.params.get("root")
    with suppress(KbError, OSError):
        yield from Repository(find_root(Path(root) if root else None)).policies()


def _starting(incomplete: str, offered: Iterator[tuple[str, str]]) -> list[CompletionItem]:
    from kb_tools.errors import KbError

    with suppress(KbError, OSError):
        return [CompletionItem(name, help=meaning or None) for name, meaning in offered if name.startswith(incomplete)]
    return []
