"""Files beside a connector's store: the secret that salts follow from."""

from __future__ import annotations

import os
from pathlib import Path

from xinglin.stores.tls import write_private

SALT_FILE = "dsp.salt"


def salt_secret(folder: Path) -> bytes:
    """The secret that the salts of a connector's leaves follow from, made once; who has it opens every commitment."""
    path = folder / SALT_FILE
    if not path.exists():
        write_private(path, os.urandom(32))
    return path.read_bytes()
