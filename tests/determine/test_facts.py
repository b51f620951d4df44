"""The facts that a condition read, in words: what each states, why it is in doubt, and what settles the doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pytest
from strategies import VOCABULARY, Finding, Picture, read

from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.determine.evaluate import Evaluator
from kb_tools.determine.facts import Doubt, Fact, facts_in_words
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import CASE, COND

DAY = date(2026, 7, 1)
PLAIN = Picture(service_date=DAY, reason="clin:AcuteMyeloidLeukemia")
RELAPSED, MRD, GRADE = (
    "disease-relapsed-refractory-or-progressing",
    "mrd-is-detected",
    "acute-gvhd-of-grade-2-or-higher",
)


@cache
def checker() -> CaseChecker:
    return CaseChecker(VOCABULARY, "pyshifty")


@cache
def evaluator() -> Evaluator:
    policy = VOCABULARY.policy()
    revision = Revision.load(policy, policy.entry("2026-02"))
    return Evaluator(VOCABULARY, revision.conditions.values(), "pyshifty")


def facts_of(picture: Picture, condition: str) -> list[Fact]:
    """The facts that a condition of 2026-02 reads of a case."""
    (case,) = checker().check(read([picture]))
    assert isinstance(case, Case)
    (found,) = evaluator().evaluate([case])
    return list(facts_in_words(VOCABULARY, case, found[COND + condition].facts))


def doubts_of(condition: str, *findings: Finding, reason: str = "AcuteMyeloidLeukemia") -> dict[str, tuple[Doubt, ...]]:
    """The doubts about each fact, by what this states."""
    picture = replace(PLAIN, reason=f"clin:{reason}", findings=findings)
    return {fact.text: fact.doubts for fact in facts_of(picture, condition)}


def day(text: str) -> date:
    return date.fromisoformat(text)


def transplant(on: str, source: str = "") -> Finding:
    return Finding("clin:Transplant", day(on), (("clin:graftSource", f"clin:{source}"),) if source else ())


def status(on: str, disease: str, value: str = "Relapsed", *more: tuple[str, str]) -> Finding:
    stated = (("clin:disease", f"clin:{disease}"), ("clin:diseaseStatus", f"clin:{value}"))
    return Finding("clin:DiseaseStatusAssessment", day(on), (*stated, *more))


def mrd(on: str, method: str = "", result: str = "MRDDetected", *more: tuple[str, str]) -> Finding:
    key = (("clin:method", f"clin:{method}"),) if method else ()
    return Finding("clin:MRDTest", day(on), (*key, ("clin:mrdResult", f"clin:{result}"), *more))


def grade(on: str, number: int, *more: tuple[str, str]) -> Finding:
    return Finding("clin:AcuteGvHDAssessment", day(on), (("clin:grade", str(number)), *more))


def in_doubt(reason: str) -> tuple[str, str]:
    return "case:inDoubt", f'"{reason}"'


# ---------------------------------------------------------------------- what is stated


def test_what_counts_is_in_no_doubt() -> None:
    assert doubts_of(RELAPSED, status("2026-06-01", "AcuteMyeloidLeukemia")) == {
        "disease status assessment: disease acute myeloid leukemia, disease status relapsed "
        "(2026-06-01, chart evidence)": ()
    }


def test_a_fact_says_what_the_finding_states_and_neither_its_doubt_nor_what_is_derived_of_it() -> None:
    noted = status("2026-06-01", "Leukemia", "Relapsed", in_doubt("A newer note could not be read."))
    (fact,) = facts_of(replace(PLAIN, findings=(noted, transplant("2026-06-10"))), RELAPSED)
    assert fact.text == (
        "disease status assessment: disease leukemia, disease status relapsed (2026-06-01, chart evidence)"
    )
    assert (fact.node, fact.day, fact.age, fact.contradicted) == (
        "https://example.org/case0#finding0",
        day("2026-06-01"),
        30,
        False,
    )
    # Each doubt by its own rule, in this order.
    assert [doubt.rule for doubt in fact.doubts] == ["mayBeBefore", "mayNotBeOf", "inDoubt"]


def test_facts_come_latest_first_those_of_one_day_by_what_they_state_and_statements_last() -> None:
    both = (grade("2026-06-01", 3), grade("2026-06-01", 1))
    facts = facts_of(replace(PLAIN, findings=both), GRADE)
    assert [(fact.text[:31], fact.contradicted) for fact in facts] == [
        ("acute GvHD assessment: grade 1 ", True),
        ("acute GvHD assessment: grade 3 ", True),
    ]
    tests = (mrd("2026-06-01", "FlowCytometry"), mrd("2026-06-03", "NextGenerationSequencing"), mrd("2026-06-02"))
    assert [fact.day for fact in facts_of(replace(PLAIN, findings=tests), MRD)] == [
        day("2026-06-03"),
        day("2026-06-02"),
        day("2026-06-01"),
    ]
    (reason,) = facts_of(PLAIN, "reason-is-hematologic-malignancy")
    said = Fact("https://example.org/case0#request", "reason: acute myeloid leukemia", None, None, False, ())
    assert reason == replace(said, of=str(CASE.reason))


# ---------------------------------------------------------------------- why a finding is in doubt, and what settles it


def test_a_later_transplant_of_unstated_source_is_asked_for_its_source_or_a_newer_finding() -> None:
    ((doubt,),) = doubts_of(GRADE, grade("2026-06-01", 3), transplant("2026-06-10")).values()
    assert doubt == Doubt(
        "mayBeBefore",
        "the graft source of the later transplant of 2026-06-10 is not stated; "
        "if it was allogeneic, this finding is from before it and does not count",
        "the graft source of the transplant of 2026-06-10, or a newer acute GvHD assessment, dated 2026-06-10 or later",
    )


def test_what_is_newer_must_be_of_the_same_disease_method_or_lineage() -> None:
    ((doubt,),) = doubts_of(RELAPSED, status("2026-06-01", "AcuteMyeloidLeukemia"), transplant("2026-06-10")).values()
    assert doubt.settle == (
        "the graft source of the transplant of 2026-06-10, "
        "or a newer disease status assessment of the same disease, dated 2026-06-10 or later"
    )
    ((doubt,),) = doubts_of(MRD, mrd("2026-06-01", "FlowCytometry"), transplant("2026-06-10")).values()
    assert doubt.settle == (
        "the graft source of the transplant of 2026-06-10, "
        "or a newer MRD test of the same method, dated 2026-06-10 or later"
    )
    # Of which method this one was is not stated, so no method can be named.
    ((doubt,),) = doubts_of(MRD, mrd("2026-06-01"), transplant("2026-06-10")).values()
    assert doubt.settle == (
        "the graft source of the transplant of 2026-06-10, or a newer MRD test, dated 2026-06-10 or later"
    )


def test_a_later_transplant_from_an_identical_twin_is_asked_for_a_newer_finding_alone() -> None:
    ((doubt,),) = doubts_of(GRADE, grade("2026-06-01", 3), transplant("2026-06-10", "Syngeneic")).values()
    assert doubt == Doubt(
        "mayBeBefore",
        "the later transplant of 2026-06-10 was syngeneic; "
        "if that is taken as allogeneic, this finding is from before it and does not count",
        "a newer acute GvHD assessment, dated 2026-06-10 or later",
    )


def test_several_transplants_are_reported_in_the_order_of_their_days() -> None:
    found = (transplant("2026-06-20"), grade("2026-06-01", 3), transplant("2026-06-10", "Syngeneic"))
    ((one, two),) = doubts_of(GRADE, *found).values()
    assert "transplant of 2026-06-10 was syngeneic" in one.why
    assert "transplant of 2026-06-20 is not stated" in two.why


@pytest.mark.parametrize(
    ("older", "newer", "says", "settle"),
    [
        (
            "FlowCytometry",
            "",
            "MRD result not detected",
            "the method of the MRD test of 2026-06-02",
        ),
        (
            "",
            "FlowCytometry",
            "method flow cytometry, MRD result not detected",
            "the method of the MRD test of 2026-06-01",
        ),
        (
            "",
            "",
            "MRD result not detected",
            "the method of the MRD test of 2026-06-01 and that of 2026-06-02",
        ),
    ],
)
def test_a_key_that_is_not_stated_is_asked_for(older: str, newer: str, says: str, settle: str) -> None:
    found = doubts_of(MRD, mrd("2026-06-01", older), mrd("2026-06-02", newer, "MRDNotDetected"))
    assert list(found.values()) == [
        (),
        (
            Doubt(
                "mayBeSupersededBy",
                f"the MRD test of 2026-06-02 says otherwise ({says}) and may be of the same method",
                settle,
            ),
        ),
    ]


def test_keys_that_are_not_stated_of_two_findings_of_one_day_are_asked_for_in_one() -> None:
    found = doubts_of(MRD, mrd("2026-06-01"), mrd("2026-06-01", "", "MRDNotDetected"))
    assert [doubt for doubts in found.values() for doubt in doubts] == [
        Doubt(
            "mayBeSupersededBy",
            f"the MRD test of 2026-06-01 says otherwise (MRD result {result}) and may be of the same method",
            "the method of each MRD test of 2026-06-01",
        )
        for result in ("not detected", "detected")
    ]


def test_a_status_of_a_disease_that_may_be_the_one_treated_is_asked_for_that_disease() -> None:
    found = doubts_of(
        RELAPSED, status("2026-06-01", "AcuteMyeloidLeukemia"), status("2026-06-02", "Leukemia", "CompleteRemission")
    )
    assert list(found.values()) == [
        (
            Doubt(
                "mayNotBeOf",
                "leukemia may mean acute myeloid leukemia, the disease treated, or another disease",
                "the exact disease of the disease status assessment of 2026-06-02, "
                "or a later status of acute myeloid leukemia",
            ),
        ),
        (
            Doubt(
                "mayBeSupersededBy",
                "the disease status assessment of 2026-06-02 says otherwise "
                "(disease leukemia, disease status complete remission) and may be of the same disease",
                "the exact disease of the disease status assessment of 2026-06-01 and that of 2026-06-02, "
                "or a later status of acute myeloid leukemia",
            ),
        ),
    ]


def test_a_status_of_a_group_before_one_of_a_disease_in_it_is_asked_for_the_disease_of_both() -> None:
    found = doubts_of(
        RELAPSED,
        status("2026-06-01", "BCellNonHodgkinLymphoma"),
        status("2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        reason="NonHodgkinLymphoma",
    )
    assert [doubt.settle for doubts in found.values() for doubt in doubts] == [
        "the exact disease of the disease status assessment of 2026-06-01 and that of 2026-06-02, "
        "or a later status of non-Hodgkin lymphoma"
    ]


def test_a_doubt_that_is_stated_is_reported_in_its_own_words() -> None:
    noted = mrd("2026-06-12", "FlowCytometry", "MRDDetected", in_doubt("A newer report could not be read."))
    ((doubt,),) = doubts_of(MRD, noted).values()
    assert doubt == Doubt(
        "inDoubt",
        "stated to be in doubt: A newer report could not be read.",
        "confirmation that the MRD test of 2026-06-12 still stands, or a newer MRD test of the same method",
    )


def test_a_finding_that_shares_a_doubt_says_whose_it_is() -> None:
    found = doubts_of(
        GRADE, grade("2026-06-12", 1, in_doubt("A newer grade could not be read.")), grade("2026-06-12", 3)
    )
    settle = "confirmation that the acute GvHD assessment of 2026-06-12 still stands, or a newer acute GvHD assessment"
    assert list(found.values()) == [
        (Doubt("inDoubt", "stated to be in doubt: A newer grade could not be read.", settle),),
        (
            Doubt(
                "sharesDoubtOf",
                "another acute GvHD assessment of this day says otherwise (grade 1) "
                "and is stated to be in doubt: A newer grade could not be read.",
                settle,
            ),
        ),
    ]


def test_a_doubt_is_one_line_without_what_a_terminal_would_obey() -> None:
    noted = grade("2026-06-12", 1, in_doubt("one\\nline\\u001B[2J\\u202Eturned"))
    ((doubt,),) = doubts_of(GRADE, noted).values()
    assert doubt.why == "stated to be in doubt: one\N{REPLACEMENT CHARACTER}line\N{REPLACEMENT CHARACTER}[2J" + (
        "\N{REPLACEMENT CHARACTER}turned"
    )


@pytest.mark.parametrize(("days", "more", "whose"), [(3, 0, ""), (4, 1, "1 more finding"), (6, 3, "3 more findings")])
def test_of_many_findings_that_put_one_in_doubt_the_latest_three_are_reported_and_the_others_counted(
    days: int, more: int, whose: str
) -> None:
    newer = [mrd(f"2026-06-0{number}", "", "MRDNotDetected") for number in range(2, days + 2)]
    *_, doubts = doubts_of(MRD, mrd("2026-06-01", "FlowCytometry"), *newer).values()
    assert [doubt.settle for doubt in doubts[:3]] == [
        f"the method of the MRD test of 2026-06-0{number}" for number in range(days - 1, days + 2)
    ]
    assert doubts[3:] == (
        (
            Doubt(
                "mayBeSupersededBy",
                f"{whose} put it in doubt in the same way",
                f"the same for {whose} beside the MRD test of 2026-06-01",
            ),
        )
        if more
        else ()
    )


def test_facts_of_hundreds_of_findings_that_put_each_other_in_doubt_are_reported_in_a_line_each() -> None:
    results = ("MRDDetected", "MRDNotDetected")
    tests = [
        replace(mrd("2025-01-01", "", results[number % 2]), day=day("2025-01-01") + timedelta(number))
        for number in range(120)
    ]
    facts = facts_of(replace(PLAIN, findings=tuple(tests)), MRD)
    assert [len(fact.doubts) for fact in facts] == [0, 1, 1, 2, 2, 3, 3, *[4] * 113]


def test_the_order_of_facts_and_doubts_does_not_depend_on_the_names_of_the_findings() -> None:
    """Of three findings that say the same on one day, two are in doubt, each for its own reason."""
    same = grade("2026-06-12", 1)
    one, two = (replace(same, stated=(*same.stated, in_doubt(reason))) for reason in ("One.", "Two."))
    transplants = (transplant("2026-06-20"), transplant("2026-06-20", "Syngeneic"))
    expected = None
    for findings in ((same, one, two, *transplants), (two, one, same, *transplants[::-1])):
        facts = facts_of(replace(PLAIN, findings=findings), GRADE)
        found = [(fact.text, fact.doubts) for fact in facts]
        assert expected in (None, found)
        expected = found
    assert expected is not None
    assert [[doubt.rule for doubt in doubts] for _, doubts in expected] == [
        ["mayBeBefore", "mayBeBefore"],
        ["mayBeBefore", "mayBeBefore", "inDoubt"],
        ["mayBeBefore", "mayBeBefore", "inDoubt"],
    ]
    assert [doubts[-1].why[-4:] for _, doubts in expected[1:]] == ["One.", "Two."]


def test_a_doubt_that_two_transplants_of_one_day_give_is_reported_once() -> None:
    twice = (transplant("2026-06-20"), transplant("2026-06-20"))
    ((doubt,),) = doubts_of(GRADE, grade("2026-06-12", 1), *twice).values()
    assert doubt.rule == "mayBeBefore"
