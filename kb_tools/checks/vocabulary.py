"""Checks of the terms: that each is defined once, in its place, and used as it is declared."""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, OWL, RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.ask.sparql import names_in
from kb_tools.cases.terminology import Terminology
from kb_tools.checks.core import FOLDERS, Problem, name, names, policy_at, problem_of, relative, statements
from kb_tools.model.repository import CONDITIONS, ONTOLOGY, SHAPES, TERMINOLOGY, Repository, home_of
from kb_tools.rdf.namespaces import BASE, CASE, CLIN, COND, POL, READ, SH, SHAPE, namespace_of_policy

# Where the terms of each of our namespaces are described: a file or a folder.
_PLACES = {
    str(POL): "ontology/policy.ttl",
    str(CASE): "ontology/case.ttl",
    str(CLIN): "ontology/clinical",
    str(COND): "shapes/conditions/",
    str(SHAPE): "shapes/",
    str(READ): "ontology/reading.ttl",
}


def _is_own_term(node: Node | None) -> bool:
    return isinstance(node, URIRef) and bool(str(node).startswith(tuple(_PLACES)) or namespace_of_policy(node))


def ontology_headers(kb: Repository) -> Iterator[Problem]:
    """Ontology files without exactly one header that names, describes and versions them."""
    for path in kb.files_of(ONTOLOGY):
        graph = kb.graph([path])
        headers = list(graph.subjects(RDF.type, OWL.Ontology))
        if len(headers) != 1:
            yield Problem(relative(kb, path), f"has {len(headers)} owl:Ontology headers; state one")
        for header in headers:
            yield from (Problem(relative(kb, path), message) for message in _header_problems(kb, graph, header))


def _header_problems(kb: Repository, graph: Graph, header: Node) -> Iterator[str]:
    for predicate in (RDFS.label, DCTERMS.description, OWL.versionIRI, OWL.versionInfo):
        count = len(list(graph.objects(header, predicate)))
        if count != 1:
            yield f"its header states {count} {name(kb, predicate)}; state one"
    iri, version = graph.value(header, OWL.versionIRI), graph.value(header, OWL.versionInfo)
    if iri and version and str(iri) != f"{header}/{version}":
        yield f"owl:versionIRI {iri} does not belong to owl:versionInfo {version}; write {header}/{version}"


def terms_defined(kb: Repository) -> Iterator[Problem]:
    """Terms and conditions without exactly one label and one definition, property shapes without one message."""
    declared = set(kb.ontology.subjects(RDF.type, None)) - set(kb.ontology.subjects(RDF.type, OWL.Ontology))
    conditions = set(kb.conditions.subjects(RDF.type, POL.Condition))
    for graph, terms in ((kb.ontology, declared), (kb.conditions, conditions)):
        yield from _counted(kb, graph, terms, "label", RDFS.label, SKOS.prefLabel)
        yield from _counted(kb, graph, terms, "definition", SKOS.definition)
    shapes = kb.graph(kb.files_of(SHAPES))
    yield from _counted(kb, shapes, set(shapes.subjects(RDF.type, SH.PropertyShape)), "message", SH.message)


def _counted(kb: Repository, graph: Graph, nodes: set[Node], what: str, *predicates: URIRef) -> Iterator[Problem]:
    """The named nodes that do not state exactly one of the predicates, exactly once."""
    for node in sorted(node for node in nodes if isinstance(node, URIRef)):
        count = sum(len(list(graph.objects(node, predicate))) for predicate in predicates)
        if count != 1:
            wanted = " or ".join(name(kb, predicate) for predicate in predicates)
            yield Problem(name(kb, node), f"has {count} {what}s; state one {wanted}")


def undefined_terms(kb: Repository) -> Iterator[Problem]:
    """Terms of our namespaces that are used and defined nowhere, the text of rules included.

    Of one that is defined in the wrong file, `terms_in_place` says so.
    """
    defined = {subject for _, (subject, predicate, _) in statements(kb, *FOLDERS) if predicate == RDF.type}
    for file, triple in statements(kb, *FOLDERS):
        for term in dict.fromkeys((*triple, *_within(kb, triple[2]))):
            if _is_own_term(term) and term not in defined:
                yield Problem(file, f"{name(kb, term)} is not defined; correct it or define it in the vocabulary")


