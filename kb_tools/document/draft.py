"""The skeleton of a new revision, from a trace of its document: what is unchanged is carried over, the rest to do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, PROV, RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools.document.likeness import sketch
from kb_tools.document.passages import Passage
from kb_tools.document.trace import GONE, REWORDED, Review, Trace
from kb_tools.document.unit import Unit
from kb_tools.errors import KbError
from kb_tools.model.parts import DOCUMENT_PARTS
from kb_tools.model.policy import Policy
from kb_tools.rdf.edits import TurtleText
from kb_tools.rdf.namespaces import BIBO, CITO, OA, POL
from kb_tools.rdf.terms import Triple, graph_of
from kb_tools.writing import new_folder

REVISION, PASSAGES = "revision.ttl", "passages.ttl"
# What is to do about a draft as a whole.
A_DRAFT = "A draft. Do what is marked here, and give the revision its row in the log; then remove this mark."
# What is to do about a passage that nothing accounts for.
NEW = "New: state what it says and point here by pol:statedIn; if it says nothing of this policy, give pol:accountedAs."
# What is to do about the document and the passages of an edition that gets the first digests.
KNOWN_OTHERWISE = "Its note says how it was known without digests: read it again."
READ = "Read it: the digest is of what stands at this place. Accept it if what points here says that."
LOST = (
    "The document has no place of this name: point what it states to the place where that stands, and remove this one."
)
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


def write_draft(trace: Trace, name: str, prefixes: Mapping[str, str] | None = None) -> tuple[Path, int]:
    """Writes the folder of the revision `name` ("2027-02") beside that of the revision traced. No text of the document.

    What stands in a passage that is unchanged is carried over; what rests on one that is gone or reworded is carried
    over with pol:toDo, and so is each passage that nothing accounts for. The revision itself has one too: as long as
    that stands, it is a draft and decides no case.

    Args:
        prefixes: with which it is written; where none are given, those of the knowledge base.

    Returns:
        the folder, and how many things are to do.

    Raises:
        KbError: the name is no month, or the revision is there already.
    """
    folder = folder_of(trace.policy, name)
    graphs = _graphs(trace, f"{trace.policy.iri}/{name}")
    return folder, _write(folder, graphs, prefixes or trace.policy.prefixes)


def first_draft(
    policy: Policy, name: str, units: Sequence[tuple[Unit, str]], prefixes: Mapping[str, str]
) -> tuple[Path, int]:
    """Writes the folder of the first revision of a policy: nothing is stated yet, and each passage is to do.

    Args:
        units: of its document, with their notations.

    Returns:
        the folder, and how many things are to do.

    Raises:
        KbError: as `write_draft`.
    """
    folder = folder_of(policy, name)
    iri = f"{policy.iri}/{name}"
    document = URIRef(f"{iri}/document")
    heading = f"# Revision {printed(iri)} of {policy.identifier}: of each part of its document, what is on file.\n"
    stated = TurtleText(heading, folder / REVISION)
    parts = [f"[ a pol:PartHolding ; pol:part pol:{part} ; pol:basis pol:NotOnFile ]" for part in DOCUMENT_PARTS]
    rows = (
        "a pol:Revision",
        f'rdfs:label "{policy.identifier}, revision {printed(iri)}"@en',
        f"pol:revisionOf <{policy.iri}>",
        f'pol:revisionMonth "{name}"^^xsd:gYearMonth',
        f'pol:toDo "{A_DRAFT}"@en',
        "pol:partOnFile\n        " + " ,\n        ".join(parts),
    )
    stated.append(f"<{iri}>\n    " + " ;\n    ".join(rows) + " .", prefixes)
    places = Graph()
    places.add((document, RDF.type, BIBO.Document))
    places.add((document, RDFS.label, Literal(f"document of revision {printed(iri)}", lang="en")))
    taken: set[str] = set()
    for unit, notation in units:
        node = URIRef(new_name(iri, notation, taken))
        taken.add(str(node))
        for triple in _place(node, document, unit, notation, unit.digest, sketch(unit.text)):
            places.add(triple)
        places.add((node, POL.toDo, Literal(NEW, lang="en")))
    return folder, _write(folder, {REVISION: stated.text, PASSAGES: places}, prefixes)


def first_digests(trace: Trace) -> Graph:
    """The passages of an edition on file, written by hand, with digests of its document.

    A passage gets that of the unit at the place of its name, and is to be read; what has no such unit, and the units
    that are no passage yet, are to do as well.

    Args:
        trace: of the document, by places.
    """
    iri = trace.entry.iri
    folder = trace.policy.revision_folders[trace.entry.name]
    graph = graph_of(trace.policy.kb.triples(folder / PASSAGES) if (folder / PASSAGES).is_file() else ())
    documents = set(graph.objects(None, OA.hasSource)) or {URIRef(f"{iri}/document")}
    document = min(documents, key=str)
    graph.add((document, RDF.type, BIBO.Document))
    if (document, RDFS.label, None) not in graph:
        graph.add((document, RDFS.label, Literal(f"document of revision {printed(iri)}", lang="en")))
    _mark_note(graph, document)
    passage_of = {located.unit.order: located.passage for located in trace.reworded}
    taken = {passage.iri for passage in trace.passages}
    for unit, notation in trace.units:
        passage = passage_of.get(unit.order)
        node = URIRef(passage.iri if passage else new_name(iri, notation, taken))
        taken.add(str(node))
        for link in (POL.section, SKOS.notation, POL.order, OA.hasSource):
            graph.remove((node, link, None))
        for triple in _place(node, document, unit, notation, unit.digest, sketch(unit.text)):
            graph.add(triple)
        graph.add((node, POL.toDo, Literal(READ if passage and passage.accounted else NEW, lang="en")))
    for lost in trace.gone:
        graph.add((URIRef(lost.iri), POL.toDo, Literal(LOST, lang="en")))
    return graph


def _mark_note(places: Graph, document: Node) -> None:
    """Marks a document whose note says why no digests of it were kept."""
    if (document, SKOS.scopeNote, None) in places:
        places.add((document, POL.toDo, Literal(KNOWN_OTHERWISE, lang="en")))


def folder_of(policy: Policy, name: str) -> Path:
    """Where a new revision goes.

    Raises:
        KbError: the name is no month, or the revision is there already.
    """
    if not _MONTH.fullmatch(name):
        raise KbError(f"{name!r} names no revision", hint="write the month of the revision, as 2027-02")
    folder = policy.folder / name
    if folder.exists():
        raise KbError(f"revision {name} is there already", where=str(folder), hint="name another, or remove the folder")
    return folder


def _write(folder: Path, files: Mapping[str, Graph | str], prefixes: Mapping[str, str]) -> int:
    """Writes the files of a draft; how many things are to do in it, beside its own mark."""
    try:
        with new_folder(folder) as made:
            for name, says in files.items():
                text = says if isinstance(says, str) else turtle(says, prefixes)
                (made / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise KbError(f"cannot be written: {error.strerror}", where=str(folder), hint="check the folder") from None
    graphs = [says for says in files.values() if isinstance(says, Graph)]
    return sum(str(task) != A_DRAFT for graph in graphs for task in graph.objects(None, POL.toDo))


def turtle(graph: Graph, prefixes: Mapping[str, str]) -> str:
    """A graph as Turtle with the prefixes that it uses."""
    for prefix, namespace in prefixes.items():
        graph.bind(prefix, namespace)
    head, _, body = graph.serialize(format="longturtle", canon=True).partition("\n\n")
    # rdflib declares those that it does not write, too.
    used = (line for line in head.splitlines() if re.search(rf"(?<![\w-]){line.split()[1]}", body))
    return "\n".join(used) + "\n\n" + body


def _graphs(trace: Trace, iri: str) -> dict[str, Graph]:
    """The files of the draft: those of the revision traced, with names of the new revision, and the new passages."""
    old = URIRef(trace.entry.iri)
    names = _names(trace, iri)
    renamed: dict[Node, Node] = {old: URIRef(iri)}
    renamed |= {URIRef(passage): URIRef(new) for passage, new in names.items()}
    places = {URIRef(passage.iri) for passage in trace.passages}
    document = next(trace.policy.own_graph(trace.entry).objects(URIRef(trace.passages[0].iri), OA.hasSource))
    renamed[document] = URIRef(str(document).replace(trace.entry.iri, iri))
    marks = dict(_marks(trace))
    numbers = _numbers(trace)
    graphs = {}
    for path in sorted(trace.policy.revision_folders[trace.entry.name].glob("*.ttl")):
        graph = Graph()
        for s, p, o in trace.policy.kb.triples(path):
            if s in places or (p == POL.statedIn and o in places and o not in renamed):
                continue
            if p == POL.number and str(s) in numbers:
                o = Literal(numbers[str(s)], datatype=XSD.integer)  # noqa: PLW2901
            graph.add((renamed.get(s, s), p, renamed.get(o, o)))
        for node in set(graph.subjects(RDF.type, None)):
            if str(node) in marks:
                graph.add((node, POL.toDo, Literal(marks[str(node)], lang="en")))
        graphs[path.name] = graph
    _date(graphs[REVISION], URIRef(iri), old, trace)
    label = f"document of revision {printed(iri)}"
    graphs[PASSAGES].set((renamed[document], RDFS.label, Literal(label, lang="en")))
    if trace.by_place:
        _mark_note(graphs[PASSAGES], renamed[document])
    graphs[PASSAGES] = graph_of([*graphs[PASSAGES], *_passages(trace, renamed[document], iri, names)])
    return graphs


def _date(graph: Graph, new: URIRef, old: URIRef, trace: Trace) -> None:
    """Gives the draft its own month, label and predecessor, and says that it is a draft."""
    graph.set((new, POL.revisionMonth, Literal(new.rpartition("/")[2], datatype=XSD.gYearMonth)))
    graph.set((new, RDFS.label, Literal(f"{trace.policy.identifier}, revision {printed(new)}", lang="en")))
    graph.set((new, PROV.wasRevisionOf, old))
    graph.set((new, POL.toDo, Literal(A_DRAFT, lang="en")))


def printed(iri: str) -> str:
    """The month of a revision as documents print it: "02/27"."""
    year, month = iri.rpartition("/")[2].split("-")
    return f"{month}/{year[2:]}"


def _marks(trace: Trace) -> Iterator[tuple[str, str]]:
    """What is to do at the statements in question."""
    for review in trace.reviews:
        yield review.statement.iri, f"Read again: {'; '.join(_became(review, trace.by_place))}."


def _became(review: Review, by_place: bool) -> Iterator[str]:
    """What became of the places of a statement, those of which the same is so together."""
    together: dict[str, list[str]] = defaultdict(list)
    for place, became in review.told:
        together[became].append(place)
    for became, places in together.items():
        named = ", ".join(places)
        if by_place and became == REWORDED:
            yield f"no digest of {named} was kept, so it may be reworded"
        else:
            where = "" if len(together) > 1 else " from the document" if became == GONE else " in the document"
            yield f"{named} {'is' if len(places) == 1 else 'are'} {became}{where}"


def _numbers(trace: Trace) -> dict[str, str]:
    """The number that each reference has in the document."""
    return {
        statement.iri: located.unit.label
        for located in (*trace.found, *trace.reworded)
        if located.unit.kind == "reference"
        for statement in located.passage.statements
        if statement.kind == "reference"
    }


def _names(trace: Trace, iri: str) -> dict[str, str]:
    """The passage of the new revision for each passage that is in the document, parts included, by IRIs."""
    there = {located.passage.iri for located in (*trace.found, *trace.reworded)}
    return {
        passage.iri: f"{iri}/passage/{passage.iri.rpartition('/')[2]}"
        for passage in trace.passages
        if passage.iri in there or (passage.part_of in there and passage.iri in trace.parts_found)
    }


def _passages(trace: Trace, document: Node, iri: str, names: Mapping[str, str]) -> Iterator[Triple]:
    """Every unit of the document as a passage, in its order, and the parts of passages that stand in it."""
    passage_of = {located.unit.order: located.passage for located in (*trace.found, *trace.reworded)}
    found = {located.passage.iri for located in trace.found}
    works = {number: work for work, number in _numbers(trace).items()}
    parts: dict[str, list[Passage]] = defaultdict(list)
    for part in trace.passages:
        if part.part_of and part.iri in names:
            parts[part.part_of].append(part)
    taken = set(names.values())
    for unit, notation in trace.units:
        passage = passage_of.get(unit.order)
        node = URIRef(names[passage.iri] if passage else new_name(iri, notation, taken))
        taken.add(str(node))
        yield from _place(node, document, unit, notation, unit.digest, sketch(unit.text))
        for mark in unit.marks:
            if str(mark) in works:
                yield node, CITO.cites, URIRef(works[str(mark)])
        if passage and passage.iri in found and passage.accounted_as:
            yield node, POL.accountedAs, URIRef(passage.accounted_as)
        elif to_do := _to_do(trace, passage):
            yield node, POL.toDo, Literal(to_do, lang="en")
        for part in parts[passage.iri] if passage else ():
            own = URIRef(names[part.iri])
            yield from _place(own, document, unit, part.notation, part.digest, part.sketch)
            yield own, DCTERMS.isPartOf, node


def new_name(revision: str, notation: str, taken: Collection[str]) -> str:
    """An IRI for a place in the document of a revision: its passage namespace with "II.B", "background-4.3", "log-12".

    Args:
        taken: the IRIs that are those of other places.
    """
    first, *more = notation.replace("Revision Log", "log").split(", ")
    head = first if re.fullmatch(r"[\w.]+", first) else "-".join(re.findall(r"\w+", first.lower()))
    numbers = [part.rpartition(" ")[2] for part in more]
    name = "-".join((head, ".".join(numbers))) if numbers else head
    while f"{revision}/passage/{name}" in taken:
        name += "-new"
    return f"{revision}/passage/{name}"


def _place(node: URIRef, document: Node, unit: Unit, notation: str, digest: str, likeness: str) -> Iterator[Triple]:
    yield node, RDF.type, POL.Passage
    yield node, RDF.type, OA.SpecificResource
    yield node, OA.hasSource, document
    yield node, POL.section, Literal(unit.section)
    yield node, SKOS.notation, Literal(notation)
    yield node, POL.order, Literal(unit.order)
    yield node, POL.digest, Literal(digest)
    yield node, POL.sketch, Literal(likeness)


def _to_do(trace: Trace, passage: Passage | None) -> str:
    """What is to do about a passage of the new revision that nothing carried over accounts for; "" if nothing."""
    if passage is None:
        return NEW
    if passage.accounted_as:
        kind = trace.policy.kb.labels[passage.accounted_as]
        how = "No digest was kept" if trace.by_place else "Reworded"
        return f"{how}, and left out so far as {kind}: read it again."
    # What the policy's own files state, such as discrepancies, still points to the passage of the earlier revision.
    if passage.statements and all(statement.kind in ("discrepancy", "log row") for statement in passage.statements):
        return (
            "Stated so far in the policy's own files (its log or discrepancies): "
            "if it still holds, add this place there, by pol:statedIn."
        )
    return ""
