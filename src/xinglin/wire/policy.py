"""The quorum policy as a leaf: tlog-policy text that the regulator signed, one following another."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.evidence.notes import MLDSA44_COSIGNATURE, Signer, VerifierKey
from xinglin.evidence.policy import Policy, parse_policy
from xinglin.kernel.canonical import canonical_bytes, sha256_digest
from xinglin.kernel.errors import MalformedMessage
from xinglin.trust.keys import PrivateKeys, PublicKeys, verify
from xinglin.trust.ports import Directory

POLICY_CONTEXT = "quorum-policy"


class PolicyLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy text, the digest of the text it follows, and the regulator's signature over both."""

    text: str
    previous: str
    by: str
    signature: bytes
    version: int = 1


def cosigning_key(did: str, keys: PublicKeys) -> VerifierKey:
    """The key under which a participant cosigns checkpoints: ML-DSA-44, named by its DID."""
    return VerifierKey(did, MLDSA44_COSIGNATURE, keys.mldsa44)


def cosigner(private: PrivateKeys) -> Signer:
    """A participant's cosigner."""
    return Signer(cosigning_key(private.did, private.public), private.sign_mldsa44)


def sign_policy(text: str, previous: str, regulator: PrivateKeys) -> dict[str, Any]:
    """The body of a ``policy`` entry in which ``text`` follows the policy text ``previous``."""
    parse_policy(text)
    following = sha256_digest(previous.encode())
    signature = regulator.sign(POLICY_CONTEXT, _claim(text, following))
    body: dict[str, Any] = msgspec.to_builtins(PolicyLeaf(text, following, regulator.did, signature))
    return body


def next_policy(current: str, body: dict[str, Any], regulators: Directory, at: int) -> Policy | None:
    """The policy that the leaf ``body`` at index ``at`` brings after the text ``current``; None if it has no effect.

    It has an effect when it follows ``current`` and a participant with the role regulator signed it.
    Raises what opening a signature raises, and ``MalformedMessage``.
    """
    try:
        leaf = msgspec.convert(body, PolicyLeaf)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"Not a policy leaf: {error}.") from error
    if leaf.previous != sha256_digest(current.encode()) or "regulator" not in regulators.roles(leaf.by, at):
        return None
    verify(regulators.keys(leaf.by, at), POLICY_CONTEXT, _claim(leaf.text, leaf.previous), leaf.signature)
    return parse_policy(leaf.text)


def _claim(text: str, previous: str) -> bytes:
    return canonical_bytes({"text": text, "previous": previous, "version": 1})
