"""A new condition: what it is to ask, held against what a case can state of it, and its files.

A condition reads findings of a class, or what the request or the coverage states by one property. What counts for it
and what against it follows from how that can be stated; `condition_text` writes it down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rdflib import Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS, XSD

from kb_tools.authoring.condition_text import Question, Side, Writer, shapes_of
from kb_tools.cases.form import CaseForms, Form, Key
from kb_tools.errors import KbError, did_you_mean
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.model.products import product_kinds
from kb_tools.model.repository import CONDITIONS
from kb_tools.model.windows import DamagedWindow, Window
from kb_tools.rdf.edits import TurtleText, short
from kb_tools.rdf.namespaces import CASE, COND, POL
from kb_tools.rdf.terms import local_name
from kb_tools.writing import write_atomically

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NUMBERS = (XSD.integer, XSD.decimal)
_TRUTH = {"true": Literal(True), "false": Literal(False)}
_BY_HAND = "write its shapes by hand; docs/policies.md names conditions to copy"
# The objects of a case whose properties a condition can read, with the property that leads to each.
_HOLDERS = {"Request": CASE.request, "Coverage": CASE.coverage}


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
        reads: the class of findings, or the property of the request or the coverage, as a CURIE or a name.
        limit: for a number.
        values: for a term, or true or false: those of which one makes it hold, as CURIEs or names.
        property: of the finding, where several fit; "" where one does.
        of: what the findings are of, where they count apart for each: a term; "" where they do not.
        within: how old a finding may be, as a duration: "P6M"; "" for any age.
        own: whether it is the policy's own, rather than shared by all.
    """

    name: str
    reads: str
    limit: Limit | None = None
    values: tuple[str, ...] = ()
    property: str = ""
    of: str = ""
    within: str = ""
    own: bool = False


def write_condition(policy: Policy, asked: Asked) -> list[Path]:
    """Writes a condition and its cases; nothing that is there is overwritten.

    It holds where the latest finding says so, and fails where the latest says otherwise; a bound counts only where the
    whole range lies on one side, a term only where it is, or is not, one of those asked for, whatever kind of it is
    meant. Where all findings of a class count, one that says so is enough, and only a statement that there was none
    speaks against it.

    Returns:
        the files that were written or changed: that of the condition, then the others.

    Raises:
        KbError: the name is taken or none, there is no such class, property or value; or findings of the class count in
            a way of which the shapes must be written by hand.
    """
    return _New(policy, asked).write()


