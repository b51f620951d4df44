"""How deep a text is nested, told before a parser sees it.

The parsers of pyoxigraph end the process at some thousands of levels, and its JSON-LD parser keeps a copy of all terms
of the contexts in force for every level. So both are bounded here. Brackets in strings, IRIs and comments do not count.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Levels of nesting that are read. A case has four, and a FHIR resource some fifteen.
MAX_DEPTH = 100
# Terms of the contexts of a JSON-LD file, times the levels of the file. At this size the parser takes some 150 MB.
MAX_TERMS_BY_DEPTH = 250_000

# A string that is not closed goes on to the end of its line, or of the file: the parser reads no further than that.
JSON = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|(?P<open>[\[{])|(?P<close>[\]}])', re.DOTALL)
TURTLE = re.compile(
    rb"(?P<open><<|[\[({])|(?P<close>>>|[\])}])"
    rb'|<(?:[^<>"\s\\]|\\.)*+>?'
    rb'|"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z)'
    rb"|'''(?:[^'\\]|\\.|'(?!''))*+(?:'''|\Z)"
    rb'|"(?:[^"\\\n\r]|\\.)*+"?'
    rb"|'(?:[^'\\\n\r]|\\.)*+'?"
    rb"|#[^\n\r]*+"
    rb"|\\.",
    re.DOTALL,
)
_OPENING = {JSON: (b"[", b"{"), TURTLE: (b"<<", b"[", b"(", b"{")}
# All bytes but the brackets of JSON, and the quotes that set strings apart.
_NO_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))


def too_deep_at(data: bytes, tokens: re.Pattern[bytes]) -> int | None:
    """Find the byte at which a text is nested more than MAX_DEPTH levels deep.

    Args:
        tokens: JSON or TURTLE (for N-Triples and TriG too).

    Returns:
        the position, or None where the text is nested less deeply.
    """
    if sum(map(data.count, _OPENING[tokens])) <= MAX_DEPTH:
        return None
    depth = 0
    for found in tokens.finditer(data):
        if found.lastgroup == "open":
            depth += 1
            if depth > MAX_DEPTH:
                return found.start()
        elif found.lastgroup == "close":
            depth = max(depth - 1, 0)
    return None


def is_shallow(data: bytes) -> bool:
    """Tell quickly whether a JSON text is surely nested at most MAX_DEPTH levels deep.

    Strings are cut out, and of the brackets those that close at once are taken away, over and over: a round takes away
    one level or two. What is not JSON may be taken for shallow only as far as a JSON parser reads it.

    Returns:
        False where that is not sure: then `too_deep_at` says it.
    """
    if b"\\" in data:
        data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    left = data.translate(None, _NO_STRUCTURE)
    # Two quotes side by side begin and end a string without brackets, or stand between two strings.
    left = b"".join(left.replace(b'""', b"").split(b'"')[::2])
    for _ in range(MAX_DEPTH // 2):
        if not left:
            return True
        left = left.replace(b"{}", b"").replace(b"[]", b"")
    return False


class _Object(list[tuple[str, Any]]):
    """A JSON object as its pairs: of a key that stands twice, both."""


def contexts_too_large(data: bytes) -> bool:
    """Tell whether the contexts of a JSON-LD text have too many terms for how deep the text is nested.

    Args:
        data: a text of at most MAX_DEPTH levels.

    Raises:
        ValueError: the text is not JSON in UTF-8.
    """
    if data.count(b":") * MAX_DEPTH <= MAX_TERMS_BY_DEPTH:
        return False
    waiting = [(json.loads(data.decode(), object_pairs_hook=_Object), 1, False)]
    terms = deepest = 0
    while waiting:
        value, depth, in_context = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(value, _Object):
            terms += len(value) if in_context else 0
            waiting.extend((member, depth + 1, in_context or key == "@context") for key, member in value)
        elif isinstance(value, list):
            waiting.extend((item, depth + 1, in_context) for item in value)
    return terms * deepest > MAX_TERMS_BY_DEPTH
