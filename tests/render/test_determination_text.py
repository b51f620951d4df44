"""What is shown: one run in every format says the same, to a person, to a program and to another engine."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rdflib import Graph, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS
from rich.console import Console

from kb_tools.cases.case import Case, Malformed
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import REVIEW, Determination, NotDetermined, Outcome
from kb_tools.determine.run import Answer, Run
from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import CASE, POL, SH
from kb_tools.render import determination_fhir as fhir
from kb_tools.render import determination_json as as_json
from kb_tools.render import determination_junit as junit
from kb_tools.render import determination_text as text
from kb_tools.render import determination_turtle as turtle
from kb_tools.render import revision as show

CONDITION = "https://w3id.org/policykb/condition#"
CRITERION = "https://w3id.org/policykb/CP.MP.101/criterion/"
EX = "https://example.org/case#"

SECOND_GRADE = """
:second a clin:AcuteGvHDAssessment ;
    case:date "2026-06-05"^^xsd:date ;
    case:basis case:Attestation ;
    clin:grade 3 .
"""
# What is put another way in the well-formed case, and what it then comes to.
VARIANTS = {
    "met": ("clin:grade 1", "clin:grade 1", Outcome.MET.value),
    "not-met": ("clin:grade 1", "clin:grade 2", Outcome.NOT_MET.value),
    "needed": ("clin:processing clin:Unmanipulated ;", "", Outcome.NEEDED.value),
    "not-applicable": ("case:Commercial", "case:MedicareAdvantage", Outcome.NOT_APPLICABLE.value),
    "conflicting": (":acute ,", ":acute , :second ,", Outcome.CONFLICTING.value),
    "malformed": ("clin:grade 1", "clin:grad 7", "malformed"),
    "not-determined": ("2026-07-01", "2023-09-01", "not determined"),
}
NOT_READ = KbError("no such file", where="missing.ttl", hint="check the path")

Answers = dict[str, Answer]


def answered(kb: Repository, policy: Policy, vary: Callable[[str, str], str], order: list[str]) -> Answers:
    """The answer to each variant, as one run of kb validate."""
    reader = CaseReader(kb)
    cases: list[Case] = []
    for name in order:
        old, new, _ = VARIANTS[name]
        written = vary(old, new) + (SECOND_GRADE if name == "conflicting" else "")
        cases += reader.read(f"{name}.ttl", None, written.encode(), FORMATS[".ttl"])
    return dict(zip(order, Run(kb, policy, "pyshifty").answers(cases), strict=True))


@pytest.fixture(scope="module")
def answers(kb: Repository, policy: Policy, vary: Callable[[str, str], str]) -> Answers:
    return answered(kb, policy, vary, list(VARIANTS))


@pytest.fixture(scope="module")
def shown(kb: Repository, answers: Answers) -> dict[str, Any]:
    """The run as JSON."""
    content = json.loads(as_json.answers(kb, list(answers.values()), [NOT_READ], False))
    assert isinstance(content, dict)
    return content


@pytest.fixture(scope="module")
def graph(kb: Repository, answers: Answers) -> Graph:
    """The run as RDF, as another program reads it."""
    return Graph().parse(data=turtle.answers(kb, list(answers.values()), [NOT_READ], False), format="turtle")


def on_screen(width: int, draw: Callable[[Console], None]) -> list[str]:
    """The lines that are drawn on a screen of that width, without color."""
    screen = io.StringIO()
    draw(Console(file=screen, width=width, color_system=None, highlight=False, emoji=False, markup=False))
    return screen.getvalue().splitlines()


def in_words(kb: Repository, answer: Answer, width: int = 100, explain: bool = False) -> list[str]:
    return [line.rstrip() for line in on_screen(width, lambda out: text.answer(out, kb, answer, explain))]


def flat(lines: list[str]) -> str:
    """Lines as one, however they were wrapped."""
    return " ".join(" ".join(lines).split())


def determination(answers: Answers, name: str) -> Determination:
    answer = answers[name]
    assert isinstance(answer, Determination)
    return answer


# ---------------------------------------------------------------------- one run, every format


def test_every_variant_comes_to_what_it_should(answers: Answers) -> None:
    came = {
        name: answer.outcome.value
        if isinstance(answer, Determination)
        else "malformed"
        if isinstance(answer, Malformed)
        else "not determined"
        for name, answer in answers.items()
    }
    assert came == {name: outcome for name, (_, _, outcome) in VARIANTS.items()}


def test_json_says_of_every_case_what_it_came_to(shown: dict[str, Any]) -> None:
    assert list(shown) == ["tool", "review", "determinations", "malformed", "notDetermined", "errors"]
    assert shown["review"] == REVIEW
    assert {determination["file"]: determination["outcome"] for determination in shown["determinations"]} == {
        f"{name}.ttl": outcome for name, (_, _, outcome) in VARIANTS.items() if outcome[0].isupper()
    }
    assert shown["malformed"] == [
        {
            "case": f"{EX}case",
            "file": "malformed.ttl",
            "violations": [
                {
                    "focus": f"{EX}acute",
                    "path": "clin:grad",
                    "value": "7",
                    "shape": "shape:AcuteGvHDAssessment",
                    "message": "An acute GvHD assessment states its date, basis and overall grade, exactly or by "
                    "bounds, and nothing else: check the spelling of the property. Did you mean clin:grade?",
                }
            ],
        }
    ]
    assert shown["notDetermined"] == [
        {
            "case": f"{EX}case",
            "file": "not-determined.ttl",
            "policy": "CP.MP.101",
            "error": "the criteria of CP.MP.101 revision 2023-08 are not on file; nearest on file: --revision 2023-10",
        }
    ]
    assert shown["errors"] == ["missing.ttl: no such file; check the path"]


def test_turtle_says_of_every_case_what_json_says(
    kb: Repository, answers: Answers, graph: Graph, shown: dict[str, Any]
) -> None:
    labels = {answer.case.source: answer.case.name_for_others for answer in answers.values()}
    by_label = {str(graph.value(node, RDFS.label)): node for node in graph.subjects(RDF.type, CASE.Determination)}
    assert len(by_label) == len(shown["determinations"]) == 5
    for record in shown["determinations"]:
        node = by_label[f"{labels[record['file']]} under CP.MP.101 2026-02"]
        assert list(graph.objects(node, CASE.outcome)) == [POL[record["outcome"]]]
        assert list(graph.objects(node, CASE.ofCase)) == [URIRef(record["case"])]
        assert list(graph.objects(node, CASE.applicability)) == [POL[record["applicability"].capitalize()]]
        assert list(graph.objects(node, CASE.criteria)) == [POL[record["criteria"].capitalize()]]
        assert list(graph.objects(node, CASE.reviewedBy)) == [CASE.Clinician]
        notices = {str(notice) for notice in graph.objects(node, CASE.notice)}
        assert notices == {*record["notices"], REVIEW}
        assert values(graph, node, CASE.criterionValue, CASE.criterion) == {
            result["criterion"]: result["value"] for result in record["criterionResults"]
        }
        assert values(graph, node, CASE.conditionValue, CASE.condition) == {
            result["condition"]: result["value"] for result in record["conditionResults"]
        }
        asked = set(re.findall(rf"{CONDITION}[\w-]+", json.dumps(record["toSend"])))
        assert {str(condition) for condition in graph.objects(node, CASE.toSend)} == asked
        assert {str(advisory) for advisory in graph.objects(node, CASE.advisory)} == {
            advisory["advisory"] for advisory in record["advisories"]
        }


def values(graph: Graph, node: Any, link: URIRef, of: URIRef) -> dict[str, str]:
    """The value of each criterion, or condition, of a determination."""
    found = {
        str(graph.value(result, of)): str(graph.value(result, CASE.value)).removeprefix(str(POL)).lower()
        for result in graph.objects(node, link)
    }
    assert len(found) == len(list(graph.objects(node, link)))
    return found


def test_turtle_reports_a_malformed_case_and_is_silent_on_what_has_no_determination(
    answers: Answers, graph: Graph
) -> None:
    (report,) = graph.subjects(RDF.type, SH.ValidationReport)
    assert (
        str(graph.value(report, RDFS.label))
        == f"{answers['malformed'].case.name_for_others}: malformed, not determined"
    )
    assert graph.value(report, SH.conforms).toPython() is False  # type: ignore[union-attr]
    (result,) = graph.objects(report, SH.result)
    assert str(graph.value(result, RDFS.label)) == f"{EX}acute clin:grad 7"
    written = graph.serialize(format="turtle")
    assert answers["not-determined"].case.given not in written
    assert ".ttl" not in written


def test_junit_counts_what_text_counts(kb: Repository, answers: Answers) -> None:
    suite = ElementTree.fromstring(junit.answers(kb, list(answers.values()), [NOT_READ], False).encode())
    assert suite.attrib == {"name": "kb validate", "tests": "8", "failures": "3", "errors": "3", "skipped": "1"}
    kinds = {case.attrib["name"]: [child.tag for child in case] for case in suite}
    assert kinds == {
        "met.ttl#case": [],
        "not-met.ttl#case": ["failure"],
        "needed.ttl#case": ["failure"],
        "not-applicable.ttl#case": ["skipped"],
        "conflicting.ttl#case": ["failure"],
        "malformed.ttl#case": ["error"],
        "not-determined.ttl#case": ["error"],
        "missing.ttl": ["error"],
    }
    messages = {case.attrib["name"].partition(".")[0]: child.attrib["message"] for case in suite for child in case}
    assert messages["not-met"] == ("CriteriaNotMet: II.B holds (acute GvHD of grade 2 or higher: holds)")
    assert messages["needed"] == "InformationNeeded: send in: How the lymphocytes were or will be processed."
    assert messages["not-applicable"] == (
        "PolicyNotApplicable: Medicare note fails (the plan is not a Medicare plan: fails)"
    )
    assert messages["conflicting"] == (
        "InformationConflicting: send in: The overall grade (0 to 4) and date of the latest acute GvHD assessment "
        "(correct what is not so: acute GvHD assessment: grade 1 (2026-06-05, chart evidence) against "
        "acute GvHD assessment: grade 3 (2026-06-05, attestation))."
    )
    assert messages["malformed"].startswith(f"{EX}acute clin:grad 7: An acute GvHD assessment states ")
    assert messages["missing"] == "missing.ttl: no such file; check the path"

    counts = Counter((text.policy_of(answer), text.outcome_of(answer)) for answer in answers.values())
    before = dict(counts)
    lines = on_screen(100, lambda out: text.summary(out, counts, 1))
    assert counts == before
    counted = {line.rpartition("  ")[0].strip(): int(line.split()[-1]) for line in lines[1:]}
    assert counted == Counter(outcome for _, _, outcome in VARIANTS.values() if outcome != "malformed") | {
        "malformed, not determined": 1,
        "inputs that could not be read": 1,
    }


def test_text_opens_with_case_outcome_and_because(kb: Repository, answers: Answers) -> None:
    assert {name: in_words(kb, answer)[:3] for name, answer in answers.items()} == {
        "met": [
            "met.ttl#case",
            "CRITERIA MET",
            "because indication I holds: transplant: graft source unrelated donor (2025-01-15, chart evidence);",
        ],
        "not-met": [
            "not-met.ttl#case",
            "CRITERIA NOT MET - the revision classes such use as: current evidence does not support the use",
            "because exclusion II.B holds: acute GvHD assessment: grade 2 (2026-06-05, chart evidence)",
        ],
        "needed": [
            "needed.ttl#case",
            "INFORMATION NEEDED",
            "because exclusion II.A is open: the case states no processing",
        ],
        "not-applicable": [
            "not-applicable.ttl#case",
            "POLICY NOT APPLICABLE - see MC.CP.MP.101",
            "because Medicare note fails: line of business: Medicare Advantage",
        ],
        "conflicting": [
            "conflicting.ttl#case",
            "INFORMATION CONFLICTING",
            "because exclusion II.B is open: these contradict each other: acute GvHD assessment: grade 1",
        ],
        "malformed": [
            "malformed.ttl#case",
            "MALFORMED CASE, not determined",
            "    - :acute clin:grad 7: An acute GvHD assessment states its date, basis and overall grade, exactly",
        ],
        "not-determined": [
            "not-determined.ttl#case: NOT DETERMINED",
            "    - the criteria of CP.MP.101 revision 2023-08 are not on file; nearest on file: --revision",
            "      2023-10",
        ],
    }


def test_every_determination_in_words_ends_with_the_review_by_a_clinician(kb: Repository, answers: Answers) -> None:
    for answer in answers.values():
        if isinstance(answer, Determination):
            assert in_words(kb, answer)[-2:] == [REVIEW, ""]


def test_the_text_reads_top_down(kb: Repository, answers: Answers) -> None:
    """Outcome, because, revision, criteria, what to send in, reminders, notes, review: in this order."""
    for answer in answers.values():
        if isinstance(answer, Determination):
            output = flat(in_words(kb, answer))
            parts = ["because ", "CP.MP.101 revision 2026-02, document on file; service on 2026-07-01", "Place Value "]
            parts += [] if answer.outcome.settled else ["Send in:"]
            parts += ["Standing reminders: 7, listed by --explain", "Notes: - ", REVIEW]
            assert output.startswith(f"{answer.case.title} {text.TITLES[answer.outcome]}")
            places = [output.index(part) for part in parts]
            assert places == sorted(places)


def test_the_criteria_that_decide_stand_first(kb: Repository, answers: Answers) -> None:
    in_order = ["Scope", "Medicare note", "I", "I, note", "II", "II.A", "II.B"]
    first = {"not-met": "II.B", "needed": "II.A", "not-applicable": "Medicare note", "conflicting": "II.B"}
    for name, place in first.items():
        lines = in_words(kb, answers[name])
        rows = [line[2:].split("  ")[0] for line in lines if line.startswith("  ") and line[2] != " "]
        assert rows[1:8] == [place, *(other for other in in_order if other != place)]


def test_standing_reminders_are_counted_and_with_explain_listed(kb: Repository, answers: Answers) -> None:
    standing = [advisory for advisory in determination(answers, "met").advisories if not advisory.when]
    assert len(standing) == 7
    for explain in (False, True):
        output = flat(in_words(kb, answers["met"], explain=explain))
        assert all((advisory.text in output) is explain for advisory in standing)
        assert ("Standing reminders: 7, listed by --explain" in output) is not explain


def test_text_names_what_contradicts_and_what_to_send_in(kb: Repository, answers: Answers) -> None:
    output = flat(in_words(kb, answers["conflicting"]))
    contradicting = [
        "acute GvHD assessment: grade 1 (2026-06-05, chart evidence)",
        "acute GvHD assessment: grade 3 (2026-06-05, attestation)",
    ]
    assert f"these contradict each other: {' and '.join(contradicting)} CP.MP.101" in output
    assert (
        "Send in: 1. The overall grade (0 to 4) and date of the latest acute GvHD assessment "
        f"correct what is not so: {' against '.join(contradicting)} "
    ) in output
    assert "contradict" not in flat(in_words(kb, answers["needed"]))
    assert "Send in: 1. How the lymphocytes were or will be processed " in flat(in_words(kb, answers["needed"]))
    for settled in ("met", "not-met", "not-applicable"):
        assert "Send in" not in flat(in_words(kb, answers[settled]))


def test_the_summary_is_left_out_for_a_single_case(answers: Answers) -> None:
    assert on_screen(100, lambda out: text.summary(out, Counter([("CP.MP.101", "CriteriaMet")]), 0)) == []
    assert on_screen(100, lambda out: text.summary(out, Counter(), 1)) == []


def test_the_summary_names_the_policies_where_there_are_several(answers: Answers) -> None:
    counts = {("CP.MP.101", "CriteriaMet"): 2, ("TST.7", "CriteriaNotMet"): 3, ("", "malformed, not determined"): 1}
    lines = [line.rstrip() for line in on_screen(100, lambda out: text.summary(out, counts, 0))]
    assert lines == [
        "Policy     Outcome                    Cases",
        "           malformed, not determined      1",
        "CP.MP.101  CriteriaMet                    2",
        "TST.7      CriteriaNotMet                 3",
    ]


# ---------------------------------------------------------------------- json in detail

KEYS = {
    "determination": [
        "case",
        "file",
        "policy",
        "revision",
        "criteriaBasis",
        "serviceDate",
        "outcome",
        "because",
        "disposition",
        "referredTo",
        "applicability",
        "criteria",
        "criterionResults",
        "conditionResults",
        "toSend",
        "conflicts",
        "advisories",
        "notices",
    ],
    "criterionResults": [
        "criterion",
        "role",
        "place",
        "label",
        "value",
        "decides",
        "reason",
        "grounds",
        "passages",
        "references",
        "parts",
    ],
    "conditionResults": ["condition", "label", "value", "perhaps", "facts"],
    "facts": ["node", "text", "date", "ageInDays", "contradicted", "doubts"],
    "passages": ["passage", "section", "place"],
    "references": ["number", "text", "doi"],
    "conflicts": ["condition", "facts"],
    "advisories": ["advisory", "label", "text", "always", "passages", "references"],
}


def objects(content: Any, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object inside, with the key that it stands under."""
    if isinstance(content, dict):
        yield kind, content
        for key, value in content.items():
            yield from objects(value, key)
    elif isinstance(content, list):
        for item in content:
            yield from objects(item, kind)


