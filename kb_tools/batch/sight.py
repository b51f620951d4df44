"""What the shapes of a revision's conditions see of the pieces of a case, and what the case comes to by that.

The shapes of a condition count findings: some finding is so, or none is (the conformance check `condition-form`). So
findings of which the same is so can stand for each other (`determine.looks`). What is so of a finding, with those that
contradict it, SHACL is asked once; and what the conditions come to on findings that differ in that, SHACL is asked once
too. In both cases the shapes are held against what was really stated, never against anything made up.

A case is then a mask for each kind of fact that conditions read: a bit for each look that its findings and statements
have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from kb_tools.determine.ages_seen import Standing
from kb_tools.determine.concern import Concern
from kb_tools.determine.conclude import Concluder
from kb_tools.determine.determiner import Determiner, is_given
from kb_tools.determine.evaluate import Content, Shown, Statement, at_age
from kb_tools.determine.looks import Looks, Seen
from kb_tools.determine.result import ConditionResult, CriterionResult
from kb_tools.memory import Memory
from kb_tools.model.logic import Value
from kb_tools.rdf.namespaces import CASE
from kb_tools.rdf.terms import local_name

# The bits of a piece, each with the number of the kind of fact in whose mask it stands.
Bits: TypeAlias = tuple[tuple[int, int], ...]
# How old a finding is in the eyes of each kind of fact that it is; none where no kind looks at that.
Ages: TypeAlias = tuple[Standing, ...]

VALUES = tuple(Value)
_CODES = {value: code for code, value in enumerate(VALUES)}
_CONFLICTING = _CODES[Value.CONFLICTING]
# Looks of one kind of fact, and masks, after which all is forgotten; conclusions kept in one generation.
MAX_LOOKS, MAX_MASKS, CONCLUSIONS = 2_000, 50_000, 20_000


class Reads(NamedTuple):
    """What a condition reads: a kind of fact, by its number, and of its findings those that bear on the condition."""

    number: int
    concern: Concern


@dataclass(frozen=True)
class Conclusion:
    """What follows from the values of all conditions.

    Attributes:
        outcome: the value of an `Outcome`.
        to_send: every condition whose value can still change the outcome.
        advisories: what the document advises besides.
        criteria: the criteria on which a settled outcome rests, with their values, in codes.
        conditions: the conditions that give these their values, likewise.
        deciding: what the conditions read on which a settled outcome rests.
    """

    outcome: str
    to_send: tuple[str, ...]
    advisories: tuple[str, ...]
    criteria: tuple[str, ...]
    conditions: tuple[str, ...]
    deciding: tuple[Reads, ...]


@dataclass(frozen=True)
class SightState:
    """All that a sight has learned; of each kind of fact, in the order of `Sight.kinds`.

    Attributes:
        at: what stands at each bit.
        so: the bit of the findings of which the same is so, by what that is.
        values: what masks come to.
    """

    at: list[list[Shown | Statement]]
    so: list[dict[tuple[bool, ...], int]]
    values: list[dict[int, bytes]]


def deciding_conditions(criteria: Iterable[CriterionResult]) -> tuple[str, ...]:
    """The conditions that give the criteria their values on which a settled outcome rests, by their IRIs."""
    return tuple(sorted({iri for result in criteria if result.decides for iri in result.grounds}))


def in_codes(values: Iterable[tuple[str, Value]]) -> tuple[str, ...]:
    """Criteria or conditions with their values, as "acute-gvhd: fails"."""
    return tuple(f"{local_name(iri)}: {value.value}" for iri, value in values)


class Sight:
    """What the conditions of one revision see."""

    def __init__(self, determiner: Determiner) -> None:
        self.revision = determiner.revision
        self.name = self.revision.entry.name
        self._determiner = determiner
        self._evaluator = determiner.evaluator
        self.kinds = tuple(self._evaluator.by_kind)
        self.conditions = tuple(condition for kind in self.kinds for condition in self._evaluator.by_kind[kind])
        self._reads = {
            condition.iri: Reads(number, determiner.concerns[condition.iri])
            for number, kind in enumerate(self.kinds)
            for condition in self._evaluator.by_kind[kind]
        }
        self._looks = Looks(determiner.kb, self._evaluator.engine)
        self._counted = [self._evaluator.counted[kind] for kind in self.kinds]
        advised = {iri for advisory in self.revision.advisories for iri in advisory.conditions()}
        self._advised = [place for place, condition in enumerate(self.conditions) if condition.iri in advised]
        self._numbers_of: dict[str, list[int]] = {}
        for number, kind in enumerate(self.kinds):
            for read in kind:
                self._numbers_of.setdefault(read, []).append(number)
        self._ages = [self._evaluator.ages[kind] for kind in self.kinds]
        self._aged = {
            read
            for read, numbers in self._numbers_of.items()
            if any(self._ages[number].properties for number in numbers)
        }
        self.forget()

    def forget(self) -> None:
        """Forgets all looks, and with them what masks mean."""
        # By kind of fact: the bit of each look, what stands at each bit, the bits of findings that surely count, and
        # what masks come to.
        self._bits: list[dict[object, int]] = [{} for _ in self.kinds]
        self._at: list[list[Shown | Statement]] = [[] for _ in self.kinds]
        self._counting = [0] * len(self.kinds)
        self._values: list[dict[int, bytes]] = [{} for _ in self.kinds]
        self._conclusions: Memory[bytes, Conclusion] = Memory(CONCLUSIONS)
        self._advisories: Memory[bytes, tuple[str, ...]] = Memory(CONCLUSIONS)

    def __len__(self) -> int:
        """How many looks and values of masks are known."""
        return sum(map(len, self._at)) + sum(map(len, self._values))

    def state(self) -> SightState:
        """What is known, apart from what follows from it."""
        so = [{key: bit for key, bit in bits.items() if isinstance(key[0], bool)} for bits in self._bits]  # type: ignore[index]
        return SightState(self._at, so, self._values)  # type: ignore[arg-type]

    def restore(self, state: SightState) -> None:
        """Puts back what `state` gave, into a sight that has learned nothing.

        Raises:
            ValueError: it is of other kinds of fact.
        """
        if not len(state.at) == len(state.so) == len(state.values) == len(self.kinds):
            raise ValueError("of other kinds of fact")
        self._at, self._values = state.at, state.values
        for number, (looks, so) in enumerate(zip(state.at, state.so, strict=True)):
            for key, bit in so.items():
                self._bits[number][key] = bit
            for bit, look in enumerate(looks):
                if look[0] not in (CASE.currentFinding, CASE.perhapsFinding):
                    self._bits[number][look] = bit
            self._counting[number] = sum(1 << bit for bit in so.values())

    @property
    def is_full(self) -> bool:
        """Whether so many looks are known that all should be forgotten."""
        return any(
            len(at) > 2 * MAX_LOOKS or len(values) > MAX_MASKS
            for at, values in zip(self._at, self._values, strict=True)
        )

    def reading(self, property_or_class: str) -> Sequence[int]:
        """The kinds of fact that a class of findings, or a property, belongs to, by their numbers."""
        return self._numbers_of.get(property_or_class, ())

    # ------------------------------------------------------------------ looks

    def statement(self, statement: Statement) -> Bits:
        """The bits of something stated of the request, its products or the coverage."""
        found = []
        for number in self.reading(self._evaluator.read_as(statement)):
            bit = self._bits[number].get(statement)
            if bit is None:
                bit = self._bits[number][statement] = self._add(number, statement)
            found.append((number, 1 << bit))
        return tuple(found)

    def ages(self, reads: str, day: str, service: str) -> Ages:
        """How old a finding of a class is in the eyes of each kind of fact that it is, in the order of `reading`.

        Args:
            day, service: its date and the date of service, as YYYY-MM-DD.
        """
        if reads not in self._aged:
            return ()
        return tuple([self._ages[number].standing_of(day, service) for number in self._numbers_of[reads]])

    def at_age(self, content: Content, number: int, standing: Standing) -> Content:
        """What is said of a finding, and how old it is in the eyes of a kind of fact."""
        return at_age(content, self._ages[number].stated(standing))

    def look(self, asked: Iterable[tuple[int, Seen]]) -> dict[tuple[int, Seen], tuple[int, int]]:
        """Asks SHACL what is so of findings, all in one call of the engine.

        Args:
            asked: the number of a kind of fact, and a finding of it.

        Returns:
            The bit of each where it counts, and where it perhaps counts.
        """
        new = list(dict.fromkeys(asked))
        found: dict[tuple[int, Seen], tuple[int, int]] = {}
        if not new:
            return found
        known = self._looks.so([(self._counted[number], seen) for number, seen in new])
        for number, seen in new:
            so = known[self._counted[number], seen]
            bit = self._bits[number].get(so)
            if bit is None:
                bit = self._bits[number][so] = self._add(number, (CASE.currentFinding, *seen))
                self._add(number, (CASE.perhapsFinding, *seen))
                self._counting[number] |= 1 << bit
            found[number, seen] = (1 << bit, 2 << bit)
        return found

    def _add(self, number: int, look: Shown | Statement) -> int:
        self._at[number].append(look)
        return len(self._at[number]) - 1

    # ------------------------------------------------------------------ values

    def has_counting(self, number: int, mask: int) -> bool:
        """Whether a finding surely counts among what a mask of a kind of fact stands for."""
        return self._counting[number] & mask != 0

    def conflicting(self, number: int, mask: int) -> Iterator[tuple[Concern, bool]]:
        """Of each condition of a kind of fact what bears on it, and whether it is conflicting, or perhaps is."""
        for condition, code in zip(
            self._evaluator.by_kind[self.kinds[number]], self._values[number][mask], strict=True
        ):
            yield self._reads[condition.iri].concern, _CONFLICTING in (code >> 2, code & 3)

    def vector(self, masks: Sequence[int]) -> bytes | None:
        """The values of all conditions, a byte each; None where SHACL is still to be asked about a mask."""
        try:
            return b"".join([values[mask] for values, mask in zip(self._values, masks, strict=True)])
        except KeyError:
            return None

    def learn_values(self, asked: Iterable[Sequence[int]]) -> None:
        """Asks SHACL what masks come to, all in one call of the engine."""
        new = {
            (number, mask) for masks in asked for number, mask in enumerate(masks) if mask not in self._values[number]
        }
        signatures = {
            (number, mask): (self.kinds[number], self._signature(number, mask)) for number, mask in sorted(new)
        }
        known = self._evaluator.values(signatures.values())
        for (number, mask), signature in signatures.items():
            values = known[signature]
            self._values[number][mask] = bytes(
                4 * _CODES[values[condition.iri][0]] + _CODES[values[condition.iri][1]]
                for condition in self._evaluator.by_kind[self.kinds[number]]
            )

    def _signature(self, number: int, mask: int) -> tuple[tuple[Shown, ...], tuple[Statement, ...]]:
        shown: list[Shown] = []
        stated: list[Statement] = []
        for bit, look in enumerate(self._at[number]):
            if mask >> bit & 1:
                (shown if look[0] in (CASE.currentFinding, CASE.perhapsFinding) else stated).append(look)  # type: ignore[arg-type]
        return tuple(sorted(shown, key=repr)), tuple(sorted(stated, key=repr))

    def encoded(self, results: Mapping[str, ConditionResult]) -> bytes:
        """The values that a determination gives, as a vector."""
        found = [results[condition.iri] for condition in self.conditions]
        return bytes(4 * _CODES[result.value] + _CODES[result.perhaps] for result in found)

    # ------------------------------------------------------------------ conclusions

    @property
    def concluder(self) -> Concluder:
        """What follows from the values of the conditions."""
        return self._determiner.concluder

    def read(self, vector: bytes) -> dict[str, tuple[Value, Value]]:
        """The values that a vector stands for: of each condition the value, and the one that it perhaps has."""
        return {
            condition.iri: (VALUES[code >> 2], VALUES[code & 3])
            for condition, code in zip(self.conditions, vector, strict=True)
        }

    def conclusion(self, vector: bytes) -> Conclusion:
        """What follows from the values of all conditions."""
        return self._conclusions.get(vector) or self._conclusions.put(vector, self._conclude(vector))

    def _conclude(self, vector: bytes) -> Conclusion:
        values = {condition.iri: VALUES[code >> 2] for condition, code in zip(self.conditions, vector, strict=True)}
        to_send, outcome, criteria = self._determiner.concluder.conclude(values)
        conditions = deciding_conditions(criteria)
        return Conclusion(
            outcome=outcome.value,
            to_send=tuple(sorted(to_send)),
            advisories=self._advice(vector, values),
            criteria=in_codes((result.criterion.iri, result.value) for result in criteria if result.decides),
            conditions=in_codes((iri, values[iri]) for iri in conditions),
            deciding=tuple(dict.fromkeys(self._reads[iri] for iri in conditions)),
        )

    def _advice(self, vector: bytes, values: Mapping[str, Value]) -> tuple[str, ...]:
        """The advisories that are given: the same wherever the conditions that these read have the same values."""
        key = bytes([vector[place] for place in self._advised])
        found = self._advisories.get(key)
        if found is None:
            perhaps = {condition.iri: VALUES[code & 3] for condition, code in zip(self.conditions, vector, strict=True)}
            given = (one.iri for one in self.revision.advisories if is_given(one, values, perhaps))
            found = self._advisories.put(key, tuple(given))
        return found
