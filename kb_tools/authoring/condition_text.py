"""A new condition as Turtle: its words, both shapes, and an example case on each side and on neither."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from rdflib import Literal, URIRef
from rdflib.namespace import XSD

from kb_tools.cases.form import Form, Key
from kb_tools.errors import KbError
from kb_tools.model.policy import Policy
from kb_tools.model.windows import Window
from kb_tools.rdf.edits import TurtleText, short
from kb_tools.rdf.namespaces import CASE, CLIN
from kb_tools.rdf.terms import local_name

TO_DO = "Say in words what the document says, read both shapes, and say in the manifest what the cases come to."
# The date of service of the cases, and that of their finding.
_SERVICE, _FOUND = "2026-07-01", "2026-06-15"
# How many characters of a list stand on one line.
_LINE = 100


@dataclass(frozen=True)
class Side:
    """What speaks for a condition, or against it: one of some values, or a number on a side of a limit.

    Attributes:
        values: terms, or true or false.
        limit: whether it is a least value, and the number as it is written.
        words: what it says, in words; "" where the condition says it.
    """

    values: tuple[URIRef | Literal, ...] = ()
    limit: tuple[bool, str] | None = None
    words: str = ""


@dataclass(frozen=True)
class Question:
    """What a condition asks of a case.

    Attributes:
        form: of the findings; or of the object of the case that states the property.
        key: the property; None where any finding of the class will do.
        holds: what speaks for it.
        fails: what speaks against it; None where only a statement that there was no such finding does.
        of: what the findings are of, where they count apart for each: the property and its term.
        window: how old a finding may be.
        holder: the property that leads from the case to the object that states the property; None of findings.
        codes: procedure codes that name the service.
    """

    form: Form
    key: Key | None
    holds: Side
    fails: Side | None
    of: tuple[Key, URIRef] | None = None
    window: Window | None = None
    holder: URIRef | None = None
    codes: tuple[URIRef, ...] = ()

    @property
    def read(self) -> URIRef:
        """What the condition reads: a class of findings, or a property."""
        return self.key.path if self.holder and self.key else self.form.iri

    @property
    def label(self) -> str:
        """What that is called."""
        return self.key.label if self.holder and self.key else self.form.label


def shapes_of(condition: URIRef) -> tuple[URIRef, URIRef]:
    """The names of the shapes of a new condition: for what speaks for it, and for what speaks against it."""
    name = local_name(condition)
    camel = "".join(part.capitalize() for part in name.split("-"))
    holds, fails = (URIRef(f"{condition.removesuffix(name)}{prefix}{camel}") for prefix in ("", "Not"))
    return holds, fails


class Writer:
    """Writes a condition and its cases.

    Args:
        prefixes: with which the condition is written, by name.
    """

    def __init__(self, policy: Policy, question: Question, condition: URIRef, prefixes: Mapping[str, str]) -> None:
        self.policy, self.kb, self.question, self.iri, self.prefixes = policy, policy.kb, question, condition, prefixes
        self.name = local_name(condition)

    def _short(self, iri: URIRef | Literal) -> str:
        return short(iri, self.prefixes) if isinstance(iri, URIRef) else str(iri)

    def _listed(self, values: Iterable[URIRef | Literal]) -> str:
        """A list of values; a long one on several lines."""
        text = f"( {' '.join(map(self._short, values))} )"
        return text if len(text) <= _LINE else textwrap.fill(text, _LINE, initial_indent="", subsequent_indent=" " * 8)

    # ------------------------------------------------------------------ the condition

    def condition(self) -> str:
        """The condition and its two shapes."""
        asked = self.question
        holds, fails = map(self._short, shapes_of(self.iri))
        label, definition, asks_for = self._words()
        read = f"{self._short(asked.read)}{' , case:procedureCode' if asked.codes else ''}"
        # A property with one value at most never says both; a service and a code can.
        never = asked.holder and not asked.codes
        window = f'    pol:within "{asked.window.text}"^^xsd:duration ;\n' if asked.window else ""
        return f"""
{self._short(self.iri)}
    a pol:Condition ;
    rdfs:label "{label}"@en ;
    skos:definition "{definition}"@en ;
    pol:asksFor "{asks_for}"@en ;
    pol:reads {read} ;
{window}    pol:possibleValue pol:Holds , pol:Fails , pol:Unknown{"" if never else " , pol:Conflicting"} ;
    pol:toDo "{TO_DO}"@en ;
    pol:holdsWhen {holds} ;
    pol:failsWhen {fails} .

