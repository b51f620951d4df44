"""What a case comes to by the design alone: a second reading of its sections 3.2, 3.4 and 3.5, in plain Python.

It knows nothing of SHACL, of SPARQL and of the modules that derive and evaluate. From the knowledge base it takes only
the flags of the classes of findings and the hierarchy of concepts, as the clinical vocabulary states them. What a
condition comes to where findings perhaps count, it finds by trying every choice of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, combinations, product
from pathlib import Path
from typing import TypeAlias

from rdflib import Graph, URIRef
from rdflib.namespace import RDFS, SKOS
from strategies import Finding, Picture

CASE, CLIN = "https://w3id.org/policykb/case#", "https://w3id.org/policykb/clinical#"
VOCABULARIES = ("ontology/case.ttl", "ontology/clinical.ttl", "ontology/clinical/*.ttl")

# What of a finding is no value of its own.
COUNTS, PERHAPS, NOT = "counts", "perhaps counts", "does not count"
Links: TypeAlias = frozenset[tuple[int, int]]
# Of each condition the value, and the value that it perhaps has.
Both: TypeAlias = dict[str, tuple[str, str]]


# ---------------------------------------------------------------------- what the vocabularies say


def _curie(node: object) -> str:
    text = str(node)
    for prefix, namespace in (("case", CASE), ("clin", CLIN)):
        if text.startswith(namespace):
            return f"{prefix}:{text.removeprefix(namespace)}"
    return text


@cache
def _vocabulary() -> Graph:
    graph = Graph()
    for pattern in VOCABULARIES:
        for path in Path(__file__).parents[2].glob(pattern):
            graph.parse(path, format="turtle")
    return graph


@dataclass(frozen=True)
class Flags:
    """How findings of a class count.

    Attributes:
        counted_by: a finding counts only if it states one of these.
        differs_by: two findings differ when they state different values of one of these.
        key: what tells findings of the class apart; None where nothing does.
        latest: whether only the latest of a key counts.
        since: the classes whose findings start the periods since which those of this class count.
        of_reason: whether it must be of the reason of the request.
        on_service_date: whether it counts on the service date itself.
    """

    counted_by: frozenset[str]
    differs_by: frozenset[str]
    key: str | None
    since: frozenset[str]
    latest: bool
    of_reason: bool
    on_service_date: bool


@cache
def flags() -> dict[str, Flags]:
    """The flags of each class of findings."""
    graph = _vocabulary()
    found = {}
    for class_ in graph.subjects(RDFS.subClassOf, URIRef(CASE + "Finding")):
        values = {name: [_curie(node) for node in graph.objects(class_, URIRef(CASE + name))] for name in _FLAGS}
        key = values["keyProperty"]
        found[_curie(class_)] = Flags(
            frozenset(values["countedBy"]),
            frozenset(values["differsBy"]),
            key[0] if key else None,
            frozenset(values["countsSince"]),
            *(values[name] == ["true"] for name in _FLAGS[4:]),
        )
    return found


_FLAGS = ("countedBy", "differsBy", "keyProperty", "countsSince", "latestCounts", "ofReasonOnly", "onServiceDate")


@cache
def _above() -> dict[str, set[str]]:
    """What is broader than each concept, in one step: as it says itself, or as the broader one says of it."""
    above: dict[str, set[str]] = {}
    for one, two in _vocabulary().subject_objects(SKOS.broader):
        above.setdefault(_curie(one), set()).add(_curie(two))
    for one, two in _vocabulary().subject_objects(SKOS.narrower):
        above.setdefault(_curie(two), set()).add(_curie(one))
    return above


@cache
def _all_above(concept: str) -> frozenset[str]:
    """The concept, and all that is broader, in any number of steps."""
    return frozenset({concept}).union(*(_all_above(broader) for broader in _above().get(concept, ())))


def under(concept: str | None, group: str) -> bool:
    """Whether a concept is the group or in it."""
    return concept is not None and group in _all_above(concept)


@cache
def share_a_kind(one: str, two: str) -> bool:
    """Whether something is both the one, or in it, and the other, or in it."""
    return any(under(concept, one) and under(concept, two) for concept in {one, two, *_above()})


# ---------------------------------------------------------------------- what counts (design, section 3.4)


def differ(one: Finding, two: Finding) -> bool:
    """Whether two findings of a class say different things: what says nothing does not say otherwise."""
    if one.kind != two.kind:
        return False
    pairs = [(_stated(one, property_), _stated(two, property_)) for property_ in flags()[one.kind].differs_by]
    both_speak = all(any(pair[side] is not None for pair in pairs) for side in (0, 1))
    return both_speak and any(first != second for first, second in pairs)


def _stated(finding: Finding, property_: str) -> str | float | None:
    value = finding.value(property_)
    try:
        return float(value) if value is not None else None  # 2 and 2.0 are one number.
    except ValueError:
        return value


def _key(finding: Finding) -> str | None:
    key = flags()[finding.kind].key
    return finding.value(key) if key else "the only one"


def _same_key(one: Finding, two: Finding) -> bool:
    return one.kind == two.kind and _key(one) is not None and _key(one) == _key(two)


def _disease(finding: Finding) -> str:
    found = finding.value("clin:disease")
    return found if found is not None else ""


_STATUS, _TRANSPLANT, _ABSENCE = "clin:DiseaseStatusAssessment", "clin:Transplant", "clin:StatedAbsence"
_NOT_KNOWN_TO_BE_ALLOGENEIC = (None, "clin:Syngeneic")


@dataclass(frozen=True)
class Standing:
    """How the findings of a case stand.

    Attributes:
        of: for each finding, by its place in the case, whether it counts, perhaps counts or does not count.
        links: the pairs that contradict each other or may, in both directions.
    """

    of: tuple[str, ...]
    links: Links

    def which(self, standing: str) -> frozenset[int]:
        return frozenset(place for place, how in enumerate(self.of) if how == standing)


def standing(picture: Picture) -> Standing:
    """How each finding of a case stands, and which of those that count or perhaps count are linked."""
    findings = dict(enumerate(picture.findings))
    able = {place: finding for place, finding in findings.items() if _able(picture, finding)}
    left = {place: finding for place, finding in able.items() if not _history(picture, finding, able.values())}
    doubted = {place for place, finding in left.items() if _in_doubt(picture, finding, able.values())}
    linked = frozenset(
        (one, two)
        for one in left
        for two in left
        if one != two and left[one].day == left[two].day and _linked(left[one], left[two])
    )
    of = (NOT if place not in left else PERHAPS if place in doubted else COUNTS for place in findings)
    return Standing(tuple(of), linked)


def _able(picture: Picture, finding: Finding) -> bool:
    """Whether a finding could count, were it the only one but for the transplants that are stated allogeneic."""
    flag = flags()[finding.kind]
    if not (finding.day < picture.service_date or (finding.day == picture.service_date and flag.on_service_date)):
        return False
    if "case:date" not in flag.counted_by and all(finding.value(property_) is None for property_ in flag.counted_by):
        return False
    if flag.of_reason and (picture.reason is None or not share_a_kind(_disease(finding), picture.reason)):
        return False
    allogeneic = [
        transplant.day
        for transplant in _transplants(picture)
        if under(transplant.value("clin:graftSource"), "clin:Allogeneic")
    ]
    return not (_TRANSPLANT in flag.since and allogeneic and finding.day < max(allogeneic))


def _transplants(picture: Picture) -> Iterator[Finding]:
    return (
        finding for finding in picture.findings if finding.kind == _TRANSPLANT and finding.day <= picture.service_date
    )


def _history(picture: Picture, finding: Finding, able: Collection[Finding]) -> bool:
    """Whether something newer takes the place of a finding that could count."""
    newer = [other for other in able if other.day > finding.day]
    if finding.kind == _ABSENCE:
        return any(other.kind == finding.value("clin:absenceOf") for other in newer)
    if not flags()[finding.kind].latest:
        return False
    return any(_same_key(other, finding) or _status_replaced(picture, finding, other) for other in newer)


def _status_replaced(picture: Picture, finding: Finding, newer: Finding) -> bool:
    """Whether a newer status takes the place of a status of another disease."""
    if not finding.kind == newer.kind == _STATUS or picture.reason is None:
        return False
    reason, disease, later = picture.reason, _disease(finding), _disease(newer)
    # A group that holds the disease, where the group is the reason or under it.
    if under(later, reason) and under(disease, later):
        return True
    # The reason itself, where the older is of a disease that may be the reason.
    return later == reason and not under(disease, reason)


def _in_doubt(picture: Picture, finding: Finding, able: Collection[Finding]) -> bool:
    """Whether a finding that nothing newer takes the place of only perhaps counts.

    It is held against all that could count: what is superseded itself may have taken its place before.
    """
    flag = flags()[finding.kind]
    if finding.value("case:inDoubt") is not None:
        return True
    if _TRANSPLANT in flag.since and any(
        finding.day < transplant.day and transplant.value("clin:graftSource") in _NOT_KNOWN_TO_BE_ALLOGENEIC
        for transplant in _transplants(picture)
    ):
        return True
    if finding.kind == _STATUS and not under(_disease(finding), picture.reason or ""):
        return True
    others = [other for other in able if differ(other, finding)]
    if any(other.value("case:inDoubt") and other.day == finding.day and _same_key(other, finding) for other in others):
        return True
    not_older = [other for other in others if other.day >= finding.day]
    if flag.key and any(_key(other) is None or _key(finding) is None for other in not_older):
        return True
    return finding.kind == _STATUS and any(_status_in_doubt(picture, finding, other) for other in not_older)


def _status_in_doubt(picture: Picture, finding: Finding, other: Finding) -> bool:
    """Whether another status, not older, that says otherwise may take the place of one of the reason or under it."""
    if not under(_disease(other), picture.reason or ""):
        return True  # It may be of the reason.
    # The design names a disease in the group. A group that has kinds in common with it may be meant of one of these.
    return other.day > finding.day and share_a_kind(_disease(other), _disease(finding))


def _linked(one: Finding, two: Finding) -> bool:
    """Whether two findings of one day are linked: of one key, or of diseases of which one holds the other.

    The design names no more. Two groups with kinds in common may be meant of one of these, so they are linked too.
    """
    if not differ(one, two):
        return False
    if one.kind == _STATUS and share_a_kind(_disease(one), _disease(two)):
        return True
    return _same_key(one, two)


# ---------------------------------------------------------------------- the conditions (design, section 3.5)


@dataclass(frozen=True)
class View:
    """A case under one choice of which findings count.

    Attributes:
        current: the places of those that count.
    """

    picture: Picture
    current: frozenset[int]
    links: Links

    def of(self, kind: str) -> dict[int, Finding]:
        found = {place: self.picture.findings[place] for place in sorted(self.current)}
        return {place: finding for place, finding in found.items() if finding.kind == kind}

    def stated(self, kind: str, property_: str) -> dict[int, str | None]:
        return {place: finding.value(property_) for place, finding in self.of(kind).items()}

    def linked_to(self, place: int, wanted: Callable[[Finding], bool]) -> bool:
        """Whether a finding is linked to one that says what is wanted, whether that one counts or not."""
        return any(one == place and wanted(self.picture.findings[two]) for one, two in self.links)


Sides: TypeAlias = tuple[bool, bool]


def _service_is_dli(view: View) -> Sides:
    service = view.picture.service
    dli = "clin:DonorLymphocyteInfusion"
    return service == dli or "cpt:38242" in view.picture.codes, service not in (None, dli)


def _plan_is_not_medicare(view: View) -> Sides:
    line = view.picture.line_of_business
    return line in ("case:Commercial", "case:Marketplace", "case:Medicaid"), under(line, "case:Medicare")


def _after_allogeneic_transplant(view: View) -> Sides:
    sources = view.stated(_TRANSPLANT, "clin:graftSource").values()
    absent = "clin:Transplant" in view.stated(_ABSENCE, "clin:absenceOf").values()
    all_autologous = bool(sources) and all(source == "clin:Autologous" for source in sources)
    open_ = any(source in _NOT_KNOWN_TO_BE_ALLOGENEIC for source in sources)
    return any(under(source, "clin:Allogeneic") for source in sources), all_autologous or (absent and not open_)


def _reason_is_hematologic_malignancy(view: View) -> Sides:
    reason, is_one = view.picture.reason, under(view.picture.reason, "clin:HematologicMalignancy")
    return is_one, reason is not None and not is_one


def _status(view: View, wanted: Collection[str], against: Collection[str]) -> Sides:
    """Whether the disease has one of the wanted statuses.

    Args:
        against: what speaks against it by itself. A remission of unstated kind does where it is linked to one wanted.
    """
    stated = view.stated(_STATUS, "clin:diseaseStatus")
    contrary = {*against, "clin:InRemission"}
    denied = any(
        value in against
        or (value == "clin:InRemission" and view.linked_to(place, lambda other: other.value(_VALUE) in wanted))
        for place, value in stated.items()
    )
    uncontested = any(
        value in wanted and not view.linked_to(place, lambda other: other.value(_VALUE) in contrary)
        for place, value in stated.items()
    )
    return any(value in wanted for value in stated.values()), denied and not uncontested


_VALUE = "clin:diseaseStatus"


def _disease_relapsed_refractory_or_progressing(view: View) -> Sides:
    wanted = ("clin:Relapsed", "clin:Refractory", "clin:RelapsedAndRefractory", "clin:Progressing")
    return _status(view, wanted, ("clin:CompleteRemission",))


def _disease_is_relapsed(view: View) -> Sides:
    return _status(view, ("clin:Relapsed", "clin:RelapsedAndRefractory"), ("clin:CompleteRemission", "clin:Refractory"))


def _lowering_relapse_risk_is_a_purpose(view: View) -> Sides:
    return _among(view.picture.purposes, "clin:LowerRelapseRisk")


def _raising_donor_chimerism_is_a_purpose(view: View) -> Sides:
    return _among(view.picture.purposes, "clin:RaiseDonorChimerism")


def _among(stated: Collection[str], wanted: str) -> Sides:
    holds = any(under(disease, wanted) for disease in stated)
    return holds, bool(stated) and not holds


def _raising_donor_chimerism_is_the_only_purpose(view: View) -> Sides:
    purposes = view.picture.purposes
    return purposes == {"clin:RaiseDonorChimerism"}, any(purpose != "clin:RaiseDonorChimerism" for purpose in purposes)


def _mrd_is_detected(view: View) -> Sides:
    results = view.stated("clin:MRDTest", "clin:mrdResult")
    detected = [place for place, value in results.items() if value == "clin:MRDDetected"]
    contradicted = all(
        view.linked_to(place, lambda test: test.value("clin:mrdResult") == "clin:MRDNotDetected") for place in detected
    )
    return bool(detected), "clin:MRDNotDetected" in results.values() and contradicted


def _relapse_risk_is_raised(view: View) -> Sides:
    risks = view.stated("clin:RelapseRiskAssessment", "clin:relapseRisk").values()
    return "clin:RaisedRelapseRisk" in risks, "clin:RelapseRiskNotRaised" in risks


def _percent(finding: Finding) -> tuple[float, bool, float]:
    """The least share of donor cells that a test leaves possible, and the limit above: (90, True, 95) is [90, 95)."""
    exact, below = finding.number("clin:donorPercent"), finding.number("clin:donorPercentBelow")
    low, high = finding.number("clin:donorPercentAtLeast"), finding.number("clin:donorPercentAtMost")
    if exact is not None:
        return exact, False, exact
    if below is not None:
        return low or 0.0, True, below
    return low or 0.0, False, 100.0 if high is None else high


def _at_least(finding: Finding, limit: float) -> bool:
    return _percent(finding)[0] >= limit


def _below(finding: Finding, limit: float) -> bool:
    _, open_, high = _percent(finding)
    return high < limit or (open_ and high == limit)


def _everywhere(view: View, shows: Callable[[Finding], bool]) -> bool:
    """Whether some test shows it, and each other test does too or is contradicted by one that does.

    The design's table says so of mixed chimerism; that full chimerism is read alike is a scope note of that condition.
    """
    tests = view.of("clin:ChimerismTest")
    return any(map(shows, tests.values())) and all(
        shows(test) or view.linked_to(place, shows) for place, test in tests.items()
    )


def _chimerism_is_mixed(view: View) -> Sides:
    tests = view.of("clin:ChimerismTest").values()
    return any(_below(test, 90) for test in tests), _everywhere(view, lambda test: _at_least(test, 90))


def _chimerism_is_full(view: View) -> Sides:
    tests = view.of("clin:ChimerismTest").values()
    return _everywhere(view, lambda test: _at_least(test, 100)), any(_below(test, 100) for test in tests)


def _lymphocytes_genetically_modified(view: View) -> Sides:
    return _among(_processing(view), "clin:GeneticModification")


def _lymphocytes_manipulated_ex_vivo(view: View) -> Sides:
    return _among(_processing(view), "clin:ExVivoManipulation")


def _processing(view: View) -> Collection[str]:
    return view.picture.product.processing if view.picture.product else ()


def _acute_gvhd_of_grade_2_or_higher(view: View) -> Sides:
    found = view.of("clin:AcuteGvHDAssessment").values()
    least = [_number(finding, "clin:grade", "clin:gradeAtLeast", 0) for finding in found]
    most = [_number(finding, "clin:grade", "clin:gradeAtMost", 4) for finding in found]
    return any(grade >= 2 for grade in least), any(grade < 2 for grade in most)


def _number(finding: Finding, exact: str, bound: str, otherwise: float) -> float:
    found = (finding.number(exact), finding.number(bound), otherwise)
    return next(number for number in found if number is not None)


def _earlier_dli_was_given(view: View) -> Sides:
    absent = view.stated(_ABSENCE, "clin:absenceOf").values()
    return bool(view.of("clin:EarlierInfusion")), "clin:EarlierInfusion" in absent


def _benefit_of_earlier_dli_is_documented(view: View) -> Sides:
    responses = view.stated("clin:EarlierInfusion", "clin:response").values()
    return "clin:PositiveResponse" in responses, any(
        response in responses for response in ("clin:NoResponse", _NOT_DOCUMENTED)
    )


_NOT_DOCUMENTED = "clin:ResponseNotDocumented"


# Four more, which the design names among the advisories only.
def _plan_is_medicaid(view: View) -> Sides:
    line = view.picture.line_of_business
    return line == "case:Medicaid", line not in (None, "case:Medicaid")


def _given_within_a_clinical_trial(view: View) -> Sides:
    trial = view.picture.product.trial if view.picture.product else None
    return trial == "true", trial == "false"


def _lymphocyte_donor_differs(view: View) -> Sides:
    donor = view.picture.product.donor if view.picture.product else None
    return donor == "clin:DifferentDonor", donor == "clin:TransplantDonor"


def _lymphocytes_from_transplant_donor(view: View) -> Sides:
    differs, same = _lymphocyte_donor_differs(view)
    return same, differs


def _chronic_gvhd_is_present(view: View) -> Sides:
    severities = view.stated("clin:ChronicGvHDAssessment", "clin:chronicSeverity").values()
    return any(severity != "clin:NoChronicGvHD" for severity in severities), "clin:NoChronicGvHD" in severities


# Each condition, by the last part of its IRI: whether a view speaks for it, and against.
CONDITIONS: Mapping[str, Callable[[View], Sides]] = {
    function.__name__.removeprefix("_").replace("_", "-"): function
    for function in (
        _service_is_dli,
        _plan_is_not_medicare,
        _after_allogeneic_transplant,
        _reason_is_hematologic_malignancy,
        _disease_relapsed_refractory_or_progressing,
        _disease_is_relapsed,
        _lowering_relapse_risk_is_a_purpose,
        _mrd_is_detected,
        _relapse_risk_is_raised,
        _raising_donor_chimerism_is_the_only_purpose,
        _raising_donor_chimerism_is_a_purpose,
        _chimerism_is_mixed,
        _lymphocytes_genetically_modified,
        _lymphocytes_manipulated_ex_vivo,
        _acute_gvhd_of_grade_2_or_higher,
        _earlier_dli_was_given,
        _benefit_of_earlier_dli_is_documented,
        _chimerism_is_full,
        _plan_is_medicaid,
        _given_within_a_clinical_trial,
        _lymphocyte_donor_differs,
        _lymphocytes_from_transplant_donor,
        _chronic_gvhd_is_present,
    )
}
_VALUES = {(True, False): "holds", (False, True): "fails", (False, False): "unknown", (True, True): "conflicting"}


def choices(places: Collection[int]) -> Iterable[frozenset[int]]:
    """Every choice of findings, none and all included."""
    ordered = sorted(places)
    return map(frozenset, chain.from_iterable(combinations(ordered, size) for size in range(len(ordered) + 1)))


def values(picture: Picture) -> Both:
    """Of each condition the value that it has whichever choice is made, and what perhaps speaks for and against it.

    The second is the value that it would have if it held where it holds under any choice, and failed likewise.
    """
    how = standing(picture)
    sure, perhaps = how.which(COUNTS), how.which(PERHAPS)
    views = [View(picture, sure | chosen, how.links) for chosen in choices(perhaps)]
    found = {}
    for name, condition in CONDITIONS.items():
        sides = {condition(view) for view in views}
        any_way = any(holds for holds, _ in sides), any(fails for _, fails in sides)
        found[name] = (_VALUES[next(iter(sides))] if len(sides) == 1 else "unknown", _VALUES[any_way])
    return found


# ---------------------------------------------------------------------- what is combined (design, sections 3.2 and 3.3)


def counted(least: int, values: Sequence[str]) -> str:
    """What "at least so many of" comes to, by every way in which the parts that are open can turn out."""
    settled = ("holds", "fails")
    ways = product(*([value] if value in settled else settled for value in values))
    reached = {way.count("holds") >= least for way in ways}
    if len(reached) == 1:
        return "holds" if reached.pop() else "fails"
    return "conflicting" if "conflicting" in values else "unknown"


def outcome_by_trial(
    values: Mapping[str, str], meets: Callable[[Mapping[str, bool]], bool]
) -> tuple[str, frozenset[str]]:
    """The outcome of a case to which the policy applies, and what can still change it, by every way it can turn out.

    Args:
        values: of the conditions.
        meets: whether a case meets the criteria, by which of the conditions hold on it.
    """
    is_open = [name for name, value in values.items() if value in ("unknown", "conflicting")]
    settled = {name: value == "holds" for name, value in values.items() if name not in is_open}
    ways = [dict(zip(is_open, way, strict=True)) for way in product((True, False), repeat=len(is_open))]
    can_change = frozenset(
        name
        for name in is_open
        if any(meets(settled | way | {name: True}) != meets(settled | way | {name: False}) for way in ways)
    )
    if not can_change:
        return ("CriteriaMet" if meets(settled | ways[0]) else "CriteriaNotMet"), can_change
    conflicting = any(values[name] == "conflicting" for name in can_change)
    return ("InformationConflicting" if conflicting else "InformationNeeded"), can_change
