"""Who asks, in what time, for the first time: the same for a run and for a look-up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Reason
from xinglin.terms.facts import CLOCK_SKEW_MS, KeyStatus


class Asking(Protocol):
    """What every request says of itself."""

    @property
    def requester(self) -> str:
        """The DID of who asks."""

    @property
    def issued(self) -> Instant:
        """When it was written."""

    @property
    def expires(self) -> Instant:
        """Until when it may be answered."""


class Known(Protocol):
    """What a node knows of a request and its asker."""

    @property
    def now(self) -> Instant:
        """This node's clock."""

    @property
    def signer(self) -> str:
        """The DID whose verified signature the request carries."""

    @property
    def key_status(self) -> KeyStatus:
        """What the log says of that key."""

    @property
    def nonce_seen(self) -> bool:
        """Whether a request with this nonce came before."""


def asker_reasons(request: Asking, known: Known) -> Iterator[Reason]:
    """What speaks against answering whoever asks, whatever is asked."""
    if not known.signer or known.signer != request.requester:
        yield Reason("terms.not_signed", "The request is not signed by its requester.", "Sign it with that key.")
    if known.key_status != "active":
        words = f"The requester's key is {known.key_status} in the log."
        yield Reason("terms.key", words, "Register a key, or sign with the one in force.")
    if known.now >= request.expires:
        yield Reason("terms.expired", "The request has expired.", "Issue it anew.")
    if request.issued > known.now + CLOCK_SKEW_MS:
        yield Reason("terms.from_the_future", "The request was issued in the future.", "Set the clock right.")
    if known.nonce_seen:
        yield Reason("terms.replayed", "A request with this nonce was seen before.", "Draw a fresh nonce and sign.")
