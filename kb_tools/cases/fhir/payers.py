"""By which names and numbers the payers on file are known, as their policies state them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property

from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.repository import Repository

# What identifies a payer: the system that issues a number, and the number.
Identifier = tuple[str, str]


class Payers:
    """Finds the payers of the policies on file by what others call them."""

    def __init__(self, kb: Repository) -> None:
        self._kb = kb

    def found(self, names: Iterable[str], identifiers: Iterable[Identifier]) -> frozenset[str]:
        """The IRIs of the payers that go by one of the names, in whatever case and spacing, or by one of the numbers.

        A name is compared as a whole: one that merely contains another is another's.
        """
        by_name, by_identifier = self._known
        matched: list[set[str]] = [by_name.get(_plain(name), set()) for name in names]
        matched += [by_identifier.get(identifier, set()) for identifier in identifiers]
        return frozenset[str]().union(*matched)

    def label(self, payer: str) -> str:
        """What a payer on file is called."""
        return self._labels[payer]

    @cached_property
    def _known(self) -> tuple[dict[str, set[str]], dict[Identifier, set[str]]]:
        by_name: dict[str, set[str]] = defaultdict(set)
        by_identifier: dict[Identifier, set[str]] = defaultdict(set)
        for policy in self._kb.policies():
            # Of a policy that cannot be read, whoever asks for it is told.
            with suppress(KnowledgeBaseError):
                for name in policy.payer_names if policy.payer else ():
                    by_name[_plain(name)].add(policy.payer)
                for identifier in policy.payer_identifiers:
                    by_identifier[identifier].add(policy.payer)
                self._labels.setdefault(policy.payer, policy.payer_label)
        return by_name, by_identifier

    @cached_property
    def _labels(self) -> dict[str, str]:
        return {}


def _plain(name: str) -> str:
    """A name without what differs from one writing of it to the next: capitals and spacing."""
    return " ".join(name.split()).casefold()
