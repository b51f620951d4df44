"""What is told apart by its name: conditions of two namespaces, and a condition and a criterion of one name."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_terms import bring
from rdflib import Graph
from several_policies import invented_alone

from kb_tools.cases.prepare import prepared
from kb_tools.cases.reader import CaseReader
from kb_tools.checks import run_checks
from kb_tools.determine.result import Determination, Outcome
from kb_tools.determine.run import Run
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.publish.shapes import outcome_shape, self_contained
from kb_tools.rdf import shacl
from kb_tools.rdf.namespaces import SH


def put(folder: Path, old: str, new: str) -> None:
    for path in folder.rglob("*.ttl"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_criterion_may_have_the_name_of_a_condition(tmp_path: Path) -> None:
    """Each has a shape of its own, so that a case comes to the same by the exported shapes."""
    root = invented_alone(tmp_path, "EX.5")
    put(root / "policies/EX.5/2024-01", "xcrit:gvhd", "xcrit:acute-gvhd-of-grade-2-or-higher")
    kb = Repository(root)
    policy = kb.policy("EX.5")
    revision = Revision.load(policy, policy.entry("2024-01"))
    shapes = self_contained(kb, revision)
    example = (policy.cases_folder / "raised-risk.ttl").read_text(encoding="utf-8")
    outcomes = {}
    for grade in (0, 2):
        path = tmp_path / f"grade-{grade}.ttl"
        path.write_text(example.replace("clin:grade 0", f"clin:grade {grade}"), encoding="utf-8")
        [case] = CaseReader(kb).read(path.name, path)
        [answer] = Run(kb, policy, "pyshifty", "2024-01").answers(iter([case]))
        assert isinstance(answer, Determination)
        results = shacl.validate(prepared(kb, [case], derived=False), shapes, "pyshifty", rules=True)
        outcomes[answer.outcome.value] = [result.shape for result in results]
    assert outcomes == {"CriteriaMet": [], "CriteriaNotMet": [str(outcome_shape(revision, Outcome.NOT_MET))]}
    assert shapes_that_refer_to_themselves(shapes) == set()


def shapes_that_refer_to_themselves(shapes: Graph) -> set[object]:
    """Shapes that say of a value that it conforms to themselves."""
    within = SH["and"] | SH["or"]
    return {shape for shape in shapes.subjects() for listed in shapes.objects(shape, within)
            if shape in set(shapes.items(listed))}  # fmt: skip


def test_a_revision_reads_no_two_conditions_of_one_name(tmp_path: Path) -> None:
    root = invented_alone(tmp_path)
    bring(root, "EX.5", "x")
    put(root / "policies/EX.5", "xowncond:weight-is-high", "xowncond:relapse-risk-is-raised")
    kb = Repository(root)
    policy = kb.policy("EX.5")
    said = (
        "revision 2024-01 reads two conditions of one name: xowncond:relapse-risk-is-raised and "
        "cond:relapse-risk-is-raised"
    )
    with pytest.raises(KnowledgeBaseError, match=said) as error:
        _ = Revision.load(policy, policy.entry("2024-01")).conditions
    assert error.value.hint == "give the policy's own another name"
    [result] = run_checks(kb, ["criteria"])
    assert [problem.message.startswith(said) for problem in result.problems] == [True]