def test_every_object_of_the_json_has_all_of_its_keys_in_their_order(shown: dict[str, Any]) -> None:
    seen = set()
    for kind, content in objects(shown["determinations"], "determination"):
        if kind in KEYS:
            assert list(content) == KEYS[kind]
            seen.add(kind)
    assert seen == set(KEYS)


def test_json_tells_what_to_send_in_as_groups_and_the_disposition_only_where_it_is_not_met(
    shown: dict[str, Any],
) -> None:
    by_name = {determination["file"].removesuffix(".ttl"): determination for determination in shown["determinations"]}
    asks = "The overall grade (0 to 4) and date of the latest acute GvHD assessment."
    assert by_name["conflicting"]["toSend"] == {
        "allOf": [
            {
                "condition": f"{CONDITION}acute-gvhd-of-grade-2-or-higher",
                "asksFor": asks,
                "toSettle": [],
                "leftOpenBy": [],
            }
        ]
    }
    assert {name for name, determination in by_name.items() if determination["toSend"]} == {"needed", "conflicting"}
    assert {
        name: determination["disposition"] for name, determination in by_name.items() if determination["disposition"]
    } == {"not-met": "current evidence does not support the use"}
    assert {
        name: determination["referredTo"] for name, determination in by_name.items() if determination["referredTo"]
    } == {"not-applicable": "MC.CP.MP.101"}
    assert [(conflict["condition"], len(conflict["facts"])) for conflict in by_name["conflicting"]["conflicts"]] == [
        (f"{CONDITION}acute-gvhd-of-grade-2-or-higher", 2)
    ]


