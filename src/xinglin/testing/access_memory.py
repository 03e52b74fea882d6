"""The access process's store in memory: slow, obvious, the reference (``xinglin.access.ports.AccessStore``)."""

from __future__ import annotations

import threading

from xinglin.access.ports import ActRow, DraftRow, MotionRow, VoteRow


class MemoryAccessStore:
    """Dictionaries under one lock; gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drafts: dict[str, DraftRow] = {}
        self._acts: dict[tuple[str, int], ActRow] = {}
        self._motions: dict[str, MotionRow] = {}
        self._votes: dict[tuple[str, str], VoteRow] = {}

    def put_draft(self, row: DraftRow) -> None:
        """See the port."""
        with self._lock:
            self._drafts[row.draft] = row

    def draft(self, draft: str) -> DraftRow | None:
        """See the port."""
        with self._lock:
            return self._drafts.get(draft)

    def drafts(self, owner: str) -> tuple[DraftRow, ...]:
        """See the port."""
        with self._lock:
            found = [row for row in self._drafts.values() if row.owner == owner]
        return tuple(sorted(found, key=lambda row: (-row.changed, row.draft)))

    def drop_draft(self, draft: str) -> None:
        """See the port."""
        with self._lock:
            self._drafts.pop(draft, None)

    def add_act(self, row: ActRow) -> bool:
        """See the port."""
        with self._lock:
            return self._acts.setdefault((row.application, row.number), row) is row

    def acts(self, application: str = "") -> tuple[ActRow, ...]:
        """See the port."""
        with self._lock:
            return tuple(row for key, row in sorted(self._acts.items()) if application in ("", key[0]))

    def put_motion(self, row: MotionRow) -> None:
        """See the port."""
        with self._lock:
            self._motions[row.motion] = row

    def motion(self, motion: str) -> MotionRow | None:
        """See the port."""
        with self._lock:
            return self._motions.get(motion)

    def motions(self, application: str = "") -> tuple[MotionRow, ...]:
        """See the port."""
        with self._lock:
            found = [row for row in self._motions.values() if application in ("", row.application)]
        return tuple(sorted(found, key=lambda row: (row.application, row.motion)))

    def add_vote(self, row: VoteRow) -> bool:
        """See the port."""
        with self._lock:
            return self._votes.setdefault((row.motion, row.member), row) is row

    def votes(self, motion: str) -> tuple[VoteRow, ...]:
        """See the port."""
        with self._lock:
            return tuple(row for key, row in sorted(self._votes.items()) if key[0] == motion)
