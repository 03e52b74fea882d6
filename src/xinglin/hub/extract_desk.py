"""Extracts at the hub: it hands requests to hospitals and ciphertext to workspaces, and decides and reads nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from xinglin.hub.members import Members
from xinglin.hub.run_desk import check_asked
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant
from xinglin.kernel.verdict import Reason, deny
from xinglin.stores.extract_hub import ExtractRow, HubExtracts, RelayFull
from xinglin.terms.extracts import check_extract
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest
from xinglin.terms.synthetic import SYNTHESISE, check_synthetic, is_synthetic
from xinglin.trust.envelope import Signed, open_signed, open_signed_as
from xinglin.wire.channel import Order, Report
from xinglin.wire.errors import Refused
from xinglin.wire.extracts import (
    EVENTS,
    EXTRACT_CONTEXT,
    EXTRACT_STATES,
    EXTRACTS_LISTED,
    EXTRACTS_OPEN,
    PARTS,
    SEALED_PART_BYTES,
    ExtractAttestation,
    ExtractGiven,
    ExtractOrder,
    ExtractPart,
    ExtractSaid,
    ExtractStop,
    ExtractView,
)
from xinglin.wire.runs import run_id_of
from xinglin.wire.synthetic import KIND

log = logging.getLogger("xinglin.hub.extracts")
WAIT_DAYS = 14.0
"""How long the sealed parts of an extract wait for their workspace, unless the operator sets another time."""
_DAY_MS = 24 * 3_600_000
_ATTESTED_MS = 3_600_000
"""How long sealed parts wait for their hospital's attestation, since the last of them."""
_THROUGH_MS = 30_000
"""How long after its attestation a hospital is through with an extract; asked before, it lets that pass."""
_LOOK_S = 60.0
_CANCELLED = "The asker cancelled it."
_TAKEN = "The workspace has it."
_NO_ROOM = "The hub has no room for it now; the hospital hands it over once there is."
_OVER = frozenset({"delivered", "dropped", *EXTRACT_STATES.final})


