"""The three bodies of key leaves: a registration, a change, a revocation; and how each is made.

Version 1 of each. Append-only: fields are added with defaults; a newer unknown version is refused.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.errors import MalformedMessage
from xinglin.trust.keys import Possession, PrivateKeys, PublicKeys

ROLES = frozenset({"provider", "consumer", "service", "operator", "regulator", "witness", "workspace"})
"""What a participant may be; a person takes some of its institution's, never one of the guarded or ``witness``."""
WORKSPACE = "workspace"
"""A controlled place of an institution that asks for data; it is vouched for as a person is, and is nothing else."""
ASKING_ROLES = frozenset({"consumer", "service"})
"""Roles of institutions that may be given data to work on."""
GUARDED_ROLES = frozenset({"operator", "regulator"})
"""Roles that the operator alone cannot hand out: the regulator consents too."""
REASONS = frozenset({"compromised", "left", "superseded", "frozen"})
"""Why keys are revoked: a closed list, never a free text in a leaf."""
REGISTRATION_CONTEXT, ADMISSION_CONTEXT = "key-registration", "key-admission"
VOUCHER_CONTEXT, CONSENT_CONTEXT = "key-voucher", "key-consent"
CHANGE_CONTEXT, APPROVAL_CONTEXT = "key-change", "key-change-approval"
REVOCATION_CONTEXT = "key-revocation"


class Attestation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another party's Ed25519 signature over the claim of a leaf."""

    by: str
    signature: bytes


class KeyRegistration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A participant's first keys, its label and roles; for a person, the institution's DID too."""

    did: str
    name: str
    roles: tuple[str, ...]
    keys: PublicKeys
    proof: Possession
    institution: str = ""
    admission: Attestation | None = None
    voucher: Attestation | None = None
    consent: Attestation | None = None
    version: int = 1

    def claim(self) -> bytes:
        """The bytes that every signature of this leaf is over."""
        return _registration_claim(self.did, self.name, self.roles, self.keys, self.institution)


class KeyChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New keys for a DID: signed by the old key, proved by the new ones, approved by the regulator."""

    did: str
    previous: str
    keys: PublicKeys
    old_signature: bytes
    proof: Possession
    approval: Attestation | None = None
    version: int = 1

    def claim(self) -> bytes:
        """The bytes that every signature of this leaf is over."""
        return _change_claim(self.did, self.previous, self.keys)


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of a DID's keys, by itself, its institution or a regulator; holds from its log index on."""

    did: str
    reason: str
    by: Attestation
    version: int = 1

    def claim(self) -> bytes:
        """The bytes that the signature is over."""
        return _revocation_claim(self.did, self.reason)


KeyLeaf = KeyRegistration | KeyChange | Revocation
"""Anything that the key directory folds."""

_KINDS: dict[str, type[KeyRegistration] | type[KeyChange] | type[Revocation]] = {
    "key-registration": KeyRegistration,
    "key-change": KeyChange,
    "key-revocation": Revocation,
}


def register(private: PrivateKeys, name: str, roles: tuple[str, ...], institution: str = "") -> KeyRegistration:
    """A registration signed by its own keys; it still needs ``admit`` (and, for a person, ``vouch``)."""
    ordered = tuple(sorted(roles))
    claim = _registration_claim(private.did, name, ordered, private.public, institution)
    proof = private.prove_possession(REGISTRATION_CONTEXT, claim)
    return KeyRegistration(private.did, name, ordered, private.public, proof, institution)


def admit(registration: KeyRegistration, operator: PrivateKeys) -> KeyRegistration:
    """The registration with the operator's admission."""
    mark = _attest(operator, ADMISSION_CONTEXT, registration.claim())
    return msgspec.structs.replace(registration, admission=mark)


def vouch(registration: KeyRegistration, institution: PrivateKeys) -> KeyRegistration:
    """A person's registration with the voucher of its institution."""
    mark = _attest(institution, VOUCHER_CONTEXT, registration.claim())
    return msgspec.structs.replace(registration, voucher=mark)


def consent(registration: KeyRegistration, regulator: PrivateKeys) -> KeyRegistration:
    """A registration of a further operator or regulator with a regulator's consent."""
    mark = _attest(regulator, CONSENT_CONTEXT, registration.claim())
    return msgspec.structs.replace(registration, consent=mark)


def change_keys(old: PrivateKeys, new: PrivateKeys) -> tuple[KeyChange, PrivateKeys]:
    """A change from ``old`` to ``new`` keys (still to ``approve``), and ``new`` under the old DID."""
    moved, previous = new.for_did(old.did), old.public.digest()
    claim = _change_claim(old.did, previous, new.public)
    change = KeyChange(
        did=old.did,
        previous=previous,
        keys=new.public,
        old_signature=old.sign(CHANGE_CONTEXT, claim),
        proof=moved.prove_possession(CHANGE_CONTEXT, claim),
    )
    return change, moved


def approve(change: KeyChange, regulator: PrivateKeys) -> KeyChange:
    """The change with a regulator's approval (an operator's, when a lone regulator changes its own)."""
    return msgspec.structs.replace(change, approval=_attest(regulator, APPROVAL_CONTEXT, change.claim()))


def revoke(did: str, reason: str, by: PrivateKeys) -> Revocation:
    """A revocation of ``did`` signed by ``by``; ``reason`` is one of ``REASONS``."""
    return Revocation(did, reason, _attest(by, REVOCATION_CONTEXT, _revocation_claim(did, reason)))


def leaf_kind(leaf: KeyLeaf) -> str:
    """The entry kind that carries this leaf: ``key-registration``, ``key-change`` or ``key-revocation``."""
    return next(kind for kind, shape in _KINDS.items() if isinstance(leaf, shape))


def leaf_body(leaf: KeyLeaf) -> dict[str, Any]:
    """The leaf as plain JSON values (bytes in base 64), for the body of an evidence entry."""
    body: dict[str, Any] = msgspec.to_builtins(leaf)
    return body


def leaf_from_body(kind: str, body: dict[str, Any]) -> KeyLeaf:
    """The leaf in an entry of that kind; ``MalformedMessage`` for another kind, shape or version."""
    if kind not in _KINDS:
        raise MalformedMessage(f"{kind[:40]!r} is not a kind of key leaf.")
    try:
        leaf: KeyLeaf = msgspec.convert(body, _KINDS[kind])
    except (msgspec.ValidationError, UnicodeEncodeError, OverflowError, RecursionError) as error:
        raise MalformedMessage(f"Not a valid {kind}: {error}.") from error
    if leaf.version != 1:
        raise MalformedMessage(f"A {kind} of version {leaf.version} is not known here.", remedy="Update the software.")
    return leaf


def _attest(private: PrivateKeys, context: str, claim: bytes) -> Attestation:
    return Attestation(private.did, private.sign(context, claim))


def _registration_claim(did: str, name: str, roles: tuple[str, ...], keys: PublicKeys, institution: str) -> bytes:
    return canonical_bytes(
        {"did": did, "institution": institution, "keys": keys, "name": name, "roles": roles, "version": 1}
    )


def _change_claim(did: str, previous: str, keys: PublicKeys) -> bytes:
    return canonical_bytes({"did": did, "keys": keys, "previous": previous, "version": 1})


def _revocation_claim(did: str, reason: str) -> bytes:
    return canonical_bytes({"did": did, "reason": reason, "version": 1})
