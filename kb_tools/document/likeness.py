"""How alike two texts are, by sketches that do not contain the texts."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from itertools import pairwise
from math import cos, pi

from kb_tools.document.digest import SYMBOLS

# --- likeness -----------------------------------------------------------------------------------------------------

_BITS = 128
_WORD = re.compile(r"[^\W_]+")


def sketch(text: str) -> str:
    """The similarity digest of a passage (SimHash, hex) over its words and pairs of words; see `alike`."""
    words = _WORD.findall(unicodedata.normalize("NFKC", SYMBOLS.sub("", text)).casefold())
    sums = [0] * _BITS
    for feature in (*words, *map(" ".join, pairwise(words))):
        bits = int.from_bytes(hashlib.sha256(feature.encode()).digest()[: _BITS // 8])
        for place in range(_BITS):
            sums[place] += 1 if bits >> place & 1 else -1
    return f"{sum(1 << place for place in range(_BITS) if sums[place] > 0):0{_BITS // 4}x}"


def alike(one: str, other: str) -> float:
    """How alike the passages of two sketches are: an estimate of the cosine of their words, 0 to 1."""
    differing = (int(one, 16) ^ int(other, 16)).bit_count()
    return max(0.0, cos(pi * differing / _BITS))
