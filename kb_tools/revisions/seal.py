"""The seal on a released revision: a digest of what the revision reaches, and the statements digested.

What a revision reaches, layer by layer, is said in `kb_tools.revisions.reach`. Each layer has a digest of its own, so
that a broken seal says what changed.

A digest is the SHA-256 of the canonical N-Quads (RDFC-1.0) of a layer as a graph without a name: order, prefixes and
the names of blank nodes do not matter, and every character of a literal does, except how a line ends. A seal keeps from
accident. Whoever can write the data can write the seal; that it was rewritten shows in version control.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyoxigraph as ox

from kb_tools import __version__
from kb_tools.errors import KbError, KnowledgeBaseError
from kb_tools.model.history import RevisionEntry
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.canonical import canonical
from kb_tools.rdf.files import unix_lines
from kb_tools.rdf.terms import to_quads, to_rdflib, without_remarks
from kb_tools.revisions.reach import LAYERS, Layers, reached, since_sealed
from kb_tools.writing import write_atomically

MANIFEST, STATEMENTS = "seal.json", "seal.nq"
ALGORITHM = "RDFC-1.0 with SHA-256"
_RESTORE = "restore seal.json and seal.nq from version control"


@dataclass(frozen=True)
class Layer:
    """The digest of one layer, in hexadecimal, and how many statements it was taken of."""

    digest: str
    statements: int


def digests(layers: Layers) -> dict[str, Layer]:
    """The digest of each layer."""
    lines = {name: canonical(to_quads(layers[name])) for name in LAYERS}
    return {name: Layer(_sha256(text), text.count(b"\n")) for name, text in lines.items()}


def differing(one: Mapping[str, Layer], other: Mapping[str, Layer]) -> list[str]:
    """The names of the layers in which two seals differ."""
    return [name for name in LAYERS if one[name] != other[name]]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Seal:
    """What seal.json holds.

    Attributes:
        revision: the IRI of the revision.
        digest: the SHA-256 of seal.nq, which is the canonical N-Quads of all layers, each in a graph of its own.
        layers: the digest of each layer by itself, which is the same in all revisions that share it.
    """

    revision: str
    digest: str
    layers: Mapping[str, Layer]

    @property
    def statements(self) -> int:
        return sum(layer.statements for layer in self.layers.values())

    def content(self) -> dict[str, Any]:
        """The same, as it is written to seal.json."""
        layers = {name: {"digest": layer.digest, "statements": layer.statements} for name, layer in self.layers.items()}
        return {
            "tool": f"kb {__version__}",
            "algorithm": ALGORITHM,
            "revision": self.revision,
            "digest": self.digest,
            "layers": layers,
        }


def _graph_names(revision: str) -> dict[str, str]:
    """The name of each layer's graph in seal.nq."""
    return {name: f"{revision}/seal/{name}" for name in LAYERS}


def _quads(revision: str, layers: Layers) -> Iterator[ox.Quad]:
    """The statements of all layers, each in the graph of its layer."""
    for name, graph in _graph_names(revision).items():
        for quad in to_quads(layers[name]):
            yield ox.Quad(quad.subject, quad.predicate, quad.object, ox.NamedNode(graph))


# ---------------------------------------------------------------------- reading a seal


def read_seal(folder: Path, revision: str) -> tuple[Seal, Layers]:
    """The seal in a revision's folder, with the statements that were sealed.

    Raises:
        KnowledgeBaseError: there is none, it cannot be read, it is of another revision, or its two files disagree.
    """
    manifest, statements = folder / MANIFEST, folder / STATEMENTS
    if not manifest.exists() and not statements.exists():
        raise KnowledgeBaseError(
            "the revision has no seal",
            where=str(folder),
            hint=f"restore it, or kb freeze {folder.parent.name}/{folder.name}",
        )
    seal = _read_manifest(manifest, revision)
    content = unix_lines(_read_bytes(statements))
    # Before it is parsed: blank nodes linked at random by hand could take RDFC-1.0 very long.
    if _sha256(content) != seal.digest:
        raise KnowledgeBaseError(
            f"it is not what {MANIFEST} gives the digest of: one of the two was edited by hand or cut short",
            where=str(statements),
            hint=_RESTORE,
        )
    layers = _parsed(statements, content, revision)
    wrong = differing(digests(layers), seal.layers)
    if wrong:
        raise KnowledgeBaseError(
            f"it gives for {', '.join(wrong)} not the digests of what {STATEMENTS} holds: it was edited by hand",
            where=str(manifest),
            hint=_RESTORE,
        )
    return seal, layers


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KnowledgeBaseError(error.strerror or "cannot be read", where=str(path), hint=_RESTORE) from error


