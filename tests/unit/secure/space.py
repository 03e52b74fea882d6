"""A space of hospitals with real keys, a hub, and a messenger between them, for the secure sum's tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from xinglin.secure import Member, Opened, Part, Party, Relay, Session

PARTS = (Part("rows", 2, 10_000, integer=True), Part("sums", 3, 1e6))


class Space:
    """n hospitals and a hub in one run; ``kept``: each node's last snapshot, ``wire``: all bytes the hub saw."""

    def __init__(self, count: int, *, run: str = "run-1", seed: int = 1, **options: Any) -> None:
        self.random = random.Random(seed)
        self.signers = {f"did:xinglin:h{i}": Ed25519PrivateKey.generate() for i in range(count)}
        self.dids = tuple(self.signers)
        self.session = Session("sha256:plan", run, tuple(Member(did, f"sha256:{did}") for did in self.dids), **options)
        self.kept: dict[str, bytes] = {}
        self.wire: list[bytes] = []
        self.sent: dict[str, list[bytes]] = {did: [] for did in self.dids}
        self.got: dict[str, list[bytes]] = {did: [] for did in self.dids}
        self.parties = {did: self.party(did) for did in self.dids}
        self.relay = Relay(self.session, verify=self.verify)

    def sign_as(self, did: str) -> Callable[[str, bytes], bytes]:
        return lambda context, payload: self.signers[did].sign(context.encode() + b"\0" + payload)

    def verify(self, did: str, context: str, payload: bytes, signature: bytes) -> bool:
        try:
            self.signers[did].public_key().verify(signature, context.encode() + b"\0" + payload)
        except InvalidSignature:
            return False
        return True

    def keeper(self, did: str) -> Callable[[bytes], None]:
        return lambda snapshot: self.kept.__setitem__(did, snapshot)

    def party(self, did: str, **options: Any) -> Party:
        return Party(self.session, did, sign=self.sign_as(did), verify=self.verify, keep=self.keeper(did), **options)

    def restore(self, did: str) -> Party:
        """What a killed node is after its restart."""
        return Party.restore(self.kept[did], sign=self.sign_as(did), verify=self.verify, keep=self.keeper(did))

    def send(self, did: str, data: bytes) -> None:
        self.wire.append(data)
        self.sent[did].append(data)
        self.relay.receive(did, data)

    def hand(self, did: str) -> bytes | None:
        """One message of the hub to a node, answered at once."""
        message = self.relay.message_for(did)
        if message is None:
            return None
        self.wire.append(message)
        self.got[did].append(message)
        reply = self.parties[did].answer(message)
        if reply is not None:
            self.send(did, reply)
        return message

    def start(self, vanish: Sequence[str] = ()) -> None:
        """Adverts, shares, Begin: all are ready for round 1."""
        for did in self.dids:
            self.send(did, self.parties[did].advertise())
        for _ in range(2):
            for did in self.dids:
                self.hand(did)

    def vectors(self, parts: Sequence[Part] = PARTS) -> dict[str, np.ndarray[Any, Any]]:
        out = {}
        for did in self.dids:
            pieces = []
            for part in parts:
                if part.integer:
                    pieces += [
                        float(self.random.randint(-int(part.bound), int(part.bound))) for _ in range(part.length)
                    ]
                else:
                    pieces += [self.random.uniform(-part.bound, part.bound) for _ in range(part.length)]
            out[did] = np.array(pieces)
        return out

    def upload(self, vectors: dict[str, Any], parts: Sequence[Part] = PARTS, state: str = "sha256:s0") -> None:
        for did, values in vectors.items():
            self.send(did, self.parties[did].upload(values, parts, state))

    def settle(self) -> bytes:
        """From the last upload to the total."""
        for _ in range(2):
            for did in self.dids:
                if self.relay.phase in ("agreeing", "revealing"):
                    self.hand(did)
        total = self.relay.reconstruct()
        self.wire.append(total)
        return total

    def round(
        self, vanish: Sequence[str] = (), parts: Sequence[Part] = PARTS, state: str = "sha256:s0"
    ) -> tuple[dict[str, Opened], Any]:
        """A whole round without ``vanish``; what each node opened, and the plain sum."""
        vectors = {d: v for d, v in self.vectors(parts).items() if d in self.relay.survivors and d not in vanish}
        self.upload(vectors, parts, state)
        if vanish:
            assert set(self.relay.proceed()) == set(vanish)
        total = self.settle()
        opened = {did: self.parties[did].open(total) for did in vectors}
        return opened, np.sum(list(vectors.values()), axis=0)


def advertised(count: int) -> Space:
    """Everybody has advertised; nobody was told yet."""
    here = Space(count)
    for did in here.dids:
        here.send(did, here.parties[did].advertise())
    return here


def ready(count: int, **options: object) -> Space:
    """Everybody has uploaded round 1."""
    here = Space(count, **options)
    here.start()
    here.upload(here.vectors())
    return here
