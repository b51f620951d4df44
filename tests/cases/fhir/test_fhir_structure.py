"""The quick check of structure against the library: what it takes the library takes, and the record can be left out."""

from __future__ import annotations

import copy
import io
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count as count_from
from typing import Any

import pytest
from bundles import DATA

from kb_tools.cases.case import Case
from kb_tools.cases.fhir import structure
from kb_tools.cases.fhir.element import Element, TrackedElement
from kb_tools.cases.fhir.r4 import READ_TYPES, library_class
from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.isolate import isolate
from kb_tools.cases.reader import CaseReader
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf import nesting

pytestmark = pytest.mark.usefixtures("pseudonym_key")
# So many changed resources of each example are held against the library.
CHANGED = 12
VALUES: list[Any] = [
    *(None, True, 0, 1, 2.5, "", "x", "2025", "2025-02", "2025-02-30", "2025-13-01", "0000-01-01"),
    *("2026-06-30T10:00:00Z", "2026-06-30T10:00:00", "2026-06-30T23:59:60Z", "10:00:00", "25:00:00"),
    *([], {}, ["x"], [{}], [None], [None, {}], [1, {}], [[{}]], ["x", 1], {"x": 1}, {"id": 1}, {"value": 1}),
    *({"coding": [{"code": "x"}]}, {"coding": {}}, {"reference": "Patient/p"}, {"resourceType": "Patient"}),
    {"extension": [{"url": "u", "valueString": "x"}]},
]
NAMES = (
    *(
        "id",
        "extension",
        "modifierExtension",
        "implicitRules",
        "meta",
        "contained",
        "text",
        "_status",
        "_code",
        "value",
    ),
    *("valueString", "valueInteger", "valueQuantity", "coding", "code", "onsetString", "abatementDateTime", "zzz"),
    *("resourceType", "effectiveDateTime", "performedPeriod", "occurrenceDateTime", "medicationCodeableConcept"),
)


def bundles() -> Iterator[Any]:
    for path in sorted(DATA.glob("*.json")):
        if path.stem != "manifest":
            yield json.loads(path.read_text(encoding="utf-8"))


def resources() -> list[dict[str, Any]]:
    found = [entry["resource"] for bundle in bundles() for entry in bundle["entry"] if "resource" in entry]
    return [content for content in found if content["resourceType"] in (*READ_TYPES, "Medication")]


def spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value: what holds it, and its key or number there."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from spots(inner)


