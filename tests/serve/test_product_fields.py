"""Products in the form of the page that tries a case: cells are fields of their own, other kinds are rows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pr8 import line as line_of
from pr8 import of, read

from kb_tools.cases.case import Case
from kb_tools.cases.form import CaseForms
from kb_tools.model.repository import Repository
from kb_tools.render.case_json import write
from kb_tools.serve.case.fields import of_case, of_json, written
from kb_tools.serve.case.form import section, title_of

CELLS = {"processing": ["Unmanipulated"]}
PUMP, DRUG = of("Device", deviceType="PatchPump"), of("Drug", dose=300, substance="Exemplumab")
# What a case states, the fields that state it, and where in plain JSON each stands.
STATED: list[tuple[Any, dict[str, list[str]], dict[str, str]]] = [
    (CELLS, {"product.processing": ["Unmanipulated"]}, {"product": "product"}),
    (PUMP, {"product[0].type": ["Device"], "product[0].deviceType": ["PatchPump"]}, {"product": "product[0]"}),
    (
        [CELLS, PUMP, DRUG],
        {
            "product.processing": ["Unmanipulated"],
            "product[0].type": ["Device"],
            "product[0].deviceType": ["PatchPump"],
            "product[1].type": ["Drug"],
            "product[1].substance": ["Exemplumab"],
            "product[1].dose": ["300"],
        },
        {"product[0]": "product", "product[1]": "product[0]", "product[2].dose": "product[1].dose"},
    ),
]


def of_product(found: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("case.request."): said for name, said in found.items() if ".product" in name}


@pytest.mark.parametrize(("products", "fields", "places"), STATED, ids=["cells", "a device", "three kinds"])
def test_products_go_into_the_form_and_come_back_as_they_were(
    with_pr8: Repository, products: Any, fields: dict[str, list[str]], places: dict[str, str]
) -> None:
    forms, text = CaseForms(with_pr8), line_of(1, products)
    (case,) = read(with_pr8, [text])
    assert isinstance(case, Case)
    stated = of_case(forms, case)
    by_row = [sorted(values) for name, values in of_product(stated).items()]
    assert sorted(by_row) == sorted(sorted(values) for values in fields.values())
    assert write(forms, case)["request"]["product"] == products
    back = written(forms, {f"case.request.{name}": values for name, values in fields.items()})
    assert (back.content["request"]["product"], back.unknown) == (products, [])
    assert {place: back.fields[f"request.{place}"] for place in places} == {
        place: f"case.request.{name}" for place, name in places.items()
    }
    as_text = of_product(of_json(text))
    assert sorted(map(sorted, as_text.values())) == sorted(map(sorted, fields.values()))
    assert {name for name in as_text if "[" not in name} == {name for name in fields if "[" not in name}


def test_the_form_offers_each_kind(with_pr8: Repository) -> None:
    form = section(CaseForms(with_pr8), None, {})
    request = next(field for field in form["fields"] if field["key"] == "request")["sections"][0]
    (product,) = (field for field in request["fields"] if field["key"] == "product")
    assert (product["control"], [inner["name"] for inner in product["sections"]]) == (
        "object",
        ["Product", "Catheter", "Device", "Drug", "SiteOfService"],
    )
    fields = {"case.request.product[0].type": ["Device"]}
    assert title_of(form, fields, "case.request.product[0].deviceType") == "device 1, device type"


def test_the_schema_takes_one_object_or_one_of_each(with_pr8: Repository) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from kb_tools.cases.schema import schema

    validator = jsonschema.Draft202012Validator(schema(CaseForms(with_pr8)))
    taken = [CELLS, {**CELLS, "type": "Product"}, PUMP, [PUMP], [CELLS, PUMP, DRUG], {}]
    refused = [{"deviceType": "PatchPump"}, of("Device", dose=3), of("Devise"), "Device", [PUMP] * 6]
    assert [validator.is_valid(json.loads(line_of(1, one))) for one in taken + refused] == [True] * 6 + [False] * 5
