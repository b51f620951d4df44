"""kb case."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import click

from kb_tools import printable
from kb_tools.commands import completion
from kb_tools.commands.common import (
    engine_option,
    format_option,
    kb_option,
    open_kb,
    put,
    read_cases,
    revision_option,
    terminology_option,
    warn,
)
from kb_tools.errors import KbError


@click.group("case")
def command() -> None:
    """Cases as plain JSON: a template, the schema, and any other case converted.

    \b
    Examples:
      kb case template CP.MP.101 > case.json
      kb case convert case.ttl > case.json
    """


@command.command("template")
@click.argument("policy", metavar="POLICY", shell_complete=completion.policies)
@revision_option("The revision that asks; default: in force today.")
@kb_option
def template(policy: str, revision: str | None, root: Path | None) -> None:
    """Print an empty case with notes: what each key takes, and what the policy asks for.

    A key that begins with // is a note: no command reads it.

    \b
    Example:
      kb case template CP.MP.101 --revision 2026-02 > case.json
    """
    from kb_tools.cases.form import CaseForms
    from kb_tools.cases.template import template as blank
    from kb_tools.model.revision import Revision

    kb = open_kb(root).repository
    if revision is None and policy.count("/") == 1:
        policy, revision = policy.split("/")
    chosen = kb.policy(policy)
    entry = chosen.require_criteria(chosen.entry(revision)) if revision else chosen.in_force(date.today()).revision
    _print(blank(CaseForms(kb), Revision.load(chosen, entry)))


@command.command("schema")
@click.option("--context", is_flag=True, help="Print the JSON-LD context that maps keys and terms instead.")
@click.option(
    "--policy",
    metavar="POLICY",
    shell_complete=completion.policies,
    help="Leave out what no revision of this policy reads.",
)
@click.option("--shared", is_flag=True, help="Leave out the terms that policies bring of their own.")
@kb_option
def schema(context: bool, policy: str | None, shared: bool, root: Path | None) -> None:
    """Print the JSON Schema (draft 2020-12) of a case, generated from the vocabularies and the case shapes.

    It holds the terms of every policy on file, those of its own folder among them.

    \b
    Examples:
      kb case schema > case.schema.json
      kb case schema --policy CP.MP.101 > case.schema.json
    """
    from kb_tools.cases.form import CaseForms
    from kb_tools.cases.narrowed import narrowed
    from kb_tools.cases.schema import schema as described
    from kb_tools.model.revision import Revision

    if policy and shared:
        raise click.UsageError("--policy and --shared exclude each other.")
    kb = open_kb(root).repository
    plain = CaseForms(kb.shared if shared else kb)
    if policy:
        chosen = kb.policy(policy)
        entries = [entry for entry in chosen.history if entry.criteria_on_file]
        plain = narrowed(plain, [Revision.load(chosen, entry) for entry in entries])
    _print({"@context": plain.context} if context else described(plain))


@command.command("convert")
@click.argument("cases", nargs=-1, required=True, metavar="CASE...")
@terminology_option
@format_option("json", "jsonl")
@engine_option
@kb_option
def convert(
    cases: tuple[str, ...], terminology: tuple[Path, ...], format_: str, engine: str, root: Path | None
) -> None:
    """Print cases of any format that kb validate reads as plain JSON: one (json), or one a line (jsonl).

    Labels and comments of a case, and names of its findings, are left out; what a reader must know of the reading comes
    on standard error. Exit code 1 if a case is malformed, 2 if a
    file could not be read or a case not be written; all others are written all the same.

    \b
    Examples:
      kb case convert case.ttl > case.json
      kb case convert cases/ --format jsonl > cases.jsonl
    """
    from kb_tools.cases.case import Malformed
    from kb_tools.cases.check import CaseChecker
    from kb_tools.cases.form import CaseForms
    from kb_tools.render.case_json import write

    kb = open_kb(root)
    plain = CaseForms(kb.repository)
    errors: list[KbError] = []
    read = list(read_cases(kb, cases, None, errors, terminology))
    if format_ == "json" and len(read) > 1:
        raise KbError(f"{len(read)} cases, and --format json writes one", hint="use --format jsonl")
    malformed = False
    for checked in CaseChecker(kb.repository, engine).check(read):
        if isinstance(checked, Malformed):
            malformed = True
            for violation in checked.violations:
                warn(f"{checked.case.title}: malformed, not converted: {violation.place}: {violation.message}")
            continue
        for notice in checked.notices:
            warn(f"{checked.title}: {notice}")
        try:
            written = write(plain, checked)
        except KbError as error:
            warn(str(error))
            errors.append(error)
            continue
        if format_ == "json":
            _print(written)
        else:
            put(printable.escaped(json.dumps(written, ensure_ascii=False)) + "\n")
    sys.exit(2 if errors else int(malformed))


def _print(value: Any) -> None:
    from kb_tools.as_json import dump

    put(dump(value))
