"""Each way in which a shape can be malformed is reported in one line, with what to do."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from rdflib import Graph
from rdflib.namespace import RDF
from strategies import VOCABULARY

from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.shape_form import ALLOWED, PARAMETERS, faults

PREFIXES = """
PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX : <urn:x:>
"""
NO_PATH = (
    "states a sh:path that is none; give it a property, a list ( ... ) of two paths or more, or one of "
    "sh:alternativePath, sh:inversePath, sh:zeroOrMorePath, sh:oneOrMorePath, sh:zeroOrOnePath"
)
NUMBER = "a whole number from 0, of type xsd:integer"


def found(turtle: str) -> list[str]:
    graph = Graph().parse(data=PREFIXES + turtle, format="turtle")
    return [f"{str(fault.at).removeprefix('urn:x:')} {fault.message}" for fault in faults(graph)]


# What is wrong, the graph, and all that is reported of the shape :S.
MALFORMED = {
    "a property shape has no path": (
        ":S a sh:PropertyShape ; sh:minCount 1 .",
        ["is a property shape without sh:path; state one"],
    ),
    "what is held as a property shape has no path": (
        ":S sh:property [ sh:minCount 1 ] .",
        ["an unnamed node in it is a property shape without sh:path; state one"],
    ),
    "a property shape has two paths": (
        ":S a sh:PropertyShape ; sh:path :p , :q .",
        ["states 2 sh:path; state one"],
    ),
    "a node shape has a path": (
        ":S a sh:NodeShape ; sh:path :p .",
        ["is a sh:NodeShape with sh:path; make it a sh:PropertyShape"],
    ),
    "a node shape counts values": (
        ":S a sh:NodeShape ; sh:minCount 1 .",
        ["states sh:minCount without sh:path, of which it speaks; state the path"],
    ),
    "a count is stated twice": (
        ":S sh:path :p ; sh:minCount 1 , 2 .",
        ["states 2 sh:minCount; state one"],
    ),
    "a count is text": (
        ':S sh:path :p ; sh:minCount "1" .',
        [f'gives sh:minCount "1"; give it {NUMBER}'],
    ),
    "a count is below zero": (
        ":S sh:path :p ; sh:maxCount -1 .",
        [f'gives sh:maxCount "-1"^^<http://www.w3.org/2001/XMLSchema#integer>; give it {NUMBER}'],
    ),
    "a qualified shape has no count": (
        ":S sh:path :p ; sh:qualifiedValueShape [ sh:class :C ] .",
        [
            "states sh:qualifiedValueShape without sh:qualifiedMinCount or sh:qualifiedMaxCount; state "
            "sh:qualifiedMinCount or sh:qualifiedMaxCount"
        ],
    ),
    "a qualified count has no shape": (
        ":S sh:path :p ; sh:qualifiedMinCount 1 .",
        ["states sh:qualifiedMinCount without sh:qualifiedValueShape; state sh:qualifiedValueShape"],
    ),
    "a parameter is misspelt": (
        ":S sh:path :p ; sh:minCont 1 .",
        ["uses sh:minCont, which is not of SHACL Core; did you mean sh:minCount?"],
    ),
    "a class of shapes is misspelt": (
        ":S a sh:NodeShap ; sh:class :C .",
        ["uses sh:NodeShap, which is not of SHACL Core; did you mean sh:NodeShape?"],
    ),
    "a constraint is JavaScript": (
        ":S a sh:NodeShape ; sh:js [ :p 1 ] .",
        ["uses sh:js, which is not of SHACL Core; say it in Core"],
    ),
    "a constraint is SPARQL": (
        ":S a sh:NodeShape ; sh:sparql [ :p 1 ] .",
        ["uses sh:sparql, which is not of SHACL Core; say it in Core"],
    ),
    "a component is one of its own": (
        ":S a sh:ConstraintComponent .",
        ["uses sh:ConstraintComponent, which is not of SHACL Core; say it in Core"],
    ),
    "a shape that is held is described nowhere": (
        ":S a sh:NodeShape ; sh:node :none .",
        ["gives sh:node <urn:x:none>; give it a shape that is described"],
    ),
    "a property shape that is held is described nowhere": (
        ":S a sh:NodeShape ; sh:property :none .",
        ["gives sh:property <urn:x:none>; give it a shape that is described"],
    ),
    "a shape that is held asks nothing": (
        ":S a sh:NodeShape ; sh:not [ ] .",
        ["gives sh:not an unnamed node; give it a shape that is described"],
    ),
    "a property shape is held as a node shape": (
        ":S a sh:NodeShape ; sh:node :P . :P sh:path :p .",
        ["points with sh:node to a property shape; use sh:property, or a node shape"],
    ),
    "one of several shapes is described nowhere": (
        ":S a sh:NodeShape ; sh:or ( [ sh:class :C ] :none ) .",
        ["gives sh:or an unnamed node; give it a list ( ... ) of shapes that are described"],
    ),
    "there are no alternatives": (
        ":S a sh:NodeShape ; sh:or ( ) .",
        [f"gives sh:or <{RDF.nil}>; give it a list ( ... ) of shapes that are described"],
    ),
    "alternatives are no list": (
        ":S a sh:NodeShape ; sh:or [ sh:class :C ] .",
        ["gives sh:or an unnamed node; give it a list ( ... ) of shapes that are described"],
    ),
    "a list does not end": (
        ":S a sh:NodeShape ; sh:in _:b . _:b rdf:first 1 ; rdf:rest _:b .",
        ["gives sh:in an unnamed node; give it a list ( ... )"],
    ),
    "a list forks": (
        ":S a sh:NodeShape ; sh:in [ rdf:first 1 , 2 ; rdf:rest () ] .",
        ["gives sh:in an unnamed node; give it a list ( ... )"],
    ),
    "a pattern is no regular expression": (
        ':S a sh:NodeShape ; sh:pattern "(" .',
        ['gives sh:pattern "("; give it a regular expression'],
    ),
    "flags stand alone": (
        ':S a sh:NodeShape ; sh:flags "i" .',
        ["states sh:flags without sh:pattern; state sh:pattern"],
    ),
    "what is closed is said in another way than true or false": (
        ":S a sh:NodeShape ; sh:closed 1 .",
        ['gives sh:closed "1"^^<http://www.w3.org/2001/XMLSchema#integer>; give it true or false'],
    ),
    "properties are ignored by what is not closed": (
        ":S a sh:NodeShape ; sh:ignoredProperties ( rdf:type ) .",
        ["states sh:ignoredProperties without sh:closed; state sh:closed"],
    ),
    "a kind of node is none": (
        ":S a sh:NodeShape ; sh:nodeKind sh:Iri .",
        [f"gives sh:nodeKind <{SH}Iri>; give it one of sh:IRI, sh:BlankNode, sh:Literal and their pairs"],
    ),
    "a class is a text": (
        ':S a sh:NodeShape ; sh:class "C" .',
        ['gives sh:class "C"; give it an IRI'],
    ),
    "a limit is a node": (
        ":S a sh:NodeShape ; sh:minInclusive :three .",
        ["gives sh:minInclusive <urn:x:three>; give it a literal"],
    ),
    "a target is a node without a name": (
        ":S a sh:NodeShape ; sh:targetClass [ ] .",
        ["gives sh:targetClass an unnamed node; give it an IRI"],
    ),
    "a path is a text": (':S a sh:PropertyShape ; sh:path "p" .', [NO_PATH]),
    "a path is empty": (":S a sh:PropertyShape ; sh:path [ ] .", [NO_PATH]),
    "a path has one step in a list": (":S a sh:PropertyShape ; sh:path ( :p ) .", [NO_PATH]),
    "a path goes two ways at once": (
        ":S a sh:PropertyShape ; sh:path [ sh:inversePath :p ; sh:zeroOrMorePath :q ] .",
        [NO_PATH],
    ),
    "a path is a part of itself": (
        ":S a sh:PropertyShape ; sh:path _:b . _:b sh:inversePath _:b .",
        [NO_PATH],
    ),
    "a rule is of another kind": (
        ":S a sh:NodeShape ; sh:rule [ a sh:TripleRule ] .",
        [
            "an unnamed node in it uses sh:TripleRule, which is not of SHACL Core; say it in Core",
            "gives sh:rule an unnamed node; give it a sh:SPARQLRule",
        ],
    ),
    "a rule has no query": (
        ":S a sh:SPARQLRule ; sh:order 1 .",
        ["is a sh:SPARQLRule without sh:construct; state the query"],
    ),
    "a rule has two queries": (
        ':S a sh:SPARQLRule ; sh:construct "a" , "b" .',
        ["states 2 sh:construct; state one"],
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_shape_is_reported(what: str) -> None:
    graph, says = MALFORMED[what]
    assert found(graph) == [f"S {line}" for line in says]


def test_a_shape_that_no_shape_with_a_name_holds_is_reported_too() -> None:
    (fault,) = faults(Graph().parse(data=PREFIXES + "[ sh:targetClass :C ; sh:closd true ] .", format="turtle"))
    assert fault.message == "uses sh:closd, which is not of SHACL Core; did you mean sh:closed?"


WELL_FORMED = """
:S a sh:NodeShape ;
    sh:targetClass :C ; sh:targetNode "a" ; sh:targetSubjectsOf :p ; sh:targetObjectsOf :p ;
    sh:closed true ; sh:ignoredProperties ( rdf:type ) ; sh:deactivated false ;
    sh:severity sh:Warning ; sh:message "m"@en , "n" ;
    sh:and ( [ sh:class :C , :D ] ) ; sh:xone ( :T [ sh:nodeKind sh:IRI ] ) ; sh:not :T , [ sh:hasValue 1 , 2 ] ;
    sh:in ( ) ; sh:node :T ; sh:equals :p ; sh:disjoint :q ;
    sh:property :P , [ sh:path ( :p [ sh:alternativePath ( :q [ sh:inversePath :r ] ) ] [ sh:zeroOrOnePath :s ] ) ] ;
    sh:rule :R .
