"""What this room needs from outside: who belongs to which institution, and a place for applications."""

from __future__ import annotations

from typing import Protocol

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.trust.keys import PublicKeys
from xinglin.trust.registry import Participant


class Registry(Protocol):
    """The key directory with what it knows of persons (``trust.KeyDirectory``)."""

    def keys(self, did: str, at: int | None = None) -> PublicKeys:
        """Keys in force; raises as ``trust.ports.Directory``."""
        ...

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        """Roles in force."""
        ...

    def participant(self, did: str, at: int | None = None) -> Participant:
        """The participant; raises ``UnknownParticipant``."""
        ...

    def status(self, did: str, at: int | None = None) -> str:
        """``unknown``, ``active`` or ``revoked``."""
        ...


def institution_of(registry: Registry, did: str, at: int | None = None) -> str:
    """The DID of a person's institution; an institution is its own."""
    return registry.participant(did, at).institution or did


class DraftRow(msgspec.Struct, frozen=True):
    """A draft as its owner left it: ``form`` is JSON that need not be complete."""

    draft: str
    owner: str
    changed: Instant
    form: bytes


class ActRow(msgspec.Struct, frozen=True):
    """One signed act on an application, by its number there (1, 2, …)."""

    application: str
    number: int
    at: Instant
    signed: bytes


class MotionRow(msgspec.Struct, frozen=True):
    """A motion put to a committee: ``state`` of ``REVIEW_STATES``, the chair's envelope, and how it ended.

    ``resolution``: the signed resolution, empty while it is not made.
    """

    motion: str
    application: str
    study: str
    state: str
    signed: bytes
    resolution: bytes = b""


class VoteRow(msgspec.Struct, frozen=True):
    """One member's word on a motion: ``kind`` is vote or recusal; ``sealed`` maps readers to sealed openings (JSON)."""

    motion: str
    member: str
    kind: str
    signed: bytes
    sealed: bytes = b"{}"


class AccessStore(Protocol):
    """Every method is one durable transaction, from any thread. The reference is ``testing.MemoryAccessStore``."""

    def put_draft(self, row: DraftRow) -> None:
        """Insert or replace a draft."""

    def draft(self, draft: str) -> DraftRow | None:
        """One draft."""

    def drafts(self, owner: str) -> tuple[DraftRow, ...]:
        """A person's drafts, newest first."""

    def drop_draft(self, draft: str) -> None:
        """Forget a draft; again changes nothing."""

    def add_act(self, row: ActRow) -> bool:
        """Append an act; False when the application has one of this number: the first one stands."""

    def acts(self, application: str = "") -> tuple[ActRow, ...]:
        """An application's acts, or everybody's, in order of application and number."""

    def put_motion(self, row: MotionRow) -> None:
        """Insert or replace a motion."""

    def motion(self, motion: str) -> MotionRow | None:
        """One motion by its digest."""

    def motions(self, application: str = "") -> tuple[MotionRow, ...]:
        """An application's motions, or all."""

    def add_vote(self, row: VoteRow) -> bool:
        """Keep a member's word; False when this member gave one before: the first one stands."""

    def votes(self, motion: str) -> tuple[VoteRow, ...]:
        """What members said on a motion, in order of member."""
