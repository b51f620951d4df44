"""The two forms of a shape, the value that they give, and the shapes of which they cannot be made."""

from __future__ import annotations

from itertools import product

import pytest
from rdflib import BNode, Graph, URIRef
from rdflib.collection import Collection
from rdflib.compare import isomorphic, to_isomorphic

from kb_tools.model.certainty import Form, copy_of, faults_of_form, in_form, list_of, reads_findings, value_of
from kb_tools.model.logic import Value

PREFIXES = """
PREFIX :     <urn:x:>
PREFIX case: <https://w3id.org/policykb/case#>
PREFIX clin: <https://w3id.org/policykb/clinical#>
PREFIX sh:   <http://www.w3.org/ns/shacl#>
"""
BOTH = "[ sh:alternativePath ( case:currentFinding case:perhapsFinding ) ]"


def graph(text: str) -> Graph:
    return Graph().parse(data=PREFIXES + text, format="turtle")


def node(name: str) -> URIRef:
    return URIRef(f"urn:x:{name}")


# ---------------------------------------------------------------------- the value


def test_a_condition_has_a_value_where_its_shapes_come_to_it_both_surely_and_perhaps() -> None:
    """All 16 ways; in the seven that no case can come to, what surely conforms does not perhaps conform."""
    holds, fails, unknown, conflicting = Value.HOLDS, Value.FAILS, Value.UNKNOWN, Value.CONFLICTING
    possible = {
        # surely holds, surely fails, perhaps holds, perhaps fails
        (False, False, False, False): (unknown, unknown),
        (False, False, True, False): (unknown, holds),
        (False, False, False, True): (unknown, fails),
        (False, False, True, True): (unknown, conflicting),
        (True, False, True, False): (holds, holds),
        (True, False, True, True): (unknown, conflicting),
        (False, True, False, True): (fails, fails),
        (False, True, True, True): (unknown, conflicting),
        (True, True, True, True): (conflicting, conflicting),
    }
    impossible = {
        (True, False, False, False): (unknown, unknown),
        (True, False, False, True): (unknown, fails),
        (False, True, False, False): (unknown, unknown),
        (False, True, True, False): (unknown, holds),
        (True, True, False, False): (unknown, unknown),
        (True, True, True, False): (unknown, holds),
        (True, True, False, True): (unknown, fails),
    }
    every = list(product((False, True), repeat=4))
    assert len(every) == 16
    assert {row: value_of(*row) for row in every} == possible | impossible
    assert all(surely <= perhaps for s, t, u, v in possible for surely, perhaps in ((s, u), (t, v)))


# ---------------------------------------------------------------------- the two forms

SOME = """
:Some a sh:NodeShape ; sh:property :Some-finding .
:Some-finding a sh:PropertyShape ;
    sh:path case:currentFinding ;
    sh:qualifiedValueShape [ sh:class clin:MRDTest ; sh:property [ sh:path clin:mrdResult ; sh:hasValue clin:X ] ] ;
    sh:qualifiedMinCount 1 ;
    sh:message "none"@en .
"""
NONE = """
:None a sh:NodeShape ; sh:property :None-finding .
:None-finding a sh:PropertyShape ;
    sh:path case:currentFinding ;
    sh:qualifiedValueShape [ sh:class clin:MRDTest ] ;
    sh:qualifiedMaxCount 0 .
"""
REQUEST = """
:Request a sh:NodeShape ; sh:property :Request-reason .
:Request-reason a sh:PropertyShape ; sh:path ( case:request case:reason ) ; sh:minCount 1 .
"""


def form_of(text: str, name: str, form: Form) -> tuple[str, Graph]:
    """The name of the copy of a shape in one form, and all that was made for it."""
    target = Graph()
    return str(in_form(graph(text), node(name), form, target)).removeprefix("urn:x:"), target


def as_expected(text: str, form: str, path: str) -> Graph:
    """The shapes of a text under their names in one form, with another path to the findings."""
    for name in (":Some", ":None", ":Two", ":Either"):
        text = text.replace(f"{name} ", f"{name}-{form} ").replace(f"{name}-finding", f"{name}-finding-{form}")
    return graph(text.replace("case:currentFinding", path))


