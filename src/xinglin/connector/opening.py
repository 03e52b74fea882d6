"""Openings: how a negotiation or a transfer begins, on either side.

A first message is idempotent on the counterparty's id: the same message again gives the process that is there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.connector.addresses import check_address
from xinglin.connector.answers import known_of
from xinglin.connector.desk import Desk, understood
from xinglin.connector.errors import NotPossible
from xinglin.connector.model import World
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.verdict import Denied
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.errors import BadMessage, NotAllowed, NotThere
from xinglin.wire.dsp.offered import policy_digest
from xinglin.wire.dsp.policies import check_offer
from xinglin.wire.dsp.ports import Caller, ContractRow, Document, ProcessRow
from xinglin.wire.dsp.states import CONSUMER, PROVIDER, START

USE: Document = {"permission": [{"action": "use"}]}


async def requested(desk: Desk, caller: Caller, message: m.ContractRequestMessage) -> ProcessRow:
    """A consumer's first request, at our provider side."""
    world = desk.world
    check_address(message.callback_address)
    data_set = await _data_set_of(desk, caller, message.offer)
    offer = {**message.offer, "target": data_set}
    await _admissible(desk, caller, data_set, offer)
    return await _once(desk, _begun(world, caller, PROVIDER, message.consumer_pid, message.callback_address, offer))


async def offered(desk: Desk, caller: Caller, message: m.ContractOfferMessage) -> ProcessRow:
    """A provider's first offer, at our consumer side."""
    if not message.callback_address:
        raise BadMessage("A first offer names a 'callbackAddress'.")
    check_address(message.callback_address)
    understood(message.offer)
    row = _begun(desk.world, caller, CONSUMER, message.provider_pid, message.callback_address, message.offer)
    return await _once(desk, row)


async def transfer_requested(desk: Desk, caller: Caller, message: m.TransferRequestMessage) -> ProcessRow:
    """A consumer asks for the data of an agreement that it made with us."""
    world = desk.world
    check_address(message.callback_address)
    contract = await _agreement_for(desk, caller, message.agreement_id)
    if not world.settings.any_format:
        entry = await world.offers.entry(caller, contract.data_set)
        if entry is None or message.format not in entry.formats:
            raise BadMessage("The data set is not transferred in this format.", remedy="Take one that its entry names.")
    known = known_of(world, contract, caller)
    verdict = await world.decide("transfer", known, contract.data_set, msgspec.json.decode(contract.document))
    if isinstance(verdict, Denied):
        raise NotAllowed(verdict)
    row = _row(
        world,
        "transfer",
        PROVIDER,
        caller.participant,
        "REQUESTED",
        peer_pid=message.consumer_pid,
        address=message.callback_address,
        trail="REQUESTED",
        data_set=contract.data_set,
        agreement=contract.agreement,
        format=message.format,
        opening=canonical_digest([message.agreement_id, message.format, message.callback_address]),
    )
    return await _once(desk, row)


async def negotiate(
    desk: Desk, participant: str, address: str, data_set: str, offer_id: str, rules: Document = USE
) -> ProcessRow:
    """As consumer, ask ``participant`` at ``address`` for an offer of its catalog, under these rules."""
    check_address(address)
    offer = {"@type": "Offer", "@id": offer_id, "target": data_set, **rules}
    check_offer(offer)
    return await desk.open(_ours(desk, CONSUMER, participant, address, offer), "request")


async def offer_to(desk: Desk, participant: str, address: str, data_set: str) -> ProcessRow:
    """As provider, offer a data set of our catalog to ``participant``, whose consumer side is at ``address``."""
    check_address(address)
    entry = await desk.world.offers.entry(Caller(participant), data_set)
    if entry is None or not entry.offers:
        raise NotPossible("There is no published offer for this data set.", remedy="Publish one.")
    offer = {**entry.offers[0], "target": data_set}
    return await desk.open(_ours(desk, PROVIDER, participant, address, offer), "offer")


async def transfer(desk: Desk, participant: str, address: str, agreement: str, format_: str) -> ProcessRow:
    """As consumer, ask for the data of an agreement."""
    check_address(address)
    contract = desk.world.store.contract(agreement, CONSUMER)
    row = _row(
        desk.world,
        "transfer",
        CONSUMER,
        participant,
        START,
        address=address,
        data_set=contract.data_set if contract is not None else agreement,
        agreement=agreement,
        format=format_,
    )
    return await desk.open(row, "request")


def _row(world: World, kind: str, side: str, participant: str, state: str, **parts: Any) -> ProcessRow:
    """A process that begins now, under an id of ours."""
    now = world.clock()
    return ProcessRow(world.new_id(), kind, side, participant, state, created=now, changed=now, **parts)


def _begun(world: World, caller: Caller, side: str, peer_pid: str, address: str, offer: Document) -> ProcessRow:
    """A negotiation that the counterparty opens; what it asked for is remembered where it asks."""
    state = "REQUESTED" if side == PROVIDER else "OFFERED"
    return _row(
        world,
        "negotiation",
        side,
        caller.participant,
        state,
        peer_pid=peer_pid,
        address=address,
        trail=state,
        data_set=offer["target"],
        offer=msgspec.json.encode(offer),
        asked=policy_digest(offer) if side == PROVIDER else "",
        opening=canonical_digest([offer, address]),
    )


def _ours(desk: Desk, side: str, participant: str, address: str, offer: Document) -> ProcessRow:
    return _row(
        desk.world,
        "negotiation",
        side,
        participant,
        START,
        address=address,
        data_set=offer["target"],
        offer=msgspec.json.encode(offer),
        asked=policy_digest(offer),
    )


async def _once(desk: Desk, row: ProcessRow) -> ProcessRow:
    """The process that ``row`` opens, or the one that the same message opened before."""
    store = desk.world.store
    async with desk.lock(f"{row.kind} {row.side} {row.participant} {row.peer_pid}"):
        known = store.by_peer(row.kind, row.side, row.participant, row.peer_pid)
        if known is None:
            admitted = await desk.admit(row)
            if admitted is not None:
                return admitted
            known = store.by_peer(row.kind, row.side, row.participant, row.peer_pid)
    if known is None or known.opening != row.opening:
        raise BadMessage("This id of yours is in use for another process.", remedy="Take a new id.")
    return known


async def _data_set_of(desk: Desk, caller: Caller, offer: Document) -> str:
    """The data set whose published offer this is; ``NotThere`` for one that this caller may not see."""
    if not offer.get("target"):
        raise BadMessage("The offer names no 'target'.", remedy="Send the data set's id as the offer's target.")
    entry = await desk.world.offers.entry(caller, offer["target"])
    if entry is None or offer["@id"] not in {one["@id"] for one in entry.offers}:
        raise NotThere
    return entry.data_set


async def _admissible(desk: Desk, caller: Caller, data_set: str, offer: Document) -> None:
    """Terms that nobody knows, or that forbid it from the start, are refused with every reason."""
    understood(offer)
    verdict = await desk.world.decide("negotiate", caller, data_set, offer)
    if isinstance(verdict, Denied):
        raise NotAllowed(verdict)


async def _agreement_for(desk: Desk, caller: Caller, agreement: str) -> ContractRow:
    """This caller's agreement with us, finalized; ``NotThere`` for an unknown one or somebody else's."""
    found = desk.world.store.contract(agreement, PROVIDER) if agreement.isprintable() else None
    if found is None or found.participant != caller.participant:
        raise NotThere
    if not desk.in_force(found):
        raise BadMessage(f"The agreement is not in force: its negotiation is {found.state}.")
    return found
