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


class Bench:
    """One run in this process, each step timed."""

    def __init__(self, count: int) -> None:
        self.keys = {f"did:{i}": Ed25519PrivateKey.generate() for i in range(count)}
        session = Session("sha256:plan", "run-bench", tuple(Member(did, "sha256:k") for did in self.keys))
        self.timed, self.relay = Timed(), Relay(session, verify=self.verify)
        self.parties = {
            did: Party(session, did, sign=self.signer(did), verify=self.verify, keep=lambda snapshot: None)
            for did in self.keys
        }

    def signer(self, did: str) -> Callable[[str, bytes], bytes]:
        return lambda context, payload: self.keys[did].sign(context.encode() + payload)

    def verify(self, did: str, context: str, payload: bytes, signature: bytes) -> bool:
        try:
            self.keys[did].public_key().verify(signature, context.encode() + payload)
        except InvalidSignature:
            return False
        return True

    def start(self) -> None:
        for did, party in self.parties.items():
            self.relay.receive(did, self.timed("party advertise", party.advertise))
        for step in ("party share", "party begin"):
            for did, party in self.parties.items():
                reply = self.timed(step, party.answer, self.relay.message_for(did))
                if reply is not None:
                    self.timed("hub take shares", self.relay.receive, did, reply)

    def round(self, alive: list[str], parts: tuple[Part, ...], number: int, workers: int) -> int:
        timed, rng = self.timed, np.random.default_rng(number)
        total = np.zeros(sum(part.length for part in parts))
        for did in alive:
            values = np.concatenate([rng.uniform(-p.bound, p.bound, p.length) for p in parts])
            total += values
            upload = timed("party upload", self.parties[did].upload, values, parts, str(number))
            timed("hub take upload", self.relay.receive, did, upload)
        if self.relay.phase == "uploading":
            self.relay.proceed()
        while not self.relay.ready:
            for did in alive:
                message = timed("hub message", self.relay.message_for, did)
                if message is not None:
                    reply = timed("party answer", self.parties[did].answer, message)
                    timed("hub take answer", self.relay.receive, did, reply)
        with ThreadPoolExecutor(workers) as pool:
            padded = timed("hub reconstruct", self.relay.reconstruct, pool if workers > 1 else None, workers)
        for did in alive:
            opened = timed("party open", self.parties[did].open, padded)
        assert np.abs(opened.values - total).max() <= 1e-9 * max(part.bound for part in parts)
        return len(upload)


def run(count: int, parts: tuple[Part, ...], vanish: int, rounds: int = 1, workers: int = 1) -> dict[str, Any]:
    """``count`` hospitals, of which the last ``vanish`` go before round 1 ends."""
    bench = Bench(count)
    bench.start()
    alive = list(bench.parties)[: count - vanish]
    sizes = [bench.round(alive, parts, number, workers) for number in range(rounds)]
    return {
        "hospitals": count,
        "values": sum(part.length for part in parts),
        "vanish": vanish,
        "rounds": rounds,
        "hub_threads": workers,
        "upload_bytes": sizes[-1],
        "times": bench.timed.figures(),
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
    report = {"machine": platform.machine(), "python": platform.python_version(), "runs": results}
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
