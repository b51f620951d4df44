"""A new policy: its policy.ttl, with its names, what names it, and prefixes for namespaces of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rdflib import URIRef
from rdflib.namespace import RDF

from kb_tools.errors import KbError, did_you_mean
from kb_tools.model.policy import POLICY_FILE
from kb_tools.model.repository import POLICIES, Repository
from kb_tools.rdf.edits import TurtleText, short
from kb_tools.rdf.namespaces import BASE, CASE, CLIN
from kb_tools.rdf.terms import local_name
from kb_tools.writing import new_folder

_IDENTIFIER = re.compile(r"[A-Za-z0-9]+([.-][A-Za-z0-9]+)*")
_PAYER = re.compile(r"[a-z0-9][a-z0-9-]*")
_CODE = re.compile(r"cpt:[0-9]{4}[0-9A-Z]|hcpcs:[A-Z][0-9]{4}")
# What a policy has names of its own for, by the end of its prefix: the end of the namespace.
_NAMESPACES = {
    "v": "vocabulary#",
    "shape": "shape#",
    "cond": "condition#",
    "crit": "criterion/",
    "def": "definition/",
    "ref": "reference/",
    "evid": "evidence/",
    "adv": "advisory/",
    "log": "log/",
    "disc": "discrepancy/",
}


@dataclass(frozen=True)
class NewPolicy:
    """What a new policy is.

    Attributes:
        identifier: its number, as the document prints it: "BS.6". Its folder has this name.
        title: as the document prints it.
        publisher: the name of the plan whose policy it is.
        payer: the short name of the payer ("example-plan"); "" where cases are not to be told apart by it.
        named_by: the services and codes by which a request names it: names or CURIEs of services on file, a name of a
            service that the policy is to bring itself with its own prefix ("bs6v:SleeveGastrectomy"), or "cpt:43775".
    """

    identifier: str
    title: str
    publisher: str
    payer: str = ""
    named_by: tuple[str, ...] = ()


def write_policy(kb: Repository, new: NewPolicy) -> Path:
    """Writes the policy.ttl of a new policy; nothing that is there is overwritten.

    Raises:
        KbError: its number, its payer or what names it cannot be written so; or the policy is there already.
    """
    if not _IDENTIFIER.fullmatch(new.identifier):
        hint = "write letters and digits, joined by full stops or hyphens: BS.6"
        raise KbError(f"{new.identifier!r} is no number of a policy", hint=hint)
    folder = kb.root / POLICIES / new.identifier
    if folder.exists():
        hint = "edit what is there, or choose another number"
        raise KbError(f"policy {new.identifier} is there already", where=str(folder), hint=hint)
    text = TurtleText(
        f"# {new.identifier} as a work, whatever its revision: its names, what names it, its prefixes.\n",
        folder / POLICY_FILE,
    )
    iri = f"{BASE}{new.identifier}"
    own = _own_prefixes(kb, new.identifier, iri)
    prefixes = {**kb.prefixes, **own}
    names = [_term(kb, name, prefixes, own) for name in dict.fromkeys(new.named_by)]
    rows = [
        "a pol:Policy",
        f"rdfs:label {_literal(f'{new.identifier}, {new.title}')}@en",
        f"dcterms:title {_literal(new.title)}@en",
        f"dcterms:identifier {_literal(new.identifier)}",
        f"pol:publisherName {_literal(new.publisher)}",
        *([f"pol:payer pay:{_payer(new.payer)}"] if new.payer else []),
        *([f"pol:namedBy {' , '.join(names)}"] if names else []),
        f'pol:namespace "{iri}/"',
        "sh:declare\n"
        + " ,\n".join(
            f'        [ sh:prefix "{prefix}" ; sh:namespace "{namespace}"^^xsd:anyURI ]'
            for prefix, namespace in own.items()
        ),
    ]
    block = f"<{iri}>\n    " + " ;\n    ".join(rows) + " ."
    if new.payer and not _known_payer(kb, new.payer):
        block += f"\n\npay:{new.payer}\n    a case:Payer ;\n    rdfs:label {_literal(new.publisher)}@en ."
    text.append(block, dict(sorted(prefixes.items())))
    try:
        folder.parent.mkdir(exist_ok=True)
        with new_folder(folder) as made:
            (made / POLICY_FILE).write_text(text.text, encoding="utf-8")
    except OSError as error:
        raise KbError(f"cannot be written: {error.strerror}", where=str(folder), hint="check the folder") from None
    return folder / POLICY_FILE


def _literal(words: str) -> str:
    if not words.strip():
        raise KbError("a title or a publisher is empty", hint="write it as the document prints it")
    return '"' + " ".join(words.split()).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _own_prefixes(kb: Repository, identifier: str, iri: str) -> dict[str, str]:
    """Prefixes for the policy's namespaces, which begin with its number and which no other policy has."""
    stem = re.sub(r"[^a-z0-9]", "", identifier.lower())
    stem = stem if stem[0].isalpha() else f"p{stem}"
    taken = kb.prefixes.keys() | kb.clashing_prefixes.keys()
    while any(stem + end in taken for end in _NAMESPACES):
        stem += "x"
    return {stem + end: f"{iri}/{namespace}" for end, namespace in _NAMESPACES.items()}


def _payer(name: str) -> str:
    if not _PAYER.fullmatch(name):
        hint = "write small letters and digits, joined by hyphens: example-plan"
        raise KbError(f"{name!r} is no short name of a payer", hint=hint)
    return name


def _known_payer(kb: Repository, name: str) -> bool:
    """Whether another policy on file says who the payer is."""
    said = (URIRef(f"{BASE}code/payer/{name}"), RDF.type, CASE.Payer)
    return any(said in kb.graph([policy.folder / POLICY_FILE]) for policy in kb.policies())


def _term(kb: Repository, name: str, prefixes: dict[str, str], own: dict[str, str]) -> str:
    """A service or a code by which a request names the policy, as Turtle writes it."""
    if _CODE.fullmatch(name):
        return name
    vocabulary = next(iter(own))
    prefix, _, rest = name.partition(":")
    if prefix == vocabulary and re.fullmatch(r"[A-Z]\w*", rest):
        return name
    services = [node for node in kb.ontology.subjects(RDF.type, CLIN.Service) if isinstance(node, URIRef)]
    known = {called: one for one in services for called in (local_name(one), kb.curie(str(one)), str(one))}
    if name not in known:
        hint = did_you_mean(name, [one for one in known if ":" not in one])
        instead = f"a service of the policy's own is written {vocabulary}:{rest or prefix}, and a code cpt:38242"
        raise KbError(f"no service or code {name} is on file", hint=f"{hint} {instead}".strip())
    return short(known[name], prefixes)
