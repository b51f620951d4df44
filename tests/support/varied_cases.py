"""Varied cases as lines of plain JSON, as many as wanted, the same ones for the same seed.

What a case can state is read from the case shapes, so that a new key, term or class of findings is drawn without a
change here. A case has 1 to 30 findings around its service date, often several of one class on one day, exact values
and bounds, values that differ, doubts, groups and kinds of diseases; one in twenty is malformed or cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from kb_tools.cases.form import ROOT, CaseForms, Form, Key
from kb_tools.model.repository import Repository

Json = dict[str, Any]

# What plans mostly send, so that every part of the criteria is reached; else any term is drawn.
USUAL = {
    "lineOfBusiness": ("Commercial", "Medicaid", "Commercial"),
    "service": ("DonorLymphocyteInfusion",),
    "reason": ("AcuteMyeloidLeukemia", "Leukemia", "MultipleMyeloma", "DiffuseLargeBCellLymphoma"),
    "graftSource": ("CordBlood", "MatchedRelatedDonor", "Allogeneic", "Autologous"),
    "diseaseStatus": ("Relapsed", "CompleteRemission", "InRemission"),
    "method": ("FlowCytometry", "PolymeraseChainReaction"),
    "lineage": ("TCells", "WholeBlood"),
    "processing": ("Unmanipulated",),
    "lymphocyteDonor": ("TransplantDonor",),
}
DAYS_BEFORE = (900, 400, 365, 100, 100, 60, 30, 30, 30, 14, 7, 7, 7, 1, 0, -1)
PERCENTS = ("0", "5", "89", "89.9", "89.99", "90", "90.0", "90.1", "95", "99.9", "100", "100.0")
GRADES = ("0", "1", "2", "3", "4")
FIRST_SERVICE, DAYS_OF_SERVICE = date(2024, 1, 1), 1000
# Of 100 cases, how many break the case shapes or the format, and how many are no JSON at all.
BROKEN, TORN = 4, 1


def varied(kb: Repository, count: int, seed: int = 71, findings: int = 30) -> Iterator[bytes]:
    """So many lines, each a case of plain JSON, or what was meant to be one.

    Args:
        findings: the most findings of a case.
    """
    forms = CaseForms(kb).forms
    chance = Random(seed)
    for number in range(count):
        case = _case(forms, chance, number, findings)
        drawn = chance.randrange(100)
        if drawn < BROKEN:
            _break(case, chance)
        line = _text(case)
        if drawn == BROKEN:
            line = line[: chance.randrange(1, len(line))]
        yield line.encode() + b"\n"


def _text(case: Json) -> str:
    """The case as JSON; what is marked as a number is written as it stands."""
    return json.dumps(case).replace('"#', "").replace('#"', "")


def _case(forms: dict[str, Form], chance: Random, number: int, most: int) -> Json:
    service_date = FIRST_SERVICE + timedelta(chance.randrange(DAYS_OF_SERVICE))
    root = forms[ROOT]
    case: Json = {"id": f"request-{number}", "patient": f"pseudonym-{chance.randrange(10**9)}"}
    for key in root.keys.values():
        if key.terms and chance.random() < 0.95:
            case[key.name] = _term(key, chance)
    request = _object(forms["Request"], forms, chance, service_date)
    request["serviceDate"] = str(service_date)
    case["request"] = request
    kinds = root.keys["findings"].classes
    # Most cases have a few findings, some have many; half of them have several of one class, which must meet to differ.
    few = chance.random() < 0.8
    drawn = chance.choices(kinds, k=chance.randint(1, 8 if few else most))
    if chance.random() < 0.4:
        drawn = [drawn[0]] * min(len(drawn), 4) + drawn[4:]
    same_day = chance.choice(DAYS_BEFORE)
    case["findings"] = [
        {"type": kind, **_finding(forms[kind], forms, chance, service_date, request.get("reason"), same_day)}
        for kind in drawn
    ]
    return case


def _finding(
    form: Form, forms: dict[str, Form], chance: Random, service_date: date, reason: str | None, same_day: int
) -> Json:
    before = same_day if chance.random() < 0.3 else chance.choice((chance.choice(DAYS_BEFORE), chance.randrange(1500)))
    found = _object(form, forms, chance, service_date)
    found["date"] = str(service_date - timedelta(before))
    if "disease" in found and reason and chance.random() < 0.6:
        found["disease"] = reason
    return found


def _object(form: Form, forms: dict[str, Form], chance: Random, service_date: date) -> Json:
    found: Json = {}
    numbers = [key for key in form.keys.values() if key.bounds]
    if numbers and chance.random() < 0.85:
        found.update(_numbers(numbers, chance))
    for key in form.keys.values():
        if key in numbers or not (key.required or chance.random() < _how_often(key)):
            continue
        value = _value(key, forms, chance, service_date)
        found[key.name] = [value] if key.many else value
        if key.many and key.terms and chance.random() < 0.2:
            found[key.name].append(_value(key, forms, chance, service_date))
    return found


def _how_often(key: Key) -> float:
    return {"inDoubt": 0.08, "procedureCodes": 0.5}.get(key.name, 0.85)


def _value(key: Key, forms: dict[str, Form], chance: Random, service_date: date) -> Any:
    if key.classes:
        return _object(forms[key.classes[0]], forms, chance, service_date)
    if key.terms:
        return _term(key, chance)
    if key.is_code:
        return chance.choice(("cpt:38242", "cpt:38242", "cpt:38240", "hcpcs:S2150"))
    if key.datatype and key.datatype.endswith("#boolean"):
        return chance.random() < 0.5
    if key.datatype and key.datatype.endswith("#date"):
        return str(service_date)
    return chance.choice(("a newer report could not be read", "the text may mean something newer"))


def _term(key: Key, chance: Random) -> str:
    usual = USUAL.get(key.name, tuple(key.terms))
    return chance.choice(usual) if chance.random() < 0.8 else chance.choice(list(key.terms))


def _numbers(keys: list[Key], chance: Random) -> Json:
    """An exact value, or a bound, or two that agree."""
    are_integers = all(key.datatype is not None and key.datatype.endswith("#integer") for key in keys)

    def number() -> str:
        if are_integers:
            return chance.choice(GRADES)
        return (
            chance.choice(PERCENTS)
            if chance.random() < 0.5
            else f"{chance.uniform(0, 100):.{chance.choice((0, 1, 2))}f}"
        )

    exact = [key for key in keys if not key.name.endswith(("AtLeast", "AtMost", "Below"))]
    if chance.random() < 0.7:
        return {chance.choice(exact).name: f"#{number()}#"}
    bounds = {key.name.removeprefix(exact[0].name): key for key in keys if key not in exact}
    low, high = sorted((number(), number()), key=float)
    chosen = chance.choice((("AtLeast",), ("AtMost",), ("AtLeast", "AtMost"), ("Below",)))
    values = {"AtLeast": low, "AtMost": high, "Below": high if float(high) else "1"}
    return {bounds[end].name: f"#{values[end]}#" for end in chosen if end in bounds}


def _break(case: Json, chance: Random) -> None:
    """Makes one of the slips that people and programs make."""
    finding = chance.choice(case["findings"])
    slips: list[tuple[Json, str, Any]] = [
        (finding, "date", chance.choice(("2026-02-30", "2026-06-20T10:00:00", "20.6.2026", None))),
        (finding, "basis", "Chart"),
        (finding, "donorPercnt", "#12#"),
        (finding, "grade", chance.choice(("#7#", "2", "#1.5#"))),
        (finding, "donorPercentAtLeast", f"#{chance.randrange(90, 300)}#"),
        (case["request"], "serviceDate", chance.choice(("2026-13-01", "soon"))),
        (case["request"], "reason", chance.choice(("AML", "Leukaemia"))),
        (case["request"], "product", {"processing": ["Unmanipulated", "CD4Selection"]}),
        (case, "lineOfBusiness", "Comercial"),
        (case, "patient", "Jane Doe"),
    ]
    holder, key, value = chance.choice(slips)
    holder[key] = value
    if chance.random() < 0.1:
        del finding["basis"]
