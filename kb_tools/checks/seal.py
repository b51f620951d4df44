"""The check that a released revision, and all that decides a case under it, is as it was when it was sealed."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from rdflib import BNode, Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.checks.core import Problem, name, problem_of, relative, revisions
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.rdf.terms import Triple
from kb_tools.revisions.reach import reached, since_sealed
from kb_tools.revisions.seal import MANIFEST, STATEMENTS, differing, digests, read_seal

# How many statements a message names of those removed, and of those added.
_MOST = 10
# Characters shown of a value, and how many of them before the first that differs.
_LONGEST, _BEFORE = 160, 20
# Literals that Turtle writes without quotes.
_BARE = {XSD.integer: r"[+-]?\d+", XSD.decimal: r"[+-]?\d*\.\d+", XSD.boolean: "true|false"}


def sealed(kb: Repository) -> Iterator[Problem]:
    """Revisions without a seal, seals that cannot be relied on, and what changed since a revision was sealed."""
    for policy, entry, where in revisions(kb):
        if entry.draft:
            continue
        try:
            seal, before = read_seal(policy.revision_folders[entry.name], entry.iri)
            now = since_sealed(before, reached(kb, policy, entry))
        except KbError as error:
            yield problem_of(kb, error, where)
            continue
        for layer in differing(seal.layers, digests(now)):
            yield Problem(
                where,
                f"differs from its seal in {layer.replace('-', ' ')}: {_difference(kb, before[layer], now[layer])}; "
                f"undo it, or state it as a new revision or condition; once reviewed, "
                f"kb freeze {policy.identifier}/{entry.name} --again",
            )
    for policy in kb.policies():
        folders = {path.parent for file in (MANIFEST, STATEMENTS) for path in policy.folder.glob(f"*/{file}")}
        for folder in sorted(folders - set(policy.revision_folders.values())):
            yield Problem(relative(kb, folder), "has a seal and no revision.ttl; restore it from version control")


# ---------------------------------------------------------------------- what changed


def _difference(kb: Repository, before: Iterable[Triple], now: Iterable[Triple]) -> str:
    """The statements that were removed and added, under the named node that each belongs to, in one line."""
    old, new = _Descriptions(kb, before), _Descriptions(kb, now)
    groups: list[str] = []
    left = {"-": _MOST, "+": _MOST}
    unshown: Counter[str] = Counter()
    for subject in sorted({*old.forms, *new.forms}):
        if old.forms.get(subject) == new.forms.get(subject):
            continue
        lines = _changed(old.statements[subject], new.statements[subject])
        shown = []
        for sign, line in lines:
            if left[sign]:
                left[sign] -= 1
                shown.append(f"{sign} {line}")
            else:
                unshown[sign] += 1
        if shown:
            groups.append(f"{subject} changed: {' '.join(shown)}")
        elif not lines:
            groups.append(f"{subject} changed: the same statements, spread otherwise over its unnamed nodes")
    groups += [f"and {unshown[sign]} more {word}" for sign, word in (("-", "removed"), ("+", "added")) if unshown[sign]]
    return "; ".join(groups) or "unnamed nodes that no named one leads to"


def _changed(old: Counter[tuple[str, str]], new: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each statement removed ("-") or added ("+"), those of one property side by side."""
    by_path: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"-": [], "+": []})
    for sign, more in (("-", old - new), ("+", new - old)):
        for path, value in sorted(more.elements()):
            by_path[path][sign].append(value)
    lines = []
    for path, values in sorted(by_path.items()):
        for sign, other in ("-+", "+-"):
            lines += [(sign, f"{path} {_excerpt(value, values[other])}") for value in values[sign]]
    return lines


def _length_in_common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1), min(len(one), len(other))
    )


def _excerpt(value: str, others: Iterable[str]) -> str:
    """A value, or of a long one the part in which it differs from what stands in its place."""
    if len(value) <= _LONGEST:
        return value
    start = max(0, max((_length_in_common(value, other) for other in others), default=0) - _BEFORE)
    end = start + _LONGEST
    return ("…" if start else "") + value[start:end] + ("…" if end < len(value) else "")


class _Descriptions:
    """What a graph says of each node with a name, the nodes without one that it leads to included.

    Canonical names of blank nodes cannot be compared: one statement changes many. So a statement of a node without a
    name counts as one of the named node above it, by the path that leads there.

    Attributes:
        statements: by subject, each path with the value at its end; a list is one value.
        forms: by subject, all that is said of it in one text, equal where two graphs say the same.
    """

    def __init__(self, kb: Repository, triples: Iterable[Triple]) -> None:
        self._kb = kb
        self._about: dict[Node, list[tuple[Node, Node]]] = defaultdict(list)
        for subject, predicate, object_ in triples:
            self._about[subject].append((predicate, object_))
        pointed_to = {object_ for pairs in self._about.values() for _, object_ in pairs}
        self.statements: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.forms: defaultdict[str, str] = defaultdict(str)
        roots = [node for node in self._about if isinstance(node, URIRef) or node not in pointed_to]
        for form, root in sorted((self._form(root, frozenset()), root) for root in roots):
            shown = name(kb, root)
            self.statements[shown].update(self._statements(root, "", frozenset([root])))
            self.forms[shown] += form

    def _form(self, node: Node, above: frozenset[Node]) -> str:
        """All statements about a node and what it leads to, whatever the names of blank nodes."""
        if node in above or (above and not isinstance(node, BNode)):
            return self._text(node)
        inner = above | {node}
        pairs = [f"{predicate} {self._form(object_, inner)}" for predicate, object_ in self._about.get(node, ())]
        return f"[{' ; '.join(sorted(pairs))}]"

    def _statements(self, node: Node, path: str, above: frozenset[Node]) -> Iterator[tuple[str, str]]:
        for predicate, object_ in self._about.get(node, ()):
            step = f"{path}/{self._text(predicate)}" if path else self._text(predicate)
            items = self._items(object_)
            below = [object_] if items is None else items
            unnamed = [
                inner for inner in below if isinstance(inner, BNode) and inner in self._about and inner not in above
            ]
            if items is not None:
                yield step, f"({' '.join(['', *map(self._text, items), ''])})"
            elif not unnamed:
                yield step, self._text(object_)
            for inner in unnamed:
                yield from self._statements(inner, step, above | {inner})

    def _items(self, node: Node) -> list[Node] | None:
        """The items of a list; None where it is no list, or not a well-formed one."""
        items: list[Node] = []
        seen: set[Node] = set()
        while node != RDF.nil:
            pairs = sorted(self._about.get(node, ()))
            if not isinstance(node, BNode) or node in seen or [link for link, _ in pairs] != [RDF.first, RDF.rest]:
                return None
            seen.add(node)
            items.append(pairs[0][1])
            node = pairs[1][1]
        return items

    def _text(self, node: Node) -> str:
        if isinstance(node, BNode):
            return "[…]" if node in self._about else "[]"
        if not isinstance(node, Literal):
            return self._kb.curie(str(node))
        if node.datatype and re.fullmatch(_BARE.get(node.datatype, r"(?!)"), str(node)):
            return str(node)
        kind = f"@{node.language}" if node.language else f"^^{self._kb.curie(node.datatype)}" if node.datatype else ""
        return json.dumps(str(node), ensure_ascii=False) + kind
