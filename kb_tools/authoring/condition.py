"""A new condition on a class of findings: both shapes, words to go on from, and cases on each side and on neither."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rdflib import Literal, URIRef
from rdflib.namespace import RDF, RDFS, XSD

from kb_tools.cases.form import CaseForms, Form, Key
from kb_tools.errors import KbError, did_you_mean
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.model.repository import CONDITIONS
from kb_tools.rdf.edits import TurtleText, short
from kb_tools.rdf.namespaces import CASE, COND, POL
from kb_tools.rdf.terms import local_name
from kb_tools.writing import write_atomically

TO_DO = "Say in words what the document says, read both shapes, and say in the manifest what the cases come to."
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# The date of service of the cases, and that of their finding.
_SERVICE, _FOUND = "2026-07-01", "2026-06-15"


@dataclass(frozen=True)
class Limit:
    """That a number is at least, or at most, so much.

    Attributes:
        least: whether it is a least value.
        number: as it is written.
    """

    least: bool
    number: str

    @property
    def words(self) -> str:
        return f"{self.number} or {'more' if self.least else 'less'}"


@dataclass(frozen=True)
class Asked:
    """What a new condition is to say.

    Attributes:
        name: in kebab case; the end of its IRI.
        reads: the class of findings, as a CURIE or a name.
        limit: for a number.
        values: for a term: the terms of which one makes it hold, as CURIEs or names.
        property: of the finding, where several fit; "" where one does.
        own: whether it is the policy's own, rather than shared by all.
    """

    name: str
    reads: str
    limit: Limit | None = None
    values: tuple[str, ...] = ()
    property: str = ""
    own: bool = False


def write_condition(policy: Policy, asked: Asked) -> list[Path]:
    """Writes a condition and its cases; nothing that is there is overwritten.

    It holds where the latest finding says so, and fails where the latest says otherwise; a bound counts only where the
    whole range lies on one side.

    Returns:
        the files that were written or changed: that of the condition, then the cases.

    Raises:
        KbError: the name is taken or none, there is no such class, property or value; or findings of the class count in
            a way of which the shapes must be written by hand.
    """
    return _Writer(policy, asked).write()


class _Writer:
    def __init__(self, policy: Policy, asked: Asked) -> None:
        self.policy, self.asked, self.kb = policy, asked, policy.kb
        if not _NAME.fullmatch(asked.name):
            hint = "write small letters and digits, joined by hyphens: bmi-is-40-or-higher"
            raise KbError(f"{asked.name!r} is no name of a condition", hint=hint)
        self.namespace = f"{policy.iri}/condition#" if asked.own else str(COND)
        self.condition = URIRef(self.namespace + asked.name)
        if (self.condition, RDF.type, POL.Condition) in self.kb.conditions:
            raise KbError(f"condition {asked.name} is there already", hint="choose another name")
        self.form = self._form()
        self.key = self._key()
        whole = self.key.datatype == XSD.integer
        if asked.limit and not re.fullmatch(r"\d+" if whole else r"\d+(\.\d+)?", asked.limit.number):
            hint = f"give a {'whole ' if whole else ''}number, as {self.kb.curie(str(self.key.path))} takes"
            raise KbError(f"{asked.limit.number!r} is no limit", hint=hint)

    # ------------------------------------------------------------------ what is asked

    def _form(self) -> Form:
        graph = self.kb.ontology
        classes = {URIRef(str(one)) for one in graph.transitive_subjects(RDFS.subClassOf, CASE.Finding)} - {
            CASE.Finding
        }
        found = self._term(self.asked.reads, classes, "class of findings")
        by_hand = "write its shapes by hand; docs/policies.md names conditions to copy"
        called = self.kb.curie(str(found))
        if (found, CASE.keyProperty, None) in graph:
            raise KbError(f"findings of {called} count apart for each {self._called(found)}", hint=by_hand)
        if (found, CASE.latestCounts, Literal(True)) not in graph:
            raise KbError(f"all findings of {called} count, not the latest alone", hint=by_hand)
        return CaseForms(self.kb).forms[local_name(found)]

    def _called(self, class_: URIRef) -> str:
        return self.kb.curie(str(self.kb.ontology.value(class_, CASE.keyProperty)))

    def _key(self) -> Key:
        """The property that states the value exactly."""
        counted = set(self.kb.ontology.objects(self.form.iri, CASE.countedBy))
        bounds = {
            bound for link in (CASE.atLeast, CASE.atMost, CASE.below) for bound in self.kb.ontology.objects(None, link)
        }
        fits = {
            key.path: key
            for key in self.form.keys.values()
            if key.path in counted - bounds
            and (key.datatype in (XSD.integer, XSD.decimal) if self.asked.limit else bool(key.terms))
        }
        if self.asked.property:
            return fits[self._term(self.asked.property, fits, "property")]
        if len(fits) != 1:
            what = "number" if self.asked.limit else "term"
            names = ", ".join(self.kb.curie(str(path)) for path in fits) or "none"
            raise KbError(
                f"{self.kb.curie(str(self.form.iri))} has {len(fits)} properties whose value is a {what}",
                hint=f"choose one with --property: {names}" if fits else "ask for the other kind of value",
            )
        return next(iter(fits.values()))

    def _term(self, name: str, known: Iterable[URIRef], what: str) -> URIRef:
        by_name = {called: one for one in known for called in (self.kb.curie(str(one)), local_name(one), str(one))}
        if name not in by_name:
            names = sorted({self.kb.curie(str(one)) for one in known})
            raise KbError(f"no {what} {name}", hint=did_you_mean(name, by_name) or f"known: {', '.join(names)}")
        return by_name[name]

    @property
    def _values(self) -> list[URIRef]:
        known = [URIRef(iri) for iri in self.key.terms.values()]
        return [
            self._term(value, known, f"value of {self.kb.curie(str(self.key.path))}") for value in self.asked.values
        ]

    # ------------------------------------------------------------------ what is written

    def write(self) -> list[Path]:
        folder = self.policy.folder / CONDITIONS if self.asked.own else self.kb.root / CONDITIONS
        path = self._file_for(folder)
        text = TurtleText(path.read_text(encoding="utf-8") if path.is_file() else self._heading(), path)
        prefixes, changed = dict(self.policy.prefixes), {}
        if self.asked.own and self.namespace not in prefixes.values():
            prefixes[self._own_prefix()] = self.namespace
            changed[self.policy.folder / POLICY_FILE] = self._with_prefix()
        text.append(self._turtle(prefixes), prefixes)
        changed[path] = text.text
        for side, value in self._sides():
            changed[self.policy.cases_folder / f"{self.asked.name}-{side}.ttl"] = self._case(side, value)
        there = [one for one in changed if one.is_file() and one.parent == self.policy.cases_folder]
        if there:
            raise KbError("is there already", where=str(there[0]), hint="choose another name")
        try:
            for one in changed:
                one.parent.mkdir(parents=True, exist_ok=True)
            write_atomically({one: content.encode() for one, content in changed.items()})
        except OSError as error:
            where = str(error.filename or path)
            raise KbError(f"cannot be written: {error.strerror}", where=where, hint="check the folder") from None
        return [path, *(one for one in changed if one != path)]

    def _file_for(self, folder: Path) -> Path:
        """The file with conditions that read the class; else a new one."""
        for path in sorted(folder.glob("*.ttl")):
            if any(p == POL.reads and o == self.form.iri for _, p, o in self.kb.triples(path)):
                return path
        return folder / f"{self.asked.name}.ttl"

    def _heading(self) -> str:
        return f"# {self.form.label[:1].upper()}{self.form.label[1:]}: what is asked of it.\n"

    def _own_prefix(self) -> str:
        return re.sub(r"[^a-z0-9]", "", self.policy.identifier.lower()) + "cond"

    def _with_prefix(self) -> str:
        path = self.policy.folder / POLICY_FILE
        text = TurtleText(path.read_text(encoding="utf-8"), path)
        row = f'[ sh:prefix "{self._own_prefix()}" ; sh:namespace "{self.namespace}"^^xsd:anyURI ]'
        text.append(f"<{self.policy.iri}> sh:declare {row} .", self.policy.prefixes)
        return text.text

    def _turtle(self, prefixes: dict[str, str]) -> str:
        camel = "".join(part.capitalize() for part in self.asked.name.split("-"))
        holds, fails = (URIRef(f"{self.namespace}{prefix}{camel}") for prefix in ("", "Not"))
        said = self.asked.limit.words if self.asked.limit else " or ".join(self._label(value) for value in self._values)
        what = f"{self.form.label}: {self.key.label}"
        name = short(self.condition, prefixes)
        shapes = [
            self._shape(short(shape, prefixes), side, f"No current {what} {denied}.", prefixes)
            for shape, side, denied in ((holds, True, f"says {said}"), (fails, False, f"says otherwise than {said}"))
        ]
        return f"""
{name}
    a pol:Condition ;
    rdfs:label "{what} {said}"@en ;
    skos:definition "The latest {self.form.label} up to the service date states as {self.key.label} {said}."@en ;
    pol:asksFor "The {self.key.label} and date of the latest {self.form.label}."@en ;
    pol:reads {short(self.form.iri, prefixes)} ;
    pol:possibleValue pol:Holds , pol:Fails , pol:Unknown , pol:Conflicting ;
    pol:toDo "{TO_DO}"@en ;
    pol:holdsWhen {short(holds, prefixes)} ;
    pol:failsWhen {short(fails, prefixes)} .

