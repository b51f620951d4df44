"""Who pays, as the payers of the plans (Coverage.payor) and the insurer of the claim (Claim.insurer) name it.

In Da Vinci PAS both are the organization that receives the request. The case states a payer only where all of them are
one payer on file; no other is ever taken for one that is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rdflib import URIRef

from kb_tools.cases.case import UnreadPayer
from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.element import Element
from kb_tools.cases.fhir.facts import Statement
from kb_tools.cases.fhir.payers import Identifier, Meant, same_name
from kb_tools.cases.fhir.references import last_two
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import NOT_UNDERSTOOD, USED
from kb_tools.rdf.namespaces import CASE


@dataclass(frozen=True)
class _Named:
    """One reference to a payer.

    Attributes:
        meant: whom it means.
        anyone: whether it says at all who is meant.
    """

    holder: Resource
    element: str
    meant: Meant
    anyone: bool

    @property
    def payers(self) -> frozenset[str]:
        """The payers on file that it may be; none where it names one that no policy on file is of."""
        return self.meant.payers

    @property
    def differs(self) -> bool:
        """Whether it names a payer on file and, by another of its names or numbers, someone else."""
        return bool(self.payers) and self.meant.another

    @property
    def place(self) -> str:
        return f"{self.holder.place} ({self.element.partition('[')[0]})"


class PayerReader:
    """Reads the payer of one case."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def read(self, request: Resource, plans: Sequence[Resource], every: bool) -> None:
        """States the payer that the plans and the claim name, or keeps why none is stated.

        Args:
            plans: the plans in force that the request names.
            every: whether these are all of them.
        """
        named = [self._named(plan, payor) for plan in plans for payor in plan.aside.all("payor")]
        insurer = request.aside.one("insurer") if request.type == "Claim" else None
        named += [self._named(request, insurer)] if insurer else []
        among = frozenset[str]().union(*(one.payers for one in named))
        if every and len(among) == 1 and all(one.payers and not one.differs for one in named):
            self._state(named, next(iter(among)))
            return
        for one in named:
            if one.payers:
                one.holder.note(
                    NOT_UNDERSTOOD, "payer: not all that is named is this payer, so none is used", one.element
                )
        why, told = self._why(named, among)
        if why or not every:
            why = why or "not every plan that the request names can be read"
            self._assembly.unread_payer = UnreadPayer(why, told, among)
            if told or among:
                self._assembly.notices.append(f"No payer is used: {why}.")

    def _state(self, named: Sequence[_Named], payer: str) -> None:
        text = f"payer: {self._assembly.payers.label(payer)}"
        for one in named:
            # What of a claim is read is noted of it as the request.
            noted = () if one.holder.type == "Claim" else (text, (one.element,))
            self._assembly.state(CASE.Coverage, CASE.payer, URIRef(payer), Statement(one.holder, *noted))

    @staticmethod
    def _why(named: Sequence[_Named], among: frozenset[str]) -> tuple[str, bool]:
        """Why no payer is stated, "" where none is named; and whether one is named that is not known, or two are."""
        unknown = [one.place for one in named if one.anyone and not one.payers]
        differing = [one.place for one in named if one.differs or (len(among) > 1 and one.payers)]
        if differing:
            places = " and ".join(dict.fromkeys(differing))
            return f"{places} {_name(places)} different payers", True
        if unknown:
            places = " and ".join(dict.fromkeys(unknown))
            return f"{places} {_name(places)} a payer that no policy on file is of", True
        nowhere = " and ".join(dict.fromkeys(one.place for one in named if not one.anyone))
        return (f"{nowhere} {_name(nowhere, 'does', 'do')} not say who the payer is" if nowhere else ""), False

    # ------------------------------------------------------------------ one reference

    def _named(self, holder: Resource, reference: Element) -> _Named:
        """What one reference to a payer says: by the organization that it leads to, its own name, its own number.

        Args:
            reference: taken for looked at only if it names anyone.
        """
        found = self._assembly.references.follow(holder, reference)
        if not _is_organization(reference, found):
            # A person who pays is no payer on file.
            return self._looked_at(_Named(holder, reference.path, Meant(), True), None)
        payers = self._assembly.payers
        names, numbers = _names(reference.get("display")), _numbers([reference.one("identifier")])
        if not found:
            return self._looked_at(
                _Named(holder, reference.path, payers.meant(names, numbers), bool(names or numbers)), None
            )
        readable = found not in self._assembly.rejected and not found.invalid()
        root = found.root if readable else found.aside
        its_names, its_numbers = _names(root.get("name"), root.get("alias")), _numbers(root.all("identifier"))
        # A reference that repeats a name of the organization says no more by it than the organization does.
        repeated = {same_name(name) for name in its_names} if readable else frozenset()
        meant = payers.meant([name for name in names if same_name(name) not in repeated], numbers)
        both = meant.and_also(payers.meant(its_names, its_numbers))
        if readable:
            anyone = bool(names or numbers or its_names or its_numbers)
            return self._looked_at(_Named(holder, reference.path, both, anyone), found)
        # An organization that is not valid identifies no payer; that it is another one still counts.
        meant = Meant(meant.payers, both.another)
        return self._looked_at(_Named(holder, reference.path, meant, bool(names or numbers)), None)

    def _looked_at(self, one: _Named, organization: Resource | None) -> _Named:
        """What a reference says, with what is noted of it; nothing is where it names nobody.

        Args:
            organization: the one by which it names the payer.
        """
        if one.anyone:
            _look_at(one)
            if organization and not organization.notes:
                used = organization.root.read()
                organization.note(USED, f"as the payer that {one.holder.place} names", *used)
                self._assembly.done.add(organization)
            if not one.payers:
                one.holder.note(NOT_UNDERSTOOD, "payer: no policy on file is of it", one.element)
        return one


def _is_organization(reference: Element, found: Resource | None) -> bool:
    """Whether a reference may be to an organization, by all that says of which type it is."""
    stated, linked = reference.text("type"), last_two(reference.text("reference"))
    types = {
        stated.rpartition("/")[2],
        # The types of FHIR have a capital; another address ends as its server likes.
        linked.partition("/")[0] if linked[:1].isupper() else "",
        found.type if found else "",
    }
    return types <= {"", "Organization"}


def _names(*stated: object) -> list[str]:
    """The names among what is stated, each by itself or in a list."""
    each = [name for one in stated for name in (one if isinstance(one, list) else [one])]
    return [name for name in each if isinstance(name, str) and name.strip()]


def _numbers(stated: Iterable[Element | None]) -> list[Identifier]:
    return [number for number in map(_identifier, stated) if number]


def _look_at(one: _Named) -> None:
    """Takes the elements that name a payer for looked at."""
    name, _, number = one.element.partition("[")
    root = one.holder.root
    reference = root.all(name)[int(number[:-1])] if number else root.one(name)
    if reference:
        for part in ("reference", "type", "display"):
            reference.get(part)
        _identifier(reference.one("identifier"))


def _identifier(stated: Element | None) -> Identifier | None:
    """The system and the value of an Identifier; None where it does not state both."""
    if stated is None:
        return None
    system, value = stated.text("system"), stated.text("value")
    return (system, value) if system and value else None


def _name(places: str, one: str = "names", several: str = "name") -> str:
    """The verb for what stands at one place or at several."""
    return several if " and " in places else one
