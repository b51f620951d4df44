"""The one place that calls a SHACL engine: pySHACL, the reference, or one of two written for speed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pyoxigraph as ox
import rdflib
from rdflib import Graph, URIRef
from rdflib.namespace import RDF

from kb_tools.errors import KbError
from kb_tools.rdf.namespaces import SH
from kb_tools.rdf.shape_form import faults
from kb_tools.rdf.terms import graph_of, to_quads, to_rdflib, without_remarks

if TYPE_CHECKING:
    from shacl import Shapes

# Deep enough for a whole revision composed into one shape; pySHACL's own default of 15 is not.
MAX_DEPTH = 100


@dataclass(frozen=True, order=True)
class ShaclResult:
    """One top-level result of a validation report.

    A node without a name is given by a label of the engine's own.

    Attributes:
        focus, shape: the focus node, and the shape that it does not conform to.
        severity: the local name of its severity ("Violation").
        path: the path, "" where there is none and where it is more than one property.
        value: the value node, "" where there is none.
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


def _pyshacl(data: Graph, shapes: Graph, rules: bool) -> list[ShaclResult]:
    import pyshacl

    _, report, _ = pyshacl.validate(
        data, shacl_graph=shapes, advanced=rules, inplace=not rules, max_validation_depth=MAX_DEPTH
    )
    if not isinstance(report, Graph):
        raise ValueError(report)
    return _read(report)


def _pyshifty(data: Graph, shapes: Graph, rules: bool) -> list[ShaclResult]:
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
    return _read(report)


def _read(report: Graph) -> list[ShaclResult]:
    """The results of a report in RDF."""
    root = next(report.subjects(RDF.type, SH.ValidationReport))
    results = []
    for node in report.objects(root, SH.result):
        fields: dict[URIRef, str] = {}
        for predicate, object_ in report.predicate_objects(node):
            assert isinstance(predicate, URIRef)
            if predicate != SH.resultPath or isinstance(object_, URIRef):
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
    return results


# ---------------------------------------------------------------------- the engine written in Rust


def _shacl(data: Graph, shapes: Graph, rules: bool) -> list[ShaclResult]:
    if rules:
        raise KbError(
            "the engine shacl is not used for rules",
            hint="use --engine pyshacl, or validate prepared cases (kb validate --prepare)",
        )
    report = _compiled(_n_triples(shapes)).validate_text(_n_triples(data), "ntriples")
    return [
        ShaclResult(
            focus=_plain(result.focus_node),
            shape=_plain(result.source_shape or ""),
            severity=result.severity,
            path=result.path[1:-1] if result.path and _PROPERTY.fullmatch(result.path) else "",
            value=_plain(result.value or ""),
            component=result.component_iri,
            message=result.message or "",
        )
        for result in report.results
    ]


# Of a path, in the syntax of SPARQL, that is one property.
_PROPERTY = re.compile("<[^<>]*>")


def _plain(term: str) -> str:
    """A node as N-Triples writes it, without the syntax: the IRI, the label, or the text of the literal."""
    if not term.startswith('"'):
        return term[1:-1] if term.startswith("<") else term.removeprefix("_:")
    (quad,) = ox.parse(f"<urn:kb:s> <urn:kb:p> {term} .", format=ox.RdfFormat.N_TRIPLES)
    return str(quad.object.value)


def _n_triples(graph: Graph) -> str:
    """A graph as text; the same text for the same triples, whatever their order."""
    text = ox.serialize((quad.triple for quad in to_quads(graph)), format=ox.RdfFormat.N_TRIPLES)
    assert text is not None
    return "\n".join(sorted(text.decode().split("\n")))


@lru_cache(maxsize=16)
def _compiled(text: str) -> Shapes:
    """Shapes, compiled once. The engine takes some malformed ones in silence, so all are held to their form first."""
    try:
        import shacl
    except ImportError:
        raise KbError("the engine shacl is not installed", hint="pip install 'kb-tools[rust]'") from None
    triples = (quad.triple for quad in ox.parse(text, format=ox.RdfFormat.N_TRIPLES))
    found = faults(
        graph_of(
            (to_rdflib(triple.subject), to_rdflib(triple.predicate), to_rdflib(triple.object)) for triple in triples
        )
    )
    if found:
        raise ValueError(f"{found[0].at.n3()} {found[0].message}")
    return shacl.Shapes.from_text(text, "ntriples")


# ---------------------------------------------------------------------- the door

_ENGINES: dict[str, Callable[[Graph, Graph, bool], list[ShaclResult]]] = {
    "pyshacl": _pyshacl,
    "pyshifty": _pyshifty,
    "shacl": _shacl,
}
ENGINES = tuple(_ENGINES)
# The module of each engine, the fastest first.
_MODULES = {"shacl": "shacl", "pyshifty": "shifty", "pyshacl": "pyshacl"}


def fastest() -> str:
    """The fastest engine that is installed; all give the same answers."""
    return next(engine for engine, module in _MODULES.items() if find_spec(module))


def validate(data: Graph, shapes: Graph, engine: str = "pyshacl", *, rules: bool = False) -> list[ShaclResult]:
    """The top-level results of validating `data`, ordered; none when it conforms.

    Args:
        engine: one of ENGINES.
        rules: whether to run the rules of the shapes graph first. Without it, the graph is validated as it is.

    Raises:
        KbError: the engine is not installed, is not used for rules, or could not run.
    """
    try:
        with without_remarks():
            return sorted(_ENGINES[engine](data, shapes, rules))
    except KbError:
        raise
    except Exception as error:  # An engine has errors of many classes for shapes that it cannot read.
        raise KbError(f"{engine} could not validate: {error}", hint="check the shapes with kb check") from error