{self._shape(holds, True, f"It is not shown: {label}.")}
{self._shape(fails, False, f"It is not shown to be otherwise: {label}.")}"""

    def _words(self) -> tuple[str, str, str]:
        """Label, definition and what is asked for: words to go on from."""
        asked = self.question
        said = asked.holds.words
        if asked.holder and asked.key:
            given = "coverage" if asked.holder == CASE.coverage else "request"
            what = f"{asked.key.label}: {said}"
            return what, f"The {given} states as {asked.key.label} {said}.", f"The {asked.key.label}."
        name = asked.form.label
        if asked.of:
            name += f" of {self.kb.labels.get(str(asked.of[1]), local_name(asked.of[1]))}"
        age = f" within {asked.window.words}" if asked.window else ""
        if asked.key is None:
            return (
                f"{name}{age}",
                f"At least one {name} is documented{age}.",
                f"Every {name}, with its date, or that there was none.",
            )
        values = " or ".join(map(str, asked.holds.values))
        said = said or values
        key = asked.key.label
        if asked.fails is None:
            which, asks = "At least one", f"Every {name}, with its date and {key}, or that there was none."
        elif asked.key.datatype == XSD.boolean:
            which, asks = "The latest", f"Whether {key}, by the latest {name}, with its date."
        else:
            which, asks = "The latest", f"The {key} and date of the latest {name}."
        states = f"{key}: {said}" if asked.key.datatype == XSD.boolean else f"as {key} {said}"
        return f"{name}: {key} {said}{age}", f"{which} {name} up to the service date states {states}.", asks

    def _shape(self, name: str, holds: bool, message: str) -> str:
        inner = self._of_request(holds) if self.question.holder else self._of_findings(holds)
        end = "value" if self.question.holder else "finding"
        return f"""{name}
    a sh:NodeShape ;
    sh:property {name}-{end} .

{name}-{end}
    a sh:PropertyShape ;
{inner}
    sh:message "{message}"@en .