def test_a_fact_in_json_names_its_node_its_day_and_its_age(shown: dict[str, Any]) -> None:
    (met,) = (determination for determination in shown["determinations"] if determination["file"] == "met.ttl")
    facts = {result["condition"].removeprefix(CONDITION): result["facts"] for result in met["conditionResults"]}
    assert facts["acute-gvhd-of-grade-2-or-higher"] == [
        {
            "node": f"{EX}acute",
            "text": "acute GvHD assessment: grade 1 (2026-06-05, chart evidence)",
            "date": "2026-06-05",
            "ageInDays": 26,
            "contradicted": False,
            "doubts": [],
        }
    ]
    assert facts["plan-is-not-medicare"] == [
        {
            "node": f"{EX}coverage",
            "text": "line of business: commercial",
            "date": None,
            "ageInDays": None,
            "contradicted": False,
            "doubts": [],
        }
    ]


# ---------------------------------------------------------------------- advice


@pytest.mark.parametrize(
    ("name", "perhaps"),
    [
        (
            "chimerism-of-unstated-lineage-leaves-an-older-one-open",
            "Perhaps, since it is open whether chimerism is mixed: ",
        ),
        ("one-mixed-lineage-is-enough", ""),
    ],
)
def test_advice_on_what_only_perhaps_holds_says_so(policy: Policy, run_kb: Any, name: str, perhaps: str) -> None:
    case = policy.cases_folder / f"{name}.ttl"
    output = " ".join(run_kb("validate", str(case), "--revision", "2026-02").stdout.split())
    assert f"- {perhaps}Donor cells are reported below 90 % in a lineage." in output


