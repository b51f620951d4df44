"""Who pays, as Coverage.payor and Claim.insurer name it: one payer on file, or said to be none, and never another."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundles import case_of, content, data, notes_of, record
from rdflib import URIRef
from several_policies import knowledge_base

from kb_tools.cases.case import Case, UnreadPayer
from kb_tools.cases.fhir.reader import FhirReader
from kb_tools.cases.inputs import find_files
from kb_tools.cases.isolate import Content
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.choice import choice_of, payer_notice
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE
from kb_tools.rdf.terms import local_name

pytestmark = pytest.mark.usefixtures("pseudonym_key", "no_policy_preferred")
OWN = "https://w3id.org/policykb/code/payer/"
STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
NAIC = "urn:oid:2.16.840.1.113883.6.300"
CHOICE = "choose with --policy: CG-TRANS-03, CP.MP.101"
PAYOR, INSURER = "entry[2] Coverage (payor)", "entry[0] Claim (insurer)"
NONE_ON_FILE = "a payer that no policy on file is of"
Json = dict[str, Any]
Read = Callable[[Json], Content]


@pytest.fixture(scope="module")
def read(kb: Repository) -> Read:
    reader = FhirReader(kb)
    return lambda bundle: reader.bundle(json.dumps(bundle).encode(), "in.json")


def bundle(payor: Json | list[Json], *organizations: Json, insurer: Json | None = None, **of_plan: Any) -> Json:
    """The meeting bundle with another payer of its plan, an insurer of its claim, and organizations."""
    found = content()
    found["entry"][2]["resource"] |= {"payor": payor if isinstance(payor, list) else [payor], **of_plan}
    if insurer:
        found["entry"][0]["resource"]["insurer"] = insurer
    found["entry"] += [{"resource": {"resourceType": "Organization", **one}} for one in organizations]
    return found


def payers(read: Content) -> list[str]:
    return [local_name(value) for _, predicate, value in read.triples if predicate == CASE.payer]


def ref(name: str, **more: Any) -> Json:
    return {"reference": name, **more}


def number(system: str, value: str) -> Json:
    return {"identifier": {"system": system, "value": value}}


def numbers(*stated: tuple[str, str]) -> Json:
    """What an organization states of its numbers."""
    return {"identifier": [number(*one)["identifier"] for one in stated]}


CENTENE = {"display": "Centene Corporation"}
NAMED: dict[str, tuple[Json, str]] = {
    "in words": (bundle(CENTENE), "centene"),
    "in other capitals and spacing": (bundle({"display": " CENTENE  corporation"}), "centene"),
    "by an organization of the bundle": (bundle(ref("Organization/o"), {"id": "o", "name": "Anthem"}), "anthem"),
    "by another name of the organization": (
        bundle(ref("Organization/o"), {"id": "o", "name": "A plan of ours", "alias": ["Anthem"]}),
        "anthem",
    ),
    "by a contained organization": (
        bundle(ref("#o"), contained=[{"resourceType": "Organization", "id": "o", "name": "Anthem"}]),
        "anthem",
    ),
    "by its name on file": (bundle(number(OWN, "centene")), "centene"),
    "by a number of the organization": (
        bundle(ref("Organization/o"), {"id": "o", **numbers((OWN, "centene"))}),
        "centene",
    ),
    "with a number of a system of which no policy states one": (bundle(CENTENE | number(NAIC, "1")), "centene"),
    "by an organization with such a number": (
        bundle(ref("Organization/o"), {"id": "o", "name": "Anthem", **numbers((NAIC, "1"))}),
        "anthem",
    ),
    "by its number, under a name that no policy states": (
        bundle({"display": "Centene Corp."} | number(OWN, "centene")),
        "centene",
    ),
    "by another name of the organization, whose first the plan repeats": (
        bundle(ref("Organization/o", display="anthem of x"), {"id": "o", "name": "Anthem of X", "alias": ["Anthem"]}),
        "anthem",
    ),
    "by a reference to an organization that says nothing of it": (
        bundle(ref("Organization/o", display="Anthem"), {"id": "o", "active": True}),
        "anthem",
    ),
    "with the type of an organization": (bundle(CENTENE | {"type": "Organization"}), "centene"),
    "with that type in full": (bundle(CENTENE | {"type": f"{STRUCTURE}Organization"}), "centene"),
    "by a reference that is no address of FHIR": (bundle(CENTENE | ref("https://x.test/payers/1")), "centene"),
    "twice": (bundle([CENTENE, number(OWN, "centene")], insurer=CENTENE), "centene"),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_payer_on_file_is_read(read: Read, name: str) -> None:
    given, payer = NAMED[name]
    found = read(given)
    assert (payers(found), found.unread_payer, found.notices) == ([payer], None, ())


def test_what_the_payer_is_read_from_is_in_the_record(read: Read) -> None:
    given = bundle(ref("Organization/o"), {"id": "o", "name": "Anthem"}, {"id": "x", "name": "Centene Corporation"})
    lines = [str(note) for note in notes_of(read(given)) if "Coverage" in str(note) or "Organization" in str(note)]
    assert lines == [
        "entry[2] Coverage: used: line of business: commercial (from status, type, beneficiary)",
        "entry[2] Coverage: used: payer: Anthem (from payor[0])",
        "entry[2] Coverage: not read: id",
        "entry[7] Organization: used: as the payer that entry[2] Coverage names (from name)",
        "entry[7] Organization: not read: id",
        "entry[8] Organization: ignored: nothing that is read refers to it",
        "entry[8] Organization: not read: id, name",
    ]
    insured = read(bundle(CENTENE, insurer=CENTENE))
    (request,) = [str(note) for note in notes_of(insured) if "as the request" in str(note)]
    assert request == (
        "entry[0] Claim: used: as the request (from status, use, patient, diagnosis, insurance, item, insurer)"
    )


UNREAD: dict[str, tuple[Json, UnreadPayer]] = {
    "no payer on file": (bundle({"display": "Acme"}), UnreadPayer(f"{PAYOR} names {NONE_ON_FILE}", True)),
    "a name that only begins alike": (
        bundle({"display": "Centene Corporation of Ohio"}),
        UnreadPayer(f"{PAYOR} names {NONE_ON_FILE}", True),
    ),
    "a number of another system": (
        bundle(number(NAIC, "centene")),
        UnreadPayer(f"{PAYOR} names {NONE_ON_FILE}", True),
    ),
    "a person": (bundle(ref("Patient/p")), UnreadPayer(f"{PAYOR} names {NONE_ON_FILE}", True)),
    "an insurer that is another payer": (
        bundle(CENTENE, insurer={"display": "Anthem"}),
        UnreadPayer(f"{PAYOR} and {INSURER} name different payers", True, frozenset({OWN + "anthem", OWN + "centene"})),
    ),
    "an insurer that is none on file": (
        bundle(CENTENE, insurer={"display": "Acme"}),
        UnreadPayer(f"{INSURER} names {NONE_ON_FILE}", True, frozenset({OWN + "centene"})),
    ),
    "an organization of two names": (
        bundle(ref("Organization/o", display="Anthem"), {"id": "o", "name": "Centene Corporation"}),
        UnreadPayer(f"{PAYOR} names different payers", True, frozenset({OWN + "anthem", OWN + "centene"})),
    ),
    "an insurer that is not there": (
        bundle(CENTENE, insurer=ref("Organization/o")),
        UnreadPayer(f"{INSURER} does not say who the payer is", False, frozenset({OWN + "centene"})),
    ),
}


# Where one reference, or the organization that it leads to, names Centene and someone else, or Anthem and Centene.
SOMEONE_ELSE: dict[str, Json] = {
    "an organization of another name": bundle(ref("Organization/o") | CENTENE, {"id": "o", "name": "Acme"}),
    "an organization of other names": bundle(
        ref("Organization/o") | CENTENE, {"id": "o", "name": "Acme", "alias": ["Acme Health"]}
    ),
    "an organization whose number is another's": bundle(
        ref("Organization/o") | CENTENE, {"id": "o", **numbers((OWN, "aetna"))}
    ),
    "a name of another organization": bundle(
        ref("Organization/o", display="Acme"), {"id": "o", "name": "Centene Corporation", **numbers((OWN, "centene"))}
    ),
    "a number that is not on file": bundle(CENTENE | number(OWN, "aetna")),
    "a number in other capitals": bundle(CENTENE | number(OWN, "Centene")),
    "a second number of the organization": bundle(
        ref("Organization/o"), {"id": "o", **numbers((OWN, "centene"), (OWN, "aetna"))}
    ),
    "an organization that is not valid": bundle(
        ref("Organization/o") | CENTENE, {"id": "o", "name": "Acme", "active": "of course"}
    ),
}
TWO_ON_FILE: dict[str, Json] = {
    "a number of the other": bundle({"display": "Anthem"} | number(OWN, "centene")),
    "two names of one organization": bundle(
        ref("Organization/o"), {"id": "o", "name": "Anthem", "alias": ["Centene Corporation"]}
    ),
    "two names, of which the plan repeats one": bundle(
        ref("Organization/o", display="Anthem"), {"id": "o", "name": "Anthem", "alias": ["Centene Corporation"]}
    ),
}
UNREAD |= {
    name: (given, UnreadPayer(f"{PAYOR} names different payers", True, frozenset(OWN + one for one in among)))
    for of, among in ((SOMEONE_ELSE, ["centene"]), (TWO_ON_FILE, ["anthem", "centene"]))
    for name, given in of.items()
}
# Whoever pays without being an organization is no payer on file, whatever it is called.
UNREAD |= {
    f"a person called like a payer, by {name}": (
        bundle(CENTENE | person),
        UnreadPayer(f"{PAYOR} names {NONE_ON_FILE}", True),
    )
    for name, person in {
        "the type": {"type": "Patient"},
        "the type in full": {"type": f"{STRUCTURE}RelatedPerson"},
        "the reference": ref("Patient/p"),
        "a reference that leads nowhere": ref("https://x.test/fhir/RelatedPerson/1"),
        "a reference that says otherwise": ref("Patient/p", type="Organization"),
    }.items()
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_payer_that_is_not_one_on_file_is_stated_as_none_and_a_line_says_why(read: Read, name: str) -> None:
    given, unread = UNREAD[name]
    found = read(given)
    assert (payers(found), found.unread_payer) == ([], unread)
    assert found.notices == (f"No payer is used: {unread.why}.",)


def test_a_reference_that_leads_nowhere_says_nothing_of_the_payer(read: Read) -> None:
    found = read(bundle(ref("Organization/o")))
    assert found.unread_payer == UnreadPayer(f"{PAYOR} does not say who the payer is", False)
    assert (payers(found), found.notices) == ([], ())
    assert "entry[2] Coverage: not read: id, payor" in [str(note) for note in notes_of(found)]


def test_the_payer_of_a_plan_that_is_not_in_force_is_none_and_that_of_one_that_cannot_be_read_leaves_it_open(
    read: Read,
) -> None:
    def with_another(**of_plan: Any) -> Content:
        given = bundle(CENTENE)
        other = given["entry"][2]["resource"] | {"id": "d", "payor": [{"display": "Anthem"}], **of_plan}
        given["entry"].append({"resource": other})
        insurance = given["entry"][0]["resource"]["insurance"]
        given["entry"][0]["resource"]["insurance"] = [
            *insurance,
            {"sequence": 2, "focal": True, "coverage": {"reference": "Coverage/d"}},
        ]
        return read(given)

    assert payers(with_another(status="cancelled")) == ["centene"]
    found = with_another(period={"end": "2026"})
    why = "not every plan that the request names can be read"
    assert (payers(found), found.unread_payer) == ([], UnreadPayer(why, False, frozenset({OWN + "centene"})))
    assert with_another().unread_payer == UnreadPayer(
        f"{PAYOR} and entry[7] Coverage (payor) name different payers",
        True,
        frozenset({OWN + "anthem", OWN + "centene"}),
    )


# ---------------------------------------------------------------------- what follows for the policy


def chosen(kb: Repository, given: Json, folder: Path) -> str:
    """The policy that a bundle is determined under, unasked; else why there is none."""
    try:
        (policy,) = choice_of(kb).of(case_of(kb, given, folder))
    except KbError as error:
        return str(error)
    return policy.identifier


def test_a_bundle_finds_its_policy_by_its_payer_or_a_line_says_why_not(kb: Repository, tmp_path: Path) -> None:
    for given, found in (
        (bundle(CENTENE), "CP.MP.101"),
        (bundle({"display": "Anthem"}), "CG-TRANS-03"),
        (bundle({"display": "Acme"}), f"{PAYOR} names {NONE_ON_FILE}; {CHOICE}"),
        (bundle(CENTENE, insurer={"display": "Anthem"}), f"{PAYOR} and {INSURER} name different payers; {CHOICE}"),
        (SOMEONE_ELSE["an organization of another name"], f"{PAYOR} names different payers; {CHOICE}"),
        (
            bundle(ref("Organization/o")),
            f"the case names 2 policies, and {PAYOR} does not say who the payer is; state the payer of the coverage, "
            f"or {CHOICE.replace('CP.MP.101', 'CP.MP.101, or all')}",
        ),
    ):
        assert chosen(kb, given, tmp_path) == found


def test_an_operators_choice_stands_unless_another_payer_on_file_is_named(
    kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_POLICY", "CP.MP.101")
    assert chosen(kb, bundle({"display": "Acme"}), tmp_path) == "CP.MP.101"
    assert chosen(kb, bundle({"display": "Anthem"}), tmp_path) == "CG-TRANS-03"
    assert chosen(kb, SOMEONE_ELSE["a number that is not on file"], tmp_path) == "CP.MP.101"
    disagreeing = bundle(CENTENE, insurer={"display": "Anthem"})
    assert chosen(kb, disagreeing, tmp_path) == f"{PAYOR} and {INSURER} name different payers; {CHOICE}"


def test_a_policy_that_is_asked_for_is_taken_and_a_notice_names_the_other_payer(kb: Repository, tmp_path: Path) -> None:
    case = case_of(kb, bundle({"display": "Anthem"}), tmp_path)
    (policy,) = choice_of(kb, "CP.MP.101").of(case)
    said = "The coverage states another payer: CP.MP.101 is a policy of Centene Corporation."
    assert payer_notice(case, policy) == (said,)


def test_a_policy_states_other_names_and_numbers_of_its_payer(tmp_path: Path) -> None:
    root = knowledge_base(tmp_path / "kb")
    policy = root / "policies/CP.MP.101/policy.ttl"
    more = f'a case:Payer ;\n    skos:altLabel "Our plan"@en ;\n    dcterms:identifier "{NAIC}|12345" ;'
    policy.write_text(policy.read_text(encoding="utf-8").replace("a case:Payer ;", more), encoding="utf-8")
    kb = Repository(root)
    for payor, found in (
        ({"display": "our plan"}, [OWN + "centene"]),
        (number(NAIC, "12345"), [OWN + "centene"]),
        (number(OWN, "12345"), []),
        (CENTENE | number(NAIC, "12345"), [OWN + "centene"]),
        (CENTENE | number(NAIC, "54321"), []),
        (CENTENE | number("urn:oid:1.2.3", "54321"), [OWN + "centene"]),
        ({"display": "12345"}, []),
    ):
        case = case_of(kb, bundle(payor), tmp_path)
        assert [str(value) for value in case.values(case.value(case.node, CASE.coverage), CASE.payer)] == found


def test_of_bulk_data_the_organization_is_read_that_the_plan_names(kb: Repository, tmp_path: Path) -> None:
    given = bundle(ref("Organization/o"), {"id": "o", "name": "Anthem"}, {"id": "x", "name": "Centene Corporation"})
    lines = [data(entry["resource"]) for entry in given["entry"]]
    (tmp_path / "bulk.ndjson").write_bytes(b"\n".join(lines))
    ((source, path),) = (found for found in find_files([str(tmp_path)]) if not isinstance(found, UnreadableInput))
    (case,) = CaseReader(kb).stream(source, path, io.BytesIO())
    assert isinstance(case, Case)
    assert case.value(case.value(case.node, CASE.coverage), CASE.payer) == URIRef(OWN + "anthem")
    assert record(case)[-1] == "Organization \N{MULTIPLICATION SIGN}1: not read"
