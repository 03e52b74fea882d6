"""Submissions: one signature covers every entry, for one log and one submitter."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.evidence.space import DID, ORIGIN, OTHER_DID, entry, seed

from xinglin.evidence.errors import BadSignature, EvidenceError, MalformedBundle, NewerVersion
from xinglin.evidence.submission import (
    BATCH_CONTEXT,
    BATCH_ENTRIES,
    SubmissionBatch,
    decode_batch,
    open_batch,
    sign_batch,
)
from xinglin.kernel import LimitExceeded, XinglinError

PRIVATE = Ed25519PrivateKey.from_private_bytes(seed("hospital"))


def sign(context: str, payload: bytes) -> bytes:
    return PRIVATE.sign(context.encode() + b"\0" + payload)


def verify(did: str, context: str, payload: bytes, signature: bytes) -> None:
    try:
        PRIVATE.public_key().verify(signature, context.encode() + b"\0" + payload)
    except InvalidSignature as error:
        raise BadSignature("no") from error
    if did != DID or context != BATCH_CONTEXT:
        raise BadSignature("another")


ENTRIES = [entry(number) for number in range(5)]
BATCH = sign_batch(ENTRIES, ORIGIN, DID, sign)


def test_a_batch_comes_back_from_its_bytes_and_opens_to_its_entries() -> None:
    assert decode_batch(BATCH.to_bytes()) == BATCH
    assert open_batch(BATCH, ORIGIN, verify) == tuple(ENTRIES)
    assert len(BATCH.key) == 32 and BATCH.key != sign_batch(ENTRIES[:4], ORIGIN, DID, sign).key


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "other.example/log"},
        {"submitter": OTHER_DID},
        {"entries": BATCH.entries[:-1]},
        {"entries": (*BATCH.entries, BATCH.entries[0])},
        {"entries": BATCH.entries[::-1]},
        {"entries": (entry(9).to_bytes(), *BATCH.entries[1:])},
        {"entries": ()},
        {"signature": bytes(64)},
        {"signature": b""},
    ],
)
def test_every_field_of_a_batch_is_covered(change: dict[str, object]) -> None:
    with pytest.raises(EvidenceError):
        open_batch(msgspec.structs.replace(BATCH, **change), ORIGIN, verify)


def test_a_batch_for_one_log_is_refused_by_another() -> None:
    with pytest.raises(MalformedBundle):
        open_batch(BATCH, "other.example/log", verify)


def test_an_entry_in_another_name_is_refused_though_the_signature_covers_it() -> None:
    other = msgspec.structs.replace(entry(0), submitter=OTHER_DID)
    with pytest.raises(MalformedBundle):
        sign_batch([other], ORIGIN, DID, sign)
    forged = SubmissionBatch(ORIGIN, DID, (other.to_bytes(),), b"")
    forged = msgspec.structs.replace(forged, signature=sign(BATCH_CONTEXT, forged.payload()))
    with pytest.raises(BadSignature):
        open_batch(forged, ORIGIN, verify)


def test_one_entry_more_than_the_limit_is_refused() -> None:
    data = BATCH.entries[0]
    with pytest.raises(LimitExceeded):
        sign_batch([ENTRIES[0]] * (BATCH_ENTRIES.value + 1), ORIGIN, DID, sign)
    with pytest.raises(LimitExceeded):
        open_batch(SubmissionBatch(ORIGIN, DID, (data,) * (BATCH_ENTRIES.value + 1), b""), ORIGIN, verify)
    with pytest.raises(MalformedBundle):
        sign_batch([], ORIGIN, DID, sign)
    with pytest.raises(LimitExceeded):
        decode_batch(bytes(8 * 1024 * 1024 + 1))


def test_a_newer_version_and_other_bytes_are_refused() -> None:
    with pytest.raises(NewerVersion):
        decode_batch(msgspec.structs.replace(BATCH, version=2).to_bytes())
    for data in (b"", b"\x80", BATCH.to_bytes()[:-1], BATCH.to_bytes() + b"\x00"):
        with pytest.raises(XinglinError):
            decode_batch(data)
    with pytest.raises(MalformedBundle):
        SubmissionBatch("\ud800", DID, BATCH.entries, b"").payload()
