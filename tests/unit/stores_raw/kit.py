"""What the tests of the raw store share."""

from __future__ import annotations

import os
from pathlib import Path

from xinglin.stores.raw_model import Kek, KeyRing, RawSettings, Step, no_step
from xinglin.stores.raw_store import RawFolder, open_raw_store
from xinglin.testing.raw_contract import INLINE_BYTES

RING = KeyRing(Kek("kek-1", b"1" * 32))
NEXT = KeyRing(Kek("kek-2", b"2" * 32), (RING.current,))
SMALL = RawSettings(inline_bytes=INLINE_BYTES)


def open_store(folder: Path, ring: KeyRing = RING, settings: RawSettings = SMALL, step: Step = no_step) -> RawFolder:
    return open_raw_store(folder, ring, settings, lambda: 7_000, step)


def files(folder: Path) -> dict[str, bytes]:
    """Every byte of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def noise(size_bytes: int) -> bytes:
    """Bytes that no compression shortens."""
    return os.urandom(size_bytes)
