"""The query editor: its page with and without script, what it completes, and what is shipped for it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kb_tools.ask.sparql import check
from kb_tools.serve import html
from kb_tools.serve.editor import first_query
from kb_tools.serve.security import HEADERS
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "kb_tools/serve/static/vendor"


def test_the_page_has_the_first_query_with_our_prefixes_in_a_form(client: TestClient, bench: Workbench) -> None:
    page = client.get("/query").text
    text = first_query(bench)
    assert text.startswith("PREFIX pol: <https://w3id.org/policykb/policy#>\n")
    assert check(text).form == "SELECT"
    shown = re.findall(r'<textarea[^>]*name="query"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert [area.replace("&lt;", "<").replace("&gt;", ">") for area in shown] == [text]
    assert '<form id="ask" class="ask" method="post" action="/query"' in page
    assert '<option value="CP.MP.101/2026-02">' in page


def test_without_script_the_form_asks(client: TestClient, bench: Workbench) -> None:
    page = client.post("/query", data={"query": first_query(bench).replace("\n", "\r\n"), "reads": ""})
    assert page.status_code == 200
    assert '<a href="/CP.MP.101/criterion/acute-gvhd"' in page.text
    assert "7 rows from CP.MP.101/2026-02." in page.text
    other = client.post("/query", data={"query": first_query(bench), "reads": "CP.MP.101/2019-10"}).text
    assert "7 rows from CP.MP.101/2019-10." in other
    assert '<option value="CP.MP.101/2019-10" selected>' in other
    assert ">yes</p>" in client.post("/query?on=2020-01-01", data={"query": "ASK {}", "reads": ""}).text
    graph = client.post("/query", data={"query": "CONSTRUCT { ?x a pol:Code } WHERE { ?x a pol:Code }", "reads": "all"})
    assert "cpt:38242 a pol:Code" in graph.text


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ({"query": "DROP ALL"}, "updates are refused: the knowledge base is only read"),
        ({"query": "SELECT"}, "line 1: not a SPARQL query, it ends too early"),
        ({"query": "ASK {}", "reads": "CP.MP.101/2031-01"}, "there is no revision &#39;CP.MP.101/2031-01&#39;"),
        ({}, "line 1: not a SPARQL query, it ends too early"),
    ],
)
def test_what_is_wrong_is_said_and_the_query_stays(client: TestClient, form: dict[str, str], line: str) -> None:
    page = client.post("/query", data=form or {"reads": ""})
    assert (page.status_code, f'role="alert">{line}' in page.text) == (400, True)
    assert f">{form.get('query', '')}</textarea>" in page.text


def test_a_query_is_no_markup_and_stands_in_no_address(client: TestClient) -> None:
    hostile = "</textarea><script>alert(1)</script>"
    for page in (
        client.post("/query", data={"query": hostile, "reads": hostile}),
        client.post("/query", data={"query": f'SELECT ("{hostile}" AS ?x) (<urn:x:"> AS ?y) {{}}'.replace('"', "'")}),
        client.post("/query", data={"query": f"SELECT ('{hostile}' AS ?x) {{}}"}),
    ):
        assert "<script>alert" not in page.text
    assert "ASK {}" not in client.get("/query?query=ASK+{}").text
    assert client.post("/query", content="ASK {}", headers={"Content-Type": "text/plain"}).status_code == 415


def test_the_terms_are_ours_with_names_in_words(client: TestClient) -> None:
    found = client.get("/query/terms.json").json()
    terms = {term["name"]: term for term in found["terms"]}
    assert found["prefixes"]["clin"] == found["base"] + "clinical#"
    assert terms["clin:AcuteMyeloidLeukemia"]["label"] == "acute myeloid leukemia"
    assert terms["pol:Code"]["kind"] == "class"
    assert {"crit:acute-gvhd", "cond:disease-is-relapsed", "cpt:38242", "skos:notation"} <= set(terms)
    assert not [name for name in terms if name.startswith("<")]


def test_the_policy_of_the_page_lets_one_style_pass_and_no_more(client: TestClient) -> None:
    usual = HEADERS["Content-Security-Policy"]
    policy = client.get("/query").headers["content-security-policy"]
    assert re.sub(r" 'sha256-[^']+'", "", policy) == usual
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert client.get("/questions").headers["content-security-policy"] == usual


def test_what_is_shipped_is_what_the_list_says(client: TestClient) -> None:
    described: Any = json.loads((VENDOR / "vendor.json").read_text())
    listed = {name: digest for package in described for name, digest in package["files"].items()}
    assert {path.name for path in VENDOR.iterdir()} == {*listed, "vendor.json", "LICENSES.txt"}
    for name, digest in listed.items():
        content = (VENDOR / name).read_bytes()
        assert digest == f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
        assert client.get(f"/static/vendor/{name}").content == content
    notice = (ROOT / "NOTICE").read_text()
    licences = (VENDOR / "LICENSES.txt").read_text()
    for package in described:
        assert package["licence"] == "MIT"
        assert f"{package['package']} {package['version']}" in notice
        assert f"\n{package['package']}, MIT\n" in licences
    assert not set(html.assets()) & set(html.editor())
    assert not [name for name in html.assets() if name.startswith("vendor/")]
