"""The hub's parts in one value, and what a report of a node sets in motion outside its run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from xinglin.catalogue import DataSetDescription
from xinglin.catalogue.entry import Listing
from xinglin.hub.access_desk import AccessDesk
from xinglin.hub.access_reviews import Reviews
from xinglin.hub.agreements import Agreements
from xinglin.hub.budget_board import BudgetBoard
from xinglin.hub.catalogue_desk import DATA_SETS
from xinglin.hub.catalogue_federated import Federation
from xinglin.hub.connector_held import HeldOffers
from xinglin.hub.extract_desk import ExtractDesk
from xinglin.hub.log import LogService
from xinglin.hub.mailbox import Mailboxes
from xinglin.hub.members import Members
from xinglin.hub.ports import HubStore
from xinglin.hub.product_desk import ProductDesk
from xinglin.hub.run_desk import RunDesk
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.ids import new_id
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import CosignAnswer, CosignOrder, LogSubmission, LogTicket, Report, Reports
from xinglin.wire.space import Space

log = logging.getLogger("xinglin.hub.services")
COSIGN_WAIT_S = 5.0
BOOTS_KNOWN = Limit("starts of a node whose batches are known again", 64, "starts")


class NodeAway(XinglinError, OSError):
    """A node that witnesses holds no line to the hub at present."""

    code = "hub.node_away"


class NodeWitnesses:
    """Add-checkpoint requests to the nodes, carried by their mailboxes; the answer finds its request by ticket."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes
        self._waiting: dict[str, asyncio.Future[tuple[int, bytes]]] = {}

    async def add_checkpoint(self, node: str, body: bytes, entries: bytes) -> tuple[int, bytes]:
        """Ask ``node`` to cosign; ``NodeAway`` or ``TimeoutError`` without an answer."""
        if not self._mailboxes.of(node).connected:
            raise NodeAway("The node is not connected.")
        ticket = new_id("cosign")
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = future
        try:
            self._mailboxes.put(node, CosignOrder(ticket, body, entries))
            async with asyncio.timeout(COSIGN_WAIT_S):
                return await future
        finally:
            del self._waiting[ticket]

    def answered(self, answer: CosignAnswer) -> None:
        """Hand an answer to who waits for it."""
        future = self._waiting.get(answer.ticket)
        if future is not None and not future.done():
            future.set_result((answer.status, answer.body))


class Hub:
    """Everything the handlers call; built by ``wiring``, owned by ``main``."""

    def __init__(
        self,
        space: Space,
        keys: PrivateKeys,
        store: HubStore,
        log: LogService,
        members: Members,
        mailboxes: Mailboxes,
        witnesses: NodeWitnesses,
        agreements: Agreements,
        runs: RunDesk,
        access: AccessDesk,
        reviews: Reviews,
        clock: Clock,
        federation: Federation,
    ) -> None:
        self.federation, self.catalogue = federation, federation.desk
        self.space, self.keys, self.store, self.log, self.members = space, keys, store, log, members
        self.mailboxes, self.witnesses, self.agreements, self.runs, self.clock = (
            mailboxes,
            witnesses,
            agreements,
            runs,
            clock,
        )
        self.access, self.reviews = access, reviews
        self.products: ProductDesk | None = None
        self.extracts: ExtractDesk | None = None
        self.budgets = BudgetBoard()
        self.held: HeldOffers | None = None
        self._sends: dict[str, dict[str, int]] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def take(self, reports: Reports, act: Callable[[str, Report], Awaitable[None]]) -> None:
        """Act on a node's batch once, however often it is sent; noted as taken only when all of it was acted on."""
        node = reports.node
        async with self._turns.setdefault(node, asyncio.Lock()):
            sends = self._sends.setdefault(node, {})
            if reports.number <= sends.get(reports.boot, 0):
                return
            for report in reports.reports:
                await act(node, report)
            sends[reports.boot] = reports.number
            while len(sends) > BOOTS_KNOWN.value:
                del sends[next(iter(sends))]

    def cosigned(self, answer: CosignAnswer) -> None:
        """A node witness answered."""
        self.witnesses.answered(answer)

    async def submit(self, node: str, submission: LogSubmission) -> None:
        """Append a node's batch; the ticket goes back with the indices, or with the reason why not."""
        try:
            indices = await self.append_batch(submission.batch)
        except XinglinError as error:
            reason = Reason(error.code, error.what, error.remedy)
            self.mailboxes.put(node, LogTicket(submission.ticket, (), (reason,)))
            return
        self.mailboxes.put(node, LogTicket(submission.ticket, tuple(indices)))

    async def append_batch(self, data: bytes) -> list[int]:
        """Verify and append a signed batch; the same batch again gets the same indices."""
        taken = await self.log.submit(data, self.members.check_batch)
        self.members.catch_up()
        return list(range(taken.first, taken.first + taken.count))

    async def publish(self, provider: str, descriptions: bytes, listings: bytes = b"[]") -> None:
        """Keep what a provider publishes, once it reads as descriptions; the catalogue shows it."""
        data_sets = decode_json(descriptions, tuple[DataSetDescription, ...])  # type: ignore[arg-type]
        DATA_SETS.check(len(data_sets))
        said = decode_json(listings, tuple[Listing, ...])  # type: ignore[arg-type]
        self.store.put_publication(provider, msgspec.json.encode(data_sets))
        refused = await asyncio.to_thread(self.catalogue.publish, provider, data_sets, said)
        if refused:
            log.warning("%d listings of %s are not shown", len(refused), provider)
