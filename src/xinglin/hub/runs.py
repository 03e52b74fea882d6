"""Runs at the hub: one coordinator each. It relays, waits, names who is missing, and keeps what followers see.

The hub computes nothing about the data: it opens no total, decides nothing, and whatever it says here
is checked by the nodes. Messages are kept before they are acknowledged, so a restarted hub goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from xinglin.hub.ports import HubStore, MessageRow, RunRow
from xinglin.hub.run_states import RUN_STATES, WORDS
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Reason
from xinglin.secure import Relay, SecureError, Session, WrongRound
from xinglin.secure import errors as secure_errors
from xinglin.trust.envelope import Signed
from xinglin.wire.calls import NodeProgress, RunResult, RunView
from xinglin.wire.channel import (
    Attestation,
    Order,
    Report,
    RunAdmitted,
    RunEnd,
    RunMessage,
    RunOrder,
    RunRefused,
    RunRelay,
    RunReleased,
    RunReleases,
    RunStopped,
)

log = logging.getLogger("xinglin.hub.runs")
_PROCEED = "proceed"
TELL_EVERY_MS = 250


class Patience(msgspec.Struct, frozen=True):
    """How long a run waits, in seconds: for decisions, for a hospital that is away, and in all for one step."""

    decide_s: float = 120.0
    away_s: float = 15.0
    return_s: float = 120.0
    step_s: float = 300.0


class Line(msgspec.Struct, frozen=True):
    """The hub's lines to its nodes: ``put`` an order, ask whether one is ``connected``."""

    put: Callable[[str, Order], None]
    connected: Callable[[str], bool]


