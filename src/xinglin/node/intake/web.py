"""The secret of an HTTP listener: whoever posts notifications or images shows it as a bearer token."""

from __future__ import annotations

import secrets
from pathlib import Path

from xinglin.node.intake.sources import Web
from xinglin.stores.tls import write_private

SECRET_BYTES = 32


def make_secret(folder: Path, way: Web) -> bool:
    """Draw the secret of a listener into its file (mode 600), unless there is one; whether it was drawn."""
    path = folder / way.secret_file
    if path.exists():
        return False
    write_private(path, (secrets.token_urlsafe(SECRET_BYTES) + "\n").encode())
    return True
