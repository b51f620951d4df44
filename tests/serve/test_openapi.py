"""The description of the interface is true of the pages."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from kb_tools.serve.pages import COMPARING, FIXED, OF_IRIS, TRY

# A page of each kind, and a second one where the content differs much.
PAGES = {
    "start": ("/",),
    "search": ("/search?q=gvhd", "/search"),
    "questions": ("/questions",),
    "question": ("/questions/where-cited",),
    "model": ("/model",),
    "try": ("/try", "/try?revision=CP.MP.101/2019-10"),
    "compare": ("/CP.MP.101/compare",),
    "comparison": ("/CP.MP.101/compare/2019-10/2026-02", "/CP.MP.101/compare/2022-10/2026-02"),
    "policy": ("/CP.MP.101", "/CP.MP.101?on=2010-01-01"),
    "revision": ("/CP.MP.101/2026-02", "/CP.MP.101/2022-10"),
    "criterion": ("/CP.MP.101/criterion/acute-gvhd", "/CP.MP.101/criterion/other-indications"),
    "condition": ("/condition/acute-gvhd-of-grade-2-or-higher",),
    "reference": ("/CP.MP.101/reference/frey-2008",),
    "code": ("/code/cpt/38242",),
    "example": ("/example/refractory-leukemia-meets",),
    "vocabulary": ("/clinical", "/condition"),
    "thing": ("/clinical/AcuteMyeloidLeukemia", "/shape/Case"),
}


@pytest.fixture(scope="module")
def description(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


def closed(schema: Any) -> Any:
    """A schema in which no object may have what it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    known = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        known["additionalProperties"] = False
    return known


def test_every_page_is_described(description: Any) -> None:
    # Two policies are not on file here: test_policies_compared reads their page.
    assert {*PAGES, "policies_compared"} == {page.name for page in (*FIXED, TRY, *COMPARING, *OF_IRIS)}
    read = [path["get"]["operationId"] for path in description["paths"].values() if "get" in path]
    queries, programs = ("sparql", "sparqlOfRevision", "answer", "terms"), ("diff", "criteria", "readyQuestions", "ask")
    assert sorted(read) == sorted([*PAGES, "policies_compared", *queries, *programs, "health", "ready", "metrics"])
    assert all(
        schema.get("description") for name, schema in description["components"]["schemas"].items() if name != "Problem"
    )


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_its_schema_says_and_no_more(client: TestClient, description: Any, name: str) -> None:
    reading = [path["get"] for path in description["paths"].values() if "get" in path]
    (operation,) = (found for found in reading if found["operationId"] == name)
    envelope, content = operation["responses"]["200"]["content"]["application/json"]["schema"]["allOf"]
    components = closed(description["components"])
    for path in PAGES[name]:
        page = client.get(path, headers={"Accept": "application/json"}).json()
        Draft202012Validator({**envelope, "components": components}).validate(page)
        body = {key: value for key, value in page.items() if key not in ("page", "on")}
        Draft202012Validator({**content, "components": components}).validate(body)


def test_an_error_is_as_its_schema_says(client: TestClient, description: Any) -> None:
    error = client.get("/nowhere", headers={"Accept": "application/json"}).json()
    Draft202012Validator(description["components"]["schemas"]["Problem"]).validate(error)
