"""Messages of encrypted scores at the hub: ciphers that it cannot read, in a folder, until their session is old."""

from __future__ import annotations

import re
import shutil
import threading
import time
from pathlib import Path

from xinglin.kernel.limits import Limit
from xinglin.stores.tls import write_private

SESSIONS = Limit("sessions of encrypted scores that a hub holds", 64, "sessions")
SESSION_BYTES = Limit("messages of one encrypted score", 2 * 1024**3, "bytes")
KEPT_S, ENDED_KEPT_S = 7 * 86_400, 3_600
_NAME = re.compile(r"[0-9a-f]{64}")


class ScoreBox:
    """What was put first under a name stays; a session ends by itself after a week."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()
        folder.mkdir(exist_ok=True, mode=0o700)

    def sessions(self) -> tuple[str, ...]:
        """Every session; those that are too old, or ended an hour ago, are deleted."""
        found = []
        for place in sorted(self._folder.iterdir()):
            most = ENDED_KEPT_S if (place / "end-0").exists() else KEPT_S
            if time.time() - place.stat().st_mtime > most:
                shutil.rmtree(place, ignore_errors=True)
            elif _NAME.fullmatch(place.name):
                found.append(place.name)
        return tuple(found)

    def put(self, session: str, name: str, data: bytes) -> bytes:
        """Keep ``data`` unless something is there; what is there now. ``LimitExceeded`` for too much of it."""
        place, path = self._place(session), self._place(session) / name
        with self._turn:  # of two that come at once, one is first
            if path.exists():
                return path.read_bytes()
            if not place.exists():
                SESSIONS.check(len(self.sessions()) + 1)
                place.mkdir(mode=0o700)
            SESSION_BYTES.check(sum(one.stat().st_size for one in place.iterdir()) + len(data))
            write_private(path, data)
            return data

    def get(self, session: str, name: str) -> bytes | None:
        """What was put under a name."""
        path = self._place(session) / name
        return path.read_bytes() if path.exists() else None

    def names(self, session: str) -> frozenset[str]:
        """Names under which something was put."""
        place = self._place(session)
        return frozenset(one.name for one in place.iterdir()) if place.exists() else frozenset()

    def _place(self, session: str) -> Path:
        if not _NAME.fullmatch(session):
            raise FileNotFoundError("no session has such a name")
        return self._folder / session
