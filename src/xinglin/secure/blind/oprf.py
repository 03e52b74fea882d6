"""The oblivious pseudorandom function of RFC 9497, suite ristretto255-SHA512, in its three modes.

A *client* has an input, a *server* a key: the client learns F(key, input) and nothing about the key, the server learns
nothing about the input (not even under unlimited computing: the blind is uniform). ``VOPRF`` adds the proof that the
announced key was used; ``POPRF`` also binds public information. Everything that touches a key or a blind runs in
libsodium's constant time; hashing an input is constant in time for inputs of one length.

Guarantee: under the one-more gap Diffie–Hellman assumption in the random oracle model, who may evaluate q inputs knows
F at no more than q points. F at q guessed points is a dictionary: quota and split keys are in ``quota`` and ``split``.
Source: RFC 9497, sections 3 and 4.1.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.secure.blind import proofs, ristretto
from xinglin.secure.blind.errors import NotAScalar
from xinglin.secure.blind.hashing import sized, to_element, to_scalar
from xinglin.secure.ports import Entropy

INPUT_BYTES = Limit("input of the pseudorandom function", 65_535, "bytes")
OUTPUT_BYTES = 64
_SUITE = b"ristretto255-SHA512"


class Mode(enum.IntEnum):
    """The protocol's variant: plain, verifiable, verifiable with public information."""

    OPRF = 0
    VOPRF = 1
    POPRF = 2

    @property
    def context(self) -> bytes:
        """The context string that separates the modes (section 3.1)."""
        return b"OPRFV1-" + bytes([self.value]) + b"-" + _SUITE


class Evaluation(msgspec.Struct, frozen=True):
    """A server's answer to one batch: its elements in order, and the proof (empty in the plain mode)."""

    elements: tuple[bytes, ...]
    proof: bytes = b""


def derive_key(seed: bytes, info: bytes, mode: Mode) -> tuple[bytes, bytes]:
    """The key pair (scalar, element) of a seed of 32 bytes and public ``info`` (DeriveKeyPair, section 3.2.1)."""
    if len(seed) != 32:
        raise NotAScalar("A seed has 32 bytes.")
    tag = b"DeriveKeyPair" + mode.context
    for counter in range(256):
        key = to_scalar(seed + sized(info) + bytes([counter]), tag)
        if key != ristretto.IDENTITY:
            return key, ristretto.multiply_base(key)
    raise NotAScalar("No key comes of this seed.")


def blind(data: bytes, scalar: bytes, mode: Mode) -> bytes:
    """The blinded element of an input: ``scalar · H(input)``, uniform for a uniform scalar."""
    INPUT_BYTES.check(len(data))
    return ristretto.multiply(scalar, to_element(data, b"HashToGroup-" + mode.context))


def evaluate(key: bytes, blinded: Sequence[bytes], entropy: Entropy, mode: Mode, info: bytes = b"") -> Evaluation:
    """A server's answer to a batch of blinded elements, with its proof in the verifiable modes.

    Raises ``NotAnElement`` for the identity and for bytes in no canonical form, ``LimitExceeded`` for too many.
    """
    proofs.BATCH.check(len(blinded))
    points = [ristretto.check_element(one) for one in blinded]
    if mode is Mode.OPRF:
        return Evaluation(tuple(ristretto.multiply(key, one) for one in points))
    if mode is Mode.VOPRF:
        raised = tuple(ristretto.multiply(key, one) for one in points)
        share = ristretto.multiply_base(key)
        proof = proofs.prove(mode.context, key, share, points, raised, ristretto.random_scalar(entropy))
        return Evaluation(raised, proof)
    tweaked = ristretto.scalar_add(key, _tweak(info))
    inverse = ristretto.invert(tweaked)
    raised = tuple(ristretto.multiply(inverse, one) for one in points)
    share = ristretto.multiply_base(tweaked)
    return Evaluation(
        raised, proofs.prove(mode.context, tweaked, share, raised, points, ristretto.random_scalar(entropy))
    )


def check(share: bytes, blinded: Sequence[bytes], answer: Evaluation, mode: Mode, info: bytes = b"") -> None:
    """Check a verifiable answer under the server's public key ``share``; raises ``BadProof`` or ``NotAnElement``."""
    ristretto.check_element(share)
    for one in answer.elements:
        ristretto.check_element(one)
    if mode is Mode.POPRF:
        tweaked = ristretto.check_element(ristretto.add(ristretto.multiply_base(_tweak(info)), share))
        proofs.check(mode.context, tweaked, answer.elements, blinded, answer.proof)
    else:
        proofs.check(mode.context, share, blinded, answer.elements, answer.proof)


def finish(data: bytes, inverse: bytes, element: bytes, mode: Mode, info: bytes = b"") -> bytes:
    """The 64 bytes F(key, input): ``inverse`` undoes the blind of ``element`` (Finalize). Check the answer first."""
    return _output(data, ristretto.multiply(inverse, element), mode, info)


def directly(key: bytes, data: bytes, mode: Mode, info: bytes = b"") -> bytes:
    """F(key, input) by who has key and input both (Evaluate, section 3.3)."""
    point = to_element(data, b"HashToGroup-" + mode.context)
    factor = ristretto.invert(ristretto.scalar_add(key, _tweak(info))) if mode is Mode.POPRF else key
    return _output(data, ristretto.multiply(factor, point), mode, info)


def _output(data: bytes, element: bytes, mode: Mode, info: bytes) -> bytes:
    public = sized(info) if mode is Mode.POPRF else b""
    return hashlib.sha512(sized(data) + public + sized(element) + b"Finalize").digest()


def _tweak(info: bytes) -> bytes:
    return to_scalar(b"Info" + sized(info), b"HashToScalar-" + Mode.POPRF.context)
