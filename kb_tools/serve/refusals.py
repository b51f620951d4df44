"""What a client is told of an error: the status, one line, and the headers; never where the files lie."""

from __future__ import annotations

from typing import NamedTuple

from kb_tools.errors import Busy, Changed, KbError, KnowledgeBaseError, Unrecorded
from kb_tools.serve.view import NoPage, without_options


class Refusal(NamedTuple):
    """How an error is answered."""

    status: int
    text: str
    headers: dict[str, str]


def refusal(error: KbError) -> Refusal:
    """How an error is answered: what the knowledge base lacks is no fault of the client."""
    if isinstance(error, NoPage):
        return Refusal(404, without_options(str(error)), {})
    if isinstance(error, Busy):
        return Refusal(503, str(error), {"Retry-After": str(error.seconds)})
    if isinstance(error, Unrecorded):
        # Nor with where the records lie.
        return Refusal(503, error.without_input(), {"Retry-After": "30"})
    if isinstance(error, KnowledgeBaseError):
        # Not with the file, whose path is nobody else's business.
        return Refusal(503 if isinstance(error, Changed) else 500, f"{error.what}; {error.hint or 'run kb check'}", {})
    return Refusal(400, without_options(str(error)), {})
