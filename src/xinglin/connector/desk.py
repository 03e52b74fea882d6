"""The desk: the only place where a negotiation or a transfer moves.

A message of the counterparty is (1) looked up by our id, for this caller and side alone; (2) taken under the
process's lock; (3) compared with the last one, so that the same message sent again changes nothing; (4) judged by
the state table; (5) written down with everything that follows from it — agreement, token, evidence, and what the
auto-pilot makes us owe — in one transaction; (6) only then acknowledged.

A move of ours is owed from the moment it is written down and moves the state when the counterparty acknowledges.
The counterparty may be faster with its next message than with that acknowledgement: a message that only fits after
our owed move proves that the move has arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from weakref import WeakValueDictionary

import msgspec

from xinglin.connector.answers import answer_to, answers, is_held, known_of, note_of, vouched
from xinglin.connector.drafting import Draft, digest_of, draft, is_published, state_url
from xinglin.connector.errors import NotPossible
from xinglin.connector.model import BEGUN_WITHIN_MS, World
from xinglin.connector.outbox import Outbox
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.autopilot import ACTIONS, BINDING, Situation, choose
from xinglin.wire.dsp.errors import BadMessage, Busy, NotAllowed, NotThere, TooMany, Unreachable
from xinglin.wire.dsp.offered import check_offer_policy
from xinglin.wire.dsp.ports import Answer, AnswerRow, Caller, ContractRow, NoteRow, OwedRow, ProcessRow, Sender, Step
from xinglin.wire.dsp.states import CONSUMER, ENDS, PROVIDER, START, may_move, move, other_side

log = logging.getLogger("xinglin.connector")

MOVES = Limit("moves of a process", 256, "moves")
Sides = tuple[str, ...]
_NOTED = {"negotiation": ENDS, "transfer": ENDS | {"STARTED", "SUSPENDED"}}


class Desk:
    """Moves processes; every method is safe to be called at once with any other."""

    def __init__(self, world: World, outbox: Outbox, sender: Sender) -> None:
        self.world = world
        self.outbox = outbox
        self._sender = sender
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._coming: Counter[str] = Counter()
        self.on_held: list[Callable[[ProcessRow], None]] = []

    def lock(self, key: str) -> asyncio.Lock:
        """The lock of a process (or of an opening); kept while anybody holds or awaits it."""
        found = self._locks.get(key)
        if found is None:
            found = self._locks[key] = asyncio.Lock()
        return found

    # What counterparties say

    def theirs(self, caller: Caller, kind: str, sides: Sides, pid: str) -> ProcessRow:
        """The process with our id ``pid``, in which we are of ``sides``, if it is this caller's; else ``NotThere``."""
        row = self.world.store.process(pid) if pid.isprintable() else None
        if row is None or row.kind != kind or row.side not in sides or row.participant != caller.participant:
            raise NotThere
        return row

    async def told(self, caller: Caller, kind: str, sides: Sides, pid: str) -> tuple[ProcessRow, str]:
        """The process as the counterparty may see it, once no message of ours is under way; and its state."""
        self.theirs(caller, kind, sides, pid)
        await self.outbox.settled(pid)
        row = self.theirs(caller, kind, sides, pid)
        if row.state != START:
            return row, row.state
        return row, "REQUESTED" if row.side == CONSUMER else "OFFERED"

    async def receive(
        self, caller: Caller, kind: str, sides: Sides, pid: str, event: str, message: m.Message, raw: bytes
    ) -> ProcessRow:
        """The counterparty's next move; see the module for its steps."""
        self.theirs(caller, kind, sides, pid)
        async with self.lock(pid):
            row = self.theirs(caller, kind, sides, pid)
            mark = f"{message.message_id} {digest_of(raw)}" if message.message_id else ""
            if mark and mark == row.repeat:
                return row
            row = _adopted(row, message)
            owed = self.world.store.owed(pid)
            states, kept = self._judged(row, owed, event)
            MOVES.check(row.trail.count(",") + len(states))
            row = msgspec.structs.replace(self._moved(row, states), repeat=mark)
            row, contract = await self._carried(row, event, message)
            return await self._write(row, kept, contract)

    def _judged(self, row: ProcessRow, owed: OwedRow | None, event: str) -> tuple[list[str], OwedRow | None]:
        """The states that the counterparty's move leads through, and what we owe still."""
        peer = other_side(row.side)
        if owed is not None and self.outbox.may_have_arrived(owed):
            after = move(row.kind, row.state, owed.event, row.side)
            if may_move(row.kind, after, event, peer):
                return [after, move(row.kind, after, event, peer)], None
        following = move(row.kind, row.state, event, peer)
        still = owed is not None and may_move(row.kind, following, owed.event, row.side)
        return [following], owed if still else None

    def _moved(self, row: ProcessRow, states: list[str]) -> ProcessRow:
        trail = ",".join([row.trail, *states] if row.trail else states)
        return msgspec.structs.replace(row, state=states[-1], trail=trail)

    async def _carried(self, row: ProcessRow, event: str, message: m.Message) -> tuple[ProcessRow, ContractRow | None]:
        """What the message brings: an offer, an agreement, a data address."""
        if isinstance(message, m.ContractRequestMessage | m.ContractOfferMessage):
            if message.offer.get("target", row.data_set) != row.data_set:
                raise BadMessage("The offer is for another data set.")
            offer = {**message.offer, "target": row.data_set}
            understood(offer)
            return msgspec.structs.replace(row, offer=msgspec.json.encode(offer)), None
        if isinstance(message, m.ContractAgreementMessage):
            return self._agreed(row, message.agreement)
        if isinstance(message, m.TransferStartMessage) and message.data_address is not None:
            return msgspec.structs.replace(row, data_address=msgspec.json.encode(message.data_address)), None
        return row, self._contract_after(row)

    def _agreed(self, row: ProcessRow, agreement: m.Document) -> tuple[ProcessRow, ContractRow]:
        if agreement["target"] != row.data_set:
            raise BadMessage("The agreement is for another data set.")
        understood(agreement)
        parties = (row.participant, self.world.settings.participant)
        if self.world.settings.strict_parties and (agreement["assigner"], agreement["assignee"]) != parties:
            raise BadMessage("The agreement is between other parties.")
        known = self.world.store.contract(agreement["@id"], CONSUMER)
        if known is not None and known.negotiation != row.pid:
            raise BadMessage("The agreement's '@id' is another agreement's.")
        contract = ContractRow(
            agreement["@id"],
            CONSUMER,
            row.participant,
            row.data_set,
            row.state,
            msgspec.json.encode(agreement),
            negotiation=row.pid,
            at=self.world.clock(),
        )
        return msgspec.structs.replace(row, agreement=contract.agreement), contract

    # What is written

    def _contract_after(self, row: ProcessRow) -> ContractRow | None:
        """The agreement of a negotiation in its negotiation's state; None where there is none."""
        if row.kind != "negotiation" or not row.agreement:
            return None
        found = self.world.store.contract(row.agreement, row.side)
        return msgspec.structs.replace(found, state=row.state) if found is not None else None

    async def _write(self, row: ProcessRow, owed: OwedRow | None, contract: ContractRow | None) -> ProcessRow:
        """Write ``row`` with what follows from its state; ``Busy`` where another process wrote meanwhile."""
        note, token, drafted = self._note(row), None, None
        if owed is None:
            row, drafted = await self._reaction(row, contract)
        row = msgspec.structs.replace(row, changed=self.world.clock(), version=row.version + 1)
        step = _with(Step(row, owed, contract, token, note), drafted)
        if not await self.outbox.writer.put(step, lambda: self._kept(row, drafted)):
            raise Busy
        return row

    def _kept(self, row: ProcessRow, drafted: Draft | None) -> None:
        """What follows once a change is on the disk: our message is sent, and who asks people hears what is held."""
        self.outbox.put(drafted.owed if drafted is not None else None)
        if is_held(row):
            for tell in self.on_held:
                tell(row)

    async def admit(self, row: ProcessRow) -> ProcessRow | None:
        """Keep a process that a counterparty opened; None where the counterparty's id is known already.

        ``TooMany`` where it has as many open as one may have, or began as many within the hour as one may: what is held
        for a person must not pile up for ever, and what has ended leaves a row and a leaf as well.
        """
        row, drafted = await self._reaction(row, None)
        with self._room_for(row.participant):
            if not await self.outbox.writer.add(_with(Step(row), drafted), lambda: self._kept(row, drafted)):
                return None
        return row

    @contextlib.contextmanager
    def _room_for(self, participant: str) -> Iterator[None]:
        """Room for one more process of a participant; those that are just being written down take room too."""
        store, settings, coming = self.world.store, self.world.settings, self._coming
        if store.open_processes(participant) + coming[participant] >= settings.open_most:
            raise TooMany(settings.open_most)
        since = self.world.clock() - BEGUN_WITHIN_MS
        if store.begun(participant, since) + coming[participant] >= settings.begun_most:
            raise TooMany(settings.begun_most, "begun within the hour", "Ask again later.")
        coming[participant] += 1
        try:
            yield
        finally:
            coming[participant] -= 1
            if not coming[participant]:
                del coming[participant]

    async def _reaction(self, row: ProcessRow, contract: ContractRow | None) -> tuple[ProcessRow, Draft | None]:
        """What the auto-pilot does now."""
        if not self.world.rules or row.state in ENDS or row.state == START:
            return row, None
        published = await is_published(self.world, row, contract or self._contract_after(row))
        published = published or answer_to(self.world.store, row) is not None
        found = Situation(
            row.kind,
            row.side,
            row.state,
            row.trail.split(",").count(row.state),
            row.data_set,
            row.participant,
            published,
        )
        rule = choose(self.world.rules, found)
        if rule is None:
            return row, None
        event = ACTIONS[rule.do]
        if not event:
            return msgspec.structs.replace(row, trouble=rule.reason), None
        try:
            await self._permitted(row, event)
            made = await draft(self.world, row, event, rule.reason, rule.after_ms)
        except (NotPossible, NotAllowed) as error:
            return msgspec.structs.replace(row, trouble=error.what), None
        return made.row, made

    async def _permitted(self, row: ProcessRow, event: str, answer: AnswerRow | None = None) -> None:
        """What binds us, and what lets data out, is decided by the terms first; ``NotAllowed`` with every reason.

        Where a person answered, the facts that this person vouches for count, and a person's agreement is asked for no
        more; everything else is judged as ever.
        """
        if row.side != PROVIDER or event not in BINDING | {"start"}:
            return
        if row.kind == "transfer":
            contract = self.world.store.contract(row.agreement, PROVIDER)
            step, policy = "transfer", contract.document if contract is not None else b"{}"
            caller = known_of(self.world, contract) if contract is not None else Caller(row.participant)
        else:
            answer = answer or answer_to(self.world.store, row)
            step, policy = "accept" if answer is not None else "agree", row.offer
            caller = Caller(row.participant, vouched(answer))
        verdict = await self.world.decide(step, caller, row.data_set, msgspec.json.decode(policy))
        if isinstance(verdict, Denied):
            raise NotAllowed(verdict)

    def _note(self, row: ProcessRow) -> NoteRow | None:
        if row.state not in _NOTED[row.kind]:
            return None
        values = {
            "state": row.state,
            "side": row.side,
            "participant": row.participant,
            "data_set": row.data_set,
            "agreement": row.agreement,
        }
        return NoteRow(f"{row.kind}-{row.state.lower()}", row.pid, self.world.clock(), msgspec.json.encode(values))

    # What we do

    async def open(self, row: ProcessRow, event: str) -> ProcessRow:
        """Begin a process of our own with a first message; its state is ``START`` until that is acknowledged."""
        made = await draft(self.world, row, event)
        async with self.lock(row.pid):
            step = Step(made.row, made.owed, made.contract, made.token)
            if not await self.outbox.writer.add(step, lambda: self.outbox.put(made.owed)):
                raise NotPossible("There is a process with this id already.")
        return made.row

    async def do(
        self,
        pid: str,
        action: str,
        *,
        reason: str = "",
        offer: m.Document | None = None,
        answer: AnswerRow | None = None,
    ) -> ProcessRow:
        """Make a move of ours (a word of ``ACTIONS``); it is owed when this returns.

        ``answer``: a person's, kept and noted for the log with the move that it is the ground of. Raises
        ``NotPossible`` while another message of ours is on its way (a termination takes its place), and ``BadMove``
        where the state does not take it.
        """
        event = ACTIONS.get(action, "")
        async with self.lock(pid):
            row = self.world.store.process(pid)
            if row is None or not event:
                raise NotPossible(f"There is no process {pid}." if event else f"{action!r} is no move.")
            self._free_for(row, event)
            move(row.kind, row.state, event, row.side)
            if answer is not None and not answers(answer, row):
                raise NotPossible("The answer is to another offer.", remedy="Look at what is on the table now.")
            await self._permitted(row, event, answer)
            if offer is not None:
                row = msgspec.structs.replace(row, offer=msgspec.json.encode({**offer, "target": row.data_set}))
            made = await draft(self.world, row, event, reason)
            row = msgspec.structs.replace(made.row, changed=self.world.clock(), version=made.row.version + 1)
            note = None
            if answer is not None:
                row, note = msgspec.structs.replace(row, trouble=""), note_of(answer, row)
            step = Step(row, made.owed, made.contract, made.token, note, answer)
            if not await self.outbox.writer.put(step, lambda: self.outbox.put(made.owed)):
                raise Busy
            return row

    def _free_for(self, row: ProcessRow, event: str) -> None:
        """A termination takes the place of an owed message where it is right whether or not that one arrived."""
        owed = self.world.store.owed(row.pid)
        if owed is None:
            return
        arrived = move(row.kind, row.state, owed.event, row.side)
        may_end = may_move(row.kind, arrived, "terminate", row.side) or not self.outbox.may_have_arrived(owed)
        if event != "terminate" or not may_end:
            raise NotPossible("A message of ours is still on its way.", remedy="Wait until it is acknowledged.")

    def in_force(self, contract: ContractRow) -> bool:
        """Whether an agreement is finalized; the consumer may know that before we have its acknowledgement."""
        if contract.state == "FINALIZED":
            return True
        owed = self.world.store.owed(contract.negotiation) if contract.negotiation else None
        return owed is not None and owed.event == "finalize" and self.outbox.may_have_arrived(owed)

    # What became of our messages

    async def delivered(self, owed: OwedRow, answer: Answer) -> None:
        """The counterparty acknowledged: our move is done."""
        async with self.lock(owed.pid):
            row = self._still_owing(owed)
            if row is None:
                return
            if not row.peer_pid:
                peer = _peer_of(row, answer.body)
                if not peer:
                    await self._stuck(row, "The acknowledgement names no id of the counterparty.")
                    return
                row = msgspec.structs.replace(row, peer_pid=peer)
            row = self._moved(row, [move(row.kind, row.state, owed.event, row.side)])
            await self._write(msgspec.structs.replace(row, trouble=""), None, self._contract_after(row))

    async def refused(self, owed: OwedRow, answer: Answer | None) -> None:
        """The counterparty refused, or was silent too long; unless it took the message earlier, a person decides."""
        row = self._still_owing(owed)
        if row is None:
            return
        if answer is not None and row.peer_pid and await self._took_it(row, owed):
            await self.delivered(owed, answer)
            return
        async with self.lock(owed.pid):
            row = self._still_owing(owed)
            if row is not None:
                said = f"status {answer.status}" if answer is not None else "no answer"
                await self._stuck(row, f"The counterparty did not take our '{owed.event}': {said}.")

    def _still_owing(self, owed: OwedRow) -> ProcessRow | None:
        current = self.world.store.owed(owed.pid)
        if current is None or current.body != owed.body:
            return None
        return self.world.store.process(owed.pid)

    async def _stuck(self, row: ProcessRow, words: str) -> None:
        """Nothing is owed any more. A process that never began has ended."""
        log.warning("%s %s: %s", row.kind, row.pid, words)
        if row.state == START:
            row = self._moved(row, ["TERMINATED"])
        row = msgspec.structs.replace(row, trouble=words, changed=self.world.clock(), version=row.version + 1)
        if not await self.outbox.writer.put(Step(row, None, self._contract_after(row), None, self._note(row))):
            raise Busy

    async def _took_it(self, row: ProcessRow, owed: OwedRow) -> bool:
        """Whether the counterparty's own state says that our message arrived."""
        url = state_url(row)
        try:
            answer = await self._sender.get(url, await self.world.present(row.participant, url))
            told = _acknowledged(row, answer.body) if answer.status == 200 else None
        except (Unreachable, BadMessage):
            return False
        return told is not None and told.state == move(row.kind, row.state, owed.event, row.side)