# ---------------------------------------------------------------------- --explain


def test_explain_shows_every_condition_with_its_facts_and_who_reads_it(kb: Repository, answers: Answers) -> None:
    for name in ("met", "not-met", "needed", "not-applicable", "conflicting"):
        found = determination(answers, name)
        output = flat(in_words(kb, found, explain=True))
        for result in found.condition_results.values():
            start = f"- {result.condition.label}: {result.value.value}. "
            assert start in output
            for fact in result.facts or ():
                assert fact.text in output
            if not result.facts:
                assert f"{start}not stated. " in output
    assert (
        "- acute GvHD of grade 2 or higher: fails. acute GvHD assessment: grade 1 (2026-06-05, chart evidence), "
        "26 days before. (Read by II.B [7, 8].)"
    ) in flat(in_words(kb, answers["met"], explain=True))


def test_explain_shows_every_place_and_every_work_that_is_cited(kb: Repository, answers: Answers) -> None:
    found = determination(answers, "met")
    output = flat(in_words(kb, found, explain=True))
    for result in found.criterion_results:
        places = "; ".join(f"{place.section}, {place.notation}" for place in result.criterion.places)
        assert f"- {result.criterion.notation}: {places}" in output
    listed = re.findall(r"- \[(\d+)\] (\w.+?)(?= - \[| For review)", output)
    cited = {citation for result in found.criterion_results for citation in result.criterion.citations}
    cited |= {citation for advisory in found.advisories for citation in advisory.citations}
    assert [int(number) for number, _ in listed] == sorted({citation.number for citation in cited}) == [7, 8, 9, 10]
    assert "doi:10.1016/j.transci.2016.05.011" in output


