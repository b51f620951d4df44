"""Answers that are kept, since they depend on nothing but what was asked and there is much asked again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

# How many answers of one method are kept for one object: more than a plan uses codes, and some megabytes.
KEPT = 20_000

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def remembered(method: Callable[Concatenate[Any, _Asked], _Answer]) -> cached_property[Callable[_Asked, _Answer]]:
    """Keep the answers of a method, for each object apart; of too many, those not asked for longest are dropped.

    Args:
        method: one whose answer depends on its arguments alone, which can be hashed, and is never changed by who asks.
    """

    def of_object(self: Any) -> Callable[_Asked, _Answer]:
        return cast(Callable[_Asked, _Answer], lru_cache(KEPT)(partial(method, self)))

    return cached_property(of_object)
