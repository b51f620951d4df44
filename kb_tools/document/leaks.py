"""Wording that the project shares with the policy's document, whose text is its owner's.

A run of eight words is shared wording; of the rows of code tables, whose descriptors are short and another owner's, a
run of five. The list of references is skipped: bibliographic data are facts.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rdflib import Literal

from kb_tools.document.unit import Unit
from kb_tools.model.repository import Repository

RUN, RUN_OF_CODE = 8, 5
# Larger files are data of another kind.
MAX_BYTES = 4 * 1024**2
_WORD = re.compile(r"[^\W_]+")
# The place in the document of each run of words.
Runs: TypeAlias = Mapping[tuple[str, ...], str]


@dataclass(frozen=True)
class Leak:
    """Shared wording: the file and line, or the statement, where the project has it; how many words; whose they are."""

    where: str
    words: int
    place: str


def leaks(kb: Repository, units: Sequence[tuple[Unit, str]], everywhere: bool = True) -> Iterator[Leak]:
    """Every run of words that a file of the project, or a literal of the knowledge base, shares with the document.

    Args:
        units: of the document, with their notations.
        everywhere: whether to look beyond the files of the knowledge base too.
    """
    prose = _runs((pair for pair in units if not _is_code(pair[0]) and pair[0].kind != "reference"), RUN)
    codes = _runs((pair for pair in units if _is_code(pair[0])), RUN_OF_CODE)
    for path in _files(kb.root):
        if not (everywhere or _is_kb(kb, path)):
            continue
        name = str(path.relative_to(kb.root))
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        found = [
            Leak(f"{name}:{text.count(chr(10), 0, at) + 1}", words, place)
            for at, words, place in _shared(text, prose, codes)
        ]
        yield from found
        if path.suffix == ".ttl" and not found:
            # A literal can be written so that its words do not show in the file.
            for subject, predicate, literal in kb.triples(path) if _is_kb(kb, path) else ():
                for _, words, place in _shared(str(literal), prose, codes) if isinstance(literal, Literal) else ():
                    yield Leak(f"{name}: {kb.curie(str(subject))} {kb.curie(str(predicate))}", words, place)


def _is_code(unit: Unit) -> bool:
    return unit.kind == "row" and bool(unit.label)


def _is_kb(kb: Repository, path: Path) -> bool:
    return path.relative_to(kb.root).parts[0] in ("ontology", "shapes", "policies")


def _runs(units: Iterable[tuple[Unit, str]], length: int) -> Runs:
    """Every run of that many words, also across the ends of sentences, with the place where it begins."""
    words = [(word.casefold(), place) for unit, place in units for word in _WORD.findall(unit.text)]
    return {tuple(word for word, _ in words[at : at + length]): words[at][1] for at in range(len(words) - length + 1)}


def _shared(text: str, prose: Runs, codes: Runs) -> Iterator[tuple[int, int, str]]:
    """Where in the text shared wording begins, how many words it has, and where in the document they stand."""
    found = [(match[0].casefold(), match.start()) for match in _WORD.finditer(text)]
    words = [word for word, _ in found]
    at = 0
    while at <= len(words) - RUN_OF_CODE:
        for length, runs in ((RUN, prose), (RUN_OF_CODE, codes)):
            if tuple(words[at : at + length]) in runs:
                end = at
                while tuple(words[end : end + length]) in runs:
                    end += 1
                yield found[at][1], end - at + length - 1, runs[tuple(words[at : at + length])]
                at = end + length - 2
                break
        at += 1


def _files(root: Path) -> Iterator[Path]:
    """The files of the project: those that git knows or would take, else all that are not hidden."""
    command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode(errors="replace")
        paths = [root / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in root.rglob("*") if not any(part[0] == "." for part in path.relative_to(root).parts)]
    for path in sorted(paths):
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            yield path