def _within(kb: Repository, node: Node) -> Iterator[Node]:
    """The datatype of a literal, and the terms that it names where it is the text of a query."""
    if isinstance(node, Literal):
        if node.datatype:
            yield node.datatype
        yield from names_in(str(node), kb.prefixes)


def terms_in_place(kb: Repository) -> Iterator[Problem]:
    """Statements on a term of our namespaces outside the file that describes it, as a policy might make them.

    The terms of a policy's own namespaces are described in its own folders.
    """
    stated = [(file, triple, _place(str(triple[0]))) for file, triple in statements(kb, *FOLDERS)]
    described = {s for file, (s, p, _), place in stated if place and file.startswith(place) and p == RDF.type}
    for file, (subject, _, _), place in stated:
        if not place or file.startswith(place):
            continue
        if subject in described:
            what, hint = "says something of {}, which {} describes", "say it there, or remove it"
        else:
            what, hint = "describes {}, a term of {}", "move it there"
            if (policy := policy_at(kb, file)) and not _own_place(str(subject)):
                hint += f", or, if only {policy} speaks of it, name it in a namespace of that policy's own"
        yield Problem(file, f"{what.format(name(kb, subject), place)}; {hint}")


def _place(iri: str) -> str:
    """The file or folder in which a term is described; "" where it is none of ours."""
    return _own_place(iri) or next((place for within, place in _PLACES.items() if iri.startswith(within)), "")


def _own_place(iri: str) -> str:
    """The folder in which a term of a policy's own is described; "" where it is none."""
    kind = namespace_of_policy(iri).rpartition("/")[2]
    folder = {"vocabulary#": ONTOLOGY, "condition#": CONDITIONS, "shape#": SHAPES}.get(kind)
    return f"{home_of(iri, folder)}/" if folder else ""


def property_kinds(kb: Repository) -> Iterator[Problem]:
    """Properties of our namespaces used with a literal where a node is meant, or the other way round."""
    kinds = {
        kind: set(kb.ontology.subjects(RDF.type, kind))
        for kind in (OWL.ObjectProperty, OWL.DatatypeProperty, OWL.AnnotationProperty)
    }
    for file, (_, predicate, object_) in statements(kb, *FOLDERS):
        if not _is_own_term(predicate):
            continue
        declared = [kind for kind, properties in kinds.items() if predicate in properties]
        if len(declared) != 1:
            yield Problem(
                file, f"{name(kb, predicate)} is used as a property and declared as {len(declared)} kinds of one"
            )
        elif declared[0] == OWL.ObjectProperty and isinstance(object_, Literal):
            yield Problem(file, f'{name(kb, predicate)} is given the text "{object_}"; give an IRI or a node')
        elif declared[0] == OWL.DatatypeProperty and not isinstance(object_, Literal):
            yield Problem(file, f"{name(kb, predicate)} is given {name(kb, object_)}; give a literal")


# Of a patient nothing may be said; a version's IRI names a state of the file.
_NOT_DESCRIBED = {CASE.patient, OWL.versionIRI}


def dangling_iris(kb: Repository) -> Iterator[Problem]:
    """IRIs of ours that policies or shapes point to and that nothing describes."""
    described = {subject for _, (subject, _, _) in statements(kb, *FOLDERS)}
    # Of a revision that describes no passage at all, the check of the passages says so once.
    passages = {str(passage).rpartition("/")[0] for passage in described if "/passage/" in str(passage)}
    without = {
        f"{policy.iri}/{month}/passage"
        for policy in (kb.policies() if kb.policy_folders else ())
        for month in policy.revision_folders
    } - passages
    for file, (subject, predicate, object_) in statements(kb, "shapes", "policies"):
        ours = isinstance(object_, URIRef) and object_.startswith(BASE)
        if predicate == POL.statedIn and str(object_).rpartition("/")[0] in without:
            continue
        # Of a term of the vocabularies, the check of undefined terms says so.
        if ours and predicate not in _NOT_DESCRIBED and object_ not in described and not _is_own_term(object_):
            code = str(object_).startswith(f"{BASE}code/") and predicate != POL.payer
            mend = ", or describe the code in the codes.ttl of a revision" if code else " or describe it"
            yield Problem(
                file,
                f"{name(kb, subject)} points with {name(kb, predicate)} to {name(kb, object_)}, which "
                f"nothing describes; correct the IRI{mend}",
                unless=str(object_),
            )