@pytest.mark.parametrize(
    ("text", "name", "form", "path"),
    [
        (SOME, "Some", Form.SURELY, "case:currentFinding"),
        (SOME, "Some", Form.PERHAPS, BOTH),
        (NONE, "None", Form.SURELY, BOTH),
        (NONE, "None", Form.PERHAPS, "case:currentFinding"),
    ],
)
def test_a_shape_that_asks_for_some_finding_conforms_the_sooner_the_more_count_and_for_none_the_later(
    text: str, name: str, form: Form, path: str
) -> None:
    found, target = form_of(text, name, form)
    assert found == f"{name}-{form.value}"
    assert isomorphic(target, as_expected(text, form.value, path))


def test_each_part_of_a_shape_is_put_in_the_form_in_its_own_way() -> None:
    text = SOME + NONE + REQUEST + ":Two sh:property :Some-finding , :None-finding , :Request-reason ."
    found, target = form_of(text, "Two", Form.SURELY)
    assert found == "Two-surely"
    some, none = as_expected(SOME, "surely", "case:currentFinding"), as_expected(NONE, "surely", BOTH)
    for part in ("Some-finding-surely", "None-finding-surely"):
        reached = Graph()
        copy_of(node(part), target, reached)
        expected = Graph()
        copy_of(node(part), some + none, expected)
        assert isomorphic(reached, expected)
    # What reads no findings is held as it is, under its own name.
    reached = Graph()
    copy_of(node("Request-reason"), target, reached)
    assert isomorphic(reached, graph(":Request-reason" + REQUEST.partition(".\n:Request-reason")[2]))
    assert {str(node) for node in target.subjects() if isinstance(node, URIRef)} == {
        "urn:x:Two-surely",
        "urn:x:Some-finding-surely",
        "urn:x:None-finding-surely",
        "urn:x:Request-reason",
    }


@pytest.mark.parametrize("operator", ["sh:or", "sh:and"])
def test_the_parts_of_a_list_are_put_in_the_form_in_their_order(operator: str) -> None:
    text = SOME + NONE + f":Either {operator} ( :Some :None [ sh:node :Some ] ) ."
    found, target = form_of(text, "Either", Form.PERHAPS)
    assert found == "Either-perhaps"
    some, none = as_expected(SOME, "perhaps", BOTH), as_expected(NONE, "perhaps", "case:currentFinding")
    either = graph(f":Either-perhaps {operator} ( :Some-perhaps :None-perhaps [ sh:node :Some-perhaps ] ) .")
    assert isomorphic(target, some + none + either)


def test_a_shape_that_reads_no_findings_is_copied_as_it_is() -> None:
    for form in Form:
        found, target = form_of(REQUEST, "Request", form)
        assert found == "Request"
        assert isomorphic(target, graph(REQUEST))


def test_a_shape_that_several_share_is_made_once_in_each_form() -> None:
    shapes = graph(SOME + ":Two sh:node :Some ; sh:or ( :Some [ sh:node :Some ] ) .")
    target = Graph()
    for _ in range(2):
        for form in Form:
            in_form(shapes, node("Two"), form, target)
    once = Graph()
    for form in Form:
        in_form(shapes, node("Some"), form, once)
    finding = Graph()
    for form in Form:
        copy_of(node(f"Some-{form.value}"), target, finding)
    assert to_isomorphic(finding) == to_isomorphic(once)


def test_no_two_shapes_share_a_blank_node() -> None:
    text = SOME + REQUEST + ":Two sh:node :Some , [ sh:or ( [ sh:node :Request ; sh:message 'a' ] :Some ) ] ."
    target = Graph()
    for form in Form:
        in_form(graph(text), node("Two"), form, target)
    pointed_to = [node for node in target.objects() if isinstance(node, BNode)]
    assert len(pointed_to) == len(set(pointed_to)) > 10
    assert set(pointed_to) == {node for node in target.subjects() if isinstance(node, BNode)}


