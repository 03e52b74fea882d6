"""Breaches that become overdue: noted once, shown to the hospital's people, and answered by a rule where one is for it.

A missed date is noted durably before anything follows from it, so that neither a stop nor a clock that is set back
undoes it or does it twice. A rule suspends as a person would: ``NodeAgreements.suspend``, signed, logged, holding
what runs.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from xinglin.contract.autopilot import BREACH_OVERDUE, answer
from xinglin.contract.breach import Case
from xinglin.contract.negotiation import AGREEMENT_STATES, OVERDUE_STATES
from xinglin.gate import NotNow
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.node.agreements import NodeAgreements
from xinglin.node.autopilot import NodeAutopilot
from xinglin.node.breaches import NodeBreaches
from xinglin.node.logview import LogView
from xinglin.stores.overdue_breaches import OverdueBreaches, OverdueRow
from xinglin.terms.facts import CHECKPOINT_STALE_MS

log = logging.getLogger("xinglin.node.overdue")
LOOK_EVERY_S = 10.0


class NodeOverdue:
    """Missed dates of this hospital's agreements, its own and those of the other parties."""

    def __init__(
        self,
        node: str,
        view: LogView,
        agreements: NodeAgreements,
        breaches: NodeBreaches,
        autopilot: NodeAutopilot,
        store: OverdueBreaches,
        clock: Clock,
    ) -> None:
        self._node, self._view, self._agreements, self._breaches = node, view, agreements, breaches
        self._autopilot, self._store, self._clock = autopilot, store, clock
        self._turn = asyncio.Lock()

    async def keep_looking(self) -> None:
        """Look every ``LOOK_EVERY_S`` seconds until cancelled."""
        while True:
            try:
                await self.look()
            except (XinglinError, NotNow) as error:
                log.warning("overdue breaches could not be looked at: %s", error.code)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Note what is overdue by now, and do about each new one what the rules say.

        Nothing is done while the newest checkpoint is not fresh by this node's clock: an answer in time may be under
        the next one, or the clock may be wrong.
        """
        async with self._turn:
            age_ms = self._view.age_ms
            if age_ms is None or age_ms > CHECKPOINT_STALE_MS:
                return
            cases = self._cases()
            for case in cases.values():
                if case.logged and 0 < case.due < self._clock() and case.state != "closed":
                    missed = OverdueRow(case.agreement, case.notice, case.due, self._clock(), OVERDUE_STATES.start)
                    if self._store.note(missed):
                        log.warning("breach %s of %s is overdue", case.notice, case.agreement)
            for row in self._store.all():
                if row.state == OVERDUE_STATES.start and row.notice in cases:
                    await self._answer(row, cases[row.notice])

    def entries(self) -> list[dict[str, object]]:
        """Missed dates that nobody has settled, for the hospital's people: whose, since when, what was done."""
        cases = self._cases()
        found: list[dict[str, object]] = []
        for row in self._store.all():
            case = cases.get(row.notice)
            if case is None or _stands(row, case):
                whose = "" if case is None else "ours" if case.against == self._node else "theirs"
                about = {"what": case.what if case is not None else "", "whose": whose}
                found.append({**msgspec.structs.asdict(row), **about})
        return found

    def missed(self, case: Case) -> bool:
        """Whether the date that is asked for has passed, or was once noted as missed."""
        return case.overdue or any(row.notice == case.notice and _stands(row, case) for row in self._store.all())

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _cases(self) -> dict[str, Case]:
        """Every case that can be read now, by its notice; what waits for the log comes with the next look."""
        found: dict[str, Case] = {}
        for agreement_id in self._breaches.noticed():
            try:
                found |= {case.notice: case for case in self._breaches.cases(agreement_id)}
            except (XinglinError, NotNow) as error:
                log.info("breaches of %s are not looked at yet: %s", agreement_id, error.code)
        return found

    async def _answer(self, row: OverdueRow, case: Case) -> None:
        """What the rules say of one missed date; whatever goes wrong leaves it to the next look, and visible."""
        try:
            if not _stands(row, case):
                self._move(row, "hold", 0, "It was settled meanwhile.")
            elif case.against == self._node:
                self._move(row, "hold", 0, "The date was this hospital's own: its people see to it.")
            elif self._breaches.awaits_paper(case):
                return  # an answer is in the log and was not carried here yet: the people see it, and nothing is done
            else:
                await self._by_rule(row)
        except (XinglinError, NotNow) as error:
            log.warning("overdue breach %s waits for a person: %s", row.notice, error.code)

    async def _by_rule(self, row: OverdueRow) -> None:
        found = answer(self._autopilot.rules(), BREACH_OVERDUE, self._agreements.offer(row.agreement))
        if found.do != "suspend":
            self._move(row, "hold", found.number, found.reason)
            return
        standing = self._agreements.history(self._agreements.row_of(row.agreement)).standing
        if self._node not in standing.suspended_by:
            if "suspend" not in AGREEMENT_STATES.events(standing.state):
                self._move(row, "hold", found.number, f"The agreement is {standing.state}, and is not suspended.")
                return
            await self._agreements.suspend(row.agreement)
        self._move(row, "suspend", found.number, found.reason)
        log.warning("auto-pilot: %s is suspended by rule %d", row.agreement, found.number)

    def _move(self, row: OverdueRow, event: str, rule: int, reason: str) -> None:
        state = OVERDUE_STATES.move(row.state, event)
        self._store.keep(msgspec.structs.replace(row, state=state, rule=rule, reason=reason))


def _stands(row: OverdueRow, case: Case) -> bool:
    """Whether the date that was missed is still the one that is asked for."""
    return case.due == row.due and case.state != "closed"
