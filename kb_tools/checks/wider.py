"""Whether conditions keep to what a term may be: a wider one may be any of its kinds.

A property with any number of values is left out: they are a list, and what is not in it is not so (docs: design, 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, product

from rdflib import URIRef
from rdflib.namespace import RDF, SKOS

from kb_tools.cases.form import CaseForms, Key
from kb_tools.checks.core import Problem, name
from kb_tools.determine.evaluate import Content, Evaluator, Signature, predicates_in_paths
from kb_tools.model.logic import Value
from kb_tools.model.products import product_kinds
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE
from kb_tools.rdf.shacl import fastest
from kb_tools.revisions.entailments import conditions_of

_HOLDERS = {"Request": (CASE.request,), "Coverage": (CASE.coverage,), "Product": (CASE.request, CASE.product)}
# A term, and what is stated by it alone.
_Stated = tuple[URIRef, Signature]


def wider_terms(kb: Repository) -> Iterator[Problem]:
    """Conditions that a term settles one way, and a kind of it the other way."""
    asked = _Asked(kb)
    evaluator = Evaluator(kb, conditions_of(kb), fastest())
    by_kind = {kind: [list(group) for group in asked.of(kind)] for kind in evaluator.by_kind}
    known = evaluator.values(
        (kind, signature) for kind, groups in by_kind.items() for _, signature in chain.from_iterable(groups)
    )
    for kind, conditions in evaluator.by_kind.items():
        for condition in conditions:
            for group in by_kind[kind]:
                values = {term: known[kind, signature][condition.iri][0] for term, signature in group}
                wrong = next(_settled_otherwise(kb, values), None)
                if wrong:
                    _, narrow = wrong
                    by_wide, by_narrow = (f"{values[one].value} by {name(kb, one)}" for one in wrong)
                    what = f"{by_wide}, which may be {name(kb, narrow)}, and {by_narrow}"
                    yield Problem(name(kb, URIRef(condition.iri)), f"{what}; let the wider term speak for neither side")
                    break


def _settled_otherwise(kb: Repository, values: dict[URIRef, Value]) -> Iterator[tuple[URIRef, URIRef]]:
    for wide, value in values.items():
        kinds = sorted(map(str, kb.ontology.transitive_subjects(SKOS.broader, wide))) if value.settled else []
        for narrow in map(URIRef, kinds):
            if narrow != wide and narrow in values and values[narrow].settled and values[narrow] is not value:
                yield wide, narrow


class _Asked:
    """What cases can state by one term of a property whose terms have kinds."""

    def __init__(self, kb: Repository) -> None:
        self.kb = kb
        self.forms = CaseForms(kb).forms
        self.looked_at = predicates_in_paths(kb.evaluated)
        self.kinds = {str(kind) for kind in product_kinds(kb.ontology)}

    def of(self, kind: frozenset[str]) -> Iterator[Iterable[_Stated]]:
        """Of each such property that conditions of a kind read, each term with what is stated by it."""
        for form in self.forms.values():
            path = _HOLDERS.get(form.name) or (_HOLDERS["Product"] if str(form.iri) in self.kinds else None)
            for key in form.keys.values():
                if key.many or not self._nested(key):
                    continue
                if path and (str(key.path) in kind or str(form.iri) in kind):
                    yield [(term, ((), ((path, key.path, term),))) for term in _terms(key)]
                elif path is None and str(form.iri) in kind:
                    others = [
                        one for one in form.keys.values() if one.terms and one.path in self.looked_at - {key.path}
                    ]
                    for beside in product(*(_terms(one) for one in others)):
                        pairs = tuple(zip((one.path for one in others), beside, strict=True))
                        yield [(term, (_finding(form.iri, key.path, term, pairs), ())) for term in _terms(key)]

    def _nested(self, key: Key) -> bool:
        """Whether shapes look at a property, and some of its terms are kinds of others."""
        terms = set(_terms(key)) if key.path in self.looked_at else set()
        return any(set(self.kb.ontology.objects(term, SKOS.broader)) & terms for term in terms)


def _terms(key: Key) -> list[URIRef]:
    return [URIRef(iri) for iri in key.terms.values()]


def _finding(
    class_: URIRef, path: URIRef, term: URIRef, others: Content
) -> tuple[tuple[URIRef, Content, tuple[()]], ...]:
    content: Content = tuple(sorted(((RDF.type, class_), (path, term), *others), key=repr))
    return ((CASE.currentFinding, content, ()),)
