"""Sealing: HPKE to a participant's X25519 and ML-KEM-768 keys together (RFC 9180, base mode).

Who can break one of the two key exchanges still reads nothing. Base mode names no sender: what is
sealed is signed inside where the sender matters.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import MESSAGE_BYTES
from xinglin.trust.errors import CannotUnseal, WeakKey
from xinglin.trust.keys import PrivateKeys, PublicKeys
from xinglin.trust.points import check_x25519
from xinglin.trust.suites import require_suite

OVERHEAD_BYTES = 1136 + len(b"xinglin-sealed/1 intl-1\n")


def seal(public: PublicKeys, plaintext: bytes, info: bytes) -> bytes:
    """``plaintext`` for the holder of ``public`` alone, for the purpose ``info`` (not empty).

    The result is the version and suite on a line, then the HPKE message: 1,160 bytes more than
    ``plaintext``. Raises ``WeakKey``, ``LimitExceeded`` beyond 64 MiB. The randomness is the
    cryptographic library's own.
    """
    require_suite(public.suite)
    MESSAGE_BYTES.check(len(plaintext) + OVERHEAD_BYTES)
    check_x25519(public.x25519)
    try:
        key = hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public.mlkem768),
            x25519.X25519PublicKey.from_public_bytes(public.x25519),
        )
    except ValueError as error:
        raise WeakKey("ML-KEM-768", "wrong length or non-canonical encoding") from error
    head = _head(public.suite)
    return head + _suite().encrypt(plaintext, key, _info(head, info))


def unseal(private: PrivateKeys, sealed: bytes, info: bytes) -> bytes:
    """The plaintext of ``sealed``; raises ``CannotUnseal`` when key, purpose or a single bit differs."""
    MESSAGE_BYTES.check(len(sealed))
    head = _head(private.suite)
    if not sealed.startswith(head):
        raise CannotUnseal
    key = hpke.MLKEM768X25519PrivateKey(private.mlkem768_key, private.x25519_key)
    try:
        return _suite().decrypt(sealed[len(head) :], key, _info(head, info))
    except (InvalidTag, ValueError) as error:
        raise CannotUnseal from error


def _head(suite: str) -> bytes:
    return f"xinglin-sealed/1 {suite}\n".encode()


def _info(head: bytes, info: bytes) -> bytes:
    if not info:
        raise MalformedMessage("A sealed message names its purpose.", remedy="Hand in a non-empty info.")
    return head + info


def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