"""

    def _of_request(self, holds: bool) -> str:
        asked = self.question
        key, side = asked.key, asked.holds if holds else asked.fails
        assert key is not None and side is not None and asked.holder is not None
        path = self._short(key.path)
        if side.limit:
            facet = _facet(side.limit, holds)
            return f"    sh:path ( {self._short(asked.holder)} {path} ) ;\n    sh:minCount 1 ;\n    {facet} ;"
        codes = asked.codes if holds else ()
        if codes:
            path = f"[ sh:alternativePath ( {path} case:procedureCode ) ]"
        return f"""    sh:path ( {self._short(asked.holder)} {path} ) ;
    sh:qualifiedValueShape [ sh:in {self._listed((*side.values, *codes))} ] ;
    sh:qualifiedMinCount 1 ;"""

    def _of_findings(self, holds: bool) -> str:
        asked = self.question
        if not holds and asked.fails is None:
            class_, asks = (
                CLIN.StatedAbsence,
                [f"[ sh:path clin:absenceOf ; sh:hasValue {self._short(asked.form.iri)} ]"],
            )
        else:
            class_, asks = asked.form.iri, list(self._asks(holds))
        lines = [f"sh:class {self._short(class_)}"]
        if asked.of and class_ == asked.form.iri:
            lines.append(
                f"sh:property [ sh:path {self._short(asked.of[0].path)} ; sh:hasValue {self._short(asked.of[1])} ]"
            )
        if len(asks) > 1:
            either = [f"[ sh:property {one} ]" for one in asks]
            lines.append(f"sh:or (\n            {(chr(10) + ' ' * 12).join(either)} )")
        else:
            lines.extend(f"sh:property {one}" for one in asks)
        inner = " ;\n        ".join(lines)
        return f"""    sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        {inner} ] ;
    sh:qualifiedMinCount 1 ;"""

    def _asks(self, holds: bool) -> Iterator[str]:
        """The property shapes of which one must hold of the finding."""
        key, side = self.question.key, self.question.holds if holds else self.question.fails
        if key is None or side is None:
            return
        exact = self._short(key.path)
        if side.limit is None:
            yield f"[ sh:path {exact} ; sh:minCount 1 ; sh:in {self._listed(side.values)} ]"
            return
        # A lower bound speaks for what is above, an upper one for what is below.
        upwards = side.limit[0] == holds
        bounds = [self._short(bound) for bound in self._bounds(CASE.atLeast if upwards else CASE.atMost)]
        path = f"[ sh:alternativePath ( {' '.join([exact, *bounds])} ) ]" if bounds else exact
        yield f"[ sh:path {path} ; sh:minCount 1 ; {_facet(side.limit, holds)} ]"
        # Below the bound is below the limit too, where the bound is no higher.
        for bound in [] if upwards else self._bounds(CASE.below):
            yield f"[ sh:path {self._short(bound)} ; sh:minCount 1 ; sh:maxInclusive {side.limit[1]} ]"

    def _bounds(self, link: URIRef) -> list[URIRef]:
        """The properties that state such a bound of the value."""
        assert self.question.key is not None
        stated = self.kb.ontology.objects(self.question.key.path, link)
        return [bound for bound in stated if isinstance(bound, URIRef)]

    # ------------------------------------------------------------------ cases

    def cases(self) -> Iterator[tuple[str, str]]:
        """The side that each case is on, and the case: one that speaks for it, one against, one that does not say."""
        asked = self.question
        for side, holds in (("holds", True), ("fails", False)):
            what = asked.holds if holds else asked.fails
            if what is None:
                value: str | None = None
            elif what.limit:
                value = self._number(holds)
            else:
                value = self._short(what.values[0]) if what.values else ""
            yield side, self._case(side, value)
        yield "unknown", self._case("unknown", "")

    def _number(self, holds: bool) -> str:
        """A number on the limit, on the side that speaks for the condition; or next to it, on the other."""
        key, limit = self.question.key, self.question.holds.limit
        assert key is not None and limit is not None
        least, number = limit[0], Decimal(limit[1])
        step = Decimal(1) if key.datatype == XSD.integer else Decimal("0.1")
        other = number - step if least else number + step
        if not key.within(float(number)) or not key.within(float(other)):
            bounds = ", ".join(f"{name} {bound}" for name, bound in key.bounds)
            what = f"{self.kb.curie(str(key.path))} is never on both sides of {limit[1]}"
            raise KbError(what, hint=f"its shape says: {bounds}")
        return str(number if holds else other)

    def _case(self, side: str, value: str | None) -> str:
        """A case that states a value; "" where any finding will do, None for a statement that there is none."""
        asked = self.question
        says = {"holds": "speaks for it", "fails": "speaks against it", "unknown": "does not say"}[side]
        finding = "" if asked.holder or side == "unknown" else self._finding(value)
        stated = {CASE.request: "", CASE.coverage: ""}
        if asked.holder and asked.key and side != "unknown":
            stated[asked.holder] = f" ; {self._short(asked.key.path)} {value}"
        line = "" if asked.key and asked.key.path == CASE.lineOfBusiness else " ; case:lineOfBusiness case:Commercial"
        end = " ;\n    case:finding :finding ." if finding else " ."
        text = TurtleText(f"# Example case for {self.name}: it {says}.", self.policy.cases_folder)
        text.append(
            f"""
:case a case:Case ;
    case:patient :patient ;
    case:coverage [ a case:Coverage{line}{stated[CASE.coverage]} ] ;
    case:request [ a case:Request ; case:serviceDate "{_SERVICE}"^^xsd:date{stated[CASE.request]} ]{end}
{finding}""",
            {"": f"{self.policy.iri}/cases/{self.name}-{side}#", **self.prefixes},
        )
        return re.sub(r"\n{3,}", "\n\n", text.text)

    def _finding(self, value: str | None) -> str:
        asked = self.question
        stated = {}
        class_ = asked.form.iri
        if value is None:
            class_, stated = CLIN.StatedAbsence, {CLIN.absenceOf: self._short(asked.form.iri)}
        else:
            for key in asked.form.keys.values():
                if key.required and key.terms and key.path != CASE.basis:
                    stated[key.path] = self._short(URIRef(next(iter(key.terms.values()))))
            if asked.of:
                stated[asked.of[0].path] = self._short(asked.of[1])
            if asked.key:
                stated[asked.key.path] = value
        lines = "".join(f" ;\n    {self._short(path)} {said}" for path, said in stated.items())
        return f"""
:finding a {self._short(class_)} ;
    case:date "{_FOUND}"^^xsd:date ;
    case:basis case:ChartEvidence{lines} .
"""


def _facet(limit: tuple[bool, str], holds: bool) -> str:
    """The bound of a number on the side that speaks for the condition, or on the other."""
    least, number = limit
    upwards = least == holds
    if holds:
        return f"sh:{'minInclusive' if upwards else 'maxInclusive'} {number}"
    return f"sh:{'minExclusive' if upwards else 'maxExclusive'} {number}"
