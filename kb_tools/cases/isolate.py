"""Gives every case of an input nodes of its own: the one door from any format to a case."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from rdflib import Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.case import ISOLATED, Case, is_term
from kb_tools.cases.digest import digest
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.namespaces import CASE

if TYPE_CHECKING:
    from kb_tools.cases.case import Statements, UnreadPayer
    from kb_tools.cases.record import Reading
    from kb_tools.model.repository import Repository
    from kb_tools.rdf.terms import Triple

# What a file says of each of its nodes, each statement once.
_About: TypeAlias = Mapping[Node, Iterable[tuple[URIRef, Node]]]

# What a case may have: nodes, and findings of one class and day, each of which is compared with every other. And how
# many times the statements of a file its cases may take together where they share nodes, beyond a first few.
MAX_NODES, MAX_ALIKE = 5_000, 100
MAX_SHARED, FIRST_FEW = 10, 100_000
_TYPE = RDF.type
_IS_A_CASE = (_TYPE, CASE.Case)
# How XML Schema writes numbers.
_NUMBERS = {
    XSD.integer: re.compile(r"[+-]?[0-9]+"),
    XSD.decimal: re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"),
}


@dataclass(frozen=True)
class Content:
    """What a reader of any format gives: all that one input says, or one part of it.

    Attributes:
        source: the file, as the user named it, with the line or the patient where there are several.
        triples: the statements, on the nodes of the file.
        places: of nodes without a name, where in the file they stand, if that is known.
        reading: the record of what was read, where there is one.
        notices: what a reader of a determination must know of the reading.
        part: which part of the input it is, in words without the name of a file; "" where it is all of it.
        root: the node of its only case, where all else is linked to it, each statement is given once, of a node without
            a name, and all numbers are such as XML Schema writes (`number_or_text`); None where that is not sure.
        unread_payer: a payer that it names and does not state, if there is one.
    """

    source: str
    triples: Iterable[Triple]
    places: Mapping[Node, str] = field(default_factory=dict)
    reading: Reading | None = None
    notices: tuple[str, ...] = ()
    part: str = ""
    root: Node | None = None
    unread_payer: UnreadPayer | None = None


def isolate(kb: Repository, content: Content, numbers: Iterator[int]) -> list[Case]:
    """The cases of what was read, each on nodes of its own, in order of their names.

    Args:
        numbers: gives each case its number; no two cases that are held together may have the same.

    Raises:
        UnreadableInput: it says something of a term of the vocabulary, holds no case, or one that is too large.
    """
    if content.root is not None:
        return [_isolated(content, content.root, _by_node(content.triples), next(numbers))]
    about = _about(kb, content)
    roots = [node for node, pairs in about.items() if _IS_A_CASE in pairs]
    if not roots:
        raise UnreadableInput("no case in this file", where=content.source, hint="a case is a node of class case:Case")
    # Blank nodes have no name to sort by: they keep the order of the file.
    named = sorted(roots, key=lambda root: str(root) if isinstance(root, URIRef) else "")
    room = FIRST_FEW + MAX_SHARED * sum(map(len, about.values()))
    cases = []
    for root in named:
        case = _isolated(content, root, about, next(numbers))
        room -= sum(map(len, case.about.values()))
        if room < 0:
            what = f"cases share so much that together they say more than {MAX_SHARED} times what the file says"
            raise UnreadableInput(what, where=content.source, hint="split the file, or give each case nodes of its own")
        cases.append(case)
    reached = {node for case in cases for node in case.names.values()}
    stray = sorted(
        {
            kb.curie(str(object_)) if (object_, None, None) in kb.ontology else "a term that no vocabulary has"
            for node, pairs in about.items()
            if node not in reached
            for predicate, object_ in pairs
            if predicate == _TYPE and is_term(object_)
        }
    )
    if stray:
        for case in cases:
            notice = f"The file also holds {', '.join(stray)} that no case is linked to: not read."
            case.notices = (*case.notices, notice)
    return cases


def _about(kb: Repository, content: Content) -> dict[Node, dict[tuple[URIRef, Node], None]]:
    """What is said of each node, each statement once: what a file says twice it says once.

    Raises:
        UnreadableInput: it says something of a term of the vocabulary.
    """
    about: dict[Node, dict[tuple[URIRef, Node], None]] = defaultdict(dict)
    for subject, predicate, object_ in content.triples:
        if subject not in about and is_term(subject):
            raise UnreadableInput(
                f"says something of {kb.curie(str(subject))}, a term of the vocabulary",
                where=content.source,
                hint="a case may use the vocabulary and not define it: remove the statement",
                unquoted="says something of a term of the vocabulary",
            )
        assert isinstance(predicate, URIRef)
        about[subject][predicate, number_or_text(object_)] = None
    return about


def _by_node(triples: Iterable[Triple]) -> dict[Node, list[tuple[URIRef, Node]]]:
    """What is said of each node, as it is given."""
    about: dict[Node, list[tuple[URIRef, Node]]] = defaultdict(list)
    for subject, predicate, object_ in triples:
        about[subject].append((predicate, object_))  # type: ignore[arg-type]
    return about


def _isolated(content: Content, root: Node, about: _About, number: int) -> Case:
    """One case, with all that its node leads to, on nodes that bear its number."""
    renamed: dict[Node, URIRef] = {}
    waiting: deque[Node] = deque()

    def own(node: Node) -> URIRef:
        if node not in renamed:
            # Without rdflib's look at each character: none of these is foreign.
            renamed[node] = str.__new__(URIRef, f"{ISOLATED}{number}:{len(renamed)}")
            waiting.append(node)
        return renamed[node]

    mine: Statements = {}
    case = own(root)
    while waiting:
        node = waiting.popleft()
        pairs = mine.setdefault(renamed[node], [])
        for pair in about.get(node, ()):
            predicate, object_ = pair
            keep = isinstance(object_, Literal) or is_term(object_) or predicate == _TYPE
            pairs.append(pair if keep else (predicate, own(object_)))
        if len(renamed) > MAX_NODES:
            what = f"a case of more than {MAX_NODES} nodes"
            raise UnreadableInput(what, where=content.source, hint="leave out what has nothing to do with the request")
    _check_alike(content.source, mine)
    iri = str(root) if isinstance(root, URIRef) else ""
    return Case(
        source=content.source,
        name=iri.rpartition("#")[2].rpartition("/")[2],
        iri=iri,
        node=case,
        about=mine,
        names={new: old for old, new in renamed.items()},
        notices=content.notices,
        places=content.places,
        reading=content.reading,
        position=content.part,
        digest=digest(case, mine),
        unread_payer=content.unread_payer,
    )


def _check_alike(source: str, about: Statements) -> None:
    """Refuses a case with too many findings of one class and day.

    Raises:
        UnreadableInput: it has.
    """
    if len(about) <= MAX_ALIKE:
        return
    kinds = Counter(
        (kind, day)
        for pairs in about.values()
        for predicate, day in pairs
        if predicate == CASE.date
        for named, kind in pairs
        if named == _TYPE
    )
    if any(count > MAX_ALIKE for count in kinds.values()):
        what = f"a case with more than {MAX_ALIKE} findings of one class and day"
        raise UnreadableInput(what, where=source, hint="state each finding once")


def number_or_text(node: Node) -> Node:
    """The node itself, or as a mere text what is stated to be a number and is none.

    Python takes more for a number than XML Schema does ("NaN", "1_000", digits of every script), and pySHACL ends where
    it compares "NaN" with a limit. A text it compares and refuses.
    """
    if type(node) is not Literal or node.datatype is None:
        return node
    pattern = _NUMBERS.get(node.datatype)
    return node if pattern is None or pattern.fullmatch(str(node)) else Literal(str(node))
