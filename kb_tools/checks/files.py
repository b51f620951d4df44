"""Checks of the files as files: that all are read, and that all use the one prefix table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from rdflib import Literal, URIRef
from rdflib.namespace import XSD

from kb_tools.checks.core import FOLDERS, Problem, name, policy_at, problem_of, relative, statements
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.model.repository import POLICIES, Repository
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import BASE


def parses(kb: Repository) -> Iterator[Problem]:
    """Files that are no Turtle, and folders without a file, over which every other check would pass."""
    for folder in FOLDERS:
        files = kb.files(folder)
        if not files and (folder != POLICIES or kb.shown is None):
            yield Problem(folder, "holds no .ttl file; restore the folder")
        for path in files:
            try:
                kb.triples(path)
            except KnowledgeBaseError as error:
                yield problem_of(kb, error, relative(kb, path))


def files_read(kb: Repository) -> Iterator[Problem]:
    """RDF files that no command ever reads, because of their name or their place."""
    for folder in FOLDERS:
        for path in kb.paths(folder):
            if path.suffix.lower() in FORMATS and (path.suffix != ".ttl" or not _in_place(kb, path)):
                yield Problem(
                    relative(kb, path),
                    "is never read; put it, as .ttl, into a policy's folder with a policy.ttl, into a revision's "
                    "folder with a revision.ttl, into cases/, or, for terms of the policy's own, into its ontology/, "
                    "shapes/findings/, shapes/products/ or shapes/conditions/",
                )


def _in_place(kb: Repository, path: Path) -> bool:
    """Whether a file under policies/ stands where those of a policy, a revision or its example cases are looked for."""
    folder, *parts = path.relative_to(kb.root).parts
    if folder != "policies":
        return True
    match parts:
        case [policy, _]:
            return (kb.root / folder / policy / "policy.ttl").is_file()
        case [policy, "ontology", *_] | [policy, "shapes", "findings" | "products" | "conditions", *_]:
            return (kb.root / folder / policy / "policy.ttl").is_file()
        case [_, "cases", *_]:
            return True
        case [_, _, _]:
            return (path.parent / "revision.ttl").is_file()
    return False


# ---------------------------------------------------------------------- prefixes

# What can hold a colon without being a prefixed name. IRIs stand first: a "#" within one begins no comment.
_IRI = r"<[^<>\s]*>"
_STRINGS_AND_COMMENTS = (
    r'"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*'
)
_QUOTED = re.compile(f"(?P<iri>{_IRI})|{_STRINGS_AND_COMMENTS}", re.DOTALL)
_DECLARATION = re.compile(rf"@?\bprefix\s+(?P<prefix>[\w.-]*):\s*(?P<iri>{_IRI})", re.IGNORECASE)


def _bare(path: Path) -> str:
    """A file's Turtle without strings and comments, line for line."""
    return _QUOTED.sub(lambda found: found["iri"] or "\n" * found[0].count("\n"), path.read_text(encoding="utf-8"))


def declared_in(path: Path) -> set[str]:
    """The namespaces for which a file declares prefixes."""
    return {found["iri"][1:-1] for found in _DECLARATION.finditer(_bare(path))}


def clashing_prefixes(kb: Repository) -> Iterator[Problem]:
    """Prefixes that a policy declares for its own, and another policy or the shared table for something else."""
    clashing: dict[tuple[str, str], list[str]] = {}
    for prefix, owners in sorted(kb.clashing_prefixes.items()):
        where = relative(kb, kb.root / POLICIES / owners[-1] / POLICY_FILE)
        others = ", ".join([*owners[:-1], *(["the shared table"] if prefix in kb.shared_prefixes else [])])
        clashing.setdefault((where, others), []).append(f"{prefix}:")
    for (where, others), found in clashing.items():
        what = f"prefix {found[0]} is" if len(found) == 1 else f"prefixes {', '.join(found)} are"
        hint = f"choose {'another' if len(found) == 1 else 'others'}, here and in the files of this policy"
        yield Problem(where, f"{what} declared for something else by {others}; {hint}")


