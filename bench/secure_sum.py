"""Secure sum: processor time of a hospital and of the hub, one round, state machines in one process.

Processor time of one thread. A hospital's holds masks, signatures, sealed shares and the copies it keeps; the hub's
holds adding up what arrives, digests of what was signed, and stripping the masks.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from bench._report import quick, say
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


def party_ms(times: dict[str, list[float]], parties: int) -> dict[str, float]:
    """Milliseconds of one of ``parties`` by step, its setup apart."""
    steps = ("party upload", "party answer", "party open")
    return {step: sum(times.get(step, ())) / parties for step in steps}


def hub_ms(times: dict[str, list[float]]) -> dict[str, float]:
    """Milliseconds of the hub by step."""
    steps = ("hub take upload", "hub message", "hub take answer", "hub reconstruct")
    return {step: sum(times.get(step, ())) for step in steps}


def small(rounds: int) -> None:
    """Three hospitals and a statistic's vector, nobody vanishes."""
    bench = Bench(3)
    bench.start()
    setup = sum(sum(ms) for name, ms in bench.timed.cpu_ms.items() if name.startswith("party")) / 3
    bench.timed.cpu_ms.clear()
    for number in range(rounds):
        bench.round(list(bench.parties), (Part("sums", 50, 1e6),), number, 1)
    party, hub = party_ms(bench.timed.cpu_ms, 3), hub_ms(bench.timed.cpu_ms)
    what = "secure sum, 3 hospitals × 50 values: a hospital's processor time"
    say("secure_sum.n3.setup", f"{what} before the first round", setup, "ms")
    say("secure_sum.n3.party", f"{what} in a round", sum(party.values()) / rounds, "ms", "", _steps(party, rounds))
    say(
        "secure_sum.n3.hub", "the same: the hub's in a round", sum(hub.values()) / rounds, "ms", "", _steps(hub, rounds)
    )


def large(count: int, values: int, vanish: int) -> None:
    """The promised shape: ``vanish`` of ``count`` hospitals go after the masks were dealt."""
    name = f"secure_sum.n{count}.d{values}.v{vanish}"
    what = f"secure sum, {count} hospitals × {values:,} values, {vanish} vanish"
    promised = (count, values, vanish) == (50, 10**6, 5)
    alive = count - vanish
    bench = Bench(count)
    bench.start()
    alone = list(bench.parties)[:alive]
    parts = (Part("weights", values, 1.0),)
    bench.timed.cpu_ms.clear()
    size = bench.round(alone, parts, 0, 1)
    party, hub = party_ms(bench.timed.cpu_ms, alive), hub_ms(bench.timed.cpu_ms)
    words = f"processor time: {_steps(party)}; {size:,} bytes uploaded"
    say(f"{name}.party", f"{what}: a hospital", sum(party.values()), "ms", "<= 50" if promised else "", words)
    words = f"processor time, one thread: {_steps(hub)}; stripping the masks once all answered is the last of these"
    say(f"{name}.hub", f"{what}: the hub", sum(hub.values()), "ms", "<= 300" if promised else "", words)
    threads = len(os.sched_getaffinity(0))
    wall = strip_ms(count, parts, vanish, threads)
    words = "from the last answer to the total"
    say(f"{name}.hub.strip", f"{what}: wall time to strip, {threads} threads", wall, "ms", "", words)


def strip_ms(count: int, parts: tuple[Part, ...], vanish: int, threads: int) -> float:
    """Wall milliseconds of the hub's last step in a fresh run."""
    bench = Bench(count)
    bench.start()
    bench.round(list(bench.parties)[: count - vanish], parts, 0, threads)
    return bench.timed.ms["hub reconstruct"][0]


def _steps(times: dict[str, float], rounds: int = 1) -> str:
    return ", ".join(f"{name.partition(' ')[2]} {ms / rounds:.3g}" for name, ms in times.items())


def main(arguments: list[str]) -> None:
    """The small shape and the promised one; ``--quick``: fewer hospitals, values and rounds."""
    if quick(arguments):
        small(3)
        large(10, 10_000, 1)
        return
    small(50)
    large(50, 10**6, 5)


if __name__ == "__main__":
    main(sys.argv[1:])
