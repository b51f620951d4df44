"""Which policies a case is determined under: the one that is asked for, every one, or the one that the case names.

A request names a policy by a service or a billing code that the policy states with pol:namedBy; where the coverage
states its payer, only policies of that payer (pol:payer) are named. Where a case names none of several policies on
file, or more than one, none is taken: a wrong guess could harm a patient. A policy that cannot be read keeps its place
among them: it is named as before, and where nobody can tell what names it, any case may name it whose payer does not
tell. A policy that is asked for is taken whatever the case names, and a notice says so where the coverage states
another payer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from rdflib.term import Node

from kb_tools.cases.case import Case
from kb_tools.errors import KbError, UnknownRevision
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.soundness import require_named, skip_broken, skip_unnamed
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
        absent: Iterable[Policy] = (),
    ) -> None:
        """Prepare the choice.

        Args:
            asked_for: whether a single policy is asked for; else it is the only one, or the one that KB_POLICY names,
                which is not meant where the coverage states another payer.
            others: those to choose among then.
            absent: policies that cannot be read and keep their place.
        """
        self.policies: tuple[Policy, ...] = tuple(policies)
        self.every = every
        self._asked_for = asked_for
        self._others = tuple(others) or self.policies
        self._absent = tuple(absent)

    @property
    def only(self) -> Policy | None:
        """The policy of every case; None where cases differ, or are determined under several."""
        several = len(self.policies) > 1 or self.every or (self._absent and self._others == self.policies)
        return None if several else self.policies[0]

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
        found, absent = (
            [
                policy
                for policy in policies
                if name in policy.revision_folders
                and revision in (name, f"{policy.identifier}/{name}", f"{policy.iri}/{name}")
            ]
            for policies in (self.policies, self._absent)
        )
        if not found:
            what, unquoted = f"no policy on file has revision {revision}", "no policy on file has such a revision"
            raise UnknownRevision(what, hint="kb show lists the policies with their revisions", unquoted=unquoted)
        return PolicyChoice(found, absent=absent)

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
        if payer and not any(policy.payer == payer for policy in (*self._among, *self._lost)):
            what = "no policy on file is of the payer that the coverage states"
            raise KbError(what, hint=f"choose with --policy: {_listed(self._among)}")
        named = self.named(case)
        found = tuple(policy for policy in named if among <= {policy.payer})
        lost = [policy for policy in self._named(case, self._lost) if among <= {policy.payer}]
        # Where nobody can tell what names a policy, the payer alone says that another is meant.
        unnamed = [] if among or not (found or lost) else self._unnamed
        if lost or unnamed:
            raise _unread(found, lost, unnamed)
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
        return tuple(self._named(case, self._among))

    @staticmethod
    def _named(case: Case, among: Sequence[Policy]) -> list[Policy]:
        """Those of some policies that a case names, in the order in which it does."""
        found = (policy for term in _asked_for(case) for policy in among if str(term) in policy.named_by)
        return list(dict.fromkeys(found))

    # ------------------------------------------------------------------ which can be read

    @cached_property
    def _among(self) -> tuple[Policy, ...]:
        """The policies to choose among that can be read, as far as the choice needs."""
        if self._others[0].kb.has_several:
            skip_unnamed(self._others[0].kb)
        return tuple(policy for policy in self._others if policy.identifier not in policy.kb.skipped)

    @property
    def _lost(self) -> list[Policy]:
        """Those that cannot be read, of which it can be told what names them."""
        return self._unread[0]

    @property
    def _unnamed(self) -> list[Policy]:
        """Those of which not even that can be told."""
        return self._unread[1]

    @cached_property
    def _unread(self) -> tuple[list[Policy], list[Policy]]:
        lost: list[Policy] = []
        unnamed: list[Policy] = []
        for policy in dict.fromkeys([*self._others, *self._absent]):
            if policy not in self._among:
                try:
                    require_named(policy)
                except KbError:
                    unnamed.append(policy)
                else:
                    lost.append(policy)
        return lost, unnamed


def among_all(kb: Repository) -> PolicyChoice:
    """The choice among all policies on file, of which those that cannot be read keep their place."""
    return PolicyChoice(kb.policies(), absent=kb.absent)


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
        if asked_for:
            return PolicyChoice([chosen])
        return PolicyChoice([chosen], asked_for=False, others=kb.policies(), absent=kb.absent)
    return among_all(kb).having(revision)


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


def _unread(found: Sequence[Policy], lost: Sequence[Policy], unnamed: Sequence[Policy]) -> KbError:
    """Why a case is not determined that names policies of which some cannot be read.

    Args:
        found, lost: those that it names, which can be read and which cannot.
        unnamed: others, of which nobody can tell if it names them.
    """
    names, broken = "may name" if unnamed else "names", [*lost, *unnamed]
    what = f"the case {names} {len(found) + len(broken)} policies, of which {_listed(broken)} cannot be read"
    if not found and len(broken) == 1:
        what = f"the case names {_listed(broken)}, which cannot be read"
    tells = any(one.payer for one in found) and (unnamed or len({one.payer for one in (*found, *lost)}) > 1)
    state = "state the payer of the coverage, or " if tells else ""
    otherwise = f"; or {state}choose with --policy: {_listed(found)}" if found else ""
    return KbError(what, hint=f"run kb check and mend it{otherwise}")


def _listed(policies: Sequence[Policy]) -> str:
    names = [policy.identifier for policy in policies[:_FEW]]
    more = f" and {len(policies) - _FEW} more (kb show lists them)" if len(policies) > _FEW else ""
    return ", ".join(names) + more
