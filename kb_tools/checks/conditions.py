"""Checks of the conditions and of the findings they read."""

from __future__ import annotations

from collections.abc import Iterator

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, RDFS, XSD
from rdflib.term import Node

from kb_tools.checks.core import Problem, name, names, relative, statements
from kb_tools.checks.sight import CORE, Sight
from kb_tools.determine import locality
from kb_tools.model.certainty import counted_shapes, faults_of_form
from kb_tools.model.listed import finding_classes as classes_of_findings
from kb_tools.model.logic import Value
from kb_tools.model.periods import counts_since, starts
from kb_tools.model.products import closed_shapes
from kb_tools.model.repository import CONDITIONS, FINDING_SHAPES, SHAPES, Repository, home_of
from kb_tools.model.windows import DamagedWindow, Window
from kb_tools.rdf.namespaces import CASE, POL, SH
from kb_tools.revisions.entailments import conditions_of, derive


def _conditions(kb: Repository) -> list[URIRef]:
    return sorted(
        condition for condition in kb.conditions.subjects(RDF.type, POL.Condition) if isinstance(condition, URIRef)
    )


def conditions(kb: Repository) -> Iterator[Problem]:
    """Conditions without two node shapes of their own, a question, what they read, or the values they can take."""
    graph = kb.conditions
    for condition in _conditions(kb):
        for predicate in (POL.holdsWhen, POL.failsWhen, POL.asksFor):
            count = len(list(graph.objects(condition, predicate)))
            if count != 1:
                yield Problem(name(kb, condition), f"states {count} {name(kb, predicate)}; state one")
        for predicate in (POL.holdsWhen, POL.failsWhen):
            for shape in graph.objects(condition, predicate):
                if (shape, RDF.type, SH.NodeShape) not in graph:
                    yield Problem(
                        name(kb, condition), f"{name(kb, predicate)} {name(kb, shape)} is no sh:NodeShape; name one"
                    )
        if set(graph.objects(condition, POL.holdsWhen)) & set(graph.objects(condition, POL.failsWhen)):
            yield Problem(name(kb, condition), "holds and fails by one shape; evidence for and against are two")
        if (condition, POL.within, None) in graph:
            yield from _window_problems(kb, graph, condition)
        missing = {POL.Holds, POL.Fails, POL.Unknown} - set(graph.objects(condition, POL.possibleValue))
        if missing:
            yield Problem(
                name(kb, condition),
                f"does not list {names(kb, missing)} as pol:possibleValue; add what cases must show",
            )


def _window_problems(kb: Repository, graph: Graph, condition: URIRef) -> Iterator[Problem]:
    if not _counts_findings(graph, condition):
        yield Problem(name(kb, condition), "states pol:within, but counts no findings; remove it")
    where = relative(kb, kb.file_of(condition, POL.within, CONDITIONS))
    for stated in sorted(graph.objects(condition, POL.within), key=str):
        try:
            Window.of(stated)
        except DamagedWindow as damage:
            yield Problem(where, f"{name(kb, condition)} pol:within {damage}")


def _counts_findings(graph: Graph, condition: URIRef) -> bool:
    shapes = [shape for link in (POL.holdsWhen, POL.failsWhen) for shape in graph.objects(condition, link)]
    return any(counted_shapes(graph, shape) for shape in shapes)


def condition_reads(kb: Repository) -> Iterator[Problem]:
    """Conditions whose shapes see other facts than pol:reads says, which are the only facts they are shown."""
    for condition in _conditions(kb):
        sight = Sight(kb)
        for predicate in (POL.holdsWhen, POL.failsWhen):
            for shape in kb.conditions.objects(condition, predicate):
                sight.of_case(shape)
        where = name(kb, condition)
        for blind in dict.fromkeys(sight.unshown):
            yield Problem(where, f"{blind}: kb shows a condition only the facts of pol:reads; rewrite it")
        reads = set(kb.conditions.objects(condition, POL.reads))
        if sight.reads != reads:
            yield Problem(
                where,
                f"its shapes read {names(kb, sight.reads)}, its pol:reads names {names(kb, reads)}; make them agree",
            )


