"""What a file says, fit for a terminal, a log line and a document.

A name of a file, a label, a case's name or a value can hold characters that a terminal obeys (escape sequences), that
turn the direction of a line, or that end it. None of them is ever written as it is.
"""

from __future__ import annotations

import re

# Controls (C0, delete, C1), line and paragraph separators, controls of direction, and the halves of characters that
# stand for bytes of a name that is not UTF-8.
_CONTROL = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_OBEYED = re.compile(f"[{_CONTROL}]")
_OBEYED_IN_LINE = re.compile(f"[{_CONTROL}\\n\\t]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def text(value: str) -> str:
    """The text with what a terminal would obey replaced; line ends and tabs stay."""
    return _OBEYED.sub(_REPLACEMENT, value)


def line(value: str) -> str:
    """The text as part of one line: line ends and tabs are replaced as well."""
    if value.isprintable():
        return value
    return _OBEYED_IN_LINE.sub(_REPLACEMENT, value)


def escaped(written: str) -> str:
    """A text in JSON, Turtle or N-Triples with the same characters as \\u escapes, which stand for them there.

    Outside of strings and IRIs these languages have none of them.
    """
    # To Python, none of them is printable.
    if written.isprintable():
        return written
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
