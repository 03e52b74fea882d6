"""Envelopes: a message with who signed it and what for."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json, decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import JSON_BYTES, MESSAGE_BYTES, Limit
from xinglin.trust.errors import BadSignature, WrongContext
from xinglin.trust.keys import PrivateKeys, check_did, verify, verify_pq
from xinglin.trust.ports import Directory
from xinglin.trust.suites import INTL_1, require_suite

T = TypeVar("T")
_PREFIX = "signed/"


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payload, its signer's DID, the purpose, and one or two signatures over all of these.

    Version 1; append-only: fields are added with defaults, none changes its meaning. Travels as
    MessagePack (``to_bytes``) or inside another message.
    """

    signer: str
    context: str
    payload: bytes
    signature: bytes
    pq_signature: bytes = b""
    suite: str = INTL_1.name
    version: int = 1

    def to_bytes(self) -> bytes:
        """The envelope as MessagePack."""
        return encode_msgpack(self)

    @classmethod
    def from_bytes(cls, data: bytes, limit: Limit = MESSAGE_BYTES) -> Signed:
        """An envelope from ``to_bytes``, nothing verified yet; ``MalformedMessage`` or ``LimitExceeded``."""
        return decode_msgpack(data, cls, limit)


def sign(private: PrivateKeys, context: str, value: Any, *, pq: bool = False) -> Signed:
    """An envelope around ``value``: bytes as they are, any other JSON-like value as canonical bytes.

    ``pq`` adds the ML-DSA-65 signature that agreements and credentials carry.
    """
    payload = value if isinstance(value, bytes) else canonical_bytes(value)
    message = _message(private.did, payload)
    return Signed(
        signer=private.did,
        context=context,
        payload=payload,
        signature=private.sign(_PREFIX + context, message),
        pq_signature=private.sign_pq(_PREFIX + context, message) if pq else b"",
        suite=private.suite,
    )


def open_signed(
    signed: Signed, context: str, directory: Directory, *, at: int | None = None, need_pq: bool = False
) -> bytes:
    """The payload, once the signer's registered keys (at log index ``at``) are found to have signed it.

    Raises ``WrongContext``, ``UnknownParticipant``, ``RevokedParticipant``, ``BadSignature`` (also
    for a missing post-quantum signature where ``need_pq``, and for a present one that is wrong),
    ``MalformedMessage`` for a version or a signer's spelling that is not known.
    """
    if signed.version != 1:
        raise MalformedMessage(f"An envelope of version {signed.version} is not known here.")
    if signed.context != context:
        raise WrongContext(context, signed.context)
    require_suite(signed.suite)
    keys = directory.keys(check_did(signed.signer), at)
    if keys.suite != signed.suite:
        raise BadSignature(signed.suite, context)
    message = _message(signed.signer, signed.payload)
    verify(keys, _PREFIX + context, message, signed.signature)
    if need_pq or signed.pq_signature:
        verify_pq(keys, _PREFIX + context, message, signed.pq_signature)
    return signed.payload


def open_signed_as(
    signed: Signed,
    context: str,
    directory: Directory,
    kind: type[T],
    *,
    at: int | None = None,
    need_pq: bool = False,
    limit: Limit = JSON_BYTES,
) -> T:
    """``open_signed``, then its JSON payload as a ``kind`` (a msgspec type)."""
    return decode_json(open_signed(signed, context, directory, at=at, need_pq=need_pq), kind, limit)


def _message(signer: str, payload: bytes) -> bytes:
    # The DID is signed too, so that nobody who registers another's key can claim its messages.
    return signer.encode() + b"\0" + payload