def condition_form(kb: Repository) -> Iterator[Problem]:
    """Conditions that count findings in a way of which the two forms for doubtful findings cannot be made."""
    for condition in _conditions(kb):
        for predicate in (POL.holdsWhen, POL.failsWhen):
            for shape in kb.conditions.objects(condition, predicate):
                for at, fault in faults_of_form(kb.conditions, shape):
                    where = f"{name(kb, at)} " if isinstance(at, URIRef) else ""
                    yield Problem(name(kb, condition), f"{name(kb, predicate)}: {where}{fault}; rewrite it")


def pieces_are_local(kb: Repository) -> Iterator[Problem]:
    """Shapes that cannot be decided piece by piece, so that many cases are determined one by one and slowly."""
    for where, what in locality.faults(kb):
        yield Problem(where, f"{what}; rewrite it, or many cases take the slow path")


def condition_severity(kb: Repository) -> Iterator[Problem]:
    """Shapes with a severity, which changes what sh:not over them means, and conditions beyond SHACL Core."""
    for subject, predicate, object_ in (triple for path in kb.files_of(SHAPES) for triple in kb.triples(path)):
        if predicate == SH.severity:
            yield Problem(
                name(kb, subject),
                f"carries sh:severity {name(kb, object_)}; remove it: only outcome shapes, written by kb, do",
            )
    for subject, predicate, object_ in sorted(kb.conditions):
        for term in (predicate, object_):
            if str(term).startswith(str(SH)) and term not in CORE and predicate != SH.severity:
                yield Problem(name(kb, subject), f"uses {name(kb, term)}; a condition is untargeted SHACL Core")


def entailments(kb: Repository) -> Iterator[Problem]:
    """Conditions that are stated to entail or exclude another, although their shapes do not."""
    stated = [
        (one, link, other, then)
        for link, then in ((POL.entails, Value.HOLDS), (POL.excludes, Value.FAILS))
        for one, other in sorted(kb.conditions.subject_objects(link))
    ]
    concerned = {str(condition) for one, _, other, _ in stated for condition in (one, other)}
    groups = derive(kb, (condition for condition in conditions_of(kb) if condition.iri in concerned), "pyshacl")
    for one, link, other, then in stated:
        where, claim = name(kb, one), f"{name(kb, link)} {name(kb, other)}"
        group = next((group for group in groups if {str(one), str(other)} <= group.conditions), None)
        if group is None:
            yield Problem(
                where, f"{claim}, which reads another kind of fact, so that they cannot be related; remove it"
            )
            continue
        seen = group.together(str(one), str(other))
        against = [(value, case) for (first, value), case in seen.items() if first is Value.HOLDS and value is not then]
        if against:
            value, case = against[0]
            words = f"on a case that states {case.words(kb)} the one holds and the other is {value.value}"
            yield Problem(where, f"{claim}, but {words}; correct the shapes or remove it")
        elif (Value.HOLDS, then) not in seen:
            yield Problem(where, f"{claim}, but holds on no case that can be made of what its shapes name; remove it")


def conditions_used(kb: Repository) -> Iterator[Problem]:
    """Conditions that no criterion and no advisory of any revision hangs on."""
    links = (RDF.first, POL.adviseWhen, POL.adviseUnless)
    used = {object_ for _, (_, predicate, object_) in statements(kb, "policies") if predicate in links}
    for condition in _conditions(kb):
        if condition not in used:
            yield Problem(name(kb, condition), "is read by no criterion and no advisory; use it or retire it")


# ---------------------------------------------------------------------- classes of findings

_FLAGS = (CASE.latestCounts, CASE.ofReasonOnly, CASE.onServiceDate)
_PROPERTIES = (CASE.countedBy, CASE.differsBy, CASE.keyProperty)


