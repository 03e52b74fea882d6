"""Tokens of browsers in which nobody is signed in: they carry their own proof, so that nothing is stored for them.

However many ask for the sign-in form, nobody else's stops working. A token is a random word, the instant at which it
was made, and a keyed digest of both; the word that its forms carry is another digest of it. Something is stored of a
token only once it was used (``sessions``).
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Callable

from xinglin.console.people.model import SessionRecord
from xinglin.console.people.seal import Seal
from xinglin.kernel.instants import Instant

WORD_BYTES = 32
_CHARACTERS = 128
_INSTANT_DIGITS = 12


class Forms:
    """Makes and reads such tokens, under the key of the console's accounts; how old is too old, the reader says."""

    def __init__(self, seal: Seal, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._seal, self._entropy = seal, entropy

    def make(self, now: Instant) -> str:
        """A new token."""
        made = f"{text_of(self._entropy(WORD_BYTES))}.{now:0{_INSTANT_DIGITS}x}"
        return f"{made}.{self._proof(made)}"

    def read(self, token: str) -> SessionRecord | None:
        """What a token of this console says of itself; None for any other."""
        made, _, proof = token.rpartition(".")
        if len(token) > _CHARACTERS or not token.isascii():
            return None
        if not hmac.compare_digest(proof.encode(), self._proof(made).encode()):
            return None
        at = int(made.rpartition(".")[2], 16)
        return SessionRecord("before", text_of(self._seal.digest("form word", token)), at, at)

    def _proof(self, made: str) -> str:
        return text_of(self._seal.digest("form", made))


def text_of(data: bytes) -> str:
    """Bytes as text for a cookie, a form or an address."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