def test_a_shape_as_written_is_left_alone() -> None:
    shapes = graph(SOME + NONE)
    for form in Form:
        in_form(shapes, node("Some"), form, Graph())
    assert isomorphic(shapes, graph(SOME + NONE))


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        (SOME + ":It sh:property :Some-finding .", True),
        (SOME + ":It sh:node [ sh:node :Some ] .", True),
        (SOME + REQUEST + ":It sh:or ( :Request [ sh:and ( :Request :Some ) ] ) .", True),
        (REQUEST + ":It sh:node :Request .", False),
        # What a shape holds against other nodes than the case is none of its business.
        (SOME + ":It sh:property [ sh:path case:request ; sh:node :Some ] .", False),
        (":It sh:property [ sh:path case:perhapsFinding ; sh:qualifiedMinCount 1 ] .", False),
    ],
)
def test_a_shape_reads_findings_where_one_that_it_holds_against_the_case_does(text: str, reads: bool) -> None:
    assert reads_findings(graph(text), node("It")) is reads


# ---------------------------------------------------------------------- shapes at fault

COUNTS = "counts findings otherwise than by sh:qualifiedMinCount 1 or sh:qualifiedMaxCount 0 alone"
LONGER = "comes to findings by a longer path than case:currentFinding alone"


def finding(counted: str, path: str = "case:currentFinding") -> str:
    return (
        f":It sh:property :part . :part sh:path {path} ; sh:qualifiedValueShape [ sh:class clin:MRDTest ] ; {counted} ."
    )


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (SOME + NONE + REQUEST + ":It sh:and ( :Some [ sh:or ( :None :Request ) ] ) .", []),
        (SOME + ":It sh:property [ sh:path case:request ; sh:not :Request ] .", []),
        (finding("sh:qualifiedMinCount 1"), []),
        (finding("sh:qualifiedMaxCount 0"), []),
        (finding("sh:qualifiedMinCount 2"), [("part", COUNTS)]),
        (finding("sh:qualifiedMinCount 0"), [("part", COUNTS)]),
        (finding("sh:qualifiedMaxCount 1"), [("part", COUNTS)]),
        (finding("sh:qualifiedMinCount 1 ; sh:qualifiedMaxCount 0"), [("part", COUNTS)]),
        (finding("sh:qualifiedMinCount 1 , 2"), [("part", COUNTS)]),
        (finding("sh:minCount 1"), [("part", COUNTS)]),
        (finding("sh:qualifiedMinCount 1", "( case:currentFinding )"), [("part", LONGER)]),
        (finding("sh:qualifiedMinCount 1", "( case:currentFinding clin:method )"), [("part", LONGER)]),
        (finding("sh:qualifiedMinCount 1", "[ sh:zeroOrOnePath case:currentFinding ]"), [("part", LONGER)]),
        (finding("sh:qualifiedMinCount 1", BOTH), [("part", LONGER)]),
        (SOME + ":It sh:not :Some .", [("It", "holds sh:not over a shape that counts findings")]),
        (
            SOME + REQUEST + ":It sh:xone ( :Request :Some ) .",
            [("It", "holds sh:xone over a shape that counts findings")],
        ),
        (SOME + ":It sh:or ( [ sh:not :Some ] ) .", [("", "holds sh:not over a shape that counts findings")]),
        (REQUEST + ":It sh:not :Request .", []),
        (
            ":It sh:node :Two . :Two sh:property :one , :two ; sh:node :It ."
            ":one sh:path case:currentFinding . :two sh:path ( case:currentFinding case:date ) .",
            [("one", COUNTS), ("two", LONGER)],
        ),
    ],
)
def test_a_shape_of_which_the_two_forms_cannot_be_made_is_at_fault(text: str, faults: list[tuple[str, str]]) -> None:
    found = faults_of_form(graph(text), node("It"))
    names = [("" if isinstance(at, BNode) else str(at).removeprefix("urn:x:"), fault) for at, fault in found]
    assert sorted(names) == faults


# ---------------------------------------------------------------------- copies


def test_a_node_is_copied_with_all_that_it_leads_to_though_this_leads_back() -> None:
    source = graph(":a :to ( :b [ :to :a ] ) . :b :says 1 . :c :says 2 .")
    target = Graph()
    copy_of(node("a"), source, target)
    assert isomorphic(target, graph(":a :to ( :b [ :to :a ] ) . :b :says 1 ."))


def test_a_list_has_its_items_in_their_order() -> None:
    target = Graph()
    assert list(Collection(target, list_of(target, [node("b"), node("a"), node("b")]))) == [
        node("b"),
        node("a"),
        node("b"),
    ]
