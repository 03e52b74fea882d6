"""Messages of the Dataspace Protocol 2025-1 in their exact JSON.

Source: Dataspace Protocol 2025-1, "Catalog Protocol", "Contract Negotiation Protocol", "Transfer Process Protocol" and
the JSON schemas of its artifacts. ``@context`` is an array of texts that holds the protocol's context, ``@type`` is
the message's name; members that we do not know are left alone. Policies stay as they came
(:mod:`~xinglin.wire.dsp.policies` looks at them).
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.wire.dsp.errors import BadMessage
from xinglin.wire.dsp.policies import check_agreement, check_offer

CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
HERE: tuple[str, ...] = (CONTEXT,)
VERSION = "2025-1"
MESSAGE_SIZE = Limit("size of a protocol message", 1024 * 1024, "bytes")

Pid = Annotated[str, msgspec.Meta(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
MaybePid = Annotated[str, msgspec.Meta(max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")]
Document = dict[str, Any]
M = TypeVar("M", bound="Message")


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="@type"):
    """What every message has; ``message_id`` (``@id``) tells a message that is sent again from a second one."""

    context: tuple[str, ...] = msgspec.field(name="@context")
    message_id: MaybePid = msgspec.field(name="@id", default="")


class Ack(Message, frozen=True, kw_only=True):
    """Both ids of a process."""

    provider_pid: Pid
    consumer_pid: Pid


class CatalogRequestMessage(Message, frozen=True, kw_only=True):
    """Asks for the catalog; what a filter's items are is the provider's to say."""

    filter: tuple[Any, ...] = ()


class CatalogError(Message, frozen=True, kw_only=True):
    """A catalog request that was refused."""

    code: str = ""
    reason: tuple[Any, ...] = ()


class ContractRequestMessage(Message, frozen=True, kw_only=True):
    """The consumer's request: the first (with ``callback_address``) or a counter-offer (with ``provider_pid``)."""

    consumer_pid: Pid
    offer: Document
    provider_pid: MaybePid = ""
    callback_address: str = ""


class ContractOfferMessage(Message, frozen=True, kw_only=True):
    """The provider's offer: the first (with ``callback_address``) or a counter-offer (with ``consumer_pid``)."""

    provider_pid: Pid
    offer: Document
    consumer_pid: MaybePid = ""
    callback_address: str = ""


class ContractAgreementMessage(Ack, frozen=True, kw_only=True):
    """The provider agrees; ``agreement`` is the ODRL agreement."""

    agreement: Document


class ContractAgreementVerificationMessage(Ack, frozen=True, kw_only=True):
    """The consumer has verified the agreement."""


class ContractNegotiationEventMessage(Ack, frozen=True, kw_only=True):
    """``ACCEPTED`` (the consumer takes the offer) or ``FINALIZED`` (the provider closes)."""

    event_type: str


class ContractNegotiationTerminationMessage(Ack, frozen=True, kw_only=True):
    """Either side ends the negotiation."""

    code: str = ""
    reason: tuple[Any, ...] = ()


class ContractNegotiation(Ack, frozen=True, kw_only=True):
    """The acknowledgement: ids and state."""

    state: str


class ContractNegotiationError(Message, frozen=True, kw_only=True):
    """A negotiation message that was refused."""

    provider_pid: str
    consumer_pid: str
    code: str = ""
    reason: tuple[Any, ...] = ()


class EndpointProperty(msgspec.Struct, frozen=True, tag_field="@type"):
    """A name and a value that belong to a data address."""

    name: str
    value: str


class DataAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="@type"):
    """Where data is fetched (pull) or wanted (push)."""

    endpoint_type: str
    endpoint: str = ""
    endpoint_properties: tuple[EndpointProperty, ...] = ()

    def value_of(self, name: str) -> str:
        """The value of the property ``name``; empty where there is none."""
        return next((one.value for one in self.endpoint_properties if one.name == name), "")


class TransferRequestMessage(Message, frozen=True, kw_only=True):
    """The consumer asks for the data of an agreement."""

    agreement_id: Pid
    format: Pid
    callback_address: str
    consumer_pid: Pid
    data_address: DataAddress | None = None


class TransferStartMessage(Ack, frozen=True, kw_only=True):
    """Data may be fetched from now on (or again)."""

    data_address: DataAddress | None = None