def prefixes(kb: Repository) -> Iterator[Problem]:
    """Declarations that the prefix table does not know or contradicts, that stand twice, or that nothing uses.

    And those copied from another policy, in whose namespace nothing of this one may be described.
    """
    policies = {policy.identifier: policy for policy in (kb.policies() if kb.policy_folders else ())}
    copied = {identifier: dict(_copied(kb, policy)) for identifier, policy in policies.items()}
    for identifier, problems in copied.items():
        where = relative(kb, kb.root / POLICIES / identifier / POLICY_FILE)
        yield from (Problem(where, problem) for problem in problems.values())
    for path in kb.files(*FOLDERS):
        policy = policies.get(policy_at(kb, relative(kb, path)))
        table = policy.prefixes if policy else kb.prefixes
        text = _bare(path)
        body = re.sub(_IRI, "", _DECLARATION.sub("", text))
        seen: set[str] = set()
        for found in _DECLARATION.finditer(text):
            prefix, namespace = found["prefix"], found["iri"][1:-1]
            where = f"{relative(kb, path)}:{text.count(chr(10), 0, found.start()) + 1}"
            other = other_policy(kb, policy.identifier, namespace) if policy else ""
            if policy and prefix in copied[policy.identifier]:
                pass  # Said of the policy's own table.
            elif policy and other and any(str(s).startswith(namespace) for s, _, _ in kb.triples(path)):
                what = f"prefix {prefix}: is that of {other} here, and what it names is of {policy.identifier}"
                yield Problem(where, f"{what}; write {_own(policy, namespace)}")
            elif prefix and prefix not in table:
                yield Problem(where, f"prefix {prefix}: is not in the prefix table; add it there or use one that is")
            elif prefix and table[prefix] != namespace:
                yield Problem(where, f"prefix {prefix}: is {table[prefix]} in the prefix table; use that")
            if prefix in seen:
                yield Problem(where, f"prefix {prefix}: is declared twice; keep one")
            if not re.search(rf"(?<![\w.-]){re.escape(prefix)}:", body):
                yield Problem(where, f"prefix {prefix}: is not used; remove it")
            seen.add(prefix)


def other_policy(kb: Repository, identifier: str, iri: str) -> str:
    """The policy on file, other than the one given, in whose namespace an IRI stands; "" for none."""
    owner = iri.removeprefix(BASE).partition("/")[0] if iri.startswith(BASE) else ""
    return owner if owner != identifier and owner in {folder.name for folder in kb.policy_folders} else ""


def _copied(kb: Repository, policy: Policy) -> Iterator[tuple[str, str]]:
    """The prefixes that a policy declares as its own and that stand for namespaces of another, with what to do."""
    for prefix, namespace in policy.own_prefixes.items():
        if other := other_policy(kb, policy.identifier, namespace):
            what = f"prefix {prefix}: is declared for {namespace}, a namespace of {other}"
            yield prefix, f"{what}; declare it for {policy.iri}/{_rest(namespace)}"


def _own(policy: Policy, namespace: str) -> str:
    """How a namespace of another policy is written for this one: with the prefix that it has, if any."""
    wanted = f"{policy.iri}/{_rest(namespace)}"
    prefix = next((prefix for prefix, stated in policy.own_prefixes.items() if stated == wanted), "")
    return f"PREFIX {prefix}: <{wanted}>" if prefix else f"<{wanted}>"


def _rest(namespace: str) -> str:
    """What stands in a namespace behind the name of its policy: "criterion/"."""
    return namespace.removeprefix(BASE).partition("/")[2]


def blank_node_labels(kb: Repository) -> Iterator[Problem]:
    """Labelled blank nodes: a label keeps its name when files are joined, so that equal ones become one node."""
    for path in kb.files(*FOLDERS):
        for number, line in enumerate(re.sub(_IRI, "", _bare(path)).split("\n"), start=1):
            for label in re.findall(r"(?<![\w.-])_:[\w.-]+", line):
                yield Problem(f"{relative(kb, path)}:{number}", f"labels a blank node {label}; use [ ] or an IRI")


# ---------------------------------------------------------------------- literals


def _day(text: str) -> None:
    date.fromisoformat(text)


def _any(text: str) -> None:
    """Every text of the right form is a value."""


# The datatypes that the knowledge base uses: their lexical forms, and what else a value must be.
_DATATYPES = {
    XSD.boolean: (r"true|false", _any),
    XSD.integer: (r"[+-]?\d+", _any),
    XSD.decimal: (r"[+-]?(\d+(\.\d*)?|\.\d+)", _any),
    XSD.date: (r"\d{4}-\d{2}-\d{2}", _day),
    XSD.gYearMonth: (r"\d{4}-(0[1-9]|1[0-2])", _any),
    XSD.gYear: (r"\d{4}", _any),
    XSD.duration: (r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", _any),
    XSD.anyURI: (r"\S+", _any),
}


def literals(kb: Repository) -> Iterator[Problem]:
    """Literals that are no value of their datatype: comparisons with them come out as nothing, without an error."""
    for file, (subject, predicate, object_) in statements(kb, *FOLDERS):
        if isinstance(object_, Literal) and object_.datatype and not _is_value(str(object_), object_.datatype):
            yield Problem(
                file,
                f'{name(kb, subject)} states with {name(kb, predicate)} "{object_}", which is no '
                f"{name(kb, object_.datatype)} as the knowledge base uses it; correct the value or its datatype",
            )


def _is_value(text: str, datatype: URIRef) -> bool:
    form, converted = _DATATYPES.get(datatype, (r"(?!)", _any))
    if not re.fullmatch(form, text):
        return False
    try:
        converted(text)
    except ValueError:
        return False
    return True
