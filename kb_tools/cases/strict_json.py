"""JSON read strictly: no key twice in an object, no NaN, no nesting without end, and one line for what is wrong."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kb_tools.errors import UnreadableInput
from kb_tools.rdf import nesting
from kb_tools.rdf.files import MAX_BYTES

_SYNTAX = "correct the syntax"


@dataclass(frozen=True)
class Dialect:
    """How a kind of file is read.

    Attributes:
        fraction, integer: what becomes of the text of a number.
        too_large, too_deep, several: what to do about a file like that; `several` about one with more than one value.
        shown: how an error shows a key; None where it must not, since it may tell of a person.
    """

    fraction: Callable[[str], Any]
    integer: Callable[[str], Any]
    too_large: str
    too_deep: str
    several: str = _SYNTAX
    shown: Callable[[str], str] | None = None


def load(
    data: bytes, where: str, dialect: Dialect, one_line: bool = False, slips: list[UnreadableInput] | None = None
) -> Any:
    """The value of a JSON text.

    Args:
        where: what errors name, with the line that is wrong.
        one_line: whether the text is one line of a file, and `where` names that already.
        slips: gets the errors after which reading can go on; without it, the first is raised.

    Raises:
        UnreadableInput: too large, not UTF-8, not JSON (NaN and infinity are not), nested too deeply, or a key stands
            twice in an object.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableInput(f"more than {MAX_BYTES // 2**20} MiB", where=where, hint=dialect.too_large)
    if not nesting.is_shallow(data) and nesting.too_deep_at(data, nesting.JSON) is not None:
        raise UnreadableInput("nested too deeply", where=where, hint=dialect.too_deep)

    def refuse(constant: str) -> None:
        raise UnreadableInput(f"{constant} is not a JSON number", where=where, hint="leave out what is unknown")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        found.clear()
        for key, value in pairs:
            if key in found:
                named = f"key {dialect.shown(key)}" if dialect.shown else "a key"
                what, unquoted = f"{named} twice in one object", "a key twice in one object"
                slip = UnreadableInput(what, where=where, hint="keep one", unquoted=unquoted)
                if slips is None:
                    raise slip
                slips.append(slip)
            found[key] = value
        return found

    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
        return json.loads(
            text, object_pairs_hook=once, parse_float=dialect.fraction, parse_int=dialect.integer, parse_constant=refuse
        )
    except UnicodeDecodeError as error:
        raise UnreadableInput("not UTF-8", where=where, hint="save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        place = where if one_line else f"{where}:{error.lineno}"
        hint = dialect.several if error.msg == "Extra data" and not one_line else _SYNTAX
        raise UnreadableInput(f"not valid JSON: {error.msg}, column {error.colno}", where=place, hint=hint) from error
    except ValueError as error:
        raise UnreadableInput("a number with too many digits", where=where, hint="correct the number") from error
