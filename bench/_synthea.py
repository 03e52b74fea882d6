"""Synthea's patient bundles, read from where the test data lies."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

DATA = Path(os.environ.get("XINGLIN_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
ARCHIVE = DATA / "synthea" / "bundles.tar.xz"


def bundles(limit: int) -> list[bytes]:
    """The archive's first bundles, as they lie there (pretty-printed)."""
    found: list[bytes] = []
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            if opened is not None and len(found) < limit:
                found.append(opened.read())
    return found
