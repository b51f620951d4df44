"""Quantities in the unit in which a case states them: converted by a library of UCUM where that is safe, else refused.

Safe is a conversion by an exact factor between units of one kind, as from pounds to kilograms. What needs to know more
than the units is refused: a mass is no amount of substance, and a ratio of one is not that of the other (48 mmol/mol of
HbA1c are 6.5 %, and not 4.8 %); months have no number of weeks; an annotation says what was counted.

Source: https://ucum.org/ucum; the factors are those of ucumvert.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from kb_tools.errors import KbError

# Pairs of units of which the factor is kept; decimal places of a number that every engine compares by its value.
_KEPT, _PLACES = 500, 18
# Months and years, which have no one number of days.
_OF_CALENDARS = re.compile(r"(?:mo|a)(?:_[jgst])?")
_TIME = {"[time]": 1}


class CannotConvert(Exception):
    """Why a quantity is not taken in another unit, in a few words without the number."""


def converted(number: Decimal, unit: str, wanted: str) -> Decimal:
    """The same quantity in another unit.

    Args:
        unit, wanted: codes of UCUM; of equal ones the number stays as it is.

    Raises:
        CannotConvert: it is not safe, or there is no exact decimal number for it.
        KbError: the library is not installed.
    """
    if unit == wanted:
        return number
    exact = Fraction(number) * _factor(unit, wanted)
    scaled = exact * 10**_PLACES
    if scaled.denominator != 1:
        raise CannotConvert(f"{unit} has no exact value in {wanted}")
    found = Decimal(scaled.numerator).scaleb(-_PLACES)
    # Without an exponent, and without zeros at the end.
    return found.quantize(Decimal(1)) if found == found.to_integral_value() else found.normalize()


@lru_cache(_KEPT)
def _factor(unit: str, wanted: str) -> Fraction:
    """How many of one unit another is.

    Raises:
        CannotConvert: it is not safe.
    """
    for code in (unit, wanted):
        if "{" in code:
            raise CannotConvert(f"{code} says what was counted, which is not converted")
    one, other = (_parsed(code) for code in (unit, wanted))
    dimensions = [dict(parsed.dimensionality) for parsed in (one, other)]
    if dimensions[0] != dimensions[1]:
        if _by_mass(dimensions[0]) == _by_mass(dimensions[1]):
            raise CannotConvert(f"{unit} is not converted into {wanted}: that takes the molar mass, which is not known")
        raise CannotConvert(f"{unit} is no unit of what {wanted} measures")
    if not dimensions[0]:
        raise CannotConvert(f"{unit} and {wanted} are ratios, which are not converted")
    if dimensions[0] == _TIME and len({bool(_OF_CALENDARS.fullmatch(code)) for code in (unit, wanted)}) > 1:
        raise CannotConvert(f"months and years have no one number of days, so {unit} is not converted into {wanted}")
    try:
        registry = _registry()
        amounts = [registry.Quantity(Fraction(size), one).to(other).magnitude for size in (1, 2)]
    except Exception as error:  # The library raises errors of many classes, and fails to put some into words.
        raise CannotConvert(f"{unit} is not converted into {wanted}") from error
    if not isinstance(amounts[0], Fraction) or amounts[1] != 2 * amounts[0] or amounts[0] <= 0:
        raise CannotConvert(f"{unit} is not converted into {wanted} by a factor")
    return amounts[0]


def _by_mass(dimensions: Mapping[str, float]) -> dict[str, float]:
    """The dimensions with an amount of substance told as its mass."""
    of_mass = dimensions.get("[mass]", 0) + dimensions.get("[substance]", 0)
    return {name: power for name, power in {**dimensions, "[mass]": of_mass, "[substance]": 0}.items() if power}


def _parsed(code: str) -> Any:
    try:
        return _registry().from_ucum(code)
    except KbError:
        raise
    except Exception as error:  # Likewise.
        raise CannotConvert(f"{code or 'none'} is not read as a unit of UCUM") from error


@cache
def _registry() -> Any:
    """The units of UCUM; loading them takes about half a second.

    Raises:
        KbError: the library is not installed.
    """
    try:
        from ucumvert import PintUcumRegistry
    except ImportError:
        raise KbError(
            "units are not converted: ucumvert is not installed", hint="pip install 'kb-tools[units]'"
        ) from None
    return PintUcumRegistry(non_int_type=Fraction)
