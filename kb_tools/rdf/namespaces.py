"""The namespaces that the code itself names. The prefix table proper is ontology/prefixes.ttl."""

from __future__ import annotations

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
TERM_NAMESPACES = (str(POL), str(CASE), str(CLIN), str(COND), str(SHAPE), str(READ), BASE + "code/")
