"""Random well-formed cases near the limits of every rule, doubts and gaps included: as many as wanted, by a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import oracle
from small_cases import LARGE, SERVICE, SMALL
from strategies import CONCEPTS, FINDINGS, Finding, Picture, Product

STATUS, MRD, CHIMERISM = "clin:DiseaseStatusAssessment", "clin:MRDTest", "clin:ChimerismTest"
ACUTE, TRANSPLANT, INFUSION = "clin:AcuteGvHDAssessment", "clin:Transplant", "clin:EarlierInfusion"
RISK, CHRONIC, ABSENCE = "clin:RelapseRiskAssessment", "clin:ChronicGvHDAssessment", "clin:StatedAbsence"
DOUBT = ("case:inDoubt", '"something newer could not be read"')

# ---------------------------------------------------------------------- cases

SERVICE_DATES = (date(2026, 7, 1), date(2024, 2, 29), date(2024, 3, 1), date(2020, 1, 1))
DAYS_BEFORE = (400, 100, 30, 30, 7, 7, 7, 0, -1)
# Reasons with kinds of their own, with groups over them, and with neither.
REASONS = (
    *("clin:AcuteMyeloidLeukemia", "clin:LymphoidLeukemia", "clin:Leukemia", "clin:NonHodgkinLymphoma"),
    *("clin:DiffuseLargeBCellLymphoma", "clin:MultipleMyeloma", "clin:HematologicMalignancy", "clin:AplasticAnemia"),
)
USUAL = {
    "clin:diseaseStatus": ("clin:Relapsed", "clin:CompleteRemission", "clin:InRemission"),
    "clin:graftSource": ("clin:Allogeneic", "clin:CordBlood", "clin:Autologous"),
    "clin:method": ("clin:FlowCytometry", "clin:PolymeraseChainReaction"),
    "clin:lineage": ("clin:TCells", "clin:WholeBlood"),
}
NEVER_IN_DOUBT = (TRANSPLANT, INFUSION)
_OPTIONAL = 0.8  # How often a finding states what it need not state.


def generated(count: int, seed: int = 11) -> Iterator[Picture]:
    """So many well-formed cases, the same ones for the same seed.

    Two of three are drawn freely. The third has a few findings of one class, in a case in which all else is settled, so
    that the outcome rests on them.
    """
    chance = Random(seed)
    return (_decided_by_few(chance) if number % 3 == 2 else _picture(chance) for number in range(count))


def _decided_by_few(chance: Random) -> Picture:
    universe = chance.choice([*SMALL.values(), *LARGE.values()])
    few = chance.sample(universe.findings, chance.randint(1, 3))
    reason = universe.base.reason
    kinds = {finding.kind for finding in few} - {ABSENCE}
    status = (
        ("clin:disease", str(reason)),
        ("clin:diseaseStatus", chance.choice(("clin:Relapsed", "clin:CompleteRemission"))),
    )
    rest = [*_plain(SERVICE), _found(STATUS, SERVICE, 50, *status)]
    return Picture(
        service_date=SERVICE,
        line_of_business="case:Commercial",
        service="clin:DonorLymphocyteInfusion",
        reason=reason,
        purposes=frozenset([chance.choice(("clin:TreatRelapse", "clin:RaiseDonorChimerism"))]),
        product=Product(frozenset({"clin:Unmanipulated"}), "clin:TransplantDonor", "false"),
        findings=(*(finding for finding in rest if finding.kind not in kinds), *few),
    )


def _plain(service_date: date) -> list[Finding]:
    """What a case has that meets the criteria once its status is a relapse, and does not in remission."""
    return [
        _found(TRANSPLANT, service_date, 300, ("clin:graftSource", "clin:CordBlood")),
        _found(ACUTE, service_date, 5, ("clin:grade", "0")),
        _found(RISK, service_date, 5, ("clin:relapseRisk", "clin:RelapseRiskNotRaised")),
        _found(MRD, service_date, 5, ("clin:method", "clin:FlowCytometry"), ("clin:mrdResult", "clin:MRDNotDetected")),
    ]


def _picture(chance: Random) -> Picture:
    service_date = chance.choice(SERVICE_DATES)
    reason = chance.choice((*REASONS, *REASONS, None, chance.choice(CONCEPTS["clin:Disease"])))
    plain = _plain(service_date)
    if reason:
        status = chance.choice(("clin:Relapsed", "clin:CompleteRemission"))
        plain.append(_found(STATUS, service_date, 30, ("clin:disease", reason), ("clin:diseaseStatus", status)))
    kept = [finding for finding in plain if chance.random() < 0.75]
    # Every other time several findings of one class: they must meet to bear on each other.
    kinds = chance.choices((*FINDINGS, STATUS, STATUS, MRD, CHIMERISM), k=chance.randint(1, 4))
    kinds = [kinds[0]] * len(kinds) if chance.random() < 0.5 else kinds
    more = [_finding(chance, kind, service_date, reason) for kind in kinds]
    processing = _mostly(chance, "clin:Unmanipulated", CONCEPTS["clin:Processing"])
    product = Product(
        frozenset([processing] if processing else []),
        chance.choice((None, *CONCEPTS["clin:LymphocyteDonor"])),
        chance.choice((None, "true", "false")),
    )
    return Picture(
        service_date=service_date,
        line_of_business=_mostly(chance, "case:Commercial", CONCEPTS["case:LineOfBusiness"]),
        service=_mostly(chance, "clin:DonorLymphocyteInfusion", CONCEPTS["clin:Service"]),
        codes=frozenset(chance.sample(("cpt:38242", "cpt:38215", "hcpcs:S2150"), chance.choice((0, 0, 1)))),
        reason=reason,
        purposes=_purposes(chance),
        product=product if chance.random() < 0.95 else None,
        findings=tuple(dict.fromkeys((*kept, *more))),
    )


def _found(kind: str, service_date: date, before: int, *stated: tuple[str, str]) -> Finding:
    return Finding(kind, service_date - timedelta(before), stated)


def _mostly(chance: Random, value: str, others: Sequence[str]) -> str | None:
    """The value nine times out of eleven, else nothing or another."""
    return chance.choice((*[value] * 9, None, chance.choice(others)))


def _purposes(chance: Random) -> frozenset[str]:
    usual = ("clin:TreatRelapse", "clin:RaiseDonorChimerism")
    every = CONCEPTS["clin:Purpose"]
    return frozenset(
        chance.choice(([], [usual[0]], [usual[0]], [usual[1]], [usual[1]], chance.sample(every, 2), every))
    )


def _finding(chance: Random, kind: str, service_date: date, reason: str | None) -> Finding:
    stated: list[tuple[str, str]] = []
    for property_, range_ in FINDINGS[kind].items():
        if property_ == "clin:absenceOf":
            stated.append((property_, chance.choice((TRANSPLANT, INFUSION))))
        elif property_ == "clin:disease":
            stated.append((property_, _disease(chance, reason)))
        elif range_ and chance.random() < _OPTIONAL:
            usual = USUAL.get(property_, CONCEPTS[range_])
            stated.append((property_, chance.choice((chance.choice(usual), chance.choice(CONCEPTS[range_])))))
    if kind in NUMBERS and chance.random() < _OPTIONAL:
        stated += chance.choice(NUMBERS[kind].statements)
    if kind not in NEVER_IN_DOUBT and chance.random() < 0.15:
        stated.append(DOUBT)
    return _found(kind, service_date, chance.choice(DAYS_BEFORE), *stated)


def _disease(chance: Random, reason: str | None) -> str:
    """Half of the time the reason, else mostly a disease that is tied to it."""
    if reason is None or chance.random() < 0.1:
        return chance.choice(CONCEPTS["clin:Disease"])
    tied = [concept for concept in CONCEPTS["clin:Disease"] if oracle.share_a_kind(concept, reason)]
    return chance.choice((reason, chance.choice(tied)))


@dataclass(frozen=True)
class Numbers:
    """What findings of a class can state in numbers.

    Attributes:
        exact, least, most, below: the properties, "" where there is none.
        values: numbers on each side of each limit.
    """

    exact: str
    least: str
    most: str
    below: str
    values: tuple[str, ...]

    @property
    def properties(self) -> list[str]:
        return [property_ for property_ in (self.exact, self.least, self.most, self.below) if property_]

    @property
    def statements(self) -> list[tuple[tuple[str, str], ...]]:
        """Exact numbers, and bounds."""
        found: list[tuple[tuple[str, str], ...]] = [((self.exact, value),) for value in self.values]
        found += [((bound, value),) for bound in (self.least, self.most) for value in self.values]
        if self.below:
            found += [((self.below, value),) for value in self.values if float(value) > 0]
        return found

    def range(self, finding: Finding) -> frozenset[str]:
        """The numbers that a finding leaves possible; none if it states none."""
        bounds = {name: finding.number(name) for name in self.properties}
        if set(bounds.values()) == {None}:
            return frozenset()
        exact, least, most = bounds[self.exact], bounds[self.least], bounds[self.most]
        below = bounds.get(self.below)
        return frozenset(
            value
            for value in self.values
            if (exact is None or float(value) == exact)
            and (least is None or float(value) >= least)
            and (most is None or float(value) <= most)
            and (below is None or float(value) < below)
        )


_SHARE = "clin:donorPercent"
NUMBERS = {
    CHIMERISM: Numbers(
        _SHARE,
        f"{_SHARE}AtLeast",
        f"{_SHARE}AtMost",
        f"{_SHARE}Below",
        ("0", "50", "85", "89.9", "90", "95", "99.9", "100"),
    ),
    ACUTE: Numbers("clin:grade", "clin:gradeAtLeast", "clin:gradeAtMost", "", ("0", "1", "2", "3", "4")),
}
# Of the other classes what states the value, and the class of its concepts.
VALUES = {
    STATUS: "clin:diseaseStatus",
    MRD: "clin:mrdResult",
    RISK: "clin:relapseRisk",
    CHRONIC: "clin:chronicSeverity",
    INFUSION: "clin:response",
}
KEYS = {MRD: "clin:method", CHIMERISM: "clin:lineage"}
