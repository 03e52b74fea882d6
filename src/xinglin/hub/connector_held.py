"""Offers that the hub's connector holds for a hospital: carried to its node, answered there under its signature.

The hub agrees to nothing in a hospital's name: it goes on by the hospital's signed answer alone, which is held to the
offer that is on the table now, and judged by the terms once more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import msgspec

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.answers import MOVES, is_held, make_answer
from xinglin.connector.assembly import Assembled
from xinglin.hub.mailbox import Mailboxes
from xinglin.hub.members import Members
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.trust.envelope import Signed, open_signed_as
from xinglin.wire.dsp.ports import ProcessRow
from xinglin.wire.dsp.states import PROVIDER
from xinglin.wire.errors import Refused
from xinglin.wire.held_offers import ANSWER_CONTEXT, HeldAnswer, HeldOffer, HeldOrder, HospitalAnswer

log = logging.getLogger("xinglin.hub.connector")
_AT_ONCE = 1_000
CARRIED = Limit("orders that wait for a node when an offer is carried to it", 1_024, "orders")
"""Strangers' offers must not fill a hospital's mailbox: what its studies wait for has the rest of it."""
QUESTION = Limit("size of a held offer that is carried", 256 * 1024, "bytes")


class HeldOffers:
    """Questions to hospitals; the connector's own store is all that is kept of them."""

    def __init__(
        self,
        found: Assembled,
        entry_of: Callable[[str, str], CatalogueEntry | None],
        members: Members,
        mailboxes: Mailboxes,
        clock: Clock,
    ) -> None:
        self._found, self._entry_of, self._members = found, entry_of, members
        self._mailboxes, self._clock = mailboxes, clock
        self._behind: set[str] = set()
        found.connector.desk.on_held.append(self.carry)

    def carry(self, row: ProcessRow) -> None:
        """Ask the hospital whose data set it is, if we are its provider's side.

        Where too much waits for its node already, the rest is carried with a later one, once the node has caught up.
        """
        provider = self._provider(row)
        if not provider:
            return
        if self._mailboxes.of(provider).waiting >= CARRIED.value:
            self._behind.add(provider)
            return
        question = msgspec.json.encode(self._question(row))
        if len(question) > QUESTION.value:
            log.warning("negotiation %s is not carried to its hospital: the offer is too long", row.pid)
            return
        self._mailboxes.put(provider, HeldOrder(question))
        self._rest(provider)

    def arrived(self, node: str) -> None:
        """A hospital's node came back: carry what is held for it again."""
        self._behind.discard(node)
        for row in self._held():
            if node in self._behind:
                return
            if self._provider(row) == node:
                self.carry(row)

    async def answered(self, node: str, report: HeldAnswer) -> None:
        """A hospital's answer: its own signature, over what is on the table now; the terms are asked once more."""
        row = self._found.connector.world.store.process(report.pid)
        if row is None or self._provider(row) != node:
            words = "Nothing is held under this id for this hospital."
            raise Refused(deny("hub.not_held", words, "See what is: xinglin dsp list.").reasons)
        signed = Signed.from_bytes(report.signed)
        said = open_signed_as(signed, ANSWER_CONTEXT, self._members.directory, HospitalAnswer)
        question = self._question(row)
        if signed.signer != node or said.version != 1 or said.question != question.digest():
            raise Refused(deny("hub.not_this_offer", "The answer is another hospital's, or to another offer.").reasons)
        if is_held(row):
            answer = make_answer(row, said.accepted, said.by, said.ground, said.facts, self._clock())
            answer = msgspec.structs.replace(answer, signed=report.signed)
            move = MOVES[row.side, row.state] if said.accepted else "terminate"
            await self._found.connector.desk.do(row.pid, move, reason=said.ground, answer=answer)
            log.info("negotiation %s was answered by its hospital", row.pid)
        self._mailboxes.put(node, HeldOrder(msgspec.json.encode(question), over=True))
        self._rest(node)

    def _rest(self, node: str) -> None:
        if node in self._behind and self._mailboxes.of(node).waiting < CARRIED.value // 2:
            self.arrived(node)

    def _held(self) -> Iterator[ProcessRow]:
        store, after = self._found.connector.world.store, ""
        while rows := store.processes("negotiation", after, _AT_ONCE):
            yield from (row for row in rows if is_held(row))
            after = rows[-1].pid

    def _provider(self, row: ProcessRow) -> str:
        """The hospital that a question about this process goes to; "" where it is nobody's but our own."""
        if row.kind != "negotiation" or row.side != PROVIDER:
            return ""
        entry = self._entry_of(row.data_set, row.participant)
        known = entry is not None and entry.provider in self._members.directory.holders("provider")
        return entry.provider if entry is not None and known else ""

    def _question(self, row: ProcessRow) -> HeldOffer:
        claims = self._found.door.proven(row.participant).claims
        return HeldOffer(
            self._found.did, row.pid, row.participant, row.data_set, row.offer, row.trouble, claims, row.changed
        )
