"""Messages of the Decentralized Claims Protocol 1.0 in their exact JSON.

Source: Decentralized Claims Protocol v1.0.1, "Verifiable Presentation Protocol" and "Credential Issuance Protocol".
Members that we do not know are left alone.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.trust.dcp import CONTEXT, check_scopes

MESSAGE_BYTES = Limit("size of a claims message", 2 * 1024 * 1024, "bytes")
ITEMS = Limit("items of a claims message", 64, "items")
HERE: tuple[str, ...] = (CONTEXT,)
M = TypeVar("M", bound="DcpMessage")


class DcpMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", omit_defaults=True):
    """What every message has."""

    context: tuple[Any, ...] = msgspec.field(name="@context")


class PresentationQueryMessage(DcpMessage, frozen=True, kw_only=True):
    """Asks a Credential Service for presentations: by scope, or by a definition."""

    scope: tuple[str, ...] | None = None
    presentation_definition: Any = None


class PresentationResponseMessage(DcpMessage, frozen=True, kw_only=True):
    """The presentations; ours are texts."""

    presentation: tuple[Any, ...]


class Container(msgspec.Struct, frozen=True, rename="camel"):
    """A credential that is delivered."""

    credential_type: str
    payload: str
    format: str


class CredentialMessage(DcpMessage, frozen=True, kw_only=True):
    """An issuer delivers what was requested, or says no."""

    issuer_pid: str
    holder_pid: str
    status: Literal["ISSUED", "REJECTED"]
    rejection_reason: str = ""
    credentials: tuple[Container, ...] = ()


class Wish(msgspec.Struct, frozen=True):
    """A credential that is asked for, by its id in the issuer's metadata."""

    id: str


class CredentialRequestMessage(DcpMessage, frozen=True, kw_only=True):
    """A holder asks an issuer for credentials; ``holder_pid`` is the holder's id of this request."""

    holder_pid: str
    credentials: tuple[Wish, ...]


class CredentialOfferMessage(DcpMessage, frozen=True, kw_only=True):
    """An issuer offers credentials."""

    issuer: str
    credentials: tuple[dict[str, Any], ...]


class CredentialStatus(DcpMessage, frozen=True, kw_only=True):
    """What became of a request."""

    issuer_pid: str
    holder_pid: str
    status: Literal["RECEIVED", "REJECTED", "ISSUED"]


class CredentialObject(msgspec.Struct, frozen=True, rename="camel", tag_field="type", kw_only=True):
    """A credential that an issuer gives."""

    id: str
    credential_type: str
    binding_methods: tuple[str, ...] = ("did:web",)
    profile: str


class IssuerMetadata(DcpMessage, frozen=True, kw_only=True):
    """What an issuer gives."""

    issuer: str
    credentials_supported: tuple[CredentialObject, ...]


class UnsupportedQuery(MalformedMessage):
    """A query by presentation definition, which this Credential Service does not carry out."""

    code = "trust.dcp.unsupported_query"


def parse(data: bytes, kind: type[M]) -> M:
    """``data`` as the message ``kind``; ``MalformedMessage`` or ``LimitExceeded``.

    >>> parse(b'{"@context": [], "type": "PresentationQueryMessage"}', PresentationQueryMessage)
    Traceback (most recent call last):
        ...
    xinglin.kernel.errors.MalformedMessage: '@context' does not name the protocol's context.
    """
    document = decode_json(data, dict, MESSAGE_BYTES)
    if document.get("type") != kind.__name__:
        raise MalformedMessage(f"'type' is not '{kind.__name__}'.")
    context = document.get("@context")
    if not isinstance(context, list) or CONTEXT not in context:
        raise MalformedMessage("'@context' does not name the protocol's context.")
    try:
        found: M = msgspec.convert(document, type=kind)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"Not a {kind.__name__}: {error}.") from error
    ITEMS.check(len(getattr(found, "credentials", ())))
    return found


def scopes_of(query: PresentationQueryMessage) -> tuple[str, ...]:
    """The scopes asked for; ``MalformedMessage`` for both ways at once, neither, or none; ``UnsupportedQuery``."""
    if query.scope is not None and query.presentation_definition is not None:
        raise MalformedMessage("A query has a 'scope' or a 'presentationDefinition', not both.")
    if query.presentation_definition is not None:
        raise UnsupportedQuery("Presentation definitions are not carried out here.", remedy="Ask by 'scope'.")
    return check_scopes(query.scope)


def encode(message: DcpMessage) -> bytes:
    """The message as JSON."""
    return msgspec.json.encode(message)