def test_without_explain_neither_the_conditions_nor_the_works_are_listed(kb: Repository, answers: Answers) -> None:
    output = flat(in_words(kb, answers["met"]))
    for title in ("Conditions, the facts they read", "Places in the document", "Cited"):
        assert title not in output
        assert title in flat(in_words(kb, answers["met"], explain=True))


# ---------------------------------------------------------------------- one run, twice


@pytest.mark.parametrize("format_", ["json", "turtle", "junit"])
def test_two_runs_come_to_the_same_bytes(
    kb: Repository, policy: Policy, vary: Callable[[str, str], str], answers: Answers, format_: str
) -> None:
    render = {"json": as_json.answers, "turtle": turtle.answers, "junit": junit.answers}[format_]
    again = answered(kb, policy, vary, list(VARIANTS))
    assert render(kb, list(again.values()), [NOT_READ], False) == render(kb, list(answers.values()), [NOT_READ], False)


def test_turtle_does_not_depend_on_the_order_of_the_cases(
    kb: Repository, policy: Policy, vary: Callable[[str, str], str], answers: Answers
) -> None:
    backwards = answered(kb, policy, vary, list(VARIANTS)[::-1])
    assert turtle.answers(kb, list(backwards.values()), [], False) == turtle.answers(
        kb, list(answers.values()), [], False
    )


