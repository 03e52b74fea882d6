"""What this room needs from outside: who holds which key, and what was seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xinglin.kernel.instants import Instant

if TYPE_CHECKING:
    from xinglin.trust.keys import PublicKeys


class Directory(Protocol):
    """Answers whose keys hold; ``KeyDirectory`` is the one that folds the log."""

    def keys(self, did: str, at: int | None = None) -> PublicKeys:
        """Keys of ``did`` after log index ``at`` (now, if none).

        Raises ``UnknownParticipant`` or ``RevokedParticipant``.
        """
        ...

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        """Roles of ``did`` after log index ``at``; raises as ``keys`` does."""
        ...


class ReplayStore(Protocol):
    """Remembers one-time values until they are too old to matter."""

    def remember(self, key: str, until: Instant, now: Instant) -> bool:
        """Record ``key`` and answer ``True``, or ``False`` when it was there already.

        One atomic step: of two callers with one key, exactly one hears ``True``. A key may be
        forgotten once ``now`` is later than its ``until``, never before.
        """
        ...
