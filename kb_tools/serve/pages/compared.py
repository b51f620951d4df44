"""What two revisions differ in, as a page shows it: changes, verdict and witnesses, trees, log, and example cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TypedDict

from kb_tools.model.logic import Tree
from kb_tools.model.parts import COMPARED_PARTS, DOCUMENT_PARTS, operator_words
from kb_tools.model.statements import Criterion
from kb_tools.rdf.namespaces import POL
from kb_tools.rdf.terms import local_name
from kb_tools.render.diff import not_compared
from kb_tools.revisions.change import Change as Found
from kb_tools.revisions.replay import Flip
from kb_tools.revisions.replay import Impact as Replayed
from kb_tools.revisions.verdict import Direction
from kb_tools.revisions.verdict import Verdict as Assessed
from kb_tools.revisions.verdict import Witness as Assigned
from kb_tools.serve.comparisons import Compared as Made
from kb_tools.serve.marks import Line, Run, lines, side, words
from kb_tools.serve.pages.criteria import scope_of
from kb_tools.serve.pages.examples import sentence
from kb_tools.serve.view import Link, View


class Change(TypedDict):
    """One thing that changed. `anchor` is its place on the page, `part` what it belongs to ("criteria").

    `named` are the statements of the log that name it, `general` those that tell of its part; `reported` says whether
    the log can tell of its part at all.
    """

    anchor: str
    part: str
    kind: str
    label: str
    thing: Link
    lines: list[Line]
    reported: bool
    named: list[Logged]
    general: list[Logged]


class Logged(TypedDict):
    """A statement of the revision log, and the revision of its row as printed."""

    statement: Link
    row: str


class Finding(TypedDict):
    """What became of a statement of the log. `changes` are the anchors of what it tells of."""

    logged: Logged
    row: Link
    finding: str
    why: str
    changes: list[str]


class Witness(TypedDict):
    """Why the verdict is what it is: these conditions hold, those fail, and the two revisions come to different things.

    `open` are conditions that the case leaves open where that matters; `case` is the case as Turtle, and `because` says
    why it comes to what under each.
    """

    anchor: str
    direction: str
    before: Link
    after: Link
    because: list[str]
    holding: list[Link]
    failing: list[Link]
    open: list[Link]
    case: str


class Verdict(TypedDict):
    """Whether the revision after is stricter or looser than the one before, and what that rests on.

    `words` are those of `kb diff`; `sentences` say the same to a reader who does not know them.
    """

    words: str
    sentences: list[str]
    direction: str
    notes: list[str]
    witnesses: list[Witness]


class MarkedPart(TypedDict):
    """A part of a criterion on one side; `mark` is "gone", "added", or "" where the other side has it too."""

    mark: str
    condition: Link | None
    operator: str | None
    criterion: Link | None
    parts: list[MarkedPart]


class _Stated(TypedDict):
    place: list[Run]
    label: list[Run]
    role: str
    definition: list[Run]
    content: MarkedPart | None
    otherwiseSee: Link | None


class Stated(_Stated, total=False):
    """A criterion on one side, marked where the other side has it and says something else.

    `content` is null for a remainder, which covers what its indication does not. With several indications, `scope` says
    which of them a limitation or exclusion limits, if not all, and what a remainder covers.
    """

    scope: str


class Beside(TypedDict):
    """A criterion on both sides. `same` is whether both say the same.

    A side is null that does not have it, or has it `within` another criterion.
    """

    anchor: str
    criterion: Link
    same: bool
    within: bool
    before: Stated | None
    after: Stated | None


class Count(TypedDict):
    """How many example cases come to one outcome before and to another after."""

    before: Link
    after: Link
    cases: int


class Cause(TypedDict):
    """Cases that were flipped by the same criteria and conditions.

    `named` are the statements of the log that name the change of these criteria, `general` those that tell of it in
    general.
    """

    cases: list[Link]
    criteria: list[str]
    conditions: list[str]
    named: list[Logged]
    general: list[Logged]


class Flips(TypedDict):
    """The example cases that come to one outcome before and to another after, by what flipped them."""

    anchor: str
    before: Link
    after: Link
    count: int
    causes: list[Cause]


class Impact(TypedDict):
    """What becomes of the example cases under both. `unread` says which could not be determined."""

    cases: int
    flipped: int
    counts: list[Count]
    flips: list[Flips]
    unread: list[str]


class Compared(TypedDict):
    """What the comparison of two revisions shows.

    `difference` is what `kb diff --format json` gives where the example cases are its cases.
    """

    verdict: Verdict
    changes: list[Change]
    notCompared: list[str]
    criteria: list[Beside]
    log: list[Finding]
    logNotes: list[str]
    impact: Impact | None
    difference: dict[str, object]


class Shown:
    """What a page shows of two revisions that were compared."""

    def __init__(self, view: View, compared: Made) -> None:
        self.view = view
        self.diff = compared.diff
        self.cases = compared.witnesses
        self.old, self.new = self.diff.old, self.diff.new
        # As the later of the two calls them, unless only the earlier one does.
        self.graphs = (self.new.entry.iri, self.old.entry.iri)
        self.logged: dict[str, Logged] = {
            found.statement: {"statement": view.link(found.statement), "row": found.row_label}
            for found in self.diff.log
        }
        self.anchors = _anchors(self.diff.changes)

    def content(self) -> Compared:
        """All of it, as JSON values."""
        diff = self.diff
        return {
            "verdict": self._verdict(),
            "changes": [self._change(*pair) for pair in zip(self.anchors, diff.changes, strict=True)],
            "notCompared": list(not_compared(diff)),
            "criteria": list(self._criteria()),
            "log": [
                {
                    "logged": self.logged[found.statement],
                    "row": self._link(found.row),
                    "finding": found.finding.value,
                    "why": found.why,
                    "changes": [
                        anchor
                        for anchor, change in zip(self.anchors, diff.changes, strict=True)
                        if found.statement in change.named
                    ],
                }
                for found in diff.log
            ],
            "logNotes": [
                f"The log has no row for {revision.entry.name}: reviews that it does not list are likely."
                for revision in (self.old, self.new)
                if revision.entry.row is None
            ],
            "impact": self._impact(diff.impact) if diff.impact else None,
            "difference": diff.to_dict(),
        }

    def _link(self, iri: str) -> Link:
        return self.view.link(iri, self.graphs)

    def _links(self, iris: Iterable[str]) -> list[Link]:
        return self.view.links(iris, self.graphs)

    # ------------------------------------------------------------------ verdict

    def _verdict(self) -> Verdict:
        diff = self.diff
        return {
            "words": diff.words,
            "sentences": _sentences(diff.verdict),
            "direction": diff.verdict.direction.value,
            "notes": [*diff.of_drafts, *diff.verdict.borrowed],
            "witnesses": [self._witness(witness) for witness in diff.verdict.witnesses],
        }

    def _witness(self, witness: Assigned) -> Witness:
        replay = self.diff.borne_out[witness.direction]
        holding, failing, left_open = (
            self._links(iri for iri in self.diff.conditions if iri in iris) for iris in witness.groups
        )
        return {
            "anchor": f"witness-{witness.direction.value}",
            "direction": witness.direction.value,
            "before": self._link(str(POL[witness.before.value])),
            "after": self._link(str(POL[witness.after.value])),
            "because": [replay.before.because, replay.after.because],
            "holding": holding,
            "failing": failing,
            "open": left_open,
            "case": self.cases[witness.direction],
        }

    # ------------------------------------------------------------------ changes

    def _change(self, anchor: str, change: Found) -> Change:
        return {
            "anchor": anchor,
            "part": COMPARED_PARTS[change.part],
            "kind": change.kind.value,
            "label": change.label,
            "thing": self._link(change.iri),
            "lines": lines(change.before, change.after),
            "reported": change.part in DOCUMENT_PARTS,
            "named": [self.logged[statement] for statement in change.named],
            "general": [self.logged[statement] for statement in change.general],
        }

    def _criteria(self) -> Iterator[Beside]:
        """The criteria of both, those of the later one first; those within one are shown with it."""
        before, after = ({found.iri: found for found in revision.criteria} for revision in (self.old, self.new))
        for iri in dict.fromkeys((*after, *before)):
            old, new = before.get(iri), after.get(iri)
            sides = (self._stated(old, new, "gone"), self._stated(new, old, "added"))
            yield {
                "anchor": f"criterion-{local_name(iri)}",
                "criterion": self._link(iri),
                "same": sides[0] == sides[1],
                "within": iri in self.old.all_criteria and iri in self.new.all_criteria,
                "before": sides[0],
                "after": sides[1],
            }

    def _stated(self, stated: Criterion | None, other: Criterion | None, mark: str) -> Stated | None:
        if stated is None:
            return None

        # What only one side has is not marked part by part.
        other = other or stated

        def marked(text: str, theirs: str) -> list[Run]:
            return side(words(text, theirs) if mark == "gone" else words(theirs, text), mark)

        theirs = Counter(_keys(other.tree) if other.tree else ())
        found: Stated = {
            "place": marked(stated.notation, other.notation),
            "label": marked(stated.label, other.label),
            "role": stated.role,
            "definition": marked(stated.definition, other.definition),
            "content": self._part(stated.tree, theirs, mark) if stated.tree else None,
            "otherwiseSee": self._link(stated.otherwise[1]) if stated.otherwise else None,
        }
        if scope := scope_of(self.old if mark == "gone" else self.new, stated):
            found["scope"] = scope
        return found

    def _part(
        self, part: Tree | str, theirs: Counter[tuple[str, ...]], mark: str, above: tuple[str, ...] = ()
    ) -> MarkedPart:
        """A part with its mark: whether the other side has it too, in the same place of the tree."""
        key = (*above, _name(part))
        shared = theirs[key] > 0
        theirs[key] -= 1
        if not isinstance(part, Tree):
            condition = self._link(part)
            return {
                "mark": "" if shared else mark,
                "condition": condition,
                "operator": None,
                "criterion": None,
                "parts": [],
            }
        within: Link | None = None
        if part.iri and above:
            within = {"iri": part.iri, "label": part.label, "notation": part.notation}
        return {
            "mark": "" if shared else mark,
            "condition": None,
            "operator": operator_words(part),
            "criterion": within,
            "parts": [self._part(below, theirs, mark, key) for below in part.parts],
        }

    # ------------------------------------------------------------------ cases

    def _impact(self, impact: Replayed) -> Impact:
        in_general = {statement for change in self.diff.changes for statement in change.general}
        counts = sorted((before.value, after.value, count) for (before, after), count in impact.counts.items())
        return {
            "cases": sum(impact.counts.values()),
            "flipped": len(impact.flips),
            "counts": [
                {"before": self._link(str(POL[before])), "after": self._link(str(POL[after])), "cases": count}
                for before, after, count in counts
            ],
            "flips": [
                {
                    "anchor": f"from-{before.value}-to-{after.value}",
                    "before": self._link(str(POL[before.value])),
                    "after": self._link(str(POL[after.value])),
                    "count": sum(map(len, causes.values())),
                    "causes": [
                        {
                            "cases": [self._case(flip) for flip in flips],
                            "criteria": list(criteria),
                            "conditions": list(conditions),
                            "named": [self.logged[row] for row in rows if row not in in_general],
                            "general": [self.logged[row] for row in rows if row in in_general],
                        }
                        for (criteria, conditions, rows), flips in causes.items()
                    ],
                }
                for (before, after), causes in impact.grouped.items()
            ],
            "unread": [
                *(f"{answer.case.title}: malformed, not determined" for answer in impact.malformed),
                *map(str, impact.errors),
            ],
        }

    def _case(self, flip: Flip) -> Link:
        return self._examples.get(flip.case) or {"iri": "", "label": flip.case, "notation": ""}

    @cached_property
    def _examples(self) -> dict[str, Link]:
        """The pages of the example cases, by the file and the name of the case."""
        return {
            f"{expected.path.name}#{expected.case.partition('#')[2]}": {
                "iri": iri,
                "label": sentence(expected.path.stem),
                "notation": "",
            }
            for iri, (_, expectations) in self.view.bench.examples.items()
            for expected in expectations
        }


_DIRECTIONS = {
    Direction.STRICTER: "Some cases that met the criteria no longer do, and none newly does.",
    Direction.LOOSER: "Some cases newly meet the criteria, and none that did ceases to.",
    Direction.MIXED: "Some cases that met the criteria no longer do, and others newly do.",
    Direction.EQUIVALENT: "Every case comes to the same under both.",
    Direction.RESCOPED: "The same cases meet the criteria. Some that did not meet them are now outside of the policy, "
    "or the other way round.",
    Direction.UNCONFIRMED: "By the criteria alone they may differ, but no case could be made that shows it.",
}
_BECAUSE = {
    "applicability alone": "The reason is to whom and to what the policy applies; what the criteria ask is the same.",
    "criteria alone": "The reason is what the criteria ask; to whom and to what the policy applies is the same.",
    "applicability and criteria": "Two things changed: to whom and to what the policy applies, and what the criteria "
    "ask.",
}


def _sentences(verdict: Assessed) -> list[str]:
    """A verdict in sentences."""
    found = [_DIRECTIONS[verdict.direction]]
    if verdict.by:
        found.append(_BECAUSE[verdict.by])
    if verdict.inferred:
        found.append("The criteria of at least one of the two are inferred from the revision log.")
    if verdict.direction is not Direction.UNCONFIRMED:
        found += [
            f"By the criteria alone it may be {direction.value} too, but no case could be made that shows it."
            for direction in verdict.unconfirmed
        ]
    return found


def _anchors(changes: Iterable[Found]) -> list[str]:
    """A place on the page for each change, named for what changed and how; a second one of a name has a number."""
    taken: Counter[str] = Counter()
    anchors = []
    for change in changes:
        name = f"{change.part.lower()}-{local_name(change.iri)}-{change.kind.value.replace(' ', '-')}"
        taken[name] += 1
        anchors.append(name if taken[name] == 1 else f"{name}-{taken[name]}")
    return anchors


def _name(part: Tree | str) -> str:
    """What makes a part of a tree the same as one of another: its condition, or its operator and its criterion."""
    return f"{operator_words(part)} {part.iri}" if isinstance(part, Tree) else part


def _keys(part: Tree | str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """A part and all that is under it, each by its name and the names of what is above it."""
    key = (*above, _name(part))
    yield key
    if isinstance(part, Tree):
        for below in part.parts:
            yield from _keys(below, key)
