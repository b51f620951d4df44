"""The ready questions: what each asks, its parameters, and its query."""

from __future__ import annotations

from typing import TypedDict

from kb_tools.ask.library import Question as Ready
from kb_tools.ask.library import find_question, questions
from kb_tools.ask.sparql import QueryError
from kb_tools.serve.view import NoPage, View


class Parameter(TypedDict):
    """A parameter of a question: what it is, of which type, and its default ("" where the query has its own)."""

    name: str
    type: str
    default: str
    meaning: str


class Question(TypedDict):
    """A ready question. `topic` is what it is about; `scope` is "revision" or "all": the graphs that it reads."""

    name: str
    title: str
    topic: str
    scope: str
    parameters: list[Parameter]
    query: str


class Questions(TypedDict):
    """The ready questions by name."""

    title: str
    questions: list[Question]


def data(view: View, target: str) -> Questions:
    """The content of the page of all questions."""
    return {"title": "Ready questions", "questions": [_question(found) for found in questions()]}


def one(view: View, target: str) -> Question:
    """The content of the page of one question.

    Raises:
        NoPage: there is none of that name; the error names one that is close.
    """
    try:
        return _question(find_question(target))
    except QueryError as error:
        raise NoPage(error.what, hint=error.hint) from None


def _question(found: Ready) -> Question:
    query = "\n".join(line for line in found.text.splitlines() if not line.startswith("#"))
    return {
        "name": found.name,
        "title": found.title,
        "topic": found.topic,
        "scope": found.scope,
        "parameters": [
            {"name": given.name, "type": given.type, "default": given.default, "meaning": given.meaning}
            for given in found.parameters
        ],
        "query": query.strip() + "\n",
    }
