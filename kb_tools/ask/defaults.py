"""What a ready question asks for where nothing is given: its own default, or of another policy what stands there.

The queries of the library run as they stand in any store, and so name things of one policy. Where the policy that is
asked has no such thing, the first of its own is meant: its first indication, the first condition of that, its first
reference, the place of its first indication.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyoxigraph as ox

from kb_tools.ask.sparql import BASE, NothingNamed
from kb_tools.model.logic import LISTED_BY
from kb_tools.model.policy import FILLED_IN

if TYPE_CHECKING:
    from kb_tools.ask.bind import Chosen
    from kb_tools.ask.library import Parameter, Question
    from kb_tools.ask.names import Names
    from kb_tools.model.policy import Policy

POL = BASE + "policy#"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_FIRST, _REST, _NIL = (ox.NamedNode(_RDF + name) for name in ("first", "rest", "nil"))
_NOTATION = ox.NamedNode("http://www.w3.org/2004/02/skos/core#notation")
# The kinds of things that belong to a policy, as a parameter names them, beside those without a kind.
_OF_A_POLICY = {"pol:Criterion", "pol:Condition", "pol:Reference", "pol:Passage", "pol:section"}
_SHARED = tuple(f"{BASE}{name}" for name in ("policy#", "case#", "clinical#", "condition#", "shape#", "code/"))


class Defaults:
    """The defaults of questions for the policies that are asked.

    Args:
        names: of the things that may be meant.
        policies: all that are on file, by identifier.
        policy: the one that is asked; None where none is named.
        revisions: those of the default graph.
    """

    def __init__(
        self, names: Names, policies: Mapping[str, Policy], policy: Policy | None, revisions: Sequence[Chosen] = ()
    ) -> None:
        self.names = names
        self.owners = [policy] if policy else list(policies.values())
        self.entries = {owner.identifier: entry for owner, entry in revisions}

    def of(self, question: Question, parameter: Parameter, stated: Sequence[Any]) -> Sequence[Any]:
        """What a parameter is bound to that is not given.

        Args:
            stated: what the query itself binds it to.

        Raises:
            NothingNamed: that is of another policy, and the one asked has nothing of the kind.
        """
        if parameter.type == "revision":
            return self._revisions(question, parameter, stated)
        if not self._follows(parameter, stated) or any(self._has(term) for term in stated):
            return stated
        if found := next(self._own(parameter), None):
            return [found]
        what = f"question {question.name} asks for a {parameter.name}, and {self._named} has none"
        hint = f"name one of another policy with --policy, or with --param {parameter.name}=VALUE"
        raise NothingNamed(what, hint=hint)

    @property
    def _named(self) -> str:
        return self.owners[0].identifier if len(self.owners) == 1 else "no policy on file"

    def _follows(self, parameter: Parameter, stated: Sequence[Any]) -> bool:
        """Whether what is meant is something of a policy."""
        if parameter.kinds:
            return bool(_OF_A_POLICY & set(parameter.kinds))
        return any(isinstance(term, ox.NamedNode) and _is_of_a_policy(term.value) for term in stated)

    def _has(self, term: Any) -> bool:
        """Whether the policy that is asked speaks of it; of several, whether it is a thing of one of them."""
        if len(self.owners) == 1:
            (owner,) = self.owners
            graphs = [ox.NamedNode(iri) for iri in (owner.iri, *(entry.iri for entry in owner.history))]
            return any(self._stands(term, graph) for graph in graphs)
        return not _is_of_a_policy(term.value) or any(term.value.startswith(f"{one.iri}/") for one in self.owners)

    def _stands(self, term: Any, graph: ox.NamedNode) -> bool:
        store = self.names.store
        patterns = [(None, None, term), *([(term, None, None)] if isinstance(term, ox.NamedNode) else [])]
        return any(next(store.quads_for_pattern(*pattern, graph), None) is not None for pattern in patterns)

    def _own(self, parameter: Parameter) -> Iterator[Any]:
        """The things of the kind, those of the revision asked or else of the latest first."""
        for owner in self.owners:
            entry = self.entries.get(owner.identifier)
            for one in [entry] if entry else reversed(owner.released):
                if one.criteria_on_file:
                    yield from _Revision(self.names.store, one.iri).things(parameter.kinds)

    def _revisions(self, question: Question, parameter: Parameter, stated: Sequence[Any]) -> Sequence[Any]:
        """The revisions of a question that compares two: of the policy asked, the last two with criteria on file."""
        iris = {entry.iri for owner in self.owners for entry in owner.history}
        if question.scope != "all" or iris & {term.value for term in stated}:
            return stated
        for owner in self.owners:
            known = [entry for entry in owner.released if entry.criteria_on_file]
            if len(known) > 1:
                return [ox.NamedNode(known[-2 if parameter.name == "before" else -1].iri)]
        what = f"question {question.name} compares two revisions, and of {self._named} not two have criteria on file"
        raise NothingNamed(what, hint="name another policy with --policy; kb show lists what is on file")


def _is_of_a_policy(iri: str) -> bool:
    return iri.startswith(BASE) and not iri.startswith(_SHARED)


class _Revision:
    """What the graphs of a revision say of its things, read from the store: a query may open no file."""

    def __init__(self, store: ox.Store, iri: str) -> None:
        self._store, self._iri = store, ox.NamedNode(iri)
        self._graphs = (self._iri, ox.NamedNode(iri + FILLED_IN))

    def things(self, kinds: Collection[str]) -> Iterator[Any]:
        """Its things of the kinds of a parameter, the first of its document first."""
        indications = sorted(self._objects(self._iri, "indication"), key=lambda node: (self._order(node), str(node)))
        if "pol:Reference" in kinds:
            yield from sorted(self._objects(self._iri, "listsReference"), key=lambda node: self._number(node, "number"))
        elif "pol:Condition" in kinds:
            for indication in indications:
                yield from self._leaves(indication)
        elif {"pol:Passage", "pol:section"} & set(kinds):
            named = _NOTATION if "pol:Passage" in kinds else ox.NamedNode(f"{POL}section")
            for place in (place for one in indications for place in self._places(one)):
                yield from self._objects(place, named)
        else:
            yield from indications

    def _leaves(self, node: Any) -> Iterator[Any]:
        """The conditions of a tree, in its order."""
        lists = [head for listed in LISTED_BY.values() for head in self._objects(node, listed)]
        if not lists and isinstance(node, ox.NamedNode):
            yield node
        for head in lists:
            rest = head
            while rest != _NIL:
                for part in self._objects(rest, _FIRST):
                    yield from self._leaves(part)
                rest = next(self._objects(rest, _REST), _NIL)

    def _places(self, node: Any) -> list[Any]:
        return sorted(self._objects(node, "statedIn"), key=lambda place: self._number(place, "order"))

    def _order(self, node: Any) -> int:
        """The last of its places: a criterion under a heading stands in the heading too."""
        return max((self._number(place, "order") for place in self._places(node)), default=0)

    def _number(self, node: Any, link: str) -> int:
        return next((int(found.value) for found in self._objects(node, link) if found.value.isdecimal()), 0)

    def _objects(self, node: Any, link: str | ox.NamedNode) -> Iterator[Any]:
        predicate = ox.NamedNode(POL + link) if isinstance(link, str) else link
        for graph in self._graphs:
            yield from (quad.object for quad in self._store.quads_for_pattern(node, predicate, None, graph))