def hierarchy(kb: Repository) -> Iterator[Problem]:
    """Hierarchies that use more than skos:broader, state a link twice, or lead back to the concept.

    Conditions, rules and questions follow skos:broader and nothing else.
    """
    for group, concept in sorted(kb.ontology.subject_objects(SKOS.narrower), key=str):
        yield Problem(
            name(kb, group),
            f"states skos:narrower {name(kb, concept)}; state instead that {name(kb, concept)} is skos:broader "
            f"{name(kb, group)}, which is what is followed",
        )
    for concept in sorted(set(kb.ontology.subjects(SKOS.broader)), key=str):
        over = {
            broader: set(kb.ontology.transitive_objects(broader, SKOS.broader))
            for broader in kb.ontology[concept : SKOS.broader]
        }
        if any(concept in beyond for beyond in over.values()):
            yield Problem(name(kb, concept), "stands under itself by skos:broader; remove one step of the circle")
            continue
        for group in sorted(over, key=str):
            nearer = [broader for broader in over if broader != group and group in over[broader]]
            if nearer:
                yield Problem(
                    name(kb, concept),
                    f"states skos:broader {name(kb, group)}, which follows from {names(kb, nearer)}; remove it",
                )


# ---------------------------------------------------------------------- OWL 2 RL

# What the vocabularies may use. Whether a class expression is inside OWL 2 RL depends on where it stands, so none is
# allowed; owl:imports is left out since no external ontology is loaded.
_OWL_2_RL = {
    *(OWL[term] for term in ("Ontology", "versionIRI", "versionInfo", "priorVersion", "deprecated")),
    *(OWL[term] for term in ("Class", "equivalentClass", "disjointWith", "AllDisjointClasses", "members")),
    *(OWL[term] for term in ("ObjectProperty", "DatatypeProperty", "AnnotationProperty")),
    *(OWL[term] for term in ("FunctionalProperty", "InverseFunctionalProperty", "TransitiveProperty")),
    *(OWL[term] for term in ("SymmetricProperty", "AsymmetricProperty", "IrreflexiveProperty")),
    *(OWL[term] for term in ("inverseOf", "equivalentProperty", "propertyDisjointWith", "AllDisjointProperties")),
    *(OWL[term] for term in ("differentFrom", "AllDifferent", "distinctMembers")),
    *(RDFS[term] for term in ("label", "comment", "seeAlso", "isDefinedBy")),
    *(RDFS[term] for term in ("subClassOf", "subPropertyOf", "domain", "range")),
}


def owl_rl_profile(kb: Repository) -> Iterator[Problem]:
    """Terms of OWL and RDF Schema in the vocabularies that are not known to stay inside OWL 2 RL."""
    for file, triple in statements(kb, "ontology"):
        for term in triple:
            if str(term).startswith((str(OWL), str(RDFS))) and term not in _OWL_2_RL and isinstance(term, URIRef):
                yield Problem(
                    file,
                    f"{name(kb, triple[0])} uses {name(kb, term)}, which may leave OWL 2 RL; say it without, or "
                    "in a shape",
                )


def terminology(kb: Repository) -> Iterator[Problem]:
    """What in the terminology is not of the form, or contradicts itself, the vocabularies or the case shapes."""
    for fault in Terminology.problems(kb):
        yield problem_of(kb, fault, str(TERMINOLOGY))
