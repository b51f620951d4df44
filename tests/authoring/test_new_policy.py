"""kb new policy: the policy.ttl that a first document is begun from."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import Literal, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS
from several_policies import DATA, invented_alone

from kb_tools.authoring.new_policy import NewPolicy, write_policy
from kb_tools.authoring.start import start
from kb_tools.checks import run_checks
from kb_tools.document.left import Draft
from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN, POL

IRI = "https://w3id.org/policykb/BS.6"
CPT, PAYER = "https://w3id.org/policykb/code/cpt/", URIRef("https://w3id.org/policykb/code/payer/example-plan")
NEW = NewPolicy(
    "BS.6", 'Weight-"Loss"  Surgery', "Example Plan", "example-plan", ("StemCellBoost", "cpt:43775", "bs6v:Band")
)
# What a policy is before it has a revision; what these say of the terms that it is still to describe stands below.
CHECKS = ("parses", "prefixes", "literals", "policy-shapes", "undefined-terms", "dangling-iris")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invented_alone(tmp_path_factory.mktemp("new"), "EX.5")


@pytest.fixture(scope="module")
def made(root: Path) -> Policy:
    write_policy(Repository(root), NEW)
    return Repository(root).policy("BS.6")


def test_a_new_policy_has_names_what_names_it_and_prefixes_of_its_own(made: Policy) -> None:
    graph = made.kb.graph([made.folder / "policy.ttl"])
    node = URIRef(IRI)
    assert set(graph.objects(node, RDF.type)) == {POL.Policy}
    assert graph.value(node, DCTERMS.title) == Literal('Weight-"Loss" Surgery', lang="en")
    assert graph.value(node, RDFS.label) == Literal('BS.6, Weight-"Loss" Surgery', lang="en")
    assert (graph.value(node, POL.publisherName), made.payer) == (Literal("Example Plan"), str(PAYER))
    assert graph.value(PAYER, RDF.type) == CASE.Payer
    assert made.named_by == {str(CLIN.StemCellBoost), CPT + "43775", IRI + "/vocabulary#Band"}
    assert made.own_prefixes == {
        "bs6v": IRI + "/vocabulary#",
        "bs6shape": IRI + "/shape#",
        "bs6cond": IRI + "/condition#",
        **{
            f"bs6{end}": f"{IRI}/{name}/"
            for end, name in {
                "crit": "criterion",
                "def": "definition",
                "ref": "reference",
                "evid": "evidence",
                "adv": "advisory",
                "log": "log",
                "disc": "discrepancy",
            }.items()
        },
    }


def test_the_checks_ask_for_what_it_names_and_does_not_describe_yet(made: Policy) -> None:
    found = [one for result in run_checks(made.kb, CHECKS, "BS.6") for one in result.problems]
    assert [f"{one.where}: {one.message}" for one in found if one.where.startswith("policies/")] == [
        "policies/BS.6/policy.ttl: bs6v:Band is not defined; correct it or define it in the vocabulary",
        f"policies/BS.6/policy.ttl: <{IRI}> points with pol:namedBy to cpt:43775, which nothing describes; correct the "
        "IRI, or describe the code in the codes.ttl of a revision",
    ]


def test_a_payer_of_another_policy_is_not_described_again(made: Policy) -> None:
    write_policy(made.kb, NewPolicy("BS.7", "Another", "Example Plan", "example-plan"))
    text = (made.kb.root / "policies/BS.7/policy.ttl").read_text(encoding="utf-8")
    assert "pol:payer pay:example-plan ;" in text
    assert "case:Payer" not in text


def test_two_policies_of_like_numbers_have_prefixes_of_their_own(made: Policy) -> None:
    write_policy(made.kb, NewPolicy("BS6", "Another", "Example Plan"))
    assert "bs6xcrit" in Repository(made.kb.root).policy("BS6").own_prefixes


def test_a_draft_is_begun_from_it(made: Policy) -> None:
    begun = start(made, "2024-01", DATA / "document/EX.5-2024-01.txt")
    policy = Repository(made.kb.root).policy("BS.6")
    left = Draft(policy, policy.entry("2024-01")).left
    # One count, at the start and after it.
    assert (begun.to_do, len(left)) == (9, 9)
    assert {"bs6crit", "bspsg24"} <= policy.own_prefixes.keys()


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewPolicy("EX.5", "T", "P"), "policy EX.5 is there already; edit what is there, or choose another number"),
        (NewPolicy("../x", "T", "P"), "'../x' is no number of a policy; write letters and digits, joined by full"),
        (NewPolicy("N.1", " ", "P"), "a title or a publisher is empty; write it as the document prints it"),
        (NewPolicy("N.1", "T", "P", "Example Plan"), "'Example Plan' is no short name of a payer; write small letters"),
        (
            NewPolicy("N.1", "T", "P", named_by=("StemCellBost",)),
            "no service or code StemCellBost is on file; did you mean StemCellBoost? a service of the policy's own is "
            "written n1v:StemCellBost, and a code cpt:38242",
        ),
        (NewPolicy("N.1", "T", "P", named_by=("cpt:1",)), "no service or code cpt:1 is on file"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is(root: Path, new: NewPolicy, message: str) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*.ttl")}
    with pytest.raises(KbError) as error:
        write_policy(Repository(root), new)
    assert message in str(error.value)
    assert {path: path.read_bytes() for path in root.rglob("*.ttl")} == before
