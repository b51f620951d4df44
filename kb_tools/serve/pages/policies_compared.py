"""Revisions of two policies compared: what each requires, and for each difference a case that can be tried."""

from __future__ import annotations

from typing import TypedDict

from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.rdf.namespaces import POL
from kb_tools.render import two_policies
from kb_tools.render.diff import document
from kb_tools.render.diff_sheets import workbook
from kb_tools.render.page import markdown
from kb_tools.revisions.compare import entry_of
from kb_tools.revisions.requirements import Contrast
from kb_tools.revisions.words import required_by
from kb_tools.serve.comparisons import Compared as Made
from kb_tools.serve.pages.compare import path_between, policy_named
from kb_tools.serve.view import Link, NoPage, View
from kb_tools.serve.workbench import Workbench


class Required(TypedDict):
    """Something that one side requires. `lines` say it, a line for each part; `criterion` requires it.

    Of what both require, `matches` are the criteria of the other. Of what one requires alone, `before` and `after` are
    what the case `name` comes to under each, with the reasons in `because`; `case` is that case as Turtle, "" where
    none could be made; `byItself` is whether it fails nothing else that the side requires.
    """

    name: str
    lines: list[str]
    place: str
    criterion: Link
    matches: list[Link]
    byItself: bool
    before: Link | None
    after: Link | None
    because: list[str]
    case: str


class Lacking(TypedDict):
    """What one side does not require, or does not exclude, of what the other does."""

    says: str
    items: list[str]


class Side(TypedDict):
    """One of the two: its revision, what it is called, its title, its publisher and what its criteria rest on.

    `alone` is what it requires and the other does not; `disposition` how it classes what it does not support.
    """

    revision: Link
    name: str
    title: str
    publisher: str
    basis: str
    disposition: str
    alone: list[Required]


class CodeListed(TypedDict):
    """A billing code, and whether each side lists it, in words."""

    code: Link
    gloss: str
    listed: list[str]


class PoliciesCompared(TypedDict):
    """Revisions of two policies compared. `difference` is what `kb diff --format json` gives."""

    title: str
    path: str
    turned: str
    words: str
    sentence: str
    lacking: list[Lacking]
    notes: list[str]
    sides: list[Side]
    both: list[Required]
    codes: list[CodeListed]
    notCompared: list[str]
    difference: dict[str, object]


def sides_named(bench: Workbench, target: str) -> tuple[Policy, str, Policy, str]:
    """The policies and revisions that "CP.MP.101/2026-02/CG-TRANS-03/2024-10" names.

    Raises:
        NoPage: there is no such policy or revision, or its criteria are not on file, or the policy is the same twice.
    """
    one, before, other, after = target.split("/")
    first, second = policy_named(bench, one), policy_named(bench, other)
    if first.iri == second.iri:
        raise NoPage(f"{one} is one policy", [first.iri], f"its revisions are compared at /{one}/compare")
    try:
        return first, entry_of(first, before).name, second, entry_of(second, after).name
    except KbError as error:
        raise NoPage(error.what, [first.iri, second.iri], error.hint) from None


def made(bench: Workbench, target: str) -> Made:
    """The comparison itself."""
    first, before, second, after = sides_named(bench, target)
    return bench.comparisons.of(first, before, after, second).result()


def as_markdown(view: View, target: str) -> bytes:
    """The comparison as `kb diff --format markdown` writes it."""
    return markdown(document(made(view.bench, target).diff)).encode()


def as_spreadsheet(view: View, target: str) -> bytes:
    """The comparison as `kb diff --format xlsx` writes it."""
    return workbook(made(view.bench, target).diff)


def data(view: View, target: str) -> PoliciesCompared:
    """The content of the page."""
    first, before, second, after = sides_named(view.bench, target)
    return _Shown(view, made(view.bench, target)).content(
        path_between(first, before, second, after), path_between(second, after, first, before)
    )


class _Shown:
    def __init__(self, view: View, compared: Made) -> None:
        self.view = view
        self.diff = compared.diff
        self.cases = compared.shown
        self.graphs = (self.diff.new.entry.iri, self.diff.old.entry.iri)

    def content(self, path: str, turned: str) -> PoliciesCompared:
        diff = self.diff
        return {
            "title": " compared with ".join(diff.names),
            "path": path,
            "turned": turned,
            "words": diff.words,
            "sentence": two_policies.in_a_sentence(diff),
            "lacking": [{"says": says, "items": items} for says, items in two_policies.differences(diff)],
            "notes": list(two_policies.notes(diff)),
            "sides": [self._side(row) for row in two_policies.policies(diff)],
            "both": [self._required(one) for one in two_policies.shared(diff, diff.old)],
            "codes": [
                {"code": self._link(code.iri), "gloss": code.gloss, "listed": list(two_policies.listed(code))}
                for code in diff.codes
            ],
            "notCompared": list(two_policies.not_compared(diff)),
            "difference": diff.to_dict(),
        }

    def _link(self, iri: str) -> Link:
        return self.view.link(iri, self.graphs)

    def _side(self, row: two_policies.PolicyRow) -> Side:
        name, title, publisher, basis = row
        side = self.diff.old if name == self.diff.names[0] else self.diff.new
        return {
            "revision": self._link(side.entry.iri),
            "name": name,
            "title": title,
            "publisher": publisher,
            "basis": basis,
            "disposition": side.disposition[1] if side.disposition else "not on file",
            "alone": [self._required(one) for one in two_policies.alone(self.diff, side)],
        }

    def _required(self, one: Contrast) -> Required:
        outcomes = (one.witness.before, one.witness.after) if one.witness else ()
        links = [self._link(str(POL[outcome.value])) for outcome in outcomes]
        return {
            "name": one.name,
            "lines": list(required_by(one.side, one.requirement)),
            "place": one.requirement.place,
            "criterion": self._link(one.requirement.criterion.iri),
            "matches": [self._link(match.criterion.iri) for match in one.matches],
            "byItself": one.by_itself,
            "before": links[0] if links else None,
            "after": links[1] if links else None,
            "because": [one.replay.before.because, one.replay.after.because] if one.replay else [],
            "case": self.cases.get(one.name, ""),
        }
