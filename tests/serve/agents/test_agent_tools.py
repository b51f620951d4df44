"""The tools that agents call: what they give, and what they say when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from agents import MODES, call, in_memory, refused
from fhir_of import fhir_of
from mcp import Client
from mcp.shared.exceptions import MCPError

from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.examples import read_manifest
from kb_tools.determine.result import REVIEW, Outcome
from kb_tools.determine.run import Determinations, Run
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.shacl import fastest
from kb_tools.render.case_json import write
from kb_tools.serve.mcp.office import Office
from kb_tools.serve.mcp.tools import TOOLS

ROOT = Path(__file__).parents[3]
CASES = ROOT / "policies/CP.MP.101/cases"
# A case of each outcome under 2026-02.
ONE_EACH = {
    "CriteriaMet": "refractory-leukemia-meets",
    "CriteriaNotMet": "acute-gvhd-of-grade-2-excludes",
    "PolicyNotApplicable": "dual-eligible-plan-is-referred",
    "InformationNeeded": "mrd-before-the-transplant-does-not-count",
    "InformationConflicting": "grades-1-and-3-on-one-day-conflict",
}
OPEN = (CASES / f"{ONE_EACH['InformationNeeded']}.ttl").read_text(encoding="utf-8")
# A call of each tool that is answered.
CALLS: dict[str, dict[str, Any]] = {
    "list_policies": {},
    "read_revision": {"revision": "2019-10"},
    "read_criterion": {"name": "II.B"},
    "case_template": {"revision": "2019-10"},
    "determine_case": {"case": OPEN, "revision": "2026-02"},
    "missing_information": {"case": OPEN, "revision": "2026-02"},
    "compare_revisions": {"before": "2023-10", "after": "2023-11"},
    "list_questions": {},
    "ask_question": {"question": "where-cited", "parameters": {"reference": 9}, "revision": "2026-02"},
    "query_sparql": {"query": "SELECT ?n (1.5 AS ?d) { VALUES ?n { 1 'a' true <urn:a> UNDEF } }"},
}


def answered(office: Office, tool: str, mode: str = "auto", **arguments: Any) -> dict[str, Any]:
    async def work(client: Client) -> dict[str, Any]:
        return await call(client, tool, **arguments)

    return in_memory(office, work, mode)


def said(office: Office, tool: str, **arguments: Any) -> str:
    async def work(client: Client) -> str:
        return await refused(client, tool, **arguments)

    return in_memory(office, work)


# ---------------------------------------------------------------------- what is offered


def test_every_tool_only_reads_and_says_what_it_takes_and_gives(office: Office) -> None:
    async def work(client: Client) -> Any:
        return (await client.list_tools()).tools, client.instructions

    tools, instructions = in_memory(office, work)
    assert [tool.name for tool in tools] == list(TOOLS) == list(CALLS)
    for tool in tools:
        hints = tool.annotations.model_dump(by_alias=True, exclude_none=True)
        assert hints == {
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": False,
        }
        assert tool.title
        assert tool.description
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
    for word in ("approve or deny", "In place of a clinician", "diagnose", "Do not infer a fact", "never a no", REVIEW):
        assert word in instructions


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tool", CALLS)
def test_an_answer_fits_the_schema_of_its_tool(office: Office, tool: str, mode: str) -> None:
    found = answered(office, tool, mode, **CALLS[tool])
    jsonschema.validate(found, TOOLS[tool].output)


# ---------------------------------------------------------------------- cases


def test_every_example_case_comes_to_what_the_command_says(office: Office, kb: Repository, policy: Policy) -> None:
    # Every third: each call is read, determined and written anew.
    expected = list(read_manifest(kb, policy.cases_folder))[::3]
    reader = CaseReader(kb, record=False)
    run = Run(kb, policy, fastest())
    wanted: list[dict[str, Any]] = []
    calls: list[tuple[str, str]] = []
    for revision in sorted({one.revision.rpartition("/")[2] for one in expected}):
        mine = [one for one in expected if one.revision.rpartition("/")[2] == revision]
        cases = [case for one in mine for case in reader.read(str(one.path), one.path)]
        answers = Determinations(tuple(run.under(revision, None).answers(cases)))
        wanted += answers.to_dict()["determinations"]
        calls += [(one.path.read_text(encoding="utf-8"), revision) for one in mine]
    assert len(calls) == len(wanted) == len(expected) > 100

    async def work(client: Client) -> list[dict[str, Any]]:
        return [await call(client, "determine_case", case=text, revision=revision) for text, revision in calls]

    same = ("policy", "revision", "serviceDate", "outcome", "because", "referredTo", "toSend", "notices")
    found = in_memory(office, work)
    assert {one["outcome"] for one in found} == {outcome.value for outcome in Outcome}
    for one, other in zip(found, wanted, strict=True):
        assert {key: one[key] for key in same} == {key: other[key] for key in same}
        tops = [status for status in one["criteria"] if status["within"] is None]
        assert [(top["criterion"], top["value"], top["decides"], top["reason"]) for top in tops] == [
            (top["criterion"], top["value"], top["decides"], top["reason"]) for top in other["criterionResults"]
        ]
        assert one["review"] == REVIEW


@pytest.mark.parametrize(("outcome", "name"), ONE_EACH.items())
def test_a_case_comes_to_the_same_however_it_is_written(
    office: Office, kb: Repository, outcome: str, name: str
) -> None:
    path = CASES / f"{name}.ttl"
    (case,) = CaseReader(kb).read(path.name, path)
    plain, bundle = write(CaseForms(kb), case), fhir_of(case)

    async def work(client: Client) -> list[dict[str, Any]]:
        forms = (path.read_text(encoding="utf-8"), plain, json.dumps(plain), bundle, json.dumps(bundle))
        return [await call(client, "determine_case", case=form, revision="2026-02") for form in forms]

    found = in_memory(office, work)
    assert [one["outcome"] for one in found] == [outcome] * 5
    assert len({json.dumps(one["toSend"]) for one in found}) == 1
    assert len({one["because"] for one in found[:3]}) == 1


def test_what_is_missing_comes_with_its_question_and_where_the_answer_goes(office: Office) -> None:
    found = answered(office, "missing_information", case=OPEN, revision="2026-02")
    (missing,) = found["missing"]
    assert (found["outcome"], found["settled"]) == ("InformationNeeded", False)
    assert missing["condition"] == "https://w3id.org/policykb/condition#mrd-is-detected"
    assert missing["question"] == (
        "What does the chart state, or the requester attest, of this? The latest test for minimal residual disease by "
        "each method, with its date, since the latest allogeneic transplant."
    )
    (written,) = missing["writtenAs"]
    assert written["object"] == "MRDTest"
    assert written["keys"][-1] == {
        "key": "mrdResult",
        "required": False,
        "takes": "One of: MRDDetected, MRDNotDetected.",
    }
    # The answer goes there, and settles the case.
    (stated,) = found["toSend"]["allOf"]
    assert stated["condition"] == missing["condition"]


def test_a_settled_case_has_nothing_missing(office: Office) -> None:
    case = (CASES / "refractory-leukemia-meets.ttl").read_text(encoding="utf-8")
    found = answered(office, "missing_information", case=case, revision="2026-02")
    assert (found["outcome"], found["settled"], found["missing"], found["toSend"]) == ("CriteriaMet", True, [], None)


def test_an_answer_added_to_the_case_settles_it(office: Office, kb: Repository) -> None:
    path = CASES / f"{ONE_EACH['InformationNeeded']}.ttl"
    (case,) = CaseReader(kb).read(path.name, path)
    plain = write(CaseForms(kb), case)
    test = {"type": "MRDTest", "date": "2026-06-15", "basis": "ChartEvidence", "mrdResult": "MRDDetected"}
    found = answered(
        office, "determine_case", case=plain | {"findings": [*plain["findings"], test]}, revision="2026-02"
    )
    assert found["outcome"] == "CriteriaMet"


def test_the_revision_is_that_named_or_in_force_on_the_day_or_on_the_service_date(office: Office) -> None:
    async def work(client: Client) -> list[str]:
        chosen: list[dict[str, str]] = [{}, {"revision": "2019-10"}, {"asOf": "2023-12-01"}, {"policy": "CP.MP.101"}]
        return [(await call(client, "determine_case", case=OPEN, **one))["revision"] for one in chosen]

    assert in_memory(office, work) == ["2026-02", "2019-10", "2023-11", "2026-02"]


SLIPS = {
    "patient": "Jane Doe",
    "lineOfBusiness": "Comercial",
    "request": {"serviceDate": "2026-07-32", "reason": "Gout", "serviceDat": "x"},
    "findings": [{"type": "AcuteGvHDAssessment", "grade": "two", "date": 20260620}, 3],
}


def test_a_malformed_case_is_told_by_places_and_without_values(office: Office) -> None:
    text = said(office, "determine_case", case=SLIPS, revision="2026-02")
    assert text.splitlines() == [
        "The case is not determined. Correct how it is written, never what it says:",
        "- patient: not an allowed name; write letters, digits, '.', '_', '-', or an IRI (https: or urn:)",
        "- lineOfBusiness: this text is not a value of this key; did you mean Commercial?",
        "- request.serviceDate: this text, but a full date, as YYYY-MM-DD, is expected; case_template shows what each "
        "key takes",
        "- request.reason: this text is not a value of this key; it takes HematologicMalignancy, Leukemia, "
        "AcuteMyeloidLeukemia, AcutePromyelocyticLeukemia, AcuteLymphoblasticLeukemia, ChronicMyeloidLeukemia, "
        "ChronicLymphocyticLeukemia, ChronicMyelomonocyticLeukemia, MyelodysplasticSyndrome, PlasmaCellNeoplasm, "
        "MultipleMyeloma, Lymphoma and 73 more: the resource kb://case-schema",
        "- request: an unknown key; did you mean serviceDate?",
        "- findings[0].grade: this text, but a whole number is expected; case_template shows what each key takes",
        "- findings[0].date: this number, but a full date, as YYYY-MM-DD, is expected; case_template shows what each "
        "key takes",
        "- findings[1]: this number, but an object is expected; case_template shows what each key takes",
    ]


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ({"patient": "p"}, "- the case case:request: State exactly one case:request, a case:Request: each request is"),
        ("PREFIX x", "- line 1: not valid Turtle; "),
        ("{", "- line 1: not valid JSON: Expecting property name enclosed in double quotes, column 2; "),
        ('{"patient": "p", "patient": "q"}', "- a key twice in one object; keep one"),
        ({"resourceType": "Bundle", "type": "collection", "entry": []}, "- no patient; give the request a patient"),
        ({"resourceType": "Bundle", "type": "collection", "entry": [{}, {"resource": 1}]}, "- entry[1] is no resource"),
        ("", "- no case in this file; "),
    ],
)
def test_a_case_that_is_none_is_told_by_its_place(office: Office, case: Any, line: str) -> None:
    lines = said(office, "determine_case", case=case, revision="2026-02").splitlines()
    assert any(one.startswith(line) for one in lines[1:]), lines


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ({"policy": "CP.MP.10"}, "no such policy on file; did you mean CP.MP.101?"),
        ({"revision": "2027-01"}, "CP.MP.101 has no such revision; known: 2015-11, "),
        (
            {"revision": "2022-10"},
            "the criteria of CP.MP.101 revision 2022-10 are not on file; nearest on file: revision",
        ),
        ({"asOf": "2010-01-01"}, "no revision of CP.MP.101 was in force on that day; the first known is 2015-11, from"),
        ({"asOf": "tomorrow"}, "asOf is no calendar day; write YYYY-MM-DD"),
        ({"asOf": "2026-07-01", "revision": "2026-02"}, "a revision and a day; give revision or asOf"),
        ({"revision": "OTHER.1/2026-02", "policy": "CP.MP.101"}, "revisions of two policies; name two of one policy"),
    ],
)
def test_a_revision_that_cannot_be_used_is_told_with_what_is_near(
    office: Office, chosen: dict[str, str], text: str
) -> None:
    assert said(office, "determine_case", case=OPEN, **chosen).startswith(text)


def test_a_case_for_whose_date_no_revision_was_in_force_is_not_determined(office: Office) -> None:
    case = OPEN.replace('"2026-07-01"^^xsd:date', '"2011-07-01"^^xsd:date')
    assert said(office, "determine_case", case=case).startswith(
        "The case is not determined: no revision of CP.MP.101 was in force on that day; the first known is 2015-11"
    )


# ---------------------------------------------------------------------- what is on file


def test_the_policies_are_listed_with_what_is_on_file_of_each_revision(office: Office) -> None:
    peer, policy = answered(office, "list_policies")["policies"]
    assert (peer["policy"], [one["revision"] for one in peer["revisions"]]) == ("CG-TRANS-03", ["2024-10"])
    assert (policy["policy"], policy["title"]) == ("CP.MP.101", "Donor Lymphocyte Infusion")
    assert len(policy["revisions"]) == 10
    assert policy["revisions"][-1]["revision"] == "2026-02"
    assert set(policy["revisions"][-1]["onFile"].values()) == {"DocumentOnFile"}


def test_a_revision_is_read(office: Office) -> None:
    found = answered(office, "read_revision", revision="CP.MP.101/2026-02")
    assert [one["place"] for one in found["criteria"]] == [
        "Scope",
        "Medicare note",
        "I",
        "I, note",
        "II",
        "II.A",
        "II.B",
    ]
    assert found["disposition"] == "current evidence does not support the use"
    assert len(found["references"]) == 29
    assert all(isinstance(line, str) for part in ("definitions", "codes", "advisories") for line in found[part])


@pytest.mark.parametrize(
    "name",
    [
        "II.B",
        "ii.b",
        "acute GvHD of grade 2 or higher",
        "acute-gvhd",
        "https://w3id.org/policykb/CP.MP.101/criterion/acute-gvhd",
    ],
)
def test_a_criterion_is_found_by_its_place_its_label_or_its_iri(office: Office, name: str) -> None:
    found = answered(office, "read_criterion", name=name, revision="2026-02")
    assert found["criterion"]["place"] == "II.B"
    assert [one["label"] for one in found["conditions"]] == ["acute GvHD of grade 2 or higher"]
    assert "clin:AcuteGvHDAssessment" in found["conditions"][0]["holdsWhen"]


def test_a_condition_is_found_too(office: Office) -> None:
    found = answered(office, "read_criterion", name="residual disease is detected", revision="2026-02")
    assert found["criterion"] is None
    (condition,) = found["conditions"]
    assert condition["usedBy"] == ["I", "I, note"]
    assert condition["possibleValues"] == ["conflicting", "fails", "holds", "unknown"]


def test_a_criterion_that_is_none_is_told_with_those_that_are_near(office: Office) -> None:
    first = "CP.MP.101/2026-02 has no such criterion or condition; "
    assert said(office, "read_criterion", name="acute GvHD of grade 3", revision="2026-02").startswith(
        f"{first}near: II.B (“acute GvHD of grade 2 or higher”)"
    )
    assert said(office, "read_criterion", name="???", revision="2026-02").startswith(
        f"{first}its criteria: Scope (“the request is for donor lymphocyte infusion”), "
    )


def test_two_revisions_are_compared(office: Office) -> None:
    found = answered(office, "compare_revisions", before="2023-10", after="2023-11")
    assert found["verdict"]["words"] == "stricter, by applicability alone, by inference"
    assert found["verdict"]["witnesses"][0]["failing"][-1] == "the plan is not a Medicare plan"
    assert {change["kind"] for change in found["changes"]} == {"added"}
    flips = {flip["case"]: (flip["old"], flip["new"]) for flip in found["exampleCasesThatFlip"]}
    assert flips["dual-eligible-plan-is-referred.ttl#case"] == ("CriteriaNotMet", "PolicyNotApplicable")
    assert (found["final"], found["leftToDecide"], found["requirements"], found["codes"]) == (True, {}, [], [])
    assert said(office, "compare_revisions", before="2023-10", after="2023-10") == "one revision twice; name two"
    assert said(office, "compare_revisions", before="2023-10", after="2027-01").startswith(
        "CP.MP.101 has no such revision; known: "
    )


def test_revisions_of_two_policies_are_compared_by_what_each_requires(office: Office) -> None:
    names = {"before": "CP.MP.101/2026-02", "after": "CG-TRANS-03/2024-10"}
    found = answered(office, "compare_revisions", **names)
    assert (found["policy"], found["old"], found["new"]) == ("CP.MP.101 and CG-TRANS-03", *names.values())
    assert (found["verdict"]["direction"], found["log"], found["exampleCasesThatFlip"]) == ("mixed", [], [])
    (gvhd,) = [one for one in found["requirements"] if one["requires"] == ["excluded: acute GvHD of grade 2 or higher"]]
    assert (gvhd["revision"], gvhd["place"], gvhd["shared"], gvhd["byItself"], gvhd["old"], gvhd["new"]) == (
        *("CP.MP.101/2026-02", "II.B", False, True),
        *("CriteriaNotMet", "CriteriaMet"),
    )
    assert "exclusion II.B holds" in gvhd["because"][0]
    assert {one["revision"] for one in found["requirements"] if one["shared"]} == set(names.values())
    assert {(one["number"], one["oldLists"]) for one in found["codes"]} >= {("38242", True)}
    assert said(office, "compare_revisions", **names | {"policy": "CP.MP.101"}).startswith("revisions of ")


# ---------------------------------------------------------------------- questions


def test_a_ready_question_is_answered(office: Office) -> None:
    found = answered(office, "ask_question", **CALLS["ask_question"])
    assert found["variables"] == ["kind", "statement", "label", "place"]
    assert ["indication", "I"] in [[row[0], row[3]] for row in found["rows"]]
    assert (found["complete"], found["truth"], found["turtle"]) == (True, None, "")


def test_what_was_assumed_is_told_in_the_words_of_the_tools(office: Office) -> None:
    notes = answered(office, "ask_question", question="codes")["notes"]
    assert notes[0] == "for revision CP.MP.101/2026-02, assumed in force today; give revision for another"
    assert all("--" not in note for note in notes)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"question": "where-sited"}, "there is no such question; did you mean where-cited?"),
        ({"question": "zzz"}, "there is no such question; list_questions lists them"),
        ({"question": ""}, "no question; list_questions lists them"),
        (
            {"question": "where-cited", "parameters": {"refrence": 9}},
            "question where-cited has no such parameter; did you mean reference?",
        ),
        (
            {"question": "where-cited", "parameters": {"reference": 99}, "revision": "2026-02"},
            "reference: the value given names no reference in CP.MP.101/2026-02; write its number, place, name or code",
        ),
        (
            {"question": "in-force", "parameters": {"date": "yesterday"}},
            "date: the value given is no date; write YYYY-MM-DD, YYYY-MM for its first day, or today",
        ),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_with_what_is_near(
    office: Office, arguments: dict[str, Any], text: str
) -> None:
    assert said(office, "ask_question", **arguments).startswith(text)


def test_a_query_gives_values_of_json(office: Office) -> None:
    found = answered(office, "query_sparql", **CALLS["query_sparql"])
    assert found["rows"] == [[1, "1.5"], ["a", "1.5"], [True, "1.5"], ["urn:a", "1.5"], [None, "1.5"]]
    assert answered(office, "query_sparql", query="ASK { ?c a pol:Code }")["truth"] is True
    assert "pol:Code" in answered(office, "query_sparql", query="DESCRIBE <code/cpt/38242>")["turtle"]


def test_an_answer_that_is_not_whole_says_so(office: Office) -> None:
    found = answered(office, "query_sparql", query="SELECT ?s { ?s ?p ?o }", maxRows=3)
    assert (len(found["rows"]), found["complete"]) == (3, False)
    assert len(answered(office, "query_sparql", query="SELECT ?s { ?s ?p ?o }")["rows"]) == 200


def test_names_in_a_query_of_which_nothing_is_said_are_counted(office: Office) -> None:
    found = answered(office, "query_sparql", query="SELECT ?s { ?s pol:nothing <urn:x:nobody> }")
    assert found["notes"] == ["the query names 2 IRIs or graphs of which nothing is said here: check the spelling"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELEC ?x {}", "line 1: not a SPARQL query, at column 1; correct the syntax"),
        ("SELECT ?x\n{ ?x a", "line 2: not a SPARQL query, "),
        ("SELECT ?x { ?x a no:Thing }", "line 1: a prefix is not declared; declare it with PREFIX"),
        ("SELECT * { SERVICE <http://a.example/> { ?s ?p ?o } }", "SERVICE asks another server, and no query may; "),
        ("DELETE WHERE { ?s ?p ?o }", "updates are refused: the knowledge base is only read; write SELECT, ASK, "),
        (" ", "no query; write SELECT, ASK, CONSTRUCT or DESCRIBE"),
    ],
)
def test_a_query_that_is_refused_is_told_by_its_line(office: Office, query: str, text: str) -> None:
    assert said(office, "query_sparql", query=query).startswith(text)


def test_a_query_has_one_default_graph(office: Office) -> None:
    text = said(office, "query_sparql", query="ASK {}", revision="2026-02", all=True)
    assert text == "more than one of revision, asOf and all; give one"


# ---------------------------------------------------------------------- arguments and the protocol


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("determine_case", {}, "case is needed"),
        ("determine_case", {"case": 3}, "case: an object or a text is expected"),
        (
            "determine_case",
            {"case": "", "revison": "2026-02"},
            "an argument that determine_case does not have (did you",
        ),
        ("read_revision", {"revision": 2026}, "revision: a text is expected; see the input schema of read_revision"),
        ("query_sparql", {"query": "ASK {}", "maxRows": 0}, "maxRows: a whole number of at least 1 and at most 10000"),
        ("query_sparql", {"query": "ASK {}", "all": "yes"}, "all: true or false is expected"),
        (
            "ask_question",
            {"question": "codes", "parameters": {"a": [1]}},
            "parameters: an object whose values are each a text or a whole number is expected",
        ),
        ("list_policies", {"policy": "CP.MP.101"}, "an argument that list_policies does not have"),
    ],
)
def test_arguments_that_a_tool_does_not_take_are_told(
    office: Office, tool: str, arguments: dict[str, Any], text: str
) -> None:
    assert said(office, tool, **arguments).startswith(text)


def failing(work: Callable[[Client], Awaitable[Any]]) -> Callable[[Client], Awaitable[tuple[int, str]]]:
    async def failed(client: Client) -> tuple[int, str]:
        with pytest.raises(MCPError) as found:
            await work(client)
        return found.value.error.code, found.value.error.message

    return failed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("work", "text"),
    [
        (lambda client: client.call_tool("determine", {}), "there is no such tool; did you mean determine_case?"),
        (lambda client: client.call_tool("x", {}), "there is no such tool; known: list_policies, read_revision, "),
        (lambda client: client.get_prompt("revise", {}), "there is no such prompt; known: review_case"),
        (
            lambda client: client.get_prompt("review_case", {"x": "y"}),
            "an argument that this prompt does not have; it has",
        ),
        (
            lambda client: client.get_prompt("review_case", {"revision": "2022-10"}),
            "the criteria of CP.MP.101 revision 2",
        ),
        (lambda client: client.read_resource("kb://polices"), "there is no such resource; did you mean kb://policies?"),
        (lambda client: client.read_resource("file:///etc/passwd"), "there is no such resource; resources/list lists"),
        (lambda client: client.read_resource("kb://CP.MP.101/1999-01/shapes"), "CP.MP.101 has no such revision; known"),
    ],
)
def test_what_the_protocol_does_not_find_is_an_error_of_the_protocol(
    office: Office, mode: str, work: Callable[[Client], Awaitable[Any]], text: str
) -> None:
    code, message = in_memory(office, failing(work), mode)
    assert code == -32602
    assert message.startswith(text)


def test_an_error_that_nobody_foresaw_is_named_by_its_type_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **more: Any) -> None:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(office.workers, "exchange", broken)
    text = said(office, "determine_case", case=OPEN)
    assert text == "unexpected RuntimeError; kb check says whether the knowledge base is sound"


# ---------------------------------------------------------------------- resources and the prompt


@pytest.mark.parametrize("mode", MODES)
def test_every_resource_that_is_listed_can_be_read(office: Office, mode: str) -> None:
    async def work(client: Client) -> list[tuple[str, str, str]]:
        found = []
        for one in (await client.list_resources()).resources:
            # Shapes take a while to be written: those of one revision stand for all.
            if one.uri.endswith("/shapes") and "2026-02" not in one.uri:
                continue
            (content,) = (await client.read_resource(one.uri)).contents
            assert (content.uri, content.mime_type) == (one.uri, one.mime_type)
            found.append((one.uri, str(one.mime_type), content.text))  # type: ignore[union-attr]
        return found

    read = {uri: (type_, text) for uri, type_, text in in_memory(office, work, mode)}
    assert len(read) == 3 + (1 + 6) * 3 + 1
    alone, first, then = list(read)[:3], list(read)[3:6], list(read)[6]
    assert alone == ["kb://policies", "kb://questions", "kb://case-schema"]
    assert first == [f"kb://CG-TRANS-03/2024-10/{kind}" for kind in ("revision", "criteria", "case-template")]
    assert then == "kb://CP.MP.101/2019-10/revision"
    for type_, text in read.values():
        assert type_ == "text/turtle" or json.loads(text)
    schema = json.loads(read["kb://case-schema"][1])
    assert schema == json.loads((ROOT / "docs/case.schema.json").read_text(encoding="utf-8"))
    assert "sh:NodeShape" in read["kb://CP.MP.101/2026-02/shapes"][1]


def test_the_kinds_of_resources_of_a_revision_are_listed_as_templates(office: Office) -> None:
    async def work(client: Client) -> list[str]:
        return [one.uri_template for one in (await client.list_resource_templates()).resource_templates]

    kinds = ("revision", "criteria", "shapes", "case-template")
    assert in_memory(office, work) == [f"kb://{{policy}}/{{revision}}/{kind}" for kind in kinds]


@pytest.mark.parametrize("mode", MODES)
def test_the_prompt_has_the_tools_determine_and_a_clinician_decide(office: Office, mode: str) -> None:
    async def work(client: Client) -> str:
        (prompt,) = (await client.list_prompts()).prompts
        assert prompt.name == "review_case"
        found = await client.get_prompt("review_case", {"revision": "2026-02"})
        (message,) = found.messages
        assert message.role == "user"
        return message.content.text  # type: ignore[union-attr]

    text = in_memory(office, work, mode)
    for tool in ("case_template", "determine_case", "missing_information"):
        assert f'{tool}(policy="CP.MP.101", revision="2026-02"' in text
    for words in (
        "Do not infer",
        "It is unknown. Do not write it as a no",
        "Do not choose between them",
        "Do not judge a criterion yourself",
        "a clinician reviews and",
        "neither an approval nor a denial",
    ):
        assert words in text
