"""What goes wrong, as an agent is told: what to do in the words of the tools, and nothing of what was given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kb_tools import printable
from kb_tools.cases.plain import SEE_SCHEMA
from kb_tools.errors import KbError
from kb_tools.serve.case.assess import Slip

# What commands are called here.
_HERE = {
    SEE_SCHEMA: "case_template shows what each key takes",
    "kb case schema": "the resource kb://case-schema",
    "kb query lists them; a file is named with its .rq": "list_questions lists them",
}
_OPTION = re.compile(r"--(?:param (?P<parameter>\w+)=\w*|(?P<given>revision) YYYY-MM|(?P<option>[a-z][a-z-]*))")
# How a query's own names are spoken of in the notes of its answer.
_IN_NO_STATEMENT, _NO_GRAPH = " appears in no statement here", "no such graph is on file"


def here(text: str) -> str:
    """A text of the commands in the words of the tools."""
    for said, instead in _HERE.items():
        text = text.replace(said, instead)
    return _OPTION.sub(_argument, text)


def _argument(option: re.Match[str]) -> str:
    """What an option of a command is called here."""
    given = option["parameter"] or option["given"]
    return f"give {given}" if given else option["option"].replace("as-of", "asOf")


def of_error(error: KbError) -> str:
    """What is wrong, and what to do."""
    return here(error.without_input())


def of_slips(slips: Iterable[Slip]) -> str:
    """What is wrong with a case, a line for each thing."""
    lines = [f"- {slip['place']}: {slip['text']}" if slip["place"] else f"- {slip['text']}" for slip in slips]
    first = "The case is not determined. Correct how it is written, never what it says:"
    return here("\n".join([first, *map(printable.line, lines)]))


def notes(lines: Iterable[str], given: Mapping[str, str]) -> list[str]:
    """What is to be known of an answer, without the values that were given for parameters and the names of a query."""
    told: list[str] = []
    unknown = 0
    for line in lines:
        if line.endswith(_IN_NO_STATEMENT) or _NO_GRAPH in line:
            unknown += 1
            continue
        for value in given.values():
            line = line.replace(ascii(value), "the value given")  # noqa: PLW2901
        told.append(here(line))
    if unknown:
        named = "an IRI or graph" if unknown == 1 else f"{unknown} IRIs or graphs"
        told.append(f"the query names {named} of which nothing is said here: check the spelling")
    return told
