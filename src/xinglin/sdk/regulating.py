"""What a regulator signs: freezes, revocations, orders about products, the quorum policy; each becomes a leaf."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from xinglin.evidence.entry import Entry
from xinglin.evidence.notes import parse_vkey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.evidence.submission import sign_batch
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, system_clock
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys, check_did
from xinglin.trust.leaves import REASONS, leaf_body
from xinglin.trust.leaves import revoke as revocation
from xinglin.wire.endings import sign_ending
from xinglin.wire.policy import cosigning_key, sign_policy
from xinglin.wire.product_orders import ORDER_CONTEXT, ORDER_REASONS, Order
from xinglin.wire.products import Product
from xinglin.wire.record import SpaceRecord
from xinglin.wire.space import Space


class OpenLine(Protocol):
    """Posts to the hub's paths that need no token: what is posted is signed."""

    def post(self, path: str, data: bytes, kind: type[Any]) -> Any:
        """``POST`` bytes; the answer as ``kind``."""
        ...


class Regulating:
    """The regulator's acts in one space, with its own keys. Every one gives the log index of its leaf."""

    def __init__(self, space: Space, keys: PrivateKeys, line: OpenLine, clock: Clock = system_clock) -> None:
        self._space, self._keys, self._line, self._clock = space, keys, line, clock

    def submit(self, kind: str, subject: str, body: dict[str, Any]) -> int:
        """Put a leaf that the regulator signed into the log."""
        entry = Entry(kind=kind, at=self._clock(), submitter=self._keys.did, subject=subject, body=body)
        batch = sign_batch([entry], self._space.origin, self._keys.did, self._keys.sign)
        return int(self._line.post("/submit", batch.to_bytes(), dict[str, int])["first"])

    def freeze(self, subject: str) -> int:
        """Stop everything that rests on an agreement (digest), a study (id) or a party (DID)."""
        return self.submit("freeze", subject, sign_ending("freeze", subject, self._keys))

    def revoke(self, did: str, reason: str) -> int:
        """End the keys of a participant, for good; raises ``MalformedMessage`` for a reason that is none."""
        if reason not in REASONS:
            raise MalformedMessage(f"{reason!r} is no reason.", remedy=f"Choose one of {', '.join(sorted(REASONS))}.")
        return self.submit("key-revocation", check_did(did), leaf_body(revocation(did, reason, self._keys)))

    def withdraw(self, product: str, reason: str) -> Product:
        """Order that a product goes, for good; ``Product.order`` is the leaf. Raises ``Refused`` and as ``revoke``."""
        if reason not in ORDER_REASONS:
            known = ", ".join(ORDER_REASONS)
            raise MalformedMessage(f"{reason!r} is no reason.", remedy=f"Choose one of {known}.")
        order = Order(product, reason, self._space.origin, self._clock())
        signed = sign(self._keys, ORDER_CONTEXT, order)
        found: Product = self._line.post("/v1/products/order", signed.to_bytes(), Product)
        return found

    def sign_policy(self, text: str, in_force: str) -> int:
        """Sign a quorum policy; it takes effect with its leaf."""
        return self.submit("policy", "", sign_policy(text, in_force, self._keys))


class Policies(msgspec.Struct, frozen=True):
    """The quorum policy in force, and the one that today's members would make (tlog-policy texts)."""

    in_force: str
    proposed: str

    @property
    def same(self) -> bool:
        """Whether nothing is left to sign."""
        return self.in_force == self.proposed


def policies_of(space: Space, record: SpaceRecord) -> Policies:
    """Both policies, from the verified log, not the hub's word."""
    directory = record.directory

    def seat(did: str) -> Cosigner:
        return Cosigner(did, (cosigning_key(did, directory.keys(did)),))

    seats = [seat(did) for did in directory.holders("witness") if did != space.regulator]
    log_key = LogKey(parse_vkey(space.log_vkey), space.hub_url)
    proposed = default_policy(log_key, [seat(space.regulator)], seats).to_text()
    return Policies(record.policy_text, proposed)
