"""The words for the codes that rows hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rdflib import URIRef

from kb_tools.batch.rows import AGE, DIFFER, MALFORMED, NOT_DETERMINED, PAYER, READING, UNREADABLE
from kb_tools.determine.result import Outcome
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.terms import local_name

# What a code stands for: its kind, the code, the revision that says so ("" for all), the words, and the policy of the
# revision ("" for all).
Word = tuple[str, str, str, str, str]

_OUTCOMES = {
    Outcome.MET: "The policy applies and its criteria are met.",
    Outcome.NOT_MET: "The policy applies and its criteria are not met.",
    Outcome.NOT_APPLICABLE: "The policy does not apply.",
    Outcome.NEEDED: "Something that can change the outcome is not known.",
    Outcome.CONFLICTING: "Something that can change the outcome is stated in two ways.",
}
_OTHERWISE = {
    MALFORMED: "The case breaks the case shapes that the reasons name, and is not determined.",
    UNREADABLE: "The line could not be read; the reasons say why.",
    NOT_DETERMINED: "No policy or no revision could be used; the reasons say why.",
}
_NOTICES = {
    PAYER: "The coverage states another payer than the one whose policy it is.",
    READING: "How the case was read leaves something to know: kb validate prints it.",
    DIFFER: "Findings of one day differ, and no condition treats them as contradicting each other.",
    AGE: "The outcome rests on findings whose age the policy sets no limit to.",
}


def words(kb: Repository, policies: Iterable[Policy]) -> Iterator[Word]:
    """The words for all codes of the rows of policies: outcomes, notices, shapes, conditions, criteria, advisories."""
    for outcome, text in _OUTCOMES.items():
        yield "outcome", outcome.value, "", text, ""
    for code, text in _OTHERWISE.items():
        yield "outcome", code, "", text, ""
    for code, text in _NOTICES.items():
        yield "notice", code, "", text, ""
    shapes = kb.submission_shapes
    for shape, message in sorted(shapes.subject_objects(SH.message)):
        # A shape without a name is part of another, which rows name.
        if isinstance(shape, URIRef):
            yield "reason", kb.curie(str(shape)), "", str(message), ""
    for policy in policies:
        for kind, code, revision, text in _of_policy(policy):
            yield kind, code, revision, text, policy.identifier


def _of_policy(policy: Policy) -> Iterator[tuple[str, str, str, str]]:
    for entry in policy.history:
        if not entry.criteria_on_file:
            continue
        revision = Revision.load(policy, entry)
        for condition in revision.conditions.values():
            yield (
                "condition",
                local_name(condition.iri),
                entry.name,
                f"{condition.label}. To settle it: {condition.asks_for}",
            )
        for criterion in revision.all_criteria.values():
            yield "criterion", local_name(criterion.iri), entry.name, f"{criterion.notation} {criterion.label}".strip()
        for advisory in revision.advisories:
            yield "advisory", local_name(advisory.iri), entry.name, f"{advisory.label}: {advisory.text}"
