"""What of a case a policy reads: the form of cases without what is of other policies alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace

from rdflib import Literal, URIRef
from rdflib.term import Node

from kb_tools.cases.form import ROOT, CaseForms, Form, Key
from kb_tools.model.listed import finding_classes
from kb_tools.model.periods import counts_since
from kb_tools.model.products import product_kinds
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import CASE, CLIN

# What says which policy a request is for.
_ALWAYS = {CASE.service, CASE.procedureCode}


def narrowed(plain: CaseForms, revisions: Iterable[Revision]) -> CaseForms:
    """The form of a case with what some revisions read, and what every case must state.

    A kind of product is read as a whole. A class of findings is read if a condition reads it, or if its findings start
    the periods since which those of such a class count. A statement that there was none is read with a class of which
    that can be stated.
    """
    ontology = plain.kb.ontology
    reads: set[Node] = {
        URIRef(iri) for revision in revisions for condition in revision.conditions.values() for iri in condition.reads
    }
    classes = finding_classes(ontology) & reads
    for class_ in list(classes):
        classes |= counts_since(ontology, class_)
    absent = {class_ for class_ in classes if (class_, CASE.mayBeAbsent, Literal(True)) in ontology}
    if absent:
        classes.add(CLIN.StatedAbsence)
    of_reason = any((class_, CASE.ofReasonOnly, Literal(True)) in ontology for class_ in classes)
    named = {*reads, *_ALWAYS, *([CASE.reason] if of_reason else [])}
    found = copy(plain)
    kinds = set(product_kinds(ontology))
    found.forms = _forms(plain.forms, classes | kinds & reads, kinds, named, {str(iri) for iri in absent})
    return found


def _forms(
    forms: Mapping[str, Form], classes: set[Node], kinds: set[URIRef], named: set[Node], absent: set[str]
) -> dict[str, Form]:
    """The forms that are kept: of `classes` as wholes; of what is neither a finding nor of `kinds`, what is named."""
    wholes = {name for key in forms[ROOT].keys.values() if len(key.classes) > 1 for name in key.classes}
    wholes |= {name for name, form in forms.items() if form.iri in kinds}
    kept: dict[str, Form] = {}

    def keep(form: Form) -> Form:
        keys = (_kept(key) for key in form.keys.values())
        return replace(form, keys={key.name: key for key in keys if key is not None})

    def _kept(key: Key) -> Key | None:
        inner = tuple(name for name in key.classes if name in kept)
        if key.classes:
            return replace(key, classes=inner) if inner else None
        return key if key.required or key.path in named else None

    for name in wholes:
        form = forms[name]
        if form.iri in classes:
            keys = {key.name: _among(key, absent) if key.path == CLIN.absenceOf else key for key in form.keys.values()}
            kept[name] = replace(form, keys=keys)
    others = [name for name in forms if name not in wholes]
    # Those without objects in them first: an object of which nothing is read is left out.
    for name in sorted(others, key=lambda name: any(key.classes for key in forms[name].keys.values())):
        if name != ROOT:
            form = keep(forms[name])
            if form.keys:
                kept[name] = form
    kept[ROOT] = keep(forms[ROOT])
    return {name: kept[name] for name in forms if name in kept}


def _among(key: Key, terms: set[str]) -> Key:
    return replace(key, terms={name: iri for name, iri in key.terms.items() if iri in terms})
