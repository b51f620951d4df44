"""The knowledge base on disk: its files, graphs, labels and prefixes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from rdflib import Graph, URIRef
from rdflib.namespace import RDFS, SKOS
from rdflib.term import Node

from kb_tools.errors import Changed, KbError, KnowledgeBaseError, UnknownRevision, UnreadableInput, did_you_mean
from kb_tools.model.listed import apart, list_terms
from kb_tools.model.policy import POLICY_FILE, Policy, declared_prefixes
from kb_tools.model.products import allow_kinds, product_kinds
from kb_tools.model.units import units_of
from kb_tools.model.windows import with_windows
from kb_tools.rdf.files import TURTLE, parse, read_bytes
from kb_tools.rdf.namespaces import BASE, is_our_term, namespace_of_policy
from kb_tools.rdf.terms import Triple, graph_of

PREFIX_TABLE = Path("ontology/prefixes.ttl")
TERMINOLOGY = Path("ontology/terminology.ttl")
# What a well-formed case is: in general, and each class of findings and kind of product in a file of its topic. What no
# case may state.
CASE_SHAPES, FINDING_SHAPES, PRODUCT_SHAPES = "shapes/case.ttl", "shapes/findings", "shapes/products"
# The folders of vocabularies, shapes and conditions; a policy may have such folders of its own, for terms of its own.
ONTOLOGY, SHAPES, CONDITIONS = "ontology", "shapes", "shapes/conditions"
SUBMISSION = "shapes/submission.ttl"
# What derives what counts of a case.
DERIVATION = "shapes/derivation.ttl"
# Derives how old findings are; reached by revisions with conditions that look at that.
AGE_RULES = "shapes/ages.ttl"
# The folder of the policies, one folder for each.
POLICIES = "policies"
# The copy inside an installed wheel; in an editable install, the checkout itself.
_PACKAGE = Path(__file__).parents[1]
INSTALLED = (_PACKAGE / "data", _PACKAGE.parent)
# All that answers can depend on: the vocabularies, the shapes, and the policies with their seals and example cases.
_READ = (("ontology", "*.ttl"), ("shapes", "*.ttl"), ("policies", "*.ttl"), ("policies", "seal.*"))


def find_root(given: Path | None = None) -> Path:
    """The folder of the knowledge base: `given`, else KB_ROOT, else upwards from here, else the installed copy.

    Raises:
        KnowledgeBaseError: the folder named, or every place looked at, holds no knowledge base.
    """
    named = given or (Path(os.environ["KB_ROOT"]) if os.environ.get("KB_ROOT") else None)
    if named is not None:
        if not (named / PREFIX_TABLE).is_file():
            raise KnowledgeBaseError(
                "no knowledge base here", where=str(named), hint=f"name a folder that holds {PREFIX_TABLE}"
            )
        return named
    here = Path.cwd()
    for folder in (here, *here.parents, *INSTALLED):
        if (folder / PREFIX_TABLE).is_file():
            return folder
    raise KnowledgeBaseError("no knowledge base found", where=str(here), hint="use --kb DIR or set KB_ROOT")


def home_of(iri: str, folder: str) -> str:
    """The folder in which a term is described, as seen from the root.

    Args:
        folder: that of the terms of its kind which all policies share; a term of a policy's own has its own.
    """
    policy = namespace_of_policy(iri).removeprefix(BASE).partition("/")[0]
    return f"{POLICIES}/{policy}/{folder}" if policy else folder


class Repository:
    """The files under one root, each loaded once, each as a graph with a name.

    Attributes:
        shown: the names of the folders of the policies that it shows; None where it shows all.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shown: frozenset[str] | None = None
        self._files: dict[Path, list[Triple]] = {}
        self._held: dict[Path, bytes] | None = None
        # Of policies that are left out, why; and who is told of each.
        self._skipped: dict[str, KbError] = {}
        self.on_skip: Callable[[str, KbError], None] = lambda identifier, error: None

    def showing(self, policies: Iterable[str]) -> Repository:
        """The same knowledge base as if no other policies were on file; what was loaded once is shared.

        Args:
            policies: the names of their folders.
        """
        view = Repository(self.root)
        view.shown, view._files, view._held = frozenset(policies), self._files, self._held
        view._skipped = self._skipped
        return view

    @property
    def shared(self) -> Repository:
        """The same as if no policy were on file: the vocabularies and shapes that all policies share."""
        return self.showing(())

    def instead(self, path: Path, triples: list[Triple]) -> Repository:
        """The same knowledge base as if one of its files said something else."""
        other = Repository(self.root)
        other._files = {**self._files, path: triples}
        return other

    # ------------------------------------------------------------------ files

    def hold(self, expected: str = "") -> str:
        """Read every file now: from here on nothing is read from the disk, whatever becomes of the files there.

        Args:
            expected: the digest that another process, which answers beside this one, gave; "" for any.

        Returns:
            the digest of what was read.

        Raises:
            Changed: it is another than was expected.
        """
        self._held = {path: self.content(path) for path in self._found()}
        digest = self.digest
        if expected and digest != expected:
            raise Changed("the knowledge base changed since the server started", hint="start it again")
        return digest

    @property
    def held(self) -> str:
        """The digest of the files where they are held; else ""."""
        return "" if self._held is None else self.digest

    @property
    def digest(self) -> str:
        """The digest of all that determinations can depend on."""
        digest = hashlib.sha256()
        for path in self._found():
            digest.update(f"{path.relative_to(self.root).as_posix()}\n".encode() + self.content(path))
        return digest.hexdigest()

    def _found(self) -> list[Path]:
        if self._held is not None:
            return [path for path in self._held if self._shows(path)]
        return [path for folder, pattern in _READ for path in self.paths(folder, pattern)]

    def paths(self, folder: str, pattern: str = "*") -> list[Path]:
        """What is on the disk under a folder, given relative to the root, in the order of the names."""
        above = self.root / folder
        if self.shown is None or folder != POLICIES:
            return sorted(above.rglob(pattern))
        inside = (path for name in self.shown for path in (above / name).rglob(pattern))
        return sorted([*(path for path in above.glob(pattern) if self._shows(path)), *inside])

    def _shows(self, path: Path) -> bool:
        """Whether a path is none of a policy that is not shown."""
        if self.shown is None:
            return True
        match path.relative_to(self.root).parts:
            case (folder, name, *below) if folder == POLICIES:
                return name in self.shown or not (below or path.is_dir())
        return True

    def content(self, path: Path) -> bytes:
        """The content of one file of the knowledge base.

        Raises:
            KnowledgeBaseError: it cannot be read.
        """
        if self._held is not None and path in self._held:
            return self._held[path]
        try:
            if self._held is not None:
                raise KnowledgeBaseError("no such file", where=str(path), hint="run kb check")
            return read_bytes(path)
        except UnreadableInput as error:
            raise KnowledgeBaseError(error.what, where=error.where, hint=error.hint) from error

    def triples(self, path: Path) -> list[Triple]:
        """The triples of one file of the knowledge base.

        Raises:
            KnowledgeBaseError: it cannot be read, or is not valid.
        """
        if path not in self._files:
            content = self.content(path)
            try:
                self._files[path] = parse(content, TURTLE, str(path))
            except UnreadableInput as error:
                raise KnowledgeBaseError(error.what, where=error.where, hint=error.hint) from error
        return self._files[path]

    def files(self, *folders: str) -> list[Path]:
        """The Turtle files under the folders, given relative to the root, in order of their names."""
        found: list[Path] = []
        for folder in folders:
            above = self.root / folder
            if self._held is None:
                found.extend(self.paths(folder, "*.ttl"))
            else:
                inside = (path for path in self._held if path.suffix == ".ttl" and above in path.parents)
                found.extend(path for path in inside if self._shows(path))
        return found if not self._skipped else [path for path in found if not self.is_skipped(path)]

    def files_of(self, folder: str) -> list[Path]:
        """The Turtle files of a folder that all policies share, and of that folder of each policy's own.

        Without those of a policy whose own files cannot be read: who asks for that policy is told.
        """
        return [
            *self.files(folder),
            *(path for policy in self.policy_folders for path in self.own_files(policy, folder)),
        ]

    def own_files(self, policy: Path, folder: str) -> list[Path]:
        """The Turtle files of a folder inside that of a policy, which is given; none if one cannot be read."""
        found = self.files(f"{POLICIES}/{policy.name}/{folder}")
        try:
            for path in found:
                self.triples(path)
        except KnowledgeBaseError:
            return []
        return found

    def files_in(self, folder: Path, pattern: str = "*.ttl") -> list[Path]:
        """The files of a folder itself that fit a pattern, which may begin with folders in it; in order of their names.

        Args:
            folder: below the root.
        """
        depth = len(folder.parts) + len(Path(pattern).parts)
        found = (
            folder.glob(pattern)
            if self._held is None
            else (
                path
                for path in self._held
                if folder in path.parents and len(path.parts) == depth and path.match(pattern)
            )
        )
        return sorted(filter(self._shows, found))

    def has(self, path: Path) -> bool:
        """Whether there is such a file."""
        return path.is_file() if self._held is None else path in self._held

    def file_of(self, subject: Node, predicate: Node, folder: str) -> Path:
        """The file that states something of a term; of one that none does, the folder where it would stand.

        Args:
            folder: a folder of terms that all policies share; each policy may have such a one of its own.
        """
        for path in self.files_of(folder):
            if any(s == subject and p == predicate for s, p, _ in self.triples(path)):
                return path
        return self.root / home_of(str(subject), folder)

    def graph(self, paths: Iterable[Path]) -> Graph:
        """One graph of several files.

        What a policy's own vocabulary and shapes say of terms of others is left out, so that no policy changes what
        another means; `kb check` tells of it.
        """
        return graph_of(triple for path in paths for triple in self._of_its_own(path))

    def _of_its_own(self, path: Path) -> Iterable[Triple]:
        """What a file states; of one in a policy's own folders, without what it says of terms of others."""
        stated = self.triples(path)
        parts = path.relative_to(self.root).parts if self.root in path.parents else ()
        if parts[:1] != (POLICIES,) or len(parts) < 4 or parts[2] not in (ONTOLOGY, SHAPES):
            return stated
        own = f"{BASE}{parts[1]}/"
        return [triple for triple in stated if str(triple[0]).startswith(own) or not is_our_term(str(triple[0]))]

    @cached_property
    def ontology(self) -> Graph:
        """The vocabularies, and that no finding is of two classes; not the terminology, which is of others' codes."""
        stated = self.graph(path for path in self.files_of(ONTOLOGY) if path != self.root / TERMINOLOGY)
        return graph_of([*stated, *apart(stated)])

    @cached_property
    def labels(self) -> dict[str, str]:
        """The name of each term of the vocabularies."""
        return {str(node): str(label) for link in (RDFS.label, SKOS.prefLabel) for node, label in self.ontology[:link:]}

    @cached_property
    def units(self) -> dict[str, str]:
        """The UCUM code of the unit of each property that states a number in one, exactly or as a bound."""
        return units_of(self.ontology)

    @property
    def case_shape_files(self) -> list[Path]:
        """The files of the shapes that say what a well-formed case is."""
        return [self.root / CASE_SHAPES, *self.files_of(FINDING_SHAPES), *self.files_of(PRODUCT_SHAPES)]

    @cached_property
    def case_shapes(self) -> Graph:
        """What a well-formed case is, with the shapes of all classes of findings and kinds of products, listed."""
        return self._listed(self.case_shape_files, product_kinds(self.ontology))

    @cached_property
    def submission_shapes(self) -> Graph:
        """What a case must be as it is submitted: well formed, and without statements that are derived."""
        return self.submission_shapes_of(product_kinds(self.ontology))

    def submission_shapes_of(self, kinds: Iterable[URIRef]) -> Graph:
        """The same as if, of the kinds of products under case:Product, there were these alone."""
        return self._listed([*self.case_shape_files, self.root / SUBMISSION], kinds)

    def _listed(self, paths: Iterable[Path], kinds: Iterable[URIRef]) -> Graph:
        shapes = self.graph(paths)
        list_terms(shapes, self.ontology)
        allow_kinds(shapes, kinds)
        return shapes

    @cached_property
    def conditions(self) -> Graph:
        """The reusable conditions and their shapes."""
        return self.graph(self.files_of(CONDITIONS))

    @cached_property
    def evaluated(self) -> Graph:
        """The same as they are evaluated: with the window of each condition in its shapes."""
        return with_windows(self.conditions)

    @cached_property
    def prefixes(self) -> dict[str, str]:
        """The prefix table: the shared rows, and those that policies declare for their own namespaces.

        Without the prefixes that two policies declare for different namespaces: each is that of its own policy alone,
        see `Policy.prefixes`.

        Raises:
            KnowledgeBaseError: the shared rows are missing, or two of them differ.
        """
        return self._prefixes[0]

    @cached_property
    def clashing_prefixes(self) -> dict[str, list[str]]:
        """Prefixes that policies declare differently, of each other or of the shared rows, with their identifiers."""
        return self._prefixes[1]

    @cached_property
    def shared_prefixes(self) -> dict[str, str]:
        """The shared rows of the prefix table.

        Raises:
            KnowledgeBaseError: there are none, or two of them differ.
        """
        path = self.root / PREFIX_TABLE
        table: dict[str, str] = {}
        for prefix, namespace in declared_prefixes(self.graph([path])):
            if table.setdefault(prefix, namespace) != namespace:
                what = f"prefix {prefix} is declared for {table[prefix]} and for {namespace}"
                raise KnowledgeBaseError(what, where=str(path), hint="choose another prefix")
        if not table:
            raise KnowledgeBaseError("declares no prefix", where=str(path), hint="restore it from version control")
        return table

    @cached_property
    def _prefixes(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        shared = self.shared_prefixes
        declared: dict[str, dict[str, list[str]]] = {}
        for policy in self._policies():
            # Of a policy that cannot be read, whoever asks for it is told.
            with suppress(KnowledgeBaseError):
                for prefix, namespace in policy.own_prefixes.items():
                    declared.setdefault(prefix, {}).setdefault(namespace, []).append(policy.identifier)
        table, clashing = dict(shared), {}
        for prefix, namespaces in declared.items():
            owners = [owner for of_one in namespaces.values() for owner in of_one]
            if prefix in shared:
                if namespaces.keys() != {shared[prefix]}:
                    clashing[prefix] = owners
            elif len(namespaces) > 1:
                clashing[prefix] = owners
            else:
                table[prefix] = next(iter(namespaces))
        return table, clashing

    def curie(self, iri: str) -> str:
        """The IRI with its prefix, or in angle brackets where none fits."""
        fits = [(namespace, prefix) for prefix, namespace in self.prefixes.items() if iri.startswith(namespace)]
        if not fits:
            return f"<{iri}>"
        namespace, prefix = max(fits, key=lambda pair: len(pair[0]))
        return f"{prefix}:{iri[len(namespace) :]}"

    # ------------------------------------------------------------------ policies and revisions

    def folders_of_policies(self) -> list[Path]:
        """What stands under policies/ as a folder, whether it holds a policy or not."""
        return [path for path in sorted((self.root / POLICIES).glob("*")) if path.is_dir() and self._shows(path)]

    @property
    def policy_folders(self) -> list[Path]:
        """The folders of the policies, but for those that are skipped."""
        return [folder for folder in self._policy_folders if folder.name not in self._skipped]

    @cached_property
    def _policy_folders(self) -> list[Path]:
        return [path.parent for path in self.files_in(self.root / "policies", f"*/{POLICY_FILE}")]

    @cached_property
    def _places(self) -> list[Path]:
        """The folders with a file of a policy, whether policy.ttl is there or not."""
        found = {path.parent for path in self.files_in(self.root / POLICIES, "*/*.ttl")}
        found |= {path.parents[1] for path in self.files_in(self.root / POLICIES, "*/*/revision.ttl")}
        return sorted(found)

    @property
    def has_several(self) -> bool:
        """Whether there are several policies, those that cannot be read among them."""
        return len(self._places) > 1

    @property
    def absent(self) -> list[Policy]:
        """The policies that are skipped, and those without a policy.ttl: cases may name them all the same."""
        there = set(self.policy_folders)
        return [Policy(self, folder) for folder in self._places if folder not in there]

    @property
    def skipped(self) -> dict[str, KbError]:
        """The policies that are left out since they cannot be read, each with what is wrong with it."""
        return dict(self._skipped)

    def skip(self, identifier: str, error: KbError) -> None:
        """Leave a policy out from here on, as though its folder were not there: one that is broken stops no other.

        Args:
            error: what is wrong with it, which is raised where it is named.
        """
        if identifier not in self._skipped:
            self._skipped[identifier] = error
            self.on_skip(identifier, error)

    def is_skipped(self, path: Path) -> bool:
        """Whether a file is one of a policy that is skipped."""
        parts = path.relative_to(self.root).parts
        return len(parts) > 1 and parts[0] == "policies" and parts[1] in self._skipped

    def policy(self, identifier: str | None = None) -> Policy:
        """The policy named, or the only one, or of several the one that KB_POLICY names.

        Raises:
            KbError: there is none of that name, or several and none was named.
        """
        if identifier in self._skipped:
            raise self._skipped[identifier]
        known = [folder.name for folder in self.policy_folders] or [policy.identifier for policy in self.policies()]
        if identifier is None and (preferred := self.preferred):
            return preferred
        if identifier is None:
            if len(known) != 1:
                raise KbError(f"{len(known)} policies on file", hint=f"choose one with --policy: {', '.join(known)}")
            identifier = known[0]
        if identifier not in known:
            hint = did_you_mean(identifier, known) or f"known: {', '.join(known)}"
            raise KbError(f"no policy {identifier} on file", hint=hint, unquoted="no such policy on file")
        return Policy(self, self.root / "policies" / identifier)

    @property
    def preferred(self) -> Policy | None:
        """Of several policies, the one that the variable KB_POLICY of the environment names; None without.

        Raises:
            KbError: there is none of that name.
        """
        named = os.environ.get("KB_POLICY")
        return self.policy(named) if named and self.has_several else None

    def is_one(self, named: str | None, revision: str | None) -> bool:
        """Whether a name and a revision leave one policy, or none; where not, several have the revision, or all do.

        One that is skipped counts: it may be the one that is meant.
        """
        if named or not self.has_several or "/" in (revision or ""):
            return True
        preferred = self.preferred
        if revision is None:
            return preferred is not None
        having = [policy.iri for policy in self._having(revision)]
        return len(having) < 2 or (preferred is not None and preferred.iri in having)

    def policy_of(self, named: str | None, *revisions: str) -> Policy:
        """The policy named; else that of the revisions: before their month ("CP.MP.101/2026-02"), or the only one.

        Of several that have them, the one that KB_POLICY names.

        Raises:
            KbError: the revisions name more than one, or no policy is named and several have them, or none has.
        """
        names = {revision.split("/")[-2] for revision in revisions if "/" in revision} | ({named} if named else set())
        if len(names) > 1:
            what, unquoted = f"revisions of two policies: {' and '.join(sorted(names))}", "revisions of two policies"
            raise KbError(what, hint="name two of one policy", unquoted=unquoted)
        if names or not revisions or not self.has_several:
            return self.policy(next(iter(names), None))
        having = self._having(*revisions)
        preferred = self.preferred
        if preferred and (not having or preferred.iri in {policy.iri for policy in having}):
            return preferred
        if len(having) == 1:
            return self.policy(having[0].identifier)
        asked = " and ".join(dict.fromkeys(revisions))
        if not having:
            what, unquoted = f"no policy on file has revision {asked}", "no policy on file has such a revision"
            raise UnknownRevision(what, hint="kb show lists the policies with their revisions", unquoted=unquoted)
        which = ", ".join(policy.identifier for policy in having)
        raise KbError(
            f"{len(having)} policies have revision {asked}",
            hint=f"write {having[0].identifier}/{revisions[0]}, or choose one with --policy: {which}",
            unquoted=f"{len(having)} policies have such a revision",
        )

    def policies_with(self, *revisions: str) -> list[Policy]:
        """The policies that have folders for all these revisions, whatever stands in them."""
        return [policy for policy in self.policies() if all(name in policy.revision_folders for name in revisions)]

    def _having(self, *revisions: str) -> list[Policy]:
        """The same, and those that cannot be read: they may be meant."""
        absent = (policy for policy in self.absent if all(name in policy.revision_folders for name in revisions))
        return [*self.policies_with(*revisions), *absent]

    def policies_compared(self, named: str | None, before: str, after: str) -> tuple[Policy, Policy]:
        """The policies of two revisions that are compared: two only where each names another before its month.

        Raises:
            KbError: one is named and a revision is of another, or none where several are on file.
        """
        owners = {revision.split("/")[-2] for revision in (before, after) if "/" in revision}
        if named or len(owners) < 2:
            return (found := self.policy_of(named, before, after)), found
        return self.policy_of(None, before), self.policy_of(None, after)

    def policies(self) -> Iterator[Policy]:
        """Every policy on file, but for those that are skipped.

        Raises:
            KnowledgeBaseError: there is none, and so nothing that could be right or wrong.
        """
        if not self.policy_folders:
            for error in self._skipped.values():
                raise error
            raise KnowledgeBaseError(
                "no policy on file", where=str(self.root / "policies"), hint="restore the folders of the policies"
            )
        yield from self._policies()

    def _policies(self) -> Iterator[Policy]:
        for folder in self.policy_folders:
            yield Policy(self, folder)
