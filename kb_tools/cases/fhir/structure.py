"""Whether a resource surely has the structure that the library defines: a quick answer for what is valid.

The library builds an object for every element to find that out. Here its tables (`elementProperties`) are held as
dictionaries, and a resource is walked once. What is not surely valid is left to the library, which alone refuses and
says why: an element that is not in a table, of another type, null, an extension of a primitive value, one contained.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property, lru_cache, partial
from typing import Any

from kb_tools.cases.fhir.r4 import library_class
from kb_tools.cases.memo import KEPT

_Check = Callable[[Any], bool]
# What is held to more than its structure: it can change what a resource means, or is a resource itself.
_LEFT_TO_OTHERS = ("contained", "modifierExtension", "implicitRules")


def is_surely_valid(type_: str, content: dict[str, Any]) -> bool:
    """Tell whether the library surely takes a resource, and nothing in it changes what it means.

    Args:
        type_: the type that the resource says it is of.

    Returns:
        False where that is not sure.
    """
    structure = _of_type(type_)
    return structure is not None and structure.surely_holds(content)


@cache
def _of_type(type_: str) -> Structure | None:
    """The structure of a type of resource; None where the library does not have the type."""
    try:
        class_ = library_class(type_)
    except (ImportError, AttributeError):
        return None
    return _of_class(class_) if class_.resource_type == type_ else None


@cache
def _of_class(class_: Any) -> Structure:
    return Structure(class_)


class Structure:
    """The structure of one class of the library: a type of resource, or of elements."""

    def __init__(self, class_: Any) -> None:
        self._class = class_

    def surely_holds(self, content: Any) -> bool:
        """Whether a JSON value is surely an object of the class."""
        if type(content) is not dict:
            return False
        types, checks, required, choices = self._tables
        for name, value in content.items():
            type_ = types.get(name)
            if type_ is not None:
                if type(value) is not type_:
                    return False
            elif name not in checks or not checks[name](value):
                return False
        if required and not all(map(content.__contains__, required)):
            return False
        return not choices or not any(map(content.keys().isdisjoint, choices))

    @cached_property
    def _tables(self) -> tuple[dict[str, type], dict[str, _Check], frozenset[str], list[frozenset[str]]]:
        return self._types, self._checks, self._required, self._choices

    @cached_property
    def _types(self) -> dict[str, type]:
        """By the name of an element that is one value of a type of Python, that type."""
        elements = self._class().elementProperties()
        return {
            name: type_
            for _, name, type_, is_list, _, _ in elements
            if not is_list and type_ in (str, bool, int) and name not in _LEFT_TO_OTHERS
        }

    @cached_property
    def _checks(self) -> dict[str, _Check]:
        """By the name of an element what its value is held to; made when it is needed: types hold each other."""
        checks = {
            name: _check_of(type_, is_list)
            for _, name, type_, is_list, _, _ in self._class().elementProperties()
            if name not in _LEFT_TO_OTHERS
        }
        if hasattr(self._class, "relativeBase"):
            # A resource says its type; an element of a resource should not.
            checks["resourceType"] = self._class.resource_type.__eq__
        return checks

    @cached_property
    def _required(self) -> frozenset[str]:
        """The elements that must be there, apart from choices."""
        elements = self._class().elementProperties()
        return frozenset(name for _, name, _, _, choice, is_required in elements if is_required and not choice)

    @cached_property
    def _choices(self) -> list[frozenset[str]]:
        """Of each choice of types of which one must be there, the elements."""
        elements = self._class().elementProperties()
        needed = {choice for *_, choice, is_required in elements if choice and is_required}
        return [frozenset(name for _, name, _, _, choice, _ in elements if choice == one) for one in sorted(needed)]


def _check_of(type_: Any, is_list: bool) -> _Check:
    """What the value of an element is held to."""
    if not hasattr(type_, "with_json_and_owner"):
        check: _Check = _PRIMITIVES.get(type_, _never)
    elif hasattr(type_, "elementProperties"):
        check = _of_class(type_).surely_holds
    else:
        check = partial(_is_text_that, lru_cache(KEPT)(partial(_is_date, type_)))
    return partial(_is_list_of, check) if is_list else check


def _is_list_of(check: _Check, value: Any) -> bool:
    return type(value) is list and all(map(check, value))


def _is_text_that(check: _Check, value: Any) -> bool:
    return type(value) is str and check(value)


def _is_date(type_: Any, text: str) -> bool:
    """Whether the library takes a text as one of its types of dates and times."""
    try:
        type_(text)
    except Exception:
        return False
    return True


def _never(_: Any) -> bool:
    return False


# JSON values as the types of Python that the library has for them.
_PRIMITIVES: dict[Any, _Check] = {
    str: lambda value: type(value) is str,
    bool: lambda value: type(value) is bool,
    int: lambda value: type(value) is int,
    float: lambda value: isinstance(value, int | float),
}
