"""Rows of cases of several policies: each is made under the policy that the case names, as `kb validate` chooses it.

What a case states beside its findings says which policy that is, and many cases state the same: so it is found out once
for each such text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from kb_tools.batch.learned import Learned
from kb_tools.batch.rows import MALFORMED, NOT_DETERMINED, UNREADABLE, Row, RowMaker
from kb_tools.cases.case import Case
from kb_tools.determine.choice import PolicyChoice
from kb_tools.determine.run import Answer, Run
from kb_tools.errors import KbError
from kb_tools.memory import Memory
from kb_tools.model.history import Selection
from kb_tools.model.policy import Policy

# Texts of which it is kept, in one generation, which policy they name.
TEXTS = 50_000


class RowMakers:
    """Makes rows of cases of several policies, with a maker for each policy that a case names.

    Args:
        run: determines cases under the policies that they name.
        learned: what was learned of a policy in earlier runs; None where nothing is kept.
        by_pieces: whether pieces are remembered.
    """

    def __init__(
        self, run: Run, learned: Callable[[Policy], Learned | None] = lambda policy: None, by_pieces: bool = True
    ) -> None:
        self._run = run
        self._learned_of = learned
        self._by_pieces = by_pieces
        self._makers: dict[str, tuple[RowMaker, Policy, Learned | None]] = {}
        # By what a case states beside its findings: the policy that it names, or why that is none.
        self._named: Memory[str, Policy | KbError] = Memory(TEXTS)

    def of_lines(self, lines: Sequence[bytes]) -> list[Row]:
        """One row for each line of plain JSON, in their order."""
        return self._in_order(
            list(map(self._named_on, lines)),
            lambda maker, places: maker.of_lines([lines[place] for place in places]),
        )

    def of_read(self, lines: Sequence[bytes], found: Sequence[Case | KbError]) -> list[Row]:
        """One row for each line of which the case is read already, or why there is none."""
        return self._in_order(
            [self._named_by(one) if isinstance(one, Case) else one for one in found],
            lambda maker, places: maker.of_read([lines[at] for at in places], [found[at] for at in places]),
        )

    def answers(self, lines: Iterable[bytes | Case | KbError]) -> Iterable[Answer | KbError]:
        """The full answer for each line of plain JSON, and for what is read already."""
        return self._run.stream(self._any.read(line) if isinstance(line, bytes) else line for line in lines)

    def order(self, row: Row) -> tuple[str, ...]:
        """The IRIs of the conditions in the order in which a row has their values; none where it has none."""
        if not row.revision:
            return ()
        maker, policy, _ = self._makers[row.policy]
        sight = maker.sight(Selection(policy.entry(row.revision), ()))
        return tuple(condition.iri for condition in sight.conditions)

    def keep(self) -> None:
        """Keeps for later runs what was learned."""
        for maker, _, learned in self._makers.values():
            if learned is not None:
                maker.keep(learned)

    # ------------------------------------------------------------------ which policy

    def _named_on(self, line: bytes) -> Policy | KbError:
        """The one policy that the case on a line names; why there is none where it names none, or several."""
        opened = self._any.open(line)
        known = self._named.get(opened.stated) if opened else None
        if known is not None:
            return known
        case = self._any.read(line)
        if isinstance(case, KbError):
            # Its findings alone may be what is wrong: another case that states the same may be sound.
            return case
        found = self._named_by(case)
        return self._named.put(opened.stated, found) if opened else found

    def _named_by(self, case: Case) -> Policy | KbError:
        try:
            (policy,) = self._run.choice.of(case)
        except KbError as error:
            return error
        return policy

    # ------------------------------------------------------------------ the makers

    def _in_order(
        self, named: Sequence[Policy | KbError], made: Callable[[RowMaker, Sequence[int]], list[Row]]
    ) -> list[Row]:
        """The rows of all places in their order, those of one policy made together.

        Args:
            named: the policy of each place, or why there is none.
        """
        places: dict[str, list[int]] = {}
        for place, one in enumerate(named):
            places.setdefault(one.identifier if isinstance(one, Policy) else "", []).append(place)
        rows: dict[int, Row] = {}
        for of_one in places.values():
            first = named[of_one[0]]
            # What is wrong with a case that names no policy, any of them says.
            maker = self._maker(first) if isinstance(first, Policy) else self._any
            for place, row in zip(of_one, made(maker, of_one), strict=True):
                rows[place] = _under(named[place], row)
        return [rows[place] for place in range(len(named))]

    @cached_property
    def _any(self) -> RowMaker:
        return self._maker(self._run.choice.policies[0])

    def _maker(self, policy: Policy) -> RowMaker:
        if policy.identifier not in self._makers:
            run = self._run.choosing(PolicyChoice([policy]), same_revision=True)
            maker = RowMaker(run, self._by_pieces, any_payer=True)
            learned = self._learned_of(policy)
            if learned is not None:
                for entry in policy.history:
                    if entry.criteria_on_file:
                        maker.sight(Selection(entry, ()))
                maker.restore(learned)
            self._makers[policy.identifier] = maker, policy, learned
        return self._makers[policy.identifier][0]


def _under(named: Policy | KbError, row: Row) -> Row:
    """A row with the policy that its case names, or with why there is none; one that has a slip is of none."""
    if row.outcome in (MALFORMED, UNREADABLE):
        return row
    if isinstance(named, Policy):
        return row._replace(policy=named.identifier)
    return Row(row.case, "", NOT_DETERMINED, reasons=(named.what,))
