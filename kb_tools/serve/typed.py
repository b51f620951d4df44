"""The TypedDict of which a JSON Schema can be made: before Python 3.12 that of typing keeps too little."""

import sys

if sys.version_info >= (3, 12):
    from typing import TypedDict
else:
    from typing_extensions import TypedDict

__all__ = ["TypedDict"]
