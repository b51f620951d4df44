"""Which findings count: each situation, once, with those that count and perhaps count and how they stand to each other.

The rules are those of the design's section 3.4. Each row is held against what shapes/derivation.ttl derives
(tests/cases/test_derive.py), against kb_tools.cases.standing (tests/cases/test_standing.py), and against the oracle
(tests/cases/test_doubt.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from case_files import PREFIXES
from strategies import Finding, Picture, day_literal

SERVICE = date(2026, 7, 1)
AML = "AcuteMyeloidLeukemia"
NHL = "NonHodgkinLymphoma"

# Something that a finding of each class can state.
STATED = {
    "Transplant": "clin:graftSource clin:UnrelatedDonor",
    "DiseaseStatusAssessment": "clin:disease clin:AcuteMyeloidLeukemia ; clin:diseaseStatus clin:Relapsed",
    "MRDTest": "clin:method clin:FlowCytometry ; clin:mrdResult clin:MRDDetected",
    "RelapseRiskAssessment": "clin:relapseRisk clin:RaisedRelapseRisk",
    "ChimerismTest": "clin:lineage clin:TCells ; clin:donorPercent 95",
    "AcuteGvHDAssessment": "clin:grade 1",
    "ChronicGvHDAssessment": "clin:chronicSeverity clin:MildChronicGvHD",
    "EarlierInfusion": "clin:response clin:PositiveResponse",
    "StatedAbsence": "clin:absenceOf clin:EarlierInfusion",
}
# The rules of the design's section 3.4, class by class.
ALL_COUNT = {"Transplant", "StatedAbsence"}
SINCE_TRANSPLANT = {
    "DiseaseStatusAssessment",
    "MRDTest",
    "ChimerismTest",
    "AcuteGvHDAssessment",
    "ChronicGvHDAssessment",
}
STRICTLY_BEFORE = {"EarlierInfusion"}
NEVER_IN_DOUBT = {"Transplant", "EarlierInfusion"}
DOUBT = 'case:inDoubt "A newer resource could not be read." ; '


@dataclass(frozen=True)
class Named:
    """A finding, and what a situation calls it."""

    name: str
    finding: Finding

    def text(self) -> str:
        """The finding as Turtle."""
        stated = [("a", self.finding.kind), ("case:date", day_literal(self.finding.day))]
        pairs = [*stated, ("case:basis", self.finding.basis), *self.finding.stated]
        return f":{self.name} " + " ; ".join(f"{property_} {value}" for property_, value in pairs) + " ."


def finding(name: str, class_: str, day: str, properties: str | None = None) -> Named:
    """One finding; it states what its class can state, unless `properties` says what: "clin:grade 1 ; …"."""
    properties = STATED[class_] if properties is None else properties
    parts = [part.strip().partition(" ") for part in properties.split(" ; ") if part.strip()]
    return Named(
        name,
        Finding(f"clin:{class_}", date.fromisoformat(day), tuple((property_, value) for property_, _, value in parts)),
    )


@dataclass(frozen=True)
class Situation:
    """Some findings, those of them that count and that perhaps count, and how they stand to each other.

    Attributes:
        counts, perhaps: the names of the findings that do, in their order.
        links: what is derived of the findings, as "finding link target", but for case:differsFrom.
        differ: the pairs of findings that differ, one way.
        reason: the disease treated, a local name; "" where none is stated.
    """

    name: str
    findings: tuple[Named, ...]
    counts: str
    perhaps: str
    links: tuple[str, ...]
    differ: frozenset[tuple[str, str]]
    reason: str

    @property
    def picture(self) -> Picture:
        """The case as data."""
        reason = f"clin:{self.reason}" if self.reason else None
        return Picture(SERVICE, reason=reason, findings=tuple(named.finding for named in self.findings))

    @property
    def text(self) -> str:
        """The case as a file of Turtle."""
        reason = f"case:reason clin:{self.reason} ; " if self.reason else ""
        return "\n".join(
            [
                PREFIXES,
                ":case a case:Case ; case:patient :patient ; case:coverage :coverage ; case:request :request ;",
                f"case:finding {' , '.join(f':{named.name}' for named in self.findings)} .",
                ":coverage a case:Coverage .",
                f":request a case:Request ; {reason}case:serviceDate {day_literal(SERVICE)} .",
                *(named.text() for named in self.findings),
            ]
        )

    @property
    def all_links(self) -> list[str]:
        both = {pair for one, other in self.differ for pair in ((one, other), (other, one))}
        return sorted([*self.links, *(f"{one} differsFrom {other}" for one, other in both)])

    @property
    def contradicted(self) -> set[tuple[str, str]]:
        """Which findings contradict each other, in both directions."""
        links = (link.split() for link in self.links)
        return {(one, other) for one, link, other in links if link == "contradictedBy"}

    @property
    def latest(self) -> set[str]:
        """What is latest: all that counts or perhaps counts, and what is superseded."""
        superseded = {link.split()[0] for link in self.links if " supersededBy " in link}
        return {*self.counts.split(), *self.perhaps.split(), *superseded}


def situation(
    name: str,
    *findings: Named,
    counts: str = "",
    perhaps: str = "",
    links: str = "",
    contradict: str = "",
    differ: str = "",
    reason: str = AML,
) -> Situation:
    """A situation.

    Args:
        links: "a mayBeBefore t, b mayNotBeOf AcuteMyeloidLeukemia".
        contradict, differ: pairs, "a-b a-c"; those that contradict each other differ, and so do those of which one
            may take the place of the other or shares its doubt, without saying so here.
    """
    written = [link.strip() for link in links.split(",") if link.strip()]
    pairs = [(one, other) for one, _, other in (pair.partition("-") for pair in contradict.split())]
    for one, other in pairs:
        written += [f"{one} contradictedBy {other}", f"{other} contradictedBy {one}"]
    differing = [(one, other) for one, _, other in (pair.partition("-") for pair in differ.split())]
    differing += [
        (one, other)
        for one, link, other in (text.split() for text in written)
        if link in ("contradictedBy", "mayBeSupersededBy", "sharesDoubtOf")
    ]
    return Situation(
        name, findings, counts, perhaps, tuple(written), frozenset((min(a, b), max(a, b)) for a, b in differing), reason
    )


def status(name: str, day: str, disease: str, state: str = "Relapsed", doubt: str = "") -> Named:
    stated = f"{doubt}clin:disease clin:{disease} ; clin:diseaseStatus clin:{state}"
    return finding(name, "DiseaseStatusAssessment", day, stated)


def graft(name: str, day: str, source: str) -> Named:
    return finding(name, "Transplant", day, f"clin:graftSource clin:{source}" if source else "")


def mrd(name: str, day: str, method: str, result: str = "MRDDetected", doubt: str = "") -> Named:
    key = doubt + (f"clin:method clin:{method} ; " if method else "")
    return finding(name, "MRDTest", day, f"{key}clin:mrdResult clin:{result}" if result else key)


def share(name: str, day: str, lineage: str, percent: str = "clin:donorPercent 95") -> Named:
    return finding(name, "ChimerismTest", day, (f"clin:lineage clin:{lineage} ; " if lineage else "") + percent)


def grade(name: str, properties: str) -> Named:
    return finding(name, "AcuteGvHDAssessment", "2026-06-01", properties)


def absence(name: str, day: str, of: str) -> Named:
    return finding(name, "StatedAbsence", day, f"clin:absenceOf clin:{of}")


def by_class() -> list[Situation]:
    """The rules that every class of findings follows in its own way."""
    every: list[Situation] = []
    for class_, stated in STATED.items():
        kept = "" if class_ in STRICTLY_BEFORE else "a"
        every += [
            situation(f"{class_} before the service date", finding("a", class_, "2026-06-30"), counts="a"),
            situation(f"{class_} on the service date", finding("a", class_, "2026-07-01"), counts=kept),
            situation(f"{class_} after the service date", finding("a", class_, "2026-07-02"), counts=""),
            situation(
                f"{class_} of two days",
                finding("a", class_, "2026-06-01"),
                finding("b", class_, "2026-06-15"),
                counts="a b" if class_ in ALL_COUNT else "b",
            ),
            situation(
                f"{class_} twice on one day with one value",
                finding("a", class_, "2026-06-15"),
                finding("b", class_, "2026-06-15"),
                counts="a b",
            ),
            situation(
                f"{class_} of which the later is after the service date",
                finding("a", class_, "2026-06-15"),
                finding("b", class_, "2026-07-02"),
                counts="a",
            ),
        ]
        if class_ != "Transplant":
            old = "" if class_ in SINCE_TRANSPLANT else "a "
            every += [
                situation(
                    f"{class_} on the day before an allogeneic transplant",
                    finding("a", class_, "2026-02-28"),
                    graft("t", "2026-03-01", "UnrelatedDonor"),
                    counts=f"{old}t",
                ),
                situation(
                    f"{class_} on the day of an allogeneic transplant",
                    finding("a", class_, "2026-03-01"),
                    graft("t", "2026-03-01", "UnrelatedDonor"),
                    counts="a t",
                ),
                situation(
                    f"{class_} before an autologous transplant",
                    finding("a", class_, "2026-02-28"),
                    graft("t", "2026-03-01", "Autologous"),
                    counts="a t",
                ),
            ]
            for source in ("Syngeneic", ""):
                described = source or "of unstated source"
                before = situation(
                    f"{class_} before a transplant that is {described}, which may be allogeneic",
                    finding("a", class_, "2026-02-28"),
                    graft("t", "2026-03-01", source),
                    **(
                        {"counts": "t", "perhaps": "a", "links": "a mayBeBefore t"}
                        if class_ in SINCE_TRANSPLANT
                        else {"counts": "a t"}
                    ),
                )
                on_the_day = situation(
                    f"{class_} on the day of a transplant that is {described}",
                    finding("a", class_, "2026-03-01"),
                    graft("t", "2026-03-01", source),
                    counts="a t",
                )
                every += [before, on_the_day]
        if class_ not in NEVER_IN_DOUBT:
            every += [
                situation(
                    f"{class_} stated to be in doubt",
                    finding("a", class_, "2026-06-15", DOUBT + stated),
                    perhaps="a",
                ),
                situation(
                    f"{class_} in doubt beside one of its day that says the same",
                    finding("a", class_, "2026-06-15", DOUBT + stated),
                    finding("b", class_, "2026-06-15"),
                    counts="b",
                    perhaps="a",
                ),
                situation(
                    f"{class_} before one in doubt, which is the latest all the same",
                    finding("a", class_, "2026-06-01"),
                    finding("b", class_, "2026-06-15", DOUBT + stated),
                    counts="a" if class_ in ALL_COUNT else "",
                    perhaps="b",
                ),
                situation(
                    f"{class_} after one in doubt, which is history all the same",
                    finding("a", class_, "2026-06-01", DOUBT + stated),
                    finding("b", class_, "2026-06-15"),
                    counts="b",
                    perhaps="a" if class_ in ALL_COUNT else "",
                ),
            ]
    return every


SITUATIONS = [
    *by_class(),
    # the latest allogeneic transplant
    *(
        situation(
            f"a status before a transplant from {source}",
            status("a", "2026-02-28", "AcuteMyeloidLeukemia"),
            graft("t", "2026-03-01", source),
            counts="t",
        )
        for source in ("Allogeneic", "MatchedRelatedDonor", "HaploidenticalDonor", "CordBlood")
    ),
    situation(
        "a status between two allogeneic transplants",
        graft("t", "2025-01-01", "UnrelatedDonor"),
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("u", "2026-01-01", "UnrelatedDonor"),
        counts="t u",
    ),
    situation(
        "a status after two allogeneic transplants",
        graft("t", "2025-01-01", "UnrelatedDonor"),
        graft("u", "2026-01-01", "UnrelatedDonor"),
        status("a", "2026-01-02", "AcuteMyeloidLeukemia"),
        counts="a t u",
    ),
    situation(
        "a status between an allogeneic and a later autologous transplant",
        graft("t", "2025-01-01", "UnrelatedDonor"),
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("u", "2026-01-01", "Autologous"),
        counts="a t u",
    ),
    situation(
        "a status before an allogeneic transplant after the service date",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-07-02", "UnrelatedDonor"),
        counts="a",
    ),
    situation(
        "a status before an allogeneic transplant on the service date",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-07-01", "UnrelatedDonor"),
        counts="t",
    ),
    # of the reason
    *(
        situation(f"a status of {disease} for AML", status("a", "2026-06-01", disease), counts=counts)
        for disease, counts in (
            ("AcuteMyeloidLeukemia", "a"),
            ("AcutePromyelocyticLeukemia", "a"),
            ("AcuteLymphoblasticLeukemia", ""),
            ("Lymphoma", ""),
            ("Melanoma", ""),
        )
    ),
    *(
        situation(
            f"a status of {disease} for {reason}, which may be the disease treated or another",
            status("a", "2026-06-01", disease),
            perhaps="a",
            links=f"a mayNotBeOf {reason}",
            reason=reason,
        )
        for disease, reason in (
            ("Leukemia", "AcuteMyeloidLeukemia"),
            ("HematologicMalignancy", "AcuteMyeloidLeukemia"),
            # Neither holds the other, and Burkitt lymphoma is in both.
            ("BCellNonHodgkinLymphoma", "NonFollicularLymphoma"),
            ("NonFollicularLymphoma", "BCellNonHodgkinLymphoma"),
        )
    ),
    situation(
        "a status of a group for another that has no kind in common with it",
        status("a", "2026-06-01", "TCellNonHodgkinLymphoma"),
        reason="BCellNonHodgkinLymphoma",
    ),
    situation(
        "a status of a disease of which no kinds are known",
        status("a", "2026-06-01", "FollicularLymphoma"),
        counts="a",
        reason="FollicularLymphoma",
    ),
    situation("a status without a reason", status("a", "2026-06-01", "AcuteMyeloidLeukemia"), counts="", reason=""),
    situation("another finding without a reason", mrd("a", "2026-06-01", ""), counts="a", reason=""),
    situation(
        "a later status of an unrelated disease",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-06-02", "Melanoma", "CompleteRemission"),
        counts="a",
    ),
    # each disease has a latest status of its own
    situation(
        "two statuses of one disease on two days",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        counts="b",
        reason=NHL,
    ),
    situation(
        "a relapse of one kind of the reason and a later remission of another",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "FollicularLymphoma", "CompleteRemission"),
        counts="a b",
        differ="a-b",
        reason=NHL,
    ),
    situation(
        "a relapse of one kind of the reason and a remission of another on one day",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-01", "FollicularLymphoma", "CompleteRemission"),
        counts="a b",
        differ="a-b",
        reason=NHL,
    ),
    # statuses that are superseded by those of a group
    *(
        situation(
            f"a status of a kind and a later one of a group that holds it, {state}",
            status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
            status("b", "2026-06-02", group, state),
            counts="b",
            links="a supersededBy b",
            reason=NHL,
        )
        # The group is the reason, or under it.
        for group, state in (("NonHodgkinLymphoma", "CompleteRemission"), ("BCellNonHodgkinLymphoma", "Relapsed"))
    ),
    situation(
        "a status of a kind and a later one in doubt of a group that holds it, which supersedes it all the same",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "NonHodgkinLymphoma", "CompleteRemission", DOUBT),
        perhaps="b",
        links="a supersededBy b",
        reason=NHL,
    ),
    situation(
        "a status of a kind and a later one of a group that does not hold it",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "TCellNonHodgkinLymphoma", "CompleteRemission"),
        counts="a b",
        differ="a-b",
        reason=NHL,
    ),
    situation(
        "a status of a kind and a later one of a group that holds it, far below the reason",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "BCellNonHodgkinLymphoma", "CompleteRemission"),
        counts="b",
        links="a supersededBy b",
        reason="Lymphoma",
    ),
    situation(
        "statuses of a kind, of a group and of its group, each later",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "BCellNonHodgkinLymphoma", "CompleteRemission"),
        status("c", "2026-06-03", "NonHodgkinLymphoma", "Progressing"),
        counts="c",
        links="a supersededBy b, a supersededBy c, b supersededBy c",
        reason=NHL,
    ),
    # statuses of a disease that only may be the reason
    situation(
        "a status of a disease that may be the reason, and a later one of the reason",
        status("a", "2026-06-01", "Leukemia"),
        status("b", "2026-06-02", "AcuteMyeloidLeukemia", "CompleteRemission"),
        counts="b",
        links="a supersededBy b, a mayNotBeOf AcuteMyeloidLeukemia",
    ),
    situation(
        "a status of a disease that may be the reason, and one of the reason on its day",
        status("a", "2026-06-01", "Leukemia"),
        status("b", "2026-06-01", "AcuteMyeloidLeukemia", "CompleteRemission"),
        perhaps="a b",
        links="a mayNotBeOf AcuteMyeloidLeukemia, b mayBeSupersededBy a",
        contradict="a-b",
    ),
    situation(
        "a status of a disease that may be the reason, and a later one of a kind of the reason",
        status("a", "2026-06-01", "Leukemia"),
        status("b", "2026-06-02", "AcutePromyelocyticLeukemia", "CompleteRemission"),
        counts="b",
        perhaps="a",
        links="a mayNotBeOf AcuteMyeloidLeukemia",
        differ="a-b",
    ),
    *(
        situation(
            f"a status of {disease}, and a later one that says otherwise of a disease that may be the reason",
            status("a", "2026-06-01", disease),
            status("b", "2026-06-02", "Leukemia", "CompleteRemission"),
            perhaps="a b",
            links="a mayBeSupersededBy b, b mayNotBeOf AcuteMyeloidLeukemia",
        )
        # The reason, and a kind of it.
        for disease in ("AcuteMyeloidLeukemia", "AcutePromyelocyticLeukemia")
    ),
    situation(
        "a status of a disease far below the reason, and a later one of a disease that may be the reason",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-02", "Lymphoma", "CompleteRemission"),
        perhaps="a b",
        links="a mayBeSupersededBy b, b mayNotBeOf NonHodgkinLymphoma",
        reason=NHL,
    ),
    situation(
        "a status of the reason, and a later one that says the same of a disease that may be the reason",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-06-02", "Leukemia"),
        counts="a",
        perhaps="b",
        links="b mayNotBeOf AcuteMyeloidLeukemia",
    ),
    situation(
        "a status of a kind of the reason, and a later one of another group that may be the reason",
        status("a", "2026-06-01", "BurkittLymphoma"),
        status("b", "2026-06-02", "NonFollicularLymphoma", "CompleteRemission"),
        perhaps="a b",
        links="a mayBeSupersededBy b, b mayNotBeOf BCellNonHodgkinLymphoma",
        reason="BCellNonHodgkinLymphoma",
    ),
    situation(
        "two groups that have a kind in common on one day, neither of which holds the other",
        status("a", "2026-06-01", "BCellNonHodgkinLymphoma"),
        status("b", "2026-06-01", "NonFollicularLymphoma", "CompleteRemission"),
        perhaps="a b",
        links="a contradictedBy b, b contradictedBy a, a mayBeSupersededBy b, b mayNotBeOf BCellNonHodgkinLymphoma",
        reason="BCellNonHodgkinLymphoma",
    ),
    situation(
        "two diseases that may be the reason, with different statuses",
        status("a", "2026-06-01", "Leukemia"),
        status("b", "2026-06-02", "HematologicMalignancy", "CompleteRemission"),
        perhaps="a b",
        links="a mayNotBeOf AcuteMyeloidLeukemia, b mayNotBeOf AcuteMyeloidLeukemia",
        differ="a-b",
    ),
    # statuses of a group before those of its kinds
    *(
        situation(
            f"a status of {group}, and a later one that says otherwise of a disease in it",
            status("a", "2026-06-01", group),
            status("b", "2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
            counts="b",
            perhaps="a",
            links="a mayBeSupersededBy b",
            reason=NHL,
        )
        # The reason, and a group under it.
        for group in ("NonHodgkinLymphoma", "BCellNonHodgkinLymphoma")
    ),
    situation(
        "a status of a group far below the reason, and a later one that says otherwise of a disease in it",
        status("a", "2026-06-01", "BCellNonHodgkinLymphoma"),
        status("b", "2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        counts="b",
        perhaps="a",
        links="a mayBeSupersededBy b",
        reason="Lymphoma",
    ),
    situation(
        "a status of a group, and a later one that says the same of a disease in it",
        status("a", "2026-06-01", "NonHodgkinLymphoma"),
        status("b", "2026-06-02", "DiffuseLargeBCellLymphoma"),
        counts="a b",
        reason=NHL,
    ),
    situation(
        "a status of a group, and one that says otherwise of a disease in it on its day",
        status("a", "2026-06-01", "NonHodgkinLymphoma"),
        status("b", "2026-06-01", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        counts="a b",
        contradict="a-b",
        reason=NHL,
    ),
    situation(
        "a status of a group, and a later one that says otherwise of a disease that is not in it",
        status("a", "2026-06-01", "TCellNonHodgkinLymphoma"),
        status("b", "2026-06-02", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        counts="a b",
        differ="a-b",
        reason=NHL,
    ),
    # transplants that may be allogeneic
    situation(
        "a status between two transplants of unstated source",
        graft("t", "2025-01-01", ""),
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("u", "2026-01-01", ""),
        counts="t u",
        perhaps="a",
        links="a mayBeBefore u",
    ),
    situation(
        "a status before two transplants of unstated source",
        status("a", "2024-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2025-01-01", ""),
        graft("u", "2026-01-01", ""),
        counts="t u",
        perhaps="a",
        links="a mayBeBefore t, a mayBeBefore u",
    ),
    situation(
        "a status before a transplant of unstated source and before an allogeneic one is history",
        status("a", "2024-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2025-01-01", ""),
        graft("u", "2026-01-01", "UnrelatedDonor"),
        counts="t u",
    ),
    situation(
        "a status between an allogeneic transplant and one of unstated source",
        graft("t", "2025-01-01", "UnrelatedDonor"),
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("u", "2026-01-01", ""),
        counts="t u",
        perhaps="a",
        links="a mayBeBefore u",
    ),
    situation(
        "a status before a transplant of unstated source after the service date",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-07-02", ""),
        counts="a",
    ),
    situation(
        "a status before a transplant of unstated source on the service date",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-07-01", ""),
        counts="t",
        perhaps="a",
        links="a mayBeBefore t",
    ),
    situation(
        "a status before and one after a transplant of unstated source",
        status("a", "2025-06-01", "AcuteMyeloidLeukemia"),
        graft("t", "2026-01-01", ""),
        status("b", "2026-06-01", "AcuteMyeloidLeukemia"),
        counts="b t",
    ),
    situation(
        "MRD by two methods, one before and one after a transplant of unstated source",
        mrd("a", "2025-06-01", "FlowCytometry"),
        graft("t", "2026-01-01", ""),
        mrd("b", "2026-06-01", "NextGenerationSequencing"),
        counts="b t",
        perhaps="a",
        links="a mayBeBefore t",
    ),
    # kinds
    situation(
        "MRD by two methods on two days",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-02", "NextGenerationSequencing", "MRDNotDetected"),
        counts="a b",
        differ="a-b",
    ),
    situation(
        "MRD by one method on two days",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-02", "FlowCytometry", "MRDNotDetected"),
        counts="b",
    ),
    situation(
        "MRD of one result with and without a method, each of another day",
        mrd("a", "2026-06-01", ""),
        mrd("b", "2026-06-02", "FlowCytometry"),
        mrd("c", "2026-05-01", ""),
        mrd("d", "2026-06-01", "FlowCytometry"),
        counts="a b c",
    ),
    # keys not stated
    *(
        situation(
            f"MRD that differs on two days, {which}",
            mrd("a", "2026-06-01", older),
            mrd("b", "2026-06-02", newer, "MRDNotDetected"),
            counts="b",
            perhaps="a",
            links="a mayBeSupersededBy b",
        )
        for which, older, newer in (
            ("the newer without a method", "FlowCytometry", ""),
            ("the older without a method", "", "FlowCytometry"),
            ("both without a method", "", ""),
        )
    ),
    *(
        situation(
            f"MRD that differs on one day, {which}",
            mrd("a", "2026-06-01", "FlowCytometry" if keyed else ""),
            mrd("b", "2026-06-01", "", "MRDNotDetected"),
            perhaps="a b",
            links="a mayBeSupersededBy b, b mayBeSupersededBy a",
        )
        # Neither contradicts the other: they may be by different methods.
        for which, keyed in (("one without a method", True), ("both without a method", False))
    ),
    situation(
        "MRD of one result on one day, one without a method",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-01", ""),
        counts="a b",
    ),
    situation(
        "MRD without a method between two methods, of which only the older says otherwise",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-02", "", "MRDNotDetected"),
        mrd("c", "2026-06-03", "NextGenerationSequencing", "MRDNotDetected"),
        counts="b c",
        perhaps="a",
        links="a mayBeSupersededBy b",
        differ="a-c",
    ),
    situation(
        "MRD without a method that may be superseded by either of two methods",
        mrd("a", "2026-06-01", ""),
        mrd("b", "2026-06-02", "FlowCytometry", "MRDNotDetected"),
        mrd("c", "2026-06-03", "NextGenerationSequencing", "MRDNotDetected"),
        counts="b c",
        perhaps="a",
        links="a mayBeSupersededBy b, a mayBeSupersededBy c",
    ),
    situation(
        "MRD of a method that is older than its latest never counts again, though the latest is in doubt",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-02", "FlowCytometry", "MRDNotDetected"),
        mrd("c", "2026-06-03", ""),
        counts="c",
        perhaps="b",
        links="b mayBeSupersededBy c",
    ),
    situation(
        "MRD without a method before a transplant of unstated source, and one after it that says otherwise",
        mrd("a", "2025-06-01", ""),
        graft("t", "2026-01-01", ""),
        mrd("b", "2026-06-01", "FlowCytometry", "MRDNotDetected"),
        counts="b t",
        perhaps="a",
        links="a mayBeBefore t, a mayBeSupersededBy b",
    ),
    situation(
        "a share without a lineage before one that says otherwise",
        share("a", "2026-06-01", "", "clin:donorPercent 85"),
        share("b", "2026-06-02", "TCells"),
        counts="b",
        perhaps="a",
        links="a mayBeSupersededBy b",
    ),
    situation(
        "a share without a lineage after one that says otherwise in other figures",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 95"),
        share("b", "2026-06-02", "", "clin:donorPercentAtLeast 95"),
        counts="b",
        perhaps="a",
        links="a mayBeSupersededBy b",
    ),
    situation(
        "a share without a lineage after one that says the same",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 95"),
        share("b", "2026-06-02", "", "clin:donorPercent 95.0"),
        counts="a b",
    ),
    # doubts that are stated, and who shares them
    situation(
        "a grade in doubt and one of its day that says otherwise",
        grade("a", f"{DOUBT}clin:grade 1"),
        grade("b", "clin:grade 2"),
        perhaps="a b",
        links="b sharesDoubtOf a",
        contradict="a-b",
    ),
    situation(
        "two grades in doubt that differ on one day",
        grade("a", f"{DOUBT}clin:grade 1"),
        grade("b", f"{DOUBT}clin:grade 2"),
        perhaps="a b",
        links="a sharesDoubtOf b, b sharesDoubtOf a",
        contradict="a-b",
    ),
    situation(
        "three grades of one day, of which one in doubt says what one does that is not",
        grade("a", f"{DOUBT}clin:grade 1"),
        grade("b", "clin:grade 1"),
        grade("c", "clin:grade 2"),
        counts="b",
        perhaps="a c",
        links="c sharesDoubtOf a",
        contradict="a-c b-c",
    ),
    situation(
        "MRD in doubt and one of its method and day that says otherwise",
        mrd("a", "2026-06-01", "FlowCytometry", doubt=DOUBT),
        mrd("b", "2026-06-01", "FlowCytometry", "MRDNotDetected"),
        perhaps="a b",
        links="b sharesDoubtOf a",
        contradict="a-b",
    ),
    situation(
        "MRD in doubt and one of its day by another method that says otherwise",
        mrd("a", "2026-06-01", "FlowCytometry", doubt=DOUBT),
        mrd("b", "2026-06-01", "NextGenerationSequencing", "MRDNotDetected"),
        counts="b",
        perhaps="a",
        differ="a-b",
    ),
    situation(
        "a status in doubt and one of its day of another disease that says otherwise",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma", "Relapsed", DOUBT),
        status("b", "2026-06-01", "FollicularLymphoma", "CompleteRemission"),
        counts="b",
        perhaps="a",
        differ="a-b",
        reason=NHL,
    ),
    situation(
        "a status in doubt and one of its day of a group that says otherwise",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma", "Relapsed", DOUBT),
        status("b", "2026-06-01", "NonHodgkinLymphoma", "CompleteRemission"),
        counts="b",
        perhaps="a",
        contradict="a-b",
        reason=NHL,
    ),
    situation(
        "a doubt that is stated of what could not count",
        grade("a", DOUBT),
        finding("b", "AcuteGvHDAssessment", "2026-07-02", f"{DOUBT}clin:grade 1"),
    ),
    situation(
        "a finding with every doubt that it can have",
        graft("t", "2026-03-01", ""),
        status("a", "2026-01-01", "Leukemia", "Relapsed", DOUBT),
        status("b", "2026-01-01", "Leukemia", "CompleteRemission", DOUBT),
        counts="t",
        perhaps="a b",
        links="a mayBeBefore t, b mayBeBefore t, a mayNotBeOf AcuteMyeloidLeukemia, b mayNotBeOf AcuteMyeloidLeukemia,"
        "a sharesDoubtOf b, b sharesDoubtOf a",
        contradict="a-b",
    ),
    situation(
        "chimerism of two lineages on two days",
        share("a", "2026-06-01", "TCells"),
        share("b", "2026-06-02", "MyeloidCells", "clin:donorPercent 85"),
        share("c", "2026-05-01", "TCells"),
        counts="a b",
        differ="a-b",
    ),
    situation(
        "acute and chronic GvHD on two days",
        finding("a", "AcuteGvHDAssessment", "2026-06-01"),
        finding("b", "ChronicGvHDAssessment", "2026-06-02"),
        counts="a b",
    ),
    # values not stated
    situation(
        "findings that state no value",
        finding("a", "DiseaseStatusAssessment", "2026-06-01", "clin:disease clin:AcuteMyeloidLeukemia"),
        mrd("b", "2026-06-01", "FlowCytometry", ""),
        finding("c", "RelapseRiskAssessment", "2026-06-01", ""),
        share("d", "2026-06-01", "TCells", ""),
        finding("e", "AcuteGvHDAssessment", "2026-06-01", ""),
        finding("f", "ChronicGvHDAssessment", "2026-06-01", ""),
        counts="",
    ),
    situation(
        "transplants and infusions that state no value",
        finding("a", "Transplant", "2026-06-01", ""),
        finding("b", "EarlierInfusion", "2026-06-01", ""),
        counts="a b",
    ),
    situation(
        "a value before a finding that states none",
        finding("a", "AcuteGvHDAssessment", "2026-06-01"),
        finding("b", "AcuteGvHDAssessment", "2026-06-02", ""),
        counts="a",
    ),
    situation(
        "an infusion with a response before one that states none",
        finding("a", "EarlierInfusion", "2026-05-01"),
        finding("b", "EarlierInfusion", "2026-06-01", ""),
        counts="b",
    ),
    *(
        situation(
            f"a share of donor cells {bound}", share("a", "2026-06-01", "", f"clin:donorPercent{bound}"), counts="a"
        )
        for bound in ("AtLeast 90", "AtMost 90", "Below 90", "AtLeast 80 ; clin:donorPercentAtMost 90")
    ),
    *(
        situation(f"a grade {bound}", grade("a", f"clin:grade{bound}"), counts="a")
        for bound in ("AtLeast 1", "AtMost 2", "AtLeast 1 ; clin:gradeAtMost 2")
    ),
    # stated absence
    situation(
        "an absence before a transplant",
        absence("a", "2026-01-01", "Transplant"),
        graft("t", "2026-01-02", "UnrelatedDonor"),
        counts="t",
    ),
    situation(
        "an absence on the day of a transplant",
        absence("a", "2026-01-01", "Transplant"),
        graft("t", "2026-01-01", "UnrelatedDonor"),
        counts="a t",
    ),
    situation(
        "an absence after a transplant",
        absence("a", "2026-01-02", "Transplant"),
        graft("t", "2026-01-01", "UnrelatedDonor"),
        counts="a t",
    ),
    situation(
        "an absence before a transplant after the service date",
        absence("a", "2026-01-01", "Transplant"),
        graft("t", "2026-07-02", "UnrelatedDonor"),
        counts="a",
    ),
    situation(
        "an absence of a transplant before an infusion",
        absence("a", "2026-01-01", "Transplant"),
        finding("i", "EarlierInfusion", "2026-02-01"),
        counts="a i",
    ),
    situation(
        "an absence of an infusion before one",
        absence("a", "2026-01-01", "EarlierInfusion"),
        finding("i", "EarlierInfusion", "2026-02-01"),
        counts="i",
    ),
    *(
        situation(
            f"an absence before a finding of its class that leaves open {missing}",
            absence("a", "2026-01-01", class_),
            finding("b", class_, "2026-01-02", ""),
            counts="b",
        )
        for class_, missing in (("Transplant", "its source"), ("EarlierInfusion", "its response"))
    ),
    situation(
        "an absence after a transplant of unstated source",
        absence("a", "2026-01-02", "Transplant"),
        graft("t", "2026-01-01", ""),
        counts="a t",
    ),
    situation(
        "an absence in doubt before a transplant",
        finding("a", "StatedAbsence", "2026-01-01", f"{DOUBT}clin:absenceOf clin:Transplant"),
        graft("t", "2026-01-02", ""),
        counts="t",
    ),
    situation(
        "an absence of an infusion before one on the service date",
        absence("a", "2026-01-01", "EarlierInfusion"),
        finding("i", "EarlierInfusion", "2026-07-01"),
        counts="a",
    ),
    situation(
        "absences of both",
        absence("a", "2026-01-01", "EarlierInfusion"),
        absence("b", "2026-01-02", "Transplant"),
        counts="a b",
    ),
    # contradictions
    situation(
        "two statuses of one disease on one day",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-06-01", "AcuteMyeloidLeukemia", "CompleteRemission"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "two statuses of one disease on one day, before a transplant of unstated source",
        status("a", "2026-01-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-01-01", "AcuteMyeloidLeukemia", "CompleteRemission"),
        graft("t", "2026-03-01", ""),
        counts="t",
        perhaps="a b",
        links="a mayBeBefore t, b mayBeBefore t",
        contradict="a-b",
    ),
    situation(
        "two statuses of one disease on one day, and a later one of a group that says what one of them says",
        status("a", "2026-06-01", "AcuteMyeloidLeukemia"),
        status("b", "2026-06-01", "AcuteMyeloidLeukemia", "CompleteRemission"),
        status("c", "2026-06-02", "Leukemia", "CompleteRemission"),
        counts="b",
        perhaps="a c",
        links="a mayBeSupersededBy c, c mayNotBeOf AcuteMyeloidLeukemia",
        contradict="a-b",
    ),
    situation(
        "two statuses of one disease on one day that are superseded contradict each other no more",
        status("a", "2026-06-01", "DiffuseLargeBCellLymphoma"),
        status("b", "2026-06-01", "DiffuseLargeBCellLymphoma", "CompleteRemission"),
        status("c", "2026-06-02", "NonHodgkinLymphoma"),
        counts="c",
        links="a supersededBy c, b supersededBy c",
        reason=NHL,
    ),
    situation(
        "MRD by one method on one day",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-01", "FlowCytometry", "MRDNotDetected"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "MRD by two methods on one day",
        mrd("a", "2026-06-01", "FlowCytometry"),
        mrd("b", "2026-06-01", "PolymeraseChainReaction", "MRDNotDetected"),
        counts="a b",
        differ="a-b",
    ),
    situation(
        "two risks on one day",
        finding("a", "RelapseRiskAssessment", "2026-06-01"),
        finding("b", "RelapseRiskAssessment", "2026-06-01", "clin:relapseRisk clin:RelapseRiskNotRaised"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "two severities on one day",
        finding("a", "ChronicGvHDAssessment", "2026-06-01"),
        finding("b", "ChronicGvHDAssessment", "2026-06-01", "clin:chronicSeverity clin:NoChronicGvHD"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "three grades on one day, two of them alike",
        grade("a", "clin:grade 1"),
        grade("b", "clin:grade 1"),
        grade("c", "clin:grade 3"),
        counts="a b c",
        contradict="a-c b-c",
    ),
    situation(
        "a grade and a bound on one day",
        grade("a", "clin:grade 1"),
        grade("b", "clin:gradeAtMost 2"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "a bound and a range on one day",
        grade("a", "clin:gradeAtMost 2"),
        grade("b", "clin:gradeAtLeast 1 ; clin:gradeAtMost 2"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "shares that differ only in how they are written",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 90"),
        share("b", "2026-06-01", "TCells", "clin:donorPercent 90.0"),
        share("c", "2026-06-01", "TCells", "clin:donorPercent 090.00"),
        counts="a b c",
    ),
    situation(
        "shares of one lineage on one day",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 90"),
        share("b", "2026-06-01", "TCells", "clin:donorPercent 90.1"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "shares of two lineages on one day",
        share("a", "2026-06-01", "TCells", "clin:donorPercent 90"),
        share("b", "2026-06-01", "WholeBlood", "clin:donorPercent 95"),
        counts="a b",
        differ="a-b",
    ),
    situation(
        "a bound and one that is not reached",
        share("a", "2026-06-01", "TCells", "clin:donorPercentAtMost 90"),
        share("b", "2026-06-01", "TCells", "clin:donorPercentBelow 90"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "two responses to an infusion of one day",
        finding("a", "EarlierInfusion", "2026-06-01"),
        finding("b", "EarlierInfusion", "2026-06-01", "clin:response clin:NoResponse"),
        counts="a b",
        contradict="a-b",
    ),
    situation(
        "a response and none stated on one day",
        finding("a", "EarlierInfusion", "2026-06-01"),
        finding("b", "EarlierInfusion", "2026-06-01", ""),
        counts="a b",
    ),
    situation(
        "two sources of a transplant on one day",
        graft("a", "2026-01-01", "UnrelatedDonor"),
        graft("b", "2026-01-01", "Autologous"),
        counts="a b",
    ),
    situation(
        "values that differ on different days",
        finding("a", "RelapseRiskAssessment", "2026-06-01"),
        finding("b", "RelapseRiskAssessment", "2026-06-02", "clin:relapseRisk clin:RelapseRiskNotRaised"),
        counts="b",
    ),
]
