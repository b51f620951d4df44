"""From an IRI to the address of its page: in the served workbench and in a folder of files, by one interface."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from posixpath import relpath
from typing import Protocol
from urllib.parse import quote, urlencode

from kb_tools.rdf.namespaces import BASE

# What may stand in a path as it is (RFC 3986, pchar and "/"), apart from what makes a path climb.
_SAFE = "/-._~!$&'()*+,;=:@"


def path_of(iri: str) -> str:
    """The path of the page of an IRI of ours, as "/clinical/Leukemia" of "…/clinical#Leukemia"."""
    return "/" + iri.removeprefix(BASE).replace("#", "/", 1)


class Links(Protocol):
    """Where the pages stand."""

    def page(self, path: str, **query: str) -> str:
        """The address of the page at a path, as "/" or "/search"."""

    def asset(self, name: str) -> str:
        """The address of a file of ours: the stylesheet, a script, an icon."""

    def data(self, path: str, format_: str) -> str:
        """The address of a page's data in another format."""

    def iri(self, iri: str) -> str:
        """The address of the page of an IRI: ours, or that of others on the web; "" where there is none."""


class ServedLinks:
    """Addresses in the workbench as it is served; they keep the day that the reader asked for."""

    def __init__(self, known: Collection[str], on: date | None) -> None:
        self.known = known
        self.on = on

    def page(self, path: str, **query: str) -> str:
        if self.on:
            query = {"on": self.on.isoformat(), **query}
        return quote(path, _SAFE) + (f"?{urlencode(query)}" if query else "")

    def asset(self, name: str) -> str:
        return f"/static/{name}"

    def data(self, path: str, format_: str) -> str:
        return self.page(path, format=format_)

    def iri(self, iri: str) -> str:
        return self.page(path_of(iri)) if iri in self.known else elsewhere(iri)


class SiteLinks:
    """Addresses in a folder of files, relative to the page that they stand on.

    Args:
        folders: the folder of each page, by the path of the page.
        here: the folder of the page on which the addresses stand.
    """

    def __init__(self, known: Collection[str], folders: Mapping[str, str], here: str) -> None:
        self.known = known
        self.folders = folders
        self.here = here

    def page(self, path: str, **query: str) -> str:
        return self._relative(f"{self.folders[path]}/index.html".lstrip("/"))

    def asset(self, name: str) -> str:
        return self._relative(f"static/{name}")

    def data(self, path: str, format_: str) -> str:
        from kb_tools.serve.formats import ENDINGS

        return self._relative(f"{self.folders[path]}/index.{ENDINGS[format_]}".lstrip("/"))

    def iri(self, iri: str) -> str:
        return self.page(path_of(iri)) if iri in self.known else elsewhere(iri)

    def _relative(self, file: str) -> str:
        return quote(relpath(file, self.here or "."), _SAFE)


def elsewhere(iri: str) -> str:
    """The IRI itself where a browser can follow it, else ""."""
    return iri if iri.startswith(("https://", "http://")) and not iri.startswith(BASE) else ""
