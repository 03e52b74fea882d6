"""The key directory: who holds which keys and roles after each index of the log, as a pure fold of its leaves.

Two founding participants, operator and regulator, are pinned by DID; since a DID certifies itself,
nobody can put other first keys under it. Everybody else enters by admission.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.trust import leaves
from xinglin.trust.errors import RevokedParticipant, UnknownParticipant
from xinglin.trust.keys import PublicKeys, check_did, check_possession, check_public_keys, did_of, verify
from xinglin.trust.leaves import (
    ASKING_ROLES,
    GUARDED_ROLES,
    REASONS,
    ROLES,
    WORKSPACE,
    Attestation,
    KeyChange,
    KeyLeaf,
    KeyRegistration,
    Revocation,
)

NAME_CHARACTERS = Limit("participant name", 120, "characters")


class Participant(msgspec.Struct, frozen=True):
    """One DID's history: since when, its keys by index, and since when they hold no longer (-1: they hold)."""

    did: str
    name: str
    roles: frozenset[str]
    institution: str
    since: int
    history: tuple[tuple[int, PublicKeys], ...]
    revoked: int = -1
    reason: str = ""

    @property
    def is_person(self) -> bool:
        """Whether this is a person of an institution."""
        return bool(self.institution)


class KeyDirectory:
    """Immutable; ``apply`` gives the next one. A leaf at index i holds from i on, i included.

    Guarantee: two parties that fold the same leaves hold equal directories.
    """

    __slots__ = ("_owners", "_participants", "last", "operator", "regulator")

    def __init__(
        self,
        operator: str,
        regulator: str,
        participants: Mapping[str, Participant] | None = None,
        last: int = -1,
    ) -> None:
        if check_did(operator) == check_did(regulator):
            raise ValueError("operator and regulator are two parties")
        self.operator, self.regulator, self.last = operator, regulator, last
        self._participants = dict(participants or {})
        self._owners = {key for one in self._participants.values() for _, k in one.history for key in _signing(k)}

    @property
    def participants(self) -> Mapping[str, Participant]:
        """Everybody ever registered, by DID."""
        return MappingProxyType(self._participants)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyDirectory):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((self.operator, self.regulator, self.last))

    def participant(self, did: str, at: int | None = None) -> Participant:
        """The history of ``did``; raises ``UnknownParticipant`` when not registered by index ``at``."""
        found = self._participants.get(did)
        if found is None or (at is not None and found.since > at):
            raise UnknownParticipant(did)
        return found

    def keys(self, did: str, at: int | None = None) -> PublicKeys:
        """Keys of ``did`` after index ``at`` (the last, if none).

        Raises ``UnknownParticipant``; ``RevokedParticipant`` also when a person's institution is revoked.
        """
        found = self._active(did, at)
        return next(keys for index, keys in reversed(found.history) if at is None or index <= at)

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        """Roles of ``did`` after index ``at``; raises as ``keys`` does."""
        return self._active(did, at).roles

    def status(self, did: str, at: int | None = None) -> str:
        """``unknown``, ``active`` or ``revoked`` after index ``at``."""
        try:
            self._active(did, at)
        except UnknownParticipant:
            return "unknown"
        except RevokedParticipant:
            return "revoked"
        return "active"

    def holders(self, role: str, at: int | None = None) -> tuple[str, ...]:
        """Every active DID with that role, in order of DID."""
        return tuple(
            did for did, one in sorted(self._participants.items()) if role in one.roles and self._is_active(did, at)
        )

    def at(self, index: int) -> KeyDirectory:
        """The directory as it was after log index ``index``."""
        kept = {
            did: msgspec.structs.replace(
                one,
                history=tuple(step for step in one.history if step[0] <= index),
                revoked=one.revoked if one.revoked <= index else -1,
                reason=one.reason if one.revoked <= index else "",
            )
            for did, one in self._participants.items()
            if one.since <= index
        }
        return KeyDirectory(self.operator, self.regulator, kept, min(index, self.last))

    def apply(self, index: int, leaf: KeyLeaf) -> KeyDirectory | Denied:
        """The directory after ``leaf`` at ``index``, or why the leaf has no effect (it stays in the log).

        Total: whatever the leaf holds, the answer is a value.
        """
        if index <= self.last:
            return deny("trust.directory.order", f"Index {index} does not follow index {self.last}.")
        try:
            if isinstance(leaf, KeyRegistration):
                changed = self._registered(index, leaf)
            elif isinstance(leaf, KeyChange):
                changed = self._rekeyed(index, leaf)
            else:
                changed = self._revoked(index, leaf)
        except XinglinError as error:
            return deny(error.code, error.what, error.remedy)
        if isinstance(changed, Denied):
            return changed
        following = KeyDirectory.__new__(KeyDirectory)
        following.operator, following.regulator, following.last = self.operator, self.regulator, index
        following._participants = {**self._participants, changed.did: changed}
        following._owners = self._owners.union(*(_signing(keys) for _, keys in changed.history))
        return following

    def _registered(self, index: int, leaf: KeyRegistration) -> Participant | Denied:
        reasons = [*_shape_faults(leaf), *self._place_faults(leaf)]
        if reasons:
            return Denied(tuple(reasons))
        check_public_keys(leaf.keys)
        claim = leaf.claim()
        check_possession(leaf.keys, leaves.REGISTRATION_CONTEXT, claim, leaf.proof)
        if leaf.did not in (self.operator, self.regulator):
            self._check_mark(leaf.admission, leaves.ADMISSION_CONTEXT, claim)
            if leaf.institution:
                self._check_mark(leaf.voucher, leaves.VOUCHER_CONTEXT, claim)
            if GUARDED_ROLES.intersection(leaf.roles):
                self._check_mark(leaf.consent, leaves.CONSENT_CONTEXT, claim)
        return Participant(leaf.did, leaf.name, frozenset(leaf.roles), leaf.institution, index, ((index, leaf.keys),))

    def _place_faults(self, leaf: KeyRegistration) -> list[Reason]:
        """Whether those who have to agree are there and are who they should be (signatures apart)."""
        faults = []
        if leaf.did in self._participants:
            faults.append(_fault("taken", f"{leaf.did[:80]} is registered already."))
        if not self._owners.isdisjoint(_signing(leaf.keys)):
            faults.append(_fault("key_in_use", "A signing key in it belongs to another registration."))
        founding = {self.operator: "operator", self.regulator: "regulator"}.get(leaf.did)
        if founding:
            if founding not in leaf.roles or leaf.institution or GUARDED_ROLES.intersection(leaf.roles) - {founding}:
                faults.append(_fault("founding", f"The founding {founding} registers as {founding}, as no other."))
            return faults
        if not self._holds(leaf.admission, "operator"):
            faults.append(_fault("not_admitted", "No active operator admitted it.", "Ask the operator to admit it."))
        if GUARDED_ROLES.intersection(leaf.roles) and not self._holds(leaf.consent, "regulator"):
            faults.append(_fault("no_consent", "No active regulator consented to the role.", "Ask the regulator."))
        if leaf.institution:
            faults += self._person_faults(leaf)
        return faults

    def _person_faults(self, leaf: KeyRegistration) -> list[Reason]:
        home = self._participants.get(leaf.institution)
        if home is None or home.is_person or not self._is_active(leaf.institution):
            return [_fault("no_institution", "Its institution is not an active registered institution.")]
        faults = []
        if leaf.voucher is None or leaf.voucher.by != leaf.institution:
            faults.append(_fault("not_vouched", "Its institution did not vouch for it.", "Ask the institution."))
        if WORKSPACE in leaf.roles:
            if not home.roles & ASKING_ROLES:
                faults.append(_fault("workspace", "Its institution is not one that is given data to work on."))
        elif not set(leaf.roles) <= home.roles - GUARDED_ROLES - {"witness"}:
            faults.append(_fault("person_roles", "A person takes only roles that its institution has and may lend."))
        return faults

    def _rekeyed(self, index: int, leaf: KeyChange) -> Participant | Denied:
        present = self._active(leaf.did)
        keys = present.history[-1][1]
        if leaf.version != 1:
            return Denied((_fault("version", f"Version {leaf.version} is not known."),))
        if leaf.previous != keys.digest():
            return Denied((_fault("stale_change", "The change starts from keys that are not the present ones."),))
        if not self._owners.isdisjoint(_signing(leaf.keys)):
            return Denied((_fault("key_in_use", "A signing key in it was registered before."),))
        if not self._may_approve(leaf):
            why = "The change carries no approval of an active regulator."
            return Denied((_fault("not_approved", why, "Ask the regulator to approve it."),))
        check_public_keys(leaf.keys)
        claim = leaf.claim()
        verify(keys, leaves.CHANGE_CONTEXT, claim, leaf.old_signature)
        check_possession(leaf.keys, leaves.CHANGE_CONTEXT, claim, leaf.proof)
        self._check_mark(leaf.approval, leaves.APPROVAL_CONTEXT, claim)
        return msgspec.structs.replace(present, history=(*present.history, (index, leaf.keys)))

    def _may_approve(self, leaf: KeyChange) -> bool:
        """A regulator approves; a lone regulator's own change, the operator: always a second party."""
        if leaf.approval is None or leaf.approval.by == leaf.did:
            return False
        if self._holds(leaf.approval, "regulator"):
            return True
        return "regulator" in self.roles(leaf.did) and self._holds(leaf.approval, "operator")

    def _revoked(self, index: int, leaf: Revocation) -> Participant | Denied:
        present = self._active(leaf.did)
        by = leaf.by.by
        if leaf.version != 1 or leaf.reason not in REASONS:
            return Denied((_fault("reason", "The reason or the version of the revocation is not known."),))
        if by not in (leaf.did, present.institution) and not self._holds(leaf.by, "regulator"):
            words = "Only the participant itself, its institution or a regulator revokes keys."
            return Denied((_fault("not_entitled", words),))
        self._check_mark(leaf.by, leaves.REVOCATION_CONTEXT, leaf.claim())
        return msgspec.structs.replace(present, revoked=index, reason=leaf.reason)

    def _holds(self, mark: Attestation | None, role: str) -> bool:
        return mark is not None and self._is_active(mark.by) and role in self._participants[mark.by].roles

    def _check_mark(self, mark: Attestation | None, context: str, claim: bytes) -> None:
        if mark is None:
            raise UnknownParticipant("")
        verify(self.keys(mark.by), context, claim, mark.signature)

    def _is_active(self, did: str, at: int | None = None) -> bool:
        return self.status(did, at) == "active"

    def _active(self, did: str, at: int | None = None) -> Participant:
        found = self.participant(did, at)
        if _revoked_by(found, at):
            raise RevokedParticipant(did, found.revoked)
        if found.institution:
            home = self.participant(found.institution, at)
            if _revoked_by(home, at):
                raise RevokedParticipant(did, home.revoked, through=home.did)
        return found

    def _identity(self) -> tuple[str, str, int, dict[str, Participant]]:
        return self.operator, self.regulator, self.last, self._participants