def understood(policy: m.Document) -> None:
    """``NotAllowed`` (400) with every term of an offer or agreement that is not known here."""
    verdict = check_offer_policy(policy)
    if isinstance(verdict, Denied):
        raise NotAllowed(verdict, status=400)


def _with(step: Step, made: Draft | None) -> Step:
    """The step with what our own next message brings."""
    if made is None:
        return step
    contract = made.contract if made.contract is not None else step.contract
    return msgspec.structs.replace(step, owed=made.owed, contract=contract, token=made.token)


def _adopted(row: ProcessRow, message: m.Message) -> ProcessRow:
    """The message names this process; a counterparty's id that was not known yet is learnt from it."""
    given = {name: getattr(message, name, "") for name in ("provider_pid", "consumer_pid")}
    mine, theirs = ("provider_pid", "consumer_pid") if row.side == PROVIDER else ("consumer_pid", "provider_pid")
    if given[mine] != row.pid:
        raise BadMessage("The message's ids are not those of this process.")
    if not row.peer_pid and given[theirs]:
        return msgspec.structs.replace(row, peer_pid=given[theirs])
    if given[theirs] != row.peer_pid:
        raise BadMessage("The message's ids are not those of this process.")
    return row


def _acknowledged(row: ProcessRow, body: bytes) -> m.TransferProcess | m.ContractNegotiation:
    if row.kind == "transfer":
        return m.parse(body, m.TransferProcess)
    return m.parse(body, m.ContractNegotiation)


def _peer_of(row: ProcessRow, body: bytes) -> str:
    """The counterparty's id in the acknowledgement of a first message; "" where there is none to be trusted."""
    try:
        told = _acknowledged(row, body)
    except BadMessage:
        return ""
    if row.side == PROVIDER:
        return told.consumer_pid if told.provider_pid == row.pid else ""
    return told.provider_pid if told.consumer_pid == row.pid else ""
