"""Decision records as RDF, for questions over them: PROV and the case vocabulary."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import PROV, RDF, RDFS, XSD
from rdflib.term import Node

from kb_tools import printable
from kb_tools.errors import KbError
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import BASE, CASE, POL
from kb_tools.rdf.terms import Triple
from kb_tools.records.answer import is_of_many, leaves
from kb_tools.records.chain import Broken, Head, Record
from kb_tools.records.folder import STATES, RecordFolder
from kb_tools.records.replay import sound

_RECORD, _CASE, _STATE = BASE + "record/", BASE + "recorded-case/", BASE + "state/"


def records(kb: Repository, folder: Path, expected: Head | None) -> tuple[str, list[Broken], int]:
    """The records of a folder that are of one case; where records are broken; and how many are of many cases.

    Raises:
        KbError: the folder holds no records, or they cannot be read.
    """
    inside = RecordFolder(folder)
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in kb.prefixes.items():
        graph.bind(prefix, namespace)
    broken: list[Broken] = []
    states: set[str] = set()
    of_many = 0
    for record in sound(inside, expected, broken):
        if is_of_many(record.content):
            of_many += 1
            continue
        for triple in _record(record):
            graph.add(triple)
        name = str(record.content["state"])
        if name in states:
            continue
        states.add(name)
        try:
            content = inside.get(STATES, name)
        except KbError as error:
            broken.append(Broken(record.line, f"record {record.head.number}: the state that it names {error.what}"))
            continue
        if content is None:
            broken.append(Broken(record.line, f"record {record.head.number}: the state that it names is missing"))
            continue
        for triple in _state(URIRef(_STATE + name), name, json.loads(content)):
            graph.add(triple)
    return printable.escaped(graph.serialize(format="longturtle")), broken, of_many


def _record(record: Record) -> Iterator[Triple]:
    said, answer = record.content, record.content["answer"]
    digest, number = record.head.digest, record.head.number
    node, case = URIRef(_RECORD + digest), URIRef(_CASE + said["case"]["sha256"])
    revision = URIRef(f"{BASE}{said['policy']}/{said['revision']}")
    state, activity = URIRef(_STATE + said["state"]), BNode(f"made{digest}")
    pairs: list[tuple[URIRef, Node]] = [
        (RDF.type, CASE.DecisionRecord),
        (RDFS.label, Literal(f"record {number}, under {said['policy']} {said['revision']}")),
        (CASE.recordNumber, Literal(number)),
        (CASE.sha256, Literal(digest)),
        (CASE.answerSha256, Literal(answer["sha256"])),
        (CASE.ofCase, case),
        (PROV.wasDerivedFrom, case),
        (PROV.wasDerivedFrom, revision),
        (PROV.wasGeneratedBy, activity),
        (CASE.underRevision, revision),
        (CASE.inState, state),
        (CASE.outcome, POL[answer["outcome"]]),
    ]
    if number > 1:
        pairs.append((CASE.previousRecord, URIRef(_RECORD + said["previous"])))
    pairs += [(CASE.toSend, URIRef(iri)) for iri in leaves(answer["toSend"])]
    pairs += [(CASE.advisory, URIRef(iri)) for iri in answer["advisories"]]
    pairs += [(CASE.noticeKind, Literal(kind)) for kind in answer["notices"]]
    yield from ((node, predicate, object_) for predicate, object_ in pairs)
    yield case, RDF.type, CASE.RecordedCase
    yield case, CASE.sha256, Literal(said["case"]["sha256"])
    yield activity, RDF.type, PROV.Activity
    yield activity, PROV.endedAtTime, Literal(said["made"], datatype=XSD.dateTime)
    for used in (case, revision, state):
        yield activity, PROV.used, used
    agent = BNode(f"tool{digest}")
    yield activity, PROV.wasAssociatedWith, agent
    yield agent, RDF.type, PROV.SoftwareAgent
    yield agent, RDFS.label, Literal(said["tool"])
    for order, (iri, value) in enumerate(answer["criterionValues"].items()):
        held = BNode(f"criterion{digest}.{order:03}")
        yield node, CASE.criterionValue, held
        yield held, CASE.criterion, URIRef(iri)
        yield held, CASE.value, _value(value)
        yield held, CASE.decides, Literal(iri in answer["decides"])
    for order, (iri, values) in enumerate(answer["conditionValues"].items()):
        held = BNode(f"condition{digest}.{order:03}")
        value, *perhaps = [values] if isinstance(values, str) else values
        yield node, CASE.conditionValue, held
        yield held, CASE.condition, URIRef(iri)
        yield held, CASE.value, _value(value)
        yield from ((held, CASE.perhapsValue, _value(other)) for other in perhaps)


def _state(node: URIRef, digest: str, content: Mapping[str, Any]) -> Iterator[Triple]:
    yield node, RDF.type, CASE.KnowledgeState
    yield node, CASE.sha256, Literal(digest)
    libraries = ", ".join(f"{name} {found}" for name, found in content["libraries"].items())
    yield node, RDFS.label, Literal(f"{content['tool']}, engine {content['engine']} ({libraries})")
    if content["seal"]:
        yield node, CASE.sealSha256, Literal(content["seal"])
    for name, found in content["reached"].items():
        layer = BNode(f"layer{digest}.{name}")
        yield node, CASE.layer, layer
        yield layer, RDF.type, CASE.StateLayer
        yield layer, RDFS.label, Literal(name)
        yield layer, CASE.sha256, Literal(found)


def _value(name: str) -> URIRef:
    return POL[Value(name).name.capitalize()]
