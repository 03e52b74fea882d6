"""A file's mark: what tells whether it is the one that was looked at, and as it was then."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

Marks = Mapping[Path, str]
"""Files that were looked at, each with its mark; no other file is opened for who holds them."""
UNSEEN = "unseen"
"""The mark of no file."""


def mark_of(seen: os.stat_result) -> str:
    """Of the file itself, its size, and when it was changed last; ``st_ctime`` is the kernel's, and cannot be set."""
    facts = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
