"""Which public keys are refused: every torsion encoding, every second spelling, every mixed-order point."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from xinglin.trust import WeakKey, check_ed25519, check_ed25519_encoding, check_x25519

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P

# "Taming the many EdDSAs", table 1 and appendix: the eight torsion points, and their other spellings.
TORSION = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]
# RFC 8032 §7.1.
GOOD_ED25519 = [
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
]
# https://cr.yp.to/ecdh.html#validate, reduced and not.
LOW_U = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
    P,
    P + 1,
]
# RFC 7748 §6.1.
GOOD_X25519 = [
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    "0900000000000000000000000000000000000000000000000000000000000000",
]


def on_curve(y: int) -> bool:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    return square == 0 or pow(square, (P - 1) // 2, P) == 1


@pytest.mark.parametrize("text", TORSION)
@pytest.mark.parametrize("check", [check_ed25519, check_ed25519_encoding])
def test_a_torsion_point_is_refused_in_each_spelling(text: str, check: object) -> None:
    with pytest.raises(WeakKey) as caught:
        check(bytes.fromhex(text))
    assert caught.value.fault == "low order"


def test_the_library_alone_would_take_a_universal_forgery() -> None:
    # Why the check exists: under y = 1, R = identity and S = 0 sign every message.
    forged = bytes.fromhex(TORSION[0]) + bytes(32)
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(TORSION[0])).verify(forged, b"anything")


@pytest.mark.parametrize("offset", range(19))
@pytest.mark.parametrize("sign", [0, 1])
def test_every_unreduced_y_is_refused(offset: int, sign: int) -> None:
    raw = ((P + offset) | sign << 255).to_bytes(32, "little")
    for check in (check_ed25519, check_ed25519_encoding):
        with pytest.raises(WeakKey):
            check(raw)


@pytest.mark.parametrize("text", GOOD_ED25519)
def test_a_good_key_is_taken_and_its_mixed_order_neighbour_is_not(text: str) -> None:
    raw = bytes.fromhex(text)
    check_ed25519(raw)
    number = int.from_bytes(raw, "little")
    y, sign = number & (2**255 - 1), number >> 255
    neighbour = (P - y) | (1 - sign) << 255  # A + (0, -1) = (-x, -y): the torsion point of order 2 added
    mixed = neighbour.to_bytes(32, "little")
    check_ed25519_encoding(mixed)
    with pytest.raises(WeakKey) as caught:
        check_ed25519(mixed)
    assert caught.value.fault == "mixed order"


@pytest.mark.parametrize("seed", range(8))
def test_generated_keys_pass(seed: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    check_ed25519(key.public_key().public_bytes_raw())
    check_x25519(X25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw())


def test_a_y_off_the_curve_is_refused() -> None:
    off = [y for y in range(2, 60) if not on_curve(y)]
    assert len(off) > 10
    for y in off:
        with pytest.raises(WeakKey) as caught:
            check_ed25519(y.to_bytes(32, "little"))
        assert caught.value.fault == "not a point of the curve"


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_wrong_length_is_refused(size: int) -> None:
    for check in (check_ed25519, check_x25519):
        with pytest.raises(WeakKey):
            check(b"\x09" * size)


@pytest.mark.parametrize("u", LOW_U)
@pytest.mark.parametrize("top", [0, 1])
def test_a_low_order_u_is_refused_with_and_without_its_top_bit(u: int, top: int) -> None:
    raw = (u | top << 255).to_bytes(32, "little")
    with pytest.raises(WeakKey) as caught:
        check_x25519(raw)
    assert caught.value.fault == "low order"
    with pytest.raises(ValueError):
        X25519PrivateKey.from_private_bytes(b"\x42" * 32).exchange(X25519PublicKey.from_public_bytes(raw))


@pytest.mark.parametrize("u", [P + 2, P + 9, 2**255 - 1, 9 | 1 << 255, 2**256 - 1])
def test_a_u_with_a_second_spelling_is_refused(u: int) -> None:
    with pytest.raises(WeakKey) as caught:
        check_x25519(u.to_bytes(32, "little"))
    assert caught.value.fault == "non-canonical encoding"


@pytest.mark.parametrize("text", GOOD_X25519)
def test_known_good_u_pass(text: str) -> None:
    check_x25519(bytes.fromhex(text))


def test_a_signature_whose_s_is_not_reduced_is_refused_by_the_library() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    good = key.sign(b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    twisted = good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
    with pytest.raises(InvalidSignature):
        key.public_key().verify(twisted, b"m")