class ExtractDesk:
    """Where extracts are asked for, followed and fetched."""

    def __init__(
        self,
        members: Members,
        store: HubExtracts,
        put: Callable[[str, Order], None],
        clock: Clock,
        wait_days: float = WAIT_DAYS,
    ) -> None:
        self._members, self.store, self._put, self._clock = members, store, put, clock
        self._wait_ms = int(wait_days * _DAY_MS)
        self._changed = asyncio.Condition()
        self._last_part: dict[str, Instant] = {}
        self._short: dict[str, int] = {}  # bytes that extracts need whose parts were not kept
        self._again: dict[str, Instant] = {}  # when their hospital is through with them, and may be asked again

    # --- the asker ---------------------------------------------------------------------------

    def ask(self, signed: Signed, plan_data: bytes) -> ExtractView:
        """Take a request in and hand it to its hospital; the same request again is the same extract."""
        request = decode_json(open_signed(signed, USE_REQUEST, self._members.directory), UseRequest)
        plan = decode_json(plan_data, Plan)
        check_asked(signed, request, plan, plan_data, _misfits(request, plan))
        run_id = run_id_of(signed)
        known = self.store.one(run_id)
        if known is None:
            mine = self.store.of(request.requester, EXTRACTS_LISTED.value)
            EXTRACTS_OPEN.check(1 + sum(row.view.state not in {"dropped", *EXTRACT_STATES.final} for row in mine))
            now, (node,), (recipient,) = self._clock(), plan.roster, request.recipients
            kind = KIND if is_synthetic(plan) else ""
            view = ExtractView(run_id, EXTRACT_STATES.start, 1, node, recipient, now, now, kind=kind)
            known = ExtractRow(run_id, request.requester, recipient, node, signed.to_bytes(), plan_data, view)
            self.store.add(known)
            self._order(known)
        return known.view

    def list(self, who: str) -> list[ExtractView]:
        """Extracts that ``who`` asked for or receives, newest first."""
        return [row.view for row in self.store.of(who, EXTRACTS_LISTED.value)]

    async def view(self, run_id: str, who: str, after: int = -1, hold_s: float = 0.0) -> ExtractView:
        """One of them, once its version is above ``after`` or ``hold_s`` seconds have passed."""
        found = self._row(run_id, who).view
        if found.version > after or hold_s <= 0:
            return found
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(hold_s), self._changed:
                await self._changed.wait_for(lambda: self._row(run_id, who).view.version > after)
        return self._row(run_id, who).view

    async def cancel(self, run_id: str, who: str) -> ExtractView:
        """The asker no longer wants it: what its workspace has not fetched yet never will be; its parts are deleted."""
        row = self._row(run_id, who)
        if row.requester != who:
            raise Refused(deny("hub.not_the_requester", "Only who asked cancels.", "Ask them.").reasons)
        if "cancel" in EXTRACT_STATES.events(row.view.state):
            self._put(row.node, ExtractStop(run_id, _CANCELLED))
            await self._move(row, "cancel", words=_CANCELLED)
        return self._row(run_id, who).view

    async def again(self, run_id: str, who: str) -> ExtractView:
        """Have the hospital hand over once more what waited too long; it decides again whether it may."""
        row = self._row(run_id, who)
        if "again" not in EXTRACT_STATES.events(row.view.state):
            words = f"The extract is '{row.view.state}': only one whose parts were deleted is handed over again."
            raise Refused(deny("hub.not_dropped", words, "See its state; ask for a new extract otherwise.").reasons)
        await self._move(row, "again", words="", reasons=(), parts=0, attestation=None)
        self._order(row)
        return self._row(run_id, who).view

    # --- the workspace -----------------------------------------------------------------------

    def part(self, run_id: str, who: str, number: int) -> bytes:
        """One sealed part, for its recipient alone."""
        self._received_by(run_id, who)
        found = self.store.part(run_id, number)
        if found is None:
            words = "There is no such part here: not yet, or no longer."
            raise Refused(deny("hub.no_part", words, "Look at the extract's state.").reasons, status=404)
        return found

    async def taken(self, run_id: str, who: str) -> ExtractView:
        """The recipient has it all: the parts are forgotten. Again changes nothing."""
        row = self._received_by(run_id, who)
        if row.view.state == "delivered":
            self._put(row.node, ExtractStop(run_id, _TAKEN))
            await self._move(row, "take")
        return self._row(run_id, who).view

    # --- the hospital ------------------------------------------------------------------------

    def arrived(self, node: str) -> None:
        """A node (re)appeared: it is handed again what it has not finished; it knows what it has done."""
        for row in self.store.unfinished():
            if row.node == node:
                self._order(row)

    async def take(self, node: str, report: Report) -> None:
        """Act on a hospital's report; one about another hospital's extract, or one that is over, changes nothing."""
        row = self.store.one(getattr(report, "run_id", ""))
        if row is None or row.node != node:
            return
        if row.view.state in _OVER:
            if row.view.state in ("cancelled", "taken"):
                self._put(node, ExtractStop(row.run, row.view.words or _TAKEN))
            if not (isinstance(report, ExtractSaid) and report.event == "recall"):
                return  # a hospital may take back what its workspace has not fetched
        if isinstance(report, ExtractPart):
            PARTS.check(report.of)
            SEALED_PART_BYTES.check(len(report.payload))
            if 1 <= report.number <= report.of:
                await self._keep(row, report)
        elif isinstance(report, ExtractGiven):
            await self._given(row, report)
        elif isinstance(report, ExtractSaid) and report.event in {*EVENTS} & {*EXTRACT_STATES.events(row.view.state)}:
            await self._move(row, report.event, words=report.words, reasons=report.reasons)

    async def _keep(self, row: ExtractRow, part: ExtractPart) -> None:
        """Keep a part; where there is no room, its hospital hands the whole over again later, and sends on meanwhile.

        The line is one queue: a part that is refused until there is room would hold up every run of the hospital.
        """
        self._last_part[row.run] = self._clock()
        try:
            await asyncio.to_thread(self.store.add_part, row.run, part.number, part.payload)
        except RelayFull:
            whole = len(part.payload) if part.of == 1 else part.of * SEALED_PART_BYTES.value
            self._short[row.run] = whole
            await asyncio.to_thread(self.store.drop_parts, row.run)
            if "work" in EXTRACT_STATES.events(row.view.state):
                await self._move(row, "work", words=_NO_ROOM)

    async def _given(self, row: ExtractRow, report: ExtractGiven) -> None:
        signed = Signed.from_bytes(report.attestation)
        said = open_signed_as(signed, EXTRACT_CONTEXT, self._members.directory, ExtractAttestation)
        right = (said.run_id, said.node, said.recipient) == (row.run, row.node, row.recipient)
        right = right and signed.signer == row.node
        if right and row.run in self._short:
            self._again[row.run] = self._clock() + _THROUGH_MS
            await asyncio.to_thread(self.store.drop_parts, row.run)
            return
        if not right or self.store.parts(row.run) != said.parts:
            log.warning("extract %s: what its hospital says of it does not fit", row.run)
            return
        await self._move(row, "deliver", parts=said.parts, attestation=signed, words="", reasons=())

    # --- time --------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Delete parts that nobody needs or fetches, until cancelled."""
        while True:
            try:
                await self.lapse()
            except XinglinError as error:
                log.warning("looking for parts that lapsed waits: %s", error.code)
            await asyncio.sleep(min(_LOOK_S, max(1.0, self._wait_ms / 4_000)))

    async def lapse(self) -> None:
        """Delete the parts of what is over, and of what has waited longer than it may; who asked is told."""
        for run in await asyncio.to_thread(self.store.held):
            row = self.store.one(run)
            late = row is not None and self._clock() - row.view.changed > self._wait_ms
            if row is not None and late and row.view.state == "delivered":
                days = f"{self._wait_ms / _DAY_MS:g}"
                words = f"Its workspace did not fetch it in {days} days, so the sealed parts were deleted here."
                remedy = "Start the workspace, then have it handed over again: xinglin extract again."
                await self._move(row, "drop", words=words, reasons=deny("hub.not_fetched", words, remedy).reasons)
            elif row is None or row.view.state in {"dropped", *EXTRACT_STATES.final}:
                await asyncio.to_thread(self.store.drop_parts, run)
            elif row.view.state != "delivered":
                await self._unattested(run)
        await self._ask_again()

    async def _ask_again(self) -> None:
        """Have hospitals hand over what did not fit, once there is room; each is told to its hospital once."""
        for run, at in tuple(self._again.items()):
            row = self.store.one(run)
            room = self._clock() >= at and await asyncio.to_thread(self.store.has_room, run, self._short.get(run, 0))
            if room and self._again.pop(run, None) is not None and row is not None:
                self._short.pop(run, None)
                self._order(row)

    async def _unattested(self, run: str) -> None:
        """Delete parts that their hospital has not attested for too long; those of before a start, from then on."""
        if self._clock() - self._last_part.setdefault(run, self._clock()) > _ATTESTED_MS:
            self._last_part.pop(run)
            log.warning("extract %s: its parts were never attested, and are deleted", run)
            await asyncio.to_thread(self.store.drop_parts, run)
            self._short.setdefault(run, 0)

    # --- inside ------------------------------------------------------------------------------

    def _order(self, row: ExtractRow) -> None:
        self._put(row.node, ExtractOrder(row.run, row.request, row.plan))

    async def _move(self, row: ExtractRow, event: str, **changes: object) -> None:
        state = EXTRACT_STATES.move(row.view.state, event)
        if state == row.view.state and all(getattr(row.view, name) == value for name, value in changes.items()):
            return
        version = row.view.version + 1
        view = msgspec.structs.replace(row.view, state=state, version=version, changed=self._clock(), **changes)
        self.store.say(view, over=state in _OVER)
        if state in _OVER:
            for known in (self._last_part, self._short, self._again):
                known.pop(row.run, None)
        if state == "dropped" or state in EXTRACT_STATES.final:
            await asyncio.to_thread(self.store.drop_parts, row.run)
        async with self._changed:
            self._changed.notify_all()

    def _row(self, run_id: str, who: str) -> ExtractRow:
        row = self.store.one(run_id)
        if row is None or who not in (row.requester, row.recipient):
            reasons = deny("hub.unknown_extract", "There is no such extract of yours.", "Check its id.").reasons
            raise Refused(reasons, status=404)
        return row

    def _received_by(self, run_id: str, who: str) -> ExtractRow:
        row = self._row(run_id, who)
        if row.recipient != who:
            words = "An extract is handed to its workspace alone."
            raise Refused(deny("hub.not_the_recipient", words, "Fetch it from the workspace.").reasons)
        return row


def _misfits(request: UseRequest, plan: Plan) -> list[Reason]:
    reasons = [*check_extract(request, plan), *check_synthetic(request, plan)]
    if request.operation not in ("extract", SYNTHESISE):
        reasons.append(Reason("hub.not_an_extract", "This is no extract.", "Ask for a run instead."))
    return reasons