def changed(content: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A resource with one to three elements dropped, renamed, of another type, put in a list or taken out of one."""
    content = copy.deepcopy(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        holder, key = chance.choice(list(spots(content)))
        how, value = chance.randrange(6), copy.deepcopy(chance.choice(VALUES))
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, dict):
            holder[chance.choice(NAMES)] = holder.pop(key)
        elif how == 2 and isinstance(holder, dict):
            holder[chance.choice(NAMES)] = value
        elif how == 3:
            holder[key] = [holder[key]]
        elif how == 4 and isinstance(holder[key], list) and holder[key]:
            holder[key] = holder[key][0]
        else:
            holder[key] = value
    return content


def is_taken(content: dict[str, Any]) -> bool:
    """Whether the library takes a resource."""
    try:
        library_class(content["resourceType"])(content)
    except Exception:
        return False
    return True


def test_what_the_quick_check_takes_the_library_takes() -> None:
    chance = random.Random(13)
    quick = refused = 0
    for original in resources():
        for content in (original, *(changed(original, chance) for _ in range(CHANGED))):
            type_ = content.get("resourceType")
            if not isinstance(type_, str) or type_ != original["resourceType"]:
                continue
            taken = is_taken(content)
            refused += not taken
            if structure.is_surely_valid(type_, content):
                quick += 1
                assert taken, content
    assert quick > 800 and refused > 800


def test_the_answer_is_the_same_without_the_quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(31)
    contents = [changed(original, chance) for original in resources() for _ in range(CHANGED)]
    contents = [content for content in contents if isinstance(content.get("resourceType"), str)]

    def reasons() -> list[str]:
        found = []
        for content in contents:
            try:
                found.append(Resource("entry[0]", content["resourceType"], content).invalid())
            except Exception as error:
                found.append(str(error))
        return found

    quick = reasons()
    monkeypatch.setattr("kb_tools.cases.fhir.resource.is_surely_valid", lambda type_, content: False)
    assert quick == reasons()
    assert len(quick) > 1000 and 0 < quick.count("") < len(quick)


def test_most_resources_need_no_library() -> None:
    plain = [content for content in resources() if is_taken(content)]
    quick = [content for content in plain if structure.is_surely_valid(content["resourceType"], content)]
    assert len(quick) > 0.9 * len(plain)


@pytest.mark.parametrize(
    "element",
    [
        {"contained": [{"resourceType": "Patient"}]},
        {"modifierExtension": [{"url": "u"}]},
        {"implicitRules": "u"},
        {"_status": {"id": "a"}},
        {"value": 1},
        {"note": None},
        {"subject": {"resourceType": "Reference"}},
        {"category": [None]},
        {"resourceType": "Condition"},
    ],
    ids=lambda element: next(iter(element)),
)
def test_what_is_more_than_structure_is_left_to_the_library(element: dict[str, Any]) -> None:
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert structure.is_surely_valid("Observation", observation)
    assert not structure.is_surely_valid("Observation", observation | element)


def test_a_type_that_the_library_does_not_have_is_not_surely_valid() -> None:
    assert not structure.is_surely_valid("OBSERVATION", {"resourceType": "OBSERVATION"})
    assert not structure.is_surely_valid("Nothing", {"resourceType": "Nothing"})


def test_without_the_record_a_case_says_the_same(kb: Repository) -> None:
    with_record, without = CaseReader(kb), CaseReader(kb, record=False)
    count = 0
    for path in sorted(DATA.glob("*.json")):
        if path.stem == "manifest":
            continue
        (one,), (other,) = (list(reader.stream("a", path, io.BytesIO())) for reader in (with_record, without))
        if isinstance(one, Case) and isinstance(other, Case):
            count += 1
            assert one.reading is not None and other.reading is None
            assert (one.about, one.notices, one.digest) == (other.about, other.notices, other.digest)
            assert list(one.places.values()) == list(other.places.values())
        else:
            assert str(one) == str(other)
    assert count > 40


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [{"b": "]]}}"}, {}]}',
        r'{"a": "\\", "b": ["\"[[[["]}',
        "[" * 60 + "]" * 60,
        "[]" * 1000,
        '{"' + "[" * 500 + '": 1}',
    ],
)
def test_shallow_text_is_told_quickly(text: str) -> None:
    assert nesting.too_deep_at(text.encode(), nesting.JSON) is None
    # Of what alternates a round takes away two levels, of what does not one: then the scan says it.
    assert nesting.is_shallow(text.encode()) == (text[:60] != "[" * 60)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [101, 150, 400])
def test_deep_text_is_never_told_to_be_shallow(opening: str, depth: int) -> None:
    levels = opening.count("[") + opening.count("{")
    text = opening * (-(-depth // levels))
    closing = "".join({"[": "]", "{": "}"}[sign] for sign in reversed(text) if sign in "[{")
    assert not nesting.is_shallow((text + "1" + closing).encode())
    assert not nesting.is_shallow(text.encode())


def test_a_case_of_fhir_is_the_same_through_the_door_of_every_format(kb: Repository) -> None:
    """What the reader of FHIR vouches for (`Content.root`) is what `isolate` otherwise finds out by itself."""
    reader, count = FhirReader(kb), 0
    for path in sorted(DATA.glob("*.json")):
        try:
            content = reader.bundle(path.read_bytes(), path.name)
        except UnreadableInput:
            continue
        assert content.root is not None
        (one,), (other,) = (isolate(kb, given, count_from(1)) for given in (content, replace(content, root=None)))
        assert one == other
        count += 1
    assert count > 40


def test_it_is_remembered_what_was_looked_at() -> None:
    coding = {"system": "s", "code": "c", "display": "d"}
    content = {"resourceType": "X", "code": {"coding": [coding, 1, coding], "text": "t"}, "a": {"b": 1}, "c": None}
    root = TrackedElement(content)
    assert (root.read(), root.unread()) == ((), ["code", "a", "c"])
    code = root.one("code")
    assert code is not None and root.one("code") is code and code.all("coding")[1].path == "code.coding[2]"
    assert root.get("c") is None and root.get("a") == {"b": 1}
    code.all("coding")[1].coded()
    assert root.read() == ("code", "a")
    rest = ["code.coding[0].system", "code.coding[0].code", "code.coding[0].display", "code.coding[2].display"]
    assert root.unread() == [*rest, "code.text", "a.b", "c"]
    aside = Element(content)
    assert aside.one("code") and aside.read() == () and aside.unread() == ["code", "a", "c"]
