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
from xinglin.hub.run_states import HALTED, RUN_STATES, WORDS
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
    RunWaiting,
)
from xinglin.wire.runs import refusal_of

log = logging.getLogger("xinglin.hub.runs")
_PROCEED = "proceed"
RETURNING_S = 10.0
"""After a start of the hub nobody counts as away for this long: nodes come back with a back-off of 5 s at most."""
_FOR_OTHERS = "others_missing"
_WAITS = {"held_for_review": "in review"}
"""What a hospital's line says where it waits for people, by the reason it gives; for anything else it waits."""
TELL_EVERY_MS = 250
LOOK_MS = 1_000
"""What one look at who is away tells of at most: looks come every half second, unless the hub itself stood still."""


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
        self._waits: dict[str, RunWaiting] = {}
        self._replaying = False
        self._patient_until = 0
        self._looked, self._away_ms = clock(), 0
        self._names, self._fewest = names, session.fewest
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
        return RunView(
            self.run_id, self.state, self.version, self._round, self._progress(), self._reasons,
            self._words or self._waiting_words(), self._started, self._ended,
        )  # fmt: skip

    def _progress(self) -> tuple[NodeProgress, ...]:
        blocked = self._blocked()
        return tuple(
            NodeProgress(
                did,
                self._names.get(did, did),
                self._node_states[did] if did not in blocked else _WAITS.get(blocked[did].reason, "waiting"),
                self._line.connected(did),
            )
            for did in self.roster
        )

    def _present_waits(self) -> dict[str, RunWaiting]:
        return {did: said for did, said in self._waits.items() if self._line.connected(did)}

    def _blocked(self) -> dict[str, RunWaiting]:
        """Hospitals that cannot go on for a reason of their own, such as a log without its quorum."""
        return {did: said for did, said in self._present_waits().items() if said.reason != _FOR_OTHERS}

    def _waiting_words(self) -> str:
        if self.over:
            return ""
        for did, said in self._blocked().items():
            return f"{self._names.get(did, did)} waits: {said.words}"
        away = [self._names.get(did, did) for did in self._missing() if not self._line.connected(did)]
        return f"Waits for {', '.join(away)}: away." if away else ""

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
        self._waits.pop(node, None)
        if node not in self._admitted:
            self._order_run(node)
            return
        if self.state != "deciding":
            self._put(node, self._releases())
            self._send_current(node)

    async def replay(self, row: MessageRow) -> None:
        """Take one kept message again, in its old order, after the hub was started anew; nothing is sent anew.

        A node that comes back is sent what is current then: see ``arrived``.
        """
        self._replaying = True
        try:
            if row.kind.startswith(_PROCEED):
                await self._go_on_without(self._missing())
            elif row.kind == "admitted":
                await self.take(row.node, decode_msgpack(row.payload, RunAdmitted), replay=True)
            elif row.kind == "released":
                await self.take(row.node, decode_msgpack(row.payload, RunReleased), replay=True)
            else:
                await self.take(row.node, RunMessage(self.run_id, row.kind, row.round, row.payload), replay=True)
        finally:
            self._replaying = False

    def restored(self) -> None:
        """Everything kept was taken again: the nodes are given time to come back."""
        self._patient_until = self._clock() + round(RETURNING_S * 1000)

    async def take(self, node: str, report: Report, *, replay: bool = False) -> None:
        """Act on one report of ``node``; what is kept is kept before this returns."""
        async with self._turn:
            if not self.over and node in self.roster:
                await self._act(node, report, replay)

    async def _act(self, node: str, report: Report, replay: bool) -> None:
        self._waits.pop(node, None)
        if isinstance(report, RunWaiting):
            self._waits[node] = report
        elif isinstance(report, RunAdmitted):
            kept = replay or self._store.add_message(
                self.run_id, MessageRow(node, "admitted", 0, encode_msgpack(report))
            )
            if kept and self.state == "deciding":
                self._admitted[node] = report
                self._node_states[node] = "ready"
                self._advance_if_all_admitted()
        elif isinstance(report, RunRefused | RunStopped) and self._left_out(node):
            log.info("run %s goes on without %s, which has ended its part", self.run_id, node)
        elif isinstance(report, RunRefused):
            self._node_states[node] = "refused"
            self._reasons = self._named(node, report.reasons)
            self._end("refuse")
        elif isinstance(report, RunMessage):
            row = MessageRow(node, report.kind, report.round, report.payload)
            if replay or self._store.add_message(self.run_id, row):
                await self._relay_message(node, report)
            if not self.over and not replay:
                self._send_current(node, only_new=True)
        elif isinstance(report, RunReleased):
            self._released[node] = report
            if replay or self._store.add_message(self.run_id, MessageRow(node, "released", 0, encode_msgpack(report))):
                self._node_states[node] = "released"
                self._conclude()
        elif isinstance(report, RunStopped):
            self._node_states[node] = "stopped"
            self._stop(node, report)
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
        waits = self._present_waits()
        missing = [did for did in self._missing() if did not in waits]
        all_away = self._gone(missing)
        if missing and not self._blocked() and self._clock() >= self._patient_until:
            waited_s = (self._clock() - self._since) / 1000
            most_s = self._patience.decide_s if self.state == "deciding" else self._patience.step_s
            if waited_s > most_s or (all_away and waited_s > self._patience.away_s):
                await self._go_on_without(missing)
        if self._shows() != self._shown:
            await self._tell()

    # --- inside ------------------------------------------------------------------------------

    def _gone(self, missing: list[str]) -> bool:
        """Whether all who are missing have been away long enough, all the time; a hub that stood still saw nothing.

        A hospital that is busy and misses one poll after a long step is not one that is away.
        """
        now = self._clock()
        seen_ms, self._looked = min(max(now - self._looked, 0), LOOK_MS), now
        away = bool(missing) and not any(self._line.connected(did) for did in missing)
        self._away_ms = self._away_ms + seen_ms if away else 0
        return away and self._away_ms > self._patience.away_s * 1000

    def _named(self, node: str, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        name = self._names.get(node, node)
        return tuple(msgspec.structs.replace(one, words=f"{name}: {one.words}") for one in reasons)

    def _stop(self, node: str, report: RunStopped) -> None:
        """A node ends its part: its rules, as it signs that, or something that broke."""
        refusal = refusal_of(report, node)
        if refusal is None:
            self._words = report.words
            self._end("lose" if report.code == "too_few" else "fail")
            return
        signed, said = refusal
        self.result = RunResult(self.run_id, (signed,), b"")
        self._words, self._reasons = HALTED, self._named(node, said.reasons)
        self._end("withhold")

    def _order_run(self, did: str) -> None:
        self._put(did, RunOrder(self.run_id, self.row.request, self.row.plan))

    def _put(self, did: str, order: Order) -> None:
        if not self._replaying:
            self._line.put(did, order)

    def _send_current(self, did: str, *, only_new: bool = False) -> None:
        """What ``did`` is awaited for, once more: it may be behind, or have lost it."""
        message = self._relay.message_for(did)
        if message is not None and not (only_new and self._sent.get(did) == message):
            self._sent[did] = message
            self._put(did, RunRelay(self.run_id, message))

    def _releases(self) -> RunReleases:
        return RunReleases(self.run_id, tuple(self._admitted[did].releases for did in sorted(self._admitted)))

    def _left_out(self, did: str) -> bool:
        return self.state != "deciding" and did not in self._relay.survivors

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
            self._put(did, self._releases())
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
            self._send_current(did)
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
        signed = tuple(decode_msgpack(self._released[did].attestation, Signed) for did in survivors)
        if len({(a.kind, a.commitment) for a in attested}) != 1:
            self._conclude_apart(attested, signed)
            return
        sealed = next((self._released[did].sealed for did in survivors if self._released[did].sealed), {})
        self.result = RunResult(self.run_id, signed, sealed.get(self.row.requester, b""))
        self._words, self._reasons = attested[0].words, attested[0].reasons
        self._end({"result": "deliver", "withheld": "withhold"}.get(attested[0].kind, "end"))

    def _conclude_apart(self, attested: list[Attestation], signed: tuple[Signed, ...]) -> None:
        """What ended at one hospital alone is withheld, whatever the others say; anything else does not agree."""
        if len({a.commitment for a in attested if a.kind != "withheld"}) > 1 or all(
            a.kind != "withheld" for a in attested
        ):
            self._words = "The hospitals do not agree on the outcome."
            self._end("fail")
            return
        self.result = RunResult(self.run_id, signed, b"")
        reasons = (reason for a in attested if a.kind == "withheld" for reason in a.reasons)
        self._words, self._reasons = "", tuple(dict.fromkeys(reasons))
        self._end("withhold")

    def _attestation(self, did: str) -> Attestation:
        signed = decode_msgpack(self._released[did].attestation, Signed)
        return msgspec.json.decode(signed.payload, type=Attestation)

    async def _go_on_without(self, missing: list[str]) -> None:
        phase, number = self._relay.phase, self._relay.round
        try:
            if self.state == "releasing" or (self.state == "deciding" and len(self._admitted) < self._fewest):
                raise_lost()
            if self.state == "deciding":
                self._prepare()
            else:
                self._relay.proceed()
                if self._relay.can_reconstruct:
                    await asyncio.to_thread(self._relay.reconstruct)
                self._pump()
            self._store.add_message(self.run_id, MessageRow("", f"{_PROCEED}-{phase}", number, b""))
            for did in missing:
                if self._left_out(did):
                    self._node_states[did] = "left out"
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
        if event in ("deliver", "end") and self.state == "computing":
            self._move("release")
        if event not in RUN_STATES.events(self.state):
            event = "fail"
        self._move(event)
        self._ended = self._clock()
        self._waits.clear()
        self._words = self._words or WORDS.get(self.state, "")
        for did in self.roster:
            self._put(did, RunEnd(self.run_id, self.state, self._words))
        result = msgspec.json.encode(self.result) if self.result else b""
        self.row = msgspec.structs.replace(
            self.row, state="ended", view=msgspec.json.encode(self.view()), result=result
        )
        self._store.put_run(self.row)
        self._store.drop_messages(self.run_id)

    def _shows(self) -> object:
        return self.state, self._progress(), self._words or self._waiting_words()

    async def _tell(self) -> None:
        """Wake the followers when what they see has changed; rounds alone do so a few times a second at most."""
        shown = self._shows()
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
