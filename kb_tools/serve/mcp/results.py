"""What the tools give, as types of which their output schemas are made."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from kb_tools.serve.case.assess import (
    Advice,
    AllOf,
    AnyOf,
    AtLeast,
    CriterionStatus,
    Missing,
    OutcomeName,
    SendIn,
    Status,
    ValueName,
    WrittenAs,
)
from kb_tools.serve.typed import TypedDict

__all__ = ["Advice", "AllOf", "AnyOf", "AtLeast", "CriterionStatus", "SendIn", "ValueName", "WrittenAs"]

Basis = Literal["DocumentOnFile", "InferredFromLog", "NotOnFile"]


class RevisionListed(TypedDict):
    """A revision: from when it counts, and what is on file of each part. A draft is in force on no date."""

    revision: str
    iri: str
    draft: bool
    countsFrom: str | None
    approval: str | None
    inLog: bool
    onFile: dict[str, Basis]


class PolicyListed(TypedDict):
    """A policy with its revisions, oldest first. `inForceToday` is null where none is that has its criteria on file."""

    policy: str
    title: str
    inForceToday: str | None
    revisions: list[RevisionListed]


class Policies(TypedDict):
    """The policies on file."""

    policies: list[PolicyListed]


class Leaf(TypedDict):
    """A condition in the content of a criterion."""

    condition: str
    label: str


class Tree(TypedDict):
    """Parts of a criterion: all of them, any of them, none of them, or at least so many `of` them.

    `place` is that of the document.
    """

    allOf: NotRequired[list[Leaf | Tree]]
    anyOf: NotRequired[list[Leaf | Tree]]
    noneOf: NotRequired[list[Leaf | Tree]]
    atLeast: NotRequired[int]
    of: NotRequired[list[Leaf | Tree]]
    place: NotRequired[str]


class CriterionRead(TypedDict):
    """A criterion: what it asks for, how it is read, where it stands and what it cites.

    `content` is null for one that holds where no indication does. `limits`: of a limitation or exclusion that limits
    some indications only, the IRIs of these.
    """

    criterion: str
    role: str
    limits: NotRequired[list[str]]
    place: str
    label: str
    definition: str
    readings: list[str]
    content: Leaf | Tree | None
    otherwiseSee: str | None
    passages: list[str]
    references: list[int]


class RevisionRead(TypedDict):
    """What a revision says."""

    policy: str
    revision: str
    draft: bool
    onFile: dict[str, Basis]
    notices: list[str]
    disposition: str | None
    criteria: list[CriterionRead]
    definitions: list[str]
    codes: list[str]
    references: list[str]
    advisories: list[str]


class ConditionRead(TypedDict):
    """A condition, a leaf of the criteria: when it holds and when it fails (SHACL, as Turtle); else it is unknown."""

    condition: str
    label: str
    definition: str
    readings: list[str]
    asksFor: str
    possibleValues: list[str]
    holdsWhen: str
    failsWhen: str
    usedBy: list[str]


class CriterionFound(TypedDict):
    """A criterion with its conditions; or a condition alone, where one was asked for."""

    policy: str
    revision: str
    criterion: CriterionRead | None
    conditions: list[ConditionRead]


class Template(TypedDict):
    """An empty case of plain JSON. A key that begins with // is a note that says what stands there."""

    policy: str
    revision: str
    template: dict[str, Any]


class MissingFound(TypedDict):
    """What can still change the outcome, and what to ask for each. `toSend` says what of it can be enough."""

    policy: str
    revision: str
    outcome: OutcomeName
    because: str
    settled: bool
    missing: list[Missing]
    toSend: AllOf | AnyOf | AtLeast | None
    review: str


class WitnessFound(TypedDict):
    """What shows that a revision is stricter or looser, borne out by a case; `leftOpen` where that matters."""

    direction: str
    before: str
    after: str
    holding: list[str]
    failing: list[str]
    leftOpen: list[str]
    borneOutByCase: bool


class VerdictFound(TypedDict):
    """Whether the later revision is stricter, looser, both or neither."""

    words: str
    direction: str
    byInference: bool
    borrowed: list[str]
    witnesses: list[WitnessFound]


class ChangeFound(TypedDict):
    """One thing that differs; `logNames` and `logInGeneral` are the log statements that tell of it."""

    part: str
    kind: str
    iri: str
    label: str
    before: list[str]
    after: list[str]
    logNames: list[str]
    logInGeneral: list[str]


class LogFound(TypedDict):
    """A statement of the revision log, held against the changes."""

    row: str
    statement: str
    label: str
    finding: str
    why: str


class NotCompared(TypedDict):
    """A part that is not compared, since it is not on file for a side."""

    part: str
    notOnFileFor: str


class FlipFound(TypedDict):
    """An example case whose outcome differs, and what flipped it."""

    case: str
    old: str
    new: str
    criteria: list[str]
    conditions: list[str]
    log: list[str]


class RequirementFound(TypedDict):
    """What one of two policies requires, a line for each part in `requires`; `shared` if the other requires it too.

    Of what is not shared, `old` and `new` are what a case that was made for it comes to under each, with the reasons in
    `because`; they are null where no case could be made. `byItself` is whether it fails nothing else that `revision`
    requires.
    """

    revision: str
    place: str
    requires: list[str]
    shared: bool
    byItself: bool
    old: str | None
    new: str | None
    because: list[str]


class CodeCompared(TypedDict):
    """A billing code, and whether each side lists it; null where its list is not on file, or in part only."""

    code: str
    number: str
    oldLists: bool | None
    newLists: bool | None


class Comparison(TypedDict):
    """Two revisions compared; not final while something is left to decide in a draft, by its name in `leftToDecide`.

    Of two policies there are `requirements` and `codes`, and no log; of one policy these two are empty.
    """

    policy: str
    old: str
    new: str
    drafts: list[str]
    final: bool
    leftToDecide: dict[str, int]
    verdict: VerdictFound
    changes: list[ChangeFound]
    notCompared: list[NotCompared]
    log: list[LogFound]
    unexplained: list[str]
    exampleCasesThatFlip: list[FlipFound]
    requirements: list[RequirementFound]
    codes: list[CodeCompared]


class ParameterListed(TypedDict):
    """A parameter of a question; without a value, its default is taken."""

    name: str
    type: str
    meaning: str


class QuestionListed(TypedDict):
    """A ready question. `reads` says whether it reads one revision or all."""

    question: str
    title: str
    topic: str
    reads: Literal["revision", "all"]
    parameters: list[ParameterListed]


class Questions(TypedDict):
    """The ready questions."""

    questions: list[QuestionListed]


class Answered(TypedDict):
    """What a question or a query found: rows of a SELECT, the truth of an ASK, or a graph as Turtle.

    `labels` names IRIs of the rows. `complete` is false where there are more rows. `notes` say what was assumed, and
    what is not on file of that which the question reads: then no rows mean nothing.
    """

    title: str
    graphs: str
    variables: list[str]
    rows: list[list[str | int | float | bool | None]]
    truth: bool | None
    turtle: str
    labels: dict[str, str]
    complete: bool
    notes: list[str]


__all__ += ["Missing", "Status"]
