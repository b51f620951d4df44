"""What is done with a mark of a draft once a person has dealt with it, by small edits of the files that hold it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.term import Node

from kb_tools.document.left import PLACE, Draft, Left
from kb_tools.document.passages import REVIEWED
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


def accept(draft: Draft, wanted: Iterable[Left], left_out: str = "", as_is: bool = False) -> list[Path]:
    """Removes marks, and does what goes with each without a decision; all of them, or none.

    A place whose statements stand in the policy's own files (log, discrepancies) is added to these. A new passage must
    be stated by something, or left out. A statement that was to be read again must say something else than before, or
    be said to be right as it is.

    Args:
        left_out: a key of LEFT_OUT, where passages are to be left out as such.
        as_is: whether somebody read the document, and what is stated is right as it was.

    Returns:
        the files that were changed.

    Raises:
        KbError: a passage is stated by nothing and not left out, or is both; a statement says what it said before, and
            is not said to be right; or a file cannot be edited or written.
    """
    policy = draft.policy
    files = _Files()
    points: dict[Path, list[str]] = defaultdict(list)
    for one in wanted:
        _check(draft, one, left_out)
        if not as_is and says_what_it_said(draft, one):
            raise _unread(draft, one)
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


def says_what_it_said(draft: Draft, one: Left) -> bool:
    """Whether a statement that is to be read again is still word for word what it was in the edition before."""
    if draft.before is None or (one.kind not in REVIEWED and one.kind != "advisory"):
        return False
    before = draft.policy.own_graph(draft.before)
    return (one.iri, None, None) in before and _content(before, one.iri) == _content(draft.graph, one.iri)


def _unread(draft: Draft, one: Left) -> KbError:
    assert draft.before is not None
    name = short(one.iri, draft.policy.prefixes)
    why = one.task.removeprefix("Read again: ").rstrip(".")
    what = f"{name} says what it said in {draft.before.name}, and was to be read again: {why}"
    hint = "kb trace DOCUMENT shows the wording; edit the statement, or, if it is right, accept it with --as-is"
    return KbError(what, where=f"{draft.policy.identifier}/{draft.entry.name}, {one.place or name}", hint=hint)


# What is said of a statement anew with each edition: its mark, its places, and the number of a reference.
_OF_THE_EDITION = (POL.toDo, POL.statedIn, POL.number)


def _content(graph: Graph, node: Node) -> list[str]:
    """What a graph says of a node and of the nodes without names that it holds, in an order of its own."""
    said = ((p, o) for p, o in graph.predicate_objects(node) if p not in _OF_THE_EDITION)
    return sorted(f"{p} {_content(graph, o) if isinstance(o, BNode) else o.n3()}" for p, o in said)


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
