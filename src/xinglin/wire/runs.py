"""Naming a run: its id follows from the signed request, so that one request is one run everywhere."""

from __future__ import annotations

import base64
import hashlib

from xinglin.trust.envelope import Signed


def run_id_of(request: Signed) -> str:
    """``run-`` and 26 characters of base 32 over the request's signed bytes."""
    digest = hashlib.sha256(b"xinglin:run\0" + request.payload).digest()[:16]
    return "run-" + base64.b32encode(digest).decode().rstrip("=").lower()