class _New:
    def __init__(self, policy: Policy, asked: Asked) -> None:
        self.policy, self.asked, self.kb = policy, asked, policy.kb
        if not _NAME.fullmatch(asked.name):
            hint = "write small letters and digits, joined by hyphens: bmi-is-40-or-higher"
            raise KbError(f"{asked.name!r} is no name of a condition", hint=hint)
        self.namespace = f"{policy.iri}/condition#" if asked.own else str(COND)
        self.condition = URIRef(self.namespace + asked.name)
        if (self.condition, RDF.type, POL.Condition) in self.kb.conditions:
            raise KbError(f"condition {asked.name} is there already", hint="choose another name")
        for shape in shapes_of(self.condition):
            taken = sorted(str(node) for node in self.kb.conditions.subjects() if f"{node}-".startswith(f"{shape}-"))
            if taken:
                named = f"{self.kb.curie(taken[0])}, which is there already"
                raise KbError(f"the shapes of {asked.name} would have the name of {named}", hint="choose another name")
        self.case_forms = CaseForms(self.kb)
        self.forms = self.case_forms.forms
        self.question = self._question()

    # ------------------------------------------------------------------ what is asked

    def _question(self) -> Question:
        classes = set(self.kb.ontology.transitive_subjects(RDFS.subClassOf, CASE.Finding)) - {CASE.Finding}
        stated = {key.path: (form, key) for form in _HOLDERS for key in self.forms[form].keys.values() if not key.many}
        for kind in product_kinds(self.kb.ontology):
            if self.asked.reads in (self.kb.curie(str(kind)), local_name(kind), str(kind)):
                raise KbError(f"{self.kb.curie(str(kind))} is a kind of product", hint=_BY_HAND)
        known = [URIRef(str(iri)) for iri in (*classes, *stated)]
        read = self._term(self.asked.reads, known, "class of findings, nor property of the request or the coverage,")
        if read in stated:
            return self._of_request(*stated[read])
        return self._of_findings(self.forms[local_name(read)])

    def _of_request(self, holder: str, key: Key) -> Question:
        for given, option in (
            (self.asked.of, "--of"),
            (self.asked.within, "--within"),
            (self.asked.property, "--property"),
        ):
            if given:
                raise KbError(
                    f"{self.kb.curie(str(key.path))} is no class of findings",
                    hint=f"leave {option} out: it is of findings",
                )
        codes = tuple(code for value in self.asked.values if (code := self._code(value)))
        if codes and key.path != CASE.service:
            raise KbError("codes name a service", hint="give them with --reads case:service")
        holds, fails = self._holds(key), self._fails(key)
        return Question(self.forms[holder], key, holds, fails, holder=_HOLDERS[holder], codes=codes)

    def _of_findings(self, form: Form) -> Question:
        graph = self.kb.ontology
        called = self.kb.curie(str(form.iri))
        all_count = (form.iri, CASE.latestCounts, Literal(True)) not in graph
        may_be_absent = (form.iri, CASE.mayBeAbsent, Literal(True)) in graph
        if all_count and not may_be_absent:
            hint = f"say of the class case:mayBeAbsent true, if that is so; or {_BY_HAND}"
            raise KbError(f"all findings of {called} count, and that there was none cannot be stated", hint=hint)
        of, key = self._of(form), self._key(form, optional=may_be_absent)
        # One of all findings says nothing against another; nor does a finding against that there is one.
        by_absence = all_count or key is None
        holds = self._holds(key) if key else Side()
        fails = None if by_absence or key is None else self._fails(key)
        return Question(form, key, holds, fails, of=of, window=self._window())

    def _of(self, form: Form) -> tuple[Key, URIRef] | None:
        """What the findings are of, where they count apart for each."""
        path = self.kb.ontology.value(form.iri, CASE.keyProperty)
        called = self.kb.curie(str(form.iri))
        if path is None:
            if self.asked.of:
                raise KbError(f"findings of {called} do not count apart", hint="leave --of out")
            return None
        key = next(key for key in form.keys.values() if key.path == path)
        apart = f"findings of {called} count apart for each {self.kb.curie(str(path))}"
        # One of a narrower term may speak for the wider one and not against it, one without a term for any.
        nested = any((term, SKOS.broader, None) in self.kb.ontology for term in self._terms(key))
        if not key.terms or nested:
            raise KbError(apart, hint=_BY_HAND)
        if not key.required:
            required = f"make {self.kb.curie(str(path))} required in its shape (sh:minCount 1)"
            raise KbError(apart, hint=f"{required}, or {_BY_HAND}")
        if not self.asked.of:
            raise KbError(apart, hint=f"say which with --of: {', '.join(self._named(key.terms.values()))}")
        return key, self._term(self.asked.of, self._terms(key), f"value of {self.kb.curie(str(path))}")

    def _window(self) -> Window | None:
        if not self.asked.within:
            return None
        try:
            return Window.parse(self.asked.within)
        except DamagedWindow as error:
            message, _, hint = str(error).partition("; ")
            raise KbError(message, hint=hint) from None

    def _key(self, form: Form, *, optional: bool) -> Key | None:
        """The property that states the value exactly; none where any finding of the class will do."""
        wanted = bool(self.asked.limit or self.asked.values)
        if optional and not wanted:
            return None
        bounds = {
            bound for link in (CASE.atLeast, CASE.atMost, CASE.below) for bound in self.kb.ontology.objects(None, link)
        }
        truth = bool(self.asked.values) and set(self.asked.values) <= _TRUTH.keys()
        of_kind = {
            key.path: key
            for key in form.keys.values()
            if key.path not in bounds | {CASE.basis}
            and (
                key.datatype in _NUMBERS
                if self.asked.limit
                else key.datatype == XSD.boolean
                if truth
                else bool(key.terms)
            )
        }
        counted = set(self.kb.ontology.objects(form.iri, CASE.countedBy))
        fits = {path: key for path, key in of_kind.items() if path in counted}
        if self.asked.property:
            return fits[self._term(self.asked.property, fits, "property")]
        if len(fits) != 1:
            what = "a number" if self.asked.limit else "true or false" if truth else "a term"
            called = self.kb.curie(str(form.iri))
            if of_kind and not fits:
                raise KbError(f"findings of {called} count whether or not they state {what}", hint=_BY_HAND)
            names = ", ".join(self._named(fits))
            raise KbError(
                f"{called} has {len(fits)} properties whose value is {what}",
                hint=f"choose one with --property: {names}" if fits else "ask for the other kind of value",
            )
        return next(iter(fits.values()))

    def _holds(self, key: Key) -> Side:
        """What speaks for it."""
        if self.asked.limit:
            return Side(limit=self._limit(key), words=self.asked.limit.words)
        if key.datatype == XSD.boolean:
            return Side(values=tuple(self._truth(value) for value in self.asked.values))
        wanted = self._wanted(key)
        words = " or ".join(self.kb.labels.get(str(value), local_name(value)) for value in wanted)
        return Side(values=tuple(term for term in self._terms(key) if term in self._kinds(wanted)), words=words)

    def _fails(self, key: Key) -> Side:
        """What speaks against it: what is none of those asked for, whatever kind of it is meant."""
        if self.asked.limit:
            return Side(limit=self._limit(key), words=self.asked.limit.words)
        if key.datatype == XSD.boolean:
            named = [self._truth(value) for value in self.asked.values]
            return Side(values=self._some(value for value in _TRUTH.values() if value not in named))
        wanted = self._kinds(self._wanted(key))
        return Side(values=self._some(term for term in self._terms(key) if not self._kinds([term]) & wanted))

    def _limit(self, key: Key) -> tuple[bool, str]:
        limit = self.asked.limit
        assert limit is not None
        curie = self.kb.curie(str(key.path))
        if key.datatype not in _NUMBERS:
            raise KbError(f"the value of {curie} is no number", hint="give the terms that it may be with --is")
        whole = key.datatype == XSD.integer
        if not re.fullmatch(r"[0-9]+" if whole else r"[0-9]+(\.[0-9]+)?", limit.number):
            raise KbError(
                f"{limit.number!r} is no limit", hint=f"give a {'whole ' if whole else ''}number, as {curie} takes"
            )
        return limit.least, limit.number

    @staticmethod
    def _some(others: Iterable[URIRef | Literal]) -> tuple[URIRef | Literal, ...]:
        found = tuple(others)
        if not found:
            raise KbError("every value makes it hold, so it never fails", hint="name fewer with --is")
        return found

    # ------------------------------------------------------------------ terms

    def _term(self, name: str, known: Iterable[URIRef], what: str) -> URIRef:
        by_name = {called: one for one in known for called in (self.kb.curie(str(one)), local_name(one), str(one))}
        if name not in by_name:
            hint = f"known: {', '.join(self._named(set(by_name.values())))}"
            if name.partition(":")[0] in self.policy.own_prefixes:
                hint = f"describe it in policies/{self.policy.identifier}/ontology first, as docs/policies.md shows"
            raise KbError(f"no {what} {name}", hint=did_you_mean(name, by_name) or hint)
        return by_name[name]

    def _named(self, terms: Iterable[str]) -> list[str]:
        return sorted(self.kb.curie(str(one)) for one in terms)

    def _truth(self, value: str) -> Literal:
        if value not in _TRUTH:
            raise KbError(f"{value!r} is neither true nor false", hint="give --is true or --is false")
        return _TRUTH[value]

    def _code(self, value: str) -> URIRef | None:
        """The code that is named, as cpt:38242; None where that is a term."""
        prefix, _, rest = value.partition(":")
        namespace = self.case_forms.code_prefixes.get(prefix)
        return URIRef(namespace + rest) if namespace else None

    def _terms(self, key: Key) -> list[URIRef]:
        return [URIRef(iri) for iri in key.terms.values()]

    def _wanted(self, key: Key) -> list[URIRef]:
        curie = self.kb.curie(str(key.path))
        if not key.terms:
            raise KbError(f"the value of {curie} is no term", hint="give a limit with --at-least or --at-most")
        named = [value for value in self.asked.values if not self._code(value)]
        if not named:
            raise KbError(f"no value of {curie} is named", hint="name the service besides its codes")
        return [self._term(value, self._terms(key), f"value of {curie}") for value in named]

    def _kinds(self, terms: Iterable[URIRef]) -> set[URIRef]:
        """The terms and all that are narrower."""
        narrower = self.kb.ontology.transitive_subjects
        return {URIRef(str(kind)) for term in terms for kind in narrower(SKOS.broader, term)}

    # ------------------------------------------------------------------ files

    def write(self) -> list[Path]:
        folder = self.policy.folder / CONDITIONS if self.asked.own else self.kb.root / CONDITIONS
        path = self._file_for(folder)
        text = TurtleText(path.read_text(encoding="utf-8") if path.is_file() else self._heading(), path)
        prefixes, changed = dict(self.policy.prefixes), {}
        if self.asked.own and self.namespace not in prefixes.values():
            prefixes[self._own_prefix()] = self.namespace
            changed[self.policy.folder / POLICY_FILE] = self._with_prefix()
        writer = Writer(self.policy, self.question, self.condition, prefixes)
        text.append(writer.condition(), prefixes)
        changed[path] = text.text
        for side, content in writer.cases():
            changed[self.policy.cases_folder / f"{self.asked.name}-{side}.ttl"] = content
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
        """The file with conditions that read the same; else a new one."""
        read = self.question.read
        for path in sorted(folder.glob("*.ttl")):
            if any(p == POL.reads and o == read for _, p, o in self.kb.triples(path)):
                return path
        return folder / f"{self.asked.name}.ttl"

    def _heading(self) -> str:
        label = self.question.label
        return f"# {label[:1].upper()}{label[1:]}: what is asked of it.\n"

    def _own_prefix(self) -> str:
        return re.sub(r"[^a-z0-9]", "", self.policy.identifier.lower()) + "cond"

    def _with_prefix(self) -> str:
        path = self.policy.folder / POLICY_FILE
        text = TurtleText(path.read_text(encoding="utf-8"), path)
        row = f'[ sh:prefix "{self._own_prefix()}" ; sh:namespace "{self.namespace}"^^xsd:anyURI ]'
        text.append(f"{short(URIRef(self.policy.iri), {})} sh:declare {row} .", self.policy.prefixes)
        return text.text
