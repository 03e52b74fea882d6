"""A whole space on this machine: from nothing to a result, a federated round, a node's start and memory, the demo.

All are real processes on loopback, over TLS, on the cores of this machine together. A round's figure holds: the
total's way to each node, its opening and check, the update, the local sums in the computing child, masks and
signatures, the state kept durably, the upload, the endorsements' way back, the shares' way to the hub, and the
stripping there: two exchanges, each a signed POST and an answered poll. Only local sums and update are taken off.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench._report import quantile, quick, say
from bench._space import BenchSpace, family, memory_mb, rows_of

from xinglin.sdk import Data
from xinglin.stores.desk import NotRunning, ask_desk
from xinglin.wire.desk import DeskCall

_IDLE_S = 5.0
_POLL_S = 0.01
_PEERS_ROUND = "cited: NVFLARE 2.5 s, Flower 12.4 s, a bare long poll 7 ms"
_PEERS_FIRST = "cited: Flower ~157 s, NVFLARE ~112 s"


# --- from nothing to the first result ------------------------------------------------------------


def first_result(times: int) -> None:
    """Fresh interpreter, empty folder, three hospitals; the installation of packages is not in it."""
    whole, inside = [], []
    for _ in range(times):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "bench.space", "first"], stdout=subprocess.PIPE, check=True)
        inside.append(json.loads(done.stdout))
        whole.append(inside[-1]["at"] - began)
    result = quantile([one["result"] for one in inside], 0.5)
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in inside[-1]["steps"].items())
    what = "from an empty folder to the first result of three hospitals: hub, witness, nodes, agreements, a model"
    say("space.from_nothing", what, quantile(whole, 0.5), "s", "<= 60", f"{_PEERS_FIRST}; seconds by step: {steps}")
    what = "the first result itself: from the question in the SDK to the verified result, computing children cold"
    say("space.first_result", what, result, "s", "<= 10", "logistic model, 3 × 1,000 rows")


def _first() -> None:
    with tempfile.TemporaryDirectory() as name, BenchSpace(Path(name), 3) as space:
        data = space.open()
        began = time.perf_counter()
        data.glm(space.formula, family="binomial")
        now = time.perf_counter()
        print(json.dumps({"at": now, "result": now - began, "steps": space.seconds}))


# --- rounds ----------------------------------------------------------------------------------------


def rounds(space: BenchSpace, data: Data, runs: int) -> None:
    """Rounds of warm logistic models, and what the processor does in one."""
    ask(data, space, 1)
    skip = len(space.round_times())
    before = space.processor_ms()
    seconds = ask(data, space, runs)
    spent = {who: ms - before[who] for who, ms in space.processor_ms().items()}
    found = [1e3 * one for one in space.round_times()[skip:]]
    local, update = local_ms(data, space)
    median, p95 = quantile(found, 0.5), quantile(found, 0.95)
    say("space.round.median", "one federated round, 3 nodes, over TLS: from total to total at the hub", median, "ms")
    say("space.round.p95", "the same, 95th percentile", p95, "ms", "", f"{len(found)} rounds in {runs} runs")
    words = f"local sums {local:.2f} ms and update {update:.2f} ms taken off, which are no overhead"
    what = "overhead of one federated round, 3 nodes, TLS"
    say("space.round.overhead", what, median - local - update, "ms", "<= 20", f"{words}; {_PEERS_ROUND}")
    what = "a whole warm run in the SDK: request, decision, query, rounds, evidence, sealed and verified result"
    say("space.run.warm", what, quantile(seconds, 0.5), "s", "", f"{len(found) // runs + 1} rounds")
    known = len(space.round_times())
    described = processor_of(space, data, runs)
    more = len(found) - (len(space.round_times()) - known)
    for who, words in _WHO.items():
        each = 3 if who in ("nodes", "children") else 1
        value = max(0.0, (spent[who] - described[who]) / more / each)
        say(f"space.round.processor.{who}", f"processor time of one round: {words}", value, "ms", "", _SLOPE)


_WHO = {"hub": "the hub", "nodes": "each node", "children": "each node's computing child"}
_SLOPE = "a logistic model less the shortest statistic, over the rounds that it has more"


def ask(data: Data, space: BenchSpace, runs: int) -> list[float]:
    """Seconds of each of ``runs`` logistic models, from the call to the result."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        data.glm(space.formula, family="binomial")
        seconds.append(time.perf_counter() - began)
    return seconds


def processor_of(space: BenchSpace, data: Data, runs: int) -> dict[str, float]:
    """Processor time of as many runs of the shortest statistic, in ms."""
    before = space.processor_ms()
    for _ in range(runs):
        data.describe("x1")
    return {who: ms - before[who] for who, ms in space.processor_ms().items()}