def finding_classes(kb: Repository) -> Iterator[Problem]:
    """Classes of findings that a case cannot state, that it can misspell, or that do not state what counts."""
    shapes = kb.case_shapes
    for finding in sorted(classes_of_findings(kb.ontology), key=str):
        for under in sorted(set(kb.ontology.subjects(RDFS.subClassOf, finding)), key=str):
            yield Problem(
                name(kb, under), f"stands under {name(kb, finding)}; a class of findings stands under case:Finding"
            )
        messages = (
            *_shape_problems(kb, shapes, finding),
            *_counting_problems(kb, finding),
            *_period_problems(kb, shapes, finding),
        )
        yield from (Problem(name(kb, finding), message) for message in messages)


def _shape_problems(kb: Repository, shapes: Graph, finding: Node) -> Iterator[str]:
    """Whether a closed shape targets the class and lets it state what counts."""
    if not closed_shapes(shapes, finding):
        folder = home_of(str(finding), FINDING_SHAPES)
        yield f"is targeted by no closed node shape in {folder}; add one, or a misspelt property goes unnoticed"
        return
    allowed = _allowed(shapes, finding)
    for predicate in _PROPERTIES:
        for property_ in sorted(set(kb.ontology.objects(finding, predicate)) - allowed, key=str):
            yield f"{name(kb, predicate)} {name(kb, property_)} is not allowed by its shape; correct one of them"


def _allowed(shapes: Graph, finding: Node) -> set[Node]:
    """The properties that shapes of the class describe."""
    return set(shapes.objects(finding, ~SH.targetClass / SH.property / SH.path))


def _counting_problems(kb: Repository, finding: Node) -> Iterator[str]:
    """Whether the class states when a finding of it counts."""
    for flag in _FLAGS:
        values = list(kb.ontology.objects(finding, flag))
        if len(values) != 1 or not isinstance(values[0], Literal) or values[0].datatype != XSD.boolean:
            yield f"does not state {name(kb, flag)} once, as true or false; state it"
    if (finding, CASE.countedBy, None) not in kb.ontology:
        yield "states no case:countedBy, so no finding of it ever counts; name the properties"
    latest = (finding, CASE.latestCounts, Literal(True)) in kb.ontology
    if latest and (finding, CASE.differsBy, None) not in kb.ontology:
        yield "states no case:differsBy, so no two findings of it ever conflict; name the properties"
    if len(list(kb.ontology.objects(finding, CASE.keyProperty))) > 1:
        yield "states several case:keyProperty; state one at most"


def _period_problems(kb: Repository, shapes: Graph, finding: Node) -> Iterator[str]:
    """Whether what the class says of periods can be told of its findings, and never is in doubt."""
    for since in sorted(counts_since(kb.ontology, finding), key=str):
        if starts(kb.ontology, since) is None:
            yield f"counts since {name(kb, since)}, whose findings start no period; give that a case:startsPeriodBy"
    by = list(kb.ontology.objects(finding, CASE.startsPeriodBy))
    if not by:
        for link in (CASE.startsPeriodWith, CASE.startsNoPeriodWith):
            if (finding, link, None) in kb.ontology:
                yield f"states {name(kb, link)} and no case:startsPeriodBy; name the property"
        return
    if len(by) > 1:
        yield "states several case:startsPeriodBy; state one"
    allowed = _allowed(shapes, finding)
    for property_ in sorted(set(by) - allowed - {RDF.type}, key=str):
        yield f"case:startsPeriodBy {name(kb, property_)} is not allowed by its shape; correct one of them"
    if (finding, CASE.startsPeriodWith, None) not in kb.ontology:
        yield "states no case:startsPeriodWith, so no finding of it surely starts a period; name the value"
    if CASE.inDoubt in allowed:
        yield "starts a period, and so cannot be in doubt, which its shape allows; remove shape:Finding-inDoubt from it"
