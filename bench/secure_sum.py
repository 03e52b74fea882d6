"""Times of the secure sum, one core: prints JSON. ``python bench/secure_sum.py [values] [hospitals] [vanish]``."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from xinglin.secure import Member, Part, Party, Relay, Session


class Timed:
    """Milliseconds spent, by name: wall clock, and processor time of the calling thread."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = {}
        self.cpu_ms: dict[str, list[float]] = {}

    def __call__(self, name: str, work: Callable[..., Any], *given: Any) -> Any:
        begin, busy = time.perf_counter(), time.thread_time()
        result = work(*given)
        self.cpu_ms.setdefault(name, []).append((time.thread_time() - busy) * 1e3)
        self.ms.setdefault(name, []).append((time.perf_counter() - begin) * 1e3)
        return result

    def figures(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                "calls": len(v),
                "median_ms": round(median(v), 3),
                "best_ms": round(min(v), 3),
                "cpu_median_ms": round(median(self.cpu_ms[name]), 3),
                "sum_ms": round(sum(v), 3),
            }
            for name, v in self.ms.items()
        }


def run(count: int, parts: tuple[Part, ...], vanish: int, rounds: int = 1, workers: int = 1) -> dict[str, Any]:
    """One run of ``count`` hospitals of which the last ``vanish`` go before round 1 ends; all in this process."""
    keys = {f"did:{i}": Ed25519PrivateKey.generate() for i in range(count)}

    def verify(did: str, context: str, payload: bytes, signature: bytes) -> bool:
        try:
            keys[did].public_key().verify(signature, context.encode() + payload)
        except InvalidSignature:
            return False
        return True

    session = Session("sha256:plan", "run-bench", tuple(Member(did, "sha256:k") for did in keys))
    timed, relay = Timed(), Relay(session, verify=verify)
    parties = {
        did: Party(
            session, did, sign=lambda c, p, k=key: k.sign(c.encode() + p), verify=verify, keep=lambda snapshot: None
        )
        for did, key in keys.items()
    }
    for did, party in parties.items():
        relay.receive(did, timed("party advertise", party.advertise))
    for step in ("party share", "party begin"):
        for did, party in parties.items():
            reply = timed(step, party.answer, relay.message_for(did))
            if reply is not None:
                timed("hub share", relay.receive, did, reply)
    alive = list(parties)[: count - vanish]
    rng = np.random.default_rng(1)
    for number in range(rounds):
        vectors = {did: np.concatenate([rng.uniform(-p.bound, p.bound, p.length) for p in parts]) for did in alive}
        uploads = {did: timed("party upload", parties[did].upload, vectors[did], parts, str(number)) for did in alive}
        for did in alive:
            timed("hub take upload", relay.receive, did, uploads[did])
        if relay.phase == "uploading":
            relay.proceed()
        while relay.phase != "revealing" or not relay.ready:
            for did in alive:
                message = timed("hub message", relay.message_for, did)
                if message is not None:
                    timed("hub take answer", relay.receive, did, timed("party answer", parties[did].answer, message))
        if workers > 1:
            with ThreadPoolExecutor(workers) as pool:
                total = timed("hub reconstruct", relay.reconstruct, pool, workers)
        else:
            total = timed("hub reconstruct", relay.reconstruct)
        expected = np.sum(list(vectors.values()), axis=0)
        for did in alive:
            opened = timed("party open", parties[did].open, total)
        assert np.abs(opened.values - expected).max() <= 1e-9 * max(p.bound for p in parts)
    return {
        "hospitals": count,
        "values": sum(p.length for p in parts),
        "vanish": vanish,
        "rounds": rounds,
        "workers": workers,
        "upload_bytes": len(uploads[alive[0]]),
        "times": timed.figures(),
    }


def main(arguments: list[str]) -> None:
    """The promised shape and the small one, or the one named."""
    shapes = [int(text) for text in arguments]
    small = (Part("sums", 50, 1e6),)
    if shapes:
        values, count, vanish = shapes
        results = [run(count, (Part("weights", values, 1.0),), vanish)]
    else:
        large = (Part("weights", 10**6, 1.0),)
        results = [run(3, small, 0, rounds=50), run(50, large, 5), run(50, large, 5, workers=2)]
    print(json.dumps({"machine": platform.processor(), "python": platform.python_version(), "runs": results}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
