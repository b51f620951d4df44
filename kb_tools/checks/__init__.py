"""The conformance checks of the knowledge base: what must be true of it whatever policy it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kb_tools.checks import (
    conditions,
    files,
    generated,
    history,
    holdings,
    naming,
    passages,
    policy,
    products,
    reasoning,
    seal,
    shapes,
    vocabulary,
    wider,
)
from kb_tools.checks.core import Check, CheckResult, Problem, Scope, Severity
from kb_tools.checks.units import Checker, across, asked, is_asked, merged, units
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository

__all__ = ["CHECKS", "Check", "CheckResult", "Problem", "Scope", "Severity", "run_checks"]

CHECKS: tuple[Check, ...] = (
    Check(
        "parses",
        "Every file of the knowledge base is Turtle",
        Severity.ERROR,
        files.parses,
        Scope.FILES,
        needs_graphs=False,
    ),
    Check(
        "files-read",
        "Every RDF file stands where kb reads it",
        Severity.ERROR,
        files.files_read,
        Scope.FILES,
        needs_graphs=False,
    ),
    Check(
        "prefixes",
        "Every file uses the prefix table, and every prefix that it declares",
        Severity.ERROR,
        files.prefixes,
        Scope.FILES,
        across=files.clashing_prefixes,
    ),
    Check("blank-node-labels", "No file labels a blank node", Severity.ERROR, files.blank_node_labels, Scope.FILES),
    Check("literals", "Every literal is a value of its datatype", Severity.ERROR, files.literals, Scope.FILES),
    Check(
        "ontology-headers",
        "Every ontology file has one header, with a version",
        Severity.ERROR,
        vocabulary.ontology_headers,
        Scope.VOCABULARY,
    ),
    Check(
        "terms-defined",
        "Every term and condition has a label and a definition, every property shape a message",
        Severity.ERROR,
        vocabulary.terms_defined,
        Scope.VOCABULARY,
    ),
    Check(
        "undefined-terms",
        "No term of the project is used without a definition",
        Severity.ERROR,
        vocabulary.undefined_terms,
        Scope.FILES,
    ),
    Check(
        "terms-in-place",
        "Every term of the project is described in one place",
        Severity.ERROR,
        vocabulary.terms_in_place,
        Scope.FILES,
    ),
    Check(
        "property-kinds",
        "Every property of the project is used as declared",
        Severity.ERROR,
        vocabulary.property_kinds,
        Scope.FILES,
    ),
    Check(
        "dangling-iris",
        "Every IRI of the project that is pointed to is described",
        Severity.ERROR,
        vocabulary.dangling_iris,
        Scope.FILES,
    ),
    Check(
        "hierarchy",
        "Each broader concept is stated once, by skos:broader",
        Severity.ERROR,
        vocabulary.hierarchy,
        Scope.VOCABULARY,
    ),
    Check(
        "terminology",
        "Every code of another system is mapped to terms and values that exist",
        Severity.ERROR,
        vocabulary.terminology,
        Scope.VOCABULARY,
    ),
    Check(
        "owl-rl-profile",
        "The vocabularies stay inside OWL 2 RL",
        Severity.ERROR,
        vocabulary.owl_rl_profile,
        Scope.VOCABULARY,
    ),
    Check(
        "owl-rl-consistent",
        "No revision, closed under OWL 2 RL with the vocabularies, contradicts itself",
        Severity.ERROR,
        reasoning.owl_rl_consistent,
        Scope.POLICY,
    ),
    Check(
        "shape-form",
        "Every shape is SHACL Core and of its form, and every rule a SPARQL rule",
        Severity.ERROR,
        shapes.shape_form,
        Scope.FILES,
    ),
    Check(
        "conditions",
        "Every condition has a shape for, a shape against, a question and its values",
        Severity.ERROR,
        conditions.conditions,
        Scope.VOCABULARY,
    ),
    Check(
        "condition-reads",
        "Every condition sees what it says that it reads, and no more",
        Severity.ERROR,
        conditions.condition_reads,
        Scope.VOCABULARY,
    ),
    Check(
        "condition-form",
        "Every condition asks that some findings have a property, or that none has it",
        Severity.ERROR,
        conditions.condition_form,
        Scope.VOCABULARY,
    ),
    Check(
        "pieces-are-local",
        "Every case shape and condition can be decided piece by piece",
        Severity.WARNING,
        conditions.pieces_are_local,
        Scope.VOCABULARY,
    ),
    Check(
        "condition-severity",
        "No shape on file carries a severity, and conditions are SHACL Core",
        Severity.ERROR,
        conditions.condition_severity,
        Scope.VOCABULARY,
    ),
    Check(
        "entailments",
        "What a condition is stated to entail or exclude follows from the shapes",
        Severity.ERROR,
        conditions.entailments,
        Scope.VOCABULARY,
    ),
    Check(
        "wider-terms",
        "What a wider term settles, each of its kinds settles alike",
        Severity.ERROR,
        wider.wider_terms,
        Scope.VOCABULARY,
    ),
    Check(
        "conditions-used",
        "Every condition is read by a revision",
        Severity.WARNING,
        conditions.conditions_used,
        Scope.ALL_POLICIES,
    ),
    Check(
        "finding-classes",
        "Every class of findings can be stated, is closed, and says what counts",
        Severity.ERROR,
        conditions.finding_classes,
        Scope.VOCABULARY,
    ),
    Check(
        "product-kinds",
        "Every kind of product can be stated, is closed, and states what no other does",
        Severity.ERROR,
        products.product_classes,
        Scope.VOCABULARY,
    ),
    Check(
        "policy-shapes",
        "Every revision conforms to shapes/policy.ttl",
        Severity.ERROR,
        policy.policy_shapes,
        Scope.POLICY,
    ),
    Check("history", "Folder, revision and log row agree", Severity.ERROR, history.history, Scope.POLICY),
    Check("log-dates", "The dates of the log are those printed", Severity.ERROR, history.log_dates, Scope.POLICY),
    Check(
        "approvals",
        "No date of effect is recorded as an approval",
        Severity.WARNING,
        history.approvals,
        Scope.POLICY,
    ),
    Check(
        "in-force",
        "On every day one revision is in force, or an error says why none",
        Severity.ERROR,
        history.in_force,
        Scope.POLICY,
    ),
    Check(
        "on-file",
        "What is marked as on file is stated, and nothing else",
        Severity.ERROR,
        holdings.on_file,
        Scope.POLICY,
    ),
    Check("inferences", "Every inference names all it rests on", Severity.ERROR, policy.inferences, Scope.POLICY),
    Check(
        "criteria",
        "The criteria of every revision on file can be read in full",
        Severity.ERROR,
        policy.criteria,
        Scope.POLICY,
    ),
    Check(
        "named-by",
        "What names a policy is what its conditions on the service say",
        Severity.ERROR,
        naming.named_by,
        Scope.POLICY,
    ),
    Check(
        "stable-iris",
        "No IRI that lasts across revisions names a revision",
        Severity.ERROR,
        policy.stable_iris,
        Scope.POLICY,
    ),
    Check(
        "reference-numbers", "References are numbered 1 to n", Severity.ERROR, policy.reference_numbers, Scope.POLICY
    ),
    Check("citations", "Everything cited is in the list of references", Severity.ERROR, policy.citations, Scope.POLICY),
    Check(
        "passages",
        "Every passage of a document is stated or marked as left out",
        Severity.ERROR,
        passages.passages_accounted,
        Scope.POLICY,
    ),
    Check(
        "generated",
        "What is generated from the vocabularies and case shapes is current",
        Severity.ERROR,
        generated.none,
        Scope.VOCABULARY,
        across=generated.stale,
    ),
    Check("to-do", "No revision is a draft", Severity.ERROR, passages.nothing_to_do, Scope.POLICY),
    Check("examples", "Every example case has an expectation", Severity.ERROR, policy.examples, Scope.POLICY),
    Check("seal", "No released revision has changed since it was sealed", Severity.ERROR, seal.sealed, Scope.POLICY),
)


def checks_named(only: Collection[str] = ()) -> list[Check]:
    """The checks of these ids, in their order; all where none is named.

    Raises:
        KbError: one is unknown; the error lists those that are known.
    """
    known = [check.id for check in CHECKS]
    unknown = [asked for asked in only if asked not in known]
    if unknown:
        raise KbError(f"no check {', '.join(unknown)}", hint=f"known: {', '.join(known)}")
    return [check for check in CHECKS if not only or check.id in only]


def run_checks(kb: Repository, only: Collection[str] = (), policy: str | None = None) -> Iterator[CheckResult]:
    """Runs the checks in their order and gives each result as soon as it is known.

    Args:
        only: the ids of the checks to run; all of them where it is empty.
        policy: leave out what is wrong with other policies than this one.

    Raises:
        KbError: `only` names an unknown check, or `policy` an unknown policy; the error lists those that are known.
    """
    checks = checks_named(only)
    chosen = kb.policy(policy).identifier if policy else None
    checkers = [Checker(kb, unit) for unit in units(kb)]

    def described() -> set[str]:
        return {iri for one in checkers for iri in one.described}

    def result(check: Check) -> CheckResult:
        looked_at = (one for one in checkers if one.unit.concerns(check) and is_asked(check, one.unit.name, chosen))
        found = {one.unit.name: one.outcome(check) for one in looked_at}
        return across(kb, merged(check, asked(check, found, chosen), described), chosen)

    return (result(check) for check in checks)
