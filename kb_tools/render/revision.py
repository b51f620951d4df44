"""What kb show shows: the history of a policy, and one revision as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rdflib import URIRef
from rdflib.namespace import RDFS, SKOS
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as RichTree

from kb_tools import as_json
from kb_tools.model.history import RevisionEntry
from kb_tools.model.logic import LISTED_BY, Tree
from kb_tools.model.parts import BASES, DOCUMENT_PARTS, operator_words
from kb_tools.model.policy import Policy
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Criterion, Passage
from kb_tools.rdf.namespaces import POL
from kb_tools.render.determination_text import Quotes, quoted, reference_line

DRAFT = "a draft, in force on no date"


# ---------------------------------------------------------------------- history


def history(out: Console, policies: Iterable[Policy]) -> None:
    """Each policy with its revisions, oldest first: when they count from, and what is on file of each."""
    for policy in policies:
        out.print(Text(f"{policy.identifier}  {policy.title}", "bold"))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("Revision", "Approved", "Counts from", "On file", "Inferred from the log"):
            table.add_column(heading, overflow="fold")
        for entry in policy.history:
            approval = entry.row.approval_printed or "not given" if entry.row else "no row in the log"
            on_file, inferred = _parts(entry, "DocumentOnFile"), _parts(entry, "InferredFromLog")
            complete = "all" if on_file == list(DOCUMENT_PARTS.values()) else ", ".join(on_file)
            name, since = (f"{entry.name} (draft)", "-") if entry.draft else (entry.name, str(entry.effective))
            table.add_row(name, approval, since, complete or "-", ", ".join(inferred) or "-")
        out.print(table)


def _parts(entry: RevisionEntry, basis: str) -> list[str]:
    held = [(part, label) for part, label in DOCUMENT_PARTS.items() if entry.on_file[part] == basis]
    more = dict.fromkeys(entry.in_part, " (in part)") | dict.fromkeys(entry.has_none, " (none)")
    return [f"{label}{more.get(part, '')}" for part, label in held]


def history_json(policies: Iterable[Policy]) -> str:
    """The same for other programs."""
    return as_json.dump([policy.to_dict() for policy in policies])


# ---------------------------------------------------------------------- one revision


def revision(out: Console, shown: Revision, quotes: Quotes | None = None) -> None:
    """One revision as a tree: when it applies, its criteria, definitions, codes, references and advisories.

    Args:
        quotes: the passages in the reader's own copy of the document, to be printed under each statement.
    """
    entry = shown.entry
    state = DRAFT if entry.draft else f"criteria {BASES[entry.on_file['Criteria']]}"
    root = RichTree(Text(f"{shown.policy.identifier} revision {entry.name}: {state}", "bold"))
    for notice in shown.notices:
        root.add(Text(notice, "italic"))
    if shown.disposition:
        root.add(f"Unsupported uses: {shown.disposition[1]}")
    for title, roles in (("Applies when", ("applicability",)), ("Criteria", _DECIDING)):
        criteria = shown.of_role(*roles)
        if criteria:
            branch = root.add(Text(title, "bold"))
            for criterion in criteria:
                node = _add_criterion(branch, shown, criterion)
                _add_quotes(node, quotes, criterion.places)
    for title, lines in _sections(shown):
        if lines:
            branch = root.add(Text(title, "bold"))
            for line, places in lines:
                _add_quotes(branch.add(line), quotes, places)
    out.print(root)


def _add_quotes(branch: RichTree, quotes: Quotes | None, places: Iterable[Passage]) -> None:
    for line in quoted(quotes, places):
        branch.add(Text(line, "dim"))


_DECIDING = ("indication", "limitation", "remainder", "exclusion")


def _add_criterion(branch: RichTree, shown: Revision, criterion: Criterion) -> RichTree:
    cited = f" [{', '.join(str(citation.number) for citation in criterion.citations)}]" if criterion.citations else ""
    role = f"{criterion.role} {shown.scope_of(criterion)}".rstrip()
    node = branch.add(Text(criterion.notation, "bold").append(f"  {criterion.label} ({role}){cited}", "default"))
    if criterion.otherwise:
        node.add(f"otherwise see {criterion.otherwise[0]}")
    if criterion.tree:
        _add_tree(node, shown, criterion.tree)
    else:
        node.add(shown.uncovered)
    for note in criterion.notes:
        node.add(Text(f"Reading: {note}", "italic"))
    return node


def _add_tree(branch: RichTree, shown: Revision, tree: Tree) -> None:
    operator = branch.add(operator_words(tree))
    for part in tree.parts:
        if isinstance(part, Tree):
            named = operator.add(f"{part.notation}  {part.label}") if part.notation else operator
            _add_tree(named, shown, part)
        else:
            operator.add(shown.conditions[part].label)


def _sections(shown: Revision) -> Iterator[tuple[str, list[tuple[str, tuple[Passage, ...]]]]]:
    """What a revision holds beside its criteria: each statement as one line, with its places in the document."""
    graph = shown.graph

    def text(node: Any, property_: URIRef) -> str:
        return str(graph.value(node, property_) or "")

    definitions = graph.objects(shown.iri, POL.gives)
    yield (
        "Definitions",
        sorted(
            (f"{text(definition, RDFS.label)}: {text(definition, SKOS.definition)}", shown.places(definition))
            for definition in definitions
        ),
    )
    codes = graph.objects(shown.iri, POL.lists)
    yield (
        "Codes",
        sorted((f"{text(code, SKOS.notation)}: {text(code, POL.gloss)}", shown.places(code)) for code in codes),
    )
    references = sorted(shown.references(), key=lambda reference: reference.number)
    yield "References", [(reference_line(reference), shown.places(URIRef(reference.iri))) for reference in references]
    yield (
        "Advice, which does not decide",
        [(f"{advisory.label}: {advisory.text}", advisory.places) for advisory in shown.advisories],
    )


def revision_json(shown: Revision) -> str:
    """The same for other programs."""
    return as_json.dump(revision_dict(shown))


def revision_dict(shown: Revision) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "policy": shown.policy.identifier,
        "revision": shown.entry.name,
        "draft": shown.entry.draft,
        "onFile": shown.entry.on_file,
        "notices": list(shown.notices),
        "disposition": shown.disposition[1] if shown.disposition else None,
        "criteria": [criterion_dict(shown, criterion) for criterion in shown.criteria],
        **{title: [line for line, _ in lines] for title, lines in _sections(shown)},
    }


def criterion_dict(shown: Revision, criterion: Criterion) -> dict[str, Any]:
    """One criterion of a revision as JSON values."""
    return {
        "criterion": criterion.iri,
        "role": criterion.role,
        **({"limits": list(criterion.limits)} if criterion.limits else {}),
        "place": criterion.notation,
        "label": criterion.label,
        "definition": criterion.definition,
        "readings": list(criterion.notes),
        "content": _tree_json(shown, criterion.tree) if criterion.tree else None,
        "otherwiseSee": criterion.otherwise[0] if criterion.otherwise else None,
        "passages": [place.iri for place in criterion.places],
        "references": [citation.number for citation in criterion.citations],
    }


def _tree_json(shown: Revision, part: Tree | str) -> dict[str, Any]:
    if isinstance(part, str):
        return {"condition": part, "label": shown.conditions[part].label}
    parts = [_tree_json(shown, child) for child in part.parts]
    counted = {"atLeast": part.least} if part.operator == "atLeast" else {}
    content: dict[str, Any] = {**counted, LISTED_BY[part.operator]: parts}
    if part.notation:
        content["place"] = part.notation
    return content
