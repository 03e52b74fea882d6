"""Blind matching: private intersection on two processes, evaluations of a split key, linkage on filters.

The intersection's sides are two processes that talk over a pipe, each from its list of identifiers to the outcome: wall
time of the learner, processor seconds of each. With ``--spu PYTHON`` or ``XINGLIN_TEST_SPU`` (the interpreter of an
environment that has SPU) its RR22 runs on sets of the same size, two child processes over loopback.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import queue
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench._frequency import success
from bench._people import two_hospitals
from bench._report import quick, say

from xinglin.secure.blind.filters import FilterPlan, encode
from xinglin.secure.blind.intersection import Helper, Learner
from xinglin.secure.blind.linkage import link
from xinglin.secure.blind.matching_terms import Matching
from xinglin.secure.blind.split import Asker, Holder
from xinglin.stores.spu_engine import SpuEngine


def identifiers(first: int, count: int) -> list[bytes]:
    """``count`` identifiers of 18 digits."""
    return [b"%018d" % number for number in range(first, first + count)]


def _reader(pipe: Connection) -> Callable[[], bytes]:
    """Messages as they come, read beside the work: a side that computes never makes the other wait to send."""
    arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def drain() -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                arrived.put(pipe.recv_bytes())

    threading.Thread(target=drain, daemon=True).start()
    return arrived.get


def _learn(pipe: Connection, results: Any, matching: Matching) -> None:
    learner = Learner(matching, identifiers(0, matching.learner_items), os.urandom)
    read = _reader(pipe)
    began = time.perf_counter()
    for message in learner.question():
        pipe.send_bytes(message)
    while learner.state != "compared":
        learner.take(read())
    found = len(learner.intersection()) if matching.shows == "intersection" else learner.count()
    results.put(("learner", found, time.perf_counter() - began, time.process_time()))


def _help(pipe: Connection, results: Any, matching: Matching) -> None:
    helper = Helper(matching, identifiers(matching.learner_items // 2, matching.helper_items), os.urandom)
    read = _reader(pipe)
    for message in helper.own():
        pipe.send_bytes(message)
    while helper.state != "done":
        for message in helper.take(read()):
            pipe.send_bytes(message)
    results.put(("helper", 0, 0.0, time.process_time()))


def intersect(items: int, shows: Any = "intersection") -> tuple[int, float, float, float]:
    """Matches, wall seconds, processor seconds of learner and of helper; the two sets share half their items."""
    matching = Matching("bench", "did:a", "did:b", shows, items, items, os.urandom(32))
    context = mp.get_context("spawn")
    near, far = context.Pipe()
    results = context.Queue()
    sides = [
        context.Process(target=work, args=(pipe, results, matching)) for work, pipe in ((_learn, near), (_help, far))
    ]
    for side in sides:
        side.start()
    said = {one[0]: one for one in (results.get(timeout=900), results.get(timeout=900))}
    for side in sides:
        side.join()
    return said["learner"][1], said["learner"][2], said["learner"][3], said["helper"][3]


def _intersections(most: int) -> None:
    for shows, items in (("intersection", most), ("count", most // 5)):
        found, wall, learner, helper = intersect(items, shows)
        if found != items - items // 2:
            raise SystemExit(f"{found} matches where {items - items // 2} were planted")
        promise = "<= 150" if items == 1_000_000 and shows == "intersection" else ""
        words = f"{items:,} x {items:,} items; processor seconds {learner:.1f} and {helper:.1f}"
        say(f"blind.{shows}", f"private {shows}, two processes", wall, "s", promise, words)


def _spu(python: Path, items: int) -> None:
    engine = SpuEngine(python)
    matching = Matching("bench", "did:a", "did:b", "intersection", items, items, os.urandom(32))
    ports = [socket.socket() for _ in range(2)]
    for one in ports:
        one.bind(("127.0.0.1", 0))
    addresses = (f"127.0.0.1:{ports[0].getsockname()[1]}", f"127.0.0.1:{ports[1].getsockname()[1]}")
    for one in ports:
        one.close()
    mine, theirs = identifiers(0, items), identifiers(items // 2, items)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with ThreadPoolExecutor(2) as pool:
        learner = pool.submit(engine.intersect, matching, mine, "did:a", addresses)
        pool.submit(engine.intersect, matching, theirs, "did:b", addresses)
        found = len(learner.result())
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if found != items - items // 2:
        raise SystemExit(f"{found} matches where {items - items // 2} were planted")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    promise = "<= 30" if items == 1_000_000 else ""
    words = f"{items:,} x {items:,} items; SPU {engine.version()}; processor seconds of both children {spent:.1f}"
    say("blind.spu", "private intersection by SPU's RR22, two processes", wall, "s", promise, words)


def _pseudonyms(batch: int) -> None:
    holders = [Holder("did:hub", os.urandom(32), os.urandom), Holder("did:reg", os.urandom(32), os.urandom)]
    asker = Asker("bench", [one.announce("bench") for one in holders], os.urandom)
    began = time.process_time()
    asked = asker.ask(identifiers(0, batch))
    blinded = time.process_time()
    answers = {one.did: one.evaluate("bench", asked.blinded) for one in holders}
    evaluated = time.process_time()
    asker.finish(asked, answers)
    asking = (blinded - began) + (time.process_time() - evaluated)
    say("blind.holder", "evaluations by one key holder, with proof", batch * 2 / (evaluated - blinded), "/s a core")
    say("blind.asker", "pseudonyms at the hospital, both proofs checked", batch / asking, "/s a core")


THRESHOLD = 0.72


def _linkage(size: int) -> None:
    left, right = two_hospitals(size, size // 2, seed=1)
    plan, key = FilterPlan(), os.urandom(32)
    encode(left[:8], key, "warm", plan)
    began = time.process_time()
    mine, theirs = encode(left, key, "bench", plan), encode(right, key, "bench", plan)
    encoded = time.process_time()
    links = link(mine, theirs, THRESHOLD)
    compared = time.process_time() - encoded
    good = sum(one.left == one.right < size // 2 for one in links)
    words = f"{size:,} x {size:,}, {size // 2:,} persons in both, one or two errors each; Dice >= {THRESHOLD}"
    say("blind.filters", "filters made", 2 * size / (encoded - began), "/s a core", "", "1,024 bits, diffused")
    say("blind.compare", "pairs of filters compared", size * size / compared, "/s a core")
    say("blind.precision", "linkage on errors: precision", good / max(len(links), 1), "", "", words)
    say("blind.recall", "linkage on errors: recall", good / (size // 2), "", "", words)
    surnames = [one.name[0] for one in left]
    bare = FilterPlan(hardening="none", reading=0, birth=0, sex=0)
    for key_word, name, attacked in (("bare", "names alone, not hardened", bare), ("shipped", "as shipped", plan)):
        found, guess = success(encode(left, key, "attack", attacked), surnames)
        words = f"{name}; always guessing the commonest: {guess:.3f}"
        say(f"blind.attack.{key_word}", "surnames found by frequency alone", found, "", "", words)


def main(arguments: list[str]) -> None:
    """Run everything; ``--quick`` shows that it runs."""
    small = quick(arguments)
    _linkage(200 if small else 10_000)
    _pseudonyms(32 if small else 4_096)
    _intersections(500 if small else 1_000_000)
    python = arguments[arguments.index("--spu") + 1] if "--spu" in arguments else os.environ.get("XINGLIN_TEST_SPU", "")
    if python:
        _spu(Path(python), 1_000 if small else 1_000_000)


if __name__ == "__main__":
    main(sys.argv[1:])
