"""What shapes/policy.ttl refuses and what it lets pass: one change each, to a part of revision 2026-02."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rdflib import BNode, Graph, Namespace, URIRef
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import POL, SH, SHAPE

# Of these kinds only what is named here is kept, so that a validation takes a tenth of a second.
KINDS = [
    *(POL.Passage, POL.Definition, POL.Code, POL.Reference, POL.EvidenceStatement, POL.Advisory),
    *(POL.LogRow, POL.LogStatement, POL.Discrepancy),
]
KEPT = """
    psg:criterion-I def:mixed-chimerism def:therapeutic-use cpt:38242 hcpcs:S2150
    ref:castagna-2016 ref:kolb-2004 ref:frey-2008 ref:negrin-uptodate ref:lokhorst-2000 ref:nccn-myeloma
    ref:roshandel-2022 ref:luznik-2002 ref:collins-1997 ev:gvhd-frequency ev:collins-acute-gvhd ev:aplasia-reversal
    adv:chronic-gvhd adv:purpose-against-assessment log:2023-10 log:2023-10-1 log:2023-11 log:2023-11-1 log:2023-11-2
    disc:ii-names-all-plans
"""


@pytest.fixture(scope="module")
def shapes(kb: Repository) -> Graph:
    return kb.graph([kb.root / "shapes/policy.ttl"])


@pytest.fixture(scope="module")
def names(kb: Repository, policy: Policy) -> dict[str, str]:
    """The prefixes that the changes below use: the table, and rev: for revisions."""
    return {**kb.prefixes, "rev": policy.iri + "/"}


@pytest.fixture(scope="module")
def good(policy: Policy, names: dict[str, str]) -> Graph:
    """Revision 2026-02 with a few entries of each kind, what these need, and the vocabularies without their prose."""
    entire = policy.revision_graph(policy.entry("2026-02"))
    kept = {URIRef(names[prefix] + local) for prefix, _, local in (name.partition(":") for name in KEPT.split())}
    dropped = {node for kind in KINDS for node in entire.subjects(RDF.type, kind)} - kept
    used = {*entire.objects(None, RDF.first), *(node for iri in kept for node in entire.objects(iri, POL.adviseWhen))}
    unused = set(entire.subjects(RDF.type, POL.Condition)) - used
    dropped |= unused | {part for node in unused for part in shape_parts(entire, node)}
    links = {POL.gives, POL.lists, POL.listsReference, POL.reports, POL.advises, POL.says, POL.entails, POL.excludes}
    prose = {RDFS.label, SKOS.definition, SKOS.prefLabel, SKOS.scopeNote}
    terms = (names["pol"], names["case"], names["clin"])
    part = Graph(bind_namespaces="none")
    for subject, predicate, object_ in entire:
        if subject in dropped or (predicate in links and object_ in dropped):
            continue
        if not (predicate in prose and str(subject).startswith(terms)):
            part.add((subject, predicate, object_))
    return part


def shape_parts(graph: Graph, condition: Node) -> Iterator[Node]:
    """The shapes of a condition and their property shapes."""
    for role in (POL.holdsWhen, POL.failsWhen):
        for shape in graph.objects(condition, role):
            yield shape
            yield from graph.objects(shape, SH.property)


def changed(good: Graph, update: str, names: dict[str, str]) -> Graph:
    """A copy of the graph after a SPARQL update, which must have changed something."""
    graph = Graph(bind_namespaces="none")
    for triple in good:
        graph.add(triple)
    graph.update(update, initNs={prefix: Namespace(name) for prefix, name in names.items()})
    assert set(graph) != set(good), "the change changes nothing"
    return graph


def reported(graph: Graph, shapes: Graph, names: dict[str, str]) -> set[str]:
    """Every violation as "focus shape"; a holding is named by its part, any other blank node by []."""

    def name(node: Node | None) -> str:
        if isinstance(node, BNode):
            part = graph.value(node, POL.part)
            return f"holding of {name(part)}" if part else "[]"
        fits = [(namespace, prefix) for prefix, namespace in names.items() if str(node).startswith(namespace)]
        namespace, prefix = max(fits, key=lambda pair: len(pair[0]))
        return f"{prefix}:{str(node).removeprefix(namespace)}"

    blank = {str(node): node for node in graph.subjects() if isinstance(node, BNode)}
    results = shacl.validate(graph, shapes)
    assert all(result.severity == "Violation" and result.message for result in results)
    return {
        f"{name(blank.get(result.focus, URIRef(result.focus)))} {result.shape.removeprefix(str(SHAPE))}"
        for result in results
    }


@pytest.mark.parametrize(
    "revision",
    [
        pytest.param("2026-02", id="on_file_whole"),
        pytest.param("2019-10", id="on_file_in_part_with_a_borrowed_definition"),
        pytest.param("2023-10", id="with_inferred_criteria"),
        pytest.param("2015-11", id="known_from_the_log_alone"),
    ],
)
def test_a_revision_conforms(policy: Policy, shapes: Graph, revision: str) -> None:
    assert shacl.validate(policy.revision_graph(policy.entry(revision)), shapes) == []


def test_the_part_conforms(good: Graph, shapes: Graph) -> None:
    assert shacl.validate(good, shapes) == []
    for kind in (*KINDS, POL.Policy, POL.Revision, POL.PartHolding, POL.Condition, POL.Indication, POL.Remainder):
        assert (None, RDF.type, kind) in good


def test_every_property_shape_is_named_and_says_once_what_to_do(shapes: Graph) -> None:
    named = [shape for shape in shapes.subjects(RDF.type, SH.PropertyShape) if isinstance(shape, URIRef)]
    assert len(named) > 100
    assert [shape for shape in named if len(list(shapes.objects(shape, SH.message))) != 1] == []
    assert list(shapes.subject_objects(SH.severity)) == []


# What is changed, and all that must then be reported.
REFUSED = {
    "a_criterion_without_a_meaning": (
        "DELETE { crit:plan skos:definition ?x } WHERE { crit:plan skos:definition ?x }",
        {"crit:plan Entry-definition"},
    ),
    "a_discrepancy_without_a_place": (
        "DELETE { ?d pol:statedIn ?x } WHERE { ?d a pol:Discrepancy ; pol:statedIn ?x }",
        {"disc:ii-names-all-plans Entry-statedIn"},
    ),
    "a_note_in_no_language": (
        'INSERT DATA { crit:plan skos:scopeNote "In no language." }',
        {"crit:plan Prose-text"},
    ),
    "a_citation_of_what_is_no_reference": (
        "INSERT DATA { crit:plan cito:citesAsEvidence crit:indication }",
        {"crit:plan Entry-citesAsEvidence"},
    ),
    "the_text_of_a_place": (
        'INSERT DATA { psg:criterion-I oa:exact "Verbatim." }',
        {"psg:criterion-I Quotation-text"},
    ),
    "a_place_before_the_first": (
        "DELETE { psg:criterion-I pol:order ?x } INSERT { psg:criterion-I pol:order 0 }"
        " WHERE { psg:criterion-I pol:order ?x }",
        {"psg:criterion-I Entry-order"},
    ),
    "a_month_that_is_none": (
        'DELETE { rev:2026-02 pol:revisionMonth ?x } INSERT { rev:2026-02 pol:revisionMonth "2026-13"^^xsd:gYearMonth }'
        " WHERE { rev:2026-02 pol:revisionMonth ?x }",
        {"rev:2026-02 Entry-revisionMonth"},
    ),
    "a_part_of_which_nothing_is_said": (
        "DELETE { ?r pol:partOnFile ?h } WHERE { ?r pol:partOnFile ?h . ?h pol:part pol:Evidence }",
        {"rev:2026-02 Revision-partOnFile", "rev:2026-02 Revision-parts", "rev:2026-02 RevisionEvidence"},
    ),
    "codes_listed_though_not_on_file": (
        "DELETE { ?h pol:basis ?b } INSERT { ?h pol:basis pol:NotOnFile }"
        " WHERE { ?h pol:part pol:Codes ; pol:basis ?b }",
        {"rev:2026-02 RevisionCodes"},
    ),
    "criteria_on_file_without_an_indication": (
        "DELETE DATA { rev:2026-02 pol:indication crit:indication }",
        {
            "rev:2026-02 RevisionCriteria",
            "rev:2026-02 RevisionIndicationCites",
            "crit:indication Criterion-use",
        },
    ),
    "an_indication_that_cites_nothing": (
        "DELETE { crit:indication cito:citesAsEvidence ?x } WHERE { crit:indication cito:citesAsEvidence ?x }",
        {"rev:2026-02 RevisionIndicationCites"},
    ),
    "no_disposition_though_on_file": (
        "DELETE { ?r pol:disposition ?x } WHERE { ?r pol:disposition ?x }",
        {"rev:2026-02 RevisionDisposition"},
    ),
    "an_inference_that_names_no_row": (
        "DELETE { ?h pol:basis ?b } INSERT { ?h pol:basis pol:InferredFromLog }"
        " WHERE { ?h pol:part pol:Criteria ; pol:basis ?b }",
        {"holding of pol:Criteria PartHoldingInference"},
    ),
    "a_criterion_that_the_revision_does_not_link": (
        "DELETE DATA { rev:2026-02 pol:exclusion crit:acute-gvhd }",
        {"crit:acute-gvhd Criterion-use"},
    ),
    "a_criterion_without_content": (
        "DELETE { crit:acute-gvhd pol:allOf ?x } WHERE { crit:acute-gvhd pol:allOf ?x }",
        {"crit:acute-gvhd CriterionContent"},
    ),
    "an_exclusion_that_limits_a_limitation": (
        "INSERT DATA { crit:acute-gvhd pol:limits crit:chimerism-alone }",
        {"crit:acute-gvhd Limit-limits"},
    ),
    "an_applicability_that_limits_an_indication": (
        "INSERT DATA { crit:service pol:limits crit:indication }",
        {"crit:service Limit"},
    ),
    "a_remainder_with_content": (
        "INSERT DATA { crit:other-indications pol:allOf ( cond:mrd-is-detected ) }",
        {"crit:other-indications Remainder-content"},
    ),
    "two_operators_in_one_tree": (
        "INSERT DATA { crit:acute-gvhd pol:anyOf ( cond:mrd-is-detected ) }",
        {"crit:acute-gvhd Tree"},
    ),
    "two_operators_deep_in_a_tree": (
        "INSERT { ?t pol:allOf ( cond:mrd-is-detected ) } WHERE { crit:indication (pol:allOf|rdf:rest|rdf:first)+ ?t ."
        " ?t pol:anyOf ?any }",
        {"[] Tree"},
    ),
    "a_tree_without_members": (
        "DELETE { crit:acute-gvhd pol:allOf ?x } INSERT { crit:acute-gvhd pol:allOf () }"
        " WHERE { crit:acute-gvhd pol:allOf ?x }",
        {"crit:acute-gvhd Tree-members"},
    ),
    "a_misspelt_condition_in_a_tree": (
        "DELETE { ?cell rdf:first ?c } INSERT { ?cell rdf:first cond:acute-gvhd-of-grade-2 }"
        " WHERE { crit:acute-gvhd pol:allOf ?cell . ?cell rdf:first ?c }",
        {"crit:acute-gvhd Tree-members"},
    ),
    "a_misspelt_condition_deep_in_a_tree": (
        "DELETE { ?cell rdf:first cond:mrd-is-detected } INSERT { ?cell rdf:first cond:mrd-detected }"
        " WHERE { crit:chimerism-alone (pol:allOf|pol:noneOf|rdf:rest|rdf:first)+ ?cell ."
        " ?cell rdf:first cond:mrd-is-detected }",
        {"[] Tree-members"},
    ),
    "a_condition_that_asks_for_nothing": (
        "DELETE { cond:mrd-is-detected pol:asksFor ?x } WHERE { cond:mrd-is-detected pol:asksFor ?x }",
        {"cond:mrd-is-detected Condition-asksFor"},
    ),
    "a_condition_that_is_never_unknown": (
        "DELETE DATA { cond:mrd-is-detected pol:possibleValue pol:Unknown }",
        {"cond:mrd-is-detected Condition-possibleValue"},
    ),
    "a_condition_with_one_shape_for_and_against": (
        "DELETE { ?c pol:failsWhen ?x } INSERT { ?c pol:failsWhen cond:MRDDetected }"
        " WHERE { ?c pol:holdsWhen cond:MRDDetected ; pol:failsWhen ?x }",
        {"cond:mrd-is-detected Condition-holdsWhen"},
    ),
    "a_condition_whose_shape_weighs_itself": (
        "INSERT DATA { cond:MRDDetected sh:severity sh:Warning }",
        {"cond:MRDDetected ConditionShape-plain"},
    ),
    "a_definition_with_two_limits": (
        "INSERT DATA { def:mixed-chimerism pol:equalTo 90 }",
        {"def:mixed-chimerism NumericDefinition"},
    ),
    "a_code_with_room_for_its_descriptor": (
        'INSERT DATA { cpt:38242 rdfs:label "A descriptor."@en }',
        {"cpt:38242 Code"},
    ),
    "a_cpt_code_without_its_rights_holder": (
        "DELETE { cpt:38242 pol:rightsHolder ?x } WHERE { cpt:38242 pol:rightsHolder ?x }",
        {"cpt:38242 CPTCode"},
    ),
    "a_cpt_code_without_the_year_of_a_notice": (
        "DELETE { cpt:38242 pol:copyrightYear ?x } WHERE { cpt:38242 pol:copyrightYear ?x }",
        {"cpt:38242 CPTCode"},
    ),
    "a_cpt_code_with_the_year_of_a_notice_that_is_not_printed": (
        "INSERT DATA { cpt:38242 pol:noticePrinted false }",
        {"cpt:38242 CPTCode"},
    ),
    "codes_listed_though_the_document_has_none": (
        "INSERT { ?h pol:hasNone true } WHERE { ?h pol:part pol:Codes }",
        {"rev:2026-02 RevisionCodes"},
    ),
    "no_criteria_in_a_document": (
        "INSERT { ?h pol:hasNone true } WHERE { ?h pol:part pol:Criteria }",
        {"holding of pol:Criteria PartHoldingNone-part"},
    ),
    "none_of_a_part_that_is_known_in_part": (
        "DELETE { ?r pol:lists ?c . ?c ?p ?o } INSERT { ?h pol:hasNone true ; pol:inPart true }"
        " WHERE { ?h pol:part pol:Codes . ?r pol:lists ?c . ?c ?p ?o }",
        {"holding of pol:Codes PartHoldingNone-inPart"},
    ),
    "two_references_of_one_number": (
        "DELETE { ref:frey-2008 pol:number ?x } INSERT { ref:frey-2008 pol:number 8 }"
        " WHERE { ref:frey-2008 pol:number ?x }",
        {"ref:frey-2008 Reference-position", "ref:negrin-uptodate Reference-position"},
    ),
    "a_doi_with_its_resolver": (
        'DELETE { ref:frey-2008 bibo:doi ?x } INSERT { ref:frey-2008 bibo:doi "https://doi.org/10.1000/182" }'
        " WHERE { ref:frey-2008 bibo:doi ?x }",
        {"ref:frey-2008 Reference-doi"},
    ),
    "an_article_without_pages": (
        "DELETE { ref:frey-2008 bibo:pageStart ?x } WHERE { ref:frey-2008 bibo:pageStart ?x }",
        {"ref:frey-2008 Article"},
    ),
    "a_guideline_without_its_version": (
        "DELETE { ref:nccn-myeloma pol:guidelineVersion ?x } WHERE { ref:nccn-myeloma pol:guidelineVersion ?x }",
        {"ref:nccn-myeloma Guideline-guidelineVersion"},
    ),
    "a_range_upside_down": (
        "DELETE { ev:gvhd-frequency pol:low ?x } INSERT { ev:gvhd-frequency pol:low 60.1 }"
        " WHERE { ev:gvhd-frequency pol:low ?x }",
        {"ev:gvhd-frequency EvidenceStatement-low"},
    ),
    "a_range_with_one_end": (
        "DELETE { ev:gvhd-frequency pol:high ?x } WHERE { ev:gvhd-frequency pol:high ?x }",
        {"ev:gvhd-frequency EvidenceRange"},
    ),
    "more_patients_than_there_were": (
        "DELETE { ev:collins-acute-gvhd pol:count ?x } INSERT { ev:collins-acute-gvhd pol:count 46 }"
        " WHERE { ev:collins-acute-gvhd pol:count ?x }",
        {"ev:collins-acute-gvhd EvidenceStatement-count"},
    ),
    "an_outcome_that_is_none": (
        "INSERT DATA { ev:gvhd-frequency pol:outcomeMeasured clin:Relapsed }",
        {"ev:gvhd-frequency EvidenceStatement-outcomeMeasured"},
    ),
    "a_claim_both_cited_and_uncited": (
        "INSERT DATA { ev:gvhd-frequency pol:uncited true }",
        {"ev:gvhd-frequency EvidenceSource"},
    ),
    "a_claim_neither_cited_nor_uncited": (
        "DELETE DATA { ev:aplasia-reversal pol:uncited true }",
        {"ev:aplasia-reversal EvidenceSource"},
    ),
    "an_advisory_that_hangs_on_no_condition": (
        "INSERT DATA { adv:chronic-gvhd pol:adviseWhen cond:chronic-gvhd }",
        {"adv:chronic-gvhd Advisory-adviseWhen"},
    ),
    "an_approval_that_is_not_printed": (
        'INSERT DATA { log:2023-11 pol:approval "2023-11"^^xsd:gYearMonth }',
        {"log:2023-11 LogRowApproval"},
    ),
    "two_rows_that_say_one_statement": (
        "INSERT DATA { log:2023-10 pol:says log:2023-11-1 }",
        {"log:2023-11-1 LogStatement-use"},
    ),
    "a_discrepancy_of_two_severities": (
        "INSERT DATA { disc:ii-names-all-plans pol:severity pol:Minor }",
        {"disc:ii-names-all-plans Discrepancy-severity"},
    ),
}

PASSED = {
    "a_document_that_lists_no_code": (
        "DELETE { ?r pol:lists ?c . ?c ?p ?o } INSERT { ?h pol:hasNone true }"
        " WHERE { ?h pol:part pol:Codes . ?r pol:lists ?c . ?c ?p ?o }"
    ),
    "a_cpt_code_of_a_document_that_prints_no_notice": (
        "DELETE { cpt:38242 pol:copyrightYear ?x } INSERT { cpt:38242 pol:noticePrinted false }"
        " WHERE { cpt:38242 pol:copyrightYear ?x }"
    ),
    "a_part_that_is_not_on_file_and_gives_nothing": (
        "DELETE { ?h pol:basis ?b . ?r pol:disposition ?d } INSERT { ?h pol:basis pol:NotOnFile }"
        " WHERE { ?h pol:part pol:DispositionPart ; pol:basis ?b . ?r pol:disposition ?d }"
    ),
    "an_inference_that_names_its_row": (
        "DELETE { ?h pol:basis ?b } INSERT { ?h pol:basis pol:InferredFromLog ; pol:inferredFrom log:2023-11 }"
        " WHERE { ?h pol:part pol:Criteria ; pol:basis ?b }"
    ),
    "a_second_indication_with_an_exclusion_of_its_own": (
        "DELETE { ?r pol:limitation crit:chimerism-alone . crit:chimerism-alone a pol:Limitation }"
        " INSERT { ?r pol:indication crit:chimerism-alone . crit:chimerism-alone a pol:Indication ."
        " crit:acute-gvhd pol:limits crit:chimerism-alone } WHERE { ?r pol:limitation crit:chimerism-alone }"
    ),
    "a_count": (
        "DELETE { crit:acute-gvhd pol:allOf ?x } INSERT { crit:acute-gvhd pol:atLeast 1 ; pol:of ?x }"
        " WHERE { crit:acute-gvhd pol:allOf ?x }"
    ),
    "trees_four_deep": (
        "DELETE { crit:acute-gvhd pol:allOf ?x } INSERT { crit:acute-gvhd pol:anyOf ( [ pol:allOf ( [ pol:noneOf ("
        " cond:mrd-is-detected ) ] [ pol:anyOf ( cond:acute-gvhd-of-grade-2-or-higher ) ] ) ] ) }"
        " WHERE { crit:acute-gvhd pol:allOf ?x }"
    ),
    "a_definition_in_words": (
        "DELETE { ?d pol:quantity ?q ; pol:lessThan ?l ; pol:unit ?u }"
        " WHERE { ?d pol:quantity ?q ; pol:lessThan ?l ; pol:unit ?u }"
    ),
    "a_note_on_a_code": 'INSERT DATA { cpt:38242 skos:scopeNote "A note."@en }',
    "a_range_of_one_figure": (
        "DELETE { ev:gvhd-frequency pol:low ?x } INSERT { ev:gvhd-frequency pol:low 60 }"
        " WHERE { ev:gvhd-frequency pol:low ?x }"
    ),
    "all_of_the_patients": (
        "DELETE { ev:collins-acute-gvhd pol:count ?x } INSERT { ev:collins-acute-gvhd pol:count 45 }"
        " WHERE { ev:collins-acute-gvhd pol:count ?x }"
    ),
    "an_article_by_its_locator": (
        'DELETE { ref:frey-2008 bibo:pageStart ?s ; bibo:pageEnd ?e } INSERT { ref:frey-2008 bibo:locator "e205" }'
        " WHERE { ref:frey-2008 bibo:pageStart ?s ; bibo:pageEnd ?e }"
    ),
    "an_advisory_that_always_stands": "DELETE { ?a pol:adviseWhen ?x } WHERE { ?a pol:adviseWhen ?x }",
    "an_approval_to_the_day": (
        'DELETE { log:2023-10 pol:approval ?x } INSERT { log:2023-10 pol:approval "2023-10-31"^^xsd:date }'
        " WHERE { log:2023-10 pol:approval ?x }"
    ),
}


@pytest.mark.parametrize(("update", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused(good: Graph, shapes: Graph, names: dict[str, str], update: str, expected: set[str]) -> None:
    assert reported(changed(good, update, names), shapes, names) == expected


@pytest.mark.parametrize("update", PASSED.values(), ids=PASSED)
def test_passed(good: Graph, shapes: Graph, names: dict[str, str], update: str) -> None:
    assert reported(changed(good, update, names), shapes, names) == set()