{shapes[0]}
{shapes[1]}"""

    def _label(self, term: URIRef) -> str:
        return self.kb.labels.get(str(term), local_name(term))

    def _shape(self, name: str, holds: bool, message: str, prefixes: dict[str, str]) -> str:
        asks = [f"[ sh:property {one} ]" for one in self._asks(holds, prefixes)]
        value = f"sh:or (\n            {(chr(10) + ' ' * 12).join(asks)} )" if len(asks) > 1 else asks[0][2:-2]
        return f"""{name}
    a sh:NodeShape ;
    sh:property {name}-finding .

{name}-finding
    a sh:PropertyShape ;
    sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class {short(self.form.iri, prefixes)} ;
        {value} ] ;
    sh:qualifiedMinCount 1 ;
    sh:message "{message}"@en .
"""

    def _asks(self, holds: bool, prefixes: dict[str, str]) -> Iterator[str]:
        """The property shapes of which one must hold of the finding."""
        exact = short(self.key.path, prefixes)
        limit = self.asked.limit
        if limit is None:
            wanted = self._values
            others = [URIRef(iri) for iri in self.key.terms.values() if URIRef(iri) not in wanted]
            listed = " ".join(short(value, prefixes) for value in (wanted if holds else others))
            yield f"[ sh:path {exact} ; sh:minCount 1 ; sh:in ( {listed} ) ]"
            return
        # A lower bound speaks for what is above, an upper one for what is below.
        upwards = limit.least == holds
        bounds = [short(bound, prefixes) for bound in self._bounds(CASE.atLeast if upwards else CASE.atMost)]
        path = f"[ sh:alternativePath ( {' '.join([exact, *bounds])} ) ]" if bounds else exact
        side = {(True, True): "minInclusive", (True, False): "minExclusive"}.get((upwards, holds)) or (
            "maxInclusive" if holds else "maxExclusive"
        )
        yield f"[ sh:path {path} ; sh:minCount 1 ; sh:{side} {limit.number} ]"
        # Below the bound is below the limit too, where the bound is no higher.
        for bound in [] if upwards else self._bounds(CASE.below):
            yield f"[ sh:path {short(bound, prefixes)} ; sh:minCount 1 ; sh:maxInclusive {limit.number} ]"

    def _bounds(self, link: URIRef) -> list[URIRef]:
        return [bound for bound in self.kb.ontology.objects(self.key.path, link) if isinstance(bound, URIRef)]

    # ------------------------------------------------------------------ cases

    def _sides(self) -> Iterator[tuple[str, str]]:
        """A value on each side, as Turtle; "" for the case that does not say."""
        if self.asked.limit:
            number = Decimal(self.asked.limit.number)
            step = Decimal(1) if self.key.datatype == XSD.integer else Decimal("0.1")
            other = number - step if self.asked.limit.least else number + step
            if not self.key.within(float(number)) or not self.key.within(float(other)):
                bounds = ", ".join(f"{name} {bound}" for name, bound in self.key.bounds)
                what = f"{self.kb.curie(str(self.key.path))} is never on both sides of {self.asked.limit.number}"
                raise KbError(what, hint=f"its shape says: {bounds}")
            yield from (("holds", str(number)), ("fails", str(other)))
        else:
            wanted = self._values
            others = [URIRef(iri) for iri in self.key.terms.values() if URIRef(iri) not in wanted]
            if not others:
                raise KbError("every value makes it hold, so it never fails", hint="name fewer with --is")
            yield from (
                ("holds", short(wanted[0], self.policy.prefixes)),
                ("fails", short(others[0], self.policy.prefixes)),
            )
        yield "unknown", ""

    def _case(self, side: str, value: str) -> str:
        prefixes = self.policy.prefixes
        says = {"holds": "speaks for it", "fails": "speaks against it", "unknown": "does not say"}[side]
        others = [
            f" ;\n    {short(key.path, prefixes)} {short(URIRef(next(iter(key.terms.values()))), prefixes)}"
            for key in self.form.keys.values()
            if key.required and key.terms and key.path not in (CASE.basis, self.key.path)
        ]
        finding = f"""
:finding a {short(self.form.iri, prefixes)} ;
    case:date "{_FOUND}"^^xsd:date ;
    case:basis case:ChartEvidence{"".join(others)} ;
    {short(self.key.path, prefixes)} {value} .
"""
        text = TurtleText(f"# Example case for {self.asked.name}: it {says}.", self.policy.cases_folder)
        text.append(
            f"""
:case a case:Case ;
    case:patient :patient ;
    case:coverage [ a case:Coverage ; case:lineOfBusiness case:Commercial ] ;
    case:request [ a case:Request ; case:serviceDate "{_SERVICE}"^^xsd:date ]{" ;" if value else " ."}
{"    case:finding :finding ." if value else ""}
{finding if value else ""}""",
            {"": f"{self.policy.iri}/cases/{self.asked.name}-{side}#", **prefixes},
        )
        return re.sub(r"\n{3,}", "\n\n", text.text)