class TransferSuspensionMessage(Ack, frozen=True, kw_only=True):
    """Either side pauses the transfer."""

    code: str = ""
    reason: tuple[Any, ...] = ()


class TransferCompletionMessage(Ack, frozen=True, kw_only=True):
    """Either side has all it wanted."""


class TransferTerminationMessage(Ack, frozen=True, kw_only=True):
    """Either side ends the transfer."""

    code: str = ""
    reason: tuple[Any, ...] = ()


class TransferProcess(Ack, frozen=True, kw_only=True):
    """The acknowledgement: ids and state."""

    state: str


class TransferError(Message, frozen=True, kw_only=True):
    """A transfer message that was refused."""

    provider_pid: str
    consumer_pid: str
    code: str = ""
    reason: tuple[Any, ...] = ()


def parse(data: bytes, kind: type[M]) -> M:
    """``data`` as the message ``kind``; ``BadMessage`` says what is wrong with it.

    >>> parse(b'{"@context": [], "@type": "CatalogRequestMessage"}', CatalogRequestMessage)
    Traceback (most recent call last):
        ...
    xinglin.wire.dsp.errors.BadMessage: '@context' is not an array of texts that holds the protocol's context.
    """
    try:
        document = decode_json(data, dict, MESSAGE_SIZE)
    except (MalformedMessage, LimitExceeded) as error:
        raise BadMessage(f"The body is no JSON object of a message: {error.what}") from error
    if document.get("@type") != kind.__name__:
        raise BadMessage(f"'@type' is not '{kind.__name__}'.")
    check_context(document)
    try:
        message: M = msgspec.convert(document, type=kind)
    except msgspec.ValidationError as error:
        raise BadMessage(f"Not a {kind.__name__}: {error}.") from error
    _check_contents(message, document)
    return message


def encode(message: Message) -> bytes:
    """The message as JSON."""
    return msgspec.json.encode(message)


def check_context(document: Document) -> None:
    """``@context`` is an array of texts with the protocol's own among them; ``BadMessage`` otherwise."""
    context = document.get("@context")
    if not isinstance(context, list) or not all(isinstance(one, str) for one in context) or CONTEXT not in context:
        raise BadMessage("'@context' is not an array of texts that holds the protocol's context.")


def _check_contents(message: Message, document: Document) -> None:
    if isinstance(message, ContractRequestMessage):
        _check_one_of(document, "callbackAddress", "providerPid")
        check_offer(message.offer)
    elif isinstance(message, ContractOfferMessage):
        _check_one_of(document, "callbackAddress", "consumerPid")
        check_offer(message.offer, target=True)
    elif isinstance(message, ContractAgreementMessage):
        check_agreement(message.agreement)
    elif isinstance(message, ContractNegotiationEventMessage):
        if message.event_type not in ("ACCEPTED", "FINALIZED"):
            raise BadMessage("'eventType' is neither ACCEPTED nor FINALIZED.")
    elif isinstance(message, ContractNegotiation | TransferProcess):
        _check_state(message)
    if "dataAddress" in document:
        _check_address_types(document["dataAddress"])
    if document.get("reason") == []:
        raise BadMessage("'reason' is empty; it is left out or says something.")


def _check_address_types(address: Any) -> None:
    """A tag that is left out would be taken for the right one."""
    if not isinstance(address, dict) or address.get("@type") != "DataAddress":
        raise BadMessage("'dataAddress' is no object of '@type' DataAddress.")
    found = address.get("endpointProperties", [{"@type": "EndpointProperty"}])
    if not found or not all(one.get("@type") == "EndpointProperty" for one in found):
        raise BadMessage("'endpointProperties' is not an array of at least one EndpointProperty.")


def _check_state(message: ContractNegotiation | TransferProcess) -> None:
    from xinglin.wire.dsp.states import NEGOTIATION, START, TRANSFER

    table = NEGOTIATION if isinstance(message, ContractNegotiation) else TRANSFER
    if message.state not in table.states or message.state == START:
        raise BadMessage(f"{message.state!r} is no state of the protocol.")


def _check_one_of(document: Document, first: str, second: str) -> None:
    if (first in document) == (second in document):
        raise BadMessage(f"Exactly one of '{first}' and '{second}' is needed.")
    if not document.get(first) and not document.get(second):
        raise BadMessage(f"'{first if first in document else second}' is empty.")
