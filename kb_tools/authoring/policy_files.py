"""The files of a policy that a draft changes: their text, the prefixes of passages, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

from kb_tools.errors import KbError
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.rdf.edits import TurtleText
from kb_tools.writing import write_atomically


def prefix_of(policy: Policy, name: str) -> str:
    """A prefix for the passages of the new document: as those of other documents of the policy, with its month."""
    known = sorted(prefix for prefix, namespace in policy.own_prefixes.items() if namespace.endswith("/passage/"))
    stem = re.sub(r"\d+$", "", known[0]) if known else f"{re.sub(r'[^a-z]', '', policy.identifier.lower())}psg"
    year, month = name.split("-")
    for prefix in (f"{stem}{year[2:]}", f"{stem}{year[2:]}{month}", f"{stem}{year}{month}"):
        if policy.prefixes.get(prefix, f"{policy.iri}/{name}/passage/") == f"{policy.iri}/{name}/passage/":
            return prefix
    raise KbError(
        f"no prefix is left for the passages of {policy.identifier}/{name}",
        where=str(policy.folder / POLICY_FILE),
        hint="declare one by sh:declare",
    )


def text_of(path: Path) -> TurtleText:
    """A file to be edited; an empty one where there is none."""
    return TurtleText(path.read_text(encoding="utf-8") if path.is_file() else "", path)


def heading_of(path: Path) -> str:
    """The comment at the top of a file, which is to stay."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    return "".join(takewhile(lambda line: line.startswith("#"), lines))


def with_prefix(policy: Policy, prefix: str, namespace: str) -> str:
    """policy.ttl with a prefix declared."""
    text = text_of(policy.folder / POLICY_FILE)
    if policy.own_prefixes.get(prefix) != namespace:
        row = f'[ sh:prefix "{prefix}" ; sh:namespace "{namespace}"^^xsd:anyURI ]'
        text.append(f"<{policy.iri}> sh:declare {row} .", policy.prefixes)
    return text.text


def write(policy: Policy, changed: Mapping[Path, str]) -> None:
    """Writes all of the files, or none.

    Raises:
        KbError: one cannot be written.
    """
    try:
        write_atomically({path: text.encode() for path, text in changed.items()})
    except OSError as error:
        raise KbError(
            f"cannot be written: {error.strerror}", where=str(policy.folder), hint="check the folder"
        ) from None
