"""Follows the references of FHIR resources to each other."""

from __future__ import annotations

import re
from functools import lru_cache

from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.memo import KEPT

_TYPE_AND_ID = re.compile(r"[A-Za-z]+/[A-Za-z0-9.-]{1,64}")


class References:
    """Follows references within the resources of one case."""

    def __init__(self, resources: list[Resource]) -> None:
        """Prepares following; of resources of one name the first is found."""
        # By where a reference stands, as far as that matters, and what it says.
        self._known: dict[tuple[str, str], Resource | None] = {}
        self._by_url: dict[str, Resource] = {}
        self._by_name: dict[str, list[Resource]] = {}
        for resource in resources:
            if resource.url:
                self._by_url.setdefault(unversioned(resource.url), resource)
            if resource.id:
                self._by_name.setdefault(f"{resource.type}/{resource.id}", []).append(resource)

    def follow(self, within: Resource, reference: Element | None) -> Resource | None:
        """The resource that a Reference leads to; None where it leads nowhere in the input, or to either of two."""
        text = unversioned(reference.text("reference")) if reference else ""
        holder = within.container or within
        if text.startswith("#"):
            return next((inner for inner in holder.contained if inner.id == text[1:]), None)
        key = holder.url, text
        if key not in self._known:
            self._known[key] = self._find(within, text)
        return self._known[key]

    def _find(self, within: Resource, text: str) -> Resource | None:
        url = self.with_server(within, text)
        found = self._by_url.get(url)
        if found is not None:
            return found
        named = self._by_name.get(last_two(text), [])
        urls = {unversioned(resource.url) for resource in named if "://" in resource.url}
        if "://" in url:
            # Another server's resource of that type and id is another resource.
            return next((resource for resource in named if "://" not in resource.url), None)
        return named[0] if named and len(urls) < 2 else None

    @staticmethod
    def with_server(within: Resource, reference: str) -> str:
        """A reference with its server: one that names none is of the server that the resource is from."""
        url = unversioned((within.container or within).url)
        if "://" not in url:
            return reference
        name = last_two(url)
        if "://" in reference or reference.startswith(("urn:", "#")) or not name:
            return reference
        return url.removesuffix(name) + reference


@lru_cache(KEPT)
def last_two(reference: str) -> str:
    """A reference as type and id, whatever server and version it names: "Patient/1"; "" for one of another form."""
    found = _TYPE_AND_ID.fullmatch("/".join(unversioned(reference).rsplit("/", 2)[-2:]))
    return found[0] if found else ""


def unversioned(reference: str) -> str:
    """A reference, or the URL of a resource, without the version that it names."""
    return (reference.rpartition("/_history/")[0] if "/_history/" in reference else "") or reference
