"""Envelopes: who signed, what for, and every way in which that can be false."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.trust.conftest import Space

from xinglin.kernel import MalformedMessage, canonical_bytes
from xinglin.trust import (
    BadSignature,
    KeyDirectory,
    RevokedParticipant,
    Signed,
    SuiteUnavailable,
    UnknownParticipant,
    WrongContext,
    open_signed,
    open_signed_as,
    revoke,
    sign,
)


class Wish(msgspec.Struct, frozen=True):
    text: str


def test_an_envelope_opens_to_its_canonical_payload(space: Space) -> None:
    signed = sign(space.hospital, "use-request", {"b": 1, "a": 2})
    assert open_signed(signed, "use-request", space.directory) == b'{"a":2,"b":1}'
    assert open_signed(sign(space.hospital, "x", b"raw"), "x", space.directory) == b"raw"
    wish = sign(space.hospital, "wish", Wish("study"))
    assert open_signed_as(wish, "wish", space.directory, Wish) == Wish("study")
    assert Signed.from_bytes(wish.to_bytes()) == wish


def test_another_purpose_is_refused(space: Space) -> None:
    signed = sign(space.hospital, "use-request", {})
    with pytest.raises(WrongContext):
        open_signed(signed, "agreement", space.directory)
    relabelled = msgspec.structs.replace(signed, context="agreement")
    with pytest.raises(BadSignature):
        open_signed(relabelled, "agreement", space.directory)


def test_another_signer_is_refused(space: Space) -> None:
    signed = sign(space.hospital, "c", {})
    with pytest.raises(BadSignature):
        open_signed(msgspec.structs.replace(signed, signer=space.other.did), "c", space.directory)
    with pytest.raises(BadSignature):
        open_signed(sign(space.other.for_did(space.hospital.did), "c", {}), "c", space.directory)


def test_the_signer_is_under_the_signature_even_where_two_dids_share_a_key(space: Space) -> None:
    class Careless:
        def keys(self, did: str, at: int | None = None) -> object:
            return space.hospital.public

        def roles(self, did: str, at: int | None = None) -> frozenset[str]:
            return frozenset()

    signed = sign(space.hospital, "c", b"payload")
    stolen = msgspec.structs.replace(signed, signer=space.other.did)
    with pytest.raises(BadSignature):
        open_signed(stolen, "c", Careless())


def test_every_altered_field_is_refused(space: Space) -> None:
    signed = sign(space.hospital, "c", b"payload", pq=True)
    for change in (
        {"payload": b"payloae"},
        {"payload": b""},
        {"signature": bytes(64)},
        {"signature": b""},
        {"pq_signature": bytes(3309)},
        {"pq_signature": signed.pq_signature[:-1]},
    ):
        with pytest.raises(BadSignature):
            open_signed(msgspec.structs.replace(signed, **change), "c", space.directory, need_pq=True)


def test_a_post_quantum_signature_cannot_be_stripped_where_it_is_needed(space: Space) -> None:
    signed = sign(space.hospital, "agreement", b"x", pq=True)
    open_signed(signed, "agreement", space.directory, need_pq=True)
    bare = msgspec.structs.replace(signed, pq_signature=b"")
    open_signed(bare, "agreement", space.directory)
    wrong = msgspec.structs.replace(signed, pq_signature=bytes(3309))
    with pytest.raises(BadSignature):
        open_signed(wrong, "agreement", space.directory)
    with pytest.raises(BadSignature):
        open_signed(bare, "agreement", space.directory, need_pq=True)


def test_the_unknown_and_the_misspelt_are_refused(space: Space) -> None:
    signed = sign(space.hospital, "c", b"x")
    with pytest.raises(UnknownParticipant):
        open_signed(msgspec.structs.replace(signed, signer="did:xinglin:" + "a" * 26), "c", space.directory)
    with pytest.raises(MalformedMessage):
        open_signed(msgspec.structs.replace(signed, signer="operator"), "c", space.directory)
    with pytest.raises(MalformedMessage):
        open_signed(msgspec.structs.replace(signed, version=2), "c", space.directory)
    with pytest.raises(SuiteUnavailable):
        open_signed(msgspec.structs.replace(signed, suite="cn-1"), "c", space.directory)


def test_a_revocation_ends_envelopes_from_its_index_on(space: Space) -> None:
    signed = sign(space.researcher, "use-request", b"x")
    after = space.directory.apply(9, revoke(space.researcher.did, "left", space.hospital))
    assert isinstance(after, KeyDirectory)
    with pytest.raises(RevokedParticipant):
        open_signed(signed, "use-request", after)
    with pytest.raises(RevokedParticipant):
        open_signed(signed, "use-request", after, at=9)
    assert open_signed(signed, "use-request", after, at=8) == b"x"


def test_a_bare_signature_is_no_envelope(space: Space) -> None:
    payload = canonical_bytes({})
    bare = space.hospital.sign("c", space.hospital.did.encode() + b"\0" + payload)
    with pytest.raises(BadSignature):
        open_signed(Signed(space.hospital.did, "c", payload, bare), "c", space.directory)