:T a sh:NodeShape .
:P a sh:PropertyShape ; sh:path [ sh:oneOrMorePath [ sh:zeroOrMorePath :p ] ] ; sh:name "n" ; sh:description "d" ;
    sh:order 1.5 ; sh:group :g ; sh:defaultValue 3 ; sh:minCount 0 ; sh:maxCount 1 ; sh:datatype xsd:integer ;
    sh:minInclusive 1 ; sh:minExclusive 0 ; sh:maxInclusive 8 ; sh:maxExclusive 9 ; sh:minLength 1 ; sh:maxLength 2 ;
    sh:pattern "^a" ; sh:flags "i" ; sh:languageIn ( "en" ) ; sh:uniqueLang true ; sh:lessThan :q ;
    sh:lessThanOrEquals :r ; sh:qualifiedValueShape :T ; sh:qualifiedMinCount 1 ; sh:qualifiedMaxCount 2 ;
    sh:qualifiedValueShapesDisjoint true ; sh:or ( [ sh:class :C ] ) .
:R a sh:SPARQLRule ; sh:construct "CONSTRUCT {} WHERE {}" ; sh:order 1 ; sh:prefixes :prefixes ; sh:deactivated true .
:prefixes sh:declare [ sh:prefix "x" ; sh:namespace "urn:x:"^^xsd:anyURI ] .
"""


def test_every_term_that_is_allowed_may_be_used() -> None:
    graph = Graph().parse(data=PREFIXES + WELL_FORMED, format="turtle")
    assert found(WELL_FORMED) == []
    assert set(terms(graph.predicates())) == ALLOWED
    assert len(PARAMETERS) == 47


def terms(nodes: Iterable[object]) -> Iterable[object]:
    return (node for node in nodes if str(node).startswith(str(SH)))


def test_the_shapes_on_file_are_of_the_form() -> None:
    graph = VOCABULARY.graph(VOCABULARY.files("shapes"))
    assert faults(graph) == []
    assert len(set(terms(graph.predicates()))) == 40
