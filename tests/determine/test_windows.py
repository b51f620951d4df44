"""Windows (pol:within): what is older counts neither for a condition nor against it, on whichever way it is decided."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pyoxigraph as ox
import pytest
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, XSD
from wn3 import WCOND, cases_of, gvhd, line, mrd, revision_of

from kb_tools.batch.rows import RowMaker, values_of
from kb_tools.cases.ages import AGES, aged, ages, months_before
from kb_tools.cases.case import Malformed
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.form import CaseForms
from kb_tools.cases.prepare import prepared
from kb_tools.checks.conditions import conditions as check_conditions
from kb_tools.determine.ages_seen import AgesSeen
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.certainty import copy_of
from kb_tools.model.history import Selection
from kb_tools.model.logic import Value
from kb_tools.model.repository import AGE_RULES, Repository
from kb_tools.model.revision import Revision
from kb_tools.model.windows import DamagedWindow, UnreadableWindow, Window, asking, window_of
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import BASE, CASE, COND, POL, SH, SHAPE
from kb_tools.rdf.terms import Triple, graph_of, to_quads
from kb_tools.render.questionnaire import questionnaire
from kb_tools.revisions.compare import compare
from kb_tools.revisions.entailments import conditions_of, groups_of, ties_of
from kb_tools.revisions.reach import reached

MRD_6, MRD_12 = WCOND["mrd-is-detected-within-6-months"], WCOND["mrd-is-detected-within-12-months"]
GVHD = WCOND["acute-gvhd-of-grade-2-or-higher-within-30-days"]
HOLDS, FAILS, UNKNOWN, CONFLICTING = Value.HOLDS, Value.FAILS, Value.UNKNOWN, Value.CONFLICTING

# ---------------------------------------------------------------------- how old a finding is

# Days, whole months, and months within which it lies.
_AGES = {
    # The day itself, and a day each side of one month.
    ("2026-07-01", "2026-07-01"): (0, 0, 0),
    ("2026-06-30", "2026-07-01"): (1, 0, 1),
    ("2026-06-02", "2026-07-01"): (29, 0, 1),
    ("2026-06-01", "2026-07-01"): (30, 1, 1),
    ("2026-05-31", "2026-07-01"): (31, 1, 2),
    # Six months before the last of August is the last of February, in a leap year and in another.
    ("2024-03-01", "2024-08-31"): (183, 5, 6),
    ("2024-02-29", "2024-08-31"): (184, 6, 6),
    ("2024-02-28", "2024-08-31"): (185, 6, 7),
    ("2025-02-28", "2025-08-31"): (184, 6, 6),
    ("2025-02-27", "2025-08-31"): (185, 6, 7),
    # From a shorter month, the same number in a longer one: its last days are within.
    ("2025-08-31", "2026-02-28"): (181, 5, 6),
    ("2025-08-28", "2026-02-28"): (184, 6, 6),
    ("2025-08-27", "2026-02-28"): (185, 6, 7),
    # A leap day, and a year from one.
    ("2023-02-28", "2024-02-29"): (366, 12, 12),
    ("2023-03-01", "2024-02-29"): (365, 11, 12),
    ("2024-02-29", "2025-02-28"): (365, 11, 12),
    ("2024-02-28", "2025-02-28"): (366, 12, 12),
    ("2020-02-29", "2024-02-29"): (1461, 48, 48),
    # A century without a leap day, and one with it.
    ("1900-02-28", "1900-03-31"): (31, 1, 1),
    ("2000-02-29", "2000-03-31"): (31, 1, 1),
}


@pytest.mark.parametrize(("dates", "wanted"), _AGES.items())
def test_the_age_of_a_finding_is_in_days_and_calendar_months(
    dates: tuple[str, str], wanted: tuple[int, int, int]
) -> None:
    assert ages(*map(date.fromisoformat, dates)) == wanted


def days_around(service: date) -> Iterator[date]:
    yield from (service - timedelta(days) for days in range(400))


def test_an_age_in_months_is_by_the_day_so_many_months_before() -> None:
    for service in map(date.fromisoformat, ("2024-08-31", "2024-02-29", "2025-03-01", "2023-12-31", "2026-07-15")):
        for day in days_around(service):
            _, whole, within = ages(day, service)
            assert months_before(service, whole + 1) < day <= months_before(service, whole)
            assert day >= months_before(service, within)
            assert within == 0 or day < months_before(service, within - 1)


def one_finding_each(pairs: list[tuple[str, str]]) -> Iterator[Triple]:
    for number, (day, service) in enumerate(pairs):
        case, request, finding = (URIRef(f"urn:{name}:{number}") for name in ("case", "request", "finding"))
        yield case, RDF.type, CASE.Case
        yield case, CASE.request, request
        yield case, CASE.finding, finding
        yield request, CASE.serviceDate, Literal(service, datatype=XSD.date)
        yield finding, CASE.date, Literal(day, datatype=XSD.date)


def test_the_rule_of_the_shapes_gives_the_same_ages(kb: Repository) -> None:
    services = ("2024-08-31", "2024-02-29", "2025-02-28", "2025-03-01", "2023-12-31", "2000-03-31", "1900-03-31")
    pairs = [(day.isoformat(), service) for service in services for day in days_around(date.fromisoformat(service))]
    # What is dated after the service has no age.
    pairs.append(("2024-09-01", "2024-08-31"))
    rule = str(kb.graph([kb.root / AGE_RULES]).value(SHAPE.FindingAges, SH.construct))
    store = ox.Store()
    store.bulk_extend(to_quads(one_finding_each(pairs)))
    found = store.query(rule, prefixes=kb.prefixes)
    assert isinstance(found, ox.QueryTriples)
    wanted = {
        (f"urn:finding:{number}", str(property_), str(age))
        for number, (day, service) in enumerate(pairs)
        if day <= service
        for property_, age in zip(AGES, ages(date.fromisoformat(day), date.fromisoformat(service)), strict=True)
    }
    assert {(one.subject.value, one.predicate.value, one.object.value) for one in found} == wanted


def test_an_engine_that_loses_brackets_gives_the_same_ages(kb: Repository) -> None:
    shifty = pytest.importorskip("shifty")
    services = map(date.fromisoformat, ("2024-08-31", "2024-02-29", "2025-03-01"))
    pairs = [(service - timedelta(days), service) for service in services for days in range(0, 400, 3)]
    data = graph_of(one_finding_each([(day.isoformat(), service.isoformat()) for day, service in pairs]))
    found = shifty.infer(data, kb.graph([kb.root / AGE_RULES, kb.root / "ontology/prefixes.ttl"])).graph()
    for number, (day, service) in enumerate(pairs):
        of_finding = [found.value(URIRef(f"urn:finding:{number}"), property_) for property_ in AGES]
        assert tuple(int(str(age)) for age in of_finding) == ages(day, service)


@pytest.mark.parametrize(
    ("text", "months", "days", "words"),
    [
        ("P6M", 6, 0, "6 months"),
        ("P1M", 1, 0, "1 month"),
        ("P2Y", 24, 0, "2 years"),
        ("P12M", 12, 0, "1 year"),
        ("P1Y6M", 18, 0, "18 months"),
        ("P30D", 0, 30, "30 days"),
        ("P1D", 0, 1, "1 day"),
    ],
)
def test_a_window_is_of_months_or_of_days(text: str, months: int, days: int, words: str) -> None:
    window = Window.parse(text)
    assert (window.months, window.days, window.words) == (months, days, words)


DAMAGED = ("PT5H", "six months", "-P6M", "P0M", "P0D", "P1M10D", "P", "P6", "6M", "P1.5M", "P06M", "", "P1Y0M", "P6M ")


@pytest.mark.parametrize("text", DAMAGED)
def test_what_is_no_window_is_none(text: str) -> None:
    with pytest.raises(DamagedWindow, match="is no window"):
        Window.parse(text)


# ---------------------------------------------------------------------- boundaries, on every way

# Of each service date: the first day of the window of 6 months and of the 30 days.
BOUNDARIES = {
    "2024-08-31": ("2024-02-29", "2024-08-01"),
    "2025-08-31": ("2025-02-28", "2025-08-01"),
    "2024-02-29": ("2023-08-29", "2024-01-30"),
    "2026-02-28": ("2025-08-28", "2026-01-29"),
    "2024-07-01": ("2024-01-01", "2024-06-01"),
}


def boundary_cases() -> Iterator[tuple[bytes, dict[str, Value]]]:
    """Findings of the day before each boundary, of it, and of the day after, and the values of the conditions."""
    for service, (months, days) in BOUNDARIES.items():
        for beyond in (-1, 0, 1):
            counts = beyond >= 0
            of_months, of_days = ((date.fromisoformat(day) + timedelta(beyond)).isoformat() for day in (months, days))
            for detected, grade in ((True, 3), (False, 1)):
                findings = (mrd(of_months, "MRDDetected" if detected else "MRDNotDetected"), gvhd(of_days, grade))
                value = (HOLDS if detected else FAILS) if counts else UNKNOWN
                yield line(service, *findings), {MRD_6: value, GVHD: value}


BOUNDARY_CASES = list(boundary_cases())
LINES = [text for text, _ in BOUNDARY_CASES]


def values(found: Determination) -> dict[str, Value]:
    return {iri: found.condition_results[iri].value for iri in map(str, (MRD_6, GVHD))}


@pytest.fixture(scope="module")
def answers(with_wn3: Repository) -> list[Determination]:
    """The boundary cases, determined one by one by the reference engine."""
    run = Run(with_wn3, with_wn3.policy("WN.3"), "pyshacl", "2024-01")
    found = [answer for answer in run.answers(cases_of(with_wn3, LINES)) if isinstance(answer, Determination)]
    assert len(found) == len(LINES) == 30
    return found


def test_a_finding_counts_from_the_first_day_of_the_window_on(answers: list[Determination]) -> None:
    for found, (_, wanted) in zip(answers, BOUNDARY_CASES, strict=True):
        assert values(found) == {str(iri): value for iri, value in wanted.items()}, found.case.about


def test_by_pieces_and_by_rows_the_values_are_the_same(with_wn3: Repository, answers: list[Determination]) -> None:
    policy = with_wn3.policy("WN.3")
    run = Run(with_wn3, policy, "pyshifty", "2024-01", by_pieces=True)
    run.begin_pieces()
    again = [answer for answer in run.answers(cases_of(with_wn3, LINES)) if isinstance(answer, Determination)]
    assert [answer.to_dict() for answer in again] == [answer.to_dict() for answer in answers]
    maker = RowMaker(Run(with_wn3, policy, "pyshifty", "2024-01"))
    assert maker.local
    order = [condition.iri for condition in maker.sight(Selection(policy.entry("2024-01"), ())).conditions]
    for _ in range(2):
        for row, found in zip(maker.of_lines(LINES), answers, strict=True):
            assert row.outcome == found.outcome.value
            assert dict(zip(order, (values_of(code)[0] for code in row.values), strict=True)) == {
                iri: result.value.value for iri, result in found.condition_results.items()
            }


OUTCOMES = {"CriteriaNotMet": "CriteriaNotMet", "InformationNeeded": "Undetermined", "CriteriaMet": ""}


def named(results: list[shacl.ShaclResult], case: str) -> str:
    found = [result.shape.removeprefix(f"{BASE}WN.3/2024-01/outcome/") for result in results if result.focus == case]
    assert len(found) < 2, results
    return found[0] if found else ""


@pytest.fixture(scope="module")
def exported(with_wn3: Repository) -> Graph:
    return self_contained(with_wn3, revision_of(with_wn3, "2024-01"))


@pytest.mark.parametrize("engine", ["pyshifty", "shacl"])
def test_the_exported_shapes_give_every_boundary_case_its_outcome(
    with_wn3: Repository, exported: Graph, answers: list[Determination], engine: str
) -> None:
    cases = [answer.case for answer in answers]
    rules = engine == "pyshifty"
    data = prepared(with_wn3, cases if rules else list(map(aged, cases)), derived=not rules)
    results = shacl.validate(data, graph_of(exported), engine, rules=rules)
    outcomes = [named(results, answer.case.iri) for answer in answers]
    assert outcomes == [OUTCOMES[answer.outcome.value] for answer in answers]
    assert set(outcomes) == {"CriteriaNotMet", "Undetermined"}


@pytest.mark.extended
def test_the_reference_gives_exported_shapes_the_same(
    with_wn3: Repository, exported: Graph, answers: list[Determination]
) -> None:
    some = answers[::6]
    data = prepared(with_wn3, [aged(answer.case) for answer in some])
    results = shacl.validate(data, graph_of(exported), "pyshacl")
    assert [named(results, answer.case.iri) for answer in some] == [OUTCOMES[answer.outcome.value] for answer in some]
    # By the rules of the graph, each of which takes its time there: a case on the boundary, and one of the day before.
    data = prepared(with_wn3, [answers[0].case, answers[2].case], derived=False)
    results = shacl.validate(data, graph_of(exported), "pyshacl", rules=True)
    assert [named(results, answers[place].case.iri) for place in (0, 2)] == ["Undetermined", "CriteriaNotMet"]


def test_without_ages_the_exported_shapes_call_a_case_malformed(
    with_wn3: Repository, exported: Graph, answers: list[Determination]
) -> None:
    results = shacl.validate(prepared(with_wn3, [answers[0].case]), graph_of(exported), "pyshifty")
    assert {str(SHAPE["AgesOfFindings-current"])} <= {result.shape for result in results}


def test_a_revision_without_windows_exports_no_ages(kb: Repository) -> None:
    policy = kb.policy("CP.MP.101")
    exported = self_contained(kb, Revision.load(policy, policy.entry("2026-02")))
    assert not {SHAPE.FindingAges, *AGES} & {node for triple in exported for node in triple}
    assert not any("withinMonths" in str(node) for node in exported.objects(None, SH.construct))


# ---------------------------------------------------------------------- what does not count


def determined(kb: Repository, revision: str, *lines: bytes) -> list[Determination]:
    run = Run(kb, kb.policy("WN.3"), "pyshifty", revision)
    return [found for found in run.answers(cases_of(kb, lines)) if isinstance(found, Determination)]


def test_what_is_older_speaks_neither_for_a_condition_nor_against_it(with_wn3: Repository) -> None:
    old, new = "2024-01-15", "2024-08-01"
    flow, pcr = {"method": "FlowCytometry"}, {"method": "PolymeraseChainReaction"}
    # Of two tests by different methods both are current.
    table = [
        ((mrd(old, "MRDDetected", **flow), mrd(new, "MRDNotDetected", **pcr)), (FAILS, HOLDS)),
        ((mrd(old, "MRDNotDetected", **flow), mrd(new, "MRDDetected", **pcr)), (HOLDS, HOLDS)),
        ((mrd(old, "MRDNotDetected", **flow),), (UNKNOWN, FAILS)),
        # The test of one method is superseded, and an older one never counts again because of a window.
        ((mrd(old, "MRDDetected", **flow), mrd(new, "MRDNotDetected", **flow)), (FAILS, FAILS)),
        # Two of one day contradict each other, within the window and beyond it.
        ((mrd(old, "MRDDetected", **flow), mrd(old, "MRDNotDetected", **flow)), (UNKNOWN, CONFLICTING)),
        ((mrd(new, "MRDDetected", **flow), mrd(new, "MRDNotDetected", **flow)), (CONFLICTING, CONFLICTING)),
        # A doubt within the window keeps a condition open, and none beyond it.
        ((mrd(old, "MRDDetected", **flow, inDoubt="unread"), mrd(new, "MRDNotDetected", **pcr)), (FAILS, UNKNOWN)),
        ((mrd(new, "MRDDetected", **flow, inDoubt="unread"),), (UNKNOWN, UNKNOWN)),
    ]  # fmt: skip
    lines = [line("2024-08-31", *findings) for findings, _ in table]
    by_revision = [determined(with_wn3, revision, *lines) for revision in ("2024-01", "2025-01")]
    for (findings, wanted), *answers in zip(table, *by_revision, strict=True):
        results = [answer.condition_results for answer in answers]
        assert tuple(results[place][str(iri)].value for place, iri in enumerate((MRD_6, MRD_12))) == wanted, findings


def test_the_answer_says_how_old_a_finding_is_and_asks_for_one_within_the_window(with_wn3: Repository) -> None:
    (found,) = determined(with_wn3, "2024-01", line("2024-08-31", mrd("2024-02-28"), gvhd("2024-08-31", 0)))
    old = "the MRD test of 2024-02-28 is older than 6 months before the service date, 2024-08-31"
    assert found.because == (
        f"indication 1 is open: the case states no relapse risk assessment, and no MRD test that counts ({old})"
    )
    result = found.condition_results[str(MRD_6)]
    assert result.facts == ()
    asked = "A test for minimal residual disease, with its date, dated within the 6 months before the service date."
    assert result.condition.asks_for == asked
    form = questionnaire(CaseForms(with_wn3), found)
    assert form is not None
    assert asked.rstrip(".") in str(form)


def test_the_page_of_a_condition_asks_for_the_same(with_wn3: Repository) -> None:
    stated = str(with_wn3.conditions.value(MRD_6, POL.asksFor))
    asked = asking(stated, window_of(with_wn3.conditions, MRD_6))
    assert asked == revision_of(with_wn3, "2024-01").conditions[str(MRD_6)].asks_for
    assert window_of(with_stated(with_wn3, "PT5H").conditions, GVHD) is None
    assert asking(stated, None) == stated


def test_the_facts_of_a_condition_are_those_within_its_window(with_wn3: Repository) -> None:
    flow, pcr = {"method": "FlowCytometry"}, {"method": "PolymeraseChainReaction"}
    text = line("2024-08-31", mrd("2024-01-15", "MRDNotDetected", **flow), mrd("2024-08-01", **pcr))
    (found,) = determined(with_wn3, "2024-01", text)
    assert [str(fact.day) for fact in found.condition_results[str(MRD_6)].facts] == ["2024-08-01"]


def test_a_case_states_no_age(with_wn3: Repository) -> None:
    (case,) = cases_of(with_wn3, [line("2024-08-31", mrd("2024-08-01"))])
    (checked,) = CaseChecker(with_wn3, "pyshifty").check([aged(case)])
    assert isinstance(checked, Malformed)
    assert {violation.path for violation in checked.violations} >= {
        "case:daysBefore",
        "case:monthsBefore",
        "case:withinMonths",
    }


def test_one_age_stands_for_all_between_the_same_limits(with_wn3: Repository) -> None:
    conditions = revision_of(with_wn3, "2024-01").conditions
    seen = AgesSeen(with_wn3.evaluated, [conditions[str(MRD_6)]])
    assert seen.properties == (CASE.withinMonths,)
    looks = {seen.of(day.isoformat(), "2024-08-31") for day in days_around(date(2024, 8, 31))}
    assert looks == {((CASE.withinMonths, Literal(age)),) for age in (0, 6, 7)}
    assert AgesSeen(with_wn3.evaluated, [conditions[str(COND["service-is-dli"])]]).properties == ()


# ---------------------------------------------------------------------- windows and other conditions


def ties(kb: Repository) -> set[tuple[str, Value, str, Value]]:
    mine = [one for one in conditions_of(kb) if re.search("within-[0-9]|2-or-higher$", one.iri)]
    found = ties_of(groups_of(kb, mine, "pyshifty"))
    return {(tie.one.rpartition("#")[2], tie.value, tie.other.rpartition("#")[2], tie.then) for tie in found}


def test_a_shorter_window_entails_a_longer_one_and_a_window_entails_none(with_wn3: Repository) -> None:
    assert ties(with_wn3) == {
        ("mrd-is-detected-within-6-months", HOLDS, "mrd-is-detected-within-12-months", HOLDS),
        ("acute-gvhd-of-grade-2-or-higher-within-30-days", HOLDS, "acute-gvhd-of-grade-2-or-higher", HOLDS),
        ("acute-gvhd-of-grade-2-or-higher-within-30-days", FAILS, "acute-gvhd-of-grade-2-or-higher", FAILS),
    }


def test_days_and_months_are_compared_as_the_calendar_has_them(with_wn3: Repository) -> None:
    six, twelve = "mrd-is-detected-within-6-months", "mrd-is-detected-within-12-months"
    # 59 days reach back as far as two months where these are January and February, and never further.
    for days, entails in (("P59D", True), ("P60D", False)):
        other = Repository(with_wn3.root)
        for condition, window in ((MRD_6, days), (MRD_12, "P2M")):
            other.conditions.set((condition, POL.within, Literal(window, datatype=XSD.duration, normalize=False)))
        assert ((six, HOLDS, twelve, HOLDS) in ties(other)) is entails


def test_a_longer_window_is_looser_and_a_case_shows_it(with_wn3: Repository) -> None:
    found = compare(with_wn3.policy("WN.3"), "2024-01", "2025-01", "pyshifty")
    assert found.verdict is not None
    assert found.verdict.direction.value == "looser"


def test_only_a_revision_with_windows_reaches_the_rule_of_ages(with_wn3: Repository) -> None:
    policy = with_wn3.policy("WN.3")
    layer = "case-shapes-and-derivation"
    for entry in policy.history:
        subjects = {triple[0] for triple in reached(with_wn3, policy, entry)[layer]}
        assert {SHAPE.FindingAges, SHAPE.AgesOfFindings} <= subjects
    other = with_wn3.policy("CP.MP.101")
    for entry in other.history:
        assert SHAPE.FindingAges not in {triple[0] for triple in reached(with_wn3, other, entry)[layer]}


# ---------------------------------------------------------------------- what is no window


def with_stated(kb: Repository, *windows: str) -> Repository:
    """The knowledge base with other windows stated of the condition on GvHD."""
    other = Repository(kb.root)
    other.conditions.remove((GVHD, POL.within, None))
    for window in windows:
        other.conditions.add((GVHD, POL.within, Literal(window, datatype=XSD.duration, normalize=False)))
    return other


def messages(kb: Repository) -> list[str]:
    """What the shape of windows says of the conditions."""
    file, shapes = kb.graph([kb.root / "shapes/policy.ttl"]), graph_of(())
    for shape in (SHAPE["Condition-within"], SHAPE.Window):
        copy_of(shape, file, shapes)
    for triple in (
        (SHAPE.Condition, RDF.type, SH.NodeShape),
        (SHAPE.Condition, SH.targetClass, POL.Condition),
        (SHAPE.Condition, SH.property, SHAPE["Condition-within"]),
    ):
        assert triple in file
        shapes.add(triple)
    return [result.message for result in shacl.validate(kb.conditions, shapes, "pyshacl")]


def test_what_is_no_window_is_one_line_of_the_check(with_wn3: Repository) -> None:
    assert messages(with_wn3) == []
    for text in DAMAGED:
        (found,) = messages(with_stated(with_wn3, text))
        assert found == (
            "Give at most one pol:within, an xsd:duration of whole years and months, or of whole days, "
            'and more than none: "P6M", "P1Y", "P30D".'
        )
    assert len(messages(with_stated(with_wn3, "P30D", "P60D"))) == 1


@pytest.mark.parametrize(
    ("stated", "what"),
    [
        (("P99999Y",), "'P99999Y' is longer than 120 years, so every finding counts; correct it, or state no"),
        (("P44000D",), "'P44000D' is longer than 120 years, so every finding counts"),
        (("PT5H",), "'PT5H' is no window; give whole years and months, or whole days"),
        (("six months",), "'six months' is no window; give whole years and months, or whole days"),
        (("P30D", "P60D"), "P30D and P60D are 2 windows; state one"),
    ],
)
def test_what_is_no_window_stops_no_other_revision(with_wn3: Repository, stated: tuple[str, ...], what: str) -> None:
    kb = with_stated(with_wn3, *stated)
    with pytest.raises(KnowledgeBaseError) as refused:
        determined(kb, "2024-01", LINES[0])
    assert f"wcond:acute-gvhd-of-grade-2-or-higher-within-30-days pol:within {what}" in str(refused.value)
    assert "\n" not in str(refused.value)
    (answer,) = Run(kb, kb.policy("CP.MP.101"), "pyshifty", "2026-02").answers(cases_of(kb, LINES[:1]))
    assert isinstance(answer, Determination)


def test_a_window_that_is_a_text_is_refused_and_its_condition_has_no_shapes(with_wn3: Repository) -> None:
    kb = Repository(with_wn3.root)
    kb.conditions.set((GVHD, POL.within, Literal("P30D")))
    with pytest.raises(UnreadableWindow) as refused:
        determined(kb, "2024-01", LINES[0])
    assert str(refused.value) == (
        f"{kb.root}/policies/WN.3/shapes/conditions/windows.ttl: "
        "wcond:acute-gvhd-of-grade-2-or-higher-within-30-days pol:within "
        '"P30D" is a text and no duration; write "P30D"^^xsd:duration'
    )
    assert (GVHD, POL.holdsWhen, None) not in kb.evaluated


def test_a_window_on_what_has_no_date_is_a_problem(with_wn3: Repository) -> None:
    kb = Repository(with_wn3.root)
    kb.conditions.add((COND["service-is-dli"], POL.within, Literal("P30D", datatype=XSD.duration)))
    assert [problem.message for problem in check_conditions(kb)] == [
        "states pol:within, but counts no findings; remove it"
    ]
