"""What the case shapes and the vocabularies say to people who write data, in the words of the form."""

from __future__ import annotations

import re

from kb_tools.model.repository import Repository

# What a form shows by itself: the type of a value, the list from which it is, the class of an object. Then what stands
# in the place of each.
_SHOWN = (
    (re.compile(r'"([^"]*)"\^\^xsd:\w+'), r"\1"),
    (re.compile(r",? as xsd:\w+(?: without a time zone)?"), ""),
    (re.compile(r"(?:,? one of the|from the) concepts of [a-z]+:\w+"), "from the list"),
    (re.compile(r", a [a-z]+:[A-Z]\w*"), ""),
)
# What a reader wrote is quoted as it is.
_TERM = re.compile(r"(?<!\")\b([a-z]+):([A-Za-z]\w*)")
_REVISION = re.compile(r"--revision (\S+)")
# Where a policy is chosen: an option of the command, a list on the page.
_POLICY = re.compile(r"choose with --policy: (.*?)(?:, or all)?$")


def in_form(kb: Repository, text: str) -> str:
    """A text with fields and values by the names that the form gives them, without how data are written."""
    for found, shown in _SHOWN:
        text = found.sub(shown, text)

    def named(match: re.Match[str]) -> str:
        label = kb.labels.get(kb.prefixes.get(match[1], "") + match[2])
        return f"“{label}”" if label else match[0]

    chosen = _POLICY.sub(r"choose under “Determine under”: \1", text)
    return _REVISION.sub(r"revision \1", _TERM.sub(named, chosen))
