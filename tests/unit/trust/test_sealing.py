"""Sealing: one recipient, one purpose, no bit changed."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives import hpke
from tests.unit.trust.conftest import Space

from xinglin.kernel import LimitExceeded, MalformedMessage
from xinglin.trust import CannotUnseal, WeakKey, seal, unseal
from xinglin.trust.sealing import OVERHEAD_BYTES


@pytest.mark.parametrize("plain", [b"", b"x", b"\0" * 100_000])
def test_what_is_sealed_opens(space: Space, plain: bytes) -> None:
    sealed = seal(space.hospital.public, plain, b"result run-1")
    assert len(sealed) == len(plain) + OVERHEAD_BYTES
    assert unseal(space.hospital, sealed, b"result run-1") == plain
    assert sealed != seal(space.hospital.public, plain, b"result run-1")


def test_another_key_or_purpose_does_not_open_it(space: Space) -> None:
    sealed = seal(space.hospital.public, b"secret", b"result run-1")
    assert b"secret" not in sealed
    with pytest.raises(CannotUnseal):
        unseal(space.other, sealed, b"result run-1")
    with pytest.raises(CannotUnseal):
        unseal(space.hospital, sealed, b"result run-2")


def test_every_part_is_authenticated(space: Space) -> None:
    sealed = seal(space.hospital.public, b"secret", b"i")
    for place in (*range(0, len(sealed), 61), len(sealed) - 1):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(CannotUnseal):
            unseal(space.hospital, altered, b"i")
    for cut in (b"", sealed[:24], sealed[:-1], sealed[:600], sealed + b"\0", sealed[24:]):
        with pytest.raises(CannotUnseal):
            unseal(space.hospital, cut, b"i")


def test_both_halves_of_the_key_are_needed(space: Space) -> None:
    half = msgspec.structs.replace(space.hospital.public, x25519=space.other.public.x25519)
    with pytest.raises(CannotUnseal):
        unseal(space.hospital, seal(half, b"s", b"i"), b"i")
    half = msgspec.structs.replace(space.hospital.public, mlkem768=space.other.public.mlkem768)
    with pytest.raises(CannotUnseal):
        unseal(space.hospital, seal(half, b"s", b"i"), b"i")


def test_weak_keys_and_nameless_purposes_are_refused(space: Space) -> None:
    for field, raw in (("x25519", bytes(32)), ("x25519", b""), ("mlkem768", b""), ("mlkem768", b"\xff" * 1184)):
        with pytest.raises(WeakKey):
            seal(msgspec.structs.replace(space.hospital.public, **{field: raw}), b"s", b"i")
    with pytest.raises(MalformedMessage):
        seal(space.hospital.public, b"s", b"")


def test_one_byte_more_than_a_message_is_refused(space: Space) -> None:
    with pytest.raises(LimitExceeded):
        seal(space.hospital.public, bytes(64 * 1024 * 1024 - OVERHEAD_BYTES + 1), b"i")


def test_version_and_suite_are_bound_into_the_purpose(space: Space) -> None:
    # Also: what is sealed is plain RFC 9180 behind the first line, so that other tools open it.
    head, message = seal(space.hospital.public, b"s", b"i").split(b"\n", 1)
    assert head == b"xinglin-sealed/1 intl-1"
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    key = hpke.MLKEM768X25519PrivateKey(space.hospital.mlkem768_key, space.hospital.x25519_key)
    assert suite.decrypt(message, key, head + b"\n" + b"i") == b"s"