def _read_manifest(path: Path, revision: str) -> Seal:
    def wrong(what: str, hint: str = _RESTORE) -> KnowledgeBaseError:
        return KnowledgeBaseError(what, where=str(path), hint=hint)

    try:
        content = json.loads(_read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise wrong(f"cut short, or not JSON: {error}") from error
    if not isinstance(content, dict):
        raise wrong("no seal: not a JSON object")
    if content.get("algorithm") != ALGORITHM:
        named = json.dumps(content.get("algorithm"))
        raise wrong(f"unknown algorithm {named}", f"this version of kb knows {ALGORITHM}; {_RESTORE}")
    if content.get("revision") != revision:
        raise wrong(f"it is the seal of {json.dumps(content.get('revision'))}, in the folder of <{revision}>")
    digest, given = content.get("digest"), content.get("layers")
    if not isinstance(digest, str):
        raise wrong(f"it gives no digest of {STATEMENTS}")
    if not isinstance(given, dict) or set(given) != set(LAYERS):
        raise wrong(f"the layers sealed are not {', '.join(LAYERS)}")
    layers = {}
    for name in LAYERS:
        match given[name]:
            case {"digest": str(sealed), "statements": int(count)} if re.fullmatch("[0-9a-f]{64}", sealed):
                layers[name] = Layer(sealed, count)
            case _:
                raise wrong(f"the layer {name} lacks its digest or its number of statements")
    return Seal(revision, digest, layers)


def _parsed(path: Path, content: bytes, revision: str) -> Layers:
    """The statements of each layer in seal.nq."""
    names = {graph: name for name, graph in _graph_names(revision).items()}
    layers: Layers = {name: [] for name in LAYERS}
    try:
        quads = list(ox.parse(content, format=ox.RdfFormat.N_QUADS))
        with without_remarks():
            for quad in quads:
                name = names.get(getattr(quad.graph_name, "value", ""))
                if name is None:
                    raise ValueError(f"{quad.graph_name} is no layer of this revision")
                layers[name].append((to_rdflib(quad.subject), to_rdflib(quad.predicate), to_rdflib(quad.object)))
    except (SyntaxError, ValueError, TypeError) as error:
        raise KnowledgeBaseError(f"not the statements of a seal: {error}", where=str(path), hint=_RESTORE) from error
    return layers


# ---------------------------------------------------------------------- writing a seal


@dataclass(frozen=True)
class Frozen:
    """What became of a revision that was to be frozen.

    Attributes:
        status: "frozen", "unchanged" (it already was, with the same digests) or "frozen again".
        changed: the layers that differ from the seal that was replaced, where that could be read.
    """

    policy: Policy
    entry: RevisionEntry
    seal: Seal
    status: str
    changed: tuple[str, ...] = ()


def freeze(kb: Repository, policy: Policy, entry: RevisionEntry, again: bool = False) -> Frozen:
    """Writes the seal of a revision into its folder: seal.json with the digests, seal.nq with the statements.

    Args:
        again: whether a seal that differs, or that cannot be read, is replaced.

    Raises:
        KbError: there is such a seal and it is not to be replaced; the revision is a draft, or its criteria cannot be
            read; or the files cannot be written.
    """
    if entry.draft:
        raise KbError(
            f"{policy.identifier} revision {entry.name} is a draft, and not released",
            where=str(policy.revision_folders[entry.name]),
            hint="kb draft status lists what is left of it; kb draft done releases it",
        )
    if entry.criteria_on_file:
        # What cannot be read decides nothing, and could not be mended once it is sealed.
        revision = Revision.load(policy, entry)
        _ = revision.conditions, revision.criteria_tree, revision.applicability_tree
    layers = reached(kb, policy, entry)
    statements = canonical(_quads(entry.iri, layers))
    seal = Seal(entry.iri, _sha256(statements), digests(layers))
    folder = policy.revision_folders[entry.name]
    frozen = Frozen(policy, entry, seal, "frozen")
    if (folder / MANIFEST).exists() or (folder / STATEMENTS).exists():
        changed: tuple[str, ...] = ()
        try:
            kept, before = read_seal(folder, entry.iri)
            changed = tuple(differing(kept.layers, digests(since_sealed(before, layers))))
            if not changed:
                return Frozen(policy, entry, kept, "unchanged")
            reason = f"differs from its seal in {', '.join(changed)}"
        except KnowledgeBaseError as error:
            reason = f"has a seal that cannot be relied on ({Path(error.where).name}: {error.what})"
        if not again:
            raise KbError(
                f"{policy.identifier} revision {entry.name} {reason}; a released revision never changes",
                where=str(folder),
                hint="undo what changed (kb check --only seal names it) or, once it is reviewed, add --again",
            )
        frozen = Frozen(policy, entry, seal, "frozen again", changed)
    try:
        manifest = json.dumps(seal.content(), indent=2, ensure_ascii=False) + "\n"
        write_atomically({folder / STATEMENTS: statements, folder / MANIFEST: manifest.encode()})
    except OSError as error:
        raise KbError(
            f"the seal cannot be written: {error.strerror}", where=str(folder), hint="check the folder's permissions"
        ) from error
    return frozen