def test_cases_of_one_file_without_names_keep_apart_in_turtle(
    kb: Repository, policy: Policy, vary: Callable[[str, str], str]
) -> None:
    one = vary(":case a case:Case", "[] a case:Case")
    written = one + one[one.index("[] a") : one.index(":coverage a")]
    cases = CaseReader(kb).read("two.ttl", None, written.encode(), FORMATS[".ttl"])
    answers = list(Run(kb, policy, "pyshifty").answers(cases))
    graph = Graph().parse(data=turtle.answers(kb, answers, [], False), format="turtle")
    found = list(graph.subjects(RDF.type, CASE.Determination))
    assert len(found) == len({graph.value(node, CASE.ofCase) for node in found}) == 2
    assert [len(list(graph.objects(node, CASE.criterionValue))) for node in found] == [7, 7]


# ---------------------------------------------------------------------- width


@pytest.mark.parametrize("width", [20, 40, 60, 100])
def test_no_line_is_wider_than_the_screen(kb: Repository, policy: Policy, answers: Answers, width: int) -> None:
    revisions = [Revision.load(policy, policy.entry(name)) for name in ("2015-11", "2019-10", "2026-02")]

    def draw(out: Console) -> None:
        for answer in answers.values():
            text.answer(out, kb, answer, True)
        text.summary(out, Counter((text.policy_of(one), text.outcome_of(one)) for one in answers.values()), 1)
        show.history(out, [policy])
        for revision in revisions:
            show.revision(out, revision)

    lines = on_screen(width, draw)
    assert len(lines) > 500
    assert max(map(len, lines)) <= width


# ---------------------------------------------------------------------- kb show


def test_the_history_as_text_and_as_json_are_the_same(policy: Policy) -> None:
    lines = on_screen(100, lambda out: show.history(out, [policy]))
    (content,) = json.loads(show.history_json([policy]))
    assert list(content) == ["policy", "title", "revisions"]
    assert lines[0] == f"{content['policy']}  {content['title']}" == "CP.MP.101  Donor Lymphocyte Infusion"
    rows = [re.split(r" {2,}", line.strip()) for line in lines[2:]]
    assert [row[0] for row in rows] == [entry["revision"] for entry in content["revisions"]]
    assert [row[2] for row in rows] == [entry["countsFrom"] for entry in content["revisions"]]
    assert [row[1] for row in rows] == [
        entry["approval"] or ("not given" if entry["inLog"] else "no row in the log") for entry in content["revisions"]
    ]
    for row, entry in zip(rows, content["revisions"], strict=True):
        assert list(entry) == ["revision", "iri", "draft", "countsFrom", "approval", "inLog", "onFile"]
        assert entry["draft"] is False
        assert entry["iri"] == f"https://w3id.org/policykb/CP.MP.101/{entry['revision']}"
        counts = Counter(entry["onFile"].values())
        assert row[3] == {0: "-", 2: "criteria, disposition", 6: "all"}[counts["DocumentOnFile"]]
        assert row[4] == {0: "-", 1: "criteria"}[counts["InferredFromLog"]]


def test_a_draft_is_shown_as_one_of_which_nothing_is_on_file(kb: Repository, tmp_path: Path) -> None:
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(kb.root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("cases"))
    file = tmp_path / "policies/CP.MP.101/2026-02/revision.ttl"
    mark = '<https://w3id.org/policykb/CP.MP.101/2026-02> pol:toDo "A draft."@en .'
    file.write_text(file.read_text(encoding="utf-8") + mark, encoding="utf-8")
    policy = Repository(tmp_path).policy()
    lines = on_screen(100, lambda out: show.history(out, [policy]))
    assert re.split(r" {2,}", lines[-1].strip()) == ["2026-02 (draft)", "5/26/2026", "-", "-", "-"]
    (content,) = json.loads(show.history_json([policy]))
    draft = content["revisions"][-1]
    assert (draft["revision"], draft["draft"], draft["countsFrom"]) == ("2026-02", True, None)
    assert set(draft["onFile"].values()) == {"NotOnFile"}
    shown = Revision.load(policy, policy.entry("2026-02"))
    lines = on_screen(100, lambda out: show.revision(out, shown))
    assert lines[0] == "CP.MP.101 revision 2026-02: a draft, in force on no date"
    one = json.loads(show.revision_json(shown))
    assert (one["draft"], set(one["onFile"].values())) == (True, {"NotOnFile"})


