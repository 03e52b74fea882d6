"""Proofs that two pairs of elements share one discrete logarithm, for a whole batch at once (RFC 9497, section 2.2).

Who checks a proof learns that the same key made all of a batch's evaluations as made its announced share, and nothing
else about the key. ``C`` and ``D`` of the RFC are ``left`` and ``right`` here: ``right = key · left``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from xinglin.kernel.limits import Limit
from xinglin.secure.blind import ristretto
from xinglin.secure.blind.errors import BadProof
from xinglin.secure.blind.hashing import sized, to_scalar

BATCH = Limit("elements of one batch", 4_096, "elements")
PROOF_BYTES = 2 * ristretto.SCALAR_BYTES


def prove(
    context: bytes, key: bytes, share: bytes, left: Sequence[bytes], right: Sequence[bytes], blind: bytes
) -> bytes:
    """A proof of 64 bytes that ``right[i] = key · left[i]`` and ``share = key · G``.

    ``blind``: a fresh uniform scalar; the same one twice would give the key away. Constant time in key and blind.
    Source: RFC 9497, GenerateProof and ComputeCompositesFast.
    """
    folded = ristretto.combine(_weights(context, share, left, right), left)
    challenge = _challenge(
        context,
        share,
        folded,
        ristretto.multiply(key, folded),
        ristretto.multiply_base(blind),
        ristretto.multiply(blind, folded),
    )
    return challenge + ristretto.scalar_subtract(blind, ristretto.scalar_multiply(challenge, key))


def check(context: bytes, share: bytes, left: Sequence[bytes], right: Sequence[bytes], proof: bytes) -> None:
    """Raise ``BadProof`` unless ``proof`` holds for the batch under ``share``. All of it is public.

    Source: RFC 9497, VerifyProof.
    """
    if len(proof) != PROOF_BYTES or len(left) != len(right) or not left:
        raise BadProof("A proof or a batch of the wrong length.")
    challenge, answer = ristretto.check_scalar(proof[:32]), ristretto.check_scalar(proof[32:])
    weights = _weights(context, share, left, right)
    folded, raised = ristretto.combine(weights, left), ristretto.combine(weights, right)
    first = ristretto.combine_base(answer, challenge, share)
    second = ristretto.combine((answer, challenge), (folded, raised))
    if not hmac.compare_digest(_challenge(context, share, folded, raised, first, second), challenge):
        raise BadProof(
            "The evaluation was not made with the announced key share.",
            remedy="Do not use the answer; tell the operator and the regulator.",
        )


def _weights(context: bytes, share: bytes, left: Sequence[bytes], right: Sequence[bytes]) -> list[bytes]:
    BATCH.check(len(left))
    seed = hashlib.sha512(sized(share) + sized(b"Seed-" + context)).digest()
    tag = b"HashToScalar-" + context
    return [
        to_scalar(sized(seed) + at.to_bytes(2, "big") + sized(one) + sized(other) + b"Composite", tag)
        for at, (one, other) in enumerate(zip(left, right, strict=True))
    ]


def _challenge(context: bytes, *elements: bytes) -> bytes:
    return to_scalar(b"".join(map(sized, elements)) + b"Challenge", b"HashToScalar-" + context)
