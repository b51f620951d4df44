"""The items of an answered form (QuestionnaireResponse), which name terms by their linkId."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.resource import Resource

# An item, and the group of the finding that it belongs to, if it belongs to one.
Item = tuple[Element, Element | None]


def items_of(form: Resource, kinds: Collection[str]) -> Iterator[Item]:
    """All items of a form, also those within items and within answers.

    Args:
        kinds: the linkIds of the groups that are findings.
    """
    return _within(form.root.all("item"), kinds, None)


def _within(items: Sequence[Element], kinds: Collection[str], group: Element | None) -> Iterator[Item]:
    for item in items:
        own = item if item.text("linkId") in kinds else group
        yield item, own
        for part in (item, *item.all("answer")):
            yield from _within(part.all("item"), kinds, own)


def is_of_a_part(item: Element, parts: Collection[str]) -> bool:
    """Whether an item asks for what the request, the plan or a product is.

    Args:
        parts: the names under which answers state these.
    """
    name = item.text("linkId")
    return "/" in name and name.partition("/")[0] in parts