def _signing(keys: PublicKeys) -> tuple[bytes, ...]:
    return keys.ed25519, keys.mldsa65, keys.mldsa44


def _revoked_by(one: Participant, at: int | None) -> bool:
    return one.revoked >= 0 and (at is None or one.revoked <= at)


def _fault(code: str, words: str, remedy: str = "") -> Reason:
    return Reason(f"trust.registration.{code}", words, remedy)


def _shape_faults(leaf: KeyRegistration) -> list[Reason]:
    faults = []
    if leaf.version != 1:
        faults.append(_fault("version", f"Version {leaf.version} is not known."))
    if leaf.did != did_of(leaf.keys):
        faults.append(_fault("did", "The DID does not follow from the keys."))
    if not set(leaf.roles) <= ROLES or tuple(sorted(set(leaf.roles))) != leaf.roles:
        faults.append(_fault("roles", "Roles are known words, in order, each once."))
    if WORKSPACE in leaf.roles and (leaf.roles != (WORKSPACE,) or not leaf.institution):
        faults.append(_fault("workspace", "A workspace is of an institution, and has no other role."))
    if not leaf.roles and not leaf.institution:
        faults.append(_fault("roles", "An institution has at least one role."))
    if not leaf.name.strip() or not leaf.name.isprintable() or len(leaf.name) > NAME_CHARACTERS.value:
        faults.append(_fault("name", f"A name is 1 to {NAME_CHARACTERS.value} printable characters."))
    return faults
