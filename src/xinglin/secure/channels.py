"""Keys between two parties, and the boxes that carry shares from one to the other.

Everything is X25519 (RFC 7748) and HKDF with SHA-256 (RFC 5869), salted with the session's id and with
an unambiguous label. Channel keys move forward one step each round and the old ones are forgotten, so
that a node taken over in round 5 cannot read the boxes of rounds 1 to 4. Boxes are AES-256-GCM.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from xinglin.secure.errors import BadShare, WeakExchange
from xinglin.secure.ports import Entropy

_NONCE_BYTES = 12
_pack = msgspec.msgpack.Encoder().encode


def derive(key: bytes, *label: str | int) -> bytes:
    """32 bytes of HKDF-Expand under ``key`` (already uniform) for ``label``."""
    return hmac.digest(key, b"xinglin:secure/" + _pack(label) + b"\x01", "sha256")


def extract(session_id: bytes, secret: bytes, *label: str | int) -> bytes:
    """A uniform 32-byte key from ``secret``, bound to the session and ``label`` (HKDF)."""
    return derive(hmac.digest(session_id, secret, "sha256"), *label)


def public_key(private: bytes) -> bytes:
    """The X25519 public key of 32 private bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def exchange(private: bytes, public: bytes, who: str) -> bytes:
    """The X25519 shared secret; ``WeakExchange`` naming ``who`` when the key is of low order."""
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise WeakExchange(
            f"{who} sent a key of low order.", who=who, remedy="Run without this hospital, and ask it why."
        ) from error


def pair_key(session_id: bytes, shared: bytes, purpose: str, round_number: int, one: int, other: int) -> bytes:
    """The key of an unordered pair for one purpose and round."""
    return extract(session_id, shared, purpose, round_number, min(one, other), max(one, other))


def commitment(session_id: bytes, round_number: int, member: int, seed: bytes) -> bytes:
    """Binds a member to its self-mask seed; hides it, as the seed is uniform."""
    return derive(hashlib.sha256(b"xinglin:secure/seed\0" + session_id + seed).digest(), "seed", round_number, member)


def next_chain(chain: bytes) -> bytes:
    """The channel key of the following round; there is no way back."""
    return derive(chain, "next")


def seal(
    chain: bytes, session_id: bytes, round_number: int, sender: int, to: int, plain: bytes, entropy: Entropy
) -> bytes:
    """``plain`` for one member: nonce ‖ AES-256-GCM, bound to run, round and both ends."""
    nonce = entropy(_NONCE_BYTES)
    key = derive(chain, "box", sender, to)
    return nonce + AESGCM(key).encrypt(nonce, plain, _bound(session_id, round_number, sender, to))


def unseal(chain: bytes, session_id: bytes, round_number: int, sender: int, to: int, box: bytes, who: str) -> bytes:
    """What ``seal`` was given; ``BadShare`` naming ``who`` when forged, altered or meant for another."""
    key = derive(chain, "box", sender, to)
    try:
        opened: bytes = AESGCM(key).decrypt(
            box[:_NONCE_BYTES], box[_NONCE_BYTES:], _bound(session_id, round_number, sender, to)
        )
    except InvalidTag as error:
        raise BadShare(
            f"The sealed share from {who} does not open.",
            who=who,
            why="It was altered on the way, or was sealed for another hospital, round or run.",
            remedy="Start the run again; if it happens twice, without this hospital.",
        ) from error
    return opened


def _bound(session_id: bytes, round_number: int, sender: int, to: int) -> bytes:
    return _pack((session_id, round_number, sender, to))
