"""A client of DTR for tests: fills a Questionnaire from a chart by its own expressions, with an engine of FHIRPath."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhirpathpy import compile as compiled
from fhirpathpy.models import models

from kb_tools.cases.fhir.origin import ORIGIN
from kb_tools.render.population import CONTEXT, INITIAL, SEARCHES

Json = dict[str, Any]
_VALUES = {"date": "valueDate", "integer": "valueInteger", "decimal": "valueDecimal", "choice": "valueCoding"}


def searched(resources: list[Json]) -> Json:
    """What the searches of a chart find among resources, by variable."""
    found = {}
    for name, search in SEARCHES.items():
        held = [{"resource": one} for one in resources if one["resourceType"] == search.partition("?")[0]]
        found[name] = {"resourceType": "Bundle", "type": "searchset", "entry": held}
    return found


def filled(questionnaire: Json, resources: list[Json], source: str = "auto") -> list[Json]:
    """The items of a QuestionnaireResponse that the chart fills, each answer with where it comes from."""
    known = {"questionnaire": _plain(questionnaire), **searched(resources)}
    return list(_filled(questionnaire["item"], known, source))


def _plain(content: Any) -> Any:
    """A form without its extensions, which the engine would have to walk through for each expression."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items() if key != "extension"}
    return [_plain(value) for value in content] if isinstance(content, list) else content


def _filled(items: list[Json], known: Json, source: str) -> Iterator[Json]:
    for item in items:
        context = _of(item, CONTEXT)
        if context:
            for one in evaluated(context["expression"], known):
                inner = list(_filled(item["item"], {**known, context["name"]: one}, source))
                yield {"linkId": item["linkId"], "item": inner}
        elif item["type"] == "group":
            inner = list(_filled(item["item"], known, source))
            if inner:
                yield {"linkId": item["linkId"], "item": inner}
        elif initial := _of(item, INITIAL):
            answers = [_answer(item, value, source) for value in evaluated(initial["expression"], known)]
            if answers:
                yield {"linkId": item["linkId"], "answer": answers}


def _answer(item: Json, value: Any, source: str) -> Json:
    plain = value if isinstance(value, dict | int) else float(value) if item["type"] == "decimal" else str(value)
    origin = {"url": ORIGIN, "extension": [{"url": "source", "valueCode": source}]}
    return {"extension": [origin], _VALUES[item["type"]]: plain}


def _of(item: Json, url: str) -> Json | None:
    found = [extension["valueExpression"] for extension in item.get("extension", ()) if extension["url"] == url]
    assert len(found) < 2
    return found[0] if found else None


_known: dict[str, Any] = {}


def evaluated(expression: str, known: Json) -> list[Any]:
    """What an expression gives."""
    if expression not in _known:
        _known[expression] = compiled(expression, models["r4"])
    return list(_known[expression]({}, known))