def test_a_revision_as_text_names_all_that_its_json_holds(policy: Policy) -> None:
    revision = Revision.load(policy, policy.entry("2026-02"))
    output = flat([re.sub(r"[│├└─]", " ", line) for line in on_screen(100, lambda out: show.revision(out, revision))])
    content = json.loads(show.revision_json(revision))
    assert list(content) == [
        "policy",
        "revision",
        "draft",
        "onFile",
        "notices",
        "disposition",
        "criteria",
        "Definitions",
        "Codes",
        "References",
        "Advice, which does not decide",
    ]
    for criterion in content["criteria"]:
        cited = f" [{', '.join(map(str, criterion['references']))}]" if criterion["references"] else ""
        assert f"{criterion['place']} {criterion['label']} ({criterion['role']}){cited}" in output
        for reading in criterion["readings"]:
            assert f"Reading: {' '.join(reading.split())}" in output
    for kind in ("Definitions", "Codes", "References", "Advice, which does not decide"):
        assert content[kind]
        for line in content[kind]:
            assert " ".join(line.split()) in output
    assert len(content["References"]) == 29
    assert [code.partition(":")[0] for code in content["Codes"]] == ["38215", "38242", "86950", "S2150"]
    assert "Unsupported uses: current evidence does not support the use" in output


def test_the_json_of_a_revision_holds_its_criteria_as_trees(policy: Policy) -> None:
    content = json.loads(show.revision_json(Revision.load(policy, policy.entry("2026-02"))))
    by_place = {criterion["place"]: criterion for criterion in content["criteria"]}
    assert list(by_place) == ["Scope", "Medicare note", "I", "I, note", "II", "II.A", "II.B"]
    for criterion in content["criteria"]:
        assert list(criterion) == [
            "criterion",
            "role",
            "place",
            "label",
            "definition",
            "readings",
            "content",
            "otherwiseSee",
            "passages",
            "references",
        ]
    assert by_place["II"]["content"] is None
    assert leaves(by_place["I, note"]["content"]) == [
        "allOf",
        "raising-donor-chimerism-is-the-only-purpose",
        ["noneOf", "disease-relapsed-refractory-or-progressing", "mrd-is-detected", "relapse-risk-is-raised"],
    ]
    assert leaves(by_place["II.A"]["content"]) == [
        "anyOf",
        "lymphocytes-genetically-modified",
        "lymphocytes-manipulated-ex-vivo",
    ]
    assert by_place["Medicare note"]["otherwiseSee"] == "MC.CP.MP.101"


def leaves(content: dict[str, Any]) -> object:
    """A tree of the JSON as nested lists."""
    for operator in ("allOf", "anyOf", "noneOf"):
        if operator in content:
            return [operator, *map(leaves, content[operator])]
    return content["condition"].removeprefix(CONDITION)


def test_a_revision_known_from_the_log_alone_says_that_it_holds_no_criteria(policy: Policy) -> None:
    revision = Revision.load(policy, policy.entry("2015-11"))
    lines = on_screen(100, lambda out: show.revision(out, revision))
    assert lines[0] == "CP.MP.101 revision 2015-11: criteria not on file"
    content = json.loads(show.revision_json(revision))
    assert (content["criteria"], content["disposition"]) == ([], None)
    assert set(content["onFile"].values()) == {"NotOnFile"}


def test_an_inferred_revision_says_so_and_invents_no_disposition(policy: Policy) -> None:
    content = json.loads(show.revision_json(Revision.load(policy, policy.entry("2024-04"))))
    assert content["disposition"] is None
    assert content["notices"] == [
        "How revision 2024-04 classes unsupported uses is not on file.",
        "The document of revision 2024-04 is not on file: its criteria are inferred backwards from a later document "
        "and its revision log, and the places given are those of that document.",
    ]
    assert [criterion["references"] for criterion in content["criteria"]] == [[]] * 7


# ---------------------------------------------------------------------- not determined


def test_what_is_not_determined_says_why(answers: Answers) -> None:
    answer = answers["not-determined"]
    assert isinstance(answer, NotDetermined)
    assert str(answer.error).startswith("the criteria of CP.MP.101 revision 2023-08 are not on file")


# ---------------------------------------------------------------------- criteria within criteria

# Place, value and whether it decides: I fails as I.A does, for want of a relapse, and I.B, for want of the purpose.
NESTED = [
    ("I", "fails", True),
    ("I.A", "fails", True),
    ("I.B", "fails", True),
]


@pytest.fixture(scope="module")
def refractory(kb: Repository, policy: Policy) -> Determination:
    """An example case under 2019-10, whose criterion I holds I.A and I.B."""
    path = policy.cases_folder / "refractory-leukemia-meets.ttl"
    (found,) = Run(kb, policy, "pyshifty", "2019-10").answers(CaseReader(kb).read(path.name, path))
    assert isinstance(found, Determination)
    return found