class Coordinator:
    """One run from request to end. ``take`` is called with every report about it, in order of arrival."""

    def __init__(
        self,
        row: RunRow,
        session: Session,
        names: dict[str, str],
        store: HubStore,
        line: Line,
        clock: Clock,
        patience: Patience,
        verify: Callable[[str, str, bytes, bytes], bool],
    ) -> None:
        self.run_id, self.row = row.run_id, row
        self._store, self._line, self._clock, self._patience = store, line, clock, patience
        self.roster = tuple(member.did for member in session.members)
        self._relay = Relay(session, verify=verify)
        self._admitted: dict[str, RunAdmitted] = {}
        self._released: dict[str, RunReleased] = {}
        self._sent: dict[str, bytes] = {}
        self._node_states = dict.fromkeys(self.roster, "asked")
        self._names = names
        self._since = clock()
        self._started, self._ended = clock(), 0
        self._reasons: tuple[Reason, ...] = ()
        self._words = ""
        self._round = 0
        self.state = RUN_STATES.start
        self.version = 1
        self.changed = asyncio.Condition()
        self._turn = asyncio.Lock()
        self._pumped: tuple[str, int] = ("", 0)
        self._shown: object = None
        self._told_at = 0
        self.result: RunResult | None = None

    # --- what followers see ------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.state in RUN_STATES.final

    def view(self) -> RunView:
        """The run as followers see it: states only, nothing that depends on rows."""
        nodes = tuple(
            NodeProgress(did, self._names.get(did, did), self._node_states[did], self._line.connected(did))
            for did in self.roster
        )
        return RunView(
            self.run_id, self.state, self.version, self._round, nodes, self._reasons,
            self._words, self._started, self._ended,
        )  # fmt: skip

    async def follow(self, after: int, hold_s: float) -> RunView:
        """The view once its version is above ``after``, or after ``hold_s`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(hold_s), self.changed:
                await self.changed.wait_for(lambda: self.version > after)
        return self.view()

    # --- what nodes report -------------------------------------------------------------------

    def begin(self) -> None:
        """Ask every hospital of the roster."""
        for did in self.roster:
            self._order_run(did)

    def arrived(self, node: str) -> None:
        """A node came (back): send again all that is current for it; it knows what it has done."""
        if node not in self.roster or self.over:
            return
        if node not in self._admitted:
            self._order_run(node)
            return
        if self.state != "deciding":
            self._line.put(node, self._releases())
            if node in self._sent:
                self._line.put(node, RunRelay(self.run_id, self._sent[node]))

    async def replay(self, row: MessageRow) -> None:
        """Take one kept message again, in its old order, after the hub was started anew."""
        if row.kind.startswith(_PROCEED):
            await self._go_on_without([])
        elif row.kind == "admitted":
            await self.take(row.node, decode_msgpack(row.payload, RunAdmitted), replay=True)
        elif row.kind == "released":
            await self.take(row.node, decode_msgpack(row.payload, RunReleased), replay=True)
        else:
            await self.take(row.node, RunMessage(self.run_id, row.kind, row.round, row.payload), replay=True)

    async def take(self, node: str, report: Report, *, replay: bool = False) -> None:
        """Act on one report of ``node``; what is kept is kept before this returns."""
        async with self._turn:
            if not self.over and node in self.roster:
                await self._act(node, report, replay)

    async def _act(self, node: str, report: Report, replay: bool) -> None:
        if isinstance(report, RunAdmitted):
            kept = replay or self._store.add_message(
                self.run_id, MessageRow(node, "admitted", 0, encode_msgpack(report))
            )
            if kept and self.state == "deciding":
                self._admitted[node] = report
                self._node_states[node] = "ready"
                self._advance_if_all_admitted()
        elif isinstance(report, RunRefused):
            self._node_states[node] = "refused"
            name = self._names.get(node, node)
            self._reasons = tuple(msgspec.structs.replace(r, words=f"{name}: {r.words}") for r in report.reasons)
            self._end("refuse")
        elif isinstance(report, RunMessage):
            row = MessageRow(node, report.kind, report.round, report.payload)
            if replay or self._store.add_message(self.run_id, row):
                await self._relay_message(node, report)
        elif isinstance(report, RunReleased):
            self._released[node] = report
            if replay or self._store.add_message(self.run_id, MessageRow(node, "released", 0, encode_msgpack(report))):
                self._node_states[node] = "released"
                self._conclude()
        elif isinstance(report, RunStopped):
            self._node_states[node] = "stopped"
            self._words = report.words
            self._end("lose" if report.code == "too_few" else "fail")
        await self._tell()

    async def cancel(self) -> None:
        """End the run at its asker's word."""
        async with self._turn:
            if not self.over:
                self._end("cancel")
                await self._tell()

    async def watch(self) -> None:
        """Decide about time: whom not to wait for any longer. Called every half second while the run lasts."""
        async with self._turn:
            if not self.over:
                await self._watch()

    async def _watch(self) -> None:
        waited_s = (self._clock() - self._since) / 1000
        missing = self._missing()
        away = [did for did in missing if not self._line.connected(did)]
        patience = self._patience
        if self.state == "deciding":
            if waited_s > patience.decide_s or (away and away == missing and waited_s > patience.away_s):
                await self._go_on_without(missing)
        elif missing and (waited_s > patience.step_s or (away == missing and waited_s > patience.away_s)):
            await self._go_on_without(missing)

    # --- inside ------------------------------------------------------------------------------

    def _order_run(self, did: str) -> None:
        self._line.put(did, RunOrder(self.run_id, self.row.request, self.row.plan))

    def _releases(self) -> RunReleases:
        return RunReleases(self.run_id, tuple(self._admitted[did].releases for did in sorted(self._admitted)))

    def _missing(self) -> list[str]:
        if self.state == "deciding":
            return [did for did in self.roster if did not in self._admitted]
        if self.state == "releasing":
            return [did for did in self._relay.survivors if did not in self._released]
        return list(self._relay.waiting_for)

    def _advance_if_all_admitted(self) -> None:
        if len(self._admitted) < len(self.roster):
            return
        self._prepare()

    def _prepare(self) -> None:
        self._move("admit")
        for did, admitted in sorted(self._admitted.items()):
            self._relay.receive(did, admitted.advert)
        for did in self._admitted:
            self._line.put(did, self._releases())
            self._node_states[did] = "preparing"
        if len(self._admitted) < len(self.roster):
            self._relay.proceed()
        self._pump()

    async def _relay_message(self, node: str, report: RunMessage) -> None:
        try:
            self._relay.receive(node, report.payload)
            if self._relay.ready:
                await asyncio.to_thread(self._relay.reconstruct)
        except (WrongRound, secure_errors.Refused) as error:
            # Late or repeated: the node was told what is current, and that is enough.
            log.info("run %s: message of %s not taken: %s", self.run_id, node, error.code)
            return
        except SecureError as error:
            log.warning("run %s: message of %s refused: %s", self.run_id, node, error.code)
            self._words = error.what
            self._end("fail")
            return
        self._pump()

    def _pump(self) -> None:
        now = (self._relay.phase, self._relay.round)
        if now == self._pumped:
            return
        self._pumped = now
        for did in self._admitted:
            message = self._relay.message_for(did)
            if message is not None:
                self._sent[did] = message
                self._line.put(did, RunRelay(self.run_id, message))
        self._since = self._clock()
        if self.state == "preparing" and self._relay.phase == "uploading":
            self._move("prepare")
        if self.state == "computing" and self._relay.round != self._round:
            self._round = self._relay.round
            log.info("run %s is in round %d", self.run_id, self._round)
            for did in self._relay.survivors:
                self._node_states[did] = "computing"

    def _conclude(self) -> None:
        if self.state == "computing":
            self._move("release")
        survivors = self._relay.survivors
        if any(did not in self._released for did in survivors):
            return
        attested = [self._attestation(did) for did in survivors]
        if len({(a.kind, a.commitment) for a in attested}) != 1:
            self._words = "The hospitals do not agree on the outcome."
            self._end("fail")
            return
        signed = tuple(decode_msgpack(self._released[did].attestation, Signed) for did in survivors)
        sealed = next((self._released[did].sealed for did in survivors if self._released[did].sealed), {})
        self.result = RunResult(self.run_id, signed, sealed.get(self.row.requester, b""))
        self._words, self._reasons = attested[0].words, attested[0].reasons
        self._end({"result": "deliver", "withheld": "withhold"}.get(attested[0].kind, "end"))

    def _attestation(self, did: str) -> Attestation:
        signed = decode_msgpack(self._released[did].attestation, Signed)
        return msgspec.json.decode(signed.payload, type=Attestation)

    async def _go_on_without(self, missing: list[str]) -> None:
        for did in missing:
            self._node_states[did] = "away"
        try:
            if self.state == "releasing":
                raise_lost()
            if self.state == "deciding":
                if len(self._admitted) < 3:
                    raise_lost()
                self._prepare()
            else:
                phase, number = self._relay.phase, self._relay.round
                self._relay.proceed()
                self._store.add_message(self.run_id, MessageRow("", f"{_PROCEED}-{phase}", number, b""))
                if self._relay.can_reconstruct:
                    await asyncio.to_thread(self._relay.reconstruct)
                self._pump()
            self._since = self._clock()
        except XinglinError as error:
            waited_s = (self._clock() - self._since) / 1000
            if self.state != "deciding" and waited_s < self._patience.return_s:
                await self._tell()
                return  # a run that may not go on without them waits for their return
            self._words = error.what
            self._end("lose")
        await self._tell()

    def _move(self, event: str) -> None:
        self.state = RUN_STATES.move(self.state, event)
        self._since = self._clock()

    def _end(self, event: str) -> None:
        if event in ("deliver", "withhold", "end") and self.state == "computing":
            self._move("release")
        if event not in RUN_STATES.events(self.state):
            event = "fail"
        self._move(event)
        self._ended = self._clock()
        self._words = self._words or WORDS.get(self.state, "")
        for did in self.roster:
            self._line.put(did, RunEnd(self.run_id, self.state, self._words))
        result = msgspec.json.encode(self.result) if self.result else b""
        self.row = msgspec.structs.replace(
            self.row, state="ended", view=msgspec.json.encode(self.view()), result=result
        )
        self._store.put_run(self.row)
        self._store.drop_messages(self.run_id)

    async def _tell(self) -> None:
        """Wake the followers when what they see has changed; rounds alone do so a few times a second at most."""
        shown = (self.state, tuple(self._node_states.values()), self._words)
        quiet = shown == self._shown and self._clock() - self._told_at < TELL_EVERY_MS
        if quiet and not self.over:
            return
        self._shown, self._told_at = shown, self._clock()
        self.version += 1
        async with self.changed:
            self.changed.notify_all()


class TooFew(XinglinError):
    """Nobody is left to go on with."""

    code = "hub.too_few"


def raise_lost() -> None:
    """End of waiting: the run cannot go on with who is there."""
    raise TooFew(WORDS["too_few"])
