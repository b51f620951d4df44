"""kb validate."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from kb_tools import printable, readers
from kb_tools.commands.common import (
    case_revision_options,
    console,
    document_option,
    engine_option,
    format_option,
    input_format_option,
    kb_option,
    open_kb,
    pieces_option,
    policy_option,
    progress,
    put,
    read_cases,
    record_options,
    recorder,
    say_recorded,
    terminology_option,
    warn,
    warn_of_slow_shapes,
)
from kb_tools.errors import KbError

if TYPE_CHECKING:
    from kb_tools.api import KnowledgeBase
    from kb_tools.cases.case import Case
    from kb_tools.determine.run import Answer
    from kb_tools.model.repository import Repository


@click.command("validate")
@click.argument("cases", nargs=-1, required=True, metavar="CASE...")
@case_revision_options
@policy_option(
    "The policy, or all for an answer under each; default: that of the revision, else the one that a case names."
)
@click.option("--explain", is_flag=True, help="Every condition with its facts, the places and the citations.")
@document_option
@click.option(
    "--prepare",
    is_flag=True,
    help="Print the cases with what counts of them derived (for --revision) as Turtle, and stop.",
)
@input_format_option
@terminology_option
@record_options
@format_option("text", "json", "turtle", "junit", "fhir")
@engine_option
@pieces_option("Default: by pieces, unless an engine is named.")
@kb_option
def command(
    cases: tuple[str, ...],
    revision: str | None,
    as_of: date | None,
    policy: str | None,
    explain: bool,
    document: Path | None,
    prepare: bool,
    input_format: str | None,
    terminology: tuple[Path, ...],
    records: Path | None,
    case: str,
    format_: str,
    engine: str,
    pieces: bool | None,
    root: Path | None,
) -> None:
    """Determine patient cases under a revision of a policy.

    CASE is a file (.ttl, .trig, .nt, .jsonld: one case or many; .json: one; .jsonl: one a line), a folder, or - for
    standard input. FHIR R4 is read too: a bundle (.json), bundles or bulk data (.ndjson), a folder of resources. A case
    that breaks the case shapes is reported as malformed and not determined.

    Without --policy, and where no revision says it, a case is determined under the policy that its service or its codes
    name, if several are on file; where it names none, or more than one, a line says so with the choice. With --policy
    all it has an answer under each.

    Exit code 0 if every answer is that the criteria are met, 1 if one is not (or a case is malformed), 2 if a file or a
    policy could not be read or no revision could be used; all other cases are determined all the same. Where the reader
    of the text leaves (| head), those after are not determined, unless with --record: exit code 141.

    \b
    Examples:
      kb validate case.ttl
      kb validate cases/ --revision 2026-02 --format json
      kb validate case.ttl --explain --document CP.MP.101.pdf
      kb validate case.ttl --record records
      kb validate case.ttl --revision CP.MP.101/2026-02
      kb validate case.ttl --policy all
    """
    wrong = {
        "--revision and --as-of exclude each other.": revision and as_of,
        "--document goes with --explain and the format text.": document and not (explain and format_ == "text"),
        "--prepare determines nothing that --record could record.": prepare and records,
    }
    for what, given in wrong.items():
        if given:
            raise click.UsageError(what)
    recorded = recorder(kb := open_kb(root), records, case)
    from kb_tools.determine.run import FEW

    errors: list[KbError] = []
    record = not prepare and (explain or format_ in ("json", "turtle"))
    read = read_cases(kb, cases, input_format, errors, terminology, record)
    if prepare:
        _print_prepared(kb, engine, read, errors, _ages_asked(kb, policy, revision))
        return
    named = click.get_current_context().get_parameter_source("engine") is not ParameterSource.DEFAULT
    by_pieces = pieces if pieces is not None else not named
    determined = kb.determine(
        read, revision=revision, as_of=as_of, policy=policy, engine=engine, pieces=by_pieces, record=recorded
    )
    worst = 0
    answers: list[Answer] = []
    counts: Counter[tuple[str, str]] = Counter()
    out = console()
    wording = None
    if format_ == "text":
        from kb_tools.render import determination_text as text
    if document:
        from kb_tools.document.trace import quotes

        wording = quotes(kb.repository.policy_of(policy, *filter(None, [revision])), document)
    # Records are of all cases, whoever hears of them.
    heard = determined if recorded else _while_heard(determined)
    for number, answer in enumerate(progress(heard, "cases determined")):
        if by_pieces and number == FEW:
            warn_of_slow_shapes(kb)
        worst = max(worst, _exit_code(answer))
        if format_ == "text":
            text.answer(out, kb.repository, answer, explain, wording, policy == "all")
            counts[text.policy_of(answer), text.outcome_of(answer)] += 1
        else:
            answers.append(answer)
    if format_ == "text":
        text.summary(out, counts, len(errors))
    else:
        put(_writer(format_)(kb.repository, answers, errors, explain))
    if recorded:
        say_recorded(len(recorded.heads), recorded.folder, recorded.head)
    # Of a policy that is skipped nobody knows what the case comes to under it, or whether the case names it too.
    sys.exit(2 if errors or kb.repository.skipped else worst)


def _while_heard(answers: Iterator[Answer]) -> Iterator[Answer]:
    """The answers until the reader of what is printed leaves; the code then says that not all are determined."""
    for answer in answers:
        if not readers.wanted():
            sys.exit(readers.LEFT)
        yield answer


def _exit_code(answer: Answer) -> int:
    """The exit code of one case; where no revision could be used, that is told."""
    from kb_tools.determine.result import Determination, NotDetermined, Outcome

    if isinstance(answer, NotDetermined):
        warn(f"{answer.case.title}: {answer.error}")
        return 2
    return int(not isinstance(answer, Determination) or answer.outcome is not Outcome.MET)


def _writer(format_: str) -> Callable[[Repository, Sequence[Answer], Sequence[KbError], bool], str]:
    """What writes a run in a format; only that is loaded."""
    if format_ == "json":
        from kb_tools.render.determination_json import answers
    elif format_ == "turtle":
        from kb_tools.render.determination_turtle import answers
    elif format_ == "junit":
        from kb_tools.render.determination_junit import answers
    else:
        from kb_tools.render.determination_fhir import answers
    return answers


def _ages_asked(kb: KnowledgeBase, policy: str | None, revision: str | None) -> bool:
    """Whether a revision that is named has conditions that look at how old findings are."""
    from kb_tools.determine.ages_seen import looks_at_ages
    from kb_tools.model.revision import Revision

    if revision is None:
        return False
    chosen = kb.repository.policy_of(policy, revision)
    loaded = Revision.load(chosen, chosen.require_criteria(chosen.entry(revision)))
    return looks_at_ages(kb.repository.evaluated, loaded.conditions.values())


def _print_prepared(
    kb: KnowledgeBase, engine: str, cases: Iterator[Case], errors: list[KbError], with_ages: bool
) -> None:
    from kb_tools.cases.ages import aged
    from kb_tools.cases.case import Malformed
    from kb_tools.cases.check import CaseChecker
    from kb_tools.cases.prepare import prepared

    checked = CaseChecker(kb.repository, engine).check(list(cases))
    sound = [case for case in checked if not isinstance(case, Malformed)]
    for item in checked:
        if isinstance(item, Malformed):
            for violation in item.violations:
                warn(f"{item.case.title}: malformed, not prepared: {violation.place}: {violation.message}")
    found = [aged(case) for case in sound] if with_ages else sound
    put(printable.escaped(prepared(kb.repository, found).serialize(format="longturtle")))
    sys.exit(2 if errors else int(len(sound) < len(checked)))
