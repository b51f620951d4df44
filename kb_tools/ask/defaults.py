"""What a ready question asks for where nothing is given: its own default, or of another policy what stands there.

The queries of the library run as they stand in any store, and so name things of one policy. Where the policy that is
asked has no such thing, the first of its own is meant: its first indication, the first condition of that, its first
reference, the place of its first indication.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyoxigraph as ox

from kb_tools.ask.sparql import BASE, NothingNamed

if TYPE_CHECKING:
    from kb_tools.ask.bind import Chosen
    from kb_tools.ask.library import Parameter, Question
    from kb_tools.model.policy import Policy

# The kinds of things that belong to a policy, as a parameter names them, beside those without a kind.
_OF_A_POLICY = {"pol:Criterion", "pol:Condition", "pol:Reference", "pol:Passage", "pol:section"}
_SHARED = tuple(f"{BASE}{name}" for name in ("policy#", "case#", "clinical#", "condition#", "shape#", "code/"))


class Defaults:
    """The defaults of questions for the policies that are asked.

    Args:
        policies: all that are on file, by identifier.
        policy: the one that is asked; None where none is named.
        revisions: those of the default graph.
    """

    def __init__(self, policies: Mapping[str, Policy], policy: Policy | None, revisions: Sequence[Chosen] = ()) -> None:
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
            return _speaks(self.owners[0], term)
        return not _is_of_a_policy(term.value) or any(term.value.startswith(f"{one.iri}/") for one in self.owners)

    def _own(self, parameter: Parameter) -> Iterator[Any]:
        """The things of the kind, those of the revision asked or else of the latest first."""
        from kb_tools.model.revision import Revision

        for owner in self.owners:
            entry = self.entries.get(owner.identifier)
            for one in [entry] if entry else reversed(owner.released):
                if one.criteria_on_file and owner.states_criteria(one):
                    yield from _things(Revision.load(owner, one), parameter)

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


def _speaks(policy: Policy, term: Any) -> bool:
    """Whether the files of a policy name a thing, or state a text, as it stands in the queries."""
    from rdflib import Literal, URIRef

    node = URIRef(term.value) if isinstance(term, ox.NamedNode) else Literal(term.value)
    folders = (policy.folder, *policy.revision_folders.values())
    paths = (path for folder in folders for path in policy.kb.files_in(folder))
    return any(node in (s, o) for path in paths for s, _, o in policy.kb.triples(path))


def _things(revision: Any, parameter: Parameter) -> Iterator[Any]:
    """The things of the kinds of a parameter that a revision has, the first of its document first."""
    kinds = set(parameter.kinds)
    if "pol:Reference" in kinds:
        listed = sorted(revision.references(), key=lambda reference: (reference.number, reference.iri))
        yield from (ox.NamedNode(reference.iri) for reference in listed)
    elif "pol:Condition" in kinds:
        yield from (ox.NamedNode(iri) for iri in revision.indication_tree.conditions())
    elif kinds & {"pol:Passage", "pol:section"}:
        for place in revision.indications[0].places:
            yield ox.Literal(place.notation if "pol:Passage" in kinds else place.section)
    else:
        yield from (ox.NamedNode(indication.iri) for indication in revision.indications)
