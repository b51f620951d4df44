"""The namespaces that the code itself names. The prefix table proper is ontology/prefixes.ttl."""

from __future__ import annotations

import re

from rdflib import Namespace, URIRef


class Terms(Namespace):
    """A namespace that keeps the terms that were named: each is one object, and compared as such."""

    def __getattr__(self, name: str) -> URIRef:
        term = super().__getattr__(name)
        setattr(self, name, term)
        return term


BASE = "https://w3id.org/policykb/"

POL = Terms(BASE + "policy#")
CASE = Terms(BASE + "case#")
CLIN = Terms(BASE + "clinical#")
COND = Namespace(BASE + "condition#")
SHAPE = Namespace(BASE + "shape#")
READ = Terms(BASE + "reading#")
SH = Namespace("http://www.w3.org/ns/shacl#")
CITO = Namespace("http://purl.org/spar/cito/")
BIBO = Namespace("http://purl.org/ontology/bibo/")
OA = Namespace("http://www.w3.org/ns/oa#")

# The names that a user's file gives its nodes, where they are no whole IRIs, are IRIs under this one.
GIVEN = BASE + "given/"
# Everything under these is a term of ours or a code: a case may use it and may say nothing of it.
# So is what stands in a namespace of a policy's own: `is_our_term`.
TERM_NAMESPACES = (str(POL), str(CASE), str(CLIN), str(COND), str(SHAPE), str(READ), BASE + "code/")

# The namespaces of a policy's own terms: its vocabulary, its conditions and its shapes.
_OF_A_POLICY = re.compile(re.escape(BASE) + r"[^/#]+/(vocabulary|condition|shape)#")


def namespace_of_policy(iri: str) -> str:
    """The namespace of a policy's own terms that an IRI stands in; "" where it stands in none."""
    found = _OF_A_POLICY.match(iri)
    return found[0] if found else ""


def is_our_term(iri: str) -> bool:
    """Whether an IRI is of a term of ours or a code: one that all policies share, or one of a policy's own."""
    return str.startswith(iri, TERM_NAMESPACES) or (str.startswith(iri, BASE) and bool(_OF_A_POLICY.match(iri)))
