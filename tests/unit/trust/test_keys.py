"""Keys, DIDs, purposes and suites."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.unit.trust.conftest import Space, fixed_entropy

from xinglin.kernel import MalformedMessage
from xinglin.trust import (
    CN_1,
    BadSignature,
    PrivateKeys,
    SuiteUnavailable,
    UnknownSuite,
    WeakKey,
    check_did,
    check_possession,
    check_public_keys,
    did_of,
    require_suite,
    suite,
    verify,
    verify_pq,
)


def test_a_did_follows_from_its_keys_and_from_nothing_else(space: Space) -> None:
    again = PrivateKeys.generate(fixed_entropy("a"))
    assert again.did == space.hospital.did == did_of(space.hospital.public)
    assert check_did(again.did) == again.did
    for field, raw in msgspec.structs.asdict(again.public).items():
        if field != "suite":
            turned = msgspec.structs.replace(again.public, **{field: bytes([raw[0] ^ 1]) + raw[1:]})
            assert did_of(turned) != again.did


def test_the_did_of_fixed_keys_never_changes() -> None:
    assert PrivateKeys.generate(lambda size: bytes(range(size))).did == "did:xinglin:avvbelhjgj3zugek7mvjx4p5hu"


@pytest.mark.parametrize(
    "text",
    ["", "did:xinglin:", "did:web:a", "did:xinglin:" + "a" * 25, "did:xinglin:" + "a" * 25 + "b",
     "did:xinglin:" + "A" * 26, "did:xinglin:" + "a" * 27, "did:xinglin:" + "a" * 26 + "\n"],
)  # fmt: skip
def test_a_misspelt_did_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        check_did(text)


def test_sizes_are_those_of_the_standards(space: Space) -> None:
    public = space.hospital.public
    assert [len(k) for k in (public.ed25519, public.mldsa65, public.mldsa44, public.x25519, public.mlkem768)] == [
        32, 1952, 1312, 32, 1184,
    ]  # fmt: skip
    assert len(space.hospital.sign("a", b"")) == 64
    assert len(space.hospital.sign_pq("a", b"")) == 3309
    assert len(space.hospital.sign_mldsa44(b"")) == 2420


@pytest.mark.parametrize(("make", "check"), [("sign", verify), ("sign_pq", verify_pq)])
def test_a_signature_holds_for_its_key_context_and_payload_alone(space: Space, make: str, check: object) -> None:
    one, two = space.hospital, space.other
    signature = getattr(one, make)("use-request", b"payload")
    check(one.public, "use-request", b"payload", signature)
    flipped = signature[:10] + bytes([signature[10] ^ 1]) + signature[11:]
    for public, context, payload, candidate in (
        (two.public, "use-request", b"payload", signature),
        (one.public, "use-request2", b"payload", signature),
        (one.public, "use", b"-request\0payload", signature),
        (one.public, "use-request", b"payload2", signature),
        (one.public, "use-request", b"payload", flipped),
        (one.public, "use-request", b"payload", signature[:-1]),
        (one.public, "use-request", b"payload", b""),
        (one.public, "use-request", b"payload", signature + b"\0"),
    ):
        with pytest.raises(BadSignature):
            check(public, context, payload, candidate)


@pytest.mark.parametrize("context", ["", "A", "a b", "a\0b", "a\n", "-a", "a" * 81, "é"])
def test_a_context_that_could_be_read_in_two_ways_is_refused(space: Space, context: str) -> None:
    with pytest.raises(MalformedMessage):
        space.hospital.sign(context, b"")
    with pytest.raises(MalformedMessage):
        space.hospital.sign_pq(context, b"")


def test_a_note_key_does_not_sign_what_a_purpose_signs(space: Space) -> None:
    note = b"log.example\n1\nAAAA\n"
    key = Ed25519PublicKey.from_public_bytes(space.hospital.public.ed25519)
    key.verify(space.hospital.sign_note_ed25519(note), note)
    for message in (b"xinglin:use-request\0payload", b"xinglin:a\0line\n", b"eyJhbGciOiJFZERTQSJ9.e30", b""):
        with pytest.raises(MalformedMessage):
            space.hospital.sign_note_ed25519(message)


def test_possession_needs_all_three_keys(space: Space) -> None:
    proof = space.hospital.prove_possession("key-registration", b"claim")
    check_possession(space.hospital.public, "key-registration", b"claim", proof)
    stranger = space.other.prove_possession("key-registration", b"claim")
    for field in ("ed25519", "mldsa65", "mldsa44"):
        mixed = msgspec.structs.replace(proof, **{field: getattr(stranger, field)})
        with pytest.raises(BadSignature):
            check_possession(space.hospital.public, "key-registration", b"claim", mixed)


def test_a_cosignature_is_no_proof_of_possession(space: Space) -> None:
    proof = space.hospital.prove_possession("key-registration", b"claim")
    forged = msgspec.structs.replace(proof, mldsa44=space.hospital.sign_mldsa44(b"claim"))
    with pytest.raises(BadSignature):
        check_possession(space.hospital.public, "key-registration", b"claim", forged)


def test_good_keys_pass_and_each_weak_one_is_named(space: Space) -> None:
    good = space.hospital.public
    check_public_keys(good)
    unreduced = b"\xff" * 1152 + good.mlkem768[1152:]  # coefficients 4095 > q = 3329 (FIPS 203 §7.2)
    for algorithm, field, raw in (
        ("Ed25519", "ed25519", bytes(32)),
        ("X25519", "x25519", bytes(32)),
        ("ML-DSA-65", "mldsa65", good.mldsa65[:-1]),
        ("ML-DSA-44", "mldsa44", good.mldsa65),
        ("ML-KEM-768", "mlkem768", unreduced),
        ("ML-KEM-768", "mlkem768", b""),
    ):
        with pytest.raises(WeakKey) as caught:
            check_public_keys(msgspec.structs.replace(good, **{field: raw}))
        assert caught.value.algorithm == algorithm


def test_verify_under_a_misshapen_key_is_a_bad_signature(space: Space) -> None:
    short = msgspec.structs.replace(space.hospital.public, ed25519=b"\x01", mldsa65=b"")
    with pytest.raises(BadSignature):
        verify(short, "a", b"", bytes(64))
    with pytest.raises(BadSignature):
        verify_pq(short, "a", b"", bytes(3309))


def test_cn_1_is_named_and_refused_where_it_would_run(space: Space) -> None:
    assert suite("cn-1") == CN_1
    assert not CN_1.available
    with pytest.raises(SuiteUnavailable) as caught:
        require_suite("cn-1")
    assert "SM2" in str(caught.value)
    with pytest.raises(SuiteUnavailable):
        PrivateKeys.generate(suite="cn-1")
    other = msgspec.structs.replace(space.hospital.public, suite="cn-1")
    for call in (
        lambda: check_public_keys(other),
        lambda: verify(other, "a", b"", bytes(64)),
        lambda: verify_pq(other, "a", b"", bytes(64)),
    ):
        with pytest.raises(SuiteUnavailable):
            call()
    with pytest.raises(UnknownSuite):
        suite("intl-2")


def test_private_keys_do_not_show_themselves(space: Space) -> None:
    seeds = space.hospital.seeds
    for shown in (repr(space.hospital), repr(seeds), str(seeds), f"{space.hospital}"):
        assert seeds.ed25519.hex()[:8] not in shown
        assert repr(seeds.ed25519)[2:12] not in shown
