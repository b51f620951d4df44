"""The one place that calls a SHACL engine: pySHACL, the reference, or a second one written for speed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import rdflib
from rdflib import Graph, URIRef
from rdflib.namespace import RDF

from kb_tools.errors import KbError
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.terms import without_remarks

# Deep enough for a whole revision composed into one shape; pySHACL's own default of 15 is not.
MAX_DEPTH = 100


@dataclass(frozen=True, order=True)
class ShaclResult:
    """One top-level result of a validation report.

    Attributes:
        focus, shape: the focus node, and the shape that it does not conform to.
        severity: the local name of its severity ("Violation").
        path, value: the path and value node, "" where there is none.
        component: the constraint component.
        message: the message of the shape.
    """

    focus: str
    shape: str
    severity: str
    path: str
    value: str
    component: str
    message: str


def _pyshacl(data: Graph, shapes: Graph, rules: bool) -> Graph:
    import pyshacl

    _, report, _ = pyshacl.validate(
        data, shacl_graph=shapes, advanced=rules, inplace=not rules, max_validation_depth=MAX_DEPTH
    )
    if not isinstance(report, Graph):
        raise ValueError(report)
    return report


def _pyshifty(data: Graph, shapes: Graph, rules: bool) -> Graph:
    try:
        import shifty
    except ImportError:
        raise KbError("the engine pyshifty is not installed", hint="pip install 'kb-tools[fast]'") from None
    # It reads its report with rdflib, which by default rewrites the values that the report quotes: "maybe" to "false".
    rdflib.NORMALIZE_LITERALS = False
    try:
        with warnings.catch_warnings():
            # A constraint that it would ignore with a warning is an error: what is not looked at must not conform.
            warnings.simplefilter("error", shifty.ShaclDiagnosticWarning)
            _, report, _ = shifty.validate(data, shapes, infer=rules, sort_results=False, on_unsupported="error")
    finally:
        rdflib.NORMALIZE_LITERALS = True
    assert isinstance(report, Graph)
    return report


_ENGINES: dict[str, Callable[[Graph, Graph, bool], Graph]] = {"pyshacl": _pyshacl, "pyshifty": _pyshifty}
ENGINES = tuple(_ENGINES)


def validate(data: Graph, shapes: Graph, engine: str = "pyshacl", *, rules: bool = False) -> list[ShaclResult]:
    """The top-level results of validating `data`, ordered; none when it conforms.

    Args:
        engine: one of ENGINES.
        rules: whether to run the rules of the shapes graph first. Without it, the graph is validated as it is.

    Raises:
        KbError: the engine is not installed, or could not run.
    """
    try:
        with without_remarks():
            report = _ENGINES[engine](data, shapes, rules)
    except KbError:
        raise
    except Exception as error:  # An engine has errors of many classes for shapes that it cannot read.
        raise KbError(f"{engine} could not validate: {error}", hint="check the shapes with kb check") from error
    root = next(report.subjects(RDF.type, SH.ValidationReport))
    results = []
    for node in report.objects(root, SH.result):
        fields: dict[URIRef, str] = {}
        for predicate, object_ in report.predicate_objects(node):
            assert isinstance(predicate, URIRef)
            fields[predicate] = str(object_)
        results.append(
            ShaclResult(
                focus=fields.get(SH.focusNode, ""),
                shape=fields.get(SH.sourceShape, ""),
                severity=fields.get(SH.resultSeverity, "").rpartition("#")[2],
                path=fields.get(SH.resultPath, ""),
                value=fields.get(SH.value, ""),
                component=fields.get(SH.sourceConstraintComponent, ""),
                message=fields.get(SH.resultMessage, ""),
            )
        )
    return sorted(results)
