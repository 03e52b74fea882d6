"""What the secure sum needs from outside."""

from __future__ import annotations

from typing import Protocol


class Sign(Protocol):
    """Signs ``payload`` under ``context`` with this node's Ed25519 key."""

    def __call__(self, context: str, payload: bytes, /) -> bytes: ...


class Verify(Protocol):
    """Whether ``signature`` over ``payload`` under ``context`` is ``did``'s, by the keys the session names.

    Anything but ``True`` counts as no; an exception passes through to the caller.
    """

    def __call__(self, did: str, context: str, payload: bytes, signature: bytes, /) -> bool: ...


class Keep(Protocol):
    """Stores a party's snapshot durably (encrypted: it holds keys) before it returns."""

    def __call__(self, snapshot: bytes, /) -> None: ...


class Entropy(Protocol):
    """``count`` bytes that nobody can predict; ``os.urandom`` unless a test hands in another."""

    def __call__(self, count: int, /) -> bytes: ...
