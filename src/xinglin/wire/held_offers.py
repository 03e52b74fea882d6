"""Offers of the Dataspace Protocol that a hub holds for a hospital, and the hospital's signed answer.

The hub carries the question and never answers it: an answer counts by the hospital's signature over the question's
digest. Append-only: a field is added with a default, none is changed.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.instants import Instant

ANSWER_CONTEXT = "dsp-held-answer/1"


class HeldOffer(msgspec.Struct, frozen=True):
    """A negotiation that waits for the hospital. ``offer``: what lies on the table (JSON); ``trouble``: why it waits.

    ``claims``: what the hub holds for proven of the asker; the hospital vouches for what it believes itself.
    """

    hub: str
    pid: str
    participant: str
    data_set: str
    offer: bytes
    trouble: str = ""
    claims: tuple[tuple[str, str], ...] = ()
    at: Instant = 0
    version: int = 1

    def digest(self) -> str:
        """What an answer names: the process, the asker, the data set and the offer; never the hub's words about it."""
        named = (self.hub, self.pid, self.participant, self.data_set, self.offer)
        return sha256_digest(msgspec.json.encode(named))


class HospitalAnswer(msgspec.Struct, frozen=True):
    """What the hospital signs: yes or no to just this question, by whom, on what ground, with which facts."""

    question: str
    accepted: bool
    by: str
    ground: str
    facts: dict[str, tuple[str, ...]] = {}
    at: Instant = 0
    version: int = 1


class HeldOrder(msgspec.Struct, frozen=True, tag="held-order"):
    """Hub to node: a question (:class:`HeldOffer` as JSON); ``over``: it needs no answer any more."""

    question: bytes
    over: bool = False


class HeldAnswer(msgspec.Struct, frozen=True, tag="held-answer"):
    """Node to hub: a :class:`HospitalAnswer` in its envelope (``Signed`` as bytes) to the process ``pid``."""

    pid: str
    signed: bytes