def test_a_criterion_within_another_has_its_value_and_reason(refractory: Determination) -> None:
    (indication,) = [result for result in refractory.criterion_results if result.criterion.notation == "I"]
    assert [(part.criterion.notation, part.value.value, part.decides) for part in indication.with_parts()] == NESTED
    assert [part.reason for part in indication.parts] == [
        "the disease is relapsed: fails",
        "raising donor chimerism is a purpose: fails",
    ]
    places = [result.criterion.notation for result in refractory.every_criterion]
    assert places == ["Scope", "I", "I.A", "I.B", "II.A", "II.B", "II.C"]


def test_the_text_shows_a_criterion_within_another_below_it(kb: Repository, refractory: Determination) -> None:
    output = flat(in_words(kb, refractory, explain=True))
    assert re.search(r"I\.A fails relapsed hematologic malignancy fails: the disease is relapsed - ", output)
    assert re.search(r"I\.B fails mixed to full donor chimerism fails: raising donor chimerism is a purpose - ", output)
    assert "- I.A: Policy/Criteria, I.A" in output
    assert re.search(
        r"- the disease is relapsed: fails\. [^(]+\([^(]+\), 34 days before\. \(Read by I; I\.A\.\)", output
    )


def test_the_json_of_a_criterion_holds_those_within_it(kb: Repository, refractory: Determination) -> None:
    (content,) = json.loads(as_json.answers(kb, [refractory], [], False))["determinations"]
    (indication,) = [result for result in content["criterionResults"] if result["place"] == "I"]
    found = [(result["place"], result["value"], result["decides"]) for result in (indication, *indication["parts"])]
    assert found == NESTED
    assert [result["role"] for result in indication["parts"]] == ["part", "part"]
    assert [result["criterion"].removeprefix(CRITERION) for result in indication["parts"]] == [
        "relapsed-malignancy",
        "chimerism-conversion",
    ]


def test_the_turtle_gives_the_value_of_a_criterion_within_another_and_says_within_which(
    kb: Repository, refractory: Determination
) -> None:
    graph = Graph().parse(data=turtle.answers(kb, [refractory], [], False), format="turtle")
    found = {
        (
            str(graph.value(value, SKOS.notation)),
            str(graph.value(value, CASE.value)).removeprefix(str(POL)).lower(),
            str(graph.value(value, CASE.decides)) == "true",
        )
        for value in graph.objects(None, CASE.criterionValue)
    }
    assert set(NESTED) <= found
    assert {str(criterion).removeprefix(CRITERION) for criterion in graph.subjects(DCTERMS.isPartOf)} == {
        "relapsed-malignancy",
        "chimerism-conversion",
    }
    assert set(graph.objects(None, DCTERMS.isPartOf)) == {URIRef(CRITERION + "indication")}


def test_the_fhir_of_a_criterion_holds_those_within_it(kb: Repository, refractory: Determination) -> None:
    bundle = json.loads(fhir.answers(kb, [refractory], [], False))
    parameters = bundle["entry"][0]["resource"]["contained"][0]["parameter"]

    def parts_of(parameter: dict[str, Any]) -> dict[str, Any]:
        return {part["name"]: part for part in parameter["part"]}

    (indication,) = [
        parameter
        for parameter in parameters
        if parameter["name"] == "criterionResult" and parts_of(parameter)["place"]["valueString"] == "I"
    ]
    within = [part for part in indication["part"] if part["name"] == "criterionResult"]
    found = [
        (
            parts_of(parameter)["place"]["valueString"],
            parts_of(parameter)["value"]["valueCoding"]["code"].lower(),
            parts_of(parameter)["decides"]["valueBoolean"],
        )
        for parameter in (indication, *within)
    ]
    assert found == NESTED


def test_junit_names_the_criteria_within_one_that_decides(kb: Repository, refractory: Determination) -> None:
    (failure,) = ElementTree.fromstring(junit.answers(kb, [refractory], [], False)).iter("failure")
    assert failure.get("message") == (
        "CriteriaNotMet: I fails (the disease is relapsed: fails; raising donor chimerism is a purpose: fails); "
        "I.A fails (the disease is relapsed: fails); I.B fails (raising donor chimerism is a purpose: fails); "
        "II.A holds (everything that criterion I does not cover)"
    )


def test_of_the_criteria_within_one_that_holds_only_those_that_hold_decide(kb: Repository, policy: Policy) -> None:
    path = policy.cases_folder / "relapsed-and-refractory-myeloma-meets.ttl"
    (found,) = Run(kb, policy, "pyshifty", "2019-10").answers(CaseReader(kb).read(path.name, path))
    assert isinstance(found, Determination)
    (indication,) = [result for result in found.criterion_results if result.criterion.notation == "I"]
    assert [(part.criterion.notation, part.value.value, part.decides) for part in indication.with_parts()] == [
        ("I", "holds", True),
        ("I.A", "holds", True),
        ("I.B", "fails", False),
    ]