def local_ms(data: Data, space: BenchSpace) -> tuple[float, float]:
    """Median ms of a later round's local sums and of its update, in this process, on one hospital's rows."""
    import numpy as np

    from xinglin.analysis.algorithm import AlgorithmSpec, State, build
    from xinglin.analysis.table import Table
    from xinglin.terms.thresholds import DisclosureRules

    domain = data.scope.domain
    table = Table.of(domain, rows_of(0, space.rows, space.count), np.arange(space.rows))
    spec = AlgorithmSpec("glm", {"formula": space.formula, "family": "binomial", "link": ""})
    algorithm = build(spec, domain, DisclosureRules())
    state, local, update = algorithm.initial_state(), [], []
    while True:
        began = time.perf_counter()
        vector = algorithm.local(table, state)
        summed = time.perf_counter()
        following = algorithm.update(state, 3 * vector, 3)
        local.append(1e3 * (summed - began))
        update.append(1e3 * (time.perf_counter() - summed))
        if not isinstance(following, State):
            return quantile(local[1:], 0.5), quantile(update[1:], 0.5)
        state = following


# --- one node --------------------------------------------------------------------------------------


def node(space: BenchSpace, times: int, idle_s: float) -> None:
    """A node's start in a running space, its memory when it has only joined, and after it took part in runs."""
    served = space.processes["h1"].pid
    after, alone = memory_mb(family(served)), memory_mb([served])
    seconds = []
    for _ in range(times):
        space.stop("h0")
        began = time.perf_counter()
        space.start("h0")
        _until_connected(space, "h0")
        seconds.append(time.perf_counter() - began)
    space.wait_for_node("h0")
    time.sleep(idle_s)
    pids = family(space.processes["h0"].pid)
    pss, rss = memory_mb(pids)
    what = "a node's start: from the start of its process to its connection to the hub"
    say("node.start", what, quantile(seconds, 0.5), "s", "<= 2.5", "cited: EDC distributions 40 to 50 s")
    words = f"{len(pids)} process; {len(space.hospitals)} nodes run here and share pages, which PSS divides"
    what = "idle memory of a node that joined, is connected and witnesses"
    say("node.idle.rss", f"{what}: RSS", rss, "MB", "<= 110", "cited: EDC distributions 2 to 8 GB")
    say("node.idle.pss", f"{what}: PSS", pss, "MB", "<= 110", words)
    what = "the node's own process after it took part in runs, its computing child apart: RSS"
    say("node.served.rss", what, alone[1], "MB", "<= 110", "an idle node that has worked keeps what it loaded")
    say("node.served.pss", "the same: PSS", alone[0], "MB", "<= 110")
    words = "the child ends after 60 s without a request"
    say("node.busy.rss", "a node right after runs, its warm computing child with it: RSS", after[1], "MB", "", words)
    say("node.busy.pss", "the same: PSS", after[0], "MB")


def _until_connected(space: BenchSpace, hospital: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if ask_desk(space.node_folder(hospital), DeskCall("status")).value["connected"]:
                return
        except (NotRunning, OSError):
            pass  # not listening yet
        time.sleep(_POLL_S)
    raise SystemExit("the node did not connect")


# --- the demo --------------------------------------------------------------------------------------


def demo() -> None:
    """``xinglin demo --exit``: its own part in seconds, and the memory of all its processes at their most."""
    with tempfile.TemporaryDirectory() as name:
        file, most = Path(name) / "demo.json", 0.0
        words = [sys.executable, "-m", "xinglin", "demo", "--exit", "--json", str(file)]
        began = time.perf_counter()
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                most = max(most, memory_mb(family(process.pid))[0])
                time.sleep(0.5)
        whole = time.perf_counter() - began
        if process.returncode:
            raise SystemExit(f"the demo ended with {process.returncode}")
        told: dict[str, Any] = json.loads(file.read_text())
    what = "the demo's own part: hub, witness, four hospitals, a study, its proof, what must not work"
    say(
        "demo.seconds",
        what,
        told["seconds"],
        "s",
        "<= 30",
        f"its process lived {whole:.1f} s",
    )
    words = f"every 0.5 s, the researcher's process with it; the demo itself says {told['memory_bytes'] / 1e6:.0f}"
    say("demo.pss", "the demo's memory at its most, all processes: PSS", most, "MB", "<= 1500", words)


def main(arguments: list[str]) -> None:
    """Everything; ``--quick`` leaves the demo out; ``first`` is the process under test of ``first_result``."""
    if arguments[:1] == ["first"]:
        _first()
        return
    small = quick(arguments)
    first_result(1 if small else 3)
    with tempfile.TemporaryDirectory() as name, BenchSpace(Path(name), 3) as space:
        data = space.open()
        rounds(space, data, 2 if small else 10)
        node(space, 1 if small else 5, 0.5 if small else _IDLE_S)
    if not small:
        demo()


if __name__ == "__main__":
    main(sys.argv[1:])
