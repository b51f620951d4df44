"""The doors of an EHR where several policies are on file that are about one order, and none is named."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from bundles import content, data, resources
from hook_calls import call_of, order_of
from pas import pas_of
from several_policies import knowledge_base

from kb_tools.model.repository import Repository
from kb_tools.render.coverage_information import URL
from kb_tools.serve.case.desk import Chosen, Desk
from kb_tools.serve.fhir import work
from kb_tools.serve.fhir.dtr import Packages
from kb_tools.serve.hooks.answering import Hooks

pytest.importorskip("fhirclient")

Json = dict[str, Any]
NONE: Chosen = {"policy": None, "revision": None, "asOf": None}
FORM = "https://w3id.org/policykb/Questionnaire/"
COVERAGE = {"name": "coverage", "resource": resources(content())["Coverage"]}
ORDER = {"name": "order", "resource": order_of(content())}


@pytest.fixture
def desk(kb: Repository, no_policy_preferred: None, monkeypatch: pytest.MonkeyPatch) -> Desk:
    # What need not be asked after each answer takes long to find out, and does not depend on this.
    monkeypatch.setattr(Packages, "_made", lambda *_: [])
    return Desk(kb)


def of_payer(name: str) -> Json:
    """The meeting bundle, with a plan of this payer."""
    bundle = content()
    resources(bundle)["Coverage"]["payor"] = [{"display": name}]
    return bundle


def signed(desk: Desk, bundle: Json | None = None, **changes: Any) -> Json:
    sent = data(call_of(bundle or content(), **changes))
    found = Hooks(desk).answer("order-sign", "http://kb.example", date.today().isoformat(), sent)
    assert (found.content["status"], found.body is not None) == (200, True)
    answer: Json = json.loads(found.body or b"")
    return answer


def packages(desk: Desk, *given: Json, chosen: Chosen = NONE, coverage: Json = COVERAGE) -> list[str]:
    """The forms that are given, by their canonicals."""
    found = Packages(desk).answer(chosen, data({"resourceType": "Parameters", "parameter": [coverage, *given]}))
    assert found.content["status"] == 200, found.content
    listed = json.loads(found.body or b"")["parameter"]
    return [one["resource"]["entry"][0]["resource"]["url"] for one in listed if one["name"] == "PackageBundle"]


def test_each_policy_has_its_card_its_coverage_information_and_its_form(desk: Desk) -> None:
    answer = signed(desk)
    assert [card["summary"] for card in answer["cards"]] == [
        "CG-TRANS-03 revision 2024-10: information needed",
        "CP.MP.101 revision 2026-02: criteria met",
    ]
    (action,) = answer["systemActions"]
    said = [
        {part["url"]: next(value for key, value in part.items() if key != "url") for part in extension["extension"]}
        for extension in action["resource"]["extension"]
        if extension["url"] == URL
    ]
    assert [one["coverage-assertion-id"].rsplit(".", 2)[0] for one in said] == ["CG-TRANS-03", "CP.MP.101"]
    assert ["questionnaire" in one for one in said] == [True, False]
    # The same again is nothing new, of either.
    assert "systemActions" not in signed(desk, extension=action["resource"]["extension"])
    assert said[0]["questionnaire"] in packages(desk, ORDER)
    assert packages(desk, ORDER, {"name": "questionnaire", "valueCanonical": said[0]["questionnaire"]}) == [
        said[0]["questionnaire"]
    ]


def test_the_policy_that_is_meant_has_the_only_card_and_form(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_POLICY", "CG-TRANS-03")
    answer = signed(desk)
    assert [card["summary"] for card in answer["cards"]] == ["CG-TRANS-03 revision 2024-10: information needed"]
    assert len(packages(desk, ORDER)) == 1


def test_a_form_that_is_named_says_which_policy_is_meant(desk: Desk) -> None:
    for policy in ("CP.MP.101", "CG-TRANS-03"):
        assert packages(desk, {"name": "questionnaire", "valueCanonical": f"{FORM}{policy}"}) == [f"{FORM}{policy}"]
    context = {"name": "context", "valueString": f"CP.MP.101.2019-10.{'0' * 32}"}
    assert packages(desk, context) == [f"{FORM}CP.MP.101"]
    # Two forms from the two policies that the order is about; one where the address names a policy.
    assert len(packages(desk, ORDER)) == 2
    assert len(packages(desk, ORDER, chosen={**NONE, "policy": "CP.MP.101"})) == 1


def test_a_request_for_authorization_is_asked_which_policy_is_meant(desk: Desk) -> None:
    submit = work.operations(desk)["Claim/$submit"]
    refused = submit(NONE, data(pas_of())).content
    choice = "choose with policy: CG-TRANS-03, CP.MP.101"
    text = f"entry[0] Claim (insurer) names a payer that no policy on file is of; {choice}"
    assert (refused["status"], refused["issues"]) == (422, [("processing", text)])
    assert refused["told"]["outcomes"] == ["NotDetermined"]
    assert submit({**NONE, "policy": "CP.MP.101"}, data(pas_of())).content["status"] == 200


def test_a_request_for_authorization_finds_its_policy_by_its_insurer(desk: Desk) -> None:
    submit = work.operations(desk)["Claim/$submit"]
    bundle = pas_of()
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Organization" and entry["resource"]["id"] == "insurer":
            entry["resource"]["name"] = "Anthem"
        if entry["resource"]["resourceType"] == "Coverage":
            entry["resource"]["payor"] = [{"reference": "Organization/insurer"}]
    content_ = submit(NONE, data(bundle)).content
    assert (content_["status"], content_["told"]["revisions"]) == (200, ["2024-10"])


def test_of_a_plan_whose_payer_is_known_only_that_payers_policy_has_a_card_and_a_form(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cards(bundle: Json) -> list[str]:
        return [card["summary"].partition(" ")[0] for card in signed(desk, bundle)["cards"]]

    anthem, centene = of_payer("Anthem"), of_payer("Centene Corporation")
    assert (cards(anthem), cards(centene)) == (["CG-TRANS-03"], ["CP.MP.101"])
    assert cards(of_payer("Acme")) == ["CG-TRANS-03", "CP.MP.101"]
    person = of_payer("Centene Corporation")
    resources(person)["Coverage"]["payor"][0]["type"] = "Patient"
    assert cards(person) == ["CG-TRANS-03", "CP.MP.101"]
    coverage = {"name": "coverage", "resource": resources(anthem)["Coverage"]}
    of_anthem = packages(desk, ORDER, coverage=coverage)
    assert len(of_anthem) == 1
    monkeypatch.setenv("KB_POLICY", "CP.MP.101")
    assert packages(desk, ORDER, coverage=coverage) == of_anthem
    assert (cards(anthem), cards(of_payer("Acme"))) == (["CG-TRANS-03"], ["CP.MP.101"])


def test_an_order_is_of_the_policies_that_its_code_names(
    tmp_path: Path, no_policy_preferred: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No mapping says what the code means; the policy says that it is about it."""
    monkeypatch.setattr(Packages, "_made", lambda *_: [])
    root = knowledge_base(tmp_path, "EX.5")
    path = root / "policies/EX.5/policy.ttl"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("clin:DonorLymphocyteInfusion , cpt:38242 ;", "cpt:43775 ;"), encoding="utf-8")
    desk = Desk(Repository(root))
    by_code = {
        code: {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code}]}
        for code in ("38242", "43775", "43770")
    }
    cards = {
        code: [card["summary"] for card in signed(desk, code=concept)["cards"]] for code, concept in by_code.items()
    }
    assert cards == {
        "38242": ["CP.MP.101 revision 2026-02: criteria met"],
        "43775": ["EX.5 revision 2024-01: information needed"],
        "43770": [],
    }
    orders = [{"name": "order", "resource": order_of(content(), code=by_code[code])} for code in ("43775", "43770")]
    assert [len(packages(desk, order)) for order in orders] == [1, 0]
