"""Which policies a case is determined under: the one that is asked for, every one, or the one that the case names.

A request names a policy by a service or a billing code that the policy states with pol:namedBy; where the coverage
states its payer, only policies of that payer (pol:payer) are named. Where a case names none of several policies on
file, or more than one, none is taken: a wrong guess could harm a patient. A policy that is asked for is taken whatever
the case names, and a notice says so where the coverage states another payer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rdflib.term import Node

from kb_tools.cases.case import Case
from kb_tools.errors import KbError, UnknownRevision
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.soundness import skip_broken, skip_or_raise
from kb_tools.rdf.namespaces import CASE

# The word that asks for every policy on file.
ALL = "all"
# So many policies are listed in a message.
_FEW = 12


class PolicyChoice:
    """Chooses the policies under which cases are determined.

    Attributes:
        policies: those to choose among.
        every: whether each case is determined under all of them.
    """

    def __init__(
        self,
        policies: Iterable[Policy],
        every: bool = False,
        asked_for: bool = True,
        others: Iterable[Policy] = (),
    ) -> None:
        """Prepare the choice.

        Args:
            asked_for: whether a single policy is asked for; else it is the only one, or the one that KB_POLICY names,
                which is not meant where the coverage states another payer.
            others: those to choose among then.
        """
        self.policies: tuple[Policy, ...] = tuple(policies)
        self.every = every
        self._asked_for = asked_for
        self._among = tuple(others) or self.policies
        self._named_by: dict[str, list[Policy]] | None = None

    @property
    def only(self) -> Policy | None:
        """The policy of every case; None where cases differ, or are determined under several."""
        return self.policies[0] if len(self.policies) == 1 and not self.every else None

    def having(self, revision: str | None) -> PolicyChoice:
        """The choice among those of the policies that have a revision; all of them where none is named.

        Raises:
            UnknownRevision: none has it.
            KbError: every policy is asked for, and a revision.
        """
        if revision is None or self.only:
            return self
        if self.every:
            raise KbError("a revision and every policy", hint="name the policy of the revision")
        name = revision.rpartition("/")[2]
        found = [
            policy
            for policy in self.policies
            if name in policy.revision_folders
            and revision in (name, f"{policy.identifier}/{name}", f"{policy.iri}/{name}")
        ]
        if not found:
            what, unquoted = f"no policy on file has revision {revision}", "no policy on file has such a revision"
            raise UnknownRevision(what, hint="kb show lists the policies with their revisions", unquoted=unquoted)
        return PolicyChoice(found)

    def of(self, case: Case) -> tuple[Policy, ...]:
        """The policies to determine a case under.

        Raises:
            KbError: the case names none of several, or more than one.
        """
        payer, unread = _payer_of(case), case.unread_payer
        among = _among(case)
        if self.every or (self.only and (self._asked_for or among <= {self.only.payer})):
            return self.policies
        if unread and unread.named:
            raise KbError(unread.why, hint=f"choose with --policy: {_listed(self._among)}")
        if payer and not any(policy.payer == payer for policy in self._among):
            what = "no policy on file is of the payer that the coverage states"
            raise KbError(what, hint=f"choose with --policy: {_listed(self._among)}")
        named = self.named(case)
        found = tuple(policy for policy in named if among <= {policy.payer})
        if len(found) == 1:
            return found
        if found:
            what = f"the case names {len(found)} policies" + (f", and {unread.why}" if unread else "")
            state = (
                "" if payer or len({policy.payer for policy in found}) < 2 else "state the payer of the coverage, or "
            )
            raise KbError(what, hint=f"{state}choose with --policy: {_listed(found)}, or all")
        if named:
            what = f"the case names {_listed(named)}, and its coverage another payer"
            raise KbError(what, hint=f"choose with --policy: {_listed(self._among)}")
        what = "neither its service nor its codes do" if _asked_for(case) else "it states no service and no code"
        raise KbError(
            f"the case names none of {len(self._among)} policies on file: {what}",
            hint=f"choose with --policy: {_listed(self._among)}",
        )

    def named(self, case: Case) -> tuple[Policy, ...]:
        """The policies that a case names by its service or its codes, whatever payer its coverage states."""
        named_by = self._names()
        return tuple(dict.fromkeys(policy for term in _asked_for(case) for policy in named_by.get(str(term), ())))

    def _names(self) -> dict[str, list[Policy]]:
        """The policies that each service or code names."""
        if self._named_by is None:
            self._named_by = {}
            for policy in self._among:
                try:
                    named_by = policy.named_by
                except KbError as error:
                    skip_or_raise(policy, error)
                    continue
                for term in named_by:
                    self._named_by.setdefault(term, []).append(policy)
        return self._named_by


def choice_of(kb: Repository, policy: str | None = None, revision: str | None = None) -> PolicyChoice:
    """The choice that is asked for.

    Args:
        policy: the name of one, or ALL; None for the only one on file, or the one that KB_POLICY names, or for those
            that cases name.
        revision: by which the policy is chosen too: as "CP.MP.101/2026-02", or by a month that only one policy has.

    Raises:
        KbError: there is no such policy, or no policy with such a revision.
    """
    if policy == ALL:
        skip_broken(kb)
        return PolicyChoice(kb.policies(), every=True).having(revision)
    if kb.is_one(policy, revision):
        asked_for = bool(policy or revision)
        chosen = kb.policy_of(policy, *filter(None, [revision]))
        return PolicyChoice([chosen], asked_for=asked_for, others=() if asked_for else kb.policies())
    return PolicyChoice(kb.policies()).having(revision)


def is_of_another_payer(case: Case, policy: Policy) -> bool:
    """Whether the coverage of a case names payers on file, and not the one whose policy it is."""
    among = _among(case)
    return bool(among) and policy.payer not in among


def payer_notice(case: Case, policy: Policy) -> tuple[str, ...]:
    """That the coverage states another payer than the policy's, if it does."""
    payer = _payer_of(case)
    if not payer or payer == policy.payer:
        return ()
    whose = (
        f"{policy.identifier} is a policy of {policy.payer_label}"
        if policy.payer
        else f"{policy.identifier} names none"
    )
    return (f"The coverage states another payer: {whose}.",)


def _among(case: Case) -> frozenset[str]:
    """The IRIs of the payers on file that the coverage names: the one that is stated, or those of which none is."""
    payer, unread = _payer_of(case), case.unread_payer
    return frozenset([payer]) if payer else unread.among if unread else frozenset()


def _asked_for(case: Case) -> list[Node]:
    """The service and the codes that the request states."""
    request = case.value(case.node, CASE.request)
    return [*case.values(request, CASE.service), *case.values(request, CASE.procedureCode)]


def _payer_of(case: Case) -> str:
    """The IRI of the payer that the coverage states; "" for none."""
    return str(case.value(case.value(case.node, CASE.coverage), CASE.payer) or "")


def _listed(policies: Sequence[Policy]) -> str:
    names = [policy.identifier for policy in policies[:_FEW]]
    more = f" and {len(policies) - _FEW} more (kb show lists them)" if len(policies) > _FEW else ""
    return ", ".join(names) + more
