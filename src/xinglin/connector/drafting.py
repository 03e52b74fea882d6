"""Drafts what we send: for each move of ours the address, the message, and what is kept with it."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import msgspec

from xinglin.connector.errors import NotPossible
from xinglin.connector.model import World
from xinglin.kernel.instants import to_text
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.offered import policy_digest
from xinglin.wire.dsp.policies import agreement_of
from xinglin.wire.dsp.ports import Caller, ContractRow, Item, OwedRow, ProcessRow, TokenRow
from xinglin.wire.dsp.states import CONSUMER, PROVIDER

PULL = "HttpData-PULL"
ENDPOINT_TYPE = "https://w3id.org/idsa/v4.1/HTTP"
_PATHS = {
    "offer": "offers",
    "request": "request",
    "agree": "agreement",
    "verify": "agreement/verification",
    "accept": "events",
    "finalize": "events",
    "terminate": "termination",
    "start": "start",
    "suspend": "suspension",
    "complete": "completion",
}
_TRANSFER_KINDS: dict[str, type[Any]] = {
    "suspend": m.TransferSuspensionMessage,
    "complete": m.TransferCompletionMessage,
    "terminate": m.TransferTerminationMessage,
}


class Draft(msgspec.Struct, frozen=True):
    """A message with the process as it is while the message is owed."""

    row: ProcessRow
    owed: OwedRow
    contract: ContractRow | None = None
    token: TokenRow | None = None


async def draft(world: World, row: ProcessRow, event: str, reason: str = "", after_ms: int = 0) -> Draft:
    """The message that ``event`` is, from our side of ``row``; ``NotPossible`` where something is missing for it."""
    now = world.clock()
    contract: ContractRow | None = None
    token: TokenRow | None = None
    if row.kind == "transfer":
        message, token = await _transfer_message(world, row, event, reason)
    else:
        if event == "offer":
            row = msgspec.structs.replace(row, offer=await _offer_to_make(world, row))
        message, contract = _negotiation_message(world, row, event, reason)
        if contract is not None:
            row = msgspec.structs.replace(row, agreement=contract.agreement)
    owed = OwedRow(
        row.pid,
        row.kind,
        event,
        url_for(row, event),
        m.encode(message),
        next_at=now + max(after_ms, world.settings.patience.courtesy_ms),
        since=now,
    )
    return Draft(row, owed, contract, token)


def url_for(row: ProcessRow, event: str) -> str:
    """Where the counterparty takes this message; its address may end in a slash."""
    place = "transfers" if row.kind == "transfer" else "negotiations"
    address = row.address.rstrip("/")
    if not row.peer_pid:
        return f"{address}/{place}/{'offers' if event == 'offer' else 'request'}"
    return f"{address}/{place}/{quote(row.peer_pid, safe=':')}/{_PATHS[event]}"


def state_url(row: ProcessRow) -> str:
    """Where the counterparty tells the state of this process."""
    place = "transfers" if row.kind == "transfer" else "negotiations"
    return f"{row.address.rstrip('/')}/{place}/{quote(row.peer_pid, safe=':')}"


def acknowledgement(row: ProcessRow, state: str) -> m.Message:
    """The process as its counterparty is told."""
    kind = m.TransferProcess if row.kind == "transfer" else m.ContractNegotiation
    return kind(context=m.HERE, state=state, **pids(row))


def pids(row: ProcessRow) -> dict[str, Any]:
    """Both ids under their names in messages."""
    mine, theirs = ("provider_pid", "consumer_pid") if row.side == PROVIDER else ("consumer_pid", "provider_pid")
    return {mine: row.pid, theirs: row.peer_pid}


def digest_of(text: str | bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def said(reason: str) -> dict[str, Any]:
    """``code`` and ``reason`` of a message; nothing where there is no reason."""
    return {"code": "dsp.ended", "reason": (reason,)} if reason else {}


async def published_offer(world: World, row: ProcessRow) -> m.Document | None:
    """The offer that we published for this data set: the one on the table by its id, or the first."""
    entry = await world.offers.entry(Caller(row.participant), row.data_set)
    if entry is None or not entry.offers:
        return None
    wanted = msgspec.json.decode(row.offer).get("@id") if row.offer else ""
    found = next((one for one in entry.offers if one["@id"] == wanted), entry.offers[0])
    return {**found, "target": row.data_set}


async def is_published(world: World, row: ProcessRow, contract: ContractRow | None) -> bool:
    """Whether what is on the table is, rule for rule, what it should be.

    For a provider that is what it published. For a consumer: an offer is what it asked for, an agreement is the offer
    that it asked for or accepted.
    """
    if row.kind == "transfer" or not row.offer:
        return row.kind == "transfer"
    found = policy_digest(msgspec.json.decode(contract.document if contract is not None else row.offer))
    if row.side == CONSUMER:
        return found == (policy_digest(msgspec.json.decode(row.offer)) if contract is not None else row.asked)
    published = await published_offer(world, row)
    return published is not None and found == policy_digest(published)


async def _offer_to_make(world: World, row: ProcessRow) -> bytes:
    offer = await published_offer(world, row)
    if offer is None:
        raise NotPossible("There is no published offer for this data set.", remedy="Publish one.")
    return msgspec.json.encode(offer)


def _negotiation_message(
    world: World, row: ProcessRow, event: str, reason: str
) -> tuple[m.Message, ContractRow | None]:
    both: dict[str, Any] = pids(row) | {"context": m.HERE, "message_id": world.new_id()}
    contexts = world.settings.contexts
    if event in ("offer", "request"):
        kind = m.ContractOfferMessage if event == "offer" else m.ContractRequestMessage
        both |= {"context": contexts, "offer": msgspec.json.decode(row.offer)}
        return kind(**(both if row.peer_pid else both | {"callback_address": callback_of(world, row)})), None
    if event == "agree":
        contract = _contract(world, row)
        both |= {"context": contexts, "agreement": msgspec.json.decode(contract.document)}
        return m.ContractAgreementMessage(**both), contract
    if event == "verify":
        return m.ContractAgreementVerificationMessage(**both), None
    if event == "terminate":
        return m.ContractNegotiationTerminationMessage(**both, **said(reason)), None
    return m.ContractNegotiationEventMessage(event_type="ACCEPTED" if event == "accept" else "FINALIZED", **both), None


def callback_of(world: World, row: ProcessRow) -> str:
    """Where the counterparty of this process reaches us."""
    return world.settings.provider_url if row.side == PROVIDER else world.settings.callback_url


def _contract(world: World, row: ProcessRow) -> ContractRow:
    now = world.clock()
    document = agreement_of(
        msgspec.json.decode(row.offer),
        id_=world.new_id(),
        assigner=world.settings.participant,
        assignee=row.participant,
        timestamp=to_text(now),
    )
    encoded = msgspec.json.encode(document)
    return ContractRow(
        document["@id"], PROVIDER, row.participant, row.data_set, "AGREED", encoded, negotiation=row.pid, at=now
    )


async def _transfer_message(
    world: World, row: ProcessRow, event: str, reason: str
) -> tuple[m.Message, TokenRow | None]:
    both: dict[str, Any] = pids(row) | {"context": m.HERE, "message_id": world.new_id()}
    if event == "request":
        return (
            m.TransferRequestMessage(
                context=m.HERE,
                message_id=world.new_id(),
                agreement_id=row.agreement,
                format=row.format,
                callback_address=world.settings.callback_url,
                consumer_pid=row.pid,
            ),
            None,
        )
    if event != "start":
        reasons = said(reason) if event != "complete" else {}
        return _TRANSFER_KINDS[event](**both, **reasons), None
    if row.side == CONSUMER:
        return m.TransferStartMessage(**both), None
    if await item_of(world, row) is None:
        raise NotPossible("Nothing of this data set was released to this party.", remedy="Release a product of it.")
    secret = f"{world.new_secret()}"
    token = TokenRow(row.pid, digest_of(secret), world.clock() + world.settings.token_life_ms)
    address = m.DataAddress(
        endpoint_type=ENDPOINT_TYPE,
        endpoint=f"{world.settings.provider_url}/data/{quote(row.pid, safe=':')}",
        endpoint_properties=(
            m.EndpointProperty("authorization", secret),
            m.EndpointProperty("authType", "bearer"),
        ),
    )
    return m.TransferStartMessage(data_address=address, **both), token


async def item_of(world: World, row: ProcessRow) -> Item | None:
    """What this transfer may fetch: an item of grade L1, or one that the gate released; None for everything else."""
    contract = world.store.contract(row.agreement, PROVIDER)
    if contract is None:
        return None
    item = await world.released.find(contract)
    return item if item is not None and (item.grade == "L1" or item.released) else None
