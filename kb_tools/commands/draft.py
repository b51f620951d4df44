"""kb draft."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_tools.commands import completion
from kb_tools.commands.common import (
    console,
    engine_option,
    format_option,
    kb_option,
    open_kb,
    policy_option,
    put,
    revision_option,
)
from kb_tools.errors import KbError

if TYPE_CHECKING:
    from kb_tools.document.left import Draft
    from kb_tools.model.repository import Repository

policy = policy_option("The policy; without it, the only one with a draft.")
revision = revision_option("The draft; without it, the only one.")


@click.group("draft")
def command() -> None:
    """Carry a policy from its document to a frozen revision.

    A draft is begun from a copy of the document, of which no text is kept. Then a person decides what is new, and says
    so in the files of the draft; what only has to be pointed to its new place, kb does.

    \b
    Examples:
      kb draft start next-year.pdf --policy CP.MP.101 --revision 2027-02
      kb draft status
      kb draft accept --all-mechanical
      kb draft done CP.MP.101/2027-02
    """


@command.command("start")
@click.argument("document", type=click.Path(path_type=Path), metavar="DOCUMENT")
@policy_option("The policy, needed where several are on file.")
@click.option("--revision", metavar="YYYY-MM", required=True, help="The month of the revision, as its log prints it.")
@format_option("text", "json")
@kb_option
def start(document: Path, policy: str | None, revision: str, format_: str, root: Path | None) -> None:
    """Begin a draft from a copy of its document: plain text, PDF or HTML.

    Of a policy with an edition on file, what is unchanged in the document is carried over, and the rest is marked with
    pol:toDo. Of a policy with a policy.ttl alone, every passage is marked. The passages get a prefix in policy.ttl and
    the revision a row in revision-log.ttl. Nothing is overwritten.

    Where the passages on file were written by hand, without digests: with the month of that edition, its passages.ttl
    gets the digests of its document, and each place is to be read; with a later month, the next edition is begun, and
    what was stated is to be read again. In both, places are found by their names.

    Exit code 0 if the draft is there, 2 if not.

    \b
    Example:
      kb draft start next-year.pdf --policy CP.MP.101 --revision 2027-02
    """
    from kb_tools.render import draft as render
    from kb_tools.render import page

    kb = open_kb(root)
    made = kb.draft(document, revision, policy=policy)
    if format_ == "json":
        put(made.to_json())
    else:
        page.text(console(), render.started(kb.repository, made))


@command.command("status")
@policy
@revision
@format_option("text", "markdown", "json")
@kb_option
def status(policy: str | None, revision: str | None, format_: str, root: Path | None) -> None:
    """List what is left to do in a draft, the worst first.

    First what a person must decide; apart from it what only has to be pointed to its place in the new document.

    Exit code 0 if nothing is left, 1 if something is.

    \b
    Example:
      kb draft status --policy CP.MP.101
    """
    from kb_tools.render import draft as render
    from kb_tools.render import page

    kb = open_kb(root).repository
    found = _chosen(kb, policy, revision)
    if format_ == "json":
        put(found.to_json())
    elif format_ == "text":
        page.text(console(), render.status(kb, found))
    else:
        put(page.markdown(render.status(kb, found)))
    sys.exit(int(bool(found.left)))


@command.command("accept")
@click.argument("places", nargs=-1, metavar="[PLACE…]")
@click.option("--all-mechanical", is_flag=True, help="All that only has to be pointed to its place.")
@click.option(
    "--as",
    "left_out",
    type=click.Choice(["navigation", "boilerplate", "background", "legal-notice"]),
    help="Leave passages out: a heading or pointer; what stands in each policy of the publisher; what tells of the "
    "matter in general; what speaks of rights, liability or contracts.",
)
@click.option("--as-is", is_flag=True, help="The document was read, and what is stated is right as it was.")
@policy
@revision
@kb_option
def accept(
    places: tuple[str, ...],
    all_mechanical: bool,
    left_out: str | None,
    as_is: bool,
    policy: str | None,
    revision: str | None,
    root: Path | None,
) -> None:
    """Take the marks from what was dealt with: PLACE is a place ("II.A"), an IRI, its end, or a CURIE.

    What the log or the discrepancies state of a place is pointed to its place in the new document too. A new passage
    must be stated by something, or left out with --as. What rests on a place that is reworded, moved or gone, and still
    says what it said, is accepted with --as-is alone: somebody must have read it. All PLACEs are done, or none.

    Exit code 0 if it was done, 2 if not.

    \b
    Examples:
      kb draft accept --all-mechanical
      kb draft accept II.A crit:acute-gvhd
      kb draft accept "Background, heading" --as navigation
      kb draft accept II.B --as-is
    """
    from kb_tools.authoring.accept import accept as do
    from kb_tools.authoring.accept import says_what_it_said

    if all_mechanical == bool(places) or (all_mechanical and left_out):
        raise click.UsageError("Name places, or use --all-mechanical.")
    kb = open_kb(root).repository
    found = _chosen(kb, policy, revision)
    wanted = found.mechanical if all_mechanical else list(dict.fromkeys(map(found.find, places)))
    kept = [one for one in wanted if says_what_it_said(found, one)]
    for path in do(found, wanted, left_out or "", as_is) if wanted else ():
        click.echo(path.relative_to(kb.root))
    for one in kept:
        click.echo(f"as it was: {one.place or kb.curie(str(one.iri))}  {one.label}")
    again = _chosen(type(kb)(kb.root), policy, revision)
    click.echo(
        f"{len(wanted)} done, {len(again.to_decide)} to decide, {len(again.mechanical)} to point to their places"
    )


@command.command("done")
@click.argument("revision", required=False, metavar="[REVISION]", shell_complete=completion.revisions)
@click.option("--seen", metavar="DIGEST", help="What is printed was looked at: the digest that stands below it.")
@click.option(
    "--keep", multiple=True, metavar="IRI", help="A statement is right although it speaks of a value that is gone."
)
@click.option(
    "--document",
    type=click.Path(path_type=Path),
    help="A copy of the document: no eight words in a row of it may stand in the knowledge base.",
)
@policy
@engine_option
@kb_option
def done(
    revision: str | None,
    seen: str | None,
    keep: tuple[str, ...],
    document: Path | None,
    policy: str | None,
    engine: str,
    root: Path | None,
) -> None:
    """Release a draft: show how it compares with the edition before it, and freeze it once that was looked at.

    Of a first edition, it shows what is about to be released. Beside it stands what no example case shows.

    Refused while anything is left to do, a condition has no example case on each side, a text still speaks of a limit
    that no condition sets any more, the log has no row, a conformance check fails, or the knowledge base
    shares wording with the --document.

    Exit code 0 if it is released, 1 if something keeps it from that or it is to be looked at first, 2 if it could not
    be read or written.

    \b
    Examples:
      kb draft done CP.MP.101/2027-02 --document next-year.pdf
      kb draft done CP.MP.101/2027-02 --seen 3f0c9a11d2b7
    """
    from kb_tools.authoring.finish import Release
    from kb_tools.render import draft as render
    from kb_tools.render import page

    kb = open_kb(root).repository
    found = _chosen(kb, policy, revision)
    release = Release(kb, found, engine, [found.expanded(name) for name in keep], document)
    if release.obstacles:
        page.text(console(), render.obstacles(release))
        sys.exit(1)
    if seen is None:
        page.text(console(), render.to_look_at(release))
        click.echo(
            f"\nRead it. If it says what the document says: kb draft done {release.name} --seen {release.digest}"
        )
        sys.exit(1)
    frozen = release.release(seen)
    click.echo(f"{release.name}  released and {frozen.status}: {frozen.seal.statements} statements")


def _chosen(kb: Repository, policy: str | None, revision: str | None) -> Draft:
    """The draft that is meant: the one named, or the only one.

    Raises:
        KbError: there is none, or there are several and none is named.
    """
    from kb_tools.document.left import Draft, drafts

    if revision:
        owner = kb.policy_of(policy, revision)
        return Draft(owner, owner.entry(revision))
    owners = [kb.policy(policy)] if policy else list(kb.policies())
    found = [(owner, entry) for owner in owners for entry in drafts(owner)]
    if not found:
        raise KbError("no draft on file", hint="kb draft start begins one")
    if len(found) > 1:
        names = ", ".join(f"{owner.identifier}/{entry.name}" for owner, entry in found)
        raise KbError(f"{len(found)} drafts on file", hint=f"choose one with --revision: {names}")
    return Draft(*found[0])
