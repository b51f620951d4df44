"""What is done with a mark of a draft once a person has dealt with it, by small edits of the files that hold it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from rdflib import Literal, URIRef

from kb_tools.document.left import PLACE, Draft, Left
from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.rdf.edits import TurtleText, short
from kb_tools.rdf.namespaces import POL
from kb_tools.writing import write_atomically

# Why a passage may be left out: what states nothing of the policy.
LEFT_OUT = {
    "navigation": POL.Navigation,
    "boilerplate": POL.Boilerplate,
    "background": POL.BackgroundText,
    "legal-notice": POL.LegalNotice,
}


def accept(draft: Draft, wanted: Iterable[Left], left_out: str = "") -> list[Path]:
    """Removes marks, and does what goes with each without a decision; all of them, or none.

    A place whose statements stand in the policy's own files (log, discrepancies) is added to these. A new passage must
    be stated by something, or left out.

    Args:
        left_out: a key of LEFT_OUT, where passages are to be left out as such.

    Returns:
        the files that were changed.

    Raises:
        KbError: a passage is stated by nothing and not left out, or is both; or a file cannot be edited or written.
    """
    policy = draft.policy
    files = _Files()
    points: dict[Path, list[str]] = defaultdict(list)
    for one in wanted:
        _check(draft, one, left_out)
        instead, triple = "", None
        if left_out:
            reason = LEFT_OUT[left_out]
            instead = f"pol:accountedAs {short(reason, policy.prefixes)}"
            triple = (one.iri, POL.accountedAs, reason)
        files.of(one.path).replace(one.iri, POL.toDo, Literal(one.task, lang="en"), instead, triple)
        for statement in () if left_out else one.shared:
            names = (short(statement, policy.prefixes), short(one.iri, policy.prefixes))
            points[_file_of(policy, statement)].append(f"{names[0]} pol:statedIn {names[1]} .")
    for path, lines in points.items():
        heading = f"# Places in the document of revision {draft.entry.name}."
        text = files.of(path)
        text.append("\n".join(lines if heading in text.text else [heading, *lines]), policy.prefixes)
    return files.write()


def _check(draft: Draft, one: Left, left_out: str) -> None:
    where = f"{draft.policy.identifier}/{draft.entry.name}, {one.place or one.iri}"
    stated = (None, POL.statedIn, one.iri) in draft.graph or (None, POL.statedIn, one.iri) in draft.policy.shared
    if one.kind == "log row" and (one.iri, POL.says, None) not in draft.policy.shared:
        raise KbError("says nothing yet", where=where, hint="give it pol:says, statement by statement")
    if left_out and (one.kind != PLACE or stated or one.shared):
        what = "is no passage" if one.kind != PLACE else "is stated"
        raise KbError(f"{what}, so it cannot be left out", where=where, hint="accept it without --as")
    if one.kind == PLACE and not (left_out or stated or one.shared) and not _accounted(draft, one.iri):
        raise KbError(
            "nothing states it",
            where=where,
            hint=f"point to it by pol:statedIn, or leave it out with --as {', --as '.join(LEFT_OUT)}",
        )


def _accounted(draft: Draft, passage: URIRef) -> bool:
    return (passage, POL.accountedAs, None) in draft.graph


def _file_of(policy: Policy, statement: URIRef) -> Path:
    """The policy's own file that says most of a statement."""
    said = {
        path: sum(subject == statement for subject, _, _ in policy.kb.triples(path))
        for path in policy.kb.files_in(policy.folder)
    }
    return max(said, key=lambda path: said[path])


class _Files:
    """Files that are being edited, each read once."""

    def __init__(self) -> None:
        self._texts: dict[Path, TurtleText] = {}

    def of(self, path: Path) -> TurtleText:
        if path not in self._texts:
            self._texts[path] = TurtleText(path.read_text(encoding="utf-8"), path)
        return self._texts[path]

    def write(self) -> list[Path]:
        try:
            write_atomically({path: text.text.encode() for path, text in self._texts.items()})
        except OSError as error:
            where = str(error.filename or next(iter(self._texts)))
            raise KbError(f"cannot be written: {error.strerror}", where=where, hint="check the folder") from None
        return sorted(self._texts)
