"""Reads and determines cases, for the page and for all doors of programs; runs in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import cache, cached_property
from io import BytesIO
from itertools import islice
from typing import Any, TypedDict

from kb_tools.as_json import compact, dump
from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.fhir.reader import is_fhir
from kb_tools.cases.form import CaseForms
from kb_tools.cases.plain import shown
from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.cases.terminology import Terminology
from kb_tools.determine.choice import choice_of
from kb_tools.determine.result import Determination, NotDetermined
from kb_tools.determine.run import Answer as Answered
from kb_tools.determine.run import Determinations, Run
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.printable import escaped
from kb_tools.rdf.shacl import fastest
from kb_tools.records.recorder import RecordMaker
from kb_tools.render import determination_fhir, determination_turtle
from kb_tools.serve.case import answer, assess
from kb_tools.serve.case.answer import SOURCE, Answer, Slip
from kb_tools.serve.case.assess import Assessed
from kb_tools.serve.case.fields import Fields, Written, fit, of_case, of_json, written
from kb_tools.serve.case.messages import Message
from kb_tools.serve.case.words import in_form

# The address at which programs have cases determined.
DOOR = "/api/determine"
# The most nodes that a case may have here: findings, and what they and the request consist of. And the most bytes, but
# of FHIR, where much else stands beside them.
MAX_PARTS, MAX_PLAIN = 500, 512 * 1024
# The most cases of one body, where its format has several.
MAX_CASES = 100


class Chosen(TypedDict):
    """Under which policy and revision a case is determined, as the options of kb validate say it.

    Without a policy, each case is of the one that it names.
    """

    policy: str | None
    revision: str | None
    asOf: str | None


class Page(TypedDict):
    """A case on the page: its fields, what became of it, and what a reader must know of how a file was read."""

    fields: Fields
    answer: Answer
    notes: list[str]


class Told(TypedDict):
    """What became of the cases of a body, beside the answer itself: nothing of whom.

    `read` is how many cases could be read, `outcomes` what each came to ("Malformed", "NotDetermined" and "Unreadable"
    among them), `revisions` under which they were determined, and `errors` why something could not be read.
    """

    read: int
    outcomes: list[str]
    revisions: list[str]
    errors: list[str]


# What became of a body in which no case could be read.
UNREAD: Told = {"read": 0, "outcomes": ["Unreadable"], "revisions": [], "errors": []}


class Desk:
    """Reads and determines cases. What is learned of their pieces is kept, and serves the next.

    Args:
        maker: makes the records of what is given to programs; None for no records.

    Attributes:
        maker, engine: as given; the SHACL engine that is asked.
        records: of what was determined for a program, to be written before it is given.
    """

    def __init__(self, kb: Repository, maker: RecordMaker | None = None) -> None:
        self.kb = kb
        self.records: list[dict[str, Any]] = []
        self.maker = maker
        self.forms = CaseForms(kb)
        self._reader = CaseReader(kb)
        self.engine = fastest()
        # One for each policy that can be asked for, and one for where none is.
        self._run = cache(self._new_run)

    # ------------------------------------------------------------------ for the page

    def fill(self, fields: Fields, chosen: Chosen) -> Page:
        """What the case that fields state comes to."""
        return self._in_form(self._filled(fields, chosen))

    def _in_form(self, page: Page) -> Page:
        """What is said of a case in the words of the form, which is what a reader has before them."""
        said = page["answer"]
        slips: list[Slip] = [{**slip, "text": in_form(self.kb, slip["text"])} for slip in said["slips"]]
        return {**page, "answer": {**said, "slips": slips, "refusal": in_form(self.kb, said["refusal"])}}

    def _filled(self, fields: Fields, chosen: Chosen) -> Page:
        found = written(self.forms, fields)
        unknown: list[Slip] = [
            {"field": "", "text": f"the form has no field {shown(name)}; leave it out", "missing": False}
            for name in found.unknown
        ]
        read = self._read(dump(found.content).encode(), "json")
        if isinstance(read, KbError):
            wrong = answer.of_error(read, found)
            return _page(fields, answer.refused([*unknown, *wrong, *self._others(wrong, fields, chosen)]))
        come = self._answer(read, chosen, found, fields)
        return _page(fields, answer.refused([*unknown, *come["slips"]]) if unknown else come)

    def _others(self, wrong: list[Slip], fields: Fields, chosen: Chosen) -> list[Slip]:
        """What breaks the case shapes in a case of which some fields are wrong already."""
        names = {slip["field"] for slip in wrong}
        right = {name: values for name, values in fields.items() if name not in names}
        found = written(self.forms, right)
        read = self._read(dump(found.content).encode(), "json")
        if isinstance(read, KbError):
            return []
        return [slip for slip in self._answer(read, chosen, found, right)["slips"] if slip["field"] not in names]

    def read(self, text: str, format_: str | None, chosen: Chosen) -> Page:
        """The fields of the case in a text, and what it comes to.

        Args:
            text: each character stands for a byte.
            format_: as kb validate --input-format; None for what the text begins with.
        """
        data = text.encode("latin-1")
        read = self._read(data, format_)
        if isinstance(read, KbError):
            stated = of_json(data)
            fields: Fields = stated if fit(stated) else {}
            return _page(fields, answer.refused(answer.of_error(read, written(self.forms, fields))))
        page = self._filled(of_case(self.forms, read), chosen)
        notes = [str(note) for note in read.reading.notes] if read.reading else []
        (checked,) = self._run(chosen["policy"]).checker.check([read])
        shown = {slip["text"] for slip in page["answer"]["slips"]}
        # What is wrong with the value of a field stands beside it.
        others = [
            violation
            for violation in (checked.violations if isinstance(checked, Malformed) else ())
            if violation.path not in self._fields and violation.message not in shown
        ]
        if read.unread_payer and not page["answer"]["slips"]:
            # The form has no field for a payer that is not known: no policy is found as though none were named.
            try:
                self.under(chosen).choice.of(read)
            except KbError as error:
                page["answer"] = answer.refused([], str(error))
        page = self._in_form(page)
        if others:
            page["answer"] = answer.refused([*answer.of_file(others), *page["answer"]["slips"]])
        return {**page, "notes": [*read.notices, *notes]}

    @cached_property
    def _fields(self) -> set[str]:
        """The properties whose values stand in fields."""
        keys = (key for form in self.forms.forms.values() for key in form.keys.values())
        return {self.kb.curie(str(key.path)) for key in keys if not key.classes}

    def write(self, fields: Fields, format_: str) -> str:
        """The case that fields state as a file.

        Args:
            format_: "json" or "turtle".

        Raises:
            UnreadableInput: it cannot be read as a case.
        """
        found = written(self.forms, fields)
        text = dump(found.content)
        if format_ == "json":
            return text
        read = self._read(text.encode(), "json")
        if isinstance(read, KbError):
            raise UnreadableInput("this is no case yet", hint="mend what is said beside the fields")
        return escaped(prepared(self.kb, [read], derived=False).serialize(format="longturtle"))

    # ------------------------------------------------------------------ for programs

    def determine(self, format_: str, chosen: Chosen, form: str, data: bytes, door: str = DOOR) -> Message:
        """What the cases in a body come to: `Told`, with the answer in a form of FORMS.

        Args:
            door: to which they came; records say it.
        """
        answered = self.answers(data, format_, chosen)
        self.record(answered, door, chosen)
        return Message(told(answered), FORMS[form](self.kb, answered))

    def answers(self, data: bytes, format_: str | None, chosen: Chosen) -> list[Answered | KbError]:
        """What each case in a body comes to; in place of what cannot be read stands the error."""
        return list(self.under(chosen).stream(self.found(data, format_)))

    def record(
        self, answered: Iterable[object], door: str, chosen: Chosen | None = None, preview: bool = False
    ) -> None:
        """Have the determinations among some answers recorded before they are given, where records are made.

        Args:
            door: to which the cases came.
            preview: whether what was determined is an order that is not placed yet.

        Raises:
            Unrecorded: they cannot be.
        """
        if self.maker is None:
            return
        as_of = date.fromisoformat(chosen["asOf"]) if chosen and chosen["asOf"] else None
        more: dict[str, Any] = {"door": door} | ({"preview": True} if preview else {})
        self.records += self.maker.contents(answered, engine=self.engine, as_of=as_of, **more)

    # ------------------------------------------------------------------ for orders of FHIR

    @property
    def terminology(self) -> Terminology:
        """What codes of FHIR mean here."""
        return self._reader.terminology

    def asks_for_a_known_service(self, order: dict[str, Any]) -> bool:
        """Whether a ServiceRequest of FHIR names a service that is known here, or leaves open which of them."""
        return self._reader.asks_for_a_known_service(order)

    def preview(self, parts: Mapping[str, Any], day: date) -> Case:
        """The case of an order of FHIR that may be a draft, with its chart; see CaseReader.preview.

        Raises:
            UnreadableInput: it is not one case, or too large.
        """
        self._reader.recount()
        case = _not_large(self._reader.preview(parts, SOURCE, day), SOURCE)
        if isinstance(case, KbError):
            raise case
        return case

    def come_to(self, cases: Sequence[Case], policy: str, revision: str | None = None) -> list[Answered]:
        """What cases come to under a policy, each under the revision in force on its service date unless one is named.

        Raises:
            KbError: there is no such policy or revision.
        """
        return list(self._run(policy).under(revision, None).answers(cases))

    def assess(self, format_: str, chosen: Chosen, data: bytes) -> Assessed:
        """What the case in a text comes to, or what is wrong, of which nothing quotes the case."""
        try:
            read = self._read(data, format_)
            answered = self._determined(read, chosen) if isinstance(read, Case) else read
        except KbError as error:
            answered = error
        return assess.assessed(self.forms, answered)

    # ------------------------------------------------------------------ the work

    def found(self, data: bytes, format_: str | None, source: str = SOURCE) -> list[Case | KbError]:
        """The cases of a text, and in place of what cannot be read what is wrong with it.

        Args:
            source: what errors call the text.
        """
        if len(data) > MAX_PLAIN and not is_fhir(data):
            what = f"a case of more than {MAX_PLAIN // 2**10} KiB that is not FHIR"
            return [UnreadableInput(what, where=source, hint="kb validate takes larger ones")]
        self._reader.recount()
        found = list(islice(self._reader.stream(source, None, BytesIO(data), format_), MAX_CASES + 1))
        if len(found) > MAX_CASES:
            what = f"more than {MAX_CASES} cases"
            return [UnreadableInput(what, where=source, hint="send fewer, or use kb validate")]
        return [_not_large(item, source) for item in found]

    def _read(self, data: bytes, format_: str | None) -> Case | KbError:
        """The one case of a text, or what is wrong with the text."""
        found = self.found(data, format_)
        error = next((item for item in found if isinstance(item, KbError)), None)
        if error or len(found) != 1:
            what = f"{len(found)} cases where one is wanted"
            return error or UnreadableInput(what, where=SOURCE, hint="keep one; kb validate takes many")
        return found[0]

    def under(self, chosen: Chosen) -> Run:
        """What determines cases under the revision that is chosen."""
        day = date.fromisoformat(chosen["asOf"]) if chosen["asOf"] else None
        return self._run(chosen["policy"]).under(chosen["revision"], day)

    def _determined(self, case: Case, chosen: Chosen) -> Answered:
        (found,) = self.under(chosen).answers([case])
        return found

    @cached_property
    def _any(self) -> Run:
        """What was loaded and learned, for whichever policy."""
        run = Run(self.kb, choice_of(self.kb), self.engine, by_pieces=True)
        run.begin_pieces()
        return run

    def _new_run(self, policy: str | None) -> Run:
        return self._any.choosing(choice_of(self.kb, policy))

    def _answer(self, case: Case, chosen: Chosen, found: Written, fields: Fields) -> Answer:
        answered = self._determined(case, chosen)
        if isinstance(answered, Malformed):
            return answer.refused(answer.of_violations(self.kb, case, answered.violations, found, fields))
        if isinstance(answered, NotDetermined):
            return answer.refused([], str(answered.error))
        return answer.of_determination(answered)


def _page(fields: Fields, found: Answer) -> Page:
    return {"fields": fields, "answer": found, "notes": []}


def _not_large(found: Case | KbError, source: str) -> Case | KbError:
    if isinstance(found, KbError) or len(found.about) <= MAX_PARTS:
        return found
    what = f"a case of more than {MAX_PARTS} parts"
    return UnreadableInput(what, where=source, hint="kb validate takes larger ones")


# ---------------------------------------------------------------------- answers


def told(answered: Sequence[Answered | KbError]) -> Told:
    """What became of cases, in counts and kinds."""
    determined = [found for found in answered if isinstance(found, Determination)]
    errors = [found for found in answered if isinstance(found, KbError)]
    return {
        "read": len(answered) - len(errors),
        "outcomes": [_outcome(found) for found in answered],
        "revisions": sorted(_revisions(determined)),
        "errors": [line for error in errors for line in error.lines()],
    }


def _revisions(determined: Sequence[Determination]) -> set[str]:
    """The revisions that cases were determined under, as "2026-02"; of several policies, as "CP.MP.101/2026-02"."""
    revisions = [found.revision for found in determined]
    several = len({revision.policy.identifier for revision in revisions}) > 1
    return {
        f"{revision.policy.identifier}/{revision.entry.name}" if several else revision.entry.name
        for revision in revisions
    }


def _outcome(found: Answered | KbError) -> str:
    if isinstance(found, Determination):
        return found.outcome.value
    return (
        "Malformed" if isinstance(found, Malformed) else "Unreadable" if isinstance(found, KbError) else "NotDetermined"
    )


def _json(kb: Repository, answered: Sequence[Answered | KbError]) -> bytes:
    return compact(Determinations(tuple(answered)).to_dict())


def _fhir(kb: Repository, answered: Sequence[Answered | KbError]) -> bytes:
    return determination_fhir.answers(kb, *_parted(answered), explain=True).encode()


def _turtle(kb: Repository, answered: Sequence[Answered | KbError]) -> bytes:
    return determination_turtle.answers(kb, *_parted(answered), explain=True).encode()


def _parted(answered: Sequence[Answered | KbError]) -> tuple[list[Answered], list[KbError]]:
    return (
        [found for found in answered if not isinstance(found, KbError)],
        [found for found in answered if isinstance(found, KbError)],
    )


# How an answer is written, as kb validate --format calls it.
FORMS: Mapping[str, Callable[[Repository, Sequence[Answered | KbError]], bytes]] = {
    "json": _json,
    "fhir": _fhir,
    "turtle": _turtle,
}


def operations(desk: Desk) -> dict[str, Callable[..., Any]]:
    """What can be asked of a desk, by name: what takes bytes takes them last, and what gives some gives a Message."""
    named = (desk.fill, desk.read, desk.write, desk.determine, desk.assess)
    return {operation.__name__: operation for operation in named}
