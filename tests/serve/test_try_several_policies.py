"""The page that tries a case where several policies are on file: the rule of kb validate says which is meant."""

from __future__ import annotations

import json
import re
from html import unescape
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from bundles import content, resources
from starlette.applications import Starlette
from starlette.testclient import TestClient

from kb_tools.model.repository import Repository
from kb_tools.serve.case import routes
from kb_tools.serve.case.desk import Desk
from kb_tools.serve.determining import Determining
from kb_tools.serve.workbench import Workbench

EXAMPLE = "CP.MP.101/acute-gvhd-of-grade-2-excludes"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CASE = {
    "case.patient": "p",
    "case.lineOfBusiness": "Commercial",
    "case.request.service": "DonorLymphocyteInfusion",
    "case.request.serviceDate": "2026-07-01",
}
CHOICE = "choose under “Determine under”: CG-TRANS-03, CP.MP.101"
BOTH = f"the case names 2 policies; state the payer of the coverage, or {CHOICE}"


@pytest.fixture(scope="module")
def bench(kb: Repository) -> Workbench:
    return Workbench(kb)


@pytest.fixture
def page(kb: Repository, bench: Workbench, no_policy_preferred: None) -> TestClient:
    return _client(kb, bench)


def _client(kb: Repository, bench: Workbench) -> TestClient:
    """The page by itself, whose cases are determined in this process."""
    desk = Desk(kb)
    workers = SimpleNamespace(ask=lambda operation, *given: getattr(desk, operation)(*given))
    here = cast(Determining, SimpleNamespace(workers=workers))
    return TestClient(Starlette(routes=routes.routes(bench, here)))


def posted(page: TestClient, fields: dict[str, Any], **control: str) -> str:
    return page.post("/try", content=urlencode({**fields, **control}, doseq=True), headers=FORM).text


def head(text: str) -> str:
    """What stands at the head of the answer."""
    found = re.search(r'<p id="outcome"[^>]*>(.*?)</p>', text, re.DOTALL)
    assert found
    return unescape(re.sub(r"<[^>]*>", "", found[1]))


def refusal(text: str) -> str:
    found = re.search(r'<p class="slips">(.*?)</p>', text)
    return unescape(found[1]) if found else ""


def first_choice(text: str) -> str:
    found = re.search(r'<select id="revision".*?<option value="([^"]*)"( selected)?>([^<]*)<', text, re.DOTALL)
    assert found and found[1] == ""
    return found[3]


def asks(text: str) -> set[str]:
    """The criteria that ask for something beside the fields."""
    return set(re.findall(r"<li>Asked for by ([^:]*):", text))


def test_a_case_that_names_several_policies_is_not_determined_and_the_choice_is_shown(page: TestClient) -> None:
    text = posted(page, CASE)
    assert first_choice(text) == "the policy that the case names"
    assert (head(text), refusal(text), asks(text)) == ("Not determined", BOTH, set())
    chosen = posted(page, CASE, revision="CG-TRANS-03")
    assert head(chosen) == "Information needed CG-TRANS-03, revision 2024-10"
    assert '<option value="CG-TRANS-03" selected>' in chosen


@pytest.mark.parametrize(
    ("payer", "policy"),
    [("pay:centene", "CP.MP.101, revision 2026-02"), ("pay:anthem", "CG-TRANS-03, revision 2024-10")],
)
def test_the_payer_of_the_case_says_which_policy_is_meant_and_what_it_asks_stands_beside_the_fields(
    page: TestClient, payer: str, policy: str
) -> None:
    text = posted(page, {**CASE, "case.payer": payer})
    assert head(text) == f"Information needed {policy}"
    assert asks(text) == asks(posted(page, CASE, revision=policy.replace(", revision ", "/"))) != set()
    assert f'data-under="{policy.replace(", revision ", "/")}"' in text


def test_a_bundle_whose_payer_is_not_known_is_not_determined_as_though_it_named_none(page: TestClient) -> None:
    bundle = content()
    resources(bundle)["Coverage"]["payor"] = [{"display": "Acme"}]
    text = posted(page, {"text": json.dumps(bundle), "do": "read"})
    line = "entry[2] Coverage (payor) names a payer that no policy on file is of"
    assert (head(text), refusal(text)) == ("Not determined", f"{line}; {CHOICE}")
    assert f"<li>No payer is used: {line}.</li>" in text
    resources(bundle)["Coverage"]["payor"] = [{"display": "Anthem"}]
    assert head(posted(page, {"text": json.dumps(bundle), "do": "read"})).endswith("CG-TRANS-03, revision 2024-10")


def test_an_example_is_determined_under_its_policy_unless_another_is_chosen(page: TestClient) -> None:
    text = page.get(f"/try?example={EXAMPLE}").text
    assert head(text) == "Criteria not met CP.MP.101, revision 2026-02"
    assert '<option value="CP.MP.101" selected>' in text
    other = page.get(f"/try?example={EXAMPLE}&revision=CG-TRANS-03/2024-10").text
    assert head(other).endswith("CG-TRANS-03, revision 2024-10")


def test_the_policy_that_the_environment_names_is_meant_unless_the_case_states_another_payer(
    kb: Repository, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_POLICY", "CP.MP.101")
    page = _client(kb, bench)
    text = posted(page, CASE)
    assert first_choice(text) == "CP.MP.101, unless the case states another payer"
    assert head(text) == "Information needed CP.MP.101, revision 2026-02"
    assert asks(page.get("/try").text) != set()
    assert head(posted(page, {**CASE, "case.payer": "pay:anthem"})).endswith("CG-TRANS-03, revision 2024-10")


def kinds(text: str) -> tuple[list[str], list[str]]:
    """The kinds of findings that can be added: those that the revision reads, and those behind "more kinds"."""
    group = re.search(
        r'<div class="add" role="group" aria-label="Add a finding">(.*?)</div>\s*<template', text, re.DOTALL
    )
    assert group
    first, _, more = group[1].partition("<details>")
    return re.findall(r'data-add="(\w+)"', first), re.findall(r'data-add="(\w+)"', more)


def test_what_a_revision_does_not_read_stands_behind_what_it_reads(page: TestClient) -> None:
    text = page.get("/try?revision=CG-TRANS-03/2024-10").text
    read, more = kinds(text)
    assert (read, len(more), "MRDTest" in more) == (["StatedAbsence", "Transplant"], len(more), True)
    every, none = kinds(page.get("/try").text)
    assert (sorted(every), none) == (sorted(read + more), [])
    inner = re.findall(
        r'<details class="others"( open)?><summary>More fields</summary>(.*?)</details>', text, re.DOTALL
    )
    hidden = {name for _, part in inner for name in re.findall(r'name="([\w.]+)"', part)}
    assert {"case.lineOfBusiness", "case.request.patientAge", "case.request.purposes"} <= hidden
    assert not hidden & {"case.payer", "case.request.service", "case.request.product.processing"}
    assert not any(opened for opened, _ in inner)
    # What is stated all the same stays in sight.
    stated = posted(page, {**CASE, "case.request.patientAge": "44"}, revision="CG-TRANS-03/2024-10", do="determine")
    assert stated.count('<details class="others" open>') == 2


def test_the_examples_are_those_of_the_policy_that_is_chosen(page: TestClient) -> None:
    of_all = re.findall(r'<optgroup label="(CP\.MP\.101|CG-TRANS-03): ', page.get("/try").text)
    assert set(of_all) == {"CP.MP.101", "CG-TRANS-03"}
    of_one = page.get("/try?revision=CG-TRANS-03").text
    assert 'value="CG-TRANS-03/' in of_one
    assert EXAMPLE not in of_one
