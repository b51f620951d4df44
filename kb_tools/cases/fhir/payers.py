"""By which names and numbers the payers on file are known, as their policies state them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.repository import Repository

# What identifies a payer: the system that issues a number, and the number.
Identifier = tuple[str, str]


@dataclass(frozen=True)
class Meant:
    """Whom names and numbers mean.

    Attributes:
        payers: the IRIs of those on file whom they mean.
        another: whether they also mean someone else: a second one on file, or one that no policy on file is of.
    """

    payers: frozenset[str] = frozenset()
    another: bool = False

    def and_also(self, other: Meant) -> Meant:
        """Whom this means together with what else is said of the same payer."""
        if not (self.payers and other.payers):
            return Meant(self.payers | other.payers, self.another or other.another)
        both = self.payers & other.payers
        return Meant(both or self.payers | other.payers, self.another or other.another or not both)


class Payers:
    """Finds the payers of the policies on file by what others call them."""

    def __init__(self, kb: Repository) -> None:
        self._kb = kb

    def meant(self, names: Iterable[str], identifiers: Iterable[Identifier]) -> Meant:
        """Whom the names and the numbers mean that stand together, as those of one organization.

        A name is compared as a whole: one that merely contains another is another's. One name or number on file is
        enough: an organization has other names too. A number that is not on file means another payer where policies on
        file state numbers of its system, and says nothing where they state none.
        """
        by_name, by_identifier = self._known
        named = [by_name.get(same_name(name), set()) for name in names]
        numbered = [by_identifier.get(one, set()) for one in identifiers if one[0] in self._systems]
        found = Meant()
        for payers in filter(None, [*named, *numbered]):
            found = found.and_also(Meant(frozenset(payers)))
        unknown = not all(numbered) or (bool(named) and not found.payers)
        return Meant(found.payers, found.another or unknown)

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
                    by_name[same_name(name)].add(policy.payer)
                for identifier in policy.payer_identifiers:
                    by_identifier[identifier].add(policy.payer)
                self._labels.setdefault(policy.payer, policy.payer_label)
        return by_name, by_identifier

    @cached_property
    def _systems(self) -> frozenset[str]:
        """The systems of which policies on file state numbers."""
        return frozenset(system for system, _ in self._known[1])

    @cached_property
    def _labels(self) -> dict[str, str]:
        return {}


def same_name(name: str) -> str:
    """A name without what differs from one writing of it to the next: capitals and spacing."""
    return " ".join(name.split()).casefold()
