"""JSON numbers as a case states them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from rdflib import Literal
from rdflib.namespace import XSD

from kb_tools.cases.fhir.r4 import Decimal
from kb_tools.cases.fhir.skipped import NOT_UNDERSTOOD, Skipped
from kb_tools.cases.form import Key
from kb_tools.cases.memo import KEPT

_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_XSD_INTEGER = XSD.integer
_INTEGER = re.compile(r"-?[0-9]+\.0+")


def number_literal(key: Key, value: Any, path: str) -> Literal:
    """A JSON number as a property takes it, digit for digit.

    Raises:
        Skipped: it is no number that the property takes.
    """
    integral = key.datatype == _XSD_INTEGER
    value = without_zeros(value) if integral else value
    if isinstance(value, bool) or not isinstance(value, int if integral else int | float):
        raise Skipped(NOT_UNDERSTOOD, "not a number that this finding can have", path)
    if not key.within(value):
        raise Skipped(NOT_UNDERSTOOD, "a number out of range", path)
    text = value.text if isinstance(value, Decimal) else str(value)
    if not _DECIMAL.fullmatch(text):
        raise Skipped(NOT_UNDERSTOOD, "a number in exponent notation", path)
    return _literal(text, isinstance(value, int))


@lru_cache(KEPT)
def _literal(text: str, is_integer: bool) -> Literal:
    return Literal(text, datatype=_XSD_INTEGER if is_integer else XSD.decimal, normalize=False)


def without_zeros(value: Any) -> Any:
    """A JSON number that is written with a fraction of zeros, as 2.0, as the integer that it is."""
    return int(value) if isinstance(value, Decimal) and _INTEGER.fullmatch(value.text) else value
