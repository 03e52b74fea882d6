"""The secret that callers of an HTTP listener show: as a bearer token, or in a header of its own."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

SECRET_CHARACTERS = 24
"""A listener with a shorter secret is not opened."""


class ShownSecret:
    """A secret that callers have to show; of itself it keeps a digest alone."""

    def __init__(self, secret: str) -> None:
        self._digest = hashlib.sha256(secret.encode()).digest()

    def is_shown(self, given: bytes) -> bool:
        """Whether ``given`` is the secret; the time that it takes tells nothing of it."""
        return hmac.compare_digest(hashlib.sha256(given).digest(), self._digest)


def bearer_token(headers: Mapping[bytes, bytes]) -> bytes:
    """The bearer token of a request (RFC 6750, section 2.1); empty where there is none. Names are in lower case.

    >>> bearer_token({b"authorization": b"bearer abc "}), bearer_token({b"authorization": b"Basic abc"})
    (b'abc', b'')
    """
    given = headers.get(b"authorization", b"")
    return given[7:].strip() if given[:7].lower() == b"bearer " else b""
