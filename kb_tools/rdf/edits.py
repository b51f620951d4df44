"""Small edits of Turtle files that leave all else as it is written: layout, comments and order.

Each edit is made on the text and then held against what was meant: the file must parse, and say just that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rdflib import BNode, Literal, URIRef

from kb_tools.errors import KbError, UnreadableInput
from kb_tools.rdf.files import TURTLE, parse
from kb_tools.rdf.terms import Triple

_DECLARATION = re.compile(r"(?im)^\s*@?prefix\s+([\w.-]*):\s*<([^<>\s]*)>")


def short(iri: URIRef, prefixes: Mapping[str, str]) -> str:
    """An IRI as Turtle writes it: with a prefix where one fits, else in angle brackets."""
    for prefix, namespace in sorted(prefixes.items(), key=lambda row: -len(row[1])):
        if iri.startswith(namespace) and re.fullmatch(r"[\w-][\w.-]*(?<!\.)", iri[len(namespace) :]):
            return f"{prefix}:{iri[len(namespace) :]}"
    return iri.n3()


class TurtleText:
    """The text of a Turtle file that is being edited.

    Args:
        text: what it says.
        path: of the file, for messages.
    """

    def __init__(self, text: str, path: Path) -> None:
        self.text = text
        self._path = path

    def append(self, block: str, prefixes: Mapping[str, str]) -> None:
        """Adds statements at the end, and before them the prefixes that they use and the file does not declare.

        Args:
            prefixes: all that there are, by name.
        """
        declared = dict(_DECLARATION.findall(self.text))
        used = [name for name in prefixes if re.search(rf"(?<![\w.<-]){re.escape(name)}:", block)]
        lines = [f"PREFIX {name}: <{prefixes[name]}>" for name in used if declared.get(name) != prefixes[name]]
        self.text = "\n".join([self.text.rstrip(), "", *lines, *([""] if lines else []), block.strip(), ""])

    def replace(self, subject: URIRef, predicate: URIRef, text: Literal, instead: str, triple: Triple | None) -> None:
        """Puts something in place of a statement whose object is a text.

        Args:
            instead: the Turtle of property and value that takes its place; "" removes it.
            triple: what that says; None where it is removed.

        Raises:
            KbError: it is written in a way in which it is not found.
        """
        others = [one for one in self._read(self.text) if one != (subject, predicate, text)]
        wanted = _nameless([*others, *([triple] if triple else [])])
        for start, end in self._written(predicate, text):
            for tail in (r"\s*;[ \t]*", r""):
                found = re.compile(tail).match(self.text, end)
                if found is None:
                    continue
                given = f"{instead} ;" if instead and found.end() > end else instead
                edited = _joined(self.text[:start], given, self.text[found.end() :])
                if self._says(edited, wanted):
                    self.text = edited
                    return
        raise KbError(
            f'the mark "{text}" of <{subject}> is not found as it is written',
            where=str(self._path),
            hint="remove it by hand",
        )

    def _written(self, predicate: URIRef, text: Literal) -> Iterator[tuple[int, int]]:
        """Where a property with this text stands, from its name to the end of the text."""
        names = [
            f"{re.escape(prefix)}:{re.escape(predicate[len(namespace) :])}"
            for prefix, namespace in _DECLARATION.findall(self.text)
            if predicate.startswith(namespace)
        ]
        value = re.escape(str(text)).replace(r"\ ", r"\s+")
        tag = f"@{text.language}" if text.language else ""
        pattern = rf'(?:{"|".join((*names, re.escape(f"<{predicate}>")))})\s+"{{1,3}}{value}"{{1,3}}{tag}'
        yield from ((found.start(), found.end()) for found in re.finditer(pattern, self.text))

    def _read(self, text: str) -> list[Triple]:
        return parse(text.encode(), TURTLE, str(self._path))

    def _says(self, edited: str, wanted: list[str]) -> bool:
        try:
            return _nameless(self._read(edited)) == wanted
        except UnreadableInput:
            return False


def _nameless(triples: Iterable[Triple]) -> list[str]:
    """Statements in order, without the names of blank nodes, which change from one reading to the next."""
    return sorted(" ".join("_:" if isinstance(term, BNode) else term.n3() for term in triple) for triple in triples)


def _joined(before: str, given: str, after: str) -> str:
    """The three parts; a line that is left empty goes."""
    line = before.rpartition("\n")[2]
    if not given and not line.strip() and after.partition("\n")[0].strip() == "":
        return before[: len(before) - len(line)] + after.partition("\n")[2]
    return before + given + after
